//! How many deletions each account has seen, as one process counts them: in the records, and what it takes itself.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use offboarding::{
    domain::{BudgetLimits, BudgetSeen},
    evidence::record,
};

use crate::{api::View, bugs::Bug, operator::Handle, people::account_of};

/// An intent is written, or given up, within this long after its slot was taken.
const NOT_WRITTEN_YET: SignedDuration = SignedDuration::from_secs(60);

/// What an account has seen, by a state of the API server.
pub fn sent_in(view: &View, place: usize) -> BTreeMap<String, Timestamp> {
    let account = account_of(place);
    let records = view.records.values().filter(|record| record.spec.account == account);
    records.flat_map(|record| record::sends(&record.spec)).map(|send| (send.id, send.at)).collect()
}

/// Whether the account may see a deletion now.
pub async fn seen(handle: &Handle, place: usize, limits: BudgetLimits) -> BudgetSeen {
    if limits.is_unlimited() {
        return BudgetSeen::Free;
    }
    if handle.me(|me| !me.sent.contains_key(&place)) {
        let Ok(counted) = handle.get(|world| sent_in(world.api.view(), place)).await else {
            return BudgetSeen::Unread;
        };
        let now = handle.wall();
        handle.me(|me| {
            let mut sent = counted;
            sent.retain(|attempt, _| !me.given_back.contains(attempt));
            for (attempt, at) in me.sent.remove(&place).into_iter().flatten() {
                if now.duration_since(at) < NOT_WRITTEN_YET {
                    sent.entry(attempt).or_insert(at);
                }
            }
            me.sent.insert(place, sent);
        });
    }
    verdict(handle, place, limits)
}

fn verdict(handle: &Handle, place: usize, limits: BudgetLimits) -> BudgetSeen {
    let now = handle.wall();
    handle.me(|me| match me.sent.get(&place) {
        _ if limits.is_unlimited() => BudgetSeen::Free,
        None => BudgetSeen::Unread,
        Some(sent) => limits.verdict(&sent.values().copied().collect::<Vec<_>>(), 0, now),
    })
}

/// Takes a slot for an attempt, where one is free at this very moment.
pub fn take(handle: &Handle, place: usize, limits: BudgetLimits, attempt: &str) -> BudgetSeen {
    let seen = verdict(handle, place, limits);
    let now = handle.wall();
    let counts_later = handle.world().has(Bug::CountsTheBudgetAfterTheSend);
    if seen == BudgetSeen::Free && !counts_later {
        handle.me(|me| me.sent.get_mut(&place).map(|sent| sent.insert(attempt.to_owned(), now)));
    }
    seen
}

/// Gives a slot back: nothing was sent.
pub fn give_back(handle: &Handle, place: usize, attempt: &str) {
    handle.me(|me| {
        me.given_back.insert(attempt.to_owned());
        me.sent.get_mut(&place).map(|sent| sent.remove(attempt))
    });
}
