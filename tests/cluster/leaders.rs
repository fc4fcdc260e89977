//! B10: two operators run, one works. It is asked to end, killed, stopped in its tracks, or cut off from the API server in the
//! middle of a deletion; the other one takes over, and the provider's ledger shows no second DELETE.
//!
//! A few rounds with a shorter lease, one for each moment. `make leaders` takes LEADERS_ROUNDS of them and the shipped timing.

use std::time::{Duration, Instant};

use harness::{Cable, Options, Process, Provider::Juicyway, Scratch};
use serde_json::{Value, json};

use crate::{
    stage::{SOON, Stage, ask, ready, says},
    story::Story,
};

const ID: &str = "cus_led";

/// How the leader ends, or seems to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Terminated,
    Killed,
    Stopped,
    CutOff,
}

/// What it is doing then.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// The intent is written, and the customer is being looked at for the second time: no permit yet.
    SecondLook,
    /// The provider has done it, and has not answered yet.
    Deletion,
    /// Nothing: the request comes later.
    Idle,
}

const MOMENTS: [Moment; 3] = [Moment::SecondLook, Moment::Deletion, Moment::Idle];

/// How long the lease lasts, how many rounds there are, and for how long a leader is stopped or cut off.
struct Campaign {
    rounds: usize,
    lease: &'static [&'static str],
    away_for: Duration,
}

impl Campaign {
    fn new() -> Campaign {
        match std::env::var("LEADERS_ROUNDS") {
            Ok(rounds) => {
                Campaign { rounds: rounds.parse().unwrap(), lease: &[], away_for: Duration::from_secs(60) }
            }
            Err(_) => Campaign {
                rounds: MOMENTS.len(),
                lease: &["--lease-duration", "9s", "--renew-deadline", "6s", "--retry-period", "1s"],
                // Longer than the lease, shorter than the deadlines of `flags_of`: it is the lease that forbids the send.
                away_for: Duration::from_secs(11),
            },
        }
    }
}

/// The deadlines of a send: after a crash its settle window is waited for, and who was stopped wakes before they are over.
fn flags_of(ending: Ending) -> [&'static str; 2] {
    match ending {
        Ending::Terminated | Ending::Killed => ["--send-deadline=4s", "--request-deadline=4s"],
        Ending::Stopped | Ending::CutOff => ["--send-deadline=20s", "--request-deadline=15s"],
    }
}

#[tokio::test]
async fn a_leader_that_is_asked_to_end_hands_over_within_two_seconds() {
    hand_overs(Ending::Terminated).await;
}

#[tokio::test]
async fn a_leader_that_is_killed_is_replaced_within_twenty_seconds() {
    hand_overs(Ending::Killed).await;
}

/// Row 94 of the table of bad inputs, too: a second operator stands by, and nothing is sent twice.
#[tokio::test]
async fn a_leader_that_was_stopped_sends_nothing_when_it_wakes() {
    hand_overs(Ending::Stopped).await;
}

#[tokio::test]
async fn a_leader_that_is_cut_off_from_the_api_server_is_replaced_and_sends_nothing_afterwards() {
    hand_overs(Ending::CutOff).await;
}

