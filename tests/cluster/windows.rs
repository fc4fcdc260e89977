//! Between the intent and the send everything is read once more: what people do in that window counts, and nothing is sent.

use harness::Provider::{Juicyway, Revolv3};
use serde_json::{Value, json};

use crate::{
    stage::{all, play},
    story::{Story, assert_told},
};

const ID: &str = "cus_window";

/// What somebody does while the customer is looked at for the second time.
#[derive(Clone, Copy)]
enum Deed {
    Suspend,
    SuspendTheProvider,
    RotateTheSecret,
    RemoveTheSecret,
    IgnoreACheck,
    AllowMoreAddresses,
    AllowAnotherMode,
    RemoveTheProvider,
}

#[tokio::test]
async fn what_changes_between_intent_and_send_stops_the_send_and_the_next_attempt_goes_by_it() {
    // Without a sentence it goes on by itself.
    let rows = [
        (
            Deed::Suspend,
            "RequestSuspended",
            Some("`spec.suspend` to be false; no request will be sent before"),
        ),
        (
            Deed::SuspendTheProvider,
            "ProviderSuspended",
            Some("`spec.suspend` of provider 'juicyway' to be false; no request will be sent before"),
        ),
        (Deed::RotateTheSecret, "CredentialChanged", None),
        (
            Deed::RemoveTheSecret,
            "Unread",
            Some(
                "provider 'juicyway' to become ready (SecretUnavailable): its credential is not available; create it with `kubectl create secret generic … --type=offboarding.dev/credentials`",
            ),
        ),
        (Deed::IgnoreACheck, "PlanChanged", None),
        // Nobody agrees to it, and the connection was made without it.
        (Deed::AllowMoreAddresses, "ProviderChanged", None),
        (
            Deed::AllowAnotherMode,
            "ProviderChanged",
            Some("provider 'juicyway' cannot deactivate; use `mode: Hard`"),
        ),
        (
            Deed::RemoveTheProvider,
            "ProviderChanged",
            Some("provider 'juicyway' is not available to this namespace; create the OffboardingProvider"),
        ),
    ];
    all(rows.into_iter().map(|(deed, reason, says)| {
        play("window", async move |story| {
            begin(story).await;
            second_look_begins(story).await;
            does(story, deed).await;
            if let Some(says) = says {
                story.says("acme", says).await;
                let attempt = last_attempt(story).await;
                assert_eq!([&attempt["outcome"], &attempt["reason"]], ["NotSent", reason]);
                assert_eq!(story.deletes(Juicyway, ID).await, 0);
                undoes(story, deed).await;
            }
            assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
            let count = last_attempt(story).await["count"].as_i64();
            assert!(count >= Some(2), "{reason}: the first one was never sent");
            assert_eq!(story.deletes(Juicyway, ID).await, 1);
        })
    }))
    .await;
}

async fn does(story: &Story<'_>, deed: Deed) {
    match deed {
        Deed::Suspend => story.edit("acme", json!({"suspend": true})).await,
        Deed::SuspendTheProvider => story.edit_provider(Juicyway, json!({"suspend": true})).await,
        Deed::RotateTheSecret => story.secret("juicyway", "test_new").await,
        Deed::RemoveTheSecret => story.remove("Secret", "juicyway").await,
        Deed::IgnoreACheck => story.edit_provider(Juicyway, json!({"checks": {"wallets": "Ignore"}})).await,
        Deed::AllowMoreAddresses => {
            story.edit_provider(Juicyway, json!({"allowedCIDRs": ["127.0.0.0/8", "10.0.0.0/8"]})).await;
        }
        Deed::AllowAnotherMode => story.edit_provider(Juicyway, json!({"allowedModes": ["Soft"]})).await,
        Deed::RemoveTheProvider => story.remove("OffboardingProvider", "juicyway").await,
    }
}

