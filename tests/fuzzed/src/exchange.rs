//! An answer as a corpus file spells it: the status, a header in each line, an empty line, the body.

use http::{HeaderMap, HeaderName, HeaderValue};
use offboarding::providers::{Response, http::read_response};
use serde_json::Value;

/// More headers than any answer has, and few enough for the map that takes them.
const MOST_HEADERS: usize = 100;

/// An answer, and its body as it came.
pub(crate) struct Exchange<'a> {
    pub(crate) response: Response,
    pub(crate) body: &'a [u8],
}

impl<'a> Exchange<'a> {
    /// Every input is an answer: what is no status is 200, what is no header is left out.
    pub(crate) fn of(input: &'a [u8]) -> Self {
        let end = input.windows(2).position(|two| two == b"\n\n");
        let (head, body) = end.map_or((input, &[][..]), |end| (&input[..end], &input[end + 2..]));
        let mut lines = head.split(|byte| *byte == b'\n');
        let status = lines.next().and_then(|line| std::str::from_utf8(line).ok()?.trim().parse().ok());
        let status = status.filter(|status| (100..=999).contains(status)).unwrap_or(200);
        let mut headers = HeaderMap::new();
        for line in lines.take(MOST_HEADERS) {
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            let (name, value) = line.split_at(colon);
            let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                headers.append(name, value);
            }
        }
        Self { response: read_response(status, &headers, body), body }
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.response.status)
    }

    /// The body as another parser reads it: less strict, so that what it refuses is no JSON for anybody.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(self.body).ok()
    }

    /// Whether the body is an object with this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.json().is_some_and(|json| json.get(key).is_some())
    }
}
