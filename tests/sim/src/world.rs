//! Everything there is besides the code under test: one clock, one queue of events, and what they lead to.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use jiff::Timestamp;

use crate::{
    api::{Api, KINDS, Refusal, View, Watched},
    bugs::Bug,
    operator::{Key, Operator},
    people,
    promises::Broken,
    rng::Rng,
    saas::{Flight, Saas},
    scenario::{Answer, Ms, Point, Scenario, Weather, When},
    truth::Truth,
};

const BEGINNING: i64 = 1_800_000_000;

/// The wall clock; all clocks agree.
pub fn wall(at: Ms) -> Timestamp {
    let at = i64::try_from(at).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(BEGINNING * 1_000 + at).unwrap_or(Timestamp::MAX)
}

/// What can happen at a time.
#[derive(Clone, Debug)]
pub enum Event {
    /// A task of an operator goes on.
    Poll(u64),
    Wake {
        operator: usize,
        epoch: u32,
        key: Key,
        ticket: u64,
    },
    /// A watch shows what is there.
    Watch {
        operator: usize,
        epoch: u32,
        kind: Watched,
    },
    Restarts {
        operator: usize,
    },
    /// Nobody renewed the lease for its whole length.
    LeaseIsOver,
    /// A trouble by its place in the scenario.
    Happens(usize),
    /// Everybody who has something to say says it.
    People,
    /// A provider carries a deletion out; a flight by its number.
    Executes(usize),
    /// Somebody asks; a request by its place in the scenario.
    Asks(usize),
    /// Time alone changed something that the promises are about.
    TimePasses,
}

pub struct World {
    pub now: Ms,
    sequence: u64,
    queue: BTreeMap<(Ms, u64), Event>,
    pub scenario: Rc<Scenario>,
    pub bug: Option<Bug>,
    pub rng: Rng,
    pub api: Api,
    pub saas: Saas,
    pub operators: Vec<Operator>,
    pub leader: Option<(usize, u32)>,
    pub truth: Truth,
    pub broken: Option<Broken>,
    /// How often what happened.
    pub figures: BTreeMap<&'static str, u64>,
    pub steps: u64,
    hash: u64,
    trace: Option<Vec<String>>,
    visits: BTreeMap<Point, u32>,
    pub happened: BTreeSet<usize>,
    /// The task that runs now.
    pub current: u64,
    /// Passes that are to be begun.
    pub to_begin: Vec<(usize, Key)>,
    pub last_attempt: u64,
    pub last_uid: u64,
    /// The troubles are over.
    pub is_calm: bool,
}

impl World {
    pub fn new(scenario: Rc<Scenario>, bug: Option<Bug>, is_traced: bool) -> Self {
        let rng = Rng::new(scenario.seed).split(7);
        let mut world = Self {
            now: 0,
            sequence: 0,
            queue: BTreeMap::new(),
            api: Api::new(people::nothing_yet(&scenario)),
            saas: Saas::new(&scenario.places, scenario.customers, scenario.timing.lag),
            operators: (0..scenario.operators).map(|number| Operator::new(&rng, number)).collect(),
            leader: Some((0, 1)),
            truth: Truth::default(),
            broken: None,
            figures: BTreeMap::new(),
            steps: 0,
            hash: 0xCBF2_9CE4_8422_2325,
            trace: is_traced.then(Vec::new),
            visits: BTreeMap::new(),
            happened: BTreeSet::new(),
            current: 0,
            to_begin: Vec::new(),
            last_attempt: 0,
            last_uid: 0,
            is_calm: false,
            rng,
            bug,
            scenario,
        };
        let scenario = world.scenario.clone();
        for (number, trouble) in scenario.troubles.iter().enumerate() {
            if let When::At(at) = trouble.when {
                world.schedule(at, Event::Happens(number));
            }
        }
        for (number, asked) in scenario.requests.iter().enumerate() {
            world.schedule(asked.at, Event::Asks(number));
        }
        world.schedule(0, Event::People);
        world
    }

    pub fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    pub fn schedule(&mut self, at: Ms, event: Event) {
        self.sequence += 1;
        self.queue.insert((at.max(self.now), self.sequence), event);
    }

