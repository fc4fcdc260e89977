use super::*;

#[test]
fn a_proxy_is_a_scheme_a_host_and_a_port() {
    for (address, expected) in [
        ("http://proxy.example.com:3128", Ok(("proxy.example.com", 3128))),
        ("http://proxy.example.com:3128/", Ok(("proxy.example.com", 3128))),
        ("http://proxy:3128", Ok(("proxy", 3128))),
        ("http://10.0.0.7:8080", Ok(("10.0.0.7", 8080))),
        ("http://[fd00::7]:8080", Ok(("fd00::7", 8080))),
        ("http://proxy.example.com", Ok(("proxy.example.com", 80))),
        ("https://proxy.example.com:3128", Err(ProxyProblem::Address)),
        ("socks5://proxy.example.com:1080", Err(ProxyProblem::Address)),
        ("proxy.example.com:3128", Err(ProxyProblem::Address)),
        ("http://proxy.example.com:3128/path", Err(ProxyProblem::Address)),
        ("http://proxy.example.com:3128?a=b", Err(ProxyProblem::Address)),
        ("http://:3128", Err(ProxyProblem::Address)),
        ("http://proxy.example.com:99999", Err(ProxyProblem::Address)),
        ("", Err(ProxyProblem::Address)),
        ("http://user:sesame@proxy.example.com:3128", Err(ProxyProblem::CredentialsInAddress)),
        ("http://user@proxy.example.com:3128", Err(ProxyProblem::CredentialsInAddress)),
    ] {
        let read = EgressProxy::new(address, None).map(|proxy| (proxy.host.clone(), proxy.port));
        assert_eq!(read, expected.map(|(host, port)| (host.to_owned(), port)), "{address}");
    }
}

#[test]
fn credentials_are_one_line_with_a_user_and_a_password() {
    let of = |text: &str| basic(&SecretString::from(text)).map(|value| value.expose_secret().to_owned());
    // Source of the value: RFC 7617 section 2.
    for text in ["Aladdin:open sesame", "Aladdin:open sesame\n", "Aladdin:open sesame\r\n"] {
        assert_eq!(of(text).as_deref(), Ok("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), "{text:?}");
    }
    assert!(of("user:").is_ok() && of("user:a:b").is_ok());
    let long = format!("user:{}", "x".repeat(MOST_CREDENTIALS));
    for text in ["", "\n", "user", ":password", "a:b\nc:d\n", "a:b\r\nX-Evil: 1", "a:\0", &long] {
        assert_eq!(of(text), Err(ProxyProblem::Credentials), "{text:?}");
    }
}

#[test]
fn neither_the_proxy_nor_what_is_said_of_it_tells_its_credentials() {
    let credentials = SecretString::from("user:sesame");
    let proxy = EgressProxy::new("http://10.0.0.7:8080", Some(&credentials)).unwrap();
    let question = proxy.question("203.0.113.7:443".parse().unwrap());
    let problem = EgressProxy::new("http://user:sesame@10.0.0.7:8080", None).unwrap_err();
    let printed = format!("{proxy:?} {question:?} {problem} {problem:?}");
    assert!(!printed.contains("sesame") && !printed.contains("10.0.0.7"), "{printed}");
    assert!(question.expose_secret().contains("\r\nProxy-Authorization: Basic dXNlcjpzZXNhbWU=\r\n\r\n"));
}

#[test]
fn a_status_is_read_from_a_status_line_and_from_nothing_else() {
    for (head, expected) in [
        (&b"HTTP/1.1 200 OK\r\n"[..], Some(200)),
        (b"HTTP/1.0 200 Connection established\r\n", Some(200)),
        (b"HTTP/1.1 407\r\n", Some(407)),
        (b"HTTP/1.1 2000 OK\r\n", None),
        (b"HTTP/1.1 20 OK\r\n", None),
        (b"HTTP/2 200\r\n", None),
        (b"200 OK\r\n", None),
        (b" HTTP/1.1 200 OK\r\n", None),
        (b"HTTP/1.1  200 OK\r\n", None),
        (b"HTTP/1.1 ", None),
        (b"", None),
    ] {
        assert_eq!(status_of(head), expected, "{}", head.escape_ascii());
    }
}
