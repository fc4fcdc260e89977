//! Which provider objects lead to an endpoint, and what is said of the others.

use secrecy::SecretString;

use super::{
    server::{How, Script},
    *,
};
use crate::providers::http::{BaseUrlProblem, CidrProblem, ClientIdentity, TlsProblem};

fn build(
    base_url: &str,
    cidrs: &[&str],
    bundle: Option<&str>,
    identity: Option<&ClientIdentity>,
) -> Result<(), EndpointProblem> {
    let cidrs: Vec<String> = cidrs.iter().map(|text| (*text).to_owned()).collect();
    let parts =
        EndpointParts { base_url, allowed_cidrs: &cidrs, ca_bundle: bundle, client_identity: identity };
    Endpoint::new(parts, &egress()).map(|_| ())
}

#[test]
fn an_address_needs_a_range_that_the_installation_allows_too() {
    let authority = Authority::new();
    let pem = Some(authority.pem.as_str());
    for (base_url, cidrs, expected) in [
        ("https://127.0.0.1", &["127.0.0.0/8"][..], Ok(())),
        ("https://127.0.0.1", &[], Err(EndpointProblem::HostNotAllowed)),
        ("https://10.0.0.1", &["10.0.0.0/8"], Err(EndpointProblem::HostNotAllowed)), // above the ceiling
        ("https://8.8.8.8", &[], Err(EndpointProblem::HostNotAllowed)),
        ("https://[::1]", &["::1/128"], Err(EndpointProblem::HostNotAllowed)),
        ("https://[::ffff:127.0.0.1]", &["127.0.0.0/8"], Ok(())),
        ("https://api.example.com", &[], Ok(())),
        ("http://api.example.com", &[], Err(EndpointProblem::BaseUrl(BaseUrlProblem::NotHttps))),
        (
            "https://api.example.com",
            &["127.0.0.0/8", "10.0.0.1/8"],
            Err(EndpointProblem::InvalidCidr { index: 1, problem: CidrProblem::HostBitsSet }),
        ),
    ] {
        assert_eq!(build(base_url, cidrs, pem, None), expected, "{base_url} {cidrs:?}");
    }
}

#[test]
fn a_bundle_without_a_valid_certificate_is_refused() {
    let (valid, expired) = (Authority::new().pem, Authority::until(2020).pem);
    let broken = valid.replacen("MII", "MIJ", 1);
    let cut = &valid[..valid.len() - 60];
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let useless = Err(EndpointProblem::InvalidCaBundle(TlsProblem::CaBundle));
    for (what, bundle, expected) in [
        ("one", valid.clone(), Ok(())),
        ("two", format!("{valid}# and\n{valid}"), Ok(())),
        ("empty", String::new(), useless.clone()),
        ("no PEM", "certificate".to_owned(), useless.clone()),
        ("a key", rcgen::KeyPair::generate().unwrap().serialize_pem(), useless.clone()),
        ("expired", expired.clone(), useless.clone()),
        ("expired and valid", format!("{expired}{valid}"), Ok(())),
        ("broken", broken.clone(), useless.clone()),
        ("valid and broken", format!("{valid}{broken}"), useless.clone()),
        ("cut", cut.to_owned(), useless.clone()),
        ("no certificate inside", no_certificate.to_owned(), useless.clone()),
    ] {
        assert_eq!(build("https://api.example.com", &[], Some(&bundle), None), expected, "{what}");
    }
    assert_eq!(
        build("https://api.example.com", &[], None, None),
        Err(EndpointProblem::InvalidCaBundle(TlsProblem::NoTrustedRoot))
    );
}

#[test]
fn a_client_certificate_needs_its_own_key() {
    let authority = Authority::new();
    let (one, other) = (authority.client(), authority.client());
    let with =
        |certificates: &str, key: SecretString| ClientIdentity { certificates: certificates.to_owned(), key };
    let text = |text: &str| SecretString::from(text.to_owned());
    let refused = |why| Err(EndpointProblem::InvalidClientCertificate(why));
    for (what, identity, expected) in [
        ("a pair", one.clone(), Ok(())),
        ("no certificate", with("", one.key.clone()), refused(TlsProblem::ClientCertificate)),
        ("no key", with(&one.certificates, text("")), refused(TlsProblem::ClientKey)),
        (
            "a certificate as key",
            with(&one.certificates, text(&one.certificates)),
            refused(TlsProblem::ClientKey),
        ),
        ("another's key", with(&one.certificates, other.key), refused(TlsProblem::ClientPair)),
    ] {
        let built = build("https://api.example.com", &[], Some(&authority.pem), Some(&identity));
        assert_eq!(built, expected, "{what}");
    }
}

#[test]
fn every_problem_says_what_to_do_and_nothing_of_the_secret() {
    let authority = Authority::new();
    let key = "-----BEGIN PRIVATE KEY-----\nc2VzYW1l\n-----END PRIVATE KEY-----\n";
    let identity =
        ClientIdentity { certificates: authority.client().certificates, key: SecretString::from(key) };
    let problem = build("https://api.example.com", &[], Some(&authority.pem), Some(&identity)).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "spec.tls.clientCertificate: 'tls.key' is not the key of 'tls.crt', or of an unsupported kind"
    );
    assert!(!format!("{problem:?} {identity:?}").contains("c2VzYW1l"));
    let problem = build("https://u:sesame@h.example", &[], None, None).unwrap_err();
    assert!(problem.to_string().starts_with("spec.baseUrl: must not contain userinfo"));
    assert!(!format!("{problem} {problem:?}").contains("sesame"));
    let problem = build("https://api.example.com", &["10.0.0.0"], None, None).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "spec.allowedCIDRs[0]: must be an address, a slash and a prefix length, for example '10.20.0.0/16' or 'fd00:20::/32'"
    );
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_who_asks_by_both_clients() {
    let authority = Authority::new();
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    let server = Server::start(authority.server_that_asks(), Script::Cut(answer, How::Fin)).await;
    for (identity, expected) in [(Some(authority.client()), Some(200)), (None, None)] {
        let parts = EndpointParts {
            base_url: &server.base_url,
            allowed_cidrs: &["127.0.0.0/8".to_owned()],
            ca_bundle: Some(&authority.pem),
            client_identity: identity.as_ref(),
        };
        let endpoint = Arc::new(Endpoint::new(parts, &egress()).unwrap());
        let permit = grant(Duration::ZERO, AMPLE, AMPLE).unwrap();
        let deadline = SendDeadline { first_byte_before: Instant::now() + AMPLE, total: AMPLE };
        let sent = send(permit, delete(&server.base_url), &endpoint, deadline, now).await;
        assert_eq!(status(sent), expected);
        let limiter = Limiter::new(Limits { requests_per_minute: 60, burst: 1, max_in_flight: 1 });
        let read = ReadClient::new(endpoint, limiter, AMPLE).read(get(&server.base_url), "1").await;
        assert_eq!(read.ok().map(|read| read.status), expected);
    }
    assert_eq!(server.settled().await.requests.len(), 2);
}

#[test]
fn the_system_s_roots_are_kept_where_a_bundle_adds_to_them() {
    let authority = Authority::new();
    let parts = EndpointParts {
        base_url: "https://api.example.com",
        allowed_cidrs: &[],
        ca_bundle: Some(&authority.pem),
        client_identity: None,
    };
    let egress = Egress { roots: SystemRoots::load(), ..egress() };
    assert!(Endpoint::new(parts, &egress).is_ok());
}
