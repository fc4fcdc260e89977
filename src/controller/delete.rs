//! The destructive path, step by step. Each step can only say no; none can choose something else.
//!
//! reserve → intent → look again and read everything live → permit → send once → outcome
//!
//! It runs in a task of its own that neither a dropped reconcile nor SIGTERM cancels. What it cannot hand back, it writes down.

use std::{sync::Arc, time::Duration};

use kube::ResourceExt as _;
use tokio::{
    sync::{Mutex, oneshot},
    time::Instant,
};

use super::{
    api_server::ApiError,
    budgets::Place,
    case::{Case, InUse, Stored, Unsaved, credentials_of},
    cases,
    connection::Connection,
    consents,
    context::Shared,
    error::Error,
    holds,
    observe::look_of,
    perform::{Performed, later},
    policies,
    provider_kinds::ProviderKey,
    secrets,
};
use crate::{
    api::{CustomerOffboarding, OffboardingRecord, RecordProvider, RecordRequest},
    domain::{
        ApprovalsSeen, BudgetSeen, Cause, CheckSeen, Class, Control, CustomerId, CustomerSeen,
        CustomerSource, Failure, Live, Next, Observation, Order, Outcome, Plan, PolicyState, ProviderSeen,
        Sent, Waiting, Whole, grant, nothing_changed, waits_for_budget,
    },
    evidence::{
        Keys,
        record::{self, Intent},
    },
    failpoint,
    providers::{
        Captured, IdempotencySeed,
        http::{Reservation, SendDeadline, SendResult, send},
    },
};

/// Requests to the provider between the gates and the outcome: the second look and the call. A control request after a 403 is
/// paid off by those who come later.
const REQUESTS: u32 = 2;

/// How long to wait for a turn at the provider before an intent is written.
const TURN: Duration = Duration::from_secs(20);

/// How old the live reads may be when the permit is given.
const FRESH: Duration = Duration::from_secs(1);

/// Pause between two tries to write an outcome down.
const AGAIN: Duration = Duration::from_secs(1);

/// Everything that the task needs, taken out of the case.
struct Errand {
    ctx: Shared,
    connection: Arc<Connection>,
    keys: Arc<Keys>,
    plan: Plan,
    order: Order,
    checks: Vec<CheckSeen>,
    in_use: InUse,
    customer: CustomerId,
    customer_ref: String,
    request: RecordRequest,
    provider: RecordProvider,
    record_name: String,
    stored: Option<OffboardingRecord>,
    /// Its place in the queue of the account.
    place: Place,
    /// What was seen of the request as a whole.
    whole: Arc<Whole>,
}

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
    /// The intent stands in this record, and this is what became of it.
    Told(Box<OffboardingRecord>, Box<Unsaved>),
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
    let Some(errand) = errand(ctx, case, order, checks) else { return Err(Error::Incomplete) };
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
        Came::Told(record, unsaved) => {
            case.stored = Stored::Read(record);
            case.unsaved = Some(*unsaved);
        }
    }
    Ok(Performed::Done)
}

fn errand(ctx: &Shared, case: &Case, order: &Order, checks: &[CheckSeen]) -> Option<Errand> {
    Some(Errand {
        ctx: ctx.clone(),
        connection: case.connection.clone()?,
        keys: case.keys.clone()?,
        plan: case.plan.clone(),
        order: order.clone(),
        checks: checks.to_vec(),
        in_use: case.in_use.clone()?,
        customer: case.customer.clone()?,
        customer_ref: case.customer_ref.clone()?,
        request: case.record_request()?,
        provider: case.record_provider()?,
        record_name: case.record_name.clone()?,
        place: cases::place(case.whole.created_at, case),
        whole: case.whole.clone(),
        stored: match &case.stored {
            Stored::Read(stored) => Some(stored.as_ref().clone()),
            Stored::None => None,
            Stored::NotRead | Stored::Unread => return None,
        },
    })
}

/// Nothing changed since the intent.
struct Permitted {
    captured: Captured,
    /// When the live reads began.
    read_at: Instant,
}

