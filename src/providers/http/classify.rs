//! What an answer means: the operation's rules, the profile's, then the built-in table. Nothing unknown is a success.

use std::time::Duration;

use jiff::Timestamp;

use super::retry_after::{LONGEST_WAIT, retry_after};
use crate::{
    api::AnswerWord,
    domain::{Cause, CauseWord, Class, Failure, Outcome},
    providers::{
        Response,
        expression::{Expression, Scalar, Scope},
    },
};

/// What one HTTP exchange classified to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The provider did what it was asked.
    Succeeded,
    /// It will, or so it says.
    Pending,
    /// It did a part.
    Partial,
    /// No usable answer, or a refusal.
    Failed(Failure),
}

/// What kind of request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A look, a check, the control request, the account probe.
    Read,
    /// The destructive call.
    Destructive,
}

/// One rule, compiled.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) statuses: Vec<u16>,
    pub(crate) when: Option<Expression>,
    pub(crate) class: AnswerWord,
    pub(crate) reason: Option<CauseWord>,
    pub(crate) retry_after: Option<Expression>,
}

/// Everything that an answer is classified by.
pub(crate) struct Reading<'a> {
    pub(crate) asked: Asked,
    /// The operation's rules, then the profile's.
    pub(crate) rules: [&'a [Rule]; 2],
    /// The provider's own error format.
    pub(crate) envelope: &'a Expression,
    pub(crate) response: &'a Response,
    pub(crate) scope: &'a Scope,
    pub(crate) now: Timestamp,
}

/// Classifies one answer.
///
/// Shape: total over status and body. Errors: never fails; an expression that does counts as "no match".
/// Source: RFC 9110 section 15; Juicyway "Delete customer": 204, 403, 404, 409; Revolv3 "Delete customer": 200, 401, 404 (204 is a
/// success, too: its error page lists it). Neither documents 202, 412, 423 or 451.
pub(crate) fn classify(reading: &Reading<'_>) -> Answer {
    if is_untrusted(reading.response) {
        return failed(Class::Indeterminate, Cause::UntrustedResponse);
    }
    let rule = reading.rules.iter().copied().flatten().find(|rule| rule.matches(reading));
    match rule {
        Some(rule) => by_rule(rule, reading),
        None => by_table(reading),
    }
}

