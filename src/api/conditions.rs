//! Phases, results, condition types and reasons: the closed words of a request's status (`docs/reference/conditions.md`).

use jiff::Timestamp;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::words::words;

words! {
    /// Where a request stands, for eyes and selectors only; nothing reads it back.
    Phase {
        Pending = "The operator has not seen it yet.",
        Planning = "The customer is looked up and the plan is made; nothing is sent but reads.",
        Blocked = "Something must go away first: a blocker, a refusal, another request. It is looked at again by itself.",
        AwaitingApproval = "The plan is complete; people have to agree.",
        CoolingOff = "People have agreed; a wait before the deletion runs.",
        Executing = "The intent to delete is written; the call is made, or its outcome is not known yet.",
        Verifying = "The provider accepted the deletion; the operator looks until the customer is gone.",
        Completed = "Done; `status.result` says how.",
        Cancelled = "Given up before anything was deleted.",
        Failed = "Ended without success; the condition Stalled says why.",
    }
}

words! {
    /// How a request ended. Never claims more than the profile's finality and erasure allow.
    OffboardingResult {
        Erased = "Deleted, seen gone, and all personal data is erased.",
        ErasedWithRetention = "Deleted and seen gone; the provider keeps what the plan named.",
        Deactivated = "Deactivated and seen so; personal data is not erased.",
        Unverified = "The provider accepted the deletion and does not show whether it was done.",
        AlreadyAbsent = "The customer was gone before; nothing was deleted.",
        Cancelled = "Nothing was deleted.",
        PartiallyDone = "Done at some targets only.",
        Failed = "Not done.",
        Recreated = "A new customer has the id now; it was not touched. Stands in the record; the request says `Failed`.",
    }
}

words! {
    /// The conditions of a request. Every one of them is always present once the request was seen.
    ConditionType {
        Ready = "It is finished without failure; the reason is the result.",
        Reconciling = "The operator is working on it (kstatus).",
        Stalled = "A person must change something (kstatus).",
        Planned = "The customer was found and there is a plan.",
        Unblocked = "Nothing stands in the way of a deletion.",
        Approved = "Those who must agree have agreed to exactly this plan.",
        Deleted = "The provider accepted the deletion.",
        Verified = "The customer was seen gone after the deletion.",
        DataErased = "All personal data is gone at the provider.",
        Waiting = "It waits, and nothing is wrong; the message says for what.",
        Overdue = "The deadline has passed. It hurries nothing; a finished request is judged by when it ended.",
    }
}

