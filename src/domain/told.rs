//! The plan that the status tells: no gate believes it. It only spares looks while people, the clock or a budget are waited for.

use std::collections::BTreeMap;

use super::{
    Decision, Next, ProviderSeen, Targeted,
    decide::{alone, without_a_look},
    mode_of,
    planned::inputs_without_a_look,
    whole::{Together, needs_a_look, over_budget},
};
use crate::api::ShortHash;

/// A plan, as the status tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub hash: String,
    pub inputs: BTreeMap<String, ShortHash>,
    /// What stood in the way, by target and check.
    pub blockers: Vec<(String, String)>,
}

impl Told {
    /// Whether something stood in the way: then it is waited only where somebody agreed to pass over it.
    pub(super) fn is_waived(&self) -> bool {
        !self.blockers.is_empty()
    }
}

impl Together<'_> {
    /// While people or the clock are waited for, nothing is looked at: the plan that was told may still be the one.
    pub(super) fn waits_by_what_was_told(&self) -> Option<Next> {
        let whole = self.whole()?;
        let told = whole.told.as_ref()?;
        let open: Vec<&Targeted> =
            self.targets.iter().filter(|target| needs_a_look(target, self.now)).collect();
        let as_told = |target: &&Targeted| {
            target.seen.look.is_none() && target.facts.may_be_begun() && is_as_told(target, told)
        };
        if open.is_empty() || !open.iter().all(as_told) {
            return None;
        }
        let spent = self.spent();
        let judged = self.judged(whole, &told.hash, &spent);
        if told.blockers.iter().any(|(target, check)| !judged.waives(target, check)) {
            return None;
        }
        let plan = open.first()?.plan;
        self.people_and_clock(plan, whole, &judged).err().or_else(|| {
            let full = open.iter().all(|target| over_budget(target).is_some());
            full.then(|| open.iter().find_map(|target| over_budget(target))).flatten()
        })
    }

    /// What was told, or what needs no look anyway.
    pub(super) fn told_or_alone(&self, target: &Targeted, told: &Next) -> Decision {
        match without_a_look(target.plan, target.facts, target.seen, target.memory, self.now) {
            Some(_) => alone(target.plan, target.facts, target.seen, target.memory, self.now),
            None => Decision { next: told.clone(), planned: None },
        }
    }
}

fn is_as_told(target: &Targeted, told: &Told) -> bool {
    let (ProviderSeen::Found(provider), super::CustomerSeen::Known { reference }) =
        (&target.seen.provider, &target.seen.customer)
    else {
        return false;
    };
    let Ok(mode) = mode_of(target.plan, provider) else { return false };
    inputs_without_a_look(target.plan, provider, mode, reference)
        .iter()
        .all(|(name, hash)| told.inputs.get(name) == Some(hash))
}
