//! One customer at one provider, as a pass works on it: where it comes from, its record, its provider object, its id.

use std::{rc::Rc, sync::Arc, time::Duration};

use jiff::Timestamp;
use offboarding::{
    api::{RecordProvider, RecordRequest},
    domain::{
        Approval, ApprovalsSeen, BudgetSeen, CustomerId, CustomerSeen, CustomerSource, Facts, HoldSeen,
        HoldsSeen, Memory, Observation, Outcome, Plan, ProviderFacts, ProviderSeen, Says, Sent, Told, Whole,
        Wish, mode_of,
    },
    evidence::record,
};

use crate::{
    api::{ProviderObject, Request, Stored, View, Watched},
    bugs::Bug,
    operator::Handle,
    people::{KEYS, number_of},
    scenario::Ms,
};

/// The record as this pass last read or wrote it.
#[derive(Clone, Debug)]
pub enum Read {
    NotAsked,
    Unread,
    None,
    Found(Rc<Stored>),
}

/// An outcome that only this process knows.
#[derive(Clone, Debug)]
pub struct Unsaved {
    pub attempt_id: String,
    pub sent: Sent,
    pub answered_at: Timestamp,
}

/// One customer at one provider.
pub struct Case {
    /// The request's name.
    pub request: usize,
    pub plan: Plan,
    pub object: Option<Rc<ProviderObject>>,
    pub provider: ProviderSeen,
    /// Places of the provider and the customer in the scenario.
    pub place: usize,
    pub customer: usize,
    pub seen: CustomerSeen,
    pub customer_ref: Option<String>,
    pub record_name: Option<String>,
    pub stored: Read,
    pub unsaved: Option<Unsaved>,
    pub credential: Option<String>,
    pub memory: Memory,
    pub hold: HoldSeen,
    pub budget: BudgetSeen,
    pub whole: Arc<Whole>,
    bug: Option<Bug>,
}

impl Case {
    fn begin(handle: &Handle, request: usize, plan: Plan) -> Self {
        Self {
            request,
            place: number_of(&plan.provider),
            customer: 0,
            plan,
            object: None,
            provider: ProviderSeen::NotFound,
            seen: CustomerSeen::NotAsked,
            customer_ref: None,
            record_name: None,
            stored: Read::NotAsked,
            unsaved: None,
            credential: None,
            memory: Memory::default(),
            hold: HoldSeen::Unread,
            budget: BudgetSeen::Unread,
            whole: Arc::new(Whole::unread()),
            bug: handle.world().bug,
        }
    }

    /// The case of a request: its record first, because what is finished needs nothing else.
    pub async fn of_request(handle: &Handle, object: &Request, plan: Plan) -> Self {
        let key = (object.uid.clone(), plan.target.clone());
        let told = || object.status.targets.iter().find(|target| target.name == plan.target)?.record.clone();
        let hint = handle.me(|me| me.of_target.get(&key).cloned()).or_else(told);
        let mut case = Self::begin(handle, object.name, plan);
        if let Some(name) = hint {
            case.read_record(handle, &name).await;
        }
        let is_mine = match &case.stored {
            Read::Found(stored) => record::is_about(&stored.spec, &object.uid),
            Read::Unread => true,
            Read::NotAsked | Read::None => false,
        };
        if !is_mine {
            case.stored = Read::NotAsked;
            (case.record_name, case.customer_ref, case.memory) = (None, None, Memory::default());
        }
        if !case.is_closed() {
            case.complete(handle).await;
        }
        case
    }

    /// The case of an open record whose request is gone.
    pub async fn of_record(handle: &Handle, record: &Stored) -> Self {
        let RecordRequest { name, uid, target, mode, .. } = record.spec.request.clone();
        let plan = Plan {
            request_uid: uid,
            wish: Wish::Withdrawn,
            customer: CustomerSource::Sealed,
            person: None,
            target,
            provider_kind: record.spec.provider.kind.parse().unwrap_or_default(),
            provider: record.spec.provider.name.clone(),
            mode: Some(mode),
            depends_on: Vec::new(),
            accept_absent: false,
            reason: None,
            not_before: None,
        };
        let mut case = Self::begin(handle, number_of(&name), plan);
        case.read_record(handle, &record.name).await;
        if !case.is_closed() {
            case.complete(handle).await;
        }
        case
    }

