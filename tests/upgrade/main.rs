//! From the last release to this one, and back: what `tests/released` holds is what counts as the last one.
//!
//! `make test` compares the CRDs, reads the objects that it wrote, and does what `docs/upgrading.md` says. `make upgrade` builds its operator
//! besides, stops it wherever it may be, and lets this one go on; and the other way round.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; clippy only knows #[test] functions, not their helpers"
)]
#![expect(clippy::disallowed_methods, reason = "a test has no other clock")]

mod additive;
mod definitions;
mod objects;
mod page;
#[path = "../cluster/people.rs"]
#[expect(dead_code, reason = "shared with tests/cluster, which needs all of it")]
mod people;
#[path = "../cluster/stage.rs"]
#[expect(dead_code, reason = "shared with tests/cluster, which needs all of it")]
mod stage;
mod stories;
#[path = "../cluster/story.rs"]
#[expect(dead_code, reason = "shared with tests/cluster, which needs all of it")]
mod story;

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files of the last release.
fn released() -> PathBuf {
    root().join("tests/released")
}
