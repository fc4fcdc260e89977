use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::{
    api::ProviderReason,
    domain::{Held, Hold},
    metrics::{
        Metrics,
        catalogue::{ALL, Values},
    },
};

fn now() -> Timestamp {
    "2026-11-30T12:00:00Z".parse().unwrap()
}

/// A request that was created an hour ago, with these conditions: type, status, reason.
fn request(name: &str, phase: &str, conditions: &[(&str, &str, &str)]) -> Arc<CustomerOffboarding> {
    let conditions: Vec<Value> = conditions
        .iter()
        .map(|(kind, status, reason)| {
            json!({
                "type": kind, "status": status, "reason": reason, "message": "", "observedGeneration": 1,
                "lastTransitionTime": "2026-11-30T11:30:00Z",
            })
        })
        .collect();
    with(name, json!({"status": {"phase": phase, "conditions": conditions}}))
}

fn with(name: &str, change: Value) -> Arc<CustomerOffboarding> {
    let mut object = json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": "CustomerOffboarding",
        "metadata": {
            "name": name, "namespace": "team", "uid": name, "creationTimestamp": "2026-11-30T11:00:00Z",
        },
        "spec": {
            "customer": {"id": name},
            "targets": [{"name": "billing", "providerRef": {"name": "pay"}, "mode": "Hard"}],
        },
    });
    merge(&mut object, change);
    Arc::new(serde_json::from_value(object).unwrap())
}

fn merge(into: &mut Value, change: Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, change) => *into = change,
    }
}

/// A record with one attempt, whose intent was written at this time.
fn record(name: &str, outcome: Option<&str>, intent_at: &str) -> Arc<OffboardingRecord> {
    let record = json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingRecord",
        "metadata": {"name": name, "namespace": "system"},
        "spec": {
            "closed": false,
            "request": {"namespace": "team", "name": name, "uid": name, "target": "billing", "mode": "Hard"},
            "provider": {
                "kind": "OffboardingProvider", "namespace": "team", "name": "pay", "uid": "pay",
                "baseUrl": "https://pay.example", "environment": "sandbox",
            },
            "attempts": [{
                "n": 1, "id": "one", "by": "here", "step": "delete", "planHash": "", "profileHash": "",
                "fingerprint": "", "baseUrl": "https://pay.example", "environment": "sandbox", "credential": "",
                "intentAt": intent_at, "outcome": outcome,
            }],
        },
    });
    Arc::new(serde_json::from_value(record).unwrap())
}

/// Sample lines by series.
fn shown(figures: Vec<Figure>) -> BTreeMap<String, String> {
    let text = Metrics::new(Vec::new()).text(figures);
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(series, value)| (series.to_owned(), value.to_owned()))
        .collect()
}

fn assert_shows(shown: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
    for (series, value) in expected {
        assert_eq!(shown.get(*series).map(String::as_str), Some(*value), "{series}: {shown:#?}");
    }
}

