//! The only writer of a request's status: one PUT with uid and resourceVersion, and only where something changed.

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::{
    api_server::version_of,
    case::Case,
    cases::{Cases, created_at},
    context::Shared,
    error::Error,
    events::reason,
};
use crate::{
    api::{Condition, ConditionType, CustomerOffboarding, OffboardingStatus, Truth},
    domain::{Decisions, Facts, Next, ProviderSeen, Story, TargetStory, due, report},
    failpoint,
};

/// Tells a request's decision in its status.
///
/// # Errors
/// `SaveStatus`: with `Conflict`, the request moved on, and the next pass tells it.
pub async fn save(
    ctx: &Shared,
    object: &CustomerOffboarding,
    cases: &Cases,
    decisions: &Decisions,
) -> Result<(), Error> {
    let facts = cases.facts();
    let targets = cases.each.iter().zip(&facts).zip(&decisions.each);
    let targets = targets.map(|((case, facts), next)| target_story(case, facts, next, decisions)).collect();
    let story = Story { due: due_of(object), ..Story::of(decisions, targets) };
    let generation = object.metadata.generation.unwrap_or_default();
    let previous = object.status.clone().unwrap_or_default();
    let status = report(&story, generation, &previous, (ctx.clock)());
    if status == previous {
        return Ok(());
    }
    put(ctx, object, status.clone()).await?;
    ctx.events.tell(object, &decisions.next, &status).await;
    if !status.finished {
        cases.pass().waits(&status.phase, &reason(&status));
    }
    tell_the_log(object, &decisions.next, &status);
    Ok(())
}

fn target_story<'a>(
    case: &'a Case,
    facts: &'a Facts,
    next: &'a Next,
    decisions: &Decisions,
) -> TargetStory<'a> {
    let found = decisions.plan.iter().flat_map(|plan| &plan.targets);
    let is_found = found.into_iter().any(|(name, planned)| *name == case.plan.target && planned.is_some());
    TargetStory {
        target: &case.plan.target,
        provider: &case.plan.provider,
        facts,
        next,
        declared: match &case.provider {
            ProviderSeen::Found(provider) => Some(&provider.declared),
            ProviderSeen::NotFound | ProviderSeen::Unusable(_) => None,
        },
        is_found: is_found || decisions.is_as_told,
        customer_ref: case.customer_ref.as_deref(),
        record: case.record_name.as_deref().filter(|_| matches!(facts, Facts::Mine(_))),
    }
}

/// Until when a request must be done.
#[must_use]
pub fn due_of(object: &CustomerOffboarding) -> Option<Timestamp> {
    due(object.spec.request.as_ref(), object.metadata.creation_timestamp.as_ref().map(|created| created.0))
}

/// Stores a status over exactly the object that was read. The id of its trace goes with it, and is no reason to write.
///
/// # Errors
/// As `save`.
pub async fn put(ctx: &Shared, object: &CustomerOffboarding, status: OffboardingStatus) -> Result<(), Error> {
    let (namespace, uid) = object.namespace().zip(object.uid()).ok_or(Error::Incomplete)?;
    let trace_id = ctx.traces.id_of(&uid, status.trace_id.as_deref());
    let status = OffboardingStatus { trace_id, ..status };
    let ended =
        status.finished_at.zip(status.result.clone()).map(|(at, result)| (at, result, reason(&status)));
    let replaced =
        CustomerOffboarding { metadata: version_of(object), spec: object.spec.clone(), status: Some(status) };
    failpoint!("status.put.before");
    ctx.api.replace_status(&namespace, &replaced).await.map_err(Error::SaveStatus)?;
    failpoint!("status.put.after");
    if let Some(status) = replaced.status.filter(|status| status.finished) {
        count(ctx, &status);
    }
    if let Some((at, result, reason)) = ended {
        ctx.traces.finished(&uid, created_at(object), at, &result, &reason);
    }
    Ok(())
}

/// A request ended.
fn count(ctx: &Shared, status: &OffboardingStatus) {
    if let Some(result) = status.result.as_ref().and_then(|result| result.parse().ok()) {
        ctx.metrics.finished(result);
    }
    let stalled = |it: &&Condition| it.type_ == ConditionType::Stalled.as_str() && it.status == Truth::True;
    let reason = status.conditions.iter().find(stalled).and_then(|it| it.reason.parse().ok());
    if let Some(reason) = reason {
        ctx.metrics.given_up(reason);
    }
}

fn tell_the_log(object: &CustomerOffboarding, next: &Next, status: &OffboardingStatus) {
    let words = status.waiting_for.as_deref().unwrap_or_default();
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    match next {
        Next::Finished(ending) => {
            tracing::info!(namespace, offboarding = name, result = %ending.result, because = %ending.because, "{words}");
        }
        Next::Do(_) | Next::Wait(_) | Next::Stop(_) => {
            tracing::info!(namespace, offboarding = name, "waits for {words}");
        }
    }
}
