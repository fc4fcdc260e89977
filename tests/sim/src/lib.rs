//! The production decision in whole histories, drawn from a seed: several requests, processes that crash and freeze, caches that lag,
//! lost answers, a provider with a replica and moods, and people who change their minds.
//!
//! ```text
//!  scenario (a seed) ──► world: one clock, one queue ◄──► api, saas, people, trouble: what is around
//!                          ▲  │
//!                          │  └──► task ──► operator: pass, case, errand, perform, tell: the controller's order
//!                          │                 └── wants_looks, decide_all, nothing_changed, grant, Memory, report, record: production
//!                          └── truth ──► promises (after every step), calm (once the troubles are over)
//! ```
//! The code of an operator is a plain future that stops between two effects; whatever else happens, happens there. No runtime, no
//! sockets, no wall clock and no order of a hash map: two runs of one seed are the same to the last step.

pub mod bugs;

mod api;
mod budget;
mod calm;
mod case;
mod consent;
mod errand;
mod misjudge;
mod operator;
mod pass;
mod people;
mod perform;
mod promises;
mod rng;
mod saas;
mod scenario;
mod shrink;
mod task;
mod tell;
mod trouble;
mod truth;
mod words;
mod world;

use std::{collections::BTreeMap, rc::Rc};

pub use promises::Broken;
pub use scenario::Scenario;
pub use shrink::shrink;
pub use words::MUST_HAPPEN;

use bugs::Bug;
use task::{Sim, Tasks};
use world::World;

/// More steps than any history takes; whoever takes more goes round in circles.
const MOST_STEPS: u64 = 150_000;

/// What became of one history.
#[derive(Debug)]
pub struct Story {
    pub broken: Option<Broken>,
    pub figures: BTreeMap<&'static str, u64>,
    pub steps: u64,
    pub hash: u64,
    /// Line by line, where it was asked for.
    pub trace: Vec<String>,
}

/// Runs one history to its end, or to the first broken promise.
pub fn run(scenario: &Scenario, bug: Option<Bug>, is_traced: bool) -> Story {
    let sim = Sim::new(World::new(Rc::new(scenario.clone()), bug, is_traced));
    let mut tasks = Tasks::default();
    loop {
        let event = sim.world().next();
        let Some(event) = event else { break };
        if sim.world().is_over() {
            break;
        }
        tasks.run(&sim, event);
        let mut world = sim.world();
        world.look_around();
        if world.steps > MOST_STEPS {
            world.breaks("L5", format!("more than {MOST_STEPS} steps"));
        }
        if world.broken.is_some() {
            break;
        }
    }
    let mut world = sim.world();
    if world.broken.is_none() {
        world.must_have_ended();
    }
    Story {
        broken: world.broken.clone(),
        figures: std::mem::take(&mut world.figures),
        steps: world.steps,
        hash: world.hash(),
        trace: world.take_trace(),
    }
}

/// The same for a seed.
pub fn run_seed(seed: u64, bug: Option<Bug>) -> Story {
    run(&Scenario::draw(seed), bug, false)
}
