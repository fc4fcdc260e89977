//! Waiting without a look at the provider: while people, the clock or a budget are waited for.
//!
//! The plan that the status tells spares looks, and no gate believes it. Where nobody has to agree to a plan, none is made before
//! there is room in the budget: a folder of thousands by mistake asks the provider nothing.

use std::collections::BTreeMap;

use super::{
    Decision, Next, ProviderSeen, Targeted,
    decide::{alone, without_a_look},
    mode_of,
    planned::inputs_without_a_look,
    whole::{Together, Whole, needs_a_look, over_budget},
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

/// What is waited for, though nobody looks.
pub(super) struct Spared {
    pub(super) next: Next,
    /// By the plan that was told; else there is none yet.
    pub(super) is_as_told: bool,
}

impl Together<'_> {
    /// While people, the clock or a budget are waited for, nothing is looked at.
    pub(super) fn spares_the_look(&self) -> Option<Spared> {
        let whole = self.whole()?;
        let open: Vec<&Targeted> =
            self.targets.iter().filter(|target| needs_a_look(target, self.now)).collect();
        let may_be_spared = |target: &&Targeted| target.seen.look.is_none() && target.facts.may_be_begun();
        if open.is_empty() || !open.iter().all(may_be_spared) {
            return None;
        }
        let (next, is_as_told) = match &whole.told {
            Some(told) => (self.waits_by_what_was_told(whole, told, &open), true),
            None => (self.waits_for_room(whole, &open), false),
        };
        next.map(|next| Spared { next, is_as_told })
    }

    /// The plan that was told may still be the one.
    fn waits_by_what_was_told(&self, whole: &Whole, told: &Told, open: &[&Targeted]) -> Option<Next> {
        if !open.iter().all(|target| is_as_told(target, told)) {
            return None;
        }
        let spent = self.spent();
        let judged = self.judged(whole, &told.hash, &spent);
        if told.blockers.iter().any(|(target, check)| !judged.waives(target, check)) {
            return None;
        }
        let plan = open.first()?.plan;
        self.people_and_clock(plan, whole, &judged).err().or_else(|| all_over_budget(open))
    }

    /// Nobody has to agree to a plan, and there is no room for any target: the plan is made when its turn comes.
    fn waits_for_room(&self, whole: &Whole, open: &[&Targeted]) -> Option<Next> {
        let spent = self.spent();
        let judged = self.judged(whole, "", &spent);
        let has_time = self.people_and_clock(open.first()?.plan, whole, &judged).is_ok();
        (judged.need() == 0 && has_time).then(|| all_over_budget(open)).flatten()
    }

    /// What is waited for without a look, or what needs none anyway.
    pub(super) fn spared_or_alone(&self, target: &Targeted, spared: &Next) -> Decision {
        match without_a_look(target.plan, target.facts, target.seen, target.memory, self.now) {
            Some(_) => alone(target.plan, target.facts, target.seen, target.memory, self.now),
            None => Decision { next: spared.clone(), planned: None },
        }
    }
}

fn all_over_budget(open: &[&Targeted]) -> Option<Next> {
    let each: Option<Vec<Next>> = open.iter().map(|target| over_budget(target)).collect();
    each?.into_iter().next()
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
