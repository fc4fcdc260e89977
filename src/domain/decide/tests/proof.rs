//! What proves that a customer is gone, is another one, or is still there.

use super::*;

#[test]
fn where_presence_proves_nothing_an_accepted_deletion_ends_unverified() {
    let accepted = after(Some(Outcome::Accepted));
    let gone_already = Facts::Mine(record([Some(unknown()), Some(already_gone())]));
    for facts in [accepted, gone_already] {
        let process = || Process::new(facts.clone()).at(unobservable());
        assert_eq!(later_on(process(), same()), "Wait StillThere");
        assert_eq!(later_on(process(), Look::Absent), "Close Deactivated/Absent");
        let mut patient = process();
        patient.turn(0, same());
        assert_eq!(brief(&patient.turn(901, same())), "Close Unverified/NotObservable", "{facts:?}");
    }
}

/// A provider may know nobody for a moment.
#[test]
fn a_404_to_the_only_deletion_that_left_says_nothing_of_a_customer_who_is_shown() {
    let process = || Process::new(after(Some(already_gone()))).at(unobservable());
    assert_eq!(later_on(process(), same()), "Delete");
    assert_eq!(later_on(process(), Look::Absent), "Close Deactivated/Absent");
}

#[test]
fn where_presence_means_something_an_accepted_deletion_that_shows_nothing_fails() {
    let mut process = Process::new(after(Some(Outcome::Accepted)));
    process.turn(0, same());
    assert_eq!(brief(&process.turn(900, same())), "Wait StillThere");
    assert_eq!(brief(&process.turn(901, same())), "Close Failed/StillPresent");
}

/// The deadline stands on the wall clock of whoever wrote the answer down; what a read can show does not.
#[test]
fn a_deadline_of_another_clock_does_not_make_a_read_fresh() {
    let mut process = Process::new(after(Some(Outcome::Accepted)));
    assert_eq!(brief(&process.turn(5_000, same())), "Wait StillThere");
    assert_eq!(brief(&process.turn(5_000 + 184, same())), "Wait StillThere");
    assert_eq!(brief(&process.turn(5_000 + 185, same())), "Close Failed/StillPresent");
}

#[test]
fn nothing_follows_from_an_attempt_without_an_answer_before_the_settle_window_is_over() {
    for outcome in [None, Some(unknown()), Some(already_gone())] {
        for look in [Look::Absent, same(), another()] {
            let mut process = Process::new(after(outcome.clone()));
            for seconds in [0, 184] {
                assert_eq!(brief(&process.turn(seconds, look.clone())), "Wait Settling", "{outcome:?}");
            }
            assert_ne!(brief(&process.turn(185, look.clone())), "Wait Settling", "{outcome:?}");
        }
    }
}

#[test]
fn the_settle_window_starts_when_this_process_first_saw_the_attempt() {
    let mut late = Process::new(after(None));
    assert_eq!(brief(&late.turn(100_000, Look::Absent)), "Wait Settling"); // whatever `intentAt` says
    let mut process = Process::new(after(Some(unknown())));
    process.turn(0, same());
    process.facts = Facts::Mine(record([Some(unknown()), None]));
    assert_eq!(brief(&process.turn(LATER, Look::Absent)), "Wait Settling"); // the second attempt has its own
}

