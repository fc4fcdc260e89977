//! The destructive path, step by step. Each step can only say no; none can choose something else.
//!
//! reserve → intent → look again and read everything live → permit → send once → outcome
//!
//! It runs in a task of its own that neither a dropped reconcile nor SIGTERM cancels. What it cannot hand back, it writes down.

mod errand;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, oneshot},
    time::Instant,
};

pub(super) use errand::Errand;

use super::{
    api_server::ApiError,
    case::{Case, Stored, Unsaved},
    context::Shared,
    error::Error,
    perform::{Performed, later},
    reread::Permitted,
};
use crate::{
    api::OffboardingRecord,
    domain::{
        Cause, CheckSeen, Class, Control, Failure, Next, Order, Outcome, Sent, Waiting, grant,
        waits_for_budget,
    },
    evidence::record::{self, Intent},
    failpoint,
    providers::{
        Captured, IdempotencySeed,
        http::{Reservation, SendDeadline, SendResult, send},
    },
    traces::{Key, Name, Step},
};

/// Requests to the provider between the gates and the outcome: the second look and the call. A control request after a 403 is
/// paid off by those who come later.
const REQUESTS: u32 = 2;

/// How long to wait for a turn at the provider before an intent is written; longer where the rate is slower than that.
const TURN: Duration = Duration::from_secs(20);

/// How old the live reads may be when the permit is given.
const FRESH: Duration = Duration::from_secs(1);

/// Pause between two tries to write an outcome down.
const AGAIN: Duration = Duration::from_secs(1);

/// An outcome stands in the record within this long, whatever the pass is at. Source: design.md 4.2 step 6.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// What came of it.
enum Came {
    /// Nothing was written, because the provider would have to be waited for.
    NotNow(Failure),
    /// Nothing was written, because somebody else took the last slot of the budget.
    Queued(Next),
    /// Nothing was written, because another process leads, or may soon.
    LeaseLost,
    /// Nothing was written, because the API server refused it: a quota, a missing right, an older CRD.
    Refused,
    /// Somebody else wrote, or nobody knows whether we did: the record says.
    LockLost,
    /// The intent stands in this record, and this is what became of it. Whoever writes it down says so.
    Told(Box<OffboardingRecord>, Box<Unsaved>, oneshot::Sender<()>),
    /// The same, and it is written down already.
    Written(Box<OffboardingRecord>),
}

/// Carries a deletion out.
///
/// # Errors
/// `LeaseLost`: nothing was begun. `SendTask`: the task ended without telling; the attempt has no outcome, and the settle window
/// decides.
pub async fn delete(
    ctx: &Shared,
    case: &mut Case,
    order: &Order,
    checks: &[CheckSeen],
) -> Result<Performed, Error> {
    if ctx.stopping.is_cancelled() {
        return Ok(later(Failure::new(Class::Transient, Cause::NotSent)));
    }
    let Some(errand) = Errand::of(ctx, case, order, checks) else { return Err(Error::Incomplete) };
    ctx.records.remember(&case.origin.uid, &case.plan.target, &errand.record_name);
    let (tell, told) = oneshot::channel();
    ctx.sends.spawn(errand.run(tell));
    match told.await.map_err(|_| Error::SendTask)? {
        Came::NotNow(failure) => return Ok(later(failure)),
        Came::Queued(next) => return Ok(Performed::Later(next)),
        Came::LeaseLost => return Err(Error::LeaseLost),
        Came::Refused => return Ok(Performed::Later(Next::Wait(Waiting::ApiServer))),
        Came::LockLost => case.read_again(ctx).await,
        Came::Written(record) => case.stored = Stored::Read(record),
        Came::Told(record, unsaved, stands) => {
            case.stored = Stored::Read(record);
            case.unsaved = Some(*unsaved);
            case.stands = Some(stands);
        }
    }
    Ok(Performed::Done)
}

