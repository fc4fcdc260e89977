//! What must hold in every history. Each promise is a bit of `Truth::broken`, set where it is broken.

use offboarding::{
    api::{OffboardingResult, Reason},
    domain::{Ending, Facts, Outcome, OutcomeWord, Record},
};

use super::{
    brain::Kind,
    shelf::Kept,
    state::{Asked, Flight, Process, Request, State, Step, bit},
    world::World,
};

/// The invariants of `reliability.md` section 4 that concern what is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// S6: a deletion hits the customer that it is about.
    TheRightCustomer,
    /// S3: nothing is sent for what was stopped, withdrawn or finished before the intent, and ever since.
    NothingAfterAStop,
    /// S4: at the send the record is open, and the attempt is its last, without an outcome.
    WrittenAhead,
    /// S5: an attempt is sent at most once.
    SentOnce,
    /// S5: at most one request is in flight.
    OneInFlight,
    /// S5: nothing is sent after an accepted deletion of the same request.
    NothingAfterAccepted,
    /// S5: at most three attempts of a request may have left.
    AtMostThree,
    /// S7, S9: a success is told only of a customer that is really gone.
    NoFalseSuccess,
    /// Re-created, still there, not found, already gone: no end is told that is not true.
    NoFalseEnd,
    /// S8: attempts, outcomes and ends only move forward.
    NothingMovesBack,
    /// S10: no record is closed while its request is in flight.
    SettledBeforeClosed,
    /// S8: a status tells the end that the record says; where nothing was sent, in other words perhaps.
    TheStatusIsTrue,
    /// What we wrote we can read.
    EveryRecordIsReadable,
}

pub const PROMISES: &[(&str, Promise)] = &[
    ("the right customer", Promise::TheRightCustomer),
    ("nothing after a stop", Promise::NothingAfterAStop),
    ("written ahead", Promise::WrittenAhead),
    ("sent once", Promise::SentOnce),
    ("one in flight", Promise::OneInFlight),
    ("nothing after accepted", Promise::NothingAfterAccepted),
    ("at most three", Promise::AtMostThree),
    ("no false success", Promise::NoFalseSuccess),
    ("no false end", Promise::NoFalseEnd),
    ("nothing moves back", Promise::NothingMovesBack),
    ("settled before closed", Promise::SettledBeforeClosed),
    ("the status is true", Promise::TheStatusIsTrue),
    ("every record is readable", Promise::EveryRecordIsReadable),
];

