//! Rows 50 to 52 and R30: what `baseUrl` may be. What a name resolves to is checked by the operator when it connects.

use harness::Failure;

use crate::{PROVIDERS, Server, provider, with};

const ACCEPTED: &str = "accepted";
const HTTPS: &str = "spec.baseUrl: Invalid value: must use https";
const EXTRAS: &str =
    "spec.baseUrl: Invalid value: must not contain userinfo, query, fragment, backslash, space or '..'";
const HOST: &str = "spec.baseUrl: Invalid value: host must be a lower-case ASCII DNS name with at least one dot and no trailing dot, or an IP address covered by `allowedCIDRs`";
const INTERNAL: &str =
    "spec.baseUrl: Invalid value: host must not end in .svc, .local, .localhost or .internal";
const PORT: &str = "spec.baseUrl: Invalid value: port must be 1 to 65535; leave it out for 443";
const PATH: &str =
    "spec.baseUrl: Invalid value: path must be segments of letters, digits and `._~-`, such as /api/v2";
const COVERED: &str =
    "spec.baseUrl: Invalid value: an IP address is accepted only where `allowedCIDRs` covers it";

#[tokio::test]
async fn a_base_url_is_https_to_a_public_name_and_nothing_else() -> Result<(), Failure> {
    let server = Server::with_the_kinds("urls").await?;
    let long_label = format!("https://{}.example.com", "a".repeat(64));
    let longest_label = format!("https://{}.example.com", "a".repeat(63));
    let too_long = format!("https://api.example.com/{}", "a".repeat(256));
    let rows = [
        ("", HTTPS),
        ("http://api.revolv3.com", HTTPS),
        ("ftp://api.revolv3.com", HTTPS),
        ("api.revolv3.com", HTTPS),
        ("//api.revolv3.com", HTTPS),
        ("HTTPS://api.revolv3.com", HTTPS),
        (" https://api.revolv3.com", HTTPS),
        ("file:///etc/passwd", HTTPS),
        ("https://user@api.revolv3.com", EXTRAS),
        ("https://user:password@api.revolv3.com", EXTRAS),
        ("https://api.revolv3.com@evil.example.com", EXTRAS),
        ("https://api.revolv3.com?a=b", EXTRAS),
        ("https://api.revolv3.com/?a=b", EXTRAS),
        ("https://api.revolv3.com#a", EXTRAS),
        ("https://api.revolv3.com\\evil.example.com", EXTRAS),
        ("https://api.revolv3.com/a b", EXTRAS),
        ("https://api.revolv3.com/\n", EXTRAS),
        ("https://api.revolv3.com/\t", EXTRAS),
        ("https://api.revolv3.com/../admin", EXTRAS),
        ("https://api..revolv3.com", EXTRAS),
        ("https://", HOST),
        ("https:///api", HOST),
        ("https://localhost", HOST),
        ("https://revolv3", HOST),
        ("https://api.revolv3.com.", HOST),
        ("https://.revolv3.com", HOST),
        ("https://API.revolv3.com", HOST),
        ("https://-api.revolv3.com", HOST),
        ("https://api-.revolv3.com", HOST),
        ("https://api_1.revolv3.com", HOST),
        ("https://*.revolv3.com", HOST),
        ("https://api.revolv3.com,evil.example.com", HOST),
        ("https://api.r\u{435}volv3.com", HOST),  // a Cyrillic letter
        ("https://api\u{3002}revolv3.com", HOST), // an ideographic full stop
        (&long_label, HOST),
        ("https://2130706433", HOST), // 127.0.0.1 in decimal
        ("https://0x7f000001", HOST), // in hexadecimal
        ("https://0x7f.0.0.1", HOST),
        ("https://0177.0.0.1", HOST), // in octal
        ("https://127.1", HOST),
        ("https://256.1.1.1", HOST),
        ("https://1.2.3.4.5", HOST),
        ("https://[::1", HOST),
        ("https://[:::1]", HOST),
        ("https://[fe80::1%25eth0]", HOST),
        ("https://[::ffff:127.0.0.1]", HOST), // an IPv4 address in disguise
        ("https://revolv3.svc", INTERNAL),
        ("https://bridge.payments.svc:8443", INTERNAL),
        ("https://bridge.payments.svc.cluster.local", INTERNAL),
        ("https://metadata.google.internal/computeMetadata", INTERNAL),
        ("https://a.localhost", INTERNAL),
        ("https://127.0.0.1", COVERED),
        ("https://10.20.30.40/api", COVERED),
        ("https://169.254.169.254/latest", COVERED),
        ("https://8.8.8.8", COVERED),
        ("https://[::1]", COVERED),
        ("https://[fd00::1]:8443", COVERED),
        ("https://api.revolv3.com:0", PORT),
        ("https://api.revolv3.com:", PORT),
        ("https://api.revolv3.com:65536", PORT),
        ("https://api.revolv3.com:https", PORT),
        ("https://api.revolv3.com:443:443", PORT),
        ("https://api.revolv3.com//api", PATH),
        ("https://api.revolv3.com/./api", PATH),
        ("https://api.revolv3.com/%2e%2e/api", PATH),
        ("https://api.revolv3.com/a;b", PATH),
        ("https://api.revolv3.com/{customer.id}", PATH),
        (&too_long, "spec.baseUrl: Too long: may not be more than 256 bytes"),
        ("https://api.revolv3.com", ACCEPTED),
        ("https://api-sandbox.spendjuice.com/", ACCEPTED),
        ("https://api.revolv3.com:8443/v1", ACCEPTED),
        ("https://api.revolv3.com:65535", ACCEPTED),
        ("https://acme.myshop.com/admin/api/2026-01", ACCEPTED),
        ("https://api.revolv3.com/.well-known/scim_v2/~x", ACCEPTED),
        ("https://xn--bcher-kva.example", ACCEPTED),
        ("https://1and1.example.com", ACCEPTED),
        (&longest_label, ACCEPTED),
    ];
    assert!(rows.len() > 60);
    let rows = rows.map(|(url, due)| {
        (
            format!("rows 50-52, R30: {url:?}"),
            with(provider("p"), "baseUrl", &serde_json::json!(url).to_string()),
            due,
        )
    });
    server.assert_answers(PROVIDERS, rows).await;
    Ok(())
}

