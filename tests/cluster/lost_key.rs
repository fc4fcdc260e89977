//! The installation key is lost at the last moment: a record of another key turns up while a deletion is under way. Whoever made
//! it works by other locks, so nothing leaves.

use harness::{Options, Provider::Juicyway};
use offboarding::evidence::Keys;
use serde_json::{Value, json};

use crate::{races::write_intent_with, stage::Stage, story::Story};

const ID: &str = "cus_last_moment";

/// A suspended request, of whom a record will be brought back from the backup of another installation.
async fn prepare(story: &Story<'_>, provider: Value) {
    story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
    story.provider(Juicyway, provider).await;
    story.provider_reason(Juicyway, "Ready", "ProbeSucceeded").await;
    story.request_with("acme", Juicyway, "cus_restored", json!({"suspend": true})).await;
    story.reason("acme", "Waiting", "Suspended").await;
}

async fn bring_back_a_record_of_another_key(story: &Story<'_>) {
    write_intent_with(story, &Keys::new(&[9; 32]).unwrap(), "cus_restored").await;
}

/// The attempts of the request whose deletion is under way, of each record that it has.
async fn attempts(story: &Story<'_>) -> Vec<Value> {
    let records = story.records().await;
    let ours = records.iter().filter(|record| record["spec"]["request"]["name"] == "other");
    ours.map(|record| record["spec"]["attempts"].clone()).collect()
}

#[tokio::test]
async fn a_key_that_is_lost_while_a_deletion_waits_for_its_turn_lets_it_write_no_intent() {
    let stage = Stage::start(Options::default()).await.unwrap();
    stage
        .play("turn", async |story| {
            let slowly = json!({"limits": {"requestsPerMinute": 6, "burst": 3, "maxInFlight": 8}});
            prepare(story, slowly).await;
            story.request("other", Juicyway, ID).await;
            // The look and the check leave one request at most; the deletion needs two, and waits for ten seconds or more.
            story.until_received(Juicyway, "GET", ID, 2).await;
            bring_back_a_record_of_another_key(story).await;
            story.reason("other", "Stalled", "InstallationKeyLost").await;
            assert_eq!(attempts(story).await, Vec::<Value>::new());
            assert_eq!(story.received(Juicyway, "GET", ID).await.len(), 2, "it waited until then");
            assert_eq!(story.deletes(Juicyway, ID).await, 0);
        })
        .await;
}

#[tokio::test]
async fn a_key_that_is_lost_between_intent_and_send_sends_nothing() {
    let stage = Stage::start(Options::default()).await.unwrap();
    stage
        .play("window", async |story| {
            prepare(story, json!({})).await;
            let second_look = json!({"method": "GET", "path": "/customers/*"});
            let slow = json!({"kind": "latency", "ms": 3300, "at": "beforeApply"});
            let faults = json!([{"match": second_look, "skip": 1, "times": 1, "do": slow}]);
            story.sandbox.set_faults(&faults).await.unwrap();
            story.request("other", Juicyway, ID).await;
            story.until_looks(Juicyway, ID, 2).await;
            bring_back_a_record_of_another_key(story).await;
            let told = story
                .wait("what became of the attempt is written down", || async {
                    let attempts = attempts(story).await;
                    match attempts.as_slice() {
                        [only] if only[0]["outcome"].is_string() => Ok(only[0].clone()),
                        _ => Err(attempts),
                    }
                })
                .await;
            assert_eq!([&told["outcome"], &told["reason"]], ["NotSent", "Unread"]);
            story.reason("other", "Stalled", "InstallationKeyLost").await;
            assert_eq!(story.deletes(Juicyway, ID).await, 0);
        })
        .await;
}
