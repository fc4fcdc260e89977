//! B3: whatever says no, says it in every phase, and between the intent and the send; and B2: a plan that changed is agreed to anew.

use harness::Provider::Juicyway;
use serde_json::{Value, json};

use crate::{
    people::in_seconds,
    stage::{a_few_at_once, play},
    story::{Story, assert_told},
};

pub const ID: &str = "cus_guarded";

/// What somebody does that must stop the deletion.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    HoldByRef,
    HoldBySecret,
    HoldTheProvider,
    Suspend,
    SuspendTheProvider,
    Cancel,
    Deny,
    Later,
    Withdraw,
    RunOut,
    WithdrawTheWaiver,
}

/// When.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Planning,
    Blocked,
    AwaitingApproval,
    CoolingOff,
    /// The intent is written, and the customer is being looked at for the last time.
    Window,
}

use Deed::*;

const STOPS: [Deed; 8] =
    [HoldByRef, HoldBySecret, HoldTheProvider, Suspend, SuspendTheProvider, Cancel, Deny, Later];

const SUSPENDED: &str = "`spec.suspend` to be false; no request will be sent before";
const PROVIDER_SUSPENDED: &str =
    "`spec.suspend` of provider 'juicyway' to be false; no request will be sent before";
const DENIED: &str =
    "somebody denied this request; nothing is deleted. Cancel it, or have the denial deleted by its author";

impl Deed {
    /// What the live reads say of it after an intent.
    fn not_sent_because(self) -> &'static str {
        match self {
            HoldByRef | HoldBySecret | HoldTheProvider => "Held",
            Suspend => "RequestSuspended",
            SuspendTheProvider => "ProviderSuspended",
            Cancel => "RequestWithdrawn",
            Deny => "Denied",
            Later => "NotYet",
            Withdraw | RunOut | WithdrawTheWaiver => "ApprovalWithdrawn",
        }
    }

    /// How many must agree for it to mean something in this phase.
    fn needs(self, phase: Phase) -> u64 {
        match (self, phase) {
            (Withdraw | RunOut, Phase::AwaitingApproval) => 2,
            (WithdrawTheWaiver, _) | (_, Phase::Planning | Phase::Blocked) => 0,
            _ => 1,
        }
    }

    async fn is_done(self, story: &Story<'_>) {
        match self {
            HoldByRef => {
                let customers = json!([{"ref": story.pseudonym(ID).await}]);
                story.hold(Juicyway, json!({"customers": customers})).await;
            }
            HoldBySecret => {
                story.secret_for_hold(ID).await;
                let from = json!({"secretKeyRef": {"name": story.hold_name(), "key": "id"}});
                story.hold(Juicyway, json!({"customers": [{"idFrom": from}]})).await;
            }
            HoldTheProvider => story.hold(Juicyway, json!({"all": true})).await,
            Suspend => story.edit("acme", json!({"suspend": true})).await,
            SuspendTheProvider => story.edit_provider(Juicyway, json!({"suspend": true})).await,
            Cancel => story.edit("acme", json!({"cancel": true})).await,
            Deny => story.deny("carol", "acme").await,
            Later => story.edit("acme", json!({"notBefore": in_seconds(3600)})).await,
            Withdraw => story.take_back("bob", "bob").await.unwrap(),
            WithdrawTheWaiver => story.take_back("carol", "carol").await.unwrap(),
            RunOut => {} // by itself
        }
    }

    /// The request says so.
    async fn is_told(self, story: &Story<'_>) {
        match self {
            HoldByRef | HoldBySecret | HoldTheProvider => {
                let status = story.says("acme", &story.held()).await;
                assert_told(&status, &[["Waiting", "True", "Held"], ["Stalled", "False", "NotStalled"]]);
            }
            Suspend => drop(story.says("acme", SUSPENDED).await),
            SuspendTheProvider => drop(story.says("acme", PROVIDER_SUSPENDED).await),
            Cancel => assert_eq!(story.finished("acme").await["result"], "Cancelled"),
            Deny => {
                let status = story.says("acme", DENIED).await;
                assert_told(&status, &[["Stalled", "True", "Denied"]]);
            }
            Later => {
                let status = story.says("acme", "`spec.notBefore`, <time>").await;
                assert_told(&status, &[["Waiting", "True", "NotBefore"], ["Ready", "False", "CoolingOff"]]);
            }
            Withdraw => drop(story.reason("acme", "Approved", "AwaitingApproval").await),
            RunOut => drop(story.reason("acme", "Approved", "Expired").await),
            WithdrawTheWaiver => drop(story.reason("acme", "Unblocked", "BlockersFound").await),
        }
    }

    /// It is taken back; whether it can be.
    async fn is_undone(self, story: &Story<'_>) -> bool {
        match self {
            HoldByRef | HoldBySecret | HoldTheProvider => story.release().await,
            Suspend => story.edit("acme", json!({"suspend": false})).await,
            SuspendTheProvider => story.edit_provider(Juicyway, json!({"suspend": false})).await,
            Deny => story.take_back("carol", "carol").await.unwrap(),
            Withdraw | RunOut => story.agree("bob", "acme").await,
            WithdrawTheWaiver => story.agree_with("carol", "acme", json!({"grants": [WAIVER]})).await,
            // What is cancelled stays so, and what was agreed to cannot be hurried.
            Cancel | Later => return false,
        }
        true
    }
}

