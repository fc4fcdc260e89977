//! Arguments, wiring and exit codes. The only place that asks for the time.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use futures::FutureExt as _;
use jiff::Timestamp;
use kube::{Client, Config, config::KubeConfigOptions};
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    admin,
    api::{self, Span},
    check::{self, Verdict},
    controller::{self, Clients, LeaseTiming, LeaseTimingProblem, Settings, Timing},
    kubeconfig,
    providers::http::{Cidr, Egress, EgressProxy, ProxyProblem},
    telemetry::{self, LogFormat},
};

/// What a flag is about, as the help and docs/configuration.md group them.
const CLUSTER: &str = "Cluster";
const PROVIDERS: &str = "Providers";
const DELETIONS: &str = "Deletions";
const LEADING: &str = "Who leads";
const WATCHING: &str = "Watching it";

const PRECEDENCE: &str =
    "A flag wins over its environment variable, and that over the default. More: docs/configuration.md";

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
    #[command(next_line_help = true, after_help = PRECEDENCE)]
    Operator(Box<OperatorArguments>),
    /// See whether everything that the operator needs is there. Changes nothing; shows nobody a credential.
    #[command(next_line_help = true, after_help = EXIT_CODES)]
    Check(CheckArguments),
    /// Print the CustomResourceDefinitions as YAML, ready for `kubectl apply --server-side -f -`.
    Crds,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  everything works; there may be warnings
  1  something fails, or could not be seen
  2  the arguments or the cluster cannot be used

A flag wins over its environment variable, and that over the default. More: docs/configuration.md";

/// What the operator and the doctor must go by alike.
#[derive(Args)]
struct Surroundings {
    /// Namespace of the records and the installation key. Two namespaces would be two sets of locks.
    #[arg(long, env = "OPERATOR_NAMESPACE", default_value = "customer-offboarding", value_parser = dns_label,
          value_name = "NAMESPACE", help_heading = CLUSTER)]
    operator_namespace: String,
    /// Private address ranges that provider objects may allow themselves; none by default. Comma-separated.
    #[arg(long, env = "ALLOWED_CIDRS", value_delimiter = ',', value_name = "CIDRS", help_heading = PROVIDERS)]
    allowed_cidrs: Vec<Cidr>,
    /// HTTP proxy for all traffic to providers, `http://HOST:PORT`; none by default. HTTPS_PROXY and the like are ignored.
    #[arg(long, env = "EGRESS_PROXY", value_name = "URL", help_heading = PROVIDERS)]
    egress_proxy: Option<String>,
    /// File with one line `user:password` for that proxy; read when the process starts.
    #[arg(long, env = "EGRESS_PROXY_CREDENTIALS", value_name = "FILE", requires = "egress_proxy",
          help_heading = PROVIDERS)]
    egress_proxy_credentials: Option<PathBuf>,
}

#[derive(Args)]
struct OperatorArguments {
    #[command(flatten)]
    surroundings: Surroundings,
    /// From the moment that an intent is written to the last moment at which the deletion may leave.
    #[arg(long, env = "SEND_DEADLINE", default_value = "30s", value_name = "TIME", help_heading = DELETIONS)]
    send_deadline: Span,
    /// One request to a provider in total.
    #[arg(long, env = "REQUEST_DEADLINE", default_value = "35s", value_name = "TIME", help_heading = DELETIONS)]
    request_deadline: Span,
    /// How many deletions all accounts together may see in an hour, 1 to 1000; no ceiling by default. Above it requests queue.
    #[arg(long, env = "DESTRUCTIVE_RATE", value_parser = destructive_rate, value_name = "NUMBER",
          help_heading = DELETIONS)]
    destructive_rate: Option<u32>,
    /// After this long without a renewal another process takes over. One works at a time, however many run.
    #[arg(long, env = "LEASE_DURATION", default_value = "15s", value_name = "TIME", help_heading = LEADING)]
    lease_duration: Span,
    /// After this long without a renewal nothing more is sent; it is renewed after half of it.
    #[arg(long, env = "RENEW_DEADLINE", default_value = "10s", value_name = "TIME", help_heading = LEADING)]
    renew_deadline: Span,
    /// One try to renew or take the lease; within it a lease that was given back is taken over.
    #[arg(long, env = "RETRY_PERIOD", default_value = "2s", value_name = "TIME", help_heading = LEADING)]
    retry_period: Span,
    /// Where /healthz, /readyz, /metrics and /log-level are served. Loopback only: they are not authenticated.
    #[arg(long, env = "ADMIN_ADDRESS", default_value = "127.0.0.1:8080", value_parser = loopback,
          help_heading = WATCHING)]
    admin_address: SocketAddr,
    /// How log lines look.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "text", help_heading = WATCHING)]
    log_format: LogFormat,
    /// error, warn, info, debug or trace. Libraries that would print bodies or headers stay capped.
    #[arg(long, env = "LOG_LEVEL", default_value = "info", help_heading = WATCHING)]
    log_level: String,
}