impl Errand {
    async fn run(self, tell: oneshot::Sender<Came>) {
        let came = match self.reserve().await {
            Err(failure) => Err(Came::NotNow(failure)),
            Ok(reservation) => self.with_a_turn(reservation).await,
        };
        match came {
            Ok((record, unsaved)) if matches!(unsaved.sent.outcome, Outcome::Unknown(_)) => {
                let record = self.write_down(record, &unsaved).await;
                let _ = tell.send(Came::Written(Box::new(record)));
            }
            Ok((record, unsaved)) => self.hand_over(tell, record, unsaved).await,
            Err(came) => drop(tell.send(came)),
        }
    }

    /// The pass may write it down together with the end. Where nobody listens any more, or it does not stand soon, it is done here:
    /// an outcome that is forgotten would be taken for a call that nobody knows about.
    async fn hand_over(&self, tell: oneshot::Sender<Came>, record: OffboardingRecord, unsaved: Unsaved) {
        let (stands, stood) = oneshot::channel();
        let told = Came::Told(Box::new(record.clone()), Box::new(unsaved.clone()), stands);
        let listens = tell.send(told).is_ok();
        if !listens || !matches!(tokio::time::timeout(WRITTEN_WITHIN, stood).await, Ok(Ok(()))) {
            self.write_down(record, &unsaved).await;
        }
    }

    async fn reserve(&self) -> Result<Arc<Mutex<Reservation>>, Failure> {
        let limiter = &self.connection.limiter;
        let longest = TURN.max(limiter.takes(REQUESTS));
        let turn = limiter.reserve(REQUESTS, self.in_use.credentials.version(), longest);
        let reservation = self.connection.asking.turn(turn).await?;
        Ok(Arc::new(Mutex::new(reservation)))
    }

    /// The record with the intent, and what became of it; or why nothing was begun.
    async fn with_a_turn(
        &self,
        reservation: Arc<Mutex<Reservation>>,
    ) -> Result<(OffboardingRecord, Unsaved), Came> {
        // Here, because the turn may have been waited for.
        if !self.ctx.leadership.outlasts_a_send() || self.ctx.stopping.is_cancelled() {
            return Err(Came::LeaseLost);
        }
        if self.ctx.installation.keys().await.is_none() {
            return Err(Came::Refused);
        }
        let begun = Instant::now();
        let attempt_id = uuid::Uuid::new_v4().to_string();
        if let Some(next) = self.takes_no_slot(&attempt_id) {
            return Err(Came::Queued(next));
        }
        let mut step = self.step(Name::Intent);
        let written = self.write_intent(&attempt_id, begun).await;
        step.say(Key::Outcome, if written.is_ok() { "Written" } else { "NotWritten" });
        drop(step);
        let record = match written {
            Ok(record) => record,
            Err(came) => {
                self.gives_back(&attempt_id);
                return Err(came);
            }
        };
        failpoint!("intent.after");
        let sent = match self.permitted(&reservation).await {
            Ok(permitted) => {
                let mut step = self.step(Name::Send);
                let sent = self.send(begun, &reservation, &permitted, last_n(&record)).await;
                step.came_to(&sent);
                sent
            }
            Err(failure) => Sent::not_sent(failure),
        };
        if matches!(sent.outcome, Outcome::NotSent(_)) {
            self.gives_back(&attempt_id);
        }
        self.tell_the_log(&sent);
        Ok((record, Unsaved { attempt_id, sent, answered_at: (self.ctx.clock)() }))
    }

    /// Takes a slot of the account's budget; where none is left, what is waited for.
    fn takes_no_slot(&self, attempt_id: &str) -> Option<Next> {
        let facts = &self.connection.facts;
        let now = (self.ctx.clock)();
        let seen = self.ctx.budgets.take(&facts.account, facts.budget, &self.place, attempt_id, now);
        waits_for_budget(&facts.account, seen).map(Next::Wait)
    }

    fn gives_back(&self, attempt_id: &str) {
        self.ctx.budgets.give_back(&self.connection.facts.account, attempt_id, (self.ctx.clock)());
    }

