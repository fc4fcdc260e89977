//! What follows from a decision, as data: status, printed columns, events, metrics and logs all read these enums.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Demands, Ending, Failure, Fingerprint, InvalidSpec, LookWord, Missing, Planned};
use crate::api::{HoldType, Mode, ProviderKind, ProviderReason, Reason, UsedApproval, UsedWaiver};

/// What to do, and what was planned on the way.
#[must_use]
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What comes next.
    pub next: Next,
    /// The plan, where this turn made one.
    pub planned: Option<Planned>,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Change something, then look again.
    Do(Effect),
    /// Healthy: wait for a time, a provider or a person.
    Wait(Waiting),
    /// Something must go away, or a person must change something; we keep looking.
    Stop(Blocked),
    /// Nothing more will be done.
    Finished(Ending),
}

/// One change to the outside world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Write the intent, look and read again, and if nothing changed send the destructive request, once.
    Delete(Box<Order>),
    /// Write down the outcome that only this process knows.
    SaveOutcome,
    /// Close the record.
    Close(Ending),
}

/// Exactly what may be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub plan_hash: String,
    /// This target's part of the plan.
    pub target_hash: String,
    /// What the request says for all targets.
    pub request_hash: String,
    pub mode: Mode,
    /// The customer that was seen; another one under the same id is not touched.
    pub fingerprint: Fingerprint,
    /// What it takes of approvals.
    pub demands: Demands,
    /// The approvals that it stands on; none where none is required.
    pub approvals: Vec<UsedApproval>,
    /// Uids of approvals that do not count any more.
    pub spent: BTreeSet<String>,
    /// What stands in the way, and who agreed that it is passed over.
    pub waivers: Vec<UsedWaiver>,
}

impl Order {
    /// What a target's part of the plan orders; the plan's own hash and its approvals are still to come.
    #[must_use]
    pub fn of(planned: &Planned) -> Self {
        Self {
            plan_hash: String::new(),
            target_hash: planned.target_hash.clone(),
            request_hash: planned.request_hash.clone(),
            mode: planned.mode,
            fingerprint: planned.fingerprint.clone(),
            demands: Demands::default(),
            approvals: Vec::new(),
            spent: BTreeSet::new(),
            waivers: Vec::new(),
        }
    }
}

/// A healthy wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The API server did not answer when the record was read.
    ApiServer,
    /// The request's controls say not now.
    Suspended,
    /// The provider object's emergency stop.
    ProviderSuspended,
    /// The provider object cannot be used; its own condition says why.
    ProviderUnusable(ProviderReason),
    /// The customer's id is in a Secret that cannot be read.
    CustomerIdUnavailable,
    /// That Secret names somebody else than when this was begun, and nothing was done yet.
    CustomerIdChanged,
    /// The provider did not answer, or not in a way that counts.
    Provider(Failure),
    /// The customer seems gone, but the control request is not answered as it should be.
    Control(Failure),
    /// A check that only warns has no answer, and people agreed to a plan in which it had one.
    Check { check: String, failure: Failure },
    /// A hold is about it.
    Held { name: String, kind: HoldType, until: Option<Timestamp> },
    /// Nobody can read the holds: deletions are frozen.
    HoldsUnread,
    /// People must agree.
    Approvals(Missing),
    /// People agreed; the deletion runs then.
    CoolingOff { until: Timestamp },
    /// The request says not before then.
    NotBefore { until: Timestamp },
    /// The budget of this account, or of all accounts together, is used up, or others came first.
    Budget { account: Option<String>, until: Option<Timestamp> },
    /// Other targets of this request must be found, unblocked or done before anything is begun here.
    Others,
    /// These targets of this request come first.
    Turn { after: Vec<String> },
    /// Nothing left us last time; the next try comes then.
    Retry { at: Timestamp, last: Failure },
    /// The provider refused the credential; the next try of the same one comes then.
    AuthRefused { until: Timestamp },
    /// The last attempt has no answer: until then it may still be executed.
    Settling { until: Timestamp },
    /// The customer is gone, or another one is there, but a read may be older than the deletion until then.
    Lag { until: Timestamp },
    /// The customer is gone; further looks must agree.
    Confirming { looks: u32, needed: u32 },
    /// The deletion was accepted and the customer is still there; looked at until then.
    StillThere { until: Timestamp },
    /// The deletion was sent to another base URL or environment than the provider object names now.
    AnotherAddress,
    /// The deletion was begun with another credential than the one in use now, and the customer is not as it was then.
    AnotherCredential,
    /// The customer was not there at the first look; a second one follows then.
    SecondLook { at: Timestamp },
}

