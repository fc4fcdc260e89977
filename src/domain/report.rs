//! A decision, told as status: the whole of it, each time, in words that do not flicker.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    Attempt, Blocked, Declared, Effect, Facts, Failure, Next, Outcome, Planned, Waiting,
    conditions::{CONDITIONS, Verdict},
    due::overdue,
    sentence::sentence,
};
use crate::api::{
    Condition, ConditionType, LastError, Mode, OffboardingResult, OffboardingStatus, Phase, PlanStatus,
    Reason, TargetState, TargetStatus, Truth,
};

/// Everything that a status tells of.
#[derive(Clone, Debug)]
pub struct Story<'a> {
    /// The target's name.
    pub target: &'a str,
    /// The provider object's name.
    pub provider: &'a str,
    /// What the record says.
    pub facts: &'a Facts,
    /// What follows.
    pub next: &'a Next,
    /// The plan, where this pass made one.
    pub planned: Option<&'a Planned>,
    /// What the profile declares, where the provider object is usable.
    pub declared: Option<&'a Declared>,
    /// The customer's pseudonym, where it is known.
    pub customer_ref: Option<&'a str>,
    /// The record's name, where there is one.
    pub record: Option<&'a str>,
    /// Until when it must be done, where it has a deadline.
    pub due: Option<Timestamp>,
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
    let finished_at = finished.then(|| previous.finished_at.or(closed_at(story.facts)).unwrap_or(now));
    let plan =
        story.planned.map(|planned| plan_status(planned, previous, now)).or_else(|| previous.plan.clone());
    OffboardingStatus {
        observed_generation: generation,
        phase: phase(story).to_string(),
        finished,
        finished_at,
        waiting_for: Some(sentence(story.next, story.provider)),
        waiting_until: until(story.next),
        due: story.due,
        result: result(story).map(|result| result.to_string()),
        plan,
        targets: vec![target_status(story)],
        targets_done: Some(format!("{}/1", usize::from(target_state(story) == TargetState::Done))),
        conditions: conditions(story, finished_at, generation, previous, now),
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

fn plan_status(planned: &Planned, previous: &OffboardingStatus, now: Timestamp) -> PlanStatus {
    let before = previous.plan.as_ref().filter(|plan| plan.hash == planned.hash);
    PlanStatus {
        hash: planned.hash.clone(),
        made_at: before.map_or(now, |plan| plan.made_at),
        required_approvals: i32::try_from(planned.required_approvals).unwrap_or(i32::MAX),
        summary: planned.summary.clone(),
        targets: vec![planned.target.clone()],
        inputs: planned.inputs.clone(),
        changed: changed_inputs(planned, previous),
    }
}

/// What is another than in the plan before; what was told stays told while the plan stays.
fn changed_inputs(planned: &Planned, previous: &OffboardingStatus) -> Vec<String> {
    let Some(before) = &previous.plan else { return Vec::new() };
    if before.hash == planned.hash {
        return before.changed.clone();
    }
    let names = before.inputs.keys().chain(planned.inputs.keys());
    let differ = names.filter(|name| before.inputs.get(*name) != planned.inputs.get(*name));
    let names: BTreeSet<&String> = differ.collect();
    names.into_iter().take(MOST_CHANGED).cloned().collect()
}

fn closed_at(facts: &Facts) -> Option<Timestamp> {
    match facts {
        Facts::Mine(record) => record.closed.map(|closed| closed.at),
        Facts::None | Facts::Unread | Facts::Unusable(_) | Facts::Theirs | Facts::Earlier(_) => None,
    }
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
        Next::Finished(ending) => match ending.result {
            OffboardingResult::Cancelled => Phase::Cancelled,
            OffboardingResult::Failed | OffboardingResult::Recreated => Phase::Failed,
            _ => Phase::Completed,
        },
        Next::Stop(_) => Phase::Blocked,
        Next::Wait(Waiting::Approvals { .. }) => Phase::AwaitingApproval,
        Next::Do(Effect::Delete(_)) => Phase::Executing,
        Next::Do(_) | Next::Wait(_) => match outcome(story.facts) {
            Some(Some(Outcome::Accepted)) => Phase::Verifying,
            Some(_) => Phase::Executing,
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
            | Waiting::AuthRefused { until },
        ) => *until,
        Next::Wait(Waiting::Retry { at, .. } | Waiting::SecondLook { at }) => *at,
        Next::Stop(Blocked::Refused { until, .. }) => *until,
        Next::Do(_) | Next::Wait(_) | Next::Stop(_) | Next::Finished(_) => return None,
    };
    Timestamp::from_second(at.as_second()).ok()
}

fn target_status(story: &Story) -> TargetStatus {
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

fn target_state(story: &Story) -> TargetState {
    let soft = matches!(story.facts, Facts::Mine(record) if record.mode == Mode::Soft);
    match story.next {
        Next::Finished(ending) => match ending.result {
            OffboardingResult::Failed | OffboardingResult::Recreated => TargetState::Failed,
            OffboardingResult::Cancelled => TargetState::Pending,
            _ => TargetState::Done,
        },
        Next::Stop(_) => TargetState::Blocked,
        Next::Do(_) | Next::Wait(_) => match outcome(story.facts) {
            Some(Some(Outcome::Accepted)) => TargetState::Verifying,
            Some(_) if soft => TargetState::Deactivating,
            Some(_) => TargetState::Deleting,
            None if story.planned.is_some() => TargetState::Present,
            None => TargetState::Pending,
        },
    }
}

fn last_error<'a>(story: &Story<'a>) -> Option<&'a Failure> {
    match story.next {
        Next::Wait(
            Waiting::Provider(failure) | Waiting::Control(failure) | Waiting::Retry { last: failure, .. },
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
        target: "",
        provider: "",
        facts: &Facts::None,
        next: &next,
        planned: None,
        declared: None,
        customer_ref: None,
        record: None,
        due,
    };
    let status = report(&story, generation, &OffboardingStatus::default(), now);
    OffboardingStatus { waiting_for: Some(invalid.to_string()), targets: Vec::new(), ..status }
}

#[cfg(test)]
mod tests;
