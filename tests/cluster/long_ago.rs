//! Requests that were finished long ago: nobody waits here until the time has come to remove one.

use kube::{
    Api,
    api::{Patch, PatchParams},
};
use offboarding::api::CustomerOffboarding;
use serde_json::json;

use crate::story::Story;

/// Long before any of these stories.
pub const LONG_AGO: &str = "2026-01-01T00:00:00Z";

impl Story<'_> {
    /// Has a request be finished long ago, and nothing else.
    pub async fn finished_long_ago(&self, name: &str) {
        let requests: Api<CustomerOffboarding> = self.namespace.api(&self.break_glass().await);
        let earlier = Patch::Merge(json!({"status": {"finishedAt": LONG_AGO}}));
        requests.patch_status(name, &PatchParams::default(), &earlier).await.unwrap();
    }

    pub async fn until_gone(&self, name: &str) {
        self.wait(&format!("{name} is removed"), || async {
            self.get("CustomerOffboarding", name).await.map_or(Ok(()), |object| Err(object["status"].clone()))
        })
        .await;
    }
}
