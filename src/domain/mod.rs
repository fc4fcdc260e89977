//! The whole decision, without IO.

mod failure;
mod permit;
mod seen;

pub use failure::{Cause, CauseWord, Class, Failure};
pub use permit::{DeadlinePassed, DestructivePermit, grant};
pub use seen::{CheckSeen, CheckVerdict, Control, Fingerprint, Look, LookWord, Outcome, OutcomeWord, Sent};
