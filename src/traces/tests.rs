use super::*;
use crate::domain::{Cause, Class};

const UID: &str = "7d0e3c1a-0b1c-4a52-9a52-0a9d3a6b0f11";

fn clock() -> Timestamp {
    "2026-11-23T08:00:00Z".parse().unwrap()
}

/// Traces, and what they told so far.
fn told() -> (Traces, mpsc::Receiver<Span>) {
    let (queue, told) = mpsc::channel(16);
    (Traces::into_queue(queue, clock), told)
}

fn taken(told: &mut mpsc::Receiver<Span>) -> Vec<Span> {
    std::iter::from_fn(|| told.try_recv().ok()).collect()
}

fn words(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let word = |attribute: &KeyValue| match attribute.value.clone().and_then(|it| it.value) {
        Some(Value::StringValue(word)) => (attribute.key.clone(), word),
        other => panic!("no word: {other:?}"),
    };
    attributes.iter().map(word).collect()
}

#[tokio::test(start_paused = true)]
async fn a_pass_lies_in_its_offboarding_and_its_steps_in_the_pass() {
    let (traces, mut told) = told();
    let pass = traces.pass(UID);
    let mut look = pass.step(Name::Look, Some("juicyway"));
    tokio::time::advance(std::time::Duration::from_millis(250)).await;
    look.say(Key::Verdict, "Present");
    drop(look);
    let mut send = pass.step(Name::Send, Some("juicyway"));
    send.came_to(&Sent::nothing(Class::Transient, Cause::DeadlinePassed));
    drop(send);
    pass.waits("Executing", "Settling");
    let another = pass.clone();
    drop(pass);
    assert_eq!(taken(&mut told).len(), 2, "the pass goes on elsewhere");
    drop(another);
    let pass = taken(&mut told).pop().unwrap();
    traces.finished(UID, clock(), clock(), "Erased", "Absent");
    let root = taken(&mut told).pop().unwrap();

    let id = traces.id_of(UID, None).unwrap();
    assert_eq!(id, "7d0e3c1a0b1c4a529a520a9d3a6b0f11");
    for span in [&pass, &root] {
        assert_eq!(data_encoding::HEXLOWER.encode(&span.trace_id), id);
    }
    assert_eq!((root.name.as_str(), root.parent_span_id.len()), ("offboarding", 0));
    assert_eq!((pass.name.as_str(), &pass.parent_span_id), ("pass", &root.span_id));
    assert_eq!(pass.events.len(), 1);
    let waits = [("offboarding.phase", "Executing"), ("offboarding.reason", "Settling")];
    assert_eq!(words(&pass.events[0].attributes), waits.map(|(key, word)| (key.to_owned(), word.to_owned())));
    assert_eq!(pass.end_time_unix_nano - pass.start_time_unix_nano, 250_000_000);
}

#[tokio::test]
async fn a_step_says_where_it_was_what_came_of_it_and_why() {
    let (traces, mut told) = told();
    let pass = traces.pass(UID);
    pass.step(Name::Send, Some("revolv3")).came_to(&Sent::nothing(Class::Transient, Cause::LeaseLost));
    drop(pass);
    let [send, pass] = taken(&mut told).try_into().unwrap();
    assert_eq!((send.name.as_str(), &send.parent_span_id), ("send", &pass.span_id));
    let said = [
        ("offboarding.profile", "revolv3"),
        ("offboarding.outcome", "NotSent"),
        ("offboarding.class", "Transient"),
        ("offboarding.reason", "LeaseLost"),
    ];
    assert_eq!(words(&send.attributes), said.map(|(key, word)| (key.to_owned(), word.to_owned())));
    assert_eq!(send.status.unwrap().code, i32::from(StatusCode::Error));
    assert_eq!(pass.status, None);
}

#[tokio::test]
async fn a_pass_in_which_nothing_is_done_is_not_told() {
    let (traces, mut told) = told();
    drop(traces.pass(UID));
    assert_eq!(taken(&mut told), []);
}

#[tokio::test]
async fn where_nothing_is_told_or_a_uid_is_none_there_is_no_trace() {
    let off = Traces::default();
    assert_eq!(off.id_of(UID, None), None);
    assert_eq!(off.id_of(UID, Some("11111111111111111111111111111111")), None, "another request's");
    let id = "7d0e3c1a0b1c4a529a520a9d3a6b0f11";
    assert_eq!(off.id_of(UID, Some(id)).as_deref(), Some(id), "told before they were turned off");
    let pass = off.pass(UID);
    pass.step(Name::Look, None).say(Key::Verdict, "Present");
    pass.waits("Planning", "Planning");
    off.finished(UID, clock(), clock(), "Erased", "Absent");

    let (traces, mut told) = told();
    for uid in ["", "uid-1", "00000000-0000-0000-0000-000000000000"] {
        assert_eq!(traces.id_of(uid, None), None, "{uid}");
        drop(traces.pass(uid).step(Name::Look, None));
        traces.finished(uid, clock(), clock(), "Erased", "Absent");
    }
    assert_eq!(taken(&mut told), []);
}

#[tokio::test]
async fn a_full_queue_loses_spans_and_holds_nobody_up() {
    let (queue, mut told) = mpsc::channel(1);
    let traces = Traces::into_queue(queue, clock);
    let pass = traces.pass(UID);
    for _ in 0..3 {
        drop(pass.step(Name::Look, None));
    }
    drop(pass);
    assert_eq!(taken(&mut told).len(), 1);
}
