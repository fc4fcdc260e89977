//! Until when a request must be done: computed from what the request says, and told. It hurries nothing and is in no plan.

use std::time::Duration;

use jiff::{Span, Timestamp, tz::TimeZone};

use super::{conditions::Verdict, sentence::moment};
use crate::api::{Reason, Regime, RequestDetails, Truth};

/// How long before the deadline a request is told to be near it.
const NEAR: Duration = Duration::from_secs(7 * 24 * 3600);

/// 11 CCR § 7021 (b): calendar days.
const CCPA_DAYS: u64 = 45;

/// Until when a request must be done, in whole seconds; `None` where it has no deadline.
///
/// GDPR: one calendar month, CCPA: 45 days, both in UTC and after `receivedAt`, or after the request's creation where nobody
/// says when it was received. Custom: what it says.
///
/// Source: GDPR Art. 12 (3), 11 CCR § 7021 (b). Regulation 1182/71 Art. 3 lets a month end with the last hour of its last day,
/// and moves weekends and holidays to the next working day: both are later than what is told here, never earlier.
#[must_use]
pub fn due(request: Option<&RequestDetails>, created_at: Option<Timestamp>) -> Option<Timestamp> {
    let request = request?;
    let from = || request.received_at.or(created_at);
    let at = match request.regime? {
        Regime::GDPR => a_month_after(from()?),
        Regime::CCPA => from()?.saturating_add(Duration::from_secs(CCPA_DAYS * 24 * 3600)).ok()?,
        Regime::Custom => request.due_by?,
        Regime::None => return None,
    };
    Timestamp::from_second(at.as_second()).ok()
}

/// The same day of the next month; where that has no such day, its last one (Regulation 1182/71 Art. 3 (2) (c)).
fn a_month_after(from: Timestamp) -> Timestamp {
    let month_later = from.to_zoned(TimeZone::UTC).saturating_add(Span::new().months(1));
    month_later.timestamp()
}

/// How a request stands to its deadline at a moment. A request that ended is judged by when it did, for ever.
pub(super) fn overdue(due: Option<Timestamp>, finished_at: Option<Timestamp>, now: Timestamp) -> Verdict {
    let Some(due) = due else {
        return Verdict(
            Truth::False,
            Reason::NoDeadline,
            "`spec.request.regime` sets no deadline".to_owned(),
        );
    };
    let at = moment(due);
    match finished_at {
        Some(finished) if finished > due => {
            Verdict(Truth::True, Reason::DeadlinePassed, format!("ended late; the deadline was {at}"))
        }
        Some(_) => Verdict(Truth::False, Reason::InTime, format!("ended in time; the deadline was {at}")),
        None if now > due => Verdict(
            Truth::True,
            Reason::DeadlinePassed,
            format!("the deadline has passed: {at}; nothing is hurried, see what it waits for"),
        ),
        None if now > near(due) => {
            Verdict(Truth::False, Reason::DeadlineNear, format!("less than 7 days to the deadline, {at}"))
        }
        None => Verdict(Truth::False, Reason::InTime, format!("the deadline is {at}")),
    }
}

/// When the passing of time alone changes next what is told of a deadline.
#[must_use]
pub fn next_change(due: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let due = due?;
    [near(due), due].into_iter().find(|at| now <= *at)
}

fn near(due: Timestamp) -> Timestamp {
    due.saturating_sub(NEAR).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests;
