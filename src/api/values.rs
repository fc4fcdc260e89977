//! Small values that several kinds share: spans of time, moments, names of Secret keys.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::rules;

/// A length of time as users write it: one to four numbers with `ms`, `s`, `m` or `h`, as in `15m` or `1h30m`.
///
/// Own code, because kube's duration panics on some texts that a user can store. In a schema each field says in a rule
/// how short and how long it may be (`rules::between`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

/// What the schema, the parser and the documents agree on: at most 45 years, so that nobody's arithmetic overflows.
pub const SPAN_PATTERN: &str = "^([0-9]{1,6}(ms|s|m)|[0-9]{1,5}h){1,4}$";

/// A text that is no length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a length of time such as 30s, 15m or 1h30m")]
pub struct NotASpan;

impl Span {
    /// A span of whole seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        let mut rest = text;
        let mut total = Duration::ZERO;
        for part in 0.. {
            if rest.is_empty() && part > 0 {
                break;
            }
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(NotASpan)?;
            if part == 4 || !(1..=6).contains(&digits) {
                return Err(NotASpan);
            }
            let number: u64 = rest[..digits].parse().map_err(|_| NotASpan)?;
            rest = &rest[digits..];
            let (unit, millis, most_digits) =
                [("ms", 1, 6), ("s", 1_000, 6), ("m", 60_000, 6), ("h", 3_600_000, 5)]
                    .into_iter()
                    .find(|(unit, ..)| rest.starts_with(unit))
                    .ok_or(NotASpan)?;
            if digits > most_digits {
                return Err(NotASpan);
            }
            rest = &rest[unit.len()..];
            total += Duration::from_millis(number * millis);
        }
        Ok(Self(total))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis == 0 {
            return f.write_str("0s");
        }
        for (unit, size, next) in
            [("h", 3_600_000, u128::MAX), ("m", 60_000, 60), ("s", 1_000, 60), ("ms", 1, 1_000)]
        {
            let count = if next == u128::MAX { millis / size } else { millis / size % next };
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": 36 })
    }
}

/// The schema of a moment: RFC 3339 in UTC. The Rust type is `jiff::Timestamp`.
pub struct Moment;

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// The schema of a word that the operator wrote: a newer one may know more words than this schema.
pub struct Word;

impl JsonSchema for Word {
    fn schema_name() -> Cow<'static, str> {
        "Word".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": 32 })
    }
}

/// One key of a Secret; where the Secret lies is said by the field that holds this.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::object_name("name"))]
#[x_kube(validation = rules::text("key", "^[-._a-zA-Z0-9]+$", "must be a key of a Secret: letters, digits, `-`, `_` and `.`"))]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct SecretKeyRef {
    /// Name of the Secret, for example `revolv3-credentials`.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Key within the Secret's data, for example `token` or `id`.
    #[schemars(length(max = 253))]
    pub key: String,
}

/// Where a value comes from that must not stand in an object: a Secret in the same namespace.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "camelCase")]
pub struct FromSecret {
    /// The Secret, in the same namespace, and the key in it.
    pub secret_key_ref: SecretKeyRef,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_as_users_write_it_and_never_panics() {
        for (text, millis) in [
            ("0s", Some(0)),
            ("10s", Some(10_000)),
            ("1h30m", Some(5_400_000)),
            ("250ms", Some(250)),
            ("168h", Some(604_800_000)),
            ("604800s", Some(604_800_000)),
            ("99999h", Some(359_996_400_000)),
            ("100000h", None),
            ("", None),
            ("-", None),
            ("-1h", None),
            ("1h-5m", None),
            ("5", None),
            ("1d", None),
            ("99999999999999999999h", None),
            ("1s1s1s1s1s", None),
            ("1é", None),
        ] {
            let parsed = text.parse::<Span>().ok().map(|span| span.0.as_millis());
            assert_eq!(parsed, millis, "{text:?}");
        }
    }

    #[test]
    fn a_span_prints_as_it_is_written() {
        for text in ["0s", "10s", "1h30m", "250ms", "168h", "1m1s"] {
            assert_eq!(text.parse::<Span>().map(|span| span.to_string()), Ok(text.to_owned()));
        }
    }
}
