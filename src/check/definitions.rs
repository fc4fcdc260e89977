//! The kinds as the API server serves them, compared with those of this version.
//!
//! Compared is what the server publishes of its schemas (`/openapi/v3`), which everybody may read: no right on the definitions
//! themselves is needed. Versions only add fields, so one that lacks some is older, and one that has more is newer.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// One kind, and how it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// `customeroffboardings.offboarding.dev`
    pub name: String,
    pub state: DefinitionState,
}

/// How a kind is there. Paths such as `spec.targets[].mode`, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefinitionState {
    AsShipped,
    Missing,
    /// It lacks fields of this version.
    Older(Vec<String>),
    /// It has fields that this version does not know.
    Newer(Vec<String>),
    /// Rules, bounds or types are others than shipped.
    Altered(Vec<String>),
}

/// The kinds, by what the server publishes of the group; `None` where it serves no such group.
#[must_use]
pub fn compared(shipped: &[Value], published: Option<&Value>) -> Vec<Definition> {
    let of = |crd: &Value| Definition {
        name: text(&crd["metadata"]["name"]).to_owned(),
        state: published
            .and_then(|document| schema_of(document, crd))
            .map_or(DefinitionState::Missing, |served| state_of(crd, served)),
    };
    shipped.iter().map(of).collect()
}

/// Source: the extension that names a schema's kind, as in every document of `/openapi/v3`.
fn schema_of<'a>(document: &'a Value, crd: &Value) -> Option<&'a Value> {
    let spec = &crd["spec"];
    let is_it = |kind: &Value| {
        kind["group"] == spec["group"]
            && kind["kind"] == spec["names"]["kind"]
            && kind["version"] == spec["versions"][0]["name"]
    };
    let schemas = document["components"]["schemas"].as_object()?;
    schemas.values().find(|schema| {
        let kinds = schema["x-kubernetes-group-version-kind"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(is_it))
    })
}

fn state_of(crd: &Value, served: &Value) -> DefinitionState {
    let version = &crd["spec"]["versions"][0];
    let mut seen = Seen::default();
    seen.node("", &version["schema"]["openAPIV3Schema"], served);
    seen.selectors(&version["selectableFields"], &served[SELECTORS]);
    match (seen.lacking.is_empty(), seen.further.is_empty(), seen.other.is_empty()) {
        (true, true, true) => DefinitionState::AsShipped,
        (false, true, _) => DefinitionState::Older(seen.lacking),
        (true, false, _) => DefinitionState::Newer(seen.further),
        (true, true, false) => DefinitionState::Altered(seen.other),
        (false, false, _) => DefinitionState::Altered([seen.lacking, seen.further].concat()),
    }
}

const SELECTORS: &str = "x-kubernetes-selectable-fields";

/// What differs.
#[derive(Default)]
struct Seen {
    /// Fields that are shipped and not served.
    lacking: Vec<String>,
    /// Fields that are served and not shipped.
    further: Vec<String>,
    /// Fields of which something else differs.
    other: Vec<String>,
}

/// What the server adds to every kind.
const OF_EVERY_KIND: &[&str] = &["apiVersion", "kind", "metadata"];

/// Words for people, and what the server says beside the schema.
const NOT_COMPARED: &[&str] = &["description", "x-kubernetes-group-version-kind", SELECTORS];

/// What lies one level deeper.
const DEEPER: &[&str] = &["properties", "items", "additionalProperties"];

impl Seen {
    fn node(&mut self, path: &str, shipped: &Value, served: &Value) {
        let keys: BTreeSet<&str> = keys(shipped).chain(keys(served)).collect();
        let mut rules = keys.iter().filter(|key| !NOT_COMPARED.contains(key) && !DEEPER.contains(key));
        if rules.any(|key| shipped.get(*key) != served.get(*key) && !is_added(key, shipped, served)) {
            self.other.push(if path.is_empty() { "the whole object".to_owned() } else { path.to_owned() });
        }
        self.fields(path, &shipped["properties"], &served["properties"]);
        self.inner(&format!("{path}[]"), shipped.get("items"), served.get("items"));
        let values = |node: &'_ Value| node.get("additionalProperties").cloned();
        self.inner(&format!("{path}.*"), values(shipped).as_ref(), values(served).as_ref());
    }

    fn inner(&mut self, path: &str, shipped: Option<&Value>, served: Option<&Value>) {
        match (shipped, served) {
            (Some(shipped), Some(served)) if shipped.is_object() && served.is_object() => {
                self.node(path, shipped, served);
            }
            (shipped, served) if shipped == served => {}
            _ => self.other.push(path.to_owned()),
        }
    }

    fn fields(&mut self, path: &str, shipped: &Value, served: &Value) {
        let names: BTreeSet<&str> = keys(shipped).chain(keys(served)).collect();
        for name in names {
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            match (shipped.get(name), served.get(name)) {
                (Some(shipped), Some(served)) => self.node(&path, shipped, served),
                (Some(_), None) => self.lacking.push(path),
                (None, _) if OF_EVERY_KIND.contains(&path.as_str()) => {}
                (None, _) => self.further.push(path),
            }
        }
    }

    /// What a watch or a list may ask for; the server writes the paths without their first dot.
    fn selectors(&mut self, shipped: &Value, served: &Value) {
        let paths = |list: &Value, key: &str| -> BTreeSet<String> {
            let paths = list.as_array().into_iter().flatten().map(|it| text(&it[key]));
            paths.map(|path| path.trim_start_matches('.').to_owned()).collect()
        };
        let (shipped, served) = (paths(shipped, "jsonPath"), paths(served, "fieldPath"));
        let said = |path: &String| format!("field selector {path}");
        self.lacking.extend(shipped.difference(&served).map(said));
        self.further.extend(served.difference(&shipped).map(said));
    }
}

