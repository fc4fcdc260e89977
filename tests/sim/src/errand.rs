//! The destructive path, step by step: slot → intent → look again and read everything live → permit → send once → outcome.

use std::{collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};

use offboarding::{
    api::{RecordProvider, RecordRequest},
    domain::{
        Approval, ApprovalsSeen, BudgetSeen, Cause, CheckSeen, Class, CustomerSeen, DestructivePermit,
        Failure, Grant, HoldSeen, Live, Look, Next, Observation, Order, Outcome, Plan, PolicyState,
        ProviderSeen, Says, Sent, TIME_TO_LEAVE, Waiting, Whole, Wish, grant, nothing_changed,
        waits_for_budget,
    },
    evidence::{
        SEAL_NONCE_BYTES,
        record::{self, Intent},
    },
};

use crate::{
    api::{Refusal, Stored, View},
    budget,
    bugs::Bug,
    case::{Case, Read, Unsaved, approvals, as_it_seems, credential, hold_on, millis},
    operator::Handle,
    pass::look_at,
    people::{KEYS, id_of},
    perform::put,
    scenario::{Answer, Ms, Point, SECOND},
};

/// How old the live reads may be when the permit is given.
const FRESH: Ms = SECOND;

/// What came of it.
pub enum Came {
    /// Nothing was written, and it is not the time for it.
    Later(Next),
    /// Nothing was written, because another process leads, or may soon.
    LeaseLost,
    /// Somebody else wrote, or nobody knows whether we did: the record says.
    LockLost,
    /// The intent stands in this record; what became of it, where that is not written down yet.
    Told(Rc<Stored>, Option<Unsaved>),
}

struct Errand<'a> {
    handle: &'a Handle,
    case: &'a Case,
    order: &'a Order,
    checks: &'a [CheckSeen],
    credential: String,
    request: RecordRequest,
    provider: RecordProvider,
    record_name: String,
    stored: Option<Rc<Stored>>,
    attempt_id: String,
    begun: Ms,
    bug: Option<Bug>,
}

/// Carries a deletion out.
pub async fn delete(handle: &Handle, case: &Case, order: &Order, checks: &[CheckSeen]) -> Came {
    let not_now = || Came::Later(Next::Wait(Waiting::ApiServer));
    handle.comes_to(Point::Ordered).await;
    let stored = match &case.stored {
        Read::Found(stored) => Some(stored.clone()),
        Read::None => None,
        Read::NotAsked | Read::Unread => return not_now(),
    };
    let (Some(request), Some(provider), Some(record_name), Some(credential)) =
        (case.record_request(), case.record_provider(), case.record_name.clone(), case.credential.clone())
    else {
        return not_now();
    };
    let (begun, bug) = (handle.now(), handle.world().bug);
    let lease_left = handle.world().held_until(handle.operator).saturating_sub(begun);
    if Duration::from_millis(lease_left) < TIME_TO_LEAVE {
        return Came::LeaseLost;
    }
    let attempt_id = {
        let mut world = handle.world();
        world.last_attempt += 1;
        format!("attempt-{}", world.last_attempt)
    };
    let errand = Errand {
        handle,
        case,
        order,
        checks,
        credential,
        request,
        provider,
        record_name,
        stored,
        attempt_id,
        begun,
        bug,
    };
    errand.run().await
}

