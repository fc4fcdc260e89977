//! CustomerOffboarding: what is refused at creation, and in which words.

use harness::Failure;
use serde_json::json;

use crate::{REQUESTS, Server, request, with};

const ACCEPTED: &str = "accepted";
const CHARACTERS: &str = "spec.customer.id: Invalid value: must start with a letter or digit, contain only letters, digits and `._~:@|+-`, and no `..`";
const LENGTH: &str = "spec.customer.id: Invalid value: must be 1 to 256 characters";
const QUOTES: &str = "spec.customer.id: Invalid value: must be written in quotes, such as `id: \"90017\"`";
const ONE_OF: &str = "spec.customer: Invalid value: exactly one of `id` and `idFrom` must be set";
const IN_NAME: &str =
    "<nil>: Invalid value: metadata.name must not contain the customer id: names appear in logs and events";
#[tokio::test]
async fn a_customer_id_is_refused_unless_it_is_safe_everywhere() -> Result<(), Failure> {
    let server = Server::with_the_kinds("ids").await?;
    let quoted = |id: &str| format!("{{id: {}}}", json!(id));
    let rows = [
        ("row 1: empty", quoted(""), LENGTH),
        ("row 1: neither", "{}".to_owned(), ONE_OF),
        ("row 1: both", "{id: '90017', idFrom: {secretKeyRef: {name: acme, key: id}}}".to_owned(), ONE_OF),
        ("row 2: slash", quoted("a/b"), CHARACTERS),
        ("row 2: backslash", quoted("a\\b"), CHARACTERS),
        ("row 2: question mark", quoted("a?b"), CHARACTERS),
        ("row 2: hash", quoted("a#b"), CHARACTERS),
        ("row 2: percent", quoted("a%2fb"), CHARACTERS),
        ("row 2: line break at the end", quoted("90017\n"), CHARACTERS),
        ("row 2: control character", quoted("a\u{1}b"), CHARACTERS),
        ("row 2: NUL", quoted("a\u{0}b"), CHARACTERS),
        ("row 2: two dots inside", quoted("a..b"), CHARACTERS),
        ("row 3: dot", quoted("."), CHARACTERS),
        ("row 3: two dots", quoted(".."), CHARACTERS),
        ("row 3: blank", quoted(" "), CHARACTERS),
        ("row 3: leading space", quoted(" 90017"), CHARACTERS),
        ("row 3: trailing space", quoted("90017 "), CHARACTERS),
        ("row 4: 257 characters", quoted(&"a".repeat(257)), LENGTH),
        ("row 4: 1,024 characters", quoted(&"a".repeat(1024)), LENGTH),
        (
            "row 4: 10 kB",
            quoted(&"a".repeat(10_240)),
            "spec.customer.id: Too long: may not be more than 1024 bytes",
        ),
        ("row 5: homoglyph", quoted("\u{430}cme"), CHARACTERS),
        ("row 5: right-to-left", quoted("\u{202e}acme"), CHARACTERS),
        ("row 5: zero width", quoted("ac\u{200b}me"), CHARACTERS),
        ("row 6: a number", "{id: 90017}".to_owned(), QUOTES),
        ("row 6: 0123, which kubectl reads as octal", "{id: 83}".to_owned(), QUOTES),
        (
            "row 6: a fraction",
            "{id: 1.5}".to_owned(),
            "spec.customer.id: Invalid value: \"number\": spec.customer.id in body must be of type integer,string: \"number\"",
        ),
        (
            "row 6: true",
            "{id: true}".to_owned(),
            "spec.customer.id: Invalid value: \"boolean\": spec.customer.id in body must be of type integer,string: \"boolean\"",
        ),
        ("row 8: star", quoted("*"), CHARACTERS),
        ("row 8: several", quoted("a,b"), CHARACTERS),
        ("explicit null", "{id: null}".to_owned(), ONE_OF),
        ("a number", quoted("90017"), ACCEPTED),
        ("a UUID", quoted("7d0e3c1a-0b1c-4a52-9a52-0a9d3a6b0f11"), ACCEPTED),
        ("an address", quoted("jane+1@example.com"), ACCEPTED), // the provider's idClass decides
        ("everything that is allowed", quoted("A1._~:@|+-"), ACCEPTED),
        ("256 characters", quoted(&"a".repeat(256)), ACCEPTED),
        ("from a Secret", "{idFrom: {secretKeyRef: {name: acme, key: id}}}".to_owned(), ACCEPTED),
    ]
    .map(|(about, customer, due)| (about.to_owned(), with(request("acme"), "customer", &customer), due));
    server.assert_answers(REQUESTS, rows).await;
    Ok(())
}

