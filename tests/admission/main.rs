//! Who may do what on a real API server with everything that users apply: roles, personas, policies. Row numbers are those of
//! the table of bad inputs in the security requirements.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod approvals;
mod fixtures;
mod lists;
mod operator_only;
mod personas;
mod policies;
mod removal;
mod requests;

use std::{path::Path, time::Duration};

use harness::{ControlPlane, Failure, Namespace, Subject, eventually};
use http::Method;
use kube::Client;
use serde_json::Value;
use tokio::sync::OnceCell;

use fixtures::{approval, with};

/// How long the API server may take to notice a policy or a role.
const SOON: Duration = Duration::from_secs(60);

/// A namespace on an API server with everything that users apply.
struct Hall<'a> {
    plane: &'a ControlPlane,
    namespace: Namespace,
}

/// One thing that somebody tries.
struct Try {
    method: Method,
    path: String,
    content: &'static str,
    body: Value,
}

/// What it came to: the object, or why not.
type Answer = Result<Value, String>;

/// The answer of every role that lacks a right.
const NO_RIGHT: &str = "no right";
const ALLOWED: &str = "allowed";

impl Hall<'static> {
    /// On the API server that all tests share, once its policies act.
    async fn open(prefix: &str) -> Result<Hall<'static>, Failure> {
        static INSTALLED: OnceCell<()> = OnceCell::const_new();
        let plane = ControlPlane::shared().await?;
        INSTALLED
            .get_or_try_init(async || {
                plane.apply_path(&root().join("crds")).await?;
                plane.apply_path(&root().join("deploy")).await?;
                let hall = Hall::on(plane, "first").await?;
                hall.until_refused(
                    "approvals",
                    "admin",
                    &hall.create(&with(approval("it"), "approver", "bob")),
                )
                .await;
                hall.until_refused("operator-only", "admin", &hall.create(&fixtures::record("it"))).await;
                plane.stamps_requests().await?;
                Ok(())
            })
            .await?;
        Hall::on(plane, prefix).await
    }
}

