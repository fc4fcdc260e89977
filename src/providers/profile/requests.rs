//! Request templates and places of credentials, checked.

use http::HeaderName;
use regex::Regex;

use super::Problems;
use crate::{
    api::{self, Method},
    providers::http::{
        auth::{Expected, Place, Placement, SecretText},
        request::{BodyTemplate, RequestTemplate},
        template::{Allowed, JsonTemplate, Segment, Text},
    },
};

/// Headers that are ours or the connection's, or that turn one method into another.
const RESERVED: [&str; 18] = [
    "host",
    "authorization",
    "cookie",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "accept-encoding",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "range",
];

/// A header that a profile may set.
pub(super) fn header_name(name: &str) -> Result<HeaderName, String> {
    let parsed = name.parse::<HeaderName>().map_err(|_| format!("'{name}' is no name of a header"))?;
    if RESERVED.contains(&parsed.as_str()) || parsed.as_str().starts_with("proxy-") {
        return Err(format!("header name '{name}' is reserved"));
    }
    Ok(parsed)
}

/// What a request template may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    Destructive,
}

/// Compiles one request template.
pub(super) fn request(
    field: &str,
    source: &api::RequestTemplate,
    profile: &api::Profile,
    purpose: Use,
    allowed: Allowed<'_>,
    problems: &mut Problems,
) -> Option<RequestTemplate> {
    inspect_method(field, source, purpose, problems);
    let path = problems.take(&format!("{field}.path"), Segment::parse_path(&source.path, allowed));
    let query = fields(&format!("{field}.query"), &source.query, allowed, problems);
    let headers = headers(field, source, profile, allowed, problems);
    let body = match &source.body {
        Some(body) => Some(body_template(&format!("{field}.body"), body, profile, allowed, problems)?),
        None => None,
    };
    Some(RequestTemplate { method: source.method, path: path?, query: query?, headers: headers?, body })
}

fn inspect_method(field: &str, source: &api::RequestTemplate, purpose: Use, problems: &mut Problems) {
    let name = format!("{field}.method");
    match (purpose, source.method) {
        (Use::Read, Method::GET) => {}
        (Use::Read, Method::POST) if source.read_only => {}
        (Use::Read, Method::POST) => problems.add(name, "a POST that only reads needs `readOnly: true`"),
        (Use::Read, Method::PATCH | Method::DELETE) => {
            problems.add(
                name,
                "must be GET, or POST with `readOnly: true`; anything else stands only under `delete`",
            );
        }
        (Use::Destructive, Method::GET) => problems.add(name, "must be one of DELETE, POST, PATCH"),
        (Use::Destructive, Method::POST | Method::PATCH | Method::DELETE) => {}
    }
    if purpose == Use::Destructive && source.read_only {
        problems.add(format!("{field}.readOnly"), "a deletion does not only read");
    }
    if source.method == Method::GET && source.body.is_some() {
        problems.add(format!("{field}.body"), "a GET has no body");
    }
}

fn fields(
    field: &str,
    source: &std::collections::BTreeMap<String, api::ValueTemplate>,
    allowed: Allowed<'_>,
    problems: &mut Problems,
) -> Option<Vec<(String, Text)>> {
    let mut texts = Vec::new();
    for (name, value) in source {
        if name.is_empty() || name.contains(['{', '}']) || name == "_method" {
            problems.add(format!("{field}.{name}"), "must have a plain name: no braces, not `_method`");
        }
        texts.push((name.clone(), problems.take(&format!("{field}.{name}"), Text::parse(&value.0, allowed))));
    }
    texts.into_iter().map(|(name, text)| Some((name, text?))).collect()
}

/// `Accept`, the profile's headers and the request's own; the later ones win.
fn headers(
    field: &str,
    source: &api::RequestTemplate,
    profile: &api::Profile,
    allowed: Allowed<'_>,
    problems: &mut Problems,
) -> Option<Vec<(HeaderName, Text)>> {
    let accept = Text::parse("application/json", allowed).ok()?;
    let mut headers = vec![(http::header::ACCEPT, accept)];
    let mut is_complete = true;
    // The profile's own headers are told once, where they stand.
    let own = source.headers.iter().map(|header| (format!("{field}.headers"), header));
    let shared = profile.headers.iter().map(|header| ("headers".to_owned(), header));
    for (place, (name, value)) in shared.chain(own) {
        let parsed = header_name(name).and_then(|parsed| Ok((parsed, Text::parse(&value.0, allowed)?)));
        let parsed = parsed.and_then(|(parsed, text)| {
            let is_visible = value.0.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
            if is_visible && !value.0.is_empty() {
                Ok((parsed, text))
            } else {
                Err("must be visible ASCII".to_owned())
            }
        });
        let Some((parsed, text)) = problems.take(&format!("{place}.{name}"), parsed) else {
            is_complete = false;
            continue;
        };
        headers.retain(|(earlier, _)| *earlier != parsed);
        headers.push((parsed, text));
    }
    is_complete.then_some(headers)
}

