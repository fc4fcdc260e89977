//! CEL: an expression that somebody wrote, on an answer that somebody else wrote.

use std::sync::Arc;

use offboarding::{
    domain::{Control, OutcomeWord},
    providers::{ProfileProblem, Provider, Verdict, load},
};
use serde_json::json;

use crate::{
    exchange::Exchange,
    stage::{Always, CUSTOMER, credentials, customer, noon, provider, wait, with},
};

const PROFILE: &str = r#"
name: small
auth: [{header: X-Key, value: '{key}'}]
finality: HardDelete
erasure: {scope: Full}
envelope: 'has(response.json.error)'
classify: [{status: [200, 429], when: 'false', as: RateLimited, retryAfter: 'response.json.wait'}]
control: {request: {path: /customers}, ok: 'response.status == 200'}
presence:
  request: {path: '/customers/{customer.id}'}
  id: 'response.json.id'
  present: 'response.status == 200'
  absent: 'response.status == 404'
  capture: {value: 'response.json.value'}
preflight:
- {name: orders, request: {path: /orders}, items: response.json, paginate: {nextUrl: {next: response.json.next}, maxPages: 3}, blockWhen: 'size(items) > 0'}
delete: [{name: delete, request: {method: DELETE, path: '/customers/{customer.id}'}, keep: {value: 'response.json.value'}}]
"#;

/// Where an expression may stand, a few at a time: each is one way to be wrong.
const PLACES: [&[&str]; 5] = [
    &["/control/ok", "/presence/id", "/presence/capture/value", "/delete/0/keep/value"],
    &["/presence/absent"],
    &["/envelope"],
    &["/classify/0/when", "/classify/0/retryAfter"],
    &["/preflight/0/items", "/preflight/0/blockWhen", "/preflight/0/paginate/nextUrl/next"],
];

/// What a web server says about an address that it does not know.
const BARE_PAGE: &str = "<html>gone</html>";

/// The longest sentence about a problem: the expression may stand in it once, escaped.
const LONGEST_PROBLEM: usize = 8 << 10;

/// An expression is refused in words, or it answers in time; what an answer proves does not depend on it alone.
///
/// The first line is the expression, the rest is the answer.
///
/// # Panics
/// Where a promise is broken.
pub fn expression(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let source = String::from_utf8_lossy(&input[..end]);
    let exchange = Exchange::of(input.get(end + 1..).unwrap_or_default());
    for places in PLACES {
        let changes: Vec<_> = places.iter().map(|place| (*place, json!(source))).collect();
        let profile = with(PROFILE, &changes).expect("an expression is a text");
        match load(&profile) {
            Ok(loaded) => proves_nothing_alone(&exchange, &provider(loaded, answering(&exchange))),
            Err(problems) => are_told(&problems),
        }
    }
}

fn answering(exchange: &Exchange<'_>) -> Arc<Always> {
    Always::answers(exchange.response.clone())
}

pub(crate) fn are_told(problems: &[ProfileProblem]) {
    assert!(!problems.is_empty(), "refused without a word");
    for problem in problems {
        assert!(!problem.field.is_empty() && !problem.message.is_empty());
        assert!(
            problem.message.len() <= LONGEST_PROBLEM,
            "{} bytes about one problem",
            problem.message.len()
        );
    }
}

/// What holds for every profile that loads.
pub(crate) fn proves_nothing_alone(exchange: &Exchange<'_>, provider: &Provider) {
    let sighting = wait(provider.look(&credentials(), &customer(CUSTOMER), noon()));
    let status = exchange.response.status;
    let is_bare = exchange.body.is_empty() && exchange.response.headers.is_empty();
    let is_own = !is_bare && exchange.body != BARE_PAGE.as_bytes();
    match sighting.verdict {
        Verdict::Absent => {
            assert!(is_own, "gone, says an answer that is not in the provider's format");
            assert!(exchange.is_success() || [404, 410].contains(&status), "absent under {status}");
        }
        Verdict::Tombstoned | Verdict::Inactive => {
            assert!(is_own, "gone, says an answer that is not in the provider's format")
        }
        Verdict::Present | Verdict::Unknown(_) => {}
    }
    if wait(provider.control(&credentials(), noon())) == Control::Good {
        assert!(exchange.is_success(), "a control request that was not answered well is good");
    }
    wait(provider.checks(&credentials(), &customer(CUSTOMER), &sighting.captured, noon()));
    let sent = wait(provider.read_sent(
        exchange.response.clone(),
        &customer(CUSTOMER),
        &sighting.captured,
        noon(),
        noon(),
    ));
    if sent.outcome.word() == OutcomeWord::Accepted {
        assert!(exchange.is_success(), "accepted under {status}");
    }
    assert_ne!(sent.outcome.word(), OutcomeWord::NotSent, "an answer came, so something left");
    assert!(!format!("{sent:?}").to_lowercase().contains(&CUSTOMER.to_lowercase()), "an id is kept");
}
