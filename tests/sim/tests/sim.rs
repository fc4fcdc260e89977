//! Whole histories by seed: `SIM_SEEDS=n` and `SIM_FIRST=n` say which, `SIM_SEED=n` prints one, `SIM_BUG=name` takes one rule away.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

#[path = "../../campaign/tree.rs"]
mod tree;

use sim::{
    MUST_HAPPEN, Scenario,
    bugs::Bug::{self, *},
    run, run_seed, shrink,
};
use tree::Tree;

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
    let (at, begun) = (SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default(), Instant::now());
    let first = number("SIM_FIRST").unwrap_or(0);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let record = number("SIM_SEEDS").map(|_| Tree::of(&root, "sim").expect("Git says what is run"));
    let sum = visit(first, number("SIM_SEEDS"));
    let failed = wrong(&sum);
    if let Some(tree) = record {
        let line = line_of(&tree, first, &sum, (at, begun.elapsed()), failed.as_deref());
        put_on_record(&root, &line).expect("the run can be put on record");
    }
    if let Some(seed) = sum.broken {
        panic!("{}", told(seed, None));
    }
    println!("{} histories, {} steps, {:.1} s", sum.histories, sum.steps, begun.elapsed().as_secs_f64());
    for (name, times) in &sum.figures {
        println!("{times:>10}  {name}");
    }
    assert_eq!(failed, None);
}

/// A broken promise. A run without one says nothing where the interesting things never happened.
fn wrong(sum: &Sum) -> Option<String> {
    if let Some(seed) = sum.broken {
        return Some(format!("seed {seed} breaks a promise"));
    }
    let missing: Vec<&str> =
        MUST_HAPPEN.iter().copied().filter(|name| !sum.figures.contains_key(name)).collect();
    (sum.histories >= FEWEST && !missing.is_empty())
        .then(|| format!("never happened: {}", missing.join(", ")))
}

/// Beside the runs of the other campaigns: `make campaign-report` counts it. See `tests/campaign/report.rs`.
fn line_of(
    tree: &Tree,
    first: u64,
    sum: &Sum,
    (at, took): (Duration, Duration),
    failed: Option<&str>,
) -> String {
    let Tree { id, commit, clean } = tree;
    let (histories, steps) = (sum.histories, sum.steps);
    let (begun, seconds) = (at.as_secs_f64(), took.as_secs_f64());
    let failed = failed.map_or_else(String::new, |why| format!(r#","failed":"{why}""#));
    format!(
        r#"{{"part":"sim","tree":"{id}","commit":"{commit}","clean":{clean},"seed":{first},"begun":{begun},"seconds":{seconds},"figures":{{"histories":{histories},"steps":{steps}}}{failed}}}"#
    )
}

fn put_on_record(root: &Path, line: &str) -> std::io::Result<()> {
    let directory = root.join("target/campaign");
    std::fs::create_dir_all(&directory)?;
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(directory.join("sim.jsonl"))?;
    std::io::Write::write_all(&mut file, format!("{line}\n").as_bytes())
}

#[test]
fn a_range_that_breaks_a_promise_or_meets_too_little_is_on_record_as_one_that_failed() {
    let tree = Tree { id: "abc".to_owned(), commit: "def".to_owned(), clean: true };
    let line = |sum: &Sum| {
        let times = (Duration::from_secs(5), Duration::from_secs(2));
        line_of(&tree, 7, sum, times, wrong(sum).as_deref())
    };
    let passed = Sum {
        figures: MUST_HAPPEN.iter().map(|name| (*name, 1)).collect(),
        histories: FEWEST,
        ..Sum::default()
    };
    let start =
        r#"{"part":"sim","tree":"abc","commit":"def","clean":true,"seed":7,"begun":5,"seconds":2,"figures":"#;
    assert_eq!(line(&passed), format!(r#"{start}{{"histories":1000,"steps":0}}}}"#));
    let broken = Sum { broken: Some(9), ..Sum::default() };
    let failed = r#"{"histories":0,"steps":0},"failed":"seed 9 breaks a promise"}"#;
    assert_eq!(line(&broken), format!("{start}{failed}"));
    let dull = Sum { histories: FEWEST, ..Sum::default() };
    assert!(line(&dull).contains(r#","failed":"never happened: "#), "{}", line(&dull));
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

/// Rules taken away: the invariants of which one breaks first, and a seed that met it last time, which is tried before the others.
const MISSED: &[(Bug, &[&str], u64)] = &[
    (WritesWithoutResourceVersion, &["S5", "S8", "S10"], 20),
    (TakesAnOpenRecordOver, &["S10"], 12),
    (SendsBeforeTheRecordExists, &["S4"], 2),
    (JudgesApprovalsOnlyBeforeTheIntent, &["S1"], 6),
    (DoesNotReadTheRequestAgain, &["S3"], 37),
    (DoesNotReadHoldsAgain, &["S3"], 95),
    (DoesNotLookAgain, &["S6"], 442),
    (HasNoSettleWindow, &["S5", "S7", "S10"], 22),
    (MatchesApprovalsByUidAlone, &["S1"], 8),
    (BelievesA2xx, &["S7"], 70),
    (IgnoresTheSendDeadline, &["S4"], 7),
    (IgnoresTheLag, &["S7"], 7),
    (ClosesWhenTheRequestIsDeleted, &["S10", "S4"], 12),
    (TidiesUpForOthers, &["S4", "S5", "budget"], 111),
    (TakesSilenceForAbsence, &["S7"], 101),
    (TriesForEver, &["S5"], 70),
    (OpensAClosedRecordAgain, &["S8"], 2),
    (WindowWithoutTheLifetime, &["S5", "S7", "S10"], 29),
    (CountsOneApproverTwice, &["S1"], 2),
    (IsContentWithOneApproval, &["S1"], 4),
    (ChecksExpiryOnlyBeforeTheIntent, &["S1"], 6),
    (CountsTheBudgetAfterTheSend, &["budget"], 2),
    (BeginsBeforeAllAreClear, &["barrier"], 100),
    (KeepsThePermitForARetry, &["S5"], 3),
    (TakesNoAnswerForYes, &["S4"], 120),
    (TellsTheEndBeforeTheRecordIsClosed, &["S8"], 2),
    (HasNoOrphanSweep, &["L1"], 12),
    (BelievesALookBeforeTheControl, &["S7"], 45_180),
    (FindsRecordsByTheirNamesAlone, &["S8"], 60_827),
];

/// A missing rule is met within so many seeds.
const WITHIN: u64 = 3_000;

#[test]
fn every_rule_that_is_taken_away_is_missed() {
    let mut wrong = Vec::new();
    let only = std::env::var("SIM_BUG").ok();
    for (bug, invariants, known) in
        MISSED.iter().filter(|(bug, ..)| only.as_ref().is_none_or(|name| *name == format!("{bug:?}")))
    {
        let begun = Instant::now();
        let (first, within) = (number("SIM_FIRST").unwrap_or(0), number("SIM_WITHIN").unwrap_or(WITHIN));
        let found = std::iter::once(*known)
            .chain(first..first + within)
            .find_map(|seed| Some((seed, run_seed(seed, Some(*bug)).broken?)));
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
    let named: std::collections::BTreeSet<Bug> = MISSED.iter().map(|(bug, ..)| *bug).collect();
    assert_eq!(named, Bug::ALL.iter().copied().collect());
}
