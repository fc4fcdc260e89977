use std::time::Duration;

use serde_json::json;

use super::*;
use crate::{
    api::{Environment, Mode, OffboardingRecordSpec},
    domain::fixtures::{already_gone, not_sent, rejected, unknown, wall},
};

const NAME: &str = "r-1";

fn keys_of(byte: u8) -> Option<Keys> {
    Keys::new(&[byte; crate::evidence::KEY_BYTES]).ok()
}

/// A record and the process that writes it.
struct Desk {
    keys: Keys,
    spec: Option<OffboardingRecordSpec>,
}

impl Desk {
    fn open() -> Option<Self> {
        Some(Self { keys: keys_of(1)?, spec: None })
    }

    fn intent(&self, uid: &str, id: &str) -> Intent {
        Intent {
            request: RecordRequest {
                namespace: "team".to_owned(),
                name: "acme".to_owned(),
                uid: uid.to_owned(),
                target: "billing".to_owned(),
                mode: Mode::Hard,
            },
            provider: RecordProvider {
                kind: "OffboardingProvider".to_owned(),
                namespace: "team".to_owned(),
                name: "acme-pay".to_owned(),
                uid: "provider-1".to_owned(),
                base_url: "https://api.acme.example".to_owned(),
                environment: Environment::live,
            },
            account: "acct-eu".to_owned(),
            customer_ref: "hmac:customer".to_owned(),
            sealed_id: "v1:sealed".to_owned(),
            attempt_id: id.to_owned(),
            by: "pod-1".to_owned(),
            step: "delete".to_owned(),
            plan_hash: "sha256:plan".to_owned(),
            target_hash: "sha256:target".to_owned(),
            profile_hash: "sha256:profile".to_owned(),
            fingerprint: "hmac:first".to_owned(),
            credential: "hmac:credential".to_owned(),
            approvals: Vec::new(),
            waivers: Vec::new(),
            at: wall(0),
        }
    }

    fn store(&mut self, spec: OffboardingRecordSpec) {
        self.spec = Some(signed(spec, NAME, &self.keys));
    }

    fn intend(&mut self, uid: &str, id: &str) {
        self.store(with_intent(self.spec.as_ref(), &self.intent(uid, id), &self.keys));
    }

    /// Whether there was something to write.
    fn answer(&mut self, id: &str, outcome: Outcome) -> bool {
        let sent = Sent { outcome, ..Sent::nothing(Class::Transient, Cause::NotSent) };
        let stored = self.spec.as_ref();
        let spec = stored.and_then(|stored| with_outcome(stored, id, &sent, wall(1)));
        spec.map(|spec| self.store(spec)).is_some()
    }

    fn close(&mut self, result: OffboardingResult, because: Reason) {
        let retains = ["invoices".to_owned()];
        let spec =
            self.spec.as_ref().map(|stored| closed(stored, Ending { result, because }, &retains, wall(2)));
        spec.into_iter().for_each(|spec| self.store(spec));
    }

    fn facts(&self, uid: &str) -> Facts {
        facts_of(self.spec.as_ref().map(|spec| (NAME, spec)), uid, &self.keys)
    }

    fn record(&self, uid: &str) -> Option<Record> {
        match self.facts(uid) {
            Facts::Mine(record) => Some(record),
            _ => None,
        }
    }

    /// `n×count outcome` of every attempt.
    fn attempts(&self, uid: &str) -> Vec<String> {
        let word =
            |attempt: &Attempt| attempt.outcome.as_ref().map_or("?", |outcome| outcome.word().as_str());
        let attempts = self.record(uid).map(|record| record.attempts).unwrap_or_default();
        attempts.iter().map(|attempt| format!("{}×{} {}", attempt.n, attempt.count, word(attempt))).collect()
    }
}

fn outcomes() -> [Outcome; 4] {
    [not_sent(), unknown(), rejected(Class::Conflict), Outcome::Accepted]
}

