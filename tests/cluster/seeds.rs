//! Status by status: what the provider answers to the DELETE, what the requester reads then, how often it is sent, and when.

use harness::Provider::{self, Juicyway, Revolv3};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    stage::{a_few_at_once, play},
    story::{Story, condition},
};

/// What is seen while the request rests after the first DELETE, times left out.
struct Rest {
    says: &'static str,
    /// Type, status and reason. The first one's message is the sentence itself.
    conditions: &'static [[&'static str; 3]],
    last_error: [&'static str; 2],
}

/// What somebody does about it.
enum Mend {
    Nothing,
    /// The provider's support lifts the restriction.
    LiftRestriction,
    /// The open payment is settled.
    ClearConflict,
    /// The platform team puts another credential into the Secret.
    NewCredential,
    /// Somebody else deletes the customer while our DELETE is on its way.
    DeletedMeanwhile,
}

struct Seed {
    answer: &'static str,
    customer: Value,
    settings: Value,
    /// What strikes the first DELETE.
    fault: Value,
    /// What strikes the control request after it, which asks whether the credential still works.
    control: Value,
    rest: Option<Rest>,
    mend: Mend,
    /// At least so many seconds lie between the first answer and the next DELETE.
    pause: f64,
    result: &'static str,
    deletes: usize,
}

impl Seed {
    /// Nothing strikes, nothing is mended, one DELETE.
    fn new(answer: &'static str, result: &'static str) -> Seed {
        Seed {
            answer,
            customer: json!({}),
            settings: json!({}),
            fault: Value::Null,
            control: Value::Null,
            rest: None,
            mend: Mend::Nothing,
            pause: 0.0,
            result,
            deletes: 1,
        }
    }
}

const RECHECK: f64 = 10.0;
const SETTLING: f64 = 8.6;

const SETTLES: &str = "the outcome: the deletion may have been done or not; nothing is sent again before the customer is looked at after <time>";

