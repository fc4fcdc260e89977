//! Which of several targets is begun, and which not any more.

use super::{
    Effect, Ending, Facts, Next, Plan, ProviderSeen, Waiting, WholePlan, mode_of, order,
    whole::{Together, over_budget},
};
use crate::api::{Mode, UsedApproval};

impl Together<'_> {
    /// One target fails before anything was begun: then nothing is begun. One that must come first fails: then what comes after
    /// it is not begun.
    pub(super) fn give_up_together(&self, each: &mut [Next]) {
        let begun = self.targets.iter().any(|target| target.facts.is_begun());
        let failed = |next: &Next| matches!(next, Next::Finished(ending) if ending.is_failure());
        let nothing_goes = !begun && each.iter().any(failed);
        for index in 0..each.len() {
            let target = &self.targets[index];
            let lost = self.before(target.plan).into_iter().any(|name| {
                let of_name = self.targets.iter().position(|other| other.plan.target == name);
                of_name.is_some_and(|at| matches!(&each[at], Next::Finished(ending) if !ending.is_success()))
            });
            if (nothing_goes || lost)
                && !matches!(each[index], Next::Finished(_))
                && target.facts.may_be_begun()
            {
                each[index] = match target.facts {
                    Facts::Mine(_) => Next::Do(Effect::Close(Ending::cancelled())),
                    _ => Next::Finished(Ending::cancelled()),
                };
            }
        }
    }

    fn before(&self, plan: &Plan) -> Vec<String> {
        let plans: Vec<Plan> = self.targets.iter().map(|target| target.plan.clone()).collect();
        let mode = |plan: &Plan| self.mode(&plan.target);
        order::must_be_done_before(&plans, plan, mode).into_iter().map(str::to_owned).collect()
    }

    fn mode(&self, target: &str) -> Option<Mode> {
        let of_name = self.targets.iter().find(|other| other.plan.target == target)?;
        match (of_name.facts, &of_name.seen.provider) {
            (Facts::Mine(record), _) => Some(record.mode),
            (_, ProviderSeen::Found(provider)) => mode_of(of_name.plan, provider).ok(),
            (_, ProviderSeen::NotFound | ProviderSeen::Unusable(_)) => None,
        }
    }

    /// The first target whose turn it is and whose budget allows it; the others say what they wait for.
    pub(super) fn whose_turn_it_is(
        &self,
        each: &mut [Next],
        plan: Option<&WholePlan>,
        approvals: &[UsedApproval],
    ) -> Option<usize> {
        let done: Vec<bool> = each.iter().map(|next| matches!(next, Next::Finished(_))).collect();
        let mut acts = None;
        for (index, (next, target)) in each.iter_mut().zip(self.targets).enumerate() {
            let waits_on: Vec<String> = self
                .before(target.plan)
                .into_iter()
                .filter(|name| {
                    !self.targets.iter().zip(&done).any(|(other, done)| *done && other.plan.target == *name)
                })
                .collect();
            let Next::Do(Effect::Delete(order)) = &mut *next else { continue };
            if !waits_on.is_empty() {
                *next = Next::Wait(Waiting::Turn { after: waits_on });
            } else if let Some(full) = over_budget(target) {
                *next = full;
            } else if acts.is_some() {
                *next = Next::Wait(Waiting::Others);
            } else {
                order.plan_hash = plan.map(|plan| plan.hash.clone()).unwrap_or_default();
                order.approvals = approvals.to_vec();
                order.demands = self.demands();
                order.spent = self.spent();
                acts = Some(index);
            }
        }
        acts
    }
}