impl Errand<'_> {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn seen_provider(&self) -> Option<&offboarding::domain::ProviderFacts> {
        match &self.case.provider {
            ProviderSeen::Found(provider) => Some(provider),
            ProviderSeen::NotFound | ProviderSeen::Unusable(_) => None,
        }
    }

    async fn run(&self) -> Came {
        let Some(provider) = self.seen_provider() else { return Came::LeaseLost };
        let slot = budget::take(self.handle, self.case.place, provider.budget, &self.attempt_id);
        if let Some(full) = waits_for_budget(&provider.account, slot) {
            return Came::Later(Next::Wait(full));
        }
        if self.has(Bug::SendsBeforeTheRecordExists) {
            let _ = self.send_bytes(Ms::MAX).await;
        }
        let record = match self.write_intent().await {
            Ok(record) => record,
            Err(came) => {
                budget::give_back(self.handle, self.case.place, &self.attempt_id);
                return came;
            }
        };
        self.handle.comes_to(Point::Intended).await;
        let sent = match self.permitted().await {
            Ok((read_at, unread)) => self.send(read_at, unread).await,
            Err(failure) => Sent::not_sent(failure),
        };
        if matches!(sent.outcome, Outcome::NotSent(_)) {
            budget::give_back(self.handle, self.case.place, &self.attempt_id);
        }
        let word = match &sent.outcome {
            Outcome::NotSent(_) => "outcome NotSent",
            Outcome::Unknown(_) => "outcome Unknown",
            Outcome::Rejected(_) => "outcome Rejected",
            Outcome::Accepted => "outcome Accepted",
        };
        let why = || format!("{} {:?}", self.attempt_id, sent.outcome);
        self.handle.world().say(word, &[self.handle.operator], why);
        let unsaved = Unsaved { attempt_id: self.attempt_id.clone(), sent, answered_at: self.handle.wall() };
        if matches!(unsaved.sent.outcome, Outcome::Unknown(_)) {
            return Came::Told(self.write_down(record, &unsaved).await, None);
        }
        Came::Told(record, Some(unsaved))
    }

    /// Writes the intent. Without a usable answer the record is read: if its last attempt is ours, and it is in time, we have it.
    async fn write_intent(&self) -> Result<Rc<Stored>, Came> {
        let Some(intent) = self.intent() else { return Err(Came::LockLost) };
        let spec = record::with_intent(self.stored.as_ref().map(|stored| &stored.spec), &intent, &KEYS);
        self.handle.comes_to(Point::IntentWrite).await;
        match put(self.handle, &self.record_name, self.stored.as_deref(), spec.clone()).await {
            Ok(written) => Ok(written),
            Err(Refusal::Unanswered) if self.has(Bug::TakesNoAnswerForYes) => {
                Ok(Rc::new(Stored::new(self.record_name.clone(), 0, spec)))
            }
            Err(Refusal::AlreadyExists | Refusal::Conflict | Refusal::Unanswered) => {
                let found = self.handle.get(|world| self.stored_now(world.api.view())).await;
                let Ok(Some(found)) = found else { return Err(Came::LockLost) };
                let ours = found.spec.attempts.last().is_some_and(|last| last.id == self.attempt_id);
                let deadline = self.handle.world().scenario.timing.send_deadline;
                let in_time = self.handle.now() - self.begun < deadline;
                if ours && in_time && !found.spec.closed { Ok(found) } else { Err(Came::LockLost) }
            }
            Err(Refusal::NotFound) => Err(Came::LockLost),
        }
    }

    fn stored_now(&self, view: &View) -> Option<Rc<Stored>> {
        view.records.get(&self.record_name).cloned()
    }

    fn intent(&self) -> Option<Intent> {
        let provider = self.seen_provider()?;
        let id = id_of(self.case.customer);
        Some(Intent {
            request: self.request.clone(),
            provider: self.provider.clone(),
            account: provider.account.clone(),
            customer_ref: self.case.customer_ref.clone()?,
            sealed_id: KEYS.seal(&self.record_name, &self.request.uid, &id, [7; SEAL_NONCE_BYTES]).ok()?,
            attempt_id: self.attempt_id.clone(),
            by: format!("{}-{}", self.handle.operator, self.handle.epoch),
            step: provider.declared.step.clone(),
            plan_hash: self.order.plan_hash.clone(),
            target_hash: self.order.target_hash.clone(),
            profile_hash: provider.declared.profile_hash.clone(),
            fingerprint: self.order.fingerprint.0.clone(),
            credential: self.credential.clone(),
            approvals: self.order.approvals.clone(),
            waivers: self.order.waivers.clone(),
            at: self.handle.wall(),
        })
    }

    /// One of the reads that go out together: they are answered one after the other, and soon.
    async fn glance<T>(&self, read: impl FnOnce(&View) -> T) -> Option<T> {
        let most = self.handle.world().scenario.timing.call / 6;
        let took = self.handle.me(|me| me.rng.between(0, most));
        self.handle.pause(took).await;
        let world = self.handle.world();
        (world.now >= world.api.unavailable_until).then(|| read(world.api.view()))
    }

    /// Looks at the customer once more, then reads everything else live and at once; when, and whether anything stayed unread.
    async fn permitted(&self) -> Result<(Ms, bool), Failure> {
        let (place, bug) = (self.case.place, self.bug);
        let look = if self.has(Bug::DoesNotLookAgain) {
            Look::Present(self.order.fingerprint.clone())
        } else {
            look_at(self.handle, place, self.case.customer).await.look
        };
        let is_silent = matches!(look, Look::Unknown(_));
        self.handle.comes_to(Point::LookedAgain).await;
        let read_at = self.handle.now();
        let request = self.glance(|view| view.requests.get(&self.case.request).cloned()).await;
        let provider = self.glance(|view| view.providers[place].clone()).await;
        let secret = self.glance(|view| credential(view, place)).await;
        let (uid, hash) = (&self.request.uid, &self.order.plan_hash);
        let said = self.glance(|view| approvals(view, uid, Some(hash), bug)).await;
        let policies = self.glance(|view| view.policies.as_ref().clone()).await;
        let spent = self.glance(|view| budget::sent_in(view, place)).await;
        let customer_ref = self.case.customer_ref.as_deref();
        let (facts, now) = (self.seen_provider().cloned(), self.handle.wall());
        let held =
            self.glance(|view| facts.as_ref().map(|facts| hold_on(view, customer_ref, facts, now))).await;
        self.handle.comes_to(Point::ReadAgain).await;
        let unread = is_silent
            || [request.is_none(), provider.is_none(), secret.is_none(), spent.is_none(), held.is_none()]
                .contains(&true)
            || self.order.demands.required > 0 && (said.is_none() || policies.is_none());
        let (plan, author) = self.plan_now(request);
        let provider = match provider {
            None => {
                facts.clone().map_or(ProviderSeen::NotFound, |facts| ProviderSeen::Found(Box::new(facts)))
            }
            Some(None) => ProviderSeen::NotFound,
            Some(Some(object)) => ProviderSeen::Found(Box::new(as_it_seems(&object.facts, bug))),
        };
        let limits = facts.as_ref().map(|facts| facts.budget).unwrap_or_default();
        let budget = match spent {
            _ if self.has(Bug::CountsTheBudgetAfterTheSend) => BudgetSeen::Free,
            None if !limits.is_unlimited() => BudgetSeen::Unread,
            Some(sent) if limits.is_exceeded(&values(&sent), self.handle.wall()) => {
                BudgetSeen::Full { until: None }
            }
            None | Some(_) => BudgetSeen::Free,
        };
        let whole = Whole {
            approvals: said.unwrap_or(ApprovalsSeen::Unread),
            policies: policies.unwrap_or(PolicyState::Unanswered),
            author,
            told: None,
            created_at: self.case.whole.created_at,
        };
        let mut seen = Observation {
            key_is_good: true,
            provider,
            customer: CustomerSeen::Known { reference: self.case.customer_ref.clone().unwrap_or_default() },
            credential: secret.flatten(),
            look: Some(look),
            looked_at: Duration::ZERO,
            created_long_ago: false,
            control: None,
            checks: self.checks.to_vec(),
            hold: held.flatten().unwrap_or(HoldSeen::Unread),
            budget,
            whole: Arc::new(self.misread(whole)),
        };
        if self.has(Bug::DoesNotReadHoldsAgain) {
            seen.hold = HoldSeen::Free;
            if let ProviderSeen::Found(provider) = &mut seen.provider {
                provider.suspended = false;
            }
        }
        let send_takes = Duration::from_millis(self.handle.world().scenario.timing.request_deadline);
        let live = Live { plan: plan.as_ref(), seen: &seen, now: self.handle.wall(), send_takes };
        nothing_changed(self.order, &self.credential, &live)?;
        Ok((read_at, unread))
    }

    fn misread(&self, mut whole: Whole) -> Whole {
        let over = Duration::from_secs(300 * 3_600);
        if self.has(Bug::JudgesApprovalsOnlyBeforeTheIntent) {
            let again = |used: &offboarding::api::UsedApproval| Approval {
                uid: used.uid.clone(),
                approver: used.approver.clone(),
                says: Says::Approve {
                    plan_hash: self.order.plan_hash.clone(),
                    grants: vec![Grant::Delete],
                    expires_at: used.at + over,
                },
                created_at: used.at,
            };
            whole.approvals = ApprovalsSeen::Seen(self.order.approvals.iter().map(again).collect());
            whole.policies = self.case.whole.policies.clone();
        }
        if let (true, ApprovalsSeen::Seen(said)) =
            (self.has(Bug::ChecksExpiryOnlyBeforeTheIntent), &mut whole.approvals)
        {
            let used = |uid: &String| self.order.approvals.iter().any(|used| used.uid == *uid);
            for approval in said.iter_mut().filter(|approval| used(&approval.uid)) {
                if let Says::Approve { expires_at, .. } = &mut approval.says {
                    *expires_at = approval.created_at + over;
                }
            }
        }
        whole
    }

    /// The request as it is now; one that is deleted, re-created under its name, or finished is withdrawn.
    fn plan_now(&self, found: Option<Option<Rc<crate::api::Request>>>) -> (Option<Plan>, Option<String>) {
        if self.has(Bug::DoesNotReadTheRequestAgain) {
            return (Some(self.case.plan.clone()), self.case.whole.author.clone());
        }
        let Some(found) = found else { return (None, None) };
        let same = found.filter(|found| found.uid == self.request.uid && !found.status.finished);
        let Some(found) = same else {
            return (Some(Plan { wish: Wish::Withdrawn, ..self.case.plan.clone() }), None);
        };
        let plans = Plan::of_each_target(&self.request.uid, &found.spec).unwrap_or_default();
        let mine = plans.into_iter().find(|plan| plan.target == self.case.plan.target);
        (mine, found.author.clone())
    }

    async fn send(&self, read_at: Ms, unread: bool) -> Sent {
        let timing = self.handle.world().scenario.timing;
        let now = self.handle.now();
        if now - read_at > FRESH && !self.has(Bug::IgnoresTheSendDeadline) {
            return Sent::nothing(Class::Transient, Cause::DeadlinePassed);
        }
        let held_until = self.handle.world().held_until(self.handle.operator);
        let lease_left = Duration::from_millis(held_until.saturating_sub(now));
        let since = if self.has(Bug::IgnoresTheSendDeadline) { 0 } else { now - self.begun };
        let (since, deadline) = (Duration::from_millis(since), Duration::from_millis(timing.send_deadline));
        let permit = match grant(since, deadline, lease_left) {
            Ok(permit) => permit,
            Err(refused) => return Sent::nothing(Class::Transient, refused.cause()),
        };
        self.handle.world().on_permit(&self.attempt_id, unread);
        let first_byte_before = if self.has(Bug::IgnoresTheSendDeadline) {
            Ms::MAX
        } else {
            (self.begun + millis(deadline)).min(held_until)
        };
        self.handle.comes_to(Point::Permitted).await;
        let sent = self.send_once(permit, first_byte_before).await;
        if self.has(Bug::KeepsThePermitForARetry) && matches!(sent.outcome, Outcome::Unknown(_)) {
            return self.send_bytes(first_byte_before).await;
        }
        sent
    }

    /// The permit is spent.
    async fn send_once(&self, _spent: DestructivePermit, first_byte_before: Ms) -> Sent {
        self.send_bytes(first_byte_before).await
    }

    async fn send_bytes(&self, first_byte_before: Ms) -> Sent {
        let place = self.case.place;
        self.handle.half_a_call().await;
        let (sent_at, flight, answer) = {
            let mut world = self.handle.world();
            if world.now >= first_byte_before {
                return Sent::nothing(Class::Transient, Cause::DeadlinePassed);
            }
            let answer = world.answer(place);
            if answer == Answer::NoConnection {
                return Sent::nothing(Class::Transient, Cause::ConnectFailed);
            }
            let attempt = self.attempt_id.clone();
            let flight = world.takes_off(self.handle.operator, place, self.case.customer, attempt, answer);
            (world.now, flight, answer)
        };
        self.handle.comes_to(Point::Sent).await;
        let answered_at = self.handle.world().saas.flights[flight].answered_at;
        self.handle.until(answered_at).await;
        let sent_at = crate::world::wall(sent_at);
        let outcome = {
            let world = self.handle.world();
            world.saas.outcome(world.now, flight, answer)
        };
        self.handle.comes_to(Point::Answered).await;
        Sent { outcome, sent_at: Some(sent_at), http_status: None, request_id: None, keep: BTreeMap::new() }
    }

    /// Writes an outcome down, with fresh reads, until it is recorded or the process ends.
    async fn write_down(&self, mut record: Rc<Stored>, unsaved: &Unsaved) -> Rc<Stored> {
        self.handle.comes_to(Point::OutcomeWrite).await;
        loop {
            let forward =
                record::with_outcome(&record.spec, &unsaved.attempt_id, &unsaved.sent, unsaved.answered_at);
            let Some(spec) = forward else { return record };
            if let Ok(written) = put(self.handle, &self.record_name, Some(&record), spec).await {
                self.handle.comes_to(Point::OutcomeWritten).await;
                return written;
            }
            self.handle.pause(SECOND).await;
            if let Ok(Some(found)) = self.handle.get(|world| self.stored_now(world.api.view())).await {
                record = found;
            }
        }
    }
}

fn values(sent: &BTreeMap<String, jiff::Timestamp>) -> Vec<jiff::Timestamp> {
    sent.values().copied().collect()
}
