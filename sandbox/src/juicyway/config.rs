//! What is not known about Juicyway, as settings.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// Settings of the Juicyway side; see README.md for the meaning of each.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    pub prefix: Prefix,
    pub auth_scheme: AuthScheme,
    pub keys: BTreeMap<String, String>,
    pub environment: String,
    pub wallets: bool,
    #[serde(rename = "envelope404")]
    pub envelope_404: Page,
    #[serde(rename = "wrongRoute404")]
    pub wrong_route_404: WrongRoute,
    pub conflict_on: Vec<Dependency>,
    pub visibility_lag: SignedDuration,
    pub create_lag: SignedDuration,
    pub rate_limit: RateLimit,
    pub payment_customer_id: bool,
}

/// The path prefix of all routes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Prefix {
    #[serde(rename = "")]
    None,
    #[serde(rename = "/v1")]
    V1,
}

impl Prefix {
    /// As it stands in a path.
    pub fn as_str(self) -> &'static str {
        match self {
            Prefix::None => "",
            Prefix::V1 => "/v1",
        }
    }
}

/// How the key is shown in `Authorization`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AuthScheme {
    Raw,
    Bearer,
}

/// The body of a 404 for a missing customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Page {
    Json,
    Empty,
    Html,
}

/// The body of a 404 for a path that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WrongRoute {
    Json,
    Html,
}

/// What makes a delete a 409.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Dependency {
    PendingPayment,
    Subscription,
    WalletBalance,
}

/// Requests per key and window.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RateLimit {
    pub limit: u64,
    pub window: SignedDuration,
    pub headers: bool,
}

impl Default for Config {
    fn default() -> Self {
        let keys = [("test_ok", "sandbox"), ("live_ok", "live")];
        Config {
            prefix: Prefix::None,
            auth_scheme: AuthScheme::Raw,
            keys: keys.map(|(key, environment)| (key.to_owned(), environment.to_owned())).into(),
            environment: "sandbox".to_owned(),
            wallets: true,
            envelope_404: Page::Json,
            wrong_route_404: WrongRoute::Json,
            conflict_on: Vec::new(),
            visibility_lag: SignedDuration::ZERO,
            create_lag: SignedDuration::ZERO,
            rate_limit: RateLimit::default(),
            payment_customer_id: false,
        }
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        RateLimit { limit: 1000, window: SignedDuration::from_hours(1), headers: true }
    }
}
