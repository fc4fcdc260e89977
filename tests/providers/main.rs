//! What the profile engine and both HTTP clients make of a provider's answers, over HTTPS, with the provider's ledger as the judge.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; clippy only knows #[test] functions, not their helpers"
)]

mod bodies;
mod checklist;
mod connections;
mod faults;
#[path = "../golden/mod.rs"]
mod golden;
mod others;
mod stage;
mod trouble;
