//! `docs/reference`: made of the schemas and the closed words, so that it cannot say anything else.

mod golden;
#[path = "reference/metrics_page.rs"]
mod metrics_page;
#[path = "reference/plugin_page.rs"]
mod plugin_page;

use std::{collections::BTreeMap, fmt::Write};

use offboarding::api::{
    ConditionType, OffboardingResult, Phase, ProviderConditionType, ProviderReason, Reason, Truth, crds,
};
use serde_json::Value;

#[test]
fn the_reference_documents_are_what_the_code_says() {
    let mut pages: Vec<_> = crds().iter().map(kind_page).collect();
    pages.push(("conditions.md".to_owned(), words_page()));
    pages.push(("kubectl-offboarding.md".to_owned(), format!("{GENERATED}{}", plugin_page::page())));
    pages.sort();
    golden::assert_directory_holds("docs/reference", &pages, "md");
}

#[test]
fn the_page_of_metrics_is_what_is_registered() {
    let (path, page) = ("docs/metrics.md", format!("{GENERATED}{}", metrics_page::page()));
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("ACCEPT").is_some() {
        std::fs::write(&file, &page).expect("the page can be written");
    }
    let committed = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        committed == page,
        "{path} is not what is registered; run the test with ACCEPT=1, and read the difference"
    );
}

#[test]
fn every_word_of_a_status_is_explained() {
    let meanings = [
        words(Phase::ALL, |it| (it.as_str(), it.meaning())),
        words(OffboardingResult::ALL, |it| (it.as_str(), it.meaning())),
        words(ConditionType::ALL, |it| (it.as_str(), it.meaning())),
        words(Reason::ALL, |it| (it.as_str(), it.meaning())),
        words(ProviderConditionType::ALL, |it| (it.as_str(), it.meaning())),
        words(ProviderReason::ALL, |it| (it.as_str(), it.meaning())),
    ];
    for (word, meaning) in meanings.concat() {
        assert!(meaning.ends_with('.'), "{word} means {meaning:?}");
    }
}

