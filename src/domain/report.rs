//! A decision, told as status: the whole of it, each time, in words that do not flicker.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    About, Attempt, Blocked, Decisions, Declared, Effect, Ending, Facts, Failure, Next, Outcome, Waiting,
    WholePlan,
    conditions::{CONDITIONS, Verdict},
    due::overdue,
    several::words,
};
use crate::api::{
    Condition, ConditionType, LastError, Mode, OffboardingResult, OffboardingStatus, Phase, PlanStatus,
    Reason, ShortHash, TargetState, TargetStatus, Truth, UsedApproval,
};

/// Everything that a status tells of.
#[derive(Clone, Debug)]
pub struct Story<'a> {
    /// Each target, in the order of their names.
    pub targets: Vec<TargetStory<'a>>,
    /// Which of them the request's words are about first.
    pub speaker: usize,
    /// What follows for the request.
    pub next: &'a Next,
    /// The plan, where this pass made one.
    pub plan: Option<&'a WholePlan>,
    /// Who agreed to it; nobody where nobody had to. `None` where it is not agreed to.
    pub approved_by: Option<&'a [UsedApproval]>,
    /// Something stands in the way, and somebody agreed that it is passed over.
    pub waived: bool,
    /// Nobody looked in this pass, because the plan that was told is still waited with.
    pub is_as_told: bool,
    /// Until when it must be done, where it has a deadline.
    pub due: Option<Timestamp>,
}

/// What a status tells of one target.
#[derive(Clone, Debug)]
pub struct TargetStory<'a> {
    /// Its name.
    pub target: &'a str,
    /// Its provider object's name.
    pub provider: &'a str,
    /// What its record says.
    pub facts: &'a Facts,
    /// What follows for it.
    pub next: &'a Next,
    /// What its profile declares, where the provider object is usable.
    pub declared: Option<&'a Declared>,
    /// The customer was found in this pass.
    pub is_found: bool,
    /// The customer's pseudonym, where it is known.
    pub customer_ref: Option<&'a str>,
    /// The record's name, where there is one.
    pub record: Option<&'a str>,
}

impl<'a> Story<'a> {
    /// The story of a decision.
    #[must_use]
    pub fn of(decisions: &'a Decisions, targets: Vec<TargetStory<'a>>) -> Self {
        Self {
            speaker: speaker(decisions, &targets),
            targets,
            next: &decisions.next,
            plan: decisions.plan.as_ref(),
            approved_by: decisions.approved_by.as_deref(),
            waived: decisions.waived,
            is_as_told: decisions.is_as_told,
            due: None,
        }
    }

    pub(super) fn speaks(&self) -> Option<&TargetStory<'a>> {
        self.targets.get(self.speaker)
    }

    /// What the record of the target that speaks says.
    pub(super) fn facts(&self) -> &Facts {
        self.speaks().map_or(&Facts::None, |target| target.facts)
    }

    pub(super) fn about(&self) -> About<'a> {
        self.speaks().map_or(About { provider: "", mode: Mode::Hard }, TargetStory::about)
    }
}

impl<'a> TargetStory<'a> {
    pub(super) fn about(&self) -> About<'a> {
        let mode = match (self.facts, self.declared) {
            (Facts::Mine(record), _) => record.mode,
            (_, Some(declared)) => declared.supports,
            (_, None) => Mode::Hard,
        };
        About { provider: self.provider, mode }
    }
}

/// Of an ending the target speaks that it comes from: another one's provider would be named for it.
fn speaker(decisions: &Decisions, targets: &[TargetStory]) -> usize {
    let Next::Finished(whole) = &decisions.next else { return decisions.speaker };
    let ended = |so: &dyn Fn(&Ending) -> bool| {
        targets.iter().position(|target| matches!(target.next, Next::Finished(ending) if so(ending)))
    };
    ended(&|ending| ending == whole)
        .or_else(|| ended(&|ending| ending.because == whole.because))
        .unwrap_or(decisions.speaker)
}

/// How many changed inputs are named.
const MOST_CHANGED: usize = 64;

