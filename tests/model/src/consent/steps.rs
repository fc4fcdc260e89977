//! One process, step by step, as the controller works: every judgement is the production code's, only the order is here.
//!
//! turn (read, look, decide) → intent → read everything again → permit, send once → turn …

use stateright::{Model, Property};

use super::{
    brain::{Act, Question, Reply, Reread, Seen as Look, Unread},
    bugs::Bug,
    promises,
    state::{Answer, Kept, Process, Rec, State, Step, TARGETS, bit},
    world::{Action, Turn, World},
};
use crate::{state::Asked, world::Write};

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(usize::from(self.brain.setup.targets), self.bounds.troubles)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.truth.broken != 0 {
            return; // one broken promise is enough
        }
        // What a process does is the same whichever of two equal ones does it.
        let processes = if state.processes[0] == state.processes[1] { 1 } else { 2 };
        for process in 0..processes {
            state.of_process(self, process, actions);
        }
        state.around(self, actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        state.act(self, action)?;
        for (target, customer) in (0..).zip(state.customers) {
            state.truth.gone |= if customer == 0 { bit(target) } else { 0 };
        }
        if state.finished {
            promises::is_true(self, &mut state);
        }
        let state = state.in_order(self);
        if state == *last {
            return None;
        }
        self.note(last, &state, action);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("every promise is kept", |_, state: &State| state.truth.broken == 0)]
    }
}

impl State {
    fn of_process(&self, world: &World, process: u8, actions: &mut Vec<Action>) {
        let me = &self.processes[usize::from(process)];
        let trouble = self.troubles > 0;
        match me.step {
            Step::Idle => self.turns(world, process, actions),
            Step::Ending { .. } => actions.push(Action::ReadOnceMore { process }),
            Step::Telling { .. } => actions.push(Action::Tell { process }),
            Step::Ordered { .. } => {
                actions.push(Action::Intend { process, write: Write::Answered });
                if trouble {
                    actions.push(Action::Intend { process, write: Write::Unanswered });
                    actions.push(Action::Intend { process, write: Write::Lost });
                }
            }
            Step::Unsure { .. } => actions.push(Action::ReadBack { process }),
            Step::Intended { order, .. } => {
                actions.push(Action::ReadEverythingAgain { process, unread: Unread::Nothing });
                if trouble {
                    let attended =
                        world.brain.given(order).is_some_and(|given| given.order.demands.required > 0);
                    let limited = world.brain.setup.budget.is_some();
                    for (possible, unread) in [
                        (true, Unread::Request),
                        (true, Unread::Look),
                        (true, Unread::Holds),
                        (attended, Unread::Approvals),
                        (attended, Unread::Policies),
                        (limited, Unread::Budget),
                    ] {
                        if possible {
                            actions.push(Action::ReadEverythingAgain { process, unread });
                        }
                    }
                }
            }
            Step::Reread { .. } => actions.push(Action::Send { process }),
            Step::Sent { .. } if trouble => actions.push(Action::GiveUp { process }),
            Step::Sent { .. } => {}
        }
        if me.step != me.step.too_late() {
            actions.push(Action::DeadlinePasses { process });
        }
        if trouble && (me.step != Step::Idle || me.kept.is_some()) {
            actions.push(Action::Crash { process });
        }
    }

    fn turns(&self, world: &World, process: u8, actions: &mut Vec<Action>) {
        let fresh = Turn { alone: None, stale: false, unread: Unread::Nothing, late: false };
        if self.is_over() {
            for target in 0..world.brain.setup.targets {
                if world.shelf.is_open(self.recs[usize::from(target)]) {
                    self.turns_on(world, process, Turn { alone: Some(target), ..fresh }, actions);
                }
            }
        } else {
            self.turns_on(world, process, fresh, actions);
        }
        let trouble = self.troubles > 0;
        if trouble && self.before != self.people && self.before.asked != Asked::Deleted && !self.finished {
            self.turns_on(world, process, Turn { stale: true, ..fresh }, actions);
        }
        if trouble && !self.is_over() {
            for unread in [Unread::Look, Unread::Holds, Unread::Approvals, Unread::Policies] {
                self.turns_on(world, process, Turn { unread, ..fresh }, actions);
            }
        }
    }

