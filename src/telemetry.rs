//! Logs: text for people, JSON for machines. Libraries that print bodies, headers or addresses are capped, whatever is asked for.

use std::panic::PanicHookInfo;

use clap::ValueEnum;
use tracing_subscriber::{
    EnvFilter, filter::LevelFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// How log lines look.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// What is logged besides our own lines. kube writes whole response bodies at WARN, hyper and reqwest headers and URLs at trace.
const CAPS: &[&str] = &[
    "kube_client=off",
    "kube_runtime=error",
    "hyper=info",
    "hyper_util=info",
    "h2=info",
    "reqwest=info",
    "rustls=info",
    "tower=info",
];

/// A level that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be error, warn, info, debug or trace")]
pub struct NotALevel;

/// Starts logging to standard error. Panics are logged by their place, never by their text.
///
/// # Errors
/// `NotALevel`.
pub fn start(format: LogFormat, level: &str) -> Result<(), NotALevel> {
    let level: LevelFilter = level.parse().map_err(|_| NotALevel)?;
    let filter =
        CAPS.iter().fold(EnvFilter::default().add_directive(level.into()), |filter, cap| match cap.parse() {
            Ok(directive) => filter.add_directive(directive),
            Err(_) => filter,
        });
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry.with(fmt::layer().with_writer(std::io::stderr)).init(),
        LogFormat::Json => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).init()
        }
    }
    std::panic::set_hook(Box::new(log_the_place));
    Ok(())
}

fn log_the_place(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(|at| format!("{}:{}", at.file(), at.line()));
    tracing::error!(place, "panicked");
}
