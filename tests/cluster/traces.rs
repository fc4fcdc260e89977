//! Traces: one for each offboarding, whoever works on it, with nothing in it that says whose it is. Told to a collector of the test's.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use harness::{
    Options,
    Provider::{Juicyway, Revolv3},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value as Any},
    trace::v1::Span,
};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    stage::{SOON, Stage},
    story::{Story, token},
};

/// An OTLP/HTTP receiver that keeps what it is sent.
struct Receiver {
    url: String,
    bodies: Arc<Mutex<Vec<Bytes>>>,
    serving: JoinHandle<()>,
}

async fn keep(State(bodies): State<Arc<Mutex<Vec<Bytes>>>>, body: Bytes) {
    bodies.lock().unwrap().push(body);
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Receiver {
    async fn start() -> Receiver {
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let router = Router::new().route("/v1/traces", post(keep)).with_state(bodies.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Receiver { url, bodies, serving }
    }

    fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        let bodies = self.bodies.lock().unwrap();
        bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.clone()).unwrap()).collect()
    }

    fn spans(&self) -> Vec<Span> {
        let resources = self.requests().into_iter().flat_map(|request| request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// Everything that arrived, for a search.
    fn text(&self) -> String {
        let bodies = self.bodies.lock().unwrap();
        bodies.iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect()
    }

    /// Which processes told.
    fn processes(&self) -> BTreeSet<String> {
        let resources = self.requests().into_iter().flat_map(|request| request.resource_spans);
        let attributes = resources.flat_map(|spans| spans.resource.unwrap().attributes);
        attributes.filter(|it| it.key == "service.instance.id").map(|it| word(&it)).collect()
    }
}

fn word(attribute: &KeyValue) -> String {
    match attribute.value.clone().and_then(|value| value.value) {
        Some(Any::StringValue(word)) => word,
        other => panic!("{}: {other:?}", attribute.key),
    }
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn without_dashes(uid: &Value) -> String {
    uid.as_str().unwrap().replace('-', "")
}

async fn ends(stage: &Stage) -> Duration {
    let mut operator = stage.operator.lock().await;
    let asked = Instant::now();
    operator.terminate().unwrap();
    assert!(operator.wait(SOON).await.unwrap().success(), "{}", operator.tail());
    asked.elapsed()
}

#[tokio::test]
async fn an_offboarding_is_one_trace_with_every_step_whoever_worked_on_it_and_says_nothing_of_whose_it_was() {
    let receiver = Receiver::start().await;
    // Nothing listens there.
    let env = [("HTTP_PROXY", "http://127.0.0.1:1"), ("ALL_PROXY", "http://127.0.0.1:1")];
    let flags = ["--otlp-endpoint", receiver.url.as_str()];
    let stage = Stage::start_with(Options::default(), &flags, &env).await.unwrap();
    let (id, person) = ("81726354", json!({"firstName": "Marguerite", "email": "mq@personal-example.org"}));
    let story = stage.story("traced").await;
    story.sandbox.seed(Revolv3, id, &person).await.unwrap();
    // A lag to wait for: the outcome is written down before it.
    let lag = json!({"customProfile": {"guarantees": {"consistencyLag": "2s"}}});
    story.provider_as("some-object", Revolv3, lag).await;
    let spec = json!({
        "suspend": true, "request": {"reference": "DSR-4711"},
        "targets": [{"name": "some-target", "providerRef": {"name": "some-object"}}],
    });
    story.request_with("some-request", Revolv3, id, spec).await;
    story.reason("some-request", "Waiting", "Suspended").await;
    ends(&stage).await;
    stage.restart_operator().await.unwrap();
    story.edit("some-request", json!({"suspend": false})).await;
    let status = story.finished("some-request").await;
    let record = story.records().await.pop().unwrap();
    ends(&stage).await;
    story.judged().await;

    let request = story.get("CustomerOffboarding", "some-request").await.unwrap();
    let trace_id = without_dashes(&request["metadata"]["uid"]);
    assert_eq!(status["traceId"], trace_id.as_str());
    assert_eq!(record["spec"]["traceId"], trace_id.as_str());
    let spans = receiver.spans();
    let traces: BTreeSet<String> = spans.iter().map(|span| hex(&span.trace_id)).collect();
    assert_eq!(traces, BTreeSet::from([trace_id]));
    assert_eq!(receiver.processes().len(), 2, "both processes told of it");

    let mut counts = BTreeMap::<&str, usize>::new();
    for span in &spans {
        *counts.entry(span.name.as_str()).or_default() += 1;
    }
    for once in ["offboarding", "intent", "re-read", "send", "outcome", "close"] {
        assert_eq!(counts.remove(once), Some(1), "{once}");
    }
    for at_least_once in ["pass", "look", "preflight", "verify"] {
        assert!(counts.remove(at_least_once) >= Some(1), "{at_least_once}");
    }
    assert_eq!(counts, BTreeMap::new(), "no other steps");
    hangs_together(&spans);
    let waits: BTreeSet<String> = spans
        .iter()
        .flat_map(|span| &span.events)
        .filter(|event| event.name == "waits")
        .flat_map(|event| event.attributes.iter().filter(|it| it.key == "offboarding.reason").map(word))
        .collect();
    assert!(waits.contains("Suspended"), "{waits:?}");
    says_only_words(&spans);
    let namespace = story.namespace.name();
    for whose in [
        id,
        "Marguerite",
        "personal-example",
        token(Revolv3),
        "some-request",
        "some-object",
        "some-target",
        namespace,
        "DSR-4711",
        "/api/",
        "127.0.0.1",
    ] {
        assert!(!receiver.text().contains(whose), "{whose} is in a trace");
    }
}

/// Every span but the first lies in another one, and none begins before that one.
fn hangs_together(spans: &[Span]) {
    let by_id: BTreeMap<&[u8], &Span> = spans.iter().map(|span| (&span.span_id[..], span)).collect();
    assert_eq!(by_id.len(), spans.len(), "each id once");
    let roots: Vec<&str> =
        spans.iter().filter(|span| span.parent_span_id.is_empty()).map(|span| span.name.as_str()).collect();
    assert_eq!(roots, ["offboarding"]);
    for span in spans.iter().filter(|span| !span.parent_span_id.is_empty()) {
        let parent =
            by_id.get(&span.parent_span_id[..]).unwrap_or_else(|| panic!("{} lies nowhere", span.name));
        let lies_in = if span.name == "pass" { "offboarding" } else { "pass" };
        assert_eq!(parent.name, lies_in, "{}", span.name);
        assert!(span.start_time_unix_nano >= parent.start_time_unix_nano, "{} in {lies_in}", span.name);
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{}", span.name);
    }
}

/// What is said has a name of ours, and is one word.
fn says_only_words(spans: &[Span]) {
    let of_events = spans.iter().flat_map(|span| &span.events).flat_map(|event| &event.attributes);
    for attribute in spans.iter().flat_map(|span| &span.attributes).chain(of_events) {
        let (key, said) = (attribute.key.as_str(), word(attribute));
        let known = ["profile", "verdict", "outcome", "class", "reason", "phase", "result"];
        assert!(key.strip_prefix("offboarding.").is_some_and(|key| known.contains(&key)), "{key}");
        let is_word = !said.is_empty() && said.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
        assert!(is_word, "{key} is {said:?}");
    }
}

#[tokio::test]
async fn a_collector_that_is_not_there_or_never_answers_holds_up_nothing_and_without_one_nothing_is_told() {
    // It accepts connections, and that is all.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_url = format!("http://{}", silent.local_addr().unwrap());
    let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", silent_url.as_str())];
    let mut stage = Stage::start_with(Options::default(), &[], &env).await.unwrap();
    offboards(&stage, "silent", 1).await;
    let took = ends(&stage).await;
    println!("with a silent collector it ends in {took:.1?}");
    // 2 s for the traces; the rest is what it takes on a busy machine.
    assert!(took < Duration::from_secs(8), "{took:?}");

    // Nothing listens there.
    stage.restart_operator_with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")]).await.unwrap();
    let before = lost(&stage).await;
    offboards(&stage, "nobody", 1).await;
    let says =
        |line: &str| line.contains("traces do not reach the collector") && line.contains("no connection");
    stage.operator.lock().await.wait_for_line(says, SOON).await.unwrap();
    offboards(&stage, "nobody-again", 2).await;
    ends(&stage).await;
    assert_eq!(lost(&stage).await - before, 1, "told once");

    let receiver = Receiver::start().await;
    let off =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", ""), ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", receiver.url.as_str())];
    stage.restart_operator_with(&off).await.unwrap();
    let (status, record) = offboards(&stage, "off", 1).await;
    ends(&stage).await;
    assert_eq!(receiver.requests(), []);
    assert_eq!((&status["traceId"], &record["spec"]["traceId"]), (&Value::Null, &Value::Null));
}

/// How often the log says that traces are lost.
async fn lost(stage: &Stage) -> usize {
    stage.operator.lock().await.log().matches("traces do not reach the collector").count()
}

/// Offboards some customers, one after the other; status and record of the last.
async fn offboards(stage: &Stage, name: &str, count: usize) -> (Value, Value) {
    let story: Story = stage.story(name).await;
    story.provider(Juicyway, json!({})).await;
    let mut status = Value::Null;
    for n in 0..count {
        let (request, id) = (format!("acme-{n}"), format!("cus_{n}"));
        story.sandbox.seed(Juicyway, &id, &json!({})).await.unwrap();
        story.request(&request, Juicyway, &id).await;
        status = story.finished(&request).await;
        assert_eq!(status["result"], "ErasedWithRetention");
    }
    story.judged().await;
    (status, story.records().await.pop().unwrap())
}
