//! Arguments, wiring and exit codes. The only place that asks for the time.

use std::{io::Write as _, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use clap::{Args, Parser, Subcommand};
use futures::FutureExt as _;
use jiff::Timestamp;
use kube::{Client, Config, config::KubeConfigOptions};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    admin,
    api::{self, Span},
    controller::{self, Clients, LeaseTiming, LeaseTimingProblem, Settings, Timing},
    kubeconfig,
    providers::http::{Cidr, Egress},
    telemetry::{self, LogFormat},
};

/// Offboards customers at SaaS providers: exactly once, approved, verified, with evidence.
#[derive(Parser)]
#[command(name = "customer-offboarding-operator", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the operator, against the cluster of KUBECONFIG or the one that it runs in.
    Operator(Box<OperatorArguments>),
    /// Print the CustomResourceDefinitions as YAML, ready for `kubectl apply --server-side -f -`.
    Crds,
}

/// Flags win over the environment.
#[derive(Args)]
struct OperatorArguments {
    /// Namespace of the records and the installation key. Two namespaces would be two sets of locks.
    #[arg(long, env = "OPERATOR_NAMESPACE", default_value = "customer-offboarding", value_parser = dns_label)]
    operator_namespace: String,
    /// Private address ranges that provider objects may allow themselves; none by default. Comma-separated.
    #[arg(long, env = "ALLOWED_CIDRS", value_delimiter = ',')]
    allowed_cidrs: Vec<Cidr>,
    /// From the moment that an intent is written to the last moment at which the deletion may leave.
    #[arg(long, env = "SEND_DEADLINE", default_value = "30s")]
    send_deadline: Span,
    /// One request to a provider in total.
    #[arg(long, env = "REQUEST_DEADLINE", default_value = "35s")]
    request_deadline: Span,
    /// How many deletions all accounts together may see in an hour, 1 to 1000; no ceiling by default. Above it requests queue.
    #[arg(long, env = "DESTRUCTIVE_RATE", value_parser = destructive_rate)]
    destructive_rate: Option<u32>,
    /// After this long without a renewal another process takes over. One works at a time, however many run.
    #[arg(long, env = "LEASE_DURATION", default_value = "15s")]
    lease_duration: Span,
    /// After this long without a renewal nothing more is sent; it is renewed after half of it.
    #[arg(long, env = "RENEW_DEADLINE", default_value = "10s")]
    renew_deadline: Span,
    /// One try to renew or take the lease; within it a lease that was given back is taken over.
    #[arg(long, env = "RETRY_PERIOD", default_value = "2s")]
    retry_period: Span,
    /// Where /healthz, /readyz and /metrics are served. Loopback only: they are not authenticated.
    #[arg(long, env = "ADMIN_ADDRESS", default_value = "127.0.0.1:8080", value_parser = loopback)]
    admin_address: SocketAddr,
    /// How log lines look.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "text")]
    log_format: LogFormat,
    /// error, warn, info, debug or trace. Libraries that would print bodies or headers stay capped.
    #[arg(long, env = "LOG_LEVEL", default_value = "info")]
    log_level: String,
}

