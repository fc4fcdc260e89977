//! Every property of every kind, from the CRDs, and values that a person may put there: sound ones, edges, and nonsense.

use serde_json::{Value, json};

use crate::stage::root;

/// One edit: of this kind, at this path below the object, to this value; `null` takes the property away.
#[derive(Clone, Debug)]
pub struct Edit {
    pub kind: String,
    pub path: Vec<String>,
    pub value: Value,
}

/// A text longer than any field takes.
const LONG: usize = 20_000;

/// All edits of the specs of these kinds, property by property.
pub fn edits(files: &[&str]) -> Vec<Edit> {
    let mut all = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(root().join(format!("crds/{file}.yaml"))).unwrap();
        let crd: Value = serde_saphyr::from_str(&text).unwrap();
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        walk(kind, &mut vec!["spec".to_owned()], schema, &mut all);
    }
    all
}

fn walk(kind: &str, path: &mut Vec<String>, schema: &Value, all: &mut Vec<Edit>) {
    for value in values(schema) {
        all.push(Edit { kind: kind.to_owned(), path: path.clone(), value });
    }
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        path.push(name.clone());
        walk(kind, path, below, all);
        path.pop();
    }
    if schema["items"].is_object() {
        path.push("0".to_owned());
        walk(kind, path, &schema["items"], all);
        path.pop();
    }
}

fn values(schema: &Value) -> Vec<Value> {
    let mut values = vec![Value::Null, json!({"unknown": true})];
    values.extend(schema["enum"].as_array().into_iter().flatten().cloned());
    values.extend(schema.get("default").cloned());
    match schema["type"].as_str().unwrap_or_default() {
        "string" => {
            values.extend([
                json!(""),
                json!("x"),
                json!("../../.."),
                json!("a".repeat(LONG)),
                json!(7),
                json!("10s"),
            ]);
        }
        "integer" => {
            let edges = [&schema["minimum"], &schema["maximum"]].into_iter().filter_map(Value::as_f64);
            values.extend(edges.flat_map(|edge| [json!(edge - 1.0), json!(edge), json!(edge + 1.0)]));
            values.extend([json!(0), json!(1), json!(i64::MAX), json!("many"), json!(1.5)]);
        }
        "boolean" => values.extend([json!(true), json!(false), json!("yes")]),
        "array" => values.extend([json!([]), json!([null]), json!("none"), json!(vec![json!({}); 600])]),
        "object" => values.extend([json!({}), json!([]), json!("none")]),
        _ => {}
    }
    values
}

impl Edit {
    /// The object with this edit; `None` where the way there does not exist in it.
    pub fn applied(&self, object: &Value) -> Option<Value> {
        let mut edited = object.clone();
        let (last, way) = self.path.split_last()?;
        let mut at = &mut edited;
        for step in way {
            at = match step.parse::<usize>() {
                Ok(index) => at.get_mut(index)?,
                Err(_) => at.as_object_mut()?.entry(step).or_insert_with(|| json!({})),
            };
        }
        match (last.parse::<usize>(), &self.value) {
            (Ok(index), value) => *at.get_mut(index)? = value.clone(),
            (Err(_), Value::Null) => drop(at.as_object_mut()?.remove(last)),
            (Err(_), value) => drop(at.as_object_mut()?.insert(last.clone(), value.clone())),
        }
        Some(edited)
    }

    /// `OffboardingProvider spec.approvals.required`
    pub fn property(&self) -> String {
        format!("{} {}", self.kind, self.path.join("."))
    }
}
