//! The address of a provider's API, as its provider object gives it: the only place that a host can come from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Url;

/// A checked base URL.
///
/// Shape: `https`, a lower-case DNS name with a dot or an address literal, the port, a path prefix without trailing slash; no
/// userinfo, query or fragment. Source: RFC 3986, RFC 1123 section 2.1, security.md R30.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    url: Url,
    host: Host,
    port: u16,
}

/// Who is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A DNS name: lower-case ASCII, at least one dot, no trailing dot.
    Name(String),
    /// An address; accepted only inside the allowed ranges, which is for the address policy to say.
    Address(IpAddr),
}

/// Why a base URL is refused. The texts say what to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BaseUrlProblem {
    /// Another scheme, or none.
    #[error("must use https")]
    NotHttps,
    /// Longer than 256 bytes.
    #[error("must be at most 256 characters")]
    TooLong,
    /// `@`, `?`, `#`, `\`, `%`, `..`, white space, control characters, or anything that is not ASCII.
    #[error(
        "must not contain userinfo, query, fragment, percent sign, backslash, space or '..', and ASCII only"
    )]
    ForbiddenCharacter,
    /// No DNS name with a dot and no address, or a spelling of an address that readers disagree on.
    #[error(
        "host must be a lower-case ASCII DNS name with at least one dot and no trailing dot, or an IP address covered by `allowedCIDRs`"
    )]
    Host,
    /// A name that only means something inside a cluster or a machine.
    #[error("host must not end in .svc, .local, .localhost or .internal")]
    LocalName,
    /// Empty, 0, or above 65535.
    #[error("port must be a number from 1 to 65535, or be left out together with its colon")]
    Port,
    /// An empty segment, a `.`, or a character that would have to be encoded.
    #[error("path must consist of segments of letters, digits and '.', '_', '~', '-', each behind one '/'")]
    Path,
}

impl BaseUrl {
    /// Reads a base URL; a trailing slash of the path is dropped.
    ///
    /// # Errors
    /// What is wrong, in the order in which a reader would see it. The provider object's author mends it.
    pub fn parse(text: &str) -> Result<Self, BaseUrlProblem> {
        let rest = text.strip_prefix("https://").ok_or(BaseUrlProblem::NotHttps)?;
        if text.len() > 256 {
            return Err(BaseUrlProblem::TooLong);
        }
        let forbidden = |c: char| !c.is_ascii_graphic() || matches!(c, '@' | '?' | '#' | '\\' | '%');
        if rest.contains(forbidden) || rest.contains("..") {
            return Err(BaseUrlProblem::ForbiddenCharacter);
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = split_port(authority)?;
        let host = read_host(host)?;
        let port = port.map_or(Ok(443), read_port)?;
        let path = read_path(path)?;
        let url = Url::parse(&format!("https://{authority}{path}")).map_err(|_| BaseUrlProblem::Host)?;
        if !agrees(&url, &host, port, path) {
            return Err(BaseUrlProblem::Host);
        }
        Ok(Self { url, host, port })
    }

    /// The URL; its path is the prefix that every request's path begins with.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Who is called.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The only port that is ever used.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether a request's address lies below this base URL: same scheme, host and port, the path prefix whole, no userinfo,
    /// no fragment.
    #[must_use]
    pub fn covers(&self, url: &Url) -> bool {
        let prefix = self.url.path().trim_end_matches('/');
        let below =
            url.path().strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/') || rest.is_empty());
        url.scheme() == self.url.scheme()
            && url.host() == self.url.host()
            && url.port_or_known_default() == Some(self.port)
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
            && below
    }

    /// The value of the `Host` header: the port only where it is not 443. Source: RFC 9110 section 7.2.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = match &self.host {
            Host::Name(name) => name.clone(),
            Host::Address(IpAddr::V4(address)) => address.to_string(),
            Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
        };
        if self.port == 443 { host } else { format!("{host}:{}", self.port) }
    }
}

/// The port is what follows the last colon outside the brackets of an IPv6 address.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), BaseUrlProblem> {
    match authority.rfind(']') {
        Some(end) => {
            let (host, rest) = authority.split_at(end + 1);
            match rest.strip_prefix(':') {
                Some(port) => Ok((host, Some(port))),
                None if rest.is_empty() => Ok((host, None)),
                None => Err(BaseUrlProblem::Host),
            }
        }
        None => Ok(authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)))),
    }
}

fn read_port(text: &str) -> Result<u16, BaseUrlProblem> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BaseUrlProblem::Port);
    }
    text.parse().ok().filter(|port| *port != 0).ok_or(BaseUrlProblem::Port)
}

fn read_host(text: &str) -> Result<Host, BaseUrlProblem> {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let lower = !inner.bytes().any(|byte| byte.is_ascii_uppercase());
        let address: Ipv6Addr = inner.parse().ok().filter(|_| lower).ok_or(BaseUrlProblem::Host)?;
        return Ok(Host::Address(address.into()));
    }
    // The strict reader: four decimal numbers without leading zeros. `0177.1`, `0x7f.1` and `2130706433` are no names either.
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(Host::Address(address.into()));
    }
    read_name(text)
}

fn read_name(text: &str) -> Result<Host, BaseUrlProblem> {
    let labels: Vec<&str> = text.split('.').collect();
    let Some((last, others)) = labels.split_last() else { return Err(BaseUrlProblem::Host) };
    let top = last.len() >= 2 && last.starts_with(|c: char| c.is_ascii_lowercase());
    if matches!(*last, "svc" | "local" | "localhost" | "internal") {
        return Err(BaseUrlProblem::LocalName);
    }
    if others.is_empty() || !top || text.len() > 253 || !labels.iter().all(|label| is_label(label)) {
        return Err(BaseUrlProblem::Host);
    }
    Ok(Host::Name(text.to_owned()))
}

/// 1 to 63 lower-case letters, digits and inner hyphens.
fn is_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Empty, or `/a/b` without trailing slash.
fn read_path(text: &str) -> Result<&str, BaseUrlProblem> {
    let path = text.strip_suffix('/').unwrap_or(text);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'-');
    let is_segment = |segment: &str| !matches!(segment, "" | ".") && segment.bytes().all(allowed);
    if path.is_empty() || path.split('/').skip(1).all(is_segment) {
        Ok(path)
    } else {
        Err(BaseUrlProblem::Path)
    }
}

/// The library that builds requests must have read the same text as we did.
fn agrees(url: &Url, host: &Host, port: u16, path: &str) -> bool {
    let same_host = match (url.host(), host) {
        (Some(url::Host::Domain(theirs)), Host::Name(ours)) => theirs == ours,
        (Some(url::Host::Ipv4(theirs)), Host::Address(ours)) => IpAddr::V4(theirs) == *ours,
        (Some(url::Host::Ipv6(theirs)), Host::Address(ours)) => IpAddr::V6(theirs) == *ours,
        _ => false,
    };
    let same_path = url.path() == if path.is_empty() { "/" } else { path };
    same_host && same_path && url.port_or_known_default() == Some(port)
}

#[cfg(test)]
#[path = "base_url_tests.rs"]
mod tests;
