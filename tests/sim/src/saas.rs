//! The providers: customers with incarnations, a replica that lags behind, requests in flight, and moods.

use std::collections::VecDeque;

use offboarding::domain::{
    Cause, CheckSeen, CheckVerdict, Class, Control, Failure, Fingerprint, Look, Outcome,
};

use crate::{
    rng::Rng,
    scenario::{Answer, Kind, Ms, Place, Weather},
};

/// Who is behind an id. Incarnation 0 is nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Customer {
    pub incarnation: u32,
    pub active: bool,
    pub created_at: Ms,
}

const NOBODY: Customer = Customer { incarnation: 0, active: false, created_at: 0 };

/// A deletion on its way, or done.
#[derive(Clone, Debug)]
pub struct Flight {
    pub provider: usize,
    pub customer: usize,
    pub attempt: String,
    /// It may still be executed.
    pub pending: bool,
    /// Whom it hit, once it was executed.
    pub hit: Option<u32>,
    /// When whoever sent it knows what became of it, or gives up.
    pub answered_at: Ms,
}

/// What one look shows.
#[derive(Clone, Debug)]
pub struct Shown {
    pub look: Look,
    pub created_long_ago: bool,
}

pub struct Account {
    place: Place,
    /// By customer: since when it is how.
    history: Vec<Vec<(Ms, Customer)>>,
    blocked: Vec<Vec<(Ms, bool)>>,
    pub weather: (Weather, Ms),
    pub checks_fail_until: Ms,
    pub answers: VecDeque<Answer>,
}

pub struct Saas {
    lag: Ms,
    pub accounts: Vec<Account>,
    pub flights: Vec<Flight>,
    incarnations: u32,
}

pub fn fingerprint(provider: usize, customer: usize, incarnation: u32) -> Fingerprint {
    Fingerprint(format!("hmac:{provider}-{customer}-{incarnation}"))
}

impl Saas {
    pub fn new(places: &[Place], customers: usize, lag: Ms) -> Self {
        let account = |place: &Place| Account {
            place: *place,
            history: (0..customers)
                .map(|_| vec![(0, Customer { incarnation: 1, active: true, created_at: 0 })])
                .collect(),
            blocked: vec![vec![(0, false)]; customers],
            weather: (Weather::Fair, 0),
            checks_fail_until: 0,
            answers: VecDeque::new(),
        };
        Self { lag, accounts: places.iter().map(account).collect(), flights: Vec::new(), incarnations: 1 }
    }

    pub fn customer(&self, provider: usize, customer: usize) -> Customer {
        self.accounts[provider].history[customer].last().map_or(NOBODY, |(_, now)| *now)
    }

    /// Who was there at any time in a span, its ends included.
    pub fn between(&self, provider: usize, customer: usize, from: Ms, to: Ms) -> Vec<Customer> {
        let history = &self.accounts[provider].history[customer];
        let first = history.partition_point(|(at, _)| *at <= from).saturating_sub(1);
        history[first..].iter().take_while(|(at, _)| *at <= to).map(|(_, customer)| *customer).collect()
    }

    /// When a customer with this id was last created.
    pub fn last_created(&self, provider: usize, customer: usize) -> Ms {
        self.accounts[provider].history[customer].iter().map(|(_, who)| who.created_at).max().unwrap_or(0)
    }

    /// Since when something stands in the way without a break.
    pub fn blocked_since(&self, provider: usize, customer: usize) -> Option<Ms> {
        self.accounts[provider].blocked[customer].last().filter(|(_, blocked)| *blocked).map(|(at, _)| *at)
    }

    fn set(&mut self, now: Ms, provider: usize, customer: usize, who: Customer) {
        self.accounts[provider].history[customer].push((now, who));
    }

    pub fn delete(&mut self, now: Ms, provider: usize, customer: usize) {
        self.set(now, provider, customer, NOBODY);
    }

    /// Another customer under the same id.
    pub fn recreate(&mut self, now: Ms, provider: usize, customer: usize) {
        if self.customer(provider, customer) != NOBODY {
            self.delete(now, provider, customer);
        }
        self.incarnations += 1;
        let incarnation = self.incarnations;
        self.set(now, provider, customer, Customer { incarnation, active: true, created_at: now });
    }

    pub fn block(&mut self, now: Ms, provider: usize, customer: usize, blocked: bool) {
        let history = &mut self.accounts[provider].blocked[customer];
        if history.last().is_none_or(|(_, before)| *before != blocked) {
            history.push((now, blocked));
        }
    }

    pub fn weather(&self, now: Ms, provider: usize) -> Weather {
        let (weather, until) = self.accounts[provider].weather;
        if now < until { weather } else { Weather::Fair }
    }

