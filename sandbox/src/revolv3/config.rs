//! What is not known about Revolv3, as settings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Settings of the Revolv3 side; see README.md for the meaning of each.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    pub tokens: BTreeMap<String, String>,
    pub environment: String,
    pub after_delete: AfterDelete,
    pub list_inactive: bool,
    pub empty_list: u16,
    pub delete_status: u16,
    pub content_type: String,
    pub cancels_subscriptions: bool,
    pub rate_limit: RateLimit,
}

/// What a read of an inactive customer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterDelete {
    NotFound,
    Unchanged,
    Flagged,
}

/// Requests per token in both windows; 0 is no limit.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RateLimit {
    pub per_second: u64,
    pub per15m: u64,
    pub retry_after: bool,
}

impl Default for Config {
    fn default() -> Self {
        let tokens = [("rv3_sandbox", "sandbox"), ("rv3_live", "live")];
        Config {
            tokens: tokens.map(|(token, environment)| (token.to_owned(), environment.to_owned())).into(),
            environment: "sandbox".to_owned(),
            after_delete: AfterDelete::NotFound,
            list_inactive: false,
            empty_list: 204,
            delete_status: 200,
            content_type: "text/plain; charset=utf-8".to_owned(),
            cancels_subscriptions: false,
            rate_limit: RateLimit::default(),
        }
    }
}

impl Config {
    /// The values that only two answers can have are checked here, once.
    pub fn checked(self) -> Result<Config, String> {
        match (self.empty_list, self.delete_status) {
            (200 | 204, 200 | 204) => Ok(self),
            _ => Err("emptyList and deleteStatus are 200 or 204".to_owned()),
        }
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        RateLimit { per_second: 20, per15m: 20_000, retry_after: false }
    }
}
