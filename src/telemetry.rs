//! Logs: text for people, JSON for machines. Libraries that print bodies, headers or addresses are capped, whatever is asked for.

use std::panic::PanicHookInfo;

use clap::ValueEnum;
use tracing_subscriber::{
    EnvFilter, Registry, filter::LevelFilter, fmt, layer::SubscriberExt as _, reload,
    util::SubscriberInitExt as _,
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

/// How much is logged, for whoever may change it while the process runs.
#[derive(Clone, Debug)]
pub struct LogLevel(reload::Handle<EnvFilter, Registry>);

impl LogLevel {
    /// Our own lines from now on; what libraries may say at most stays as it is.
    ///
    /// # Errors
    /// `NotALevel`; nothing is changed then.
    pub fn set(&self, name: &str) -> Result<(), NotALevel> {
        let filter = filter(name)?;
        // Told while it can be seen: before it gets quieter, else afterwards.
        let is_seen = tracing::enabled!(tracing::Level::WARN);
        if is_seen {
            tell_the_level(name);
        }
        // It fails where nothing is logged any more.
        let _ended = self.0.reload(filter);
        if !is_seen {
            tell_the_level(name);
        }
        Ok(())
    }
}

/// Starts logging to standard error. Panics are logged by their place, never by their text.
///
/// # Errors
/// `NotALevel`.
pub fn start(format: LogFormat, level: &str) -> Result<LogLevel, NotALevel> {
    let (filter, handle) = reload::Layer::new(filter(level)?);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry.with(fmt::layer().with_writer(std::io::stderr)).init(),
        LogFormat::Json => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).init()
        }
    }
    std::panic::set_hook(Box::new(log_the_place));
    Ok(LogLevel(handle))
}

/// Our own lines at a level, and those of libraries no further than to their caps.
fn filter(level: &str) -> Result<EnvFilter, NotALevel> {
    let level = level_of(level)?;
    let own = format!("{OURS}={level}");
    let directives = CAPS.iter().copied().chain([own.as_str()]).filter_map(|text| text.parse().ok());
    let others = EnvFilter::default().add_directive(level.min(MOST_OF_OTHERS).into());
    Ok(directives.fold(others, EnvFilter::add_directive))
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

fn tell_the_level(level: &str) {
    tracing::warn!(level, "the log level is changed");
}

fn log_the_place(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(|at| format!("{}:{}", at.file(), at.line()));
    tracing::error!(place, "panicked");
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex, PoisonError},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// One line of ours at each level, and what libraries would say of headers and bodies.
    fn everybody_speaks() {
        tracing::error!(target: "offboarding::case", "ours-error");
        tracing::warn!(target: "offboarding::case", "ours-warn");
        tracing::info!(target: "offboarding::case", "ours-info");
        tracing::debug!(target: "offboarding::case", "ours-debug");
        tracing::trace!(target: "offboarding::case", "ours-trace");
        tracing::error!(target: "kube_client::client", "secret-body");
        tracing::warn!(target: "kube_runtime::watcher", "secret-watch");
        tracing::debug!(target: "hyper::proto::h1", "secret-headers");
        tracing::trace!(target: "rustls::client", "secret-handshake");
        tracing::info!(target: "hyper::proto::h1", "theirs-info");
    }

    #[test]
    fn the_level_can_be_changed_at_run_time_and_the_caps_of_libraries_cannot() {
        let (filter, handle) = reload::Layer::new(filter("info").unwrap());
        let level = LogLevel(handle);
        let paper = Paper::default();
        let writer = paper.clone();
        let layer = fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(filter).with(layer);
        tracing::subscriber::with_default(subscriber, || {
            for (name, ours, theirs) in [
                ("info", 3, 1),
                ("trace", 5, 1),
                ("error", 1, 0),
                ("debug", 4, 1),
                ("warn", 2, 0),
                ("loud", 2, 0),
                ("hyper=trace", 2, 0),
                ("off", 2, 0),
            ] {
                let known = ["info", "trace", "error", "debug", "warn"].contains(&name);
                assert_eq!(level.set(name), if known { Ok(()) } else { Err(NotALevel) }, "{name}");
                paper.0.lock().unwrap().clear();
                everybody_speaks();
                let said = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
                let count = |word: &str| said.matches(word).count();
                assert_eq!((count("ours-"), count("theirs-"), count("secret-")), (ours, theirs, 0), "{name}");
            }
        });
    }

    #[test]
    fn a_change_of_the_level_is_told_where_it_can_be_seen() {
        let (filter, handle) = reload::Layer::new(filter("info").unwrap());
        let level = LogLevel(handle);
        let paper = Paper::default();
        let writer = paper.clone();
        let layer = fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(filter).with(layer);
        tracing::subscriber::with_default(subscriber, || {
            for (name, told) in [("error", 1), ("error", 0), ("info", 1), ("debug", 1), ("loud", 0)] {
                paper.0.lock().unwrap().clear();
                let _refused = level.set(name);
                let said = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
                assert_eq!(said.matches("the log level is changed").count(), told, "{name}: {said}");
            }
        });
    }
}
