//! The records of both targets, made by the production code and kept once. A state holds their numbers only.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use offboarding::{
    api::{Environment, Mode, OffboardingRecordSpec, RecordProvider, RecordRequest},
    domain::{Attempt, Cause, Class, Ending, Facts, Failure, Order, Outcome, OutcomeWord, Record, Sent},
    evidence::record::{self, Intent},
};

use super::state::{Answer, GENERATIONS, Rec};
use crate::shelf::{KEYS, attempt_id, credential, start};

pub const UID: &str = "uid-1";
pub const TARGET_NAMES: [&str; 2] = ["billing", "crm"];

/// What there is to know of a stored record without reading it again.
#[derive(Debug)]
pub struct Kept {
    spec: OffboardingRecordSpec,
    pub target: u8,
    pub facts: Facts,
    pub last_n: u8,
    pub closed: Option<Ending>,
    /// Approvals that a refused attempt stood on, as bits of [`uid_bit`].
    pub spent: u16,
}

impl Kept {
    pub fn record(&self) -> Option<&Record> {
        match &self.facts {
            Facts::Mine(record) => Some(record),
            _ => None,
        }
    }

    fn last(&self) -> Option<&Attempt> {
        self.record().and_then(Record::last)
    }

    /// Whether attempt `n` is the last one of an open record, and has no outcome.
    pub fn waits_for(&self, n: u8) -> bool {
        let waits = |last: &Attempt| last.n == i64::from(n) && last.outcome.is_none();
        self.closed.is_none() && self.last().is_some_and(waits)
    }

    /// Whether nothing that this says is taken back by the other, a later one.
    pub fn moves_forward_to(&self, later: &Kept) -> bool {
        if self.closed.is_some() {
            return later.closed == self.closed && later.last_n == self.last_n;
        }
        let (Some(before), Some(after)) = (self.record(), later.record()) else { return later.last_n > 0 };
        let level = |outcome: &Option<Outcome>| outcome.as_ref().map(Outcome::word);
        later.last_n >= self.last_n
            && before.attempts.iter().all(|attempt| {
                match after.attempts.iter().find(|same| same.n == attempt.n) {
                    Some(same) => same.id == attempt.id && level(&same.outcome) >= level(&attempt.outcome),
                    None => level(&attempt.outcome) == Some(OutcomeWord::NotSent), // folded
                }
            })
    }
}

#[derive(Default)]
struct Inside {
    kept: Vec<Arc<Kept>>,
    numbers: HashMap<String, Rec>,
    intents: HashMap<(Rec, u16), Rec>,
    outcomes: HashMap<(Rec, u8, Answer), Option<Rec>>,
    ends: HashMap<(Rec, u8, Ending), Rec>,
}

/// Makes records with the production code, each once.
#[derive(Default)]
pub struct Shelf(RwLock<Inside>);

/// An answer, as the production code names it.
pub fn outcome(answer: Answer) -> Outcome {
    match answer {
        Answer::NotSent => Outcome::NotSent(Failure::new(Class::Conflict, Cause::PlanChanged)),
        Answer::Unknown => Outcome::Unknown(Failure::new(Class::Transient, Cause::OutcomeUnknown)),
        Answer::Refused => Outcome::Rejected(Failure::new(Class::Conflict, Cause::DeletionConflict)),
        Answer::Accepted => Outcome::Accepted,
    }
}

impl Shelf {
    pub fn get(&self, rec: Rec) -> Option<Arc<Kept>> {
        let inside = self.0.read().unwrap_or_else(PoisonError::into_inner);
        inside.kept.get(usize::from(rec).checked_sub(1)?).cloned()
    }

    pub fn is_open(&self, rec: Rec) -> bool {
        self.get(rec).is_some_and(|kept| kept.closed.is_none())
    }

    pub fn last_n(&self, rec: Rec) -> u8 {
        self.get(rec).map_or(0, |kept| kept.last_n)
    }

    /// The record with the next intent: order `number` in full.
    pub fn intent(&self, rec: Rec, target: u8, number: u16, order: &Order) -> Rec {
        if let Some(made) = self.known(|inside| inside.intents.get(&(rec, number)).copied()) {
            return made;
        }
        let mut inside = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let stored = inside.spec(rec);
        let intent = Intent {
            request: request(target),
            provider: provider(target),
            account: "acct-eu".to_owned(),
            customer_ref: customer_ref(target),
            sealed_id: "v1:sealed".to_owned(),
            attempt_id: attempt_id(inside.last_n(rec) + 1),
            by: "a process".to_owned(),
            step: "delete".to_owned(),
            plan_hash: order.plan_hash.clone(),
            target_hash: order.target_hash.clone(),
            profile_hash: String::new(),
            fingerprint: order.fingerprint.0.clone(),
            credential: credential(0),
            approvals: order.approvals.clone(),
            waivers: order.waivers.clone(),
            at: start(),
        };
        let made = inside.put(target, record::with_intent(stored.as_ref(), &intent, &KEYS));
        inside.intents.insert((rec, number), made);
        made
    }

