//! What was run, in one table: `target/campaign/report.json` and `report.md`, from the runs on record for the tree as it is now.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
};

use offboarding::failpoint::NAMES;
use serde_json::{Map, Value, json};

use crate::{operations::PROPERTIES, results::directory, stage::root, tree::Tree};

/// How a figure of a part comes from those of its runs.
enum Count {
    /// The sum of this one.
    Sum(&'static str),
    /// How many begin like this.
    Different(&'static str),
    /// Kills where there were fewest: a failpoint with a provider.
    AtTheRarestFailpoint,
    /// Seeds in ranges that came to their end, each once.
    Histories,
}

use Count::{AtTheRarestFailpoint, Different, Histories, Sum};

/// A part, what is counted of it, and how much of that a full campaign takes: reliability.md §6.2 and the acceptance.
const ROWS: &[(&str, &str, Count, u64)] = &[
    ("kill", "kills at a failpoint or at random", Sum("kills"), 1_920),
    ("kill", "kills at each failpoint with each provider", AtTheRarestFailpoint, 20),
    ("kill", "kills at random", Sum("at-random"), 200),
    ("panics", "panics", Sum("panics"), 38),
    ("outages", "outages", Sum("outages"), 80),
    ("api-faults", "plans", Sum("plans"), 1_000),
    ("upheavals", "upheavals", Sum("upheavals"), 50),
    ("stale", "plans", Sum("plans"), 200),
    ("stale", "different plans", Different("plan "), 60),
    ("provider-faults", "plans", Sum("plans"), 1_176),
    ("operations", "operations", Sum("operations"), 2_500),
    ("operations", "different properties", Different("property "), PROPERTIES),
    ("sim", "histories", Histories, 1_000_000),
    ("soak", "offboardings", Sum("offboardings"), 2_000),
];

const PROVIDERS: [&str; 2] = ["juicyway", "revolv3"];

/// Writes both, whatever was run so far, and says what is still to come.
#[test]
#[ignore = "a tool: make campaign-report"]
fn a_report_tells_what_was_run_and_what_was_not() {
    let trees = trees(|part| Tree::of(&root(), part).unwrap());
    let mut runs = Vec::new();
    for entry in fs::read_dir(directory()).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|extension| extension == "jsonl") {
            let text = fs::read_to_string(entry.path()).unwrap();
            runs.extend(text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()));
        }
    }
    let report = report(&trees, &runs);
    fs::write(directory().join("report.json"), format!("{report:#}\n")).unwrap();
    let table = table(&report);
    fs::write(directory().join("report.md"), &table).unwrap();
    println!("{table}");
}

#[test]
fn every_part_that_is_run_by_make_is_in_the_report() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let run = makefile.lines().filter_map(|line| line.strip_prefix("RUNS_")?.split_once(" := "));
    let run: BTreeSet<&str> = run.map(|(part, _)| part).chain(["sim", "soak"]).collect();
    assert_eq!(run, ROWS.iter().map(|(part, ..)| *part).collect());
}

/// What each part would be run on now.
fn trees(of: impl Fn(&str) -> Tree) -> BTreeMap<&'static str, Tree> {
    ROWS.iter().map(|(part, ..)| (*part, of(part))).collect()
}

