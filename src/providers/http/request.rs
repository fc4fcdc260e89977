//! A request from its template. Whatever the values are, scheme, host, port, base path and number of segments stay.

use http::{HeaderName, HeaderValue};
use url::{Url, form_urlencoded};

use super::template::{Filling, JsonTemplate, Segment, Text, template_failed};
use crate::{
    api,
    domain::{Failure, Step},
    providers::PreparedRequest,
};

/// A request template, checked.
#[derive(Clone, Debug)]
pub(crate) struct RequestTemplate {
    pub(crate) method: api::Method,
    pub(crate) path: Vec<Segment>,
    pub(crate) query: Vec<(String, Text)>,
    /// The profile's headers and the request's own, each name once.
    pub(crate) headers: Vec<(HeaderName, Text)>,
    pub(crate) body: Option<BodyTemplate>,
}

/// A body template, checked.
#[derive(Clone, Debug)]
pub(crate) enum BodyTemplate {
    Json(JsonTemplate),
    Form(Vec<(String, Text)>),
}

impl RequestTemplate {
    /// The request, without credentials.
    ///
    /// # Errors
    /// `TemplateFailed`: a value is missing, or does not fit where it should stand. Nothing was sent.
    pub(crate) fn fill(
        &self,
        step: Step,
        base: &Url,
        filling: Filling<'_>,
    ) -> Result<PreparedRequest, Failure> {
        let mut url = self.fill_path(base, filling)?;
        for (name, value) in &self.query {
            url.query_pairs_mut().append_pair(name, &value.fill(filling)?);
        }
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| Ok((name.clone(), header_value(&value.fill(filling)?)?)))
            .collect::<Result<_, Failure>>()?;
        let body = self.body.as_ref().map(|body| body.fill(filling)).transpose()?;
        Ok(PreparedRequest { step, method: self.method, url, headers, body })
    }

    fn fill_path(&self, base: &Url, filling: Filling<'_>) -> Result<Url, Failure> {
        let segments =
            self.path.iter().map(|segment| segment.fill(filling)).collect::<Result<Vec<_>, _>>()?;
        let mut url = base.clone();
        url.set_query(None);
        url.set_fragment(None);
        url.path_segments_mut().map_err(|()| template_failed())?.pop_if_empty().extend(&segments);
        let expected = path_of(base).len() + segments.len();
        if !is_below(&url, base) || url.path_segments().is_none_or(|found| found.count() != expected) {
            return Err(template_failed());
        }
        Ok(url)
    }
}

impl BodyTemplate {
    fn fill(&self, filling: Filling<'_>) -> Result<(&'static str, Vec<u8>), Failure> {
        match self {
            BodyTemplate::Json(json) => {
                let bytes = serde_json::to_vec(&json.fill(filling)?).map_err(|_| template_failed())?;
                Ok(("application/json", bytes))
            }
            BodyTemplate::Form(fields) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                for (name, value) in fields {
                    form.append_pair(name, &value.fill(filling)?);
                }
                Ok(("application/x-www-form-urlencoded", form.finish().into_bytes()))
            }
        }
    }
}

/// A header's value: visible ASCII, or the request is not sent.
fn header_value(text: &str) -> Result<HeaderValue, Failure> {
    if text.is_empty() || !is_header_text(text) {
        return Err(template_failed());
    }
    HeaderValue::from_str(text).map_err(|_| template_failed())
}

/// Whether a text is visible ASCII or blanks.
pub(crate) fn is_header_text(text: &str) -> bool {
    text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// Whether an address has the scheme, host and port of the base URL, and its path as a prefix, segment by segment.
pub(crate) fn is_below(url: &Url, base: &Url) -> bool {
    let base_path = path_of(base);
    let path: Vec<&str> = url.path_segments().into_iter().flatten().collect();
    url.scheme() == base.scheme()
        && url.host() == base.host()
        && url.port_or_known_default() == base.port_or_known_default()
        && url.username().is_empty()
        && url.password().is_none()
        && path.starts_with(&base_path)
}

/// The base URL's path segments, without the empty one that a `/` at the end makes.
fn path_of(base: &Url) -> Vec<&str> {
    let mut segments: Vec<&str> = base.path_segments().into_iter().flatten().collect();
    if segments.last().is_some_and(|last| last.is_empty()) {
        segments.pop();
    }
    segments
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
