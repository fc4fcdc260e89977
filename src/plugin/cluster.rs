//! The API server as one person reaches it: kubeconfig, deadlines, and answers in words.

use std::{fmt::Debug, time::Duration};

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{
    Api, Client, Config, Resource,
    api::{ListParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    args::ClusterArguments,
    here::Here,
    problem::{Problem, Tried, causes},
    terminal::interrupted,
};
use crate::{
    api::{CustomerHold, CustomerOffboarding, OffboardingApproval, OffboardingProvider},
    kubeconfig::is_verified,
};

/// One call's total deadline.
const DEADLINE: Duration = Duration::from_secs(30);

/// Items of a list that come in one answer.
const PAGE: u32 = 500;

/// Who we are in `managedFields`.
const FIELD_MANAGER: &str = "kubectl-offboarding";

/// A client, and where it stands.
pub struct Cluster {
    client: Client,
    pub here: Here,
}

/// What is read and written here, by the name that RBAC knows.
pub trait Kind: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize {
    const RESOURCE: &'static str;
}

impl Kind for CustomerOffboarding {
    const RESOURCE: &'static str = "customeroffboardings";
}

impl Kind for OffboardingApproval {
    const RESOURCE: &'static str = "offboardingapprovals";
}

impl Kind for OffboardingProvider {
    const RESOURCE: &'static str = "offboardingproviders";
}

impl Kind for CustomerHold {
    const RESOURCE: &'static str = "customerholds";
}

impl Kind for k8s_openapi::api::core::v1::Secret {
    const RESOURCE: &'static str = "secrets";
}

impl Cluster {
    /// Finds the cluster as kubectl does: the kubeconfig, or inside a pod its service account.
    ///
    /// # Errors
    /// `NoCluster`, or `Unverified`.
    pub async fn find(arguments: &ClusterArguments) -> Result<Self, Problem> {
        let mut config = config(arguments).await?;
        if !is_verified(&config) {
            return Err(Problem::Unverified);
        }
        config.default_retry = false;
        config.connect_timeout = Some(Duration::from_secs(5));
        let here = Here {
            namespace: arguments.namespace.clone().unwrap_or_else(|| config.default_namespace.clone()),
            context: arguments.context.clone(),
            kubeconfig: arguments.kubeconfig.as_ref().map(|path| path.display().to_string()),
        };
        let client = Client::try_from(config).map_err(|error| Problem::NoCluster(causes(&error)))?;
        Ok(Self { client, here })
    }

    /// Objects of the namespace.
    #[must_use]
    pub fn api<K>(&self) -> Api<K>
    where
        K: Kind + Resource<Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.here.namespace)
    }

    /// Objects of another namespace.
    #[must_use]
    pub fn api_in<K>(&self, namespace: &str) -> Api<K>
    where
        K: Kind + Resource<Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Objects of the whole cluster.
    #[must_use]
    pub fn everywhere<K: Kind>(&self) -> Api<K> {
        Api::all(self.client.clone())
    }

    /// One object.
    ///
    /// # Errors
    /// A problem that names it.
    pub async fn get<K: Kind>(&self, api: &Api<K>, name: &str) -> Result<K, Problem> {
        let tried = tried::<K>("get", api, Some(name));
        self.within(tried, api.get(name)).await
    }

    /// The objects that a selector finds, at most `most` and one more: who gets more than `most` knows that there are more.
    ///
    /// # Errors
    /// A problem that names the kind.
    pub async fn list<K: Kind>(
        &self,
        api: &Api<K>,
        selected: &ListParams,
        most: usize,
    ) -> Result<Vec<K>, Problem> {
        let mut found = Vec::new();
        let mut params = selected.clone().limit(PAGE);
        loop {
            let page = self.within(tried::<K>("list", api, None), api.list(&params)).await?;
            found.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) if found.len() <= most => params = params.continue_token(&token),
                _ => return Ok(found),
            }
        }
    }

    /// Makes an object; the server validates it strictly.
    ///
    /// # Errors
    /// A problem that names the kind.
    pub async fn create<K: Kind>(&self, api: &Api<K>, object: &K) -> Result<K, Problem> {
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        self.within(tried::<K>("create", api, object.meta().name.as_deref()), api.create(&params, object))
            .await
    }

    /// Merges a patch into an object. A patch that names uid and resourceVersion changes that very object, as it was read.
    ///
    /// # Errors
    /// A problem that names it; `Moving` where it is not as it was read.
    pub async fn patch<K: Kind>(
        &self,
        api: &Api<K>,
        name: &str,
        patch: &serde_json::Value,
    ) -> Result<K, Problem> {
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        self.within(tried::<K>("patch", api, Some(name)), api.patch(name, &params, &Patch::Merge(patch)))
            .await
    }

    /// Deletes exactly the object that was read.
    ///
    /// # Errors
    /// A problem that names it.
    pub async fn delete<K: Kind>(&self, api: &Api<K>, object: &K) -> Result<(), Problem> {
        let name = object.meta().name.clone().unwrap_or_default();
        let preconditions = kube::api::Preconditions {
            uid: object.meta().uid.clone(),
            resource_version: object.meta().resource_version.clone(),
        };
        let params = kube::api::DeleteParams::default().preconditions(preconditions);
        self.within(tried::<K>("delete", api, Some(&name)), api.delete(&name, &params)).await.map(|_| ())
    }

    /// The user name that the API server knows us by: what an approval must name.
    ///
    /// # Errors
    /// A problem, also where the server does not say.
    pub async fn who_am_i(&self) -> Result<String, Problem> {
        let tried = Tried { verb: "create", resource: "selfsubjectreviews", namespace: None, name: None };
        let api: Api<SelfSubjectReview> = Api::all(self.client.clone());
        let review =
            self.within(tried, api.create(&PostParams::default(), &SelfSubjectReview::default())).await?;
        let user = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
        user.filter(|name| !name.is_empty())
            .ok_or_else(|| Problem::Unauthorized("it does not say a user name".to_owned()))
    }

    /// Within the deadline, and not after Ctrl-C, which is listened to before anything is sent: the first question took it from
    /// the system for good.
    async fn within<T>(
        &self,
        tried: Tried<'_>,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Problem> {
        tokio::select! {
            biased;
            () = interrupted() => Err(tried.interrupted(&self.here)),
            answer = tokio::time::timeout(DEADLINE, call) => match answer {
                Ok(answer) => answer.map_err(|error| tried.failed(error, &self.here)),
                Err(_elapsed) => Err(tried.too_late(&self.here)),
            },
        }
    }
}

/// What a call tries.
pub fn tried<'a, K: Kind>(verb: &'static str, api: &'a Api<K>, name: Option<&'a str>) -> Tried<'a> {
    Tried { verb, resource: K::RESOURCE, namespace: api.namespace(), name }
}

/// Not by kube's own inference, which obeys variables that impersonate users and redirect the connection.
async fn config(arguments: &ClusterArguments) -> Result<Config, Problem> {
    let no_cluster = |error: &dyn std::error::Error| Problem::NoCluster(causes(error));
    let options = KubeConfigOptions { context: arguments.context.clone(), ..KubeConfigOptions::default() };
    if let Some(path) = &arguments.kubeconfig {
        let file = Kubeconfig::read_from(path).map_err(|error| no_cluster(&error))?;
        return Config::from_custom_kubeconfig(file, &options).await.map_err(|error| no_cluster(&error));
    }
    match Config::from_kubeconfig(&options).await {
        Ok(config) => Ok(config),
        Err(problem) if arguments.context.is_none() => {
            Config::incluster().map_err(|_not_in_a_pod| no_cluster(&problem))
        }
        Err(problem) => Err(no_cluster(&problem)),
    }
}
