//! The objects of one sequence: what is done to them, how all of it is undone, and what must be true then.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use harness::{
    LedgerFilter,
    Provider::{Juicyway, Revolv3},
};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    draw::Draw,
    lane::Lane,
    oracle::{Case, moment},
    schema::Edit,
    story::Story,
};

const GROUP: &str = "/apis/offboarding.dev/v1alpha1";

/// What is read again before a DELETE is younger than a second when it leaves; a busy machine may take one more until it arrives.
const AGE_OF_A_REREAD: Duration = Duration::from_secs(2);

/// Properties of a provider object that say which ids it takes, and whether they may stand in a request.
const IDS_ARE_RULED_BY: [&str; 3] = ["idClass", "profile", "customProfile"];

/// The id was refused, and the request says that it had sent nothing.
fn has_refused_the_spec(status: &Value) -> bool {
    let reason = |of: &str| {
        let mut conditions = status["conditions"].as_array().into_iter().flatten();
        conditions
            .find(|condition| condition["type"] == of)
            .and_then(|condition| condition["reason"].as_str())
    };
    status["result"] == "Failed"
        && reason("Stalled") == Some("InvalidSpec")
        && reason("Deleted") == Some("NotStarted")
}

/// What bob agreed to, for as long as he did.
struct Consent {
    plan_hash: Value,
    given: Timestamp,
    taken_back: Option<Timestamp>,
}

/// What a plan says that is done to whom: customer and mode of each target.
type Named = BTreeSet<(String, String)>;

/// The objects of one sequence, as they were applied first.
pub(super) struct Play<'a> {
    story: Story<'a>,
    case: Case,
    first: BTreeMap<String, Value>,
    /// Each plan that somebody was asked to agree to, by its hash, as it was told then.
    plans: RefCell<BTreeMap<String, Named>>,
    consents: RefCell<Vec<Consent>>,
    /// Somebody wrote into the provider object that nobody has to agree.
    pub(super) unattended: Cell<bool>,
    /// Somebody wrote into the provider object what it takes for an id: a request whose id it refuses has failed for good.
    ids_ruled_anew: Cell<bool>,
}

