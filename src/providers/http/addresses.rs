//! Which addresses a provider's name may lead to. A connection is made to checked addresses only, each time it is made.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::time::timeout;

use super::{base_url::Host, cidr::Cidr};
use crate::domain::{Cause, Class, Failure};

/// How a name is turned into addresses. Given absolute names, with a dot at the end; never an address literal.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// The operating system's resolver.
#[must_use]
pub fn system_lookup() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// How long one name may take. Part of the 5 s in which a connection must stand.
const LOOKUP: Duration = Duration::from_secs(5);

/// How many addresses of one name are looked at; a longer answer is cut after it was checked.
const MOST_ADDRESSES: usize = 8;

/// Why there is no address to connect to. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoAddress {
    /// The name is unknown, or the resolver did not answer.
    #[error("the name could not be resolved")]
    NotResolved,
    /// At least one address of the answer is refused, so the whole answer is.
    #[error("the name leads to an address that is not allowed")]
    NotAllowed,
}

impl From<NoAddress> for Failure {
    fn from(why: NoAddress) -> Self {
        match why {
            NoAddress::NotResolved => Failure::new(Class::Transient, Cause::NameNotResolved),
            NoAddress::NotAllowed => Failure::new(Class::Transient, Cause::AddressNotAllowed),
        }
    }
}

/// The addresses that one provider object may be reached at.
///
/// Public unicast addresses always; everything else (private, loopback, link-local, shared, documentation, benchmark, multicast,
/// reserved, and IPv6 forms that carry such an IPv4 address) only inside the allowed ranges; the metadata services of the
/// clouds never, whatever is allowed. Source: IANA special-purpose address registries (RFC 6890 and updates), security.md R36.
#[derive(Clone)]
pub struct AddressPolicy {
    allowed: Vec<Cidr>,
    lookup: Lookup,
}

impl fmt::Debug for AddressPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressPolicy").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

impl AddressPolicy {
    /// The provider object's `allowedCIDRs`, cut to the installation's `--allowed-cidrs`: an empty ceiling allows nothing.
    #[must_use]
    pub fn new(wanted: &[Cidr], ceiling: &[Cidr], lookup: Lookup) -> Self {
        let allowed =
            wanted.iter().flat_map(|want| ceiling.iter().filter_map(|top| want.intersection(*top))).collect();
        Self { allowed, lookup }
    }

    /// Whether a connection to this address, found for a name, may be made.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        !is_metadata(address) && (is_public(address) || self.lists(address))
    }

    /// Whether this address may stand in a base URL: only inside the allowed ranges, public or not.
    #[must_use]
    pub fn permits_literal(&self, address: IpAddr) -> bool {
        !is_metadata(address.to_canonical()) && self.lists(address)
    }

    fn lists(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|range| range.contains(address))
    }

    /// The addresses to connect to: 1 to 8, in the resolver's order, every one of them permitted.
    ///
    /// # Errors
    /// `NotResolved`: no answer within 5 s, or an empty one. `NotAllowed`: at least one refused address in the answer.
    pub(super) async fn addresses(&self, host: &Host, port: u16) -> Result<Vec<SocketAddr>, NoAddress> {
        let found = match host {
            Host::Address(address) if self.permits_literal(*address) => vec![*address],
            Host::Address(_) => return Err(NoAddress::NotAllowed),
            Host::Name(name) => self.resolve(name).await?,
        };
        Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    /// The checked addresses of a name, which is looked up as it is written: without the dot at the end, a pod's resolver would
    /// first append its search domains, and whoever answers for one of those would be asked for the provider's address.
    pub(super) async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, NoAddress> {
        let mut found = match timeout(LOOKUP, (self.lookup)(format!("{name}."))).await {
            Ok(Ok(found)) if !found.is_empty() => found,
            Ok(Ok(_) | Err(_)) | Err(_) => return Err(NoAddress::NotResolved),
        };
        if !found.iter().all(|address| self.permits(*address)) {
            return Err(NoAddress::NotAllowed);
        }
        found.truncate(MOST_ADDRESSES);
        Ok(found)
    }
}

/// The metadata and host services of the clouds: AWS, GCP, Azure, OpenStack (169.254.169.254), AWS containers and clock
/// (169.254.170.2, .23, 169.254.169.123), Tencent, Scaleway, Azure's host service, Alibaba, Oracle; AWS, GCP and Scaleway over IPv6.
///
/// An IPv6 address that ends in such an IPv4 address is refused, too: a translator may have any prefix (RFC 6052 section 2.2).
fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            matches!([a, b, c], [169, 254, 169 | 170])
                || matches!(
                    address.octets(),
                    [168, 63, 129, 16]
                        | [100, 100, 100, 200]
                        | [192, 0, 0, 192]
                        | [169, 254, 0, 23]
                        | [169, 254, 42, 42]
                )
        }
        IpAddr::V6(address) => {
            matches!(
                address.segments(),
                [0xfd00, 0xec2, ..]
                    | [0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42]
                    | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]
            ) || carried(address).any(|inner| is_metadata(IpAddr::V4(inner)))
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127, ..]            // this network, private, loopback
            | [100, 64..=127, ..]     // shared with the carrier (RFC 6598)
            | [169, 254, ..]          // link-local
            | [172, 16..=31, ..]      // private
            | [192, 0, 0 | 2, _]      // protocol assignments, TEST-NET-1
            | [192, 31, 196, _]       // AS112
            | [192, 52, 193, _]       // AMT
            | [192, 88, 99, _]        // 6to4 relays, deprecated (RFC 7526)
            | [192, 168, ..]          // private
            | [192, 175, 48, _]       // AS112
            | [198, 18 | 19, ..]      // benchmarks
            | [198, 51, 100, _]       // TEST-NET-2
            | [203, 0, 113, _]        // TEST-NET-3
            | [224..=255, ..] // multicast, reserved, broadcast
    )
}

/// Only 2000::/3 is assigned as global unicast, and 64:ff9b::/96 leads to the IPv4 address inside; everything else is refused.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, a, b] => is_public_v4(joined(a, b)), // NAT64 (RFC 6052)
        [0x2001, 0..=0x1ff, ..] => false, // protocol assignments: Teredo, benchmarks, ORCHID
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false, // documentation
        [0x2002, ..] => false,            // 6to4, deprecated (RFC 7526)
        [0x2620, 0x4f, 0x8000, ..] => false, // AS112
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

/// The IPv4 addresses that an IPv6 address may carry: at its end (compatible, mapped, translated, NAT64, ISATAP), in the middle of a
/// local NAT64 prefix, or where 6to4 and Teredo (client, stored inverted) have it.
fn carried(address: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    let segments = address.segments();
    let [.., a, b] = segments;
    let middle = match segments {
        [0x64, 0xff9b, 1, a, b, c, ..] => Some(joined(a, b << 8 | c >> 8)),
        [0x2002, a, b, ..] => Some(joined(a, b)),
        [0x2001, 0, .., a, b] => Some(joined(!a, !b)),
        _ => None,
    };
    [joined(a, b)].into_iter().chain(middle)
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
#[path = "addresses_tests.rs"]
mod tests;