fn report(trees: &BTreeMap<&str, Tree>, runs: &[Value]) -> Value {
    let is_of_now = |run: &&Value| {
        run["part"].as_str().is_some_and(|part| trees.get(part).is_some_and(|tree| run["tree"] == *tree.id))
    };
    let of_it: Vec<&Value> = runs.iter().filter(is_of_now).collect();
    let commit = trees.values().next().map(|tree| tree.commit.clone());
    let is_clean = trees.values().all(|tree| tree.clean);
    let ids: BTreeMap<&str, &str> = trees.iter().map(|(part, tree)| (*part, tree.id.as_str())).collect();
    let parts: BTreeSet<&str> = ROWS.iter().map(|(part, ..)| *part).collect();
    let totals: BTreeMap<&str, Value> = parts.into_iter().map(|part| (part, total(part, &of_it))).collect();
    let rows: Vec<Value> = ROWS
        .iter()
        .map(|(part, counted, count, due)| {
            let count = counts(count, &totals[part]);
            json!({"part": part, "counted": counted, "count": count, "due": due})
        })
        .collect();
    let commits: BTreeSet<&str> = of_it.iter().filter_map(|run| run["commit"].as_str()).collect();
    let changed = of_it.iter().filter(|run| run["clean"] != true).count();
    json!({
        "trees": ids, "commit": commit, "clean": is_clean, "version": env!("CARGO_PKG_VERSION"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "commitsOfRuns": commits, "runsOnUncommittedChanges": changed, "rows": rows, "parts": totals,
    })
}

/// Figures of all runs of a part, how long anything of it ran, how many failed.
fn total(part: &str, runs: &[&Value]) -> Value {
    let mut by_seed = BTreeMap::<String, &Value>::new();
    let (mut spans, mut histories) = (Vec::new(), Vec::new());
    for run in runs.iter().filter(|run| run["part"] == part) {
        let number = |name: &str| run[name].as_f64().unwrap_or_default();
        spans.push((number("begun"), number("begun") + number("seconds")));
        let (first, count) = (number("seed"), run["figures"]["histories"].as_f64().unwrap_or_default());
        histories.push((first, first + if run["failed"].is_null() { count } else { 0.0 }));
        // A failure stays one, however often the run is repeated.
        let seed = run["seed"].to_string();
        if by_seed.get(&seed).is_none_or(|earlier| earlier["failed"].is_null()) {
            by_seed.insert(seed, run);
        }
    }
    let mut figures = Map::new();
    for run in by_seed.values() {
        for (name, value) in run["figures"].as_object().into_iter().flatten() {
            let sum = figures.get(name).and_then(Value::as_u64).unwrap_or_default();
            figures.insert(name.clone(), json!(sum + value.as_u64().unwrap_or_default()));
        }
    }
    let failed = by_seed.values().filter(|run| !run["failed"].is_null()).count();
    json!({
        "runs": by_seed.len(), "failed": failed, "seconds": covered(spans).round(),
        "histories": covered(histories), "figures": figures,
    })
}

/// How much the spans cover together, each point once.
fn covered(mut spans: Vec<(f64, f64)>) -> f64 {
    spans.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut covered, mut until) = (0.0, f64::MIN);
    for (from, to) in spans {
        covered += (to - from.max(until)).max(0.0);
        until = until.max(to);
    }
    covered
}

fn counts(count: &Count, total: &Value) -> u64 {
    let of = |name: &str| total["figures"][name].as_u64().unwrap_or_default();
    match count {
        Sum(name) => of(name),
        Different(like) => {
            let names = total["figures"].as_object().into_iter().flatten();
            u64::try_from(names.filter(|(name, _)| name.starts_with(like)).count()).unwrap()
        }
        AtTheRarestFailpoint => NAMES
            .iter()
            .flat_map(|point| PROVIDERS.map(|provider| of(&format!("at:{point}:{provider}"))))
            .min()
            .unwrap_or_default(),
        Histories => total["histories"].as_f64().unwrap_or_default() as u64,
    }
}

fn table(report: &Value) -> String {
    let word = |name: &str| report[name].as_str().unwrap_or_default().to_owned();
    let changes = |is_clean: bool| if is_clean { "" } else { " (with uncommitted changes)" };
    let commits: Vec<&str> =
        report["commitsOfRuns"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut text = format!(
        "Campaigns at commit {}{}, version {}, {} cores; runs of a part count where its files are the same.\n\nThe runs were at {}; {} of them on uncommitted changes.\n\n",
        word("commit"),
        changes(report["clean"] == true),
        word("version"),
        report["cores"],
        if commits.is_empty() { "no commit".to_owned() } else { commits.join(", ") },
        report["runsOnUncommittedChanges"],
    );
    text += "| campaign | runs | failed | minutes |\n|---|--:|--:|--:|\n";
    for (part, total) in report["parts"].as_object().into_iter().flatten() {
        let minutes = total["seconds"].as_f64().unwrap_or_default() / 60.0;
        let _always = writeln!(text, "| {part} | {} | {} | {minutes:.0} |", total["runs"], total["failed"]);
    }
    text += "\n| campaign | figure | count | of | |\n|---|---|--:|--:|---|\n";
    for row in report["rows"].as_array().into_iter().flatten() {
        let is_met = row["count"].as_u64() >= row["due"].as_u64();
        let _always = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            row["part"].as_str().unwrap_or_default(),
            row["counted"].as_str().unwrap_or_default(),
            row["count"],
            row["due"],
            if is_met { "met" } else { "not yet" },
        );
    }
    let figures = &report["parts"]["kill"]["figures"];
    let _always =
        writeln!(text, "\n| kills at | {} |\n|---|{}", PROVIDERS.join(" | "), "--:|".repeat(PROVIDERS.len()));
    for point in NAMES {
        let counts = PROVIDERS.map(|provider| {
            figures[format!("at:{point}:{provider}")].as_u64().unwrap_or_default().to_string()
        });
        let _always = writeln!(text, "| {point} | {} |", counts.join(" | "));
    }
    text
}