#[tokio::test]
async fn an_address_needs_a_range_that_covers_it() -> Result<(), Failure> {
    let server = Server::with_the_kinds("ranges").await?;
    let ranges = "spec.allowedCIDRs: Invalid value: must be networks in CIDR notation without host bits, such as 10.20.0.0/16";
    let rows = [
        ("https://127.0.0.1:8443", "[127.0.0.0/8]", ACCEPTED),
        ("https://127.0.0.1:8443/v1/", "[10.0.0.0/8, 127.0.0.1/32]", ACCEPTED),
        ("https://[::1]:8443/v1", "['::1/128']", ACCEPTED),
        ("https://[fd00:0:0::1]", "['fd00::/8']", ACCEPTED),
        ("https://api.revolv3.com", "[10.0.0.0/8]", ACCEPTED), // what it resolves to is for the operator
        ("https://127.0.0.1", "[10.0.0.0/8]", COVERED),
        ("https://127.0.0.1", "[]", COVERED),
        ("https://[::1]", "[127.0.0.0/8]", COVERED),
        ("https://127.0.0.1:0", "[127.0.0.0/8]", PORT),
        ("https://[::1]:65536", "['::1/128']", PORT),
        ("https://[::1]:443x", "['::1/128']", PORT),
        ("https://0177.0.0.1", "[127.0.0.0/8]", HOST),
        ("https://[::ffff:127.0.0.1]", "[127.0.0.0/8]", HOST),
        ("https://localhost", "[127.0.0.0/8]", HOST),
        ("https://api.revolv3.com", "[10.0.0.1]", ranges),
        ("https://api.revolv3.com", "[10.0.0.1/8]", ranges),
        ("https://api.revolv3.com", "[10.0.0.0/33]", ranges),
        ("https://api.revolv3.com", "[internal]", ranges),
        ("https://api.revolv3.com", "['']", ranges),
        ("https://api.revolv3.com", "['::ffff:10.0.0.0/104']", ranges),
    ]
    .map(|(url, allowed, due)| {
        let object = with(with(provider("p"), "baseUrl", &format!("'{url}'")), "allowedCIDRs", allowed);
        (format!("row 51, R30: {url} in {allowed}"), object, due)
    });
    server.assert_answers(PROVIDERS, rows).await;
    Ok(())
}
