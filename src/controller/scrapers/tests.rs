use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Request, Response};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tower_test::mock;

use super::*;

/// An API server that answers reviews, and how often each was asked for. `None` is no answer.
fn server(
    answer: impl Fn(&Value) -> Option<Value> + Send + 'static,
) -> (ApiServer, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
    let (tokens, rights) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count_tokens, count_rights) = (tokens.clone(), rights.clone());
    tokio::spawn(async move {
        while let Some((request, send)) = server.next_request().await {
            assert_eq!(request.method(), http::Method::POST);
            let counts = match request.uri().path() {
                "/apis/authentication.k8s.io/v1/tokenreviews" => &count_tokens,
                "/apis/authorization.k8s.io/v1/subjectaccessreviews" => &count_rights,
                other => panic!("asked for {other}"),
            };
            counts.fetch_add(1, Ordering::Relaxed);
            let mut review: Value =
                serde_json::from_slice(&request.into_body().collect_bytes().await.unwrap()).unwrap();
            let response = match answer(&review) {
                Some(status) => {
                    review["status"] = status;
                    Response::new(Body::from(review.to_string().into_bytes()))
                }
                None => Response::builder().status(500).body(Body::empty()).unwrap(),
            };
            send.send_response(response);
        }
    });
    (ApiServer::new(Client::new(service, "system")), tokens, rights)
}

/// Knows two tokens; only Prometheus may read.
fn knows(review: &Value) -> Option<Value> {
    Some(match review["kind"].as_str() {
        Some("TokenReview") => match review["spec"]["token"].as_str() {
            Some("of-prometheus") => json!({
                "authenticated": true, "user": {"username": "prometheus", "groups": ["monitoring"], "uid": "7"},
            }),
            Some("of-alice") => json!({"authenticated": true, "user": {"username": "alice"}}),
            Some("of-the-outage") => return None,
            _ => json!({"authenticated": false, "error": "unknown"}),
        },
        _ => {
            let wanted = json!({"path": "/metrics", "verb": "get"});
            assert_eq!(review["spec"]["nonResourceAttributes"], wanted);
            let spec = &review["spec"];
            json!({"allowed": spec["user"] == "prometheus" && spec["groups"] == json!(["monitoring"])})
        }
    })
}

#[tokio::test]
async fn who_may_read_is_asked_once_a_while_and_who_may_not_is_told_why() {
    let (api, tokens, rights) = server(knows);
    let scrapers = Scrapers::default();
    for (token, reader) in [
        ("of-prometheus", Reader::Allowed),
        ("of-alice", Reader::Forbidden),
        ("of-nobody", Reader::Unknown),
        ("of-the-outage", Reader::Unanswered),
    ] {
        for _ in 0..3 {
            assert_eq!(scrapers.judge(&api, token).await, reader, "{token}");
        }
    }
    assert_eq!(tokens.load(Ordering::Relaxed), 3 + 3, "an outage is not remembered");
    assert_eq!(rights.load(Ordering::Relaxed), 2);
}

#[test]
fn an_answer_holds_for_a_while_and_strangers_cannot_fill_the_memory_or_push_anybody_out() {
    let (mut known, start) = (Known::default(), Instant::now());
    let token = |number: usize| digested(&number.to_string());
    known.learn(token(0), Reader::Allowed, start);
    for number in 1..1000 {
        known.learn(token(number), Reader::Unknown, start);
    }
    assert_eq!((known.allowed.len(), known.refused.len()), (1, MOST_KNOWN));
    assert_eq!(known.of(&token(0), start), Some(Reader::Allowed));
    assert_eq!(known.of(&token(1), start), Some(Reader::Unknown));
    assert_eq!(known.of(&token(1), start + REFUSED_FOR), None);
    assert_eq!(known.of(&token(0), start + REFUSED_FOR), Some(Reader::Allowed));
    assert_eq!(known.of(&token(0), start + ALLOWED_FOR), None);
    known.learn(token(1001), Reader::Forbidden, start + REFUSED_FOR);
    assert_eq!(known.refused.len(), 1, "what does not hold any more makes room");
}

#[tokio::test(start_paused = true)]
async fn few_are_asked_about_at_once_and_the_others_do_not_wait_for_ever() {
    let (service, mut handle) = mock::pair::<Request<Body>, Response<Body>>();
    let api = ApiServer::new(Client::new(service, "system"));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        let mut unanswered = Vec::new();
        while let Some((_, send)) = handle.next_request().await {
            count.fetch_add(1, Ordering::Relaxed);
            unanswered.push(send);
        }
    });
    let scrapers = Scrapers::default();
    let tokens: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let judged = futures::future::join_all(tokens.iter().map(|token| scrapers.judge(&api, token))).await;
    assert!(judged.iter().all(|reader| *reader == Reader::Unanswered));
    assert_eq!(asked.load(Ordering::Relaxed), AT_ONCE);
}
