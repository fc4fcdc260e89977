//! A6: every row of the table of bad input that the operator answers, by its number. In every row no customer is deleted who
//! must not be, the sentence is ours and quotes nothing, and everybody else's requests go on.

mod answers;
mod deletions;
mod providers;
mod records;
mod requests;
mod secrets;

use std::fmt::Debug;

use harness::Provider::Revolv3;
use serde_json::json;

use crate::story::Story;

/// What is not as a row of the table says, gathered, so that one run tells all of it.
struct Wrong {
    row: String,
    told: Vec<String>,
}

impl Wrong {
    fn about(row: u8, case: &str) -> Self {
        Self { row: format!("row {row}, {case}"), told: Vec::new() }
    }

    fn unless_equal<A: PartialEq<B> + Debug + ?Sized, B: Debug + ?Sized>(&mut self, found: &A, expected: &B) {
        if found != expected {
            self.told.push(format!("{}: {found:?} instead of {expected:?}", self.row));
        }
    }

    fn told(self) -> Vec<String> {
        self.told
    }
}

/// Somebody else's request, in the same namespace and at the same time.
async fn everybody_else_goes_on(story: &Story<'_>) {
    story.sandbox.seed(Revolv3, "4711", &json!({})).await.unwrap();
    story.provider_as("neighbour", Revolv3, json!({})).await;
    let change = json!({"targets": [{"name": "billing", "providerRef": {"name": "neighbour"}}]});
    story.request_with("neighbour", Revolv3, "4711", change).await;
    assert_eq!(story.finished("neighbour").await["result"], "Deactivated");
    assert_eq!(story.deletes(Revolv3, "4711").await, 1);
}
