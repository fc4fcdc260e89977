//! The way to the collector: OTLP over HTTP, protobuf. What does not arrive is lost: no deletion waits for a trace.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message as _;
use reqwest::{header::CONTENT_TYPE, redirect, retry};
use rustls::{ClientConfig, RootCertStore};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::Traces;

/// How many spans wait at most; further ones are lost. About 2 MiB.
const QUEUE: usize = 4096;

/// How many spans go together, and how long the first of them waits for others.
const MOST: usize = 512;
const WAIT: Duration = Duration::from_secs(1);

/// One request to the collector in total, and its connection.
const DEADLINE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);

/// How long the end of the process waits for what was not sent yet.
const AT_THE_END: Duration = Duration::from_secs(2);

/// Who tells, in every trace.
const SERVICE: &str = "customer-offboarding-operator";

/// Where an OTLP receiver listens: http or https, with any path prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector(Url);

/// An address that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CollectorProblem {
    /// Traces carry no credential, and an address with one would be shown by `ps`.
    #[error(
        "must be an http or https URL without credentials, query and fragment, such as http://collector:4318"
    )]
    Url,
    /// The surroundings are at fault.
    #[error("no HTTP client can be made")]
    Client,
}

impl Collector {
    /// Reads the address of a receiver, as OTEL_EXPORTER_OTLP_ENDPOINT holds it: `/v1/traces` is appended.
    ///
    /// # Errors
    /// `CollectorProblem::Url`.
    pub fn at(text: &str) -> Result<Self, CollectorProblem> {
        let mut url: Url = text.parse().map_err(|_| CollectorProblem::Url)?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_plain {
            return Err(CollectorProblem::Url);
        }
        url.path_segments_mut().map_err(|()| CollectorProblem::Url)?.pop_if_empty().extend(["v1", "traces"]);
        Ok(Self(url))
    }

    /// Traces that go there, and who brings them.
    ///
    /// # Errors
    /// `CollectorProblem::Client`.
    pub fn traces(
        self,
        process: &str,
        clock: fn() -> Timestamp,
    ) -> Result<(Traces, Exporter), CollectorProblem> {
        let (queue, told) = mpsc::channel(QUEUE);
        let exporter = Exporter {
            client: client(self.0.scheme() == "https")?,
            url: self.0,
            resource: resource(process),
            told,
            is_lost: false,
        };
        Ok((Traces::into_queue(queue, clock), exporter))
    }
}

/// Straight to the collector, whatever proxy the environment names.
fn client(with_tls: bool) -> Result<reqwest::Client, CollectorProblem> {
    let mut roots = RootCertStore::empty();
    if with_tls {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| CollectorProblem::Client)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .connect_timeout(CONNECT)
        .timeout(DEADLINE)
        .build()
        .map_err(|_| CollectorProblem::Client)
}

fn resource(process: &str) -> Resource {
    let attributes = [
        ("service.name", SERVICE),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", process),
    ];
    let attribute = |(key, value): (&str, &str)| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) }),
        ..KeyValue::default()
    };
    Resource { attributes: attributes.map(attribute).to_vec(), ..Resource::default() }
}

/// Brings spans to the collector.
pub struct Exporter {
    client: reqwest::Client,
    url: Url,
    resource: Resource,
    told: mpsc::Receiver<Span>,
    /// The last spans did not arrive, and the log says so.
    is_lost: bool,
}

impl Exporter {
    /// Runs until it is told to stop, and then for 2 s at most.
    pub async fn run(self, stop: CancellationToken) {
        let ending = stop.clone();
        let at_the_end = async move {
            ending.cancelled().await;
            tokio::time::sleep(AT_THE_END).await;
        };
        tokio::select! { () = self.bring(stop) => {} () = at_the_end => {} }
    }

    async fn bring(mut self, stop: CancellationToken) {
        let mut spans = Vec::new();
        loop {
            let is_closed = self.told.is_closed();
            tokio::select! {
                biased;
                () = stop.cancelled(), if !is_closed => self.told.close(),
                () = gather(&mut self.told, &mut spans) => {
                    if spans.is_empty() {
                        return;
                    }
                    self.send(std::mem::take(&mut spans)).await;
                }
            }
        }
    }

