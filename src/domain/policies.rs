//! Whether the admission policies that make an approval worth anything are in force.

use jiff::Timestamp;

/// The live admission policies, held against those that this operator was built with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyState {
    /// All as shipped; none is younger than `since`. An approval is worth nothing where it was created before that, or so soon
    /// after that the policy may not have been in force yet.
    AsShipped { since: Timestamp },
    /// These are absent, altered, or may not be read.
    Missing(Vec<String>),
    /// The API server did not answer.
    Unanswered,
}
