//! CustomerHold: what can be held, and in which words the rest is refused.

use harness::Failure;
use serde_json::{Value, json};

use crate::{HOLDS, Server, with};

const ACCEPTED: &str = "accepted";
const REF: &str = "hmac:0c1d2e3f:0c1d2e3f4a5b0c1d2e3f4a5b0c1d2e3f";

/// The emergency stop.
pub fn hold(name: &str) -> Value {
    json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": "CustomerHold", "metadata": { "name": name },
        "spec": { "type": "Freeze", "all": true },
    })
}

/// One customer is held.
fn held(name: &str) -> Value {
    let mut object = hold(name);
    object["spec"] = json!({ "type": "LegalHold", "customers": [{ "ref": REF }] });
    object
}

#[tokio::test]
async fn a_hold_says_what_it_holds_and_nothing_that_is_not_understood() -> Result<(), Failure> {
    let server = Server::with_the_kinds("holds").await?;
    let one_of = "spec: Invalid value: exactly one of `all: true` and `customers` must be set";
    let which = "spec.customers[0]: Invalid value: exactly one of `ref` and `idFrom` must be set";
    let pseudonym = "spec.customers[0].ref: Invalid value: must be a customer's pseudonym as `status.targets[].customerRef` shows it: hmac:<key id>:<32 hex digits>";
    let namespace = "spec.providers[0]: Invalid value: `namespace` must be set for an OffboardingProvider, and left out for a ClusterOffboardingProvider";
    let reference = "spec.reference: Invalid value: must start with a letter or digit and contain only letters, digits, spaces and `._:/#-`, such as Case 031/26; no personal data";
    let object = "must be the name of an object: lower-case letters, digits, `-` and `.`";
    let label = "must be lower-case letters, digits and `-`, from a letter or digit to a letter or digit";
    let secret = format!("spec.customers[0].idFrom.secretKeyRef.name: Invalid value: {object}");
    let provider_name = format!("spec.providers[0].name: Invalid value: {object}");
    let provider_place = format!("spec.providers[0].namespace: Invalid value: {label}");
    let rows = [
        ("everything", hold("it"), "all", "true", ACCEPTED),
        ("nothing", hold("it"), "all", "absent", one_of),
        ("nothing, written out", hold("it"), "all", "false", one_of),
        ("nobody", hold("it"), "customers", "[]", ACCEPTED), // `all: true` stands beside it
        ("everything and one more", held("it"), "all", "true", one_of),
        ("one customer", held("it"), "all", "false", ACCEPTED),
        ("no customer", held("it"), "customers", "[]", one_of),
        ("a Secret", held("it"), "customers", "[{idFrom: {secretKeyRef: {name: case-31, key: id}}}]", ACCEPTED),
        ("neither", held("it"), "customers", "[{}]", which),
        ("both", held("it"), "customers", &format!("[{{ref: '{REF}', idFrom: {{secretKeyRef: {{name: a, key: b}}}}}}]"), which),
        ("an id instead of a pseudonym", held("it"), "customers", "[{ref: '90017'}]", pseudonym),
        ("a pseudonym without its key", held("it"), "customers", "[{ref: 'hmac:0c1d2e3f4a5b0c1d2e3f4a5b0c1d2e3f'}]", pseudonym),
        ("a pseudonym that is too short", held("it"), "customers", "[{ref: 'hmac:0c1d2e3f:0c1d2e3f'}]", pseudonym),
        ("a Secret elsewhere", held("it"), "customers", "[{idFrom: {secretKeyRef: {name: other/a, key: b}}}]", &secret),
        ("only here", hold("it"), "providers", "[{namespace: payments, name: revolv3}]", ACCEPTED),
        ("only at a provider of the cluster", hold("it"), "providers", "[{kind: ClusterOffboardingProvider, name: revolv3}]", ACCEPTED),
        ("a provider without a namespace", hold("it"), "providers", "[{name: revolv3}]", namespace),
        ("a provider of the cluster with one", hold("it"), "providers", "[{kind: ClusterOffboardingProvider, namespace: a, name: revolv3}]", namespace),
        ("another kind of provider", hold("it"), "providers", "[{kind: Provider, name: revolv3}]",
            "spec.providers[0].kind: Unsupported value: \"Provider\": supported values: \"OffboardingProvider\", \"ClusterOffboardingProvider\""),
        ("no name of a provider", hold("it"), "providers", "[{namespace: payments, name: '*'}]", &provider_name),
        ("no name of a namespace", hold("it"), "providers", "[{namespace: '*', name: revolv3}]", &provider_place),
        ("a case number", hold("it"), "reference", "Case 031/26", ACCEPTED),
        ("an address as case number", hold("it"), "reference", "jane@example.com", reference),
        ("an empty case number", hold("it"), "reference", "''", reference),
        ("until then", hold("it"), "expiresAt", "'2026-11-30T08:00:00Z'", ACCEPTED),
        ("until somewhen", hold("it"), "expiresAt", "soon",
            "spec.expiresAt: Invalid value: \"soon\": spec.expiresAt in body must be of type date-time: \"soon\""),
        ("no type", hold("it"), "type", "absent", "spec.type: Required value"),
        ("a type of one's own", hold("it"), "type", "Whim",
            "spec.type: Unsupported value: \"Whim\": supported values: \"LegalHold\", \"Dispute\", \"Protected\", \"Freeze\""),
    ]
    .map(|(about, object, path, value, due)| (about.to_owned(), with(object, path, value), due));
    server.assert_answers(HOLDS, rows).await;
    Ok(())
}

#[tokio::test]
async fn a_hold_names_up_to_500_customers() -> Result<(), Failure> {
    let server = Server::with_the_kinds("held").await?;
    let of = |count: usize| {
        let customers: Vec<_> =
            (0..count).map(|n| json!({ "ref": format!("hmac:0c1d2e3f:{n:032x}") })).collect();
        let mut object = held("many");
        object["spec"]["customers"] = json!(customers);
        object["spec"]["providers"] =
            (0..64).map(|n| json!({ "namespace": "n".repeat(63), "name": format!("p{n}") })).collect();
        object
    };
    let rows = [
        ("500", of(500), ACCEPTED),
        ("501", of(501), "spec.customers: Too many: 501: must have at most 500 items"),
    ];
    server.assert_answers(HOLDS, rows.map(|(about, object, due)| (about.to_owned(), object, due))).await;
    Ok(())
}

/// Unlike a request or an approval a hold may be made narrower or wider: it only ever stops things.
#[tokio::test]
async fn a_hold_can_be_changed_and_lifted() -> Result<(), Failure> {
    let server = Server::with_the_kinds("changed").await?;
    let name = format!("hold-{}", server.namespace.name());
    server.create(HOLDS, &held(&name)).await.unwrap();
    for spec in [json!({ "expiresAt": "2026-11-30T08:00:00Z" }), json!({ "all": true, "customers": null })] {
        server.patch(HOLDS, &name, &json!({ "spec": spec })).await.unwrap();
    }
    let printed = server.plane.kubectl("admin").args(["get", "cobh", &name]).succeed().await?;
    let words: Vec<Vec<_>> = printed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["NAME", "TYPE", "ALL", "REFERENCE", "EXPIRES", "AGE"]);
    assert_eq!(words[1][1..4], ["LegalHold", "true", "2026-11-30T08:00:00Z"]);
    server.plane.kubectl("admin").args(["delete", "cobh", &name]).succeed().await?;
    Ok(())
}
