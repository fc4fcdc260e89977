//! `docs/install.md`: the blocks marked `sh test`, one after the other, on an API server; and the overlay that it shows.

use std::{os::unix::fs::symlink, time::Duration};

use harness::{Binaries, ControlPlane, Failure, Launch, Options, Scratch};
use serde_json::{Value, json};

use crate::{release::root, stage::Stage};

const LONG: Duration = Duration::from_secs(120);

fn page() -> String {
    std::fs::read_to_string(root().join("docs/install.md")).unwrap()
}

#[tokio::test]
async fn what_the_page_about_installing_says_works() -> Result<(), Failure> {
    let stage = Stage::bare().await?;
    let directory = reader().await?;
    let page = page();
    let blocks =
        page.split("```sh test").skip(1).filter_map(|rest| rest.split("\n```").next()?.split_once('\n'));
    let blocks: Vec<(&str, &str)> = blocks.map(|(what, block)| (what.trim(), block)).collect();
    assert_eq!(blocks.len(), 7, "the blocks are found");
    let path = path().await?;
    for (what, block) in blocks {
        // The operator makes the key when it starts.
        let operator = if what == "key" { Some(stage.runs(&[]).await?) } else { None };
        let script = directory.write("script", &format!("cd {}\n{block}\n", directory.path().display()))?;
        let mut shell = Launch::new("bash", "bash")
            .args(["-euxo", "pipefail"])
            .arg(script)
            .env("KUBECONFIG", stage.plane.kubeconfig("admin"))
            .env("KUBECACHEDIR", directory.join("cache"))
            .env("HELM_CACHE_HOME", directory.join("cache"))
            .env("HELM_CONFIG_HOME", directory.join("helm"))
            .env("HELM_DATA_HOME", directory.join("helm"))
            .env("PATH", &path)
            .start(directory.path())?;
        let status = shell.wait(LONG).await?;
        assert!(status.success(), "{block}\n{}", shell.log());
        if let Some(mut operator) = operator {
            operator.terminate()?;
            operator.wait(LONG).await?;
        }
    }
    let key = std::fs::read_to_string(directory.join("installation-key.yaml")).unwrap();
    assert!(key.contains("type: offboarding.dev/installation-key"), "{key}");
    // What is applied in the end is what an operator runs on.
    stage.runs(&[]).await.map(drop)
}

#[tokio::test]
async fn the_overlay_that_the_page_shows_names_the_image_and_leaves_the_stamp_out() -> Result<(), Failure> {
    let directory = reader().await?;
    let page = page();
    let overlay = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("\n```").next()).unwrap();
    directory.write("Kustomization", overlay)?;
    let kubectl = Binaries::ready(&["kubectl"]).await?.path("kubectl");
    let built = std::process::Command::new(kubectl).arg("kustomize").arg(directory.path()).output();
    let built = built.map_err(Failure::to("run kubectl"))?;
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let objects: Vec<Value> = serde_saphyr::from_slice_multiple(&built.stdout).unwrap();
    assert!(objects.len() > 30, "{}", objects.len());
    assert!(objects.iter().all(|it| !it["kind"].to_string().contains("Mutating")));
    let deployment = objects.iter().find(|it| it["kind"] == "Deployment").unwrap();
    let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(*image, "registry.example.com/tools/customer-offboarding-operator:0.1.0");
    Ok(())
}

/// Bodies hold ids.
#[tokio::test]
async fn the_audit_policy_of_the_page_keeps_who_agreed_and_no_body_of_a_request() -> Result<(), Failure> {
    let directory = Scratch::new("audit")?;
    let page = page();
    let is_it = |block: &&str| block.contains("audit.k8s.io/v1");
    let policy = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("\n```").next()).find(is_it);
    let policy = directory.write("policy.yaml", policy.unwrap())?;
    let log = directory.join("audit.jsonl");
    let options = Options::default()
        .with_api_server_arg(format!("--audit-policy-file={}", policy.display()))
        .with_api_server_arg(format!("--audit-log-path={}", log.display()))
        .with_api_server_arg("--audit-log-mode=blocking-strict");
    let plane = ControlPlane::start(options).await?;
    plane.apply_path(&root().join("crds")).await?;
    let group = "offboarding.dev/v1alpha1";
    for (kind, spec) in [
        ("CustomerHold", json!({"type": "Freeze", "all": true})),
        (
            "CustomerOffboarding",
            json!({"customer": {"id": "cus_canary"}, "targets": [{"name": "a", "providerRef": {"name": "a"}}]}),
        ),
    ] {
        let object = json!({"apiVersion": group, "kind": kind, "metadata": {"name": "acme"}, "spec": spec});
        plane.kubectl("admin").arg("create").manifests(&object.to_string())?.succeed().await?;
    }
    let text = std::fs::read_to_string(log).map_err(Failure::to("read the audit log"))?;
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let created = |resource: &str| {
        let is_it = |event: &&Value| event["verb"] == "create" && event["objectRef"]["resource"] == resource;
        events.iter().find(is_it).unwrap()
    };
    let hold = created("customerholds");
    assert_eq!(
        (&hold["level"], &hold["requestObject"]["spec"]["all"]),
        (&json!("RequestResponse"), &json!(true))
    );
    let request = created("customeroffboardings");
    assert_eq!((&request["level"], &request["requestObject"]), (&json!("Metadata"), &Value::Null));
    assert!(!text.contains("cus_canary"));
    Ok(())
}

/// A directory with the repository's files that a reader needs.
async fn reader() -> Result<Scratch, Failure> {
    let directory = Scratch::new("page")?;
    for name in ["charts", "crds", "deploy"] {
        symlink(root().join(name), directory.join(name)).map_err(Failure::to("link the files"))?;
    }
    Ok(directory)
}

async fn path() -> Result<String, Failure> {
    let binaries = Binaries::ready(&["kubectl", "helm"]).await?;
    let directory = binaries.path("helm").parent().unwrap().display().to_string();
    Ok(format!("{directory}:{}", std::env::var("PATH").unwrap_or_default()))
}