impl Promise {
    pub const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl State {
    pub fn breaks(&mut self, promise: Promise) {
        self.truth.broken |= promise.bit();
    }

    fn requires(&mut self, holds: bool, promise: Promise) {
        if !holds {
            self.breaks(promise);
        }
    }
}

/// An attempt leaves.
pub fn on_send(world: &World, state: &mut State, flight: Flight) {
    let n = flight.n;
    state.requires(state.truth.sent & bit(n) == 0, Promise::SentOnce);
    state.requires(state.truth.stopped & bit(n) == 0, Promise::NothingAfterAStop);
    let alone = state.in_flight().next().is_none();
    state.requires(alone, Promise::OneInFlight);
    let (written, after_accepted, left) =
        world.shelf.read(state.rec, |kept| of_the_record(kept, n)).unwrap_or((false, false, 0));
    state.requires(written, Promise::WrittenAhead);
    state.requires(!after_accepted, Promise::NothingAfterAccepted);
    state.requires(left <= 3, Promise::AtMostThree);
    state.truth.sent |= bit(n);
}

/// Whether nothing may be sent for a request now: people stopped it, or it has ended.
pub fn is_stopped(world: &World, state: &State, request: u8) -> bool {
    let Request { asked, finished } = state.request(request);
    asked != Asked::Standing
        || finished
        || state.place.suspended
        || state.truth.told[usize::from(request) - 1] != 0
        || world.was_earlier(state.rec, request)
}

/// A request that goes on again was not stopped.
pub fn on_anything(world: &World, state: &mut State) {
    for process in state.processes {
        if let Some((n, request)) = process.step.holds()
            && !is_stopped(world, state, request)
        {
            state.truth.stopped &= !bit(n);
        }
    }
}

fn of_the_record(kept: &Kept, n: u8) -> (bool, bool, usize) {
    let attempts = kept.record().map_or(&[][..], |record| &record.attempts);
    let accepted = attempts.iter().any(|attempt| attempt.outcome == Some(Outcome::Accepted));
    (kept.waits_for(n), accepted, kept.record().map_or(0, Record::may_have_left))
}

/// A record is replaced.
pub fn on_write(world: &World, state: &mut State, before: u16, after: u16) {
    let forward = world.shelf.read(after, |after| {
        (
            before == 0 || world.shelf_two(before, |before| moves_forward(before, after)),
            after.record().is_some(),
        )
    });
    let (forward, readable) = forward.unwrap_or((true, true));
    state.requires(forward, Promise::NothingMovesBack);
    state.requires(readable, Promise::EveryRecordIsReadable);
    let ending = world
        .shelf
        .read(after, |kept| (kept.owner, kept.closed))
        .and_then(|(owner, closed)| Some((owner, closed?)));
    if let Some((owner, ending)) = ending {
        let landed = state.in_flight().next().is_none();
        state.requires(landed, Promise::SettledBeforeClosed);
        on_end(world, state, owner, ending);
        let told = world.ending(state.truth.told[usize::from(owner) - 1]);
        let agrees = told.is_none_or(|told| told == ending || did_nothing(world, state, after));
        state.requires(agrees, Promise::TheStatusIsTrue);
    }
}

/// A record that was begun when its request had just ended without one: nothing of it was sent.
fn did_nothing(world: &World, state: &State, rec: u16) -> bool {
    let of_the_record = |kept: &Kept| {
        let attempts = kept.record().map_or(&[][..], |record| &record.attempts);
        attempts.iter().all(|attempt| state.truth.sent & (1 << attempt.n) == 0)
    };
    world.shelf.read(rec, of_the_record).unwrap_or(false)
}

fn moves_forward(before: &Kept, after: &Kept) -> bool {
    if after.last_n < before.last_n {
        return false;
    }
    if before.owner != after.owner {
        return before.closed.is_some();
    }
    if before.closed.is_some() {
        return after.closed == before.closed && after.last_n == before.last_n;
    }
    let (Some(earlier), Some(later)) = (before.record(), after.record()) else { return true };
    earlier.attempts.iter().all(|attempt| {
        let level = |outcome: &Option<Outcome>| outcome.as_ref().map(Outcome::word);
        let same = later.attempts.iter().find(|same| same.n == attempt.n);
        match same {
            Some(same) => same.id == attempt.id && level(&same.outcome) >= level(&attempt.outcome),
            None => level(&attempt.outcome) == Some(OutcomeWord::NotSent), // folded
        }
    })
}

/// A request ends, by its record or by its status alone.
pub fn on_end(world: &World, state: &mut State, request: u8, ending: Ending) {
    let truth = state.truth;
    let last = world
        .shelf
        .read(state.rec, |kept| (kept.owner == request).then_some(kept.last_n))
        .flatten()
        .unwrap_or(0);
    let holds = |set: u8| set & bit(last) != 0;
    match (ending.result, ending.because) {
        (
            OffboardingResult::Erased
            | OffboardingResult::ErasedWithRetention
            | OffboardingResult::Deactivated,
            _,
        ) => {
            state.requires(last > 0 && holds(truth.gone_since), Promise::NoFalseSuccess);
        }
        (OffboardingResult::AlreadyAbsent, _) => {
            state.requires(truth.ever_absent || truth.ever_elsewhere, Promise::NoFalseSuccess);
        }
        (OffboardingResult::Recreated, _) => state.requires(truth.ever_second, Promise::NoFalseEnd),
        (OffboardingResult::Unverified, _) => {
            state.requires(world.brain.kind == Kind::Unobservable, Promise::NoFalseEnd);
        }
        (_, Reason::StillPresent) => {
            let undone = truth.restored || !holds(truth.executed);
            state.requires(undone, Promise::NoFalseEnd);
        }
        (_, Reason::CustomerNotFound) => {
            let ours = truth.executed != 0
                && !truth.restored
                && !truth.ever_second
                && world.brain.kind == Kind::Hard;
            state.requires(!ours, Promise::NoFalseEnd);
        }
        _ => {}
    }
}

/// A status says that a request is finished.
pub fn on_told(world: &World, state: &mut State, request: u8, ending: Ending) {
    let number = world.number_of(ending);
    let slot = usize::from(request) - 1;
    let by_record =
        world.shelf.read(state.rec, |kept| (kept.owner == request).then_some(kept.closed)).flatten();
    state.requires(by_record.is_none_or(|closed| closed == Some(ending)), Promise::TheStatusIsTrue);
    let before = state.truth.told[slot];
    state.requires(before == 0 || before == number, Promise::TheStatusIsTrue);
    state.truth.told[slot] = number;
    if by_record.is_none() && !world.was_earlier(state.rec, request) {
        on_end(world, state, request, ending);
    }
}

/// What a run must be able to reach. Without these, nothing is shown by a run without a broken promise.
pub type Goal = (&'static str, fn(&World, &State) -> bool);

fn closed(world: &World, state: &State, wanted: fn(&Kept, &Record, Ending) -> bool) -> bool {
    let judge = |kept: &Kept| Some(wanted(kept, kept.record()?, kept.closed?));
    world.shelf.read(state.rec, judge).flatten().unwrap_or(false)
}

fn is_success(ending: Ending) -> bool {
    use OffboardingResult::{Deactivated, Erased};
    matches!(ending.result, Erased | Deactivated)
}

fn past_the_intent(process: &Process) -> bool {
    matches!(process.step, Step::Intended { .. } | Step::Reread { .. } | Step::Sent { .. })
}

pub const GOALS: &[Goal] = &[
    ("both processes past the intent", |_, state| state.processes.iter().all(past_the_intent)),
    ("a success", |world, state| closed(world, state, |_, _, end| is_success(end))),
    ("a success at the second attempt", |world, state| {
        closed(world, state, |_, record, end| is_success(end) && record.attempts.len() == 2)
    }),
    ("a success after an attempt that was never sent", |world, state| {
        closed(world, state, |_, record, end| {
            is_success(end) && record.last().is_some_and(|last| last.count > 1)
        })
    }),
    ("a success after the request was deleted", |world, state| {
        let deleted = state.requests[0].asked == Asked::Deleted;
        deleted && closed(world, state, |kept, _, end| is_success(end) && kept.owner == 1)
    }),
    ("a success after a refusal", |world, state| {
        closed(world, state, |_, record, end| is_success(end) && record.rejections() > 0)
    }),
    ("recreated", |world, state| {
        closed(world, state, |_, _, end| end.result == OffboardingResult::Recreated)
    }),
    ("still present", |world, state| closed(world, state, |_, _, end| end.because == Reason::StillPresent)),
    ("unverified", |world, state| {
        closed(world, state, |_, _, end| end.result == OffboardingResult::Unverified)
    }),
    ("cancelled by the record", |world, state| {
        closed(world, state, |_, _, end| end.result == OffboardingResult::Cancelled)
    }),
    ("already absent by the record", |world, state| {
        closed(world, state, |_, _, end| end.result == OffboardingResult::AlreadyAbsent)
    }),
    ("not found by the record", |world, state| {
        closed(world, state, |_, _, end| end.because == Reason::CustomerNotFound)
    }),
    ("attempts exhausted", |world, state| {
        closed(world, state, |_, _, end| end.because == Reason::AttemptsExhausted)
    }),
    ("cancelled without a record", |world, state| {
        let told = world.ending(state.truth.told[0]);
        state.rec == 0 && told.is_some_and(|told| told.result == OffboardingResult::Cancelled)
    }),
    ("a duplicate goes on when the owner is done", |world, state| {
        world.shelf.read(state.rec, |kept| kept.owner == 2 && kept.last_n >= 2).unwrap_or(false)
    }),
    ("a first request stays finished under a second one", |world, state| {
        let facts = world.shelf.facts(state.rec, 1);
        let owner = world.shelf.owner(state.rec);
        owner == 2 && state.requests[0].finished && matches!(facts, Facts::Mine(_))
    }),
];