async fn hand_overs(ending: Ending) {
    let campaign = Campaign::new();
    let flags = [campaign.lease, &flags_of(ending)].concat();
    let mut stage = Stage::start_with(Options::default(), &flags, &[]).await.unwrap();
    let scratch = Scratch::new("second-operator").unwrap();
    // The leader's, and that of the one that stands by.
    let mut cables = [Cable::lay(&stage.plane).await.unwrap(), Cable::lay(&stage.plane).await.unwrap()];
    if ending == Ending::CutOff {
        stage.kill_operator().await;
        let kubeconfig = cables[0].kubeconfig().to_str().unwrap();
        stage.restart_operator_with(&[("KUBECONFIG", kubeconfig)]).await.unwrap();
        stage.launch = stage.launch.clone().env("KUBECONFIG", cables[1].kubeconfig().to_str().unwrap());
    }
    let mut standby = ready(&stage.launch, scratch.path()).await.unwrap();
    let mut took = Vec::new();
    for (round, moment) in MOMENTS.iter().copied().cycle().take(campaign.rounds).enumerate() {
        let story = stage.story("leaders").await;
        let passes = stands_by(&standby).await;
        begin(&story, moment).await;
        assert_eq!(stands_by(&standby).await, passes, "who stands by does nothing");
        took.push(match ending {
            Ending::Terminated => terminated(&stage, &mut standby, moment).await,
            Ending::Killed => killed(&stage, &mut standby).await,
            Ending::Stopped | Ending::CutOff => {
                let cable = (ending == Ending::CutOff).then_some(&cables[0]);
                away(&story, &mut standby, moment, &campaign, cable).await
            }
        });
        cables.swap(0, 1);
        println!("{ending:?} at {moment:?}, round {}: taken over after {:.2?}", round + 1, took[round]);
        assert_eq!(stage.ask_operator("/readyz").await, (200, "leader".to_owned()));
        if moment == Moment::Idle {
            story.request("acme", Juicyway, ID).await;
        }
        let status = story.finished("acme").await;
        assert_eq!(status["result"], "ErasedWithRetention", "{ending:?} at {moment:?}");
        assert_eq!(story.deletes(Juicyway, ID).await, 1, "{ending:?} at {moment:?}");
        story.judged().await;
        // Its sandbox goes: a look at it that is not answered would be waited for at the end of the next round.
        story.remove("OffboardingProvider", Juicyway.name()).await;
    }
    took.sort();
    let (shortest, median, longest) = (took[0], took[took.len() / 2], took[took.len() - 1]);
    println!(
        "{ending:?}: {} rounds, taken over after {shortest:.2?} (shortest), {median:.2?} (median), {longest:.2?} (longest)",
        took.len()
    );
    let most = if ending == Ending::Terminated { 2 } else { 20 };
    assert!(longest <= Duration::from_secs(most), "{took:.2?}");
}

/// It is ready to take over. Gives how many passes it has made so far, by controller.
async fn stands_by(standby: &Process) -> Vec<String> {
    assert_eq!(ask(standby, "/readyz").await, (200, "standby".to_owned()));
    let (_, metrics) = ask(standby, "/metrics").await;
    let stands_by = "leader_election_master_status{name=\"customer-offboarding-operator\"} 0";
    assert!(metrics.lines().any(|line| line == stands_by), "{metrics}");
    let of_the_domain = ["offboarding_requests", "offboarding_records_open", "offboarding_providers"];
    for name in of_the_domain.map(|name| format!("# TYPE {name} ")) {
        assert!(!metrics.contains(&name), "who stands by tells nothing of the domain: {metrics}");
    }
    let passes = metrics.lines().filter(|line| line.starts_with("controller_runtime_reconcile_total"));
    passes.map(str::to_owned).collect()
}

/// A customer, and a request that has come as far as the moment says.
async fn begin(story: &Story<'_>, moment: Moment) {
    story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
    let slow = |at: &str| json!({"kind": "latency", "ms": 2500, "at": at});
    let faults = match moment {
        Moment::SecondLook => {
            let looks = json!({"method": "GET", "path": "/customers/*"});
            json!([{"match": looks, "skip": 1, "times": 1, "do": slow("beforeApply")}])
        }
        Moment::Deletion => {
            json!([{"match": {"method": "DELETE"}, "times": 1, "do": slow("afterApply")}])
        }
        Moment::Idle => json!([]),
    };
    story.sandbox.set_faults(&faults).await.unwrap();
    story.provider(Juicyway, json!({})).await;
    story.provider_reason(Juicyway, "Ready", "ProbeSucceeded").await;
    match moment {
        Moment::SecondLook => {
            story.request("acme", Juicyway, ID).await;
            story.until_looks(Juicyway, ID, 2).await;
        }
        Moment::Deletion => {
            story.request("acme", Juicyway, ID).await;
            story.until_applied(Juicyway, ID).await;
        }
        Moment::Idle => {}
    }
}