    /// The record with an outcome, where there is something to write.
    pub fn outcome(&self, rec: Rec, n: u8, answer: Answer) -> Option<Rec> {
        if let Some(made) = self.known(|inside| inside.outcomes.get(&(rec, n, answer)).copied()) {
            return made;
        }
        let mut inside = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let sent = Sent { outcome: outcome(answer), ..Sent::nothing(Class::Transient, Cause::NotSent) };
        let before = inside.kept.get(usize::from(rec).checked_sub(1)?).cloned()?;
        let spec = record::with_outcome(&before.spec, &attempt_id(n), &sent, start());
        let made = spec.map(|spec| inside.put(before.target, spec));
        inside.outcomes.insert((rec, n, answer), made);
        made
    }

    /// The record, closed; one without attempts where there is none.
    pub fn close(&self, rec: Rec, target: u8, ending: Ending) -> Rec {
        let key = (rec, target, ending);
        if let Some(made) = self.known(|inside| inside.ends.get(&key).copied()) {
            return made;
        }
        let mut inside = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let begun = inside.spec(rec).unwrap_or_else(|| {
            record::for_request(
                None,
                &request(target),
                &provider(target),
                "acct-eu",
                &customer_ref(target),
                &KEYS,
            )
        });
        let made = inside.put(target, record::closed(&begun, ending, &[], start()));
        inside.ends.insert(key, made);
        made
    }

    pub fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).kept.len()
    }

    fn known<T>(&self, find: impl FnOnce(&Inside) -> Option<T>) -> Option<T> {
        find(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The bit of an approval by its uid, `approval-<slot>-<generation>`.
fn uid_bit(uid: &str) -> u16 {
    let mut numbers = uid.rsplit('-').filter_map(|part| part.parse::<u8>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(generation), Some(slot)) => spent_bit(slot, generation),
        _ => 0,
    }
}

pub fn spent_bit(slot: u8, generation: u8) -> u16 {
    1 << (slot * GENERATIONS + generation)
}

pub fn customer_ref(target: u8) -> String {
    format!("hmac:customer-at-{target}")
}

fn request(target: u8) -> RecordRequest {
    RecordRequest {
        namespace: "team".to_owned(),
        name: "acme".to_owned(),
        uid: UID.to_owned(),
        target: TARGET_NAMES[usize::from(target)].to_owned(),
        mode: Mode::Hard,
    }
}

fn provider(target: u8) -> RecordProvider {
    RecordProvider {
        kind: "OffboardingProvider".to_owned(),
        namespace: "team".to_owned(),
        name: TARGET_NAMES[usize::from(target)].to_owned(),
        uid: format!("provider-{target}"),
        base_url: crate::shelf::base_url(false),
        environment: Environment::live,
    }
}

impl Inside {
    fn spec(&self, rec: Rec) -> Option<OffboardingRecordSpec> {
        Some(self.kept.get(usize::from(rec).checked_sub(1)?)?.spec.clone())
    }

    fn last_n(&self, rec: Rec) -> u8 {
        usize::from(rec).checked_sub(1).and_then(|at| self.kept.get(at)).map_or(0, |kept| kept.last_n)
    }

    /// Signs, reads back, and keeps it.
    fn put(&mut self, target: u8, spec: OffboardingRecordSpec) -> Rec {
        let name = TARGET_NAMES[usize::from(target)];
        let spec = record::signed(spec, name, &KEYS);
        if let Some(number) = self.numbers.get(&spec.mac) {
            return *number;
        }
        let facts = record::facts_of(Some((name, &spec)), UID, &KEYS);
        let last_n = spec.attempts.last().map_or(0, |last| u8::try_from(last.n).unwrap_or(u8::MAX));
        let closed = match &facts {
            Facts::Mine(Record { closed: Some(closed), .. }) => {
                Some(Ending { result: closed.result, because: closed.because })
            }
            _ => None,
        };
        let refused = spec
            .attempts
            .iter()
            .filter(|attempt| attempt.outcome.as_deref() == Some(OutcomeWord::Rejected.as_str()));
        let spent = refused
            .flat_map(|attempt| &attempt.approvals)
            .fold(0, |spent, approval| spent | uid_bit(&approval.uid));
        let number = Rec::try_from(self.kept.len() + 1).unwrap_or(Rec::MAX);
        self.numbers.insert(spec.mac.clone(), number);
        self.kept.push(Arc::new(Kept { spec, target, facts, last_n, closed, spent }));
        number
    }
}
