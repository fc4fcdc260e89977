//! A request as a pass works on it: each target a case of its own, and what is seen of the request as a whole.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use kube::{ResourceExt as _, runtime::reflector::ObjectRef};

use super::{
    budgets::Place,
    case::{Case, Origin, Stored},
    context::Context,
    error::Error,
};
use crate::{
    api::{CustomerOffboarding, OffboardingRecord, REQUESTED_BY_ANNOTATION, RETRY_ANNOTATION},
    domain::{
        ApprovalsSeen, CustomerSeen, Decisions, Facts, InvalidSpec, Next, Observation, Plan, ProviderSeen,
        Targeted, Told, Waiting, Whole,
    },
    traces::Pass,
};

/// A request's targets, by name.
pub struct Cases {
    pub each: Vec<Case>,
    namespace: String,
    request_uid: String,
    created_at: Timestamp,
    author: Option<String>,
    told: Option<Told>,
}

impl Cases {
    /// The cases of a request.
    ///
    /// # Errors
    /// `Incomplete`: the API server handed over an object without uid or namespace.
    pub async fn of_request(
        ctx: &Context,
        object: &CustomerOffboarding,
        plans: Vec<Plan>,
    ) -> Result<Self, Error> {
        let request_uid = object.uid().ok_or(Error::Incomplete)?;
        let pass = ctx.traces.pass(&request_uid);
        let found = ctx.records.find(&request_uid).await;
        let mut each = Vec::with_capacity(plans.len());
        for plan in plans {
            let case = Case { pass: pass.clone(), ..Case::of_request(ctx, object, plan).await? };
            each.push(if found.is_ok() { case } else { Case { stored: Stored::Unread, ..case } });
        }
        if let Err(error) = found {
            let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
            tracing::warn!(namespace, offboarding = name, "whether it has records is not known: {error}");
        }
        let mut cases = Self {
            each,
            namespace: object.namespace().ok_or(Error::Incomplete)?,
            request_uid,
            created_at: created_at(object),
            author: author(object),
            told: told(ctx, object),
        };
        cases.refuse_the_same_customer_twice();
        Ok(cases)
    }

    /// The case of an open record that no request works on.
    pub async fn of_record(ctx: &Context, object: &OffboardingRecord) -> Self {
        let pass = ctx.traces.pass(&object.spec.request.uid);
        Self {
            each: vec![Case { pass, ..Case::of_record(ctx, object).await }],
            namespace: object.spec.request.namespace.clone(),
            request_uid: object.spec.request.uid.clone(),
            created_at: Timestamp::UNIX_EPOCH,
            author: None,
            told: None,
        }
    }

    /// What people, holds and budgets say now, for each of the cases.
    pub async fn see(&mut self, ctx: &Context) {
        let whole = Arc::new(Whole {
            told: self.told.clone(),
            approvals: self.approvals(ctx),
            policies: ctx.policies(),
            author: self.author.clone(),
            created_at: self.created_at,
        });
        let (holds, now) = (ctx.holds.seen(), (ctx.clock)());
        for case in &mut self.each {
            case.whole = whole.clone();
            let ProviderSeen::Found(provider) = &case.provider else { continue };
            case.hold = case.person.held(&holds, case.customer_ref.as_deref(), &provider.object_name(), now);
            let place = place(self.created_at, case);
            case.budget = ctx.budgets.seen(&provider.account, provider.budget, &place, now).await;
        }
    }

    fn approvals(&self, ctx: &Context) -> ApprovalsSeen {
        ctx.consents.about(&self.namespace, &self.request_uid)
    }

    /// Everything that is decided by.
    #[must_use]
    pub fn targeted<'a>(&'a self, facts: &'a [Facts], seen: &'a [Observation]) -> Vec<Targeted<'a>> {
        let each = self.each.iter().zip(facts).zip(seen);
        each.map(|((case, facts), seen)| Targeted { plan: &case.plan, facts, seen, memory: &case.memory })
            .collect()
    }

    /// What is told of this pass.
    #[must_use]
    pub fn pass(&self) -> Pass {
        self.each.first().map(|case| case.pass.clone()).unwrap_or_default()
    }

    /// What the records say.
    #[must_use]
    pub fn facts(&self) -> Vec<Facts> {
        self.each.iter().map(Case::facts).collect()
    }

    /// Whether nothing that an end is told by has changed: each record says so, or is what the turn decided by.
    pub async fn are_unchanged(&mut self, ctx: &Context) -> bool {
        let mut unchanged = true;
        for case in &mut self.each {
            unchanged &= case.is_closed() || case.is_unchanged(ctx).await;
        }
        unchanged
    }

    /// Whoever waits for a budget keeps a place there.
    pub fn wait_in_line(&self, ctx: &Context, object: &CustomerOffboarding, decisions: &Decisions) {
        let now = (ctx.clock)();
        for (case, next) in self.each.iter().zip(&decisions.each) {
            let (ProviderSeen::Found(provider), Next::Wait(Waiting::Budget { .. })) = (&case.provider, next)
            else {
                continue;
            };
            let place = place(self.created_at, case);
            let request = ObjectRef::from_obj(object);
            ctx.budgets.wait(&provider.account, provider.budget, &place, &request, now);
        }
    }

    /// Two targets that are the same customer at the same account would wait for each other's lock for ever.
    fn refuse_the_same_customer_twice(&mut self) {
        let key = |case: &Case| match (&case.provider, &case.customer_seen) {
            (ProviderSeen::Found(provider), CustomerSeen::Known { reference }) => {
                Some((provider.account.clone(), reference.clone()))
            }
            _ => None,
        };
        let mut seen = BTreeSet::new();
        let twice: BTreeSet<_> =
            self.each.iter().filter_map(key).filter(|key| !seen.insert(key.clone())).collect();
        for case in &mut self.each {
            if key(case).is_some_and(|key| twice.contains(&key)) {
                case.customer_seen = CustomerSeen::Refused(InvalidSpec::SameCustomer);
            }
        }
    }
}

/// A target's place in the line of its account.
#[must_use]
pub fn place(created_at: Timestamp, case: &Case) -> Place {
    let Origin { namespace, name, uid } = case.origin.clone();
    Place { created_at, name, namespace, request_uid: uid, target: case.plan.target.clone() }
}

/// When a request was created.
#[must_use]
pub fn created_at(object: &CustomerOffboarding) -> Timestamp {
    object.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |created| created.0)
}

/// Who asked, as admission vouches for it.
#[must_use]
pub fn author(object: &CustomerOffboarding) -> Option<String> {
    object.annotations().get(REQUESTED_BY_ANNOTATION).cloned()
}

/// The plan that the status tells. Where somebody asks for another look, nothing is spared.
fn told(ctx: &Context, object: &CustomerOffboarding) -> Option<Told> {
    if ctx.is_new_retry(object.uid().as_deref()?, object.annotations().get(RETRY_ANNOTATION)) {
        return None;
    }
    let plan = object.status.as_ref()?.plan.as_ref()?;
    let blockers = plan.targets.iter().flat_map(|target| {
        target.blockers.iter().map(|blocker| (target.name.clone(), blocker.check.clone()))
    });
    Some(Told { hash: plan.hash.clone(), inputs: plan.inputs.clone(), blockers: blockers.collect() })
}
