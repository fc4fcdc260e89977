//! One trace for each offboarding, where a collector is named: which steps its passes took, how long, and what came of them.
//!
//! The id of a trace is the request's uid, so it is known without any state, and whoever works on the request tells of the same trace:
//! after a restart, and after another process took over. Spans are made by hand of closed words (`Key`), and not of what is logged:
//! no id, name, address, header or text of a provider can get into one by accident.

mod collector;

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{
        Span, Status,
        span::{Event, SpanKind},
        status::StatusCode,
    },
};
use tokio::{sync::mpsc, time::Instant};
use uuid::Uuid;

pub use collector::{Collector, CollectorProblem, Exporter};

use crate::domain::{Failure, Sent};

/// A step of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// The customer is looked at, before anything was sent.
    Look,
    /// The profile's checks are asked.
    Preflight,
    /// The intent is written.
    Intent,
    /// The customer once more, and everything else live.
    ReRead,
    /// The destructive call.
    Send,
    /// What became of it is written down by itself, because there is something to wait for.
    Outcome,
    /// The customer is looked at, after something may have been sent.
    Verify,
    /// The record is closed.
    Close,
}

impl Name {
    const fn as_str(self) -> &'static str {
        match self {
            Name::Look => "look",
            Name::Preflight => "preflight",
            Name::Intent => "intent",
            Name::ReRead => "re-read",
            Name::Send => "send",
            Name::Outcome => "outcome",
            Name::Verify => "verify",
            Name::Close => "close",
        }
    }

    const fn kind(self) -> SpanKind {
        match self {
            Name::Look | Name::Preflight | Name::Send | Name::Verify => SpanKind::Client,
            Name::Intent | Name::ReRead | Name::Outcome | Name::Close => SpanKind::Internal,
        }
    }
}

/// What a span may say; each value is a word of a closed set, or a profile's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Name of the profile, as in the metrics.
    Profile,
    /// What a look or the checks found.
    Verdict,
    /// What a step came to.
    Outcome,
    /// The class of a failure.
    Class,
    /// Why, in one word.
    Reason,
    /// The request's phase.
    Phase,
    /// How it ended.
    Result,
}

impl Key {
    const fn as_str(self) -> &'static str {
        match self {
            Key::Profile => "offboarding.profile",
            Key::Verdict => "offboarding.verdict",
            Key::Outcome => "offboarding.outcome",
            Key::Class => "offboarding.class",
            Key::Reason => "offboarding.reason",
            Key::Phase => "offboarding.phase",
            Key::Result => "offboarding.result",
        }
    }

    fn with(self, word: &str) -> KeyValue {
        let value = Some(AnyValue { value: Some(Value::StringValue(word.to_owned())) });
        KeyValue { key: self.as_str().to_owned(), value, ..KeyValue::default() }
    }
}

/// Tells of offboardings, where a collector is named; says nothing at all where none is.
#[derive(Clone, Debug, Default)]
pub struct Traces(Option<Arc<Telling>>);

#[derive(Debug)]
struct Telling {
    clock: fn() -> Timestamp,
    queue: mpsc::Sender<Span>,
}

/// The trace of one request: its uid is the trace's id, and the second half of it the id of the span that all others lie in.
#[derive(Clone, Copy)]
struct Trace(Uuid);

impl Trace {
    /// `None` where a uid is none.
    fn of(request_uid: &str) -> Option<Self> {
        request_uid.parse().ok().filter(|uid: &Uuid| !uid.is_nil()).map(Self)
    }

    fn root(self) -> Vec<u8> {
        self.0.as_bytes()[8..].to_vec()
    }
}

impl Traces {
    /// Traces whose spans go into a queue that somebody empties. Where it is full, spans are lost: nothing waits for them.
    fn into_queue(queue: mpsc::Sender<Span>, clock: fn() -> Timestamp) -> Self {
        Self(Some(Arc::new(Telling { clock, queue })))
    }

    /// The id of a request's trace, 32 hex digits, as collectors show it: where traces are told, or it was told before.
    #[must_use]
    pub fn id_of(&self, request_uid: &str, told: Option<&str>) -> Option<String> {
        let id = Trace::of(request_uid)?.0.simple().to_string();
        (self.0.is_some() || told == Some(&id)).then_some(id)
    }

    /// A pass over a request or its record begins; it ends with the last clone. One in which nothing is done is not told.
    #[must_use]
    pub fn pass(&self, request_uid: &str) -> Pass {
        let begun = self.0.as_ref().zip(Trace::of(request_uid));
        Pass(begun.map(|(telling, trace)| {
            let open = Open::new(telling, trace, trace.root(), "pass", SpanKind::Internal);
            Arc::new(Passing { open: Mutex::new(Some(open)), id: new_id() })
        }))
    }