const WAIVER: &str = "Waive:billing/wallets";

#[tokio::test]
async fn whatever_says_no_between_intent_and_send_is_heard() {
    let deeds = STOPS.into_iter().chain([Withdraw, RunOut, WithdrawTheWaiver]);
    table(deeds.map(|deed| (deed, Phase::Window)).collect()).await;
}

#[tokio::test]
async fn whatever_says_no_before_anybody_looked_is_heard() {
    table(STOPS.map(|deed| (deed, Phase::Planning)).to_vec()).await;
}

#[tokio::test]
async fn whatever_says_no_while_something_stands_in_the_way_is_heard() {
    table(STOPS.map(|deed| (deed, Phase::Blocked)).to_vec()).await;
}

#[tokio::test]
async fn whatever_says_no_while_people_are_asked_is_heard() {
    let deeds = STOPS.into_iter().chain([Withdraw, RunOut]);
    table(deeds.map(|deed| (deed, Phase::AwaitingApproval)).collect()).await;
}

#[tokio::test]
async fn whatever_says_no_while_it_cools_off_is_heard() {
    // An approval that runs out before the end of the wait never counts.
    let deeds = STOPS.into_iter().chain([Withdraw]);
    table(deeds.map(|deed| (deed, Phase::CoolingOff)).collect()).await;
}

async fn table(rows: Vec<(Deed, Phase)>) {
    a_few_at_once(rows.into_iter().map(|(deed, phase)| {
        play("guards", async move |story| {
            println!("{}: {deed:?} in {phase:?}", story.namespace.name());
            is_stopped(story, deed, phase).await;
        })
    }))
    .await;
}

async fn is_stopped(story: &Story<'_>, deed: Deed, phase: Phase) {
    story.cast().await;
    comes_to(story, deed, phase).await;
    deed.is_done(story).await;
    if phase == Phase::Window {
        if deed != Cancel {
            assert_eq!(story.not_sent().await, deed.not_sent_because());
        }
    } else {
        goes_on_from(story, deed, phase).await;
    }
    deed.is_told(story).await;
    assert_eq!(story.deletes(Juicyway, ID).await, 0, "{deed:?} in {phase:?}");
    if deed.is_undone(story).await {
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
    }
    assert_eq!(story.deletes(Juicyway, ID).await, usize::from(!matches!(deed, Cancel | Later)));
}

