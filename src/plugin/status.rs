//! `status`: where a request stands, once or until it is finished.

use futures::{StreamExt as _, pin_mut};
use kube::{
    api::Api,
    runtime::{WatchStreamExt as _, watcher},
};

use super::{
    cluster::{Cluster, tried},
    exit::Exit,
    problem::Problem,
    terminal::{Terminal, interrupted},
    text::{harmless, moment},
};
use crate::api::{CustomerOffboarding, OffboardingResult};

/// Prints where it stands.
///
/// # Errors
/// A problem with the API server, or the request is not there.
pub async fn status(
    cluster: &Cluster,
    terminal: &Terminal,
    name: &str,
    watch: bool,
) -> Result<Exit, Problem> {
    let api = cluster.api::<CustomerOffboarding>();
    let request = cluster.get(&api, name).await?;
    let line = line(&request);
    terminal.print(&line)?;
    match (end(&request), watch) {
        (Some(exit), _) => Ok(exit),
        (None, false) => Ok(Exit::Unfinished),
        (None, true) => follow(cluster, terminal, &api, &request, line).await,
    }
}

async fn follow(
    cluster: &Cluster,
    terminal: &Terminal,
    api: &Api<CustomerOffboarding>,
    request: &CustomerOffboarding,
    mut before: String,
) -> Result<Exit, Problem> {
    let name = request.metadata.name.as_deref().unwrap_or_default();
    let stream = watcher::watch_object(api.clone(), name).default_backoff().take_until(interrupted());
    pin_mut!(stream);
    while let Some(event) = stream.next().await {
        let now = match event {
            Ok(Some(now)) if now.metadata.uid == request.metadata.uid => now,
            Ok(_) => {
                let look = cluster.here.kubectl("get cob");
                let what = format!("offboarding {}/{name} was deleted: it", cluster.here.namespace);
                return Err(Problem::NotFound { what, look });
            }
            Err(
                watcher::Error::InitialListFailed(kube::Error::Api(status))
                | watcher::Error::WatchStartFailed(kube::Error::Api(status)),
            ) if (400..500).contains(&status.code) && status.code != 410 && status.code != 429 => {
                return Err(tried("watch", api, Some(name)).failed(kube::Error::Api(status), &cluster.here));
            }
            // No answer: it is asked again, with pauses that grow.
            Err(_) => continue,
        };
        let line = line(&now);
        if line != before {
            terminal.print(&line)?;
        }
        if let Some(exit) = end(&now) {
            return Ok(exit);
        }
        before = line;
    }
    // A watch has no end of its own.
    Err(Problem::Interrupted)
}

/// Phase, targets, what it waits for, until when: in one line.
fn line(request: &CustomerOffboarding) -> String {
    let status = request.status.clone().unwrap_or_default();
    let phase = if status.phase.is_empty() { "Pending" } else { &status.phase };
    let result = status.result.as_ref().map_or_else(String::new, |result| format!(" {result}"));
    let done = status.targets_done.as_ref().map_or_else(String::new, |done| format!(" {done}"));
    let until = status.waiting_until.map_or_else(String::new, |at| format!(" (until {})", moment(at)));
    let words = status.waiting_for.as_ref().map_or_else(String::new, |words| format!(": {words}"));
    format!("{}\n", harmless(&format!("{phase}{result}{done}{words}{until}")))
}

/// How the program ends, once the request is finished.
fn end(request: &CustomerOffboarding) -> Option<Exit> {
    let status = request.status.as_ref().filter(|status| status.finished)?;
    let result: Option<OffboardingResult> = status.result.as_deref().and_then(|word| word.parse().ok());
    Some(result.map_or(Exit::NotAll, Exit::of))
}
