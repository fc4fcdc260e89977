//! Who asks, agrees, refuses, passes over and holds: real users with the rights of their personas.

use std::time::Duration;

use harness::{Provider, Subject};
use http::{Method, Request};
use jiff::Timestamp;
use kube::Client;
use offboarding::{domain::CustomerId, evidence::Keys};
use serde_json::{Value, json};

use crate::story::{Story, merge};

/// A policy is in force so long after it was created; what is said before does not count.
pub const IN_FORCE_AFTER: Duration = Duration::from_secs(11);

const GROUP: &str = "/apis/offboarding.dev/v1alpha1";
const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";

impl Story<'_> {
    /// Looked at three times again: a pass that deletes looks twice before, so whatever the first look led to has happened.
    pub async fn settles(&self, request: &str, provider: Provider, id: &str) {
        for _ in 0..3 {
            self.look_again(request, provider, id).await;
        }
    }

    /// Gives everybody the rights of their persona here; carol may waive besides, and ivan may only waive. Waits until what people say counts.
    pub async fn cast(&self) {
        let plane = &self.stage.plane;
        plane.bind_personas(&self.namespace).await.unwrap();
        for waiver in ["carol", "ivan"] {
            self.bind("offboarding-waiver", waiver).await;
        }
        let path = format!("{ADMISSION}/validatingadmissionpolicybindings/operator-only.offboarding.dev");
        let policy = self.ask_as("admin", Method::GET, &path, &json!({})).await.unwrap();
        let since: Timestamp =
            serde_json::from_value(policy["metadata"]["creationTimestamp"].clone()).unwrap();
        let age = Duration::try_from(Timestamp::now().duration_since(since)).unwrap_or_default();
        tokio::time::sleep(IN_FORCE_AFTER.saturating_sub(age)).await;
    }

    /// Lets somebody act with a role in this story's namespace.
    pub async fn bind(&self, role: &str, user: &str) {
        self.stage.plane.bind(role, Subject::User(user), Some(&self.namespace)).await.unwrap();
    }

    pub async fn client_of(&self, user: &str) -> Client {
        self.stage.plane.client(user).await.unwrap()
    }

    /// What the API server answers a user; its message where it refuses.
    pub async fn ask_as(
        &self,
        user: &str,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Value, String> {
        let content =
            if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let bytes = if method == Method::GET { Vec::new() } else { body.to_string().into() };
        let request = Request::builder().method(method).uri(path).header("content-type", content).body(bytes);
        match self.client_of(user).await.request::<Value>(request.unwrap()).await {
            Ok(value) => Ok(value),
            Err(kube::Error::Api(status)) => Err(status.message.clone()),
            Err(error) => panic!("{path}: {error}"),
        }
    }

    pub fn plural(&self, plural: &str) -> String {
        format!("{GROUP}/namespaces/{}/{plural}", self.namespace.name())
    }

    /// Asks for a customer to be offboarded, as somebody.
    pub async fn request_as(&self, user: &str, name: &str, provider: Provider, id: &str, change: Value) {
        let mut spec = json!({
            "customer": {"id": id}, "targets": [{"name": "billing", "providerRef": {"name": provider.name()}}],
        });
        merge(&mut spec, change);
        let object = json!({
            "apiVersion": "offboarding.dev/v1alpha1", "kind": "CustomerOffboarding", "metadata": {"name": name}, "spec": spec,
        });
        self.ask_as(user, Method::POST, &self.plural("customeroffboardings"), &object).await.unwrap();
    }

    /// What an approver writes about a request: its plan as it is told, for an hour; `change` is merged into the spec.
    pub async fn approval_of(&self, user: &str, request: &str, change: Value) -> Value {
        let told = self.until(request, "the plan is told", |status| status["plan"]["hash"].is_string()).await;
        let hour = Timestamp::now() + Duration::from_secs(3600);
        let mut spec = json!({
            "decision": "Approve",
            "for": [{"name": request, "uid": self.uid_of(request).await, "planHash": told["plan"]["hash"]}],
            "approver": user, "grants": ["Delete"], "expiresAt": seconds(hour),
        });
        merge(&mut spec, change);
        self.said(user, spec)
    }

    fn said(&self, user: &str, spec: Value) -> Value {
        json!({
            "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingApproval",
            "metadata": {"generateName": format!("{user}-")}, "spec": spec,
        })
    }

    pub async fn uid_of(&self, request: &str) -> Value {
        self.get("CustomerOffboarding", request).await.unwrap()["metadata"]["uid"].clone()
    }

    /// Says something about a request, as somebody.
    pub async fn say(&self, user: &str, object: &Value) -> Result<Value, String> {
        self.ask_as(user, Method::POST, &self.plural("offboardingapprovals"), object).await
    }

    /// Agrees to the plan as it is told.
    pub async fn agree(&self, user: &str, request: &str) {
        self.agree_with(user, request, json!({})).await;
    }

    pub async fn agree_with(&self, user: &str, request: &str, change: Value) {
        let approval = self.approval_of(user, request, change).await;
        self.say(user, &approval).await.unwrap();
    }

    /// Says no.
    pub async fn deny(&self, user: &str, request: &str) {
        let spec = json!({"decision": "Deny", "for": [{"name": request, "uid": self.uid_of(request).await}], "approver": user});
        self.say(user, &self.said(user, spec)).await.unwrap();
    }

    /// Takes everything back that somebody said here, as somebody.
    pub async fn take_back(&self, user: &str, of: &str) -> Result<(), String> {
        let path = self.plural("offboardingapprovals");
        let list = self.ask_as("admin", Method::GET, &path, &json!({})).await.unwrap();
        for approval in list["items"].as_array().unwrap().iter().filter(|it| it["spec"]["approver"] == of) {
            let one = format!("{path}/{}", approval["metadata"]["name"].as_str().unwrap());
            self.ask_as(user, Method::DELETE, &one, &json!({})).await?;
        }
        Ok(())
    }

    /// The name of this story's hold: holds are of the whole cluster.
    pub fn hold_name(&self) -> String {
        format!("hold-{}", self.namespace.name())
    }

    /// Holds, as legal does; at this story's provider objects of that name alone, so that no other story waits.
    pub async fn hold(&self, provider: Provider, change: Value) {
        let here = json!([{"namespace": self.namespace.name(), "name": provider.name()}]);
        let mut spec = json!({"type": "LegalHold", "providers": here});
        merge(&mut spec, change);
        let object = json!({
            "apiVersion": "offboarding.dev/v1alpha1", "kind": "CustomerHold", "metadata": {"name": self.hold_name()},
            "spec": spec,
        });
        self.ask_as("erin", Method::POST, &format!("{GROUP}/customerholds"), &object).await.unwrap();
    }

    pub async fn release(&self) {
        let path = format!("{GROUP}/customerholds/{}", self.hold_name());
        self.ask_as("erin", Method::DELETE, &path, &json!({})).await.unwrap();
    }

    /// What a held request says.
    pub fn held(&self) -> String {
        format!(
            "hold '{}' (LegalHold) to be released or to expire; no request will be sent before",
            self.hold_name()
        )
    }

    /// A Secret with a customer's id in the operator's namespace.
    pub async fn secret_for_hold(&self, id: &str) {
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "offboarding.dev/customer-id",
            "metadata": {"name": self.hold_name()}, "stringData": {"id": id},
        });
        self.ask_as("admin", Method::POST, "/api/v1/namespaces/customer-offboarding/secrets", &object)
            .await
            .unwrap();
    }

    /// The key of the installation, as only who may read its Secret has it.
    pub async fn installation_key(&self) -> Keys {
        use k8s_openapi::api::core::v1::Secret;
        let secrets: kube::Api<Secret> = kube::Api::namespaced(self.client.clone(), "customer-offboarding");
        let secret = secrets.get("customer-offboarding-installation-key").await.unwrap();
        Keys::new(&secret.data.unwrap()["key"].0).unwrap()
    }

    /// A customer's pseudonym.
    pub async fn pseudonym(&self, id: &str) -> String {
        self.installation_key().await.customer_ref(&CustomerId::new(id.to_owned()))
    }

    /// Waits until the last attempt of the story's only record was not sent, and gives its reason.
    pub async fn not_sent(&self) -> Value {
        let record = self
            .record_until("the attempt was not sent", |spec| {
                spec["attempts"]
                    .as_array()
                    .and_then(|all| all.last())
                    .is_some_and(|last| last["outcome"] == "NotSent")
            })
            .await;
        record["attempts"].as_array().unwrap().last().unwrap()["reason"].clone()
    }
}

/// A moment as an object says it: whole seconds.
pub fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap().to_string()
}

/// So many seconds from now.
pub fn in_seconds(count: u64) -> String {
    seconds(Timestamp::now() + Duration::from_secs(count))
}
