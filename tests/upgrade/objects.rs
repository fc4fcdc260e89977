//! Objects as the last release wrote them. `ACCEPT=1 make upgrade` writes them down; this version must understand every word.

use std::{fs, path::PathBuf};

use harness::Failure;
use offboarding::api::{CustomerOffboarding, OffboardingApproval, OffboardingProvider, OffboardingRecord};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{released, story::Story};

fn directory() -> PathBuf {
    released().join("objects")
}

/// Writes down what there is of a story, where that was asked for.
pub async fn keep(moment: &str, story: &Story<'_>) {
    if std::env::var_os("ACCEPT").is_none() {
        return;
    }
    fs::create_dir_all(directory()).unwrap();
    let mut objects = story.records().await;
    for (kind, name) in [("CustomerOffboarding", "acme"), ("OffboardingProvider", "juicyway")] {
        objects.extend(story.get(kind, name).await);
    }
    let approvals = story.plural("offboardingapprovals");
    let approvals = story.ask_as("admin", http::Method::GET, &approvals, &Value::Null).await.unwrap();
    objects.extend(approvals["items"].as_array().unwrap().iter().cloned());
    for mut object in objects {
        object["apiVersion"] = "offboarding.dev/v1alpha1".into();
        if object["kind"].is_null() {
            object["kind"] = if object["spec"]["decision"].is_null() {
                "OffboardingRecord"
            } else {
                "OffboardingApproval"
            }
            .into();
        }
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.retain(|field, _| {
            ["name", "namespace", "annotations", "uid", "generation"].contains(&field.as_str())
        });
        let kind = object["kind"].as_str().unwrap().to_lowercase();
        let file = directory().join(format!("{}-{kind}.yaml", moment.to_lowercase()));
        fs::write(file, serde_saphyr::to_string(&object).unwrap()).unwrap();
    }
}

#[test]
fn every_word_of_the_last_release_is_understood_and_kept() {
    let mut files: Vec<PathBuf> = fs::read_dir(directory()).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    let mut kinds = std::collections::BTreeMap::<String, usize>::new();
    for file in files {
        let object: Value = serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let kind = object["kind"].as_str().unwrap().to_owned();
        let kept = match kind.as_str() {
            "CustomerOffboarding" => again::<CustomerOffboarding>(&object),
            "OffboardingApproval" => again::<OffboardingApproval>(&object),
            "OffboardingProvider" => again::<OffboardingProvider>(&object),
            "OffboardingRecord" => again::<OffboardingRecord>(&object),
            other => panic!("{other}"),
        };
        let kept = kept.unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        assert_eq!(lost("", &object, &kept), [""; 0], "{}", file.display());
        *kinds.entry(kind).or_default() += 1;
    }
    for (kind, least) in [
        ("CustomerOffboarding", 8),
        ("OffboardingRecord", 4),
        ("OffboardingProvider", 8),
        ("OffboardingApproval", 1),
    ] {
        assert!(kinds.get(kind) >= Some(&least), "{kind}: {kinds:?}");
    }
}

/// Read into what this version knows, and written again.
fn again<K: Serialize + DeserializeOwned>(object: &Value) -> Result<Value, Failure> {
    let read: K = serde_json::from_value(object.clone()).map_err(Failure::to("read it"))?;
    serde_json::to_value(read).map_err(Failure::to("write it"))
}

/// What was said and is not said any more.
fn lost(path: &str, before: &Value, after: &Value) -> Vec<String> {
    match (before, after) {
        (Value::Object(fields), Value::Object(_)) => fields
            .iter()
            .flat_map(|(name, value)| lost(&format!("{path}.{name}"), value, &after[name]))
            .collect(),
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => items
            .iter()
            .zip(others)
            .enumerate()
            .flat_map(|(n, (one, other))| lost(&format!("{path}[{n}]"), one, other))
            .collect(),
        (one, other) if one == other => Vec::new(),
        (one, other) => vec![format!("{path} was {one} and is {other}")],
    }
}
