use std::collections::BTreeMap;

use super::*;
use crate::{
    api::{HoldType, OffboardingResult, Reason},
    domain::{
        Approval, CheckSeen, CheckVerdict, Grant, HoldSeen, Look, Missing, Says, WhyMissing, Wish,
        fixtures::*,
    },
};

mod unanswered;
mod waivers;

/// A request with several targets, as the controller works on it.
struct Request {
    targets: Vec<Process>,
    /// What each look finds.
    looks: Vec<Look>,
    whole: Whole,
}

/// The customer is present at all of these; two approvals are demanded of nobody unless a test says so.
fn request(names: &[&str]) -> Request {
    let target = |name: &&str| {
        Process::new(Facts::None).with(|process| {
            process.plan.target = (*name).to_owned();
            process.provider.account = format!("acct-{name}");
            let provider = process.provider.clone();
            *process = process.clone().at(provider);
        })
    };
    Request {
        targets: names.iter().map(target).collect(),
        looks: names.iter().map(|_| same()).collect(),
        whole: nobody_said_anything(),
    }
}

impl Request {
    fn change(mut self, name: &str, change: impl FnOnce(&mut Process)) -> Self {
        let target = self.targets.iter_mut().find(|target| target.plan.target == name).unwrap();
        let before = target.provider.clone();
        change(target);
        let provider = target.provider.clone();
        if provider != before {
            *target = target.clone().at(provider);
        }
        self
    }

    fn demanding(self, name: &str, required: u32) -> Self {
        self.change(name, |target| target.provider.demands.required = required)
    }

    fn looking(mut self, name: &str, look: Look) -> Self {
        let at = self.targets.iter().position(|target| target.plan.target == name).unwrap();
        self.looks[at] = look;
        self
    }

    fn all(mut self, change: impl Fn(&mut Process)) -> Self {
        self.targets.iter_mut().for_each(change);
        self
    }

    /// One turn of a process that has seen everything for long.
    fn decide(&mut self, seconds: u64) -> Decisions {
        let whole = Arc::new(self.whole.clone());
        let now = at(seconds);
        for target in &mut self.targets {
            target.seen.whole = whole.clone();
            let mode = target.provider.declared.supports;
            target.memory.learn(&target.facts, &target.seen, mode, target.provider.verify_interval, now);
        }
        let bare: Vec<Observation> = self.targets.iter().map(|target| target.seen.clone()).collect();
        let wanted = wants_looks(&targeted(&self.targets, &bare), now);
        let mut seen = bare;
        for (index, target) in self.targets.iter_mut().enumerate() {
            if wanted[index] {
                let look = &self.looks[index];
                seen[index].control = (*look == Look::Absent).then_some(crate::domain::Control::Good);
                (seen[index].look, seen[index].looked_at) = (Some(look.clone()), now.uptime);
                let mode = target.provider.declared.supports;
                target.memory.learn(&target.facts, &seen[index], mode, target.provider.verify_interval, now);
            }
        }
        decide_all(&targeted(&self.targets, &seen), now)
    }

    fn briefly(&mut self, seconds: u64) -> Vec<String> {
        self.decide(seconds).each.iter().map(brief).collect()
    }

    fn hash(&mut self) -> String {
        self.decide(0).plan.map(|plan| plan.hash).unwrap_or_default()
    }

    /// Bob agrees to the plan as it is now.
    fn approved(mut self) -> Self {
        let hash = self.hash();
        self.whole.approvals = ApprovalsSeen::Seen(vec![approval(&hash, Grant::Delete)]);
        self
    }

    /// The status tells the plan as it is now.
    fn told(mut self) -> Self {
        let plan = self.decide(0).plan.unwrap();
        let blockers = plan.targets.iter().flat_map(|(name, planned)| {
            let blockers = planned.iter().flat_map(|planned| &planned.target.blockers);
            blockers.map(|blocker| (name.clone(), blocker.check.clone())).collect::<Vec<_>>()
        });
        self.whole.told =
            Some(Told { hash: plan.hash.clone(), inputs: plan.inputs.clone(), blockers: blockers.collect() });
        self
    }
}

