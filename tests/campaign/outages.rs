//! What everybody stands on goes away and comes back: the API server, etcd, the leader that was killed, the leader that was only
//! stopped and wakes while another one leads. C16, C22, C30 to C33 of reliability.md.

use std::{cell::Cell, collections::BTreeMap, time::Duration};

use harness::{
    Options, Process,
    Provider::{Juicyway, Revolv3},
    Scratch, eventually,
};
use serde_json::json;
use tokio::sync::Mutex;

use crate::{
    draw::Draw,
    history::History,
    oracle::Case,
    results::{Campaign, Figures},
    stage::{SOON, Stage, ask, ready},
    story::Story,
};

/// A short lease, so that a hand-over takes seconds.
const LEASE: Duration = Duration::from_secs(9);
const FLAGS: &[&str] = &["--lease-duration", "9s", "--renew-deadline", "6s", "--retry-period", "1s"];

/// Offboardings that are under way when it happens.
const REQUESTS: u64 = 6;

#[derive(Clone, Copy, Debug)]
enum Outage {
    ApiServer,
    Etcd,
    LeaderKilled,
    LeaderStopped,
}

/// A control plane that may be taken down, and two replicas.
struct House {
    stage: Stage,
    replicas: Vec<Process>,
    logs: Scratch,
    started: usize,
}

#[tokio::test]
async fn whatever_goes_away_and_comes_back_each_customer_is_deleted_once_and_every_request_ends() {
    let stage = Stage::start_with(Options::default(), FLAGS, &[]).await.unwrap();
    stage.kill_operator().await;
    let history = History::watch(stage.plane.client("admin").await.unwrap());
    let logs = Scratch::new("replicas").unwrap();
    let house = Mutex::new(House { stage, replicas: Vec::new(), logs, started: 0 });
    let campaign = Campaign::of("outages", 4);
    campaign.run(1, async |seed| plan(&mut *house.lock().await, seed).await, || history.wrong()).await;
}

async fn plan(house: &mut House, seed: u64) -> Figures {
    let mut draw = Draw::new("outages", seed);
    let outages = [Outage::ApiServer, Outage::Etcd, Outage::LeaderKilled, Outage::LeaderStopped];
    let outage = outages[usize::try_from(seed % 4).unwrap()];
    house.both_live().await;
    let story = house.stage.story("outage").await;
    let cases = begin(&story, &mut draw).await;
    // A story sees only; what it stands on is taken away from outside.
    let Story { namespace, sandbox, .. } = story;
    tokio::time::sleep(Duration::from_millis(draw.below(4_000))).await;
    house.suffers(outage, &mut draw).await;
    let client = house.stage.plane.client("admin").await.unwrap();
    let story = Story { stage: &house.stage, client, namespace, sandbox, strays: Cell::new(false) };
    let mut deletes = 0;
    for case in &cases {
        let status = story.ends_in_time(&case.request).await;
        assert_eq!(status["result"], case.success(), "{outage:?} {case:?}: {status:#}");
        deletes += story.judge(case).await;
    }
    story.judged().await;
    let figures = [("outages".to_owned(), 1), ("deletes".to_owned(), deletes), (format!("{outage:?}"), 1)];
    BTreeMap::from(figures)
}

/// Requests at both providers, some of them with an answer that takes long, or that is lost.
async fn begin(story: &Story<'_>, draw: &mut Draw) -> Vec<Case> {
    for provider in [Juicyway, Revolv3] {
        story.provider(provider, json!({"verify": {"deadline": "5m"}})).await;
        story.provider_reason(provider, "Ready", "ProbeSucceeded").await;
    }
    let cases = story.troubled(draw, REQUESTS).await;
    for case in &cases {
        story.request(&case.request, case.provider, &case.id).await;
        tokio::time::sleep(Duration::from_millis(draw.below(300))).await;
    }
    cases
}

impl House {
    /// Who ended is replaced, as a cluster would.
    async fn both_live(&mut self) {
        self.replicas.retain_mut(|replica| replica.exit_status().unwrap().is_none());
        while self.replicas.len() < 2 {
            // Each has a log of its own: what it said is read from there.
            let log = self.logs.join(&self.started.to_string());
            std::fs::create_dir(&log).unwrap();
            self.started += 1;
            self.replicas.push(ready(&self.stage.launch, &log).await.unwrap());
        }
    }

    async fn suffers(&mut self, outage: Outage, draw: &mut Draw) {
        let away = Duration::from_millis(draw.below(5_000));
        match outage {
            Outage::ApiServer => {
                self.stage.plane.stop_api_server();
                tokio::time::sleep(away).await;
                self.stage.plane.start_api_server().await.unwrap();
            }
            Outage::Etcd => {
                self.stage.plane.stop_etcd();
                tokio::time::sleep(away).await;
                self.stage.plane.start_etcd().await.unwrap();
            }
            Outage::LeaderKilled => {
                let leader = self.leader().await;
                self.replicas[leader].kill_hard().unwrap();
            }
            Outage::LeaderStopped => {
                let leader = self.leader().await;
                self.replicas[leader].pause().unwrap();
                // Half a lease: it is still the leader. More: another one leads when it wakes.
                tokio::time::sleep(*draw.one(&[LEASE / 2, LEASE + LEASE / 2, LEASE * 2])).await;
                self.replicas[leader].resume().unwrap();
            }
        }
        self.both_live().await;
    }

    /// Which of the two leads, by the lease.
    async fn leader(&self) -> usize {
        eventually(SOON, "somebody leads", async || {
            for (index, replica) in self.replicas.iter().enumerate() {
                if ask(replica, "/readyz").await.1.contains("leader") {
                    return Ok(index);
                }
            }
            Err("nobody")
        })
        .await
    }
}
