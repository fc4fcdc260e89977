//! What is, at this moment: counted from the caches when somebody asks, so that nothing has to be kept in step with them.
//!
//! The domain is the leader's to tell. Who stands by has the same caches, and says nothing of it: two that tell the same would be
//! added up.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::{
    budgets::{Budgets, EVERY_ACCOUNT},
    connection::budget_of,
    context::Context,
    lease::LEASE,
    orphan::is_watched,
    provider_kinds::ProviderObject,
    run::CONCURRENCY,
    save::due_of,
};
use crate::{
    api::{
        Condition, ConditionType, CustomerOffboarding, HoldType, OffboardingRecord, OffboardingStatus, Phase,
        ProviderConditionType, Reason, Truth,
    },
    domain::{BudgetLimits, BudgetUse, HoldsSeen, OutcomeWord, PolicyState, next_change},
    metrics::{
        Controller, Figure, KeyTrouble,
        catalogue::{
            self as metric, IN_FLIGHT, readiness_of_providers, states_of_attempts, unfinished_phases,
        },
        process,
    },
    providers::http::{CircuitState, Limiter},
};

#[cfg(test)]
mod tests;

impl Context {
    /// Everything that is counted, in the OpenMetrics text format.
    pub fn scrape(&self) -> String {
        let mut figures = self.of_this_process();
        // Before the caches are filled, what they lack would be told as gone.
        if self.leadership.is_held() && self.synced.load(Ordering::Relaxed) {
            figures.extend(self.of_the_domain());
        }
        self.metrics.text(figures)
    }

    fn of_this_process(&self) -> Vec<Figure> {
        let mut figures = self.of_the_queues();
        figures.extend(process());
        let policies = match self.policies() {
            PolicyState::AsShipped { .. } => "AsShipped",
            PolicyState::Missing(_) => "Missing",
            PolicyState::Unanswered => "Unanswered",
        };
        let states = ["AsShipped", "Missing", "Unanswered"].into_iter();
        figures.extend([
            Figure::of(&metric::MASTER).with([LEASE], self.leadership.is_held()),
            Figure::alone(&metric::READY, self.readiness().is_ok()),
            Figure::alone(&metric::HOLDS_UNREAD, self.holds.seen() == HoldsSeen::Unread),
            states
                .fold(Figure::of(&metric::POLICIES), |figure, state| figure.with([state], state == policies)),
        ]);
        if !self.installation.is_unread() {
            let trouble = self.installation.trouble();
            let causes = KeyTrouble::ALL.iter();
            figures.push(causes.fold(Figure::of(&metric::KEY_LOST), |figure, cause| {
                figure.with([cause.as_str()], trouble == Some(*cause))
            }));
        }
        figures
    }

    fn of_the_queues(&self) -> Vec<Figure> {
        let (mut most, mut running) = (Figure::of(&metric::MOST_AT_ONCE), Figure::of(&metric::RUNNING));
        let (mut depth, mut oldest) = (Figure::of(&metric::DEPTH), Figure::of(&metric::OLDEST_DUE));
        let (mut unfinished, mut longest) =
            (Figure::of(&metric::UNFINISHED), Figure::of(&metric::LONGEST_RUNNING));
        for controller in Controller::ALL {
            let (name, load) = (controller.as_str(), self.metrics.load(*controller));
            // Both kinds of provider objects have a loop each.
            let loops = if *controller == Controller::provider { 2 } else { 1 };
            most = most.with([name], usize::from(CONCURRENCY) * loops);
            running = running.with([name], load.running);
            depth = depth.with([name; 2], load.depth);
            oldest = oldest.with([name], load.oldest);
            unfinished = unfinished.with([name; 2], load.unfinished);
            longest = longest.with([name; 2], load.longest);
        }
        vec![most, running, depth, oldest, unfinished, longest]
    }

    fn of_the_domain(&self) -> Vec<Figure> {
        let now = (self.clock)();
        let namespaced = self.providers.namespaced.state().into_iter().map(ProviderObject::from);
        let providers: Vec<ProviderObject> =
            namespaced.chain(self.providers.cluster.state().into_iter().map(ProviderObject::from)).collect();
        let mut figures = of_requests(&self.requests.state(), now);
        figures.extend(of_records(&self.records.open_ones(), now));
        let orphaned =
            self.records.open_ones().iter().filter(|record| !is_watched(self, &record.spec.request)).count();
        figures.push(Figure::alone(&metric::ORPHANED, orphaned));
        figures.push(of_holds(&self.holds.seen(), now));
        figures.extend(of_providers(&providers));
        figures.extend(self.of_limiters());
        figures.extend(of_budgets(&self.budgets, &providers, now));
        figures
    }

