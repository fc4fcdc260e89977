//! Phases, results, condition types and reasons: the closed words of a request's status (`docs/reference/conditions.md`).

use jiff::Timestamp;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::words::words;

words! {
    /// Where a request stands, for eyes and selectors only; nothing reads it back.
    Phase { Pending, Planning, Blocked, AwaitingApproval, CoolingOff, Executing, Verifying, Completed, Cancelled, Failed }
}

words! {
    /// How a request ended. Never claims more than the profile's finality and erasure allow.
    OffboardingResult { Erased, ErasedWithRetention, Deactivated, Unverified, AlreadyAbsent, Cancelled, PartiallyDone, Failed, Recreated }
}

words! {
    /// The conditions of a request. Every one of them is always present once the request was seen.
    ConditionType { Ready, Reconciling, Stalled, Planned, Unblocked, Approved, Deleted, Verified, DataErased, Waiting }
}

words! {
    /// The reasons of a request's conditions.
    Reason {
        // Ready, true: the results
        Erased, ErasedWithRetention, Deactivated, Unverified, AlreadyAbsent, Cancelled, PartiallyDone,
        // Ready, false: the phases
        Planning, Blocked, AwaitingApproval, Executing, Verifying, Failed,
        // Reconciling
        Progressing, Retrying, Idle,
        // Stalled
        InvalidSpec, ProviderNotFound, ModeNotAllowed, CustomerNotFound, InstallationKeyLost, ProviderAnswerInvalid,
        RecordCorrupted, UnsupportedVersion, StillPresent, Recreated, AttemptsExhausted, NotStalled,
        // Planned
        PlanReady, PlanChanged, AccountChanged, Pending,
        // Unblocked
        NoBlockers, BlockersFound, CheckFailed, ProviderRestricted, ProviderConflict, Duplicate, Resurrected,
        // Approved
        NotRequired,
        // Deleted
        Deleted, NotStarted, InFlight, Rejected, OutcomeUnknown,
        // Verified
        Absent, Tombstoned, Inactive, Indeterminate, ControlFailed, NotObservable, CredentialChanged,
        // DataErased
        SoftDeleteOnly, Retained, BackupsRetained, NotDeclared,
        // Waiting
        Suspended, ProviderSuspended, ProviderUnavailable, RateLimited, Settling, NotWaiting,
    }
}

words! {
    /// The conditions of a provider object.
    ProviderConditionType { Ready, CircuitOpen }
}

words! {
    /// The reasons of a provider object's conditions.
    ProviderReason {
        ProbeSucceeded, AuthFailed, ControlFailed, InvalidProfile, SecretUnavailable, SecretInvalid, EnvironmentMismatch,
        HostNotAllowed, AddressNotAllowed, Closed, RepeatedFailures
    }
}

/// One statement about an object, as in the Kubernetes API conventions.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What the statement is about, for example `Verified`.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Z][A-Za-z0-9]*$"))]
    pub type_: String,
    /// Whether it holds: `True`, `False` or `Unknown`.
    pub status: Truth,
    /// Why, in one word of a closed set.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Z][A-Za-z0-9]*$"))]
    pub reason: String,
    /// The same in a sentence for people, with what to do. Without countdowns, ids and text of the provider.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// The generation of the spec that this statement is about.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// When the status last changed.
    #[schemars(with = "super::Moment")]
    pub last_transition_time: Timestamp,
}

words! {
    /// The status of a condition.
    Truth { True, False, Unknown }
}

impl schemars::JsonSchema for Truth {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Truth".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "enum": ["True", "False", "Unknown"] })
    }
}
