//! The decision, read from top to bottom: what the record says, what can be decided without a look, what a look changes.
//!
//! ```text
//!  no record ── first look ── gates ──► Delete ──► attempt without outcome ──┬─ NotSent ──► gates again
//!     │                                                                      ├─ Unknown ──► settle window ──► look
//!     ├─ gone: AlreadyAbsent or CustomerNotFound                             ├─ Rejected ─► pause ──► gates again
//!     └─ blocked, waiting: nothing written                                   └─ Accepted ─► look until gone or deadline ──► Close
//! ```
//! Pure: same inputs, same answer. No async, no client, no clock; the model checker runs this function.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Attempt, Blocked, Cause, CauseWord, Class, CustomerSeen, Decision, Decisions, Earlier, Effect, Ending,
    Facts, Failure, Fingerprint, Look, MOST_ATTEMPTS, Memory, ModeProblem, Moment, Next, Observation, Order,
    Outcome, Plan, Planned, ProviderFacts, ProviderSeen, Record, RecordProblem, Targeted, Waiting, Wish,
    decide_all, gates,
    memory::{is_gone, names_nobody},
    mode_of, mode_to_look_in,
};
use crate::api::{Mode, OffboardingResult, ProviderReason, Reason, WhenPresent};

/// Decides the next step of a request with one target, from what was asked, what the record says, what was just seen, what only
/// this process knows, and what time it is. `memory` has already learned from `seen`.
pub fn decide(plan: &Plan, facts: &Facts, seen: &Observation, memory: &Memory, now: Moment) -> Decisions {
    decide_all(&[Targeted { plan, facts, seen, memory }], now)
}

/// What follows for one target as far as it alone is concerned: `Delete` means that nothing about it stands in the way.
pub(super) fn alone(
    plan: &Plan,
    facts: &Facts,
    seen: &Observation,
    memory: &Memory,
    now: Moment,
) -> Decision {
    let decision = match without_a_look(plan, facts, seen, memory, now) {
        Some(next) => Decision { next, planned: None },
        None => with_a_look(plan, facts, seen, memory, now),
    };
    written_down_first(facts, decision)
}

/// An outcome that only this process knows is written down before anything else is done or waited for. Closing writes it too.
fn written_down_first(facts: &Facts, decision: Decision) -> Decision {
    let unsaved = matches!(facts, Facts::Mine(record) if record.unsaved);
    let next = match decision.next {
        next @ Next::Do(Effect::Close(_) | Effect::SaveOutcome) => next,
        _ if unsaved => Next::Do(Effect::SaveOutcome),
        next => next,
    };
    Decision { next, ..decision }
}

/// What follows without looking at the customer; `None` where a look is needed. Also tells the shell whether to look.
#[must_use]
pub fn without_a_look(
    plan: &Plan,
    facts: &Facts,
    seen: &Observation,
    memory: &Memory,
    now: Moment,
) -> Option<Next> {
    if let Some(next) = by_the_record(plan, facts) {
        return Some(next);
    }
    if !seen.key_is_good {
        return Some(Next::Stop(Blocked::InstallationKeyLost));
    }
    if plan.wish == Wish::Withdrawn && did_nothing(facts) {
        return Some(Next::Do(Effect::Close(Ending::cancelled())));
    }
    let provider = match by_the_provider(plan, facts, seen) {
        Ok(provider) => provider,
        Err(next) => return Some(next),
    };
    match facts {
        Facts::Mine(record) => match record.last() {
            Some(attempt) => by_the_attempt(plan, record, attempt, provider, seen, memory, now),
            None => None,
        },
        Facts::Earlier(earlier) if earlier.counts() && is_elsewhere(earlier, provider) => {
            Some(Next::Stop(Blocked::AccountChanged))
        }
        Facts::Earlier(_) | Facts::None => gates::before_a_look(&gates::Gated { plan, provider, seen }).err(),
        Facts::Unread | Facts::Unusable(_) | Facts::Theirs => None,
    }
}

fn is_elsewhere(earlier: &Earlier, provider: &ProviderFacts) -> bool {
    earlier.base_url != provider.base_url || earlier.environment != provider.environment
}

