//! `kubectl offboarding` as people use it: typed into a terminal, found by a real kubectl, against a real API server.
//!
//! The operator does not run here: what it would write into a status is written by the test.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; clippy only knows #[test] functions, not their helpers"
)]

mod consent;
mod controls;
mod errors;
mod holds;
mod krew;
mod pty;
mod stage;
