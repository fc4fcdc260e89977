//! Who may do what: the roles of `deploy/personas.yaml`, bound to the groups of the people in `users.rs`.

use std::time::Duration;

use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, RoleRef, Subject as Bound};
use kube::{
    Api, Resource,
    api::{ObjectMeta, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{ControlPlane, Failure, Namespace, eventually::poll};

/// Twelve times what it takes.
const STAMPED_WITHIN: Duration = Duration::from_secs(60);

/// Whom a role is given to.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// Everybody in a group.
    Group(&'a str),
    /// One user, by the name that the API server knows.
    User(&'a str),
}

/// In each namespace of requests.
const THERE: &[(&str, &str)] = &[
    ("offboarding-requester", "requesters"),
    ("offboarding-approver", "approvers"),
    ("offboarding-platform", "platform"),
];

/// In the whole cluster.
const EVERYWHERE: &[(&str, &str)] = &[("offboarding-legal", "legal"), ("offboarding-auditor", "auditors")];

impl ControlPlane {
    /// Gives the groups requesters, approvers and platform their part in a namespace, and legal and auditors theirs everywhere. The
    /// API server needs some milliseconds to take notice.
    ///
    /// # Errors
    /// With what the API server says.
    pub async fn bind_personas(&self, namespace: &Namespace) -> Result<(), Failure> {
        for (role, group) in THERE {
            self.bind(role, Subject::Group(group), Some(namespace)).await?;
        }
        for (role, group) in EVERYWHERE {
            self.bind(role, Subject::Group(group), None).await?;
        }
        Ok(())
    }

    /// Waits until a CustomerOffboarding that is created is stamped with who asked. When `deploy/stamp-requester.yaml` is in force and the
    /// definition is new, or the API server, every one is refused for up to five seconds: it reads the definitions at that pace.
    ///
    /// # Errors
    /// With what the API server says, where it stays that way.
    pub async fn stamps_requests(&self) -> Result<(), Failure> {
        let client = self.client("admin").await?;
        let request = json!({
            "apiVersion": "offboarding.dev/v1alpha1", "kind": "CustomerOffboarding", "metadata": { "name": "acme" },
            "spec": { "customer": { "id": "1" }, "targets": [{ "name": "a", "providerRef": { "name": "a" } }] },
        });
        let path = "/apis/offboarding.dev/v1alpha1/namespaces/default/customeroffboardings?dryRun=All";
        let stamped = poll(STAMPED_WITHIN, async || {
            let body = serde_json::to_vec(&request).unwrap_or_default();
            let request = http::Request::post(path).header("content-type", "application/json").body(body);
            let request = request.map_err(|why| why.to_string())?;
            let made = client.request::<Value>(request).await.map_err(|why| why.to_string())?;
            let author = &made["metadata"]["annotations"]["offboarding.dev/requested-by"];
            if author == "admin" { Ok(()) } else { Err(made.to_string()) }
        });
        stamped.await.map_err(|seen| Failure::new("have a request stamped", seen.unwrap_or_default()))
    }

    /// Gives somebody a ClusterRole, in one namespace or everywhere. Nothing happens if they have it.
    ///
    /// # Errors
    /// With what the API server says.
    pub async fn bind(
        &self,
        role: &str,
        to: Subject<'_>,
        namespace: Option<&Namespace>,
    ) -> Result<(), Failure> {
        let client = self.client("admin").await?;
        let (kind, name) = match to {
            Subject::Group(name) => ("Group", name),
            Subject::User(name) => ("User", name),
        };
        let group = || "rbac.authorization.k8s.io".to_owned();
        let metadata = ObjectMeta { name: Some(format!("{role}:{name}")), ..ObjectMeta::default() };
        let role_ref = RoleRef { api_group: group(), kind: "ClusterRole".to_owned(), name: role.to_owned() };
        let subjects = Some(vec![Bound {
            api_group: Some(group()),
            kind: kind.to_owned(),
            name: name.to_owned(),
            namespace: None,
        }]);
        match namespace {
            Some(namespace) => {
                made(&namespace.api(&client), &RoleBinding { metadata, role_ref, subjects }).await
            }
            None => made(&Api::all(client), &ClusterRoleBinding { metadata, role_ref, subjects }).await,
        }
    }
}

async fn made<K>(api: &Api<K>, binding: &K) -> Result<(), Failure>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Serialize,
{
    match api.create(&PostParams::default(), binding).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        Ok(_) => Ok(()),
        Err(why) => Err(Failure::new(format!("bind {:?}", binding.meta().name), why)),
    }
}
