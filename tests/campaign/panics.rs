//! A pass panics, at every failpoint: it ends itself alone. The process lives, others go on beside it, and the request that it was
//! about is looked at again after five minutes, or when somebody asks for it.
//!
//! A seed is one panic: of a process of its own, with a request that meets it and one that comes after.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, resume_unwind},
    time::Duration,
};

use futures::{FutureExt as _, future::join_all};
use harness::{
    Options,
    Provider::{self, Juicyway, Revolv3},
};
use offboarding::failpoint::NAMES;
use serde_json::json;
use tokio::sync::Mutex;

use crate::{
    draw::Draw,
    lane::Lane,
    oracle::Case,
    results::{Campaign, Figures},
};

/// Control planes: a process leads each alone.
const LANES: usize = 2;

/// Much longer than a request takes; where the kind has ended, it never ends.
const IN_TIME: Duration = Duration::from_secs(120);

/// Who passes here has been refused before, or has an outcome that is not the end.
const AFTER_A_REFUSAL: &[&str] = &["intent.put.before", "outcome.put.before", "outcome.put.after"];

/// The first few are from everywhere: each fifth of the names. Their number is odd, so each has the other provider the next time.
const STEP: usize = 5;

fn point_of(seed: u64) -> (&'static str, Provider) {
    let seed = usize::try_from(seed).unwrap();
    let provider = if seed.is_multiple_of(2) { Juicyway } else { Revolv3 };
    (NAMES[seed * STEP % NAMES.len()], provider)
}

#[tokio::test]
async fn whichever_pass_panics_the_process_lives_and_every_request_ends() {
    let campaign = Campaign::of("panics", 8);
    let lanes = join_all((0..LANES).map(|_| Lane::open(Options::default()))).await;
    let free = Mutex::new(lanes);
    campaign
        .run(
            LANES,
            async |seed| {
                let lane = free.lock().await.pop().expect("as many runs as lanes");
                let ended = AssertUnwindSafe(one(&lane, seed)).catch_unwind().await;
                free.lock().await.push(lane);
                ended.unwrap_or_else(|panic| resume_unwind(panic))
            },
            Vec::new,
        )
        .await;
}

async fn one(lane: &Lane, seed: u64) -> Figures {
    let mut draw = Draw::new("panics", seed);
    let (point, provider) = point_of(seed);
    let story = lane.stage.story("panic").await;
    story.provider(provider, json!({"verify": {"deadline": "5m"}})).await;
    let ids = if provider == Juicyway { ["cus_1", "cus_2"] } else { ["91001", "91002"] };
    let cases = ["met", "after"].into_iter().zip(ids).map(|(request, id)| Case {
        request: request.to_owned(),
        provider,
        id: id.to_owned(),
    });
    let cases: Vec<Case> = cases.collect();
    for case in &cases {
        story.sandbox.seed(provider, &case.id, &json!({})).await.unwrap();
    }
    if AFTER_A_REFUSAL.contains(&point) || draw.once_in(4) {
        let limited = json!({"kind": "rateLimit", "variant": "retryAfter", "seconds": 1, "apply": false});
        let first = json!([{"match": {"method": "DELETE", "customer": ids[0]}, "times": 1, "do": limited}]);
        story.sandbox.set_faults(&first).await.unwrap();
    }
    let launch = lane.stage.launch.clone().env("FAILPOINTS", format!("{point}=panic"));
    let mut operator = lane.leads(&launch).await;
    let [met, after] = &cases[..] else { unreachable!("two") };
    story.request(&met.request, provider, &met.id).await;
    // Since it leads: the log has what earlier processes of the lane said, too.
    let met_it = operator.wait_for_line(|line| line.contains("panicked place"), IN_TIME).await;
    met_it.unwrap_or_else(|why| panic!("nobody came to {point}: {why}"));
    story.request(&after.request, provider, &after.id).await;
    let mut deletes = 0;
    for case in [after, met] {
        // Whoever was met has nothing to wait for but five minutes; for whoever was not, it changes nothing.
        story.retry(&case.request, "after the panic").await;
        let ended = tokio::time::timeout(IN_TIME, story.ends_in_time(&case.request)).await;
        let Ok(status) = ended else {
            let status = story.status(&case.request).await;
            panic!("{case:?} does not go on after a panic at {point}: {status:#}\n{}", operator.tail());
        };
        assert_eq!(status["result"], case.success(), "{point}: {status:#}");
        deletes += story.judge(case).await;
        story.judge_checks(case, |_| false).await;
    }
    assert_eq!(operator.exit_status().unwrap(), None, "{point}: {}", operator.tail());
    operator.kill_hard().unwrap();
    story.judged().await;
    BTreeMap::from([("panics".to_owned(), 1), ("deletes".to_owned(), deletes), (point.to_owned(), 1)])
}

#[test]
fn a_panic_comes_at_every_failpoint_with_both_providers() {
    let met: BTreeSet<_> = (0..2 * NAMES.len() as u64).map(|seed| format!("{:?}", point_of(seed))).collect();
    assert_eq!(met.len(), 2 * NAMES.len());
}
