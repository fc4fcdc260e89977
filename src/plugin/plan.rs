//! A plan as an approver reads it: everything that is agreed to, and what must not be overlooked first.

use super::{
    here::Here,
    terminal::Ink,
    text::{harmless, moment},
};
use crate::api::{
    Blocker, CustomerOffboarding, Environment, Finality, Mode, PlanStatus, PlannedTarget, ProviderKind,
    ProviderRef, REQUESTED_BY_ANNOTATION,
};

/// How wide the names on the left are.
const NAMES: usize = 13;

/// The whole plan of a request, ready to be printed.
#[must_use]
pub fn table(request: &CustomerOffboarding, plan: &PlanStatus, here: &Here, ink: Ink) -> String {
    let mut rows = Vec::new();
    let name = request.metadata.name.as_deref().unwrap_or_default();
    let phase = request.status.as_ref().map_or("Pending", |status| status.phase.as_str());
    row(&mut rows, "REQUEST", &ink.head(&harmless(&format!("{}/{name}", here.namespace))));
    row(&mut rows, "phase", &harmless(phase));
    let author = request.metadata.annotations.as_ref().and_then(|all| all.get(REQUESTED_BY_ANNOTATION));
    row(&mut rows, "requested by", &author.map_or_else(|| "not known".to_owned(), |it| harmless(it)));
    if let Some(details) = &request.spec.request {
        let reason = details.reason.map(|reason| reason.to_string());
        let both: Vec<String> =
            reason.into_iter().chain(details.reference.as_deref().map(harmless)).collect();
        row(&mut rows, "reason", &both.join(", "));
    }
    if request.spec.accept_absent {
        row(&mut rows, "accept absent", "yes: a customer who was never there is a success");
    }
    if let Some(due) = request.status.as_ref().and_then(|status| status.due) {
        row(&mut rows, "due", &moment(due));
    }
    row(&mut rows, "plan", &harmless(&plan.hash));
    row(&mut rows, "made at", &moment(plan.made_at));
    row(&mut rows, "approvals", &approvals(plan, ink));
    if !plan.changed.is_empty() {
        let fields: Vec<String> = plan.changed.iter().map(|field| harmless(field)).collect();
        row(
            &mut rows,
            "changed",
            &ink.alarming(&format!("{}; approvals of the plan before do not count", fields.join(", "))),
        );
    }
    for target in &plan.targets {
        rows.push(String::new());
        target_rows(&mut rows, request, target, ink);
    }
    rows.iter().map(|line| format!("{line}\n")).collect()
}

fn target_rows(rows: &mut Vec<String>, request: &CustomerOffboarding, target: &PlannedTarget, ink: Ink) {
    let asked = request.spec.targets.iter().find(|asked| asked.name == target.name);
    let provider =
        asked.map_or_else(|| "not in the request".to_owned(), |asked| provider(&asked.provider_ref));
    row(rows, "TARGET", &ink.head(&harmless(&target.name)));
    row(rows, "customer", &customer(request, &target.name));
    row(rows, "environment", &environment(target.environment, ink));
    row(rows, "account", &harmless(&target.account));
    row(rows, "provider", &harmless(&provider));
    let mode = target.mode.or_else(|| asked.and_then(|asked| asked.mode));
    row(rows, "mode", mode.map_or("not told", meaning));
    row(rows, "operation", &harmless(&target.operation));
    if let Some(after) = asked.map(|asked| asked.depends_on.join(", ")).filter(|after| !after.is_empty()) {
        row(rows, "after", &harmless(&after));
    }
    row(rows, "found", &harmless(&target.found));
    several(rows, "blockers", &blockers(&target.blockers, ink), &ink.good("none"));
    several(rows, "effects", &clean(&target.effects), "not declared");
    several(rows, "retains", &clean(&target.retains), "nothing is declared");
    row(rows, "finality", finality(target.finality));
    several(rows, "risks", &clean(&target.risks), "none known");
}

/// The pseudonym, never the id: `kubectl offboarding ref` computes the same from an id.
fn customer(request: &CustomerOffboarding, target: &str) -> String {
    let mut told = request.status.iter().flat_map(|status| &status.targets);
    let reference = told.find(|told| told.name == target).and_then(|told| told.customer_ref.as_deref());
    reference.map_or_else(|| "not told".to_owned(), harmless)
}

/// The word of the plan, and what it asks for.
const fn meaning(mode: Mode) -> &'static str {
    match mode {
        Mode::Soft => "Soft: deactivates",
        Mode::Hard => "Hard: deletes",
    }
}

fn provider(named: &ProviderRef) -> String {
    match named.kind.unwrap_or_default() {
        ProviderKind::OffboardingProvider => named.name.clone(),
        ProviderKind::ClusterOffboardingProvider => format!("{} (of the cluster)", named.name),
    }
}

/// Live is what cannot be undone.
pub fn environment(environment: Environment, ink: Ink) -> String {
    match environment {
        Environment::live => ink.alarming("LIVE"),
        Environment::sandbox => "sandbox".to_owned(),
    }
}

/// The word of the profile, and what it means for the customer.
const fn finality(finality: Finality) -> &'static str {
    match finality {
        Finality::HardDelete => "HardDelete: the provider's record is gone afterwards",
        Finality::Redaction => "Redaction: the record stays, without personal data",
        Finality::SoftDelete => "SoftDelete: deactivated; personal data stays",
        Finality::Archive => "Archive: put away; personal data stays",
        Finality::DeletionRequested => "DeletionRequested: the provider deletes later",
    }
}

fn approvals(plan: &PlanStatus, ink: Ink) -> String {
    match plan.required_approvals {
        0 => ink.alarming("none required: it is carried out without anybody's consent"),
        1 => "1 required".to_owned(),
        more => format!("{more} required"),
    }
}

fn blockers(blockers: &[Blocker], ink: Ink) -> Vec<String> {
    let line = |it: &Blocker| ink.alarming(&harmless(&format!("{} ({})", it.check, it.reason)));
    blockers.iter().map(line).collect()
}

fn clean(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| harmless(text)).collect()
}

fn row(rows: &mut Vec<String>, name: &str, value: &str) {
    rows.push(format!("{name:<NAMES$} {value}").trim_end().to_owned());
}

fn several(rows: &mut Vec<String>, name: &str, values: &[String], none: &str) {
    if values.is_empty() {
        row(rows, name, none);
    }
    for (at, value) in values.iter().enumerate() {
        row(rows, if at == 0 { name } else { "" }, value);
    }
}

#[cfg(test)]
mod tests;