/// The time since it was asked; where something is in flight, since the end of the process, which waits for the answer: only
/// then nobody is left who could send.
async fn terminated(stage: &Stage, standby: &mut Process, moment: Moment) -> Duration {
    let mut leader = stage.operator.lock().await;
    leader.terminate().unwrap();
    let asked = Instant::now();
    let ended = async {
        assert!(leader.wait(SOON).await.unwrap().success(), "{}", leader.tail());
        Instant::now()
    };
    let led = async {
        says(standby, "leading").await.unwrap();
        Instant::now()
    };
    let (ended, led) = tokio::join!(ended, led);
    assert!(
        leader.log().lines().any(|line| line.ends_with(": the lease is given back")),
        "{}",
        leader.tail()
    );
    assert!(led + Duration::from_millis(500) > ended, "it was replaced while something was in flight");
    replaced(stage, &mut leader, standby).await;
    if moment == Moment::Idle { led - asked } else { led.saturating_duration_since(ended) }
}

async fn killed(stage: &Stage, standby: &mut Process) -> Duration {
    let mut leader = stage.operator.lock().await;
    leader.kill_hard().unwrap();
    let killed = Instant::now();
    says(standby, "leading").await.unwrap();
    let took = killed.elapsed();
    replaced(stage, &mut leader, standby).await;
    took
}

/// Who stood by leads now, and a new process stands by.
async fn replaced(stage: &Stage, leader: &mut Process, standby: &mut Process) {
    std::mem::swap(leader, standby);
    let log_directory = standby.log_path().parent().unwrap().to_owned();
    *standby = ready(&stage.launch, &log_directory).await.unwrap();
    says(standby, "standing by: another process leads").await.unwrap();
}

/// Stopped in its tracks, or cut off where there is a cable; and it comes back.
async fn away(
    story: &Story<'_>,
    standby: &mut Process,
    moment: Moment,
    campaign: &Campaign,
    cable: Option<&Cable>,
) -> Duration {
    let mut leader = story.stage.operator.lock().await;
    match cable {
        Some(cable) => cable.cut(),
        None => leader.pause().unwrap(),
    }
    let left = Instant::now();
    says(standby, "leading").await.unwrap();
    let took = left.elapsed();
    tokio::time::sleep(campaign.away_for.saturating_sub(took)).await;
    let sent_before = sends_told(&leader);
    match cable {
        Some(cable) => {
            assert!(leader.log().contains(LOST), "it knew before it came back: {}", leader.tail());
            cable.mend();
        }
        None => {
            leader.resume().unwrap();
            says(&mut leader, LOST).await.unwrap();
        }
    }
    std::mem::swap(&mut *leader, standby);
    drop(leader);
    if moment != Moment::Idle {
        // The new leader would look again when the settle window is over.
        let outcome = |spec: &Value| spec["closed"] == true || !spec["attempts"][0]["outcome"].is_null();
        let record = story.record_until("the one that is back has told what it did", outcome).await;
        let told = [&record["attempts"][0]["outcome"], &record["attempts"][0]["reason"]];
        if moment == Moment::SecondLook && !campaign.lease.is_empty() && cable.is_none() {
            assert_eq!(told, ["NotSent", "LeaseLost"]);
        }
        story.retry("acme", "the other one is back").await;
    }
    if moment != Moment::Idle {
        story.finished("acme").await;
    }
    assert_eq!(sends_told(standby), sent_before, "the one that is back sent something: {}", standby.tail());
    took
}

const LOST: &str = "the lease is lost: nothing is begun, and what is in flight is written down";

/// How often a process said that it sends.
fn sends_told(process: &Process) -> usize {
    process.log().lines().filter(|line| line.contains("sending the deletion, once")).count()
}
