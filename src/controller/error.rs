//! Why a pass could not be finished, and when the next one comes. What a person must mend is not an error: it is in the status.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use super::api_server::ApiError;
use crate::{
    api::{Blocker, Reason},
    domain::{Blocked, Class, Next, Waiting},
};

/// One variant for each step of a pass.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the object has no uid, namespace or resourceVersion")]
    Incomplete,
    #[error("failed to write the record: {0}")]
    WriteRecord(#[source] ApiError),
    #[error("failed to read the request of a record: {0}")]
    ReadRequest(#[source] ApiError),
    #[error("failed to save the status: {0}")]
    SaveStatus(#[source] ApiError),
    #[error("another process leads, or is about to; nothing was begun")]
    LeaseLost,
    #[error("the task that sends ended without telling")]
    SendTask,
    #[error("too many turns in one pass")]
    TooManyTurns,
    #[error("panicked")]
    Panicked,
}

impl Error {
    /// The step in one word, for logs and metrics.
    #[must_use]
    pub fn step(&self) -> &'static str {
        match self {
            Error::Incomplete => "incomplete",
            Error::WriteRecord(_) => "writeRecord",
            Error::ReadRequest(_) => "readRequest",
            Error::SaveStatus(_) => "saveStatus",
            Error::LeaseLost => "leaseLost",
            Error::SendTask => "sendTask",
            Error::TooManyTurns => "tooManyTurns",
            Error::Panicked => "panicked",
        }
    }
}

/// Nothing unfinished sleeps longer than this, so no wait hangs on one event; but where each visit costs looks at the provider,
/// the provider object's own interval holds.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// What a person must change, or another request, is looked at this often.
const SLOWLY: Duration = Duration::from_secs(300);

/// A check that the provider did not answer is asked again after this long.
const UNANSWERED: Duration = Duration::from_secs(30);

/// Within this a change of a Secret that is waited for is noticed.
const A_SECRET: Duration = Duration::from_secs(30);

/// Something is to be done.
const SOON: Duration = Duration::from_millis(200);

/// A status that moved under us is looked at again after 200 ms, doubling up to this.
const LONGEST_CONFLICT: Duration = Duration::from_secs(30);

/// What ends by the uptime is told by the wall clock: where that has jumped ahead, it is looked at once in this time.
const BY_UPTIME: Duration = Duration::from_secs(1);

/// How often each object failed in a row; kube tells the error policy no count.
#[derive(Default)]
pub struct Backoff(Mutex<HashMap<String, u32>>);

impl Backoff {
    /// When to try again after another failure: 1 s doubling to 5 min.
    pub fn failed(&self, object: &str) -> Duration {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(object.to_owned()).or_default();
        *count = count.saturating_add(1);
        Duration::from_secs(1 << (*count - 1).min(9)).min(LONGEST_WAIT)
    }

    /// Forgets an object's failures.
    pub fn succeeded(&self, object: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(object);
    }

    /// When to try again after an error.
    pub fn after(&self, object: &str, error: &Error) -> Duration {
        let backoff = self.failed(object);
        match error {
            // A watch that is silent shows the old object again and again.
            Error::SaveStatus(ApiError::Conflict) => (backoff / 5).min(LONGEST_CONFLICT),
            Error::SaveStatus(ApiError::NotFound) => LONGEST_WAIT,
            Error::Panicked
            | Error::SaveStatus(ApiError::Invalid)
            | Error::WriteRecord(ApiError::Invalid) => SLOWLY,
            Error::Incomplete
            | Error::WriteRecord(_)
            | Error::ReadRequest(_)
            | Error::SaveStatus(_)
            | Error::LeaseLost
            | Error::SendTask
            | Error::TooManyTurns => backoff,
        }
    }
}

/// What the waits of one request depend on.
#[derive(Clone, Copy, Debug)]
pub struct Intervals {
    pub recheck: Duration,
    pub verify: Duration,
}

/// When to look again; `None` where nothing more is to be done. `backoff` is for a provider that does not answer.
#[must_use]
pub fn wake(next: &Next, intervals: Intervals, backoff: Duration, now: Timestamp) -> Option<Duration> {
    let wait = match next {
        Next::Finished(_) => return None,
        Next::Do(_) => SOON,
        Next::Wait(waiting) => match waiting {
            Waiting::Settling { until } | Waiting::Lag { until } => by_uptime(*until, now),
            Waiting::CoolingOff { until }
            | Waiting::NotBefore { until }
            | Waiting::Held { until: Some(until), .. }
            | Waiting::Budget { until: Some(until), .. } => left(*until, now),
            Waiting::Retry { at, .. } => left(*at, now),
            Waiting::SecondLook { at } => by_uptime(*at, now),
            Waiting::Confirming { .. } => intervals.verify,
            Waiting::StillThere { until } => intervals.verify.min(by_uptime(*until, now)),
            Waiting::Provider(failure) | Waiting::Control(failure) | Waiting::Check { failure, .. } => match failure.class {
                Class::RateLimited => failure.retry_after.unwrap_or(backoff),
                Class::Auth => SLOWLY,
                _ => backoff,
            },
            Waiting::ApiServer => backoff,
            // A mended Secret is noticed by a read of it: its provider object may look ready all the while.
            Waiting::AuthRefused { until } => left(*until, now).min(A_SECRET),
            Waiting::CustomerIdUnavailable | Waiting::CustomerIdChanged | Waiting::AnotherCredential => A_SECRET,
            // Its provider object may be ready all the while: only this pass could not read a Secret.
            Waiting::ProviderUnusable(_) => A_SECRET,
            Waiting::Suspended
            | Waiting::Held { until: None, .. }
            | Waiting::HoldsUnread
            | Waiting::Approvals(_)
            // Whoever makes room calls the next ones.
            | Waiting::Budget { until: None, .. }
            | Waiting::ProviderSuspended
            | Waiting::AnotherAddress => SLOWLY,
            // Each of these has a wait of its own, and the one that speaks is another.
            Waiting::Others | Waiting::Turn { .. } => SLOWLY,
        },
        Next::Stop(blocked) => match blocked {
            // A check that was not answered is asked again soon: a provider's bad minute is no blocker for the whole interval.
            Blocked::Checks(blockers) | Blocked::OneMoreWaiver(blockers)
                if blockers.iter().any(is_unanswered) =>
            {
                intervals.recheck.min(UNANSWERED)
            }
            Blocked::Checks(_) | Blocked::OneMoreWaiver(_) => return Some(intervals.recheck),
            Blocked::Refused { until, .. } => left(*until, now),
            Blocked::ProviderNotFound(_)
            | Blocked::ModeNotAllowed(_)
            | Blocked::InstallationKeyLost
            | Blocked::RecordCorrupted
            | Blocked::UnsupportedVersion
            | Blocked::Duplicate
            | Blocked::Denied
            | Blocked::ApprovalPolicyMissing(_)
            | Blocked::Resurrected(_)
            | Blocked::AccountChanged
            | Blocked::PlanChanged
            | Blocked::AnswerInvalid(_) => SLOWLY,
        },
    };
    Some(wait.min(LONGEST_WAIT))
}

fn by_uptime(until: Timestamp, now: Timestamp) -> Duration {
    if until <= now { BY_UPTIME } else { left(until, now) }
}

fn is_unanswered(blocker: &Blocker) -> bool {
    blocker.reason == Reason::CheckFailed.as_str()
}

/// A little later than the moment itself, so that the wait is over when we wake.
pub fn left(until: Timestamp, now: Timestamp) -> Duration {
    let left = Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO);
    left + Duration::from_millis(20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Cause, Ending, Failure, Missing, WhyMissing};

    const INTERVALS: Intervals =
        Intervals { recheck: Duration::from_secs(900), verify: Duration::from_secs(10) };

    #[test]
    fn each_wait_ends_by_itself_in_time() {
        let now = Timestamp::UNIX_EPOCH;
        let after = |seconds| now + Duration::from_secs(seconds);
        let failed =
            |class, retry_after| Failure { retry_after, ..Failure::new(class, Cause::OutcomeUnknown) };
        let backoff = Duration::from_secs(7);
        let found = |reason: Reason| Blocker { check: "invoices".to_owned(), reason: reason.to_string() };
        for (next, seconds) in [
            (Next::Finished(Ending::cancelled()), None),
            (Next::Wait(Waiting::Settling { until: after(8) }), Some(8)),
            (Next::Wait(Waiting::Settling { until: after(80_000) }), Some(300)), // nothing hangs on one timer
            (Next::Wait(Waiting::AuthRefused { until: after(600) }), Some(30)),
            (Next::Wait(Waiting::AuthRefused { until: after(20) }), Some(20)),
            (Next::Wait(Waiting::ProviderUnusable(crate::api::ProviderReason::SecretUnavailable)), Some(30)),
            (Next::Wait(Waiting::Lag { until: now }), Some(1)), // the uptime decides: the wall clock has jumped
            (Next::Wait(Waiting::StillThere { until: after(3) }), Some(3)),
            (Next::Wait(Waiting::StillThere { until: after(300) }), Some(10)),
            (Next::Wait(Waiting::Provider(failed(Class::Transient, None))), Some(7)),
            (
                Next::Wait(Waiting::Provider(failed(Class::RateLimited, Some(Duration::from_secs(42))))),
                Some(42),
            ),
            (Next::Wait(Waiting::Provider(failed(Class::Auth, None))), Some(300)), // its provider object wakes it
            (
                Next::Wait(Waiting::Approvals(Missing { have: 0, need: 1, why: WhyMissing::Awaited })),
                Some(300),
            ),
            (Next::Wait(Waiting::CoolingOff { until: after(9) }), Some(9)),
            (Next::Wait(Waiting::Budget { account: None, until: Some(after(9)) }), Some(9)),
            (Next::Wait(Waiting::Budget { account: None, until: None }), Some(300)),
            (Next::Stop(Blocked::Checks(vec![found(Reason::BlockersFound)])), Some(900)),
            (
                Next::Stop(Blocked::Checks(vec![found(Reason::BlockersFound), found(Reason::CheckFailed)])),
                Some(30),
            ),
            (
                Next::Stop(Blocked::Refused {
                    failure: failed(Class::Conflict, None),
                    until: after(20),
                    approvals: None,
                }),
                Some(20),
            ),
            (Next::Stop(Blocked::Duplicate), Some(300)),
        ] {
            let wait = wake(&next, INTERVALS, backoff, now).map(|wait| wait.as_secs());
            assert_eq!(wait, seconds, "{next:?}");
        }
    }

    #[test]
    fn the_pause_grows_with_each_failure_and_ends_with_a_success() {
        let backoff = Backoff::default();
        let pauses: Vec<u64> = (0..11).map(|_| backoff.failed("a").as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        backoff.succeeded("a");
        assert_eq!(backoff.failed("a").as_secs(), 1);
        assert_eq!(backoff.failed("b").as_secs(), 1, "each object has its own");
    }

    #[test]
    fn an_object_that_moved_on_is_looked_at_soon_and_one_that_is_refused_slowly() {
        let backoff = Backoff::default();
        for (error, millis) in [
            (Error::SaveStatus(ApiError::Conflict), 200),
            (Error::SaveStatus(ApiError::Invalid), 300_000),
            (Error::Panicked, 300_000),
        ] {
            assert_eq!(Backoff::default().after("x", &error).as_millis(), millis, "{error}");
        }
        let conflict = Error::SaveStatus(ApiError::Conflict);
        let waits: Vec<u128> = (0..12).map(|_| backoff.after("x", &conflict).as_millis()).collect();
        assert_eq!(
            waits[..4],
            [200, 400, 800, 1_600],
            "a watch that is silent shows the old object again and again"
        );
        assert_eq!(waits[11], 30_000);
    }
}