    fn turns_on(&self, world: &World, process: u8, turn: Turn, actions: &mut Vec<Action>) {
        let (_, reply) = self.ask(world, process, turn);
        actions.push(Action::Turn { process, turn });
        if reply.waits_for_a_clock {
            actions.push(Action::Turn { process, turn: Turn { late: true, ..turn } });
        }
    }

    /// The production code is asked, once without and where it matters once more with looks.
    pub fn ask(&self, world: &World, process: u8, turn: Turn) -> (Question, Reply) {
        let me = self.processes[usize::from(process)];
        let mut question = Question {
            alone: turn.alone,
            people: if turn.stale { self.before } else { self.people },
            unread: turn.unread,
            told: if turn.alone.is_some() { 0 } else { self.told },
            recs: self.recs,
            kept: me.kept,
            seen: [Look::Nothing; TARGETS],
            mem: me.mem,
            hour_ago: self.hour_ago,
            late: turn.late,
        };
        let reply = world.brain.reply(&world.shelf, question);
        if reply.wants == [false; TARGETS] {
            return (question, reply);
        }
        for target in (0..TARGETS).filter(|target| reply.wants[*target]) {
            question.seen[target] = match turn.unread {
                Unread::Look => Look::Silence,
                _ => Look::Shown(self.customers[target]),
            };
        }
        (question, world.brain.reply(&world.shelf, question))
    }

    fn act(&mut self, world: &World, action: Action) -> Option<()> {
        match action {
            Action::Turn { process, turn } => {
                self.troubles -= u8::from(turn.stale || turn.unread != Unread::Nothing);
                self.turn(world, process, turn)?;
            }
            Action::ReadOnceMore { process } => self.read_once_more(world, usize::from(process))?,
            Action::Tell { process } => self.tell(world, usize::from(process))?,
            Action::Intend { process, write } => {
                self.troubles -= u8::from(write != Write::Answered);
                self.intend(world, usize::from(process), write)?;
            }
            Action::ReadBack { process } => self.read_back(world, usize::from(process))?,
            Action::ReadEverythingAgain { process, unread } => {
                self.troubles -= u8::from(unread != Unread::Nothing);
                self.read_everything_again(world, usize::from(process), unread)?;
            }
            Action::Send { process } => self.send(world, usize::from(process))?,
            Action::GiveUp { process } => {
                self.troubles -= 1;
                let me = &mut self.processes[usize::from(process)];
                let Step::Sent { target, n } = me.step else { return None };
                me.kept = Some(Kept { target, n, answer: Answer::Unknown });
                me.step = Step::Idle;
            }
            Action::Crash { process } => {
                self.troubles -= 1;
                self.processes[usize::from(process)] = Process::NEW;
            }
            Action::DeadlinePasses { process } => {
                let me = &mut self.processes[usize::from(process)];
                me.step = me.step.too_late();
            }
            other => self.happens(world, other)?,
        }
        Some(())
    }

