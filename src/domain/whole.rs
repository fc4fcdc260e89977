//! A request as a whole: its targets decided one by one, then what holds for all of them together.
//!
//! ```text
//!  each target ── decided alone: clear, or what it waits for ──┐
//!  nothing is begun anywhere before every target is clear or done (the barrier)
//!  plan hash ── consent of exactly that plan ── cooled off ── not before ── its turn ── budget ──► one deletion
//! ```
//! Pure. One effect at a time: what is written down comes first, and of several deletions the one whose turn it is.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    ApprovalsSeen, Blocked, BudgetSeen, Class, Consent, Decision, Demands, Effect, Ending, Facts, Judged,
    Memory, Moment, Next, Observation, Order, Outcome, Part, Plan, Planned, PolicyState, ProviderFacts,
    ProviderSeen, Told, Waiting, WholePlan,
    decide::{alone, without_a_look},
    ending::together,
    told::Spared,
};
use crate::api::{UsedApproval, UsedWaiver};

/// What is seen of a request as a whole; the same for each of its targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// The plan that the status tells. No gate believes it: it only spares looks while people are waited for.
    pub told: Option<Told>,
    pub approvals: ApprovalsSeen,
    pub policies: PolicyState,
    /// Who asked, by the annotation that admission vouches for.
    pub author: Option<String>,
    /// When the request was created.
    pub created_at: Timestamp,
}

impl Whole {
    /// Nobody has looked yet.
    #[must_use]
    pub fn unread() -> Self {
        Self {
            told: None,
            approvals: ApprovalsSeen::Unread,
            policies: PolicyState::Unanswered,
            author: None,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }
}

/// One target with everything that is decided by.
#[derive(Clone, Debug)]
pub struct Targeted<'a> {
    pub plan: &'a Plan,
    pub facts: &'a Facts,
    pub seen: &'a Observation,
    pub memory: &'a Memory,
}

/// What follows for each target, and for the request.
#[must_use]
#[derive(Clone, Debug, PartialEq)]
pub struct Decisions {
    /// What follows for each target, in their order.
    pub each: Vec<Next>,
    /// Which target something is done for now.
    pub acts: Option<usize>,
    /// Which target the request's own words are about.
    pub speaker: usize,
    /// What follows for the request.
    pub next: Next,
    /// The plan, where this turn made one.
    pub plan: Option<WholePlan>,
    /// Who agreed to it; nobody where nobody had to. `None` where it is not agreed to.
    pub approved_by: Option<Vec<UsedApproval>>,
    /// Blockers that somebody agreed to pass over.
    pub waived: bool,
    /// Nobody looked: the plan that the status tells is still waited with.
    pub is_as_told: bool,
}

impl Decisions {
    /// What is done now, and for which target.
    #[must_use]
    pub fn effect(&self) -> Option<(usize, &Effect)> {
        let acts = self.acts?;
        match self.each.get(acts)? {
            Next::Do(effect) => Some((acts, effect)),
            Next::Wait(_) | Next::Stop(_) | Next::Finished(_) => None,
        }
    }

    /// It was not the time for it: the target that was to act waits instead, and speaks.
    pub fn instead(&mut self, next: Next) {
        if let Some(acts) = self.acts.take() {
            self.each[acts] = next.clone();
            self.speaker = acts;
            self.next = next;
        }
    }
}

/// Decides a request: what to do next, and what each of its targets waits for.
///
/// # Panics
/// Never; a request without targets decides nothing and waits.
pub fn decide_all(targets: &[Targeted], now: Moment) -> Decisions {
    let whole = Together::new(targets, now);
    if let Some(Spared { next, is_as_told }) = whole.spares_the_look() {
        let decided = targets.iter().map(|target| whole.spared_or_alone(target, &next)).collect();
        let waived = whole.whole().and_then(|whole| whole.told.as_ref()).is_some_and(Told::is_waived);
        return Decisions { is_as_told, waived, ..whole.fold(decided) };
    }
    let decided: Vec<Decision> = targets
        .iter()
        .map(|target| alone(target.plan, target.facts, target.seen, target.memory, now))
        .collect();
    let found: Vec<bool> = decided.iter().map(|decision| decision.planned.is_some()).collect();
    whole.finding(&found).fold(decided)
}

/// For each target whether its next decision can depend on a look.
#[must_use]
pub fn wants_looks(targets: &[Targeted], now: Moment) -> Vec<bool> {
    let whole = Together::new(targets, now);
    if whole.spares_the_look().is_some() {
        return vec![false; targets.len()];
    }
    targets.iter().map(|target| needs_a_look(target, now)).collect()
}

