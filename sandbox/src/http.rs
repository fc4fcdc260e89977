//! The words of one exchange: what was asked and what is answered.

use hyper::body::Bytes;
use hyper::{HeaderMap, Method};
use serde_json::Value;

/// A request that has arrived completely.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method as sent.
    pub method: Method,
    /// The path as sent, not decoded.
    pub path: String,
    /// The query as sent, without the question mark.
    pub query: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// The client wants to use the connection again.
    pub keep_alive: bool,
}

impl Request {
    /// The first value of a header, unless it is not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The decoded pairs of the query, in order.
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    /// The last value of a query key, decoded.
    pub fn query_value(&self, key: &str) -> Option<String> {
        self.query_pairs().into_iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

/// A body to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// These bytes.
    Whole(Vec<u8>),
    /// A JSON string of exactly so many bytes, quotes included; made while it is sent.
    Filler(u64),
    /// Chunks of a JSON string that never ends.
    Endless,
}

/// What a provider answers. `Date`, `X-Request-Id` and the framing are added on the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Headers in the order in which they are sent.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
}

impl Answer {
    /// No body and no `Content-Type`.
    pub fn empty(status: u16) -> Answer {
        Answer { status, headers: Vec::new(), body: Body::Whole(Vec::new()) }
    }

    /// Bytes under a content type.
    pub fn typed(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        Answer { body: Body::Whole(body.into()), ..Answer::empty(status) }.with("Content-Type", content_type)
    }

    /// A JSON document under its usual content type.
    pub fn json(status: u16, body: &Value) -> Answer {
        Answer::typed(status, "application/json; charset=utf-8", body.to_string())
    }

    /// A small HTML page.
    pub fn html(status: u16, title: &str) -> Answer {
        let page = format!(
            "<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
        );
        Answer::typed(status, "text/html; charset=utf-8", page)
    }

    /// The same answer with this header instead of any of that name.
    pub fn with(self, name: &str, value: &str) -> Answer {
        let mut answer = self.without(name);
        answer.headers.push((name.to_owned(), value.to_owned()));
        answer
    }

    /// The same answer without headers of that name.
    pub fn without(mut self, name: &str) -> Answer {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// The same answer with a header added unless it has one of that name.
    pub fn or_with(self, name: &str, value: &str) -> Answer {
        if self.has(name) { self } else { self.with(name, value) }
    }

    /// Whether a header of that name is set.
    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// The body if it is held in memory.
    pub fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Whole(bytes) => bytes,
            Body::Filler(_) | Body::Endless => &[],
        }
    }
}
