//! Reads: what is repeated, what is not, and what the limiter learns from it.

use super::{
    server::{How, Script},
    *,
};
use crate::providers::http::{CircuitState, OpenedBy};

const FOUND: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 8\r\n\r\n{\"id\":7}";

async fn start(script: Script) -> (Server, ReadClient, Arc<Limiter>) {
    let authority = Authority::new();
    let server = Server::start(authority.server(), script).await;
    let (client, limiter) = read_client(&server.base_url, &authority, AMPLE);
    (server, client, limiter)
}

#[tokio::test]
async fn reads_share_a_connection_and_send_what_was_prepared() {
    let (server, client, _limiter) = start(Script::Answer(FOUND)).await;
    for _ in 0..3 {
        let read = client.read(get(&server.base_url), "1").await.unwrap();
        assert_eq!((read.status, read.json), (200, Some(serde_json::json!({"id": 7}))));
    }
    let ledger = server.settled().await;
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "GET /customers/90017 HTTP/1.1\r\nauthorization: Bearer sk_test_sesame\r\naccept: application/json\r\n\
         user-agent: customer-offboarding-operator/{version}\r\ncache-control: no-cache\r\nhost: 127.0.0.1:{}\r\n\r\n",
        server.port
    );
    assert_eq!((ledger.connections, ledger.requests), (1, vec![expected; 3]));
}

#[tokio::test]
async fn a_read_with_a_body_sends_it() {
    let (server, client, _limiter) = start(Script::Answer(FOUND)).await;
    let mut search = request(Method::POST, &server.base_url, "/search");
    search.body = Some(("application/json", b"{}".to_vec()));
    client.read(search, "1").await.unwrap();
    let sent = server.ledger().requests.concat();
    assert!(sent.starts_with("POST /search HTTP/1.1\r\n") && sent.ends_with("\r\n\r\n{}"), "{sent}");
    assert!(sent.contains("\r\ncontent-type: application/json\r\n"), "{sent}");
}

#[tokio::test]
async fn a_lost_connection_is_tried_again_and_the_limiter_hears_of_the_end_only() {
    let (server, client, limiter) = start(Script::ResetThenAnswer(FOUND)).await;
    assert_eq!(client.read(get(&server.base_url), "1").await.unwrap().status, 200);
    assert_eq!(server.settled().await.requests.len(), 2);
    assert_eq!(limiter.circuit(), CircuitState::Closed);
}

#[tokio::test]
async fn a_read_is_tried_three_times_at_most() {
    let (server, client, limiter) = start(Script::Cut("", How::Rst)).await;
    let read = client.read(get(&server.base_url), "1").await;
    assert_eq!(read.err(), Some(transient(Cause::OutcomeUnknown)));
    assert_eq!(server.settled().await.requests.len(), 3);
    assert_eq!(limiter.circuit(), CircuitState::Closed, "one read, one trouble");
}

#[tokio::test]
async fn a_read_is_not_tried_again_beyond_the_rate() {
    let authority = Authority::new();
    let server = Server::start(authority.server(), Script::Cut("", How::Rst)).await;
    let limiter = Limiter::new(Limits { requests_per_minute: 1, burst: 2, max_in_flight: 1 });
    let client = ReadClient::new(endpoint(&server.base_url, &authority), limiter, AMPLE);
    assert!(client.read(get(&server.base_url), "1").await.is_err());
    assert_eq!(server.settled().await.requests.len(), 2);
}

#[tokio::test]
async fn an_answer_is_an_answer_and_is_not_asked_for_again() {
    let pause = "HTTP/1.1 429 No\r\nretry-after: 30\r\ncontent-length: 0\r\n\r\n";
    let open = |because| CircuitState::Open { because, credential_version: "1".to_owned() };
    for (text, code, circuit, paused) in [
        ("HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n", 401, open(OpenedBy::Auth), false),
        ("HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n", 403, CircuitState::Closed, false),
        ("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", 404, CircuitState::Closed, false),
        (pause, 429, CircuitState::Closed, true),
        ("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n", 503, CircuitState::Closed, false),
    ] {
        let (server, client, limiter) = start(Script::Answer(text)).await;
        assert_eq!(client.read(get(&server.base_url), "1").await.unwrap().status, code);
        assert_eq!(server.settled().await.requests.len(), 1, "{code}");
        assert_eq!((limiter.circuit(), limiter.paused_for().is_some()), (circuit, paused), "{code}");
    }
}

