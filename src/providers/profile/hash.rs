//! The profile hash: two profiles that mean the same have the same one, and an approver agrees to it.

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use serde_json::Value;

use crate::{api, providers::profile::operations::defaults};

/// `sha256:` and the hash of the profile's canonical JSON, defaults filled in, without `docs`, `limits` and `verify.default`.
pub(super) fn hash(source: &api::Profile) -> String {
    let mut text = String::new();
    write_canonical(&hashed(source), &mut text);
    format!("sha256:{}", HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref()))
}

fn hashed(source: &api::Profile) -> Value {
    // A profile is plain data with text keys; it always has a JSON form.
    let mut value = serde_json::to_value(resolved(source)).unwrap_or(Value::Null);
    if let Some(entries) = value.as_object_mut() {
        entries.remove("docs");
        entries.remove("limits");
        if let Some(verify) = entries.get_mut("verify").and_then(Value::as_object_mut) {
            verify.remove("default");
        }
    }
    value
}

/// The profile with the defaults that are not part of its type.
fn resolved(source: &api::Profile) -> api::Profile {
    let mut resolved = source.clone();
    for check in &mut resolved.preflight {
        let operation = &mut check.operation;
        operation.items.get_or_insert_with(|| defaults::ITEMS.to_owned());
        operation.empty_statuses.get_or_insert_with(|| defaults::EMPTY_STATUSES.to_vec());
        if let Some(paginate) = &mut operation.paginate {
            paginate.max_pages.get_or_insert(defaults::MAX_PAGES);
            paginate.max_items.get_or_insert(defaults::MAX_ITEMS);
        }
    }
    resolved
}

/// Writes JSON without blanks, keys sorted by their bytes.
fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                text.push_str(if at > 0 { "," } else { "" });
                text.push_str(&Value::String(key.clone()).to_string());
                text.push(':');
                write_canonical(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at > 0 { "," } else { "" });
                write_canonical(item, text);
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&value.to_string())
        }
    }
}
