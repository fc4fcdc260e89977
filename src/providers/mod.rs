//! What one SaaS provider understands: profiles, and the HTTP that speaks them. No Kubernetes, no files, no environment.

mod exchange;
pub mod http;

pub use exchange::{CustomerId, PreparedRequest, Response};