    /// What the record says, with the outcome that is not written down yet.
    pub fn facts(&self) -> Facts {
        let stored = match &self.stored {
            Read::Unread => return Facts::Unread,
            Read::NotAsked | Read::None => return Facts::None,
            Read::Found(stored) => stored,
        };
        let facts = stored.facts_of(&self.plan.request_uid);
        let facts = match (facts, &self.unsaved) {
            (Facts::Mine(mut mine), Some(unsaved)) => {
                if let Some(last) = mine.attempts.last_mut().filter(|last| last.id == unsaved.attempt_id) {
                    last.outcome = Some(unsaved.sent.outcome.clone());
                    last.answered_at = last.answered_at.or(Some(unsaved.answered_at));
                    mine.unsaved = true;
                }
                Facts::Mine(mine)
            }
            (facts, _) => facts,
        };
        match (self.bug, facts) {
            (Some(Bug::TakesAnOpenRecordOver), Facts::Theirs) => Facts::None,
            (Some(Bug::OpensAClosedRecordAgain), Facts::Mine(mine)) if mine.closed.is_some() => Facts::None,
            (Some(Bug::TriesForEver), Facts::Mine(mut mine)) => {
                mine.attempts = mine.attempts.pop().into_iter().collect();
                Facts::Mine(mine)
            }
            (_, facts) => facts,
        }
    }

    pub fn is_closed(&self) -> bool {
        matches!(self.facts(), Facts::Mine(mine) if mine.closed.is_some())
    }

    async fn read_record(&mut self, handle: &Handle, name: &str) {
        self.stored = match handle.get(|world| world.api.view().records.get(name).cloned()).await {
            Ok(Some(stored)) => {
                self.customer_ref = Some(stored.spec.customer_ref.clone());
                let request = &stored.spec.request;
                if request.uid == self.plan.request_uid {
                    let key = (request.uid.clone(), request.target.clone());
                    handle.me(|me| me.of_target.insert(key, name.to_owned()));
                }
                Read::Found(stored)
            }
            Ok(None) => Read::None,
            Err(_) => Read::Unread,
        };
        self.record_name = Some(name.to_owned());
        self.memory = handle.me(|me| me.memories.get(name).cloned().unwrap_or_default());
    }

    /// Nobody knows whether it has a record.
    pub fn mark_unread(&mut self) {
        self.stored = Read::Unread;
    }

    pub async fn read_again(&mut self, handle: &Handle) {
        if let Some(name) = self.record_name.clone() {
            self.read_record(handle, &name).await;
        }
    }

    fn version(&self) -> Option<u64> {
        match &self.stored {
            Read::Found(stored) => Some(stored.version),
            Read::NotAsked | Read::Unread | Read::None => None,
        }
    }

    /// Whether the record is still the one that this turn decided by, or still not there.
    pub async fn is_unchanged(&mut self, handle: &Handle) -> bool {
        let before = self.version();
        self.read_again(handle).await;
        !matches!(self.stored, Read::Unread) && self.version() == before
    }

    /// Provider, id, record and credential, in the order in which each needs the one before.
    async fn complete(&mut self, handle: &Handle) {
        let view = handle.world().cache(handle.operator, Watched::Providers);
        let Some(object) = view.providers.get(self.place).cloned().flatten() else { return };
        self.provider = ProviderSeen::Found(Box::new(as_it_seems(&object.facts, self.bug)));
        self.object = Some(object.clone());
        let id = match (&self.plan.customer, &self.stored) {
            (_, Read::Found(stored)) if stored.spec.sealed_id.is_some() => {
                let sealed = stored.spec.sealed_id.as_deref().unwrap_or_default();
                KEYS.unseal(&stored.name, &stored.spec.request.uid, sealed).ok()
            }
            (CustomerSource::Literal(id), _) => Some(id.clone()),
            (CustomerSource::Secret(_) | CustomerSource::Sealed, _) => None,
        };
        let Some(id) = id else { return };
        self.take_id(&id);
        if matches!(self.stored, Read::NotAsked) {
            let name = KEYS.record_name(&object.facts.account, &id);
            self.read_record(handle, &name).await;
        }
        if !self.is_closed() {
            self.take_credential(handle).await;
        }
    }

    fn take_id(&mut self, id: &CustomerId) {
        self.customer = number_of(id.expose());
        let reference = KEYS.customer_ref(id);
        self.customer_ref = Some(reference.clone());
        self.seen = CustomerSeen::Known { reference };
    }

    async fn take_credential(&mut self, handle: &Handle) {
        let place = self.place;
        let secret = handle.get(|world| credential(world.api.view(), place)).await;
        match secret {
            Ok(Some(credential)) => self.credential = Some(credential),
            Ok(None) | Err(_) => {
                self.provider = ProviderSeen::Unusable(offboarding::api::ProviderReason::SecretUnavailable);
            }
        }
    }

