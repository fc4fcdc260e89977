//! The admission policies as they are in the cluster, compared with those that this operator comes with (`deploy/admission.yaml`).
//!
//! Who agreed is only known because admission refused everybody else who would have said so. A policy that is weaker by one word
//! lets somebody agree in another's name, and nobody would see it in the approval. So the whole spec is compared, with the
//! fields that the server fills in, and what it came to be before it was as shipped does not count.

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::api_server::{ApiError, ApiServer};
use crate::domain::PolicyState;

/// The file that users apply. It names the operator's account, of the namespace and name that `deploy/` gives it: an
/// operator that runs as somebody else finds `operator-only` different, and could not write a status under it anyway.
const SHIPPED: &str = include_str!("../../deploy/admission.yaml");

/// What approvals stand on. The policy `evidence` is shipped beside them; no decision depends on it.
const NAMES: [&str; 4] = [
    "requests.offboarding.dev",
    "approvals.offboarding.dev",
    "denials.offboarding.dev",
    "operator-only.offboarding.dev",
];

const POLICY: &str = "ValidatingAdmissionPolicy";
const BINDING: &str = "ValidatingAdmissionPolicyBinding";

/// The policies and their bindings, read live.
pub async fn live(api: &ApiServer) -> PolicyState {
    let shipped: Vec<Value> = serde_saphyr::from_slice_multiple(SHIPPED.as_bytes()).unwrap_or_default();
    let asked: Vec<(&'static str, &'static str)> =
        [POLICY, BINDING].into_iter().flat_map(|kind| NAMES.map(|name| (kind, name))).collect();
    let answers = asked.into_iter().map(|(kind, name)| ask(api, &shipped, kind, name));
    state_of(join_all(answers).await)
}

/// One policy or binding, by its kind and name.
async fn ask(api: &ApiServer, shipped: &[Value], kind: &'static str, name: &'static str) -> (String, Judged) {
    let live = match kind {
        POLICY => api.get_untyped::<ValidatingAdmissionPolicy>(name).await,
        _ => api.get_untyped::<ValidatingAdmissionPolicyBinding>(name).await,
    };
    (format!("{kind} {name}"), judged(shipped, kind, name, live))
}

/// What is known of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    AsShipped { since: Timestamp },
    Different,
    Unanswered,
}

/// What cannot be read is as good as missing, and stays so; who did not answer may answer next time.
fn judged(
    shipped: &[Value],
    kind: &str,
    name: &str,
    live: Result<Option<DynamicObject>, ApiError>,
) -> Judged {
    let object = match live {
        Ok(Some(object)) => object,
        Err(ApiError::Unanswered) => return Judged::Unanswered,
        Ok(None) | Err(_) => return Judged::Different,
    };
    let spec = &object.data["spec"];
    let is_as_shipped = match kind {
        POLICY => spec_of(shipped, kind, name).is_some_and(|due| filled_in(due) == filled_in(spec)),
        _ => is_in_force(spec, name),
    };
    match since(&object).filter(|_| is_as_shipped) {
        Some(since) => Judged::AsShipped { since },
        None => Judged::Different,
    }
}

fn state_of(judged: Vec<(String, Judged)>) -> PolicyState {
    let of = |what: Judged| judged.iter().filter(move |(_, it)| *it == what).map(|(name, _)| name.clone());
    let missing: Vec<String> = of(Judged::Different).collect();
    let youngest = judged.iter().filter_map(|(_, it)| match it {
        Judged::AsShipped { since } => Some(*since),
        Judged::Different | Judged::Unanswered => None,
    });
    match youngest.max() {
        _ if !missing.is_empty() => PolicyState::Missing(missing),
        Some(since) if of(Judged::Unanswered).next().is_none() => PolicyState::AsShipped { since },
        _ => PolicyState::Unanswered,
    }
}

fn spec_of<'a>(shipped: &'a [Value], kind: &str, name: &str) -> Option<&'a Value> {
    let is_it = |it: &&Value| it["kind"] == kind && it["metadata"]["name"] == name;
    shipped.iter().find(is_it).map(|it| &it["spec"])
}

/// A policy's spec with the fields that the server fills in where they are left out.
fn filled_in(spec: &Value) -> Value {
    let mut spec = spec.clone();
    let fill = |object: &mut Value, field: &str, default: Value| {
        if let Some(fields) = object.as_object_mut() {
            fields.entry(field).or_insert(default);
        }
    };
    fill(&mut spec, "failurePolicy", json!("Fail"));
    let constraints = &mut spec["matchConstraints"];
    fill(constraints, "matchPolicy", json!("Equivalent"));
    fill(constraints, "namespaceSelector", json!({}));
    fill(constraints, "objectSelector", json!({}));
    for rule in constraints["resourceRules"].as_array_mut().into_iter().flatten() {
        fill(rule, "scope", json!("*"));
    }
    spec
}

/// A binding refuses, wherever and whatever the object; further actions such as Audit take nothing away.
fn is_in_force(spec: &Value, policy: &str) -> bool {
    let Some(fields) = spec.as_object() else { return false };
    let refuses = spec["validationActions"].as_array().is_some_and(|them| them.contains(&json!("Deny")));
    let is_plain = fields.keys().all(|it| ["policyName", "validationActions"].contains(&it.as_str()));
    spec["policyName"] == policy && refuses && is_plain
}

/// Since when it says what it says; nothing where that cannot be told.
///
/// Its creation, as long as its spec was never another (generation 1): who weakens it and mends it again leaves the creation
/// as it was. After a change it is the last write of anybody but of the server's status, which may be later than the change.
/// One change leaves no time behind: a field added by a client that owns nothing else, and taken away by the same one. Who may
/// do that may also impersonate an approver.
fn since(object: &DynamicObject) -> Option<Timestamp> {
    let created = object.metadata.creation_timestamp.as_ref()?.0;
    if object.metadata.generation == Some(1) {
        return Some(created);
    }
    let writes = object.metadata.managed_fields.iter().flatten().filter(|it| it.subresource.is_none());
    writes.filter_map(|it| it.time.as_ref()).map(|time| time.0).max().map(|last| last.max(created))
}

#[cfg(test)]
mod tests;
