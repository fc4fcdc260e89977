//! `CustomerOffboarding`: the request, exactly as users write and read it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::{
    CustomResource, KubeSchema,
    core::{Reason as RuleReason, Rule},
};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{
    Condition, Environment, Finality, FromSecret, Mode, Phase, ProviderKind, Span,
    rules::{self, immutable, immutable_optional},
    words::words,
};

/// Any new value of this annotation makes the operator look again at once. It grants nothing.
pub const RETRY_ANNOTATION: &str = "offboarding.dev/retry-requested-at";

/// Who asked: stamped by admission, or written by the client and confirmed by it. Not set or `system:…` is nobody in particular.
pub const REQUESTED_BY_ANNOTATION: &str = "offboarding.dev/requested-by";

/// What is to be deleted, and where. Everything is fixed at creation but the controls: `suspend`, `cancel`, `notBefore` and
/// `ttlAfterFinished`.
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
    selectable = ".spec.ttlAfterFinished",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Waiting-For", type_ = "string", json_path = ".status.waitingFor"),
    printcolumn(name = "Until", type_ = "string", json_path = ".status.waitingUntil"),
    printcolumn(name = "Due", type_ = "string", json_path = ".status.due"),
    printcolumn(name = "Targets", type_ = "string", json_path = ".status.targetsDone"),
    printcolumn(name = "Result", type_ = "string", json_path = ".status.result"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("!has(self.spec.customer.id) || type(self.spec.customer.id) != string || (self.metadata.name != self.spec.customer.id.lowerAscii() && (self.spec.customer.id.size() < 6 || !self.metadata.name.contains(self.spec.customer.id.lowerAscii())))")
        .message("metadata.name must not contain the customer id: names appear in logs and events"),
    validation = Rule::new("self.spec.targets.all(target, !has(target.customer) || !has(target.customer.id) || type(target.customer.id) != string || (self.metadata.name != target.customer.id.lowerAscii() && (target.customer.id.size() < 6 || !self.metadata.name.contains(target.customer.id.lowerAscii()))))")
        .message("metadata.name must not contain the customer id of a target: names appear in logs and events"),
    validation = not_earlier_once_approved()
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = immutable("customer"))]
#[x_kube(validation = immutable("targets"))]
#[x_kube(validation = rules::must("targets", "self.targets.all(target, !has(target.dependsOn) || target.dependsOn.all(name, name != target.name && self.targets.exists(other, other.name == name)))",
    "`dependsOn` must name other targets of this request"))]
#[x_kube(validation = immutable_optional("request"))]
#[x_kube(validation = immutable("acceptAbsent"))]
#[x_kube(validation = Rule::new("!oldSelf.cancel || self.cancel").message("must not be unset: a cancelled request stays cancelled; create a new CustomerOffboarding instead")
    .reason(RuleReason::FieldValueForbidden).field_path(".cancel"))]
pub struct CustomerOffboardingSpec {
    /// The customer, by the id that the provider knows: exactly one of `id` and `idFrom`. Immutable.
    pub customer: Customer,
    /// Why the customer is offboarded, for people and audits; it changes nothing in what is done. Optional. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestDetails>,
    /// Where the customer is to be deleted: 1 to 32 targets. Nothing is deleted at any of them before the customer was found, and
    /// nothing stands in the way, at all of them. Immutable.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub targets: Vec<Target>,
    /// `true`: a customer that was never there is a success (`AlreadyAbsent`), and recorded as such; `false` by default:
    /// it is a failure, because the id may be wrong. Immutable.
    #[serde(default)]
    pub accept_absent: bool,
    /// `true`: nothing is deleted until it is `false` again; `false` by default. May be changed at any time.
    #[serde(default)]
    pub suspend: bool,
    /// `true`: give up for good, unless the call was already sent; `false` by default. Cannot be unset; wins over `suspend`.
    #[serde(default)]
    pub cancel: bool,
    /// Nothing is sent before this moment. It can be moved to later at any time, to earlier only while people have not agreed to
    /// the plan yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "super::Moment")]
    pub not_before: Option<Timestamp>,
    /// How long after `status.finishedAt` this object is removed, `1m` to `87600h`, for example `720h`; never by default. Only where
    /// everything was done: what was cancelled, failed or is partly done stays. The record stays, and no customer is touched. May be
    /// changed at any time. Selectable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::between("1m", "87600h"))]
    pub ttl_after_finished: Option<Span>,
}

