//! Where the kinds that people write are watched: everywhere, or in listed namespaces. Of those each has a watch of its own, because
//! who may read some namespaces may not list all of them; what they tell is put together, because a cache knows one list of a kind.

use std::collections::HashMap;

use futures::{Stream, StreamExt as _, stream, stream::BoxStream};
use kube::{
    Api, Client, ResourceExt as _,
    core::{DeserializeGuard, NamespaceResourceScope},
    runtime::watcher::{self, Event},
};
use serde::de::DeserializeOwned;

use super::{
    api_server::ApiError,
    context::Shared,
    run::trouble,
    watch::{Source, class},
};

/// All namespaces, or those that the command line lists.
#[derive(Clone)]
pub struct Scope {
    client: Client,
    /// None: all of them.
    namespaces: Vec<String>,
}

impl Scope {
    /// Empty means everywhere; one that is listed twice is watched once.
    #[must_use]
    pub fn new(client: Client, mut namespaces: Vec<String>) -> Self {
        namespaces.sort();
        namespaces.dedup();
        Self { client, namespaces }
    }

    /// A kind, as it is listed here.
    #[must_use]
    pub fn sources<K>(&self, ctx: &Shared) -> Vec<Source<K>>
    where
        K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned,
    {
        if self.namespaces.is_empty() {
            return vec![Source::new(Api::all(self.client.clone()), trouble::<K>(ctx, None))];
        }
        let of_namespace = |namespace: &String| {
            let api: Api<DeserializeGuard<K>> = Api::namespaced(self.client.clone(), namespace);
            Source::new(api, trouble::<K>(ctx, Some(namespace)))
        };
        self.namespaces.iter().map(of_namespace).collect()
    }
}

/// What several watches tell, as one would tell it: first of everything that there is, in one list; then of each change.
pub fn as_one<K>(
    watches: Vec<BoxStream<'static, Result<Event<K>, watcher::Error>>>,
) -> impl Stream<Item = Event<K>> + Send + 'static
where
    K: kube::Resource<DynamicType = ()> + Clone + Send + 'static,
{
    let mut together = Together::of(watches.len());
    let numbered = watches.into_iter().enumerate();
    let numbered = numbered.map(|(part, events)| events.map(move |event| (part, event)));
    stream::select_all(numbered).map(move |(part, event)| stream::iter(together.take(part, event))).flatten()
}

/// What is known of each namespace. A copy of the cache: only a whole object can be told to be gone.
struct Together<K> {
    parts: Vec<Part<K>>,
    /// Whether the first list was told.
    told: bool,
}

struct Part<K> {
    known: HashMap<String, K>,
    /// What a list that is under way has shown so far.
    again: HashMap<String, K>,
    seen: Seen,
}

#[derive(Clone, Copy, PartialEq)]
enum Seen {
    NotYet,
    /// We may not look there. A namespace that is gone takes the right to look into it along: the others do not wait for it, and
    /// what is in it is told of once it can be seen.
    Refused,
    Listed,
}

impl<K: kube::Resource<DynamicType = ()> + Clone> Together<K> {
    fn of(count: usize) -> Self {
        let part = || Part { known: HashMap::new(), again: HashMap::new(), seen: Seen::NotYet };
        Self { parts: (0..count).map(|_| part()).collect(), told: false }
    }

    /// What follows from an event of one of the watches, in order.
    fn take(&mut self, part: usize, event: Result<Event<K>, watcher::Error>) -> Vec<Event<K>> {
        let Some(part) = self.parts.get_mut(part) else { return Vec::new() };
        let news = match event {
            Ok(event) => part.take(event),
            Err(error) => {
                if part.seen == Seen::NotYet && class(&error) == ApiError::Forbidden {
                    part.seen = Seen::Refused;
                }
                Vec::new()
            }
        };
        if self.told { news } else { self.first_list() }
    }

    /// Everything at once, as soon as each namespace has answered. Where all of them refuse, there is nothing to begin with.
    fn first_list(&mut self) -> Vec<Event<K>> {
        let is_waited_for = self.parts.iter().any(|part| part.seen == Seen::NotYet);
        if is_waited_for || self.parts.iter().all(|part| part.seen == Seen::Refused) {
            return Vec::new();
        }
        self.told = true;
        let there = self.parts.iter().flat_map(|part| part.known.values().cloned());
        let there: Vec<_> = there.map(Event::InitApply).collect();
        [vec![Event::Init], there, vec![Event::InitDone]].concat()
    }
}

impl<K: kube::Resource<DynamicType = ()> + Clone> Part<K> {
    /// The same as changes alone: to the others a list of this namespace says nothing.
    fn take(&mut self, event: Event<K>) -> Vec<Event<K>> {
        match event {
            Event::Init => {
                self.again.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                self.again.insert(object.name_any(), object);
                Vec::new()
            }
            Event::InitDone => {
                self.seen = Seen::Listed;
                let before = std::mem::replace(&mut self.known, std::mem::take(&mut self.again));
                let is_gone = |object: &K| {
                    let now = self.known.get(&object.name_any());
                    now.is_none_or(|now| now.meta().uid != object.meta().uid)
                };
                let gone = before.into_values().filter(is_gone).map(Event::Delete);
                gone.chain(self.known.values().cloned().map(Event::Apply)).collect()
            }
            Event::Apply(object) => {
                self.known.insert(object.name_any(), object.clone());
                vec![Event::Apply(object)]
            }
            Event::Delete(object) => {
                self.known.remove(&object.name_any());
                vec![Event::Delete(object)]
            }
        }
    }
}

#[cfg(test)]
mod tests;
