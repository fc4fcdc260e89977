//! What the operator does with its rights, scene by scene, and how it is seen that it may not.

use std::{cell::Cell, collections::BTreeMap};

use harness::{
    Failure, Process,
    Provider::{Juicyway, Revolv3},
};
use http::{Method, Request};
use serde_json::{Value, json};

use crate::{
    release::{self, IN_SECONDS, NAMESPACE, ON_THE_LOOPBACK},
    rights::Rights,
    scraper::{Certificate, Scraper, who_may_read},
    stage::{SOON, Stage, says},
    story::{Story, condition, token},
};

/// What happens while a right is missing.
#[derive(Clone, Copy, Debug)]
pub enum Scene {
    /// The operator starts, on a Lease and a key that are there.
    Start,
    /// The Lease is not there.
    WithoutALease,
    /// The key is not there, and no record either.
    WithoutAKey,
    /// The provider object of the namespace is changed.
    Provider,
    /// The provider object of the cluster is.
    SharedProvider,
    /// A customer is to be deleted.
    Deletion,
    /// The same at the provider object of the cluster.
    SharedDeletion,
    /// A customer may not be deleted, and then for one more reason.
    Blockers,
    /// A request is finished, and the time has come to remove it.
    Removal,
    /// Somebody who may read the metrics asks for them.
    Scrape,
    /// The doctor looks, where the operator runs.
    Doctor,
}

