//! Which fault hits which connection or request, and what each kind means.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::glob;
use crate::http::Request;
use crate::provider::{Name, Reading};
use crate::tls::Flaw;

/// One line of the list that `PUT /admin/faults` sets.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    #[serde(rename = "match", default)]
    wanted: Wanted,
    /// So many matches are let pass first.
    #[serde(default)]
    skip: u64,
    /// So many are hit after that; 0 is all.
    #[serde(default = "once")]
    times: u64,
    #[serde(rename = "do")]
    kind: Kind,
}

fn once() -> u64 {
    1
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Wanted {
    provider: Option<Name>,
    method: Option<String>,
    path: Option<String>,
    customer: Option<String>,
}

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

    fn strikes_connections(&self) -> bool {
        matches!(self, Kind::Tls { .. } | Kind::Cut { at: Place::Accept, .. })
    }

    fn reach(&self) -> Reach {
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

/// The faults in force, in order, with what has become of each.
#[derive(Debug, Default)]
pub struct Faults {
    list: Vec<Armed>,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    seen: u64,
    hits: u64,
    /// Set by the first hit of a lie that goes on.
    stuck: Option<Stuck>,
}

#[derive(Debug, PartialEq, Eq)]
struct Stuck {
    provider: Name,
    /// `None`: all of that provider.
    customer: Option<String>,
}

impl Faults {
    /// Puts a new list in force; nothing has been hit yet.
    pub fn replace(&mut self, list: Vec<Fault>) -> Result<(), String> {
        for fault in &list {
            fault.check()?;
        }
        self.list = list.into_iter().map(|fault| Armed { fault, seen: 0, hits: 0, stuck: None }).collect();
        Ok(())
    }

    /// The list with `seen` and `hits`.
    pub fn report(&self) -> Value {
        let row = |(index, armed): (usize, &Armed)| {
            let mut row = json!(armed.fault);
            row["index"] = json!(index);
            row["seen"] = json!(armed.seen);
            row["hits"] = json!(armed.hits);
            row
        };
        self.list.iter().enumerate().map(row).collect()
    }

    /// The fault that strikes a new connection, before any byte of it is read.
    pub fn strike_connection(&mut self, provider: Name) -> Option<Kind> {
        let of = |wanted: &Wanted| wanted.provider.is_none_or(|wanted| wanted == provider);
        let mut candidates = self.list.iter_mut().filter(|armed| armed.fault.kind.strikes_connections());
        let hit =
            candidates.find_map(|armed| (of(&armed.fault.wanted) && armed.counts()).then_some(armed))?;
        Some(hit.fault.kind.clone())
    }

    /// The fault that strikes a request.
    pub fn strike_request(&mut self, provider: Name, request: &Request, reading: &Reading) -> Option<Kind> {
        let customer = reading.customer.as_deref();
        let mut candidates = self.list.iter_mut().filter(|armed| !armed.fault.kind.strikes_connections());
        let hit = candidates.find_map(|armed| {
            let struck = armed.goes_on(provider, customer)
                || (armed.fault.fits(provider, request, customer) && armed.counts());
            struck.then_some(armed)
        })?;
        hit.stick(provider, customer);
        Some(hit.fault.kind.clone())
    }
}

impl Armed {
    /// Counts a match; `true` if it is one that is hit.
    fn counts(&mut self) -> bool {
        self.seen += 1;
        let hit = self.seen > self.fault.skip && (self.fault.times == 0 || self.hits < self.fault.times);
        self.hits += u64::from(hit);
        hit
    }

    fn goes_on(&mut self, provider: Name, customer: Option<&str>) -> bool {
        let struck = self.stuck.as_ref().is_some_and(|stuck| {
            stuck.provider == provider && (stuck.customer.is_none() || stuck.customer.as_deref() == customer)
        });
        self.seen += u64::from(struck);
        self.hits += u64::from(struck);
        struck
    }

    fn stick(&mut self, provider: Name, customer: Option<&str>) {
        let customer = customer.map(str::to_owned);
        self.stuck = match self.fault.kind {
            Kind::Lie404 { scope: Scope::Customer, .. } if customer.is_some() => {
                Some(Stuck { provider, customer })
            }
            Kind::Lie404 { scope: Scope::All, .. } => Some(Stuck { provider, customer: None }),
            _ => return,
        };
    }
}

impl Fault {
    fn fits(&self, provider: Name, request: &Request, customer: Option<&str>) -> bool {
        let Wanted { provider: of, method, path, customer: whom } = &self.wanted;
        let reaches = match self.kind.reach() {
            Reach::Reads => request.method == "GET",
            Reach::Steps => request.method != "GET",
            Reach::Both => true,
        };
        reaches
            && of.is_none_or(|wanted| wanted == provider)
            && method.as_ref().is_none_or(|wanted| request.method.as_str().eq_ignore_ascii_case(wanted))
            && path.as_ref().is_none_or(|pattern| glob::fit(pattern, &request.path).is_some())
            && whom.as_ref().is_none_or(|wanted| customer == Some(wanted))
    }

    /// Refuses what could never work as written.
    fn check(&self) -> Result<(), String> {
        let Wanted { provider: _, method, path, customer } = &self.wanted;
        if self.kind.strikes_connections() && (method.is_some() || path.is_some() || customer.is_some()) {
            return Err(format!(
                "{} strikes before a request is read: match by provider only",
                self.kind.name()
            ));
        }
        let status = match &self.kind {
            Kind::Status { status, .. } | Kind::Redirect { status, .. } | Kind::Html { status, .. } => {
                *status
            }
            _ => 200,
        };
        let redirects_to_nowhere = matches!(&self.kind, Kind::Redirect { to, .. } if Name::parse(to).is_none() && !to.contains("://"));
        let is_idle =
            matches!(self.kind, Kind::Slow { bytes_per_second: None | Some(0), header_delay: None });
        match (status, redirects_to_nowhere, is_idle) {
            (200..=599, false, false) => Ok(()),
            (_, true, _) => Err("redirect: `to` is a listener or an absolute URL".to_owned()),
            (_, _, true) => Err("slow: bytesPerSecond above 0 or headerDelay is needed".to_owned()),
            _ => Err("a status is 200 to 599".to_owned()),
        }
    }
}
