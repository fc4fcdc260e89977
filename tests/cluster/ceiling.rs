//! What the installation and a new day say to a budget: the ceiling of all accounts together, and the next midnight.

use std::time::Duration;

use harness::{LedgerFilter, Options, Provider::Juicyway};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;

use crate::{
    inside::{Inside, advance, clock},
    stage::Stage,
    story::Story,
};

/// Of the clocks in `inside.rs`.
const MINE: usize = 1;

const CEILING: &str = "its turn: the budget of all accounts together (`--destructive-rate`) is used up; the next deletion is at <time>";
const QUEUED: &str =
    "its turn: the budget of all accounts together (`--destructive-rate`) is for those who came first";

#[tokio::test]
async fn the_ceiling_of_the_installation_counts_across_accounts_and_nobody_waits_behind_another_budget() {
    let stage = Stage::start_with(Options::default(), &["--destructive-rate", "3"], &[]).await.unwrap();
    let story = stage.story("ceiling").await;
    let account = |name: &str| format!("{}-{name}", story.namespace.name());
    let of = |name: &str| json!({"targets": [{"name": "billing", "providerRef": {"name": name}}]});
    story.provider_as("one", Juicyway, json!({"account": account("one"), "budget": {"perDay": 1}})).await;
    story.provider_as("two", Juicyway, json!({"account": account("two")})).await;
    let own = "its turn: the budget of account '<account>' is used up; the next deletion is at <time>";
    let own = own.replace("<account>", &account("one"));
    for (name, provider, says) in [
        ("a", "one", None),
        ("b", "one", Some(own.as_str())),
        // It came later, and is in nobody's way.
        ("c", "two", None),
        ("d", "two", None),
        ("e", "two", Some(CEILING)),
        ("f", "two", Some(CEILING)),
        ("g", "two", Some(CEILING)),
        ("h", "two", Some(QUEUED)),
    ] {
        let id = format!("cus_{name}");
        story.sandbox.seed(Juicyway, &id, &json!({})).await.unwrap();
        story.request_with(name, Juicyway, &id, of(provider)).await;
        match says {
            Some(says) => drop(story.says(name, says).await),
            None => drop(story.finished(name).await),
        }
        // First come, first served is by the second.
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
    let (_, metrics) = stage.ask_operator("/metrics").await;
    let counters = harness::Counters::parse(&metrics);
    let one = account("one");
    for (name, labels, expected) in [
        ("offboarding_budget_queued", vec![("account", "*")], 4.0),
        ("offboarding_budget_queued", vec![("account", one.as_str())], 1.0),
        ("offboarding_budget_used", vec![("account", "*"), ("window", "hour")], 3.0),
        ("offboarding_budget_used", vec![("account", one.as_str()), ("window", "day")], 1.0),
    ] {
        assert_eq!(counters.sum(name, &labels), expected, "{name} {labels:?}");
    }
    // Who goes away makes room in line, and not in the budget.
    story.edit("e", json!({"cancel": true})).await;
    assert_eq!(story.finished("e").await["result"], "Cancelled");
    story.delete("f").await;
    assert_eq!(deletes(&story).await, 3);
    story.judged().await;
}

#[tokio::test]
async fn after_a_restart_whoever_came_first_goes_first_though_all_are_looked_at_at_once() {
    let stage = Stage::start(Options::default()).await.unwrap();
    let story = stage.story("restart").await;
    story.provider(Juicyway, json!({"budget": {"perDay": 1}})).await;
    let names: Vec<String> = (0..16).map(|n| format!("number-{n:02}")).collect();
    for name in &names {
        let id = format!("cus_{}", name.replace('-', "_"));
        story.sandbox.seed(Juicyway, &id, &json!({})).await.unwrap();
        story.request(name, Juicyway, &id).await;
        if *name == names[0] {
            story.finished(name).await;
        }
    }
    for name in &names[1..] {
        story.reason(name, "Waiting", "BudgetQueued").await;
    }
    stage.kill_operator().await;
    // There is room when the next one starts, and nobody has told it who waits.
    story.edit_provider(Juicyway, json!({"budget": {"perDay": 4}})).await;
    stage.restart_operator().await.unwrap();
    story
        .wait("four are deleted", || async {
            let seen = deletes(&story).await;
            if seen == 4 { Ok(()) } else { Err(seen) }
        })
        .await;
    for name in &names[..4] {
        assert_eq!(story.finished(name).await["result"], "ErasedWithRetention", "{name}");
    }
    // Two of the next ones are gone, one is cancelled, and there is room again: nobody waits behind who is not there.
    story.delete(&names[4]).await;
    story.delete(&names[5]).await;
    story.edit(&names[6], json!({"cancel": true})).await;
    story.finished(&names[6]).await;
    story.edit_provider(Juicyway, json!({"budget": {"perDay": 5}})).await;
    assert_eq!(story.finished(&names[7]).await["result"], "ErasedWithRetention");
    assert_eq!(deletes(&story).await, 5);
    story.judged().await;
}

#[tokio::test]
async fn at_midnight_the_next_ones_go_on_by_themselves_in_the_order_of_their_creation() {
    let stage = Stage::start(Options::default()).await.unwrap();
    let story = stage.story("midnight").await;
    story.provider(Juicyway, json!({"budget": {"perDay": 2}})).await;
    for name in ["a", "b", "c", "d", "e"] {
        let id = format!("cus_{name}");
        story.sandbox.seed(Juicyway, &id, &json!({})).await.unwrap();
        story.request(name, Juicyway, &id).await;
        match name {
            "a" | "b" => drop(story.finished(name).await),
            _ => drop(story.reason(name, "Waiting", "BudgetQueued").await),
        }
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
    // Half a minute before midnight another process takes over: it has the records, and nothing else.
    let midnight = clock::<MINE>().to_zoned(TimeZone::UTC).tomorrow().unwrap().start_of_day().unwrap();
    let left = Duration::try_from(midnight.timestamp().duration_since(clock::<MINE>())).unwrap();
    advance::<MINE>(left.saturating_sub(Duration::from_secs(30)));
    let inside = Inside::instead_of_the_operator::<MINE>(&stage).await;
    story
        .says(
            "e",
            &format!(
                "its turn: the budget of account '{}-juicyway' is used up; the next deletion is at <time>",
                story.namespace.name()
            ),
        )
        .await;
    assert!(clock::<MINE>() < midnight.timestamp(), "this took too long to show anything");
    assert_eq!(deletes(&story).await, 2);
    for name in ["c", "d"] {
        assert_eq!(story.finished(name).await["result"], "ErasedWithRetention");
    }
    let until = midnight.tomorrow().unwrap().timestamp();
    let status = story.until("e", "it waits for the day after", |status| {
        status["waitingUntil"].as_str().and_then(|until| until.parse::<Timestamp>().ok()) == Some(until)
    });
    status.await;
    assert_eq!(deletes(&story).await, 4);
    for record in story.records().await {
        let request = record["spec"]["request"]["name"].as_str().unwrap();
        let day: jiff::civil::Date = record["spec"]["day"].as_str().unwrap().parse().unwrap();
        assert_eq!(day == midnight.date(), ["c", "d"].contains(&request), "{request} on {day}");
    }
    inside.end().await;
    story.judged().await;
}

async fn deletes(story: &Story<'_>) -> usize {
    let filter = LedgerFilter { method: Some("DELETE"), ..LedgerFilter::default() };
    story.sandbox.ledger(&filter).await.unwrap().len()
}
