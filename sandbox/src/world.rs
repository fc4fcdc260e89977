//! Everything the sandbox knows, behind one lock, and the steps of an exchange that touch it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::watch;

use crate::distort::{Scene, distort, keeps_standing_headers};
use crate::faults::{Effect, Faults, Kind};
use crate::http::{Answer, Request};
use crate::journal::{Change, Journal, Stored};
use crate::juicyway::Juicyway;
use crate::ledger::{Ledger, Origin, Secret, request_id};
use crate::provider::{Backstage, Name, Provider};
use crate::revolv3::Revolv3;
use crate::scripted::Scripted;
use crate::window::later;

/// What all tasks share.
#[derive(Debug, Default)]
pub struct Shared {
    world: Mutex<World>,
    connections: AtomicU64,
    /// Connections that wait for a request close when this changes.
    pub hang_up: watch::Sender<u64>,
}

impl Shared {
    /// Shares a world.
    pub fn new(world: World) -> Shared {
        Shared { world: Mutex::new(world), ..Shared::default() }
    }

    /// The world as of now: effects that are due have happened. A panic elsewhere does not take the ledger away.
    pub fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.settle();
        world
    }

    /// A number for a new connection.
    pub fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// The state of the sandbox.
#[derive(Debug, Default)]
pub struct World {
    pub juicyway: Juicyway,
    pub revolv3: Revolv3,
    pub scripted: Scripted,
    pub faults: Faults,
    pub ledger: Ledger,
    /// Base URL of each listener.
    pub addresses: BTreeMap<Name, String>,
    /// Settings after a reset.
    initial: BTreeMap<Name, Value>,
    offset: SignedDuration,
    due: Vec<Due>,
    journal: Option<Journal>,
}

/// An accepted request that takes effect later.
#[derive(Debug)]
struct Due {
    at: Timestamp,
    provider: Name,
    seq: u64,
    request: Request,
}

/// A request in the ledger, and what comes next.
pub struct Arrival {
    pub seq: u64,
    pub turn: Turn,
}

/// What comes next for a request.
pub enum Turn {
    /// Refused before anything could happen.
    Refused(Answer),
    /// To be performed, perhaps under a fault.
    Admitted(Option<Kind>),
}

impl World {
    /// A world with these settings, and with what the state file holds.
    pub fn open(settings: [(Name, Value); 2], state: Option<&Path>) -> Result<World, String> {
        let mut world = World::default();
        for (name, changes) in settings {
            world.configure(name, &changes)?;
        }
        world.initial = [Name::Juicyway, Name::Revolv3].map(|name| (name, world.config(name))).into();
        if let Some(path) = state {
            let (journal, changes) =
                Journal::open(path).map_err(|why| format!("{}: {why}", path.display()))?;
            changes.into_iter().try_for_each(|change| world.replay(change))?;
            world.journal = Some(journal);
        }
        Ok(world)
    }

    fn replay(&mut self, Change { entry, customer, clock, cleared }: Change) -> Result<(), String> {
        if cleared {
            self.ledger.clear();
        }
        if let Some(entry) = entry {
            self.ledger.restore(entry);
        }
        if let Some(offset) = clock {
            self.offset = offset;
        }
        customer.map_or(Ok(()), |Stored { provider, customer, record }| {
            self.provider_mut(provider).restore(&customer, record)
        })
    }

    /// The time of the sandbox: real time and the offset.
    pub fn now(&self) -> Timestamp {
        later(Timestamp::now(), self.offset)
    }

    /// Moves the clock.
    pub fn advance(&mut self, by: SignedDuration) {
        self.offset = self.offset.saturating_add(by);
        self.write(Change { clock: Some(self.offset), ..Change::default() });
        self.settle();
    }

    fn provider(&self, name: Name) -> &dyn Provider {
        match name {
            Name::Juicyway => &self.juicyway,
            Name::Revolv3 => &self.revolv3,
            Name::Scripted => &self.scripted,
        }
    }

    fn provider_mut(&mut self, name: Name) -> &mut dyn Provider {
        match name {
            Name::Juicyway => &mut self.juicyway,
            Name::Revolv3 => &mut self.revolv3,
            Name::Scripted => &mut self.scripted,
        }
    }

