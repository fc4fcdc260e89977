//! Whose looks count for what was sent: those of the credential that sent it, or of another one that somebody vouches for.
//!
//! Another credential may belong to another account, where the customer never was. A person who knows better says so with the
//! grant `Waive:<target>/credential`; where the old credential is revoked, nothing else would end the request.

use std::{collections::BTreeSet, time::Duration};

use super::{Attempt, Demands, Judged, Moment, Observation, Plan, ProviderSeen};
use crate::api::{UNPROVED_CREDENTIAL, UsedWaiver};

/// Whether what is seen now proves anything about what an attempt did.
pub(super) fn looks_count(plan: &Plan, attempt: &Attempt, seen: &Observation, now: Moment) -> bool {
    is_the_same(attempt, seen) || vouched_by(plan, attempt, seen, now).is_some()
}

fn is_the_same(attempt: &Attempt, seen: &Observation) -> bool {
    seen.credential.as_ref() == Some(&attempt.credential)
}

/// Who says that another credential than the one that sent belongs to the same account; `None` where it is the same one.
#[must_use]
pub fn vouched_by(plan: &Plan, attempt: &Attempt, seen: &Observation, now: Moment) -> Option<UsedWaiver> {
    let ProviderSeen::Found(provider) = &seen.provider else { return None };
    if seen.credential.is_none() || is_the_same(attempt, seen) {
        return None;
    }
    let judged = Judged {
        plan_hash: &attempt.plan_hash,
        demands: Demands { cooling_off: Duration::ZERO, ..provider.demands },
        approvals: &seen.whole.approvals,
        policies: &seen.whole.policies,
        author: seen.whole.author.as_deref(),
        spent: &BTreeSet::new(),
        now: now.wall,
        holds_for: Duration::ZERO,
    };
    let by = judged.waived_by(&plan.target, UNPROVED_CREDENTIAL)?;
    // What was agreed to before the call was not about a credential that nobody knew.
    (by.at >= attempt.intent_at).then(|| UsedWaiver::new(UNPROVED_CREDENTIAL, by))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::domain::{
        Approval, ApprovalsSeen, Grant, Look, Outcome, PolicyState, Says, Whole, fixtures::*,
    };

    /// What is waived, of which target, for which plan.
    const THIS: [&str; 3] = ["credential", "billing", "sha256:plan"];

    fn waiver(approver: &str, [check, target, plan]: [&str; 3], made: Timestamp, ends: Timestamp) -> Whole {
        let grant = Grant::Waive { target: target.to_owned(), check: check.to_owned() };
        let says = Says::Approve { plan_hash: plan.to_owned(), grants: vec![grant], expires_at: ends };
        let (uid, approver) = (format!("of-{approver}"), approver.to_owned());
        let approvals = ApprovalsSeen::Seen(vec![Approval { uid, approver, says, created_at: made }]);
        Whole { approvals, ..nobody_said_anything() }
    }

    #[test]
    fn another_credential_proves_an_end_only_where_somebody_vouches_for_it() {
        let (before, after_it, ends) = (wall(0) - SignedDuration::from_secs(1), wall(2), wall(9_000));
        let unproved = PolicyState::Missing(vec!["approvals".to_owned()]);
        let stands = || waiver("bob", THIS, after_it, ends);
        for (what, whole, expected) in [
            ("nobody does", nobody_said_anything(), "Wait AnotherCredential"),
            ("Bob does", stands(), "Close Erased/Absent"),
            ("it has ended", waiver("bob", THIS, after_it, wall(500)), "Wait AnotherCredential"),
            ("from before the call", waiver("bob", THIS, before, ends), "Wait AnotherCredential"),
            ("by the requester", waiver("alice", THIS, after_it, ends), "Wait AnotherCredential"),
            (
                "of a check",
                waiver("bob", ["wallets", THIS[1], THIS[2]], after_it, ends),
                "Wait AnotherCredential",
            ),
            ("elsewhere", waiver("bob", [THIS[0], "crm", THIS[2]], after_it, ends), "Wait AnotherCredential"),
            (
                "another plan",
                waiver("bob", [THIS[0], THIS[1], "sha256:x"], after_it, ends),
                "Wait AnotherCredential",
            ),
            ("unproved", Whole { policies: unproved, ..stands() }, "Wait AnotherCredential"),
        ] {
            for outcome in [Some(Outcome::Accepted), Some(unknown()), None] {
                let mut process = Process::new(after(outcome.clone()));
                process.seen.credential = Some("hmac:another".to_owned());
                process.seen.whole = Arc::new(whole.clone());
                process.turn(0, same());
                assert_eq!(brief(&process.turn(600, Look::Absent)), expected, "{what}, {outcome:?}");
            }
        }
    }

    #[test]
    fn who_vouches_is_named_only_where_it_took_somebody() {
        let mut process = Process::new(after(Some(Outcome::Accepted)));
        process.seen.whole = Arc::new(waiver("bob", THIS, wall(2), wall(9_000)));
        let sent = attempt(1, Some(Outcome::Accepted));
        assert_eq!(vouched_by(&process.plan, &sent, &process.seen, at(3)), None, "it is the same one");
        process.seen.credential = Some("hmac:another".to_owned());
        let by = vouched_by(&process.plan, &sent, &process.seen, at(3)).unwrap();
        assert_eq!([by.check, by.approver], ["credential", "bob"]);
        process.seen.credential = None;
        assert_eq!(vouched_by(&process.plan, &sent, &process.seen, at(3)), None, "there is none");
    }
}
