//! One story: a namespace, a sandbox, and words for what people do and what is seen of it.

use std::{cell::Cell, fmt::Debug, fs, sync::LazyLock, time::Duration};

use harness::{LedgerFilter, Namespace, Provider, Sandbox, eventually};
use http::{Method, Request, StatusCode};
use kube::Client;
use regex::Regex;
use serde_json::{Value, json};

use crate::stage::{SOON, Stage, root};

/// Between two looks at something that is awaited: many stories look at once, and two cores do the work.
const PAUSE: Duration = Duration::from_millis(100);

/// One story: a namespace, a sandbox, and words for what happens in them.
pub struct Story<'a> {
    pub stage: &'a Stage,
    /// Of the administrator; kubectl is for what only kubectl does, because it costs a process each time.
    pub client: Client,
    pub namespace: Namespace,
    pub sandbox: Sandbox,
    /// Whether the base URL is wrong on purpose, so that the provider receives what its documents do not know.
    pub strays: Cell<bool>,
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

/// What the sandbox accepts as a credential.
pub fn token(provider: Provider) -> &'static str {
    match provider {
        Provider::Juicyway => "test_ok",
        Provider::Revolv3 => "rv3_sandbox",
        Provider::Scripted => "any",
    }
}

impl<'a> Story<'a> {
    pub async fn begin(stage: &'a Stage, name: &str) -> Self {
        let client = stage.plane.client("admin").await.unwrap();
        let namespace = stage.plane.namespace(name).await.unwrap();
        let sandbox = Sandbox::start().await.unwrap();
        Story { stage, client, namespace, sandbox, strays: Cell::new(false) }
    }

    /// Of somebody whom no policy stops: forges records and status, which an administrator may not write.
    pub async fn break_glass(&self) -> Client {
        self.stage.plane.client("grace").await.unwrap()
    }

    /// Secret and provider object for the sandbox, unattended; `change` is merged into the spec.
    pub async fn provider(&self, provider: Provider, change: Value) {
        self.provider_as(provider.name(), provider, change).await;
    }

    /// The same under another name, with a Secret of that name: with limits and a circuit of its own.
    pub async fn provider_as(&self, name: &str, provider: Provider, change: Value) {
        self.secret(name, token(provider)).await;
        let spec = self.provider_spec(name, provider, change);
        self.apply(&json!({
            "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingProvider",
            "metadata": {"name": name, "namespace": self.namespace.name()}, "spec": spec,
        }))
        .await;
    }

    /// What a provider object for the sandbox says, with the Secret of this name.
    pub fn provider_spec(&self, name: &str, provider: Provider, change: Value) -> Value {
        let (url, mode) = match provider {
            Provider::Juicyway => (&self.sandbox.addresses().juicyway, "Hard"),
            Provider::Revolv3 => (&self.sandbox.addresses().revolv3, "Soft"),
            Provider::Scripted => (&self.sandbox.addresses().scripted, "Hard"),
        };
        let mut spec = json!({
            "customProfile": if provider == Provider::Scripted { Value::Null } else { quick_profile(provider) },
            "baseUrl": url,
            "allowedCIDRs": ["127.0.0.0/8"],
            "account": format!("{}-{}", self.namespace.name(), provider.name()),
            "environment": "sandbox",
            "credentials": {"token": {"secretKeyRef": {"name": name, "key": "token"}}},
            "tls": {"caBundle": self.sandbox.addresses().ca_bundle},
            "allowedModes": [mode],
            "approvals": {"required": 0},
            "recheckInterval": "10s",
            "verify": {"confirmations": 1, "interval": "500ms", "deadline": "8s"},
        });
        merge(&mut spec, change);
        spec
    }

    /// A provider's credential.
    pub async fn secret(&self, name: &str, token: &str) {
        self.secret_of_type("offboarding.dev/credentials", name, json!({"token": token})).await;
    }

    /// A customer's id.
    pub async fn customer_secret(&self, name: &str, id: &str) {
        self.secret_of_type("offboarding.dev/customer-id", name, json!({"id": id})).await;
    }

