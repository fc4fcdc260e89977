//! How many deletions each account has seen, and who comes next. What was sent is in the records; a restart forgets nothing but
//! who waits, and they come again by themselves.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp, ToSpan as _, tz::TimeZone};
use kube::runtime::reflector::ObjectRef;

use super::api_server::{ApiError, ApiServer};
use crate::{
    api::{Attempt, CustomerOffboarding, OffboardingRecord},
    domain::{BudgetLimits, BudgetSeen, OutcomeWord},
};

/// The installation's own ceiling counts every account; no account has this name.
const EVERY_ACCOUNT: &str = "*";

/// An intent is written, or given up, within this long after its slot was taken.
const NOT_WRITTEN_YET: SignedDuration = SignedDuration::from_secs(60);

/// Whose turn it would be: requests come in the order of their creation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub created_at: Timestamp,
    pub request_uid: String,
    pub target: String,
}

/// What this process knows of every account.
pub struct Budgets {
    api: ApiServer,
    namespace: String,
    /// Of all accounts together.
    ceiling: BudgetLimits,
    accounts: Mutex<HashMap<String, Account>>,
}

#[derive(Default)]
struct Account {
    /// Attempts that may have left, by their id; `None` until the records were counted.
    sent: Option<HashMap<String, Timestamp>>,
    /// Who waits.
    queue: BTreeMap<Place, ObjectRef<CustomerOffboarding>>,
}

impl Account {
    fn times(&self) -> Option<Vec<Timestamp>> {
        self.sent.as_ref().map(|sent| sent.values().copied().collect())
    }

    fn verdict(&self, limits: BudgetLimits, place: &Place, now: Timestamp) -> BudgetSeen {
        if limits.is_unlimited() {
            return BudgetSeen::Free;
        }
        let ahead = self.queue.range(..place.clone()).count();
        self.times().map_or(BudgetSeen::Unread, |sent| limits.verdict(&sent, ahead, now))
    }
}

impl Budgets {
    /// Counts in the records of `namespace`; `ceiling` is how many deletions all accounts together may see in an hour.
    #[must_use]
    pub fn new(api: ApiServer, namespace: String, ceiling: Option<u32>) -> Self {
        let ceiling = BudgetLimits { per_hour: ceiling, per_day: None };
        Self { api, namespace, ceiling, accounts: Mutex::default() }
    }

    /// Whether the account may see a deletion for this place now.
    pub async fn seen(
        &self,
        account: &str,
        limits: BudgetLimits,
        place: &Place,
        now: Timestamp,
    ) -> BudgetSeen {
        for (account, limits) in [(account, limits), (EVERY_ACCOUNT, self.ceiling)] {
            if !limits.is_unlimited() && !self.is_counted(account) {
                match self.sent(account, now).await {
                    Ok(sent) => self.learn(account, sent, now),
                    Err(_) => return BudgetSeen::Unread,
                }
            }
        }
        self.verdict(account, limits, place, now)
    }

    fn verdict(&self, account: &str, limits: BudgetLimits, place: &Place, now: Timestamp) -> BudgetSeen {
        let mut accounts = self.accounts();
        let of = |accounts: &mut HashMap<String, Account>, name: &str, limits: BudgetLimits| {
            accounts.entry(name.to_owned()).or_default().verdict(limits, place, now)
        };
        let own = of(&mut accounts, account, limits);
        let all = of(&mut accounts, EVERY_ACCOUNT, self.ceiling);
        match (own, all) {
            (BudgetSeen::Unread, _) | (_, BudgetSeen::Unread) => BudgetSeen::Unread,
            (BudgetSeen::Full { until: own }, BudgetSeen::Full { until: all }) => {
                BudgetSeen::Full { until: own.max(all) }
            }
            (full @ BudgetSeen::Full { .. }, BudgetSeen::Free) | (BudgetSeen::Free, full) => full,
        }
    }

    /// Takes a slot for an attempt, where one is free at this very moment: of two that saw the last one free, one gets it.
    pub fn take(
        &self,
        account: &str,
        limits: BudgetLimits,
        place: &Place,
        attempt_id: &str,
        now: Timestamp,
    ) -> BudgetSeen {
        let seen = self.verdict(account, limits, place, now);
        if seen == BudgetSeen::Free {
            let mut accounts = self.accounts();
            for name in [account, EVERY_ACCOUNT] {
                let account = accounts.entry(name.to_owned()).or_default();
                account.queue.remove(place);
                if let Some(sent) = &mut account.sent {
                    sent.insert(attempt_id.to_owned(), now);
                }
            }
        }
        seen
    }

