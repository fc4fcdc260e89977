//! The operator dies at every failpoint, and at random: chains of deaths, each process taking over what the ones before it left.
//!
//! A chain is one seed: ten processes, each with a new request, and one that brings all of them to their end.

use std::{
    os::unix::process::ExitStatusExt as _,
    panic::{AssertUnwindSafe, resume_unwind},
    time::Duration,
};

use futures::{FutureExt as _, future::join_all};
use harness::{
    Options,
    Provider::{self, Juicyway, Revolv3},
};
use offboarding::failpoint::NAMES;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{
    draw::Draw,
    lane::{Lane, dead},
    oracle::Case,
    results::{Campaign, Figures},
    story::{Story, condition},
};

/// Deaths of a chain.
const DEATHS: u64 = 10;

/// Of ten deaths, this one comes at a random time.
const AT_RANDOM: u64 = 9;

/// After so many a person decides.
const MOST_ATTEMPTS: u64 = 3;

const SIGKILL: i32 = 9;

/// Control planes of a long campaign, and of a slice: chains wait more than they work.
const LANES: usize = 5;
const LANES_OF_A_SLICE: usize = 2;

/// Longer than an offboarding takes to come to any failpoint.
const ALIVE_AT_MOST: Duration = Duration::from_secs(15);

/// Once a request is finished it comes to no failpoint but the last ones.
const AFTER_ITS_END: Duration = Duration::from_secs(2);

/// Where each attempt passes once: a second pass needs a first attempt that was refused.
const ONCE_AN_ATTEMPT: &[&str] =
    &["relook.before", "relook.after", "reread.after", "permit.granted", "send.done"];

/// Where each request passes once.
const ONCE_A_REQUEST: &[&str] = &[
    "intent.create.before",
    "intent.put.before",
    "intent.after",
    "outcome.put.before",
    "outcome.put.after",
    "close.put.before",
    "close.put.after",
];

#[tokio::test]
async fn whoever_dies_wherever_each_customer_is_deleted_once_and_every_request_ends() {
    // Every failpoint with each provider once: the counts go on from chain to chain.
    let slice = u64::try_from(2 * NAMES.len()).unwrap().div_ceil(DEATHS - 1);
    let campaign = Campaign::of("kill", slice);
    let lanes = join_all(
        (0..if campaign.is_long() { LANES } else { LANES_OF_A_SLICE })
            .map(|_| Lane::open(Options::default())),
    );
    let free = Mutex::new(lanes.await);
    let at_once = free.lock().await.len();
    campaign
        .run(
            at_once,
            async |seed| {
                let lane = free.lock().await.pop().expect("as many runs as lanes");
                let ended = AssertUnwindSafe(chain(&lane, seed)).catch_unwind().await;
                free.lock().await.push(lane);
                ended.unwrap_or_else(|panic| resume_unwind(panic))
            },
            // Each lane has a history of its own, which its chains are judged by.
            Vec::new,
        )
        .await;
}

/// Failpoint and provider of a death: all of them, one after the other, whatever the seed.
fn point_of(seed: u64, death: u64) -> (&'static str, Provider) {
    let count = usize::try_from(seed * (DEATHS - 1) + death).unwrap();
    let provider = if (count / NAMES.len()).is_multiple_of(2) { Juicyway } else { Revolv3 };
    (NAMES[count % NAMES.len()], provider)
}

async fn chain(lane: &Lane, seed: u64) -> Figures {
    let mut draw = Draw::new("kill", seed);
    let story = lane.stage.story("kill").await;
    let approved = draw.once_in(3);
    // Longer than a chain: whoever dies all the time is late, and not wrong.
    let required = json!({"approvals": {"required": u32::from(approved)}, "verify": {"deadline": "10m"}});
    for provider in [Juicyway, Revolv3] {
        story.provider(provider, required.clone()).await;
    }
    if approved {
        story.cast().await;
    }
    let (mut cases, mut faults, mut figures) = (Vec::new(), Vec::new(), Figures::new());
    for death in 0..DEATHS {
        let (point, provider) = point_of(seed, death);
        let case = Case {
            request: format!("request-{death}"),
            provider,
            id: if provider == Juicyway { format!("cus_{death}") } else { (91_000 + death).to_string() },
        };
        story.sandbox.seed(provider, &case.id, &json!({})).await.unwrap();
        // Where everybody passes often, not always the first time.
        let hit = if ONCE_A_REQUEST.contains(&point) { 1 } else { 1 + draw.below(2) };
        let is_refused = point == "intent.put.before" || (hit > 1 && ONCE_AN_ATTEMPT.contains(&point));
        // An outcome is written down by itself where it is not the end: a refusal, or an answer that was lost.
        let is_lost = point.starts_with("outcome") && draw.once_in(2);
        let troubled = is_refused || point.starts_with("outcome") || draw.once_in(5);
        let trouble = if is_lost { lost_answer(&case) } else { first_refusal(&case) };
        arm(&story, &mut faults, troubled.then_some(trouble)).await;
        let counted = if death == AT_RANDOM {
            let mut operator = lane.operator("").await;
            story.request(&case.request, provider, &case.id).await;
            let by_itself = dead(&mut operator, Duration::from_millis(draw.below(3_000))).await;
            assert!(!by_itself, "it ended, and nobody killed it: {}", operator.tail());
            // Whoever an earlier death left is under way as well.
            let asked = cases.iter().chain([&case]).map(async |case| story.status(&case.request).await);
            let was_over = join_all(asked).await.iter().all(|status| status["finished"] == true);
            if was_over { "late:at-random" } else { "at-random" }.to_owned()
        } else {
            let mut operator = lane.operator(&format!("{point}=kill@{hit}")).await;
            story.request(&case.request, provider, &case.id).await;
            let killed = tokio::select! {
                by_itself = dead(&mut operator, ALIVE_AT_MOST) => by_itself,
                () = over(&story, &case, approved) => false,
            };
            // Whoever lives is killed here, and counts as late. Any other end is one that nobody asked for.
            let ended = operator.kill_hard().unwrap();
            assert_eq!(ended.signal(), Some(SIGKILL), "it ended by itself: {}", operator.tail());
            if killed { format!("at:{point}:{}", provider.name()) } else { format!("late:{point}") }
        };
        *figures.entry("kills".to_owned()).or_default() += u64::from(!counted.starts_with("late:"));
        *figures.entry(counted).or_default() += 1;
        cases.push(case);
    }
    ends(lane, &story, &cases, approved, &mut figures).await;
    figures
}

