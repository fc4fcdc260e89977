//! Who agreed to exactly this plan: approvals, denials, waivers, and what makes one of them count.
//!
//! An approval counts if it names this request's uid and this plan's hash, holds now, is by a person who is not the author, was
//! made under the policies that prove who made it, and was not spent on an attempt that the provider refused.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::PolicyState;
use crate::api::UsedApproval;

/// A policy takes a moment to be in force after it was created (tried: 0.38 s was too soon, 0.73 s was not).
const IN_FORCE_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// Who may not be counted as a person.
const NOBODY: &str = "system:";

/// What one person said about this request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    pub uid: String,
    pub approver: String,
    pub says: Says,
    pub created_at: Timestamp,
}

/// Consent or refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// Yes, to this plan and no other.
    Approve { plan_hash: String, grants: Vec<Grant>, expires_at: Timestamp },
    /// No, to the request, whatever its plan.
    Deny,
}

/// What an approval grants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// The deletion.
    Delete,
    /// That one blocking check is passed over.
    Waive { target: String, check: String },
}

/// A grant that this version does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be Delete, or Waive:<target>/<check>")]
pub struct UnknownGrant;

impl std::str::FromStr for Grant {
    type Err = UnknownGrant;

    fn from_str(text: &str) -> Result<Self, UnknownGrant> {
        if text == "Delete" {
            return Ok(Grant::Delete);
        }
        let waived = text.strip_prefix("Waive:").and_then(|waived| waived.split_once('/'));
        let (target, check) = waived.ok_or(UnknownGrant)?;
        Ok(Grant::Waive { target: target.to_owned(), check: check.to_owned() })
    }
}

/// What everybody said about this request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApprovalsSeen {
    /// Nobody knows: the API server did not answer, or the cache is not filled yet.
    Unread,
    /// All of them, in no order.
    Seen(Vec<Approval>),
}

impl ApprovalsSeen {
    /// When the next approval expires: what is told of the others may be different then.
    #[must_use]
    pub fn next_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        let ApprovalsSeen::Seen(approvals) = self else { return None };
        let ends = approvals.iter().filter_map(|approval| match approval.says {
            Says::Approve { expires_at, .. } => Some(expires_at),
            Says::Deny => None,
        });
        ends.filter(|end| *end > now).min()
    }
}

/// What the provider objects of a request demand, the strictest of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Demands {
    /// How many people.
    pub required: u32,
    /// The author's own approval does not count, and an unknown author is one more.
    pub separation_of_duties: bool,
    /// How long an approval may hold, from its creation.
    pub max_validity: Duration,
    /// How long to wait after enough have agreed.
    pub cooling_off: Duration,
}

impl Default for Demands {
    /// Nothing is demanded.
    fn default() -> Self {
        Self {
            required: 0,
            separation_of_duties: false,
            max_validity: Duration::from_secs(336 * 3600),
            cooling_off: Duration::ZERO,
        }
    }
}

impl Demands {
    /// What satisfies both.
    #[must_use]
    pub fn and(self, other: Demands) -> Self {
        Self {
            required: self.required.max(other.required),
            separation_of_duties: self.separation_of_duties || other.separation_of_duties,
            max_validity: self.max_validity.min(other.max_validity),
            cooling_off: self.cooling_off.max(other.cooling_off),
        }
    }

    /// The same with at least one approval: a customer that was offboarded before is a decision for a person.
    #[must_use]
    pub fn at_least_one(self) -> Self {
        Self { required: self.required.max(1), ..self }
    }
}

/// Everything that consent is judged by.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    pub plan_hash: &'a str,
    pub demands: Demands,
    pub approvals: &'a ApprovalsSeen,
    pub policies: &'a PolicyState,
    /// Who asked; `None` where nobody knows.
    pub author: Option<&'a str>,
    /// Uids of approvals that an attempt was refused on.
    pub spent: &'a BTreeSet<String>,
    pub now: Timestamp,
    /// How much longer an approval must hold: before a send, as long as the send may take.
    pub holds_for: Duration,
}

/// Whether enough people agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// The provider objects demand none.
    NotRequired,
    /// These agreed; `since` is when there were enough of them.
    Given { by: Vec<UsedApproval>, since: Timestamp },
    /// Not enough yet.
    Missing(Missing),
    /// Somebody said no.
    Denied,
    /// Nothing proves who said what: these policies are not as shipped.
    PolicyMissing(Vec<String>),
    /// The API server did not answer.
    Unread,
}

/// How many agreed, and what is the matter with the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Missing {
    pub have: u32,
    pub need: u32,
    pub why: WhyMissing,
}

/// Why an approval that is there does not count, or why one more is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhyMissing {
    /// Nobody else said anything.
    Awaited,
    /// There is one for another plan of this request.
    PlanChanged,
    /// There is one that has expired, ends before it can have cooled off, or was meant to hold longer than the provider object
    /// allows.
    Expired,
    /// None can count: one provider object asks for a longer wait than another one lets an approval hold.
    CannotHold,
    /// There is one by the author.
    SameIdentity,
    /// Nobody knows who asked, so one more is needed than the provider objects say.
    UnknownRequester,
    /// There is one that the provider refused a deletion on.
    Spent,
    /// There is one that was made before the admission policies were in force: nothing proves who made it.
    BeforePolicies,
}

