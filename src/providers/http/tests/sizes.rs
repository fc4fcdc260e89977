//! Answers that are too long: memory stays bounded, whoever asks.

use super::{server::Script, *};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn an_answer_of_any_length_costs_a_bounded_amount_of_memory() {
    let kilobyte: &'static str = "x".repeat(1024).leak();
    let chunk: &'static str = format!("400\r\n{kilobyte}\r\n").leak();
    let header: &'static str = format!("x-{kilobyte}: 1\r\n").leak();
    let too_large = Failure::new(Class::Indeterminate, Cause::ResponseTooLarge);
    for (what, first, again) in [
        ("announced", "HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n", kilobyte),
        ("endless chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk),
        ("until the end", "HTTP/1.1 200 OK\r\n\r\n", kilobyte),
        ("packed", "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n", chunk),
        ("endless headers", "HTTP/1.1 200 OK\r\n", header),
    ] {
        let authority = Authority::new();
        let server = Server::start(authority.server(), Script::Endless(first, again)).await;
        let sent = send_within(AMPLE, &server.base_url, &authority).await;
        assert_eq!(unknown(sent), Some(too_large.clone()), "{what}");
        let taken = server.settled().await.written;
        let (reads, limiter) = read_client(&server.base_url, &authority, AMPLE);
        let read = reads.read(get(&server.base_url), "1").await;
        assert_eq!(read.err(), Some(too_large.clone()), "{what}");
        drop((reads, limiter));
        // What the sockets hold on the way counts, too.
        let ledger = server.settled().await;
        assert!(taken < 12 * MIB && ledger.written < 24 * MIB, "{what}: {taken} {}", ledger.written);
        assert_eq!(ledger.requests.len(), 2, "{what}");
    }
}

#[tokio::test]
async fn an_answer_of_one_mebibyte_is_read() {
    let body = format!("[\"{}\"]", "x".repeat(MIB - 4));
    let text: &'static str =
        format!("HTTP/1.1 200 OK\r\ncontent-length: {MIB}\r\nconnection: close\r\n\r\n{body}").leak();
    let authority = Authority::new();
    let server = Server::start(authority.server(), Script::Answer(text)).await;
    let (reads, _limiter) = read_client(&server.base_url, &authority, AMPLE);
    let read = reads.read(get(&server.base_url), "1").await.unwrap();
    assert_eq!((read.body_bytes, read.json.is_some()), (MIB, true));
    assert_eq!(status(send_within(AMPLE, &server.base_url, &authority).await), Some(200));
}
