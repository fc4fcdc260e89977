//! The operator is asked to end in the middle of a deletion: it begins nothing more, and nothing keeps it for ever.

use std::time::{Duration, Instant};

use harness::{Options, Provider::Juicyway, eventually};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams},
};
use offboarding::{api::OffboardingRecord, evidence::Keys};
use serde_json::{Value, json};

use crate::{
    races::write_intent_with,
    stage::{SOON, Stage},
    story::Story,
};

const ID: &str = "cus_ending";

/// Longer than it waits for passes, and for sends.
const ENDED: Duration = Duration::from_secs(40);

/// The key is looked at each minute; then the request is worked on.
const KEY_LOOKED_AT: Duration = Duration::from_secs(110);

fn records(client: kube::Client) -> Api<OffboardingRecord> {
    Api::namespaced(client, "customer-offboarding")
}

/// Asks it to end, and tells how long that took, and what it wrote.
async fn ended(stage: &Stage) -> (Duration, String) {
    let mut operator = stage.operator.lock().await;
    let asked = Instant::now();
    operator.terminate().unwrap();
    let status = operator.wait(ENDED).await.unwrap();
    assert!(status.success(), "{status}");
    (asked.elapsed(), operator.log())
}

#[tokio::test]
async fn a_deletion_that_waits_for_its_turn_when_the_operator_is_asked_to_end_writes_no_intent() {
    let stage = Stage::start(Options::default()).await.unwrap();
    stage
        .play("turn", async |story| {
            story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
            // Control, look and check take all that there is; a deletion waits for two more.
            let slowly =
                json!({"limits": {"default": {"requestsPerMinute": 10, "burst": 3, "maxInFlight": 8}}});
            story.provider(Juicyway, json!({"customProfile": slowly})).await;
            story.provider_reason(Juicyway, "Ready", "ProbeSucceeded").await;
            story.request("acme", Juicyway, ID).await;
            story.until_looks(Juicyway, ID, 1).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            let (took, log) = ended(&stage).await;
            assert!(took > Duration::from_secs(1), "nothing had to be waited for: {took:?}\n{log}");
            assert_eq!(story.records().await, Vec::<Value>::new(), "{log}");
            assert_eq!(story.deletes(Juicyway, ID).await, 0);
        })
        .await;
}

#[tokio::test]
async fn a_record_that_is_removed_while_its_deletion_is_under_way_does_not_keep_the_operator_for_ever() {
    let stage = Stage::start(Options::default()).await.unwrap();
    stage
        .play("removed", async |story| {
            story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
            let slow = json!({"kind": "latency", "ms": 2500, "at": "afterApply"});
            let faults = json!([{"match": {"method": "DELETE"}, "times": 1, "do": slow}]);
            story.sandbox.set_faults(&faults).await.unwrap();
            story.provider(Juicyway, json!({})).await;
            story.request("acme", Juicyway, ID).await;
            story.until_applied(Juicyway, ID).await;
            let record = story.records().await.pop().unwrap();
            let name = record["metadata"]["name"].as_str().unwrap();
            records(story.break_glass().await).delete(name, &DeleteParams::default()).await.unwrap();
            let says = |line: &str| line.contains("the record was removed while a deletion was under way");
            stage.operator.lock().await.wait_for_line(says, SOON).await.unwrap();
            let (_, log) = ended(&stage).await;
            assert!(log.contains("drained=true"), "{log}");
            assert_eq!(story.deletes(Juicyway, ID).await, 1);
        })
        .await;
}

/// As where records are brought back from the backup of another installation.
#[tokio::test]
async fn a_record_of_another_key_that_comes_later_stops_everything_until_it_is_gone() {
    let stage = Stage::start(Options::default()).await.unwrap();
    stage
        .play("keys", async |story| {
            story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
            story.provider(Juicyway, json!({})).await;
            story.provider_reason(Juicyway, "Ready", "ProbeSucceeded").await;
            story.request_with("acme", Juicyway, "cus_restored", json!({"suspend": true})).await;
            story.reason("acme", "Waiting", "Suspended").await;
            write_intent_with(story, &Keys::new(&[9; 32]).unwrap(), "cus_restored").await;
            let says = |line: &str| line.contains("was made with another key than the Secret");
            stage.operator.lock().await.wait_for_line(says, SOON).await.unwrap();
            story.request("other", Juicyway, ID).await;
            story.reason("other", "Stalled", "InstallationKeyLost").await;
            assert_eq!(story.deletes(Juicyway, ID).await, 0);
            // Closed, it is in no watch; and whoever begins anew has never seen it.
            close(story).await;
            stage.restart_operator().await.unwrap();
            stage.operator.lock().await.wait_for_line(says, SOON).await.unwrap();
            story.reason("other", "Stalled", "InstallationKeyLost").await;
            assert_eq!(story.deletes(Juicyway, ID).await, 0);
            gone(story).await;
            let goes_on = async || match story.status("other").await {
                status if status["finished"] == true => Ok(status),
                status => Err(status),
            };
            let status = eventually(KEY_LOOKED_AT, "it goes on", goes_on).await;
            assert_eq!(status["result"], "ErasedWithRetention");
            assert_eq!(story.deletes(Juicyway, ID).await, 1);
        })
        .await;
}

async fn close(story: &Story<'_>) {
    let records = records(story.break_glass().await);
    for record in records.list(&Default::default()).await.unwrap() {
        let closed = Patch::Merge(json!({"spec": {"closed": true}}));
        records.patch(&record.name_any(), &PatchParams::default(), &closed).await.unwrap();
    }
}

async fn gone(story: &Story<'_>) {
    let records = records(story.break_glass().await);
    for record in records.list(&Default::default()).await.unwrap() {
        records.delete(&record.name_any(), &DeleteParams::default()).await.unwrap();
    }
}