/// The request came to its end, and nobody died.
async fn over(story: &Story<'_>, case: &Case, approved: bool) {
    if approved {
        story.agrees_until_it_ends("bob", &case.request).await;
    }
    story.ends_in_time(&case.request).await;
    tokio::time::sleep(AFTER_ITS_END).await;
}

/// A later attempt needs an earlier one that was refused.
fn first_refusal(case: &Case) -> Value {
    let refused = json!({"kind": "rateLimit", "variant": "retryAfter", "seconds": 1});
    json!({"match": {"method": "DELETE", "customer": case.id}, "times": 1, "do": refused})
}

/// The customer is gone, and nobody is told.
fn lost_answer(case: &Case) -> Value {
    let lost = json!({"kind": "cut", "at": "afterApply", "how": "rst"});
    json!({"match": {"method": "DELETE", "customer": case.id}, "times": 1, "do": lost})
}

/// One fault more. The sandbox takes a whole list and counts anew: what struck already is not in it again.
async fn arm(story: &Story<'_>, faults: &mut Vec<Value>, next: Option<Value>) {
    let report = story.sandbox.faults().await.unwrap();
    let mut has_struck = report.as_array().into_iter().flatten().map(|fault| fault["hits"] != 0);
    faults.retain(|_| has_struck.next() == Some(false));
    faults.extend(next);
    story.sandbox.set_faults(&Value::from(faults.clone())).await.unwrap();
}

/// A process that lives brings all of it to an end.
async fn ends(lane: &Lane, story: &Story<'_>, cases: &[Case], approved: bool, figures: &mut Figures) {
    let _operator = lane.leader().await;
    // Together: who agrees to one request only once another one is done keeps all of them waiting.
    let ended = join_all(cases.iter().map(async |case| {
        if approved {
            story.agrees_until_it_ends("bob", &case.request).await;
        }
        (case, story.ends_in_time(&case.request).await, story.judge(case).await)
    }));
    for (case, status, deletes) in ended.await {
        *figures.entry("deletes".to_owned()).or_default() += deletes;
        if is_exhausted(&status) {
            *figures.entry("exhausted".to_owned()).or_default() += 1;
            assert_eq!(may_have_left(story, case).await, MOST_ATTEMPTS, "{case:?} gives up: {status:#}");
            let truth = story.sandbox.truth(case.provider, &case.id).await.unwrap();
            let is_there = truth["exists"] == true && truth["active"] != false;
            assert!(deletes <= MOST_ATTEMPTS && is_there, "{case:?}: {deletes} DELETEs, and {truth:#}");
        } else {
            assert_eq!(status["result"], case.success(), "{case:?}: {status:#}");
            assert!(deletes >= 1, "{case:?} says that it is done, and nobody sent a DELETE");
        }
    }
    story.judged().await;
    assert_eq!(lane.history.wrong(), [""; 0]);
}

/// Three processes died with an attempt of this request on its way: a person decides then.
fn is_exhausted(status: &Value) -> bool {
    status["result"] == "Failed" && condition(status, "Stalled")["reason"] == "AttemptsExhausted"
}

/// How many attempts of a case may have reached the provider, by its record.
async fn may_have_left(story: &Story<'_>, case: &Case) -> u64 {
    let records = story.records().await;
    let of_case = records.iter().filter(|record| record["spec"]["request"]["name"] == *case.request);
    let attempts = of_case.flat_map(|record| record["spec"]["attempts"].as_array().into_iter().flatten());
    u64::try_from(attempts.filter(|attempt| attempt["outcome"] != "NotSent").count()).unwrap()
}
