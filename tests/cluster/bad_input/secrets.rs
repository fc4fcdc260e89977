//! Secrets that are not there, not what they should be, or not accepted.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::future::join_all;
use harness::Provider::{Juicyway, Revolv3};
use serde_json::{Value, json};

use super::{Wrong, everybody_else_goes_on};
use crate::{
    stage::play,
    story::{Story, condition},
};

/// A Secret that is put in the place of a good one; none where it is null.
struct Case {
    row: u8,
    name: &'static str,
    type_: &'static str,
    data: Value,
    reason: &'static str,
    sentence: &'static str,
    of_object: &'static str,
}

const CREDENTIALS: &str = "offboarding.dev/credentials";

const UNAVAILABLE: [&str; 3] = [
    "SecretUnavailable",
    "its credential is not available; create it with `kubectl create secret generic … --type=offboarding.dev/credentials`",
    "a credential is not available; create it with `kubectl create secret generic NAME --type=offboarding.dev/credentials --from-file=…`",
];
const INVALID: [&str; 3] = [
    "SecretInvalid",
    "its credential is empty, too long, or has characters that no header may have",
    "a credential is empty, longer than 8192 bytes, or contains characters not allowed in a header",
];
const OTHER_ENVIRONMENT: [&str; 3] = [
    "EnvironmentMismatch",
    "its credential belongs to another environment",
    "the credential belongs to another environment than `spec.environment` says",
];

fn token(bytes: &[u8]) -> Value {
    json!({"token": STANDARD.encode(bytes)})
}

fn cases() -> Vec<Case> {
    let case = |row, name, type_, data, [reason, sentence, of_object]: [&'static str; 3]| Case {
        row,
        name,
        type_,
        data,
        reason,
        sentence,
        of_object,
    };
    vec![
        case(40, "missing", CREDENTIALS, Value::Null, UNAVAILABLE),
        case(40, "no-key", CREDENTIALS, json!({"tokem": STANDARD.encode("test_ok")}), UNAVAILABLE),
        case(40, "opaque", "Opaque", token(b"test_ok"), UNAVAILABLE),
        case(40, "of-a-customer", "offboarding.dev/customer-id", token(b"test_ok"), UNAVAILABLE),
        case(41, "empty", CREDENTIALS, token(b""), INVALID),
        case(41, "blank", CREDENTIALS, token(b"  \t "), INVALID),
        case(43, "two-lines", CREDENTIALS, token(b"test_ok\nx-admin: yes"), INVALID),
        case(43, "carriage-return", CREDENTIALS, token(b"test_ok\rx"), INVALID),
        case(43, "nul", CREDENTIALS, token(b"test_ok\0"), INVALID),
        case(43, "letters-of-others", CREDENTIALS, token("test_ök".as_bytes()), INVALID),
        case(44, "long", CREDENTIALS, token("test_".repeat(2_000).as_bytes()), INVALID),
        case(44, "binary", CREDENTIALS, token(&[0xff, 0xfe, 0x00]), INVALID),
        case(46, "live-key", CREDENTIALS, token(b"live_ok"), OTHER_ENVIRONMENT),
    ]
}

async fn put_secret(story: &Story<'_>, name: &str, type_: &str, data: &Value) {
    // The type of a Secret cannot be changed.
    story.kubectl(["delete", "secret", name, "--ignore-not-found"]).await;
    if !data.is_null() {
        let metadata = json!({"name": name, "namespace": story.namespace.name()});
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "type": type_, "metadata": metadata, "data": data});
        story.apply(&secret).await;
    }
}

#[tokio::test]
async fn rows_40_to_46_a_credential_that_cannot_be_used_is_not_sent_and_once_it_can_all_goes_on() {
    play("secrets", async |story| {
        let cases = cases();
        let all = cases.iter().map(async |case| {
            let (name, mut wrong) = (case.name, Wrong::about(case.row, case.name));
            story.sandbox.seed(Juicyway, &format!("cus_{name}"), &json!({})).await.unwrap();
            put_secret(story, &format!("{name}-in-use"), case.type_, &case.data).await;
            let credentials =
                json!({"token": {"secretKeyRef": {"name": format!("{name}-in-use"), "key": "token"}}});
            story.provider_as(name, Juicyway, json!({"credentials": credentials})).await;
            let target = json!({"targets": [{"name": "billing", "providerRef": {"name": name}}]});
            story.request_with(name, Juicyway, &format!("cus_{name}"), target).await;
            let status = story.reason(name, "Waiting", "ProviderUnavailable").await;
            let sentence = format!("provider '{name}' to become ready ({}): {}", case.reason, case.sentence);
            wrong.unless_equal(&status["waitingFor"], &sentence);
            let ready = story
                .wait(&format!("{name}: the provider object says what is wrong"), || async {
                    let ready = condition(&story.provider_status(name).await, "Ready");
                    if ready["status"] == "False" { Ok(ready) } else { Err(ready) }
                })
                .await;
            wrong.unless_equal(&[&ready["reason"], &ready["message"]], &[case.reason, case.of_object]);
            wrong.told()
        });
        let (wrong, ()) = futures::join!(join_all(all), everybody_else_goes_on(story));
        assert_eq!(wrong.concat(), [""; 0]);
        let of_juicyway =
            harness::LedgerFilter { provider: Some(Juicyway), ..harness::LedgerFilter::default() };
        let received = story.sandbox.ledger(&of_juicyway).await.unwrap();
        assert!(received.is_empty(), "nothing was asked with any of them");

        // Row 42 besides: a newline at the end is cut off.
        let mended = cases.iter().map(async |case| {
            let secret = format!("{}-in-use", case.name);
            put_secret(story, &secret, CREDENTIALS, &token(b"test_ok\n")).await;
            let status = story.finished(case.name).await;
            assert_eq!(status["result"], "ErasedWithRetention", "{}", case.name);
        });
        join_all(mended).await;
    })
    .await;
}

