//! Every right of the operator is needed: without it this is seen. And none is missing: with all of them nothing is refused.

use std::time::Instant;

use harness::{
    Failure, Process,
    Provider::{Juicyway, Revolv3},
};
use http::{Method, Request};
use serde_json::{Value, json};

use crate::{
    release::{self, IN_SECONDS, NAMESPACE, ON_THE_LOOPBACK},
    rights::{Right, Rights, asked},
    stage::{Stage, says},
    story::{Story, condition, token},
};

/// What happens while a right is missing.
#[derive(Clone, Copy, Debug)]
enum Scene {
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
}

/// How it is seen that it is missing.
#[derive(Clone, Copy, Debug)]
enum Seen {
    /// A line of the log has all of these words.
    Log(&'static [&'static str]),
    /// The attempt is not sent, because something could not be read after the intent.
    NotSent,
    /// The request waits for this.
    Waits(&'static str),
    /// The provider object of the namespace, or of the cluster, is not ready for this reason.
    NotReady(&'static str),
}

use Scene::{
    Blockers, Deletion, Provider, SharedDeletion, SharedProvider, Start, WithoutAKey, WithoutALease,
};
use Seen::{Log, NotReady, NotSent, Waits};

const WATCH: &str = "a watch failed";
const FORBIDDEN: &str = "forbidden";
const LEASE: Seen = Log(&["the lease cannot be read or written: forbidden"]);
const KEY: Seen = Log(&["customer-offboarding-installation-key cannot be read or made: forbidden"]);
const STATUS: Seen = Log(&["failed to save the status: forbidden"]);

/// Without this right, in this scene, this is seen.
const TABLE: &[(&str, Scene, Seen)] = &[
    // First: afterwards there are records, and no key is made again.
    ("create secrets", WithoutAKey, KEY),
    ("get secrets customer-offboarding-installation-key", Start, KEY),
    ("get secrets shared", SharedProvider, NotReady("SecretUnavailable")),
    ("get secrets", Provider, NotReady("SecretUnavailable")),
    ("get leases customer-offboarding-operator", Start, LEASE),
    ("update leases customer-offboarding-operator", Start, LEASE),
    ("create leases customer-offboarding-operator", WithoutALease, LEASE),
    ("list customeroffboardings", Start, Log(&[WATCH, FORBIDDEN, "CustomerOffboarding in"])),
    ("watch customeroffboardings", Start, Log(&[WATCH, FORBIDDEN, "CustomerOffboarding in"])),
    ("get customeroffboardings", Deletion, NotSent),
    ("update customeroffboardings/status", Deletion, STATUS),
    ("list offboardingapprovals", Start, Log(&[WATCH, FORBIDDEN, "OffboardingApproval in"])),
    ("watch offboardingapprovals", Start, Log(&[WATCH, FORBIDDEN, "OffboardingApproval in"])),
    ("list offboardingproviders", Start, Log(&[WATCH, FORBIDDEN, "\"OffboardingProvider in"])),
    ("watch offboardingproviders", Start, Log(&[WATCH, FORBIDDEN, "\"OffboardingProvider in"])),
    ("get offboardingproviders", Deletion, NotSent),
    ("update offboardingproviders/status", Provider, STATUS),
    ("list clusteroffboardingproviders", Start, Log(&[WATCH, FORBIDDEN, "ClusterOffboardingProvider"])),
    ("watch clusteroffboardingproviders", Start, Log(&[WATCH, FORBIDDEN, "ClusterOffboardingProvider"])),
    ("get clusteroffboardingproviders", SharedDeletion, NotSent),
    ("update clusteroffboardingproviders/status", SharedProvider, STATUS),
    ("list customerholds", Start, Log(&[WATCH, FORBIDDEN, "CustomerHold"])),
    ("watch customerholds", Start, Log(&[WATCH, FORBIDDEN, "CustomerHold"])),
    ("create events", Blockers, Log(&["an event could not be written"])),
    ("patch events", Blockers, Log(&["an event could not be written"])),
    ("get offboardingrecords", Deletion, Waits("the Kubernetes API server to answer")),
    ("list offboardingrecords", Start, Log(&["nobody knows whether there are records: forbidden"])),
    ("watch offboardingrecords", Start, Log(&[WATCH, FORBIDDEN, "OffboardingRecord"])),
    ("create offboardingrecords", Deletion, Log(&["no intent could be written", FORBIDDEN])),
    ("update offboardingrecords", Deletion, Log(&["failed to write the record: forbidden"])),
];

/// Of each policy that approvals stand on the policy and its binding: the log names what cannot be read.
const POLICIES: [&str; 4] = ["requests", "approvals", "denials", "operator-only"];
const READ: [(&str, &str); 2] = [
    ("validatingadmissionpolicies", "ValidatingAdmissionPolicy"),
    ("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
];

/// A stage for all scenes: one namespace, a provider object in it and one of the cluster.
struct Hall<'a> {
    story: Story<'a>,
    rights: Rights,
    changes: std::cell::Cell<u32>,
}

#[tokio::test]
async fn each_right_that_is_taken_away_is_missed_and_nothing_else_is_asked_for() {
    let begun = Instant::now();
    let stage = Stage::bare().await.unwrap();
    let hall = Hall::of(&stage).await;
    let mut known: Vec<String> = TABLE.iter().map(|(right, ..)| (*right).to_owned()).collect();
    known.extend(
        READ.iter()
            .flat_map(|(plural, _)| POLICIES.map(|policy| format!("get {plural} {policy}.offboarding.dev"))),
    );
    let mut given: Vec<String> = hall.rights.all.iter().map(Right::words).collect();
    known.sort();
    given.sort();
    assert_eq!(given, known, "a right without a row, or a row without a right");

    let (first, others) = TABLE.split_first().unwrap();
    hall.misses(first).await;
    hall.nothing_is_missed_with_all_of_them().await;
    for row in others {
        hall.misses(row).await;
    }
    for (plural, kind) in READ {
        for policy in POLICIES {
            let right = format!("get {plural} {policy}.offboarding.dev");
            let told = format!("{kind} {policy}.offboarding.dev");
            hall.without(&right, Start, async |operator| {
                says(operator, &["admission policies", "Missing", &told]).await
            })
            .await;
        }
    }
    println!("{} rights in {:.0?}", known.len(), begun.elapsed());
    hall.story.judged().await;
}

impl<'a> Hall<'a> {
    async fn of(stage: &'a Stage) -> Hall<'a> {
        let story = stage.story("shop").await;
        let watched = story.namespace.name().to_owned();
        let namespaces = format!("--set=watchNamespaces={{{watched}}},rbac.secretNames={{shared}}");
        release::install(&stage.plane, &[ON_THE_LOOPBACK, IN_SECONDS, &namespaces]).await.unwrap();
        let rights = Rights::of_release(stage, &watched).await;
        let hall = Hall { story, rights, changes: std::cell::Cell::new(0) };
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

    async fn misses(&self, (right, scene, seen): &(&str, Scene, Seen)) {
        self.without(right, *scene, async |operator| self.sees(operator, *scene, *seen).await).await;
    }

    /// Takes a right away, plays a scene, sees what it must, and gives the right back.
    async fn without<T>(
        &self,
        right: &str,
        scene: Scene,
        see: impl AsyncFnOnce(&mut Process) -> Result<T, Failure>,
    ) {
        let begun = Instant::now();
        let right = self.rights.all.iter().find(|it| it.words() == right).unwrap();
        self.rights.take(right).await;
        let mut operator = self.plays(scene).await;
        let seen = see(&mut operator).await;
        assert!(seen.is_ok(), "without `{}`: {:?}", right.words(), seen.err());
        operator.kill_hard().unwrap();
        self.rights.give_back(right).await;
        for request in self.requests() {
            if self.story.get("CustomerOffboarding", &request).await.is_some() {
                self.story.delete(&request).await;
            }
        }
        println!("without `{}`, {scene:?}: missed after {:.1?}", right.words(), begun.elapsed());
    }

    /// Starts the operator, and lets happen what is to happen.
    async fn plays(&self, scene: Scene) -> Process {
        let stage = self.story.stage;
        self.changes.set(self.changes.get() + 1);
        match scene {
            WithoutALease => {
                self.deletes("/apis/coordination.k8s.io/v1", "leases/customer-offboarding-operator").await
            }
            WithoutAKey => {}
            _ => stage.free_the_lease().await.unwrap(),
        }
        let operator = stage.starts(&[("LOG_LEVEL", "debug")]).await.unwrap();
        match scene {
            Start | WithoutALease | WithoutAKey => {}
            Provider => self.story.edit_provider(Juicyway, self.change()).await,
            SharedProvider => {
                let path = "/apis/offboarding.dev/v1alpha1/clusteroffboardingproviders/shared";
                self.patches(path, &json!({"spec": self.change()})).await;
            }
            Deletion => self.asks("deletion", json!({})).await,
            SharedDeletion => {
                let shared = json!({"kind": "ClusterOffboardingProvider", "name": "shared"});
                self.asks(
                    "shared-deletion",
                    json!({"targets": [{"name": "billing", "providerRef": shared}]}),
                )
                .await;
            }
            Blockers => self.is_blocked_twice().await,
        }
        operator
    }

    async fn sees(&self, operator: &mut Process, scene: Scene, seen: Seen) -> Result<(), Failure> {
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

    /// Every scene goes well, what the operator asks for is what it was given, and all that it was given it asks for.
    async fn nothing_is_missed_with_all_of_them(&self) {
        let mut operator = self.plays(Blockers).await;
        let story = &self.story;
        self.asks("deletion", json!({})).await;
        let shared = json!({"kind": "ClusterOffboardingProvider", "name": "shared"});
        self.asks("shared-deletion", json!({"targets": [{"name": "billing", "providerRef": shared}]})).await;
        for name in ["deletion", "shared-deletion"] {
            assert_eq!(story.finished(&self.request(name)).await["result"], "ErasedWithRetention", "{name}");
        }
        let (used, refused) = asked(story.stage);
        // The row before this one took a right away.
        let refused: Vec<_> =
            refused.iter().filter(|event| event["objectRef"]["resource"] != "secrets").collect();
        assert_eq!(refused, [&Value::Null; 0], "something that the operator needs is not granted");
        let unused = self.rights.all.iter().map(Right::words).filter(|right| !used.contains_key(right));
        assert_eq!(unused.collect::<Vec<_>>(), [""; 0], "granted, and not asked for");
        operator.kill_hard().unwrap();
        for request in self.requests() {
            story.delete(&request).await;
        }
    }

    /// A customer of this scene's own is there and is to be deleted.
    async fn asks(&self, name: &str, change: Value) {
        let customer = format!("cus_{}", self.request(name).replace('-', "_"));
        self.story.sandbox.seed(Juicyway, &customer, &json!({})).await.unwrap();
        self.story.request_with(&self.request(name), Juicyway, &customer, change).await;
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

    fn request(&self, name: &str) -> String {
        format!("{name}-{}", self.changes.get())
    }

    fn requests(&self) -> [String; 3] {
        ["deletion", "shared-deletion", "blockers"].map(|name| self.request(name))
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
