//! B4: a generated folder of requests by mistake, against a provider object without approvals and with a budget of a day. Leaders
//! are killed in the middle; the provider's ledger counts.
//!
//! A few hundred requests here; `make budget` takes BUDGET_REQUESTS of them. The budget is a thirtieth of that.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use harness::{Counters, LedgerFilter, Options, Process, Provider::Juicyway, Scratch, eventually};
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use kube::{Api, ResourceExt as _};
use offboarding::api::CustomerOffboarding;
use serde_json::{Value, json};

use crate::{
    audit::calls,
    stage::{SOON, Stage, ask, ready, says},
    story::Story,
};

/// So many things at once, as a generated folder arrives.
const AT_ONCE: usize = 24;

/// So many attempts a leader may leave behind that were not sent, and count.
const IN_FLIGHT: usize = 2;

/// A short lease, so that a hand-over takes seconds.
const FLAGS: &[&str] = &["--lease-duration", "9s", "--renew-deadline", "6s", "--retry-period", "1s"];

/// What the figures are, and how long they may take.
struct Campaign {
    requests: usize,
    per_day: usize,
    soon: Duration,
}

impl Campaign {
    fn new() -> Campaign {
        let asked = std::env::var("BUDGET_REQUESTS").ok();
        let requests = asked.map_or(240, |requests| requests.parse().unwrap());
        Campaign {
            requests,
            per_day: requests / 30,
            soon: SOON + Duration::from_millis(300) * requests as u32,
        }
    }
}

/// Where every request stands.
#[derive(Debug, Default)]
struct Tally {
    finished: Vec<CustomerOffboarding>,
    queued: Vec<CustomerOffboarding>,
    /// How many say anything else, by what they say.
    others: BTreeMap<String, usize>,
}

#[tokio::test]
async fn a_generated_folder_deletes_no_more_than_the_budget_of_a_day_whoever_dies() {
    let campaign = Campaign::new();
    let Campaign { requests, per_day, .. } = campaign;
    not_around_midnight(campaign.soon).await;
    let begun = Instant::now();
    let tell = |what: &str| println!("{:7.1?}  {what}", begun.elapsed());
    let stage = Stage::start_with(Options::default().with_audit_log(), FLAGS, &[]).await.unwrap();
    let story = stage.story("flood").await;
    let scratch = Scratch::new("second-operator").unwrap();
    let mut standby = ready(&stage.launch, scratch.path()).await.unwrap();
    each(requests, async |n| story.sandbox.seed(Juicyway, &id(n), &json!({})).await.unwrap()).await;
    let few =
        json!({"limits": {"default": {"requestsPerMinute": 6000, "burst": 100, "maxInFlight": IN_FLIGHT}}});
    story.provider(Juicyway, json!({"budget": {"perDay": per_day}, "customProfile": few})).await;
    story.provider_reason(Juicyway, "Ready", "ProbeSucceeded").await;
    tell("the customers are there; the folder is applied");
    let folder = each(requests, async |n| story.request(&name(n), Juicyway, &id(n)).await);
    let deaths = async {
        for dies_after in [per_day / 3, per_day * 2 / 3] {
            until_deleted(&story, dies_after, campaign.soon).await;
            hand_over(&stage, &mut standby).await;
            tell(&format!("the leader was killed after {dies_after} deletions, and replaced"));
        }
    };
    futures::join!(folder, deaths);
    tell("the folder is applied");
    let settled = settled(&story, &campaign).await;
    let deleted = deletes(&story).await;
    tell(&format!("{} finished, {} queued, {deleted} deleted", settled.finished.len(), settled.queued.len()));
    assert!(deleted <= per_day, "{deleted} of {per_day}");
    // An attempt whose process died before it was sent counts, too: nobody knows that nothing was sent.
    assert!(
        deleted + 2 * IN_FLIGHT >= per_day && deleted >= settled.finished.len(),
        "{deleted} of {per_day}"
    );
    first_come_first_served(&settled);
    each_says_when(&settled, per_day);
    told_by_the_metrics(&stage, settled.queued.len(), per_day).await;
    what_it_cost(&stage, &story, &campaign).await;

    suspended(&story, &campaign).await;
    tell("suspended, with room in the budget: nobody goes on");
    assert_eq!(deletes(&story).await, deleted);
    story.edit_provider(Juicyway, json!({"suspend": false, "budget": {"perDay": per_day}})).await;
    settled_again(&story, &campaign, settled.finished.len()).await;
    tell("resumed: all are queued again");
    each(requests, async |n| story.edit(&name(n), json!({"cancel": true})).await).await;
    let cancelled = eventually(campaign.soon, "all are finished", || async {
        let tally = tally(&story).await;
        if tally.finished.len() == requests { Ok(tally.finished) } else { Err(tally.others) }
    })
    .await;
    let results = cancelled.iter().map(result);
    let count = results.filter(|result| result == "Cancelled").count();
    tell(&format!("{count} cancelled"));
    assert_eq!(deletes(&story).await, deleted, "who cancels sends nothing");
    assert_eq!(count, requests - settled.finished.len());
    story.judged().await;
}

