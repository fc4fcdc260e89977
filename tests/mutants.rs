//! The campaigns catch bugs: rules are taken away from the production code, one at a time, and somebody must miss each.
//!
//! `make test` sees that every mutant still fits the code. `make mutants` applies each in a clone of its own and runs what must kill
//! it: an hour. `MUTANTS=M05,M06` runs those alone.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; clippy only knows #[test] functions, not their helpers"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Instant,
};

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Mutant {
    id: String,
    what: String,
    breaks: String,
    file: PathBuf,
    before: String,
    after: String,
    /// Test binary and filter of each campaign that is asked, in this order.
    killed_by: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn mutants() -> Vec<Mutant> {
    let text = fs::read_to_string(root().join("tests/mutants/mutants.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

impl Mutant {
    /// The file without the rule; the number of places where it could be taken away, where that is not one.
    fn applied(&self, root: &Path) -> Result<String, usize> {
        let source = fs::read_to_string(root.join(&self.file)).unwrap();
        match source.matches(&self.before).count() {
            1 => Ok(source.replace(&self.before, &self.after)),
            places => Err(places),
        }
    }
}

#[test]
fn every_mutant_fits_the_code_in_one_place_and_names_who_must_kill_it() {
    let all = mutants();
    assert!(all.len() >= 30, "{} mutants", all.len());
    for mutant in &all {
        assert_eq!(mutant.applied(root()).err(), None, "{}: places in {}", mutant.id, mutant.file.display());
        assert!(!mutant.killed_by.is_empty() && !mutant.what.is_empty(), "{}", mutant.id);
    }
}

#[test]
#[ignore = "an hour: make mutants"]
fn every_mutant_is_killed() {
    let clone = root().join("target/mutants/tree");
    let _gone = fs::remove_dir_all(&clone);
    let cloned = Command::new("git").args(["clone", "--quiet"]).arg(root()).arg(&clone).status().unwrap();
    assert!(cloned.success());
    let only = std::env::var("MUTANTS").ok().filter(|ids| !ids.is_empty());
    let asked = |id: &str| only.as_ref().is_none_or(|ids| ids.split(',').any(|it| it == id));
    let (mut survivors, mut table) = (Vec::new(), String::new());
    for mutant in mutants().iter().filter(|mutant| asked(&mutant.id)) {
        let begun = Instant::now();
        let healthy = fs::read_to_string(clone.join(&mutant.file)).unwrap();
        fs::write(clone.join(&mutant.file), mutant.applied(&clone).unwrap()).unwrap();
        let killer = mutant.killed_by.iter().find(|campaign| kills(&clone, campaign));
        fs::write(clone.join(&mutant.file), healthy).unwrap();
        let row = format!(
            "| {} | {} | {} | {} |",
            mutant.id,
            mutant.what,
            mutant.breaks,
            killer.map_or("**survived**", String::as_str)
        );
        println!("{row} {:.0?}", begun.elapsed());
        table += &format!("{row}\n");
        if killer.is_none() {
            survivors.push(mutant.id.clone());
        }
    }
    let directory = root().join("target/campaign");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("mutants.md"), table).unwrap();
    assert!(survivors.is_empty(), "survived: {survivors:?}");
}

/// Whether a campaign fails on the mutant. One that does not compile is no mutant.
fn kills(clone: &Path, campaign: &str) -> bool {
    let (binary, filter) = campaign.split_once(' ').unwrap_or((campaign, ""));
    let target = if binary == "lib" { vec!["--lib"] } else { vec!["--test", binary] };
    let cargo = |more: &[&str]| -> Output {
        let mut command = Command::new(env!("CARGO"));
        command
            .args(["test", "--locked", "--workspace", "--features", "failpoints"])
            .args(&target)
            .args(more);
        // Seeds enough for the simulator to meet what is missing.
        command.env("SIM_SEEDS", "1500").env("CARGO_TARGET_DIR", clone.join("../target"));
        command.env_remove("CAMPAIGN_RUNS").current_dir(clone).output().unwrap()
    };
    let built = cargo(&["--no-run"]);
    assert!(built.status.success(), "{campaign}: {}", String::from_utf8_lossy(&built.stderr));
    if binary == "campaign" || binary == "cluster" || binary == "plugin" {
        let mut programs = Command::new(env!("CARGO"));
        programs.args(["build", "--locked", "--workspace", "--features", "failpoints", "--bins"]);
        let built =
            programs.env("CARGO_TARGET_DIR", clone.join("../target")).current_dir(clone).status().unwrap();
        assert!(built.success());
    }
    !cargo(&["--", filter]).status.success()
}
