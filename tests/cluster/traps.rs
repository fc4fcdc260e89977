//! What looks like a deletion and is none, what looks like a reason to delete and is none.

use std::time::{Duration, Instant};

use harness::{
    LedgerFilter, Options,
    Provider::{Juicyway, Revolv3, Scripted},
    Sandbox,
};
use serde_json::{Value, json};

use crate::{
    stage::{Stage, all, play},
    story::{Story, assert_told, condition},
};

const ID: &str = "cus_trap";

#[tokio::test]
async fn a_wrong_path_prefix_never_ends_and_goes_on_when_it_is_mended() {
    let own = "proof of absence at provider 'juicyway': the customer was not found, but the control request failed (not found); check base URL, path prefix and credential";
    let foreign =
        "provider 'juicyway': the answer is not in the provider's own format; nothing is concluded from it";
    let rows = [("json", false, own), ("json", true, own), ("html", true, foreign)];
    all(rows.into_iter().map(|(body, accept_absent, says)| {
        play("prefix", async move |story| {
            story.strays.set(true);
            let settings = json!({"prefix": "/v1", "wrongRoute404": body});
            story.sandbox.configure(Juicyway, &settings).await.unwrap();
            begin(story, json!({"acceptAbsent": accept_absent})).await;
            let status = story.says("acme", says).await;
            assert_told(
                &status,
                &[["Waiting", "True", "ProviderUnavailable"], ["Stalled", "False", "NotStalled"]],
            );
            story.provider_reason(Juicyway, "Ready", "ControlFailed").await;
            story.after_looks(Juicyway, ID, 3).await;
            assert_eq!(story.says("acme", says).await["phase"], "Planning");
            assert_eq!(story.deletes(Juicyway, ID).await, 0);
            let mended = format!("{}/v1", story.sandbox.addresses().juicyway);
            story.edit_provider(Juicyway, json!({"baseUrl": mended})).await;
            assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        })
    }))
    .await;
}