fn id(n: usize) -> String {
    format!("cus_{n}")
}

fn name(n: usize) -> String {
    format!("generated-{n:05}")
}

async fn each(count: usize, act: impl AsyncFn(usize)) {
    stream::iter(0..count).for_each_concurrent(AT_ONCE, |n| act(n)).await;
}

/// The budget is of a day of UTC; a count that spans two proves nothing.
async fn not_around_midnight(takes: Duration) {
    let now = Timestamp::now().to_zoned(TimeZone::UTC);
    let left = now.duration_until(&now.tomorrow().unwrap().start_of_day().unwrap());
    if left < (takes * 2).try_into().unwrap() {
        tokio::time::sleep(Duration::try_from(left).unwrap() + Duration::from_secs(1)).await;
    }
}

/// The leader is killed; who stood by leads, and a new process stands by.
async fn hand_over(stage: &Stage, standby: &mut Process) {
    let mut leader = stage.operator.lock().await;
    leader.kill_hard().unwrap();
    says(standby, "leading").await.unwrap();
    std::mem::swap(&mut *leader, standby);
    let log_directory = standby.log_path().parent().unwrap().to_owned();
    *standby = ready(&stage.launch, &log_directory).await.unwrap();
}

async fn deletes(story: &Story<'_>) -> usize {
    let filter = LedgerFilter { method: Some("DELETE"), ..LedgerFilter::default() };
    story.sandbox.ledger(&filter).await.unwrap().len()
}

async fn until_deleted(story: &Story<'_>, count: usize, soon: Duration) {
    eventually(soon, &format!("{count} deletions"), || async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let seen = deletes(story).await;
        if seen >= count { Ok(()) } else { Err(seen) }
    })
    .await;
}

/// Every request, in the order of their creation.
async fn tally(story: &Story<'_>) -> Tally {
    tokio::time::sleep(Duration::from_millis(500)).await;
    let api: Api<CustomerOffboarding> = Api::namespaced(story.client.clone(), story.namespace.name());
    let mut all = api.list(&Default::default()).await.unwrap().items;
    all.sort_by_key(|request| (created(request), request.name_any()));
    let mut tally = Tally::default();
    for request in all {
        match waits_because(&request).as_str() {
            _ if request.is_finished() => tally.finished.push(request),
            "BudgetQueued" => tally.queued.push(request),
            other => *tally.others.entry(other.to_owned()).or_default() += 1,
        }
    }
    tally
}

/// Everybody is done, or says that it is queued.
async fn settled(story: &Story<'_>, campaign: &Campaign) -> Tally {
    eventually(campaign.soon, "everybody is done or queued", || async {
        let tally = tally(story).await;
        let count = tally.finished.len() + tally.queued.len();
        if count == campaign.requests { Ok(tally) } else { Err((count, tally.others)) }
    })
    .await
}

async fn settled_again(story: &Story<'_>, campaign: &Campaign, finished: usize) {
    let tally = settled(story, campaign).await;
    assert_eq!(tally.finished.len(), finished);
}

fn created(request: &CustomerOffboarding) -> Timestamp {
    request.metadata.creation_timestamp.as_ref().unwrap().0
}

fn status(request: &CustomerOffboarding) -> Value {
    serde_json::to_value(&request.status).unwrap()
}

fn result(request: &CustomerOffboarding) -> String {
    status(request)["result"].as_str().unwrap_or_default().to_owned()
}

fn waits_because(request: &CustomerOffboarding) -> String {
    let waiting = crate::story::condition(&status(request), "Waiting");
    waiting["reason"].as_str().unwrap_or("not told").to_owned()
}

