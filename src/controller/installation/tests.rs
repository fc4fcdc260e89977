use http::{Request, Response};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tower_test::mock;

use super::*;

const NAMESPACE: &str = "system";

fn our_key() -> [u8; KEY_BYTES] {
    [1; KEY_BYTES]
}

fn ours() -> Keys {
    Keys::new(&our_key()).unwrap()
}

fn another() -> Keys {
    Keys::new(&[2; KEY_BYTES]).unwrap()
}

/// An API server that answers in this order, and what it was asked for.
fn answering(answers: Vec<Option<Value>>) -> (ApiServer, tokio::task::JoinHandle<Vec<String>>) {
    let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
    let serve = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let Some((request, send)) = server.next_request().await else { break };
            asked.push(request.uri().path().rsplit('/').next().unwrap().to_owned());
            let status = if answer.is_some() { 200 } else { 404 };
            let gone = json!({"kind": "Status", "code": 404, "reason": "NotFound", "status": "Failure", "message": ""});
            let body = answer.unwrap_or(gone).to_string().into_bytes();
            send.send_response(Response::builder().status(status).body(Body::from(body)).unwrap());
        }
        asked
    });
    (ApiServer::new(Client::new(service, "default")), serve)
}

fn secret() -> Option<Value> {
    let secret = Secret {
        metadata: ObjectMeta { name: Some(SECRET.to_owned()), ..ObjectMeta::default() },
        data: Some(BTreeMap::from([(ENTRY.to_owned(), ByteString(our_key().to_vec()))])),
        ..Secret::default()
    };
    Some(serde_json::to_value(secret).unwrap())
}

fn record(name: &str, key_id: &str, customer_ref: &str) -> Value {
    json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingRecord", "metadata": {"name": name},
        "spec": {
            "keyId": key_id, "customerRef": customer_ref,
            "request": {"namespace": "team", "name": "acme", "uid": "1", "target": "billing", "mode": "Hard"},
            "provider": {
                "kind": "OffboardingProvider", "namespace": "team", "name": "acme-pay", "uid": "1",
                "baseUrl": "https://api.example.com", "environment": "sandbox",
            },
        },
    })
}

fn made_with(keys: &Keys, name: &str) -> Value {
    record(name, keys.id(), &keys.customer_ref(&crate::domain::CustomerId::new("90017".to_owned())))
}

fn list(items: &[Value]) -> Option<Value> {
    let kind = "OffboardingRecordList";
    Some(json!({"apiVersion": "offboarding.dev/v1alpha1", "kind": kind, "metadata": {}, "items": items}))
}

fn seen(record: &Value) -> OffboardingRecord {
    serde_json::from_value(record.clone()).unwrap()
}

/// One that knows its key, and has found a record of it.
async fn begun() -> Installation {
    let installation = Installation::default();
    let (api, asked) = answering(vec![secret(), list(&[made_with(&ours(), "r-1")])]);
    installation.refresh(&api, NAMESPACE).await.unwrap();
    drop(api);
    assert_eq!(asked.await.unwrap(), [SECRET, "offboardingrecords"]);
    assert!(installation.keys().await.is_some());
    installation
}

