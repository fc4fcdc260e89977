//! What the operator counts, in the names that dashboards expect. Labels come from closed sets and profile names only.

use std::time::Duration;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::domain::{LookWord, OutcomeWord};

/// One pass of a controller.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Pass {
    controller: &'static str,
    result: &'static str,
}

/// A controller.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Controller {
    controller: &'static str,
}

/// What a provider said.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Said {
    profile: String,
    outcome: &'static str,
}

/// The operator's counters and its gauge.
pub struct Metrics {
    registry: Registry,
    passes: Family<Pass, Counter>,
    panics: Family<Controller, Counter>,
    seconds: Family<Controller, Histogram>,
    looks: Family<Said, Counter>,
    deletions: Family<Said, Counter>,
    leader: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let passes = Family::default();
        let panics = Family::default();
        let seconds = Family::<Controller, Histogram>::new_with_constructor(|| {
            Histogram::new([0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 40.0, 120.0])
        });
        let looks = Family::default();
        let deletions = Family::default();
        let leader = Gauge::default();
        let runtime = registry.sub_registry_with_prefix("controller_runtime");
        runtime.register("reconcile", "Passes of each controller by result", passes.clone());
        runtime.register("reconcile_panics", "Passes that panicked", panics.clone());
        runtime.register_with_unit("reconcile_time", "Length of a pass", Unit::Seconds, seconds.clone());
        let ours = registry.sub_registry_with_prefix("offboarding");
        ours.register("looks", "Looks at customers by verdict", looks.clone());
        ours.register("deletes", "Destructive attempts by outcome", deletions.clone());
        ours.register("leader", "1 where this process leads, 0 where it stands by", leader.clone());
        Self { registry, passes, panics, seconds, looks, deletions, leader }
    }
}

impl Metrics {
    /// A pass ended.
    pub fn passed(&self, controller: &'static str, succeeded: bool, took: Duration) {
        let result = if succeeded { "success" } else { "error" };
        self.passes.get_or_create(&Pass { controller, result }).inc();
        self.seconds.get_or_create(&Controller { controller }).observe(took.as_secs_f64());
    }

    /// This process leads, or it does not any more.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// A pass panicked.
    pub fn panicked(&self, controller: &'static str) {
        self.panics.get_or_create(&Controller { controller }).inc();
    }

    /// A customer was looked at.
    pub fn looked(&self, profile: &str, verdict: Option<LookWord>) {
        let outcome = verdict.unwrap_or(LookWord::Indeterminate).as_str();
        self.looks.get_or_create(&Said { profile: profile.to_owned(), outcome }).inc();
    }

    /// A destructive attempt came to something.
    pub fn sent(&self, profile: &str, outcome: OutcomeWord) {
        self.deletions.get_or_create(&Said { profile: profile.to_owned(), outcome: outcome.as_str() }).inc();
    }

    /// Everything, in the OpenMetrics text format; empty where it cannot be written.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }
}