/// The status that follows. Equal to `previous` where nothing new is to be told.
#[must_use]
pub fn report(
    story: &Story,
    generation: i64,
    previous: &OffboardingStatus,
    now: Timestamp,
) -> OffboardingStatus {
    let finished = matches!(story.next, Next::Finished(_));
    let plan = story.plan.map(|plan| plan_status(plan, previous, now)).or_else(|| previous.plan.clone());
    let finished_at = finished.then(|| previous.finished_at.or(closed_at(story)).unwrap_or(now));
    let done = story.targets.iter().filter(|target| target_state(target) == TargetState::Done).count();
    OffboardingStatus {
        observed_generation: generation,
        phase: phase(story).to_string(),
        finished,
        finished_at,
        waiting_for: Some(words(story)),
        waiting_until: until(story.next),
        due: story.due,
        result: result(story).map(|result| result.to_string()),
        plan,
        targets: story.targets.iter().map(target_status).collect(),
        targets_done: Some(format!("{done}/{}", story.targets.len())),
        conditions: conditions(story, finished_at, generation, previous, now),
        trace_id: previous.trace_id.clone(),
        unknown: previous.unknown.clone(),
    }
}

fn conditions(
    story: &Story,
    finished_at: Option<Timestamp>,
    generation: i64,
    previous: &OffboardingStatus,
    now: Timestamp,
) -> Vec<Condition> {
    let tell = |(type_, Verdict(status, reason, message)): (ConditionType, Verdict)| {
        let is_documented =
            |(truth, reasons): &(Truth, &[Reason])| *truth == status && reasons.contains(&reason);
        debug_assert!(type_.reasons().iter().any(is_documented), "{type_} is {status} because of {reason}");
        Condition {
            type_: type_.to_string(),
            status,
            reason: reason.to_string(),
            message,
            observed_generation: generation,
            last_transition_time: now,
        }
        .told(&previous.conditions)
    };
    let told = CONDITIONS.iter().map(|(type_, reporter)| (*type_, reporter(story)));
    // The only one that the passing of time changes.
    let overdue = (ConditionType::Overdue, overdue(story.due, finished_at, now));
    told.chain([overdue]).map(tell).collect()
}

fn plan_status(plan: &WholePlan, previous: &OffboardingStatus, now: Timestamp) -> PlanStatus {
    let before = previous.plan.as_ref();
    let same = before.filter(|before| before.hash == plan.hash);
    let (mut summary, mut targets, mut inputs) = (Vec::new(), Vec::new(), plan.inputs.clone());
    for (name, planned) in &plan.targets {
        match planned {
            Some(planned) => {
                summary.push(planned.summary.clone());
                targets.push(planned.target.clone());
            }
            // Begun or done: what was told of it stays.
            None => {
                summary.push(format!("{name}: begun or done, see status.targets"));
                let told = before.into_iter().flat_map(|before| &before.targets);
                targets.extend(told.filter(|target| target.name == *name).cloned());
                let prefix = format!("provider/{name}.");
                let kept = before.into_iter().flat_map(|before| &before.inputs);
                inputs.extend(
                    kept.filter(|(input, _)| input.starts_with(&prefix))
                        .map(|(input, hash)| (input.clone(), hash.clone())),
                );
            }
        }
    }
    let changed = changed_inputs(&plan.hash, &inputs, before);
    PlanStatus {
        hash: plan.hash.clone(),
        made_at: same.map_or(now, |plan| plan.made_at),
        required_approvals: i32::try_from(plan.required_approvals).unwrap_or(i32::MAX),
        summary,
        targets,
        inputs,
        changed,
    }
}

/// What is another than in the plan before; what was told stays told while the plan stays.
fn changed_inputs(
    hash: &str,
    inputs: &BTreeMap<String, ShortHash>,
    before: Option<&PlanStatus>,
) -> Vec<String> {
    let Some(before) = before else { return Vec::new() };
    if before.hash == hash {
        return before.changed.clone();
    }
    let names = before.inputs.keys().chain(inputs.keys());
    let differ: BTreeSet<&String> =
        names.filter(|name| before.inputs.get(*name) != inputs.get(*name)).collect();
    differ.into_iter().take(MOST_CHANGED).cloned().collect()
}

fn closed_at(story: &Story) -> Option<Timestamp> {
    let closed = story.targets.iter().filter_map(|target| match target.facts {
        Facts::Mine(record) => record.closed.map(|closed| closed.at),
        Facts::None | Facts::Unread | Facts::Unusable(_) | Facts::Theirs | Facts::Earlier(_) => None,
    });
    closed.max()
}

pub(super) fn attempt(facts: &Facts) -> Option<&Attempt> {
    match facts {
        Facts::Mine(record) => record.last(),
        Facts::None | Facts::Unread | Facts::Unusable(_) | Facts::Theirs | Facts::Earlier(_) => None,
    }
}

pub(super) fn outcome(facts: &Facts) -> Option<Option<&Outcome>> {
    attempt(facts).map(|attempt| attempt.outcome.as_ref())
}

