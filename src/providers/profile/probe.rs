//! The load-time table: answers that prove nothing must never make a customer look gone.

use jiff::Timestamp;

use super::Problems;
use crate::providers::{
    CustomerId, Response,
    expression::{Expression, Scalar, Scope},
};

/// Statuses that say nothing about a customer: redirects, refusals, failures, and a bare success.
const STATUSES: [u16; 12] = [200, 204, 301, 302, 307, 401, 403, 429, 500, 502, 503, 504];

const HTML: &str = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in</body></html>";

/// Whom the answers are about.
const ANYBODY: &str = "1";

/// When the answers come: what is false today is no proof tomorrow. Seconds; the beginning, 2026 and 2099.
const MOMENTS: [i64; 3] = [0, 1_772_452_800, 4_070_908_800];

/// Bodies that say nothing either.
fn bodies() -> [(&'static str, Option<serde_json::Value>); 4] {
    [("", None), ("{}", Some(serde_json::json!({}))), ("[]", Some(serde_json::json!([]))), (HTML, None)]
}

/// Runs a predicate that can end in "gone" against every such answer.
pub(super) fn inspect(field: &str, predicate: &Expression, problems: &mut Problems) {
    let is_fooled = |status: &u16| {
        bodies().into_iter().any(|(text, json)| ever_holds(predicate, &response(*status, text, json)))
    };
    let fooled: Vec<String> =
        STATUSES.iter().filter(|status| is_fooled(status)).map(ToString::to_string).collect();
    if !fooled.is_empty() {
        let message = format!(
            "must be false for a bare answer (no body, {{}}, [] or an HTML page) with status {}",
            fooled.join(", ")
        );
        problems.add(field, message);
    }
}

/// Runs the provider's own error format against a 404 and a 410 of somebody else: a proxy, a wrong address, a web server.
///
/// Without the format, every such answer would be an absence.
pub(super) fn inspect_envelope(field: &str, envelope: &Expression, problems: &mut Problems) {
    let is_fooled = |status, text| ever_holds(envelope, &response(status, text, None));
    if [404, 410].into_iter().any(|status| is_fooled(status, "") || is_fooled(status, HTML)) {
        problems.add(
            field,
            "must be false for a bare 404 or 410 (no body, or an HTML page): that is no answer of the provider",
        );
    }
}

/// Runs the expression of the id against every such answer, and a bare 404 and 410: none of them names anybody.
///
/// An expression that gives the id that was asked for would find this customer in every answer.
pub(super) fn inspect_id(field: &str, id: &Expression, problems: &mut Problems) {
    let names_anybody = |answer: &Response| ever(answer, |scope| gives_anybody(id, scope));
    let is_fooled =
        |status: u16| bodies().into_iter().any(|(text, json)| names_anybody(&response(status, text, json)));
    if STATUSES.into_iter().chain([404, 410]).any(is_fooled) {
        problems.add(
            field,
            "must come from the answer: for a bare one (no body, {}, [] or an HTML page) it gives the id that was asked for",
        );
    }
}

fn gives_anybody(id: &Expression, scope: &Scope) -> bool {
    match id.evaluate_scalar(scope) {
        Ok(Scalar::Text(text)) => text == ANYBODY,
        Ok(Scalar::Whole(whole)) => whole.to_string() == ANYBODY,
        Ok(Scalar::Number(_) | Scalar::Truth(_) | Scalar::Null) | Err(_) => false,
    }
}

fn response(status: u16, text: &str, json: Option<serde_json::Value>) -> Response {
    let headers = [("content-type".to_owned(), "text/html".to_owned())].into();
    Response { status, headers, json, text: text.to_owned(), body_bytes: text.len(), date: None }
}

fn ever_holds(predicate: &Expression, response: &Response) -> bool {
    ever(response, |scope| predicate.evaluate_bool(scope) == Ok(true))
}

fn ever(response: &Response, holds: impl Fn(&Scope) -> bool) -> bool {
    let anybody = CustomerId::new(ANYBODY.to_owned());
    let moments = MOMENTS.into_iter().filter_map(|second| Timestamp::from_second(second).ok());
    let mut scopes = moments.map(|now| Scope::of_response(response, now).with_customer(&anybody));
    scopes.any(|scope| holds(&scope))
}
