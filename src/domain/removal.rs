//! When a finished request is removed by its `ttlAfterFinished`: the object alone, never its record and never a customer.

use jiff::Timestamp;

use crate::api::{OffboardingResult, OffboardingStatus, Span};

/// The moment from which on a request is removed; `None` where it stays: nobody said how long, it is not finished, or not everything
/// was done.
///
/// Shape: `finishedAt` and the span after it, by the wall clock. What was cancelled stays, because whoever applies its manifest again
/// would bring it back without its `cancel`; what failed or is partly done waits for a person.
#[must_use]
pub fn removed_at(ttl: Option<Span>, status: Option<&OffboardingStatus>) -> Option<Timestamp> {
    let (Span(ttl), status) = (ttl?, status?);
    // A word of a newer operator may mean anything.
    let result = status.result.as_deref()?.parse().ok()?;
    if !status.finished || !is_done(result) {
        return None;
    }
    status.finished_at?.checked_add(ttl).ok()
}

/// Whether everything was done that was asked for, at every target.
const fn is_done(result: OffboardingResult) -> bool {
    match result {
        OffboardingResult::Erased
        | OffboardingResult::ErasedWithRetention
        | OffboardingResult::Deactivated
        | OffboardingResult::Unverified
        | OffboardingResult::AlreadyAbsent => true,
        OffboardingResult::Cancelled
        | OffboardingResult::PartiallyDone
        | OffboardingResult::Failed
        | OffboardingResult::Recreated => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINISHED_AT: &str = "2026-11-23T08:00:00Z";

    fn finished(result: &str) -> OffboardingStatus {
        OffboardingStatus {
            finished: true,
            finished_at: FINISHED_AT.parse().ok(),
            result: Some(result.to_owned()),
            ..OffboardingStatus::default()
        }
    }

    #[test]
    fn only_a_request_that_did_everything_and_says_how_long_it_stays_is_removed() {
        let an_hour = Some(Span::seconds(3600));
        let an_hour_later = Some("2026-11-23T09:00:00Z");
        for (about, ttl, status, at) in [
            ("erased", an_hour, finished("Erased"), an_hour_later),
            ("the provider keeps something", an_hour, finished("ErasedWithRetention"), an_hour_later),
            ("deactivated", an_hour, finished("Deactivated"), an_hour_later),
            ("nobody can see whether it was done", an_hour, finished("Unverified"), an_hour_later),
            ("gone before", an_hour, finished("AlreadyAbsent"), an_hour_later),
            ("at once", Some(Span::default()), finished("Erased"), Some(FINISHED_AT)),
            (
                "ten years",
                Some(Span::seconds(87_600 * 3600)),
                finished("Erased"),
                Some("2036-11-20T08:00:00Z"),
            ),
            ("nobody said how long", None, finished("Erased"), None),
            ("applied again, it would come back without its `cancel`", an_hour, finished("Cancelled"), None),
            ("a person is waited for", an_hour, finished("Failed"), None),
            ("at some targets", an_hour, finished("PartiallyDone"), None),
            ("another customer has the id", an_hour, finished("Recreated"), None),
            ("a newer operator's word", an_hour, finished("CryptoShredded"), None),
            ("a word of nobody", an_hour, finished(""), None),
            ("no result", an_hour, OffboardingStatus { result: None, ..finished("Erased") }, None),
            ("not finished", an_hour, OffboardingStatus { finished: false, ..finished("Erased") }, None),
            (
                "nobody knows when",
                an_hour,
                OffboardingStatus { finished_at: None, ..finished("Erased") },
                None,
            ),
            ("as it is created", an_hour, OffboardingStatus::default(), None),
        ] {
            let due = at.map(|at| at.parse::<Timestamp>().unwrap());
            assert_eq!(removed_at(ttl, Some(&status)), due, "{about}");
        }
        assert_eq!(removed_at(an_hour, None), None, "no status at all");
    }

    #[test]
    fn a_request_that_finished_at_the_end_of_time_stays() {
        let status = OffboardingStatus { finished_at: Some(Timestamp::MAX), ..finished("Erased") };
        assert_eq!(removed_at(Some(Span::seconds(60)), Some(&status)), None);
    }
}