/// How it is seen that it is missing.
#[derive(Clone, Copy, Debug)]
pub enum Seen {
    /// A line of the log has all of these words.
    Log(&'static [&'static str]),
    /// The attempt is not sent, because something could not be read after the intent.
    NotSent,
    /// The request waits for this.
    Waits(&'static str),
    /// The provider object of the namespace, or of the cluster, is not ready for this reason.
    NotReady(&'static str),
    /// Whoever may read the metrics gets none, and the log says why.
    NoMetrics,
    /// The doctor could not see this.
    Unknown(&'static str),
}

use Scene::{
    Blockers, Deletion, Doctor, Provider, Removal, Scrape, SharedDeletion, SharedProvider, Start,
    WithoutAKey, WithoutALease,
};
use Seen::{Log, NoMetrics, NotReady, NotSent, Unknown, Waits};

/// A stage for all scenes: one namespace, a provider object in it and one of the cluster.
pub struct Hall<'a> {
    pub story: Story<'a>,
    pub rights: Rights,
    changes: Cell<u32>,
    certificate: Certificate,
    /// The token of somebody who may read the metrics.
    reader: String,
}

impl<'a> Hall<'a> {
    pub async fn of(stage: &'a Stage) -> Hall<'a> {
        let story = stage.story("shop").await;
        let watched = story.namespace.name().to_owned();
        let namespaces = format!("--set=watchNamespaces={{{watched}}},rbac.secretNames={{shared}}");
        release::install(&stage.plane, &[ON_THE_LOOPBACK, IN_SECONDS, &namespaces]).await.unwrap();
        let rights = Rights::of_release(stage, &watched).await;
        let certificate = Certificate::written(&stage.scratch);
        let reader = who_may_read(&stage.plane).await;
        let hall = Hall { story, rights, changes: Cell::new(0), certificate, reader };
        hall.story.provider(Juicyway, json!({})).await;
        hall.story.provider(Revolv3, json!({})).await;
        hall.share().await;
        hall
    }

    /// The provider object of the cluster, with its Secret in the operator's namespace.
    async fn share(&self) {
        let mut spec = self.story.provider_spec("shared", Juicyway, json!({}));
        spec["allowedNamespaces"] = json!([self.story.namespace.name()]);
        let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
            {
                "apiVersion": "v1", "kind": "Secret", "type": "offboarding.dev/credentials",
                "metadata": {"name": "shared", "namespace": NAMESPACE}, "stringData": {"token": token(Juicyway)},
            },
            {
                "apiVersion": "offboarding.dev/v1alpha1", "kind": "ClusterOffboardingProvider",
                "metadata": {"name": "shared"}, "spec": spec,
            },
        ]});
        self.story.stage.plane.apply(&objects.to_string()).await.unwrap();
    }

    /// Starts the operator, and lets happen what is to happen.
    pub async fn plays(&self, scene: Scene) -> Process {
        let stage = self.story.stage;
        self.changes.set(self.changes.get() + 1);
        match scene {
            WithoutALease => {
                self.deletes("/apis/coordination.k8s.io/v1", "leases/customer-offboarding-operator").await
            }
            WithoutAKey => {}
            _ => stage.free_the_lease().await.unwrap(),
        }
        let env = [
            ("LOG_LEVEL", "debug"),
            ("METRICS_CERTIFICATE", self.certificate.file.as_str()),
            ("METRICS_KEY", self.certificate.key.as_str()),
        ];
        let operator = stage.starts(&env).await.unwrap();
        match scene {
            // In the last two somebody asks, and what they are answered is what is seen: there they do.
            Start | WithoutALease | WithoutAKey | Scrape | Doctor => {}
            Provider => self.story.edit_provider(Juicyway, self.change()).await,
            SharedProvider => {
                let path = "/apis/offboarding.dev/v1alpha1/clusteroffboardingproviders/shared";
                self.patches(path, &json!({"spec": self.change()})).await;
            }
            Deletion => self.asks("deletion", json!({})).await,
            SharedDeletion => self.asks_where_it_is_shared().await,
            Blockers => self.is_blocked_twice().await,
            Removal => self.is_to_be_removed().await,
        }
        operator
    }

    pub async fn sees(&self, operator: &mut Process, scene: Scene, seen: Seen) -> Result<(), Failure> {
        let story = &self.story;
        match (seen, scene) {
            (Log(words), _) => says(operator, words).await.map(drop)?,
            (Waits(words), _) => {
                let request = self.request("deletion");
                story.until(&request, words, |status| status["waitingFor"] == words).await;
            }
            (NotSent, _) => {
                let [one, other] = ["deletion", "shared-deletion"].map(|name| self.request(name));
                story
                    .wait("an attempt is not sent", async || {
                        let records = story.records().await;
                        let attempts = records.iter().filter(|record| {
                            let name = &record["spec"]["request"]["name"];
                            *name == one || *name == other
                        });
                        let mut attempts = attempts.map(|record| record["spec"]["attempts"][0].clone());
                        match attempts.next() {
                            Some(it) if it["outcome"] == "NotSent" && it["reason"] == "Unread" => Ok(()),
                            other => Err(other),
                        }
                    })
                    .await;
            }
            (NotReady(reason), SharedProvider) => {
                self.is_not_ready("clusteroffboardingproviders/shared", reason).await
            }
            (NotReady(reason), _) => {
                let path = format!("namespaces/{}/offboardingproviders/juicyway", story.namespace.name());
                self.is_not_ready(&path, reason).await;
            }
            (NoMetrics, _) => {
                let status = self.scrapes(operator).await?;
                if status != 503 {
                    return Err(Failure::new("see the metrics refused", format!("the answer is {status}")));
                }
                let why =
                    "nobody can tell who may read the metrics: tokenreviews, subjectaccessreviews: forbidden";
                says(operator, &[why]).await?;
            }
            (Unknown(check), _) => {
                let lines = self.asks_the_doctor().await?;
                if lines[check]["verdict"] != "unknown" {
                    return Err(Failure::new(format!("see that {check} is unknown"), &lines[check]));
                }
            }
        }
        Ok(())
    }

    async fn is_not_ready(&self, path: &str, reason: &str) {
        let path = format!("/apis/offboarding.dev/v1alpha1/{path}");
        self.story
            .wait(&format!("{path} is not ready: {reason}"), async || {
                let request = Request::get(&path).body(Vec::new()).unwrap();
                let object = self.story.client.request::<Value>(request).await.unwrap();
                let ready = condition(&object["status"], "Ready");
                if ready["reason"] == reason { Ok(()) } else { Err(ready) }
            })
            .await;
    }

    /// What somebody is answered who may read the metrics.
    pub async fn scrapes(&self, operator: &mut Process) -> Result<u16, Failure> {
        // Of this process: the log has the addresses of those before it, too.
        let line = says(operator, &["serving metrics over TLS"]).await?;
        let address = line.split('"').find(|part| part.starts_with("127.0.0.1:")).unwrap();
        let scraper = Scraper::new(address.to_owned(), &self.certificate);
        let answer = tokio::time::timeout(SOON, scraper.get("/metrics", Some(&self.reader))).await;
        let (status, _) = answer.map_err(Failure::to("read the metrics"))?;
        Ok(status)
    }

    /// What the doctor says in the operator's pod, by what it looked at.
    pub async fn asks_the_doctor(&self) -> Result<BTreeMap<String, Value>, Failure> {
        let stage = self.story.stage;
        let doctor = release::doctor(&stage.plane, &stage.scratch).await?;
        let output = doctor.args(["--output", "json"]).run().await?;
        let said: Value = serde_json::from_str(&output.stdout)
            .map_err(|why| Failure::new("read what the doctor says", format!("{why}: {}", output.stderr)))?;
        let lines = said["checks"].as_array().into_iter().flatten();
        Ok(lines.map(|line| (line["check"].as_str().unwrap().to_owned(), line.clone())).collect())
    }

    /// A customer of this scene's own is there and is to be deleted.
    pub async fn asks(&self, name: &str, change: Value) {
        let customer = format!("cus_{}", self.request(name).replace('-', "_"));
        self.story.sandbox.seed(Juicyway, &customer, &json!({})).await.unwrap();
        self.story.request_with(&self.request(name), Juicyway, &customer, change).await;
    }

    pub async fn asks_where_it_is_shared(&self) {
        let shared = json!({"kind": "ClusterOffboardingProvider", "name": "shared"});
        let targets = json!([{"name": "billing", "providerRef": shared}]);
        self.asks("shared-deletion", json!({"targets": targets})).await;
    }

    /// A request with a time that is over, because it was finished long ago.
    pub async fn is_to_be_removed(&self) {
        self.asks("removal", json!({"ttlAfterFinished": "1h"})).await;
        let request = self.request("removal");
        assert_eq!(self.story.finished(&request).await["result"], "ErasedWithRetention");
        self.story.finished_long_ago(&request).await;
    }

    /// An Event is written, and once more about the same: Kubernetes counts it up.
    async fn is_blocked_twice(&self) {
        let (story, request) = (&self.story, self.request("blockers"));
        let customer = (90_000 + self.changes.get()).to_string();
        let subscription =
            json!({"subscriptions": [{"subscriptionId": 7, "subscriptionStatusType": "Current"}]});
        story.sandbox.seed(Revolv3, &customer, &subscription).await.unwrap();
        story.request(&request, Revolv3, &customer).await;
        story.reason(&request, "Unblocked", "BlockersFound").await;
        let invoice = json!({"invoices": [{"invoiceId": 31, "invoiceStatus": "Pending", "total": 49.0}]});
        story.sandbox.change(Revolv3, &customer, &invoice).await.unwrap();
        story.look_again(&request, Revolv3, &customer).await;
        let both = |status: &Value| {
            let words = status["waitingFor"].as_str().unwrap_or_default();
            words.contains("subscriptions") && words.contains("invoices")
        };
        story.until(&request, "both are told", both).await;
    }

    pub fn request(&self, name: &str) -> String {
        format!("{name}-{}", self.changes.get())
    }

    /// Deletes the requests of the scene, as far as they are there.
    pub async fn clears(&self) {
        for name in ["deletion", "shared-deletion", "blockers", "removal"] {
            let request = self.request(name);
            if self.story.get("CustomerOffboarding", &request).await.is_some() {
                self.story.delete(&request).await;
            }
        }
    }

    /// Another generation of a provider object, which has to be told.
    fn change(&self) -> Value {
        json!({"recheckInterval": format!("{}s", 10 + self.changes.get())})
    }

    async fn deletes(&self, group: &str, object: &str) {
        let path = format!("{group}/namespaces/{NAMESPACE}/{object}");
        let request = Request::builder().method(Method::DELETE).uri(path).body(Vec::new()).unwrap();
        self.story.client.request::<Value>(request).await.unwrap();
    }

    async fn patches(&self, path: &str, change: &Value) {
        let request = Request::builder().method(Method::PATCH).uri(path);
        let request = request.header("content-type", "application/merge-patch+json");
        let request = request.body(change.to_string().into()).unwrap();
        self.story.client.request::<Value>(request).await.unwrap();
    }
}
