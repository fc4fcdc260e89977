//! The health of every golden object, by three judges: as a rule, and as the table in docs/gitops.md.

use std::collections::BTreeMap;

use offboarding::api::{ConditionType, Reason, Truth};
use serde_json::Value;

use crate::{
    judge::{Verdict, verdicts},
    page,
    story::condition,
};

/// What is waited for while nothing goes on: people, a hold, a moment, a budget, a switch.
const RESTS: &[Reason] = &[
    Reason::AwaitingApproval,
    Reason::CoolingOff,
    Reason::NotBefore,
    Reason::Held,
    Reason::BudgetQueued,
    Reason::Suspended,
    Reason::ProviderSuspended,
];

/// What ends by itself, and is worked on.
const GOES_ON: &[Reason] =
    &[Reason::OtherTargets, Reason::ProviderUnavailable, Reason::RateLimited, Reason::Settling];

fn requests() -> impl Iterator<Item = &'static Verdict> {
    verdicts().iter().filter(|verdict| verdict.kind() == "CustomerOffboarding")
}

#[test]
fn every_wait_is_one_at_rest_or_one_that_goes_on() {
    let (_, waits) =
        ConditionType::Waiting.reasons().iter().find(|(truth, _)| *truth == Truth::True).unwrap();
    let mut known: Vec<Reason> = [RESTS, GOES_ON].concat();
    let mut waits = waits.to_vec();
    known.sort();
    waits.sort();
    assert_eq!(known, waits);
}

#[test]
fn a_request_is_healthy_suspended_degraded_or_progressing_as_it_stands() {
    let mut seen = BTreeMap::new();
    for verdict in requests() {
        let expected = expected(&verdict.object);
        let told = [verdict.kstatus.as_str(), verdict.argo(), verdict.flux.as_str()];
        assert_eq!(told, expected, "{}", verdict.name());
        *seen.entry(verdict.argo()).or_insert(0) += 1;
    }
    assert!(["Healthy", "Suspended", "Degraded", "Progressing"].iter().all(|it| seen[it] > 1), "{seen:?}");
}

/// What kstatus, Argo CD and Flux should say of a request, by what its status says.
fn expected(request: &Value) -> [&'static str; 3] {
    let (status, metadata) = (&request["status"], &request["metadata"]);
    let is = |type_, truth: &str| condition(status, type_)["status"] == truth;
    let wait = condition(status, "Waiting")["reason"].as_str().and_then(|it| it.parse::<Reason>().ok());
    let (argo, flux) = match status["phase"].as_str().unwrap() {
        _ if status["observedGeneration"] != metadata["generation"] => ("Progressing", "InProgress"),
        "Completed" | "Cancelled" => ("Healthy", "Current"),
        "Failed" | "Blocked" => ("Degraded", "Failed"),
        _ if is("Stalled", "True") || is("Unblocked", "False") => ("Degraded", "Failed"),
        _ if wait.is_some_and(|it| RESTS.contains(&it)) => ("Suspended", "Current"),
        _ => ("Progressing", "InProgress"),
    };
    let kstatus = match argo {
        "Healthy" => "Current",
        "Degraded" if is("Stalled", "True") && !is("Reconciling", "True") => "Failed",
        _ => "InProgress", // a wait for people as well: kstatus has no word for it
    };
    // What is being removed has no health of its own any more; Flux asks its checks all the same.
    if metadata["deletionTimestamp"].is_string() {
        return ["Terminating", "Progressing", flux];
    }
    [kstatus, argo, flux]
}

#[test]
fn a_health_says_what_the_column_waiting_for_says() {
    for verdict in requests().filter(|it| it.object["metadata"]["deletionTimestamp"].is_null()) {
        let message = &verdict.argo.as_ref().unwrap().message;
        let status = &verdict.object["status"];
        if status["observedGeneration"] == verdict.object["metadata"]["generation"] {
            assert_eq!(status["waitingFor"], message.as_str(), "{}", verdict.name());
        } else {
            assert_eq!(message, "the operator has not seen it as it is now");
        }
    }
}