fn targeted<'a>(targets: &'a [Process], seen: &'a [Observation]) -> Vec<Targeted<'a>> {
    targets
        .iter()
        .zip(seen)
        .map(|(target, seen)| Targeted {
            plan: &target.plan,
            facts: &target.facts,
            seen,
            memory: &target.memory,
        })
        .collect()
}

fn approval(hash: &str, grant: Grant) -> Approval {
    Approval {
        uid: "of-bob".to_owned(),
        approver: "bob".to_owned(),
        says: Says::Approve { plan_hash: hash.to_owned(), grants: vec![grant], expires_at: wall(1_000_000) },
        created_at: wall(0),
    }
}

fn blocked(process: &mut Process) {
    process.seen.checks =
        vec![CheckSeen { name: "wallets".to_owned(), verdict: CheckVerdict::Blocks, waivable: true }];
}

fn done(process: &mut Process) {
    let mut record = record([Some(Outcome::Accepted)]);
    record.closed = Some(closed(OffboardingResult::Erased, Reason::Absent));
    record.account.clone_from(&process.provider.account);
    process.facts = Facts::Mine(record);
}

fn accepted(process: &mut Process) {
    let mut record = record([Some(Outcome::Accepted)]);
    record.account.clone_from(&process.provider.account);
    process.facts = Facts::Mine(record);
}

#[test]
fn nothing_is_begun_before_every_target_is_found_and_clear() {
    let cases: Vec<(Request, [&str; 2])> = vec![
        (request(&["a", "b"]), ["Delete", "Wait Others"]),
        (request(&["a", "b"]).change("b", blocked), ["Wait Others", "Stop Checks"]),
        (request(&["a", "b"]).looking("b", Look::Unknown(transient())), ["Wait Others", "Wait Provider"]),
        (
            request(&["a", "b"]).change("b", |b| b.seen.provider = ProviderSeen::NotFound),
            ["Wait Others", "Stop ProviderNotFound"],
        ),
        (request(&["a", "b"]).change("b", |b| b.facts = Facts::Theirs), ["Wait Others", "Stop Duplicate"]),
        (request(&["a", "b"]).change("b", |b| b.facts = Facts::Unread), ["Wait Others", "Wait ApiServer"]),
        (
            request(&["a", "b"]).change("b", |b| {
                b.seen.hold = HoldSeen::By { name: "x".to_owned(), kind: HoldType::Freeze, until: None };
            }),
            ["Wait Others", "Wait Held"],
        ),
        (request(&["a", "b"]).demanding("b", 1), ["Wait Approvals", "Wait Approvals"]),
        // never there, and that is no success: nothing is deleted anywhere
        (
            request(&["a", "b"]).looking("b", Look::Absent),
            ["Finished Cancelled/Cancelled", "Finished Failed/CustomerNotFound"],
        ),
        // offboarded before, and gone: done
        (
            request(&["a", "b"])
                .change("b", |b| b.facts = Facts::Earlier(earlier(OffboardingResult::Erased)))
                .demanding("a", 1)
                .looking("b", Look::Absent),
            ["Wait Approvals", "Finished AlreadyAbsent/Absent"],
        ),
        // begun elsewhere: goes on
        (request(&["a", "b"]).change("a", done), ["Finished Erased/Absent", "Delete"]),
        (request(&["a", "b"]).change("a", accepted), ["Wait StillThere", "Delete"]),
        (
            request(&["a", "b"]).change("a", done).change("b", blocked),
            ["Finished Erased/Absent", "Stop Checks"],
        ),
    ];
    for (mut request, expected) in cases {
        let shown = request.briefly(0);
        assert_eq!(shown, expected, "{:?}", request.looks);
    }
}

