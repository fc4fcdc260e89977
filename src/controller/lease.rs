//! Who works, where several processes run: the one that holds the Lease. The others stand by with filled caches.
//!
//! It saves work and is no fence: for a moment two processes may both believe that they lead, and then the records decide.
//! What the Lease adds is that a process that was stopped, or cut off from the API server, sends nothing when it wakes.
//!
//! - A claim is a PUT over exactly the version that was last read or written: of two claims one fails.
//! - Whether another holder is gone is judged by *our* monotonic clock, since *we* saw its Lease change. Wall clocks are
//!   written for people, and never read back.
//! - It is held until `renew_deadline` after the last claim that succeeded was *begun*, which is earlier than anybody else may
//!   take it, by a third of the lease duration.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::api::ObjectMeta;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{api_server::ApiError, context::Shared};
use crate::{domain::TIME_TO_LEAVE, metrics::LeaseResult};

/// Name of the Lease, in the operator's namespace.
pub const LEASE: &str = "customer-offboarding-operator";

/// No lease lasts longer, whatever a Lease says that somebody else wrote.
const LONGEST: Duration = Duration::from_secs(600);

/// The API server is not asked more often than this.
const SHORTEST_RETRY: Duration = Duration::from_millis(100);

/// How long a lease lasts, and when it is renewed: every half of the renew deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTiming {
    /// After this long without a renewal another process takes it.
    duration: Duration,
    /// After this long without a renewal its holder sends nothing more.
    renew_deadline: Duration,
    /// How long one try may last. The next look comes after half of it, so that a lease that is given back is taken within it.
    retry: Duration,
}

/// Why a lease cannot be timed like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseTimingProblem {
    /// Two clocks may differ in rate by that much.
    #[error("--lease-duration must be at least 1.5 × --renew-deadline")]
    Duration,
    /// After one renewal that failed a deletion can still be sent.
    #[error(
        "--renew-deadline must be at least 2 × --retry-period + 4s: nothing is sent in the last 2s of a lease"
    )]
    RenewDeadline,
    /// Longer, and nobody would take over; shorter, and the API server would be asked all the time.
    #[error("--lease-duration must be at most 10m, and --retry-period at least 100ms")]
    Bounds,
}

impl LeaseTiming {
    /// A timing that leaves time to send.
    ///
    /// # Errors
    /// `LeaseTimingProblem`: whoever starts the operator changes a flag.
    pub fn new(
        duration: Duration,
        renew_deadline: Duration,
        retry: Duration,
    ) -> Result<Self, LeaseTimingProblem> {
        if duration > LONGEST || retry < SHORTEST_RETRY {
            return Err(LeaseTimingProblem::Bounds);
        }
        if duration < renew_deadline.saturating_mul(3) / 2 {
            return Err(LeaseTimingProblem::Duration);
        }
        if renew_deadline < (retry + TIME_TO_LEAVE).saturating_mul(2) {
            return Err(LeaseTimingProblem::RenewDeadline);
        }
        Ok(Self { duration, renew_deadline, retry })
    }
}

/// Until when this process leads, as its passes ask.
pub struct Leadership(watch::Sender<Option<Instant>>);

impl Default for Leadership {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Leadership {
    /// Whether this process leads.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held_until().is_some_and(|until| Instant::now() < until)
    }

    /// Whether what is begun now may still be sent.
    #[must_use]
    pub fn outlasts_a_send(&self) -> bool {
        self.held_until().is_some_and(|until| Instant::now() + TIME_TO_LEAVE <= until)
    }

    /// The moment after which somebody else may lead; `None` where this process does not. It may be over.
    #[must_use]
    pub fn held_until(&self) -> Option<Instant> {
        *self.0.borrow()
    }

    /// The Lease was claimed. Whether a term begins: passes may have been left out until now.
    fn hold_until(&self, until: Instant) -> bool {
        let before = self.0.send_replace(Some(until));
        // Asked after it is told: who saw the old one run out, saw it before.
        before.is_none_or(|before| before <= Instant::now())
    }

