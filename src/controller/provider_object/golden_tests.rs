//! Provider objects as users see them, for each reason: `tests/golden/providers`. `tests/gitops` shows them to what GitOps tools run.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::golden;

#[test]
fn a_provider_object_of_every_reason_lies_in_tests_golden() {
    let objects = objects();
    let conditions = objects.iter().flat_map(|it| it["status"]["conditions"].as_array()).flatten();
    let shown: BTreeSet<&str> = conditions.filter_map(|it| it["reason"].as_str()).collect();
    let every: BTreeSet<&str> = ProviderReason::ALL.iter().map(|it| it.as_str()).collect();
    assert_eq!(shown, every);
    let documents = objects.iter().map(|it| format!("---\n{}", serde_saphyr::to_string(it).unwrap()));
    let file = ("providers.yaml".to_owned(), documents.collect());
    golden::assert_directory_holds("tests/golden/providers", &[file], "yaml");
}

fn objects() -> Vec<Value> {
    let told = ProviderConditionType::Ready.reasons().iter().flat_map(|(_, reasons)| *reasons);
    let mut objects = vec![object("new", "OffboardingProvider", &json!({ "observedGeneration": -1 }))];
    objects.extend(told.map(|reason| {
        let circuit = (*reason == ProviderReason::AuthFailed).then_some(OpenedBy::Auth);
        object(&reason.as_str().to_lowercase(), "OffboardingProvider", &status(*reason, circuit))
    }));
    let open = status(ProviderReason::ControlFailed, Some(OpenedBy::Transient));
    objects.push(object("repeatedfailures", "OffboardingProvider", &open));
    let ready = status(ProviderReason::ProbeSucceeded, None);
    let mut suspended = object("suspended", "OffboardingProvider", &ready);
    suspended["spec"]["suspend"] = json!(true);
    let mut changed = object("changed-since", "OffboardingProvider", &ready);
    changed["metadata"]["generation"] = json!(2);
    objects.extend([suspended, changed, object("shared", "ClusterOffboardingProvider", &ready)]);
    objects
}

fn status(reason: ProviderReason, circuit: Option<OpenedBy>) -> Value {
    let failed =
        |class, cause| format!("the control request failed: {}", answer(&Failure::new(class, cause)));
    let message = match reason {
        ProviderReason::ProbeSucceeded => "the control request succeeded".to_owned(),
        ProviderReason::AuthFailed => failed(Class::Auth, Cause::Unauthorized),
        ProviderReason::AddressNotAllowed => failed(Class::Transient, Cause::AddressNotAllowed),
        ProviderReason::ControlFailed => failed(Class::Transient, Cause::ServerError),
        ProviderReason::InvalidProfile => "there is no built-in profile of this name".to_owned(),
        ProviderReason::HostNotAllowed => "the host is not allowed".to_owned(),
        ProviderReason::SecretUnavailable
        | ProviderReason::SecretInvalid
        | ProviderReason::EnvironmentMismatch
        | ProviderReason::Closed
        | ProviderReason::RepeatedFailures => credential_problem(reason).to_owned(),
    };
    let health = Health { profile_hash: None, reason, message, circuit, paused_for: None };
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    serde_json::to_value(status_of(&health, 1, &ProviderStatus::default(), now)).unwrap()
}

fn object(name: &str, kind: &str, status: &Value) -> Value {
    json!({
        "apiVersion": "offboarding.dev/v1alpha1",
        "kind": kind,
        "metadata": { "name": name, "generation": 1 },
        "spec": {
            "profile": "revolv3",
            "baseUrl": "https://api-sandbox.revolv3.com",
            "account": "acct-sandbox",
            "environment": "sandbox",
            "credentials": { "token": { "secretKeyRef": { "name": "revolv3", "key": "token" } } },
            "allowedModes": ["Soft"],
            "suspend": false,
        },
        "status": status,
    })
}
