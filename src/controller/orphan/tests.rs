use std::sync::{
    Mutex, RwLock,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use http::{Request, Response};
use jiff::Timestamp;
use kube::{Client, client::Body, runtime::reflector};
use serde_json::json;
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};
use tower_test::mock;

use super::*;
use crate::{
    controller::{
        ApiError, ApiServer, Backoff, Consents, Holds, Timing, budgets::Budgets, connection::Connections,
        events::Events, installation::Installation, lanes::Lanes, lease::Leadership,
        provider_kinds::ProviderObjects, records::Records, scrapers::Scrapers,
    },
    domain::PolicyState,
    metrics::Metrics,
    providers::http::Egress,
    traces::Traces,
};

/// What is woken, and how often the API server was asked.
struct Around {
    woken: mpsc::UnboundedReceiver<ObjectRef<OffboardingRecord>>,
    asked: Arc<AtomicUsize>,
}

/// A context whose caches are empty, and whose API server fails.
fn around() -> (Shared, Around) {
    let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        while let Some((_, send)) = server.next_request().await {
            count.fetch_add(1, Ordering::Relaxed);
            send.send_response(Response::builder().status(500).body(Body::empty()).unwrap());
        }
    });
    let client = Client::new(service, "system");
    let (api, namespace) = (ApiServer::new(client.clone()), "system".to_owned());
    let clock = || Timestamp::UNIX_EPOCH;
    let timing = Timing {
        send_deadline: std::time::Duration::from_secs(30),
        request_deadline: std::time::Duration::from_secs(35),
    };
    let egress = Egress::of_the_system(Vec::new(), clock);
    let (wake_records, woken) = mpsc::unbounded_channel();
    let metrics = Arc::new(Metrics::new(Vec::new()));
    let ctx = Context {
        records: Records::new(api.clone(), namespace.clone(), reflector::store().0, Traces::default()),
        connections: Connections::new(api.clone(), namespace.clone(), egress, timing, metrics.clone()),
        budgets: Budgets::new(api.clone(), namespace.clone(), None),
        api,
        operator_namespace: namespace,
        process: "here".to_owned(),
        clock,
        started: Instant::now(),
        timing,
        leadership: Leadership::default(),
        installation: Installation::default(),
        consents: Consents::default(),
        holds: Holds::default(),
        lanes: Lanes::default(),
        record_lanes: Lanes::default(),
        policies: RwLock::new(PolicyState::Unanswered),
        policies_changed: Notify::new(),
        requests: reflector::store().0,
        providers: ProviderObjects {
            namespaced: reflector::store().0,
            cluster: reflector::store().0,
            wake_namespaced: mpsc::unbounded_channel().0,
            wake_cluster: mpsc::unbounded_channel().0,
        },
        backoff: Backoff::default(),
        sends: tokio_util::task::TaskTracker::new(),
        stopping: tokio_util::sync::CancellationToken::new(),
        metrics,
        traces: Traces::default(),
        events: Events::new(client, "here"),
        scrapers: Scrapers::default(),
        retries: Mutex::default(),
        wake_requests: mpsc::unbounded_channel().0,
        wake_records,
        synced: AtomicBool::new(true),
    };
    (Arc::new(ctx), Around { woken, asked })
}

fn record(name: &str, provider: &str) -> Arc<OffboardingRecord> {
    let record = json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingRecord",
        "metadata": {"name": name, "namespace": "system", "uid": name},
        "spec": {
            "request": {"namespace": "team", "name": "gone", "uid": "gone", "target": "default", "mode": "Hard"},
            "provider": {
                "kind": "OffboardingProvider", "namespace": "team", "name": provider, "uid": provider,
                "baseUrl": "https://pay.example", "environment": "sandbox",
            },
        },
    });
    Arc::new(serde_json::from_value(record).unwrap())
}

#[tokio::test]
async fn the_records_at_one_slow_provider_object_leave_passes_to_those_at_another_one() {
    let (ctx, mut around) = around();
    let under_way: Vec<_> = std::iter::from_fn(|| Places::take(&ctx, record("first", "slow").as_ref()))
        .take(usize::from(u16::MAX))
        .collect();
    let late = record("late", "slow");
    let at_the_slow_one = reconcile(late.clone(), ctx.clone()).await;
    assert_eq!(at_the_slow_one.unwrap(), Action::requeue(lanes::AGAIN));
    assert_eq!(around.asked.load(Ordering::Relaxed), 0, "who has no place asks nobody");
    let elsewhere = reconcile(record("other", "quick"), ctx.clone()).await;
    assert!(matches!(elsewhere, Err(Error::ReadRequest(ApiError::Unanswered))), "{elsewhere:?}");
    // Requests have places of their own.
    assert!(ctx.lanes.is_empty());
    drop(under_way);
    assert_eq!(around.woken.try_recv().unwrap(), ObjectRef::from_obj(&*record("first", "slow")));
    assert_eq!(around.woken.try_recv().unwrap(), ObjectRef::from_obj(&*late));
    assert!(around.woken.try_recv().is_err(), "each once");
    assert!(ctx.record_lanes.is_empty());
}