    /// The side of a provider that only the admin listener sees; the scripted one has none.
    pub fn backstage(&mut self, name: Name) -> Option<&mut dyn Backstage> {
        match name {
            Name::Juicyway => Some(&mut self.juicyway),
            Name::Revolv3 => Some(&mut self.revolv3),
            Name::Scripted => None,
        }
    }

    /// The settings of a provider.
    pub fn config(&mut self, name: Name) -> Value {
        self.backstage(name).map_or(Value::Null, |backstage| backstage.config())
    }

    /// Changes the settings that a JSON merge patch names.
    pub fn configure(&mut self, name: Name, changes: &Value) -> Result<(), String> {
        let mut config = self.config(name);
        merge(&mut config, changes);
        self.backstage(name).map_or(Ok(()), |backstage| backstage.configure(config))
    }

    /// Back to the start: no customers, faults, script, ledger or offset; settings as at the start.
    pub fn reset(&mut self) {
        let customers: Vec<(Name, String)> = [Name::Juicyway, Name::Revolv3]
            .into_iter()
            .flat_map(|name| {
                self.backstage(name)
                    .map(|backstage| backstage.customers())
                    .unwrap_or_default()
                    .into_iter()
                    .map(move |id| (name, id))
            })
            .collect();
        self.juicyway = Juicyway::default();
        self.revolv3 = Revolv3::default();
        self.scripted = Scripted::default();
        self.faults = Faults::default();
        self.due.clear();
        self.offset = SignedDuration::ZERO;
        for (name, config) in self.initial.clone() {
            let restored = self.backstage(name).map_or(Ok(()), |backstage| backstage.configure(config));
            debug_assert!(restored.is_ok());
        }
        for (name, customer) in customers {
            self.keep(name, &customer, None);
        }
        self.clear_ledger();
        self.write(Change { clock: Some(self.offset), ..Change::default() });
    }

    /// Forgets all entries.
    pub fn clear_ledger(&mut self) {
        self.ledger.clear();
        self.write(Change { cleared: true, ..Change::default() });
    }

    /// First step of an exchange: into the ledger, then route, credential, rate limit, fault.
    pub fn arrive(&mut self, provider: Name, connection: u64, request: &Request) -> Arrival {
        let origin = Origin { provider, connection, received: self.now() };
        let reading = self.provider(provider).read(request);
        let incarnation = self.incarnation(provider, reading.customer.as_deref());
        let secrets = self.secrets();
        let seq = self.ledger.append(&origin, request, reading.clone(), incarnation, &secrets);
        self.write_entry(seq);
        if let Err(refusal) = self.provider_mut(provider).admit(request, origin.received) {
            return Arrival { seq, turn: Turn::Refused(self.dressed(provider, seq, request, refusal, None)) };
        }
        let fault = self.faults.strike_request(provider, request, &reading);
        self.ledger.update(seq, |entry| entry.fault = fault.as_ref().map(Kind::name));
        Arrival { seq, turn: Turn::Admitted(fault) }
    }

    /// Second step: the request takes effect, or not, and its answer is made.
    pub fn act(&mut self, provider: Name, seq: u64, request: &Request, fault: Option<&Kind>) -> Answer {
        let now = self.now();
        let honest = match fault.map_or(Effect::HONEST, Kind::effect) {
            Effect::Apply { staleness } => self.apply(provider, seq, request, staleness),
            Effect::Pretend => self.provider(provider).rehearse(request, now),
            Effect::Withhold => Answer::empty(200),
            Effect::Later(after) => {
                let at = after.map(|after| later(now, after));
                self.due.extend(at.map(|at| Due { at, provider, seq, request: request.clone() }));
                Answer::empty(202)
            }
        };
        let answer = match fault {
            None => honest,
            Some(kind) => {
                let scene =
                    Scene { provider: self.provider(provider), now, location: self.location(kind, request) };
                distort(kind, honest, &scene)
            }
        };
        self.dressed(provider, seq, request, answer, fault)
    }

    fn apply(&mut self, provider: Name, seq: u64, request: &Request, staleness: SignedDuration) -> Answer {
        let now = self.now();
        let performed = self.provider_mut(provider).perform(request, now, staleness);
        if let Some(customer) = performed.changed {
            let incarnation = self.incarnation(provider, Some(&customer));
            self.ledger.update(seq, |entry| {
                entry.applied = true;
                entry.applied_at = Some(now);
                entry.incarnation_after = incarnation;
            });
            self.keep(provider, &customer, Some(seq));
        }
        performed.answer
    }

