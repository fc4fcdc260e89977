//! One version is stopped in the middle of offboardings, and the other one goes on. The judge is the provider's ledger: one DELETE.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use futures::future::join_all;
use harness::{ControlPlane, Launch, Options, Process, Provider::Juicyway, Scratch};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    objects::keep,
    released, root,
    stage::{Stage, ready, says},
    story::{Story, merge},
};

const ID: &str = "cus_upgraded";

/// Less than the operator's deadline of 4 s, and enough for all stories to get there.
const SLOW: u64 = 3600;

/// As the stage of `tests/cluster` has it: the code path is the shipped one.
const ENVIRONMENT: [(&str, &str); 3] =
    [("ALLOWED_CIDRS", "127.0.0.0/8"), ("SEND_DEADLINE", "4s"), ("REQUEST_DEADLINE", "4s")];

/// An operator, and what is applied for it.
struct Version {
    operator: PathBuf,
    crds: PathBuf,
    deploy: PathBuf,
}

impl Version {
    fn released() -> Version {
        let operator =
            std::env::var_os("RELEASED_OPERATOR").expect("`make upgrade` builds it and says where it is");
        Version {
            operator: operator.into(),
            crds: released().join("crds"),
            deploy: released().join("deploy"),
        }
    }

    fn current() -> Version {
        let operator = env!("CARGO_BIN_EXE_customer-offboarding-operator").into();
        Version { operator, crds: root().join("crds"), deploy: root().join("deploy") }
    }

    fn launch(&self, plane: &ControlPlane) -> Launch {
        let flags = ["operator", "--admin-address", "127.0.0.1:0"];
        let launch = Launch::new("operator", &self.operator).args(flags);
        ENVIRONMENT
            .iter()
            .fold(launch.env("KUBECONFIG", plane.kubeconfig("operator")), |it, (name, value)| {
                it.env(name, value)
            })
    }
}

/// Which way it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// CRDs, rights and policies first, then the operator.
    Upgrade,
    /// The operator, then rights and policies; the CRDs stay as they are.
    Rollback,
}

/// How the first one ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    /// As in a rolling update: the other one stands by, then the first is asked to end.
    Terminated,
    /// Nobody runs for a while.
    Killed,
}

/// Where a request is when the operator is stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// Nobody asked for it any more: it is as it was.
    Finished,
    /// A check blocks.
    Blocked,
    /// The plan is told; nobody agreed.
    AwaitingApproval,
    /// Somebody agreed.
    CoolingOff,
    /// The provider has accepted the deletion; the last look is to come.
    Verifying,
    /// The customer is being looked at for the first time.
    Planning,
    /// The intent is written; the customer is being looked at for the second time.
    Intended,
    /// The provider has done it, and has not answered yet.
    Sent,
}

const MOMENTS: [Moment; 8] = [
    Moment::Finished,
    Moment::Blocked,
    Moment::AwaitingApproval,
    Moment::CoolingOff,
    Moment::Verifying,
    Moment::Planning,
    Moment::Intended,
    Moment::Sent,
];

impl Moment {
    /// What the provider object says besides: times long enough that what waits still waits for the next operator.
    fn provider(self) -> Value {
        match self {
            Moment::AwaitingApproval => json!({"approvals": {"required": 1}}),
            Moment::CoolingOff => json!({"approvals": {"required": 1}, "coolingOff": "40s"}),
            Moment::Verifying => json!({
                "customProfile": {"guarantees": {"consistencyLag": "40s"}}, "verify": {"deadline": "2m"},
            }),
            Moment::Finished | Moment::Blocked | Moment::Planning | Moment::Intended | Moment::Sent => {
                json!({})
            }
        }
    }

    fn customer(self) -> Value {
        match self {
            Moment::Blocked => json!({"wallets": [{"balance": 5}]}),
            // Whoever was there for long needs no time in which reads may lag.
            Moment::Verifying => json!({"createdAt": Timestamp::now()}),
            _ => json!({}),
        }
    }

    fn faults(self) -> Value {
        let slow = |at: &str| json!({"kind": "latency", "ms": SLOW, "at": at});
        let looks = json!({"method": "GET", "path": "/customers/*"});
        match self {
            Moment::Planning => json!([{"match": looks, "times": 1, "do": slow("beforeApply")}]),
            Moment::Intended => json!([{"match": looks, "skip": 1, "times": 1, "do": slow("beforeApply")}]),
            Moment::Sent => json!([{"match": {"method": "DELETE"}, "times": 1, "do": slow("afterApply")}]),
            _ => json!([]),
        }
    }

