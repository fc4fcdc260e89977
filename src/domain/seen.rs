//! What was seen: of the customer, of the control request, of a check, of a destructive call. "Could not look" is never "gone".

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::failure::{Cause, CauseWord, Class, Failure};
use crate::api::words;

/// Keyed hash of the values that tell a customer from one that is created again under the same id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub String);

/// One look at a customer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Look {
    /// There and active.
    Present(Fingerprint),
    /// There and deactivated.
    Inactive(Fingerprint),
    /// The provider shows a tombstone.
    Tombstoned,
    /// The provider says, in its own format, that there is no such customer.
    Absent,
    /// We could not look. Nothing follows from it.
    Unknown(Failure),
}

words! {
    /// A look's verdict without its contents, as shown in plans.
    LookWord { Present, Inactive, Tombstoned, Absent, Indeterminate }
}

impl Look {
    /// The verdict in one word.
    #[must_use]
    pub fn word(&self) -> LookWord {
        match self {
            Look::Present(_) => LookWord::Present,
            Look::Inactive(_) => LookWord::Inactive,
            Look::Tombstoned => LookWord::Tombstoned,
            Look::Absent => LookWord::Absent,
            Look::Unknown(_) => LookWord::Indeterminate,
        }
    }
}

/// The control request: does the same base URL and credential still work?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Control {
    /// It was answered as it should be.
    Good,
    /// It was not: an absence proves nothing.
    Bad(Failure),
}

/// One check of the profile, as it stands now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CheckSeen {
    /// The check's name.
    pub name: String,
    /// What it said.
    pub verdict: CheckVerdict,
    /// Whether the profile lets an approver pass it over.
    pub waivable: bool,
}

/// What a check said.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CheckVerdict {
    /// Nothing stands in the way.
    Clear,
    /// Something does.
    Blocks,
    /// It could not be answered, and blocks.
    Failed(Failure),
    /// It could not be answered, and the profile only warns.
    Unanswered(Failure),
    /// The provider object ignores it.
    Ignored,
}

impl CheckVerdict {
    /// The verdict in one word, as it stands in the plan's hash.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            CheckVerdict::Clear => "Clear",
            CheckVerdict::Blocks => "Blocks",
            CheckVerdict::Failed(_) => "Failed",
            CheckVerdict::Unanswered(_) => "Unanswered",
            CheckVerdict::Ignored => "Ignored",
        }
    }
}

/// What is known of one destructive call. Only moves forward: `NotSent < Unknown < Rejected < Accepted`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Provably nothing left us.
    NotSent(Failure),
    /// It may have been done or not.
    Unknown(Failure),
    /// The provider refused it.
    Rejected(Failure),
    /// The provider took it. Whether the customer is gone is for a look to say.
    Accepted,
}

words! {
    /// An outcome without its cause, as it stands in the record.
    OutcomeWord { NotSent, Unknown, Rejected, Accepted }
}

impl Outcome {
    /// The outcome in one word.
    #[must_use]
    pub fn word(&self) -> OutcomeWord {
        match self {
            Outcome::NotSent(_) => OutcomeWord::NotSent,
            Outcome::Unknown(_) => OutcomeWord::Unknown,
            Outcome::Rejected(_) => OutcomeWord::Rejected,
            Outcome::Accepted => OutcomeWord::Accepted,
        }
    }

    /// Why, where it was not accepted.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Outcome::NotSent(failure) | Outcome::Unknown(failure) | Outcome::Rejected(failure) => {
                Some(failure)
            }
            Outcome::Accepted => None,
        }
    }

    /// The later of two: an outcome never moves back.
    #[must_use]
    pub fn merge(self, other: Outcome) -> Outcome {
        if other.word() > self.word() { other } else { self }
    }
}

/// What came back from a destructive call, besides its outcome. No text of the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// How the answer was read.
    pub outcome: Outcome,
    /// When the first byte left; `None` where none did.
    pub sent_at: Option<Timestamp>,
    /// The HTTP status, where there was an answer.
    pub http_status: Option<u16>,
    /// The provider's request id, where it gave one that fits `^[A-Za-z0-9_-]{1,64}$`.
    pub request_id: Option<String>,
    /// What the profile keeps of the answer.
    pub keep: BTreeMap<String, String>,
}

impl Sent {
    /// Nothing left us.
    #[must_use]
    pub fn nothing(class: Class, cause: Cause) -> Self {
        Self::not_sent(Failure::new(class, CauseWord::Ours(cause)))
    }

    /// Nothing left us, because of this.
    #[must_use]
    pub fn not_sent(failure: Failure) -> Self {
        Self {
            outcome: Outcome::NotSent(failure),
            sent_at: None,
            http_status: None,
            request_id: None,
            keep: BTreeMap::new(),
        }
    }
}
