//! The steps of an exchange that touch the world: arrive, act, end.

use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};

use super::World;
use crate::distort::{Scene, distort, keeps_standing_headers};
use crate::faults::{Effect, Kind};
use crate::http::{Answer, Request};
use crate::journal::Change;
use crate::ledger::{Origin, request_id};
use crate::provider::Name;
use crate::window::later;

/// An accepted request that takes effect later.
#[derive(Debug)]
pub(super) struct Due {
    at: Timestamp,
    provider: Name,
    seq: u64,
    request: Request,
}

/// A request in the ledger, and what comes next.
pub struct Arrival {
    pub seq: u64,
    pub turn: Turn,
}

/// What comes next for a request.
pub enum Turn {
    /// Refused before anything could happen.
    Refused(Answer),
    /// To be performed, perhaps under a fault.
    Admitted(Option<Kind>),
}

impl World {
    /// First step of an exchange: into the ledger, then route, credential, rate limit, fault.
    pub fn arrive(&mut self, provider: Name, connection: u64, request: &Request) -> Arrival {
        let origin = Origin { provider, connection, received: self.now() };
        let reading = self.provider(provider).read(request);
        let incarnation = self.incarnation(provider, reading.customer.as_deref());
        let secrets = self.secrets();
        let seq = self.ledger.append(&origin, request, reading.clone(), incarnation, &secrets);
        self.write_entry(seq);
        if let Err(refusal) = self.provider_mut(provider).admit(request, origin.received) {
            return Arrival { seq, turn: Turn::Refused(self.dressed(provider, seq, request, refusal, None)) };
        }
        let fault = self.faults.strike_request(provider, request, &reading);
        self.ledger.update(seq, |entry| entry.fault = fault.as_ref().map(Kind::name));
        Arrival { seq, turn: Turn::Admitted(fault) }
    }

    /// Second step: the request takes effect, or not, and its answer is made.
    pub fn act(&mut self, provider: Name, seq: u64, request: &Request, fault: Option<&Kind>) -> Answer {
        let now = self.now();
        if seq <= self.reset_at {
            let answer = self.provider(provider).error(503); // its world is gone
            return self.dressed(provider, seq, request, answer, None);
        }
        let honest = match fault.map_or(Effect::HONEST, Kind::effect) {
            Effect::Apply { staleness } => self.apply(provider, seq, request, staleness),
            Effect::Pretend => self.provider(provider).rehearse(request, now),
            Effect::Withhold => Answer::empty(200),
            Effect::Later(after) => {
                let at = after.map(|after| later(now, after));
                self.due.extend(at.map(|at| Due { at, provider, seq, request: request.clone() }));
                Answer::empty(202)
            }
        };
        let answer = match fault {
            None => honest,
            Some(kind) => {
                let scene =
                    Scene { provider: self.provider(provider), now, location: self.location(kind, request) };
                distort(kind, honest, &scene)
            }
        };
        self.dressed(provider, seq, request, answer, fault)
    }

    fn apply(&mut self, provider: Name, seq: u64, request: &Request, staleness: SignedDuration) -> Answer {
        let now = self.now();
        let performed = self.provider_mut(provider).perform(request, now, staleness);
        if let Some(customer) = performed.changed {
            let incarnation = self.incarnation(provider, Some(&customer));
            self.ledger.update(seq, |entry| {
                entry.applied = true;
                entry.applied_at = Some(now);
                entry.incarnation_after = incarnation;
            });
            self.keep(provider, &customer, Some(seq));
        }
        performed.answer
    }

    /// Carries out what was accepted earlier and is due now.
    pub(super) fn settle(&mut self) {
        if self.due.is_empty() {
            return;
        }
        let now = self.now();
        let (due, pending) = std::mem::take(&mut self.due).into_iter().partition(|due| due.at <= now);
        self.due = pending;
        for Due { provider, seq, request, .. } in due {
            self.apply(provider, seq, &request, SignedDuration::ZERO);
        }
    }

    /// Puts on what every answer of that provider wears, and notes the status.
    fn dressed(
        &mut self,
        provider: Name,
        seq: u64,
        request: &Request,
        answer: Answer,
        fault: Option<&Kind>,
    ) -> Answer {
        let now = self.now();
        let standing = fault
            .is_none_or(keeps_standing_headers)
            .then(|| self.provider(provider).standing_headers(request, now));
        let answer = standing
            .into_iter()
            .flatten()
            .fold(answer, |answer, (name, value)| answer.or_with(&name, &value));
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap_or_default();
        answer.or_with("Date", &date).or_with("X-Request-Id", &request_id(seq))
    }

    fn location(&self, kind: &Kind, request: &Request) -> Option<String> {
        let Kind::Redirect { to, .. } = kind else { return None };
        let Some(base) = Name::parse(to).and_then(|name| self.addresses.get(&name)) else {
            return Some(to.clone());
        };
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        Some(format!("{base}{}{query}", request.path))
    }

    /// The first byte of an answer is about to leave.
    pub fn answering(&mut self, seq: u64, status: Option<u16>) {
        self.ledger.update(seq, |entry| entry.status = status);
    }

    /// Last step: the exchange is over; `finished` if the whole answer has left.
    pub fn end(&mut self, seq: u64, bytes_sent: u64, finished: bool) {
        let now = self.now();
        self.ledger.update(seq, |entry| entry.bytes_sent = bytes_sent);
        self.ledger.end(seq, now, finished);
        self.write_entry(seq);
    }

    /// The client went away in the middle of the answer, perhaps after the last byte was already counted.
    pub fn lost(&mut self, seq: u64, bytes_sent: u64) {
        let counted =
            self.ledger.update(seq, |entry| entry.finished = None).is_some_and(|entry| entry.ended.is_some());
        if counted {
            self.ledger.update(seq, |entry| entry.bytes_sent = bytes_sent);
            self.write_entry(seq);
        } else {
            self.end(seq, bytes_sent, false);
        }
    }

    fn write_entry(&mut self, seq: u64) {
        if self.journal.is_none() {
            return;
        }
        let entry = self.ledger.entry(seq).cloned();
        self.write(Change { entry, ..Change::default() });
    }
}
