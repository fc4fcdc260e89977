//! What the operator counts, in the names that dashboards expect. Labels come from closed sets and from what provider objects say.
//!
//! What happens is counted when it happens; what *is*, and was counted by somebody already, when it is asked for (`figure`).

mod api_requests;
pub mod catalogue;
mod figure;
mod process;
mod queue;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, time::Duration};

use prometheus_client::{
    encoding::text::{encode_eof, encode_registry},
    metrics::{counter::Counter, family::Family, histogram::Histogram, info::Info},
    registry::{Metric, Registry, Unit},
};
use tokio::time::Instant;

pub use api_requests::CountRequests;
pub use figure::{Figure, Number};
pub use process::process;
pub use queue::{Key, Load};

use crate::{
    api::{OffboardingResult, Reason, words},
    domain::{Cause, CauseWord, Class, Failure, LookWord, Outcome, Step},
};
use catalogue::{CUSTOM, Described, NO_ANSWER};
use figure::Figures;
use queue::WorkQueue;

words! {
    /// The loops of the operator; both kinds of provider objects are one's.
    #[expect(non_camel_case_types, reason = "the words users read")]
    Controller { request, record, provider }
}

words! {
    /// What came of a try to take or renew the lease.
    LeaseResult { Held, HeldByAnother, Failed }
}

words! {
    /// Why there is no installation key to work with.
    KeyTrouble { Missing, Unusable, Changed, TwoKeys }
}

/// Names and values of a series, in the order in which its metric has them.
type Labels = Vec<(&'static str, Cow<'static, str>)>;
type Counters = Family<Labels, Counter>;
type Histograms = Family<Labels, Histogram>;

/// The operator's counters.
pub struct Metrics {
    registry: Registry,
    profiles: Vec<&'static str>,
    reconciles: Counters,
    reconcile_errors: Counters,
    step_errors: Counters,
    panics: Counters,
    reconcile_time: Histograms,
    adds: Counters,
    waited: Histograms,
    worked: Histograms,
    retries: Counters,
    api_requests: Counters,
    watch_errors: Counters,
    lease_attempts: Counters,
    lease_lost: Counter,
    finished: Counters,
    given_up: Counters,
    closed: Counters,
    asked: Counters,
    asked_for: Histograms,
    turn_wait: Histograms,
    turns_refused: Counters,
    looks: Counters,
    deletes: Counters,
    delete_failures: Counters,
    /// By the place of their controller in `Controller::ALL`.
    queues: [WorkQueue; Controller::ALL.len()],
}

/// Name without the unit that the encoder adds, and that unit.
fn unit_of(of: &'static Described) -> (&'static str, Option<Unit>) {
    let known = [("_seconds", Unit::Seconds), ("_bytes", Unit::Bytes)];
    let found = known.into_iter().find_map(|(end, unit)| Some((of.name.strip_suffix(end)?, unit)));
    found.map_or((of.name, None), |(name, unit)| (name, Some(unit)))
}

fn register(registry: &mut Registry, of: &'static Described, metric: impl Metric) {
    match unit_of(of) {
        (name, Some(unit)) => registry.register_with_unit(name, of.meaning, unit, metric),
        (name, None) => registry.register(name, of.meaning, metric),
    }
}

fn labels<V: Into<Cow<'static, str>>>(of: &Described, values: impl IntoIterator<Item = V>) -> Labels {
    of.labels.iter().map(|label| label.name).zip(values.into_iter().map(Into::into)).collect()
}

