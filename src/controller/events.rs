//! Events: one where a person must act or something went wrong, and one at the result when anything had to be waited for.
//!
//! Best effort: an event that cannot be written is no reason to stop. A clean pass that goes straight through emits none.

use kube::{
    Client, Resource as _,
    runtime::events::{Event, EventType, Recorder, Reporter},
};

use crate::{
    api::{CustomerOffboarding, OffboardingResult, OffboardingStatus, Phase, Truth},
    domain::{Blocked, Next, Waiting},
};

/// Phases in which somebody or something is waited for. A look that is due after the lag is none: it is part of every deletion
/// at some providers, and an event for each would say nothing.
const WAITS: [&str; 3] =
    [Phase::Planning.as_str(), Phase::Blocked.as_str(), Phase::AwaitingApproval.as_str()];

/// Writes events, as this process.
pub struct Events {
    recorder: Recorder,
}

impl Events {
    /// One recorder for the process: it remembers what it wrote.
    #[must_use]
    pub fn new(client: Client, process: &str) -> Self {
        let reporter = Reporter {
            controller: "customer-offboarding-operator".to_owned(),
            instance: Some(process.to_owned()),
        };
        Self { recorder: Recorder::new(client, reporter) }
    }

    /// Tells of a status that was just written, where somebody should hear of it.
    pub async fn tell(&self, object: &CustomerOffboarding, next: &Next, status: &OffboardingStatus) {
        let before = object.status.as_ref();
        let is_news = before.is_none_or(|before| before.waiting_for != status.waiting_for);
        let waited = before.is_some_and(|before| WAITS.contains(&before.phase.as_str()));
        let Some(type_) = notable(next, waited).filter(|_| is_news) else { return };
        let event = Event {
            type_,
            reason: reason(status),
            note: status.waiting_for.clone(),
            action: "Offboard".to_owned(),
            secondary: None,
        };
        if self.recorder.publish(&event, &object.object_ref(&())).await.is_err() {
            tracing::debug!("an event could not be written");
        }
    }
}

fn notable(next: &Next, waited: bool) -> Option<EventType> {
    match next {
        Next::Finished(ending) if ending.is_failure() || ending.result == OffboardingResult::Unverified => {
            Some(EventType::Warning)
        }
        Next::Finished(_) => waited.then_some(EventType::Normal),
        Next::Stop(Blocked::Duplicate) | Next::Wait(Waiting::Approvals(_) | Waiting::Held { .. }) => {
            Some(EventType::Normal)
        }
        Next::Stop(_) => Some(EventType::Warning),
        Next::Wait(
            Waiting::ProviderUnusable(_)
            | Waiting::CustomerIdUnavailable
            | Waiting::CustomerIdChanged
            | Waiting::Control(_)
            | Waiting::AuthRefused { .. }
            | Waiting::AnotherAddress
            | Waiting::AnotherCredential,
        ) => Some(EventType::Warning),
        Next::Do(_) | Next::Wait(_) => None,
    }
}

/// The word of the condition that tells most: why it stalls, why it is blocked, what it waits for, how it ended.
pub(super) fn reason(status: &OffboardingStatus) -> String {
    let of = |type_: &str, truth: Truth| {
        let mut conditions = status.conditions.iter();
        conditions.find(|condition| condition.type_ == type_ && condition.status == truth)
    };
    let told = of("Stalled", Truth::True)
        .or_else(|| of("Unblocked", Truth::False))
        .or_else(|| of("Waiting", Truth::True))
        .or_else(|| status.conditions.iter().find(|condition| condition.type_ == "Ready"));
    told.map_or_else(|| "Offboarding".to_owned(), |condition| condition.reason.clone())
}
