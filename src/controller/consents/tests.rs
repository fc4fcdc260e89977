use serde_json::json;

use super::*;

/// Bob agrees in a namespace to the request with uid `uid-1`.
fn agreed(namespace: &str, uid: &str, is_going: bool) -> OffboardingApproval {
    let mut object: OffboardingApproval = serde_json::from_value(json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingApproval",
        "metadata": {
            "name": uid, "namespace": namespace, "uid": uid, "creationTimestamp": "2026-11-23T12:00:00Z",
        },
        "spec": {
            "decision": "Approve", "for": [{"name": "acme", "uid": "uid-1", "planHash": "sha256:1"}],
            "approver": "bob", "grants": ["Delete"], "expiresAt": "2026-11-24T12:00:00Z",
        },
    }))
    .unwrap();
    object.metadata.deletion_timestamp =
        is_going.then(|| object.metadata.creation_timestamp.clone().unwrap());
    object
}

fn counted(consents: &Consents) -> usize {
    let ApprovalsSeen::Seen(approvals) = consents.about("team", "uid-1") else { panic!("it is filled") };
    approvals.len()
}

fn filled() -> Consents {
    let consents = Consents::default();
    consents.take(&Event::Init);
    consents.take(&Event::InitDone);
    consents
}

#[test]
fn nobody_knows_what_was_said_before_the_watch_has_shown_it() {
    assert_eq!(Consents::default().about("team", "uid-1"), ApprovalsSeen::Unread);
}

#[test]
fn what_was_said_counts_in_the_namespace_of_the_request_alone() {
    let consents = filled();
    let named = consents.take(&Event::Apply(agreed("elsewhere", "a", false)));
    assert_eq!(named[0].object.namespace.as_deref(), Some("elsewhere"));
    assert_eq!(counted(&consents), 0);
    consents.take(&Event::Apply(agreed("team", "b", false)));
    assert_eq!(counted(&consents), 1);
    consents.take(&Event::Delete(agreed("elsewhere", "a", false)));
    assert_eq!(counted(&consents), 1);
    consents.take(&Event::Delete(agreed("team", "b", false)));
    assert_eq!(counted(&consents), 0);
}

#[test]
fn what_is_being_withdrawn_does_not_count_and_wakes_its_request() {
    let consents = filled();
    consents.take(&Event::Apply(agreed("team", "a", false)));
    assert_eq!(counted(&consents), 1);
    let named = consents.take(&Event::Apply(agreed("team", "a", true)));
    assert_eq!((counted(&consents), named.len()), (0, 1));
    // Told again, as every later change of it is.
    consents.take(&Event::Apply(agreed("team", "a", true)));
    assert_eq!(counted(&consents), 0);
}

#[test]
fn a_watch_that_begins_again_forgets_what_is_gone() {
    let consents = filled();
    consents.take(&Event::Apply(agreed("team", "a", false)));
    consents.take(&Event::Init);
    consents.take(&Event::InitApply(agreed("team", "b", false)));
    let gone = consents.take(&Event::InitDone);
    assert_eq!((counted(&consents), gone.len()), (1, 1));
}
