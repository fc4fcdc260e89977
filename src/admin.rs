//! `/healthz`, `/readyz` and `/metrics`, and `/log-level`, which may be changed. Says nothing about any customer.
//!
//! - `--admin-address`: all of them, on the loopback, to whoever is on the machine.
//! - `--probe-address`: `/healthz` and `/readyz`, to everybody.
//! - `--metrics-address`: `/metrics`, over TLS, to whoever shows a token of somebody who may `get` it.

mod certificate;
mod listen;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use tokio::net::TcpListener;

pub use certificate::{Certificate, CertificateProblem, Files};

use crate::{
    controller::{Reader, Shared},
    telemetry::LogLevel,
};

/// The content type of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Where it is listened, bound before anything else is begun.
pub struct Doors {
    admin: TcpListener,
    log_level: LogLevel,
    probes: Option<TcpListener>,
    metrics: Option<(TcpListener, Arc<Certificate>)>,
}

impl Doors {
    /// The one on the loopback.
    ///
    /// # Errors
    /// Where it cannot be bound: in use, or not ours.
    pub async fn open(admin: SocketAddr, log_level: LogLevel) -> std::io::Result<Doors> {
        let admin = TcpListener::bind(admin).await?;
        let address = admin.local_addr()?;
        tracing::info!(%address, "serving /healthz, /readyz, /metrics and /log-level");
        Ok(Doors { admin, log_level, probes: None, metrics: None })
    }

    /// One more, for the probes.
    ///
    /// # Errors
    /// As `open`.
    pub async fn with_probes(self, address: SocketAddr) -> std::io::Result<Doors> {
        let probes = TcpListener::bind(address).await?;
        let address = probes.local_addr()?;
        tracing::info!(%address, "serving the probes");
        Ok(Doors { probes: Some(probes), ..self })
    }

    /// One more, for metrics over TLS.
    ///
    /// # Errors
    /// As `open`.
    pub async fn with_metrics(self, address: SocketAddr, certificate: Certificate) -> std::io::Result<Doors> {
        let metrics = TcpListener::bind(address).await?;
        let address = metrics.local_addr()?;
        tracing::info!(%address, "serving metrics over TLS, to whoever may get them");
        Ok(Doors { metrics: Some((metrics, Arc::new(certificate))), ..self })
    }
}

/// Serves until it is dropped.
pub async fn serve(doors: Doors, ctx: Shared) {
    let probes = || Router::new().route("/healthz", get(|| async { "ok" })).route("/readyz", get(ready));
    let level = doors.log_level;
    let set_level = move |body: String| std::future::ready(set_level(&level, &body));
    let all = probes().route("/metrics", get(metrics)).with_state(ctx.clone());
    let all = all.route("/log-level", put(set_level));
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(listen::plain(doors.admin, all));
    if let Some(listener) = doors.probes {
        serving.spawn(listen::probes(listener, probes().with_state(ctx.clone())));
    }
    if let Some((listener, certificate)) = doors.metrics {
        // Who may not read is not told either what there would be to read.
        let guarded = Router::new().route("/metrics", get(metrics)).with_state(ctx.clone());
        let guarded = guarded.layer(from_fn_with_state(ctx, for_readers));
        serving.spawn(certificate.clone().read_again());
        serving.spawn(listen::over_tls(listener, certificate, guarded));
    }
    while serving.join_next().await.is_some() {}
    tracing::error!("the admin endpoint ended");
}

/// On the loopback only: whoever gets there may start the process with another level, too.
fn set_level(log_level: &LogLevel, body: &str) -> (StatusCode, String) {
    match log_level.set(body.trim()) {
        Ok(()) => (StatusCode::OK, format!("{}\n", body.trim())),
        Err(why) => (StatusCode::BAD_REQUEST, format!("{why}\n")),
    }
}

async fn ready(State(ctx): State<Shared>) -> (StatusCode, &'static str) {
    match ctx.readiness() {
        Ok(role) => (StatusCode::OK, role),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

async fn metrics(State(ctx): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], ctx.scrape())
}

async fn for_readers(State(ctx): State<Shared>, request: Request, next: Next) -> Response {
    let asked = [(header::WWW_AUTHENTICATE, "Bearer")];
    let Some(token) = bearer(request.headers()).map(str::to_owned) else {
        return (StatusCode::UNAUTHORIZED, asked, "a bearer token is needed").into_response();
    };
    match ctx.scrapers.judge(&ctx.api, &token).await {
        Reader::Allowed => next.run(request).await,
        Reader::Unknown => (StatusCode::UNAUTHORIZED, asked, "the token is not known").into_response(),
        Reader::Forbidden => {
            let why =
                "needs the verb `get` on the nonResourceURL /metrics: ClusterRole offboarding-metrics-reader";
            (StatusCode::FORBIDDEN, why).into_response()
        }
        Reader::Unanswered => {
            (StatusCode::SERVICE_UNAVAILABLE, "nobody can tell who may read").into_response()
        }
    }
}

/// The token of a request. Source: RFC 6750 section 2.1; the scheme in any case (RFC 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (one, another) = (all.next()?, all.next());
    let (scheme, token) = one.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (another.is_none() && scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests;
