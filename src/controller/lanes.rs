//! How many passes of one controller a provider object takes at once: one that is slow must not keep everybody else's from theirs.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    marker::PhantomData,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kube::{Resource, ResourceExt as _, runtime::reflector::ObjectRef};

use super::{
    context::{Context, Shared},
    provider_kinds::ProviderKey,
};
use crate::api::{CustomerOffboarding, OffboardingRecord};

/// At one provider object, of all passes of a controller (`CONCURRENCY` in `run.rs`). More than wait for an answer of it where it
/// says nothing of `maxInFlight`.
const AT_ONCE: usize = 12;

/// Whoever found no place, and is not called, comes again after this long: who was called may have been gone.
pub const AGAIN: Duration = Duration::from_secs(10);

/// The places at each provider object, for the passes over one kind. Each kind has its own, as it has a controller of its own:
/// what was sent is finished from its record also where many requests wait.
pub struct Lanes<K: Resource<DynamicType = ()>>(Mutex<HashMap<ProviderKey, Lane<K>>>);

struct Lane<K: Resource<DynamicType = ()>> {
    taken: usize,
    waiting: HashSet<ObjectRef<K>>,
    /// In which order they came. Whoever waits no more is left out when it is their turn.
    order: VecDeque<ObjectRef<K>>,
}

impl<K: Resource<DynamicType = ()>> Default for Lanes<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Resource<DynamicType = ()>> Default for Lane<K> {
    fn default() -> Self {
        Self { taken: 0, waiting: HashSet::new(), order: VecDeque::new() }
    }
}

impl<K: Resource<DynamicType = ()>> Lane<K> {
    /// Whoever has waited longest.
    fn next(&mut self) -> Option<ObjectRef<K>> {
        let waiting = &mut self.waiting;
        std::iter::from_fn(|| self.order.pop_front()).find(|object| waiting.remove(object))
    }
}

impl<K: Resource<DynamicType = ()>> Lanes<K> {
    /// Takes a place at each of these, or none: then the object is called when there is one.
    fn enter(&self, at: &HashSet<ProviderKey>, object: &ObjectRef<K>) -> bool {
        let mut lanes = self.lanes();
        let full = at.iter().find(|key| lanes.get(key).is_some_and(|lane| lane.taken >= AT_ONCE));
        if let Some(full) = full {
            let lane = lanes.entry(full.clone()).or_default();
            if lane.waiting.insert(object.clone()) {
                lane.order.push_back(object.clone());
            }
            return false;
        }
        for key in at {
            let lane = lanes.entry(key.clone()).or_default();
            lane.taken += 1;
            lane.waiting.remove(object);
        }
        true
    }

    /// Gives the places back; whom to call.
    fn leave(&self, at: &HashSet<ProviderKey>) -> Vec<ObjectRef<K>> {
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

    /// Whether nobody is, or waits, at any.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.lanes().is_empty()
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<ProviderKey, Lane<K>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A kind whose passes take places.
pub trait Laned: Resource<DynamicType = ()> + 'static {
    /// At which provider objects.
    fn at(&self) -> HashSet<ProviderKey>;

    /// In which lanes.
    fn lanes(ctx: &Context) -> &Lanes<Self>
    where
        Self: Sized;

    /// Has those looked at that waited for a place.
    fn call(ctx: &Context, waiting: Vec<ObjectRef<Self>>)
    where
        Self: Sized;
}

impl Laned for CustomerOffboarding {
    fn at(&self) -> HashSet<ProviderKey> {
        let namespace = self.namespace().unwrap_or_default();
        let named = self.spec.targets.iter().map(|target| {
            let named = &target.provider_ref;
            ProviderKey::named(named.kind.unwrap_or_default(), &named.name, &namespace)
        });
        named.collect()
    }

    fn lanes(ctx: &Context) -> &Lanes<Self> {
        &ctx.lanes
    }

    fn call(ctx: &Context, waiting: Vec<ObjectRef<Self>>) {
        ctx.wake(waiting);
    }
}

/// One of a kind that only a newer operator knows asks nobody, and takes no place.
impl Laned for OffboardingRecord {
    fn at(&self) -> HashSet<ProviderKey> {
        ProviderKey::of_record(&self.spec.provider).into_iter().collect()
    }

    fn lanes(ctx: &Context) -> &Lanes<Self> {
        &ctx.record_lanes
    }

    fn call(ctx: &Context, waiting: Vec<ObjectRef<Self>>) {
        ctx.wake_open_records(waiting);
    }
}

/// A pass's places. When they are dropped, whoever waits for one is woken.
#[must_use]
pub struct Places<K: Laned> {
    ctx: Shared,
    at: HashSet<ProviderKey>,
    of: PhantomData<fn() -> K>,
}

impl<K: Laned> Places<K> {
    /// Places for a pass over an object; `None` where there is none at one of its provider objects.
    pub fn take(ctx: &Shared, object: &K) -> Option<Self> {
        let at = object.at();
        let entered = K::lanes(ctx).enter(&at, &ObjectRef::from_obj(object));
        entered.then(|| Self { ctx: ctx.clone(), at, of: PhantomData })
    }
}

impl<K: Laned> Drop for Places<K> {
    fn drop(&mut self) {
        K::call(&self.ctx, K::lanes(&self.ctx).leave(&self.at));
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
        assert!(lanes.is_empty());
    }
}
