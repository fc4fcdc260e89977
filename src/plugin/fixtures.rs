//! Words for tests of what is shown: a request, and the status that the operator's own `report` tells of a decision.

use jiff::Timestamp;
use serde_json::json;

use super::here::Here;
use crate::{
    api::{CustomerOffboarding, OffboardingStatus, PlannedTarget, Target},
    domain::{Facts, Next, Planned, Story, fixtures, report},
};

pub const UID: &str = "7d0e5a44-0000-4000-8000-000000000001";

pub fn here() -> Here {
    Here { namespace: "team".to_owned(), ..Here::default() }
}

/// A request that nobody has looked at.
pub fn request(name: &str) -> CustomerOffboarding {
    let object = json!({
        "apiVersion": "offboarding.dev/v1alpha1",
        "kind": "CustomerOffboarding",
        "metadata": { "name": name, "namespace": "team", "uid": UID, "generation": 1 },
        "spec": {
            "customer": { "id": "90017" },
            "request": { "reason": "ErasureRequest", "reference": "DSR-4711" },
            "targets": [{ "name": "billing", "providerRef": { "name": "acme-pay" } }],
        },
    });
    serde_json::from_value(object).unwrap()
}

/// A decision that a status tells of.
pub struct Decided {
    pub next: Next,
    pub facts: Facts,
    pub planned: bool,
}

impl Decided {
    /// The status of a request after this decision, as the operator writes it.
    pub fn status(&self) -> OffboardingStatus {
        let (provider, process) = (fixtures::hard(), fixtures::Process::new(self.facts.clone()));
        let planned = planned(&process, &self.next);
        let story = Story {
            target: "billing",
            provider: "acme-pay",
            facts: &self.facts,
            next: &self.next,
            planned: self.planned.then_some(&planned),
            declared: Some(&provider.declared),
            customer_ref: Some("hmac:customer"),
            record: Some("r-1"),
        };
        report(&story, 1, &OffboardingStatus::default(), fixtures::wall(0))
    }

    pub fn request(&self, name: &str) -> CustomerOffboarding {
        CustomerOffboarding { status: Some(self.status()), ..request(name) }
    }
}

/// The plan that belongs to it: two approvals where it waits for them, and the blockers that it stops at.
fn planned(process: &fixtures::Process, next: &Next) -> Planned {
    let mut provider = fixtures::hard();
    if matches!(next, Next::Wait(crate::domain::Waiting::Approvals { .. })) {
        provider.approvals_required = 2;
    }
    let mode = provider.declared.supports;
    let mut planned = Planned::new(
        &process.plan,
        &provider,
        mode,
        "hmac:customer",
        &fixtures::fingerprint("first").0,
        &process.seen,
    );
    if let Next::Stop(crate::domain::Blocked::Checks(found)) = next {
        planned.target = PlannedTarget { blockers: found.clone(), ..planned.target };
    }
    planned
}

/// A request with a plan of this hash and these accounts.
pub fn with_plan(name: &str, hash: &str, accounts: &[&str]) -> CustomerOffboarding {
    let names = ["billing", "ledger", "mail"];
    let target = |(at, account): (usize, &&str)| {
        json!({
            "name": names[at],
            "operation": "DELETE /customers/{customer.id}",
            "account": account,
            "environment": if at == 0 { "live" } else { "sandbox" },
            "found": "Present",
            "finality": "HardDelete",
        })
    };
    let targets: Vec<_> = accounts.iter().enumerate().map(target).collect();
    let mut request = request(name);
    let first = request.spec.targets[0].clone();
    request.spec.targets = names
        .iter()
        .zip(accounts)
        .map(|(name, _)| Target { name: (*name).to_owned(), ..first.clone() })
        .collect();
    let status = json!({
        "observedGeneration": 1,
        "phase": "AwaitingApproval",
        "waitingFor": "0 of 1 approvals",
        "plan": {
            "hash": hash,
            "madeAt": Timestamp::UNIX_EPOCH,
            "requiredApprovals": 1,
            "targets": targets,
        },
    });
    CustomerOffboarding { status: Some(serde_json::from_value(status).unwrap()), ..request }
}
