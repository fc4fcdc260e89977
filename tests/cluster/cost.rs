//! A5: what an offboarding costs the cluster. The API server's audit log counts, not the operator.

use std::time::{Duration, Instant};

use futures::{TryStreamExt as _, stream};
use harness::{
    Options,
    Provider::{Juicyway, Revolv3},
};
use kube::{
    Api,
    api::PostParams,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};

use crate::{
    audit::{Call, Tally, calls, tally, tally_of},
    stage::Stage,
    story::Story,
};

/// How many finished requests and closed records a restarted operator finds.
const FINISHED: usize = 2_000;

/// What the operator asks whatever goes on, and what `idling_costs_one_write_of_the_lease_in_five_seconds` judges: its key and
/// the admission policies are read again each minute, its lease renewed, and the records searched for another key.
fn is_idling(call: &Call) -> bool {
    call.name == "customer-offboarding-installation-key"
        || call.resource == "leases"
        || call.resource.starts_with("validatingadmissionpolic")
        || call.uri.contains(SEARCH)
}

/// The search for records of another key, once a minute: none is answered.
const SEARCH: &str = "fieldSelector=spec.keyId%21%3D";

/// Finished requests that are removed some day: none of those that are finished, as long as nobody says so.
const REMOVAL: &str = "fieldSelector=status.finished%3Dtrue%2Cspec.ttlAfterFinished%21%3D";

/// Everything else that the operator asked since the first `before` calls.
fn asked_since(story: &Story<'_>, before: usize) -> Vec<Call> {
    let asked: Vec<Call> =
        calls(story.stage).split_off(before).into_iter().filter(|call| !is_idling(call)).collect();
    for call in &asked {
        let ours = [story.namespace.name(), "customer-offboarding"].contains(&call.namespace.as_str())
            || call.resource == "customerholds";
        assert!(ours, "what should be over costs something: {call:?}");
    }
    asked
}

/// The calls about provider objects themselves belong to no deletion.
fn of_deletions(calls: &[Call]) -> (Tally, Tally) {
    let of_object = |call: &&Call| call.resource != "offboardingproviders/status";
    let (writes, reads): (Vec<&Call>, Vec<&Call>) =
        calls.iter().filter(of_object).partition(|call| call.is_write());
    (tally(writes), tally(reads))
}

fn show(what: &str, calls: &[Call]) {
    let (writes, reads) = of_deletions(calls);
    let total = |tally: &Tally| tally.values().sum::<usize>();
    println!("{what:42} {:2} writes {writes:?}", total(&writes));
    println!("{:42} {:2} reads  {reads:?}", "", total(&reads));
}

async fn provider_is_ready(story: &Story<'_>, provider: harness::Provider, change: Value) {
    story.provider(provider, change).await;
    story.provider_reason(provider, "Ready", "ProbeSucceeded").await;
}

/// The method and operation of everything that the sandbox received for a customer, and the control requests.
async fn provider_calls(story: &Story<'_>) -> Vec<String> {
    let entries = story.sandbox.ledger(&harness::LedgerFilter::default()).await.unwrap();
    entries.iter().map(|entry| entry["operation"].as_str().unwrap_or("?").to_owned()).collect()
}

#[tokio::test]
async fn an_offboarding_costs_the_writes_and_reads_that_the_design_lists() {
    let begun = Instant::now();
    let stage = Stage::start(Options::default().with_audit_log()).await.unwrap();
    // One after the other, so that every call on this stage belongs to the story that is told.
    a_deletion_that_waits_for_nothing_is_three_writes(&stage).await;
    a_deletion_that_waits_for_the_lag_is_five_writes(&stage).await;
    a_visit_that_finds_nothing_new_writes_nothing(&stage).await;
    a_deletion_that_waits_for_nothing_is_three_writes(&stage).await;
    nothing_is_patched_deleted_or_listed_without_need(&stage);
    idling_costs_one_write_of_the_lease_in_five_seconds(&stage, begun.elapsed());
}

