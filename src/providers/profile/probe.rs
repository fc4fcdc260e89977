//! The load-time table: answers that prove nothing must never make a customer look gone.

use jiff::Timestamp;

use super::Problems;
use crate::providers::{
    CustomerId, Response,
    expression::{Expression, Scope},
};

/// Statuses that say nothing about a customer: redirects, refusals, failures, and a bare success.
const STATUSES: [u16; 12] = [200, 204, 301, 302, 307, 401, 403, 429, 500, 502, 503, 504];

const HTML: &str = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in</body></html>";

/// Bodies that say nothing either.
fn bodies() -> [(&'static str, Option<serde_json::Value>); 4] {
    [("", None), ("{}", Some(serde_json::json!({}))), ("[]", Some(serde_json::json!([]))), (HTML, None)]
}

/// Runs a predicate that can end in "gone" against every such answer.
pub(super) fn inspect(field: &str, predicate: &Expression, problems: &mut Problems) {
    let is_fooled = |status: &u16| {
        bodies()
            .into_iter()
            .any(|(text, json)| predicate.evaluate_bool(&scope(&response(*status, text, json))) == Ok(true))
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

fn response(status: u16, text: &str, json: Option<serde_json::Value>) -> Response {
    let headers = [("content-type".to_owned(), "text/html".to_owned())].into();
    Response { status, headers, json, text: text.to_owned(), body_bytes: text.len(), date: None }
}

fn scope(response: &Response) -> Scope {
    Scope::of_response(response, Timestamp::UNIX_EPOCH).with_customer(&CustomerId::new("1".to_owned()))
}
