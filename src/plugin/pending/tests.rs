use super::*;
use crate::{
    api::{ApprovedPlan, Blocker, OffboardingApprovalSpec},
    domain::{Blocked, Facts, Missing, Next, WhyMissing},
    plugin::fixtures::{Decided, UID, with_plan},
};

const HASH: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

fn awaits(request: &CustomerOffboarding, approvals: &[OffboardingApproval], me: &str) -> Option<String> {
    let now = Timestamp::UNIX_EPOCH;
    let mine: Vec<_> = approvals.iter().filter(|it| is_mine(it, me, now)).collect();
    row(request, &mine, me).map(|row| row.awaits)
}

fn approval(change: impl FnOnce(&mut OffboardingApprovalSpec)) -> OffboardingApproval {
    let mut spec = OffboardingApprovalSpec {
        decision: ApprovalDecision::Approve,
        items: vec![ApprovedPlan {
            name: "acme".to_owned(),
            uid: UID.to_owned(),
            plan_hash: Some(HASH.to_owned()),
        }],
        approver: "bob".to_owned(),
        grants: vec!["Delete".to_owned()],
        expires_at: Timestamp::from_second(60).ok(),
        reason: None,
    };
    change(&mut spec);
    OffboardingApproval::new("a", spec)
}

#[test]
fn a_plan_awaits_everybody_who_has_not_agreed_to_exactly_it() {
    let request = with_plan("acme", HASH, &["acct-eu"]);
    assert_eq!(awaits(&request, &[], "bob").as_deref(), Some("approval"));
    assert_eq!(awaits(&request, &[approval(|_| ())], "bob"), None);
    type Change = fn(&mut OffboardingApprovalSpec);
    let others: [(&str, Change); 6] = [
        ("another approver", |it| it.approver = "carol".to_owned()),
        ("expired", |it| it.expires_at = Some(Timestamp::UNIX_EPOCH)),
        ("another plan", |it| it.items[0].plan_hash = Some("sha256:2".to_owned())),
        ("another object", |it| it.items[0].uid = "other".to_owned()),
        ("a refusal", |it| it.decision = ApprovalDecision::Deny),
        ("a waiver", |it| it.grants = vec!["Waive:billing/wallets".to_owned()]),
    ];
    for (what, change) in others {
        assert_eq!(awaits(&request, &[approval(change)], "bob").as_deref(), Some("approval"), "{what}");
    }
}

#[test]
fn a_blocker_awaits_somebody_who_waives_it() {
    let found = vec![Blocker { check: "wallets".to_owned(), reason: Reason::BlockersFound.to_string() }];
    let stopped =
        |blocked| Decided { next: Next::Stop(blocked), facts: Facts::None, planned: true }.request("acme");
    let blocked = stopped(Blocked::Checks(found));
    assert_eq!(awaits(&blocked, &[], "bob").as_deref(), Some("waiver of billing/wallets"));
    let hash = blocked.status.as_ref().and_then(|status| status.plan.as_ref()).map(|plan| plan.hash.clone());
    let waived = approval(|it| {
        it.grants = vec!["Waive:billing/wallets".to_owned()];
        it.items[0].plan_hash = hash;
    });
    assert_eq!(awaits(&blocked, &[waived], "bob"), None);
    let missing = Missing { have: 0, need: 1, why: WhyMissing::Awaited };
    assert_eq!(awaits(&stopped(Blocked::Resurrected(missing)), &[], "bob").as_deref(), Some("approval"));
    assert_eq!(awaits(&stopped(Blocked::Duplicate), &[], "bob"), None);
}

#[test]
fn ones_own_request_awaits_somebody_else() {
    let mut request = with_plan("acme", HASH, &["acct-eu"]);
    request.annotations_mut().insert(REQUESTED_BY_ANNOTATION.to_owned(), "bob".to_owned());
    assert_eq!(
        awaits(&request, &[], "bob").as_deref(),
        Some("approval, by somebody else: it is your request")
    );
    assert_eq!(awaits(&request, &[], "carol").as_deref(), Some("approval"));
}
