use super::*;
use crate::{
    api::{Environment, ProviderReason},
    domain::{CheckSeen, CheckVerdict, Closed, Control, Demands, InvalidSpec, fixtures::*},
};

mod proof;

/// Long after the settle window and the lag, and before the verify deadline.
const LATER: u64 = 600;

/// The decision at `LATER` of a process that has known the attempt since second 0.
fn later_on(process: Process, look: Look) -> String {
    let mut process = process;
    process.turn(0, same());
    brief(&process.turn(LATER, look))
}

#[test]
fn the_first_look_leads_to_what_the_design_says() {
    let gone = Look::Absent;
    for (before, look, expected) in [
        (None, same(), "Delete"),
        (None, gone.clone(), "Finished Failed/CustomerNotFound"),
        (None, Look::Tombstoned, "Finished Failed/CustomerNotFound"),
        (None, Look::Inactive(fingerprint("first")), "Stop ModeNotAllowed"), // deleting after deactivating is not built
        (None, Look::Unknown(transient()), "Wait Provider"),
        (None, Look::Unknown(Failure::new(Class::Invalid, Cause::OtherCustomer)), "Stop AnswerInvalid"),
        (Some(OffboardingResult::Erased), same(), "Stop Resurrected"),
        (Some(OffboardingResult::Erased), gone.clone(), "Finished AlreadyAbsent/Absent"),
        (Some(OffboardingResult::Erased), Look::Tombstoned, "Finished AlreadyAbsent/Tombstoned"),
        (Some(OffboardingResult::Erased), Look::Unknown(transient()), "Wait Provider"),
        (Some(OffboardingResult::Recreated), same(), "Stop Resurrected"),
        (Some(OffboardingResult::Unverified), same(), "Stop Resurrected"),
        (Some(OffboardingResult::Cancelled), same(), "Delete"), // did not count as an offboarding
        (Some(OffboardingResult::Failed), same(), "Delete"),
        (Some(OffboardingResult::Failed), gone, "Finished Failed/CustomerNotFound"),
    ] {
        let facts = before.map_or(Facts::None, |result| Facts::Earlier(earlier(result)));
        let next = Process::new(facts).turn(0, look.clone());
        assert_eq!(brief(&next), expected, "{before:?}, {look:?}");
    }
}

#[test]
fn where_the_mode_is_soft_an_inactive_customer_was_already_offboarded() {
    let look = || Look::Inactive(fingerprint("first"));
    for (facts, expected) in [
        (Facts::None, "Finished Failed/CustomerNotFound"),
        (Facts::Earlier(earlier(OffboardingResult::Deactivated)), "Finished AlreadyAbsent/Inactive"),
    ] {
        assert_eq!(brief(&Process::new(facts).at(soft()).turn(0, look())), expected);
    }
}

#[test]
fn an_earlier_offboarding_elsewhere_is_a_question_for_a_person() {
    let elsewhere = |result| Earlier { base_url: "https://eu.acme.example".to_owned(), ..earlier(result) };
    let sandbox = |result| Earlier { environment: Environment::sandbox, ..earlier(result) };
    for (before, expected) in [
        (elsewhere(OffboardingResult::Erased), "Stop AccountChanged"),
        (sandbox(OffboardingResult::Erased), "Stop AccountChanged"),
        (elsewhere(OffboardingResult::Failed), "Delete"), // did not count
    ] {
        assert_eq!(brief(&Process::new(Facts::Earlier(before)).turn(0, same())), expected);
    }
}

/// A process may be stopped while it looks, and before it decides.
#[test]
fn never_there_is_not_accepted_by_a_look_from_within_the_lag_however_late_it_is_decided() {
    let mut process = Process::new(Facts::None).with(|process| process.plan.accept_absent = true);
    process.turn(0, Look::Absent);
    process.turn(20, Look::Absent);
    assert_eq!(brief(&process.stopped_in_a_look(20, 300, Look::Absent).next), "Wait SecondLook");
    assert_eq!(brief(&process.turn(301, Look::Absent)), "Close AlreadyAbsent/Absent");
}

