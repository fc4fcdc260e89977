//! R21: who asked. With the stamp it is written down whatever the client says; without it, the client's word is confirmed or refused.

use harness::{ControlPlane, Failure};
use serde_json::{Value, json};

use crate::{
    ALLOWED, Hall, NO_RIGHT,
    fixtures::{request, requested_by, with},
};

const ROBOT: &str = "system:serviceaccount:argocd:argocd-application-controller";
const REFUSED: &str =
    "metadata.annotations[offboarding.dev/requested-by]: must equal the requesting user and never changes";

fn author(object: &Value) -> &Value {
    &object["metadata"]["annotations"]["offboarding.dev/requested-by"]
}

fn says(author: Option<&str>) -> Value {
    json!({ "metadata": { "annotations": { "offboarding.dev/requested-by": author } } })
}

#[tokio::test]
async fn who_asked_is_stamped_whatever_the_client_says_and_stays() -> Result<(), Failure> {
    let hall = Hall::open("stamped").await?;
    hall.bind("offboarding-requester", ROBOT).await?;
    hall.until_bound("argocd", &hall.create(&request("it"))).await;
    let mut beside = request("beside");
    beside["metadata"]["annotations"] = json!({ "note": "kept" });
    for (about, who, object, due) in [
        ("nothing said", "alice", request("a"), "alice"),
        ("something else said", "alice", beside, "alice"),
        ("the truth", "alice", requested_by(request("b"), "alice"), "alice"),
        ("row 15: forged", "alice", requested_by(request("c"), "bob"), "alice"),
        ("row 15: an administrator, forged", "admin", requested_by(request("d"), "bob"), "admin"),
        ("row 15: nobody, written out", "alice", requested_by(request("e"), ""), "alice"),
        ("a robot", "argocd", request("f"), ROBOT),
        ("row 15: a robot in a person's name", "argocd", requested_by(request("g"), "alice"), ROBOT),
        ("break-glass, forged", "grace", requested_by(request("h"), "alice"), "grace"),
    ] {
        let made = hall.does(who, hall.create(&object)).await;
        assert_eq!(author(&made), due, "{about}");
        let kept = object["metadata"]["annotations"].get("note");
        assert_eq!(made["metadata"]["annotations"].get("note"), kept, "{about}");
    }
    let stored = hall.does("alice", hall.create(&request("acme"))).await;
    let mut dropped = stored.clone();
    dropped["metadata"]["annotations"] = Value::Null;
    let mut empty = stored.clone();
    empty["metadata"]["annotations"] = json!({});
    for (about, who, what) in [
        ("row 15: changed", "alice", hall.patch(&stored, says(Some("bob")))),
        ("row 15: changed by another requester", "frank", hall.patch(&stored, says(Some("frank")))),
        ("row 15: changed by an administrator", "admin", hall.patch(&stored, says(Some("bob")))),
        ("row 15: taken away", "admin", hall.patch(&stored, says(None))),
        (
            "row 15: all annotations taken away",
            "alice",
            hall.patch(&stored, json!({ "metadata": { "annotations": null } })),
        ),
        ("row 15: dropped by a replace", "alice", hall.replace(&dropped)),
        ("row 15: none left by a replace", "alice", hall.replace(&empty)),
        ("suspended by somebody else", "frank", hall.patch(&stored, json!({ "spec": { "suspend": true } }))),
    ] {
        let answer = hall.tries(who, &what).await.unwrap_or_else(|why| panic!("{about}: {why}"));
        assert_eq!(author(&answer), "alice", "{about}");
    }
    Ok(())
}

/// The stamp sees an object before its schema does: what is wrong in it must reach our own words all the same.
#[tokio::test]
async fn the_stamp_repeats_nothing_that_is_wrong() -> Result<(), Failure> {
    let hall = Hall::open("stamped-wrong").await?;
    for (customer, due) in [
        (json!({ "id": 90_017_123 }), "must be written in quotes"),
        (json!({ "id": "9001/7123" }), "must start with a letter or digit"),
        (json!("90017123"), "must be of type object"),
        (json!({ "id": ["90017123"] }), "must be of type"),
    ] {
        let refused = hall
            .tries("alice", &hall.create(&with(request("acme"), "customer", customer)))
            .await
            .unwrap_err();
        assert!(refused.contains(due), "{refused}");
        assert!(!refused.contains("7123"), "{refused}");
    }
    Ok(())
}

/// Kubernetes before 1.36. On an API server of its own, because the stamp is the whole cluster's.
pub async fn without_the_stamp(plane: &ControlPlane) -> Result<(), Failure> {
    let hall = Hall::on(plane, "unstamped").await?;
    hall.until_refused("requests", "admin", &hall.create(&requested_by(request("it"), "bob"))).await;
    let silent = hall.does("alice", hall.create(&request("silent"))).await;
    let signed = hall.does("alice", hall.create(&requested_by(request("signed"), "alice"))).await;
    assert_eq!(author(&silent), &Value::Null);
    let mut dropped = signed.clone();
    dropped["metadata"]["annotations"] = Value::Null;
    let suspend = json!({ "spec": { "suspend": true } });
    let note = json!({ "metadata": { "annotations": { "note": "seen" } } });
    let collector = "as system:serviceaccount:kube-system:generic-garbage-collector";
    let finalizer = json!({ "metadata": { "finalizers": ["foregroundDeletion"] } });
    let rows = [
        ("nothing said", "alice", hall.create(&request("it")), ALLOWED),
        ("the truth", "alice", hall.create(&requested_by(request("it"), "alice")), ALLOWED),
        ("row 15: forged", "alice", hall.create(&requested_by(request("it"), "bob")), REFUSED),
        (
            "row 15: forged by an administrator",
            "admin",
            hall.create(&requested_by(request("it"), "bob")),
            REFUSED,
        ),
        ("row 15: forged by break-glass", "grace", hall.create(&requested_by(request("it"), "bob")), REFUSED),
        ("row 15: claimed later", "alice", hall.patch(&silent, says(Some("alice"))), REFUSED),
        ("row 15: changed", "alice", hall.patch(&signed, says(Some("bob"))), REFUSED),
        (
            "row 15: changed to the one who changes",
            "frank",
            hall.patch(&signed, says(Some("frank"))),
            REFUSED,
        ),
        ("row 15: changed by an administrator", "admin", hall.patch(&signed, says(Some("admin"))), REFUSED),
        ("row 15: taken away", "alice", hall.patch(&signed, says(None)), REFUSED),
        ("row 15: dropped by a replace", "alice", hall.replace(&dropped), REFUSED),
        ("suspended", "alice", hall.patch(&signed, suspend.clone()), ALLOWED),
        ("suspended by somebody else", "frank", hall.patch(&signed, suspend.clone()), ALLOWED),
        ("suspended by an approver", "bob", hall.patch(&signed, suspend), NO_RIGHT),
        ("another annotation", "alice", hall.patch(&signed, note), ALLOWED),
        ("R11: the collector's finalizer", collector, hall.patch(&signed, finalizer), ALLOWED),
    ];
    hall.assert_answers(rows).await;
    Ok(())
}
