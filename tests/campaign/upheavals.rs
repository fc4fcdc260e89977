//! What somebody does to the cluster and not to us, while offboardings are under way: the definitions are removed and come back, the
//! namespace goes, a quota lets no record through, the operator's token expires, the policies are taken away. C26 to C29 of
//! reliability.md.
//!
//! A seed is one upheaval, at a random moment, for a random time. Then it is over, and whatever is still asked for comes to its end.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use futures::future::join_all;
use harness::{
    Launch, Options, Process,
    Provider::{self, Juicyway, Revolv3},
    Scratch, eventually,
};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{
    draw::Draw,
    lane::Lane,
    oracle::{BOUND, Case, moment},
    people::IN_FORCE_AFTER,
    results::{Campaign, Figures},
    stage::{install, ready, root, says},
    story::Story,
};

/// Offboardings that are under way when it happens.
const REQUESTS: u64 = 6;

const HOME: &str = "/api/v1/namespaces/customer-offboarding";
const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";

/// What is read again before a DELETE is younger than a second when it leaves.
const AGE_OF_A_REREAD: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upheaval {
    /// All but that of records, which only who breaks the glass can remove.
    Definitions,
    Namespace,
    Quota,
    Token,
    Policies,
}

const ALL: [Upheaval; 5] =
    [Upheaval::Definitions, Upheaval::Namespace, Upheaval::Quota, Upheaval::Token, Upheaval::Policies];

#[tokio::test]
async fn whatever_befalls_the_cluster_nobody_is_deleted_unasked_and_who_is_still_asked_for_comes_to_an_end() {
    let lane = Lane::open(Options::default().with_controller_manager()).await;
    let cluster = Cluster::begin(&lane).await;
    let slice = u64::try_from(ALL.len()).unwrap();
    Campaign::of("upheavals", slice).run(1, async |seed| cluster.plan(seed).await).await;
    assert_eq!(lane.history.wrong(), [""; 0]);
}

/// A control plane, and an operator with a token that expires as that of a pod does. Who ended is started again.
struct Cluster<'a> {
    lane: &'a Lane,
    launch: Launch,
    token: PathBuf,
    operator: Mutex<Process>,
    _files: Scratch,
}

impl<'a> Cluster<'a> {
    async fn begin(lane: &'a Lane) -> Cluster<'a> {
        let files = Scratch::new("token").unwrap();
        let token = files.join("token");
        fs::write(&token, issued(lane, 0).await).unwrap();
        let theirs = fs::read_to_string(lane.stage.plane.kubeconfig("operator")).unwrap();
        let mut kubeconfig: Value = serde_json::from_str(&theirs).unwrap();
        kubeconfig["users"][0]["user"] = json!({ "tokenFile": token });
        let path = files.write("kubeconfig", &kubeconfig.to_string()).unwrap();
        let launch = lane.stage.launch.clone().env("KUBECONFIG", path);
        lane.free_the_lease().await;
        let mut operator = ready(&launch, lane.stage.scratch.path()).await.unwrap();
        says(&mut operator, "leading").await.unwrap();
        Cluster { lane, launch, token, operator: Mutex::new(operator), _files: files }
    }

    async fn watch_over(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let mut operator = self.operator.lock().await;
            if operator.exit_status().unwrap().is_some() {
                self.lane.free_the_lease().await;
                *operator = self.launch.start(self.lane.stage.scratch.path()).unwrap();
            }
        }
    }

    async fn plan(&self, seed: u64) -> Figures {
        let mut draw = Draw::new("upheavals", seed);
        let upheaval = ALL[usize::try_from(seed).unwrap() % ALL.len()];
        let play = Play::begin(self, upheaval, &mut draw).await;
        let (soon, away) =
            (Duration::from_millis(draw.below(4_000)), Duration::from_millis(draw.below(5_000)));
        let deletes = tokio::select! {
            deletes = async {
                tokio::time::sleep(soon).await;
                match upheaval {
                    Upheaval::Definitions => play.definitions(away).await,
                    Upheaval::Namespace => return play.namespace().await,
                    Upheaval::Quota => play.quota(away).await,
                    Upheaval::Token => play.token(seed, away).await,
                    Upheaval::Policies => play.policies(away).await,
                }
                play.ends().await
            } => deletes,
            () = self.watch_over() => unreachable!("it never ends"),
        };
        play.story.judged().await;
        BTreeMap::from([
            ("upheavals".to_owned(), 1),
            ("deletes".to_owned(), deletes),
            (format!("{upheaval:?}"), 1),
        ])
    }
}

