//! Whoever reads the metrics from outside: over TLS, with a token, as docs/metrics.md says it.

use std::sync::Arc;

use harness::{ControlPlane, Scratch, eventually};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::stage::{SOON, root};

const NAME: &str = "operator.example";

/// What the metrics are served with, in files, as a platform team mounts them.
pub struct Certificate {
    pub file: String,
    pub key: String,
    der: CertificateDer<'static>,
}

impl Certificate {
    pub fn written(scratch: &Scratch) -> Certificate {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([NAME.to_owned()]).unwrap();
        let written = |name: &str, pem: &str| scratch.write(name, pem).unwrap().display().to_string();
        Certificate {
            file: written("tls.crt", &cert.pem()),
            key: written("tls.key", &signing_key.serialize_pem()),
            der: cert.der().clone(),
        }
    }
}

pub struct Scraper {
    address: String,
    tls: TlsConnector,
}

impl Scraper {
    /// Trusts this certificate alone.
    pub fn new(address: String, certificate: &Certificate) -> Scraper {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Scraper { address, tls: TlsConnector::from(Arc::new(config)) }
    }

    /// Status and body.
    pub async fn get(&self, path: &str, token: Option<&str>) -> (u16, String) {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let mut stream = self.tls.connect(ServerName::try_from(NAME).unwrap(), stream).await.unwrap();
        let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {NAME}\r\n{token}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

/// Lets Prometheus read the metrics, by the commands of docs/metrics.md, and gives its token.
pub async fn who_may_read(plane: &ControlPlane) -> String {
    let page = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let documented = async |beginning: &str| {
        let line = page.lines().find(|line| line.starts_with(beginning)).unwrap();
        plane.kubectl("admin").args(line.split(' ').skip(1)).succeed().await.unwrap()
    };
    for args in [
        &["create", "namespace", "monitoring"][..],
        &["create", "serviceaccount", "prometheus", "-n", "monitoring"],
    ] {
        plane.kubectl("admin").args(args).succeed().await.unwrap();
    }
    documented("kubectl create clusterrolebinding").await;
    eventually(SOON, "the API server notices the binding", async || {
        let may = ["auth", "can-i", "get", "/metrics", "--as=system:serviceaccount:monitoring:prometheus"];
        plane.kubectl("admin").args(may).succeed().await
    })
    .await;
    documented("kubectl create token").await.trim().to_owned()
}