#[test]
fn never_there_is_accepted_after_two_looks_with_the_lag_between_them() {
    let mut process = Process::new(Facts::None).with(|process| process.plan.accept_absent = true);
    for (seconds, look, expected) in [
        (0, Look::Absent, "Wait SecondLook"),
        (30, Look::Absent, "Wait SecondLook"),
        (59, Look::Unknown(transient()), "Wait Provider"), // the row is broken
        (61, Look::Absent, "Wait SecondLook"),
        (120, Look::Absent, "Wait SecondLook"),
        (121, Look::Absent, "Close AlreadyAbsent/Absent"),
    ] {
        assert_eq!(brief(&process.turn(seconds, look)), expected, "at {seconds}");
    }
}

#[test]
fn an_absence_without_a_good_control_proves_nothing() {
    let bad = |process: &mut Process| process.control = Control::Bad(transient());
    for facts in [
        Facts::None,
        Facts::Earlier(earlier(OffboardingResult::Erased)),
        after(Some(not_sent())),
        after(Some(unknown())),
        after(Some(Outcome::Accepted)),
    ] {
        let process = Process::new(facts.clone()).with(bad);
        assert_eq!(later_on(process, Look::Absent), "Wait Control", "{facts:?}");
        let process = Process::new(facts.clone()).with(bad);
        assert_ne!(
            later_on(process, Look::Tombstoned),
            "Wait Control",
            "a tombstone needs no control, {facts:?}"
        );
    }
}

/// Design 4.2, row by row: last attempt × look × request.
#[test]
fn the_last_attempt_and_a_look_lead_to_what_the_design_says() {
    use Wish::{Standing, Suspended, Withdrawn};
    let gone = || Look::Absent;
    for (outcome, look, wish, expected) in [
        // never sent
        (Some(not_sent()), gone(), Standing, "Close Failed/CustomerNotFound"),
        (Some(not_sent()), same(), Standing, "Delete"),
        (Some(not_sent()), another(), Standing, "Stop PlanChanged"),
        (Some(not_sent()), same(), Suspended, "Wait Suspended"),
        (Some(not_sent()), gone(), Withdrawn, "Close Cancelled/Cancelled"),
        (Some(not_sent()), same(), Withdrawn, "Close Cancelled/Cancelled"),
        (Some(not_sent()), another(), Withdrawn, "Close Cancelled/Cancelled"),
        // without an answer, settle window over
        (None, gone(), Standing, "Close Erased/Absent"),
        (None, gone(), Withdrawn, "Close Erased/Absent"),
        (None, same(), Standing, "Delete"),
        (None, same(), Suspended, "Wait Suspended"),
        (None, same(), Withdrawn, "Close Cancelled/Cancelled"),
        (None, another(), Standing, "Close Recreated/Recreated"),
        (None, another(), Withdrawn, "Close Recreated/Recreated"),
        (None, Look::Unknown(transient()), Standing, "Wait Provider"),
        (Some(unknown()), gone(), Standing, "Close Erased/Absent"),
        (Some(unknown()), Look::Tombstoned, Standing, "Close Erased/Tombstoned"),
        (Some(unknown()), gone(), Withdrawn, "Close Erased/Absent"),
        (Some(unknown()), same(), Standing, "Delete"),
        (Some(unknown()), same(), Suspended, "Wait Suspended"),
        (Some(unknown()), same(), Withdrawn, "Close Cancelled/Cancelled"),
        (Some(unknown()), another(), Standing, "Close Recreated/Recreated"),
        (Some(unknown()), Look::Unknown(transient()), Withdrawn, "Wait Provider"),
        (Some(already_gone()), same(), Standing, "Delete"), // this provider shows what was done
        // accepted
        (Some(Outcome::Accepted), gone(), Standing, "Close Erased/Absent"),
        (Some(Outcome::Accepted), gone(), Withdrawn, "Close Erased/Absent"),
        (Some(Outcome::Accepted), same(), Standing, "Wait StillThere"),
        (Some(Outcome::Accepted), same(), Suspended, "Wait StillThere"),
        (Some(Outcome::Accepted), same(), Withdrawn, "Wait StillThere"),
        (Some(Outcome::Accepted), another(), Standing, "Close Recreated/Recreated"),
        (Some(Outcome::Accepted), Look::Inactive(fingerprint("first")), Standing, "Wait StillThere"),
        (Some(Outcome::Accepted), Look::Unknown(transient()), Standing, "Wait Provider"),
        // refused, before the pause is over
        (Some(rejected(Class::Auth)), same(), Standing, "Wait AuthRefused"),
        (Some(rejected(Class::RateLimited)), same(), Standing, "Delete"), // the provider named no pause
        (Some(rejected(Class::Forbidden)), same(), Standing, "Stop Refused"),
        (Some(rejected(Class::Conflict)), same(), Standing, "Stop Refused"),
        (Some(rejected(Class::Invalid)), same(), Standing, "Stop Refused"),
        (Some(rejected(Class::Conflict)), same(), Suspended, "Wait Suspended"),
        (Some(rejected(Class::Conflict)), same(), Withdrawn, "Close Cancelled/Cancelled"),
        (Some(rejected(Class::Auth)), gone(), Withdrawn, "Close Cancelled/Cancelled"),
    ] {
        let process = Process::new(after(outcome.clone())).wishing(wish);
        assert_eq!(later_on(process, look.clone()), expected, "{outcome:?}, {look:?}, {wish:?}");
    }
}

