//! The production decision with people, holds, budgets and two targets. The model itself is `tests/model/src/consent/`.

use std::collections::BTreeSet;

use model::{
    Run,
    consent::{
        ALICE, BOB, BOB_AGAIN, Bounds, CAROL, GOALS, Setup, WAITS,
        bugs::Bug::{self, *},
    },
};

/// One target, one approval, by anybody but the author.
const ONE: Setup = Setup {
    targets: 1,
    required: [1, 0],
    author_is_known: true,
    in_order: false,
    budget: None,
    cooling_off: false,
    slots: ALICE | BOB,
};
/// Two must agree; one of them says it twice.
const TWO_PEOPLE: Setup = Setup { required: [2, 0], slots: BOB | BOB_AGAIN | CAROL, ..ONE };
/// Nobody knows who asked: one more must agree, and people may think better of it.
const UNKNOWN: Setup = Setup { author_is_known: false, cooling_off: true, slots: BOB | CAROL, ..ONE };
/// Two targets in an order, and one approval for both.
const IN_ORDER: Setup = Setup { targets: 2, required: [1, 1], in_order: true, slots: BOB, ..ONE };
/// Two targets of which the second demands more.
const DIFFERENT: Setup = Setup { targets: 2, required: [1, 2], slots: BOB | CAROL, ..ONE };
/// Two targets of one account that sees one deletion in an hour.
const BUDGET: Setup = Setup { targets: 2, required: [1, 0], budget: Some(1), slots: BOB, ..ONE };
/// Two targets, and nobody need agree.
const UNATTENDED: Setup = Setup { targets: 2, required: [0, 0], slots: 0, ..ONE };

const fn up_to(troubles: u8, intents: u8) -> Bounds {
    Bounds { troubles, intents, remembers: false }
}

/// One trouble more for each that `MODEL_TROUBLES` asks for beyond two.
fn asked_for(bounds: Bounds) -> Bounds {
    Bounds { troubles: bounds.troubles + super::more_troubles(), ..bounds }
}

fn visit(name: &str, setup: Setup, bounds: Bounds) -> (Run, BTreeSet<&'static str>) {
    let (run, waited) = model::consent::run(setup, bounds, None);
    println!(
        "{name}: {} states, depth {}, {:.0} s; {} records, {} questions",
        run.states, run.depth, run.seconds, run.records, run.questions
    );
    if let Some((promises, history)) = &run.broken {
        panic!("{name} breaks: {}\n  {}", promises.join(", "), history.join("\n  "));
    }
    (run, waited)
}

