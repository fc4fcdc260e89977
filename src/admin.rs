//! `/healthz`, `/readyz` and `/metrics`, and `/log-level`, which may be changed. Says nothing about any customer.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    http::header,
    response::IntoResponse,
    routing::{get, put},
};
use tokio::net::TcpListener;

use crate::{controller::Shared, telemetry::LogLevel};

/// The content type of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Binds the address.
///
/// # Errors
/// Where it cannot be bound: in use, or not ours.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, ctx: Shared, log_level: LogLevel) {
    let router = Router::new()
        .route("/log-level", put(move |level: String| std::future::ready(set_level(&log_level, &level))))
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(ctx);
    if axum::serve(listener, router).await.is_err() {
        tracing::error!("the admin endpoint ended");
    }
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

async fn metrics(State(ctx): State<Arc<crate::controller::Context>>) -> impl IntoResponse {
    ctx.tell_budgets();
    ([(header::CONTENT_TYPE, OPEN_METRICS)], ctx.metrics.text())
}
