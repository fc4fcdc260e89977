//! What `baseUrl` may be: each rule refuses one kind of mistake and is silent where an earlier one speaks.
//!
//! They look at the text, because CEL's own URL functions cost more than a schema may. What a name resolves to is for
//! the operator to check, each time it connects.

use kube::core::Rule;

use super::rules::must;

/// The authority without the port, whatever it is.
const ANY_HOST: &str = "([^/:]*|[[][^]/]*[]]?)";
const NAME: &str = "([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z][a-z0-9-]{0,61}[a-z0-9]";
const OCTET: &str = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
const PORT: &str = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";

pub(super) fn uses_https() -> Rule {
    must("baseUrl", "self.baseUrl.startsWith('https://')", "must use https")
}

pub(super) fn has_no_extras() -> Rule {
    must(
        "baseUrl",
        &format!("!self.baseUrl.startsWith('https://') || {NO_EXTRAS}"),
        "must not contain userinfo, query, fragment, backslash, space or '..'",
    )
}

const NO_EXTRAS: &str = r"(!self.baseUrl.matches(r'[@?#\\\s]') && !self.baseUrl.contains('..'))";

/// A condition on texts that are https and have no extras.
fn then(condition: &str, message: &str) -> Rule {
    let condition = format!("!self.baseUrl.startsWith('https://') || !{NO_EXTRAS} || ({condition})");
    must("baseUrl", &condition, message)
}

pub(super) fn has_a_host() -> Rule {
    then(
        &format!(
            "self.baseUrl.matches('^https://({NAME}|{OCTET}([.]{OCTET}){{3}})(:|/|$)') \
             || (self.baseUrl.matches('^https://[[][0-9a-f:.]+[]](:|/|$)') && isIP(self.baseUrl.substring(9, self.baseUrl.indexOf(']'))))"
        ),
        "host must be a lower-case ASCII DNS name with at least one dot and no trailing dot, or an IP address covered by `allowedCIDRs`",
    )
}

pub(super) fn has_a_public_name() -> Rule {
    then(
        "!self.baseUrl.matches('^https://[^/:]*[.](svc|local|localhost|internal)(:|/|$)')",
        "host must not end in .svc, .local, .localhost or .internal",
    )
}

pub(super) fn has_a_port_that_exists() -> Rule {
    then(
        &format!("self.baseUrl.matches('^https://{ANY_HOST}(:{PORT})?(/|$)')"),
        "port must be 1 to 65535; leave it out for 443",
    )
}

pub(super) fn has_a_plain_path() -> Rule {
    then(
        "self.baseUrl.matches('^https://[^/]*(/[.]?[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?$')",
        "path must be segments of letters, digits and `._~-`, such as /api/v2",
    )
}

pub(super) fn is_a_covered_address() -> Rule {
    let is_covered = |address: &str| {
        format!(
            "(has(self.allowedCIDRs) && self.allowedCIDRs.exists(range, isCIDR(range) && cidr(range).containsIP({address})))"
        )
    };
    let v4 = is_covered("self.baseUrl.substring(8).split('/')[0].split(':')[0]");
    let v6 = is_covered("self.baseUrl.substring(9, self.baseUrl.indexOf(']'))");
    then(
        &format!(
            "(!self.baseUrl.matches('^https://{OCTET}([.]{OCTET}){{3}}(:|/|$)') || {v4}) \
             && (!self.baseUrl.matches('^https://[[][0-9a-f:.]+[]](:|/|$)') || !isIP(self.baseUrl.substring(9, self.baseUrl.indexOf(']'))) || {v6})"
        ),
        "an IP address is accepted only where `allowedCIDRs` covers it",
    )
}
