//! Where one provider object's requests go: its base URL, the addresses and the certificates that are believed there.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use jiff::Timestamp;
use reqwest::{dns, redirect, retry};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;

use super::{
    addresses::{AddressPolicy, Lookup, NoAddress, system_lookup},
    base_url::{BaseUrl, BaseUrlProblem, Host},
    cidr::{Cidr, CidrProblem},
    proxy::EgressProxy,
    tls::{ClientIdentity, SystemRoots, TlsProblem, client_config},
};

/// How long name, addresses and TCP may take together, and how long TLS may take. Source: design.md section 5.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
pub(super) const HANDSHAKE: Duration = Duration::from_secs(5);

/// How long an idle connection for reads is kept. Destructive calls never use one.
const IDLE: Duration = Duration::from_secs(30);

/// What the installation allows every provider object; built once, when the process starts.
#[derive(Clone)]
pub struct Egress {
    /// `--allowed-cidrs`: no provider object reaches more than this besides public addresses. Empty by default.
    pub ceiling: Vec<Cidr>,
    /// The certificates that the machine or the image trusts.
    pub roots: SystemRoots,
    /// How names are resolved.
    pub lookup: Lookup,
    /// `--egress-proxy`: all traffic to providers goes through it. None by default; that of the environment is never used.
    pub proxy: Option<Arc<EgressProxy>>,
    /// The wall clock: for validity of certificates and for `Retry-After` dates.
    pub clock: fn() -> Timestamp,
}

impl Egress {
    /// The system's certificates and resolver. Blocks; reads files.
    #[must_use]
    pub fn of_the_system(ceiling: Vec<Cidr>, clock: fn() -> Timestamp) -> Self {
        Self { ceiling, roots: SystemRoots::load(), lookup: system_lookup(), proxy: None, clock }
    }

    /// The same through a proxy, where there is one.
    #[must_use]
    pub fn through(self, proxy: Option<EgressProxy>) -> Self {
        Self { proxy: proxy.map(Arc::new), ..self }
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").field("ceiling", &self.ceiling).finish_non_exhaustive()
    }
}

/// The parts of a provider object that say where its requests go.
#[derive(Clone, Copy, Debug)]
pub struct EndpointParts<'a> {
    /// `spec.baseUrl`.
    pub base_url: &'a str,
    /// `spec.allowedCIDRs`.
    pub allowed_cidrs: &'a [String],
    /// `spec.tls.caBundle`.
    pub ca_bundle: Option<&'a str>,
    /// The contents of the Secret that `spec.tls.clientCertificate` names.
    pub client_identity: Option<&'a ClientIdentity>,
}

/// Why a provider object's requests can go nowhere. The texts name the field and say what to write; they hold no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointProblem {
    /// The base URL is not acceptable.
    #[error("spec.baseUrl: {0}")]
    BaseUrl(#[source] BaseUrlProblem),
    /// The base URL's host is an address that no allowed range covers.
    #[error(
        "spec.baseUrl: host is an IP address that spec.allowedCIDRs, cut to the operator's --allowed-cidrs, does not cover; write the provider's DNS name"
    )]
    HostNotAllowed,
    /// An entry of `allowedCIDRs`, counted from 0.
    #[error("spec.allowedCIDRs[{index}]: {problem}")]
    InvalidCidr {
        /// Which entry.
        index: usize,
        /// What is wrong with it.
        #[source]
        problem: CidrProblem,
    },
    /// `caBundle` is no use, or nobody is trusted at all.
    #[error("{0}")]
    InvalidCaBundle(#[source] TlsProblem),
    /// The client certificate or its key is no use.
    #[error("{0}")]
    InvalidClientCertificate(#[source] TlsProblem),
    /// The HTTP library refused the configuration: a defect of ours.
    #[error("the HTTP client could not be built")]
    Client,
}

/// Where one provider object's requests go, checked. One per provider object, generation and client certificate.
pub struct Endpoint {
    base_url: BaseUrl,
    addresses: AddressPolicy,
    server_name: ServerName<'static>,
    tls: Arc<ClientConfig>,
    /// Keeps connections between reads; none where a proxy makes them. What is not there cannot go around the proxy.
    reads: Option<reqwest::Client>,
    proxy: Option<Arc<EgressProxy>>,
    clock: fn() -> Timestamp,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endpoint")
    }
}

