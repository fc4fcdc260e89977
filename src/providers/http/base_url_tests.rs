use super::*;

fn refusal(text: &str) -> Option<BaseUrlProblem> {
    BaseUrl::parse(text).err()
}

#[test]
fn a_base_url_is_accepted_where_every_reader_sees_the_same_host_port_and_path() {
    for (text, url, authority) in [
        ("https://api.revolv3.com", "https://api.revolv3.com/", "api.revolv3.com"),
        ("https://api.revolv3.com/", "https://api.revolv3.com/", "api.revolv3.com"),
        ("https://api.spendjuice.com/v1", "https://api.spendjuice.com/v1", "api.spendjuice.com"),
        ("https://api.spendjuice.com/v1/", "https://api.spendjuice.com/v1", "api.spendjuice.com"),
        ("https://h.example/a/b.c/d_e/f~g/h-i/J0", "https://h.example/a/b.c/d_e/f~g/h-i/J0", "h.example"),
        ("https://h.example:443/v1", "https://h.example/v1", "h.example"),
        ("https://h.example:8443", "https://h.example:8443/", "h.example:8443"),
        ("https://h.example:65535", "https://h.example:65535/", "h.example:65535"),
        ("https://h.example:080", "https://h.example:80/", "h.example:80"),
        ("https://1.2.example", "https://1.2.example/", "1.2.example"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example/", "xn--bcher-kva.example"),
        ("https://a-b.c--d.example", "https://a-b.c--d.example/", "a-b.c--d.example"),
        ("https://svc.example", "https://svc.example/", "svc.example"),
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443/", "127.0.0.1:8443"),
        ("https://[::1]", "https://[::1]/", "[::1]"),
        ("https://[fd00::1]:8443/v1", "https://[fd00::1]:8443/v1", "[fd00::1]:8443"),
    ] {
        let read = BaseUrl::parse(text).unwrap();
        assert_eq!((read.url().as_str(), read.authority().as_str()), (url, authority), "{text}");
    }
}

#[test]
fn a_base_url_that_could_lead_elsewhere_is_refused_with_the_reason() {
    use BaseUrlProblem::{ForbiddenCharacter, Host, LocalName, NotHttps, Path, Port};
    for (text, why) in [
        ("", NotHttps),
        ("api.example.com", NotHttps),
        ("http://api.example.com", NotHttps),
        ("HTTPS://api.example.com", NotHttps),
        ("ftp://api.example.com", NotHttps),
        ("https:api.example.com", NotHttps),
        ("https:/api.example.com", NotHttps),
        (" https://api.example.com", NotHttps),
        ("file:///etc/passwd", NotHttps),
        ("https://", Host),
        ("https:///v1", Host),
        ("https:////api.example.com", Host),
        ("https://user@api.example.com", ForbiddenCharacter),
        ("https://user:secret@api.example.com", ForbiddenCharacter),
        ("https://api.example.com@evil.example", ForbiddenCharacter),
        ("https://api.example.com?x=1", ForbiddenCharacter),
        ("https://api.example.com/?", ForbiddenCharacter),
        ("https://api.example.com#f", ForbiddenCharacter),
        ("https://api.example.com\\@evil.example", ForbiddenCharacter),
        ("https://api.example.com/a b", ForbiddenCharacter),
        ("https://api.example.com ", ForbiddenCharacter),
        ("https://api.exam\tple.com", ForbiddenCharacter),
        ("https://api.example.com\n", ForbiddenCharacter),
        ("https://api.example.com/\0", ForbiddenCharacter),
        ("https://api.example.com/%2e%2e/admin", ForbiddenCharacter),
        ("https://api%2eexample.com", ForbiddenCharacter),
        ("https://api.example.com/v1/../admin", ForbiddenCharacter),
        ("https://api..example.com", ForbiddenCharacter),
        ("https://bücher.example", ForbiddenCharacter),
        ("https://api.example\u{3002}com", ForbiddenCharacter), // ideographic full stop: a dot to IDNA
        ("https://аpi.example.com", ForbiddenCharacter),        // a Cyrillic letter
        ("https://api.example.com\u{200b}", ForbiddenCharacter),
        ("https://Api.example.com", Host),
        ("https://api.example.COM", Host),
        ("https://api.example.com.", Host),
        ("https://.example.com", Host),
        ("https://localhost", LocalName),
        ("https://api", Host),
        ("https://foo.localhost", LocalName),
        ("https://api.default.svc", LocalName),
        ("https://api.default.svc.cluster.local", LocalName),
        ("https://printer.local", LocalName),
        ("https://metadata.google.internal", LocalName),
        ("https://metadata.google.internal:443/computeMetadata", LocalName),
        ("https://-a.example", Host),
        ("https://a-.example", Host),
        ("https://a_b.example", Host),
        ("https://a.example.c", Host),
        ("https://a.example.123", Host),
        ("https://a.example.0x7f", Host),
        ("https://a.1com", Host),
        ("https://2130706433", Host), // 127.0.0.1 to a browser
        ("https://0x7f.1", Host),     // likewise
        ("https://0x7f000001", Host), // likewise
        ("https://0177.0.0.1", Host), // likewise
        ("https://127.1", Host),      // likewise
        ("https://127.0.0.01", Host),
        ("https://1.2.3.4.5", Host),
        ("https://256.1.1.1", Host),
        ("https://127.0.0.1.", Host),
        ("https://[::1", Host),
        ("https://::1]", Host),
        ("https://[::1]x", Host),
        ("https://[::1]]", Host),
        ("https://[FD00::1]", Host),
        ("https://[fe80::1%eth0]", ForbiddenCharacter),
        ("https://[127.0.0.1]", Host),
        ("https://[]", Host),
        ("https://a.example,b.example", Host),
        ("https://a.example;b", Host),
        ("https://*.example.com", Host),
        ("https://xn--a.example", Host), // no punycode
        ("https://api.example.com:", Port),
        ("https://api.example.com:0", Port),
        ("https://api.example.com:65536", Port),
        ("https://api.example.com:-1", Port),
        ("https://api.example.com:+443", Port),
        ("https://api.example.com:443:443", Port),
        ("https://api.example.com:https", Port),
        ("https://::1", Host),
        ("https://api.example.com//v1", Path),
        ("https://api.example.com/v1//", Path),
        ("https://api.example.com//", Path),
        ("https://api.example.com/./v1", Path),
        ("https://api.example.com/.", Path),
        ("https://api.example.com/v1;a=b", Path),
        ("https://api.example.com/{customer.id}", Path),
        ("https://{customer.id}.example.com", Host),
    ] {
        assert_eq!(refusal(text), Some(why), "{text}");
    }
}

#[test]
fn names_and_urls_have_their_longest_length() {
    let label = "a".repeat(63);
    assert_eq!(refusal(&format!("https://{label}.example")), None);
    assert_eq!(refusal(&format!("https://{label}a.example")), Some(BaseUrlProblem::Host));
    let longest = format!("https://h.example/{}", "p".repeat(256 - 18));
    assert_eq!((longest.len(), refusal(&longest)), (256, None));
    assert_eq!(refusal(&format!("{longest}p")), Some(BaseUrlProblem::TooLong));
}

#[test]
fn a_request_lies_below_the_base_url_only_with_its_scheme_host_port_and_whole_path_prefix() {
    let base = BaseUrl::parse("https://h.example:8443/v1").unwrap();
    for (url, covered) in [
        ("https://h.example:8443/v1/customers/7", true),
        ("https://h.example:8443/v1/customers?x=1", true),
        ("https://h.example:8443/v1", true),
        ("https://h.example:8443/v1/", true),
        ("https://h.example:8443/v1x/customers/7", false),
        ("https://h.example:8443/v1/../admin", false),
        ("https://h.example:8443/v1/%2e%2e/admin", false), // the URL library reads these dots, too
        ("https://h.example:8443/", false),
        ("https://h.example/v1/customers/7", false),
        ("https://h.example:8444/v1/customers/7", false),
        ("http://h.example:8443/v1/customers/7", false),
        ("https://h.example.evil:8443/v1/customers/7", false),
        ("https://evil.example:8443/v1/customers/7", false),
        ("https://u@h.example:8443/v1/customers/7", false),
        ("https://u:p@h.example:8443/v1/customers/7", false),
        ("https://h.example:8443/v1/customers/7#f", false),
    ] {
        assert_eq!(base.covers(&Url::parse(url).unwrap()), covered, "{url}");
    }
    let without_prefix = BaseUrl::parse("https://h.example/").unwrap();
    assert!(without_prefix.covers(&Url::parse("https://h.example/customers/7").unwrap()));
}

proptest::proptest! {
    #[test]
    fn whatever_is_accepted_reads_the_same_a_second_time(rest in "[a-z0-9.:/\\[\\]@#?%A-Z -]{0,40}") {
        if let Ok(read) = BaseUrl::parse(&format!("https://{rest}")) {
            let again = BaseUrl::parse(read.url().as_str());
            proptest::prop_assert_eq!(again, Ok(read));
        }
    }
}
