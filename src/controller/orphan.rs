//! One pass over an open record: where its request is gone, or told to be finished, it is finished from the record.

use std::sync::Arc;

use kube::{ResourceExt as _, runtime::reflector::ObjectRef};

use super::{
    api_server::ApiError,
    case::Case,
    cases::Cases,
    context::{Context, Shared},
    error::Error,
    lanes::{self, Places},
    passes::Action,
    perform::tell_in_record,
    reconcile::{next_pass, work},
};
use crate::{
    api::{CustomerOffboarding, OffboardingRecord, RecordRequest},
    domain::{About, Next, sentence},
};

/// An open record whose request is there is that request's business; this is looked at again after this long.
const WHILE_REQUESTED: std::time::Duration = std::time::Duration::from_secs(240);

/// One pass over one open record.
///
/// # Errors
/// As `reconcile`; `ReadRequest` where nobody knows whether the request is gone.
pub async fn reconcile(object: Arc<OffboardingRecord>, ctx: Shared) -> Result<Action, Error> {
    if object.spec.closed {
        return Ok(Action::await_change());
    }
    let named = &object.spec.request;
    ctx.records.remember(&named.uid, &named.target, &object.name_any());
    if is_watched(&ctx, named) {
        return Ok(Action::requeue(WHILE_REQUESTED));
    }
    let Some(_places) = Places::take(&ctx, object.as_ref()) else { return Ok(Action::requeue(lanes::AGAIN)) };
    match is_there(&ctx, named).await {
        Ok(true) => return Ok(Action::requeue(WHILE_REQUESTED)),
        Ok(false) => {}
        Err(error) => {
            if error == ApiError::Forbidden {
                tell_that_nobody_may_look(&ctx, &object).await?;
            }
            return Err(Error::ReadRequest(error));
        }
    }
    let mut cases = Cases::of_record(&ctx, &object).await;
    if cases.each.iter().all(Case::is_closed) {
        return Ok(Action::await_change());
    }
    let decisions = work(&ctx, &mut cases).await?;
    match &decisions.next {
        Next::Finished(ending) => {
            tracing::info!(record = object.name_any(), result = %ending.result, "finished without its request");
        }
        next => {
            for case in &mut cases.each {
                let mode = object.spec.request.mode;
                let words = sentence(next, About { provider: &case.plan.provider, mode });
                tell_in_record(&ctx, case, &words).await?;
            }
        }
    }
    let uid = object.uid().ok_or(Error::Incomplete)?;
    Ok(next_pass(&ctx, &cases, &decisions, &uid, None))
}

/// Whether the watch shows the request. It may be gone already: then its removal is still to come, and brings us back.
#[must_use]
pub fn is_watched(ctx: &Context, named: &RecordRequest) -> bool {
    let name = ObjectRef::<CustomerOffboarding>::new(&named.name).within(&named.namespace);
    ctx.requests.get(&name).is_some_and(|request| request.uid().as_deref() == Some(&named.uid))
}

/// Whether the request is there and not finished, live. A finished one is not worked on any more: what it left open is ours.
async fn is_there(ctx: &Context, named: &RecordRequest) -> Result<bool, ApiError> {
    let request = ctx.api.get::<CustomerOffboarding>(&named.namespace, &named.name).await?;
    Ok(request.is_some_and(|request| request.uid().as_deref() == Some(&named.uid) && !request.is_finished()))
}

/// Where rights are given in listed namespaces, one that is gone or not listed any more answers as one that hides what it has.
async fn tell_that_nobody_may_look(ctx: &Shared, object: &Arc<OffboardingRecord>) -> Result<(), Error> {
    let words = format!(
        "the right to see whether its request is gone: namespace '{}' is not there, or the operator has no rights in it; \
         create it where it is gone, and bind `customer-offboarding-operator-watched` in it",
        object.spec.request.namespace
    );
    for case in &mut Cases::of_record(ctx, object).await.each {
        tell_in_record(ctx, case, &words).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
