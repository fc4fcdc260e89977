//! Words for tests of the decision: a plan, a provider, attempts, looks, and a process that remembers.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::*;
use crate::api::{
    ConditionalDelete, Environment, ErasureScope, Finality, IdReuse, Mode, OffboardingResult, ProviderKind,
    Reason, WhenPresent,
};

pub const LAG: Duration = Duration::from_secs(60);
pub const WINDOW: Duration = Duration::from_secs(185);

/// The wall clock, this many seconds after the story begins.
pub fn wall(seconds: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH
        .saturating_add(Duration::from_secs(1_800_000_000 + seconds))
        .unwrap_or(Timestamp::MAX)
}

/// Both clocks, this many seconds after the story begins. The process has been up for a while.
pub fn at(seconds: u64) -> Moment {
    Moment { uptime: Duration::from_secs(10_000 + seconds), wall: wall(seconds) }
}

pub fn plan(wish: Wish) -> Plan {
    Plan {
        person: None,
        request_uid: "uid-1".to_owned(),
        wish,
        customer: CustomerSource::Literal(CustomerId::new("90017".to_owned())),
        target: "billing".to_owned(),
        provider_kind: ProviderKind::OffboardingProvider,
        provider: "acme-pay".to_owned(),
        mode: None,
        depends_on: Vec::new(),
        accept_absent: false,
        reason: None,
        not_before: None,
    }
}

/// Deletes for good, and shows it.
pub fn hard() -> ProviderFacts {
    ProviderFacts {
        kind: ProviderKind::OffboardingProvider,
        namespace: "team".to_owned(),
        name: "acme-pay".to_owned(),
        uid: "provider-1".to_owned(),
        base_url: "https://api.acme.example".to_owned(),
        account: "acct-eu".to_owned(),
        environment: Environment::live,
        allowed_modes: vec![Mode::Hard],
        checks: BTreeMap::new(),
        demands: Demands { separation_of_duties: true, ..Demands::default() },
        budget: BudgetLimits::default(),
        recheck_interval: Duration::from_secs(900),
        confirmations: 1,
        verify_interval: Duration::from_secs(10),
        verify_deadline: Duration::from_secs(900),
        suspended: false,
        declared: Arc::new(Declared {
            profile_hash: "sha256:profile".to_owned(),
            step: "delete".to_owned(),
            operation: "DELETE /customers/{customer.id}".to_owned(),
            supports: Mode::Hard,
            finality: Finality::HardDelete,
            effects: vec!["the customer is deleted".to_owned()],
            retains: Vec::new(),
            erasure: ErasureScope::Full,
            backup_retention: None,
            manual_step: None,
            consistency_lag: LAG,
            max_request_lifetime: Duration::from_secs(60),
            id_reuse: IdReuse::Unknown,
            conditional_delete: ConditionalDelete::None,
            rejects_429_before_execution: true,
            when_present: WhenPresent::StillPresent,
        }),
        settle_window: WINDOW,
    }
}

/// Deactivates, and shows the customer as inactive.
pub fn soft() -> ProviderFacts {
    let mut provider = hard();
    provider.allowed_modes = vec![Mode::Soft];
    let declared = Arc::make_mut(&mut provider.declared);
    declared.supports = Mode::Soft;
    declared.finality = Finality::SoftDelete;
    declared.erasure = ErasureScope::None;
    provider
}

/// Deactivates, and shows nothing of it.
pub fn unobservable() -> ProviderFacts {
    let mut provider = soft();
    Arc::make_mut(&mut provider.declared).when_present = WhenPresent::NotObservable;
    provider
}

pub fn transient() -> Failure {
    Failure::new(Class::Transient, Cause::ServerError)
}

pub fn not_sent() -> Outcome {
    Outcome::NotSent(Failure::new(Class::Conflict, Cause::RequestSuspended))
}

pub fn unknown() -> Outcome {
    Outcome::Unknown(Failure::new(Class::Transient, Cause::OutcomeUnknown))
}

pub fn already_gone() -> Outcome {
    Outcome::Unknown(Failure::new(Class::NotFound, Cause::AlreadyGone))
}

pub fn rejected(class: Class) -> Outcome {
    Outcome::Rejected(Failure::new(class, Cause::RequestRefused))
}

pub fn fingerprint(customer: &str) -> Fingerprint {
    Fingerprint(format!("hmac:{customer}"))
}

/// The customer of the story.
pub fn same() -> Look {
    Look::Present(fingerprint("first"))
}

/// Somebody else under the same id.
pub fn another() -> Look {
    Look::Present(fingerprint("second"))
}

/// Attempt `n` on the customer of the story; its intent stands at second 0, an outcome at second 1.
pub fn attempt(n: i64, outcome: Option<Outcome>) -> Attempt {
    Attempt {
        n,
        id: format!("attempt-{n}"),
        count: 1,
        plan_hash: "sha256:plan".to_owned(),
        target_hash: String::new(),
        profile_hash: hard().declared.profile_hash.clone(),
        approvals: Vec::new(),
        waivers: Vec::new(),
        fingerprint: fingerprint("first"),
        base_url: hard().base_url,
        environment: Environment::live,
        credential: "hmac:credential".to_owned(),
        intent_at: wall(0),
        answered_at: outcome.as_ref().map(|_| wall(1)),
        outcome,
    }
}

