//! What the records hold: names, seals and MACs, and the life of a record. Pure: clocks, nonces and ids are arguments.

mod keys;
pub mod record;

pub use keys::{KEY_BYTES, Keys, SEAL_NONCE_BYTES, Unsealable, UnusableKey};