    /// Writes the intent: the record's create is the lock, a further attempt replaces exactly what was read. Without a usable
    /// answer the record is read: if its last attempt is ours, and the deadline has not passed, we have it.
    async fn write_intent(&self, attempt_id: &str, begun: Instant) -> Result<OffboardingRecord, Came> {
        let Some(intent) = self.intent(attempt_id) else { return Err(Came::Refused) };
        let spec = record::with_intent(self.stored.as_ref().map(|stored| &stored.spec), &intent, &self.keys);
        if self.stored.is_some() {
            failpoint!("intent.put.before");
        } else {
            failpoint!("intent.create.before");
        }
        match self.ctx.records.write(&self.record_name, self.stored.as_ref(), spec, &self.keys).await {
            Ok(written) => Ok(written),
            Err(ApiError::AlreadyExists | ApiError::Conflict | ApiError::Unanswered) => {
                let Ok(Some(found)) = self.ctx.records.read(&self.record_name).await else {
                    return Err(Came::LockLost);
                };
                let ours = found.spec.attempts.last().is_some_and(|attempt| attempt.id == attempt_id);
                let in_time = begun.elapsed() < self.ctx.timing.send_deadline;
                if ours && in_time && !found.spec.closed { Ok(found) } else { Err(Came::LockLost) }
            }
            Err(error) => {
                tracing::warn!(record = self.record_name, %error, "no intent could be written, nothing is sent");
                Err(Came::Refused)
            }
        }
    }

    fn intent(&self, attempt_id: &str) -> Option<Intent> {
        let nonce: [u8; crate::evidence::SEAL_NONCE_BYTES] = nonce()?;
        Some(Intent {
            request: self.request.clone(),
            provider: self.provider.clone(),
            account: self.connection.facts.account.clone(),
            customer_ref: self.customer_ref.clone(),
            sealed_id: self.keys.seal(&self.record_name, &self.request.uid, &self.customer, nonce).ok()?,
            attempt_id: attempt_id.to_owned(),
            by: self.ctx.process.clone(),
            step: self.connection.facts.declared.step.clone(),
            plan_hash: self.order.plan_hash.clone(),
            target_hash: self.order.target_hash.clone(),
            profile_hash: self.connection.facts.declared.profile_hash.clone(),
            fingerprint: self.order.fingerprint.0.clone(),
            credential: self.in_use.reference.clone(),
            approvals: self.order.approvals.clone(),
            waivers: self.order.waivers.clone(),
            at: (self.ctx.clock)(),
        })
    }

    async fn send(
        &self,
        begun: Instant,
        reservation: &Arc<Mutex<Reservation>>,
        permitted: &Permitted,
        n: i64,
    ) -> Sent {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        let seed = IdempotencySeed { request_uid: &self.request.uid, target: &self.request.target, n };
        let provider = &self.connection.provider;
        let request = match provider.prepare_delete(
            &self.in_use.credentials,
            &self.customer,
            &permitted.captured,
            &seed,
        ) {
            Ok(request) => request,
            Err(failure) => return Sent::not_sent(failure),
        };
        let timing = self.ctx.timing;
        if permitted.read_at.elapsed() > FRESH {
            return Sent::nothing(Class::Transient, Cause::DeadlinePassed);
        }
        let held_until = self.ctx.leadership.held_until().unwrap_or(begun);
        let lease_left = held_until.saturating_duration_since(Instant::now());
        let permit = match grant(begun.elapsed(), timing.send_deadline, lease_left) {
            Ok(permit) => permit,
            Err(refused) => return Sent::nothing(Class::Transient, refused.cause()),
        };
        failpoint!("permit.granted");
        let first_byte_before = (begun + timing.send_deadline).min(held_until);
        let deadline = SendDeadline { first_byte_before, total: timing.request_deadline };
        tracing::info!(record = self.record_name, request = self.request.uid, "sending the deletion, once");
        reservation.lock().await.spend();
        let sending = send(permit, request, &self.connection.endpoint, deadline, self.ctx.clock);
        let result = self.connection.asking.sent(sending).await;
        failpoint!("send.done");
        reservation.lock().await.report(result.heard((self.ctx.clock)()));
        let sent = self.read(result, &permitted.captured).await;
        let sent = self.restricted_or_unauthorized(sent, reservation).await;
        self.ctx.provider_may_have_changed(&self.connection);
        sent
    }

