//! The words of a request with several targets: what is said of one names it, what is said of all is true of all.

use std::borrow::Borrow;

use super::{
    Blocked, Next, Waiting,
    report::{Story, TargetStory},
    sentence::sentence,
    whole::rank,
};
use crate::api::OffboardingResult;

/// How many targets with the same words, or checks, are named before the rest is counted.
const MOST_NAMED: usize = 5;

/// A message has at most 1,024 characters: what would be longer is left out whole.
const LONGEST: usize = 1_024;

const THE_REST: &str = ". The rest is in status.targets";

/// The sentence about the request. Of several targets those are named that need somebody as much as the one that speaks.
pub(super) fn words(story: &Story) -> String {
    let own = || sentence(story.next, story.about());
    if story.targets.len() < 2 {
        return own();
    }
    match story.next {
        Next::Finished(_) => ended(story, own()),
        Next::Stop(Blocked::Resurrected(_)) => {
            let back = story.targets.iter().filter(|target| target.facts.was_offboarded_before());
            let names: Vec<&str> = back.map(|target| target.target).collect();
            if names.is_empty() { own() } else { format!("{}: {}", named(&names), own()) }
        }
        next if is_about_all(next) => own(),
        next => {
            let as_pressing = |target: &&TargetStory| rank(target.next) == rank(next);
            let others = story.targets.iter().filter(as_pressing).filter(|it| !is_about_all(it.next));
            let each = story.speaks().into_iter().chain(others);
            together(each.map(|target| (target.target, sentence(target.next, target.about()))))
        }
    }
}

/// What is said of each target is said once where it is the same; why it ended as it did comes first.
fn ended(story: &Story, of_all: String) -> String {
    let each = story.speaks().into_iter().chain(&story.targets);
    let each = each.map(|target| (target.target, sentence(target.next, target.about())));
    let (words, is_one) = grouped(each);
    match story.next {
        Next::Finished(ending) if ending.result == OffboardingResult::PartiallyDone => {
            joined(std::iter::once(of_all).chain(words))
        }
        _ if is_one => of_all,
        _ => joined(words),
    }
}

/// Words about targets, each with the names of those that they are about; the same words once.
pub(super) fn together<'a>(each: impl Iterator<Item = (&'a str, String)>) -> String {
    joined(grouped(each).0)
}

fn grouped<'a>(each: impl Iterator<Item = (&'a str, String)>) -> (Vec<String>, bool) {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, words) in each {
        match groups.iter_mut().find(|(known, _)| *known == words) {
            Some((_, names)) if names.contains(&name) => {}
            Some((_, names)) => names.push(name),
            None => groups.push((words, vec![name])),
        }
    }
    let is_one = groups.len() == 1;
    (groups.into_iter().map(|(words, names)| format!("{}: {words}", named(&names))).collect(), is_one)
}

fn joined(parts: impl IntoIterator<Item = String>) -> String {
    let mut parts = parts.into_iter();
    let mut text = parts.next().unwrap_or_default();
    for part in parts {
        if text.len() + ". ".len() + part.len() + THE_REST.len() > LONGEST {
            if text.len() + THE_REST.len() <= LONGEST {
                text.push_str(THE_REST);
            }
            break;
        }
        text = format!("{text}. {part}");
    }
    text
}

/// The first names of a list, and how many more there are: all of them may be more than a message holds.
pub(super) fn named<S: Borrow<str>>(names: &[S]) -> String {
    let rest = names.len().saturating_sub(MOST_NAMED);
    let first = names[..names.len() - rest].join(", ");
    if rest == 0 { first } else { format!("{first} and {rest} more") }
}

/// Whether it is true of the request, whichever target it was decided at.
fn is_about_all(next: &Next) -> bool {
    match next {
        Next::Wait(waiting) => matches!(
            waiting,
            Waiting::ApiServer
                | Waiting::Suspended
                | Waiting::HoldsUnread
                | Waiting::Approvals(_)
                | Waiting::CoolingOff { .. }
                | Waiting::NotBefore { .. }
        ),
        Next::Stop(blocked) => matches!(
            blocked,
            Blocked::InstallationKeyLost
                | Blocked::Resurrected(_)
                | Blocked::Denied
                | Blocked::ApprovalPolicyMissing(_)
        ),
        Next::Do(_) | Next::Finished(_) => false,
    }
}
