//! One pass over one request: observe, decide, perform, until there is something to wait for; then tell it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::{ResourceExt as _, runtime::reflector::ObjectRef};

use super::{
    cases::Cases,
    context::Shared,
    error::{Error, Intervals, left, wake},
    lanes::{self, Places},
    line::Turn,
    observe::{Kept, observe},
    passes::Action,
    perform::{Performed, perform},
    save::{due_of, put, save},
};
use crate::{
    api::CustomerOffboarding,
    domain::{
        Blocked, Decisions, Effect, InvalidSpec, Next, Plan, ProviderSeen, Wish, decide_all, next_change,
        refused,
    },
    failpoint,
};

/// More turns than a target takes in one pass: so that one object cannot keep a slot.
const MOST_TURNS: usize = 8;

/// One pass over one request.
///
/// # Errors
/// One variant for each step; `error_policy` says when to try again.
pub async fn reconcile(object: Arc<CustomerOffboarding>, ctx: Shared) -> Result<Action, Error> {
    if object.is_finished() {
        return Ok(Action::await_change());
    }
    let Some(_places) = Places::take(&ctx, object.as_ref()) else { return Ok(Action::requeue(lanes::AGAIN)) };
    failpoint!("reconcile.start");
    let turn = Turn::begin(&ctx, &object);
    let done = pass(&object, &ctx).await;
    if done.is_ok() {
        turn.told();
    }
    // Its removal may have come meanwhile: what the pass has seen since then nobody else would forget.
    if let Some(uid) = object.uid().filter(|_| !ctx.is_watched(&object)) {
        ctx.records.forget_request(&uid, &ObjectRef::from_obj(object.as_ref()));
    }
    failpoint!("reconcile.done");
    done
}

async fn pass(object: &CustomerOffboarding, ctx: &Shared) -> Result<Action, Error> {
    let uid = object.uid().ok_or(Error::Incomplete)?;
    let plans = match Plan::of_each_target(&uid, &object.spec) {
        Ok(plans) => plans,
        Err(invalid) => return refuse(ctx, object, invalid).await,
    };
    // Deleting a request withdraws it, also while a finalizer of somebody else keeps it.
    let withdrawn = object.metadata.deletion_timestamp.is_some();
    let wish = |plan: Plan| if withdrawn { Plan { wish: Wish::Withdrawn, ..plan } } else { plan };
    let mut cases = Cases::of_request(ctx, object, plans.into_iter().map(wish).collect()).await?;
    let decisions = work(ctx, &mut cases).await?;
    cases.wait_in_line(ctx, object, &decisions);
    save(ctx, object, &cases, &decisions).await?;
    Ok(with_the_owner(ctx, object, &cases, &decisions)
        .unwrap_or_else(|| next_pass(ctx, &cases, &decisions, &uid, due_of(object))))
}

/// Turns until there is something to wait for. Each one looks, decides, and does one thing at most.
///
/// # Errors
/// As `perform`; `TooManyTurns`.
pub async fn work(ctx: &Shared, cases: &mut Cases) -> Result<Decisions, Error> {
    let mut plan = None;
    let mut kept: Vec<Kept> = cases.each.iter().map(|_| Kept::default()).collect();
    for _ in 0..MOST_TURNS * cases.each.len() {
        let seen = observe(ctx, cases, kept).await;
        let (facts, observations) =
            (cases.facts(), seen.iter().map(|(_, seen)| seen.clone()).collect::<Vec<_>>());
        let mut decisions = decide_all(&cases.targeted(&facts, &observations), ctx.now());
        decisions.plan = decisions.plan.take().or(plan);
        let Some((acts, effect)) = decisions.effect() else {
            if may_be_told(ctx, cases, &decisions.next).await {
                return Ok(decisions);
            }
            (kept, plan) = (cases.each.iter().map(|_| Kept::default()).collect(), decisions.plan);
            continue;
        };
        if let Performed::Later(next) =
            perform(ctx, &mut cases.each[acts], &observations[acts], effect).await?
        {
            decisions.instead(next);
            return Ok(decisions);
        }
        // Writing an outcome down changes nothing at the provider: what was seen a moment ago stands.
        let stands = *effect == Effect::SaveOutcome;
        kept = seen
            .into_iter()
            .enumerate()
            .map(
                |(target, (at, seen))| {
                    if target != acts || stands { Kept::new(at, seen) } else { Kept::default() }
                },
            )
            .collect();
        plan = decisions.plan;
    }
    Err(Error::TooManyTurns)
}

