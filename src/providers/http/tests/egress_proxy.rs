//! Through the installation's proxy: what it is asked for, and what is said when it does not connect.

use std::{net::SocketAddr, sync::Mutex};

use secrecy::SecretString;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{
    server::{How, Script},
    *,
};
use crate::providers::http::{CircuitState, EgressProxy, Reached, reach};

const DELETED: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
const FOUND: &str = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\n{\"id\":7}";
const CONNECTED: &str = "HTTP/1.1 200 Connection established\r\nvia: 1.1 test\r\n\r\n";

/// What the proxy does, once it has read what it is asked for.
#[derive(Clone, Copy)]
enum Manner {
    /// Connects to the address that it is asked for.
    Connects,
    /// Connects to another server, and says nothing of it.
    Diverts(SocketAddr),
    /// Says this, and ends the connection.
    Says(&'static str),
    /// Says this again and again.
    SaysForEver(&'static str),
    /// Says this, and keeps silent.
    Hangs(&'static str),
}

struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _connections: JoinSet<()>,
}

impl Proxy {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut accepting = JoinSet::new();
        let ledger = asked.clone();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, manner, ledger.clone()));
            }
        });
        Self { address, asked, _connections: accepting }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn egress(&self, credentials: Option<&str>) -> Egress {
        let credentials = credentials.map(SecretString::from);
        let proxy = EgressProxy::new(&format!("http://{}", self.address), credentials.as_ref()).unwrap();
        egress().through(Some(proxy))
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, asked: Arc<Mutex<Vec<String>>>) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte.into());
    }
    let target = head.split(' ').nth(1).unwrap().to_owned();
    asked.lock().unwrap().push(head);
    match manner {
        Manner::Connects => join(stream, target.parse().unwrap()).await,
        Manner::Diverts(address) => join(stream, address).await,
        Manner::Says(text) => drop(stream.write_all(text.as_bytes()).await),
        Manner::SaysForEver(text) => while stream.write_all(text.as_bytes()).await.is_ok() {},
        Manner::Hangs(text) => {
            stream.write_all(text.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }
}

async fn join(mut stream: TcpStream, address: SocketAddr) {
    let mut server = TcpStream::connect(address).await.unwrap();
    stream.write_all(CONNECTED.as_bytes()).await.unwrap();
    let _ended = copy_bidirectional(&mut stream, &mut server).await;
}

fn endpoint_through(egress: &Egress, base_url: &str, trusted: &Authority) -> Arc<Endpoint> {
    let parts = EndpointParts {
        base_url,
        allowed_cidrs: &["127.0.0.0/8".to_owned()],
        ca_bundle: Some(&trusted.pem),
        client_identity: None,
    };
    Arc::new(Endpoint::new(parts, egress).unwrap())
}

async fn sent(endpoint: &Endpoint, total: Duration) -> SendResult {
    let permit = grant(Duration::ZERO, AMPLE, AMPLE).unwrap();
    let deadline = SendDeadline { first_byte_before: Instant::now() + AMPLE, total };
    let url = endpoint.base_url().url().as_str().trim_end_matches('/').to_owned();
    send(permit, delete(&url), endpoint, deadline, now).await
}

async fn read(endpoint: &Arc<Endpoint>, deadline: Duration) -> Result<u16, Failure> {
    let limiter = Limiter::new(Limits { requests_per_minute: 60_000, burst: 1000, max_in_flight: 10 });
    let url = endpoint.base_url().url().as_str().trim_end_matches('/').to_owned();
    let client = ReadClient::new(endpoint.clone(), limiter, deadline);
    client.read(get(&url), "1").await.map(|answer| answer.status)
}

#[tokio::test]
async fn both_clients_ask_the_proxy_for_the_checked_address_and_the_provider_for_everything_else() {
    let authority = Authority::new();
    let server = Server::start(authority.server(), Script::Answer(FOUND)).await;
    let proxy = Proxy::start(Manner::Connects).await;
    let base_url = format!("https://api.example.com:{}", server.port);
    let through = endpoint_through(&proxy.egress(None), &base_url, &authority);
    assert_eq!(status(sent(&through, AMPLE).await), Some(200));
    assert_eq!(read(&through, AMPLE).await, Ok(200));
    assert_eq!(reach(&through).await, Ok(Reached { date: None }));
    let (port, version) = (server.port, env!("CARGO_PKG_VERSION"));
    let asked = format!(
        "CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\
         User-Agent: customer-offboarding-operator/{version}\r\n\r\n"
    );
    assert_eq!(proxy.asked(), vec![asked; 3]);
    let ledger = server.settled().await;
    assert_eq!(ledger.connections, 3, "nobody goes around the proxy");
    let host = format!("\r\nhost: api.example.com:{port}\r\n");
    assert!(ledger.requests.iter().all(|request| request.contains(&host)), "{:?}", ledger.requests);
    let with_credential = ledger.requests.iter().filter(|request| request.contains("sesame")).count();
    assert_eq!(with_credential, 2, "the doctor shows no credential");
}

#[tokio::test]
async fn a_body_goes_through_the_proxy_as_without_one() {
    let authority = Authority::new();
    let server = Server::start(authority.server(), Script::Answer(FOUND)).await;
    let proxy = Proxy::start(Manner::Connects).await;
    let through = endpoint_through(&proxy.egress(None), &server.base_url, &authority);
    let limiter = Limiter::new(Limits { requests_per_minute: 60, burst: 10, max_in_flight: 1 });
    let client = ReadClient::new(through, limiter, AMPLE);
    let mut search = request(Method::POST, &server.base_url, "/search");
    search.body = Some(("application/json", b"{}".to_vec()));
    let found = client.read(search, "1").await.unwrap();
    assert_eq!((found.status, found.json), (200, Some(serde_json::json!({"id": 7}))));
    let request = server.settled().await.requests.concat();
    assert!(request.starts_with("POST /search HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("\r\ncontent-length: 2\r\n\r\n{}"), "{request}");
}

#[tokio::test]
async fn the_proxy_is_told_its_credentials_and_the_provider_is_not() {
    let authority = Authority::new();
    let server = Server::start(authority.server(), Script::Answer(DELETED)).await;
    let proxy = Proxy::start(Manner::Connects).await;
    let egress = proxy.egress(Some("operator:open\n"));
    let through = endpoint_through(&egress, &server.base_url, &authority);
    assert_eq!(status(sent(&through, AMPLE).await), Some(204));
    assert_eq!(read(&through, AMPLE).await, Ok(204));
    let line = "\r\nProxy-Authorization: Basic b3BlcmF0b3I6b3Blbg==\r\n\r\n";
    let asked = proxy.asked();
    assert!(asked.len() == 2 && asked.iter().all(|it| it.ends_with(line)), "{asked:?}");
    assert!(!asked.concat().contains("sesame") && !asked.concat().contains("90017"), "{asked:?}");
    let requests = server.settled().await.requests.concat().to_lowercase();
    assert!(!requests.contains("proxy-"), "{requests}");
    assert!(!format!("{egress:?} {through:?}").contains("open"));
}

#[tokio::test]
async fn where_the_proxy_does_not_connect_nothing_is_sent_and_the_provider_hears_nothing() {
    let authority = Authority::new();
    let server = Server::start(authority.server(), Script::Answer(DELETED)).await;
    let long: &'static str = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(9000)).leak();
    let refused = "HTTP/1.1 403 Forbidden\r\ncontent-length: 6\r\n\r\nno way";
    let unauthorized = "HTTP/1.1 407 No\r\nproxy-authenticate: Basic realm=\"x\"\r\n\r\n";
    let elsewhere = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n";
    let eager = "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    // How often a read is tried: a refusal lasts, a proxy that is out of order may mend itself.
    for (what, manner, cause, tries) in [
        ("403", Manner::Says(refused), Cause::ProxyRefused, 1),
        ("405", Manner::Says("HTTP/1.0 405 No\r\n\r\n"), Cause::ProxyRefused, 1),
        ("407", Manner::Says(unauthorized), Cause::ProxyUnauthorized, 1),
        ("502", Manner::Says("HTTP/1.1 502 Bad Gateway\r\n\r\n"), Cause::ProxyUnavailable, 3),
        ("503", Manner::Says("HTTP/1.1 503 No\r\n\r\n"), Cause::ProxyUnavailable, 3),
        ("a redirect", Manner::Says(elsewhere), Cause::ProxyUnavailable, 3),
        ("an interim answer", Manner::Says("HTTP/1.1 100 Continue\r\n\r\n"), Cause::ProxyUnavailable, 3),
        ("no word", Manner::Says(""), Cause::ProxyUnavailable, 3),
        ("half an answer", Manner::Says("HTTP/1.1 200 OK\r\n"), Cause::ProxyUnavailable, 3),
        ("no HTTP", Manner::Says("SSH-2.0-OpenSSH_9.6\r\n\r\n"), Cause::ProxyUnavailable, 3),
        ("bytes behind it", Manner::Says(eager), Cause::ProxyUnavailable, 3),
        ("a long head", Manner::Says(long), Cause::ProxyUnavailable, 3),
        ("an endless head", Manner::SaysForEver("HTTP/1.1 200 OK\r\nx: y"), Cause::ProxyUnavailable, 3),
    ] {
        let proxy = Proxy::start(manner).await;
        let through = endpoint_through(&proxy.egress(None), &server.base_url, &authority);
        assert_eq!(not_sent(sent(&through, AMPLE).await), Some(transient(cause)), "{what}");
        assert_eq!(proxy.asked().len(), 1, "{what}: a deletion is tried once");
        assert_eq!(read(&through, AMPLE).await, Err(transient(cause)), "{what}");
        assert_eq!(proxy.asked().len(), 1 + tries, "{what}");
        assert_eq!(reach(&through).await, Err(transient(cause)), "{what}");
    }
    assert_eq!(server.settled().await.connections, 0);
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_said_to_be_the_proxy_s_fault() {
    let authority = Authority::new();
    let server = Server::start(authority.server(), Script::Answer(DELETED)).await;
    let proxy = Proxy::start(Manner::Connects).await;
    let egress = proxy.egress(None);
    drop(proxy);
    let through = endpoint_through(&egress, &server.base_url, &authority);
    assert_eq!(not_sent(sent(&through, AMPLE).await), Some(transient(Cause::ProxyUnavailable)));
    assert_eq!(read(&through, AMPLE).await, Err(transient(Cause::ProxyUnavailable)));
    assert_eq!(server.settled().await.connections, 0, "nobody goes around it");
}

#[tokio::test]
async fn a_refusal_of_the_proxy_is_not_held_against_the_provider_s_credential() {
    let proxy = Proxy::start(Manner::Says("HTTP/1.1 407 No\r\n\r\n")).await;
    let through = endpoint_through(&proxy.egress(None), "https://127.0.0.1:9", &Authority::new());
    let limiter = Limiter::new(Limits { requests_per_minute: 60, burst: 10, max_in_flight: 1 });
    let client = ReadClient::new(through, limiter.clone(), AMPLE);
    let failure = client.read(get("https://127.0.0.1:9"), "1").await.unwrap_err();
    assert_eq!(failure.class, Class::Transient);
    assert_eq!(limiter.circuit(), CircuitState::Closed);
}

#[tokio::test]
async fn a_silent_proxy_is_left_when_the_time_is_over() {
    let (authority, server) = (Authority::new(), "https://127.0.0.1:9");
    for text in ["", "HTTP/1.1 200 OK\r\n"] {
        let proxy = Proxy::start(Manner::Hangs(text)).await;
        let through = endpoint_through(&proxy.egress(None), server, &authority);
        let start = Instant::now();
        assert_eq!(not_sent(sent(&through, SHORT).await), Some(transient(Cause::NotSent)), "{text}");
        assert_eq!(read(&through, SHORT).await, Err(transient(Cause::OutcomeUnknown)), "{text}");
        assert!(start.elapsed() < SHORT * 6, "{text}");
        // A deadline for the first byte that passes meanwhile is what is said then.
        let permit = grant(Duration::ZERO, AMPLE, AMPLE).unwrap();
        let deadline = SendDeadline { first_byte_before: Instant::now() + SHORT / 2, total: SHORT };
        let result = send(permit, delete(server), &through, deadline, now).await;
        assert_eq!(not_sent(result), Some(transient(Cause::DeadlinePassed)), "{text}");
    }
}

#[tokio::test]
async fn a_proxy_that_leads_elsewhere_is_found_out_by_the_certificate_and_hears_no_credential() {
    let (trusted, stranger) = (Authority::new(), Authority::new());
    let elsewhere = Server::start(stranger.server(), Script::Answer(DELETED)).await;
    let raw = Server::start(trusted.server(), Script::Raw(b"HTTP/1.1 204 No Content\r\n\r\n")).await;
    for server in [&elsewhere, &raw] {
        let proxy = Proxy::start(Manner::Diverts(([127, 0, 0, 1], server.port).into())).await;
        let through = endpoint_through(&proxy.egress(None), "https://api.example.com", &trusted);
        assert_eq!(not_sent(sent(&through, AMPLE).await), Some(transient(Cause::TlsFailed)));
        assert_eq!(read(&through, AMPLE).await, Err(transient(Cause::TlsFailed)));
        assert_eq!(server.settled().await.application_bytes, 0);
    }
    let silent = Proxy::start(Manner::Says(CONNECTED)).await;
    let through = endpoint_through(&silent.egress(None), "https://api.example.com", &trusted);
    assert_eq!(not_sent(sent(&through, AMPLE).await), Some(transient(Cause::TlsFailed)));
}

#[tokio::test]
async fn behind_the_proxy_too_whether_a_byte_left_separates_not_sent_from_unknown() {
    for (script, is_unknown) in [
        (Script::Cut("", How::Rst), true),
        (Script::Cut("", How::Fin), true),
        (Script::Cut("HTTP/1.1 20", How::Fin), true),
        (Script::CutAtAccept(How::Rst), false),
    ] {
        let authority = Authority::new();
        let server = Server::start(authority.server(), script).await;
        let proxy = Proxy::start(Manner::Connects).await;
        let through = endpoint_through(&proxy.egress(None), &server.base_url, &authority);
        let result = sent(&through, AMPLE).await;
        let requests = server.settled().await.requests.len();
        if is_unknown {
            let expected = Failure::new(Class::Indeterminate, Cause::OutcomeUnknown);
            assert_eq!((unknown(result), requests), (Some(expected), 1));
        } else {
            assert_eq!((not_sent(result), requests), (Some(transient(Cause::TlsFailed)), 0));
        }
        assert_eq!(proxy.asked().len(), 1);
    }
}

#[tokio::test]
async fn the_proxy_is_not_asked_for_an_address_that_is_refused() {
    let proxy = Proxy::start(Manner::Connects).await;
    let failing: Lookup = Arc::new(|_| Box::pin(async { Err(std::io::ErrorKind::NotFound.into()) }));
    for (lookup, ceiling, cause) in [
        (loopback(), vec![], Cause::AddressNotAllowed),
        (failing, vec!["127.0.0.0/8".parse().unwrap()], Cause::NameNotResolved),
    ] {
        let egress = Egress { lookup, ceiling, ..proxy.egress(None) };
        let through = endpoint_through(&egress, "https://api.example.com", &Authority::new());
        assert_eq!(not_sent(sent(&through, AMPLE).await), Some(transient(cause)));
        assert_eq!(read(&through, AMPLE).await, Err(transient(cause)));
        assert_eq!(reach(&through).await, Err(transient(cause)));
    }
    assert_eq!(proxy.asked(), [""; 0]);
}

#[tokio::test]
async fn the_next_address_is_tried_where_the_proxy_cannot_reach_one() {
    let authority = Authority::new();
    let proxy = Proxy::start(Manner::Says("HTTP/1.1 502 Bad Gateway\r\n\r\n")).await;
    let two: Lookup =
        Arc::new(|_| Box::pin(async { Ok(vec![[127, 0, 0, 1].into(), [127, 0, 0, 2].into()]) }));
    let egress = Egress { lookup: two, ..proxy.egress(None) };
    let through = endpoint_through(&egress, "https://api.example.com", &authority);
    assert_eq!(not_sent(sent(&through, AMPLE).await), Some(transient(Cause::ProxyUnavailable)));
    let targets: Vec<_> = proxy.asked().iter().map(|it| it.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(targets, ["127.0.0.1:443", "127.0.0.2:443"]);
}
