//! What the server fills in, which is what the operator assumes: for a field that is left out, empty or null.

use harness::Failure;
use offboarding::api::{OffboardingProviderSpec, Profile};
use serde_json::Value;

use crate::{
    PROVIDERS, REQUESTS, Server, from_yaml, provider,
    providers::{JUICYWAY, built_in, custom},
    request, with,
};

const ONE_APPROVAL: &str = "{required: 1, separationOfDuties: true, maxValidity: 336h}";
const SLOW: &str = "{default: {requestsPerMinute: 60, burst: 2, maxInFlight: 1}}";
const PESSIMISTIC: &str = "{idReuse: Unknown, conditionalDelete: None, consistencyLag: 1m, maxRequestLifetime: 1m, rejects429BeforeExecution: false}";
const ANY_SAFE_ID: &str = "{pattern: '^[A-Za-z0-9._~:@-]{1,128}$'}";
const ONE_LOOK: &str =
    "{whenPresent: StillPresent, default: {confirmations: 1, interval: 10s, deadline: 15m}}";
const ABSENT: &str = "absent";

#[tokio::test]
async fn left_out_empty_and_null_are_all_the_safe_default() -> Result<(), Failure> {
    let server = Server::with_the_kinds("defaults").await?;
    for (path, value, filled_in) in [
        ("approvals", ABSENT, ONE_APPROVAL),
        ("approvals", "{}", ONE_APPROVAL),
        ("approvals", "null", ONE_APPROVAL),
        ("approvals", "{required: null, separationOfDuties: null, maxValidity: null}", ONE_APPROVAL),
        ("approvals", "{required: 2}", "{required: 2, separationOfDuties: true, maxValidity: 336h}"),
        ("recheckInterval", ABSENT, "15m"),
        ("recheckInterval", "null", "15m"),
        ("idClass", ABSENT, "Opaque"),
        ("idClass", "null", "Opaque"),
        ("suspend", ABSENT, "false"),
        ("suspend", "null", "false"),
        ("coolingOff", ABSENT, "0s"),
        ("coolingOff", "null", "0s"),
        ("budget", ABSENT, ABSENT),
        ("budget", "null", ABSENT),
        ("budget", "{perDay: null, perHour: 1}", "{perHour: 1}"),
        // The profile decides these, so the server must not.
        ("verify", ABSENT, ABSENT),
        ("verify", "null", ABSENT),
        ("limits", ABSENT, ABSENT),
        ("limits", "null", ABSENT),
        ("tls", "null", ABSENT),
        ("tls", "{}", "{}"),
        ("checks", ABSENT, ABSENT),
        ("checks", "{}", "{}"),
        ("credentials", "null", ABSENT),
        ("allowedCIDRs", ABSENT, ABSENT),
        ("allowedCIDRs", "null", ABSENT),
        ("customProfile.limits", ABSENT, SLOW),
        ("customProfile.limits", "{}", SLOW),
        ("customProfile.limits", "null", SLOW),
        ("customProfile.limits", "{default: null, max: null}", SLOW),
        ("customProfile.guarantees", ABSENT, PESSIMISTIC),
        ("customProfile.guarantees", "{}", PESSIMISTIC),
        ("customProfile.guarantees", "null", PESSIMISTIC),
        ("customProfile.guarantees", "{idReuse: null, consistencyLag: null}", PESSIMISTIC),
        ("customProfile.customerId", ABSENT, ANY_SAFE_ID),
        ("customProfile.customerId", "{}", ANY_SAFE_ID),
        ("customProfile.customerId", "{pattern: null, integer: null}", ANY_SAFE_ID),
        ("customProfile.verify", ABSENT, ONE_LOOK),
        ("customProfile.verify", "{}", ONE_LOOK),
        ("customProfile.verify", "{whenPresent: null, default: null}", ONE_LOOK),
        ("customProfile.envelope", ABSENT, "response.json != null"),
        ("customProfile.presence.present", ABSENT, "response.status == 200"),
        ("customProfile.presence.absent", ABSENT, "response.status in [404, 410]"),
        ("customProfile.presence.inactive", ABSENT, "'false'"),
        ("customProfile.presence.tombstoned", "null", "'false'"),
        ("customProfile.presence.request.method", ABSENT, "GET"),
        ("customProfile.preflight.0.onUnavailable", ABSENT, "Block"),
        ("customProfile.preflight.0.waivable", ABSENT, "true"),
        ("customProfile.preflight.0.environments", ABSENT, "[live, sandbox]"),
        ("customProfile.delete.0.phase", ABSENT, "Hard"),
        ("customProfile.delete.0.requires", ABSENT, "[Present]"),
        ("customProfile.delete.0.requires", "null", "[Present]"),
    ] {
        let object = with(custom(JUICYWAY), path, value);
        let stored = server.would_create(PROVIDERS, &object).await;
        let stored = stored.unwrap_or_else(|refused| panic!("{path}: {value}: {refused}"));
        let due = if filled_in == ABSENT { Value::Null } else { from_yaml(filled_in) };
        assert_eq!(at(&stored, path), due, "{path}: {value}");
    }
    Ok(())
}

#[tokio::test]
async fn a_request_that_says_nothing_neither_stops_nor_hurries_anything() -> Result<(), Failure> {
    let server = Server::with_the_kinds("defaults-request").await?;
    for field in ["acceptAbsent", "suspend", "cancel"] {
        for value in [ABSENT, "null"] {
            let stored = server.would_create(REQUESTS, &with(request("acme"), field, value)).await;
            assert_eq!(at(&stored.unwrap(), field), false, "{field}: {value}");
        }
    }
    for value in [ABSENT, "null"] {
        let stored = server.would_create(REQUESTS, &with(request("acme"), "request", value)).await.unwrap();
        assert_eq!(at(&stored, "request"), Value::Null);
    }
    Ok(())
}

/// A profile that is compiled in never meets the server: both must read the same out of the same text.
#[tokio::test]
async fn the_server_and_the_operator_fill_in_the_same() -> Result<(), Failure> {
    let server = Server::with_the_kinds("defaults-same").await?;
    for (file, yaml) in built_in() {
        let compiled_in: Profile = serde_json::from_value(from_yaml(&yaml)).unwrap();
        let stored = server.would_create(PROVIDERS, &custom(&yaml)).await.expect(&file);
        let stored: Profile = serde_json::from_value(at(&stored, "customProfile")).unwrap();
        assert_eq!(stored, compiled_in);
    }
    let written: OffboardingProviderSpec = serde_json::from_value(provider("p")["spec"].clone()).unwrap();
    let stored = server.would_create(PROVIDERS, &provider("p")).await.unwrap();
    let stored: OffboardingProviderSpec = serde_json::from_value(stored["spec"].clone()).unwrap();
    assert_eq!(stored, written);
    Ok(())
}

fn at(object: &Value, path: &str) -> Value {
    let pointer = format!("/spec/{}", path.replace('.', "/"));
    object.pointer(&pointer).cloned().unwrap_or(Value::Null)
}
