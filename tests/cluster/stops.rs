//! What stops everything, and who goes on by itself when its time has come.

use std::time::Duration;

use harness::{LedgerFilter, Options, Provider::Juicyway};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    people::in_seconds,
    stage::{Stage, all, play},
    story::{Story, assert_told, condition, timeless},
};

const ID: &str = "cus_stopped";

/// As fast as somebody who stops everything must be believed, and as who waits for a moment must wake.
const A_SECOND: Duration = Duration::from_secs(1);

const MANY: usize = 24;

#[tokio::test]
async fn a_hold_on_everything_stops_everything_within_a_second_and_its_release_lets_all_go_on() {
    let stage = Stage::start(Options::default()).await.unwrap();
    stage
        .play("emergency", async |story| {
            story.cast().await;
            story.provider(Juicyway, json!({})).await;
            let names: Vec<String> = (0..MANY).map(|n| format!("bulk-{n}")).collect();
            for (n, name) in names.iter().enumerate() {
                story.sandbox.seed(Juicyway, &format!("cus_{n}"), &json!({})).await.unwrap();
                story.request_with(name, Juicyway, &format!("cus_{n}"), json!({"suspend": n % 2 == 1})).await;
            }
            // From here on every look takes its time, so that the hold meets them between intent and send.
            let looks = json!({"method": "GET", "path": "/customers/*"});
            let slow = json!({"kind": "latency", "ms": 700, "at": "beforeApply"});
            story.sandbox.set_faults(&json!([{"match": looks, "times": 0, "do": slow}])).await.unwrap();
            let before = deletions(story).await.len();
            for name in names.iter().skip(1).step_by(2) {
                story.edit(name, json!({"suspend": false})).await;
            }
            story
                .wait("the first of the others is sent", || async {
                    let sent = deletions(story).await.len();
                    if sent > before { Ok(()) } else { Err(sent) }
                })
                .await;
            story.hold(Juicyway, json!({"type": "Freeze", "providers": null, "all": true})).await;
            let held_at = Timestamp::now();
            let says = format!(
                "hold '{}' (Freeze) to be released or to expire; no request will be sent before",
                story.hold_name()
            );
            let mut held = 0;
            for name in &names {
                let status = story
                    .until(name, "it is done, or held", |status| {
                        status["finished"] == true || timeless(&status["waitingFor"]) == says
                    })
                    .await;
                held += usize::from(status["finished"] == false);
            }
            let sent = deletions(story).await;
            assert!(held > 0 && !sent.is_empty(), "{held} held, {} sent", sent.len());
            let last = sent.iter().max().copied().unwrap();
            println!(
                "{} sent, {held} held; the last one {:?} after the hold",
                sent.len(),
                last.duration_since(held_at)
            );
            let records = story.records().await;
            let held_late = records.iter().filter(|it| it["spec"]["attempts"][0]["reason"] == "Held").count();
            println!("{held_late} of them between intent and send");
            assert!(last <= held_at + A_SECOND, "sent {:?} after the hold", last.duration_since(held_at));
            assert_eq!(sent.len() + held, MANY);
            story.release().await;
            for name in &names {
                assert_eq!(story.finished(name).await["result"], "ErasedWithRetention");
            }
            assert_eq!(deletions(story).await.len(), MANY);
        })
        .await;
}

/// When each DELETE arrived.
async fn deletions(story: &Story<'_>) -> Vec<Timestamp> {
    let filter = LedgerFilter { method: Some("DELETE"), ..LedgerFilter::default() };
    story.sandbox.ledger(&filter).await.unwrap().iter().map(received).collect()
}

fn received(entry: &Value) -> Timestamp {
    entry["received"].as_str().unwrap().parse().unwrap()
}

/// Row 102.
#[tokio::test]
async fn a_hold_that_nobody_can_evaluate_holds() {
    let rows = [
        json!({"customers": [{"ref": "hmac:00000000:00000000000000000000000000000000"}]}),
        json!({"customers": [{"idFrom": {"secretKeyRef": {"name": "not-there", "key": "id"}}}]}),
        json!({"customers": [{"idFrom": {"secretKeyRef": {"name": "customer-offboarding-installation-key", "key": "key"}}}]}),
    ];
    all(rows.into_iter().map(|whom| {
        play("unclear", async move |story| {
            story.cast().await;
            story.hold(Juicyway, whom).await;
            story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
            story.provider(Juicyway, json!({})).await;
            story.request("acme", Juicyway, ID).await;
            story.says("acme", &story.held()).await;
            assert_eq!(story.deletes(Juicyway, ID).await, 0);
            story.release().await;
            assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        })
    }))
    .await;
}

