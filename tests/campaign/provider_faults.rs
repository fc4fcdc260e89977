//! The provider fails in every way that its sandbox knows, at every step of an offboarding: T9 of reliability.md.
//!
//! A seed is one plan: a fault, a step, a provider. After it the provider is honest again. Whatever was answered, nobody is
//! told to be gone who is there, nobody is deleted twice, and the request ends or says whom it waits for.

use std::{collections::BTreeMap, time::Duration};

use harness::{
    Options,
    Provider::{self, Juicyway, Revolv3},
};
use serde_json::{Value, json};

use crate::{
    draw::Draw,
    lane::Lane,
    oracle::Case,
    results::{Campaign, Figures},
    story::{Story, condition},
};

/// So many offboardings at once on one operator.
const AT_ONCE: usize = 8;

/// Within this an offboarding ends that only had to try again; whoever takes longer says what it waits for.
const BRIEFLY: Duration = Duration::from_secs(45);

/// What is struck: which requests, and how many of them pass first.
fn steps(provider: Provider, id: &str) -> [(&'static str, Value, u32); 7] {
    let (customer, check, control) = match provider {
        Provider::Revolv3 => (
            format!("/api/Customers/{id}"),
            format!("/api/Customers/{id}/subscriptions"),
            "/api/Invoices/v1".to_owned(),
        ),
        _ => (format!("/customers/{id}"), "/wallets/all".to_owned(), "/customers".to_owned()),
    };
    let get = |path: &str| json!({"provider": provider.name(), "method": "GET", "path": path});
    [
        ("look", get(&customer), 0),
        ("second look", get(&customer), 1),
        ("check", get(&check), 0),
        ("delete", json!({"provider": provider.name(), "method": "DELETE"}), 0),
        ("control", get(&control), 0),
        ("verify", get(&customer), 2),
        ("anything", json!({"provider": provider.name()}), 0),
    ]
}

/// Every way in which the sandbox can fail.
fn faults() -> Vec<(&'static str, Value)> {
    let mut all: Vec<(&'static str, Value)> = Vec::new();
    let mut add = |name, fault| all.push((name, fault));
    add("latency before", json!({"kind": "latency", "ms": 1500, "at": "beforeApply"}));
    add("latency after", json!({"kind": "latency", "ms": 1500, "at": "afterApply"}));
    add("timeout before", json!({"kind": "latency", "ms": 5000, "at": "beforeApply"}));
    add("timeout after", json!({"kind": "latency", "ms": 5000, "at": "afterApply"}));
    for (name, at) in [
        ("cut before", "beforeApply"),
        ("cut after", "afterApply"),
        ("cut mid headers", "midHeaders"),
        ("cut mid body", "midBody"),
    ] {
        add(name, json!({"kind": "cut", "at": at, "how": "rst"}));
        add(name, json!({"kind": "cut", "at": at, "how": "fin"}));
    }
    add("slow body", json!({"kind": "slow", "bytesPerSecond": 40}));
    add("slow headers", json!({"kind": "slow", "headerDelay": "1s"}));
    for (name, status) in [
        ("200", 200),
        ("201", 201),
        ("204", 204),
        ("400", 400),
        ("405", 405),
        ("408", 408),
        ("409", 409),
        ("410", 410),
        ("412", 412),
        ("418", 418),
        ("422", 422),
        ("423", 423),
        ("500", 500),
        ("501", 501),
        ("502", 502),
        ("503", 503),
        ("504", 504),
    ] {
        add(name, json!({"kind": "status", "status": status, "apply": false}));
    }
    add("500 though applied", json!({"kind": "status", "status": 500, "apply": true}));
    add("401", json!({"kind": "unauthorized", "on": "both"}));
    add("403", json!({"kind": "forbidden", "on": "both"}));
    add("pending", json!({"kind": "pending", "applyAfter": "2s"}));
    add("never done", json!({"kind": "pending"}));
    add("noop", json!({"kind": "noop"}));
    add("redirect", json!({"kind": "redirect", "status": 307, "to": "scripted", "apply": false}));
    add("redirect elsewhere", json!({"kind": "redirect", "status": 302, "to": "http://169.254.169.254/"}));
    for variant in ["retryAfter", "httpDate", "retry_after", "reset", "resetDelta", "body"] {
        add(
            "429 with a time",
            json!({"kind": "rateLimit", "variant": variant, "seconds": 1, "apply": false}),
        );
    }
    for variant in ["bare", "huge", "negative", "garbage"] {
        add(
            "429 without a time",
            json!({"kind": "rateLimit", "variant": variant, "seconds": 1, "apply": false}),
        );
    }
    for encoding in ["identity", "gzip", "chunkedEndless"] {
        add(
            "huge body",
            json!({"kind": "hugeBody", "bytes": 8_388_608, "encoding": encoding, "apply": true}),
        );
    }
    add("content type", json!({"kind": "contentType", "value": "text/html"}));
    add("no headers", json!({"kind": "headers", "set": {"Date": null, "Content-Type": null}}));
    add("another time", json!({"kind": "headers", "set": {"Date": "Mon, 01 Jan 2001 00:00:00 GMT"}}));
    for variant in
        ["truncated", "nan", "badUtf8", "utf16", "deep", "duplicateId", "bom", "otherId", "wrongType"]
    {
        add("json", json!({"kind": "json", "variant": variant}));
    }
    for status in [200, 404, 502] {
        add("html", json!({"kind": "html", "status": status, "apply": false}));
    }
    for envelope in ["own", "html", "empty"] {
        add("lying 404", json!({"kind": "lie404", "scope": "once", "envelope": envelope}));
    }
    add("stale", json!({"kind": "stale", "seconds": 60}));
    add("raw nonsense", json!({"kind": "raw", "text": "NONSENSE\r\n\r\n", "apply": false}));
    add(
        "two lengths",
        json!({"kind": "raw", "text": "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 5\r\n\r\n{}", "apply": false}),
    );
    add(
        "interim answers",
        json!({"kind": "raw", "text": format!("{}HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(50)), "apply": false}),
    );
    for variant in ["expired", "otherName", "unknownCa"] {
        add("tls", json!({"kind": "tls", "variant": variant}));
    }
    all
}

#[tokio::test]
async fn whatever_the_provider_answers_nobody_is_deleted_twice_or_told_to_be_gone_who_is_there() {
    let lane = Lane::open(Options::default()).await;
    let _operator = lane.leader().await;
    let campaign = Campaign::of("provider-faults", 50);
    campaign.run(AT_ONCE, async |seed| plan(&lane, seed).await, || lane.history.wrong()).await;
}

async fn plan(lane: &Lane, seed: u64) -> Figures {
    let mut draw = Draw::new("provider-faults", seed);
    let provider = if draw.once_in(2) { Juicyway } else { Revolv3 };
    let id = if provider == Juicyway { "cus_1" } else { "91001" };
    let faults = faults();
    // Every fault comes before one comes again; the steps go round beside them.
    let count = u64::try_from(faults.len()).unwrap();
    let (name, fault) = &faults[usize::try_from(seed % count).unwrap()];
    let steps = steps(provider, id);
    let steps_count = u64::try_from(steps.len()).unwrap();
    let (step, requests, skip) = &steps[usize::try_from((seed + seed / count) % steps_count).unwrap()];
    let strikes_connections = *name == "tls";
    let matches = if strikes_connections { json!({"provider": provider.name()}) } else { requests.clone() };
    let times = 1 + draw.below(3);

    let story = lane.stage.story("hostile").await;
    story.strays.set(name.starts_with("redirect"));
    story.sandbox.seed(provider, id, &json!({})).await.unwrap();
    let short = json!({"recheckInterval": "10s", "verify": {"deadline": "12s"}});
    story.provider(provider, short).await;
    story.provider_reason(provider, "Ready", "ProbeSucceeded").await;
    let struck = json!([{"match": matches, "skip": skip, "times": times, "do": fault}]);
    story.sandbox.set_faults(&struck).await.unwrap();
    let case = Case { request: "acme".to_owned(), provider, id: id.to_owned() };
    story.request("acme", provider, id).await;
    let ended = rests(&story, "acme").await;
    let hits = story.sandbox.faults().await.unwrap()[0]["hits"].as_u64().unwrap_or_default();
    let deletes = story.judge(&case).await;
    story.judged().await;
    BTreeMap::from([
        ("plans".to_owned(), 1),
        ("deletes".to_owned(), deletes),
        ("hits".to_owned(), hits),
        (format!("fault {name}"), 1),
        (format!("step {step}"), 1),
        (format!("end {ended}"), 1),
    ])
}

/// How the request ended, or the reason of what it waits for.
async fn rests(story: &Story<'_>, request: &str) -> String {
    let finished = story.until(request, "it ends", |status| status["finished"] == true);
    if let Ok(status) = tokio::time::timeout(BRIEFLY, finished).await {
        return status["result"].as_str().unwrap_or("no result").to_owned();
    }
    let status = story.status(request).await;
    if status["finished"] == true {
        return status["result"].as_str().unwrap_or("no result").to_owned();
    }
    let said = |type_: &str| condition(&status, type_)["reason"].as_str().unwrap_or_default().to_owned();
    let words = status["waitingFor"].as_str().unwrap_or_default();
    assert!(!words.is_empty(), "it rests and does not say why: {status:#}");
    if condition(&status, "Waiting")["status"] == "True" {
        return format!("waits: {}", said("Waiting"));
    }
    assert_eq!(status["phase"], "Blocked", "it rests, is not blocked, and waits for nothing: {status:#}");
    format!("blocked: {}", said("Unblocked"))
}
