//! The destructive send: what left, and what is said about it.

use tokio::net::{TcpListener, TcpSocket};

use super::{
    server::{How, Script},
    *,
};

const DELETED: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";

async fn server(script: Script) -> (Server, Authority) {
    let authority = Authority::new();
    (Server::start(authority.server(), script).await, authority)
}

#[tokio::test]
async fn one_request_goes_out_as_it_was_prepared_on_a_connection_of_its_own() {
    let (server, authority) = server(Script::Answer(DELETED)).await;
    assert_eq!(status(send_within(AMPLE, &server.base_url, &authority).await), Some(204));
    let ledger = server.settled().await;
    let version = env!("CARGO_PKG_VERSION");
    let port = server.port;
    let expected = format!(
        "DELETE /customers/90017 HTTP/1.1\r\nauthorization: Bearer sk_test_sesame\r\naccept: application/json\r\n\
         user-agent: customer-offboarding-operator/{version}\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\
         content-length: 0\r\n\r\n"
    );
    assert_eq!((ledger.connections, ledger.requests), (1, vec![expected]));
}

#[tokio::test]
async fn a_body_goes_out_with_its_type_and_length_and_the_path_stays_encoded() {
    let (server, authority) = server(Script::Answer(DELETED)).await;
    let base_url = format!("https://api.example.com:{}/v1", server.port);
    let mut post = request(Method::POST, &base_url, "/customers/a%2Fb/close?dry=%20no");
    post.body = Some(("application/json", br#"{"why":"asked"}"#.to_vec()));
    let permit = grant(Duration::ZERO, AMPLE, AMPLE).unwrap();
    let deadline = SendDeadline { first_byte_before: Instant::now() + AMPLE, total: AMPLE };
    let result = send(permit, post, &endpoint(&base_url, &authority), deadline, now).await;
    assert_eq!(status(result), Some(204));
    let sent = server.ledger().requests.concat();
    assert!(sent.starts_with("POST /v1/customers/a%2Fb/close?dry=%20no HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains(&format!("\r\nhost: api.example.com:{}\r\n", server.port)), "{sent}");
    assert!(sent.contains("\r\ncontent-type: application/json\r\n"), "{sent}");
    assert!(sent.ends_with("\r\ncontent-length: 15\r\n\r\n{\"why\":\"asked\"}"), "{sent}");
}

#[tokio::test]
async fn what_fails_before_the_first_byte_is_not_sent() {
    let trusted = Authority::new();
    let stranger = Authority::new();
    // A handshake record that answers with TLS 1.1 (version 3.2).
    const TLS_1_1: &[u8] =
        b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x00\xc0\x2f\x00";
    for (what, tls, script) in [
        ("another name", trusted.server_for(&["evil.example"], 2100), Script::Answer(DELETED)),
        ("expired", trusted.server_for(&["127.0.0.1"], 2020), Script::Answer(DELETED)),
        ("unknown authority", stranger.server(), Script::Answer(DELETED)),
        ("TLS 1.1", trusted.server(), Script::Raw(TLS_1_1)),
        ("no TLS", trusted.server(), Script::Raw(b"HTTP/1.1 204 No Content\r\n\r\n")),
        ("ended at once", trusted.server(), Script::CutAtAccept(How::Fin)),
        ("reset at once", trusted.server(), Script::CutAtAccept(How::Rst)),
    ] {
        let server = Server::start(tls, script).await;
        let result = send_within(AMPLE, &server.base_url, &trusted).await;
        assert_eq!(not_sent(result), Some(transient(Cause::TlsFailed)), "{what}");
        let ledger = server.settled().await;
        assert_eq!((ledger.connections, ledger.application_bytes), (1, 0), "{what}");
    }
}

#[tokio::test]
async fn where_nobody_listens_nothing_is_sent() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let result = send_within(AMPLE, &format!("https://127.0.0.1:{port}"), &Authority::new()).await;
    assert_eq!(not_sent(result), Some(transient(Cause::ConnectFailed)));
}

#[tokio::test]
async fn a_black_hole_is_left_when_the_time_is_over() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new(); // until the queue is full and the next one gets no answer
    while let Ok(stream) = tokio::time::timeout(SHORT, tokio::net::TcpStream::connect(address)).await {
        waiting.push(stream.unwrap());
    }
    let start = Instant::now();
    let result = send_within(SHORT, &format!("https://{address}"), &Authority::new()).await;
    assert_eq!(not_sent(result), Some(transient(Cause::NotSent)));
    assert!(start.elapsed() < SHORT * 4);
}

/// Row 53 of the table of bad inputs.
#[tokio::test]
async fn a_name_that_leads_to_a_refused_address_is_not_connected_to() {
    let (server, authority) = server(Script::Answer(DELETED)).await;
    let base_url = format!("https://api.example.com:{}", server.port);
    let failing: Lookup = Arc::new(|_| Box::pin(async { Err(std::io::ErrorKind::NotFound.into()) }));
    for (lookup, ceiling, cause) in [
        (loopback(), vec![], Cause::AddressNotAllowed),
        (failing, vec!["127.0.0.0/8".parse().unwrap()], Cause::NameNotResolved),
    ] {
        let egress = Egress { lookup, ceiling, ..egress() };
        let parts = EndpointParts {
            base_url: &base_url,
            allowed_cidrs: &["127.0.0.0/8".to_owned()],
            ca_bundle: Some(&authority.pem),
            client_identity: None,
        };
        let endpoint = Arc::new(Endpoint::new(parts, &egress).unwrap());
        let permit = grant(Duration::ZERO, AMPLE, AMPLE).unwrap();
        let deadline = SendDeadline { first_byte_before: Instant::now() + AMPLE, total: AMPLE };
        let sent = send(permit, delete(&base_url), &endpoint, deadline, now).await;
        assert_eq!(not_sent(sent), Some(transient(cause)));
        let limiter = Limiter::new(Limits { requests_per_minute: 60, burst: 10, max_in_flight: 1 });
        let read = ReadClient::new(endpoint, limiter, AMPLE).read(get(&base_url), "1").await;
        assert_eq!(read.err(), Some(transient(cause)));
    }
    assert_eq!(server.settled().await.connections, 0);
}

#[tokio::test]
async fn a_connection_that_ends_after_the_request_leaves_the_outcome_unknown_and_is_not_tried_again() {
    for (what, script) in [
        ("ended without a word", Script::Cut("", How::Fin)),
        ("reset without a word", Script::Cut("", How::Rst)),
        ("ended in the status line", Script::Cut("HTTP/1.1 20", How::Fin)),
        ("reset in the headers", Script::Cut("HTTP/1.1 200 OK\r\ncontent-le", How::Rst)),
        ("ended in the body", Script::Cut("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", How::Fin)),
        ("reset in the body", Script::Cut("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", How::Rst)),
        (
            "ended in a chunk",
            Script::Cut("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{", How::Fin),
        ),
        ("ended without TLS's farewell", Script::Cut("HTTP/1.0 200 OK\r\n\r\n{\"id\":7}", How::Fin)),
        (
            "ended with it, but too early",
            Script::Cut("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", How::Close),
        ),
        ("no HTTP", Script::Cut("SSH-2.0-OpenSSH_9.6\r\n", How::Fin)),
        ("HTTP/0.9", Script::Cut("<html></html>", How::Fin)),
        ("HTTP/2", Script::Cut("HTTP/2 204\r\n\r\n", How::Fin)),
        ("only an interim answer", Script::Cut("HTTP/1.1 100 Continue\r\n\r\n", How::Fin)),
        (
            "two lengths",
            Script::Cut("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}", How::Fin),
        ),
    ] {
        let (server, authority) = server(script).await;
        let result = send_within(AMPLE, &server.base_url, &authority).await;
        let expected = Failure::new(Class::Indeterminate, Cause::OutcomeUnknown);
        assert_eq!(unknown(result), Some(expected), "{what}");
        let ledger = server.settled().await;
        assert_eq!((ledger.connections, ledger.requests.len()), (1, 1), "{what}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_end_in_time_leaves_the_outcome_unknown() {
    for (what, script) in [
        ("no answer", Script::Hang("")),
        ("no end of the headers", Script::Hang("HTTP/1.1 204 No Content\r\n")),
        ("no end of the body", Script::Hang("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{")),
        ("a byte now and then", Script::Drip(DELETED, Duration::from_millis(50))),
        ("interim answers for ever", Script::Endless("", "HTTP/1.1 102 Processing\r\n\r\n")),
    ] {
        let (server, authority) = server(script).await;
        let start = Instant::now();
        let result = send_within(SHORT, &server.base_url, &authority).await;
        let expected = Failure::new(Class::Indeterminate, Cause::OutcomeUnknown);
        assert_eq!(unknown(result), Some(expected), "{what}");
        assert!(start.elapsed() < SHORT * 4, "{what}");
        assert_eq!(server.ledger().requests.len(), 1, "{what}");
    }
}

#[tokio::test]
async fn a_request_whose_send_deadline_passes_during_the_handshake_is_not_sent() {
    let (server, authority) = server(Script::SlowHandshake(SHORT, DELETED)).await;
    let endpoint = endpoint(&server.base_url, &authority);
    for (allowed, expected) in [
        (SHORT / 2, (Some(transient(Cause::DeadlinePassed)), 0)),
        (AMPLE, (None, 1)), // the same server answers who comes in time
    ] {
        let permit = grant(Duration::ZERO, AMPLE, AMPLE).unwrap();
        let deadline = SendDeadline { first_byte_before: Instant::now() + allowed, total: AMPLE };
        let result = send(permit, delete(&server.base_url), &endpoint, deadline, now).await;
        let ledger = server.settled().await;
        assert_eq!((not_sent(result), ledger.requests.len()), expected);
        assert_eq!(ledger.application_bytes > 0, expected.1 > 0);
    }
}

#[tokio::test]
async fn whoever_says_not_sent_has_sent_nothing_even_in_a_race() {
    for round in 0..40 {
        let how = if round % 2 == 0 { How::Fin } else { How::Rst };
        let (server, authority) = server(Script::CutAfterHandshake(how)).await;
        let result = send_within(AMPLE, &server.base_url, &authority).await;
        let failure = not_sent(result.clone()).or(unknown(result));
        let cause = failure.unwrap().cause;
        assert!([Cause::NotSent, Cause::OutcomeUnknown].map(Into::into).contains(&cause), "{cause:?}");
        assert_eq!(server.ledger().requests.len(), 0);
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_its_target_hears_nothing() {
    let (canary, authority) = server(Script::Answer(DELETED)).await;
    for code in [300, 301, 302, 303, 305, 307, 308] {
        let location = format!("{}/customers/90017", canary.base_url);
        let text = format!(
            "HTTP/1.1 {code} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let server = Server::start(authority.server(), Script::Answer(text.leak())).await;
        assert_eq!(status(send_within(AMPLE, &server.base_url, &authority).await), Some(code));
        let (reads, _) = read_client(&server.base_url, &authority, AMPLE);
        let read = reads.read(get(&server.base_url), "1").await.unwrap();
        assert_eq!((read.status, read.headers.get("location")), (code, Some(&location)));
        assert_eq!(server.settled().await.requests.len(), 2);
    }
    assert_eq!(canary.settled().await.connections, 0);
}

#[tokio::test]
async fn interim_answers_are_skipped_and_every_status_is_an_answer() {
    for (text, code) in [
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 Gone\r\n\r\n", 204),
        ("HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\n{}", 401),
        ("HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n", 429),
        ("HTTP/1.1 503 Service Unavailable\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 503),
        ("HTTP/1.0 200 OK\r\n\r\n{\"id\":7}", 200),
    ] {
        let (server, authority) = server(Script::Cut(text, How::Close)).await;
        assert_eq!(status(send_within(AMPLE, &server.base_url, &authority).await), Some(code));
        assert_eq!(server.settled().await.requests.len(), 1);
    }
}

#[tokio::test]
async fn a_request_that_is_not_of_this_provider_object_is_not_sent() {
    let (server, authority) = server(Script::Answer(DELETED)).await;
    let base_url = format!("{}/v1", server.base_url);
    let endpoint = endpoint(&base_url, &authority);
    let header = |name: &'static str| (HeaderName::from_static(name), HeaderValue::from_static("x"));
    let with = |name| {
        let mut request = request(Method::DELETE, &base_url, "/customers/90017");
        request.headers.push(header(name));
        request
    };
    for (what, request) in [
        ("another prefix", request(Method::DELETE, &server.base_url, "/v2/customers/90017")),
        ("another host", request(Method::DELETE, "https://evil.example", "/v1/customers/90017")),
        ("another scheme", delete(&base_url.replace("https", "http"))),
        ("Host", with("host")),
        ("Content-Length", with("content-length")),
        ("Transfer-Encoding", with("transfer-encoding")),
        ("Accept-Encoding", with("accept-encoding")),
        ("Expect", with("expect")),
        ("a header twice", with("authorization")),
    ] {
        let permit = grant(Duration::ZERO, AMPLE, AMPLE).unwrap();
        let deadline = SendDeadline { first_byte_before: Instant::now() + AMPLE, total: AMPLE };
        let result = send(permit, request, &endpoint, deadline, now).await;
        assert_eq!(not_sent(result), Some(Failure::new(Class::Invalid, Cause::TemplateFailed)), "{what}");
    }
    assert_eq!(server.settled().await.connections, 0);
}