/// On the root, because the answer stands in the status: people agreed to a deletion that is not to happen before that moment.
fn not_earlier_once_approved() -> Rule {
    Rule::new(
        "!has(oldSelf.spec.notBefore) || (has(self.spec.notBefore) && self.spec.notBefore >= oldSelf.spec.notBefore) || \
         !has(oldSelf.status) || !has(oldSelf.status.conditions) || \
         !oldSelf.status.conditions.exists(c, c.type == 'Approved' && c.status == 'True' && c.reason == 'QuorumReached')",
    )
    .message("must not be moved to earlier or removed after people agreed to the plan; a later moment is accepted, and so is `cancel: true` with a new CustomerOffboarding")
    .reason(RuleReason::FieldValueForbidden)
    .field_path(".spec.notBefore")
}

impl CustomerOffboarding {
    /// Whether its status says that nothing more will be done.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.finished)
    }
}

/// Exactly one of `id` and `idFrom`.
///
/// In the schema the id may also be a number, so that one without quotes reaches our words: with `type: string` the answer
/// to a server-side apply would repeat it.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.id) != has(self.idFrom)").message("exactly one of `id` and `idFrom` must be set"))]
#[x_kube(validation = rules::must("id", "!has(self.id) || type(self.id) == string", "must be written in quotes, such as `id: \"90017\"`"))]
#[x_kube(validation = id_rule("self.id.size() >= 1 && self.id.size() <= 256", "must be 1 to 256 characters"))]
#[x_kube(validation = id_rule("self.id == '' || (self.id.matches('^[A-Za-z0-9][A-Za-z0-9._~:@|+-]*$') && !self.id.contains('..'))",
    "must start with a letter or digit, contain only letters, digits and `._~:@|+-`, and no `..`"))]
pub struct Customer {
    /// The customer's id at the provider, 1 to 256 characters in quotes, for example `"90017"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "text_or_number")]
    pub id: Option<String>,
    /// The id from a Secret of type `offboarding.dev/customer-id` in the same namespace: for ids that are personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_from: Option<FromSecret>,
}

fn id_rule(condition: &str, message: &str) -> Rule {
    rules::must("id", &format!("!has(self.id) || type(self.id) != string || ({condition})"), message)
}

fn text_or_number(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-int-or-string": true, "maxLength": 1024 })
}

/// Why a customer is offboarded.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::text("reference", "^[A-Za-z0-9][A-Za-z0-9._:/#-]*$",
    "must start with a letter or digit and contain only letters, digits and `._:/#-`, such as DSR-4711; no personal data"))]
#[x_kube(validation = rules::must("dueBy", "!has(self.regime) || self.regime != 'Custom' || has(self.dueBy)", "must be set when `regime` is Custom"))]
#[x_kube(validation = rules::must("dueBy", "!has(self.dueBy) || (has(self.regime) && self.regime == 'Custom')",
    "must be left out unless `regime` is Custom: GDPR and CCPA are counted from `receivedAt`"))]
pub struct RequestDetails {
    /// `ErasureRequest`, `ContractEnd`, `Fraud`, `TestData` or `Other`. Selectable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RequestReason>,
    /// Your own case number, 1 to 128 characters, for example `DSR-4711`. No personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub reference: Option<String>,
    /// When you received it, for example `2026-11-20T16:30:00Z`; its creation by default. Deadlines are counted from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "super::Moment")]
    pub received_at: Option<Timestamp>,
    /// Which deadline holds: `GDPR` (one calendar month), `CCPA` (45 days), `Custom` (`dueBy`) or `None`, the default. It is told
    /// in `status.due` and the condition Overdue, and hurries nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regime: Option<Regime>,
    /// The deadline where `regime` is Custom; with another one it must be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "super::Moment")]
    pub due_by: Option<Timestamp>,
}