    async fn read(&self, result: SendResult, captured: &Captured) -> Sent {
        match result {
            SendResult::NotSent(failure) => Sent::not_sent(failure),
            SendResult::Unknown { failure, sent_at } => Sent {
                outcome: Outcome::Unknown(failure.clone()),
                sent_at: Some(sent_at),
                ..Sent::not_sent(failure)
            },
            SendResult::Answered { response, sent_at } => {
                let now = (self.ctx.clock)();
                let provider = &self.connection.provider;
                let sent = provider.read_sent(response, &self.customer, captured, sent_at, now).await;
                self.without_credentials(sent)
            }
        }
    }

    /// A provider may repeat what it was sent.
    fn without_credentials(&self, mut sent: Sent) -> Sent {
        let is_harmless = |text: &String| !self.in_use.credentials.occur_in(text);
        sent.request_id = sent.request_id.filter(is_harmless);
        sent.keep.retain(|_, text| is_harmless(text));
        sent
    }

    /// A 403 has two meanings: this customer is restricted, or the credential may not. The control request tells them apart.
    async fn restricted_or_unauthorized(&self, sent: Sent, reservation: &Arc<Mutex<Reservation>>) -> Sent {
        let Outcome::Rejected(failure) = &sent.outcome else { return sent };
        if failure.class != Class::Forbidden {
            return sent;
        }
        let provider = self.connection.reserved(reservation.clone());
        let control = provider.control(&self.in_use.credentials, (self.ctx.clock)()).await;
        let outcome = match control {
            Control::Good => sent.outcome.clone(),
            Control::Bad(bad) if matches!(bad.class, Class::Auth | Class::Forbidden) => {
                Outcome::Rejected(Failure::new(Class::Auth, Cause::AccessDenied))
            }
            Control::Bad(_) => Outcome::Unknown(Failure::new(Class::Transient, Cause::OutcomeUnknown)),
        };
        Sent { outcome, ..sent }
    }

    /// Writes an outcome down, with fresh reads, until it is recorded or the process ends. Never moves one back.
    async fn write_down(&self, mut record: OffboardingRecord, unsaved: &Unsaved) -> OffboardingRecord {
        let mut step = self.step(Name::Outcome);
        step.came_to(&unsaved.sent);
        failpoint!("outcome.put.before");
        loop {
            let forward =
                record::with_outcome(&record.spec, &unsaved.attempt_id, &unsaved.sent, unsaved.answered_at);
            let Some(spec) = forward else { return record };
            match self.ctx.records.write(&self.record_name, Some(&record), spec, &self.keys).await {
                Ok(written) => {
                    failpoint!("outcome.put.after");
                    return written;
                }
                Err(error) => {
                    tracing::warn!(record = self.record_name, %error, "the outcome is not written down yet")
                }
            }
            tokio::time::sleep(AGAIN).await;
            match self.ctx.records.read(&self.record_name).await {
                Ok(Some(found)) => record = found,
                Ok(None) => {
                    tracing::error!(
                        record = self.record_name,
                        "the record was removed while a deletion was under way; its outcome stands in this log only"
                    );
                    return record;
                }
                Err(_) => {}
            }
        }
    }

    pub(super) fn step(&self, name: Name) -> Step {
        self.pass.step(name, Some(self.connection.profile.source().name.as_str()))
    }

    fn tell_the_log(&self, sent: &Sent) {
        let failure = sent.outcome.failure();
        self.ctx.metrics.sent(self.connection.asking.profile(), &sent.outcome);
        tracing::info!(
            record = self.record_name,
            request = self.request.uid,
            outcome = %sent.outcome.word(),
            class = failure.map(|failure| failure.class.as_str()),
            cause = failure.map(|failure| failure.cause.as_str()),
            status = sent.http_status,
            "what became of the deletion"
        );
    }
}

fn last_n(record: &OffboardingRecord) -> i64 {
    record.spec.attempts.last().map_or(0, |attempt| attempt.n)
}

fn nonce<const N: usize>() -> Option<[u8; N]> {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}
