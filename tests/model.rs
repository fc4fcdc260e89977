//! The production decision under every order of crashes, old reads, lost answers and people. The model itself is `tests/model/`.
//!
//! `MODEL_TROUBLES=3 cargo test --release --test model` asks for one trouble more in every history.

#[path = "model/consent.rs"]
mod consent;

use std::collections::BTreeSet;

use model::{
    Bounds, GOALS, Kind, Run,
    bugs::Bug::{self, *},
};

const TWO: Bounds = Bounds { troubles: 2, requests: 2, intents: 2, processes: 2, only_the_network: false };
const ONE: Bounds = Bounds { requests: 1, ..TWO };
/// Five intents of one request, and nothing but requests that are lost, refused or answered without being executed.
const NETWORK: Bounds = Bounds { troubles: 4, requests: 1, intents: 5, processes: 1, only_the_network: true };

const fn with(troubles: u8, bounds: Bounds) -> Bounds {
    Bounds { troubles, ..bounds }
}

/// How many troubles `MODEL_TROUBLES` asks for beyond two.
fn more_troubles() -> u8 {
    let asked = std::env::var("MODEL_TROUBLES").ok().and_then(|text| text.parse::<u8>().ok()).unwrap_or(2);
    asked.saturating_sub(2)
}

/// One trouble more for each that `MODEL_TROUBLES` asks for beyond two.
fn asked_for(bounds: Bounds) -> Bounds {
    Bounds { troubles: bounds.troubles + more_troubles(), ..bounds }
}

fn visit(name: &str, kind: Kind, bounds: Bounds) -> Run {
    let run = model::run(kind, asked_for(bounds), None);
    println!(
        "{name}: {} states, depth {}, {:.0} s; {} records, {} questions",
        run.states, run.depth, run.seconds, run.records, run.questions
    );
    if let Some((promises, history)) = &run.broken {
        panic!("{name} breaks: {}\n  {}", promises.join(", "), history.join("\n  "));
    }
    run
}

/// Every decision that can follow where no approval, check, missing provider, Secret or key is in play.
const DECISIONS: &[&str] = &[
    "Close AlreadyAbsent/Absent",
    "Close AlreadyAbsent/Inactive",
    "Close Cancelled/Cancelled",
    "Close Deactivated/Absent",
    "Close Deactivated/Inactive",
    "Close Erased/Absent",
    "Close Failed/AttemptsExhausted",
    "Close Failed/CustomerNotFound",
    "Close Failed/StillPresent",
    "Close Recreated/Recreated",
    "Close Unverified/NotObservable",
    "Delete",
    "Finished AlreadyAbsent/Absent",
    "Finished AlreadyAbsent/Inactive",
    "Finished Cancelled/Cancelled",
    "Finished Deactivated/Absent",
    "Finished Deactivated/Inactive",
    "Finished Erased/Absent",
    "Finished Failed/AttemptsExhausted",
    "Finished Failed/CustomerNotFound",
    "Finished Failed/StillPresent",
    "Finished Recreated/Recreated",
    "Finished Unverified/NotObservable",
    "SaveOutcome",
    "Stop AccountChanged",
    "Stop Duplicate",
    "Stop PlanChanged",
    "Stop Refused",
    "Stop Resurrected",
    "Wait AnotherAddress",
    "Wait AnotherCredential",
    "Wait AuthRefused",
    "Wait Confirming",
    "Wait Control",
    "Wait Lag",
    "Wait Provider",
    "Wait ProviderSuspended",
    "Wait Retry",
    "Wait SecondLook",
    "Wait Settling",
    "Wait StillThere",
    "Wait Suspended",
];

#[test]
fn no_order_of_events_deletes_the_wrong_thing() {
    let runs = [
        visit("a provider that deletes", Kind::Hard, TWO),
        visit("a provider that shows nothing of a deactivation", Kind::Unobservable, TWO),
        visit("a provider that shows the deactivation", Kind::Soft, ONE),
        visit("two requests where the deactivation shows", Kind::Soft, with(1, TWO)),
        visit("five attempts on a bad network", Kind::Hard, NETWORK),
    ];
    // A run without a broken promise says nothing where the interesting things never happened.
    let goals: BTreeSet<&str> = runs.iter().flat_map(|run| run.goals.iter().copied()).collect();
    assert_eq!(goals, GOALS.iter().map(|goal| goal.0).collect());
    let produced: BTreeSet<&str> =
        runs.iter().flat_map(|run| run.produced.iter().map(String::as_str)).collect();
    assert_eq!(produced, DECISIONS.iter().copied().collect());
    assert_eq!(runs[0].never_fired, BTreeSet::new());
}

