//! One fresh connection to a provider: TCP to a checked address, through the installation's proxy where it has one, then TLS.

use std::net::SocketAddr;

use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    addresses::NoAddress,
    endpoint::{CONNECT, Endpoint, HANDSHAKE},
    proxy::{EgressProxy, NoTunnel},
};
use crate::domain::{Cause, Class, Failure};

/// Name, addresses and TCP take 5 s together, whoever makes the connection, and TLS takes 5 s.
///
/// Errors: all `Transient`; nothing was asked of the provider. `NameNotResolved`, `AddressNotAllowed`, `ConnectFailed`, `TlsFailed`,
/// `ProxyUnavailable`, `ProxyRefused`, `ProxyUnauthorized`.
pub(super) async fn connect(endpoint: &Endpoint) -> Result<TlsStream<TcpStream>, Failure> {
    let end = Instant::now() + CONNECT;
    let addresses = timeout_at(end, endpoint.addresses()).await.unwrap_or(Err(NoAddress::NotResolved))?;
    let stream = connect_any(&addresses, endpoint.proxy(), end).await?;
    let handshake = TlsConnector::from(endpoint.tls()).connect(endpoint.server_name(), stream);
    match timeout_at(Instant::now() + HANDSHAKE, handshake).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(_)) | Err(_) => Err(Failure::new(Class::Transient, Cause::TlsFailed)),
    }
}

/// One address after the other; each gets its share of the time that is left.
async fn connect_any(
    addresses: &[SocketAddr],
    proxy: Option<&EgressProxy>,
    end: Instant,
) -> Result<TcpStream, Failure> {
    let mut last = NoTunnel::Unavailable;
    for (tried, address) in addresses.iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        match timeout_at(Instant::now() + share, connect_to(*address, proxy)).await {
            Ok(Ok(stream)) => {
                // Without it the second packet of a request may wait for the first one's acknowledgement.
                let _kept_as_it_is = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(Some(why))) if !why.is_of_this_address() => return Err(why.into()),
            Ok(Err(why)) => last = why.unwrap_or(last),
            Err(_) => {}
        }
    }
    Err(match proxy {
        Some(_) => last.into(),
        None => Failure::new(Class::Transient, Cause::ConnectFailed),
    })
}

/// The error is the proxy's word, where there is one.
async fn connect_to(address: SocketAddr, proxy: Option<&EgressProxy>) -> Result<TcpStream, Option<NoTunnel>> {
    match proxy {
        Some(proxy) => proxy.connect(address).await.map_err(Some),
        None => TcpStream::connect(address).await.map_err(|_| None),
    }
}
