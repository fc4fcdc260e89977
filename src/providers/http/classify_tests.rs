use serde_json::json as body;

use super::*;
use crate::{
    domain::OutcomeWord,
    providers::{
        expression::{Known, Variable},
        fixtures::{LOGIN_PAGE, empty, json, noon, page},
    },
};

const KNOWN: Known<'static> = Known { variables: &[Variable::Response], captured: &[] };

fn expression(source: &str) -> Expression {
    Expression::compile(source, KNOWN).unwrap()
}

fn rule(status: u16, when: Option<&str>, class: AnswerWord) -> Rule {
    Rule { statuses: vec![status], when: when.map(expression), class, reason: None, retry_after: None }
}

fn read(asked: Asked, rules: [&[Rule]; 2], response: &Response) -> Answer {
    let envelope = expression("has(response.json.error)");
    let scope = Scope::of_response(response, noon());
    classify(&Reading { asked, rules, envelope: &envelope, response, scope: &scope, now: noon() })
}

fn by_table(asked: Asked, response: &Response) -> Answer {
    read(asked, [&[], &[]], response)
}

/// Class and cause, as in the table of the contract.
fn words(answer: &Answer) -> (&str, &str) {
    match answer {
        Answer::Succeeded => ("Succeeded", ""),
        Answer::Pending => ("Pending", ""),
        Answer::Partial => ("Partial", ""),
        Answer::Failed(failure) => (failure.class.as_str(), failure.cause.as_str()),
    }
}

fn own_error(status: u16) -> Response {
    json(status, body!({"error": {"code": "x"}}))
}

#[test]
fn every_status_has_its_class() {
    for (statuses, of_a_read, of_a_deletion) in [
        (vec![200, 201, 203, 204], ("Succeeded", ""), ("Succeeded", "")),
        (vec![202], ("Pending", ""), ("Pending", "")),
        (vec![401, 407], ("Auth", "Unauthorized"), ("Auth", "Unauthorized")),
        (vec![403, 451], ("Forbidden", "AccessDenied"), ("Forbidden", "AccessDenied")),
        (vec![404, 410], ("NotFound", "NotFound"), ("NotFound", "NotFound")),
        (vec![429], ("RateLimited", "RateLimited"), ("RateLimited", "RateLimited")),
        (vec![409, 423, 424], ("Conflict", "RequestRefused"), ("Conflict", "DeletionConflict")),
        (vec![412], ("Conflict", "CustomerChanged"), ("Conflict", "CustomerChanged")),
        (
            vec![408, 425, 500, 502, 503, 504, 520, 599],
            ("Transient", "ServerError"),
            ("Transient", "OutcomeUnknown"),
        ),
        (
            vec![300, 301, 304, 305, 307, 308, 399],
            ("Invalid", "UnexpectedRedirect"),
            ("Invalid", "UnexpectedRedirect"),
        ),
        (
            vec![302, 303],
            ("Invalid", "UnexpectedRedirect"),
            ("Indeterminate", "UnexpectedRedirect"), // it may have been done
        ),
        (vec![400, 402, 405, 415, 422, 499], ("Invalid", "RequestRefused"), ("Invalid", "RequestRefused")),
        (
            vec![100, 101, 205, 206, 226, 299, 600, 999],
            ("Indeterminate", "UnexpectedStatus"),
            ("Indeterminate", "UnexpectedStatus"),
        ),
    ] {
        for status in statuses {
            assert_eq!(words(&by_table(Asked::Read, &own_error(status))), of_a_read, "{status}");
            assert_eq!(words(&by_table(Asked::Destructive, &own_error(status))), of_a_deletion, "{status}");
        }
    }
}

#[test]
fn a_404_without_the_providers_error_format_is_no_answer() {
    for status in [404, 410] {
        for response in
            [empty(status), page(status, LOGIN_PAGE), json(status, body!({"message": "no route"}))]
        {
            for asked in [Asked::Read, Asked::Destructive] {
                assert_eq!(words(&by_table(asked, &response)), ("Indeterminate", "UntrustedResponse"));
            }
        }
    }
}

#[test]
fn a_rule_does_not_make_a_404_without_the_format_an_answer() {
    let rules = [rule(404, None, AnswerWord::NotFound)];
    assert_eq!(words(&read(Asked::Read, [&rules, &[]], &empty(404))), ("Indeterminate", "UntrustedResponse"));
    assert_eq!(words(&read(Asked::Read, [&rules, &[]], &own_error(404))), ("NotFound", "NotFound"));
}

