//! The watch of one kind: into its cache, and what is news of it to whom.

use std::{
    fmt::Debug,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
    time::Duration,
};

use futures::{Stream, StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
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
use tokio::time::Instant;

use super::{
    api_server::{ApiError, class_of, class_of_status},
    scope::as_one,
};
use crate::api::RETRY_ANNOTATION;

/// The watch of one kind into its cache. `removed` is told of every object that left the watch, also while nobody watched.
pub fn watch<K>(
    sources: Vec<Source<K>>,
    selector: &str,
    writer: Writer<K>,
    removed: impl Fn(&K) + Send + 'static,
) -> impl Stream<Item = Result<K, watcher::Error>> + Send + 'static
where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    cached(events(sources, selector), writer, removed)
        .predicate_filter(wakes::<K>, PredicateConfig::default())
}

/// What is told of one kind, wherever it is watched: bad objects are left out, what nobody needs is cut off before it is cached.
///
/// An error is waited out here: on the way to a controller it would hold up whoever is woken by something else.
pub fn events<K>(
    sources: Vec<Source<K>>,
    selector: &str,
) -> BoxStream<'static, Result<Event<K>, watcher::Error>>
where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut watches: Vec<_> = sources.into_iter().map(|source| source.events(selector)).collect();
    match watches.pop() {
        Some(only) if watches.is_empty() => only.filter(|event| std::future::ready(event.is_ok())).boxed(),
        last => {
            watches.extend(last);
            as_one(watches).map(Ok).boxed()
        }
    }
}

/// One list of a kind, and what goes wrong with its watch.
pub struct Source<K> {
    api: Api<DeserializeGuard<K>>,
    trouble: Trouble,
}

impl<K> Source<K> {
    /// Of whatever the API lists.
    #[must_use]
    pub fn new(api: Api<DeserializeGuard<K>>, trouble: Trouble) -> Self {
        Self { api, trouble }
    }
}

impl<K> Source<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    fn events(self, selector: &str) -> BoxStream<'static, Result<Event<K>, watcher::Error>> {
        let Source { api, mut trouble } = self;
        let config = match selector {
            "" => watcher::Config::default(),
            selector => watcher::Config::default().fields(selector),
        };
        watcher(api, config)
            .default_backoff()
            .inspect(move |event| trouble.note(event))
            .try_filter_map(|event| async move { Ok(parsed(event)) })
            .modify(|object: &mut K| {
                object.managed_fields_mut().clear();
                object.annotations_mut().remove("kubectl.kubernetes.io/last-applied-configuration");
            })
            .boxed()
    }
}

/// A trouble that goes on is told again after this long.
const AGAIN: Duration = Duration::from_secs(300);

/// A watch that has not failed for this long was in order meanwhile, also where nothing happened that would have shown it: kube
/// gives no sign when a watch is open again. Longer than a try (the API server gives up after a minute) and the pause after it
/// (kube-runtime 5: 60 s).
const CALM: Duration = Duration::from_secs(150);

/// What goes wrong with one watch: counted each time; told when it begins, now and then while it goes on, and once more when the
/// watch is in order again. kube says it at a level at which it quotes answers, which nobody hears.
pub struct Trouble {
    kind: String,
    count: Box<dyn Fn() + Send>,
    told: Option<Told>,
}

#[derive(Clone, Copy)]
struct Told {
    class: ApiError,
    at: Instant,
    failed_last: Instant,
}

impl Told {
    /// Whether a failure goes without saying.
    fn covers(&self, class: ApiError, now: Instant) -> bool {
        self.class == class && now < self.at + AGAIN && now < self.failed_last + CALM
    }
}

impl Trouble {
    /// None so far; `count` is called for each error.
    #[must_use]
    pub fn new(kind: String, count: impl Fn() + Send + 'static) -> Self {
        Self { kind, count: Box::new(count), told: None }
    }

