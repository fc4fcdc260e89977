//! What must hold in every history: the invariants of safety, judged at the very step at which one could break.

use std::{collections::BTreeSet, rc::Rc};

use offboarding::{
    api::{Attempt, OffboardingRecordSpec, OffboardingResult},
    domain::OutcomeWord,
};

use crate::{
    api::{Request, Stored},
    pass::STANDS,
    people::number_of,
    saas::{Customer, Flight},
    scenario::{HOUR, Kind, Ms, SECOND},
    truth::{TrueAttempt, TrueRequest},
    world::World,
};

/// Which invariant, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub invariant: &'static str,
    pub why: String,
}

/// How old the last reads may be when the permit is given.
const FRESH: Ms = SECOND;

/// So many attempts of a request may leave. Not the constant of the code that is judged, which would judge itself.
const MOST_ATTEMPTS: usize = 3;

/// An attempt's outcome, as stored.
fn outcome(attempt: &Attempt) -> Option<OutcomeWord> {
    attempt.outcome.as_deref().and_then(|word| word.parse().ok())
}

fn result(spec: &OffboardingRecordSpec) -> Option<OffboardingResult> {
    spec.result.as_deref().and_then(|word| word.parse().ok())
}

/// Whether a record says that a deletion was done in the name of a request, the latest or an earlier one.
fn says_done(spec: &OffboardingRecordSpec, uid: &str) -> bool {
    let latest = (&spec.request.uid, spec.result.as_deref());
    let earlier = spec.history.iter().map(|earlier| (&earlier.request.uid, Some(earlier.result.as_str())));
    let mine = std::iter::once(latest).chain(earlier).filter(|(of, _)| *of == uid);
    let results = mine.filter_map(|(_, result)| result?.parse::<OffboardingResult>().ok());
    results.into_iter().any(|result| {
        matches!(
            result,
            OffboardingResult::Erased
                | OffboardingResult::ErasedWithRetention
                | OffboardingResult::Deactivated
                | OffboardingResult::Unverified
        )
    })
}

impl World {
    /// A record was written: an intent, an outcome, an end.
    pub fn on_record(&mut self, before: Option<&Stored>, after: &Stored, by: (usize, u32)) {
        if let Some(before) = before {
            self.must_move_forward(&before.spec, &after.spec);
        }
        let known =
            |id: &str| before.is_some_and(|before| before.spec.attempts.iter().any(|had| had.id == id));
        if let Some(last) = after.spec.attempts.last().filter(|last| !known(&last.id)) {
            if let Some(unsettled) = before.and_then(|before| self.unsettled(before)) {
                self.breaks("S5", format!("{} follows {unsettled}, which is not settled", last.id));
            }
            self.is_intended(after, last, by);
        }
        let was_closed = before
            .is_some_and(|before| before.spec.closed && before.spec.request.uid == after.spec.request.uid);
        if after.spec.closed && !was_closed {
            self.is_closed(after);
        }
    }

    /// The last attempt of a record, where nobody may know yet what became of it: without an answer within its window.
    fn unsettled(&self, record: &Stored) -> Option<String> {
        let last = record.spec.attempts.last()?;
        let attempt = self.truth.attempts.get(&last.id)?;
        let is_unanswered = matches!(outcome(last), None | Some(OutcomeWord::Unknown));
        // Where presence proves nothing, "already gone" is an answer.
        let is_answer = last.reason.as_deref() == Some("AlreadyGone")
            && self.scenario.places[attempt.place].kind == Kind::Unobservable;
        let is_early = self.now < attempt.intent_at + self.scenario.timing.window();
        (is_unanswered && !is_answer && is_early).then(|| last.id.clone())
    }

    fn must_move_forward(&mut self, before: &OffboardingRecordSpec, after: &OffboardingRecordSpec) {
        let another = before.request.uid != after.request.uid;
        if another {
            self.say("a later request goes on with a record", &[], String::new);
            if !before.closed {
                self.breaks("S10", "an open record was taken over by another request".to_owned());
            }
            return;
        }
        if before.closed
            && (!after.closed || before.result != after.result || before.attempts != after.attempts)
        {
            self.breaks("S8", "a closed record was changed by the same request".to_owned());
        }
        for had in &before.attempts {
            match after.attempts.iter().find(|attempt| attempt.id == had.id) {
                Some(now) if outcome(now) < outcome(had) => {
                    self.breaks("S8", format!("the outcome of {} moved back", had.id));
                }
                None if outcome(had) != Some(OutcomeWord::NotSent) => {
                    self.breaks("S8", format!("{} is gone from its record", had.id));
                }
                Some(_) | None => {}
            }
        }
    }