async fn undoes(story: &Story<'_>, deed: Deed) {
    match deed {
        Deed::Suspend => story.edit("acme", json!({"suspend": false})).await,
        Deed::SuspendTheProvider => story.edit_provider(Juicyway, json!({"suspend": false})).await,
        Deed::RotateTheSecret | Deed::RemoveTheSecret => story.secret("juicyway", "test_ok").await,
        Deed::IgnoreACheck => story.edit_provider(Juicyway, json!({"checks": null})).await,
        Deed::AllowMoreAddresses => {
            story.edit_provider(Juicyway, json!({"allowedCIDRs": ["127.0.0.0/8"]})).await;
        }
        Deed::AllowAnotherMode => story.edit_provider(Juicyway, json!({"allowedModes": ["Hard"]})).await,
        Deed::RemoveTheProvider => story.provider(Juicyway, json!({})).await,
    }
}

#[tokio::test]
async fn a_request_cancelled_between_intent_and_send_sends_nothing_and_goes_on_when_it_is_applied_again() {
    play("window", async |story| {
        begin(story).await;
        second_look_begins(story).await;
        story.edit("acme", json!({"cancel": true})).await;
        let status = story.finished("acme").await;
        assert_eq!((&status["phase"], &status["result"]), (&json!("Cancelled"), &json!("Cancelled")));
        assert_told(&status, &[["Deleted", "False", "NotStarted"], ["Ready", "True", "Cancelled"]]);
        closed_as_cancelled(story).await;
        story.delete("acme").await;
        story.request("acme", Juicyway, ID).await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_request_deleted_between_intent_and_send_sends_nothing_and_closes_its_record() {
    play("window", async |story| {
        begin(story).await;
        second_look_begins(story).await;
        story.delete("acme").await;
        closed_as_cancelled(story).await;
        story.request("acme", Juicyway, ID).await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_request_replaced_between_intent_and_send_is_another_one() {
    play("window", async |story| {
        begin(story).await;
        second_look_begins(story).await;
        story.delete("acme").await;
        story.request("acme", Juicyway, ID).await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        let record = story.record_until("it is closed", |spec| spec["closed"] == true).await;
        assert_eq!(record["history"][0]["result"], "Cancelled");
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_customer_made_again_between_intent_and_send_is_not_touched() {
    play("window", async |story| {
        begin(story).await;
        second_look_begins(story).await;
        story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
        let says = "another customer than the planned one has this id now; it was not touched. To offboard it, delete this request and create another";
        let status = story.says("acme", says).await;
        assert_told(&status, &[["Planned", "False", "PlanChanged"], ["Ready", "False", "Blocked"]]);
        assert_eq!(last_attempt(story).await["reason"], "CustomerChanged");
        story.look_again("acme", Juicyway, ID).await;
        assert_eq!(story.deletes(Juicyway, ID).await, 0);
        story.delete("acme").await;
        story.request("acme", Juicyway, ID).await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_customer_that_somebody_else_deletes_between_intent_and_send_is_not_our_deletion() {
    for_each_wish(&[(false, "Failed"), (true, "AlreadyAbsent")]).await;
}

async fn for_each_wish(rows: &[(bool, &str)]) {
    all(rows.iter().map(|(accept_absent, result)| {
        play("window", async move |story| {
            prepare(story).await;
            story.request_with("acme", Juicyway, ID, json!({"acceptAbsent": accept_absent})).await;
            second_look_begins(story).await;
            story.sandbox.remove(Juicyway, ID).await.unwrap();
            let status = story.finished("acme").await;
            assert_eq!(status["result"], *result);
            let record = story.record_until("it is closed", |spec| spec["closed"] == true).await;
            assert_eq!(record["attempts"][0]["outcome"], "NotSent");
            assert_eq!(story.deletes(Juicyway, ID).await, 0);
        })
    }))
    .await;
}

#[tokio::test]
async fn an_id_changed_in_its_secret_between_intent_and_send_sends_nothing() {
    play("window", async |story| {
        prepare(story).await;
        story.customer_secret("who", ID).await;
        story.sandbox.seed(Juicyway, "cus_stranger", &json!({})).await.unwrap();
        let from =
            json!({"customer": {"id": null, "idFrom": {"secretKeyRef": {"name": "who", "key": "id"}}}});
        story.request_with("acme", Juicyway, ID, from).await;
        second_look_begins(story).await;
        story.customer_secret("who", "cus_stranger").await;
        story
            .record_until("the attempt was not sent", |spec| spec["attempts"][0]["outcome"] == "NotSent")
            .await;
        let says = "the customer id: its Secret names somebody else than when this was begun; put the id back, or cancel and create another request";
        let status = story.says("acme", says).await;
        assert_told(&status, &[["Planned", "False", "PlanChanged"]]);
        assert_eq!(story.deletes(Juicyway, ID).await, 0);
        story.customer_secret("who", ID).await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.received(Juicyway, "GET", "cus_stranger").await, Vec::<Value>::new());
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_id_whose_secret_is_gone_between_intent_and_send_sends_nothing_until_it_is_there_again() {
    play("window", async |story| {
        prepare(story).await;
        story.customer_secret("who", ID).await;
        let from =
            json!({"customer": {"id": null, "idFrom": {"secretKeyRef": {"name": "who", "key": "id"}}}});
        story.request_with("acme", Juicyway, ID, from).await;
        second_look_begins(story).await;
        story.remove("Secret", "who").await;
        assert_eq!(story.not_sent().await, "Unread");
        let says = "the customer id: its Secret is not available; create it with `kubectl create secret generic … --type=offboarding.dev/customer-id`";
        story.says("acme", says).await;
        assert_eq!(story.deletes(Juicyway, ID).await, 0);
        story.customer_secret("who", ID).await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_comes_after_the_send_is_too_late_and_is_told_as_what_happened() {
    let rows = [json!({"suspend": true}), json!({"cancel": true})];
    all(rows.iter().map(|controls| {
        play("late", async move |story| {
            story.sandbox.seed(Revolv3, "90017", &json!({})).await.unwrap();
            story.provider(Revolv3, json!({})).await;
            let slow = json!({"kind": "latency", "ms": 2000, "at": "afterApply"});
            let faults = json!([{"match": {"method": "DELETE"}, "times": 1, "do": slow}]);
            story.sandbox.set_faults(&faults).await.unwrap();
            story.request("acme", Revolv3, "90017").await;
            story.until_applied(Revolv3, "90017").await;
            story.edit("acme", controls.clone()).await;
            let status = story.finished("acme").await;
            assert_eq!((&status["phase"], &status["result"]), (&json!("Completed"), &json!("Deactivated")));
            assert_eq!(story.deletes(Revolv3, "90017").await, 1);
        })
    }))
    .await;
}

/// A request for a customer whose second look takes most of the 4 s that a request may take.
async fn begin(story: &Story<'_>) {
    prepare(story).await;
    story.request("acme", Juicyway, ID).await;
}

async fn prepare(story: &Story<'_>) {
    let keys = json!({"keys": {"test_ok": "sandbox", "test_new": "sandbox"}});
    story.sandbox.configure(Juicyway, &keys).await.unwrap();
    story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
    let looks = json!({"method": "GET", "path": "/customers/*"});
    let slow = json!({"kind": "latency", "ms": 3300, "at": "beforeApply"});
    story.sandbox.set_faults(&json!([{"match": looks, "skip": 1, "times": 1, "do": slow}])).await.unwrap();
    story.provider(Juicyway, json!({})).await;
}

/// The intent is written, and the customer is being looked at again.
async fn second_look_begins(story: &Story<'_>) {
    story.until_looks(Juicyway, ID, 2).await;
}

async fn last_attempt(story: &Story<'_>) -> Value {
    let record = story.record_until("there is an attempt", |spec| spec["attempts"][0].is_object()).await;
    record["attempts"].as_array().unwrap().last().unwrap().clone()
}

/// The record is closed, holds no id any more, and says that nothing was sent.
async fn closed_as_cancelled(story: &Story<'_>) {
    let record = story.record_until("it is closed", |spec| spec["closed"] == true).await;
    assert_eq!((&record["result"], &record["sealedId"]), (&json!("Cancelled"), &Value::Null));
    assert_eq!(record["attempts"].as_array().unwrap().len(), 1);
    let told = [&record["attempts"][0]["outcome"], &record["attempts"][0]["reason"]];
    assert_eq!(told, ["NotSent", "RequestWithdrawn"]);
    assert_eq!(story.deletes(Juicyway, ID).await, 0);
}
