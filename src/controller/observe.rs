//! Looks, where the decision can depend on it. Reads only, and never fails: what was not answered is `Unknown`.

use super::{case::Case, context::Context};
use crate::{
    domain::{
        CheckSeen, Control, Facts, Fingerprint, Look, Observation, Outcome, ProviderSeen, is_gone,
        mode_to_look_in, without_a_look,
    },
    evidence::Keys,
    failpoint,
    providers::{Credentials, CustomerId, Provider, Sighting, Verdict},
};

/// One turn's observation; what only this process can know is learned from it.
pub async fn observe(ctx: &Context, case: &mut Case) -> Observation {
    let mut seen = case.seen_without_a_look();
    let facts = case.facts();
    learn(ctx, case, &facts, &seen);
    let decided = without_a_look(&case.plan, &facts, &seen, &case.memory, ctx.now()).is_some();
    if !decided && look(ctx, case, &facts, &mut seen).await.is_some() {
        learn(ctx, case, &facts, &seen);
    }
    seen
}

fn learn(ctx: &Context, case: &mut Case, facts: &Facts, seen: &Observation) {
    let ProviderSeen::Found(provider) = &seen.provider else { return };
    let Ok(mode) = mode_to_look_in(&case.plan, facts, provider) else { return };
    case.memory.learn(facts, seen, mode, provider.verify_interval, ctx.now());
    if let Some(name) = &case.record_name {
        ctx.records.keep(name, &case.memory);
    }
}

async fn look(ctx: &Context, case: &mut Case, facts: &Facts, seen: &mut Observation) -> Option<()> {
    let connection = case.connection.clone()?;
    let (keys, customer, in_use) = (case.keys.clone()?, case.customer.clone()?, case.in_use.clone()?);
    let provider = &connection.provider;
    failpoint!("plan.look.before");
    let sighting = provider.look(&in_use.credentials, &customer, (ctx.clock)()).await;
    failpoint!("plan.look.after");
    let lag = connection.facts.declared.consistency_lag;
    seen.created_long_ago = created_long_ago(&sighting, lag);
    seen.look = Some(look_of(&keys, &sighting));
    seen.control = control_where_absent(ctx, provider, &in_use.credentials, seen.look.as_ref()).await;
    if matches!(seen.look, Some(Look::Present(_))) && may_delete(facts) {
        seen.checks = checks(ctx, provider, &in_use.credentials, &customer, &sighting).await;
        failpoint!("plan.check.after");
    }
    case.captured = sighting.captured;
    ctx.metrics.looked(connection.profile.source().name.as_str(), seen.look.as_ref().map(Look::word));
    ctx.provider_may_have_changed(&connection);
    Some(())
}

/// A look without its personal parts: the identity becomes a keyed hash.
#[must_use]
pub fn look_of(keys: &Keys, sighting: &Sighting) -> Look {
    let fingerprint =
        |identity: &Option<Vec<u8>>| identity.as_ref().map(|bytes| Fingerprint(keys.fingerprint(bytes)));
    match &sighting.verdict {
        Verdict::Present => fingerprint(&sighting.identity).map_or_else(unidentified, Look::Present),
        Verdict::Inactive => fingerprint(&sighting.identity).map_or_else(unidentified, Look::Inactive),
        Verdict::Tombstoned => Look::Tombstoned,
        Verdict::Absent => Look::Absent,
        Verdict::Unknown(failure) => Look::Unknown(failure.clone()),
    }
}

fn unidentified() -> Look {
    use crate::domain::{Cause, Class, Failure};
    Look::Unknown(Failure::new(Class::Indeterminate, Cause::UntrustedResponse))
}

/// By the provider's own two clocks: its `Date` and the customer's creation.
fn created_long_ago(sighting: &Sighting, lag: std::time::Duration) -> bool {
    match (sighting.created_at, sighting.answered_at) {
        (Some(created), Some(answered)) => created.saturating_add(lag).is_ok_and(|old| old <= answered),
        _ => false,
    }
}

async fn control_where_absent(
    ctx: &Context,
    provider: &Provider,
    credentials: &Credentials,
    look: Option<&Look>,
) -> Option<Control> {
    let absent =
        look.is_some_and(|look| *look == Look::Absent || is_gone(crate::api::Mode::Soft, look, None));
    if absent { Some(provider.control(credentials, (ctx.clock)()).await) } else { None }
}

/// Whether a deletion may follow: then the checks are asked.
fn may_delete(facts: &Facts) -> bool {
    match facts {
        Facts::Mine(record) => {
            !matches!(record.last().and_then(|last| last.outcome.as_ref()), Some(Outcome::Accepted))
        }
        Facts::None | Facts::Earlier(_) => true,
        Facts::Unread | Facts::Unusable(_) | Facts::Theirs => false,
    }
}

async fn checks(
    ctx: &Context,
    provider: &Provider,
    credentials: &Credentials,
    customer: &CustomerId,
    sighting: &Sighting,
) -> Vec<CheckSeen> {
    provider.checks(credentials, customer, &sighting.captured, (ctx.clock)()).await
}
