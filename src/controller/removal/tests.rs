use std::sync::{Arc, Mutex};

use http::{Request, Response};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tower_test::mock;

use super::*;

const NOON: &str = "2026-11-23T12:00:00Z";

fn noon() -> Timestamp {
    NOON.parse().unwrap()
}

/// A request that was finished at eleven, and what is different about it.
fn object(name: &str, change: Value) -> Value {
    let mut object = json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": "CustomerOffboarding",
        "metadata": {"name": name, "namespace": "team", "uid": format!("uid-of-{name}"), "resourceVersion": "41"},
        "spec": {
            "customer": {"id": "90017"}, "ttlAfterFinished": "1h",
            "targets": [{"name": "billing", "providerRef": {"name": "revolv3"}}],
        },
        "status": {
            "observedGeneration": 1, "phase": "Completed", "finished": true, "result": "Erased",
            "finishedAt": "2026-11-23T11:00:00Z",
        },
    });
    for (part, fields) in change.as_object().into_iter().flatten() {
        for (field, value) in fields.as_object().into_iter().flatten() {
            object[part][field] = value.clone();
        }
    }
    object
}

fn request(name: &str, change: Value) -> CustomerOffboarding {
    serde_json::from_value(object(name, change)).unwrap()
}

fn named(name: &str) -> Name {
    ("team".to_owned(), name.to_owned())
}

/// What is asked of an API server that has this object, and answers a DELETE with this status.
async fn diary(
    stored: Option<Value>,
    deleted: u16,
    works: impl Fn() -> bool,
) -> (Result<Removed, ApiError>, Vec<String>) {
    let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let diary = asked.clone();
    tokio::spawn(async move {
        while let Some((request, send)) = server.next_request().await {
            let (head, body) = request.into_parts();
            let body = String::from_utf8(body.collect_bytes().await.unwrap().to_vec()).unwrap();
            diary
                .lock()
                .unwrap()
                .push(format!("{} {} {body}", head.method, head.uri.path()).trim().to_owned());
            let status = |code: u16| json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": if code == 404 { "NotFound" } else { "" }});
            let (code, answer) = match (head.method.as_str(), &stored) {
                ("GET", Some(object)) => (200, object.clone()),
                ("GET", None) => (404, status(404)),
                (_, _) => (
                    deleted,
                    if deleted == 200 {
                        json!({"kind": "Status", "apiVersion": "v1", "status": "Success", "code": 200})
                    } else {
                        status(deleted)
                    },
                ),
            };
            send.send_response(
                Response::builder().status(code).body(Body::from(answer.to_string().into_bytes())).unwrap(),
            );
        }
    });
    let api = ApiServer::new(Client::new(service, "team"));
    let came = remove(&api, &named("acme"), noon(), works).await;
    let asked = asked.lock().unwrap().clone();
    (came, asked)
}

const GET: &str = "GET /apis/offboarding.dev/v1alpha1/namespaces/team/customeroffboardings/acme";

#[tokio::test]
async fn a_request_is_removed_exactly_as_it_was_read() {
    let (came, diary) = diary(Some(object("acme", json!({}))), 200, || true).await;
    assert!(matches!(came, Ok(Removed::Now)), "{came:?}");
    let exactly = json!({"preconditions": {"resourceVersion": "41", "uid": "uid-of-acme"}});
    assert_eq!(diary, [GET.to_owned(), format!("{} {exactly}", GET.replace("GET", "DELETE"))]);
}

#[tokio::test]
async fn a_request_that_is_another_one_by_now_stays() {
    let no_time = json!({"spec": {"ttlAfterFinished": null}});
    for (about, stored) in [
        ("gone", None),
        ("nobody says how long any more", Some(no_time)),
        (
            "created again under its name",
            Some(json!({"status": {"finished": false, "finishedAt": null, "result": null}})),
        ),
        ("cancelled", Some(json!({"status": {"result": "Cancelled", "phase": "Cancelled"}}))),
        ("failed", Some(json!({"status": {"result": "Failed", "phase": "Failed"}}))),
        ("kept by somebody else", Some(json!({"metadata": {"deletionTimestamp": NOON}}))),
    ] {
        let (came, diary) = diary(stored.map(|change| object("acme", change)), 200, || true).await;
        assert!(matches!(came, Ok(Removed::Gone)), "{about}: {came:?}");
        assert_eq!(diary, [GET], "{about}");
    }
}

#[tokio::test]
async fn a_request_whose_time_is_later_or_whose_leader_is_another_one_stays_for_now() {
    let later = json!({"spec": {"ttlAfterFinished": "61m"}});
    let (came, asked) = diary(Some(object("acme", later)), 200, || true).await;
    assert!(matches!(came, Ok(Removed::Later(at)) if at.to_string() == "2026-11-23T12:01:00Z"), "{came:?}");
    assert_eq!(asked, [GET]);
    let (came, asked) = diary(Some(object("acme", json!({}))), 200, || false).await;
    assert!(matches!(came, Ok(Removed::Later(at)) if at == noon()), "{came:?}");
    assert_eq!(asked, [GET]);
}

#[tokio::test]
async fn what_the_api_server_says_to_a_removal_decides_whether_it_is_tried_again() {
    for (status, gone) in [(409, true), (404, true), (403, false), (500, false)] {
        let (came, _) = diary(Some(object("acme", json!({}))), status, || true).await;
        assert_eq!(matches!(came, Ok(Removed::Gone)), gone, "{status}: {came:?}");
        assert_eq!(came.is_err(), !gone, "{status}");
    }
}

#[test]
fn a_line_knows_whose_time_comes_first_and_forgets_whoever_left() {
    let finished_at = |at: &str| json!({"status": {"finishedAt": at}});
    let mut line = Line::default();
    assert_eq!((line.due(noon()), line.pause(noon())), (None, LOOK), "nobody waits");
    let list = |requests: &[CustomerOffboarding]| {
        let listed = requests.iter().cloned().map(Event::InitApply);
        [vec![Event::Init], listed.collect(), vec![Event::InitDone]].concat()
    };
    let early = request("early", finished_at("2026-11-23T10:30:00Z"));
    let late = request("late", finished_at("2026-11-23T11:00:10Z"));
    let failed = request("failed", json!({"status": {"result": "Failed"}}));
    list(&[late.clone(), failed, early.clone()]).into_iter().for_each(|event| line.take(event));
    assert_eq!(line.due(noon()), Some(named("early")));
    line.take(Event::Apply(request("early", json!({"spec": {"ttlAfterFinished": "24h"}}))));
    assert_eq!(line.due(noon()), None, "it stays longer now");
    assert_eq!(line.pause(noon()), Duration::from_millis(10_020), "until late's time comes");
    line.take(Event::Delete(late.clone()));
    assert_eq!(line.pause(noon()), LOOK);
    list(std::slice::from_ref(&late)).into_iter().for_each(|event| line.take(event));
    assert_eq!(line.at.len(), 1, "what the list leaves out is gone");
    line.rest("elsewhere", noon().saturating_add(AGAIN).unwrap());
    assert_ne!(line.pause(noon()), LOOK, "what is elsewhere holds up nobody here");
    line.rest(&named("late").0, noon().saturating_add(AGAIN).unwrap());
    assert_eq!((line.pause(noon()), line.at.len()), (LOOK, 1), "nothing here before that");
    line.set(named("late"), Some(noon()));
    assert_eq!((line.due(noon()), line.first.len()), (Some(named("late")), 1));
}
