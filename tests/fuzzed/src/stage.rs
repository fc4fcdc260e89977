//! What the parsers are called with: one moment, one customer, credentials, and a provider that always gives the same answer.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::Timestamp;
use offboarding::{
    api::{Environment, Profile},
    domain::Failure,
    evidence::{KEY_BYTES, Keys},
    providers::{
        Credentials, CustomerId, IdempotencySeed, LoadedProfile, PreparedRequest, Provider, Read, Response,
        http::LONGEST_WAIT,
    },
};
use serde_json::Value;
use url::Url;

/// A customer's id that occurs in nothing else.
pub(crate) const CUSTOMER: &str = "cus_7Qm4Wx9";

/// Uid of the request that everything is about.
pub(crate) const REQUEST: &str = "6f1c2f5e-0000-4000-8000-000000000001";

pub(crate) const SEED: IdempotencySeed<'static> =
    IdempotencySeed { request_uid: REQUEST, target: "billing", n: 1 };

const BASE: &str = "https://api.example.com:8443/v1";

thread_local! {
    static RUNTIME: RefCell<Option<tokio::runtime::Runtime>> = const { RefCell::new(None) };
}

/// Runs to its end what the operator awaits.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| {
        let mut runtime = runtime.borrow_mut();
        let runtime = runtime.get_or_insert_with(|| {
            let builder = tokio::runtime::Builder::new_current_thread().enable_time().build();
            builder.expect("a runtime without IO can be made")
        });
        runtime.block_on(work)
    })
}

/// Noon of an ordinary day.
pub(crate) fn noon() -> Timestamp {
    Timestamp::from_second(1_772_452_800).expect("it is in range")
}

/// The keys of an installation; another number is another installation.
pub(crate) fn keys(number: u8) -> Keys {
    Keys::new(&[number; KEY_BYTES]).expect("it has the right length")
}

pub(crate) fn customer(id: &str) -> CustomerId {
    CustomerId::new(id.to_owned())
}

pub(crate) fn base() -> Url {
    BASE.parse().expect("it is an address")
}

/// Everything that the profiles here ask for.
pub(crate) fn credentials() -> Credentials {
    let values = [("token", "live_4f9c"), ("key", "k-4f9c")];
    let values = values.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    Credentials::new(values.into(), "uid/7".to_owned()).expect("they are credentials")
}

/// A profile that is written in this package.
pub(crate) fn written<T: serde::de::DeserializeOwned>(yaml: &str) -> T {
    serde_saphyr::from_str(yaml).expect("it is YAML of this shape")
}

/// A small profile in which a target puts what it is given.
pub(crate) fn with(yaml: &str, changes: &[(&str, Value)]) -> Option<Profile> {
    let mut profile: Value = written(yaml);
    for (pointer, value) in changes {
        *profile.pointer_mut(pointer)? = value.clone();
    }
    serde_json::from_value(profile).ok()
}

/// Answers everything with one answer, and sees to it that nothing is asked elsewhere.
pub(crate) struct Always {
    response: Mutex<Response>,
}

impl Always {
    pub(crate) fn answers(response: Response) -> Arc<Self> {
        Arc::new(Self { response: Mutex::new(response) })
    }

    /// From now on another one.
    pub(crate) fn now_answers(&self, response: Response) {
        *self.response.lock().unwrap_or_else(PoisonError::into_inner) = response;
    }
}

impl Read for Always {
    fn read(&self, request: PreparedRequest, _: &str) -> BoxFuture<'_, Result<Response, Failure>> {
        is_at_the_provider(&request);
        let answer = self.response.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(std::future::ready(Ok(answer)))
    }

    fn pause(&self, wish: Option<Duration>) {
        assert!(wish.is_none_or(is_a_pause), "a pause is longer than nothing and not too long");
    }
}

pub(crate) fn is_a_pause(wish: Duration) -> bool {
    !wish.is_zero() && wish <= LONGEST_WAIT
}

/// No request leaves the base URL, and none says in its `Debug` what it carries.
pub(crate) fn is_at_the_provider(request: &PreparedRequest) {
    let (url, base) = (&request.url, base());
    let authority = |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port());
    assert_eq!(authority(url), authority(&base), "a request goes elsewhere");
    let path = url.path();
    assert!(path == base.path() || path.starts_with("/v1/"), "a request leaves the path of the base URL");
    assert!(url.fragment().is_none() && url.username().is_empty() && url.password().is_none());
    let printed = format!("{request:?}");
    assert!(!printed.contains(CUSTOMER) && !printed.contains("4f9c"), "a request prints what it carries");
}

/// A provider object for a profile, in production.
pub(crate) fn provider(profile: Arc<LoadedProfile>, reader: Arc<Always>) -> Provider {
    Provider::new(profile, base(), Environment::live, BTreeMap::new(), reader).expect("nothing is overridden")
}

/// A segment as the provider reads it: percent signs and nothing else.
pub(crate) fn decoded(segment: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = segment.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = (*first == b'%').then(|| after.get(..2)).flatten();
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
