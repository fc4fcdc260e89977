//! `OffboardingApproval`: one person's consent to exactly these plans, or a refusal. Written once, never changed.

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema, core::Reason as RuleReason};
use serde::{Deserialize, Serialize};

use super::{rules, words::words};

/// What one person says to one or more plans. Deleting it before a deletion has begun withdraws it.
#[expect(clippy::duplicated_attributes, reason = "one line for each column")]
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "offboarding.dev",
    version = "v1alpha1",
    kind = "OffboardingApproval",
    namespaced,
    shortname = "coba",
    category = "offboarding",
    doc = "One person's consent to exactly the plans that it names, or a refusal. Immutable; deleting it before a deletion has begun withdraws it.",
    derive = "PartialEq",
    printcolumn(name = "Decision", type_ = "string", json_path = ".spec.decision"),
    printcolumn(name = "Approver", type_ = "string", json_path = ".spec.approver"),
    printcolumn(name = "For", type_ = "string", json_path = ".spec.for[*].name"),
    printcolumn(name = "Expires", type_ = "string", json_path = ".spec.expiresAt"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("is immutable; create a new OffboardingApproval instead")
    .reason(RuleReason::FieldValueForbidden))]
#[x_kube(validation = rules::must("expiresAt", "self.decision != 'Approve' || has(self.expiresAt)",
    "must be set where `decision` is Approve: at most 336h ahead"))]
#[x_kube(validation = rules::must("expiresAt", "self.decision != 'Deny' || !has(self.expiresAt)",
    "must be left out where `decision` is Deny: it stands until it is deleted"))]
#[x_kube(validation = rules::must("grants", "self.decision != 'Approve' || (has(self.grants) && self.grants.size() > 0)",
    "must name what is granted where `decision` is Approve: Delete, or Waive:<target>/<check>"))]
#[x_kube(validation = rules::must("grants", "self.decision != 'Deny' || !has(self.grants) || self.grants.size() == 0",
    "must be left out where `decision` is Deny"))]
#[x_kube(validation = rules::must("for", "self.decision != 'Approve' || self.__for__.all(item, has(item.planHash))",
    "must bind each request by `planHash` where `decision` is Approve: the hash in its `status.plan.hash`"))]
#[x_kube(validation = rules::must("for", "self.decision != 'Deny' || self.__for__.all(item, !has(item.planHash))",
    "must name requests without `planHash` where `decision` is Deny: it is about the request, whatever its plan"))]
pub struct OffboardingApprovalSpec {
    /// `Approve` or `Deny`.
    pub decision: ApprovalDecision,
    /// The plans, 1 to 500, each bound on its own. There is no way to approve everything.
    #[serde(rename = "for")]
    #[schemars(length(min = 1, max = 500))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["uid".into()]))]
    pub items: Vec<ApprovedPlan>,
    /// Who says it: must be the user name that creates this object.
    #[schemars(length(min = 1, max = 256))]
    pub approver: String,
    /// `Delete` agrees to the deletion; `Waive:<target>/<check>` agrees that one blocking check is passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 140)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = Rule::new(format!("self.all(grant, grant.matches('{GRANT_PATTERN}'))"))
        .message("must be Delete, or Waive:<target>/<check> such as Waive:billing/invoices"))]
    pub grants: Vec<String>,
    /// Until when it holds: required where `decision` is Approve, at most 336h ahead and at most the provider object's
    /// `approvals.maxValidity`. A Deny never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "super::Moment")]
    pub expires_at: Option<Timestamp>,
    /// Why, in your own words, at most 256 characters. No personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub reason: Option<String>,
}

/// What a grant looks like; the schema and the operator agree on it.
pub const GRANT_PATTERN: &str =
    "^(Delete|Waive:[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9]*[a-z0-9])?)$";

words! {
    /// What a person says to a plan.
    #[derive(schemars::JsonSchema)]
    #[schemars(inline)]
    ApprovalDecision { Approve, Deny }
}

/// One plan that is agreed to.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::object_name("name"))]
#[x_kube(validation = rules::text("planHash", "^sha256:[0-9a-f]{64}$", "must be the hash in the request's `status.plan.hash`: sha256: and 64 hex digits"))]
pub struct ApprovedPlan {
    /// Name of the CustomerOffboarding, in the same namespace; for people to read.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its uid: another request of that name is not meant.
    #[schemars(length(min = 1, max = 64))]
    pub uid: String,
    /// The plan, as `status.plan.hash` says it. Required where `decision` is Approve, left out where it is Deny.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub plan_hash: Option<String>,
}
