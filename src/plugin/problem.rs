//! What can go wrong: what happened, to which object, and what to type next.

use super::{exit::Exit, here::Here, text::harmless};

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("there is no cluster to speak to: {0}\nsee `kubectl config get-contexts`")]
    NoCluster(String),
    #[error(
        "refusing an unverified API server connection (`insecure-skip-tls-verify`) or plain http: what is shown might be forged, and you would agree to it"
    )]
    Unverified,
    #[error("{what} is not there\nlook with `{look}`")]
    NotFound { what: String, look: String },
    #[error("the API server does not know {kind}\ninstall the CRDs: `kubectl apply --server-side -f crds/`")]
    NotInstalled { kind: String },
    #[error("you may not {verb} {what}: {said}\n{ask}")]
    Forbidden { verb: &'static str, what: String, said: String, ask: String },
    #[error("the API server does not know who you are: {0}\nlog in again; see `kubectl auth whoami`")]
    Unauthorized(String),
    #[error("failed to {verb} {what}: {said}")]
    Refused { verb: &'static str, what: String, said: String },
    #[error("failed to {verb} {what}: {why}\nwhether it was done is not known; look with `{look}`")]
    Unanswered { verb: &'static str, what: String, why: String, look: String },
    #[error("{what} keeps changing; type the command again")]
    Moving { what: String },
    #[error("{what} was deleted and created again while you were reading; type the command again")]
    AnotherObject { what: String },
    #[error("the plan is now {now}; read it again with `{read}`")]
    PlanChanged { now: String, read: String },
    #[error("--plan {hash} belongs to none of the requests; read them again with `kubectl offboarding plan`")]
    NobodysPlan { hash: String },
    #[error("{what} has no plan yet\nsee `{explain}`")]
    NoPlan { what: String, explain: String },
    #[error("{what} is finished: {how}\nto offboard the customer again, create another CustomerOffboarding")]
    Finished { what: String, how: String },
    #[error(
        "{count} requests match; one approval binds at most {most}\nnarrow the selector, and approve them in parts"
    )]
    TooMany { count: String, most: usize },
    #[error("no unfinished request in namespace {namespace} {which}\nlook with `{look}`")]
    NoMatch { namespace: String, which: String, look: String },
    #[error("the plan of {what} has no blocking check {check}\n{known}")]
    NoSuchCheck { what: String, check: String, known: String },
    #[error("{0}")]
    Input(String),
    #[error("this asks a question, and standard input is not a terminal; {0}")]
    NoTerminal(&'static str),
    #[error("that is not `{0}`; nothing was changed")]
    Mistyped(String),
    #[error("interrupted; nothing was changed")]
    Interrupted,
    #[error("failed to write to standard output: {0}")]
    Output(#[from] std::io::Error),
}

impl Problem {
    /// How the program ends then.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Problem::Mistyped(_) => Exit::Aborted,
            Problem::Interrupted => Exit::Interrupted,
            Problem::NoTerminal(_) | Problem::Input(_) => Exit::Usage,
            Problem::NoCluster(_)
            | Problem::Unverified
            | Problem::NotFound { .. }
            | Problem::NotInstalled { .. }
            | Problem::Forbidden { .. }
            | Problem::Unauthorized(_)
            | Problem::Refused { .. }
            | Problem::Unanswered { .. }
            | Problem::Moving { .. }
            | Problem::AnotherObject { .. }
            | Problem::PlanChanged { .. }
            | Problem::NobodysPlan { .. }
            | Problem::NoPlan { .. }
            | Problem::Finished { .. }
            | Problem::TooMany { .. }
            | Problem::NoMatch { .. }
            | Problem::NoSuchCheck { .. }
            | Problem::Output(_) => Exit::Refused,
        }
    }
}

/// What was tried, so that a failure can say it.
#[derive(Clone, Copy, Debug)]
pub struct Tried<'a> {
    pub verb: &'static str,
    /// The resource, as RBAC names it.
    pub resource: &'static str,
    /// The namespace; `None` for kinds of the whole cluster, or all namespaces.
    pub namespace: Option<&'a str>,
    /// The object; `None` for lists and creations.
    pub name: Option<&'a str>,
}

