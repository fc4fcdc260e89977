//! What is read, and how it is told: ratios first.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    io::{Read as _, Seek as _, SeekFrom},
    time::Duration,
};

use harness::LedgerFilter;
use serde_json::Value;

use crate::{stage::Stage, story::Story};

const OPERATOR: &str = "system:serviceaccount:customer-offboarding:customer-offboarding-operator";

/// What an idle leader asks: its lease is renewed, watches end and are begun again; and once a minute it looks whether its key, the
/// policies and the records are still those that it works with.
const EXPECTED: &[&str] = &[
    "update leases",
    "watch clusteroffboardingproviders",
    "watch customerholds",
    "watch customeroffboardings",
    "watch offboardingapprovals",
    "watch offboardingproviders",
    "watch offboardingrecords",
    "get secrets",
    "get validatingadmissionpolicies",
    "get validatingadmissionpolicybindings",
    "list offboardingrecords",
];

/// Clock ticks of `/proc` in a second, on every Linux architecture that matters.
const TICKS: u64 = 100;

/// One look at a process and at what was asked so far.
pub struct Reading {
    /// Resident memory, in bytes.
    pub rss: u64,
    /// Since its start, in ticks.
    cpu: u64,
    /// Length of the audit log.
    asked: u64,
    /// What the provider received.
    provider_calls: usize,
    audit: std::path::PathBuf,
}

impl Reading {
    pub async fn take(story: &Story<'_>) -> Reading {
        let audit = story.stage.plane.audit_log().unwrap().to_owned();
        let process = story.stage.operator.lock().await.id();
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        // After the name, which may hold anything: state is field 3, utime 14, stime 15.
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks = |field: usize| -> u64 { fields[field - 3].parse().unwrap() };
        Reading {
            rss: Self::rss(story.stage).await,
            cpu: ticks(14) + ticks(15),
            asked: fs::metadata(&audit).unwrap().len(),
            provider_calls: story.sandbox.ledger(&LedgerFilter::default()).await.unwrap().len(),
            audit,
        }
    }

    pub async fn rss(stage: &Stage) -> u64 {
        let process = stage.operator.lock().await.id();
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }
}

/// What happened between two readings; rates are a minute's.
pub struct Figures {
    rss: u64,
    most: u64,
    end: u64,
    cpu_ms: f64,
    asked: BTreeMap<String, f64>,
    pub provider_calls: f64,
    /// What was asked and is not expected.
    pub surprises: Vec<String>,
}

impl Figures {
    pub fn between(before: &Reading, after: &Reading, most: u64, lasted: Duration) -> Figures {
        let minutes = lasted.as_secs_f64() / 60.0;
        let counted = asked(before, after);
        let expected: BTreeSet<&str> = EXPECTED.iter().copied().collect();
        Figures {
            rss: before.rss,
            most: most.max(after.rss),
            end: after.rss,
            cpu_ms: ((after.cpu - before.cpu) * 1000 / TICKS) as f64 / minutes,
            surprises: counted.keys().filter(|what| !expected.contains(what.as_str())).cloned().collect(),
            asked: counted.into_iter().map(|(what, count)| (what, count as f64 / minutes)).collect(),
            provider_calls: (after.provider_calls - before.provider_calls) as f64 / minutes,
        }
    }

    fn requests(&self) -> f64 {
        self.asked.values().sum()
    }
}

/// What the operator asked of the API server in between, by the API server's own audit log. A watch counts when it begins.
fn asked(before: &Reading, after: &Reading) -> BTreeMap<String, usize> {
    let mut log = fs::File::open(&after.audit).unwrap();
    log.seek(SeekFrom::Start(before.asked)).unwrap();
    let mut text = String::new();
    log.take(after.asked - before.asked).read_to_string(&mut text).unwrap();
    let mut counted = BTreeMap::new();
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let event: Value = serde_json::from_str(line).unwrap();
        let stage = if event["verb"] == "watch" { "ResponseStarted" } else { "ResponseComplete" };
        if event["user"]["username"] == OPERATOR && event["stage"] == stage {
            let object = &event["objectRef"];
            let below = object["subresource"].as_str().map(|below| format!("/{below}")).unwrap_or_default();
            let what = format!(
                "{} {}{below}",
                event["verb"].as_str().unwrap(),
                object["resource"].as_str().unwrap_or("?")
            );
            *counted.entry(what).or_default() += 1;
        }
    }
    counted
}

/// Both, side by side.
pub fn table(minutes: u64, names: &[String; 2], one: &Figures, other: &Figures) -> String {
    let mut table = format!("A leader that does nothing, for {minutes} minutes\n\n");
    let mut row = |what: &str, before: f64, after: f64, digits: usize| {
        let ratio = if before == after { 1.0 } else { after / before };
        writeln!(table, "| {what:44} | {ratio:6.2} | {before:14.digits$} | {after:14.digits$} |").unwrap();
    };
    let mega = |bytes: u64| bytes as f64 / 1e6;
    row("memory (RSS) 30 s after the start, MB", mega(one.rss), mega(other.rss), 1);
    row("memory at most, MB", mega(one.most), mega(other.most), 1);
    row("memory at the end, MB", mega(one.end), mega(other.end), 1);
    row("CPU, ms a minute", one.cpu_ms, other.cpu_ms, 0);
    row("requests to the provider a minute", one.provider_calls, other.provider_calls, 1);
    row("requests to the API server a minute", one.requests(), other.requests(), 1);
    let all: BTreeSet<&String> = one.asked.keys().chain(other.asked.keys()).collect();
    for what in all {
        let of = |figures: &Figures| figures.asked.get(what).copied().unwrap_or_default();
        row(&format!("  {what}"), of(one), of(other), 1);
    }
    let head = format!(
        "| {:44} | {:>6} | {:>14} | {:>14} |\n|{}|{}|{}|{}|\n",
        "",
        "ratio",
        names[0],
        names[1],
        "-".repeat(46),
        "-".repeat(7) + ":",
        "-".repeat(15) + ":",
        "-".repeat(15) + ":"
    );
    table.replacen("\n\n", &format!("\n\n{head}"), 1)
}
