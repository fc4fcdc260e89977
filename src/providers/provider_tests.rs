use serde_json::json as body;

use super::*;
use crate::{
    api,
    domain::{CauseWord, OutcomeWord},
    providers::{Verdict, built_in, fixtures::*, load},
};

#[path = "built_in_tests.rs"]
mod built_in_profiles;

fn failure(class: Class, cause: Cause) -> Failure {
    Failure::new(class, CauseWord::Ours(cause))
}

const SEED: IdempotencySeed<'static> = IdempotencySeed { request_uid: "u1", target: "t1", n: 1 };

/// A customer of Juicyway.
fn there() -> Response {
    let created = "2026-01-01T00:00:00Z";
    json(200, body!({"data": {"id": "cus_1", "email": "a@b.c", "created_at": created}}))
}

/// Juicyway's answer about a customer that it does not have.
fn not_found() -> Response {
    json(404, body!({"error": {"code": "not_found", "message": "Customer not found"}}))
}

// ——— the built-in profiles ———

#[tokio::test]
async fn a_customer_of_juicyway_is_looked_at_checked_and_deleted() {
    let wallet = body!({"data": [{"status": "deleted", "balance": {"amount": 5}}]});
    let script = Script::of([there(), json(200, body!({"data": []})), json(200, wallet)]);
    let juicyway = juicyway(&script);

    let sighting = juicyway.look(&token(), &id("cus_1"), noon()).await;
    assert_eq!(sighting.verdict, Verdict::Present);
    assert_eq!(sighting.identity.as_deref(), Some(br#"["cus_1","2026-01-01T00:00:00Z"]"#.as_slice()));
    assert_eq!(juicyway.control(&token(), noon()).await, Control::Good);
    let checks = juicyway.checks(&token(), &id("cus_1"), &sighting.captured, noon()).await;
    assert_eq!(
        checks,
        [CheckSeen { name: "wallets".to_owned(), verdict: CheckVerdict::Clear, waivable: true }]
    );
    assert_eq!(
        script.diary(),
        ["GET /v1/customers/cus_1", "GET /v1/customers?limit=1", "GET /v1/wallets/all?customer_id=cus_1"]
    );

    let request = juicyway.prepare_delete(&token(), &id("cus_1"), &sighting.captured, &SEED).unwrap();
    assert_eq!((request.method, request.body.is_none()), (api::Method::DELETE, true));
    assert_eq!(request.url.as_str(), "https://api.example.com/v1/customers/cus_1");
    let names: Vec<_> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["accept", "authorization"]);
    let sent = juicyway.read_sent(empty(204), &id("cus_1"), &sighting.captured, noon(), noon()).await;
    assert_eq!((sent.outcome, sent.http_status, sent.sent_at), (Outcome::Accepted, Some(204), Some(noon())));
}

#[tokio::test]
async fn a_404_of_juicyway_is_absent_only_in_its_own_error_format() {
    let untrusted = || Verdict::Unknown(failure(Class::Indeterminate, Cause::UntrustedResponse));
    for (answer, expected) in [
        (not_found(), Verdict::Absent),
        (empty(404), untrusted()),
        (page(404, LOGIN_PAGE), untrusted()),
        (json(404, body!({"message": "no route"})), untrusted()),
    ] {
        let script = Script::of([answer]);
        assert_eq!(juicyway(&script).look(&token(), &id("cus_1"), noon()).await.verdict, expected);
    }
}

#[tokio::test]
async fn juicyways_refusals_have_their_outcomes() {
    for (answer, word, cause) in [
        (empty(204), OutcomeWord::Accepted, None),
        (not_found(), OutcomeWord::Unknown, Some("AlreadyGone")),
        (empty(404), OutcomeWord::Unknown, Some("UntrustedResponse")),
        (json(403, body!({"error": {}})), OutcomeWord::Rejected, Some("DeletionRestricted")),
        (json(409, body!({"error": {}})), OutcomeWord::Rejected, Some("DeletionConflict")),
        (json(401, body!({"error": {}})), OutcomeWord::Rejected, Some("Unauthorized")),
        (json(429, body!({"error": {}})), OutcomeWord::Unknown, Some("RateLimited")),
        (json(422, body!({"error": {}})), OutcomeWord::Rejected, Some("RequestRefused")),
        (empty(503), OutcomeWord::Unknown, Some("OutcomeUnknown")),
        (empty(302), OutcomeWord::Unknown, Some("UnexpectedRedirect")),
        (empty(307), OutcomeWord::Rejected, Some("UnexpectedRedirect")),
        (page(200, LOGIN_PAGE), OutcomeWord::Unknown, Some("UntrustedResponse")),
    ] {
        let status = answer.status;
        let juicyway = juicyway(&Script::of([]));
        let sent = juicyway.read_sent(answer, &id("cus_1"), &Captured::nothing(), noon(), noon()).await;
        let found = sent.outcome.failure().map(|failure| failure.cause.as_str().to_owned());
        assert_eq!((sent.outcome.word(), found.as_deref()), (word, cause), "{status}");
    }
}

/// The longest list that is read: well within the time limit, even in a build without optimisation.
#[tokio::test]
async fn the_longest_list_is_judged_in_time() {
    let pages = (0..50).map(|page| {
        let items = if page == 49 { 99 } else { 100 };
        json(
            200,
            vec![body!({"invoiceStatus": "Paid", "subtotal": 1.5, "lines": [{"a": "b"}]}); items].into(),
        )
    });
    let script = Script::of([empty(204)].into_iter().chain(pages));
    let seen = revolv3(&script).checks(&token(), &id("90017"), &Captured::nothing(), noon()).await;
    assert_eq!(seen[1].verdict, CheckVerdict::Clear);
}

#[tokio::test]
async fn ids_that_a_provider_cannot_have_are_never_sent() {
    let script = Script::of([]);
    let refused = failure(Class::Invalid, Cause::TemplateFailed);
    for customer in ["0", "1000000001", "abc", "../x", "007", "+7", "%31", "1 ", "", "1\n", "."] {
        let revolv3 = revolv3(&script);
        let sighting = revolv3.look(&token(), &id(customer), noon()).await;
        assert_eq!(sighting.verdict, Verdict::Unknown(refused.clone()), "{customer:?}");
        let request = revolv3.prepare_delete(&token(), &id(customer), &Captured::nothing(), &SEED);
        assert_eq!(request.map(|_| ()), Err(refused.clone()), "{customer:?}");
        assert!(!revolv3.profile().accepts_id(customer));
    }
    assert_eq!(script.diary(), [""; 0]);
    let profile = built_in("revolv3").unwrap();
    assert!(["1", "90017", "1000000000"].iter().all(|customer| profile.accepts_id(customer)));
}

// ——— looks and control ———

#[tokio::test]
async fn a_look_that_was_not_answered_is_unknown() {
    let lost = failure(Class::Transient, Cause::ConnectFailed);
    let script = Script::of_results([Err(lost.clone())]);
    let sighting = juicyway(&script).look(&token(), &id("cus_1"), noon()).await;
    assert_eq!(sighting.verdict, Verdict::Unknown(lost));
}

#[tokio::test]
async fn without_its_credential_nothing_is_asked() {
    let script = Script::of([]);
    let juicyway = juicyway(&script);
    for (credentials, cause) in [
        (credentials(&[("other", "x")]), Cause::SecretUnavailable),
        (credentials(&[("token", "live_1")]), Cause::EnvironmentMismatch),
    ] {
        let expected = failure(Class::Auth, cause);
        let sighting = juicyway.look(&credentials, &id("cus_1"), noon()).await;
        assert_eq!(sighting.verdict, Verdict::Unknown(expected.clone()));
        assert_eq!(juicyway.control(&credentials, noon()).await, Control::Bad(expected.clone()));
        let checks = juicyway.checks(&credentials, &id("cus_1"), &Captured::nothing(), noon()).await;
        assert_eq!(checks[0].verdict, CheckVerdict::Failed(expected.clone()));
        let request = juicyway.prepare_delete(&credentials, &id("cus_1"), &Captured::nothing(), &SEED);
        assert_eq!(request.map(|_| ()), Err(expected));
    }
    assert_eq!(script.diary(), [""; 0]);
}

#[tokio::test]
async fn a_control_is_good_only_where_the_answer_is() {
    for (answer, expected) in [
        (json(200, body!({"data": []})), Control::Good),
        (json(200, body!({"rows": []})), bad(Class::Indeterminate, Cause::ControlFailed)),
        (json(200, body!([])), bad(Class::Indeterminate, Cause::ControlFailed)),
        (empty(200), bad(Class::Indeterminate, Cause::ControlFailed)),
        (page(200, LOGIN_PAGE), bad(Class::Indeterminate, Cause::UntrustedResponse)),
        (json(202, body!({"data": []})), bad(Class::Indeterminate, Cause::Pending)),
        (not_found(), bad(Class::NotFound, Cause::NotFound)),
        (empty(404), bad(Class::Indeterminate, Cause::UntrustedResponse)),
        (json(401, body!({"data": []})), bad(Class::Auth, Cause::Unauthorized)),
        (json(403, body!({"data": []})), bad(Class::Forbidden, Cause::AccessDenied)),
        (json(500, body!({"data": []})), bad(Class::Transient, Cause::ServerError)),
    ] {
        let status = answer.status;
        let script = Script::of([answer]);
        assert_eq!(juicyway(&script).control(&token(), noon()).await, expected, "{status}");
    }
}

fn bad(class: Class, cause: Cause) -> Control {
    Control::Bad(failure(class, cause))
}

#[tokio::test]
async fn the_account_is_asked_where_the_profile_can() {
    let script = Script::of([]);
    assert_eq!(juicyway(&script).account(&token(), noon()).await, None);
    let operation = small_profile().control.operation;
    let account = Some(api::AccountProbe { operation, value: "response.json.name".to_owned() });
    let profile = api::Profile { account, ..small_profile() };
    let failed = || Err(failure(Class::Indeterminate, Cause::ExpressionFailed));
    for (name, expected) in [
        (body!("acct_42"), Ok("acct_42".to_owned())),
        (body!(42), Ok("42".to_owned())),
        (body!(""), failed()),
        (body!("a\nb"), failed()),
        (body!("a".repeat(129)), failed()),
        (body!(null), failed()),
        (body!({}), failed()),
    ] {
        let script = Script::of([json(200, body!({"name": name}))]);
        assert_eq!(custom(&profile, &script).account(&token(), noon()).await, Some(expected), "{name}");
    }
    let script = Script::of([empty(401)]);
    let refused = custom(&profile, &script).account(&token(), noon()).await;
    assert_eq!(refused, Some(Err(failure(Class::Auth, Cause::Unauthorized))));
}

#[tokio::test]
async fn a_pause_that_only_the_profile_can_read_is_told_under_429_too() {
    for (status, answer, told) in [
        (429, body!({"wait": 90}), Some("pause 90s")),
        (429, body!({}), None), // it was heard as the 429 that it is
        (503, body!({"wait": 90}), Some("pause 90s")),
        (503, body!({}), Some("pause as long as we like")),
    ] {
        let rule = body!({"status": [status], "as": "RateLimited", "retryAfter": "response.json.wait"});
        let classify = vec![serde_json::from_value(rule).unwrap()];
        let profile = api::Profile { classify, ..small_profile() };
        let limited = || json(status, answer.clone());
        let script = Script::of([limited(), limited()]);
        let provider = custom(&profile, &script);
        provider.look(&token(), &id("c1"), noon()).await;
        provider.control(&token(), noon()).await;
        provider.read_sent(limited(), &id("c1"), &Captured::nothing(), noon(), noon()).await;
        let pauses: Vec<_> = script.diary().into_iter().filter(|line| line.starts_with("pause")).collect();
        assert_eq!(pauses, vec![told; 3].into_iter().flatten().collect::<Vec<_>>(), "{status} {answer}");
    }
}

// ——— checks ———

fn with_check(change: impl FnOnce(&mut api::Check)) -> api::Profile {
    let mut check: api::Check = serde_json::from_value(body!({
        "name": "orders",
        "request": {"path": "/orders", "query": {"customer": "{customer.id}"}},
        "blockWhen": "items.exists(o, o.open)",
    }))
    .unwrap();
    change(&mut check);
    api::Profile { preflight: vec![check], ..small_profile() }
}

/// Its answer comes in pages.
fn with_paged_check(change: impl FnOnce(&mut api::Check)) -> api::Profile {
    let how = body!({"cursor": {"param": "after", "next": "response.json.next"}, "maxPages": 100});
    with_check(|check| {
        check.operation.items = Some("response.json.orders".to_owned());
        check.operation.paginate = Some(serde_json::from_value(how).unwrap());
        change(check);
    })
}

async fn check(profile: &api::Profile, answer: Result<Response, Failure>) -> CheckVerdict {
    let script = Script::of_results([answer]);
    let checks = custom(profile, &script).checks(&token(), &id("c1"), &Captured::nothing(), noon()).await;
    checks.into_iter().next().unwrap().verdict
}

#[tokio::test]
async fn a_check_that_was_not_answered_blocks_unless_the_profile_only_warns() {
    let block = with_check(|_| {});
    let warn = with_check(|check| check.on_unavailable = api::OnUnavailable::Warn);
    for (answer, class, cause) in [
        (Ok(empty(404)), Class::Indeterminate, Cause::UntrustedResponse),
        (Ok(json(404, body!({}))), Class::NotFound, Cause::NotFound),
        (Ok(json(403, body!({}))), Class::Forbidden, Cause::AccessDenied),
        (Ok(empty(202)), Class::Indeterminate, Cause::Pending),
        (Ok(empty(500)), Class::Transient, Cause::ServerError),
        (Err(failure(Class::Transient, Cause::ConnectFailed)), Class::Transient, Cause::ConnectFailed),
    ] {
        let expected = failure(class, cause);
        assert_eq!(check(&block, answer.clone()).await, CheckVerdict::Failed(expected.clone()));
        assert_eq!(check(&warn, answer).await, CheckVerdict::Unanswered(expected));
    }
}

#[tokio::test]
async fn an_answer_that_is_not_understood_blocks_even_where_the_profile_only_warns() {
    let warn = with_check(|check| check.on_unavailable = api::OnUnavailable::Warn);
    for answer in [json(200, body!([{}])), json(200, body!({})), json(200, body!(null)), empty(200)] {
        let expected = failure(Class::Indeterminate, Cause::ExpressionFailed);
        assert_eq!(check(&warn, Ok(answer)).await, CheckVerdict::Failed(expected));
    }
}

#[tokio::test]
async fn pages_of_more_than_eight_mebibytes_are_no_list_however_few_items_they_have() {
    let paged = with_paged_check(|_| {});
    let page = |at: usize, last: usize, more: usize| {
        let next = if at == last { body!(null) } else { body!(format!("p{at}")) };
        Response { body_bytes: (1 << 20) + more, ..json(200, body!({"orders": [], "next": next})) }
    };
    let incomplete = CheckVerdict::Failed(failure(Class::Indeterminate, Cause::IncompleteList));
    for (pages, more, asked, expected) in
        [(8, 0, 8, CheckVerdict::Clear), (8, 1, 8, incomplete.clone()), (20, 0, 9, incomplete)]
    {
        let script = Script::of((1..=pages).map(|at| page(at, pages, more)));
        let seen = custom(&paged, &script).checks(&token(), &id("c1"), &Captured::nothing(), noon()).await;
        assert_eq!((&seen[0].verdict, script.diary().len()), (&expected, asked), "{pages} pages");
    }
}

#[tokio::test]
async fn pages_of_more_values_than_eight_of_the_longest_answers_are_no_list_however_short_they_are() {
    let paged = with_paged_check(|check| check.block_when = "items.size() < 0".to_owned());
    // The answer, its two fields, and the one order make four.
    let page = |at: usize, last: usize, more: usize| {
        let next = if at == last { body!(null) } else { body!(format!("p{at}")) };
        let order = vec![body!(1); MOST_VALUES - 4 + more];
        json(200, body!({"orders": [order], "next": next}))
    };
    let incomplete = CheckVerdict::Failed(failure(Class::Indeterminate, Cause::IncompleteList));
    for (pages, more, expected) in
        [(8, 0, CheckVerdict::Clear), (8, 1, incomplete.clone()), (9, 0, incomplete)]
    {
        let script = Script::of((1..=pages).map(|at| page(at, pages, more)));
        let seen = custom(&paged, &script).checks(&token(), &id("c1"), &Captured::nothing(), noon()).await;
        assert_eq!(seen[0].verdict, expected, "{pages} pages, {more} more");
    }
}

#[tokio::test]
async fn an_empty_status_is_an_empty_list() {
    assert_eq!(check(&with_check(|_| {}), Ok(empty(204))).await, CheckVerdict::Clear);
    let not_204 = with_check(|check| check.operation.empty_statuses = Some(Vec::new()));
    assert_ne!(check(&not_204, Ok(empty(204))).await, CheckVerdict::Clear);
}

#[tokio::test]
async fn a_check_is_ignored_only_where_it_may_be() {
    let ignore = [("orders", CheckOverride::Ignore)];
    let script = Script::of([]);
    let profile = load(&with_check(|_| {})).unwrap();
    let ignoring = provider_in(Environment::sandbox, profile, &ignore, &script);
    let seen = ignoring.checks(&token(), &id("c1"), &Captured::nothing(), noon()).await;
    assert_eq!(
        seen,
        [CheckSeen { name: "orders".to_owned(), verdict: CheckVerdict::Ignored, waivable: true }]
    );

    let fixed = load(&with_check(|check| check.waivable = false)).unwrap();
    for (profile, name, wish, expected) in [
        (&fixed, "orders", CheckOverride::Ignore, Some("`checks.orders`: this check must not be ignored")),
        (&fixed, "orders", CheckOverride::Block, None),
        (
            &fixed,
            "order",
            CheckOverride::Ignore,
            Some("`checks.order`: the profile has no check of this name"),
        ),
        (
            &fixed,
            "order",
            CheckOverride::Block,
            Some("`checks.order`: the profile has no check of this name"),
        ),
    ] {
        let overrides = BTreeMap::from([(name.to_owned(), wish)]);
        let url = base("https://api.example.com");
        let built = Provider::new(Arc::clone(profile), url, Environment::live, overrides, script.clone());
        let told = built.err().map(|problems| problems[0].to_string());
        assert_eq!(told.as_deref(), expected);
    }
}

#[tokio::test]
async fn a_check_of_the_other_environment_is_not_made() {
    let live_only = with_check(|check| check.environments = vec![Environment::live]);
    let script = Script::of([]);
    let seen = custom(&live_only, &script).checks(&token(), &id("c1"), &Captured::nothing(), noon()).await;
    assert_eq!(seen, []);
}

// ——— the destructive request and its answer ———

#[tokio::test]
async fn an_idempotency_key_is_the_same_for_the_same_target_or_attempt() {
    let with_key = |scope: &str| {
        let mut profile = small_profile();
        let key = body!({"header": "Idempotency-Key", "scope": scope});
        profile.delete[0].idempotency_key = Some(serde_json::from_value(key).unwrap());
        custom(&profile, &Script::of([]))
    };
    let key = |provider: &Provider, seed: IdempotencySeed<'_>| {
        let request = provider.prepare_delete(&token(), &id("c1"), &Captured::nothing(), &seed).unwrap();
        let header = request.headers.into_iter().find(|(name, _)| name == "idempotency-key").unwrap().1;
        header.to_str().unwrap().to_owned()
    };
    let (target, attempt) = (with_key("Target"), with_key("Attempt"));
    let second = IdempotencySeed { n: 2, ..SEED };
    assert_eq!(key(&target, SEED), key(&target, second));
    assert_ne!(key(&attempt, SEED), key(&attempt, second));
    assert_eq!(key(&attempt, SEED), key(&attempt, SEED));
    for other in [
        IdempotencySeed { request_uid: "u2", ..SEED },
        IdempotencySeed { target: "t2", ..SEED },
        IdempotencySeed { request_uid: "u1t", target: "1", ..SEED }, // the parts do not run together
    ] {
        assert_ne!(key(&target, SEED), key(&target, other), "{other:?}");
    }
    assert_eq!(key(&target, SEED).parse::<uuid::Uuid>().unwrap().get_version_num(), 5);
}

