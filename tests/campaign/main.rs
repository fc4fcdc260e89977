//! Campaigns: the operator's binary under deaths, faults and edits, with the provider's ledger as the judge. A slice of each is part
//! of `make test`; `make campaign` runs all of it, in parts that go on where they stopped.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; clippy only knows #[test] functions, not their helpers"
)]
#![expect(clippy::disallowed_methods, reason = "a test has no other clock")]

mod api_faults;
mod canaries;
mod draw;
mod history;
mod kill;
mod lane;
mod operations;
mod oracle;
mod outages;
mod panics;
#[path = "../cluster/people.rs"]
#[expect(dead_code, reason = "shared with tests/cluster, which needs all of it")]
mod people;
mod provider_faults;
mod report;
mod results;
mod schema;
mod soak;
#[path = "../cluster/stage.rs"]
#[expect(dead_code, reason = "shared with tests/cluster, which needs all of it")]
mod stage;
mod stale;
#[path = "../cluster/story.rs"]
#[expect(dead_code, reason = "shared with tests/cluster, which needs all of it")]
mod story;
mod tree;
mod upheavals;
