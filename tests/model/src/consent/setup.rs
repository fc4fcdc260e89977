//! What a run is about: who must agree, which targets there are, what is limited; and how that looks to the production code.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use offboarding::{
    api::{ConditionalDelete, Environment, ErasureScope, Finality, IdReuse, Mode, ProviderKind, WhenPresent},
    domain::{
        Approval as DomainApproval, BudgetLimits, CustomerId, CustomerSource, Declared, Demands, Grant, Plan,
        PolicyState, ProviderFacts, Says, Wish,
    },
};

use super::{
    shelf::{TARGET_NAMES, UID},
    state::{Age, Approval, Asked, Place, Policies},
};
use crate::shelf::{base_url, start};

/// What a run is about.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub targets: u8,
    /// How many must agree, by each provider object.
    pub required: [u8; 2],
    pub author_is_known: bool,
    /// The second target comes after the first.
    pub in_order: bool,
    /// How many deletions both targets' account may see in an hour.
    pub budget: Option<u8>,
    pub cooling_off: bool,
    /// Who may say yes, as bits of slots.
    pub slots: u8,
}

pub const ALICE: u8 = 1;
pub const BOB: u8 = 2;
pub const BOB_AGAIN: u8 = 4;
pub const CAROL: u8 = 8;
pub const APPROVERS: [&str; 4] = ["alice", "bob", "bob", "carol"];

pub const WINDOW: Duration = Duration::from_secs(185);
pub const SEND_TAKES: Duration = Duration::from_secs(35);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Longer than every pause of a retry; shorter than an approval holds.
pub const LONG: Duration = Duration::from_secs(6 * 3_600);

pub fn before(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

fn after(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

impl Setup {
    pub fn author(self) -> Option<&'static str> {
        self.author_is_known.then_some("alice")
    }

    /// How many must agree to what these provider objects demand.
    pub fn need(self, places: &[Place]) -> usize {
        let demanded = |(place, required): (&Place, u8)| usize::from(required) + usize::from(place.raised);
        let most = places.iter().zip(self.required).map(demanded).max().unwrap_or(0);
        if most > 0 && !self.author_is_known { most + 1 } else { most }
    }

    /// The same for one of them.
    pub fn need_of(self, target: usize, place: Place) -> usize {
        let demanded = usize::from(self.required[target]) + usize::from(place.raised);
        if demanded > 0 && !self.author_is_known { demanded + 1 } else { demanded }
    }

    pub fn limits(self) -> BudgetLimits {
        BudgetLimits { per_hour: self.budget.map(u32::from), per_day: None }
    }

    pub fn plan(self, target: u8, asked: Asked) -> Plan {
        let name = TARGET_NAMES[usize::from(target)];
        let comes_after = self.in_order && target == 1;
        Plan {
            person: None,
            request_uid: UID.to_owned(),
            wish: match asked {
                Asked::Standing => Wish::Standing,
                Asked::Suspended => Wish::Suspended,
                Asked::Never | Asked::Cancelled | Asked::Deleted => Wish::Withdrawn,
            },
            customer: CustomerSource::Literal(CustomerId::new("90017".to_owned())),
            target: name.to_owned(),
            provider_kind: ProviderKind::OffboardingProvider,
            provider: name.to_owned(),
            mode: None,
            depends_on: if comes_after { vec![TARGET_NAMES[0].to_owned()] } else { Vec::new() },
            accept_absent: false,
            reason: None,
            not_before: None,
        }
    }

    pub fn provider(self, target: u8, place: Place) -> ProviderFacts {
        let required = self.required[usize::from(target)] + u8::from(place.raised);
        ProviderFacts {
            kind: ProviderKind::OffboardingProvider,
            namespace: "team".to_owned(),
            name: TARGET_NAMES[usize::from(target)].to_owned(),
            uid: format!("provider-{target}"),
            base_url: base_url(false),
            account: "acct-eu".to_owned(),
            environment: Environment::live,
            allowed_modes: vec![Mode::Hard],
            checks: BTreeMap::new(),
            demands: Demands {
                required: u32::from(required),
                separation_of_duties: true,
                cooling_off: if self.cooling_off { Duration::from_secs(3_600) } else { Duration::ZERO },
                ..Demands::default()
            },
            budget: self.limits(),
            recheck_interval: Duration::from_secs(900),
            confirmations: 1,
            verify_interval: Duration::from_secs(10),
            verify_deadline: Duration::from_secs(900),
            suspended: place.suspended,
            declared: Arc::new(declared(place.edited)),
            settle_window: WINDOW,
        }
    }
}

fn declared(edited: bool) -> Declared {
    Declared {
        profile_hash: if edited { "sha256:another".to_owned() } else { "sha256:profile".to_owned() },
        step: "delete".to_owned(),
        operation: "DELETE /customers/{customer.id}".to_owned(),
        supports: Mode::Hard,
        finality: Finality::HardDelete,
        effects: Vec::new(),
        retains: Vec::new(),
        erasure: ErasureScope::Full,
        backup_retention: None,
        manual_step: None,
        consistency_lag: Duration::ZERO,
        max_request_lifetime: Duration::from_secs(60),
        id_reuse: IdReuse::Unknown,
        conditional_delete: ConditionalDelete::None,
        rejects_429_before_execution: true,
        when_present: WhenPresent::StillPresent,
    }
}

/// An approval, as the production code sees it; it names the plan with this hash.
pub fn decode(slot: usize, approval: Approval, plan_hash: String, now: Timestamp) -> DomainApproval {
    let first = before(start(), HOUR + HOUR);
    let place = i64::from(approval.generation) * 60 + i64::try_from(slot).unwrap_or(0);
    let created_at = match approval.age {
        Age::Young => now,
        Age::Valid | Age::Ending | Age::Over => after(first, SignedDuration::from_secs(place)),
        Age::Unproved | Age::Withdrawn => before(start(), DAY + DAY + DAY),
    };
    let expires_at = match approval.age {
        Age::Young | Age::Valid | Age::Unproved => after(now, DAY),
        Age::Ending => after(now, SignedDuration::from_secs(10)),
        Age::Over | Age::Withdrawn => now,
    };
    DomainApproval {
        uid: uid_text(slot, approval.generation),
        approver: APPROVERS[slot].to_owned(),
        says: Says::Approve { plan_hash, grants: vec![Grant::Delete], expires_at },
        created_at,
    }
}

pub fn uid_text(slot: usize, generation: u8) -> String {
    format!("approval-{slot}-{generation}")
}

pub fn policies(policies: Policies) -> PolicyState {
    match policies {
        Policies::InForce => PolicyState::AsShipped { since: before(start(), DAY + DAY) },
        Policies::Missing => PolicyState::Missing(vec!["approvals.offboarding.dev".to_owned()]),
    }
}

/// When an attempt left, as a budget counts it.
pub fn sent_at(an_hour_ago: bool, now: Timestamp) -> Timestamp {
    if an_hour_ago { before(now, HOUR + HOUR) } else { now }
}
