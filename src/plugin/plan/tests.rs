use super::*;
use crate::{
    golden,
    plugin::fixtures::{here, with_plan},
};

const HASH: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

fn shown(change: impl FnOnce(&mut CustomerOffboarding, &mut PlanStatus), ink: Ink) -> String {
    let mut request = with_plan("acme", HASH, &["acct-eu", "acct-us"]);
    let mut plan = request.status.clone().unwrap().plan.unwrap();
    change(&mut request, &mut plan);
    table(&request, &plan, &here(), ink)
}

fn full(request: &mut CustomerOffboarding, plan: &mut PlanStatus) {
    request.spec.accept_absent = true;
    let target = &mut plan.targets[0];
    target.mode = Some(Mode::Soft);
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
        ("plain.out".to_owned(), shown(|_, _| (), Ink::default())),
        ("unattended.out".to_owned(), shown(|_, plan| plan.required_approvals = 0, Ink::default())),
    ];
    golden::assert_directory_holds("tests/plugin/plan", &files, "out");
}

#[test]
fn what_nobody_told_is_not_made_up() {
    let shown = shown(
        |request, plan| {
            request.status.as_mut().unwrap().targets.remove(1);
            request.spec.targets[0].mode = Some(Mode::Soft);
            plan.targets[0].mode = None;
            plan.targets[1].mode = None;
        },
        Ink::default(),
    );
    let (first, second) = shown.split_once("TARGET        ledger").unwrap();
    assert!(first.contains("\ncustomer      hmac:customer\n"), "{shown}");
    assert!(first.contains("\nmode          Soft: deactivates\n"), "what the request asks for: {shown}");
    assert!(second.contains("\ncustomer      not told\n"), "{shown}");
    assert!(second.contains("\nmode          not told\n"), "{shown}");
}

#[test]
fn no_text_of_a_plan_can_redraw_the_screen() {
    let shown = shown(
        |_, plan| plan.targets[0].effects = vec!["\u{1b}[1A\u{1b}[2Kenvironment   sandbox".to_owned()],
        Ink::default(),
    );
    assert!(!shown.contains('\u{1b}') && shown.contains("\\u{1b}[1A"), "{shown}");
}
