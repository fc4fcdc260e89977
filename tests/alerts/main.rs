//! Alerts, dashboard and the configuration of kube-state-metrics: each of them names only what is there, each alert is seen to fire and
//! to keep quiet, and each leads to a page that says what to do. `promtool`, which judges, is in Debian's package `prometheus`.

mod dashboard;
mod documented;
mod expression;
mod kube_state_metrics;
mod rules;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// Files of a directory with this ending, in order.
fn files(directory: &str, ending: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root().join(directory)).expect("it can be listed");
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut files: Vec<String> =
        names.filter(|name| name.ends_with(ending)).map(|name| format!("{directory}/{name}")).collect();
    files.sort();
    files
}

/// What promtool says, where it does not agree.
fn promtool(args: &[&str], file: &Path) -> Result<(), String> {
    let run = Command::new("promtool").args(args).arg(file).output();
    let ended = run.unwrap_or_else(|why| panic!("promtool: {why}; tests/needs.sh says how to get it"));
    let said =
        || format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    if ended.status.success() { Ok(()) } else { Err(said()) }
}

/// The rule files that expressions stand in, while promtool reads them.
struct Rules {
    directory: tempfile::TempDir,
}

impl Rules {
    /// Each expression as a recording rule: what promtool takes there, Prometheus takes anywhere.
    fn of(expressions: &[String]) -> Rules {
        let rules: Vec<Value> = expressions
            .iter()
            .enumerate()
            .map(
                |(at, expression)| serde_json::json!({ "record": format!("panel:{at}"), "expr": expression }),
            )
            .collect();
        let file = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("rules.yaml"), file.to_string()).expect("it can be written");
        Rules { directory }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("rules.yaml")
    }
}

/// A text of a value, where it is one.
fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
