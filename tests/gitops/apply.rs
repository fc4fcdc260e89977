//! What GitOps tools do to a cluster, on a real API server with the operator at work: apply, apply again, press a button, prune.

use std::collections::BTreeSet;

use harness::{
    Options,
    Provider::{self, Juicyway, Revolv3},
    Subject,
};
use offboarding::api::crds;
use serde_json::{Value, json};

use crate::{
    actions,
    stage::{Stage, root},
    story::{Story, condition, merge},
};

/// Argo CD's controller, and the name that it applies under. Flux's is another; the server treats them alike.
const ARGO: &str = "system:serviceaccount:argocd:argocd-application-controller";
const MANAGER: &str = "argocd-controller";

/// What the server fills in where a manifest leaves it out, by the example that leaves it out. docs/gitops.md lists them.
const FILLED_IN: &[(&str, &[&str])] = &[
    ("shared.yaml", PROVIDER),
    ("revolv3.yaml", PROVIDER),
    ("request.yaml", REQUEST),
    ("everywhere.yaml", REQUEST),
    ("hold.yaml", &["all"]),
];
const PROVIDER: &[&str] = &[
    "approvals.maxValidity",
    "approvals.separationOfDuties",
    "coolingOff",
    "idClass",
    "recheckInterval",
    "suspend",
];
const REQUEST: &[&str] = &["acceptAbsent", "cancel", "suspend"];

#[tokio::test]
async fn what_is_applied_again_while_the_operator_works_changes_nothing_and_conflicts_with_nobody() {
    // A stage of its own: the example's hold stops everybody.
    let stage = Stage::start(Options::default()).await.unwrap();
    stage
        .play("applied", async |story| {
            is_told_what_to_apply(story).await;
            let manifests = examples(story);
            for (name, manifest) in &manifests {
                let created = apply(story, manifest).await;
                let generation = &created["status"]["observedGeneration"];
                assert!(name.starts_with("hold") || *generation == -1, "kstatus: {name} is in progress");
            }
            for (_, manifest) in &manifests {
                worked_on(story, manifest).await;
            }
            for (name, manifest) in &manifests {
                changes_nothing(story, manifest).await;
                let live = live(story, manifest).await;
                assert_nobody_shares_a_field(&live, name);
                assert_eq!(
                    said(&live["spec"], &manifest["spec"]),
                    manifest["spec"],
                    "{name}: Argo CD sees it as it is"
                );
                let filled_in = FILLED_IN.iter().find(|(of, _)| of == name).unwrap().1;
                assert_eq!(more(&live["spec"], &manifest["spec"]), filled_in, "{name}");
                are_defaults(manifest, filled_in);
            }
        })
        .await;
}

#[test]
fn the_page_lists_what_the_server_fills_in() {
    let page = std::fs::read_to_string(root().join("docs/gitops.md")).unwrap();
    for field in FILLED_IN.iter().flat_map(|(_, fields)| *fields) {
        assert!(page.contains(&format!("`{field}`")), "{field}");
    }
}

#[tokio::test]
async fn a_button_of_argo_cd_does_what_it_says_and_the_next_apply_leaves_it() {
    Stage::shared()
        .await
        .play("buttons", async |story| {
            is_told_what_to_apply(story).await;
            story.sandbox.seed(Juicyway, "cus_button", &json!({})).await.unwrap();
            story.provider(Juicyway, json!({"approvals": {"required": 1}})).await;
            let manifest = request("acme", Juicyway, "cus_button");
            apply(story, &manifest).await;
            story.says_it_waits_for("acme", "AwaitingApproval").await;
            let looks = story.looks(Juicyway, "cus_button").await;
            press(story, &actions::patch("retry", false)).await;
            story.until_looks(Juicyway, "cus_button", looks + 1).await;
            press(story, &actions::patch("suspend", false)).await;
            story.says_it_waits_for("acme", "Suspended").await;
            changes_nothing(story, &manifest).await;
            story.says_it_waits_for("acme", "Suspended").await;
            press(story, &actions::patch("resume", true)).await;
            story.says_it_waits_for("acme", "AwaitingApproval").await;
            press(story, &actions::patch("cancel", false)).await;
            assert_eq!(story.finished("acme").await["result"], "Cancelled");
            changes_nothing(story, &manifest).await;
            assert_eq!(story.deletes(Juicyway, "cus_button").await, 0);
        })
        .await;
}

