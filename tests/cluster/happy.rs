//! What a requester sees when all goes well.

use harness::Provider;
use serde_json::json;

use crate::stage::{Stage, condition};

#[tokio::test]
async fn a_juicyway_customer_is_deleted_once_and_verified() {
    let story = Stage::shared().await.story("juicy").await;
    story.sandbox.seed(Provider::Juicyway, "cus_happy", &json!({})).await.unwrap();
    story.provider(Provider::Juicyway, json!({})).await;
    story.request("acme", Provider::Juicyway, "cus_happy").await;
    let status = story.finished("acme").await;
    assert_eq!(status["phase"], "Completed");
    assert_eq!(status["result"], "ErasedWithRetention");
    assert_eq!(condition(&status, "Verified")["reason"], "Absent");
    assert_eq!(condition(&status, "DataErased")["reason"], "Retained");
    assert_eq!(status["targetsDone"], "1/1");
    assert_eq!(story.deletes(Provider::Juicyway, "cus_happy").await, 1);
}

#[tokio::test]
async fn a_revolv3_customer_is_deactivated_and_told_as_that() {
    let story = Stage::shared().await.story("revolv").await;
    story
        .sandbox
        .seed(
            Provider::Revolv3,
            "90017",
            &json!({"subscriptions": [], "invoices": [{"invoiceStatus": "Paid"}]}),
        )
        .await
        .unwrap();
    story.provider(Provider::Revolv3, json!({})).await;
    story.request("acme", Provider::Revolv3, "90017").await;
    let status = story.finished("acme").await;
    assert_eq!(status["result"], "Deactivated");
    assert_eq!(condition(&status, "Verified")["reason"], "Absent");
    assert_eq!(condition(&status, "DataErased")["status"], "False");
    assert_eq!(condition(&status, "DataErased")["reason"], "SoftDeleteOnly");
    let told = condition(&status, "DataErased")["message"].to_string();
    assert!(told.contains("personal data, transactions, invoices") && told.contains("ticket"), "{told}");
    assert_eq!(story.deletes(Provider::Revolv3, "90017").await, 1);
}