pub(super) fn needs_a_look(target: &Targeted, now: Moment) -> bool {
    without_a_look(target.plan, target.facts, target.seen, target.memory, now).is_none()
}

pub(super) struct Together<'a> {
    pub(super) targets: &'a [Targeted<'a>],
    pub(super) now: Moment,
    /// Somebody was offboarded before, and is there again.
    returned: bool,
}

impl<'a> Together<'a> {
    /// Before anybody looked: whoever was offboarded before may be there again.
    fn new(targets: &'a [Targeted<'a>], now: Moment) -> Self {
        Self { targets, now, returned: targets.iter().any(|target| target.facts.was_offboarded_before()) }
    }

    /// The same, where these were found.
    fn finding(self, found: &[bool]) -> Self {
        let returned = self.targets.iter().zip(found).any(|(target, found)| {
            target.facts.was_offboarded_before() && (*found || target.facts.is_begun())
        });
        Self { returned, ..self }
    }

    pub(super) fn whole(&self) -> Option<&Arc<Whole>> {
        self.targets.first().map(|target| &target.seen.whole)
    }

    fn providers(&self) -> impl Iterator<Item = &ProviderFacts> {
        self.targets.iter().filter_map(|target| match &target.seen.provider {
            ProviderSeen::Found(provider) => Some(provider.as_ref()),
            ProviderSeen::NotFound | ProviderSeen::Unusable(_) => None,
        })
    }

    /// The strictest of every provider object; at least one approval for whom was offboarded before.
    pub(super) fn demands(&self) -> Demands {
        let demands = self.providers().fold(Demands::default(), |all, provider| all.and(provider.demands));
        if self.returned { demands.at_least_one() } else { demands }
    }

    /// Approvals that an attempt was refused on, where a refusal of that class needs a new decision.
    pub(super) fn spent(&self) -> BTreeSet<String> {
        let mut spent = BTreeSet::new();
        for target in self.targets {
            let Facts::Mine(record) = target.facts else { continue };
            for attempt in &record.attempts {
                let is_spent = matches!(&attempt.outcome, Some(Outcome::Rejected(failure))
                    if !matches!(failure.class, Class::Auth | Class::RateLimited));
                if is_spent {
                    spent.extend(attempt.approvals.iter().map(|approval| approval.uid.clone()));
                    spent.extend(attempt.waivers.iter().map(|waiver| waiver.uid.clone()));
                }
            }
        }
        spent
    }

    pub(super) fn judged<'b>(
        &self,
        whole: &'b Whole,
        hash: &'b str,
        spent: &'b BTreeSet<String>,
    ) -> Judged<'b> {
        Judged {
            plan_hash: hash,
            demands: self.demands(),
            approvals: &whole.approvals,
            policies: &whole.policies,
            author: whole.author.as_deref(),
            spent,
            now: self.now.wall,
            holds_for: Duration::ZERO,
        }
    }

    /// Enough people agreed, and the time has come.
    pub(super) fn people_and_clock(
        &self,
        plan: &Plan,
        whole: &Whole,
        judged: &Judged,
    ) -> Result<Vec<UsedApproval>, Next> {
        let (approvals, since) = match judged.consent() {
            Consent::NotRequired => (Vec::new(), whole.created_at),
            Consent::Given { by, since } => (by, since),
            Consent::Missing(missing) if self.returned => {
                return Err(Next::Stop(Blocked::Resurrected(missing)));
            }
            Consent::Missing(missing) => return Err(Next::Wait(Waiting::Approvals(missing))),
            Consent::Denied => return Err(Next::Stop(Blocked::Denied)),
            Consent::PolicyMissing(names) => return Err(Next::Stop(Blocked::ApprovalPolicyMissing(names))),
            Consent::Unread => return Err(Next::Wait(Waiting::ApiServer)),
        };
        let cooled = since.saturating_add(judged.demands.cooling_off).unwrap_or(Timestamp::MAX);
        if self.now.wall < cooled {
            return Err(Next::Wait(Waiting::CoolingOff { until: cooled }));
        }
        match plan.not_before {
            Some(until) if self.now.wall < until => Err(Next::Wait(Waiting::NotBefore { until })),
            _ => Ok(approvals),
        }
    }

    fn fold(&self, decided: Vec<Decision>) -> Decisions {
        let (mut each, planned): (Vec<Next>, Vec<Option<Planned>>) =
            decided.into_iter().map(|decision| (decision.next, decision.planned)).unzip();
        self.give_up_together(&mut each);
        self.ask_for_a_new_decision(&mut each);
        let plan = self.plan(&each, &planned);
        let as_told = plan.as_ref().and_then(|plan| self.as_if_answered(&each, &planned, plan));
        let is_unanswered = as_told.is_some();
        let plan = as_told.or(plan);
        if let Some(acts) = each.iter().position(is_bookkeeping) {
            return self.told(each, Some(acts), plan);
        }
        let Some(whole) = self.whole() else { return self.told(each, None, None) };
        let spent = self.spent();
        let mut waived = false;
        if let Some(plan) = &plan {
            let judged = self.judged(whole, &plan.hash, &spent);
            waived = self.pass_over_what_is_waived(&mut each, &planned, &judged);
        }
        if !each.iter().any(is_deletion) {
            return self.told(each, None, plan);
        }
        let gated = match &plan {
            Some(plan) if self.barrier_is_open(&each) => {
                self.people_and_clock(self.targets[0].plan, whole, &self.judged(whole, &plan.hash, &spent))
            }
            _ => Err(Next::Wait(Waiting::Others)),
        };
        let acts = match gated {
            Ok(_) if is_unanswered => {
                self.wait_for_answers(&mut each);
                None
            }
            Ok(approvals) => self.whose_turn_it_is(&mut each, plan.as_ref(), &approvals),
            Err(instead) => {
                each.iter_mut().filter(|next| is_deletion(next)).for_each(|next| *next = instead.clone());
                None
            }
        };
        Decisions { waived, ..self.told(each, acts, plan) }
    }

    /// A refusal spends approvals. That it takes new ones is told while the pause runs: people need it, too.
    fn ask_for_a_new_decision(&self, each: &mut [Next]) {
        let Some(whole) = self.whole() else { return };
        let spent = self.spent();
        for (next, target) in each.iter_mut().zip(self.targets) {
            let (Next::Stop(Blocked::Refused { approvals, .. }), Facts::Mine(record)) = (next, target.facts)
            else {
                continue;
            };
            // Nobody looks meanwhile: it is asked for the plan that the status tells.
            let told = whole.told.as_ref().map(|told| &told.hash);
            let Some(hash) = told.or(record.last().map(|last| &last.plan_hash)) else { continue };
            if let Consent::Missing(missing) = self.judged(whole, hash, &spent).consent() {
                *approvals = Some(missing);
            }
        }
    }

    /// The plan, where every target has its part.
    pub(super) fn plan(&self, each: &[Next], planned: &[Option<Planned>]) -> Option<WholePlan> {
        if planned.iter().all(Option::is_none) {
            return None;
        }
        let parts: Option<Vec<Part>> = self
            .targets
            .iter()
            .zip(planned)
            .zip(each)
            .map(|((target, planned), next)| match (planned, next, &target.seen.provider) {
                (Some(planned), _, _) => Some(Part::Fresh(Box::new(planned.clone()))),
                (None, Next::Finished(ending), ProviderSeen::Found(provider)) => {
                    Part::kept(target.plan, target.facts)
                        .or_else(|| Some(Part::done(target.plan, &provider.account, ending.result)))
                }
                (None, _, _) => Part::kept(target.plan, target.facts),
            })
            .collect();
        let plans: Vec<&Plan> = self.targets.iter().map(|target| target.plan).collect();
        let demands = self.demands();
        let whole = self.whole()?;
        let needed = Judged { demands, ..self.judged(whole, "", &BTreeSet::new()) }.need();
        WholePlan::new(&plans, parts?, needed)
    }

    /// A blocked target whose every blocker somebody agreed to pass over is clear.
    fn pass_over_what_is_waived(
        &self,
        each: &mut [Next],
        planned: &[Option<Planned>],
        judged: &Judged,
    ) -> bool {
        let mut waived = false;
        for ((next, target), planned) in each.iter_mut().zip(self.targets).zip(planned) {
            let (Next::Stop(Blocked::Checks(blockers)), Some(planned)) = (&*next, planned) else { continue };
            if !blockers.iter().all(|it| target.seen.may_be_waived(&it.check)) {
                continue;
            }
            let waivers: Vec<Vec<UsedApproval>> =
                blockers.iter().map(|it| judged.waived_by(&target.plan.target, &it.check)).collect();
            if waivers.iter().all(|by| by.len() >= judged.waivers_needed()) {
                let each = blockers.iter().zip(waivers);
                let waivers = each
                    .flat_map(|(blocker, by)| by.into_iter().map(|by| UsedWaiver::new(&blocker.check, by)))
                    .collect();
                *next = Next::Do(Effect::Delete(Box::new(Order { waivers, ..Order::of(planned) })));
                waived = true;
            } else if waivers.iter().all(|by| !by.is_empty()) {
                *next = Next::Stop(Blocked::OneMoreWaiver(blockers.clone()));
            }
        }
        waived
    }

    /// Before the first deletion every target must be found, or done, and nothing may stand in its way.
    fn barrier_is_open(&self, each: &[Next]) -> bool {
        self.targets.iter().zip(each).all(|(target, next)| {
            is_deletion(next) || matches!(next, Next::Finished(_)) || target.facts.is_under_way()
        })
    }

    /// The request's own words: of what is done now, else of whoever needs somebody most.
    fn told(&self, each: Vec<Next>, acts: Option<usize>, plan: Option<WholePlan>) -> Decisions {
        let speaker = acts.or_else(|| {
            let ranks = each.iter().enumerate().map(|(index, next)| (rank(next), index));
            ranks.min().map(|(_, index)| index)
        });
        let speaker = speaker.unwrap_or(0);
        let endings: Option<Vec<Ending>> = each
            .iter()
            .map(|next| match next {
                Next::Finished(ending) => Some(*ending),
                Next::Do(_) | Next::Wait(_) | Next::Stop(_) => None,
            })
            .collect();
        let next = match endings {
            Some(endings) if !endings.is_empty() => Next::Finished(together(&endings)),
            _ => each.get(speaker).cloned().unwrap_or(Next::Wait(Waiting::ApiServer)),
        };
        let approved_by = self.approved_by(plan.as_ref());
        Decisions { each, acts, speaker, next, plan, approved_by, waived: false, is_as_told: false }
    }

    /// Who agreed: to this turn's plan, to the one that was told, or to what was begun.
    fn approved_by(&self, plan: Option<&WholePlan>) -> Option<Vec<UsedApproval>> {
        let whole = self.whole()?;
        let hash = plan.map(|plan| &plan.hash).or(whole.told.as_ref().map(|told| &told.hash));
        let begun = self.targets.iter().find_map(|target| match target.facts {
            Facts::Mine(record) if !target.facts.may_be_begun() => {
                record.last().map(|last| last.approvals.clone())
            }
            _ => None,
        });
        if begun.is_some() {
            return begun;
        }
        match self.judged(whole, hash?, &self.spent()).consent() {
            Consent::NotRequired => Some(Vec::new()),
            Consent::Given { by, .. } => Some(by),
            Consent::Missing(_) | Consent::Denied | Consent::PolicyMissing(_) | Consent::Unread => None,
        }
    }
}

