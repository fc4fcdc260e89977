//! The production decision under every order of crashes, old reads, lost answers and people: a bounded model, checked completely.
//!
//! Only the world is a model. `decide`, `Memory::learn`, `nothing_changed`, `grant` and every record come from the library.
//! `MODEL_TROUBLES=3` asks for more troubles in one history than two.
#![expect(clippy::unwrap_used, reason = "a test may stop where its own fixtures are wrong")]

mod brain;
mod bugs;
mod promises;
mod shelf;
mod state;
mod steps;
mod world;

use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model};

use brain::Kind;
use world::{Bounds, World};

fn troubles(usual: u8) -> u8 {
    std::env::var("MODEL_TROUBLES").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn check(name: &str, kind: Kind, bounds: Bounds) {
    let begun = Instant::now();
    let world = World::new(kind, bounds, None);
    let checker = world.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!(
        "{name}: {} states, depth {}, {:.1} s, {} records, {} questions",
        checker.unique_state_count(),
        checker.max_depth(),
        begun.elapsed().as_secs_f64(),
        checker.model().shelf.len(),
        checker.model().brain.questions(),
    );
    println!("{:?}", checker.model().brain.produced.lock().unwrap());
    println!("never: {:?}", checker.model().never_fired());
    if let Some(path) = checker.discovery("every promise is kept") {
        let last = path.last_state().clone();
        println!("broken: {:?}", steps::broken(&last));
        for action in path.into_actions() {
            println!("  {action:?}");
        }
        panic!("{name}");
    }
}

#[test]
fn no_order_of_events_deletes_the_wrong_thing() {
    check("hard", Kind::Hard, Bounds { troubles: troubles(2), ..Bounds::CI });
}
