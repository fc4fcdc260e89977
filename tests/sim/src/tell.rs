//! What is told, and when to come again.

use std::time::Duration;

use offboarding::{
    controller::{ApiError, Intervals, left, wake},
    domain::{Blocked, Decisions, Facts, Next, ProviderSeen, Story, TargetStory, report},
};

use crate::{
    api::{Refusal, Request, Watched},
    case::Case,
    operator::{Again, Handle},
    pass::Cases,
    scenario::{MINUTE, Point},
    words::name_of,
};

/// Tells a request's decision in its status, where it changed.
pub async fn save(
    handle: &Handle,
    object: &Request,
    cases: &Cases,
    decisions: &Decisions,
) -> Result<(), ApiError> {
    let facts = cases.each.iter().map(Case::facts).collect::<Vec<_>>();
    let found = |target: &str| {
        let plans = decisions.plan.iter().flat_map(|plan| &plan.targets);
        plans.into_iter().any(|(name, planned)| name == target && planned.is_some())
    };
    let each = cases.each.iter().zip(&facts).zip(&decisions.each);
    let targets = each.map(|((case, facts), next)| TargetStory {
        target: &case.plan.target,
        provider: &case.plan.provider,
        facts,
        next,
        declared: match &case.provider {
            ProviderSeen::Found(provider) => Some(&provider.declared),
            ProviderSeen::NotFound | ProviderSeen::Unusable(_) => None,
        },
        is_found: found(&case.plan.target) || decisions.is_as_told,
        customer_ref: case.customer_ref.as_deref(),
        record: case.record_name.as_deref().filter(|_| matches!(facts, Facts::Mine(_))),
    });
    let story = Story::of(decisions, targets.collect());
    let status = report(&story, object.generation, &object.status, handle.wall());
    if status == object.status {
        return Ok(());
    }
    handle.comes_to(Point::StatusWrite).await;
    let written = handle.put(|world| world.put_status(handle.operator, object, status)).await;
    handle.comes_to(Point::StatusWritten).await;
    written.map_err(|refusal| match refusal {
        Refusal::Conflict => ApiError::Conflict,
        Refusal::NotFound => ApiError::NotFound,
        Refusal::AlreadyExists | Refusal::Unanswered => ApiError::Unanswered,
    })
}

/// When to come again.
pub fn next_pass(handle: &Handle, cases: &Cases, decisions: &Decisions, key: &str) -> Again {
    for next in &decisions.each {
        let name = name_of(next);
        handle.world().say(name, &[handle.operator], || format!("{key}: {next:?}"));
    }
    if let Next::Finished(_) = &decisions.next {
        handle.me(|me| {
            me.backoff.succeeded(key);
            for case in &cases.each {
                me.of_target.remove(&(case.plan.request_uid.clone(), case.plan.target.clone()));
                if let Some(name) = &case.record_name {
                    me.memories.remove(name);
                }
            }
        });
        return None;
    }
    let is_unanswered = |next: &Next| matches!(next, Next::Wait(waiting) if waiting.is_without_an_answer());
    let backoff = handle.me(|me| {
        if decisions.each.iter().any(is_unanswered) {
            me.backoff.failed(key)
        } else {
            me.backoff.succeeded(key);
            Duration::from_secs(1)
        }
    });
    let now = handle.wall();
    let expires = cases.each.first().and_then(|case| case.whole.approvals.next_expiry(now));
    let waits = cases.each.iter().zip(&decisions.each);
    waits
        .filter_map(|(case, next)| wake(next, intervals(&case.provider), backoff, now))
        .chain(expires.map(|at| left(at, now)))
        .min()
}

fn intervals(provider: &ProviderSeen) -> Intervals {
    match provider {
        ProviderSeen::Found(provider) => {
            Intervals { recheck: provider.recheck_interval, verify: provider.verify_interval }
        }
        ProviderSeen::NotFound | ProviderSeen::Unusable(_) => {
            Intervals { recheck: Duration::from_millis(5 * MINUTE), verify: Duration::from_secs(10) }
        }
    }
}

/// A duplicate is woken when the record that it waits for is closed; where the watch does not show it as open, it comes again soon.
pub fn with_the_owner(handle: &Handle, cases: &Cases, decisions: &Decisions) -> Again {
    let view = handle.world().cache(handle.operator, Watched::Records);
    let mut soon = false;
    for (case, next) in cases.each.iter().zip(&decisions.each) {
        if let (Next::Stop(Blocked::Duplicate), Some(name)) = (next, &case.record_name) {
            handle.me(|me| me.waiting.entry(name.clone()).or_default().insert(case.request));
            soon |= view.records.get(name).is_none_or(|record| record.spec.closed);
        }
    }
    soon.then(|| Duration::from_secs(2))
}
