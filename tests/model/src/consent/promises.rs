//! What must hold in every history. Each promise is a bit of `Truth::broken`, set where it is broken.

use offboarding::{
    api::{OffboardingResult, Reason},
    domain::{Ending, Facts, Outcome},
};

use super::{
    brain::{Given, KEPT, Question, Seen, content_of},
    setup::uid_text,
    shelf::spent_bit,
    state::{Age, Asked, Policies, Rec, State, bit},
    world::World,
};

/// The invariants of `reliability.md` section 4 that concern people, holds, budgets and several targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// S1, S2: enough people, none of them the author, agree to what is sent, when everything is read after the intent.
    Approved,
    /// S1: nobody said no by then.
    NotDenied,
    /// S3: nothing was stopped, held or finished by then.
    NothingAfterAStop,
    /// S9: what nobody answered is no yes.
    SilenceIsNoYes,
    /// S4: at the send the record is open, and the attempt is its last, without an outcome.
    WrittenAhead,
    /// S5: an attempt is sent once, one is in flight, none follows an accepted one, at most three may have left.
    SentOnce,
    /// S6: a deletion hits the customer that it is about.
    TheRightCustomer,
    /// S8: attempts, outcomes and ends only move forward.
    NothingMovesBack,
    /// S10: no record is closed while its request is in flight.
    SettledBeforeClosed,
    /// S8: a status tells an end that is true.
    TheStatusIsTrue,
    /// Nothing is begun before every target is clear, under way or done.
    TheBarrier,
    /// What comes first is done first, and done well.
    TheOrder,
    /// An account never sees more deletions in an hour than its limit.
    TheBudget,
}

pub const PROMISES: &[(&str, Promise)] = &[
    ("approved", Promise::Approved),
    ("not denied", Promise::NotDenied),
    ("nothing after a stop", Promise::NothingAfterAStop),
    ("silence is no yes", Promise::SilenceIsNoYes),
    ("written ahead", Promise::WrittenAhead),
    ("sent once", Promise::SentOnce),
    ("the right customer", Promise::TheRightCustomer),
    ("nothing moves back", Promise::NothingMovesBack),
    ("settled before closed", Promise::SettledBeforeClosed),
    ("the status is true", Promise::TheStatusIsTrue),
    ("the barrier", Promise::TheBarrier),
    ("the order", Promise::TheOrder),
    ("the budget", Promise::TheBudget),
];