impl<'a> Hall<'a> {
    /// A namespace in which the groups of people have their parts.
    async fn on(plane: &'a ControlPlane, prefix: &str) -> Result<Hall<'a>, Failure> {
        let namespace = plane.namespace(prefix).await?;
        plane.bind_personas(&namespace).await?;
        let hall = Hall { plane, namespace };
        hall.until_bound("bob", &hall.create(&approval("it"))).await;
        hall.until_bound("alice", &hall.create(&fixtures::request("it"))).await;
        Ok(hall)
    }

    /// Gives somebody a further role here.
    async fn bind(&self, role: &str, user: &str) -> Result<(), Failure> {
        self.plane.bind(role, Subject::User(user), Some(&self.namespace)).await
    }

    /// Waits until somebody may do it.
    async fn until_allowed(&self, who: &str, what: &Try) {
        eventually(SOON, &format!("{who} is allowed"), async || self.tries(who, what).await.map(drop)).await;
    }

    /// Waits until roles no longer stand in somebody's way, whatever a policy says.
    async fn until_bound(&self, who: &str, what: &Try) {
        eventually(SOON, &format!("{who} has a right"), async || match self.tries(who, what).await {
            Err(why) if why == NO_RIGHT => Err(why),
            _ => Ok(()),
        })
        .await;
    }

    async fn until_refused(&self, policy: &str, who: &str, what: &Try) {
        eventually(SOON, &format!("{policy} refuses"), async || match self.tries(who, what).await {
            Ok(made) => Err(made),
            Err(_) => Ok(()),
        })
        .await;
    }

    /// Where the objects of a kind are; `name` may be empty.
    fn path(&self, plural: &str, name: &str) -> String {
        let place = match plural {
            "customerholds" | "customresourcedefinitions" | "namespaces" => String::new(),
            _ => format!("namespaces/{}/", self.namespace),
        };
        let group = match plural {
            "customresourcedefinitions" => "/apis/apiextensions.k8s.io/v1/",
            "namespaces" => "/api/v1/",
            _ => "/apis/offboarding.dev/v1alpha1/",
        };
        format!("{group}{place}{plural}/{name}").trim_end_matches('/').to_owned()
    }

    fn path_of(&self, object: &Value) -> String {
        self.path(&plural(object), object["metadata"]["name"].as_str().unwrap())
    }

    /// Nothing is stored: policies judge it all the same.
    fn create(&self, object: &Value) -> Try {
        let path = self.path(&plural(object), "") + "?dryRun=All&fieldValidation=Strict";
        Try { method: Method::POST, path, content: "application/json", body: object.clone() }
    }

    fn patch(&self, object: &Value, change: Value) -> Try {
        let path = self.path_of(object) + "?dryRun=All";
        Try { method: Method::PATCH, path, content: "application/merge-patch+json", body: change }
    }

    fn replace(&self, object: &Value) -> Try {
        let path = self.path_of(object) + "?dryRun=All";
        Try { method: Method::PUT, path, content: "application/json", body: object.clone() }
    }

    fn delete(&self, plural: &str, name: &str) -> Try {
        let path = self.path(plural, name) + "?dryRun=All";
        Try { method: Method::DELETE, path, content: "application/json", body: Value::Null }
    }

    /// Does it as somebody: a user of the harness, or by impersonation `as` anybody with all rights that a role can give, or
    /// `plain` anybody with those that were given to them by name.
    async fn tries(&self, who: &str, what: &Try) -> Answer {
        self.tries_with(&self.client(who).await, what).await
    }

    async fn tries_with(&self, client: &Client, what: &Try) -> Answer {
        let body = if what.body.is_null() { Vec::new() } else { serde_json::to_vec(&what.body).unwrap() };
        let request = http::Request::builder().method(&what.method).uri(&what.path);
        let request = request.header("content-type", what.content).body(body).unwrap();
        match client.request::<Value>(request).await {
            Ok(value) => Ok(value),
            Err(kube::Error::Api(status)) => Err(cause(&status.message)),
            Err(error) => panic!("{} {}: {error}", what.method, what.path),
        }
    }

    /// For good.
    async fn does(&self, who: &str, mut what: Try) -> Value {
        what.path = what.path.replace("dryRun=All", "");
        self.tries(who, &what)
            .await
            .unwrap_or_else(|why| panic!("{who} {} {}: {why}", what.method, what.path))
    }

    async fn client(&self, who: &str) -> Client {
        let (user, groups): (_, &[&str]) = match who.split_once(' ') {
            Some(("as", user)) => (user, &["system:masters", "system:authenticated"]),
            Some(("plain", user)) => (user, &["system:authenticated"]),
            _ => return self.plane.client(who).await.unwrap(),
        };
        let mut config = self.plane.client_config("admin").await.unwrap();
        config.auth_info.impersonate = Some(user.to_owned());
        config.auth_info.impersonate_groups = Some(groups.iter().map(|&it| it.to_owned()).collect());
        Client::try_from(config).unwrap()
    }

    /// Each row: what it is about, who tries what, and the answer that is due.
    async fn assert_answers<'b>(&self, rows: impl IntoIterator<Item = (&'b str, &'b str, Try, &'b str)>) {
        let (mut wrong, mut count) = (String::new(), 0);
        for (about, who, what, due) in rows {
            count += 1;
            let answer = self.tries(who, &what).await;
            let answer = answer.map_or_else(|why| why, |_| ALLOWED.to_owned());
            if answer != due {
                wrong += &format!(
                    "\n{about}: {who} {} {}\n     due: {due}\n  answer: {answer}\n",
                    what.method, what.path
                );
            }
        }
        println!("{count} rows");
        assert!(wrong.is_empty(), "{wrong}");
    }
}

/// The server's answer without the names of object, policy and user.
fn cause(message: &str) -> String {
    if let Some((_, cause)) = message.split_once("denied request: ") {
        return cause.to_owned();
    }
    if message.contains("is forbidden: User ") && message.contains(" cannot ") {
        return NO_RIGHT.to_owned();
    }
    message.split_once(" is invalid: ").map_or(message, |(_, cause)| cause).to_owned()
}

fn plural(object: &Value) -> String {
    format!("{}s", object["kind"].as_str().unwrap().to_lowercase())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
