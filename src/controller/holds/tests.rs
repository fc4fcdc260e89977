use std::collections::HashSet;

use http::{Request, Response};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tower_test::mock;

use super::*;
use crate::{api::ProviderKind, domain::CustomerId, evidence::KEY_BYTES};

/// The most that a hold may name.
const MANY: usize = 500;

fn provider(name: &str) -> ProviderName {
    ProviderName {
        kind: ProviderKind::OffboardingProvider,
        namespace: "team".to_owned(),
        name: name.to_owned(),
    }
}

fn holds() -> Value {
    let from = |n: usize| json!({"idFrom": {"secretKeyRef": {"name": format!("held-{n}"), "key": "id"}}});
    let customers: Vec<Value> = (0..MANY).map(from).collect();
    let there = json!([{"kind": "OffboardingProvider", "namespace": "team", "name": "there"}]);
    json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": "CustomerHoldList", "metadata": {},
        "items": [{"metadata": {"name": "many"}, "spec": {"type": "LegalHold", "customers": customers, "providers": there}}],
    })
}

fn secret(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": secrets::CUSTOMER_ID_TYPE,
        "metadata": {"name": name}, "stringData": {}, "data": {"id": "OTAwMTc="},
    })
}

/// What is known of the holds at a provider object, and how many requests were under way at once, and how many there were. No
/// Secret is answered before as many are asked for as are at once.
async fn asked_at(name: &str, keys: &Keys) -> (HoldsSeen, usize, HashSet<String>) {
    let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
    let serve = tokio::spawn(async move {
        let (mut pending, mut most, mut asked) = (Vec::new(), 0, HashSet::new());
        while let Some((request, send)) = server.next_request().await {
            let path = request.uri().path().to_owned();
            let name = path.rsplit('/').next().unwrap().to_owned();
            let answer = if name == "customerholds" { holds() } else { secret(&name) };
            asked.insert(name.clone());
            pending.push((send, answer));
            most = most.max(pending.len());
            let last = asked.len() == MANY + 1;
            if name == "customerholds" || pending.len() == AT_ONCE || last {
                for (send, answer) in pending.drain(..) {
                    send.send_response(Response::new(Body::from(answer.to_string().into_bytes())));
                }
            }
        }
        (most, asked)
    });
    let api = ApiServer::new(Client::new(service, "default"));
    let seen = live(&api, "system", keys, &provider(name)).await;
    drop(api);
    let (most, asked) = serve.await.unwrap();
    (seen, most, asked)
}

#[tokio::test]
async fn a_hold_with_hundreds_of_secrets_costs_other_providers_nothing_and_its_own_some_round_trips() {
    let keys = Keys::new(&[1; KEY_BYTES]).unwrap();
    let (here, _, asked) = asked_at("here", &keys).await;
    assert_eq!((here, asked.len()), (HoldsSeen::Seen(Vec::new()), 1), "one list and no Secret");
    let (there, most, asked) = asked_at("there", &keys).await;
    assert_eq!((most, asked.len()), (AT_ONCE, MANY + 1), "so many at once");
    let HoldsSeen::Seen(there) = there else { panic!("{there:?}") };
    let held = Held::Customers(vec![Some(keys.customer_ref(&CustomerId::new("90017".to_owned()))); MANY]);
    assert_eq!(there.into_iter().map(|hold| hold.whom).collect::<Vec<_>>(), [held]);
}
