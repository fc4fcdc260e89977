//! What only this process can know: since when it has known an attempt, since when the customer was there, how often gone.
//!
//! Times are monotonic: the length of time that the process has been up. Nothing here survives a restart, and every count
//! starts again then.

use std::time::Duration;

use jiff::Timestamp;

use super::{Attempt, Control, Facts, Fingerprint, Look, Observation, Outcome, ProviderSeen};
use crate::api::Mode;

/// Looks that are further apart are no row: who was gone then may have come since. A provider may ask for a pause of an hour.
const LONGEST_GAP: Duration = Duration::from_secs(2 * 60 * 60);

/// A moment on both clocks: the monotonic one decides, the wall clock is for people to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    pub uptime: Duration,
    pub wall: Timestamp,
}

/// What this process remembers of one customer at one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The last attempt, by its id, and when this process first saw it.
    pub attempt: Option<(String, Moment)>,
    /// The customer that was last seen present.
    pub present: Option<PresentSince>,
    /// Looks in a row that found the customer gone; of what was sent only those from after the lag.
    pub gone: Option<GoneSince>,
}

/// A customer that was seen present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentSince {
    pub fingerprint: Fingerprint,
    pub since: Moment,
    /// The provider's own clock says that it was created longer than `consistencyLag` ago.
    pub created_long_ago: bool,
}

/// An unbroken row of looks that found the customer gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoneSince {
    pub since: Moment,
    /// When the last look that counts was begun.
    pub last: Duration,
    /// When the newest look was begun, whether it counts or not.
    pub newest: Duration,
    /// How many count: they are `interval` apart.
    pub looks: u32,
}

impl Memory {
    /// Takes in what the record and one observation say: `now` is when it was answered. An unanswered look, one that finds the
    /// customer, and a new attempt end the row of absences; no look at all changes nothing.
    pub fn learn(&mut self, facts: &Facts, seen: &Observation, mode: Mode, interval: Duration, now: Moment) {
        if let Facts::Mine(record) = facts
            && let Some(attempt) = record.last()
            && self.attempt.as_ref().is_none_or(|(id, _)| *id != attempt.id)
        {
            self.attempt = Some((attempt.id.clone(), now));
            self.gone = None;
        }
        let Some(look) = &seen.look else { return };
        if let Look::Present(fingerprint) = look {
            self.learn_present(fingerprint, seen.created_long_ago, now);
        }
        let counts = is_gone(mode, look, seen.control.as_ref())
            && !with_another_credential(facts, look, seen)
            && !self.is_too_early(facts, seen, now);
        self.gone = counts.then(|| self.count_gone(interval, seen.looked_at, now));
    }

    /// Since when this process has known an attempt.
    #[must_use]
    pub fn knows(&self, attempt: &Attempt) -> Option<Moment> {
        self.attempt.as_ref().filter(|(id, _)| *id == attempt.id).map(|(_, since)| *since)
    }

    /// From when on the lag of reads is counted: since this process has known the customer, or the attempt. `None` where the
    /// provider says that the customer is older than that.
    #[must_use]
    pub fn lags_since(&self, attempt: &Attempt, now: Moment) -> Option<Moment> {
        let present = self.present.as_ref().filter(|present| present.fingerprint == attempt.fingerprint);
        if present.is_some_and(|present| present.created_long_ago) {
            return None;
        }
        let since = [present.map(|present| present.since), self.knows(attempt)];
        Some(since.into_iter().flatten().min_by_key(|moment| moment.uptime).unwrap_or(now))
    }

    /// A read that may be older than the customer confirms nothing. Source: reliability.md 2.4 rule 4.
    fn is_too_early(&self, facts: &Facts, seen: &Observation, now: Moment) -> bool {
        let (Facts::Mine(record), ProviderSeen::Found(provider)) = (facts, &seen.provider) else {
            return false;
        };
        let lag = provider.declared.consistency_lag;
        let sent = record.last().filter(|attempt| attempt.may_matter());
        let since = sent.and_then(|attempt| self.lags_since(attempt, now));
        since.is_some_and(|since| seen.looked_at < since.uptime + lag)
    }

    fn learn_present(&mut self, fingerprint: &Fingerprint, created_long_ago: bool, now: Moment) {
        match &mut self.present {
            Some(present) if present.fingerprint == *fingerprint => {
                present.created_long_ago |= created_long_ago
            }
            present => {
                *present =
                    Some(PresentSince { fingerprint: fingerprint.clone(), since: now, created_long_ago });
            }
        }
    }

    /// The row begins when its first look was answered, and is as long as to when the newest one was begun.
    fn count_gone(&self, interval: Duration, looked_at: Duration, now: Moment) -> GoneSince {
        let longest = LONGEST_GAP.max(interval.saturating_mul(2));
        match self.gone.filter(|gone| looked_at <= gone.last + longest) {
            None => GoneSince { since: now, last: looked_at, newest: looked_at, looks: 1 },
            Some(gone) if looked_at >= gone.last + interval => {
                GoneSince { last: looked_at, newest: looked_at, looks: gone.looks + 1, ..gone }
            }
            Some(gone) => GoneSince { newest: looked_at, ..gone },
        }
    }
}

/// Who was found with one credential is not gone because another one, perhaps of another account, does not find them. Where
/// nothing was done, a look that shows the customer themselves counts with any credential.
fn with_another_credential(facts: &Facts, look: &Look, seen: &Observation) -> bool {
    let Facts::Mine(record) = facts else { return false };
    record.last().is_some_and(|attempt| {
        let did_nothing = matches!(attempt.outcome, Some(Outcome::NotSent(_) | Outcome::Rejected(_)));
        seen.credential.as_ref() != Some(&attempt.credential) && (names_nobody(look) || !did_nothing)
    })
}

/// Whether a look shows no customer who could be told from others.
pub(super) fn names_nobody(look: &Look) -> bool {
    matches!(look, Look::Absent | Look::Tombstoned)
}

/// Whether a look counts as "gone" for a mode: the provider's own verdict, and for an absence a good control request.
#[must_use]
pub fn is_gone(mode: Mode, look: &Look, control: Option<&Control>) -> bool {
    match look {
        Look::Absent => control == Some(&Control::Good),
        Look::Tombstoned => true,
        Look::Inactive(_) => mode == Mode::Soft,
        Look::Present(_) | Look::Unknown(_) => false,
    }
}