#[test]
fn a_record_says_what_was_written_into_it() {
    let mut desk = Desk::open().unwrap();
    assert_eq!(desk.facts("uid-1"), Facts::None);
    desk.intend("uid-1", "a");
    let written = desk.record("uid-1").unwrap();
    let attempt = written.last().unwrap();
    assert_eq!((attempt.n, attempt.count, attempt.outcome.clone()), (1, 1, None));
    assert_eq!(attempt.fingerprint, Fingerprint("hmac:first".to_owned()));
    assert_eq!((written.account.as_str(), written.mode, written.closed), ("acct-eu", Mode::Hard, None));
    assert_eq!(desk.facts("uid-2"), Facts::Theirs);
    assert_eq!(desk.spec.as_ref().unwrap().day.as_deref(), Some(&wall(0).to_string()[..10]));
}

#[test]
fn every_outcome_is_read_as_it_was_written() {
    for outcome in outcomes().into_iter().chain([already_gone()]) {
        let mut desk = Desk::open().unwrap();
        desk.intend("uid-1", "a");
        assert!(desk.answer("a", outcome.clone()));
        let attempt = desk.record("uid-1").unwrap().attempts.remove(0);
        assert_eq!((attempt.outcome, attempt.answered_at), (Some(outcome), Some(wall(1))));
    }
}

#[test]
fn an_outcome_never_moves_back() {
    for (before, first) in outcomes().into_iter().enumerate() {
        for (after, second) in outcomes().into_iter().enumerate() {
            let mut desk = Desk::open().unwrap();
            desk.intend("uid-1", "a");
            desk.answer("a", first.clone());
            assert_eq!(desk.answer("a", second.clone()), after > before, "{first:?}, {second:?}");
            let last = desk.record("uid-1").unwrap().attempts.remove(0).outcome.unwrap();
            assert_eq!(last, first.clone().merge(second.clone()));
            assert_eq!(last.word(), first.word().max(second.word()));
        }
    }
}

#[test]
fn merging_outcomes_is_the_same_in_any_order_and_any_number_of_times() {
    for a in outcomes() {
        assert_eq!(a.clone().merge(a.clone()), a);
        for b in outcomes() {
            assert_eq!(a.clone().merge(b.clone()), b.clone().merge(a.clone()));
            for c in outcomes() {
                let left = a.clone().merge(b.clone()).merge(c.clone());
                assert_eq!(left, a.clone().merge(b.clone().merge(c)));
            }
        }
    }
}

#[test]
fn an_outcome_belongs_to_the_last_attempt_of_an_open_record() {
    let mut desk = Desk::open().unwrap();
    desk.intend("uid-1", "a");
    assert!(!desk.answer("of another process", Outcome::Accepted));
    desk.intend("uid-1", "b");
    assert!(!desk.answer("a", Outcome::Accepted), "it was settled, and another one follows");
    desk.close(OffboardingResult::Failed, Reason::StillPresent);
    assert!(!desk.answer("b", Outcome::Accepted), "a closed record keeps what it says");
}

#[test]
fn an_attempt_that_nobody_knows_the_outcome_of_is_unknown_once_another_follows() {
    let mut desk = Desk::open().unwrap();
    desk.intend("uid-1", "a");
    desk.intend("uid-1", "b");
    assert_eq!(desk.attempts("uid-1"), ["1×1 Unknown", "2×1 ?"]);
    let record = desk.record("uid-1").unwrap();
    assert_eq!(record.may_have_left(), 2);
}

#[test]
fn attempts_that_were_never_sent_are_one_entry() {
    let mut desk = Desk::open().unwrap();
    for (id, outcome, expected) in [
        ("a", not_sent(), vec!["1×1 NotSent"]),
        ("b", not_sent(), vec!["2×2 NotSent"]),
        ("c", unknown(), vec!["3×3 Unknown"]),
        ("d", not_sent(), vec!["3×3 Unknown", "4×1 NotSent"]),
        ("e", rejected(Class::Auth), vec!["3×3 Unknown", "5×2 Rejected"]),
        ("f", Outcome::Accepted, vec!["3×3 Unknown", "5×2 Rejected", "6×1 Accepted"]),
    ] {
        desk.intend("uid-1", id);
        desk.answer(id, outcome);
        assert_eq!(desk.attempts("uid-1"), expected);
    }
}

