//! Requests with several targets: what is told names the target that it is true of.

use super::*;
use crate::{
    api::UsedWaiver,
    domain::{Decisions, whole},
};

/// One target, as a decision leaves it.
pub struct At {
    name: &'static str,
    provider: ProviderFacts,
    facts: Facts,
    next: Next,
}

/// At a provider of the same name.
pub fn at_target(name: &'static str, next: Next, facts: Facts) -> At {
    At { name, provider: hard(), facts, next }
}

impl At {
    fn soft(self) -> Self {
        let mut facts = self.facts;
        if let Facts::Mine(record) = &mut facts {
            record.mode = Mode::Soft;
        }
        At { provider: soft(), facts, ..self }
    }
}

/// The status of these, told by the one that needs somebody most.
pub fn told_of(targets: &[At]) -> OffboardingStatus {
    let speaker = (0..targets.len()).min_by_key(|index| whole::rank(&targets[*index].next)).unwrap();
    let endings: Option<Vec<Ending>> = targets
        .iter()
        .map(|target| match &target.next {
            Next::Finished(ending) => Some(*ending),
            _ => None,
        })
        .collect();
    let next = endings.map_or_else(
        || targets[speaker].next.clone(),
        |endings| Next::Finished(crate::domain::ending::together(&endings)),
    );
    let decisions = Decisions {
        each: targets.iter().map(|target| target.next.clone()).collect(),
        acts: None,
        speaker,
        next,
        plan: None,
        approved_by: None,
        waived: false,
        is_as_told: false,
    };
    let stories = targets.iter().map(|target| TargetStory {
        target: target.name,
        provider: target.name,
        facts: &target.facts,
        next: &target.next,
        declared: Some(&target.provider.declared),
        is_found: true,
        customer_ref: None,
        record: None,
    });
    report(&Story::of(&decisions, stories.collect()), 1, &OffboardingStatus::default(), wall(0))
}

fn condition<'a>(status: &'a OffboardingStatus, type_: &str) -> (Truth, &'a str, &'a str) {
    let told = status.conditions.iter().find(|condition| condition.type_ == type_).unwrap();
    (told.status, &told.reason, &told.message)
}

pub fn erased(name: &'static str) -> At {
    let mut record = record([Some(Outcome::Accepted)]);
    record.closed = Some(closed(OffboardingResult::Erased, Reason::Absent));
    at_target(name, finished(OffboardingResult::Erased, Reason::Absent), Facts::Mine(record))
}

pub fn deactivated(name: &'static str) -> At {
    let mut record = record([Some(Outcome::Accepted)]);
    record.closed = Some(closed(OffboardingResult::Deactivated, Reason::Inactive));
    at_target(name, finished(OffboardingResult::Deactivated, Reason::Inactive), Facts::Mine(record)).soft()
}

fn turn() -> Next {
    wait(Waiting::Turn { after: vec!["crm".to_owned()] })
}

#[test]
fn of_several_targets_each_that_needs_somebody_is_named_with_its_own_provider() {
    let not_found = || stop(Blocked::ProviderNotFound(ProviderKind::OffboardingProvider));
    let unanswered = || wait(Waiting::Provider(transient()));
    for (targets, expected) in [
        (
            vec![at_target("a", turn(), Facts::None), at_target("b", not_found(), Facts::None)],
            "b: provider 'b' is not available to this namespace; create the OffboardingProvider",
        ),
        (
            vec![at_target("a", unanswered(), Facts::None), at_target("b", unanswered(), Facts::None)],
            "a: provider 'a': server error; tried again by itself. b: provider 'b': server error; tried again by itself",
        ),
        (
            vec![
                at_target("a", stop(Blocked::Duplicate), Facts::Theirs),
                at_target("b", stop(Blocked::Duplicate), Facts::Theirs),
            ],
            "a, b: another CustomerOffboarding owns this customer; this one goes on when that one is finished",
        ),
        (
            vec![
                at_target("a", wait(Waiting::Suspended), Facts::None),
                at_target("b", wait(Waiting::Suspended), Facts::None),
            ],
            "`spec.suspend` to be false; no request will be sent before",
        ),
        (
            vec![
                at_target("a", stop(Blocked::Resurrected(lacking(WhyMissing::Awaited))), Facts::None),
                at_target(
                    "b",
                    stop(Blocked::Resurrected(lacking(WhyMissing::Awaited))),
                    Facts::Earlier(earlier(OffboardingResult::Erased)),
                ),
            ],
            "b: this customer was offboarded before and is there again; a person must decide: 0 of 1 approvals; read status.plan, then approve exactly its hash, or cancel",
        ),
        (vec![erased("a"), erased("b")], "deleted, verified, and all personal data erased"),
        (
            vec![erased("a"), deactivated("b")],
            "b: deactivated and verified; personal data was not erased. a: deleted, verified, and all personal data erased",
        ),
        (
            vec![
                at_target("a", Next::Finished(Ending::cancelled()), Facts::None),
                at_target("b", finished(OffboardingResult::Failed, Reason::CustomerNotFound), Facts::None),
            ],
            "b: customer not found at provider 'b'; nothing was deleted. Check the id, or accept it with `acceptAbsent: true` in a new request. a: cancelled; nothing more was sent",
        ),
        (
            vec![
                erased("a"),
                at_target(
                    "b",
                    finished(OffboardingResult::Failed, Reason::StillPresent),
                    after(Some(Outcome::Accepted)),
                )
                .soft(),
            ],
            "done at some targets only; status.targets says where. b: the provider accepted the deactivation but the customer is still active; it was not sent again. Ask the provider. a: deleted, verified, and all personal data erased",
        ),
    ] {
        let status = told_of(&targets);
        assert_eq!(status.waiting_for.as_deref(), Some(expected));
        assert_eq!(condition(&status, "Ready").2, expected);
    }
}

