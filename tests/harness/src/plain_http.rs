//! HTTP without TLS on the loopback: etcd's health, the sandbox's admin side.

use std::time::Duration;

use reqwest::{Client, RequestBuilder};

use crate::Failure;

const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A client that goes straight to the loopback, whatever proxy the environment names. Making one takes 20 ms.
pub(crate) fn client() -> Result<Client, Failure> {
    // reqwest asks for a TLS provider even where no TLS is spoken; another crate may have installed one before.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    // No connection is kept: a client may be used by one test's runtime after another's.
    Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(ANSWER_WITHIN)
        .build()
        .map_err(Failure::to("make an HTTP client"))
}

/// GET; the body if the answer is a success.
pub(crate) async fn get(url: &str) -> Result<String, Failure> {
    send(&format!("GET {url}"), client()?.get(url)).await
}

/// Sends, and returns the body; any status but 2xx is a failure that shows it.
pub(crate) async fn send(step: &str, request: RequestBuilder) -> Result<String, Failure> {
    let answer = request.send().await.map_err(Failure::to(step))?;
    let status = answer.status();
    let body = answer.text().await.map_err(Failure::to(step))?;
    if status.is_success() { Ok(body) } else { Err(Failure::new(step, format!("{status}: {body}"))) }
}
