//! The operator's binary against a real API server, with the provider's own ledger as the judge.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; clippy only knows #[test] functions, not their helpers"
)]

mod happy;
mod stage;
