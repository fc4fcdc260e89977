//! A provider object of the cluster: it serves the namespaces that it names, and to all others it is not there.

use harness::Provider::{Juicyway, Revolv3};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use offboarding::api::ClusterOffboardingProvider;
use serde_json::{Value, json};

use crate::{
    stage::play,
    story::{Story, assert_told, condition, timeless, token},
};

const ID: &str = "cus_shared";

/// The cluster's provider object of one story: it has the name of the story's namespace, and so has its Secret.
struct Shared<'a> {
    story: &'a Story<'a>,
    objects: Api<ClusterOffboardingProvider>,
    name: &'a str,
}

impl<'a> Shared<'a> {
    /// Made with its Secret in the operator's namespace.
    async fn make(story: &'a Story<'a>, provider: harness::Provider, serves: Value) -> Self {
        let name = story.namespace.name();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "offboarding.dev/credentials",
            "metadata": {"name": name}, "stringData": {"token": token(provider)},
        });
        let secrets = Api::<Secret>::namespaced(story.client.clone(), "customer-offboarding");
        secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
        // Long enough that a pass ends before the last look.
        let lag = json!({"customProfile": {"guarantees": {"consistencyLag": "2s"}}});
        let mut spec = story.provider_spec(name, provider, lag);
        spec["allowedNamespaces"] = serves;
        let object = json!({
            "apiVersion": "offboarding.dev/v1alpha1", "kind": "ClusterOffboardingProvider",
            "metadata": {"name": name}, "spec": spec,
        });
        let objects = Api::<ClusterOffboardingProvider>::all(story.client.clone());
        objects.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
        Self { story, objects, name }
    }

    async fn serves(&self, namespaces: Value) {
        let patch = Patch::Merge(json!({"spec": {"allowedNamespaces": namespaces}}));
        self.objects.patch(self.name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// A request that names it.
    async fn request(&self, name: &str, provider: harness::Provider, id: &str) {
        let change = json!({"targets": [{"name": "billing", "providerRef": self.reference()}]});
        self.story.request_with(name, provider, id, change).await;
    }

    fn reference(&self) -> Value {
        json!({"kind": "ClusterOffboardingProvider", "name": self.name})
    }

    fn says(&self, name: &str) -> String {
        format!(
            "provider '{name}' is not available to this namespace; a ClusterOffboardingProvider of this name must name it in `allowedNamespaces`"
        )
    }

    async fn is(&self, reason: &str) {
        let what = format!("Ready of the cluster's provider object is {reason}");
        self.story
            .wait(&what, || async {
                let status = serde_json::to_value(self.objects.get(self.name).await.unwrap().status).unwrap();
                if condition(&status, "Ready")["reason"] == reason { Ok(()) } else { Err(status) }
            })
            .await;
    }
}

#[tokio::test]
async fn a_provider_of_the_cluster_serves_an_allowed_namespace_with_the_credential_of_the_operators() {
    play("shared", async |story| {
        let here = story.namespace.name();
        story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
        // Beside the request lie a Secret and a provider object of the same names, and nobody touches them.
        story.provider_as(here, Juicyway, json!({"suspend": true})).await;
        story.secret(here, "test_stolen").await;
        let shared = Shared::make(story, Juicyway, json!([here])).await;
        shared.is("ProbeSucceeded").await;
        shared.request("acme", Juicyway, ID).await;
        let status = story.finished("acme").await;
        assert_eq!(status["result"], "ErasedWithRetention");
        let summary = status["plan"]["summary"][0].as_str().unwrap();
        let place = format!(" at {here} (ClusterOffboardingProvider, sandbox, account {here}-juicyway), ");
        assert!(summary.contains(&place), "{summary}");
        let record = story.record_until("it is closed", |spec| spec["closed"] == true).await;
        let provider = &record["provider"];
        assert_eq!(
            [&provider["kind"], &provider["namespace"], &provider["name"]],
            ["ClusterOffboardingProvider", "", here]
        );
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_does_not_allow_a_namespace_is_one_that_is_not_there() {
    play("foreign", async |story| {
        let here = story.namespace.name();
        story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
        let shared = Shared::make(story, Juicyway, json!(["somebody-else"])).await;
        shared.is("ProbeSucceeded").await;
        shared.request("acme", Juicyway, ID).await;
        let not_there = json!({"kind": "ClusterOffboardingProvider", "name": "missing"});
        let change = json!({"targets": [{"name": "billing", "providerRef": not_there}]});
        story.request_with("nobody", Juicyway, ID, change).await;
        let change = json!({"targets": [{"name": "billing", "providerRef": {"name": here}}]});
        story.request_with("other-kind", Juicyway, ID, change).await;

        let not_allowed = story.says("acme", &shared.says(here)).await;
        let missing = story.says("nobody", &shared.says("missing")).await;
        assert_told(&not_allowed, &[["Stalled", "True", "ProviderNotFound"], ["Ready", "False", "Blocked"]]);
        assert_eq!(anonymous(&not_allowed, here), anonymous(&missing, "missing"));
        let kind =
            format!("provider '{here}' is not available to this namespace; create the OffboardingProvider");
        story.says("other-kind", &kind).await;
        assert_eq!(story.received(Juicyway, "GET", ID).await, Vec::<Value>::new(), "nobody looked");

        story.delete("other-kind").await;
        shared.serves(json!(["somebody-else", here])).await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
        story.says("nobody", &shared.says("missing")).await;
    })
    .await;
}

/// All of a status but times and the provider object's name.
fn anonymous(status: &Value, name: &str) -> String {
    timeless(&json!(status.to_string().replace(name, "NAME")))
}

#[tokio::test]
async fn a_namespace_taken_off_the_list_between_intent_and_send_sends_nothing() {
    play("taken-off", async |story| {
        let here = story.namespace.name();
        story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
        let looks = json!({"method": "GET", "path": "/customers/*"});
        let slow = json!({"kind": "latency", "ms": 3300, "at": "beforeApply"});
        story
            .sandbox
            .set_faults(&json!([{"match": looks, "skip": 1, "times": 1, "do": slow}]))
            .await
            .unwrap();
        let shared = Shared::make(story, Juicyway, json!([here, "somebody-else"])).await;
        shared.request("acme", Juicyway, ID).await;
        story.until_looks(Juicyway, ID, 2).await;
        shared.serves(json!(["somebody-else"])).await;
        story.says("acme", &shared.says(here)).await;
        let record = story.record_until("there is an attempt", |spec| spec["attempts"][0].is_object()).await;
        let attempt = &record["attempts"][0];
        assert_eq!([&attempt["outcome"], &attempt["reason"]], ["NotSent", "ProviderChanged"]);
        assert_eq!(story.deletes(Juicyway, ID).await, 0);
        shared.serves(json!([here])).await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_was_sent_is_finished_when_request_and_permission_are_gone() {
    play("orphan", async |story| {
        let here = story.namespace.name();
        story.sandbox.seed(Revolv3, "90017", &json!({})).await.unwrap();
        let shared = Shared::make(story, Revolv3, json!([here])).await;
        shared.request("acme", Revolv3, "90017").await;
        story.until("acme", "it waits for the last look", |status| status["phase"] == "Verifying").await;
        shared.serves(json!([])).await;
        story.delete("acme").await;
        let record = story.record_until("it is closed", |spec| spec["closed"] == true).await;
        assert_eq!((&record["result"], &record["sealedId"]), (&json!("Deactivated"), &Value::Null));
        assert_eq!(story.deletes(Revolv3, "90017").await, 1);
    })
    .await;
}