    /// Whether it passes by itself, so that it is begun last.
    fn is_short(self) -> bool {
        matches!(self, Moment::Planning | Moment::Intended | Moment::Sent)
    }

    /// Brings a request there.
    async fn reached(self, story: &Story<'_>) {
        story.request("acme", Juicyway, ID).await;
        let phase = |phase: &'static str| story.until("acme", phase, move |status| status["phase"] == phase);
        match self {
            Moment::Finished => drop(story.finished("acme").await),
            Moment::Blocked => drop(phase("Blocked").await),
            Moment::AwaitingApproval => drop(phase("AwaitingApproval").await),
            Moment::CoolingOff => {
                story.agree("bob", "acme").await;
                phase("CoolingOff").await;
            }
            Moment::Verifying => drop(phase("Verifying").await),
            Moment::Planning => story.until_looks(Juicyway, ID, 1).await,
            Moment::Intended => story.until_looks(Juicyway, ID, 2).await,
            Moment::Sent => story.until_applied(Juicyway, ID).await,
        }
    }

    /// Nobody runs any more, and the request is where it was to be: by the records and the ledger.
    async fn is_where_it_stopped(self, story: &Story<'_>) {
        let records = story.records().await;
        let attempts: Vec<&Value> = records
            .iter()
            .flat_map(|record| record["spec"]["attempts"].as_array().into_iter().flatten())
            .collect();
        let outcomes: Vec<&Value> = attempts.iter().map(|attempt| &attempt["outcome"]).collect();
        let deletes = story.deletes(Juicyway, ID).await;
        match self {
            Moment::Blocked | Moment::AwaitingApproval | Moment::CoolingOff | Moment::Planning => {
                assert_eq!((outcomes.len(), deletes), (0, 0), "{self:?}");
            }
            Moment::Intended => assert_eq!((&outcomes[..], deletes), (&[&Value::Null][..], 0), "{self:?}"),
            Moment::Sent => assert_eq!((&outcomes[..], deletes), (&[&Value::Null][..], 1), "{self:?}"),
            Moment::Verifying | Moment::Finished => {
                assert_eq!((&outcomes[..], deletes), (&[&json!("Accepted")][..], 1), "{self:?}");
                let closed = &records[0]["spec"]["closed"];
                assert_eq!(*closed, self == Moment::Finished, "{self:?}");
            }
        }
    }
}

#[tokio::test]
#[ignore = "make upgrade: builds the operator of the last release"]
async fn an_operator_that_is_killed_in_any_phase_is_followed_by_the_next_version() {
    goes(Way::Upgrade, Ending::Killed).await;
}

#[tokio::test]
#[ignore = "make upgrade: builds the operator of the last release"]
async fn a_rolling_update_goes_on_in_any_phase() {
    goes(Way::Upgrade, Ending::Terminated).await;
}

#[tokio::test]
#[ignore = "make upgrade: builds the operator of the last release"]
async fn an_operator_that_is_killed_in_any_phase_is_followed_by_the_version_before() {
    goes(Way::Rollback, Ending::Killed).await;
}

#[tokio::test]
#[ignore = "make upgrade: builds the operator of the last release"]
async fn a_rolling_update_goes_back_in_any_phase() {
    goes(Way::Rollback, Ending::Terminated).await;
}

async fn goes(way: Way, ending: Ending) {
    let (one, other) = match way {
        Way::Upgrade => (Version::released(), Version::current()),
        Way::Rollback => (Version::current(), Version::released()),
    };
    let stage = stage(&one).await;
    let mut stories = Vec::new();
    for moment in MOMENTS {
        stories.push((moment, prepared(&stage, moment).await));
    }
    // What waits first, then what passes: all of them are under way when it stops.
    begun(&stories, false).await;
    let finished = written(&stories[0].1).await;
    // A rolling update begins while the old one works; a crash does not wait for it.
    let standby = match ending {
        Ending::Terminated => Some(arrives(&stage, &other, way).await),
        Ending::Killed => None,
    };
    begun(&stories, true).await;
    let mut operator = stage.operator.lock().await;
    *operator = match standby {
        Some(mut next) => {
            operator.terminate().unwrap();
            let ended = operator.wait(Duration::from_secs(30)).await.unwrap();
            assert!(ended.success(), "{}", operator.tail());
            says(&mut next, "leading").await.unwrap();
            next
        }
        None => {
            operator.kill_hard().unwrap();
            for (moment, story) in &stories {
                moment.is_where_it_stopped(story).await;
                if way == Way::Upgrade {
                    keep(&format!("{moment:?}"), story).await;
                }
            }
            stage.free_the_lease().await.unwrap();
            let mut next = arrives(&stage, &other, way).await;
            says(&mut next, "leading").await.unwrap();
            next
        }
    };
    drop(operator);
    if way == Way::Rollback && !same(&one.deploy, &other.deploy) {
        stage.plane.apply_path(&other.deploy).await.unwrap();
    }

    let agreed_counts = same(&one.deploy, &other.deploy);
    join_all(stories.iter().map(async |(moment, story)| {
        goes_on(*moment, story, agreed_counts).await;
        println!("{way:?}, {ending:?} at {moment:?}: ended, one DELETE");
        story.judged().await;
    }))
    .await;
    assert_eq!(written(&stories[0].1).await, finished, "what is finished is not written again");
}

