//! What makes a request go on: for each condition and reason who does what, and what that person types.

mod rows;

use std::collections::BTreeSet;

use super::{here::Here, text::harmless};
use crate::api::{
    Condition, CustomerOffboarding, OffboardingStatus, PlanStatus, ProviderKind, Reason, TargetState, Truth,
};
use rows::{DESCRIBE, NOBODY, OPERATIONS, ROWS, Row};

/// Who does what, and the commands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    pub who: &'static str,
    pub what: String,
    pub commands: Vec<String>,
}

/// What makes this request go on. `speaking` is the condition that says why it does not.
#[must_use]
pub fn advice(
    request: &CustomerOffboarding,
    status: &OffboardingStatus,
    speaking: Option<&Condition>,
    is_unseen: bool,
    here: &Here,
) -> Vec<Advice> {
    let name = request.metadata.name.as_deref().unwrap_or_default();
    let providers = providers(request, status);
    let typed = |command: &&str| spelled(command, name, &providers, here);
    if is_unseen {
        return vec![Advice {
            who: OPERATIONS,
            what: "it is seen within seconds where the operator runs and watches this namespace".to_owned(),
            commands: vec!["kubectl get pods -n customer-offboarding".to_owned()],
        }];
    }
    let Some(speaking) = speaking else {
        let what = if status.finished { "it is finished" } else { "the operator is at it; follow it" };
        let command = if status.finished { DESCRIBE } else { "offboarding status NAME --watch" };
        return vec![Advice { who: NOBODY, what: what.to_owned(), commands: typed(&command) }];
    };
    let consent = status.conditions.iter().find(|it| it.type_ == "Approved" && it.status == Truth::False);
    let consent = consent.filter(|it| !status.finished && it.reason != speaking.reason);
    // Why an approval that is there does not count says more than that one is missing.
    let told_by = match consent.filter(|it| row(&it.type_, &it.reason).is_some()) {
        Some(consent) if speaking.reason == Reason::AwaitingApproval.as_str() => [Some(consent), None],
        consent => [Some(speaking), consent],
    };
    let told: Vec<Advice> = told_by
        .into_iter()
        .flatten()
        .filter_map(|it| row(&it.type_, &it.reason))
        .map(|(_, _, who, what, commands)| Advice {
            who,
            what: (*what).to_owned(),
            commands: commands.iter().flat_map(typed).collect(),
        })
        .chain(waivers(speaking, status.plan.as_ref(), name, here))
        .collect();
    if told.is_empty() { vec![unknown(speaking, typed(&DESCRIBE))] } else { told }
}

fn row(condition: &str, reason: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.0 == condition && row.1 == reason)
}

/// A reason of an operator that is newer than this program.
fn unknown(speaking: &Condition, describe: Vec<String>) -> Advice {
    Advice {
        who: OPERATIONS,
        what: format!(
            "this program does not know {} ({}); upgrade it",
            harmless(&speaking.reason),
            speaking.type_
        ),
        commands: describe,
    }
}

/// A blocker can also be passed over by somebody who may.
fn waivers(speaking: &Condition, plan: Option<&PlanStatus>, name: &str, here: &Here) -> Option<Advice> {
    if speaking.type_ != "Unblocked" || !["BlockersFound", "CheckFailed"].contains(&speaking.reason.as_str())
    {
        return None;
    }
    let targets = plan?.targets.iter();
    let checks = targets.flat_map(|target| target.blockers.iter().map(move |it| (&target.name, &it.check)));
    let commands: Vec<String> = checks
        .map(|(target, check)| here.offboarding(&format!("waive {name} --check {target}/{check}")))
        .map(|command| harmless(&command))
        .collect();
    let what = "or agree that a check is passed over for this plan".to_owned();
    (!commands.is_empty()).then_some(Advice { who: "somebody who may waive", what, commands })
}

/// The provider objects of the targets that are not done, as `kind name`, each once.
fn providers(request: &CustomerOffboarding, status: &OffboardingStatus) -> Vec<String> {
    let is_done = |name: &str| {
        let done = TargetState::Done.as_str();
        status.targets.iter().any(|target| target.name == name && target.state == done)
    };
    let open = request.spec.targets.iter().filter(|target| !is_done(&target.name));
    let kind = |kind: ProviderKind| kind.as_str().to_lowercase();
    let named =
        open.map(|it| format!("{} {}", kind(it.provider_ref.kind.unwrap_or_default()), it.provider_ref.name));
    named.collect::<BTreeSet<_>>().into_iter().collect()
}

/// A command as it is typed, once for each provider where it names one. Those that name a namespace, or list what has none, are
/// left as they are.
fn spelled(command: &str, name: &str, providers: &[String], here: &Here) -> Vec<String> {
    let with_name = |word| if word == "NAME" { name } else { word };
    let command = command.split(' ').map(with_name).collect::<Vec<_>>().join(" ");
    let commands = match command.contains("PROVIDER") {
        true => providers.iter().map(|provider| command.replace("PROVIDER", provider)).collect(),
        false => vec![command],
    };
    let spelled = |command: &String| match command.strip_prefix("kubectl ") {
        None if command.starts_with("offboarding hold ") => here.kubectl_anywhere(command),
        None => here.offboarding(command.trim_start_matches("offboarding ")),
        Some(rest) if rest.contains(" -n ") || rest.ends_with(" -A") || rest.contains("policies") => {
            here.kubectl_anywhere(rest)
        }
        Some(rest) => here.kubectl(rest),
    };
    commands.iter().map(|command| harmless(&spelled(command))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ConditionType;

    /// Wherever a request can stop or wait, somebody is told what to do.
    #[test]
    fn every_reason_for_which_a_request_stops_or_waits_has_its_advice() {
        let mut missing = Vec::new();
        for (type_, truth) in [
            (ConditionType::Stalled, Truth::True),
            (ConditionType::Waiting, Truth::True),
            (ConditionType::Unblocked, Truth::False),
            (ConditionType::Planned, Truth::False),
        ] {
            let given =
                type_.reasons().iter().filter(|(it, _)| *it == truth).flat_map(|(_, reasons)| *reasons);
            missing
                .extend(given.filter(|it| row(type_.as_str(), it.as_str()).is_none()).map(|it| (type_, it)));
        }
        assert!(missing.is_empty(), "no advice for {missing:?}");
    }

    #[test]
    fn no_reason_has_two_rows() {
        for (at, row) in ROWS.iter().enumerate() {
            assert!(ROWS[at + 1..].iter().all(|other| (other.0, other.1) != (row.0, row.1)), "{row:?}");
        }
    }
}
