//! Without Helm: `deploy/plain/operator.yaml`, made of the chart, and the kustomization over everything.

use std::{collections::BTreeMap, process::Command};

use harness::Binaries;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{
    golden,
    rendered::{documents, helm, key, read, root},
};

const HEAD: &str = "# What runs, as the chart renders it for all namespaces; the rest stands in crds/ and deploy/.\n# Generated: `make manifests`.\n";

/// With `ACCEPT=1` one test writes what the other reads.
static FILE: Mutex<()> = Mutex::const_new(());

/// What has no file of its own in `deploy/`, without the labels that are about Helm.
#[tokio::test]
async fn the_plain_manifest_is_what_the_chart_adds_to_deploy() {
    let _file = FILE.lock().await;
    let known: Vec<_> = ["admission", "personas", "roles", "stamp-requester"]
        .iter()
        .flat_map(|name| documents(&read(&format!("deploy/{name}.yaml"))))
        .map(|object| key(&object))
        .collect();
    let rendered = helm().await.renders(&[]);
    let added = rendered
        .iter()
        .filter(|it| it["kind"] != "CustomResourceDefinition" && !known.contains(&key(it)))
        .map(without_helm);
    let added: BTreeMap<_, _> = added.map(|object| (key(&object), object)).collect();
    let documents = added.values().map(|object| serde_saphyr::to_string(object).unwrap());
    let documents: Vec<String> = documents.map(|text| format!("---\n{}\n", text.trim_end())).collect();
    let page = format!("{HEAD}{}", documents.concat());
    golden::assert_directory_holds("deploy/plain", &[("operator.yaml".to_owned(), page)], "yaml");
}

fn without_helm(object: &Value) -> Value {
    let mut object = object.clone();
    let strip = |metadata: &mut Value| {
        if let Some(labels) = metadata["labels"].as_object_mut() {
            let of_helm = ["helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/instance"];
            labels.retain(|label, _| !of_helm.contains(&label.as_str()));
        }
    };
    strip(&mut object["metadata"]);
    if object["kind"] == "Deployment" {
        strip(&mut object["spec"]["template"]["metadata"]);
    }
    object
}

/// Every object of every file, with the marks that keep Argo CD and Flux from taking it away.
#[tokio::test]
async fn the_kustomization_has_everything_and_marks_what_is_kept() {
    let _file = FILE.lock().await;
    let kubectl = Binaries::ready(&["kubectl"]).await.unwrap().path("kubectl");
    let built = Command::new(kubectl).args(["kustomize", "deploy"]).current_dir(root()).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let built = documents(&String::from_utf8(built.stdout).unwrap());
    let built: BTreeMap<_, _> = built.into_iter().map(|object| (key(&object), object)).collect();
    let mut files = vec!["deploy/plain/operator.yaml".to_owned()];
    for directory in ["crds", "deploy"] {
        let entries = std::fs::read_dir(root().join(directory)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        files.extend(names.filter(|it| it.ends_with(".yaml")).map(|name| format!("{directory}/{name}")));
    }
    let mut count = 0;
    for mut due in files.iter().flat_map(|file| documents(&read(file))) {
        let kind = due["kind"].as_str().unwrap();
        if kind == "CustomResourceDefinition" || kind == "Namespace" || kind.contains("AdmissionPolicy") {
            due["metadata"]["annotations"] = json!({
                "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
                "kustomize.toolkit.fluxcd.io/prune": "disabled",
            });
        }
        assert_eq!(built.get(&key(&due)), Some(&due), "{:?}", key(&due));
        count += 1;
    }
    assert_eq!(count, built.len());
}
