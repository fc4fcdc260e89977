//! How the answer to the destructive call is read, and what is kept of it.

use std::collections::BTreeMap;

use super::{
    Response,
    checks::About,
    expression::{Expression, Scalar, Scope},
    http::classify::{Asked, Reading, classify, outcome_of},
    profile::LoadedProfile,
};
use crate::domain::Outcome;

/// The outcome, and what the profile keeps.
///
/// Never fails: what cannot be read is `Unknown`, and a value that cannot be kept is left out.
pub(crate) fn read_answer(
    profile: &LoadedProfile,
    response: &Response,
    about: &About,
) -> (Outcome, BTreeMap<String, String>) {
    let step = &profile.step;
    let scope = about.scope(response);
    let answer = classify(&Reading {
        asked: Asked::Destructive,
        rules: [&step.operation.rules, &profile.rules],
        envelope: &profile.envelope,
        response,
        scope: &scope,
        now: about.now,
    });
    let outcome = outcome_of(answer, response.status, profile.declared().rejects_429_before_execution);
    let keep = match outcome {
        Outcome::Accepted => kept(&step.keep, &scope, about),
        Outcome::NotSent(_) | Outcome::Unknown(_) | Outcome::Rejected(_) => BTreeMap::new(),
    };
    (outcome, keep)
}

/// What the profile keeps of an answer; a value that does not fit the record is left out.
fn kept(keep: &[(String, Expression)], scope: &Scope, about: &About) -> BTreeMap<String, String> {
    let value = |expression: &Expression| {
        let text = match expression.evaluate_scalar(scope) {
            Ok(Scalar::Text(text)) if is_keepable(&text) => text,
            Ok(Scalar::Whole(whole)) => whole.to_string(),
            Ok(Scalar::Truth(truth)) => return Some(truth.to_string()),
            Ok(Scalar::Text(_) | Scalar::Number(_) | Scalar::Null) | Err(_) => return None,
        };
        (!names_the_customer(&text, about)).then_some(text)
    };
    keep.iter().filter_map(|(name, expression)| Some((name.clone(), value(expression)?))).collect()
}

fn is_keepable(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-'))
}

/// The provider's request id, for its support; dropped where it does not look like one, or names the customer.
pub(crate) fn request_id(response: &Response, about: &About) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let fits = |id: &&String| {
        (1..=64).contains(&id.len()) && id.bytes().all(is_plain) && !names_the_customer(id, about)
    };
    ["x-request-id", "request-id"].iter().find_map(|name| response.headers.get(*name).filter(fits)).cloned()
}

/// From this length on, a customer's value counts wherever it occurs; a shorter one is part of most texts.
const TELLING: usize = 6;

/// Whether a text of the provider repeats the customer's id, or what the look captured: then it is kept nowhere.
fn names_the_customer(text: &str, about: &About) -> bool {
    let text = text.to_lowercase();
    let occurs = |value: &str| {
        let value = value.to_lowercase();
        text == value || (value.len() >= TELLING && text.contains(&value))
    };
    let mut captured = about.captured.vars().filter_map(|(name, _)| about.captured.as_text(name));
    occurs(about.id.expose()) || captured.any(|value| occurs(&value))
}