/// A token of the operator's account that is worth nothing once the Secret it is bound to is gone.
async fn issued(lane: &Lane, seed: u64) -> String {
    let client = lane.stage.plane.client("admin").await.unwrap();
    let post = |path: String, body: Value| {
        http::Request::post(path)
            .header("content-type", "application/json")
            .body(body.to_string().into_bytes())
    };
    let name = format!("token-{seed}");
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
    let secret: Value = client.request(post(format!("{HOME}/secrets"), secret).unwrap()).await.unwrap();
    let bound = json!({"apiVersion": "v1", "kind": "Secret", "name": name, "uid": secret["metadata"]["uid"]});
    let asked = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"expirationSeconds": 7200, "boundObjectRef": bound},
    });
    let path = format!("{HOME}/serviceaccounts/customer-offboarding-operator/token");
    let answer: Value = client.request(post(path, asked).unwrap()).await.unwrap();
    answer["status"]["token"].as_str().unwrap().to_owned()
}

struct Play<'a> {
    cluster: &'a Cluster<'a>,
    story: Story<'a>,
    cases: Vec<Case>,
    attended: bool,
}

impl<'a> Play<'a> {
    /// Requests at both providers; where somebody has to agree, bob has agreed to half of them.
    async fn begin(cluster: &'a Cluster<'a>, upheaval: Upheaval, draw: &mut Draw) -> Play<'a> {
        let story = cluster.lane.stage.story("upheaval").await;
        let attended = upheaval == Upheaval::Policies || draw.once_in(3);
        let mut faults = Vec::new();
        let mut cases = Vec::new();
        for n in 0..REQUESTS {
            let (provider, id) =
                if n % 2 == 0 { (Juicyway, format!("cus_{n}")) } else { (Revolv3, (91_000 + n).to_string()) };
            story.sandbox.seed(provider, &id, &json!({})).await.unwrap();
            let at = if draw.once_in(2) { "afterApply" } else { "beforeApply" };
            let fault = match draw.below(3) {
                0 => json!({"kind": "latency", "ms": 500 + draw.below(3_000), "at": at}),
                1 => json!({"kind": "cut", "at": at, "how": "rst"}),
                _ => json!({"kind": "latency", "ms": 0, "at": at}),
            };
            faults.push(json!({"match": {"method": "DELETE", "customer": id}, "times": 1, "do": fault}));
            cases.push(Case { request: format!("request-{n}"), provider, id });
        }
        story.sandbox.set_faults(&json!(faults)).await.unwrap();
        let play = Play { cluster, story, cases, attended };
        play.asked().await;
        if attended {
            play.story.cast().await;
            let half = play.cases.iter().step_by(2);
            join_all(half.map(|case| play.story.agree("bob", &case.request))).await;
        }
        play
    }

    /// As Git says it.
    async fn asked(&self) {
        let required =
            json!({"approvals": {"required": u32::from(self.attended)}, "verify": {"deadline": "5m"}});
        for provider in [Juicyway, Revolv3] {
            self.story.provider(provider, required.clone()).await;
        }
        for case in &self.cases {
            self.story.request(&case.request, case.provider, &case.id).await;
        }
    }

    async fn of_admission(&self, method: Method, what: &str, body: &Value) -> Result<Value, String> {
        self.story.ask_as("grace", method, &format!("{ADMISSION}/{what}"), body).await
    }

    /// They are removed with everything that is defined by them, and applied again, as Git says it.
    async fn definitions(&self, away: Duration) {
        let plane = &self.cluster.lane.stage.plane;
        let kinds = [
            "customeroffboardings",
            "offboardingapprovals",
            "offboardingproviders",
            "clusteroffboardingproviders",
            "customerholds",
        ];
        let names = kinds.map(|kind| format!("{kind}.offboarding.dev"));
        plane.kubectl("admin").args(["delete", "crd", "--timeout=60s"]).args(names).succeed().await.unwrap();
        tokio::time::sleep(away).await;
        plane.apply_path(&root().join("crds")).await.unwrap();
        plane.stamps_requests().await.unwrap();
        self.asked().await;
    }

    /// Nobody asks any more: what was begun comes to its end, or its record says what it waits for.
    async fn namespace(&self) -> u64 {
        let before = self.applied().await;
        self.story.namespace.delete(&self.story.client).await.unwrap();
        // Another one is served: whatever the removal led to has happened.
        let other = self.cluster.lane.stage.story("bystander").await;
        other.provider(Juicyway, json!({})).await;
        other.meanwhile(Juicyway, "cus_other").await;
        other.judged().await;
        let at_rest = self.story.wait("what was begun ends, or says what it waits for", async || {
            let open = self.story.records().await;
            let rests = |it: &Value| it["spec"]["closed"] == true || it["spec"]["waitingFor"].is_string();
            if open.iter().all(rests) { Ok(open) } else { Err(open) }
        });
        let records = at_rest.await;
        let attempts = records.iter().filter_map(|record| record["spec"]["attempts"].as_array()).flatten();
        let may_have_left = attempts.filter(|attempt| attempt["outcome"] != "NotSent").count();
        let deletes = self.deletes().await.len();
        assert!(deletes <= may_have_left, "{deletes} DELETEs for {may_have_left} attempts: {records:#?}");
        assert!(self.applied().await >= before, "the ledger forgot");
        u64::try_from(deletes).unwrap()
    }

    /// No record can be written: nothing is sent.
    async fn quota(&self, away: Duration) {
        let path = format!("{HOME}/resourcequotas");
        let none = json!({
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"},
            "spec": {"hard": {"count/offboardingrecords.offboarding.dev": "0"}},
        });
        self.story.ask_as("admin", Method::POST, &path, &none).await.unwrap();
        tokio::time::sleep(away).await;
        self.agreed_by("carol").await;
        self.story.ask_as("admin", Method::DELETE, &format!("{path}/none"), &json!({})).await.unwrap();
    }

    /// It is refused (401) until the next one is in its place, as a kubelet puts it there.
    async fn token(&self, seed: u64, away: Duration) {
        let next = issued(self.cluster.lane, seed + 1).await;
        let secrets = format!("{HOME}/secrets");
        let list = self.story.ask_as("admin", Method::GET, &secrets, &json!({})).await.unwrap();
        let names = list["items"].as_array().unwrap().iter().filter_map(|it| it["metadata"]["name"].as_str());
        let old = names.filter(|it| it.starts_with("token-") && *it != format!("token-{}", seed + 1));
        for name in old {
            self.story
                .ask_as("admin", Method::DELETE, &format!("{secrets}/{name}"), &json!({}))
                .await
                .unwrap();
        }
        tokio::time::sleep(away).await;
        fs::write(&self.cluster.token, next).unwrap();
        self.agreed_by("carol").await;
    }

    /// Nothing is sent while nobody can be believed, and what was said in that time does not count.
    async fn policies(&self, away: Duration) {
        for kind in ["validatingadmissionpolicybindings", "validatingadmissionpolicies"] {
            let path = format!("{kind}/approvals.offboarding.dev");
            self.of_admission(Method::DELETE, &path, &json!({})).await.unwrap();
        }
        let gone = Timestamp::now();
        self.agreed_by("carol").await;
        tokio::time::sleep(away).await;
        let back = Timestamp::now();
        install(&self.cluster.lane.stage.plane).await.unwrap();
        for sent in self.deletes().await {
            let received = moment(&sent["received"]);
            let is_unguarded = received > gone + AGE_OF_A_REREAD && received < back;
            assert!(!is_unguarded, "gone {gone}, back {back}, and it was sent: {sent:#}");
        }
        tokio::time::sleep(IN_FORCE_AFTER).await;
    }

    /// Whoever is asked for comes to an end; where people have to agree, they do when they are asked.
    async fn ends(&self) -> u64 {
        let ended = self.cases.iter().map(async |case| {
            if self.attended {
                self.agrees_until_it_ends(case).await;
            }
            let status = self.story.ends_in_time(&case.request).await;
            // Requests that were applied again may find their customer gone: the one before them had them deleted.
            let is_gone = status["result"] == case.success() || status["result"] == "AlreadyAbsent";
            assert!(is_gone, "{case:?}: {status:#}");
            self.story.judge(case).await
        });
        join_all(ended).await.into_iter().sum()
    }

    async fn agreed_by(&self, approver: &str) {
        if !self.attended {
            return;
        }
        for case in &self.cases {
            let status = self.story.status(&case.request).await;
            if status["phase"] == "AwaitingApproval" {
                self.story.agree(approver, &case.request).await;
            }
        }
    }

    /// Who agreed before may have been spent, or not count any more.
    async fn agrees_until_it_ends(&self, case: &Case) {
        let asks =
            |status: &Value| status["phase"] == "AwaitingApproval" && status["plan"]["hash"].is_string();
        loop {
            let what = format!("{} ends, or asks", case.request);
            let status = eventually(BOUND, &what, async || {
                tokio::time::sleep(Duration::from_millis(250)).await;
                let status = self.story.status(&case.request).await;
                if status["finished"] == true || asks(&status) { Ok(status) } else { Err(status) }
            });
            if status.await["finished"] == true {
                return;
            }
            self.story.agree("bob", &case.request).await;
            self.story.until(&case.request, "it goes on", |status| !asks(status)).await;
        }
    }

    async fn of_each<T>(&self, look: impl AsyncFn(Provider, &str) -> Vec<T>) -> Vec<T> {
        let looked = self.cases.iter().map(|case| look(case.provider, &case.id));
        join_all(looked).await.into_iter().flatten().collect()
    }

    async fn deletes(&self) -> Vec<Value> {
        self.of_each(async |provider, id| self.story.received(provider, "DELETE", id).await).await
    }

    async fn applied(&self) -> usize {
        self.deletes().await.iter().filter(|entry| entry["applied"] == true).count()
    }
}
