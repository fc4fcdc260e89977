//! Which API servers both programs speak to.

use kube::Config;

/// Whether nobody on the way can pretend to be the API server; both programs speak to no other one. On the loopback nobody is.
#[must_use]
pub fn is_verified(config: &Config) -> bool {
    let url = &config.cluster_url;
    let is_loopback = matches!(url.host(), Some("127.0.0.1" | "localhost" | "[::1]"));
    is_loopback || (url.scheme_str() == Some("https") && !config.accept_invalid_certs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_server_is_verified_but_on_the_loopback() {
        for (url, accept_invalid_certs, due) in [
            ("https://192.0.2.1:6443", false, true),
            ("https://kubernetes.example.com", false, true),
            ("HTTPS://kubernetes.example.com", false, true),
            ("https://kubernetes.example.com", true, false),
            ("http://kubernetes.example.com", false, false),
            ("http://192.0.2.1:8080", false, false),
            ("kubernetes.example.com:6443", false, false),
            ("http://127.0.0.1.example.com", false, false),
            ("http://127.0.0.1@kubernetes.example.com", false, false),
            ("http://127.0.0.1:8001", false, true),
            ("http://localhost:8001", false, true),
            ("http://[::1]:8001", false, true),
            ("https://127.0.0.1:6443", true, true),
        ] {
            let mut config = Config::new(url.parse().unwrap());
            config.accept_invalid_certs = accept_invalid_certs;
            assert_eq!(is_verified(&config), due, "{url} {accept_invalid_certs}");
        }
    }
}
