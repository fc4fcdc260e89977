//! What a campaign has to do, what it has done already, and how the runs ended.
//!
//! Without `CAMPAIGN_RUNS` a slice is run, as in CI. With it, so many runs: those that are on record for the same tree are not
//! done again, and after `CAMPAIGN_MINUTES` (55) no further one is begun. `CAMPAIGN_SEED` runs that one alone.

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::Write as _,
    panic::{AssertUnwindSafe, resume_unwind},
    path::PathBuf,
    sync::Mutex,
    time::{Duration, Instant, SystemTime},
};

use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::{Value, json};

use crate::{stage::root, tree::Tree};

/// Figures of one run, by name: `kills` → 10.
pub type Figures = BTreeMap<String, u64>;

/// One campaign.
pub struct Campaign {
    part: &'static str,
    seeds: Vec<u64>,
    until: Instant,
    /// None for a slice.
    record: Option<Record>,
}

/// Where runs are put on record, and as runs of what.
struct Record {
    file: Mutex<fs::File>,
    tree: Tree,
}

impl Campaign {
    /// `slice` runs in CI, else those of `CAMPAIGN_RUNS`, from seed 0 on.
    pub fn of(part: &'static str, slice: u64) -> Campaign {
        let number = |name: &str| {
            std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse::<u64>().unwrap())
        };
        let minutes = number("CAMPAIGN_MINUTES").unwrap_or(55);
        let until = Instant::now() + Duration::from_secs(60 * minutes);
        if let Some(seed) = number("CAMPAIGN_SEED") {
            return Campaign { part, seeds: vec![seed], until, record: None };
        }
        let Some(runs) = number("CAMPAIGN_RUNS") else {
            return Campaign { part, seeds: (0..slice).collect(), until, record: None };
        };
        let path = directory().join(format!("{part}.jsonl"));
        let tree = Tree::of(&root(), part).unwrap();
        let done = done(&fs::read_to_string(&path).unwrap_or_default(), &tree.id);
        let file = Mutex::new(OpenOptions::new().create(true).append(true).open(path).unwrap());
        let seeds: Vec<u64> = (0..runs).filter(|seed| !done.contains(seed)).collect();
        println!("{part}: {} of {runs} runs are to do on {tree:?}", seeds.len());
        Campaign { part, seeds, until, record: Some(Record { file, tree }) }
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
        // Hundreds of them: they are for the report.
        sum.retain(|name, _| !name.starts_with("property "));
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
        let judged = async {
            let figures = run(seed).await;
            assert_eq!(wrong(), [""; 0], "seen by nobody who takes part");
            figures
        };
        let ended = self.on_record(json!(seed), judged).await;
        if let Err(panic) = &ended {
            println!(
                "{}: run {seed} failed; again with CAMPAIGN_SEED={seed} make campaign-{}\n{}",
                self.part,
                self.part,
                words(panic.as_ref())
            );
        }
        ended.ok()
    }

    /// What is looked at once the runs are over: on record as they are, so that it counts where it fails.
    ///
    /// # Panics
    /// Where it does.
    pub async fn afterwards(&self, what: &str, look: impl Future<Output = Figures>) {
        self.on_record(json!(what), look).await.map(drop).unwrap_or_else(|panic| resume_unwind(panic));
    }

    async fn on_record(
        &self,
        seed: Value,
        run: impl Future<Output = Figures>,
    ) -> Result<Figures, Box<dyn Any + Send>> {
        let (at, begun) = (SystemTime::UNIX_EPOCH.elapsed().unwrap(), Instant::now());
        let ended = AssertUnwindSafe(run).catch_unwind().await;
        let Some(Record { file, tree }) = &self.record else { return ended };
        let mut line = json!({
            "part": self.part, "tree": tree.id, "commit": tree.commit, "clean": tree.clean, "seed": seed,
            "begun": at.as_secs_f64(), "seconds": begun.elapsed().as_secs_f64(),
        });
        match &ended {
            Ok(figures) => line["figures"] = json!(figures),
            Err(panic) => line["failed"] = json!(words(panic.as_ref())),
        }
        // Of what else it would be a run, nobody can say.
        let is_the_same = Tree::of(&root(), self.part).unwrap().id == tree.id;
        if is_the_same || ended.is_err() {
            writeln!(file.lock().unwrap(), "{line}").unwrap();
        } else {
            println!("{}: run {seed} is not put on record: its files were changed meanwhile", self.part);
        }
        ended
    }
}

/// The seeds that came to a good end on a tree. Whoever failed is run again, and stays on record as well.
fn done(record: &str, tree: &str) -> BTreeSet<u64> {
    let runs = record.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_it = runs.filter(|run| run["tree"] == tree && run["failed"].is_null());
    of_it.filter_map(|run| run["seed"].as_u64()).collect()
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

#[test]
fn a_run_on_another_tree_is_done_again_and_so_is_one_that_failed() {
    let record = r#"{"tree": "one", "seed": 1, "figures": {}}
        {"tree": "other", "seed": 2, "figures": {}}
        {"tree": "one", "seed": 3, "failed": "why"}
        {"src": "one", "seed": 4, "figures": {}}
        {"tree": "one", "seed": "quiet", "figures": {}}
        half a li"#;
    assert_eq!(done(record, "one"), BTreeSet::from([1]));
}