/// The folder is emptied, filled again, emptied and filled again.
#[tokio::test]
async fn a_folder_that_is_pruned_and_comes_back_deletes_nobody() {
    const MANY: usize = 20;
    Stage::shared()
        .await
        .play("pruned", async |story| {
            is_told_what_to_apply(story).await;
            for n in 0..MANY {
                story.sandbox.seed(Juicyway, &format!("cus_{n}"), &json!({})).await.unwrap();
            }
            story.sandbox.seed(Revolv3, "90017", &json!({})).await.unwrap();
            story.provider(Juicyway, json!({"approvals": {"required": 1}})).await;
            story.provider(Revolv3, json!({})).await;
            let waiting = (0..MANY).map(|n| request(&format!("waits-{n}"), Juicyway, &format!("cus_{n}")));
            let done = request("done", Revolv3, "90017");
            let folder: Vec<Value> = waiting.chain([done]).collect();
            for result in ["Deactivated", "AlreadyAbsent", "AlreadyAbsent"] {
                apply(story, &list(&folder)).await;
                for condition in ["--for=condition=Ready", "--for=condition=Verified"] {
                    story.kubectl(["wait", "--timeout=50s", condition, "cob/done"]).await;
                }
                assert_eq!(story.status("done").await["result"], result);
                for n in 0..MANY {
                    story.says_it_waits_for(&format!("waits-{n}"), "AwaitingApproval").await;
                }
                prune(story, &list(&folder)).await;
                assert_eq!(story.deletes(Revolv3, "90017").await, 1, "that of the first time");
                for n in 0..MANY {
                    assert_eq!(story.deletes(Juicyway, &format!("cus_{n}")).await, 0);
                }
            }
        })
        .await;
}

impl Story<'_> {
    async fn says_it_waits_for(&self, request: &str, reason: &str) {
        self.reason(request, "Waiting", reason).await;
    }
}

/// Argo CD gets the roles of a requester, of the platform team and of legal: as much as a tool could be given.
async fn is_told_what_to_apply(story: &Story<'_>) {
    for (role, namespace) in [
        ("offboarding-requester", Some(&story.namespace)),
        ("offboarding-platform", None),
        ("offboarding-legal", None),
    ] {
        story.stage.plane.bind(role, Subject::User(ARGO), namespace).await.unwrap();
    }
    // The API server takes notice a moment later.
    for kind in
        ["customeroffboardings", "offboardingproviders", "clusteroffboardingproviders", "customerholds"]
    {
        let may = || async {
            let kubectl = story.stage.plane.kubectl("argocd").args(["auth", "can-i", "create", kind]);
            let told = kubectl.args(["-n", story.namespace.name()]).run().await.unwrap();
            if told.stdout.trim() == "yes" { Ok(()) } else { Err(told) }
        };
        story.wait(&format!("Argo CD may create {kind}"), may).await;
    }
}

fn request(name: &str, provider: Provider, id: &str) -> Value {
    json!({
        "apiVersion": "offboarding.dev/v1alpha1",
        "kind": "CustomerOffboarding",
        "metadata": { "name": name },
        "spec": {
            "customer": { "id": id },
            "targets": [{ "name": "billing", "providerRef": { "name": provider.name() } }],
        },
    })
}

/// Examples as they stand but for where the sandbox is; the hold last, because it stops everybody.
fn examples(story: &Story<'_>) -> Vec<(&'static str, Value)> {
    let addresses = story.sandbox.addresses();
    let at = |url: &str| {
        json!({ "spec": {
            "baseUrl": url, "allowedCIDRs": ["127.0.0.0/8"], "tls": { "caBundle": addresses.ca_bundle },
        }})
    };
    let served = json!({ "spec": { "allowedNamespaces": [story.namespace.name()] } });
    let changes = [
        ("shared.yaml", vec![at(&addresses.juicyway), served]),
        ("revolv3.yaml", vec![at(&addresses.revolv3)]),
        ("request.yaml", vec![]),
        ("everywhere.yaml", vec![]),
        ("hold.yaml", vec![]),
    ];
    changes
        .into_iter()
        .map(|(name, changes)| {
            let text = std::fs::read_to_string(root().join("examples").join(name)).unwrap();
            let mut manifest: Value = serde_saphyr::from_str(&text).unwrap();
            changes.into_iter().for_each(|change| merge(&mut manifest, change));
            (name, manifest)
        })
        .collect()
}

async fn apply(story: &Story<'_>, manifest: &Value) -> Value {
    let kubectl = story.stage.plane.kubectl("argocd").args(["apply", "--server-side", "-o", "json"]);
    let kubectl = kubectl.args(["--field-manager", MANAGER, "-n", story.namespace.name()]);
    let told = kubectl.manifests(&manifest.to_string()).unwrap().succeed().await.unwrap();
    serde_json::from_str(&told).unwrap()
}

fn list(folder: &[Value]) -> Value {
    json!({ "apiVersion": "v1", "kind": "List", "items": folder })
}

async fn prune(story: &Story<'_>, folder: &Value) {
    let kubectl = story.stage.plane.kubectl("argocd").args(["delete", "--timeout=50s"]);
    let kubectl = kubectl.args(["-n", story.namespace.name()]);
    kubectl.manifests(&folder.to_string()).unwrap().succeed().await.unwrap();
}