impl Errand {
    async fn run(self, tell: oneshot::Sender<Came>) {
        let came = match self.reserve().await {
            Err(failure) => Came::NotNow(failure),
            Ok(reservation) => self.with_a_turn(reservation).await,
        };
        if let Came::Told(record, unsaved) = came {
            let at_once = matches!(unsaved.sent.outcome, Outcome::Unknown(_));
            match (at_once, tell.is_closed()) {
                (false, false) => self.hand_back(tell, record, unsaved).await,
                _ => {
                    let record = self.write_down(*record, &unsaved).await;
                    let _ = tell.send(Came::Written(Box::new(record)));
                }
            }
        } else {
            let _ = tell.send(came);
        }
    }

    /// Where nobody listens any more, it is written down here.
    async fn hand_back(
        &self,
        tell: oneshot::Sender<Came>,
        record: Box<OffboardingRecord>,
        unsaved: Box<Unsaved>,
    ) {
        if let Err(Came::Told(record, unsaved)) = tell.send(Came::Told(record, unsaved)) {
            self.write_down(*record, &unsaved).await;
        }
    }

    async fn reserve(&self) -> Result<Arc<Mutex<Reservation>>, Failure> {
        let limiter = &self.connection.limiter;
        let reservation = limiter.reserve(REQUESTS, self.in_use.credentials.version(), TURN).await?;
        Ok(Arc::new(Mutex::new(reservation)))
    }

