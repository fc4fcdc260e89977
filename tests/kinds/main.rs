//! What a real API server accepts, refuses, fills in and prints. Row numbers are those of the table of bad inputs in the
//! security requirements; "schema" is what the server's own words answer, everything else is answered in ours.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod approvals;
mod defaults;
mod holds;
mod life;
mod not_before;
mod privacy;
mod providers;
mod requests;
mod urls;

use std::path::Path;

use harness::{ControlPlane, Failure, Namespace};
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// One namespace of the shared API server, as admin.
struct Server {
    plane: &'static ControlPlane,
    client: Client,
    namespace: Namespace,
}

/// The object as the server answers it, or why it was refused.
type Answer = Result<Value, String>;

const REQUESTS: &str = "customeroffboardings";
const PROVIDERS: &str = "offboardingproviders";
const RECORDS: &str = "offboardingrecords";
const APPROVALS: &str = "offboardingapprovals";
const HOLDS: &str = "customerholds";

impl Server {
    async fn with_the_kinds(prefix: &str) -> Result<Server, Failure> {
        static INSTALLED: OnceCell<()> = OnceCell::const_new();
        let plane = ControlPlane::shared().await?;
        let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
        INSTALLED.get_or_try_init(|| plane.apply_path(&crds)).await?;
        let namespace = plane.namespace(prefix).await?;
        Ok(Server { plane, client: plane.client("admin").await?, namespace })
    }

    fn path(&self, kind: &str) -> String {
        let place = if kind == HOLDS { String::new() } else { format!("namespaces/{}/", self.namespace) };
        format!("/apis/offboarding.dev/v1alpha1/{place}{kind}")
    }

    /// What a creation would be answered; nothing is stored.
    async fn would_create(&self, kind: &str, object: &Value) -> Answer {
        let path = format!("{}?fieldValidation=Strict&dryRun=All", self.path(kind));
        self.send("POST", &path, "application/json", object).await
    }

    async fn create(&self, kind: &str, object: &Value) -> Answer {
        let path = format!("{}?fieldValidation=Strict", self.path(kind));
        self.send("POST", &path, "application/json", object).await
    }

    async fn get(&self, kind: &str, name: &str) -> Answer {
        self.send("GET", &format!("{}/{name}", self.path(kind)), "application/json", &Value::Null).await
    }

    async fn patch(&self, kind: &str, name: &str, patch: &Value) -> Answer {
        let path = format!("{}/{name}?fieldValidation=Strict", self.path(kind));
        self.send("PATCH", &path, "application/merge-patch+json", patch).await
    }

    /// A server-side apply, forced, as GitOps tools send it.
    async fn apply(&self, kind: &str, manager: &str, object: &Value) -> Answer {
        let name = object["metadata"]["name"].as_str().unwrap();
        let path = format!("{}/{name}?fieldManager={manager}&force=true", self.path(kind));
        self.send("PATCH", &path, "application/apply-patch+yaml", object).await
    }

    async fn replace_status(&self, kind: &str, object: &Value) -> Answer {
        let name = object["metadata"]["name"].as_str().unwrap();
        self.send("PUT", &format!("{}/{name}/status", self.path(kind)), "application/json", object).await
    }

    /// The names that a field selector finds.
    async fn select(&self, kind: &str, selector: &str) -> Result<Vec<String>, String> {
        let selector = selector.replace('!', "%21").replace('=', "%3D");
        let path = format!("{}?fieldSelector={selector}", self.path(kind));
        let found = self.send("GET", &path, "application/json", &Value::Null).await?;
        let items = found["items"].as_array().unwrap().iter();
        Ok(items.map(|it| it["metadata"]["name"].as_str().unwrap().to_owned()).collect())
    }

    async fn send(&self, method: &str, path: &str, content_type: &str, body: &Value) -> Answer {
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        let request = http::Request::builder().method(method).uri(path).header("Content-Type", content_type);
        match self.client.request::<Value>(request.body(body).unwrap()).await {
            Ok(object) => Ok(object),
            Err(kube::Error::Api(status)) => Err(cause(&status.message)),
            Err(error) => panic!("{method} {path}: {error}"),
        }
    }

    /// Each row: what it is about, the object, and the answer that is due.
    async fn assert_answers(&self, kind: &str, rows: impl IntoIterator<Item = (String, Value, &str)>) {
        let mut wrong = String::new();
        for (about, object, due) in rows {
            let answer =
                self.would_create(kind, &object).await.err().unwrap_or_else(|| "accepted".to_owned());
            if answer != due {
                wrong += &format!("\n{about}\n     due: {due}\n  answer: {answer}\n");
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }
}

/// The server's answer without the object's name, and without what it adds where it stops at an error of the schema.
fn cause(message: &str) -> String {
    let cause = message.split_once(" is invalid: ").map_or(message, |(_, cause)| cause);
    match cause.strip_suffix(&format!(", {UNCHECKED}]")) {
        Some(cause) => cause.trim_start_matches('[').to_owned(),
        None => cause.to_owned(),
    }
}

const UNCHECKED: &str = "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";

/// The smallest request that works.
fn request(name: &str) -> Value {
    json!({
        "apiVersion": "offboarding.dev/v1alpha1",
        "kind": "CustomerOffboarding",
        "metadata": { "name": name },
        "spec": {
            "customer": { "id": "90017" },
            "targets": [{ "name": "billing", "providerRef": { "name": "revolv3" } }],
        },
    })
}

/// The smallest provider object that works.
fn provider(name: &str) -> Value {
    json!({
        "apiVersion": "offboarding.dev/v1alpha1",
        "kind": "OffboardingProvider",
        "metadata": { "name": name },
        "spec": {
            "profile": "revolv3",
            "baseUrl": "https://api-sandbox.revolv3.com",
            "account": "acct-eu",
            "environment": "sandbox",
            "allowedModes": ["Soft"],
        },
    })
}

/// The object with another value, given as YAML, at a path below `spec`; the value `absent` takes the field away.
fn with(mut object: Value, path: &str, yaml: &str) -> Value {
    let (parents, field) = path.rsplit_once('.').unwrap_or(("", path));
    let mut parent = &mut object["spec"];
    for step in parents.split('.').filter(|step| !step.is_empty()) {
        parent = match step.parse::<usize>() {
            Ok(index) => &mut parent[index],
            Err(_) => &mut parent[step],
        };
    }
    if yaml == "absent" {
        parent.as_object_mut().unwrap().remove(field);
    } else {
        parent[field] = from_yaml(yaml);
    }
    object
}

fn from_yaml(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"))
}
