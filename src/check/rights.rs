//! The operator's rights, as `deploy/roles.yaml` gives them, and those that nobody should give it.

use serde_json::Value;

/// The file that users apply: what stands there is not listed twice.
const SHIPPED: &str = include_str!("../../deploy/roles.yaml");

/// The namespace that the file is written for.
const NAMESPACE: &str = "customer-offboarding";

/// The role that goes with the namespaces of the requests: bound in each of them, or for all.
const WATCHED: &str = "customer-offboarding-operator-watched";

const GROUP: &str = "offboarding.dev";

/// One right, as the API server is asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Right {
    pub verb: String,
    pub group: String,
    pub resource: String,
    pub subresource: String,
    /// One object only; empty for all.
    pub name: String,
    /// In one namespace only; empty for all, and for what has none.
    pub namespace: String,
}

/// As one would say it: `update customeroffboardings/status.offboarding.dev in billing`.
impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Right { verb, group, resource, subresource, name, namespace } = self;
        let parts = [("/", subresource), (".", group), (" ", name), (" in ", namespace)];
        write!(f, "{verb} {resource}")?;
        parts
            .iter()
            .filter(|(_, part)| !part.is_empty())
            .try_for_each(|(sign, part)| write!(f, "{sign}{part}"))
    }
}

/// A right that a compromised operator must not have.
#[derive(Debug, PartialEq, Eq)]
pub struct Excess {
    pub verb: &'static str,
    pub group: &'static str,
    pub resource: &'static str,
    /// What somebody could do with it.
    pub means: &'static str,
}

/// Source: security.md section 3.2, U6.
pub const EXCESS: &[Excess] = &[
    Excess { verb: "list", group: "", resource: "secrets", means: "read every Secret" },
    Excess { verb: "watch", group: "", resource: "secrets", means: "read every Secret" },
    Excess { verb: "create", group: "", resource: "pods", means: "mount every Secret" },
    Excess { verb: "impersonate", group: "", resource: "users", means: "agree in anybody's name" },
    Excess { verb: "create", group: GROUP, resource: "offboardingapprovals", means: "agree by itself" },
    Excess { verb: "approve", group: GROUP, resource: "customeroffboardings", means: "agree by itself" },
    Excess { verb: "create", group: GROUP, resource: "customeroffboardings", means: "ask for deletions" },
    Excess {
        verb: "update",
        group: GROUP,
        resource: "offboardingproviders",
        means: "send credentials elsewhere",
    },
    Excess { verb: "delete", group: GROUP, resource: "customerholds", means: "lift holds" },
    Excess { verb: "delete", group: GROUP, resource: "offboardingrecords", means: "remove evidence" },
];

/// Where the operator works in listed namespaces alone. Source: security.md R4.
pub const EVERYWHERE: Excess = Excess {
    verb: "get",
    group: "",
    resource: "secrets",
    means: "read Secrets of namespaces that are not listed",
};

/// Rights without which the operator does everything but one thing: what nobody uses may be left out of the roles.
const OPTIONAL: &[(&str, &str)] = &[
    ("delete", "customeroffboardings"),
    ("create", "tokenreviews"),
    ("create", "subjectaccessreviews"),
    ("get", "mutatingadmissionpolicies"),
    ("get", "mutatingadmissionpolicybindings"),
];

impl Right {
    /// Whether only `ttlAfterFinished`, metrics for others, or the doctor need it.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        OPTIONAL.contains(&(self.verb.as_str(), self.resource.as_str()))
    }
}

impl Excess {
    /// The right, everywhere.
    #[must_use]
    pub fn right(&self) -> Right {
        let text = |part: &str| part.to_owned();
        let Excess { verb, group, resource, means: _ } = self;
        Right {
            verb: text(verb),
            group: text(group),
            resource: text(resource),
            subresource: String::new(),
            name: String::new(),
            namespace: String::new(),
        }
    }
}