    fn of_limiters(&self) -> [Figure; 2] {
        let limiters = self.connections.limiters();
        let count = |of, counts: &dyn Fn(&Limiter) -> bool| {
            self.metrics.profiles().fold(Figure::of(of), |figure, profile| {
                let of_it = limiters.iter().filter(|(its_profile, _)| *its_profile == profile);
                figure.with([profile], of_it.filter(|(_, limiter)| counts(limiter)).count())
            })
        };
        [
            count(&metric::CIRCUITS, &|limiter| limiter.circuit() != CircuitState::Closed),
            count(&metric::PAUSED, &|limiter| limiter.paused_for().is_some()),
        ]
    }
}

fn of_requests(requests: &[Arc<CustomerOffboarding>], now: Timestamp) -> Vec<Figure> {
    let mut standing: BTreeMap<(Phase, Reason), usize> = BTreeMap::new();
    let mut oldest: HashMap<Phase, Duration> = HashMap::new();
    let mut waiting = Duration::ZERO;
    let (mut overdue, mut due_soon, mut approvals, mut suspended) = (0_usize, 0_usize, 0_usize, 0_usize);
    let unseen = OffboardingStatus::default();
    for request in requests.iter().filter(|request| !request.is_finished()) {
        let status = request.status.as_ref().unwrap_or(&unseen);
        let phase = status.phase.parse().unwrap_or(Phase::Pending);
        *standing.entry((phase, why(status))).or_default() += 1;
        let created = request.creation_timestamp().map_or(now, |created| created.0);
        let age = oldest.entry(phase).or_default();
        *age = (*age).max(since(created, now));
        waiting = waiting.max(waits_since(status).map_or(Duration::ZERO, |from| since(from, now)));
        approvals += usize::from(phase == Phase::AwaitingApproval);
        suspended += usize::from(request.spec.suspend);
        let due = due_of(request);
        match due.map(|due| (due, next_change(Some(due), now))) {
            Some((_, None)) => overdue += 1,
            Some((due, Some(next))) if next == due => due_soon += 1,
            Some((_, Some(_))) | None => {}
        }
    }
    let pairs =
        standing.into_iter().fold(Figure::of(&metric::REQUESTS), |figure, ((phase, reason), count)| {
            figure.with([phase.as_str(), reason.as_str()], count)
        });
    let ages = unfinished_phases().into_iter().fold(Figure::of(&metric::OLDEST_REQUEST), |figure, name| {
        let age = name.parse().ok().and_then(|phase: Phase| oldest.get(&phase).copied());
        figure.with([name], age.unwrap_or_default())
    });
    vec![
        pairs,
        ages,
        Figure::alone(&metric::OLDEST_WAITING, waiting),
        Figure::alone(&metric::OVERDUE, overdue),
        Figure::alone(&metric::DUE_SOON, due_soon),
        Figure::alone(&metric::APPROVALS, approvals),
        Figure::alone(&metric::SUSPENDED, suspended),
    ]
}

/// Why a request is where it is: what stands in its way most, as its conditions tell it.
fn why(status: &OffboardingStatus) -> Reason {
    let told = |kind: ConditionType, truth: Truth| {
        let found = status.conditions.iter().find(|it| it.type_ == kind.as_str() && it.status == truth)?;
        found.reason.parse::<Reason>().ok()
    };
    told(ConditionType::Stalled, Truth::True)
        .or_else(|| told(ConditionType::Unblocked, Truth::False))
        .or_else(|| told(ConditionType::Waiting, Truth::True))
        .or_else(|| told(ConditionType::Approved, Truth::False))
        .or_else(|| told(ConditionType::Reconciling, Truth::True))
        .or_else(|| told(ConditionType::Reconciling, Truth::False))
        .unwrap_or(Reason::Pending)
}

fn waits_since(status: &OffboardingStatus) -> Option<Timestamp> {
    let waits = |it: &&Condition| it.type_ == ConditionType::Waiting.as_str() && it.status == Truth::True;
    status.conditions.iter().find(waits).map(|it| it.last_transition_time)
}

