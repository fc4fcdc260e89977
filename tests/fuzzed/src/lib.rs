//! What must hold for every input of every parser. One function for each: it takes bytes, and panics where a promise is broken.
//!
//! cargo-fuzz calls them from `fuzz/`, instrumented and for hours; `tests/fuzz.rs` replays the same corpus and changes it at
//! random on a stable compiler. Each promise is checked against the input itself, read another way, and not against what the
//! parser said a moment ago.

mod answers;
mod approvals;
mod customer_ids;
mod exchange;
mod expressions;
mod holds;
mod mutate;
mod plans;
mod profiles;
mod records;
mod retry_after;
mod seals;
mod stage;
mod templates;

pub use answers::answer;
pub use approvals::approval;
pub use customer_ids::customer_id;
pub use expressions::expression;
pub use holds::hold;
pub use mutate::{Chance, changed};
pub use plans::plan;
pub use profiles::profile;
pub use records::record;
pub use retry_after::retry_after;
pub use seals::seal;
pub use templates::template;

/// One parser.
#[derive(Clone, Copy)]
pub struct Target {
    /// Name of its corpus and of its fuzz target.
    pub name: &'static str,
    /// Panics where a promise is broken.
    pub check: fn(&[u8]),
    /// How many inputs of a quick parser it costs to try one of this: where profiles are compiled, several.
    pub cost: usize,
}

/// Every parser that reads what others wrote.
pub const TARGETS: &[Target] = &[
    Target { name: "answer", check: answer, cost: 1 },
    Target { name: "approval", check: approval, cost: 1 },
    Target { name: "customer_id", check: customer_id, cost: 1 },
    Target { name: "expression", check: expression, cost: 10 },
    Target { name: "hold", check: hold, cost: 1 },
    Target { name: "plan", check: plan, cost: 1 },
    Target { name: "profile", check: profile, cost: 4 },
    Target { name: "record", check: record, cost: 1 },
    Target { name: "retry_after", check: retry_after, cost: 1 },
    Target { name: "seal", check: seal, cost: 1 },
    Target { name: "template", check: template, cost: 10 },
];