async fn a_deletion_that_waits_for_nothing_is_three_writes(stage: &Stage) {
    let story = stage.story("straight").await;
    story.sandbox.seed(Juicyway, "cus_straight", &json!({})).await.unwrap();
    provider_is_ready(&story, Juicyway, json!({})).await;
    let before = calls(stage).len();
    let of_provider = provider_calls(&story).await.len();
    story.request("acme", Juicyway, "cus_straight").await;
    story.finished("acme").await;
    let calls = asked_since(&story, before);
    show("Juicyway, nothing to wait for", &calls);
    let (writes, reads) = of_deletions(&calls);
    let expected = [
        ("create offboardingrecords", 1),
        ("update customeroffboardings/status", 1),
        ("update offboardingrecords", 1),
    ];
    assert_eq!(writes, tally_of(expected));
    let expected = [
        ("get customeroffboardings", 1),  // after the intent
        ("get offboardingproviders", 1),  // after the intent
        ("get offboardingrecords", 1),    // at planning
        ("get secrets", 2),               // at planning and after the intent
        ("list customerholds", 1),        // after the intent
        ("list offboardingapprovals", 1), // after the intent: somebody may have said no
        ("list offboardingrecords", 1),   // at planning: who led before may have begun
    ];
    assert_eq!(reads, tally_of(expected));
    let of_object: Vec<&Call> = calls.iter().filter(|call| call.resource.contains("providers/")).collect();
    assert!(of_object.is_empty(), "a deletion changes nothing at its provider object: {of_object:?}");
    // Nobody there, and the control knows its own, and still nobody there.
    let gone = ["getCustomer", "listCustomers", "getCustomer"];
    let expected = [&["getCustomer", "listWallets", "getCustomer", "deleteCustomer"][..], &gone].concat();
    assert_eq!(provider_calls(&story).await.split_off(of_provider), expected);
}

async fn a_deletion_that_waits_for_the_lag_is_five_writes(stage: &Stage) {
    let story = stage.story("lag").await;
    story.sandbox.seed(Revolv3, "90017", &json!({"subscriptions": []})).await.unwrap();
    provider_is_ready(&story, Revolv3, json!({"customProfile": {"guarantees": {"consistencyLag": "2s"}}}))
        .await;
    let before = calls(stage).len();
    story.request("acme", Revolv3, "90017").await;
    story.finished("acme").await;
    let calls = asked_since(&story, before);
    show("Revolv3, a lag of 2s to wait for", &calls);
    let (writes, _) = of_deletions(&calls);
    let expected = [
        ("create offboardingrecords", 1),
        ("update customeroffboardings/status", 2),
        ("update offboardingrecords", 2),
    ];
    assert_eq!(writes, tally_of(expected));
}

async fn a_visit_that_finds_nothing_new_writes_nothing(stage: &Stage) {
    let story = stage.story("blocked").await;
    story.sandbox.seed(Juicyway, "cus_blocked", &json!({"wallets": [{"balance": 5}]})).await.unwrap();
    provider_is_ready(&story, Juicyway, json!({"recheckInterval": "1h"})).await;
    story.request("acme", Juicyway, "cus_blocked").await;
    story.reason("acme", "Unblocked", "BlockersFound").await;
    let before = calls(stage).len();
    for _visit in 1..=5 {
        story.look_again("acme", Juicyway, "cus_blocked").await;
    }
    let calls = asked_since(&story, before);
    show("Juicyway, blocked, 5 visits", &calls);
    let (mut writes, reads) = of_deletions(&calls);
    // Its one Event follows the status, perhaps after we saw that.
    assert!(writes.remove("create events").unwrap_or_default() <= 1);
    assert_eq!(writes, Tally::new());
    assert_eq!(reads, tally_of([("get offboardingrecords", 5), ("get secrets", 5)]));
}

/// Renewing is one PUT and no GET. Two more are for the start, and for a renewal that two busy cores made late.
fn idling_costs_one_write_of_the_lease_in_five_seconds(stage: &Stage, lasted: Duration) {
    let calls = calls(stage);
    let of_lease = tally(calls.iter().filter(|call| call.resource == "leases"));
    println!("the lease in {lasted:.0?}: {of_lease:?}");
    let most = lasted.as_secs() as usize / 5 + 2;
    assert!(of_lease["update leases"] <= most && of_lease["get leases"] <= 2, "{of_lease:?} in {lasted:?}");
    assert_eq!(of_lease.len(), 2, "{of_lease:?}");
}

/// Whatever the operator did on this stage.
fn nothing_is_patched_deleted_or_listed_without_need(stage: &Stage) {
    for call in calls(stage) {
        assert!(!call.verb.starts_with("delete"), "{call:?}");
        assert!(call.verb != "patch" || call.resource == "events", "{call:?}");
        if matches!(call.verb.as_str(), "list" | "watch") {
            let selected = match call.resource.as_str() {
                "customeroffboardings" => {
                    call.uri.contains("fieldSelector=status.finished%21%3Dtrue") || call.uri.contains(REMOVAL)
                }
                "offboardingrecords" => {
                    call.uri.contains("fieldSelector=spec.closed%21%3Dtrue")
                        || call.uri.ends_with("?&limit=1")
                        || call.uri.contains(SEARCH)
                        || call.uri.contains("fieldSelector=spec.request.uid%3D")
                }
                "offboardingproviders"
                | "clusteroffboardingproviders"
                | "offboardingapprovals"
                | "customerholds" => true,
                _ => false,
            };
            assert!(selected, "{call:?}");
        }
    }
}