#[test]
fn what_comes_first_is_done_first() {
    let after = |names: &'static [&'static str]| {
        move |process: &mut Process| {
            process.plan.depends_on = names.iter().map(|name| (*name).to_owned()).collect();
        }
    };
    let soft_one = |process: &mut Process| {
        let account = process.provider.account.clone();
        process.provider = ProviderFacts { account, ..soft() };
    };
    let failed = |process: &mut Process| {
        done(process);
        if let Facts::Mine(record) = &mut process.facts {
            record.closed = Some(closed(OffboardingResult::Failed, Reason::StillPresent));
        }
    };
    let cases: Vec<(Request, [&str; 2])> = vec![
        (request(&["a", "b"]).change("a", after(&["b"])), ["Wait Turn", "Delete"]),
        (
            request(&["a", "b"]).change("a", after(&["b"])).change("b", accepted),
            ["Wait Turn", "Wait StillThere"],
        ),
        (
            request(&["a", "b"]).change("a", after(&["b"])).change("b", done),
            ["Delete", "Finished Erased/Absent"],
        ),
        // what deactivates comes before what deletes
        (request(&["a", "b"]).change("b", soft_one), ["Wait Turn", "Delete"]),
        (request(&["a", "b"]).change("b", soft_one).change("b", after(&["a"])), ["Delete", "Wait Turn"]),
        // what comes first fails: what comes after it is not begun, everything else goes on
        (
            request(&["a", "b"]).change("a", after(&["b"])).change("b", failed),
            ["Finished Cancelled/Cancelled", "Finished Failed/StillPresent"],
        ),
        (request(&["a", "b"]).change("b", failed), ["Delete", "Finished Failed/StillPresent"]),
    ];
    for (mut request, expected) in cases {
        assert_eq!(request.briefly(0), expected);
    }
}

#[test]
fn a_request_ends_when_every_target_has_ended_and_the_weakest_decides() {
    use OffboardingResult as R;
    for (endings, expected) in [
        (&[(R::Erased, Reason::Absent), (R::Erased, Reason::Absent)][..], "Erased/Absent"),
        (&[(R::Erased, Reason::Absent), (R::Deactivated, Reason::Inactive)], "Deactivated/Inactive"),
        (
            &[(R::ErasedWithRetention, Reason::Absent), (R::Unverified, Reason::NotObservable)],
            "Unverified/NotObservable",
        ),
        (
            &[(R::AlreadyAbsent, Reason::Absent), (R::ErasedWithRetention, Reason::Absent)],
            "ErasedWithRetention/Absent",
        ),
        (&[(R::AlreadyAbsent, Reason::Absent), (R::AlreadyAbsent, Reason::Absent)], "AlreadyAbsent/Absent"),
        (&[(R::Erased, Reason::Absent), (R::Failed, Reason::StillPresent)], "PartiallyDone/StillPresent"),
        (&[(R::Cancelled, Reason::Cancelled), (R::Failed, Reason::StillPresent)], "Failed/StillPresent"),
        (&[(R::Recreated, Reason::Recreated), (R::Cancelled, Reason::Cancelled)], "Failed/Recreated"),
        (&[(R::Erased, Reason::Absent), (R::Cancelled, Reason::Cancelled)], "PartiallyDone/Cancelled"),
        (&[(R::Cancelled, Reason::Cancelled), (R::Cancelled, Reason::Cancelled)], "Cancelled/Cancelled"),
        (&[(R::Recreated, Reason::Recreated)], "Recreated/Recreated"),
    ] {
        let endings: Vec<Ending> =
            endings.iter().map(|(result, because)| Ending { result: *result, because: *because }).collect();
        let Ending { result, because } = together(&endings);
        assert_eq!(format!("{result}/{because}"), expected, "{endings:?}");
    }
    assert!(!Ending { result: R::PartiallyDone, because: Reason::Cancelled }.is_failure());
    assert!(Ending { result: R::PartiallyDone, because: Reason::StillPresent }.is_failure());
}

