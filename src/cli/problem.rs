//! Why a command cannot begin.

use std::{net::SocketAddr, path::PathBuf};

use crate::{
    admin::CertificateProblem, check, controller::LeaseTimingProblem, providers::http::ProxyProblem,
    telemetry, traces::CollectorProblem,
};

/// Why the operator cannot start.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartProblem {
    #[error("--log-level {0}")]
    LogLevel(#[from] telemetry::NotALevel),
    #[error("--egress-proxy {0}")]
    EgressProxy(ProxyProblem),
    #[error("--egress-proxy-credentials {}: {why}", path.display())]
    EgressProxyCredentials { path: PathBuf, why: String },
    #[error(transparent)]
    Check(#[from] check::Unusable),
    #[error("--watch-namespaces must be at most 100; without it all namespaces are watched")]
    WatchNamespaces,
    #[error("--send-deadline and --request-deadline must be more than 0s and at most 10m")]
    Deadlines,
    #[error(transparent)]
    Lease(#[from] LeaseTimingProblem),
    #[error("--otlp-endpoint {0}")]
    Collector(#[from] CollectorProblem),
    #[error("no cluster: set KUBECONFIG, or run in a pod with a service account ({0})")]
    NoCluster(String),
    #[error("refusing an unverified API server connection (`insecure-skip-tls-verify`) or plain http")]
    Unverified,
    #[error("{flag} {address}: cannot be bound ({why})")]
    Address { flag: &'static str, address: SocketAddr, why: std::io::Error },
    #[error("--metrics-certificate, --metrics-key: {0}")]
    Certificate(#[from] CertificateProblem),
    #[error("the runtime cannot be started ({0})")]
    Runtime(std::io::Error),
    #[error("failed to print the CRDs ({0})")]
    Crds(String),
}
