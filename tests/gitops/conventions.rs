//! docs/conventions.md: every file that it names is there.

use crate::stage::root;

#[test]
fn every_file_that_the_conventions_name_is_there() {
    let page = std::fs::read_to_string(root().join("docs/conventions.md")).unwrap();
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).filter(|word| is_a_path(word)).collect();
    assert!(named.len() > 50, "only {} are found", named.len());
    let missing: Vec<&str> = named.into_iter().filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "named and not there: {missing:?}");
}

/// Of this repository: below one of its directories, or a file at its root.
fn is_a_path(word: &str) -> bool {
    let top = word.split('/').next().unwrap_or_default();
    let is_plain = !word.contains([' ', '<', '*', '{']);
    let directories = [
        "src", "tests", "docs", "deploy", "crds", "examples", "charts", "sandbox", "fuzz", "bench", "image",
        ".ci",
    ];
    let files = [
        "Cargo.toml",
        "Dockerfile",
        "Makefile",
        "README.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "LICENSE",
        "deny.toml",
    ];
    is_plain && ((word.contains('/') && directories.contains(&top)) || files.contains(&word))
}
