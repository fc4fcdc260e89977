//! The alerts: read by promtool, tested in both directions, and each with a page to follow.

use std::{collections::BTreeSet, thread};

use offboarding::api::{ConditionType, Truth};
use serde_json::Value;

use crate::{documented::Documented, expression::named, files, list, promtool, root, text, word, yaml};

const RULES: &str = "charts/customer-offboarding-operator/files/alerts.yaml";

/// What the chart replaces by where the runbooks are.
const RUNBOOKS: &str = "RUNBOOKS_URL/";

/// A label in a runbook's address.
const REASON: &str = "{{ $labels.reason }}";

fn alerts() -> Vec<Value> {
    let rules = yaml(RULES);
    let alerts: Vec<Value> =
        list(&rules["groups"]).iter().flat_map(|group| list(&group["rules"]).to_vec()).collect();
    assert!(alerts.len() >= 30, "the alerts are found: {}", alerts.len());
    alerts
}

#[test]
fn promtool_takes_the_rules() {
    if let Err(said) = promtool(&["check", "rules"], &root().join(RULES)) {
        panic!("{said}");
    }
}

#[test]
fn each_alert_fires_when_it_should_and_else_keeps_quiet() {
    let files = files("tests/alerts", ".test.yaml");
    let judged: Vec<_> = thread::scope(|scope| {
        let judges: Vec<_> = files
            .iter()
            .map(|file| scope.spawn(move || promtool(&["test", "rules"], &root().join(file))))
            .collect();
        judges.into_iter().map(|judge| judge.join().expect("a judge does not panic")).collect()
    });
    let said: Vec<String> = judged.into_iter().filter_map(Result::err).collect();
    assert!(said.is_empty(), "{}", said.join("\n"));
}

#[test]
fn each_alert_is_tested_in_both_directions() {
    let (mut fires, mut quiet) = (BTreeSet::new(), BTreeSet::new());
    for file in files("tests/alerts", ".test.yaml") {
        for case in list(&yaml(&file)["tests"]) {
            // promtool sets every series to one moment where this is left out, and nothing ever fires.
            assert!(case["interval"].is_string(), "{file}: {} has no interval", case["name"]);
            for told in list(&case["alert_rule_test"]) {
                let expected = told["exp_alerts"].as_array().expect("what is expected");
                let tested = if expected.is_empty() { &mut quiet } else { &mut fires };
                tested.insert(word(&told["alertname"]).to_owned());
            }
        }
    }
    let all: BTreeSet<String> = alerts().iter().map(|alert| word(&alert["alert"]).to_owned()).collect();
    assert_eq!(fires, all, "fires");
    assert_eq!(quiet, all, "keeps quiet");
}

#[test]
fn each_alert_says_what_it_is_and_how_urgent() {
    let mut names = BTreeSet::new();
    for alert in alerts() {
        let name = word(&alert["alert"]);
        assert!(
            name.starts_with("Offboarding") && names.insert(name.to_owned()),
            "{name}: a name of its own"
        );
        assert!(["critical", "warning"].contains(&word(&alert["labels"]["severity"])), "{name}: severity");
        for told in ["summary", "description"] {
            assert!(word(&alert["annotations"][told]).ends_with(['.', '?']), "{name}: {told} is a sentence");
        }
        // A summary is what alerts are grouped by.
        assert!(
            !word(&alert["annotations"]["summary"]).contains("{{"),
            "{name}: the summary is always the same"
        );
    }
}

#[test]
fn each_alert_leads_to_a_runbook() {
    let documented = Documented::read();
    for alert in alerts() {
        let (name, url) = (word(&alert["alert"]), word(&alert["annotations"]["runbook_url"]));
        let page =
            url.strip_prefix(RUNBOOKS).unwrap_or_else(|| panic!("{name}: {url} begins with {RUNBOOKS}"));
        let pages: Vec<String> = if page.contains(REASON) {
            reasons(&documented, word(&alert["expr"]))
                .iter()
                .map(|reason| page.replace(REASON, reason))
                .collect()
        } else {
            vec![page.to_owned()]
        };
        assert!(!pages.is_empty(), "{name}: there is a reason");
        for page in pages {
            assert!(
                root().join("docs/runbooks").join(&page).is_file(),
                "{name}: there is no docs/runbooks/{page}"
            );
        }
    }
}

