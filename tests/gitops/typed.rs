//! What docs/gitops.md says to type is typed.

use std::{path::Path, process::Command};

use harness::{Binaries, Scratch};

use crate::{
    page::page,
    stage::{Stage, root},
};

/// As the platform team, in a cluster that has Argo CD's namespace and ConfigMap.
#[tokio::test]
async fn what_the_page_says_to_type_works() {
    let stage = Stage::shared().await;
    let there = "{apiVersion: v1, kind: Namespace, metadata: {name: NAME}}";
    for name in ["argocd", "offboarding"] {
        stage.plane.apply(&there.replace("NAME", name)).await.unwrap();
    }
    let config = "{apiVersion: v1, kind: ConfigMap, metadata: {name: argocd-cm, namespace: argocd}, data: {url: kept}}";
    stage.plane.apply(config).await.unwrap();
    let page = page();
    let blocks: Vec<&str> =
        page.split("```sh test\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    assert!(blocks.len() >= 2, "the blocks are found");
    let scratch = Scratch::new("gitops-page").unwrap();
    for block in blocks {
        run(stage, &scratch, block).await;
    }
    let get = ["get", "configmap", "argocd-cm", "-n", "argocd", "-o", "json"];
    let config = stage.plane.kubectl("admin").args(get).succeed().await.unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let keys = config["data"].as_object().unwrap();
    assert_eq!((keys["url"].as_str(), keys.len()), (Some("kept"), 5), "{:?}", keys.keys());
}

async fn run(stage: &Stage, scratch: &Scratch, block: &str) {
    let kubectl = Binaries::ready(&["kubectl"]).await.unwrap().path("kubectl");
    let path = format!(
        "{}:{}",
        kubectl.parent().unwrap_or(Path::new("/")).display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut bash = Command::new("bash");
    bash.args(["-euxo", "pipefail", "-c", block]).current_dir(root()).env("PATH", path);
    bash.env("KUBECONFIG", stage.plane.kubeconfig("admin")).env("KUBECACHEDIR", scratch.join("cache"));
    let ended = tokio::task::spawn_blocking(move || bash.output()).await.unwrap().unwrap();
    assert!(ended.status.success(), "{block}\n{}", String::from_utf8_lossy(&ended.stderr));
}