#[tokio::test]
async fn five_server_errors_open_the_circuit_and_the_sixth_read_does_not_go_out() {
    let (server, client, limiter) =
        start(Script::Answer("HTTP/1.1 502 No\r\ncontent-length: 0\r\n\r\n")).await;
    for _ in 0..5 {
        assert!(client.read(get(&server.base_url), "1").await.is_ok());
    }
    let refused = client.read(get(&server.base_url), "1").await.err().unwrap();
    assert_eq!((refused.class, refused.cause), (Class::Transient, Cause::CircuitOpen.into()));
    assert_eq!(server.settled().await.requests.len(), 5);
    assert_ne!(limiter.circuit(), CircuitState::Closed);
}

#[tokio::test]
async fn reads_under_a_reservation_go_out_whatever_happens_to_the_limiter() {
    let (server, client, limiter) = start(Script::Answer(FOUND)).await;
    let mut reservation = limiter.reserve(2, "1", Duration::ZERO).await.unwrap();
    limiter.pause(Duration::from_secs(60));
    for left in [1, 0] {
        let read = client.read_reserved(get(&server.base_url), &mut reservation).await;
        assert_eq!((read.map(|read| read.status), reservation.left()), (Ok(200), left));
    }
    drop(reservation);
    assert!(limiter.reserve(1, "1", Duration::ZERO).await.is_err());
    assert_eq!(server.settled().await.requests.len(), 2);
}

#[tokio::test]
async fn a_read_ends_at_its_deadline() {
    for script in [
        Script::Hang(""),
        Script::Hang("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"),
        Script::Drip(FOUND, Duration::from_millis(50)),
    ] {
        let authority = Authority::new();
        let server = Server::start(authority.server(), script).await;
        let (client, _limiter) = read_client(&server.base_url, &authority, SHORT);
        let start = Instant::now();
        let read = client.read(get(&server.base_url), "1").await;
        assert_eq!(read.err(), Some(transient(Cause::OutcomeUnknown)));
        assert!(start.elapsed() < SHORT * 4);
        assert_eq!(server.ledger().requests.len(), 1);
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_believed_is_not_tried_again() {
    let (trusted, stranger) = (Authority::new(), Authority::new());
    for (what, tls) in [
        ("another name", trusted.server_for(&["evil.example"], 2100)),
        ("expired", trusted.server_for(&["127.0.0.1"], 2020)),
        ("unknown authority", stranger.server()),
    ] {
        let server = Server::start(tls, Script::Answer(FOUND)).await;
        let (client, _limiter) = read_client(&server.base_url, &trusted, AMPLE);
        let read = client.read(get(&server.base_url), "1").await;
        assert_eq!(read.err(), Some(transient(Cause::TlsFailed)), "{what}");
        let ledger = server.settled().await;
        assert_eq!((ledger.connections, ledger.application_bytes), (1, 0), "{what}");
    }
}

#[tokio::test]
async fn where_nobody_listens_a_read_says_so() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let base_url = format!("https://{}", listener.local_addr().unwrap());
    drop(listener);
    let (client, _limiter) = read_client(&base_url, &Authority::new(), AMPLE);
    assert_eq!(client.read(get(&base_url), "1").await.err(), Some(transient(Cause::ConnectFailed)));
}

#[tokio::test]
async fn what_is_printed_holds_no_address_id_credential_or_body() {
    let (server, client, limiter) = start(Script::Answer(FOUND)).await;
    let read = client.read(get(&server.base_url), "uid/1").await.unwrap();
    let printed = format!("{:?} {client:?} {read:?} {:?}", get(&server.base_url), egress());
    for secret in ["90017", "sesame", "id\"", "127.0.0.1:", "BEGIN"] {
        assert!(!printed.contains(secret), "{secret}: {printed}");
    }
    drop(limiter);
}