/// A request that has come to this phase.
async fn comes_to(story: &Story<'_>, deed: Deed, phase: Phase) {
    let is_blocked = phase == Phase::Blocked || deed == WithdrawTheWaiver;
    let wallets = if is_blocked { json!([{"balance": 5}]) } else { json!([]) };
    story.sandbox.seed(Juicyway, ID, &json!({"wallets": wallets})).await.unwrap();
    let cooling_off = if phase == Phase::CoolingOff { "8s" } else { "0s" };
    let demands = json!({"approvals": {"required": deed.needs(phase)}, "coolingOff": cooling_off});
    story.provider(Juicyway, demands).await;
    match phase {
        Phase::Planning => {
            let down = json!({"kind": "status", "status": 503});
            let looks = json!({"method": "GET", "path": "/customers/*"});
            story.sandbox.set_faults(&json!([{"match": looks, "times": 0, "do": down}])).await.unwrap();
            story.request_as("alice", "acme", Juicyway, ID, json!({})).await;
            story.until_looks(Juicyway, ID, 1).await;
        }
        Phase::Blocked => {
            story.request_as("alice", "acme", Juicyway, ID, json!({})).await;
            story.reason("acme", "Unblocked", "BlockersFound").await;
        }
        Phase::AwaitingApproval => {
            story.request_as("alice", "acme", Juicyway, ID, json!({})).await;
            if deed.needs(phase) == 2 {
                agrees(story, deed, 12).await;
            }
            story.reason("acme", "Approved", "AwaitingApproval").await;
        }
        Phase::CoolingOff => {
            story.request_as("alice", "acme", Juicyway, ID, json!({})).await;
            agrees(story, deed, 6).await;
            story.until("acme", "it cools off", |status| status["phase"] == "CoolingOff").await;
        }
        Phase::Window => {
            story.request_as("alice", "acme", Juicyway, ID, json!({})).await;
            if deed == WithdrawTheWaiver {
                story.reason("acme", "Unblocked", "BlockersFound").await;
            } else {
                story.reason("acme", "Approved", "AwaitingApproval").await;
            }
            let looks = story.looks(Juicyway, ID).await;
            let slow = json!({"kind": "latency", "ms": 3300, "at": "beforeApply"});
            let last = json!({"method": "GET", "path": "/customers/*"});
            let faults = json!([{"match": last, "skip": 1, "times": 1, "do": slow}]);
            story.sandbox.set_faults(&faults).await.unwrap();
            if deed == WithdrawTheWaiver {
                story.agree_with("carol", "acme", json!({"grants": [WAIVER]})).await;
            } else {
                // Of no use any more if it ends within the time that a send may take.
                agrees(story, deed, 6).await;
            }
            story.until_looks(Juicyway, ID, looks + 2).await;
        }
    }
}

/// Bob agrees, for an hour, or for so many seconds where it is to run out.
async fn agrees(story: &Story<'_>, deed: Deed, runs_out_in: u64) {
    let until = in_seconds(if deed == RunOut { runs_out_in } else { 3600 });
    story.agree_with("bob", "acme", json!({"expiresAt": until})).await;
}

/// What the phase waited for is there.
async fn goes_on_from(story: &Story<'_>, deed: Deed, phase: Phase) {
    match phase {
        Phase::Planning => {
            story.sandbox.clear_faults().await.unwrap();
            story.retry("acme", "it answers again").await;
        }
        Phase::Blocked => {
            story.sandbox.change(Juicyway, ID, &json!({"wallets": []})).await.unwrap();
            story.retry("acme", "the wallet is empty").await;
        }
        Phase::AwaitingApproval => match deed {
            RunOut => {
                story.reason("acme", "Approved", "Expired").await;
                story.agree("carol", "acme").await;
            }
            Cancel => {}
            Withdraw => story.agree("carol", "acme").await,
            _ => story.agree("bob", "acme").await,
        },
        Phase::CoolingOff | Phase::Window => {}
    }
}

/// An input of the plan that can change while a request lives.
struct Change {
    /// As `status.plan.changed` names it.
    input: &'static str,
    to: Value,
}

