//! The judge (`judge/`, Go): the tools' own code, shown every golden object.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Command, Stdio},
    sync::LazyLock,
};

use offboarding::api::Phase;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::stage::root;

/// What the tools make of one object.
#[derive(Deserialize, Debug)]
pub struct Verdict {
    pub object: Value,
    pub kstatus: String,
    pub flux: String,
    /// `None` where Argo CD has no opinion.
    pub argo: Option<Health>,
    pub actions: BTreeMap<String, Action>,
}

#[derive(Deserialize, Debug)]
pub struct Health {
    pub status: String,
    pub message: String,
}

/// What one of Argo CD's buttons does, as a JSON merge patch.
#[derive(Deserialize, Debug)]
pub struct Action {
    pub disabled: bool,
    pub patch: Option<Value>,
}

impl Verdict {
    pub fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap()
    }

    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or("")
    }

    pub fn argo(&self) -> &str {
        self.argo.as_ref().map_or("none", |health| health.status.as_str())
    }
}

/// Of every golden object, requests first, in the order of their phases.
pub fn verdicts() -> &'static [Verdict] {
    static VERDICTS: LazyLock<Vec<Verdict>> = LazyLock::new(judged);
    &VERDICTS
}

fn judged() -> Vec<Verdict> {
    let built = Command::new(root().join("tests/gitops/judge/build.sh")).stderr(Stdio::inherit()).output();
    let built = built.unwrap();
    assert!(built.status.success(), "build.sh ended with {}", built.status);
    let judge = String::from_utf8(built.stdout).unwrap();
    let record = record();
    let told = Command::new(judge.trim_end())
        .arg(root().join("deploy/gitops/argocd/argocd-cm.yaml"))
        .arg(root().join("deploy/gitops/flux/kustomization.yaml"))
        .args(committed())
        .arg(record.path())
        .output()
        .unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let lines = String::from_utf8(told.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn committed() -> impl Iterator<Item = PathBuf> {
    let requests = Phase::ALL.iter().map(|phase| format!("tests/golden/requests/{phase}.yaml"));
    let others = ["tests/golden/providers/providers.yaml", "examples/approval.yaml", "examples/hold.yaml"];
    requests.chain(others.map(str::to_owned)).map(|path| root().join(path))
}

/// The record that tests/kinds shows to the API server.
fn record() -> NamedTempFile {
    let spec = std::fs::read_to_string(root().join("tests/kinds/record.yaml")).unwrap();
    let spec: Value = serde_saphyr::from_str(&spec).unwrap();
    let object = json!({
        "apiVersion": "offboarding.dev/v1alpha1",
        "kind": "OffboardingRecord",
        "metadata": { "name": "r-1", "generation": 1 },
        "spec": spec,
    });
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), object.to_string()).unwrap();
    file
}
