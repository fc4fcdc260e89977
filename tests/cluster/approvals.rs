//! B9: many requests wait to be approved, and one of them is: only that one is looked at.
//!
//! A few hundred here; `make budget` takes WAITING_REQUESTS of them.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use harness::{Counters, LedgerFilter, Options, Provider::Juicyway, eventually};
use kube::Api;
use offboarding::api::CustomerOffboarding;
use serde_json::{Value, json};

use crate::{
    audit::{Call, calls, tally},
    stage::{SOON, Stage},
    story::{Story, condition},
};

#[tokio::test]
async fn of_many_requests_that_wait_only_the_approved_one_is_looked_at() {
    let asked = std::env::var("WAITING_REQUESTS").ok();
    let requests: usize = asked.map_or(400, |requests| requests.parse().unwrap());
    let soon = SOON + Duration::from_millis(200) * u32::try_from(requests).unwrap();
    let stage = Stage::start(Options::default().with_audit_log()).await.unwrap();
    let story = stage.story("many").await;
    let approvals = json!({"required": 1, "separationOfDuties": false});
    let fast =
        json!({"limits": {"default": {"requestsPerMinute": 60_000, "burst": 1000, "maxInFlight": 16}}});
    story.provider(Juicyway, json!({"approvals": approvals, "customProfile": fast})).await;
    story.provider_reason(Juicyway, "Ready", "ProbeSucceeded").await;
    story.sandbox.configure(Juicyway, &json!({"rateLimit": {"limit": 0}})).await.unwrap();
    each(requests, async |n| story.sandbox.seed(Juicyway, &format!("cus_{n}"), &json!({})).await.unwrap())
        .await;
    // A young API server reads the definitions for its admission policies now and then, and refuses meanwhile.
    stage.plane.stamps_requests().await.unwrap();
    let begun = Instant::now();
    each(requests, async |n| story.request(&format!("waits-{n:05}"), Juicyway, &format!("cus_{n}")).await)
        .await;
    println!("{requests} requests made in {:.1?}", begun.elapsed());
    eventually(soon, "all wait to be approved", || async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let waiting = waiting(&story).await;
        if waiting == requests { Ok(()) } else { Err(waiting) }
    })
    .await;
    println!("all of them planned and told after {:.1?}", begun.elapsed());

    // Each is looked at every five minutes, whatever happens: with many, so many of these fall into any time.
    let looked = Instant::now();
    let (before, passes_before, ledger_before) =
        (calls(&stage).len(), passes(&stage).await, ledger(&story).await);
    let chosen = format!("waits-{:05}", requests / 2);
    approve(&story, &chosen).await;
    let status = story.finished(&chosen).await;
    assert_eq!(status["result"], "ErasedWithRetention");
    let (passes, took) = (passes(&stage).await - passes_before, looked.elapsed());
    let asked = calls(&stage).split_off(before);
    let visits = requests * usize::try_from(took.as_millis()).unwrap() / 300_000;
    println!("approved and done in {took:.1?}: {passes} passes, about {visits} of them visits to others");
    println!("asked of the API server: {:?}", tally(&asked));
    assert!(passes <= 5 + 2 * visits, "{passes} passes");
    let written =
        asked.iter().filter(|call| call.is_write() && call.resource == "customeroffboardings/status");
    let others: Vec<&Call> = written.filter(|call| call.name != chosen).collect();
    assert!(others.is_empty(), "{others:#?}");
    let customer = format!("cus_{}", requests / 2);
    let asked = story.received(Juicyway, "GET", &customer).await.len()
        + story.received(Juicyway, "DELETE", &customer).await.len();
    println!(
        "the provider received {} requests, {asked} for that customer since the start",
        ledger(&story).await - ledger_before
    );
    assert!(ledger(&story).await - ledger_before <= asked, "nobody else is asked for");
    story.judged().await;
}

async fn each(count: usize, act: impl AsyncFn(usize)) {
    stream::iter(0..count).for_each_concurrent(24, |n| act(n)).await;
}

async fn waiting(story: &Story<'_>) -> usize {
    let api: Api<CustomerOffboarding> = Api::namespaced(story.client.clone(), story.namespace.name());
    let all = api.list(&Default::default()).await.unwrap().items;
    let waits = |request: &&CustomerOffboarding| {
        let status = serde_json::to_value(&request.status).unwrap();
        condition(&status, "Waiting")["reason"] == "AwaitingApproval"
    };
    all.iter().filter(waits).count()
}

async fn passes(stage: &Stage) -> usize {
    let (_, text) = stage.ask_operator("/metrics").await;
    Counters::parse(&text).sum("controller_runtime_reconcile_total", &[("controller", "request")]) as usize
}

async fn ledger(story: &Story<'_>) -> usize {
    story.sandbox.ledger(&LedgerFilter::default()).await.unwrap().len()
}

/// In the administrator's name, who may everything.
async fn approve(story: &Story<'_>, name: &str) {
    let request = story.get("CustomerOffboarding", name).await.unwrap();
    let item = json!({
        "name": name, "uid": request["metadata"]["uid"], "planHash": request["status"]["plan"]["hash"],
    });
    let approval: Value = json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingApproval",
        "metadata": {"name": "yes", "namespace": story.namespace.name()},
        "spec": {
            "decision": "Approve", "for": [item], "approver": "admin", "grants": ["Delete"],
            "expiresAt": (offboarding::cli::clock() + Duration::from_secs(3600)).to_string(),
        },
    });
    story.stage.plane.apply(&approval.to_string()).await.unwrap();
}
