//! How many deletions an account may see in an hour and a day, and whose turn it is. Counted from records; a restart forgets nothing.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// An hour, as a budget counts it: any 60 minutes.
pub const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// How many deletions may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BudgetLimits {
    /// In any 60 minutes.
    pub per_hour: Option<u32>,
    /// In a day of UTC.
    pub per_day: Option<u32>,
}

/// Whether a deletion may be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetSeen {
    /// Yes.
    Free,
    /// Not before this moment, as things stand; `None` where it is only after those who came first.
    Full { until: Option<Timestamp> },
    /// The same, where the account has room, and all accounts together have not.
    CeilingReached { until: Option<Timestamp> },
    /// Nobody knows how many were sent.
    Unread,
}

/// What an account has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetUse {
    /// In the last 60 minutes.
    pub hour: usize,
    /// Today, in UTC.
    pub day: usize,
}

impl BudgetUse {
    /// Counts what was sent, in any order.
    #[must_use]
    pub fn of(sent: &[Timestamp], now: Timestamp) -> Self {
        Self {
            hour: in_the_last_hour(sent, now).count(),
            day: sent.iter().filter(|at| day(**at) == day(now)).count(),
        }
    }
}

impl BudgetLimits {
    /// Whether there is any limit.
    #[must_use]
    pub fn is_unlimited(self) -> bool {
        self.per_hour.is_none() && self.per_day.is_none()
    }

    /// Whether the next deletion may be sent now, where these were sent already (any order) and `ahead` requests come first.
    #[must_use]
    pub fn verdict(self, sent: &[Timestamp], ahead: usize, now: Timestamp) -> BudgetSeen {
        let by_hour = self.per_hour.and_then(|limit| hour_full_until(limit, sent, ahead, now));
        let by_day = self.per_day.and_then(|limit| day_full_until(limit, sent, ahead, now));
        match (by_hour, by_day) {
            (None, None) => BudgetSeen::Free,
            (by_hour, by_day) => BudgetSeen::Full { until: by_hour.flatten().max(by_day) },
        }
    }

    /// Whether what was sent, the newest included, is more than may be sent.
    #[must_use]
    pub fn is_exceeded(self, sent: &[Timestamp], now: Timestamp) -> bool {
        let more = |limit: Option<u32>, count: usize| limit.is_some_and(|limit| count > as_count(limit));
        let used = BudgetUse::of(sent, now);
        more(self.per_hour, used.hour) || more(self.per_day, used.day)
    }

    /// How many more may be sent now: so many of those in line have the verdict `Free`.
    #[must_use]
    pub fn room(self, sent: &[Timestamp], now: Timestamp) -> usize {
        let used = BudgetUse::of(sent, now);
        let left =
            |limit: Option<u32>, used| limit.map_or(usize::MAX, |limit| as_count(limit).saturating_sub(used));
        left(self.per_hour, used.hour).min(left(self.per_day, used.day))
    }
}

fn in_the_last_hour(sent: &[Timestamp], now: Timestamp) -> impl Iterator<Item = Timestamp> {
    sent.iter().copied().filter(move |at| now.duration_since(*at) < HOUR)
}

