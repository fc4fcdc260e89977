//! D1: the chart on a real API server. What Helm installed runs here as its pod would: with the rendered arguments and variables and
//! a token of its service account. There is no kubelet, which would add nothing else.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; clippy only knows #[test] functions, not their helpers"
)]
#![expect(clippy::disallowed_methods, reason = "a test has no other clock")]

#[expect(dead_code, reason = "the demo's words for what it alone does")]
mod demo;
mod life;
#[path = "../cluster/long_ago.rs"]
mod long_ago;
mod page;
#[expect(dead_code, reason = "the end-to-end tests' words for what they alone tell")]
#[path = "../cluster/people.rs"]
mod people;
mod permissions;
mod release;
mod rights;
mod scenes;
mod scope;
#[path = "../cluster/scraper.rs"]
mod scraper;
mod stage;
#[expect(dead_code, reason = "the end-to-end tests' words for what they alone tell")]
#[path = "../cluster/story.rs"]
mod story;