#[tokio::test]
async fn a_plan_that_changed_is_agreed_to_anew_and_the_change_is_named() {
    let of_provider = |input, to| Change { input, to };
    let changes = [
        of_provider("profileHash", json!({"customProfile": {"retains": ["invoices"]}})),
        of_provider("baseUrl", json!("prefix")),
        of_provider("environment", json!({"environment": "live"})),
        of_provider("checkOverrides", json!({"checks": {"wallets": "Ignore"}})),
        of_provider("approvals", json!({"approvals": {"required": 3}})),
        of_provider("approvals", json!({"approvals": {"separationOfDuties": false}})),
        of_provider("approvals", json!({"coolingOff": "1s"})),
        of_provider("fingerprint", json!("again")),
    ];
    a_few_at_once(
        changes
            .into_iter()
            .map(|change| play("changed", async move |story| is_agreed_to_anew(story, change).await)),
    )
    .await;
}

async fn is_agreed_to_anew(story: &Story<'_>, change: Change) {
    story.cast().await;
    story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
    story.provider(Juicyway, json!({"approvals": {"required": 2}})).await;
    story.request_as("alice", "acme", Juicyway, ID, json!({})).await;
    story.agree("bob", "acme").await;
    let before = story.until("acme", "one agreed", one_of_two).await;
    let late = story.approval_of("carol", "acme", json!({})).await;
    match (&change.to, change.input) {
        (_, "fingerprint") => {
            let another = json!({"createdAt": "2026-01-01T00:00:00Z"});
            story.sandbox.seed(Juicyway, ID, &another).await.unwrap();
        }
        (_, "baseUrl") => {
            story.strays.set(true);
            story.sandbox.configure(Juicyway, &json!({"prefix": "/v1"})).await.unwrap();
            let moved = format!("{}/v1", story.sandbox.addresses().juicyway);
            story.edit_provider(Juicyway, json!({"baseUrl": moved})).await;
        }
        (to, input) => {
            if input == "environment" {
                story.sandbox.configure(Juicyway, &json!({"environment": "live"})).await.unwrap();
                story.secret("juicyway", "live_ok").await;
            }
            story.edit_provider(Juicyway, to.clone()).await;
        }
    }
    // To the plan as it was: a provider that is looked at only when there are enough is looked at now.
    story.say("carol", &late).await.unwrap();
    let status = story.reason("acme", "Approved", "PlanChanged").await;
    assert_ne!(status["plan"]["hash"], before["plan"]["hash"], "{}", change.input);
    let named = format!("provider/billing.{}", change.input);
    let changed = status["plan"]["changed"].as_array().unwrap();
    assert!(changed.contains(&json!(named)), "{named}: {changed:?}");
    assert_eq!(story.deletes(Juicyway, ID).await, 0);
    for user in ["bob", "carol", "frank"] {
        story.agree(user, "acme").await;
    }
    assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
    assert_eq!(story.deletes(Juicyway, ID).await, 1);
}

fn one_of_two(status: &Value) -> bool {
    status["waitingFor"].as_str().unwrap_or("").starts_with("1 of 2 approvals")
}

#[tokio::test]
async fn a_blocker_that_appears_after_people_agreed_stops_it_until_it_is_gone() {
    play("appears", async |story| {
        story.cast().await;
        story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
        story.provider(Juicyway, json!({"approvals": {"required": 2}})).await;
        story.request_as("alice", "acme", Juicyway, ID, json!({})).await;
        story.agree("bob", "acme").await;
        let before = story.until("acme", "one agreed", one_of_two).await;
        story.sandbox.change(Juicyway, ID, &json!({"wallets": [{"balance": 5}]})).await.unwrap();
        story.agree("carol", "acme").await;
        let status = story.reason("acme", "Unblocked", "BlockersFound").await;
        assert_eq!(status["plan"]["changed"], json!(["provider/billing.verdicts"]));
        assert_ne!(status["plan"]["hash"], before["plan"]["hash"]);
        assert_eq!(story.deletes(Juicyway, ID).await, 0);
        // To pass it over is another plan, to which nobody has agreed.
        story.agree_with("carol", "acme", json!({"grants": [WAIVER]})).await;
        story.reason("acme", "Approved", "PlanChanged").await;
        assert_eq!(story.deletes(Juicyway, ID).await, 0);
        for user in ["bob", "carol"] {
            story.agree(user, "acme").await;
        }
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, ID).await, 1);
    })
    .await;
}