    /// Somebody else leads, or nobody. Whether this process did.
    fn end(&self) -> bool {
        self.0.send_replace(None).is_some()
    }
}

/// What the Lease said when it was last seen to change.
#[derive(Clone, Debug)]
struct Seen {
    spec: LeaseSpec,
    since: Instant,
}

impl Seen {
    /// What is known after another look. A Lease that is not there any more may have a holder that does not know it yet.
    fn after(before: Option<Seen>, spec: Option<&LeaseSpec>, now: Instant) -> Option<Seen> {
        match (before, spec) {
            (Some(before), Some(spec)) if before.spec == *spec => Some(before),
            (_, Some(spec)) => Some(Seen { spec: spec.clone(), since: now }),
            (before, None) => before,
        }
    }

    /// Whether another process may still believe that it leads: until the longer of its lease duration and ours has passed.
    fn is_held_by_another(&self, me: &str, ours: Duration, now: Instant) -> bool {
        let holder = self.spec.holder_identity.as_deref().unwrap_or_default();
        let theirs =
            self.spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
        let longer = ours.max(Duration::from_secs(theirs)).min(LONGEST);
        !holder.is_empty() && holder != me && now.saturating_duration_since(self.since) < longer
    }
}

/// What came of one attempt.
enum Answer {
    /// We hold it; this is what is stored.
    Ours(Box<Lease>),
    /// Somebody else does, as far as we know.
    Theirs,
    /// Nobody knows, or somebody was faster. What we hold runs out by itself.
    Unclear(ApiError),
}

/// Competes for the Lease, renews it, and gives it back at the end.
pub struct Elector {
    ctx: Shared,
    timing: LeaseTiming,
    /// The Lease as we last wrote it; `None` where that is not known, or it is another's.
    ours: Option<Box<Lease>>,
    seen: Option<Seen>,
    /// What was last told the log, so that it is told once.
    told: Option<Told>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Leading,
    StandingBy,
    Problem(ApiError),
}

impl Elector {
    #[must_use]
    pub fn new(ctx: Shared, timing: LeaseTiming) -> Self {
        Self { ctx, timing, ours: None, seen: None, told: None }
    }

    /// Runs until `done`: nothing is in flight any more. Then the Lease is given back, so that nobody waits for it to run out.
    pub async fn run(mut self, done: CancellationToken) {
        while !done.is_cancelled() {
            let started = Instant::now();
            let answer = timeout(self.timing.retry, self.attempt()).await;
            let next = self.take_in(answer.unwrap_or(Answer::Unclear(ApiError::Unanswered)), started);
            // Awake at the deadline, to say so: passes ask the clock and not us.
            let until = self.ctx.leadership.held_until().map_or(next, |held_until| held_until.min(next));
            tokio::select! {
                () = done.cancelled() => {}
                () = sleep_until(until.max(started + SHORTEST_RETRY)) => {}
            }
            self.notice_the_end();
        }
        self.give_back().await;
    }

    /// Reads the Lease, unless it is known to be ours, and claims it where it is free. Renewing is one PUT.
    async fn attempt(&mut self) -> Answer {
        let namespace = &self.ctx.operator_namespace;
        let stored = match self.ours.take() {
            Some(ours) => Some(*ours),
            None => match self.ctx.api.get::<Lease>(namespace, LEASE).await {
                Ok(found) => {
                    let spec = found.as_ref().map(|lease| lease.spec.clone().unwrap_or_default());
                    self.seen = Seen::after(self.seen.take(), spec.as_ref(), Instant::now());
                    found
                }
                Err(error) => return Answer::Unclear(error),
            },
        };
        let (me, ours) = (&self.ctx.process, self.timing.duration);
        if self.seen.as_ref().is_some_and(|seen| seen.is_held_by_another(me, ours, Instant::now())) {
            return Answer::Theirs;
        }
        match self.ctx.api.replace(namespace, &self.claim(stored)).await {
            Ok(lease) => Answer::Ours(Box::new(lease)),
            Err(error) => Answer::Unclear(error),
        }
    }

