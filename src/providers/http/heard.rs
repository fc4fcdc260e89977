//! What one request's end means for the requests that come after it.

use std::time::Duration;

use jiff::Timestamp;

use super::retry_after::retry_after;
use crate::{
    domain::{Class, Failure},
    providers::Response,
};

/// What a request's end means for those that come after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Heard {
    /// An answer, whatever it says.
    Answered,
    /// The credential was refused.
    AuthRefused,
    /// No connection, no answer, or a server's error.
    Trouble,
    /// The provider asks for a pause; of this length, where it says so.
    RateLimited(Option<Duration>),
    /// Nothing was asked: the request could not be built.
    Nothing,
}

impl Heard {
    /// By the status alone. Source: providers.md 5.5 a: 401 and 407 Auth; 429 RateLimited; 408, 425 and 5xx Transient.
    #[must_use]
    pub fn in_response(response: &Response, now: Timestamp) -> Self {
        match response.status {
            401 | 407 => Heard::AuthRefused,
            429 => Heard::RateLimited(retry_after(response, now)),
            408 | 425 | 500..=599 => Heard::Trouble,
            _ => Heard::Answered,
        }
    }

    /// Of a request without a usable answer.
    #[must_use]
    pub fn in_failure(failure: &Failure) -> Self {
        match failure.class {
            Class::Transient => Heard::Trouble,
            Class::Auth => Heard::AuthRefused,
            Class::RateLimited => Heard::RateLimited(failure.retry_after),
            Class::Forbidden | Class::Conflict | Class::NotFound | Class::Indeterminate => Heard::Answered,
            Class::Invalid => Heard::Nothing,
        }
    }
}
