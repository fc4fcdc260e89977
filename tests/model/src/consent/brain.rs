//! The production decision, asked with small numbers: each question is decoded once, answered by `offboarding::domain`, and kept.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use jiff::Timestamp;
use offboarding::domain::{Ending, Order, TIME_TO_LEAVE, Told, WholePlan, grant};

use super::{
    bugs::Bug,
    setup::{self, Setup},
    shelf::{Shelf, TARGET_NAMES},
    state::{Customer, Kept, Mem, People, Place, Rec, TARGETS, bit},
};
use crate::shelf::start;

const SEND_DEADLINE: Duration = Duration::from_secs(30);

/// What a look shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seen {
    Nothing,
    Silence,
    Shown(Customer),
}

/// What nobody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unread {
    Nothing,
    Approvals,
    Policies,
    Holds,
    Request,
    Look,
    Budget,
}

/// Everything that one decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// One target alone: its request is over.
    pub alone: Option<u8>,
    pub people: People,
    pub unread: Unread,
    pub told: u8,
    pub recs: [Rec; TARGETS],
    pub kept: Option<Kept>,
    pub seen: [Seen; TARGETS],
    pub mem: [Mem; TARGETS],
    pub hour_ago: [u8; TARGETS],
    /// The wall clock says that every pause and deadline is over.
    pub late: bool,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Nothing,
    Order(u16),
    Save,
    Close { target: u8, ending: u8 },
    Finish { ending: u8 },
}

/// What the production code says to it.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    pub wants: [bool; TARGETS],
    pub act: Act,
    pub mem: [Mem; TARGETS],
    /// The plan that was made; 0 none.
    pub plan: u8,
    pub waits_for_a_clock: bool,
    /// Somebody else than the operator must do something that no calm step does.
    pub is_stuck_by_a_person: bool,
    /// What is waited for, as bits of `WAITS`.
    pub waits: u32,
}

/// A plan that was made.
pub struct Made {
    pub hash: String,
    pub told: Told,
    /// What it is about, by target: profile, demand, customer; `KEPT` where it was begun.
    pub content: [u8; TARGETS],
    pub places: [Place; TARGETS],
}

pub const KEPT: u8 = u8::MAX;

/// An order that was given.
#[derive(Debug)]
pub struct Given {
    pub order: Order,
    pub target: u8,
    pub plan: u8,
}

#[derive(Default)]
struct Met {
    plans: Vec<Arc<Made>>,
    plan_numbers: HashMap<(String, [u8; TARGETS]), u8>,
    orders: Vec<Arc<Given>>,
    order_numbers: HashMap<String, u16>,
    endings: Vec<Ending>,
}

/// Everything that is read after an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reread {
    pub order: u16,
    pub people: People,
    pub unread: Unread,
    pub customer: Customer,
    /// Attempts of this hour by the records, this one included.
    pub recent: u8,
}

/// A hash of questions that are asked a hundred times for each state; nobody chooses them to collide.
#[derive(Default)]
pub struct QuickHasher(u64);

type Quick = BuildHasherDefault<QuickHasher>;

impl Hasher for QuickHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}

/// Asks the production code, each question once.
pub struct Brain {
    pub setup: Setup,
    pub bug: Option<Bug>,
    met: Mutex<Met>,
    replies: RwLock<HashMap<Question, Reply, Quick>>,
    rereads: RwLock<HashMap<Reread, bool, Quick>>,
    pub produced: Mutex<BTreeSet<String>>,
}

impl Brain {
    pub fn new(setup: Setup, bug: Option<Bug>) -> Self {
        Self {
            setup,
            bug,
            met: Mutex::default(),
            replies: RwLock::default(),
            rereads: RwLock::default(),
            produced: Mutex::default(),
        }
    }

    pub fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    pub fn reply(&self, shelf: &Shelf, question: Question) -> Reply {
        if let Some(reply) = self.replies.read().unwrap_or_else(PoisonError::into_inner).get(&question) {
            return *reply;
        }
        let reply = self.think(shelf, question);
        self.replies.write().unwrap_or_else(PoisonError::into_inner).insert(question, reply);
        reply
    }