    /// A deletion is carried out; whom it hits.
    pub fn execute(&mut self, now: Ms, provider: usize, customer: usize) -> Customer {
        let hit = self.customer(provider, customer);
        if hit != NOBODY {
            match self.accounts[provider].place.kind {
                Kind::Hard => self.delete(now, provider, customer),
                Kind::Soft | Kind::Unobservable => {
                    self.set(now, provider, customer, Customer { active: false, ..hit });
                }
            }
        }
        hit
    }

    /// A look, which may be answered by the replica.
    pub fn look(&self, now: Ms, provider: usize, customer: usize, rng: &mut Rng) -> Shown {
        let unseen = |look| Shown { look, created_long_ago: false };
        let failed = |class, cause| unseen(Look::Unknown(Failure::new(class, cause)));
        match self.weather(now, provider) {
            Weather::ServerErrors => return failed(Class::Transient, Cause::ServerError),
            Weather::Unauthorized => return failed(Class::Auth, Cause::Unauthorized),
            Weather::RateLimited => return failed(Class::RateLimited, Cause::RateLimited),
            Weather::Garbage => return failed(Class::Indeterminate, Cause::UntrustedResponse),
            Weather::LyingAbsence => return unseen(Look::Absent),
            Weather::Fair => {}
        }
        let account = &self.accounts[provider];
        let behind = if rng.one_in(2) { 0 } else { rng.between(0, self.lag) };
        let history = &account.history[customer];
        let Some(at) = now.checked_sub(behind) else { return unseen(Look::Absent) };
        let who = history[history.partition_point(|(since, _)| *since <= at).saturating_sub(1)].1;
        let look = match (who, account.place.kind) {
            (Customer { incarnation: 0, .. }, _) => Look::Absent,
            (Customer { incarnation, active: false, .. }, Kind::Soft) => {
                Look::Inactive(fingerprint(provider, customer, incarnation))
            }
            (Customer { incarnation, .. }, _) => Look::Present(fingerprint(provider, customer, incarnation)),
        };
        let created_long_ago = account.place.shows_creation
            && matches!(look, Look::Present(_))
            && who.created_at + self.lag <= now;
        Shown { look, created_long_ago }
    }

    pub fn control(&self, now: Ms, provider: usize) -> Control {
        let bad = |class, cause| Control::Bad(Failure::new(class, cause));
        match self.weather(now, provider) {
            Weather::Fair => Control::Good,
            Weather::ServerErrors | Weather::Garbage => bad(Class::Transient, Cause::ServerError),
            Weather::Unauthorized => bad(Class::Auth, Cause::Unauthorized),
            Weather::RateLimited => bad(Class::RateLimited, Cause::RateLimited),
            Weather::LyingAbsence => bad(Class::Indeterminate, Cause::ControlFailed),
        }
    }

    pub fn checks(&self, now: Ms, provider: usize, customer: usize) -> Vec<CheckSeen> {
        let account = &self.accounts[provider];
        let blocks = account.blocked[customer].last().is_some_and(|(_, blocked)| *blocked);
        let verdict = if now < account.checks_fail_until {
            CheckVerdict::Failed(Failure::new(Class::Transient, Cause::ServerError))
        } else if blocks {
            CheckVerdict::Blocks
        } else {
            CheckVerdict::Clear
        };
        vec![CheckSeen { name: "wallets".to_owned(), verdict, waivable: true }]
    }

    /// What whoever sent a deletion learns of it.
    pub fn outcome(&self, now: Ms, flight: usize, answer: Answer) -> Outcome {
        let Flight { provider, hit, .. } = self.flights[flight];
        let unknown = |class, cause| Outcome::Unknown(Failure::new(class, cause));
        let rejected = |class, cause| Outcome::Rejected(Failure::new(class, cause));
        match answer {
            Answer::Accepted if hit == Some(0) => unknown(Class::NotFound, Cause::AlreadyGone),
            Answer::Accepted | Answer::NothingDone => Outcome::Accepted,
            Answer::NoConnection => Outcome::NotSent(Failure::new(Class::Transient, Cause::ConnectFailed)),
            Answer::ExecutedLate | Answer::ExecutedUnanswered | Answer::Lost => {
                unknown(Class::Transient, Cause::OutcomeUnknown)
            }
            Answer::ServerError | Answer::ServerErrorExecuted => {
                unknown(Class::Transient, Cause::ServerError)
            }
            Answer::TooMany => rejected(Class::RateLimited, Cause::RateLimited),
            Answer::Unauthorized => rejected(Class::Auth, Cause::Unauthorized),
            Answer::Conflict => rejected(Class::Conflict, Cause::DeletionConflict),
            Answer::Forbidden => match self.control(now, provider) {
                Control::Good => rejected(Class::Forbidden, Cause::DeletionRestricted),
                Control::Bad(bad) if matches!(bad.class, Class::Auth | Class::Forbidden) => {
                    rejected(Class::Auth, Cause::AccessDenied)
                }
                Control::Bad(_) => unknown(Class::Transient, Cause::OutcomeUnknown),
            },
        }
    }
}
