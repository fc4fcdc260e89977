//! Several targets: nothing is begun before all are clear, each in its turn, each told on its own, and none twice.

use harness::{
    LedgerFilter, Options,
    Provider::{self, Juicyway, Revolv3},
};
use http::Method;
use serde_json::{Value, json};

use crate::{
    stage::{Stage, all, play},
    story::{Story, assert_told, condition},
};

/// The same person under the id of each provider.
const HARD: &str = "cus_several";
const SOFT: &str = "90017";

/// A third object at the first provider, with another customer there.
const OTHER: &str = "cus_third";

fn target(name: &str, provider: &str, id: &str, after: &[&str]) -> Value {
    json!({"name": name, "providerRef": {"name": provider}, "customer": {"id": id}, "dependsOn": after})
}

/// What deletes is named first, so that it is not the names that make the order.
fn two(after: &[&str]) -> Value {
    json!([target("a-billing", "juicyway", HARD, after), target("b-crm", "revolv3", SOFT, &[])])
}

async fn seeded(story: &Story<'_>) {
    for (provider, id) in [(Juicyway, HARD), (Juicyway, OTHER), (Revolv3, SOFT)] {
        story.sandbox.seed(provider, id, &json!({})).await.unwrap();
    }
}

async fn providers(story: &Story<'_>, change: Value) {
    story.provider(Juicyway, change.clone()).await;
    story.provider(Revolv3, change.clone()).await;
    story.provider_as("third", Juicyway, change).await;
}

async fn ask(story: &Story<'_>, targets: Value) {
    story.request_with("acme", Juicyway, HARD, json!({ "targets": targets })).await;
}

/// Whom the DELETEs were for, in their order.
async fn deleted(story: &Story<'_>) -> Vec<String> {
    let filter = LedgerFilter { method: Some("DELETE"), ..LedgerFilter::default() };
    let ledger = story.sandbox.ledger(&filter).await.unwrap();
    // Revolv3 takes 20 requests a second, and refuses what comes faster: that one is sent again.
    let taken = ledger.iter().filter(|entry| entry["status"] != 429);
    taken.map(|entry| entry["customer"].as_str().unwrap().to_owned()).collect()
}

fn states(status: &Value) -> Vec<(String, String)> {
    let word = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let targets = status["targets"].as_array().into_iter().flatten();
    targets.map(|target| (word(&target["name"]), word(&target["state"]))).collect()
}

#[tokio::test]
async fn what_deactivates_comes_before_what_deletes_and_what_depends_comes_after() {
    let third = |after: &[&str]| target("c-third", "third", OTHER, after);
    let rows = [
        (two(&[]), vec![SOFT, HARD]),
        (json!([target("a", "revolv3", SOFT, &["b"]), target("b", "juicyway", HARD, &[])]), vec![HARD, SOFT]),
        (
            json!([
                target("a", "juicyway", HARD, &["c-third"]),
                target("b", "revolv3", SOFT, &[]),
                third(&["b"])
            ]),
            vec![SOFT, OTHER, HARD],
        ),
        (
            json!([
                target("a", "juicyway", HARD, &[]),
                target("b", "revolv3", SOFT, &["c-third"]),
                third(&["a"])
            ]),
            vec![HARD, OTHER, SOFT],
        ),
    ];
    all(rows.into_iter().map(|(targets, order)| {
        play("order", async move |story| {
            seeded(story).await;
            providers(story, json!({})).await;
            let count = targets.as_array().unwrap().len();
            ask(story, targets).await;
            let status = story.finished("acme").await;
            assert_eq!(status["result"], "Deactivated", "the weakest of them");
            assert_eq!(status["targetsDone"], format!("{count}/{count}"));
            assert!(states(&status).iter().all(|(_, state)| state == "Done"), "{:#}", status["targets"]);
            assert_eq!(deleted(story).await, order);
        })
    }))
    .await;
}

#[tokio::test]
async fn nothing_is_begun_anywhere_while_one_target_is_blocked_and_then_all_goes_on() {
    play("barrier", async |story| {
        seeded(story).await;
        story.sandbox.change(Juicyway, HARD, &json!({"wallets": [{"balance": 5}]})).await.unwrap();
        providers(story, json!({})).await;
        ask(story, two(&[])).await;
        let status = story.reason("acme", "Unblocked", "BlockersFound").await;
        assert_eq!(status["phase"], "Blocked");
        assert_eq!(states(&status)[0], ("a-billing".to_owned(), "Blocked".to_owned()));
        story.settles("acme", Juicyway, HARD).await;
        assert_eq!(deleted(story).await, [""; 0]);
        story.sandbox.change(Juicyway, HARD, &json!({"wallets": []})).await.unwrap();
        story.retry("acme", "empty").await;
        assert_eq!(story.finished("acme").await["targetsDone"], "2/2");
        assert_eq!(deleted(story).await, [SOFT, HARD]);
    })
    .await;
}

