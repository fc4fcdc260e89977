//! What an approval binds, what has to be typed for it, and the object itself. Pure.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use kube::api::ObjectMeta;

use super::{here::Here, problem::Problem};
use crate::api::{
    ApprovalDecision, ApprovedPlan, CustomerOffboarding, OffboardingApproval, OffboardingApprovalSpec,
    PlanStatus, Span,
};

/// How many requests one approval binds; the schema says the same.
pub const MOST: usize = 500;

/// How long an approval may hold; the schema says the same.
const LONGEST: Duration = Duration::from_secs(336 * 3600);

/// One request that is decided about.
#[derive(Clone, Debug)]
pub struct Item {
    pub request: CustomerOffboarding,
    pub name: String,
    pub uid: String,
    /// Its plan; a refusal needs none.
    pub plan: Option<PlanStatus>,
}

impl Item {
    /// A request as it was read.
    ///
    /// # Errors
    /// `Finished`: nothing is left to be decided about. `Input`, where the server left out what every object has.
    pub fn of(request: CustomerOffboarding, here: &Here) -> Result<Self, Problem> {
        let (Some(name), Some(uid)) = (request.metadata.name.clone(), request.metadata.uid.clone()) else {
            return Err(Problem::Input("the API server answers an object without name and uid".to_owned()));
        };
        let what = format!("offboarding {}/{name}", here.namespace);
        if let Some(status) = request.status.as_ref().filter(|status| status.finished) {
            let how = status.waiting_for.as_deref().unwrap_or(&status.phase);
            return Err(Problem::Finished { what, how: super::text::harmless(how) });
        }
        let plan = request.status.as_ref().and_then(|status| status.plan.clone());
        Ok(Self { request, name, uid, plan })
    }

    /// The plan.
    ///
    /// # Errors
    /// `NoPlan`.
    pub fn planned(&self, here: &Here) -> Result<&PlanStatus, Problem> {
        self.plan.as_ref().ok_or_else(|| Problem::NoPlan {
            what: format!("offboarding {}/{}", here.namespace, self.name),
            explain: here.offboarding(&format!("explain {}", self.name)),
        })
    }
}

/// Whether the plans are the ones that a script has read.
///
/// # Errors
/// `PlanChanged` for the first one that is not; `NobodysPlan` for a hash that belongs to none.
pub fn is_as_read(items: &[Item], read: &[String], here: &Here) -> Result<(), Problem> {
    if read.is_empty() {
        return Ok(());
    }
    for item in items {
        let now = &item.planned(here)?.hash;
        if !read.contains(now) {
            let read = here.offboarding(&format!("plan {}", item.name));
            return Err(Problem::PlanChanged { now: now.clone(), read });
        }
    }
    let is_known =
        |hash: &&String| items.iter().any(|item| item.plan.as_ref().is_some_and(|plan| plan.hash == **hash));
    match read.iter().find(|hash| !is_known(hash)) {
        Some(hash) => Err(Problem::NobodysPlan { hash: super::text::harmless(hash) }),
        None => Ok(()),
    }
}

/// What a person types to show what was read: every account, and which request or how many.
#[must_use]
pub fn words_to_type(items: &[Item]) -> String {
    let targets = items.iter().flat_map(|item| &item.plan).flat_map(|plan| &plan.targets);
    let accounts: BTreeSet<&str> = targets.map(|target| target.account.as_str()).collect();
    let which = match items {
        [item] => item.name.clone(),
        items => format!("{} requests", items.len()),
    };
    if accounts.is_empty() {
        return which;
    }
    format!("{}/{which}", accounts.into_iter().collect::<Vec<_>>().join(","))
}

/// When an approval that is made now ends.
///
/// # Errors
/// `Input`, where it would hold for no time, or too long.
pub fn expiry(now: Timestamp, expires_in: Span) -> Result<Timestamp, Problem> {
    if expires_in.0 < Duration::from_secs(1) || expires_in.0 > LONGEST {
        return Err(Problem::Input(format!(
            "--expires-in {expires_in}: must be at least 1s and at most 336h"
        )));
    }
    moment_after(now, expires_in)
}

/// A moment from now on, in whole seconds.
///
/// # Errors
/// `Input`, where no clock goes that far.
pub fn moment_after(now: Timestamp, span: Span) -> Result<Timestamp, Problem> {
    let end = now.checked_add(span.0).and_then(|end| Timestamp::from_second(end.as_second()));
    end.map_err(|_| Problem::Input(format!("--expires-in {span}: too long")))
}

/// Who says what, to which items.
#[derive(Clone, Debug)]
pub struct Word {
    pub decision: ApprovalDecision,
    pub approver: String,
    pub grants: Vec<String>,
    pub expires_at: Option<Timestamp>,
    pub reason: Option<String>,
}

/// The object that says it. The server makes up the rest of its name.
#[must_use]
pub fn approval(word: Word, items: &[Item], here: &Here) -> OffboardingApproval {
    let binds_plans = word.decision == ApprovalDecision::Approve;
    let bound = |item: &Item| ApprovedPlan {
        name: item.name.clone(),
        uid: item.uid.clone(),
        plan_hash: item.plan.as_ref().filter(|_| binds_plans).map(|plan| plan.hash.clone()),
    };
    let prefix = match items {
        [item] => format!("{}-", item.name),
        _ => "batch-".to_owned(),
    };
    OffboardingApproval {
        metadata: ObjectMeta {
            generate_name: Some(prefix),
            namespace: Some(here.namespace.clone()),
            ..ObjectMeta::default()
        },
        spec: OffboardingApprovalSpec {
            decision: word.decision,
            items: items.iter().map(bound).collect(),
            approver: word.approver,
            grants: word.grants,
            expires_at: word.expires_at,
            reason: word.reason,
        },
    }
}

#[cfg(test)]
mod tests;
