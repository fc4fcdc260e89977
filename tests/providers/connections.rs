//! Connections: whose certificate is believed, which are kept, which are tried again.

use std::{collections::BTreeSet, sync::Arc};

use harness::{LedgerFilter, Provider as Side};
use offboarding::providers::{Captured, http::ClientIdentity};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{RootCertStore, ServerConfig, crypto::ring, server::WebPkiClientVerifier};
use rustls_pki_types::PrivateKeyDer;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::stage::{Wiring, became, diary, looked, sandbox};

#[tokio::test]
async fn a_lost_read_is_made_again_twice_and_a_lost_deletion_never() {
    let sandbox = sandbox().await;
    for (lost, look, requests) in
        [(0, "Present", 1), (1, "Present", 2), (2, "Present", 3), (3, "Unknown Transient/OutcomeUnknown", 3)]
    {
        sandbox.reset().await.unwrap();
        sandbox.seed(Side::Juicyway, "cus_1", &json!({})).await.unwrap();
        let cut = json!({"kind": "cut", "at": "beforeApply"});
        let reads = json!({"match": {"method": "GET"}, "times": lost, "do": cut});
        let deletion = json!({"match": {"method": "DELETE"}, "do": cut});
        let faults = if lost == 0 { json!([deletion]) } else { json!([reads, deletion]) };
        sandbox.set_faults(&faults).await.unwrap();
        let juicyway = Wiring::of(&sandbox, Side::Juicyway).connect();
        assert_eq!(looked(&juicyway.look("cus_1").await.verdict), look, "{lost} lost");
        assert_eq!(diary(&sandbox, Side::Juicyway).await.len(), requests, "{lost} lost");
        let sent = juicyway.send("cus_1", &Captured::nothing()).await;
        assert_eq!(became(&sent.outcome), "Unknown Indeterminate/OutcomeUnknown");
        assert_eq!(diary(&sandbox, Side::Juicyway).await.len(), requests + 1, "once, and only once");
        assert_eq!(sandbox.truth(Side::Juicyway, "cus_1").await.unwrap()["exists"], true);
    }
}

#[tokio::test]
async fn reads_share_a_connection_and_each_deletion_has_one_of_its_own() {
    let sandbox = sandbox().await;
    sandbox.seed(Side::Revolv3, "90017", &json!({})).await.unwrap();
    let revolv3 = Wiring::of(&sandbox, Side::Revolv3).connect();
    for _ in 0..2 {
        revolv3.look("90017").await;
        revolv3.send("90017", &Captured::nothing()).await;
        revolv3.look("90017").await;
    }
    let ledger = sandbox.ledger(&LedgerFilter::default()).await.unwrap();
    let used = |method: &str| {
        let of_method = ledger.iter().filter(|entry| entry["method"] == method);
        of_method.map(|entry| entry["connection"].as_u64().unwrap()).collect::<BTreeSet<_>>()
    };
    assert_eq!((used("GET").len(), used("DELETE").len()), (1, 2));
    assert!(used("GET").is_disjoint(&used("DELETE")));
}

#[tokio::test]
async fn a_connection_that_died_while_it_was_idle_costs_nobody_an_answer() {
    let sandbox = sandbox().await;
    sandbox.seed(Side::Revolv3, "90017", &json!({})).await.unwrap();
    let revolv3 = Wiring::of(&sandbox, Side::Revolv3).connect();
    for _ in 0..5 {
        assert_eq!(looked(&revolv3.look("90017").await.verdict), "Present");
        sandbox.disconnect().await.unwrap();
    }
    assert_eq!(diary(&sandbox, Side::Revolv3).await, ["GET /api/Customers/90017 200"; 5]);
    assert_eq!(became(&revolv3.send("90017", &Captured::nothing()).await.outcome), "Accepted");
}

#[tokio::test]
async fn a_bundle_of_another_authority_is_no_reason_to_send_anything() {
    let (sandbox, stranger) = (sandbox().await, sandbox().await);
    let ca_bundle = stranger.addresses().ca_bundle.clone();
    let juicyway = Wiring { ca_bundle, ..Wiring::of(&sandbox, Side::Juicyway) }.connect();
    assert_eq!(looked(&juicyway.look("cus_1").await.verdict), "Unknown Transient/TlsFailed");
    let sent = juicyway.send("cus_1", &Captured::nothing()).await;
    assert_eq!(became(&sent.outcome), "NotSent Transient/TlsFailed");
    assert_eq!(diary(&sandbox, Side::Juicyway).await, [""; 0]);
}

#[tokio::test]
async fn a_provider_that_wants_to_know_us_is_shown_our_certificate_by_both_clients() {
    let sandbox = sandbox().await;
    let gate = Gate::open().await;
    for (identity, look, outcome) in [
        (Some(gate.client.clone()), "Present", "Accepted"),
        (None, "Unknown Transient/OutcomeUnknown", "Unknown Indeterminate/OutcomeUnknown"),
    ] {
        let mut wiring = Wiring::of(&sandbox, Side::Juicyway);
        wiring.base_url.clone_from(&gate.base_url);
        wiring.ca_bundle.clone_from(&gate.ca_bundle);
        wiring.client_identity = identity;
        let juicyway = wiring.connect();
        assert_eq!(looked(&juicyway.look("cus_1").await.verdict), look);
        // In TLS 1.3 a client learns that it is refused only after it has begun to speak: nobody can say that nothing left.
        assert_eq!(became(&juicyway.send("cus_1", &Captured::nothing()).await.outcome), outcome);
    }
}

/// A server for clients of its own authority only; everybody else is refused in the handshake.
struct Gate {
    base_url: String,
    ca_bundle: String,
    client: ClientIdentity,
}

impl Gate {
    async fn open() -> Self {
        let mut wanted = CertificateParams::default();
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(wanted, KeyPair::generate().unwrap()).unwrap();
        let certify = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let wanted = CertificateParams::new([name.to_owned()]).unwrap();
            (wanted.signed_by(&key, &authority).unwrap(), key)
        };
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let ours_only =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
        let (certificate, key) = certify("127.0.0.1");
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(ours_only)
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base_url = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config))));
        let (certificate, key) = certify("operator.example");
        let client = ClientIdentity { certificates: certificate.pem(), key: key.serialize_pem().into() };
        Self { base_url, ca_bundle: authority.pem(), client }
    }
}

/// One request a connection: a look finds the customer, a deletion is done.
async fn serve(listener: TcpListener, tls: TlsAcceptor) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = tls.accept(stream).await else { continue };
        let mut head = [0; 4096];
        let length = stream.read(&mut head).await.unwrap();
        let body = if head[..length].starts_with(b"GET") { r#"{"data":{"id":"cus_1"}}"# } else { "" };
        let answer =
            format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    }
}