words! {
    /// The reasons of a request's conditions.
    Reason {
        // Ready, true: the results
        Erased = "All personal data is erased.",
        ErasedWithRetention = "Deleted; the provider keeps what the plan named.",
        Deactivated = "Deactivated; personal data is not erased.",
        Unverified = "Accepted, and the provider does not show whether it was done.",
        AlreadyAbsent = "The customer was gone before; nothing was deleted.",
        Cancelled = "Nothing was deleted.",
        PartiallyDone = "Done at some targets only.",
        // Ready, false: the phases
        Planning = "The customer is looked up.",
        Blocked = "Something must go away first.",
        AwaitingApproval = "People have to agree to the plan.",
        CoolingOff = "People have agreed; the deletion waits for the cooling-off time or for `notBefore`.",
        Executing = "The call is made, or its outcome is not known yet.",
        Verifying = "The operator looks until the customer is gone.",
        Failed = "Ended without success; see Stalled.",
        // Reconciling
        Progressing = "The operator is at it.",
        Retrying = "The last attempt was not sent or was refused; there will be another one.",
        Idle = "Nothing is going on at the moment.",
        // Stalled
        InvalidSpec = "The spec can never be carried out; create another request.",
        InvalidGraph = "`dependsOn` goes in a circle, or names no target.",
        ApprovalPolicyMissing = "An admission policy is not as shipped, so nothing proves who agreed; install it again, then approve again.",
        Denied = "Somebody denied the request; cancel it, or have the denial deleted by its author.",
        ProviderNotFound = "The provider object is not there, or not for this namespace.",
        ModeNotAllowed = "The provider object does not allow this mode, or the customer is not in a state for it.",
        CustomerNotFound = "The provider does not know the customer; check the id, or accept it with `acceptAbsent: true`.",
        InstallationKeyLost = "The key that records are named with is gone or another one; restore it.",
        ProviderAnswerInvalid = "The provider answered what its profile does not foresee; mend the profile or ask the provider.",
        RecordCorrupted = "The record was changed by somebody else; look at it by hand.",
        UnsupportedVersion = "The record was written by a newer operator.",
        StillPresent = "The provider accepted the deletion and still has the customer; it is not sent again.",
        Recreated = "A new customer has the id now; it was not touched.",
        AttemptsExhausted = "Three attempts did not delete the customer.",
        NotStalled = "Nobody has to change anything.",
        // Planned
        PlanReady = "The plan is in `status.plan`.",
        PlanChanged = "What was found is no longer what was planned.",
        AccountChanged = "The provider object points to another address than the deletion went to.",
        Pending = "Not known yet.",
        // Unblocked
        NoBlockers = "Nothing stands in the way.",
        Waived = "Something stands in the way, and somebody who may agreed that it is passed over.",
        BlockersFound = "A check of the profile found something that must go away first.",
        CheckFailed = "A check of the profile was not answered, which blocks as well.",
        ProviderRestricted = "The provider forbids the deletion (403).",
        ProviderConflict = "The provider sees a conflict (409).",
        Duplicate = "Another request owns this customer.",
        Resurrected = "The customer was deleted before and is there again; a person must decide.",
        // Approved
        QuorumReached = "Enough people have agreed to exactly this plan.",
        NotRequired = "The provider object requires no approval.",
        Expired = "An approval has expired, ends before the cooling-off time does, or was to hold longer than the provider object allows.",
        SameIdentity = "The requester approved; it takes somebody else.",
        UnknownRequester = "Nobody knows who asked, or it was no person: one more approval is needed.",
        Spent = "The provider refused the deletion that an approval was for; a new one is needed.",
        BeforePolicies = "An approval is older than the admission policies, or came within 10 seconds after them: nothing proves who made it; approve again.",
        // Deleted
        Deleted = "The provider accepted the deletion.",
        NotStarted = "No deletion was sent.",
        InFlight = "The call is being made.",
        Rejected = "The provider refused the deletion.",
        OutcomeUnknown = "A deletion may have been sent; its answer is not known, so the operator looks before anything else.",
        // Verified
        Absent = "The provider no longer knows the customer.",
        Tombstoned = "The provider shows that the customer was deleted.",
        Inactive = "The provider shows that the customer is deactivated.",
        Indeterminate = "A look was not answered, or not understood.",
        ControlFailed = "The control request failed, so an absence proves nothing.",
        NotObservable = "This provider does not show whether a deletion was done.",
        CredentialChanged = "The credential is not the one that sent the deletion.",
        // DataErased
        SoftDeleteOnly = "Deactivation keeps personal data; the message says what a person must do.",
        Retained = "The provider keeps what the plan named.",
        BackupsRetained = "Only backups keep it, for the time that the profile declares.",
        NotDeclared = "The profile does not say, or is no longer there.",
        // Waiting
        Held = "A hold is about this customer, this provider or everything; or nobody can read the holds.",
        NotBefore = "`spec.notBefore` is not over yet.",
        BudgetQueued = "The account's budget is used up, or others came first.",
        OtherTargets = "Other targets of this request come first, or something stands in their way.",
        Suspended = "`spec.suspend` is true.",
        ProviderSuspended = "`spec.suspend` of the provider object is true.",
        ProviderUnavailable = "The provider, its object or its Secret cannot be used right now.",
        RateLimited = "The provider asked for a pause.",
        Settling = "An earlier call or write may still take effect at the provider.",
        NotWaiting = "It waits for nothing.",
        // Overdue
        DeadlinePassed = "`status.due` has passed, or had passed when it ended.",
        DeadlineNear = "Less than 7 days are left.",
        InTime = "`status.due` is further away, or it ended before.",
        NoDeadline = "`spec.request.regime` is left out or None.",
    }
}

words! {
    /// The conditions of a provider object.
    ProviderConditionType {
        Ready = "Requests can be made with this address and credential.",
        CircuitOpen = "No request is sent until a control request succeeds.",
    }
}

words! {
    /// The reasons of a provider object's conditions.
    ProviderReason {
        ProbeSucceeded = "The control request succeeded.",
        AuthFailed = "The provider refused the credential; mend the Secret.",
        ControlFailed = "The control request failed.",
        InvalidProfile = "The profile or a TLS setting is not valid; the message says where.",
        SecretUnavailable = "A Secret is not there, has no such key, or is of another type.",
        SecretInvalid = "A Secret's value cannot be a credential.",
        EnvironmentMismatch = "The credential belongs to another environment.",
        HostNotAllowed = "The host of `baseUrl` is not allowed.",
        AddressNotAllowed = "The host resolves to an address that is not allowed.",
        Closed = "Requests go out.",
        RepeatedFailures = "The provider failed several times in a row.",
    }
}

/// Which reasons a condition gives for which status.
pub type Reasons<R> = &'static [(Truth, &'static [R])];

