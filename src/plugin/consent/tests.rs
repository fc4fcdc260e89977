use super::*;
use crate::plugin::fixtures::{UID, here, request, with_plan};

const ONE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const TWO: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

fn item(name: &str, hash: &str, accounts: &[&str]) -> Item {
    Item::of(with_plan(name, hash, accounts), &here()).unwrap()
}

#[test]
fn a_person_types_every_account_and_the_request() {
    let eu = item("acme", ONE, &["acct-eu"]);
    let both = item("globex", TWO, &["acct-us", "acct-eu", "acct-us"]);
    let unplanned = Item::of(request("new"), &here()).unwrap();
    for (items, words) in [
        (vec![eu.clone()], "acct-eu/acme"),
        (vec![both.clone()], "acct-eu,acct-us/globex"),
        (vec![eu, both], "acct-eu,acct-us/2 requests"),
        (vec![unplanned], "new"),
    ] {
        assert_eq!(words_to_type(&items), words);
    }
}

#[test]
fn a_script_agrees_to_what_it_has_read_and_to_nothing_else() {
    let items = [item("acme", ONE, &["a"]), item("globex", TWO, &["a"])];
    let said = |read: &[&str]| {
        let read: Vec<String> = read.iter().map(|hash| (*hash).to_owned()).collect();
        is_as_read(&items, &read, &here()).map_err(|problem| problem.to_string())
    };
    assert_eq!(said(&[]), Ok(()));
    assert_eq!(said(&[TWO, ONE]), Ok(()));
    let changed =
        format!("the plan is now {TWO}; read it again with `kubectl offboarding plan globex -n team`");
    assert_eq!(said(&[ONE]), Err(changed));
    let unknown =
        "--plan sha256:33 belongs to none of the requests; read them again with `kubectl offboarding plan`";
    assert_eq!(said(&[ONE, TWO, "sha256:33"]), Err(unknown.to_owned()));
}

#[test]
fn an_approval_binds_uid_and_hash_and_a_refusal_the_uid_alone() {
    let items = [item("acme", ONE, &["a"])];
    let word = |decision| Word {
        decision,
        approver: "bob".to_owned(),
        grants: Vec::new(),
        expires_at: None,
        reason: None,
    };
    let bound = |hash: Option<&str>| {
        vec![ApprovedPlan {
            name: "acme".to_owned(),
            uid: UID.to_owned(),
            plan_hash: hash.map(str::to_owned),
        }]
    };
    let approved = approval(word(ApprovalDecision::Approve), &items, &here());
    assert_eq!(approved.spec.items, bound(Some(ONE)));
    assert_eq!(approved.metadata.generate_name.as_deref(), Some("acme-"));
    assert_eq!(approved.metadata.name, None);
    assert_eq!(approval(word(ApprovalDecision::Deny), &items, &here()).spec.items, bound(None));
}

#[test]
fn an_approval_holds_for_a_second_to_two_weeks() {
    let ends = |text: &str| {
        let end = expiry(Timestamp::UNIX_EPOCH, text.parse().unwrap());
        end.map(|end| end.as_second()).map_err(|problem| problem.to_string())
    };
    assert_eq!(ends("24h"), Ok(86_400));
    assert_eq!(ends("336h"), Ok(1_209_600));
    for wrong in ["0s", "500ms", "337h", "336h1s"] {
        let said = format!("--expires-in {wrong}: must be at least 1s and at most 336h");
        assert_eq!(ends(wrong), Err(said));
    }
}

#[test]
fn nothing_is_decided_about_a_finished_request() {
    let mut request = with_plan("acme", ONE, &["a"]);
    request.status.as_mut().unwrap().finished = true;
    assert!(matches!(Item::of(request, &here()), Err(Problem::Finished { .. })));
}