#[tokio::test]
async fn the_name_of_a_request_never_contains_the_id() -> Result<(), Failure> {
    let server = Server::with_the_kinds("names").await?;
    let rows = [
        ("row 12: equal", "90017", "90017", IN_NAME),
        ("row 12: equal but for case", "cus-90017", "CUS-90017", IN_NAME),
        ("row 12: contained", "offboard-900173-now", "900173", IN_NAME),
        ("row 12: contained but for case", "offboard-cus-900173", "CUS-900173", IN_NAME),
        ("row 12: a short id is part of many names", "acme-2026-q4", "4", ACCEPTED),
        ("row 12: five characters", "offboard-90017", "90017", ACCEPTED),
        ("another name", "acme", "900173", ACCEPTED),
    ]
    .map(|(about, name, id, due)| {
        (about.to_owned(), with(request(name), "customer", &format!("{{id: '{id}'}}")), due)
    });
    server.assert_answers(REQUESTS, rows).await;
    let elsewhere = with(request("offboard-900173"), "targets.0.customer", "{id: '900173'}");
    let answer = server.would_create(REQUESTS, &elsewhere).await;
    assert!(
        answer.is_err_and(|refused| refused.contains("must not contain the customer id of a target")),
        "row 12: of a target"
    );
    Ok(())
}

#[tokio::test]
async fn a_field_that_does_not_exist_yet_is_refused_and_not_ignored() -> Result<(), Failure> {
    let server = Server::with_the_kinds("unknown").await?;
    for (path, value) in [
        ("forec", "true"),
        ("skipExport", "false"),
        ("before", "null"),
        ("ttlSecondsAfterFinished", "60"),
        ("namespace", "other"),
        ("request", "{deadline: '2027-01-01T00:00:00Z'}"),
        ("targets.0.customer", "{ID: '1'}"),
        ("targets.0.providerRef.apiGroup", "offboarding.dev"),
        ("targets.0.providerRef.namespace", "other"), // R1
        ("customer.idFrom", "{secretKeyRef: {name: a, key: b, namespace: other}}"), // R1
        ("customer.ID", "'90017'"),
    ] {
        let answer = server.would_create(REQUESTS, &with(request("acme"), path, value)).await;
        let refused = answer.expect_err(path);
        assert!(refused.contains("strict decoding error: unknown field \"spec."), "row 9: {path}: {refused}");
    }
    Ok(())
}

