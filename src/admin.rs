//! `/healthz`, `/readyz` and `/metrics`. Says nothing about any customer.

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, extract::State, http::StatusCode, http::header, response::IntoResponse, routing::get};
use tokio::net::TcpListener;

use crate::controller::Shared;

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
pub async fn serve(listener: TcpListener, ctx: Shared) {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(ctx);
    if axum::serve(listener, router).await.is_err() {
        tracing::error!("the admin endpoint ended");
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
