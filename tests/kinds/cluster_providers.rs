//! ClusterOffboardingProvider: what an OffboardingProvider says, in the same words, and whom it serves.

use harness::Failure;
use serde_json::{Value, json};

use crate::{CLUSTER_PROVIDERS, PROVIDERS, REQUESTS, Server, from_yaml, provider, request, with};

const ACCEPTED: &str = "accepted";

/// The smallest one that works; nobody may use it.
pub fn cluster_provider(name: &str) -> Value {
    let mut object = provider(name);
    object["kind"] = json!("ClusterOffboardingProvider");
    object
}

#[tokio::test]
async fn whom_a_provider_of_the_cluster_serves_is_said_by_name() -> Result<(), Failure> {
    let server = Server::with_the_kinds("serves").await?;
    let names = "spec.allowedNamespaces: Invalid value: must be names of namespaces: lower-case letters, digits and `-`, from a letter or digit to a letter or digit";
    let many =
        |count: usize| json!((0..count).map(|it| format!("team-{it}")).collect::<Vec<_>>()).to_string();
    let rows = [
        ("nobody", "absent".to_owned(), ACCEPTED),
        ("nobody, written out", "[]".to_owned(), ACCEPTED),
        ("two teams", "[payments, support-eu]".to_owned(), ACCEPTED),
        ("256 teams", many(256), ACCEPTED),
        ("257 teams", many(257), "spec.allowedNamespaces: Too many: 257: must have at most 256 items"),
        ("everybody", "['*']".to_owned(), names),
        ("an upper-case name", "[Payments]".to_owned(), names),
        ("a service account", "['payments:bot']".to_owned(), names),
        ("no name", "['']".to_owned(), names),
        ("one team twice", "[a, a]".to_owned(), "spec.allowedNamespaces[1]: Duplicate value: \"a\""),
    ]
    .map(|(about, value, due)| {
        (about.to_owned(), with(cluster_provider("it"), "allowedNamespaces", &value), due)
    });
    server.assert_answers(CLUSTER_PROVIDERS, rows).await;
    let object = with(provider("it"), "allowedNamespaces", "[payments]");
    let refused =
        server.would_create(PROVIDERS, &object).await.expect_err("one of a namespace serves it alone");
    assert!(refused.contains("unknown field \"spec.allowedNamespaces\""), "row 9: {refused}");
    Ok(())
}

#[tokio::test]
async fn a_provider_of_the_cluster_is_refused_in_the_words_of_one_of_a_namespace() -> Result<(), Failure> {
    let server = Server::with_the_kinds("same-words").await?;
    for (path, value) in [
        ("baseUrl", "'http://api.revolv3.com'"),
        ("baseUrl", "'https://localhost'"),
        ("baseUrl", "'https://u:p@api.revolv3.com'"),
        ("profile", "absent"),
        ("profile", "Revolv3"),
        ("customProfile", "{}"),
        ("account", "'a b'"),
        ("allowedCIDRs", "[10.0.0.1/8]"),
        ("allowedModes", "[]"),
        ("credentials", "{'a b': {secretKeyRef: {name: a, key: b}}}"),
        ("recheckInterval", "1s"),
        ("environment", "test"),
        ("namespace", "a"),
    ] {
        let namespaced = server.would_create(PROVIDERS, &with(provider("it"), path, value)).await;
        let clusters =
            server.would_create(CLUSTER_PROVIDERS, &with(cluster_provider("it"), path, value)).await;
        let due = namespaced.expect_err(path).replace("OffboardingProvider", "ClusterOffboardingProvider");
        assert_eq!(clusters, Err(due), "{path}: {value}");
    }
    let name = format!("account-{}", server.namespace.name());
    server.create(CLUSTER_PROVIDERS, &cluster_provider(&name)).await.unwrap();
    let refused = server.patch(CLUSTER_PROVIDERS, &name, &json!({ "spec": { "account": "other" } })).await;
    let why = "spec.account: Forbidden: is immutable: locks and budgets hang on it; create another provider object instead";
    assert_eq!(refused, Err(why.to_owned()));
    let served = json!({ "spec": from_yaml("{allowedNamespaces: [payments]}") });
    server.patch(CLUSTER_PROVIDERS, &name, &served).await.unwrap();
    let printed = server.plane.kubectl("admin").args(["get", "ccobp", &name]).succeed().await?;
    let columns: Vec<_> = printed.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(columns, ["NAME", "PROFILE", "ACCOUNT", "ENVIRONMENT", "READY", "AGE"]);
    Ok(())
}

#[tokio::test]
async fn a_request_says_which_kind_of_provider_it_means() -> Result<(), Failure> {
    let server = Server::with_the_kinds("which-kind").await?;
    let rows = [
        ("one of the namespace", "OffboardingProvider", ACCEPTED),
        ("one of the cluster", "ClusterOffboardingProvider", ACCEPTED),
        (
            "another kind",
            "Secret",
            "spec.targets[0].providerRef.kind: Unsupported value: \"Secret\": supported values: \"OffboardingProvider\", \"ClusterOffboardingProvider\"",
        ),
    ]
    .map(|(about, kind, due)| (about.to_owned(), with(request("acme"), "targets.0.providerRef.kind", kind), due));
    server.assert_answers(REQUESTS, rows).await;
    let stored = server.create(REQUESTS, &request("acme")).await.unwrap();
    let named = json!({ "name": "revolv3" });
    assert_eq!(stored["spec"]["targets"][0]["providerRef"], named, "nothing is filled in within a list");
    let other = json!({ "spec": from_yaml("{targets: [{name: billing, providerRef: {kind: ClusterOffboardingProvider, name: revolv3}}]}") });
    let refused = server.patch(REQUESTS, "acme", &other).await;
    let why = "spec.targets: Forbidden: is immutable; create a new CustomerOffboarding instead";
    assert_eq!(refused, Err(why.to_owned()));
    Ok(())
}
