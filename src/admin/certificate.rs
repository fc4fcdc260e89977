//! What `/metrics` is served with: a certificate and key of the platform team, read again when their files change, or one that is
//! made at the start. Nobody can verify the latter, and whoever scrapes must say that they do not care.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};

/// The files are looked at this often: who renews certificates does so days before they end.
const AGAIN: Duration = Duration::from_secs(60);

/// Names a certificate that is made here.
const NAME: &str = "customer-offboarding-operator";

/// Certificates, the server's first, and its key, both as PEM.
#[derive(Clone, Debug)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Why there is nothing to serve with.
#[derive(Debug, thiserror::Error)]
pub enum CertificateProblem {
    #[error("{0}: cannot be read ({1})")]
    Unread(String, io::Error),
    #[error("{0}: {1}")]
    NotPem(String, &'static str),
    #[error("the certificate and the key do not fit together ({0})")]
    Unfit(rustls::Error),
    #[error("no certificate can be made ({0})")]
    NotMade(rcgen::Error),
}

/// A certificate that is served with.
pub struct Certificate {
    /// `None` where it was made here.
    files: Option<Files>,
    now: RwLock<InUse>,
}

struct InUse {
    /// What the files held.
    pem: Pem,
    config: Arc<ServerConfig>,
}

#[derive(Clone, Default, PartialEq, Eq)]
struct Pem {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Certificate {
    /// That of these files, or one that is made now.
    ///
    /// # Errors
    /// `CertificateProblem`: whoever starts the operator mends the files.
    pub fn new(files: Option<Files>) -> Result<Self, CertificateProblem> {
        let in_use = match &files {
            Some(files) => InUse::of(files, &files.read()?)?,
            None => InUse { pem: Pem::default(), config: made()? },
        };
        Ok(Self { files, now: RwLock::new(in_use) })
    }

    /// What the next connection is served with.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).config.clone()
    }

    /// Reads the files again and again, until it is dropped. What cannot be used is told, and the one before is kept.
    pub async fn read_again(self: Arc<Self>) {
        loop {
            tokio::time::sleep(AGAIN).await;
            match self.refresh() {
                Ok(true) => tracing::info!("metrics are served with another certificate"),
                Ok(false) => {}
                Err(problem) => tracing::error!("the certificate for metrics stays as it was: {problem}"),
            }
        }
    }

    /// Whether the files hold something else than before, which is used from now on.
    fn refresh(&self) -> Result<bool, CertificateProblem> {
        let Some(files) = &self.files else { return Ok(false) };
        let pem = files.read()?;
        if self.now.read().unwrap_or_else(PoisonError::into_inner).pem == pem {
            return Ok(false);
        }
        let in_use = InUse::of(files, &pem)?;
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = in_use;
        Ok(true)
    }
}

impl Files {
    fn read(&self) -> Result<Pem, CertificateProblem> {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|why| CertificateProblem::Unread(path.display().to_string(), why))
        };
        Ok(Pem { certificate: read(&self.certificate)?, key: read(&self.key)? })
    }
}

impl InUse {
    fn of(files: &Files, pem: &Pem) -> Result<InUse, CertificateProblem> {
        let wrong = |path: &PathBuf, what| CertificateProblem::NotPem(path.display().to_string(), what);
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem.certificate)
            .collect::<Result<_, _>>()
            .map_err(|_| wrong(&files.certificate, "is not PEM"))?;
        if chain.is_empty() {
            return Err(wrong(&files.certificate, "holds no certificate"));
        }
        let key = PrivateKeyDer::from_pem_slice(&pem.key)
            .map_err(|_| wrong(&files.key, "holds no private key as PEM"))?;
        let config = config(chain, key).map_err(CertificateProblem::Unfit)?;
        Ok(InUse { pem: pem.clone(), config })
    }
}

fn made() -> Result<Arc<ServerConfig>, CertificateProblem> {
    let made = generate_simple_self_signed([NAME.to_owned()]).map_err(CertificateProblem::NotMade)?;
    let CertifiedKey { cert, signing_key } = made;
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    config(vec![cert.der().clone()], key.into()).map_err(CertificateProblem::Unfit)
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use rustls::{ClientConfig, RootCertStore};
    use rustls_pki_types::ServerName;
    use tokio::io::duplex;
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    /// A certificate with its key, in files of a directory of their own.
    fn written(name: &str) -> (tempfile::TempDir, Files, CertificateDer<'static>) {
        let directory = tempfile::tempdir().unwrap();
        let files =
            Files { certificate: directory.path().join("tls.crt"), key: directory.path().join("tls.key") };
        let der = write(&files, name);
        (directory, files, der)
    }

    fn write(files: &Files, name: &str) -> CertificateDer<'static> {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
        std::fs::write(&files.certificate, cert.pem()).unwrap();
        std::fs::write(&files.key, signing_key.serialize_pem()).unwrap();
        cert.der().clone()
    }

    /// Whether a client that trusts this one alone comes to terms with what is served now.
    async fn is_trusted(
        certificate: &Certificate,
        trusted: &CertificateDer<'static>,
        name: &'static str,
    ) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let client = TlsConnector::from(Arc::new(client.with_root_certificates(roots).with_no_client_auth()));
        let (here, there) = duplex(64 * 1024);
        let server = TlsAcceptor::from(certificate.config()).accept(there);
        let (client, _) = tokio::join!(client.connect(ServerName::try_from(name).unwrap(), here), server);
        client.is_ok()
    }

    #[tokio::test]
    async fn what_the_files_hold_is_served_and_what_they_hold_later() {
        let (_directory, files, first) = written("first.example");
        let certificate = Certificate::new(Some(files.clone())).unwrap();
        assert!(is_trusted(&certificate, &first, "first.example").await);
        assert!(!certificate.refresh().unwrap(), "nothing changed");
        let second = write(&files, "second.example");
        assert!(certificate.refresh().unwrap());
        assert!(is_trusted(&certificate, &second, "second.example").await);
        std::fs::write(&files.key, "half of a").unwrap();
        assert!(certificate.refresh().is_err(), "a write that is under way");
        assert!(is_trusted(&certificate, &second, "second.example").await, "and it is kept");
    }

    #[tokio::test]
    async fn without_files_one_is_made_that_nobody_can_verify() {
        let (_directory, _, stranger) = written(NAME);
        let certificate = Certificate::new(None).unwrap();
        assert!(!is_trusted(&certificate, &stranger, NAME).await);
        assert!(!certificate.refresh().unwrap());
    }

    #[test]
    fn files_that_cannot_be_used_are_named_and_nothing_of_them_is_told() {
        let (_directory, files, _) = written("one.example");
        let (_other_directory, other, _) = written("other.example");
        let said = |files: Files| Certificate::new(Some(files)).err().unwrap().to_string();
        let mixed = Files { certificate: files.certificate.clone(), key: other.key.clone() };
        assert!(said(mixed).starts_with("the certificate and the key do not fit together"));
        let swapped = Files { certificate: files.key.clone(), key: files.certificate.clone() };
        assert!(said(swapped).ends_with("tls.key: holds no certificate"));
        let no_key = Files { key: files.certificate.clone(), ..files.clone() };
        assert!(said(no_key).ends_with("tls.crt: holds no private key as PEM"));
        let missing = Files { key: "/nowhere/tls.key".into(), ..files };
        assert!(said(missing).starts_with("/nowhere/tls.key: cannot be read"));
    }
}
