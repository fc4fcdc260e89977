//! `OffboardingProvider`: one account at one provider, with its guard rails.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema, core::Reason as RuleReason};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, FromSecret, Limits, Profile, Span, base_url, rules, words::words};

/// The account and its guard rails. The only place that a URL can come from.
#[expect(clippy::duplicated_attributes, reason = "one line for each column")]
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "offboarding.dev",
    version = "v1alpha1",
    kind = "OffboardingProvider",
    namespaced,
    shortname = "cobp",
    category = "offboarding",
    doc = "One account at one provider: address, credential, profile and guard rails.",
    status = "ProviderStatus",
    derive = "PartialEq",
    printcolumn(name = "Profile", type_ = "string", json_path = ".spec.profile"),
    printcolumn(name = "Account", type_ = "string", json_path = ".spec.account"),
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environment"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.profile) != has(self.customProfile)")
    .message("exactly one of `profile` and `customProfile` must be set"))]
#[x_kube(validation = Rule::new("self.account == oldSelf.account").reason(RuleReason::FieldValueForbidden)
    .message("is immutable: locks and budgets hang on it; create another provider object instead").field_path(".account"))]
#[x_kube(validation = rules::text("account", "^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?$",
    "must be letters, digits, `-`, `.` and `_`, from a letter or digit to a letter or digit"))]
#[x_kube(validation = rules::text("profile", rules::DNS_LABEL, "must be the name of a built-in profile, such as revolv3"))]
#[x_kube(validation = rules::cools_off_within_an_approval())]
#[x_kube(validation = base_url::uses_https())]
#[x_kube(validation = base_url::has_no_extras())]
#[x_kube(validation = base_url::has_a_host())]
#[x_kube(validation = base_url::has_a_public_name())]
#[x_kube(validation = base_url::has_a_port_that_exists())]
#[x_kube(validation = base_url::has_a_plain_path())]
#[x_kube(validation = base_url::is_a_covered_address())]
pub struct OffboardingProviderSpec {
    /// A built-in profile: `juicyway` or `revolv3`. Exactly one of `profile` and `customProfile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub profile: Option<String>,
    /// A profile of your own; see docs/adding-a-provider.md.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_profile: Option<Profile>,
    /// Address of the API: https, with any path prefix, for example `https://api-sandbox.revolv3.com`.
    #[schemars(length(max = 256))]
    pub base_url: String,
    /// Private address ranges that the host may resolve to, for example `[10.20.0.0/16]`; none by default. Cut to the operator's `--allowed-cidrs`.
    #[serde(default, rename = "allowedCIDRs", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 43)))]
    #[x_kube(validation = Rule::new("self.all(range, isCIDR(range) && cidr(range).masked() == cidr(range))")
        .message("must be networks in CIDR notation without host bits, such as 10.20.0.0/16"))]
    pub allowed_cidrs: Vec<String>,
    /// The platform team's name of the account at the provider, for example `acct-eu`. Immutable: objects that share it share locks and budgets.
    #[schemars(length(max = 63))]
    pub account: String,
    /// `live` or `sandbox`; shown in every plan.
    pub environment: Environment,
    /// The credentials that the profile names, each from a Secret of type `offboarding.dev/credentials` in the same namespace; for a ClusterOffboardingProvider in the operator's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
    #[x_kube(validation = rules::names())]
    pub credentials: BTreeMap<String, FromSecret>,
    /// Certificates; the system's roots alone by default. Verification cannot be switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// The modes that requests may ask for, for example `[Soft]`.
    #[schemars(length(min = 1, max = 2))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Set)]
    pub allowed_modes: Vec<Mode>,
    /// Checks of the profile that are not made, for example `wallets: Ignore`. Shown in every plan.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    #[x_kube(validation = Rule::new(format!("self.all(check, check.matches('{}'))", rules::DNS_LABEL))
        .message("must name checks of the profile, such as `wallets: Ignore`"))]
    pub checks: BTreeMap<String, CheckOverride>,
    /// `Personal` where ids are e-mail addresses or the like: then only `idFrom` is accepted. `Opaque` by default.
    #[serde(default)]
    pub id_class: IdClass,
    /// Who must agree before anything is deleted; one person by default.
    #[serde(default)]
    pub approvals: Approvals,
    /// How often a blocked request looks again; `15m` by default, at least `10s`, at most `168h`.
    #[serde(default = "quarter_of_an_hour")]
    #[x_kube(validation = rules::between("10s", "168h"))]
    pub recheck_interval: Span,
    /// How fast the provider may be called; the profile's `limits.default` by default. More than its `limits.max` is cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// How a deletion is verified; the profile's `verify.default` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,
    /// Emergency stop: nothing is deleted here while it is `true`; `false` by default.
    #[serde(default)]
    pub suspend: bool,
    /// How long a deletion waits after enough people have agreed, `0s` to `2160h`; `0s` by default. Shorter than
    /// `approvals.maxValidity` where anybody must agree.
    #[serde(default)]
    #[x_kube(validation = rules::between("0s", "2160h"))]
    pub cooling_off: Span,
    /// How many deletions may be sent at this account; no limit by default. Above it requests queue, first come, first served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

