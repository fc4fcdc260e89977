//! Why a call gave no usable answer. The class alone sets the retry.

use std::{borrow::Cow, time::Duration};

use crate::api::{UnknownWord, words};

words! {
    /// What kind of failure it was; closed, and the only thing that decides what happens next.
    Class { Transient, RateLimited, Auth, Forbidden, Conflict, NotFound, Invalid, Indeterminate }
}

words! {
    /// The cause in one word, for people. Nothing is decided by it.
    Cause {
        // before any request byte left
        NameNotResolved, AddressNotAllowed, ConnectFailed, TlsFailed, NotSent, DeadlinePassed,
        ProxyUnavailable, ProxyRefused, ProxyUnauthorized,
        // a request that could not be built
        SecretUnavailable, SecretInvalid, EnvironmentMismatch, TemplateFailed,
        // answers
        Unauthorized, AccessDenied, DeletionRestricted, DeletionConflict, CustomerChanged, RateLimited, AlreadyGone, NotFound,
        ServerError, RequestRefused, UnexpectedRedirect, UnexpectedStatus, UntrustedResponse, ResponseTooLarge, OtherCustomer,
        ControlFailed, IncompleteList, ExpressionFailed, Pending,
        // after the first byte
        OutcomeUnknown,
        // ours
        CircuitOpen, Paused, LeaseLost,
        // what changed between the intent and the send
        Unread, RequestSuspended, RequestWithdrawn, NotYet, ProviderChanged, ProviderSuspended, CredentialChanged, PlanChanged,
        ApprovalWithdrawn, Denied, ApprovalPolicyMissing, BudgetUsed, Held,
    }
}

/// A cause: one of ours, or the profile's own word.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CauseWord {
    /// A word of ours.
    Ours(Cause),
    /// A word that the profile gave: PascalCase, at most 64 characters.
    Profile(Cow<'static, str>),
}

impl CauseWord {
    /// The word as users read it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            CauseWord::Ours(cause) => cause.as_str(),
            CauseWord::Profile(word) => word,
        }
    }
}

impl From<Cause> for CauseWord {
    fn from(cause: Cause) -> Self {
        CauseWord::Ours(cause)
    }
}

impl std::str::FromStr for CauseWord {
    type Err = std::convert::Infallible;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let ours: Result<Cause, UnknownWord> = word.parse();
        Ok(ours.map_or_else(|_| CauseWord::Profile(word.to_owned().into()), CauseWord::Ours))
    }
}

/// Why a call gave no usable answer. Carries no text of the provider, no id and no credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Failure {
    /// What kind it was.
    pub class: Class,
    /// Why, in one word.
    pub cause: CauseWord,
    /// How long the provider asked us to wait: more than zero, at most an hour.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure of this class and cause, without a wish of the provider.
    #[must_use]
    pub fn new(class: Class, cause: impl Into<CauseWord>) -> Self {
        Self { class, cause: cause.into(), retry_after: None }
    }
}
