//! The installation key: made once, at the very first start; never replaced, because the records' names hang on it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{ResourceExt as _, api::ObjectMeta, core::DynamicObject};
use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;
use tokio::{sync::RwLock, time::Instant};

use super::api_server::{ApiError, ApiServer};
use crate::{
    api::OffboardingRecord,
    evidence::{KEY_BYTES, Keys},
    metrics::KeyTrouble,
};

/// Name of the Secret that holds the key, in the operator's namespace.
pub const SECRET: &str = "customer-offboarding-installation-key";

const ENTRY: &str = "key";

/// All records are searched for another key this often: closed ones are in no watch.
const SEARCH_INTERVAL: Duration = Duration::from_secs(60);

/// The key as this process knows it.
#[derive(Default)]
pub struct Installation {
    keys: RwLock<Option<Arc<Keys>>>,
    /// Why there are none, as it was last found.
    trouble: Mutex<Option<KeyTrouble>>,
    /// Names the key that this process began with: one under which no record of another was found.
    first: OnceLock<String>,
    /// Names the key of the Secret, from before records of others are searched for.
    ours: Mutex<Option<String>>,
    foreign: Mutex<Foreign>,
    /// When all records are searched for such the next time.
    search_at: Mutex<Option<Instant>>,
    /// Set once the API server has answered, whatever it said.
    read: AtomicBool,
}

/// Records that were made with another key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Foreign {
    /// One of them, as long as none is known to be gone.
    name: Option<String>,
    /// How often the watch showed one: so that a search that was under way does not forget it.
    shown: u64,
}

/// What a record says of its key, also where it says nothing else that can be understood.
#[derive(Clone, Debug, Deserialize)]
struct MadeWith {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Seal,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Seal {
    key_id: String,
    customer_ref: String,
}

/// Why there is no key to work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// There are records, and no key: making another one would make another set of locks.
    #[error(
        "the Secret {SECRET} is missing, but there are records that were made with it; restore it from its backup"
    )]
    Lost,
    /// What the Secret holds is no key.
    #[error("the Secret {SECRET} does not hold a key of 32 bytes under `key`; restore it from its backup")]
    Unusable,
    /// It is another key than the one that this process began with.
    #[error(
        "the Secret {SECRET} holds another key than the records were made with; restore it from its backup"
    )]
    Changed,
    /// There are records of two keys: two sets of locks, and neither knows what was done under the other.
    #[error(
        "the record {0} was made with another key than the Secret {SECRET} holds; nothing is deleted before the Secret is restored from its backup, or that record is gone"
    )]
    TwoKeys(String),
    /// The API server.
    #[error("the Secret {SECRET} cannot be read or made: {0}")]
    Api(#[from] ApiError),
    /// The API server, asked for a record.
    #[error("nobody knows whether there are records: {0}; are the CRDs installed?")]
    Records(ApiError),
}

impl KeyProblem {
    /// What is wrong with the key; `None` where nobody knows.
    fn trouble(&self) -> Option<KeyTrouble> {
        match self {
            KeyProblem::Lost => Some(KeyTrouble::Missing),
            KeyProblem::Unusable => Some(KeyTrouble::Unusable),
            KeyProblem::Changed => Some(KeyTrouble::Changed),
            KeyProblem::TwoKeys(_) => Some(KeyTrouble::TwoKeys),
            KeyProblem::Api(_) | KeyProblem::Records(_) => None,
        }
    }
}

impl Installation {
    /// The keys, where the Secret held them at the last refresh, and no record is known that was made with others.
    pub async fn keys(&self) -> Option<Arc<Keys>> {
        let keys = self.keys.read().await.clone();
        keys.filter(|_| self.foreign().name.is_none())
    }

    /// Takes in a record that the watch shows. Where it was made with another key, there are no keys from now on: who goes by ours
    /// would not find it, and take its customer for one whom nobody has touched.
    pub fn notice(&self, record: &OffboardingRecord) {
        let name = record.name_any();
        if !self.is_foreign(&record.spec.key_id, &record.spec.customer_ref) {
            return;
        }
        let mut foreign = self.foreign();
        foreign.shown += 1;
        if foreign.name.replace(name.clone()).is_none() {
            tracing::error!("{}", KeyProblem::TwoKeys(name));
        }
    }

    /// Whether a record was made with another key, by what it says twice. One that contradicts itself was forged under a name of
    /// ours, and is its request's business alone.
    fn is_foreign(&self, key_id: &str, customer_ref: &str) -> bool {
        let is_another = locked(&self.ours).as_ref().is_some_and(|ours| !key_id.is_empty() && key_id != ours);
        let named = customer_ref.strip_prefix("hmac:").and_then(|rest| rest.split_once(':'));
        is_another && named.is_some_and(|(key, _)| key == key_id)
    }