    fn is_intended(&mut self, record: &Stored, attempt: &Attempt, by: (usize, u32)) {
        let uid = record.spec.request.uid.clone();
        let place = number_of(&record.spec.provider.name);
        let Some(request) = self.truth.requests.get(&uid).cloned() else { return };
        let intended = TrueAttempt {
            record: record.name.clone(),
            uid: uid.clone(),
            place,
            incarnation: u32::try_from(number_of(&attempt.fingerprint)).unwrap_or(0),
            plan_hash: attempt.plan_hash.clone(),
            approvals: attempt.approvals.iter().map(|used| used.uid.clone()).collect(),
            intent_at: self.now,
            sent_at: None,
            is_permitted: false,
        };
        self.truth.attempts.insert(attempt.id.clone(), intended);
        self.must_be_clear(&request, place, by.0);
        let begun = self.truth.requests.get_mut(&uid).map(|request| {
            request.begun.insert(place);
            request.begun.len()
        });
        if begun.is_some_and(|begun| begun > 1) {
            self.say("two attempts of one request on two targets", &[], String::new);
        }
    }

    /// The barrier: before the first intent of a request nothing stands in the way anywhere. A look may be as old as a pass lets it.
    fn must_be_clear(&mut self, request: &TrueRequest, place: usize, operator: usize) {
        if !request.begun.is_empty() {
            return;
        }
        let timing = self.scenario.timing;
        let old = STANDS + timing.lag + 20 * timing.call + 2 * SECOND;
        let was_away = self.operators[operator].frozen_until;
        for other in (0..request.targets).filter(|other| *other != place) {
            let Some(since) = self.saas.blocked_since(other, request.customer) else { continue };
            // Where it was gone for as long, nothing had to be checked.
            let from = self.now.saturating_sub(old);
            let there = |customer: &Customer| customer.incarnation != 0 && customer.active;
            let was_there = self.saas.between(other, request.customer, 0, self.now).iter().all(there);
            if was_there && (since <= request.created_at || since.max(was_away) < from) {
                self.breaks(
                    "barrier",
                    format!("target {other} is blocked since {since} ms, and {place} is begun"),
                );
            }
        }
    }

    /// S7, S10: what is claimed is true, and nothing is under way.
    fn is_closed(&mut self, record: &Stored) {
        self.say("a record is closed", &[], || format!("{}: {:?}", record.name, record.spec.result));
        let spec = &record.spec;
        let Some(request) = self.truth.requests.get(&spec.request.uid).cloned() else { return };
        if self.api.view().requests.get(&request.name).is_none_or(|now| now.uid != spec.request.uid) {
            self.say("an open record outlives its request", &[], String::new);
        }
        let (place, customer, now) = (number_of(&spec.provider.name), request.customer, self.now);
        let is_pending =
            |flight: &&Flight| flight.pending && (flight.provider, flight.customer) == (place, customer);
        if let Some(flight) = self.saas.flights.iter().find(is_pending) {
            let attempt = flight.attempt.clone();
            self.breaks("S10", format!("closed while {attempt} may still be carried out"));
        }
        if let Some(unsettled) = self.unsettled(record) {
            self.breaks("S10", format!("closed while {unsettled} is not settled"));
        }
        let last = spec.attempts.last().and_then(|last| self.truth.attempts.get(&last.id)).cloned();
        let lag = self.scenario.timing.lag;
        let from = last
            .as_ref()
            .map_or(request.created_at.saturating_sub(lag), |last| last.intent_at.saturating_sub(lag));
        let seen = self.saas.between(place, customer, from, now);
        let incarnation = last.as_ref().map_or(0, |last| last.incarnation);
        let gone = |who: &Customer| {
            last.as_ref().map_or(who.incarnation == 0 || !who.active, |_| {
                who.incarnation != incarnation || !who.active
            })
        };
        let is_true = match result(spec) {
            Some(
                OffboardingResult::Erased
                | OffboardingResult::ErasedWithRetention
                | OffboardingResult::Deactivated
                | OffboardingResult::AlreadyAbsent,
            ) => seen.iter().any(gone),
            Some(OffboardingResult::Recreated) => {
                seen.iter().any(|who| who.incarnation != 0 && who.incarnation != incarnation)
            }
            _ => true,
        };
        if !is_true {
            self.breaks(
                "S7",
                format!("closed as {:?}, and the customer was there all the time", spec.result),
            );
        }
    }

