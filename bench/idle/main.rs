//! `make idle`: what a leader costs that has nothing to do, with no finished request and with 10,000.
//!
//! Two control planes run side by side, so that both leaders see the same machine: with fsync, and with an audit log, which counts what was
//! asked. The operator is the one of the image. Before any figure, both processes are started anew on what there is.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; clippy only knows #[test] functions, not their helpers"
)]

mod figures;
mod fill;
#[path = "../../tests/cluster/stage.rs"]
#[expect(dead_code, reason = "shared with tests/cluster, which needs all of it")]
mod stage;
#[path = "../../tests/cluster/story.rs"]
#[expect(dead_code, reason = "shared with tests/cluster, which needs all of it")]
mod story;

use std::time::{Duration, Instant};

use harness::{ControlPlane, Launch, Options, Provider::Juicyway, Scratch};
use serde_json::json;

use figures::{Figures, Reading, table};
use stage::{Stage, install, ready, root, says};
use story::Story;

/// After the start: lists, first reads, and what the allocator gives back.
const SETTLED: Duration = Duration::from_secs(30);

/// Between two looks at the memory.
const PAUSE: Duration = Duration::from_secs(5);

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "make idle: minutes"]
async fn what_a_leader_costs_that_has_nothing_to_do() {
    let minutes = from_environment("IDLE_MINUTES", 5);
    let finished = usize::try_from(from_environment("IDLE_REQUESTS", 10_000)).unwrap();
    let (none, many) = tokio::join!(stage(), stage());
    let (of_none, of_many) = tokio::join!(provider(&none), provider(&many));
    let begun = Instant::now();
    fill::with_finished(&of_many, finished).await;
    println!("{finished} finished requests and closed records made in {:.0?}", begun.elapsed());

    let (one, other) = tokio::join!(measured(&of_none, minutes), measured(&of_many, minutes));
    let names = ["0 finished".to_owned(), format!("{finished} finished")];
    println!("\n{}", table(minutes, &names, &one, &other));
    for figures in [&one, &other] {
        assert_eq!(figures.surprises, [""; 0], "what nobody who idles should ask");
        assert_eq!(figures.provider_calls, 0.0, "nothing is asked of a provider");
    }
}

/// A control plane with an operator that has made its key and its first reads.
async fn stage() -> Stage {
    let operator = std::env::var_os("IDLE_OPERATOR").expect("`make idle` says which operator is measured");
    let plane = ControlPlane::start(Options::default().with_audit_log().durable()).await.unwrap();
    plane.apply_path(&root().join("crds")).await.unwrap();
    install(&plane).await.unwrap();
    plane.stamps_requests().await.unwrap();
    let scratch = Scratch::new("idle").unwrap();
    let launch = Launch::new("operator", operator)
        .args(["operator", "--admin-address", "127.0.0.1:0", "--allowed-cidrs", "127.0.0.0/8"])
        .env("KUBECONFIG", plane.kubeconfig("operator"));
    let mut operator = ready(&launch, scratch.path()).await.unwrap();
    says(&mut operator, "leading").await.unwrap();
    Stage { plane, operator: tokio::sync::Mutex::new(operator), launch, scratch }
}

/// With one provider object, ready: an installation that is in use.
async fn provider(stage: &Stage) -> Story<'_> {
    let story = stage.story("idle").await;
    story.provider(Juicyway, json!({})).await;
    story.provider_reason(Juicyway, "Ready", "ProbeSucceeded").await;
    story
}

/// Starts the operator anew and watches it do nothing.
async fn measured(story: &Story<'_>, minutes: u64) -> Figures {
    let stage = story.stage;
    stage.kill_operator().await;
    stage.restart_operator().await.unwrap();
    tokio::time::sleep(SETTLED).await;
    let before = Reading::take(story).await;
    let begun = Instant::now();
    let mut most = before.rss;
    while begun.elapsed() < Duration::from_secs(60 * minutes) {
        tokio::time::sleep(PAUSE).await;
        most = most.max(Reading::rss(stage).await);
    }
    let after = Reading::take(story).await;
    Figures::between(&before, &after, most, begun.elapsed())
}