#[test]
fn every_reason_belongs_to_a_condition() {
    let given =
        |reasons: &[(Truth, &'static [Reason])]| reasons.iter().flat_map(|(_, it)| *it).collect::<Vec<_>>();
    let of_requests: Vec<_> = ConditionType::ALL.iter().flat_map(|it| given(it.reasons())).collect();
    for reason in Reason::ALL {
        assert!(of_requests.contains(&reason), "no condition gives the reason {reason}");
    }
    let given = |it: &ProviderConditionType| it.reasons().iter().flat_map(|(_, it)| *it).collect::<Vec<_>>();
    let of_providers: Vec<_> = ProviderConditionType::ALL.iter().flat_map(given).collect();
    for reason in ProviderReason::ALL {
        assert!(of_providers.contains(&reason), "no condition gives the reason {reason}");
    }
}

const GENERATED: &str = "<!-- Generated: `ACCEPT=1 cargo test --test reference` -->\n\n";

fn kind_page(crd: &Value) -> (String, String) {
    let (names, version) = (&crd["spec"]["names"], &crd["spec"]["versions"][0]);
    let schema = &version["schema"]["openAPIV3Schema"];
    let paths = |list: &str, key: &str| -> Vec<String> {
        let entries = version[list].as_array().into_iter().flatten();
        entries.map(|it| format!("`{}`", text(&it[key]))).collect()
    };
    let mut page = format!("{GENERATED}# {}\n\n{}\n\n", text(&names["kind"]), text(&schema["description"]));
    let about = [
        ("apiVersion", format!("`{}/{}`", text(&crd["spec"]["group"]), text(&version["name"]))),
        (
            "kubectl",
            format!("`kubectl get {}`; all kinds: `kubectl get offboarding`", text(&names["shortNames"][0])),
        ),
        ("columns", paths("additionalPrinterColumns", "name").join(", ")),
        ("field selectors", paths("selectableFields", "jsonPath").join(", ").replace("`.", "`")),
    ];
    page += "| | |\n|---|---|\n";
    for (name, value) in about.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(page, "| {name} | {value} |").expect("a text takes everything");
    }
    for part in ["spec", "status"] {
        let node = &schema["properties"][part];
        if node.is_object() {
            page += &format!("\n## {part}\n\n{}\n\n", text(&node["description"]));
            let mut tables = Tables::default();
            tables.fields("", node);
            page += "| Field | Type | Required | Default | Description |\n|---|---|---|---|---|\n";
            page += &tables.rows;
            if !tables.refusals.is_empty() {
                page += "\n### What the API server refuses\n\nBeyond types and bounds.\n\n| Field | Answer |\n|---|---|\n";
                page += &tables.refusals;
            }
        }
    }
    let rules = rules(schema, "");
    if !rules.is_empty() {
        page += &format!("\n## The whole object\n\n| Field | Answer |\n|---|---|\n{rules}");
    }
    (format!("{}.md", text(&names["singular"])), page)
}

#[derive(Default)]
struct Tables {
    rows: String,
    refusals: String,
    /// Where an object of this shape was described first.
    known: BTreeMap<String, String>,
}

impl Tables {
    fn fields(&mut self, path: &str, node: &Value) {
        self.refusals += &rules(node, path);
        let required = node["required"].as_array().cloned().unwrap_or_default();
        for (name, field) in node["properties"].as_object().into_iter().flatten() {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let is_required = required.iter().any(|it| it == name);
            self.field(&path, field, is_required);
        }
    }

    fn field(&mut self, path: &str, field: &Value, is_required: bool) {
        let (inner_path, inner) = match (field.get("items"), field.get("additionalProperties")) {
            (Some(items), _) => (format!("{path}[]"), items),
            (_, Some(values)) => (format!("{path}.*"), values),
            _ => (path.to_owned(), field),
        };
        let shape = inner["properties"].to_string();
        let has_fields = inner["properties"].is_object();
        let known = self.known.get(&shape).filter(|_| has_fields).cloned();
        let description = match &known {
            Some(known) => format!("{} Fields as in `{known}`.", text(&field["description"])),
            None => text(&field["description"]).to_owned(),
        };
        let default = match field.get("default") {
            None => String::new(),
            Some(Value::String(text)) if !text.is_empty() => format!("`{text}`"),
            Some(value) => format!("`{value}`"),
        };
        let required = if is_required { "yes" } else { "" };
        let description = description.replace('|', "\\|");
        writeln!(self.rows, "| `{path}` | {} | {required} | {default} | {description} |", type_of(field))
            .expect("a text takes everything");
        if inner_path != path {
            self.refusals += &rules(field, path);
        }
        if known.is_none() {
            self.known.insert(shape, inner_path.clone());
            self.fields(&inner_path, inner);
        }
    }
}

fn rules(node: &Value, path: &str) -> String {
    let rules = node["x-kubernetes-validations"].as_array().into_iter().flatten();
    let row = |rule: &Value| {
        let field = format!("{path}{}", text(&rule["fieldPath"]));
        let field = field.trim_start_matches('.');
        let field = if field.is_empty() { String::new() } else { format!("`{field}`") };
        format!("| {field} | {} |\n", text(&rule["message"]).replace('|', "\\|"))
    };
    rules.map(row).collect()
}

fn type_of(node: &Value) -> String {
    let bounds = |least: &str, most: &str| match (node.get(least), node.get(most)) {
        (Some(least), Some(most)) if least == most => format!(", exactly {least}"),
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        (Some(least), None) => format!(", at least {least}"),
        (None, Some(most)) => format!(", at most {most}"),
        (None, None) => String::new(),
    };
    let words = node["enum"].as_array().into_iter().flatten().map(|word| format!("`{}`", text(word)));
    match text(&node["type"]) {
        "string" if node.get("enum").is_some() => words.collect::<Vec<_>>().join(", "),
        "string" if node["format"] == "date-time" => "time".to_owned(),
        "string" | "" => format!("text{} characters", bounds("minLength", "maxLength")),
        "integer" => format!("whole number{}", bounds("minimum", "maximum")),
        "boolean" => "`true`, `false`".to_owned(),
        "array" => format!("list{} of: {}", bounds("minItems", "maxItems"), type_of(&node["items"])),
        "object" => match node.get("additionalProperties") {
            Some(values) => {
                format!("map{} of: {}", bounds("minProperties", "maxProperties"), type_of(values))
            }
            None => "object".to_owned(),
        },
        other => panic!("the reference has no words for the type {other}"),
    }
}

fn words_page() -> String {
    let mut page = format!("{GENERATED}# Phases, results, conditions and reasons\n\n");
    page += "Every word is spelled the same in status, Events, logs and metrics. `phase` is for eyes and selectors: automation uses conditions.\n";
    page += &section("Phases", &words(Phase::ALL, |it| (it.as_str(), it.meaning())));
    page += &section("Results", &words(OffboardingResult::ALL, |it| (it.as_str(), it.meaning())));
    page += &section(
        "Conditions of a CustomerOffboarding",
        &words(ConditionType::ALL, |it| (it.as_str(), it.meaning())),
    );
    for condition in ConditionType::ALL {
        page += &reasons(condition.as_str(), condition.reasons(), |it| (it.as_str(), it.meaning()));
    }
    let conditions = words(ProviderConditionType::ALL, |it| (it.as_str(), it.meaning()));
    page += &section("Conditions of an OffboardingProvider", &conditions);
    for condition in ProviderConditionType::ALL {
        page += &reasons(condition.as_str(), condition.reasons(), |it| (it.as_str(), it.meaning()));
    }
    page
}

type Explained = (&'static str, &'static str);

fn words<W: Copy>(all: &[W], explain: fn(W) -> Explained) -> Vec<Explained> {
    all.iter().copied().map(explain).collect()
}

fn section(title: &str, words: &[Explained]) -> String {
    let rows: String = words.iter().map(|(word, meaning)| format!("| `{word}` | {meaning} |\n")).collect();
    format!("\n## {title}\n\n| | |\n|---|---|\n{rows}")
}

fn reasons<R: Copy>(condition: &str, reasons: &[(Truth, &[R])], explain: fn(R) -> Explained) -> String {
    let mut rows = String::new();
    for (truth, reasons) in reasons {
        for (reason, meaning) in words(reasons, explain) {
            rows += &format!("| {truth} | `{reason}` | {meaning} |\n");
        }
    }
    format!("\n### {condition}\n\n| Status | Reason | |\n|---|---|---|\n{rows}")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
