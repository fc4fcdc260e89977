//! What a loaded profile says of itself: ids, credentials, declarations, hash.

use offboarding::{
    api::{Mode, RequiredState},
    providers::{CredentialNames, built_in, built_in_names},
};
use serde_json::{Value, json};

use super::{loaded, set, small};

/// Every key and value of `written` that `read` lacks. Lengths of time may be spelled in another way.
pub(crate) fn lost(path: &str, written: &Value, read: &Value) -> Vec<String> {
    match (written, read) {
        (Value::Object(entries), Value::Object(found)) => entries
            .iter()
            .flat_map(|(key, value)| {
                lost(&format!("{path}.{key}"), value, found.get(key).unwrap_or(&Value::Null))
            })
            .collect(),
        (Value::Array(items), Value::Array(found)) if items.len() == found.len() => items
            .iter()
            .zip(found)
            .flat_map(|(item, found)| lost(&format!("{path}[]"), item, found))
            .collect(),
        (Value::String(a), Value::String(b)) if is_same_span(a, b) => Vec::new(),
        _ if written == read => Vec::new(),
        _ => vec![path.to_owned()],
    }
}

fn is_same_span(a: &str, b: &str) -> bool {
    let span = |text: &str| text.parse::<offboarding::api::Span>().ok();
    span(a).is_some() && span(a) == span(b)
}

#[test]
fn no_key_of_a_built_in_profile_is_ignored() {
    assert_eq!(built_in_names(), ["juicyway", "revolv3"]);
    let texts = [
        ("juicyway", include_str!("../../src/providers/profiles/juicyway.yaml")),
        ("revolv3", include_str!("../../src/providers/profiles/revolv3.yaml")),
    ];
    for (name, text) in texts {
        let written: Value = serde_saphyr::from_str(text).unwrap();
        let read = serde_json::to_value(built_in(name).unwrap().source()).unwrap();
        assert_eq!(lost(name, &written, &read), [""; 0]);
    }
    let misspelled = json!({"blockWhen": "x", "blokWhen": "y"});
    assert_eq!(lost("x", &misspelled, &json!({"blockWhen": "x"})), ["x.blokWhen"], "the comparison itself");
}

#[test]
fn the_built_in_profiles_declare_what_their_providers_do() {
    let juicyway = built_in("juicyway").unwrap();
    let revolv3 = built_in("revolv3").unwrap();
    assert_eq!((juicyway.declared().supports, revolv3.declared().supports), (Mode::Hard, Mode::Soft));
    assert_eq!(juicyway.declared().operation, "DELETE /customers/{customer.id}");
    assert_eq!(revolv3.declared().result().to_string(), "Deactivated");
    assert_eq!(juicyway.declared().result().to_string(), "ErasedWithRetention");
    assert_eq!(juicyway.requires(), [RequiredState::Present]);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let expected = CredentialNames { required: names(&["token"]), optional: names(&["businessId"]) };
    assert_eq!(juicyway.credential_names(), expected);
    assert!(built_in("stripe").is_none());
}

#[test]
fn some_ids_are_refused_whatever_the_pattern_says() {
    let mut profile = small();
    set(&mut profile, "/customerId", json!({"pattern": "^(?:.|\n)*$"}));
    let profile = loaded(&profile).unwrap();
    for id in ["", ".", "..", "a/b", "a%2fb", "a\nb", "a\0"] {
        assert!(!profile.accepts_id(id), "{id:?}");
    }
    assert!(profile.accepts_id("a b") && profile.accepts_id("…"));
}

#[test]
fn a_whole_number_is_written_in_one_way_and_lies_within_its_range() {
    let mut profile = small();
    set(&mut profile, "/customerId", json!({"pattern": "^.*$", "integer": {"min": -5, "max": 1000}}));
    let profile = loaded(&profile).unwrap();
    for (id, accepted) in [
        ("0", true),
        ("7", true),
        ("1000", true),
        ("-5", true),
        ("1001", false),
        ("-6", false),
        ("007", false), // would name the same customer in another way
        ("+7", false),
        ("-0", false),
        ("7.0", false),
        ("0x7", false),
        (" 7", false),
        ("99999999999999999999", false),
        ("seven", false),
    ] {
        assert_eq!(profile.accepts_id(id), accepted, "{id}");
    }
}

#[test]
fn credential_names_are_required_or_optional() {
    let mut profile = small();
    let auth = json!([
        {"basic": {"username": "{user}", "password": "{password}"}},
        {"header": "X-A", "value": "{tenant}", "optional": true},
        {"header": "X-B", "value": "{user}", "optional": true},
    ]);
    set(&mut profile, "/auth", auth);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let expected = CredentialNames { required: names(&["password", "user"]), optional: names(&["tenant"]) };
    assert_eq!(loaded(&profile).unwrap().credential_names(), expected);
}

#[test]
fn the_hash_covers_what_an_approver_agrees_to_and_nothing_else() {
    let hash_of = |pointer: &str, value: Value| {
        let mut profile = small();
        set(&mut profile, pointer, value);
        loaded(&profile).unwrap().hash().to_owned()
    };
    let plain = loaded(&small()).unwrap().hash().to_owned();
    assert!(plain.len() == 71 && plain.starts_with("sha256:"), "{plain}");
    for (pointer, value) in [
        ("/docs", json!(["example.com/docs"])),
        ("/limits", json!({"default": {"requestsPerMinute": 7, "burst": 1, "maxInFlight": 1}})),
        ("/verify", json!({"default": {"confirmations": 2, "interval": "1m", "deadline": "2h"}})),
        // what is written out is what holds anyway
        ("/envelope", json!("response.json != null")),
        ("/preflight/0/items", json!("response.json")),
        ("/preflight/0/emptyStatuses", json!([204])),
        ("/guarantees", json!({"consistencyLag": "1m"})),
    ] {
        assert_eq!(hash_of(pointer, value), plain, "{pointer}");
    }
    for (pointer, value) in [
        ("/name", json!("other")),
        ("/effects", json!(["removes the profile"])),
        ("/retains", json!(["invoices"])),
        ("/erasure", json!({"scope": "Partial"})),
        ("/guarantees", json!({"consistencyLag": "61s"})),
        ("/presence/absent", json!("response.status == 404")),
        ("/preflight/0/waivable", json!(false)),
        ("/preflight/0/emptyStatuses", json!([])),
        ("/delete/0/request/path", json!("/clients/{customer.id}")),
        ("/auth/0/header", json!("X-Other")),
    ] {
        assert_ne!(hash_of(pointer, value), plain, "{pointer}");
    }
    let soft = |when_present: &str| {
        let mut profile = small();
        set(&mut profile, "/delete/0/phase", json!("Soft"));
        set(&mut profile, "/verify", json!({ "whenPresent": when_present }));
        loaded(&profile).unwrap().hash().to_owned()
    };
    assert_ne!(soft("StillPresent"), soft("NotObservable"));
}

/// A change of a built-in profile voids open approvals: the changelog says so, and then these lines change.
#[test]
fn the_built_in_profiles_have_not_changed() {
    let hashes: Vec<_> =
        built_in_names().into_iter().map(|name| built_in(name).unwrap().hash()[..19].to_owned()).collect();
    assert_eq!(hashes, ["sha256:7821ef35072d", "sha256:c3ff85ca74f0"]);
}
