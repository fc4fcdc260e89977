//! GitOps: what Argo CD, Flux and kstatus make of every object, and that no tool and the operator fight over one.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; clippy only knows #[test] functions, not their helpers"
)]

mod actions;
mod apply;
mod argocd_cm;
mod conventions;
mod health;
mod judge;
mod page;
#[path = "../cluster/stage.rs"]
#[expect(dead_code, reason = "shared with tests/cluster, which needs all of it")]
mod stage;
#[path = "../cluster/story.rs"]
#[expect(dead_code, reason = "shared with tests/cluster, which needs all of it")]
mod story;
mod typed;