#[test]
fn a_provider_object_is_healthy_where_requests_can_be_made() {
    let providers = verdicts().iter().filter(|it| it.kind().ends_with("OffboardingProvider"));
    for verdict in providers {
        let expected = match verdict.name() {
            // Not seen as it is now.
            "new" | "changed-since" => ["InProgress", "Progressing", "InProgress"],
            "probesucceeded" | "shared" => ["Current", "Healthy", "Current"],
            "suspended" => ["Current", "Suspended", "Current"],
            // It mends itself when the Secret is there: not before the timeout is it told as failed.
            _ => ["InProgress", "Degraded", "InProgress"],
        };
        assert_eq!(
            [verdict.kstatus.as_str(), verdict.argo(), verdict.flux.as_str()],
            expected,
            "{}",
            verdict.name()
        );
    }
}

#[test]
fn what_has_no_status_is_there_and_that_is_all() {
    for kind in ["OffboardingApproval", "CustomerHold", "OffboardingRecord"] {
        let verdict = verdicts().iter().find(|it| it.kind() == kind).unwrap();
        assert_eq!(
            [verdict.kstatus.as_str(), verdict.argo(), verdict.flux.as_str()],
            ["Current", "none", "Current"]
        );
    }
}

#[test]
fn the_table_in_the_docs_is_what_the_judges_say() {
    page::holds("verdicts", &table());
}

/// Who is judged alike stands in one row.
fn table() -> String {
    let mut rows: Vec<(String, String, [&str; 3], Vec<String>)> = Vec::new();
    for verdict in verdicts() {
        let (stands, type_, reason) = told(verdict);
        let says = [verdict.kstatus.as_str(), verdict.argo(), verdict.flux.as_str()];
        let alike = rows.iter_mut().find(|row| (&row.0, &row.1, &row.2) == (&stands, &type_, &says));
        match alike {
            Some(row) if row.3.contains(&reason) => {}
            Some(row) => row.3.push(reason),
            None => rows.push((stands, type_, says, vec![reason])),
        }
    }
    let head = "| phase | why | kstatus | Argo CD | Flux |\n|---|---|---|---|---|\n";
    let row = |(stands, type_, [kstatus, argo, flux], reasons): &(String, String, [&str; 3], Vec<String>)| {
        let reasons = reasons.iter().filter(|it| !it.is_empty()).map(|it| format!("`{it}`"));
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        let why = [type_.as_str(), reasons.as_str()].into_iter().filter(|it| !it.is_empty());
        format!("| {stands} | {} | {kstatus} | {argo} | {flux} |\n", why.collect::<Vec<_>>().join(": "))
    };
    head.to_owned() + &rows.iter().map(row).collect::<String>()
}

/// Phase or kind, and the condition that says why it stands there, with its reason.
fn told(verdict: &Verdict) -> (String, String, String) {
    let object = &verdict.object;
    let (status, metadata) = (&object["status"], &object["metadata"]);
    let stands = status["phase"].as_str().map_or_else(|| format!("*{}*", verdict.kind()), str::to_owned);
    let plain = |why: &str| (stands.clone(), why.to_owned(), String::new());
    if metadata["deletionTimestamp"].is_string() {
        return plain("being removed");
    }
    if status["observedGeneration"] == -1 {
        return plain("new, not seen by the operator");
    }
    if status["observedGeneration"] != metadata["generation"] && !status.is_null() {
        return plain("changed since the operator saw it");
    }
    if verdict.kind().ends_with("Provider") && object["spec"]["suspend"] == true {
        return plain("`spec.suspend`");
    }
    let tells = [
        ("CircuitOpen", "True"),
        ("Ready", "True"),
        ("Stalled", "True"),
        ("Unblocked", "False"),
        ("Planned", "False"),
        ("Approved", "False"),
        ("Waiting", "True"),
        ("Ready", "False"),
    ];
    let tells = tells.iter().find(|(type_, truth)| condition(status, type_)["status"] == *truth);
    let Some((type_, _)) = tells else { return plain("no status, by design") };
    (stands.clone(), (*type_).to_owned(), condition(status, type_)["reason"].as_str().unwrap().to_owned())
}
