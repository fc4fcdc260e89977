//! The production decision under every order of crashes, old reads, lost answers and people: a bounded model, checked completely.
//!
//! ```text
//!  state ◄── steps (a process, in the controller's order) ──► brain: decide, learn, nothing_changed, grant
//!    ▲  └─── world (API server, provider, people, time)       shelf: with_intent, with_outcome, closed, facts_of
//!    └────── essence (which states are the same)              promises: what must hold; goals: what must be reached
//! ```
//! Only the world is a model. Every judgement and every record comes from the library. Time passes in three events: the send
//! deadline of one intent, the lag, the settle window; a wall clock says whatever it likes.

pub mod bugs;
pub mod consent;

mod brain;
mod calm;
mod essence;
mod promises;
mod shelf;
mod state;
mod steps;
mod world;

use std::{collections::BTreeSet, sync::PoisonError, time::Instant};

use stateright::{Checker, HasDiscoveries, Model};

pub use brain::Kind;
pub use promises::{GOALS, PROMISES};
pub use world::{Bounds, World};

use bugs::Bug;

/// What a run found.
#[derive(Debug)]
pub struct Run {
    pub states: usize,
    pub depth: usize,
    pub seconds: f64,
    pub records: usize,
    pub questions: usize,
    /// The shortest history that breaks a promise, and which.
    pub broken: Option<(Vec<&'static str>, Vec<String>)>,
    pub goals: BTreeSet<&'static str>,
    /// Every kind of decision.
    pub produced: BTreeSet<String>,
    pub never_fired: BTreeSet<String>,
}

/// Visits every state within the bounds, shortest histories first.
pub fn run(kind: Kind, bounds: Bounds, bug: Option<Bug>) -> Run {
    let begun = Instant::now();
    let world = World::new(kind, bounds, bug);
    // One thread where a bug is looked for: the history that is found is the shortest one, and the same each time.
    let threads = if bug.is_some() { 1 } else { 2 };
    let checker =
        world.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let world = checker.model();
    let broken = checker.discovery("every promise is kept").map(|path| {
        let promises = steps::broken(path.last_state());
        (promises, path.into_actions().iter().map(|action| format!("{action:?}")).collect())
    });
    Run {
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        seconds: begun.elapsed().as_secs_f64(),
        records: world.shelf.len(),
        questions: world.brain.questions(),
        broken,
        goals: world.goals(),
        produced: world.brain.produced.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        never_fired: world.never_fired(),
    }
}

/// Whether calm leads to an end from every state.
#[derive(Debug)]
pub struct Calm {
    pub states: usize,
    pub seconds: f64,
    /// States that no calm sequence leads to an end from; the first few, in words.
    pub stuck: Vec<String>,
}

/// Visits every state within the bounds, and goes back from the ends over calm steps.
pub fn calm(kind: Kind, bounds: Bounds) -> Calm {
    let begun = Instant::now();
    let found = {
        let world = World::new(kind, bounds, None);
        calm::search(&world, calm::is_calm, |state| calm::is_an_end(&world, state))
    };
    let stuck = found.stuck.iter().map(|state| format!("{state:?}")).collect();
    Calm { states: found.states, seconds: begun.elapsed().as_secs_f64(), stuck }
}