fn by_the_record(plan: &Plan, facts: &Facts) -> Option<Next> {
    match facts {
        Facts::Unread => Some(Next::Wait(Waiting::ApiServer)),
        Facts::Unusable(problem) => Some(Next::Stop(match problem {
            RecordProblem::Corrupted => Blocked::RecordCorrupted,
            RecordProblem::UnsupportedVersion => Blocked::UnsupportedVersion,
            RecordProblem::AnotherKey => Blocked::InstallationKeyLost,
        })),
        Facts::Mine(Record { closed: Some(closed), .. }) => {
            Some(Next::Finished(Ending { result: closed.result, because: closed.because }))
        }
        Facts::Mine(_) => None,
        Facts::None | Facts::Theirs | Facts::Earlier(_) if plan.wish == Wish::Withdrawn => {
            Some(Next::Finished(Ending::cancelled()))
        }
        Facts::Theirs => Some(Next::Stop(Blocked::Duplicate)),
        Facts::None | Facts::Earlier(_) => None,
    }
}

/// The last attempt never left us, or was refused: nothing is left to be looked at.
fn did_nothing(facts: &Facts) -> bool {
    let Facts::Mine(record) = facts else { return false };
    record
        .last()
        .is_some_and(|attempt| matches!(attempt.outcome, Some(Outcome::NotSent(_) | Outcome::Rejected(_))))
}

fn by_the_provider<'a>(plan: &Plan, facts: &Facts, seen: &'a Observation) -> Result<&'a ProviderFacts, Next> {
    let provider = match &seen.provider {
        ProviderSeen::Found(provider) => provider,
        ProviderSeen::NotFound => return Err(Next::Stop(Blocked::ProviderNotFound(plan.provider_kind))),
        ProviderSeen::Unusable(reason) => return Err(Next::Wait(Waiting::ProviderUnusable(*reason))),
    };
    mode_to_look_in(plan, facts, provider).map_err(not_allowed)?;
    match &seen.customer {
        CustomerSeen::Known { .. } => Ok(provider),
        CustomerSeen::SecretUnavailable => Err(Next::Wait(Waiting::CustomerIdUnavailable)),
        CustomerSeen::Changed => Err(Next::Wait(Waiting::CustomerIdChanged)),
        // Where something was begun for this id, the profile that refuses it now is what must be mended: nothing ends unseen.
        CustomerSeen::Refused(_) if matches!(facts, Facts::Mine(_)) => {
            Err(Next::Wait(Waiting::ProviderUnusable(ProviderReason::InvalidProfile)))
        }
        CustomerSeen::Refused(invalid) => Err((*invalid).into()),
        CustomerSeen::NotAsked => Err(Next::Wait(Waiting::ApiServer)),
    }
}

/// What an open attempt says before anybody looks.
fn by_the_attempt(
    plan: &Plan,
    record: &Record,
    attempt: &Attempt,
    provider: &ProviderFacts,
    seen: &Observation,
    memory: &Memory,
    now: Moment,
) -> Option<Next> {
    if record.account != provider.account {
        return Some(Next::Stop(Blocked::AccountChanged));
    }
    let stopped = gates::before_a_look(&gates::Gated { plan, provider, seen }).err();
    match &attempt.outcome {
        None | Some(Outcome::Unknown(_)) => {
            let since = memory.knows(attempt).unwrap_or(now);
            let settled = now.uptime >= since.uptime + provider.settle_window;
            let until = later(since.wall, provider.settle_window);
            (!settled)
                .then_some(Next::Wait(Waiting::Settling { until }))
                .or_else(|| elsewhere(attempt, provider))
        }
        Some(Outcome::Accepted) => elsewhere(attempt, provider),
        Some(Outcome::Rejected(_) | Outcome::NotSent(_)) if stopped.is_some() => stopped,
        Some(Outcome::NotSent(failure)) => {
            let at = attempt.next_try(record.rejections(), provider.recheck_interval);
            (now.wall < at).then(|| Next::Wait(Waiting::Retry { at, last: failure.clone() }))
        }
        Some(Outcome::Rejected(failure)) => {
            let until = attempt.next_try(record.rejections(), provider.recheck_interval);
            let mended = failure.class == Class::Auth && would_be_another_call(attempt, provider, seen);
            // No further attempt is to come: nothing is waited for.
            let was_the_last = record.may_have_left() >= MOST_ATTEMPTS;
            if now.wall >= until || mended || was_the_last {
                return None;
            }
            Some(match failure.class {
                Class::Auth => Next::Wait(Waiting::AuthRefused { until }),
                Class::RateLimited => Next::Wait(Waiting::Retry { at: until, last: failure.clone() }),
                _ => Next::Stop(Blocked::Refused { failure: failure.clone(), until, approvals: None }),
            })
        }
    }
}

