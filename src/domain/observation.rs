//! Everything that was seen before a decision, gathered in one place. Nothing here is fetched; it is handed in.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    BudgetLimits, BudgetSeen, CheckSeen, Control, Declared, Demands, HoldSeen, InvalidSpec, Look,
    ProviderName, Whole,
};
use crate::api::{CheckOverride, Environment, Mode, ProviderKind, ProviderReason};

/// What was seen in one turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Whether the installation key is the one that the records name.
    pub key_is_good: bool,
    /// The provider object.
    pub provider: ProviderSeen,
    /// The customer's id.
    pub customer: CustomerSeen,
    /// Keyed hash of the credential in use; `None` where it could not be read.
    pub credential: Option<String>,
    /// The look at the customer, where one was made.
    pub look: Option<Look>,
    /// When that look was begun, by the uptime; zero where none was made. What it shows may be as old as this, and older by the
    /// lag of reads, however much later it is decided: a process can be stopped in between.
    pub looked_at: Duration,
    /// Whether the provider says, by its own clock, that it created the customer longer than `consistencyLag` ago.
    pub created_long_ago: bool,
    /// The control request; made only for absences.
    pub control: Option<Control>,
    /// The checks; made only where a deletion may follow.
    pub checks: Vec<CheckSeen>,
    /// Whether a hold is about it.
    pub hold: HoldSeen,
    /// Whether the account may see another deletion now.
    pub budget: BudgetSeen,
    /// What is seen of the request as a whole.
    pub whole: Arc<Whole>,
}

impl Observation {
    /// Whether an approver may pass a check over: the profile says so.
    #[must_use]
    pub fn may_be_waived(&self, check: &str) -> bool {
        self.checks.iter().any(|seen| seen.name == check && seen.waivable)
    }
}

/// A provider object, as seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderSeen {
    /// There and usable.
    Found(Box<ProviderFacts>),
    /// Not there, or not for this namespace: one answer for both.
    NotFound,
    /// There, but it cannot be used; its own condition says why.
    Unusable(ProviderReason),
}

/// A usable provider object, as plain facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderFacts {
    pub kind: ProviderKind,
    /// Empty for one of the cluster.
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub base_url: String,
    pub account: String,
    pub environment: Environment,
    pub allowed_modes: Vec<Mode>,
    pub checks: BTreeMap<String, CheckOverride>,
    pub demands: Demands,
    pub budget: BudgetLimits,
    pub recheck_interval: Duration,
    pub confirmations: u32,
    pub verify_interval: Duration,
    pub verify_deadline: Duration,
    pub suspended: bool,
    pub declared: Arc<Declared>,
    /// Send deadline + request deadline + `maxRequestLifetime` + `consistencyLag`: after this long, an attempt without an
    /// answer is executed or dead, and a look shows which.
    pub settle_window: Duration,
}

impl ProviderFacts {
    /// The object's name, as holds name it.
    #[must_use]
    pub fn object_name(&self) -> ProviderName {
        ProviderName { kind: self.kind, namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

/// The customer's id, as seen. The id itself stays outside of the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomerSeen {
    /// Known, and it fits the provider's pattern; here its pseudonym.
    Known { reference: String },
    /// Its Secret is missing, of another type, or cannot be read: one answer for all.
    SecretUnavailable,
    /// Its Secret names somebody else than the record of this request, which has done nothing yet.
    Changed,
    /// It can never be right at this provider.
    Refused(InvalidSpec),
    /// Not asked, because something before it already decided.
    NotAsked,
}
