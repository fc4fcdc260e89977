//! A question, decoded for the production code, and its answer, encoded again.

use std::{sync::Arc, sync::PoisonError, time::Duration};

use jiff::Timestamp;
use offboarding::domain::{
    ApprovalsSeen, Blocked, BudgetSeen, CustomerSeen, Decisions, Effect, Facts, Fingerprint, HoldSeen,
    HoldsSeen, Live, Look, Memory, Moment, Next, Observation, Plan, PolicyState, ProviderSeen, Targeted,
    Waiting, Whole, decide_all, mode_to_look_in, nothing_changed, wants_looks,
};

use super::{
    brain::{Act, Brain, Given, Question, Reply, Reread, Seen, Unread},
    bugs::Bug,
    setup::{self, LONG, SEND_TAKES, WINDOW},
    shelf::{self, Shelf},
    state::{Age, Asked, Mem, People, TARGETS},
    words::{WAITS, again, checks, denial, holds, look, name_of, silence},
};
use crate::shelf::{attempt_id, credential, fingerprint, start};

const UPTIME: Duration = Duration::from_secs(100_000);

/// One target, decoded.
struct Decoded {
    plan: Plan,
    facts: Facts,
    seen: Observation,
    memory: Memory,
}

fn targeted(decoded: &[Decoded]) -> Vec<Targeted<'_>> {
    let one = decoded.iter();
    one.map(|Decoded { plan, facts, seen, memory }| Targeted { plan, facts, seen, memory }).collect()
}

impl Decoded {
    fn learn(&mut self, now: Moment) {
        let ProviderSeen::Found(provider) = &self.seen.provider else { return };
        if let Ok(mode) = mode_to_look_in(&self.plan, &self.facts, provider) {
            self.memory.learn(&self.facts, &self.seen, mode, provider.verify_interval, now);
        }
    }

    fn mem(&self, now: Moment) -> Mem {
        let number = |text: &str| text.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(0);
        self.memory.attempt.as_ref().map_or(Mem::default(), |(id, since)| Mem {
            attempt: number(id),
            settled: now.uptime.saturating_sub(since.uptime) >= WINDOW,
        })
    }
}

impl Brain {
    pub fn think(&self, shelf: &Shelf, question: Question) -> Reply {
        let question = self.bug.map_or(question, |bug| bug.mishear(question));
        let wall = if question.late { start() + LONG } else { start() };
        let now = Moment { uptime: UPTIME, wall };
        let targets: Vec<u8> = match question.alone {
            Some(target) => vec![target],
            None => (0..self.setup.targets).collect(),
        };
        let told = self.made(question.told).map(|made| made.hash.clone()).unwrap_or_default();
        let mut decoded: Vec<Decoded> =
            targets.iter().map(|target| self.decode(shelf, &question, *target, &told, now)).collect();
        decoded.iter_mut().for_each(|each| each.learn(now));
        let wanted = wants_looks(&targeted(&decoded), now);
        let mut wants = [false; TARGETS];
        for ((target, wanted), each) in targets.iter().zip(wanted).zip(&mut decoded) {
            let seen = question.seen[usize::from(*target)];
            wants[usize::from(*target)] = wanted && seen == Seen::Nothing;
            if wanted && seen != Seen::Nothing {
                look(&mut each.seen, seen, question.people.places[usize::from(*target)]);
                each.seen.looked_at = now.uptime;
                each.learn(now);
            }
        }
        let mut decisions = decide_all(&targeted(&decoded), now);
        if let Some(plan) = decisions.plan.as_ref().filter(|_| self.takes_any_hash()) {
            let hash = plan.hash.clone();
            for each in &mut decoded {
                let mut whole = Whole::clone(&each.seen.whole);
                whole.approvals = self.approvals(&question.people, question.unread, &hash, wall);
                each.seen.whole = Arc::new(whole);
            }
            decisions = decide_all(&targeted(&decoded), now);
        }
        let asked_alone = self.alone_where_others_wait(&mut decoded, &decisions, now);
        let (decisions, acts) = asked_alone.unwrap_or_else(|| {
            let acts = decisions.acts;
            (decisions, acts)
        });
        self.encode(&question, &targets, &decoded, &decisions, acts, wants, now)
    }

    fn takes_any_hash(&self) -> bool {
        self.has(Bug::MatchesByUidAlone) || self.has(Bug::MatchesByName)
    }

    /// M28: what waits for others is decided without them.
    fn alone_where_others_wait(
        &self,
        decoded: &mut [Decoded],
        decisions: &Decisions,
        now: Moment,
    ) -> Option<(Decisions, Option<usize>)> {
        if !self.has(Bug::BeginsBeforeAllAreClear) || decisions.acts.is_some() {
            return None;
        }
        let waits = |next: &Next| matches!(next, Next::Wait(Waiting::Others));
        let at = decisions.each.iter().position(waits)?;
        decoded[at].plan.depends_on.clear();
        let mut alone = decide_all(&targeted(&decoded[at..=at]), now);
        alone.effect()?;
        let next = alone.each.pop()?;
        let mut each = decisions.each.clone();
        each[at] = next;
        Some((Decisions { each, acts: Some(at), ..alone }, Some(at)))
    }

