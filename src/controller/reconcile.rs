//! One pass over one request: observe, decide, perform, until there is something to wait for; then tell it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::{ResourceExt as _, runtime::controller::Action, runtime::reflector::ObjectRef};

use super::{
    case::Case,
    context::Shared,
    error::{Error, Intervals, left, wake},
    observe::observe,
    perform::{Performed, perform},
    save::{due_of, put, save},
};
use crate::{
    api::CustomerOffboarding,
    domain::{
        Blocked, Decision, Effect, InvalidSpec, Next, Plan, ProviderSeen, Wish, decide, next_change, refused,
    },
    failpoint,
};

/// More turns than any offboarding takes: so that one object cannot keep a slot.
const MOST_TURNS: usize = 8;

/// One pass over one request.
///
/// # Errors
/// One variant for each step; `error_policy` says when to try again.
pub async fn reconcile(object: Arc<CustomerOffboarding>, ctx: Shared) -> Result<Action, Error> {
    if object.is_finished() {
        return Ok(Action::await_change());
    }
    failpoint!("reconcile.start");
    let uid = object.uid().ok_or(Error::Incomplete)?;
    let plan = match Plan::new(&uid, &object.spec) {
        // Deleting a request withdraws it, also while a finalizer of somebody else keeps it.
        Ok(plan) if object.metadata.deletion_timestamp.is_some() => Plan { wish: Wish::Withdrawn, ..plan },
        Ok(plan) => plan,
        Err(invalid) => return refuse(&ctx, &object, invalid).await,
    };
    let mut case = Case::of_request(&ctx, &object, plan).await?;
    let decision = work(&ctx, &mut case).await?;
    save(&ctx, &object, &case, &decision).await?;
    failpoint!("reconcile.done");
    Ok(with_the_owner(&ctx, &object, &case, &decision)
        .unwrap_or_else(|| next_pass(&ctx, &case, &decision, &uid, due_of(&object))))
}

/// Turns until there is something to wait for. Each one looks, decides, and does one thing at most.
///
/// # Errors
/// As `perform`; `TooManyTurns`.
pub async fn work(ctx: &Shared, case: &mut Case) -> Result<Decision, Error> {
    let (mut planned, mut still_seen) = (None, None);
    for _ in 0..MOST_TURNS {
        let seen = match still_seen.take() {
            Some(seen) => seen,
            None => observe(ctx, case).await,
        };
        let decision = decide(&case.plan, &case.facts(), &seen, &case.memory, ctx.now());
        planned = decision.planned.or(planned);
        let Next::Do(effect) = &decision.next else {
            if may_be_told(ctx, case, &decision.next).await {
                return Ok(Decision { planned, next: decision.next });
            }
            continue;
        };
        if let Performed::Later(next) = perform(ctx, case, &seen, effect).await? {
            return Ok(Decision { planned, next });
        }
        // Writing an outcome down changes nothing at the provider: what was seen a moment ago stands.
        still_seen = (*effect == Effect::SaveOutcome).then_some(seen);
    }
    Err(Error::TooManyTurns)
}

/// An end that no closed record proves is told only if the record did not change since the turn began: what was read before a
/// look may be older than an intent, and then "gone" would be told as if nobody had sent anything.
async fn may_be_told(ctx: &Shared, case: &mut Case, next: &Next) -> bool {
    !matches!(next, Next::Finished(_)) || case.is_closed() || case.is_unchanged(ctx).await
}

/// When to come again; also for what a deadline alone changes in the status, whatever is waited for.
pub fn next_pass(
    ctx: &Shared,
    case: &Case,
    decision: &Decision,
    object: &str,
    due: Option<Timestamp>,
) -> Action {
    let intervals = match &case.provider {
        ProviderSeen::Found(provider) => {
            Intervals { recheck: provider.recheck_interval, verify: provider.verify_interval }
        }
        ProviderSeen::NotFound | ProviderSeen::Unusable(_) => {
            Intervals { recheck: Duration::from_secs(300), verify: Duration::from_secs(10) }
        }
    };
    if let (Next::Finished(_), Some(name)) = (&decision.next, &case.record_name) {
        ctx.records.forget(&case.origin.uid, name);
    }
    let unanswered = matches!(&decision.next, Next::Wait(waiting) if waiting.is_without_an_answer());
    let backoff = if unanswered { ctx.backoff.failed(object) } else { Duration::from_secs(1) };
    if !unanswered {
        ctx.backoff.succeeded(object);
    }
    let now = ctx.now().wall;
    let told_anew = next_change(due, now).map(|at| left(at, now));
    wake(&decision.next, intervals, backoff, now)
        .map(|wait| told_anew.map_or(wait, |left| wait.min(left)))
        .map_or_else(Action::await_change, Action::requeue)
}

/// A duplicate is woken when the record that it waits for is closed. Where the watch does not show that record as open, it is
/// looked at again soon: it was made a moment ago, or closed just now.
fn with_the_owner(
    ctx: &Shared,
    object: &CustomerOffboarding,
    case: &Case,
    decision: &Decision,
) -> Option<Action> {
    let (Next::Stop(Blocked::Duplicate), Some(name)) = (&decision.next, &case.record_name) else {
        return None;
    };
    ctx.records.wait_for(name, ObjectRef::from_obj(object));
    (!ctx.records.may_be_open(name)).then(|| Action::requeue(Duration::from_secs(2)))
}

/// A spec that an older schema let in and that can never be carried out.
async fn refuse(ctx: &Shared, object: &CustomerOffboarding, invalid: InvalidSpec) -> Result<Action, Error> {
    let status =
        refused(object.metadata.generation.unwrap_or_default(), invalid, due_of(object), (ctx.clock)());
    put(ctx, object, status).await?;
    Ok(Action::await_change())
}