    /// A request is finished: tells of the whole of it.
    pub fn finished(&self, request_uid: &str, from: Timestamp, until: Timestamp, result: &str, reason: &str) {
        let Some((telling, trace)) = self.0.as_ref().zip(Trace::of(request_uid)) else { return };
        let span = Span {
            trace_id: trace.0.as_bytes().to_vec(),
            span_id: trace.root(),
            name: "offboarding".to_owned(),
            kind: SpanKind::Internal.into(),
            start_time_unix_nano: nanos(from),
            end_time_unix_nano: nanos(until.max(from)),
            attributes: vec![Key::Result.with(result), Key::Reason.with(reason)],
            ..Span::default()
        };
        telling.tell(span);
    }
}

impl Telling {
    fn tell(&self, span: Span) {
        // Full, or nobody listens any more: a trace is worth no wait.
        let _ = self.queue.try_send(span);
    }
}

/// One pass over one request. Does nothing where nothing is told.
#[derive(Clone, Default)]
pub struct Pass(Option<Arc<Passing>>);

struct Passing {
    open: Mutex<Option<Open>>,
    id: Vec<u8>,
}

impl Pass {
    /// A step of this pass begins, at a profile where it is about a provider; it ends when it is dropped.
    #[must_use]
    pub fn step(&self, name: Name, profile: Option<&str>) -> Step {
        Step(self.0.as_ref().and_then(|passing| {
            let mut open = passing.open.lock().unwrap_or_else(PoisonError::into_inner);
            let open = open.as_mut()?;
            open.is_news = true;
            let mut step =
                Open::new(&open.telling, open.trace, passing.id.clone(), name.as_str(), name.kind());
            step.is_news = true;
            step.attributes.extend(profile.map(|profile| Key::Profile.with(profile)));
            Some(step)
        }))
    }

    /// The request waits for something else than before.
    pub fn waits(&self, phase: &str, reason: &str) {
        let Some(passing) = &self.0 else { return };
        let mut open = passing.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = open.as_mut() else { return };
        open.is_news = true;
        open.events.push(Event {
            time_unix_nano: nanos((open.telling.clock)()),
            name: "waits".to_owned(),
            attributes: vec![Key::Phase.with(phase), Key::Reason.with(reason)],
            ..Event::default()
        });
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        let open = self.open.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(open) = open.filter(|open| open.is_news) {
            open.end(std::mem::take(&mut self.id));
        }
    }
}

/// One step. It ends when it is dropped, whatever it was told until then.
pub struct Step(Option<Open>);

impl Step {
    /// Says something of it.
    pub fn say(&mut self, key: Key, word: &str) {
        if let Some(open) = &mut self.0 {
            open.attributes.push(key.with(word));
        }
    }

    /// It came to nothing, because of this.
    pub fn failed(&mut self, failure: &Failure) {
        self.say(Key::Class, failure.class.as_str());
        self.say(Key::Reason, failure.cause.as_str());
        if let Some(open) = &mut self.0 {
            open.has_failed = true;
        }
    }

    /// What became of a destructive call.
    pub fn came_to(&mut self, sent: &Sent) {
        self.say(Key::Outcome, sent.outcome.word().as_str());
        if let Some(failure) = sent.outcome.failure() {
            self.failed(failure);
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(open) = self.0.take() {
            open.end(new_id());
        }
    }
}

/// A span that has not ended.
struct Open {
    telling: Arc<Telling>,
    trace: Trace,
    parent: Vec<u8>,
    name: &'static str,
    kind: SpanKind,
    began: Timestamp,
    /// A wall clock may jump.
    since: Instant,
    attributes: Vec<KeyValue>,
    events: Vec<Event>,
    has_failed: bool,
    /// There is something to tell.
    is_news: bool,
}

impl Open {
    fn new(
        telling: &Arc<Telling>,
        trace: Trace,
        parent: Vec<u8>,
        name: &'static str,
        kind: SpanKind,
    ) -> Self {
        Self {
            telling: telling.clone(),
            trace,
            parent,
            name,
            kind,
            began: (telling.clock)(),
            since: Instant::now(),
            attributes: Vec::new(),
            events: Vec::new(),
            has_failed: false,
            is_news: false,
        }
    }

    fn end(self, id: Vec<u8>) {
        let began = nanos(self.began);
        let took = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let failed = Status { code: StatusCode::Error.into(), ..Status::default() };
        self.telling.tell(Span {
            trace_id: self.trace.0.as_bytes().to_vec(),
            span_id: id,
            parent_span_id: self.parent,
            name: self.name.to_owned(),
            kind: self.kind.into(),
            start_time_unix_nano: began,
            end_time_unix_nano: began.saturating_add(took),
            attributes: self.attributes,
            events: self.events,
            status: self.has_failed.then_some(failed),
            ..Span::default()
        });
    }
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or_default()
}

/// Half of a random uuid; the half with the variant in it, so never all zero.
fn new_id() -> Vec<u8> {
    Uuid::new_v4().as_bytes()[8..].to_vec()
}

#[cfg(test)]
mod tests;
