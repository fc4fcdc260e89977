//! How many deletions each account has seen, and who comes next. What was sent is in the records; a restart forgets nothing but
//! who waits, and they line up again by when their requests were created.
//!
//! ```text
//!  woken ──► in line ──► a pass ──┬─► waits for the budget: keeps its place ──► room again: woken
//!                                 ├─► takes a slot: leaves
//!                                 └─► anything else, an error too: leaves
//! ```
//! A place is held from the moment that a request is woken: whoever is looked at faster does not overtake.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp, ToSpan as _, tz::TimeZone};
use kube::runtime::reflector::ObjectRef;

use super::api_server::{ApiError, ApiServer};
use crate::{
    api::{CustomerOffboarding, OffboardingRecord},
    domain::{BudgetLimits, BudgetSeen, BudgetUse},
    evidence::record,
};

/// The installation's own ceiling counts every account; no account has this name.
pub const EVERY_ACCOUNT: &str = "*";

/// An intent is written, or given up, within this long after its slot was taken.
const NOT_WRITTEN_YET: SignedDuration = SignedDuration::from_secs(60);

/// Whose turn it would be: requests come in the order of their creation, and by name within the second that the API server tells:
/// that is how a folder is applied, and what was told before the others arrived stays true.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub created_at: Timestamp,
    pub name: String,
    pub namespace: String,
    pub request_uid: String,
    /// Empty for the request as a whole: before its first target.
    pub target: String,
}

impl Place {
    /// Whether both are the same request's.
    fn is_beside(&self, other: &Place) -> bool {
        self.created_at == other.created_at && self.request_uid == other.request_uid
    }
}

/// Whoever holds a place.
struct InLine {
    request: ObjectRef<CustomerOffboarding>,
    /// The budget that its provider object gives the account.
    limits: BudgetLimits,
    /// It was told to wait. Whoever was not is on the way.
    waits: bool,
}

/// What this process knows of every account.
pub struct Budgets {
    api: ApiServer,
    namespace: String,
    /// Of all accounts together.
    ceiling: BudgetLimits,
    accounts: Mutex<HashMap<String, Account>>,
    /// One count at a time: many requests of an account come at once.
    counting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Account {
    /// Attempts that may have left, by their id; `None` until the records were counted.
    sent: Option<HashMap<String, Timestamp>>,
    /// Attempts that did not leave, and may stand in a record as if they had.
    given_back: HashMap<String, Timestamp>,
    line: BTreeMap<Place, InLine>,
}

impl Account {
    fn times(&self) -> Option<Vec<Timestamp>> {
        self.sent.as_ref().map(|sent| sent.values().copied().collect())
    }

    fn verdict(&self, limits: BudgetLimits, place: &Place, now: Timestamp) -> BudgetSeen {
        if limits.is_unlimited() {
            return BudgetSeen::Free;
        }
        let ahead = self.line.range(..place.clone()).count();
        self.times().map_or(BudgetSeen::Unread, |sent| limits.verdict(&sent, ahead, now))
    }

    /// Those who were told to wait and need not any more, in their order; they are on the way from now on.
    fn call(&mut self, ceiling: Option<BudgetLimits>, now: Timestamp) -> Vec<ObjectRef<CustomerOffboarding>> {
        let Some(sent) = self.times() else { return Vec::new() };
        let mut called = Vec::new();
        let (mut counted, mut room) = (BudgetLimits::default(), usize::MAX);
        for (ahead, in_line) in self.line.values_mut().enumerate() {
            let limits = ceiling.unwrap_or(in_line.limits);
            if limits != counted {
                (counted, room) = (limits, limits.room(&sent, now));
            }
            if ahead >= room {
                break;
            }
            if in_line.waits {
                in_line.waits = false;
                called.push(in_line.request.clone());
            }
        }
        called
    }

    /// All places of a request, or those where it was not told to wait.
    fn leave(&mut self, request: &Place, but_where_it_waits: bool) {
        let its_own = self.line.range(request.clone()..).take_while(|(place, _)| place.is_beside(request));
        let leaves = its_own.filter(|(_, in_line)| !(but_where_it_waits && in_line.waits));
        for place in leaves.map(|(place, _)| place.clone()).collect::<Vec<_>>() {
            self.line.remove(&place);
        }
    }
}

impl Budgets {
    /// Counts in the records of `namespace`; `ceiling` is how many deletions all accounts together may see in an hour.
    #[must_use]
    pub fn new(api: ApiServer, namespace: String, ceiling: Option<u32>) -> Self {
        let ceiling = BudgetLimits { per_hour: ceiling, per_day: None };
        Self { api, namespace, ceiling, accounts: Mutex::default(), counting: tokio::sync::Mutex::default() }
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
            if limits.is_unlimited() || self.is_counted(account) {
                continue;
            }
            let _counting = self.counting.lock().await;
            if !self.is_counted(account) {
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
        let own = accounts.entry(account.to_owned()).or_default().verdict(limits, place, now);
        let all = accounts.entry(EVERY_ACCOUNT.to_owned()).or_default().verdict(self.ceiling, place, now);
        match (own, all) {
            (BudgetSeen::Unread, _) | (_, BudgetSeen::Unread) => BudgetSeen::Unread,
            (BudgetSeen::Full { until: own }, BudgetSeen::Full { until: all }) => {
                BudgetSeen::Full { until: own.max(all) }
            }
            (BudgetSeen::Free, BudgetSeen::Full { until }) => BudgetSeen::CeilingReached { until },
            (own, _) => own,
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
                account.line.remove(place);
                if let Some(sent) = &mut account.sent {
                    sent.insert(attempt_id.to_owned(), now);
                }
            }
        }
        seen
    }

