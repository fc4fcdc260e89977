//! The production decision under every order of crashes, old reads, lost answers and people. The model itself is `tests/model/`.
//!
//! `MODEL_TROUBLES=3 cargo test --test model` (or `make model`) asks for more troubles in one history.

use model::{Bounds, Kind, Run, bugs::Bug};

fn troubles(usual: u8) -> u8 {
    std::env::var("MODEL_TROUBLES").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn tell(name: &str, run: &Run) {
    println!(
        "{name}: {} states, depth {}, {:.1} s; {} records, {} questions",
        run.states, run.depth, run.seconds, run.records, run.questions
    );
    if let Some((promises, history)) = &run.broken {
        panic!("{name}: broken: {}\n  {}", promises.join(", "), history.join("\n  "));
    }
}

#[test]
fn no_order_of_events_deletes_the_wrong_thing() {
    let run = model::run(Kind::Hard, Bounds { troubles: troubles(1), ..Bounds::CI }, None);
    println!("{:?}\n{:?}\n{:?}", run.goals, run.produced, run.never_fired);
    tell("hard", &run);
}