#[test]
fn after_the_pause_a_refusal_leads_where_a_first_look_does() {
    for class in [Class::Auth, Class::RateLimited, Class::Forbidden, Class::Conflict, Class::Invalid] {
        for (look, expected) in [
            (same(), "Delete"),
            (Look::Absent, "Close Failed/CustomerNotFound"),
            (another(), "Stop PlanChanged"),
            (Look::Unknown(transient()), "Wait Provider"),
        ] {
            let mut process = Process::new(after(Some(rejected(class))));
            assert_eq!(brief(&process.turn(1_000, look.clone())), expected, "{class}, {look:?}");
        }
    }
}

#[test]
fn three_attempts_that_may_have_left_are_the_end() {
    let thrice = |last: Option<Outcome>| {
        Process::new(Facts::Mine(record([Some(unknown()), Some(rejected(Class::RateLimited)), last])))
    };
    for (last, expected) in [
        (Some(unknown()), "Close Failed/AttemptsExhausted"),
        (None, "Close Failed/AttemptsExhausted"),
        (Some(rejected(Class::RateLimited)), "Close Failed/AttemptsExhausted"),
        (Some(not_sent()), "Delete"), // never left us
        (Some(Outcome::Accepted), "Wait StillThere"),
    ] {
        assert_eq!(later_on(thrice(last.clone()), same()), expected, "{last:?}");
    }
    assert_eq!(later_on(thrice(Some(unknown())), Look::Absent), "Close Erased/Absent");
}

#[test]
fn the_next_try_comes_when_the_outcome_says() {
    let recheck = hard().recheck_interval;
    let asked = |seconds| Failure { retry_after: Some(Duration::from_secs(seconds)), ..transient() };
    let limited = Outcome::Rejected(Failure { class: Class::RateLimited, ..asked(120) });
    for (outcome, count, rejections, seconds) in [
        (not_sent(), 1, 0, 1),
        (not_sent(), 2, 0, 2),
        (not_sent(), 9, 0, 256),
        (not_sent(), 10, 0, 300), // the back-off ends somewhere
        (not_sent(), 1_000_000, 0, 300),
        (rejected(Class::Auth), 1, 1, 900),
        (limited, 1, 1, 120), // the provider is believed
        (rejected(Class::RateLimited), 1, 1, 30),
        (rejected(Class::RateLimited), 1, 2, 60), // three in a row end a request
        (rejected(Class::Conflict), 1, 1, 900),
        (rejected(Class::Forbidden), 1, 2, 1_800),
        (rejected(Class::Invalid), 1, 3, 3_600),
        (unknown(), 1, 0, 0), // the settle window, not the clock
        (Outcome::Accepted, 1, 0, 0),
    ] {
        let attempt = Attempt { count, ..attempt(1, Some(outcome.clone())) };
        let pause = attempt.next_try(rejections, recheck).duration_since(wall(1)).as_secs();
        assert_eq!(pause, seconds, "{outcome:?}, {count}, {rejections}");
    }
}

