//! `CustomerHold`: nothing is deleted while it stands. Beats every request, existing or future.

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{ProviderKind, SecretKeyRef, rules, words::words};

/// What must not be deleted, and why. A hold that cannot be evaluated holds.
#[expect(clippy::duplicated_attributes, reason = "one line for each column")]
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "offboarding.dev",
    version = "v1alpha1",
    kind = "CustomerHold",
    shortname = "cobh",
    category = "offboarding",
    doc = "Nothing that it names is deleted while it stands: one customer, one provider, or everything. Beats every request, existing or future.",
    derive = "PartialEq",
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "All", type_ = "boolean", json_path = ".spec.all"),
    printcolumn(name = "Reference", type_ = "string", json_path = ".spec.reference"),
    printcolumn(name = "Expires", type_ = "string", json_path = ".spec.expiresAt"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.all != (has(self.customers) && self.customers.size() > 0)")
    .message("exactly one of `all: true` and `customers` must be set"))]
#[x_kube(validation = rules::text("reference", "^[A-Za-z0-9][A-Za-z0-9 ._:/#-]*$",
    "must start with a letter or digit and contain only letters, digits, spaces and `._:/#-`, such as Case 031/26; no personal data"))]
pub struct CustomerHoldSpec {
    /// `LegalHold`, `Dispute`, `Protected` or `Freeze`.
    #[serde(rename = "type")]
    pub kind: HoldType,
    /// `true`: everything stops (the global emergency stop), or everything at `providers`; `false` by default.
    #[serde(default)]
    pub all: bool,
    /// The customers, at most 500.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub customers: Vec<HeldCustomer>,
    /// Only at these provider objects; everywhere by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub providers: Vec<HeldProvider>,
    /// Your own case number, 1 to 128 characters, for example `Case 031/26`. No personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub reference: Option<String>,
    /// Until when it stands; for ever by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "super::Moment")]
    pub expires_at: Option<Timestamp>,
}

words! {
    /// Why nothing may be deleted.
    #[derive(schemars::JsonSchema)]
    #[schemars(inline)]
    HoldType { LegalHold, Dispute, Protected, Freeze }
}

/// One customer: exactly one of `ref` and `idFrom`.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.ref) != has(self.idFrom)").message("exactly one of `ref` and `idFrom` must be set"))]
#[x_kube(validation = rules::text("ref", "^hmac:[0-9a-f]{8}:[0-9a-f]{32}$",
    "must be a customer's pseudonym as `status.targets[].customerRef` shows it: hmac:<key id>:<32 hex digits>"))]
pub struct HeldCustomer {
    /// The pseudonym, as a request's `status.targets[].customerRef` or `kubectl offboarding ref` shows it.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reference: Option<String>,
    /// The id from a Secret of type `offboarding.dev/customer-id` in the operator's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_from: Option<HeldFrom>,
}

/// Where the id comes from: a Secret in the operator's namespace.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HeldFrom {
    /// The Secret, in the operator's namespace, and the key in it.
    pub secret_key_ref: SecretKeyRef,
}

/// One provider object.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::object_name("name"))]
#[x_kube(validation = rules::dns_label("namespace"))]
#[x_kube(validation = Rule::new("(self.kind == 'OffboardingProvider') == has(self.__namespace__)")
    .message("`namespace` must be set for an OffboardingProvider, and left out for a ClusterOffboardingProvider"))]
pub struct HeldProvider {
    /// `OffboardingProvider` (the default) or `ClusterOffboardingProvider`.
    #[serde(default)]
    pub kind: ProviderKind,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
}
