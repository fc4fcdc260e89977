//! Everything the sandbox knows, behind one lock.

mod steps;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::watch;

use crate::faults::Faults;
use crate::journal::{Change, Journal, Stored};
use crate::juicyway::Juicyway;
use crate::ledger::{Ledger, Secret};
use crate::provider::{Backstage, Name, Provider};
use crate::revolv3::Revolv3;
use crate::scripted::Scripted;
use crate::window::later;
use steps::Due;
pub use steps::Turn;

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
    /// Requests up to this number came before the last reset: they no longer take effect.
    reset_at: u64,
    due: Vec<Due>,
    journal: Option<Journal>,
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
    #[expect(clippy::disallowed_methods, reason = "the sandbox's own clock, which tests set forward")]
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
        self.reset_at = self.ledger.last();
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