#[tokio::test]
async fn a_hold_on_somebody_else_or_on_another_provider_holds_nobody_here() {
    play("others", async |story| {
        story.cast().await;
        let somebody = story.pseudonym("cus_somebody").await;
        story.hold(Juicyway, json!({"customers": [{"ref": somebody}]})).await;
        story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
        story.provider(Juicyway, json!({})).await;
        story.request("acme", Juicyway, ID).await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
    })
    .await;
}

#[tokio::test]
async fn a_hold_on_the_requests_customer_holds_a_target_that_knows_them_by_another_id() {
    play("person", async |story| {
        story.cast().await;
        let person = story.pseudonym("90017").await;
        story.hold(Juicyway, json!({"customers": [{"ref": person}]})).await;
        story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
        story.provider(Juicyway, json!({})).await;
        let target =
            json!([{"name": "billing", "providerRef": {"name": "juicyway"}, "customer": {"id": ID}}]);
        story.request_with("acme", Juicyway, "90017", json!({"targets": target})).await;
        story.says("acme", &story.held()).await;
        assert_eq!(story.deletes(Juicyway, ID).await, 0);
        story.release().await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}

/// Two ids for one person: the request's stands in a Secret, the target's in the request.
fn known_from_a_secret() -> Value {
    json!({
        "customer": {"id": null, "idFrom": {"secretKeyRef": {"name": "who", "key": "id"}}},
        "targets": [{"name": "billing", "providerRef": {"name": "juicyway"}, "customer": {"id": ID}}],
    })
}

#[tokio::test]
async fn a_hold_on_the_requests_customer_holds_also_where_their_id_stands_in_a_secret() {
    play("person", async |story| {
        story.cast().await;
        let person = story.pseudonym("90017").await;
        story.hold(Juicyway, json!({"customers": [{"ref": person}]})).await;
        story.customer_secret("who", "90017").await;
        story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
        story.provider(Juicyway, json!({})).await;
        story.request_with("acme", Juicyway, "", known_from_a_secret()).await;
        story.says("acme", &story.held()).await;
        assert_eq!(story.deletes(Juicyway, ID).await, 0);
        story.release().await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_hold_on_anybody_holds_where_nobody_can_tell_who_the_requests_customer_is() {
    play("person", async |story| {
        story.cast().await;
        let somebody = story.pseudonym("cus_somebody").await;
        story.hold(Juicyway, json!({"customers": [{"ref": somebody}]})).await;
        story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
        story.provider(Juicyway, json!({})).await;
        story.request_with("acme", Juicyway, "", known_from_a_secret()).await;
        story.says("acme", &story.held()).await;
        assert_eq!(story.deletes(Juicyway, ID).await, 0);
        // The Secret is there: it is somebody else who is held.
        story.customer_secret("who", "90017").await;
        story.retry("acme", "the-secret-is-there").await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}

/// What ends by itself at a known time.
#[derive(Clone, Copy, Debug)]
enum Wait {
    Hold,
    CoolingOff,
    NotBefore,
}

#[tokio::test]
async fn whoever_waits_for_a_moment_goes_on_within_a_second_of_it() {
    all([Wait::Hold, Wait::CoolingOff, Wait::NotBefore].into_iter().map(|wait| {
        play("wakes", async move |story| {
            story.cast().await;
            story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
            let cooling_off = if matches!(wait, Wait::CoolingOff) { "10s" } else { "0s" };
            story.provider(Juicyway, json!({ "coolingOff": cooling_off })).await;
            if matches!(wait, Wait::Hold) {
                story.hold(Juicyway, json!({"all": true, "expiresAt": in_seconds(10)})).await;
            }
            let moment = in_seconds(10);
            let spec =
                if matches!(wait, Wait::NotBefore) { json!({ "notBefore": moment }) } else { json!({}) };
            story.request_with("acme", Juicyway, ID, spec).await;
            let status = story.until("acme", "it waits", |status| status["waitingUntil"].is_string()).await;
            let until: Timestamp = status["waitingUntil"].as_str().unwrap().parse().unwrap();
            story.finished("acme").await;
            // A look before the moment is no harm: what counts is that nobody has to wait, and that nothing is sent before.
            let looks = story.received(Juicyway, "GET", ID).await;
            let mut woke = looks.iter().filter(|it| it["look"] == true).map(received);
            let woke = woke.find(|woke| *woke >= until).unwrap();
            println!("{wait:?}: woke {:?} after its moment", woke.duration_since(until));
            assert!(woke <= until + A_SECOND, "{wait:?}: {:?} late", woke.duration_since(until));
            assert!(deletions(story).await[0] >= until, "{wait:?}: too early");
            assert_eq!(story.deletes(Juicyway, ID).await, 1);
        })
    }))
    .await;
}

/// What somebody with every right does to an admission policy.
#[derive(Clone, Copy, Debug)]
enum Deed {
    DeletePolicy,
    DeleteBinding,
    Ignore,
    Audit,
}

/// Row 39.
#[tokio::test]
async fn without_a_policy_as_shipped_nothing_is_done_on_approvals_and_older_ones_never_count_again() {
    let stage = Stage::start(Options::default()).await.unwrap();
    let rows = [
        ("approvals", Deed::DeletePolicy, true),
        ("requests", Deed::Audit, true),
        ("denials", Deed::Ignore, false),
        ("operator-only", Deed::DeleteBinding, false),
    ];
    for (policy, deed, in_the_window) in rows {
        stage.play("policy", async |story| weakened(story, policy, deed, in_the_window).await).await;
    }
}

async fn weakened(story: &Story<'_>, policy: &str, deed: Deed, in_the_window: bool) {
    println!("{policy}: {deed:?}, in the window: {in_the_window}");
    story.cast().await;
    story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
    story.provider(Juicyway, json!({"approvals": {"required": 1}})).await;
    story.request_as("alice", "acme", Juicyway, ID, json!({})).await;
    story.reason("acme", "Approved", "AwaitingApproval").await;
    if in_the_window {
        let looks = story.looks(Juicyway, ID).await;
        let last = json!({"method": "GET", "path": "/customers/*"});
        let slow = json!({"kind": "latency", "ms": 3300, "at": "beforeApply"});
        story.sandbox.set_faults(&json!([{"match": last, "skip": 1, "times": 1, "do": slow}])).await.unwrap();
        story.agree("bob", "acme").await;
        story.until_looks(Juicyway, ID, looks + 2).await;
        deed.is_done(story, policy).await;
    } else {
        deed.is_done(story, policy).await;
        story.agree("bob", "acme").await;
    }
    let status = story.reason("acme", "Stalled", "ApprovalPolicyMissing").await;
    assert_told(&status, &[["Approved", "False", "ApprovalPolicyMissing"], ["Ready", "False", "Blocked"]]);
    assert!(
        status["waitingFor"].as_str().unwrap().contains(&format!("{policy}.offboarding.dev")),
        "{status:#}"
    );
    assert_eq!(story.not_sent().await, "ApprovalPolicyMissing");
    // It is mended: what was said before does not count.
    deed.is_undone(story, policy).await;
    let status = story.reason("acme", "Approved", "BeforePolicies").await;
    assert!(status["waitingFor"].as_str().unwrap().starts_with("0 of 1 approvals"), "{status:#}");
    story.cast().await;
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(story.deletes(Juicyway, ID).await, 0);
    story.agree("carol", "acme").await;
    let status = story.finished("acme").await;
    assert_eq!(condition(&status, "Approved")["reason"], "QuorumReached");
    assert_eq!(story.deletes(Juicyway, ID).await, 1);
}

impl Deed {
    async fn is_done(self, story: &Story<'_>, policy: &str) {
        let group = "/apis/admissionregistration.k8s.io/v1";
        let of_policy = format!("{group}/validatingadmissionpolicies/{policy}.offboarding.dev");
        let binding = format!("{group}/validatingadmissionpolicybindings/{policy}.offboarding.dev");
        let (method, path, change) = match self {
            Deed::DeletePolicy => (Method::DELETE, of_policy, json!({})),
            Deed::DeleteBinding => (Method::DELETE, binding, json!({})),
            Deed::Ignore => (Method::PATCH, of_policy, json!({"spec": {"failurePolicy": "Ignore"}})),
            Deed::Audit => (Method::PATCH, binding, json!({"spec": {"validationActions": ["Audit"]}})),
        };
        story.ask_as("grace", method, &path, &change).await.unwrap();
    }

    /// As users would: what somebody changed is changed back, and what is gone is applied again.
    async fn is_undone(self, story: &Story<'_>, policy: &str) {
        if let Deed::Ignore = self {
            let path = format!(
                "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/{policy}.offboarding.dev"
            );
            let change = json!({"spec": {"failurePolicy": "Fail"}});
            story.ask_as("grace", Method::PATCH, &path, &change).await.unwrap();
        } else {
            crate::stage::install(&story.stage.plane).await.unwrap();
        }
    }
}
