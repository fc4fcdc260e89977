//! How long an approval lives: until the provider refused what it was for, for one object, and for several requests at once.

use harness::Provider::Juicyway;
use serde_json::{Value, json};

use crate::{
    stage::play,
    story::{Story, assert_told},
};

const ID: &str = "cus_again";

async fn begin(story: &Story<'_>, provider: Value) {
    story.cast().await;
    story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
    story.provider(Juicyway, provider).await;
}

async fn refuse_once(story: &Story<'_>, status: u16) {
    let refused = json!({"kind": "status", "status": status});
    let faults = json!([{"match": {"method": "DELETE"}, "times": 1, "do": refused}]);
    story.sandbox.set_faults(&faults).await.unwrap();
}

#[tokio::test]
async fn an_approval_is_spent_on_a_conflict_and_a_new_one_is_needed() {
    play("spent", async |story| {
        begin(story, json!({"approvals": {"required": 1}})).await;
        refuse_once(story, 409).await;
        story.request_as("alice", "acme", Juicyway, ID, json!({})).await;
        story.agree("bob", "acme").await;
        let needed = "0 of 1 approvals; the provider refused the deletion that an approval was for; a new one is needed";
        // That people are needed again is told while the pause runs, and when it is over.
        let refused = "provider 'juicyway' reports a conflict (409); clear the cause there, the next try is at <time>";
        let status = story.says("acme", &format!("{refused}, and takes a new decision: {needed}")).await;
        assert_told(&status, &[["Unblocked", "False", "ProviderConflict"], ["Approved", "False", "Spent"]]);
        story.says("acme", needed).await;
        story.settles("acme", Juicyway, ID).await;
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
        // By the same person: it is the decision that is new.
        story.agree("bob", "acme").await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, ID).await, 2);
    })
    .await;
}

#[tokio::test]
async fn an_approval_outlives_a_refused_credential() {
    play("unspent", async |story| {
        begin(story, json!({"approvals": {"required": 1}})).await;
        let keys = json!({"keys": {"test_ok": "sandbox", "test_new": "sandbox"}});
        story.sandbox.configure(Juicyway, &keys).await.unwrap();
        let refused = json!({"kind": "unauthorized", "on": "steps"});
        let faults = json!([{"match": {"method": "DELETE"}, "times": 1, "do": refused}]);
        story.sandbox.set_faults(&faults).await.unwrap();
        story.request_as("alice", "acme", Juicyway, ID, json!({})).await;
        story.agree("bob", "acme").await;
        story.until_received(Juicyway, "DELETE", ID, 1).await;
        story.reason("acme", "Deleted", "Rejected").await;
        story.secret("juicyway", "test_new").await;
        let status = story.finished("acme").await;
        assert_eq!(status["result"], "ErasedWithRetention");
        assert_told(&status, &[["Approved", "True", "QuorumReached"]]);
        assert_eq!(story.deletes(Juicyway, ID).await, 2);
    })
    .await;
}

#[tokio::test]
async fn who_was_offboarded_before_is_a_decision_for_a_person_whatever_the_provider_demands() {
    play("returned", async |story| {
        begin(story, json!({"approvals": {"required": 0}})).await;
        story.request_as("alice", "first", Juicyway, ID, json!({})).await;
        story.finished("first").await;
        story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
        story.request_as("alice", "acme", Juicyway, ID, json!({})).await;
        let status = story.reason("acme", "Unblocked", "Resurrected").await;
        assert_eq!(status["plan"]["requiredApprovals"], 1);
        assert_told(&status, &[["Approved", "False", "AwaitingApproval"], ["Ready", "False", "Blocked"]]);
        story.settles("acme", Juicyway, ID).await;
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
        story.agree("carol", "acme").await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, ID).await, 2);
    })
    .await;
}

#[tokio::test]
async fn one_approval_of_three_plans_binds_each_on_its_own() {
    play("three", async |story| {
        begin(story, json!({"approvals": {"required": 1}})).await;
        let names = ["one", "two", "three"];
        let mut items = Vec::new();
        for name in names {
            story.sandbox.seed(Juicyway, &format!("cus_{name}"), &json!({})).await.unwrap();
            story.request_as("alice", name, Juicyway, &format!("cus_{name}"), json!({})).await;
            items.push(story.approval_of("bob", name, json!({})).await["spec"]["for"][0].clone());
        }
        // The third is agreed to with a plan that it does not have.
        items[2]["planHash"] = items[1]["planHash"].clone();
        story.agree_with("bob", "one", json!({ "for": items })).await;
        for name in &names[..2] {
            assert_eq!(story.finished(name).await["result"], "ErasedWithRetention");
        }
        story.reason("three", "Approved", "PlanChanged").await;
        assert_eq!(story.deletes(Juicyway, "cus_three").await, 0);
    })
    .await;
}

/// Row 32.
#[tokio::test]
async fn an_approval_is_not_for_the_next_object_of_that_name() {
    play("replaced", async |story| {
        begin(story, json!({"approvals": {"required": 1}})).await;
        story.request_as("alice", "acme", Juicyway, ID, json!({})).await;
        let approval = story.approval_of("bob", "acme", json!({})).await;
        story.delete("acme").await;
        story.request_as("alice", "acme", Juicyway, ID, json!({})).await;
        story.say("bob", &approval).await.unwrap();
        story.reason("acme", "Approved", "AwaitingApproval").await;
        story.settles("acme", Juicyway, ID).await;
        assert_eq!(story.deletes(Juicyway, ID).await, 0);
    })
    .await;
}