#[test]
fn an_approval_is_for_the_whole_plan_and_outlives_the_targets_that_are_done() {
    let mut request = request(&["a", "b"]).demanding("a", 1).approved();
    let decisions = request.decide(0);
    let Some((0, Effect::Delete(order))) = decisions.effect() else { panic!("{decisions:?}") };
    assert_eq!(order.approvals.len(), 1);
    let (hash, part) = (order.plan_hash.clone(), order.target_hash.clone());
    // The first one is done; its customer is gone, and nothing can be hashed again.
    let mut request = request.change("a", |a| {
        done(a);
        if let Facts::Mine(record) = &mut a.facts {
            record.attempts[0].target_hash = part;
        }
    });
    let decisions = request.decide(1);
    let Some((1, Effect::Delete(order))) = decisions.effect() else { panic!("{decisions:?}") };
    assert_eq!(order.plan_hash, hash);
    // A change at the second one is another plan.
    let mut request = request.change("b", |b| b.provider.base_url = "https://other.example".to_owned());
    assert_eq!(request.briefly(2)[1], "Wait Approvals");
}

#[test]
fn people_and_the_clock_come_in_this_order() {
    let cooling = |process: &mut Process| process.provider.demands.cooling_off = Duration::from_secs(100);
    let not_before = |process: &mut Process| process.plan.not_before = Some(wall(500));
    let full = |process: &mut Process| process.seen.budget = BudgetSeen::Full { until: Some(wall(900)) };
    let mut request =
        request(&["a"]).demanding("a", 1).change("a", cooling).all(not_before).change("a", full);
    assert_eq!(request.briefly(0), ["Wait Approvals"]);
    let mut request = request.approved();
    for (seconds, expected) in
        [(99, "Wait CoolingOff"), (100, "Wait NotBefore"), (499, "Wait NotBefore"), (500, "Wait Budget")]
    {
        assert_eq!(request.briefly(seconds), [expected], "at {seconds}");
    }
    request.targets[0].seen.budget = BudgetSeen::Free;
    assert_eq!(request.briefly(500), ["Delete"]);
    // What cools off without approvals counts from the request's creation.
    let mut unattended = super::tests::request(&["a"]).change("a", cooling);
    assert_eq!(unattended.briefly(99), ["Wait CoolingOff"]);
    assert_eq!(unattended.briefly(100), ["Delete"]);
}

#[test]
fn while_people_or_the_clock_are_waited_for_nobody_looks() {
    let full = |process: &mut Process| process.seen.budget = BudgetSeen::Full { until: None };
    let uncounted = |process: &mut Process| process.seen.budget = BudgetSeen::Unread;
    let before = |process: &mut Process| process.facts = Facts::Earlier(earlier(OffboardingResult::Erased));
    let base = || request(&["a", "b"]).demanding("a", 1);
    let unattended = || request(&["a", "b"]);
    type Change = fn(&mut Process);
    let url: Change = |process| process.provider.base_url = "https://other.example".to_owned();
    let uid: Change = |process| process.provider.uid = "provider-2".to_owned();
    let known: Change = |process| {
        process.seen.customer = crate::domain::CustomerSeen::Known { reference: "hmac:another".to_owned() };
    };
    let late = |request: Request| request.all(|process| process.plan.not_before = Some(wall(500)));
    for (what, mut request, looks) in [
        ("no plan was told", base(), true),
        ("people are waited for", base().told(), false),
        ("people agreed: everything is looked at and hashed again", base().approved().told(), true),
        ("another base URL", base().told().change("b", url), true),
        ("another provider object of that name", base().told().change("b", uid), true),
        ("another customer in the Secret", base().told().change("b", known), true),
        ("the clock is waited for", late(base().approved()).told(), false),
        ("the budget is waited for", base().approved().told().all(full), false),
        ("something stood in the way", base().change("b", blocked).told(), true),
        ("the budget, and nobody has to agree", unattended().all(full), false),
        ("the same, when a plan was told", unattended().told().all(full), false),
        ("the same, and that plan is not the one", unattended().told().change("b", url).all(full), true),
        ("there is room for one of them", unattended().change("a", full), true),
        ("nobody knows whether there is room", unattended().all(uncounted), false),
        ("a time to come: its plan is told first", late(unattended()).all(full), true),
        ("somebody was offboarded before", unattended().change("b", before).all(full), true),
        ("somebody has to agree, and was not asked yet", base().all(full), true),
    ] {
        let whole = Arc::new(request.whole.clone());
        request.targets.iter_mut().for_each(|target| target.seen.whole = whole.clone());
        let seen: Vec<Observation> = request.targets.iter().map(|target| target.seen.clone()).collect();
        let wanted = wants_looks(&targeted(&request.targets, &seen), at(1));
        assert_eq!(wanted, [looks, looks], "{what}");
    }
}

