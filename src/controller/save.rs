//! The only writer of a request's status: one PUT with uid and resourceVersion, and only where something changed.

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::{api_server::version_of, case::Case, cases::Cases, context::Shared, error::Error};
use crate::{
    api::{CustomerOffboarding, OffboardingStatus},
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

/// Stores a status over exactly the object that was read.
///
/// # Errors
/// As `save`.
pub async fn put(ctx: &Shared, object: &CustomerOffboarding, status: OffboardingStatus) -> Result<(), Error> {
    let namespace = object.namespace().ok_or(Error::Incomplete)?;
    let replaced =
        CustomerOffboarding { metadata: version_of(object), spec: object.spec.clone(), status: Some(status) };
    failpoint!("status.put.before");
    ctx.api.replace_status(&namespace, &replaced).await.map_err(Error::SaveStatus)?;
    failpoint!("status.put.after");
    Ok(())
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