    pub fn questions(&self) -> usize {
        let replies = self.replies.read().unwrap_or_else(PoisonError::into_inner).len();
        replies + self.rereads.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn met(&self) -> MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn made(&self, plan: u8) -> Option<Arc<Made>> {
        self.met().plans.get(usize::from(plan).checked_sub(1)?).cloned()
    }

    pub fn given(&self, order: u16) -> Option<Arc<Given>> {
        self.met().orders.get(usize::from(order)).cloned()
    }

    pub fn ending(&self, number: u8) -> Option<Ending> {
        self.met().endings.get(usize::from(number).checked_sub(1)?).copied()
    }

    pub fn number_of_ending(&self, ending: Ending) -> u8 {
        let mut met = self.met();
        let at = met.endings.iter().position(|known| *known == ending).unwrap_or_else(|| {
            met.endings.push(ending);
            met.endings.len() - 1
        });
        u8::try_from(at + 1).unwrap_or(u8::MAX)
    }

    pub fn number_of_plan(&self, plan: &WholePlan, question: &Question) -> u8 {
        let mut content = [KEPT; TARGETS];
        for (name, planned) in &plan.targets {
            let target = TARGET_NAMES.iter().position(|known| known == name).unwrap_or(0);
            if let (Some(_), Seen::Shown(customer)) = (planned, question.seen[target]) {
                content[target] = content_of(question.people.places[target], customer);
            }
        }
        let mut met = self.met();
        let next = u8::try_from(met.plans.len() + 1).unwrap_or(u8::MAX);
        let number = *met.plan_numbers.entry((plan.hash.clone(), content)).or_insert(next);
        if number == next {
            let targets = plan.targets.iter().filter_map(|(name, planned)| Some((name, planned.as_ref()?)));
            let blockers = targets.flat_map(|(name, planned)| {
                planned.target.blockers.iter().map(|blocker| (name.clone(), blocker.check.clone()))
            });
            let told =
                Told { hash: plan.hash.clone(), inputs: plan.inputs.clone(), blockers: blockers.collect() };
            let places = question.people.places;
            met.plans.push(Arc::new(Made { hash: plan.hash.clone(), told, content, places }));
        }
        number
    }

    pub fn number_of_order(&self, order: Order, target: u8, plan: u8) -> u16 {
        let key = format!("{target} {plan} {order:?}");
        let mut met = self.met();
        let next = u16::try_from(met.orders.len()).unwrap_or(u16::MAX);
        let number = *met.order_numbers.entry(key).or_insert(next);
        if number == next {
            met.orders.push(Arc::new(Given { order, target, plan }));
        }
        number
    }

    /// The production rule for what is read after the intent.
    pub fn nothing_changed(&self, reread: Reread) -> bool {
        if let Some(known) = self.rereads.read().unwrap_or_else(PoisonError::into_inner).get(&reread) {
            return *known;
        }
        let unchanged = self.given(reread.order).is_some_and(|given| self.reread(&given, reread));
        self.rereads.write().unwrap_or_else(PoisonError::into_inner).insert(reread, unchanged);
        unchanged
    }

    /// The production rule for the permit. Nobody holds a lease here, and both processes believe that they do.
    pub fn permits(&self, late: bool) -> bool {
        let since_intent = if late { SEND_DEADLINE } else { Duration::ZERO };
        grant(since_intent, SEND_DEADLINE, TIME_TO_LEAVE).is_ok()
    }

    /// Attempts of this hour that may have left, by the records.
    pub fn recent(&self, shelf: &Shelf, recs: [Rec; TARGETS], hour_ago: [u8; TARGETS]) -> Vec<Timestamp> {
        let mut sent = Vec::new();
        for (rec, hour_ago) in recs.into_iter().zip(hour_ago) {
            let Some(kept) = shelf.get(rec) else { continue };
            for attempt in kept.record().map_or(&[][..], |record| &record.attempts) {
                let uncounted = self.has(Bug::CountsTheBudgetAfterTheSend) && attempt.outcome.is_none();
                if attempt.may_have_left() && !uncounted {
                    let long_ago = hour_ago & bit(u8::try_from(attempt.n).unwrap_or(0)) != 0;
                    sent.push(setup::sent_at(long_ago, start()));
                }
            }
        }
        sent
    }
}

impl Brain {
    /// How many of them are of this hour.
    pub fn recent_now(&self, shelf: &Shelf, recs: [Rec; TARGETS], hour_ago: [u8; TARGETS]) -> u8 {
        let sent = self.recent(shelf, recs, hour_ago);
        u8::try_from(sent.iter().filter(|at| **at == start()).count()).unwrap_or(u8::MAX)
    }
}

/// Profile, demand and customer of a target, as a plan is about them.
pub fn content_of(place: Place, customer: Customer) -> u8 {
    u8::from(place.edited) | u8::from(place.raised) << 1 | customer << 2
}
