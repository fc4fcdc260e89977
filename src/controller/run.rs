//! Watches, caches and controllers, wired; and the way to a clean end.

use std::{
    fmt::Debug,
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    time::Duration,
};

use futures::{Stream, StreamExt as _, TryStreamExt as _, future::BoxFuture};
use jiff::Timestamp;
use kube::{
    Api, Client, ResourceExt as _,
    core::DeserializeGuard,
    runtime::{
        Controller, controller,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    api_server::ApiServer,
    budgets::Budgets,
    connection::Connections,
    consents::Consents,
    context::{Context, Shared, Timing},
    error::Backoff,
    events::Events,
    holds::Holds,
    installation::Installation,
    lanes::Lanes,
    lease::{Elector, Leadership, LeaseTiming},
    orphan,
    passes::{error_policy, guarded, key_of, key_of_name},
    people,
    provider_kinds::{ProviderObject, ProviderObjects},
    provider_object, reconcile,
    records::Records,
    removal,
    scope::Scope,
    scrapers::Scrapers,
    watch::{Source, Trouble, watch},
};
use crate::{
    api::{ClusterOffboardingProvider, CustomerOffboarding, OffboardingProvider, OffboardingRecord},
    domain::PolicyState,
    metrics::{Controller as Passes, Metrics},
    providers::http::Egress,
    traces::Traces,
};

/// How many objects of a kind are worked on at once; the provider objects have caps of their own.
pub(super) const CONCURRENCY: u16 = 32;

/// How often the installation key is looked at again.
const KEY_INTERVAL: Duration = Duration::from_secs(60);

/// How long a cache that is being filled is waited for at a time, and how long without a word.
const GLANCE: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(5);

/// What the command line and the environment say.
#[derive(Clone, Debug)]
pub struct Settings {
    pub operator_namespace: String,
    /// Where requests, approvals and provider objects are watched; empty means everywhere.
    pub watch_namespaces: Vec<String>,
    /// Names this process in the attempts that it makes.
    pub process: String,
    pub timing: Timing,
    pub lease: LeaseTiming,
    pub egress: Egress,
    /// How many deletions all accounts together may see in an hour; no ceiling where it is `None`.
    pub destructive_rate: Option<u32>,
    pub traces: Traces,
    pub clock: fn() -> Timestamp,
}

/// Two clients of one API server: a read timeout would kill idle watches.
#[derive(Clone)]
pub struct Clients {
    pub watches: Client,
    pub calls: Client,
    /// Where what they ask is counted, and everything else.
    pub metrics: Arc<Metrics>,
}

/// Runs the operator until `stopping` is cancelled, and then until every send has ended. `serve` is told the context.
///
/// The watches run from the start, passes do something only where this process leads; it competes once its caches are filled.
pub async fn run(
    settings: Settings,
    clients: Clients,
    stopping: CancellationToken,
    serve: impl FnOnce(Shared) -> BoxFuture<'static, ()>,
) {
    let api = ApiServer::new(clients.calls.clone());
    let (requests, requests_writer) = reflector::store::<CustomerOffboarding>();
    let (providers, providers_writer) = reflector::store::<OffboardingProvider>();
    let (cluster_providers, cluster_providers_writer) = reflector::store::<ClusterOffboardingProvider>();
    let (records, records_writer) = reflector::store::<OffboardingRecord>();
    let (wake_requests, requests_woken) = mpsc::unbounded_channel();
    let (wake_namespaced, providers_woken) = mpsc::unbounded_channel();
    let (wake_cluster, cluster_providers_woken) = mpsc::unbounded_channel();
    let (wake_records, records_woken) = mpsc::unbounded_channel();
    let ctx = Arc::new(Context {
        records: Records::new(
            api.clone(),
            settings.operator_namespace.clone(),
            records.clone(),
            settings.traces.clone(),
        ),
        connections: Connections::new(
            api.clone(),
            settings.operator_namespace.clone(),
            settings.egress.clone(),
            settings.timing,
            clients.metrics.clone(),
        ),
        api: api.clone(),
        operator_namespace: settings.operator_namespace.clone(),
        events: Events::new(clients.calls.clone(), &settings.process),
        process: settings.process,
        clock: settings.clock,
        started: Instant::now(),
        timing: settings.timing,
        leadership: Leadership::default(),
        installation: Installation::default(),
        consents: Consents::default(),
        holds: Holds::default(),
        budgets: Budgets::new(api.clone(), settings.operator_namespace.clone(), settings.destructive_rate),
        lanes: Lanes::default(),
        record_lanes: Lanes::default(),
        policies: std::sync::RwLock::new(PolicyState::Unanswered),
        policies_changed: tokio::sync::Notify::new(),
        retries: std::sync::Mutex::default(),
        requests: requests.clone(),
        providers: ProviderObjects {
            namespaced: providers.clone(),
            cluster: cluster_providers.clone(),
            wake_namespaced,
            wake_cluster,
        },
        backoff: Backoff::default(),
        sends: TaskTracker::new(),
        stopping: stopping.clone(),
        metrics: clients.metrics,
        traces: settings.traces,
        scrapers: Scrapers::default(),
        wake_requests,
        wake_records,
        synced: AtomicBool::new(false),
    });
    let serving = tokio::spawn(serve(ctx.clone()));
    let key = tokio::spawn(keep_the_key(ctx.clone()));
    until_there_is_a_key(&ctx).await;
    let watched = clients.watches.clone();
    let scope = Scope::new(watched.clone(), settings.watch_namespaces);
    let people = tokio::spawn(people::follow(ctx.clone(), watched.clone(), scope.clone()));
    let removal = tokio::spawn(removal::follow(ctx.clone(), scope.clone()));

    let records_api =
        Api::<DeserializeGuard<OffboardingRecord>>::namespaced(watched.clone(), &settings.operator_namespace);
    let record_stream = watch(
        vec![Source::new(records_api, trouble::<OffboardingRecord>(&ctx, None))],
        "spec.closed!=true",
        records_writer,
        closed_record(ctx.clone()),
    )
    .inspect_ok(notices(ctx.clone()));
    let record_controller =
        controller_of(Passes::record, &ctx, record_stream, records.clone(), records_woken)
            .run(guarded(Passes::record, orphan::reconcile), error_policy(Passes::record), ctx.clone())
            .for_each(ended(Passes::record, &ctx));

    let provider_stream =
        watch(scope.sources::<OffboardingProvider>(&ctx), "", providers_writer, gone_provider(ctx.clone()));
    let provider_controller =
        controller_of(Passes::provider, &ctx, provider_stream, providers.clone(), providers_woken)
            .run(
                guarded(Passes::provider, provider_object::reconcile),
                error_policy(Passes::provider),
                ctx.clone(),
            )
            .for_each(ended(Passes::provider, &ctx));

    let all = Source::new(Api::all(watched), trouble::<ClusterOffboardingProvider>(&ctx, None));
    let cluster_provider_stream = watch(vec![all], "", cluster_providers_writer, gone_provider(ctx.clone()));
    let store = cluster_providers.clone();
    let cluster_provider_controller =
        controller_of(Passes::provider, &ctx, cluster_provider_stream, store, cluster_providers_woken)
            .run(
                guarded(Passes::provider, provider_object::reconcile),
                error_policy(Passes::provider),
                ctx.clone(),
            )
            .for_each(ended(Passes::provider, &ctx));

    let request_stream = watch(
        scope.sources::<CustomerOffboarding>(&ctx),
        "status.finished!=true",
        requests_writer,
        gone_request(ctx.clone()),
    )
    .inspect_ok(lines_up(ctx.clone()));
    let request_controller =
        controller_of(Passes::request, &ctx, request_stream, requests.clone(), requests_woken)
            .run(guarded(Passes::request, reconcile::reconcile), error_policy(Passes::request), ctx.clone())
            .for_each(ended(Passes::request, &ctx));

    let controllers = [
        tokio::spawn(record_controller),
        tokio::spawn(provider_controller),
        tokio::spawn(cluster_provider_controller),
        tokio::spawn(request_controller),
    ];
    filled(&records, &stopping).await;
    filled(&providers, &stopping).await;
    filled(&cluster_providers, &stopping).await;
    filled(&requests, &stopping).await;
    // Where the caches were never filled, no pass was ever made: there is nothing to wait for.
    if !stopping.is_cancelled() {
        ctx.synced.store(true, Ordering::Relaxed);
        tracing::info!("ready");
        lead_until_the_end(&ctx, settings.lease, controllers).await;
    }
    serving.abort();
    people.abort();
    removal.abort();
    key.abort();
}

/// Competes for the lease until the process is to end and nothing is in flight any more.
async fn lead_until_the_end(ctx: &Shared, lease: LeaseTiming, controllers: [JoinHandle<()>; 4]) {
    let nothing_in_flight = CancellationToken::new();
    let elector = tokio::spawn(Elector::new(ctx.clone(), lease).run(nothing_in_flight.clone()));
    ctx.stopping.cancelled().await;
    tracing::info!("stopping: no more intents, waiting for sends in flight");
    let longest = ctx.timing.request_deadline + Duration::from_secs(10);
    let ended = async {
        for controller in controllers {
            let _ = controller.await;
        }
    };
    let _ = tokio::time::timeout(longest, ended).await;
    ctx.sends.close();
    let drained = tokio::time::timeout(longest, ctx.sends.wait()).await.is_ok();
    // A lease that is given back too early is worse than one that runs out.
    if drained {
        nothing_in_flight.cancel();
        let _ = elector.await;
    }
    tracing::info!(drained, "stopped");
}

fn controller_of<K>(
    name: Passes,
    ctx: &Shared,
    stream: impl Stream<Item = Result<K, watcher::Error>> + Send + 'static,
    store: Store<K>,
    woken: mpsc::UnboundedReceiver<ObjectRef<K>>,
) -> Controller<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (news, wakes) = (ctx.metrics.clone(), ctx.metrics.clone());
    let woken = futures::stream::unfold(woken, |mut woken| async move { Some((woken.recv().await?, woken)) });
    Controller::for_stream(stream.inspect_ok(move |object| news.woken(name, key_of(object))), store)
        .reconcile_on(woken.inspect(move |object| wakes.woken(name, key_of_name(object))))
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(ctx.stopping.clone().cancelled_owned())
}

