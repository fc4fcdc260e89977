//! A deletion's turn at a provider that may be called slowly: what it needs is taken together, and waited for as long as it takes.

use std::time::Duration;

use harness::{Provider::Juicyway, eventually};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::stage::play;

const ID: &str = "cus_slow";

/// Twelve seconds each: a control, a look, a check, then two for the deletion, and two looks with a control between them.
const EIGHT_REQUESTS: Duration = Duration::from_secs(240);

/// What a deletion waits at most, where the rate is not slower than that.
const USUAL_TURN: SignedDuration = SignedDuration::from_secs(20);

#[tokio::test]
async fn a_deletion_has_its_turn_also_where_what_it_needs_takes_longer_than_a_turn_usually_does() {
    play("slow", async |story| {
        story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
        let slowly = json!({
            "limits": {"requestsPerMinute": 5, "burst": 2, "maxInFlight": 1},
            "verify": {"deadline": "5m"},
        });
        story.provider(Juicyway, slowly).await;
        story.request("acme", Juicyway, ID).await;
        let finished = async || match story.status("acme").await {
            status if status["finished"] == true => Ok(status),
            status => Err(status),
        };
        let status = eventually(EIGHT_REQUESTS, "it is finished", finished).await;
        assert_eq!(status["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
        // The look and the check empty the bucket; then comes the look that is sent together with the deletion.
        let reads = story.received(Juicyway, "GET", ID).await;
        let received = |entry: &Value| entry["received"].as_str().unwrap().parse::<Timestamp>().unwrap();
        let waited = received(&reads[2]).duration_since(received(&reads[1]));
        assert!(waited > USUAL_TURN, "nothing had to be waited for: {waited:?}");
    })
    .await;
}
