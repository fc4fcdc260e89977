//! Words for tests of what is shown: a request, and the status that the operator's own `report` tells of a decision.

use jiff::Timestamp;
use serde_json::json;

use super::here::Here;
use crate::{
    api::{CustomerOffboarding, OffboardingStatus, Target, UsedApproval},
    domain::{Blocked, Facts, Next, Part, Planned, Story, TargetStory, Waiting, WholePlan, fixtures, report},
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
    /// Whether the customer was looked at, found and planned for in that turn.
    pub planned: bool,
}

impl Decided {
    /// The status of a request after this decision, as the operator writes it.
    pub fn status(&self) -> OffboardingStatus {
        let (provider, process) = (fixtures::hard(), fixtures::Process::new(self.facts.clone()));
        let (mode, print) = (provider.declared.supports, &fixtures::fingerprint("first"));
        let mut part = Planned::new(&process.plan, &provider, mode, "hmac:customer", print, &process.seen);
        if let Next::Stop(Blocked::Checks(found) | Blocked::OneMoreWaiver(found)) = &self.next {
            part.target.blockers.clone_from(found);
        }
        let required = if self.is_agreed_to().is_some() { 0 } else { 2 };
        let plan = WholePlan::new(&[&process.plan], vec![Part::Fresh(Box::new(part))], required);
        let declared = Some(provider.declared.as_ref());
        let target = TargetStory {
            target: "billing",
            provider: "acme-pay",
            facts: &self.facts,
            next: &self.next,
            declared,
            is_found: self.planned,
            customer_ref: Some("hmac:customer"),
            record: Some("r-1"),
        };
        let story = Story {
            targets: vec![target],
            speaker: 0,
            next: &self.next,
            plan: plan.as_ref().filter(|_| self.planned),
            approved_by: self.is_agreed_to(),
            waived: false,
            is_as_told: false,
            due: None,
        };
        report(&story, 1, &OffboardingStatus::default(), fixtures::wall(0))
    }

    /// Where nobody has to agree, a plan and what follows from it is agreed to.
    fn is_agreed_to(&self) -> Option<&[UsedApproval]> {
        let lacks_consent = matches!(
            self.next,
            Next::Wait(Waiting::Approvals(_))
                | Next::Stop(Blocked::Denied | Blocked::ApprovalPolicyMissing(_) | Blocked::Resurrected(_))
        );
        let is_begun = matches!(self.facts, Facts::Mine(_));
        (!lacks_consent && (self.planned || is_begun)).then_some(&[])
    }

    pub fn request(&self, name: &str) -> CustomerOffboarding {
        CustomerOffboarding { status: Some(self.status()), ..request(name) }
    }
}

/// A request with a plan of this hash and these accounts.
pub fn with_plan(name: &str, hash: &str, accounts: &[&str]) -> CustomerOffboarding {
    let names = ["billing", "ledger", "mail"];
    let target = |(at, account): (usize, &&str)| {
        json!({
            "name": names[at],
            "mode": "Hard",
            "operation": "DELETE /customers/{customer.id}",
            "account": account,
            "environment": if at == 0 { "live" } else { "sandbox" },
            "found": "Present",
            "finality": "HardDelete",
        })
    };
    let targets: Vec<_> = accounts.iter().enumerate().map(target).collect();
    let found = |(name, _): (&&str, &&str)| json!({ "name": name, "state": "Present", "customerRef": "hmac:customer" });
    let states: Vec<_> = names.iter().zip(accounts).map(found).collect();
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
        "targets": states,
        "plan": {
            "hash": hash,
            "madeAt": Timestamp::UNIX_EPOCH,
            "requiredApprovals": 1,
            "targets": targets,
        },
    });
    CustomerOffboarding { status: Some(serde_json::from_value(status).unwrap()), ..request }
}
