//! What the operator asked of the API server, as the API server's own audit log tells it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::stage::Stage;

const OPERATOR: &str = "system:serviceaccount:customer-offboarding:customer-offboarding-operator";

/// One request of the operator.
#[derive(Clone, Debug)]
pub struct Call {
    pub verb: String,
    /// `customeroffboardings/status`
    pub resource: String,
    pub namespace: String,
    pub name: String,
    pub uri: String,
}

/// How often each thing was asked: `get secrets` → 2.
pub type Tally = BTreeMap<String, usize>;

/// Everything that the operator asked so far, oldest first. A watch counts from its start, all else when it is answered.
pub fn calls(stage: &Stage) -> Vec<Call> {
    let counts = |event: &Value| {
        let stage = if event["verb"] == "watch" { "ResponseStarted" } else { "ResponseComplete" };
        event["user"]["username"] == OPERATOR && event["stage"] == stage
    };
    stage.plane.audit_events().unwrap().iter().filter(|event| counts(event)).map(call).collect()
}

fn call(event: &Value) -> Call {
    let object = &event["objectRef"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let below = object["subresource"].as_str().map(|below| format!("/{below}")).unwrap_or_default();
    Call {
        verb: text(&event["verb"]),
        resource: text(&object["resource"]) + &below,
        namespace: text(&object["namespace"]),
        name: text(&object["name"]),
        uri: text(&event["requestURI"]),
    }
}

impl Call {
    pub fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }
}

pub fn tally<'a>(calls: impl IntoIterator<Item = &'a Call>) -> Tally {
    let mut tally = Tally::new();
    for call in calls {
        *tally.entry(format!("{} {}", call.verb, call.resource)).or_default() += 1;
    }
    tally
}

/// `tally_of([("get secrets", 2)])`, to compare with.
pub fn tally_of<const N: usize>(entries: [(&str, usize); N]) -> Tally {
    entries.into_iter().map(|(what, count)| (what.to_owned(), count)).collect()
}
