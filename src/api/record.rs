//! `OffboardingRecord`: the truth about one customer at one account. Write-ahead intent, lock and evidence.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{Environment, Mode};

/// What was done to one customer at one account. Written by the operator only, in its own namespace.
///
/// Creating it is the lock, so it has no status subresource: a POST would drop the first intent.
#[expect(clippy::duplicated_attributes, reason = "one line for each column")]
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "offboarding.dev",
    version = "v1alpha1",
    kind = "OffboardingRecord",
    namespaced,
    shortname = "cobr",
    category = "offboarding",
    doc = "What was done to one customer at one account: intent, lock and evidence. Written by the operator only.",
    derive = "PartialEq",
    selectable = ".spec.closed",
    selectable = ".spec.day",
    selectable = ".spec.account",
    selectable = ".spec.keyId",
    selectable = ".spec.request.uid",
    printcolumn(name = "Account", type_ = "string", json_path = ".spec.account"),
    printcolumn(name = "Attempts", type_ = "integer", json_path = ".spec.attempts[-1:].n"),
    printcolumn(name = "Waiting-For", type_ = "string", json_path = ".spec.waitingFor"),
    printcolumn(name = "Result", type_ = "string", json_path = ".spec.result"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct OffboardingRecordSpec {
    /// Whether nothing more will be done for the latest request. Selectable.
    #[serde(default)]
    pub closed: bool,
    /// UTC day of the last attempt that may have left, for example `2026-11-23`. Selectable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub day: Option<String>,
    /// Which installation key the references below were made with. Selectable.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub key_id: String,
    /// The account at the provider.
    #[serde(default)]
    #[schemars(length(max = 63))]
    pub account: String,
    /// The customer's pseudonym, the same at every account.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub customer_ref: String,
    /// The customer's id, encrypted; dropped at the last look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub sealed_id: Option<String>,
    /// The latest request.
    pub request: RecordRequest,
    /// The provider object of the latest request.
    pub provider: RecordProvider,
    /// The attempts of the latest request, in order. Consecutive ones that were never sent are one entry.
    #[serde(default)]
    #[schemars(length(max = 32))]
    pub attempts: Vec<Attempt>,
    /// How the latest request ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub result: Option<String>,
    /// What proves or explains that: the reason of the request's condition, for example `Absent` or `StillPresent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub closed_because: Option<String>,
    /// What the provider keeps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 200)))]
    pub retains: Vec<String>,
    /// What it waits for, only where no request is left to say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub waiting_for: Option<String>,
    /// When the latest request ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "super::Moment")]
    pub closed_at: Option<Timestamp>,
    /// Earlier requests for this customer, the last ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub history: Vec<EarlierRequest>,
    /// How many earlier requests there were.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub earlier_requests: i64,
    /// Where the operator sends traces: the id of the one that tells of the latest request, which is its uid without dashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub trace_id: Option<String>,
    /// Keyed hash over the canonical JSON of everything above, and the name.
    #[serde(default)]
    #[schemars(length(max = 128))]
    pub mac: String,
    /// What a newer operator wrote; kept on every rewrite. Not in the schema.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, serde_json::Value>,
}

/// A request, as a record names it.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RecordRequest {
    /// Its namespace.
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its uid; that of the latest request is selectable.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// The target's name within it.
    #[schemars(length(max = 63))]
    pub target: String,
    /// What was asked for: `Soft` or `Hard`.
    #[schemars(with = "super::Word")]
    pub mode: Mode,
}

/// A provider object, as a record names it.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RecordProvider {
    /// Its kind: `OffboardingProvider` or `ClusterOffboardingProvider`.
    #[schemars(length(max = 63))]
    pub kind: String,
    /// Its namespace; empty for one of the cluster.
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its uid.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// Its base URL when the latest request was looked at.
    #[schemars(length(max = 256))]
    pub base_url: String,
    /// Its environment when the latest request was looked at.
    #[schemars(with = "super::Word")]
    pub environment: Environment,
}

