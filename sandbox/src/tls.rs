//! A certificate authority that lives as long as the process, and the certificates it hands out:
//! one good leaf, and one for each way in which a leaf can be bad.

use std::error::Error;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsAcceptor;

/// How the certificate of one connection is to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Flaw {
    /// Valid until 2001.
    Expired,
    /// Issued by the right authority, to `elsewhere.invalid`.
    OtherName,
    /// The right names, issued by an authority that is in no bundle.
    UnknownCa,
}

/// All that the HTTPS listeners need to speak TLS.
pub struct Certificates {
    /// The authority a client must trust, as PEM.
    pub ca_bundle: String,
    good: TlsAcceptor,
    expired: TlsAcceptor,
    other_name: TlsAcceptor,
    unknown_ca: TlsAcceptor,
}

type Authority = CertifiedIssuer<'static, KeyPair>;
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

impl Certificates {
    /// Draws the authority and its leaves; `names` are the DNS names or addresses of the good leaf.
    pub fn generate(names: &[String]) -> Result<Certificates> {
        let authority = authority("offboarding sandbox")?;
        let stranger = authority_nobody_trusts()?;
        let elsewhere = ["elsewhere.invalid".to_owned()];
        Ok(Certificates {
            ca_bundle: authority.pem(),
            good: acceptor(&authority, leaf(names)?)?,
            expired: acceptor(&authority, expired(leaf(names)?))?,
            other_name: acceptor(&authority, leaf(&elsewhere)?)?,
            unknown_ca: acceptor(&stranger, leaf(names)?)?,
        })
    }

    /// The acceptor for the next connection.
    pub fn acceptor(&self, flaw: Option<Flaw>) -> TlsAcceptor {
        match flaw {
            None => &self.good,
            Some(Flaw::Expired) => &self.expired,
            Some(Flaw::OtherName) => &self.other_name,
            Some(Flaw::UnknownCa) => &self.unknown_ca,
        }
        .clone()
    }
}

fn authority(name: &str) -> Result<Authority> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn authority_nobody_trusts() -> Result<Authority> {
    authority("a stranger")
}

fn leaf(names: &[String]) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name.push(DnType::CommonName, "sandbox");
    Ok(params)
}

fn expired(mut params: CertificateParams) -> CertificateParams {
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2001, 1, 1);
    params
}

fn acceptor(issuer: &Authority, params: CertificateParams) -> Result<TlsAcceptor> {
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der())?)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
