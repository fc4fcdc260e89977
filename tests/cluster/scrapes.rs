//! D4: `/metrics` over TLS to whoever may read it and to nobody else, and in it every metric of docs/metrics.md, with labels of closed
//! sets, however many customers there are.

use std::collections::{BTreeMap, BTreeSet};

use harness::{Options, Provider::Juicyway, Scratch};
use offboarding::{
    metrics::catalogue::{ALL, CUSTOM, Described, NO_ANSWER, Type, Values},
    providers::built_in_names,
};
use serde_json::json;

use crate::{
    audit::calls,
    scraper::{Certificate, Scraper, who_may_read},
    stage::{Stage, plain_get, told_address},
    story::Story,
};

/// How many customers come after the first.
const MORE: usize = 30;

#[tokio::test]
async fn metrics_are_there_for_who_may_read_them_and_all_that_are_documented_whoever_is_offboarded() {
    let scratch = Scratch::new("certificate").unwrap();
    let certificate = Certificate::written(&scratch);
    let flags = [
        ["--metrics-address", "127.0.0.1:0"],
        ["--probe-address", "127.0.0.1:0"],
        ["--metrics-certificate", &certificate.file],
        ["--metrics-key", &certificate.key],
        ["--destructive-rate", "1000"],
    ];
    let options = Options::default().with_audit_log();
    let stage = Stage::start_with(options, &flags.concat(), &[]).await.unwrap();
    let (scraper, probes) = {
        let operator = stage.operator.lock().await;
        let scraper = Scraper::new(told_address(&operator, "serving metrics over TLS"), &certificate);
        (scraper, told_address(&operator, "serving the probes"))
    };
    assert_eq!(plain_get(&probes, "/healthz").await, (200, "ok".to_owned()));
    assert_eq!(plain_get(&probes, "/readyz").await, (200, "leader".to_owned()));
    assert_eq!(plain_get(&probes, "/metrics").await.0, 404);

    let token = who_may_read(&stage.plane).await;
    for (path, token, status) in [
        ("/metrics", None, 401),
        ("/", None, 401),
        ("/metrics", Some("made-up"), 401),
        ("/metrics", Some("token-of-alice"), 403),
        ("/", Some("token-of-alice"), 403),
        ("/metrics", Some(token.as_str()), 200),
        ("/healthz", Some(token.as_str()), 404),
        ("/metrics", Some(token.as_str()), 200),
    ] {
        let (answered, body) = scraper.get(path, token).await;
        assert_eq!(answered, status, "{path} {token:?}: {body}");
        assert_eq!(body.contains("# TYPE"), status == 200, "{path} {token:?}: {body}");
    }
    let asked = |resource: &str| calls(&stage).iter().filter(|call| call.resource == resource).count();
    assert_eq!((asked("tokenreviews"), asked("subjectaccessreviews")), (3, 2), "each token once");

    let story = stage.story("scrapes").await;
    first_customers(&story).await;
    let (_, text) = scraper.get("/metrics", Some(&token)).await;
    every_metric_is_there(&text, &story);
    let before = series_of_ours(&text);
    for customer in 0..MORE {
        let id = format!("cus_more{customer}");
        story.sandbox.seed(Juicyway, &id, &json!({})).await.unwrap();
        story.request(&format!("more-{customer}"), Juicyway, &id).await;
    }
    for customer in 0..MORE {
        story.finished(&format!("more-{customer}")).await;
    }
    let (_, text) = scraper.get("/metrics", Some(&token)).await;
    assert_eq!(series_of_ours(&text), before, "{MORE} more customers");
    assert!(!text.contains("cus_") && !text.contains("more-"), "{text}");
    story.judged().await;
}

/// One that is done, of an account with a budget, and one at a built-in profile that waits for people, and is nearly due.
async fn first_customers(story: &Story<'_>) {
    for id in ["cus_done", "cus_waits"] {
        story.sandbox.seed(Juicyway, id, &json!({})).await.unwrap();
    }
    story.provider(Juicyway, json!({"budget": {"perDay": 100}})).await;
    story.request("done", Juicyway, "cus_done").await;
    story.finished("done").await;
    let built_in = json!({"customProfile": null, "profile": "juicyway", "approvals": {"required": 1}});
    story.provider_as("built-in", Juicyway, built_in).await;
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let waits = json!({
        "request": {"regime": "Custom", "dueBy": soon.round(jiff::Unit::Second).unwrap().to_string()},
        "targets": [{"name": "default", "providerRef": {"name": "built-in"}, "mode": "Hard"}],
    });
    story.request_with("waits", Juicyway, "cus_waits", waits).await;
    story.reason("waits", "Waiting", "AwaitingApproval").await;
}