pub(super) fn over_budget(target: &Targeted) -> Option<Next> {
    let ProviderSeen::Found(provider) = &target.seen.provider else { return None };
    waits_for_budget(&provider.account, target.seen.budget).map(Next::Wait)
}

/// What is waited for where a deletion of this account may not be sent now.
#[must_use]
pub fn waits_for_budget(account: &str, seen: BudgetSeen) -> Option<Waiting> {
    match seen {
        BudgetSeen::Free => None,
        BudgetSeen::Full { until } => Some(Waiting::Budget { account: Some(account.to_owned()), until }),
        BudgetSeen::CeilingReached { until } => Some(Waiting::Budget { account: None, until }),
        BudgetSeen::Unread => Some(Waiting::ApiServer),
    }
}

fn is_bookkeeping(next: &Next) -> bool {
    matches!(next, Next::Do(Effect::SaveOutcome | Effect::Close(_)))
}

pub(super) fn is_deletion(next: &Next) -> bool {
    matches!(next, Next::Do(Effect::Delete(_)))
}

/// Who speaks for the request: somebody must change something, then somebody is waited for, then only the others are.
pub(super) fn rank(next: &Next) -> u8 {
    match next {
        Next::Do(_) => 0,
        Next::Stop(_) => 1,
        Next::Wait(Waiting::Others | Waiting::Turn { .. }) => 3,
        Next::Wait(_) => 2,
        Next::Finished(_) => 4,
    }
}

#[cfg(test)]
mod tests;
