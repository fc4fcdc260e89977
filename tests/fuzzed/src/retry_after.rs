//! How long a provider asks us to wait.

use std::time::Duration;

use offboarding::providers::http::{LONGEST_WAIT, retry_after as wish_of};

use crate::{
    exchange::Exchange,
    stage::{is_a_pause, noon},
};

/// A wait is longer than nothing and at most an hour, whatever is asked for; whole seconds are understood as they stand.
///
/// # Panics
/// Where a promise is broken.
pub fn retry_after(input: &[u8]) {
    let Exchange { response, .. } = Exchange::of(input);
    let wish = wish_of(&response, noon());
    assert!(wish.is_none_or(is_a_pause), "a wait of {wish:?}");
    let header = response.headers.get("retry-after").map(|text| text.trim());
    let whole = header.filter(|text| text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit()));
    if let Some(seconds) = whole.and_then(|text| text.parse().ok()).filter(|seconds| *seconds > 0) {
        assert_eq!(wish, Some(Duration::from_secs(seconds).min(LONGEST_WAIT)), "whole seconds");
    }
    let asks = ["retry-after", "retry_after", "x-ratelimit-reset"];
    if response.json.is_none() && !asks.iter().any(|name| response.headers.contains_key(*name)) {
        assert_eq!(wish, None, "nobody asked for a wait");
    }
}
