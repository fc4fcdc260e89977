//! What must hold before anything destructive: one list, evaluated on every look, up to the send.

use super::{Blocked, Next, Observation, Plan, ProviderFacts, Waiting, Wish, planned::blockers};

/// Everything that a gate may look at.
pub struct Gated<'a> {
    pub plan: &'a Plan,
    pub provider: &'a ProviderFacts,
    pub seen: &'a Observation,
    /// The customer was offboarded before.
    pub offboarded_before: bool,
}

/// A gate lets through, or says what happens instead.
pub type Gate = fn(&Gated) -> Result<(), Next>;

/// In the order in which a person wants to hear of them.
pub const GATES: &[Gate] = &[
    is_still_wanted,
    is_not_suspended,
    provider_is_not_suspended,
    is_no_second_time,
    has_no_blocker,
    is_approved,
];

/// The first gate that does not let through.
///
/// # Errors
/// What happens instead.
pub fn pass(gated: &Gated) -> Result<(), Next> {
    GATES.iter().try_for_each(|gate| gate(gated))
}

fn is_still_wanted(gated: &Gated) -> Result<(), Next> {
    match gated.plan.wish {
        Wish::Withdrawn => Err(Next::Finished(super::Ending::cancelled())),
        Wish::Standing | Wish::Suspended => Ok(()),
    }
}

fn is_not_suspended(gated: &Gated) -> Result<(), Next> {
    match gated.plan.wish {
        Wish::Suspended => Err(Next::Wait(Waiting::Suspended)),
        Wish::Standing | Wish::Withdrawn => Ok(()),
    }
}

fn provider_is_not_suspended(gated: &Gated) -> Result<(), Next> {
    if gated.provider.suspended { Err(Next::Wait(Waiting::ProviderSuspended)) } else { Ok(()) }
}

fn is_no_second_time(gated: &Gated) -> Result<(), Next> {
    if gated.offboarded_before { Err(Next::Stop(Blocked::Resurrected)) } else { Ok(()) }
}

fn has_no_blocker(gated: &Gated) -> Result<(), Next> {
    let found = blockers(gated.seen);
    if found.is_empty() { Ok(()) } else { Err(Next::Stop(Blocked::Checks(found))) }
}

/// Approvals are a kind that does not exist yet: where one is required, it stops here, honestly.
fn is_approved(gated: &Gated) -> Result<(), Next> {
    match gated.provider.approvals_required {
        0 => Ok(()),
        required => Err(Next::Wait(Waiting::Approvals { required })),
    }
}