#[test]
fn gone_is_believed_once_no_read_can_be_older_than_the_customer() {
    let accepted = || Process::new(after(Some(Outcome::Accepted)));
    let mut process = accepted();
    for (seconds, expected) in [(0, "Wait Lag"), (59, "Wait Lag"), (60, "Close Erased/Absent")] {
        assert_eq!(brief(&process.turn(seconds, Look::Absent)), expected, "at {seconds}");
    }
    let mut planned_long_ago = Process::new(Facts::None);
    planned_long_ago.turn(0, same());
    planned_long_ago.facts = after(Some(Outcome::Accepted));
    assert_eq!(brief(&planned_long_ago.turn(60, Look::Absent)), "Close Erased/Absent");
    let mut created_long_ago = Process::new(Facts::None).with(|process| process.seen.created_long_ago = true);
    created_long_ago.turn(0, same());
    created_long_ago.facts = after(Some(Outcome::Accepted));
    assert_eq!(brief(&created_long_ago.turn(1, Look::Absent)), "Close Erased/Absent");
    let mut of_another = Process::new(Facts::None).with(|process| process.seen.created_long_ago = true);
    of_another.turn(0, another());
    of_another.facts = after(Some(Outcome::Accepted));
    assert_eq!(brief(&of_another.turn(1, Look::Absent)), "Wait Lag", "another customer's age says nothing");
    let mut recreated = accepted();
    assert_eq!(brief(&recreated.turn(1, another())), "Wait Lag");
}

/// A process may be stopped while it looks: what is told late is as old as the look's beginning.
#[test]
fn a_look_proves_what_was_so_when_it_was_begun() {
    let accepted = || Process::new(after(Some(Outcome::Accepted)));
    for (look, begun, expected) in [
        (Look::Absent, 59, "Wait Lag"),
        (another(), 59, "Wait Lag"),
        (same(), 900, "Wait StillThere"),
        (Look::Absent, 60, "Close Erased/Absent"),
        (another(), 60, "Close Recreated/Recreated"),
        (same(), 901, "Close Failed/StillPresent"),
    ] {
        let mut process = accepted();
        process.turn(0, same());
        let next = process.stopped_in_a_look(begun, 100_000, look.clone()).next;
        assert_eq!(brief(&next), expected, "{look:?}, begun at {begun}");
    }
    let mut twice = accepted().at(ProviderFacts { confirmations: 2, ..hard() });
    twice.turn(0, same());
    assert_eq!(brief(&twice.stopped_in_a_look(59, 61, Look::Absent).next), "Wait Lag"); // does not count
    assert_eq!(brief(&twice.turn(100, Look::Absent)), "Wait Confirming");
    let next = twice.stopped_in_a_look(105, 200, Look::Absent).next;
    assert_eq!(brief(&next), "Wait Confirming", "begun within the interval of the first");
}

#[test]
fn gone_is_believed_after_as_many_looks_in_a_row_as_the_provider_object_asks_for() {
    let mut provider = hard();
    provider.confirmations = 3;
    let mut process = Process::new(after(Some(Outcome::Accepted))).at(provider);
    process.turn(0, same());
    for (seconds, look, expected) in [
        (100, Look::Absent, "Wait Confirming"),
        (105, Look::Absent, "Wait Confirming"), // too early to count
        (110, Look::Absent, "Wait Confirming"),
        (120, Look::Unknown(transient()), "Wait Provider"),
        (130, Look::Absent, "Wait Confirming"), // the row begins again
        (140, Look::Absent, "Wait Confirming"),
        (150, same(), "Wait StillThere"),
        (160, Look::Absent, "Wait Confirming"),
        (170, Look::Absent, "Wait Confirming"),
        (180, Look::Absent, "Close Erased/Absent"),
    ] {
        assert_eq!(brief(&process.turn(seconds, look)), expected, "at {seconds}");
    }
}

#[test]
fn a_look_that_may_be_older_than_the_customer_confirms_nothing() {
    let thrice = || ProviderFacts { confirmations: 3, ..hard() };
    for look in [Look::Absent, Look::Tombstoned] {
        let mut process = Process::new(after(Some(Outcome::Accepted))).at(thrice());
        for (seconds, expected) in [
            (0, "Wait Lag"),
            (20, "Wait Lag"),
            (40, "Wait Lag"),
            (60, "Wait Confirming"), // the first that counts
            (70, "Wait Confirming"),
        ] {
            assert_eq!(brief(&process.turn(seconds, look.clone())), expected, "{look:?}, at {seconds}");
        }
        assert!(brief(&process.turn(80, look)).starts_with("Close Erased"));
    }
    let mut of_old = Process::new(Facts::None).at(thrice());
    of_old.seen.created_long_ago = true;
    of_old.turn(0, same());
    of_old.facts = after(Some(Outcome::Accepted));
    for (seconds, expected) in [(1, "Wait Confirming"), (11, "Wait Confirming"), (21, "Close Erased/Absent")]
    {
        assert_eq!(brief(&of_old.turn(seconds, Look::Absent)), expected, "at {seconds}: nothing lags");
    }
}

