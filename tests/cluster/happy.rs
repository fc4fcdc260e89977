//! What a requester sees when all goes well.

use harness::Provider::{Juicyway, Revolv3};
use serde_json::json;

use crate::{stage::play, story::condition};

#[tokio::test]
async fn a_juicyway_customer_is_deleted_once_and_verified() {
    play("juicy", async |story| {
        story.sandbox.seed(Juicyway, "cus_happy", &json!({})).await.unwrap();
        story.provider(Juicyway, json!({})).await;
        story.request("acme", Juicyway, "cus_happy").await;
        let status = story.finished("acme").await;
        assert_eq!(status["phase"], "Completed");
        assert_eq!(status["result"], "ErasedWithRetention");
        assert_eq!(condition(&status, "Verified")["reason"], "Absent");
        assert_eq!(condition(&status, "DataErased")["reason"], "Retained");
        assert_eq!(status["targetsDone"], "1/1");
        assert_eq!(story.deletes(Juicyway, "cus_happy").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_revolv3_customer_is_deactivated_and_told_as_that() {
    play("revolv", async |story| {
        let paid = json!({"subscriptions": [], "invoices": [{"invoiceStatus": "Paid"}]});
        story.sandbox.seed(Revolv3, "90017", &paid).await.unwrap();
        story.provider(Revolv3, json!({})).await;
        story.request("acme", Revolv3, "90017").await;
        let status = story.finished("acme").await;
        assert_eq!(status["result"], "Deactivated");
        assert_eq!(condition(&status, "Verified")["reason"], "Absent");
        assert_eq!(condition(&status, "DataErased")["status"], "False");
        assert_eq!(condition(&status, "DataErased")["reason"], "SoftDeleteOnly");
        let told = condition(&status, "DataErased")["message"].to_string();
        assert!(told.contains("personal data, transactions, invoices") && told.contains("ticket"), "{told}");
        assert_eq!(story.deletes(Revolv3, "90017").await, 1);
    })
    .await;
}
