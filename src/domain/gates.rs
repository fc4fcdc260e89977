//! What must hold of one target before anything destructive: evaluated on every look, up to the send. What must hold of the
//! request as a whole follows in `whole`.

use super::{Blocked, HoldSeen, Next, Observation, Plan, ProviderFacts, Waiting, Wish, planned::blockers};

/// Everything that a gate may look at.
pub struct Gated<'a> {
    pub plan: &'a Plan,
    pub provider: &'a ProviderFacts,
    pub seen: &'a Observation,
}

/// A gate lets through, or says what happens instead.
pub type Gate = fn(&Gated) -> Result<(), Next>;

/// Those that need no look, in the order in which a person wants to hear of them.
pub const BEFORE_A_LOOK: &[Gate] =
    &[is_still_wanted, is_not_held, is_not_suspended, provider_is_not_suspended];

/// Those that a look answers.
pub const AFTER_A_LOOK: &[Gate] = &[has_no_blocker];

/// The first gate of those that need no look that does not let through.
///
/// # Errors
/// What happens instead.
pub fn before_a_look(gated: &Gated) -> Result<(), Next> {
    BEFORE_A_LOOK.iter().try_for_each(|gate| gate(gated))
}

/// The first gate of all that does not let through.
///
/// # Errors
/// What happens instead.
pub fn pass(gated: &Gated) -> Result<(), Next> {
    before_a_look(gated)?;
    AFTER_A_LOOK.iter().try_for_each(|gate| gate(gated))
}

fn is_still_wanted(gated: &Gated) -> Result<(), Next> {
    match gated.plan.wish {
        Wish::Withdrawn => Err(Next::Finished(super::Ending::cancelled())),
        Wish::Standing | Wish::Suspended => Ok(()),
    }
}

fn is_not_held(gated: &Gated) -> Result<(), Next> {
    match &gated.seen.hold {
        HoldSeen::Free => Ok(()),
        HoldSeen::By { name, kind, until } => {
            Err(Next::Wait(Waiting::Held { name: name.clone(), kind: *kind, until: *until }))
        }
        HoldSeen::Unread => Err(Next::Wait(Waiting::HoldsUnread)),
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

fn has_no_blocker(gated: &Gated) -> Result<(), Next> {
    let found = blockers(gated.seen);
    if found.is_empty() { Ok(()) } else { Err(Next::Stop(Blocked::Checks(found))) }
}
