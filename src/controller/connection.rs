//! From a provider object to something that can be asked: profile, endpoint, limiter. Built once for each generation.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use secrecy::SecretString;
use tokio::{
    sync::{Mutex as AsyncMutex, Semaphore},
    task::spawn_blocking,
};

use super::{
    api_server::ApiServer, asking::Asking, context::Timing, provider_kinds::ProviderObject, secrets,
};
use crate::{
    api::{Limits, OffboardingProviderSpec, ProviderReason},
    domain::{BudgetLimits, Demands, ProviderFacts},
    metrics::Metrics,
    providers::{
        LoadedProfile, ProfileProblem, Provider, built_in, built_in_names,
        http::{
            CircuitState, ClientIdentity, Egress, Endpoint, EndpointParts, EndpointProblem, Limiter,
            ReadClient, Reservation,
        },
        load,
    },
};

/// One provider object, ready to be asked.
pub struct Connection {
    /// What it was made of: its credential is read, and judged, by this one, whatever the object says by then.
    pub object: ProviderObject,
    /// Which generation of the object, and which client certificate.
    version: String,
    /// What the decision may know of it.
    pub facts: ProviderFacts,
    /// What its profile says.
    pub profile: Arc<LoadedProfile>,
    /// The engine, reading in its turn.
    pub provider: Provider,
    /// Where requests go.
    pub endpoint: Arc<Endpoint>,
    /// How fast, shared by all generations of the object.
    pub limiter: Arc<Limiter>,
    /// How it is asked, and counted.
    pub asking: Asking,
    /// The version of the credential that the control request last succeeded with.
    probed: Mutex<Option<String>>,
    /// Whether the circuit was open, and a pause ran, when it was last told.
    told: Mutex<(bool, bool)>,
}

/// Why a provider object cannot be used, for its condition `Ready`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    pub reason: ProviderReason,
    /// Which field, which column, what is wrong; no secret.
    pub message: String,
}

/// The connections of this process, by the provider objects' uids.
pub struct Connections {
    api: ApiServer,
    operator_namespace: String,
    egress: Egress,
    timing: Timing,
    metrics: Arc<Metrics>,
    cached: Mutex<HashMap<String, Cached>>,
    /// Each provider object is loaded by one at a time: all its requests ask at once when it changes. What nobody loads is not kept.
    loading: Mutex<HashMap<String, Weak<AsyncMutex<()>>>>,
    /// A permit for each custom profile that is loaded now.
    custom: Arc<Semaphore>,
    /// Generation and readiness of each provider object, as the requests were last told.
    told: Mutex<HashMap<String, (i64, bool)>>,
}

/// How many custom profiles are loaded at once. Each keeps a processor busy: all of them together, when the process begins, would
/// leave too little to whoever renews the lease.
const CUSTOM_AT_ONCE: usize = 4;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Cached {
    version: String,
    limiter: Arc<Limiter>,
    connection: Result<Arc<Connection>, Unusable>,
}

impl Connections {
    /// No connection yet; `egress` is what the installation allows.
    #[must_use]
    pub fn new(
        api: ApiServer,
        operator_namespace: String,
        egress: Egress,
        timing: Timing,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (cached, loading, told) = (Mutex::default(), Mutex::default(), Mutex::default());
        let custom = Arc::new(Semaphore::new(CUSTOM_AT_ONCE));
        Self { api, operator_namespace, egress, timing, metrics, cached, loading, custom, told }
    }

