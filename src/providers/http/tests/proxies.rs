//! Proxies from the environment: a program of its own, because a test may not change its own environment.

use std::process::Command;

use super::{server::Script, *};

const THIS: &str = "providers::http::tests::proxies::a_program_with_a_proxy_in_its_environment";

#[tokio::test]
async fn a_proxy_in_the_environment_is_not_used() {
    let canary = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    canary.set_nonblocking(true).unwrap();
    let proxy = format!("http://{}", canary.local_addr().unwrap());
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", "--ignored", THIS]).env_remove("NO_PROXY").env_remove("no_proxy");
    for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        program.env(name, &proxy);
    }
    let output = program.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert!(canary.accept().is_err(), "nobody called");
}

#[tokio::test]
#[ignore = "started by the test above"]
async fn a_program_with_a_proxy_in_its_environment() {
    let authority = Authority::new();
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    let server = Server::start(authority.server(), Script::Answer(answer)).await;
    for base_url in [server.base_url.clone(), format!("https://api.example.com:{}", server.port)] {
        let (client, _limiter) = read_client(&base_url, &authority, AMPLE);
        assert_eq!(client.read(get(&base_url), "1").await.unwrap().status, 200);
        assert_eq!(status(send_within(AMPLE, &base_url, &authority).await), Some(200));
    }
    assert_eq!(server.settled().await.requests.len(), 4);
}