    /// Gives a slot back: nothing was sent.
    pub fn give_back(&self, account: &str, attempt_id: &str, now: Timestamp) {
        let mut accounts = self.accounts();
        for name in [account, EVERY_ACCOUNT] {
            let Some(account) = accounts.get_mut(name) else { continue };
            account.given_back.retain(|_, at| now.duration_since(*at) < NOT_WRITTEN_YET);
            account.given_back.insert(attempt_id.to_owned(), now);
            if let Some(sent) = &mut account.sent {
                sent.remove(attempt_id);
            }
        }
    }

    /// Holds a place for a request that is on the way, where somebody may have to wait there.
    pub fn line_up(
        &self,
        account: &str,
        limits: BudgetLimits,
        place: &Place,
        request: &ObjectRef<CustomerOffboarding>,
    ) {
        for (name, limits) in [(account, limits), (EVERY_ACCOUNT, self.ceiling)] {
            if !limits.is_unlimited() {
                let in_line = InLine { request: request.clone(), limits, waits: false };
                self.accounts().entry(name.to_owned()).or_default().line.insert(place.clone(), in_line);
            }
        }
    }

    /// A request was told to wait: it keeps its place, where it has to wait, and only there. Who waits for another day of its own
    /// account stands in nobody's way at the installation's ceiling.
    pub fn wait(
        &self,
        account: &str,
        limits: BudgetLimits,
        place: &Place,
        request: &ObjectRef<CustomerOffboarding>,
        now: Timestamp,
    ) {
        let mut accounts = self.accounts();
        let own = accounts.entry(account.to_owned()).or_default().verdict(limits, place, now);
        let all = accounts.entry(EVERY_ACCOUNT.to_owned()).or_default().verdict(self.ceiling, place, now);
        // Where there is room by now, it is called from here at once.
        let by_the_ceiling = own == BudgetSeen::Free && (all != BudgetSeen::Free || limits.is_unlimited());
        let (here, not_here, limits) = if by_the_ceiling {
            (EVERY_ACCOUNT, account, self.ceiling)
        } else {
            (account, EVERY_ACCOUNT, limits)
        };
        let in_line = InLine { request: request.clone(), limits, waits: true };
        accounts.entry(here.to_owned()).or_default().line.insert(place.clone(), in_line);
        accounts.entry(not_here.to_owned()).or_default().line.remove(place);
    }

    /// A pass ended, and where its request was not told to wait, it gives its places up.
    pub fn leave_unless_it_waits(&self, request: &Place) {
        self.accounts().values_mut().for_each(|account| account.leave(request, true));
    }

    /// A request is gone, or its pass failed: it gives all its places up.
    pub fn leave(&self, request: &Place) {
        self.accounts().values_mut().for_each(|account| account.leave(request, false));
    }

    /// Those who were told to wait and need not any more: to be woken. Each is given once.
    #[must_use]
    pub fn call(&self, now: Timestamp) -> Vec<ObjectRef<CustomerOffboarding>> {
        let ceiling = self.ceiling;
        let mut accounts = self.accounts();
        let each = accounts.iter_mut();
        each.flat_map(|(name, account)| account.call((name == EVERY_ACCOUNT).then_some(ceiling), now))
            .collect()
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

    /// What each account with a budget has seen, and how many wait there; the account of all accounts is called `*`.
    #[must_use]
    pub fn figures(&self, now: Timestamp) -> Vec<(String, BudgetUse, usize)> {
        let accounts = self.accounts();
        let counted = accounts.iter().filter_map(|(name, account)| {
            let waiting = account.line.values().filter(|in_line| in_line.waits).count();
            Some((name.clone(), BudgetUse::of(&account.times()?, now), waiting))
        });
        counted.collect()
    }

    /// How many deletions all accounts together may see, where there is such a ceiling.
    #[must_use]
    pub fn ceiling(&self) -> BudgetLimits {
        self.ceiling
    }

    /// Forgets what was counted, and who waits: another process may have sent meanwhile, and told others to wait.
    pub fn count_again(&self) {
        self.accounts().clear();
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
            let count = |page: Vec<OffboardingRecord>| {
                let sends = page.iter().flat_map(|record| record::sends(&record.spec));
                sent.extend(sends.map(|send| (send.id, send.at)));
            };
            self.api.each_page::<OffboardingRecord, _>(&self.namespace, &selector, count).await?;
        }
        Ok(sent)
    }

    fn is_counted(&self, account: &str) -> bool {
        self.accounts().get(account).is_some_and(|account| account.sent.is_some())
    }

    /// What was taken or given back a moment ago may not stand in a record yet.
    fn learn(&self, account: &str, counted: HashMap<String, Timestamp>, now: Timestamp) {
        let mut accounts = self.accounts();
        let account = accounts.entry(account.to_owned()).or_default();
        let mut sent = counted;
        sent.retain(|attempt, _| !account.given_back.contains_key(attempt));
        for (attempt, at) in account.sent.take().into_iter().flatten() {
            if now.duration_since(at) < NOT_WRITTEN_YET {
                sent.entry(attempt).or_insert(at);
            }
        }
        account.sent = Some(sent);
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<String, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).date().to_string()
}
