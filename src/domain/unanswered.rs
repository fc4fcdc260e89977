//! A check that only warns and has no answer this time is no news: what people agreed to while it had one stands.

use super::{
    CheckSeen, CheckVerdict, Consent, CustomerSeen, Failure, Next, Observation, Planned, ProviderSeen,
    Targeted, Told, Waiting, WholePlan,
    whole::{Together, is_deletion},
};

impl Together<'_> {
    /// The plan that people were told of or agreed to, where this turn's is another only because a check has no answer. Otherwise
    /// one bad minute of a provider would void for good what people have agreed to. Where nobody decides, or where people agreed to
    /// go on without the answer, nothing is waited for.
    pub(super) fn as_if_answered(
        &self,
        each: &[Next],
        planned: &[Option<Planned>],
        plan: &WholePlan,
    ) -> Option<WholePlan> {
        self.targets.iter().find_map(|target| unanswered(target.seen))?;
        let whole = self.whole()?;
        let told = whole.told.as_ref();
        let spent = self.spent();
        let judged = self.judged(whole, &plan.hash, &spent);
        let nobody_decides = judged.need() == 0 && !told.is_some_and(Told::is_waived);
        if nobody_decides || matches!(judged.consent(), Consent::Given { .. }) {
            return None;
        }
        let answered: Vec<Option<Planned>> = self
            .targets
            .iter()
            .zip(planned)
            .map(|(target, planned)| answered(target, planned.as_ref()?))
            .collect();
        let answered = self.plan(each, &answered)?;
        let agreed = match self.judged(whole, &answered.hash, &spent).consent() {
            Consent::Given { .. } => true,
            Consent::Missing(missing) => missing.have > 0,
            Consent::NotRequired | Consent::Denied | Consent::PolicyMissing(_) | Consent::Unread => false,
        };
        let stands = agreed || told.is_some_and(|told| told.hash == answered.hash);
        stands.then_some(answered)
    }

    /// Whoever was to be deleted waits: for the answer, or for the target that it is about.
    pub(super) fn wait_for_answers(&self, each: &mut [Next]) {
        for (next, target) in each.iter_mut().zip(self.targets).filter(|(next, _)| is_deletion(next)) {
            *next = Next::Wait(unanswered(target.seen).map_or(Waiting::Others, |(check, failure)| {
                Waiting::Check { check: check.to_owned(), failure: failure.clone() }
            }));
        }
    }
}

/// The first check that only warns and has no answer, and why it has none.
fn unanswered(seen: &Observation) -> Option<(&str, &Failure)> {
    seen.checks.iter().find_map(|check| match &check.verdict {
        CheckVerdict::Unanswered(failure) => Some((check.name.as_str(), failure)),
        CheckVerdict::Clear | CheckVerdict::Blocks | CheckVerdict::Failed(_) | CheckVerdict::Ignored => None,
    })
}

/// A target's part of the plan, had every check that only warns been answered with nothing in the way.
fn answered(target: &Targeted, planned: &Planned) -> Option<Planned> {
    let (ProviderSeen::Found(provider), CustomerSeen::Known { reference }) =
        (&target.seen.provider, &target.seen.customer)
    else {
        return None;
    };
    let clear = |check: &CheckSeen| match check.verdict {
        CheckVerdict::Unanswered(_) => CheckSeen { verdict: CheckVerdict::Clear, ..check.clone() },
        CheckVerdict::Clear | CheckVerdict::Blocks | CheckVerdict::Failed(_) | CheckVerdict::Ignored => {
            check.clone()
        }
    };
    let seen = Observation { checks: target.seen.checks.iter().map(clear).collect(), ..target.seen.clone() };
    Some(Planned::new(target.plan, provider, planned.mode, reference, &planned.fingerprint, &seen))
}
