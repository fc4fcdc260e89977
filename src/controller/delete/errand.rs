//! What a deletion takes along.

use std::sync::Arc;

use crate::{
    api::{OffboardingRecord, RecordProvider, RecordRequest},
    controller::{
        budgets::Place,
        case::{Case, Stored},
        cases,
        connection::Connection,
        context::Shared,
        credential::InUse,
        person::Person,
    },
    domain::{CheckSeen, CustomerId, Order, Plan, Whole},
    evidence::Keys,
    traces::Pass,
};

/// Everything that the task needs, taken out of the case.
pub(crate) struct Errand {
    pub(crate) ctx: Shared,
    pub(crate) connection: Arc<Connection>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) plan: Plan,
    pub(crate) order: Order,
    pub(crate) checks: Vec<CheckSeen>,
    pub(crate) in_use: InUse,
    pub(crate) customer: CustomerId,
    pub(crate) customer_ref: String,
    pub(crate) person: Person,
    pub(crate) request: RecordRequest,
    pub(crate) provider: RecordProvider,
    pub(crate) record_name: String,
    pub(crate) stored: Option<OffboardingRecord>,
    /// Its place in the queue of the account.
    pub(crate) place: Place,
    /// What was seen of the request as a whole.
    pub(crate) whole: Arc<Whole>,
    /// What is told of the pass.
    pub(crate) pass: Pass,
}

impl Errand {
    /// `None` where the case lacks something, which is a bug of ours.
    pub(super) fn of(ctx: &Shared, case: &Case, order: &Order, checks: &[CheckSeen]) -> Option<Errand> {
        Some(Errand {
            ctx: ctx.clone(),
            connection: case.connection.clone()?,
            keys: case.keys.clone()?,
            plan: case.plan.clone(),
            order: order.clone(),
            checks: checks.to_vec(),
            in_use: case.in_use.clone()?,
            customer: case.customer.clone()?,
            customer_ref: case.customer_ref.clone()?,
            person: case.person.clone(),
            request: case.record_request()?,
            provider: case.record_provider()?,
            record_name: case.record_name.clone()?,
            place: cases::place(case.whole.created_at, case),
            whole: case.whole.clone(),
            pass: case.pass.clone(),
            stored: match &case.stored {
                Stored::Read(stored) => Some(stored.as_ref().clone()),
                Stored::None => None,
                Stored::NotRead | Stored::Unread => return None,
            },
        })
    }
}
