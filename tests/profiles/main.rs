//! Profiles as their authors meet them: what is refused at load and in which words, what is accepted, what the hash covers.
#![expect(clippy::unwrap_used, reason = "a profile of a test that cannot be built is a failed test")]

mod built_in;
mod others;
mod refused;
mod requests;

use std::sync::Arc;

use offboarding::{
    api::Profile,
    providers::{LoadedProfile, load},
};
use serde_json::Value;

const SMALL: &str = r#"
name: small
auth: [{header: X-Key, value: '{key}'}]
finality: HardDelete
erasure: {scope: Full}
control: {request: {path: /customers}, ok: 'response.status == 200'}
presence:
  request: {path: '/customers/{customer.id}'}
  id: 'response.json.id'
  capture: {version: 'response.json.version'}
preflight:
- {name: orders, request: {path: '/orders'}, blockWhen: 'size(items) > 0'}
delete: [{name: delete, request: {method: DELETE, path: '/customers/{customer.id}'}}]
"#;

fn small() -> Value {
    serde_saphyr::from_str(SMALL).unwrap()
}

/// Sets what a JSON pointer names; `null` removes it.
fn set(profile: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let mut at = profile;
    for step in parent.split('/').skip(1) {
        at = match step.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[step],
        };
    }
    match (at, value) {
        (Value::Object(entries), Value::Null) => drop(entries.remove(key)),
        (at @ Value::Array(_), value) => at[key.parse::<usize>().unwrap()] = value,
        (at, value) => at[key] = value,
    }
}

fn loaded(profile: &Value) -> Result<Arc<LoadedProfile>, Vec<String>> {
    let profile: Profile = serde_json::from_value(profile.clone()).unwrap();
    load(&profile).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

/// What is told about the small profile with these changes.
fn told(changes: &[(&str, Value)]) -> Vec<String> {
    let mut profile = small();
    for (pointer, value) in changes {
        set(&mut profile, pointer, value.clone());
    }
    loaded(&profile).err().unwrap_or_default()
}

#[test]
fn the_small_profile_loads() {
    assert_eq!(told(&[]), [""; 0]);
}
