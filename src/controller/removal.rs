//! Removes finished requests whose `ttlAfterFinished` is over: the object alone, never its record and never a customer.
//!
//! By a watch of its own, because that of unfinished requests does not show them: it selects the finished ones that say how long they
//! stay, so that all others cost nothing, and keeps of each its name and a time. What it shows is a reason to look and no more: the
//! request is read live, decided about again, and removed exactly as it was read.

use std::{
    collections::{BTreeSet, HashMap},
    pin::pin,
    time::Duration,
};

use futures::{StreamExt as _, future::select};
use jiff::Timestamp;
use kube::{ResourceExt as _, runtime::watcher::Event};

use super::{
    api_server::{ApiError, ApiServer},
    context::{Context, Shared},
    error::left,
    scope::Scope,
    watch::events,
};
use crate::{api::CustomerOffboarding, domain::removed_at};

/// Of the finished requests those that are to be removed some day.
const SELECTOR: &str = "status.finished=true,spec.ttlAfterFinished!=";

/// At least so often the clock and the lease are looked at: one may have jumped, the other may be ours by now.
const LOOK: Duration = Duration::from_secs(30);

/// What could not be removed is tried again after this long.
const AGAIN: Duration = Duration::from_secs(300);

/// Namespace and name of a request.
type Name = (String, String);

/// Follows the requests that are to be removed some day, and removes each when its time has come, until the process ends.
pub async fn follow(ctx: Shared, scope: Scope) {
    let mut events = pin!(events(scope.sources::<CustomerOffboarding>(&ctx), SELECTOR));
    let mut line = Line::default();
    let mut told = None;
    loop {
        let pause = if works(&ctx) { line.pause((ctx.clock)()) } else { LOOK };
        let pause = pin!(tokio::time::sleep(pause));
        // An error of the watch was told where it came up; kube watches again by itself.
        match select(events.next(), pause).await {
            futures::future::Either::Left((None, _)) => return,
            futures::future::Either::Left((Some(event), _)) => {
                event.into_iter().for_each(|event| line.take(event));
            }
            futures::future::Either::Right(_) => {}
        }
        // One at a time, so that the watch is read meanwhile.
        if works(&ctx)
            && let Some(name) = line.due((ctx.clock)())
        {
            removed(&ctx, name, &mut line, &mut told).await;
        }
    }
}

/// Removes a request if that is still what its live object says, and writes down when to come again, if at all. A failure is told
/// once, until one is removed again.
async fn removed(ctx: &Context, name: Name, line: &mut Line, told: &mut Option<ApiError>) {
    let now = (ctx.clock)();
    let error = match remove(&ctx.api, &name, now, || works(ctx)).await {
        Ok(Removed::Gone) => return line.set(name, None),
        Ok(Removed::Later(at)) => return line.set(name, Some(at)),
        Ok(Removed::Now) => {
            *told = None;
            return line.set(name, None);
        }
        Err(error) => error,
    };
    if *told != Some(error) {
        *told = Some(error);
        tracing::warn!("a finished request cannot be removed, it is tried again: {error}");
    }
    let again = now.saturating_add(AGAIN).unwrap_or(Timestamp::MAX);
    if error == ApiError::Forbidden {
        line.rest(&name.0, again);
    }
    line.set(name, Some(again));
}

/// What came of it.
#[derive(Debug)]
enum Removed {
    /// It is removed.
    Now,
    /// It stays until then.
    Later(Timestamp),
    /// It is no request to be removed any more, or not there.
    Gone,
}

async fn remove(
    api: &ApiServer,
    (namespace, name): &Name,
    now: Timestamp,
    works: impl Fn() -> bool,
) -> Result<Removed, ApiError> {
    let Some(request) = api.get::<CustomerOffboarding>(namespace, name).await? else {
        return Ok(Removed::Gone);
    };
    let at = removed_at(request.spec.ttl_after_finished, request.status.as_ref());
    // Removed already, and kept by somebody else.
    let Some(at) = at.filter(|_| request.metadata.deletion_timestamp.is_none()) else {
        return Ok(Removed::Gone);
    };
    // The lease may have run out over the read.
    if at > now || !works() {
        return Ok(Removed::Later(at));
    }
    match api.remove_version(&request).await {
        Ok(()) => {
            tracing::info!(
                namespace,
                offboarding = name,
                "removed after `spec.ttlAfterFinished`; its record stays"
            );
            Ok(Removed::Now)
        }
        // What it has become, the watch tells.
        Err(ApiError::Conflict | ApiError::NotFound) => Ok(Removed::Gone),
        Err(error) => Err(error),
    }
}

fn works(ctx: &Context) -> bool {
    ctx.leadership.is_held() && !ctx.stopping.is_cancelled()
}

/// The requests that are to be removed, by their time.
#[derive(Default)]
struct Line {
    at: HashMap<Name, Timestamp>,
    first: BTreeSet<(Timestamp, Name)>,
    /// Of a list that is being read: what it leaves out is gone.
    listed: BTreeSet<Name>,
}

impl Line {
    fn take(&mut self, event: Event<CustomerOffboarding>) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(request) => {
                self.listed.insert(name_of(&request));
                self.apply(&request);
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                let gone: Vec<Name> =
                    self.at.keys().filter(|name| !listed.contains(*name)).cloned().collect();
                gone.into_iter().for_each(|name| self.set(name, None));
            }
            Event::Apply(request) => self.apply(&request),
            Event::Delete(request) => self.set(name_of(&request), None),
        }
    }

    fn apply(&mut self, request: &CustomerOffboarding) {
        let at = removed_at(request.spec.ttl_after_finished, request.status.as_ref());
        self.set(name_of(request), at.filter(|_| request.metadata.deletion_timestamp.is_none()));
    }

    /// When to come to a request; `None` where it stays.
    fn set(&mut self, name: Name, at: Option<Timestamp>) {
        if let Some(before) = self.at.remove(&name) {
            self.first.remove(&(before, name.clone()));
        }
        if let Some(at) = at {
            self.first.insert((at, name.clone()));
            self.at.insert(name, at);
        }
    }

    /// Nothing of this namespace before that: what may not be done to one may not be done to the others.
    fn rest(&mut self, namespace: &str, until: Timestamp) {
        let earlier = self.first.iter().take_while(|(at, _)| *at < until);
        let its_own: Vec<Name> =
            earlier.filter(|(_, name)| name.0 == namespace).map(|(_, name)| name.clone()).collect();
        its_own.into_iter().for_each(|name| self.set(name, Some(until)));
    }

    /// The request whose time came first.
    fn due(&self, now: Timestamp) -> Option<Name> {
        let (at, name) = self.first.first()?;
        (*at <= now).then(|| name.clone())
    }

    fn pause(&self, now: Timestamp) -> Duration {
        self.first.first().map_or(LOOK, |(at, _)| left(*at, now).min(LOOK))
    }
}

fn name_of(request: &CustomerOffboarding) -> Name {
    (request.namespace().unwrap_or_default(), request.name_any())
}

#[cfg(test)]
mod tests;
