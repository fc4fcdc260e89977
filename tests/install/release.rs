//! A release of the chart, and the process that its pod would run.

use std::{path::PathBuf, time::Duration};

use harness::{ControlPlane, Failure, Launch, Scratch, Tool};
use serde_json::Value;

pub const CHART: &str = "charts/customer-offboarding-operator";
pub const NAMESPACE: &str = "customer-offboarding";

const PROGRAM: &str = env!("CARGO_BIN_EXE_customer-offboarding-operator");

/// What the tests of one machine need: providers on its loopback.
pub const ON_THE_LOOPBACK: &str = "--set=operator.allowedCIDRs={127.0.0.0/8}";

/// The tests' namespaces have names of their own.
pub const EVERYWHERE: &str = "--set=clusterWide=true";

/// Short deadlines, so that a settle window is seconds.
pub const IN_SECONDS: &str = "--set=operator.sendDeadline=4s,operator.requestDeadline=4s";

/// `helm` as an administrator, in the namespace of releases.
pub async fn helm(plane: &ControlPlane, args: &[&str]) -> Result<String, Failure> {
    let helm = plane.helm("admin").await?.args(args).args(["--namespace", NAMESPACE]);
    helm.within(Duration::from_secs(180)).succeed().await
}

/// Installs the chart, and waits until its kinds are served and who asks is written down.
pub async fn install(plane: &ControlPlane, values: &[&str]) -> Result<String, Failure> {
    let chart = chart();
    let install = ["install", "offboarding", &chart, "--create-namespace"];
    let notes = helm(plane, &[&install[..], values].concat()).await?;
    // Applied once more as it is: waits until the kinds are served.
    plane.apply_path(&root().join("crds")).await?;
    plane.stamps_requests().await?;
    Ok(notes)
}

pub fn chart() -> String {
    root().join(CHART).display().to_string()
}

/// The objects that Helm remembers.
pub async fn objects(plane: &ControlPlane) -> Result<Vec<Value>, Failure> {
    let manifest = helm(plane, &["get", "manifest", "offboarding"]).await?;
    let all: Vec<Value> = serde_saphyr::from_slice_multiple(manifest.as_bytes())
        .map_err(Failure::to("read the release's manifest"))?;
    Ok(all.into_iter().filter(Value::is_object).collect())
}

/// What a kubelet would start, as the release stands now: the container's arguments and variables, and a token of the pod's account.
///
/// Only where it listens is told anew: a pod has a network of its own, and here is one for all.
pub async fn pod(plane: &ControlPlane, scratch: &Scratch) -> Result<Launch, Failure> {
    let Pod { args, env, kubeconfig } = Pod::of_release(plane, scratch).await?;
    let mut launch = Launch::new("operator", PROGRAM).args(args);
    for (name, value) in env {
        launch = launch.env(name, value);
    }
    for address in ["ADMIN_ADDRESS", "PROBE_ADDRESS", "METRICS_ADDRESS"] {
        launch = launch.env(address, "127.0.0.1:0");
    }
    Ok(launch.env("KUBECONFIG", kubeconfig))
}

/// The doctor, as `kubectl exec` would run it in that pod.
pub async fn doctor(plane: &ControlPlane, scratch: &Scratch) -> Result<Tool, Failure> {
    let Pod { args: _, env, kubeconfig } = Pod::of_release(plane, scratch).await?;
    let mut doctor = plane.tool("operator", PROGRAM).arg("check");
    for (name, value) in env {
        doctor = doctor.env(name, value);
    }
    Ok(doctor.env("KUBECONFIG", kubeconfig))
}

/// What the container is given.
struct Pod {
    args: Vec<String>,
    env: Vec<(String, String)>,
    kubeconfig: PathBuf,
}

impl Pod {
    async fn of_release(plane: &ControlPlane, scratch: &Scratch) -> Result<Pod, Failure> {
        let objects = objects(plane).await?;
        let deployment = objects.iter().find(|it| it["kind"] == "Deployment");
        let deployment = deployment.ok_or_else(|| Failure::new("find the Deployment", "it is not there"))?;
        let pod = &deployment["spec"]["template"]["spec"];
        let kubeconfig = kubeconfig_of(plane, scratch, text(&pod["serviceAccountName"])).await?;
        let container = &pod["containers"][0];
        let list = |name: &str| container[name].as_array().into_iter().flatten();
        let args = list("args").map(|it| text(it).to_owned()).collect();
        let env = list("env").map(|it| (text(&it["name"]).to_owned(), text(&it["value"]).to_owned()));
        Ok(Pod { args, env: env.collect(), kubeconfig })
    }
}

/// A kubeconfig with what a pod of this account finds mounted.
async fn kubeconfig_of(plane: &ControlPlane, scratch: &Scratch, account: &str) -> Result<PathBuf, Failure> {
    let token = ["create", "token", account, "--namespace", NAMESPACE, "--duration=1h"];
    let token = plane.kubectl("admin").args(token).succeed().await?;
    let step = "make the kubeconfig of the pod";
    let known = std::fs::read_to_string(plane.kubeconfig("operator")).map_err(Failure::to(step))?;
    let mut kubeconfig: Value = serde_json::from_str(&known).map_err(Failure::to(step))?;
    kubeconfig["users"][0]["user"]["token"] = Value::from(token.trim());
    scratch.write("pod.kubeconfig", &kubeconfig.to_string())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
