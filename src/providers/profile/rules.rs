//! Classification rules: which status may become what.

use super::Problems;
use crate::{
    api::{AnswerWord, ClassifyRule},
    domain::CauseWord,
    providers::{expression::Known, http::classify::Rule},
};

/// Compiles rules, leaving out those that do not compile.
pub(super) fn rules(
    field: &str,
    source: &[ClassifyRule],
    known: Known<'_>,
    problems: &mut Problems,
) -> Vec<Rule> {
    let each = source.iter().enumerate();
    each.filter_map(|(at, source)| rule(&format!("{field}[{at}]"), source, known, problems)).collect()
}

fn rule(field: &str, source: &ClassifyRule, known: Known<'_>, problems: &mut Problems) -> Option<Rule> {
    inspect(field, source, problems);
    let when = problems.optional_expression(&format!("{field}.when"), source.when.as_deref(), known);
    let retry_after =
        problems.optional_expression(&format!("{field}.retryAfter"), source.retry_after.as_deref(), known);
    let statuses = source.status.iter().filter_map(|status| u16::try_from(*status).ok()).collect();
    let reason: Option<CauseWord> = source.reason.as_ref().and_then(|reason| reason.parse().ok());
    Some(Rule { statuses, when: when?, class: source.class, reason, retry_after: retry_after? })
}

fn inspect(field: &str, source: &ClassifyRule, problems: &mut Problems) {
    if source.status.is_empty() || source.status.iter().any(|status| !(100..=599).contains(status)) {
        problems.add(format!("{field}.status"), "must name at least one status, each from 100 to 599");
    }
    let is_success = |status: &i32| (200..300).contains(status);
    match source.class {
        AnswerWord::Succeeded | AnswerWord::Pending | AnswerWord::Partial
            if !source.status.iter().all(is_success) =>
        {
            problems.add(format!("{field}.status"), "success must be within 200-299");
        }
        AnswerWord::Partial => {
            problems.add(format!("{field}.as"), "`Partial` needs a result that is not built yet");
        }
        AnswerWord::NotFound => inspect_not_found(field, source, problems),
        AnswerWord::Succeeded
        | AnswerWord::Pending
        | AnswerWord::Transient
        | AnswerWord::RateLimited
        | AnswerWord::Auth
        | AnswerWord::Forbidden
        | AnswerWord::Conflict
        | AnswerWord::Invalid
        | AnswerWord::Indeterminate => {}
    }
    if source.retry_after.is_some() && source.class != AnswerWord::RateLimited {
        problems.add(format!("{field}.retryAfter"), "belongs to `as: RateLimited`");
    }
    if source.reason.as_ref().is_some_and(|reason| !is_word(reason)) {
        problems.add(format!("{field}.reason"), "must be one word in PascalCase, at most 64 characters");
    }
}

/// "Not found" is half of a proof of absence: a refusal, a redirect or a broken server must never become one.
fn inspect_not_found(field: &str, source: &ClassifyRule, problems: &mut Problems) {
    let never = |status: &&i32| matches!(**status, 100..=199 | 300..=399 | 401 | 403 | 407 | 408 | 425 | 429 | 451 | 500..=599);
    if let Some(status) = source.status.iter().find(never) {
        problems.add(format!("{field}.status"), format!("{status} must not become `NotFound`"));
    }
    if source.when.is_none() && source.status.iter().any(|status| (200..300).contains(status)) {
        problems.add(format!("{field}.when"), "a success becomes `NotFound` only by its body");
    }
}

fn is_word(reason: &str) -> bool {
    reason.len() <= 64
        && reason.starts_with(|first: char| first.is_ascii_uppercase())
        && reason.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