/// What came of a pass is told already, but for objects that were gone before it could begin.
fn ended<T, E: 'static, Q: 'static>(
    name: Passes,
    ctx: &Shared,
) -> impl FnMut(Result<T, controller::Error<E, Q>>) -> std::future::Ready<()> + use<T, E, Q> {
    let metrics = ctx.metrics.clone();
    move |result| {
        if let Err(controller::Error::ObjectNotFound(gone)) = &result {
            metrics.forget(name, key_of_name(gone.as_ref()));
        }
        std::future::ready(())
    }
}

/// What goes wrong with the watch of a kind is told, with the namespace where there is one for each, and counted.
pub(super) fn trouble<K: kube::Resource<DynamicType = ()>>(ctx: &Shared, namespace: Option<&str>) -> Trouble {
    let (ctx, kind) = (ctx.clone(), K::kind(&()).into_owned());
    let told = namespace.map_or_else(|| kind.clone(), |namespace| format!("{kind} in {namespace}"));
    Trouble::new(told, move || ctx.metrics.watch_failed(&kind))
}

/// A record that was made with another key is noticed as soon as it is there.
fn notices(ctx: Shared) -> impl Fn(&OffboardingRecord) + Send + 'static {
    move |record| ctx.installation.notice(record)
}

/// A record that left the watch is closed: whoever waited for it goes on. A request that is there still forgets it by itself.
fn closed_record(ctx: Shared) -> impl Fn(&OffboardingRecord) + Send + 'static {
    move |record| {
        let (request, name) = (&record.spec.request, record.name_any());
        if !orphan::is_watched(&ctx, request) {
            ctx.records.forget(&request.uid, &request.target, &name);
        }
        ctx.wake(ctx.records.waiting_for(&name));
    }
}

