//! The whole decision, without IO: `decide(plan, facts, seen, memory, now)`.

mod budget;
mod conditions;
mod consent;
mod decide;
mod declared;
mod due;
mod ending;
mod facts;
mod failure;
#[cfg(test)]
pub(crate) mod fixtures;
mod gates;
mod holds;
mod memory;
mod mode;
mod next;
mod observation;
mod order;
mod permit;
mod plan;
mod planned;
mod policies;
mod recheck;
mod removal;
mod report;
mod seen;
mod sentence;
mod several;
mod step;
mod told;
mod turn;
mod unanswered;
mod whole;

pub use budget::{BudgetLimits, BudgetSeen, BudgetUse};
pub use consent::{
    Approval, ApprovalsSeen, Consent, Demands, Grant, Judged, Missing, Says, UnknownGrant, WhyMissing,
};
pub use decide::{decide, without_a_look};
pub use declared::Declared;
pub use due::{due, next_change};
pub use ending::Ending;
pub use facts::{AUTH_PAUSE, Attempt, Closed, Earlier, Facts, MOST_ATTEMPTS, Record, RecordProblem};
pub use failure::{Cause, CauseWord, Class, Failure};
pub use gates::{AFTER_A_LOOK, BEFORE_A_LOOK, Gate, Gated};
pub use holds::{Held, Hold, HoldSeen, HoldsSeen, ProviderName};
pub use memory::{GoneSince, Memory, Moment, PresentSince, is_gone};
pub use mode::{mode_of, mode_to_look_in};
pub use next::{Blocked, Decision, Effect, ModeProblem, Next, Order, Waiting};
pub use observation::{CustomerSeen, Observation, ProviderFacts, ProviderSeen};
pub use permit::{DestructivePermit, NotPermitted, TIME_TO_LEAVE, grant};
pub use plan::{CustomerId, CustomerSource, InvalidSpec, Plan, Wish};
pub use planned::{Part, Planned, WholePlan};
pub use policies::PolicyState;
pub use recheck::{Live, nothing_changed};
pub use removal::removed_at;
pub use report::{Story, TargetStory, refused, report};
pub use seen::{CheckSeen, CheckVerdict, Control, Fingerprint, Look, LookWord, Outcome, OutcomeWord, Sent};
pub use sentence::{About, answer, moment, sentence};
pub use step::Step;
pub use told::Told;
pub use whole::{Decisions, Targeted, Whole, decide_all, waits_for_budget, wants_looks};
