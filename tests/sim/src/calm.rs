//! Once the troubles are over: every request ends, or waits for a person by a condition that says so; every record is closed.

use crate::{
    api::Request,
    people::says_nothing_more,
    scenario::{HOUR, MINUTE, Ms},
    world::{World, wall},
};

/// Reasons by which a request waits for a person, or for what only a person can mend.
const FOR_A_PERSON: &[&str] = &[
    "AwaitingApproval",
    "Held",
    "Suspended",
    "ProviderSuspended",
    "ProviderNotFound",
    "BlockersFound",
    "Denied",
    "ApprovalPolicyMissing",
    "PlanChanged",
    "Resurrected",
    "Duplicate",
    "CredentialChanged",
    // The budget is its own wait: it ends by itself.
    "BudgetQueued",
];

impl World {
    /// How long everything may take once it is calm: the windows, the pauses that failures left, and the budgets.
    fn patience(&self) -> Ms {
        let timing = self.scenario.timing;
        let sends: usize = self.scenario.requests.iter().map(|asked| asked.targets).sum();
        let limited =
            self.scenario.consents && self.scenario.places.iter().any(|place| place.per_hour.is_some());
        let hours = if limited { u64::try_from(sends).unwrap_or(0) + 4 } else { 0 };
        self.windows() + 4 * timing.recheck + 40 * MINUTE + hours * HOUR
    }

    /// The windows of a deletion, several times over.
    fn windows(&self) -> Ms {
        let timing = self.scenario.timing;
        4 * (timing.window() + timing.verify_deadline + timing.lag)
    }

    /// Whether nothing more is to come. Goes over to the calm, when it is time.
    pub fn is_over(&mut self) -> bool {
        if self.now < self.scenario.calm_at {
            return false;
        }
        if !self.is_calm {
            self.calm_down();
        }
        says_nothing_more(self) || self.now > self.scenario.calm_at + self.patience()
    }

    /// L1, L2, L3.
    pub fn must_have_ended(&mut self) {
        let view = self.api.view().clone();
        for request in view.requests.values().filter(|request| !request.status.finished) {
            if self.scenario.consents {
                let told = told(request);
                self.breaks("L1", format!("request {} did not end: {told}", request.name));
            } else if !waits_for_a_person(request)
                && !ends_by_itself(request, self.now)
                && !self.is_under_way(&request.uid)
            {
                let told = told(request);
                self.breaks("L2", format!("request {} waits for nobody: {told}", request.name));
            }
        }
        let has_its_request =
            |uid: &str| view.requests.values().any(|request| request.uid == uid && !request.status.finished);
        for record in view.records.values().filter(|record| !record.spec.closed) {
            let waits = view.providers.iter().any(Option::is_none) || self.rotated(&record.spec);
            if !has_its_request(&record.spec.request.uid) && (self.scenario.consents || !waits) {
                self.breaks("L1", format!("record {} is left open without its request", record.name));
            }
        }
    }

    /// What waited for its budget may have been sent only now: it has the windows that every deletion has.
    fn is_under_way(&self, uid: &str) -> bool {
        let mut attempts = self.truth.attempts.values();
        attempts.any(|attempt| {
            let sent_at = attempt.sent_at.unwrap_or_default();
            attempt.uid == uid && sent_at > 0 && self.now < sent_at + self.windows()
        })
    }

    /// Another credential is in use than the one that sent: somebody has to bring it back.
    fn rotated(&self, spec: &offboarding::api::OffboardingRecordSpec) -> bool {
        let place = crate::people::number_of(&spec.provider.name);
        let now = crate::case::credential(self.api.view(), place);
        spec.attempts.last().is_some_and(|last| Some(&last.credential) != now.as_ref())
    }
}

/// It waits for a time that is to come, or has come just now.
fn ends_by_itself(request: &Request, now: Ms) -> bool {
    request.status.waiting_until.is_some_and(|until| wall(now.saturating_sub(MINUTE)) < until)
}

fn told(request: &Request) -> String {
    let status = &request.status;
    format!("{}, {}", status.phase, status.waiting_for.clone().unwrap_or_default())
}

fn waits_for_a_person(request: &Request) -> bool {
    let names_somebody =
        |condition: &offboarding::api::Condition| FOR_A_PERSON.contains(&condition.reason.as_str());
    let says_what = request.status.waiting_for.as_ref().is_some_and(|words| !words.is_empty());
    says_what && request.status.conditions.iter().any(names_somebody)
}
