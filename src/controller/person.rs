//! The person whom a target is about, where the request knows them by another id than the target: a hold on either holds.

use jiff::Timestamp;

use super::{connection::Connection, context::Context, secrets};
use crate::{
    api::IdClass,
    domain::{CustomerSource, HoldSeen, HoldsSeen, Plan, ProviderName},
    evidence::Keys,
};

/// The request's own customer, as this target needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Person {
    /// The target has no other id.
    TheCustomer,
    /// This pseudonym.
    Known(String),
    /// Nobody can tell: a hold on anybody may be about them.
    Unknown,
}

impl Person {
    /// Whom the plan's request is about.
    pub async fn of(ctx: &Context, plan: &Plan, namespace: &str, keys: Option<&Keys>) -> Self {
        let Some(source) = &plan.person else { return Self::TheCustomer };
        let Some(keys) = keys else { return Self::Unknown };
        match source {
            CustomerSource::Literal(customer) => Self::Known(keys.customer_ref(customer)),
            CustomerSource::Secret(from) => match secrets::customer_id(&ctx.api, namespace, from).await {
                Ok(customer) => Self::Known(keys.customer_ref(&customer)),
                Err(_) => Self::Unknown,
            },
            CustomerSource::Sealed => Self::Unknown,
        }
    }

    /// What holds mean for a customer at a provider object, and for this person there.
    #[must_use]
    pub fn held(
        &self,
        holds: &HoldsSeen,
        customer_ref: Option<&str>,
        provider: &ProviderName,
        now: Timestamp,
    ) -> HoldSeen {
        match (holds.on(customer_ref, provider, now), self) {
            (HoldSeen::Free, Self::Known(person)) => holds.on(Some(person), provider, now),
            (HoldSeen::Free, Self::Unknown) => holds.on(None, provider, now),
            (held, _) => held,
        }
    }
}

/// Whether an id at this provider is personal data: then it stands in no request.
pub(super) fn ids_are_personal(connection: &Connection) -> bool {
    connection.object.spec().id_class == IdClass::Personal
}
