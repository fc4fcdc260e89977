//! CRDs only grow: whatever was accepted, printed or selected with the definitions of the last release still is.
//!
//! `CustomResourceDefinition`s are applied before the operator and stay where they are when it is rolled back, and GitOps applies
//! today what somebody wrote a year ago.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use crate::{released, root};

/// What is tighter on purpose: kind, path and what is found there; and why nobody is hurt. Emptied with each release.
const ON_PURPOSE: &[(&str, &str)] = &[
    ("ClusterOffboardingProvider.status: default is {\"observedGeneration\":-1} now", IN_PROGRESS),
    ("OffboardingProvider.status: default is {\"observedGeneration\":-1} now", IN_PROGRESS),
];

const IN_PROGRESS: &str =
    "only the operator writes a status, as a whole; without one kstatus took a new object for current";

#[test]
fn definitions_only_grow() {
    let (before, now) = (definitions(&released().join("crds")), definitions(&root().join("crds")));
    let mut found = Vec::new();
    for old in &before {
        let name = &old["metadata"]["name"];
        match now.iter().find(|new| new["metadata"]["name"] == *name) {
            Some(new) => found.extend(breaks(old, new)),
            None => found.push(format!("{name}: the kind is gone")),
        }
    }
    let allowed: BTreeSet<&str> = ON_PURPOSE.iter().map(|(what, _)| *what).collect();
    let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(
        found, allowed,
        "what the last release accepted, and what is on the list as tighter on purpose"
    );
    assert!(ON_PURPOSE.iter().all(|(_, why)| why.len() > 20), "each with its reason");
}

fn definitions(directory: &std::path::Path) -> Vec<Value> {
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|it| it.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|it| it == "yaml"));
    files.sort();
    let all: Vec<Value> =
        files.iter().map(|it| serde_saphyr::from_str(&fs::read_to_string(it).unwrap()).unwrap()).collect();
    assert!(all.len() >= 6, "{files:?}");
    all
}

/// Everything about a definition that somebody who uses the old one would miss in the new one.
fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let kind = text(&old["spec"]["names"]["kind"]).to_owned();
    let mut found = Vec::new();
    for field in [
        "/spec/group",
        "/spec/scope",
        "/spec/names/kind",
        "/spec/names/plural",
        "/spec/names/singular",
        "/spec/names/listKind",
    ] {
        if old.pointer(field) != new.pointer(field) {
            found.push(format!("{kind}: {field} is another one"));
        }
    }
    for names in ["shortNames", "categories"] {
        lost(
            &old["spec"]["names"][names],
            &new["spec"]["names"][names],
            &mut found,
            &format!("{kind}: {names}"),
        );
    }
    for before in list(&old["spec"]["versions"]).iter().filter(|it| it["served"] == true) {
        let name = text(&before["name"]);
        let after = list(&new["spec"]["versions"]).iter().find(|it| it["name"] == before["name"]);
        let Some(after) = after.filter(|it| it["served"] == true) else {
            found.push(format!("{kind}: {name} is not served"));
            continue;
        };
        if before["storage"] != after["storage"] {
            found.push(format!("{kind}: {name} is stored, or not any more"));
        }
        if before.get("subresources") != after.get("subresources") {
            found.push(format!("{kind}: the subresources of {name} are others"));
        }
        let column = |it: &Value| json!([it["name"], it["type"], it["jsonPath"], it["priority"]]);
        let columns = |version: &Value| -> Value {
            list(&version["additionalPrinterColumns"]).iter().map(column).collect()
        };
        lost(&columns(before), &columns(after), &mut found, &format!("{kind}: column"));
        lost(
            &before["selectableFields"],
            &after["selectableFields"],
            &mut found,
            &format!("{kind}: selectable field"),
        );
        let schema = |version: &Value| version["schema"]["openAPIV3Schema"].clone();
        narrower(&kind, &schema(before), &schema(after), &mut found);
    }
    found
}

