//! What one SaaS provider understands: profiles, and the HTTP that speaks them. No Kubernetes, no files, no environment.

mod answer;
mod captured;
mod checks;
mod exchange;
mod expression;
#[cfg(test)]
mod fixtures;
pub mod http;
mod idempotency;
mod look;
mod profile;
mod provider;

pub use captured::Captured;
pub use exchange::{CustomerId, PreparedRequest, Response};
pub use http::{Answer, Credentials, outcome_of};
pub use idempotency::IdempotencySeed;
pub use look::{Sighting, Verdict};
pub use profile::{CredentialNames, LoadedProfile, ProfileProblem, built_in, built_in_names, load};
pub use provider::{Provider, Read};
