//! How fast one provider object may be called: a token bucket, a cap of requests in flight, pauses, and the circuit breaker.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    breaker::{Admission, Asking, Breaker, CircuitState},
    heard::Heard,
    jitter::jittered,
    retry_after::LONGEST_WAIT,
    slots::{Reservation, Slot},
};
use crate::{
    api::Limits,
    domain::{Cause, Class, Failure},
};

/// The first pause after a 429 that does not say how long; doubles with each that comes after a pause, up to `LONGEST_OWN_PAUSE`.
const FIRST_OWN_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_OWN_PAUSE: Duration = Duration::from_secs(300);

/// The limiter of one provider object, shared by everything that calls it. All times are monotonic.
///
/// First come, first served: a reservation of many tokens is not starved by reads of one.
#[derive(Debug)]
pub struct Limiter {
    /// Held by the one who is served next, while it waits.
    turn: tokio::sync::Mutex<()>,
    /// Told when something changed for the one who waits.
    changed: Notify,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    per_second: f64,
    burst: f64,
    max_in_flight: u32,
    /// Negative while a reservation of more than `burst` is paid off.
    tokens: f64,
    refilled: Instant,
    in_flight: u32,
    paused_until: Option<Instant>,
    own_pauses: u32,
    /// When the last of them began.
    refused_at: Option<Instant>,
    breaker: Breaker,
}

/// What is asked for.
#[derive(Clone, Copy)]
struct Wish<'a> {
    asking: Asking,
    tokens: u32,
    credential_version: &'a str,
}

enum Step {
    Taken(Admission),
    Refused(Failure),
    Until(Instant, Cause),
    UntilFreed,
}

