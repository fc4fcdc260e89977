//! What people say besides their requests: approvals, holds, admission policies. Followed by watches of their own, because nothing
//! that is under way may wait for them: what was begun is finished also where nobody may read a hold.

use std::{pin::pin, time::Duration};

use futures::StreamExt as _;
use kube::{
    Api, Client, ResourceExt as _,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, watcher},
    },
};

use super::{
    context::Shared,
    policies,
    run::trouble,
    scope::Scope,
    watch::{events, parsed},
};
use crate::api::{CustomerHold, OffboardingApproval};

/// How often the policies are read, and holds are resolved again.
const AGAIN: Duration = Duration::from_secs(60);

/// While the policies are not as shipped, or not known, they are read again soon.
const SOON: Duration = Duration::from_secs(5);

/// Follows all three until the process ends.
pub async fn follow(ctx: Shared, client: Client, scope: Scope) {
    futures::join!(
        follow_approvals(&ctx, scope),
        follow_holds(&ctx, client),
        follow_policies(&ctx),
        resolve_holds(&ctx),
    );
}

/// An approval wakes the requests that it names, and nobody else.
async fn follow_approvals(ctx: &Shared, scope: Scope) {
    let mut events = events(scope.sources::<OffboardingApproval>(ctx), "");
    while let Some(event) = events.next().await {
        let Ok(event) = event else { continue };
        let filled = matches!(event, watcher::Event::InitDone);
        let named = ctx.consents.take(&event);
        let there = named.into_iter().filter(|named| {
            let request = ctx.requests.get(&named.object);
            request.is_some_and(|request| request.uid().as_deref() == Some(&named.uid))
        });
        ctx.wake(there.map(|named| named.object));
        if filled {
            ctx.wake_together(ctx.requests.state().iter());
        }
    }
}

/// A hold wakes whomever it may be about: existing requests stop, and go on when it is released.
async fn follow_holds(ctx: &Shared, client: Client) {
    let api: Api<DeserializeGuard<CustomerHold>> = Api::all(client);
    let mut trouble = trouble::<CustomerHold>(ctx, None);
    let events = watcher(api, watcher::Config::default()).default_backoff();
    let mut events = pin!(events.inspect(|event| trouble.note(event)));
    while let Some(event) = events.next().await {
        // One that cannot be read is missed here and not by the list after an intent, which fails then: nothing is sent.
        let Ok(Some(event)) = event.map(parsed) else { continue };
        if ctx.holds.take(event) {
            resolve(ctx).await;
        }
    }
}

async fn resolve_holds(ctx: &Shared) {
    loop {
        tokio::time::sleep(AGAIN).await;
        resolve(ctx).await;
    }
}

async fn resolve(ctx: &Shared) {
    let before = ctx.holds.seen();
    let keys = ctx.installation.keys().await;
    ctx.holds.resolve(&ctx.api, &ctx.operator_namespace, keys.as_deref()).await;
    if ctx.holds.seen() != before {
        ctx.wake_together(ctx.requests.state().iter());
    }
}

async fn follow_policies(ctx: &Shared) {
    loop {
        let live = policies::live(&ctx.api).await;
        let good = matches!(live, crate::domain::PolicyState::AsShipped { .. });
        ctx.learn_policies(live);
        let pause = tokio::time::sleep(if good { AGAIN } else { SOON });
        // Whoever was about to send saw them weakened: then it is looked more often until they are mended.
        let changed = ctx.policies_changed.notified();
        futures::future::select(pin!(pause), pin!(changed)).await;
    }
}