    async fn with_a_turn(&self, reservation: Arc<Mutex<Reservation>>) -> Came {
        // Here, because the turn may have been waited for.
        if !self.ctx.leadership.outlasts_a_send() {
            return Came::LeaseLost;
        }
        let begun = Instant::now();
        let attempt_id = uuid::Uuid::new_v4().to_string();
        if let Some(next) = self.takes_no_slot(&attempt_id) {
            return Came::Queued(next);
        }
        let record = match self.write_intent(&attempt_id, begun).await {
            Ok(record) => record,
            Err(came) => {
                self.gives_back(&attempt_id);
                return came;
            }
        };
        failpoint!("intent.after");
        let sent = match self.permitted(&reservation).await {
            Ok(permitted) => self.send(begun, &reservation, &permitted, last_n(&record)).await,
            Err(failure) => Sent::not_sent(failure),
        };
        if matches!(sent.outcome, Outcome::NotSent(_)) {
            self.gives_back(&attempt_id);
        }
        self.tell_the_log(&sent);
        Came::Told(Box::new(record), Box::new(Unsaved { attempt_id, sent, answered_at: (self.ctx.clock)() }))
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
            at: (self.ctx.clock)(),
        })
    }

    /// Looks at the customer once more, then reads everything else live and at once. Anything off or unanswered: no.
    async fn permitted(&self, reservation: &Arc<Mutex<Reservation>>) -> Result<Permitted, Failure> {
        let provider = self.connection.reserved(reservation.clone());
        failpoint!("relook.before");
        let sighting = provider.look(&self.in_use.credentials, &self.customer, (self.ctx.clock)()).await;
        failpoint!("relook.after");
        let look = look_of(&self.keys, &sighting);
        let read_at = Instant::now();
        let ((plan, author), (provider, credential), customer, consent, budget, holds) = futures::join!(
            self.request_now(),
            self.provider_now(),
            self.customer_now(),
            self.consent_now(),
            self.budget_now(),
            holds::live(&self.ctx.api, &self.ctx.operator_namespace, &self.keys),
        );
        failpoint!("reread.after");
        let now = (self.ctx.clock)();
        let (approvals, policies) = consent;
        let provider_name = self.connection.facts.object_name();
        let seen = Observation {
            key_is_good: true,
            provider,
            customer,
            credential,
            look: Some(look),
            created_long_ago: false,
            control: None,
            checks: self.checks.clone(),
            hold: holds.on(Some(&self.customer_ref), &provider_name, now),
            budget,
            whole: Arc::new(Whole {
                approvals,
                policies,
                author,
                told: None,
                created_at: self.whole.created_at,
            }),
        };
        let send_takes = self.ctx.timing.request_deadline;
        let live = Live { plan: plan.as_ref(), seen: &seen, now, send_takes };
        nothing_changed(&self.order, &self.in_use.reference, &live)?;
        Ok(Permitted { captured: sighting.captured, read_at })
    }

    /// The request as it is now, and who asked; one that is deleted, being deleted, re-created under its name, or finished is
    /// withdrawn.
    async fn request_now(&self) -> (Option<Plan>, Option<String>) {
        let found =
            self.ctx.api.get::<CustomerOffboarding>(&self.request.namespace, &self.request.name).await;
        let Ok(found) = found else { return (None, None) };
        let withdrawn = Plan { wish: crate::domain::Wish::Withdrawn, ..self.plan.clone() };
        let Some(found) = found else { return (Some(withdrawn), None) };
        let same = found.uid().as_deref() == Some(&self.request.uid)
            && found.metadata.deletion_timestamp.is_none()
            && !found.is_finished();
        if !same {
            return (Some(withdrawn), None);
        }
        let plans = Plan::of_each_target(&self.request.uid, &found.spec).unwrap_or_default();
        (plans.into_iter().find(|plan| plan.target == self.plan.target), cases::author(&found))
    }

    /// What people say now, and whether the policies prove it; asked only where somebody must agree.
    async fn consent_now(&self) -> (ApprovalsSeen, PolicyState) {
        if self.order.demands.required == 0 {
            return (self.ctx.consents.about(&self.request.uid), self.ctx.policies());
        }
        let (approvals, policies) = futures::join!(
            consents::live(&self.ctx.api, &self.request.namespace, &self.request.uid),
            policies::live(&self.ctx.api),
        );
        self.ctx.learn_policies(policies.clone());
        (approvals, policies)
    }

    /// Whether the account has seen more than it may, this attempt included, by the records as they are now.
    async fn budget_now(&self) -> BudgetSeen {
        let facts = &self.connection.facts;
        match self.ctx.budgets.is_exceeded(&facts.account, facts.budget, (self.ctx.clock)()).await {
            Ok(false) => BudgetSeen::Free,
            Ok(true) => BudgetSeen::Full { until: None },
            Err(_) => BudgetSeen::Unread,
        }
    }

    async fn provider_now(&self) -> (ProviderSeen, Option<String>) {
        let facts = &self.connection.facts;
        let Ok(found) = ProviderKey::of(facts).read(&self.ctx.api).await else {
            return (ProviderSeen::Found(Box::new(facts.clone())), None);
        };
        let Some(found) = found.filter(|found| found.serves(&self.request.namespace)) else {
            return (ProviderSeen::NotFound, None);
        };
        let credential = credentials_of(&self.ctx, &found, &self.connection, &self.keys).await;
        let seen = match self.ctx.connections.of(&found).await {
            Ok(connection) => ProviderSeen::Found(Box::new(connection.facts.clone())),
            Err(unusable) => ProviderSeen::Unusable(unusable.reason),
        };
        (seen, credential.ok().map(|in_use| in_use.reference))
    }

    /// The id as it is now: where a Secret holds it, it must still be the one that was looked at.
    async fn customer_now(&self) -> CustomerSeen {
        let known = CustomerSeen::Known { reference: self.customer_ref.clone() };
        match &self.plan.customer {
            CustomerSource::Literal(_) | CustomerSource::Sealed => known,
            CustomerSource::Secret(from) => {
                match secrets::customer_id(&self.ctx.api, &self.request.namespace, from).await {
                    Ok(customer) => CustomerSeen::Known { reference: self.keys.customer_ref(&customer) },
                    Err(_) => CustomerSeen::SecretUnavailable,
                }
            }
        }
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
        let result = send(permit, request, &self.connection.endpoint, deadline, self.ctx.clock).await;
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
            if let Ok(Some(found)) = self.ctx.records.read(&self.record_name).await {
                record = found;
            }
        }
    }

    fn tell_the_log(&self, sent: &Sent) {
        let failure = sent.outcome.failure();
        self.ctx.metrics.sent(&self.connection.profile.source().name, sent.outcome.word());
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
