//! `OffboardingProvider`: one account at one provider, with its guard rails.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, FromSecret, Limits, Profile, Span, words::words};

/// One account at one provider: address, credential, profile and guard rails. The only place that a URL can come from.
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
#[x_kube(validation = Rule::new("self.account == oldSelf.account")
    .message("is immutable: locks and budgets hang on it; create another OffboardingProvider instead").field_path(".account"))]
#[x_kube(validation = Rule::new("!self.baseUrl.matches('^https://([0-9.]+|[[][0-9a-f:.]+[]])(:|/|$)') || (has(self.allowedCIDRs) && self.allowedCIDRs.size() > 0)")
    .message("an IP address is accepted only where `allowedCIDRs` covers it").field_path(".baseUrl"))]
pub struct OffboardingProviderSpec {
    /// A built-in profile: `juicyway` or `revolv3`. Exactly one of `profile` and `customProfile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub profile: Option<String>,
    /// A profile of your own; see docs/adding-a-provider.md.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_profile: Option<Profile>,
    /// Address of the API: https, with any path prefix, for example `https://api-sandbox.revolv3.com`.
    #[schemars(length(min = 9, max = 256))]
    #[x_kube(validation = Rule::new("self.matches('^https://')").message("must use https"))]
    #[x_kube(validation = Rule::new(r"!self.matches('[@?#\\\\ ]') && !self.contains('..')")
        .message("must not contain userinfo, query, fragment, backslash, space or '..'"))]
    #[x_kube(validation = Rule::new("!self.matches('^https://') || self.matches('^https://(([a-z0-9]([a-z0-9-]*[a-z0-9])?[.])+[a-z][a-z0-9-]*[a-z0-9]|[0-9]{1,3}([.][0-9]{1,3}){3}|[[][0-9a-f:.]+[]])(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?$')")
        .message("host must be a lower-case ASCII DNS name with at least one dot and no trailing dot, or an IP address covered by `allowedCIDRs`"))]
    #[x_kube(validation = Rule::new("!self.matches('^https://[^/:]*[.](svc|local|localhost|internal)(:|/|$)')")
        .message("host must not end in .svc, .local, .localhost or .internal"))]
    pub base_url: String,
    /// Private address ranges that the host may resolve to; none by default. Cut to the operator's `--allowed-cidrs`.
    #[serde(default, rename = "allowedCIDRs", skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(min = 3, max = 43), regex(pattern = r"^[0-9a-fA-F:.]+/[0-9]{1,3}$"))
    )]
    pub allowed_cidrs: Vec<String>,
    /// The platform team's name of the account at the provider, for example `acct-eu`. Immutable: objects that share it share locks and budgets.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?$"))]
    pub account: String,
    /// `live` or `sandbox`; shown in every plan.
    pub environment: Environment,
    /// The credentials that the profile names, each from a Secret of type `offboarding.dev/credentials` in the same namespace.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
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
    pub checks: BTreeMap<String, CheckOverride>,
    /// `Personal` where ids are e-mail addresses or the like: then only `idFrom` is accepted. `Opaque` by default.
    #[serde(default)]
    pub id_class: IdClass,
    /// Who must agree before anything is deleted; one person by default.
    #[serde(default)]
    pub approvals: Approvals,
    /// How often a blocked request looks again; `15m` by default, at least `10s`.
    #[serde(default = "quarter_of_an_hour")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('10s')").message("must be at least 10s"))]
    pub recheck_interval: Span,
    /// How fast the provider may be called; the profile's default by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// How a deletion is verified; the profile's default by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,
    /// Emergency stop: nothing is deleted here while it is true.
    #[serde(default)]
    pub suspend: bool,
}

const fn quarter_of_an_hour() -> Span {
    Span::seconds(900)
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
    /// How many people; 1 by default. 0 must be written out, and is shown in every plan.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 10))]
    pub required: i32,
    /// Whether the requester's own approval does not count; true by default.
    #[serde(default = "yes")]
    pub separation_of_duties: bool,
    /// How long an approval may hold; `336h` by default and at most.
    #[serde(default = "two_weeks")]
    #[x_kube(validation = Rule::new("duration(self) <= duration('336h') && duration(self) > duration('0s')").message("must be more than 0s and at most 336h"))]
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

/// How a deletion is verified.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Verify {
    /// How many looks in a row must find the customer gone; 1 by default.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10))]
    pub confirmations: i32,
    /// Time between two looks; `10s` by default.
    #[serde(default = "ten_seconds")]
    pub interval: Span,
    /// After this long, a customer that is still there is reported; `15m` by default.
    #[serde(default = "quarter_of_an_hour")]
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
pub struct Tls {
    /// PEM certificates to trust in addition to the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65_536))]
    pub ca_bundle: Option<String>,
    /// A client certificate: a Secret of type `kubernetes.io/tls` in the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificate>,
}

/// Where the client certificate lies.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClientCertificate {
    /// Name of the Secret, with the keys `tls.crt` and `tls.key`.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub secret_name: String,
}

/// What the operator found out about a provider object. Written when it changes, never per deletion.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct ProviderStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
