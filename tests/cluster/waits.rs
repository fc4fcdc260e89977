//! B9: whoever waits costs nothing while nothing changes: no write, no request to a provider. One hour of the test's clock, in
//! which every wait is looked at a dozen times; the audit log and the ledger count.

use std::{thread, time::Duration};

use harness::{
    LedgerFilter, Options,
    Provider::{self, Juicyway, Revolv3},
};
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use serde_json::{Value, json};

use crate::{
    audit::{Call, calls, tally},
    inside::{Inside, advance, clock},
    stage::Stage,
    story::{Story, condition},
};

/// Of the clocks in `inside.rs`.
const MINE: usize = 0;

/// Each wait is looked at after five minutes at the latest: twelve times in an hour.
const STEP: Duration = Duration::from_secs(60);
const STEPS: usize = 75;
const VISITS: usize = 12;

/// The provider object, what it says, what the request says, and the reason that is told.
type Wait = (&'static str, Provider, Value, Value, &'static str);

fn waits() -> Vec<Wait> {
    let in_a_month = json!({"notBefore": whole(clock::<MINE>() + Duration::from_secs(30 * 24 * 3600))});
    vec![
        ("approval", Revolv3, json!({"approvals": {"required": 1}}), json!({}), "AwaitingApproval"),
        ("cooling", Juicyway, json!({"coolingOff": "240h"}), json!({}), "CoolingOff"),
        ("later", Juicyway, json!({}), in_a_month, "NotBefore"),
        ("hour", Juicyway, json!({"budget": {"perDay": 1}}), json!({}), "BudgetQueued"),
        ("queue", Juicyway, json!({"budget": {"perHour": 1, "perDay": 1}}), json!({}), "BudgetQueued"),
        ("suspended", Juicyway, json!({}), json!({"suspend": true}), "Suspended"),
        ("stopped", Juicyway, json!({"suspend": true}), json!({}), "ProviderSuspended"),
        ("held", Juicyway, json!({}), json!({}), "Held"),
    ]
}

#[tokio::test]
async fn an_hour_of_waiting_costs_no_write_and_no_request_to_a_provider() {
    let stage = Stage::start(Options::default().with_audit_log()).await.unwrap();
    let story = stage.story("waits").await;
    not_over_midnight();
    let inside = Inside::instead_of_the_operator::<MINE>(&stage).await;
    let rows = waits();
    hold(&story).await;
    for (name, provider, of_provider, of_request, _) in &rows {
        begin(&story, name, *provider, of_provider.clone(), of_request.clone()).await;
    }
    let mut told = Vec::new();
    for (name, .., reason) in &rows {
        told.push(story.reason(name, "Waiting", reason).await);
    }
    let hour = Hour::begin();
    let (passes, calls_before) = (inside.passes(), calls(&stage).len());
    let ledger_before = ledger(&story).await;
    for _ in 0..STEPS {
        hour.step(&stage).await;
    }
    let passes = inside.passes() - passes;
    let asked = calls(&stage).split_off(calls_before);
    let writes: Vec<&Call> =
        asked.iter().filter(|call| call.is_write() && call.resource != "leases").collect();
    println!("{STEPS} minutes, {} waits, {passes} passes over requests", rows.len());
    println!("asked of the API server: {:?}", tally(&asked));
    for ((name, ..), before) in rows.iter().zip(told) {
        assert_eq!(hour.status(&story, name).await, before, "{name}");
    }
    assert!(writes.is_empty(), "{writes:#?}");
    assert_eq!(ledger(&story).await, ledger_before);
    assert!(passes >= VISITS * rows.len(), "{passes} passes");
    // It is not asleep: what changes is noticed.
    story.edit("suspended", json!({"suspend": false})).await;
    hour.until(&stage, "the one that was resumed is done", async || {
        story.status("suspended").await["finished"] == true
    })
    .await;
    drop(hour);
    inside.end().await;
    story.judged().await;
}

