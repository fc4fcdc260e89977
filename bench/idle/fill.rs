//! Finished requests and closed records, as many as wanted: copies of one that was really done.

use futures::{TryStreamExt as _, stream};
use harness::Provider::Juicyway;
use kube::{
    Api,
    api::PostParams,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};

use crate::story::Story;

const ID: &str = "cus_done";

/// How many are made at once.
const AT_ONCE: usize = 24;

/// The first one is real; the others have its status and its record, under names of their own.
pub async fn with_finished(story: &Story<'_>, count: usize) {
    if count == 0 {
        return;
    }
    story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
    story.request("done-0", Juicyway, ID).await;
    let status = story.finished("done-0").await;
    let request = story.get("CustomerOffboarding", "done-0").await.unwrap();
    let record = story.records().await.pop().unwrap();
    let requests = api(story, "CustomerOffboarding", story.namespace.name()).await;
    let records = api(story, "OffboardingRecord", "customer-offboarding").await;
    let copies = (1..count).map(|n| {
        let (requests, records) = (requests.clone(), records.clone());
        let (request, status, record) = (&request, &status, &record);
        async move {
            let name = format!("done-{n}");
            let mut spec = request["spec"].clone();
            spec["customer"]["id"] = json!(format!("{ID}_{n}"));
            let copy = object("CustomerOffboarding", &name, "spec", spec);
            let mut made = requests.create(&PostParams::default(), &copy).await?;
            made.data["status"] = status.clone();
            let made = requests.replace_status(&name, &PostParams::default(), &made).await?;
            let mut spec = record["spec"].clone();
            spec["request"]["name"] = json!(name);
            spec["request"]["uid"] = json!(made.metadata.uid);
            let copy = object("OffboardingRecord", &format!("r-{n:040x}"), "spec", spec);
            records.create(&PostParams::default(), &copy).await.map(drop)
        }
    });
    stream::iter(copies.map(Ok::<_, kube::Error>))
        .try_for_each_concurrent(AT_ONCE, |copy| copy)
        .await
        .unwrap();
    story.sandbox.clear_ledger().await.unwrap();
}

fn object(kind: &str, name: &str, part: &str, value: Value) -> DynamicObject {
    let object = json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, part: value,
    });
    serde_json::from_value(object).unwrap()
}

/// As somebody whom no policy stops.
async fn api(story: &Story<'_>, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("offboarding.dev", "v1alpha1", kind));
    Api::namespaced_with(story.break_glass().await, namespace, &resource)
}
