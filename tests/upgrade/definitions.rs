//! Why the CRDs stay where they are when the operator goes back.

use harness::{Options, Provider::Juicyway};
use serde_json::json;

use crate::{root, stage::Stage};

const ID: &str = "cus_defined";

/// What a definition does not know is taken out of what is read, also where it is stored.
#[tokio::test]
#[ignore = "make upgrade: tells why a page says what it says"]
async fn a_definition_of_before_takes_words_out_of_records_and_that_is_noticed() {
    let stage = Stage::start(Options::default()).await.unwrap();
    let story = stage.story("definitions").await;
    story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
    story.provider(Juicyway, json!({})).await;
    story.request("acme", Juicyway, ID).await;
    story.finished("acme").await;

    let word = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/closedBecause";
    let before = json!([{"op": "remove", "path": word}]).to_string();
    let patch = ["patch", "crd", "offboardingrecords.offboarding.dev", "--type=json", "-p", &before];
    stage.plane.kubectl("admin").args(patch).succeed().await.unwrap();
    story.record_until("it has lost a word", |spec| spec["closedBecause"].is_null()).await;
    story.request("again", Juicyway, ID).await;
    story.reason("again", "Stalled", "RecordCorrupted").await;

    // It is stored as it was: with the definition back, the word is there again.
    let apply = ["apply", "--server-side", "--force-conflicts", "-f"];
    stage.plane.kubectl("admin").args(apply).arg(root().join("crds")).succeed().await.unwrap();
    story.record_until("the word is back", |spec| spec["closedBecause"].is_string()).await;
    story.retry("again", "the definition is back").await;
    assert_eq!(story.finished("again").await["result"], "AlreadyAbsent");
    assert_eq!(story.deletes(Juicyway, ID).await, 1);
    story.judged().await;
}
