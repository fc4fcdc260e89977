//! The persona matrix: what each role gives, and everything else that it does not.

use futures::{StreamExt as _, stream};
use harness::{Failure, eventually};
use http::Method;
use kube::Client;
use serde_json::{Value, json};

use crate::{Hall, SOON, Try};

const VERBS: [&str; 11] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "approve",
    "waive",
    "attest",
];

const RESOURCES: [&str; 11] = [
    "customeroffboardings",
    "offboardingapprovals",
    "offboardingproviders",
    "clusteroffboardingproviders",
    "customerholds",
    "offboardingrecords",
    "customeroffboardings/status",
    "offboardingproviders/status",
    "clusteroffboardingproviders/status",
    "customeroffboardings/finalizers",
    "secrets",
];

const READ: &str = "get list watch";
const ALL: &str = "get list watch create update patch delete";
const SAY: &str = "get list watch create delete";

/// Role by role: everything that it may do. What is not here it may not.
const MATRIX: &[(&str, &[(&str, &str)])] = &[
    (
        "offboarding-view",
        &[("customeroffboardings", READ), ("offboardingapprovals", READ), ("offboardingproviders", READ)],
    ),
    (
        "offboarding-requester",
        &[("customeroffboardings", ALL), ("offboardingapprovals", READ), ("offboardingproviders", READ)],
    ),
    (
        "offboarding-approver",
        &[
            ("customeroffboardings", "get list watch approve"),
            ("offboardingapprovals", SAY),
            ("offboardingproviders", READ),
        ],
    ),
    (
        "offboarding-waiver",
        &[
            ("customeroffboardings", "get list watch waive"),
            ("offboardingapprovals", SAY),
            ("offboardingproviders", READ),
        ],
    ),
    (
        "offboarding-attester",
        &[
            ("customeroffboardings", "get list watch attest"),
            ("offboardingapprovals", SAY),
            ("offboardingproviders", READ),
        ],
    ),
    (
        "offboarding-legal",
        &[("customeroffboardings", READ), ("offboardingapprovals", READ), ("customerholds", ALL)],
    ),
    (
        "offboarding-platform",
        &[
            ("customeroffboardings", READ),
            ("offboardingapprovals", READ),
            ("customerholds", READ),
            ("offboardingproviders", ALL),
            ("clusteroffboardingproviders", ALL),
        ],
    ),
    (
        "offboarding-auditor",
        &[
            ("customeroffboardings", READ),
            ("offboardingapprovals", READ),
            ("offboardingproviders", READ),
            ("clusteroffboardingproviders", READ),
            ("customerholds", READ),
            ("offboardingrecords", READ),
        ],
    ),
    // R6: of ours, only reading is aggregated. Secrets they have from Kubernetes.
    (
        "view",
        &[("customeroffboardings", READ), ("offboardingapprovals", READ), ("offboardingproviders", READ)],
    ),
    (
        "edit",
        &[("customeroffboardings", READ), ("offboardingapprovals", READ), ("offboardingproviders", READ)],
    ),
    (
        "admin",
        &[("customeroffboardings", READ), ("offboardingapprovals", READ), ("offboardingproviders", READ)],
    ),
    // R5: exactly the operator's.
    (
        "customer-offboarding-operator",
        &[
            ("clusteroffboardingproviders", READ),
            ("customerholds", "list watch"),
            ("clusteroffboardingproviders/status", "update"),
        ],
    ),
    (
        "customer-offboarding-operator-watched",
        &[
            ("customeroffboardings", "get list watch delete"), // R54: those whose `ttlAfterFinished` is over
            ("offboardingapprovals", "list watch"),
            ("offboardingproviders", READ),
            ("customeroffboardings/status", "update"),
            ("offboardingproviders/status", "update"),
            ("secrets", "get"),
        ],
    ),
];

#[tokio::test]
async fn each_role_gives_what_it_is_for_and_nothing_else() -> Result<(), Failure> {
    let hall = Hall::open("matrix").await?;
    for (role, _) in MATRIX {
        hall.bind(role, &format!("only-{role}")).await?;
    }
    let admin = hall.client("admin").await;
    let mut wrong = Vec::new();
    for (role, given) in MATRIX {
        let user = format!("only-{role}");
        let due = |resource: &str, verb: &str| {
            let of_resource = given.iter().filter(|(it, _)| *it == resource);
            of_resource.flat_map(|(_, verbs)| verbs.split(' ')).any(|it| it == verb)
        };
        // Bindings and aggregation are noticed in their own time.
        let (resource, _) = given[0];
        eventually(SOON, &format!("{user} has its role"), async || {
            if hall.may(&admin, &user, resource, "get").await { Ok(()) } else { Err(resource) }
        })
        .await;
        let is_built_in = !role.contains("offboarding");
        let asked = RESOURCES.into_iter().filter(|it| !(is_built_in && *it == "secrets"));
        let asked: Vec<_> = asked.flat_map(|resource| VERBS.map(|verb| (resource, verb))).collect();
        let answers: Vec<_> = stream::iter(&asked)
            .map(|&(resource, verb)| {
                let (hall, admin, user) = (&hall, &admin, &user);
                async move { (resource, verb, hall.may(admin, user, resource, verb).await) }
            })
            .buffered(8)
            .collect()
            .await;
        println!("{role}: {} questions", answers.len());
        let differs = answers.into_iter().filter(|(resource, verb, may)| *may != due(resource, verb));
        wrong.extend(differs.map(|(resource, verb, may)| format!("{role} {verb} {resource}: {may}")));
    }
    assert_eq!(wrong, [""; 0]);
    Ok(())
}

impl Hall<'_> {
    /// Whether the roles of somebody in no group allow it here.
    async fn may(&self, admin: &Client, user: &str, resource: &str, verb: &str) -> bool {
        let (resource, below) = resource.split_once('/').unwrap_or((resource, ""));
        let group = if resource == "secrets" { "" } else { "offboarding.dev" };
        let asked = json!({
            "namespace": self.namespace.name(), "group": group, "resource": resource, "subresource": below, "verb": verb,
        });
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": { "user": user, "groups": ["system:authenticated"], "resourceAttributes": asked },
        });
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews".to_owned();
        let review = Try { method: Method::POST, path, content: "application/json", body };
        let answer = self.tries_with(admin, &review).await.unwrap();
        answer["status"]["allowed"] == Value::Bool(true)
    }
}

/// No role of ours has a wildcard, and none gives more than the matrix can see.
#[test]
fn no_role_of_ours_has_a_wildcard_and_one_alone_is_aggregated() {
    let mut roles = Vec::new();
    for file in ["deploy/roles.yaml", "deploy/personas.yaml"] {
        let text = std::fs::read_to_string(crate::root().join(file)).unwrap();
        let objects: Vec<Value> = serde_saphyr::from_slice_multiple(text.as_bytes()).unwrap();
        roles.extend(objects.into_iter().filter(|it| it["kind"] == "ClusterRole" || it["kind"] == "Role"));
    }
    assert!(roles.len() >= 11, "only {} roles were found", roles.len());
    for role in &roles {
        assert!(!role.to_string().contains("\"*\""), "{role}");
        let is_aggregated = role["metadata"].get("labels").is_some();
        assert_eq!(is_aggregated, role["metadata"]["name"] == "offboarding-view", "{role}");
    }
}
