//! What somebody does to the cluster and not to us, while offboardings are under way: the definitions are removed and come back, the
//! namespace goes, a quota lets no record through, the operator's token expires, the policies are taken away. C26 to C29 of
//! reliability.md.
//!
//! A seed is one upheaval, at a random moment, for a random time. Then it is over, and whatever is still asked for comes to its end.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures::future::join_all;
use harness::{
    Launch, Options, Process,
    Provider::{self, Juicyway, Revolv3},
    Scratch,
};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{
    draw::Draw,
    lane::Lane,
    oracle::{Case, moment},
    people::IN_FORCE_AFTER,
    results::{Campaign, Figures},
    stage::{install, ready, root, says},
    story::Story,
};

/// Offboardings that are under way when it happens.
const REQUESTS: u64 = 6;

/// So many of them, one at each provider, are asked for only while no record can be made.
const LATE: usize = 2;

const HOME: &str = "/api/v1/namespaces/customer-offboarding";
const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";

/// What is read again before a DELETE is younger than a second when it leaves; a busy machine may take one more until it arrives.
const AGE_OF_A_REREAD: Duration = Duration::from_secs(2);

const A_SECOND: Duration = Duration::from_secs(1);

/// Whoever was asked for again after the definitions came back is done within this: nobody hangs on what a watch did not tell.
const PROMPTLY: Duration = Duration::from_secs(150);

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
    let campaign = Campaign::of("upheavals", slice);
    campaign.run(1, async |seed| cluster.plan(seed).await, || lane.history.wrong()).await;
}

/// A control plane, and an operator with a token that expires as that of a pod does. Who ended is started again.
struct Cluster<'a> {
    lane: &'a Lane,
    launch: Launch,
    token: PathBuf,
    operator: Mutex<Process>,
    restarts: AtomicU64,
    /// The last run did not come to its end: what it broke is mended before the next.
    is_broken: AtomicBool,
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
        Cluster {
            lane,
            launch,
            token,
            operator: Mutex::new(operator),
            restarts: AtomicU64::new(0),
            is_broken: AtomicBool::new(false),
            _files: files,
        }
    }

    async fn watch_over(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let mut operator = self.operator.lock().await;
            if operator.exit_status().unwrap().is_some() {
                self.restarts.fetch_add(1, Ordering::Relaxed);
                self.lane.free_the_lease().await;
                *operator = self.launch.start(self.lane.stage.scratch.path()).unwrap();
            }
        }
    }

    async fn plan(&self, seed: u64) -> Figures {
        if self.is_broken.swap(true, Ordering::Relaxed) {
            self.mend(seed).await;
        }
        let before = self.restarts.load(Ordering::Relaxed);
        let upheaval = ALL[usize::try_from(seed).unwrap() % ALL.len()];
        let deletes = tokio::select! {
            deletes = self.played(upheaval, seed) => deletes,
            () = self.watch_over() => unreachable!("it never ends"),
        };
        self.is_broken.store(false, Ordering::Relaxed);
        let restarts = self.restarts.load(Ordering::Relaxed) - before;
        // Without a token the lease is lost, and that ends a process.
        assert!(
            restarts == 0 || upheaval == Upheaval::Token,
            "{upheaval:?}: the operator ended {restarts} times"
        );
        BTreeMap::from([
            ("upheavals".to_owned(), 1),
            ("deletes".to_owned(), deletes),
            ("restarts".to_owned(), restarts),
            (format!("{upheaval:?}"), 1),
        ])
    }

    async fn played(&self, upheaval: Upheaval, seed: u64) -> u64 {
        let mut draw = Draw::new("upheavals", seed);
        let play = Play::begin(self, upheaval, &mut draw).await;
        let away = Duration::from_millis(draw.below(5_000));
        tokio::time::sleep(Duration::from_millis(draw.below(4_000))).await;
        match upheaval {
            Upheaval::Definitions => play.definitions(away).await,
            Upheaval::Namespace => play.namespace(away).await,
            Upheaval::Quota => play.quota(away).await,
            Upheaval::Token => play.token(seed, away).await,
            Upheaval::Policies => play.policies(away).await,
        }
        let begun = Instant::now();
        let deletes =
            if upheaval == Upheaval::Namespace { play.rests().await } else { play.ends(upheaval).await };
        let took = begun.elapsed();
        assert!(upheaval != Upheaval::Definitions || took < PROMPTLY, "it took {took:.0?}");
        play.story.judged().await;
        deletes
    }

    async fn mend(&self, seed: u64) {
        let plane = &self.lane.stage.plane;
        plane.apply_path(&root().join("crds")).await.unwrap();
        plane.stamps_requests().await.unwrap();
        install(plane).await.unwrap();
        plane
            .kubectl("admin")
            .args(["delete", "resourcequota", "--all", "-n", "customer-offboarding"])
            .succeed()
            .await
            .unwrap();
        fs::write(&self.token, issued(self.lane, 1_000_000 + seed).await).unwrap();
        tokio::time::sleep(IN_FORCE_AFTER).await;
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
    /// When the policies were away, and in force again.
    unproven: Cell<Option<(Timestamp, Timestamp)>>,
}

