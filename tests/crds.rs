//! The definitions that users install: what the binary prints, complete, bounded and described.

mod golden;

use std::process::Command;

use offboarding::api::{SPAN_PATTERN, crds};
use serde_json::{Value, json};

/// Everything that a request may say, and whether it may be said differently later.
const REQUEST_FIELDS: &[(&str, Change)] = &[
    ("acceptAbsent", Change::Never),
    ("cancel", Change::OneWay),
    ("customer", Change::Never),
    ("notBefore", Change::Later),
    ("request", Change::Never),
    ("suspend", Change::Anytime),
    ("targets", Change::Never),
    ("ttlAfterFinished", Change::Anytime),
];

#[derive(PartialEq)]
enum Change {
    Never,
    OneWay,
    /// Only to later, once people agreed: told by a rule on the whole object, which sees the status.
    Later,
    Anytime,
}

#[test]
fn the_files_in_crds_are_what_the_binary_prints() {
    let printed = Command::new(env!("CARGO_BIN_EXE_customer-offboarding-operator")).arg("crds").output();
    let printed = printed.expect("the binary runs");
    assert!(printed.status.success(), "{printed:?}");
    let printed = String::from_utf8(printed.stdout).expect("YAML is text");
    let documents = printed.split_inclusive("---\n").skip(1);
    let documents: Vec<String> =
        documents.map(|it| format!("---\n{}", it.strip_suffix("---\n").unwrap_or(it))).collect();
    assert_eq!(documents.concat(), printed, "the files in order are all that is printed");
    let names = crds().into_iter().map(|crd| format!("{}.yaml", text(&crd["spec"]["names"]["plural"])));
    golden::assert_directory_holds("crds", &names.zip(documents).collect::<Vec<_>>(), "yaml");
}

#[test]
fn every_node_of_a_schema_has_one_plain_type() {
    for (path, node) in nodes() {
        for word in ["$ref", "nullable", "oneOf", "anyOf", "allOf", "not"] {
            assert!(node.get(word).is_none(), "{path} has {word}");
        }
        // An id written without quotes must reach our own words; everything else has a type.
        let is_id =
            ["CustomerOffboarding.spec.customer.id", "CustomerOffboarding.spec.targets[].customer.id"];
        let is_typed = if is_id.contains(&path.as_str()) {
            node["x-kubernetes-int-or-string"] == true
        } else {
            ["object", "array", "string", "integer", "boolean"].iter().any(|it| node["type"] == *it)
        };
        assert!(is_typed, "{path} has the type {}", node["type"]);
        assert!(!list(&node["enum"]).contains(&Value::Null), "{path} offers null");
    }
}

#[test]
fn every_field_says_what_it_is_for() {
    let fields = nodes().into_iter().filter(|(path, _)| !path.ends_with([']', '}']));
    for (path, node) in fields {
        let description = node["description"].as_str().unwrap_or_default();
        assert!(description.ends_with('.'), "{path} is described as {description:?}");
        assert!(!description.contains('\n'), "{path} is described on several lines");
    }
}

#[test]
fn everything_is_bounded() {
    for (path, node) in nodes() {
        let bounds: &[&str] = match node["type"].as_str() {
            Some("string") => &["maxLength", "enum", "format"],
            Some("array") => &["maxItems"],
            Some("object") if node.get("additionalProperties").is_some() => &["maxProperties"],
            _ => continue,
        };
        assert!(bounds.iter().any(|bound| node.get(*bound).is_some()), "{path} has none of {bounds:?}");
    }
}

/// The schema of a `Span` is told by its length: four numbers of up to six digits, each with a unit.
#[test]
fn every_length_of_time_is_neither_negative_nor_endless() {
    let spans: Vec<_> = nodes().into_iter().filter(|(_, node)| node["maxLength"] == 36).collect();
    assert!(spans.len() > 8, "only {} lengths of time were found", spans.len());
    for (path, node) in spans {
        let is_bounded = |rule: &Value| {
            let rule = text(&rule["rule"]);
            rule.contains(SPAN_PATTERN)
                && rule.contains("duration(self) >=")
                && rule.contains("duration(self) <=")
        };
        assert!(list(&node["x-kubernetes-validations"]).iter().any(is_bounded), "{path} has no bounds");
    }
}

#[test]
fn every_list_says_how_two_writers_share_it() {
    for (path, node) in nodes().into_iter().filter(|(_, node)| node["type"] == "array") {
        assert!(
            ["atomic", "set", "map"].iter().any(|it| node["x-kubernetes-list-type"] == *it),
            "{path} has no list type"
        );
    }
}

