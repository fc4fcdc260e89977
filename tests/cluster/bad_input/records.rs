//! Records that somebody else wrote, and a status that is not true.

use harness::Provider::Juicyway;
use kube::{Api, api::PostParams};
use offboarding::{
    api::OffboardingRecord,
    evidence::{Keys, record},
};
use serde_json::{Value, json};

use super::{Wrong, everybody_else_goes_on};
use crate::{
    stage::play,
    story::{Story, condition, merge},
};

fn records(story: &Story<'_>) -> Api<OffboardingRecord> {
    Api::namespaced(story.client.clone(), "customer-offboarding")
}

async fn record_of(story: &Story<'_>, request: &str) -> OffboardingRecord {
    let records = story.records().await;
    let record = records.iter().find(|record| record["spec"]["request"]["name"] == request);
    serde_json::from_value(record.unwrap().clone()).unwrap()
}

/// Changes a request's record as somebody could whom no policy stops. Only who has the key can sign what was changed.
async fn forge(story: &Story<'_>, request: &str, change: Value, key: Option<&Keys>) {
    let mut record = record_of(story, request).await;
    let mut spec = serde_json::to_value(&record.spec).unwrap();
    merge(&mut spec, change);
    record.spec = serde_json::from_value(spec).unwrap();
    let name = record.metadata.name.clone().unwrap();
    if let Some(key) = key {
        record.spec = record::signed(record.spec, &name, key);
    }
    let records: Api<OffboardingRecord> = Api::namespaced(story.break_glass().await, "customer-offboarding");
    records.replace(&name, &PostParams::default(), &record).await.unwrap();
}

async fn installation_key(story: &Story<'_>) -> Keys {
    let secrets: Api<k8s_openapi::api::core::v1::Secret> =
        Api::namespaced(story.client.clone(), "customer-offboarding");
    let secret = secrets.get("customer-offboarding-installation-key").await.unwrap();
    Keys::new(&secret.data.unwrap()["key"].0).unwrap()
}

const CORRUPTED: (&str, &str) =
    ("RecordCorrupted", "the record failed its integrity check; a person must look at it");
const NEWER: (&str, &str) =
    ("UnsupportedVersion", "the record was written by a newer operator; upgrade this one");
const OTHER_KEY: (&str, &str) = (
    "InstallationKeyLost",
    "the installation key is missing or does not match the records; restore the Secret, no deletion starts before",
);

#[tokio::test]
async fn rows_28_and_29_a_record_that_the_operator_did_not_write_stops_its_request() {
    play("forged", async |story| {
        let key = installation_key(story).await;
        let refused =
            json!([{"match": {"provider": "juicyway", "method": "DELETE"}, "times": 0, "do": {"kind": "status", "status": 409}}]);
        story.sandbox.set_faults(&refused).await.unwrap();
        story.provider(Juicyway, json!({"recheckInterval": "1h"})).await;
        let cases = [
            (28, "outcome", json!({"attempts": [{"outcome": "NotSent"}]}), false, CORRUPTED),
            (28, "no-attempts", json!({"attempts": []}), false, CORRUPTED),
            (28, "no-mac", json!({"mac": ""}), false, CORRUPTED),
            (
                28,
                "closed",
                json!({"closed": true, "result": "Cancelled", "closedBecause": "Cancelled"}),
                false,
                CORRUPTED,
            ),
            (28, "gap", json!({"attempts": [{"n": 1}, {"n": 3}]}), true, CORRUPTED),
            (28, "count", json!({"attempts": [{"count": 7}]}), true, CORRUPTED),
            (29, "outcome-to-come", json!({"attempts": [{"outcome": "Postponed"}]}), true, NEWER),
            (29, "class-to-come", json!({"attempts": [{"class": "Confused"}]}), true, NEWER),
            (99, "key", json!({"keyId": "00000000"}), false, OTHER_KEY),
        ];
        for (_, name, ..) in &cases {
            story.sandbox.seed(Juicyway, &format!("cus_{name}"), &json!({})).await.unwrap();
            story.request(name, Juicyway, &format!("cus_{name}")).await;
        }
        let mut wrong = Vec::new();
        for (row, name, change, signed, (reason, sentence)) in cases {
            story.reason(name, "Unblocked", "ProviderConflict").await;
            let attempt = serde_json::to_value(&record_of(story, name).await.spec.attempts[0]).unwrap();
            let mut change = change;
            for forged in change["attempts"].as_array_mut().into_iter().flatten() {
                let mut whole = attempt.clone();
                merge(&mut whole, forged.take());
                *forged = whole;
            }
            forge(story, name, change, signed.then_some(&key)).await;
            story.retry(name, "forged").await;
            let status = story.reason(name, "Stalled", reason).await;
            let mut about = Wrong::about(row, name);
            about.unless_equal(&status["phase"], &"Blocked");
            about.unless_equal(&status["waitingFor"], &sentence);
            about.unless_equal(&story.deletes(Juicyway, &format!("cus_{name}")).await, &1);
            wrong.extend(about.told());
        }
        assert_eq!(wrong, [""; 0]);
        everybody_else_goes_on(story).await;
    })
    .await;
}

