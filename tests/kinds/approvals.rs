//! OffboardingApproval: what one person says to exactly these plans, and that it stays as it was said.

use harness::Failure;
use serde_json::{Value, json};

use crate::{APPROVALS, Server, with};

const ACCEPTED: &str = "accepted";
const HASH: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const UID: &str = "7d0e3c1a-0b1c-4a52-9a52-0a9d3a6b0f11";

/// The smallest consent that works.
pub fn approval(name: &str) -> Value {
    json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingApproval", "metadata": { "name": name },
        "spec": {
            "decision": "Approve",
            "for": [{ "name": "acme", "uid": UID, "planHash": HASH }],
            "approver": "bob",
            "grants": ["Delete"],
            "expiresAt": "2026-11-30T08:00:00Z",
        },
    })
}

/// The smallest refusal that works.
fn denial(name: &str) -> Value {
    let mut object = approval(name);
    object["spec"] =
        json!({ "decision": "Deny", "for": [{ "name": "acme", "uid": UID }], "approver": "bob" });
    object
}

#[tokio::test]
async fn a_consent_is_bound_and_ends_and_a_refusal_does_neither() -> Result<(), Failure> {
    let server = Server::with_the_kinds("consent").await?;
    let hash = "spec.for[0].planHash: Invalid value: must be the hash in the request's `status.plan.hash`: sha256: and 64 hex digits";
    let binds = "spec.for: Invalid value: must bind each request by `planHash` where `decision` is Approve: the hash in its `status.plan.hash`";
    let grants = "spec.grants: Invalid value: must name what is granted where `decision` is Approve: Delete, or Waive:<target>/<check>";
    let grant = "spec.grants: Invalid value: must be Delete, or Waive:<target>/<check> such as Waive:billing/invoices";
    let expires =
        "spec.expiresAt: Invalid value: must be set where `decision` is Approve: at most 336h ahead";
    let unbound = format!("[{{name: acme, uid: {UID}}}]");
    let bound = format!("[{{name: acme, uid: {UID}, planHash: '{HASH}'}}]");
    let half = format!("[{{name: acme, uid: {UID}, planHash: '{HASH}'}}, {{name: b, uid: other}}]");
    let of_hash = |hash: &str| format!("[{{name: acme, uid: {UID}, planHash: '{hash}'}}]");
    let consents = [
        ("complete", "grants", "[Delete]".to_owned(), ACCEPTED),
        ("a reason", "reason", "contract ended".to_owned(), ACCEPTED),
        ("every grant", "grants", "[Delete, 'Waive:billing/invoices']".to_owned(), ACCEPTED),
        ("row 34: no end", "expiresAt", "absent".to_owned(), expires),
        ("row 34: a null end", "expiresAt", "null".to_owned(), expires),
        (
            "an end that is no moment",
            "expiresAt",
            "tomorrow".to_owned(),
            "spec.expiresAt: Invalid value: \"tomorrow\": spec.expiresAt in body must be of type date-time: \"tomorrow\"",
        ),
        ("nothing granted", "grants", "absent".to_owned(), grants),
        ("an empty grant", "grants", "[]".to_owned(), grants),
        ("a grant of everything", "grants", "['*']".to_owned(), grant),
        ("a grant in lower case", "grants", "[delete]".to_owned(), grant),
        ("a waiver of everything", "grants", "['Waive:billing/*']".to_owned(), grant),
        ("a waiver without a check", "grants", "['Waive:billing']".to_owned(), grant),
        ("a waiver and more", "grants", "['Waive:billing/invoices/Delete']".to_owned(), grant),
        ("a grant of later", "grants", "[Expedite]".to_owned(), grant),
        ("a grant with a line break", "grants", "[\"Delete\\n\"]".to_owned(), grant),
        (
            "a grant twice",
            "grants",
            "[Delete, Delete]".to_owned(),
            "spec.grants[1]: Duplicate value: \"Delete\"",
        ),
        ("no plan", "for", unbound.clone(), binds),
        ("one of two plans", "for", half, binds),
        ("a hash without its kind", "for", of_hash(&HASH[7..]), hash),
        ("a short hash", "for", of_hash("sha256:9f86"), hash),
        ("a hash in capitals", "for", of_hash(&HASH.to_uppercase().replace("SHA", "sha")), hash),
        (
            "no request",
            "for",
            "[]".to_owned(),
            "spec.for: Invalid value: 0: spec.for in body should have at least 1 items",
        ),
        ("no request at all", "for", "absent".to_owned(), "spec.for: Required value"),
        (
            "a request without a uid",
            "for",
            format!("[{{name: acme, planHash: '{HASH}'}}]"),
            "spec.for[0].uid: Required value",
        ),
        (
            "a request elsewhere",
            "for",
            format!("[{{name: other/acme, uid: {UID}, planHash: '{HASH}'}}]"),
            "spec.for[0].name: Invalid value: must be the name of an object: lower-case letters, digits, `-` and `.`",
        ),
        ("nobody", "approver", "absent".to_owned(), "spec.approver: Required value"),
        (
            "an approver without a name",
            "approver",
            "''".to_owned(),
            "spec.approver: Invalid value: \"\": spec.approver in body should be at least 1 chars long",
        ),
        (
            "perhaps",
            "decision",
            "Maybe".to_owned(),
            "spec.decision: Unsupported value: \"Maybe\": supported values: \"Approve\", \"Deny\"",
        ),
    ];
    let denials = [
        ("a denial", "reason", "not this one".to_owned(), ACCEPTED),
        ("a denial without grants, written out", "grants", "[]".to_owned(), ACCEPTED),
        (
            "a denial that grants",
            "grants",
            "[Delete]".to_owned(),
            "spec.grants: Invalid value: must be left out where `decision` is Deny",
        ),
        (
            "a denial that ends",
            "expiresAt",
            "'2026-11-30T08:00:00Z'".to_owned(),
            "spec.expiresAt: Invalid value: must be left out where `decision` is Deny: it stands until it is deleted",
        ),
        (
            "a denial of one plan",
            "for",
            bound,
            "spec.for: Invalid value: must name requests without `planHash` where `decision` is Deny: it is about the request, whatever its plan",
        ),
        (
            "a denial of nothing",
            "for",
            "[]".to_owned(),
            "spec.for: Invalid value: 0: spec.for in body should have at least 1 items",
        ),
    ];
    let row = |of: fn(&str) -> Value| {
        move |(about, path, value, due): (&str, &str, String, &'static str)| {
            (about.to_owned(), with(of("it"), path, &value), due)
        }
    };
    server.assert_answers(APPROVALS, consents.map(row(approval))).await;
    server.assert_answers(APPROVALS, denials.map(row(denial))).await;
    Ok(())
}

