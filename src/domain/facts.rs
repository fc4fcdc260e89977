//! What the record says: attempts, outcomes, the end. The truth that every decision starts from.

use std::time::Duration;

use jiff::Timestamp;

use super::{Class, Fingerprint, Outcome};
use crate::api::{Environment, Mode, OffboardingResult, Reason, UsedApproval, UsedWaiver};

/// What is known from the record of this customer and account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Facts {
    /// There is no record.
    None,
    /// The API server did not answer.
    Unread,
    /// It cannot be trusted or understood.
    Unusable(RecordProblem),
    /// It belongs to another request, which is not finished.
    Theirs,
    /// The latest request for this customer was another one, and it ended.
    Earlier(Earlier),
    /// It belongs to this request.
    Mine(Record),
}

impl Facts {
    /// Whether the customer was offboarded by an earlier request.
    #[must_use]
    pub fn was_offboarded_before(&self) -> bool {
        match self {
            Facts::Earlier(earlier) => earlier.counts(),
            Facts::Mine(record) => record.closed.is_none() && record.earlier.is_some(),
            Facts::None | Facts::Unread | Facts::Unusable(_) | Facts::Theirs => false,
        }
    }

    /// Whether a deletion may still follow: nothing of it is at the provider, or on its way there.
    #[must_use]
    pub fn may_be_begun(&self) -> bool {
        match self {
            Facts::None | Facts::Earlier(_) => true,
            Facts::Mine(record) => {
                record.closed.is_none() && record.last().is_some_and(|attempt| !attempt.may_matter())
            }
            Facts::Unread | Facts::Unusable(_) | Facts::Theirs => false,
        }
    }

    /// Whether a deletion is at the provider, or on its way there.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        matches!(self, Facts::Mine(record)
            if record.closed.is_none() && record.last().is_some_and(Attempt::may_matter))
    }

    /// Whether a deletion may have reached the provider.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        matches!(self, Facts::Mine(record) if record.attempts.iter().any(Attempt::may_have_left))
    }
}

/// Why a record cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordProblem {
    /// Its MAC does not fit, or its contents contradict each other.
    Corrupted,
    /// A newer operator wrote it.
    UnsupportedVersion,
    /// It names another installation key.
    AnotherKey,
}

/// How an earlier request for this customer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    pub result: OffboardingResult,
    pub base_url: String,
    pub environment: Environment,
    pub closed_at: Option<Timestamp>,
}

impl Earlier {
    /// Whether the customer was offboarded, or re-created meanwhile: then a person decides about a second time.
    #[must_use]
    pub fn counts(&self) -> bool {
        match self.result {
            OffboardingResult::Erased
            | OffboardingResult::ErasedWithRetention
            | OffboardingResult::Deactivated
            | OffboardingResult::Unverified
            | OffboardingResult::AlreadyAbsent
            | OffboardingResult::PartiallyDone
            | OffboardingResult::Recreated => true,
            OffboardingResult::Cancelled | OffboardingResult::Failed => false,
        }
    }
}

/// The record of this request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Set once nothing more will be done.
    pub closed: Option<Closed>,
    /// The account that the record is about.
    pub account: String,
    /// What was asked for when the record was made.
    pub mode: Mode,
    /// The newest earlier request that counts (`Earlier::counts`).
    pub earlier: Option<Earlier>,
    /// This request's attempts, in order.
    pub attempts: Vec<Attempt>,
    /// The last attempt's outcome is known to this process but not yet written down.
    pub unsaved: bool,
}

/// How the record was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Closed {
    pub result: OffboardingResult,
    /// What proves or explains it.
    pub because: Reason,
    pub at: Timestamp,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub n: i64,
    pub id: String,
    /// How many consecutive attempts that were never sent this stands for.
    pub count: i64,
    pub plan_hash: String,
    /// This target's part of the plan.
    pub target_hash: String,
    /// The profile that it was made by.
    pub profile_hash: String,
    /// The approvals that it stands on.
    pub approvals: Vec<UsedApproval>,
    /// The checks that were passed over, and who agreed to that.
    pub waivers: Vec<UsedWaiver>,
    pub fingerprint: Fingerprint,
    pub base_url: String,
    pub environment: Environment,
    /// Keyed hash of the credential that it was, or would have been, sent with.
    pub credential: String,
    pub intent_at: Timestamp,
    pub answered_at: Option<Timestamp>,
    pub outcome: Option<Outcome>,
}

/// How many attempts of one request may have left us.
pub const MOST_ATTEMPTS: usize = 3;

/// The credential was refused: the next try of the same credential comes after this long.
pub const AUTH_PAUSE: Duration = Duration::from_secs(15 * 60);

/// The provider refused for its rate and did not say for how long: the first pause; three refusals in a row end a request.
const RATE_PAUSE: Duration = Duration::from_secs(30);

impl Record {
    /// The attempt that everything depends on.
    #[must_use]
    pub fn last(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// How many attempts may have left us: all but those that provably did not.
    #[must_use]
    pub fn may_have_left(&self) -> usize {
        self.attempts.iter().filter(|attempt| attempt.may_have_left()).count()
    }

    /// How many attempts the provider refused.
    #[must_use]
    pub fn rejections(&self) -> usize {
        self.attempts.iter().filter(|attempt| matches!(attempt.outcome, Some(Outcome::Rejected(_)))).count()
    }
}

impl Attempt {
    /// Whether it may have left us: all do but those that provably did not.
    #[must_use]
    pub fn may_have_left(&self) -> bool {
        !matches!(self.outcome, Some(Outcome::NotSent(_)))
    }

    /// Whether something may still come of it, or has: neither unsent nor refused.
    #[must_use]
    pub fn may_matter(&self) -> bool {
        !matches!(self.outcome, Some(Outcome::NotSent(_) | Outcome::Rejected(_)))
    }

    /// When the next attempt may be made, by what became of this one.
    ///
    /// `rejections` is how many attempts of this request the provider refused; `recheck` the provider object's interval.
    #[must_use]
    pub fn next_try(&self, rejections: usize, recheck: Duration) -> Timestamp {
        let from = self.answered_at.unwrap_or(self.intent_at);
        let doubled = |pause: Duration| pause.saturating_mul(1 << rejections.saturating_sub(1).min(8));
        let pause = match &self.outcome {
            Some(Outcome::NotSent(_)) => not_sent_pause(self.count),
            Some(Outcome::Rejected(failure)) => match failure.class {
                Class::Auth => AUTH_PAUSE,
                Class::RateLimited => failure.retry_after.unwrap_or(doubled(RATE_PAUSE)),
                _ => doubled(recheck),
            },
            None | Some(Outcome::Unknown(_) | Outcome::Accepted) => Duration::ZERO,
        };
        from.saturating_add(pause).unwrap_or(Timestamp::MAX)
    }
}

/// 1 s doubling to 5 min: nothing left us, so only politeness limits the next try.
fn not_sent_pause(count: i64) -> Duration {
    let doublings = u32::try_from(count.saturating_sub(1).clamp(0, 9)).unwrap_or(9);
    Duration::from_secs(1 << doublings).min(Duration::from_secs(300))
}
