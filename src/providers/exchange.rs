//! One HTTP exchange as data: what is sent and what came back. Nothing here prints a credential, an id or a body.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use url::Url;

pub use crate::domain::CustomerId;
use crate::{api::Method, domain::Step};

/// A request, ready to send: address, headers and body are complete and checked.
#[derive(Clone)]
pub struct PreparedRequest {
    /// What it is for.
    pub step: Step,
    /// The HTTP method.
    pub method: Method,
    /// The address: scheme, host, port and path prefix are those of the provider object's base URL.
    pub url: Url,
    /// Header names (lower case) and values, credentials included; each name at most once.
    pub headers: Vec<(http::HeaderName, http::HeaderValue)>,
    /// Content type and bytes.
    pub body: Option<(&'static str, Vec<u8>)>,
}

impl fmt::Debug for PreparedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreparedRequest({:?})", self.method)
    }
}

/// An answer that was read completely, within all caps.
#[derive(Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Headers: names in lower case, repeated ones joined with `, `.
    pub headers: BTreeMap<String, String>,
    /// The body as JSON; `None` where it is empty, is no JSON, is nested deeper than 64, repeats a key, or is not UTF-8.
    pub json: Option<serde_json::Value>,
    /// The body's first 64 KiB as text; empty where it is not UTF-8.
    pub text: String,
    /// How many bytes the body has, at most 1 MiB.
    pub body_bytes: usize,
    /// The provider's own clock: the `Date` header.
    pub date: Option<Timestamp>,
}

impl Response {
    /// How many values its JSON has, lists and objects among them: what it takes in memory is in proportion.
    #[must_use]
    pub fn values(&self) -> usize {
        self.json.as_ref().map_or(0, count)
    }
}

fn count(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(items) => items.iter().map(count).sum::<usize>() + 1,
        serde_json::Value::Object(fields) => fields.values().map(count).sum::<usize>() + 1,
        _ => 1,
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({}, {} bytes)", self.status, self.body_bytes)
    }
}
