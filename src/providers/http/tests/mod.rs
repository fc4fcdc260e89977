//! Both clients against real sockets on 127.0.0.1. The oracle is what the server saw, never what the client says.

mod certificates;
mod egress_proxy;
mod endpoints;
mod proxies;
mod reads;
mod sends;
mod server;
mod sizes;

use std::{sync::Arc, time::Duration};

use ::http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    Egress, Endpoint, EndpointParts, EndpointProblem, Limiter, Lookup, ReadClient, SendDeadline, SendResult,
    SystemRoots, send,
};
use crate::{
    api::{Limits, Method},
    domain::{Cause, Class, Failure, Step, grant},
    providers::PreparedRequest,
};
use certificates::Authority;
use server::Server;

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// Every name is this machine.
fn loopback() -> Lookup {
    Arc::new(|_| Box::pin(async { Ok(vec![[127, 0, 0, 1].into()]) }))
}

fn egress() -> Egress {
    Egress {
        ceiling: vec!["127.0.0.0/8".parse().unwrap()],
        roots: SystemRoots::none(),
        lookup: loopback(),
        proxy: None,
        clock: now,
    }
}

/// An endpoint that trusts this authority and may reach this machine.
fn endpoint(base_url: &str, trusted: &Authority) -> Arc<Endpoint> {
    let parts = EndpointParts {
        base_url,
        allowed_cidrs: &["127.0.0.0/8".to_owned()],
        ca_bundle: Some(&trusted.pem),
        client_identity: None,
    };
    Arc::new(Endpoint::new(parts, &egress()).unwrap())
}

fn request(method: Method, base_url: &str, path: &str) -> PreparedRequest {
    let mut token = HeaderValue::from_static("Bearer sk_test_sesame");
    token.set_sensitive(true);
    PreparedRequest {
        step: Step::look,
        method,
        url: format!("{base_url}{path}").parse().unwrap(),
        headers: vec![(HeaderName::from_static("authorization"), token)],
        body: None,
    }
}

fn delete(base_url: &str) -> PreparedRequest {
    request(Method::DELETE, base_url, "/customers/90017")
}

/// One destructive send with all its time for the first byte and `total` for everything.
async fn send_within(total: Duration, base_url: &str, trusted: &Authority) -> SendResult {
    let first_byte_before = Instant::now() + Duration::from_secs(30);
    let permit = grant(Duration::ZERO, Duration::from_secs(30), Duration::from_secs(30)).unwrap();
    let endpoint = endpoint(base_url, trusted);
    send(permit, delete(base_url), &endpoint, SendDeadline { first_byte_before, total }, now).await
}

fn not_sent(result: SendResult) -> Option<Failure> {
    match result {
        SendResult::NotSent(failure) => Some(failure),
        SendResult::Answered { .. } | SendResult::Unknown { .. } => None,
    }
}

fn unknown(result: SendResult) -> Option<Failure> {
    match result {
        SendResult::Unknown { failure, .. } => Some(failure),
        SendResult::Answered { .. } | SendResult::NotSent(_) => None,
    }
}

fn status(result: SendResult) -> Option<u16> {
    match result {
        SendResult::Answered { response, .. } => Some(response.status),
        SendResult::NotSent(_) | SendResult::Unknown { .. } => None,
    }
}

fn transient(cause: Cause) -> Failure {
    Failure::new(Class::Transient, cause)
}

/// Long enough for anything on this machine, short enough to wait for.
const AMPLE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(800);

/// A client without a rate to speak of.
fn read_client(base_url: &str, trusted: &Authority, deadline: Duration) -> (ReadClient, Arc<Limiter>) {
    let limiter = Limiter::new(Limits { requests_per_minute: 60_000, burst: 1000, max_in_flight: 10 });
    (ReadClient::new(endpoint(base_url, trusted), limiter.clone(), deadline), limiter)
}

fn get(base_url: &str) -> PreparedRequest {
    request(Method::GET, base_url, "/customers/90017")
}
