//! The circuit breaker of one provider object: stops asking after repeated trouble, then lets one read try.
//!
//! ```text
//!             5 troubles in a row, or one 401             15 min
//!   Closed ───────────────────────────────────► Open ────────────────► HalfOpen: one read may go out
//!     ▲                                          ▲                         │
//!     │  answered                                └── not answered, 401 ────┤
//!     └────────────────────────────────────────────────────────────────────┘
//!   opened by a 401: closed at once for another credential version
//! ```

use std::time::Duration;

use tokio::time::Instant;

use super::heard::Heard;
use crate::domain::{Cause, Class, Failure};

/// How long an open circuit stays open before one read may try. Source: design.md 4.2, the control every 15 min.
pub const OPEN_FOR: Duration = Duration::from_secs(15 * 60);

/// How many reads in a row must have got no usable answer.
const MOST_TROUBLES: u32 = 5;

/// What opened the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpenedBy {
    /// The provider refused the credential (401, 407).
    Auth,
    /// No connection, no answer, or 5xx, five times in a row.
    Transient,
}

impl OpenedBy {
    fn class(self) -> Class {
        match self {
            OpenedBy::Auth => Class::Auth,
            OpenedBy::Transient => Class::Transient,
        }
    }
}

/// The circuit as the status and the metrics show it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CircuitState {
    /// Requests go out.
    Closed,
    /// Nothing goes out.
    Open {
        /// What opened it.
        because: OpenedBy,
        /// The version of the Secret that the last request was made with.
        credential_version: String,
    },
    /// One read may go out, or is out; its answer decides.
    HalfOpen,
}

/// Whether a request decides about the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Normal,
    Trial,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    /// A read: may be the one that tries.
    Read,
    /// Requests around a destructive call: a destructive call is never the one that tries.
    Reservation,
}

#[derive(Debug)]
enum State {
    Closed { troubles: u32 },
    Open { because: OpenedBy, credential_version: String, until: Instant },
    Trial { because: OpenedBy, credential_version: String },
}

#[derive(Debug)]
pub(super) struct Breaker(State);

impl Breaker {
    pub(super) fn closed() -> Self {
        Self(State::Closed { troubles: 0 })
    }

    /// Why nobody with this credential may pass now. Changes nothing.
    pub(super) fn refuses(&self, asking: Asking, version: &str, now: Instant) -> Option<Failure> {
        let (because, left) = match &self.0 {
            State::Closed { .. } => return None,
            State::Open { because: OpenedBy::Auth, credential_version, .. }
            | State::Trial { because: OpenedBy::Auth, credential_version }
                if credential_version != version =>
            {
                return None;
            }
            State::Open { because, until, .. } => match (asking, until.checked_duration_since(now)) {
                (_, Some(left)) if !left.is_zero() => (*because, Some(left)),
                (Asking::Read, _) => return None,
                (Asking::Reservation, _) => (*because, None),
            },
            State::Trial { because, .. } => (*because, None),
        };
        let mut failure = Failure::new(because.class(), Cause::CircuitOpen);
        failure.retry_after = left;
        Some(failure)
    }

    /// Lets one through that is not refused.
    pub(super) fn admit(&mut self, version: &str) -> Admission {
        let before = std::mem::replace(&mut self.0, State::Closed { troubles: 0 });
        match before {
            State::Closed { troubles } => {
                self.0 = State::Closed { troubles };
                Admission::Normal
            }
            // Refused unless the credential is another one: then the circuit is closed.
            State::Trial { .. } => Admission::Normal,
            State::Open { because: OpenedBy::Auth, credential_version, .. }
                if credential_version != version =>
            {
                Admission::Normal
            }
            State::Open { because, credential_version, .. } => {
                self.0 = State::Trial { because, credential_version };
                Admission::Trial
            }
        }
    }

    /// What an admitted request heard.
    pub(super) fn report(&mut self, admission: Admission, version: &str, heard: &Heard, now: Instant) {
        if let Heard::Nothing = heard {
            return self.abandon(admission, now);
        }
        let open =
            |because| State::Open { because, credential_version: version.to_owned(), until: now + OPEN_FOR };
        let next = match (&self.0, admission, heard) {
            // What was sent before the circuit opened says nothing about now.
            (State::Open { .. }, ..) | (State::Trial { .. }, Admission::Normal, _) => return,
            (_, _, Heard::AuthRefused) => open(OpenedBy::Auth),
            (State::Trial { because, .. }, Admission::Trial, Heard::Trouble) => open(*because),
            (State::Closed { troubles }, _, Heard::Trouble) if troubles + 1 >= MOST_TROUBLES => {
                open(OpenedBy::Transient)
            }
            (State::Closed { troubles }, _, Heard::Trouble) => State::Closed { troubles: troubles + 1 },
            (_, _, Heard::Answered | Heard::RateLimited(_)) => State::Closed { troubles: 0 },
            (_, _, Heard::Nothing) => return,
        };
        self.0 = next;
    }

    /// An admitted request ended without telling: another one may try at once.
    pub(super) fn abandon(&mut self, admission: Admission, now: Instant) {
        if let (Admission::Trial, State::Trial { because, credential_version }) = (admission, &self.0) {
            let credential_version = credential_version.clone();
            self.0 = State::Open { because: *because, credential_version, until: now };
        }
    }

    pub(super) fn state(&self, now: Instant) -> CircuitState {
        match &self.0 {
            State::Closed { .. } => CircuitState::Closed,
            State::Open { because, credential_version, until } if now < *until => {
                CircuitState::Open { because: *because, credential_version: credential_version.clone() }
            }
            State::Open { .. } | State::Trial { .. } => CircuitState::HalfOpen,
        }
    }
}