#[test]
fn from_every_state_calm_leads_to_an_end() {
    for (name, kind, bounds) in [
        ("a provider that deletes", Kind::Hard, with(1, TWO)),
        ("a provider that deletes, one request", Kind::Hard, ONE),
        ("a provider that shows nothing of a deactivation", Kind::Unobservable, ONE),
        ("a provider that shows the deactivation", Kind::Soft, with(1, ONE)),
    ] {
        let calm = model::calm(kind, asked_for(bounds));
        println!("{name}: {} states, {:.0} s", calm.states, calm.seconds);
        assert!(calm.stuck.is_empty(), "{name}: {:#?}", calm.stuck);
    }
}

/// Rules taken away: which run misses each, and which promise it breaks first.
const MISSED: &[(Bug, Kind, Bounds, &str)] = &[
    (WritesWithoutResourceVersion, Kind::Hard, with(0, ONE), "nothing moves back"),
    (TakesAnOpenRecordOver, Kind::Hard, with(0, TWO), "nothing moves back"),
    (SendsBeforeTheRecordExists, Kind::Hard, with(0, ONE), "written ahead"),
    (DoesNotReadTheRequestAgain, Kind::Hard, with(1, ONE), "nothing after a stop"),
    (DoesNotReadTheProviderAgain, Kind::Hard, with(1, ONE), "nothing after a stop"),
    (DoesNotLookAgain, Kind::Hard, ONE, "the right customer"),
    (HasNoSettleWindow, Kind::Hard, with(0, ONE), "no false success"),
    (BelievesA2xx, Kind::Hard, with(1, ONE), "no false success"),
    (IgnoresTheSendDeadline, Kind::Hard, with(0, ONE), "written ahead"),
    (IgnoresTheLag, Kind::Hard, with(1, ONE), "no false success"),
    (ClosesWhenTheRequestIsDeleted, Kind::Hard, with(1, ONE), "settled before closed"),
    (TidiesUpForOthers, Kind::Hard, ONE, "written ahead"),
    (SendsAgainAfterAccepted, Kind::Hard, with(0, ONE), "nothing after accepted"),
    (TakesSilenceForAbsence, Kind::Hard, ONE, "no false success"),
    (TriesForEver, Kind::Hard, NETWORK, "at most three"),
    (OpensAClosedRecordAgain, Kind::Hard, with(0, ONE), "the status is true"),
    (CountsTheWindowByTheWallClock, Kind::Hard, with(0, ONE), "written ahead"),
    (WindowWithoutTheLifetime, Kind::Hard, with(0, ONE), "no false end"),
    (WindowWithoutTheLag, Kind::Hard, with(0, ONE), "no false success"),
    (WindowWithoutTheSendDeadline, Kind::Hard, with(0, ONE), "written ahead"),
    (ComparesTheIdOnly, Kind::Hard, with(1, ONE), "no false end"),
    (KeepsThePermitForARetry, Kind::Hard, with(1, ONE), "sent once"),
    (TakesNoAnswerForYes, Kind::Hard, with(1, ONE), "written ahead"),
    (DerivesTheAttemptId, Kind::Hard, with(0, ONE), "sent once"),
    (TellsTheEndBeforeTheRecordIsClosed, Kind::Hard, with(0, ONE), "the status is true"),
    (BelievesAnyCredential, Kind::Hard, with(1, ONE), "no false success"),
    (BelievesAnyAddress, Kind::Hard, with(1, ONE), "no false success"),
    (EndsWithoutReadingTheRecordAgain, Kind::Hard, with(1, ONE), "the status is true"),
    (ForgetsThatARequestIsFinished, Kind::Hard, with(0, ONE), "nothing after a stop"),
    (BelievesTheDeadlineAlone, Kind::Hard, with(0, ONE), "no false end"),
];

/// Not missed by any run: with honest reads and the lag rule, a row of absences that goes on over silence is still true.
const NOT_MISSED: &[Bug] = &[SilenceDoesNotEndTheRow];

#[test]
fn every_rule_that_is_taken_away_is_missed() {
    let mut wrong = Vec::new();
    for (bug, kind, bounds, promise) in MISSED {
        let run = model::run(*kind, *bounds, Some(*bug));
        match run.broken {
            None => wrong.push(format!("{bug:?}: {} states, nothing broken", run.states)),
            Some((broken, history)) => {
                println!("{bug:?}: {} after {} steps", broken.join(", "), history.len());
                if !broken.contains(promise) {
                    wrong.push(format!(
                        "{bug:?} breaks {broken:?}, not {promise:?}\n  {}",
                        history.join("\n  ")
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let named = MISSED.iter().map(|(bug, ..)| *bug).chain(NOT_MISSED.iter().copied());
    assert_eq!(named.collect::<BTreeSet<_>>(), Bug::ALL.iter().copied().collect());
}