#[test]
fn a_budget_without_room_is_waited_for_without_a_plan() {
    let full = |process: &mut Process| process.seen.budget = BudgetSeen::Full { until: Some(wall(900)) };
    let room = |process: &mut Process| process.seen.budget = BudgetSeen::Free;
    let mut request = request(&["a", "b"]).all(full);
    let decisions = request.decide(0);
    assert_eq!(decisions.each.iter().map(brief).collect::<Vec<_>>(), ["Wait Budget", "Wait Budget"]);
    assert!(decisions.plan.is_none() && !decisions.is_as_told);
    let mut request = request.all(room);
    assert_eq!(request.briefly(1), ["Delete", "Wait Others"]);
}

#[test]
fn whoever_was_offboarded_before_takes_at_least_one_approval() {
    let before = |process: &mut Process| process.facts = Facts::Earlier(earlier(OffboardingResult::Erased));
    let mut request = request(&["a"]).change("a", before);
    assert_eq!(request.briefly(0), ["Stop Resurrected"]);
    let mut request = request.approved();
    assert_eq!(request.briefly(1), ["Delete"]);
    let decisions = request.decide(1);
    let Some((_, Effect::Delete(order))) = decisions.effect() else { panic!("{decisions:?}") };
    assert_eq!(order.demands.required, 1, "also when everything is read again");
}

#[test]
fn an_approval_is_spent_by_a_refusal_that_needs_a_new_decision() {
    for (class, expected) in [
        (Class::Conflict, "Wait Approvals"),
        (Class::Forbidden, "Wait Approvals"),
        (Class::Invalid, "Wait Approvals"),
        (Class::Auth, "Delete"),
        (Class::RateLimited, "Delete"),
    ] {
        assert_eq!(refused(class, 1).briefly(100_000), [expected], "{class}");
    }
}

/// The provider refused the deletion that Bob agreed to, at second 1.
fn refused(class: Class, required: u32) -> Request {
    request(&["a"]).demanding("a", required).approved().change("a", |a| {
        let mut record = record([Some(rejected(class))]);
        record.account.clone_from(&a.provider.account);
        record.attempts[0].approvals =
            vec![UsedApproval { approver: "bob".to_owned(), uid: "of-bob".to_owned(), at: wall(0) }];
        a.facts = Facts::Mine(record);
    })
}

#[test]
fn that_a_refusal_takes_a_new_decision_is_told_while_its_pause_runs() {
    let missing = |request: &mut Request, seconds| match request.decide(seconds).next {
        Next::Stop(Blocked::Refused { approvals, .. }) => approvals,
        other => panic!("{other:?}"),
    };
    for class in [Class::Conflict, Class::Forbidden, Class::Invalid] {
        let mut attended = refused(class, 1);
        let plan = request(&["a"]).demanding("a", 1).hash();
        let spent = Missing { have: 0, need: 1, why: WhyMissing::Spent };
        if let Facts::Mine(record) = &mut attended.targets[0].facts {
            record.attempts[0].plan_hash.clone_from(&plan);
        }
        assert_eq!(missing(&mut attended, 2), Some(spent), "{class}");
        let anew = Approval {
            uid: "of-carol".to_owned(),
            approver: "carol".to_owned(),
            ..approval(&plan, Grant::Delete)
        };
        attended.whole.approvals = ApprovalsSeen::Seen(vec![approval(&plan, Grant::Delete), anew]);
        assert_eq!(missing(&mut attended, 3), None, "it is there, and the pause still runs: {class}");
        assert_eq!(attended.briefly(1_000), ["Delete"], "{class}");
        assert_eq!(missing(&mut refused(class, 0), 2), None, "nobody has to agree: {class}");
    }
}

