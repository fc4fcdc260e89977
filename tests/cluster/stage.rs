//! The stage of the end-to-end tests: a real API server, the operator as its service account, and a sandbox for each story.

use std::{fs, path::PathBuf, time::Duration};

use harness::{
    ControlPlane, Failure, Launch, LedgerFilter, Namespace, Options, Process, Provider, Sandbox, Scratch,
    eventually,
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// How long a story may take to get where it should: generous, because nothing waits for it to pass.
pub const SOON: Duration = Duration::from_secs(60);

/// Short deadlines, so that the settle window of a test is seconds; the code path is the shipped one.
const OPERATOR_FLAGS: &[&str] =
    &["--allowed-cidrs", "127.0.0.0/8", "--send-deadline", "4s", "--request-deadline", "4s"];

/// One API server with the CRDs and the operator's roles, and an operator that runs on it.
pub struct Stage {
    pub plane: ControlPlane,
    pub operator: tokio::sync::Mutex<Process>,
    launch: Launch,
    scratch: Scratch,
}

static SHARED: OnceCell<Stage> = OnceCell::const_new();

impl Stage {
    /// The stage of all stories that leave the operator alone.
    pub async fn shared() -> &'static Stage {
        SHARED
            .get_or_init(|| async {
                Stage::start(Options::default().with_controller_manager().with_audit_log()).await.unwrap()
            })
            .await
    }

    /// A stage of one's own, for stories that stop the operator or the API server.
    pub async fn start(options: Options) -> Result<Stage, Failure> {
        Self::start_with(options, &[], &[]).await
    }

    /// The same with further flags and environment of the operator.
    pub async fn start_with(
        options: Options,
        flags: &[&str],
        env: &[(&str, &str)],
    ) -> Result<Stage, Failure> {
        let plane = ControlPlane::start(options).await?;
        plane.apply(&fs::read_to_string(root().join("deploy/roles.yaml")).unwrap()).await?;
        plane.apply_path(&root().join("crds")).await?;
        let scratch = Scratch::new("operator")?;
        let mut launch = Launch::new("operator", env!("CARGO_BIN_EXE_customer-offboarding-operator"))
            .args(["operator", "--admin-address", "127.0.0.1:0"])
            .args(OPERATOR_FLAGS)
            .args(flags)
            .env("KUBECONFIG", plane.kubeconfig("operator").to_str().unwrap());
        for (name, value) in env {
            launch = launch.env(name, value);
        }
        let operator = ready(&launch, &scratch).await?;
        Ok(Stage { plane, operator: tokio::sync::Mutex::new(operator), launch, scratch })
    }

    /// Starts the operator again, after it ended.
    pub async fn restart_operator(&self) -> Result<(), Failure> {
        *self.operator.lock().await = ready(&self.launch, &self.scratch).await?;
        Ok(())
    }

    /// Kills the operator, without a chance to say goodbye.
    pub async fn kill_operator(&self) {
        self.operator.lock().await.kill_hard().unwrap();
    }

    /// A namespace and a sandbox for one story.
    pub async fn story(&self, name: &str) -> Story<'_> {
        let namespace = self.plane.namespace(name).await.unwrap();
        let sandbox = Sandbox::start().await.unwrap();
        Story { stage: self, namespace, sandbox }
    }
}

async fn ready(launch: &Launch, scratch: &Scratch) -> Result<Process, Failure> {
    let mut operator = launch.start(scratch.path())?;
    operator.wait_for_line(|line| line.contains("ready"), SOON).await?;
    Ok(operator)
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// One story: a namespace, a sandbox, and words for what happens in them.
pub struct Story<'a> {
    pub stage: &'a Stage,
    pub namespace: Namespace,
    pub sandbox: Sandbox,
}

/// A built-in profile with short times, as a custom profile.
pub fn quick_profile(provider: Provider) -> Value {
    let text =
        fs::read_to_string(root().join(format!("src/providers/profiles/{}.yaml", provider.name()))).unwrap();
    let mut profile: Value = serde_saphyr::from_str(&text).unwrap();
    profile["guarantees"]["consistencyLag"] = json!("300ms");
    profile["guarantees"]["maxRequestLifetime"] = json!("300ms");
    profile["limits"] = json!({"default": {"requestsPerMinute": 6000, "burst": 100, "maxInFlight": 8}});
    profile
}