    fn turn(&mut self, world: &World, process: u8, turn: Turn) -> Option<()> {
        let me = usize::from(process);
        let (question, reply) = self.ask(world, process, turn);
        self.processes[me].mem = reply.mem;
        let fresh = !turn.stale || self.before.asked == self.people.asked;
        if world.bounds.remembers && turn.alone.is_none() {
            self.truth.lived |= reply.waits;
        }
        match reply.act {
            Act::Order(order) => {
                let given = world.brain.given(order)?;
                let rec = question.recs[usize::from(given.target)];
                if world.shelf.last_n(rec) < world.bounds.intents {
                    promises::on_order(world, self, &question, &given);
                    self.processes[me].step = Step::Ordered { order, rec };
                }
            }
            Act::Save => {
                let kept = self.processes[me].kept?;
                let rec = self.recs[usize::from(kept.target)];
                let written = world.shelf.outcome(rec, kept.n, kept.answer)?;
                self.write(world, kept.target, rec, written);
                self.processes[me].kept = None;
            }
            Act::Close { target, ending } => {
                let rec = self.recs[usize::from(target)];
                let kept = self.processes[me].kept.filter(|kept| kept.target == target);
                let saved = kept.and_then(|kept| world.shelf.outcome(rec, kept.n, kept.answer));
                let closed = world.shelf.close(saved.unwrap_or(rec), target, world.brain.ending(ending)?);
                self.write(world, target, rec, closed);
                if kept.is_some() {
                    self.processes[me].kept = None;
                }
            }
            Act::Finish { ending } if turn.alone.is_none() && fresh => {
                let seen = self.seen();
                self.processes[me].step = if self.all_closed(world) {
                    Step::Telling { ending, seen }
                } else {
                    Step::Ending { recs: self.recs, ending, seen }
                };
            }
            Act::Finish { .. } => {}
            Act::Nothing => {
                if reply.plan != 0 && turn.alone.is_none() && fresh && !self.finished {
                    self.told = reply.plan;
                }
            }
        }
        Some(())
    }

    fn all_closed(&self, world: &World) -> bool {
        (0..usize::from(world.brain.setup.targets)).all(|target| self.is_closed(world, target))
    }

    fn is_closed(&self, world: &World, target: usize) -> bool {
        world.shelf.get(self.recs[target]).is_some_and(|kept| kept.closed.is_some())
    }

    /// An end that no closed record proves is told only where no record has changed. Read and told at once: what another leader
    /// writes between the two is met by nothing, and the lease is all that keeps it away (see the module's own words).
    fn read_once_more(&mut self, world: &World, me: usize) -> Option<()> {
        let Step::Ending { recs, ending, seen } = self.processes[me].step else { return None };
        let unchanged =
            (0..usize::from(world.brain.setup.targets)).all(|target| recs[target] == self.recs[target]);
        let goes_on = unchanged || world.has(Bug::EndsWithoutReadingTheRecordsAgain);
        self.processes[me].step = if goes_on { Step::Telling { ending, seen } } else { Step::Idle };
        if goes_on { self.tell(world, me) } else { Some(()) }
    }

    /// The status, over exactly the request that was read.
    fn tell(&mut self, world: &World, me: usize) -> Option<()> {
        let Step::Telling { ending, seen } = self.processes[me].step else { return None };
        self.processes[me].step = Step::Idle;
        if self.seen() == seen && seen.asked != Asked::Deleted && !seen.finished {
            self.finished = true;
            promises::on_told(world, self, ending);
        }
        Some(())
    }

    /// A record, over exactly the one that was read.
    fn write(&mut self, world: &World, target: u8, read: Rec, written: Rec) -> bool {
        let slot = usize::from(target);
        if self.recs[slot] != read && !world.has(Bug::WritesWithoutResourceVersion) {
            return false;
        }
        let before = std::mem::replace(&mut self.recs[slot], written);
        promises::on_write(world, self, slot, before, written);
        true
    }

    fn intend(&mut self, world: &World, me: usize, write: Write) -> Option<()> {
        let Step::Ordered { order, rec } = self.processes[me].step else { return None };
        let given = world.brain.given(order)?;
        let n = world.shelf.last_n(rec) + 1;
        let written = world.shelf.intent(rec, given.target, order, &given.order);
        let committed = write != Write::Lost && self.write(world, given.target, rec, written);
        self.processes[me].step = match write {
            Write::Answered if committed => Step::Intended { order, n, late: false },
            Write::Answered => Step::Idle,
            Write::Unanswered | Write::Lost => Step::Unsure { order, n, committed, late: false },
        };
        Some(())
    }

