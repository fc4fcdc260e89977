//! The production decision, asked with small numbers: each question is decoded once, answered by `offboarding::domain`, and kept.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use offboarding::{
    api::{ConditionalDelete, Environment, ErasureScope, Finality, IdReuse, Mode, ProviderKind, WhenPresent},
    domain::{
        ApprovalsSeen, BudgetLimits, BudgetSeen, Cause, Class, Control, CustomerId, CustomerSeen,
        CustomerSource, Declared, Demands, Facts, Failure, Fingerprint, GoneSince, HoldSeen, Live, Look,
        Memory, Moment, Next, Observation, Order as DomainOrder, Outcome, Part, Plan, Planned, PolicyState,
        PresentSince, ProviderFacts, ProviderSeen, TIME_TO_LEAVE, Whole, WholePlan, Wish, decide, grant,
        mode_to_look_in, nothing_changed, without_a_look,
    },
};

use super::{
    bugs::Bug,
    shelf::{self, Shelf},
    state::{Answer, Asked, Customer, Mem, Order, Place, Rec},
};

/// What kind of provider it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Deletes for good and says when a customer was created. Two looks must confirm.
    Hard,
    /// Deactivates, and shows nothing of it.
    Unobservable,
    /// Deactivates, and shows the customer as inactive.
    Soft,
}

const UPTIME: Duration = Duration::from_secs(100_000);
const LAG: Duration = Duration::from_secs(60);
const WINDOW: Duration = Duration::from_secs(185);
const INTERVAL: Duration = Duration::from_secs(10);
const SEND_DEADLINE: Duration = Duration::from_secs(30);
/// Longer than every pause and deadline that a wall clock tells.
const LONG: Duration = Duration::from_secs(30 * 24 * 3_600);

/// What a look shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seen {
    /// Nobody looked.
    Nothing,
    Silence,
    Shown {
        customer: Customer,
        long_ago: bool,
    },
}

/// Everything that one decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    pub request: u8,
    pub asked: Asked,
    pub rec: Rec,
    /// An outcome of the last attempt that only this process knows.
    pub kept: Option<Answer>,
    pub seen: Seen,
    pub place: Place,
    pub mem: Mem,
    /// The wall clock says that every pause and deadline is over.
    pub late: bool,
}

/// What the production code says to it.
#[derive(Clone, Debug)]
pub struct Reply {
    /// It depends on a look, and nobody looked.
    pub wants_a_look: bool,
    pub next: Next,
    pub mem: Mem,
}

/// Asks the production code, each question once.
pub struct Brain {
    pub kind: Kind,
    pub bug: Option<Bug>,
    replies: RwLock<HashMap<Question, Arc<Reply>>>,
    rereads: RwLock<HashMap<(Order, Asked, Place, Seen), bool>>,
    /// Every kind of answer that was given.
    pub produced: Mutex<BTreeSet<String>>,
}

impl Brain {
    pub fn new(kind: Kind, bug: Option<Bug>) -> Self {
        Self { kind, bug, replies: RwLock::default(), rereads: RwLock::default(), produced: Mutex::default() }
    }

    pub fn mode(kind: Kind) -> Mode {
        match kind {
            Kind::Hard => Mode::Hard,
            Kind::Unobservable | Kind::Soft => Mode::Soft,
        }
    }

    pub fn reply(&self, shelf: &Shelf, question: Question) -> Arc<Reply> {
        if let Some(reply) = self.replies.read().unwrap_or_else(PoisonError::into_inner).get(&question) {
            return reply.clone();
        }
        let reply = Arc::new(self.think(shelf, question));
        self.produced.lock().unwrap_or_else(PoisonError::into_inner).insert(brief(&reply.next));
        self.replies.write().unwrap_or_else(PoisonError::into_inner).insert(question, reply.clone());
        reply
    }

