//! What the tests and the demo stand on: a real API server with real users, real processes, a sandbox provider.
//!
//! ```text
//!   ControlPlane ──► Component (etcd, kube-apiserver, kube-controller-manager) ──► Process ──► leash
//!        │ client, kubeconfig, kubectl, apply, namespace, counters, audit                        ▲
//!   Sandbox (the provider that knows the truth) ─────────────────────────────────────────────────┘
//! ```
//!
//! Nothing survives the process that uses this crate, however it ends: every child hangs on a leash (`leash.rs`),
//! and so does the directory that it writes to (`scratch.rs`).

#![warn(missing_docs)]

mod access;
mod api_proxy;
mod audit;
mod binaries;
mod cable;
mod component;
mod control_plane;
mod counters;
mod eventually;
mod failure;
mod leash;
mod manifests;
mod namespace;
mod personas;
mod plain_http;
mod port;
mod process;
mod programs;
mod sandbox;
mod scratch;
mod tool;
mod users;

pub use api_proxy::{ApiFault, ApiMatch, ApiProxy, ApiStrike};
pub use binaries::{Binaries, workspace_binary};
pub use cable::Cable;
pub use control_plane::{ControlPlane, Options};
pub use counters::Counters;
pub use eventually::eventually;
pub use failure::Failure;
pub use namespace::Namespace;
pub use personas::Subject;
pub use process::{Launch, Process};
pub use sandbox::{LedgerFilter, Provider, Sandbox, SandboxAddresses};
pub use scratch::Scratch;
pub use tool::{Output, Tool};