#[derive(Args)]
struct CheckArguments {
    #[command(flatten)]
    surroundings: Surroundings,
    /// Namespaces that the operator watches, comma-separated; all by default.
    #[arg(long, env = "WATCH_NAMESPACES", value_delimiter = ',', value_parser = dns_label,
          value_name = "NAMESPACES", help_heading = CLUSTER)]
    watch_namespaces: Vec<String>,
    /// For people, or for scripts.
    #[arg(long, short, value_enum, default_value = "text", help_heading = "Output")]
    output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// The command line, as it is parsed and documented. The help does not show what is in the environment.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command().mut_subcommands(|below| below.mut_args(|arg| arg.hide_env_values(true)))
}

/// Why the operator cannot start.
#[derive(Debug, thiserror::Error)]
enum StartProblem {
    #[error("--log-level {0}")]
    LogLevel(#[from] telemetry::NotALevel),
    #[error("--egress-proxy {0}")]
    EgressProxy(ProxyProblem),
    #[error("--egress-proxy-credentials {}: {why}", path.display())]
    EgressProxyCredentials { path: PathBuf, why: String },
    #[error(transparent)]
    Check(#[from] check::Unusable),
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
    let settings = Settings {
        operator_namespace: arguments.surroundings.operator_namespace,
        process: process_name(),
        timing,
        lease,
        egress,
        destructive_rate: arguments.destructive_rate,
        clock,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(StartProblem::Runtime)?;
    runtime.block_on(serve(settings, arguments.admin_address, log_level))
}

/// The doctor. Logs nothing: what it has to say is on standard output.
fn examine(arguments: CheckArguments) -> Result<ExitCode, StartProblem> {
    let CheckArguments { surroundings, watch_namespaces, output } = arguments;
    use_ring();
    let egress = egress(&surroundings)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartProblem::Runtime)?;
    let facts = runtime.block_on(async {
        let place = check::Place {
            client: clients().await?.calls,
            operator_namespace: surroundings.operator_namespace,
            watched: watch_namespaces,
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

/// Where requests to providers may go, and through what.
fn egress(surroundings: &Surroundings) -> Result<Egress, StartProblem> {
    let Surroundings { allowed_cidrs, egress_proxy, egress_proxy_credentials, operator_namespace: _ } =
        surroundings;
    let proxy = match egress_proxy {
        Some(address) => Some(proxy(address, egress_proxy_credentials.as_deref())?),
        None => None,
    };
    Ok(Egress::of_the_system(allowed_cidrs.clone(), clock).through(proxy))
}

/// Neither the address nor the file's contents are repeated in an error: they may hold a password.
fn proxy(address: &str, credentials: Option<&Path>) -> Result<EgressProxy, StartProblem> {
    let Some(path) = credentials else {
        return EgressProxy::new(address, None).map_err(StartProblem::EgressProxy);
    };
    let problem = |why: &dyn std::fmt::Display| StartProblem::EgressProxyCredentials {
        path: path.to_owned(),
        why: why.to_string(),
    };
    let mut text = String::new();
    // A line is shorter; more is never held.
    let read = File::open(path).and_then(|file| file.take(4096).read_to_string(&mut text));
    read.map_err(|error| problem(&error))?;
    EgressProxy::new(address, Some(&SecretString::from(text))).map_err(|error| match error {
        ProxyProblem::Credentials => problem(&error),
        ProxyProblem::Address | ProxyProblem::CredentialsInAddress => StartProblem::EgressProxy(error),
    })
}

fn use_ring() {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider is installed already");
    }
}

async fn serve(
    settings: Settings,
    admin_address: SocketAddr,
    log_level: telemetry::LogLevel,
) -> Result<ExitCode, StartProblem> {
    let clients = clients().await?;
    let bound = admin::bind(admin_address).await;
    let listener = bound.map_err(|why| StartProblem::AdminAddress { address: admin_address, why })?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "serving /healthz, /readyz and /metrics");
    }
    let stopping = CancellationToken::new();
    tokio::spawn(stop_on_a_signal(stopping.clone()));
    controller::run(settings, clients, stopping, |ctx: Arc<controller::Context>| {
        admin::serve(listener, ctx, log_level).boxed()
    })
    .await;
    Ok(ExitCode::SUCCESS)
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