impl Metrics {
    /// All at 0. `profiles` are the names of the built-in ones: another one is `custom`.
    #[must_use]
    pub fn new(profiles: Vec<&'static str>) -> Self {
        let mut registry = Registry::default();
        let counters = |registry: &mut Registry, of: &'static Described| {
            let family = Counters::default();
            for values in of.every_series(&profiles) {
                drop(family.get_or_create(&labels(of, values)));
            }
            register(registry, of, family.clone());
            family
        };
        let histograms = |registry: &mut Registry, of: &'static Described, buckets: fn() -> Histogram| {
            let family = Histograms::new_with_constructor(buckets);
            for values in of.every_series(&profiles) {
                drop(family.get_or_create(&labels(of, values)));
            }
            register(registry, of, family.clone());
            family
        };
        let passes: fn() -> Histogram = || Histogram::new([0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 40.0, 120.0]);
        let waits: fn() -> Histogram = || Histogram::new([0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 300.0]);
        let requests: fn() -> Histogram =
            || Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]);
        let lease_lost = Counter::default();
        register(&mut registry, &catalogue::LEASE_LOST, lease_lost.clone());
        let version = labels(&catalogue::BUILD, [env!("CARGO_PKG_VERSION")]);
        register(&mut registry, &catalogue::BUILD, Info::new(version));
        Self {
            reconciles: counters(&mut registry, &catalogue::RECONCILES),
            reconcile_errors: counters(&mut registry, &catalogue::RECONCILE_ERRORS),
            step_errors: counters(&mut registry, &catalogue::STEP_ERRORS),
            panics: counters(&mut registry, &catalogue::PANICS),
            reconcile_time: histograms(&mut registry, &catalogue::RECONCILE_TIME, passes),
            adds: counters(&mut registry, &catalogue::ADDS),
            waited: histograms(&mut registry, &catalogue::WAITED, waits),
            worked: histograms(&mut registry, &catalogue::WORKED, passes),
            retries: counters(&mut registry, &catalogue::RETRIES),
            api_requests: counters(&mut registry, &catalogue::API_REQUESTS),
            watch_errors: counters(&mut registry, &catalogue::WATCH_ERRORS),
            lease_attempts: counters(&mut registry, &catalogue::LEASE_ATTEMPTS),
            lease_lost,
            finished: counters(&mut registry, &catalogue::FINISHED),
            given_up: counters(&mut registry, &catalogue::GIVEN_UP),
            closed: counters(&mut registry, &catalogue::CLOSED),
            asked: counters(&mut registry, &catalogue::ASKED),
            asked_for: histograms(&mut registry, &catalogue::ASKED_FOR, requests),
            turn_wait: histograms(&mut registry, &catalogue::TURN_WAIT, waits),
            turns_refused: counters(&mut registry, &catalogue::TURNS_REFUSED),
            looks: counters(&mut registry, &catalogue::LOOKS),
            deletes: counters(&mut registry, &catalogue::DELETES),
            delete_failures: counters(&mut registry, &catalogue::DELETE_FAILURES),
            queues: Default::default(),
            profiles,
            registry,
        }
    }

    fn count<V: Into<Cow<'static, str>>>(
        family: &Counters,
        of: &'static Described,
        values: impl IntoIterator<Item = V>,
    ) {
        family.get_or_create(&labels(of, values)).inc();
    }

    fn observe<V: Into<Cow<'static, str>>>(
        family: &Histograms,
        of: &'static Described,
        values: impl IntoIterator<Item = V>,
        length: Duration,
    ) {
        family.get_or_create(&labels(of, values)).observe(length.as_secs_f64());
    }

    fn queue(&self, controller: Controller) -> &WorkQueue {
        match controller {
            Controller::request => &self.queues[0],
            Controller::record => &self.queues[1],
            Controller::provider => &self.queues[2],
        }
    }

    /// What a provider object's profile is called in a label: a built-in one by its name, every other one `custom`.
    #[must_use]
    pub fn profile(&self, built_in: Option<&str>) -> &'static str {
        self.profiles.iter().copied().find(|name| built_in == Some(*name)).unwrap_or(CUSTOM)
    }

    /// Every name that `profile` gives.
    pub fn profiles(&self) -> impl Iterator<Item = &'static str> {
        self.profiles.iter().copied().chain([CUSTOM])
    }

    /// An object was woken.
    pub fn woken(&self, controller: Controller, key: Key) {
        if self.queue(controller).woken(key, Instant::now()) {
            Self::count(&self.adds, &catalogue::ADDS, [controller.as_str(); 2]);
        }
    }

    /// A pass begins.
    pub fn begins(&self, controller: Controller, key: Key) {
        let begun = self.queue(controller).begins(key, Instant::now());
        if begun.came {
            Self::count(&self.adds, &catalogue::ADDS, [controller.as_str(); 2]);
        }
        Self::observe(&self.waited, &catalogue::WAITED, [controller.as_str(); 2], begun.waited);
    }

    /// A pass ended before anything was done: another process leads.
    pub fn left_out(&self, controller: Controller, key: Key) {
        self.queue(controller).ends(key);
        Self::observe(&self.worked, &catalogue::WORKED, [controller.as_str(); 2], Duration::ZERO);
    }

    /// A pass ended well; its object comes again after a while, or when it is woken.
    pub fn passed(&self, controller: Controller, key: Key, again: Option<Duration>, took: Duration) {
        let result = if again.is_some() { "requeue_after" } else { "success" };
        self.ended(controller, key, result, took);
        if let Some(again) = again {
            self.queue(controller).comes_again(key, Instant::now() + again);
        }
    }

    /// A pass failed, at a step; `retried` tells when it comes again.
    pub fn failed(&self, controller: Controller, key: Key, step: &'static str, took: Duration) {
        self.ended(controller, key, "error", took);
        Self::count(&self.reconcile_errors, &catalogue::RECONCILE_ERRORS, [controller.as_str()]);
        Self::count(&self.step_errors, &catalogue::STEP_ERRORS, [controller.as_str(), step]);
    }

    fn ended(&self, controller: Controller, key: Key, result: &'static str, took: Duration) {
        let name = controller.as_str();
        self.queue(controller).ends(key);
        Self::count(&self.reconciles, &catalogue::RECONCILES, [name, result]);
        Self::observe(&self.reconcile_time, &catalogue::RECONCILE_TIME, [name], took);
        Self::observe(&self.worked, &catalogue::WORKED, [name; 2], took);
    }

    /// A pass that failed comes again.
    pub fn retried(&self, controller: Controller, key: Key, after: Duration) {
        Self::count(&self.retries, &catalogue::RETRIES, [controller.as_str(); 2]);
        self.queue(controller).comes_again(key, Instant::now() + after);
    }

    /// A pass panicked.
    pub fn panicked(&self, controller: Controller) {
        Self::count(&self.panics, &catalogue::PANICS, [controller.as_str()]);
    }

    /// An object is gone.
    pub fn forget(&self, controller: Controller, key: Key) {
        self.queue(controller).forget(key);
    }

    /// What is due and what runs.
    #[must_use]
    pub fn load(&self, controller: Controller) -> Load {
        self.queue(controller).load(Instant::now())
    }

    /// The API server was asked; `None` where it did not answer.
    pub fn api_asked(&self, method: &http::Method, status: Option<u16>) {
        let code = status.map_or_else(|| NO_ANSWER.to_owned(), |status| status.to_string());
        Self::count(&self.api_requests, &catalogue::API_REQUESTS, [code, method.as_str().to_owned()]);
    }

    /// The watch of a kind failed.
    pub fn watch_failed(&self, kind: &str) {
        Self::count(&self.watch_errors, &catalogue::WATCH_ERRORS, [kind.to_owned()]);
    }

    /// The lease was asked for, or renewed.
    pub fn lease_attempted(&self, result: LeaseResult) {
        Self::count(&self.lease_attempts, &catalogue::LEASE_ATTEMPTS, [result.as_str()]);
    }

    /// This process led, and did not renew in time.
    pub fn lease_lost(&self) {
        self.lease_lost.inc();
    }

    /// A request ended, and its status says so.
    pub fn finished(&self, result: OffboardingResult) {
        Self::count(&self.finished, &catalogue::FINISHED, [result.as_str()]);
    }

    /// A request ended without success.
    pub fn given_up(&self, reason: Reason) {
        Self::count(&self.given_up, &catalogue::GIVEN_UP, [reason.as_str()]);
    }

    /// A record was closed.
    pub fn closed(&self, result: OffboardingResult) {
        Self::count(&self.closed, &catalogue::CLOSED, [result.as_str()]);
    }

    /// A turn at a provider came, or did not come in time.
    pub fn waited(&self, profile: &'static str, took: Duration, refused: Option<&Failure>) {
        Self::observe(&self.turn_wait, &catalogue::TURN_WAIT, [profile], took);
        let Some(refused) = refused else { return };
        let cause = match refused.cause {
            CauseWord::Ours(Cause::Paused) => Cause::Paused,
            CauseWord::Ours(Cause::CircuitOpen) => Cause::CircuitOpen,
            CauseWord::Ours(_) | CauseWord::Profile(_) => Cause::RateLimited,
        };
        Self::count(&self.turns_refused, &catalogue::TURNS_REFUSED, [profile, cause.as_str()]);
    }

    /// A provider was asked; `None` where the status says that it was done.
    pub fn asked(&self, profile: &'static str, step: Step, failed: Option<Class>, took: Duration) {
        let outcome = failed.map_or("Succeeded", Class::as_str);
        Self::count(&self.asked, &catalogue::ASKED, [profile, step.as_str(), outcome]);
        Self::observe(&self.asked_for, &catalogue::ASKED_FOR, [profile, step.as_str()], took);
    }

    /// A customer was looked at.
    pub fn looked(&self, profile: &'static str, verdict: Option<LookWord>) {
        let outcome = verdict.unwrap_or(LookWord::Indeterminate);
        Self::count(&self.looks, &catalogue::LOOKS, [profile, outcome.as_str()]);
    }

    /// A destructive attempt came to something.
    pub fn sent(&self, profile: &'static str, outcome: &Outcome) {
        Self::count(&self.deletes, &catalogue::DELETES, [profile, outcome.word().as_str()]);
        if let Some(failure) = outcome.failure() {
            let class = failure.class.as_str();
            Self::count(&self.delete_failures, &catalogue::DELETE_FAILURES, [profile, class]);
        }
    }

    /// Everything that was counted, and these figures, in the OpenMetrics text format; empty where it cannot be written.
    #[must_use]
    pub fn text(&self, figures: Vec<Figure>) -> String {
        let mut now = Registry::default();
        now.register_collector(Box::new(Figures(figures)));
        let mut text = String::new();
        let written = encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &now))
            .and_then(|()| encode_eof(&mut text));
        match written {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }
}
