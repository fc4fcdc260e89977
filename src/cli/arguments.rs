//! What can be asked for on the command line and by environment variables.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::{api::Span, providers::http::Cidr, telemetry::LogFormat};

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
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand)]
pub(super) enum Command {
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
pub(super) struct Surroundings {
    /// Namespace of the records and the installation key. Two namespaces would be two sets of locks.
    #[arg(long, env = "OPERATOR_NAMESPACE", default_value = "customer-offboarding", value_parser = dns_label,
          value_name = "NAMESPACE", help_heading = CLUSTER)]
    pub(super) operator_namespace: String,
    /// Where requests, approvals and provider objects are looked for; everywhere by default. At most 100, comma-separated.
    #[arg(long, env = "WATCH_NAMESPACES", value_delimiter = ',', value_parser = dns_label,
          value_name = "NAMESPACES", help_heading = CLUSTER)]
    pub(super) watch_namespaces: Vec<String>,
    /// Private address ranges that provider objects may allow themselves; none by default. Comma-separated.
    #[arg(long, env = "ALLOWED_CIDRS", value_delimiter = ',', value_name = "CIDRS", help_heading = PROVIDERS)]
    pub(super) allowed_cidrs: Vec<Cidr>,
    /// HTTP proxy for all traffic to providers, `http://HOST:PORT`; none by default. HTTPS_PROXY and the like are ignored.
    #[arg(long, env = "EGRESS_PROXY", value_name = "URL", help_heading = PROVIDERS)]
    pub(super) egress_proxy: Option<String>,
    /// File with one line `user:password` for that proxy; read when the process starts.
    #[arg(long, env = "EGRESS_PROXY_CREDENTIALS", value_name = "FILE", requires = "egress_proxy",
          help_heading = PROVIDERS)]
    pub(super) egress_proxy_credentials: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct OperatorArguments {
    #[command(flatten)]
    pub(super) surroundings: Surroundings,
    /// From the moment that an intent is written to the last moment at which the deletion may leave.
    #[arg(long, env = "SEND_DEADLINE", default_value = "30s", value_name = "TIME", help_heading = DELETIONS)]
    pub(super) send_deadline: Span,
    /// One request to a provider in total.
    #[arg(long, env = "REQUEST_DEADLINE", default_value = "35s", value_name = "TIME", help_heading = DELETIONS)]
    pub(super) request_deadline: Span,
    /// How many deletions all accounts together may see in an hour, 1 to 1000; no ceiling by default. Above it requests queue.
    #[arg(long, env = "DESTRUCTIVE_RATE", value_parser = destructive_rate, value_name = "NUMBER",
          help_heading = DELETIONS)]
    pub(super) destructive_rate: Option<u32>,
    /// After this long without a renewal another process takes over. One works at a time, however many run.
    #[arg(long, env = "LEASE_DURATION", default_value = "15s", value_name = "TIME", help_heading = LEADING)]
    pub(super) lease_duration: Span,
    /// After this long without a renewal nothing more is sent; it is renewed after half of it.
    #[arg(long, env = "RENEW_DEADLINE", default_value = "10s", value_name = "TIME", help_heading = LEADING)]
    pub(super) renew_deadline: Span,
    /// One try to renew or take the lease; within it a lease that was given back is taken over.
    #[arg(long, env = "RETRY_PERIOD", default_value = "2s", value_name = "TIME", help_heading = LEADING)]
    pub(super) retry_period: Span,
    /// Where /healthz, /readyz, /metrics and /log-level are served. Loopback only: they are not authenticated.
    #[arg(long, env = "ADMIN_ADDRESS", default_value = "127.0.0.1:8080", value_parser = loopback,
          help_heading = WATCHING)]
    pub(super) admin_address: SocketAddr,
    #[command(flatten)]
    pub(super) outside: OutsideArguments,
    /// Where an OpenTelemetry collector takes traces by OTLP/HTTP, such as http://collector:4318; none are made by default.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL", help_heading = WATCHING)]
    pub(super) otlp_endpoint: Option<String>,
    /// How log lines look.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "text", help_heading = WATCHING)]
    pub(super) log_format: LogFormat,
    /// error, warn, info, debug or trace. Libraries that would print bodies or headers stay capped.
    #[arg(long, env = "LOG_LEVEL", default_value = "info", help_heading = WATCHING)]
    pub(super) log_level: String,
}

/// What a pod needs besides, because kubelet and Prometheus come from outside of it.
#[derive(Args)]
pub(super) struct OutsideArguments {
    /// Where /healthz and /readyz are served to everybody, such as 0.0.0.0:8081; nowhere by default.
    #[arg(long, env = "PROBE_ADDRESS", value_parser = address, help_heading = WATCHING)]
    pub(super) probe_address: Option<SocketAddr>,
    /// Where /metrics is served over TLS, such as 0.0.0.0:8443, to whoever shows a token of somebody who may `get` /metrics; nowhere by
    /// default.
    #[arg(long, env = "METRICS_ADDRESS", value_parser = address, help_heading = WATCHING)]
    pub(super) metrics_address: Option<SocketAddr>,
    /// PEM file with the certificates for --metrics-address, read again when it changes. Without it one is made that nobody can verify.
    #[arg(long, env = "METRICS_CERTIFICATE", requires = "metrics_key", requires = "metrics_address", value_name = "FILE",
          help_heading = WATCHING)]
    pub(super) metrics_certificate: Option<PathBuf>,
    /// PEM file with the private key of --metrics-certificate.
    #[arg(long, env = "METRICS_KEY", requires = "metrics_certificate", value_name = "FILE", help_heading = WATCHING)]
    pub(super) metrics_key: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct CheckArguments {
    #[command(flatten)]
    pub(super) surroundings: Surroundings,
    /// For people, or for scripts.
    #[arg(long, short, value_enum, default_value = "text", help_heading = "Output")]
    pub(super) output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Output {
    Text,
    Json,
}

/// The command line, as it is parsed and documented. The help does not show what is in the environment.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command().mut_subcommands(|below| below.mut_args(|arg| arg.hide_env_values(true)))
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