/// Where a schema accepts less than it did, or means something else by what it accepts.
fn narrower(path: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    for word in [
        "type",
        "default",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-map-type",
        "x-kubernetes-embedded-resource",
    ] {
        if old.get(word) != new.get(word) {
            found.push(format!("{path}: {word} is {} now", shown(new.get(word))));
        }
    }
    // Taken away, they accept more; another one is another set.
    for word in ["pattern", "format", "multipleOf", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum"] {
        if new.get(word).is_some_and(|it| old.get(word) != Some(it)) {
            found.push(format!("{path}: {word} is {} now", shown(new.get(word))));
        }
    }
    for (word, wider) in [
        ("maximum", 1.0),
        ("maxLength", 1.0),
        ("maxItems", 1.0),
        ("maxProperties", 1.0),
        ("minimum", -1.0),
        ("minLength", -1.0),
        ("minItems", -1.0),
        ("minProperties", -1.0),
    ] {
        let (before, after) = (old.get(word).and_then(Value::as_f64), new.get(word).and_then(Value::as_f64));
        let is_wider = match (before, after) {
            (_, None) => true,
            (None, Some(after)) => wider < 0.0 && word != "minimum" && after == 0.0,
            (Some(before), Some(after)) => (after - before) * wider >= 0.0,
        };
        if !is_wider {
            found.push(format!("{path}: {word} is {} now", shown(new.get(word))));
        }
    }
    for word in ["nullable", "x-kubernetes-preserve-unknown-fields"] {
        if old[word] == true && new[word] != true {
            found.push(format!("{path}: {word} is gone"));
        }
    }
    match (old.get("enum"), new.get("enum")) {
        (Some(before), Some(after)) => lost(before, after, found, &format!("{path}: value")),
        (None, Some(after)) => found.push(format!("{path}: enum is {after} now")),
        (_, None) => {}
    }
    let required = |schema: &Value| -> BTreeSet<String> {
        list(&schema["required"]).iter().map(|it| text(it).to_owned()).collect()
    };
    for field in required(new).difference(&required(old)) {
        found.push(format!("{path}: {field} is required now"));
    }
    let rule = |it: &Value| text(&it["rule"]).to_owned();
    let rules = |schema: &Value| -> BTreeSet<String> {
        list(&schema["x-kubernetes-validations"]).iter().map(rule).collect()
    };
    for rule in rules(new).difference(&rules(old)) {
        found.push(format!("{path}: there is a rule {rule}"));
    }
    for (name, before) in old["properties"].as_object().into_iter().flatten() {
        let below = format!("{path}.{name}");
        match new["properties"].get(name) {
            Some(after) => narrower(&below, before, after, found),
            None => found.push(format!("{below}: is gone")),
        }
    }
    for (word, brackets) in [("items", "[]"), ("additionalProperties", "{}")] {
        match (old.get(word), new.get(word)) {
            (Some(before), Some(after)) if before.is_object() && after.is_object() => {
                narrower(&format!("{path}{brackets}"), before, after, found);
            }
            (before, after) if before == after => {}
            _ => found.push(format!("{path}{brackets}: is gone, or something else")),
        }
    }
}

/// What is in one list and not in the other.
fn lost(before: &Value, after: &Value, found: &mut Vec<String>, what: &str) {
    let gone = list(before).iter().filter(|it| !list(after).contains(it));
    found.extend(gone.map(|it| format!("{what} {it} is gone")));
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "gone".to_owned(), Value::to_string)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A definition with a little of everything.
fn sample() -> Value {
    json!({
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things", "shortNames": ["th"], "categories": ["all"]},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "additionalPrinterColumns": [{"name": "Age", "type": "date", "jsonPath": ".a"}],
                "selectableFields": [{"jsonPath": ".spec.word"}],
                "schema": {"openAPIV3Schema": {
                    "type": "object", "required": ["spec"],
                    "properties": {"spec": {
                        "type": "object",
                        "properties": {
                            "word": {"type": "string", "enum": ["A", "B"], "default": "A", "maxLength": 9, "pattern": "^a"},
                            "count": {"type": "integer", "minimum": 1, "maximum": 5},
                            "list": {"type": "array", "x-kubernetes-list-type": "atomic", "items": {"type": "string", "minLength": 1}},
                            "map": {"type": "object", "additionalProperties": {"type": "string"}},
                        },
                        "x-kubernetes-validations": [{"rule": "self.count > 0"}],
                    }},
                }},
            }],
        },
    })
}

const VERSION: &str = "/spec/versions/0";
const SPEC: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";

