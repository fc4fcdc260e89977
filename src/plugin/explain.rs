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
    if type_ == ConditionType::Waiting.as_str() {
        return free_to_go(told, name);
    }
    let is_here = speaking.is_some_and(|it| is_about(it, type_, status));
    let mark = match told.status {
        Truth::True => Mark::Passed,
        Truth::False | Truth::Unknown if is_here => Mark::Here,
        Truth::False | Truth::Unknown => Mark::Open,
    };
    let count = match (type_, &status.plan) {
        ("Approved", Some(plan)) if mark != Mark::Passed => format!("{} required: ", plan.required_approvals),
        _ => String::new(),
    };
    Some(Step { mark, name, words: format!("{count}{}", harmless(&told.message)) })
}

/// The gates between consent and deletion have one condition together; it is told while it waits for one of them.
fn free_to_go(told: &Condition, name: &'static str) -> Option<Step> {
    let is_consent = told.reason == Reason::AwaitingApproval.as_str();
    (told.status == Truth::True && !is_consent).then(|| Step {
        mark: Mark::Here,
        name,
        words: harmless(&told.message),
    })
}

/// Whether a condition that speaks is told by this step.
fn is_about(speaking: &Condition, type_: &str, status: &OffboardingStatus) -> bool {
    match speaking.type_.as_str() {
        "Waiting" => type_ == "Approved" && speaking.reason == Reason::AwaitingApproval.as_str(),
        // A stop that no other step tells of stands in the way of the first step that is open.
        "Stalled" => {
            let open = |it: &&Condition| it.status != Truth::True;
            let is_open = |word: &&str| status.conditions.iter().filter(open).any(|it| it.type_ == **word);
            STEPS.iter().map(|(word, _)| *word).filter(|word| *word != "Waiting").find(|word| is_open(&word))
                == Some(type_)
        }
        own => own == type_,
    }
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
        line(format!("ends by itself at {until}"));
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