#[tokio::test]
async fn what_a_request_that_was_deleted_has_seen_proves_nothing_to_the_next() {
    const INTERVAL: Duration = Duration::from_secs(3);
    play("absent", async |story| {
        story.provider(Juicyway, json!({"verify": {"interval": "3s"}})).await;
        let accept_absent = || json!({"acceptAbsent": true});
        story.request_with("first", Juicyway, ID, accept_absent()).await;
        story.until_looks(Juicyway, ID, 1).await;
        let looked = Instant::now();
        story.delete("first").await;
        // A look counts where it is an interval younger than the one before.
        tokio::time::sleep(INTERVAL.saturating_sub(looked.elapsed())).await;
        let before = story.looks(Juicyway, ID).await;
        story.request_with("second", Juicyway, ID, accept_absent()).await;
        assert_eq!(story.finished("second").await["result"], "AlreadyAbsent");
        let looks = story.looks(Juicyway, ID).await - before;
        assert!(looks >= 2, "gone after {looks} look");
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_answers_404_to_everything_after_the_send_verifies_nothing() {
    play("all404", async |story| {
        story.strays.set(true);
        story.sandbox.set_faults(&in_flight(1500)).await.unwrap();
        begin(story, json!({})).await;
        story.until_applied(Juicyway, ID).await;
        story.sandbox.configure(Juicyway, &json!({"prefix": "/v1"})).await.unwrap();
        let status = story
            .says(
                "acme",
                "proof of absence at provider 'juicyway': the customer was not found, but the control request failed (not found); check base URL, path prefix and credential",
            )
            .await;
        assert_told(&status, &[["Verified", "Unknown", "ControlFailed"], ["Deleted", "True", "Deleted"]]);
        story.after_looks(Juicyway, ID, 2).await;
        assert_eq!(story.status("acme").await["finished"], false);
        story.sandbox.configure(Juicyway, &json!({"prefix": ""})).await.unwrap();
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
    })
    .await;
}

#[tokio::test]
async fn a_404_to_the_deletion_and_to_the_look_is_no_proof_while_the_control_request_fails() {
    play("lying404", async |story| {
        let lie = json!({"kind": "lie404", "scope": "once"});
        story.sandbox.set_faults(&json!([{"match": {"method": "DELETE"}, "times": 1, "do": lie}])).await.unwrap();
        begin(story, json!({})).await;
        story.until_received(Juicyway, "DELETE", ID, 1).await;
        let lies = json!([
            {"match": {"customer": ID}, "times": 0, "do": lie},
            {"match": {"path": "/customers"}, "times": 0, "do": {"kind": "status", "status": 503}},
        ]);
        story.sandbox.set_faults(&lies).await.unwrap();
        let says = "proof of absence at provider 'juicyway': the customer was not found, but the control request failed (server error; tried again by itself); check base URL, path prefix and credential";
        let status = story.says("acme", says).await;
        assert_told(&status, &[["Verified", "Unknown", "ControlFailed"], ["Deleted", "Unknown", "OutcomeUnknown"]]);
        story.after_looks(Juicyway, ID, 2).await;
        assert_eq!(story.says("acme", says).await["finished"], false);
        // The liar is found out: the customer is there, and is deleted then.
        story.sandbox.clear_faults().await.unwrap();
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, ID).await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_lie_that_is_over_when_the_control_is_asked_proves_nothing() {
    let lie = json!({"kind": "lie404", "scope": "once"});
    let lies = |method: &str| json!([{"match": {"method": method, "customer": ID}, "times": 1, "do": lie}]);
    play("halflie", async |story| {
        story.sandbox.set_faults(&lies("DELETE")).await.unwrap();
        begin(story, json!({})).await;
        story.until_received(Juicyway, "DELETE", ID, 1).await;
        story.sandbox.set_faults(&lies("GET")).await.unwrap();
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, ID).await, 2);
    })
    .await;
    play("halflie", async |story| {
        story.sandbox.set_faults(&lies("GET")).await.unwrap();
        begin(story, json!({})).await;
        let status = story.finished("acme").await;
        assert_eq!(status["result"], "ErasedWithRetention", "who is not found for a moment is not missing");
    })
    .await;
}

#[tokio::test]
async fn a_soft_deletion_that_cannot_be_observed_ends_unverified_and_one_that_is_flagged_verified() {
    for_each_way_of_showing(&[
        ("Unchanged", "Unverified", ["Verified", "Unknown", "NotObservable"]),
        ("Flagged", "Deactivated", ["Verified", "True", "Inactive"]),
        ("NotFound", "Deactivated", ["Verified", "True", "Absent"]),
    ])
    .await;
}

async fn for_each_way_of_showing(rows: &[(&str, &str, [&'static str; 3])]) {
    all(rows.iter().map(|(after_delete, result, verified)| {
        play("shown", async move |story| {
            story.sandbox.configure(Revolv3, &json!({"afterDelete": after_delete})).await.unwrap();
            story.sandbox.seed(Revolv3, "90017", &json!({})).await.unwrap();
            story.provider(Revolv3, json!({})).await;
            story.request("acme", Revolv3, "90017").await;
            let status = story.finished("acme").await;
            assert_eq!((&status["phase"], &status["result"]), (&json!("Completed"), &json!(result)));
            assert_told(
                &status,
                &[*verified, ["DataErased", "False", "SoftDeleteOnly"], ["Stalled", "False", "NotStalled"]],
            );
            assert_eq!(story.deletes(Revolv3, "90017").await, 1);
        })
    }))
    .await;
}

#[tokio::test]
async fn a_deletion_is_not_verified_at_another_address_than_it_was_sent_to() {
    play("elsewhere", async |story| {
        let elsewhere = Sandbox::start().await.unwrap();
        story.sandbox.configure(Juicyway, &json!({"visibilityLag": "6s"})).await.unwrap();
        begin(story, json!({})).await;
        story.until_applied(Juicyway, ID).await;
        let at = |sandbox: &Sandbox| {
            let addresses = sandbox.addresses();
            json!({"baseUrl": addresses.juicyway, "tls": {"caBundle": addresses.ca_bundle}})
        };
        story.edit_provider(Juicyway, at(&elsewhere)).await;
        let says = "provider 'juicyway' to name the base URL and environment again that the deletion was sent to; nothing is verified elsewhere";
        let status = story.says("acme", says).await;
        assert_told(&status, &[["Verified", "Unknown", "Indeterminate"], ["Planned", "False", "AccountChanged"]]);
        // The provider object itself is asked for its control request there; the customer never is.
        story.provider_reason(Juicyway, "Ready", "ProbeSucceeded").await;
        let theirs = LedgerFilter { customer: Some(ID), ..LedgerFilter::default() };
        assert_eq!(elsewhere.ledger(&theirs).await.unwrap(), Vec::<Value>::new());
        assert_eq!(story.says("acme", says).await["finished"], false);
        story.edit_provider(Juicyway, at(&story.sandbox)).await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_answer_about_somebody_else_stops_before_the_send() {
    play("other", async |story| {
        story.sandbox.set_faults(&somebody_else(0, 0)).await.unwrap();
        begin(story, json!({})).await;
        let says = "provider 'juicyway': the response describes another customer; refusing";
        let status = story.says("acme", says).await;
        assert_told(&status, &[["Stalled", "True", "ProviderAnswerInvalid"], ["Ready", "False", "Blocked"]]);
        story.look_again("acme", Juicyway, ID).await;
        assert_eq!(story.deletes(Juicyway, ID).await, 0);
        story.sandbox.clear_faults().await.unwrap();
        story.look_again("acme", Juicyway, ID).await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
    })
    .await;
}

#[tokio::test]
async fn an_answer_about_somebody_else_after_the_intent_sends_nothing_yet() {
    play("other", async |story| {
        story.sandbox.set_faults(&somebody_else(1, 1)).await.unwrap();
        begin(story, json!({})).await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        let record = story.record_until("it is closed", |spec| spec["closed"] == true).await;
        assert_eq!(record["attempts"].as_array().unwrap().len(), 1);
        assert!(record["attempts"][0]["count"].as_i64() >= Some(2), "the first was never sent");
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_answer_about_somebody_else_after_the_send_verifies_nothing() {
    play("other", async |story| {
        story.sandbox.set_faults(&somebody_else(2, 0)).await.unwrap();
        begin(story, json!({})).await;
        // A deleted customer is a 404, which has no id; so it must still be there.
        story.sandbox.configure(Juicyway, &json!({"visibilityLag": "1h"})).await.unwrap();
        let status = story
            .says("acme", "provider 'juicyway': the response describes another customer; refusing")
            .await;
        assert_told(&status, &[["Verified", "Unknown", "Indeterminate"], ["Deleted", "True", "Deleted"]]);
        story.after_looks(Juicyway, ID, 2).await;
        assert_eq!(story.status("acme").await["finished"], false);
        story.sandbox.configure(Juicyway, &json!({"visibilityLag": "0s"})).await.unwrap();
        story.sandbox.clear_faults().await.unwrap();
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_customer_made_again_between_deletion_and_verification_is_not_touched() {
    let rows =
        [(Juicyway, ID, json!({})), (Revolv3, "90017", json!({"firstName": "Somebody", "lastName": "Else"}))];
    all(rows.iter().map(|(provider, id, newcomer)| {
        play("recreated", async move |story| {
            story.sandbox.seed(*provider, id, &json!({})).await.unwrap();
            story.sandbox.set_faults(&in_flight(1500)).await.unwrap();
            story.provider(*provider, json!({})).await;
            story.request("acme", *provider, id).await;
            story.until_applied(*provider, id).await;
            story.sandbox.seed(*provider, id, newcomer).await.unwrap();
            let status = story.finished("acme").await;
            assert_eq!((&status["phase"], &status["result"]), (&json!("Failed"), &json!("Failed")));
            assert_eq!(status["waitingFor"], "a new customer now has this id; it was not touched");
            assert_told(&status, &[["Verified", "False", "Recreated"], ["Stalled", "True", "Recreated"]]);
            assert_eq!(story.deletes(*provider, id).await, 1);
            assert_eq!(story.sandbox.truth(*provider, id).await.unwrap()["active"], true);
        })
    }))
    .await;
}

#[tokio::test]
async fn removing_a_request_or_its_provider_deletes_nobody_and_hangs_nowhere() {
    play("removed", async |story| {
        waits_for_approval(story).await;
        story.kubectl(["delete", "cob", "acme", "--timeout=20s"]).await;
        story.request("again", Juicyway, ID).await;
        story.says("again", "0 of 1 approvals; read status.plan, then approve exactly its hash").await;
        story.kubectl(["delete", "cobp", "juicyway", "--timeout=20s"]).await;
        story
            .says(
                "again",
                "provider 'juicyway' is not available to this namespace; create the OffboardingProvider",
            )
            .await;
        story.kubectl(["delete", "cob", "again", "--timeout=20s"]).await;
        story.provider(Juicyway, json!({})).await;
        story.meanwhile(Juicyway, "cus_other").await;
        story.kubectl(["delete", "cob", "meanwhile", "--timeout=20s"]).await;
        assert_eq!(story.deletes(Juicyway, ID).await, 0);
        assert_eq!(story.deletes(Juicyway, "cus_other").await, 1);
    })
    .await;
}

#[tokio::test]
async fn removing_the_namespace_deletes_nobody_and_hangs_nowhere() {
    let bystander = async || {
        play("bystander", async |story| {
            story.provider(Juicyway, json!({})).await;
            story.meanwhile(Juicyway, "cus_other").await;
        })
        .await;
    };
    play("namespace", async |story| {
        waits_for_approval(story).await;
        // One whose deletion was sent and is not verified, for which a record is open.
        story.sandbox.configure(Revolv3, &json!({"afterDelete": "Unchanged"})).await.unwrap();
        story.sandbox.seed(Revolv3, "90017", &json!({})).await.unwrap();
        story.provider(Revolv3, json!({"verify": {"deadline": "10m"}})).await;
        story.request("sent", Revolv3, "90017").await;
        story.until_applied(Revolv3, "90017").await;
        let client = story.stage.plane.client("admin").await.unwrap();
        story.namespace.delete(&client).await.unwrap();
        bystander().await;
        assert_eq!(story.deletes(Juicyway, ID).await, 0);
        assert_eq!(story.deletes(Revolv3, "90017").await, 1);
        // What was sent is not forgotten: the record says what it waits for.
        let told = story.record_until("the record tells", |spec| spec["waitingFor"].is_string());
        let told = told.await;
        assert_eq!(
            told["waitingFor"],
            "provider 'revolv3' is not available to this namespace; create the OffboardingProvider"
        );
    })
    .await;
}

#[tokio::test]
async fn removing_the_definitions_deletes_nobody_and_hangs_nowhere() {
    let stage = Stage::start(Options::default().with_controller_manager()).await.unwrap();
    stage
        .play("definitions", async |story| {
            waits_for_approval(story).await;
            let kubectl = stage.plane.kubectl("grace").args(["delete", "--timeout=40s", "-f"]);
            kubectl.arg(crate::stage::root().join("crds")).succeed().await.unwrap();
            // They come back, and the same operator goes on.
            stage.plane.apply_path(&crate::stage::root().join("crds")).await.unwrap();
            stage.plane.stamps_requests().await.unwrap();
            story.provider(Juicyway, json!({})).await;
            story.meanwhile(Juicyway, "cus_other").await;
            assert_eq!(story.deletes(Juicyway, ID).await, 0);
            assert_eq!(story.deletes(Juicyway, "cus_other").await, 1);
        })
        .await;
}

#[tokio::test]
async fn a_second_request_for_a_customer_waits_and_finds_nobody_when_the_first_is_finished() {
    play("duplicate", async |story| {
        story.sandbox.configure(Juicyway, &json!({"conflictOn": ["pendingPayment"]})).await.unwrap();
        story.sandbox.seed(Juicyway, ID, &json!({"payments": [{"status": "pending"}]})).await.unwrap();
        story.provider(Juicyway, json!({})).await;
        story.request("first", Juicyway, ID).await;
        let conflict =
            "provider 'juicyway' reports a conflict (409); clear the cause there, the next try is at <time>";
        story.says("first", conflict).await;
        story.request("second", Juicyway, ID).await;
        let says =
            "another CustomerOffboarding owns this customer; this one goes on when that one is finished";
        let status = story.says("second", says).await;
        assert_told(&status, &[["Unblocked", "False", "Duplicate"], ["Stalled", "False", "NotStalled"]]);
        story.sandbox.configure(Juicyway, &json!({"conflictOn": []})).await.unwrap();
        assert_eq!(story.finished("first").await["result"], "ErasedWithRetention");
        let status = story.finished("second").await;
        assert_eq!((&status["phase"], &status["result"]), (&json!("Completed"), &json!("AlreadyAbsent")));
        assert_eq!(
            story.deletes(Juicyway, ID).await,
            2,
            "the one that was refused, and the one that was done"
        );
    })
    .await;
}

#[tokio::test]
async fn a_request_that_is_applied_again_after_it_ended_deletes_nobody() {
    play("again", async |story| {
        begin(story, json!({})).await;
        story.finished("acme").await;
        let looks = story.looks(Juicyway, ID).await;
        // As a GitOps tool does every few minutes.
        story.request("acme", Juicyway, ID).await;
        story.meanwhile(Juicyway, "cus_other").await;
        assert_eq!(story.looks(Juicyway, ID).await, looks, "what is finished costs nothing");
        // As a restored backup does: a new object.
        story.delete("acme").await;
        story.request("acme", Juicyway, ID).await;
        assert_eq!(story.finished("acme").await["result"], "AlreadyAbsent");
        // And where somebody has that id again, a person decides.
        story.delete("acme").await;
        story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
        story.request("acme", Juicyway, ID).await;
        let says = "this customer was offboarded before and is there again; a person must decide: 0 of 1 approvals; read status.plan, then approve exactly its hash, or cancel";
        let status = story.says("acme", says).await;
        assert_told(&status, &[["Unblocked", "False", "Resurrected"], ["Ready", "False", "Blocked"]]);
        story.look_again("acme", Juicyway, ID).await;
        assert_eq!(story.says("acme", says).await["phase"], "Blocked");
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_object_that_nobody_has_worked_on_is_in_progress_and_never_current() {
    let stage = Stage::start(Options::default()).await.unwrap();
    stage
        .play("new", async |story| {
            stage.kill_operator().await;
            begin(story, json!({})).await;
            let object = story.get("CustomerOffboarding", "acme").await.unwrap();
            let born = json!({"observedGeneration": -1, "phase": "Pending", "finished": false});
            assert_eq!(object["status"], born);
            assert_eq!(kstatus(&object), "InProgress");
            stage.restart_operator().await.unwrap();
            story.finished("acme").await;
            assert_eq!(kstatus(&story.get("CustomerOffboarding", "acme").await.unwrap()), "Current");
        })
        .await;
}

/// What kstatus (Flux, Argo CD, `kubectl rollout`-like waits) makes of an object.
fn kstatus(object: &Value) -> &'static str {
    let is = |type_, truth| condition(&object["status"], type_)["status"] == truth;
    if object["status"]["observedGeneration"] != object["metadata"]["generation"] || is("Reconciling", "True")
    {
        "InProgress"
    } else if is("Stalled", "True") {
        "Failed"
    } else if is("Ready", "False") {
        "InProgress"
    } else {
        "Current"
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let refused = "provider 'juicyway' refused the deletion (it redirected; redirects are not followed, check the base URL); clear the cause there, the next try is at <time>";
    let unread = "provider 'juicyway': it redirected; redirects are not followed, check the base URL";
    let rows = [
        ("DELETE", 301, refused, 2),
        ("DELETE", 307, refused, 2),
        ("GET", 302, unread, 1),
        ("GET", 307, unread, 1),
    ];
    all(rows.into_iter().map(|(method, status, says, deletes)| {
        play("redirect", async move |story| {
            let redirect = json!({"kind": "redirect", "status": status, "to": "scripted"});
            let of = json!({"method": method, "path": "/customers/*"});
            story.sandbox.set_faults(&json!([{"match": of, "times": 1, "do": redirect}])).await.unwrap();
            begin(story, json!({})).await;
            let told = story.says("acme", says).await;
            assert_told(
                &told,
                &[["Stalled", "True", "ProviderAnswerInvalid"], ["Ready", "False", "Blocked"]],
            );
            story.look_again("acme", Juicyway, ID).await;
            assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
            assert_eq!(story.deletes(Juicyway, ID).await, deletes);
            let to = LedgerFilter { provider: Some(Scripted), ..LedgerFilter::default() };
            assert_eq!(story.sandbox.ledger(&to).await.unwrap(), Vec::<Value>::new());
        })
    }))
    .await;
}

#[tokio::test]
async fn a_deletion_that_was_accepted_and_not_done_fails_and_is_not_sent_again() {
    play("noop", async |story| {
        let noop = json!([{"match": {"method": "DELETE"}, "times": 0, "do": {"kind": "noop"}}]);
        story.sandbox.set_faults(&noop).await.unwrap();
        begin(story, json!({})).await;
        story
            .says("acme", "the customer to disappear: the deletion was accepted; looked at until <time>")
            .await;
        let status = story.finished("acme").await;
        assert_eq!((&status["phase"], &status["result"]), (&json!("Failed"), &json!("Failed")));
        assert_told(&status, &[["Verified", "False", "StillPresent"], ["Stalled", "True", "StillPresent"]]);
        assert_eq!(
            status["waitingFor"],
            "the provider accepted the deletion but the customer still exists; it was not sent again. Ask the provider"
        );
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_shows_the_customer_for_a_while_is_looked_at_until_it_does_not() {
    play("lag", async |story| {
        story.sandbox.configure(Juicyway, &json!({"visibilityLag": "4s"})).await.unwrap();
        begin(story, json!({})).await;
        let says = "the customer to disappear: the deletion was accepted; looked at until <time>";
        let status = story.says("acme", says).await;
        assert_told(&status, &[["Deleted", "True", "Deleted"], ["Verified", "Unknown", "Pending"]]);
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert!(story.looks(Juicyway, ID).await > 3, "looked at more than once after the deletion");
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_suspended_request_sends_nothing_until_it_is_resumed_and_a_cancelled_one_never() {
    play("controls", async |story| {
        begin(story, json!({"suspend": true})).await;
        let suspended = "`spec.suspend` to be false; no request will be sent before";
        let status = story.says("acme", suspended).await;
        assert_told(&status, &[["Waiting", "True", "Suspended"]]);
        story.sandbox.seed(Juicyway, "cus_kept", &json!({})).await.unwrap();
        story.request_with("kept", Juicyway, "cus_kept", json!({"suspend": true})).await;
        story.says("kept", suspended).await;
        story.edit("kept", json!({"cancel": true})).await;
        assert_eq!(story.finished("kept").await["result"], "Cancelled");
        assert_eq!(story.received(Juicyway, "GET", ID).await, Vec::<Value>::new(), "not even looked at");
        story.edit("acme", json!({"suspend": false})).await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, "cus_kept").await, 0);
    })
    .await;
}

/// A customer, a provider object and a request for the one at the other.
async fn begin(story: &Story<'_>, request: Value) {
    story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
    story.provider(Juicyway, json!({})).await;
    story.request_with("acme", Juicyway, ID, request).await;
}

/// A request that has everything but somebody's consent: whatever would take its removal for a consent deletes now.
async fn waits_for_approval(story: &Story<'_>) {
    story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
    story.provider(Juicyway, json!({"approvals": {"required": 1}})).await;
    story.request("acme", Juicyway, ID).await;
    story.says("acme", "0 of 1 approvals; read status.plan, then approve exactly its hash").await;
}

/// The DELETE is done at once and answered so much later.
fn in_flight(ms: u64) -> Value {
    json!([{"match": {"method": "DELETE"}, "times": 1, "do": {"kind": "latency", "ms": ms, "at": "afterApply"}}])
}

/// Looks are answered with another customer's id.
fn somebody_else(skip: u64, times: u64) -> Value {
    let looks = json!({"method": "GET", "path": "/customers/*"});
    json!([{"match": looks, "skip": skip, "times": times, "do": {"kind": "json", "variant": "otherId"}}])
}