    /// Ours from now on. A Lease that is not there is made by PUT: the right to create can be given for one name then.
    fn claim(&self, stored: Option<Lease>) -> Lease {
        let now = MicroTime((self.ctx.clock)());
        let is_new = stored.is_none();
        let Lease { metadata, spec } = stored.unwrap_or_else(|| Lease {
            metadata: ObjectMeta {
                name: Some(LEASE.to_owned()),
                namespace: Some(self.ctx.operator_namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: None,
        });
        let before = spec.unwrap_or_default();
        let is_renewal = before.holder_identity.as_ref() == Some(&self.ctx.process);
        let transitions = before.lease_transitions.unwrap_or(0);
        let seconds = self.timing.duration.as_millis().div_ceil(1000);
        let claimed = LeaseSpec {
            holder_identity: Some(self.ctx.process.clone()),
            lease_duration_seconds: i32::try_from(seconds).ok(),
            acquire_time: if is_renewal { before.acquire_time.clone() } else { Some(now.clone()) },
            renew_time: Some(now),
            lease_transitions: Some(transitions.saturating_add(i32::from(!is_new && !is_renewal))),
            ..before
        };
        Lease { metadata, spec: Some(claimed) }
    }

    /// Tells what came of an attempt, and when the next one is due.
    fn take_in(&mut self, answer: Answer, started: Instant) -> Instant {
        self.ctx.metrics.lease_attempted(match &answer {
            Answer::Ours(_) => LeaseResult::Held,
            Answer::Theirs => LeaseResult::HeldByAnother,
            Answer::Unclear(_) => LeaseResult::Failed,
        });
        match answer {
            Answer::Ours(lease) => {
                self.ours = Some(lease);
                self.told = Some(Told::Leading);
                if !self.ctx.leadership.is_held() {
                    self.ctx.records.term_begins();
                }
                if self.ctx.leadership.hold_until(started + self.timing.renew_deadline) {
                    self.begin();
                }
                started + self.timing.renew_deadline / 2
            }
            Answer::Theirs => {
                if self.ctx.leadership.end() {
                    self.lost();
                }
                if self.told != Some(Told::StandingBy) {
                    self.told = Some(Told::StandingBy);
                    tracing::info!("standing by: another process leads");
                }
                started + self.timing.retry / 2
            }
            Answer::Unclear(error) => {
                let moved =
                    matches!(error, ApiError::Conflict | ApiError::AlreadyExists | ApiError::NotFound);
                if !moved && self.told != Some(Told::Problem(error)) {
                    self.told = Some(Told::Problem(error));
                    tracing::warn!(lease = LEASE, "the lease cannot be read or written: {error}");
                }
                Instant::now() + self.timing.retry / 2
            }
        }
    }

    /// Everything unfinished is looked at: passes were left out until now. What this process remembers of its looks stays: it
    /// is true whoever led meanwhile, as the model shows, where two processes without any lease remember each for itself; and a
    /// record that the other one changed has another last attempt, with which every count begins again.
    fn begin(&self) {
        tracing::info!("leading");
        self.ctx.budgets.count_again();
        self.ctx.wake_all();
    }

    /// A lease that was not renewed in time.
    fn notice_the_end(&mut self) {
        let leadership = &self.ctx.leadership;
        if leadership.held_until().is_some() && !leadership.is_held() && leadership.end() {
            self.lost();
        }
    }

    fn lost(&self) {
        self.ctx.metrics.lease_lost();
        tracing::warn!("the lease is lost: nothing is begun, and what is in flight is written down");
    }

    /// Where it is not known to be ours, it runs out by itself.
    async fn give_back(mut self) {
        self.ctx.leadership.end();
        let Some(mut lease) = self.ours.take() else { return };
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = None;
        spec.renew_time = Some(MicroTime((self.ctx.clock)()));
        let given_back = self.ctx.api.replace(&self.ctx.operator_namespace, lease.as_ref());
        match timeout(self.timing.retry, given_back).await {
            Ok(Ok(_)) => tracing::info!("the lease is given back"),
            Ok(Err(_)) | Err(_) => tracing::warn!("the lease is not given back; it runs out by itself"),
        }
    }
}

#[cfg(test)]
mod tests;
