//! Races that the model found: between a read and what is told of it, nobody else may have begun.

use harness::Provider::{Juicyway, Revolv3};
use jiff::Timestamp;
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use offboarding::{
    api::{CustomerOffboarding, Environment, Mode, OffboardingRecord, RecordProvider, RecordRequest},
    domain::CustomerId,
    evidence::{
        Keys, SEAL_NONCE_BYTES,
        record::{self, Intent},
    },
};
use serde_json::json;

use crate::{
    stage::play,
    story::{Story, assert_told, token},
};

const ID: &str = "cus_raced";

#[tokio::test]
async fn a_customer_that_an_intent_of_the_same_request_deleted_during_the_first_look_is_not_told_as_never_found()
 {
    play("raced", async |story| {
        story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
        story.provider(Juicyway, json!({})).await;
        story.provider_reason(Juicyway, "Ready", "ProbeSucceeded").await;
        let looks = json!({"method": "GET", "path": "/customers/*"});
        let slow = json!({"kind": "latency", "ms": 3300, "at": "beforeApply"});
        story.sandbox.set_faults(&json!([{"match": looks, "times": 1, "do": slow}])).await.unwrap();
        story.request("acme", Juicyway, ID).await;
        story.until_looks(Juicyway, ID, 1).await;
        write_intent(story).await;
        story.sandbox.remove(Juicyway, ID).await.unwrap();
        // Somebody may have sent: the settle window is waited for, and then the record says that it was us.
        let status = story.reason("acme", "Waiting", "Settling").await;
        assert_told(&status, &[["Deleted", "Unknown", "OutcomeUnknown"], ["Stalled", "False", "NotStalled"]]);
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, ID).await, 0);
    })
    .await;
}

/// As another process of the same installation would, which looked a moment earlier.
async fn write_intent(story: &Story<'_>) {
    write_intent_with(story, &story.installation_key().await, ID).await;
}

/// An intent of the request `acme`, by an installation of these keys.
pub async fn write_intent_with(story: &Story<'_>, keys: &Keys, id: &str) {
    let customer = CustomerId::new(id.to_owned());
    let request = story.get("CustomerOffboarding", "acme").await.unwrap();
    let provider = story.get("OffboardingProvider", "juicyway").await.unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let (uid, account) = (text(&request["metadata"]["uid"]), text(&provider["spec"]["account"]));
    let name = keys.record_name(&account, &customer);
    let namespace = story.namespace.name().to_owned();
    let intent = Intent {
        request: RecordRequest {
            namespace: namespace.clone(),
            name: "acme".to_owned(),
            uid: uid.clone(),
            target: "billing".to_owned(),
            mode: Mode::Hard,
        },
        provider: RecordProvider {
            kind: "OffboardingProvider".to_owned(),
            namespace,
            name: "juicyway".to_owned(),
            uid: text(&provider["metadata"]["uid"]),
            base_url: text(&provider["spec"]["baseUrl"]),
            environment: Environment::sandbox,
        },
        account,
        customer_ref: keys.customer_ref(&customer),
        sealed_id: keys.seal(&name, &uid, &customer, [7; SEAL_NONCE_BYTES]).unwrap(),
        attempt_id: "11111111-1111-4111-8111-111111111111".to_owned(),
        by: "another-process".to_owned(),
        step: "delete".to_owned(),
        plan_hash: format!("sha256:{}", "1".repeat(64)),
        target_hash: format!("sha256:{}", "2".repeat(64)),
        profile_hash: text(&provider["status"]["profileHash"]),
        fingerprint: keys.fingerprint(b"whoever was seen"),
        credential: keys.credential(&[b"token", token(Juicyway).as_bytes()]),
        approvals: Vec::new(),
        waivers: Vec::new(),
        at: Timestamp::now(),
    };
    let spec = record::signed(record::with_intent(None, &intent, keys), &name, keys);
    let records: Api<OffboardingRecord> = Api::namespaced(story.break_glass().await, "customer-offboarding");
    records.create(&PostParams::default(), &OffboardingRecord::new(&name, spec)).await.unwrap();
}

#[tokio::test]
async fn a_request_that_is_told_to_be_finished_between_intent_and_send_sends_nothing_and_leaves_nothing_open()
{
    play("finished", async |story| {
        story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
        let looks = json!({"method": "GET", "path": "/customers/*"});
        let slow = json!({"kind": "latency", "ms": 3300, "at": "beforeApply"});
        story
            .sandbox
            .set_faults(&json!([{"match": looks, "skip": 1, "times": 1, "do": slow}]))
            .await
            .unwrap();
        story.provider(Juicyway, json!({})).await;
        story.request("acme", Juicyway, ID).await;
        story.until_looks(Juicyway, ID, 2).await;
        let requests: Api<CustomerOffboarding> = story.namespace.api(&story.break_glass().await);
        let forged = Patch::Merge(
            json!({"status": {"observedGeneration": 1, "phase": "Completed", "finished": true}}),
        );
        requests.patch_status("acme", &PatchParams::default(), &forged).await.unwrap();
        let record = story.record_until("it is closed", |spec| spec["closed"] == true).await;
        assert_eq!(record["result"], "Cancelled");
        let attempt = &record["attempts"][0];
        assert_eq!([&attempt["outcome"], &attempt["reason"]], ["NotSent", "RequestWithdrawn"]);
        assert_eq!(story.deletes(Juicyway, ID).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_deactivation_is_verified_also_where_its_mode_is_not_allowed_any_more() {
    play("modes", async |story| {
        story.sandbox.seed(Revolv3, "90017", &json!({})).await.unwrap();
        story.sandbox.configure(Revolv3, &json!({"afterDelete": "Flagged"})).await.unwrap();
        // The second look that must agree comes in a later pass, which reads the provider object as it is then.
        story.provider(Revolv3, json!({"verify": {"confirmations": 2}})).await;
        let slow = json!({"kind": "latency", "ms": 2000, "at": "afterApply"});
        let faults = json!([{"match": {"method": "DELETE"}, "times": 1, "do": slow}]);
        story.sandbox.set_faults(&faults).await.unwrap();
        story.request("acme", Revolv3, "90017").await;
        story.until_applied(Revolv3, "90017").await;
        story.edit_provider(Revolv3, json!({"allowedModes": ["Hard"]})).await;
        let status = story.finished("acme").await;
        assert_eq!(status["result"], "Deactivated");
        assert_told(&status, &[["Verified", "True", "Inactive"], ["Stalled", "False", "NotStalled"]]);
        assert_eq!(story.deletes(Revolv3, "90017").await, 1);
    })
    .await;
}
