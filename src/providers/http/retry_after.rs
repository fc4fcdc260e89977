//! How long a provider asks us to wait, in every spelling that is known.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::date::read_date;
use crate::providers::Response;

/// No provider makes us wait longer than this; a longer wish counts as an hour.
pub const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// The provider's wish, the first that parses: `Retry-After` (seconds or a date), header `retry_after`, `retry_after` in the
/// body (top level, under `error`, under `error.details`), `X-RateLimit-Reset` (epoch milliseconds from 10^12, epoch seconds
/// from 10^9, else seconds from now).
///
/// Units: more than zero, at most an hour. Zero, negative, past and unreadable wishes count as absent. Source: providers.md 5.5 c;
/// RFC 9110 section 10.2.3; Juicyway's documents for `retry_after`.
#[must_use]
pub fn retry_after(response: &Response, now: Timestamp) -> Option<Duration> {
    let header = |name: &str| response.headers.get(name).map(|value| value.trim());
    let wishes = [
        header("retry-after").and_then(|text| seconds(text).or_else(|| until(read_date(text)?, now))),
        header("retry_after").and_then(seconds),
        response.json.as_ref().and_then(in_body),
        header("x-ratelimit-reset").and_then(|text| reset(number(text)?, now)),
    ];
    wishes.into_iter().flatten().next()
}

/// Seconds, whole or not, in a text.
fn seconds(text: &str) -> Option<Duration> {
    wait(number(text)?)
}

/// Digits and at most one point: no sign, no exponent, no hexadecimal, no `inf`.
fn number(text: &str) -> Option<f64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| digits)
}

/// A number of seconds as a wait.
fn wait(seconds: f64) -> Option<Duration> {
    // A millisecond is the least that is worth a wait; NaN fails both comparisons.
    (seconds >= 0.001).then(|| Duration::from_secs_f64(seconds.min(LONGEST_WAIT.as_secs_f64())))
}

fn until(then: Timestamp, now: Timestamp) -> Option<Duration> {
    let left: SignedDuration = then.duration_since(now);
    wait(left.as_secs_f64())
}

fn in_body(body: &Value) -> Option<Duration> {
    ["/retry_after", "/error/retry_after", "/error/details/retry_after"]
        .into_iter()
        .filter_map(|pointer| body.pointer(pointer))
        .find_map(|wish| match wish {
            Value::Number(number) => wait(number.as_f64()?),
            Value::String(text) => seconds(text.trim()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        })
}

fn reset(value: f64, now: Timestamp) -> Option<Duration> {
    let epoch = now.as_millisecond() as f64 / 1000.0;
    if value >= 1e12 {
        wait(value / 1000.0 - epoch)
    } else if value >= 1e9 {
        wait(value - epoch)
    } else {
        wait(value)
    }
}

#[cfg(test)]
#[path = "retry_after_tests.rs"]
mod tests;
