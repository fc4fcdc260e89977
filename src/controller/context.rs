//! Everything that a pass may touch. Clock and identity come from outside; nothing here asks for the time by itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    api_server::ApiServer,
    connection::{Connection, Connections},
    error::Backoff,
    events::Events,
    installation::Installation,
    provider_kinds::{ProviderKey, ProviderObjects},
    records::Records,
};
use crate::{
    api::{CustomerOffboarding, OffboardingRecord},
    domain::Moment,
    metrics::Metrics,
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
    pub installation: Installation,
    pub records: Records,
    pub requests: Store<CustomerOffboarding>,
    pub providers: ProviderObjects,
    pub connections: Connections,
    pub backoff: Backoff,
    /// Sends in flight: nothing cancels them, and the process ends after them.
    pub sends: TaskTracker,
    /// Set once the process is to end: no more intents.
    pub stopping: CancellationToken,
    pub metrics: Metrics,
    pub events: Events,
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
    /// Whether this process can do its work.
    ///
    /// # Errors
    /// What it lacks, in words without a secret.
    pub fn readiness(&self) -> Result<(), &'static str> {
        match (self.stopping.is_cancelled(), self.synced.load(Ordering::Relaxed)) {
            (true, _) => Err("stopping"),
            (false, false) => Err("the caches are not filled yet; are the CRDs installed?"),
            (false, true) => Ok(()),
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

    /// Now, on both clocks.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment { uptime: self.started.elapsed(), wall: (self.clock)() }
    }
}
