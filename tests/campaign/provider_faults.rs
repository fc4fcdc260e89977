//! The provider fails in every way that its sandbox knows, at every step of an offboarding: T9 of reliability.md.
//!
//! A seed is one plan: a fault, a step, a provider. After it the provider is honest again. Whatever was answered, nobody is
//! told to be gone who is there, nobody is deleted twice or without an answer to each check, and the request ends or says whom it
//! waits for. Who would be believed wrongly is there: the customer stays where the answer says that nobody is there, and is one
//! who must not be deleted where the check is not answered.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use harness::{
    Options, Process,
    Provider::{self, Juicyway, Revolv3},
};
use serde_json::{Value, json};

use crate::{
    canaries::Canary,
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

/// So often a lie is told before the provider is honest again, where it lies until then; or so long, where it is not asked.
const LIES: u64 = 4;
const LIES_FOR: Duration = Duration::from_secs(20);

/// What is struck: which requests, and how many of them pass first.
fn steps(provider: Provider, id: &str, draw: &mut Draw) -> [(&'static str, Value, u32); STEPS] {
    let (customer, check, control) = match provider {
        Provider::Revolv3 => (
            format!("/api/Customers/{id}"),
            format!("/api/Customers/{id}/{}", draw.one(&["subscriptions", "invoices"])),
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

const STEPS: usize = 7;

const PROVIDERS: [Provider; 2] = [Revolv3, Juicyway];

/// The place of a plan among all faults, steps and providers: each is met once before one comes again, and all of them early.
fn cell(seed: u64, faults: usize) -> (usize, usize, Provider) {
    let seed = usize::try_from(seed).unwrap();
    let fault = seed % faults;
    let beside = (fault + seed / faults) % (STEPS * PROVIDERS.len());
    (fault, beside % STEPS, PROVIDERS[beside / STEPS])
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
    for how in ["rst", "fin"] {
        add("cut at accept", json!({"kind": "cut", "at": "accept", "how": how}));
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
    for status in [301, 303, 307, 308] {
        add("redirect", json!({"kind": "redirect", "status": status, "to": "scripted", "apply": false}));
    }
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
    add("lying 404", json!({"kind": "lie404", "scope": "once", "envelope": "own"}));
    for envelope in ["html", "empty"] {
        add("foreign 404", json!({"kind": "lie404", "scope": "once", "envelope": envelope}));
    }
    add("foreign 404 about them", json!({"kind": "lie404", "scope": "customer", "envelope": "html"}));
    add("404 about everything", json!({"kind": "lie404", "scope": "all", "envelope": "own"}));
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

/// In the provider's own words: nobody is there. Who hears it once cannot know better.
fn is_a_lie(name: &str, provider: Provider) -> bool {
    ["lying 404", "stale"].contains(&name) || name == "410" && provider == Juicyway
}

/// Nobody can take it for the answer that was asked for.
fn is_no_answer(name: &str, fault: &Value) -> bool {
    match fault["kind"].as_str().unwrap() {
        "json" => !["otherId", "wrongType"].contains(&fault["variant"].as_str().unwrap()),
        "status" => fault["status"].as_u64() >= Some(400),
        "latency" => fault["ms"].as_u64() > Some(4_000),
        "raw" => name != "interim answers",
        "cut" | "unauthorized" | "forbidden" | "redirect" | "rateLimit" | "hugeBody" | "html" | "lie404" => {
            true
        }
        _ => false,
    }
}

fn strikes_connections(fault: &Value) -> bool {
    fault["kind"] == "tls" || fault["at"] == "accept"
}

#[tokio::test]
async fn whatever_the_provider_answers_nobody_is_deleted_twice_or_told_to_be_gone_who_is_there() {
    let lane = Lane::open(Options::default()).await;
    let operator = lane.leader().await;
    let campaign = Campaign::of("provider-faults", 50);
    campaign.run(AT_ONCE, async |seed| plan(&lane, &operator, seed).await, || lane.history.wrong()).await;
}

async fn plan(lane: &Lane, operator: &Process, seed: u64) -> Figures {
    let mut draw = Draw::new("provider-faults", seed);
    let faults = faults();
    let (fault, step, provider) = cell(seed, faults.len());
    let (name, fault) = &faults[fault];
    let canary = Canary::new(provider, seed, operator);
    let id = canary.id.as_str();
    let (step, requests, skip) = steps(provider, id, &mut draw)[step].clone();
    let (lies, no_answer) = (is_a_lie(name, provider), is_no_answer(name, fault));
    let by_connection = strikes_connections(fault);
    let before_the_call = ["look", "second look", "anything"].contains(&step);
    // A lie that cannot be told from the truth is told once less often than it has to be heard.
    let times = if lies && before_the_call { 1 } else { 1 + draw.below(3) };
    // The provider says that it deleted them, and did not: whoever is then told to be gone is there.
    let stays = match step {
        "verify" => lies || draw.once_in(2),
        "control" => no_answer && !by_connection && (fault["kind"] == "lie404" || draw.once_in(2)),
        _ => false,
    };
    let until_told = stays && step == "control";
    let must_stay = step == "check" && no_answer && !by_connection && draw.once_in(2);

    let story = lane.stage.story("hostile").await;
    story.strays.set(name.starts_with("redirect"));
    story.sandbox.seed(provider, id, &canary.person).await.unwrap();
    if must_stay {
        let blocker = json!([{"balance": 5}]);
        let owned = if provider == Juicyway { json!({"wallets": blocker}) } else { blockers(&requests) };
        story.sandbox.change(provider, id, &owned).await.unwrap();
    }
    // Two lies in a row about one customer alone, and a good control in between, cannot be told from a true absence.
    let confirmations = if lies && stays { times / 2 + 1 } else { 1 };
    let short =
        json!({"recheckInterval": "10s", "verify": {"deadline": "12s", "confirmations": confirmations}});
    story.provider(provider, short).await;
    story.provider_reason(provider, "Ready", "ProbeSucceeded").await;
    if by_connection && before_the_call {
        story.sandbox.disconnect().await.unwrap();
    }
    let mut struck = Vec::new();
    if stays {
        struck.push(json!({"match": {"method": "DELETE"}, "do": {"kind": "noop"}}));
    }
    let times = if until_told { 0 } else { times };
    if until_told {
        let (_, looks, skip) = &steps(provider, id, &mut draw)[5];
        let lie = json!({"kind": "lie404", "envelope": "own"});
        struck.push(json!({"match": looks, "skip": skip, "times": times, "do": lie}));
    }
    let (matches, skip) =
        if by_connection { (json!({"provider": provider.name()}), 0) } else { (requests, skip) };
    struck.push(json!({"match": matches, "skip": skip, "times": times, "do": fault}));
    story.sandbox.set_faults(&Value::from(struck)).await.unwrap();
    let hits = async || {
        let faults = story.sandbox.faults().await.unwrap();
        let all = faults.as_array().into_iter().flatten().skip(usize::from(stays));
        all.filter_map(|fault| fault["hits"].as_u64()).min().unwrap_or_default()
    };

    let case = Case { request: "acme".to_owned(), provider, id: id.to_owned() };
    let accept = json!({"acceptAbsent": lies && before_the_call});
    story.request_with("acme", provider, id, accept).await;
    let told = if until_told { Some(lies_then_stops(&story, &hits).await) } else { None };
    let ended = rests(&story, "acme").await;
    let hits = match told {
        Some(told) => told,
        None => hits().await,
    };
    assert!(hits > 0, "{name} at {step} of {provider:?} never struck");
    let deletes = story.judge(&case).await;
    // What ends in 204 is an empty list.
    story.judge_checks(&case, |entry| *name == "interim answers" && entry["fault"] == "raw").await;
    assert!(deletes == 0 || !must_stay, "{name}: who must not be deleted was");
    let searched = canary.stayed_inside(&story, operator).await;
    story.judged().await;
    BTreeMap::from([
        ("plans".to_owned(), 1),
        ("deletes".to_owned(), deletes),
        ("hits".to_owned(), hits),
        ("places searched for canaries".to_owned(), searched),
        ("customers who stayed".to_owned(), u64::from(stays)),
        ("customers who must stay".to_owned(), u64::from(must_stay)),
        (format!("fault {name}"), 1),
        (format!("step {step}"), 1),
        (format!("end {ended}"), 1),
    ])
}

/// What the check that is struck would find.
fn blockers(requests: &Value) -> Value {
    if requests["path"].as_str().unwrap().ends_with("subscriptions") {
        json!({"subscriptions": [{}]})
    } else {
        json!({"invoices": [{"invoiceStatus": "Pending"}]})
    }
}

/// Waits until a lie was told often enough, or believed, and lets the provider be honest then. Gives how often it was told.
async fn lies_then_stops(story: &Story<'_>, hits: &impl AsyncFn() -> u64) -> u64 {
    let begun = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let told = hits().await;
        let long_enough = told >= LIES || told > 0 && begun.elapsed() > LIES_FOR;
        if long_enough || begun.elapsed() > BRIEFLY || story.status("acme").await["finished"] == true {
            story.sandbox.clear_faults().await.unwrap();
            return told;
        }
    }
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

#[test]
fn every_fault_meets_every_step_of_both_providers() {
    let faults = faults();
    let cells = faults.len() * STEPS * PROVIDERS.len();
    let met: BTreeSet<String> =
        (0..u64::try_from(cells).unwrap()).map(|seed| format!("{:?}", cell(seed, faults.len()))).collect();
    assert_eq!(met.len(), cells);
    assert_eq!(cells, 1_176, "RUNS_provider-faults in the Makefile");
}