/// One attempt: the intent, written before anything is sent, and what became of it.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Its number; never starts again.
    #[schemars(range(min = 1))]
    pub n: i64,
    /// Drawn at random by the process that wrote it.
    #[schemars(length(max = 64))]
    pub id: String,
    /// That process.
    #[schemars(length(max = 128))]
    pub by: String,
    /// How many consecutive attempts that were never sent this entry stands for.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    #[schemars(range(min = 1))]
    pub count: i64,
    /// The step of the profile.
    #[schemars(length(max = 63))]
    pub step: String,
    /// Hash of the plan.
    #[schemars(length(max = 80))]
    pub plan_hash: String,
    /// Hash of this target's part of the plan.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 80))]
    pub target_hash: String,
    /// Hash of the profile.
    #[schemars(length(max = 80))]
    pub profile_hash: String,
    /// Keyed hash of what tells this customer from one created again under the same id.
    #[schemars(length(max = 64))]
    pub fingerprint: String,
    /// The base URL that it goes to.
    #[schemars(length(max = 256))]
    pub base_url: String,
    /// The environment that it goes to.
    #[schemars(with = "super::Word")]
    pub environment: Environment,
    /// Keyed hash of the credential.
    #[schemars(length(max = 64))]
    pub credential: String,
    /// The approvals that it stands on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub approvals: Vec<UsedApproval>,
    /// The checks that stood in the way, and who agreed that each is passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub waivers: Vec<UsedWaiver>,
    /// When the intent was written.
    #[schemars(with = "super::Moment")]
    pub intent_at: Timestamp,
    /// When the first byte left, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "super::Moment")]
    pub sent_at: Option<Timestamp>,
    /// When the outcome was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "super::Moment")]
    pub answered_at: Option<Timestamp>,
    /// NotSent, Accepted, Rejected or Unknown; absent while it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub outcome: Option<String>,
    /// The class of the failure, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub class: Option<String>,
    /// The cause, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reason: Option<String>,
    /// The HTTP status, where there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 599))]
    pub http_status: Option<i32>,
    /// The provider's request id, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub request_id: Option<String>,
    /// Values of the answer that the profile keeps.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
    pub keep: BTreeMap<String, KeptValue>,
    /// What a newer operator wrote; kept on every rewrite. Not in the schema.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, serde_json::Value>,
}

/// An approval that an attempt stands on.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct UsedApproval {
    /// Who agreed.
    #[schemars(length(max = 256))]
    pub approver: String,
    /// The OffboardingApproval's uid.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// When it was created.
    #[schemars(with = "super::Moment")]
    pub at: Timestamp,
}

/// A check that stood in the way of an attempt, and the approval that lets it be passed over.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct UsedWaiver {
    /// The check's name in the profile.
    #[schemars(length(max = 63))]
    pub check: String,
    /// Who agreed.
    #[schemars(length(max = 256))]
    pub approver: String,
    /// The OffboardingApproval's uid.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// When it was created.
    #[schemars(with = "super::Moment")]
    pub at: Timestamp,
}

impl UsedWaiver {
    /// An approval, as the waiver of a check.
    #[must_use]
    pub fn new(check: &str, by: UsedApproval) -> Self {
        let UsedApproval { approver, uid, at } = by;
        Self { check: check.to_owned(), approver, uid, at }
    }
}

/// A value of a provider's answer, without personal data.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
#[schemars(inline)]
pub struct KeptValue(#[schemars(length(max = 128), regex(pattern = r"^[A-Za-z0-9_.:-]{1,128}$"))] pub String);

const fn once() -> i64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_once(count: &i64) -> bool {
    *count == 1
}

/// An earlier request for the same customer.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct EarlierRequest {
    /// The request.
    pub request: RecordRequest,
    /// The base URL that it was about.
    #[schemars(length(max = 256))]
    pub base_url: String,
    /// The environment that it was about.
    #[schemars(with = "super::Word")]
    pub environment: Environment,
    /// How it ended.
    #[schemars(length(max = 32))]
    pub result: String,
    /// What proved or explained that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub closed_because: Option<String>,
    /// Number of the last attempt up to then; 0 where there was none.
    #[schemars(range(min = 0))]
    pub last_attempt: i64,
    /// Its attempts that may have left, at most 32: a budget of the same day counts them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub sends: Vec<EarlierSend>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "super::Moment")]
    pub closed_at: Option<Timestamp>,
    /// What a newer operator wrote; kept on every rewrite. Not in the schema.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, serde_json::Value>,
}

/// An attempt of an earlier request that may have left.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct EarlierSend {
    /// The attempt's id.
    #[schemars(length(max = 64))]
    pub id: String,
    /// When its first byte left, else when its intent was written.
    #[schemars(with = "super::Moment")]
    pub at: Timestamp,
}
