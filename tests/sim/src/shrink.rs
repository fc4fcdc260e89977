//! The shortest history that still breaks the same promise: without what it does not need.

use crate::{Story, bugs::Bug, run, scenario::Scenario};

/// Drops troubles one by one, then requests, then operators, as long as the same promise is broken.
pub fn shrink(scenario: &Scenario, bug: Option<Bug>) -> (Scenario, Story) {
    let mut shortest = scenario.clone();
    let first = run(&shortest, bug, true);
    let Some(broken) = first.broken.clone() else { return (shortest, first) };
    let still = |candidate: &Scenario| {
        run(candidate, bug, false).broken.is_some_and(|again| again.invariant == broken.invariant)
    };
    loop {
        let before = size(&shortest);
        let mut at = 0;
        while at < shortest.troubles.len() {
            let mut candidate = shortest.clone();
            candidate.troubles.remove(at);
            if still(&candidate) { shortest = candidate } else { at += 1 }
        }
        while shortest.requests.len() > 1 {
            let mut candidate = shortest.clone();
            candidate.requests.pop();
            let last = candidate.requests.len() - 1;
            candidate.troubles.retain(|trouble| trouble.what.request().is_none_or(|request| request <= last));
            if !still(&candidate) {
                break;
            }
            shortest = candidate;
        }
        for at in 0..shortest.requests.len() {
            while shortest.requests[at].targets > 1 {
                let mut candidate = shortest.clone();
                candidate.requests[at].targets -= 1;
                if !still(&candidate) {
                    break;
                }
                shortest = candidate;
            }
        }
        while shortest.operators > 1 {
            let mut candidate = shortest.clone();
            candidate.operators -= 1;
            let left = candidate.operators;
            candidate
                .troubles
                .retain(|trouble| trouble.what.operator().is_none_or(|operator| operator < left));
            if !still(&candidate) {
                break;
            }
            shortest = candidate;
        }
        if size(&shortest) == before {
            break;
        }
    }
    let story = run(&shortest, bug, true);
    (shortest, story)
}

fn size(scenario: &Scenario) -> usize {
    let targets: usize = scenario.requests.iter().map(|asked| asked.targets).sum();
    scenario.troubles.len() + targets + scenario.operators
}
