//! What the facts mean: one line for each check, in the order in which one would mend things.

use jiff::{SignedDuration, Timestamp};

use super::{
    definitions::{Definition, DefinitionState},
    facts::{Answer, Facts, KeyFound, LeaseFound, RecordsFound, StampFound, Version},
    line::{Line, Verdict},
    providers, rights,
};
use crate::{
    controller::{ApiError, INSTALLATION_KEY_SECRET as SECRET, LEASE},
    domain::PolicyState,
};

/// The oldest Kubernetes that everything works with: 1.33.
const OLDEST: (u32, u32) = (1, 33);

/// Since when requests can be stamped.
const STAMPS: (u32, u32) = (1, 36);

/// Up to this a clock is right enough, and above that certificates, approvals and schedules go wrong.
const GOOD_CLOCK: SignedDuration = SignedDuration::from_secs(5);
const BAD_CLOCK: SignedDuration = SignedDuration::from_secs(30);

/// Says who wrote it down and when: set by a person, once the key is backed up.
pub const BACKED_UP: &str = "offboarding.dev/key-backed-up-at";

/// The policies name the account that may write records and statuses.
const POLICIES: &str = include_str!("../../deploy/admission.yaml");

const APPLY_ROLES: &str = "kubectl apply --server-side -f deploy/roles.yaml";

/// The file would give the rights everywhere.
const APPLY_LISTED: &str = "bind the ClusterRole customer-offboarding-operator-watched in each of the namespaces, as `helm upgrade` does; \
                            deploy/roles.yaml would give its rights everywhere";

/// What is found, in words.
#[must_use]
pub fn judge(facts: &Facts) -> Vec<Line> {
    let mut lines = vec![
        kubernetes(&facts.version),
        definitions(&facts.definitions),
        policies(&facts.policies),
        stamp(&facts.stamp),
        identity(&facts.user),
        lacking(facts),
        excess(facts),
        namespace(facts),
    ];
    lines.extend(key(facts));
    lines.push(lease(facts));
    lines.push(clock("clock", "the API server", facts.ahead));
    lines.extend(providers::judge(&facts.providers));
    lines
}

/// Nobody knows: the API server did not say.
pub(super) fn unseen(check: &str, error: ApiError, permission: &str) -> Line {
    let (says, todo) = match error {
        ApiError::Forbidden => (
            format!("this account may not {permission}"),
            format!("use the operator's own account, or somebody's who may {permission}"),
        ),
        error => (format!("the API server: {error}"), "try again; look after the API server".to_owned()),
    };
    Line::bad(check, Verdict::Unknown, says, todo)
}

fn kubernetes(version: &Version) -> Line {
    let said = format!("Kubernetes {}", version.name);
    if (version.major, version.minor) >= OLDEST {
        return Line::ok("kubernetes", said);
    }
    let says = format!("{said}: 1.33 or newer is needed");
    Line::bad("kubernetes", Verdict::Fail, says, "upgrade the cluster")
}

/// The worst of them is told first: a missing kind before an older one, that before an altered one, that before a newer one.
fn definitions(found: &Answer<Vec<Definition>>) -> Line {
    let (check, apply) = ("crds", "kubectl apply --server-side --force-conflicts -f crds/");
    let found = match found {
        Ok(found) => found,
        Err(error) => return unseen(check, *error, "read /openapi/v3"),
    };
    let told = |wanted: fn(&DefinitionState) -> Option<&[String]>| -> Option<String> {
        let those: Vec<String> = found
            .iter()
            .filter_map(|it| Some(format!("{}{}", it.name, fields(wanted(&it.state)?))))
            .collect();
        (!those.is_empty()).then(|| those.join(", "))
    };
    let missing = told(|it| matches!(it, DefinitionState::Missing).then_some(&[] as &[String]));
    let older =
        told(|it| if let DefinitionState::Older(fields) = it { Some(fields.as_slice()) } else { None });
    let altered =
        told(|it| if let DefinitionState::Altered(fields) = it { Some(fields.as_slice()) } else { None });
    let newer =
        told(|it| if let DefinitionState::Newer(fields) = it { Some(fields.as_slice()) } else { None });
    if let Some(names) = missing {
        Line::bad(check, Verdict::Fail, format!("not installed: {names}"), apply)
    } else if let Some(names) = older {
        let says = format!("older than this version, which needs more fields: {names}");
        Line::bad(check, Verdict::Fail, says, apply)
    } else if let Some(names) = altered {
        let says = format!("not as this version ships them: {names}");
        Line::bad(check, Verdict::Fail, says, apply)
    } else if let Some(names) = newer {
        let says = format!("newer than this version, which does not know: {names}");
        let todo = "upgrade the operator; do not apply the crds/ of this version";
        Line::bad(check, Verdict::Warn, says, todo)
    } else {
        Line::ok(check, format!("{} kinds as this version ships them", found.len()))
    }
}

/// The first three, in brackets.
fn fields(paths: &[String]) -> String {
    let more = if paths.len() > 3 { format!(" and {} more", paths.len() - 3) } else { String::new() };
    let first = paths.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
    if first.is_empty() { String::new() } else { format!(" ({first}{more})") }
}