/// Each intent would end in a re-read that says no: nothing is written before somebody has mended it.
#[test]
fn an_id_whose_secret_names_somebody_else_or_is_gone_before_anything_was_sent_costs_no_intent() {
    for outcome in [not_sent(), rejected(Class::RateLimited), rejected(Class::Conflict)] {
        for (customer, expected) in [
            (CustomerSeen::Changed, "Wait CustomerIdChanged"),
            (CustomerSeen::SecretUnavailable, "Wait CustomerIdUnavailable"),
        ] {
            let mut process = Process::new(after(Some(outcome.clone())));
            process.seen.customer = customer;
            for seconds in [LATER, LATER + 100_000] {
                assert_eq!(brief(&process.turn(seconds, same())), expected, "{outcome:?}");
            }
            process.plan.wish = Wish::Withdrawn;
            assert_eq!(brief(&process.turn(200_000, same())), "Close Cancelled/Cancelled");
        }
    }
}

#[test]
fn looks_that_are_hours_apart_are_no_row() {
    const HOURS: u64 = 3600;
    let mut provider = hard();
    provider.confirmations = 2;
    let mut process = Process::new(after(Some(Outcome::Accepted))).at(provider);
    process.turn(0, same());
    for (seconds, expected) in [
        (100, "Wait Confirming"),
        (100 + 2 * HOURS + 1, "Wait Confirming"), // nobody looked for so long: the row begins again
        (100 + 4 * HOURS + 1, "Close Erased/Absent"),
    ] {
        assert_eq!(brief(&process.turn(seconds, Look::Absent)), expected, "at {seconds}");
    }
}

#[test]
fn looks_from_before_an_attempt_do_not_confirm_it() {
    let mut provider = hard();
    provider.confirmations = 2;
    let mut process =
        Process::new(Facts::None).at(provider).with(|process| process.plan.accept_absent = true);
    process.turn(0, same());
    process.turn(100, Look::Absent); // the record that was read is old: another process has deleted the customer
    process.facts = after(Some(Outcome::Accepted));
    assert_eq!(brief(&process.turn(110, Look::Absent)), "Wait Confirming");
    assert_eq!(brief(&process.turn(120, Look::Absent)), "Close Erased/Absent");
}

#[test]
fn what_another_credential_sees_ends_nothing_that_was_sent() {
    for outcome in [None, Some(unknown()), Some(Outcome::Accepted)] {
        for look in [Look::Absent, Look::Tombstoned, another()] {
            let mut process = Process::new(after(outcome.clone()));
            process.turn(0, same());
            process.seen.credential = Some("hmac:another".to_owned());
            for seconds in [LATER, LATER + 100] {
                assert_eq!(
                    brief(&process.turn(seconds, look.clone())),
                    "Wait AnotherCredential",
                    "{outcome:?}, {look:?}"
                );
            }
            process.seen.credential = Some("hmac:credential".to_owned());
            let ended = brief(&process.turn(LATER + 200, look.clone()));
            assert!(ended.starts_with("Close"), "{ended}, {outcome:?}, {look:?}");
        }
    }
}