#[test]
fn a_thousand_attempts_that_were_never_sent_are_still_one_entry() {
    let mut desk = Desk::open().unwrap();
    for _ in 0..1_000 {
        desk.intend("uid-1", "a");
        desk.answer("a", not_sent());
    }
    assert_eq!(desk.attempts("uid-1"), ["1000×1000 NotSent"]);
}

#[test]
fn the_number_of_an_attempt_never_starts_again() {
    let mut desk = Desk::open().unwrap();
    for request in 1..=30_i64 {
        let uid = format!("uid-{request}");
        desk.intend(&uid, "a");
        assert_eq!(desk.attempts(&uid), [format!("{request}×1 ?")]);
        desk.close(OffboardingResult::Failed, Reason::StillPresent);
    }
    for request in 31..=50 {
        let Intent { request: mut begun, provider, account, customer_ref, .. } = desk.intent("", "");
        begun.uid = format!("uid-{request}");
        let spec = for_request(desk.spec.as_ref(), &begun, &provider, &account, &customer_ref, &desk.keys);
        desk.store(closed(&spec, Ending::cancelled(), &[], wall(3)));
    }
    desk.intend("uid-51", "a");
    assert_eq!(desk.attempts("uid-51"), ["31×1 ?"]);
    let spec = desk.spec.unwrap();
    assert_eq!((spec.history.len(), spec.earlier_requests), (10, 50));
}

#[test]
fn what_earlier_requests_sent_still_counts() {
    let mut desk = Desk::open().unwrap();
    let sent = |desk: &Desk| sends(desk.spec.as_ref().unwrap()).map(|send| send.id).collect::<Vec<_>>();
    desk.intend("uid-1", "a");
    assert_eq!(sent(&desk), ["a"], "it may have left");
    desk.answer("a", Outcome::Accepted);
    desk.close(OffboardingResult::Erased, Reason::Absent);
    desk.intend("uid-2", "b");
    assert_eq!(sent(&desk), ["b", "a"]);
    desk.answer("b", not_sent());
    desk.close(OffboardingResult::Cancelled, Reason::Cancelled);
    assert_eq!(sent(&desk), ["a"], "nobody sent the other one");
    desk.intend("uid-3", "c");
    assert_eq!(sent(&desk), ["c", "a"]);
}

#[test]
fn a_later_request_learns_how_the_earlier_ones_ended() {
    let mut desk = Desk::open().unwrap();
    for (uid, result, because, counts) in [
        ("uid-1", OffboardingResult::Failed, Reason::StillPresent, None),
        ("uid-2", OffboardingResult::Erased, Reason::Absent, Some(OffboardingResult::Erased)),
        ("uid-3", OffboardingResult::Cancelled, Reason::Cancelled, Some(OffboardingResult::Erased)),
        ("uid-4", OffboardingResult::Recreated, Reason::Recreated, Some(OffboardingResult::Recreated)),
    ] {
        desk.intend(uid, "a");
        desk.close(result, because);
        let Facts::Earlier(earlier) = desk.facts("uid-9") else { panic!("the record is closed") };
        assert_eq!(counts, earlier.counts().then_some(earlier.result));
        let closed = desk.record(uid).unwrap().closed.unwrap();
        assert_eq!((closed.result, closed.because), (result, because));
    }
    desk.intend("uid-9", "a");
    let counts = desk.record("uid-9").unwrap().earlier.unwrap();
    assert_eq!(counts.result, OffboardingResult::Recreated);
}

#[test]
fn a_request_that_ended_never_begins_again() {
    let mut desk = Desk::open().unwrap();
    desk.intend("uid-1", "a");
    desk.close(OffboardingResult::Failed, Reason::StillPresent);
    for uid in ["uid-2", "uid-3"] {
        desk.intend(uid, "a");
        let ended = |desk: &Desk| desk.record("uid-1").unwrap().closed.unwrap();
        assert_eq!(ended(&desk).because, Reason::StillPresent, "while another one is at work");
        desk.close(OffboardingResult::Failed, Reason::AttemptsExhausted);
        assert_eq!(ended(&desk).because, Reason::StillPresent, "and after it");
    }
}

