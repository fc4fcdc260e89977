//! What makes a request go on: for each condition and reason who does what, and what that person types.

use std::collections::BTreeSet;

use super::{here::Here, text::harmless};
use crate::api::{
    Condition, CustomerOffboarding, OffboardingStatus, PlanStatus, ProviderKind, Reason, TargetState, Truth,
};

/// Who does what, and the commands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    pub who: &'static str,
    pub what: String,
    pub commands: Vec<String>,
}

/// Condition, reason, who, what, and commands in which NAME, PROVIDER and HERE stand for what they say.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const NOBODY: &str = "nobody has to do anything";
const APPROVER: &str = "an approver";
const REQUESTER: &str = "the requester";
const PLATFORM: &str = "the platform team";
const LEGAL: &str = "legal";
const OPERATIONS: &str = "whoever runs the operator";

const PLAN: &str = "offboarding plan NAME";
const RETRY: &str = "offboarding retry NAME";
const DESCRIBE_PROVIDER: &str = "kubectl describe PROVIDER";
const DESCRIBE: &str = "kubectl describe cob NAME";

/// Kept complete by a test: every reason with which a request can stop or wait has a row.
const ROWS: &[Row] = &[
    (
        "Stalled",
        "InvalidSpec",
        REQUESTER,
        "the spec can never be carried out and cannot be changed: create another request",
        &[DESCRIBE],
    ),
    (
        "Stalled",
        "InvalidGraph",
        REQUESTER,
        "`dependsOn` leads in a circle and cannot be changed: create another request",
        &[DESCRIBE],
    ),
    (
        "Stalled",
        "ProviderNotFound",
        PLATFORM,
        "create the provider object, or allow it for this namespace; the request goes on by itself",
        &["kubectl get offboardingproviders"],
    ),
    (
        "Stalled",
        "ModeNotAllowed",
        PLATFORM,
        "allow the mode in the provider object; or create another request with another mode",
        &[DESCRIBE_PROVIDER],
    ),
    (
        "Stalled",
        "CustomerNotFound",
        REQUESTER,
        "check the id; where it is right, create another request with `acceptAbsent: true`",
        &[DESCRIBE],
    ),
    (
        "Stalled",
        "ApprovalPolicyMissing",
        PLATFORM,
        "install the admission policies as shipped: without them nobody knows who approved",
        &["kubectl get validatingadmissionpolicies"],
    ),
    (
        "Stalled",
        "InstallationKeyLost",
        OPERATIONS,
        "restore the Secret customer-offboarding-installation-key from its backup",
        &["kubectl get secret customer-offboarding-installation-key -n customer-offboarding"],
    ),
    (
        "Stalled",
        "Denied",
        APPROVER,
        "whoever refused takes it back by deleting the refusal, or the request is given up",
        &["kubectl get coba", "offboarding cancel NAME"],
    ),
    (
        "Stalled",
        "ProviderAnswerInvalid",
        PLATFORM,
        "mend the profile, or ask the provider; then have it looked at again",
        &[DESCRIBE_PROVIDER, RETRY],
    ),
    (
        "Stalled",
        "RecordCorrupted",
        OPERATIONS,
        "look at the record by hand: somebody else has changed it",
        &["kubectl get cobr -n customer-offboarding"],
    ),
    (
        "Stalled",
        "UnsupportedVersion",
        OPERATIONS,
        "upgrade the operator: a newer one wrote the record",
        &["kubectl get cobr -n customer-offboarding"],
    ),
    (
        "Stalled",
        "StillPresent",
        PLATFORM,
        "ask the provider why the customer is still there; nothing is sent again for this request",
        &[DESCRIBE],
    ),
    ("Stalled", "JobFailed", PLATFORM, "ask the provider why its job failed", &[DESCRIBE]),
    (
        "Stalled",
        "Recreated",
        REQUESTER,
        "somebody else has the id now and was not touched; create another request if that customer is meant",
        &[DESCRIBE],
    ),
    ("Stalled", "AttemptsExhausted", PLATFORM, "ask the provider; then create another request", &[DESCRIBE]),
    (
        "Waiting",
        "AwaitingApproval",
        APPROVER,
        "read the plan, then agree to it or refuse it",
        &[PLAN, "offboarding approve NAME", "offboarding deny NAME --reason TEXT"],
    ),
    (
        "Waiting",
        "CoolingOff",
        NOBODY,
        "it goes on by itself at the time above; until then it can be given up",
        &["offboarding cancel NAME"],
    ),
    (
        "Waiting",
        "NotBefore",
        REQUESTER,
        "it goes on by itself at the time above; `spec.notBefore` may be moved to later",
        &["kubectl edit cob NAME"],
    ),
    (
        "Waiting",
        "Held",
        LEGAL,
        "let the hold go that is named above, and the request is planned anew and goes on; where none is named, the operator lacks the right to read holds",
        &["offboarding hold list", "offboarding hold release HOLD"],
    ),
    (
        "Waiting",
        "Suspended",
        REQUESTER,
        "let it go on, or give it up",
        &["offboarding resume NAME", "offboarding cancel NAME"],
    ),
    (
        "Waiting",
        "BudgetQueued",
        NOBODY,
        "it goes on by itself when the account's budget has room again",
        &[DESCRIBE_PROVIDER],
    ),
    (
        "Waiting",
        "OtherTargets",
        NOBODY,
        "it goes on by itself when the other targets are ready or done",
        &[PLAN, "kubectl get cob NAME -o jsonpath='{.status.targets}'"],
    ),
    (
        "Waiting",
        "ProviderSuspended",
        PLATFORM,
        "end the emergency stop in the provider object",
        &["kubectl patch PROVIDER --type=merge -p '{\"spec\":{\"suspend\":false}}'"],
    ),
    (
        "Waiting",
        "ProviderUnavailable",
        PLATFORM,
        "it is tried again by itself; where the sentence above names a cause, remove it and have it looked at now",
        &[DESCRIBE_PROVIDER, RETRY],
    ),
    (
        "Waiting",
        "RateLimited",
        NOBODY,
        "the provider asked for a pause; it is tried again by itself",
        &[DESCRIBE_PROVIDER],
    ),
    (
        "Waiting",
        "Settling",
        NOBODY,
        "it goes on by itself at the time above: nothing is concluded before",
        &["offboarding status NAME --watch"],
    ),
    ("Waiting", "ManualStep", PLATFORM, "do the step at the provider", &[PLAN]),
    (
        "Waiting",
        "Grace",
        NOBODY,
        "it goes on by itself at the time above; until then it can be given up",
        &["offboarding cancel NAME"],
    ),
    ("Waiting", "OutsideWindow", NOBODY, "it goes on by itself at the time above", &[DESCRIBE_PROVIDER]),
    ("Waiting", "Blackout", NOBODY, "it goes on by itself at the time above", &[DESCRIBE_PROVIDER]),
    (
        "Unblocked",
        "BlockersFound",
        PLATFORM,
        "clear at the provider what the check found; it is looked at again by itself, or now",
        &[PLAN, RETRY],
    ),
    (
        "Unblocked",
        "CheckFailed",
        PLATFORM,
        "make the check answer; it is asked again by itself, or now",
        &[PLAN, RETRY],
    ),
    (
        "Unblocked",
        "ProviderRestricted",
        PLATFORM,
        "clear at the provider why it forbids the deletion; it is tried again at the time above",
        &[DESCRIBE_PROVIDER],
    ),
    (
        "Unblocked",
        "ProviderConflict",
        PLATFORM,
        "clear the conflict at the provider; it is tried again at the time above",
        &[DESCRIBE_PROVIDER],
    ),
    (
        "Unblocked",
        "Duplicate",
        REQUESTER,
        "wait until the other request is finished, or give this one up",
        &["kubectl get cob -A", "offboarding cancel NAME"],
    ),
    (
        "Unblocked",
        "Resurrected",
        APPROVER,
        "the customer was offboarded before and is there again: read the plan and decide",
        &[PLAN, "offboarding approve NAME", "offboarding cancel NAME"],
    ),
    (
        "Unblocked",
        "AccountChanged",
        PLATFORM,
        "put back base URL, environment and account of the provider object, or give the account another name",
        &[DESCRIBE_PROVIDER],
    ),
    (
        "Planned",
        "PlanChanged",
        REQUESTER,
        "somebody else has the id now: give this request up, and create another one if that customer is meant",
        &["offboarding cancel NAME"],
    ),
    (
        "Planned",
        "ProviderChanged",
        APPROVER,
        "the provider object has changed: read the new plan and decide again",
        &[PLAN, "offboarding approve NAME"],
    ),
    (
        "Planned",
        "AccountChanged",
        PLATFORM,
        "put back base URL and environment of the provider object",
        &[DESCRIBE_PROVIDER],
    ),
    (
        "Approved",
        "PlanChanged",
        APPROVER,
        "approvals of the plan before do not count: read the new one",
        &[PLAN, "offboarding approve NAME"],
    ),
    (
        "Approved",
        "Expired",
        APPROVER,
        "an approval has expired: read the plan and agree again",
        &[PLAN, "offboarding approve NAME"],
    ),
    (
        "Approved",
        "Denied",
        APPROVER,
        "whoever refused takes it back by deleting the refusal",
        &["kubectl get coba"],
    ),
    (
        "Approved",
        "SameIdentity",
        APPROVER,
        "somebody else than the requester has to agree",
        &["offboarding approve NAME"],
    ),
    (
        "Approved",
        "UnknownRequester",
        APPROVER,
        "nobody knows who asked, so one more person has to agree",
        &["offboarding approve NAME"],
    ),
    (
        "Approved",
        "Spent",
        APPROVER,
        "the provider refused the deletion that was agreed to: read the plan and agree again",
        &[PLAN, "offboarding approve NAME"],
    ),
    (
        "Approved",
        "ApprovalPolicyMissing",
        PLATFORM,
        "install the admission policies as shipped: without them nobody knows who approved",
        &["kubectl get validatingadmissionpolicies"],
    ),
];

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
    let named = open.map(|it| format!("{} {}", kind(it.provider_ref.kind), it.provider_ref.name));
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
