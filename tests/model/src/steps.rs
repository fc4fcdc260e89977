//! One process, step by step, as the controller works: every judgement is the production code's, only the order is here.
//!
//! turn (read, look, decide) → intent → read everything again → permit, send once → turn …

use offboarding::domain::{Effect, Ending, Facts, Next, Outcome, Waiting};
use stateright::{Model, Property};

use super::{
    brain::{Question, Reply, Seen, last_outcome},
    bugs::Bug,
    promises::{self, PROMISES},
    state::{Answer, Asked, Customer, Flight, MOST, Order, Place, Rec, Request, State, Step, bit},
    world::{Action, Copies, Read, Turn, World, Write},
};

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let known = State::new(Customer::First, self.bounds.troubles, self.bounds.requests);
        let created_a_moment_ago = State::new(Customer::Absent, self.bounds.troubles, self.bounds.requests);
        vec![known, created_a_moment_ago]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for process in 0..self.bounds.processes {
            state.of_process(self, process, actions);
        }
        state.around(self, actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        if last.truth.broken != 0 {
            return None; // one broken promise is enough
        }
        let mut state = last.clone();
        state.act(self, action)?;
        state.remember_the_truth();
        promises::on_anything(self, &mut state);
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

/// Names of the promises that a state breaks.
pub fn broken(state: &State) -> Vec<&'static str> {
    let broken = |promise: &&(&'static str, promises::Promise)| state.truth.broken & promise.1.bit() != 0;
    PROMISES.iter().filter(broken).map(|promise| promise.0).collect()
}

impl State {
    fn of_process(&self, world: &World, process: u8, actions: &mut Vec<Action>) {
        let me = &self.processes[usize::from(process)];
        let trouble = self.troubles > 0 && !world.bounds.only_the_network;
        match me.step {
            Step::Idle => self.turns(world, process, actions),
            Step::Ending { .. } => actions.push(Action::ReadOnceMore { process }),
            Step::Ordered { .. } => {
                actions.push(Action::Intend { process, write: Write::Answered });
                if trouble {
                    actions.push(Action::Intend { process, write: Write::Unanswered });
                    actions.push(Action::Intend { process, write: Write::Lost });
                }
            }
            Step::Unsure { .. } => actions.push(Action::ReadBack { process }),
            Step::Intended { .. } => {
                actions.extend(world.reads(self).map(|read| Action::ReadEverythingAgain { process, read }));
            }
            Step::Reread { .. } => actions.push(Action::Send { process }),
            Step::Sent { .. } if self.troubles > 0 => actions.push(Action::GiveUp { process }),
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
        let stale = self.troubles > 0 && !world.bounds.only_the_network;
        for request in 1..=2 {
            let slot = usize::from(request) - 1;
            let (now, before) = (self.requests[slot], self.old_requests[slot]);
            let work = self.is_work(world, request);
            for (copy, possible) in [
                (Copies::Fresh, work),
                (Copies::OldRecord, stale && self.rec != self.old_rec && work),
                (Copies::OldRequest, stale && before != now && is_unfinished(before)),
            ] {
                if possible {
                    self.turns_on(world, process, request, copy, actions);
                }
            }
        }
    }

    /// Whether there is something to do: a request that is not finished, or an open record whose request is gone or told to be.
    pub fn is_work(&self, world: &World, request: u8) -> bool {
        let orphan = world.shelf.owner(self.rec) == request && world.shelf.is_open(self.rec);
        orphan || is_unfinished(self.request(request))
    }

    fn turns_on(&self, world: &World, process: u8, request: u8, copy: Copies, actions: &mut Vec<Action>) {
        let turn = |read, late| Action::Turn { process, turn: Turn { request, copy, read, late } };
        let bare = self.question(world, process, request, copy);
        let wants_a_look = world.brain.reply(&world.shelf, bare).wants_a_look;
        let reads = world.reads(self).filter(|read| wants_a_look || *read == Read::Fresh);
        let reads = reads.filter(|read| *read != Read::Silent || copy == Copies::Fresh || self.troubles > 1);
        for read in reads {
            actions.push(turn(read, false));
            let seen = if wants_a_look { world.shown(self, read) } else { Seen::Nothing };
            let reply = world.brain.reply(&world.shelf, Question { seen, ..bare });
            if reply.waits_for_a_clock() || world.has(Bug::CountsTheWindowByTheWallClock) {
                actions.push(turn(read, true));
            }
        }
    }

    fn copies(&self, request: u8, copy: Copies) -> (Request, Rec) {
        let slot = usize::from(request) - 1;
        match copy {
            Copies::Fresh => (self.requests[slot], self.rec),
            Copies::OldRequest => (self.old_requests[slot], self.rec),
            Copies::OldRecord => (self.requests[slot], self.old_rec),
        }
    }

    /// What a turn asks before it looks.
    fn question(&self, world: &World, process: u8, request: u8, copy: Copies) -> Question {
        let me = self.processes[usize::from(process)];
        let (asked, rec) = self.copies(request, copy);
        let kept = me.kept.filter(|(n, answer)| {
            world.shelf.last_n(rec) == *n
                && world.shelf.owner(rec) == request
                && world.shelf.outcome(rec, *n, *answer).is_some()
        });
        Question {
            request,
            asked: if asked.finished { Asked::Deleted } else { asked.asked },
            rec,
            kept: kept.map(|(_, answer)| answer),
            seen: Seen::Nothing,
            place: self.place,
            mem: me.mem,
            late: false,
        }
    }

    fn act(&mut self, world: &World, action: Action) -> Option<()> {
        match action {
            Action::Turn { process, turn } => {
                self.troubles -= u8::from(turn.read == Read::Silent) + u8::from(turn.copy != Copies::Fresh);
                self.turn(world, process, turn)?;
            }
            Action::ReadOnceMore { process } => self.read_once_more(world, usize::from(process)),
            Action::Intend { process, write } => {
                self.troubles -= u8::from(write != Write::Answered);
                self.intend(world, usize::from(process), write)?;
            }
            Action::ReadBack { process } => self.read_back(world, usize::from(process))?,
            Action::ReadEverythingAgain { process, read } => {
                self.troubles -= u8::from(read == Read::Silent);
                self.read_everything_again(world, usize::from(process), read)?;
            }
            Action::Send { process } => self.send(world, usize::from(process))?,
            Action::GiveUp { process } => {
                self.troubles -= 1;
                self.give_up(world, usize::from(process))?;
            }
            Action::Crash { process } => {
                self.troubles -= 1;
                self.processes[usize::from(process)] = super::state::Process::NEW;
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
        let Turn { request, copy, read, late } = turn;
        let (seen, rec) = self.copies(request, copy);
        let written_or_superseded = |(n, answer)| world.shelf.outcome(rec, n, answer).is_none();
        if copy != Copies::OldRecord && self.processes[me].kept.is_some_and(written_or_superseded) {
            self.processes[me].kept = None;
        }
        let mut question = Question { late, ..self.question(world, process, request, copy) };
        let mut reply = world.brain.reply(&world.shelf, question);
        if reply.wants_a_look {
            question.seen = world.shown(self, read);
            reply = world.brain.reply(&world.shelf, question);
        }
        self.processes[me].mem = reply.mem;
        if world.has(Bug::TidiesUpForOthers) && seen.asked == Asked::Deleted {
            let facts = world.shelf.facts(rec, request);
            if last_outcome(&facts) == Some(None) {
                self.processes[me].kept = Some((world.shelf.last_n(rec), Answer::NotSent));
                return Some(());
            }
        }
        match (&reply.next, world.wrongly_orders(&question, &reply)) {
            (_, Some(customer)) => self.order(world, me, &question, customer),
            (Next::Do(Effect::Delete(order)), _) => {
                let customer = if order.fingerprint.0.ends_with('2') { 2 } else { 1 };
                self.order(world, me, &question, customer);
            }
            (Next::Do(Effect::SaveOutcome), _) => {
                let (n, answer) = self.processes[me].kept?;
                let written = world.shelf.outcome(rec, n, answer)?;
                if self.write(world, rec, written) {
                    self.processes[me].kept = None;
                }
            }
            (Next::Do(Effect::Close(ending)), _) => self.close(world, me, &question, rec, seen, *ending),
            (Next::Finished(ending), _) => self.end(world, me, request, seen, rec, *ending),
            (Next::Wait(_) | Next::Stop(_), _) => {}
        }
        Some(())
    }

    fn order(&mut self, world: &World, me: usize, question: &Question, customer: u8) {
        if world.shelf.last_n(question.rec) >= world.bounds.intents {
            return; // the bound of this run
        }
        let Question { request, rec, place, .. } = *question;
        let order = Order { request, customer, moved: place.moved, credential: place.credential };
        self.processes[me].step = Step::Ordered { order, rec };
    }

    fn close(
        &mut self,
        world: &World,
        me: usize,
        question: &Question,
        rec: Rec,
        seen: Request,
        ending: Ending,
    ) {
        let kept = question.kept.zip(self.processes[me].kept);
        let saved = kept.and_then(|(answer, (n, _))| world.shelf.outcome(rec, n, answer)).unwrap_or(rec);
        let closed = world.shelf.close(saved, question.request, question.place.moved, ending);
        if world.has(Bug::TellsTheEndBeforeTheRecordIsClosed) {
            self.tell(world, question.request, seen, ending);
        }
        if self.write(world, rec, closed) {
            self.processes[me].kept = None;
        }
    }

    /// A request ends: by the record that says so, or without one, and then the record is read once more.
    fn end(&mut self, world: &World, me: usize, request: u8, seen: Request, rec: Rec, ending: Ending) {
        let by_the_record = matches!(world.shelf.facts(rec, request), Facts::Mine(_));
        if by_the_record || world.has(Bug::EndsWithoutReadingTheRecordAgain) {
            self.tell(world, request, seen, ending);
        } else {
            let ending = world.number_of(ending);
            self.processes[me].step = Step::Ending { request, seen, rec, ending };
        }
    }

    fn read_once_more(&mut self, world: &World, me: usize) {
        let Step::Ending { request, seen, rec, ending } = self.processes[me].step else { return };
        self.processes[me].step = Step::Idle;
        if let Some(ending) = world.ending(ending).filter(|_| self.rec == rec) {
            self.tell(world, request, seen, ending);
        }
    }

    /// The status, over exactly the request that was read.
    fn tell(&mut self, world: &World, request: u8, seen: Request, ending: Ending) {
        if self.request(request) != seen || seen.asked == Asked::Deleted || seen.finished {
            return;
        }
        self.change_request(request, Request { finished: true, ..seen });
        promises::on_told(world, self, request, ending);
    }

    /// A record, over exactly the one that was read.
    fn write(&mut self, world: &World, read: Rec, written: Rec) -> bool {
        if self.rec != read && !world.has(Bug::WritesWithoutResourceVersion) {
            return false;
        }
        (self.old_rec, self.rec) = (self.rec, written);
        promises::on_write(world, self, self.old_rec, written);
        true
    }

    fn intend(&mut self, world: &World, me: usize, write: Write) -> Option<()> {
        let Step::Ordered { order, rec } = self.processes[me].step else { return None };
        let n = world.shelf.last_n(rec) + 1;
        let ahead = !world.has(Bug::SendsBeforeTheRecordExists);
        let committed =
            write != Write::Lost && ahead && self.write(world, rec, world.shelf.intent(rec, order));
        if committed || !ahead {
            self.begin(world, n, order);
        }
        self.processes[me].step = match write {
            Write::Answered if committed || !ahead => Step::Intended { order, n, late: false },
            Write::Answered if world.has(Bug::DerivesTheAttemptId) => {
                Step::Unsure { order, n, committed, late: false }
            }
            Write::Answered => Step::Idle,
            Write::Unanswered | Write::Lost => Step::Unsure { order, n, committed, late: false },
        };
        Some(())
    }

    /// For the promises: what was true when the intent was committed.
    fn begin(&mut self, world: &World, n: u8, order: Order) {
        if promises::is_stopped(world, self, order.request) {
            self.truth.stopped |= bit(n);
        }
        self.truth.about[usize::from(n)] = order.customer;
        self.truth.settled &= !bit(n);
    }

    /// After a write without an answer: is the record's last attempt ours, and is there still time?
    fn read_back(&mut self, world: &World, me: usize) -> Option<()> {
        let Step::Unsure { order, n, committed, late } = self.processes[me].step else { return None };
        let last = world.shelf.last_n(self.rec) == n && world.shelf.is_open(self.rec);
        let ours = (last && (committed || world.has(Bug::DerivesTheAttemptId)))
            || world.has(Bug::TakesNoAnswerForYes);
        let goes_on = ours && world.brain.permits(late);
        self.processes[me].step = if goes_on { Step::Intended { order, n, late } } else { Step::Idle };
        Some(())
    }

    fn not_sent(&mut self, me: usize, n: u8) {
        self.processes[me].kept = Some((n, Answer::NotSent));
        self.processes[me].step = Step::Idle;
    }

    /// The customer, the request, the provider object and its Secret, live.
    fn read_everything_again(&mut self, world: &World, me: usize, read: Read) -> Option<()> {
        let Step::Intended { order, n, late } = self.processes[me].step else { return None };
        let asked = match self.request(order.request) {
            _ if world.has(Bug::DoesNotReadTheRequestAgain) => Asked::Standing,
            Request { finished: true, .. } if !world.has(Bug::ForgetsThatARequestIsFinished) => {
                Asked::Deleted
            }
            Request { asked, .. } => asked,
        };
        let mut place = Place { control_broken: false, ..self.place };
        if world.has(Bug::DoesNotReadTheProviderAgain) {
            place.suspended = false;
        }
        let customer = if order.customer == 2 { Customer::Second } else { Customer::First };
        let seen = match world.shown(self, read) {
            _ if world.has(Bug::DoesNotLookAgain) => Seen::Shown { customer, long_ago: false },
            Seen::Shown { customer, .. } => Seen::Shown { customer, long_ago: false },
            seen => seen,
        };
        if world.brain.nothing_changed(order, asked, place, seen) {
            self.processes[me].step = Step::Reread { order, n, late };
        } else {
            self.not_sent(me, n);
        }
        Some(())
    }

    /// The permit, and at once the one request that it is for.
    fn send(&mut self, world: &World, me: usize) -> Option<()> {
        let Step::Reread { order, n, late } = self.processes[me].step else { return None };
        if !world.brain.permits(late && !world.has(Bug::IgnoresTheSendDeadline)) {
            self.not_sent(me, n);
            return Some(());
        }
        let flight = Flight { n, order };
        promises::on_send(world, self, flight);
        *self.flights.iter_mut().find(|slot| slot.is_none())? = Some(flight);
        self.processes[me].step = Step::Sent { n };
        Some(())
    }

    /// No answer within the request deadline, whatever becomes of the request.
    fn give_up(&mut self, world: &World, me: usize) -> Option<()> {
        let Step::Sent { n } = self.processes[me].step else { return None };
        if world.has(Bug::KeepsThePermitForARetry) {
            let order = self.in_flight().find(|(_, flight)| flight.n == n)?.1.order;
            self.processes[me].step = Step::Reread { order, n, late: false };
            return Some(());
        }
        self.processes[me].kept = Some((n, Answer::Unknown));
        self.processes[me].step = Step::Idle;
        Some(())
    }
}

fn is_unfinished(request: Request) -> bool {
    matches!(request.asked, Asked::Standing | Asked::Suspended | Asked::Cancelled) && !request.finished
}

impl Reply {
    /// Whether it waits for a time on the wall clock.
    pub fn waits_for_a_clock(&self) -> bool {
        use offboarding::domain::Blocked;
        matches!(
            self.next,
            Next::Wait(Waiting::Retry { .. } | Waiting::AuthRefused { .. } | Waiting::StillThere { .. })
                | Next::Stop(Blocked::Refused { .. })
        )
    }
}

impl World {
    /// Deletions that only a missing rule lets through: the customer, where one is ordered.
    fn wrongly_orders(&self, question: &Question, reply: &Reply) -> Option<u8> {
        use offboarding::api::Reason;
        let Seen::Shown { customer, .. } = question.seen else { return None };
        let there = Some(customer.identity()).filter(|identity| *identity != 0);
        let standing = question.asked == Asked::Standing;
        match &reply.next {
            Next::Wait(Waiting::StillThere { .. }) if self.has(Bug::SendsAgainAfterAccepted) && standing => {
                let facts = self.shelf.facts(question.rec, question.request);
                let saved = last_outcome(&facts) == Some(Some(&Outcome::Accepted));
                there.filter(|_| saved)
            }
            Next::Do(Effect::Close(Ending { because: Reason::AttemptsExhausted, .. }))
                if self.has(Bug::TriesForEver) && standing =>
            {
                there
            }
            _ => None,
        }
    }
}

/// Intents that a run may write, as a bound of the arrays.
const _: () = assert!(MOST >= 5);