    fn decode(&self, shelf: &Shelf, question: &Question, target: u8, told: &str, now: Moment) -> Decoded {
        let slot = usize::from(target);
        let rec = question.recs[slot];
        let mut facts = shelf.get(rec).map_or(Facts::None, |kept| kept.facts.clone());
        if let (Facts::Mine(record), Some(kept)) =
            (&mut facts, question.kept.filter(|kept| kept.target == target))
            && let Some(last) = record.attempts.last_mut().filter(|last| last.n == i64::from(kept.n))
        {
            let known = shelf::outcome(kept.answer);
            last.outcome = Some(last.outcome.take().map_or(known.clone(), |stored| stored.merge(known)));
            last.answered_at = last.answered_at.or(Some(start()));
            record.unsaved = true;
        }
        if let Some(bug) = self.bug {
            facts = bug.misread(facts);
        }
        let asked = if question.alone.is_some() { Asked::Deleted } else { question.people.asked };
        let plan = self.plan(target, asked);
        let sent = self.recent(shelf, question.recs, question.hour_ago);
        let mut seen =
            self.observation(&question.people, question.unread, target, told, question.told, now.wall);
        seen.budget = self.setup.limits().verdict(&sent, 0, start());
        let mem = question.mem[slot];
        let since = Moment {
            uptime: now.uptime.saturating_sub(if mem.settled { WINDOW } else { Duration::ZERO }),
            wall: start(),
        };
        let memory = Memory {
            attempt: (mem.attempt > 0).then(|| (attempt_id(mem.attempt), since)),
            ..Memory::default()
        };
        Decoded { plan, facts, seen, memory }
    }

    fn observation(
        &self,
        people: &People,
        unread: Unread,
        target: u8,
        hash: &str,
        told: u8,
        now: Timestamp,
    ) -> Observation {
        let place = people.places[usize::from(target)];
        let mut provider = self.setup.provider(target, place);
        if let Some(bug) = self.bug {
            bug.misread_provider(&mut provider, self.setup, people.places);
        }
        let holds = match unread {
            Unread::Holds => HoldsSeen::Unread,
            _ => HoldsSeen::Seen(holds(people.held)),
        };
        let reference = shelf::customer_ref(target);
        let mut hold = holds.on(Some(&reference), &provider.object_name(), now);
        if self.has(Bug::TakesUnreadHoldsForNone) && hold == HoldSeen::Unread {
            hold = HoldSeen::Free;
        }
        Observation {
            key_is_good: true,
            provider: ProviderSeen::Found(Box::new(provider)),
            customer: CustomerSeen::Known { reference },
            credential: Some(credential(0)),
            look: None,
            looked_at: Duration::ZERO,
            created_long_ago: false,
            control: None,
            checks: checks(place.blocked),
            hold,
            budget: if unread == Unread::Budget { BudgetSeen::Unread } else { BudgetSeen::Free },
            whole: Arc::new(Whole {
                told: self.made(told).map(|made| made.told.clone()),
                approvals: self.approvals(people, unread, hash, now),
                policies: self.policies(people, unread),
                author: self.author(),
                created_at: setup::before(start(), jiff::SignedDuration::from_hours(9)),
            }),
        }
    }

    fn plan(&self, target: u8, asked: Asked) -> Plan {
        let mut plan = self.setup.plan(target, asked);
        if self.has(Bug::IgnoresTheOrder) {
            plan.depends_on.clear();
        }
        plan
    }

    fn author(&self) -> Option<String> {
        let somebody_else = self.has(Bug::CountsTheRequester) || self.has(Bug::TrustsAnUnknownAuthor);
        if somebody_else { Some("mallory".to_owned()) } else { self.setup.author().map(str::to_owned) }
    }

    fn policies(&self, people: &People, unread: Unread) -> PolicyState {
        match unread {
            _ if self.has(Bug::DoesNotReadThePolicies) => setup::policies(super::state::Policies::InForce),
            Unread::Policies => PolicyState::Unanswered,
            _ => setup::policies(people.policies),
        }
    }

