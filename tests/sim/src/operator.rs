//! A process: its caches, its lease, what it remembers, and when it works on what.

use std::{
    cell::RefMut,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use jiff::Timestamp;
use offboarding::{
    controller::Backoff,
    domain::{Memory, Moment},
};

use crate::{
    api::{Refusal, Stored, View, Watched},
    pass::{record_pass, request_pass},
    rng::Rng,
    scenario::{MINUTE, Ms, Point, SECOND},
    task::{Pause, Sim},
    world::{Event, World, wall},
};

/// What is worked on: a request by its name, an open record by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Request(usize),
    Record(String),
}

impl Key {
    pub fn text(&self) -> String {
        match self {
            Key::Request(name) => format!("request-{name}"),
            Key::Record(name) => name.clone(),
        }
    }
}

/// When to work on something again.
pub type Again = Option<Duration>;

/// What becomes of a process' next write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    NeverArrives,
    /// It is carried out, and the answer is lost.
    Unanswered,
}

/// How long the lease holds after it was renewed last: two thirds of its length.
fn renew_deadline(lease: Ms) -> Ms {
    lease * 2 / 3
}

/// After it goes on, a process renews its lease this late.
const RENEWS_AFTER: Ms = 50;

pub struct Operator {
    pub epoch: u32,
    pub is_alive: bool,
    began: Ms,
    frozen_at: Ms,
    pub frozen_until: Ms,
    /// It believes that it leads until then, whoever does.
    pub believes_until: Ms,
    /// By kind: which state its cache shows.
    shows: [usize; 6],
    /// Its watches show nothing new until then.
    pub gap_until: Ms,
    /// Its next list is as old as that.
    pub next_list_is_old: Ms,
    pub fate: Option<Fate>,
    pub memories: BTreeMap<String, Memory>,
    /// The record of a request's target, by uid and target.
    pub of_target: BTreeMap<(String, String), String>,
    /// Requests whose records were asked for in this term.
    pub searched: BTreeSet<String>,
    /// Requests that wait for a record to be closed.
    pub waiting: BTreeMap<String, BTreeSet<usize>>,
    pub backoff: Backoff,
    /// By account: attempts that may have left, by id. Nothing until they were counted.
    pub sent: BTreeMap<usize, BTreeMap<String, Timestamp>>,
    pub given_back: BTreeSet<String>,
    /// What is worked on now; `true` where it changed meanwhile.
    running: BTreeMap<Key, bool>,
    tickets: BTreeMap<Key, u64>,
    last_ticket: u64,
    pub rng: Rng,
}

impl Operator {
    pub fn new(rng: &Rng, number: usize) -> Self {
        Self {
            epoch: 1,
            is_alive: true,
            began: 0,
            frozen_at: 0,
            frozen_until: 0,
            believes_until: 0,
            shows: [0; 6],
            gap_until: 0,
            next_list_is_old: 0,
            fate: None,
            memories: BTreeMap::new(),
            of_target: BTreeMap::new(),
            searched: BTreeSet::new(),
            waiting: BTreeMap::new(),
            backoff: Backoff::default(),
            sent: BTreeMap::new(),
            given_back: BTreeSet::new(),
            running: BTreeMap::new(),
            tickets: BTreeMap::new(),
            last_ticket: 0,
            rng: rng.split(100 + number),
        }
    }
}

impl World {
    /// What a process' cache of one kind shows.
    pub fn cache(&self, operator: usize, kind: Watched) -> Rc<View> {
        self.api.at(self.operators[operator].shows[kind as usize]).clone()
    }

    /// Until when nobody else may lead, as this process believes.
    pub fn held_until(&self, operator: usize) -> Ms {
        let me = &self.operators[operator];
        let by_the_lease = if self.leader == Some((operator, me.epoch)) {
            let has_renewed = self.now >= me.frozen_until + RENEWS_AFTER || me.frozen_until == 0;
            let renewed_at = if has_renewed { self.now } else { me.frozen_at };
            renewed_at + renew_deadline(self.scenario.timing.lease)
        } else {
            0
        };
        by_the_lease.max(me.believes_until)
    }

    pub fn leads(&self, operator: usize) -> bool {
        self.operators[operator].is_alive && self.now < self.held_until(operator)
    }

    /// Another process leads, too: what the lease is there against.
    pub fn another_leads(&self, operator: usize) -> bool {
        (0..self.operators.len()).any(|other| other != operator && self.leads(other))
    }

    /// It was stopped at a moment, and has had no time since then for more than what it was about to do.
    pub fn was_stopped(&self, operator: usize, at: Ms) -> bool {
        let me = &self.operators[operator];
        (me.frozen_at..=me.frozen_until).contains(&at)
            && self.now <= me.frozen_until + 2 * self.scenario.timing.call
    }

    /// It has the lease, and only has to renew it.
    fn may_lead_soon(&self, operator: usize) -> Again {
        let holds = self.leader == Some((operator, self.operators[operator].epoch));
        holds.then_some(Duration::from_millis(2 * RENEWS_AFTER))
    }

