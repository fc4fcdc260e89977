//! What was run and by what it was judged, as one id for each part: runs of different days count together only where it is the same.

use std::{
    io::{self, Write as _},
    path::Path,
    process::{Command, Stdio},
};

/// What is run.
const OF_ALL: &[&str] = &["Cargo.toml", "Cargo.lock", "src", "crds", "deploy", ":!*.md"];

/// What the simulator is made of.
const OF_THE_SIMULATOR: &[&str] = &["tests/sim", "tests/campaign/tree.rs"];

/// What the campaigns load, and their judges. The table that tells of them is neither.
const OF_CAMPAIGNS: &[&str] = &[
    "sandbox",
    "tests/campaign",
    "tests/cluster/people.rs",
    "tests/cluster/stage.rs",
    "tests/cluster/story.rs",
    "tests/control-plane",
    "tests/harness",
    ":!tests/campaign/report.rs",
];

/// What belongs to one part alone: the others are as they were where it changes.
const OF_ONE: &[(&str, &str)] = &[
    ("kill", "tests/campaign/kill.rs"),
    ("panics", "tests/campaign/panics.rs"),
    ("outages", "tests/campaign/outages.rs"),
    ("upheavals", "tests/campaign/upheavals.rs"),
    ("api-faults", "tests/campaign/api_faults.rs"),
    ("stale", "tests/campaign/stale.rs"),
    ("provider-faults", "tests/campaign/provider_faults.rs"),
    ("operations", "tests/campaign/operations"),
    ("operations", "tests/campaign/operations.rs"),
    ("operations", "tests/campaign/schema.rs"),
    ("soak", "tests/campaign/soak.rs"),
];

/// The files of a part, as Git names them.
fn files_of(part: &str) -> Vec<String> {
    let of_it = if part == "sim" { OF_THE_SIMULATOR } else { OF_CAMPAIGNS };
    let of_others = OF_ONE.iter().filter(|(other, _)| !part.starts_with(other));
    let left_out = of_others.map(|(_, file)| format!(":!{file}"));
    OF_ALL.iter().chain(of_it).map(|it| (*it).to_owned()).chain(left_out).collect()
}

/// The files as they are, committed or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The same where the content is the same, whatever the commit.
    pub id: String,
    pub commit: String,
    /// Whether the commit alone says what was run.
    pub clean: bool,
}

impl Tree {
    /// That of a part.
    ///
    /// # Errors
    /// Where Git cannot say.
    pub fn of(root: &Path, part: &str) -> io::Result<Tree> {
        let names = files_of(part);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let listed =
            git(root, &["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"], &names, "")?;
        let mut files: Vec<&str> =
            listed.split('\0').filter(|file| !file.is_empty() && root.join(file).is_file()).collect();
        files.sort_unstable();
        files.dedup();
        let contents = git(root, &["hash-object", "--"], &files, "")?;
        let all: String =
            files.iter().zip(contents.lines()).map(|(file, content)| format!("{content} {file}\n")).collect();
        let mut id = git(root, &["hash-object", "--stdin"], &[], &all)?.trim().to_owned();
        id.truncate(12);
        let commit = git(root, &["rev-parse", "--short=12", "HEAD"], &[], "")?.trim().to_owned();
        let clean = git(root, &["status", "--porcelain", "--"], &names, "")?.trim().is_empty();
        Ok(Tree { id, commit, clean })
    }
}

fn git(root: &Path, args: &[&str], paths: &[&str], input: &str) -> io::Result<String> {
    let mut command = Command::new("git");
    command.args(args).args(paths).current_dir(root).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("git {args:?}: {}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_judge_of_one_part_is_no_business_of_the_others_and_the_code_is_everybodys() {
    let has = |part: &str, file: &str| files_of(part).iter().any(|it| it == file);
    assert!(has("kill", ":!tests/campaign/stale.rs") && !has("kill", ":!tests/campaign/kill.rs"));
    assert!(!has("soak-short", ":!tests/campaign/soak.rs"));
    assert!(!has("sim", "tests/campaign") && !has("kill", "tests/sim"));
    for part in ["kill", "sim", "soak", "operations"] {
        assert!(["src", "crds", "deploy", "Cargo.lock"].iter().all(|file| has(part, file)), "{part}");
    }
}
