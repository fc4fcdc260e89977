//! What is due and has not begun, and what runs: kube's controllers keep their queue to themselves.
//!
//! ```text
//!  woken, or its time came ──► due ──► its pass begins ──► running ──► it ends: due again at a known time, or once it is woken
//! ```

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// An object of one controller, by its namespace and name; two that meet in it are counted as one, and nothing depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(u64);

impl Key {
    /// The object of this name.
    #[must_use]
    pub fn of(namespace: Option<&str>, name: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (namespace, name).hash(&mut hasher);
        Key(hasher.finish())
    }
}

/// One controller's queue, as far as it can be seen from outside.
#[derive(Debug, Default)]
pub struct WorkQueue(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    due: HashMap<Key, Due>,
    running: HashMap<Key, Instant>,
}

/// From when an object is due, which may be later.
#[derive(Clone, Copy, Debug)]
struct Due {
    at: Instant,
    /// Whether it was counted as come.
    counted: bool,
}

/// A pass that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// How long its object was due.
    pub waited: Duration,
    /// Whether it came by its time, and is to be counted as come now.
    pub came: bool,
}

/// The queue at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// How many objects are due and have not begun.
    pub depth: usize,
    /// For how long the first of them is due.
    pub oldest: Duration,
    /// How many passes run.
    pub running: usize,
    /// For how long, all together.
    pub unfinished: Duration,
    /// And the longest of them.
    pub longest: Duration,
}

impl WorkQueue {
    /// An object was woken. Whether that is what made it due.
    pub fn woken(&self, key: Key, now: Instant) -> bool {
        let mut known = self.known();
        let due = known.due.entry(key).or_insert(Due { at: now, counted: false });
        due.at = due.at.min(now);
        !std::mem::replace(&mut due.counted, true)
    }

    /// A pass over an object begins.
    pub fn begins(&self, key: Key, now: Instant) -> Begun {
        let mut known = self.known();
        known.running.insert(key, now);
        // Where kube is a moment early, or came upon it by itself, it did not wait.
        let due = known.due.remove(&key);
        Begun {
            waited: due.map_or(Duration::ZERO, |due| now.saturating_duration_since(due.at)),
            came: due.is_none_or(|due| !due.counted),
        }
    }

    /// A pass ended.
    pub fn ends(&self, key: Key) {
        self.known().running.remove(&key);
    }

    /// An object comes again by itself; where it was woken meanwhile, it is due already.
    pub fn comes_again(&self, key: Key, at: Instant) {
        let mut known = self.known();
        let due = known.due.entry(key).or_insert(Due { at, counted: false });
        due.at = due.at.min(at);
    }

    /// An object is gone: nothing more will begin.
    pub fn forget(&self, key: Key) {
        self.known().due.remove(&key);
    }

    /// The queue as it is now.
    #[must_use]
    pub fn load(&self, now: Instant) -> Load {
        let known = self.known();
        let since = |at: &Instant| now.saturating_duration_since(*at);
        let due = known.due.values().filter(|due| due.at <= now);
        Load {
            depth: due.clone().count(),
            oldest: due.map(|due| since(&due.at)).max().unwrap_or_default(),
            running: known.running.len(),
            unfinished: known.running.values().map(since).sum(),
            longest: known.running.values().map(since).max().unwrap_or_default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_woken_is_due_until_its_pass_begins_however_often_it_is_woken() {
        let (queue, key, start) = (WorkQueue::default(), Key::of(Some("team"), "acme"), Instant::now());
        assert!(queue.woken(key, start));
        assert!(!queue.woken(key, start + SECOND), "it is due already");
        let load = queue.load(start + 3 * SECOND);
        assert_eq!((load.depth, load.oldest, load.running), (1, 3 * SECOND, 0));
        assert_eq!(queue.begins(key, start + 4 * SECOND), Begun { waited: 4 * SECOND, came: false });
        let load = queue.load(start + 6 * SECOND);
        assert_eq!((load.depth, load.running, load.longest), (0, 1, 2 * SECOND));
        queue.ends(key);
        assert_eq!(queue.load(start + 6 * SECOND), Load::default());
    }

    #[test]
    fn what_comes_again_is_due_when_its_time_has_come_and_not_before() {
        let (queue, key, start) = (WorkQueue::default(), Key::of(None, "acme"), Instant::now());
        queue.comes_again(key, start + 10 * SECOND);
        assert_eq!(queue.load(start + 9 * SECOND).depth, 0);
        assert_eq!(queue.load(start + 12 * SECOND).oldest, 2 * SECOND);
        assert_eq!(queue.begins(key, start + 13 * SECOND), Begun { waited: 3 * SECOND, came: true });
        queue.comes_again(key, start + 30 * SECOND);
        assert!(queue.woken(key, start + 20 * SECOND), "woken before its time");
        assert_eq!(queue.load(start + 21 * SECOND).oldest, SECOND);
        queue.comes_again(key, start + 25 * SECOND);
        assert_eq!(queue.load(start + 26 * SECOND).oldest, 6 * SECOND, "what was due stays due");
    }

    #[test]
    fn what_was_woken_in_its_own_pass_is_due_after_it_and_what_is_gone_is_not() {
        let (queue, key, start) = (WorkQueue::default(), Key::of(Some("team"), "acme"), Instant::now());
        queue.begins(key, start);
        assert!(queue.woken(key, start + SECOND));
        queue.ends(key);
        queue.comes_again(key, start + 300 * SECOND);
        assert_eq!(queue.load(start + 2 * SECOND).oldest, SECOND);
        queue.forget(key);
        assert_eq!(queue.load(start + 400 * SECOND), Load::default());
    }

    #[test]
    fn two_passes_at_once_are_added_up() {
        let (queue, start) = (WorkQueue::default(), Instant::now());
        queue.begins(Key::of(Some("team"), "acme"), start);
        queue.begins(Key::of(Some("other"), "acme"), start + SECOND);
        let load = queue.load(start + 3 * SECOND);
        assert_eq!((load.running, load.unfinished, load.longest), (2, 5 * SECOND, 3 * SECOND));
    }
}