/// The account of the new credential may be another one. Whoever asked can cancel, and look anew with another request.
#[test]
fn who_was_found_with_one_credential_is_not_absent_because_another_does_not_find_them() {
    for outcome in [not_sent(), rejected(Class::Auth), rejected(Class::Conflict)] {
        for accept_absent in [false, true] {
            let mut process = Process::new(after(Some(outcome.clone())));
            process.plan.accept_absent = accept_absent;
            process.seen.credential = Some("hmac:another".to_owned());
            for (seconds, look) in
                [(100_000, Look::Absent), (100_100, Look::Absent), (100_200, Look::Tombstoned)]
            {
                assert_eq!(brief(&process.turn(seconds, look)), "Wait AnotherCredential", "{outcome:?}");
            }
            process.seen.credential = Some("hmac:credential".to_owned());
            let back = brief(&process.turn(200_000, Look::Absent));
            let expected = if accept_absent { "Wait SecondLook" } else { "Close Failed/CustomerNotFound" };
            assert_eq!(back, expected, "what the other one saw is no first look, {outcome:?}");
            process.seen.credential = Some("hmac:another".to_owned());
            process.plan.wish = Wish::Withdrawn;
            assert_eq!(brief(&process.turn(200_100, Look::Absent)), "Close Cancelled/Cancelled");
        }
    }
}

/// Somebody deactivated them by hand: it is they, whoever shows it.
#[test]
fn who_is_shown_as_deactivated_is_known_with_any_credential_where_nothing_was_done() {
    for outcome in [not_sent(), rejected(Class::Auth)] {
        let mut process = Process::new(after(Some(outcome.clone()))).at(soft());
        process.plan.accept_absent = true;
        process.seen.credential = Some("hmac:another".to_owned());
        let inactive = || Look::Inactive(fingerprint("first"));
        assert_eq!(brief(&process.turn(100_000, inactive())), "Wait SecondLook", "{outcome:?}");
        assert_eq!(brief(&process.turn(100_100, inactive())), "Close AlreadyAbsent/Inactive", "{outcome:?}");
    }
}

#[test]
fn what_was_sent_to_one_address_is_not_verified_at_another() {
    let moved = || ProviderFacts { base_url: "https://eu.acme.example".to_owned(), ..hard() };
    let sandbox = || ProviderFacts { environment: Environment::sandbox, ..hard() };
    for provider in [moved(), sandbox()] {
        for (outcome, expected) in [
            (None, "Wait AnotherAddress"),
            (Some(unknown()), "Wait AnotherAddress"),
            (Some(Outcome::Accepted), "Wait AnotherAddress"),
            (Some(not_sent()), "Delete"), // nothing is there to be verified; the plan's hash is another
            (Some(rejected(Class::RateLimited)), "Delete"),
        ] {
            let process = Process::new(after(outcome.clone())).at(provider.clone());
            assert_eq!(later_on(process, same()), expected, "{outcome:?}");
        }
        let early = brief(&Process::new(after(None)).at(provider).turn(0, same()));
        assert_eq!(early, "Wait Settling", "nothing is sent there either, before");
    }
}

#[test]
fn who_was_there_at_one_address_is_not_gone_because_another_does_not_know_them() {
    let moved = ProviderFacts { base_url: "https://eu.acme.example".to_owned(), ..hard() };
    for outcome in [not_sent(), rejected(Class::RateLimited), rejected(Class::Conflict)] {
        for accept_absent in [false, true] {
            let process = Process::new(after(Some(outcome.clone())))
                .at(moved.clone())
                .with(|process| process.plan.accept_absent = accept_absent);
            let mut process = process;
            process.turn(LATER, Look::Absent);
            let ended = brief(&process.turn(200_000, Look::Absent));
            assert_eq!(ended, "Stop AccountChanged", "{outcome:?}");
        }
    }
}

#[test]
fn another_account_under_the_same_name_has_nothing_to_do_with_an_open_attempt() {
    for outcome in [None, Some(Outcome::Accepted), Some(not_sent())] {
        let mut provider = hard();
        provider.account = "acct-us".to_owned();
        let process = Process::new(after(outcome.clone())).at(provider);
        assert_eq!(later_on(process, same()), "Stop AccountChanged", "{outcome:?}");
    }
}
