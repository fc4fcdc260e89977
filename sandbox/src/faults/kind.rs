//! The kinds of fault, and what each does to the effect of a request.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::tls::Flaw;

/// What goes wrong. README.md has an example of each.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Kind {
    Latency {
        ms: u64,
        #[serde(default)]
        at: Moment,
    },
    Cut {
        at: Place,
        #[serde(default)]
        how: How,
    },
    Slow {
        bytes_per_second: Option<u64>,
        #[serde(default)]
        header_delay: Option<SignedDuration>,
    },
    Tls {
        variant: Flaw,
    },
    Status {
        status: u16,
        #[serde(default)]
        apply: bool,
        body: Option<Value>,
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    Unauthorized {
        #[serde(default)]
        on: Reach,
    },
    Forbidden {
        #[serde(default)]
        on: Reach,
    },
    Pending {
        #[serde(default)]
        apply_after: Option<SignedDuration>,
        body: Option<Value>,
    },
    Noop {},
    Redirect {
        status: u16,
        to: String,
        #[serde(default)]
        apply: bool,
    },
    RateLimit {
        variant: RateVariant,
        #[serde(default = "half_a_minute")]
        seconds: i64,
        #[serde(default)]
        apply: bool,
    },
    HugeBody {
        #[serde(default = "many")]
        bytes: u64,
        #[serde(default)]
        encoding: Encoding,
        #[serde(default = "yes")]
        apply: bool,
    },
    ContentType {
        value: String,
    },
    Headers {
        set: BTreeMap<String, Option<String>>,
    },
    Json {
        variant: JsonVariant,
        #[serde(default = "deep")]
        depth: usize,
    },
    Html {
        #[serde(default = "login")]
        status: u16,
        #[serde(default)]
        apply: bool,
    },
    Lie404 {
        #[serde(default)]
        scope: Scope,
        #[serde(default)]
        envelope: Envelope,
    },
    Stale {
        seconds: i64,
    },
    Raw {
        text: String,
        #[serde(default)]
        apply: bool,
    },
}

/// A moment in the life of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Moment {
    #[default]
    BeforeApply,
    AfterApply,
}

/// Where a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    Accept,
    BeforeApply,
    AfterApply,
    MidHeaders,
    MidBody,
}

/// How a connection is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum How {
    #[default]
    Rst,
    Fin,
}

/// Reads are GETs, steps is everything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reach {
    Reads,
    Steps,
    #[default]
    Both,
}

/// In which words a 429 says how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RateVariant {
    RetryAfter,
    HttpDate,
    #[serde(rename = "retry_after")]
    Underscore,
    Reset,
    ResetDelta,
    Body,
    Bare,
    Huge,
    Negative,
    Garbage,
}

/// How a huge body is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Encoding {
    #[default]
    Identity,
    Gzip,
    ChunkedEndless,
}

/// How a JSON body is spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JsonVariant {
    Truncated,
    Nan,
    BadUtf8,
    Utf16,
    Deep,
    DuplicateId,
    Bom,
    OtherId,
    WrongType,
}

/// How far a lie goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// The requests it hits, no others.
    #[default]
    Once,
    /// From the first hit on, every request for the same customer.
    Customer,
    /// From the first hit on, every request to the same provider.
    All,
}

/// The body of a lying 404.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Envelope {
    #[default]
    Own,
    Html,
    Empty,
}

fn half_a_minute() -> i64 {
    30
}
fn many() -> u64 {
    64 << 20
}
fn yes() -> bool {
    true
}
fn deep() -> usize {
    10_000
}
fn login() -> u16 {
    200
}

/// What becomes of the effect of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It happens, and a read sees the state of so long ago.
    Apply { staleness: SignedDuration },
    /// It does not happen, though the answer says so.
    Pretend,
    /// It does not happen.
    Withhold,
    /// It happens later, or never.
    Later(Option<SignedDuration>),
}

impl Effect {
    /// The usual one.
    pub const HONEST: Effect = Effect::Apply { staleness: SignedDuration::ZERO };
}

impl Kind {
    /// As the ledger names it.
    pub fn name(&self) -> String {
        json!(self)["kind"].as_str().unwrap_or_default().to_owned()
    }

    /// It strikes before any byte of a request is read.
    pub fn strikes_connections(&self) -> bool {
        matches!(self, Kind::Tls { .. } | Kind::Cut { at: Place::Accept, .. })
    }

    /// Which requests it can hit besides what its match says.
    pub fn reach(&self) -> Reach {
        match self {
            Kind::Unauthorized { on } | Kind::Forbidden { on } => *on,
            _ => Reach::Both,
        }
    }

    /// What becomes of the effect of the request it hits.
    pub fn effect(&self) -> Effect {
        match self {
            Kind::Latency { .. } | Kind::Slow { .. } | Kind::Tls { .. } => Effect::HONEST,
            Kind::ContentType { .. } | Kind::Headers { .. } | Kind::Json { .. } => Effect::HONEST,
            Kind::Cut { at: Place::Accept | Place::BeforeApply, .. } => Effect::Withhold,
            Kind::Cut { at: Place::AfterApply | Place::MidHeaders | Place::MidBody, .. } => Effect::HONEST,
            Kind::Status { apply, .. } | Kind::Redirect { apply, .. } | Kind::RateLimit { apply, .. } => {
                applied(*apply)
            }
            Kind::HugeBody { apply, .. } | Kind::Html { apply, .. } | Kind::Raw { apply, .. } => {
                applied(*apply)
            }
            Kind::Unauthorized { .. } | Kind::Forbidden { .. } | Kind::Lie404 { .. } => Effect::Withhold,
            Kind::Pending { apply_after, .. } => Effect::Later(*apply_after),
            Kind::Noop {} => Effect::Pretend,
            Kind::Stale { seconds } => Effect::Apply { staleness: SignedDuration::from_secs(*seconds) },
        }
    }
}

fn applied(apply: bool) -> Effect {
    if apply { Effect::HONEST } else { Effect::Withhold }
}