    /// Gives a slot back: nothing was sent.
    pub fn give_back(&self, account: &str, attempt_id: &str) {
        let mut accounts = self.accounts();
        for name in [account, EVERY_ACCOUNT] {
            if let Some(sent) = accounts.get_mut(name).and_then(|account| account.sent.as_mut()) {
                sent.remove(attempt_id);
            }
        }
    }

    /// Whoever waits for the account keeps a place; whoever does not loses it. Gives the next one who may go on, where a place
    /// became free.
    pub fn queue(
        &self,
        account: &str,
        place: &Place,
        waits: Option<ObjectRef<CustomerOffboarding>>,
    ) -> Option<ObjectRef<CustomerOffboarding>> {
        let mut accounts = self.accounts();
        let queue = &mut accounts.entry(account.to_owned()).or_default().queue;
        match waits {
            Some(request) => {
                queue.insert(place.clone(), request);
                None
            }
            None => {
                queue.remove(place)?;
                queue.values().next().cloned()
            }
        }
    }

    /// Whether the account has seen more than it may, by the records as they are now, the newest included.
    ///
    /// # Errors
    /// As `ApiServer::list`: then nobody knows.
    pub async fn is_exceeded(
        &self,
        account: &str,
        limits: BudgetLimits,
        now: Timestamp,
    ) -> Result<bool, ApiError> {
        for (account, limits) in [(account, limits), (EVERY_ACCOUNT, self.ceiling)] {
            if !limits.is_unlimited() {
                let sent = self.sent(account, now).await?;
                let times: Vec<Timestamp> = sent.values().copied().collect();
                self.learn(account, sent, now);
                if limits.is_exceeded(&times, now) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// How many requests wait at each account.
    #[must_use]
    pub fn queued(&self) -> Vec<(String, usize)> {
        self.accounts().iter().map(|(name, account)| (name.clone(), account.queue.len())).collect()
    }

    /// Forgets what was counted: another process may have sent meanwhile.
    pub fn count_again(&self) {
        self.accounts().values_mut().for_each(|account| account.sent = None);
    }

    /// What an account has seen in the last hour and today, by the selectable day of its records: no list of all records.
    async fn sent(&self, account: &str, now: Timestamp) -> Result<HashMap<String, Timestamp>, ApiError> {
        let an_hour_ago = now.saturating_sub(1.hour()).unwrap_or(Timestamp::MIN);
        let mut days = vec![day(now)];
        if day(an_hour_ago) != day(now) {
            days.push(day(an_hour_ago));
        }
        let mut sent = HashMap::new();
        for day in days {
            let of_account =
                if account == EVERY_ACCOUNT { String::new() } else { format!(",spec.account={account}") };
            let selector = format!("spec.day={day}{of_account}");
            let records: Vec<OffboardingRecord> = self.api.list_where(&self.namespace, &selector).await?;
            for attempt in records.iter().flat_map(|record| &record.spec.attempts) {
                if may_have_left(attempt) {
                    sent.insert(attempt.id.clone(), attempt.sent_at.unwrap_or(attempt.intent_at));
                }
            }
        }
        Ok(sent)
    }

    fn is_counted(&self, account: &str) -> bool {
        self.accounts().get(account).is_some_and(|account| account.sent.is_some())
    }

    /// What was taken a moment ago may not stand in a record yet.
    fn learn(&self, account: &str, counted: HashMap<String, Timestamp>, now: Timestamp) {
        let mut accounts = self.accounts();
        let known = &mut accounts.entry(account.to_owned()).or_default().sent;
        let mut sent = counted;
        for (attempt, at) in known.take().into_iter().flatten() {
            if now.duration_since(at) < NOT_WRITTEN_YET {
                sent.entry(attempt).or_insert(at);
            }
        }
        *known = Some(sent);
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<String, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).date().to_string()
}

fn may_have_left(attempt: &Attempt) -> bool {
    attempt.outcome.as_deref() != Some(OutcomeWord::NotSent.as_str())
}