    /// Carries out what was accepted earlier and is due now.
    fn settle(&mut self) {
        if self.due.is_empty() {
            return;
        }
        let now = self.now();
        let (due, pending) = std::mem::take(&mut self.due).into_iter().partition(|due| due.at <= now);
        self.due = pending;
        for Due { provider, seq, request, .. } in due {
            self.apply(provider, seq, &request, SignedDuration::ZERO);
        }
    }

    /// Puts on what every answer of that provider wears, and notes the status.
    fn dressed(
        &mut self,
        provider: Name,
        seq: u64,
        request: &Request,
        answer: Answer,
        fault: Option<&Kind>,
    ) -> Answer {
        let now = self.now();
        let standing = fault
            .is_none_or(keeps_standing_headers)
            .then(|| self.provider(provider).standing_headers(request, now));
        let answer = standing
            .into_iter()
            .flatten()
            .fold(answer, |answer, (name, value)| answer.or_with(&name, &value));
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap_or_default();
        answer.or_with("Date", &date).or_with("X-Request-Id", &request_id(seq))
    }

    fn location(&self, kind: &Kind, request: &Request) -> Option<String> {
        let Kind::Redirect { to, .. } = kind else { return None };
        let Some(base) = Name::parse(to).and_then(|name| self.addresses.get(&name)) else {
            return Some(to.clone());
        };
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        Some(format!("{base}{}{query}", request.path))
    }

    /// The first byte of an answer is about to leave.
    pub fn answering(&mut self, seq: u64, status: Option<u16>) {
        self.ledger.update(seq, |entry| entry.status = status);
    }

    /// Last step: the exchange is over; `finished` if the whole answer has left.
    pub fn end(&mut self, seq: u64, bytes_sent: u64, finished: bool) {
        let now = self.now();
        self.ledger.update(seq, |entry| entry.bytes_sent = bytes_sent);
        self.ledger.end(seq, now, finished);
        self.write_entry(seq);
    }

    /// The client went away in the middle of the answer, perhaps after the last byte was already counted.
    pub fn lost(&mut self, seq: u64, bytes_sent: u64) {
        let counted =
            self.ledger.update(seq, |entry| entry.finished = None).is_some_and(|entry| entry.ended.is_some());
        if counted {
            self.ledger.update(seq, |entry| entry.bytes_sent = bytes_sent);
            self.write_entry(seq);
        } else {
            self.end(seq, bytes_sent, false);
        }
    }

    fn write_entry(&mut self, seq: u64) {
        if self.journal.is_none() {
            return;
        }
        let entry = self.ledger.entry(seq).cloned();
        self.write(Change { entry, ..Change::default() });
    }

    /// Writes a customer to the state file as it stands, with the entry of the request that changed it.
    pub fn keep(&mut self, provider: Name, customer: &str, seq: Option<u64>) {
        if self.journal.is_none() {
            return;
        }
        let record = self.provider(provider).stored(customer);
        let entry = seq.and_then(|seq| self.ledger.entry(seq)).cloned();
        let customer = Some(Stored { provider, customer: customer.to_owned(), record });
        self.write(Change { entry, customer, ..Change::default() });
    }

    /// A state file that cannot be written makes the oracle worthless: the process ends.
    fn write(&mut self, change: Change) {
        if let Some(Err(why)) = self.journal.as_mut().map(|journal| journal.write(&change)) {
            eprintln!("sandbox: the state file cannot be written: {why}");
            std::process::exit(74);
        }
    }

    fn incarnation(&self, provider: Name, customer: Option<&str>) -> Option<u64> {
        self.provider(provider).incarnation(customer?)
    }

    /// All known credentials, longest first: one may be part of another.
    fn secrets(&self) -> Vec<Secret> {
        let of = |name: Name| {
            let provider = self.provider(name);
            let header = provider.credential_header();
            provider.secrets().into_iter().map(move |value| Secret { value, provider: name, header })
        };
        let mut secrets: Vec<Secret> =
            Name::ALL.into_iter().flat_map(of).filter(|secret| !secret.value.is_empty()).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.value.len()));
        secrets
    }
}

/// JSON merge patch (RFC 7386).
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Some(target) = target.as_object_mut() else { return };
    for (name, change) in changes {
        match change {
            Value::Null => drop(target.remove(name)),
            change => merge(target.entry(name.clone()).or_insert(Value::Null), change),
        }
    }
}
