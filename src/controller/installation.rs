//! The installation key: made once, at the very first start; never replaced, because the records' names hang on it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{api::ObjectMeta, core::DynamicObject};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::RwLock;

use super::api_server::{ApiError, ApiServer};
use crate::{
    api::OffboardingRecord,
    evidence::{KEY_BYTES, Keys},
};

/// Name of the Secret that holds the key, in the operator's namespace.
pub const SECRET: &str = "customer-offboarding-installation-key";

const ENTRY: &str = "key";

/// The key as this process knows it.
#[derive(Default)]
pub struct Installation {
    keys: RwLock<Option<Arc<Keys>>>,
    /// Set once the API server has answered, whatever it said.
    read: AtomicBool,
}

/// Why there is no key to work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// There are records, and no key: making another one would make another set of locks.
    #[error(
        "the Secret {SECRET} is missing, but there are records that were made with it; restore it from its backup"
    )]
    Lost,
    /// What the Secret holds is no key.
    #[error("the Secret {SECRET} does not hold a key of 32 bytes under `key`; restore it from its backup")]
    Unusable,
    /// It is another key than the one that this process began with, or that the records were made with.
    #[error(
        "the Secret {SECRET} holds another key than the records were made with; restore it from its backup"
    )]
    Changed,
    /// The API server.
    #[error("the Secret {SECRET} cannot be read or made: {0}")]
    Api(#[from] ApiError),
    /// The API server, asked for a record.
    #[error("nobody knows whether there are records: {0}; are the CRDs installed?")]
    Records(ApiError),
}

impl Installation {
    /// The keys, where the Secret held them at the last refresh.
    pub async fn keys(&self) -> Option<Arc<Keys>> {
        self.keys.read().await.clone()
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
    pub async fn refresh(
        &self,
        api: &ApiServer,
        namespace: &str,
        first: &RwLock<Option<String>>,
    ) -> Result<(), KeyProblem> {
        let found = self.load(api, namespace, first).await;
        if let Err(KeyProblem::Api(_) | KeyProblem::Records(_)) = found {
            return found.map(|_| ());
        }
        *self.keys.write().await = found.as_ref().ok().cloned();
        self.read.store(true, Ordering::Relaxed);
        found.map(|_| ())
    }

    async fn load(
        &self,
        api: &ApiServer,
        namespace: &str,
        first: &RwLock<Option<String>>,
    ) -> Result<Arc<Keys>, KeyProblem> {
        let secret = match api.get::<Secret>(namespace, SECRET).await? {
            Some(secret) => secret,
            None if first.read().await.is_some() || any_record(api, namespace).await?.is_some() => {
                return Err(KeyProblem::Lost);
            }
            None => make(api, namespace).await?,
        };
        let bytes = secret.data.as_ref().and_then(|data| data.get(ENTRY)).ok_or(KeyProblem::Unusable)?;
        let keys = Keys::new(&bytes.0).map_err(|_| KeyProblem::Unusable)?;
        let mut first = first.write().await;
        match first.as_deref() {
            Some(id) if id != keys.id() => return Err(KeyProblem::Changed),
            Some(_) => {}
            None => {
                let record = any_record(api, namespace).await?;
                if record.and_then(|record| key_of(&record)).is_some_and(|made_with| made_with != keys.id()) {
                    return Err(KeyProblem::Changed);
                }
                *first = Some(keys.id().to_owned());
            }
        }
        Ok(Arc::new(keys))
    }
}

/// One record, if there is any.
async fn any_record(api: &ApiServer, namespace: &str) -> Result<Option<DynamicObject>, KeyProblem> {
    api.one::<OffboardingRecord>(namespace).await.map_err(KeyProblem::Records)
}

/// The key that a record was made with, where it says so.
fn key_of(record: &DynamicObject) -> Option<String> {
    record.data["spec"]["keyId"].as_str().filter(|id| !id.is_empty()).map(str::to_owned)
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
