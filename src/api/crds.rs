//! The CustomResourceDefinitions, as `customer-offboarding-operator crds` prints them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::{
    ClusterOffboardingProvider, CustomerHold, CustomerOffboarding, OffboardingApproval, OffboardingProvider,
    OffboardingRecord,
};

/// Every kind's definition, as JSON values in the order in which they are printed.
///
/// Generated schemas are tidied: no `nullable` (a field is there or it is not), whole numbers as bounds, every list with a
/// list type, the first paragraph of each description on one line, and the default status that makes a brand-new object *in progress* for kstatus before the operator has seen it.
#[must_use]
pub fn crds() -> Vec<Value> {
    [
        ClusterOffboardingProvider::crd(),
        CustomerHold::crd(),
        CustomerOffboarding::crd(),
        OffboardingApproval::crd(),
        OffboardingProvider::crd(),
        OffboardingRecord::crd(),
    ]
    .into_iter()
    .map(tidy)
    .collect()
}

fn tidy(crd: CustomResourceDefinition) -> Value {
    let kind = crd.spec.names.kind.clone();
    let mut value = serde_json::to_value(crd).unwrap_or_default();
    let schema = &mut value["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    tidy_schema(schema);
    let unseen = match kind.as_str() {
        "CustomerOffboarding" => json!({ "observedGeneration": -1, "phase": "Pending", "finished": false }),
        "OffboardingProvider" | "ClusterOffboardingProvider" => json!({ "observedGeneration": -1 }),
        _ => Value::Null,
    };
    if !unseen.is_null() {
        schema["properties"]["status"]["default"] = unseen;
    }
    value
}

fn tidy_schema(node: &mut Value) {
    match node {
        Value::Object(map) => {
            map.remove("nullable");
            if let Some(Value::String(description)) = map.get_mut("description") {
                *description = description.split("\n\n").next().unwrap_or_default().replace('\n', " ");
            }
            if let Some(Value::Array(words)) = map.get_mut("enum") {
                words.retain(|word| !word.is_null());
            }
            if map.get("type") == Some(&json!("array")) {
                map.entry("x-kubernetes-list-type").or_insert_with(|| json!("atomic"));
            }
            for bound in ["minimum", "maximum"] {
                if let Some(number) = map.get(bound).and_then(Value::as_f64) {
                    #[expect(
                        clippy::cast_possible_truncation,
                        reason = "every bound we write is a whole number"
                    )]
                    map.insert(bound.to_owned(), json!(number as i64));
                }
            }
            map.values_mut().for_each(tidy_schema);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy_schema),
        _ => {}
    }
}