fn of_records(open: &[Arc<OffboardingRecord>], now: Timestamp) -> [Figure; 2] {
    let mut standing: HashMap<&'static str, (usize, Duration)> = HashMap::new();
    for record in open.iter().filter(|record| !record.spec.closed) {
        let last = record.spec.attempts.last();
        let state = match last.map(|attempt| attempt.outcome.as_deref().map(str::parse::<OutcomeWord>)) {
            None => OutcomeWord::NotSent.as_str(),
            Some(None) => IN_FLIGHT,
            Some(Some(outcome)) => outcome.unwrap_or(OutcomeWord::Unknown).as_str(),
        };
        let (count, oldest) = standing.entry(state).or_default();
        *count += 1;
        *oldest = (*oldest).max(last.map_or(Duration::ZERO, |attempt| since(attempt.intent_at, now)));
    }
    let none = (Figure::of(&metric::OPEN), Figure::of(&metric::OLDEST_ATTEMPT));
    let (counts, ages) = states_of_attempts().into_iter().fold(none, |(counts, ages), state| {
        let (count, oldest) = standing.get(state).copied().unwrap_or_default();
        (counts.with([state], count), ages.with([state], oldest))
    });
    [counts, ages]
}

fn of_holds(seen: &HoldsSeen, now: Timestamp) -> Figure {
    let holds = match seen {
        HoldsSeen::Seen(holds) => holds.as_slice(),
        HoldsSeen::Unread => &[],
    };
    HoldType::ALL.iter().fold(Figure::of(&metric::HOLDS), |figure, kind| {
        let in_force = holds.iter().filter(|hold| hold.expires_at.is_none_or(|until| now < until));
        figure.with([kind.as_str()], in_force.filter(|hold| hold.kind == *kind).count())
    })
}

fn of_providers(providers: &[ProviderObject]) -> [Figure; 2] {
    let ready = |provider: &ProviderObject| {
        let mut conditions = provider.status()?.conditions.iter();
        let ready = conditions.find(|it| it.type_ == ProviderConditionType::Ready.as_str())?;
        Some(ready.reason.clone())
    };
    let reasons: Vec<String> =
        providers.iter().map(|it| ready(it).unwrap_or_else(|| Reason::Pending.to_string())).collect();
    let by_reason =
        readiness_of_providers().into_iter().fold(Figure::of(&metric::PROVIDERS), |figure, reason| {
            figure.with([reason], reasons.iter().filter(|it| *it == reason).count())
        });
    let suspended = providers.iter().filter(|provider| provider.spec().suspend).count();
    [by_reason, Figure::alone(&metric::PROVIDERS_SUSPENDED, suspended)]
}

fn of_budgets(budgets: &Budgets, providers: &[ProviderObject], now: Timestamp) -> [Figure; 3] {
    let none = (Figure::of(&metric::BUDGET_USED), Figure::of(&metric::BUDGET_QUEUED));
    let (used, queued) =
        budgets.figures(now).into_iter().fold(none, |(used, queued), (account, seen, waiting)| {
            let BudgetUse { hour, day } = seen;
            let used = used.with([account.clone(), "hour".to_owned()], hour);
            (used.with([account.clone(), "day".to_owned()], day), queued.with([account], waiting))
        });
    let mut limits: BTreeMap<(String, &'static str), u32> = BTreeMap::new();
    let of_accounts = providers.iter().map(|it| (it.spec().account.as_str(), budget_of(it.spec())));
    for (account, BudgetLimits { per_hour, per_day }) in
        of_accounts.chain([(EVERY_ACCOUNT, budgets.ceiling())])
    {
        for (window, limit) in [("hour", per_hour), ("day", per_day)] {
            let Some(limit) = limit else { continue };
            let smallest = limits.entry((account.to_owned(), window)).or_insert(limit);
            *smallest = limit.min(*smallest);
        }
    }
    let limits =
        limits.into_iter().fold(Figure::of(&metric::BUDGET_LIMIT), |figure, ((account, window), limit)| {
            figure.with([account, window.to_owned()], usize::try_from(limit).unwrap_or(usize::MAX))
        });
    [used, limits, queued]
}

fn since(from: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(from)).unwrap_or_default()
}
