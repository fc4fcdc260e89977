//! Why a request does not go on, and what would make it: a pure function of what the object says.

use std::fmt::Write as _;

use super::{
    advice::{Advice, advice},
    here::Here,
    terminal::Ink,
    text::{harmless, moment},
};
use crate::api::{Condition, ConditionType, CustomerOffboarding, OffboardingStatus, Reason, Truth};

/// One step on the way, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub mark: Mark,
    pub name: &'static str,
    pub words: String,
}

/// Whether a step is behind us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Passed,
    Open,
    /// Open, and what it waits for.
    Here,
}

/// The steps that a request takes, and the condition that tells of each. What only some versions tell is left out where it is
/// not told.
const STEPS: &[(ConditionWord, &str)] = &[
    ("Planned", "planned"),
    ("Unblocked", "not blocked"),
    ("Exported", "exported"),
    ("Approved", "approved"),
    ("Waiting", "free to go"),
    ("Deleted", "deleted"),
    ("Verified", "verified"),
];

/// The gates between consent and the call have one condition together; it has a step of its own while it waits at one of them.
const BEFORE_THE_CALL: &[&str] = &[
    "Suspended",
    "ProviderSuspended",
    "Held",
    "CoolingOff",
    "NotBefore",
    "BudgetQueued",
    "OtherTargets",
    "OutsideWindow",
    "Blackout",
    "Grace",
];

type ConditionWord = &'static str;

/// Why it does not go on, and what would make it.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    pub headline: String,
    pub until: Option<String>,
    pub steps: Vec<Step>,
    pub advice: Vec<Advice>,
}

/// Reads it from the object.
#[must_use]
pub fn explain(request: &CustomerOffboarding, here: &Here) -> Explanation {
    let status = request.status.clone().unwrap_or_default();
    let seen = request.metadata.generation.is_none_or(|now| status.observed_generation >= now);
    let is_new = status.conditions.is_empty();
    let speaking = if seen && !is_new { speaking(&status) } else { None };
    let mut steps = vec![Step {
        mark: if seen && !is_new { Mark::Passed } else { Mark::Here },
        name: "seen",
        words: match (is_new, seen) {
            (true, _) => "the operator has not seen it yet".to_owned(),
            (false, false) => {
                "the operator has not seen the latest change yet; what follows is from before".to_owned()
            }
            (false, true) => "the operator has seen it".to_owned(),
        },
    }];
    steps.extend(STEPS.iter().filter_map(|(type_, name)| step(&status, type_, name, speaking)));
    let until = status.waiting_until.map(moment);
    let advice = advice(request, &status, speaking, is_new || !seen, here);
    Explanation { headline: headline(&status, is_new), until, steps, advice }
}

fn headline(status: &OffboardingStatus, is_new: bool) -> String {
    let words = harmless(status.waiting_for.as_deref().unwrap_or_default());
    match (is_new, status.finished) {
        (true, _) => "Pending: nobody has looked at it yet".to_owned(),
        (false, true) => format!("{}: {words}", harmless(status.result.as_deref().unwrap_or(&status.phase))),
        (false, false) => format!("{}: {words}", harmless(&status.phase)),
    }
}

/// The condition that says why it does not go on: what a person must change, then what it waits for, then what blocks.
fn speaking(status: &OffboardingStatus) -> Option<&Condition> {
    let order = [
        (ConditionType::Stalled, Truth::True),
        (ConditionType::Waiting, Truth::True),
        (ConditionType::Unblocked, Truth::False),
        (ConditionType::Planned, Truth::False),
    ];
    order.iter().find_map(|(type_, truth)| {
        status.conditions.iter().find(|it| it.type_ == type_.as_str() && it.status == *truth)
    })
}

fn step(
    status: &OffboardingStatus,
    type_: &str,
    name: &'static str,
    speaking: Option<&Condition>,
) -> Option<Step> {
    let told = status.conditions.iter().find(|it| it.type_ == type_)?;
    let is_here = speaking.filter(|it| place_of(it, status) == Some(type_));
    let is_worked_on = speaking.is_none() && !status.finished && first_open(status) == Some(type_);
    let mark = match told.status {
        _ if is_here.is_some() || is_worked_on => Mark::Here,
        Truth::True => Mark::Passed,
        Truth::False | Truth::Unknown => Mark::Open,
    };
    if type_ == ConditionType::Waiting.as_str() && mark != Mark::Here {
        return None;
    }
    let words = match (is_here, speaking) {
        (Some(speaking), _) => speaking.message.as_str(),
        // Said once is enough.
        (None, Some(speaking)) if mark == Mark::Open && told.message == speaking.message => "not yet",
        (None, _) => told.message.as_str(),
    };
    let count = match (type_, &status.plan) {
        ("Approved", Some(plan)) if mark == Mark::Open => format!("{} required: ", plan.required_approvals),
        _ => String::new(),
    };
    // Whoever is deactivated is not deleted.
    let name = if told.reason == Reason::Deactivated.as_str() { "deactivated" } else { name };
    Some(Step { mark, name, words: format!("{count}{}", harmless(words)) })
}

/// The step that a condition which speaks stands at: its own, or else the first one that is open.
fn place_of(speaking: &Condition, status: &OffboardingStatus) -> Option<&'static str> {
    match speaking.type_.as_str() {
        "Waiting" if speaking.reason == Reason::AwaitingApproval.as_str() => Some("Approved"),
        "Waiting" if BEFORE_THE_CALL.contains(&speaking.reason.as_str()) => Some("Waiting"),
        "Waiting" | "Stalled" => first_open(status),
        own => STEPS.iter().map(|(word, _)| *word).find(|word| *word == own),
    }
}

fn first_open(status: &OffboardingStatus) -> Option<&'static str> {
    let is_open =
        |word: &str| status.conditions.iter().any(|it| it.type_ == word && it.status != Truth::True);
    STEPS.iter().map(|(word, _)| *word).find(|word| *word != "Waiting" && is_open(word))
}

/// The explanation, ready to be printed.
#[must_use]
pub fn text(name: &str, explanation: &Explanation, here: &Here, ink: Ink) -> String {
    let Explanation { headline, until, steps, advice } = explanation;
    let mut text = format!("{}\n{headline}\n", ink.head(&harmless(&format!("{}/{name}", here.namespace))));
    let mut line = |line: String| {
        let _infallible = writeln!(text, "{}", line.trim_end());
    };
    if let Some(until) = until {
        line(format!("until {until}"));
    }
    line(String::new());
    for Step { mark, name, words } in steps {
        let sign = match mark {
            Mark::Passed => ink.good("[x]"),
            Mark::Open => "[ ]".to_owned(),
            Mark::Here => ink.alarming("[>]"),
        };
        line(format!("{sign} {name:<12} {words}"));
    }
    for Advice { who, what, commands } in advice {
        line(format!("\n{who}: {what}"));
        for command in commands {
            line(format!("    {command}"));
        }
    }
    text
}

#[cfg(test)]
mod tests;
