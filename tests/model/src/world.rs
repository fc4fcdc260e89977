//! The world around the production code: an API server, a provider, people, time. What may happen, and what it leads to.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
};

use offboarding::domain::{Ending, Facts};

use super::{
    brain::{Brain, Kind, Seen},
    bugs::Bug,
    promises::GOALS,
    shelf::{Kept, Shelf},
    state::{Answer, Asked, Customer, MOST, Rec, Refusal, Request, State, Step, bit},
};

/// What a look is answered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Read {
    Fresh,
    /// A read that does not show the last write yet.
    Lagging,
    /// No answer.
    Silent,
}

/// What becomes of a write to the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Write {
    Answered,
    /// Written, and the answer is lost.
    Unanswered,
    /// Not written, and no answer.
    Lost,
}

/// How old what a turn reads from the API server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Copies {
    Fresh,
    OldRequest,
    OldRecord,
}

/// One turn of one process for one request: read request and record, look where it matters, decide, and do one thing.
///
/// It happens at once: whatever changes between its reads and its write is met by the write (it replaces exactly what was
/// read) or by the reads after the intent; an intent is a step of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Turn {
    pub request: u8,
    pub copy: Copies,
    pub read: Read,
    /// The wall clock says that every pause and deadline is over.
    pub late: bool,
}

/// Everything that can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    // a process
    Turn { process: u8, turn: Turn },
    ReadOnceMore { process: u8 },
    Intend { process: u8, write: Write },
    ReadBack { process: u8 },
    ReadEverythingAgain { process: u8, read: Read },
    Send { process: u8 },
    // troubles of a process
    Crash { process: u8 },
    GiveUp { process: u8 },
    // time
    DeadlinePasses { process: u8 },
    LagPasses,
    WindowPasses,
    // the provider
    Execute { slot: u8 },
    Lose { slot: u8 },
    Pretend { slot: u8 },
    Refuse { slot: u8, refusal: Refusal },
    Sync,
    // people
    Suspend { request: u8 },
    Resume { request: u8 },
    Cancel { request: u8 },
    Delete { request: u8 },
    SuspendProvider,
    ResumeProvider,
    Rotate { credential: u8 },
    RotateBack,
    Move,
    MoveBack,
    BreakControl,
    MendControl,
    // others at the provider
    OutsiderDeletes,
    OutsiderRestores,
    OutsiderRecreates,
}

/// The name of an action, without what it is about.
pub fn kind_of(action: Action) -> String {
    let text = format!("{action:?}");
    text.chars().take_while(char::is_ascii_alphanumeric).collect()
}

/// One model: a provider, bounds, and perhaps a missing rule.
pub struct World {
    pub shelf: Shelf,
    pub brain: Brain,
    pub bounds: Bounds,
    fired: AtomicU64,
    reached: AtomicU64,
    endings: std::sync::Mutex<Vec<Ending>>,
}

/// How much may happen in one history.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub troubles: u8,
    pub requests: u8,
    pub intents: u8,
    pub processes: u8,
    /// Only what becomes of requests in flight, nothing else.
    pub only_the_network: bool,
}

impl World {
    pub fn new(kind: Kind, bounds: Bounds, bug: Option<Bug>) -> Self {
        Self {
            shelf: Shelf::new(Brain::mode(kind)),
            brain: Brain::new(kind, bug),
            bounds,
            fired: AtomicU64::default(),
            reached: AtomicU64::default(),
            endings: std::sync::Mutex::default(),
        }
    }

    pub fn has(&self, bug: Bug) -> bool {
        self.brain.bug == Some(bug)
    }

    /// A small number for an ending.
    pub fn number_of(&self, ending: Ending) -> u8 {
        let mut endings = self.endings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let at = endings.iter().position(|known| *known == ending).unwrap_or_else(|| {
            endings.push(ending);
            endings.len() - 1
        });
        u8::try_from(at + 1).unwrap_or(u8::MAX)
    }

