//! What a profile keeps of an answer stands in the record; what repeats a credential does not.

use harness::Provider::Juicyway;
use serde_json::json;

use crate::{
    stage::play,
    story::{quick_profile, token},
};

const ID: &str = "cus_kept";

#[tokio::test]
async fn what_a_profile_keeps_of_an_answer_is_recorded_but_for_what_repeats_a_credential() {
    play("kept", async |story| {
        story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
        let key = token(Juicyway);
        let set = json!({"X-Receipt": "receipt-77", "X-Key": key, "X-Within": format!("for.{key}.1")});
        let echo = json!({"kind": "headers", "set": set});
        let faults = json!([{"match": {"method": "DELETE"}, "times": 0, "do": echo}]);
        story.sandbox.set_faults(&faults).await.unwrap();
        let mut profile = quick_profile(Juicyway);
        profile["delete"][0]["keep"] = json!({
            "receipt": "response.headers['x-receipt']",
            "key": "response.headers['x-key']",
            "within": "response.headers['x-within']",
            "status": "response.status",
        });
        story.provider(Juicyway, json!({"customProfile": profile})).await;
        story.request("acme", Juicyway, ID).await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        let record = story.record_until("it is closed", |spec| spec["closed"] == true).await;
        assert_eq!(record["attempts"][0]["keep"], json!({"receipt": "receipt-77", "status": "204"}));
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}
