//! Requests as users see them, for each phase and for each reason of each condition: `tests/golden/requests`.
//! `tests/gitops` shows them to what GitOps tools run.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    several::{at_target, deactivated, erased, told_of},
    *,
};
use crate::golden;

#[test]
fn a_request_of_every_phase_and_every_reason_lies_in_tests_golden() {
    let mut of_phase: BTreeMap<String, String> = BTreeMap::new();
    let mut shown = BTreeSet::new();
    for object in objects() {
        shown.extend(shows(&object["status"]));
        let phase = text(&object["status"]["phase"]);
        let document = serde_saphyr::to_string(&object).unwrap();
        *of_phase.entry(format!("{phase}.yaml")).or_default() += &format!("---\n{document}");
    }
    let phases: Vec<String> = Phase::ALL.iter().map(|phase| format!("{phase}.yaml")).collect();
    assert!(phases.iter().all(|phase| of_phase.contains_key(phase)), "{:?}", of_phase.keys());
    let every = ConditionType::ALL.iter().flat_map(|type_| {
        let reasons = type_.reasons().iter();
        reasons
            .flat_map(move |(truth, reasons)| reasons.iter().map(move |it| format!("{type_}={truth}/{it}")))
    });
    let missing: Vec<String> = every.filter(|it| !shown.contains(it)).collect();
    assert!(missing.is_empty(), "no request shows {missing:?}");
    golden::assert_directory_holds(
        "tests/golden/requests",
        &of_phase.into_iter().collect::<Vec<_>>(),
        "yaml",
    );
}

/// Of everything that can be decided what shows something that nothing before it shows.
fn objects() -> Vec<Value> {
    let dues = [0, 2 * 24 * 3600, 8 * 24 * 3600].map(|seconds| a_wait().due(wall(seconds)));
    let decided = table().into_iter().map(|(telling, _)| telling).chain(dues);
    let decided = decided.map(|telling| telling.status(&OffboardingStatus::default(), at(1)));
    let (mut shown, mut names, mut objects) = (BTreeSet::new(), BTreeMap::new(), vec![unseen()]);
    for status in decided.chain(of_several()) {
        let status = serde_json::to_value(status).unwrap();
        let word = text(&telling_condition(&status)["reason"]);
        let mut shows = shows(&status);
        shows.insert(format!("{} {word}", text(&status["phase"])));
        if shows.is_subset(&shown) {
            continue;
        }
        shown.append(&mut shows);
        let count = names.entry((text(&status["phase"]), word.clone())).or_insert(0);
        *count += 1;
        let name = format!("{}-{word}-{count}", text(&status["phase"])).to_lowercase();
        objects.push(object(&name, &status));
    }
    objects.extend([changed(), removed()]);
    objects
}

/// Targets that do not stand alike.
fn of_several() -> Vec<OffboardingStatus> {
    let still_there = || wait(Waiting::StillThere { until: wall(5) });
    let no_provider = || stop(Blocked::ProviderNotFound(ProviderKind::OffboardingProvider));
    let cancelled = || at_target("crm", Next::Finished(Ending::cancelled()), Facts::None);
    let failed = || finished(OffboardingResult::Failed, Reason::StillPresent);
    [
        vec![
            at_target("billing", no_provider(), Facts::None),
            at_target("crm", still_there(), after(Some(Outcome::Accepted))),
        ],
        vec![
            at_target("billing", stop(refused(Class::Conflict)), after(Some(rejected(Class::Conflict)))),
            erased("crm"),
        ],
        vec![erased("billing"), at_target("crm", failed(), after(Some(Outcome::Accepted)))],
        vec![erased("billing"), cancelled()],
        vec![erased("billing"), deactivated("crm")],
    ]
    .iter()
    .map(|targets| told_of(targets))
    .collect()
}

/// As the API server makes it, before anybody has looked.
fn unseen() -> Value {
    let status = json!({ "observedGeneration": -1, "phase": "Pending", "finished": false });
    object("pending-new", &status)
}

/// Changed since the operator saw it last.
fn changed() -> Value {
    let status = serde_json::to_value(a_wait().first_status()).unwrap();
    let mut object = object("awaitingapproval-changed-since", &status);
    object["metadata"]["generation"] = json!(2);
    object["spec"]["suspend"] = json!(true);
    object
}

/// Removed in the foreground, and not gone yet.
fn removed() -> Value {
    let status = serde_json::to_value(a_wait().first_status()).unwrap();
    let mut object = object("awaitingapproval-removed", &status);
    object["metadata"]["deletionTimestamp"] = json!(wall(7));
    object
}

fn object(name: &str, status: &Value) -> Value {
    let told = status["targets"].as_array().map_or(vec!["billing".to_owned()], |targets| {
        targets.iter().map(|target| text(&target["name"])).collect()
    });
    let targets: Vec<Value> =
        told.iter().map(|name| json!({ "name": name, "providerRef": { "name": "acme-pay" } })).collect();
    let mut spec = json!({ "customer": { "id": "90017" }, "targets": targets });
    match text(&telling_condition(status)["reason"]).as_str() {
        "Suspended" => spec["suspend"] = json!(true),
        "Cancelled" | "PartiallyDone" => spec["cancel"] = json!(true),
        "NotBefore" => spec["notBefore"] = json!(wall(5)),
        _ => {}
    }
    json!({
        "apiVersion": "offboarding.dev/v1alpha1",
        "kind": "CustomerOffboarding",
        "metadata": { "name": name, "namespace": "offboarding", "generation": 1 },
        "spec": spec,
        "status": status,
    })
}

/// The condition that says why it stands where it stands. The table in docs/gitops.md names it as well.
fn telling_condition(status: &Value) -> Value {
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let tells = [
        ("Ready", "True"),
        ("Stalled", "True"),
        ("Unblocked", "False"),
        ("Planned", "False"),
        ("Approved", "False"),
        ("Waiting", "True"),
        ("Ready", "False"),
    ];
    let find = |(type_, truth)| conditions.iter().find(|it| it["type"] == type_ && it["status"] == truth);
    tells.into_iter().find_map(find).cloned().unwrap_or_default()
}

/// `Waiting=True/Held`, for each condition.
fn shows(status: &Value) -> BTreeSet<String> {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let told = |it: &Value| format!("{}={}/{}", text(&it["type"]), text(&it["status"]), text(&it["reason"]));
    conditions.map(told).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
