//! What an expression of Prometheus names: just enough of its grammar, for expressions that promtool has accepted.

use std::collections::BTreeSet;

/// Behind these stands a list of labels.
const LABELS_FOLLOW: &[&str] = &["by", "without", "on", "ignoring", "group_left", "group_right"];

/// Names that are no metric, also where no bracket follows at once: `sum by (…) (…)`.
const WORDS: &[&str] = &["and", "or", "unless", "bool", "offset", "sum", "max", "min", "avg", "count"];

/// A metric, and what is asked of its labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    pub metric: String,
    /// Label, operator, text: `("reason", "=~", "A|B")`.
    pub matchers: Vec<(String, String, String)>,
}

/// Everything that an expression names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub metrics: Vec<Selected>,
    /// Labels in `by (…)`, `on (…)` and the like.
    pub labels: BTreeSet<String>,
}

/// Reads an expression.
pub fn named(expression: &str) -> Named {
    let mut found = Named::default();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        if !(first.is_ascii_alphabetic() || first == '_') {
            // Durations and numbers: `[5m]`, `0.2`.
            let skipped = |it: char| !(it.is_ascii_alphanumeric() || it == '.');
            let end = if first.is_ascii_digit() { rest.find(skipped) } else { Some(first.len_utf8()) };
            rest = &rest[end.unwrap_or(rest.len())..];
            continue;
        }
        let end = rest.find(|it: char| !(it.is_ascii_alphanumeric() || it == '_' || it == ':'));
        let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.trim_start();
        if LABELS_FOLLOW.contains(&name) {
            if let Some((labels, behind)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
                let labels = labels.split(',').map(str::trim).filter(|label| !label.is_empty());
                found.labels.extend(labels.map(str::to_owned));
                rest = behind;
            }
        } else if !rest.starts_with('(') && !WORDS.contains(&name) {
            let (matchers, behind) = matchers(rest);
            found.metrics.push(Selected { metric: name.to_owned(), matchers });
            rest = behind;
        }
    }
    found
}

/// `{a="b", c=~"d|e"}`, and what stands behind it. No text in our expressions has a quote or a brace in it.
fn matchers(rest: &str) -> (Vec<(String, String, String)>, &str) {
    let Some((inner, behind)) = rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) else {
        return (Vec::new(), rest);
    };
    let parts: Vec<&str> = inner.split('"').collect();
    let found = parts.chunks_exact(2).map(|pair| {
        let head = pair[0].trim_start_matches([',', ' ']);
        let at = head.find(['=', '!']).expect("promtool has accepted it");
        (head[..at].trim().to_owned(), head[at..].trim().to_owned(), pair[1].to_owned())
    });
    (found.collect(), behind)
}

#[test]
fn metrics_matchers_and_labels_are_told_apart() {
    let found = named(
        "0.2 * sum by (a, b) (rate(x_total{c=\"1\", d=~\"e|f\"}[15m]) and on (job) y) > 3 * 86400\n  or count(z) > 10",
    );
    let matcher = |label: &str, operator: &str, text: &str| (label.into(), operator.into(), text.into());
    let metric = |name: &str| Selected { metric: name.into(), matchers: Vec::new() };
    let x =
        Selected { matchers: vec![matcher("c", "=", "1"), matcher("d", "=~", "e|f")], ..metric("x_total") };
    assert_eq!(found.metrics, [x, metric("y"), metric("z")]);
    assert_eq!(found.labels, BTreeSet::from(["a", "b", "job"].map(str::to_owned)));
}
