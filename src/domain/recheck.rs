//! After the intent: everything once more, live. The send is permitted only if nothing changed; anything else means `NotSent`.

use super::{
    Cause, Class, CustomerSeen, Failure, Look, Observation, Order, Plan, Planned, ProviderSeen, Wish, mode_of,
};

/// What was read live after the intent.
#[derive(Clone, Debug)]
pub struct Live<'a> {
    /// The request; `None` where the API server did not answer.
    pub plan: Option<&'a Plan>,
    /// The provider, its Secret and the customer, looked at again; the checks are those that the order was given on.
    pub seen: &'a Observation,
}

/// Whether the order may still be carried out, with the credential that stands in the intent.
///
/// # Errors
/// What changed or could not be read. The owner of the attempt writes it down as `NotSent`.
pub fn nothing_changed(order: &Order, credential: &str, live: &Live) -> Result<(), Failure> {
    let changed = |cause| Failure::new(Class::Conflict, cause);
    let unread = Failure::new(Class::Transient, Cause::Unread);
    let plan = live.plan.ok_or_else(|| unread.clone())?;
    match plan.wish {
        Wish::Standing => {}
        Wish::Suspended => return Err(changed(Cause::RequestSuspended)),
        Wish::Withdrawn => return Err(changed(Cause::RequestWithdrawn)),
    }
    let provider = match &live.seen.provider {
        ProviderSeen::Found(provider) => provider,
        ProviderSeen::NotFound | ProviderSeen::Unusable(_) => return Err(changed(Cause::ProviderChanged)),
    };
    if provider.suspended {
        return Err(changed(Cause::ProviderSuspended));
    }
    match &live.seen.credential {
        Some(now) if now == credential => {}
        Some(_) => return Err(changed(Cause::CredentialChanged)),
        None => return Err(unread),
    }
    let CustomerSeen::Known { reference } = &live.seen.customer else { return Err(unread) };
    match &live.seen.look {
        Some(Look::Present(fingerprint)) if *fingerprint == order.fingerprint => {}
        Some(Look::Present(_) | Look::Inactive(_) | Look::Tombstoned | Look::Absent) => {
            return Err(changed(Cause::CustomerChanged));
        }
        Some(Look::Unknown(failure)) => return Err(failure.clone()),
        None => return Err(unread),
    }
    let mode = mode_of(plan, provider).map_err(|_| changed(Cause::ProviderChanged))?;
    let planned = Planned::new(plan, provider, mode, reference, &order.fingerprint.0, live.seen);
    if planned.hash == order.plan_hash { Ok(()) } else { Err(changed(Cause::PlanChanged)) }
}

#[cfg(test)]
mod tests;
