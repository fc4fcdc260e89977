//! Who may knock at the API server: real identities by token, as the personas of the product.

use std::path::Path;

use serde_json::{Value, json};

use crate::{Failure, Scratch};

/// What a test calls somebody, what the API server calls them, and their groups.
struct User {
    name: &'static str,
    username: &'static str,
    groups: &'static [&'static str],
}

const USERS: &[User] = &[
    person("admin", &["system:masters"]),
    person("grace", &["system:masters", "offboarding-break-glass"]),
    person("alice", &["requesters"]),
    person("bob", &["approvers"]),
    person("carol", &["approvers"]),
    person("frank", &["requesters", "approvers"]),
    person("dave", &["platform"]),
    person("erin", &["legal"]),
    person("ivan", &["auditors"]),
    User {
        name: "controller-manager",
        username: "system:kube-controller-manager",
        groups: &["system:authenticated"],
    },
    User {
        name: "argocd",
        username: "system:serviceaccount:argocd:argocd-application-controller",
        groups: &["system:serviceaccounts", "system:serviceaccounts:argocd", "system:authenticated"],
    },
    User {
        name: "operator",
        username: "system:serviceaccount:customer-offboarding:customer-offboarding-operator",
        groups: &[
            "system:serviceaccounts",
            "system:serviceaccounts:customer-offboarding",
            "system:authenticated",
        ],
    },
];

const fn person(name: &'static str, groups: &'static [&'static str]) -> User {
    User { name, username: name, groups }
}

/// Writes the API server's token file: `token,user,uid,"group,group"`.
pub(crate) fn write_tokens(scratch: &Scratch) -> Result<(), Failure> {
    let lines = USERS.iter().map(|user| {
        format!("{},{},uid-of-{},\"{}\"\n", token(user), user.username, user.name, user.groups.join(","))
    });
    scratch.write("tokens.csv", &lines.collect::<String>())?;
    Ok(())
}

/// Writes a kubeconfig for everybody: `<name>.kubeconfig`. JSON is YAML.
pub(crate) fn write_kubeconfigs(scratch: &Scratch, server: &str, authority: &Path) -> Result<(), Failure> {
    for user in USERS {
        let cluster = json!({ "server": server, "certificate-authority": authority });
        scratch.write(&file_name(user.name), &kubeconfig_of(user.name, &cluster))?;
    }
    Ok(())
}

/// A user's kubeconfig for a cluster.
///
/// # Panics
/// When there is no such user: a test is misspelt.
pub(crate) fn kubeconfig_of(name: &str, cluster: &Value) -> String {
    let user = USERS.iter().find(|user| user.name == name).expect("a user of this name");
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "test", "cluster": cluster }],
        "users": [{ "name": name, "user": { "token": token(user) } }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": name } }],
        "current-context": "test",
    });
    format!("{kubeconfig:#}\n")
}

/// The file name of a user's kubeconfig.
///
/// # Panics
/// When there is no such user: a test is misspelt.
pub(crate) fn kubeconfig_name(name: &str) -> String {
    let known: Vec<&str> = USERS.iter().map(|user| user.name).collect();
    assert!(known.contains(&name), "there is no user {name}; there are {}", known.join(", "));
    file_name(name)
}

fn file_name(name: &str) -> String {
    format!("{name}.kubeconfig")
}

fn token(user: &User) -> String {
    format!("token-of-{}", user.name)
}
