//! What a provider may answer to a look.

use futures::future::join_all;
use harness::Provider::{Juicyway, Revolv3, Scripted};
use serde_json::{Value, json};

use super::{Wrong, everybody_else_goes_on};
use crate::{
    stage::{Stage, play},
    story::{Story, condition, timeless},
};

/// One answer to every look at a customer, and what it is told as.
struct Case {
    row: u8,
    name: &'static str,
    answer: Value,
    /// The condition that tells most.
    told: (&'static str, &'static str),
    /// Class and reason of the last error.
    error: [&'static str; 2],
    sentence: &'static str,
}

const NOT_ITS_FORMAT: &str = "the answer is not in the provider's own format; nothing is concluded from it";

/// Tried again by itself.
fn waits(
    row: u8,
    name: &'static str,
    answer: Value,
    error: [&'static str; 2],
    sentence: &'static str,
) -> Case {
    Case { row, name, answer, told: ("Waiting", "ProviderUnavailable"), error, sentence }
}

fn json_fault(name: &'static str, variant: &str) -> Case {
    let answer = json!({"kind": "json", "variant": variant});
    waits(68, name, answer, ["Indeterminate", "UntrustedResponse"], NOT_ITS_FORMAT)
}

fn stalls(
    row: u8,
    name: &'static str,
    answer: Value,
    error: [&'static str; 2],
    sentence: &'static str,
) -> Case {
    Case { told: ("Stalled", "ProviderAnswerInvalid"), ..waits(row, name, answer, error, sentence) }
}

fn cases() -> Vec<Case> {
    let too_large = ["Indeterminate", "ResponseTooLarge"];
    let untrusted = ["Indeterminate", "UntrustedResponse"];
    vec![
        stalls(
            67,
            "other-id",
            json!({"kind": "json", "variant": "otherId"}),
            ["Invalid", "OtherCustomer"],
            "the response describes another customer; refusing",
        ),
        json_fault("truncated", "truncated"),
        json_fault("not-a-number", "nan"),
        json_fault("bad-utf8", "badUtf8"),
        json_fault("utf16", "utf16"),
        json_fault("deep", "deep"),
        json_fault("two-ids", "duplicateId"),
        waits(
            69,
            "huge",
            json!({"kind": "hugeBody", "bytes": 2_097_152}),
            too_large,
            "the response exceeded 1048576 bytes",
        ),
        waits(
            69,
            "endless",
            json!({"kind": "hugeBody", "encoding": "chunkedEndless"}),
            too_large,
            "the response exceeded 1048576 bytes",
        ),
        waits(
            70,
            "slow",
            json!({"kind": "slow", "headerDelay": "30s"}),
            ["Transient", "OutcomeUnknown"],
            "no answer; tried again by itself",
        ),
        waits(
            71,
            "cut",
            json!({"kind": "cut", "at": "midBody"}),
            ["Transient", "OutcomeUnknown"],
            "no answer; tried again by itself",
        ),
        stalls(
            73,
            "redirect",
            json!({"kind": "redirect", "status": 302, "to": "scripted"}),
            ["Invalid", "UnexpectedRedirect"],
            "it redirected; redirects are not followed, check the base URL",
        ),
        waits(
            74,
            "unauthorized",
            json!({"kind": "unauthorized"}),
            ["Auth", "Unauthorized"],
            "it refused the credential (401); mend the Secret",
        ),
        waits(
            74,
            "forbidden",
            json!({"kind": "forbidden"}),
            ["Forbidden", "AccessDenied"],
            "access denied (403); check what the credential may do",
        ),
        waits(66, "login-page", json!({"kind": "html"}), untrusted, NOT_ITS_FORMAT),
        waits(78, "page-of-a-proxy", json!({"kind": "html", "status": 404}), untrusted, NOT_ITS_FORMAT),
        waits(78, "empty-404", json!({"kind": "lie404", "envelope": "empty"}), untrusted, NOT_ITS_FORMAT),
        Case {
            told: ("Waiting", "RateLimited"),
            ..waits(
                80,
                "too-many",
                json!({"kind": "rateLimit", "variant": "huge"}),
                ["RateLimited", "RateLimited"],
                "rate limited; tried again by itself",
            )
        },
        waits(
            81,
            "unavailable",
            json!({"kind": "status", "status": 503}),
            ["Transient", "ServerError"],
            "server error; tried again by itself",
        ),
    ]
}

#[tokio::test]
async fn rows_66_to_81_no_answer_to_a_look_leads_to_a_deletion_or_is_taken_for_an_absence() {
    play("answers", async |story| {
        let cases = cases();
        for case in &cases {
            story.sandbox.seed(Juicyway, &format!("cus_{}", case.name), &json!({})).await.unwrap();
        }
        let fault = |case: &Case| json!({
            "match": {"provider": "juicyway", "method": "GET", "path": "/customers/*", "customer": format!("cus_{}", case.name)},
            "times": 0, "do": case.answer,
        });
        story.sandbox.set_faults(&cases.iter().map(fault).collect()).await.unwrap();
        let all = cases.iter().map(|case| one(story, case));
        let (wrong, ()) = futures::join!(join_all(all), everybody_else_goes_on(story));
        assert_eq!(wrong.concat(), [""; 0]);
        let elsewhere = harness::LedgerFilter { provider: Some(Scripted), ..harness::LedgerFilter::default() };
        assert!(story.sandbox.ledger(&elsewhere).await.unwrap().is_empty(), "a redirect was followed");

        // Once the answers are good again, each one is finished; a new generation closes a circuit and ends no pause.
        story.sandbox.clear_faults().await.unwrap();
        let mended = cases.iter().filter(|case| case.name != "too-many").map(async |case| {
            story.patch("OffboardingProvider", case.name, json!({"spec": {"recheckInterval": "11s"}})).await;
            story.retry(case.name, "mended").await;
            let status = story.finished(case.name).await;
            assert_eq!(status["result"], "ErasedWithRetention", "row {}, {}", case.row, case.name);
            assert_eq!(story.deletes(Juicyway, &format!("cus_{}", case.name)).await, 1, "{}", case.name);
        });
        join_all(mended).await;
    })
    .await;
}

/// What is not as the case says.
async fn one(story: &Story<'_>, case: &Case) -> Vec<String> {
    let (name, mut wrong) = (case.name, Wrong::about(case.row, case.name));
    story.provider_as(name, Juicyway, json!({})).await;
    let target = json!({"targets": [{"name": "billing", "providerRef": {"name": name}}]});
    story.request_with(name, Juicyway, &format!("cus_{name}"), target).await;
    let status = story.reason(name, case.told.0, case.told.1).await;
    wrong.unless_equal(&status["waitingFor"], &format!("provider '{name}': {}", case.sentence));
    let error = &status["targets"][0]["lastError"];
    wrong.unless_equal(&error["class"], &case.error[0]);
    // After the first refusal of a credential nothing is asked any more.
    let is_circuit = error["class"] == "Auth" && error["reason"] == "CircuitOpen";
    let reason = if is_circuit { "Unauthorized" } else { error["reason"].as_str().unwrap_or_default() };
    wrong.unless_equal(reason, case.error[1]);
    wrong.unless_equal(&condition(&status, "Deleted")["reason"], &"NotStarted");
    wrong.unless_equal(&story.deletes(Juicyway, &format!("cus_{name}")).await, &0);
    if name == "too-many" {
        let told = story
            .wait("the pause is told", || async {
                let status = story.provider_status(name).await;
                status["pausedUntil"].as_str().map(str::to_owned).ok_or(status)
            })
            .await;
        let until: jiff::Timestamp = told.parse().unwrap();
        #[expect(clippy::disallowed_methods, reason = "the test has no other clock")]
        let left = until.duration_since(jiff::Timestamp::now()).as_secs();
        assert!((3_000..=3_610).contains(&left), "a wish of 31 years is cut to an hour: {left} s");
    }
    wrong.told()
}

#[tokio::test]
async fn row_72_a_connection_that_cannot_be_trusted_is_not_spoken_over() {
    play("connections", async |story| {
        story.sandbox.seed(Juicyway, "cus_tls", &json!({})).await.unwrap();
        for (variant, sentence) in [
            ("expired", "no trusted TLS connection; nothing was sent"),
            ("otherName", "no trusted TLS connection; nothing was sent"),
            ("unknownCa", "no trusted TLS connection; nothing was sent"),
        ] {
            let fault = json!([{"match": {"provider": "juicyway"}, "times": 0, "do": {"kind": "tls", "variant": variant}}]);
            story.sandbox.set_faults(&fault).await.unwrap();
            let name = variant.to_lowercase();
            story.provider_as(&name, Juicyway, json!({})).await;
            let target = json!({"targets": [{"name": "billing", "providerRef": {"name": name}}]});
            story.request_with(&name, Juicyway, "cus_tls", target).await;
            let status = story.reason(&name, "Waiting", "ProviderUnavailable").await;
            assert_eq!(status["waitingFor"], format!("provider '{name}': {sentence}"));
            story.edit(&name, json!({"cancel": true})).await;
            assert_eq!(story.finished(&name).await["phase"], "Cancelled");
        }
        everybody_else_goes_on(story).await;
        assert!(story.received(Juicyway, "GET", "cus_tls").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn rows_21_and_78_a_404_of_a_wrong_address_is_no_absence() {
    // Not judged: what it asks under the wrong prefix is in no document.
    let story = Stage::shared().await.story("prefix").await;
    story.sandbox.seed(Juicyway, "cus_prefix", &json!({})).await.unwrap();
    let base = format!("{}/v2", story.sandbox.addresses().juicyway);
    story.provider(Juicyway, json!({"baseUrl": base})).await;
    story.request_with("acme", Juicyway, "cus_prefix", json!({"acceptAbsent": true})).await;
    let status = story.reason("acme", "Verified", "ControlFailed").await;
    assert_eq!(condition(&status, "Waiting")["reason"], "ProviderUnavailable");
    assert!(
        timeless(&status["waitingFor"]).contains("check base URL, path prefix and credential"),
        "{status:#}"
    );
    story.provider_reason(Juicyway, "Ready", "ControlFailed").await;
    everybody_else_goes_on(&story).await;
    story.edit_provider(Juicyway, json!({"baseUrl": story.sandbox.addresses().juicyway})).await;
    assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
    assert_eq!(story.deletes(Juicyway, "cus_prefix").await, 1);
    assert!(story.received(Revolv3, "DELETE", "cus_prefix").await.is_empty());
}