#[tokio::test]
async fn a_target_that_is_blocked_after_another_was_done_goes_on_there_and_the_other_is_not_touched_again() {
    play("midway", async |story| {
        seeded(story).await;
        providers(story, json!({})).await;
        // The one that comes first takes its time, and meanwhile something appears at the other.
        let slow = json!([{"match": {"method": "DELETE"}, "times": 1, "do": {"kind": "latency", "ms": 2000, "at": "afterApply"}}]);
        story.sandbox.set_faults(&slow).await.unwrap();
        ask(story, two(&[])).await;
        story.until_applied(Revolv3, SOFT).await;
        story.edit_provider(Juicyway, json!({"suspend": true})).await;
        let says = "a-billing: `spec.suspend` of provider 'juicyway' to be false; no request will be sent before";
        let status = story.until("acme", "the first is done", |status| status["targetsDone"] == "1/2").await;
        assert_told(&status, &[["Deleted", "False", "PartiallyDone"]]);
        story.says("acme", says).await;
        story.sandbox.change(Juicyway, HARD, &json!({"wallets": [{"balance": 5}]})).await.unwrap();
        story.edit_provider(Juicyway, json!({"suspend": false})).await;
        let status = story.reason("acme", "Unblocked", "BlockersFound").await;
        assert_eq!(status["targetsDone"], "1/2");
        let looks = story.looks(Revolv3, SOFT).await;
        story.settles("acme", Juicyway, HARD).await;
        story.sandbox.change(Juicyway, HARD, &json!({"wallets": []})).await.unwrap();
        story.retry("acme", "empty").await;
        assert_eq!(story.finished("acme").await["result"], "Deactivated");
        assert_eq!(deleted(story).await, [SOFT, HARD]);
        assert_eq!(story.looks(Revolv3, SOFT).await, looks, "what is done is not even looked at");
    })
    .await;
}