    pub fn questions(&self) -> usize {
        self.replies.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn think(&self, shelf: &Shelf, asked: Question) -> Reply {
        let question = self.bug.map_or(asked, |bug| bug.mishear(asked, shelf));
        let mut facts = shelf.facts(question.rec, question.request);
        if let (Facts::Mine(record), Some(answer)) = (&mut facts, question.kept)
            && let Some(last) = record.attempts.last_mut()
        {
            let known = shelf::outcome(answer);
            last.outcome = Some(last.outcome.take().map_or(known.clone(), |stored| stored.merge(known)));
            last.answered_at = last.answered_at.or(Some(shelf::start()));
            record.unsaved = true;
        }
        if let Some(bug) = self.bug {
            facts = bug.misread(facts);
        }
        let plan = plan(question.request, question.asked);
        let provider = provider(self.kind, question.place);
        let now = Moment {
            uptime: UPTIME,
            wall: if question.late { shelf::start() + LONG } else { shelf::start() },
        };
        let mut seen = observation(question.place, provider.clone());
        let mut memory = remember(question.mem, now);
        let mode = mode_to_look_in(&plan, &facts, &provider).unwrap_or(Brain::mode(self.kind));
        memory.learn(&facts, &seen, mode, INTERVAL, now);
        let by_itself = without_a_look(&plan, &facts, &seen, &memory, now);
        let wants_a_look = by_itself.is_none();
        if wants_a_look && question.seen != Seen::Nothing {
            self.look(&question, &mut seen);
            seen.looked_at = now.uptime;
            memory.learn(&facts, &seen, mode, INTERVAL, now);
        }
        let decision = decide(&plan, &facts, &seen, &memory, now);
        let reply = Reply {
            wants_a_look: wants_a_look && question.seen == Seen::Nothing,
            next: decision.next,
            mem: forget(&memory, now),
        };
        self.bug.map_or(reply.clone(), |bug| bug.misjudge(reply, &asked, &facts, provider.declared.result()))
    }

    fn look(&self, question: &Question, seen: &mut Observation) {
        let (look, long_ago) = look(self.kind, question.seen);
        seen.control = (look == Look::Absent).then(|| {
            if question.place.control_broken {
                Control::Bad(Failure::new(Class::Transient, Cause::ServerError))
            } else {
                Control::Good
            }
        });
        seen.created_long_ago = long_ago && self.kind == Kind::Hard;
        seen.look = Some(look);
    }

    /// The production rule for what is read after the intent.
    pub fn nothing_changed(&self, order: Order, asked: Asked, place: Place, seen: Seen) -> bool {
        let key = (order, asked, place, seen);
        if let Some(known) = self.rereads.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return *known;
        }
        let plan = plan(order.request, asked);
        let mut observation = observation(place, provider(self.kind, place));
        observation.look = Some(look(self.kind, seen).0);
        let live = Live {
            plan: Some(&plan),
            seen: &observation,
            now: shelf::start(),
            send_takes: Duration::from_secs(35),
        };
        let domain_order = self.order(order);
        let credential = shelf::credential(order.credential);
        let unchanged = nothing_changed(&domain_order, &credential, &live).is_ok();
        self.rereads.write().unwrap_or_else(PoisonError::into_inner).insert(key, unchanged);
        unchanged
    }

    /// The order as the production code gave it.
    pub fn order(&self, order: Order) -> DomainOrder {
        let place = Place {
            moved: order.moved,
            credential: order.credential,
            suspended: false,
            control_broken: false,
        };
        let (plan, provider, mode) =
            (plan(order.request, Asked::Standing), provider(self.kind, place), Brain::mode(self.kind));
        let print = shelf::fingerprint(order.customer);
        let seen = observation(place, provider.clone());
        let fingerprint = Fingerprint(print);
        let planned = Planned::new(&plan, &provider, mode, "hmac:customer", &fingerprint, &seen);
        let whole = WholePlan::new(&[&plan], vec![Part::Fresh(Box::new(planned.clone()))], 0);
        let plan_hash = whole.map(|whole| whole.hash).unwrap_or_default();
        DomainOrder { plan_hash, ..DomainOrder::of(&planned) }
    }

    /// The production rule for the permit. Nobody holds a lease here, and both processes believe that they do: no promise may
    /// rest on it.
    pub fn permits(&self, late: bool) -> bool {
        let since_intent = if late { SEND_DEADLINE } else { Duration::ZERO };
        grant(since_intent, SEND_DEADLINE, TIME_TO_LEAVE).is_ok()
    }
}

fn plan(request: u8, asked: Asked) -> Plan {
    Plan {
        person: None,
        request_uid: shelf::uid(request),
        wish: match asked {
            Asked::Standing => Wish::Standing,
            Asked::Suspended => Wish::Suspended,
            Asked::Never | Asked::Cancelled | Asked::Deleted => Wish::Withdrawn,
        },
        customer: CustomerSource::Literal(CustomerId::new("90017".to_owned())),
        target: "billing".to_owned(),
        provider_kind: ProviderKind::OffboardingProvider,
        provider: "acme-pay".to_owned(),
        mode: None,
        depends_on: Vec::new(),
        accept_absent: request == 2,
        reason: None,
        not_before: None,
    }
}

fn provider(kind: Kind, place: Place) -> ProviderFacts {
    let mode = Brain::mode(kind);
    let (finality, erasure) = match kind {
        Kind::Hard => (Finality::HardDelete, ErasureScope::Full),
        Kind::Unobservable | Kind::Soft => (Finality::SoftDelete, ErasureScope::None),
    };
    ProviderFacts {
        kind: ProviderKind::OffboardingProvider,
        namespace: "team".to_owned(),
        name: "acme-pay".to_owned(),
        uid: "provider-1".to_owned(),
        base_url: shelf::base_url(place.moved),
        account: "acct-eu".to_owned(),
        environment: Environment::live,
        allowed_modes: vec![mode],
        checks: BTreeMap::new(),
        demands: Demands { separation_of_duties: true, ..Demands::default() },
        budget: BudgetLimits::default(),
        recheck_interval: Duration::from_secs(900),
        confirmations: if kind == Kind::Hard { 2 } else { 1 },
        verify_interval: INTERVAL,
        verify_deadline: Duration::from_secs(900),
        suspended: place.suspended,
        declared: Arc::new(Declared {
            profile_hash: shelf::PROFILE_HASH.to_owned(),
            step: "delete".to_owned(),
            operation: "DELETE /customers/{customer.id}".to_owned(),
            supports: mode,
            finality,
            effects: Vec::new(),
            retains: Vec::new(),
            erasure,
            backup_retention: None,
            manual_step: None,
            consistency_lag: LAG,
            max_request_lifetime: Duration::from_secs(60),
            id_reuse: IdReuse::Unknown,
            conditional_delete: ConditionalDelete::None,
            rejects_429_before_execution: true,
            when_present: if kind == Kind::Unobservable {
                WhenPresent::NotObservable
            } else {
                WhenPresent::StillPresent
            },
        }),
        settle_window: WINDOW,
    }
}