    fn foreign(&self) -> MutexGuard<'_, Foreign> {
        locked(&self.foreign)
    }

    /// What keeps everything from being deleted, where there is a key that cannot be worked with, or none.
    #[must_use]
    pub fn trouble(&self) -> Option<KeyTrouble> {
        let shown = self.foreign().name.as_ref().map(|_| KeyTrouble::TwoKeys);
        shown.or(*locked(&self.trouble))
    }

    /// Whether nobody knows yet if there is a key.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        !self.read.load(Ordering::Relaxed)
    }

    /// Reads the key; makes it where there is none and no record either. While it is missing or another one, `keys` is `None`.
    ///
    /// # Errors
    /// `KeyProblem`: the platform team restores the Secret.
    pub async fn refresh(&self, api: &ApiServer, namespace: &str) -> Result<(), KeyProblem> {
        let found = self.load(api, namespace).await;
        if let Err(KeyProblem::Api(_) | KeyProblem::Records(_)) = found {
            return found.map(|_| ());
        }
        *self.keys.write().await = found.as_ref().ok().cloned();
        *locked(&self.trouble) = found.as_ref().err().and_then(KeyProblem::trouble);
        self.read.store(true, Ordering::Relaxed);
        found.map(|_| ())
    }

    async fn load(&self, api: &ApiServer, namespace: &str) -> Result<Arc<Keys>, KeyProblem> {
        let secret = match api.get::<Secret>(namespace, SECRET).await? {
            Some(secret) => secret,
            None if self.first.get().is_some() || any_record(api, namespace).await?.is_some() => {
                return Err(KeyProblem::Lost);
            }
            None => make(api, namespace).await?,
        };
        let bytes = secret.data.as_ref().and_then(|data| data.get(ENTRY)).ok_or(KeyProblem::Unusable)?;
        let keys = Keys::new(&bytes.0).map_err(|_| KeyProblem::Unusable)?;
        if self.first.get().is_some_and(|first| first != keys.id()) {
            return Err(KeyProblem::Changed);
        }
        *locked(&self.ours) = Some(keys.id().to_owned());
        self.find_foreign(keys.id(), api, namespace).await?;
        let _ = self.first.set(keys.id().to_owned());
        Ok(Arc::new(keys))
    }

    /// All records before the first keys are given out, and now and then: some may be brought back from a backup of another
    /// installation at any time.
    async fn find_foreign(&self, ours: &str, api: &ApiServer, namespace: &str) -> Result<(), KeyProblem> {
        let known = self.foreign().clone();
        let search_at = *locked(&self.search_at);
        if known.name.is_none() && search_at.is_some_and(|at| Instant::now() < at) {
            return Ok(());
        }
        let of_others = format!("spec.keyId!={ours}");
        let others = match api.cached::<OffboardingRecord, MadeWith>(namespace, &of_others).await {
            // As many as this are no few that were restored by mistake.
            Err(ApiError::TooMany) => return Err(KeyProblem::Changed),
            others => others.map_err(KeyProblem::Records)?,
        };
        let mut others =
            others.into_iter().filter(|it| self.is_foreign(&it.spec.key_id, &it.spec.customer_ref));
        let found = others.find_map(|it| it.metadata.name);
        *locked(&self.search_at) = Some(Instant::now() + SEARCH_INTERVAL);
        let mut foreign = self.foreign();
        // The watch may have shown one meanwhile.
        if found.is_some() || foreign.shown == known.shown {
            foreign.name = found;
        }
        foreign.name.clone().map_or(Ok(()), |name| Err(KeyProblem::TwoKeys(name)))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One record, if there is any.
async fn any_record(api: &ApiServer, namespace: &str) -> Result<Option<DynamicObject>, KeyProblem> {
    api.one::<OffboardingRecord>(namespace).await.map_err(KeyProblem::Records)
}

async fn make(api: &ApiServer, namespace: &str) -> Result<Secret, KeyProblem> {
    let mut key = [0; KEY_BYTES];
    SystemRandom::new().fill(&mut key).map_err(|_| KeyProblem::Unusable)?;
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(SECRET.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(ENTRY.to_owned(), ByteString(key.to_vec()))])),
        immutable: Some(true),
        type_: Some("offboarding.dev/installation-key".to_owned()),
        ..Secret::default()
    };
    match api.create(namespace, &secret).await {
        Ok(made) => Ok(made),
        Err(ApiError::AlreadyExists) => api.get(namespace, SECRET).await?.ok_or(KeyProblem::Lost),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