fn body_template(
    field: &str,
    source: &api::BodyTemplate,
    profile: &api::Profile,
    allowed: Allowed<'_>,
    problems: &mut Problems,
) -> Option<BodyTemplate> {
    match (&source.json, &source.form) {
        (Some(json), None) => {
            if !json.is_object() {
                problems.add(format!("{field}.json"), "must be an object");
            }
            let template = JsonTemplate::parse(json, allowed, profile.customer_id.integer.is_some());
            problems.take(&format!("{field}.json"), template).map(BodyTemplate::Json)
        }
        (None, Some(form)) => {
            fields(&format!("{field}.form"), form, allowed, problems).map(BodyTemplate::Form)
        }
        (Some(_), Some(_)) | (None, None) => {
            problems.add(field, "exactly one of `json` and `form` must be set");
            None
        }
    }
}

/// Compiles the places of credentials, leaving out those that are wrong.
pub(super) fn placements(source: &[api::AuthPlacement], problems: &mut Problems) -> Vec<Placement> {
    if source.is_empty() {
        problems.add("auth", "must have at least one entry");
    }
    let mut placements: Vec<Placement> = Vec::new();
    for (at, source) in source.iter().enumerate() {
        let field = format!("auth[{at}]");
        let Some(placement) = placement(&field, source, problems) else { continue };
        let is_taken = |other: &Placement| {
            let (one, two) = (&other.place, &placement.place);
            (one.header().is_some() && one.header() == two.header())
                || (one.query().is_some() && one.query() == two.query())
        };
        if placements.iter().any(is_taken) {
            problems.add(field, "another entry takes the same place");
        }
        placements.push(placement);
    }
    placements
}

fn placement(field: &str, source: &api::AuthPlacement, problems: &mut Problems) -> Option<Placement> {
    let place = match (&source.header, &source.query, &source.basic, &source.value) {
        (Some(header), None, None, Some(value)) => {
            let name = match header_name(header) {
                Err(_) if header.eq_ignore_ascii_case("authorization") => Ok(http::header::AUTHORIZATION),
                other => other,
            };
            let name = problems.take(&format!("{field}.header"), name);
            let value = problems.take(&format!("{field}.value"), SecretText::parse(value));
            Place::Header(name?, value?)
        }
        (None, Some(query), None, Some(value)) => {
            let value = problems.take(&format!("{field}.value"), SecretText::parse(value))?;
            Place::Query(query.clone(), value)
        }
        (None, None, Some(basic), None) => basic_place(field, basic, problems)?,
        _ => {
            problems.add(field, "must be `header` with `value`, `query` with `value`, or `basic`");
            return None;
        }
    };
    let names = place.names().len();
    if names == 0 {
        problems.add(field, "must name a credential in braces: a credential is never part of a profile");
    }
    let expected = expected(field, source.expect.as_ref(), names, problems);
    Some(Placement { place, optional: source.optional, expected })
}

fn basic_place(field: &str, basic: &api::BasicAuth, problems: &mut Problems) -> Option<Place> {
    let username = problems.take(&format!("{field}.basic.username"), SecretText::parse(&basic.username));
    let password = problems.take(&format!("{field}.basic.password"), SecretText::parse(&basic.password));
    let (username, password) = (username?, password?);
    if username.has_literal(':') {
        problems.add(format!("{field}.basic.username"), "must not contain `:`");
    }
    Some(Place::Basic { username, password })
}

fn expected(
    field: &str,
    source: Option<&api::ExpectedCredential>,
    names: usize,
    problems: &mut Problems,
) -> Expected {
    let Some(source) = source else { return Expected::default() };
    if names > 1 {
        problems.add(format!("{field}.expect"), "is about one credential: this entry names several");
    }
    let mut pattern = |name: &str, text: &Option<String>| {
        let text = text.as_ref()?;
        let compiled = Regex::new(text).map_err(|_| "is not a valid regular expression");
        problems.take(&format!("{field}.expect.{name}"), compiled)
    };
    let live = pattern("live", &source.live);
    let sandbox = pattern("sandbox", &source.sandbox);
    Expected { live, sandbox }
}
