//! `kubectl offboarding`: what people read before they decide, and the objects by which they decide.
//!
//! ```text
//!   args ──► cluster (read) ──► plan, explain, consent (pure: what is shown, typed, bound) ──► terminal ──► cluster (write)
//! ```
//! It writes approvals, holds and the controls of a request; everything else is the operator's. It prints no id and no credential.

mod advice;
mod args;
mod cluster;
mod consent;
mod control;
mod decide;
mod exit;
mod explain;
mod here;
mod hold;
mod object;
mod pending;
mod plan;
mod problem;
mod reference;
mod status;
mod terminal;
mod text;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use jiff::Timestamp;

use args::{Arguments, Command, Format, Hold};
use cluster::Cluster;
use consent::Item;
use control::{Control, control};
use exit::Exit;
use problem::Problem;
use terminal::Terminal;

use crate::api::CustomerOffboarding;

/// Runs the command line. How it ends is in `--help`.
#[must_use]
pub fn run(clock: fn() -> Timestamp) -> ExitCode {
    let Arguments { cluster, command } = Arguments::parse();
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return Exit::Refused.into();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => {
            eprintln!("error: the runtime cannot be started ({why})");
            return Exit::Refused.into();
        }
    };
    let done = runtime.block_on(Box::pin(carry_out(&cluster, command, clock)));
    // Somebody may still be asked something: the program does not wait for the answer.
    runtime.shutdown_background();
    match done {
        Ok(exit) => exit.into(),
        Err(Problem::Output(why)) if why.kind() == std::io::ErrorKind::BrokenPipe => Exit::Refused.into(),
        Err(problem) => {
            eprintln!("error: {problem}");
            problem.exit().into()
        }
    }
}

/// The command line as data, for its manual.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Every way to end: number and meaning.
#[must_use]
pub fn exit_codes() -> Vec<(u8, &'static str)> {
    Exit::ALL.iter().map(|exit| (exit.code(), exit.meaning())).collect()
}

async fn carry_out(
    arguments: &args::ClusterArguments,
    command: Command,
    clock: fn() -> Timestamp,
) -> Result<Exit, Problem> {
    let terminal = Terminal::of_the_process();
    if let Command::Completion { shell } = command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Arguments::command(), "kubectl-offboarding", &mut script);
        terminal.print(&String::from_utf8_lossy(&script))?;
        return Ok(Exit::Done);
    }
    let cluster = Cluster::find(arguments).await?;
    let done = match command {
        Command::Plan { name, output } => show_plan(&cluster, &terminal, &name, output).await,
        Command::Pending { all_namespaces } => {
            pending::pending(&cluster, &terminal, all_namespaces, clock()).await
        }
        Command::Approve { which, consent } => {
            decide::approve(&cluster, &terminal, &which, &consent, clock()).await
        }
        Command::Deny { which, reason, yes, output } => {
            decide::deny(&cluster, &terminal, &which, &reason, yes, output).await
        }
        Command::Waive { name, check, consent } => {
            decide::waive(&cluster, &terminal, &name, &check, &consent, clock()).await
        }
        Command::Explain { name } => show_why(&cluster, &terminal, &name).await,
        Command::Status { name, watch } => return status::status(&cluster, &terminal, &name, watch).await,
        Command::Cancel { name, yes } => {
            control(&cluster, &terminal, &name, Control::Cancel, yes, clock()).await
        }
        Command::Suspend { name } => {
            control(&cluster, &terminal, &name, Control::Suspend, true, clock()).await
        }
        Command::Resume { name } => control(&cluster, &terminal, &name, Control::Resume, true, clock()).await,
        Command::Retry { name } => control(&cluster, &terminal, &name, Control::Retry, true, clock()).await,
        Command::Hold(Hold::Create(arguments)) => {
            hold::create(&cluster, &terminal, &arguments, clock()).await
        }
        Command::Hold(Hold::List) => hold::list(&cluster, &terminal).await,
        Command::Hold(Hold::Release { name, yes }) => hold::release(&cluster, &terminal, &name, yes).await,
        Command::Ref { operator_namespace } => {
            reference::reference(&cluster, &terminal, &operator_namespace).await
        }
        Command::Completion { .. } => Ok(()),
    };
    done.map(|()| Exit::Done)
}

async fn show_plan(
    cluster: &Cluster,
    terminal: &Terminal,
    name: &str,
    output: Option<Format>,
) -> Result<(), Problem> {
    let request = cluster.get(&cluster.api::<CustomerOffboarding>(), name).await?;
    let Some(plan) = request.status.as_ref().and_then(|status| status.plan.as_ref()) else {
        return Err(Problem::NoPlan {
            what: format!("offboarding {}/{name}", cluster.here.namespace),
            explain: cluster.here.offboarding(&format!("explain {name}")),
        });
    };
    if let Some(format) = output {
        return terminal.print(&object::printed(plan, format)?);
    }
    terminal.print(&plan::table(&request, plan, &cluster.here, terminal.out))?;
    match Item::of(request.clone(), &cluster.here) {
        Ok(_) => terminal.say(&format!(
            "\nTo agree to exactly this plan: {}\n",
            cluster.here.offboarding(&format!("approve {name}"))
        )),
        Err(_finished) => Ok(()),
    }
}

async fn show_why(cluster: &Cluster, terminal: &Terminal, name: &str) -> Result<(), Problem> {
    let request = cluster.get(&cluster.api::<CustomerOffboarding>(), name).await?;
    let explanation = explain::explain(&request, &cluster.here);
    terminal.print(&explain::text(name, &explanation, &cluster.here, terminal.out))
}

#[cfg(test)]
mod fixtures;
