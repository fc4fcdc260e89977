//! How a look's answer is read. Everything that is not proven is `Unknown`; a false "gone" is the worst mistake there is.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;

use super::{
    Captured, CustomerId, Response,
    expression::{Expression, ExpressionFailed, Scalar, Scope},
    http::classify::{Answer, Asked, Reading, classify},
    profile::{LoadedProfile, Presence},
};
use crate::domain::{Cause, Class, Failure, LookWord};

/// A look's verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There and active.
    Present,
    /// There and deactivated.
    Inactive,
    /// The provider shows a tombstone.
    Tombstoned,
    /// The provider says, in its own format, that there is no such customer. Counts only with a good control request.
    Absent,
    /// We could not look. Nothing follows from it.
    Unknown(Failure),
}

impl Verdict {
    fn word(&self) -> LookWord {
        match self {
            Verdict::Present => LookWord::Present,
            Verdict::Inactive => LookWord::Inactive,
            Verdict::Tombstoned => LookWord::Tombstoned,
            Verdict::Absent => LookWord::Absent,
            Verdict::Unknown(_) => LookWord::Indeterminate,
        }
    }
}

/// What one look saw. Prints the verdict and no contents.
#[derive(Clone, PartialEq)]
pub struct Sighting {
    /// The verdict.
    pub verdict: Verdict,
    /// The customer's id and the profile's fingerprint values, as canonical JSON: two identities are equal exactly where all
    /// values are. Personal data: to be hashed with a key at once. Only for Present, Inactive and Tombstoned.
    pub identity: Option<Vec<u8>>,
    /// When the provider created the customer, where it says so in RFC 3339.
    pub created_at: Option<Timestamp>,
    /// The provider's own clock at this look.
    pub answered_at: Option<Timestamp>,
    /// Values for later requests of the same pass.
    pub captured: Captured,
}

impl fmt::Debug for Sighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sighting").field("verdict", &self.verdict).finish_non_exhaustive()
    }
}

impl Sighting {
    /// We could not look.
    pub(crate) fn unknown(failure: Failure) -> Self {
        Self {
            verdict: Verdict::Unknown(failure),
            identity: None,
            created_at: None,
            answered_at: None,
            captured: Captured::nothing(),
        }
    }
}

/// Reads the answer to a look at this customer.
///
/// Never fails: what cannot be read is `Unknown`.
pub(crate) fn read_look(
    profile: &LoadedProfile,
    response: &Response,
    id: &CustomerId,
    now: Timestamp,
) -> Sighting {
    let presence = &profile.presence;
    let scope = Scope::of_response(response, now).with_customer(id);
    let answer = classify(&Reading {
        asked: Asked::Read,
        rules: [&presence.operation.rules, &profile.rules],
        envelope: &profile.envelope,
        response,
        scope: &scope,
        now,
    });
    let sighting = match answer {
        Answer::Succeeded => of_verdict(presence, response, &scope, id),
        Answer::Failed(failure) if failure.class == Class::NotFound => {
            of_verdict(presence, response, &scope, id)
        }
        Answer::Failed(failure) => Err(failure),
        Answer::Pending | Answer::Partial => Err(Failure::new(Class::Indeterminate, Cause::Pending)),
    };
    Sighting { answered_at: response.date, ..sighting.unwrap_or_else(Sighting::unknown) }
}

fn of_verdict(
    presence: &Presence,
    response: &Response,
    scope: &Scope,
    id: &CustomerId,
) -> Result<Sighting, Failure> {
    let verdict = verdict(presence, scope)?;
    if verdict == Verdict::Absent {
        let captured = Captured::of_look(BTreeMap::new(), LookWord::Absent, response.status);
        return Ok(Sighting { verdict, identity: None, created_at: None, answered_at: None, captured });
    }
    require_same_id(&presence.id, scope, id)?;
    let identity = identity(&presence.fingerprint, scope, id)?;
    let captured = Captured::of_look(capture(&presence.capture, scope), verdict.word(), response.status);
    let created_at = presence.created_at.as_ref().and_then(|expression| created_at(expression, scope));
    Ok(Sighting { verdict, identity: Some(identity), created_at, answered_at: None, captured })
}