#[tokio::test]
async fn row_28_a_forged_record_is_never_signed_not_even_when_its_request_is_gone() {
    play("unsigned", async |story| {
        story.sandbox.seed(Juicyway, "cus_unsigned", &json!({})).await.unwrap();
        let refused = json!([{"match": {"provider": "juicyway", "method": "DELETE"}, "do": {"kind": "status", "status": 409}}]);
        story.sandbox.set_faults(&refused).await.unwrap();
        story.provider(Juicyway, json!({"recheckInterval": "1h"})).await;
        story.request("acme", Juicyway, "cus_unsigned").await;
        story.reason("acme", "Unblocked", "ProviderConflict").await;
        forge(story, "acme", json!({"attempts": []}), None).await;
        let forged = record_of(story, "acme").await;
        story.delete("acme").await;
        let name = forged.metadata.name.clone().unwrap();
        story
            .wait("the operator tells its log of the record", || async {
                let log = story.stage.operator.lock().await.log();
                let told = |line: &str| line.contains(&name) && line.contains(CORRUPTED.1);
                if log.lines().any(told) { Ok(()) } else { Err(()) }
            })
            .await;
        // A later request finds it as it was left.
        story.request("later", Juicyway, "cus_unsigned").await;
        story.reason("later", "Stalled", CORRUPTED.0).await;
        let left = records(story).get(&name).await.unwrap();
        assert_eq!(left.spec, forged.spec);
        assert_eq!(story.deletes(Juicyway, "cus_unsigned").await, 1);
        everybody_else_goes_on(story).await;
    })
    .await;
}

#[tokio::test]
async fn row_28_a_finished_customers_record_cannot_be_exchanged_for_one_that_allows_another_deletion() {
    play("exchanged", async |story| {
        story.provider(Juicyway, json!({})).await;
        for name in ["edited", "copied"] {
            story.sandbox.seed(Juicyway, &format!("cus_{name}"), &json!({})).await.unwrap();
            story.request(name, Juicyway, &format!("cus_{name}")).await;
            assert_eq!(story.finished(name).await["result"], "ErasedWithRetention");
        }
        let cancelled = json!({"result": "Cancelled", "closedBecause": "Cancelled", "attempts": []});
        // Well signed, but for another name.
        let other = serde_json::to_value(record_of(story, "edited").await.spec).unwrap();
        forge(story, "edited", cancelled, None).await;
        forge(story, "copied", other, None).await;
        for name in ["edited", "copied"] {
            story.sandbox.seed(Juicyway, &format!("cus_{name}"), &json!({})).await.unwrap();
            let again = format!("{name}-again");
            story.request(&again, Juicyway, &format!("cus_{name}")).await;
            let status = story.reason(&again, "Stalled", CORRUPTED.0).await;
            assert_eq!(status["waitingFor"], CORRUPTED.1);
            assert_eq!(story.deletes(Juicyway, &format!("cus_{name}")).await, 1, "{name}");
        }
        everybody_else_goes_on(story).await;
    })
    .await;
}

#[tokio::test]
async fn row_28_a_forged_status_is_not_believed_and_told_anew() {
    play("status", async |story| {
        story.sandbox.seed(Juicyway, "cus_done", &json!({})).await.unwrap();
        story.sandbox.seed(Juicyway, "cus_status", &json!({"wallets": [{"balance": 5}]})).await.unwrap();
        story.provider(Juicyway, json!({"recheckInterval": "1h"})).await;
        story.request("done", Juicyway, "cus_done").await;
        let done = story.finished("done").await;
        story.request("acme", Juicyway, "cus_status").await;
        let honest = story.reason("acme", "Unblocked", "BlockersFound").await;
        // As if it were the other one, which is done: only that it is finished would hide it from the operator.
        let mut forged = done.clone();
        forged["finished"] = json!(false);
        let patch = json!({"status": forged}).to_string();
        let kubectl = story.stage.plane.kubectl("grace").args(["-n", story.namespace.name()]);
        let forge =
            kubectl.args(["patch", "cob", "acme", "--subresource=status", "--type=merge", "-p", &patch]);
        forge.succeed().await.unwrap();
        assert_eq!(story.status("acme").await["phase"], "Completed");
        story.retry("acme", "forged").await;
        let status = story.reason("acme", "Unblocked", "BlockersFound").await;
        assert_eq!(status["phase"], "Blocked");
        assert_eq!(status["result"], Value::Null);
        assert_eq!(status["finishedAt"], Value::Null);
        assert_eq!(status["waitingFor"], honest["waitingFor"]);
        assert_eq!(status["plan"]["hash"], honest["plan"]["hash"]);
        assert_eq!(status["targets"], honest["targets"]);
        assert_eq!(condition(&status, "Deleted")["reason"], "NotStarted");
        assert_eq!(story.deletes(Juicyway, "cus_status").await, 0);
        everybody_else_goes_on(story).await;
    })
    .await;
}
