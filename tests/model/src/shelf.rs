//! Every record that was ever stored, made by the production code and kept once. A state holds its number only.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

use jiff::Timestamp;
use offboarding::{
    api::{Environment, Mode, OffboardingRecordSpec, RecordProvider, RecordRequest},
    domain::{Cause, Class, Ending, Facts, Failure, Outcome, Record, Sent},
    evidence::{
        Keys,
        record::{self, Intent},
    },
};

use super::state::{Answer, Order, Rec, Refusal};

const NAME: &str = "r-1";

pub const PROFILE_HASH: &str = "sha256:profile";

pub static KEYS: LazyLock<Keys> = LazyLock::new(|| match Keys::new(&[1; offboarding::evidence::KEY_BYTES]) {
    Ok(keys) => keys,
    Err(error) => panic!("{error}"),
});

/// What there is to know of a stored record without reading it again.
#[derive(Clone, Debug)]
pub struct Kept {
    spec: OffboardingRecordSpec,
    /// What it says to each request.
    facts: [Facts; 2],
    /// The request that it is about.
    pub owner: u8,
    /// Number of the last attempt on this customer, whoever made it.
    pub last_n: u8,
    pub closed: Option<Ending>,
}

impl Kept {
    /// The record, as its own request reads it.
    pub fn record(&self) -> Option<&Record> {
        match &self.facts[usize::from(self.owner) - 1] {
            Facts::Mine(record) => Some(record),
            _ => None,
        }
    }

    /// Whether attempt `n` is the last one of an open record, and has no outcome.
    pub fn waits_for(&self, n: u8) -> bool {
        let last = self.record().and_then(Record::last);
        self.closed.is_none() && last.is_some_and(|last| last.n == i64::from(n) && last.outcome.is_none())
    }
}

#[derive(Default)]
struct Inside {
    kept: Vec<Arc<Kept>>,
    numbers: HashMap<String, Rec>,
    intents: HashMap<(Rec, Order), Rec>,
    outcomes: HashMap<(Rec, u8, Answer), Option<Rec>>,
    ends: HashMap<(Rec, u8, bool, Ending), Rec>,
}

/// Makes records with the production code, each once.
pub struct Shelf {
    mode: Mode,
    inside: RwLock<Inside>,
}

pub fn start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub fn uid(request: u8) -> String {
    format!("uid-{request}")
}

pub fn attempt_id(n: u8) -> String {
    format!("attempt-{n}")
}

pub fn base_url(moved: bool) -> String {
    if moved { "https://eu.acme.example".to_owned() } else { "https://api.acme.example".to_owned() }
}

pub fn credential(number: u8) -> String {
    format!("hmac:credential-{number}")
}

pub fn fingerprint(customer: u8) -> String {
    format!("hmac:customer-{customer}")
}

/// An answer, as the production code names it.
pub fn outcome(answer: Answer) -> Outcome {
    match answer {
        Answer::NotSent => Outcome::NotSent(Failure::new(Class::Conflict, Cause::PlanChanged)),
        Answer::Unknown => Outcome::Unknown(Failure::new(Class::Transient, Cause::OutcomeUnknown)),
        Answer::AlreadyGone => Outcome::Unknown(Failure::new(Class::NotFound, Cause::AlreadyGone)),
        Answer::Refused(refusal) => Outcome::Rejected(match refusal {
            Refusal::Auth => Failure::new(Class::Auth, Cause::Unauthorized),
            Refusal::RateLimited => Failure::new(Class::RateLimited, Cause::RateLimited),
            Refusal::Conflict => Failure::new(Class::Conflict, Cause::DeletionConflict),
        }),
        Answer::Accepted => Outcome::Accepted,
    }
}

impl Shelf {
    pub fn new(mode: Mode) -> Self {
        Self { mode, inside: RwLock::default() }
    }

    /// Reads a record that exists.
    pub fn read<T>(&self, rec: Rec, look: impl FnOnce(&Kept) -> T) -> Option<T> {
        Some(look(self.get(rec)?.as_ref()))
    }

    fn get(&self, rec: Rec) -> Option<Arc<Kept>> {
        let inside = self.inside.read().unwrap_or_else(PoisonError::into_inner);
        inside.kept.get(usize::from(rec).checked_sub(1)?).cloned()
    }

    pub fn owner(&self, rec: Rec) -> u8 {
        self.read(rec, |kept| kept.owner).unwrap_or(0)
    }

    pub fn is_open(&self, rec: Rec) -> bool {
        self.read(rec, |kept| kept.closed.is_none()).unwrap_or(false)
    }

    pub fn last_n(&self, rec: Rec) -> u8 {
        self.read(rec, |kept| kept.last_n).unwrap_or(0)
    }

    /// What a record says to a request.
    pub fn facts(&self, rec: Rec, request: u8) -> Facts {
        self.read(rec, |kept| kept.facts[usize::from(request) - 1].clone()).unwrap_or(Facts::None)
    }