impl Story<'_> {
    /// Secret and provider object for the sandbox, unattended; `change` is merged into the spec.
    pub async fn provider(&self, provider: Provider, change: Value) {
        let (url, token, mode) = match provider {
            Provider::Juicyway => (&self.sandbox.addresses().juicyway, "test_ok", "Hard"),
            Provider::Revolv3 => (&self.sandbox.addresses().revolv3, "rv3_sandbox", "Soft"),
            Provider::Scripted => (&self.sandbox.addresses().scripted, "any", "Hard"),
        };
        self.secret(provider.name(), token).await;
        let mut spec = json!({
            "customProfile": if provider == Provider::Scripted { Value::Null } else { quick_profile(provider) },
            "baseUrl": url,
            "allowedCIDRs": ["127.0.0.0/8"],
            "account": format!("{}-{}", self.namespace.name(), provider.name()),
            "environment": "sandbox",
            "credentials": {"token": {"secretKeyRef": {"name": provider.name(), "key": "token"}}},
            "tls": {"caBundle": self.sandbox.addresses().ca_bundle},
            "allowedModes": [mode],
            "approvals": {"required": 0},
            "recheckInterval": "10s",
            "verify": {"confirmations": 1, "interval": "500ms", "deadline": "8s"},
        });
        merge(&mut spec, change);
        self.apply(&json!({
            "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingProvider",
            "metadata": {"name": provider.name(), "namespace": self.namespace.name()}, "spec": spec,
        }))
        .await;
    }

    pub async fn secret(&self, name: &str, token: &str) {
        self.apply(&json!({
            "apiVersion": "v1", "kind": "Secret", "type": "offboarding.dev/credentials",
            "metadata": {"name": name, "namespace": self.namespace.name()}, "stringData": {"token": token},
        }))
        .await;
    }

    pub async fn apply(&self, object: &Value) {
        self.stage.plane.apply(&object.to_string()).await.unwrap();
    }

    /// Asks for a customer to be offboarded.
    pub async fn request(&self, name: &str, provider: Provider, id: &str) {
        self.request_with(name, provider, id, json!({})).await;
    }

    pub async fn request_with(&self, name: &str, provider: Provider, id: &str, change: Value) {
        let mut spec = json!({
            "customer": {"id": id},
            "targets": [{"name": "billing", "providerRef": {"name": provider.name()}}],
        });
        merge(&mut spec, change);
        self.apply(&json!({
            "apiVersion": "offboarding.dev/v1alpha1", "kind": "CustomerOffboarding",
            "metadata": {"name": name, "namespace": self.namespace.name()}, "spec": spec,
        }))
        .await;
    }

    pub async fn kubectl<const N: usize>(&self, args: [&str; N]) -> String {
        let kubectl = self.stage.plane.kubectl("admin").args(["-n", self.namespace.name()]);
        kubectl.args(args).succeed().await.unwrap()
    }

    pub async fn status(&self, name: &str) -> Value {
        let object: Value =
            serde_json::from_str(&self.kubectl(["get", "cob", name, "-o", "json"]).await).unwrap();
        object["status"].clone()
    }

    pub async fn provider_status(&self, name: &str) -> Value {
        let object: Value =
            serde_json::from_str(&self.kubectl(["get", "cobp", name, "-o", "json"]).await).unwrap();
        object["status"].clone()
    }

    /// Waits until a request's status is as `fits` says, and gives it.
    pub async fn until(&self, name: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let get = || async {
            let status = self.status(name).await;
            if fits(&status) { Ok(status) } else { Err(shown(&status)) }
        };
        eventually(SOON, what, get).await
    }

    /// Waits until a request is finished, and gives its status.
    pub async fn finished(&self, name: &str) -> Value {
        self.until(name, "the request is finished", |status| status["finished"] == true).await
    }

    /// Waits until a condition has this reason, and gives the status.
    pub async fn reason(&self, name: &str, condition_type: &str, reason: &str) -> Value {
        let what = format!("{condition_type} is {reason}");
        self.until(name, &what, |status| condition(status, condition_type)["reason"] == reason).await
    }

    /// How many DELETEs the sandbox received for a customer.
    pub async fn deletes(&self, provider: Provider, id: &str) -> usize {
        self.received(provider, "DELETE", id).await.len()
    }

    pub async fn received(&self, provider: Provider, method: &str, id: &str) -> Vec<Value> {
        let filter = LedgerFilter {
            provider: Some(provider),
            method: Some(method),
            customer: Some(id),
            ..LedgerFilter::default()
        };
        self.sandbox.ledger(&filter).await.unwrap()
    }

    /// Waits until the sandbox received this many DELETEs for a customer.
    pub async fn until_deletes(&self, provider: Provider, id: &str, count: usize) {
        eventually(SOON, "the DELETEs arrive", || async {
            let seen = self.deletes(provider, id).await;
            if seen >= count { Ok(()) } else { Err(seen) }
        })
        .await;
    }
}

/// What a failed wait shows of a status.
fn shown(status: &Value) -> String {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let told: Vec<String> = conditions
        .map(|c| {
            format!(
                "{}={}/{}",
                c["type"].as_str().unwrap_or(""),
                c["status"].as_str().unwrap_or(""),
                c["reason"].as_str().unwrap_or("")
            )
        })
        .collect();
    format!("phase {} waiting for {} ({})", status["phase"], status["waitingFor"], told.join(" "))
}

/// One condition of a status; null where there is none.
pub fn condition(status: &Value, type_: &str) -> Value {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().find(|condition| condition["type"] == type_).cloned().unwrap_or_default()
}

/// JSON merge patch (RFC 7386).
pub fn merge(into: &mut Value, change: Value) {
    match change {
        Value::Object(fields) if into.is_object() => {
            for (name, value) in fields {
                if value.is_null() {
                    into.as_object_mut().unwrap().remove(&name);
                } else {
                    merge(&mut into[&name], value);
                }
            }
        }
        other => *into = other,
    }
}
