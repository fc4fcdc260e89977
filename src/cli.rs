//! Arguments, wiring and exit codes.

use std::{io::Write as _, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::api;

/// Offboards customers at SaaS providers: exactly once, approved, verified, with evidence.
#[derive(Parser)]
#[command(name = "customer-offboarding-operator", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the CustomResourceDefinitions as YAML, ready for `kubectl apply --server-side -f -`.
    Crds,
}

/// Runs the command line: 0 when done, 1 when it failed, 2 for unusable arguments.
#[must_use]
pub fn run() -> ExitCode {
    match Arguments::parse().command {
        Command::Crds => print_crds(),
    }
}

fn print_crds() -> ExitCode {
    let printed = crds_yaml().map_err(|error| error.to_string());
    let written =
        printed.and_then(|yaml| std::io::stdout().write_all(yaml.as_bytes()).map_err(|e| e.to_string()));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: failed to print the CRDs: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The definitions as one YAML stream.
///
/// # Errors
/// Where a definition cannot be written as YAML: a bug of ours.
pub fn crds_yaml() -> Result<String, serde_saphyr::ser::Error> {
    let documents: Result<Vec<String>, _> = api::crds().iter().map(serde_saphyr::to_string).collect();
    Ok(documents?.iter().map(|document| format!("---\n{document}")).collect())
}