/// Every right that the shipped roles give: one for each verb, resource and name. Requests may be anywhere, or in the watched
/// namespaces alone.
#[must_use]
pub fn shipped(operator_namespace: &str, watched: &[String]) -> Vec<Right> {
    let objects: Vec<Value> = serde_saphyr::from_slice_multiple(SHIPPED.as_bytes()).unwrap_or_default();
    let bindings = objects.iter().filter(|it| text(&it["kind"]).ends_with("Binding"));
    let given = bindings.flat_map(|binding| {
        let role = &binding["roleRef"];
        let is_it = |it: &&Value| it["kind"] == role["kind"] && it["metadata"]["name"] == role["name"];
        let rules = objects.iter().find(is_it).and_then(|it| it["rules"].as_array());
        let namespaces = match text(&binding["metadata"]["namespace"]) {
            NAMESPACE => vec![operator_namespace.to_owned()],
            "" if role["name"] == WATCHED && !watched.is_empty() => watched.to_vec(),
            elsewhere => vec![elsewhere.to_owned()],
        };
        rules.into_iter().flatten().flat_map(move |rule| of_rule(rule, &namespaces))
    });
    given.collect()
}

fn of_rule(rule: &Value, namespaces: &[String]) -> Vec<Right> {
    let words = |list: &str| -> Vec<String> {
        rule[list].as_array().into_iter().flatten().map(|it| text(it).to_owned()).collect()
    };
    let names = match words("resourceNames") {
        names if names.is_empty() => vec![String::new()],
        names => names,
    };
    let mut rights = Vec::new();
    for namespace in namespaces {
        for group in words("apiGroups") {
            for resource in words("resources") {
                let (resource, subresource) = resource.split_once('/').unwrap_or((resource.as_str(), ""));
                for name in &names {
                    rights.extend(words("verbs").into_iter().map(|verb| Right {
                        verb,
                        group: group.clone(),
                        resource: resource.to_owned(),
                        subresource: subresource.to_owned(),
                        name: name.clone(),
                        namespace: namespace.clone(),
                    }));
                }
            }
        }
    }
    rights
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(watched: &[&str]) -> Vec<String> {
        let watched: Vec<String> = watched.iter().map(|it| (*it).to_owned()).collect();
        shipped("elsewhere", &watched).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_rule_of_the_shipped_roles_is_asked_for_where_it_is_bound() {
        let everywhere = said(&[]);
        for right in [
            "list customeroffboardings.offboarding.dev",
            "update customeroffboardings/status.offboarding.dev",
            "get secrets",
            "get validatingadmissionpolicies.admissionregistration.k8s.io approvals.offboarding.dev",
            "create offboardingrecords.offboarding.dev in elsewhere",
            "get secrets customer-offboarding-installation-key in elsewhere",
            "update leases.coordination.k8s.io customer-offboarding-operator in elsewhere",
        ] {
            assert!(everywhere.contains(&right.to_owned()), "{right}: {everywhere:#?}");
        }
        // Counted by hand of the file's text: a rule that is not understood would be missing.
        let verbs = SHIPPED.lines().filter(|line| line.contains("verbs: [")).count();
        assert!(everywhere.len() > 2 * verbs, "{verbs} rules, {everywhere:#?}");
    }

    #[test]
    fn what_goes_with_the_requests_is_asked_for_in_the_watched_namespaces_alone() {
        let watched = said(&["billing", "crm"]);
        for right in [
            "list customeroffboardings.offboarding.dev in billing",
            "get secrets in crm",
            "list customerholds.offboarding.dev",
            "create offboardingrecords.offboarding.dev in elsewhere",
        ] {
            assert!(watched.contains(&right.to_owned()), "{right}: {watched:#?}");
        }
        assert!(!watched.contains(&"get secrets".to_owned()), "{watched:#?}");
    }

    #[test]
    fn no_right_that_is_shipped_is_one_too_many() {
        let shipped = shipped("elsewhere", &[]);
        for excess in EXCESS {
            let right = excess.right();
            let is_it = |it: &&Right| Right { namespace: String::new(), ..(*it).clone() } == right;
            let found = shipped.iter().find(is_it);
            assert_eq!(found, None, "{right}");
        }
    }
}
