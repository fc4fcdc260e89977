//! Listed namespaces: what is in them is carried out, what is in others is not seen, and one that cannot be seen holds up no other.

use harness::{Failure, Provider::Juicyway};
use serde_json::{Value, json};

use crate::{
    release::{self, IN_SECONDS, ON_THE_LOOPBACK, chart, helm},
    stage::Stage,
    story::Story,
};

#[tokio::test]
async fn listed_namespaces_alone_are_seen_and_one_that_refuses_holds_up_no_other() -> Result<(), Failure> {
    let stage = Stage::bare().await?;
    let [one, two, foreign] =
        [stage.story("one").await, stage.story("two").await, stage.story("foreign").await];
    let namespaces = format!("--set=watchNamespaces={{{},{}}}", one.namespace, two.namespace);
    release::install(&stage.plane, &[ON_THE_LOOPBACK, IN_SECONDS, &namespaces]).await?;
    let mut operator = stage.runs(&[]).await?;
    for story in [&one, &two, &foreign] {
        story.provider(Juicyway, json!({})).await;
        story.sandbox.seed(Juicyway, "cus_first", &json!({})).await?;
        story.request("first", Juicyway, "cus_first").await;
    }
    for story in [&one, &two] {
        assert_eq!(story.finished("first").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, "cus_first").await, 1);
    }

    // One that the provider refuses: its record stays open.
    let forbidden = json!([{"match": {"method": "DELETE"}, "times": 0, "do": {"kind": "forbidden"}}]);
    two.sandbox.set_faults(&forbidden).await?;
    two.sandbox.seed(Juicyway, "cus_open", &json!({})).await?;
    two.request("open", Juicyway, "cus_open").await;
    open_record(&two, |spec| spec["attempts"][0]["outcome"] == "Rejected").await;

    // The namespace took its binding along, say, and the operator begins anew.
    let binding = "customer-offboarding-operator-watched";
    let unbind = ["delete", "rolebinding", binding, "-n", two.namespace.name()];
    stage.plane.kubectl("admin").args(unbind).succeed().await?;
    operator.kill_hard()?;
    stage.free_the_lease().await?;
    let mut operator = stage.runs(&[]).await?;
    for story in [&one, &two] {
        story.sandbox.seed(Juicyway, "cus_second", &json!({})).await?;
        story.request("second", Juicyway, "cus_second").await;
    }
    assert_eq!(one.finished("second").await["result"], "ErasedWithRetention");
    let refused = format!("CustomerOffboarding in {}", two.namespace);
    assert!(operator.log().contains(&refused), "{}", operator.tail());
    assert_eq!(two.status("second").await["phase"], "Pending", "nobody may look there");
    let words = "the right to see whether its request is gone: namespace ";
    open_record(&two, |spec| spec["waitingFor"].as_str().is_some_and(|it| it.starts_with(words))).await;
    two.sandbox.set_faults(&json!([])).await?;

    // What is missing is made again, and the operator goes on by itself.
    helm(&stage.plane, &["upgrade", "offboarding", &chart(), "--reuse-values"]).await?;
    assert_eq!(two.finished("second").await["result"], "ErasedWithRetention");
    two.retry("open", "the-provider-gave-in").await;
    assert_eq!(two.finished("open").await["result"], "ErasedWithRetention");

    assert_eq!(foreign.status("first").await["phase"], "Pending");
    assert_eq!(foreign.received(Juicyway, "GET", "cus_first").await, Vec::<Value>::new());
    for story in [&one, &two, &foreign] {
        story.judged().await;
    }
    operator.terminate()?;
    Ok(())
}

/// Waits until the record of the request "open" is as it should be.
async fn open_record(story: &Story<'_>, fits: impl Fn(&Value) -> bool) {
    story
        .wait("the open record is as it should be", || async {
            let mut records = story.records().await;
            records.retain(|record| record["spec"]["request"]["name"] == "open");
            if records.iter().any(|record| fits(&record["spec"])) { Ok(()) } else { Err(records) }
        })
        .await;
}
