//! One pass, in the controller's order: observe, decide, perform, until there is something to wait for; then tell it.

use std::{collections::BTreeSet, rc::Rc, sync::Arc, time::Duration};

use jiff::Timestamp;
use offboarding::{
    api::Mode,
    controller::{ApiError, Error},
    domain::{
        CheckSeen, Control, CustomerSeen, Decisions, Effect, Ending, Facts, InvalidSpec, Look, Next,
        Observation, Outcome, Plan, ProviderSeen, Targeted, Whole, decide_all, is_gone, mode_to_look_in,
        wants_looks,
    },
};

use crate::{
    api::{Request, Stored, Watched},
    bugs::Bug,
    case::{Case, approvals, hold_on, told},
    misjudge::{misjudge, tell_the_end_too_soon, tidy_up_for_others},
    operator::{Again, Handle, Key},
    people::number_of,
    perform::{close, perform},
    saas::Shown,
    scenario::{Ms, Point, SECOND},
    tell::{next_pass, save, with_the_owner},
};

/// More turns than a target takes in one pass.
const MOST_TURNS: usize = 8;

/// How long a look counts in the pass that made it.
pub const STANDS: Ms = 60 * SECOND;

/// A request's targets, and what is seen of it as a whole.
pub struct Cases {
    pub each: Vec<Case>,
    pub request: Option<Rc<Request>>,
}

/// A look that was made earlier in this pass.
type Kept = Option<(Ms, Observation)>;

/// One pass over one request.
pub async fn request_pass(handle: &Handle, name: usize) -> Again {
    handle.comes_to(Point::PassBegins).await;
    let shown = handle.world().cache(handle.operator, Watched::Requests).requests.get(&name).cloned();
    let object = shown.filter(|object| !object.status.finished)?;
    let plans = Plan::of_each_target(&object.uid, &object.spec).ok()?;
    let is_known = knows_its_records(handle, &object.uid).await;
    let mut each = Vec::with_capacity(plans.len());
    for plan in plans {
        let mut case = Case::of_request(handle, &object, plan).await;
        if !is_known {
            case.mark_unread();
        }
        each.push(case);
    }
    let mut cases = Cases { each, request: Some(object.clone()) };
    cases.refuse_the_same_customer_twice();
    let key = Key::Request(name).text();
    match work(handle, &mut cases).await {
        Ok(decisions) => match save(handle, &object, &cases, &decisions).await {
            Ok(()) => with_the_owner(handle, &cases, &decisions)
                .or_else(|| next_pass(handle, &cases, &decisions, &key)),
            Err(error) => after(handle, &key, &Error::SaveStatus(error)),
        },
        Err(error) => after(handle, &key, &error),
    }
}

/// Asks for the records of a request, once in each term; whether that was answered.
async fn knows_its_records(handle: &Handle, uid: &str) -> bool {
    if handle.me(|me| me.searched.contains(uid)) || handle.world().has(Bug::FindsRecordsByTheirNamesAlone) {
        return true;
    }
    let found = handle.get(|world| {
        let records = world.api.view().records.values();
        let mut mine: Vec<Rc<Stored>> =
            records.filter(|record| record.spec.request.uid == uid).cloned().collect();
        mine.sort_by_key(|record| !record.spec.closed);
        mine
    });
    let Ok(found) = found.await else { return false };
    handle.me(|me| {
        for record in found {
            let key = (uid.to_owned(), record.spec.request.target.clone());
            me.of_target.insert(key, record.name.clone());
        }
        me.searched.insert(uid.to_owned());
    });
    true
}

/// One pass over one open record: where its request is gone, or finished, it is finished from the record.
pub async fn record_pass(handle: &Handle, name: &str) -> Again {
    const WHILE_REQUESTED: Duration = Duration::from_secs(240);
    if handle.world().has(Bug::HasNoOrphanSweep) {
        return None;
    }
    let shown = handle.world().cache(handle.operator, Watched::Records).records.get(name).cloned()?;
    if shown.spec.closed {
        return None;
    }
    let named = shown.spec.request.clone();
    let key = (named.uid.clone(), named.target.clone());
    handle.me(|me| me.of_target.insert(key, name.to_owned()));
    let request = number_of(&named.name);
    let cached = handle.world().cache(handle.operator, Watched::Requests).requests.get(&request).cloned();
    if cached.is_some_and(|cached| cached.uid == named.uid && !cached.status.finished) {
        return Some(WHILE_REQUESTED);
    }
    let live = handle.get(|world| world.api.view().requests.get(&request).cloned()).await;
    let Ok(live) = live else {
        return after(handle, name, &Error::ReadRequest(ApiError::Unanswered));
    };
    if live.is_some_and(|live| live.uid == named.uid && !live.status.finished) {
        return Some(WHILE_REQUESTED);
    }
    let case = Case::of_record(handle, &shown).await;
    if case.is_closed() {
        return None;
    }
    let mut cases = Cases { each: vec![case], request: None };
    if handle.world().has(Bug::ClosesWhenTheRequestIsDeleted) {
        let _ = close(handle, &mut cases.each[0], Ending::cancelled()).await;
        return None;
    }
    match work(handle, &mut cases).await {
        Ok(decisions) => next_pass(handle, &cases, &decisions, name),
        Err(error) => after(handle, name, &error),
    }
}

