//! What is there: the pages that must be, the parts that each must have, and links and fields that lead somewhere.

use std::collections::BTreeSet;

use offboarding::api::{
    ConditionType as C, OffboardingResult, ProviderConditionType as P, ProviderReason, Reason, Truth, crds,
};
use regex::Regex;
use serde_json::Value;

use crate::{RUNBOOKS, commands::commands, pages, root};

/// The pages about running the operator, which no reason is the name of.
const OF_THE_OPERATOR: &[&str] = &[
    "README",
    "api-server-trouble",
    "break-glass",
    "installation-key",
    "operator-errors",
    "operator-slow",
    "operator-without-leader",
    "requests-wait",
    "restore-a-cluster",
    "two-leaders",
    "verification-pending",
];

/// These tell what to do in an order of their own.
const OF_ANOTHER_FORM: &[&str] = &["README", "break-glass", "installation-key", "restore-a-cluster"];

const PARTS: &[&str] = &["## What happened", "## How to see it", "## What to do now"];

/// Nobody is needed, and nobody need be alarmed.
const HARMLESS: &[Reason] = &[
    Reason::CoolingOff,
    Reason::NotBefore,
    Reason::Pending,
    Reason::NotDeclared,
    Reason::BackupsRetained,
    Reason::NotStarted,
    Reason::InFlight,
    Reason::Rejected,
    Reason::InTime,
    Reason::NoDeadline,
];

/// Conditions, and the status that alarms.
const ALARMING: &[(C, &[Truth])] = &[
    (C::Stalled, &[Truth::True]),
    (C::Planned, &[Truth::False, Truth::Unknown]),
    (C::Unblocked, &[Truth::False, Truth::Unknown]),
    (C::Approved, &[Truth::False, Truth::Unknown]),
    (C::Deleted, &[Truth::False, Truth::Unknown]),
    (C::Verified, &[Truth::False, Truth::Unknown]),
    (C::DataErased, &[Truth::False, Truth::Unknown]),
    (C::Waiting, &[Truth::True]),
    (C::Overdue, &[Truth::True, Truth::False]),
];

/// Results whose page is that of what their end leaves to do; `Failed` has the page of the reason of `Stalled`.
const TOLD_BY: &[(OffboardingResult, &str)] = &[
    (OffboardingResult::Erased, "Erased"),
    (OffboardingResult::ErasedWithRetention, "Retained"),
    (OffboardingResult::Deactivated, "SoftDeleteOnly"),
    (OffboardingResult::Unverified, "NotObservable"),
    (OffboardingResult::AlreadyAbsent, "AlreadyAbsent"),
    (OffboardingResult::Cancelled, "Cancelled"),
    (OffboardingResult::PartiallyDone, "PartiallyDone"),
    (OffboardingResult::Recreated, "Recreated"),
];

fn names() -> BTreeSet<String> {
    pages().into_iter().map(|(name, _)| name).collect()
}

#[test]
fn there_is_a_page_for_what_alarms_or_ends_and_for_nothing_else() {
    let of_requests = ALARMING.iter().flat_map(|(condition, truths)| {
        let told = condition.reasons().iter().filter(move |(truth, _)| truths.contains(truth));
        told.flat_map(|(_, reasons)| *reasons)
    });
    let of_requests = of_requests.filter(|reason| !HARMLESS.contains(reason)).map(|reason| reason.as_str());
    let of_providers =
        P::ALL.iter().flat_map(|condition| condition.reasons()).flat_map(|(_, reasons)| *reasons);
    let healthy = [ProviderReason::ProbeSucceeded, ProviderReason::Closed];
    let of_providers = of_providers.filter(|reason| !healthy.contains(reason)).map(|reason| reason.as_str());
    let results = TOLD_BY.iter().map(|(_, page)| *page);
    let wanted: BTreeSet<String> = of_requests
        .chain(of_providers)
        .chain(results)
        .chain(OF_THE_OPERATOR.iter().copied())
        .map(str::to_owned)
        .collect();
    assert_eq!(names(), wanted);
}

#[test]
fn every_result_but_failed_has_its_page() {
    for result in OffboardingResult::ALL.iter().filter(|it| **it != OffboardingResult::Failed) {
        assert!(TOLD_BY.iter().any(|(told, _)| told == result), "{result}");
    }
}

#[test]
fn each_page_says_what_happened_how_to_see_it_and_what_to_do() {
    for (name, page) in pages() {
        let title = page.lines().next().unwrap_or_default();
        if !OF_THE_OPERATOR.contains(&name.as_str()) {
            assert_eq!(title, format!("# `{name}`"));
        }
        if !OF_ANOTHER_FORM.contains(&name.as_str()) {
            let parts: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
            assert_eq!(parts.get(..3), Some(PARTS), "{name}.md");
            assert!(parts[3..].iter().all(|part| *part == "## Afterwards"), "{name}.md: {parts:?}");
        }
        assert!(page.contains("```sh\n"), "{name}.md: commands to type");
    }
}

#[test]
fn every_page_is_listed_and_every_link_leads_somewhere() {
    let link = Regex::new(r"\]\(([^)#:]+)(?:#[^)]*)?\)").expect("a pattern");
    for (name, page) in pages() {
        for target in link.captures_iter(&page).filter_map(|found| found.get(1)) {
            let path = root().join(RUNBOOKS).join(target.as_str());
            assert!(path.is_file(), "{name}.md leads to {}", target.as_str());
        }
        let list = std::fs::read_to_string(root().join(RUNBOOKS).join("README.md")).expect("the list");
        assert!(name == "README" || list.contains(&format!("({name}.md)")), "README.md lists {name}.md");
    }
}

/// kubectl prints nothing where a field is not there, and says nothing of it.
#[test]
fn commands_read_fields_that_exist() {
    let field = Regex::new(r"\.(?:spec|status)(?:\.[A-Za-z]+|\[[^\]]*\])+").expect("a pattern");
    let kind = Regex::new(r"^kubectl (?:get|patch) ([a-z]+)\b").expect("a pattern");
    let mut count = 0;
    for (name, page) in pages() {
        for command in commands(&page) {
            let Some(schema) = kind.captures(&command.text).and_then(|found| schema_of(&found[1])) else {
                continue;
            };
            for path in field.find_iter(&command.text) {
                count += 1;
                assert!(is_there(&schema, path.as_str()), "{name}.md: {} in {}", path.as_str(), command.text);
            }
        }
    }
    assert!(count > 80, "{count} fields are found");
}

fn schema_of(short_name: &str) -> Option<Value> {
    let crd = crds().into_iter().find(|crd| crd["spec"]["names"]["shortNames"][0] == short_name)?;
    Some(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone())
}

fn is_there(schema: &Value, path: &str) -> bool {
    // A condition in brackets may have points in it.
    let brackets = Regex::new(r"\[[^\]]*\]").expect("a pattern");
    let plain = brackets.replace_all(path, "");
    let mut here = schema;
    for key in plain.split('.').filter(|key| !key.is_empty()) {
        let inner = &here["properties"][key];
        here = match (&inner["items"], &inner["additionalProperties"]) {
            (items, _) if items.is_object() => items,
            (_, values) if values.is_object() => values,
            _ => inner,
        };
        if !here.is_object() {
            return false;
        }
        if here["x-kubernetes-preserve-unknown-fields"] == true {
            return true;
        }
    }
    true
}
