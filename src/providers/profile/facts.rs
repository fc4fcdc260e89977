//! The plain facts of a profile: the id rule, times, names, and what it declares to the decision.

use super::{IdRule, Problems};
use crate::{
    api::{self, Mode, Span, WhenPresent},
    domain::Declared,
    providers::expression::whole_text,
};

/// The longest promise about time: the settle window of every unknown outcome contains both.
const MAX_PROMISE: &str = "168h";

/// The longest time between two looks.
const MAX_INTERVAL: &str = "24h";

/// The longest time that a verification waits: the slowest known deletion takes up to 90 days.
const MAX_DEADLINE: &str = "2160h";

/// The longest time that a provider is said to keep something.
const MAX_RETENTION: &str = "99999h";

/// Checks names, times and limits.
pub(super) fn inspect(source: &api::Profile, problems: &mut Problems) {
    if !is_dns_label(&source.name) {
        problems.add("name", "must be a DNS label: lower-case letters, digits and `-`");
    }
    inspect_times(source, problems);
    inspect_limits(source, problems);
    for (field, texts) in [("effects", &source.effects), ("retains", &source.retains)] {
        if texts.iter().any(|text| text.trim().is_empty()) {
            problems.add(field, "must not contain an empty text");
        }
    }
    // A hard deletion that still shows the customer has failed: nothing may explain that away.
    let is_hard = source.delete.iter().any(|step| step.phase == Mode::Hard);
    if is_hard && source.verify.when_present == WhenPresent::NotObservable {
        problems.add("verify.whenPresent", "`NotObservable` belongs to a deletion with `phase: Soft`");
    }
    let step = source.erasure.manual_step.as_ref();
    if step.and_then(|step| step.url.as_ref()).is_some_and(|url| !url.starts_with("https://")) {
        problems.add("erasure.manualStep.url", "must start with https://");
    }
}

fn inspect_times(source: &api::Profile, problems: &mut Problems) {
    let verify = &source.verify.default;
    for (field, span, max) in [
        ("guarantees.consistencyLag", Some(source.guarantees.consistency_lag), MAX_PROMISE),
        ("guarantees.maxRequestLifetime", Some(source.guarantees.max_request_lifetime), MAX_PROMISE),
        ("verify.default.interval", Some(verify.interval), MAX_INTERVAL),
        ("verify.default.deadline", Some(verify.deadline), MAX_DEADLINE),
        ("erasure.backupRetention", source.erasure.backup_retention, MAX_RETENTION),
        ("erasure.reversibleFor", source.erasure.reversible_for, MAX_RETENTION),
    ] {
        let is_within = |span: Span| !span.0.is_zero() && max.parse().is_ok_and(|max| span <= max);
        if span.is_some_and(|span| !is_within(span)) {
            problems.add(field, format!("must be more than 0s and at most {max}"));
        }
    }
    if verify.deadline < verify.interval {
        problems.add("verify.default.deadline", "must be at least `verify.default.interval`");
    }
    if !(1..=10).contains(&verify.confirmations) {
        problems.add("verify.default.confirmations", "must be 1 to 10");
    }
}

fn inspect_limits(source: &api::Profile, problems: &mut Problems) {
    let limits = [("limits.default", Some(source.limits.default)), ("limits.max", source.limits.max)];
    for (field, limits) in limits {
        let Some(limits) = limits else { continue };
        if [limits.requests_per_minute, limits.burst, limits.max_in_flight].iter().any(|limit| *limit < 1) {
            problems.add(field, "every limit must be greater than 0");
        }
    }
}

/// The rule for customer ids.
pub(super) fn id_rule(source: &api::CustomerIdRule, problems: &mut Problems) -> Option<IdRule> {
    if let Some(range) = source.integer
        && range.min > range.max
    {
        problems.add("customerId.integer", "`min` must not be more than `max`");
    }
    let pattern = problems.take("customerId.pattern", whole_text(&source.pattern))?;
    Some(IdRule { pattern, integer: source.integer })
}

/// Whether a name may stand in a hash, a condition or a path of fields.
pub(super) fn is_dns_label(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= 63
        && name.bytes().all(|byte| is_plain(byte) || byte == b'-')
        && name.bytes().next().is_some_and(is_plain)
        && name.bytes().last().is_some_and(is_plain)
}

/// What the profile declares, for the decision; `None` without a destructive step.
pub(super) fn declared(source: &api::Profile, profile_hash: String) -> Option<Declared> {
    let step = source.delete.first()?;
    let request = &step.operation.request;
    Some(Declared {
        profile_hash,
        step: step.name.clone(),
        operation: format!("{:?} {}", request.method, request.path),
        supports: step.phase,
        finality: source.finality,
        effects: source.effects.clone(),
        retains: source.retains.clone(),
        erasure: source.erasure.scope,
        backup_retention: source.erasure.backup_retention.map(|span| span.0),
        manual_step: source.erasure.manual_step.clone(),
        consistency_lag: source.guarantees.consistency_lag.0,
        max_request_lifetime: source.guarantees.max_request_lifetime.0,
        id_reuse: source.guarantees.id_reuse,
        conditional_delete: source.guarantees.conditional_delete,
        rejects_429_before_execution: source.guarantees.rejects_429_before_execution,
        when_present: source.verify.when_present,
    })
}
