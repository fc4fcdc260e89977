//! The smallest objects that work.

use std::time::Duration;

use serde_json::{Value, json};

const HASH: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const UID: &str = "7d0e3c1a-0b1c-4a52-9a52-0a9d3a6b0f11";

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({ "apiVersion": "offboarding.dev/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec })
}

/// In bob's name, for an hour.
pub fn approval(name: &str) -> Value {
    let spec = json!({
        "decision": "Approve", "for": [{ "name": "acme", "uid": UID, "planHash": HASH }], "approver": "bob",
        "grants": ["Delete"], "expiresAt": in_seconds(3600),
    });
    object("OffboardingApproval", name, spec)
}

/// In bob's name.
pub fn denial(name: &str) -> Value {
    let spec = json!({ "decision": "Deny", "for": [{ "name": "acme", "uid": UID }], "approver": "bob" });
    object("OffboardingApproval", name, spec)
}

pub fn request(name: &str) -> Value {
    let spec = json!({
        "customer": { "id": "90017" }, "targets": [{ "name": "billing", "providerRef": { "name": "revolv3" } }],
    });
    object("CustomerOffboarding", name, spec)
}

pub fn provider(name: &str) -> Value {
    let spec = json!({
        "profile": "revolv3", "baseUrl": "https://api-sandbox.revolv3.com", "account": "acct-eu", "environment": "sandbox",
        "allowedModes": ["Soft"],
    });
    object("OffboardingProvider", name, spec)
}

pub fn hold(name: &str) -> Value {
    object("CustomerHold", name, json!({ "type": "Freeze", "all": true }))
}

pub fn record(name: &str) -> Value {
    let spec = json!({
        "account": "acct-eu", "request": { "namespace": "a", "name": "b", "uid": "c", "target": "d", "mode": "Soft" },
        "provider": {
            "kind": "OffboardingProvider", "namespace": "a", "name": "b", "uid": "c", "baseUrl": "https://a.example",
            "environment": "sandbox",
        },
    });
    object("OffboardingRecord", name, spec)
}

/// The object with another value of a field of its spec; null takes it away.
pub fn with(mut object: Value, field: &str, value: impl Into<Value>) -> Value {
    let spec = object["spec"].as_object_mut().unwrap();
    match value.into() {
        Value::Null => spec.remove(field),
        value => spec.insert(field.to_owned(), value),
    };
    object
}

/// The object as its author wrote it down, in the annotation that the operator reads.
pub fn requested_by(mut object: Value, author: &str) -> Value {
    object["metadata"]["annotations"] = json!({ "offboarding.dev/requested-by": author });
    object
}

/// A moment as an approver writes it.
#[expect(clippy::disallowed_methods, reason = "the API server's clock is the real one")]
pub fn in_seconds(seconds: i64) -> String {
    let now = jiff::Timestamp::now().as_second();
    let at = if seconds < 0 { now - seconds.abs() } else { now + seconds };
    jiff::Timestamp::from_second(at).unwrap().to_string()
}

/// Two weeks, the longest that admission accepts.
pub const LONGEST: i64 = Duration::from_secs(336 * 3600).as_secs() as i64;