#[test]
fn that_no_deletion_was_sent_is_told_only_where_none_was_sent_at_any_target() {
    let nothing = "no deletion was sent";
    let refused_at =
        |name| at_target(name, stop(refused(Class::Conflict)), after(Some(rejected(Class::Conflict))));
    let accepted =
        |name| at_target(name, wait(Waiting::StillThere { until: wall(5) }), after(Some(Outcome::Accepted)));
    let unknown = |name| at_target(name, wait(Waiting::Settling { until: wall(5) }), after(Some(unknown())));
    let none = |name| at_target(name, turn(), Facts::None);
    let blocked = |name| at_target(name, stop(blocker(Reason::BlockersFound)), Facts::None);
    for (targets, expected) in [
        (vec![none("a"), none("b")], (Truth::False, "NotStarted", nothing)),
        (
            vec![blocked("a"), at_target("b", turn(), after(Some(not_sent())))],
            (Truth::False, "NotStarted", nothing),
        ),
        (
            vec![blocked("a"), accepted("b")],
            (Truth::False, "PartiallyDone", "a: no deletion was sent. b: the provider accepted the deletion"),
        ),
        (
            vec![blocked("a"), accepted("b").soft()],
            (
                Truth::False,
                "PartiallyDone",
                "a: no deletion was sent. b: the provider accepted the deactivation",
            ),
        ),
        (
            vec![blocked("a"), unknown("b"), accepted("c")],
            (
                Truth::Unknown,
                "OutcomeUnknown",
                "a: no deletion was sent. b: a deletion may have been sent, and its answer is not known. c: the provider accepted the deletion",
            ),
        ),
        (
            vec![erased("a"), refused_at("b")],
            (
                Truth::False,
                "PartiallyDone",
                "a: the customer was seen gone after our call. b: the provider refused the deletion: conflict",
            ),
        ),
        (
            vec![none("a"), refused_at("b")],
            (
                Truth::False,
                "Rejected",
                "a: no deletion was sent. b: the provider refused the deletion: conflict",
            ),
        ),
        (
            vec![erased("a"), deactivated("b")],
            (
                Truth::True,
                "Deactivated",
                "a: the customer was seen gone after our call. b: the customer was seen deactivated after our call",
            ),
        ),
        (
            vec![erased("a"), erased("b")],
            (Truth::True, "Deleted", "the customer was seen gone after our call"),
        ),
    ] {
        assert_eq!(condition(&told_of(&targets), "Deleted"), expected);
    }
}

#[test]
fn what_was_done_together_is_no_more_than_what_was_done_at_each() {
    let found = |name, because| {
        let next = finished(OffboardingResult::AlreadyAbsent, because);
        at_target(name, next, Facts::None)
    };
    for (targets, expected) in [
        (vec![found("a", Reason::Inactive).soft(), found("b", Reason::Absent)], "AlreadyAbsent"),
        (vec![erased("a"), found("b", Reason::Inactive).soft()], "Deactivated"),
        (vec![erased("a"), deactivated("b")], "Deactivated"),
        (vec![erased("a"), found("b", Reason::Absent)], "Deleted"),
    ] {
        let status = told_of(&targets);
        let (truth, reason, words) = condition(&status, "Deleted");
        assert_eq!((truth, reason), (Truth::True, expected), "{words}");
    }
}

#[test]
fn a_condition_that_says_that_nothing_is_the_matter_holds_for_every_target() {
    let targets = [
        at_target("a", stop(blocker(Reason::BlockersFound)), after(Some(not_sent()))),
        at_target("b", stop(Blocked::ProviderNotFound(ProviderKind::OffboardingProvider)), Facts::None),
        at_target("c", stop(Blocked::PlanChanged), after(Some(not_sent()))),
    ];
    for order in [[0, 1, 2], [1, 2, 0], [2, 0, 1]] {
        let pick = |at: usize| {
            let At { name, provider, facts, next } = &targets[at];
            At { name, provider: provider.clone(), facts: facts.clone(), next: next.clone() }
        };
        let status = told_of(&order.map(pick));
        for (type_, reason) in
            [("Unblocked", "BlockersFound"), ("Stalled", "ProviderNotFound"), ("Planned", "PlanChanged")]
        {
            assert_eq!(condition(&status, type_).1, reason, "{order:?}");
        }
    }
}