fn observation(place: Place, provider: ProviderFacts) -> Observation {
    Observation {
        key_is_good: true,
        provider: ProviderSeen::Found(Box::new(provider)),
        customer: CustomerSeen::Known { reference: "hmac:customer".to_owned() },
        credential: Some(shelf::credential(place.credential)),
        look: None,
        looked_at: Duration::ZERO,
        created_long_ago: false,
        control: None,
        checks: Vec::new(),
        hold: HoldSeen::Free,
        budget: BudgetSeen::Free,
        whole: Arc::new(nobody_said_anything()),
    }
}

fn nobody_said_anything() -> Whole {
    Whole {
        approvals: ApprovalsSeen::Seen(Vec::new()),
        policies: PolicyState::AsShipped { since: shelf::start() },
        author: Some("alice".to_owned()),
        ..Whole::unread()
    }
}

fn look(kind: Kind, seen: Seen) -> (Look, bool) {
    let print = |customer| Fingerprint(shelf::fingerprint(customer));
    match seen {
        Seen::Nothing | Seen::Silence => {
            (Look::Unknown(Failure::new(Class::Transient, Cause::ServerError)), false)
        }
        Seen::Shown { customer, long_ago } => {
            let look = match customer {
                Customer::Absent => Look::Absent,
                Customer::Inactive if kind == Kind::Soft => Look::Inactive(print(1)),
                Customer::First | Customer::Inactive => Look::Present(print(1)),
                Customer::Second => Look::Present(print(2)),
            };
            (look, long_ago)
        }
    }
}

fn remember(mem: Mem, now: Moment) -> Memory {
    let ago = |age: u8| {
        let by = [Duration::ZERO, LAG, WINDOW][usize::from(age)];
        Moment { uptime: now.uptime.saturating_sub(by), wall: shelf::start() }
    };
    Memory {
        attempt: (mem.attempt > 0).then(|| (shelf::attempt_id(mem.attempt), ago(mem.attempt_age))),
        present: (mem.present > 0).then(|| PresentSince {
            fingerprint: Fingerprint(shelf::fingerprint(mem.present)),
            since: ago(mem.present_age),
            created_long_ago: mem.long_ago,
        }),
        gone: (mem.gone > 0).then(|| GoneSince {
            since: ago(mem.gone_age),
            last: now.uptime.saturating_sub(INTERVAL),
            newest: now.uptime.saturating_sub(INTERVAL),
            looks: u32::from(mem.gone),
        }),
    }
}

fn forget(memory: &Memory, now: Moment) -> Mem {
    let number = |text: &str| text.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let age = |since: Moment| match now.uptime.saturating_sub(since.uptime) {
        ago if ago >= WINDOW => 2,
        ago if ago >= LAG => 1,
        _ => 0,
    };
    let mut mem = Mem::default();
    if let Some((id, since)) = &memory.attempt {
        (mem.attempt, mem.attempt_age) = (number(id), age(*since));
    }
    if let Some(present) = &memory.present {
        (mem.present, mem.present_age) = (number(&present.fingerprint.0), age(present.since).min(1));
        mem.long_ago = present.created_long_ago;
    }
    if let Some(gone) = memory.gone {
        (mem.gone, mem.gone_age) = (u8::try_from(gone.looks.min(2)).unwrap_or(2), age(gone.since).min(1));
    }
    mem
}

/// What follows, in a few words: `Delete`, `Close Erased/Absent`, `Wait Settling`, `Stop Duplicate`, `Finished …`.
pub fn brief(next: &Next) -> String {
    use offboarding::domain::Effect;
    let name = |text: String| text.chars().take_while(char::is_ascii_alphanumeric).collect::<String>();
    match next {
        Next::Do(Effect::Delete(_)) => "Delete".to_owned(),
        Next::Do(Effect::SaveOutcome) => "SaveOutcome".to_owned(),
        Next::Do(Effect::Close(end)) => format!("Close {}/{}", end.result, end.because),
        Next::Wait(waiting) => format!("Wait {}", name(format!("{waiting:?}"))),
        Next::Stop(blocked) => format!("Stop {}", name(format!("{blocked:?}"))),
        Next::Finished(end) => format!("Finished {}/{}", end.result, end.because),
    }
}

/// Whether the answer of a record's last attempt is this.
pub fn last_outcome(facts: &Facts) -> Option<Option<&Outcome>> {
    match facts {
        Facts::Mine(record) if record.closed.is_none() => Some(record.last()?.outcome.as_ref()),
        _ => None,
    }
}