    async fn send(&mut self, spans: Vec<Span>) {
        let scope = InstrumentationScope { name: SERVICE.to_owned(), ..InstrumentationScope::default() };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }],
                ..ResourceSpans::default()
            }],
        };
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(request.encode_to_vec());
        let lost = match request.send().await {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answers {}", answer.status().as_u16())),
            // The error's own text holds addresses.
            Err(error) if error.is_timeout() => Some("no answer in time".to_owned()),
            Err(error) if error.is_connect() => Some("no connection".to_owned()),
            Err(_) => Some("no usable answer".to_owned()),
        };
        self.tell_the_log(lost.as_deref());
    }

    /// Told when it begins, and when it is over.
    fn tell_the_log(&mut self, lost: Option<&str>) {
        match lost {
            Some(why) if !self.is_lost => {
                tracing::warn!(
                    "traces do not reach the collector, and are lost until it is told again; nothing else waits for them: {why}"
                );
            }
            None if self.is_lost => tracing::info!("traces reach the collector again"),
            Some(_) | None => {}
        }
        self.is_lost = lost.is_some();
    }
}

/// Waits for spans, and a moment for those that come right after the first; none means that there are no more. What it has gathered
/// stays where it is dropped on the way.
async fn gather(told: &mut mpsc::Receiver<Span>, spans: &mut Vec<Span>) {
    if spans.is_empty() && told.recv_many(spans, MOST).await == 0 {
        return;
    }
    let end = Instant::now() + WAIT;
    while spans.len() < MOST {
        match timeout_at(end, told.recv_many(spans, MOST - spans.len())).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_an_address_without_secrets() {
        for (text, url) in [
            ("http://collector:4318", Ok("http://collector:4318/v1/traces")),
            ("http://collector:4318/", Ok("http://collector:4318/v1/traces")),
            ("https://otel.example.com/team/a", Ok("https://otel.example.com/team/a/v1/traces")),
            ("http://[::1]:4318", Ok("http://[::1]:4318/v1/traces")),
            ("collector:4318", Err(CollectorProblem::Url)),
            ("grpc://collector:4317", Err(CollectorProblem::Url)),
            ("file:///tmp/traces", Err(CollectorProblem::Url)),
            ("https://user:secret@otel.example.com", Err(CollectorProblem::Url)),
            ("https://token@otel.example.com", Err(CollectorProblem::Url)),
            ("https://otel.example.com/?key=secret", Err(CollectorProblem::Url)),
            ("https://otel.example.com/#part", Err(CollectorProblem::Url)),
            ("", Err(CollectorProblem::Url)),
        ] {
            let read = Collector::at(text).map(|Collector(url)| url.to_string());
            assert_eq!(read, url.map(str::to_owned), "{text}");
        }
    }

    fn span(name: &str) -> Span {
        Span { name: name.to_owned(), ..Span::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_collector_that_never_answers_holds_the_end_up_for_two_seconds() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let collector = Collector::at(&format!("http://{}", silent.local_addr().unwrap())).unwrap();
        let (traces, exporter) = collector.traces("here", || Timestamp::UNIX_EPOCH).unwrap();
        let uid = "7d0e3c1a-0b1c-4a52-9a52-0a9d3a6b0f11";
        traces.finished(uid, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH, "Erased", "Absent");
        let (stop, begun) = (CancellationToken::new(), Instant::now());
        stop.cancel();
        exporter.run(stop).await;
        let took = begun.elapsed();
        assert!((AT_THE_END..AT_THE_END + Duration::from_millis(10)).contains(&took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn spans_go_together_and_none_is_forgotten_at_the_end() {
        let (tell, mut told) = mpsc::channel(8);
        let mut spans = Vec::new();
        let begun = Instant::now();
        tell.try_send(span("first")).unwrap();
        tell.try_send(span("second")).unwrap();
        gather(&mut told, &mut spans).await;
        assert_eq!((spans.len(), begun.elapsed()), (2, WAIT), "a moment for others");
        tell.try_send(span("last")).unwrap();
        told.close();
        spans.clear();
        gather(&mut told, &mut spans).await;
        assert_eq!((spans.len(), begun.elapsed()), (1, WAIT), "nobody is waited for any more");
        spans.clear();
        gather(&mut told, &mut spans).await;
        assert_eq!(spans.len(), 0, "there are no more");
    }
}
