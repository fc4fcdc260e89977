//! The world around the production code: people, holds, provider objects, policies, time. What may happen, and what it leads to.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{
    brain::{Brain, Unread},
    bugs::Bug,
    goals::GOALS,
    setup::Setup,
    shelf::Shelf,
    state::{Age, Answer, Kept, State, Step, TARGETS, bit},
};
use crate::world::{Write, note};

/// One turn of one process: read everything, look where it matters, decide, and do one thing. It happens at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Turn {
    /// One target alone: its request is over, its record is open.
    pub alone: Option<u8>,
    /// The caches show what was before the last change.
    pub stale: bool,
    pub unread: Unread,
    /// The wall clock says that every pause and deadline is over.
    pub late: bool,
}

/// Everything that can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    // a process
    Turn { process: u8, turn: Turn },
    ReadOnceMore { process: u8 },
    Tell { process: u8 },
    Intend { process: u8, write: Write },
    ReadBack { process: u8 },
    ReadEverythingAgain { process: u8, unread: Unread },
    Send { process: u8 },
    // troubles of a process
    Crash { process: u8 },
    GiveUp { process: u8 },
    // time
    DeadlinePasses { process: u8 },
    WindowPasses,
    HourPasses,
    CoolingOffPasses,
    ApprovalIsOver { slot: u8 },
    // the provider
    Execute { target: u8 },
    Lose { target: u8 },
    Refuse { target: u8 },
    // people who agree
    Approve { slot: u8 },
    ApproveAnew { slot: u8 },
    ApproveAnotherRequest { slot: u8 },
    Withdraw { slot: u8 },
    ApprovalEnds { slot: u8 },
    Deny,
    TakeTheDenialBack,
    LosePolicies,
    MendPolicies,
    // people who stop
    Hold { target: u8 },
    Release { target: u8 },
    Suspend,
    Resume,
    Cancel,
    Delete,
    SuspendProvider { target: u8 },
    ResumeProvider { target: u8 },
    // people who change what is agreed to
    Edit { target: u8 },
    Raise { target: u8 },
    Lower { target: u8 },
    Block { target: u8 },
    Unblock { target: u8 },
    OutsiderDeletes { target: u8 },
    OutsiderRecreates { target: u8 },
}

/// How much may happen in one history.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub troubles: u8,
    /// Intents at each target.
    pub intents: u8,
    /// What was waited for is remembered, so that a goal can say that it ended well.
    pub remembers: bool,
}

/// One model: a setup, bounds, and perhaps a missing rule.
pub struct World {
    pub shelf: Shelf,
    pub brain: Brain,
    pub bounds: Bounds,
    fired: AtomicU64,
    reached: AtomicU64,
    waited: AtomicU64,
}

impl World {
    pub fn new(setup: Setup, bounds: Bounds, bug: Option<Bug>) -> Self {
        Self {
            shelf: Shelf::default(),
            brain: Brain::new(setup, bug),
            bounds,
            fired: AtomicU64::default(),
            reached: AtomicU64::default(),
            waited: AtomicU64::default(),
        }
    }

    pub fn has(&self, bug: Bug) -> bool {
        self.brain.bug == Some(bug)
    }

    /// For the goals, and so that nothing in the model is dead.
    pub fn note(&self, last: &State, state: &State, action: Action) {
        note(&self.fired, number_of_kind(action));
        let reached = self.reached.load(Ordering::Relaxed);
        for (number, (_, goal)) in GOALS.iter().enumerate() {
            if reached & (1 << number) == 0 && goal(self, last, state, action) {
                note(&self.reached, number);
            }
        }
        let ended_well = || self.brain.ending(state.truth.told).is_some_and(|ending| ending.is_success());
        if state.truth.lived != 0 && state.finished && !last.finished && ended_well() {
            self.waited.fetch_or(u64::from(state.truth.lived), Ordering::Relaxed);
        }
    }

    pub fn goals(&self) -> BTreeSet<&'static str> {
        let reached = self.reached.load(Ordering::Relaxed);
        let numbered = GOALS.iter().enumerate();
        numbered.filter(|(number, _)| reached & (1 << number) != 0).map(|(_, goal)| goal.0).collect()
    }

    /// What was waited for in a history that ended well.
    pub fn waited(&self) -> BTreeSet<&'static str> {
        let waited = self.waited.load(Ordering::Relaxed);
        let numbered = super::words::WAITS.iter().enumerate();
        numbered.filter(|(number, _)| waited & (1 << number) != 0).map(|(_, name)| *name).collect()
    }

    /// Kinds of actions that never happened.
    pub fn never_fired(&self) -> BTreeSet<String> {
        let fired = self.fired.load(Ordering::Relaxed);
        let never = EVERY_ACTION.iter().filter(|action| fired & (1 << number_of_kind(**action)) == 0);
        never.map(|action| kind_of(*action)).collect()
    }
}