fn after(handle: &Handle, key: &str, error: &Error) -> Again {
    Some(handle.me(|me| me.backoff.after(key, error)))
}

impl Cases {
    /// What people, holds and budgets say now, for each of the cases.
    async fn see(&mut self, handle: &Handle) {
        let (approvals_view, policies, holds, bug) = {
            let world = handle.world();
            let cache = |kind| world.cache(handle.operator, kind);
            (cache(Watched::Approvals), cache(Watched::Policies), cache(Watched::Holds), world.bug)
        };
        let uid = &self.each[0].plan.request_uid;
        let told = self.request.as_ref().and_then(|request| told(request));
        let hash = told.as_ref().map(|told| told.hash.clone());
        let whole = Arc::new(Whole {
            approvals: approvals(&approvals_view, uid, hash.as_deref(), bug),
            told,
            policies: policies.policies.as_ref().clone(),
            author: self.request.as_ref().and_then(|request| request.author.clone()),
            created_at: self.request.as_ref().map_or(Timestamp::UNIX_EPOCH, |request| request.created_at),
        });
        let now = handle.wall();
        for case in &mut self.each {
            case.whole = whole.clone();
            let ProviderSeen::Found(provider) = &case.provider else { continue };
            case.hold = hold_on(&holds, case.customer_ref.as_deref(), provider, now);
            case.budget = crate::budget::seen(handle, case.place, provider.budget).await;
        }
    }

    fn facts(&self) -> Vec<Facts> {
        self.each.iter().map(Case::facts).collect()
    }

    pub fn targeted<'a>(&'a self, facts: &'a [Facts], seen: &'a [Observation]) -> Vec<Targeted<'a>> {
        let each = self.each.iter().zip(facts).zip(seen);
        each.map(|((case, facts), seen)| Targeted { plan: &case.plan, facts, seen, memory: &case.memory })
            .collect()
    }

    fn refuse_the_same_customer_twice(&mut self) {
        let mut seen = BTreeSet::new();
        for case in &mut self.each {
            if matches!(case.seen, CustomerSeen::Known { .. }) && !seen.insert((case.place, case.customer)) {
                case.seen = CustomerSeen::Refused(InvalidSpec::SameCustomer);
            }
        }
    }
}

/// Turns until there is something to wait for.
async fn work(handle: &Handle, cases: &mut Cases) -> Result<Decisions, Error> {
    let mut plan = None;
    let mut kept: Vec<Kept> = cases.each.iter().map(|_| None).collect();
    for case in &mut cases.each {
        tidy_up_for_others(handle, case).await;
    }
    for _ in 0..MOST_TURNS * cases.each.len() {
        let seen = observe(handle, cases, kept).await;
        handle.comes_to(Point::Looked).await;
        let facts = cases.facts();
        let observations: Vec<Observation> = seen.iter().map(|(_, seen)| seen.clone()).collect();
        let now = handle.world().moment(handle.operator);
        let mut decisions = decide_all(&cases.targeted(&facts, &observations), now);
        if let Some(bug) = handle.world().bug {
            decisions = misjudge(bug, cases, &facts, &observations, decisions, now);
        }
        decisions.plan = decisions.plan.take().or(plan);
        let Some((acts, effect)) = decisions.effect() else {
            let is_end = matches!(decisions.next, Next::Finished(_));
            let mut may_be_told = true;
            for case in cases.each.iter_mut().filter(|_| is_end) {
                may_be_told &= case.is_closed() || case.is_unchanged(handle).await;
            }
            if may_be_told {
                return Ok(decisions);
            }
            (kept, plan) = (cases.each.iter().map(|_| None).collect(), decisions.plan);
            continue;
        };
        let effect = effect.clone();
        tell_the_end_too_soon(handle, cases, &decisions, &effect).await;
        if let Some(later) = perform(handle, &mut cases.each[acts], &observations[acts], &effect).await? {
            decisions.instead(later);
            return Ok(decisions);
        }
        let stands = effect == Effect::SaveOutcome;
        let each = seen.into_iter().enumerate();
        kept = each.map(|(target, seen)| (target != acts || stands).then_some(seen)).collect();
        plan = decisions.plan;
    }
    Err(Error::TooManyTurns)
}

