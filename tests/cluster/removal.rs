//! `ttlAfterFinished`: a request that did everything is removed when its time has come. Nothing else goes with it.

use harness::{
    LedgerFilter, Options,
    Provider::{Juicyway, Revolv3},
};
use serde_json::{Value, json};

use crate::{
    long_ago::LONG_AGO,
    stage::{Stage, play},
    story::Story,
};

impl Story<'_> {
    async fn ledger(&self) -> Vec<Value> {
        self.sandbox.ledger(&LedgerFilter::default()).await.unwrap()
    }
}

/// `more` of a spec, with a time that is over once it was finished long ago.
fn an_hour(more: Value) -> Value {
    let mut spec = json!({"ttlAfterFinished": "1h"});
    crate::story::merge(&mut spec, more);
    spec
}

#[tokio::test]
async fn only_what_is_done_is_removed_and_its_record_and_its_customer_stay_as_they_are() {
    play("removal", async |story| {
        for id in ["cus_done", "cus_kept", "cus_cancelled"] {
            story.sandbox.seed(Juicyway, id, &json!({})).await.unwrap();
        }
        story.provider(Juicyway, json!({})).await;
        story.request_with("cancelled", Juicyway, "cus_cancelled", an_hour(json!({"suspend": true}))).await;
        story.request_with("failed", Juicyway, "cus_nobody", an_hour(json!({}))).await;
        story.request("kept", Juicyway, "cus_kept").await;
        story.request_with("done", Juicyway, "cus_done", an_hour(json!({}))).await;
        story.reason("cancelled", "Waiting", "Suspended").await;
        story.edit("cancelled", json!({"cancel": true})).await;
        for (name, result) in [
            ("cancelled", "Cancelled"),
            ("failed", "Failed"),
            ("kept", "ErasedWithRetention"),
            ("done", "ErasedWithRetention"),
        ] {
            assert_eq!(story.finished(name).await["result"], result, "{name}");
        }
        let (records, ledger) = (story.records().await, story.ledger().await);
        // In this order: whoever is to be removed is removed after the others were seen.
        for name in ["cancelled", "failed", "kept", "done"] {
            story.finished_long_ago(name).await;
        }
        story.until_gone("done").await;
        for name in ["cancelled", "failed", "kept"] {
            assert_eq!(story.status(name).await["finishedAt"], LONG_AGO, "{name} stays");
        }
        assert_eq!(story.records().await, records, "no record is touched");
        assert_eq!(story.ledger().await, ledger, "no provider hears of it");

        // As a tool does that keeps the manifest in Git.
        story.request_with("done", Juicyway, "cus_done", an_hour(json!({}))).await;
        assert_eq!(story.finished("done").await["result"], "AlreadyAbsent");
        assert_eq!(story.deletes(Juicyway, "cus_done").await, 1);
        // Said afterwards, it counts as well.
        story.edit("kept", json!({"ttlAfterFinished": "1m"})).await;
        story.until_gone("kept").await;
        assert_eq!(story.deletes(Juicyway, "cus_kept").await, 1);
        assert_eq!(story.deletes(Juicyway, "cus_cancelled").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_request_whose_time_comes_while_nobody_leads_is_removed_by_the_next_leader() {
    let stage = Stage::start(Options::default()).await.unwrap();
    stage
        .play("next", async |story| {
            story.sandbox.seed(Revolv3, "90017", &json!({})).await.unwrap();
            story.provider(Revolv3, json!({})).await;
            story.request_with("acme", Revolv3, "90017", an_hour(json!({}))).await;
            assert_eq!(story.finished("acme").await["result"], "Deactivated");
            let records = story.records().await;
            stage.kill_operator().await;
            story.finished_long_ago("acme").await;
            stage.restart_operator().await.unwrap();
            story.until_gone("acme").await;
            assert_eq!(story.records().await, records);
            assert_eq!(story.deletes(Revolv3, "90017").await, 1);
        })
        .await;
}
