//! Offboardings for a long time, with faults on both sides: afterwards the operator is as it was. T13 of reliability.md.
//!
//! `SOAK_MINUTES` (1), at 34 offboardings a minute: an hour is 2,000.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use harness::{
    ApiFault, ApiMatch, ApiProxy, ApiStrike, Options, Process,
    Provider::{Juicyway, Revolv3},
};
use serde_json::{Value, json};

use crate::{
    draw::Draw,
    lane::Lane,
    oracle::Case,
    results::{Campaign, Figures},
};

const A_MINUTE: u64 = 34;

/// How long the run takes that the report asks for.
const AN_HOUR: u64 = 60;

/// A namespace and a sandbox for so many offboardings, which are under way together.
const BATCH: u64 = 17;

/// Of a hundred offboardings, so many meet a fault on each side.
const STRUCK: u64 = 15;

/// What a process holds of the machine.
#[derive(Clone, Copy, Debug)]
struct Held {
    resident_kib: u64,
    files: u64,
    threads: u64,
}

impl Held {
    fn by(process: &Process) -> Held {
        let of = |what: &str| format!("/proc/{}/{what}", process.id());
        let status = fs::read_to_string(of("status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let count = |what: &str| u64::try_from(fs::read_dir(of(what)).unwrap().count()).unwrap();
        Held {
            resident_kib: resident.trim().trim_end_matches(" kB").parse().unwrap(),
            files: count("fd"),
            threads: count("task"),
        }
    }

    /// What is held at most moments: the median of each.
    fn usual(moments: &[Held]) -> Held {
        let median = |of: fn(&Held) -> u64| {
            let mut all: Vec<u64> = moments.iter().map(of).collect();
            all.sort_unstable();
            all[all.len() / 2]
        };
        Held {
            resident_kib: median(|held| held.resident_kib),
            files: median(|held| held.files),
            threads: median(|held| held.threads),
        }
    }
}

#[tokio::test]
async fn after_many_offboardings_the_operator_is_as_it_was() {
    let minutes = std::env::var("SOAK_MINUTES").map_or(1, |minutes| minutes.parse().unwrap());
    // A shorter one is on record as what it is: it neither counts as the hour nor stands in its way.
    let part = if minutes >= AN_HOUR { "soak" } else { "soak-short" };
    Campaign::of(part, 1).run(1, async |seed| soak(seed, minutes).await, Vec::new).await;
}

async fn soak(seed: u64, minutes: u64) -> Figures {
    let lane = Lane::open(Options::default()).await;
    let proxy = ApiProxy::start(&lane.stage.plane).await.unwrap();
    let mut operator = lane.leader_behind(&proxy).await;
    let mut draw = Draw::new("soak", seed);
    let quiet_before = calls_in_quiet(&proxy).await;
    let (begun, batches) = (Instant::now(), (minutes * A_MINUTE).div_ceil(BATCH));
    let mut figures = Figures::new();
    let mut held = Vec::new();
    for batch in 0..batches {
        play(&lane, &proxy, &mut draw, &mut figures).await;
        held.push(Held::by(&operator));
        let due = Duration::from_secs(60) * u32::try_from((batch + 1) * BATCH).unwrap()
            / u32::try_from(A_MINUTE).unwrap();
        tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
    }
    assert_eq!(lane.history.wrong(), [""; 0]);
    assert!(operator.exit_status().unwrap().is_none(), "it ended: {}", operator.tail());
    let quiet_after = calls_in_quiet(&proxy).await;
    let residents: Vec<u64> = held.iter().map(|held| held.resident_kib).collect();
    println!("{minutes} minutes: {residents:?} KiB; calls in quiet {quiet_before}, {quiet_after}");
    // What an allocator keeps settles within the first of many batches, and says little at any one moment.
    let (begin, middle) = (held.len() / 3, held.len() * 2 / 3);
    let (first, last) = (Held::usual(&held[begin..middle]), Held::usual(&held[middle..]));
    assert!(
        last.files <= first.files + 64 && last.threads <= first.threads + 16,
        "{first:?} became {last:?}"
    );
    if minutes >= 30 {
        assert!(
            last.files <= first.files + 16 && last.threads <= first.threads + 4,
            "{first:?} became {last:?}"
        );
        assert!(last.resident_kib <= first.resident_kib + 1024, "{first:?} became {last:?}");
    }
    assert!(quiet_after <= quiet_before + 5, "{quiet_after} calls in quiet, {quiet_before} before");
    figures
}

/// Requests of the operator in ten seconds in which nothing happens, but for its lease.
async fn calls_in_quiet(proxy: &ApiProxy) -> u64 {
    let all = || -> u64 {
        let counts = proxy.counts();
        counts.iter().filter(|(what, _)| !what.ends_with(" leases")).map(|(_, count)| count).sum()
    };
    let before = all();
    tokio::time::sleep(Duration::from_secs(10)).await;
    all() - before
}

async fn play(lane: &Lane, proxy: &ApiProxy, draw: &mut Draw, figures: &mut Figures) {
    let story = lane.stage.story("soak").await;
    for provider in [Juicyway, Revolv3] {
        story.provider(provider, json!({"verify": {"deadline": "5m"}})).await;
    }
    // A batch comes faster than a tenant may ask there: the limit is another test's matter.
    story.sandbox.configure(Revolv3, &json!({"rateLimit": {"perSecond": 0, "per15m": 0}})).await.unwrap();
    let (mut cases, mut faults) = (Vec::new(), Vec::new());
    for n in 0..BATCH {
        let (provider, id) = if draw.once_in(2) {
            (Juicyway, format!("cus_{n}"))
        } else {
            (Revolv3, (91_000 + n).to_string())
        };
        story.sandbox.seed(provider, &id, &json!({})).await.unwrap();
        if draw.below(100) < STRUCK {
            faults.push(
                json!({"match": {"customer": id}, "skip": draw.below(5), "times": 1, "do": fault(draw)}),
            );
        }
        if draw.below(100) < STRUCK {
            strike(proxy, story.namespace.name(), draw);
        }
        cases.push(Case { request: format!("request-{n}"), provider, id });
    }
    story.sandbox.set_faults(&Value::from(faults)).await.unwrap();
    for case in &cases {
        story.request(&case.request, case.provider, &case.id).await;
    }
    for case in &cases {
        let status = story.ends_in_time(&case.request).await;
        let deletes = story.judge(case).await;
        assert_eq!(status["result"], case.success(), "{case:?}: {status:#}");
        for (name, count) in [("offboardings", 1), ("deletes", deletes)] {
            *figures.entry(name.to_owned()).or_default() += count;
        }
    }
    story.judged().await;
    proxy.spare(story.namespace.name());
    // What is in the cluster is in the watches' caches, and a connection is held for as long as its provider object: more of them
    // each minute would be no leak. The records stay.
    for case in &cases {
        story.remove("CustomerOffboarding", &case.request).await;
    }
    for provider in [Juicyway, Revolv3] {
        story.remove("OffboardingProvider", provider.name()).await;
    }
}

/// A fault that an offboarding overcomes.
fn fault(draw: &mut Draw) -> Value {
    draw.one(&[
        json!({"kind": "latency", "ms": 1_000, "at": "afterApply"}),
        json!({"kind": "cut", "at": "beforeApply", "how": "rst"}),
        json!({"kind": "cut", "at": "afterApply", "how": "fin"}),
        json!({"kind": "status", "status": 503, "apply": false}),
        json!({"kind": "rateLimit", "variant": "retryAfter", "seconds": 1, "apply": false}),
        json!({"kind": "json", "variant": "truncated"}),
    ])
    .clone()
}

fn strike(proxy: &ApiProxy, namespace: &str, draw: &mut Draw) {
    let (verb, resource) = *draw.one(&[
        ("create", "offboardingrecords"),
        ("update", "offboardingrecords"),
        ("update", "customeroffboardings/status"),
        ("get", "customeroffboardings"),
        ("get", "secrets"),
    ]);
    let strikes = BTreeMap::from([
        (0, ApiStrike::Reset),
        (1, ApiStrike::Status { code: 500, retry_after: None }),
        (2, ApiStrike::Status { code: 429, retry_after: Some("1") }),
        (3, ApiStrike::Late(Duration::from_millis(800))),
    ]);
    proxy.strike(ApiFault {
        matches: ApiMatch {
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            about: namespace.to_owned(),
        },
        skip: u32::try_from(draw.below(10)).unwrap(),
        times: 1,
        strike: strikes[&draw.below(4)].clone(),
        applies: draw.once_in(2),
    });
}
