//! A lane: a control plane of its own, and one operator after the other on it.

use std::time::Duration;

use harness::{ApiProxy, Launch, Options, Process};
use http::Request;
use serde_json::{Value, json};

use crate::{
    history::History,
    stage::{Stage, ready, says},
};

/// A control plane, watched, on which operators live and die.
pub struct Lane {
    pub stage: Stage,
    pub history: History,
}

impl Lane {
    /// The stage's own operator is killed: each run starts its own.
    pub async fn open(options: Options) -> Lane {
        let stage = Stage::start(options).await.unwrap();
        stage.kill_operator().await;
        let history = History::watch(stage.plane.client("admin").await.unwrap());
        Lane { stage, history }
    }

    /// Starts an operator, with the lease given back for the one before it. It may die at any time.
    pub async fn operator(&self, failpoints: &str) -> Process {
        self.free_the_lease().await;
        let launch = self.stage.launch.clone().env("FAILPOINTS", failpoints);
        launch.start(self.stage.scratch.path()).unwrap()
    }

    /// Starts an operator and waits until it leads.
    pub async fn leader(&self) -> Process {
        self.leads(&self.stage.launch).await
    }

    /// The same where it sees its API server through a proxy.
    pub async fn leader_behind(&self, proxy: &ApiProxy) -> Process {
        self.leads(&self.behind(proxy)).await
    }

    /// How an operator behind a proxy is started.
    pub fn behind(&self, proxy: &ApiProxy) -> Launch {
        self.stage.launch.clone().env("KUBECONFIG", proxy.kubeconfig())
    }

    /// Starts one and waits until it leads.
    pub async fn leads(&self, launch: &Launch) -> Process {
        self.free_the_lease().await;
        let mut operator = ready(launch, self.stage.scratch.path()).await.unwrap();
        says(&mut operator, "leading").await.unwrap();
        operator
    }

    /// In the name of an operator that could not.
    pub async fn free_the_lease(&self) {
        let client = self.stage.plane.client("admin").await.unwrap();
        let path = "/apis/coordination.k8s.io/v1/namespaces/customer-offboarding/leases/customer-offboarding-operator";
        let nobody = json!({"spec": {"holderIdentity": null}}).to_string();
        let patch = Request::patch(path).header("content-type", "application/merge-patch+json");
        let _: Value = client.request(patch.body(nobody.into()).unwrap()).await.unwrap();
    }
}

/// Waits until a process has died, or kills it: whether it died by itself.
pub async fn dead(operator: &mut Process, deadline: Duration) -> bool {
    let by_itself = operator.wait(deadline).await.is_ok();
    operator.kill_hard().unwrap();
    by_itself
}
