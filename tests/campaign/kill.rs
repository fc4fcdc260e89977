//! The operator dies at every failpoint, and at random: chains of deaths, each process taking over what the ones before it left.
//!
//! A chain is one seed: ten processes, each with a new request, and one that brings all of them to their end.

use std::{
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

/// Control planes of a long campaign: chains wait more than they work.
const LANES: usize = 5;

/// Longer than an offboarding takes to come to any failpoint.
const ALIVE_AT_MOST: Duration = Duration::from_secs(15);

#[tokio::test]
async fn whoever_dies_wherever_each_customer_is_deleted_once_and_every_request_ends() {
    // Every failpoint with each provider once: the counts go on from chain to chain.
    let slice = u64::try_from(2 * NAMES.len()).unwrap().div_ceil(DEATHS - 1);
    let campaign = Campaign::of("kill", slice);
    let lanes =
        join_all((0..if campaign.is_long() { LANES } else { 1 }).map(|_| Lane::open(Options::default())));
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
        faults.extend(first_refusal(&case, point, &mut draw));
        story.sandbox.set_faults(&Value::from(faults.clone())).await.unwrap();
        let by_itself = if death == AT_RANDOM {
            let mut operator = lane.operator("").await;
            story.request(&case.request, provider, &case.id).await;
            dead(&mut operator, Duration::from_millis(draw.below(3_000))).await
        } else {
            // Where everybody passes often, not always the first time.
            let hit = if point.starts_with("intent") { 1 } else { 1 + draw.below(2) };
            let mut operator = lane.operator(&format!("{point}=kill@{hit}")).await;
            story.request(&case.request, provider, &case.id).await;
            let agreed = async {
                if approved {
                    story.agree("bob", &case.request).await;
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                by_itself = dead(&mut operator, ALIVE_AT_MOST) => by_itself,
                () = agreed => unreachable!("it never ends"),
            }
        };
        let what = if death == AT_RANDOM {
            "at-random".to_owned()
        } else {
            format!("at:{point}:{}", provider.name())
        };
        let counted = if by_itself || death == AT_RANDOM { what } else { format!("late:{point}") };
        *figures.entry(counted).or_default() += 1;
        *figures.entry("kills".to_owned()).or_default() += 1;
        cases.push(case);
    }
    ends(lane, &story, &cases, approved, &mut figures).await;
    figures
}

/// A later attempt needs an earlier one that was refused; every fifth request has one, too.
fn first_refusal(case: &Case, point: &str, draw: &mut Draw) -> Option<Value> {
    let refused = json!({"kind": "rateLimit", "variant": "retryAfter", "seconds": 1});
    let needed = point == "intent.put.before" || draw.once_in(5);
    needed.then(|| json!({"match": {"method": "DELETE", "customer": case.id}, "times": 1, "do": refused}))
}

/// A process that lives brings all of it to an end.
async fn ends(lane: &Lane, story: &Story<'_>, cases: &[Case], approved: bool, figures: &mut Figures) {
    let _operator = lane.leader().await;
    for case in cases {
        if approved {
            story.agrees_until_it_ends("bob", &case.request).await;
        }
        let status = story.ends_in_time(&case.request).await;
        let deletes = story.judge(case).await;
        *figures.entry("deletes".to_owned()).or_default() += deletes;
        if is_exhausted(&status) {
            *figures.entry("exhausted".to_owned()).or_default() += 1;
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