/// A stop that something or somebody must clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// Not there, or not for this namespace; of this kind.
    ProviderNotFound(ProviderKind),
    ModeNotAllowed(ModeProblem),
    InstallationKeyLost,
    RecordCorrupted,
    UnsupportedVersion,
    /// Another request, not finished, owns this customer.
    Duplicate,
    /// This customer was offboarded before, and is there: people must agree, and so many have.
    Resurrected(Missing),
    /// Offboarded before, or attempted, at another base URL, environment or account.
    AccountChanged,
    /// Another customer than the one that the plan was made for is there now.
    PlanChanged,
    /// Somebody said no.
    Denied,
    /// Nothing proves who agreed: these admission policies are not as shipped.
    ApprovalPolicyMissing(Vec<String>),
    /// The profile's checks; each one is named.
    Checks(Vec<crate::api::Blocker>),
    /// The same, and each is passed over by somebody, who may be whoever asked: it takes one more person.
    OneMoreWaiver(Vec<crate::api::Blocker>),
    /// The provider refused the deletion; the next try comes then, and `approvals` are missing for it.
    Refused {
        failure: Failure,
        until: Timestamp,
        approvals: Option<Missing>,
    },
    /// The provider answers something that must not be acted on.
    AnswerInvalid(Failure),
}

/// Why a mode cannot be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModeProblem {
    /// The request leaves it out, and the provider allows more than one.
    Ambiguous,
    /// The provider object does not allow it.
    NotAllowed(Mode),
    /// The profile has no such step.
    NotSupported(Mode),
    /// The customer is already deactivated, and deleting after deactivating is not built yet.
    AlreadyInactive,
}

impl From<InvalidSpec> for Next {
    fn from(invalid: InvalidSpec) -> Self {
        Next::Finished(Ending::failed(match invalid {
            InvalidSpec::Graph => Reason::InvalidGraph,
            InvalidSpec::Customer
            | InvalidSpec::Targets
            | InvalidSpec::SameCustomer
            | InvalidSpec::IdPattern
            | InvalidSpec::PersonalId => Reason::InvalidSpec,
        }))
    }
}

impl LookWord {
    /// The reason that a verified absence goes by.
    #[must_use]
    pub const fn as_reason(self) -> Reason {
        match self {
            LookWord::Present | LookWord::Indeterminate => Reason::Indeterminate,
            LookWord::Inactive => Reason::Inactive,
            LookWord::Tombstoned => Reason::Tombstoned,
            LookWord::Absent => Reason::Absent,
        }
    }
}

impl Waiting {
    /// Whether somebody did not answer: then the pause before the next try grows.
    #[must_use]
    pub fn is_without_an_answer(&self) -> bool {
        match self {
            Waiting::ApiServer | Waiting::Provider(_) | Waiting::Control(_) | Waiting::Check { .. } => true,
            Waiting::Suspended
            | Waiting::ProviderSuspended
            | Waiting::ProviderUnusable(_)
            | Waiting::CustomerIdUnavailable
            | Waiting::CustomerIdChanged
            | Waiting::Held { .. }
            | Waiting::HoldsUnread
            | Waiting::Approvals(_)
            | Waiting::CoolingOff { .. }
            | Waiting::NotBefore { .. }
            | Waiting::Budget { .. }
            | Waiting::Others
            | Waiting::Turn { .. }
            | Waiting::Retry { .. }
            | Waiting::AuthRefused { .. }
            | Waiting::Settling { .. }
            | Waiting::Lag { .. }
            | Waiting::Confirming { .. }
            | Waiting::StillThere { .. }
            | Waiting::AnotherAddress
            | Waiting::AnotherCredential
            | Waiting::SecondLook { .. } => false,
        }
    }
}