impl Limiter {
    /// A full bucket, nothing in flight, no pause, a closed circuit.
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        let mut state = State {
            per_second: 1.0,
            burst: 1.0,
            max_in_flight: 1,
            tokens: 0.0,
            refilled: Instant::now(),
            in_flight: 0,
            paused_until: None,
            own_pauses: 0,
            refused_at: None,
            breaker: Breaker::closed(),
        };
        state.tokens = state.burst;
        state.configure(limits);
        Arc::new(Self { turn: tokio::sync::Mutex::new(()), changed: Notify::new(), state: Mutex::new(state) })
    }

    /// How long these requests take at the rate, from an empty bucket: who waits less never has their turn where it is slow.
    #[must_use]
    pub fn takes(&self, requests: u32) -> Duration {
        Duration::from_secs_f64(f64::from(requests) / self.state().per_second) + Duration::from_secs(1)
    }

    /// Takes new limits over at once; requests in flight stay counted, a full bucket stays full. Values below 1 count as 1.
    pub fn configure(&self, limits: Limits) {
        self.state().configure(limits);
        self.changed.notify_one();
    }

    /// The provider object changed: the circuit is closed. A pause stays, the provider has asked for it.
    pub fn reset(&self) {
        self.state().breaker = Breaker::closed();
        self.changed.notify_one();
    }

    /// The circuit as it stands.
    #[must_use]
    pub fn circuit(&self) -> CircuitState {
        self.state().breaker.state(Instant::now())
    }

    /// Nothing goes out for this long, at most an hour; never shortens a pause. Reservations that stand are not held up.
    pub fn pause(&self, length: Duration) {
        self.state().pause(length);
    }

    /// How long the pause will last; `None` where there is none.
    #[must_use]
    pub fn paused_for(&self) -> Option<Duration> {
        let until = self.state().paused_until?;
        until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    /// One token and one slot in flight, for one read.
    ///
    /// # Errors
    /// `RateLimited` (`Paused` or `RateLimited`): not within `max_wait`; known at once where it can be known.
    /// `Auth` or `Transient` (`CircuitOpen`): the circuit is open; at once.
    pub async fn slot(
        self: &Arc<Self>,
        credential_version: &str,
        max_wait: Duration,
    ) -> Result<Slot, Failure> {
        let wish = Wish { asking: Asking::Read, tokens: 1, credential_version };
        let admission = self.acquire(wish, max_wait).await?;
        Ok(Slot::new(self, admission, credential_version))
    }

    /// Tokens for `requests` requests and one slot in flight, all at once, before an intent is written: nothing is waited for afterwards.
    ///
    /// More tokens than `burst` are granted once the bucket is full; those who come later wait until they are paid off, so that
    /// the rate holds. What is not spent goes back when the reservation is dropped. An open circuit refuses it even when a read
    /// might try again: a destructive call is never the trial.
    ///
    /// # Errors
    /// As `slot`.
    pub async fn reserve(
        self: &Arc<Self>,
        requests: u32,
        credential_version: &str,
        max_wait: Duration,
    ) -> Result<Reservation, Failure> {
        let wish = Wish { asking: Asking::Reservation, tokens: requests, credential_version };
        let admission = self.acquire(wish, max_wait).await?;
        Ok(Reservation::new(self, admission, credential_version, requests))
    }

    /// What a request heard that took no slot here, or what only the profile's rules could see.
    pub fn report(&self, credential_version: &str, heard: Heard) {
        self.report_for(Admission::Normal, None, credential_version, heard);
    }

    /// One more token, if there is one now: for the repetition of a read.
    pub(super) fn another(&self) -> bool {
        self.state().another()
    }

    /// One token beyond a reservation: those who come later wait for it.
    pub(super) fn owe_one(&self) {
        self.state().tokens -= 1.0;
    }

    pub(super) fn return_tokens(&self, unspent: u32) {
        let mut state = self.state();
        state.tokens = (state.tokens + f64::from(unspent)).min(state.burst);
    }

    /// `left_at`: when it was let out; `None` where it took no slot.
    pub(super) fn report_for(
        &self,
        admission: Admission,
        left_at: Option<Instant>,
        credential_version: &str,
        heard: Heard,
    ) {
        let mut state = self.state();
        state.breaker.report(admission, credential_version, &heard, Instant::now());
        state.learn(heard, left_at);
    }

    /// Frees a slot in flight; an admission that was never reported on counts as abandoned.
    pub(super) fn give_back(&self, unreported: Option<Admission>) {
        let mut state = self.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        if let Some(admission) = unreported {
            state.breaker.abandon(admission, Instant::now());
        }
        drop(state);
        self.changed.notify_one();
    }

    async fn acquire(&self, wish: Wish<'_>, max_wait: Duration) -> Result<Admission, Failure> {
        let start = Instant::now();
        let end = start + max_wait;
        if let Some(refused) = self.state().breaker.refuses(wish.asking, wish.credential_version, start) {
            return Err(refused);
        }
        let Ok(_turn) = timeout_at(end, self.turn.lock()).await else { return Err(too_slow()) };
        loop {
            let changed = self.changed.notified();
            let step = self.state().take(wish);
            match step {
                Step::Taken(admission) => return Ok(admission),
                Step::Refused(failure) => return Err(failure),
                Step::Until(at, cause) if at > end => return Err(wait_for(cause, at)),
                Step::Until(at, _) => {
                    tokio::select! { () = sleep_until(at) => (), () = changed => () }
                }
                Step::UntilFreed => {
                    if timeout_at(end, changed).await.is_err() {
                        return Err(too_slow());
                    }
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; if it did, the counts would still be usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nobody knows for how long.
fn too_slow() -> Failure {
    Failure::new(Class::RateLimited, Cause::RateLimited)
}

fn wait_for(cause: Cause, until: Instant) -> Failure {
    let left = until.saturating_duration_since(Instant::now()).min(LONGEST_WAIT);
    let retry_after = Some(left).filter(|left| !left.is_zero());
    Failure { retry_after, ..Failure::new(Class::RateLimited, cause) }
}

impl State {
    fn configure(&mut self, limits: Limits) {
        self.refill();
        let Limits { requests_per_minute, burst, max_in_flight } = limits;
        let was_full = self.tokens >= self.burst;
        self.per_second = f64::from(requests_per_minute.max(1)) / 60.0;
        self.burst = f64::from(burst.max(1));
        self.max_in_flight = max_in_flight.max(1).unsigned_abs();
        self.tokens = if was_full { self.burst } else { self.tokens.min(self.burst) };
    }

    fn refill(&mut self) {
        let now = Instant::now();
        let gained = now.saturating_duration_since(self.refilled).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + gained).min(self.burst);
        self.refilled = now;
    }

    fn take(&mut self, wish: Wish<'_>) -> Step {
        self.refill();
        let now = self.refilled;
        if let Some(refused) = self.breaker.refuses(wish.asking, wish.credential_version, now) {
            return Step::Refused(refused);
        }
        if let Some(until) = self.paused_until.filter(|until| now < *until) {
            return Step::Until(until, Cause::Paused);
        }
        if self.in_flight >= self.max_in_flight {
            return Step::UntilFreed;
        }
        // A millionth of a token is forgiven, so that rounding never makes anybody wait twice.
        let missing = f64::from(wish.tokens).min(self.burst) - self.tokens;
        if missing > 1e-6 {
            let wait = Duration::from_secs_f64(missing / self.per_second).max(Duration::from_millis(1));
            return Step::Until(now + wait, Cause::RateLimited);
        }
        self.tokens -= f64::from(wish.tokens);
        self.in_flight += 1;
        Step::Taken(self.breaker.admit(wish.credential_version))
    }

    fn another(&mut self) -> bool {
        self.refill();
        let free = self.tokens >= 1.0;
        if free {
            self.tokens -= 1.0;
        }
        free
    }

    fn pause(&mut self, length: Duration) {
        let until = Instant::now() + length.min(LONGEST_WAIT);
        self.paused_until = Some(self.paused_until.map_or(until, |before| before.max(until)));
    }

    fn is_paused(&self) -> bool {
        self.paused_until.is_some_and(|until| Instant::now() < until)
    }

    /// Whether it says anything beyond the last refusal: requests that left together are refused together, and who left before is
    /// no sign that the provider is itself again.
    fn is_later(&self, left_at: Option<Instant>) -> bool {
        match (self.refused_at, left_at) {
            (None, _) => true,
            (Some(refused_at), Some(left_at)) => refused_at < left_at,
            (Some(_), None) => !self.is_paused(),
        }
    }

    fn learn(&mut self, heard: Heard, left_at: Option<Instant>) {
        match heard {
            Heard::RateLimited(Some(wish)) => self.pause(wish),
            Heard::RateLimited(None) if self.is_later(left_at) => {
                let longest = FIRST_OWN_PAUSE.saturating_mul(1 << self.own_pauses.min(16));
                self.own_pauses = self.own_pauses.saturating_add(1);
                self.refused_at = Some(Instant::now());
                self.pause(jittered(longest.min(LONGEST_OWN_PAUSE)));
            }
            Heard::Answered if self.is_later(left_at) => self.own_pauses = 0,
            Heard::RateLimited(None)
            | Heard::Answered
            | Heard::AuthRefused
            | Heard::Trouble
            | Heard::Nothing => (),
        }
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
