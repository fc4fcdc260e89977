//! Argo CD's buttons: which are offered when, and what each of them changes. On a real API server: `apply.rs`.

use serde_json::{Value, json};

use crate::judge::{Action, Verdict, verdicts};

/// The patch of a button that a request which waits offers.
pub fn patch(action: &str, is_suspended: bool) -> Value {
    let fits = |it: &&Verdict| {
        it.kind() == "CustomerOffboarding" && is_offered(&it.actions["suspend"]) != is_suspended
    };
    let request = verdicts().iter().find(|it| fits(it) && is_offered(&it.actions[action])).unwrap();
    request.actions[action].patch.clone().unwrap()
}

fn is_offered(action: &Action) -> bool {
    !action.disabled
}

#[test]
fn a_button_is_offered_where_it_does_something() {
    for verdict in verdicts() {
        let offered: Vec<&str> =
            verdict.actions.iter().filter(|(_, it)| is_offered(it)).map(|(name, _)| name.as_str()).collect();
        let (spec, is_over) = (&verdict.object["spec"], verdict.object["status"]["finished"] == true);
        let expected: &[&str] = match verdict.kind() {
            "CustomerOffboarding" if is_over => &[],
            "CustomerOffboarding" if spec["cancel"] == true => &["retry"],
            "CustomerOffboarding" if spec["suspend"] == true => &["cancel", "resume", "retry"],
            "CustomerOffboarding" => &["cancel", "retry", "suspend"],
            _ => &[],
        };
        assert_eq!(offered, expected, "{}", verdict.name());
    }
}

/// A button agrees to nothing, and touches no status, no target and no customer.
#[test]
fn a_button_changes_its_own_field_and_nothing_else() {
    for verdict in verdicts() {
        for (name, action) in verdict.actions.iter().filter(|(_, it)| is_offered(it)) {
            let patch = action.patch.as_ref().unwrap();
            let expected = match name.as_str() {
                "cancel" => json!({ "spec": { "cancel": true } }),
                "suspend" => json!({ "spec": { "suspend": true } }),
                "resume" => json!({ "spec": { "suspend": false } }),
                "retry" => {
                    let at = &patch["metadata"]["annotations"]["offboarding.dev/retry-requested-at"];
                    assert!(at.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{at}");
                    json!({ "metadata": { "annotations": { "offboarding.dev/retry-requested-at": at } } })
                }
                other => panic!("nobody asked for {other}"),
            };
            assert_eq!(*patch, expected, "{} {name}", verdict.name());
        }
    }
}
