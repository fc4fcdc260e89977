//! The sandbox: two providers as their documents describe them, a scripted third, and the truth about what
//! they received. README.md is its manual.

mod admin;
mod cli;
mod delivery;
mod distort;
mod exchange;
mod faults;
mod glob;
mod http;
mod journal;
mod juicyway;
mod ledger;
mod line;
mod provider;
mod revolv3;
mod route;
mod scripted;
mod server;
mod start;
mod summary;
mod timeline;
mod tls;
mod window;
mod world;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match start::run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("sandbox: {why}");
            ExitCode::FAILURE
        }
    }
}
