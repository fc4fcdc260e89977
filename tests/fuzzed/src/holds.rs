//! Holds: objects that somebody else stored. What cannot be told holds.

use std::convert::Infallible;

use jiff::Timestamp;
use kube::{Client, ResourceExt as _, client::Body, runtime::watcher::Event};
use offboarding::{
    api::{CustomerHold, ProviderKind},
    controller::{ApiServer, Holds},
    domain::{HoldSeen, HoldsSeen, ProviderName},
};
use serde_json::Value;

use crate::stage::{CUSTOMER, customer, keys, noon, wait};

/// Somebody is held exactly where a hold stands that names them, may name them, or names everybody.
///
/// Each line is an object. No Secret can be read.
///
/// # Panics
/// Where a promise is broken.
pub fn hold(input: &[u8]) {
    let (holds, keys) = (Holds::default(), keys(1));
    holds.take(Event::Init);
    let mut stored = std::collections::BTreeMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        let Ok(json) = serde_json::from_slice::<Value>(line) else { continue };
        let Ok(object) = serde_json::from_slice::<CustomerHold>(line) else { continue };
        let name = object.name_any();
        holds.take(Event::InitApply(object));
        stored.insert(name, json);
    }
    holds.take(Event::InitDone);
    assert_eq!(holds.seen(), HoldsSeen::Unread, "nobody knows yet");
    wait(async { holds.resolve(&nothing_there(), "offboarding", Some(&keys)).await });
    let reference = keys.customer_ref(&customer(CUSTOMER));
    let ours = format!("hmac:{}:", keys.id());
    let billing = ProviderName {
        kind: ProviderKind::OffboardingProvider,
        namespace: "team".to_owned(),
        name: "billing".to_owned(),
    };
    for customer in [Some(&*reference), None] {
        let seen = holds.seen().on(customer, &billing, noon());
        let due = stored.iter().find(|(_, object)| holds_it(object, customer, &ours)).map(|(name, _)| name);
        match &seen {
            HoldSeen::By { name, .. } => assert_eq!(Some(name), due, "held by another one"),
            HoldSeen::Free => assert_eq!(due, None, "a hold is passed over"),
            HoldSeen::Unread => panic!("they are known by now"),
        }
    }
    wait(async { holds.resolve(&nothing_there(), "offboarding", None).await });
    let without_keys = holds.seen().on(Some(&reference), &billing, noon());
    let may_be_held = stored.values().any(|object| holds_it(object, None, ""));
    assert_eq!(without_keys != HoldSeen::Free, may_be_held, "without keys, anybody may be meant");
}

/// Whether a hold stands and is about this customer at this provider; read from its JSON.
fn holds_it(object: &Value, reference: Option<&str>, ours: &str) -> bool {
    let spec = &object["spec"];
    let list = |name: &str| spec[name].as_array().cloned().unwrap_or_default();
    let ends = spec["expiresAt"].as_str().and_then(|end| end.parse::<Timestamp>().ok());
    let (customers, providers) = (list("customers"), list("providers"));
    let is_here = |provider: &Value| {
        provider["name"] == "billing"
            && provider["namespace"] == "team"
            && provider.get("kind").is_none_or(|kind| kind == "OffboardingProvider")
    };
    let is_meant = |customer: &Value| match (customer["ref"].as_str(), reference) {
        // A pseudonym of this installation is the only thing that can be told apart.
        (Some(held), Some(reference)) if held.starts_with(ours) => held == reference,
        _ => true,
    };
    ends.is_none_or(|end| noon() < end)
        && (providers.is_empty() || providers.iter().any(is_here))
        && (spec["all"] == true || customers.is_empty() || customers.iter().any(is_meant))
}

/// An API server that has nothing.
fn nothing_there() -> ApiServer {
    let service = tower::service_fn(|_: http::Request<Body>| async {
        let mut answer = http::Response::new(Body::empty());
        *answer.status_mut() = http::StatusCode::NOT_FOUND;
        Ok::<_, Infallible>(answer)
    });
    ApiServer::new(Client::new(service, "default"))
}