#[test]
fn an_attempt_that_was_never_sent_is_tried_again_after_its_pause() {
    let mut process = Process::new(after(Some(not_sent())));
    assert_eq!(brief(&process.turn(1, same())), "Wait Retry");
    assert_eq!(brief(&process.turn(2, same())), "Delete");
}

#[test]
fn the_last_refusal_ends_the_request_without_a_wait_for_a_try_that_never_comes() {
    let refused = || Some(rejected(Class::Conflict));
    let mut process = Process::new(Facts::Mine(record([refused(), refused(), refused()])));
    assert_eq!(brief(&process.turn(2, same())), "Close Failed/AttemptsExhausted");
}

#[test]
fn a_refused_credential_that_was_replaced_is_tried_at_once() {
    let process = || Process::new(after(Some(rejected(Class::Auth))));
    let rotated = |process: &mut Process| process.seen.credential = Some("hmac:another".to_owned());
    assert_eq!(later_on(process(), same()), "Wait AuthRefused");
    assert_eq!(later_on(process().with(rotated), same()), "Delete");
    let other = Process::new(after(Some(rejected(Class::Conflict)))).with(rotated);
    assert_eq!(later_on(other, same()), "Stop Refused", "no credential mends a conflict");
}

#[test]
fn a_refused_credential_is_tried_at_once_where_the_provider_object_was_changed() {
    let changes: [fn(&mut ProviderFacts); 3] = [
        |provider| provider.base_url = "https://eu.acme.example".to_owned(),
        |provider| provider.environment = Environment::sandbox,
        |provider| std::sync::Arc::make_mut(&mut provider.declared).profile_hash = "sha256:mended".to_owned(),
    ];
    for change in changes {
        let mut provider = hard();
        change(&mut provider);
        let refused = |class| Process::new(after(Some(rejected(class)))).at(provider.clone());
        assert_eq!(later_on(refused(Class::Auth), same()), "Delete", "{provider:?}");
        assert_eq!(later_on(refused(Class::Conflict), same()), "Stop Refused", "it mends no conflict");
    }
}

#[test]
fn a_withdrawn_request_ends_without_the_provider_where_nothing_was_done() {
    let lost: [fn(&mut Process); 4] = [
        |process| process.seen.provider = ProviderSeen::NotFound,
        |process| process.seen.provider = ProviderSeen::Unusable(ProviderReason::SecretUnavailable),
        |process| process.seen.customer = CustomerSeen::SecretUnavailable,
        |process| {
            *process = process.clone().at(ProviderFacts { account: "acct-us".to_owned(), ..hard() });
        },
    ];
    for change in lost {
        for outcome in [not_sent(), rejected(Class::Conflict)] {
            let process = Process::new(after(Some(outcome))).wishing(Wish::Withdrawn).with(change);
            assert_eq!(later_on(process, same()), "Close Cancelled/Cancelled");
        }
        for outcome in [None, Some(unknown()), Some(Outcome::Accepted)] {
            let process = Process::new(after(outcome)).wishing(Wish::Withdrawn).with(change);
            let next = later_on(process, Look::Absent);
            assert!(!next.starts_with("Close"), "what was sent is looked at: {next}");
        }
    }
    let keyless = |process: &mut Process| process.seen.key_is_good = false;
    let process = Process::new(after(Some(not_sent()))).wishing(Wish::Withdrawn).with(keyless);
    assert_eq!(later_on(process, same()), "Stop InstallationKeyLost", "no record can be written");
}

