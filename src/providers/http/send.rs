//! The one destructive send: one fresh connection, one request, one deadline, and a truthful word on whether anything left.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures::future::{Either, select};
use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    addresses::NoAddress,
    body::{Body, MOST_HEADER_BYTES, too_large},
    endpoint::{CONNECT, Endpoint, HANDSHAKE},
    guard::{FirstByte, FirstByteGuard},
    heard::Heard,
    wire,
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

/// Sends once, whatever comes: no redirect, no repetition, no proxy, no pooled connection. The permit is spent.
///
/// Errors: never fails; `NotSent` carries `NameNotResolved`, `AddressNotAllowed`, `ConnectFailed`, `TlsFailed`, `NotSent` or
/// `DeadlinePassed` (all `Transient`), or `TemplateFailed` (`Invalid`: a request that does not lie below the base URL).
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
    let outgoing = outgoing(request, endpoint)?;
    let stream = guard(connect(endpoint).await?);
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MOST_HEADER_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(lost)?;
    let answer = Box::pin(async move {
        let answer = sender.send_request(outgoing).await.map_err(lost)?;
        read_answer(answer).await
    });
    match select(answer, Box::pin(connection)).await {
        Either::Left((answered, _connection)) => answered,
        // The connection is over; what it received is still to be read.
        Either::Right((_ended, answer)) => answer.await,
    }
}

async fn read_answer(answer: http::Response<hyper::body::Incoming>) -> Result<Response, Failure> {
    let (head, mut incoming) = answer.into_parts();
    let mut body = Body::expecting(&head.headers)?;
    while let Some(frame) = incoming.frame().await {
        if let Some(piece) = frame.map_err(lost)?.data_ref() {
            body.push(piece)?;
        }
    }
    Ok(body.into_response(head.status.as_u16(), &head.headers))
}

/// The connection gave up. Which failure that is, is for the guard's memory to say.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn lost(error: hyper::Error) -> Failure {
    if error.is_parse_too_large() { too_large() } else { Failure::new(Class::Transient, Cause::NotSent) }
}

/// The request in origin form, with the headers of a connection that is used once. Source: RFC 9112 sections 3.2.1 and 9.6.
fn outgoing(request: &PreparedRequest, endpoint: &Endpoint) -> Result<Request<Full<Bytes>>, Failure> {
    let refused = || Failure::new(Class::Invalid, Cause::TemplateFailed);
    let mut headers = wire::headers(request, endpoint)?;
    let host = HeaderValue::from_str(&endpoint.base_url().authority()).map_err(|_| refused())?;
    headers.insert(header::HOST, host);
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    let body = request.body.as_ref().map_or_else(Bytes::new, |(_, bytes)| Bytes::from(bytes.clone()));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    let mut outgoing = Request::new(Full::new(body));
    *outgoing.method_mut() = wire::method(request);
    *outgoing.uri_mut() = request.url[url::Position::BeforePath..].parse().map_err(|_| refused())?;
    *outgoing.headers_mut() = headers;
    Ok(outgoing)
}

async fn connect(endpoint: &Endpoint) -> Result<TlsStream<TcpStream>, Failure> {
    let end = Instant::now() + CONNECT;
    let addresses = timeout_at(end, endpoint.addresses()).await.unwrap_or(Err(NoAddress::NotResolved))?;
    let stream = connect_any(&addresses, end).await?;
    let handshake = TlsConnector::from(endpoint.tls()).connect(endpoint.server_name(), stream);
    match timeout_at(Instant::now() + HANDSHAKE, handshake).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(_)) | Err(_) => Err(Failure::new(Class::Transient, Cause::TlsFailed)),
    }
}

/// One address after the other; each gets its share of the time that is left.
async fn connect_any(addresses: &[SocketAddr], end: Instant) -> Result<TcpStream, Failure> {
    for (tried, address) in addresses.iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        if let Ok(Ok(stream)) = timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            // Without it the second packet of a request may wait for the first one's acknowledgement.
            let _kept_as_it_is = stream.set_nodelay(true);
            return Ok(stream);
        }
    }
    Err(Failure::new(Class::Transient, Cause::ConnectFailed))
}
