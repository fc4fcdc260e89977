//! Awaiting a condition: look, look again, give up at the deadline with what was seen last.

use std::{
    fmt::Debug,
    future::Future,
    panic::Location,
    time::{Duration, Instant},
};

/// Short enough not to be felt, long enough to leave the two cores to those who do the work.
pub(crate) const INTERVAL: Duration = Duration::from_millis(20);

/// Looks until `look` answers `Ok`, and returns what it found.
///
/// `Err` is what was seen instead; the last one is told when the deadline passes.
///
/// # Panics
/// At the deadline: "`what` did not happen within …; last seen: …".
#[track_caller]
pub fn eventually<T, S: Debug, Look: Future<Output = Result<T, S>>>(
    deadline: Duration,
    what: &str,
    look: impl FnMut() -> Look,
) -> impl Future<Output = T> {
    let caller = Location::caller();
    async move {
        match poll(deadline, look).await {
            Ok(found) => found,
            Err(Some(seen)) => panic!("{caller}: {what}: not within {deadline:?}; last seen: {seen:#?}"),
            Err(None) => panic!("{caller}: {what}: not within {deadline:?}; not one look was answered"),
        }
    }
}

/// The same without the panic: at the deadline `Err` with what was seen last, `None` if no look was answered.
///
/// `AsyncFnMut` would read better, but what awaits one is not `Send` and could not be spawned.
pub(crate) async fn poll<T, S, Look: Future<Output = Result<T, S>>>(
    deadline: Duration,
    mut look: impl FnMut() -> Look,
) -> Result<T, Option<S>> {
    let end = Instant::now() + deadline;
    let mut last_seen = None;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, look()).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(seen)) => last_seen = Some(seen),
            Err(_elapsed) => return Err(last_seen),
        }
        if Instant::now() >= end {
            return Err(last_seen);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
