//! The HTTP proxy that the installation sends all provider traffic through: CONNECT and nothing else.
//!
//! It is asked for an address that was looked up and checked here, never for a name: what the proxy resolves by itself, no
//! address policy of ours would see (security.md R36). TLS begins behind it, so that it can neither read nor change anything.

use std::{fmt, net::SocketAddr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use url::{Host, Url};

use super::wire::USER_AGENT;
use crate::domain::{Cause, Class, Failure};

/// How long the head of a proxy's answer may be in bytes.
const MOST_HEAD: usize = 8 << 10;

/// How long a user name and password may be together in bytes.
const MOST_CREDENTIALS: usize = 1024;

/// A proxy, and who we are there. Prints neither.
pub struct EgressProxy {
    host: String,
    port: u16,
    /// The value of `Proxy-Authorization`.
    authorization: Option<SecretString>,
}

impl fmt::Debug for EgressProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EgressProxy")
    }
}

/// Why a proxy is none. The texts repeat nothing of what was given: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ProxyProblem {
    /// Another scheme, no host, or more than scheme, host and port.
    #[error("must be http://HOST:PORT, for example http://proxy.example.com:3128")]
    Address,
    /// A user name or password in the URL: it would stand in the list of processes.
    #[error(
        "must not hold credentials; put `user:password` into a file and name that in --egress-proxy-credentials"
    )]
    CredentialsInAddress,
    /// The file holds something else than one line `user:password`.
    #[error("must be a file with one line `user:password`, of printable characters, at most 1024 bytes")]
    Credentials,
}

impl EgressProxy {
    /// A proxy by its address; `credentials` is the contents of their file: `user:password` and perhaps the end of a line.
    ///
    /// # Errors
    /// `ProxyProblem`: whoever starts the operator changes a flag or the file.
    pub fn new(address: &str, credentials: Option<&SecretString>) -> Result<Self, ProxyProblem> {
        let url = Url::parse(address).map_err(|_| ProxyProblem::Address)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ProxyProblem::CredentialsInAddress);
        }
        let is_plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(ProxyProblem::Address);
        };
        if url.scheme() != "http" || !is_plain {
            return Err(ProxyProblem::Address);
        }
        let host = match host {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let authorization = credentials.map(basic).transpose()?;
        Ok(Self { host, port, authorization })
    }

    /// A connection to the address, through the proxy.
    pub(super) async fn connect(&self, to: SocketAddr) -> Result<TcpStream, NoTunnel> {
        let unavailable = |_| NoTunnel::Unavailable;
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(unavailable)?;
        stream.write_all(self.question(to).expose_secret().as_bytes()).await.map_err(unavailable)?;
        match read_status(&mut stream).await? {
            200..=299 => Ok(stream),
            407 => Err(NoTunnel::Unauthorized),
            400..=499 => Err(NoTunnel::Refused),
            _ => Err(NoTunnel::Unavailable),
        }
    }

    /// Source: RFC 9110 section 9.3.6, RFC 9112 section 3.2.3.
    fn question(&self, to: SocketAddr) -> SecretString {
        let authorization = self
            .authorization
            .as_ref()
            .map_or_else(String::new, |value| format!("Proxy-Authorization: {}\r\n", value.expose_secret()));
        SecretString::from(format!(
            "CONNECT {to} HTTP/1.1\r\nHost: {to}\r\nUser-Agent: {USER_AGENT}\r\n{authorization}\r\n"
        ))
    }
}

/// Source: RFC 7617 section 2.
fn basic(credentials: &SecretString) -> Result<SecretString, ProxyProblem> {
    let text = credentials.expose_secret();
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let is_pair = line.split_once(':').is_some_and(|(user, _)| !user.is_empty());
    if !is_pair || line.len() > MOST_CREDENTIALS || line.chars().any(char::is_control) {
        return Err(ProxyProblem::Credentials);
    }
    Ok(SecretString::from(format!("Basic {}", STANDARD.encode(line))))
}

/// Why the proxy did not connect us. Nothing was sent to the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoTunnel {
    /// No connection to it, no answer, an answer that is none, or it could not connect itself (5xx).
    Unavailable,
    /// It will not connect us to that address.
    Refused,
    /// It wants credentials, or others (407).
    Unauthorized,
}

impl NoTunnel {
    /// Whether another address of the same name may do better.
    pub(super) fn is_of_this_address(self) -> bool {
        self != NoTunnel::Unauthorized
    }
}

impl From<NoTunnel> for Failure {
    fn from(why: NoTunnel) -> Self {
        // Never `Auth`: that would open the circuit of a provider whose credential nobody has looked at.
        let cause = match why {
            NoTunnel::Unavailable => Cause::ProxyUnavailable,
            NoTunnel::Refused => Cause::ProxyRefused,
            NoTunnel::Unauthorized => Cause::ProxyUnauthorized,
        };
        Failure::new(Class::Transient, cause)
    }
}

/// The status of an answer of which nothing is left to read: the provider speaks only after we did, so what comes behind the
/// head is not the provider's.
async fn read_status(stream: &mut TcpStream) -> Result<u16, NoTunnel> {
    let mut head = Vec::new();
    loop {
        let mut piece = [0; 1024];
        let read = stream.read(&mut piece).await.map_err(|_| NoTunnel::Unavailable)?;
        head.extend_from_slice(&piece[..read]);
        if read == 0 || head.len() > MOST_HEAD {
            return Err(NoTunnel::Unavailable);
        }
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            let status = status_of(&head);
            let is_all = end + 4 == head.len();
            // A refusal may come with a page; a connection may not.
            return status
                .filter(|status| is_all || !(200..300).contains(status))
                .ok_or(NoTunnel::Unavailable);
        }
    }
}

/// Source: RFC 9112 section 4.
fn status_of(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.1 ").or_else(|| head.strip_prefix(b"HTTP/1.0 "))?;
    let (digits, rest) = rest.split_first_chunk::<3>()?;
    let is_status = digits.iter().all(u8::is_ascii_digit) && matches!(rest.first(), Some(b' ' | b'\r'));
    std::str::from_utf8(digits).ok().filter(|_| is_status)?.parse().ok()
}

#[cfg(test)]
#[path = "proxy_tests.rs"]
mod tests;