    /// What people said; `hash` only for a missing rule.
    fn approvals(&self, people: &People, unread: Unread, hash: &str, now: Timestamp) -> ApprovalsSeen {
        if unread == Unread::Approvals {
            return ApprovalsSeen::Unread;
        }
        let mut said = Vec::new();
        for (slot, approval) in people.approvals.iter().enumerate() {
            let Some(mut approval) = approval.filter(|approval| approval.age != Age::Withdrawn) else {
                continue;
            };
            if let Some(bug) = self.bug {
                approval.age = bug.mistime(approval.age);
            }
            let named = self.made(approval.plan).map(|made| made.hash.clone());
            let by_name = approval.plan == 0 && self.has(Bug::MatchesByName);
            let plan_hash = match named {
                _ if by_name || self.has(Bug::MatchesByUidAlone) => hash.to_owned(),
                Some(named) => named,
                None => "sha256:of another request".to_owned(),
            };
            let mut one = setup::decode(slot, approval, plan_hash, now);
            if slot == 2 && self.has(Bug::CountsOneApproverTwice) {
                "bob again".clone_into(&mut one.approver);
            }
            // An approval of another request is not even shown.
            if approval.plan != 0 || by_name {
                said.push(one);
            }
        }
        if people.denied && !self.has(Bug::IgnoresADenial) {
            said.push(denial());
        }
        ApprovalsSeen::Seen(said)
    }

    /// Everything that is read after an intent.
    pub fn reread(&self, given: &Given, asked: Reread) -> bool {
        let of_people = matches!(asked.unread, Unread::Approvals | Unread::Policies);
        let unasked = [Bug::JudgesApprovalsOnlyBeforeTheIntent, Bug::DoesNotReadThePolicies];
        if of_people && self.bug.is_some_and(|bug| unasked.contains(&bug)) {
            return false; // who does not ask is not left without an answer
        }
        let reread = self.bug.map_or(asked, |bug| bug.reread_wrongly(asked));
        let plan = self.plan(given.target, reread.people.asked);
        let order = &given.order;
        let mut seen =
            self.observation(&reread.people, reread.unread, given.target, &order.plan_hash, 0, start());
        seen.look = Some(match (reread.unread, reread.customer) {
            (Unread::Look, _) => silence(),
            (_, 0) => Look::Absent,
            (_, customer) => Look::Present(Fingerprint(fingerprint(customer))),
        });
        seen.checks = checks(false); // those that the order was given on: none stood in the way
        let times = vec![start(); usize::from(reread.recent)];
        if seen.budget == BudgetSeen::Free && self.setup.limits().is_exceeded(&times, start()) {
            seen.budget = BudgetSeen::Full { until: None };
        }
        if self.has(Bug::DoesNotCountTheBudgetAgain) {
            seen.budget = BudgetSeen::Free;
        }
        if self.has(Bug::JudgesApprovalsOnlyBeforeTheIntent) {
            let mut whole = Whole::clone(&seen.whole);
            whole.approvals =
                ApprovalsSeen::Seen(order.approvals.iter().map(|used| again(used, order)).collect());
            whole.policies = setup::policies(super::state::Policies::InForce);
            seen.whole = Arc::new(whole);
        }
        let plan = Some(&plan).filter(|_| reread.unread != Unread::Request);
        let live = Live { plan, seen: &seen, now: start(), send_takes: SEND_TAKES };
        nothing_changed(order, &credential(0), &live).is_ok()
    }

    #[expect(clippy::too_many_arguments, reason = "everything that an answer is made of")]
    fn encode(
        &self,
        question: &Question,
        targets: &[u8],
        decoded: &[Decoded],
        decisions: &Decisions,
        acts: Option<usize>,
        wants: [bool; TARGETS],
        now: Moment,
    ) -> Reply {
        let mut mem = question.mem;
        for (target, each) in targets.iter().zip(decoded) {
            mem[usize::from(*target)] = each.mem(now);
        }
        let plan = decisions.plan.as_ref().map_or(0, |plan| self.number_of_plan(plan, question));
        let act = match (
            acts.and_then(|acts| Some((targets.get(acts)?, decisions.each.get(acts)?))),
            &decisions.next,
        ) {
            (Some((target, Next::Do(Effect::Delete(order)))), _) => {
                Act::Order(self.number_of_order((**order).clone(), *target, plan))
            }
            (Some((_, Next::Do(Effect::SaveOutcome))), _) => Act::Save,
            (Some((target, Next::Do(Effect::Close(ending)))), _) => {
                Act::Close { target: *target, ending: self.number_of_ending(*ending) }
            }
            (_, Next::Finished(ending)) => Act::Finish { ending: self.number_of_ending(*ending) },
            _ => Act::Nothing,
        };
        let looked = wants == [false; TARGETS];
        let mut waits = 0;
        for next in decisions.each.iter().filter(|_| looked) {
            let name = name_of(next);
            waits |= WAITS.iter().position(|known| *known == name).map_or(0, |at| 1 << at);
            self.produced.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
        }
        let clock = |next: &Next| {
            matches!(
                next,
                Next::Wait(Waiting::Retry { .. } | Waiting::StillThere { .. })
                    | Next::Stop(Blocked::Refused { .. })
            )
        };
        Reply {
            wants,
            act,
            mem,
            plan,
            waits_for_a_clock: decisions.each.iter().any(clock),
            is_stuck_by_a_person: decisions
                .each
                .iter()
                .any(|next| matches!(next, Next::Stop(Blocked::PlanChanged))),
            waits,
        }
    }
}
