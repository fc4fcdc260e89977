//! Carries one effect out, and stores records.

use std::rc::Rc;

use offboarding::{
    api::OffboardingRecordSpec,
    controller::{ApiError, Error},
    domain::{Effect, Ending, Next, Observation, ProviderSeen, Waiting},
    evidence::record,
};

use crate::{
    api::{Refusal, Stored},
    case::{Case, Read},
    errand::{Came, delete},
    operator::Handle,
    people::KEYS,
    scenario::Point,
};

/// Carries one effect out; what is waited for instead, where it was not the time for it.
pub async fn perform(
    handle: &Handle,
    case: &mut Case,
    seen: &Observation,
    effect: &Effect,
) -> Result<Option<Next>, Error> {
    match effect {
        Effect::Delete(order) => match delete(handle, case, order, &seen.checks).await {
            Came::Later(next) => Ok(Some(next)),
            Came::LeaseLost => Err(Error::LeaseLost),
            Came::LockLost => {
                case.read_again(handle).await;
                Ok(None)
            }
            Came::Told(stored, unsaved) => {
                (case.stored, case.unsaved) = (Read::Found(stored), unsaved);
                Ok(None)
            }
        },
        Effect::SaveOutcome => {
            let (Some(unsaved), Read::Found(stored)) = (case.unsaved.clone(), case.stored.clone()) else {
                return Ok(None);
            };
            handle.comes_to(Point::OutcomeWrite).await;
            let forward =
                record::with_outcome(&stored.spec, &unsaved.attempt_id, &unsaved.sent, unsaved.answered_at);
            let settled = match forward {
                Some(spec) => write(handle, case, spec).await?,
                None => true,
            };
            if settled {
                case.unsaved = None;
            }
            handle.comes_to(Point::OutcomeWritten).await;
            Ok(None)
        }
        Effect::Close(ending) => close(handle, case, *ending).await,
    }
}

/// Closes the record, with the outcome that was not written down yet; makes one where a customer was never there.
pub async fn close(handle: &Handle, case: &mut Case, ending: Ending) -> Result<Option<Next>, Error> {
    let begun = match &case.stored {
        Read::Found(stored) if stored.spec.request.uid == case.plan.request_uid => {
            let saved = case.unsaved.as_ref().and_then(|unsaved| {
                record::with_outcome(&stored.spec, &unsaved.attempt_id, &unsaved.sent, unsaved.answered_at)
            });
            saved.unwrap_or_else(|| stored.spec.clone())
        }
        Read::Found(_) | Read::None => {
            let earlier = match &case.stored {
                Read::Found(stored) => Some(&stored.spec),
                Read::None | Read::NotAsked | Read::Unread => None,
            };
            let (Some(request), Some(provider), Some(customer_ref), ProviderSeen::Found(facts)) =
                (case.record_request(), case.record_provider(), &case.customer_ref, &case.provider)
            else {
                return Ok(Some(Next::Wait(Waiting::ApiServer)));
            };
            record::for_request(earlier, &request, &provider, &facts.account, customer_ref, &KEYS)
        }
        Read::NotAsked | Read::Unread => return Ok(Some(Next::Wait(Waiting::ApiServer))),
    };
    handle.comes_to(Point::CloseWrite).await;
    let closed = record::closed(&begun, ending, &[], handle.wall());
    let is_closed = write(handle, case, closed).await?;
    handle.comes_to(Point::Closed).await;
    if is_closed {
        case.unsaved = None;
    }
    Ok(None)
}

/// Stores a record over exactly the one that was read. Where somebody else wrote, or nobody knows, it is read again.
pub async fn write(handle: &Handle, case: &mut Case, spec: OffboardingRecordSpec) -> Result<bool, Error> {
    let Some(name) = case.record_name.clone() else { return Err(Error::Incomplete) };
    let read = match &case.stored {
        Read::Found(stored) => Some(stored.clone()),
        Read::None | Read::NotAsked | Read::Unread => None,
    };
    match put(handle, &name, read.as_deref(), spec).await {
        Ok(written) => {
            case.stored = Read::Found(written);
            Ok(true)
        }
        Err(Refusal::Conflict | Refusal::AlreadyExists | Refusal::Unanswered) => {
            case.read_again(handle).await;
            Ok(false)
        }
        Err(Refusal::NotFound) => Err(Error::WriteRecord(ApiError::NotFound)),
    }
}

/// Signs and stores a record.
pub async fn put(
    handle: &Handle,
    name: &str,
    read: Option<&Stored>,
    spec: OffboardingRecordSpec,
) -> Result<Rc<Stored>, Refusal> {
    let spec = record::signed(spec, name, &KEYS);
    let key = (spec.request.uid.clone(), spec.request.target.clone());
    handle.me(|me| me.of_target.insert(key, name.to_owned()));
    let record = Stored::new(name.to_owned(), 0, spec);
    let by = (handle.operator, handle.epoch);
    handle.put(|world| world.put_record(read, record, by)).await
}
