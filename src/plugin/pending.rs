//! `pending`: what awaits one person.

use jiff::Timestamp;
use kube::{ResourceExt as _, api::ListParams};

use super::{
    cluster::Cluster,
    plan::environment,
    problem::Problem,
    terminal::{Ink, Terminal},
    text::{columns, harmless},
};
use crate::api::{
    ApprovalDecision, ConditionType, CustomerOffboarding, OffboardingApproval, Phase, PlanStatus,
    REQUESTED_BY_ANNOTATION, Reason, Truth,
};

/// More than anybody reads.
const MOST: usize = 10_000;

/// Lists it.
///
/// # Errors
/// A problem with the API server.
pub async fn pending(
    cluster: &Cluster,
    terminal: &Terminal,
    all_namespaces: bool,
    now: Timestamp,
) -> Result<(), Problem> {
    let me = cluster.who_am_i().await?;
    let unfinished = ListParams::default().fields("status.finished!=true");
    let (requests, approvals) = if all_namespaces {
        (cluster.everywhere(), cluster.everywhere())
    } else {
        (cluster.api(), cluster.api())
    };
    let requests: Vec<CustomerOffboarding> = cluster.list(&requests, &unfinished, MOST).await?;
    let approvals: Vec<OffboardingApproval> = cluster.list(&approvals, &ListParams::default(), MOST).await?;
    let mine: Vec<&OffboardingApproval> = approvals.iter().filter(|it| is_mine(it, &me, now)).collect();
    let rows: Vec<Row> = requests.iter().filter_map(|request| row(request, &mine, &me)).collect();
    let place = if all_namespaces {
        "any namespace".to_owned()
    } else {
        format!("namespace {}", cluster.here.namespace)
    };
    let Some(first) = rows.first() else {
        return terminal.say(&format!("nothing in {place} awaits {}\n", harmless(&me)));
    };
    terminal.print(&table(&rows))?;
    let here = cluster.here.in_namespace(&first.namespace);
    terminal
        .say(&format!("Read it first: {}\n", harmless(&here.offboarding(&format!("plan {}", first.name)))))
}

/// One request that awaits somebody.
struct Row {
    namespace: String,
    name: String,
    plan: PlanStatus,
    awaits: String,
}

fn table(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let of_targets = |tell: &dyn Fn(&crate::api::PlannedTarget) -> String| {
            let mut told: Vec<String> = row.plan.targets.iter().map(tell).collect();
            told.sort();
            told.dedup();
            harmless(&told.join(","))
        };
        vec![
            harmless(&row.namespace),
            harmless(&row.name),
            harmless(&row.awaits),
            of_targets(&|target| target.account.clone()),
            of_targets(&|target| environment(target.environment, Ink::default())),
            row.plan.required_approvals.to_string(),
            harmless(&row.plan.hash.chars().take("sha256:".len() + 12).collect::<String>()),
        ]
    };
    let rows: Vec<Vec<String>> = rows.iter().map(line).collect();
    columns(&["NAMESPACE", "NAME", "AWAITS", "ACCOUNT", "ENVIRONMENT", "REQUIRED", "PLAN"], &rows)
}

fn row(request: &CustomerOffboarding, mine: &[&OffboardingApproval], me: &str) -> Option<Row> {
    let status = request.status.as_ref()?;
    let plan = status.plan.clone()?;
    let has_my = |grant: &str| mine.iter().any(|approval| grants(approval, request, &plan, grant));
    let wants_approval =
        status.phase == Phase::AwaitingApproval.as_str() || is_blocked(request, &[Reason::Resurrected]);
    let awaits = if wants_approval && !has_my("Delete") {
        "approval".to_owned()
    } else if is_blocked(request, &[Reason::BlockersFound, Reason::CheckFailed]) {
        let targets = plan.targets.iter();
        let checks = targets
            .flat_map(|target| target.blockers.iter().map(|it| format!("{}/{}", target.name, it.check)));
        let open: Vec<String> = checks.filter(|check| !has_my(&format!("Waive:{check}"))).collect();
        if open.is_empty() {
            return None;
        }
        format!("waiver of {}", open.join(", "))
    } else {
        return None;
    };
    let author = request.annotations().get(REQUESTED_BY_ANNOTATION);
    let awaits = if author.is_some_and(|author| author == me) {
        format!("{awaits}, by somebody else: it is your request")
    } else {
        awaits
    };
    Some(Row { namespace: request.namespace().unwrap_or_default(), name: request.name_any(), plan, awaits })
}

/// Blocked by what a person may decide about: checks that may be waived, a customer that is there again.
fn is_blocked(request: &CustomerOffboarding, reasons: &[Reason]) -> bool {
    let mut conditions = request.status.iter().flat_map(|status| &status.conditions);
    conditions.any(|it| {
        it.type_ == ConditionType::Unblocked.as_str()
            && it.status == Truth::False
            && reasons.iter().any(|reason| it.reason == reason.as_str())
    })
}

fn is_mine(approval: &OffboardingApproval, me: &str, now: Timestamp) -> bool {
    let spec = &approval.spec;
    spec.approver == me
        && spec.decision == ApprovalDecision::Approve
        && spec.expires_at.is_some_and(|end| end > now)
        && approval.metadata.deletion_timestamp.is_none()
}

fn grants(
    approval: &OffboardingApproval,
    request: &CustomerOffboarding,
    plan: &PlanStatus,
    grant: &str,
) -> bool {
    let binds = |it: &crate::api::ApprovedPlan| {
        Some(&it.uid) == request.metadata.uid.as_ref() && it.plan_hash.as_ref() == Some(&plan.hash)
    };
    approval.spec.grants.iter().any(|it| it == grant) && approval.spec.items.iter().any(binds)
}

#[cfg(test)]
mod tests;