#[test]
fn a_success_with_a_body_that_is_no_json_is_no_success() {
    let rules = [rule(200, None, AnswerWord::Succeeded)];
    for status in [200, 201, 202, 203, 204] {
        for asked in [Asked::Read, Asked::Destructive] {
            let answer = read(asked, [&rules, &[]], &page(status, LOGIN_PAGE));
            assert_eq!(words(&answer), ("Indeterminate", "UntrustedResponse"), "{status}");
        }
    }
}

#[test]
fn the_operations_rules_come_first_then_the_profiles_then_the_table() {
    let own = [rule(409, Some("response.json.error.code == 'y'"), AnswerWord::Invalid)];
    let shared = [rule(409, None, AnswerWord::Transient), rule(409, None, AnswerWord::Auth)];
    let class = |rules: [&[Rule]; 2], code: &str| {
        let response = json(409, body!({"error": {"code": code}}));
        words(&read(Asked::Read, rules, &response)).0.to_owned()
    };
    assert_eq!(class([&own, &shared], "y"), "Invalid");
    assert_eq!(class([&own, &shared], "x"), "Transient");
    assert_eq!(class([&own, &[]], "x"), "Conflict");
}

#[test]
fn a_condition_that_fails_is_no_match() {
    for when in ["response.json.none == 1", "response.json.error", "1 / 0 == 1"] {
        let rules = [rule(409, Some(when), AnswerWord::Transient)];
        assert_eq!(words(&read(Asked::Read, [&rules, &[]], &own_error(409))).0, "Conflict", "{when}");
    }
}

#[test]
fn no_rule_makes_a_success_of_anything_but_a_success() {
    for class in [AnswerWord::Succeeded, AnswerWord::Pending, AnswerWord::Partial] {
        for status in [302, 404, 409, 500] {
            let rules = [rule(status, None, class)];
            let answer = read(Asked::Destructive, [&rules, &[]], &own_error(status));
            assert_eq!(words(&answer).0, "Indeterminate", "{status} as {class:?}");
        }
    }
}

#[test]
fn a_rule_gives_its_own_reason() {
    let rules = [Rule {
        reason: Some(CauseWord::Profile("OpenBusiness".into())),
        ..rule(400, None, AnswerWord::Conflict)
    }];
    assert_eq!(words(&read(Asked::Read, [&rules, &[]], &own_error(400))), ("Conflict", "OpenBusiness"));
}

#[test]
fn a_pause_comes_from_the_rule_then_from_the_answer_and_ends_after_an_hour() {
    let asked_for = |expression_text: Option<&str>, header: Option<&str>| {
        let retry_after = expression_text.map(expression);
        let rules = [Rule { retry_after, ..rule(429, None, AnswerWord::RateLimited) }];
        let response = json(429, body!({"wait": 7, "half": 0.5, "text": "9", "huge": 1e300, "none": -1}));
        let response = header.map_or(response.clone(), |value| response.with_header("retry-after", value));
        match read(Asked::Read, [&rules, &[]], &response) {
            Answer::Failed(failure) => failure.retry_after.map(|pause| pause.as_millis()),
            answer => panic!("{answer:?}"),
        }
    };
    for (rule, header, millis) in [
        (Some("response.json.wait"), Some("3"), Some(7_000)),
        (Some("response.json.half"), Some("3"), Some(500)),
        (Some("response.json.text"), Some("3"), Some(9_000)),
        (Some("response.json.huge"), None, Some(3_600_000)),
        (Some("response.json.wait * 100000"), None, Some(3_600_000)),
        (Some("response.json.none"), Some("3"), Some(3_000)),
        (Some("response.json.missing"), Some("3"), Some(3_000)),
        (Some("true"), Some("3"), Some(3_000)),
        (None, Some("3"), Some(3_000)),
        (None, Some("999999999"), Some(3_600_000)),
        (None, Some("-1"), None),
        (None, Some("soon"), None),
        (None, None, None),
    ] {
        assert_eq!(asked_for(rule, header), millis, "{rule:?} {header:?}");
    }
}

#[test]
fn only_a_rate_limit_asks_for_a_pause() {
    let response = own_error(500).with_header("x-ratelimit-reset", "3000");
    assert!(
        matches!(by_table(Asked::Read, &response), Answer::Failed(failure) if failure.retry_after.is_none())
    );
}