/// Brings the requests to their moments, of one kind at once.
async fn begun(stories: &[(Moment, Story<'_>)], short: bool) {
    let of_kind = stories.iter().filter(|(moment, _)| moment.is_short() == short);
    join_all(of_kind.map(|(moment, story)| moment.reached(story))).await;
}

/// What the other version needs is applied, in the order of `docs/upgrading.md`, and it starts.
async fn arrives(stage: &Stage, other: &Version, way: Way) -> Process {
    if way == Way::Upgrade {
        stage.plane.apply_path(&other.crds).await.unwrap();
        stage.plane.apply_path(&other.deploy).await.unwrap();
    }
    // Beside the other's log, so that each is read for itself.
    let logs = stage.scratch.join("next");
    std::fs::create_dir(&logs).unwrap();
    ready(&other.launch(&stage.plane), &logs).await.unwrap()
}

/// A control plane with one version on it.
async fn stage(one: &Version) -> Stage {
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    plane.apply_path(&one.crds).await.unwrap();
    plane.apply_path(&one.deploy).await.unwrap();
    plane.stamps_requests().await.unwrap();
    let scratch = Scratch::new("upgrade").unwrap();
    let launch = one.launch(&plane);
    let operator = led(&launch, scratch.path()).await;
    Stage { plane, operator: tokio::sync::Mutex::new(operator), launch, scratch }
}

async fn led(launch: &Launch, log_directory: &Path) -> Process {
    let mut operator = ready(launch, log_directory).await.unwrap();
    says(&mut operator, "leading").await.unwrap();
    operator
}

async fn prepared(stage: &Stage, moment: Moment) -> Story<'_> {
    let story = stage.story(&format!("{moment:?}").to_lowercase()).await;
    story.cast().await;
    story.sandbox.seed(Juicyway, ID, &moment.customer()).await.unwrap();
    story.sandbox.set_faults(&moment.faults()).await.unwrap();
    let mut spec = json!({"recheckInterval": "10s"});
    merge(&mut spec, moment.provider());
    story.provider(Juicyway, spec).await;
    story.provider_reason(Juicyway, "Ready", "ProbeSucceeded").await;
    story
}

/// Whether the policies that approvals stand on are the same: what was agreed to before another one does not count.
fn same(one: &Path, other: &Path) -> bool {
    let policies = |of: &Path| std::fs::read_to_string(of.join("admission.yaml")).unwrap();
    policies(one) == policies(other)
}

/// The request and its records, as they are stored.
async fn written(story: &Story<'_>) -> Value {
    json!([story.get("CustomerOffboarding", "acme").await, story.records().await])
}

async fn goes_on(moment: Moment, story: &Story<'_>, agreed_counts: bool) {
    match moment {
        Moment::Blocked => {
            story.sandbox.change(Juicyway, ID, &json!({"wallets": []})).await.unwrap();
            story.retry("acme", "the wallet is empty").await;
        }
        Moment::AwaitingApproval => story.agree("bob", "acme").await,
        Moment::CoolingOff if !agreed_counts => {
            story.until("acme", "it asks again", |status| status["phase"] == "AwaitingApproval").await;
            story.agree("bob", "acme").await;
        }
        _ => {}
    }
    let status = story.finished("acme").await;
    assert_eq!(status["result"], "ErasedWithRetention", "{moment:?}: {status:#}");
    assert_eq!(story.deletes(Juicyway, ID).await, 1, "{moment:?}");
    let records = story.records().await;
    assert!(records.iter().all(|record| record["spec"]["closed"] == true), "{moment:?}: {records:#?}");
}