#[tokio::test]
async fn an_approval_names_up_to_500_requests_each_once() -> Result<(), Failure> {
    let server = Server::with_the_kinds("many").await?;
    let of = |count: usize| -> Value {
        let mut object = approval("many");
        let name = "n".repeat(253);
        let item =
            |n| json!({ "name": name, "uid": format!("7d0e3c1a-0b1c-4a52-9a52-{n:012}"), "planHash": HASH });
        object["spec"]["for"] = (0..count).map(item).collect();
        object
    };
    let mut twice = approval("twice");
    twice["spec"]["for"] =
        json!([twice["spec"]["for"][0], { "name": "another-name", "uid": UID, "planHash": HASH }]);
    let rows = [
        ("500", of(500), ACCEPTED.to_owned()),
        ("501", of(501), "spec.for: Too many: 501: must have at most 500 items".to_owned()),
        ("one request twice", twice, format!("spec.for[1]: Duplicate value: {{\"uid\":\"{UID}\"}}")),
    ];
    let rows: Vec<_> =
        rows.iter().map(|(about, it, due)| ((*about).to_owned(), it.clone(), &**due)).collect();
    server.assert_answers(APPROVALS, rows).await;

    // And stored, through an apply by kubectl, which keeps a copy in an annotation, and changed: what costs most.
    let mut stored = of(500);
    for item in stored["spec"]["for"].as_array_mut().unwrap() {
        item["name"] = json!("offboard-a-customer-2026-11-23");
    }
    let apply = server.plane.kubectl("admin").args(["apply", "-n", server.namespace.name()]);
    assert!(apply.manifests(&stored.to_string())?.succeed().await?.contains("created"));
    let labelled = json!({ "metadata": { "labels": { "seen": "yes" } } });
    server.patch(APPROVALS, "many", &labelled).await.unwrap();
    Ok(())
}

#[tokio::test]
async fn what_was_said_is_never_changed() -> Result<(), Failure> {
    let server = Server::with_the_kinds("said").await?;
    server.create(APPROVALS, &approval("yes")).await.unwrap();
    server.create(APPROVALS, &denial("no")).await.unwrap();
    for (name, spec) in [
        (
            "yes",
            json!({ "decision": "Deny", "grants": null, "expiresAt": null, "for": [{ "name": "acme", "uid": UID }] }),
        ),
        ("yes", json!({ "for": [{ "name": "acme", "uid": "another", "planHash": HASH }] })),
        ("yes", json!({ "approver": "carol" })),
        ("yes", json!({ "grants": ["Delete", "Waive:billing/invoices"] })),
        ("yes", json!({ "expiresAt": "2026-12-30T08:00:00Z" })),
        ("yes", json!({ "reason": "changed my mind" })),
        ("no", json!({ "for": [{ "name": "other", "uid": "other" }] })),
        ("no", json!({ "approver": "carol" })),
    ] {
        let refused = server.patch(APPROVALS, name, &json!({ "spec": spec })).await;
        let due = "spec: Forbidden: is immutable; create a new OffboardingApproval instead";
        assert_eq!(refused, Err(due.to_owned()), "row 35: {spec}");
    }
    let labelled = json!({ "metadata": { "labels": { "seen": "yes" } } });
    server.patch(APPROVALS, "yes", &labelled).await.unwrap();
    server.apply(APPROVALS, "gitops", &approval("yes")).await.unwrap();
    Ok(())
}
