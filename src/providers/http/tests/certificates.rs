//! Throw-away authorities and the servers that they vouch for.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::SecretString;

use crate::providers::http::ClientIdentity;

pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub(super) pem: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        Self::until(2100)
    }

    /// An authority that ends with the year before.
    pub(super) fn until(year: i32) -> Self {
        let mut wanted = CertificateParams::default();
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        wanted.not_after = date_time_ymd(year, 1, 1);
        let issuer = CertifiedIssuer::self_signed(wanted, KeyPair::generate().unwrap()).unwrap();
        let pem = issuer.pem();
        Self { issuer, pem }
    }

    fn certify(&self, names: &[&str], until: i32) -> (rcgen::Certificate, KeyPair) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut wanted = CertificateParams::new(names).unwrap();
        wanted.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        (wanted.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// A server for 127.0.0.1 and `api.example.com`.
    pub(super) fn server(&self) -> Arc<ServerConfig> {
        self.server_for(&["127.0.0.1", "api.example.com"], 2100)
    }

    pub(super) fn server_for(&self, names: &[&str], until: i32) -> Arc<ServerConfig> {
        let (certificate, key) = self.certify(names, until);
        let builder = server_builder().with_no_client_auth();
        Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key_of(&key)).unwrap())
    }

    /// A server that talks to our clients only.
    pub(super) fn server_that_asks(&self) -> Arc<ServerConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.issuer.der().to_vec())).unwrap();
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let ours_only = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), ring).build().unwrap();
        let (certificate, key) = self.certify(&["127.0.0.1"], 2100);
        let builder = server_builder().with_client_cert_verifier(ours_only);
        Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key_of(&key)).unwrap())
    }

    pub(super) fn client(&self) -> ClientIdentity {
        let (certificate, key) = self.certify(&["operator.example"], 2100);
        ClientIdentity { certificates: certificate.pem(), key: SecretString::from(key.serialize_pem()) }
    }
}

fn server_builder() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
}

fn key_of(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.serialize_der()).unwrap()
}
