//! Which certificates are believed: the system's roots and the provider object's own, and nothing switches that off.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::{ClientConfig, RootCertStore, client::Resumption};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use secrecy::{ExposeSecret, SecretString};

use super::validity::has_expired;

/// The certificates that the machine or the image trusts. Read once, when the process starts.
#[derive(Clone, Debug, Default)]
pub struct SystemRoots(Arc<Vec<CertificateDer<'static>>>);

impl SystemRoots {
    /// Reads the system's store (`SSL_CERT_FILE`, `SSL_CERT_DIR`, or where the platform keeps it). Blocks; reads files.
    ///
    /// Never fails: a store that cannot be read is empty, and a provider object without a `caBundle` is then refused with
    /// `NoTrustedRoot`. Source: kube-notes P5, an image without certificates.
    #[must_use]
    pub fn load() -> Self {
        Self(Arc::new(rustls_native_certs::load_native_certs().certs))
    }

    /// No certificate at all: only what a `caBundle` adds is trusted.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }
}

/// A client certificate and its key, both PEM, as a Secret of type `kubernetes.io/tls` holds them. Does not print.
#[derive(Clone)]
pub struct ClientIdentity {
    /// `tls.crt`: the certificate, then its intermediates.
    pub certificates: String,
    /// `tls.key`: PKCS#8, PKCS#1 or SEC1.
    pub key: SecretString,
}

impl std::fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientIdentity")
    }
}

/// Why there is no TLS configuration. The texts hold nothing of the certificates and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TlsProblem {
    /// `caBundle` holds no PEM certificate, one that cannot be read, or only expired ones.
    #[error("spec.tls.caBundle: no valid certificate found")]
    CaBundle,
    /// Neither the system nor `caBundle` names anybody to trust.
    #[error("no trusted root: the image holds no CA certificates and spec.tls.caBundle is empty")]
    NoTrustedRoot,
    /// `tls.crt` holds no PEM certificate.
    #[error("spec.tls.clientCertificate: key 'tls.crt' of the Secret holds no PEM certificate")]
    ClientCertificate,
    /// `tls.key` holds no PEM key.
    #[error("spec.tls.clientCertificate: key 'tls.key' of the Secret holds no PEM private key")]
    ClientKey,
    /// They are not a pair, or of a kind that is not supported.
    #[error("spec.tls.clientCertificate: 'tls.key' is not the key of 'tls.crt', or of an unsupported kind")]
    ClientPair,
}

/// TLS 1.2 or 1.3 with ring, HTTP/1.1 only, no resumption: each connection verifies the certificate anew.
///
/// `ca_bundle` adds roots, it never replaces the system's.
///
/// # Errors
/// Each names the field at fault; the provider object's author mends it (`NoTrustedRoot`: or who builds the image).
pub(super) fn client_config(
    roots: &SystemRoots,
    ca_bundle: Option<&str>,
    identity: Option<&ClientIdentity>,
    now: Timestamp,
) -> Result<ClientConfig, TlsProblem> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.0.iter().cloned());
    if let Some(bundle) = ca_bundle {
        add_bundle(&mut store, bundle, now)?;
    }
    if store.is_empty() {
        return Err(TlsProblem::NoTrustedRoot);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let trusting = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| TlsProblem::NoTrustedRoot)?
        .with_root_certificates(store);
    let mut config = match identity {
        None => trusting.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = read_identity(identity)?;
            trusting.with_client_auth_cert(chain, key).map_err(|_| TlsProblem::ClientPair)?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// A broken certificate refuses the whole bundle; an expired one is left out, as long as another remains.
fn add_bundle(store: &mut RootCertStore, bundle: &str, now: Timestamp) -> Result<(), TlsProblem> {
    let mut added = 0;
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        let certificate = certificate.map_err(|_| TlsProblem::CaBundle)?;
        if has_expired(&certificate, now).ok_or(TlsProblem::CaBundle)? {
            continue;
        }
        store.add(certificate).map_err(|_| TlsProblem::CaBundle)?;
        added += 1;
    }
    if added == 0 { Err(TlsProblem::CaBundle) } else { Ok(()) }
}

fn read_identity(
    identity: &ClientIdentity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsProblem> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(identity.certificates.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| TlsProblem::ClientCertificate)?;
    if chain.is_empty() {
        return Err(TlsProblem::ClientCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(identity.key.expose_secret().as_bytes())
        .map_err(|_| TlsProblem::ClientKey)?;
    Ok((chain, key))
}
