//! How a request ends, and how the endings of several targets are told as one.

use crate::api::{OffboardingResult, Reason};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ending {
    pub result: OffboardingResult,
    /// What proves or explains it.
    pub because: Reason,
}

impl Ending {
    /// An ending by a failure that names its reason.
    #[must_use]
    pub const fn failed(because: Reason) -> Self {
        Self { result: OffboardingResult::Failed, because }
    }

    /// Whether it did not end as it was asked for, nor as somebody cancelled it.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        match self.result {
            OffboardingResult::Failed | OffboardingResult::Recreated => true,
            OffboardingResult::PartiallyDone => !matches!(self.because, Reason::Cancelled),
            OffboardingResult::Erased
            | OffboardingResult::ErasedWithRetention
            | OffboardingResult::Deactivated
            | OffboardingResult::Unverified
            | OffboardingResult::AlreadyAbsent
            | OffboardingResult::Cancelled => false,
        }
    }

    /// Whether the customer is gone, as far as the provider shows it.
    #[must_use]
    pub const fn is_success(self) -> bool {
        match self.result {
            OffboardingResult::Erased
            | OffboardingResult::ErasedWithRetention
            | OffboardingResult::Deactivated
            | OffboardingResult::Unverified
            | OffboardingResult::AlreadyAbsent => true,
            OffboardingResult::Cancelled
            | OffboardingResult::PartiallyDone
            | OffboardingResult::Failed
            | OffboardingResult::Recreated => false,
        }
    }

    /// The request was withdrawn before anything was done.
    #[must_use]
    pub const fn cancelled() -> Self {
        Self { result: OffboardingResult::Cancelled, because: Reason::Cancelled }
    }
}

/// How several targets end together: a failure is told before a cancellation, and that before the weakest success.
pub(super) fn together(endings: &[Ending]) -> Ending {
    if let [only] = endings {
        return *only;
    }
    let any_success = endings.iter().any(|ending| ending.is_success());
    let partly = |because| Ending { result: OffboardingResult::PartiallyDone, because };
    if let Some(failed) = endings.iter().find(|ending| ending.is_failure()) {
        return if any_success { partly(failed.because) } else { Ending::failed(failed.because) };
    }
    if endings.iter().any(|ending| ending.result == OffboardingResult::Cancelled) {
        return if any_success { partly(Reason::Cancelled) } else { Ending::cancelled() };
    }
    endings.iter().copied().min_by_key(|ending| strength(ending.result)).unwrap_or(Ending::cancelled())
}

/// How much a success claims.
fn strength(result: OffboardingResult) -> u8 {
    match result {
        OffboardingResult::Unverified => 0,
        OffboardingResult::Deactivated => 1,
        OffboardingResult::ErasedWithRetention => 2,
        OffboardingResult::AlreadyAbsent => 3,
        OffboardingResult::Erased => 4,
        OffboardingResult::Cancelled
        | OffboardingResult::PartiallyDone
        | OffboardingResult::Failed
        | OffboardingResult::Recreated => u8::MAX,
    }
}