    pub fn moment(&self, operator: usize) -> Moment {
        Moment {
            uptime: Duration::from_millis(self.now - self.operators[operator].began),
            wall: wall(self.now),
        }
    }

    /// Works on something now, or once more where it is worked on already.
    pub fn wake(&mut self, operator: usize, key: Key) {
        let me = &mut self.operators[operator];
        if !me.is_alive {
            return;
        }
        if let Some(changed) = me.running.get_mut(&key) {
            *changed = true;
            return;
        }
        me.tickets.remove(&key);
        me.running.insert(key.clone(), false);
        self.to_begin.push((operator, key));
    }

    /// A timer ran out, unless it was set anew meanwhile.
    pub fn wakes(&mut self, operator: usize, epoch: u32, key: Key, ticket: u64) {
        let me = &self.operators[operator];
        if me.epoch == epoch && me.tickets.get(&key) == Some(&ticket) {
            self.wake(operator, key);
        }
    }

    fn pass_ends(&mut self, operator: usize, key: Key, again: Again) {
        let now = self.now;
        let me = &mut self.operators[operator];
        let epoch = me.epoch;
        if me.running.remove(&key) == Some(true) {
            self.wake(operator, key);
        } else if let Some(again) = again {
            me.last_ticket += 1;
            let ticket = me.last_ticket;
            me.tickets.insert(key.clone(), ticket);
            let again = u64::try_from(again.as_millis()).unwrap_or(MINUTE).max(1);
            self.schedule(now + again, Event::Wake { operator, epoch, key, ticket });
        }
    }

    /// A watch catches up; whatever changed is worked on.
    pub fn watch(&mut self, operator: usize, epoch: u32, kind: Watched) {
        let me = &self.operators[operator];
        if !me.is_alive || me.epoch != epoch {
            return;
        }
        let late = me.frozen_until.max(me.gap_until);
        if self.now < late {
            self.schedule(late, Event::Watch { operator, epoch, kind });
            return;
        }
        let before = self.cache(operator, kind);
        self.operators[operator].shows[kind as usize] = self.api.newest();
        let after = self.cache(operator, kind);
        for key in changed(kind, &before, &after) {
            if let Key::Record(name) = &key
                && kind == Watched::Records
                && after.records.get(name).is_some_and(|record| record.spec.closed)
            {
                for name in self.operators[operator].waiting.remove(name).unwrap_or_default() {
                    self.wake(operator, Key::Request(name));
                }
                continue;
            }
            self.wake(operator, key);
        }
    }

    pub fn crashes(&mut self, operator: usize, for_: Ms) {
        if !self.operators[operator].is_alive {
            return;
        }
        self.say("a process crashes", &[operator], String::new);
        self.operators[operator].is_alive = false;
        self.the_lease_may_end(operator);
        self.schedule(self.now + for_, Event::Restarts { operator });
    }

    pub fn freezes(&mut self, operator: usize, for_: Ms) {
        let now = self.now;
        let me = &mut self.operators[operator];
        if !me.is_alive || me.frozen_until > now {
            return;
        }
        (me.frozen_at, me.frozen_until) = (now, now + for_);
        self.say("a process is stopped", &[operator], || format!("for {for_} ms"));
        self.the_lease_may_end(operator);
    }

    pub fn restarts(&mut self, operator: usize) {
        let now = self.now;
        let old = self.operators[operator].next_list_is_old;
        let shown = self.api.index_at(now.saturating_sub(old));
        let me = &mut self.operators[operator];
        let (epoch, rng, gap_until) = (me.epoch + 1, me.rng.clone(), me.gap_until);
        *me = Operator {
            epoch,
            rng,
            gap_until,
            began: now,
            shows: [shown; 6],
            ..Operator::new(&Rng::new(0), 0)
        };
        self.say("a process restarts", &[operator], || format!("its list is {old} ms old"));
        for kind in crate::api::KINDS {
            let late = self.rng.below(self.scenario.timing.watch_lag) + old / 4;
            self.schedule(now + late, Event::Watch { operator, epoch, kind });
        }
        if self.leader.is_none() {
            self.lease_is_over();
        }
    }

    fn the_lease_may_end(&mut self, operator: usize) {
        if self.leader.is_some_and(|(leader, _)| leader == operator) {
            self.schedule(self.now + self.scenario.timing.lease, Event::LeaseIsOver);
        }
    }

    /// Nobody renewed the lease: another one takes it.
    pub fn lease_is_over(&mut self) {
        let now = self.now;
        let is_up = |operator: &Operator| operator.is_alive && operator.frozen_until <= now;
        if let Some((leader, epoch)) = self.leader {
            let leader = &self.operators[leader];
            let was_away = now < leader.frozen_until;
            if leader.is_alive && leader.epoch == epoch && !was_away {
                return;
            }
        }
        match self.operators.iter().position(is_up) {
            Some(next) => {
                self.leader = Some((next, self.operators[next].epoch));
                self.say("another one leads", &[next], String::new);
                self.begins_to_lead(next);
            }
            None => {
                self.leader = None;
                self.schedule(now + SECOND, Event::LeaseIsOver);
            }
        }
    }

