//! How many passes the requests of one provider object take at once: one that is slow must not keep everybody else's from theirs.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kube::{ResourceExt as _, runtime::reflector::ObjectRef};

use super::{context::Shared, provider_kinds::ProviderKey};
use crate::api::CustomerOffboarding;

/// At one provider object, of all passes (`CONCURRENCY` in `run.rs`). More than wait for an answer of it where it says nothing of
/// `maxInFlight`.
const AT_ONCE: usize = 12;

/// Whoever found no place, and is not called, comes again after this long: who was called may have been gone.
pub const AGAIN: Duration = Duration::from_secs(10);

/// The places at each provider object.
#[derive(Default)]
pub struct Lanes(Mutex<HashMap<ProviderKey, Lane>>);

#[derive(Default)]
struct Lane {
    taken: usize,
    waiting: HashSet<ObjectRef<CustomerOffboarding>>,
    /// In which order they came. Whoever waits no more is left out when it is their turn.
    order: VecDeque<ObjectRef<CustomerOffboarding>>,
}

impl Lane {
    /// Whoever has waited longest.
    fn next(&mut self) -> Option<ObjectRef<CustomerOffboarding>> {
        let waiting = &mut self.waiting;
        std::iter::from_fn(|| self.order.pop_front()).find(|request| waiting.remove(request))
    }
}

impl Lanes {
    /// Takes a place at each of these, or none: then the request is called when there is one.
    fn enter(&self, at: &HashSet<ProviderKey>, request: &ObjectRef<CustomerOffboarding>) -> bool {
        let mut lanes = self.lanes();
        let full = at.iter().find(|key| lanes.get(key).is_some_and(|lane| lane.taken >= AT_ONCE));
        if let Some(full) = full {
            let lane = lanes.entry(full.clone()).or_default();
            if lane.waiting.insert(request.clone()) {
                lane.order.push_back(request.clone());
            }
            return false;
        }
        for key in at {
            let lane = lanes.entry(key.clone()).or_default();
            lane.taken += 1;
            lane.waiting.remove(request);
        }
        true
    }

    /// Gives the places back; whom to call.
    fn leave(&self, at: &HashSet<ProviderKey>) -> Vec<ObjectRef<CustomerOffboarding>> {
        let mut lanes = self.lanes();
        let mut called = Vec::new();
        for key in at {
            let Some(lane) = lanes.get_mut(key) else { continue };
            lane.taken = lane.taken.saturating_sub(1);
            let free = AT_ONCE - lane.taken;
            called.extend(std::iter::from_fn(|| lane.next()).take(free));
            if lane.taken == 0 && lane.waiting.is_empty() {
                lanes.remove(key);
            }
        }
        called
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<ProviderKey, Lane>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pass's places. When they are dropped, whoever waits for one is woken.
#[must_use]
pub struct Places {
    ctx: Shared,
    at: HashSet<ProviderKey>,
}

impl Places {
    /// Places for a pass over a request; `None` where there is none at one of its provider objects.
    pub fn take(ctx: &Shared, object: &CustomerOffboarding) -> Option<Self> {
        let namespace = object.namespace().unwrap_or_default();
        let named = object.spec.targets.iter().map(|target| {
            let named = &target.provider_ref;
            ProviderKey::named(named.kind.unwrap_or_default(), &named.name, &namespace)
        });
        let at: HashSet<_> = named.collect();
        ctx.lanes.enter(&at, &ObjectRef::from_obj(object)).then(|| Self { ctx: ctx.clone(), at })
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        self.ctx.wake(self.ctx.lanes.leave(&self.at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(names: &[&str]) -> HashSet<ProviderKey> {
        names.iter().map(|name| ProviderKey::named(Default::default(), name, "team")).collect()
    }

    fn request(name: &str) -> ObjectRef<CustomerOffboarding> {
        ObjectRef::new(name).within("team")
    }

    #[test]
    fn a_provider_object_takes_its_share_of_the_passes_and_no_more() {
        let lanes = Lanes::default();
        for n in 0..AT_ONCE {
            assert!(lanes.enter(&at(&["slow"]), &request(&format!("first-{n}"))));
        }
        assert!(!lanes.enter(&at(&["slow"]), &request("late")));
        assert!(!lanes.enter(&at(&["slow"]), &request("late")), "it waits once");
        assert!(!lanes.enter(&at(&["quick", "slow"]), &request("both")));
        assert!(
            lanes.enter(&at(&["quick"]), &request("other")),
            "who found no place at one takes none at another"
        );
        let first = lanes.leave(&at(&["slow"]));
        assert_eq!(first.len(), 1);
        assert!(lanes.enter(&at(&["slow"]), &first[0]));
        let second = lanes.leave(&at(&["slow"]));
        assert_eq!(
            [first, second].concat(),
            [request("late"), request("both")],
            "each once, in the order they came"
        );
        // Whoever was called and does not come keeps nobody.
        assert!(lanes.enter(&at(&["slow"]), &request("next")));
    }

    #[test]
    fn nothing_is_kept_of_a_provider_object_that_nobody_is_at() {
        let lanes = Lanes::default();
        assert!(lanes.enter(&at(&["a", "b"]), &request("one")));
        assert!(lanes.leave(&at(&["a", "b"])).is_empty());
        assert!(lanes.lanes().is_empty());
    }
}
