//! Provider objects of both kinds as one: who they are, what they say, whom they serve, and how they are reached.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::mpsc::UnboundedSender;

use super::api_server::{ApiError, ApiServer};
use crate::{
    api::{
        ClusterOffboardingProvider, OffboardingProvider, OffboardingProviderSpec, ProviderKind,
        ProviderStatus, RecordProvider,
    },
    domain::ProviderFacts,
};

/// One provider object, of either kind.
#[derive(Clone, Debug)]
pub enum ProviderObject {
    Namespaced(Arc<OffboardingProvider>),
    Cluster(Arc<ClusterOffboardingProvider>),
}

impl From<Arc<OffboardingProvider>> for ProviderObject {
    fn from(object: Arc<OffboardingProvider>) -> Self {
        Self::Namespaced(object)
    }
}

impl From<Arc<ClusterOffboardingProvider>> for ProviderObject {
    fn from(object: Arc<ClusterOffboardingProvider>) -> Self {
        Self::Cluster(object)
    }
}

impl ProviderObject {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> ProviderKind {
        match self {
            Self::Namespaced(_) => ProviderKind::OffboardingProvider,
            Self::Cluster(_) => ProviderKind::ClusterOffboardingProvider,
        }
    }

    /// Its metadata.
    #[must_use]
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Namespaced(object) => &object.metadata,
            Self::Cluster(object) => &object.metadata,
        }
    }

    /// What both kinds say alike.
    #[must_use]
    pub fn spec(&self) -> &OffboardingProviderSpec {
        match self {
            Self::Namespaced(object) => &object.spec,
            Self::Cluster(object) => &object.spec.provider,
        }
    }

    /// What was told of it last.
    #[must_use]
    pub fn status(&self) -> Option<&ProviderStatus> {
        match self {
            Self::Namespaced(object) => object.status.as_ref(),
            Self::Cluster(object) => object.status.as_ref(),
        }
    }

    /// Its name among all provider objects.
    #[must_use]
    pub fn key(&self) -> ProviderKey {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let ObjectMeta { namespace, name, .. } = self.metadata();
        ProviderKey { kind: self.kind(), namespace: text(namespace), name: text(name) }
    }

    /// Whether requests of a namespace may use it.
    #[must_use]
    pub fn serves(&self, namespace: &str) -> bool {
        match self {
            Self::Namespaced(object) => object.metadata.namespace.as_deref() == Some(namespace),
            Self::Cluster(object) => object.spec.allowed_namespaces.iter().any(|it| it == namespace),
        }
    }

    /// Where its Secrets are: beside it, and for the cluster's in the operator's namespace.
    #[must_use]
    pub fn namespace_of_secrets<'a>(&'a self, operator_namespace: &'a str) -> &'a str {
        match self {
            Self::Namespaced(object) => object.metadata.namespace.as_deref().unwrap_or_default(),
            Self::Cluster(_) => operator_namespace,
        }
    }
}

/// What a provider object is called: its kind, its namespace (empty where it has none) and its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProviderKey {
    pub kind: ProviderKind,
    pub namespace: String,
    pub name: String,
}

impl ProviderKey {
    /// The one that a request of a namespace names.
    #[must_use]
    pub fn named(kind: ProviderKind, name: &str, namespace: &str) -> Self {
        let namespace = match kind {
            ProviderKind::OffboardingProvider => namespace.to_owned(),
            ProviderKind::ClusterOffboardingProvider => String::new(),
        };
        Self { kind, namespace, name: name.to_owned() }
    }

    /// The one of these facts.
    #[must_use]
    pub fn of(facts: &ProviderFacts) -> Self {
        Self::named(facts.kind, &facts.name, &facts.namespace)
    }

    /// The one that a record names; `None` where it is of a kind that a newer operator knows.
    #[must_use]
    pub fn of_record(named: &RecordProvider) -> Option<Self> {
        Some(Self::named(named.kind.parse().ok()?, &named.name, &named.namespace))
    }

    /// The object, live.
    ///
    /// # Errors
    /// As `ApiServer::get`.
    pub async fn read(&self, api: &ApiServer) -> Result<Option<ProviderObject>, ApiError> {
        Ok(match self.kind {
            ProviderKind::OffboardingProvider => {
                let found: Option<OffboardingProvider> = api.get(&self.namespace, &self.name).await?;
                found.map(|object| Arc::new(object).into())
            }
            ProviderKind::ClusterOffboardingProvider => {
                let found: Option<ClusterOffboardingProvider> = api.get_cluster(&self.name).await?;
                found.map(|object| Arc::new(object).into())
            }
        })
    }

    fn as_namespaced(&self) -> ObjectRef<OffboardingProvider> {
        ObjectRef::new(&self.name).within(&self.namespace)
    }

    fn as_clusters(&self) -> ObjectRef<ClusterOffboardingProvider> {
        ObjectRef::new(&self.name)
    }
}

/// The provider objects of both kinds as the watches show them, and a way to have one looked at again.
pub struct ProviderObjects {
    pub namespaced: Store<OffboardingProvider>,
    pub cluster: Store<ClusterOffboardingProvider>,
    pub wake_namespaced: UnboundedSender<ObjectRef<OffboardingProvider>>,
    pub wake_cluster: UnboundedSender<ObjectRef<ClusterOffboardingProvider>>,
}

impl ProviderObjects {
    /// The object of a name.
    #[must_use]
    pub fn get(&self, key: &ProviderKey) -> Option<ProviderObject> {
        match key.kind {
            ProviderKind::OffboardingProvider => self.namespaced.get(&key.as_namespaced()).map(Into::into),
            ProviderKind::ClusterOffboardingProvider => self.cluster.get(&key.as_clusters()).map(Into::into),
        }
    }

    /// Has one looked at again. Nobody listens only once the process ends.
    pub fn wake(&self, key: &ProviderKey) {
        let _ = match key.kind {
            ProviderKind::OffboardingProvider => self.wake_namespaced.send(key.as_namespaced()).is_ok(),
            ProviderKind::ClusterOffboardingProvider => self.wake_cluster.send(key.as_clusters()).is_ok(),
        };
    }

    /// Has all of them looked at again.
    pub fn wake_all(&self) {
        let namespaced = self.namespaced.state().into_iter().map(ProviderObject::from);
        for object in namespaced.chain(self.cluster.state().into_iter().map(ProviderObject::from)) {
            self.wake(&object.key());
        }
    }
}