impl ConditionType {
    /// Every reason that this condition gives.
    #[must_use]
    pub const fn reasons(self) -> Reasons<Reason> {
        use Reason as R;
        use Truth::{False, True, Unknown};
        match self {
            ConditionType::Ready => &[
                (
                    True,
                    &[
                        R::Erased,
                        R::ErasedWithRetention,
                        R::Deactivated,
                        R::Unverified,
                        R::AlreadyAbsent,
                        R::Cancelled,
                        R::PartiallyDone,
                    ],
                ),
                (
                    False,
                    &[
                        R::Planning,
                        R::Blocked,
                        R::AwaitingApproval,
                        R::CoolingOff,
                        R::Executing,
                        R::Verifying,
                        R::Failed,
                    ],
                ),
            ],
            ConditionType::Reconciling => &[(True, &[R::Progressing, R::Retrying]), (False, &[R::Idle])],
            ConditionType::Stalled => &[
                (
                    True,
                    &[
                        R::InvalidSpec,
                        R::InvalidGraph,
                        R::ApprovalPolicyMissing,
                        R::Denied,
                        R::ProviderNotFound,
                        R::ModeNotAllowed,
                        R::CustomerNotFound,
                        R::InstallationKeyLost,
                        R::ProviderAnswerInvalid,
                        R::RecordCorrupted,
                        R::UnsupportedVersion,
                        R::StillPresent,
                        R::Recreated,
                        R::AttemptsExhausted,
                    ],
                ),
                (False, &[R::NotStalled]),
            ],
            ConditionType::Planned => &[
                (True, &[R::PlanReady]),
                (False, &[R::PlanChanged, R::AccountChanged]),
                (Unknown, &[R::Pending]),
            ],
            ConditionType::Unblocked => &[
                (True, &[R::NoBlockers, R::Waived]),
                (
                    False,
                    &[
                        R::BlockersFound,
                        R::CheckFailed,
                        R::ProviderRestricted,
                        R::ProviderConflict,
                        R::Duplicate,
                        R::Resurrected,
                        R::AccountChanged,
                    ],
                ),
                (Unknown, &[R::Pending]),
            ],
            ConditionType::Approved => &[
                (True, &[R::QuorumReached, R::NotRequired]),
                (
                    False,
                    &[
                        R::AwaitingApproval,
                        R::PlanChanged,
                        R::Expired,
                        R::Denied,
                        R::SameIdentity,
                        R::UnknownRequester,
                        R::Spent,
                        R::BeforePolicies,
                        R::ApprovalPolicyMissing,
                    ],
                ),
                (Unknown, &[R::Pending]),
            ],
            ConditionType::Deleted => &[
                (True, &[R::Deleted, R::Deactivated, R::AlreadyAbsent]),
                (False, &[R::NotStarted, R::InFlight, R::PartiallyDone, R::Rejected]),
                (Unknown, &[R::OutcomeUnknown]),
            ],
            ConditionType::Verified => &[
                (True, &[R::Absent, R::Tombstoned, R::Inactive]),
                (False, &[R::StillPresent, R::Recreated]),
                (
                    Unknown,
                    &[R::Pending, R::Indeterminate, R::ControlFailed, R::NotObservable, R::CredentialChanged],
                ),
            ],
            ConditionType::DataErased => &[
                (True, &[R::Erased]),
                (False, &[R::SoftDeleteOnly, R::Retained, R::BackupsRetained]),
                (Unknown, &[R::Pending, R::NotDeclared]),
            ],
            ConditionType::Waiting => &[
                (
                    True,
                    &[
                        R::AwaitingApproval,
                        R::CoolingOff,
                        R::NotBefore,
                        R::Held,
                        R::BudgetQueued,
                        R::OtherTargets,
                        R::Suspended,
                        R::ProviderSuspended,
                        R::ProviderUnavailable,
                        R::RateLimited,
                        R::Settling,
                    ],
                ),
                (False, &[R::NotWaiting]),
            ],
            ConditionType::Overdue => {
                &[(True, &[R::DeadlinePassed]), (False, &[R::DeadlineNear, R::InTime, R::NoDeadline])]
            }
        }
    }
}

impl ProviderConditionType {
    /// Every reason that this condition gives.
    #[must_use]
    pub const fn reasons(self) -> Reasons<ProviderReason> {
        use ProviderReason as R;
        use Truth::{False, True};
        match self {
            ProviderConditionType::Ready => &[
                (True, &[R::ProbeSucceeded]),
                (
                    False,
                    &[
                        R::AuthFailed,
                        R::ControlFailed,
                        R::InvalidProfile,
                        R::SecretUnavailable,
                        R::SecretInvalid,
                        R::EnvironmentMismatch,
                        R::HostNotAllowed,
                        R::AddressNotAllowed,
                    ],
                ),
            ],
            ProviderConditionType::CircuitOpen => {
                &[(True, &[R::AuthFailed, R::RepeatedFailures]), (False, &[R::Closed])]
            }
        }
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

impl Condition {
    /// This statement, made now. The time of transition stays where `previous` says the same status already.
    #[must_use]
    pub fn told(self, previous: &[Condition]) -> Self {
        let before =
            previous.iter().find(|before| before.type_ == self.type_ && before.status == self.status);
        let since = before.map_or(self.last_transition_time, |before| before.last_transition_time);
        Self { last_transition_time: since, ..self }
    }
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
