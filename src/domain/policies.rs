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

impl PolicyState {
    /// Whether this tells anything that the one before did not.
    #[must_use]
    pub fn is_news_after(&self, before: &PolicyState) -> bool {
        *self != PolicyState::Unanswered && self != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_did_not_answer_tells_nothing_new() {
        let since = |second| PolicyState::AsShipped { since: Timestamp::from_second(second).unwrap() };
        let missing = || PolicyState::Missing(vec!["one".to_owned()]);
        for (before, live, is_news) in [
            (PolicyState::Unanswered, PolicyState::Unanswered, false),
            (since(1), PolicyState::Unanswered, false),
            (missing(), PolicyState::Unanswered, false),
            (PolicyState::Unanswered, since(1), true),
            (since(1), since(1), false),
            (since(1), since(2), true),
            (since(1), missing(), true),
        ] {
            assert_eq!(live.is_news_after(&before), is_news, "{live:?} after {before:?}");
        }
    }
}
