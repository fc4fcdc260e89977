//! Listed namespaces: what is in them is carried out, what is in others is not seen, and one that cannot be seen holds up no other.

use harness::{Failure, Provider::Juicyway};
use serde_json::{Value, json};

use crate::{
    release::{self, IN_SECONDS, ON_THE_LOOPBACK, chart, helm},
    stage::Stage,
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

    // What is missing is made again, and the operator goes on by itself.
    helm(&stage.plane, &["upgrade", "offboarding", &chart(), "--reuse-values"]).await?;
    assert_eq!(two.finished("second").await["result"], "ErasedWithRetention");

    assert_eq!(foreign.status("first").await["phase"], "Pending");
    assert_eq!(foreign.received(Juicyway, "GET", "cus_first").await, Vec::<Value>::new());
    for story in [&one, &two, &foreign] {
        story.judged().await;
    }
    operator.terminate()?;
    Ok(())
}