#[tokio::test]
async fn a_target_that_fails_is_told_and_the_others_are_done() {
    play("partly", async |story| {
        seeded(story).await;
        providers(story, json!({})).await;
        let noop =
            json!([{"match": {"method": "DELETE", "customer": HARD}, "times": 0, "do": {"kind": "noop"}}]);
        story.sandbox.set_faults(&noop).await.unwrap();
        ask(story, two(&[])).await;
        let status = story.finished("acme").await;
        assert_eq!(status["result"], "PartiallyDone");
        let told = [("a-billing", "Failed"), ("b-crm", "Done")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(states(&status), told);
        assert_eq!(status["targetsDone"], "1/2");
        assert!(status["waitingFor"].as_str().unwrap().starts_with("done at some targets only; status.targets says where. a-billing: the provider accepted the deletion but"), "{status:#}");
        assert_told(&status, &[["Stalled", "True", "StillPresent"], ["Deleted", "False", "PartiallyDone"]]);
        assert_eq!(deleted(story).await, [SOFT, HARD]);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_begun_where_one_customer_is_not_found_and_nothing_after_what_must_come_first_and_failed()
{
    play("notthere", async |story| {
        seeded(story).await;
        story.sandbox.remove(Juicyway, HARD).await.unwrap();
        providers(story, json!({})).await;
        ask(story, two(&[])).await;
        let status = story.finished("acme").await;
        assert_eq!(status["result"], "Failed");
        assert_told(&status, &[["Stalled", "True", "CustomerNotFound"]]);
        assert_eq!(deleted(story).await, [""; 0]);
    })
    .await;
    play("first", async |story| {
        seeded(story).await;
        providers(story, json!({})).await;
        let noop =
            json!([{"match": {"method": "DELETE", "customer": HARD}, "times": 0, "do": {"kind": "noop"}}]);
        story.sandbox.set_faults(&noop).await.unwrap();
        ask(story, json!([target("a", "juicyway", HARD, &[]), target("b", "revolv3", SOFT, &["a"])])).await;
        let status = story.finished("acme").await;
        assert_eq!(status["result"], "Failed");
        assert_eq!(condition(&status, "Stalled")["reason"], "StillPresent");
        assert_eq!(deleted(story).await, [HARD]);
    })
    .await;
}

#[tokio::test]
async fn what_can_never_be_carried_out_is_told_at_once() {
    let twice = json!([target("a", "juicyway", HARD, &[]), target("b", "twin", HARD, &[])]);
    let circle = json!([target("a", "juicyway", HARD, &["b"]), target("b", "revolv3", SOFT, &["a"])]);
    let of_itself = json!([target("a", "juicyway", HARD, &["a"]), target("b", "revolv3", SOFT, &[])]);
    let nobody = json!([target("a", "juicyway", HARD, &["x"]), target("b", "revolv3", SOFT, &[])]);
    let same = "two targets are the same customer";
    let graph = "must name other targets of this request, and nothing may wait for itself";
    let rows = [
        (twice, "InvalidSpec", same),
        (circle, "InvalidGraph", graph),
        (of_itself, "InvalidGraph", graph),
        (nobody, "InvalidGraph", graph),
    ];
    all(rows.into_iter().map(|(targets, reason, words)| {
        play("never", async move |story| {
            seeded(story).await;
            providers(story, json!({})).await;
            let account = format!("{}-juicyway", story.namespace.name());
            story.provider_as("twin", Juicyway, json!({ "account": account })).await;
            let spec = json!({"customer": {"id": HARD}, "targets": targets});
            let object = json!({
                "apiVersion": "offboarding.dev/v1alpha1", "kind": "CustomerOffboarding",
                "metadata": {"name": "acme"}, "spec": spec,
            });
            let path = story.plural("customeroffboardings");
            match story.ask_as("admin", Method::POST, &path, &object).await {
                Ok(_) => {
                    let status = story.finished("acme").await;
                    assert_told(&status, &[["Stalled", "True", reason]]);
                    assert!(status["waitingFor"].as_str().unwrap().contains(words), "{status:#}");
                }
                Err(refused) => assert!(refused.contains("dependsOn"), "{refused}"),
            }
            assert_eq!(deleted(story).await, [""; 0]);
        })
    }))
    .await;
}

#[tokio::test]
async fn the_strictest_provider_says_how_many_must_agree() {
    play("strictest", async |story| {
        story.cast().await;
        seeded(story).await;
        story.provider(Juicyway, json!({"approvals": {"required": 1}})).await;
        story.provider(Revolv3, json!({"approvals": {"required": 2}})).await;
        story.request_as("alice", "acme", Juicyway, HARD, json!({ "targets": two(&[]) })).await;
        story.agree("bob", "acme").await;
        let status = story
            .until("acme", "1 of 2", |status| {
                status["waitingFor"].as_str().unwrap_or("").starts_with("1 of 2 approvals")
            })
            .await;
        assert_eq!(status["plan"]["requiredApprovals"], 2);
        assert_eq!(status["plan"]["targets"].as_array().unwrap().len(), 2);
        assert_eq!(deleted(story).await, [""; 0]);
        story.agree("carol", "acme").await;
        assert_eq!(story.finished("acme").await["targetsDone"], "2/2");
        assert_eq!(deleted(story).await, [SOFT, HARD]);
    })
    .await;
}

/// What stands in the way of one target is passed over by its name, and of that one only.
#[tokio::test]
async fn a_waiver_is_for_one_target() {
    play("waived", async |story| {
        story.cast().await;
        seeded(story).await;
        for id in [HARD, OTHER] {
            story.sandbox.change(Juicyway, id, &json!({"wallets": [{"balance": 5}]})).await.unwrap();
        }
        providers(story, json!({})).await;
        let targets = json!([target("a", "juicyway", HARD, &[]), target("b", "third", OTHER, &[])]);
        story.request_as("alice", "acme", Juicyway, HARD, json!({ "targets": targets })).await;
        story.reason("acme", "Unblocked", "BlockersFound").await;
        story.agree_with("carol", "acme", json!({"grants": ["Waive:a/wallets"]})).await;
        story.settles("acme", Juicyway, OTHER).await;
        story.reason("acme", "Unblocked", "BlockersFound").await;
        assert_eq!(deleted(story).await, [""; 0]);
        story.agree_with("carol", "acme", json!({"grants": ["Waive:b/wallets"]})).await;
        assert_eq!(story.finished("acme").await["targetsDone"], "2/2");
        assert_eq!(deleted(story).await, [HARD, OTHER]);
    })
    .await;
}

/// Killed while the first of two is in flight, and again while the second one is: each is sent once, under the same approvals.
#[tokio::test]
async fn an_operator_killed_between_two_targets_finishes_both_and_sends_none_twice() {
    let stage = Stage::start(Options::default()).await.unwrap();
    stage
        .play("killed", async |story| {
            story.cast().await;
            seeded(story).await;
            story.provider(Juicyway, json!({"approvals": {"required": 1}})).await;
            story.provider(Revolv3, json!({"approvals": {"required": 1}})).await;
            let slow = json!([{"match": {"method": "DELETE"}, "times": 2, "do": {"kind": "latency", "ms": 3000, "at": "afterApply"}}]);
            story.sandbox.set_faults(&slow).await.unwrap();
            story.request_as("alice", "acme", Juicyway, HARD, json!({ "targets": two(&[]) })).await;
            story.agree("bob", "acme").await;
            let agreed = story.status("acme").await["plan"]["hash"].clone();
            for (provider, id) in [(Revolv3, SOFT), (Juicyway, HARD)] as [(Provider, &str); 2] {
                story.until_applied(provider, id).await;
                stage.kill_operator().await;
                stage.restart_operator().await.unwrap();
            }
            let status = story.finished("acme").await;
            assert_eq!(status["targetsDone"], "2/2");
            assert_eq!(deleted(story).await, [SOFT, HARD]);
            for record in story.records().await {
                let attempt = &record["spec"]["attempts"][0];
                assert_eq!(attempt["approvals"][0]["approver"], "bob");
                assert_eq!(attempt["planHash"], agreed, "the second one was sent under the plan that was agreed to");
            }
        })
        .await;
}