/// An end that no closed record proves is told only if the record did not change since the turn began: what was read before a
/// look may be older than an intent, and then "gone" would be told as if nobody had sent anything.
async fn may_be_told(ctx: &Shared, cases: &mut Cases, next: &Next) -> bool {
    !matches!(next, Next::Finished(_)) || cases.are_unchanged(ctx).await
}

/// When to come again: as soon as any of the targets needs it, or the time alone changes the status: a deadline, an approval's end.
pub fn next_pass(
    ctx: &Shared,
    cases: &Cases,
    decisions: &Decisions,
    object: &str,
    due: Option<Timestamp>,
) -> Action {
    if let Next::Finished(_) = &decisions.next {
        for case in &cases.each {
            if let Some(name) = &case.record_name {
                ctx.records.forget(&case.origin.uid, &case.plan.target, name);
            }
        }
        ctx.forget_request(object);
        return Action::await_change();
    }
    let is_unanswered = |next: &Next| matches!(next, Next::Wait(waiting) if waiting.is_without_an_answer());
    let unanswered = decisions.each.iter().any(is_unanswered);
    let backoff = if unanswered { ctx.backoff.failed(object) } else { Duration::from_secs(1) };
    if !unanswered {
        ctx.backoff.succeeded(object);
    }
    let now = ctx.now().wall;
    let waits = cases.each.iter().zip(&decisions.each);
    let expires = cases.each.first().and_then(|case| case.whole.approvals.next_expiry(now));
    let told_anew = next_change(due, now).into_iter().chain(expires).map(|at| left(at, now));
    let soonest = waits
        .filter_map(|(case, next)| wake(next, intervals(&case.provider), backoff, now))
        .chain(told_anew)
        .min();
    soonest.map_or_else(Action::await_change, Action::requeue)
}

fn intervals(provider: &ProviderSeen) -> Intervals {
    match provider {
        ProviderSeen::Found(provider) => {
            Intervals { recheck: provider.recheck_interval, verify: provider.verify_interval }
        }
        ProviderSeen::NotFound | ProviderSeen::Unusable(_) => {
            Intervals { recheck: Duration::from_secs(300), verify: Duration::from_secs(10) }
        }
    }
}

/// A duplicate is woken when the record that it waits for is closed. Where the watch does not show that record as open, it is
/// looked at again soon: it was made a moment ago, or closed just now.
fn with_the_owner(
    ctx: &Shared,
    object: &CustomerOffboarding,
    cases: &Cases,
    decisions: &Decisions,
) -> Option<Action> {
    let mut soon = false;
    for (case, next) in cases.each.iter().zip(&decisions.each) {
        if let (Next::Stop(Blocked::Duplicate), Some(name)) = (next, &case.record_name) {
            ctx.records.wait_for(name, ObjectRef::from_obj(object));
            soon |= !ctx.records.may_be_open(name);
        }
    }
    soon.then(|| Action::requeue(Duration::from_secs(2)))
}

/// A spec that an older schema let in and that can never be carried out.
async fn refuse(ctx: &Shared, object: &CustomerOffboarding, invalid: InvalidSpec) -> Result<Action, Error> {
    let status =
        refused(object.metadata.generation.unwrap_or_default(), invalid, due_of(object), (ctx.clock)());
    put(ctx, object, status).await?;
    Ok(Action::await_change())
}