#[tokio::test]
async fn row_40_a_customers_id_that_cannot_be_read_is_waited_for() {
    play("ids", async |story| {
        story.sandbox.seed(Juicyway, "cus_secret", &json!({})).await.unwrap();
        story.provider(Juicyway, json!({})).await;
        let from = json!({"customer": {"id": null, "idFrom": {"secretKeyRef": {"name": "acme-id", "key": "id"}}}});
        story.request_with("acme", Juicyway, "", from).await;
        let sentence = "the customer id: its Secret is not available; create it with `kubectl create secret generic … --type=offboarding.dev/customer-id`";
        story.says("acme", sentence).await;
        for (type_, data) in [
            ("Opaque", json!({"id": STANDARD.encode("cus_secret")})),
            ("offboarding.dev/customer-id", json!({"di": STANDARD.encode("cus_secret")})),
            ("offboarding.dev/customer-id", json!({"id": STANDARD.encode([0xff, 0xfe])})),
        ] {
            put_secret(story, "acme-id", type_, &data).await;
            story.retry("acme", &data.to_string().len().to_string()).await;
            story.says("acme", sentence).await;
        }
        everybody_else_goes_on(story).await;
        put_secret(story, "acme-id", "offboarding.dev/customer-id", &json!({"id": STANDARD.encode("cus_secret\n")})).await;
        story.retry("acme", "mended").await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, "cus_secret").await, 1);
    })
    .await;
}

#[tokio::test]
async fn rows_46_and_49_a_credential_that_is_refused_is_not_tried_on_and_on() {
    play("refused", async |story| {
        story.sandbox.seed(Revolv3, "90049", &json!({})).await.unwrap();
        story.provider_as("revoked", Revolv3, json!({})).await;
        story.secret("revoked", "rv3_live").await; // of the other environment: nobody can see that but the provider
        let target = json!({"targets": [{"name": "billing", "providerRef": {"name": "revoked"}}]});
        story.request_with("acme", Revolv3, "90049", target).await;
        let status = story.reason("acme", "Waiting", "ProviderUnavailable").await;
        assert_eq!(
            status["waitingFor"],
            "provider 'revoked': it refused the credential (401); mend the Secret"
        );
        let told = async |type_: &str| condition(&story.provider_status("revoked").await, type_);
        story
            .wait("the circuit is open", || async {
                let open = told("CircuitOpen").await;
                if open["reason"] == "AuthFailed" { Ok(()) } else { Err(open) }
            })
            .await;
        assert_eq!(told("Ready").await["reason"], "AuthFailed");
        for nonce in ["1", "2", "3", "4", "5"] {
            story.retry("acme", nonce).await;
        }
        everybody_else_goes_on(story).await;
        let refusals = story.sandbox.summary().await.unwrap()["providers"]["revolv3"]["unauthorized"].clone();
        assert!(refusals.as_u64() <= Some(4), "{refusals} times");
        story.secret("revoked", "rv3_sandbox").await;
        assert_eq!(story.finished("acme").await["result"], "Deactivated");
        assert_eq!(story.deletes(Revolv3, "90049").await, 1);
    })
    .await;
}

#[tokio::test]
async fn row_49_a_deletion_that_is_refused_with_its_credential_is_sent_again_with_another() {
    play("unauthorized", async |story| {
        let keys = json!({"keys": {"test_ok": "sandbox", "test_next": "sandbox"}});
        story.sandbox.configure(Juicyway, &keys).await.unwrap();
        story.sandbox.seed(Juicyway, "cus_401", &json!({})).await.unwrap();
        let refused =
            json!([{"match": {"provider": "juicyway", "method": "DELETE"}, "do": {"kind": "unauthorized"}}]);
        story.sandbox.set_faults(&refused).await.unwrap();
        story.provider(Juicyway, json!({})).await;
        story.request("acme", Juicyway, "cus_401").await;
        let status = story.reason("acme", "Deleted", "Rejected").await;
        assert_eq!(condition(&status, "Waiting")["reason"], "ProviderUnavailable");
        everybody_else_goes_on(story).await;
        assert_eq!(story.deletes(Juicyway, "cus_401").await, 1);
        story.secret("juicyway", "test_next").await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, "cus_401").await, 2);
    })
    .await;
}