#[test]
fn a_closed_record_keeps_no_id_and_says_what_is_kept_elsewhere() {
    for (result, because, retains) in [
        (OffboardingResult::ErasedWithRetention, Reason::Absent, 1),
        (OffboardingResult::Deactivated, Reason::Inactive, 1),
        (OffboardingResult::Unverified, Reason::NotObservable, 1),
        (OffboardingResult::Cancelled, Reason::Cancelled, 0),
        (OffboardingResult::Failed, Reason::StillPresent, 0),
        (OffboardingResult::Recreated, Reason::Recreated, 0),
    ] {
        let mut desk = Desk::open().unwrap();
        desk.intend("uid-1", "a");
        desk.close(result, because);
        let spec = desk.spec.as_ref().unwrap();
        assert_eq!(
            (spec.sealed_id.clone(), spec.retains.len(), spec.closed_at),
            (None, retains, Some(wall(2)))
        );
        let closed = desk.record("uid-1").unwrap().closed.unwrap();
        assert_eq!((closed.result, closed.because, closed.at), (result, because, wall(2)));
    }
}

/// A full record: two requests, two attempts, an unknown field at every level that keeps them.
fn full() -> Option<(Keys, OffboardingRecordSpec)> {
    let mut desk = Desk::open()?;
    desk.intend("uid-1", "a");
    desk.answer("a", unknown());
    desk.close(OffboardingResult::Cancelled, Reason::Cancelled);
    desk.intend("uid-2", "b");
    desk.answer("b", rejected(Class::Auth));
    desk.intend("uid-2", "c");
    desk.answer("c", Outcome::Accepted);
    desk.close(OffboardingResult::ErasedWithRetention, Reason::Absent);
    let mut spec = desk.spec?;
    spec.unknown.insert("statement".to_owned(), json!("v2"));
    spec.attempts[0].unknown.insert("statements".to_owned(), json!([{ "signer": "bob" }]));
    spec.history[0].unknown.insert("statement".to_owned(), json!("v2"));
    let spec = signed(spec, NAME, &desk.keys);
    Some((desk.keys, spec))
}

/// Every place of a JSON value, with its value altered.
fn altered(value: &Value) -> Vec<(String, Value)> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, inner)| {
                let put = |new| {
                    let mut map = map.clone();
                    map.insert(key.clone(), new);
                    Value::Object(map)
                };
                altered(inner).into_iter().map(move |(path, new)| (format!(".{key}{path}"), put(new)))
            })
            .collect(),
        Value::Array(list) => (0..list.len())
            .flat_map(|index| {
                let put = move |new| {
                    let mut list = list.clone();
                    list[index] = new;
                    Value::Array(list)
                };
                altered(&list[index])
                    .into_iter()
                    .map(move |(path, new)| (format!("[{index}]{path}"), put(new)))
            })
            .collect(),
        Value::Bool(flag) => vec![(String::new(), json!(!flag))],
        Value::Number(number) => vec![(String::new(), json!(number.as_i64().unwrap_or(0) + 1))],
        Value::String(text) => {
            let time = text.parse::<Timestamp>();
            let later = time.map(|time| (time + Duration::from_secs(1)).to_string());
            let other = match text.as_str() {
                "Hard" => "Soft".to_owned(),
                "live" => "sandbox".to_owned(),
                text => format!("{text}x"),
            };
            vec![(String::new(), json!(later.unwrap_or(other)))]
        }
        Value::Null => Vec::new(),
    }
}

#[test]
fn whatever_is_altered_in_a_record_is_noticed() {
    let (keys, spec) = full().unwrap();
    assert!(matches!(facts_of(Some((NAME, &spec)), "uid-2", &keys), Facts::Mine(_)));
    let fields = altered(&serde_json::to_value(&spec).unwrap());
    assert!(fields.len() > 60, "{}", fields.len());
    for (path, value) in fields {
        let forged: OffboardingRecordSpec = serde_json::from_value(value).unwrap();
        let problem = match path.as_str() {
            ".keyId" => RecordProblem::AnotherKey,
            _ => RecordProblem::Corrupted,
        };
        for uid in ["uid-1", "uid-2", "uid-3"] {
            let facts = facts_of(Some((NAME, &forged)), uid, &keys);
            assert_eq!(facts, Facts::Unusable(problem), "{path}");
        }
    }
    let elsewhere = facts_of(Some(("r-2", &spec)), "uid-2", &keys);
    assert_eq!(elsewhere, Facts::Unusable(RecordProblem::Corrupted), "another customer's record");
}

