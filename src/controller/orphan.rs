//! One pass over an open record: where its request is gone, it is finished from the record.

use std::sync::Arc;

use kube::{ResourceExt as _, runtime::controller::Action};

use super::{
    case::Case,
    context::Shared,
    error::Error,
    perform::tell_in_record,
    reconcile::{next_pass, work},
};
use crate::{
    api::{CustomerOffboarding, OffboardingRecord},
    domain::{Next, sentence},
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
    ctx.records.remember(&named.uid, &object.name_any());
    let request = ctx.api.get::<CustomerOffboarding>(&named.namespace, &named.name).await;
    if request
        .map_err(Error::ReadRequest)?
        .is_some_and(|request| request.uid().as_deref() == Some(&named.uid))
    {
        return Ok(Action::requeue(WHILE_REQUESTED));
    }
    let mut case = Case::of_record(&ctx, &object).await;
    let decision = work(&ctx, &mut case).await?;
    match &decision.next {
        Next::Finished(ending) => {
            tracing::info!(record = object.name_any(), result = %ending.result, "finished without its request");
        }
        next => {
            let words = sentence(next, &case.plan.provider);
            tell_in_record(&ctx, &mut case, &words).await?;
        }
    }
    Ok(next_pass(&ctx, &case, &decision, &object.name_any()))
}
