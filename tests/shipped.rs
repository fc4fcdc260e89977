//! What is shipped holds no failpoint: no name of a marker, and not the variable that sets them.

/// The names, as `src/failpoint.rs` lists them.
fn names() -> Vec<String> {
    let source = include_str!("../src/failpoint.rs");
    let list = source.split("NAMES: &[&str] = &[").nth(1).expect("the list").split("];").next();
    let quoted = list.expect("its end").split('"').skip(1).step_by(2);
    let mut names: Vec<String> = quoted.map(str::to_owned).collect();
    assert!(names.len() > 10, "{names:?}");
    names.push("FAILPOINTS".to_owned());
    names
}

/// Those of the names that the binary holds. By grep: a debug build of this test would search for minutes.
fn held() -> Vec<String> {
    let names = names();
    let patterns = names.iter().flat_map(|name| ["-e", name]);
    let mut grep = std::process::Command::new("grep");
    grep.args(["-a", "-o", "-F"]).args(patterns).arg(env!("CARGO_BIN_EXE_customer-offboarding-operator"));
    let said = grep.output().expect("grep runs");
    assert!(said.status.code().is_some_and(|code| code <= 1), "{said:?}");
    let mut held: Vec<String> = String::from_utf8_lossy(&said.stdout).lines().map(str::to_owned).collect();
    held.sort();
    held.dedup();
    held
}

#[cfg(not(feature = "failpoints"))]
#[test]
fn the_binary_holds_no_failpoint() {
    assert_eq!(held(), [""; 0]);
}

/// Otherwise the search above would find nothing wherever it looks.
#[cfg(feature = "failpoints")]
#[test]
fn a_build_for_campaigns_holds_every_failpoint() {
    let mut names = names();
    names.sort();
    assert_eq!(held(), names);
}