#[test]
fn a_request_is_counted_where_it_stands_and_by_what_stands_in_its_way_most() {
    let requests = [
        request("a", "Blocked", &[("Stalled", "True", "StillPresent"), ("Waiting", "True", "Held")]),
        request("b", "Blocked", &[("Stalled", "False", "NotStalled"), ("Unblocked", "False", "Resurrected")]),
        request("c", "AwaitingApproval", &[("Unblocked", "True", "NoBlockers"), ("Waiting", "True", "Held")]),
        request(
            "d",
            "AwaitingApproval",
            &[("Waiting", "False", "NotWaiting"), ("Approved", "False", "Expired")],
        ),
        request("e", "Executing", &[("Reconciling", "True", "Progressing")]),
        with("f", json!({"spec": {"suspend": true}})),
        with("g", json!({"status": {"phase": "Completed", "finished": true}})),
    ];
    let shown = shown(of_requests(&requests, now()));
    assert_shows(
        &shown,
        &[
            (r#"offboarding_requests{phase="Blocked",reason="StillPresent"}"#, "1"),
            (r#"offboarding_requests{phase="Blocked",reason="Resurrected"}"#, "1"),
            (r#"offboarding_requests{phase="AwaitingApproval",reason="Held"}"#, "1"),
            (r#"offboarding_requests{phase="AwaitingApproval",reason="Expired"}"#, "1"),
            (r#"offboarding_requests{phase="Executing",reason="Progressing"}"#, "1"),
            (r#"offboarding_requests{phase="Pending",reason="Pending"}"#, "1"),
            (r#"offboarding_requests_oldest_age_seconds{phase="Blocked"}"#, "3600.0"),
            (r#"offboarding_requests_oldest_age_seconds{phase="Verifying"}"#, "0.0"),
            ("offboarding_requests_oldest_waiting_seconds", "1800.0"),
            ("offboarding_approvals_pending", "2"),
            ("offboarding_requests_suspended", "1"),
        ],
    );
    assert!(
        !shown.keys().any(|series| series.contains("Completed")),
        "what is finished is in no cache for long"
    );
}

#[test]
fn a_deadline_is_far_near_or_over() {
    let due =
        |name: &str, by: &str| with(name, json!({"spec": {"request": {"regime": "Custom", "dueBy": by}}}));
    let requests = [
        due("over", "2026-11-30T11:59:59Z"),
        due("near", "2026-12-07T11:00:00Z"),
        due("far", "2026-12-08T12:00:00Z"),
        with("none", json!({})),
    ];
    let shown = shown(of_requests(&requests, now()));
    assert_shows(&shown, &[("offboarding_requests_overdue", "1"), ("offboarding_requests_due_soon", "1")]);
}

#[test]
fn an_open_record_is_counted_by_how_its_last_attempt_stands() {
    let records = [
        record("a", None, "2026-11-30T11:59:00Z"),
        record("b", Some("Unknown"), "2026-11-30T11:58:00Z"),
        record("c", Some("Unknown"), "2026-11-30T11:00:00Z"),
        record("d", Some("Accepted"), "2026-11-30T11:00:00Z"),
        record("e", Some("SaidByANewerOne"), "2026-11-30T10:00:00Z"),
    ];
    let shown = shown(of_records(&records, now()).into());
    assert_shows(
        &shown,
        &[
            (r#"offboarding_records_open{outcome="InFlight"}"#, "1"),
            (r#"offboarding_records_open{outcome="Unknown"}"#, "3"),
            (r#"offboarding_records_open{outcome="Accepted"}"#, "1"),
            (r#"offboarding_records_open{outcome="NotSent"}"#, "0"),
            (r#"offboarding_records_oldest_attempt_seconds{outcome="InFlight"}"#, "60.0"),
            (r#"offboarding_records_oldest_attempt_seconds{outcome="Unknown"}"#, "7200.0"),
            (r#"offboarding_records_oldest_attempt_seconds{outcome="Rejected"}"#, "0.0"),
        ],
    );
}

#[test]
fn holds_count_until_they_expire_and_provider_objects_by_what_they_say() {
    let hold = |kind, expires_at: Option<&str>| Hold {
        name: "hold".to_owned(),
        kind,
        whom: Held::Everybody,
        providers: Vec::new(),
        expires_at: expires_at.map(|at| at.parse().unwrap()),
    };
    let holds = HoldsSeen::Seen(vec![
        hold(HoldType::LegalHold, None),
        hold(HoldType::LegalHold, Some("2026-12-01T00:00:00Z")),
        hold(HoldType::Freeze, Some("2026-11-30T12:00:00Z")),
    ]);
    let provider = |suspend: bool, reason: Option<&str>| {
        let conditions = reason.map(|reason| {
            json!([{
                "type": "Ready", "status": "False", "reason": reason, "message": "", "observedGeneration": 1,
                "lastTransitionTime": "2026-11-30T11:30:00Z",
            }])
        });
        let object = json!({
            "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingProvider",
            "metadata": {"name": "pay", "namespace": "team"},
            "spec": {
                "profile": "juicyway", "baseUrl": "https://pay.example", "account": "acct", "environment": "live",
                "credentials": {}, "allowedModes": ["Hard"], "suspend": suspend,
            },
            "status": {"conditions": conditions.unwrap_or_else(|| json!([]))},
        });
        let object: crate::api::OffboardingProvider = serde_json::from_value(object).unwrap();
        ProviderObject::from(Arc::new(object))
    };
    let providers =
        [provider(false, Some("AuthFailed")), provider(true, Some("ProbeSucceeded")), provider(false, None)];
    let mut figures = vec![of_holds(&holds, now())];
    figures.extend(of_providers(&providers));
    assert_shows(
        &shown(figures),
        &[
            (r#"offboarding_holds_active{type="LegalHold"}"#, "2"),
            (r#"offboarding_holds_active{type="Freeze"}"#, "0"),
            (r#"offboarding_providers{reason="AuthFailed"}"#, "1"),
            (r#"offboarding_providers{reason="ProbeSucceeded"}"#, "1"),
            (r#"offboarding_providers{reason="Pending"}"#, "1"),
            (r#"offboarding_providers{reason="SecretInvalid"}"#, "0"),
            ("offboarding_providers_suspended", "1"),
        ],
    );
    assert_eq!(
        readiness_of_providers().len(),
        ProviderReason::ALL.len() - 2 + 1,
        "two are of the circuit alone"
    );
}

/// D4: names of customers, requests and namespaces are nowhere in the series, however many there are.
#[test]
fn five_thousand_customers_have_the_series_of_fifty() {
    let phases = ["Pending", "Planning", "Blocked", "AwaitingApproval", "Executing"];
    let reasons = ["Held", "BudgetQueued", "ProviderUnavailable", "Settling", "Suspended"];
    let series = |customers: usize| -> BTreeSet<String> {
        let requests: Vec<_> = (0..customers)
            .map(|at| {
                request(&format!("cus-{at}"), phases[at % 5], &[("Waiting", "True", reasons[at / 5 % 5])])
            })
            .collect();
        let outcomes = [None, Some("Unknown"), Some("Accepted"), Some("Rejected"), Some("NotSent")];
        let records: Vec<_> = (0..customers)
            .map(|at| record(&format!("r-{at}"), outcomes[at % 5], "2026-11-30T11:00:00Z"))
            .collect();
        let mut figures = of_requests(&requests, now());
        figures.extend(of_records(&records, now()));
        shown(figures).into_keys().collect()
    };
    let of_fifty = series(50);
    assert_eq!(series(5_000), of_fifty);
    assert!(
        !of_fifty.iter().any(|series| series.contains("cus-") || series.contains("team")),
        "{of_fifty:#?}"
    );
}

/// Whatever the conditions say, no more than the closed words can be told.
#[test]
fn no_label_but_the_account_takes_its_values_from_objects() {
    for of in ALL {
        for label in of.labels {
            let is_closed = label.values.known(&[]).is_some();
            let is_bounded = matches!(label.values, Values::Statuses | Values::Version);
            assert!(is_closed || is_bounded || label.name == "account", "{}: {}", of.name, label.name);
        }
    }
    let request = request("odd", "NeverHeardOf", &[("Stalled", "True", "SaidByANewerOne")]);
    assert_shows(
        &shown(of_requests(&[request], now())),
        &[(r#"offboarding_requests{phase="Pending",reason="Pending"}"#, "1")],
    );
}