fn kind_of(action: Action) -> String {
    format!("{action:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}

const FRESH: Turn = Turn { alone: None, stale: false, unread: Unread::Nothing, late: false };

/// One of each kind.
const EVERY_ACTION: &[Action] = &[
    Action::Turn { process: 0, turn: FRESH },
    Action::ReadOnceMore { process: 0 },
    Action::Tell { process: 0 },
    Action::Intend { process: 0, write: Write::Answered },
    Action::ReadBack { process: 0 },
    Action::ReadEverythingAgain { process: 0, unread: Unread::Nothing },
    Action::Send { process: 0 },
    Action::Crash { process: 0 },
    Action::GiveUp { process: 0 },
    Action::DeadlinePasses { process: 0 },
    Action::WindowPasses,
    Action::HourPasses,
    Action::CoolingOffPasses,
    Action::ApprovalIsOver { slot: 0 },
    Action::Execute { target: 0 },
    Action::Lose { target: 0 },
    Action::Refuse { target: 0 },
    Action::Approve { slot: 0 },
    Action::ApproveAnew { slot: 0 },
    Action::ApproveAnotherRequest { slot: 0 },
    Action::Withdraw { slot: 0 },
    Action::ApprovalEnds { slot: 0 },
    Action::Deny,
    Action::TakeTheDenialBack,
    Action::LosePolicies,
    Action::MendPolicies,
    Action::Hold { target: 0 },
    Action::Release { target: 0 },
    Action::Suspend,
    Action::Resume,
    Action::Cancel,
    Action::Delete,
    Action::SuspendProvider { target: 0 },
    Action::ResumeProvider { target: 0 },
    Action::Edit { target: 0 },
    Action::Raise { target: 0 },
    Action::Lower { target: 0 },
    Action::Block { target: 0 },
    Action::Unblock { target: 0 },
    Action::OutsiderDeletes { target: 0 },
    Action::OutsiderRecreates { target: 0 },
];

fn number_of_kind(action: Action) -> usize {
    let same = |known: &Action| std::mem::discriminant(known) == std::mem::discriminant(&action);
    EVERY_ACTION.iter().position(same).unwrap_or(63)
}

impl State {
    /// What can happen around the processes.
    pub fn around(&self, world: &World, actions: &mut Vec<Action>) {
        let trouble = self.troubles > 0;
        for target in (0..world.brain.setup.targets).filter(|at| self.flights[usize::from(*at)].is_some()) {
            actions.push(Action::Execute { target });
            if trouble {
                actions.extend([Action::Lose { target }, Action::Refuse { target }]);
            }
        }
        actions.push(Action::WindowPasses);
        if world.brain.setup.budget.is_some() {
            actions.push(Action::HourPasses);
        }
        if self.people.approvals.iter().flatten().any(|approval| approval.age == Age::Young) {
            actions.push(Action::CoolingOffPasses);
        }
        self.mending(world, actions);
        self.agreeing(world, actions);
        if trouble && !self.finished {
            self.troubling(world, actions);
        }
    }

    /// What happens around the processes; `None` where it changes nothing.
    pub fn happens(&mut self, world: &World, action: Action) -> Option<()> {
        let before = self.people;
        match action {
            Action::WindowPasses => self.window_passes()?,
            Action::HourPasses => self.hour_passes(world)?,
            Action::Execute { target } => self.execute(usize::from(target))?,
            Action::Lose { target } => {
                self.troubles -= 1;
                let (n, _) = self.flights[usize::from(target)].take()?;
                self.answer(target, n, Answer::Unknown);
            }
            Action::Refuse { target } => {
                self.troubles -= 1;
                let (n, _) = self.flights[usize::from(target)].take()?;
                self.answer(target, n, Answer::Refused);
            }
            Action::OutsiderDeletes { target } => {
                self.troubles -= 1;
                self.customers[usize::from(target)] = 0;
            }
            Action::OutsiderRecreates { target } => {
                self.troubles -= 1;
                self.customers[usize::from(target)] = 2;
                self.truth.second |= bit(target);
            }
            other => {
                self.troubles -= u8::from(super::people::is_trouble(other));
                let told = self.told;
                self.people.change(world.brain.setup.cooling_off, other, told)?;
            }
        }
        if self.people != before {
            self.before = before;
        }
        Some(())
    }

    /// What the sender hears, if it still listens.
    fn answer(&mut self, target: u8, n: u8, answer: Answer) {
        for process in &mut self.processes {
            if process.step == (Step::Sent { target, n }) {
                process.kept = Some(Kept { target, n, answer });
                process.step = Step::Idle;
            }
        }
    }

    fn execute(&mut self, target: usize) -> Option<()> {
        let (n, about) = self.flights[target].take()?;
        let number = u8::try_from(target).unwrap_or(0);
        if self.customers[target] == 0 {
            self.answer(number, n, Answer::Unknown);
            return Some(());
        }
        self.requires(self.customers[target] == about, super::promises::Promise::TheRightCustomer);
        self.truth.executed |= bit(number);
        self.customers[target] = 0;
        self.answer(number, n, Answer::Accepted);
        Some(())
    }

    /// The settle window is over for everything that is known by now (E3: so nothing of it is in flight any more).
    fn window_passes(&mut self) -> Option<()> {
        if self.flights.iter().any(Option::is_some) {
            return None;
        }
        for process in &mut self.processes {
            for mem in &mut process.mem {
                mem.settled = mem.attempt > 0;
            }
            process.step = process.step.too_late();
        }
        Some(())
    }

    fn hour_passes(&mut self, world: &World) -> Option<()> {
        self.window_passes()?;
        for target in 0..TARGETS {
            let last = world.shelf.last_n(self.recs[target]);
            self.hour_ago[target] = (1..=last).fold(0, |bits, n| bits | bit(n));
        }
        self.truth.sent_in_the_hour = 0;
        Some(())
    }
}