    /// The connection of a provider object as it is written in this generation.
    ///
    /// # Errors
    /// `Unusable`: the platform team mends the object.
    pub async fn of(&self, object: &ProviderObject) -> Result<Arc<Connection>, Unusable> {
        let uid = object.metadata().uid.clone().unwrap_or_default();
        let identity = self.client_identity(object).await?;
        let certificate = identity.as_ref().map_or("", |(_, version)| version);
        let version = format!("{}/{certificate}", object.metadata().generation.unwrap_or_default());
        if let Some(known) = self.known(&uid, &version) {
            return known;
        }
        // Of two that build at once, each would have a limiter and a circuit of its own.
        let loading = self.loading(&uid);
        let _loading = loading.lock().await;
        if let Some(known) = self.known(&uid, &version) {
            return known;
        }
        let profile = profile_of(object, &self.custom).await;
        // The limiter outlives a generation: a pause that the provider asked for is not forgotten because a field changed.
        let limiter = lock(&self.cached).get(&uid).map(|known| known.limiter.clone());
        let limiter =
            limiter.inspect(|limiter| limiter.reset()).unwrap_or_else(|| Limiter::new(Limits::default()));
        let identity = identity.as_ref().map(|(identity, _)| identity);
        let built = profile
            .and_then(|profile| self.build(object, profile, version.clone(), identity, limiter.clone()));
        let connection = built.map(Arc::new);
        lock(&self.cached).insert(uid, Cached { version, limiter, connection: connection.clone() });
        connection
    }

    /// Held by whoever loads a provider object.
    fn loading(&self, uid: &str) -> Arc<AsyncMutex<()>> {
        let mut loading = lock(&self.loading);
        loading.retain(|_, held| held.strong_count() > 0);
        let held = loading.get(uid).and_then(Weak::upgrade).unwrap_or_default();
        loading.insert(uid.to_owned(), Arc::downgrade(&held));
        held
    }

    fn known(&self, uid: &str, version: &str) -> Option<Result<Arc<Connection>, Unusable>> {
        let cached = lock(&self.cached);
        cached.get(uid).filter(|known| known.version == version).map(|known| known.connection.clone())
    }

    /// Whether a provider object's generation or readiness are others than at the last call.
    #[must_use]
    pub fn is_news(&self, uid: &str, generation: i64, ready: bool) -> bool {
        lock(&self.told).insert(uid.to_owned(), (generation, ready)) != Some((generation, ready))
    }

    /// Whether a provider object was ready when the requests were last told.
    #[must_use]
    pub fn was_ready(&self, uid: &str) -> bool {
        lock(&self.told).get(uid).is_some_and(|(_, ready)| *ready)
    }

    /// The limiters of all provider objects that can be used, each with what its profile is called in a label.
    #[must_use]
    pub fn limiters(&self) -> Vec<(&'static str, Arc<Limiter>)> {
        let cached = lock(&self.cached);
        let usable = cached.values().filter_map(|known| known.connection.as_ref().ok());
        usable.map(|connection| (connection.asking.profile(), connection.limiter.clone())).collect()
    }

    /// Forgets a provider object that is gone.
    pub fn forget(&self, uid: &str) {
        lock(&self.cached).remove(uid);
        lock(&self.told).remove(uid);
    }

    /// What is left of a pause that the provider asked for before this process began.
    fn paused_for(&self, object: &ProviderObject) -> Option<Duration> {
        let until = object.status()?.paused_until?;
        Duration::try_from(until.duration_since((self.egress.clock)())).ok()
    }

    async fn client_identity(
        &self,
        object: &ProviderObject,
    ) -> Result<Option<(ClientIdentity, String)>, Unusable> {
        let Some(wanted) = object.spec().tls.as_ref().and_then(|tls| tls.client_certificate.as_ref()) else {
            return Ok(None);
        };
        let unavailable = || {
            Unusable {
            reason: ProviderReason::SecretUnavailable,
            message: "`spec.tls.clientCertificate`: not available; it must be a Secret of type kubernetes.io/tls with tls.crt and tls.key".to_owned(),
        }
        };
        let namespace = object.namespace_of_secrets(&self.operator_namespace);
        let secret =
            secrets::read(&self.api, namespace, secrets::CERTIFICATE_TYPE, &wanted.secret_name).await;
        let secret = secret.map_err(|_| unavailable())?;
        let text = |key| secrets::entry(&secret, key).and_then(|bytes| String::from_utf8(bytes).ok());
        let (Some(certificates), Some(key)) = (text("tls.crt"), text("tls.key")) else {
            return Err(unavailable());
        };
        let identity = ClientIdentity { certificates, key: SecretString::from(key) };
        Ok(Some((identity, secrets::version_of(&secret))))
    }

