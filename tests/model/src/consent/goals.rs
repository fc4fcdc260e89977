//! What a run must be able to reach. Without these, nothing is shown by a run without a broken promise.

use offboarding::{
    api::OffboardingResult,
    domain::{Ending, Record},
};

use super::{
    state::{State, Step},
    world::{Action, World},
};

pub type Goal = (&'static str, fn(&World, &State, &State, Action) -> bool);

fn ended(world: &World, last: &State, state: &State, wanted: fn(Ending) -> bool) -> bool {
    let is_new = state.finished && !last.finished;
    is_new && world.brain.ending(state.truth.told).is_some_and(wanted)
}

/// Every target's record says a success, and one of them is like this.
fn records(world: &World, last: &State, state: &State, one: fn(&Record) -> bool) -> bool {
    ended(world, last, state, Ending::is_success)
        && state.recs.iter().any(|rec| {
            let kept = world.shelf.get(*rec);
            kept.as_ref().and_then(|kept| kept.record()).is_some_and(one)
        })
}

fn target_past_the_intent(world: &World, step: Step) -> Option<u8> {
    match step {
        Step::Intended { order, .. } | Step::Reread { order, .. } => Some(world.brain.given(order)?.target),
        Step::Sent { target, .. } => Some(target),
        _ => None,
    }
}

pub const GOALS: &[Goal] = &[
    ("a success", |world, last, state, _| ended(world, last, state, Ending::is_success)),
    ("both targets done", |world, last, state, _| {
        ended(world, last, state, Ending::is_success) && state.truth.executed == 3
    }),
    ("partly done", |world, last, state, _| {
        ended(world, last, state, |ending| ending.result == OffboardingResult::PartiallyDone)
    }),
    ("failed together, nothing done", |world, last, state, _| {
        ended(world, last, state, |ending| ending.result == OffboardingResult::Failed)
    }),
    ("cancelled", |world, last, state, _| {
        ended(world, last, state, |ending| ending.result == OffboardingResult::Cancelled)
    }),
    ("a success on approvals that were given anew", |world, last, state, _| {
        records(world, last, state, |record| {
            let anew = |uid: &str| !uid.ends_with("-0");
            record.last().is_some_and(|last| last.approvals.iter().any(|approval| anew(&approval.uid)))
        })
    }),
    ("a success after a refusal, on a new approval", |world, last, state, _| {
        records(world, last, state, |record| record.rejections() > 0)
    }),
    ("a success after an attempt that was never sent", |world, last, state, _| {
        records(world, last, state, |record| record.last().is_some_and(|last| last.count > 1))
    }),
    ("a success on two approvals", |world, last, state, _| {
        records(world, last, state, |record| record.last().is_some_and(|last| last.approvals.len() == 2))
    }),
    ("the second of two loses the create", |_, last, state, action| {
        let Action::Intend { process, .. } = action else { return false };
        let wrote = last.recs != state.recs;
        matches!(last.processes[usize::from(process)].step, Step::Ordered { rec: 0, .. }) && !wrote
    }),
    ("both processes past the intent, each at its own target", |world, _, state, _| {
        let at = state.processes.map(|process| target_past_the_intent(world, process.step));
        matches!(at, [Some(one), Some(other)] if one != other)
    }),
    ("a success that somebody without the request finishes", |world, last, state, action| {
        let alone = matches!(action, Action::Turn { turn, .. } if turn.alone.is_some());
        let closed = last.recs != state.recs;
        alone
            && closed
            && state
                .recs
                .iter()
                .any(|rec| world.shelf.get(*rec).and_then(|kept| kept.closed).is_some_and(Ending::is_success))
    }),
];
