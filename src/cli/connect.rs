//! The way to the API server and to providers: what the arguments allow, and nothing that the environment smuggles in.

use std::{fs::File, io::Read as _, path::Path, sync::Arc, time::Duration};

use kube::{Client, Config, client::ClientBuilder, config::KubeConfigOptions};
use secrecy::SecretString;

use super::{arguments::Surroundings, clock, problem::StartProblem};
use crate::{
    controller::Clients,
    kubeconfig,
    metrics::{CountRequests, Metrics},
    providers::{
        built_in_names,
        http::{Egress, EgressProxy, ProxyProblem},
    },
};

/// Built explicitly: kube's own inference obeys debug variables that impersonate users and redirect the connection.
pub(super) async fn clients() -> Result<Clients, StartProblem> {
    let no_cluster = |why: &dyn std::fmt::Display| StartProblem::NoCluster(why.to_string());
    let mut config = match std::env::var_os("KUBECONFIG") {
        Some(_) => Config::from_kubeconfig(&KubeConfigOptions::default())
            .await
            .map_err(|error| no_cluster(&error))?,
        None => Config::incluster().map_err(|error| no_cluster(&error))?,
    };
    if !kubeconfig::is_verified(&config) {
        return Err(StartProblem::Unverified);
    }
    config.proxy_url = None;
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(5));
    config.read_timeout = None;
    let metrics = Arc::new(Metrics::new(built_in_names()));
    let counted = |config: Config| {
        ClientBuilder::try_from(config).map(|it| it.with_layer(&CountRequests(metrics.clone())).build())
    };
    let watches: Client = counted(config.clone()).map_err(|error| no_cluster(&error))?;
    config.read_timeout = Some(Duration::from_secs(10));
    config.reset_reader_on_write = true;
    let calls = counted(config).map_err(|error| no_cluster(&error))?;
    Ok(Clients { watches, calls, metrics })
}

/// Where requests to providers may go, and through what.
pub(super) fn egress(surroundings: &Surroundings) -> Result<Egress, StartProblem> {
    let Surroundings { allowed_cidrs, egress_proxy, egress_proxy_credentials, .. } = surroundings;
    let proxy = match egress_proxy {
        Some(address) => Some(proxy(address, egress_proxy_credentials.as_deref())?),
        None => None,
    };
    Ok(Egress::of_the_system(allowed_cidrs.clone(), clock).through(proxy))
}

/// Neither the address nor the file's contents are repeated in an error: they may hold a password.
fn proxy(address: &str, credentials: Option<&Path>) -> Result<EgressProxy, StartProblem> {
    let Some(path) = credentials else {
        return EgressProxy::new(address, None).map_err(StartProblem::EgressProxy);
    };
    let problem = |why: &dyn std::fmt::Display| StartProblem::EgressProxyCredentials {
        path: path.to_owned(),
        why: why.to_string(),
    };
    let mut text = String::new();
    // A line is shorter; more is never held.
    let read = File::open(path).and_then(|file| file.take(4096).read_to_string(&mut text));
    read.map_err(|error| problem(&error))?;
    EgressProxy::new(address, Some(&SecretString::from(text))).map_err(|error| match error {
        ProxyProblem::Credentials => problem(&error),
        ProxyProblem::Address | ProxyProblem::CredentialsInAddress => StartProblem::EgressProxy(error),
    })
}

/// Each is a watch of its own.
const MOST_NAMESPACES: usize = 100;

pub(super) fn watched(surroundings: &Surroundings) -> Result<Vec<String>, StartProblem> {
    let namespaces = surroundings.watch_namespaces.clone();
    if namespaces.len() > MOST_NAMESPACES { Err(StartProblem::WatchNamespaces) } else { Ok(namespaces) }
}

pub(super) fn use_ring() {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider is installed already");
    }
}

pub(super) fn warn_of_proxies() {
    for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        if std::env::var_os(name).is_some() {
            tracing::warn!(name, "the proxy environment is ignored");
        }
    }
}
