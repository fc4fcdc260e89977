//! Whether the admission policies that make an approval mean something are in force.

use jiff::Timestamp;

/// What the live policies and bindings are, compared with those that this operator comes with.
///
/// An approval says who agreed only because admission refused everybody else who would have said so: without that nothing
/// is done on approvals.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PolicyState {
    /// All are as shipped.
    AsShipped {
        /// When the youngest of them came to be what it is. What was created before it, or within seconds after it, was judged by
        /// nobody.
        since: Timestamp,
    },
    /// These are not there, different, or cannot be read: kind and name of each, in the order in which they are shipped.
    Missing(Vec<String>),
    /// The API server did not answer: nobody knows.
    Unanswered,
}