    async fn secret_of_type(&self, type_: &str, name: &str, values: Value) {
        let metadata = json!({"name": name, "namespace": self.namespace.name()});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": type_, "metadata": metadata, "stringData": values});
        self.apply(&secret).await;
    }

    /// Applies as `kubectl apply --server-side` does.
    pub async fn apply(&self, object: &Value) {
        let name = object["metadata"]["name"].as_str().unwrap();
        let path = self.path(object["kind"].as_str().unwrap(), name);
        self.call(Method::PATCH, &format!("{path}?fieldManager=test&force=true"), APPLY, object)
            .await
            .unwrap();
    }

    /// Changes some fields of an object: JSON merge patch.
    pub async fn patch(&self, kind: &str, name: &str, change: Value) {
        self.call(Method::PATCH, &self.path(kind, name), MERGE, &change).await.unwrap();
    }

    /// Changes some fields of a request.
    pub async fn edit(&self, request: &str, spec: Value) {
        self.patch("CustomerOffboarding", request, json!({"spec": spec})).await;
    }

    /// Changes some fields of a provider object.
    pub async fn edit_provider(&self, provider: Provider, spec: Value) {
        self.patch("OffboardingProvider", provider.name(), json!({"spec": spec})).await;
    }

    /// Asks the operator to look at a request's customer again, and waits until it did.
    pub async fn look_again(&self, request: &str, provider: Provider, id: &str) {
        let before = self.looks(provider, id).await;
        let annotations = json!({"offboarding.dev/retry-requested-at": format!("after look {before}")});
        self.patch("CustomerOffboarding", request, json!({"metadata": {"annotations": annotations}})).await;
        self.until_looks(provider, id, before + 1).await;
    }

    /// Deletes a request and waits until it is gone, as `kubectl delete` does.
    pub async fn delete(&self, request: &str) {
        self.remove("CustomerOffboarding", request).await;
    }

    /// Deletes an object and waits until it is gone.
    pub async fn remove(&self, kind: &str, name: &str) {
        self.call(Method::DELETE, &self.path(kind, name), MERGE, &json!({})).await.unwrap();
        self.wait(&format!("{kind} {name} is gone"), || async {
            self.get(kind, name).await.map_or(Ok(()), Err)
        })
        .await;
    }

    /// Lets another customer be deleted in the same namespace: what was to happen before has happened then.
    pub async fn meanwhile(&self, provider: Provider, id: &str) {
        self.sandbox.seed(provider, id, &json!({})).await.unwrap();
        self.request("meanwhile", provider, id).await;
        self.finished("meanwhile").await;
    }

    /// An object, where there is one.
    pub async fn get(&self, kind: &str, name: &str) -> Option<Value> {
        match self.call(Method::GET, &self.path(kind, name), MERGE, &json!({})).await {
            Ok(object) => Some(object),
            Err(StatusCode::NOT_FOUND) => None,
            Err(status) => panic!("get {kind} {name}: {status}"),
        }
    }

    /// The records of this story's requests, also of those that are gone.
    pub async fn records(&self) -> Vec<Value> {
        let path = "/apis/offboarding.dev/v1alpha1/namespaces/customer-offboarding/offboardingrecords";
        let list = self.call(Method::GET, path, MERGE, &json!({})).await.unwrap();
        let ours = |record: &&Value| record["spec"]["request"]["namespace"] == self.namespace.name();
        list["items"].as_array().unwrap().iter().filter(ours).cloned().collect()
    }

    /// Waits until the story's only record is as `fits` says, and gives its spec.
    pub async fn record_until(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait(what, || async {
            let records = self.records().await;
            match records.as_slice() {
                [only] if fits(&only["spec"]) => Ok(only["spec"].clone()),
                other => Err(other.iter().map(|record| record["spec"].clone()).collect::<Vec<_>>()),
            }
        })
        .await
    }

