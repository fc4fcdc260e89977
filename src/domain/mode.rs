//! Soft or Hard: what is carried out, and what a look is about.

use super::{Facts, ModeProblem, Plan, ProviderFacts};
use crate::api::Mode;

/// The mode that is carried out: what was asked for, or the only one that the provider allows.
///
/// # Errors
/// `ModeProblem`: the requester or the platform team mends it.
pub fn mode_of(plan: &Plan, provider: &ProviderFacts) -> Result<Mode, ModeProblem> {
    let mode = match (plan.mode, provider.allowed_modes.as_slice()) {
        (Some(mode), allowed) if !allowed.contains(&mode) => return Err(ModeProblem::NotAllowed(mode)),
        (Some(mode), _) => mode,
        (None, [only]) => *only,
        (None, _) => return Err(ModeProblem::Ambiguous),
    };
    supported(mode, provider)
}

/// The mode that looks are read in. What was begun is looked at in the mode of its record, whatever is allowed by now.
///
/// # Errors
/// As `mode_of`.
pub fn mode_to_look_in(plan: &Plan, facts: &Facts, provider: &ProviderFacts) -> Result<Mode, ModeProblem> {
    match facts {
        Facts::Mine(record) => supported(record.mode, provider),
        Facts::None | Facts::Unread | Facts::Unusable(_) | Facts::Theirs | Facts::Earlier(_) => {
            mode_of(plan, provider)
        }
    }
}

fn supported(mode: Mode, provider: &ProviderFacts) -> Result<Mode, ModeProblem> {
    if provider.declared.supports == mode { Ok(mode) } else { Err(ModeProblem::NotSupported(mode)) }
}