impl<'a> Play<'a> {
    pub(super) async fn begin(lane: &'a Lane, draw: &mut Draw) -> Play<'a> {
        let story = lane.stage.story("edited").await;
        // A base URL may be edited to what the provider's documents do not know.
        story.strays.set(true);
        let provider = if draw.once_in(2) { Juicyway } else { Revolv3 };
        let id = if provider == Juicyway { "cus_1" } else { "91001" };
        story.sandbox.seed(provider, id, &json!({})).await.unwrap();
        story.secret(provider.name(), crate::story::token(provider)).await;
        story.cast().await;
        let attended = json!({"approvals": {"required": 1}, "verify": {"deadline": "30s"}});
        let spec = story.provider_spec(provider.name(), provider, attended);
        let here = story.namespace.name().to_owned();
        let mut of_cluster = spec.clone();
        of_cluster["allowedNamespaces"] = json!([here]);
        of_cluster["account"] = json!(format!("{here}-cluster"));
        of_cluster["credentials"]["token"]["secretKeyRef"]["namespace"] = json!(here);
        let object = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "offboarding.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
        let target = json!([{"name": "billing", "providerRef": {"name": provider.name()}}]);
        let elsewhere = json!([{"namespace": here, "name": "nobody"}]);
        let first = [
            object("OffboardingProvider", provider.name(), spec),
            object("ClusterOffboardingProvider", &here, of_cluster),
            object("CustomerHold", &here, json!({"type": "Freeze", "all": true, "providers": elsewhere})),
            object("CustomerOffboarding", "acme", json!({"customer": {"id": id}, "targets": target})),
        ];
        let play = Play {
            story,
            case: Case { request: "acme".to_owned(), provider, id: id.to_owned() },
            first: first.into_iter().map(|it| (it["kind"].as_str().unwrap().to_owned(), it)).collect(),
            plans: RefCell::default(),
            consents: RefCell::default(),
            unattended: Cell::new(false),
            ids_ruled_anew: Cell::new(false),
        };
        for kind in ["OffboardingProvider", "ClusterOffboardingProvider", "CustomerHold"] {
            play.create("admin", kind).await.unwrap();
        }
        play.create("alice", "CustomerOffboarding").await.unwrap();
        play
    }

    fn plural(&self, kind: &str) -> String {
        let plural = format!("{}s", kind.to_lowercase());
        match kind {
            "ClusterOffboardingProvider" | "CustomerHold" => format!("{GROUP}/{plural}"),
            _ => self.story.plural(&plural),
        }
    }

    fn path(&self, kind: &str) -> String {
        format!("{}/{}", self.plural(kind), self.first[kind]["metadata"]["name"].as_str().unwrap())
    }

    async fn create(&self, user: &str, kind: &str) -> Result<Value, String> {
        self.story.ask_as(user, Method::POST, &self.plural(kind), &self.first[kind]).await
    }

    async fn get(&self, kind: &str) -> Result<Value, String> {
        self.story.ask_as("admin", Method::GET, &self.path(kind), &json!({})).await
    }

    async fn delete(&self, kind: &str, how: &str) -> Result<Value, String> {
        let body = json!({"propagationPolicy": how});
        self.story.ask_as("admin", Method::DELETE, &self.path(kind), &body).await
    }

    async fn patch(&self, kind: &str, change: Value) -> Result<Value, String> {
        self.story.ask_as("admin", Method::PATCH, &self.path(kind), &change).await
    }

    /// An edit of the object as it is now: what was done, and whether it was accepted.
    pub(super) async fn edit(&self, edit: &Edit) -> (String, bool) {
        let what = format!("edits of {}", edit.kind);
        if edit.kind == "OffboardingApproval" {
            // One never changes: it is made with the edit in it.
            let object = self.approval_now().await;
            let Some(edited) = object.and_then(|object| edit.applied(&object)) else { return (what, false) };
            return (what, self.says(&edited).await.is_ok());
        }
        let Ok(object) = self.get(&edit.kind).await else { return (what, false) };
        let Some(edited) = edit.applied(&object) else { return (what, false) };
        let path = self.path(&edit.kind);
        let stored = self.story.ask_as("admin", Method::PUT, &path, &edited).await;
        if stored.as_ref().is_ok_and(|stored| stored["spec"]["approvals"]["required"] == 0) {
            self.unattended.set(true);
        }
        let rules_ids = |spec: &Value| IDS_ARE_RULED_BY.map(|property| spec[property].clone());
        let anew = |stored: &Value| rules_ids(&stored["spec"]) != rules_ids(&self.first[&edit.kind]["spec"]);
        if edit.kind == "OffboardingProvider" && stored.as_ref().is_ok_and(anew) {
            self.ids_ruled_anew.set(true);
        }
        (what, stored.is_ok())
    }

    /// What bob would write about the plan as it is told, where one is; what that plan names is remembered.
    async fn approval_now(&self) -> Option<Value> {
        let object = self.get("CustomerOffboarding").await.ok()?;
        let (spec, plan) = (&object["spec"], &object["status"]["plan"]);
        let hash = plan["hash"].as_str()?;
        let customer = spec["customer"]["id"].as_str().unwrap_or_default();
        let modes =
            plan["targets"].as_array().into_iter().flatten().filter_map(|target| target["mode"].as_str());
        let named = modes.map(|mode| (customer.to_owned(), mode.to_owned())).collect();
        self.plans.borrow_mut().insert(hash.to_owned(), named);
        let of_it = json!([{"name": "acme", "uid": object["metadata"]["uid"], "planHash": hash}]);
        let hour = Timestamp::now() + Duration::from_secs(3_600);
        let spec = json!({
            "decision": "Approve", "for": of_it, "approver": "bob", "grants": ["Delete"],
            "expiresAt": crate::people::seconds(hour),
        });
        Some(json!({
            "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingApproval",
            "metadata": {"generateName": "bob-"}, "spec": spec,
        }))
    }

    /// Bob says something in his own name: what he says in another one is refused.
    async fn says(&self, approval: &Value) -> Result<(), String> {
        let given = Timestamp::now();
        let stored = self.story.say("bob", approval).await?;
        let spec = &stored["spec"];
        assert_eq!(spec["approver"], "bob", "said in another one's name: {spec:#}");
        if spec["decision"] == "Approve" {
            let for_what = spec["for"].as_array().into_iter().flatten();
            self.consents.borrow_mut().extend(for_what.map(|one| Consent {
                plan_hash: one["planHash"].clone(),
                given,
                taken_back: None,
            }));
        }
        Ok(())
    }

    async fn takes_back(&self) -> Result<(), String> {
        self.story.take_back("bob", "bob").await?;
        for consent in &mut *self.consents.borrow_mut() {
            consent.taken_back.get_or_insert_with(Timestamp::now);
        }
        Ok(())
    }

    /// Each DELETE is one that a plan names to which somebody had agreed, and still did, by what was said here and not by what the
    /// operator says.
    async fn only_what_was_agreed_to_was_deleted(&self) {
        if self.unattended.get() {
            return;
        }
        let deletes = LedgerFilter { method: Some("DELETE"), ..LedgerFilter::default() };
        let ledger = self.story.sandbox.ledger(&deletes).await.unwrap();
        let (plans, consents) = (self.plans.borrow(), self.consents.borrow());
        for sent in ledger {
            let received = moment(&sent["received"]);
            let mode = if sent["provider"] == Juicyway.name() { "Hard" } else { "Soft" };
            let deleted = (sent["customer"].as_str().unwrap_or_default().to_owned(), mode.to_owned());
            let is_agreed = consents.iter().any(|consent| {
                let plan = consent.plan_hash.as_str().and_then(|hash| plans.get(hash));
                let still = consent.taken_back.is_none_or(|taken| received <= taken + AGE_OF_A_REREAD);
                plan.is_some_and(|named| named.contains(&deleted)) && consent.given <= received && still
            });
            assert!(is_agreed, "nobody agreed to {deleted:?}: {sent:#}");
        }
    }

    pub(super) async fn on_an_object(&self, draw: &mut Draw) -> (String, bool) {
        let story = &self.story;
        let provider = self.case.provider;
        let operation = *draw.one(&[
            "approve",
            "approve",
            "deny",
            "take back",
            "suspend",
            "resume",
            "hold",
            "release",
            "label",
            "retry",
            "rotate",
            "remove secret",
            "restore secret",
            "second request",
            "remove request",
            "remove request in the foreground",
            "create request",
            "remove provider",
            "create provider",
            "suspend provider",
            "forge status",
            "forge record",
            "forge approval",
            "blocker",
            "no blocker",
        ]);
        let done = match operation {
            "approve" => match self.approval_now().await {
                Some(approval) => self.says(&approval).await,
                None => Err("no plan is told".to_owned()),
            },
            "deny" => {
                let uid =
                    self.get("CustomerOffboarding").await.map(|object| object["metadata"]["uid"].clone());
                match uid {
                    Ok(uid) => {
                        let spec = json!({"decision": "Deny", "for": [{"name": "acme", "uid": uid}], "approver": "carol"});
                        let object = json!({
                            "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingApproval",
                            "metadata": {"generateName": "carol-"}, "spec": spec,
                        });
                        story.say("carol", &object).await.map(drop)
                    }
                    Err(gone) => Err(gone),
                }
            }
            "take back" => self.takes_back().await,
            "suspend" => {
                self.patch("CustomerOffboarding", json!({"spec": {"suspend": true}})).await.map(drop)
            }
            "resume" => {
                self.patch("CustomerOffboarding", json!({"spec": {"suspend": false}})).await.map(drop)
            }
            "hold" => self.held(provider.name()).await,
            "release" => self.held("nobody").await,
            "label" => {
                let label = json!({"metadata": {"labels": {"seen": draw.below(9).to_string()}}});
                self.patch("CustomerOffboarding", label).await.map(drop)
            }
            "retry" => {
                let nonce = json!({"offboarding.dev/retry-requested-at": draw.below(1_000_000).to_string()});
                self.patch("CustomerOffboarding", json!({"metadata": {"annotations": nonce}})).await.map(drop)
            }
            "rotate" => {
                story.secret(provider.name(), crate::story::token(provider)).await;
                Ok(())
            }
            "remove secret" => {
                let path =
                    format!("/api/v1/namespaces/{}/secrets/{}", story.namespace.name(), provider.name());
                story.ask_as("admin", Method::DELETE, &path, &json!({})).await.map(drop)
            }
            "restore secret" => {
                story.secret(provider.name(), crate::story::token(provider)).await;
                Ok(())
            }
            "second request" => {
                let mut second = self.first["CustomerOffboarding"].clone();
                second["metadata"] = json!({"generateName": "again-"});
                story
                    .ask_as("alice", Method::POST, &self.plural("CustomerOffboarding"), &second)
                    .await
                    .map(drop)
            }
            "remove request" => self.delete("CustomerOffboarding", "Background").await.map(drop),
            "remove request in the foreground" => {
                self.delete("CustomerOffboarding", "Foreground").await.map(drop)
            }
            "create request" => self.create("alice", "CustomerOffboarding").await.map(drop),
            "remove provider" => self.delete("OffboardingProvider", "Background").await.map(drop),
            "create provider" => self.create("admin", "OffboardingProvider").await.map(drop),
            "suspend provider" => {
                self.patch("OffboardingProvider", json!({"spec": {"suspend": true}})).await.map(drop)
            }
            "forge status" => {
                let path = format!("{}/status", self.path("CustomerOffboarding"));
                let forged = json!({"status": {"phase": "Completed", "finished": true}});
                story.ask_as("admin", Method::PATCH, &path, &forged).await.map(drop)
            }
            "forge record" => self.forge_a_record().await,
            "forge approval" => match self.approval_now().await {
                Some(mut approval) => {
                    approval["spec"]["approver"] = json!("carol");
                    self.says(&approval).await
                }
                None => Err("no plan is told".to_owned()),
            },
            "blocker" => self.blocked(true).await,
            _ => self.blocked(false).await,
        };
        assert!(done.is_err() || !operation.starts_with("forge"), "{operation}: nobody may, and it was done");
        (operation.to_owned(), done.is_ok())
    }

    async fn held(&self, provider: &str) -> Result<(), String> {
        let here = json!([{"namespace": self.story.namespace.name(), "name": provider}]);
        self.patch("CustomerHold", json!({"spec": {"providers": here}})).await.map(drop)
    }

    async fn forge_a_record(&self) -> Result<(), String> {
        let records = self.story.records().await;
        let Some(record) = records.first() else { return Err("no record yet".to_owned()) };
        let name = record["metadata"]["name"].as_str().unwrap();
        let path = format!("{GROUP}/namespaces/customer-offboarding/offboardingrecords/{name}");
        self.story.ask_as("admin", Method::PATCH, &path, &json!({"spec": {"closed": true}})).await.map(drop)
    }

    async fn blocked(&self, is: bool) -> Result<(), String> {
        let Case { provider, id, .. } = &self.case;
        let state = if *provider == Juicyway {
            json!({"wallets": [{"id": "w1", "currency": "NGN", "balance": if is { 5 } else { 0 }}]})
        } else {
            let status = if is { "Current" } else { "Cancelled" };
            json!({"subscriptions": [{"subscriptionId": 1, "subscriptionStatusType": status}]})
        };
        self.story.sandbox.change(*provider, id, &state).await.map_err(|failure| failure.to_string())
    }

    /// Everything as it was applied first: the end is that of a fresh start.
    pub(super) async fn undone(&self) -> String {
        let (story, Case { provider, id, .. }) = (&self.story, &self.case);
        story.secret(provider.name(), crate::story::token(*provider)).await;
        self.blocked(false).await.ok();
        self.takes_back().await.unwrap();
        story.take_back("carol", "carol").await.unwrap();
        for kind in ["OffboardingProvider", "ClusterOffboardingProvider", "CustomerHold"] {
            self.put_back(kind).await;
        }
        self.remove_the_others().await;
        story
            .wait("the request is there or gone", async || match self.get("CustomerOffboarding").await {
                Ok(object) if object["metadata"]["deletionTimestamp"].is_string() => Err(object),
                _ => Ok(()),
            })
            .await;
        if self.get("CustomerOffboarding").await.is_err() {
            self.create("alice", "CustomerOffboarding").await.unwrap();
        }
        self.patch("CustomerOffboarding", json!({"spec": {"suspend": false, "notBefore": null}})).await.ok();
        let status = self.ended().await;
        let result = status["result"].as_str().unwrap_or("no result").to_owned();
        let object = self.get("CustomerOffboarding").await.unwrap();
        let spec = &object["spec"];
        let refused = self.ids_ruled_anew.get() && has_refused_the_spec(&status);
        assert!(!refused || !self.has_sent_for(&object["metadata"]["uid"]).await, "{status:#}");
        let cancelled = spec["cancel"] == true && result == "Cancelled";
        let sound = [self.case.success(), "AlreadyAbsent"].contains(&&*result);
        assert!(sound || cancelled || refused, "{status:#}\n{spec:#}");
        story.judge(&self.case).await;
        let customer = story.sandbox.truth(*provider, id).await.unwrap();
        let is_gone = customer["exists"] == false || customer["active"] == false;
        // Whoever is gone where a spec was refused was deleted by a request that was removed since.
        assert!(refused || is_gone == sound, "{result}: {customer:#}");
        self.only_what_was_agreed_to_was_deleted().await;
        story.judged().await;
        result
    }

    /// Whether a record knows of a deletion that may have left in the name of a request.
    async fn has_sent_for(&self, uid: &Value) -> bool {
        let records = self.story.records().await;
        let mine = records.iter().filter(|record| record["spec"]["request"]["uid"] == *uid);
        let mut attempts =
            mine.flat_map(|record| record["spec"]["attempts"].as_array().into_iter().flatten());
        attempts.any(|attempt| attempt["outcome"] != "NotSent")
    }

    async fn put_back(&self, kind: &str) {
        self.story
            .wait(&format!("{kind} is as it was applied first"), async || {
                let Ok(mut object) = self.get(kind).await else {
                    return self.create("admin", kind).await.map(drop);
                };
                object["spec"] = self.first[kind]["spec"].clone();
                self.story.ask_as("admin", Method::PUT, &self.path(kind), &object).await.map(drop)
            })
            .await;
    }

    /// Second requests for the customer are withdrawn.
    async fn remove_the_others(&self) {
        let path = self.plural("CustomerOffboarding");
        let list = self.story.ask_as("admin", Method::GET, &path, &json!({})).await.unwrap();
        for other in list["items"].as_array().unwrap() {
            let name = other["metadata"]["name"].as_str().unwrap();
            if name != "acme" {
                self.story.ask_as("admin", Method::DELETE, &format!("{path}/{name}"), &json!({})).await.ok();
            }
        }
    }

    /// Bob agrees whenever he is asked, until it is finished.
    async fn ended(&self) -> Value {
        let agreeing = async {
            loop {
                let status = self.story.status("acme").await;
                let asked = status["phase"] == "AwaitingApproval"
                    || status["waitingFor"].as_str().is_some_and(|words| words.contains("offboarded before"));
                if asked && let Some(approval) = self.approval_now().await {
                    self.says(&approval).await.ok();
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        tokio::select! {
            status = self.story.ends_in_time("acme") => status,
            () = agreeing => unreachable!("it never ends"),
        }
    }
}
