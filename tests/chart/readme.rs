//! The chart's README: its table is made of `values.yaml`, and says what every value is for.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{
    golden,
    rendered::{CHART, documents, read},
};

const HEAD: &str = r"<!-- Generated from values.yaml: `ACCEPT=1 cargo test --test chart` -->

# customer-offboarding-operator

Offboards customers at SaaS providers, declaratively: exactly once, approved, verified, with evidence. For Kubernetes 1.33 or newer, Helm 3 and 4.

```sh
helm install offboarding charts/customer-offboarding-operator --namespace customer-offboarding --create-namespace \
  --set 'watchNamespaces={team-a,team-b}'
```

It installs the kinds, the admission policies that approvals stand on, the roles of people, the operator's own rights, and two replicas of which one
works. Kinds and policies are upgraded with the release and never deleted with it, and neither are records, the installation key and the namespace:
`docs/install.md` says what upgrade, rollback and uninstall do, and how to install with Argo CD, Flux, kustomize or kubectl.

## Values

What is not here is refused. Flags of the operator are given as environment variables; `extraArgs` are flags, and win.

| value | default | what it is |
|---|---|---|
";

/// One row: the path, and the comment above it.
struct Row {
    path: String,
    says: String,
}

#[test]
fn the_readme_of_the_chart_is_made_of_its_values() {
    let text = read(&format!("{CHART}/values.yaml"));
    let values = documents(&text).remove(0);
    let mut page = HEAD.to_owned();
    for Row { path, says } in rows(&text) {
        let default = path.split('.').fold(&values, |value, name| &value[name]);
        writeln!(page, "| `{path}` | `{}` | {says} |", shown(default)).unwrap();
    }
    golden::assert_directory_holds(CHART, &[("README.md".to_owned(), page)], "md");
}

#[test]
fn every_value_says_what_it_is_for() {
    let text = read(&format!("{CHART}/values.yaml"));
    let values = documents(&text).remove(0);
    let rows = rows(&text);
    let mut silent = Vec::new();
    leaves(&values, "", &mut |path| {
        let is_told = rows.iter().any(|row| path == row.path || path.starts_with(&format!("{}.", row.path)));
        if !is_told {
            silent.push(path.to_owned());
        }
    });
    assert_eq!(silent, [""; 0]);
    for Row { path, says } in rows {
        assert!(says.ends_with('.') && !says.contains('|'), "{path}: {says:?}");
    }
}

/// Keys with a comment right above them, in order.
fn rows(text: &str) -> Vec<Row> {
    let (mut rows, mut comment, mut path) = (Vec::new(), Vec::new(), Vec::<(usize, String)>::new());
    for line in text.lines() {
        let bare = line.trim_start();
        let indent = line.len() - bare.len();
        if let Some(words) = bare.strip_prefix('#') {
            comment.push(words.trim().to_owned());
            continue;
        }
        let key = bare.split_once(':').map(|(key, _)| key).filter(|key| {
            !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !bare.starts_with('-')
        });
        if let Some(key) = key {
            path.retain(|(depth, _)| *depth < indent);
            path.push((indent, key.to_owned()));
            if !comment.is_empty() {
                let names: Vec<&str> = path.iter().map(|(_, name)| name.as_str()).collect();
                rows.push(Row { path: names.join("."), says: comment.join(" ") });
            }
        }
        comment.clear();
    }
    rows
}

fn leaves(value: &Value, path: &str, see: &mut impl FnMut(&str)) {
    match value.as_object().filter(|fields| !fields.is_empty()) {
        Some(fields) => {
            for (name, value) in fields {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(value, &below, see);
            }
        }
        None => see(path),
    }
}

/// A default in one line.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() => text.clone(),
        other => other.to_string(),
    }
}
