//! The whole decision, without IO.

mod declared;
mod failure;
mod permit;
mod seen;

pub use declared::Declared;
pub use failure::{Cause, CauseWord, Class, Failure};
pub use permit::{DeadlinePassed, DestructivePermit, grant};
pub use seen::{CheckSeen, CheckVerdict, Control, Fingerprint, Look, LookWord, Outcome, OutcomeWord, Sent};
