//! Reads: asked again in memory where the connection failed, within one deadline. Never used for a destructive call.

use std::{error::Error, io, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout_at};

use super::{
    addresses::NoAddress,
    body::{Body, too_large},
    connect::connect,
    endpoint::Endpoint,
    heard::Heard,
    jitter::jittered,
    limits::Limiter,
    once::Outgoing,
    slots::{Reservation, Slot},
    wire,
};
use crate::{
    domain::{Cause, CauseWord, Class, Failure},
    providers::{PreparedRequest, Response},
};

/// How long a read may take by default, repetitions included: Juicyway's own limit is 30 s. Source: design.md section 5.
pub const READ_DEADLINE: Duration = Duration::from_secs(35);

/// How long a read waits for its turn before its deadline starts. Source: providers.md 5.5 b, "retry in memory if <= 30 s".
const LONGEST_QUEUE: Duration = Duration::from_secs(30);

/// How often a read is repeated, and the longest wait before the first and the second repetition.
const REPEATS: &[Duration] = &[Duration::from_millis(500), Duration::from_millis(2000)];

/// The client for reads at one provider object.
#[derive(Clone, Debug)]
pub struct ReadClient {
    endpoint: Arc<Endpoint>,
    limiter: Arc<Limiter>,
    deadline: Duration,
}

impl ReadClient {
    /// `deadline` covers everything after the turn: connecting, sending, reading, repeating. `READ_DEADLINE` by default.
    #[must_use]
    pub fn new(endpoint: Arc<Endpoint>, limiter: Arc<Limiter>, deadline: Duration) -> Self {
        Self { endpoint, limiter, deadline }
    }

    /// One read, in its turn. Waits for it up to 30 s, or as long as one takes where the rate is slower, then up to the deadline for
    /// the answer.
    ///
    /// Any status is an answer. Connections that fail are tried up to twice again, with jitter, as far as the rate allows.
    ///
    /// # Errors
    /// `RateLimited`, `CircuitOpen`: not our turn, nothing was sent. `Transient`: no answer (`NameNotResolved`, `AddressNotAllowed`,
    /// `ConnectFailed`, `TlsFailed`, `ProxyUnavailable`, `ProxyRefused`, `ProxyUnauthorized`, `OutcomeUnknown`).
    /// `Indeterminate`/`ResponseTooLarge`. `Invalid`/`TemplateFailed`: the request does not lie below the base URL, or brings a
    /// header of ours; a defect.
    pub async fn read(
        &self,
        request: PreparedRequest,
        credential_version: &str,
    ) -> Result<Response, Failure> {
        let slot = self.turn(credential_version).await?;
        self.read_in_turn(&request, slot).await
    }

    /// Waits for the turn of one read, as `read` does.
    ///
    /// # Errors
    /// `RateLimited`, `CircuitOpen`: it did not come in time.
    pub async fn turn(&self, credential_version: &str) -> Result<Slot, Failure> {
        let longest = LONGEST_QUEUE.max(self.limiter.takes(1));
        self.limiter.slot(credential_version, longest).await
    }

    /// One read, whose turn it is.
    ///
    /// # Errors
    /// As `read`, without `RateLimited` and `CircuitOpen`.
    pub async fn read_in_turn(&self, request: &PreparedRequest, slot: Slot) -> Result<Response, Failure> {
        let result = self.ask(request).await;
        slot.report(self.heard(&result));
        result
    }

    /// One read under a reservation: does not wait for a turn, and goes out whatever pause or circuit say by now.
    ///
    /// # Errors
    /// As `read`, without `RateLimited` and `CircuitOpen`.
    pub async fn read_reserved(
        &self,
        request: PreparedRequest,
        reservation: &mut Reservation,
    ) -> Result<Response, Failure> {
        reservation.spend();
        let result = self.ask(&request).await;
        reservation.report(self.heard(&result));
        result
    }

    /// Nothing goes out for a while; of this length, where the provider named one. A 429 is heard without it.
    pub fn pause(&self, wish: Option<Duration>) {
        // No credential is at fault, so none is named.
        self.limiter.report("", Heard::RateLimited(wish));
    }

