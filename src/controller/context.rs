//! Everything that a pass may touch. Clock and identity come from outside; nothing here asks for the time by itself.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    api_server::ApiServer,
    budgets::Budgets,
    connection::{Connection, Connections},
    consents::Consents,
    error::Backoff,
    events::Events,
    holds::Holds,
    installation::Installation,
    lanes::Lanes,
    lease::Leadership,
    provider_kinds::{ProviderKey, ProviderObjects},
    records::Records,
    scrapers::Scrapers,
};
use crate::{
    api::{CustomerOffboarding, OffboardingRecord},
    domain::{Moment, PolicyState},
    metrics::Metrics,
    traces::Traces,
};

/// The two deadlines that belong to the operator; lag and lifetime belong to the profile.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// From the moment that the intent's write is begun to the last moment at which the first byte may leave.
    pub send_deadline: Duration,
    /// One request in total.
    pub request_deadline: Duration,
}

/// Everything that a pass may touch.
pub struct Context {
    pub api: ApiServer,
    /// Where the records and the installation key are.
    pub operator_namespace: String,
    /// This process: stands in the attempts that it makes.
    pub process: String,
    pub clock: fn() -> Timestamp,
    /// When the process began, monotonic.
    pub started: Instant,
    pub timing: Timing,
    /// Until when this process leads: a pass does nothing where it does not.
    pub leadership: Leadership,
    pub installation: Installation,
    pub records: Records,
    pub consents: Consents,
    pub holds: Holds,
    pub budgets: Budgets,
    pub lanes: Lanes<CustomerOffboarding>,
    pub record_lanes: Lanes<OffboardingRecord>,
    /// The admission policies as they were last read.
    pub policies: RwLock<PolicyState>,
    /// Told where they are others than before.
    pub policies_changed: Notify,
    pub requests: Store<CustomerOffboarding>,
    pub providers: ProviderObjects,
    pub connections: Connections,
    pub backoff: Backoff,
    /// Sends in flight: nothing cancels them, and the process ends after them.
    pub sends: TaskTracker,
    /// Set once the process is to end: no more intents.
    pub stopping: CancellationToken,
    pub metrics: Arc<Metrics>,
    pub traces: Traces,
    pub events: Events,
    /// Who may read the metrics from outside.
    pub scrapers: Scrapers,
    /// What was last asked for with the retry annotation, by request uid.
    pub retries: Mutex<HashMap<String, String>>,
    /// Requests that are to be looked at again, told by something else than their watch.
    pub wake_requests: mpsc::UnboundedSender<ObjectRef<CustomerOffboarding>>,
    /// Open records whose request is gone.
    pub wake_records: mpsc::UnboundedSender<ObjectRef<OffboardingRecord>>,
    /// Set once every cache holds what there is.
    pub synced: AtomicBool,
}

/// A context, as the controllers share it.
pub type Shared = Arc<Context>;

impl Context {
    /// Whether this process can do its work, or take over from the one that does: `leader` or `standby`.
    ///
    /// # Errors
    /// What it lacks, in words without a secret.
    pub fn readiness(&self) -> Result<&'static str, &'static str> {
        match (self.stopping.is_cancelled(), self.synced.load(Ordering::Relaxed)) {
            (true, _) => Err("stopping"),
            (false, false) => Err("the caches are not filled yet; are the CRDs installed?"),
            (false, true) => Ok(if self.leadership.is_held() { "leader" } else { "standby" }),
        }
    }

    /// Has a provider object looked at again, where its circuit or pause is not what was last told.
    pub fn provider_may_have_changed(&self, connection: &Connection) {
        if connection.limiter_is_news() {
            self.providers.wake(&ProviderKey::of(&connection.facts));
        }
    }

    /// Has a provider object looked at that cannot be used: it says so then, and looks again until everything can go on.
    pub fn provider_is_unusable(&self, connection: &Connection) {
        if self.connections.was_ready(&connection.facts.uid) {
            self.providers.wake(&ProviderKey::of(&connection.facts));
        }
    }

    /// Has requests looked at again.
    pub fn wake(&self, requests: impl IntoIterator<Item = ObjectRef<CustomerOffboarding>>) {
        for request in requests {
            // Nobody listens only once the process ends.
            let _ = self.wake_requests.send(request);
        }
    }

    /// Has requests looked at again that were woken together: in whatever order they come, each holds its place in line.
    pub fn wake_together<'a>(&self, requests: impl Iterator<Item = &'a Arc<CustomerOffboarding>> + Clone) {
        requests.clone().for_each(|request| self.line_up(request));
        self.wake(requests.map(|request| ObjectRef::from_obj(request.as_ref())));
    }

    /// Has open records looked at again; those whose request is there are left to it.
    pub fn wake_open_records(&self, records: impl IntoIterator<Item = ObjectRef<OffboardingRecord>>) {
        for record in records {
            // As above.
            let _ = self.wake_records.send(record);
        }
    }

    /// The admission policies as they were last read.
    #[must_use]
    pub fn policies(&self) -> PolicyState {
        self.policies.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the admission policies over as they were just read, and has everything look that waits for them. Where nobody
    /// answered, what is told stands: nothing is sent without an answer of its own.
    pub fn learn_policies(&self, live: PolicyState) {
        let mut known = self.policies.write().unwrap_or_else(PoisonError::into_inner);
        if !live.is_news_after(&known) {
            return;
        }
        tracing::info!(state = ?live, "admission policies");
        *known = live;
        drop(known);
        self.policies_changed.notify_waiters();
        self.wake_together(self.requests.state().iter());
    }

    /// Whether somebody asked for another look since this process last saw the request.
    pub fn is_new_retry(&self, request_uid: &str, asked: Option<&String>) -> bool {
        let Some(asked) = asked else { return false };
        let mut seen = self.retries.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(request_uid.to_owned(), asked.clone()).as_ref() != Some(asked)
    }

    /// Forgets a request that is finished or gone.
    pub fn forget_request(&self, request_uid: &str) {
        self.retries.lock().unwrap_or_else(PoisonError::into_inner).remove(request_uid);
        self.backoff.succeeded(request_uid);
    }

    /// Has everything looked at again that is not finished: after something that all of it waited for, the key or the lease.
    pub fn wake_all(&self) {
        self.wake_together(self.requests.state().iter());
        self.providers.wake_all();
        self.wake_open_records(self.records.open());
    }

    /// Now, on both clocks.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment { uptime: self.started.elapsed(), wall: (self.clock)() }
    }
}
