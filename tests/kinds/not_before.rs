//! `spec.notBefore`: a deletion can be put off at any time, and hurried only while nobody agreed to it.

use harness::Failure;
use serde_json::{Value, json};

use crate::{REQUESTS, Server, request, with};

const REFUSED: &str = "spec.notBefore: Forbidden: must not be moved to earlier or removed after people agreed to the plan; a later moment is accepted, and so is `cancel: true` with a new CustomerOffboarding";

const EARLY: &str = "2026-12-01T00:00:00Z";
const LATE: &str = "2026-12-02T00:00:00Z";

/// The same moment as [`LATE`] on another clock: as a text it sorts before it.
const LATE_ELSEWHERE: &str = "2026-12-01T19:00:00-05:00";

#[tokio::test]
async fn a_deletion_can_always_be_put_off_and_hurried_only_before_people_agreed() -> Result<(), Failure> {
    let server = Server::with_the_kinds("not-before").await?;
    let agreed = Some(("True", "QuorumReached"));
    let cases = [
        ("nobody looked yet", None, Some(LATE), Some(EARLY), true),
        ("nobody agreed yet: earlier", Some(("False", "AwaitingApproval")), Some(LATE), Some(EARLY), true),
        ("nobody agreed yet: removed", Some(("False", "AwaitingApproval")), Some(LATE), None, true),
        ("nobody has to agree", Some(("True", "NotRequired")), Some(LATE), Some(EARLY), true),
        ("agreed, and void again", Some(("False", "QuorumReached")), Some(LATE), Some(EARLY), true),
        ("agreed: later", agreed, Some(EARLY), Some(LATE), true),
        ("agreed: the same", agreed, Some(LATE), Some(LATE), true),
        ("agreed: the same on another clock", agreed, Some(LATE), Some(LATE_ELSEWHERE), true),
        ("agreed: set for the first time", agreed, None, Some(EARLY), true),
        ("agreed: earlier", agreed, Some(LATE), Some(EARLY), false),
        ("agreed: earlier by a second", agreed, Some(LATE), Some("2026-12-01T23:59:59Z"), false),
        ("agreed: removed", agreed, Some(LATE), None, false),
    ];
    for (n, (about, approved, before, after, is_accepted)) in cases.into_iter().enumerate() {
        let name = format!("request-{n}");
        let mut object = request(&name);
        if let Some(moment) = before {
            object = with(object, "notBefore", &format!("'{moment}'"));
        }
        let mut object = server.create(REQUESTS, &object).await.unwrap();
        if let Some((truth, reason)) = approved {
            object["status"] = status(truth, reason);
            server
                .replace_status(REQUESTS, &object)
                .await
                .expect("the operator writes a status whatever it says");
        }
        let answer = server.patch(REQUESTS, &name, &json!({ "spec": { "notBefore": after } })).await;
        let due =
            if is_accepted { Ok(after.map_or(Value::Null, Value::from)) } else { Err(REFUSED.to_owned()) };
        assert_eq!(answer.map(|it| it["spec"]["notBefore"].clone()), due, "{about}");
    }
    Ok(())
}

/// Everything else stays as it was, for somebody who wants to stop a deletion that people agreed to.
#[tokio::test]
async fn a_request_that_people_agreed_to_can_still_be_stopped_and_its_status_written() -> Result<(), Failure>
{
    let server = Server::with_the_kinds("agreed").await?;
    let object = with(request("acme"), "notBefore", &format!("'{LATE}'"));
    let mut object = server.create(REQUESTS, &object).await.unwrap();
    for (truth, reason) in [
        ("False", "AwaitingApproval"),
        ("True", "QuorumReached"),
        ("False", "PlanChanged"),
        ("True", "QuorumReached"),
    ] {
        object["status"] = status(truth, reason);
        object = server.replace_status(REQUESTS, &object).await.unwrap();
    }
    for spec in [json!({ "suspend": true }), json!({ "suspend": false }), json!({ "cancel": true })] {
        server.patch(REQUESTS, "acme", &json!({ "spec": spec })).await.unwrap();
    }
    let dropped = server.apply(REQUESTS, "admin", &request("acme")).await;
    assert!(dropped.is_ok(), "who never set it does not drop it: {dropped:?}");
    Ok(())
}

fn status(truth: &str, reason: &str) -> Value {
    json!({ "observedGeneration": 1, "phase": "AwaitingApproval", "conditions": [{
        "type": "Approved", "status": truth, "reason": reason, "message": "as told",
        "observedGeneration": 1, "lastTransitionTime": "2026-11-23T08:00:00Z",
    }]})
}
