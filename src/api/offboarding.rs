//! `CustomerOffboarding`: the request, exactly as users write and read it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::{
    CustomResource, KubeSchema,
    core::{Reason as RuleReason, Rule},
};
use serde::{Deserialize, Serialize};

use super::{Condition, Environment, Finality, FromSecret, Mode, words::words};

/// Any new value of this annotation makes the operator look again at once. It grants nothing.
pub const RETRY_ANNOTATION: &str = "offboarding.dev/retry-requested-at";

/// A request to offboard one customer.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "offboarding.dev",
    version = "v1alpha1",
    kind = "CustomerOffboarding",
    namespaced,
    shortname = "cob",
    category = "offboarding",
    doc = "A request to offboard one customer: looked up, checked, approved, deleted once, verified. Deleting this object never deletes a customer.",
    status = "OffboardingStatus",
    derive = "PartialEq",
    selectable = ".status.phase",
    selectable = ".status.finished",
    selectable = ".spec.request.reason",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Waiting-For", type_ = "string", json_path = ".status.waitingFor"),
    printcolumn(name = "Until", type_ = "string", json_path = ".status.waitingUntil"),
    printcolumn(name = "Targets", type_ = "string", json_path = ".status.targetsDone"),
    printcolumn(name = "Result", type_ = "string", json_path = ".status.result"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("!has(self.spec.customer.id) || (self.metadata.name != self.spec.customer.id.lowerAscii() && (self.spec.customer.id.size() < 6 || !self.metadata.name.contains(self.spec.customer.id.lowerAscii())))")
        .message("metadata.name must not contain the customer id: names appear in logs and events")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = immutable("customer"))]
#[x_kube(validation = immutable("targets"))]
#[x_kube(validation = immutable_optional("request"))]
#[x_kube(validation = immutable("acceptAbsent"))]
#[x_kube(validation = Rule::new("!oldSelf.cancel || self.cancel").message("must not be unset: a cancelled request stays cancelled; create a new CustomerOffboarding instead")
    .reason(RuleReason::FieldValueForbidden).field_path(".cancel"))]
pub struct CustomerOffboardingSpec {
    /// The customer, by the provider's id.
    pub customer: Customer,
    /// Why the customer is offboarded. Optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestDetails>,
    /// Where the customer is to be deleted: exactly one target.
    #[schemars(length(min = 1, max = 1))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub targets: Vec<Target>,
    /// `true`: a customer that was never there is a success (`AlreadyAbsent`), and recorded as such.
    #[serde(default)]
    pub accept_absent: bool,
    /// `true`: nothing is deleted until it is `false` again. May be changed at any time.
    #[serde(default)]
    pub suspend: bool,
    /// `true`: give up for good, unless the call was already sent. Cannot be unset; wins over `suspend`.
    #[serde(default)]
    pub cancel: bool,
}

fn immutable(field: &str) -> Rule {
    Rule::new(format!("self.{field} == oldSelf.{field}"))
        .message("is immutable; create a new CustomerOffboarding instead")
        .reason(RuleReason::FieldValueForbidden)
        .field_path(format!(".{field}"))
}

/// The form that also holds where the field is left out on one side.
fn immutable_optional(field: &str) -> Rule {
    Rule::new(format!(
        "has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
    ))
    .message("is immutable; create a new CustomerOffboarding instead")
    .reason(RuleReason::FieldValueForbidden)
    .field_path(format!(".{field}"))
}

/// Exactly one of `id` and `idFrom`.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.id) != has(self.idFrom)").message("exactly one of `id` and `idFrom` must be set"))]
#[x_kube(validation = Rule::new("!has(self.id) || (self.id.size() >= 1 && self.id.size() <= 256)").message("must be 1 to 256 characters").field_path(".id"))]
#[x_kube(validation = Rule::new("!has(self.id) || (self.id.matches('^[A-Za-z0-9][A-Za-z0-9._~:@|+-]*$') && !self.id.contains('..'))")
    .message("must start with a letter or digit, contain only letters, digits and `._~:@|+-`, and no `..`").field_path(".id"))]
pub struct Customer {
    /// The customer's id at the provider, in quotes: `"90017"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub id: Option<String>,
    /// The id from a Secret of type `offboarding.dev/customer-id` in the same namespace: for ids that are personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_from: Option<FromSecret>,
}

/// Why a customer is offboarded.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RequestDetails {
    /// `ErasureRequest`, `ContractEnd`, `Fraud`, `TestData` or `Other`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RequestReason>,
    /// Your own case number, for example `DSR-4711`. No personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._:/#-]*$"))]
    pub reference: Option<String>,
}

words! {
    /// Why a customer is offboarded.
    #[derive(schemars::JsonSchema)]
    #[schemars(inline)]
    RequestReason { ErasureRequest, ContractEnd, Fraud, TestData, Other }
}