    fn path(&self, kind: &str, name: &str) -> String {
        let (group, plural) = match kind {
            "CustomerOffboarding" => ("apis/offboarding.dev/v1alpha1", "customeroffboardings"),
            "OffboardingProvider" => ("apis/offboarding.dev/v1alpha1", "offboardingproviders"),
            "Secret" => ("api/v1", "secrets"),
            other => panic!("the stage knows no {other}"),
        };
        format!("/{group}/namespaces/{}/{plural}/{name}", self.namespace.name())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        content: &str,
        body: &Value,
    ) -> Result<Value, StatusCode> {
        let body = if method == Method::GET || method == Method::DELETE {
            Vec::new()
        } else {
            body.to_string().into()
        };
        loop {
            let request = Request::builder().method(&method).uri(path).header("content-type", content);
            match self.client.request::<Value>(request.body(body.clone()).unwrap()).await {
                Ok(value) => return Ok(value),
                Err(kube::Error::Api(status)) if status.is_not_found() => return Err(StatusCode::NOT_FOUND),
                // "storage is (re)initializing", for a moment after an API server has started: it says to come again.
                Err(kube::Error::Api(status)) if status.code == 429 => tokio::time::sleep(PAUSE).await,
                Err(error) => panic!("{path}: {error}"),
            }
        }
    }

    /// Waits for something, looking at a pace that leaves the cores to those who do the work.
    pub async fn wait<T, S: Debug, Look: Future<Output = Result<T, S>>>(
        &self,
        what: &str,
        look: impl Fn() -> Look,
    ) -> T {
        eventually(SOON, what, || async {
            let seen = look().await;
            if seen.is_err() {
                tokio::time::sleep(PAUSE).await;
            }
            seen
        })
        .await
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
        self.get("CustomerOffboarding", name).await.map(|object| object["status"].clone()).unwrap_or_default()
    }

    pub async fn provider_status(&self, name: &str) -> Value {
        self.get("OffboardingProvider", name).await.map(|object| object["status"].clone()).unwrap_or_default()
    }

    /// Waits until a request's status is as `fits` says, and gives it.
    pub async fn until(&self, name: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait(&format!("{name}: {what}"), || async {
            let status = self.status(name).await;
            if fits(&status) { Ok(status) } else { Err(shown(&status)) }
        })
        .await
    }

    /// Waits until a condition has this reason, and gives the status.
    pub async fn reason(&self, name: &str, condition_type: &str, reason: &str) -> Value {
        let what = format!("{condition_type} is {reason}");
        self.until(name, &what, |status| condition(status, condition_type)["reason"] == reason).await
    }

    /// Waits until a request says that it waits for this, times left out, and gives its status.
    pub async fn says(&self, name: &str, sentence: &str) -> Value {
        let what = format!("it says {sentence:?}");
        self.until(name, &what, |status| timeless(&status["waitingFor"]) == sentence).await
    }

    /// Waits until a condition of a provider object has this reason.
    pub async fn provider_reason(&self, provider: Provider, condition_type: &str, reason: &str) {
        self.wait(&format!("{condition_type} of the provider object is {reason}"), || async {
            let status = self.provider_status(provider.name()).await;
            if condition(&status, condition_type)["reason"] == reason { Ok(()) } else { Err(shown(&status)) }
        })
        .await;
    }

    /// Asks for another look at once; `nonce` is any value that was not used before.
    pub async fn retry(&self, request: &str, nonce: &str) {
        let annotation = format!("offboarding.dev/retry-requested-at={nonce}");
        self.kubectl(["annotate", "cob", request, "--overwrite", &annotation]).await;
    }