    /// Everything is worked on: another process may have sent meanwhile.
    pub fn begins_to_lead(&mut self, operator: usize) {
        self.operators[operator].sent.clear();
        self.operators[operator].searched.clear();
        let view = self.cache(operator, Watched::Requests);
        for name in view.requests.keys() {
            self.wake(operator, Key::Request(*name));
        }
        let view = self.cache(operator, Watched::Records);
        for (name, _) in view.records.iter().filter(|(_, record)| !record.spec.closed) {
            self.wake(operator, Key::Record(name.clone()));
        }
    }
}

/// What is to be worked on after a change.
fn changed(kind: Watched, before: &View, after: &View) -> Vec<Key> {
    let all = || after.requests.keys().map(|name| Key::Request(*name)).collect::<Vec<_>>();
    match kind {
        Watched::Requests => {
            let mut keys = Vec::new();
            for (name, request) in &after.requests {
                let same = before.requests.get(name).is_some_and(|before| {
                    before.uid == request.uid && before.generation == request.generation
                });
                if !same {
                    keys.push(Key::Request(*name));
                }
            }
            // What a removed request left open is finished from its records; so is that of a finished one.
            for request in before.requests.values() {
                let still = after.requests.get(&request.name);
                if still.is_none_or(|still| still.uid != request.uid || still.status.finished) {
                    let records = after.records.values();
                    keys.extend(
                        records
                            .filter(|record| !record.spec.closed && record.spec.request.uid == request.uid)
                            .map(|record| Key::Record(record.name.clone())),
                    );
                }
            }
            keys
        }
        Watched::Records => {
            let of_interest = after.records.iter().filter(|(name, record)| {
                let of_whom = |record: &Stored| (record.spec.closed, record.spec.request.uid.clone());
                before.records.get(*name).is_none_or(|before| of_whom(before) != of_whom(record))
            });
            of_interest.map(|(name, _)| Key::Record(name.clone())).collect()
        }
        Watched::Approvals | Watched::Holds | Watched::Providers | Watched::Policies => all(),
    }
}

/// A process' hold on the world, for its code.
#[derive(Clone)]
pub struct Handle {
    sim: Sim,
    pub operator: usize,
    pub epoch: u32,
}

impl Handle {
    pub fn new(sim: Sim, operator: usize, epoch: u32) -> Self {
        Self { sim, operator, epoch }
    }

    /// The world, between two effects; never held over one.
    pub fn world(&self) -> RefMut<'_, World> {
        self.sim.world()
    }

    pub fn me<T>(&self, with: impl FnOnce(&mut Operator) -> T) -> T {
        with(&mut self.world().operators[self.operator])
    }

    pub fn now(&self) -> Ms {
        self.world().now
    }

    pub fn wall(&self) -> Timestamp {
        wall(self.now())
    }

    pub async fn until(&self, at: Ms) {
        Pause::new(self.sim.clone(), at).await;
    }

    pub async fn pause(&self, for_: Ms) {
        let until = self.now() + for_;
        self.until(until).await;
    }

    /// One way of a call.
    pub async fn half_a_call(&self) {
        let most = self.world().scenario.timing.call;
        let took = self.me(|me| me.rng.between(1, most));
        self.pause(took).await;
    }

    /// A place at which something may happen to this process, or around it.
    pub async fn comes_to(&self, point: Point) {
        self.world().comes_to(self.operator, point);
        self.pause(0).await;
    }

    /// Reads something live.
    pub async fn get<T>(&self, read: impl FnOnce(&World) -> T) -> Result<T, Refusal> {
        self.half_a_call().await;
        let answer = {
            let world = self.world();
            if world.now < world.api.unavailable_until { Err(Refusal::Unanswered) } else { Ok(read(&world)) }
        };
        self.half_a_call().await;
        answer
    }

    /// Writes something.
    pub async fn put<T>(&self, write: impl FnOnce(&mut World) -> Result<T, Refusal>) -> Result<T, Refusal> {
        self.half_a_call().await;
        let answer = {
            let mut world = self.world();
            let unavailable = world.now < world.api.unavailable_until;
            let me = &mut world.operators[self.operator];
            let fate = match me.fate.take() {
                None if unavailable && me.rng.one_in(3) => Some(Fate::Unanswered),
                None if unavailable => Some(Fate::NeverArrives),
                fate => fate,
            };
            match fate {
                None => write(&mut world),
                Some(Fate::NeverArrives) => {
                    world.say("a write never arrives", &[self.operator], String::new);
                    Err(Refusal::Unanswered)
                }
                Some(Fate::Unanswered) => {
                    world.say("a write is not answered", &[self.operator], String::new);
                    let _ = write(&mut world);
                    Err(Refusal::Unanswered)
                }
            }
        };
        self.half_a_call().await;
        answer
    }
}

/// One pass over a request or an open record.
pub async fn pass(handle: Handle, key: Key) {
    let leads = handle.world().leads(handle.operator);
    let again = match &key {
        _ if !leads => handle.world().may_lead_soon(handle.operator),
        Key::Request(name) => request_pass(&handle, *name).await,
        Key::Record(name) => record_pass(&handle, name).await,
    };
    handle.world().pass_ends(handle.operator, key, again);
}