pub fn record(outcomes: impl IntoIterator<Item = Option<Outcome>>) -> Record {
    Record {
        closed: None,
        account: "acct-eu".to_owned(),
        mode: Mode::Hard,
        earlier: None,
        attempts: (1..).zip(outcomes).map(|(n, outcome)| attempt(n, outcome)).collect(),
        unsaved: false,
    }
}

/// The record of a request whose last attempt has this outcome.
pub fn after(outcome: Option<Outcome>) -> Facts {
    Facts::Mine(record([outcome]))
}

pub fn earlier(result: OffboardingResult) -> Earlier {
    Earlier { result, base_url: hard().base_url, environment: Environment::live, closed_at: Some(wall(0)) }
}

pub fn closed(result: OffboardingResult, because: Reason) -> Closed {
    Closed { result, because, at: wall(0) }
}

/// A request that somebody known made, that nobody said anything about, under policies that have been there for long.
pub fn nobody_said_anything() -> Whole {
    Whole {
        told: None,
        approvals: ApprovalsSeen::Seen(Vec::new()),
        policies: PolicyState::AsShipped { since: Timestamp::UNIX_EPOCH },
        author: Some("alice".to_owned()),
        created_at: wall(0),
    }
}

/// One process with one request: it remembers, and decides as the controller does.
#[derive(Clone)]
pub struct Process {
    pub plan: Plan,
    pub facts: Facts,
    pub provider: ProviderFacts,
    /// Everything but look and control.
    pub seen: Observation,
    pub control: Control,
    pub memory: Memory,
}

impl Process {
    pub fn new(facts: Facts) -> Self {
        let provider = hard();
        Self {
            plan: plan(Wish::Standing),
            facts,
            seen: Observation {
                key_is_good: true,
                provider: ProviderSeen::Found(Box::new(provider.clone())),
                customer: CustomerSeen::Known { reference: "hmac:customer".to_owned() },
                credential: Some("hmac:credential".to_owned()),
                look: None,
                looked_at: Duration::ZERO,
                created_long_ago: false,
                control: None,
                checks: Vec::new(),
                hold: HoldSeen::Free,
                budget: BudgetSeen::Free,
                whole: Arc::new(nobody_said_anything()),
            },
            provider,
            control: Control::Good,
            memory: Memory::default(),
        }
    }

    /// The same with another provider object.
    pub fn at(mut self, provider: ProviderFacts) -> Self {
        if let Facts::Mine(record) = &mut self.facts {
            record.mode = provider.declared.supports;
        }
        self.seen.provider = ProviderSeen::Found(Box::new(provider.clone()));
        self.provider = provider;
        self
    }

    pub fn wishing(mut self, wish: Wish) -> Self {
        self.plan.wish = wish;
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// One turn: learn, look if the decision can depend on it, learn, decide.
    pub fn turn(&mut self, seconds: u64, look: Look) -> Next {
        self.decision(seconds, look).next
    }

    pub fn decision(&mut self, seconds: u64, look: Look) -> Decisions {
        self.stopped_in_a_look(seconds, seconds, look)
    }

    /// One turn of a process that is stopped while its look is under way: that is answered, learned and decided late.
    pub fn stopped_in_a_look(&mut self, begun: u64, answered: u64, look: Look) -> Decisions {
        let (mode, begun, now) = (self.provider.declared.supports, at(begun), at(answered));
        let mut seen = self.seen.clone();
        self.memory.learn(&self.facts, &seen, mode, self.provider.verify_interval, begun);
        if without_a_look(&self.plan, &self.facts, &seen, &self.memory, begun).is_none() {
            seen.control = (look == Look::Absent).then(|| self.control.clone());
            (seen.look, seen.looked_at) = (Some(look), begun.uptime);
            self.memory.learn(&self.facts, &seen, mode, self.provider.verify_interval, now);
        }
        decide(&self.plan, &self.facts, &seen, &self.memory, now)
    }
}

/// What follows, in a few words: `Delete`, `Close Erased/Absent`, `Wait Settling`, `Stop PlanChanged`, `Finished …`.
pub fn brief(next: &Next) -> String {
    let name = |value: &dyn std::fmt::Debug| {
        let text = format!("{value:?}");
        text.chars().take_while(char::is_ascii_alphanumeric).collect::<String>()
    };
    let ending = |ending: &Ending| format!("{}/{}", ending.result, ending.because);
    match next {
        Next::Do(Effect::Delete(_)) => "Delete".to_owned(),
        Next::Do(Effect::SaveOutcome) => "SaveOutcome".to_owned(),
        Next::Do(Effect::Close(end)) => format!("Close {}", ending(end)),
        Next::Wait(waiting) => format!("Wait {}", name(waiting)),
        Next::Stop(blocked) => format!("Stop {}", name(blocked)),
        Next::Finished(end) => format!("Finished {}", ending(end)),
    }
}
