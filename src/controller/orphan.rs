//! One pass over an open record: where its request is gone, or told to be finished, it is finished from the record.

use std::sync::Arc;

use kube::{ResourceExt as _, runtime::reflector::ObjectRef};

use super::{
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
    if is_there(&ctx, named).await? {
        return Ok(Action::requeue(WHILE_REQUESTED));
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
async fn is_there(ctx: &Context, named: &RecordRequest) -> Result<bool, Error> {
    let request = ctx.api.get::<CustomerOffboarding>(&named.namespace, &named.name).await;
    let request = request.map_err(Error::ReadRequest)?;
    Ok(request.is_some_and(|request| request.uid().as_deref() == Some(&named.uid) && !request.is_finished()))
}

#[cfg(test)]
mod tests;
