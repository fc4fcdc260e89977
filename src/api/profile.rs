//! A provider as data: what to ask, how to read the answers, what a deletion there means.
//!
//! The same shape is compiled in for the built-in providers and accepted as `customProfile`. Whether the expressions and
//! templates in it make sense is checked when a profile is loaded (`providers::profile`), not by the schema.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AccountProbe, Check, ClassifyRule, Control, DeleteStep, HeaderValueTemplate, Presence, Span, rules,
};

/// How to look a customer up at one provider, check for blockers, delete, and verify.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::dns_label("name"))]
pub struct Profile {
    /// A DNS label that names the provider, for example `juicyway`.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Addresses of the pages that the facts below come from. Not part of the profile hash.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 256)))]
    pub docs: Vec<String>,
    /// What a customer id at this provider looks like. An id that does not fit is refused before any call.
    #[serde(default)]
    pub customer_id: CustomerIdRule,
    /// Where the credentials go in a request; all entries apply. Names in braces are names of credentials.
    #[schemars(length(min = 1, max = 8))]
    pub auth: Vec<AuthPlacement>,
    /// Headers of every request, in addition to `Accept: application/json`. Host, Authorization, Cookie, Content-Length,
    /// Transfer-Encoding, Connection and Proxy-* are refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    #[x_kube(validation = rules::headers())]
    pub headers: BTreeMap<String, HeaderValueTemplate>,
    /// A cheap authenticated read that must succeed, with the same base URL and credential, for an absence to count.
    pub control: Control,
    /// CEL: whether a 404 or 410 carries the provider's own error format, for example
    /// `has(response.json.error)`; `response.json != null` by default. A 404 without it proves nothing.
    #[serde(default = "default_envelope")]
    #[schemars(length(min = 1, max = 1024))]
    pub envelope: String,
    /// A read that names the account behind the credential. Checked with the profile, and not asked yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountProbe>,
    /// Rules for every operation, after the operation's own; the first match wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub classify: Vec<ClassifyRule>,
    /// How fast this provider may be called. Not part of the profile hash.
    #[serde(default)]
    pub limits: ProfileLimits,
    /// What the provider promises about ids and time. The defaults are the pessimistic ones.
    #[serde(default)]
    pub guarantees: Guarantees,
    /// What a deletion is here: HardDelete, Redaction, SoftDelete, Archive or DeletionRequested. The upper bound of every
    /// result: the last three are never reported as erasure.
    pub finality: Finality,
    /// What a deletion does, in words for the approver, for example `removes saved payment methods`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 200)))]
    pub effects: Vec<String>,
    /// What the provider keeps nevertheless. Anything here caps the result at `ErasedWithRetention`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 200)))]
    pub retains: Vec<String>,
    /// What happens to personal data.
    pub erasure: Erasure,
    /// How to look at a customer.
    pub presence: Presence,
    /// Checks that must be clear before a deletion; read at planning and again before the intent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub preflight: Vec<Check>,
    /// The destructive call: exactly one step.
    #[schemars(length(min = 1, max = 1))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub delete: Vec<DeleteStep>,
    /// How "gone" is established.
    #[serde(default)]
    pub verify: VerifyRule,
}

fn default_envelope() -> String {
    "response.json != null".to_owned()
}

/// The shape of a customer id.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::must("pattern", "self.pattern.startsWith('^') && self.pattern.endsWith('$')", "must be anchored: start with `^` and end with `$`"))]
pub struct CustomerIdRule {
    /// A regular expression, anchored at both ends; `^[A-Za-z0-9._~:@-]{1,128}$` by default. Empty ids, `.`, `..`, `/`, `%` and control characters are always refused.
    #[serde(default = "default_id_pattern")]
    #[schemars(length(min = 1, max = 256))]
    pub pattern: String,
    /// Set where ids are whole numbers: leading zeros and values outside the range are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integer: Option<IntegerRange>,
}

fn default_id_pattern() -> String {
    "^[A-Za-z0-9._~:@-]{1,128}$".to_owned()
}

impl Default for CustomerIdRule {
    fn default() -> Self {
        Self { pattern: default_id_pattern(), integer: None }
    }
}

/// The smallest and the largest id, both inclusive.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.min <= self.max").message("`min` must not be greater than `max`"))]
pub struct IntegerRange {
    /// Smallest id, for example 1.
    pub min: i64,
    /// Largest id, for example 1000000000.
    pub max: i64,
}

/// Where credentials go: exactly one of `header` with `value`, `query` with `value`, or `basic`.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.header) ? 1 : 0) + (has(self.query) ? 1 : 0) + (has(self.basic) ? 1 : 0) == 1")
    .message("exactly one of `header`, `query` and `basic` must be set"))]
#[x_kube(validation = Rule::new("has(self.basic) != has(self.value)")
    .message("`value` belongs to `header` and `query`, and is required there"))]
#[x_kube(validation = rules::text("value", "[{][A-Za-z][A-Za-z0-9_-]*[}]", "must name a credential in braces, such as `Bearer {token}`: the credential itself belongs into a Secret"))]
#[x_kube(validation = rules::header_name("header"))]
pub struct AuthPlacement {
    /// Name of a header, for example `Authorization`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub header: Option<String>,
    /// Name of a query parameter, for example `api_key`. It is redacted everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub query: Option<String>,
    /// HTTP basic authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicAuth>,
    /// The header's or parameter's value, for example `Bearer {token}`: `{token}` stands for the credential `token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub value: Option<String>,
    /// Left out of the request where the provider object does not configure the credential; `false` by default.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// What the credential looks like in each environment: a wrong one is found without a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<ExpectedCredential>,
}

