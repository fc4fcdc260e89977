//! The dashboard: every expression is one that Prometheus takes, and names only what the operator exposes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{Rules, documented::Documented, list, promtool, text, word};

const DASHBOARD: &str = "charts/customer-offboarding-operator/files/dashboard.json";

/// The rows that somebody looks for.
const ROWS: &[&str] = &[
    "Requests",
    "Waiting and approvals",
    "Deletions",
    "Providers",
    "Budgets",
    "Lease and safety",
    "Queue and passes",
    "API server",
    "Errors and process",
];

fn dashboard() -> Value {
    serde_json::from_str(&text(DASHBOARD)).expect("JSON")
}

/// Each panel's title and expressions.
fn panels() -> Vec<(String, Vec<String>)> {
    let dashboard = dashboard();
    let panels = list(&dashboard["panels"]).iter().filter(|panel| panel["type"] != "row");
    let read = panels.map(|panel| {
        let expressions = list(&panel["targets"]).iter().map(|target| word(&target["expr"]).to_owned());
        (word(&panel["title"]).to_owned(), expressions.collect::<Vec<_>>())
    });
    let read: Vec<_> = read.collect();
    assert!(
        read.len() > 30 && read.iter().all(|(_, expressions)| !expressions.is_empty()),
        "the panels are found"
    );
    read
}

#[test]
fn prometheus_takes_every_expression_of_the_dashboard() {
    let expressions: Vec<String> = panels().into_iter().flat_map(|(_, expressions)| expressions).collect();
    if let Err(said) = promtool(&["check", "rules", "--lint=none"], &Rules::of(&expressions).file()) {
        panic!("{said}");
    }
    let broken = Rules::of(&["sum by (a (b)".to_owned()]);
    assert!(promtool(&["check", "rules", "--lint=none"], &broken.file()).is_err(), "promtool reads them");
}

#[test]
fn the_dashboard_names_only_what_is_documented() {
    let documented = Documented::read();
    for (title, expressions) in panels() {
        for expression in expressions {
            let unknown = documented.unknown(&expression);
            assert!(unknown.is_empty(), "{title}: {}", unknown.join("; "));
        }
    }
}

#[test]
fn the_dashboard_works_with_any_data_source_and_shows_no_panel_over_another() {
    let dashboard = dashboard();
    let panels = list(&dashboard["panels"]);
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        let title = word(&panel["title"]);
        assert!(ids.insert(panel["id"].as_u64()), "{title}: another panel has its id");
        let of = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
        assert!(of("x") + of("w") <= 24, "{title} is on the screen");
        for x in of("x")..of("x") + of("w") {
            for y in of("y")..of("y") + of("h") {
                assert!(taken.insert((x, y)), "{title} is shown over another panel");
            }
        }
        for target in list(&panel["targets"]) {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
    let rows: Vec<&str> =
        panels.iter().filter(|panel| panel["type"] == "row").map(|panel| word(&panel["title"])).collect();
    assert!(ROWS.iter().all(|row| rows.contains(row)), "{rows:?}");
    assert_eq!(dashboard["templating"]["list"][0]["name"], "datasource");
}
