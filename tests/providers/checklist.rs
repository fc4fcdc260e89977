//! The checklist of providers.md 7.6, as far as an operator without Kubernetes can be seen to keep it. Row 12, jobs, is not built.

use std::time::Duration;

use harness::Provider as Side;
use offboarding::{
    domain::{CheckSeen, CheckVerdict},
    providers::{
        Captured,
        http::{CircuitState, OpenedBy},
    },
};
use serde_json::json;

use crate::stage::{Wiring, always, became, checked, controlled, credentials, diary, looked, sandbox};

// ——— Juicyway ———

#[tokio::test]
async fn a_juicyway_customer_is_seen_checked_deleted_once_and_seen_to_be_gone() {
    let sandbox = sandbox().await;
    sandbox.seed(Side::Juicyway, "cus_1", &json!({})).await.unwrap();
    let juicyway = Wiring::of(&sandbox, Side::Juicyway).connect();

    let sighting = juicyway.look("cus_1").await;
    assert_eq!(looked(&sighting.verdict), "Present");
    assert!(sighting.identity.is_some() && sighting.created_at.is_some() && sighting.answered_at.is_some());
    let wallets = CheckSeen { name: "wallets".to_owned(), verdict: CheckVerdict::Clear, waivable: true };
    assert_eq!(juicyway.checks("cus_1", &sighting.captured).await, [wallets]);
    let sent = juicyway.send("cus_1", &sighting.captured).await;
    assert_eq!((became(&sent.outcome).as_str(), sent.http_status), ("Accepted", Some(204)));
    assert_eq!(looked(&juicyway.look("cus_1").await.verdict), "Absent");
    assert_eq!(controlled(&juicyway.control().await), "Good");

    let asked = [
        "GET /customers/cus_1 200",
        "GET /wallets/all?customer_id=cus_1 200",
        "DELETE /customers/cus_1 204",
        "GET /customers/cus_1 404",
        "GET /customers?limit=1 200",
    ];
    assert_eq!(diary(&sandbox, Side::Juicyway).await, asked);
    let summary = sandbox.summary().await.unwrap();
    let customer = &summary["customers"][0];
    assert_eq!(
        (&customer["destructiveReceived"], &customer["destructiveApplied"]),
        (&json!(1), &json!(1)),
        "{summary}"
    );
    assert_eq!(customer["destructiveWithoutLook"], 0);
    let provider = &summary["providers"]["juicyway"];
    assert_eq!((&provider["undocumented"], &provider["leakedCredentials"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn under_a_wrong_prefix_a_living_customer_looks_absent_and_only_the_control_tells() {
    let sandbox = sandbox().await;
    sandbox.seed(Side::Juicyway, "cus_1", &json!({})).await.unwrap();
    let wrong_route = "Unknown Indeterminate/UntrustedResponse";
    let not_found = "Bad NotFound/NotFound";
    for (served, asked, page, look, control) in [
        ("/v1", "", "json", "Absent", not_found),
        ("", "/v1", "json", "Absent", not_found),
        ("/v1", "", "html", wrong_route, "Bad Indeterminate/UntrustedResponse"),
        ("/v1", "/v1", "json", "Present", "Good"),
        ("/v1", "/v1/", "json", "Present", "Good"),
    ] {
        let settings = json!({"prefix": served, "wrongRoute404": page});
        sandbox.configure(Side::Juicyway, &settings).await.unwrap();
        let mut wiring = Wiring::of(&sandbox, Side::Juicyway);
        wiring.base_url.push_str(asked);
        let juicyway = wiring.connect();
        let seen = looked(&juicyway.look("cus_1").await.verdict);
        let controlled = controlled(&juicyway.control().await);
        assert_eq!((seen.as_str(), controlled.as_str()), (look, control), "{asked:?} at {served:?}, {page}");
        let checks = juicyway.checks("cus_1", &Captured::nothing()).await;
        assert_eq!(checked(&checks[0].verdict) == "Clear", control == "Good", "{asked:?} at {served:?}");
    }
    assert_eq!(sandbox.truth(Side::Juicyway, "cus_1").await.unwrap()["exists"], true);
}

#[tokio::test]
async fn when_everything_lies_the_deletion_is_unknown_and_the_absence_has_no_good_control() {
    let sandbox = sandbox().await;
    sandbox.seed(Side::Juicyway, "cus_1", &json!({})).await.unwrap();
    let juicyway = Wiring::of(&sandbox, Side::Juicyway).connect();
    assert_eq!(looked(&juicyway.look("cus_1").await.verdict), "Present");
    let faults = json!([
        {"match": {"path": "/customers/cus_1"}, "do": {"kind": "lie404", "scope": "customer"}},
        {"match": {"path": "/customers"}, "do": {"kind": "unauthorized"}},
    ]);
    sandbox.set_faults(&faults).await.unwrap();
    let sent = juicyway.send("cus_1", &Captured::nothing()).await;
    assert_eq!(became(&sent.outcome), "Unknown NotFound/AlreadyGone");
    assert_eq!(looked(&juicyway.look("cus_1").await.verdict), "Absent");
    assert_eq!(controlled(&juicyway.control().await), "Bad Auth/Unauthorized");
    assert_eq!(sandbox.truth(Side::Juicyway, "cus_1").await.unwrap()["exists"], true);
}

#[tokio::test]
async fn a_403_on_the_deletion_is_the_customer_or_the_key_and_the_control_says_which() {
    let sandbox = sandbox().await;
    for (seed, faults, control) in [
        (json!({"restricted": true}), json!([]), "Good"),
        (json!({}), always(Side::Juicyway, &json!({"kind": "forbidden"})), "Bad Forbidden/AccessDenied"),
        (
            json!({}),
            json!([{"match": {}, "do": {"kind": "forbidden"}}, {"match": {}, "do": {"kind": "unauthorized"}}]),
            "Bad Auth/Unauthorized",
        ),
    ] {
        sandbox.reset().await.unwrap();
        sandbox.seed(Side::Juicyway, "cus_1", &seed).await.unwrap();
        sandbox.set_faults(&faults).await.unwrap();
        let juicyway = Wiring::of(&sandbox, Side::Juicyway).connect();
        let sent = juicyway.send("cus_1", &Captured::nothing()).await;
        assert_eq!(became(&sent.outcome), "Rejected Forbidden/DeletionRestricted");
        assert_eq!(controlled(&juicyway.control().await), control);
        assert_eq!(sandbox.truth(Side::Juicyway, "cus_1").await.unwrap()["exists"], true);
    }
}

#[tokio::test]
async fn a_409_is_a_conflict_until_its_cause_is_gone() {
    let sandbox = sandbox().await;
    let wallets = |balance| json!({"wallets": [{"balance": balance}]});
    sandbox.seed(Side::Juicyway, "cus_1", &wallets(5)).await.unwrap();
    sandbox.configure(Side::Juicyway, &json!({"conflictOn": ["walletBalance"]})).await.unwrap();
    let juicyway = Wiring::of(&sandbox, Side::Juicyway).connect();
    for (check, outcome) in [("Blocks", "Rejected Conflict/DeletionConflict"), ("Clear", "Accepted")] {
        let captured = juicyway.look("cus_1").await.captured;
        assert_eq!(checked(&juicyway.checks("cus_1", &captured).await[0].verdict), check);
        assert_eq!(became(&juicyway.send("cus_1", &captured).await.outcome), outcome);
        let exists = check == "Blocks";
        assert_eq!(sandbox.truth(Side::Juicyway, "cus_1").await.unwrap()["exists"], exists);
        if exists {
            sandbox.change(Side::Juicyway, "cus_1", &wallets(0)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_refused_key_is_tried_once_and_another_one_passes_without_a_restart() {
    let sandbox = sandbox().await;
    sandbox.seed(Side::Juicyway, "cus_1", &json!({})).await.unwrap();
    let wiring = Wiring { token: "Bearer test_ok", ..Wiring::of(&sandbox, Side::Juicyway) };
    let mut juicyway = wiring.connect();
    assert_eq!(looked(&juicyway.look("cus_1").await.verdict), "Unknown Auth/Unauthorized");
    let open = CircuitState::Open { because: OpenedBy::Auth, credential_version: "uid/1".to_owned() };
    assert_eq!(juicyway.limiter.circuit(), open);
    assert_eq!(looked(&juicyway.look("cus_1").await.verdict), "Unknown Auth/CircuitOpen");
    assert_eq!(controlled(&juicyway.control().await), "Bad Auth/CircuitOpen");
    let sent = juicyway.send("cus_1", &Captured::nothing()).await;
    assert_eq!(became(&sent.outcome), "NotSent Auth/CircuitOpen");
    juicyway.credentials = credentials("test_ok\n", "uid/2"); // as an editor leaves it
    assert_eq!(looked(&juicyway.look("cus_1").await.verdict), "Present");
    assert_eq!(juicyway.limiter.circuit(), CircuitState::Closed);
    let asked = ["GET /customers/cus_1 401", "GET /customers/cus_1 200"];
    assert_eq!(diary(&sandbox, Side::Juicyway).await, asked);
    assert_eq!(sandbox.summary().await.unwrap()["providers"]["juicyway"]["leakedCredentials"], 0);
}

#[tokio::test]
async fn a_key_of_the_other_environment_is_found_without_a_call() {
    let sandbox = sandbox().await;
    let wiring = Wiring { token: "live_ok", ..Wiring::of(&sandbox, Side::Juicyway) };
    let juicyway = wiring.connect();
    assert_eq!(looked(&juicyway.look("cus_1").await.verdict), "Unknown Auth/EnvironmentMismatch");
    assert_eq!(controlled(&juicyway.control().await), "Bad Auth/EnvironmentMismatch");
    let sent = juicyway.send("cus_1", &Captured::nothing()).await;
    assert_eq!(became(&sent.outcome), "NotSent Auth/EnvironmentMismatch");
    assert_eq!(diary(&sandbox, Side::Juicyway).await, [""; 0]);
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_unknown_and_a_look_finds_it_done() {
    let sandbox = sandbox().await;
    for how in ["rst", "fin"] {
        sandbox.reset().await.unwrap();
        sandbox.seed(Side::Juicyway, "cus_1", &json!({})).await.unwrap();
        let cut = json!({"kind": "cut", "at": "afterApply", "how": how});
        sandbox.set_faults(&json!([{"match": {"method": "DELETE"}, "times": 0, "do": cut}])).await.unwrap();
        let juicyway = Wiring::of(&sandbox, Side::Juicyway).connect();
        let sent = juicyway.send("cus_1", &Captured::nothing()).await;
        assert_eq!(became(&sent.outcome), "Unknown Indeterminate/OutcomeUnknown");
        assert!(sent.sent_at.is_some() && sent.http_status.is_none());
        assert_eq!(looked(&juicyway.look("cus_1").await.verdict), "Absent");
        let asked = ["DELETE /customers/cus_1 -", "GET /customers/cus_1 404"];
        assert_eq!(diary(&sandbox, Side::Juicyway).await, asked, "{how}");
        assert_eq!(sandbox.truth(Side::Juicyway, "cus_1").await.unwrap()["exists"], false);
    }
}

// ——— both ———

#[tokio::test]
async fn every_spelling_of_a_429_pauses_everything_for_an_hour_at_most() {
    let sandbox = sandbox().await;
    let asked_for = 80..=90; // dates have no fractions, and time passes
    let ours = 0..=2;
    for (variant, seconds) in [
        ("retryAfter", asked_for.clone()),
        ("httpDate", asked_for.clone()),
        ("retry_after", asked_for.clone()),
        ("reset", asked_for.clone()),
        ("resetDelta", asked_for.clone()),
        ("body", asked_for.clone()),
        ("huge", 3590..=3600),
        ("bare", ours.clone()),
        ("negative", ours.clone()),
        ("garbage", ours.clone()),
    ] {
        for (side, id) in [(Side::Juicyway, "cus_1"), (Side::Revolv3, "90017")] {
            for is_a_read in [true, false] {
                sandbox.reset().await.unwrap();
                sandbox.seed(side, id, &json!({})).await.unwrap();
                let fault = json!({"kind": "rateLimit", "variant": variant, "seconds": 90});
                sandbox.set_faults(&json!([{"match": {}, "do": fault}])).await.unwrap();
                let caller = Wiring::of(&sandbox, side).connect();
                let what = format!("{variant} at {}, read: {is_a_read}", side.name());
                let told = if is_a_read {
                    looked(&caller.look(id).await.verdict)
                } else {
                    became(&caller.send(id, &Captured::nothing()).await.outcome)
                };
                assert_eq!(told, "Unknown RateLimited/RateLimited", "{what}");
                let pause = caller.limiter.paused_for().unwrap_or_default();
                assert!(seconds.contains(&pause.as_secs()), "{what}: {pause:?}");
                if pause > Duration::from_secs(60) {
                    let next = caller.look(id).await.verdict;
                    assert_eq!(looked(&next), "Unknown RateLimited/Paused", "{what}");
                    let refused = caller.send(id, &Captured::nothing()).await.outcome;
                    assert_eq!(became(&refused), "NotSent RateLimited/Paused", "{what}");
                }
                assert_eq!(diary(&sandbox, side).await.len(), 1, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn after_a_short_pause_a_read_goes_out_in_its_turn() {
    let sandbox = sandbox().await;
    sandbox.seed(Side::Juicyway, "cus_1", &json!({})).await.unwrap();
    let fault = json!({"kind": "rateLimit", "variant": "retryAfter", "seconds": 1});
    sandbox.set_faults(&json!([{"match": {}, "do": fault}])).await.unwrap();
    let juicyway = Wiring::of(&sandbox, Side::Juicyway).connect();
    assert_eq!(looked(&juicyway.look("cus_1").await.verdict), "Unknown RateLimited/RateLimited");
    assert_eq!(looked(&juicyway.look("cus_1").await.verdict), "Present");
}

#[tokio::test]
async fn a_redirect_is_never_followed_and_the_other_side_sees_neither_request_nor_key() {
    let sandbox = sandbox().await;
    for (side, id) in [(Side::Juicyway, "cus_1"), (Side::Revolv3, "90017")] {
        sandbox.seed(side, id, &json!({})).await.unwrap();
        for status in [301, 302, 303, 307, 308] {
            for to in ["scripted", side.name(), "https://127.0.0.1:1/"] {
                let redirect = json!({"kind": "redirect", "status": status, "to": to});
                sandbox.set_faults(&always(side, &redirect)).await.unwrap();
                sandbox.clear_ledger().await.unwrap();
                let caller = Wiring::of(&sandbox, side).connect();
                let look = looked(&caller.look(id).await.verdict);
                assert_eq!(look, "Unknown Invalid/UnexpectedRedirect", "{status} to {to}");
                assert_eq!(controlled(&caller.control().await), "Bad Invalid/UnexpectedRedirect");
                let sent = caller.send(id, &Captured::nothing()).await.outcome;
                let expected = match status {
                    302 | 303 => "Unknown Indeterminate/UnexpectedRedirect",
                    _ => "Rejected Invalid/UnexpectedRedirect",
                };
                assert_eq!(became(&sent), expected, "{status} to {to}");
                assert_eq!(diary(&sandbox, side).await.len(), 3, "{status} to {to}");
                assert_eq!(diary(&sandbox, Side::Scripted).await, [""; 0]);
            }
        }
    }
    // The empty ledger says something: a key that is sent there is seen there.
    sandbox.clear_ledger().await.unwrap();
    let astray = Wiring { token: "test_ok", ..Wiring::of(&sandbox, Side::Scripted) }.connect();
    astray.look("cus_1").await;
    let summary = sandbox.summary().await.unwrap();
    assert_eq!(summary["providers"]["scripted"]["leakedCredentials"], 1, "{summary}");
}

#[tokio::test]
async fn an_id_that_the_provider_cannot_have_is_never_asked_for() {
    let sandbox = sandbox().await;
    let long = "a".repeat(65);
    let juicyway =
        ["", ".", "..", "../x", "a/b", "a%2Fb", "%31", "a b", "a ", "a\n", "a\0", "a?b", "a#b", "é", &long];
    let revolv3 = [
        "",
        "0",
        "1000000001",
        "abc",
        "../x",
        "007",
        "%31",
        "1 ",
        " 1",
        "+7",
        "-1",
        "1e3",
        "1.0",
        "0x1",
        "١",
        "99999999999999999999",
        "1\n",
        "1/invoices",
        "1?a",
        ".",
        "..",
    ];
    for (side, ids) in [(Side::Juicyway, &juicyway[..]), (Side::Revolv3, &revolv3[..])] {
        let caller = Wiring::of(&sandbox, side).connect();
        for id in ids {
            let what = format!("{id:?} at {}", side.name());
            let look = looked(&caller.look(id).await.verdict);
            assert_eq!(look, "Unknown Invalid/TemplateFailed", "{what}");
            for check in caller.checks(id, &Captured::nothing()).await {
                assert_eq!(checked(&check.verdict), "Failed Invalid/TemplateFailed", "{what}");
            }
            let sent = caller.send(id, &Captured::nothing()).await;
            assert_eq!(became(&sent.outcome), "NotSent Invalid/TemplateFailed", "{what}");
        }
        assert_eq!(diary(&sandbox, side).await, [""; 0]);
    }
    assert_eq!(sandbox.summary().await.unwrap()["providers"]["revolv3"]["connections"], 0);
}

// ——— Revolv3 ———

#[tokio::test]
async fn a_revolv3_customer_is_deactivated_its_404_is_read_as_text_plain_and_its_data_stays() {
    let sandbox = sandbox().await;
    sandbox.seed(Side::Revolv3, "90017", &json!({"email": "a@b.example"})).await.unwrap();
    let revolv3 = Wiring::of(&sandbox, Side::Revolv3).connect();
    let sighting = revolv3.look("90017").await;
    assert_eq!(looked(&sighting.verdict), "Present");
    let checks = revolv3.checks("90017", &sighting.captured).await;
    let clear =
        |name: &str| CheckSeen { name: name.to_owned(), verdict: CheckVerdict::Clear, waivable: true };
    assert_eq!(checks, [clear("subscriptions"), clear("invoices")]);
    let sent = revolv3.send("90017", &sighting.captured).await;
    assert_eq!((became(&sent.outcome).as_str(), sent.http_status), ("Accepted", Some(200)));
    assert_eq!(looked(&revolv3.look("90017").await.verdict), "Absent");
    assert_eq!(controlled(&revolv3.control().await), "Good");
    let asked = [
        "GET /api/Customers/90017 200",
        "GET /api/Customers/90017/subscriptions 204",
        "GET /api/Customers/90017/invoices?page=1&pageSize=100 200",
        "DELETE /api/Customers/90017 200",
        "GET /api/Customers/90017 404",
        "GET /api/Invoices/v1?page=1&pageSize=1 200",
    ];
    assert_eq!(diary(&sandbox, Side::Revolv3).await, asked);
    let truth = sandbox.truth(Side::Revolv3, "90017").await.unwrap();
    assert_eq!((&truth["active"], &truth["personalDataPresent"]), (&json!(false), &json!(true)));
}

#[tokio::test]
async fn what_revolv3_shows_of_an_inactive_customer_is_read_as_it_is_shown() {
    let sandbox = sandbox().await;
    for (after_delete, look) in [("NotFound", "Absent"), ("Unchanged", "Present"), ("Flagged", "Inactive")] {
        sandbox.reset().await.unwrap();
        sandbox.configure(Side::Revolv3, &json!({"afterDelete": after_delete})).await.unwrap();
        sandbox.seed(Side::Revolv3, "90017", &json!({})).await.unwrap();
        let cut = json!({"kind": "cut", "at": "afterApply"});
        sandbox.set_faults(&json!([{"match": {"method": "DELETE"}, "do": cut}])).await.unwrap();
        let revolv3 = Wiring::of(&sandbox, Side::Revolv3).connect();
        let before = revolv3.look("90017").await.identity;
        let lost = revolv3.send("90017", &Captured::nothing()).await.outcome;
        assert_eq!(became(&lost), "Unknown Indeterminate/OutcomeUnknown");
        let after = revolv3.look("90017").await;
        assert_eq!(looked(&after.verdict), look);
        assert_eq!(after.identity.is_some_and(|identity| Some(identity) == before), look != "Absent");
        // A further attempt finds nobody active: nothing happens twice, and it is told as a 404.
        let again = revolv3.send("90017", &Captured::nothing()).await.outcome;
        assert_eq!(became(&again), "Unknown NotFound/AlreadyGone");
        let customer = &sandbox.summary().await.unwrap()["customers"][0];
        let counts = (&customer["destructiveReceived"], &customer["destructiveApplied"]);
        assert_eq!(counts, (&json!(2), &json!(1)), "{after_delete}");
    }
}

#[tokio::test]
async fn only_a_subscription_or_invoice_that_is_known_to_be_closed_is_clear() {
    let sandbox = sandbox().await;
    let of_subscription = |word: &str| json!({"subscriptions": [{"subscriptionStatusType": word}]});
    let of_invoice = |word: &str| json!({"invoices": [{"invoiceStatus": word}]});
    let revolv3 = Wiring::of(&sandbox, Side::Revolv3).connect();
    let clear_subscriptions = ["Cancelled", "cancelled", "CANCELED"];
    let open_subscriptions =
        ["Current", "current", "PendingCancellation", "Pending Cancellation", "recycled", "Hibernating", ""];
    let closed_invoices = [
        "Paid",
        "paid",
        "Void",
        "Noncollectable",
        "Failed",
        "Refund",
        "PartialRefund",
        "Partial Refund",
        "MerchantPaid",
        "Merchant Paid",
        "MerchantCancelled",
        "RefundDeclined",
        "RefundFailed",
    ];
    let open_invoices = [
        "Pending",
        "Recycle",
        "Delinquent",
        "OneTimePaymentPending",
        "BatchPending",
        "Batch Pending",
        "CapturePending",
        "Capture Pending",
        "RefundPending",
        "RetryPending",
        "RecurringPending",
        "Paid twice",
        "Unpaid",
        "",
    ];
    let words = [
        (0, &clear_subscriptions[..], "Clear"),
        (0, &open_subscriptions[..], "Blocks"),
        (1, &closed_invoices[..], "Clear"),
        (1, &open_invoices[..], "Blocks"),
    ];
    for (check, words, expected) in words {
        for word in words {
            let seed = if check == 0 { of_subscription(word) } else { of_invoice(word) };
            sandbox.seed(Side::Revolv3, "90017", &seed).await.unwrap();
            let checks = revolv3.checks("90017", &Captured::nothing()).await;
            assert_eq!(checked(&checks[check].verdict), expected, "{word:?} of {}", checks[check].name);
            assert_eq!(checked(&checks[1 - check].verdict), "Clear", "{word:?}: the other check");
        }
    }
}

#[tokio::test]
async fn no_subscriptions_are_clear_as_204_and_as_an_empty_list() {
    let sandbox = sandbox().await;
    sandbox.seed(Side::Revolv3, "90017", &json!({})).await.unwrap();
    let revolv3 = Wiring::of(&sandbox, Side::Revolv3).connect();
    for (empty_list, line) in [(204, "subscriptions 204"), (200, "subscriptions 200")] {
        sandbox.configure(Side::Revolv3, &json!({"emptyList": empty_list})).await.unwrap();
        sandbox.clear_ledger().await.unwrap();
        let checks = revolv3.checks("90017", &Captured::nothing()).await;
        assert_eq!(checked(&checks[0].verdict), "Clear");
        assert!(diary(&sandbox, Side::Revolv3).await[0].ends_with(line));
    }
}

#[tokio::test]
async fn invoices_are_read_to_the_last_page_before_anything_is_clear() {
    let sandbox = sandbox().await;
    let revolv3 = Wiring::of(&sandbox, Side::Revolv3).connect();
    for (paid, open, pages, expected) in [
        (99, 0, 1, "Clear"),
        (100, 0, 2, "Clear"), // the second page is empty, and only that says that there is no more
        (100, 1, 2, "Blocks"),
        (0, 1, 1, "Blocks"),
        (250, 1, 3, "Blocks"),
    ] {
        let words = (0..paid).map(|_| "Paid").chain((0..open).map(|_| "Recycle"));
        let invoices: Vec<_> = words.map(|word| json!({"invoiceStatus": word})).collect();
        sandbox.seed(Side::Revolv3, "90017", &json!({"invoices": invoices})).await.unwrap();
        sandbox.clear_ledger().await.unwrap();
        let checks = revolv3.checks("90017", &Captured::nothing()).await;
        assert_eq!(checked(&checks[1].verdict), expected, "{paid} paid, {open} open");
        let asked = diary(&sandbox, Side::Revolv3).await;
        let expected: Vec<String> = (1..=pages)
            .map(|page| format!("GET /api/Customers/90017/invoices?page={page}&pageSize=100 200"))
            .collect();
        assert_eq!(asked[1..], expected, "{paid} paid, {open} open");
    }
}

#[tokio::test]
async fn a_list_of_somebody_else_is_never_clear() {
    let sandbox = sandbox().await;
    let wallet =
        |owner| json!({"data": [{"customer_id": owner, "status": "active", "balance": {"amount": 0}}]});
    let subscription = |owner| json!([{"customerId": owner, "subscriptionStatusType": "Cancelled"}]);
    let invoice = |owner| json!([{"customerId": owner, "invoiceStatus": "Paid"}]);
    for (side, id, check, path, body, expected) in [
        (Side::Juicyway, "cus_1", 0, "/wallets/all", wallet("cus_1"), "Clear"),
        (Side::Juicyway, "cus_1", 0, "/wallets/all", wallet("cus_2"), "Blocks"),
        (Side::Revolv3, "90017", 0, "**/subscriptions", subscription(90017), "Clear"),
        (Side::Revolv3, "90017", 0, "**/subscriptions", subscription(90018), "Blocks"),
        (Side::Revolv3, "90017", 1, "**/invoices", invoice(90017), "Clear"),
        (Side::Revolv3, "90017", 1, "**/invoices", invoice(90018), "Blocks"),
        (Side::Revolv3, "90017", 1, "**/invoices", json!([{"invoiceStatus": "Paid"}]), "Clear"), // the owner is optional
        (
            Side::Revolv3,
            "90017",
            1,
            "**/invoices",
            json!([{"customerId": null, "invoiceStatus": "Paid"}]),
            "Clear",
        ),
    ] {
        sandbox.seed(side, id, &json!({})).await.unwrap();
        let answer = json!({"kind": "status", "status": 200, "body": body});
        sandbox.set_faults(&json!([{"match": {"path": path}, "do": answer}])).await.unwrap();
        let caller = Wiring::of(&sandbox, side).connect();
        let checks = caller.checks(id, &Captured::nothing()).await;
        assert_eq!(checked(&checks[check].verdict), expected, "{body}");
    }
}