#[test]
fn what_was_sent_is_verified_in_its_own_mode_whatever_is_allowed_now() {
    let forbidden = |mut provider: ProviderFacts| {
        provider.allowed_modes = match provider.declared.supports {
            Mode::Hard => vec![Mode::Soft],
            Mode::Soft => vec![Mode::Hard],
        };
        provider
    };
    for outcome in [None, Some(unknown()), Some(Outcome::Accepted)] {
        let process = Process::new(after(outcome.clone())).at(forbidden(hard()));
        assert_eq!(later_on(process, Look::Absent), "Close Erased/Absent", "{outcome:?}");
    }
    for outcome in [None, Some(unknown()), Some(not_sent()), Some(rejected(Class::RateLimited))] {
        let process = Process::new(after(outcome.clone())).at(forbidden(hard()));
        assert_eq!(later_on(process, same()), "Stop ModeNotAllowed", "nothing is sent again, {outcome:?}");
    }
    let mut another_profile = Process::new(after(Some(Outcome::Accepted))).at(soft());
    if let Facts::Mine(record) = &mut another_profile.facts {
        record.mode = Mode::Hard;
    }
    let inactive = Look::Inactive(fingerprint("first"));
    assert_eq!(later_on(another_profile, inactive), "Stop ModeNotAllowed", "inactive is not deleted");
}

#[test]
fn a_closed_record_is_the_end_whatever_is_seen() {
    for look in [same(), another(), Look::Absent, Look::Unknown(transient())] {
        for wish in [Wish::Standing, Wish::Suspended, Wish::Withdrawn] {
            let mut record = record([Some(unknown())]);
            record.closed = Some(Closed { ..closed(OffboardingResult::Failed, Reason::AttemptsExhausted) });
            let process = Process::new(Facts::Mine(record)).wishing(wish);
            let process = process.with(|process| process.seen.provider = ProviderSeen::NotFound);
            assert_eq!(later_on(process, look.clone()), "Finished Failed/AttemptsExhausted");
        }
    }
}

#[test]
fn what_a_record_cannot_say_stops_everything() {
    for (facts, expected) in [
        (Facts::Unread, "Wait ApiServer"),
        (Facts::Theirs, "Stop Duplicate"),
        (Facts::Unusable(RecordProblem::Corrupted), "Stop RecordCorrupted"),
        (Facts::Unusable(RecordProblem::UnsupportedVersion), "Stop UnsupportedVersion"),
        (Facts::Unusable(RecordProblem::AnotherKey), "Stop InstallationKeyLost"),
        (Facts::Mine(record([])), "Stop RecordCorrupted"), // an open record has an attempt
    ] {
        assert_eq!(later_on(Process::new(facts.clone()), same()), expected, "{facts:?}");
    }
}

#[test]
fn withdrawn_before_anything_was_written_is_the_end() {
    for facts in [Facts::None, Facts::Theirs, Facts::Earlier(earlier(OffboardingResult::Erased))] {
        let process = Process::new(facts).wishing(Wish::Withdrawn);
        assert_eq!(later_on(process, same()), "Finished Cancelled/Cancelled");
    }
    let unread = Process::new(Facts::Unread).wishing(Wish::Withdrawn);
    assert_eq!(later_on(unread, same()), "Wait ApiServer", "not before it is known that nothing was written");
}

#[test]
fn what_must_be_mended_first_is_named() {
    type Change = fn(&mut Process);
    let changes: [(Change, &str); 9] = [
        (|process| process.seen.key_is_good = false, "Stop InstallationKeyLost"),
        (|process| process.seen.provider = ProviderSeen::NotFound, "Stop ProviderNotFound"),
        (
            |process| process.seen.provider = ProviderSeen::Unusable(ProviderReason::ControlFailed),
            "Wait ProviderUnusable",
        ),
        (|process| process.seen.customer = CustomerSeen::SecretUnavailable, "Wait CustomerIdUnavailable"),
        (
            |process| process.seen.customer = CustomerSeen::Refused(InvalidSpec::IdPattern),
            "Finished Failed/InvalidSpec",
        ),
        (|process| process.seen.customer = CustomerSeen::NotAsked, "Wait ApiServer"),
        (|process| process.plan.mode = Some(Mode::Soft), "Stop ModeNotAllowed"),
        (
            |process| {
                *process = process
                    .clone()
                    .at(ProviderFacts { allowed_modes: vec![Mode::Soft, Mode::Hard], ..hard() });
            },
            "Stop ModeNotAllowed",
        ),
        (
            |process| {
                *process = process.clone().at(ProviderFacts { allowed_modes: vec![Mode::Soft], ..hard() });
            },
            "Stop ModeNotAllowed",
        ),
    ];
    for (change, expected) in changes {
        let next = Process::new(Facts::None).with(change).turn(0, same());
        assert_eq!(brief(&next), expected);
    }
}