impl Promise {
    pub const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// Names of the promises that a state breaks.
pub fn broken(state: &State) -> Vec<&'static str> {
    let broken = |promise: &&(&'static str, Promise)| state.truth.broken & promise.1.bit() != 0;
    PROMISES.iter().filter(broken).map(|promise| promise.0).collect()
}

impl State {
    pub fn requires(&mut self, holds: bool, promise: Promise) {
        if !holds {
            self.truth.broken |= promise.bit();
        }
    }
}

/// Everything was read again, and is said to be unchanged: which promises a send would break.
pub fn on_reread(world: &World, state: &State, given: &Given, answered: bool) -> u16 {
    let target = usize::from(given.target);
    let people = &state.people;
    let place = people.places[target];
    let stopped = people.asked != Asked::Standing
        || state.finished
        || place.suspended
        || people.held & bit(given.target) != 0;
    [
        (!is_approved(world, state, given), Promise::Approved),
        (people.denied, Promise::NotDenied),
        (stopped, Promise::NothingAfterAStop),
        (!answered, Promise::SilenceIsNoYes),
    ]
    .into_iter()
    .filter(|(breaks, _)| *breaks)
    .fold(0, |broken, (_, promise)| broken | promise.bit())
}

/// S1, word by word, from the truth: approvals of this request, for what is there now, by enough people.
fn is_approved(world: &World, state: &State, given: &Given) -> bool {
    let setup = world.brain.setup;
    let Some(plan) = world.brain.made(given.plan) else { return false };
    let target = usize::from(given.target);
    let places = &state.people.places;
    let now = content_of(places[target], state.customers[target]);
    let targets = usize::from(setup.targets);
    let need = setup.need(&plan.places[..targets]).max(setup.need_of(target, places[target]));
    if plan.content[target] != now {
        return false;
    }
    if need == 0 {
        return true;
    }
    let used = |slot: usize, generation: u8| {
        let uid = uid_text(slot, generation);
        given.order.approvals.iter().any(|approval| approval.uid == uid)
    };
    let refused_on = world.shelf.get(state.recs[target]).map_or(0, |kept| kept.spent);
    let mut said_yes = [false; 4];
    let mut counted = 0;
    for (slot, approval) in state.people.approvals.iter().enumerate() {
        let Some(approval) = approval.filter(|approval| used(slot, approval.generation)) else { continue };
        let about = world.brain.made(approval.plan);
        let same = about.is_some_and(|about| {
            (0..targets).all(|at| {
                about.content[at] == plan.content[at] || about.content[at] == KEPT || plan.content[at] == KEPT
            })
        });
        let person = [0, 1, 1, 3][slot];
        let is_author = person == 0 && setup.author_is_known;
        let number = u8::try_from(slot).unwrap_or(u8::MAX);
        let spent = refused_on & spent_bit(number, approval.generation) != 0;
        if same && approval.age == Age::Valid && !is_author && !spent && !said_yes[person] {
            said_yes[person] = true;
            counted += 1;
        }
    }
    counted >= need && state.people.policies == Policies::InForce
}

/// A deletion is ordered on what was seen.
pub fn on_order(world: &World, state: &mut State, question: &Question, given: &Given) {
    for other in (0..world.brain.setup.targets).filter(|other| *other != given.target) {
        let slot = usize::from(other);
        let place = question.people.places[slot];
        let stands = !place.suspended && !place.blocked && question.people.held & bit(other) == 0;
        let found = matches!(question.seen[slot], Seen::Shown(_));
        let begun_or_done = world.shelf.get(question.recs[slot]).is_some_and(|kept| {
            let last = kept.record().and_then(|record| record.last());
            kept.closed.is_some() || last.is_some_and(|last| last.may_matter())
        });
        state.requires(begun_or_done || (stands && found), Promise::TheBarrier);
    }
}

/// An attempt leaves.
pub fn on_send(world: &World, state: &mut State, given: &Given, n: u8) {
    let target = usize::from(given.target);
    let (sent, setup) = (state.truth.sent[target], world.brain.setup);
    let kept = world.shelf.get(state.recs[target]);
    let written = kept.as_ref().is_some_and(|kept| kept.waits_for(n));
    state.requires(written, Promise::WrittenAhead);
    let attempts = kept.as_ref().and_then(|kept| kept.record()).map_or(&[][..], |record| &record.attempts);
    let accepted = attempts.iter().any(|attempt| attempt.outcome == Some(Outcome::Accepted));
    let left = attempts.iter().filter(|attempt| attempt.may_have_left()).count();
    let alone = state.flights[target].is_none();
    state.requires(sent & bit(n) == 0 && alone && !accepted && left <= 3, Promise::SentOnce);
    if setup.in_order && given.target == 1 {
        let first = world.shelf.get(state.recs[0]).and_then(|kept| kept.closed);
        let done = first.map_or(state.customers[0] == 0, Ending::is_success);
        state.requires(done, Promise::TheOrder);
    }
    state.truth.sent[target] |= bit(n);
    if let Some(limit) = setup.budget {
        state.truth.sent_in_the_hour += 1;
        state.requires(state.truth.sent_in_the_hour <= limit, Promise::TheBudget);
    }
}

/// A record is replaced.
pub fn on_write(world: &World, state: &mut State, target: usize, before: Rec, after: Rec) {
    let (before, after) = (world.shelf.get(before), world.shelf.get(after));
    let Some(after) = after else { return };
    let forward = before.is_none_or(|before| before.moves_forward_to(&after));
    state.requires(forward && matches!(after.facts, Facts::Mine(_)), Promise::NothingMovesBack);
    let Some(ending) = after.closed else { return };
    state.requires(state.flights[target].is_none(), Promise::SettledBeforeClosed);
    let gone = state.truth.gone & bit(after.target) != 0;
    state.requires(!ending.is_success() || gone, Promise::TheStatusIsTrue);
}

/// A status says that the request is finished.
pub fn on_told(world: &World, state: &mut State, number: u8) {
    state.truth.told = number;
    is_true(world, state);
}

/// What the status tells is true: a success of nobody who is there, and nothing done where it was cancelled or failed. What was
/// done must be told, also where only a part was.
pub fn is_true(world: &World, state: &mut State) {
    let Some(ending) = world.brain.ending(state.truth.told) else { return };
    let targets = 0..world.brain.setup.targets;
    let gone = |target: u8| state.truth.gone & bit(target) != 0;
    let done = state.truth.executed != 0;
    let holds = match ending.result {
        OffboardingResult::Failed if ending.because == Reason::Recreated => true,
        OffboardingResult::Cancelled | OffboardingResult::Failed => !done,
        OffboardingResult::PartiallyDone | OffboardingResult::Recreated => true,
        _ => targets.into_iter().all(gone),
    };
    state.requires(holds, Promise::TheStatusIsTrue);
}
