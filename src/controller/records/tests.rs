use http::{Request, Response};
use kube::{
    Client,
    client::Body,
    runtime::{reflector, watcher::Event},
};
use serde_json::json;
use tower_test::mock;

use super::*;

/// Records of which these are open: each by its name and the uid of its request.
fn records(open: &[(&str, &str)]) -> Records {
    let (service, _) = mock::pair::<Request<Body>, Response<Body>>();
    let (cache, mut writer) = reflector::store();
    for (name, request) in open {
        let record = json!({
            "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingRecord",
            "metadata": {"name": name, "namespace": "system"},
            "spec": {
                "request": {"namespace": "team", "name": request, "uid": request, "target": "default", "mode": "Hard"},
                "provider": {
                    "kind": "OffboardingProvider", "namespace": "team", "name": "pay", "uid": "pay",
                    "baseUrl": "https://pay.example", "environment": "sandbox",
                },
            },
        });
        writer.apply_watcher_event(&Event::Apply(serde_json::from_value(record).unwrap()));
    }
    Records::new(ApiServer::new(Client::new(service, "system")), "system".to_owned(), cache)
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
