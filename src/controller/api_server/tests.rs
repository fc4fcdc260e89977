use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use tower_test::mock;

use super::*;
use crate::api::{CustomerHold, CustomerOffboarding, OffboardingRecord};

/// A list that is answered so, page by page, and what was asked for.
async fn listed(answers: Vec<(u16, String)>) -> (Result<Vec<CustomerHold>, ApiError>, Vec<String>) {
    asked(answers, async |api| api.list_all::<CustomerHold>().await).await
}

async fn asked<T>(answers: Vec<(u16, String)>, ask: impl AsyncFnOnce(&ApiServer) -> T) -> (T, Vec<String>) {
    let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
    let api = ApiServer::new(Client::new(service, "default"));
    let serve = tokio::spawn(async move {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let Some((request, send)) = server.next_request().await else { break };
            asked.push(request.uri().to_string());
            send.send_response(
                Response::builder().status(status).body(Body::from(body.into_bytes())).unwrap(),
            );
        }
        asked
    });
    let answer = ask(&api).await;
    drop(api);
    (answer, serve.await.unwrap())
}

fn page(names: &[&str], next: &str) -> (u16, String) {
    let items: Vec<Value> = names
        .iter()
        .map(|name| json!({ "metadata": { "name": name }, "spec": { "type": "Freeze", "all": true } }))
        .collect();
    let list = json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": "CustomerHoldList", "metadata": { "continue": next }, "items": items,
    });
    (200, list.to_string())
}

#[tokio::test]
async fn a_list_is_followed_to_its_last_page() {
    let (listed, asked) = listed(vec![page(&["a", "b"], "more"), page(&["c"], "")]).await;
    let names: Vec<_> = listed.unwrap().into_iter().map(|hold| hold.metadata.name.unwrap()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let first = "/apis/offboarding.dev/v1alpha1/customerholds?&limit=500";
    assert_eq!(asked, [first.to_owned(), format!("{first}&continue=more")]);
}

#[tokio::test]
async fn a_list_that_is_not_known_completely_is_an_error() {
    let (_, mut odd) = page(&["a"], "");
    odd = odd.replace("Freeze", "Thaw");
    let (_, endless) = page(&["a"], "more");
    let half = endless + &" ".repeat(LONGEST_LIST / 2);
    let gone =
        json!({ "kind": "Status", "code": 410, "reason": "Expired", "message": "too old" }).to_string();
    for (about, answers, due) in [
        ("one that nobody understands", vec![(200, odd)], ApiError::Invalid),
        ("no list at all", vec![(200, "{}".to_owned())], ApiError::Invalid),
        (
            "too long, two pages together",
            vec![(200, half.clone()), (200, half.clone()), (200, half)],
            ApiError::TooMany,
        ),
        ("the second page is too late", vec![page(&["a"], "more"), (410, gone)], ApiError::Unanswered),
    ] {
        assert_eq!(listed(answers).await.0, Err(due), "{about}");
    }
}

#[tokio::test]
async fn what_is_counted_page_by_page_may_be_as_long_as_it_likes_and_is_known_completely_or_not_at_all() {
    let record = |name: &str| json!({ "metadata": { "name": name }, "spec": {} });
    let page = |name: &str, next: &str| {
        let list = json!({
            "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingRecordList", "metadata": { "continue": next },
            "items": [record(name)],
        });
        (200, list.to_string() + &" ".repeat(LONGEST_LIST / 2))
    };
    let count = async |api: &ApiServer| {
        let mut names = Vec::new();
        let take =
            |page: Vec<DynamicObject>| names.extend(page.into_iter().filter_map(|it| it.metadata.name));
        let all = api.each_page::<OffboardingRecord, _>("system", "spec.day=2026-11-23", take).await;
        all.map(|()| names)
    };
    let (counted, uris) = asked(vec![page("a", "more"), page("b", "more"), page("c", "")], count).await;
    assert_eq!(counted, Ok(["a", "b", "c"].map(str::to_owned).to_vec()));
    let first = "/apis/offboarding.dev/v1alpha1/namespaces/system/offboardingrecords?&fieldSelector=spec.day%3D2026-11-23&limit=500";
    assert_eq!(uris, [first.to_owned(), format!("{first}&continue=more"), format!("{first}&continue=more")]);
    let gone =
        json!({ "kind": "Status", "code": 410, "reason": "Expired", "message": "too old" }).to_string();
    let (broken_off, _) = asked(vec![page("a", "more"), (410, gone)], count).await;
    assert_eq!(broken_off, Err(ApiError::Unanswered));
}

/// Whoever met another writer has decided by what is no longer so: it is told, and decides again.
#[tokio::test]
async fn a_conflict_is_told_and_nothing_is_written_a_second_time() {
    let stored = json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": "CustomerOffboarding",
        "metadata": { "name": "acme", "namespace": "team", "resourceVersion": "7" },
        "spec": { "customer": { "id": "cus_1" }, "targets": [{ "name": "billing", "providerRef": { "name": "billing" } }] },
    });
    let read: CustomerOffboarding = serde_json::from_value(stored.clone()).unwrap();
    let conflict = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 409, "reason": "Conflict",
        "message": "the object has been modified",
    });
    // What a second question would be answered with.
    let answers = || {
        let stored = (200, stored.to_string());
        vec![(409, conflict.to_string()), stored.clone(), stored]
    };
    let object = "/apis/offboarding.dev/v1alpha1/namespaces/team/customeroffboardings/acme";
    let path = |uri: &String| uri.split('?').next().map(str::to_owned);
    let (replaced, uris) = asked(answers(), async |api| api.replace("team", &read).await).await;
    assert_eq!(replaced.err(), Some(ApiError::Conflict));
    assert_eq!(uris.iter().filter_map(path).collect::<Vec<_>>(), [object]);
    let (replaced, uris) = asked(answers(), async |api| api.replace_status("team", &read).await).await;
    assert_eq!(replaced.err(), Some(ApiError::Conflict));
    assert_eq!(uris.iter().filter_map(path).collect::<Vec<_>>(), [format!("{object}/status")]);
    // An API server that does not know a field says so, and does not drop it.
    assert!(uris.iter().all(|uri| uri.contains("fieldValidation=Strict")), "{uris:?}");
}
