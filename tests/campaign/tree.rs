//! What was run and by what it was judged, as one id: runs of different days count together only where it is the same.

use std::{
    io::{self, Write as _},
    path::Path,
    process::{Command, Stdio},
};

/// What the runs load, and their judges. The table that tells of them is neither.
const OF: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "crds",
    "deploy",
    "sandbox",
    "tests/campaign",
    "tests/cluster/people.rs",
    "tests/cluster/stage.rs",
    "tests/cluster/story.rs",
    "tests/control-plane",
    "tests/harness",
    "tests/sim",
    ":!tests/campaign/report.rs",
    ":!*.md",
];

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
    /// # Errors
    /// Where Git cannot say.
    pub fn now(root: &Path) -> io::Result<Tree> {
        let listed =
            git(root, &["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"], OF, "")?;
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
        let clean = git(root, &["status", "--porcelain", "--"], OF, "")?.trim().is_empty();
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