    /// A permit was given: S1, S2, S3, S9, L4.
    pub fn on_permit(&mut self, attempt_id: &str, unread: bool) {
        self.say("a permit is asked after", &[], || attempt_id.to_owned());
        if unread {
            self.breaks("S9", "permitted although something was not answered".to_owned());
        }
        let Some(attempt) = self.truth.attempts.get_mut(attempt_id) else { return };
        attempt.is_permitted = true;
        let attempt = attempt.clone();
        let Some(request) = self.truth.requests.get(&attempt.uid).cloned() else { return };
        // What held all the time since then must have been seen.
        let since = attempt.intent_at.max(self.now.saturating_sub(FRESH));
        let all_the_time = |from: Option<Ms>| from.is_some_and(|from| from <= since);
        let stopped = request.stopped_since.get(attempt.place).copied().flatten();
        if all_the_time(stopped) {
            self.breaks("S3", format!("permitted {attempt_id}, and it is stopped since {stopped:?} ms"));
        }
        if all_the_time(request.finished_at) {
            self.breaks("S3", format!("permitted {attempt_id}, and its request was finished"));
        }
        if all_the_time(request.denied_since) {
            self.breaks("S1", format!("permitted {attempt_id}, and it was denied"));
        }
        self.must_be_approved(&attempt, &request, since);
    }

    fn must_be_approved(&mut self, attempt: &TrueAttempt, request: &TrueRequest, since: Ms) {
        let first = self.scenario.places[attempt.place].required;
        let demanded = self.truth.least_demanded(attempt.place, first, since);
        let need = if demanded > 0 && request.author.is_none() { demanded + 1 } else { demanded };
        if need == 0 {
            return;
        }
        self.say("a permit is asked with approvals", &[], String::new);
        if self.truth.policies_lost_at.is_some_and(|lost| lost <= since) {
            self.breaks("S1", "permitted on approvals that nothing proves".to_owned());
        }
        let takes = self.scenario.timing.request_deadline;
        let counts = |said: &&crate::truth::TrueSaid| {
            said.request_uid == attempt.uid
                && said.plan_hash.as_deref() == Some(attempt.plan_hash.as_str())
                && request.author.as_deref() != Some(said.approver.as_str())
                && said.taken_back_at.is_none_or(|at| at > since)
                && said.expires_at > since + takes
        };
        let used = attempt.approvals.iter().filter_map(|uid| self.truth.said.get(uid)).filter(counts);
        let people: BTreeSet<String> = used.map(|said| said.approver.clone()).collect();
        if people.len() < usize::try_from(need).unwrap_or(usize::MAX) {
            self.breaks("S1", format!("permitted with {people:?}, and {need} must agree"));
        }
    }

    /// The first byte of a deletion left: S4, S5, budget.
    pub fn on_send(&mut self, operator: usize, place: usize, customer: usize, attempt_id: &str) {
        let now = self.now;
        let Some(attempt) = self.truth.attempts.get(attempt_id).cloned() else {
            self.breaks("S4", format!("{attempt_id} is sent by {operator}, and no intent was ever written"));
            return;
        };
        if attempt.sent_at.is_some() {
            self.breaks("S5", format!("{attempt_id} is sent twice"));
        }
        let late = now.saturating_sub(attempt.intent_at) > self.scenario.timing.send_deadline;
        let stored = self.api.view().records.get(&attempt.record).cloned();
        let stands = stored.as_ref().is_some_and(|stored| {
            let last = stored.spec.attempts.last();
            !stored.spec.closed && last.is_some_and(|last| last.id == attempt_id && last.outcome.is_none())
        });
        if late || !stands {
            self.breaks(
                "S4",
                format!("{attempt_id} is sent, late: {late}, and the record says so: {stands}"),
            );
        }
        let in_flight =
            |flight: &Flight| flight.pending && (flight.provider, flight.customer) == (place, customer);
        if self.saas.flights.iter().any(in_flight) {
            self.breaks("S5", format!("{attempt_id} is sent, and another one is still in flight"));
        }
        if let Some(stored) = stored {
            let spec = &stored.spec;
            let before = &spec.attempts[..spec.attempts.len().saturating_sub(1)];
            if before.iter().any(|before| outcome(before) == Some(OutcomeWord::Accepted)) {
                self.breaks("S5", format!("{attempt_id} is sent after one that was accepted"));
            }
            let left = self.truth.attempts.values();
            let left = left.filter(|other| {
                other.uid == attempt.uid && other.record == attempt.record && other.sent_at.is_some()
            });
            let left = left.count();
            if left > 0 {
                self.say("a further attempt is sent", &[], String::new);
            }
            if left >= MOST_ATTEMPTS {
                self.breaks("S5", format!("{attempt_id} is the {}th that leaves", left + 1));
            }
        }
        if let Some(attempt) = self.truth.attempts.get_mut(attempt_id) {
            attempt.sent_at = Some(now);
        }
        self.must_be_in_budget(place);
    }

