//! The doctor: looks whether everything that the operator needs is there, and changes nothing.
//!
//! `look` reads, `judge` says what it means; nothing is decided while it is read.

mod clocks;
mod definitions;
mod facts;
mod judge;
mod line;
mod look;
mod providers;
mod rights;

pub use facts::{
    Answer, Facts, Healthy, KeyFound, LeaseFound, ProviderFound, Reach, RecordsFound, StampFound, Version,
};
pub use judge::judge;
pub use line::{Line, Verdict, as_json, as_text, worst};
pub use look::{Place, Unusable, look};