#[tokio::test]
async fn only_plain_request_ids_and_fitting_values_are_kept() {
    let mut profile = small_profile();
    let keep = ["job", "number", "text", "missing"];
    profile.delete[0].keep =
        keep.map(|name| (name.to_owned(), api::Expression(format!("response.json.{name}")))).into();
    let provider = custom(&profile, &Script::of([]));
    let read = async |response: Response| {
        provider.read_sent(response, &id("cus_417"), &Captured::nothing(), noon(), noon()).await
    };
    let answer = json(200, body!({"job": "job_1:a.b-c", "number": 7, "text": "a b"}));
    let sent = read(answer.with_header("x-request-id", "req-1_A")).await;
    assert_eq!(sent.request_id.as_deref(), Some("req-1_A"));
    assert_eq!(
        sent.keep,
        [("job", "job_1:a.b-c"), ("number", "7")].map(|(a, b)| (a.to_owned(), b.to_owned())).into()
    );
    for (name, value, kept) in [
        ("request-id", "abc", Some("abc")),
        ("x-request-id", "a b", None),
        ("x-request-id", "", None),
        ("x-request-id", "a@b.c", None),
        ("x-trace", "abc", None),
        ("x-request-id", "req_CUS_417_1", None), // the customer's id
    ] {
        let sent = read(empty(204).with_header(name, value)).await;
        assert_eq!(sent.request_id.as_deref(), kept, "{name}: {value}");
    }
    let quoting = read(json(200, body!({"job": "delete:cus_417", "number": 417}))).await;
    assert_eq!(quoting.keep, [("number".to_owned(), "417".to_owned())].into(), "not the customer's id");
    let refused = read(json(409, body!({"job": "j"}))).await;
    assert_eq!(refused.keep, BTreeMap::new(), "nothing is kept of a refusal");
}

#[tokio::test]
async fn the_look_before_decides_what_a_deletion_carries() {
    let mut profile = small_profile();
    profile.guarantees.conditional_delete = api::ConditionalDelete::IfMatch;
    let expression = |text: &str| api::Expression(text.to_owned());
    profile.presence.operation.capture = [("etag".to_owned(), expression("response.json.etag"))].into();
    profile.delete[0].operation.request.headers =
        [("If-Match".to_owned(), api::HeaderValueTemplate("{vars.etag}".to_owned()))].into();
    let script = Script::of([json(200, body!({"id": "c1", "etag": "W/\"3\""}))]);
    let provider = custom(&profile, &script);
    let captured = captured(&provider, "c1").await;
    let request = provider.prepare_delete(&token(), &id("c1"), &captured, &SEED).unwrap();
    assert!(request.headers.iter().any(|(name, value)| name == "if-match" && value == "W/\"3\""));
    let without = provider.prepare_delete(&token(), &id("c1"), &Captured::nothing(), &SEED);
    assert_eq!(without.map(|_| ()), Err(failure(Class::Invalid, Cause::TemplateFailed)));
}
