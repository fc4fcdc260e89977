//! The campaigns catch bugs: rules are taken away from the production code, one at a time, and somebody must miss each.
//!
//! `make test` sees that every mutant still fits the code. `make mutants` applies each in a clone of its own and runs what must kill
//! it: an hour. `MUTANTS=M05,M06` runs those alone, `MUTANTS=rest` those that have no result for this `src/` yet. What came of each
//! is in `target/campaign/mutants.md`, with the words that it died with.
//!
//! A death counts where the same test passes on the unchanged code, and where it is a promise that is told to be broken: not a
//! build, not a time that ran out, not a figure that is missing.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; clippy only knows #[test] functions, not their helpers"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Instant,
};

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Mutant {
    id: String,
    what: String,
    breaks: String,
    file: PathBuf,
    before: String,
    after: String,
    /// Further edits, where the rule stands in more places than one.
    #[serde(default)]
    also: Vec<Edit>,
    /// Who is asked, in this order.
    killed_by: Vec<String>,
    /// Why no campaign kills it, or why it is not the bug of the list to the letter.
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    file: PathBuf,
    before: String,
    after: String,
}

/// What came of a mutant.
#[derive(Clone, Serialize, Deserialize)]
struct Came {
    /// Git's name of the `src/` that it was taken from.
    src: String,
    /// Nobody where it survived.
    killer: Option<String>,
    /// How it died, or what the killers said.
    words: String,
    seconds: u64,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn mutants() -> Vec<Mutant> {
    let text = fs::read_to_string(root().join("tests/mutants/mutants.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

impl Mutant {
    /// Every file that changes, with its text without the rule.
    fn applied(&self, root: &Path) -> Result<BTreeMap<PathBuf, String>, String> {
        let first = [(&self.file, &self.before, &self.after)];
        let more = self.also.iter().map(|edit| (&edit.file, &edit.before, &edit.after));
        let mut changed = BTreeMap::<PathBuf, String>::new();
        for (file, before, after) in first.into_iter().chain(more) {
            let read = || fs::read_to_string(root.join(file)).map_err(|error| format!("{file:?}: {error}"));
            let text = changed.get(file).cloned().map_or_else(read, Ok)?;
            match text.matches(before.as_str()).count() {
                1 => changed.insert(file.clone(), text.replace(before.as_str(), after)),
                places => return Err(format!("{file:?} has {places} places of {before:?}")),
            };
        }
        Ok(changed)
    }
}

#[test]
fn every_mutant_still_applies_to_the_code() {
    let all = mutants();
    let wrong: Vec<String> = all
        .iter()
        .filter_map(|mutant| Some(format!("{}: {}", mutant.id, mutant.applied(root()).err()?)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let ids: BTreeSet<&str> = all.iter().map(|mutant| mutant.id.as_str()).collect();
    assert_eq!(ids.len(), all.len(), "each id once");
    for mutant in &all {
        assert!(mutant.after != mutant.before && mutant.file.starts_with("src"), "{}", mutant.id);
    }
}

/// What runs the production code in many orders, as against a test beside it.
const CAMPAIGNS: [&str; 2] = ["sim", "campaign"];

#[test]
fn at_least_thirty_mutants_are_for_a_campaign_to_kill_and_each_other_one_says_why_it_is_not() {
    let all = mutants();
    let of_campaigns = |mutant: &Mutant| mutant.killed_by.iter().any(|it| CAMPAIGNS.contains(&kind_of(it)));
    let count = all.iter().filter(|mutant| of_campaigns(mutant)).count();
    assert!(count >= 30, "{count} mutants");
    for mutant in &all {
        assert!(!mutant.killed_by.is_empty() && !mutant.what.is_empty(), "{}", mutant.id);
        assert!(of_campaigns(mutant) || mutant.note.is_some(), "{} has no note", mutant.id);
    }
}

/// The tests of a target as cargo names them, `module::test`, by the files that they stand in.
fn tests_of(kind: &str) -> Vec<String> {
    let files = match kind {
        "lib" => root().join("src"),
        "model" | "sim" => root().join("tests").join(kind).join("tests"),
        kind => root().join("tests").join(kind),
    };
    let mut found = Vec::new();
    let mut open = vec![files.clone(), root().join(format!("tests/{kind}.rs"))];
    while let Some(path) = open.pop() {
        if let Ok(entries) = fs::read_dir(&path) {
            open.extend(entries.map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module = path.strip_prefix(&files).unwrap_or(Path::new("")).with_extension("");
            let module = module.to_string_lossy().replace('/', "::");
            let text = fs::read_to_string(&path).unwrap_or_default();
            let after = text.split("#[test]").skip(1).chain(text.split("#[tokio::test").skip(1));
            let names = after.filter_map(|text| text.split_once("fn ")?.1.split(['(', '<']).next());
            found.extend(names.map(|name| format!("{module}::{name}")));
        }
    }
    found
}

/// Otherwise nobody is asked, and the mutant survives where nobody looks.
#[test]
fn whoever_must_kill_a_mutant_is_there() {
    let mut missing = Vec::new();
    for mutant in mutants() {
        for killer in &mutant.killed_by {
            let kind = kind_of(killer);
            let words: Vec<&str> = killer.split(' ').skip(1).collect();
            let filter = match (kind, &words[..]) {
                ("campaign", [part, _]) => format!("{part}::"),
                (_, words) => words.join(" "),
            };
            if !tests_of(kind).iter().any(|name| name.contains(&filter)) {
                missing.push(format!("{}: {killer}", mutant.id));
            }
        }
    }
    assert_eq!(missing, [""; 0]);
}

fn kind_of(killer: &str) -> &str {
    killer.split_once(' ').map_or(killer, |(kind, _)| kind)
}

#[test]
#[ignore = "an hour: make mutants"]
fn every_mutant_is_killed() {
    let tree = Tree::of_head();
    let mut results = results();
    let only = std::env::var("MUTANTS").unwrap_or_default();
    let all = mutants();
    let is_asked = |mutant: &&Mutant| match only.as_str() {
        "" => true,
        "rest" => results.get(&mutant.id).is_none_or(|came| came.src != tree.src || came.killer.is_none()),
        ids => ids.split(',').any(|id| id == mutant.id),
    };
    let asked: Vec<&Mutant> = all.iter().filter(is_asked).collect();
    // Those that are asked first; the others only where they kill somebody.
    let mut health = Health::new();
    let first: BTreeSet<&String> = asked.iter().filter_map(|mutant| mutant.killed_by.first()).collect();
    for killer in first {
        tree.is_sound(killer, &mut health);
    }
    let mut survivors = Vec::new();
    for mutant in asked {
        let begun = Instant::now();
        let (killer, words) = tree.without_the_rule(mutant, &mut health);
        println!(
            "{} {} by {}: {words} ({:.0?})",
            mutant.id,
            mutant.what,
            killer.as_deref().unwrap_or("nobody"),
            begun.elapsed()
        );
        if killer.is_none() {
            survivors.push(mutant.id.clone());
        }
        let (src, seconds) = (tree.src.clone(), begun.elapsed().as_secs());
        results.insert(mutant.id.clone(), Came { src, killer, words, seconds });
        put_on_record(&all, &results);
    }
    let sick: Vec<_> = health.iter().filter_map(|(killer, why)| Some((killer, why.as_ref()?))).collect();
    assert!(sick.is_empty(), "these fail on the unchanged code, and prove nothing: {sick:#?}");
    assert!(survivors.is_empty(), "survived: {survivors:?}");
}

/// Why a killer proves nothing, where it was asked about the unchanged code and does not pass.
type Health = BTreeMap<String, Option<String>>;

fn directory() -> PathBuf {
    let directory = root().join("target/campaign");
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// What came of each so far, whichever run it was.
fn results() -> BTreeMap<String, Came> {
    let text = fs::read_to_string(directory().join("mutants.json")).unwrap_or_else(|_| "{}".to_owned());
    serde_json::from_str(&text).unwrap()
}

fn put_on_record(all: &[Mutant], results: &BTreeMap<String, Came>) {
    let json = serde_json::to_string_pretty(results).unwrap();
    fs::write(directory().join("mutants.json"), json + "\n").unwrap();
    fs::write(directory().join("mutants.md"), table(all, results)).unwrap();
}

fn table(all: &[Mutant], results: &BTreeMap<String, Came>) -> String {
    let known = || all.iter().filter_map(|mutant| results.get(&mutant.id));
    let killers: Vec<&str> = known().filter_map(|came| came.killer.as_deref()).collect();
    let by_campaigns = killers.iter().filter(|killer| CAMPAIGNS.contains(&kind_of(killer))).count();
    let mut text = format!(
        "{} of {} mutants are killed, {by_campaigns} of them by a campaign; {} survived, {} were not run.\n\n\
         | mutant | rule that is missing | breaks | killed by | words | `src/` |\n|---|---|---|---|---|---|\n",
        killers.len(),
        all.len(),
        known().count() - killers.len(),
        all.len() - known().count(),
    );
    for mutant in all {
        let came = results.get(&mutant.id);
        let killer = came.map_or("not run", |came| came.killer.as_deref().unwrap_or("**survived**"));
        let words = came.map_or(String::new(), |came| came.words.replace('|', "\\|"));
        let src = came.map_or("", |came| came.src.as_str());
        let _always = writeln!(
            text,
            "| {} | {} | {} | {killer} | {words} | {src} |",
            mutant.id, mutant.what, mutant.breaks
        );
    }
    text += "\nNotes:\n\n";
    for (id, note) in all.iter().filter_map(|mutant| Some((&mutant.id, mutant.note.as_ref()?))) {
        let _always = writeln!(text, "- {id}: {note}");
    }
    text
}

#[test]
fn the_table_has_what_earlier_runs_found_and_what_was_not_run() {
    let mutant = |id: &str| Mutant {
        id: id.to_owned(),
        what: "a rule".to_owned(),
        breaks: "S1".to_owned(),
        file: PathBuf::new(),
        before: String::new(),
        after: String::new(),
        also: Vec::new(),
        killed_by: Vec::new(),
        note: None,
    };
    let came = |killer: Option<&str>| Came {
        src: "abc".to_owned(),
        killer: killer.map(str::to_owned),
        words: "a | b".to_owned(),
        seconds: 1,
    };
    let results = BTreeMap::from([
        ("M1".to_owned(), came(Some("campaign kill 0"))),
        ("M2".to_owned(), came(Some("lib domain"))),
        ("M3".to_owned(), came(None)),
    ]);
    let text = table(&["M1", "M2", "M3", "M4"].map(mutant), &results);
    assert!(
        text.starts_with("2 of 4 mutants are killed, 1 of them by a campaign; 1 survived, 1 were not run.")
    );
    assert!(text.contains("| M1 | a rule | S1 | campaign kill 0 | a \\| b | abc |"), "{text}");
    assert!(text.contains("| M3 | a rule | S1 | **survived** |"), "{text}");
    assert!(text.contains("| M4 | a rule | S1 | not run |  |  |"), "{text}");
}

/// A clone in which rules are taken away.
struct Tree {
    at: PathBuf,
    src: String,
}

impl Tree {
    /// What is committed here. Kept from run to run: what did not change is not compiled again.
    fn of_head() -> Tree {
        let at = root().join("target/mutants/tree");
        assert_eq!(git(root(), &["status", "--porcelain", "--", "src"]), "", "commit what you changed first");
        if at.join(".git").exists() {
            git(&at, &["fetch", "--quiet", "origin", &git(root(), &["rev-parse", "HEAD"])]);
            git(&at, &["reset", "--quiet", "--hard", "FETCH_HEAD"]);
        } else {
            let _gone = fs::remove_dir_all(&at);
            git(root(), &["clone", "--quiet", &root().display().to_string(), &at.display().to_string()]);
        }
        Tree { src: git(&at, &["rev-parse", "--short=12", "HEAD:src"]), at }
    }

    /// Whether a killer passes on the unchanged code, and runs a test at all; asked once.
    fn is_sound(&self, killer: &str, health: &mut Health) -> bool {
        if let Some(why) = health.get(killer) {
            return why.is_none();
        }
        let begun = Instant::now();
        let why = match self.asks(killer) {
            Said::Passed(0) => Some("no such test".to_owned()),
            Said::Passed(_) => None,
            Said::Failed(words) | Said::Nothing(words) => Some(words),
        };
        let told = why.as_deref().unwrap_or("passed");
        println!("{killer} on the unchanged code: {told} ({:.0?})", begun.elapsed());
        let is_sound = why.is_none();
        health.insert(killer.to_owned(), why);
        is_sound
    }

    /// Who kills a mutant, and the words; what the others said where nobody does.
    fn without_the_rule(&self, mutant: &Mutant, health: &mut Health) -> (Option<String>, String) {
        let changed = mutant.applied(&self.at).unwrap();
        let mut said = Vec::new();
        for killer in &mutant.killed_by {
            for (file, text) in &changed {
                fs::write(self.at.join(file), text).unwrap();
            }
            let answer = self.asks(killer);
            git(&self.at, &["checkout", "--quiet", "--", "src"]);
            match answer {
                Said::Failed(words) if self.is_sound(killer, health) => return (Some(killer.clone()), words),
                Said::Failed(_) => said.push(format!("{killer} fails anyway")),
                Said::Passed(_) => said.push(format!("{killer} passed")),
                Said::Nothing(words) => said.push(format!("{killer}: {words}")),
            }
        }
        (None, said.join("; "))
    }

    /// Builds and runs one killer on the tree as it is.
    fn asks(&self, killer: &str) -> Said {
        let kind = kind_of(killer);
        let target = if kind == "lib" { vec!["--lib"] } else { vec!["--test", kind] };
        let built = self.cargo("1200", "test", &[&target[..], &["--no-run"]].concat(), &[]);
        let needs_programs = ["campaign", "cluster", "plugin"].contains(&kind);
        let programs = needs_programs.then(|| self.cargo("1200", "build", &["--bins"], &[]));
        if let Some(failed) = [Some(built), programs].into_iter().flatten().find(|it| !it.status.success()) {
            return Said::Nothing(format!("does not compile: {}", first_error(&failed)));
        }
        let words: Vec<&str> = killer.split(' ').skip(1).collect();
        let (seconds, filter, seed) = match (kind, &words[..]) {
            ("campaign", [part, seed]) => ("600", format!("{part}::"), ("CAMPAIGN_SEED", *seed)),
            ("sim", _) => ("300", "no_history".to_owned(), ("SIM_SEEDS", "3000")),
            (_, words) => ("900", words.join(" "), ("CAMPAIGN_SEED", "")),
        };
        let ran = self.cargo(seconds, "test", &[&target[..], &["--", &filter]].concat(), &[seed]);
        Said::by(&ran)
    }

    /// Whoever takes longer is ended, with everything that was started.
    fn cargo(&self, seconds: &str, verb: &str, what: &[&str], set: &[(&str, &str)]) -> Output {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from(env!("CARGO")));
        let mut command = Command::new("timeout");
        command.args(["--kill-after=10", seconds]).arg(cargo).args([verb, "--locked", "--workspace"]);
        command.args(["--features", "failpoints"]).args(what).current_dir(&self.at);
        command.env("CARGO_TARGET_DIR", self.at.join("../target"));
        for name in ["CAMPAIGN_RUNS", "CAMPAIGN_SEED", "SIM_SEED", "SIM_FIRST", "SIM_SEEDS", "MODEL_TROUBLES"]
        {
            command.env_remove(name);
        }
        command.envs(set.iter().copied().filter(|(_, value)| !value.is_empty())).output().unwrap()
    }
}

fn git(at: &Path, args: &[&str]) -> String {
    let output = Command::new("git").args(args).current_dir(at).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// What a killer said.
#[derive(Debug, PartialEq)]
enum Said {
    /// So many tests.
    Passed(u64),
    /// In these words.
    Failed(String),
    /// Nothing that counts: it took too long, or only missed that something happens at all.
    Nothing(String),
}

impl Said {
    fn by(ran: &Output) -> Said {
        let all = [&ran.stdout[..], &ran.stderr[..]].concat();
        let text = String::from_utf8_lossy(&all);
        if ran.status.success() {
            let passed =
                text.lines().filter_map(|line| line.strip_prefix("test result: ok. ")?.split_once(' '));
            return Said::Passed(passed.filter_map(|(count, _)| count.parse::<u64>().ok()).sum());
        }
        match first_panic(&text) {
            _ if matches!(ran.status.code(), Some(124 | 137)) => Said::Nothing("took too long".to_owned()),
            Some(words) if words.contains("never happened:") => Said::Nothing(words),
            Some(words) => Said::Failed(words),
            None => Said::Nothing("ended without a panic".to_owned()),
        }
    }
}

/// Most of what is said by a panic is told in so many characters.
const WORDS: usize = 260;

/// Where somebody panicked first, and the words, on one line.
fn first_panic(text: &str) -> Option<String> {
    let mut lines =
        text.lines().skip_while(|line| !line.contains("' panicked at ") && !line.contains(") panicked at "));
    let place = lines.next()?.split_once("panicked at ")?.1.trim_end_matches(':');
    let said = lines.take_while(|line| !line.is_empty() && !line.starts_with("note: ")).map(str::trim);
    let words: Vec<&str> = said.collect();
    Some(format!("{}: {place}", shortened(&words.join(" "))))
}

fn first_error(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let errors = text.lines().skip_while(|line| !line.starts_with("error")).take(6);
    shortened(&errors.collect::<Vec<_>>().join(" "))
}

fn shortened(words: &str) -> String {
    words.chars().take(WORDS).collect()
}

#[test]
fn a_death_is_told_in_the_words_of_the_first_panic_and_a_time_that_ran_out_is_none() {
    use std::os::unix::process::ExitStatusExt as _;
    let ran = |code: i32, text: &str| Output {
        status: std::process::ExitStatus::from_raw(code << 8),
        stdout: text.as_bytes().to_vec(),
        stderr: Vec::new(),
    };
    let passed = "test result: ok. 2 passed; 0 failed\ntest result: ok. 0 passed; 0 failed\n";
    let died = "---- one ----\n\nthread 'one' (7) panicked at tests/one.rs:1:2:\nseed 3 breaks S5:\n  twice\nnote: run with\nthread 'two' panicked at tests/two.rs:1:2:\nlater\n";
    let rows = [
        (ran(0, passed), Said::Passed(2)),
        (ran(101, died), Said::Failed("seed 3 breaks S5: twice: tests/one.rs:1:2".to_owned())),
        (ran(124, died), Said::Nothing("took too long".to_owned())),
        (ran(101, "error: no such"), Said::Nothing("ended without a panic".to_owned())),
    ];
    for (ran, said) in rows {
        assert_eq!(Said::by(&ran), said);
    }
    let missing = "thread 'one' panicked at a.rs:1:2:\nnever happened: [\"Edit\"]\n";
    assert!(matches!(Said::by(&ran(101, missing)), Said::Nothing(_)));
}