    /// Takes in what the watch gave.
    pub fn note<K>(&mut self, event: &Result<Event<K>, watcher::Error>) {
        let kind = &self.kind;
        match event {
            Err(error) => {
                (self.count)();
                let (class, now) = (class(error), Instant::now());
                let told = self.told.filter(|told| told.covers(class, now));
                if told.is_none() {
                    tracing::warn!(
                        kind,
                        "a watch failed, and is tried again; what changes meanwhile is seen late: {class}"
                    );
                }
                self.told = Some(Told { class, at: told.map_or(now, |told| told.at), failed_last: now });
            }
            // Begun is not done: the list may fail.
            Ok(Event::Init) => {}
            Ok(_) => {
                if self.told.take().is_some() {
                    tracing::info!(kind, "the watch is in order again");
                }
            }
        }
    }
}

/// What follows from an error of a watch.
pub(super) fn class(error: &watcher::Error) -> ApiError {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => class_of(error),
        watcher::Error::WatchError(status) => class_of_status(status),
        watcher::Error::NoResourceVersion => ApiError::Invalid,
    }
}

/// Keeps the cache, and gives what is in it: of a list nothing before the whole of it, because a controller drops whom it does not
/// find in the cache. Of what is gone it tells after it left the cache, too.
///
/// What went while the watch was cut, or while its definition was away, is in no event: it is what a list leaves out.
fn cached<K>(
    events: impl Stream<Item = Result<Event<K>, watcher::Error>> + Send + 'static,
    writer: Writer<K>,
    removed: impl Fn(&K) + Send + 'static,
) -> impl Stream<Item = Result<K, watcher::Error>> + Send + 'static
where
    K: kube::Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    let cache = writer.as_reader();
    let mut before = Vec::new();
    let news = move |event| match event {
        Event::Apply(object) => vec![Arc::new(object)],
        Event::Delete(object) => {
            removed(&object);
            Vec::new()
        }
        Event::Init => {
            before = cache.state();
            Vec::new()
        }
        Event::InitApply(_) => Vec::new(),
        Event::InitDone => {
            let gone = std::mem::take(&mut before).into_iter().filter(|object| !is_there(&cache, object));
            gone.for_each(|object| removed(&object));
            cache.state()
        }
    };
    let objects =
        |news: Vec<Arc<K>>| stream::iter(news.into_iter().map(|object| Ok(Arc::unwrap_or_clone(object))));
    events.reflect(writer).map_ok(news).map_ok(objects).try_flatten()
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
    use std::sync::Mutex;

    use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
    use kube::runtime::reflector;

    use super::*;

    fn object(name: &str, uid: &str) -> ConfigMap {
        let metadata = ObjectMeta { name: Some(name.into()), uid: Some(uid.into()), ..ObjectMeta::default() };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    type Told = Arc<Mutex<Vec<String>>>;

    fn uid(object: &ConfigMap) -> String {
        object.metadata.uid.clone().unwrap()
    }

    fn list(objects: &[ConfigMap]) -> Vec<Event<ConfigMap>> {
        let listed = objects.iter().cloned().map(Event::InitApply);
        [vec![Event::Init], listed.collect(), vec![Event::InitDone]].concat()
    }

    /// What is given and what is told as gone, in this order; whoever is given is in the cache then, and whoever is gone is not.
    async fn played(events: Vec<Event<ConfigMap>>) -> Vec<String> {
        let (cache, writer) = reflector::store::<ConfigMap>();
        let told = Told::default();
        let is_cached = move |object: &ConfigMap| cache.state().iter().any(|it| uid(it) == uid(object));
        let removed = {
            let (told, is_cached) = (told.clone(), is_cached.clone());
            move |object: &ConfigMap| {
                assert!(!is_cached(object), "told before it was gone");
                told.lock().unwrap().push(format!("-{}", uid(object)));
            }
        };
        let mut given = Box::pin(cached(stream::iter(events.into_iter().map(Ok)), writer, removed));
        while let Some(object) = given.next().await {
            let object = object.unwrap();
            assert!(is_cached(&object), "given before it was there");
            told.lock().unwrap().push(format!("+{}", uid(&object)));
        }
        let mut told = told.lock().unwrap().clone();
        told.sort();
        told
    }

    #[tokio::test]
    async fn what_went_while_nobody_watched_is_told_once_the_next_list_is_whole() {
        let (stays, goes, replaced) = (object("stays", "1"), object("goes", "2"), object("again", "3"));
        let first = [stays.clone(), goes, replaced];
        let second = [stays, object("again", "5")];
        let events = [list(&first), list(&second), list(&second)].concat();
        assert_eq!(played(events).await, ["+1", "+1", "+1", "+2", "+3", "+5", "+5", "-2", "-3"]);
    }

    #[tokio::test]
    async fn of_a_list_that_breaks_off_nothing_is_given_and_then_all_of_the_next() {
        let (one, other) = (object("one", "1"), object("other", "2"));
        let broken_off = vec![Event::Init, Event::InitApply(one.clone())];
        assert_eq!(played([broken_off, list(&[one, other])].concat()).await, ["+1", "+2"]);
    }

    /// What was logged.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + 'static {
            let writer = self.clone();
            tracing_subscriber::fmt().with_writer(move || writer.clone()).without_time().finish()
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn failed(code: u16) -> Result<Event<ConfigMap>, watcher::Error> {
        let status =
            kube::core::Status { code, message: "quotes an object".to_owned(), ..Default::default() };
        Err(watcher::Error::WatchError(Box::new(status)))
    }

    /// A watch whose troubles are counted.
    fn counted() -> (Trouble, Arc<Mutex<usize>>) {
        let count = Arc::new(Mutex::new(0));
        let counted = count.clone();
        (Trouble::new("ConfigMap".to_owned(), move || *counted.lock().unwrap() += 1), count)
    }

    #[test]
    fn what_goes_wrong_with_a_watch_is_told_once_and_that_it_is_in_order_again() {
        let list = || list(&[object("one", "1")]).into_iter().map(Ok);
        let events = list()
            .chain([failed(500), Ok(Event::Init), failed(500), Ok(Event::Init), failed(403)])
            .chain(list())
            .chain([failed(500)]);
        let (log, (mut trouble, count)) = (Log::default(), counted());
        tracing::subscriber::with_default(log.subscriber(), || events.for_each(|event| trouble.note(&event)));
        let log = log.text();
        let told: Vec<&str> =
            log.lines().map(|line| line.rsplit([':', '!']).next().unwrap().trim()).collect();
        assert_eq!(*count.lock().unwrap(), 4);
        assert_eq!(told.len(), 4, "{log}");
        assert!(told[0].contains("no usable answer") && told[1].contains("forbidden"), "{log}");
        assert!(told[2].contains("in order again") && told[3].contains("no usable answer"), "{log}");
        assert!(log.contains("ConfigMap") && !log.contains("quotes"), "{log}");
    }

    /// A watch of what seldom changes gives no event for hours, whether it is in order or not.
    #[tokio::test(start_paused = true)]
    async fn a_quiet_watch_that_fails_again_says_so_and_one_that_goes_on_failing_now_and_then() {
        for (about, failures, pause, told) in [
            ("as often as kube tries", 4, Duration::from_secs(30), 1),
            ("in order meanwhile", 2, Duration::from_secs(3600), 2),
            ("in order meanwhile, not for long", 2, Duration::from_secs(200), 2),
            ("for ten minutes", 21, Duration::from_secs(30), 3),
            ("slowly, for ten minutes", 11, Duration::from_secs(60), 3),
        ] {
            let (log, (mut trouble, count)) = (Log::default(), counted());
            let _logs = tracing::subscriber::set_default(log.subscriber());
            for _ in 0..failures {
                trouble.note(&failed(500));
                tokio::time::advance(pause).await;
            }
            assert_eq!(*count.lock().unwrap(), failures, "{about}");
            assert_eq!(log.text().matches("a watch failed").count(), told, "{about}");
        }
    }

    #[tokio::test]
    async fn events_are_given_as_they_come() {
        let events = vec![Event::Apply(object("comes", "1")), Event::Delete(object("comes", "1"))];
        assert_eq!(played([list(&[]), events].concat()).await, ["+1", "-1"]);
    }
}