#[test]
fn every_answer_to_a_deletion_has_its_outcome() {
    let failed = |class, cause: Cause| Answer::Failed(Failure::new(class, cause));
    for (answer, rejects_429, word, cause) in [
        (Answer::Succeeded, false, OutcomeWord::Accepted, None),
        (Answer::Pending, false, OutcomeWord::Accepted, None),
        (Answer::Partial, false, OutcomeWord::Accepted, None), // never sent again
        (failed(Class::NotFound, Cause::NotFound), true, OutcomeWord::Unknown, Some("AlreadyGone")),
        (failed(Class::Auth, Cause::Unauthorized), false, OutcomeWord::Rejected, Some("Unauthorized")),
        (
            failed(Class::Forbidden, Cause::AccessDenied),
            false,
            OutcomeWord::Rejected,
            Some("DeletionRestricted"),
        ),
        (
            failed(Class::Conflict, Cause::DeletionConflict),
            false,
            OutcomeWord::Rejected,
            Some("DeletionConflict"),
        ),
        (
            failed(Class::Conflict, Cause::CustomerChanged),
            false,
            OutcomeWord::Rejected,
            Some("CustomerChanged"),
        ),
        (failed(Class::RateLimited, Cause::RateLimited), false, OutcomeWord::Unknown, Some("RateLimited")),
        (failed(Class::RateLimited, Cause::RateLimited), true, OutcomeWord::Rejected, Some("RateLimited")),
        (failed(Class::Transient, Cause::OutcomeUnknown), true, OutcomeWord::Unknown, Some("OutcomeUnknown")),
        (
            failed(Class::Invalid, Cause::UnexpectedRedirect),
            false,
            OutcomeWord::Rejected,
            Some("UnexpectedRedirect"),
        ),
        (
            failed(Class::Indeterminate, Cause::UnexpectedRedirect),
            true,
            OutcomeWord::Unknown,
            Some("UnexpectedRedirect"),
        ),
        (
            failed(Class::Indeterminate, Cause::UntrustedResponse),
            true,
            OutcomeWord::Unknown,
            Some("UntrustedResponse"),
        ),
    ] {
        let outcome = outcome_of(answer.clone(), 429, rejects_429);
        let found = outcome.failure().map(|failure| failure.cause.as_str());
        assert_eq!((outcome.word(), found), (word, cause), "{answer:?}");
    }
}

#[test]
fn a_redirect_refuses_a_deletion_only_where_it_cannot_have_been_done() {
    for (status, word) in [
        (301, OutcomeWord::Rejected),
        (302, OutcomeWord::Unknown),
        (303, OutcomeWord::Unknown),
        (307, OutcomeWord::Rejected),
        (308, OutcomeWord::Rejected),
    ] {
        let answer = by_table(Asked::Destructive, &empty(status));
        assert_eq!(outcome_of(answer, status, true).word(), word, "{status}");
        // A profile knows its provider: here, a session that is over is sent to a login page.
        let rules = [rule(status, None, AnswerWord::Auth)];
        let answer = read(Asked::Destructive, [&rules, &[]], &empty(status));
        assert_eq!(outcome_of(answer, status, true).word(), OutcomeWord::Rejected, "{status}");
    }
}

#[test]
fn only_under_429_is_a_rate_limit_a_refusal_by_guarantee() {
    for (status, word) in [
        (429, OutcomeWord::Rejected),
        (200, OutcomeWord::Unknown), // as GraphQL says it: what was done before is not known
        (403, OutcomeWord::Unknown),
        (503, OutcomeWord::Unknown),
    ] {
        let rules = [rule(status, None, AnswerWord::RateLimited)];
        let answer = read(Asked::Destructive, [&rules, &[]], &own_error(status));
        assert_eq!(words(&answer), ("RateLimited", "RateLimited"), "{status}");
        assert_eq!(outcome_of(answer, status, true).word(), word, "{status}");
    }
}

#[test]
fn a_profiles_reason_stays_in_the_outcome() {
    let reason = CauseWord::Profile("LegalHold".into());
    let answer = Answer::Failed(Failure::new(Class::Forbidden, reason.clone()));
    assert_eq!(outcome_of(answer, 403, false), Outcome::Rejected(Failure::new(Class::Forbidden, reason)));
}