/// One turn's observation of each target; with each goes when it was made.
async fn observe(handle: &Handle, cases: &mut Cases, kept: Vec<Kept>) -> Vec<(Ms, Observation)> {
    cases.see(handle).await;
    let facts = cases.facts();
    let now = handle.now();
    let mut seen = Vec::with_capacity(kept.len());
    let mut is_kept = Vec::with_capacity(kept.len());
    for ((case, facts), kept) in cases.each.iter_mut().zip(&facts).zip(kept) {
        let bare = case.seen_without_a_look();
        learn(handle, case, facts, &bare);
        let stands = kept.filter(|(at, kept)| kept.look.is_some() && now - at < STANDS);
        is_kept.push(stands.is_some());
        seen.push(match stands {
            Some((at, Observation { look, looked_at, created_long_ago, control, checks, .. })) => {
                (at, Observation { look, looked_at, created_long_ago, control, checks, ..bare })
            }
            None => (now, bare),
        });
    }
    let observations: Vec<Observation> = seen.iter().map(|(_, seen)| seen.clone()).collect();
    let moment = handle.world().moment(handle.operator);
    let wanted = wants_looks(&cases.targeted(&facts, &observations), moment);
    for (index, case) in cases.each.iter_mut().enumerate() {
        if wanted[index] && !is_kept[index] {
            look(handle, case, &facts[index], &mut seen[index].1).await;
            learn(handle, case, &facts[index], &seen[index].1);
        }
    }
    seen
}

fn learn(handle: &Handle, case: &mut Case, facts: &Facts, seen: &Observation) {
    let ProviderSeen::Found(provider) = &seen.provider else { return };
    let Ok(mode) = mode_to_look_in(&case.plan, facts, provider) else { return };
    let now = handle.world().moment(handle.operator);
    case.memory.learn(facts, seen, mode, provider.verify_interval, now);
    if let Some(name) = &case.record_name {
        handle.me(|me| me.memories.insert(name.clone(), case.memory.clone()));
    }
}

async fn look(handle: &Handle, case: &Case, facts: &Facts, seen: &mut Observation) {
    seen.looked_at = uptime(handle);
    let mut shown = look_at(handle, case.place, case.customer).await;
    let may_be_gone = shown.look == Look::Absent || is_gone(Mode::Soft, &shown.look, None);
    let bug = handle.world().bug;
    if may_be_gone {
        handle.half_a_call().await;
        seen.control = Some({
            let world = handle.world();
            world.saas.control(world.now, case.place)
        });
    }
    let is_believed = bug == Some(Bug::BelievesALookBeforeTheControl);
    if shown.look == Look::Absent && seen.control == Some(Control::Good) && !is_believed {
        seen.looked_at = uptime(handle);
        shown = look_at(handle, case.place, case.customer).await;
    }
    seen.created_long_ago = shown.created_long_ago;
    seen.look = Some(shown.look);
    let may_delete = match facts {
        Facts::Mine(mine) => {
            !matches!(mine.last().and_then(|last| last.outcome.as_ref()), Some(Outcome::Accepted))
        }
        Facts::None | Facts::Earlier(_) => true,
        Facts::Unread | Facts::Unusable(_) | Facts::Theirs => false,
    };
    if matches!(seen.look, Some(Look::Present(_))) && may_delete {
        handle.half_a_call().await;
        seen.checks = checks(handle, case);
    }
    if bug == Some(Bug::TakesSilenceForAbsence) && matches!(seen.look, Some(Look::Unknown(_))) {
        (seen.look, seen.control) = (Some(Look::Absent), Some(Control::Good));
    }
}

fn uptime(handle: &Handle) -> Duration {
    handle.world().moment(handle.operator).uptime
}

fn checks(handle: &Handle, case: &Case) -> Vec<CheckSeen> {
    let world = handle.world();
    world.saas.checks(world.now, case.place, case.customer)
}

/// One look at a customer; on its way there and back time passes.
pub async fn look_at(handle: &Handle, place: usize, customer: usize) -> Shown {
    handle.half_a_call().await;
    let shown = {
        let mut world = handle.world();
        let mut rng = world.operators[handle.operator].rng.clone();
        let shown = world.saas.look(world.now, place, customer, &mut rng);
        world.operators[handle.operator].rng = rng;
        let word = shown.look.word();
        world.say(
            match shown.look {
                Look::Present(_) => "a look: present",
                Look::Inactive(_) => "a look: inactive",
                Look::Tombstoned => "a look: tombstoned",
                Look::Absent => "a look: absent",
                Look::Unknown(_) => "a look: unanswered",
            },
            &[handle.operator, place, customer],
            || format!("{word} {:?}", shown.look),
        );
        shown
    };
    handle.half_a_call().await;
    shown
}