/// The samples of a scrape: name, labels and value.
fn samples(text: &str) -> Vec<(String, BTreeMap<String, String>, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.strip_suffix("\"}").unwrap_or_default();
            let labels = labels.split("\",").filter(|label| !label.is_empty()).map(|label| {
                let (name, value) = label.split_once("=\"").unwrap();
                (name.to_owned(), value.to_owned())
            });
            (name.to_owned(), labels.collect(), value.parse().unwrap())
        })
        .collect()
}

/// But for the requests by phase and reason: what is just finished is in the cache for a moment.
fn series_of_ours(text: &str) -> BTreeSet<String> {
    let is_ours = |name: &str| name.starts_with("offboarding_") && name != "offboarding_requests";
    let ours = samples(text).into_iter().filter(|(name, ..)| is_ours(name));
    ours.map(|(name, labels, _)| format!("{name}{labels:?}")).collect()
}

fn every_metric_is_there(text: &str, story: &Story<'_>) {
    let samples = samples(text);
    for of in ALL {
        let (kind, name) = match of.kind {
            Type::Counter => ("counter", of.exposed()),
            Type::Gauge => ("gauge", of.exposed()),
            Type::Histogram => ("histogram", format!("{}_bucket", of.name)),
            Type::Info => ("info", of.exposed()),
        };
        let told = format!("# TYPE {} {kind}", of.name);
        assert!(text.lines().any(|line| line == told), "{told}\n{text}");
        assert!(samples.iter().any(|(it, ..)| *it == name), "{name} has no series\n{text}");
    }
    for (name, labels, _) in &samples {
        let of = documented(name).unwrap_or_else(|| panic!("{name} is not documented"));
        let told: BTreeSet<&str> = labels.keys().map(String::as_str).filter(|label| *label != "le").collect();
        let known: BTreeSet<&str> = of.labels.iter().map(|label| label.name).collect();
        assert_eq!(told, known, "{name}");
        for label in of.labels {
            let value = labels[label.name].as_str();
            let is_known = match label.values {
                Values::Statuses => {
                    value == NO_ANSWER || value.parse().is_ok_and(|it: u16| (100..600).contains(&it))
                }
                Values::Accounts => value == "*" || value.starts_with(story.namespace.name()),
                Values::Version => value == env!("CARGO_PKG_VERSION"),
                Values::Profiles => built_in_names().contains(&value) || value == CUSTOM,
                Values::Words(_) | Values::Of(_) => label.values.known(&[]).unwrap().contains(&value),
            };
            assert!(is_known, "{name}: {}={value}", label.name);
        }
    }
    for (name, label, value) in [
        ("offboarding_requests_finished_total", ("result", "ErasedWithRetention"), 1.0),
        ("offboarding_records_closed_total", ("result", "ErasedWithRetention"), 1.0),
        ("offboarding_deletes_total", ("profile", "custom"), 1.0),
        ("offboarding_requests", ("phase", "AwaitingApproval"), 1.0),
        ("offboarding_approvals_pending", ("", ""), 1.0),
        ("offboarding_requests_due_soon", ("", ""), 1.0),
        ("offboarding_providers", ("reason", "ProbeSucceeded"), 2.0),
        ("offboarding_records_open", ("outcome", "Accepted"), 0.0),
        ("offboarding_budget_limit", ("account", "*"), 1000.0),
        ("offboarding_installation_key_lost", ("", ""), 0.0),
        ("offboarding_admission_policies", ("state", "AsShipped"), 1.0),
        ("leader_election_master_status", ("", ""), 1.0),
        ("offboarding_ready", ("", ""), 1.0),
    ] {
        let fits = |labels: &BTreeMap<String, String>| {
            label.0.is_empty() || labels.get(label.0).is_some_and(|it| it == label.1)
        };
        let found = samples.iter().filter(|(it, labels, _)| it == name && fits(labels));
        assert_eq!(found.map(|(.., value)| value).sum::<f64>(), value, "{name} {label:?}\n{text}");
    }
}

fn documented(sample: &str) -> Option<&'static Described> {
    let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| sample.strip_suffix(end));
    ALL.iter().copied().find(|of| match of.kind {
        Type::Histogram => of_histogram == Some(of.name),
        Type::Counter | Type::Gauge | Type::Info => of.exposed() == sample,
    })
}
