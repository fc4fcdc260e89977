use serde_json::json as body;

use super::*;
use crate::{
    api,
    domain::CauseWord,
    providers::{fixtures::*, load},
};

/// Looks at `c1` with the small profile, changed by `change`.
fn look(change: impl FnOnce(&mut api::Profile), response: &Response) -> Sighting {
    look_at("c1", change, response)
}

fn look_at(customer: &str, change: impl FnOnce(&mut api::Profile), response: &Response) -> Sighting {
    let mut profile = small_profile();
    change(&mut profile);
    read_look(&load(&profile).unwrap(), response, &id(customer), noon())
}

fn as_is(_: &mut api::Profile) {}

fn unknown(class: Class, cause: Cause) -> Verdict {
    Verdict::Unknown(Failure::new(class, CauseWord::Ours(cause)))
}

fn untrusted() -> Verdict {
    unknown(Class::Indeterminate, Cause::UntrustedResponse)
}

/// All four predicates, over `state` in the body.
fn by_state(profile: &mut api::Profile) {
    profile.presence.present = "response.status == 200 && response.json.state == 'active'".to_owned();
    profile.presence.inactive = "response.status == 200 && response.json.state == 'closed'".to_owned();
    profile.presence.tombstoned = "response.status == 200 && response.json.state == 'redacted'".to_owned();
    profile.presence.absent = "response.status == 404 && response.json.code == 'no_customer'".to_owned();
}

#[test]
fn a_look_says_what_the_provider_says() {
    for (response, expected) in [
        (json(200, body!({"id": "c1", "state": "active"})), Verdict::Present),
        (json(200, body!({"id": "c1", "state": "closed"})), Verdict::Inactive),
        (json(200, body!({"id": "c1", "state": "redacted"})), Verdict::Tombstoned),
        (json(404, body!({"code": "no_customer"})), Verdict::Absent),
        (json(404, body!({"code": "no_route"})), untrusted()),
        (json(410, body!({"code": "no_customer"})), untrusted()),
        (json(200, body!({"id": "c1", "state": "new word"})), untrusted()),
        (json(200, body!({"id": "c1"})), untrusted()),
        (json(200, body!(null)), untrusted()),
        (json(200, body!([])), untrusted()),
        (json(200, body!({})), untrusted()),
        (empty(200), untrusted()),
        (empty(204), untrusted()),
        (page(200, LOGIN_PAGE), untrusted()),
        (empty(404), untrusted()),
        (page(404, LOGIN_PAGE), untrusted()),
        (json(404, body!(null)), untrusted()),
    ] {
        assert_eq!(look(by_state, &response).verdict, expected, "{} {}", response.status, response.text);
    }
}

#[test]
fn an_answer_that_is_no_answer_is_unknown_with_its_class() {
    let claim = body!({"id": "c1", "state": "closed", "code": "no_customer"});
    for (status, class, cause) in [
        (202, Class::Indeterminate, Cause::Pending),
        (206, Class::Indeterminate, Cause::UnexpectedStatus),
        (302, Class::Invalid, Cause::UnexpectedRedirect),
        (400, Class::Invalid, Cause::RequestRefused),
        (401, Class::Auth, Cause::Unauthorized),
        (403, Class::Forbidden, Cause::AccessDenied),
        (409, Class::Conflict, Cause::RequestRefused),
        (429, Class::RateLimited, Cause::RateLimited),
        (500, Class::Transient, Cause::ServerError),
        (503, Class::Transient, Cause::ServerError),
    ] {
        let sighting = look(by_state, &json(status, claim.clone()));
        assert_eq!(sighting.verdict, unknown(class, cause), "{status}");
        assert_eq!((sighting.identity, sighting.captured), (None, Captured::nothing()), "{status}");
    }
}

#[test]
fn the_defaults_are_present_on_200_and_absent_on_an_enveloped_404_or_410() {
    for (response, expected) in [
        (json(200, body!({"id": "c1"})), Verdict::Present),
        (json(404, body!({"error": "x"})), Verdict::Absent),
        (json(410, body!({"error": "x"})), Verdict::Absent),
        (json(201, body!({"id": "c1"})), untrusted()),
    ] {
        assert_eq!(look(as_is, &response).verdict, expected, "{}", response.status);
    }
}

#[test]
fn absent_beside_another_verdict_is_a_contradiction() {
    let both = |profile: &mut api::Profile| {
        profile.presence.present = "response.json.id == customer.id".to_owned();
        profile.presence.absent = "response.json.gone == true".to_owned();
    };
    assert_eq!(look(both, &json(200, body!({"id": "c1", "gone": true}))).verdict, untrusted());
    assert_eq!(look(both, &json(200, body!({"id": "c1", "gone": false}))).verdict, Verdict::Present);
    assert_eq!(look(both, &json(200, body!({"id": "c2", "gone": true}))).verdict, Verdict::Absent);
}

#[test]
fn the_first_of_tombstoned_inactive_and_present_counts() {
    let all = |profile: &mut api::Profile| {
        profile.presence.inactive = "response.json.closed == true".to_owned();
        profile.presence.tombstoned = "response.json.redacted == true".to_owned();
    };
    let verdict = |closed: bool, redacted: bool| {
        look(all, &json(200, body!({"id": "c1", "closed": closed, "redacted": redacted}))).verdict
    };
    assert_eq!(verdict(true, true), Verdict::Tombstoned);
    assert_eq!(verdict(true, false), Verdict::Inactive);
    assert_eq!(verdict(false, false), Verdict::Present);
}

