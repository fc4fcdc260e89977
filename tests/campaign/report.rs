//! What was run, in one table: `target/campaign/report.json` and `report.md`, from the runs on record for this `src/`.

use std::{collections::BTreeSet, fmt::Write as _, fs};

use serde_json::{Value, json};

use crate::{
    results::{directory, source, totals},
    stage::root,
};

/// A part, what is counted of it, and how much of that a full campaign takes. The figures are those of reliability.md §6.2.
const PARTS: &[(&str, &str, u64)] = &[
    ("kill", "kills", 1_920),
    ("outages", "outages", 80),
    ("api-faults", "plans", 1_000),
    ("upheavals", "upheavals", 50),
    ("stale", "plans", 200),
    ("provider-faults", "plans", 720),
    ("operations", "operations", 2_500),
    ("sim", "histories", 1_000_000),
    ("soak", "offboardings", 2_000),
];

/// Writes both, whatever was run so far, and says what is still to come.
#[test]
#[ignore = "a tool: make campaign-report"]
fn a_report_tells_what_was_run_and_what_was_not() {
    let source = source();
    let totals = totals(&source);
    let rows: Vec<Value> = PARTS
        .iter()
        .map(|&(part, counted, due)| {
            let total =
                totals.get(part).cloned().unwrap_or_else(|| json!({"runs": 0, "failed": 0, "seconds": 0}));
            let count = total["figures"][counted].as_u64().unwrap_or_default();
            json!({"part": part, "counted": counted, "count": count, "due": due, "total": total})
        })
        .collect();
    let report = json!({"src": source, "version": env!("CARGO_PKG_VERSION"), "parts": rows});
    fs::write(directory().join("report.json"), format!("{report:#}\n")).unwrap();
    let table = table(&report);
    fs::write(directory().join("report.md"), &table).unwrap();
    println!("{table}");
}

#[test]
fn every_part_that_is_run_by_make_is_in_the_report() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let run = makefile.lines().filter_map(|line| line.strip_prefix("RUNS_")?.split_once(" := "));
    let run: BTreeSet<&str> = run.map(|(part, _)| part).chain(["sim"]).collect();
    assert_eq!(run, PARTS.iter().map(|(part, ..)| *part).collect());
}

fn table(report: &Value) -> String {
    let mut text = format!(
        "Campaigns on `src/` {}, version {}.\n\n| campaign | figure | of | runs | failed | minutes of runs |\n|---|--:|--:|--:|--:|--:|\n",
        report["src"].as_str().unwrap_or_default(),
        report["version"].as_str().unwrap_or_default()
    );
    for row in report["parts"].as_array().into_iter().flatten() {
        let total = &row["total"];
        let minutes = total["seconds"].as_f64().unwrap_or_default() / 60.0;
        let _always = writeln!(
            text,
            "| {} | {} {} | {} | {} | {} | {minutes:.0} |",
            row["part"].as_str().unwrap_or_default(),
            row["count"],
            row["counted"].as_str().unwrap_or_default(),
            row["due"],
            total["runs"],
            total["failed"],
        );
    }
    text
}

#[test]
fn a_run_that_failed_is_in_the_table_however_often_it_is_repeated() {
    let report = json!({"src": "abc", "version": "1", "parts": [{
        "part": "kill", "counted": "kills", "count": 9, "due": 10,
        "total": {"runs": 3, "failed": 1, "seconds": 120.0},
    }]});
    assert!(table(&report).ends_with("| kill | 9 kills | 10 | 3 | 1 | 2 |\n"), "{}", table(&report));
}