    pub fn ending(&self, number: u8) -> Option<Ending> {
        let endings = self.endings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        endings.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// Reads a record while another one is being read.
    pub fn shelf_two(&self, rec: Rec, look: impl FnOnce(&Kept) -> bool) -> bool {
        self.shelf.read(rec, look).unwrap_or(true)
    }

    /// Whether the record is another request's by now, and still says how this one ended.
    pub fn was_earlier(&self, rec: Rec, request: u8) -> bool {
        self.shelf.owner(rec) != request && matches!(self.shelf.facts(rec, request), Facts::Mine(_))
    }

    /// What a look shows: through another address or account the customer was never known.
    pub fn shown(&self, state: &State, read: Read) -> Seen {
        let customer = match read {
            Read::Silent => return Seen::Silence,
            _ if !state.place.is_original() => Customer::Absent,
            Read::Fresh => state.customer,
            Read::Lagging => state.replica,
        };
        let long_ago = match customer {
            Customer::Absent => false,
            Customer::First | Customer::Inactive => state.aged[0],
            Customer::Second => state.aged[1],
        };
        Seen::Shown { customer, long_ago }
    }

    pub fn reads(&self, state: &State) -> impl Iterator<Item = Read> {
        let lagging = state.place.is_original() && state.customer != state.replica;
        let silent = state.troubles > 0 && !self.bounds.only_the_network;
        [(Read::Fresh, true), (Read::Lagging, lagging), (Read::Silent, silent)]
            .into_iter()
            .filter_map(|(read, possible)| possible.then_some(read))
    }

    /// For the goals, and so that nothing in the model is dead.
    pub fn note(&self, last: &State, state: &State, action: Action) {
        note(&self.fired, number_of_kind(action));
        let reached = self.reached.load(Ordering::Relaxed);
        let told = state.rec != last.rec || state.requests != last.requests;
        for (number, (_, goal)) in GOALS.iter().enumerate() {
            let about_processes = number == 0;
            if reached & (1 << number) == 0 && (told || about_processes) && goal(self, state) {
                note(&self.reached, number);
            }
        }
    }

    pub fn goals(&self) -> BTreeSet<&'static str> {
        let reached = self.reached.load(Ordering::Relaxed);
        GOALS
            .iter()
            .enumerate()
            .filter(|(number, _)| reached & (1 << number) != 0)
            .map(|(_, goal)| goal.0)
            .collect()
    }

    /// Kinds of actions that never happened.
    pub fn never_fired(&self) -> BTreeSet<String> {
        let fired = self.fired.load(Ordering::Relaxed);
        let never = EVERY_ACTION.iter().filter(|action| fired & (1 << number_of_kind(**action)) == 0);
        never.map(|action| kind_of(*action)).collect()
    }
}

pub fn note(set: &AtomicU64, number: usize) {
    if set.load(Ordering::Relaxed) & (1 << number) == 0 {
        set.fetch_or(1 << number, Ordering::Relaxed);
    }
}

/// One of each kind.
const EVERY_ACTION: &[Action] = &[
    Action::Turn {
        process: 0,
        turn: Turn { request: 1, copy: Copies::Fresh, read: Read::Fresh, late: false },
    },
    Action::ReadOnceMore { process: 0 },
    Action::Intend { process: 0, write: Write::Answered },
    Action::ReadBack { process: 0 },
    Action::ReadEverythingAgain { process: 0, read: Read::Fresh },
    Action::Send { process: 0 },
    Action::Crash { process: 0 },
    Action::GiveUp { process: 0 },
    Action::DeadlinePasses { process: 0 },
    Action::LagPasses,
    Action::WindowPasses,
    Action::Execute { slot: 0 },
    Action::Lose { slot: 0 },
    Action::Pretend { slot: 0 },
    Action::Refuse { slot: 0, refusal: Refusal::Auth },
    Action::Sync,
    Action::Suspend { request: 1 },
    Action::Resume { request: 1 },
    Action::Cancel { request: 1 },
    Action::Delete { request: 1 },
    Action::SuspendProvider,
    Action::ResumeProvider,
    Action::Rotate { credential: 1 },
    Action::RotateBack,
    Action::Move,
    Action::MoveBack,
    Action::BreakControl,
    Action::MendControl,
    Action::OutsiderDeletes,
    Action::OutsiderRestores,
    Action::OutsiderRecreates,
];

fn number_of_kind(action: Action) -> usize {
    let same = |known: &Action| std::mem::discriminant(known) == std::mem::discriminant(&action);
    EVERY_ACTION.iter().position(same).unwrap_or(63)
}

