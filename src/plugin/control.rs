//! `cancel`, `suspend`, `resume`, `retry`: one field of exactly the object that was read.

use jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::{
    cluster::Cluster,
    problem::Problem,
    terminal::Terminal,
    text::{harmless, moment},
};
use crate::api::{CustomerOffboarding, RETRY_ANNOTATION};

/// How often an object may change under our hands: the operator writes its status while we read.
const TRIES: usize = 5;

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    Cancel,
    Suspend,
    Resume,
    Retry,
}

impl Control {
    fn patch(self, now: Timestamp) -> Value {
        match self {
            Control::Cancel => json!({ "spec": { "cancel": true } }),
            Control::Suspend => json!({ "spec": { "suspend": true } }),
            Control::Resume => json!({ "spec": { "suspend": false } }),
            Control::Retry => {
                json!({ "metadata": { "annotations": { (RETRY_ANNOTATION): now.to_string() } } })
            }
        }
    }

    const fn done(self) -> &'static str {
        match self {
            Control::Cancel => {
                "cancelled: nothing more is sent; what was sent already is looked after to its end"
            }
            Control::Suspend => "suspended: nothing is sent before it is resumed",
            Control::Resume => "resumed: every gate is passed anew",
            Control::Retry => "asked to be looked at again",
        }
    }
}

/// Changes it.
///
/// # Errors
/// A problem: nothing was changed, unless the server did not answer.
pub async fn control(
    cluster: &Cluster,
    terminal: &Terminal,
    name: &str,
    control: Control,
    yes: bool,
    now: Timestamp,
) -> Result<(), Problem> {
    let api = cluster.api::<CustomerOffboarding>();
    let request = cluster.get(&api, name).await?;
    let what = format!("offboarding {}/{name}", cluster.here.namespace);
    if request.is_finished() {
        let how = request.status.as_ref().and_then(|status| status.waiting_for.clone()).unwrap_or_default();
        return Err(Problem::Finished { what, how: harmless(&how) });
    }
    if control == Control::Cancel && !yes {
        let status = request.status.clone().unwrap_or_default();
        let words = harmless(status.waiting_for.as_deref().unwrap_or_default());
        terminal.say(&format!(
            "{what} is {}: {words}\nCancelling cannot be undone.\n",
            harmless(&status.phase)
        ))?;
        terminal.confirm(&format!("cancel {name}"), "in scripts use --yes").await?;
    }
    apply(cluster, request, &control.patch(now), what.clone()).await?;
    let next = match control {
        Control::Suspend => format!("resume {name}"),
        Control::Cancel | Control::Resume | Control::Retry => format!("status {name} --watch"),
    };
    let at = if control == Control::Retry { format!(" ({})", moment(now)) } else { String::new() };
    terminal.done(
        &format!("customeroffboarding.offboarding.dev/{name} {}\n", control.done()),
        &format!("Next: {}{at}\n", cluster.here.offboarding(&next)),
    );
    Ok(())
}

/// A merge patch that names uid and resourceVersion changes no other object and no newer state; it is tried again on the newer
/// state while it is the same object.
async fn apply(
    cluster: &Cluster,
    read: CustomerOffboarding,
    patch: &Value,
    what: String,
) -> Result<(), Problem> {
    let (api, name) = (cluster.api::<CustomerOffboarding>(), read.name_any());
    let uid = read.metadata.uid.clone();
    let mut current = read;
    for _ in 0..TRIES {
        if current.metadata.uid != uid {
            return Err(Problem::AnotherObject { what });
        }
        match cluster.patch(&api, &name, &guarded(patch, &current)).await {
            Err(Problem::Moving { .. }) => current = cluster.get(&api, &name).await?,
            done => return done.map(|_| ()),
        }
    }
    Err(Problem::Moving { what })
}

fn guarded(patch: &Value, object: &CustomerOffboarding) -> Value {
    let mut guarded = patch.clone();
    guarded["metadata"]["uid"] = json!(object.metadata.uid);
    guarded["metadata"]["resourceVersion"] = json!(object.metadata.resource_version);
    guarded
}
