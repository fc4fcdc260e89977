//! Blockers that somebody agreed to pass over.

use super::*;

#[test]
fn what_stands_in_the_way_is_passed_over_where_somebody_agreed_to_that_too() {
    let mut request = request(&["a"]).demanding("a", 1).change("a", blocked);
    assert_eq!(request.briefly(0), ["Stop Checks"]);
    let hash = request.hash();
    let waiver = Grant::Waive { target: "a".to_owned(), check: "wallets".to_owned() };
    let said = |grants: &[Grant]| {
        let grants = grants.iter().cloned();
        ApprovalsSeen::Seen(grants.map(|grant| approval(&hash, grant)).collect())
    };
    for (grants, expected) in [
        (&[Grant::Delete][..], "Stop Checks"),
        (std::slice::from_ref(&waiver), "Wait Approvals"),
        (&[waiver.clone(), Grant::Delete], "Delete"),
    ] {
        request.whole.approvals = said(grants);
        assert_eq!(request.briefly(1), [expected], "{grants:?}");
    }
    let decisions = request.decide(1);
    assert!(decisions.waived);
    let Some((_, Effect::Delete(order))) = decisions.effect() else { panic!("{decisions:?}") };
    let waivers: Vec<_> = order.waivers.iter().map(|waiver| (&*waiver.check, &*waiver.approver)).collect();
    assert_eq!(waivers, [("wallets", "bob")]);
    // The profile is asked at every pass: what it does not let anybody pass over stands in the way of everybody.
    let mut fixed = request.change("a", |a| a.seen.checks[0].waivable = false);
    assert_eq!(fixed.briefly(2), ["Stop Checks"]);
}

/// One of them may be whoever asked. Each is named in the record, and a refusal uses both up.
#[test]
fn where_nobody_knows_who_asked_one_waiver_asks_for_another_and_both_are_written_down() {
    let mut request = request(&["a"]).change("a", blocked).change("a", |a| {
        a.provider.demands.separation_of_duties = true;
    });
    request.whole.author = None;
    assert_eq!(request.briefly(0), ["Stop Checks"]);
    let hash = request.hash();
    let waiver = Grant::Waive { target: "a".to_owned(), check: "wallets".to_owned() };
    let of = |who: &str| Approval {
        approver: who.to_owned(),
        uid: format!("of-{who}"),
        ..approval(&hash, waiver.clone())
    };
    for (said, expected) in [
        (vec![of("bob")], "Stop OneMoreWaiver"),
        (vec![of("bob"), Approval { uid: "again".to_owned(), ..of("bob") }], "Stop OneMoreWaiver"),
        (vec![of("bob"), of("carol"), of("dave")], "Delete"),
    ] {
        request.whole.approvals = ApprovalsSeen::Seen(said);
        assert_eq!(request.briefly(1), [expected]);
    }
    let decisions = request.decide(1);
    let Some((_, Effect::Delete(order))) = decisions.effect() else { panic!("{decisions:?}") };
    let waivers: Vec<_> = order.waivers.iter().map(|waiver| (&*waiver.check, &*waiver.approver)).collect();
    assert_eq!(waivers, [("wallets", "bob"), ("wallets", "carol")]);
}