impl Endpoint {
    /// Checks the parts and builds what the clients need. Connects to nothing.
    ///
    /// # Errors
    /// The first problem found, in the order base URL, ranges, host, certificates. The provider object's author mends it.
    pub fn new(parts: EndpointParts<'_>, egress: &Egress) -> Result<Self, EndpointProblem> {
        let EndpointParts { base_url, allowed_cidrs, ca_bundle, client_identity } = parts;
        let base_url = BaseUrl::parse(base_url).map_err(EndpointProblem::BaseUrl)?;
        let wanted = read_cidrs(allowed_cidrs)?;
        let addresses = AddressPolicy::new(&wanted, &egress.ceiling, egress.lookup.clone());
        let server_name = server_name(base_url.host(), &addresses)?;
        let tls =
            client_config(&egress.roots, ca_bundle, client_identity, (egress.clock)()).map_err(blame)?;
        let proxy = egress.proxy.clone();
        let reads = match proxy {
            Some(_) => None,
            None => Some(read_client(tls.clone(), &addresses).map_err(|_| EndpointProblem::Client)?),
        };
        Ok(Self { base_url, addresses, server_name, tls: Arc::new(tls), reads, proxy, clock: egress.clock })
    }

    /// The base URL that every request lies below.
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        &self.base_url
    }

    pub(super) async fn addresses(&self) -> Result<Vec<SocketAddr>, NoAddress> {
        self.addresses.addresses(self.base_url.host(), self.base_url.port()).await
    }

    pub(super) fn server_name(&self) -> ServerName<'static> {
        self.server_name.clone()
    }

    pub(super) fn tls(&self) -> Arc<ClientConfig> {
        self.tls.clone()
    }

    pub(super) fn reads(&self) -> Option<&reqwest::Client> {
        self.reads.as_ref()
    }

    pub(super) fn proxy(&self) -> Option<&EgressProxy> {
        self.proxy.as_deref()
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// An address literal is not resolved, so nothing checks it when a connection is made: it is checked here.
    pub(super) fn permits_host(&self) -> bool {
        match self.base_url.host() {
            Host::Name(_) => true,
            Host::Address(address) => self.addresses.permits_literal(*address),
        }
    }
}

fn read_cidrs(texts: &[String]) -> Result<Vec<Cidr>, EndpointProblem> {
    let read = |(index, text): (usize, &String)| {
        text.parse().map_err(|problem| EndpointProblem::InvalidCidr { index, problem })
    };
    texts.iter().enumerate().map(read).collect()
}

fn server_name(host: &Host, addresses: &AddressPolicy) -> Result<ServerName<'static>, EndpointProblem> {
    match host {
        Host::Address(address) if addresses.permits_literal(*address) => Ok(ServerName::from(*address)),
        Host::Address(_) => Err(EndpointProblem::HostNotAllowed),
        Host::Name(name) => {
            ServerName::try_from(name.clone()).map_err(|_| EndpointProblem::BaseUrl(BaseUrlProblem::Host))
        }
    }
}

fn blame(problem: TlsProblem) -> EndpointProblem {
    match problem {
        TlsProblem::CaBundle | TlsProblem::NoTrustedRoot => EndpointProblem::InvalidCaBundle(problem),
        TlsProblem::ClientCertificate | TlsProblem::ClientKey | TlsProblem::ClientPair => {
            EndpointProblem::InvalidClientCertificate(problem)
        }
    }
}

/// The client for reads: our TLS, our resolver, and none of the library's kindnesses.
fn read_client(tls: ClientConfig, addresses: &AddressPolicy) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(CheckedNames(addresses.clone()))
        .https_only(true)
        .http1_only()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .connect_timeout(CONNECT + HANDSHAKE)
        .pool_idle_timeout(IDLE)
        .build()
}

/// Hands reqwest checked addresses only, for each connection that it makes.
struct CheckedNames(AddressPolicy);

impl dns::Resolve for CheckedNames {
    fn resolve(&self, name: dns::Name) -> dns::Resolving {
        let policy = self.0.clone();
        Box::pin(async move {
            let found = policy.resolve(name.as_str()).await?;
            // Port 0 is replaced by the one of the URL.
            let found = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(found) as dns::Addrs)
        })
    }
}
