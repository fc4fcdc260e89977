//! The corpus of `fuzz/`, as it is and changed at random, on a stable compiler: what must hold for every input of every parser,
//! each in less than a second, and all in little memory. `FUZZ_RUNS=100000` for more, `FUZZ_SEED=…` for others.

use std::{
    fmt::Write as _,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use fuzzed::{Chance, TARGETS, Target, changed};

/// How many changed inputs a quick parser gets; a slow one gets fewer.
const RUNS: usize = 200;

/// Each input must be done with by then.
const LONGEST: Duration = Duration::from_secs(1);

/// A busy machine makes one try slow, and hardly three.
const TRIES: usize = 3;

/// The process must not have needed more than this: what an answer of 1 MiB may cost, many times over.
const MOST_MEMORY: usize = 256 << 20;

#[test]
fn every_parser_keeps_its_promises_on_the_corpus_and_on_what_chance_makes_of_it() {
    let runs = number("FUZZ_RUNS").unwrap_or(RUNS);
    let seed = number("FUZZ_SEED").unwrap_or(7);
    let mut table = format!(
        "{:12} {:>7} {:>8} {:>9} {:>9} {:>9}\n",
        "parser", "corpus", "changed", "slowest", "in all", "memory"
    );
    let mut broken = Vec::new();
    for target in TARGETS {
        let runs = runs / target.cost;
        let (corpus, slowest, whole) = match played(target, runs, seed) {
            Ok(figures) => figures,
            Err(why) => {
                broken.push(why);
                continue;
            }
        };
        let row = format!(
            "{:12} {corpus:>7} {runs:>8} {slowest:>9.1?} {whole:>9.1?} {:>5} MiB",
            target.name,
            most_memory() >> 20
        );
        writeln!(table, "{row}").expect("a text takes everything");
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    println!("{table}seed {seed}; memory: the most so far");
    assert!(most_memory() < MOST_MEMORY, "{} MiB were needed", most_memory() >> 20);
}

#[test]
fn every_parser_is_a_target_of_cargo_fuzz_with_a_corpus() {
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).expect("it is there");
    for Target { name, .. } in TARGETS {
        let source = fuzz().join(format!("fuzz_targets/{name}.rs"));
        let source = fs::read_to_string(source).unwrap_or_default();
        assert!(source.contains(&format!("fuzzed::{name}(")), "fuzz/fuzz_targets/{name}.rs does not call it");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml does not name {name}");
        assert!(inputs(name).len() >= 8, "fuzz/corpus/{name} is too small to begin with");
    }
}

/// How many inputs the corpus has, how long the slowest took, and all of them; or the first input that breaks a promise.
fn played(target: &Target, runs: usize, seed: u64) -> Result<(usize, Duration, Duration), String> {
    let corpus = inputs(target.name);
    let begin = Instant::now();
    let mut slowest = Duration::ZERO;
    for input in &corpus {
        slowest = slowest.max(tried(target, input)?);
    }
    let mut chance = Chance::of(seed);
    for _ in 0..runs {
        slowest = slowest.max(tried(target, &changed(&corpus, &mut chance))?);
    }
    Ok((corpus.len(), slowest, begin.elapsed()))
}

/// How long one input took, at best where it was slow.
fn tried(target: &Target, input: &[u8]) -> Result<Duration, String> {
    let mut best = Duration::MAX;
    for _ in 0..TRIES {
        let begin = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| (target.check)(input))).is_err() {
            return Err(format!("{} breaks a promise; {}", target.name, kept(target, input)));
        }
        best = best.min(begin.elapsed());
        if best < LONGEST {
            return Ok(best);
        }
    }
    Err(format!("{} takes {best:?}; {}", target.name, kept(target, input)))
}

/// Keeps an input that must be looked at, and says where it is.
fn kept(target: &Target, input: &[u8]) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}", target.name));
    fs::write(&path, input).expect("it can be kept");
    let start = String::from_utf8_lossy(&input[..input.len().min(400)]).into_owned();
    format!(
        "the input is kept at {}, and belongs into fuzz/corpus/{}:\n{start:?}",
        path.display(),
        target.name
    )
}

fn inputs(name: &str) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(fuzz().join("corpus").join(name)).map(|entries| entries.flatten());
    let mut paths: Vec<PathBuf> = entries.into_iter().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a file of the corpus can be read")).collect()
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn number<N: std::str::FromStr>(name: &str) -> Option<N> {
    std::env::var(name).ok().map(|text| text.parse().ok().expect("a whole number"))
}

/// The most that this process ever held, where the system says so.
fn most_memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().map_or(0, |kib: usize| kib << 10)
}
