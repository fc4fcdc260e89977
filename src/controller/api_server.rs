//! The Kubernetes API, with a deadline on every call, strict validation on every write, and PUT as the only way to change. What is
//! removed is removed as it was read.
//!
//! A patch ignores `metadata.uid`, and a write that is not strict drops fields that an older CRD does not know: both would
//! lose an intent silently.

use std::{fmt::Debug, pin::pin, time::Duration};

use futures::AsyncReadExt as _;
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, GetParams, ListParams, ObjectMeta, PostParams, Preconditions},
    core::{ClusterResourceScope, DynamicObject, NamespaceResourceScope, ObjectList, Request, Status},
};
use serde::{Serialize, de::DeserializeOwned};

/// One call's total deadline.
const DEADLINE: Duration = Duration::from_secs(10);

/// How many objects one page of a list has: some round trips for thousands, which a permit waits for.
const PAGE: u32 = 500;

/// How long a list may be in bytes. Every object of it is in memory at once, and who may create one could fill that.
const LONGEST_LIST: usize = 32 << 20;

/// Who we are in `managedFields`.
const FIELD_MANAGER: &str = "operator";

/// Why a call failed, by what follows from it. Carries no text of an answer: that may quote an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// 409 on a PUT: the object moved on, or it is another one.
    #[error("conflict")]
    Conflict,
    /// 409 on a POST: it is there already.
    #[error("already exists")]
    AlreadyExists,
    /// 404.
    #[error("not found")]
    NotFound,
    /// 403: missing rights, an admission policy, a quota, or a namespace that is going.
    #[error("forbidden")]
    Forbidden,
    /// 400 or 422: the CRD is older than this operator, or a bug of ours. Trying again soon does not help.
    #[error("refused as invalid; is the CRD as old as this operator?")]
    Invalid,
    /// More objects than are read: what is not known completely is not known.
    #[error("too many objects to read; delete those that are no longer needed")]
    TooMany,
    /// A timeout, 429 or 5xx, or no connection: what was asked may have been done or not.
    #[error("no usable answer")]
    Unanswered,
}

/// The API server, as the operator uses it.
#[derive(Clone)]
pub struct ApiServer {
    client: Client,
}

/// Some of a list, and what the next page is asked for with.
struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
    bytes: usize,
}

/// A namespaced kind of ours or of Kubernetes.
pub trait Namespaced:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize
{
}

impl<K> Namespaced for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
{
}

/// A kind that belongs to no namespace.
pub trait ClusterScoped:
    Resource<DynamicType = (), Scope = ClusterResourceScope> + Clone + Debug + DeserializeOwned + Serialize
{
}

impl<K> ClusterScoped for K where
    K: Resource<DynamicType = (), Scope = ClusterResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
{
}

impl ApiServer {
    /// Wraps a client that does not retry: a hidden retry turns our own write into a conflict.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// One object, live.
    ///
    /// # Errors
    /// All but `NotFound`, which is `None`.
    pub async fn get<K: Namespaced>(&self, namespace: &str, name: &str) -> Result<Option<K>, ApiError> {
        let api = Api::<K>::namespaced(self.client.clone(), namespace);
        within(api.get_opt(name)).await
    }

    /// One object that belongs to no namespace, live.
    ///
    /// # Errors
    /// As `get`.
    pub async fn get_cluster<K: ClusterScoped>(&self, name: &str) -> Result<Option<K>, ApiError> {
        within(Api::<K>::all(self.client.clone()).get_opt(name)).await
    }