#[test]
fn a_record_of_another_key_is_not_judged() {
    let (_, spec) = full().unwrap();
    let facts = facts_of(Some((NAME, &spec)), "uid-2", &keys_of(2).unwrap());
    assert_eq!(facts, Facts::Unusable(RecordProblem::AnotherKey));
}

#[test]
fn what_a_newer_operator_wrote_is_kept_on_every_rewrite() {
    let (keys, spec) = full().unwrap();
    let stored: OffboardingRecordSpec = serde_json::from_value(serde_json::to_value(&spec).unwrap()).unwrap();
    assert_eq!(stored, spec);
    let mut desk = Desk { keys, spec: Some(spec) };
    desk.intend("uid-3", "d");
    let spec = desk.spec.as_ref().unwrap();
    assert_eq!(spec.unknown["statement"], "v2");
    assert_eq!(spec.history[0].unknown["statement"], "v2");
    assert!(matches!(desk.facts("uid-3"), Facts::Mine(_)));
}

#[test]
fn words_of_a_newer_operator_are_not_guessed() {
    type Change = fn(&mut OffboardingRecordSpec);
    let changes: [Change; 5] = [
        |spec| spec.result = Some("Pseudonymised".to_owned()),
        |spec| spec.closed_because = Some("Attested".to_owned()),
        |spec| spec.attempts[1].outcome = Some("Queued".to_owned()),
        |spec| spec.attempts[0].class = Some("Legal".to_owned()),
        |spec| spec.history[0].result = "Pseudonymised".to_owned(),
    ];
    for change in changes {
        let (keys, mut spec) = full().unwrap();
        change(&mut spec);
        let spec = signed(spec, NAME, &keys);
        let facts = facts_of(Some((NAME, &spec)), "uid-2", &keys);
        assert_eq!(facts, Facts::Unusable(RecordProblem::UnsupportedVersion));
    }
}

#[test]
fn a_record_that_contradicts_itself_is_corrupted() {
    type Change = fn(&mut OffboardingRecordSpec);
    let changes: [Change; 8] = [
        |spec| spec.attempts[1].n += 1, // a gap
        |spec| spec.attempts[1].n = i64::MIN,
        |spec| spec.attempts.swap(0, 1),
        |spec| spec.attempts[0].outcome = None, // somebody sent again without knowing
        |spec| spec.attempts[0].count = 0,
        |spec| spec.attempts[0].class = None, // a refusal without its class
        |spec| spec.result = None,
        |spec| spec.closed_at = None,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let (keys, mut spec) = full().unwrap();
        change(&mut spec);
        let spec = signed(spec, NAME, &keys);
        let facts = facts_of(Some((NAME, &spec)), "uid-2", &keys);
        assert_eq!(facts, Facts::Unusable(RecordProblem::Corrupted), "change {number}");
    }
}

#[test]
fn the_id_of_a_trace_is_protected_and_a_record_without_one_is_as_it_was() {
    let (keys, spec) = full().unwrap();
    assert!(serde_json::to_value(&spec).unwrap().get("traceId").is_none(), "its MAC is that of before");
    let traced = OffboardingRecordSpec { trace_id: Some("7d0e3c1a".to_owned()), ..spec };
    let altered = facts_of(Some((NAME, &traced)), "uid-2", &keys);
    assert_eq!(altered, Facts::Unusable(RecordProblem::Corrupted), "added by somebody else");
    let mut desk = Desk { spec: Some(signed(traced, NAME, &keys)), keys };
    assert!(matches!(desk.facts("uid-2"), Facts::Mine(_)));
    desk.intend("uid-3", "d");
    assert_eq!(desk.spec.unwrap().trace_id, None, "another request has another trace");
}
