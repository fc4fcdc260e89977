//! What kube-state-metrics is told to read is there in the CRDs, and the words that it counts are all of them.

use offboarding::api::{OffboardingResult, Phase, crds};
use serde_json::Value;

use crate::{list, word, yaml};

const CONFIG: &str = "deploy/kube-state-metrics/config.yaml";

/// What every object has.
const METADATA: &[&str] = &["name", "namespace", "creationTimestamp"];

fn resources() -> Vec<Value> {
    let resources = list(&yaml(CONFIG)["spec"]["resources"]).to_vec();
    assert_eq!(resources.len(), 3, "requests and both kinds of provider objects");
    resources
}

fn schema_of(kind: &str) -> Value {
    let crd = crds().into_iter().find(|crd| crd["spec"]["names"]["kind"] == kind);
    crd.unwrap_or_else(|| panic!("there is no kind {kind}"))["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// What stands at a path; a list stands for each of its entries.
fn at<'a>(schema: &'a Value, path: &Value) -> Option<&'a Value> {
    let mut here = schema;
    for key in list(path) {
        here = &here["properties"][word(key)];
        here = if here["items"].is_object() { &here["items"] } else { here };
    }
    here.is_object().then_some(here)
}

fn is_metadata(path: &Value) -> bool {
    path[0] == "metadata" && list(path).len() == 2 && METADATA.contains(&word(&path[1]))
}

#[test]
fn kube_state_metrics_reads_fields_that_exist() {
    let mut count = 0;
    for resource in resources() {
        let kind = word(&resource["groupVersionKind"]["kind"]).to_owned();
        let schema = schema_of(&kind);
        let is_there = |from: &Value, path: &Value| is_metadata(path) || at(from, path).is_some();
        for (label, path) in resource["labelsFromPath"].as_object().into_iter().flatten() {
            assert!(is_there(&schema, path), "{kind}: {label} is read from {path}");
        }
        for metric in list(&resource["metrics"]) {
            let name = format!("{kind}: {}", metric["name"]);
            let each = &metric["each"];
            let told =
                ["gauge", "stateSet", "info"].iter().map(|key| &each[*key]).find(|told| told.is_object());
            let told = told.unwrap_or_else(|| panic!("{name} reads nothing"));
            let path = &told["path"];
            assert!(path.is_null() || is_there(&schema, path), "{name} is read from {path}");
            let here =
                if is_metadata(path) { &schema } else { at(&schema, path).expect("it was found before") };
            for below in told["labelsFromPath"].as_object().into_iter().flatten().map(|(_, path)| path) {
                assert!(is_there(here, below), "{name} reads {below} there");
            }
            assert!(told["valueFrom"].is_null() || is_there(here, &told["valueFrom"]), "{name}: its value");
            count += 1;
        }
    }
    assert!(count > 15, "{count} metrics are found");
}

#[test]
fn kube_state_metrics_counts_every_phase_and_result() {
    let resources = resources();
    let words_of = |label: &str| -> Vec<String> {
        let metrics = list(&resources[0]["metrics"]).iter();
        let counted = metrics.map(|metric| &metric["each"]["stateSet"]).find(|set| set["labelName"] == label);
        list(&counted.expect("it is counted")["list"]).iter().map(|it| word(it).to_owned()).collect()
    };
    assert_eq!(words_of("phase"), Phase::ALL.iter().map(|it| it.as_str()).collect::<Vec<_>>());
    // A record can be closed as Recreated; its request says Failed.
    let results = OffboardingResult::ALL.iter().filter(|it| **it != OffboardingResult::Recreated);
    assert_eq!(words_of("result"), results.map(|it| it.as_str()).collect::<Vec<_>>());
}