/// The first true of tombstoned, inactive, present and absent. "Absent" beside another one is a contradiction.
fn verdict(presence: &Presence, scope: &Scope) -> Result<Verdict, Failure> {
    let holds = |predicate: &Expression| predicate.evaluate_bool(scope) == Ok(true);
    let seen = [
        (Verdict::Tombstoned, holds(&presence.tombstoned)),
        (Verdict::Inactive, holds(&presence.inactive)),
        (Verdict::Present, holds(&presence.present)),
    ];
    let there = seen.into_iter().find(|(_, holds)| *holds).map(|(verdict, _)| verdict);
    match (there, holds(&presence.absent)) {
        (Some(verdict), false) => Ok(verdict),
        (None, true) => Ok(Verdict::Absent),
        (Some(_), true) | (None, false) => Err(untrusted()),
    }
}

fn untrusted() -> Failure {
    Failure::new(Class::Indeterminate, Cause::UntrustedResponse)
}

/// The answer must be about this customer: merged profiles and wrong routes answer with another one.
fn require_same_id(expression: &Expression, scope: &Scope, id: &CustomerId) -> Result<(), Failure> {
    let found = match expression.evaluate_scalar(scope) {
        Ok(Scalar::Text(text)) => text,
        Ok(Scalar::Whole(whole)) => whole.to_string(),
        Ok(Scalar::Number(_) | Scalar::Truth(_) | Scalar::Null) | Err(_) => return Err(untrusted()),
    };
    if found == id.expose() { Ok(()) } else { Err(Failure::new(Class::Invalid, Cause::OtherCustomer)) }
}

/// From here on, different whole numbers become the same float.
const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;

/// The id and the fingerprint values as a JSON array; a missing key is null.
fn identity(fingerprint: &[Expression], scope: &Scope, id: &CustomerId) -> Result<Vec<u8>, Failure> {
    let mut values = vec![serde_json::Value::from(id.expose())];
    for expression in fingerprint {
        values.push(match expression.evaluate_scalar(scope) {
            Ok(Scalar::Text(text)) => text.into(),
            Ok(Scalar::Whole(whole)) => whole.into(),
            Ok(Scalar::Number(number)) if number.abs() < EXACT_BELOW => number.into(),
            Ok(Scalar::Truth(truth)) => truth.into(),
            Ok(Scalar::Null) | Err(ExpressionFailed::LastKeyMissing | ExpressionFailed::KeyMissing) => {
                serde_json::Value::Null
            }
            Ok(Scalar::Number(_)) | Err(ExpressionFailed::WrongType | ExpressionFailed::Failed) => {
                return Err(expression_failed());
            }
        });
    }
    serde_json::to_vec(&values).map_err(|_| expression_failed())
}

/// An expression gave nothing that can be used.
pub(crate) fn expression_failed() -> Failure {
    Failure::new(Class::Indeterminate, Cause::ExpressionFailed)
}

/// How long a captured text may be, in bytes: expressions go through it in each round of a loop.
const LONGEST_CAPTURED: usize = 512;

/// The values that later requests may use; a value that is not there, is too long, or is no text, whole number or truth value, is
/// left out.
fn capture(expressions: &[(String, Expression)], scope: &Scope) -> BTreeMap<String, Scalar> {
    let value = |expression: &Expression| match expression.evaluate_scalar(scope) {
        Ok(Scalar::Null | Scalar::Number(_)) | Err(_) => None,
        Ok(Scalar::Text(text)) if text.len() > LONGEST_CAPTURED => None,
        Ok(value) => Some(value),
    };
    expressions.iter().filter_map(|(name, expression)| Some((name.clone(), value(expression)?))).collect()
}

fn created_at(expression: &Expression, scope: &Scope) -> Option<Timestamp> {
    match expression.evaluate_scalar(scope) {
        Ok(Scalar::Text(text)) => text.parse().ok(),
        Ok(Scalar::Whole(_) | Scalar::Number(_) | Scalar::Truth(_) | Scalar::Null) | Err(_) => None,
    }
}

#[cfg(test)]
#[path = "look_tests.rs"]
mod tests;