impl<'a> Play<'a> {
    /// Requests at both providers; where somebody has to agree, bob has agreed to half of them.
    async fn begin(cluster: &'a Cluster<'a>, upheaval: Upheaval, draw: &mut Draw) -> Play<'a> {
        let story = cluster.lane.stage.story("upheaval").await;
        let attended = upheaval == Upheaval::Policies || draw.once_in(3);
        let cases = story.troubled(draw, REQUESTS).await;
        let play = Play { cluster, story, cases, attended, unproven: Cell::new(None) };
        let early = if upheaval == Upheaval::Quota { &play.cases[LATE..] } else { &play.cases[..] };
        play.ask(early).await;
        if attended {
            play.story.cast().await;
            let half = early.iter().step_by(2);
            join_all(half.map(|case| play.story.agree("bob", &case.request))).await;
        }
        play
    }

    /// As Git says it.
    async fn ask(&self, cases: &[Case]) {
        let required =
            json!({"approvals": {"required": u32::from(self.attended)}, "verify": {"deadline": "5m"}});
        for provider in [Juicyway, Revolv3] {
            self.story.provider(provider, required.clone()).await;
        }
        for case in cases {
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
        let gone = Timestamp::now();
        tokio::time::sleep(away).await;
        plane.apply_path(&root().join("crds")).await.unwrap();
        plane.stamps_requests().await.unwrap();
        self.nothing_was_sent(gone, Timestamp::now()).await;
        self.ask(&self.cases).await;
    }

    /// Nobody asks any more.
    async fn namespace(&self, away: Duration) {
        self.story.namespace.delete(&self.story.client).await.unwrap();
        let gone = Timestamp::now();
        tokio::time::sleep(away).await;
        // Another one is served: whatever the removal led to has happened.
        let other = self.cluster.lane.stage.story("bystander").await;
        other.provider(Juicyway, json!({})).await;
        other.meanwhile(Juicyway, "cus_other").await;
        other.judged().await;
        self.nothing_was_sent(gone, Timestamp::now()).await;
    }

    /// What was begun comes to its end, or its record says what it waits for.
    async fn rests(&self) -> u64 {
        let at_rest = self.story.wait("what was begun ends, or says what it waits for", async || {
            let open = self.story.records().await;
            let rests = |it: &Value| it["spec"]["closed"] == true || it["spec"]["waitingFor"].is_string();
            if open.iter().all(rests) { Ok(open) } else { Err(open) }
        });
        at_rest.await;
        join_all(self.cases.iter().map(|case| self.story.judge(case))).await.into_iter().sum()
    }

    /// But what was read again, live, right before it happened.
    async fn nothing_was_sent(&self, from: Timestamp, until: Timestamp) {
        for sent in self.deletes().await {
            let received = moment(&sent["received"]);
            let is_unasked = received > from + AGE_OF_A_REREAD && received < until;
            assert!(!is_unasked, "from {from} until {until} nothing may be sent: {sent:#}");
        }
    }

    /// No record can be made: nobody is deleted but who has one.
    async fn quota(&self, away: Duration) {
        let path = format!("{HOME}/resourcequotas");
        let none = json!({"count/offboardingrecords.offboarding.dev": "0"});
        let quota = json!({
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": none},
        });
        self.story.ask_as("admin", Method::POST, &path, &quota).await.unwrap();
        // In the name of its controller, which only runs in a whole cluster: admission goes by what this says.
        let status = json!({"status": {"hard": none, "used": none}});
        let of_status = format!("{path}/none/status");
        self.story.ask_as("admin", Method::PATCH, &of_status, &status).await.unwrap();
        self.story.wait("the quota is in force", async || self.refuses_a_record().await).await;
        let known = self.story.records().await.len();
        let late = &self.cases[..LATE];
        self.ask(late).await;
        for case in late {
            let refused = |status: &Value| {
                let words = status["waitingFor"].as_str().unwrap_or_default();
                status["phase"] == "AwaitingApproval" || words == "the Kubernetes API server to answer"
            };
            self.story.until(&case.request, "nobody can begin it", refused).await;
        }
        tokio::time::sleep(away).await;
        self.agreed_by("carol").await;
        assert_eq!(self.story.records().await.len(), known, "records that a quota lets through");
        for case in late {
            assert_eq!(self.story.deletes(case.provider, &case.id).await, 0, "{case:?} without a record");
        }
        self.story.ask_as("admin", Method::DELETE, &format!("{path}/none"), &json!({})).await.unwrap();
    }

    async fn refuses_a_record(&self) -> Result<(), String> {
        let path =
            "/apis/offboarding.dev/v1alpha1/namespaces/customer-offboarding/offboardingrecords?dryRun=All";
        let record = json!({
            "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingRecord", "metadata": {"name": "of-nobody"},
            "spec": {
                "request": {"namespace": "a", "name": "a", "uid": "a", "target": "a", "mode": "Hard"},
                "provider": {
                    "kind": "OffboardingProvider", "namespace": "a", "name": "a", "uid": "a",
                    "baseUrl": "https://a.example", "environment": "sandbox",
                },
            },
        });
        match self.story.ask_as("grace", Method::POST, path, &record).await {
            Err(why) if why.contains("exceeded quota") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }

    /// It is refused (401) until the next one is in its place, as a kubelet puts it there.
    async fn token(&self, seed: u64, away: Duration) {
        let next = issued(self.cluster.lane, seed + 1).await;
        let worthless = fs::read_to_string(&self.cluster.token).unwrap();
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
        self.story.wait("the token is refused", async || self.is_refused(&worthless).await).await;
        tokio::time::sleep(away).await;
        fs::write(&self.cluster.token, next).unwrap();
        self.agreed_by("carol").await;
    }

    async fn is_refused(&self, token: &str) -> Result<(), String> {
        let mut config = self.story.stage.plane.client_config("operator").await.unwrap();
        config.auth_info.token = Some(token.to_owned().into());
        let client = kube::Client::try_from(config).unwrap();
        match client.list_core_api_resources("v1").await {
            Err(kube::Error::Api(status)) if status.code == 401 => Ok(()),
            other => Err(format!("{:?}", other.err())),
        }
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
        self.nothing_was_sent(gone, back).await;
        tokio::time::sleep(IN_FORCE_AFTER).await;
        let in_force = Timestamp::now();
        self.unproven.set(Some((gone, in_force)));
    }

    /// Whoever is asked for comes to an end; where people have to agree, they do when they are asked.
    async fn ends(&self, upheaval: Upheaval) -> u64 {
        let ended = self.cases.iter().map(async |case| {
            if self.attended {
                self.story.agrees_until_it_ends("bob", &case.request).await;
            }
            let status = self.story.ends_in_time(&case.request).await;
            // Who is asked for again may be gone: the request before had them deleted.
            let again = upheaval == Upheaval::Definitions && status["result"] == "AlreadyAbsent";
            assert!(again || status["result"] == case.success(), "{case:?}: {status:#}");
            self.story.judge(case).await
        });
        let deletes = join_all(ended).await.into_iter().sum();
        self.nothing_stands_on_what_nobody_proves().await;
        deletes
    }

    /// What was said while the policies were away is nobody's consent.
    async fn nothing_stands_on_what_nobody_proves(&self) {
        let Some((gone, in_force)) = self.unproven.get() else { return };
        for record in self.story.records().await {
            let attempts = record["spec"]["attempts"].as_array().into_iter().flatten();
            for attempt in attempts.filter(|attempt| moment(&attempt["intentAt"]) > gone + AGE_OF_A_REREAD) {
                let used = attempt["approvals"].as_array().into_iter().flatten();
                // An approval's time is cut to its second: of the last one nobody can tell.
                let unproven = used.filter(|used| (gone..in_force - A_SECOND).contains(&moment(&used["at"])));
                assert_eq!(unproven.count(), 0, "{attempt:#}");
            }
        }
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

    async fn of_each<T>(&self, look: impl AsyncFn(Provider, &str) -> Vec<T>) -> Vec<T> {
        let looked = self.cases.iter().map(|case| look(case.provider, &case.id));
        join_all(looked).await.into_iter().flatten().collect()
    }

    async fn deletes(&self) -> Vec<Value> {
        self.of_each(async |provider, id| self.story.received(provider, "DELETE", id).await).await
    }
}
