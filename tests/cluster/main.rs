//! The operator's binary against a real API server, with the provider's own ledger as the judge.
//!
//! Stories wait more than they work: `cargo test --test cluster -- --test-threads 16` is fastest.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; clippy only knows #[test] functions, not their helpers"
)]
#![expect(clippy::disallowed_methods, reason = "a test has no other clock")]

mod approvals;
mod audit;
mod bad_input;
mod budgets;
mod ceiling;
mod check;
mod cluster_provider;
mod configured;
mod consent;
mod cost;
mod crashes;
mod dues;
mod ending;
mod flags;
mod guards;
mod happy;
mod inside;
mod kept;
mod leaders;
mod leak;
mod long_ago;
mod lost_key;
mod people;
mod races;
mod removal;
mod scraper;
mod scrapes;
mod seeds;
mod stage;
mod stops;
mod story;
mod targets;
mod traces;
mod traps;
mod turns;
mod waits;
mod windows;