#[test]
fn numbers_are_whole() {
    for (path, node) in nodes() {
        for bound in ["minimum", "maximum"] {
            let is_whole = node.get(bound).is_none_or(|it| it.is_i64() || it.is_u64());
            assert!(is_whole, "{path} has the {bound} {}", node[bound]);
        }
        if node["type"] == "integer" {
            assert!(["int32", "int64"].iter().any(|it| node["format"] == *it), "{path}: {}", node["format"]);
        }
    }
}

/// A reference that names a namespace would let a requester use what belongs to others. A record is no reference: the
/// operator writes down where the request was; a hold is the cluster's, and only stops what it names.
#[test]
fn nothing_that_users_write_names_a_namespace() {
    let written = nodes().into_iter().filter(|(path, _)| {
        !path.starts_with("OffboardingRecord.") && path != "CustomerHold.spec.providers[].namespace"
    });
    for (path, _) in written {
        assert!(!path.to_lowercase().ends_with("namespace"), "{path} leads out of the namespace");
    }
}

#[test]
fn every_field_of_a_request_is_immutable_or_a_control() {
    let request = schema(&definition("CustomerOffboarding")).clone();
    let spec = &request["properties"]["spec"];
    let fields: Vec<&String> = spec["properties"].as_object().expect("properties").keys().collect();
    let known: Vec<&str> = REQUEST_FIELDS.iter().map(|(field, _)| *field).collect();
    assert_eq!(fields, known, "say in REQUEST_FIELDS whether a new field may change");
    for (field, change) in REQUEST_FIELDS {
        let about = |node: &Value, path: String| -> Vec<Value> {
            let rules = list(&node["x-kubernetes-validations"]).iter();
            let fits = |rule: &&Value| rule["fieldPath"] == path && text(&rule["rule"]).contains("oldSelf");
            rules.filter(fits).cloned().collect()
        };
        let [of_spec, of_root] =
            [about(spec, format!(".{field}")), about(&request, format!(".spec.{field}"))];
        assert_eq!(of_root.len(), usize::from(*change == Change::Later), "{field}: {of_root:?}");
        let due = usize::from(matches!(change, Change::Never | Change::OneWay));
        assert_eq!(of_spec.len(), due, "{field}: {of_spec:?}");
        let rules = [of_spec, of_root].concat();
        assert!(rules.iter().all(|rule| rule["reason"] == "FieldValueForbidden"), "{field}: {rules:?}");
    }
}