    /// The same as it is stored, with the fields of a newer server that our type does not know.
    ///
    /// # Errors
    /// As `get`.
    pub async fn get_untyped<K: ClusterScoped>(&self, name: &str) -> Result<Option<DynamicObject>, ApiError> {
        let request = Request::new(K::url_path(&(), None)).get(name, &GetParams::default());
        let request = request.map_err(|_| ApiError::Invalid)?;
        match within(self.client.request(request)).await {
            Ok(object) => Ok(Some(object)),
            Err(ApiError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every object of a kind in a namespace, live: all of them or none.
    ///
    /// # Errors
    /// `Invalid` where one of them cannot be understood, `TooMany` where they are more than 32 MiB.
    pub async fn list<K: Namespaced>(&self, namespace: &str) -> Result<Vec<K>, ApiError> {
        within_deadline(self.pages(&K::url_path(&(), Some(namespace)))).await
    }

    /// Every object of a kind that belongs to no namespace, live: all of them or none.
    ///
    /// # Errors
    /// As `list`.
    pub async fn list_all<K: ClusterScoped>(&self) -> Result<Vec<K>, ApiError> {
        within_deadline(self.pages(&K::url_path(&(), None))).await
    }

    /// Every object of a kind that a field selector fits (all where it is empty), live, page by page as they come: for what is
    /// counted and not kept, however many there are. `T` is as much of the kind as is asked for.
    ///
    /// # Errors
    /// As `list`, but for `TooMany`. What was told before an error is not everything.
    pub async fn each_page<K: Namespaced, T: Debug + Clone + DeserializeOwned>(
        &self,
        namespace: &str,
        fields: &str,
        mut take: impl FnMut(Vec<T>),
    ) -> Result<(), ApiError> {
        let url_path = K::url_path(&(), Some(namespace));
        let mut token = None;
        loop {
            let asked = self.page(&url_path, fields, token, LONGEST_LIST);
            let Page { items, next, .. } = within_deadline(asked).await?;
            take(items);
            token = next;
            if token.is_none() {
                return Ok(());
            }
        }
    }

    /// What the API server's own cache has of a kind in a namespace, as far as the fields select it: not read from its store, however
    /// much that holds, and perhaps a moment old.
    ///
    /// # Errors
    /// As `ApiError`; `TooMany` where it is more than is ever held at once.
    pub async fn cached<K: Namespaced, T: Debug + Clone + DeserializeOwned>(
        &self,
        namespace: &str,
        fields: &str,
    ) -> Result<Vec<T>, ApiError> {
        self.selected::<K, T>(namespace, &ListParams::default().fields(fields).match_any()).await
    }

    /// Every object of a kind in a namespace that a field selector fits, live: all of them or none. For the few that a selectable field
    /// tells from very many.
    ///
    /// # Errors
    /// As `list`.
    pub async fn list_where<K: Namespaced>(&self, namespace: &str, fields: &str) -> Result<Vec<K>, ApiError> {
        self.selected::<K, K>(namespace, &ListParams::default().fields(fields)).await
    }

    /// In one answer: an API server filters its cache for that, brought up to date where it must be; a limit would be read from the store.
    async fn selected<K: Namespaced, T: Debug + Clone + DeserializeOwned>(
        &self,
        namespace: &str,
        which: &ListParams,
    ) -> Result<Vec<T>, ApiError> {
        let request =
            Request::new(K::url_path(&(), Some(namespace))).list(which).map_err(|_| ApiError::Invalid)?;
        let text = within_deadline(self.text(request, LONGEST_LIST)).await?;
        serde_json::from_slice::<ObjectList<T>>(&text).map(|list| list.items).map_err(|_| ApiError::Invalid)
    }

    /// All pages together have one deadline. A page of one moment is followed by pages of the same one: nothing is missed in between.
    async fn pages<K: Debug + Clone + DeserializeOwned>(&self, url_path: &str) -> Result<Vec<K>, ApiError> {
        let mut found = Vec::new();
        let mut left = LONGEST_LIST;
        let mut token = None;
        loop {
            let Page { items, next, bytes } = self.page(url_path, "", token, left).await?;
            left -= bytes;
            found.extend(items);
            token = next;
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    async fn page<T: Debug + Clone + DeserializeOwned>(
        &self,
        url_path: &str,
        fields: &str,
        token: Option<String>,
        bound: usize,
    ) -> Result<Page<T>, ApiError> {
        let mut page = ListParams::default().limit(PAGE);
        if !fields.is_empty() {
            page = page.fields(fields);
        }
        page.continue_token = token;
        let request = Request::new(url_path).list(&page).map_err(|_| ApiError::Invalid)?;
        let text = self.text(request, bound).await?;
        let page: ObjectList<T> = serde_json::from_slice(&text).map_err(|_| ApiError::Invalid)?;
        let next = page.metadata.continue_.filter(|token| !token.is_empty());
        Ok(Page { items: page.items, next, bytes: text.len() })
    }

    /// An answer's body, which is read no further than to the bound.
    async fn text(&self, request: http::Request<Vec<u8>>, bound: usize) -> Result<Vec<u8>, ApiError> {
        let body = self.client.request_stream(request).await.map_err(|error| class_of(&error))?;
        let mut text = Vec::new();
        let mut body = pin!(body.take(bound as u64 + 1));
        body.read_to_end(&mut text).await.map_err(|_| ApiError::Unanswered)?;
        if text.len() > bound { Err(ApiError::TooMany) } else { Ok(text) }
    }

    /// Any object of a kind in a namespace, where there is one, whether it can be understood or not; lists one at most.
    ///
    /// # Errors
    /// As `ApiError`.
    pub async fn one<K: Namespaced>(&self, namespace: &str) -> Result<Option<DynamicObject>, ApiError> {
        let request = Request::new(K::url_path(&(), Some(namespace))).list(&ListParams::default().limit(1));
        let request = request.map_err(|_| ApiError::Invalid)?;
        Ok(within(self.client.request::<ObjectList<DynamicObject>>(request)).await?.items.into_iter().next())
    }

    /// Creates an object.
    ///
    /// # Errors
    /// `AlreadyExists` where there is one of this name; after `Unanswered` it may be there or not.
    pub async fn create<K: Namespaced>(&self, namespace: &str, object: &K) -> Result<K, ApiError> {
        let body = serde_json::to_vec(object).map_err(|_| ApiError::Invalid)?;
        let request = Request::new(K::url_path(&(), Some(namespace))).create(&parameters(), body);
        self.send(request).await
    }

    /// Has the API server judge something, which is stored nowhere: a token, or somebody's rights.
    ///
    /// # Errors
    /// As `ApiError`; `Forbidden` where the operator may not ask.
    pub async fn review<K: ClusterScoped>(&self, review: &K) -> Result<K, ApiError> {
        let body = serde_json::to_vec(review).map_err(|_| ApiError::Invalid)?;
        self.send(Request::new(K::url_path(&(), None)).create(&PostParams::default(), body)).await
    }

    /// Replaces an object; uid and resourceVersion must be those of the one that is stored.
    ///
    /// # Errors
    /// `Conflict` where they are not; after `Unanswered` it may be written or not.
    pub async fn replace<K: Namespaced>(&self, namespace: &str, object: &K) -> Result<K, ApiError> {
        let body = serde_json::to_vec(object).map_err(|_| ApiError::Invalid)?;
        let request =
            Request::new(K::url_path(&(), Some(namespace))).replace(&name(object), &parameters(), body);
        self.send(request).await
    }

    /// Replaces an object's status; uid and resourceVersion must be those of the one that is stored.
    ///
    /// # Errors
    /// As `replace`.
    pub async fn replace_status<K: Namespaced>(&self, namespace: &str, object: &K) -> Result<K, ApiError> {
        let body = serde_json::to_vec(object).map_err(|_| ApiError::Invalid)?;
        let request = Request::new(K::url_path(&(), Some(namespace)));
        self.send(request.replace_subresource("status", &name(object), &parameters(), body)).await
    }

    /// The same for an object that is in no namespace.
    ///
    /// # Errors
    /// As `replace`.
    pub async fn replace_status_of_cluster<K: ClusterScoped>(&self, object: &K) -> Result<K, ApiError> {
        let body = serde_json::to_vec(object).map_err(|_| ApiError::Invalid)?;
        let request = Request::new(K::url_path(&(), None));
        self.send(request.replace_subresource("status", &name(object), &parameters(), body)).await
    }

    /// Removes exactly the version of an object that was read.
    ///
    /// # Errors
    /// `Conflict` where it has changed since, or is another one; after `Unanswered` it may be gone or not.
    pub async fn remove_version<K: Namespaced>(&self, object: &K) -> Result<(), ApiError> {
        let ObjectMeta { namespace, uid, resource_version, .. } = version_of(object);
        let (Some(namespace), Some(_), Some(_)) = (namespace, &uid, &resource_version) else {
            return Err(ApiError::Invalid);
        };
        let exactly = DeleteParams {
            preconditions: Some(Preconditions { uid, resource_version }),
            ..DeleteParams::default()
        };
        let api = Api::<K>::namespaced(self.client.clone(), &namespace);
        within(api.delete(&name(object), &exactly)).await.map(drop)
    }

    async fn send<K: DeserializeOwned>(
        &self,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<K, ApiError> {
        let mut request = request.map_err(|_| ApiError::Invalid)?;
        *request.uri_mut() = strict(request.uri()).ok_or(ApiError::Invalid)?;
        within(self.client.request::<K>(request)).await
    }
}

/// What names exactly one version of one object: enough metadata for a PUT of its status.
#[must_use]
pub fn version_of<K: Resource>(object: &K) -> ObjectMeta {
    let ObjectMeta { name, namespace, uid, resource_version, .. } = object.meta().clone();
    ObjectMeta { name, namespace, uid, resource_version, ..ObjectMeta::default() }
}

fn name<K: Resource>(object: &K) -> String {
    object.meta().name.clone().unwrap_or_default()
}

fn parameters() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

/// kube's parameters for a write have no field for it.
fn strict(uri: &http::Uri) -> Option<http::Uri> {
    let separator = if uri.query().is_some() { '&' } else { '?' };
    format!("{uri}{separator}fieldValidation=Strict").parse().ok()
}

async fn within<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, ApiError> {
    within_deadline(async { call.await.map_err(|error| class_of(&error)) }).await
}

async fn within_deadline<T>(call: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    tokio::time::timeout(DEADLINE, call).await.unwrap_or(Err(ApiError::Unanswered))
}

/// What follows from an error of the client.
#[must_use]
pub fn class_of(error: &kube::Error) -> ApiError {
    match error {
        kube::Error::Api(status) => class_of_status(status),
        _ => ApiError::Unanswered,
    }
}

/// The same where the server says it in a status.
pub(super) fn class_of_status(status: &Status) -> ApiError {
    match status.code {
        409 if status.reason == "AlreadyExists" => ApiError::AlreadyExists,
        409 => ApiError::Conflict,
        404 => ApiError::NotFound,
        401 | 403 => ApiError::Forbidden,
        400 | 413 | 422 => ApiError::Invalid,
        _ => ApiError::Unanswered,
    }
}

#[cfg(test)]
mod tests;
