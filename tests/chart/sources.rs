//! Nothing stands twice: what the chart renders of `crds/` and `deploy/` is what stands there, and so is every copy.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

use crate::rendered::{CHART, documents, helm, key, read, root, sets};

/// Copied by `charts/sync.sh`; with `ACCEPT=1` it is run first.
#[test]
fn the_copies_in_the_chart_are_what_they_were_copied_from() {
    if std::env::var_os("ACCEPT").is_some() {
        assert!(Command::new(root().join("charts/sync.sh")).status().unwrap().success());
    }
    let how = "run charts/sync.sh";
    for name in ["admission", "personas", "roles", "stamp-requester"] {
        let copy = read(&format!("{CHART}/files/{name}.yaml"));
        assert!(copy == read(&format!("deploy/{name}.yaml")), "deploy/{name}.yaml is another one; {how}");
    }
    let names = |directory: &str| {
        let entries = std::fs::read_dir(root().join(directory)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".yaml")).collect();
        names.sort();
        names
    };
    let copies = format!("{CHART}/files/crds");
    assert_eq!(names(&copies), names("crds"), "{how}");
    for name in names("crds") {
        assert!(read(&format!("{copies}/{name}")) == read(&format!("crds/{name}")), "crds/{name}: {how}");
    }
    let kustomization = documents(&read("crds/Kustomization")).remove(0);
    assert_eq!(kustomization["resources"], serde_json::json!(names("crds")), "crds/Kustomization");
}

#[tokio::test]
async fn the_chart_renders_every_object_of_crds_and_deploy_as_it_stands() {
    let rendered: BTreeMap<_, _> =
        helm().await.renders(&[]).into_iter().map(|object| (key(&object), object)).collect();
    let mut count = 0;
    for file in sources() {
        for due in documents(&read(&file)) {
            // The release is in it before it can render anything.
            if due["kind"] == "Namespace" {
                continue;
            }
            let found =
                rendered.get(&key(&due)).unwrap_or_else(|| panic!("{file}: {:?} is missing", key(&due)));
            assert_eq!(bare(found), bare(&due), "{file}: {:?}", key(&due));
            count += 1;
        }
    }
    assert!(count > 30, "only {count} objects were found");
}

#[tokio::test]
async fn what_the_chart_adds_to_them_is_known() {
    let known: Vec<_> = sources().iter().flat_map(|file| documents(&read(file))).map(|it| key(&it)).collect();
    let rendered = helm().await.renders(&[]);
    let added = rendered.iter().map(key).filter(|key| !known.contains(key));
    let mut added: Vec<String> = added.map(|[kind, _, name]| format!("{kind} {name}")).collect();
    added.sort();
    let due = [
        "Deployment customer-offboarding-operator",
        "NetworkPolicy customer-offboarding-operator",
        "PodDisruptionBudget customer-offboarding-operator",
        "Service customer-offboarding-operator-metrics",
    ];
    assert_eq!(added, due);
}

/// An operator compares the policies with its own copy: whatever the values, a policy is left out or as it is.
#[tokio::test]
async fn no_value_changes_a_word_of_a_policy_or_of_a_kind() {
    let sources: BTreeMap<_, _> = sources()
        .iter()
        .flat_map(|file| documents(&read(file)))
        .map(|object| (key(&object), object))
        .collect();
    for set in sets() {
        for object in helm().await.renders_set(&set) {
            let kind = object["kind"].as_str().unwrap();
            if kind == "CustomResourceDefinition" || kind.contains("AdmissionPolicy") {
                assert_eq!(object["spec"], sources[&key(&object)]["spec"], "{set}: {:?}", key(&object));
            }
        }
    }
}

fn sources() -> Vec<String> {
    let mut files = ["admission", "personas", "roles", "stamp-requester"]
        .map(|name| format!("deploy/{name}.yaml"))
        .to_vec();
    let kinds = std::fs::read_dir(root().join("crds")).unwrap();
    let kinds = kinds.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    files.extend(kinds.filter(|name| name.ends_with(".yaml")).map(|name| format!("crds/{name}")));
    files
}

/// An object without what the chart adds: its labels, the marks of what is kept, and whether pods get the token.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove("automountServiceAccountToken");
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.remove("annotations");
    if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
        labels.retain(|label, _| !label.starts_with("app.kubernetes.io/") && !label.starts_with("helm.sh/"));
        if labels.is_empty() {
            metadata.remove("labels");
        }
    }
    object
}
