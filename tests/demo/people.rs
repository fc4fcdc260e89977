//! The act in which people decide: who asked cannot agree, somebody else can, and a hold beats both.

use std::time::Duration;

use harness::Failure;

use super::{
    act::goes_on,
    cast::the,
    ledger,
    show::{heading, kubectl_of, remark},
    stage::Stage,
    story::{Seen, Story, condition},
    verdict::Promise,
};

const SOON: Duration = Duration::from_secs(60);
const HOLD: &str = "case-31";

pub async fn decide(stage: &Stage, story: &mut Story) -> Result<Vec<Promise>, Failure> {
    heading("People decide");
    stage.approvals_count().await;
    kubectl_of(&stage.plane, "bob", &["offboarding", "pending"]).await?;
    println!();
    one_plan_of_two_targets(stage, story).await?;
    Ok(vec![nobody_agrees_with_himself(stage, story).await?, a_hold_beats_an_approval(stage, story).await?])
}

async fn one_plan_of_two_targets(stage: &Stage, story: &mut Story) -> Result<(), Failure> {
    kubectl_of(&stage.plane, "bob", &["offboarding", "plan", "everywhere"]).await?;
    approve(stage, story, "bob", "everywhere").await?;
    goes_on(story, "everywhere").await?;
    remark(
        "What deactivates comes before what deletes, so Juicyway has its turn when Revolv3 is proved done.",
    );
    Ok(())
}

async fn nobody_agrees_with_himself(stage: &Stage, story: &mut Story) -> Result<Promise, Failure> {
    println!();
    approve(stage, story, "alice", "unapproved").await?;
    let refused = |seen: &Seen| waits_for(seen, "unapproved", "somebody else than the requester");
    story.until("alice's own approval be of no use", SOON, refused).await?;
    let untouched = ledger::is_untouched(&stage.sandbox, &the("unapproved")).await?;
    approve(stage, story, "bob", "unapproved").await?;
    goes_on(story, "unapproved").await?;
    Ok(("unapproved: nothing was sent on the approval of alice, who had asked for it".to_owned(), untouched))
}

async fn a_hold_beats_an_approval(stage: &Stage, story: &mut Story) -> Result<Promise, Failure> {
    println!();
    let seen = story.until("'disputed' be planned", SOON, |seen| hash(seen, "disputed").is_some()).await?;
    let customer = seen["disputed"]["targets"][0]["customerRef"].as_str().unwrap_or_default();
    let hold = ["offboarding", "hold", "create", HOLD, "--type", "Dispute", "--reference", "Case 031/26"];
    kubectl_of(&stage.plane, "erin", &[&hold[..], &["--ref", customer]].concat()).await?;
    approve(stage, story, "bob", "disputed").await?;
    let held = |seen: &Seen| {
        waits_for(seen, "disputed", HOLD) && condition(seen, "disputed", "Approved")["status"] == "True"
    };
    story.until("'disputed' be approved and held", SOON, held).await?;
    kubectl_of(&stage.plane, "alice", &["offboarding", "explain", "disputed"]).await?;
    let untouched = ledger::is_untouched(&stage.sandbox, &the("disputed")).await?;
    println!();
    kubectl_of(&stage.plane, "erin", &["offboarding", "hold", "release", HOLD, "--yes"]).await?;
    goes_on(story, "disputed").await?;
    Ok(("disputed: nothing was sent while legal held the customer, approved or not".to_owned(), untouched))
}

/// Agrees to exactly the plan that the request shows.
async fn approve(stage: &Stage, story: &mut Story, user: &str, name: &str) -> Result<(), Failure> {
    let planned = |seen: &Seen| hash(seen, name).is_some();
    let seen = story.until(&format!("a plan of '{name}'"), SOON, planned).await?;
    let plan = hash(&seen, name).unwrap_or_default();
    kubectl_of(&stage.plane, user, &["offboarding", "approve", name, "--yes", "--plan", &plan])
        .await
        .map(drop)
}

fn hash(seen: &Seen, name: &str) -> Option<String> {
    seen.get(name)?["plan"]["hash"].as_str().map(str::to_owned)
}

fn waits_for(seen: &Seen, name: &str, words: &str) -> bool {
    let sentence = seen.get(name).and_then(|status| status["waitingFor"].as_str());
    sentence.is_some_and(|sentence| sentence.contains(words))
}
