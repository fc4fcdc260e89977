//! The sandbox from outside: the binary, real HTTPS, and what the admin listener says about it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod admin;
mod faults;
mod juicyway;
mod revolv3;
mod scene;
mod scripted;