/// Whether the Secret or the provider object was changed since: who refused that credential there may take this one here.
fn would_be_another_call(attempt: &Attempt, provider: &ProviderFacts, seen: &Observation) -> bool {
    seen.credential.as_ref().is_some_and(|credential| *credential != attempt.credential)
        || attempt.profile_hash != provider.declared.profile_hash
        || elsewhere(attempt, provider).is_some()
}

/// What was sent elsewhere is not verified here.
fn elsewhere(attempt: &Attempt, provider: &ProviderFacts) -> Option<Next> {
    let moved = attempt.base_url != provider.base_url || attempt.environment != provider.environment;
    moved.then_some(Next::Wait(Waiting::AnotherAddress))
}

fn later(from: Timestamp, by: Duration) -> Timestamp {
    from.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// Everything that a look can change.
struct Looked<'a> {
    plan: &'a Plan,
    provider: &'a ProviderFacts,
    mode: Mode,
    customer_ref: &'a str,
    seen: &'a Observation,
    memory: &'a Memory,
    now: Moment,
}

fn with_a_look(plan: &Plan, facts: &Facts, seen: &Observation, memory: &Memory, now: Moment) -> Decision {
    let unplanned = |next| Decision { next, planned: None };
    let provider = match by_the_provider(plan, facts, seen) {
        Ok(provider) => provider,
        Err(next) => return unplanned(next),
    };
    let (Ok(mode), CustomerSeen::Known { reference }) =
        (mode_to_look_in(plan, facts, provider), &seen.customer)
    else {
        return unplanned(Next::Wait(Waiting::ApiServer));
    };
    let looked = Looked { plan, provider, mode, customer_ref: reference, seen, memory, now };
    let look = match &seen.look {
        Some(Look::Unknown(failure)) => return unplanned(unanswered(facts, failure)),
        Some(look) => look,
        None => {
            return unplanned(Next::Wait(Waiting::Provider(Failure::new(Class::Transient, Cause::NotSent))));
        }
    };
    match facts {
        Facts::Mine(record) => match record.last() {
            Some(attempt) => looked.after_an_attempt(record, attempt, look),
            None => unplanned(Next::Stop(Blocked::RecordCorrupted)),
        },
        Facts::Earlier(earlier) => looked.first(earlier.counts().then_some(earlier), false, look),
        Facts::None => looked.first(None, false, look),
        Facts::Unread | Facts::Unusable(_) | Facts::Theirs => unplanned(Next::Wait(Waiting::ApiServer)),
    }
}

/// A look without an answer ends nothing. Before anything was sent, an answer that is invalid needs a person.
fn unanswered(facts: &Facts, failure: &Failure) -> Next {
    let invalid = failure.class == Class::Invalid;
    match facts {
        Facts::None | Facts::Earlier(_) if invalid => Next::Stop(Blocked::AnswerInvalid(failure.clone())),
        _ => Next::Wait(Waiting::Provider(failure.clone())),
    }
}

