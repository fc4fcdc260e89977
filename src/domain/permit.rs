//! The right to send one destructive request, once.

use std::time::Duration;

/// Proof that intent, live reads and deadline were in order. Not `Clone`; consumed by the one function that sends.
#[derive(Debug)]
pub struct DestructivePermit(());

/// Why no permit was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the send deadline has passed")]
pub struct DeadlinePassed;

/// Grants the right to send, unless the send deadline has passed.
///
/// `since_intent` is the monotonic time since the intent's write was *begun*; `send_deadline` the latest moment, counted from
/// there, at which the first byte may leave.
///
/// # Errors
/// `DeadlinePassed`: nobody mends it; the owner writes `NotSent`.
pub fn grant(since_intent: Duration, send_deadline: Duration) -> Result<DestructivePermit, DeadlinePassed> {
    if since_intent < send_deadline { Ok(DestructivePermit(())) } else { Err(DeadlinePassed) }
}
