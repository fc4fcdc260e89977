//! What the API server stored, version by version, watched by nobody who takes part: S8, and the end that never goes back.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use futures::StreamExt as _;
use kube::{
    Api, Client, ResourceExt as _,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event},
    },
};
use offboarding::api::{Attempt, CustomerOffboarding, OffboardingRecord};
use tokio::task::JoinHandle;

/// The last version of everything, and what was wrong with a step from one to the next.
#[derive(Default)]
struct Seen {
    records: BTreeMap<String, OffboardingRecord>,
    requests: BTreeMap<String, CustomerOffboarding>,
    wrong: Vec<String>,
}

/// Watches from now on.
pub struct History {
    seen: Arc<Mutex<Seen>>,
    watching: JoinHandle<()>,
}

impl History {
    /// Of all namespaces, as an administrator.
    pub fn watch(client: Client) -> History {
        let seen = Arc::<Mutex<Seen>>::default();
        let of_records = follow(client.clone(), seen.clone(), Seen::record);
        let of_requests = follow(client, seen.clone(), Seen::request);
        let watching = tokio::spawn(async move {
            tokio::join!(of_records, of_requests);
        });
        History { seen, watching }
    }

    /// What was wrong so far; each is told once.
    pub fn wrong(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap().wrong)
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

/// What was seen between a version and the one before it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Versions {
    Each,
    /// The watch was cut, and this is from the list after it.
    SomeMissed,
}

async fn follow<K>(client: Client, seen: Arc<Mutex<Seen>>, learn: fn(&mut Seen, K, Versions))
where
    K: kube::Resource<DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned
        + Send
        + 'static,
{
    let mut events =
        Box::pin(watcher::watcher(Api::<K>::all(client), watcher::Config::default()).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(object)) => learn(&mut seen.lock().unwrap(), object, Versions::Each),
            Ok(Event::InitApply(object)) => learn(&mut seen.lock().unwrap(), object, Versions::SomeMissed),
            Ok(Event::Delete(_) | Event::Init | Event::InitDone) | Err(_) => {}
        }
    }
}

impl Seen {
    fn record(&mut self, next: OffboardingRecord, versions: Versions) {
        let name = next.name_any();
        if let Some(last) = self.records.get(&name) {
            let wrong = record_step(last, &next, versions);
            self.wrong.extend(wrong.map(|what| format!("record {name}: {what}")));
        }
        self.records.insert(name, next);
    }

    fn request(&mut self, next: CustomerOffboarding, _: Versions) {
        let uid = next.uid().unwrap_or_default();
        if let Some(last) = self.requests.get(&uid) {
            let told = |request: &CustomerOffboarding| {
                request.status.as_ref().map(|status| (status.finished, status.result.clone()))
            };
            let (before, after) = (told(last), told(&next));
            if before.as_ref().is_some_and(|(finished, _)| *finished) && before != after {
                self.wrong.push(format!("request {}: {before:?} became {after:?}", next.name_any()));
            }
        }
        self.requests.insert(uid, next);
    }
}

/// Attempts are only added, outcomes only move up, and what is closed stays as it is, but for a later request.
fn record_step(last: &OffboardingRecord, next: &OffboardingRecord, versions: Versions) -> Option<String> {
    let (last, next) = (&last.spec, &next.spec);
    let highest = |attempts: &[Attempt]| attempts.iter().map(|attempt| attempt.n).max().unwrap_or(0);
    if last.request.uid != next.request.uid {
        let taken_over = (!last.closed).then(|| "another request took an open record over".to_owned());
        let again = highest(&next.attempts) != 0 && highest(&next.attempts) <= highest(&last.attempts);
        return taken_over.or_else(|| again.then(|| "the number of an attempt was used again".to_owned()));
    }
    if last.closed {
        return (last != next).then(|| "a closed record changed".to_owned());
    }
    for before in &last.attempts {
        let Some(after) = next.attempts.iter().find(|attempt| attempt.id == before.id) else {
            // Attempts that nothing was sent for are folded into the next one, which counts them.
            let is_folded = next.attempts.iter().any(|after| after.n > before.n && after.count > 1);
            let not_sent = before.outcome.as_deref() == Some("NotSent");
            if is_folded && (not_sent || (versions == Versions::SomeMissed && before.outcome.is_none())) {
                continue;
            }
            return Some(format!("attempt {} ({:?}) is gone", before.n, before.outcome));
        };
        if rank(after) < rank(before) {
            return Some(format!("attempt {}: {:?} became {:?}", before.n, before.outcome, after.outcome));
        }
    }
    None
}

fn rank(attempt: &Attempt) -> usize {
    let outcomes = [None, Some("NotSent"), Some("Unknown"), Some("Rejected"), Some("Accepted")];
    outcomes.iter().position(|outcome| *outcome == attempt.outcome.as_deref()).unwrap_or(0)
}
