//! After the intent: everything once more, live. The send is permitted only if nothing changed; anything else means `NotSent`.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    ApprovalsSeen, BudgetSeen, Cause, Class, Consent, CustomerSeen, Failure, HoldSeen, Judged, Look,
    Observation, Order, Plan, Planned, PolicyState, ProviderFacts, ProviderSeen, Wish, mode_of,
    planned::blockers,
};
use crate::api::{Blocker, UsedWaiver};

/// What was read live after the intent.
#[derive(Clone, Debug)]
pub struct Live<'a> {
    /// The request; `None` where the API server did not answer.
    pub plan: Option<&'a Plan>,
    /// The provider, its Secret, holds, approvals and budget, and the customer, looked at again; the checks are those that the
    /// order was given on.
    pub seen: &'a Observation,
    pub now: Timestamp,
    /// How long the send may take: as long must an approval still hold.
    pub send_takes: Duration,
}

/// Whether the order may still be carried out, with the credential that stands in the intent.
///
/// # Errors
/// What changed or could not be read. The owner of the attempt writes it down as `NotSent`.
pub fn nothing_changed(order: &Order, credential: &str, live: &Live) -> Result<(), Failure> {
    let plan = live.plan.ok_or_else(unread)?;
    still_wanted(plan, live.now)?;
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
        None => return Err(unread()),
    }
    let CustomerSeen::Known { reference } = &live.seen.customer else { return Err(unread()) };
    match &live.seen.look {
        Some(Look::Present(fingerprint)) if *fingerprint == order.fingerprint => {}
        Some(Look::Present(_) | Look::Inactive(_) | Look::Tombstoned | Look::Absent) => {
            return Err(changed(Cause::CustomerChanged));
        }
        Some(Look::Unknown(failure)) => return Err(failure.clone()),
        None => return Err(unread()),
    }
    let mode = mode_of(plan, provider).map_err(|_| changed(Cause::ProviderChanged))?;
    let planned = Planned::new(plan, provider, mode, reference, &order.fingerprint, live.seen);
    if planned.target_hash != order.target_hash || planned.request_hash != order.request_hash {
        return Err(changed(Cause::PlanChanged));
    }
    still_agreed(order, plan, provider, live)?;
    match live.seen.budget {
        BudgetSeen::Free => {}
        BudgetSeen::Full { .. } | BudgetSeen::CeilingReached { .. } => {
            return Err(changed(Cause::BudgetUsed));
        }
        BudgetSeen::Unread => return Err(unread()),
    }
    match &live.seen.hold {
        HoldSeen::Free => Ok(()),
        HoldSeen::By { .. } => Err(changed(Cause::Held)),
        HoldSeen::Unread => Err(unread()),
    }
}

fn changed(cause: Cause) -> Failure {
    Failure::new(Class::Conflict, cause)
}

fn unread() -> Failure {
    Failure::new(Class::Transient, Cause::Unread)
}

fn still_wanted(plan: &Plan, now: Timestamp) -> Result<(), Failure> {
    match plan.wish {
        Wish::Standing if plan.not_before.is_some_and(|moment| now < moment) => Err(changed(Cause::NotYet)),
        Wish::Standing => Ok(()),
        Wish::Suspended => Err(changed(Cause::RequestSuspended)),
        Wish::Withdrawn => Err(changed(Cause::RequestWithdrawn)),
    }
}

/// The very approvals that the order stands on still count, and are still enough; what was passed over still may be.
fn still_agreed(order: &Order, plan: &Plan, provider: &ProviderFacts, live: &Live) -> Result<(), Failure> {
    let whole = &live.seen.whole;
    let judged = Judged {
        plan_hash: &order.plan_hash,
        demands: order.demands.and(provider.demands),
        approvals: &whole.approvals,
        policies: &whole.policies,
        author: whole.author.as_deref(),
        spent: &order.spent,
        now: live.now,
        holds_for: live.send_takes,
    };
    match judged.consent() {
        Consent::NotRequired => still_waived(order, plan, &judged, live.seen),
        Consent::Given { by, .. } if by == order.approvals => still_waived(order, plan, &judged, live.seen),
        Consent::Given { .. } | Consent::Missing(_) => Err(changed(Cause::ApprovalWithdrawn)),
        Consent::Denied => Err(changed(Cause::Denied)),
        Consent::PolicyMissing(_) => Err(changed(Cause::ApprovalPolicyMissing)),
        Consent::Unread => Err(unread()),
    }
}

/// Whatever stands in the way is still passed over by whom the record names.
fn still_waived(order: &Order, plan: &Plan, judged: &Judged, seen: &Observation) -> Result<(), Failure> {
    let waived = |blocker: &Blocker| {
        let by = judged.waived_by(&plan.target, &blocker.check);
        let known = |by| order.waivers.contains(&UsedWaiver::new(&blocker.check, by));
        seen.may_be_waived(&blocker.check) && by.len() >= judged.waivers_needed() && by.into_iter().all(known)
    };
    if blockers(seen).iter().all(waived) {
        return Ok(());
    }
    match (judged.approvals, judged.policies) {
        (ApprovalsSeen::Unread, _) | (_, PolicyState::Unanswered) => Err(unread()),
        (_, PolicyState::Missing(_)) => Err(changed(Cause::ApprovalPolicyMissing)),
        (ApprovalsSeen::Seen(_), PolicyState::AsShipped { .. }) => Err(changed(Cause::ApprovalWithdrawn)),
    }
}

#[cfg(test)]
mod tests;