    /// After a write without an answer: is the record's last attempt ours, and is there still time?
    fn read_back(&mut self, world: &World, me: usize) -> Option<()> {
        let Step::Unsure { order, n, committed, late } = self.processes[me].step else { return None };
        let target = usize::from(world.brain.given(order)?.target);
        let last = world.shelf.last_n(self.recs[target]) == n && world.shelf.is_open(self.recs[target]);
        let goes_on = last && committed && world.brain.permits(late);
        self.processes[me].step = if goes_on { Step::Intended { order, n, late } } else { Step::Idle };
        Some(())
    }

    fn not_sent(&mut self, me: usize, target: u8, n: u8) {
        self.processes[me].kept = Some(Kept { target, n, answer: Answer::NotSent });
        self.processes[me].step = Step::Idle;
    }

    /// The customer, and at once the request, its provider object, holds, approvals, policies and the budget.
    fn read_everything_again(&mut self, world: &World, me: usize, unread: Unread) -> Option<()> {
        let Step::Intended { order, n, late } = self.processes[me].step else { return None };
        let given = world.brain.given(order)?;
        let target = usize::from(given.target);
        let mut people = self.people;
        if self.finished {
            people.asked = Asked::Deleted;
        }
        // What another target's provider object says is not read.
        let other = 1 - target;
        people.places[other] = super::state::Place::default();
        people.held &= bit(given.target);
        let recent = match world.brain.setup.budget {
            Some(_) => world.brain.recent_now(&world.shelf, self.recs, self.hour_ago),
            None => 0,
        };
        let reread = Reread { order, people, unread, customer: self.customers[target], recent };
        if world.brain.nothing_changed(reread) {
            let broken = promises::on_reread(world, self, &given, unread == Unread::Nothing);
            self.processes[me].step = Step::Reread { order, n, late, broken };
        } else {
            self.not_sent(me, given.target, n);
        }
        Some(())
    }

    /// The permit, and at once the one request that it is for.
    fn send(&mut self, world: &World, me: usize) -> Option<()> {
        let Step::Reread { order, n, late, broken } = self.processes[me].step else { return None };
        let given = world.brain.given(order)?;
        if !world.brain.permits(late && !world.has(Bug::SendsAfterTheDeadline)) {
            self.not_sent(me, given.target, n);
            return Some(());
        }
        self.truth.broken |= broken;
        promises::on_send(world, self, &given, n);
        let about = if given.order.fingerprint.0.ends_with('2') { 2 } else { 1 };
        self.flights[usize::from(given.target)] = Some((n, about));
        self.processes[me].step = Step::Sent { target: given.target, n };
        Some(())
    }

    /// The one state that stands for all that differ from it in nothing that matters.
    fn in_order(mut self, world: &World) -> Self {
        if self.troubles == 0 {
            self.before = self.people; // old copies are read only as a trouble
        }
        let recs = self.recs;
        let open = recs.map(|rec| if world.shelf.is_open(rec) { world.shelf.last_n(rec) } else { 0 });
        for process in &mut self.processes {
            let superseded = |kept: &Kept| {
                world.shelf.outcome(recs[usize::from(kept.target)], kept.n, kept.answer).is_none()
            };
            if process.kept.as_ref().is_some_and(superseded) {
                process.kept = None;
            }
            for (mem, open) in process.mem.iter_mut().zip(open) {
                if mem.attempt != open {
                    *mem = super::state::Mem::default();
                }
            }
        }
        for (target, rec) in recs.into_iter().enumerate() {
            let last = world.shelf.last_n(rec);
            self.truth.sent[target] &= bit(last);
        }
        if self.is_over() {
            (self.told, self.before) = (0, self.people);
        }
        self.processes.sort_unstable();
        self
    }
}