impl Judged<'_> {
    /// Whether enough people agreed to this plan.
    #[must_use]
    pub fn consent(&self) -> Consent {
        // Where nobody has to agree somebody may still have said no.
        let ApprovalsSeen::Seen(approvals) = self.approvals else { return Consent::Unread };
        if approvals.iter().any(|approval| approval.says == Says::Deny) {
            return Consent::Denied;
        }
        if self.demands.required == 0 {
            return Consent::NotRequired;
        }
        let since = match self.policies {
            PolicyState::AsShipped { since } => *since,
            PolicyState::Missing(names) => return Consent::PolicyMissing(names.clone()),
            PolicyState::Unanswered => return Consent::Unread,
        };
        let mut counted: Vec<&Approval> = approvals
            .iter()
            .filter(|approval| self.why_not(approval, &Grant::Delete, since).is_none())
            .collect();
        counted.sort_by_key(|approval| (approval.created_at, approval.uid.clone()));
        let mut people = BTreeSet::new();
        counted.retain(|approval| people.insert(approval.approver.as_str()));
        let need = self.need();
        let quorum = usize::try_from(need).unwrap_or(usize::MAX);
        match counted.get(quorum - 1) {
            Some(last) => Consent::Given {
                by: counted.iter().take(quorum).map(|approval| used(approval)).collect(),
                since: last.created_at,
            },
            None => Consent::Missing(self.missing(approvals, counted.len(), since)),
        }
    }

    /// Who agreed that a blocking check is passed over, the first of several: as many as it takes, or as many as there are where
    /// that is too few. The author's word does not count here either.
    #[must_use]
    pub fn waived_by(&self, target: &str, check: &str) -> Vec<UsedApproval> {
        let (ApprovalsSeen::Seen(approvals), PolicyState::AsShipped { since }) =
            (self.approvals, self.policies)
        else {
            return Vec::new();
        };
        let grant = Grant::Waive { target: target.to_owned(), check: check.to_owned() };
        let mut counted: Vec<_> =
            approvals.iter().filter(|approval| self.why_not(approval, &grant, *since).is_none()).collect();
        counted.sort_by_key(|approval| (approval.created_at, approval.uid.as_str()));
        let mut people = BTreeSet::new();
        counted.retain(|approval| people.insert(approval.approver.as_str()));
        counted.into_iter().take(self.waivers_needed()).map(used).collect()
    }

    /// How many people it takes to pass over a check: two where one of them may be whoever asked.
    #[must_use]
    pub fn waivers_needed(&self) -> usize {
        if self.author_may_be_among_them() { 2 } else { 1 }
    }

    /// Whether enough people did.
    #[must_use]
    pub fn waives(&self, target: &str, check: &str) -> bool {
        self.waived_by(target, check).len() >= self.waivers_needed()
    }

    /// How many people it takes: one more where nobody knows who asked.
    #[must_use]
    pub fn need(&self) -> u32 {
        let required = self.demands.required;
        let one_more = required > 0 && self.author_may_be_among_them();
        required.saturating_add(u32::from(one_more))
    }

    fn author_may_be_among_them(&self) -> bool {
        self.demands.separation_of_duties && self.known_author().is_none()
    }

    fn known_author(&self) -> Option<&str> {
        self.author.filter(|author| !author.is_empty() && !author.starts_with(NOBODY))
    }

    /// Why an approval does not count for a grant; `Some(None)` where it has nothing to do with this plan.
    fn why_not(&self, approval: &Approval, wanted: &Grant, since: Timestamp) -> Option<Option<WhyMissing>> {
        let Says::Approve { plan_hash, grants, expires_at } = &approval.says else { return Some(None) };
        if !grants.contains(wanted) || approval.approver.starts_with(NOBODY) {
            return Some(None);
        }
        if plan_hash != self.plan_hash {
            return Some(Some(WhyMissing::PlanChanged));
        }
        if approval.created_at < since.saturating_add(IN_FORCE_AFTER).unwrap_or(Timestamp::MAX) {
            return Some(Some(WhyMissing::BeforePolicies));
        }
        let until = self.now.saturating_add(self.holds_for).unwrap_or(Timestamp::MAX);
        let of_it = |span| approval.created_at.saturating_add(span).unwrap_or(Timestamp::MAX);
        // What ends before it can have cooled off is of no use: told now, and not when the wait is over.
        let (cooled, latest) = (of_it(self.demands.cooling_off), of_it(self.demands.max_validity));
        if *expires_at <= until.max(cooled) || *expires_at > latest {
            return Some(Some(WhyMissing::Expired));
        }
        if self.demands.separation_of_duties && self.author == Some(approval.approver.as_str()) {
            return Some(Some(WhyMissing::SameIdentity));
        }
        self.spent.contains(&approval.uid).then_some(Some(WhyMissing::Spent))
    }

    /// Of several reasons the one that somebody can do most about.
    fn missing(&self, approvals: &[Approval], have: usize, since: Timestamp) -> Missing {
        let reasons: BTreeSet<_> = approvals
            .iter()
            .filter_map(|approval| self.why_not(approval, &Grant::Delete, since).flatten())
            .map(|why| why as u8)
            .collect();
        let first = [
            WhyMissing::SameIdentity,
            WhyMissing::BeforePolicies,
            WhyMissing::Spent,
            WhyMissing::Expired,
            WhyMissing::PlanChanged,
        ];
        let have = u32::try_from(have).unwrap_or(u32::MAX);
        if self.demands.cooling_off >= self.demands.max_validity {
            return Missing { have, need: self.need(), why: WhyMissing::CannotHold };
        }
        let why = first.into_iter().find(|why| reasons.contains(&(*why as u8))).unwrap_or(
            if have > 0 && have == self.demands.required {
                WhyMissing::UnknownRequester
            } else {
                WhyMissing::Awaited
            },
        );
        Missing { have, need: self.need(), why }
    }
}

fn used(approval: &Approval) -> UsedApproval {
    UsedApproval { approver: approval.approver.clone(), uid: approval.uid.clone(), at: approval.created_at }
}

#[cfg(test)]
mod tests;