#[tokio::test]
async fn what_is_finished_costs_a_restarted_operator_nothing() {
    let stage = Stage::start(Options::default().with_audit_log()).await.unwrap();
    let story = stage.story("finished").await;
    stage.kill_operator().await;
    let filling = Instant::now();
    futures::join!(finished_requests(&story), closed_records(&story));
    println!("{FINISHED} finished requests and closed records made in {:.1?}", filling.elapsed());
    let (before, served) = (calls(&stage).len(), stage.plane.counters().await.unwrap());
    let start = Instant::now();
    stage.restart_operator().await.unwrap();
    let ready = start.elapsed();
    let asked = calls(&stage).split_off(before);
    println!("ready after {ready:.2?}; asked {:?}", tally(&asked));
    nothing_is_patched_deleted_or_listed_without_need(&stage);
    let search = |call: &&Call| call.uri.contains(SEARCH);
    assert_eq!(
        asked.iter().filter(search).count(),
        1,
        "whether there are records of another key: {asked:#?}"
    );
    let now = stage.plane.counters().await.unwrap();
    for resource in ["customeroffboardings", "offboardingrecords"] {
        let labels = [("verb", "LIST"), ("resource", resource)];
        let bytes = |name| now.sum(name, &labels) - served.sum(name, &labels);
        let (sum, count) = (bytes("apiserver_response_sizes_sum"), bytes("apiserver_response_sizes_count"));
        println!("lists of {resource}: {count}, {sum} bytes in all");
        assert!(count >= 1.0 && sum <= 2_000.0 * count, "{resource}: {count} lists of {sum} bytes");
    }
    // Generous: a start on two busy cores; a list of what is finished would take seconds of its own.
    assert!(ready < Duration::from_secs(15), "{ready:?}");
    story.sandbox.seed(Juicyway, "cus_next", &json!({})).await.unwrap();
    story.provider(Juicyway, json!({})).await;
    story.request("next", Juicyway, "cus_next").await;
    assert_eq!(story.finished("next").await["phase"], "Completed");
}

async fn finished_requests(story: &Story<'_>) {
    let api = api(story, "CustomerOffboarding", story.namespace.name()).await;
    each(|n| {
        let api = api.clone();
        async move {
            let object = object(&json!({
                "apiVersion": "offboarding.dev/v1alpha1", "kind": "CustomerOffboarding",
                "metadata": {"name": format!("done-{n}")},
                "spec": {
                    "customer": {"id": format!("cus_{n}")},
                    "targets": [{"name": "billing", "providerRef": {"name": "juicyway"}}],
                },
            }));
            let mut made = api.create(&PostParams::default(), &object).await?;
            made.data["status"] = json!({
                "observedGeneration": 1, "phase": "Completed", "finished": true, "result": "Erased",
            });
            api.replace_status(&format!("done-{n}"), &PostParams::default(), &made).await.map(drop)
        }
    })
    .await;
}

async fn closed_records(story: &Story<'_>) {
    let api = api(story, "OffboardingRecord", "customer-offboarding").await;
    let key = story.installation_key().await;
    each(|n| {
        let (api, key_id) = (api.clone(), key.id().to_owned());
        async move {
            let object = object(&json!({
                "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingRecord",
                "metadata": {"name": format!("r-{n:040x}")},
                "spec": {
                    "closed": true, "result": "Erased", "keyId": key_id,
                    "request": {
                        "namespace": story.namespace.name(), "name": format!("done-{n}"), "uid": format!("{n}"),
                        "target": "billing", "mode": "Hard",
                    },
                    "provider": {
                        "kind": "OffboardingProvider", "namespace": story.namespace.name(), "name": "juicyway",
                        "uid": "1", "baseUrl": "https://api.example.com", "environment": "sandbox",
                    },
                },
            }));
            api.create(&PostParams::default(), &object).await.map(drop)
        }
    })
    .await;
}

/// Does it for each number, many at once.
async fn each<F: Future<Output = kube::Result<()>>>(make: impl Fn(usize) -> F) {
    stream::iter((0..FINISHED).map(make).map(Ok::<F, kube::Error>))
        .try_for_each_concurrent(24, |making| making)
        .await
        .unwrap();
}

/// As somebody who may write what is the operator's.
async fn api(story: &Story<'_>, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("offboarding.dev", "v1alpha1", kind));
    Api::namespaced_with(story.break_glass().await, namespace, &resource)
}

fn object(value: &Value) -> DynamicObject {
    serde_json::from_value(value.clone()).unwrap()
}
