//! Templates: what is filled in stays where it was put.

use std::borrow::Cow;

use http::HeaderName;
use offboarding::{
    api::BodyTemplate,
    providers::{Captured, PreparedRequest, load},
};
use serde_json::{Value, json};

use crate::{
    exchange::Exchange,
    stage::{Always, SEED, credentials, customer, decoded, is_at_the_provider, noon, provider, wait, with},
};

/// Any text may be an id or a captured value here.
const PROFILE: &str = r#"
name: small
customerId: {pattern: '^[^/]*$'}
auth: [{header: X-Key, value: '{key}'}]
finality: HardDelete
erasure: {scope: Full}
control: {request: {path: /customers}, ok: 'response.status == 200'}
presence: {request: {path: '/customers/{customer.id}'}, id: 'response.json.id', capture: {value: 'response.json.value'}}
delete: [{name: delete, request: {method: POST, path: '/delete', query: {q: 'x'}, headers: {X-Filled: 'x'}, body: {json: {id: '{customer.id}', text: x}}}}]
"#;

/// The first line is the template, the second a customer's id, the rest a captured value.
struct Parts<'a> {
    template: Cow<'a, str>,
    id: Cow<'a, str>,
    value: Cow<'a, str>,
}

/// Whatever template, id and value are, a request has the parts that its template has, and each says what was filled in.
///
/// # Panics
/// Where a promise is broken.
pub fn template(input: &[u8]) {
    let mut lines = input.splitn(3, |byte| *byte == b'\n').map(String::from_utf8_lossy);
    let mut next = || lines.next().unwrap_or_default();
    let parts = Parts { template: next(), id: next(), value: next() };
    if let Some(request) = parts.request("/delete/0/request/path") {
        let due = parts.template.split('/').skip(1).map(|segment| parts.filled(segment));
        let found: Vec<String> = request.url.path().split('/').skip(2).map(decoded).collect();
        assert_eq!(found, due.collect::<Vec<_>>(), "the segments of a path");
    }
    if let Some(request) = parts.request("/delete/0/request/query/q") {
        let found: Vec<_> = request.url.query_pairs().into_owned().collect();
        assert_eq!(found, [("q".to_owned(), parts.filled(&parts.template))], "the parameters of a query");
    }
    if let Some(request) = parts.request("/delete/0/request/headers/X-Filled") {
        let name = HeaderName::from_static("x-filled");
        let mut found = request.headers.iter().filter(|(found, _)| *found == name);
        let (_, value) = found.next().expect("the header is there");
        assert_eq!(value.as_bytes(), parts.filled(&parts.template).as_bytes(), "the value of a header");
        assert!(
            value.as_bytes().iter().all(|byte| (b' '..=b'~').contains(byte)),
            "a header with a line break"
        );
        assert!(found.next().is_none(), "one header became two");
    }
    if let Some(request) = parts.request("/delete/0/request/body/json/text") {
        let (_, body) = request.body.expect("the body is there");
        let body: Value = serde_json::from_slice(&body).expect("it is JSON");
        let text = match &*parts.template {
            // The whole value as a number, which only ids that are numbers can be.
            "{customer.id:int}" => body["text"].clone(),
            template => json!(parts.filled(template)),
        };
        assert_eq!(body, json!({ "id": parts.filled(parts.beside()), "text": text }), "the fields of a body");
    }
    parts.form();
}

impl Parts<'_> {
    /// The deletion, with the template in one place; nothing where the profile does not load, or nothing may be sent.
    fn request(&self, place: &str) -> Option<PreparedRequest> {
        let beside = ("/delete/0/request/body/json/id", json!(self.beside()));
        self.prepared(&with(PROFILE, &[beside, (place, json!(self.template))])?)
    }

    /// What stands in another place of the request: a deletion names its customer exactly once.
    fn beside(&self) -> &'static str {
        if self.template.contains("{customer.id}") { "x" } else { "{customer.id}" }
    }

    fn form(&self) {
        let mut profile = with(PROFILE, &[]).expect("it is a profile");
        let form = [("id", self.beside()), ("text", &self.template)];
        let form = form
            .map(|(name, value)| (name.to_owned(), offboarding::api::HeaderValueTemplate(value.to_owned())));
        profile.delete[0].operation.request.body = Some(BodyTemplate { json: None, form: Some(form.into()) });
        let Some(request) = self.prepared(&profile) else { return };
        let (_, body) = request.body.expect("the body is there");
        let found: Vec<_> = url::form_urlencoded::parse(&body).into_owned().collect();
        let due =
            [("id".to_owned(), self.filled(self.beside())), ("text".to_owned(), self.filled(&self.template))];
        assert_eq!(found, due, "the fields of a form");
    }

    fn prepared(&self, profile: &offboarding::api::Profile) -> Option<PreparedRequest> {
        let loaded = load(profile).ok()?;
        let seen = json!({ "id": self.id, "value": self.value }).to_string();
        let seen = Exchange::of(format!("200\n\n{seen}").as_bytes()).response;
        let provider = provider(loaded, Always::answers(seen));
        let id = customer(&self.id);
        let captured: Captured = wait(provider.look(&credentials(), &id, noon())).captured;
        let request = provider.prepare_delete(&credentials(), &id, &captured, &SEED).ok()?;
        is_at_the_provider(&request);
        Some(request)
    }

    /// The template with both placeholders replaced, in one go: what is filled in is not read again.
    fn filled(&self, template: &str) -> String {
        let mut filled = String::new();
        let mut rest = template;
        while let Some(first) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("{customer.id}") {
                filled.push_str(&self.id);
                rest = after;
            } else if let Some(after) = rest.strip_prefix("{vars.value}") {
                filled.push_str(&self.value);
                rest = after;
            } else {
                filled.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        filled
    }
}
