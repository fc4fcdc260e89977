//! What both clients put on the wire: the prepared request and nothing that would change its meaning.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::endpoint::Endpoint;
use crate::{
    api,
    domain::{Cause, Class, Failure},
    providers::PreparedRequest,
};

/// Headers that belong to the connection, or that would ask for a body we do not read. A request that brings one is not sent.
const OURS: &[HeaderName] = &[
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::TRANSFER_ENCODING,
    header::ACCEPT_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
];

/// The headers of a request, or the refusal to send it: another host, a header of ours, the same header twice.
pub(super) fn headers(request: &PreparedRequest, endpoint: &Endpoint) -> Result<HeaderMap, Failure> {
    let refused = || Failure::new(Class::Invalid, Cause::TemplateFailed);
    if !endpoint.base_url().covers(&request.url) {
        return Err(refused());
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        if OURS.contains(name) || headers.insert(name.clone(), value.clone()).is_some() {
            return Err(refused());
        }
    }
    headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("application/json"));
    headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
    if request.method == api::Method::GET {
        // A cache on the way may keep a 404 (RFC 9111 section 4.2.2): an old one is no proof that a customer is gone.
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    }
    if let Some((content_type, _)) = &request.body {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    Ok(headers)
}

/// Who we are, to providers and proxies.
pub(super) const USER_AGENT: &str = concat!("customer-offboarding-operator/", env!("CARGO_PKG_VERSION"));

pub(super) fn method(request: &PreparedRequest) -> Method {
    match request.method {
        api::Method::GET => Method::GET,
        api::Method::POST => Method::POST,
        api::Method::PATCH => Method::PATCH,
        api::Method::DELETE => Method::DELETE,
    }
}
