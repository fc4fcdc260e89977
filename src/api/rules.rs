//! What the API server refuses, in words that say what to write instead.
//!
//! A rule about a text stands on the object around it and points at the field: a rule on the text itself would make the
//! server repeat the value in its answer and in the audit log, and people write ids and tokens into the wrong field.

use kube::core::{Reason, Rule};

use super::values::SPAN_PATTERN;

/// The field stays as it was created; for fields that are always there.
pub(super) fn immutable(field: &str) -> Rule {
    Rule::new(format!("self.{field} == oldSelf.{field}"))
        .message("is immutable; create a new CustomerOffboarding instead")
        .reason(Reason::FieldValueForbidden)
        .field_path(format!(".{field}"))
}

/// The form that also holds where the field is left out on one side: it cannot be dropped and added again.
pub(super) fn immutable_optional(field: &str) -> Rule {
    Rule::new(format!(
        "has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
    ))
    .message("is immutable; create a new CustomerOffboarding instead")
    .reason(Reason::FieldValueForbidden)
    .field_path(format!(".{field}"))
}

/// The text of the field, where there is one, matches; the pattern is anchored by its writer.
pub(super) fn text(field: &str, pattern: &str, message: &str) -> Rule {
    let name = in_cel(field);
    must(field, &format!("!has(self.{name}) || self.{name}.matches(r'{pattern}')"), message)
}

/// What a rule calls a field: the server's CEL keeps some words for itself, and has another name for a field that is one of them.
pub(super) fn in_cel(field: &str) -> String {
    if matches!(field, "for" | "namespace") { format!("__{field}__") } else { field.to_owned() }
}

/// The condition holds; the answer points at the field.
pub(super) fn must(field: &str, condition: &str, message: &str) -> Rule {
    Rule::new(condition).message(message).field_path(format!(".{field}"))
}

/// Name of a target, check, step or profile.
pub(super) fn dns_label(field: &str) -> Rule {
    text(
        field,
        DNS_LABEL,
        "must be lower-case letters, digits and `-`, from a letter or digit to a letter or digit",
    )
}

/// What [`dns_label`] accepts.
pub(super) const DNS_LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// Name of an object in the cluster.
pub(super) fn object_name(field: &str) -> Rule {
    text(
        field,
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "must be the name of an object: lower-case letters, digits, `-` and `.`",
    )
}

/// Name of a header that a profile may set.
pub(super) fn header_name(field: &str) -> Rule {
    let condition = format!(
        "!has(self.{field}) || (self.{field}.matches('^[A-Za-z0-9_-]+$') && !self.{field}.matches('{RESERVED_HEADERS}'))"
    );
    must(field, &condition, "must be the name of a header, and not one that HTTP itself needs, such as Host")
}

/// Headers that a profile sets for whole requests: credentials have a place of their own.
pub(super) fn headers() -> Rule {
    Rule::new(format!(
        "self.all(name, name.matches('^[A-Za-z0-9_-]+$') && !name.matches('{RESERVED_HEADERS}') \
         && !name.matches('(?i)^(authorization|cookie)$') && self[name].matches('^[ -~]*$'))"
    ))
    .message("must be names of headers with values of printable ASCII; Host, Authorization, Cookie, Content-Length, Transfer-Encoding, Connection and Proxy-* are reserved")
}

const RESERVED_HEADERS: &str = "(?i)^(host|content-length|transfer-encoding|connection|proxy-.*)$";

/// The keys of a map can be used as names in expressions and templates.
pub(super) fn names() -> Rule {
    Rule::new("self.all(name, name.matches('^[A-Za-z][A-Za-z0-9_-]{0,62}$'))")
        .message("names must start with a letter and contain only letters, digits, `_` and `-`")
}

/// A length of time within both bounds, for a field that is one.
pub(super) fn between(least: &str, most: &str) -> Rule {
    Rule::new(format!(
        "self.matches('{SPAN_PATTERN}') && duration(self) >= duration('{least}') && duration(self) <= duration('{most}')"
    ))
    .message(format!("must be a length of time from {least} to {most}, written like 30s, 15m or 1h30m").as_str())
}

/// One span is not shorter than another; says nothing where one of them is no span, because [`between`] does.
pub(super) fn not_shorter(field: &str, than: &str) -> Rule {
    let condition = format!(
        "!self.{field}.matches('{SPAN_PATTERN}') || !self.{than}.matches('{SPAN_PATTERN}') || duration(self.{field}) >= duration(self.{than})"
    );
    must(field, &condition, &format!("must not be shorter than `{than}`"))
}

/// Where somebody must agree, the wait after it ends while an approval can still hold.
pub(super) fn cools_off_within_an_approval() -> Rule {
    let is_no_span = |field: &str| format!("!self.{field}.matches('{SPAN_PATTERN}')");
    let (wait, validity) = ("coolingOff", "approvals.maxValidity");
    let condition = format!(
        "self.approvals.required == 0 || {} || {} || duration(self.{wait}) < duration(self.{validity})",
        is_no_span(wait),
        is_no_span(validity)
    );
    must(
        wait,
        &condition,
        &format!("must be shorter than `{validity}`: no approval would hold until the deletion may be sent"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_asks_for_can_be_written_on_one_line() {
        for rule in [
            headers(),
            names(),
            dns_label("name"),
            between("1s", "1h"),
            immutable_optional("request"),
            cools_off_within_an_approval(),
        ] {
            assert!(!rule.rule.contains('\n'), "{}", rule.rule);
        }
    }
}