async fn refreshed(
    installation: &Installation,
    answers: Vec<Option<Value>>,
) -> (Result<(), KeyProblem>, Vec<String>) {
    let (api, asked) = answering(answers);
    let refreshed = installation.refresh(&api, NAMESPACE).await;
    drop(api);
    (refreshed, asked.await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn an_open_record_of_another_key_takes_the_key_away_at_once_and_until_it_is_gone() {
    let installation = begun().await;
    let foreign = made_with(&another(), "r-2");
    installation.notice(&seen(&made_with(&ours(), "r-3")));
    assert!(installation.keys().await.is_some());
    installation.notice(&seen(&foreign));
    assert!(installation.keys().await.is_none());
    assert_eq!(installation.trouble(), Some(KeyTrouble::TwoKeys));
    let two = || Err(KeyProblem::TwoKeys("r-2".to_owned()));
    let (still, asked) = refreshed(&installation, vec![secret(), list(&[foreign])]).await;
    assert_eq!((still, asked.len()), (two(), 2));
    assert!(installation.keys().await.is_none());
    // It is gone, and there is another one of them.
    let answers = vec![secret(), list(&[made_with(&ours(), "r-1"), made_with(&another(), "r-4")])];
    assert_eq!(refreshed(&installation, answers).await.0, Err(KeyProblem::TwoKeys("r-4".to_owned())));
    assert!(installation.keys().await.is_none());
    let answers = vec![secret(), list(&[made_with(&ours(), "r-1")])];
    assert_eq!(refreshed(&installation, answers).await.0, Ok(()));
    assert!(installation.keys().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_closed_record_of_another_key_that_comes_later_is_found_too() {
    let installation = begun().await;
    let (fresh, asked) = refreshed(&installation, vec![secret()]).await;
    assert_eq!((fresh, asked.len()), (Ok(()), 1), "not searched for each minute");
    tokio::time::advance(SEARCH_INTERVAL).await;
    let found = list(&[made_with(&ours(), "r-1"), made_with(&another(), "r-2")]);
    let (searched, _) = refreshed(&installation, vec![secret(), found]).await;
    assert_eq!(searched, Err(KeyProblem::TwoKeys("r-2".to_owned())));
    assert!(installation.keys().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_contradicts_itself_or_names_no_key_stops_nobody_else() {
    let installation = begun().await;
    let our_ref = ours().customer_ref(&crate::domain::CustomerId::new("90017".to_owned()));
    for (key_id, customer_ref) in [("00000000", our_ref.as_str()), ("", ""), ("00000000", "")] {
        installation.notice(&seen(&record("r-2", key_id, customer_ref)));
        assert!(installation.keys().await.is_some(), "{key_id:?} {customer_ref:?}");
    }
}

/// A restart must not lift the stop, not even for the minute until the next search.
#[tokio::test(start_paused = true)]
async fn no_key_is_given_out_before_all_records_were_searched_for_another() {
    let installation = Installation::default();
    let two = || Err(KeyProblem::TwoKeys("r-9".to_owned()));
    let both = list(&[made_with(&ours(), "r-1"), made_with(&another(), "r-9")]);
    let (begun, _) = refreshed(&installation, vec![secret(), both]).await;
    assert_eq!((begun, installation.keys().await.is_none()), (two(), true));
    let still = refreshed(&installation, vec![secret(), list(&[made_with(&another(), "r-9")])]).await;
    assert_eq!((still.0, installation.keys().await.is_none()), (two(), true));
    let mended = vec![secret(), list(&[made_with(&ours(), "r-1")])];
    assert_eq!(refreshed(&installation, mended).await.0, Ok(()));
    assert!(installation.keys().await.is_some());
}

/// The wrong Secret was restored first: the right one is taken as soon as it is there, without a restart.
#[tokio::test(start_paused = true)]
async fn a_wrong_secret_at_the_start_is_not_the_key_that_counts_from_then_on() {
    let installation = Installation::default();
    let theirs = || made_with(&another(), "r-1");
    let (begun, _) = refreshed(&installation, vec![secret(), list(&[theirs()])]).await;
    assert_eq!(begun, Err(KeyProblem::TwoKeys("r-1".to_owned())));
    let restored = json!({"metadata": {"name": SECRET}, "data": {ENTRY: ByteString(vec![2; KEY_BYTES])}});
    let answers = vec![Some(restored), list(&[theirs()])];
    assert_eq!(refreshed(&installation, answers).await.0, Ok(()));
    assert_eq!(installation.keys().await.unwrap().id(), another().id());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_contradicts_itself_does_not_stop_everybody_at_the_start_either() {
    let installation = Installation::default();
    let our_ref = ours().customer_ref(&crate::domain::CustomerId::new("90017".to_owned()));
    let forged = list(&[record("r-2", "00000000", &our_ref)]);
    assert_eq!(refreshed(&installation, vec![secret(), forged]).await.0, Ok(()));
    assert!(installation.keys().await.is_some());
}

/// The list may have been made before it came back.
#[tokio::test(start_paused = true)]
async fn a_foreign_record_that_comes_back_while_all_are_searched_is_not_forgotten() {
    let installation = Arc::new(begun().await);
    let foreign = made_with(&another(), "r-2");
    installation.notice(&seen(&foreign));
    let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
    let api = ApiServer::new(Client::new(service, "default"));
    let refreshing = tokio::spawn({
        let installation = Arc::clone(&installation);
        async move { installation.refresh(&api, NAMESPACE).await }
    });
    for answer in [secret().unwrap(), list(&[]).unwrap()] {
        let (_, send) = server.next_request().await.unwrap();
        if answer["kind"] == "OffboardingRecordList" {
            installation.notice(&seen(&foreign));
        }
        send.send_response(Response::new(Body::from(answer.to_string().into_bytes())));
    }
    assert_eq!(refreshing.await.unwrap(), Err(KeyProblem::TwoKeys("r-2".to_owned())));
    assert!(installation.keys().await.is_none());
}

/// More than is ever held at once is another installation's, or ours under a wrong Secret.
#[tokio::test(start_paused = true)]
async fn more_records_of_another_key_than_can_be_read_mean_that_the_secret_is_the_wrong_one() {
    let installation = Installation::default();
    let mut long = made_with(&another(), "r-1");
    long["metadata"]["annotations"] = json!({"long": "x".repeat(33 << 20)});
    assert_eq!(refreshed(&installation, vec![secret(), list(&[long])]).await.0, Err(KeyProblem::Changed));
    assert!(installation.keys().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_the_key_is_known_until_it_is_mended() {
    let holding = |bytes: &[u8]| {
        Some(json!({"metadata": {"name": SECRET}, "data": {ENTRY: ByteString(bytes.to_vec())}}))
    };
    let installation = begun().await;
    assert_eq!(installation.trouble(), None);
    for (found, trouble) in [
        (None, KeyTrouble::Missing),
        (holding(b"short"), KeyTrouble::Unusable),
        (holding(&[2; KEY_BYTES]), KeyTrouble::Changed),
    ] {
        assert!(refreshed(&installation, vec![found]).await.0.is_err());
        assert_eq!(installation.trouble(), Some(trouble));
    }
    assert_eq!(refreshed(&installation, vec![secret()]).await.0, Ok(()));
    assert_eq!(installation.trouble(), None);
}
