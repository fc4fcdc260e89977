//! Arguments, wiring and exit codes. The only place that asks for the time.

mod arguments;
mod connect;
mod problem;

use std::{io::Write as _, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use arguments::{Arguments, CheckArguments, Command, OperatorArguments, Output, OutsideArguments};
use clap::FromArgMatches as _;
use connect::{clients, egress, use_ring, warn_of_proxies, watched};
use futures::FutureExt as _;
use jiff::Timestamp;
use problem::StartProblem;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{self, Certificate, Doors, Files},
    api,
    check::{self, Verdict},
    controller::{self, LeaseTiming, Settings, Timing},
    telemetry::{self, LogLevel},
    traces::{Collector, Exporter, Traces},
};

pub use arguments::command;

/// Runs the command line: 0 when done, 1 where the doctor finds something, 2 for unusable arguments or surroundings.
#[must_use]
pub fn run() -> ExitCode {
    let Arguments { command } =
        Arguments::from_arg_matches(&command().get_matches()).unwrap_or_else(|error| error.exit());
    let done = match command {
        Command::Crds => print_crds(),
        Command::Operator(arguments) => operate(*arguments),
        Command::Check(arguments) => examine(arguments),
    };
    match done {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

fn print_crds() -> Result<ExitCode, StartProblem> {
    let yaml = crds_yaml().map_err(|error| StartProblem::Crds(error.to_string()))?;
    let written = std::io::stdout().write_all(yaml.as_bytes());
    written.map(|()| ExitCode::SUCCESS).map_err(|error| StartProblem::Crds(error.to_string()))
}

/// The definitions as one YAML stream.
///
/// # Errors
/// Where a definition cannot be written as YAML: a bug of ours.
pub fn crds_yaml() -> Result<String, serde_saphyr::ser::Error> {
    let documents: Result<Vec<String>, _> = api::crds().iter().map(serde_saphyr::to_string).collect();
    Ok(documents?.iter().map(|document| format!("---\n{document}")).collect())
}

fn operate(arguments: OperatorArguments) -> Result<ExitCode, StartProblem> {
    let log_level = telemetry::start(arguments.log_format, &arguments.log_level)?;
    use_ring();
    let timing =
        Timing { send_deadline: arguments.send_deadline.0, request_deadline: arguments.request_deadline.0 };
    let sane = Duration::from_millis(1)..=Duration::from_secs(600);
    if !sane.contains(&timing.send_deadline) || !sane.contains(&timing.request_deadline) {
        return Err(StartProblem::Deadlines);
    }
    let lease =
        LeaseTiming::new(arguments.lease_duration.0, arguments.renew_deadline.0, arguments.retry_period.0)?;
    warn_of_proxies();
    let egress = egress(&arguments.surroundings)?;
    let process = process_name();
    let (traces, exporter) = traces(arguments.otlp_endpoint, &process)?;
    let settings = Settings {
        watch_namespaces: watched(&arguments.surroundings)?,
        operator_namespace: arguments.surroundings.operator_namespace,
        process,
        timing,
        lease,
        egress,
        destructive_rate: arguments.destructive_rate,
        traces,
        clock,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(StartProblem::Runtime)?;
    runtime.block_on(async {
        let doors = doors(arguments.admin_address, arguments.outside, log_level).await?;
        serve(settings, doors, exporter).await
    })
}

fn traces(endpoint: Option<String>, process: &str) -> Result<(Traces, Option<Exporter>), StartProblem> {
    // An empty variable is none, as OpenTelemetry has it.
    let Some(endpoint) = endpoint.filter(|endpoint| !endpoint.is_empty()) else {
        return Ok((Traces::default(), None));
    };
    let (traces, exporter) = Collector::at(&endpoint)?.traces(process, clock)?;
    Ok((traces, Some(exporter)))
}

/// The doctor. Logs nothing: what it has to say is on standard output.
fn examine(arguments: CheckArguments) -> Result<ExitCode, StartProblem> {
    let CheckArguments { surroundings, output } = arguments;
    use_ring();
    let (egress, watched) = (egress(&surroundings)?, watched(&surroundings)?);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartProblem::Runtime)?;
    let facts = runtime.block_on(async {
        let place = check::Place {
            client: clients().await?.calls,
            operator_namespace: surroundings.operator_namespace,
            watched,
            egress,
            clock,
        };
        check::look(&place).await.map_err(StartProblem::Check)
    })?;
    let lines = check::judge(&facts);
    match output {
        Output::Text => print!("{}", check::as_text(&lines)),
        Output::Json => print!("{}", check::as_json(&lines)),
    }
    Ok(match check::worst(&lines) {
        Verdict::Ok | Verdict::Warn => ExitCode::SUCCESS,
        Verdict::Unknown | Verdict::Fail => ExitCode::FAILURE,
    })
}

async fn serve(
    settings: Settings,
    doors: Doors,
    exporter: Option<Exporter>,
) -> Result<ExitCode, StartProblem> {
    let clients = clients().await?;
    let (stopping, ended) = (CancellationToken::new(), CancellationToken::new());
    tokio::spawn(stop_on_a_signal(stopping.clone()));
    let exporting = exporter.map(|exporter| tokio::spawn(exporter.run(ended.clone())));
    controller::run(settings, clients, stopping, |ctx: Arc<controller::Context>| {
        admin::serve(doors, ctx).boxed()
    })
    .await;
    // Last of all, and bounded: the lease is given back already.
    ended.cancel();
    if let Some(exporting) = exporting {
        let _ = exporting.await;
    }
    Ok(ExitCode::SUCCESS)
}

async fn doors(
    admin: SocketAddr,
    outside: OutsideArguments,
    log_level: LogLevel,
) -> Result<Doors, StartProblem> {
    let problem = |flag, address| move |why| StartProblem::Address { flag, address, why };
    let mut doors = Doors::open(admin, log_level).await.map_err(problem("--admin-address", admin))?;
    if let Some(address) = outside.probe_address {
        doors = doors.with_probes(address).await.map_err(problem("--probe-address", address))?;
    }
    if let Some(address) = outside.metrics_address {
        let files = outside.metrics_certificate.zip(outside.metrics_key);
        let certificate = Certificate::new(files.map(|(certificate, key)| Files { certificate, key }))?;
        let opened = doors.with_metrics(address, certificate).await;
        doors = opened.map_err(problem("--metrics-address", address))?;
    }
    Ok(doors)
}

/// SIGTERM and SIGINT are handled here: kube's own handler aborts passes at a second signal.
async fn stop_on_a_signal(stopping: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be received");
        return;
    };
    tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
    stopping.cancel();
}

/// The one clock of both programs.
#[expect(clippy::disallowed_methods, reason = "the one clock, handed to whoever needs it")]
#[must_use]
pub fn clock() -> Timestamp {
    Timestamp::now()
}

/// Unique for each process: a restarted container must not take its predecessor's attempts for its own.
fn process_name() -> String {
    let host: String =
        std::env::var("HOSTNAME").unwrap_or_else(|_| "operator".to_owned()).chars().take(100).collect();
    format!("{host}-{}", &uuid::Uuid::new_v4().simple().to_string()[..8])
}