#[test]
fn the_list_of_runbooks_has_each_alert_and_its_page() {
    let list = text("docs/runbooks/README.md");
    let listed = list.lines().filter(|line| line.starts_with("| `Offboarding"));
    let told = alerts().into_iter().map(|alert| {
        let page = word(&alert["annotations"]["runbook_url"]).trim_start_matches(RUNBOOKS).to_owned();
        let name = page.trim_end_matches(".md");
        // Reasons are words of a status.
        let name = if name.starts_with(|it: char| it.is_uppercase()) {
            format!("`{name}`")
        } else {
            name.to_owned()
        };
        let link = match page.contains(REASON) {
            true => "the page of its label `reason`".to_owned(),
            false => format!("[{name}]({page})"),
        };
        format!("| `{}` | {} | {link} |", word(&alert["alert"]), word(&alert["labels"]["severity"]))
    });
    assert_eq!(listed.collect::<Vec<_>>(), told.collect::<Vec<_>>());
}

/// The reasons that an expression lets through.
fn reasons(documented: &Documented, expression: &str) -> Vec<String> {
    let metrics = named(expression).metrics;
    let selected = metrics.iter().find(|it| it.matchers.iter().any(|(label, ..)| label == "reason"));
    let selected = selected.expect("a metric with a reason");
    let (_, operator, text) =
        selected.matchers.iter().find(|(label, ..)| label == "reason").expect("it was found by it");
    let listed: Vec<String> = text.split('|').map(str::to_owned).collect();
    match operator.as_str() {
        "=" | "=~" => listed,
        _ => {
            let mut all = documented.values(&selected.metric, "reason");
            if all.is_empty() {
                all = reasons_of_requests();
            }
            all.into_iter().filter(|reason| !listed.contains(reason)).collect()
        }
    }
}

/// Why an unfinished request can be where it is, as `offboarding_requests` tells it.
fn reasons_of_requests() -> BTreeSet<String> {
    let told = [
        (ConditionType::Stalled, Some(Truth::True)),
        (ConditionType::Unblocked, Some(Truth::False)),
        (ConditionType::Waiting, Some(Truth::True)),
        (ConditionType::Approved, Some(Truth::False)),
        (ConditionType::Reconciling, None),
    ];
    let reasons = told.iter().flat_map(|(condition, wanted)| {
        condition.reasons().iter().filter(move |(truth, _)| wanted.is_none_or(|wanted| wanted == *truth))
    });
    reasons.flat_map(|(_, reasons)| *reasons).map(|reason| reason.as_str().to_owned()).collect()
}

#[test]
fn alerts_name_only_what_is_documented() {
    let documented = Documented::read();
    for alert in alerts() {
        let unknown = documented.unknown(word(&alert["expr"]));
        assert!(unknown.is_empty(), "{}: {}", alert["alert"], unknown.join("; "));
    }
}

#[test]
fn what_other_operators_expose_too_counts_from_ours_alone() {
    for alert in alerts() {
        let metrics = named(word(&alert["expr"])).metrics;
        let is_ours = |metric: &str| metric.starts_with("offboarding_");
        let shared: Vec<_> = metrics.iter().filter(|it| !is_ours(&it.metric)).collect();
        let guards = metrics.iter().filter(|it| it.metric == "offboarding_ready").count();
        let named_ours = |name: &str| {
            metrics
                .iter()
                .filter(|it| it.matchers.iter().any(|(label, _, text)| label == "name" && text == name))
                .count()
        };
        let guarded = guards + named_ours("customer-offboarding-operator");
        assert!(guarded >= shared.len(), "{}: {shared:?} are the names of many", alert["alert"]);
    }
}

/// The chart puts the rules into a PrometheusRule as they are.
#[test]
fn the_rules_are_no_template_of_helm() {
    for (at, line) in text(RULES).lines().enumerate() {
        for inside in line.split("{{").skip(1) {
            let inside = inside.split("}}").next().unwrap_or_default().trim();
            let is_prometheus = inside.starts_with("$labels.") || inside.starts_with("$value");
            assert!(is_prometheus, "{RULES}:{}: {inside}", at + 1);
        }
    }
}