    /// An attempt that nobody heard of again counts from its intent.
    fn must_be_in_budget(&mut self, place: usize) {
        let now = self.now;
        let sends = self.truth.sends.entry(place).or_default();
        sends.push(now);
        let Some(limit) = self.scenario.places[place].per_hour else { return };
        let slack = self.scenario.timing.send_deadline + 5 * SECOND;
        let recent = sends.iter().filter(|at| now - **at < HOUR - slack).count();
        self.say("a budget limits a send", &[place], String::new);
        if recent > usize::try_from(limit).unwrap_or(usize::MAX) {
            self.breaks("budget", format!("{recent} deletions in an hour, and the limit is {limit}"));
        }
    }

    /// S6: a deletion hits whom it is about. Who creates another one under the same id while it is on its way, or a moment before,
    /// breaks what the promise rests on where ids are used again.
    pub fn on_execution(&mut self, flight: &Flight, hit: Customer) {
        let Some(attempt) = self.truth.attempts.get(&flight.attempt).cloned() else { return };
        let quiet_since = attempt.intent_at.saturating_sub(self.scenario.timing.lag);
        let last_created = self.saas.last_created(flight.provider, flight.customer);
        let is_quiet = last_created == 0 || last_created < quiet_since;
        if hit.incarnation != 0 && hit.incarnation != attempt.incarnation && is_quiet {
            self.breaks("S6", format!("{} hits incarnation {}", flight.attempt, hit.incarnation));
        }
    }

    /// A status was written: S8, and what it tells is true.
    pub fn on_status(&mut self, writer: usize, before: &Request, after: &Request) {
        let Some(request) = self.truth.requests.get_mut(&after.uid) else { return };
        let (customer, since) =
            (request.customer, request.created_at.saturating_sub(self.scenario.timing.lag));
        let was_finished = request.finished_at.is_some() || before.status.finished;
        if after.status.finished {
            request.finished_at.get_or_insert(self.now);
        }
        if was_finished && !after.status.finished {
            self.breaks("S8", format!("request {} is not finished any more", after.name));
        }
        if !after.status.finished || was_finished {
            return;
        }
        self.say("a status says finished", &[], || format!("{}: {:?}", after.name, after.status.result));
        let view = self.api.view().clone();
        let open = view.records.values().filter(|record| !record.spec.closed);
        let open: Vec<_> = open.filter(|record| record.spec.request.uid == after.uid).collect();
        let result: Option<OffboardingResult> =
            after.status.result.as_deref().and_then(|word| word.parse().ok());
        let ends_well = matches!(
            result,
            Some(
                OffboardingResult::Erased
                    | OffboardingResult::ErasedWithRetention
                    | OffboardingResult::Deactivated
                    | OffboardingResult::Unverified
                    | OffboardingResult::AlreadyAbsent
                    | OffboardingResult::PartiallyDone
            )
        );
        if !ends_well && view.records.values().any(|record| says_done(&record.spec, &after.uid)) {
            self.breaks("S8", format!("request {} is {result:?}, and a record says otherwise", after.name));
        }
        if ends_well {
            self.say("a request ends well", &[], String::new);
        }
        // Two that lead at once cannot see each other's last write: one may find nobody while the other, by a read that lags, writes an
        // intent. It is no word of success then, or a true one, and who is finished is not permitted.
        let me = format!("{writer}-");
        let by_another =
            |record: &&Rc<Stored>| record.spec.attempts.last().is_some_and(|last| !last.by.starts_with(&me));
        let was_gone = |record: &&Rc<Stored>| {
            let seen = self.saas.between(number_of(&record.spec.provider.name), customer, since, self.now);
            seen.iter().any(|who| who.incarnation == 0 || !who.active)
        };
        // The result of several targets is that of one which was done, though there was nobody at the others.
        let tells_of_nobody = result == Some(OffboardingResult::AlreadyAbsent)
            || view.records.values().any(|record| record.spec.closed && says_done(&record.spec, &after.uid));
        let may_end = !ends_well || (tells_of_nobody && open.iter().all(was_gone));
        // So does who was stopped while the other one wrote it, and goes on with what it was about to tell.
        let was_away = |record: &&Rc<Stored>| {
            let last = record.spec.attempts.last().and_then(|last| self.truth.attempts.get(&last.id));
            last.is_some_and(|last| self.was_stopped(writer, last.intent_at))
        };
        let are_two = self.another_leads(writer) || open.iter().all(was_away);
        if !open.is_empty() && open.iter().all(by_another) && may_end && are_two {
            self.say("one ends what another one has begun", &[writer], String::new);
        } else if !open.is_empty() {
            self.breaks("S8", format!("request {} is finished, and a record of it is open", after.name));
        }
        let has_hard_place =
            (0..after.spec.targets.len()).all(|place| self.scenario.places[place].kind == Kind::Hard);
        if result == Some(OffboardingResult::Erased) && !has_hard_place {
            self.breaks("S7", format!("request {} is told as erased", after.name));
        }
    }
}