/// As Argo CD's server does, which has the rights of a requester here.
async fn press(story: &Story<'_>, patch: &Value) {
    let kubectl = story.stage.plane.kubectl("argocd").args(["patch", "cob", "acme", "--type=merge"]);
    let kubectl = kubectl.args(["--field-manager=argocd-server", "-n", story.namespace.name()]);
    kubectl.args(["-p", &patch.to_string()]).succeed().await.unwrap();
}

async fn live(story: &Story<'_>, manifest: &Value) -> Value {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let [kind, name] = [&manifest["kind"], &manifest["metadata"]["name"]].map(text);
    let kubectl = story.stage.plane.kubectl("admin").args(["get", &kind, &name, "--show-managed-fields"]);
    let told = kubectl.args(["-o", "json", "-n", story.namespace.name()]).succeed().await.unwrap();
    serde_json::from_str(&told).unwrap()
}

/// The operator has looked, and waits for somebody; the credentials come after who needs them, as in real clusters.
async fn worked_on(story: &Story<'_>, manifest: &Value) {
    match manifest["kind"].as_str().unwrap() {
        "CustomerHold" => {}
        "CustomerOffboarding" => {
            let name = manifest["metadata"]["name"].as_str().unwrap();
            story.until(name, "it was seen", |status| status["observedGeneration"] == 1).await;
        }
        _ => {
            let is_seen = || async {
                let object = live(story, manifest).await;
                let told = condition(&object["status"], "Ready");
                if told["reason"] == "SecretUnavailable" { Ok(()) } else { Err(told) }
            };
            story.wait("the provider object is looked at", is_seen).await;
        }
    }
}

/// Once what the operator had to write is written, an apply writes nothing.
async fn changes_nothing(story: &Story<'_>, manifest: &Value) {
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    let is_unchanged = || async {
        let before = version(&live(story, manifest).await);
        let after = version(&apply(story, manifest).await);
        if before == after { Ok(()) } else { Err((before, after)) }
    };
    story.wait("an apply changes nothing", is_unchanged).await;
}

/// The tool owns what Git says, and who asked, which admission wrote down for it; the operator owns the status, where there is one.
fn assert_nobody_shares_a_field(object: &Value, name: &str) {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let owned = |manager: &str| -> BTreeSet<&str> {
        let own = entries.iter().filter(|entry| entry["manager"] == manager);
        own.flat_map(|entry| entry["fieldsV1"].as_object().unwrap().keys()).map(String::as_str).collect()
    };
    let managers: BTreeSet<&str> = entries.iter().filter_map(|entry| entry["manager"].as_str()).collect();
    let has_status = !object["status"].is_null();
    let expected: BTreeSet<&str> =
        [Some(MANAGER), has_status.then_some("operator")].into_iter().flatten().collect();
    assert_eq!(managers, expected, "{name}");
    assert!(
        owned(MANAGER).is_subset(&BTreeSet::from(["f:metadata", "f:spec"])),
        "{name}: {:?}",
        owned(MANAGER)
    );
    assert!(owned("operator").iter().all(|field| *field == "f:status"), "{name}: {:?}", owned("operator"));
}

/// What of `live` a manifest speaks of: Argo CD compares just that. Source: gitops-engine pkg/utils/json, `RemoveMapFields`.
fn said(live: &Value, manifest: &Value) -> Value {
    match (live, manifest) {
        (Value::Object(live), Value::Object(manifest)) => {
            let known = live.iter().filter_map(|(key, value)| Some((key, value, manifest.get(key)?)));
            Value::Object(known.map(|(key, value, of)| (key.clone(), said(value, of))).collect())
        }
        (Value::Array(live), Value::Array(manifest)) => {
            let of = |at: usize| manifest.get(at).unwrap_or(&Value::Null);
            Value::Array(live.iter().enumerate().map(|(at, value)| said(value, of(at))).collect())
        }
        _ => live.clone(),
    }
}

/// The fields that are in `live` and not in the manifest, as paths.
fn more(live: &Value, manifest: &Value) -> Vec<String> {
    let (Some(live), Some(manifest)) = (live.as_object(), manifest.as_object()) else { return Vec::new() };
    let paths = live.iter().flat_map(|(key, value)| match manifest.get(key) {
        None => vec![key.clone()],
        Some(of) => more(value, of).into_iter().map(|path| format!("{key}.{path}")).collect(),
    });
    paths.collect()
}

/// Each of these fields has a default in the schema: nobody else wrote it.
fn are_defaults(manifest: &Value, fields: &[&str]) {
    let crd = crds().into_iter().find(|it| it["spec"]["names"]["kind"] == manifest["kind"]).unwrap();
    let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    for field in fields {
        let node = field.split('.').fold(spec, |node, name| &node["properties"][name]);
        assert!(!node["default"].is_null(), "{field} has no default");
    }
}
