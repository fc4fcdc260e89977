//! The controls of a request, and how its way is told.

use harness::Failure;
use serde_json::json;

use crate::stage::{HASH, Stage, awaiting_approval, commands};

#[tokio::test]
async fn suspend_resume_and_retry_change_one_field_each() -> Result<(), Failure> {
    let stage = Stage::new("controls").await?;
    let before = stage.planned("acme").await;
    for (command, suspended) in [("suspend", true), ("resume", false), ("retry", false)] {
        let said = stage.run("alice", &[command, "acme"]).await;
        assert!(said.status.success(), "{said:?}");
        let mut spec = before.spec.clone();
        spec.suspend = suspended;
        assert_eq!(stage.requests().get("acme").await.unwrap().spec, spec, "{command}");
    }
    let annotations = stage.requests().get("acme").await.unwrap().metadata.annotations.unwrap();
    let asked: jiff::Timestamp = annotations["offboarding.dev/retry-requested-at"].parse().unwrap();
    assert!(asked.as_second() > 1_700_000_000);
    Ok(())
}

#[tokio::test]
async fn giving_up_is_asked_for_and_cannot_be_undone() -> Result<(), Failure> {
    let stage = Stage::new("cancel").await?;
    stage.planned("acme").await;
    let cancel = format!("kubectl offboarding cancel acme -n {}", stage.namespace);
    for (typed, code, cancelled) in [("yes", 3, false), ("cancel acme", 0, true)] {
        let mut terminal = stage.types("alice", &cancel, &[]);
        terminal.sees(" to go on: ").await;
        terminal.types(typed);
        assert_eq!(terminal.ends().await.0, Some(code), "{typed}");
        assert_eq!(stage.requests().get("acme").await.unwrap().spec.cancel, cancelled, "{typed}");
    }
    Ok(())
}

#[tokio::test]
async fn a_status_is_watched_to_its_end_and_the_result_is_the_exit_code() -> Result<(), Failure> {
    let stage = Stage::new("watch").await?;
    for (name, result, code) in [
        ("good", "Deactivated", 0),
        ("bad", "Failed", 4),
        ("part", "PartiallyDone", 5),
        ("off", "Cancelled", 5),
    ] {
        let request = stage.planned(name).await;
        let said = stage.run("ivan", &["status", name]).await;
        assert_eq!(said.status.code(), Some(6), "{said:?}");
        let watch = format!("kubectl offboarding status {name} --watch -n {}", stage.namespace);
        let mut terminal = stage.types("ivan", &watch, &[]);
        terminal.sees("AwaitingApproval: 0 of 1 approvals").await;
        let mut status = awaiting_approval(HASH);
        status["phase"] = json!("Executing");
        status["waitingFor"] = json!("deletion in progress");
        stage.told(&request, status.clone()).await;
        terminal.sees("Executing: deletion in progress").await;
        status["finished"] = json!(true);
        status["phase"] = json!("Completed");
        status["result"] = json!(result);
        status["waitingFor"] = json!("the end");
        stage.told(&request, status).await;
        let (ended, told) = terminal.ends().await;
        assert_eq!(ended, Some(code), "{name}: {told}");
        assert_eq!(told.lines().count(), 3, "one line for each change: {told}");
    }
    let request = stage.planned("gone").await;
    let mut terminal =
        stage.types("ivan", &format!("kubectl offboarding status gone --watch -n {}", stage.namespace), &[]);
    terminal.sees("AwaitingApproval").await;
    stage.requests().delete(request.metadata.name.as_deref().unwrap(), &Default::default()).await.unwrap();
    assert_eq!(terminal.ends().await.0, Some(1));
    Ok(())
}

#[tokio::test]
async fn explain_tells_commands_that_work() -> Result<(), Failure> {
    let stage = Stage::new("explain").await?;
    let request = stage.planned("acme").await;
    let mut status = awaiting_approval(HASH);
    let condition = |type_: &str, truth: &str, reason: &str| {
        json!({
            "type": type_, "status": truth, "reason": reason, "message": "0 of 1 approvals",
            "observedGeneration": 1, "lastTransitionTime": "2026-11-23T10:00:00Z",
        })
    };
    status["conditions"] = json!([
        condition("Planned", "True", "PlanReady"),
        condition("Approved", "False", "AwaitingApproval"),
        condition("Waiting", "True", "AwaitingApproval"),
    ]);
    stage.told(&request, status).await;
    let said = stage.run("bob", &["explain", "acme"]).await;
    assert!(
        said.stdout.contains("[x] planned") && said.stdout.contains("[>] approved     0 of 1 approvals"),
        "{said:?}"
    );
    let told = commands(&said.stdout);
    assert_eq!(told.len(), 3, "{told:?}");
    let (code, shown) = stage.types("bob", &told[0], &[]).ends().await;
    assert!(code == Some(0) && shown.contains(HASH), "{shown}");
    Ok(())
}
