//! The rights that a release gives its operator, one by one: each can be taken away and given back.

use std::collections::BTreeMap;

use harness::eventually;
use http::{Method, Request};
use kube::Client;
use serde_json::{Value, json};

use crate::{
    release::{self, NAMESPACE},
    stage::{SOON, Stage},
};

pub const ACCOUNT: &str = "system:serviceaccount:customer-offboarding:customer-offboarding-operator";

/// One verb on one resource, and where the role names objects on one of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Right {
    /// The path of its role, as the API server has it.
    role: String,
    /// Where it holds; empty for what belongs to no namespace.
    namespace: String,
    group: String,
    pub resource: String,
    pub name: Option<String>,
    pub verb: String,
}

impl Right {
    /// `get secrets customer-offboarding-installation-key`
    pub fn words(&self) -> String {
        let name = self.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        format!("{} {}{name}", self.verb, self.resource)
    }

    fn rule(&self) -> Value {
        let mut rule = json!({"apiGroups": [self.group], "resources": [self.resource], "verbs": [self.verb]});
        if let Some(name) = &self.name {
            rule["resourceNames"] = json!([name]);
        }
        rule
    }
}

/// All rights of the operator, which watches one namespace.
pub struct Rights {
    client: Client,
    pub all: Vec<Right>,
}

impl Rights {
    /// As the release's roles have them.
    pub async fn of_release(stage: &Stage, watched: &str) -> Rights {
        let objects = release::objects(&stage.plane).await.unwrap();
        // The roles of people are bound by whoever installs.
        let bound: Vec<&Value> =
            objects.iter().map(|it| &it["roleRef"]["name"]).filter(|name| name.is_string()).collect();
        let is_bound = |role: &Value| bound.contains(&&role["metadata"]["name"]);
        let roles = objects.iter().filter(|it| it["kind"] == "ClusterRole" || it["kind"] == "Role");
        let all = roles.filter(|role| is_bound(role)).flat_map(|role| rights_of(role, watched)).collect();
        Rights { client: stage.plane.client("admin").await.unwrap(), all }
    }

    /// Takes one away, and waits until the API server knows.
    pub async fn take(&self, right: &Right) {
        self.set(&right.role, |it| it != right).await;
        self.until(right, false).await;
    }

    /// Gives it back.
    pub async fn give_back(&self, right: &Right) {
        self.set(&right.role, |_| true).await;
        self.until(right, true).await;
    }

    async fn set(&self, role: &str, keep: impl Fn(&Right) -> bool) {
        let kept = self.all.iter().filter(|right| right.role == role && keep(right));
        let rules: Vec<Value> = kept.map(Right::rule).collect();
        let body = json!({"rules": rules}).to_string().into();
        let request = Request::builder().method(Method::PATCH).uri(role);
        let request = request.header("content-type", "application/merge-patch+json").body(body).unwrap();
        self.client.request::<Value>(request).await.unwrap();
    }

    async fn until(&self, right: &Right, due: bool) {
        let (resource, below) = right.resource.split_once('/').unwrap_or((&right.resource, ""));
        let asked = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": ACCOUNT, "groups": ["system:authenticated"], "resourceAttributes": {
                "namespace": right.namespace, "group": right.group, "resource": resource, "subresource": below,
                "verb": right.verb, "name": right.name.clone().unwrap_or_default(),
            }},
        });
        eventually(SOON, &format!("`{}` is allowed: {due}", right.words()), async || {
            let request = Request::post("/apis/authorization.k8s.io/v1/subjectaccessreviews");
            let request = request.header("content-type", "application/json").body(asked.to_string().into());
            let answer = self.client.request::<Value>(request.unwrap()).await.unwrap();
            if answer["status"]["allowed"] == due { Ok(()) } else { Err(answer["status"].clone()) }
        })
        .await;
    }
}

fn rights_of(role: &Value, watched: &str) -> Vec<Right> {
    let name = role["metadata"]["name"].as_str().unwrap();
    let group = "/apis/rbac.authorization.k8s.io/v1";
    let (path, namespace) = match role["kind"].as_str() {
        Some("Role") => (format!("{group}/namespaces/{NAMESPACE}/roles/{name}"), NAMESPACE),
        _ if name.ends_with("-watched") => (format!("{group}/clusterroles/{name}"), watched),
        _ => (format!("{group}/clusterroles/{name}"), ""),
    };
    let words = |list: &Value| -> Vec<String> {
        let words = list.as_array().into_iter().flatten();
        words.map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let mut rights = Vec::new();
    for rule in role["rules"].as_array().unwrap() {
        let mut names: Vec<Option<String>> = words(&rule["resourceNames"]).into_iter().map(Some).collect();
        if names.is_empty() {
            names.push(None);
        }
        for (group, resource) in words(&rule["apiGroups"])
            .iter()
            .flat_map(|group| words(&rule["resources"]).into_iter().map(move |it| (group.clone(), it)))
        {
            for (name, verb) in names
                .iter()
                .flat_map(|name| words(&rule["verbs"]).into_iter().map(move |verb| (name.clone(), verb)))
            {
                rights.push(Right {
                    role: path.clone(),
                    namespace: namespace.to_owned(),
                    group: group.clone(),
                    resource: resource.clone(),
                    name,
                    verb,
                });
            }
        }
    }
    rights
}

/// What the operator asked of the API server, by the same words, and how often it was refused.
pub fn asked(stage: &Stage) -> (BTreeMap<String, usize>, Vec<Value>) {
    let (mut used, mut refused) = (BTreeMap::new(), Vec::new());
    for event in stage.plane.audit_events().unwrap() {
        if event["user"]["username"] != ACCOUNT || event["stage"] == "Panic" {
            continue;
        }
        if event["responseStatus"]["code"] == 403 {
            refused.push(event.clone());
            continue;
        }
        let object = &event["objectRef"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let below = object["subresource"].as_str().map(|it| format!("/{it}")).unwrap_or_default();
        let (verb, resource) = (text(&event["verb"]), text(&object["resource"]) + &below);
        // A PUT of what is not there needs the right to create it.
        let made = verb == "update" && event["responseStatus"]["code"] == 201;
        for verb in [Some(verb), made.then(|| "create".to_owned())].into_iter().flatten() {
            *used.entry(format!("{verb} {resource} {}", text(&object["name"]))).or_default() += 1;
            *used.entry(format!("{verb} {resource}")).or_default() += 1;
        }
    }
    (used, refused)
}