/// A success whose body is neither empty nor acceptable JSON: a login page, a proxy's page, a broken answer.
fn is_untrusted(response: &Response) -> bool {
    is_success(response.status) && response.body_bytes > 0 && response.json.is_none()
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

impl Rule {
    fn matches(&self, reading: &Reading<'_>) -> bool {
        self.statuses.contains(&reading.response.status)
            && self.when.as_ref().is_none_or(|when| when.evaluate_bool(reading.scope) == Ok(true))
    }
}

fn by_rule(rule: &Rule, reading: &Reading<'_>) -> Answer {
    let cause = |ours: Cause| rule.reason.clone().unwrap_or(CauseWord::Ours(ours));
    let failed = |class, ours| Answer::Failed(Failure::new(class, cause(ours)));
    // Loading refuses these for anything but 2xx; this is the second lock.
    let is_success = is_success(reading.response.status);
    match rule.class {
        AnswerWord::Succeeded if is_success => Answer::Succeeded,
        AnswerWord::Pending if is_success => Answer::Pending,
        AnswerWord::Partial if is_success => Answer::Partial,
        AnswerWord::Succeeded | AnswerWord::Pending | AnswerWord::Partial | AnswerWord::Indeterminate => {
            failed(Class::Indeterminate, Cause::UnexpectedStatus)
        }
        AnswerWord::Transient => failed(Class::Transient, transient_cause(reading.asked)),
        AnswerWord::RateLimited => {
            let pause = rule.retry_after.as_ref().and_then(|seconds| pause(seconds, reading.scope));
            rate_limited(cause(Cause::RateLimited), pause, reading)
        }
        AnswerWord::Auth => failed(Class::Auth, Cause::Unauthorized),
        AnswerWord::Forbidden => failed(Class::Forbidden, Cause::AccessDenied),
        AnswerWord::Conflict => failed(Class::Conflict, conflict_cause(reading.asked)),
        AnswerWord::NotFound => not_found(cause(Cause::NotFound), reading),
        AnswerWord::Invalid => failed(Class::Invalid, Cause::RequestRefused),
    }
}

/// The built-in answers, by status.
///
/// Redirects are never followed. 301, 307 and 308 say that the request was not done here and belongs elsewhere: a deletion is
/// rejected. 303 points to a page that tells what became of a request, as a form does once it is done, and 302 is widely used for
/// the same: after either, nobody knows. Where a provider means something else, such as a login page, a rule says so.
/// Source: RFC 9110 section 15.4.
fn by_table(reading: &Reading<'_>) -> Answer {
    match reading.response.status {
        200 | 201 | 203 | 204 => Answer::Succeeded,
        202 => Answer::Pending,
        401 | 407 => failed(Class::Auth, Cause::Unauthorized),
        403 | 451 => failed(Class::Forbidden, Cause::AccessDenied),
        404 | 410 => not_found(Cause::NotFound.into(), reading),
        412 => failed(Class::Conflict, Cause::CustomerChanged),
        409 | 423 | 424 => failed(Class::Conflict, conflict_cause(reading.asked)),
        429 => rate_limited(Cause::RateLimited.into(), None, reading),
        408 | 425 | 500..=599 => failed(Class::Transient, transient_cause(reading.asked)),
        302 | 303 if reading.asked == Asked::Destructive => {
            failed(Class::Indeterminate, Cause::UnexpectedRedirect)
        }
        300..=399 => failed(Class::Invalid, Cause::UnexpectedRedirect),
        400..=499 => failed(Class::Invalid, Cause::RequestRefused),
        _ => failed(Class::Indeterminate, Cause::UnexpectedStatus),
    }
}

/// What a status means by itself, to whoever knows nothing of the profile; `None` is a success.
#[must_use]
pub fn class_of_status(status: u16) -> Option<Class> {
    match status {
        200..=299 => None,
        401 | 407 => Some(Class::Auth),
        403 | 451 => Some(Class::Forbidden),
        404 | 410 => Some(Class::NotFound),
        409 | 412 | 423 | 424 => Some(Class::Conflict),
        429 => Some(Class::RateLimited),
        408 | 425 | 500..=599 => Some(Class::Transient),
        300..=499 => Some(Class::Invalid),
        _ => Some(Class::Indeterminate),
    }
}

fn failed(class: Class, cause: Cause) -> Answer {
    Answer::Failed(Failure::new(class, cause))
}

/// A bare 404 proves nothing: without the provider's own error format it is no answer of the provider.
fn not_found(cause: CauseWord, reading: &Reading<'_>) -> Answer {
    if reading.envelope.evaluate_bool(reading.scope) == Ok(true) {
        Answer::Failed(Failure::new(Class::NotFound, cause))
    } else {
        failed(Class::Indeterminate, Cause::UntrustedResponse)
    }
}

fn transient_cause(asked: Asked) -> Cause {
    match asked {
        Asked::Read => Cause::ServerError,
        Asked::Destructive => Cause::OutcomeUnknown,
    }
}

fn conflict_cause(asked: Asked) -> Cause {
    match asked {
        Asked::Read => Cause::RequestRefused,
        Asked::Destructive => Cause::DeletionConflict,
    }
}

fn rate_limited(cause: CauseWord, by_rule: Option<Duration>, reading: &Reading<'_>) -> Answer {
    let asked_for = by_rule.or_else(|| retry_after(reading.response, reading.now));
    let retry_after = asked_for.filter(|pause| !pause.is_zero()).map(|pause| pause.min(LONGEST_WAIT));
    Answer::Failed(Failure { class: Class::RateLimited, cause, retry_after })
}

/// Seconds to wait, as an expression gave them; nothing where they are negative, zero or no number.
fn pause(seconds: &Expression, scope: &Scope) -> Option<Duration> {
    let pause = match seconds.evaluate_scalar(scope).ok()? {
        Scalar::Whole(whole) => Duration::from_secs(u64::try_from(whole).ok()?),
        Scalar::Number(number) if number > 0.0 => Duration::try_from_secs_f64(number).unwrap_or(LONGEST_WAIT),
        Scalar::Text(text) => Duration::from_secs(text.trim().parse().ok()?),
        Scalar::Number(_) | Scalar::Truth(_) | Scalar::Null => return None,
    };
    (!pause.is_zero()).then_some(pause)
}

/// What is known of a destructive call, given its answer.
///
/// Shape: total; what no row names is `Unknown`, never `Accepted`. `rejects_429` says whether the provider documents that a 429 is
/// answered before anything is done: that is about this status, and not about what a rule calls a rate limit under another one.
/// `Partial` is `Accepted`, because that is never sent again; profiles that could give it are refused until there is a result for it.
#[must_use]
pub fn outcome_of(answer: Answer, status: u16, rejects_429: bool) -> Outcome {
    let failure = match answer {
        Answer::Succeeded | Answer::Pending | Answer::Partial => return Outcome::Accepted,
        Answer::Failed(failure) => failure,
    };
    match failure.class {
        Class::Auth | Class::Conflict | Class::Invalid => Outcome::Rejected(failure),
        Class::Forbidden => Outcome::Rejected(named(failure, Cause::AccessDenied, Cause::DeletionRestricted)),
        Class::RateLimited if rejects_429 && status == 429 => Outcome::Rejected(failure),
        Class::NotFound => Outcome::Unknown(named(failure, Cause::NotFound, Cause::AlreadyGone)),
        Class::RateLimited | Class::Transient | Class::Indeterminate => Outcome::Unknown(failure),
    }
}

/// Says what a built-in cause means for a deletion; a reason of the profile stays.
fn named(failure: Failure, general: Cause, here: Cause) -> Failure {
    let cause = if failure.cause == CauseWord::Ours(general) { here.into() } else { failure.cause };
    Failure { cause, ..failure }
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