/// By second: the API server tells no finer time. One second of grace, because what is stamped first may be stored second.
fn first_come_first_served(tally: &Tally) {
    let last = tally.finished.iter().map(created).max().unwrap();
    let first = tally.queued.iter().map(created).min().unwrap();
    println!("the last that was served was made at {last}, the first that waits at {first}");
    assert!(last <= first + Duration::from_secs(1), "{last} was served before {first}");
}

/// The first ones tomorrow, the next ones the day after; nobody's sentence names a moment that is no midnight.
fn each_says_when(tally: &Tally, per_day: usize) {
    let midnight = |days: i64| {
        let day = Timestamp::now().to_zoned(TimeZone::UTC).date().checked_add(days.days()).unwrap();
        day.to_zoned(TimeZone::UTC).unwrap().timestamp()
    };
    let mut days = BTreeMap::<i64, usize>::new();
    for (place, request) in tally.queued.iter().enumerate() {
        let status = status(request);
        let until: Timestamp = status["waitingUntil"].as_str().unwrap().parse().unwrap();
        let day = (1..=40).find(|day| midnight(*day) == until).expect("a midnight");
        *days.entry(day).or_default() += 1;
        // Whoever came first was told first; who is told before the others are there may be one day early until the next visit.
        let exact = 1 + i64::try_from(place / per_day).unwrap();
        assert!(day <= exact + 1 && day >= 1, "{place}: told {day}, is {exact}");
        let sentence = status["waitingFor"].as_str().unwrap();
        assert!(sentence.starts_with("its turn: the budget of account '"), "{sentence}");
        assert_eq!(crate::story::condition(&status, "Waiting")["status"], "True");
    }
    println!("days until their turn, and how many were told so: {days:?}");
    let soonest = &tally.queued[..(per_day / 2).max(1)];
    assert!(soonest.iter().all(|request| status(request)["waitingUntil"] == midnight(1).to_string()));
}

async fn told_by_the_metrics(stage: &Stage, queued: usize, used: usize) {
    let (_, text) = ask(&*stage.operator.lock().await, "/metrics").await;
    let counters = Counters::parse(&text);
    println!("{}", text.lines().filter(|line| line.contains("budget")).collect::<Vec<_>>().join("\n"));
    assert_eq!(counters.sum("offboarding_budget_queued", &[]), queued as f64);
    assert_eq!(counters.sum("offboarding_budget_used", &[("window", "day")]), used as f64);
}

/// A queue costs no lists and no second look, and whoever waits is not told the same again and again.
async fn what_it_cost(stage: &Stage, story: &Story<'_>, campaign: &Campaign) {
    let calls = calls(stage);
    let mut writes = BTreeMap::<&str, usize>::new();
    for call in calls.iter().filter(|call| call.resource == "customeroffboardings/status") {
        *writes.entry(&call.name).or_default() += 1;
    }
    let (most, all) = (writes.values().max().unwrap(), writes.values().sum::<usize>());
    let of_a_day = |uri: &str| uri.contains("spec.day");
    let lists = calls.iter().filter(|call| call.verb == "list" && of_a_day(&call.uri)).count();
    let filter = LedgerFilter { method: Some("GET"), ..LedgerFilter::default() };
    let looks = story.sandbox.ledger(&filter).await.unwrap();
    let looked_at: BTreeSet<&str> = looks.iter().filter_map(|look| look["customer"].as_str()).collect();
    println!(
        "{all} status writes, at most {most} of one request; {lists} lists of records; {} requests to the provider for {} customers",
        looks.len(),
        looked_at.len()
    );
    let Campaign { requests, per_day, .. } = *campaign;
    assert!(all <= requests * 3 / 2 && *most <= 4, "{all} status writes, at most {most}");
    // Nobody has to agree, so a plan is made only for whom there is room; a leader that dies leaves a few looks behind.
    assert!(looked_at.len() <= per_day + 8 * IN_FLIGHT, "{} customers were looked at", looked_at.len());
    assert!(lists <= 2 * per_day + 10, "{lists} lists of records for {per_day} deletions and three starts");
}

/// There is room for everybody, and nobody goes.
async fn suspended(story: &Story<'_>, campaign: &Campaign) {
    let room = json!({"suspend": true, "budget": {"perDay": campaign.requests}});
    story.edit_provider(Juicyway, room).await;
    eventually(campaign.soon, "everybody sees the suspension", || async {
        let tally = tally(story).await;
        let suspended = tally.others.get("ProviderSuspended").copied().unwrap_or_default();
        if suspended + tally.finished.len() == campaign.requests { Ok(()) } else { Err(tally.others) }
    })
    .await;
}
