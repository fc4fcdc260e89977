//! Address ranges as they are written in `allowedCIDRs` and `--allowed-cidrs`.

use std::{fmt, net::IpAddr, str::FromStr};

/// A range of addresses of one family.
///
/// Shape: `10.0.0.0/8`, `fd00::/8`; the bits behind the prefix are zero. Never an IPv4-mapped range: those connections are
/// IPv4, so the range is to be written as IPv4. Source: RFC 4632 section 3.1, RFC 4291 sections 2.3 and 2.5.5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

/// Why a text is no address range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum CidrProblem {
    /// No `/`, no address before it, or no number behind it.
    #[error("must be an address, a slash and a prefix length, for example '10.20.0.0/16' or 'fd00:20::/32'")]
    NotACidr,
    /// More bits than the family has.
    #[error("the prefix length must be at most 32 for IPv4 and at most 128 for IPv6")]
    PrefixTooLong,
    /// Part of the address would be ignored.
    #[error(
        "the address must be the first of its range: write '10.20.0.0/16' rather than '10.20.30.40/16', or '/32' ('/128' for IPv6) for one address"
    )]
    HostBitsSet,
    /// An IPv4 range in IPv6 spelling.
    #[error("write an IPv4 range as IPv4: '10.20.0.0/16' rather than '::ffff:10.20.0.0/112'")]
    MappedRange,
}

impl Cidr {
    /// Whether the address lies in the range. An IPv4-mapped IPv6 address is judged as the IPv4 address that it stands for.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                cut(network.to_bits().into(), 32, self.prefix)
                    == cut(address.to_bits().into(), 32, self.prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                cut(network.to_bits(), 128, self.prefix) == cut(address.to_bits(), 128, self.prefix)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// What two ranges have in common: ranges are nested or disjoint, so it is the narrower one or nothing.
    #[must_use]
    pub fn intersection(self, other: Cidr) -> Option<Cidr> {
        let (wide, narrow) = if self.prefix <= other.prefix { (self, other) } else { (other, self) };
        wide.contains(narrow.network).then_some(narrow)
    }
}

/// The first `prefix` bits, the others zero.
fn cut(bits: u128, width: u32, prefix: u8) -> u128 {
    let ignored = width.saturating_sub(u32::from(prefix));
    bits.checked_shr(ignored).unwrap_or(0)
}

impl FromStr for Cidr {
    type Err = CidrProblem;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = text.split_once('/').ok_or(CidrProblem::NotACidr)?;
        let network: IpAddr = address.parse().map_err(|_| CidrProblem::NotACidr)?;
        if prefix.is_empty() || prefix.len() > 3 || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(CidrProblem::NotACidr);
        }
        let prefix: u16 = prefix.parse().map_err(|_| CidrProblem::NotACidr)?;
        let (bits, width) = match network {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        let prefix = u8::try_from(prefix).ok().filter(|p| *p <= width).ok_or(CidrProblem::PrefixTooLong)?;
        if network.to_canonical() != network {
            return Err(CidrProblem::MappedRange);
        }
        let ignored = u32::from(width - prefix);
        if bits.checked_shr(ignored).unwrap_or(0).checked_shl(ignored).unwrap_or(0) != bits {
            return Err(CidrProblem::HostBitsSet);
        }
        Ok(Cidr { network, prefix })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_is_read_only_where_it_says_exactly_what_it_means() {
        use CidrProblem::{HostBitsSet, MappedRange, NotACidr, PrefixTooLong};
        for (text, expected) in [
            ("10.0.0.0/8", Ok("10.0.0.0/8")),
            ("127.0.0.1/32", Ok("127.0.0.1/32")),
            ("0.0.0.0/0", Ok("0.0.0.0/0")),
            ("fd00::/8", Ok("fd00::/8")),
            ("FD00:0:0::/08", Ok("fd00::/8")),
            ("::/0", Ok("::/0")),
            ("::1/128", Ok("::1/128")),
            ("10.0.0.1/8", Err(HostBitsSet)),
            ("10.0.0.0/33", Err(PrefixTooLong)),
            ("10.0.0.0/256", Err(PrefixTooLong)),
            ("fd00::/129", Err(PrefixTooLong)),
            ("fd00::1/64", Err(HostBitsSet)),
            ("0.0.0.1/0", Err(HostBitsSet)),
            ("::ffff:10.0.0.0/104", Err(MappedRange)),
            ("10.0.0.0", Err(NotACidr)),
            ("10.0.0.0/", Err(NotACidr)),
            ("10.0.0.0/+8", Err(NotACidr)),
            ("10.0.0.0/-1", Err(NotACidr)),
            ("10.0.0.0/0008", Err(NotACidr)),
            ("10.0.0/8", Err(NotACidr)),
            ("010.0.0.0/8", Err(NotACidr)), // octal to some readers
            ("0x0a.0.0.0/8", Err(NotACidr)),
            ("[fd00::]/8", Err(NotACidr)),
            ("fe80::%eth0/64", Err(NotACidr)),
            (" 10.0.0.0/8", Err(NotACidr)),
            ("10.0.0.0/8/8", Err(NotACidr)),
            ("", Err(NotACidr)),
            ("/", Err(NotACidr)),
        ] {
            let read: Result<Cidr, CidrProblem> = text.parse();
            assert_eq!(read.map(|c| c.to_string()), expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn a_range_contains_its_first_and_last_address_and_no_neighbour() {
        for (range, inside, outside) in [
            ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0"]),
            ("172.16.0.0/12", ["172.16.0.0", "172.31.255.255"], ["172.15.255.255", "172.32.0.0"]),
            ("127.0.0.1/32", ["127.0.0.1", "::ffff:127.0.0.1"], ["127.0.0.0", "127.0.0.2"]),
            ("fc00::/7", ["fc00::", "fdff:ffff::"], ["fbff:ffff::", "fe00::"]),
            ("::1/128", ["::1", "::1"], ["::", "::2"]),
            ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::1", "2600::1"]), // one family only
            ("::/0", ["::", "2600::1"], ["127.0.0.1", "::ffff:10.0.0.1"]),
        ] {
            for address in inside {
                assert!(cidr(range).contains(address.parse().unwrap()), "{range} {address}");
            }
            for address in outside {
                assert!(!cidr(range).contains(address.parse().unwrap()), "{range} {address}");
            }
        }
    }

    #[test]
    fn two_ranges_have_the_narrower_one_in_common_or_nothing() {
        for (one, other, both) in [
            ("10.0.0.0/8", "10.1.0.0/16", Some("10.1.0.0/16")),
            ("10.0.0.0/8", "10.0.0.0/8", Some("10.0.0.0/8")),
            ("10.0.0.0/8", "11.0.0.0/8", None),
            ("0.0.0.0/0", "127.0.0.0/8", Some("127.0.0.0/8")),
            ("0.0.0.0/0", "fd00::/8", None),
            ("fd00::/8", "fd00:1::/32", Some("fd00:1::/32")),
        ] {
            for (a, b) in [(one, other), (other, one)] {
                assert_eq!(cidr(a).intersection(cidr(b)).map(|c| c.to_string()).as_deref(), both, "{a} {b}");
            }
        }
    }
}
