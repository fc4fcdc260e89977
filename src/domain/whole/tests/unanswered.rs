//! Checks that were not answered, where the profile only warns.

use super::*;

fn with_check(verdict: CheckVerdict) -> impl FnOnce(&mut Process) {
    move |process| {
        process.seen.checks = vec![CheckSeen { name: "invoices".to_owned(), verdict, waivable: true }];
    }
}

#[test]
fn a_warning_without_an_answer_leaves_the_plan_that_people_agreed_to_as_it_is() {
    let silent = || with_check(CheckVerdict::Unanswered(transient()));
    let clear = || with_check(CheckVerdict::Clear);
    let agreed = || request(&["a", "b"]).demanding("a", 1).change("a", clear()).approved();
    // Once the status tells the plan, and once where a wish to look again sets that aside.
    for mut request in [agreed().told(), agreed()] {
        let hash = request.hash();
        let mut request = request.change("a", silent());
        let decisions = request.decide(1);
        let each: Vec<_> = decisions.each.iter().map(brief).collect();
        assert_eq!(each, ["Wait Check", "Wait Others"], "nothing is sent before the answer");
        assert_eq!(decisions.plan.map(|plan| plan.hash), Some(hash), "the plan is no other");
        assert_eq!(decisions.approved_by.map(|people| people.len()), Some(1));
        assert_eq!(request.change("a", clear()).briefly(2), ["Delete", "Wait Others"]);
        let mut blocked = agreed().change("a", with_check(CheckVerdict::Blocks));
        assert_eq!(blocked.briefly(2)[0], "Stop Checks", "the answer is a no");
    }
}

#[test]
fn a_warning_without_an_answer_from_the_beginning_is_part_of_the_plan() {
    let silent = |process: &mut Process| with_check(CheckVerdict::Unanswered(transient()))(process);
    let mut unattended = request(&["a"]).change("a", silent);
    assert_eq!(unattended.briefly(0), ["Delete"]);
    let attended = request(&["a"]).demanding("a", 1).change("a", silent);
    assert_eq!(attended.approved().told().briefly(1), ["Delete"], "people agreed to go on without it");
    // Another change besides is one that people must hear of.
    let clear = with_check(CheckVerdict::Clear);
    let mut changed = request(&["a"]).demanding("a", 1).change("a", clear).approved().told();
    changed = changed.change("a", silent);
    changed = changed.change("a", |a| a.provider.base_url = "https://other.example".to_owned());
    assert_eq!(changed.briefly(2), ["Wait Approvals"]);
}
