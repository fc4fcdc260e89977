//! The one destructive send: one fresh connection, one request, one deadline, and a truthful word on whether anything left.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::client::TlsStream;

use super::{
    connect::connect,
    endpoint::Endpoint,
    guard::{FirstByte, FirstByteGuard},
    heard::Heard,
    once::Outgoing,
};
use crate::{
    domain::{Cause, Class, DestructivePermit, Failure},
    providers::{PreparedRequest, Response},
};

/// How long a destructive call may take.
#[derive(Clone, Copy, Debug)]
pub struct SendDeadline {
    /// The first byte leaves before this moment or not at all: intent write begun + send deadline, or the end of the lease if
    /// that is earlier. Monotonic.
    pub first_byte_before: Instant,
    /// Everything, from the call of `send` to the last byte of the answer: the request deadline, 35 s by default.
    pub total: Duration,
}

/// What is known after the send. Whether a byte left separates the last two, not the kind of error.
#[derive(Clone, Debug)]
#[must_use]
pub enum SendResult {
    /// An answer was read completely; what it means is for the profile to say.
    Answered {
        /// The answer; a redirect is one too.
        response: Response,
        /// When the first byte left.
        sent_at: Timestamp,
    },
    /// Provably nothing left us.
    NotSent(Failure),
    /// At least one byte may have left, and there is no answer.
    Unknown {
        /// Class `Indeterminate`; `OutcomeUnknown` or `ResponseTooLarge`.
        failure: Failure,
        /// When the first byte left.
        sent_at: Timestamp,
    },
}

impl SendResult {
    /// What the limiter is to be told.
    #[must_use]
    pub fn heard(&self, now: Timestamp) -> Heard {
        match self {
            SendResult::Answered { response, .. } => Heard::in_response(response, now),
            SendResult::NotSent(failure) => Heard::in_failure(failure),
            SendResult::Unknown { .. } => Heard::Trouble,
        }
    }
}

/// Sends once, whatever comes: no redirect, no repetition, no pooled connection, and no proxy but the installation's own, which
/// is asked for a connection before anything of the request exists on the wire. The permit is spent.
///
/// Errors: never fails; `NotSent` carries `NameNotResolved`, `AddressNotAllowed`, `ConnectFailed`, `TlsFailed`, `ProxyUnavailable`,
/// `ProxyRefused`, `ProxyUnauthorized`, `NotSent` or `DeadlinePassed` (all `Transient`), or `TemplateFailed` (`Invalid`: a request
/// that does not lie below the base URL).
/// Interim 1xx answers are skipped (RFC 9110 section 15.2). Source: design.md 4.2 step 5, reliability.md 2.4 rule 3.
pub async fn send(
    permit: DestructivePermit,
    request: PreparedRequest,
    connection: &Endpoint,
    deadline: SendDeadline,
    clock: fn() -> Timestamp,
) -> SendResult {
    let _spent = permit;
    let end = Instant::now() + deadline.total;
    let handed = FirstByte::default();
    let guard =
        |stream| FirstByteGuard::new(stream, deadline.first_byte_before, end, clock, Arc::clone(&handed));
    let ended = timeout_at(end, exchange(&request, connection, guard)).await;
    let ended = ended.unwrap_or_else(|_| Err(Failure::new(Class::Transient, Cause::NotSent)));
    match (ended, handed.get()) {
        (Ok(response), Some(&sent_at)) => SendResult::Answered { response, sent_at },
        (Err(failure), Some(&sent_at)) => SendResult::Unknown { failure: after_first_byte(failure), sent_at },
        (Err(failure), None) => SendResult::NotSent(before_first_byte(failure, deadline)),
        // An answer to a question that was not asked.
        (Ok(_), None) => SendResult::NotSent(Failure::new(Class::Transient, Cause::NotSent)),
    }
}

/// A byte may have left: whatever went wrong afterwards, nobody knows what the provider did.
fn after_first_byte(failure: Failure) -> Failure {
    if failure.class == Class::Indeterminate {
        return failure;
    }
    Failure::new(Class::Indeterminate, Cause::OutcomeUnknown)
}

/// No byte left: a request that cannot be built stays wrong, everything else may be tried again.
fn before_first_byte(failure: Failure, deadline: SendDeadline) -> Failure {
    if failure.class == Class::Invalid {
        return failure;
    }
    if Instant::now() >= deadline.first_byte_before {
        return Failure::new(Class::Transient, Cause::DeadlinePassed);
    }
    if failure.class == Class::Transient { failure } else { Failure::new(Class::Transient, Cause::NotSent) }
}

async fn exchange(
    request: &PreparedRequest,
    endpoint: &Endpoint,
    guard: impl FnOnce(TlsStream<TcpStream>) -> FirstByteGuard<TlsStream<TcpStream>>,
) -> Result<Response, Failure> {
    let outgoing = Outgoing::new(request, endpoint)?;
    outgoing.exchange(guard(connect(endpoint).await?)).await
}
