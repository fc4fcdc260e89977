//! The story as it happens, like `kubectl get cob -w`: one line whenever what a request shows has changed.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, TryStreamExt as _};
use harness::{ControlPlane, Failure};
use kube::{
    Api,
    core::{ApiResource, DynamicObject, GroupVersionKind},
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::Value;
use tokio::{sync::watch, task::JoinHandle};

/// The status of each request by name, as last seen.
pub type Seen = BTreeMap<String, Value>;

/// A watch that tells what it sees, until it is dropped.
pub struct Story {
    seen: watch::Receiver<Seen>,
    telling: JoinHandle<()>,
}

impl Story {
    /// Begins to watch the requests of the namespace `demo`.
    pub async fn begin(plane: &ControlPlane) -> Result<Story, Failure> {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(
            "offboarding.dev",
            "v1alpha1",
            "CustomerOffboarding",
        ));
        let requests: Api<DynamicObject> = Api::namespaced_with(plane.client("admin").await?, "demo", &kind);
        let (sender, seen) = watch::channel(Seen::new());
        Ok(Story { seen, telling: tokio::spawn(tell(requests, sender)) })
    }

    /// Waits until what is seen is as `fits` says.
    pub async fn until(
        &mut self,
        what: &str,
        deadline: Duration,
        fits: impl Fn(&Seen) -> bool,
    ) -> Result<Seen, Failure> {
        let found = tokio::time::timeout(deadline, self.seen.wait_for(|seen| fits(seen))).await;
        match found {
            Ok(Ok(seen)) => Ok(seen.clone()),
            Ok(Err(closed)) => Err(Failure::new(format!("see {what}"), closed)),
            Err(_elapsed) => Err(Failure::new(format!("see {what}"), format!("not within {deadline:?}"))),
        }
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        self.telling.abort();
    }
}

async fn tell(requests: Api<DynamicObject>, seen: watch::Sender<Seen>) {
    let begun = Instant::now();
    let changes = watcher(requests, watcher::Config::default()).applied_objects().into_stream();
    changes
        .filter_map(async |change| change.ok())
        .for_each(async |request| {
            let name = request.metadata.name.unwrap_or_default();
            let status = request.data["status"].clone();
            let line = line(&name, &status);
            let before = seen.borrow().get(&name).map(|status| self::line(&name, status));
            if before.as_ref() != Some(&line) {
                println!("{:6.1}s  {line}", begun.elapsed().as_secs_f32());
            }
            seen.send_modify(|seen| {
                seen.insert(name, status);
            });
        })
        .await;
}

/// Name, phase, result, what it waits for and until when.
fn line(name: &str, status: &Value) -> String {
    let word = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
    let until = status["waitingUntil"].as_str().map(|until| format!(" (until {until})")).unwrap_or_default();
    let line = format!("{name:12} {:17} {:20} {}{until}", word("phase"), word("result"), word("waitingFor"));
    line.trim_end().to_owned()
}

/// A condition of a request, as last seen.
pub fn condition<'a>(seen: &'a Seen, name: &str, type_: &str) -> &'a Value {
    let conditions = seen.get(name).and_then(|status| status["conditions"].as_array());
    let found = conditions.into_iter().flatten().find(|condition| condition["type"] == type_);
    found.unwrap_or(&Value::Null)
}