impl Tried<'_> {
    /// The object in words: `customeroffboardings "acme" in namespace team`.
    fn what(&self) -> String {
        let name = self.name.map_or_else(String::new, |name| format!(" \"{}\"", harmless(name)));
        let place = self.namespace.map_or_else(String::new, |it| format!(" in namespace {}", harmless(it)));
        format!("{}{name}{place}", self.resource)
    }

    fn look(&self, here: &Here) -> String {
        let place = self.namespace.map_or_else(String::new, |it| format!(" -n {it}"));
        here.kubectl_anywhere(&format!("get {}{place}", short(self.resource)))
    }

    /// Whom to ask for the right that is missing.
    fn ask(&self) -> String {
        let role = match (self.resource, self.verb) {
            ("offboardingapprovals", "create") => "offboarding-approver (offboarding-waiver to waive)",
            ("customeroffboardings", "patch") => "offboarding-requester",
            ("customerholds", _) => "offboarding-legal",
            ("secrets", _) => {
                return "only those who may read the installation key can compute pseudonyms; ask the platform team"
                    .to_owned();
            }
            ("selfsubjectreviews", _) => "system:basic-user",
            _ => "offboarding-view",
        };
        let binding = if self.namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" };
        format!("ask for a {binding} to the ClusterRole {role}")
    }

    /// An answer of the API server as a problem.
    pub fn failed(&self, error: kube::Error, here: &Here) -> Problem {
        let kube::Error::Api(status) = error else {
            return Problem::Unanswered {
                verb: self.verb,
                what: self.what(),
                why: harmless(&causes(&error)),
                look: self.look(here),
            };
        };
        let said = harmless(&status.message);
        let names_an_object = status.details.as_ref().is_some_and(|details| !details.name.is_empty());
        match status.code {
            401 => Problem::Unauthorized(said),
            403 => Problem::Forbidden { verb: self.verb, what: self.what(), said, ask: self.ask() },
            404 if names_an_object => Problem::NotFound { what: self.what(), look: self.look(here) },
            404 => Problem::NotInstalled { kind: self.resource.to_owned() },
            409 => Problem::Moving { what: self.what() },
            _ => Problem::Refused { verb: self.verb, what: self.what(), said },
        }
    }

    /// No answer in time.
    pub fn too_late(&self, here: &Here) -> Problem {
        self.unanswered("the API server did not answer in time", here)
    }

    /// Ctrl-C before the answer came. What only reads has changed nothing.
    pub fn interrupted(&self, here: &Here) -> Problem {
        match (self.verb, self.resource) {
            ("get" | "list" | "watch", _) | (_, "selfsubjectreviews") => Problem::Interrupted,
            _ => self.unanswered("interrupted before the API server answered", here),
        }
    }

    fn unanswered(&self, why: &str, here: &Here) -> Problem {
        Problem::Unanswered { verb: self.verb, what: self.what(), why: why.to_owned(), look: self.look(here) }
    }
}

/// As kubectl users know it.
fn short(resource: &str) -> &str {
    match resource {
        "customeroffboardings" => "cob",
        "offboardingapprovals" => "coba",
        "customerholds" => "cobh",
        other => other,
    }
}

/// An error with all its causes: kube's own words alone do not say why.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        source = cause.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::fixtures::here;

    #[test]
    fn an_interrupted_write_never_says_that_nothing_was_changed() {
        for (verb, resource, changes_nothing) in [
            ("get", "customeroffboardings", true),
            ("list", "customeroffboardings", true),
            ("create", "selfsubjectreviews", true),
            ("create", "offboardingapprovals", false),
            ("patch", "customeroffboardings", false),
            ("delete", "customerholds", false),
        ] {
            let problem = Tried { verb, resource, namespace: Some("team"), name: None }.interrupted(&here());
            assert_eq!(
                matches!(problem, Problem::Interrupted),
                changes_nothing,
                "{verb} {resource}: {problem}"
            );
            let is_unknown = problem.to_string().contains("whether it was done is not known");
            assert_eq!(is_unknown, !changes_nothing, "{verb} {resource}: {problem}");
        }
    }
}
