//! Who lines up for a budget: a request that may be next, from the moment that it is woken until its pass ends, or for as long as
//! it is told to wait there.

use kube::{ResourceExt as _, runtime::reflector::ObjectRef};

use super::{
    budgets::Place,
    cases::created_at,
    connection::budget_of,
    context::{Context, Shared},
    provider_kinds::ProviderKey,
};
use crate::api::{ConditionType, CustomerOffboarding, Reason, Truth};

/// A request's places while a pass works on it. When it is dropped, they are given up, and whoever may go on is woken.
#[must_use]
pub struct Turn {
    ctx: Shared,
    request: Place,
    waits: bool,
}

impl Turn {
    /// A pass begins.
    pub fn begin(ctx: &Shared, object: &CustomerOffboarding) -> Self {
        ctx.line_up(object);
        Self { ctx: ctx.clone(), request: place_of(object), waits: false }
    }

    /// It ended as it should: where the request was told to wait, it keeps its place.
    pub fn told(mut self) {
        self.waits = true;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let budgets = &self.ctx.budgets;
        if self.waits {
            budgets.leave_unless_it_waits(&self.request);
        } else {
            budgets.leave(&self.request);
        }
        self.ctx.call_the_next();
    }
}

impl Context {
    /// Holds a request's places: it is, or will be, woken.
    pub fn line_up(&self, object: &CustomerOffboarding) {
        let Some(namespace) = object.namespace().filter(|_| may_be_next(object)) else { return };
        for target in &object.spec.targets {
            let named = &target.provider_ref;
            let key = ProviderKey::named(named.kind.unwrap_or_default(), &named.name, &namespace);
            let Some(provider) = self.providers.get(&key).filter(|found| found.serves(&namespace)) else {
                continue;
            };
            let place = Place { target: target.name.clone(), ..place_of(object) };
            let spec = provider.spec();
            self.budgets.line_up(&spec.account, budget_of(spec), &place, &ObjectRef::from_obj(object));
        }
        // Its removal may have come between the look at the cache that woke it and here.
        if !self.is_watched(object) {
            self.budgets.leave(&place_of(object));
        }
    }

    /// Whether the watch shows a request: itself, and not another one of its name.
    #[must_use]
    pub fn is_watched(&self, object: &CustomerOffboarding) -> bool {
        let found = self.requests.get(&ObjectRef::from_obj(object));
        found.is_some_and(|found| found.metadata.uid == object.metadata.uid)
    }

    /// A request is gone: whoever waited behind it may go on.
    pub fn left_the_line(&self, object: &CustomerOffboarding) {
        self.budgets.leave(&place_of(object));
        self.call_the_next();
    }

    fn call_the_next(&self) {
        self.wake(self.budgets.call((self.clock)()));
    }
}

fn place_of(object: &CustomerOffboarding) -> Place {
    Place {
        created_at: created_at(object),
        name: object.name_any(),
        namespace: object.namespace().unwrap_or_default(),
        request_uid: object.uid().unwrap_or_default(),
        target: String::new(),
    }
}

/// Whether it may be this request's turn, as far as its status tells: nobody has told it anything yet, or it waits for its turn, or
/// for the provider object to be resumed. Who is wrong here loses nothing but a place in line.
fn may_be_next(object: &CustomerOffboarding) -> bool {
    let spec = &object.spec;
    if spec.suspend || spec.cancel || object.is_finished() || object.metadata.deletion_timestamp.is_some() {
        return false;
    }
    let conditions = object.status.iter().flat_map(|status| &status.conditions);
    let waiting = conditions.into_iter().find(|told| told.type_ == ConditionType::Waiting.as_str());
    waiting.is_none_or(|told| {
        let for_its_turn = [Reason::BudgetQueued, Reason::ProviderSuspended];
        told.status == Truth::True && for_its_turn.iter().any(|reason| told.reason == reason.as_str())
    })
}
