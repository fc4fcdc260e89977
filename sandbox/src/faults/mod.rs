//! Which fault hits which connection or request.

mod kind;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::glob;
use crate::http::Request;
use crate::provider::{Name, Reading};

pub use kind::{Effect, Encoding, Envelope, How, JsonVariant, Kind, Moment, Place, RateVariant};
use kind::{Reach, Scope};

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