words! {
    /// Which law sets the deadline.
    #[derive(schemars::JsonSchema)]
    #[schemars(inline)]
    Regime { GDPR, CCPA, Custom, None }
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
#[x_kube(validation = rules::dns_label("name"))]
pub struct Target {
    /// Your name for this place, a DNS label, for example `billing`. It appears in logs: no personal data.
    #[schemars(length(max = 63))]
    pub name: String,
    /// The provider object.
    pub provider_ref: ProviderRef,
    /// `Soft` deactivates, `Hard` deletes; one of the provider's `allowedModes`. May be left out where that has exactly one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The customer, where this place knows them under another id than `spec.customer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<Customer>,
    /// Names of other targets that must be done first, for example `[crm]`. Without it, what deactivates comes before what deletes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 31), inner(length(max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub depends_on: Vec<String>,
}

/// Names an OffboardingProvider in the same namespace, or a ClusterOffboardingProvider that allows this namespace.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::object_name("name"))]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct ProviderRef {
    /// `OffboardingProvider`, which is meant where it is left out, or `ClusterOffboardingProvider`.
    // No default in the schema: what the server fills in within a list makes every client-side apply a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ProviderKind>,
    /// Name of the provider object, for example `revolv3`.
    #[schemars(length(max = 253))]
    pub name: String,
}

/// What the operator knows. A view: the truth is the OffboardingRecord.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct OffboardingStatus {
    /// The generation of the spec that this status is about; -1 before the operator has seen the object.
    #[serde(default = "unseen")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Where the request stands: Pending, Planning, Blocked, AwaitingApproval, CoolingOff, Executing, Verifying, Completed,
    /// Cancelled or Failed. For eyes and selectors; use conditions in automation.
    #[serde(default = "pending")]
    #[schemars(length(max = 32))]
    pub phase: String,
    /// Whether nothing more will be done. Selectable: `status.finished!=true` is what is still worked on.
    #[serde(default)]
    pub finished: bool,
    /// Since when nothing more is done.
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
    /// Until when it must be done by `spec.request.regime`; the condition Overdue says how it stands to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "super::Moment")]
    pub due: Option<Timestamp>,
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
    /// Ready, Reconciling and Stalled (kstatus), and the story: Planned, Unblocked, Approved, Deleted, Verified, DataErased, Waiting,
    /// Overdue.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Where the operator sends traces: the id of the one that tells of this request, which is its uid without dashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub trace_id: Option<String>,
    /// What a newer operator wrote; kept on a rollback. Not in the schema.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, serde_json::Value>,
}

/// No generation of any object, so that kstatus reads a new one as in progress.
const fn unseen() -> i64 {
    -1
}

fn pending() -> String {
    Phase::Pending.to_string()
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
    /// Inputs that are others than in the plan before: approvals of that one do not count for this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 160)))]
    pub changed: Vec<String>,
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
    /// The provider object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub provider: String,
    /// What is asked for: `Soft` or `Hard`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<super::Word>")]
    pub mode: Option<Mode>,
    /// The call, for example `DELETE /customers/{customer.id}`.
    #[schemars(length(max = 600))]
    pub operation: String,
    /// The account at the provider.
    #[schemars(length(max = 63))]
    pub account: String,
    /// Which environment the account belongs to: `live` or `sandbox`.
    #[schemars(with = "super::Word")]
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
    /// What a deletion is at this provider: HardDelete, Redaction, SoftDelete, Archive or DeletionRequested.
    #[schemars(with = "super::Word")]
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
    /// The customer's pseudonym: a keyed hash of the id, the same at every account.
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
