//! docs/gitops.md, and what is generated in it or beside it.

use crate::stage::root;

const PAGE: &str = "docs/gitops.md";

pub fn page() -> String {
    std::fs::read_to_string(root().join(PAGE)).unwrap()
}

/// The part of the page between `<!-- NAME -->` and `<!-- /NAME -->` is this; with `ACCEPT=1` it is written.
#[track_caller]
pub fn holds(name: &str, text: &str) {
    let page = page();
    let [open, close] = [format!("<!-- {name} -->\n"), format!("<!-- /{name} -->")];
    let (before, rest) = page.split_once(&open).expect("the part begins");
    let (told, after) = rest.split_once(&close).expect("the part ends");
    if std::env::var_os("ACCEPT").is_some() {
        return std::fs::write(root().join(PAGE), [before, &open, text, &close, after].concat()).unwrap();
    }
    assert_eq!(told, text, "{PAGE} is out of date: run the test with ACCEPT=1, and read the difference");
}

/// A file is this; with `ACCEPT=1` it is written.
#[track_caller]
pub fn is_committed(path: &str, text: &str) {
    if std::env::var_os("ACCEPT").is_some() {
        return std::fs::write(root().join(path), text).unwrap();
    }
    let committed = std::fs::read_to_string(root().join(path)).unwrap_or_default();
    assert!(committed == text, "{path} is out of date: run the test with ACCEPT=1, and read the difference");
}
