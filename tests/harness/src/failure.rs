//! The one error of the harness: which step failed, and why.

use std::fmt;

/// Why the harness could not do what a test asked for.
///
/// It is one sentence for a human, nobody branches on it; `{:?}` prints the same as `{}`, so that a test may return it.
#[derive(thiserror::Error)]
#[error("failed to {step}: {cause}")]
pub struct Failure {
    step: String,
    cause: String,
}

impl Failure {
    /// "failed to `step`: `cause`".
    pub fn new(step: impl Into<String>, cause: impl fmt::Display) -> Failure {
        Failure { step: step.into(), cause: cause.to_string() }
    }

    /// For `map_err`: the step is known where the error is met.
    pub fn to<E: fmt::Display>(step: impl Into<String>) -> impl FnOnce(E) -> Failure {
        move |cause| Failure::new(step, cause)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
