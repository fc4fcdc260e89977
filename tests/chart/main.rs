//! The chart as Helm renders it, the plain manifests that are made of it, and what an API server says to both.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; clippy only knows #[test] functions, not their helpers"
)]

#[path = "../golden/mod.rs"]
mod golden;
mod objects;
mod plain;
mod pod;
mod readme;
mod rendered;
mod schema;
mod server;
mod sources;