impl State {
    /// What can happen around the processes.
    pub fn around(&self, world: &World, actions: &mut Vec<Action>) {
        let trouble = self.troubles > 0;
        for (slot, _) in self.in_flight() {
            let slot = u8::try_from(slot).unwrap_or(0);
            actions.push(Action::Execute { slot });
            if trouble {
                actions.extend([Action::Lose { slot }, Action::Pretend { slot }]);
                let refusals = [Refusal::Auth, Refusal::RateLimited, Refusal::Conflict];
                actions.extend(refusals.map(|refusal| Action::Refuse { slot, refusal }));
            }
        }
        if self.replica != self.customer {
            actions.push(Action::Sync);
        }
        actions.extend([Action::LagPasses, Action::WindowPasses]);
        if world.bounds.only_the_network {
            return;
        }
        self.mending(actions);
        if trouble {
            self.troubling(actions);
        }
    }

    fn mending(&self, actions: &mut Vec<Action>) {
        for request in 1..=2 {
            if self.request(request).asked == Asked::Suspended {
                actions.push(Action::Resume { request });
            }
        }
        for (needed, action) in [
            (self.place.suspended, Action::ResumeProvider),
            (self.place.credential != 0, Action::RotateBack),
            (self.place.moved, Action::MoveBack),
            (self.place.control_broken, Action::MendControl),
        ] {
            if needed {
                actions.push(action);
            }
        }
    }

    fn troubling(&self, actions: &mut Vec<Action>) {
        for request in 1..=2 {
            let Request { asked, finished } = self.request(request);
            if asked == Asked::Standing && !finished {
                actions.push(Action::Suspend { request });
            }
            if matches!(asked, Asked::Standing | Asked::Suspended) && !finished {
                actions.push(Action::Cancel { request });
            }
            if matches!(asked, Asked::Standing | Asked::Suspended | Asked::Cancelled) {
                actions.push(Action::Delete { request });
            }
        }
        for (possible, action) in [
            (!self.place.suspended, Action::SuspendProvider),
            (self.place.credential == 0, Action::Rotate { credential: 1 }),
            (self.place.credential == 0, Action::Rotate { credential: 2 }),
            (!self.place.moved, Action::Move),
            (!self.place.control_broken, Action::BreakControl),
            (self.customer != Customer::Absent, Action::OutsiderDeletes),
            (self.can_be_restored(), Action::OutsiderRestores),
            (self.is_quiet() && self.customer == Customer::Absent, Action::OutsiderRecreates),
        ] {
            if possible {
                actions.push(action);
            }
        }
    }

    fn can_be_restored(&self) -> bool {
        !self.truth.ever_second && matches!(self.customer, Customer::Absent | Customer::Inactive)
    }

    /// E6: nobody creates the same id again while an attempt may still be executed.
    fn is_quiet(&self) -> bool {
        let started = self.truth.about.iter().enumerate().filter(|(_, about)| **about != 0);
        started.into_iter().all(|(n, _)| self.truth.settled & (1 << n) != 0)
    }

    /// What happens around the processes; `None` where it changes nothing.
    pub fn happens(&mut self, world: &World, action: Action) -> Option<()> {
        match action {
            Action::Execute { slot } => self.execute(world, usize::from(slot))?,
            Action::Lose { slot } => {
                let flight = self.take(usize::from(slot))?;
                self.troubles -= 1;
                self.answer(flight.n, Answer::Unknown);
            }
            Action::Pretend { slot } => {
                let flight = self.take(usize::from(slot))?;
                self.troubles -= 1;
                self.answer(flight.n, Answer::Accepted);
            }
            Action::Refuse { slot, refusal } => {
                let flight = self.take(usize::from(slot))?;
                self.troubles -= 1;
                self.answer(flight.n, Answer::Refused(refusal));
            }
            Action::Sync => self.replica = self.customer,
            Action::LagPasses => self.lag_passes()?,
            Action::WindowPasses => self.window_passes(world)?,
            Action::Resume { request } => self.ask(request, Asked::Standing),
            Action::ResumeProvider => self.place.suspended = false,
            Action::RotateBack => self.place.credential = 0,
            Action::MoveBack => self.place.moved = false,
            Action::MendControl => self.place.control_broken = false,
            trouble => {
                self.troubles -= 1;
                self.suffer(trouble);
            }
        }
        Some(())
    }

    fn suffer(&mut self, trouble: Action) {
        match trouble {
            Action::Suspend { request } => self.ask(request, Asked::Suspended),
            Action::Cancel { request } => self.ask(request, Asked::Cancelled),
            Action::Delete { request } => self.ask(request, Asked::Deleted),
            Action::SuspendProvider => self.place.suspended = true,
            Action::Rotate { credential } => self.place.credential = credential,
            Action::Move => self.place.moved = true,
            Action::BreakControl => self.place.control_broken = true,
            Action::OutsiderDeletes => self.customer = Customer::Absent,
            // E6 for both: not within the lag before an intent or a look that counts, so every read shows it.
            Action::OutsiderRestores => {
                (self.customer, self.replica) = (Customer::First, Customer::First);
                self.truth.restored = true;
            }
            Action::OutsiderRecreates => {
                (self.customer, self.replica) = (Customer::Second, Customer::Second);
                self.aged[1] = false;
            }
            _ => {}
        }
    }