/// One place where the customer is to be deleted.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// A DNS label, unique in the request, for example `billing`.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The OffboardingProvider, in the same namespace.
    pub provider_ref: ProviderRef,
    /// `Soft` or `Hard`. May be left out where the provider allows exactly one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// Names an OffboardingProvider in the same namespace.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ProviderRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
}

/// What the operator knows. A view: the truth is the OffboardingRecord.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct OffboardingStatus {
    /// The generation of the spec that this status is about; -1 before the first visit.
    #[serde(default)]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Where the request stands, for eyes and selectors; use conditions in automation.
    #[serde(default)]
    #[schemars(length(max = 32))]
    pub phase: String,
    /// Whether nothing more will be done. Selectable.
    #[serde(default)]
    pub finished: bool,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "super::Moment")]
    pub finished_at: Option<Timestamp>,
    /// What it waits for and what to do, in one sentence; when finished, how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub waiting_for: Option<String>,
    /// When a wait ends that ends by itself at a known time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "super::Moment")]
    pub waiting_until: Option<Timestamp>,
    /// How it ended: Erased, ErasedWithRetention, Deactivated, Unverified, AlreadyAbsent, Cancelled, PartiallyDone or Failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub result: Option<String>,
    /// What would be done, for the approver to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanStatus>,
    /// Each target's state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub targets: Vec<TargetStatus>,
    /// How many targets are done, for example `0/1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    pub targets_done: Option<String>,
    /// Ready, Reconciling and Stalled (kstatus), and the story: Planned, Unblocked, Approved, Deleted, Verified, DataErased, Waiting.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// What a newer operator wrote; kept on a rollback. Not in the schema.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, serde_json::Value>,
}

/// What would be done.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PlanStatus {
    /// SHA-256 over everything that an approver agrees to.
    #[schemars(length(max = 80))]
    pub hash: String,
    /// When this plan was made.
    #[schemars(with = "super::Moment")]
    pub made_at: Timestamp,
    /// How many approvals it needs.
    #[schemars(range(min = 0, max = 16))]
    pub required_approvals: i32,
    /// One line for each target.
    #[serde(default)]
    #[schemars(length(max = 64), inner(length(max = 2048)))]
    pub summary: Vec<String>,
    /// What was found at each target.
    #[serde(default)]
    #[schemars(length(max = 32))]
    pub targets: Vec<PlannedTarget>,
    /// Each input of the hash, as a short hash: so that a change can be named.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 512))]
    pub inputs: BTreeMap<String, ShortHash>,
}

/// The first hex digits of a SHA-256.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
#[schemars(inline)]
pub struct ShortHash(#[schemars(length(max = 16))] pub String);

/// What was found at one target.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PlannedTarget {
    /// The target's name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// The call, for example `DELETE /customers/{customer.id}`.
    #[schemars(length(max = 600))]
    pub operation: String,
    /// The account at the provider.
    #[schemars(length(max = 63))]
    pub account: String,
    /// `live` or `sandbox`.
    pub environment: Environment,
    /// What the look found: Present, Inactive, Tombstoned or Absent.
    #[schemars(length(max = 32))]
    pub found: String,
    /// What must go away first.
    #[serde(default)]
    #[schemars(length(max = 32))]
    pub blockers: Vec<Blocker>,
    /// What the deletion does.
    #[serde(default)]
    #[schemars(length(max = 16), inner(length(max = 200)))]
    pub effects: Vec<String>,
    /// What the provider keeps.
    #[serde(default)]
    #[schemars(length(max = 16), inner(length(max = 200)))]
    pub retains: Vec<String>,
    /// What a deletion is at this provider.
    pub finality: Finality,
    /// What an approver should know besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 256)))]
    pub risks: Vec<String>,
}

/// Something that must go away before a deletion.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Blocker {
    /// The check of the profile.
    #[schemars(length(max = 63))]
    pub check: String,
    /// What it said: `BlockersFound` or `CheckFailed`.
    #[schemars(length(max = 64))]
    pub reason: String,
}

/// One target's state.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// The target's name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Pending, Present, Blocked, Deactivating, Deactivated, Deleting, Verifying, Done or Failed.
    #[schemars(length(max = 32))]
    pub state: String,
    /// The customer's pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub customer_ref: Option<String>,
    /// Name of the OffboardingRecord in the operator's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub record: Option<String>,
    /// The last thing that went wrong, where something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
}

words! {
    /// Where one target stands.
    TargetState { Pending, Present, Blocked, Deactivating, Deactivated, Deleting, Verifying, Done, Failed }
}

/// The last thing that went wrong.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LastError {
    /// Transient, RateLimited, Auth, Forbidden, Conflict, NotFound, Invalid or Indeterminate.
    #[schemars(length(max = 32))]
    pub class: String,
    /// The cause, in one word.
    #[schemars(length(max = 64))]
    pub reason: String,
}