    /// The next event; the clock goes on to it.
    pub fn next(&mut self) -> Option<Event> {
        let ((at, _), event) = self.queue.pop_first()?;
        self.now = at;
        self.steps += 1;
        Some(event)
    }

    /// Something happened: it counts, and where somebody reads along, it is told.
    pub fn say(&mut self, what: &'static str, numbers: &[usize], detail: impl FnOnce() -> String) {
        *self.figures.entry(what).or_default() += 1;
        self.mix(self.now);
        what.bytes().for_each(|byte| self.mix(u64::from(byte)));
        numbers.iter().for_each(|number| self.mix(u64::try_from(*number).unwrap_or(u64::MAX)));
        let now = self.now;
        if let Some(trace) = &mut self.trace {
            let seconds = now / 1_000;
            trace.push(format!("{seconds:>6}.{:03}  {what} {numbers:?} {}", now % 1_000, detail()));
        }
    }

    fn mix(&mut self, value: u64) {
        self.hash = (self.hash ^ value).wrapping_mul(0x0000_0100_0000_01B3);
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub fn take_trace(&mut self) -> Vec<String> {
        self.trace.take().unwrap_or_default()
    }

    pub fn breaks(&mut self, invariant: &'static str, why: String) {
        if self.broken.is_none() {
            self.say("broken", &[], || format!("{invariant}: {why}"));
            self.broken = Some(Broken { invariant, why });
        }
    }

    /// An operator comes to a place in its code: what waits for that happens.
    pub fn comes_to(&mut self, operator: usize, point: Point) {
        let visits = self.visits.entry(point).or_default();
        *visits += 1;
        let upon = When::Upon(point, *visits);
        if self.is_calm {
            return;
        }
        let scenario = self.scenario.clone();
        for (number, trouble) in scenario.troubles.iter().enumerate() {
            if trouble.when == upon {
                self.happens(number, Some(operator));
            }
        }
    }

    fn happens(&mut self, number: usize, here: Option<usize>) {
        if self.is_calm {
            return;
        }
        let trouble = self.scenario.troubles[number];
        self.happened.insert(number);
        people::happens(self, trouble.what, here);
    }

    /// Anything but a task going on.
    pub fn handle(&mut self, event: Event) {
        match event {
            Event::Poll(_) => {}
            Event::Wake { operator, epoch, key, ticket } => self.wakes(operator, epoch, key, ticket),
            Event::Watch { operator, epoch, kind } => self.watch(operator, epoch, kind),
            Event::Restarts { operator } => self.restarts(operator),
            Event::LeaseIsOver => self.lease_is_over(),
            Event::Happens(number) => self.happens(number, None),
            Event::People => people::speak(self),
            Event::Executes(flight) => self.executes(flight),
            Event::Asks(number) => people::ask(self, number),
            Event::TimePasses => self.truth.is_stale = true,
        }
    }

    /// How a provider treats the next deletion.
    pub fn answer(&mut self, place: usize) -> Answer {
        let drawn = self.saas.accounts[place].answers.pop_front();
        match self.saas.weather(self.now, place) {
            Weather::Unauthorized => Answer::Unauthorized,
            Weather::RateLimited => Answer::TooMany,
            Weather::ServerErrors => Answer::ServerError,
            Weather::Fair | Weather::Garbage | Weather::LyingAbsence => drawn.unwrap_or(Answer::Accepted),
        }
    }

    /// The first byte of a deletion leaves.
    pub fn takes_off(
        &mut self,
        operator: usize,
        provider: usize,
        customer: usize,
        attempt: String,
        answer: Answer,
    ) -> usize {
        let timing = self.scenario.timing;
        let number = self.saas.flights.len();
        let soon = self.rng.between(1, (2 * timing.call).min(timing.request_deadline / 3));
        let back = self.rng.between(1, timing.call.min(timing.request_deadline / 3));
        let latest = timing.request_deadline + timing.lifetime;
        let (executed, answered) = match answer {
            Answer::ExecutedLate => {
                let early = self.rng.between(1, latest);
                (Some(if self.rng.one_in(2) { latest } else { early }), timing.request_deadline)
            }
            Answer::Lost => (None, timing.request_deadline),
            Answer::Accepted | Answer::ExecutedUnanswered | Answer::ServerErrorExecuted => {
                (Some(soon), soon + back)
            }
            _ => (None, soon + back),
        };
        self.say("a deletion is sent", &[operator, provider, customer], || format!("{attempt}: {answer:?}"));
        self.on_send(operator, provider, customer, &attempt);
        self.saas.flights.push(Flight {
            provider,
            customer,
            attempt,
            pending: executed.is_some(),
            hit: None,
            answered_at: self.now + answered,
        });
        if let Some(executed) = executed {
            self.schedule(self.now + executed, Event::Executes(number));
        }
        number
    }

    fn executes(&mut self, number: usize) {
        let flight = self.saas.flights[number].clone();
        self.saas.flights[number].pending = false;
        let hit = self.saas.execute(self.now, flight.provider, flight.customer);
        self.saas.flights[number].hit = Some(hit.incarnation);
        self.say("a deletion is carried out", &[flight.provider, flight.customer], || {
            format!("incarnation {}, attempt {}", hit.incarnation, flight.attempt)
        });
        self.on_execution(&flight, hit);
    }

    /// Writes something down at the API server, and lets every watch know in its time.
    pub fn commit(&mut self, kind: Watched, change: impl FnOnce(&mut View)) {
        let mut view = View::clone(self.api.view());
        change(&mut view);
        self.api.store(self.now, view);
        self.truth.is_stale = true;
        for operator in 0..self.operators.len() {
            let lag = self.scenario.timing.watch_lag;
            let late = if self.is_calm { 5 } else { self.rng.below(lag) };
            let gap = self.operators[operator].gap_until;
            let epoch = self.operators[operator].epoch;
            self.schedule((self.now + late).max(gap), Event::Watch { operator, epoch, kind });
        }
    }

    /// Replaces exactly the request that was read.
    pub fn put_status(
        &mut self,
        operator: usize,
        read: &crate::api::Request,
        status: offboarding::api::OffboardingStatus,
    ) -> Result<(), Refusal> {
        let stored = self.api.view().requests.get(&read.name).cloned().ok_or(Refusal::NotFound)?;
        if stored.uid != read.uid || stored.version != read.version {
            return Err(Refusal::Conflict);
        }
        let version = self.api.next_version();
        let replaced = crate::api::Request { status, version, ..crate::api::Request::clone(&stored) };
        self.on_status(operator, &stored, &replaced);
        let name = read.name;
        self.commit(Watched::Requests, |view| {
            view.requests.insert(name, Rc::new(replaced));
        });
        Ok(())
    }

    /// Creates a record where none was read, else replaces exactly the one that was.
    pub fn put_record(
        &mut self,
        read: Option<&crate::api::Stored>,
        mut record: crate::api::Stored,
        by: (usize, u32),
    ) -> Result<Rc<crate::api::Stored>, Refusal> {
        let stored = self.api.view().records.get(&record.name).cloned();
        let is_careless = self.has(Bug::WritesWithoutResourceVersion);
        match (&stored, read) {
            (None, None) => {}
            (Some(_), None) => return Err(Refusal::AlreadyExists),
            (None, Some(_)) => return Err(Refusal::NotFound),
            (Some(stored), Some(read)) if stored.version != read.version && !is_careless => {
                return Err(Refusal::Conflict);
            }
            (Some(_), Some(_)) => {}
        }
        record.version = self.api.next_version();
        self.on_record(stored.as_deref(), &record, by);
        let record = Rc::new(record);
        let kept = record.clone();
        self.commit(Watched::Records, |view| {
            view.records.insert(kept.name.clone(), kept);
        });
        Ok(record)
    }

    /// Every watch shows what is there, and nothing is forgotten: the troubles are over.
    pub fn calm_down(&mut self) {
        self.is_calm = true;
        self.api.unavailable_until = 0;
        for account in &mut self.saas.accounts {
            account.weather.1 = 0;
            account.checks_fail_until = 0;
            account.answers.clear();
        }
        for operator in 0..self.operators.len() {
            self.operators[operator].gap_until = 0;
            let epoch = self.operators[operator].epoch;
            for kind in KINDS {
                self.schedule(self.now, Event::Watch { operator, epoch, kind });
            }
        }
    }
}
