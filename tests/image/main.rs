//! The image: what it says of itself, what it is made of, and, by `make image-test`, that it is the same wherever it is built, and works.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; clippy only knows #[test] functions, not their helpers"
)]

mod built;
mod dockerfile;
mod materials;
mod runs;
#[path = "../cluster/stage.rs"]
#[expect(dead_code, reason = "shared with tests/cluster, which needs all of it")]
mod stage;
#[path = "../cluster/story.rs"]
#[expect(dead_code, reason = "shared with tests/cluster, which needs all of it")]
mod story;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

const PROGRAM: &str = "customer-offboarding-operator";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// Where `make image` has left it.
fn made() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("image")
}

/// What a command writes to stdout. It ends with success.
fn said(command: &mut Command) -> String {
    let output = command.current_dir(root()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
