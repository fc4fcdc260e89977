//! What a campaign has to do, what it has done already, and how the runs ended.
//!
//! Without `CAMPAIGN_RUNS` a slice is run, as in CI. With it, so many runs: those that are on record for the same `src/` are not
//! done again, and after `CAMPAIGN_MINUTES` (55) no further one is begun. `CAMPAIGN_SEED` runs that one alone.

use std::{
    any::Any,
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write as _,
    panic::AssertUnwindSafe,
    path::PathBuf,
    process::Command,
    sync::Mutex,
    time::{Duration, Instant},
};

use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::{Map, Value, json};

use crate::stage::root;

/// Figures of one run, by name: `kills` → 10.
pub type Figures = BTreeMap<String, u64>;

/// One campaign.
pub struct Campaign {
    part: &'static str,
    seeds: Vec<u64>,
    until: Instant,
    /// Where runs are put on record; none for a slice.
    record: Option<Mutex<fs::File>>,
    source: String,
}

impl Campaign {
    /// `slice` runs in CI, else those of `CAMPAIGN_RUNS`, from seed 0 on.
    pub fn of(part: &'static str, slice: u64) -> Campaign {
        let number = |name: &str| {
            std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse::<u64>().unwrap())
        };
        let minutes = number("CAMPAIGN_MINUTES").unwrap_or(55);
        let until = Instant::now() + Duration::from_secs(60 * minutes);
        let source = source();
        if let Some(seed) = number("CAMPAIGN_SEED") {
            return Campaign { part, seeds: vec![seed], until, record: None, source };
        }
        let Some(runs) = number("CAMPAIGN_RUNS") else {
            return Campaign { part, seeds: (0..slice).collect(), until, record: None, source };
        };
        let path = directory().join(format!("{part}.jsonl"));
        let done: Vec<u64> = fs::read_to_string(&path)
            .unwrap_or_default()
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|run| run["src"] == source && run["failed"].is_null())
            .filter_map(|run| run["seed"].as_u64())
            .collect();
        let file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        let seeds = (0..runs).filter(|seed| !done.contains(seed)).collect();
        println!("{part}: {} of {runs} runs are on record", done.len());
        Campaign { part, seeds, until, record: Some(Mutex::new(file)), source }
    }

    /// Whether this is more than a slice: worth more control planes than one.
    pub fn is_long(&self) -> bool {
        self.record.is_some()
    }

    /// Runs what is to do, `at_once` at a time. `wrong` says what was wrong beside the runs since it was last asked: the run after
    /// which it is found is on record as one that failed, whoever it was.
    ///
    /// # Panics
    /// At the end, where a run failed: each is told when it does, with how to run it alone.
    pub async fn run(
        &self,
        at_once: usize,
        run: impl AsyncFn(u64) -> Figures,
        wrong: impl Fn() -> Vec<String>,
    ) {
        let begun = Instant::now();
        let ended: Vec<Option<Figures>> = stream::iter(&self.seeds)
            .take_while(|_| std::future::ready(Instant::now() < self.until))
            .map(|&seed| self.one(seed, &run, &wrong))
            .buffer_unordered(at_once)
            .collect()
            .await;
        let mut sum = Figures::new();
        for (name, count) in ended.iter().flatten().flatten() {
            *sum.entry(name.clone()).or_default() += count;
        }
        let failed = ended.iter().filter(|figures| figures.is_none()).count();
        println!("{}: {} runs in {:.0?}: {sum:?}; {failed} failed", self.part, ended.len(), begun.elapsed());
        assert_eq!(failed, 0, "runs of {} that failed", self.part);
    }

    async fn one(
        &self,
        seed: u64,
        run: &impl AsyncFn(u64) -> Figures,
        wrong: &impl Fn() -> Vec<String>,
    ) -> Option<Figures> {
        let begun = Instant::now();
        let judged = async {
            let figures = run(seed).await;
            assert_eq!(wrong(), [""; 0], "seen by nobody who takes part");
            figures
        };
        let ended = AssertUnwindSafe(judged).catch_unwind().await;
        let seconds = begun.elapsed().as_secs_f64();
        let mut line = json!({ "part": self.part, "src": self.source, "seed": seed, "seconds": seconds });
        match &ended {
            Ok(figures) => line["figures"] = json!(figures),
            Err(panic) => {
                let why = words(panic.as_ref());
                println!(
                    "{}: run {seed} failed; again with CAMPAIGN_SEED={seed} make campaign-{}\n{why}",
                    self.part, self.part
                );
                line["failed"] = json!(why);
            }
        }
        if let Some(record) = &self.record {
            writeln!(record.lock().unwrap(), "{line}").unwrap();
        }
        ended.ok()
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no words").to_owned()
}

/// Where all parts put their runs on record.
pub fn directory() -> PathBuf {
    let directory = root().join("target/campaign");
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// What was run: the tree of `src/` in Git, and whether it was changed since. Empty where nobody can say.
pub fn source() -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).current_dir(root()).output();
        output.map_or_else(
            |_| String::new(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
    };
    let changed = !git(&["status", "--porcelain", "--", "src"]).is_empty();
    git(&["rev-parse", "--short=12", "HEAD:src"]) + if changed { "+changes" } else { "" }
}

/// Every run on record for a source, by part: how many, their figures, how long they took, how many failed.
pub fn totals(source: &str) -> BTreeMap<String, Value> {
    let mut parts = BTreeMap::<String, BTreeMap<u64, Value>>::new();
    for entry in fs::read_dir(directory()).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|extension| extension == "jsonl") {
            let text = fs::read_to_string(entry.path()).unwrap();
            let runs = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            for run in runs.filter(|run| run["src"] == source) {
                let part = parts.entry(run["part"].as_str().unwrap().to_owned()).or_default();
                // A failure stays one, however often the run is repeated.
                let seed = run["seed"].as_u64().unwrap();
                if part.get(&seed).is_none_or(|earlier| earlier["failed"].is_null()) {
                    part.insert(seed, run);
                }
            }
        }
    }
    parts.into_iter().map(|(part, runs)| (part, total(runs.values()))).collect()
}

fn total<'a>(runs: impl Iterator<Item = &'a Value>) -> Value {
    let (mut count, mut failed, mut seconds, mut figures) = (0_u64, 0_u64, 0.0, Map::new());
    for run in runs {
        count += 1;
        failed += u64::from(!run["failed"].is_null());
        seconds += run["seconds"].as_f64().unwrap_or_default();
        for (name, value) in run["figures"].as_object().into_iter().flatten() {
            let sum = figures.get(name).and_then(Value::as_u64).unwrap_or_default();
            figures.insert(name.clone(), json!(sum + value.as_u64().unwrap_or_default()));
        }
    }
    json!({ "runs": count, "failed": failed, "seconds": seconds.round(), "figures": figures })
}
