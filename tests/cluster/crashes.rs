//! The window between the deletion and its answer: the operator dies, the answer is lost, the request is removed.

use std::time::Duration;

use futures::future::join_all;
use harness::{
    ApiFault, ApiMatch, ApiProxy, ApiStrike, Options,
    Provider::{self, Juicyway, Revolv3},
};
use serde_json::{Value, json};

use crate::{
    stage::{Stage, all, play, ready, says},
    story::{Story, assert_told},
};

/// What the provider shows after the deletion, how the request ends, and how often a DELETE may have been sent by then.
struct Row {
    provider: Provider,
    id: &'static str,
    settings: Value,
    result: &'static str,
    deletes: usize,
}

/// A second DELETE is sent only where the customer is shown as before, and then it is answered 404: applied stays 1.
fn rows() -> [Row; 3] {
    let shown = |after: &str| json!({"afterDelete": after});
    let row = |provider, id, settings, result, deletes| Row { provider, id, settings, result, deletes };
    [
        row(Juicyway, "cus_crash", json!({}), "ErasedWithRetention", 1),
        row(Revolv3, "90017", shown("NotFound"), "Deactivated", 1),
        row(Revolv3, "90018", shown("Unchanged"), "Unverified", 2),
    ]
}

#[tokio::test]
async fn an_operator_killed_before_the_answer_looks_first_and_never_deletes_twice() {
    let stage = Stage::start(Options::default()).await.unwrap();
    let rows = rows();
    let killed = join_all(rows.iter().map(|row| prepared(&stage, row, delete_in_flight()))).await;
    // Its request is removed while no operator runs.
    let orphan = prepared(&stage, &rows[0], delete_in_flight()).await;
    // Its deletion was not sent yet: the customer is being looked at for the second time.
    let unsent = prepared(&stage, &rows[0], second_look_in_flight()).await;

    let sent = killed.iter().zip(&rows).chain([(&orphan, &rows[0])]);
    let all_sent = join_all(sent.map(|(story, row)| async {
        story.request("acme", row.provider, row.id).await;
        story.until_applied(row.provider, row.id).await;
    }));
    let looked = async {
        unsent.request("acme", rows[0].provider, rows[0].id).await;
        unsent.until_looks(rows[0].provider, rows[0].id, 2).await;
    };
    tokio::join!(all_sent, looked);
    stage.kill_operator().await;
    for story in killed.iter().chain([&orphan, &unsent]) {
        let record = story.record_until("the intent stands", |_| true).await;
        assert_eq!(record["attempts"][0]["outcome"], Value::Null);
    }
    assert_eq!(unsent.deletes(rows[0].provider, rows[0].id).await, 0);
    orphan.delete("acme").await;
    stage.restart_operator().await.unwrap();

    for (story, row) in killed.iter().zip(&rows).chain([(&unsent, &rows[0])]) {
        ends(story, row).await;
        story.judged().await;
    }
    finished_from_the_record(&orphan, rows[0].result).await;
    assert_eq!(orphan.deletes(rows[0].provider, rows[0].id).await, 1);
    orphan.judged().await;
}

/// The operator is killed meanwhile: less than its own deadline of 4 s, and enough for all stories to get there.
fn delete_in_flight() -> Value {
    let slow = json!({"kind": "latency", "ms": 3600, "at": "afterApply"});
    json!([{"match": {"method": "DELETE"}, "times": 1, "do": slow}])
}

fn second_look_in_flight() -> Value {
    let looks = json!({"method": "GET", "path": "/customers/*"});
    let slow = json!({"kind": "latency", "ms": 3600, "at": "beforeApply"});
    json!([{"match": looks, "skip": 1, "times": 1, "do": slow}])
}

#[tokio::test]
async fn an_operator_asked_to_end_waits_for_the_answer_and_writes_it_down() {
    let stage = Stage::start(Options::default()).await.unwrap();
    let row = &rows()[0];
    stage
        .play("ended", async |story| {
            begin(story, row, json!({"kind": "latency", "ms": 2000, "at": "afterApply"})).await;
            story.until_applied(row.provider, row.id).await;
            let mut operator = stage.operator.lock().await;
            operator.terminate().unwrap();
            let status = operator.wait(Duration::from_secs(20)).await.unwrap();
            assert!(status.success(), "{status}");
            drop(operator);
            let record =
                story.record_until("the outcome stands", |spec| spec["attempts"][0]["outcome"] == "Accepted");
            record.await;
            stage.restart_operator().await.unwrap();
            ends(story, row).await;
        })
        .await;
}