    /// Waits until a request is finished, and gives its status.
    pub async fn finished(&self, name: &str) -> Value {
        self.until(name, "the request is finished", |status| status["finished"] == true).await
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

    /// Waits until the sandbox received this many requests of a method for a customer, and gives them.
    pub async fn until_received(
        &self,
        provider: Provider,
        method: &str,
        id: &str,
        count: usize,
    ) -> Vec<Value> {
        self.wait(&format!("{count} {method} for {id} arrive"), || async {
            let seen = self.received(provider, method, id).await;
            if seen.len() >= count { Ok(seen) } else { Err(seen.len()) }
        })
        .await
    }

    /// Waits until this many looks at a customer came after now: what would have happened has happened.
    pub async fn after_looks(&self, provider: Provider, id: &str, count: usize) {
        let before = self.looks(provider, id).await;
        self.until_looks(provider, id, before + count).await;
    }

    /// Waits until the sandbox was asked this often for a customer itself.
    pub async fn until_looks(&self, provider: Provider, id: &str, count: usize) {
        self.wait(&format!("{count} looks at {id}"), || async {
            let seen = self.looks(provider, id).await;
            if seen >= count { Ok(()) } else { Err(seen) }
        })
        .await;
    }

    /// How often the sandbox was asked for a customer itself, under whatever prefix.
    pub async fn looks(&self, provider: Provider, id: &str) -> usize {
        let itself = format!("/customers/{id}").to_lowercase();
        let asked = self.received(provider, "GET", id).await;
        asked.iter().filter(|entry| entry["path"].as_str().unwrap().to_lowercase().ends_with(&itself)).count()
    }

    /// Waits until a DELETE for a customer took effect, answered or not.
    pub async fn until_applied(&self, provider: Provider, id: &str) {
        self.wait(&format!("a DELETE of {id} takes effect"), || async {
            let seen = self.received(provider, "DELETE", id).await;
            if seen.iter().any(|entry| entry["applied"] == true) { Ok(()) } else { Err(seen) }
        })
        .await;
    }

    /// Judges the ledger: what holds in every story, however it ends.
    pub async fn judged(&self) {
        let summary = self.sandbox.summary().await.unwrap();
        for customer in summary["customers"].as_array().unwrap() {
            let applied = customer["appliedPerIncarnation"].as_object().unwrap();
            assert!(applied.values().all(|count| count.as_u64() <= Some(1)), "deleted twice: {customer:#}");
            assert!(customer["maxConcurrent"].as_u64() <= Some(1), "two DELETEs at once: {customer:#}");
            assert_eq!(customer["destructiveWithoutLook"], 0, "a DELETE without a look: {customer:#}");
        }
        for (name, provider) in summary["providers"].as_object().unwrap() {
            let known = provider["undocumented"] == 0 || self.strays.get();
            assert!(known, "{name} received what its documents do not know");
            if provider["leakedCredentials"] != 0 {
                self.no_foreign_credential(name).await;
            }
        }
    }

    /// Where the profile was edited, a provider may be shown its own credential in another header.
    async fn no_foreign_credential(&self, name: &str) {
        let entries = self.sandbox.ledger(&LedgerFilter::default()).await.unwrap();
        let there = entries.iter().filter(|entry| entry["provider"] == name);
        let own = format!("{name} credential in header ");
        let is_own = |leak: &&Value| self.strays.get() && leak.as_str().unwrap().starts_with(&own);
        let leaks: Vec<&Value> =
            there.flat_map(|entry| entry["leaks"].as_array().unwrap()).filter(|leak| !is_own(leak)).collect();
        assert_eq!(leaks, [&Value::Null; 0], "{name} received a foreign credential");
    }
}

const APPLY: &str = "application/apply-patch+yaml";
const MERGE: &str = "application/merge-patch+json";

/// A sentence without its times.
pub fn timeless(sentence: &Value) -> String {
    static MOMENT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").unwrap());
    MOMENT.replace_all(sentence.as_str().unwrap_or(""), "<time>").into_owned()
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

/// Each condition is as its row says: type, status, reason.
#[track_caller]
pub fn assert_told(status: &Value, conditions: &[[&str; 3]]) {
    for row in conditions {
        let told = condition(status, row[0]);
        assert_eq!([&told["type"], &told["status"], &told["reason"]], *row, "{:#}", status["conditions"]);
    }
}
