//! R8 and R18: records and status are the operator's, and the evidence stays.

use harness::Failure;
use serde_json::{Value, json};

use crate::{
    ALLOWED, Hall, NO_RIGHT, Try,
    fixtures::{provider, record, request},
};

const REFUSED: &str = "only the operator writes this; see break-glass in deploy/admission.yaml";
const EVIDENCE: &str =
    "this deletes the evidence of past deletions; see break-glass in deploy/admission.yaml";
const OPERATOR: &str = "as system:serviceaccount:customer-offboarding:customer-offboarding-operator";

/// Who could have the right by a role, and may not have it.
const NOT_THE_OPERATOR: [&str; 5] = [
    "admin",
    "as system:serviceaccount:customer-offboarding:default",
    "as system:serviceaccount:other:customer-offboarding-operator",
    "as customer-offboarding-operator",
    "as system:serviceaccount:kube-system:job-controller",
];

const COLLECTORS: [&str; 3] = [
    "as system:serviceaccount:kube-system:namespace-controller",
    "as system:serviceaccount:kube-system:generic-garbage-collector",
    "as system:kube-controller-manager",
];

const PEOPLE: [&str; 6] = ["alice", "bob", "dave", "erin", "ivan", "argocd"];

#[tokio::test]
async fn a_record_is_written_by_the_operator_alone_and_deleted_by_nobody() -> Result<(), Failure> {
    let hall = Hall::open("records").await?;
    let stored = hall.does("grace", hall.create(&record("r"))).await;
    let closed = || hall.patch(&stored, json!({ "spec": { "closed": true } }));
    let delete = || hall.delete("offboardingrecords", "r");
    let create = || hall.create(&record("it"));
    let every = || hall.delete("offboardingrecords", "");
    let mut rows = Vec::new();
    for who in NOT_THE_OPERATOR {
        for what in [create(), closed(), hall.replace(&stored), delete(), every()] {
            rows.push(("R8: a record", who, what, REFUSED));
        }
    }
    for who in PEOPLE {
        rows.extend([create(), closed(), delete()].map(|what| ("R8: a record", who, what, NO_RIGHT)));
    }
    for who in COLLECTORS {
        rows.push(("R11: a record goes with its namespace", who, delete(), ALLOWED));
        rows.push(("R11: the collector's finalizer", who, closed(), ALLOWED));
        rows.push(("R8: but nobody else makes one", who, create(), REFUSED));
    }
    for who in [OPERATOR, "grace"] {
        rows.extend(
            [create(), closed(), hall.replace(&stored), delete()].map(|what| ("theirs", who, what, ALLOWED)),
        );
    }
    hall.assert_answers(rows).await;
    Ok(())
}

#[tokio::test]
async fn a_status_is_told_by_the_operator_alone() -> Result<(), Failure> {
    let hall = Hall::open("status").await?;
    let objects = [
        hall.does("alice", hall.create(&request("acme"))).await,
        hall.does("dave", hall.create(&provider("p"))).await,
    ];
    let status = |object: &Value, mut what: Try| {
        let name = object["metadata"]["name"].as_str().unwrap();
        what.path = what.path.replace(&format!("/{name}?"), &format!("/{name}/status?"));
        what
    };
    let mut rows = Vec::new();
    for object in &objects {
        let forged = json!({ "status": { "observedGeneration": 7 } });
        let mut whole = object.clone();
        whole["status"] = forged["status"].clone();
        let by_patch = || status(object, hall.patch(object, forged.clone()));
        let by_put = || status(object, hall.replace(&whole));
        for who in NOT_THE_OPERATOR {
            rows.push(("R8: a status", who, by_patch(), REFUSED));
            rows.push(("R8: a status", who, by_put(), REFUSED));
        }
        for who in PEOPLE {
            rows.push(("R8: a status", who, by_patch(), NO_RIGHT));
        }
        rows.push(("the operator's roles know PUT alone", "operator", by_patch(), NO_RIGHT));
        rows.push(("the operator's", "operator", by_put(), ALLOWED));
        rows.push(("break-glass", "grace", by_put(), ALLOWED));
    }
    hall.assert_answers(rows).await;
    Ok(())
}

#[tokio::test]
async fn the_definition_of_records_and_the_operators_namespace_stay() -> Result<(), Failure> {
    let hall = Hall::open("evidence").await?;
    let crd = |name: &str| hall.delete("customresourcedefinitions", name);
    let chosen = |name: &str| {
        let mut every = hall.delete("customresourcedefinitions", "");
        every.path += &format!("&fieldSelector=metadata.name={name}");
        every
    };
    let namespace = |name: &str| hall.delete("namespaces", name);
    let rows = [
        ("R18: records", "admin", crd("offboardingrecords.offboarding.dev"), EVIDENCE),
        ("R18: records, chosen from all", "admin", chosen("offboardingrecords.offboarding.dev"), EVIDENCE),
        ("R18: every definition", "admin", hall.delete("customresourcedefinitions", ""), EVIDENCE),
        ("records, break-glass", "grace", crd("offboardingrecords.offboarding.dev"), ALLOWED),
        ("another kind of ours", "admin", crd("customeroffboardings.offboarding.dev"), ALLOWED),
        (
            "another kind of ours, chosen from all",
            "admin",
            chosen("customeroffboardings.offboarding.dev"),
            ALLOWED,
        ),
        ("R18: the operator's namespace", "admin", namespace("customer-offboarding"), EVIDENCE),
        (
            "R18: the operator's namespace, by a robot",
            "as system:serviceaccount:argocd:argocd-application-controller",
            namespace("customer-offboarding"),
            EVIDENCE,
        ),
        ("the operator's namespace, break-glass", "grace", namespace("customer-offboarding"), ALLOWED),
        ("another namespace", "admin", namespace(hall.namespace.name()), ALLOWED),
    ];
    hall.assert_answers(rows).await;
    Ok(())
}
