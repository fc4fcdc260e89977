//! A value with its past, so that a read can be answered from an older state.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Enough past for any lag a test asks for.
const REMEMBERED: usize = 32;

/// The versions of one record, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Timeline<T> {
    versions: Vec<(Timestamp, T)>,
}

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Timeline { versions: Vec::new() }
    }
}

impl<T> Timeline<T> {
    /// The state now.
    pub fn current(&self) -> Option<&T> {
        self.versions.last().map(|(_, value)| value)
    }

    /// The state that was in force at a moment.
    pub fn as_of(&self, at: Timestamp) -> Option<&T> {
        self.latest(at, |_| true)
    }

    /// The latest state up to a moment that satisfies a condition.
    pub fn latest(&self, at: Timestamp, wanted: impl Fn(&T) -> bool) -> Option<&T> {
        self.versions
            .iter()
            .rev()
            .find(|(since, value)| *since <= at && wanted(value))
            .map(|(_, value)| value)
    }

    /// Adds the state that is in force from now on.
    pub fn change(&mut self, now: Timestamp, value: T) {
        if self.versions.len() == REMEMBERED {
            self.versions.remove(0);
        }
        self.versions.push((now, value));
    }
}
