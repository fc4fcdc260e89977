//! R10 and R28: what the operator reads of the live policies. On an API server of its own, because they are the cluster's.

use harness::{ControlPlane, Failure, Options};
use http::Method;
use jiff::Timestamp;
use offboarding::{
    controller::{ApiServer, policies},
    domain::PolicyState,
};
use serde_json::{Value, json};

use crate::{Hall, Try, requests::without_the_stamp, root};

const NAMES: [&str; 4] = [
    "requests.offboarding.dev",
    "approvals.offboarding.dev",
    "denials.offboarding.dev",
    "operator-only.offboarding.dev",
];
const POLICY: &str = "ValidatingAdmissionPolicy";
const BINDING: &str = "ValidatingAdmissionPolicyBinding";

#[tokio::test]
async fn what_is_installed_is_compared_and_every_weakening_is_seen() -> Result<(), Failure> {
    let mut plane = ControlPlane::start(Options::default().with_controller_manager()).await?;
    plane.apply_path(&root().join("crds")).await?;
    for file in ["roles", "personas"] {
        plane.apply_path(&root().join(format!("deploy/{file}.yaml"))).await?;
    }
    let nothing = live(&plane).await;
    assert_eq!(nothing, PolicyState::Missing(all()), "before they are installed");
    let before = now();
    plane.apply_path(&root().join("deploy/admission.yaml")).await?;
    let installed = since(&live(&plane).await);
    assert!(before.as_second() <= installed.as_second() && installed <= now(), "{before} {installed}");

    without_the_stamp(&plane).await?;
    let hall = Hall::on(&plane, "policies").await?;
    every_weakening_is_seen(&hall, installed).await;
    every_deletion_is_seen(&hall).await?;
    without_rights_everything_is_missing(&hall).await?;
    drop(hall);

    let api = ApiServer::new(plane.client("operator").await?);
    plane.stop_api_server();
    assert_eq!(policies::live(&api).await, PolicyState::Unanswered, "nobody is there to answer");
    Ok(())
}

async fn every_weakening_is_seen(hall: &Hall<'_>, installed: Timestamp) {
    let plain_rule = |change: Value| {
        let mut rule = json!({ "apiGroups": ["offboarding.dev"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"] });
        for (field, value) in change.as_object().unwrap() {
            rule[field] = value.clone();
        }
        json!({ "matchConstraints": { "resourceRules": [rule] } })
    };
    let weaker = [
        (POLICY, json!({ "failurePolicy": "Ignore" })),
        (POLICY, json!({ "matchConstraints": { "matchPolicy": "Exact" } })),
        (
            POLICY,
            json!({ "matchConstraints": { "namespaceSelector": { "matchLabels": { "policed": "yes" } } } }),
        ),
        (
            POLICY,
            json!({ "matchConstraints": { "objectSelector": { "matchLabels": { "policed": "yes" } } } }),
        ),
        (
            POLICY,
            json!({ "matchConstraints": { "excludeResourceRules": [
            { "apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"] },
        ] } }),
        ),
        (POLICY, plain_rule(json!({ "resourceNames": ["acme"] }))),
        (POLICY, plain_rule(json!({ "operations": ["CONNECT"] }))),
        (POLICY, json!({ "matchConditions": [{ "name": "never", "expression": "false" }] })),
        (POLICY, json!({ "validations": [{ "expression": "true" }] })),
        (BINDING, json!({ "validationActions": ["Audit"] })),
        (BINDING, json!({ "validationActions": ["Warn", "Audit"] })),
        (
            BINDING,
            json!({ "matchResources": { "namespaceSelector": { "matchLabels": { "policed": "yes" } } } }),
        ),
        (BINDING, json!({ "matchResources": { "objectSelector": {} } })),
    ];
    let mut last = installed;
    for name in NAMES {
        for (kind, spec) in &weaker {
            let asked = |method, body| policy(kind, name, method, body);
            let stored = hall.does("admin", asked(Method::GET, Value::Null)).await;
            hall.does("admin", asked(Method::PATCH, json!({ "spec": spec }))).await;
            let due = PolicyState::Missing(vec![format!("{kind} {name}")]);
            assert_eq!(live(hall.plane).await, due, "{spec}");
            let mended = json!([{ "op": "replace", "path": "/spec", "value": stored["spec"] }]);
            hall.does("admin", asked(Method::PATCH, mended)).await;
            let restored = since(&live(hall.plane).await);
            assert!(restored >= last, "{kind} {name} {spec}: {restored} before {last}");
            last = restored;
        }
    }
    assert!(last > installed, "what was weakened and mended again counts anew: {last}");
}

async fn every_deletion_is_seen(hall: &Hall<'_>) -> Result<(), Failure> {
    let file = root().join("deploy/admission.yaml");
    let mut last = since(&live(hall.plane).await);
    for kind in [POLICY, BINDING] {
        for name in NAMES {
            hall.plane.kubectl("admin").args(["delete", kind, name]).succeed().await?;
            let due = PolicyState::Missing(vec![format!("{kind} {name}")]);
            assert_eq!(live(hall.plane).await, due);
            // By force: what somebody changed in between is theirs to server-side apply.
            let apply = ["apply", "--server-side", "--force-conflicts", "-f"];
            hall.plane.kubectl("admin").args(apply).arg(&file).succeed().await?;
            let restored = since(&live(hall.plane).await);
            assert!(restored >= last, "{kind} {name}: {restored} before {last}");
            last = restored;
        }
    }
    // What the operator does not insist on.
    for kind in [POLICY, BINDING] {
        hall.plane.kubectl("admin").args(["delete", kind, "evidence.offboarding.dev"]).succeed().await?;
    }
    assert_eq!(since(&live(hall.plane).await), last);
    Ok(())
}

async fn without_rights_everything_is_missing(hall: &Hall<'_>) -> Result<(), Failure> {
    let delete = ["delete", "clusterrolebinding", "customer-offboarding-operator"];
    hall.plane.kubectl("admin").args(delete).succeed().await?;
    harness::eventually(crate::SOON, "the right is gone", async || match live(hall.plane).await {
        PolicyState::Missing(names) if names == all() => Ok(()),
        other => Err(other),
    })
    .await;
    Ok(())
}

/// Read as the operator, with its own rights.
async fn live(plane: &ControlPlane) -> PolicyState {
    policies::live(&ApiServer::new(plane.client("operator").await.unwrap())).await
}

#[track_caller]
fn since(state: &PolicyState) -> Timestamp {
    match state {
        PolicyState::AsShipped { since } => *since,
        other => panic!("not as shipped: {other:?}"),
    }
}

fn all() -> Vec<String> {
    [POLICY, BINDING].iter().flat_map(|kind| NAMES.map(|name| format!("{kind} {name}"))).collect()
}

fn policy(kind: &str, name: &str, method: Method, body: Value) -> Try {
    let plural =
        if kind == POLICY { "validatingadmissionpolicies" } else { "validatingadmissionpolicybindings" };
    let content =
        if body.is_array() { "application/json-patch+json" } else { "application/merge-patch+json" };
    Try { method, path: format!("/apis/admissionregistration.k8s.io/v1/{plural}/{name}"), content, body }
}

#[expect(clippy::disallowed_methods, reason = "the API server's clock is the real one")]
fn now() -> Timestamp {
    Timestamp::now()
}
