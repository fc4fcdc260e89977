//! Chance, so that many waiters do not come back at the same moment.

use std::time::Duration;

use ring::rand::{SystemRandom, generate};

/// Somewhere between half of `longest` and all of it.
pub(super) fn jittered(longest: Duration) -> Duration {
    // Without a random source everybody waits longest: nothing depends on chance.
    let share = generate::<[u8; 4]>(&SystemRandom::new())
        .map_or(u32::MAX, |drawn| u32::from_be_bytes(drawn.expose()));
    longest.mul_f64(0.5 + 0.5 * f64::from(share) / f64::from(u32::MAX))
}
