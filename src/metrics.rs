//! What the operator counts, in the names that dashboards expect. Labels come from closed sets and from what provider objects say.

use std::time::Duration;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::domain::{BudgetUse, LookWord, OutcomeWord};

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

/// A kind that is watched.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: String,
}

/// What a provider said.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Said {
    profile: String,
    outcome: &'static str,
}

/// One account; `*` is all of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfAccount {
    account: String,
}

/// What one account has seen in a window.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Used {
    account: String,
    window: &'static str,
}

/// The operator's counters and gauges.
pub struct Metrics {
    registry: Registry,
    passes: Family<Pass, Counter>,
    panics: Family<Controller, Counter>,
    seconds: Family<Controller, Histogram>,
    looks: Family<Said, Counter>,
    deletions: Family<Said, Counter>,
    leader: Gauge,
    queued: Family<OfAccount, Gauge>,
    used: Family<Used, Gauge>,
    watch_errors: Family<OfKind, Counter>,
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
        let queued = Family::default();
        let used = Family::default();
        let watch_errors = Family::default();
        let runtime = registry.sub_registry_with_prefix("controller_runtime");
        runtime.register("reconcile", "Passes of each controller by result", passes.clone());
        runtime.register("reconcile_panics", "Passes that panicked", panics.clone());
        runtime.register_with_unit("reconcile_time", "Length of a pass", Unit::Seconds, seconds.clone());
        let ours = registry.sub_registry_with_prefix("offboarding");
        ours.register("looks", "Looks at customers by verdict", looks.clone());
        ours.register("deletes", "Destructive attempts by outcome", deletions.clone());
        ours.register("leader", "1 where this process leads, 0 where it stands by", leader.clone());
        ours.register("budget_queued", "Requests that wait for the budget of an account", queued.clone());
        ours.register(
            "budget_used",
            "Deletions of an account that may have left: in the last 60 minutes, and today in UTC",
            used.clone(),
        );
        ours.register("watch_errors", "Errors of each kind's watch", watch_errors.clone());
        Self { registry, passes, panics, seconds, looks, deletions, leader, queued, used, watch_errors }
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

    /// What each account with a budget has seen, and how many wait there; accounts that are not named are forgotten.
    pub fn budgets(&self, figures: Vec<(String, BudgetUse, usize)>) {
        self.queued.clear();
        self.used.clear();
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        for (account, BudgetUse { hour, day }, waiting) in figures {
            self.queued.get_or_create(&OfAccount { account: account.clone() }).set(count(waiting));
            for (window, sent) in [("hour", hour), ("day", day)] {
                self.used.get_or_create(&Used { account: account.clone(), window }).set(count(sent));
            }
        }
    }

    /// The watch of a kind failed.
    pub fn watch_failed(&self, kind: &str) {
        self.watch_errors.get_or_create(&OfKind { kind: kind.to_owned() }).inc();
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
