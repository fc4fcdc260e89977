//! Small words of the production code: looks, checks, holds, what people said; and the names of what follows.

use offboarding::{
    api::HoldType,
    domain::{
        Approval as DomainApproval, Cause, CheckSeen, CheckVerdict, Class, Control, Effect, Failure,
        Fingerprint, Held, Hold, Look, Next, Observation, Waiting,
    },
};

use super::{
    brain::Seen,
    setup::LONG,
    shelf,
    state::{Place, bit},
};
use crate::shelf::{fingerprint, start};

/// What is waited for, in the order of its bits. Each must be seen, and each must be seen to end well.
pub const WAITS: &[&str] = &[
    "Wait Approvals Awaited",
    "Wait Approvals PlanChanged",
    "Wait Approvals Expired",
    "Wait Approvals SameIdentity",
    "Wait Approvals UnknownRequester",
    "Wait Approvals Spent",
    "Wait CoolingOff",
    "Wait Held",
    "Wait HoldsUnread",
    "Wait Suspended",
    "Wait ProviderSuspended",
    "Wait Budget",
    "Wait Turn",
    "Wait Others",
    "Wait Retry",
    "Wait Settling",
    "Wait Provider",
    "Wait ApiServer",
    "Stop Denied",
    "Stop ApprovalPolicyMissing",
    "Stop Checks",
    "Stop Refused",
];

/// What follows, in a few words.
pub fn name_of(next: &Next) -> String {
    let name = |text: String| text.chars().take_while(char::is_ascii_alphanumeric).collect::<String>();
    match next {
        Next::Wait(Waiting::Approvals(missing)) => format!("Wait Approvals {:?}", missing.why),
        next => name_without_reason(next, name),
    }
}

fn name_without_reason(next: &Next, name: impl Fn(String) -> String) -> String {
    match next {
        Next::Do(Effect::Delete(_)) => "Delete".to_owned(),
        Next::Do(Effect::SaveOutcome) => "SaveOutcome".to_owned(),
        Next::Do(Effect::Close(end)) => format!("Close {}/{}", end.result, end.because),
        Next::Wait(waiting) => format!("Wait {}", name(format!("{waiting:?}"))),
        Next::Stop(blocked) => format!("Stop {}", name(format!("{blocked:?}"))),
        Next::Finished(end) => format!("Finished {}/{}", end.result, end.because),
    }
}

pub fn silence() -> Look {
    Look::Unknown(Failure::new(Class::Transient, Cause::ServerError))
}

pub fn look(seen: &mut Observation, shown: Seen, place: Place) {
    seen.look = Some(match shown {
        Seen::Nothing | Seen::Silence => silence(),
        Seen::Shown(0) => Look::Absent,
        Seen::Shown(customer) => Look::Present(Fingerprint(fingerprint(customer))),
    });
    seen.control = (seen.look == Some(Look::Absent)).then_some(Control::Good);
    seen.checks = checks(place.blocked);
}

pub fn checks(blocked: bool) -> Vec<CheckSeen> {
    let verdict = if blocked { CheckVerdict::Blocks } else { CheckVerdict::Clear };
    vec![CheckSeen { name: "no-open-invoices".to_owned(), verdict, waivable: true }]
}

/// A hold for each target: the first names the customer, the second the provider object.
pub fn holds(held: u8) -> Vec<Hold> {
    let hold = |name: &str, whom| Hold {
        name: name.to_owned(),
        kind: HoldType::LegalHold,
        whom,
        providers: Vec::new(),
        expires_at: None,
    };
    let mut holds = Vec::new();
    if held & bit(0) != 0 {
        holds.push(hold("case-1", Held::Customers(vec![Some(shelf::customer_ref(0))])));
    }
    if held & bit(1) != 0 {
        holds.push(hold("case-2", Held::Customers(vec![Some(shelf::customer_ref(1))])));
    }
    holds
}

pub fn denial() -> DomainApproval {
    use offboarding::domain::Says;
    DomainApproval {
        uid: "denial".to_owned(),
        approver: "dave".to_owned(),
        says: Says::Deny,
        created_at: start(),
    }
}

/// M04: the approvals that the order stands on, as if they still did.
pub fn again(used: &offboarding::api::UsedApproval, order: &offboarding::domain::Order) -> DomainApproval {
    use offboarding::domain::{Grant, Says};
    DomainApproval {
        uid: used.uid.clone(),
        approver: used.approver.clone(),
        says: Says::Approve {
            plan_hash: order.plan_hash.clone(),
            grants: vec![Grant::Delete],
            expires_at: start() + LONG,
        },
        created_at: used.at,
    }
}
