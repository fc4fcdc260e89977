//! What a provider may answer to the deletion itself.

use futures::future::join_all;
use harness::Provider::{Juicyway, Scripted};
use serde_json::{Value, json};

use super::{Wrong, everybody_else_goes_on};
use crate::{
    stage::play,
    story::{Story, condition, timeless},
};

/// One answer to a DELETE, once, and what follows.
struct Case {
    row: u8,
    name: &'static str,
    answer: Value,
    /// The first attempt as the record tells it: outcome, class and reason.
    told: [&'static str; 3],
    /// While it is waited for: the condition that tells most, and the sentence.
    meanwhile: Option<(&'static str, &'static str, &'static str)>,
    result: &'static str,
    deletes: usize,
}

const SETTLING: Option<(&str, &str, &str)> = Some((
    "Waiting",
    "Settling",
    "the outcome: the deletion may have been done or not; nothing is sent again before the customer is looked at after <time>",
));

/// Unknown, found there after the settle window, sent once more.
fn lost(row: u8, name: &'static str, answer: Value, class: &'static str, reason: &'static str) -> Case {
    let told = ["Unknown", class, reason];
    Case { row, name, answer, told, meanwhile: SETTLING, result: "ErasedWithRetention", deletes: 2 }
}

/// Unknown, but it was done: found gone after the settle window, not sent again.
fn done(row: u8, name: &'static str, answer: Value, class: &'static str, reason: &'static str) -> Case {
    Case { deletes: 1, ..lost(row, name, answer, class, reason) }
}

fn refused(
    row: u8,
    name: &'static str,
    answer: Value,
    [class, reason]: [&'static str; 2],
    meanwhile: (&'static str, &'static str, &'static str),
) -> Case {
    let told = ["Rejected", class, reason];
    Case { row, name, answer, told, meanwhile: Some(meanwhile), result: "ErasedWithRetention", deletes: 2 }
}

fn accepted(name: &'static str, row: u8, answer: Value) -> Case {
    let meanwhile = Some((
        "Deleted",
        "Deleted",
        "the customer to disappear: the deletion was accepted; looked at until <time>",
    ));
    Case { row, name, answer, told: ["Accepted", "", ""], meanwhile, result: "Failed", deletes: 1 }
}

/// What a redirect is told as.
macro_rules! redirected {
    ($name:literal) => {
        concat!(
            "provider '",
            $name,
            "' refused the deletion (it redirected; redirects are not followed, check the base URL); clear the cause there, the next try is at <time>"
        )
    };
}

fn cases() -> Vec<Case> {
    let untrusted = ("Indeterminate", "UntrustedResponse");
    let lost_on_the_way = ("Indeterminate", "OutcomeUnknown");
    let mut cases = vec![
        lost(66, "login-page", json!({"kind": "html"}), untrusted.0, untrusted.1),
        done(66, "login-page-after-all", json!({"kind": "html", "apply": true}), untrusted.0, untrusted.1),
        done(
            69,
            "huge",
            json!({"kind": "hugeBody", "bytes": 2_097_152}),
            "Indeterminate",
            "ResponseTooLarge",
        ),
        done(
            69,
            "endless",
            json!({"kind": "hugeBody", "encoding": "chunkedEndless"}),
            "Indeterminate",
            "ResponseTooLarge",
        ),
        done(70, "slow", json!({"kind": "slow", "headerDelay": "30s"}), lost_on_the_way.0, lost_on_the_way.1),
        lost(
            71,
            "cut-before",
            json!({"kind": "cut", "at": "beforeApply"}),
            lost_on_the_way.0,
            lost_on_the_way.1,
        ),
        done(
            71,
            "cut-after",
            json!({"kind": "cut", "at": "afterApply"}),
            lost_on_the_way.0,
            lost_on_the_way.1,
        ),
        done(
            71,
            "fin-after",
            json!({"kind": "cut", "at": "afterApply", "how": "fin"}),
            lost_on_the_way.0,
            lost_on_the_way.1,
        ),
        done(
            71,
            "cut-in-the-middle",
            json!({"kind": "cut", "at": "midHeaders"}),
            lost_on_the_way.0,
            lost_on_the_way.1,
        ),
        done(
            77,
            "gone-already",
            json!({"kind": "status", "status": 404, "apply": true}),
            "NotFound",
            "AlreadyGone",
        ),
        lost(78, "page-of-a-proxy", json!({"kind": "html", "status": 404}), untrusted.0, untrusted.1),
        lost(
            80,
            "too-many-bare",
            json!({"kind": "rateLimit", "variant": "bare"}),
            "RateLimited",
            "RateLimited",
        ),
        lost(
            80,
            "too-many-garbage",
            json!({"kind": "rateLimit", "variant": "garbage"}),
            "RateLimited",
            "RateLimited",
        ),
        lost(
            80,
            "too-many-negative",
            json!({"kind": "rateLimit", "variant": "negative"}),
            "RateLimited",
            "RateLimited",
        ),
        accepted("noop", 82, json!({"kind": "noop"})),
        accepted("pending-for-ever", 85, json!({"kind": "pending"})),
        refused(
            76,
            "conflict",
            json!({"kind": "status", "status": 409}),
            ["Conflict", "DeletionConflict"],
            (
                "Unblocked",
                "ProviderConflict",
                "provider 'conflict' reports a conflict (409); clear the cause there, the next try is at <time>",
            ),
        ),
        refused(
            79,
            "precondition",
            json!({"kind": "status", "status": 412}),
            ["Conflict", "CustomerChanged"],
            (
                "Unblocked",
                "ProviderConflict",
                "provider 'precondition' says that the customer changed (412); clear the cause there, the next try is at <time>",
            ),
        ),
    ];
    for (name, status) in [
        ("s500", 500),
        ("s502", 502),
        ("s503", 503),
        ("s504", 504),
        ("s408", 408),
        ("s425", 425),
        ("s520", 520),
    ] {
        cases.push(lost(
            81,
            name,
            json!({"kind": "status", "status": status}),
            "Transient",
            "OutcomeUnknown",
        ));
    }
    let elsewhere = |status: u16, apply: bool| json!({"kind": "redirect", "status": status, "to": "scripted", "apply": apply});
    for (name, status) in [("r302", 302), ("r303", 303)] {
        cases.push(lost(73, name, elsewhere(status, false), "Indeterminate", "UnexpectedRedirect"));
    }
    cases.push(done(73, "r303done", elsewhere(303, true), "Indeterminate", "UnexpectedRedirect"));
    for (name, status, sentence) in [
        ("r301", 301, redirected!("r301")),
        ("r307", 307, redirected!("r307")),
        ("r308", 308, redirected!("r308")),
    ] {
        cases.push(refused(
            73,
            name,
            elsewhere(status, false),
            ["Invalid", "UnexpectedRedirect"],
            ("Stalled", "ProviderAnswerInvalid", sentence),
        ));
    }
    cases
}

#[tokio::test]
async fn rows_66_to_85_no_answer_to_a_deletion_makes_it_happen_twice_or_told_as_done() {
    play("deletions", async |story| {
        let cases = cases();
        for case in &cases {
            let customer = format!("cus_{}", case.name);
            story.sandbox.seed(Juicyway, &customer, &json!({})).await.unwrap();
        }
        let fault = |case: &Case| json!({
            "match": {"provider": "juicyway", "method": "DELETE", "customer": format!("cus_{}", case.name)},
            "do": case.answer,
        });
        story.sandbox.set_faults(&cases.iter().map(fault).collect()).await.unwrap();
        let all = cases.iter().map(|case| one(story, case));
        let (wrong, ()) = futures::join!(join_all(all), everybody_else_goes_on(story));
        assert_eq!(wrong.concat(), [""; 0]);
        let elsewhere = harness::LedgerFilter { provider: Some(Scripted), ..harness::LedgerFilter::default() };
        assert!(story.sandbox.ledger(&elsewhere).await.unwrap().is_empty(), "a redirect was followed");
    })
    .await;
}

/// What is not as the case says.
async fn one(story: &Story<'_>, case: &Case) -> Vec<String> {
    let (name, mut wrong) = (case.name, Wrong::about(case.row, case.name));
    story.provider_as(name, Juicyway, json!({})).await;
    let target = json!({"targets": [{"name": "billing", "providerRef": {"name": name}}]});
    story.request_with(name, Juicyway, &format!("cus_{name}"), target).await;
    if let Some((type_, reason, sentence)) = case.meanwhile {
        let status = story.reason(name, type_, reason).await;
        wrong.unless_equal(&timeless(&status["waitingFor"]), &sentence);
        wrong.unless_equal(&"until", &if status["waitingUntil"].is_string() { "until" } else { "for ever" });
    }
    let status = story.finished(name).await;
    wrong.unless_equal(&status["result"], &case.result);
    if case.result == "Failed" {
        wrong.unless_equal(&condition(&status, "Stalled")["reason"], &"StillPresent");
        wrong.unless_equal(&condition(&status, "Verified")["reason"], &"StillPresent");
        let sentence = "the provider accepted the deletion but the customer still exists; it was not sent again. Ask the provider";
        wrong.unless_equal(&status["waitingFor"], &sentence);
    } else {
        wrong.unless_equal(&condition(&status, "Verified")["reason"], &"Absent");
    }
    let records = story.records().await;
    let record = records.iter().find(|record| record["spec"]["request"]["name"] == name).unwrap();
    let attempt = &record["spec"]["attempts"][0];
    let told = ["outcome", "class", "reason"].map(|field| attempt[field].as_str().unwrap_or_default());
    wrong.unless_equal(&told, &case.told);
    wrong.unless_equal(&story.deletes(Juicyway, &format!("cus_{name}")).await, &case.deletes);
    wrong.told()
}