    fn build(
        &self,
        object: &ProviderObject,
        profile: Arc<LoadedProfile>,
        version: String,
        identity: Option<&ClientIdentity>,
        limiter: Arc<Limiter>,
    ) -> Result<Connection, Unusable> {
        let spec = object.spec();
        let parts = EndpointParts {
            base_url: &spec.base_url,
            allowed_cidrs: &spec.allowed_cidrs,
            ca_bundle: spec.tls.as_ref().and_then(|tls| tls.ca_bundle.as_deref()),
            client_identity: identity,
        };
        let endpoint = Arc::new(Endpoint::new(parts, &self.egress).map_err(|problem| unusable(&problem))?);
        limiter.configure(limits_of(object, &profile));
        if let Some(left) = self.paused_for(object) {
            limiter.pause(left);
        }
        let client = ReadClient::new(endpoint.clone(), limiter.clone(), self.timing.request_deadline);
        let asking = Asking::new(client, self.metrics.clone(), self.metrics.profile(spec.profile.as_deref()));
        let provider = Provider::new(
            profile.clone(),
            endpoint.base_url().url().clone(),
            spec.environment,
            spec.checks.clone(),
            Arc::new(asking.clone()),
        )
        .map_err(|problems| invalid_profile("spec.checks", &problems))?;
        let facts = facts_of(object, &profile, self.timing);
        let (probed, told) = (Mutex::default(), Mutex::default());
        let object = object.clone();
        Ok(Connection { object, version, facts, profile, provider, endpoint, limiter, asking, probed, told })
    }
}

impl Connection {
    /// Whether both were made of the same generation of the same object, with the same client certificate.
    #[must_use]
    pub fn is_as(&self, other: &Self) -> bool {
        self.facts.uid == other.facts.uid && self.version == other.version
    }

    /// Whether the control request succeeded with this version of the credential.
    #[must_use]
    pub fn was_probed_with(&self, version: &str) -> bool {
        lock(&self.probed).as_deref() == Some(version)
    }

    /// The control request succeeded.
    pub fn probed_with(&self, version: &str) {
        *lock(&self.probed) = Some(version.to_owned());
    }

    /// The control request failed.
    pub fn not_probed(&self) {
        *lock(&self.probed) = None;
    }

    /// Whether circuit or pause are others than at the last call.
    #[must_use]
    pub fn limiter_is_news(&self) -> bool {
        let now = (self.limiter.circuit() != CircuitState::Closed, self.limiter.paused_for().is_some());
        std::mem::replace(&mut *lock(&self.told), now) != now
    }

    /// The engine, reading under a reservation: it never waits for its turn.
    #[must_use]
    pub fn reserved(&self, reservation: Arc<AsyncMutex<Reservation>>) -> Provider {
        self.provider.with_reader(Arc::new(self.asking.reserved(reservation)))
    }
}

/// Off the async threads: the expressions of a large profile are compiled and tried for longer than a turn may take.
async fn profile_of(
    object: &ProviderObject,
    custom: &Arc<Semaphore>,
) -> Result<Arc<LoadedProfile>, Unusable> {
    let object = object.clone();
    // A built-in one is shared, and loaded already. The permit goes with the work, which goes on also where the pass is dropped.
    let permit = match object.spec().custom_profile {
        Some(_) => custom.clone().acquire_owned().await.ok(),
        None => None,
    };
    let loaded = spawn_blocking(move || {
        let _permit = permit;
        load_profile(&object)
    })
    .await;
    loaded.unwrap_or_else(|_| {
        let message = "the profile could not be loaded".to_owned();
        Err(Unusable { reason: ProviderReason::InvalidProfile, message })
    })
}