#[tokio::test]
async fn a_lost_answer_is_looked_for_and_never_deleted_twice() {
    all(rows().iter().map(|row| {
        play("lost", async move |story| {
            begin(story, row, json!({"kind": "cut", "at": "afterApply"})).await;
            let act = if row.provider == Revolv3 { "deactivation" } else { "deletion" };
            let says = format!(
                "the outcome: the {act} may have been done or not; nothing is sent again before the customer is looked at after <time>"
            );
            let status = story.says("acme", &says).await;
            assert_told(&status, &[["Deleted", "Unknown", "OutcomeUnknown"], ["Waiting", "True", "Settling"]]);
            ends(story, row).await;
        })
    }))
    .await;
}

#[tokio::test]
async fn a_request_deleted_while_its_deletion_is_in_flight_is_finished_from_the_record() {
    let rows = rows();
    let in_flight = json!({"kind": "latency", "ms": 2000, "at": "afterApply"});
    let lost = json!({"kind": "cut", "at": "afterApply"});
    let undone = json!({"kind": "cut", "at": "beforeApply"});
    let table = [
        (&rows[0], &in_flight, "ErasedWithRetention", true),
        (&rows[1], &in_flight, "Deactivated", true),
        (&rows[2], &in_flight, "Unverified", true),
        (&rows[0], &lost, "ErasedWithRetention", true),
        // The customer is still there, and nobody wants it deleted any more.
        (&rows[0], &undone, "Cancelled", false),
    ];
    all(table.into_iter().map(|(row, fault, result, gone)| {
        play("deleted", async move |story| {
            begin(story, row, fault.clone()).await;
            story.until_received(row.provider, "DELETE", row.id, 1).await;
            story.delete("acme").await;
            finished_from_the_record(story, result).await;
            assert_eq!(story.deletes(row.provider, row.id).await, 1);
            let truth = story.sandbox.truth(row.provider, row.id).await.unwrap();
            assert_eq!(truth["active"] == false || truth["exists"] == false, gone, "{truth}");
        })
    }))
    .await;
}

/// The name of a record is made of the account, which the provider object says, and of the id. Who leads next sees no record, and is
/// told another account or id, or none.
#[tokio::test]
async fn a_record_that_its_name_does_not_lead_to_any_more_is_found_by_its_request() {
    let stage = Stage::start(Options::default()).await.unwrap();
    let proxy = ApiProxy::start(&stage.plane).await.unwrap();
    let launch = stage.launch.clone().env("KUBECONFIG", proxy.kubeconfig());
    let mut next = ready(&launch, stage.scratch.path()).await.unwrap();
    proxy.hold_back("offboardingrecords");
    let row = &rows()[0];
    let removed = prepared(&stage, row, delete_in_flight()).await;
    let replaced = prepared(&stage, row, delete_in_flight()).await;
    replaced.sandbox.seed(row.provider, "cus_stranger", &json!({})).await.unwrap();
    replaced.customer_secret("who", row.id).await;
    let from = json!({"customer": {"id": null, "idFrom": {"secretKeyRef": {"name": "who", "key": "id"}}}});
    removed.request("acme", row.provider, row.id).await;
    replaced.request_with("acme", row.provider, row.id, from).await;
    join_all([&removed, &replaced].map(|story| story.until_applied(row.provider, row.id))).await;
    stage.kill_operator().await;
    for story in [&removed, &replaced] {
        assert_eq!(story.status("acme").await["targets"][0]["record"], Value::Null);
    }
    removed.remove("OffboardingProvider", row.provider.name()).await;
    removed.patch("CustomerOffboarding", "acme", json!({"spec": {"cancel": true}})).await;
    replaced.customer_secret("who", "cus_stranger").await;
    stage.free_the_lease().await.unwrap();
    says(&mut next, "leading").await.unwrap();

    ends(&replaced, row).await;
    assert_eq!(replaced.received(row.provider, "GET", "cus_stranger").await, Vec::<Value>::new());
    let not_there = "provider 'juicyway' is not available to this namespace; create the OffboardingProvider";
    let status = removed.says("acme", not_there).await;
    assert_told(&status, &[["Deleted", "Unknown", "OutcomeUnknown"]]);
    proxy.let_go();
    removed.provider(row.provider, json!({})).await;
    ends(&removed, row).await;
    join_all([&removed, &replaced].map(|story| story.judged())).await;
}

