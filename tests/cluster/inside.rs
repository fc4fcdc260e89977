//! The operator's loop inside the test's own process, with a clock that the test sets: for what takes hours and days. Everything
//! else is as shipped: the API server, its watches, the sandbox.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use futures::FutureExt as _;
use harness::{Counters, eventually};
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use offboarding::{
    controller::{self, Clients, LeaseTiming, Settings, Shared, Timing},
    metrics::Metrics,
    providers::http::Egress,
    traces::Traces,
};
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::stage::{SOON, Stage};

/// How far each test's wall clock is ahead of the real one, in milliseconds. A clock is a plain function, so each has a number.
static AHEAD: [AtomicI64; 2] = [AtomicI64::new(0), AtomicI64::new(0)];

/// The wall clock of one test.
pub fn clock<const N: usize>() -> Timestamp {
    offboarding::cli::clock() + SignedDuration::from_millis(AHEAD[N].load(Ordering::SeqCst))
}

/// Moves the wall clock of one test forward.
pub fn advance<const N: usize>(by: Duration) {
    AHEAD[N].fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
}

/// An operator of this process.
pub struct Inside {
    ctx: Shared,
    stopping: CancellationToken,
    running: JoinHandle<()>,
}

impl Inside {
    /// Takes the stage's operator's place: it is killed, and its lease given back for it.
    pub async fn instead_of_the_operator<const N: usize>(stage: &Stage) -> Inside {
        stage.kill_operator().await;
        stage.free_the_lease().await.unwrap();
        let mut config = stage.plane.client_config("operator").await.unwrap();
        // Real time has nothing to say here: what is slow on two busy cores must not run into a deadline of the test's clock.
        config.read_timeout = None;
        let client = || Client::try_from(config.clone()).unwrap();
        let metrics = Arc::new(Metrics::new(Vec::new()));
        let clients = Clients { watches: client(), calls: client(), metrics };
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let settings = Settings {
            operator_namespace: "customer-offboarding".to_owned(),
            watch_namespaces: Vec::new(),
            process: format!("inside-{N}"),
            timing: Timing { send_deadline: minutes(10), request_deadline: minutes(10) },
            lease: LeaseTiming::new(minutes(10), minutes(6), Duration::from_secs(2)).unwrap(),
            egress: Egress::of_the_system(vec!["127.0.0.0/8".parse().unwrap()], clock::<N>),
            destructive_rate: None,
            traces: Traces::default(),
            clock: clock::<N>,
        };
        let stopping = CancellationToken::new();
        let (tell, told) = oneshot::channel();
        let serve = move |ctx: Shared| {
            let _ = tell.send(ctx);
            std::future::ready(()).boxed()
        };
        let running = tokio::spawn(controller::run(settings, clients, stopping.clone(), serve));
        let ctx = told.await.unwrap();
        eventually(SOON, "it leads", || async { ctx.leadership.is_held().then_some(()).ok_or(()) }).await;
        Inside { ctx, stopping, running }
    }

    /// How many passes over requests it has made.
    pub fn passes(&self) -> usize {
        let counters = Counters::parse(&self.ctx.metrics.text(Vec::new()));
        counters.sum("controller_runtime_reconcile_total", &[("controller", "request")]) as usize
    }

    /// Ends it as SIGTERM would.
    pub async fn end(self) {
        self.stopping.cancel();
        self.running.await.unwrap();
    }
}
