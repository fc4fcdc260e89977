//! What processes do in which a rule of the judgement is missing. Without a bug nothing here does anything.

use std::sync::Arc;

use offboarding::{
    api::Reason,
    controller::Error,
    domain::{
        ApprovalsSeen, Cause, Class, Decisions, Effect, Ending, Facts, Moment, Next, Observation,
        ProviderSeen, Says, Sent, Targeted, Waiting, Whole, decide_all,
    },
    evidence::record,
};

use crate::{
    bugs::Bug,
    case::{Case, Read},
    operator::Handle,
    pass::Cases,
    perform::write,
    tell::save,
};

/// The decision, as a process with this bug takes it.
pub fn misjudge(
    bug: Bug,
    cases: &Cases,
    facts: &[Facts],
    seen: &[Observation],
    decisions: Decisions,
    now: Moment,
) -> Decisions {
    match bug {
        Bug::BelievesA2xx => believes_a_2xx(cases, decisions),
        Bug::BeginsBeforeAllAreClear => alone_where_others_wait(cases, facts, seen, decisions, now),
        Bug::MatchesApprovalsByUidAlone => matches_any_hash(cases, facts, seen, decisions, now),
        _ => decisions,
    }
}

fn believes_a_2xx(cases: &Cases, mut decisions: Decisions) -> Decisions {
    for (at, case) in cases.each.iter().enumerate() {
        if let (true, ProviderSeen::Found(provider)) = (case.was_accepted(), &case.provider) {
            let ending = Ending { result: provider.declared.result(), because: Reason::Absent };
            decisions.each[at] = Next::Do(Effect::Close(ending));
            decisions.acts = Some(at);
            decisions.next = decisions.each[at].clone();
            break;
        }
    }
    decisions
}

fn alone_where_others_wait(
    cases: &Cases,
    facts: &[Facts],
    seen: &[Observation],
    decisions: Decisions,
    now: Moment,
) -> Decisions {
    let waits = |next: &Next| matches!(next, Next::Wait(Waiting::Others));
    let Some(at) = decisions.each.iter().position(waits).filter(|_| decisions.acts.is_none()) else {
        return decisions;
    };
    let mut plan = cases.each[at].plan.clone();
    plan.depends_on.clear();
    let target = Targeted { plan: &plan, facts: &facts[at], seen: &seen[at], memory: &cases.each[at].memory };
    let mut alone = decide_all(&[target], now);
    if alone.effect().is_none() {
        return decisions;
    }
    let Some(next) = alone.each.pop() else { return decisions };
    let mut each = decisions.each.clone();
    each[at] = next;
    Decisions { each, acts: Some(at), ..alone }
}

fn matches_any_hash(
    cases: &Cases,
    facts: &[Facts],
    seen: &[Observation],
    decisions: Decisions,
    now: Moment,
) -> Decisions {
    let Some(plan) = &decisions.plan else { return decisions };
    let any_plan = |whole: &Whole| {
        let mut whole = whole.clone();
        if let ApprovalsSeen::Seen(said) = &mut whole.approvals {
            for approval in said {
                if let Says::Approve { plan_hash, .. } = &mut approval.says {
                    plan.hash.clone_into(plan_hash);
                }
            }
        }
        Arc::new(whole)
    };
    let again: Vec<Observation> =
        seen.iter().map(|seen| Observation { whole: any_plan(&seen.whole), ..seen.clone() }).collect();
    decide_all(&cases.targeted(facts, &again), now)
}

/// M14: an intent of another process is tidied up, as if it could not be about to send.
pub async fn tidy_up_for_others(handle: &Handle, case: &mut Case) {
    if !handle.world().has(Bug::TidiesUpForOthers) {
        return;
    }
    let Read::Found(stored) = case.stored.clone() else { return };
    let me = format!("{}-{}", handle.operator, handle.epoch);
    let Some(last) = stored.spec.attempts.last().filter(|last| last.by != me) else { return };
    let nothing = Sent::nothing(Class::Transient, Cause::NotSent);
    if let Some(spec) = record::with_outcome(&stored.spec, &last.id, &nothing, handle.wall())
        .filter(|_| last.outcome.is_none())
    {
        let _: Result<bool, Error> = write(handle, case, spec).await;
    }
}

/// M35: the status is finished first, and then the record is closed.
pub async fn tell_the_end_too_soon(handle: &Handle, cases: &Cases, decisions: &Decisions, effect: &Effect) {
    let (Effect::Close(ending), Some(object)) = (effect, &cases.request) else { return };
    if handle.world().has(Bug::TellsTheEndBeforeTheRecordIsClosed) {
        let next = Next::Finished(*ending);
        let each = decisions.each.iter().map(|_| next.clone()).collect();
        let told = Decisions { each, acts: None, next, ..decisions.clone() };
        let _ = save(handle, object, cases, &told).await;
    }
}
