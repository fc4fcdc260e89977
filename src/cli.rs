//! Arguments, wiring and exit codes. The only place that asks for the time.

use std::{io::Write as _, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use clap::{Args, Parser, Subcommand};
use futures::FutureExt as _;
use jiff::Timestamp;
use kube::{Client, Config, client::ClientBuilder, config::KubeConfigOptions};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{self, Certificate, CertificateProblem, Doors, Files},
    api::{self, Span},
    controller::{self, Clients, LeaseTiming, LeaseTimingProblem, Settings, Timing},
    kubeconfig,
    metrics::{CountRequests, Metrics},
    providers::{
        built_in_names,
        http::{Cidr, Egress},
    },
    telemetry::{self, LogFormat},
    traces::{Collector, CollectorProblem, Exporter, Traces},
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
    /// Where requests, approvals and provider objects are looked for; everywhere by default. At most 100, comma-separated.
    #[arg(long, env = "WATCH_NAMESPACES", value_delimiter = ',', value_parser = dns_label)]
    watch_namespaces: Vec<String>,
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
    #[command(flatten)]
    outside: OutsideArguments,
    /// Where an OpenTelemetry collector takes traces by OTLP/HTTP, such as http://collector:4318; none are made by default.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    otlp_endpoint: Option<String>,
    /// How log lines look.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "text")]
    log_format: LogFormat,
    /// error, warn, info, debug or trace. Libraries that would print bodies or headers stay capped.
    #[arg(long, env = "LOG_LEVEL", default_value = "info")]
    log_level: String,
}

/// What a pod needs besides, because kubelet and Prometheus come from outside of it.
#[derive(Args)]
struct OutsideArguments {
    /// Where /healthz and /readyz are served to everybody, such as 0.0.0.0:8081; nowhere by default.
    #[arg(long, env = "PROBE_ADDRESS", value_parser = address)]
    probe_address: Option<SocketAddr>,
    /// Where /metrics is served over TLS, such as 0.0.0.0:8443, to whoever shows a token of somebody who may `get` /metrics; nowhere by
    /// default.
    #[arg(long, env = "METRICS_ADDRESS", value_parser = address)]
    metrics_address: Option<SocketAddr>,
    /// PEM file with the certificates for --metrics-address, read again when it changes. Without it one is made that nobody can verify.
    #[arg(long, env = "METRICS_CERTIFICATE", requires = "metrics_key", requires = "metrics_address")]
    metrics_certificate: Option<PathBuf>,
    /// PEM file with the private key of --metrics-certificate.
    #[arg(long, env = "METRICS_KEY", requires = "metrics_certificate")]
    metrics_key: Option<PathBuf>,
}

/// Why the operator cannot start.
#[derive(Debug, thiserror::Error)]
enum StartProblem {
    #[error("--log-level {0}")]
    LogLevel(#[from] telemetry::NotALevel),
    #[error("--watch-namespaces must be at most 100; without it all namespaces are watched")]
    WatchNamespaces,
    #[error("--send-deadline and --request-deadline must be more than 0s and at most 10m")]
    Deadlines,
    #[error(transparent)]
    Lease(#[from] LeaseTimingProblem),
    #[error("--otlp-endpoint {0}")]
    Collector(#[from] CollectorProblem),
    #[error("no cluster: set KUBECONFIG, or run in a pod with a service account ({0})")]
    NoCluster(String),
    #[error("refusing an unverified API server connection (`insecure-skip-tls-verify`) or plain http")]
    Unverified,
    #[error("{flag} {address}: cannot be bound ({why})")]
    Address { flag: &'static str, address: SocketAddr, why: std::io::Error },
    #[error("--metrics-certificate, --metrics-key: {0}")]
    Certificate(#[from] CertificateProblem),
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
    if arguments.watch_namespaces.len() > 100 {
        return Err(StartProblem::WatchNamespaces);
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
    let process = process_name();
    // An empty variable is none, as OpenTelemetry has it.
    let endpoint = arguments.otlp_endpoint.filter(|endpoint| !endpoint.is_empty());
    let (traces, exporter) = match endpoint {
        Some(endpoint) => {
            let (traces, exporter) = Collector::at(&endpoint)?.traces(&process, clock)?;
            (traces, Some(exporter))
        }
        None => (Traces::default(), None),
    };
    let settings = Settings {
        operator_namespace: arguments.operator_namespace,
        watch_namespaces: arguments.watch_namespaces,
        process,
        timing,
        lease,
        egress: Egress::of_the_system(arguments.allowed_cidrs, clock),
        destructive_rate: arguments.destructive_rate,
        traces,
        clock,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(StartProblem::Runtime)?;
    runtime.block_on(serve(settings, arguments.admin_address, arguments.outside, exporter))
}

async fn serve(
    settings: Settings,
    admin_address: SocketAddr,
    outside: OutsideArguments,
    exporter: Option<Exporter>,
) -> Result<(), StartProblem> {
    let clients = clients().await?;
    let doors = doors(admin_address, outside).await?;
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
    Ok(())
}

async fn doors(admin: SocketAddr, outside: OutsideArguments) -> Result<Doors, StartProblem> {
    let problem = |flag, address| move |why| StartProblem::Address { flag, address, why };
    let mut doors = Doors::open(admin).await.map_err(problem("--admin-address", admin))?;
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
    let metrics = Arc::new(Metrics::new(built_in_names()));
    let counted = |config: Config| {
        ClientBuilder::try_from(config).map(|it| it.with_layer(&CountRequests(metrics.clone())).build())
    };
    let watches: Client = counted(config.clone()).map_err(|error| no_cluster(&error))?;
    config.read_timeout = Some(Duration::from_secs(10));
    config.reset_reader_on_write = true;
    let calls = counted(config).map_err(|error| no_cluster(&error))?;
    Ok(Clients { watches, calls, metrics })
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

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "must be an address and a port, as in 127.0.0.1:8080".to_owned())
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address = address(text)?;
    if address.ip().is_loopback() { Ok(address) } else { Err("must be a loopback address".to_owned()) }
}