/// After an answer from which nothing follows.
const fn settles(last_error: [&'static str; 2]) -> Option<Rest> {
    Some(Rest {
        says: SETTLES,
        conditions: &[
            ["Waiting", "True", "Settling"],
            ["Deleted", "Unknown", "OutcomeUnknown"],
            ["Verified", "Unknown", "Pending"],
            ["Reconciling", "True", "Progressing"],
            ["Ready", "False", "Executing"],
        ],
        last_error,
    })
}

/// After a refused credential.
const fn waits_for_a_credential(says: &'static str) -> Option<Rest> {
    Some(Rest {
        says,
        conditions: &[
            ["Waiting", "True", "ProviderUnavailable"],
            ["Deleted", "False", "Rejected"],
            ["Stalled", "False", "NotStalled"],
            ["Ready", "False", "Executing"],
        ],
        last_error: ["Auth", "Unauthorized"],
    })
}

/// Row 75 among others.
#[tokio::test]
async fn each_answer_of_juicyway_to_the_deletion_is_told_and_followed_as_it_should_be() {
    let status = |status: u16, apply: bool| json!({"kind": "status", "status": status, "apply": apply});
    let failed = || settles(["Transient", "OutcomeUnknown"]);
    let unanswered = || settles(["Indeterminate", "OutcomeUnknown"]);
    let seeds = [
        Seed::new("204", "ErasedWithRetention"),
        Seed {
            customer: json!({"restricted": true}),
            rest: Some(Rest {
                says: "provider 'juicyway' restricts deletion (403); clear the cause there, the next try is at <time>",
                conditions: &[
                    ["Unblocked", "False", "ProviderRestricted"],
                    ["Deleted", "False", "Rejected"],
                    ["Stalled", "False", "NotStalled"],
                    ["Ready", "False", "Blocked"],
                ],
                last_error: ["Forbidden", "DeletionRestricted"],
            }),
            mend: Mend::LiftRestriction,
            pause: RECHECK,
            deletes: 2,
            ..Seed::new("403 Deletion Restricted", "ErasedWithRetention")
        },
        Seed {
            customer: json!({"payments": [{"status": "pending"}]}),
            settings: json!({"conflictOn": ["pendingPayment"]}),
            rest: Some(Rest {
                says: "provider 'juicyway' reports a conflict (409); clear the cause there, the next try is at <time>",
                conditions: &[
                    ["Unblocked", "False", "ProviderConflict"],
                    ["Deleted", "False", "Rejected"],
                    ["Stalled", "False", "NotStalled"],
                    ["Ready", "False", "Blocked"],
                ],
                last_error: ["Conflict", "DeletionConflict"],
            }),
            mend: Mend::ClearConflict,
            pause: RECHECK,
            deletes: 2,
            ..Seed::new("409 Deletion Conflict", "ErasedWithRetention")
        },
        Seed {
            fault: json!({"kind": "latency", "ms": 1500, "at": "beforeApply"}),
            rest: settles(["NotFound", "AlreadyGone"]),
            mend: Mend::DeletedMeanwhile,
            ..Seed::new("404 Customer Not Found", "ErasedWithRetention")
        },
        Seed {
            fault: json!({"kind": "lie404", "scope": "once"}),
            rest: settles(["NotFound", "AlreadyGone"]),
            pause: SETTLING,
            deletes: 2,
            ..Seed::new("404 of a customer that is there", "ErasedWithRetention")
        },
        Seed {
            settings: json!({"keys": {"test_ok": "sandbox", "test_new": "sandbox"}}),
            fault: json!({"kind": "unauthorized"}),
            rest: waits_for_a_credential(
                "another credential: provider 'juicyway' refused the one in its Secret; mend the Secret, or the next try is at <time>",
            ),
            mend: Mend::NewCredential,
            deletes: 2,
            ..Seed::new("401", "ErasedWithRetention")
        },
        Seed {
            settings: json!({"keys": {"test_ok": "sandbox", "test_new": "sandbox"}}),
            fault: json!({"kind": "forbidden"}),
            control: json!({"kind": "unauthorized"}),
            rest: waits_for_a_credential(
                "another credential: provider 'juicyway' refused the one in its Secret; mend the Secret, or the next try is at <time>",
            )
            .map(|rest| Rest { last_error: ["Auth", "AccessDenied"], ..rest }),
            mend: Mend::NewCredential,
            deletes: 2,
            ..Seed::new("403, and 401 to the control", "ErasedWithRetention")
        },
        Seed {
            fault: json!({"kind": "forbidden"}),
            control: status(503, false),
            rest: failed(),
            pause: SETTLING,
            deletes: 2,
            ..Seed::new("403, and 503 to the control", "ErasedWithRetention")
        },
        Seed {
            fault: json!({"kind": "rateLimit", "variant": "bare"}),
            rest: settles(["RateLimited", "RateLimited"]),
            pause: SETTLING,
            deletes: 2,
            ..Seed::new("429", "ErasedWithRetention")
        },
        Seed {
            fault: json!({"kind": "rateLimit", "variant": "retryAfter", "seconds": 14}),
            rest: settles(["RateLimited", "RateLimited"]),
            pause: 14.0,
            deletes: 2,
            ..Seed::new("429 with Retry-After", "ErasedWithRetention")
        },
        Seed {
            fault: status(500, false),
            rest: failed(),
            pause: SETTLING,
            deletes: 2,
            ..Seed::new("500, not done", "ErasedWithRetention")
        },
        Seed { fault: status(500, true), rest: failed(), ..Seed::new("500, done", "ErasedWithRetention") },
        Seed {
            fault: status(503, false),
            rest: failed(),
            pause: SETTLING,
            deletes: 2,
            ..Seed::new("503, not done", "ErasedWithRetention")
        },
        Seed { fault: status(503, true), rest: failed(), ..Seed::new("503, done", "ErasedWithRetention") },
        Seed {
            fault: json!({"kind": "latency", "ms": 5500, "at": "afterApply"}),
            rest: unanswered(),
            ..Seed::new("a timeout, done", "ErasedWithRetention")
        },
        Seed {
            fault: json!({"kind": "latency", "ms": 5500, "at": "beforeApply"}),
            rest: unanswered(),
            ..Seed::new("a timeout, done late", "ErasedWithRetention")
        },
        Seed {
            fault: json!({"kind": "cut", "at": "beforeApply"}),
            rest: unanswered(),
            pause: SETTLING,
            deletes: 2,
            ..Seed::new("no answer, not done", "ErasedWithRetention")
        },
    ];
    a_few_at_once(seeds.iter().map(|seed| is_followed(Juicyway, "cus_1", seed))).await;
}

#[tokio::test]
async fn each_answer_of_revolv3_to_the_deletion_is_told_and_followed_as_it_should_be() {
    let status = |status: u16, apply: bool| json!({"kind": "status", "status": status, "apply": apply});
    let again = |answer, fault| Seed {
        fault,
        rest: settles(["Transient", "OutcomeUnknown"]),
        pause: SETTLING,
        deletes: 2,
        ..Seed::new(answer, "Deactivated")
    };
    let seeds = [
        Seed::new("200", "Deactivated"),
        Seed { settings: json!({"deleteStatus": 204}), ..Seed::new("204", "Deactivated") },
        Seed {
            settings: json!({"tokens": {"rv3_sandbox": "sandbox", "rv3_new": "sandbox"}}),
            fault: json!({"kind": "unauthorized"}),
            rest: waits_for_a_credential(
                "another credential: provider 'revolv3' refused the one in its Secret; mend the Secret, or the next try is at <time>",
            ),
            mend: Mend::NewCredential,
            deletes: 2,
            ..Seed::new("401 StatusMessageResponse", "Deactivated")
        },
        Seed {
            fault: json!({"kind": "latency", "ms": 1500, "at": "beforeApply"}),
            rest: settles(["NotFound", "AlreadyGone"]),
            mend: Mend::DeletedMeanwhile,
            ..Seed::new("404 StatusMessageResponse", "Deactivated")
        },
        Seed {
            settings: json!({"afterDelete": "Unchanged"}),
            fault: json!({"kind": "latency", "ms": 1500, "at": "beforeApply"}),
            rest: settles(["NotFound", "AlreadyGone"]),
            mend: Mend::DeletedMeanwhile,
            pause: SETTLING,
            deletes: 2,
            ..Seed::new("404, and the customer is shown as before", "Unverified")
        },
        Seed {
            settings: json!({"afterDelete": "Unchanged"}),
            fault: json!({"kind": "lie404", "scope": "once"}),
            rest: settles(["NotFound", "AlreadyGone"]),
            pause: SETTLING,
            deletes: 2,
            ..Seed::new("404 of a customer that is there", "Unverified")
        },
        Seed {
            fault: json!({"kind": "rateLimit", "variant": "bare"}),
            rest: settles(["RateLimited", "RateLimited"]),
            pause: SETTLING,
            deletes: 2,
            ..Seed::new("429", "Deactivated")
        },
        again("500, not done", status(500, false)),
        again("502, not done", status(502, false)),
        again("503, not done", status(503, false)),
        again("504, not done", status(504, false)),
        Seed {
            fault: status(500, true),
            rest: settles(["Transient", "OutcomeUnknown"]),
            ..Seed::new("500, done", "Deactivated")
        },
    ];
    a_few_at_once(seeds.iter().map(|seed| is_followed(Revolv3, "90017", seed))).await;
}

async fn is_followed(provider: Provider, id: &str, seed: &Seed) {
    play("seed", async |story| {
        begin(story, provider, id, seed).await;
        if let Some(rest) = &seed.rest {
            rests(story, provider, id, seed, rest).await;
        }
        let status = story.finished("acme").await;
        let deletes = story.deletes(provider, id).await;
        assert_eq!((&status["result"], deletes), (&json!(seed.result), seed.deletes), "{}", seed.answer);
        assert_eq!(status["phase"], "Completed", "{}", seed.answer);
        if seed.deletes > 1 {
            let paused = pause_between_attempts(story).await;
            assert!((seed.pause..seed.pause + 30.0).contains(&paused), "{}: {paused} s", seed.answer);
        }
    })
    .await;
}

async fn begin(story: &Story<'_>, provider: Provider, id: &str, seed: &Seed) {
    story.sandbox.seed(provider, id, &seed.customer).await.unwrap();
    story.sandbox.configure(provider, &seed.settings).await.unwrap();
    if !seed.fault.is_null() {
        let of_delete = json!([{"match": {"method": "DELETE"}, "times": 1, "do": seed.fault}]);
        story.sandbox.set_faults(&of_delete).await.unwrap();
    }
    story.provider(provider, json!({})).await;
    if !seed.control.is_null() {
        // The one that the provider object is probed with is not meant.
        story.provider_reason(provider, "Ready", "ProbeSucceeded").await;
        let both = json!([
            {"match": {"method": "DELETE"}, "times": 1, "do": seed.fault},
            {"match": {"method": "GET", "path": "/customers"}, "times": 1, "do": seed.control},
        ]);
        story.sandbox.set_faults(&both).await.unwrap();
    }
    story.request("acme", provider, id).await;
    if let Mend::DeletedMeanwhile = seed.mend {
        story.until_received(provider, "DELETE", id, 1).await;
        story.sandbox.remove(provider, id).await.unwrap();
    }
}

/// What is told after the first DELETE; then it is mended.
async fn rests(story: &Story<'_>, provider: Provider, id: &str, seed: &Seed, rest: &Rest) {
    // Revolv3 deactivates.
    let says = match provider {
        Juicyway | Provider::Scripted => rest.says.to_owned(),
        Revolv3 => rest.says.replace("the deletion", "the deactivation"),
    };
    let status = story.says("acme", &says).await;
    assert_eq!(story.deletes(provider, id).await, 1, "{}", seed.answer);
    assert_eq!(condition(&status, rest.conditions[0][0])["message"], status["waitingFor"], "{}", seed.answer);
    for [type_, truth, reason] in rest.conditions {
        let told = condition(&status, type_);
        assert_eq!(
            (&told["status"], &told["reason"]),
            (&json!(truth), &json!(reason)),
            "{}: {type_}",
            seed.answer
        );
    }
    let error = &status["targets"][0]["lastError"];
    assert_eq!([&error["class"], &error["reason"]], rest.last_error, "{}", seed.answer);
    assert!(status["waitingUntil"].is_string(), "{}: it says until when", seed.answer);
    match seed.mend {
        Mend::Nothing | Mend::DeletedMeanwhile => {}
        Mend::LiftRestriction => {
            story.sandbox.change(provider, id, &json!({"restricted": false})).await.unwrap();
        }
        Mend::ClearConflict => {
            story.sandbox.configure(provider, &json!({"conflictOn": []})).await.unwrap();
        }
        Mend::NewCredential => {
            story.provider_reason(provider, "CircuitOpen", "AuthFailed").await;
            let token = if provider == Juicyway { "test_new" } else { "rv3_new" };
            story.secret(provider.name(), token).await;
        }
    }
}

/// Seconds from the first attempt's end to the second one's intent, as the record has them.
async fn pause_between_attempts(story: &Story<'_>) -> f64 {
    let record = story.record_until("the record is closed", |spec| spec["closed"] == true).await;
    let at = |attempt: usize, field: &str| -> Timestamp {
        record["attempts"][attempt][field].as_str().unwrap().parse().unwrap()
    };
    at(1, "intentAt").duration_since(at(0, "answeredAt")).as_secs_f64()
}