fn policies(state: &PolicyState) -> Line {
    let check = "policies";
    match state {
        PolicyState::AsShipped { .. } => Line::ok(check, "4 policies and their bindings as shipped"),
        PolicyState::Unanswered => unseen(check, ApiError::Unanswered, "get admission policies"),
        PolicyState::Missing(names) => Line::bad(
            check,
            Verdict::Fail,
            format!("missing, altered or unreadable, so no approval counts: {}", names.join(", ")),
            "kubectl apply --server-side --force-conflicts -f deploy/admission.yaml",
        ),
    }
}

fn stamp(found: &Answer<StampFound>) -> Line {
    let check = "stamp-requester";
    match found {
        Ok(StampFound::Present) => Line::ok(check, "requests are stamped with who asked"),
        Ok(StampFound::NotServed) => Line::ok(
            check,
            format!(
                "needs Kubernetes {}.{}: whoever does not say who asked needs one more approval",
                STAMPS.0, STAMPS.1
            ),
        ),
        Ok(StampFound::Missing) => Line::bad(
            check,
            Verdict::Warn,
            "not installed: nobody knows who asked, and one more approval is needed",
            "kubectl apply --server-side -f deploy/stamp-requester.yaml",
        ),
        Err(error) => {
            unseen(check, *error, "get the MutatingAdmissionPolicy stamp-requester.offboarding.dev")
        }
    }
}

fn identity(user: &Answer<String>) -> Line {
    let check = "identity";
    match user {
        Ok(user) if POLICIES.contains(&format!("== '{user}'")) => Line::ok(check, user),
        Ok(user) => Line::bad(
            check,
            Verdict::Warn,
            format!("{user} is not the account that the policies let write records and statuses"),
            "run this with the operator's own kubeconfig; what follows about rights is about this account",
        ),
        Err(error) => unseen(check, *error, "ask who it is"),
    }
}

fn lacking(facts: &Facts) -> Line {
    let check = "rights";
    let cure = if facts.lists_namespaces { APPLY_LISTED } else { APPLY_ROLES };
    match &facts.lacking {
        Ok((lacking, all)) if lacking.is_empty() => {
            Line::ok(check, format!("all {all} of deploy/roles.yaml"))
        }
        Ok((lacking, all)) => {
            let names: Vec<String> = lacking.iter().map(ToString::to_string).collect();
            let says = format!("{} of {all} are missing: {}", names.len(), names.join(", "));
            if lacking.iter().all(rights::Right::is_optional) {
                let says =
                    format!("{says}; only `ttlAfterFinished`, the metrics over TLS or this check need them");
                Line::bad(check, Verdict::Warn, says, cure)
            } else {
                Line::bad(check, Verdict::Fail, says, cure)
            }
        }
        Err(error) => unseen(check, *error, "ask for its rights"),
    }
}

fn excess(facts: &Facts) -> Line {
    let check = "excess-rights";
    let found = match &facts.excess {
        Ok(found) if found.is_empty() => {
            return Line::ok(check, "no list of Secrets, no approvals, no holds, no removal of records");
        }
        Ok(found) => found,
        Err(error) => return unseen(check, *error, "ask for its rights"),
    };
    let told: Vec<String> = found.iter().map(|it| format!("{} (could {})", it.right(), it.means)).collect();
    let user = facts.user.as_deref().unwrap_or("USER");
    Line::bad(
        check,
        Verdict::Warn,
        format!("more than the operator needs: {}", told.join(", ")),
        format!(
            "find what grants it: kubectl get clusterrolebindings,rolebindings -A -o wide | grep -F {}",
            subject(user)
        ),
    )
}

/// A service account as a binding names it.
fn subject(user: &str) -> &str {
    user.rsplit(':').next().unwrap_or(user)
}

/// Where the account may not look, what is in it tells: only a namespace that is there holds anything.
fn namespace(facts: &Facts) -> Line {
    let (check, name) = ("namespace", &facts.operator_namespace);
    let holds_something = matches!(facts.lease, Ok(Some(_)))
        || matches!(facts.key, Ok(KeyFound::Found { .. } | KeyFound::Unusable));
    match &facts.namespace {
        Ok(true) => Line::ok(check, name),
        Err(_) if holds_something => Line::ok(check, name),
        Ok(false) => Line::bad(check, Verdict::Fail, format!("{name} is not there"), APPLY_ROLES),
        Err(error) => unseen(check, *error, &format!("get the namespace {name}")),
    }
}

