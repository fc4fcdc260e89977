//! The only writer of a request's status: one PUT with uid and resourceVersion, and only where something changed.

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::{api_server::version_of, case::Case, context::Shared, error::Error};
use crate::{
    api::{CustomerOffboarding, OffboardingStatus},
    domain::{Decision, Next, ProviderSeen, Story, due, report},
    failpoint,
};

/// Tells a request's decision in its status.
///
/// # Errors
/// `SaveStatus`: with `Conflict`, the request moved on, and the next pass tells it.
pub async fn save(
    ctx: &Shared,
    object: &CustomerOffboarding,
    case: &Case,
    decision: &Decision,
) -> Result<(), Error> {
    let facts = case.facts();
    let story = Story {
        target: &case.plan.target,
        provider: &case.plan.provider,
        facts: &facts,
        next: &decision.next,
        planned: decision.planned.as_ref(),
        declared: match &case.provider {
            ProviderSeen::Found(provider) => Some(&provider.declared),
            ProviderSeen::NotFound | ProviderSeen::Unusable(_) => None,
        },
        customer_ref: case.customer_ref.as_deref(),
        due: due_of(object),
        record: case.record_name.as_deref().filter(|_| matches!(facts, crate::domain::Facts::Mine(_))),
    };
    let generation = object.metadata.generation.unwrap_or_default();
    let previous = object.status.clone().unwrap_or_default();
    let status = report(&story, generation, &previous, (ctx.clock)());
    if status == previous {
        return Ok(());
    }
    put(ctx, object, status.clone()).await?;
    ctx.events.tell(object, &decision.next, &status).await;
    tell_the_log(object, decision, &case.plan.provider);
    Ok(())
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

fn tell_the_log(object: &CustomerOffboarding, decision: &Decision, provider: &str) {
    let words = crate::domain::sentence(&decision.next, provider);
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    match &decision.next {
        Next::Finished(ending) => {
            tracing::info!(namespace, offboarding = name, provider, result = %ending.result, because = %ending.because, "{words}");
        }
        Next::Do(_) | Next::Wait(_) | Next::Stop(_) => {
            tracing::info!(namespace, offboarding = name, provider, "waits for {words}");
        }
    }
}
