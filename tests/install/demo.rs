//! The demo's stories, told on a release of the chart: nine requests, two providers, people who agree and hold, and the providers'
//! own ledger.

use harness::{ControlPlane, Failure, Process, Scratch};

use crate::release::{self, EVERYWHERE, ON_THE_LOOPBACK};

#[path = "../demo/act.rs"]
mod act;
#[path = "../demo/cast.rs"]
mod cast;
#[path = "../demo/ledger.rs"]
mod ledger;
#[path = "../demo/people.rs"]
mod people;
#[path = "../demo/show.rs"]
mod show;
#[path = "../demo/stage.rs"]
mod stage;
#[path = "../demo/story.rs"]
mod story;
#[path = "../demo/verdict.rs"]
mod verdict;

#[tokio::test]
async fn the_demos_stories_end_as_promised_with_what_helm_installed() -> Result<(), Failure> {
    let stage = stage::Stage::set_with(run).await?;
    act::all(&stage).await
}

async fn run(plane: &ControlPlane, scratch: &Scratch) -> Result<Process, Failure> {
    let notes = release::install(plane, &[EVERYWHERE, ON_THE_LOOPBACK]).await?;
    assert!(notes.contains("STATUS: deployed"), "{notes}");
    let mut operator = release::pod(plane, scratch).await?.start(scratch.path())?;
    crate::stage::says(&mut operator, &["\"message\":\"leading\""]).await?;
    Ok(operator)
}
