//! HTTP to one provider: reads that may be repeated, and the one destructive send that may not.

mod addresses;
pub(crate) mod auth;
mod base_url;
mod body;
mod breaker;
mod cidr;
pub(crate) mod classify;
mod client;
mod date;
mod endpoint;
mod guard;
mod heard;
mod jitter;
mod limits;
pub(crate) mod paginate;
pub(crate) mod request;
mod retry_after;
mod send;
mod slots;
pub(crate) mod template;
#[cfg(test)]
mod tests;
mod tls;
mod validity;
mod wire;

pub use addresses::{AddressPolicy, Lookup, system_lookup};
pub use auth::Credentials;
pub use base_url::{BaseUrl, BaseUrlProblem, Host};
pub(crate) use body::MOST_VALUES;
pub use body::{MOST_BODY_BYTES, read_response, strict_json};
pub use breaker::{CircuitState, OPEN_FOR, OpenedBy};
pub use cidr::{Cidr, CidrProblem};
pub use classify::{Answer, class_of_status, outcome_of};
pub use client::{READ_DEADLINE, ReadClient};
pub use endpoint::{Egress, Endpoint, EndpointParts, EndpointProblem};
pub use heard::Heard;
pub use limits::Limiter;
pub use retry_after::{LONGEST_WAIT, retry_after};
pub use send::{SendDeadline, SendResult, send};
pub use slots::{Reservation, Slot};
pub use tls::{ClientIdentity, SystemRoots, TlsProblem};
