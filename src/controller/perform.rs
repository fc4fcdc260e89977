//! Carries one effect out. Its result is not believed: the next turn reads the record and looks again.

use kube::ResourceExt as _;

use super::{
    api_server::ApiError,
    case::{Case, Stored},
    context::Shared,
    delete,
    error::Error,
};
use crate::{
    api::OffboardingRecordSpec,
    domain::{Effect, Ending, Facts, Failure, Next, Observation, ProviderSeen, Waiting},
    evidence::record,
    failpoint,
    traces::{Key, Name},
};

/// What a turn's effect leads to.
pub enum Performed {
    /// Look again.
    Done,
    /// Nothing was done, and it is not the time for it.
    Later(Next),
}

/// Carries the effect of a decision out.
///
/// # Errors
/// `WriteRecord` where the API server did not take it; what is stored is read again in the next pass.
pub async fn perform(
    ctx: &Shared,
    case: &mut Case,
    seen: &Observation,
    effect: &Effect,
) -> Result<Performed, Error> {
    match effect {
        Effect::Delete(order) => delete::delete(ctx, case, order, &seen.checks).await,
        Effect::SaveOutcome => save_outcome(ctx, case).await,
        Effect::Close(ending) => close(ctx, case, *ending).await,
    }
}

/// Where somebody else wrote in between, the outcome is kept for the next turn.
async fn save_outcome(ctx: &Shared, case: &mut Case) -> Result<Performed, Error> {
    let (Some(unsaved), Stored::Read(stored)) = (case.unsaved.clone(), &case.stored) else {
        return Ok(Performed::Done);
    };
    let mut step = case.pass.step(Name::Outcome, None);
    step.came_to(&unsaved.sent);
    failpoint!("outcome.put.before");
    let forward = record::with_outcome(&stored.spec, &unsaved.attempt_id, &unsaved.sent, unsaved.answered_at);
    let settled = match forward {
        Some(spec) => write(ctx, case, spec).await?,
        None => true,
    };
    if settled {
        case.outcome_stands();
    }
    failpoint!("outcome.put.after");
    Ok(Performed::Done)
}

/// Closes the record, with the outcome that was not written down yet; makes one where a customer was never there.
async fn close(ctx: &Shared, case: &mut Case, ending: Ending) -> Result<Performed, Error> {
    let Some(keys) = case.keys.clone() else { return Ok(Performed::Later(Next::Wait(Waiting::ApiServer))) };
    let retains = match &case.provider {
        ProviderSeen::Found(provider) => provider.declared.retains.clone(),
        ProviderSeen::NotFound | ProviderSeen::Unusable(_) => Vec::new(),
    };
    let begun = match &case.stored {
        Stored::Read(stored) if stored.spec.request.uid == case.origin.uid => {
            let saved = case.unsaved.as_ref().and_then(|unsaved| {
                record::with_outcome(&stored.spec, &unsaved.attempt_id, &unsaved.sent, unsaved.answered_at)
            });
            saved.unwrap_or_else(|| stored.spec.clone())
        }
        Stored::Read(_) | Stored::None => {
            let earlier = match &case.stored {
                Stored::Read(stored) => Some(&stored.spec),
                Stored::None | Stored::NotRead | Stored::Unread => None,
            };
            let (Some(request), Some(provider), Some(customer_ref), ProviderSeen::Found(facts)) =
                (case.record_request(), case.record_provider(), &case.customer_ref, &case.provider)
            else {
                return Ok(Performed::Later(Next::Wait(Waiting::ApiServer)));
            };
            record::for_request(earlier, &request, &provider, &facts.account, customer_ref, &keys)
        }
        Stored::NotRead | Stored::Unread => return Ok(Performed::Later(Next::Wait(Waiting::ApiServer))),
    };
    let mut step = case.pass.step(Name::Close, None);
    step.say(Key::Result, ending.result.as_str());
    step.say(Key::Reason, ending.because.as_str());
    failpoint!("close.put.before");
    let closed = write(ctx, case, record::closed(&begun, ending, &retains, (ctx.clock)())).await?;
    failpoint!("close.put.after");
    if closed {
        ctx.metrics.closed(ending.result);
        case.outcome_stands();
    }
    Ok(Performed::Done)
}

/// Stores a record over exactly the one that was read. Where somebody else wrote, or nobody knows, it is read again; that is
/// `false`.
async fn write(ctx: &Shared, case: &mut Case, spec: OffboardingRecordSpec) -> Result<bool, Error> {
    let (Some(keys), Some(name)) = (case.keys.clone(), case.record_name.clone()) else {
        return Err(Error::Incomplete);
    };
    let read = match &case.stored {
        Stored::Read(stored) => Some(stored.as_ref()),
        Stored::None | Stored::NotRead | Stored::Unread => None,
    };
    match ctx.records.write(&name, read, spec, &keys).await {
        Ok(written) => {
            case.stored = Stored::Read(Box::new(written));
            Ok(true)
        }
        Err(ApiError::Conflict | ApiError::AlreadyExists | ApiError::Unanswered) => {
            case.read_again(ctx).await;
            Ok(false)
        }
        Err(error) => Err(Error::WriteRecord(error)),
    }
}

/// Tells the sentence of an open record whose request is gone, where it changed.
///
/// # Errors
/// `WriteRecord`.
pub async fn tell_in_record(ctx: &Shared, case: &mut Case, sentence: &str) -> Result<(), Error> {
    let Stored::Read(stored) = &case.stored else { return Ok(()) };
    if stored.spec.closed || stored.spec.waiting_for.as_deref() == Some(sentence) {
        return Ok(());
    }
    // To write is to sign: what cannot be trusted or understood stays as it is.
    if !matches!(case.facts(), Facts::Mine(_)) {
        tracing::warn!(
            record = stored.name_any(),
            waiting_for = sentence,
            "an open record that is left alone"
        );
        return Ok(());
    }
    let spec = OffboardingRecordSpec { waiting_for: Some(sentence.to_owned()), ..stored.spec.clone() };
    tracing::info!(record = stored.name_any(), waiting_for = sentence, "an open record without its request");
    write(ctx, case, spec).await.map(drop)
}

/// A provider's refusal to be asked now, as a wait.
#[must_use]
pub fn later(failure: Failure) -> Performed {
    Performed::Later(Next::Wait(Waiting::Provider(failure)))
}
