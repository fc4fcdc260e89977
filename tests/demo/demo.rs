//! `make demo`: nine requests are carried out on a real API server, people agree and hold, the story is told as it happens,
//! and the providers' own ledger has the last word. Ends with success only if everything ended as promised.

mod act;
mod cast;
mod ledger;
mod people;
mod show;
mod stage;
mod story;
mod verdict;

use std::process::ExitCode;

use harness::Failure;

use stage::Stage;

const KEEP: &str = "--keep";

#[tokio::main]
async fn main() -> ExitCode {
    let told: Vec<String> = std::env::args().skip(1).collect();
    let keep = match told.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        [KEEP] => true,
        _ => return usage(),
    };
    match play(keep).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nThe demo failed: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: demo [{KEEP}]     {KEEP}: leave everything running until Ctrl-C");
    ExitCode::from(2)
}

/// The whole play. `Err` also where something ended otherwise than promised.
async fn play(keep: bool) -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let outcome = act::all(&stage).await;
    if keep {
        stage.stay().await?;
    }
    outcome
}

#[tokio::test]
async fn the_demo_ends_as_promised() -> Result<(), Failure> {
    play(false).await
}