/// A provider object that is gone is forgotten, and whoever names it hears of it.
fn gone_provider<K>(ctx: Shared) -> impl Fn(&K) + Send + 'static
where
    K: Clone + 'static,
    Arc<K>: Into<ProviderObject>,
{
    move |provider| {
        let object: ProviderObject = Arc::new(provider.clone()).into();
        if let Some(uid) = &object.metadata().uid {
            ctx.connections.forget(uid);
            ctx.backoff.succeeded(uid);
        }
        provider_object::wake_users(&ctx, &object.key());
    }
}

/// A request that is about to be looked at holds its place from now on: many may come before a pass begins.
fn lines_up(ctx: Shared) -> impl Fn(&CustomerOffboarding) + Send + 'static {
    move |request| ctx.line_up(request)
}

/// A request that left the watch is finished or deleted; where it is deleted, its open record is worked on alone.
fn gone_request(ctx: Shared) -> impl Fn(&CustomerOffboarding) + Send + 'static {
    move |request| {
        ctx.left_the_line(request);
        let Some(uid) = request.uid() else { return };
        ctx.forget_request(&uid);
        ctx.records.forget_request(&uid, &ObjectRef::from_obj(request));
        ctx.wake_open_records(ctx.records.open_of(&uid));
    }
}

/// Waits for a cache, or for the end of the process. Asks afresh every few milliseconds: a store wakes its last waiter only,
/// and that is mostly the controller.
async fn filled<K>(store: &Store<K>, stopping: &CancellationToken)
where
    K: kube::runtime::reflector::Lookup + Clone + 'static,
    K::DynamicType: Eq + std::hash::Hash + Clone,
{
    let mut told = Instant::now();
    while !stopping.is_cancelled()
        && !matches!(tokio::time::timeout(GLANCE, store.wait_until_ready()).await, Ok(Ok(())))
    {
        if told.elapsed() > PATIENCE {
            tracing::info!("waiting for the API server and the CRDs");
            told = Instant::now();
        }
    }
}

async fn until_there_is_a_key(ctx: &Shared) {
    while ctx.installation.is_unread() && !ctx.stopping.is_cancelled() {
        tokio::time::sleep(GLANCE).await;
    }
}

async fn keep_the_key(ctx: Shared) {
    let mut pause = Duration::from_millis(200);
    loop {
        let was_there = ctx.installation.keys().await.is_some();
        match ctx.installation.refresh(&ctx.api, &ctx.operator_namespace).await {
            Ok(()) => {
                pause = KEY_INTERVAL;
                if !was_there {
                    ctx.wake_all();
                }
            }
            Err(problem) => {
                tracing::error!("{problem}");
                pause = (pause * 2).min(KEY_INTERVAL);
            }
        }
        tokio::time::sleep(pause).await;
    }
}