#[test]
fn nothing_is_sent_that_people_did_not_agree_to() {
    let more = super::more_troubles();
    let runs: Vec<_> = [
        // One target alone is the cheapest: there a run that asks for more gets twice as much of it.
        ("one approval", ONE, up_to(1 + more, 3)),
        ("two approvals", TWO_PEOPLE, up_to(1, 2)),
        ("an unknown author, and time to think", UNKNOWN, up_to(1, 2)),
        ("two targets unattended", UNATTENDED, up_to(1, 2)),
        ("two targets and a budget", BUDGET, up_to(0, 2)),
        ("two targets with different demands", DIFFERENT, up_to(1, 1)),
        ("two targets in an order", IN_ORDER, up_to(1, 2)),
    ]
    .into_iter()
    .map(|(name, setup, bounds)| visit(name, setup, asked_for(bounds)).0)
    .collect();
    let goals: BTreeSet<&str> = runs.iter().flat_map(|run| run.goals.iter().copied()).collect();
    assert_eq!(goals, GOALS.iter().map(|goal| goal.0).collect());
    let never = |action: &&String| runs.iter().all(|run| run.never_fired.contains(*action));
    assert_eq!(runs[0].never_fired.iter().filter(never).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_wait_for_people_ends_well() {
    let mut waited: BTreeSet<&str> = BTreeSet::new();
    for (name, setup, troubles) in [
        ("one approval", ONE, 1),
        ("an unknown author, and time to think", UNKNOWN, 1),
        ("two targets in an order", IN_ORDER, 0),
        ("two targets and a budget", BUDGET, 0),
    ] {
        let bounds = Bounds { troubles, intents: 2, remembers: true };
        waited.extend(visit(name, setup, bounds).1);
    }
    assert_eq!(waited, WAITS.iter().copied().collect());
}

#[test]
fn from_every_state_people_who_agree_get_it_done() {
    for (name, setup, bounds) in [
        ("one approval", ONE, up_to(1, 3)),
        ("an unknown author, and time to think", UNKNOWN, up_to(1, 2)),
        ("two targets in an order", IN_ORDER, up_to(1, 2)),
        ("two targets and a budget", BUDGET, up_to(0, 2)),
    ] {
        let calm = model::consent::calm(setup, bounds);
        println!("{name}: {} states, {:.0} s", calm.states, calm.seconds);
        assert!(calm.stuck.is_empty(), "{name}: {:#?}", calm.stuck);
    }
}

/// Rules taken away: which run misses each, and which promise it breaks first.
const MISSED: &[(Bug, Setup, Bounds, &str)] = &[
    (WritesWithoutResourceVersion, ONE, up_to(1, 2), "nothing moves back"),
    (JudgesApprovalsOnlyBeforeTheIntent, ONE, up_to(1, 2), "approved"),
    (DoesNotReadTheRequestAgain, ONE, up_to(1, 2), "nothing after a stop"),
    (DoesNotReadHoldsAgain, ONE, up_to(1, 2), "nothing after a stop"),
    (DoesNotReadTheProviderAgain, ONE, up_to(1, 2), "nothing after a stop"),
    (MatchesByUidAlone, ONE, up_to(1, 2), "approved"),
    (MatchesByName, ONE, up_to(1, 2), "approved"),
    (CountsOneApproverTwice, TWO_PEOPLE, up_to(0, 2), "approved"),
    (CountsTheRequester, ONE, up_to(0, 2), "approved"),
    (TrustsAnUnknownAuthor, UNKNOWN, up_to(0, 2), "approved"),
    (QuorumOfOneProviderOnly, DIFFERENT, up_to(0, 2), "approved"),
    (QuorumOfThePlanOnly, ONE, up_to(1, 2), "approved"),
    (ChecksExpiryOnlyBeforeTheIntent, ONE, up_to(1, 2), "approved"),
    (CountsWhatEndsDuringTheSend, ONE, up_to(1, 2), "approved"),
    (CountsTheBudgetAfterTheSend, BUDGET, up_to(0, 2), "the budget"),
    (DoesNotCountTheBudgetAgain, BUDGET, up_to(0, 2), "the budget"),
    (BeginsBeforeAllAreClear, UNATTENDED, up_to(1, 2), "the barrier"),
    (LeavesAPlanInputOut, ONE, up_to(1, 2), "approved"),
    (SendsAfterTheDeadline, ONE, up_to(0, 2), "written ahead"),
    (CountsSpentApprovals, ONE, up_to(1, 3), "approved"),
    (TakesUnreadHoldsForNone, ONE, up_to(1, 2), "silence is no yes"),
    (TakesUnreadApprovalsForEnough, ONE, up_to(1, 2), "silence is no yes"),
    (DoesNotReadThePolicies, ONE, up_to(1, 2), "approved"),
    (CountsWhatNobodyProved, ONE, up_to(1, 2), "approved"),
    (IgnoresADenial, ONE, up_to(1, 2), "not denied"),
    (IgnoresTheCoolingOff, UNKNOWN, up_to(0, 2), "approved"),
    (TouchesAFinishedTargetAgain, IN_ORDER, up_to(0, 2), "the status is true"),
    (IgnoresTheOrder, IN_ORDER, up_to(0, 2), "the order"),
    (EndsWithoutReadingTheRecordsAgain, IN_ORDER, up_to(1, 2), "the status is true"),
];

#[test]
fn every_rule_about_people_that_is_taken_away_is_missed() {
    let mut wrong = Vec::new();
    for (bug, setup, bounds, promise) in MISSED {
        let (run, _) = model::consent::run(*setup, *bounds, Some(*bug));
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
    let named: BTreeSet<Bug> = MISSED.iter().map(|(bug, ..)| *bug).collect();
    assert_eq!(named, Bug::ALL.iter().copied().collect());
}