/// A provider object of its own, with somebody who used the budget up where there is one.
async fn begin(story: &Story<'_>, name: &str, provider: Provider, of_provider: Value, of_request: Value) {
    let id = |n: usize| if provider == Revolv3 { format!("9001{n}") } else { format!("cus_{name}_{n}") };
    let account = json!({"account": format!("{}-{name}", story.namespace.name())});
    let mut change = of_provider;
    crate::story::merge(&mut change, account);
    let has_a_budget = change["budget"].is_object();
    story.provider_as(name, provider, change).await;
    let here = json!({"targets": [{"name": "billing", "providerRef": {"name": name}}]});
    let mut request = of_request;
    crate::story::merge(&mut request, here.clone());
    if has_a_budget {
        story.sandbox.seed(provider, &id(0), &json!({})).await.unwrap();
        let first = format!("{name}-first");
        story.request_with(&first, provider, &id(0), here).await;
        story.finished(&first).await;
    }
    story.sandbox.seed(provider, &id(1), &json!({})).await.unwrap();
    story.request_with(name, provider, &id(1), request).await;
}

/// Legal holds everything at one provider object.
async fn hold(story: &Story<'_>) {
    let held = json!({"kind": "OffboardingProvider", "namespace": story.namespace.name(), "name": "held"});
    let hold = json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": "CustomerHold", "metadata": {"name": "waits"},
        "spec": {"type": "Freeze", "all": true, "providers": [held]},
    });
    story.stage.plane.apply(&hold.to_string()).await.unwrap();
}

/// The budgets of a day are used up for the whole hour.
fn not_over_midnight() {
    let now = clock::<MINE>().to_zoned(TimeZone::UTC);
    if now.hour() >= 21 {
        advance::<MINE>(now.duration_until(&now.checked_add(4.hours()).unwrap()).try_into().unwrap());
    }
}

/// A moment as a person writes it.
fn whole(moment: Timestamp) -> String {
    Timestamp::from_second(moment.as_second()).unwrap().to_string()
}

/// Everything that providers received.
async fn ledger(story: &Story<'_>) -> usize {
    story.sandbox.ledger(&LedgerFilter::default()).await.unwrap().len()
}

/// Time that stands still but for the test's steps. tokio's paused clock would run ahead whenever everybody waits for a
/// connection: a blocking task that never ends keeps it from that.
struct Hour {
    _stands_still: std::sync::mpsc::Sender<()>,
}

/// Or else the clock, which nobody keeps any more, runs ahead into every deadline.
impl Drop for Hour {
    fn drop(&mut self) {
        tokio::time::resume();
    }
}

impl Hour {
    fn begin() -> Hour {
        let (keep, end) = std::sync::mpsc::channel();
        tokio::task::spawn_blocking(move || end.recv());
        tokio::time::pause();
        Hour { _stands_still: keep }
    }

    /// A minute on both clocks, and then as much real time as everybody needs.
    async fn step(&self, stage: &Stage) {
        advance::<MINE>(STEP);
        tokio::time::advance(STEP).await;
        let mut seen = usize::MAX;
        loop {
            real(Duration::from_millis(150)).await;
            let now = calls(stage).len();
            if std::mem::replace(&mut seen, now) == now {
                return;
            }
        }
    }

    async fn until(&self, stage: &Stage, what: &str, is_so: impl AsyncFn() -> bool) {
        for _ in 0..STEPS {
            if is_so().await {
                return;
            }
            self.step(stage).await;
        }
        panic!("{what}: not within {STEPS} minutes");
    }

    async fn status(&self, story: &Story<'_>, name: &str) -> Value {
        let status = story.status(name).await;
        assert!(condition(&status, "Waiting")["status"] == "True", "{name}: {status:#}");
        status
    }
}

/// Real time.
async fn real(time: Duration) {
    tokio::task::spawn_blocking(move || thread::sleep(time)).await.unwrap();
}
