//! The watch of one kind: into its cache, and what is news of it to whom.

use std::{
    fmt::Debug,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use futures::{Stream, TryStreamExt as _};
use kube::{
    Api, ResourceExt as _,
    core::{DeserializeGuard, error_boundary::InvalidObject},
    runtime::{
        PredicateConfig, WatchStreamExt as _,
        reflector::{ObjectRef, Store, store::Writer},
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;

use crate::api::RETRY_ANNOTATION;

/// The watch of one kind: bad objects are left out, what nobody needs is cut off before it is cached. `removed` is told of every
/// object that left the watch, also while nobody watched.
pub fn watch<K>(
    api: Api<DeserializeGuard<K>>,
    selector: &str,
    writer: Writer<K>,
    removed: impl Fn(&K) + Send + 'static,
) -> impl Stream<Item = Result<K, watcher::Error>> + Send + 'static
where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let config = match selector {
        "" => watcher::Config::default(),
        selector => watcher::Config::default().fields(selector),
    };
    let events = watcher(api, config)
        .default_backoff()
        .try_filter_map(|event| async move { Ok(parsed(event)) })
        .modify(|object: &mut K| {
            object.managed_fields_mut().clear();
            object.annotations_mut().remove("kubectl.kubernetes.io/last-applied-configuration");
        });
    cached(events, writer, removed).applied_objects().predicate_filter(wakes::<K>, PredicateConfig::default())
}

/// Keeps the cache, and tells of what is gone after it: whoever is woken finds it gone there, too.
///
/// What went while the watch was cut, or while its definition was away, is in no event: it is what a list leaves out.
fn cached<K>(
    events: impl Stream<Item = Result<Event<K>, watcher::Error>> + Send + 'static,
    writer: Writer<K>,
    removed: impl Fn(&K) + Send + 'static,
) -> impl Stream<Item = Result<Event<K>, watcher::Error>> + Send + 'static
where
    K: kube::Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    let cache = writer.as_reader();
    let mut before = Vec::new();
    events.reflect(writer).inspect_ok(move |event| match event {
        Event::Delete(object) => removed(object),
        Event::Init => before = cache.state(),
        Event::InitDone => {
            let gone = std::mem::take(&mut before).into_iter().filter(|object| !is_there(&cache, object));
            gone.for_each(|object| removed(&object));
        }
        Event::Apply(_) | Event::InitApply(_) => {}
    })
}

/// Itself, and not another one of its name.
fn is_there<K>(cache: &Store<K>, object: &K) -> bool
where
    K: kube::Resource<DynamicType = ()> + Clone + 'static,
{
    let named = cache.get(&ObjectRef::from_obj(object));
    named.is_some_and(|found| found.meta().uid == object.meta().uid)
}

/// An event without what cannot be read.
pub fn parsed<K: Debug>(event: Event<DeserializeGuard<K>>) -> Option<Event<K>> {
    match event {
        Event::Init => Some(Event::Init),
        Event::InitDone => Some(Event::InitDone),
        Event::InitApply(object) => good(object).map(Event::InitApply),
        Event::Apply(object) => good(object).map(Event::Apply),
        Event::Delete(object) => good(object).map(Event::Delete),
    }
}

fn good<K>(DeserializeGuard(object): DeserializeGuard<K>) -> Option<K> {
    object
        .inspect_err(|InvalidObject { metadata, .. }| {
            tracing::error!(
                name = metadata.name,
                namespace = metadata.namespace,
                "an object that cannot be read is left out"
            );
        })
        .ok()
}

/// A new generation (deletion marks included) or a new retry annotation; not labels, not status.
fn wakes<K: kube::Resource>(object: &K) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    object.meta().generation.hash(&mut hasher);
    object
        .meta()
        .annotations
        .as_ref()
        .and_then(|annotations| annotations.get(RETRY_ANNOTATION))
        .hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::{StreamExt as _, stream};
    use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
    use kube::runtime::reflector;

    use super::{Event, cached};

    fn object(name: &str, uid: &str) -> ConfigMap {
        let metadata = ObjectMeta { name: Some(name.into()), uid: Some(uid.into()), ..ObjectMeta::default() };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    #[tokio::test]
    async fn what_went_while_nobody_watched_is_told_once_the_next_list_is_whole() {
        let (cache, writer) = reflector::store::<ConfigMap>();
        let gone = Arc::<Mutex<Vec<String>>>::default();
        let told = gone.clone();
        let removed = move |object: &ConfigMap| {
            assert!(
                !cache.state().iter().any(|left| left.metadata.uid == object.metadata.uid),
                "told before it was gone"
            );
            told.lock().unwrap().push(object.metadata.uid.clone().unwrap());
        };
        let (stays, goes, replaced) = (object("stays", "1"), object("goes", "2"), object("again", "3"));
        let list = |objects: Vec<ConfigMap>| {
            [vec![Event::Init], objects.into_iter().map(Event::InitApply).collect(), vec![Event::InitDone]]
                .concat()
        };
        let events = [
            list(vec![stays.clone(), goes, replaced]),
            vec![Event::Apply(object("comes", "4")), Event::Delete(object("comes", "4"))],
            list(vec![stays.clone(), object("again", "5")]),
            list(vec![stays, object("again", "5")]),
        ];
        let seen = cached(stream::iter(events.concat().into_iter().map(Ok)), writer, removed);
        seen.for_each(|_| async {}).await;
        let mut told = gone.lock().unwrap().clone();
        told[1..].sort();
        assert_eq!(
            told,
            ["4", "2", "3"],
            "an event first, then what the second list left out, and nothing of the third"
        );
    }
}
