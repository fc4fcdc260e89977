//! What is to be done: a spec that can be carried out, or an open record whose request is gone.

use std::fmt;

use jiff::Timestamp;

use super::order;
use crate::api::{
    Customer, CustomerOffboardingSpec, Mode, ProviderKind, RequestReason, SecretKeyRef, Target,
};

/// As many targets as a request may have.
const MOST_TARGETS: usize = 32;

/// The customer's id, as it is sent to the provider. Prints its type only.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CustomerId(String);

impl CustomerId {
    /// Wraps an id as the request or the record holds it; whether a provider accepts it is for its profile to say.
    #[must_use]
    pub fn new(id: String) -> Self {
        Self(id)
    }

    /// The id itself: for a request to the provider, a keyed hash or a seal, and nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerId")
    }
}

/// Where the customer's id comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomerSource {
    /// It stands in the request.
    Literal(CustomerId),
    /// It stands in a Secret of the request's namespace.
    Secret(SecretKeyRef),
    /// It is sealed in the record, because the request is gone.
    Sealed,
}

/// Whether somebody still wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wish {
    /// Yes.
    Standing,
    /// Not now.
    Suspended,
    /// Never again: cancelled, or the request is deleted. What was sent is finished; nothing more is sent.
    Withdrawn,
}

/// One request for one target, ready to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The request's uid: every record and approval hangs on it, never on its name.
    pub request_uid: String,
    /// Whether somebody still wants it.
    pub wish: Wish,
    /// The customer.
    pub customer: CustomerSource,
    /// The request's own customer, where this target has another id for the same person: a hold on either holds.
    pub person: Option<CustomerSource>,
    /// The target's name.
    pub target: String,
    /// Kind of the provider object: of the request's namespace, or of the cluster.
    pub provider_kind: ProviderKind,
    /// Name of the provider object.
    pub provider: String,
    /// What was asked for; `None` where the provider's only mode is meant.
    pub mode: Option<Mode>,
    /// Targets of the same request that must be done first.
    pub depends_on: Vec<String>,
    /// Whether "was never there" is a success.
    pub accept_absent: bool,
    /// Why.
    pub reason: Option<RequestReason>,
    /// Nothing is sent before this moment.
    pub not_before: Option<Timestamp>,
}

/// A spec that can never be carried out. The schema refuses all of these; an older schema may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum InvalidSpec {
    #[error("exactly one of `spec.customer.id` and `spec.customer.idFrom` must be set")]
    Customer,
    #[error("`spec.targets` must have 1 to 32 entries with different names")]
    Targets,
    #[error("`spec.targets`: two targets are the same customer at the same account")]
    SameCustomer,
    #[error(
        "`spec.targets[].dependsOn` must name other targets of this request, and nothing may wait for itself"
    )]
    Graph,
    #[error("`spec.customer.id` does not match the id pattern of the provider")]
    IdPattern,
    #[error("ids are personal data at this provider: use `spec.customer.idFrom` with a Secret")]
    PersonalId,
}

impl Plan {
    /// Reads a spec, one plan for each target in the order of their names; the only reader of it.
    ///
    /// # Errors
    /// `InvalidSpec`: the requester creates another request.
    pub fn of_each_target(
        request_uid: &str,
        spec: &CustomerOffboardingSpec,
    ) -> Result<Vec<Self>, InvalidSpec> {
        let CustomerOffboardingSpec {
            customer,
            request,
            targets,
            accept_absent,
            suspend,
            cancel,
            not_before,
            // What is done is not a question of how long it is told: see `removed_at`.
            ttl_after_finished: _,
        } = spec;
        let customer = customer_of(customer)?;
        let wish = match (cancel, suspend) {
            (true, _) => Wish::Withdrawn,
            (false, true) => Wish::Suspended,
            (false, false) => Wish::Standing,
        };
        let mut plans = Vec::with_capacity(targets.len());
        for target in targets {
            let Target { name, provider_ref, mode, customer: own, depends_on } = target;
            plans.push(Self {
                request_uid: request_uid.to_owned(),
                wish,
                customer: own.as_ref().map_or_else(|| Ok(customer.clone()), customer_of)?,
                person: own.as_ref().map(|_| customer.clone()),
                target: name.clone(),
                provider_kind: provider_ref.kind.unwrap_or_default(),
                provider: provider_ref.name.clone(),
                mode: *mode,
                depends_on: depends_on.clone(),
                accept_absent: *accept_absent,
                reason: request.as_ref().and_then(|request| request.reason),
                not_before: *not_before,
            });
        }
        plans.sort_by(|a, b| a.target.cmp(&b.target));
        let differ = plans.windows(2).all(|pair| pair[0].target != pair[1].target);
        if !differ || !(1..=MOST_TARGETS).contains(&plans.len()) {
            return Err(InvalidSpec::Targets);
        }
        order::is_a_graph(&plans).then_some(plans).ok_or(InvalidSpec::Graph)
    }
}

fn customer_of(customer: &Customer) -> Result<CustomerSource, InvalidSpec> {
    match (&customer.id, &customer.id_from) {
        (Some(id), None) => Ok(CustomerSource::Literal(CustomerId::new(id.clone()))),
        (None, Some(from)) => Ok(CustomerSource::Secret(from.secret_key_ref.clone())),
        _ => Err(InvalidSpec::Customer),
    }
}
