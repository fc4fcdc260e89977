//! Whole histories by seed: `SIM_SEEDS=n` and `SIM_FIRST=n` say which, `SIM_SEED=n` prints one, `SIM_BUG=name` takes one rule away.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sim::{
    MUST_HAPPEN, Scenario,
    bugs::Bug::{self, *},
    run, run_seed, shrink,
};

/// How long the seeds may take where nobody says how many.
const A_MINUTE: Duration = Duration::from_secs(60);

/// Fewer seeds than these do not meet everything that must be met.
const FEWEST: u64 = 1_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The shortest history of a seed that breaks a promise.
fn told(seed: u64, bug: Option<Bug>) -> String {
    let (scenario, story) = shrink(&Scenario::draw(seed), bug);
    let Some(broken) = &story.broken else { return format!("seed {seed} breaks nothing") };
    format!(
        "seed {seed} breaks {}: {}\n{:?}\n{:#?}\n{}",
        broken.invariant,
        broken.why,
        scenario.timing,
        scenario.troubles,
        story.trace.join("\n")
    )
}

#[derive(Default)]
struct Sum {
    figures: BTreeMap<&'static str, u64>,
    histories: u64,
    steps: u64,
    broken: Option<u64>,
}

fn visit(first: u64, count: Option<u64>) -> Sum {
    let (next, stop, begun) = (AtomicU64::new(first), AtomicBool::new(false), Instant::now());
    let sum = Mutex::new(Sum::default());
    let is_enough = |seed: u64| match count {
        Some(count) => seed >= first.saturating_add(count),
        None => seed >= first + FEWEST && begun.elapsed() > A_MINUTE,
    };
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if is_enough(seed) {
                break;
            }
            let story = run_seed(seed, None);
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            sum.histories += 1;
            sum.steps += story.steps;
            for (name, times) in story.figures {
                *sum.figures.entry(name).or_default() += times;
            }
            if story.broken.is_some() {
                sum.broken = Some(sum.broken.map_or(seed, |other| other.min(seed)));
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    sum.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn no_history_breaks_a_promise() {
    if let Some(seed) = number("SIM_SEED") {
        let story = run(&Scenario::draw(seed), None, true);
        println!("{}\n{:?}", story.trace.join("\n"), story.broken);
        return;
    }
    let begun = Instant::now();
    let first = number("SIM_FIRST").unwrap_or(0);
    let sum = visit(first, number("SIM_SEEDS"));
    if let Some(seed) = sum.broken {
        panic!("{}", told(seed, None));
    }
    println!("{} histories, {} steps, {:.1} s", sum.histories, sum.steps, begun.elapsed().as_secs_f64());
    for (name, times) in &sum.figures {
        println!("{times:>10}  {name}");
    }
    // A run without a broken promise says nothing where the interesting things never happened.
    if sum.histories >= FEWEST {
        let missing: Vec<_> = MUST_HAPPEN.iter().filter(|name| !sum.figures.contains_key(*name)).collect();
        assert!(missing.is_empty(), "never happened: {missing:?}");
    }
}

#[test]
fn two_runs_of_one_seed_are_the_same() {
    for seed in 0..20 {
        let (one, other) = (run_seed(seed, None), run(&Scenario::draw(seed), None, true));
        assert_eq!((one.hash, one.steps), (other.hash, other.steps), "seed {seed}");
    }
    let hashes: std::collections::BTreeSet<u64> = (0..20).map(|seed| run_seed(seed, None).hash).collect();
    assert_eq!(hashes.len(), 20, "different seeds are different histories");
}

/// Rules taken away: the invariants of which one breaks first.
const MISSED: &[(Bug, &[&str])] = &[
    (WritesWithoutResourceVersion, &["S5", "S8", "S10"]),
    (TakesAnOpenRecordOver, &["S10"]),
    (SendsBeforeTheRecordExists, &["S4"]),
    (JudgesApprovalsOnlyBeforeTheIntent, &["S1"]),
    (DoesNotReadTheRequestAgain, &["S3"]),
    (DoesNotReadHoldsAgain, &["S3"]),
    (DoesNotLookAgain, &["S6"]),
    (HasNoSettleWindow, &["S5", "S7", "S10"]),
    (MatchesApprovalsByUidAlone, &["S1"]),
    (BelievesA2xx, &["S7"]),
    (IgnoresTheSendDeadline, &["S4"]),
    (IgnoresTheLag, &["S7"]),
    (ClosesWhenTheRequestIsDeleted, &["S10", "S4"]),
    (TidiesUpForOthers, &["S4", "S5", "budget"]),
    (TakesSilenceForAbsence, &["S7"]),
    (TriesForEver, &["S5"]),
    (OpensAClosedRecordAgain, &["S8"]),
    (WindowWithoutTheLifetime, &["S5", "S7", "S10"]),
    (CountsOneApproverTwice, &["S1"]),
    (IsContentWithOneApproval, &["S1"]),
    (ChecksExpiryOnlyBeforeTheIntent, &["S1"]),
    (CountsTheBudgetAfterTheSend, &["budget"]),
    (BeginsBeforeAllAreClear, &["barrier"]),
    (KeepsThePermitForARetry, &["S5"]),
    (TakesNoAnswerForYes, &["S4"]),
    (TellsTheEndBeforeTheRecordIsClosed, &["S8"]),
    (HasNoOrphanSweep, &["L1"]),
];

/// A missing rule is met within so many seeds.
const WITHIN: u64 = 3_000;

#[test]
fn every_rule_that_is_taken_away_is_missed() {
    let mut wrong = Vec::new();
    let only = std::env::var("SIM_BUG").ok();
    for (bug, invariants) in
        MISSED.iter().filter(|(bug, _)| only.as_ref().is_none_or(|name| *name == format!("{bug:?}")))
    {
        let begun = Instant::now();
        let within = number("SIM_WITHIN").unwrap_or(WITHIN);
        let found = (0..within).find_map(|seed| Some((seed, run_seed(seed, Some(*bug)).broken?)));
        match found {
            None => wrong.push(format!("{bug:?}: {within} seeds, nothing broken")),
            Some((seed, broken)) => {
                let took = begun.elapsed().as_secs_f64();
                println!("{bug:?}: {} by seed {seed}, {took:.1} s", broken.invariant);
                if !invariants.contains(&broken.invariant) {
                    wrong.push(format!("{bug:?} breaks {broken:?}, not {invariants:?}, by seed {seed}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let named: std::collections::BTreeSet<Bug> = MISSED.iter().map(|(bug, _)| *bug).collect();
    assert_eq!(named, Bug::ALL.iter().copied().collect());
}