pub(super) fn phase(story: &Story) -> Phase {
    match story.next {
        Next::Finished(ending) if ending.is_failure() => Phase::Failed,
        Next::Finished(ending) if ending.is_success() => Phase::Completed,
        Next::Finished(_) => Phase::Cancelled,
        Next::Stop(_) => Phase::Blocked,
        Next::Wait(Waiting::Approvals(_)) => Phase::AwaitingApproval,
        Next::Wait(Waiting::CoolingOff { .. } | Waiting::NotBefore { .. }) => Phase::CoolingOff,
        Next::Do(Effect::Delete(_)) => Phase::Executing,
        Next::Do(_) | Next::Wait(_) => match outcome(story.facts()) {
            Some(Some(Outcome::Accepted)) => Phase::Verifying,
            Some(_) => Phase::Executing,
            // Begun elsewhere, the request is not being planned any more.
            None if story.targets.iter().any(|target| target.facts.is_begun()) => Phase::Executing,
            None => Phase::Planning,
        },
    }
}

pub(super) fn result(story: &Story) -> Option<OffboardingResult> {
    match story.next {
        Next::Finished(ending) if ending.result == OffboardingResult::Recreated => {
            Some(OffboardingResult::Failed)
        }
        Next::Finished(ending) => Some(ending.result),
        Next::Do(_) | Next::Wait(_) | Next::Stop(_) => None,
    }
}

fn until(next: &Next) -> Option<Timestamp> {
    let at = match next {
        Next::Wait(
            Waiting::Settling { until }
            | Waiting::Lag { until }
            | Waiting::StillThere { until }
            | Waiting::CoolingOff { until }
            | Waiting::NotBefore { until }
            | Waiting::Budget { until: Some(until), .. }
            | Waiting::Held { until: Some(until), .. }
            | Waiting::AuthRefused { until },
        ) => *until,
        Next::Wait(Waiting::Retry { at, .. } | Waiting::SecondLook { at }) => *at,
        Next::Stop(Blocked::Refused { until, .. }) => *until,
        Next::Do(_) | Next::Wait(_) | Next::Stop(_) | Next::Finished(_) => return None,
    };
    Timestamp::from_second(at.as_second()).ok()
}

fn target_status(story: &TargetStory) -> TargetStatus {
    TargetStatus {
        name: story.target.to_owned(),
        state: target_state(story).to_string(),
        customer_ref: story.customer_ref.map(str::to_owned),
        record: story.record.map(str::to_owned),
        last_error: last_error(story).map(|failure| LastError {
            class: failure.class.to_string(),
            reason: failure.cause.as_str().to_owned(),
        }),
    }
}

fn target_state(story: &TargetStory) -> TargetState {
    let soft = matches!(story.facts, Facts::Mine(record) if record.mode == Mode::Soft);
    match story.next {
        Next::Finished(ending) if ending.is_success() => TargetState::Done,
        Next::Finished(ending) if ending.is_failure() => TargetState::Failed,
        Next::Finished(_) => TargetState::Pending,
        Next::Stop(_) => TargetState::Blocked,
        Next::Do(_) | Next::Wait(_) => match outcome(story.facts) {
            Some(Some(Outcome::Accepted)) => TargetState::Verifying,
            Some(_) if soft => TargetState::Deactivating,
            Some(_) => TargetState::Deleting,
            None if story.is_found => TargetState::Present,
            None => TargetState::Pending,
        },
    }
}

fn last_error<'a>(story: &TargetStory<'a>) -> Option<&'a Failure> {
    match story.next {
        Next::Wait(
            Waiting::Provider(failure)
            | Waiting::Control(failure)
            | Waiting::Check { failure, .. }
            | Waiting::Retry { last: failure, .. },
        )
        | Next::Stop(Blocked::Refused { failure, .. } | Blocked::AnswerInvalid(failure)) => Some(failure),
        Next::Do(_) | Next::Wait(_) | Next::Stop(_) | Next::Finished(_) => {
            attempt(story.facts)?.outcome.as_ref()?.failure()
        }
    }
}

/// The status of a request whose spec can never be carried out: it names what is wrong.
#[must_use]
pub fn refused(
    generation: i64,
    invalid: super::InvalidSpec,
    due: Option<Timestamp>,
    now: Timestamp,
) -> OffboardingStatus {
    let next = Next::from(invalid);
    let story = Story {
        targets: Vec::new(),
        speaker: 0,
        next: &next,
        plan: None,
        approved_by: None,
        waived: false,
        is_as_told: false,
        due,
    };
    let status = report(&story, generation, &OffboardingStatus::default(), now);
    OffboardingStatus { waiting_for: Some(invalid.to_string()), ..status }
}

#[cfg(test)]
mod tests;
