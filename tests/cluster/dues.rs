//! Deadlines: told, and told anew by themselves; nothing is hurried.

use std::time::Duration;

use harness::Provider::{Juicyway, Revolv3};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    stage::{all, play},
    story::{Story, assert_told, condition},
};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

#[tokio::test]
async fn a_deadline_that_has_passed_is_told_and_hurries_nothing() {
    play("late", async |story| {
        waits(story).await;
        story.request_with("acme", Revolv3, "90017", until("2020-01-31T12:00:00Z")).await;
        let status = story.reason("acme", "Overdue", "DeadlinePassed").await;
        assert_eq!(status["due"], "2020-01-31T12:00:00Z");
        assert_told(
            &status,
            &[["Overdue", "True", "DeadlinePassed"], ["Waiting", "True", "AwaitingApproval"]],
        );
        let words =
            "the deadline has passed: 2020-01-31T12:00:00Z; nothing is hurried, see what it waits for";
        assert_eq!(condition(&status, "Overdue")["message"], words);
        let printed = story.kubectl(["get", "cob", "acme", "--no-headers"]).await;
        assert!(printed.contains(" 2020-01-31T12:00:00Z "), "{printed}");
        assert_eq!(story.deletes(Revolv3, "90017").await, 0);
    })
    .await;
}

/// Nothing else brings the operator back for minutes: it waits for approvals, and looks again every quarter of an hour.
#[tokio::test]
async fn a_deadline_comes_near_and_passes_by_itself_and_nothing_is_written_before() {
    let rows = [
        (Duration::ZERO, "DeadlineNear", ["Overdue", "True", "DeadlinePassed"]),
        (WEEK, "InTime", ["Overdue", "False", "DeadlineNear"]),
    ];
    all(rows.into_iter().map(|(later, before, after)| {
        play("flips", async move |story| {
            waits(story).await;
            let in_a_moment = Timestamp::from_second(offboarding::cli::clock().as_second() + 15).unwrap();
            let due = (in_a_moment + later).to_string();
            story.request_with("acme", Revolv3, "90017", until(&due)).await;
            story.reason("acme", "Waiting", "AwaitingApproval").await;
            let told = story.get("CustomerOffboarding", "acme").await.unwrap();
            assert_eq!(condition(&told["status"], "Overdue")["reason"], before);
            let told_anew = story
                .wait("the deadline is told anew", || async {
                    let now = story.get("CustomerOffboarding", "acme").await.unwrap();
                    if condition(&now["status"], "Overdue")["reason"] == before {
                        assert_eq!(now["metadata"]["resourceVersion"], told["metadata"]["resourceVersion"]);
                        return Err(now["status"]["waitingFor"].clone());
                    }
                    Ok(now["status"].clone())
                })
                .await;
            assert!(offboarding::cli::clock() > in_a_moment, "not before its time");
            assert_told(&told_anew, &[after, ["Waiting", "True", "AwaitingApproval"]]);
            assert_eq!(told_anew["waitingFor"], told["status"]["waitingFor"]);
            assert_eq!(story.deletes(Revolv3, "90017").await, 0);
        })
    }))
    .await;
}

#[tokio::test]
async fn a_request_that_ended_is_judged_by_when_it_did() {
    play("ended", async |story| {
        story.provider(Juicyway, json!({})).await;
        for (name, request, reason) in [
            ("late", until("2020-01-31T12:00:00Z"), "DeadlinePassed"),
            ("in-time", json!({"request": {"regime": "CCPA"}}), "InTime"),
            ("without", json!({"request": {"regime": "None"}}), "NoDeadline"),
        ] {
            let id = format!("cus_{}", name.replace('-', "_"));
            story.sandbox.seed(Juicyway, &id, &json!({})).await.unwrap();
            story.request_with(name, Juicyway, &id, request).await;
            let status = story.finished(name).await;
            assert_eq!(status["result"], "ErasedWithRetention");
            assert_eq!(condition(&status, "Overdue")["reason"], reason);
        }
        let object = story.get("CustomerOffboarding", "in-time").await.unwrap();
        let moment = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
        let days = moment(&object["status"]["due"]) - moment(&object["metadata"]["creationTimestamp"]);
        assert_eq!(days.total(jiff::Unit::Hour).unwrap(), 45.0 * 24.0, "counted from creation");
    })
    .await;
}

/// A customer whose deletion waits for somebody to approve it.
async fn waits(story: &Story<'_>) {
    story.sandbox.seed(Revolv3, "90017", &json!({})).await.unwrap();
    let change = json!({"approvals": {"required": 1}, "recheckInterval": "15m"});
    story.provider(Revolv3, change).await;
    story.provider_reason(Revolv3, "Ready", "ProbeSucceeded").await;
}

fn until(due: &str) -> Value {
    json!({"request": {"regime": "Custom", "dueBy": due}})
}