    /// The record with the next intent.
    pub fn intent(&self, rec: Rec, order: Order) -> Rec {
        if let Some(made) = self.known(|inside| inside.intents.get(&(rec, order)).copied()) {
            return made;
        }
        let mut inside = self.inside.write().unwrap_or_else(PoisonError::into_inner);
        let stored = inside.spec(rec);
        let n = inside.last_n(rec) + 1;
        let intent = Intent {
            request: self.record_request(order.request),
            provider: record_provider(order.moved),
            account: "acct-eu".to_owned(),
            customer_ref: "hmac:customer".to_owned(),
            sealed_id: "v1:sealed".to_owned(),
            attempt_id: attempt_id(n),
            by: "a process".to_owned(),
            step: "delete".to_owned(),
            plan_hash: String::new(),
            target_hash: String::new(),
            profile_hash: PROFILE_HASH.to_owned(),
            fingerprint: fingerprint(order.customer),
            credential: credential(order.credential),
            approvals: Vec::new(),
            waivers: Vec::new(),
            at: start(),
        };
        let made = inside.put(record::with_intent(stored.as_ref(), &intent, &KEYS));
        inside.intents.insert((rec, order), made);
        made
    }

    /// The record with an outcome, where there is something to write.
    pub fn outcome(&self, rec: Rec, n: u8, answer: Answer) -> Option<Rec> {
        if let Some(made) = self.known(|inside| inside.outcomes.get(&(rec, n, answer)).copied()) {
            return made;
        }
        let mut inside = self.inside.write().unwrap_or_else(PoisonError::into_inner);
        let sent = Sent { outcome: outcome(answer), ..Sent::nothing(Class::Transient, Cause::NotSent) };
        let stored = inside.spec(rec);
        let spec = stored.and_then(|stored| record::with_outcome(&stored, &attempt_id(n), &sent, start()));
        let made = spec.map(|spec| inside.put(spec));
        inside.outcomes.insert((rec, n, answer), made);
        made
    }

    /// The record, closed; one without attempts where this request has none.
    pub fn close(&self, rec: Rec, request: u8, moved: bool, ending: Ending) -> Rec {
        let key = (rec, request, moved, ending);
        if let Some(made) = self.known(|inside| inside.ends.get(&key).copied()) {
            return made;
        }
        let mut inside = self.inside.write().unwrap_or_else(PoisonError::into_inner);
        let begun = match inside.spec(rec) {
            Some(stored) if stored.request.uid == uid(request) => stored,
            stored => {
                let (request, provider) = (self.record_request(request), record_provider(moved));
                record::for_request(stored.as_ref(), &request, &provider, "acct-eu", "hmac:customer", &KEYS)
            }
        };
        let made = inside.put(record::closed(&begun, ending, &[], start()));
        inside.ends.insert(key, made);
        made
    }

    fn known<T>(&self, find: impl FnOnce(&Inside) -> Option<T>) -> Option<T> {
        find(&self.inside.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn record_request(&self, request: u8) -> RecordRequest {
        RecordRequest {
            namespace: "team".to_owned(),
            name: "acme".to_owned(),
            uid: uid(request),
            target: "billing".to_owned(),
            mode: self.mode,
        }
    }

    pub fn len(&self) -> usize {
        self.inside.read().unwrap_or_else(PoisonError::into_inner).kept.len()
    }
}

fn record_provider(moved: bool) -> RecordProvider {
    RecordProvider {
        kind: "OffboardingProvider".to_owned(),
        namespace: "team".to_owned(),
        name: "acme-pay".to_owned(),
        uid: "provider-1".to_owned(),
        base_url: base_url(moved),
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

    /// Signs, reads back as every request would, and keeps it.
    fn put(&mut self, spec: OffboardingRecordSpec) -> Rec {
        let spec = record::signed(spec, NAME, &KEYS);
        if let Some(number) = self.numbers.get(&spec.mac) {
            return *number;
        }
        let facts = [1, 2].map(|request| record::facts_of(Some((NAME, &spec)), &uid(request), &KEYS));
        let owner = if spec.request.uid == uid(1) { 1 } else { 2 };
        let earlier = spec.history.iter().map(|earlier| earlier.last_attempt);
        let last_n = spec.attempts.iter().map(|attempt| attempt.n).chain(earlier).max().unwrap_or(0);
        let closed = match &facts[usize::from(owner) - 1] {
            Facts::Mine(Record { closed: Some(closed), .. }) => {
                Some(Ending { result: closed.result, because: closed.because })
            }
            _ => None,
        };
        let last_n = u8::try_from(last_n).unwrap_or(u8::MAX);
        let number = Rec::try_from(self.kept.len() + 1).unwrap_or(Rec::MAX);
        self.numbers.insert(spec.mac.clone(), number);
        self.kept.push(Arc::new(Kept { spec, facts, owner, last_n, closed }));
        number
    }
}