fn load_profile(object: &ProviderObject) -> Result<Arc<LoadedProfile>, Unusable> {
    let invalid = |message| Unusable { reason: ProviderReason::InvalidProfile, message };
    match (&object.spec().profile, &object.spec().custom_profile) {
        (Some(name), None) => built_in(name).ok_or_else(|| {
            let names = built_in_names().join(", ");
            invalid(format!("`spec.profile`: there is no built-in profile '{name}'; there are {names}"))
        }),
        (None, Some(custom)) => {
            load(custom).map_err(|problems| invalid_profile("spec.customProfile", &problems))
        }
        _ => Err(invalid("exactly one of `spec.profile` and `spec.customProfile` must be set".to_owned())),
    }
}

fn invalid_profile(field: &str, problems: &[ProfileProblem]) -> Unusable {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Unusable {
        reason: ProviderReason::InvalidProfile,
        message: shortened(&format!("`{field}`: {}", texts.join("; "))),
    }
}

/// A condition's message has at most 1,024 characters.
fn shortened(text: &str) -> String {
    if text.chars().count() <= 1000 {
        text.to_owned()
    } else {
        text.chars().take(1000).chain("…".chars()).collect()
    }
}

fn unusable(problem: &EndpointProblem) -> Unusable {
    let reason = match problem {
        EndpointProblem::BaseUrl(_)
        | EndpointProblem::HostNotAllowed
        | EndpointProblem::InvalidCidr { .. } => ProviderReason::HostNotAllowed,
        EndpointProblem::InvalidCaBundle(_)
        | EndpointProblem::InvalidClientCertificate(_)
        | EndpointProblem::Client => ProviderReason::InvalidProfile,
    };
    Unusable { reason, message: shortened(&problem.to_string()) }
}

/// The object's limits, cut to the profile's maximum; the profile's default where it says nothing.
fn limits_of(object: &ProviderObject, profile: &LoadedProfile) -> Limits {
    let known = &profile.source().limits;
    let wanted = object.spec().limits.unwrap_or(known.default);
    let Some(most) = known.max else { return wanted };
    Limits {
        requests_per_minute: wanted.requests_per_minute.min(most.requests_per_minute),
        burst: wanted.burst.min(most.burst),
        max_in_flight: wanted.max_in_flight.min(most.max_in_flight),
    }
}

fn facts_of(object: &ProviderObject, profile: &LoadedProfile, timing: Timing) -> ProviderFacts {
    let spec = object.spec();
    let declared = Arc::new(profile.declared().clone());
    let verify = spec.verify.unwrap_or(profile.source().verify.default);
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    ProviderFacts {
        kind: object.kind(),
        namespace: text(&object.metadata().namespace),
        name: text(&object.metadata().name),
        uid: text(&object.metadata().uid),
        base_url: spec.base_url.clone(),
        account: spec.account.clone(),
        environment: spec.environment,
        allowed_modes: spec.allowed_modes.clone(),
        checks: spec.checks.clone(),
        demands: Demands {
            required: spec.approvals.required.unsigned_abs(),
            separation_of_duties: spec.approvals.separation_of_duties,
            max_validity: spec.approvals.max_validity.0,
            cooling_off: spec.cooling_off.0,
        },
        budget: budget_of(spec),
        recheck_interval: spec.recheck_interval.0.max(Duration::from_secs(10)),
        confirmations: verify.confirmations.max(1).unsigned_abs(),
        verify_interval: verify.interval.0.max(Duration::from_millis(100)),
        verify_deadline: verify.deadline.0,
        suspended: spec.suspend,
        settle_window: timing.send_deadline
            + timing.request_deadline
            + declared.max_request_lifetime
            + declared.consistency_lag,
        declared,
    }
}

/// How many deletions a provider object allows its account.
#[must_use]
pub fn budget_of(spec: &OffboardingProviderSpec) -> BudgetLimits {
    BudgetLimits {
        per_hour: spec.budget.and_then(|budget| budget.per_hour).map(i32::unsigned_abs),
        per_day: spec.budget.and_then(|budget| budget.per_day).map(i32::unsigned_abs),
    }
}

#[cfg(test)]
mod tests;
