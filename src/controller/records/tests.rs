use http::{Request, Response};
use kube::{
    Client,
    client::Body,
    runtime::{reflector, watcher::Event},
};
use serde_json::json;
use tower_test::mock;

use super::*;

fn object(name: &str, request: &str, closed: bool) -> serde_json::Value {
    json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingRecord",
        "metadata": {"name": name, "namespace": "system"},
        "spec": {
            "closed": closed,
            "request": {"namespace": "team", "name": request, "uid": request, "target": "default", "mode": "Hard"},
            "provider": {
                "kind": "OffboardingProvider", "namespace": "team", "name": "pay", "uid": "pay",
                "baseUrl": "https://pay.example", "environment": "sandbox",
            },
        },
    })
}

/// Records of which these are open: each by its name and the uid of its request.
fn records(open: &[(&str, &str)]) -> Records {
    let (service, _) = mock::pair::<Request<Body>, Response<Body>>();
    let (cache, mut writer) = reflector::store();
    for (name, request) in open {
        let record = object(name, request, false);
        writer.apply_watcher_event(&Event::Apply(serde_json::from_value(record).unwrap()));
    }
    let api = ApiServer::new(Client::new(service, "system"));
    Records::new(api, "system".to_owned(), cache, Traces::default())
}

fn remembers(records: &Records, name: &str, request: &str) -> bool {
    records.memory(name, request) != Memory::default()
}

/// Each of these requests has seen something of the customer of a record.
fn seen(records: &Records, name: &str, requests: &[&str]) {
    let at = crate::domain::Moment { uptime: std::time::Duration::ZERO, wall: jiff::Timestamp::UNIX_EPOCH };
    let memory = Memory { attempt: Some(("one".to_owned(), at)), ..Memory::default() };
    for request in requests {
        records.keep(name, &memory, request);
    }
}

fn gone(records: &Records, request: &str) {
    records.forget_request(request, &ObjectRef::new(request).within("team"));
}

#[tokio::test]
async fn what_is_forgotten_of_a_request_that_ended_is_its_own() {
    let records = records(&[]);
    seen(&records, "record", &["ended", "waits"]);
    seen(&records, "another", &["ended"]);
    records.remember("ended", "default", "record");
    records.forget("ended", "default", "record");
    assert!(!remembers(&records, "record", "ended"));
    assert!(remembers(&records, "record", "waits"), "what another request saw of the same customer");
    assert!(remembers(&records, "another", "ended"), "what it saw of another customer");
    assert_eq!(records.name_of("ended", "default"), None);
}

#[tokio::test]
async fn of_a_request_that_is_gone_only_its_own_open_record_is_remembered() {
    let records = records(&[("open", "owner")]);
    seen(&records, "open", &["owner", "duplicate"]);
    seen(&records, "closed", &["owner", "waits"]);
    gone(&records, "owner");
    assert!(remembers(&records, "open", "owner"), "it is finished without its request");
    assert!(!remembers(&records, "closed", "owner"));
    gone(&records, "duplicate");
    assert!(!remembers(&records, "open", "duplicate"), "nobody else would forget it");
    assert!(remembers(&records, "closed", "waits"));
}

#[tokio::test]
async fn the_records_of_a_request_are_asked_for_once_in_each_term_and_the_open_one_is_its_own() {
    let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
    let records = Records::new(
        ApiServer::new(Client::new(service, "system")),
        "system".to_owned(),
        reflector::store().0,
        Traces::default(),
    );
    let found = json!({
        "kind": "OffboardingRecordList", "apiVersion": "offboarding.dev/v1alpha1", "metadata": {},
        "items": [object("of-the-id-now", "request", false), object("of-the-id-then", "request", true)],
    });
    let (asked, mut times) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some((request, send)) = server.next_request().await {
            asked.send(request.uri().to_string()).unwrap();
            send.send_response(Response::new(Body::from(found.to_string().into_bytes())));
        }
    });
    for terms in 1..=2 {
        records.term_begins();
        for _ in 0..2 {
            records.find("request").await.unwrap();
        }
        let uri = times.try_recv().unwrap();
        assert!(uri.contains("fieldSelector=spec.request.uid%3Drequest"), "{uri}");
        assert!(times.try_recv().is_err(), "more than once in term {terms}");
        assert_eq!(records.name_of("request", "default").as_deref(), Some("of-the-id-now"));
    }
}

#[tokio::test]
async fn a_record_names_the_trace_of_its_request_where_traces_are_told() {
    const UID: &str = "7d0e3c1a-0b1c-4a52-9a52-0a9d3a6b0f11";
    let on = crate::traces::Collector::at("http://127.0.0.1:1").unwrap();
    let (on, _exporter) = on.traces("here", || jiff::Timestamp::UNIX_EPOCH).unwrap();
    for (traces, trace_id) in [(on, Some("7d0e3c1a0b1c4a529a520a9d3a6b0f11")), (Traces::default(), None)] {
        let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
        let api = ApiServer::new(Client::new(service, "system"));
        let records = Records::new(api, "system".to_owned(), reflector::store().0, traces);
        tokio::spawn(async move {
            while let Some((request, send)) = server.next_request().await {
                let stored = request.into_body().collect_bytes().await.unwrap();
                send.send_response(Response::new(Body::from(stored.to_vec())));
            }
        });
        let record: OffboardingRecord = serde_json::from_value(object("r-1", UID, false)).unwrap();
        let keys = Keys::new(&[1; crate::evidence::KEY_BYTES]).unwrap();
        let stored = records.write("r-1", None, record.spec, &keys).await.unwrap();
        assert_eq!(stored.spec.trace_id.as_deref(), trace_id);
        let signed = record::signed(stored.spec.clone(), "r-1", &keys);
        assert_eq!(stored.spec.mac, signed.mac, "it is under the MAC");
    }
}