/// A request whose first DELETE is struck.
async fn begin(story: &Story<'_>, row: &Row, fault: Value) {
    prepare(story, row, json!([{"match": {"method": "DELETE"}, "times": 1, "do": fault}])).await;
    story.request("acme", row.provider, row.id).await;
}

async fn prepared<'a>(stage: &'a Stage, row: &Row, faults: Value) -> Story<'a> {
    let story = stage.story("killed").await;
    prepare(&story, row, faults).await;
    story
}

/// Everything but the request.
async fn prepare(story: &Story<'_>, row: &Row, faults: Value) {
    story.sandbox.seed(row.provider, row.id, &json!({})).await.unwrap();
    story.sandbox.configure(row.provider, &row.settings).await.unwrap();
    story.sandbox.set_faults(&faults).await.unwrap();
    story.provider(row.provider, json!({})).await;
}

async fn ends(story: &Story<'_>, row: &Row) {
    let status = story.finished("acme").await;
    assert_eq!(
        (&status["phase"], &status["result"]),
        (&json!("Completed"), &json!(row.result)),
        "{}",
        row.id
    );
    assert_eq!(story.deletes(row.provider, row.id).await, row.deletes, "{}", row.id);
}

/// No request is left: the record says how it ended, and holds no id any more.
async fn finished_from_the_record(story: &Story<'_>, result: &str) {
    let record = story.record_until("it is closed", |spec| spec["closed"] == true).await;
    assert_eq!((&record["result"], &record["sealedId"]), (&json!(result), &Value::Null));
    assert!(story.get("CustomerOffboarding", "acme").await.is_none());
}

/// Longer than the send, the request and the provider's own delay may take together.
const SETTLED: Duration = Duration::from_secs(12);

#[tokio::test]
async fn an_outcome_that_cannot_be_written_is_not_forgotten_with_its_pass() {
    let stage = Stage::start(Options::default()).await.unwrap();
    stage.kill_operator().await;
    stage.free_the_lease().await.unwrap();
    let proxy = ApiProxy::start(&stage.plane).await.unwrap();
    let launch = stage.launch.clone().env("KUBECONFIG", proxy.kubeconfig());
    let mut operator = ready(&launch, stage.scratch.path()).await.unwrap();
    says(&mut operator, "leading").await.unwrap();
    stage
        .play("forgotten", async |story| {
            // Shown as before: whoever forgot that it was accepted would send it again.
            story.sandbox.configure(Revolv3, &json!({"afterDelete": "Unchanged"})).await.unwrap();
            story.sandbox.seed(Revolv3, "90017", &json!({})).await.unwrap();
            story.provider(Revolv3, json!({"verify": {"deadline": "30s"}})).await;
            let about = story.namespace.name().to_owned();
            for verb in ["update", "get"] {
                proxy.strike(ApiFault {
                    matches: ApiMatch {
                        verb: verb.to_owned(),
                        resource: "offboardingrecords".to_owned(),
                        about: about.clone(),
                    },
                    skip: 0,
                    times: u32::MAX,
                    strike: ApiStrike::Reset,
                    applies: false,
                });
            }
            story.request("acme", Revolv3, "90017").await;
            story.until_applied(Revolv3, "90017").await;
            tokio::time::sleep(SETTLED).await;
            assert!(proxy.struck() >= 2, "neither a read nor a write of the record was struck");
            proxy.spare(&about);
            assert_eq!(story.finished("acme").await["result"], "Unverified");
            assert_eq!(story.deletes(Revolv3, "90017").await, 1);
        })
        .await;
}
