//! Looks, where the decision can depend on it. Reads only, and never fails: what was not answered is `Unknown`.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use super::{case::Case, cases::Cases, context::Context};
use crate::{
    domain::{
        CheckSeen, CheckVerdict, Control, Facts, Fingerprint, Look, Observation, Outcome, ProviderSeen,
        is_gone, mode_to_look_in, wants_looks,
    },
    evidence::Keys,
    failpoint,
    providers::{Credentials, CustomerId, Provider, Sighting, Verdict},
    traces::{Key, Name, Step},
};

/// What was seen of a target earlier in this pass: it stands until something is done for the target, but not for ever.
#[derive(Default)]
pub struct Kept(Option<(Instant, Observation)>);

/// How long a look counts in the pass that made it: a deletion looks again before it leaves.
const STANDS: Duration = Duration::from_secs(60);

impl Kept {
    /// Keeps what was seen.
    #[must_use]
    pub fn new(at: Instant, seen: Observation) -> Self {
        Self(Some((at, seen)))
    }

    /// A kept look in what is known now.
    fn into(self, now: Observation) -> Option<(Instant, Observation)> {
        let (at, Observation { look, looked_at, created_long_ago, control, checks, .. }) = self.0?;
        let stands = look.is_some() && at.elapsed() < STANDS;
        stands.then_some((at, Observation { look, looked_at, created_long_ago, control, checks, ..now }))
    }
}

/// One turn's observation of each target; what only this process can know is learned from it. With each goes when it was made.
pub async fn observe(ctx: &Context, cases: &mut Cases, kept: Vec<Kept>) -> Vec<(Instant, Observation)> {
    cases.see(ctx).await;
    let facts = cases.facts();
    let now = Instant::now();
    let mut seen = Vec::with_capacity(kept.len());
    let mut is_kept = Vec::with_capacity(kept.len());
    for ((case, facts), kept) in cases.each.iter_mut().zip(&facts).zip(kept) {
        let bare = case.seen_without_a_look();
        learn(ctx, case, facts, &bare);
        let again = kept.into(bare.clone());
        is_kept.push(again.is_some());
        seen.push(again.unwrap_or((now, bare)));
    }
    let observations: Vec<Observation> = seen.iter().map(|(_, seen)| seen.clone()).collect();
    let wanted = wants_looks(&cases.targeted(&facts, &observations), ctx.now());
    let looks = cases.each.iter_mut().zip(&facts).zip(&mut seen).zip(wanted.iter().zip(&is_kept));
    join_all(looks.map(async |(((case, facts), (_, seen)), (wanted, is_kept))| {
        if *wanted && !is_kept && look(ctx, case, facts, seen).await.is_some() {
            learn(ctx, case, facts, seen);
        }
    }))
    .await;
    seen
}

fn learn(ctx: &Context, case: &mut Case, facts: &Facts, seen: &Observation) {
    let ProviderSeen::Found(provider) = &seen.provider else { return };
    let Ok(mode) = mode_to_look_in(&case.plan, facts, provider) else { return };
    case.memory.learn(facts, seen, mode, provider.verify_interval, ctx.now());
    if let Some(name) = case.record_name.as_ref().filter(|_| *facts != Facts::Theirs) {
        ctx.records.keep(name, &case.memory, &case.origin.uid);
    }
}

async fn look(ctx: &Context, case: &mut Case, facts: &Facts, seen: &mut Observation) -> Option<()> {
    let connection = case.connection.clone()?;
    let (keys, customer, in_use) = (case.keys.clone()?, case.customer.clone()?, case.in_use.clone()?);
    let provider = &connection.provider;
    let profile = Some(connection.profile.source().name.as_str());
    let name = if facts.is_begun() { Name::Verify } else { Name::Look };
    let mut step = case.pass.step(name, profile);
    failpoint!("plan.look.before");
    seen.looked_at = ctx.now().uptime;
    let mut sighting = provider.look(&in_use.credentials, &customer, (ctx.clock)()).await;
    failpoint!("plan.look.after");
    let found = look_of(&keys, &sighting);
    seen.control = control_where_absent(ctx, provider, &in_use.credentials, Some(&found)).await;
    // A provider that knew nobody for a moment only would be believed by a control from after it. See decision 17.
    if found == Look::Absent && seen.control == Some(Control::Good) {
        seen.looked_at = ctx.now().uptime;
        sighting = provider.look(&in_use.credentials, &customer, (ctx.clock)()).await;
    }
    let lag = connection.facts.declared.consistency_lag;
    seen.created_long_ago = created_long_ago(&sighting, lag);
    let look = look_of(&keys, &sighting);
    told(&mut step, &look);
    drop(step);
    seen.look = Some(look);
    if matches!(seen.look, Some(Look::Present(_))) && may_delete(facts) {
        let mut step = case.pass.step(Name::Preflight, profile);
        seen.checks = checks(ctx, provider, &in_use.credentials, &customer, &sighting).await;
        step.say(Key::Verdict, worst(&seen.checks));
        drop(step);
        failpoint!("plan.check.after");
    }
    case.captured = sighting.captured;
    ctx.metrics.looked(connection.asking.profile(), seen.look.as_ref().map(Look::word));
    ctx.provider_may_have_changed(&connection);
    Some(())
}

/// What a trace says of a look.
fn told(step: &mut Step, look: &Look) {
    step.say(Key::Verdict, look.word().as_str());
    if let Look::Unknown(failure) = look {
        step.failed(failure);
    }
}

/// Of what the checks said, what stands in the way most.
fn worst(checks: &[CheckSeen]) -> &'static str {
    let rank = |verdict: &CheckVerdict| match verdict {
        CheckVerdict::Blocks => 4,
        CheckVerdict::Failed(_) => 3,
        CheckVerdict::Unanswered(_) => 2,
        CheckVerdict::Ignored => 1,
        CheckVerdict::Clear => 0,
    };
    let said = checks.iter().map(|check| &check.verdict);
    said.max_by_key(|verdict| rank(verdict)).unwrap_or(&CheckVerdict::Clear).word()
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
