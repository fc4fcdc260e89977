//! The built-in profiles: which errors are their providers' own, and when their checks are clear.

use super::*;

/// What Juicyway's check for pending payments says in production, given these pages.
async fn pending_payments(pages: Vec<Response>) -> CheckVerdict {
    let script = Script::of([there(), json(200, body!({"data": []}))].into_iter().chain(pages));
    let profile = built_in("juicyway").unwrap();
    let juicyway = provider_in(Environment::live, profile, &[], &script);
    let live = credentials(&[("token", "live_1")]);
    let captured = juicyway.look(&live, &id("cus_1"), noon()).await.captured;
    let mut checks = juicyway.checks(&live, &id("cus_1"), &captured, noon()).await;
    checks.pop().unwrap().verdict
}

fn payments(customer: serde_json::Value, after: serde_json::Value) -> Response {
    json(200, body!({"data": [{"payment": {"customer": customer}}], "pagination": {"after": after}}))
}

#[tokio::test]
async fn a_pending_payment_on_the_last_page_blocks() {
    let other = || payments(body!({"id": "cus_2", "email": "a@b.c"}), body!("p2"));
    let failed = |cause| CheckVerdict::Failed(failure(Class::Indeterminate, cause));
    for (pages, expected) in [
        (vec![other(), payments(body!({"id": "cus_1"}), body!(null))], CheckVerdict::Blocks),
        (vec![other(), payments(body!({"email": "a@b.c"}), body!(null))], CheckVerdict::Blocks),
        (vec![other(), payments(body!({"email": "x@y.z"}), body!(null))], CheckVerdict::Clear),
        (vec![other(), payments(body!(null), body!(null))], CheckVerdict::Clear),
        (vec![other(), payments(body!({"id": null, "email": "a@b.c"}), body!(null))], CheckVerdict::Blocks),
        (vec![other(), payments(body!({"id": null, "email": "x@y.z"}), body!(null))], CheckVerdict::Clear),
        (vec![other(), payments(body!({"email": "A@B.C"}), body!(null))], CheckVerdict::Blocks),
        (
            vec![other(), payments(body!({"id": null, "email": null}), body!(null))],
            failed(Cause::ExpressionFailed),
        ),
        (vec![other(), payments(body!({}), body!(null))], failed(Cause::ExpressionFailed)),
        (vec![other(), other()], failed(Cause::IncompleteList)),
        (vec![other(), json(200, body!({"data": []}))], failed(Cause::IncompleteList)),
        (vec![other(), json(200, body!({"pagination": {}}))], failed(Cause::ExpressionFailed)),
        (vec![other(), empty(200)], failed(Cause::ExpressionFailed)),
        (vec![other(), page(200, LOGIN_PAGE)], failed(Cause::UntrustedResponse)),
    ] {
        assert_eq!(pending_payments(pages).await, expected);
    }
    let endless = (0..20).map(|at| payments(body!(null), body!(format!("p{at}")))).collect();
    assert_eq!(pending_payments(endless).await, failed(Cause::IncompleteList));
}

#[tokio::test]
async fn revolv3s_checks_are_clear_only_for_words_that_are_known_to_be_closed() {
    let full = |status: &str| json(200, vec![body!({"invoiceStatus": status}); 100].into());
    let invoices = |status: &str| json(200, body!([{"invoiceStatus": status}]));
    let subscriptions = |status: &str| json(200, body!([{"subscriptionStatusType": status}]));
    let failed = || CheckVerdict::Failed(failure(Class::Indeterminate, Cause::ExpressionFailed));
    let clear = || CheckVerdict::Clear;
    for (answers, expected) in [
        (vec![empty(204), empty(204)], [clear(), clear()]),
        (vec![json(200, body!([])), json(200, body!([]))], [clear(), clear()]),
        (vec![subscriptions("Cancelled"), invoices("Paid")], [clear(), clear()]),
        (vec![subscriptions("canceled"), invoices("merchant cancelled")], [clear(), clear()]),
        (vec![subscriptions("current"), invoices("unpaid")], [CheckVerdict::Blocks, CheckVerdict::Blocks]),
        (
            vec![subscriptions("PendingCancellation"), invoices("Recycle")],
            [CheckVerdict::Blocks, CheckVerdict::Blocks],
        ),
        (vec![subscriptions("new word"), invoices("")], [CheckVerdict::Blocks, CheckVerdict::Blocks]),
        (vec![json(200, body!([{}])), json(200, body!([{}]))], [failed(), failed()]),
        (vec![json(200, body!({})), json(200, body!(null))], [failed(), failed()]),
        (vec![empty(204), full("Paid"), invoices("Delinquent")], [clear(), CheckVerdict::Blocks]),
        (vec![empty(204), full("Paid"), empty(204)], [clear(), clear()]),
    ] {
        let script = Script::of(answers);
        let seen = revolv3(&script).checks(&token(), &id("90017"), &Captured::nothing(), noon()).await;
        let verdicts: Vec<_> = seen.into_iter().map(|seen| seen.verdict).collect();
        assert_eq!(verdicts, expected);
    }
}

