//! A namespace of one test's own.

use std::time::Duration;

use k8s_openapi::{NamespaceResourceScope, api::core::v1::Namespace as Resource};
use kube::{
    Api, Client,
    api::{DeleteParams, ObjectMeta, PostParams},
};

use crate::{Failure, eventually::poll};

/// The controller manager starts with the API server and is busy listing for the first seconds.
const GONE_WITHIN: Duration = Duration::from_secs(90);

/// A namespace with a name that no other test has. It stays until it is deleted or the control plane ends.
#[derive(Clone, Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    pub(crate) async fn create(client: Client, prefix: &str) -> Result<Namespace, Failure> {
        let step = || format!("make a namespace {prefix}-…");
        let metadata = ObjectMeta { generate_name: Some(format!("{prefix}-")), ..ObjectMeta::default() };
        let namespace = Resource { metadata, ..Resource::default() };
        let made = Api::all(client).create(&PostParams::default(), &namespace).await;
        let name = made.map_err(Failure::to(step()))?.metadata.name;
        Ok(Namespace { name: name.ok_or_else(|| Failure::new(step(), "the answer has no name"))? })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A typed view of it.
    pub fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(client.clone(), &self.name)
    }

    /// Deletes it and waits until it is gone, which needs a controller manager.
    ///
    /// # Errors
    /// When the API server refuses, or it is still there after 90 seconds: with the conditions that say what is left.
    pub async fn delete(&self, client: &Client) -> Result<(), Failure> {
        let step = || format!("delete the namespace {}", self.name);
        let namespaces: Api<Resource> = Api::all(client.clone());
        namespaces.delete(&self.name, &DeleteParams::default()).await.map_err(Failure::to(step()))?;
        let gone = poll(GONE_WITHIN, async || match namespaces.get_opt(&self.name).await {
            Ok(None) => Ok(()),
            Ok(Some(left)) => Err(format!("it is still there: {:?}", left.status)),
            Err(error) => Err(error.to_string()),
        });
        let last_seen = |seen: Option<String>| seen.unwrap_or_else(|| "no answer".to_owned());
        gone.await.map_err(|seen| Failure::new(step(), last_seen(seen)))
    }
}

impl std::fmt::Display for Namespace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.name)
    }
}