#[test]
fn late_deaths_do_not_count_and_the_failpoint_that_was_met_least_tells_how_far_the_kills_are() {
    let mut figures =
        Map::from_iter([("kills".to_owned(), json!(900)), ("late:send.done".to_owned(), json!(99))]);
    figures.extend(NAMES.iter().map(|point| (format!("at:{point}:juicyway"), json!(25))));
    figures.extend(NAMES.iter().map(|point| (format!("at:{point}:revolv3"), json!(21))));
    let missed = figures.insert("at:send.done:revolv3".to_owned(), json!(3));
    assert_eq!(missed, Some(json!(21)));
    let runs = [run("kill", json!(0), json!({"figures": figures}))];
    let table = table(&report(&tree(), &runs));
    assert!(
        table.contains("| kill | kills at a failpoint or at random | 900 | 1920 | not yet |\n"),
        "{table}"
    );
    assert!(
        table.contains("| kill | kills at each failpoint with each provider | 3 | 20 | not yet |\n"),
        "{table}"
    );
    assert!(table.contains("| send.done | 25 | 3 |\n"), "{table}");
}

#[test]
fn a_run_that_failed_is_in_the_table_however_often_it_is_repeated() {
    let passed = json!({"figures": {"outages": 40}});
    let runs = [
        run("outages", json!(0), passed.clone()),
        run("outages", json!(1), json!({"failed": "why"})),
        run("outages", json!(1), passed.clone()),
        run("outages", json!("afterwards"), json!({"failed": "why"})),
    ];
    let table = table(&report(&tree(), &runs));
    assert!(table.contains("| outages | 3 | 2 | 1 |\n"), "{table}");
    assert!(table.contains("| outages | outages | 40 | 80 | not yet |\n"), "{table}");
}

#[test]
fn histories_count_once_and_those_of_a_range_that_failed_do_not() {
    let passed = |first: u64, count: u64| run("sim", json!(first), json!({"figures": {"histories": count}}));
    let failed = json!({"failed": "S4", "figures": {"histories": 900}});
    let runs =
        [passed(0, 500_000), passed(250_000, 500_000), passed(0, 100), run("sim", json!(2_000_000), failed)];
    let report = report(&tree(), &runs);
    assert_eq!(counts(&Histories, &report["parts"]["sim"]), 750_000);
    assert_eq!(report["parts"]["sim"]["failed"], 1);
}

#[test]
fn only_runs_on_the_tree_as_it_is_count_and_the_report_says_which_commits_they_were_on() {
    let mut elsewhere = run("stale", json!(0), json!({"figures": {"plan a": 5, "plan b": 5}}));
    elsewhere["tree"] = json!("another");
    let mut changed = run("stale", json!(1), json!({"figures": {"plan a": 5}}));
    (changed["commit"], changed["clean"]) = (json!("fed"), json!(false));
    let report =
        report(&tree(), &[elsewhere, changed, run("stale", json!(2), json!({"figures": {"plan c": 1}}))]);
    assert_eq!(counts(&Different("plan "), &report["parts"]["stale"]), 2);
    let table = table(&report);
    assert!(table.starts_with("Campaigns at commit def (with uncommitted changes), version "), "{table}");
    assert!(table.contains("The runs were at def, fed; 1 of them on uncommitted changes."), "{table}");
}

#[cfg(test)]
fn tree() -> BTreeMap<&'static str, Tree> {
    trees(|_| Tree { id: "abc".to_owned(), commit: "def".to_owned(), clean: false })
}

/// Runs of the tests begin together and take a minute.
#[cfg(test)]
fn run(part: &str, seed: Value, ended: Value) -> Value {
    let mut run = json!({
        "part": part, "tree": "abc", "commit": "def", "clean": true, "seed": seed, "begun": 1e9, "seconds": 60.0,
    });
    run.as_object_mut().unwrap().extend(ended.as_object().unwrap().clone());
    run
}