#[test]
fn each_way_to_take_something_away_is_found() {
    let spec = |rest: &str| format!("{SPEC}{rest}");
    let version = |rest: &str| format!("{VERSION}{rest}");
    for (at, value, due) in [
        ("/spec/scope".to_owned(), json!("Cluster"), "Thing: /spec/scope is another one"),
        ("/spec/names/shortNames".to_owned(), json!([]), r#"Thing: shortNames "th" is gone"#),
        (version("/served"), json!(false), "Thing: v1 is not served"),
        (version("/storage"), json!(false), "Thing: v1 is stored, or not any more"),
        (version("/subresources"), json!({}), "Thing: the subresources of v1 are others"),
        (
            version("/additionalPrinterColumns"),
            json!([]),
            r#"Thing: column ["Age","date",".a",null] is gone"#,
        ),
        (
            version("/selectableFields"),
            json!([]),
            r#"Thing: selectable field {"jsonPath":".spec.word"} is gone"#,
        ),
        (spec("/required"), json!(["count"]), "Thing.spec: count is required now"),
        (spec("/properties/count"), Value::Null, "Thing.spec.count: is gone"),
        (spec("/properties/count/type"), json!("string"), r#"Thing.spec.count: type is "string" now"#),
        (spec("/properties/count/minimum"), json!(2), "Thing.spec.count: minimum is 2 now"),
        (spec("/properties/count/maximum"), json!(4), "Thing.spec.count: maximum is 4 now"),
        (spec("/properties/word/enum"), json!(["A", "C"]), r#"Thing.spec.word: value "B" is gone"#),
        (spec("/properties/word/default"), json!("B"), r#"Thing.spec.word: default is "B" now"#),
        (spec("/properties/word/default"), Value::Null, "Thing.spec.word: default is gone now"),
        (spec("/properties/word/pattern"), json!("^b"), r#"Thing.spec.word: pattern is "^b" now"#),
        (spec("/properties/word/maxLength"), json!(8), "Thing.spec.word: maxLength is 8 now"),
        (spec("/properties/word/minLength"), json!(1), "Thing.spec.word: minLength is 1 now"),
        (spec("/properties/list/maxItems"), json!(3), "Thing.spec.list: maxItems is 3 now"),
        (spec("/properties/list/items/minLength"), json!(2), "Thing.spec.list[]: minLength is 2 now"),
        (
            spec("/properties/list/x-kubernetes-list-type"),
            json!("set"),
            r#"Thing.spec.list: x-kubernetes-list-type is "set" now"#,
        ),
        (
            spec("/properties/map/additionalProperties"),
            Value::Null,
            "Thing.spec.map{}: is gone, or something else",
        ),
        (
            spec("/properties/map/additionalProperties/enum"),
            json!(["x"]),
            r#"Thing.spec.map{}: enum is ["x"] now"#,
        ),
        (
            spec("/x-kubernetes-validations"),
            json!([{"rule": "self.count > 1"}]),
            "Thing.spec: there is a rule self.count > 1",
        ),
    ] {
        assert_eq!(breaks(&sample(), &changed(&at, value.clone())), [due], "{at} {value}");
    }
}

#[test]
fn what_only_grows_is_no_break() {
    let spec = |rest: &str| format!("{SPEC}{rest}");
    for (at, value) in [
        ("/spec/names/shortNames".to_owned(), json!(["th", "tg"])),
        (
            format!("{VERSION}/selectableFields"),
            json!([{"jsonPath": ".spec.word"}, {"jsonPath": ".spec.new"}]),
        ),
        (spec("/description"), json!("Said better.")),
        (
            spec("/properties/new"),
            json!({"type": "object", "required": ["inside"], "properties": {"inside": {"type": "string"}}}),
        ),
        (spec("/properties/count/maximum"), json!(6)),
        (spec("/properties/count/minimum"), Value::Null),
        (spec("/properties/word/enum"), json!(["A", "B", "C"])),
        (spec("/properties/word/pattern"), Value::Null),
        (spec("/properties/word/minLength"), json!(0)),
        (spec("/x-kubernetes-validations"), json!([])),
    ] {
        assert_eq!(breaks(&sample(), &changed(&at, value.clone())), [""; 0], "{at} {value}");
    }
}

/// The sample with this value at this place; `null` takes it away.
fn changed(at: &str, value: Value) -> Value {
    let mut changed = sample();
    let (way, last) = at.rsplit_once('/').unwrap();
    let fields = changed.pointer_mut(way).unwrap().as_object_mut().unwrap();
    match value {
        Value::Null => drop(fields.remove(last)),
        value => drop(fields.insert(last.to_owned(), value)),
    }
    changed
}