impl Looked<'_> {
    /// Nothing of this request has reached the provider: no attempt, or only such as it never saw or refused.
    fn first(&self, earlier: Option<&Earlier>, has_record: bool, look: &Look) -> Decision {
        match look {
            Look::Present(fingerprint) => self.go(fingerprint),
            Look::Inactive(_) if self.mode == Mode::Hard => {
                self.unplanned(Next::Stop(Blocked::ModeNotAllowed(ModeProblem::AlreadyInactive)))
            }
            Look::Inactive(_) | Look::Tombstoned | Look::Absent => {
                self.unplanned(self.not_there(earlier.is_some(), has_record, look))
            }
            Look::Unknown(failure) => self.unplanned(Next::Wait(Waiting::Provider(failure.clone()))),
        }
    }

    fn unplanned(&self, next: Next) -> Decision {
        Decision { next, planned: None }
    }

    /// The customer is there: plan, gates, deletion. Offboarded before or not: that is for people to decide, by their approvals.
    fn go(&self, fingerprint: &Fingerprint) -> Decision {
        if let Err(problem) = mode_of(self.plan, self.provider) {
            return self.unplanned(not_allowed(problem));
        }
        let planned =
            Planned::new(self.plan, self.provider, self.mode, self.customer_ref, fingerprint, self.seen);
        let gated = gates::Gated { plan: self.plan, provider: self.provider, seen: self.seen };
        let order = Order::of(&planned);
        let next =
            gates::pass(&gated).map_or_else(|next| next, |()| Next::Do(Effect::Delete(Box::new(order))));
        Decision { next, planned: Some(planned) }
    }

    /// The customer is not there, and not because of us.
    fn not_there(&self, offboarded_before: bool, has_record: bool, look: &Look) -> Next {
        if let Some(wait) = self.control_is_bad(look) {
            return wait;
        }
        let already = Ending { result: OffboardingResult::AlreadyAbsent, because: look.word().as_reason() };
        if offboarded_before {
            return if has_record { Next::Do(Effect::Close(already)) } else { Next::Finished(already) };
        }
        if !self.plan.accept_absent {
            let ending = Ending::failed(Reason::CustomerNotFound);
            return if has_record { Next::Do(Effect::Close(ending)) } else { Next::Finished(ending) };
        }
        let lag = self.provider.declared.consistency_lag;
        match self.memory.gone {
            Some(gone) if gone.newest >= gone.since.uptime + lag && gone.looks >= 2 => {
                Next::Do(Effect::Close(already))
            }
            gone => Next::Wait(Waiting::SecondLook {
                at: later(
                    gone.map_or(self.now.wall, |gone| gone.since.wall),
                    lag.max(self.provider.verify_interval),
                ),
            }),
        }
    }

    /// An absence counts only with a control request that was answered as it should be.
    fn control_is_bad(&self, look: &Look) -> Option<Next> {
        let gone = is_gone(self.mode, look, self.seen.control.as_ref());
        (!gone).then(|| match &self.seen.control {
            Some(super::Control::Bad(failure)) => Next::Wait(Waiting::Control(failure.clone())),
            Some(super::Control::Good) | None => {
                Next::Wait(Waiting::Control(Failure::new(Class::Indeterminate, Cause::ControlFailed)))
            }
        })
    }

    /// The table: last attempt × look.
    fn after_an_attempt(&self, record: &Record, attempt: &Attempt, look: &Look) -> Decision {
        let proves_nothing = self.provider.declared.when_present == WhenPresent::NotObservable;
        match &attempt.outcome {
            Some(Outcome::Accepted) => self.unplanned(self.verify(attempt, look)),
            // The first one may have met a provider that knew nobody for a moment: then it is sent again, and answered as it should be.
            Some(Outcome::Unknown(failure))
                if proves_nothing && is_already_gone(failure) && record.may_have_left() > 1 =>
            {
                self.unplanned(self.verify(attempt, look))
            }
            None | Some(Outcome::Unknown(_)) => self.after_the_settle_window(record, attempt, look),
            Some(Outcome::NotSent(_) | Outcome::Rejected(_)) => self.again(record, attempt, look),
        }
    }

    fn after_the_settle_window(&self, record: &Record, attempt: &Attempt, look: &Look) -> Decision {
        match self.compare(attempt, look) {
            Compared::Gone => self.unplanned(self.close_when_proved(attempt, look)),
            Compared::Another => self.unplanned(self.recreated(attempt)),
            Compared::Same if self.plan.wish == Wish::Withdrawn => {
                self.unplanned(Next::Do(Effect::Close(Ending::cancelled())))
            }
            Compared::Same => self.again(record, attempt, look),
            Compared::Unclear => self.unplanned(self.unclear(look)),
        }
    }

    /// The next attempt, through all gates.
    fn again(&self, record: &Record, attempt: &Attempt, look: &Look) -> Decision {
        let earlier = record.earlier.as_ref();
        match self.compare(attempt, look) {
            Compared::Another => self.unplanned(Next::Stop(Blocked::PlanChanged)),
            // Who was there at one address is not gone because another one does not know them.
            Compared::Gone if elsewhere(attempt, self.provider).is_some() => {
                self.unplanned(Next::Stop(Blocked::AccountChanged))
            }
            // Nor because somebody else's account does not.
            Compared::Gone if names_nobody(look) && self.has_another_credential(attempt) => {
                self.unplanned(Next::Wait(Waiting::AnotherCredential))
            }
            Compared::Same if record.may_have_left() >= MOST_ATTEMPTS => {
                self.unplanned(Next::Do(Effect::Close(Ending::failed(Reason::AttemptsExhausted))))
            }
            Compared::Same | Compared::Gone => self.first(earlier, true, look),
            Compared::Unclear => self.unplanned(self.unclear(look)),
        }
    }

    fn compare(&self, attempt: &Attempt, look: &Look) -> Compared {
        match look {
            Look::Present(fingerprint) | Look::Inactive(fingerprint)
                if *fingerprint != attempt.fingerprint =>
            {
                Compared::Another
            }
            Look::Inactive(_) if self.mode == Mode::Soft => Compared::Gone,
            Look::Present(_) | Look::Inactive(_) => Compared::Same,
            Look::Tombstoned | Look::Absent if is_gone(self.mode, look, self.seen.control.as_ref()) => {
                Compared::Gone
            }
            Look::Tombstoned | Look::Absent | Look::Unknown(_) => Compared::Unclear,
        }
    }

    fn unclear(&self, look: &Look) -> Next {
        match look {
            Look::Unknown(failure) => Next::Wait(Waiting::Provider(failure.clone())),
            _ => self.control_is_bad(look).unwrap_or(Next::Wait(Waiting::ApiServer)),
        }
    }

    /// Accepted: looked at until it is gone, or until the deadline. Never sent again.
    fn verify(&self, attempt: &Attempt, look: &Look) -> Next {
        match self.compare(attempt, look) {
            Compared::Gone => self.close_when_proved(attempt, look),
            Compared::Another => self.recreated(attempt),
            Compared::Unclear => self.unclear(look),
            Compared::Same => self.still_there(attempt),
        }
    }

    /// The deadline is told by a wall clock, perhaps of another machine; that reads are fresh, only by our own uptime.
    fn still_there(&self, attempt: &Attempt) -> Next {
        let from = attempt.answered_at.unwrap_or(attempt.intent_at);
        let known = self.memory.knows(attempt).unwrap_or(self.now);
        let window = self.provider.settle_window;
        let until = later(from, self.provider.verify_deadline).max(later(known.wall, window));
        let looked = self.looked();
        if looked.wall < until || looked.uptime < known.uptime + window {
            return Next::Wait(Waiting::StillThere { until });
        }
        match self.provider.declared.when_present {
            WhenPresent::NotObservable => close(OffboardingResult::Unverified, Reason::NotObservable),
            WhenPresent::StillPresent => close(OffboardingResult::Failed, Reason::StillPresent),
        }
    }

    /// Gone is believed once the same credential saw it, often enough, and no read can be older than the deletion.
    fn close_when_proved(&self, attempt: &Attempt, look: &Look) -> Next {
        if let Some(wait) = self.proves_nothing_yet(attempt) {
            return wait;
        }
        let looks = self.memory.gone.map_or(0, |gone| gone.looks);
        if looks < self.provider.confirmations {
            return Next::Wait(Waiting::Confirming { looks, needed: self.provider.confirmations });
        }
        close(self.provider.declared.result(), look.word().as_reason())
    }

    /// Another customer is there: seen with the credential that sent, and after the lag.
    fn recreated(&self, attempt: &Attempt) -> Next {
        let recreated = || close(OffboardingResult::Recreated, Reason::Recreated);
        self.proves_nothing_yet(attempt).unwrap_or_else(recreated)
    }

    /// Another credential may belong to another account, and an early read may be older than the deletion.
    fn proves_nothing_yet(&self, attempt: &Attempt) -> Option<Next> {
        if self.has_another_credential(attempt) {
            return Some(Next::Wait(Waiting::AnotherCredential));
        }
        self.lag(attempt)
    }

    fn has_another_credential(&self, attempt: &Attempt) -> bool {
        self.seen.credential.as_ref() != Some(&attempt.credential)
    }

    /// The lag rule: a read that is older than the customer itself looks like a deletion.
    fn lag(&self, attempt: &Attempt) -> Option<Next> {
        let lag = self.provider.declared.consistency_lag;
        let since = self.memory.lags_since(attempt, self.now)?;
        let over = self.seen.looked_at >= since.uptime + lag;
        (!over).then(|| Next::Wait(Waiting::Lag { until: later(since.wall, lag) }))
    }

    /// When the look was begun: what is told of a customer goes by that, not by when it is decided.
    fn looked(&self) -> Moment {
        let ago = self.now.uptime.saturating_sub(self.seen.looked_at);
        Moment {
            uptime: self.seen.looked_at,
            wall: self.now.wall.saturating_sub(ago).unwrap_or(Timestamp::MIN),
        }
    }
}

/// A look, held against the customer of an attempt.
enum Compared {
    Gone,
    Same,
    Another,
    Unclear,
}

fn not_allowed(problem: ModeProblem) -> Next {
    Next::Stop(Blocked::ModeNotAllowed(problem))
}

fn is_already_gone(failure: &Failure) -> bool {
    failure.class == Class::NotFound && failure.cause == CauseWord::Ours(Cause::AlreadyGone)
}

fn close(result: OffboardingResult, because: Reason) -> Next {
    Next::Do(Effect::Close(Ending { result, because }))
}

#[cfg(test)]
mod tests;