/// Whether the server spells out what is said by another word: of a number or a text, the two types.
fn is_added(key: &str, shipped: &Value, served: &Value) -> bool {
    let either = || json!([{"type": "integer"}, {"type": "string"}]);
    key == "anyOf"
        && shipped["x-kubernetes-int-or-string"] == true
        && shipped.get(key).is_none()
        && served[key] == either()
}

fn keys(value: &Value) -> impl Iterator<Item = &str> {
    value.as_object().into_iter().flatten().map(|(key, _)| key.as_str())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::crds;

    /// What a server that has exactly these definitions would publish, as far as it is compared.
    fn published(crds: &[Value]) -> Value {
        let schema = |crd: &Value| {
            let (spec, version) = (&crd["spec"], &crd["spec"]["versions"][0]);
            let mut schema = version["schema"]["openAPIV3Schema"].clone();
            for field in OF_EVERY_KIND {
                schema["properties"][field] = json!({"type": "string"});
            }
            schema["x-kubernetes-group-version-kind"] =
                json!([{"group": spec["group"], "kind": spec["names"]["kind"], "version": version["name"]}]);
            let paths = version["selectableFields"].as_array().cloned().unwrap_or_default();
            let paths = paths.iter().map(|it| json!({"fieldPath": text(&it["jsonPath"])[1..]}));
            schema[SELECTORS] = json!(paths.collect::<Vec<_>>());
            (text(&spec["names"]["kind"]).to_owned(), schema)
        };
        json!({"components": {"schemas": crds.iter().map(schema).collect::<serde_json::Map<_, _>>()}})
    }

    fn of_requests(document: Option<&Value>) -> DefinitionState {
        let all = compared(&crds(), document);
        assert_eq!(all.len(), crds().len());
        all.into_iter().find(|it| it.name == "customeroffboardings.offboarding.dev").unwrap().state
    }

    #[test]
    fn older_newer_and_altered_definitions_are_told_apart() {
        let spec = "/components/schemas/CustomerOffboarding/properties/spec";
        let says = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        type Change = fn(&mut Value);
        let rows: &[(&str, Change, DefinitionState)] = &[
            ("nothing", |_| {}, DefinitionState::AsShipped),
            ("a description", |spec| spec["description"] = json!("other words"), DefinitionState::AsShipped),
            (
                "what the server adds of a number or a text",
                |spec| {
                    spec["properties"]["customer"]["properties"]["id"]["anyOf"] =
                        json!([{"type": "integer"}, {"type": "string"}]);
                },
                DefinitionState::AsShipped,
            ),
            (
                "a type more than the server adds",
                |spec| {
                    spec["properties"]["customer"]["properties"]["id"]["anyOf"] = json!([{"type": "object"}]);
                },
                DefinitionState::Altered(says(&["spec.customer.id"])),
            ),
            (
                "a field less",
                |spec| drop(spec["properties"].as_object_mut().unwrap().remove("suspend")),
                DefinitionState::Older(says(&["spec.suspend"])),
            ),
            (
                "a field less, and a rule of before",
                |spec| {
                    spec["properties"].as_object_mut().unwrap().remove("suspend");
                    spec["x-kubernetes-validations"] = json!([]);
                },
                DefinitionState::Older(says(&["spec.suspend"])),
            ),
            (
                "a field more",
                |spec| {
                    spec["properties"]["targets"]["items"]["properties"]["new"] = json!({"type": "string"})
                },
                DefinitionState::Newer(says(&["spec.targets[].new"])),
            ),
            (
                "a rule less",
                |spec| drop(spec.as_object_mut().unwrap().remove("x-kubernetes-validations")),
                DefinitionState::Altered(says(&["spec"])),
            ),
            (
                "another bound",
                |spec| spec["properties"]["targets"]["maxItems"] = json!(33),
                DefinitionState::Altered(says(&["spec.targets"])),
            ),
            (
                "unknown fields are kept",
                |spec| spec["x-kubernetes-preserve-unknown-fields"] = json!(true),
                DefinitionState::Altered(says(&["spec"])),
            ),
            (
                "one field for another",
                |spec| {
                    spec["properties"].as_object_mut().unwrap().remove("suspend");
                    spec["properties"]["pause"] = json!({"type": "boolean"});
                },
                DefinitionState::Altered(says(&["spec.suspend", "spec.pause"])),
            ),
        ];
        for (what, change, expected) in rows {
            let mut document = published(&crds());
            change(document.pointer_mut(spec).unwrap());
            assert_eq!(of_requests(Some(&document)), *expected, "{what}");
        }
    }

    #[test]
    fn a_kind_or_a_field_selector_that_is_not_there_is_seen() {
        assert_eq!(of_requests(None), DefinitionState::Missing);
        let mut document = published(&crds());
        document["components"]["schemas"].as_object_mut().unwrap().remove("CustomerOffboarding");
        assert_eq!(of_requests(Some(&document)), DefinitionState::Missing);
        let mut document = published(&crds());
        document["components"]["schemas"]["CustomerOffboarding"][SELECTORS].as_array_mut().unwrap().remove(1);
        let lacking = vec!["field selector status.finished".to_owned()];
        assert_eq!(of_requests(Some(&document)), DefinitionState::Older(lacking));
    }
}
