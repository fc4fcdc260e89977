//! Two clocks compared, through a `Date` header that has whole seconds and an answer that took a while.

use jiff::{SignedDuration, Timestamp};

/// By how much the other clock is surely ahead of ours: 0 where what was seen fits two clocks that agree.
///
/// It said `date` at some moment between `before` and `after` of ours, and meant any part of that second.
#[must_use]
pub fn surely_ahead(before: Timestamp, after: Timestamp, date: Timestamp) -> SignedDuration {
    let second = SignedDuration::from_secs(1);
    let at_least = date.duration_since(after);
    let at_most = date.duration_since(before) + second;
    if at_least.is_positive() {
        at_least
    } else if at_most.is_negative() {
        at_most
    } else {
        SignedDuration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_and_whole_seconds_are_no_skew() {
        let at = |millis: i64| Timestamp::from_millisecond(1_000_000 + millis).unwrap();
        for (before, after, date, expected) in [
            (0, 10, 0, 0),
            (900, 910, 0, 0),      // it is still that second
            (0, 8000, 4000, 0),    // it may have been said at any moment of these
            (1500, 1600, 0, -500), // that second was over before we asked
            (0, 100, 1000, 900),   // that second had not begun when we heard it
            (0, 100, 61_000, 60_900),
            (60_000, 60_100, 0, -59_000),
        ] {
            let ahead = surely_ahead(at(before), at(after), at(date));
            assert_eq!(ahead, SignedDuration::from_millis(expected), "{before} {after} {date}");
        }
    }
}
