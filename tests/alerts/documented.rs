//! The metrics of `docs/metrics.md`, and whether an expression names only these.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    expression::{Selected, named},
    text,
};

/// What Prometheus itself adds: who was scraped, the bound of a bucket.
const OF_PROMETHEUS: &[&str] = &["job", "instance", "namespace", "pod", "le"];

/// The alerts as series.
const ALERTS: &str = "ALERTS";

/// Each metric as it is exposed, its labels, and the values that each can have; `None` where they are not listed there.
pub struct Documented(BTreeMap<String, BTreeMap<String, Option<BTreeSet<String>>>>);

impl Documented {
    /// Reads the page: one row for each metric, with everything exact in backticks.
    pub fn read() -> Documented {
        let page = text("docs/metrics.md");
        let mut metrics = BTreeMap::new();
        for row in page.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = row.split(" | ").collect();
            let &[names, kind, _, labels, ..] = cells.as_slice() else { continue };
            if ["counter", "gauge", "histogram", "info"].contains(&kind) {
                metrics.extend(quoted(names).map(|name| (name.to_owned(), labels_of(labels))));
            }
        }
        assert!(metrics.len() > 40, "the metrics are found: {}", metrics.len());
        Documented(metrics)
    }

    /// The values that a label of a metric can have; empty where they are not listed.
    pub fn values(&self, metric: &str, label: &str) -> BTreeSet<String> {
        self.0.get(metric).and_then(|labels| labels.get(label)).cloned().flatten().unwrap_or_default()
    }

    /// What an expression names and the page does not know.
    pub fn unknown(&self, expression: &str) -> Vec<String> {
        let found = named(expression);
        let mut unknown: Vec<String> =
            found.metrics.iter().flat_map(|metric| self.unknown_of(metric)).collect();
        for label in &found.labels {
            let has_it = |metric: &Selected| {
                self.0.get(&metric.metric).is_some_and(|labels| labels.contains_key(label))
            };
            if !OF_PROMETHEUS.contains(&label.as_str()) && !found.metrics.iter().any(has_it) {
                unknown.push(format!("none of these metrics has the label {label}"));
            }
        }
        unknown
    }

    fn unknown_of(&self, selected: &Selected) -> Vec<String> {
        let Selected { metric, matchers } = selected;
        if metric == ALERTS {
            return Vec::new();
        }
        let Some(labels) = self.0.get(metric) else { return vec![format!("there is no metric {metric}")] };
        let mut unknown = Vec::new();
        for (label, _, text) in matchers {
            match labels.get(label) {
                None => unknown.push(format!("{metric} has no label {label}")),
                Some(None) => {}
                Some(Some(values)) => {
                    let strange = text.split('|').filter(|value| !values.contains(*value));
                    unknown.extend(strange.map(|value| format!("{label} of {metric} is never {value}")));
                }
            }
        }
        unknown
    }
}

/// `` `controller`: `request`, `record`; `result`: … ``
fn labels_of(cell: &str) -> BTreeMap<String, Option<BTreeSet<String>>> {
    let labels = cell.split("; ").filter_map(|label| label.split_once(": "));
    labels
        .map(|(name, values)| {
            let listed: BTreeSet<String> = quoted(values).map(str::to_owned).collect();
            // A range, a page, or another field's values are no list.
            let is_list = values.split(", ").all(|value| value.starts_with('`') && value.ends_with('`'));
            (name.trim_matches('`').to_owned(), is_list.then_some(listed))
        })
        .collect()
}

fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn what_is_not_documented_is_found() {
    let documented = Documented::read();
    let strange = documented.unknown(
        "sum by (kind, reason) (offboarding_provider{reason=\"AuthFailed\"}) + max(offboarding_providers{reason=~\"AuthFailed|Sad\", cause=\"x\"})",
    );
    assert_eq!(
        strange,
        [
            "there is no metric offboarding_provider",
            "reason of offboarding_providers is never Sad",
            "offboarding_providers has no label cause",
            "none of these metrics has the label kind",
        ]
    );
}
