//! Fixtures of this room's tests: answers as words, and a reader that follows a script and keeps a diary.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::Timestamp;
use url::Url;

use super::{
    Captured, Credentials, CustomerId, LoadedProfile, PreparedRequest, Provider, Read, Response, built_in,
    load,
};
use crate::{
    api::{self, CheckOverride, Environment},
    domain::Failure,
};

/// A login page, as a proxy or an expired session shows it.
pub(crate) const LOGIN_PAGE: &str = "<!DOCTYPE html><html><body>Please sign in</body></html>";

/// An answer with a JSON body.
pub(crate) fn json(status: u16, json: serde_json::Value) -> Response {
    let text = json.to_string();
    Response { json: Some(json), body_bytes: text.len(), text, ..empty(status) }
}

/// An answer whose body is no JSON.
pub(crate) fn page(status: u16, text: &str) -> Response {
    Response { text: text.to_owned(), body_bytes: text.len(), ..empty(status) }
}

/// An answer without a body.
pub(crate) fn empty(status: u16) -> Response {
    Response { status, headers: BTreeMap::new(), json: None, text: String::new(), body_bytes: 0, date: None }
}

impl Response {
    /// The same with a header.
    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }
}

/// Noon of an ordinary day.
pub(crate) fn noon() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

pub(crate) fn id(id: &str) -> CustomerId {
    CustomerId::new(id.to_owned())
}

pub(crate) fn credentials(values: &[(&str, &str)]) -> Credentials {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    Credentials::new(values.collect(), "uid/7".to_owned()).unwrap()
}

/// A profile as YAML.
pub(crate) fn profile(yaml: &str) -> api::Profile {
    serde_saphyr::from_str(yaml).unwrap()
}

/// A small profile that loads; tests change one thing of it.
pub(crate) fn small_profile() -> api::Profile {
    profile(
        r#"
        name: small
        auth: [{header: X-Key, value: '{key}'}]
        finality: HardDelete
        erasure: {scope: Full}
        control: {request: {path: /customers}, ok: 'response.status == 200'}
        presence: {request: {path: '/customers/{customer.id}'}, id: 'response.json.id'}
        delete: [{name: delete, request: {method: DELETE, path: '/customers/{customer.id}'}}]
        "#,
    )
}

/// Answers one after another, and writes down what was asked.
#[derive(Default)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Result<Response, Failure>>>,
    diary: Mutex<Vec<String>>,
}

impl Script {
    pub(crate) fn of(answers: impl IntoIterator<Item = Response>) -> Arc<Self> {
        Self::of_results(answers.into_iter().map(Ok))
    }

    pub(crate) fn of_results(answers: impl IntoIterator<Item = Result<Response, Failure>>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), diary: Mutex::default() })
    }

    /// Method, path and query of every request so far.
    pub(crate) fn diary(&self) -> Vec<String> {
        self.diary.lock().unwrap().clone()
    }
}

impl Read for Script {
    fn read(&self, request: PreparedRequest, version: &str) -> BoxFuture<'_, Result<Response, Failure>> {
        assert_eq!(version, "uid/7");
        let query = request.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let entry = format!("{:?} {}{query}", request.method, request.url.path());
        self.diary.lock().unwrap().push(entry);
        let answer = self.answers.lock().unwrap().pop_front().expect("the script has no further answer");
        Box::pin(async move { answer })
    }

    fn pause(&self, wish: Option<Duration>) {
        let length = wish.map_or("as long as we like".to_owned(), |wish| format!("{wish:?}"));
        self.diary.lock().unwrap().push(format!("pause {length}"));
    }
}

pub(crate) fn base(url: &str) -> Url {
    url.parse().unwrap()
}

/// A provider object for a profile, in the sandbox.
pub(crate) fn provider(profile: Arc<LoadedProfile>, script: &Arc<Script>) -> Provider {
    provider_in(Environment::sandbox, profile, &[], script)
}

pub(crate) fn provider_in(
    environment: Environment,
    profile: Arc<LoadedProfile>,
    overrides: &[(&str, CheckOverride)],
    script: &Arc<Script>,
) -> Provider {
    let overrides = overrides.iter().map(|(name, wish)| ((*name).to_owned(), *wish)).collect();
    let reader: Arc<dyn Read> = script.clone();
    Provider::new(profile, base("https://api.example.com/v1"), environment, overrides, reader).unwrap()
}

pub(crate) fn juicyway(script: &Arc<Script>) -> Provider {
    provider(built_in("juicyway").unwrap(), script)
}

pub(crate) fn revolv3(script: &Arc<Script>) -> Provider {
    provider(built_in("revolv3").unwrap(), script)
}

pub(crate) fn custom(profile: &api::Profile, script: &Arc<Script>) -> Provider {
    provider(load(profile).unwrap(), script)
}

/// The credential of all fixtures.
pub(crate) fn token() -> Credentials {
    credentials(&[("token", "test_abc"), ("key", "k")])
}

/// What a look at a customer with this e-mail address captured.
pub(crate) async fn captured(provider: &Provider, customer: &str) -> Captured {
    provider.look(&token(), &id(customer), noon()).await.captured
}
