//! R12: no answer, and so no audit log, repeats a customer id, a token or a password that somebody wrote.

use harness::Failure;
use serde_json::{Value, json};

use crate::{
    APPROVALS, HOLDS, PROVIDERS, REQUESTS, Server,
    approvals::approval,
    holds::hold,
    provider,
    providers::{JUICYWAY, custom},
    request, with,
};

/// What must never come back: as text, and as the number that an id without quotes is.
const CANARY: &str = "4815162342";

#[tokio::test]
async fn an_id_that_is_refused_is_not_repeated() -> Result<(), Failure> {
    let server = Server::with_the_kinds("canary").await?;
    let long = format!("{CANARY}{}", "x".repeat(2_000));
    let mut refused = Vec::new();
    for customer in [
        format!("{{id: 'not {CANARY}'}}"),
        format!("{{id: '{CANARY}/..'}}"),
        format!("{{id: '{}'}}", &long[..300]),
        format!("{{id: '{long}'}}"),
        format!("{{id: {CANARY}}}"),
        format!("{{id: {CANARY}.5}}"),
        format!("{{id: [{CANARY}]}}"),
        format!("{{id: '{CANARY}', idFrom: {{secretKeyRef: {{name: acme, key: id}}}}}}"),
        format!("{{idFrom: {{secretKeyRef: {{name: '{CANARY} ', key: 'of {CANARY}'}}}}}}"),
        format!("{{ID: '{CANARY}'}}"),
    ] {
        refused.push(with(request("acme"), "customer", &customer));
    }
    for (path, value) in [
        ("request", format!("{{reference: '{CANARY} '}}")),
        ("targets.0.name", format!("'_{CANARY}'")),
        ("targets.0.providerRef.name", format!("'_{CANARY}'")),
    ] {
        refused.push(with(request("acme"), path, &value));
    }
    // Two conditions fail and the id itself is good; the name, which does hold it, is in every URL anyway.
    let mut unnamed = with(request("acme"), "customer", &format!("{{id: '{CANARY}'}}"));
    unnamed["spec"]["targets"] = json!([]);
    refused.push(unnamed);

    assert_not_repeated(&server, REQUESTS, &refused).await
}

#[tokio::test]
async fn an_id_stays_unrepeated_when_somebody_tries_to_change_it() -> Result<(), Failure> {
    let server = Server::with_the_kinds("canary-change").await?;
    let object = with(request("acme"), "customer", &format!("{{id: 'ab-{CANARY}'}}"));
    server.create(REQUESTS, &object).await.expect("it is a good request");
    for patch in [
        json!({ "spec": { "customer": { "id": format!("cd-{CANARY}") } } }),
        json!({ "spec": { "customer": { "id": format!("c/{CANARY}") } } }),
        json!({ "spec": { "acceptAbsent": true } }),
    ] {
        let answer = server.patch(REQUESTS, "acme", &patch).await.expect_err("immutable");
        assert!(!answer.contains(CANARY), "{answer}");
    }
    assert_audit_log_is_clean(&server)
}

#[tokio::test]
async fn a_secret_in_the_wrong_place_is_not_repeated() -> Result<(), Failure> {
    let server = Server::with_the_kinds("canary-secret").await?;
    let profile = |path: &str, value: String| with(custom(JUICYWAY), path, &value);
    let refused = [
        with(provider("p"), "baseUrl", &format!("'https://user:{CANARY}@api.revolv3.com'")),
        with(provider("p"), "baseUrl", &format!("'https://api.revolv3.com?key={CANARY}'")),
        with(
            provider("p"),
            "credentials",
            &format!("{{token: {{secretKeyRef: {{name: '{CANARY}=', key: '{CANARY}='}}}}}}"),
        ),
        with(provider("p"), "credentials", &format!("{{'{CANARY}': {{secretKeyRef: {{name: a, key: b}}}}}}")),
        with(provider("p"), "tls", &format!("{{caBundle: '-----BEGIN PRIVATE KEY-----{CANARY}'}}")),
        profile("customProfile.auth", format!("[{{header: Authorization, value: 'Bearer {CANARY}'}}]")),
        profile("customProfile.auth", format!("[{{basic: {{username: me, password: '{CANARY}'}}}}]")),
        profile("customProfile.headers", format!("{{Authorization: 'Bearer {CANARY}'}}")),
    ];
    assert_not_repeated(&server, PROVIDERS, &refused).await
}

#[tokio::test]
async fn what_is_wrong_in_an_approval_or_a_hold_is_not_repeated() -> Result<(), Failure> {
    let server = Server::with_the_kinds("canary-consent").await?;
    let approvals = [
        ("for", format!("[{{name: '_{CANARY}', uid: a, planHash: 'sha256:{CANARY}'}}]")),
        ("grants", format!("['Waive:{CANARY}']")),
        ("reason", format!("'{CANARY}{}'", "x".repeat(300))),
        ("approver", format!("'{CANARY}{}'", "x".repeat(300))),
    ];
    let approvals = approvals.map(|(path, value)| with(approval("it"), path, &value));
    let holds = [
        ("customers", format!("[{{ref: '{CANARY}'}}]")),
        (
            "customers",
            format!(
                "[{{ref: 'hmac:{CANARY}', idFrom: {{secretKeyRef: {{name: '_{CANARY}', key: '{CANARY} '}}}}}}]"
            ),
        ),
        ("customers", format!("[{{id: '{CANARY}'}}]")),
        ("providers", format!("[{{name: '_{CANARY}', namespace: '_{CANARY}'}}]")),
        ("reference", format!("'{CANARY}@'")),
        ("reference", format!("'{CANARY}{}'", "x".repeat(200))),
    ];
    let holds = holds.map(|(path, value)| with(with(hold("it"), "all", "false"), path, &value));
    for (kind, objects) in [(APPROVALS, &approvals[..]), (HOLDS, &holds[..])] {
        for object in objects {
            for answer in [server.create(kind, object).await, server.apply(kind, "gitops", object).await] {
                let answer = answer.expect_err(&object["spec"].to_string());
                assert!(!answer.contains(CANARY), "{}\n  answer: {answer}", object["spec"]);
            }
        }
    }
    for event in server.plane.audit_events()? {
        let is_ours = event["objectRef"]["resource"] == HOLDS
            || event["objectRef"]["namespace"] == server.namespace.name();
        assert!(!is_ours || !event.to_string().contains(CANARY), "{event}");
    }
    Ok(())
}

/// Neither to a client-side nor to a server-side apply, nor in the audit log, which keeps the answers.
async fn assert_not_repeated(server: &Server, kind: &str, objects: &[Value]) -> Result<(), Failure> {
    for object in objects {
        let created = server.create(kind, object).await;
        let applied = server.apply(kind, "gitops", object).await;
        for answer in [created, applied] {
            let answer = answer.expect_err(&object["spec"].to_string());
            assert!(!answer.contains(CANARY), "{}\n  answer: {answer}", object["spec"]);
        }
    }
    assert_audit_log_is_clean(server)
}

fn assert_audit_log_is_clean(server: &Server) -> Result<(), Failure> {
    let namespace = server.namespace.name();
    let events = server.plane.audit_events()?;
    let ours: Vec<_> = events.iter().filter(|it| it["objectRef"]["namespace"] == namespace).collect();
    assert!(ours.iter().any(|it| it["responseStatus"]["code"] == 422), "the log keeps the answers");
    for event in ours {
        assert!(!event.to_string().contains(CANARY), "{event}");
    }
    Ok(())
}
