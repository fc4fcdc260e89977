use std::collections::BTreeSet;

use super::*;
use catalogue::{ALL, Type};

fn metrics() -> Metrics {
    Metrics::new(vec!["juicyway", "revolv3"])
}

/// The series of a scrape: everything before the value.
fn series(text: &str) -> BTreeSet<String> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
}

#[test]
fn every_metric_has_a_name_of_its_own_that_says_its_unit() {
    let names: BTreeSet<&str> = ALL.iter().map(|of| of.name).collect();
    assert_eq!(names.len(), ALL.len());
    for of in ALL {
        let is_named = |unit: &str| of.name.ends_with(&format!("_{unit}")) == (of.unit == unit);
        assert!(is_named("seconds") && is_named("bytes"), "{}: {}", of.name, of.unit);
        assert!(!of.meaning.is_empty() && !of.meaning.ends_with('.'), "{}", of.name);
        assert!(!of.name.ends_with("_total"), "{}: the format adds it", of.name);
    }
}

#[test]
fn what_is_there_from_the_start_has_all_its_series_with_0() {
    let text = metrics().text(Vec::new());
    for line in [
        "offboarding_deletes_total{profile=\"custom\",outcome=\"Unknown\"} 0",
        "offboarding_reconcile_errors_total{controller=\"request\",step=\"saveStatus\"} 0",
        "workqueue_adds_total{name=\"record\",controller=\"record\"} 0",
        "controller_runtime_reconcile_time_seconds_count{controller=\"provider\"} 0",
        "offboarding_lease_lost_total 0",
        concat!("offboarding_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "# UNIT workqueue_queue_duration_seconds seconds",
        "# TYPE controller_runtime_reconcile_panics counter",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    assert!(!text.contains("name=\"record\",controller=\"request\""), "{text}");
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn what_is_counted_stands_under_the_labels_of_its_metric() {
    let metrics = metrics();
    let key = Key::of(Some("team"), "acme");
    metrics.woken(Controller::request, key);
    metrics.begins(Controller::request, key);
    metrics.failed(Controller::request, key, "saveStatus", Duration::from_secs(1));
    metrics.retried(Controller::request, key, Duration::from_secs(60));
    metrics.begins(Controller::request, key);
    metrics.passed(Controller::request, key, Some(Duration::from_secs(9)), Duration::from_secs(1));
    metrics.api_asked(&http::Method::POST, Some(201));
    metrics.api_asked(&http::Method::GET, None);
    let refused = Failure::new(Class::Transient, Cause::CircuitOpen);
    metrics.waited(metrics.profile(Some("juicyway")), Duration::ZERO, Some(&refused));
    metrics.asked(metrics.profile(None), Step::look, Some(Class::NotFound), Duration::from_millis(70));
    metrics.sent(
        metrics.profile(Some("mine")),
        &Outcome::Rejected(Failure::new(Class::Conflict, Cause::NotFound)),
    );
    let text = metrics.text(vec![
        Figure::of(&catalogue::HOLDS).with(["LegalHold"], 2_usize),
        Figure::alone(&catalogue::CPU, Number::Real(1.5)),
        Figure::of(&catalogue::REQUESTS),
    ]);
    for line in [
        "workqueue_adds_total{name=\"request\",controller=\"request\"} 2",
        "controller_runtime_reconcile_errors_total{controller=\"request\"} 1",
        "controller_runtime_reconcile_total{controller=\"request\",result=\"error\"} 1",
        "controller_runtime_reconcile_total{controller=\"request\",result=\"requeue_after\"} 1",
        "workqueue_retries_total{name=\"request\",controller=\"request\"} 1",
        "rest_client_requests_total{code=\"201\",method=\"POST\"} 1",
        "rest_client_requests_total{code=\"<error>\",method=\"GET\"} 1",
        "offboarding_provider_turns_refused_total{profile=\"juicyway\",cause=\"CircuitOpen\"} 1",
        "offboarding_provider_requests_total{profile=\"custom\",step=\"look\",outcome=\"NotFound\"} 1",
        "offboarding_provider_request_duration_seconds_bucket{le=\"0.1\",profile=\"custom\",step=\"look\"} 1",
        "offboarding_delete_failures_total{profile=\"custom\",class=\"Conflict\"} 1",
        "offboarding_holds_active{type=\"LegalHold\"} 2",
        "process_cpu_seconds_total 1.5",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    assert!(!text.contains("offboarding_requests{"), "what has no series is not there");
    assert_eq!(metrics.load(Controller::request).running, 0);
}

#[test]
fn figures_belong_to_one_scrape() {
    let metrics = metrics();
    let with = metrics.text(vec![Figure::of(&catalogue::HOLDS).with(["LegalHold"], 2_usize)]);
    let without = metrics.text(Vec::new());
    assert!(series(&with).contains("offboarding_holds_active{type=\"LegalHold\"}"));
    assert_eq!(series(&with).difference(&series(&without)).count(), 1);
}

/// Objects come and go under names of their own, and none of them leaves a series.
#[test]
fn as_many_series_are_there_after_five_thousand_objects_as_after_fifty() {
    let metrics = metrics();
    let work = |from: usize, to: usize| {
        for number in from..to {
            let key = Key::of(Some("team"), &format!("customer-{number}"));
            metrics.woken(Controller::request, key);
            metrics.begins(Controller::request, key);
            metrics.passed(Controller::request, key, None, Duration::from_millis(1));
            metrics.api_asked(&http::Method::PUT, Some(200));
            metrics.asked("custom", Step::delete, None, Duration::from_millis(1));
            metrics.waited("custom", Duration::ZERO, None);
            metrics.finished(OffboardingResult::Erased);
        }
        series(&metrics.text(Vec::new()))
    };
    let after_fifty = work(0, 50);
    assert_eq!(work(50, 5_000), after_fifty);
    let bound: usize = ALL.iter().map(|of| of.every_series(&["juicyway", "revolv3"]).len().max(1)).sum();
    let histograms = ALL.iter().filter(|of| of.kind == Type::Histogram).count();
    assert!(after_fifty.len() < bound + 12 * 15 * histograms, "{} of {bound}", after_fifty.len());
}
