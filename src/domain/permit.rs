//! The right to send one destructive request, once.

use std::time::Duration;

use super::Cause;

/// How long it may take from the permit to the first byte: name, connection, TLS. The lease must last as long.
pub const TIME_TO_LEAVE: Duration = Duration::from_secs(2);

/// Proof that intent, live reads, deadline and lease were in order. Not `Clone`; consumed by the one function that sends.
#[derive(Debug)]
pub struct DestructivePermit(());

/// Why no permit was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPermitted {
    /// It is too late for this attempt.
    #[error("the send deadline has passed")]
    DeadlinePassed,
    /// Another process may lead before the request has left.
    #[error("the lease is lost, or about to run out")]
    LeaseLost,
}

impl NotPermitted {
    /// The word for the record.
    #[must_use]
    pub fn cause(self) -> Cause {
        match self {
            NotPermitted::DeadlinePassed => Cause::DeadlinePassed,
            NotPermitted::LeaseLost => Cause::LeaseLost,
        }
    }
}

/// Grants the right to send, unless the send deadline has passed or the lease does not outlast the send.
///
/// `since_intent` is the monotonic time since the intent's write was *begun*; `send_deadline` the latest moment, counted from
/// there, at which the first byte may leave; `lease_left` how long nobody else may lead, zero where this process does not.
///
/// # Errors
/// `NotPermitted`: nobody mends it; the owner writes `NotSent`.
pub fn grant(
    since_intent: Duration,
    send_deadline: Duration,
    lease_left: Duration,
) -> Result<DestructivePermit, NotPermitted> {
    if since_intent >= send_deadline {
        return Err(NotPermitted::DeadlinePassed);
    }
    if lease_left < TIME_TO_LEAVE {
        return Err(NotPermitted::LeaseLost);
    }
    Ok(DestructivePermit(()))
}
