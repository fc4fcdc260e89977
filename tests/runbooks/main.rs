//! The runbooks: a page for whatever ends a request or alarms somebody, and every command in them is executed as it stands, on a real API
//! server, with the operator and a provider in a sandbox. So are those of the other pages whose commands no test of their own tries.

mod commands;
mod other_pages;
mod pages;
#[expect(dead_code, clippy::unwrap_used, reason = "a test may panic; nobody presses Ctrl-C here")]
#[path = "../plugin/pty.rs"]
mod pty;
mod world;

use std::{collections::BTreeSet, path::Path};

use harness::Failure;

use commands::{Command, commands};
use world::World;

/// Where the pages are.
const RUNBOOKS: &str = "docs/runbooks";

/// What these do, others need undone: they come last.
const LAST: &[&str] = &["break-glass", "installation-key"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Each page's name without its ending, and its text.
fn pages() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(root().join(RUNBOOKS)).expect("it can be listed").flatten();
    let mut pages: Vec<(String, String)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().strip_suffix(".md")?.to_owned();
            Some((name, std::fs::read_to_string(entry.path()).expect("it can be read")))
        })
        .collect();
    pages.sort_by_key(|(name, _)| (LAST.contains(&name.as_str()), name.clone()));
    assert!(pages.len() > 60, "the pages are found: {}", pages.len());
    pages
}

/// Page after page, each with objects of its own; what only reads, and was done before, is not done again.
#[tokio::test]
async fn every_command_of_the_runbooks_works() -> Result<(), Failure> {
    let world = World::new().await?;
    let (mut read, mut count, mut broken) = (BTreeSet::new(), 0, Vec::new());
    for (name, page) in pages() {
        let told = commands(&page);
        let fresh: Vec<&Command> =
            told.iter().filter(|it| !it.reads() || read.insert(it.text.clone())).collect();
        if fresh.is_empty() {
            continue;
        }
        let scene = world.scene(&page).await?;
        for command in fresh {
            count += 1;
            // To the end of the page: what fails is told at once for all of them.
            if let Err(why) = scene.does(command).await {
                broken.push(format!("{name}.md: {}\n{why}", command.text));
            }
        }
        scene.ends().await?;
    }
    assert!(broken.is_empty(), "{} of {count}:\n{}", broken.len(), broken.join("\n\n"));
    assert!(count > 120, "{count} commands are found");
    Ok(())
}