#[test]
fn an_id_that_the_profile_refuses_once_something_was_begun_for_it_ends_nothing() {
    for outcome in [None, Some(unknown()), Some(Outcome::Accepted), Some(rejected(Class::Conflict))] {
        let refused = Process::new(after(outcome.clone()))
            .with(|process| process.seen.customer = CustomerSeen::Refused(InvalidSpec::IdPattern));
        assert_eq!(later_on(refused, same()), "Wait ProviderUnusable", "{outcome:?}");
    }
}

#[test]
fn every_gate_stops_the_first_attempt_and_every_later_one() {
    let check = |verdict| vec![CheckSeen { name: "wallets".to_owned(), verdict, waivable: true }];
    let with = move |verdict: fn() -> CheckVerdict| {
        move |process: &mut Process| process.seen.checks = check(verdict())
    };
    type Change = Box<dyn Fn(&mut Process)>;
    let changes: [(Change, &str); 8] = [
        (Box::new(|process| process.plan.wish = Wish::Suspended), "Wait Suspended"),
        (
            Box::new(|process| {
                *process = process.clone().at(ProviderFacts { suspended: true, ..hard() });
            }),
            "Wait ProviderSuspended",
        ),
        (
            Box::new(|process| {
                *process = process
                    .clone()
                    .at(ProviderFacts { demands: Demands { required: 2, ..Demands::default() }, ..hard() });
            }),
            "Wait Approvals",
        ),
        (Box::new(with(|| CheckVerdict::Blocks)), "Stop Checks"),
        (Box::new(with(|| CheckVerdict::Failed(transient()))), "Stop Checks"),
        (Box::new(with(|| CheckVerdict::Unanswered(transient()))), "Delete"), // the profile only warns
        (Box::new(with(|| CheckVerdict::Ignored)), "Delete"),
        (Box::new(with(|| CheckVerdict::Clear)), "Delete"),
    ];
    for (change, expected) in &changes {
        for facts in [Facts::None, after(None), after(Some(not_sent())), after(Some(unknown()))] {
            let process = Process::new(facts.clone()).with(|process| change(process));
            assert_eq!(later_on(process, same()), *expected, "{facts:?}");
        }
    }
}

#[test]
fn an_outcome_that_only_this_process_knows_is_written_down_before_anything_else() {
    for (outcome, look, expected) in [
        (not_sent(), same(), "SaveOutcome"),
        (unknown(), same(), "SaveOutcome"),
        (rejected(Class::Auth), same(), "SaveOutcome"),
        (Outcome::Accepted, same(), "SaveOutcome"),
        (Outcome::Accepted, Look::Absent, "Close Erased/Absent"), // in one write
    ] {
        let mut facts = record([Some(outcome.clone())]);
        facts.unsaved = true;
        assert_eq!(later_on(Process::new(Facts::Mine(facts)), look), expected, "{outcome:?}");
    }
}

#[test]
fn a_wait_does_not_change_from_look_to_look() {
    let accept = |process: &mut Process| process.plan.accept_absent = true;
    for (mut process, look) in [
        (Process::new(after(None)), same()),
        (Process::new(after(Some(Outcome::Accepted))), same()),
        (Process::new(after(Some(Outcome::Accepted))), Look::Absent),
        (Process::new(after(Some(rejected(Class::Conflict)))), same()),
        (Process::new(after(Some(rejected(Class::Auth)))), same()),
        (Process::new(Facts::None).with(accept), Look::Absent),
        (Process::new(after(Some(not_sent()))).with(accept), Look::Absent),
    ] {
        let first = process.turn(10, look.clone());
        assert!(matches!(first, Next::Wait(_) | Next::Stop(_)));
        assert_eq!(process.turn(25, look), first);
    }
}