    /// What was seen without looking at the customer.
    pub fn seen_without_a_look(&self) -> Observation {
        Observation {
            key_is_good: true,
            provider: self.provider.clone(),
            customer: self.seen.clone(),
            credential: self.credential.clone(),
            look: None,
            looked_at: Duration::ZERO,
            created_long_ago: false,
            control: None,
            checks: Vec::new(),
            hold: self.hold.clone(),
            budget: self.budget,
            whole: self.whole.clone(),
        }
    }

    pub fn record_request(&self) -> Option<RecordRequest> {
        let ProviderSeen::Found(provider) = &self.provider else { return None };
        Some(RecordRequest {
            namespace: "team".to_owned(),
            name: format!("request-{}", self.request),
            uid: self.plan.request_uid.clone(),
            target: self.plan.target.clone(),
            mode: mode_of(&self.plan, provider).ok()?,
        })
    }

    pub fn record_provider(&self) -> Option<RecordProvider> {
        let ProviderSeen::Found(provider) = &self.provider else { return None };
        Some(RecordProvider {
            kind: provider.kind.to_string(),
            namespace: provider.namespace.clone(),
            name: provider.name.clone(),
            uid: provider.uid.clone(),
            base_url: provider.base_url.clone(),
            environment: provider.environment,
        })
    }

    /// Whether the provider took the last attempt, as far as the record or this process says.
    pub fn was_accepted(&self) -> bool {
        matches!(self.facts(), Facts::Mine(mine) if mine.closed.is_none()
            && mine.last().is_some_and(|last| last.outcome == Some(Outcome::Accepted)))
    }
}

pub fn credential(view: &View, place: usize) -> Option<String> {
    Some(view.providers.get(place)?.as_ref()?.credential.clone())
}

/// A provider object, as a process with a missing rule reads it.
pub fn as_it_seems(facts: &ProviderFacts, bug: Option<Bug>) -> ProviderFacts {
    let mut facts = facts.clone();
    match bug {
        Some(Bug::HasNoSettleWindow) => facts.settle_window = Duration::ZERO,
        Some(Bug::WindowWithoutTheLifetime) => {
            facts.settle_window = facts.settle_window.saturating_sub(facts.declared.max_request_lifetime);
        }
        Some(Bug::IgnoresTheLag) => Arc::make_mut(&mut facts.declared).consistency_lag = Duration::ZERO,
        Some(Bug::IsContentWithOneApproval) => facts.demands.required = facts.demands.required.min(1),
        _ => {}
    }
    facts
}

/// The plan that a status tells.
pub fn told(object: &Request) -> Option<Told> {
    let plan = object.status.plan.as_ref()?;
    let blockers = plan.targets.iter().flat_map(|target| {
        target.blockers.iter().map(|blocker| (target.name.clone(), blocker.check.clone()))
    });
    Some(Told { hash: plan.hash.clone(), inputs: plan.inputs.clone(), blockers: blockers.collect() })
}

/// What people said about a request; `plan_hash` only for a missing rule.
pub fn approvals(view: &View, uid: &str, plan_hash: Option<&str>, bug: Option<Bug>) -> ApprovalsSeen {
    let said = view.said.iter().filter(|said| said.request_uid == uid);
    ApprovalsSeen::Seen(said.map(|said| as_said(&said.approval, plan_hash, bug)).collect())
}

fn as_said(approval: &Approval, of_the_plan: Option<&str>, bug: Option<Bug>) -> Approval {
    let mut approval = approval.clone();
    if bug == Some(Bug::CountsOneApproverTwice) {
        approval.approver = format!("{} {}", approval.approver, approval.uid);
    }
    if let (Some(Bug::MatchesApprovalsByUidAlone), Some(hash), Says::Approve { plan_hash, .. }) =
        (bug, of_the_plan, &mut approval.says)
    {
        hash.clone_into(plan_hash);
    }
    approval
}

/// What is held, by a state of the API server.
pub fn hold_on(
    view: &View,
    customer_ref: Option<&str>,
    provider: &ProviderFacts,
    now: Timestamp,
) -> HoldSeen {
    HoldsSeen::Seen(view.holds.as_ref().clone()).on(customer_ref, &provider.object_name(), now)
}

/// Half-way between a moment and the other side of a wait; for reading a duration as milliseconds.
pub fn millis(duration: Duration) -> Ms {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