    fn heard(&self, result: &Result<Response, Failure>) -> Heard {
        match result {
            Ok(response) => Heard::in_response(response, self.endpoint.now()),
            Err(failure) => Heard::in_failure(failure),
        }
    }

    async fn ask(&self, request: &PreparedRequest) -> Result<Response, Failure> {
        let end = Instant::now() + self.deadline;
        for longest in REPEATS {
            let result = self.ask_once(request, end).await;
            let wait = jittered(*longest);
            let again = result.as_ref().is_err_and(may_mend_itself) && Instant::now() + wait < end;
            if !again || !self.limiter.another() {
                return result;
            }
            sleep(wait).await;
        }
        self.ask_once(request, end).await
    }

    async fn ask_once(&self, request: &PreparedRequest, end: Instant) -> Result<Response, Failure> {
        if !self.endpoint.permits_host() {
            return Err(NoAddress::NotAllowed.into());
        }
        let answered = match self.endpoint.reads() {
            Some(client) => timeout_at(end, read_pooled(client, request, &self.endpoint)).await,
            None => timeout_at(end, read_once(request, &self.endpoint)).await,
        };
        answered.unwrap_or_else(|_| Err(Failure::new(Class::Transient, Cause::OutcomeUnknown)))
    }
}

async fn read_pooled(
    client: &reqwest::Client,
    request: &PreparedRequest,
    endpoint: &Endpoint,
) -> Result<Response, Failure> {
    let mut outgoing = reqwest::Request::new(wire::method(request), request.url.clone());
    *outgoing.headers_mut() = wire::headers(request, endpoint)?;
    *outgoing.body_mut() = request.body.as_ref().map(|(_, bytes)| bytes.clone().into());
    read_answer(client, outgoing).await
}

/// Through the proxy, each read has a connection of its own: reqwest would ask the proxy for the name, which nobody here had checked.
async fn read_once(request: &PreparedRequest, endpoint: &Endpoint) -> Result<Response, Failure> {
    let outgoing = Outgoing::new(request, endpoint)?;
    let stream = connect(endpoint).await?;
    outgoing.exchange(stream).await.map_err(|failure| match failure.class {
        Class::Transient => Failure::new(Class::Transient, Cause::OutcomeUnknown),
        _ => failure,
    })
}

async fn read_answer(client: &reqwest::Client, request: reqwest::Request) -> Result<Response, Failure> {
    let mut answer = client.execute(request).await.map_err(|error| failure_of(&error))?;
    let mut body = Body::expecting(answer.headers())?;
    while let Some(piece) = answer.chunk().await.map_err(|error| failure_of(&error))? {
        body.push(&piece)?;
    }
    Ok(body.into_response(answer.status().as_u16(), answer.headers()))
}

/// What an address, a certificate or a proxy is refused for does not change within seconds.
fn may_mend_itself(failure: &Failure) -> bool {
    let lasting = [Cause::AddressNotAllowed, Cause::TlsFailed, Cause::ProxyRefused, Cause::ProxyUnauthorized];
    let lasting = lasting.map(CauseWord::Ours);
    failure.class == Class::Transient && !lasting.contains(&failure.cause)
}

/// What went wrong, in our words: an error's own text may hold addresses and ids.
fn failure_of(error: &reqwest::Error) -> Failure {
    let mut source = error.source();
    while let Some(inner) = source {
        let innermost = unwrapped(inner);
        if let Some(why) = innermost.downcast_ref::<NoAddress>() {
            return (*why).into();
        }
        if innermost.is::<rustls::Error>() && error.is_connect() {
            return Failure::new(Class::Transient, Cause::TlsFailed);
        }
        if innermost.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse_too_large) {
            return too_large();
        }
        source = inner.source();
    }
    let cause = if error.is_connect() { Cause::ConnectFailed } else { Cause::OutcomeUnknown };
    Failure::new(Class::Transient, cause)
}

/// What an `io::Error` wraps: its `source` is the source of that, and so passes over it.
fn unwrapped<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut inner = error;
    while let Some(wrapped) = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        inner = wrapped;
    }
    inner
}