#[test]
fn a_withdrawn_request_leaves_what_was_begun_to_its_end_and_begins_nothing() {
    let mut request = request(&["a", "b", "c"]).change("a", done).change("b", accepted);
    request = request.all(|process| process.plan.wish = Wish::Withdrawn);
    assert_eq!(
        request.briefly(0),
        ["Finished Erased/Absent", "Wait StillThere", "Finished Cancelled/Cancelled"]
    );
}

#[test]
fn every_input_of_every_target_is_told_by_its_name() {
    let mut request = request(&["a", "b"]);
    let plan = request.decide(0).plan.unwrap();
    let of = |prefix: &str| plan.inputs.keys().filter(|name| name.starts_with(prefix)).count();
    assert_eq!([of("request."), of("provider/a."), of("provider/b.")], [3, 14, 14]);
    assert_eq!(plan.inputs.len(), 31);
    let kept: BTreeMap<_, _> = plan.inputs.clone().into_iter().collect();
    assert_eq!(kept.len(), 31);
}

#[test]
fn a_pass_that_spares_the_look_tells_what_the_one_before_told() {
    use crate::{
        api::OffboardingStatus,
        domain::{Story, TargetStory, report},
    };
    fn status(request: &Request, decisions: &Decisions, before: &OffboardingStatus) -> OffboardingStatus {
        let found = decisions.plan.is_some() || decisions.is_as_told;
        let targets = request.targets.iter().zip(&decisions.each).map(|(target, next)| TargetStory {
            target: &target.plan.target,
            provider: "acme-pay",
            facts: &target.facts,
            next,
            declared: Some(&target.provider.declared),
            is_found: found,
            customer_ref: Some("hmac:customer"),
            record: None,
        });
        report(&Story::of(decisions, targets.collect()), 1, before, wall(0))
    }
    let full = |process: &mut Process| process.seen.budget = BudgetSeen::Full { until: None };
    let cooling = |process: &mut Process| process.provider.demands.cooling_off = Duration::from_secs(100);
    let before = |process: &mut Process| process.facts = Facts::Earlier(earlier(OffboardingResult::Erased));
    let deny = |request: Request| {
        let said = Approval { says: Says::Deny, ..approval("", Grant::Delete) };
        Request { whole: Whole { approvals: ApprovalsSeen::Seen(vec![said]), ..request.whole }, ..request }
    };
    let without_policies = |request: Request| {
        let policies = PolicyState::Missing(vec!["approvals".to_owned()]);
        Request { whole: Whole { policies, ..request.whole }, ..request }
    };
    for (what, mut request) in [
        ("approvals", request(&["a", "b"]).demanding("a", 1)),
        ("a cooling-off time", request(&["a"]).demanding("a", 1).change("a", cooling).approved()),
        ("a time to come", request(&["a"]).all(|process| process.plan.not_before = Some(wall(9_000)))),
        ("a budget", request(&["a"]).demanding("a", 1).approved().all(full)),
        ("a denial", deny(request(&["a"]).demanding("a", 1))),
        ("a policy", without_policies(request(&["a"]).demanding("a", 1))),
        ("somebody who was offboarded before", request(&["a"]).change("a", before)),
    ] {
        let decisions = request.decide(0);
        let first = status(&request, &decisions, &OffboardingStatus::default());
        let mut request = request.told();
        let decisions = request.decide(1);
        assert!(decisions.is_as_told, "{what}: nobody looks");
        assert_eq!(status(&request, &decisions, &first), first, "{what}");
    }
}
