//! The whole decision, without IO: `decide(plan, facts, seen, memory, now)`.

mod conditions;
mod decide;
mod declared;
mod due;
mod facts;
mod failure;
#[cfg(test)]
pub(crate) mod fixtures;
mod gates;
mod memory;
mod mode;
mod next;
mod observation;
mod permit;
mod plan;
mod planned;
mod policies;
mod recheck;
mod report;
mod seen;
mod sentence;

pub use decide::{decide, without_a_look};
pub use declared::Declared;
pub use due::{due, next_change};
pub use facts::{AUTH_PAUSE, Attempt, Closed, Earlier, Facts, MOST_ATTEMPTS, Record, RecordProblem};
pub use failure::{Cause, CauseWord, Class, Failure};
pub use gates::{GATES, Gate, Gated};
pub use memory::{GoneSince, Memory, Moment, PresentSince, is_gone};
pub use mode::{mode_of, mode_to_look_in};
pub use next::{Blocked, Decision, Effect, Ending, ModeProblem, Next, Order, Waiting};
pub use observation::{CustomerSeen, Observation, ProviderFacts, ProviderSeen};
pub use permit::{DeadlinePassed, DestructivePermit, grant};
pub use plan::{CustomerId, CustomerSource, InvalidSpec, Plan, Wish};
pub use planned::Planned;
pub use policies::PolicyState;
pub use recheck::{Live, nothing_changed};
pub use report::{Story, refused, report};
pub use seen::{CheckSeen, CheckVerdict, Control, Fingerprint, Look, LookWord, Outcome, OutcomeWord, Sent};
pub use sentence::{answer, moment, sentence};
