//! What the limiter hands out: the right to make one read, or several requests without waiting.

use std::sync::Arc;

use tokio::time::Instant;

use super::{breaker::Admission, heard::Heard, limits::Limiter};

/// A slot in flight, given back when it is dropped.
#[derive(Debug)]
struct Taken {
    limiter: Arc<Limiter>,
    credential_version: String,
    since: Instant,
    /// `None` once it is told what was heard.
    admission: Option<Admission>,
}

impl Taken {
    fn new(limiter: &Arc<Limiter>, admission: Admission, credential_version: &str) -> Self {
        Self {
            limiter: limiter.clone(),
            credential_version: credential_version.to_owned(),
            since: Instant::now(),
            admission: Some(admission),
        }
    }

    fn report(&mut self, heard: Heard) {
        let admission = self.admission.take().unwrap_or(Admission::Normal);
        self.limiter.report_for(admission, Some(self.since), &self.credential_version, heard);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.limiter.give_back(self.admission);
    }
}

/// The right to make one read. Dropped without a report, it says nothing about the provider.
#[derive(Debug)]
pub struct Slot(Taken);

impl Slot {
    pub(super) fn new(limiter: &Arc<Limiter>, admission: Admission, credential_version: &str) -> Self {
        Self(Taken::new(limiter, admission, credential_version))
    }

    /// What the read heard; ends it.
    pub fn report(mut self, heard: Heard) {
        self.0.report(heard);
    }
}

/// The right to make a number of requests without waiting, one after the other, around one destructive call.
///
/// While it stands, a `slot` of the same limiter may wait for it (`maxInFlight` is 1 by default): use `read_reserved`.
#[derive(Debug)]
pub struct Reservation {
    taken: Taken,
    left: u32,
}

impl Reservation {
    pub(super) fn new(
        limiter: &Arc<Limiter>,
        admission: Admission,
        credential_version: &str,
        requests: u32,
    ) -> Self {
        Self { taken: Taken::new(limiter, admission, credential_version), left: requests }
    }

    /// Counts one request. Never waits and never refuses: one beyond the reservation is paid off by those who come later.
    pub fn spend(&mut self) {
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => self.taken.limiter.owe_one(),
        }
    }

    /// How many requests it still holds tokens for.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.left
    }

    /// What one of its requests heard; the destructive call's too.
    pub fn report(&mut self, heard: Heard) {
        self.taken.report(heard);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.taken.limiter.return_tokens(self.left);
    }
}