#[test]
fn what_keeps_personal_data_is_named() {
    let status = told_of(&[erased("a"), deactivated("b")]);
    assert_eq!(
        condition(&status, "DataErased"),
        (Truth::False, "SoftDeleteOnly", "b: personal data was not erased")
    );
}

#[test]
fn a_request_that_was_begun_at_one_target_is_not_being_planned() {
    let begun = at_target("b", wait(Waiting::StillThere { until: wall(5) }), after(Some(Outcome::Accepted)));
    let status = told_of(&[at_target("a", wait(Waiting::Provider(transient())), Facts::None), begun]);
    assert_eq!(status.phase, "Executing");
}

#[test]
fn the_longest_request_has_words_that_fit() {
    let names: Vec<&'static str> =
        (0..32).map(|n| &*Box::leak(format!("{n:02}{}", "x".repeat(61)).into_boxed_str())).collect();
    let different = |n: usize| stop(blocker([Reason::BlockersFound, Reason::CheckFailed][n % 2]));
    let targets: Vec<At> =
        names.iter().zip(0..).map(|(name, n)| at_target(name, different(n), Facts::None)).collect();
    let status = told_of(&targets);
    for words in status.conditions.iter().map(|it| &it.message).chain(&status.waiting_for) {
        assert!(words.chars().count() <= 1024, "{words}");
    }
    assert!(status.waiting_for.unwrap().ends_with("The rest is in status.targets"));
}

#[test]
fn whatever_the_first_words_leave_of_a_message_the_others_fit_into_it() {
    let words = |length: usize| "w".repeat(length);
    for first in 900..=1_021 {
        for second in [1, 20, 100] {
            let text =
                crate::domain::several::together([("a", words(first)), ("b", words(second))].into_iter());
            assert!(text.len() <= 1_024, "{first}, {second}: {}", text.len());
            assert!(text.starts_with(&format!("a: {}", words(first))));
        }
    }
}

#[test]
fn as_many_checks_as_a_profile_may_have_stand_in_a_message_that_fits() {
    let long = |n: usize| Blocker {
        check: format!("{n:02}{}", "x".repeat(61)),
        reason: Reason::BlockersFound.to_string(),
    };
    let blocked = || stop(Blocked::Checks((0..16).map(long).collect()));
    let names: Vec<&'static str> =
        (0..6).map(|n| &*Box::leak(format!("{n:02}{}", "y".repeat(61)).into_boxed_str())).collect();
    for targets in [1, 2, 6] {
        let targets: Vec<At> =
            names[..targets].iter().map(|name| at_target(name, blocked(), Facts::None)).collect();
        let status = told_of(&targets);
        for words in status.conditions.iter().map(|it| &it.message).chain(&status.waiting_for) {
            assert!(words.len() <= 1024, "{words}");
        }
        assert!(status.waiting_for.unwrap().contains("and 11 more"));
    }
}

#[test]
fn a_waiver_that_was_used_is_told_for_ever_and_by_which_approval_and_never_by_name() {
    let waiver = |check: &str, approver: &str| UsedWaiver {
        check: check.to_owned(),
        approver: approver.to_owned(),
        uid: format!("of-{approver}"),
        at: wall(0),
    };
    let unblocked = |facts: Facts, next: Next| {
        let told = told(next, facts).first_status().conditions.remove(4);
        (told.status, told.reason, told.message)
    };
    let words = "billing: check 'wallets' was passed over; who agreed stands in the record, approval of-carol. billing: check 'loans' was passed over; who agreed stands in the record, approval of-dave";
    for (first, last, is_used) in [
        (None, None, true),
        (Some(unknown()), None, true),
        (Some(rejected(Class::Auth)), Some(Outcome::Accepted), true),
        (Some(not_sent()), Some(not_sent()), false), // nothing was passed over: nothing was sent
    ] {
        let mut record = record([first, last.clone()]);
        record.attempts[0].waivers = vec![waiver("wallets", "carol"), waiver("loans", "dave")];
        let next = wait(Waiting::Settling { until: wall(5) });
        let (truth, reason, message) = unblocked(Facts::Mine(record.clone()), next);
        assert_eq!(truth, Truth::True);
        assert_eq!(reason, if is_used { "Waived" } else { "NoBlockers" }, "{last:?}");
        assert!(!is_used || message == words, "{message}");
        record.closed = Some(closed(OffboardingResult::Erased, Reason::Absent));
        let ended = unblocked(Facts::Mine(record), finished(OffboardingResult::Erased, Reason::Absent));
        assert_eq!(ended.1, reason, "also at the end");
    }
}