/// Two lines: the key itself, and its backup.
fn key(facts: &Facts) -> Vec<Line> {
    let (check, restore) = ("installation-key", "docs/runbooks/installation-key.md, Restore it");
    let (id, is_as_made, backed_up_at) = match &facts.key {
        Err(error) => return vec![unseen(check, *error, &format!("get the Secret {SECRET}"))],
        Ok(KeyFound::Missing) => return vec![missing_key(&facts.records)],
        Ok(KeyFound::Unusable) => {
            let says = format!("the Secret {SECRET} holds no key of 32 bytes: no deletion starts");
            return vec![Line::bad(check, Verdict::Fail, says, restore)];
        }
        Ok(KeyFound::Found { id, is_as_made, backed_up_at }) => (id, is_as_made, backed_up_at),
    };
    let line = match &facts.records {
        Err(error) => unseen(check, *error, "list offboardingrecords"),
        Ok(RecordsFound { of_another_key: others @ 1.., any: _ }) => {
            let says = format!("{id}, but {others} records were made with another one: no deletion starts");
            Line::bad(check, Verdict::Fail, says, restore)
        }
        Ok(_) if !is_as_made => Line::bad(
            check,
            Verdict::Warn,
            format!(
                "{id}, but its Secret is not immutable, or of another type than offboarding.dev/installation-key"
            ),
            restore,
        ),
        Ok(RecordsFound { any: true, .. }) => {
            Line::ok(check, format!("{id}, and all records were made with it"))
        }
        Ok(RecordsFound { any: false, .. }) => Line::ok(check, format!("{id}, and no record yet")),
    };
    vec![line, backup(backed_up_at.as_deref(), facts)]
}

fn missing_key(records: &Answer<RecordsFound>) -> Line {
    let check = "installation-key";
    match records {
        Err(error) => unseen(check, *error, "list offboardingrecords"),
        Ok(RecordsFound { any: true, .. }) => Line::bad(
            check,
            Verdict::Fail,
            "missing, but there are records that were made with it: no deletion starts",
            "docs/runbooks/installation-key.md, Restore it",
        ),
        Ok(RecordsFound { any: false, .. }) => Line::bad(
            check,
            Verdict::Warn,
            "not made yet: the operator makes it at its first start",
            "start the operator",
        ),
    }
}

fn backup(backed_up_at: Option<&str>, facts: &Facts) -> Line {
    let check = "key-backup";
    let todo = format!(
        "back it up (docs/runbooks/installation-key.md), then: kubectl annotate secret {SECRET} -n {} {BACKED_UP}=$(date -u +%FT%TZ)",
        facts.operator_namespace
    );
    let Some(text) = backed_up_at else {
        let says =
            "nobody says that the key is backed up: without it no record can be read, and no deletion starts";
        return Line::bad(check, Verdict::Warn, says, todo);
    };
    match text.parse::<Timestamp>() {
        Ok(at) if at.duration_since(facts.now) <= BAD_CLOCK => {
            Line::ok(check, format!("backed up at {at}, somebody says"))
        }
        Ok(_) | Err(_) => {
            let says =
                format!("the annotation {BACKED_UP} is not a time in the past, such as 2026-11-23T12:00:00Z");
            Line::bad(check, Verdict::Warn, says, todo)
        }
    }
}

fn lease(facts: &Facts) -> Line {
    let check = "lease";
    let runbook = "docs/runbooks/operator-without-leader.md";
    let bad = |says: String| Line::bad(check, Verdict::Fail, says, runbook);
    let lease = match &facts.lease {
        Err(error) => return unseen(check, *error, &format!("get the Lease {LEASE}")),
        Ok(None) => {
            return bad("nobody has led yet: no operator runs, or none may write the Lease".to_owned());
        }
        Ok(Some(lease)) => lease,
    };
    let LeaseFound { holder, renewed_at, duration } = lease;
    match (holder.as_deref().filter(|holder| !holder.is_empty()), renewed_at) {
        (Some(holder), Some(at)) => {
            let age = facts.now.duration_since(*at);
            // Who renewed it has a clock of its own.
            let most =
                SignedDuration::try_from(*duration).unwrap_or(SignedDuration::MAX).saturating_add(GOOD_CLOCK);
            if age <= most {
                Line::ok(check, format!("{holder} leads"))
            } else {
                bad(format!("{holder} has not renewed it since {at}: nobody leads"))
            }
        }
        (Some(holder), None) => bad(format!("{holder} has never renewed it: nobody leads")),
        (None, _) => bad("it was given back: nobody leads".to_owned()),
    }
}

/// How right a clock is. Whose it is stands in the sentence: nobody can tell which of the two is wrong.
pub(super) fn clock(check: &str, whose: &str, ahead: Option<SignedDuration>) -> Line {
    let Some(ahead) = ahead else {
        let says = format!("{whose} does not tell its time");
        return Line::bad(check, Verdict::Unknown, says, "compare the clocks by hand");
    };
    let skew = ahead.abs();
    if skew <= GOOD_CLOCK {
        return Line::ok(check, format!("within {GOOD_CLOCK:#} of {whose}"));
    }
    let side = if ahead.is_positive() { "ahead of" } else { "behind" };
    let says = format!(
        "{whose} is {} s {side} this machine: expiry, deadlines and proofs go by the clock",
        skew.as_secs()
    );
    let verdict = if skew > BAD_CLOCK { Verdict::Fail } else { Verdict::Warn };
    Line::bad(check, verdict, says, "set the clock that is wrong (NTP)")
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