/// User name and password of HTTP basic authentication; `{key}` stands for the credential `key`.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(r"(self.username + self.password).matches('[{][A-Za-z][A-Za-z0-9_-]*[}]') && (self.password == '' || self.password.matches('[{][A-Za-z][A-Za-z0-9_-]*[}]'))")
    .message("must name a credential in braces, such as `{key}`: the credential itself belongs into a Secret"))]
pub struct BasicAuth {
    /// User name, for example `{key}`.
    #[schemars(length(max = 256))]
    pub username: String,
    /// Password, for example `{secret}`; empty by default.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub password: String,
}

/// Regular expressions on the credential's value, one for each environment.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ExpectedCredential {
    /// In environment `live`, for example `^live_`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub live: Option<String>,
    /// In environment `sandbox`, for example `^test_`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub sandbox: Option<String>,
}

/// Speed limits of a provider.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ProfileLimits {
    /// Used where the provider object says nothing; 60 per minute, burst 2, 1 in flight by default.
    #[serde(default)]
    pub default: Limits,
    /// The most that a provider object may ask for; more is cut to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Limits>,
}

/// How fast a provider object may be called.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Requests per minute, of all kinds, 1 to 60,000.
    #[schemars(range(min = 1, max = 60_000))]
    pub requests_per_minute: i32,
    /// How many may go out at once after a pause, 1 to 1,000.
    #[schemars(range(min = 1, max = 1_000))]
    pub burst: i32,
    /// Requests in flight at the same time, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub max_in_flight: i32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests_per_minute: 60, burst: 2, max_in_flight: 1 }
    }
}

/// What the provider promises.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Guarantees {
    /// Whether an id may be given to another customer later: Never, Possible or Unknown; `Unknown` by default.
    #[serde(default)]
    pub id_reuse: IdReuse,
    /// Whether the provider can be asked to delete only what was seen: None, IfMatch or Version; `None` by default.
    #[serde(default)]
    pub conditional_delete: ConditionalDelete,
    /// After this long, every read shows every earlier write; `1m` by default, at most `168h`.
    #[serde(default = "one_minute")]
    #[x_kube(validation = rules::between("0s", "168h"))]
    pub consistency_lag: Span,
    /// After this long, a request that we gave up on is executed or dead; `1m` by default, at most `168h`.
    #[serde(default = "one_minute")]
    #[x_kube(validation = rules::between("0s", "168h"))]
    pub max_request_lifetime: Span,
    /// Whether a 429 is documented to be answered before anything is done; `false` by default.
    #[serde(default, rename = "rejects429BeforeExecution")]
    pub rejects_429_before_execution: bool,
}

const fn one_minute() -> Span {
    Span::seconds(60)
}

impl Default for Guarantees {
    fn default() -> Self {
        Self {
            id_reuse: IdReuse::Unknown,
            conditional_delete: ConditionalDelete::None,
            consistency_lag: one_minute(),
            max_request_lifetime: one_minute(),
            rejects_429_before_execution: false,
        }
    }
}

/// Whether an id may be given to another customer later.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[schemars(inline)]
pub enum IdReuse {
    Never,
    Possible,
    #[default]
    Unknown,
}

/// Whether a deletion can be made conditional on what was seen.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[schemars(inline)]
pub enum ConditionalDelete {
    #[default]
    None,
    IfMatch,
    Version,
}

/// What a deletion is at a provider.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[schemars(inline)]
pub enum Finality {
    HardDelete,
    Redaction,
    SoftDelete,
    Archive,
    DeletionRequested,
}

/// What a deletion does to personal data.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Erasure {
    /// How much of it is erased: Full, Partial, None or Scheduled.
    pub scope: ErasureScope,
    /// How long backups keep it, for example `720h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::between("1s", "99999h"))]
    pub backup_retention: Option<Span>,
    /// How long the provider can undo the deletion, for example `168h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::between("1s", "99999h"))]
    pub reversible_for: Option<Span>,
    /// What a person must do for the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual_step: Option<ManualStep>,
}

/// How much personal data a deletion erases.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[schemars(inline)]
pub enum ErasureScope {
    Full,
    Partial,
    None,
    Scheduled,
}

/// A step that a person must take.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::text("url", "^https://", "must use https"))]
pub struct ManualStep {
    /// What to do, for example `Open a data-erasure ticket in the portal`.
    #[schemars(length(min = 1, max = 200))]
    pub text: String,
    /// Where to do it, for example `https://portal.revolv3.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub url: Option<String>,
}

/// How "gone" is established.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct VerifyRule {
    /// What it means that an accepted deletion still shows the customer at the deadline: StillPresent (a
    /// failure; the default) or NotObservable (for providers whose soft deletion cannot be seen).
    #[serde(default)]
    pub when_present: WhenPresent,
    /// Used where the provider object says nothing. Not part of the profile hash.
    #[serde(default)]
    pub default: super::Verify,
}

/// What a customer that is still shown after an accepted deletion means.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[schemars(inline)]
pub enum WhenPresent {
    #[default]
    StillPresent,
    NotObservable,
}
