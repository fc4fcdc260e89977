use super::*;
use crate::plugin::{
    fixtures::{here, with_plan},
    golden,
};

const HASH: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

fn shown(change: impl FnOnce(&mut PlanStatus), ink: Ink) -> String {
    let request = with_plan("acme", HASH, &["acct-eu", "acct-us"]);
    let mut plan = request.status.clone().unwrap().plan.unwrap();
    change(&mut plan);
    table(&request, &plan, &here(), ink)
}

fn full(plan: &mut PlanStatus) {
    let target = &mut plan.targets[0];
    target.blockers = vec![Blocker { check: "wallets".to_owned(), reason: "BlockersFound".to_owned() }];
    target.effects = vec!["the customer is deleted".to_owned(), "subscriptions end".to_owned()];
    target.retains = vec!["invoices".to_owned()];
    target.risks = vec!["the provider may give this id to somebody else".to_owned()];
    plan.changed = vec!["provider/billing.baseUrl".to_owned()];
}

#[test]
fn the_plan_shows_all_that_is_agreed_to() {
    let files = [
        ("colored.out".to_owned(), shown(full, Ink::COLORED).replace('\u{1b}', "\\e")),
        ("full.out".to_owned(), shown(full, Ink::default())),
        ("plain.out".to_owned(), shown(|_| (), Ink::default())),
        ("unattended.out".to_owned(), shown(|plan| plan.required_approvals = 0, Ink::default())),
    ];
    golden::assert_directory_holds("tests/plugin/plan", &files, "out");
}

#[test]
fn no_text_of_a_plan_can_redraw_the_screen() {
    let shown = shown(
        |plan| plan.targets[0].effects = vec!["\u{1b}[1A\u{1b}[2Kenvironment   sandbox".to_owned()],
        Ink::default(),
    );
    assert!(!shown.contains('\u{1b}') && shown.contains("\\u{1b}[1A"), "{shown}");
}