    fn ask(&mut self, request: u8, asked: Asked) {
        let before = self.request(request);
        self.change_request(request, Request { asked, ..before });
    }

    fn take(&mut self, slot: usize) -> Option<super::state::Flight> {
        self.flights[slot].take()
    }

    /// What the sender hears, if it still listens.
    fn answer(&mut self, n: u8, answer: Answer) {
        for process in &mut self.processes {
            if process.step == (Step::Sent { n }) {
                process.kept = Some((n, answer));
                process.step = Step::Idle;
            }
        }
    }

    fn execute(&mut self, world: &World, slot: usize) -> Option<()> {
        let flight = self.take(slot)?;
        let place = super::state::Place {
            moved: flight.order.moved,
            credential: flight.order.credential,
            suspended: false,
            control_broken: false,
        };
        if !place.is_original() || matches!(self.customer, Customer::Absent | Customer::Inactive) {
            self.answer(flight.n, Answer::AlreadyGone);
            return Some(());
        }
        if self.customer.identity() != flight.order.customer {
            self.breaks(super::promises::Promise::TheRightCustomer);
        }
        self.truth.executed |= bit(flight.n);
        let deactivates = world.brain.kind != Kind::Hard && self.customer == Customer::First;
        self.customer = if deactivates { Customer::Inactive } else { Customer::Absent };
        self.answer(flight.n, Answer::Accepted);
        Some(())
    }

    /// The lag is over for everything that is known by now (E4: so every read shows every write until now).
    fn lag_passes(&mut self) -> Option<()> {
        (self.replica == self.customer).then_some(())?;
        for process in &mut self.processes {
            let mem = &mut process.mem;
            mem.attempt_age = mem.attempt_age.max(u8::from(mem.attempt > 0));
            mem.present_age = u8::from(mem.present > 0);
            mem.gone_age = u8::from(mem.gone > 0);
        }
        self.age();
        Some(())
    }

    /// The settle window is over for everything that is known by now (E3: so nothing of it is in flight any more).
    fn window_passes(&mut self, world: &World) -> Option<()> {
        let fresh = self.replica == self.customer || world.has(Bug::WindowWithoutTheLag);
        let landed = self.in_flight().next().is_none() || world.has(Bug::WindowWithoutTheLifetime);
        (fresh && landed).then_some(())?;
        for process in &mut self.processes {
            let mem = &mut process.mem;
            mem.attempt_age = if mem.attempt > 0 { 2 } else { 0 };
            mem.present_age = u8::from(mem.present > 0);
            mem.gone_age = u8::from(mem.gone > 0);
            if !world.has(Bug::WindowWithoutTheSendDeadline) {
                process.step = process.step.too_late();
            }
        }
        for n in 1..=MOST {
            if self.truth.about[n] != 0 {
                self.truth.settled |= 1 << n;
            }
        }
        self.age();
        Some(())
    }

    fn age(&mut self) {
        match self.customer {
            Customer::Absent => {}
            Customer::First | Customer::Inactive => self.aged[0] = true,
            Customer::Second => self.aged[1] = true,
        }
    }

    /// What became true, for the promises alone.
    pub fn remember_the_truth(&mut self) {
        let customer = self.customer;
        self.truth.ever_absent |= customer == Customer::Absent || customer == Customer::Inactive;
        self.truth.ever_second |= customer == Customer::Second;
        self.truth.ever_elsewhere |= !self.place.is_original();
        for n in 1..=MOST {
            let about = self.truth.about[n];
            if about != 0 && !customer.is_untouched(about) {
                self.truth.gone_since |= 1 << n;
            }
        }
    }
}

impl Step {
    /// The same, after the send deadline.
    pub fn too_late(self) -> Self {
        match self {
            Step::Unsure { order, n, committed, .. } => Step::Unsure { order, n, committed, late: true },
            Step::Intended { order, n, .. } => Step::Intended { order, n, late: true },
            Step::Reread { order, n, .. } => Step::Reread { order, n, late: true },
            other => other,
        }
    }
}