const fn quarter_of_an_hour() -> Span {
    Span::seconds(900)
}

words! {
    /// Which kind a provider object is of.
    #[derive(JsonSchema, Default)]
    #[schemars(inline)]
    ProviderKind { #[default] OffboardingProvider, ClusterOffboardingProvider }
}

words! {
    /// What kind of data lies behind a credential.
    #[derive(JsonSchema)]
    #[schemars(inline)]
    #[expect(non_camel_case_types, reason = "the words users write")]
    Environment { live, sandbox }
}

words! {
    /// What is asked for: `Soft` deactivates, `Hard` deletes.
    #[derive(JsonSchema, Default)]
    #[schemars(inline)]
    Mode { Soft, #[default] Hard }
}

words! {
    /// What a check of the profile does here.
    #[derive(JsonSchema)]
    #[schemars(inline)]
    CheckOverride { Block, Ignore }
}

words! {
    /// Whether customer ids are personal data.
    #[derive(JsonSchema, Default)]
    #[schemars(inline)]
    IdClass { #[default] Opaque, Personal }
}

/// Who must agree before anything is deleted.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Approvals {
    /// How many people, 0 to 10; 1 by default. 0 must be written out, and is shown in every plan.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 10))]
    pub required: i32,
    /// Whether the requester's own approval does not count; `true` by default.
    #[serde(default = "yes")]
    pub separation_of_duties: bool,
    /// How long an approval may hold; `336h` by default and at most.
    #[serde(default = "two_weeks")]
    #[x_kube(validation = rules::between("1s", "336h"))]
    pub max_validity: Span,
}

const fn one() -> i32 {
    1
}

const fn yes() -> bool {
    true
}

const fn two_weeks() -> Span {
    Span::seconds(336 * 3600)
}

impl Default for Approvals {
    fn default() -> Self {
        Self { required: one(), separation_of_duties: yes(), max_validity: two_weeks() }
    }
}

/// How many deletions may be sent at an account, by all provider objects that name it.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.perHour) || has(self.perDay)").message("must have `perHour`, `perDay` or both"))]
pub struct Budget {
    /// In any 60 minutes, 1 to 10000, for example 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub per_hour: Option<i32>,
    /// In a day of UTC, 1 to 100000, for example 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub per_day: Option<i32>,
}

/// How a deletion is verified.
///
/// All three are written out: a field that is left out would not be the profile's, but one of ours.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::not_shorter("deadline", "interval"))]
pub struct Verify {
    /// How many looks in a row must find the customer gone, 1 to 10, for example 1.
    #[schemars(range(min = 1, max = 10))]
    pub confirmations: i32,
    /// Time between two looks, `100ms` to `24h`, for example `10s`.
    #[x_kube(validation = rules::between("100ms", "24h"))]
    pub interval: Span,
    /// After this long, a customer that is still there is reported; `100ms` to `2160h`, for example `15m`.
    #[x_kube(validation = rules::between("100ms", "2160h"))]
    pub deadline: Span,
}

const fn ten_seconds() -> Span {
    Span::seconds(10)
}

impl Default for Verify {
    fn default() -> Self {
        Self { confirmations: one(), interval: ten_seconds(), deadline: quarter_of_an_hour() }
    }
}

/// Certificates for the connection to a provider.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::must("caBundle", "!has(self.caBundle) || (self.caBundle.contains('-----BEGIN CERTIFICATE-----') && !self.caBundle.contains('PRIVATE KEY'))",
    "must be PEM certificates (`-----BEGIN CERTIFICATE-----`) and no private key"))]
pub struct Tls {
    /// PEM certificates to trust in addition to the system's; at most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65_536))]
    pub ca_bundle: Option<String>,
    /// A client certificate: a Secret of type `kubernetes.io/tls`, beside those with the credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificate>,
}

/// Where the client certificate lies.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::object_name("secretName"))]
pub struct ClientCertificate {
    /// Name of the Secret, with the keys `tls.crt` and `tls.key`.
    #[schemars(length(max = 253))]
    pub secret_name: String,
}

/// What the operator found out about a provider object. Written when it changes, never per deletion.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct ProviderStatus {
    /// The generation of the spec that this status is about; -1 before the operator has seen the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
    /// Hash of everything in the profile that an approver agrees to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub profile_hash: Option<String>,
    /// The provider asked for a pause until then; survives a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "super::Moment")]
    pub paused_until: Option<Timestamp>,
    /// `Ready` and `CircuitOpen`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// What a newer operator wrote; kept on a rollback. Not in the schema.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, serde_json::Value>,
}
