//! Helm as a function: values in, objects out.

use std::{path::PathBuf, process::Command};

use harness::{Binaries, Scratch};
use serde_json::Value;
use tokio::sync::OnceCell;

pub const CHART: &str = "charts/customer-offboarding-operator";

/// The one namespace that a release may be in.
pub const NAMESPACE: &str = "customer-offboarding";

/// What Helm believes the cluster to be, where there is none.
pub const KUBERNETES: &str = "1.37.2";

/// Kinds of others that the chart has objects of, where they are served.
pub const MONITORING: [&str; 3] = ["ServiceMonitor", "PodMonitor", "PrometheusRule"];

pub struct Helm {
    program: PathBuf,
    home: Scratch,
}

/// How a call of Helm ended.
pub struct Said {
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
}

pub async fn helm() -> &'static Helm {
    static HELM: OnceCell<Helm> = OnceCell::const_new();
    HELM.get_or_init(|| async {
        let program = Binaries::ready(&["helm"]).await.unwrap().path("helm");
        Helm { program, home: Scratch::new("helm").unwrap() }
    })
    .await
}

impl Helm {
    pub fn says(&self, args: &[&str]) -> Said {
        let mut helm = Command::new(&self.program);
        helm.args(args).current_dir(root()).env_remove("KUBECONFIG");
        for variable in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            helm.env(variable, self.home.path());
        }
        let output = helm.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { success: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// What `helm template` says with more arguments.
    pub fn templates(&self, args: &[&str]) -> Said {
        let template =
            ["template", "offboarding", CHART, "--namespace", NAMESPACE, "--kube-version", KUBERNETES];
        self.says(&[&template[..], args].concat())
    }

    /// The objects that the chart makes with these arguments, for all namespaces.
    pub fn renders(&self, args: &[&str]) -> Vec<Value> {
        self.objects(&[&["--set=clusterWide=true"], args].concat())
    }

    fn objects(&self, args: &[&str]) -> Vec<Value> {
        let said = self.templates(args);
        assert!(said.success, "{args:?}: {}", said.stderr);
        documents(&said.stdout)
    }

    /// The same for a file of `ci/`, where Prometheus Operator is installed.
    pub fn renders_set(&self, set: &str) -> Vec<Value> {
        let file = format!("{CHART}/ci/{set}.yaml");
        let served = MONITORING.map(|kind| format!("--api-versions=monitoring.coreos.com/v1/{kind}"));
        let args: Vec<&str> = ["-f", &file].into_iter().chain(served.iter().map(String::as_str)).collect();
        self.objects(&args)
    }
}

/// The names of the files in `ci/`, without their endings.
pub fn sets() -> Vec<String> {
    let entries = std::fs::read_dir(root().join(CHART).join("ci")).unwrap();
    let mut sets: Vec<String> = entries
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    sets.sort();
    sets
}

/// All objects of a YAML stream; a document without one is left out.
pub fn documents(text: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_slice_multiple(text.as_bytes()).unwrap();
    all.into_iter().filter(Value::is_object).collect()
}

/// What an object is called among all others: kind, namespace, name.
pub fn key(object: &Value) -> [String; 3] {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    [text(&object["kind"]), text(&metadata["namespace"]), text(&metadata["name"])]
}

/// # Panics
/// Where there is none of this kind, or more than one.
pub fn the<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let found: Vec<&Value> = objects.iter().filter(|it| it["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "{kind}");
    found[0]
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}