fn as_count(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// The slot after `ahead` others: what was sent falls out of the hour one by one, oldest first. Whose slot depends on those who
/// have sent nothing yet is told no moment: it would move with every look.
fn hour_full_until(
    limit: u32,
    sent: &[Timestamp],
    ahead: usize,
    now: Timestamp,
) -> Option<Option<Timestamp>> {
    let mut used: Vec<Timestamp> = in_the_last_hour(sent, now).collect();
    used.sort_unstable();
    let over = (used.len() + ahead + 1).checked_sub(as_count(limit)).filter(|over| *over > 0)?;
    Some(used.get(over - 1).and_then(|at| at.saturating_add(HOUR).ok()))
}

/// The first day of UTC on which it is this one's turn.
fn day_full_until(limit: u32, sent: &[Timestamp], ahead: usize, now: Timestamp) -> Option<Timestamp> {
    let used = sent.iter().filter(|at| day(**at) == day(now)).count();
    let limit = as_count(limit);
    let place = used + ahead;
    if place < limit {
        return None;
    }
    // Whoever does not fit today comes first tomorrow.
    let free_today = limit.saturating_sub(used);
    let days = 1 + (ahead - free_today.min(ahead)) / limit;
    let midnight = day(now).checked_add(jiff::Span::new().days(i64::try_from(days).unwrap_or(i64::MAX)));
    midnight.and_then(|date| date.to_zoned(TimeZone::UTC)).map(|zoned| zoned.timestamp()).ok()
}

fn day(at: Timestamp) -> jiff::civil::Date {
    at.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const NOON: &str = "2026-11-23T12:00:00Z";

    #[test]
    fn a_budget_says_whose_turn_it_is_and_when() {
        let hour = |limit| BudgetLimits { per_hour: Some(limit), per_day: None };
        let day = |limit| BudgetLimits { per_hour: None, per_day: Some(limit) };
        let both = BudgetLimits { per_hour: Some(1), per_day: Some(2) };
        let sent = |times: &[&str]| times.iter().map(|time| at(time)).collect::<Vec<_>>();
        let queued = "after the others";
        for (limits, sent, ahead, until) in [
            (BudgetLimits::default(), sent(&["2026-11-23T11:59:59Z"]), 9, None),
            (hour(2), sent(&["2026-11-23T11:30:00Z"]), 0, None),
            (hour(1), sent(&["2026-11-23T11:30:00Z"]), 0, Some("2026-11-23T12:30:00Z")),
            (hour(1), sent(&["2026-11-23T11:00:00Z"]), 0, None), // an hour ago to the second
            (
                hour(2),
                sent(&["2026-11-23T11:50:00Z", "2026-11-23T11:30:00Z"]),
                0,
                Some("2026-11-23T12:30:00Z"),
            ),
            (
                hour(2),
                sent(&["2026-11-23T11:50:00Z", "2026-11-23T11:30:00Z"]),
                1,
                Some("2026-11-23T12:50:00Z"),
            ),
            (hour(2), sent(&[]), 1, None),
            (hour(2), sent(&[]), 2, Some(queued)),
            (hour(2), sent(&["2026-11-23T11:50:00Z"]), 9, Some(queued)), // when the others go, nobody knows yet
            (day(2), sent(&["2026-11-23T00:00:00Z", "2026-11-22T23:59:59Z"]), 0, None),
            (day(1), sent(&["2026-11-23T00:00:00Z"]), 0, Some("2026-11-24T00:00:00Z")),
            (day(2), sent(&[]), 2, Some("2026-11-24T00:00:00Z")),
            (day(2), sent(&[]), 3, Some("2026-11-24T00:00:00Z")),
            (day(2), sent(&[]), 4, Some("2026-11-25T00:00:00Z")),
            (both, sent(&["2026-11-23T11:30:00Z"]), 0, Some("2026-11-23T12:30:00Z")),
            (both, sent(&["2026-11-23T11:30:00Z", "2026-11-23T01:00:00Z"]), 0, Some("2026-11-24T00:00:00Z")),
        ] {
            let moment = |until: &str| (until != queued).then(|| at(until));
            let expected = until.map_or(BudgetSeen::Free, |until| BudgetSeen::Full { until: moment(until) });
            let row = format!("{limits:?} {sent:?} {ahead} ahead");
            assert_eq!(limits.verdict(&sent, ahead, at(NOON)), expected, "{row}");
            assert_eq!(ahead < limits.room(&sent, at(NOON)), until.is_none(), "{row}");
        }
    }

    /// Whoever waits is told a moment once, however the others before it go.
    #[test]
    fn the_moment_of_a_place_stays_while_the_queue_moves() {
        let minute = |minute: i64| at("2026-11-23T00:00:00Z") + SignedDuration::from_mins(minute);
        for (limits, most_told) in [
            (BudgetLimits { per_hour: None, per_day: Some(3) }, 1),
            // "After the others" first, then when.
            (BudgetLimits { per_hour: Some(3), per_day: None }, 2),
            (BudgetLimits { per_hour: Some(2), per_day: Some(5) }, 3),
        ] {
            let mut sent = Vec::new();
            let mut line: Vec<usize> = (0..20).collect();
            let mut told = vec![Vec::new(); line.len()];
            for now in (0..10 * 24 * 60).map(minute) {
                while !line.is_empty() && limits.verdict(&sent, 0, now) == BudgetSeen::Free {
                    line.remove(0);
                    sent.push(now);
                }
                for (ahead, who) in line.iter().enumerate() {
                    let seen = limits.verdict(&sent, ahead, now);
                    if told[*who].last() != Some(&seen) {
                        told[*who].push(seen);
                    }
                }
            }
            assert!(line.is_empty(), "{limits:?}: {line:?} still wait");
            let most = told.iter().map(Vec::len).max();
            assert_eq!(most, Some(most_told), "{limits:?}: {told:#?}");
        }
    }

    #[test]
    fn what_was_sent_already_is_counted_with_the_newest() {
        let limits = BudgetLimits { per_hour: Some(2), per_day: Some(3) };
        for (sent, exceeded) in [
            (&["2026-11-23T11:30:00Z", "2026-11-23T12:00:00Z"][..], false),
            (&["2026-11-23T11:30:00Z", "2026-11-23T11:40:00Z", "2026-11-23T12:00:00Z"], true),
            (&["2026-11-22T23:00:00Z", "2026-11-23T11:40:00Z", "2026-11-23T12:00:00Z"], false),
            (
                &[
                    "2026-11-23T01:00:00Z",
                    "2026-11-23T02:00:00Z",
                    "2026-11-23T03:00:00Z",
                    "2026-11-23T12:00:00Z",
                ],
                true,
            ),
        ] {
            let sent: Vec<_> = sent.iter().map(|time| at(time)).collect();
            assert_eq!(limits.is_exceeded(&sent, at(NOON)), exceeded, "{sent:?}");
        }
    }
}
