//! Answers of a provider: to a look, the control request, the checks and their pages, and the deletion.

use std::sync::{Arc, LazyLock};

use offboarding::{
    domain::{CheckVerdict, Control, OutcomeWord, Sent},
    providers::{LoadedProfile, Provider, Sighting, Verdict, built_in, load},
};
use serde_json::Value;

use crate::{
    exchange::Exchange,
    stage::{Always, CUSTOMER, SEED, credentials, customer, is_a_pause, noon, provider, wait, written},
};

/// What the built-in profiles do not use: a tombstone, pages by address, kept values, a rate limit in other words.
const KEEPER: &str = r#"
name: keeper
auth: [{query: key, value: '{key}'}]
finality: HardDelete
erasure: {scope: Full}
envelope: 'has(response.json.error)'
classify: [{status: [200], when: 'response.json.code == 71', as: RateLimited, retryAfter: response.json.wait}]
control: {request: {path: /customers}, ok: 'response.status == 200'}
presence:
  request: {path: '/customers/{customer.id}'}
  id: 'response.json.id'
  tombstoned: 'has(response.json.deleted) && response.json.deleted == true'
  capture: {email: 'response.json.email'}
preflight:
- {name: orders, request: {path: /orders}, items: response.json.data, paginate: {link: {}, maxPages: 4}, blockWhen: 'size(items) > 0'}
- {name: tickets, request: {path: /tickets}, items: response.json.data, paginate: {nextUrl: {next: response.json.next}, maxPages: 4}, blockWhen: 'items.exists(t, t.open)'}
delete: [{name: delete, request: {method: DELETE, path: '/customers/{customer.id}'}, keep: {job: response.json.job, mail: response.json.email}}]
"#;

/// A profile, and where its provider says what: the error format's key, the id's place, the key of a list.
struct Known {
    profile: Arc<LoadedProfile>,
    envelope: &'static str,
    id: &'static str,
    list: &'static str,
    customer: &'static str,
}

static KNOWN: LazyLock<[Known; 3]> = LazyLock::new(|| {
    let built_in = |name| built_in(name).expect("it is built in");
    let keeper = load(&written(KEEPER)).expect("it loads");
    [
        Known {
            profile: built_in("juicyway"),
            envelope: "error",
            id: "/data/id",
            list: "/data",
            customer: CUSTOMER,
        },
        Known {
            profile: built_in("revolv3"),
            envelope: "message",
            id: "/customerId",
            list: "",
            customer: "900173442",
        },
        Known { profile: keeper, envelope: "error", id: "/id", list: "/data", customer: CUSTOMER },
    ]
});

/// Whatever a provider answers, nothing is concluded that its own format does not say.
///
/// # Panics
/// Where a promise is broken.
pub fn answer(input: &[u8]) {
    let exchange = Exchange::of(input);
    let response = &exchange.response;
    assert!(response.text.len() <= 64 << 10 && response.body_bytes == exchange.body.len());
    if let Some(json) = &response.json {
        assert_eq!(exchange.json().as_ref(), Some(json), "two parsers read the same");
        assert!(depth(json) <= 64, "it is nested too deeply to be believed");
    }
    for known in &*KNOWN {
        let provider = provider(known.profile.clone(), Always::answers(response.clone()));
        let sighting = wait(provider.look(&credentials(), &customer(known.customer), noon()));
        look_is_proven(known, &exchange, &sighting);
        if wait(provider.control(&credentials(), noon())) == Control::Good {
            assert!(exchange.is_success(), "a control request that was not answered well is good");
        }
        checks_are_proven(known, &exchange, &provider, &sighting);
        let sent = wait(provider.read_sent(
            response.clone(),
            &customer(known.customer),
            &sighting.captured,
            noon(),
            noon(),
        ));
        outcome_is_proven(known, &exchange, &sent);
        let request =
            provider.prepare_delete(&credentials(), &customer(known.customer), &sighting.captured, &SEED);
        crate::stage::is_at_the_provider(&request.expect("these deletions need nothing that is captured"));
    }
}

fn look_is_proven(known: &Known, exchange: &Exchange<'_>, sighting: &Sighting) {
    let status = exchange.response.status;
    match &sighting.verdict {
        Verdict::Absent => {
            assert!([404, 410].contains(&status), "absent under {status}");
            assert!(exchange.has(known.envelope), "absent without the provider's own error format");
        }
        Verdict::Present | Verdict::Inactive | Verdict::Tombstoned => {
            let json = exchange.json().expect("a customer that is there is described");
            let id = match json.pointer(known.id) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Number(number)) => number.to_string(),
                _ => String::new(),
            };
            assert_eq!(id, known.customer, "another customer was taken for this one");
            let has_own_format = exchange.has(known.envelope) && [404, 410].contains(&status);
            assert!(exchange.is_success() || has_own_format, "there under {status}");
        }
        Verdict::Unknown(failure) => assert!(failure.retry_after.is_none_or(is_a_pause)),
    }
    let is_there = matches!(sighting.verdict, Verdict::Present | Verdict::Inactive | Verdict::Tombstoned);
    assert_eq!(sighting.identity.is_some(), is_there, "whoever is there has an identity, and nobody else");
    hides(known, &format!("{sighting:?} {:?} {:?}", sighting.captured, exchange.response));
}

fn checks_are_proven(known: &Known, exchange: &Exchange<'_>, provider: &Provider, sighting: &Sighting) {
    let customer = customer(known.customer);
    let checks = wait(provider.checks(&credentials(), &customer, &sighting.captured, noon()));
    for check in checks {
        if check.verdict == CheckVerdict::Clear {
            let json = exchange.json();
            let list = json.as_ref().and_then(|json| json.pointer(known.list));
            let is_list = list.is_some_and(Value::is_array) || exchange.response.status == 204;
            assert!(exchange.is_success() && is_list, "clear without a list that says so");
        }
        hides(known, &format!("{check:?}"));
    }
}

fn outcome_is_proven(known: &Known, exchange: &Exchange<'_>, sent: &Sent) {
    let status = exchange.response.status;
    match sent.outcome.word() {
        OutcomeWord::NotSent => panic!("an answer came, so something left"),
        OutcomeWord::Accepted => {
            let is_own = exchange.body.is_empty() || exchange.json().is_some();
            assert!(exchange.is_success() && is_own, "accepted under {status}");
        }
        OutcomeWord::Rejected => assert!((300..500).contains(&status), "rejected under {status}"),
        OutcomeWord::Unknown => {}
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    for kept in sent.keep.values().chain(&sent.request_id) {
        assert!(kept.len() <= 128 && kept.bytes().all(is_plain), "kept as it came");
    }
    hides(known, &format!("{sent:?}"));
}

/// What goes into records, logs and status does not name the customer, in whatever letters.
fn hides(known: &Known, printed: &str) {
    let (printed, id) = (printed.to_lowercase(), known.customer.to_lowercase());
    assert!(!printed.contains(&id), "the customer's id is printed");
}

fn depth(json: &Value) -> usize {
    match json {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
