//! Offboards customers at SaaS providers: exactly once, approved, verified, with evidence.
//!
//! ```text
//!   api ──────────► domain ─────────► controller ───────► providers
//!   what users      what follows      the only loop,      what one SaaS
//!   write and read  from it (pure)    the only Kubernetes understands
//!                                     client              (HTTP only)
//! ```
//! Read in that order. `evidence` is what the records hold: names, seals, MACs. `domain` never awaits and never asks for the time.
//! `check` is the doctor: it looks whether everything that the loop needs is there. `plugin` is the other program, `kubectl offboarding`:
//! it reads and writes what people may, and shares nothing with the loop.

pub mod admin;
pub mod api;
pub mod check;
pub mod cli;
pub mod controller;
pub mod domain;
pub mod evidence;
pub mod failpoint;
pub mod kubeconfig;
pub mod metrics;
pub mod plugin;
pub mod providers;
pub mod telemetry;
pub mod traces;

#[cfg(test)]
#[path = "../tests/golden/mod.rs"]
mod golden;
