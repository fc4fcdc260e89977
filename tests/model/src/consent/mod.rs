//! The same protocol with people in it: approvals, withdrawal, denial, expiry, holds, cancel, suspend, policies, budgets, a
//! second leader, two targets with the barrier and an order.
//!
//! ```text
//!  state ◄── steps (a process, in the controller's order) ──► brain, think: wants_looks, decide_all, nothing_changed, grant
//!    ▲  └─── world (people, holds, provider objects, time)    shelf: with_intent, with_outcome, closed, facts_of
//!    └────── promises: what must hold; goals: what must be reached; setup: what a run is about
//! ```
//! What the first model has, this one leaves out: reads that lag behind at the provider, moved addresses, rotated credentials,
//! a second request for the same customer. And one thing is taken for granted: an end that no closed record proves is told in the
//! same moment in which the records are read for the last time. Where two lead at once, it is not: the first may tell that nothing
//! was done because one target is not there, while the second, past its own last reads, sends for the other target.

pub mod bugs;

mod brain;
mod goals;
mod people;
mod promises;
mod setup;
mod shelf;
mod state;
mod steps;
mod think;
mod words;
mod world;

use std::{collections::BTreeSet, sync::PoisonError, time::Instant};

use stateright::{Checker, HasDiscoveries, Model};

pub use goals::GOALS;
pub use promises::PROMISES;
pub use setup::{ALICE, BOB, BOB_AGAIN, CAROL, Setup};
pub use words::WAITS;
pub use world::{Bounds, World};

use super::{Calm, Run};
use brain::{Act, Unread};
use bugs::Bug;
use state::{GENERATIONS, State, Step};
use world::{Action, Turn};

/// Visits every state within the bounds, shortest histories first; also what was waited for in histories that ended well.
pub fn run(setup: Setup, bounds: Bounds, bug: Option<Bug>) -> (Run, BTreeSet<&'static str>) {
    let begun = Instant::now();
    let world = World::new(setup, bounds, bug);
    // One thread where a bug is looked for: the history that is found is the shortest one, and the same each time.
    let threads = if bug.is_some() { 1 } else { 2 };
    let checker =
        world.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let world = checker.model();
    let broken = checker.discovery("every promise is kept").map(|path| {
        let promises = promises::broken(path.last_state());
        (promises, path.into_actions().iter().map(|action| format!("{action:?}")).collect())
    });
    let run = Run {
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        seconds: begun.elapsed().as_secs_f64(),
        records: world.shelf.len(),
        questions: world.brain.questions(),
        broken,
        goals: world.goals(),
        produced: world.brain.produced.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        never_fired: world.never_fired(),
    };
    (run, world.waited())
}

/// Visits every state within the bounds, and goes back from the ends over calm steps.
pub fn calm(setup: Setup, bounds: Bounds) -> Calm {
    let begun = Instant::now();
    let world = World::new(setup, bounds, None);
    let found = super::calm::search(&world, is_calm, |state| is_an_end(&world, state));
    let stuck = found.stuck.iter().map(|state| format!("{state:?}")).collect();
    Calm { states: found.states, seconds: begun.elapsed().as_secs_f64(), stuck }
}

/// Steps that happen by themselves, and what people do who want it done: they agree, and lift what stops it.
fn is_calm(action: Action) -> bool {
    use crate::world::Write;
    match action {
        Action::Turn { turn: Turn { stale, unread, .. }, .. } => !stale && unread == Unread::Nothing,
        Action::ReadEverythingAgain { unread, .. } => unread == Unread::Nothing,
        Action::Intend { write, .. } => write == Write::Answered,
        Action::ReadOnceMore { .. }
        | Action::Tell { .. }
        | Action::ReadBack { .. }
        | Action::Send { .. }
        | Action::DeadlinePasses { .. }
        | Action::WindowPasses
        | Action::HourPasses
        | Action::CoolingOffPasses
        | Action::ApprovalIsOver { .. }
        | Action::Execute { .. }
        | Action::Approve { .. }
        | Action::ApproveAnew { .. }
        | Action::TakeTheDenialBack
        | Action::MendPolicies
        | Action::Release { .. }
        | Action::Resume
        | Action::ResumeProvider { .. }
        | Action::Lower { .. }
        | Action::Unblock { .. } => true,
        _ => false,
    }
}

/// Nothing is under way, and the request is over with every record closed. The bounds of a run end it too: no intent or no
/// approval is left. So does another customer than the planned one, where something was begun: somebody must cancel.
fn is_an_end(world: &World, state: &State) -> bool {
    let idle = state.processes.iter().all(|process| process.step == Step::Idle && process.kept.is_none());
    if !idle {
        return false;
    }
    let open = state.recs.iter().any(|rec| world.shelf.is_open(*rec));
    if state.is_over() && !open {
        return true;
    }
    let turn = Turn { alone: None, stale: false, unread: Unread::Nothing, late: true };
    let no_approval_is_left =
        state.people.approvals.iter().flatten().any(|approval| approval.generation + 1 == GENERATIONS);
    let (question, reply) = state.ask(world, 0, turn);
    let no_intent_is_left = match reply.act {
        Act::Order(order) => world.brain.given(order).is_some_and(|given| {
            world.shelf.last_n(question.recs[usize::from(given.target)]) >= world.bounds.intents
        }),
        _ => false,
    };
    !state.is_over() && (no_approval_is_left || no_intent_is_left || reply.is_stuck_by_a_person)
}