#[test]
fn what_kubectl_needs_to_know_about_a_kind() {
    let columns = |crd: &Value| -> Vec<String> {
        let columns = list(&crd["spec"]["versions"][0]["additionalPrinterColumns"]);
        columns
            .iter()
            .map(|it| format!("{} {} {}", text(&it["name"]), text(&it["type"]), text(&it["jsonPath"])))
            .collect()
    };
    let selectable = |crd: &Value| -> Vec<String> {
        list(&crd["spec"]["versions"][0]["selectableFields"])
            .iter()
            .map(|it| text(&it["jsonPath"]).to_owned())
            .collect()
    };
    let kinds = [
        ("ClusterOffboardingProvider", "ccobp", "Cluster", true),
        ("CustomerHold", "cobh", "Cluster", false),
        ("CustomerOffboarding", "cob", "Namespaced", true),
        ("OffboardingApproval", "coba", "Namespaced", false), // said once; what became of it stands at the request
        ("OffboardingProvider", "cobp", "Namespaced", true),
        ("OffboardingRecord", "cobr", "Namespaced", false), // a POST would drop the first intent
    ];
    let names: Vec<String> = crds().iter().map(|it| text(&it["spec"]["names"]["kind"]).to_owned()).collect();
    assert_eq!(names, kinds.map(|(kind, ..)| kind), "in the order of their names");
    for (kind, short, scope, has_status) in kinds {
        let crd = definition(kind);
        let names = &crd["spec"]["names"];
        assert_eq!(names["shortNames"], json!([short]));
        assert_eq!(names["categories"], json!(["offboarding"]));
        assert_eq!(crd["spec"]["scope"], scope);
        assert_eq!(crd["spec"]["versions"][0].get("subresources").is_some(), has_status, "{kind}");
    }
    assert_eq!(
        columns(&definition("CustomerOffboarding")),
        [
            "Phase string .status.phase",
            "Waiting-For string .status.waitingFor",
            "Until string .status.waitingUntil", // a date in the future would print as <invalid>
            "Due string .status.due",
            "Targets string .status.targetsDone",
            "Result string .status.result",
            "Age date .metadata.creationTimestamp",
        ]
    );
    assert_eq!(
        columns(&definition("OffboardingProvider")),
        [
            "Profile string .spec.profile",
            "Account string .spec.account",
            "Environment string .spec.environment",
            r#"Ready string .status.conditions[?(@.type=="Ready")].reason"#,
            "Age date .metadata.creationTimestamp",
        ]
    );
    assert_eq!(
        columns(&definition("OffboardingRecord")),
        [
            "Account string .spec.account",
            "Attempts integer .spec.attempts[-1:].n",
            "Waiting-For string .spec.waitingFor",
            "Result string .spec.result",
            "Age date .metadata.creationTimestamp",
        ]
    );
    assert_eq!(
        columns(&definition("OffboardingApproval")),
        [
            "Decision string .spec.decision",
            "Approver string .spec.approver",
            "For string .spec.for[*].name",
            "Expires string .spec.expiresAt",
            "Age date .metadata.creationTimestamp",
        ]
    );
    assert_eq!(
        columns(&definition("CustomerHold")),
        [
            "Type string .spec.type",
            "All boolean .spec.all",
            "Reference string .spec.reference",
            "Expires string .spec.expiresAt",
            "Age date .metadata.creationTimestamp",
        ]
    );
    assert_eq!(
        columns(&definition("ClusterOffboardingProvider")),
        columns(&definition("OffboardingProvider"))
    );
    for (kind, fields) in [
        ("ClusterOffboardingProvider", &[][..]),
        ("CustomerHold", &[]),
        (
            "CustomerOffboarding",
            &[".status.phase", ".status.finished", ".spec.request.reason", ".spec.ttlAfterFinished"],
        ),
        ("OffboardingApproval", &[]),
        ("OffboardingProvider", &[]),
        (
            "OffboardingRecord",
            &[".spec.closed", ".spec.day", ".spec.account", ".spec.keyId", ".spec.request.uid"],
        ),
    ] {
        assert_eq!(selectable(&definition(kind)), fields, "{kind}");
    }
}

/// Rules, bounds, defaults and words: what is not compared here would have to be written twice.
#[test]
fn a_provider_of_the_cluster_says_what_one_of_a_namespace_says_and_whom_it_serves() {
    let part = |kind: &str, part: &str| schema(&definition(kind))["properties"][part].clone();
    let (mut clusters, mut namespaced) =
        (part("ClusterOffboardingProvider", "spec"), part("OffboardingProvider", "spec"));
    let added = clusters["properties"].as_object_mut().and_then(|it| it.remove("allowedNamespaces"));
    assert!(added.is_some_and(|it| it["maxItems"] == 256));
    for spec in [&mut clusters, &mut namespaced] {
        assert!(spec.as_object_mut().and_then(|it| it.remove("description")).is_some());
    }
    assert_eq!(clusters, namespaced);
    assert_eq!(part("ClusterOffboardingProvider", "status"), part("OffboardingProvider", "status"));
}

/// `kubectl apply` without `--server-side` keeps the whole manifest in an annotation of at most 262,144 bytes.
#[test]
fn a_definition_can_also_be_applied_on_the_client_side() {
    for crd in crds() {
        let bytes = crd.to_string().len();
        assert!(bytes < 200_000, "{} has {bytes} bytes", text(&crd["metadata"]["name"]));
    }
}

/// Every schema node of every kind, with its path as users would write it.
fn nodes() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for crd in crds() {
        collect(text(&crd["spec"]["names"]["kind"]), schema(&crd), &mut found);
    }
    assert!(found.len() > 300, "the walk found only {} nodes", found.len());
    found
}

fn collect(path: &str, node: &Value, found: &mut Vec<(String, Value)>) {
    found.push((path.to_owned(), node.clone()));
    for (name, child) in node["properties"].as_object().into_iter().flatten() {
        collect(&format!("{path}.{name}"), child, found);
    }
    for (word, brackets) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(child) = node.get(word) {
            collect(&format!("{path}{brackets}"), child, found);
        }
    }
}

fn definition(kind: &str) -> Value {
    let named = |crd: &Value| crd["spec"]["names"]["kind"] == kind;
    crds().into_iter().find(named).unwrap_or_else(|| panic!("there is no kind {kind}"))
}

fn schema(crd: &Value) -> &Value {
    &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