#[tokio::test]
async fn the_rest_of_a_request_is_refused_in_words_that_help() -> Result<(), Failure> {
    let server = Server::with_the_kinds("rest").await?;
    let label = "spec.targets[0].name: Invalid value: must be lower-case letters, digits and `-`, from a letter or digit to a letter or digit";
    let object = "must be the name of an object: lower-case letters, digits, `-` and `.`";
    let reference = "spec.request.reference: Invalid value: must start with a letter or digit and contain only letters, digits and `._:/#-`, such as DSR-4711; no personal data";
    let provider_ref = format!("spec.targets[0].providerRef.name: Invalid value: {object}");
    let secret = format!("spec.customer.idFrom.secretKeyRef.name: Invalid value: {object}");
    let rows = [
        (
            "row 13: no provider",
            "targets.0.providerRef",
            "{}",
            "spec.targets[0].providerRef.name: Required value",
        ),
        (
            "row 13: no providerRef",
            "targets.0.providerRef",
            "absent",
            "spec.targets[0].providerRef: Required value",
        ),
        ("no customer", "customer", "absent", "spec.customer: Required value"),
        ("a null customer", "customer", "null", "spec.customer: Required value"),
        (
            "no targets",
            "targets",
            "[]",
            "spec.targets: Invalid value: 0: spec.targets in body should have at least 1 items",
        ),
        (
            "two targets of one name",
            "targets",
            "[{name: a, providerRef: {name: a}}, {name: a, providerRef: {name: b}}]",
            "spec.targets[1]: Duplicate value: {\"name\":\"a\"}",
        ),
        (
            "a target that waits for one that is not there",
            "targets",
            "[{name: a, providerRef: {name: a}, dependsOn: [b]}]",
            "spec.targets: Invalid value: `dependsOn` must name other targets of this request",
        ),
        (
            "a target that waits for itself",
            "targets",
            "[{name: a, providerRef: {name: a}, dependsOn: [a]}]",
            "spec.targets: Invalid value: `dependsOn` must name other targets of this request",
        ),
        ("a target without a name", "targets.0.name", "''", label),
        ("a target with a name that is no label", "targets.0.name", "Billing_EU", label),
        ("a provider in another namespace", "targets.0.providerRef.name", "other/revolv3", &*provider_ref),
        (
            "a mode in lower case",
            "targets.0.mode",
            "soft",
            "spec.targets[0].mode: Unsupported value: \"soft\": supported values: \"Soft\", \"Hard\"",
        ),
        (
            "a mode of later",
            "targets.0.mode",
            "SoftThenHard",
            "spec.targets[0].mode: Unsupported value: \"SoftThenHard\": supported values: \"Soft\", \"Hard\"",
        ),
        ("an address as reference", "request", "{reference: jane@example.com}", reference),
        ("an empty reference", "request", "{reference: ''}", reference),
        (
            "a reason of one's own",
            "request",
            "{reason: Bored}",
            "spec.request.reason: Unsupported value: \"Bored\": supported values: \"ErasureRequest\", \"ContractEnd\", \"Fraud\", \"TestData\", \"Other\"",
        ),
        ("a Secret elsewhere", "customer", "{idFrom: {secretKeyRef: {name: other/acme, key: id}}}", &*secret),
        (
            "a key that no Secret has",
            "customer",
            "{idFrom: {secretKeyRef: {name: acme, key: 'a b'}}}",
            "spec.customer.idFrom.secretKeyRef.key: Invalid value: must be a key of a Secret: letters, digits, `-`, `_` and `.`",
        ),
        (
            "a word instead of a switch",
            "suspend",
            "'yes'",
            "spec.suspend: Invalid value: \"string\": spec.suspend in body must be of type boolean: \"string\"",
        ),
        (
            "everything there is",
            "request",
            "{reason: ErasureRequest, reference: DSR-4711, receivedAt: '2026-11-20T16:30:00Z', regime: Custom, dueBy: '2026-12-01T00:00:00Z'}",
            ACCEPTED,
        ),
        ("nulls where a default stands", "suspend", "null", ACCEPTED),
    ];
    let rows =
        rows.map(|(about, path, value, due)| (about.to_owned(), with(request("acme"), path, value), due));
    server.assert_answers(REQUESTS, rows).await;
    Ok(())
}

#[tokio::test]
async fn an_annotation_is_bounded_by_the_server() -> Result<(), Failure> {
    let server = Server::with_the_kinds("annotation").await?;
    let mut object = request("acme");
    object["metadata"]["annotations"] = json!({ "note": "x".repeat(300_000) });
    let refused = server.would_create(REQUESTS, &object).await.expect_err("row 25");
    assert_eq!(refused, "metadata.annotations: Too long: may not be more than 262144 bytes");
    Ok(())
}
