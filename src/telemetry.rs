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

/// Our own lines: everything else is a library's.
const OURS: &str = "offboarding";

/// Libraries say at most this much, whatever is asked for: hyper, reqwest and rustls write headers and URLs at trace.
const MOST_OF_OTHERS: LevelFilter = LevelFilter::INFO;

/// Those that say less: kube writes whole response bodies at WARN.
const CAPS: &[&str] = &["kube_client=off", "kube_runtime=error"];

/// A level that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be error, warn, info, debug or trace")]
pub struct NotALevel;

/// Starts logging to standard error. Panics are logged by their place, never by their text.
///
/// # Errors
/// `NotALevel`.
pub fn start(format: LogFormat, level: &str) -> Result<(), NotALevel> {
    let level = level_of(level)?;
    let own = format!("{OURS}={level}");
    let directives = CAPS.iter().copied().chain([own.as_str()]).filter_map(|text| text.parse().ok());
    let others = EnvFilter::default().add_directive(level.min(MOST_OF_OTHERS).into());
    let filter = directives.fold(others, EnvFilter::add_directive);
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

/// Only the five names: not `off`, which would hide what went wrong, and no list of targets.
fn level_of(name: &str) -> Result<LevelFilter, NotALevel> {
    match name {
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        "trace" => Ok(LevelFilter::TRACE),
        _ => Err(NotALevel),
    }
}

fn log_the_place(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(|at| format!("{}:{}", at.file(), at.line()));
    tracing::error!(place, "panicked");
}