#[test]
fn the_answer_must_be_about_this_customer() {
    let other = unknown(Class::Invalid, Cause::OtherCustomer);
    for (customer, found, expected) in [
        ("90017", body!("90017"), Verdict::Present),
        ("90017", body!(90017), Verdict::Present),
        ("18446744073709551615", body!(18_446_744_073_709_551_615_u64), Verdict::Present),
        ("90017", body!("90018"), other.clone()),
        ("c1", body!("C1"), other.clone()),
        ("c1", body!(" c1"), other.clone()),
        ("c1", body!(""), other.clone()),
        ("90017", body!(90018), other),
        ("90017", body!(90017.0), untrusted()), // a float is no id
        ("null", body!(null), untrusted()),
        ("true", body!(true), untrusted()),
        ("c1", body!(["c1"]), untrusted()),
    ] {
        let sighting = look_at(customer, as_is, &json(200, body!({"id": found})));
        assert_eq!(sighting.verdict, expected, "{customer} {found}");
    }
    assert_eq!(look(as_is, &json(200, body!({"name": "x"}))).verdict, untrusted(), "no id at all");
}

#[test]
fn a_tombstone_or_a_deactivated_customer_must_be_this_one_too() {
    for state in ["closed", "redacted"] {
        let answer = json(200, body!({"id": "c2", "state": state}));
        assert_eq!(look(by_state, &answer).verdict, unknown(Class::Invalid, Cause::OtherCustomer), "{state}");
    }
}

/// The identity of a customer with these two fingerprint values.
fn identity_of(customer: &str, response: serde_json::Value) -> Option<String> {
    let fingerprint = |profile: &mut api::Profile| {
        let expression = |text: &str| api::Expression(text.to_owned());
        profile.presence.fingerprint = vec![expression("response.json.a"), expression("response.json.b.c")];
    };
    let identity = look_at(customer, fingerprint, &json(200, response)).identity?;
    Some(String::from_utf8(identity).unwrap())
}

#[test]
fn different_values_make_different_identities() {
    let identities: Vec<_> = [
        ("c1", body!({"id": "c1", "a": "x", "b": {"c": "y"}})),
        ("c1", body!({"id": "c1", "a": "x\",\"y", "b": {"c": null}})),
        ("c1", body!({"id": "c1", "a": "xy", "b": {"c": ""}})),
        ("c1", body!({"id": "c1", "a": "", "b": {"c": "xy"}})),
        ("c1", body!({"id": "c1", "a": 1, "b": {"c": true}})),
        ("c1", body!({"id": "c1", "a": "1", "b": {"c": "true"}})),
        ("c1", body!({"id": "c1", "a": "null", "b": {"c": null}})),
        ("c2", body!({"id": "c2", "a": "x", "b": {"c": "y"}})),
    ]
    .into_iter()
    .map(|(customer, response)| identity_of(customer, response).expect("an identity"))
    .collect();
    let different: std::collections::BTreeSet<_> = identities.iter().collect();
    assert_eq!(different.len(), identities.len(), "{identities:?}");
}

#[test]
fn a_missing_fingerprint_value_is_null_and_any_other_error_is_no_look() {
    assert_eq!(identity_of("c1", body!({"id": "c1"})).as_deref(), Some(r#"["c1",null,null]"#));
    assert_eq!(
        identity_of("c1", body!({"id": "c1", "a": null, "b": {}})).as_deref(),
        Some(r#"["c1",null,null]"#)
    );
    for odd in
        [body!({"id": "c1", "b": "text"}), body!({"id": "c1", "a": [1]}), body!({"id": "c1", "a": 1e300})]
    {
        assert_eq!(identity_of("c1", odd.clone()), None, "{odd}");
    }
}

#[test]
fn a_look_captures_texts_whole_numbers_and_truth_values() {
    let capture = |profile: &mut api::Profile| {
        let names = ["text", "whole", "truth", "number", "nothing", "missing", "list", "empty", "long"];
        let named = |name: &str| (name.to_owned(), api::Expression(format!("response.json.{name}")));
        profile.presence.operation.capture = names.into_iter().map(named).collect();
    };
    let answer = body!({
        "id": "c1", "text": "t", "whole": 7, "truth": true, "number": 1.5, "nothing": null, "list": [], "empty": "",
        "long": "a".repeat(513)
    });
    let captured = look(capture, &json(200, answer)).captured;
    let of = |name: &str| captured.as_text(name);
    assert_eq!(
        (of("text"), of("whole"), of("truth")),
        (Some("t".into()), Some("7".into()), Some("true".into()))
    );
    for name in ["number", "nothing", "missing", "list", "empty", "long"] {
        assert_eq!(of(name), None, "{name}");
    }
    assert_eq!(captured.prior(), Some((LookWord::Present, 200)));
    assert!(!format!("{captured:?}").contains("\"t\""), "{captured:?}");
}

#[test]
fn times_are_the_providers() {
    let created = |profile: &mut api::Profile| {
        profile.presence.created_at = Some("response.json.created".to_owned());
    };
    let mut answer = json(200, body!({"id": "c1", "created": "2026-01-02T03:04:05+01:00"}));
    answer.date = Some(noon());
    let sighting = look(created, &answer);
    assert_eq!(sighting.created_at, "2026-01-02T02:04:05Z".parse().ok());
    assert_eq!(sighting.answered_at, Some(noon()));
    for odd in [body!("yesterday"), body!(1_767_322_445), body!(null), body!("")] {
        let answer = json(200, body!({"id": "c1", "created": odd}));
        assert_eq!(look(created, &answer).created_at, None, "{odd}");
    }
    let refused = Response { date: Some(noon()), ..empty(404) };
    assert_eq!(look(created, &refused).answered_at, Some(noon()));
}

#[test]
fn a_sighting_prints_no_contents() {
    let printed = format!("{:?}", look(as_is, &json(200, body!({"id": "c1"}))));
    assert_eq!(printed, "Sighting { verdict: Present, .. }");
}
