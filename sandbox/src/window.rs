//! Fixed rate windows, one per key, that start with the first request in them.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

/// The windows of one limit.
#[derive(Clone, Debug, Default)]
pub struct Windows {
    open: HashMap<String, Window>,
}

#[derive(Clone, Debug)]
struct Window {
    ends: Timestamp,
    used: u64,
}

/// What is left of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Requests that would still be let through.
    pub remaining: u64,
    /// When the window ends.
    pub reset: Timestamp,
}

impl Windows {
    /// Counts a request; `false` if the window is full, and then it is not counted. A limit of 0 is none.
    pub fn take(&mut self, key: &str, limit: u64, length: SignedDuration, now: Timestamp) -> bool {
        let window = self.open.entry(key.to_owned()).or_insert(Window { ends: now, used: 0 });
        if window.ends <= now {
            *window = Window { ends: later(now, length), used: 0 };
        }
        let allowed = limit == 0 || window.used < limit;
        window.used += u64::from(allowed);
        allowed
    }

    /// What a key has left, without counting anything.
    pub fn allowance(&self, key: &str, limit: u64, length: SignedDuration, now: Timestamp) -> Allowance {
        match self.open.get(key).filter(|window| window.ends > now) {
            Some(window) => Allowance { remaining: limit.saturating_sub(window.used), reset: window.ends },
            None => Allowance { remaining: limit, reset: later(now, length) },
        }
    }
}

/// A moment and a duration, without the panic at the end of time.
pub fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// A moment less a duration, without the panic at the beginning of time.
pub fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// Whole seconds from now until a moment, rounded up, never negative.
pub fn seconds_until(at: Timestamp, now: Timestamp) -> i64 {
    let left = at.duration_since(now);
    (left.as_secs() + i64::from(left.subsec_nanos() > 0)).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_window_refuses_until_it_ends() {
        let (mut windows, minute) = (Windows::default(), SignedDuration::from_mins(1));
        let start = Timestamp::UNIX_EPOCH;
        assert!(windows.take("a", 2, minute, start));
        assert!(windows.take("a", 2, minute, start));
        assert!(!windows.take("a", 2, minute, later(start, SignedDuration::from_secs(59))));
        assert!(windows.take("b", 2, minute, start), "another key has its own window");
        assert!(windows.take("a", 2, minute, later(start, minute)));
        assert_eq!(windows.allowance("a", 2, minute, later(start, minute)).remaining, 1);
    }
}
