//! The acts: everybody gets as far as they can; the blockers are cleared; how it ended.

use std::time::{Duration, Instant};

use harness::{Failure, Provider::Revolv3};
use serde_json::{Value, json};

use super::{
    cast::{Part, cast},
    ledger, people,
    show::{heading, kubectl, kubectl_of, remark, row, table},
    stage::{Stage, seconds},
    story::{Seen, Story},
    verdict::{self, Promise},
};

/// A provider's reads may be a minute behind: a deletion is proved after that.
const LONG: Duration = Duration::from_secs(240);
const SOON: Duration = Duration::from_secs(60);

pub async fn all(stage: &Stage) -> Result<(), Failure> {
    let mut story = Story::begin(&stage.plane).await?;
    everybody_gets_as_far_as_they_can(stage, &mut story).await?;
    let witnessed = people::decide(stage, &mut story).await?;
    the_blockers_are_cleared(stage, &mut story).await?;
    let ended = |seen: &Seen| cast().iter().all(|part| has_ended(part, seen.get(part.name)));
    let seen = story.until("every request end", LONG, ended).await;
    drop(story);
    how_it_ended(stage, seen?, witnessed).await
}

async fn everybody_gets_as_far_as_they_can(stage: &Stage, story: &mut Story) -> Result<(), Failure> {
    heading("Nine requests");
    kubectl_of(&stage.plane, "alice", &["apply", "-f", "examples/demo/requests.yaml"]).await?;
    let stopped = |seen: &Seen| cast().iter().all(|part| has_stopped(part, seen.get(part.name)));
    story.until("every request stop where it must", SOON, stopped).await?;
    println!();
    kubectl(&stage.plane, &["get", "cob"]).await?;
    for part in cast().iter().filter(|part| part.stops.is_some()) {
        if !ledger::is_untouched(&stage.sandbox, part).await? {
            return Err(Failure::new(format!("see '{}' wait", part.name), "the provider received a DELETE"));
        }
    }
    remark(
        "Two went through. Seven stopped and say why, and what to do: for none of these a provider received a DELETE.",
    );
    Ok(())
}

async fn the_blockers_are_cleared(stage: &Stage, story: &mut Story) -> Result<(), Failure> {
    heading("The blockers are cleared, and what waited goes on");
    change(stage, "90019", "the invoice is paid", json!({"invoices": [{"invoiceStatus": "Paid"}]})).await?;
    remark("'unpaid' looks again every 15 minutes. Told to, it looks at once:");
    let retry = "offboarding.dev/retry-requested-at=now";
    kubectl_of(&stage.plane, "alice", &["annotate", "cob", "unpaid", retry]).await?;
    goes_on(story, "unpaid").await?;

    change(stage, "90018", "the subscription is cancelled", json!({"subscriptions": []})).await?;
    remark("'subscribed' looks again every 10 s:");
    goes_on(story, "subscribed").await?;

    let mended = json!({"stringData": {"token": "test_ok"}}).to_string();
    kubectl(&stage.plane, &["patch", "secret", "juicyway-mistyped", "--type=merge", "-p", &mended]).await?;
    remark("A Secret that was refused is read again every 30 s:");
    goes_on(story, "wrong-token").await?;
    remark("Reads at Revolv3 may be a minute old: what was deactivated there is proved after that.");
    Ok(())
}

/// Waits until a deletion is sent for a request that had stopped, and says how long that took.
pub async fn goes_on(story: &mut Story, name: &str) -> Result<(), Failure> {
    let begun = Instant::now();
    let is_under_way = |status: &Value| {
        ["Executing", "Verifying", "Completed"].iter().any(|phase| status["phase"] == *phase)
    };
    let has_gone_on = |seen: &Seen| seen.get(name).is_some_and(is_under_way);
    story.until(&format!("'{name}' go on"), SOON, has_gone_on).await?;
    remark(&format!("'{name}' went on after {}", seconds(begun)));
    Ok(())
}

async fn change(stage: &Stage, customer: &str, what: &str, fields: Value) -> Result<(), Failure> {
    let admin = &stage.sandbox.addresses().admin;
    println!(
        "$ curl -X PATCH {admin}/admin/revolv3/customers/{customer} -d '{fields}'     # at the provider: {what}"
    );
    stage.sandbox.change(Revolv3, customer, &fields).await
}

fn has_stopped(part: &Part, status: Option<&Value>) -> bool {
    let Some(status) = status else { return false };
    match part.stops {
        None => ["Verifying", "Completed"].iter().any(|phase| status["phase"] == *phase),
        Some((phase, words)) => {
            status["phase"] == phase && status["waitingFor"].as_str().is_some_and(|it| it.contains(words))
        }
    }
}

fn has_ended(part: &Part, status: Option<&Value>) -> bool {
    status.is_some_and(|status| status["phase"] == part.ends.0)
}

async fn how_it_ended(stage: &Stage, seen: Seen, witnessed: Vec<Promise>) -> Result<(), Failure> {
    heading("How it ended");
    kubectl(&stage.plane, &["get", "cob"]).await?;
    println!();
    kubectl(&stage.plane, &["get", "cobr", "-n", "customer-offboarding"]).await?;
    println!();
    kubectl(&stage.plane, &["get", "coba"]).await?;
    heading("Why: the conditions of each request");
    for (name, status) in &seen {
        println!("\n{name}\n{}", conditions(status));
    }
    heading("What the providers received: their own ledger");
    println!("{}", ledger::shown(&stage.sandbox, &cast()).await?);
    heading("The verdict");
    verdict::given(stage, &seen, witnessed).await
}

fn conditions(status: &Value) -> String {
    let mut rows = vec![row(["  CONDITION", "STATUS", "REASON", "MESSAGE"])];
    for condition in status["conditions"].as_array().into_iter().flatten() {
        let word = |field: &str| condition[field].as_str().unwrap_or("-");
        let type_ = format!("  {}", word("type"));
        rows.push(row([&type_, word("status"), word("reason"), word("message")]));
    }
    table(&rows)
}