#[tokio::test]
async fn wallets_of_juicyway_are_read_to_the_end_where_there_is_more_than_one_page() {
    let wallets = |amount: i32, more: serde_json::Value| {
        let mut list = body!({"data": [{"status": "active", "balance": {"amount": amount}}]});
        if let Some(entries) = more.as_object() {
            entries.iter().for_each(|(key, value)| list[key] = value.clone());
        }
        json(200, list)
    };
    let after = |cursor: serde_json::Value| body!({"pagination": {"after": cursor}});
    let incomplete = || CheckVerdict::Failed(failure(Class::Indeterminate, Cause::IncompleteList));
    for (pages, expected) in [
        (vec![wallets(0, body!({}))], CheckVerdict::Clear),
        (vec![wallets(0, body!({"pagination": null}))], CheckVerdict::Clear),
        (vec![wallets(0, body!({"pagination": {}}))], CheckVerdict::Clear),
        (vec![wallets(0, after(body!(null)))], CheckVerdict::Clear),
        (vec![wallets(0, after(body!("w1"))), wallets(5, after(body!(null)))], CheckVerdict::Blocks),
        (vec![wallets(0, after(body!("w1"))), wallets(0, after(body!(null)))], CheckVerdict::Clear),
        (vec![wallets(0, after(body!("w1"))), wallets(0, after(body!("w1")))], incomplete()), // it does not page
        (vec![wallets(0, after(body!({})))], incomplete()),
    ] {
        let script = Script::of(pages.clone());
        let juicyway = juicyway(&script);
        let seen = juicyway.checks(&token(), &id("cus_1"), &Captured::nothing(), noon()).await;
        assert_eq!((seen[0].name.as_str(), &seen[0].verdict), ("wallets", &expected), "{pages:?}");
        let asked = script.diary();
        assert_eq!(asked[0], "GET /v1/wallets/all?customer_id=cus_1");
        assert!(asked.iter().skip(1).all(|line| line == "GET /v1/wallets/all?customer_id=cus_1&after=w1"));
    }
}

#[tokio::test]
async fn only_the_error_that_juicyway_documents_makes_a_404_an_absence() {
    for (answer, is_absent) in [
        (body!({"error": {"code": "not_found", "message": "Customer not found"}}), true),
        (body!({"error": {"message": "no route"}}), false),
        (body!({"error": "Not Found"}), false),
        (body!({"error": null}), false),
    ] {
        let script = Script::of([json(404, answer.clone())]);
        let verdict = juicyway(&script).look(&token(), &id("cus_1"), noon()).await.verdict;
        assert_eq!(verdict == Verdict::Absent, is_absent, "{answer}");
    }
}

#[tokio::test]
async fn only_the_sentence_that_revolv3_documents_makes_a_404_an_absence() {
    for (answer, is_absent) in [
        (body!({"message": "Unable to find an entity with the provided data."}), true),
        (body!({"message": "UNABLE TO FIND AN ENTITY", "errors": null}), true),
        (body!({"message": "No HTTP resource was found that matches the request URI"}), false), // a wrong route
        (body!({"message": "no route and no healthy upstream"}), false),
        (body!({"message": null}), false),
        (body!({"message": 404}), false),
        (body!({"errors": ["Unable to find an entity"]}), false),
        (body!("unable to find an entity"), false),
        (body!([]), false),
    ] {
        for status in [404, 410] {
            let script = Script::of([json(status, answer.clone())]);
            let verdict = revolv3(&script).look(&token(), &id("90017"), noon()).await.verdict;
            let untrusted = Verdict::Unknown(failure(Class::Indeterminate, Cause::UntrustedResponse));
            assert_eq!(verdict, if is_absent { Verdict::Absent } else { untrusted }, "{status} {answer}");
        }
    }
}

#[tokio::test]
async fn a_control_of_revolv3_is_good_only_where_it_shows_invoices_or_none() {
    for (answer, is_good) in [
        (empty(204), true),
        (json(200, body!([])), true),
        (json(200, body!([{"invoiceId": 7, "invoiceStatus": "Paid"}])), true),
        (json(200, body!([{"invoiceId": null}])), false),
        (json(200, body!([{"id": 7}])), false),
        (json(200, body!([[]])), false),
        (json(200, body!([null])), false),
        (json(200, body!({})), false),
        (json(200, body!({"ok": true})), false),
        (json(200, body!({"invoiceId": 7})), false),
        (json(200, body!(null)), false),
        (json(200, body!("")), false),
        (json(200, body!(0)), false),
        (json(201, body!([])), false),
        (empty(200), false),
    ] {
        let script = Script::of([answer.clone()]);
        let seen = revolv3(&script).control(&token(), noon()).await;
        let expected = if is_good { Control::Good } else { bad(Class::Indeterminate, Cause::ControlFailed) };
        assert_eq!(seen, expected, "{} {}", answer.status, answer.text);
    }
}
