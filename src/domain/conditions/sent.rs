//! The condition `Deleted`: what was sent, and what is known of it. Of several targets each is told.

use super::{Verdict, is_done};
use crate::{
    api::{Mode, OffboardingResult, Reason, Truth},
    domain::{
        Effect, Ending, Next, Outcome, answer,
        report::{Story, TargetStory, outcome},
        several::together,
    },
};

pub(super) fn deleted(story: &Story) -> Verdict {
    let mut each: Vec<(&str, Verdict)> =
        story.targets.iter().map(|target| (target.target, deleted_at(target))).collect();
    let is_one = each.windows(2).all(|pair| pair[0].1.1 == pair[1].1.1 && pair[0].1.2 == pair[1].1.2);
    match each.pop() {
        None => not_started(),
        Some((_, verdict)) if is_one => verdict,
        Some(last) => {
            each.push(last);
            let words = each.iter().map(|(name, Verdict(_, _, words))| (*name, words.clone()));
            let (truth, reason) = of_several(story, &each);
            Verdict(truth, reason, together(words))
        }
    }
}

fn not_started() -> Verdict {
    Verdict(Truth::False, Reason::NotStarted, "no deletion was sent".to_owned())
}

fn deleted_at(target: &TargetStory) -> Verdict {
    let act = target.about().act();
    if let Next::Finished(ending) = target.next
        && let Some(verdict) = seen_gone(*ending)
    {
        return verdict;
    }
    match outcome(target.facts) {
        _ if matches!(target.next, Next::Do(Effect::Delete(_))) => {
            Verdict(Truth::False, Reason::InFlight, "the call is being made".to_owned())
        }
        None | Some(Some(Outcome::NotSent(_))) => not_started(),
        Some(None | Some(Outcome::Unknown(_))) => Verdict(
            Truth::Unknown,
            Reason::OutcomeUnknown,
            format!("a {act} may have been sent, and its answer is not known"),
        ),
        Some(Some(Outcome::Rejected(failure))) => Verdict(
            Truth::False,
            Reason::Rejected,
            format!("the provider refused the {act}: {}", answer(failure)),
        ),
        Some(Some(Outcome::Accepted)) => {
            let reason = match target.about().mode {
                Mode::Hard => Reason::Deleted,
                Mode::Soft => Reason::Deactivated,
            };
            Verdict(Truth::True, reason, format!("the provider accepted the {act}"))
        }
    }
}

fn seen_gone(ending: Ending) -> Option<Verdict> {
    let is_inactive = ending.because == Reason::Inactive;
    let (reason, words) = match ending.result {
        OffboardingResult::AlreadyAbsent if is_inactive => {
            (Reason::AlreadyAbsent, "the customer was deactivated already; nothing was sent")
        }
        OffboardingResult::AlreadyAbsent => (Reason::AlreadyAbsent, "there was nothing to delete"),
        OffboardingResult::Deactivated if is_inactive => {
            (Reason::Deactivated, "the customer was seen deactivated after our call")
        }
        OffboardingResult::Deactivated => (Reason::Deactivated, "the customer was seen gone after our call"),
        OffboardingResult::Erased | OffboardingResult::ErasedWithRetention => {
            (Reason::Deleted, "the customer was seen gone after our call")
        }
        OffboardingResult::Unverified
        | OffboardingResult::Cancelled
        | OffboardingResult::PartiallyDone
        | OffboardingResult::Failed
        | OffboardingResult::Recreated => return None,
    };
    Some(Verdict(Truth::True, reason, words.to_owned()))
}

/// The claim that holds for all: nobody says of them that they are deleted where one is only deactivated, or nothing was done.
fn weakest(story: &Story, each: &[(&str, Verdict)]) -> Reason {
    let is_inactive = |target: &TargetStory| matches!(target.next, Next::Finished(ending) if ending.because == Reason::Inactive);
    if each.iter().all(|(_, Verdict(_, reason, _))| *reason == Reason::AlreadyAbsent) {
        Reason::AlreadyAbsent
    } else if story.targets.iter().any(is_inactive)
        || each.iter().any(|(_, Verdict(_, reason, _))| *reason == Reason::Deactivated)
    {
        Reason::Deactivated
    } else {
        Reason::Deleted
    }
}

/// What several say together that do not say the same: nothing that is not true of each of them.
fn of_several(story: &Story, each: &[(&str, Verdict)]) -> (Truth, Reason) {
    let any = |wanted: Reason| each.iter().any(|(_, Verdict(_, reason, _))| *reason == wanted);
    let is_true = |(_, Verdict(truth, ..)): &(&str, Verdict)| *truth == Truth::True;
    let all_are = each.iter().all(is_true);
    let has_failed = |target: &TargetStory| matches!(target.next, Next::Finished(_)) && !is_done(target);
    // Accepted everywhere is not enough where somebody ended as still there.
    if (!all_are || story.targets.iter().any(has_failed)) && story.targets.iter().any(is_done) {
        (Truth::False, Reason::PartiallyDone)
    } else if any(Reason::InFlight) {
        (Truth::False, Reason::InFlight)
    } else if any(Reason::OutcomeUnknown) {
        (Truth::Unknown, Reason::OutcomeUnknown)
    } else if all_are {
        (Truth::True, weakest(story, each))
    } else if each.iter().any(is_true) {
        (Truth::False, Reason::PartiallyDone)
    } else {
        (Truth::False, Reason::Rejected)
    }
}