/// Why the operator cannot start.
#[derive(Debug, thiserror::Error)]
enum StartProblem {
    #[error("--log-level {0}")]
    LogLevel(#[from] telemetry::NotALevel),
    #[error("--send-deadline and --request-deadline must be more than 0s and at most 10m")]
    Deadlines,
    #[error(transparent)]
    Lease(#[from] LeaseTimingProblem),
    #[error("no cluster: set KUBECONFIG, or run in a pod with a service account ({0})")]
    NoCluster(String),
    #[error("refusing an unverified API server connection (`insecure-skip-tls-verify`) or plain http")]
    Unverified,
    #[error("--admin-address {address}: cannot be bound ({why})")]
    AdminAddress { address: SocketAddr, why: std::io::Error },
    #[error("the runtime cannot be started ({0})")]
    Runtime(std::io::Error),
    #[error("failed to print the CRDs ({0})")]
    Crds(String),
}

/// Runs the command line: 0 when done, 2 for unusable arguments or surroundings.
#[must_use]
pub fn run() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Crds => print_crds(),
        Command::Operator(arguments) => operate(*arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

fn print_crds() -> Result<(), StartProblem> {
    let yaml = crds_yaml().map_err(|error| StartProblem::Crds(error.to_string()))?;
    std::io::stdout().write_all(yaml.as_bytes()).map_err(|error| StartProblem::Crds(error.to_string()))
}

/// The definitions as one YAML stream.
///
/// # Errors
/// Where a definition cannot be written as YAML: a bug of ours.
pub fn crds_yaml() -> Result<String, serde_saphyr::ser::Error> {
    let documents: Result<Vec<String>, _> = api::crds().iter().map(serde_saphyr::to_string).collect();
    Ok(documents?.iter().map(|document| format!("---\n{document}")).collect())
}

fn operate(arguments: OperatorArguments) -> Result<(), StartProblem> {
    telemetry::start(arguments.log_format, &arguments.log_level)?;
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider is installed already");
    }
    let timing =
        Timing { send_deadline: arguments.send_deadline.0, request_deadline: arguments.request_deadline.0 };
    let sane = Duration::from_millis(1)..=Duration::from_secs(600);
    if !sane.contains(&timing.send_deadline) || !sane.contains(&timing.request_deadline) {
        return Err(StartProblem::Deadlines);
    }
    let lease =
        LeaseTiming::new(arguments.lease_duration.0, arguments.renew_deadline.0, arguments.retry_period.0)?;
    warn_of_proxies();
    let settings = Settings {
        operator_namespace: arguments.operator_namespace,
        process: process_name(),
        timing,
        lease,
        egress: Egress::of_the_system(arguments.allowed_cidrs, clock),
        destructive_rate: arguments.destructive_rate,
        clock,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(StartProblem::Runtime)?;
    runtime.block_on(serve(settings, arguments.admin_address))
}

async fn serve(settings: Settings, admin_address: SocketAddr) -> Result<(), StartProblem> {
    let clients = clients().await?;
    let bound = admin::bind(admin_address).await;
    let listener = bound.map_err(|why| StartProblem::AdminAddress { address: admin_address, why })?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "serving /healthz, /readyz and /metrics");
    }
    let stopping = CancellationToken::new();
    tokio::spawn(stop_on_a_signal(stopping.clone()));
    controller::run(settings, clients, stopping, |ctx: Arc<controller::Context>| {
        admin::serve(listener, ctx).boxed()
    })
    .await;
    Ok(())
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

/// Built explicitly: kube's own inference obeys debug variables that impersonate users and redirect the connection.
async fn clients() -> Result<Clients, StartProblem> {
    let no_cluster = |why: &dyn std::fmt::Display| StartProblem::NoCluster(why.to_string());
    let mut config = match std::env::var_os("KUBECONFIG") {
        Some(_) => Config::from_kubeconfig(&KubeConfigOptions::default())
            .await
            .map_err(|error| no_cluster(&error))?,
        None => Config::incluster().map_err(|error| no_cluster(&error))?,
    };
    if !kubeconfig::is_verified(&config) {
        return Err(StartProblem::Unverified);
    }
    config.proxy_url = None;
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(5));
    config.read_timeout = None;
    let watches = Client::try_from(config.clone()).map_err(|error| no_cluster(&error))?;
    config.read_timeout = Some(Duration::from_secs(10));
    config.reset_reader_on_write = true;
    let calls = Client::try_from(config).map_err(|error| no_cluster(&error))?;
    Ok(Clients { watches, calls })
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

fn warn_of_proxies() {
    for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        if std::env::var_os(name).is_some() {
            tracing::warn!(name, "the proxy environment is ignored");
        }
    }
}

fn dns_label(text: &str) -> Result<String, String> {
    let fits = (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-');
    if fits { Ok(text.to_owned()) } else { Err(format!("'{text}' must be a lowercase RFC 1123 label")) }
}

fn destructive_rate(text: &str) -> Result<u32, String> {
    let rate = text.parse().ok().filter(|rate| (1..=1000).contains(rate));
    rate.ok_or_else(|| "must be between 1 and 1000 per hour".to_owned())
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "must be an address and a port, as in 127.0.0.1:8080".to_owned())?;
    if address.ip().is_loopback() { Ok(address) } else { Err("must be a loopback address".to_owned()) }
}
