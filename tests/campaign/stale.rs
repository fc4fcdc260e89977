//! The operator sees an older world: watches are held back while people change their minds. It decides by what it saw, and what is
//! read live after the intent must stop it. C16, C25 of reliability.md; stale and unobserved state of Sieve.
//!
//! Only watches lag: the operator lists without a resourceVersion, and the API server answers that from the newest state. So who
//! starts again never sees an older world.

use std::{cell::Cell, collections::BTreeSet, time::Duration};

use futures::future::join_all;
use harness::{
    ApiProxy, Options,
    Provider::{self, Juicyway, Revolv3},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    lane::Lane,
    oracle::{Case, moment},
    results::{Campaign, Figures},
    story::Story,
};

/// After the approval was seen, and before the deletion: time to hold the watches back, and to change one's mind.
const COOLING_OFF: Duration = Duration::from_secs(8);

/// How long an attempt stands still for people to act, within its send deadline.
const PAUSE: Duration = Duration::from_millis(1_500);

/// From the intent to a failpoint further on.
const A_LOOK: Duration = Duration::from_millis(300);

/// What is read before a send may be this old: who changes their mind later than that is too late.
const AGE_OF_A_REREAD: Duration = Duration::from_secs(2);

/// What the operator's watches do not show.
const HELD_BACK: [&str; 5] = [
    "customeroffboardings",
    "offboardingapprovals",
    "customerholds",
    "offboardingproviders",
    "clusteroffboardingproviders",
];

/// What happens unseen, and what the record says of the attempt that was begun all the same; nothing where none is stopped.
#[derive(Clone, Copy, Debug)]
enum Unseen {
    Withdrawn,
    Denied,
    Cancelled,
    Suspended,
    Held,
    ProviderSuspended,
    RequestDeleted,
    RequestReplaced,
    /// Both cancel out, and the approval is another one.
    WithdrawnAndGivenAgain,
    /// Both cancel out.
    HeldAndReleased,
}

const ALL: [Unseen; 10] = [
    Unseen::Withdrawn,
    Unseen::Denied,
    Unseen::Cancelled,
    Unseen::Suspended,
    Unseen::Held,
    Unseen::ProviderSuspended,
    Unseen::RequestDeleted,
    Unseen::RequestReplaced,
    Unseen::WithdrawnAndGivenAgain,
    Unseen::HeldAndReleased,
];

/// When it happens; every attempt stands still at the failpoint where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    BeforeTheIntent,
    AfterTheIntent,
    AfterTheLook,
    /// What was read is too old by then, so that nothing is sent either way.
    AfterTheReads,
}

const MOMENTS: [When; 4] =
    [When::BeforeTheIntent, When::AfterTheIntent, When::AfterTheLook, When::AfterTheReads];

impl When {
    fn failpoint(self) -> Option<&'static str> {
        match self {
            When::BeforeTheIntent => None,
            When::AfterTheIntent => Some("intent.after"),
            When::AfterTheLook => Some("relook.after"),
            When::AfterTheReads => Some("reread.after"),
        }
    }

    /// For `FAILPOINTS`: so many attempts stand still.
    fn pauses(self, attempts: usize) -> String {
        let Some(failpoint) = self.failpoint() else { return String::new() };
        let pauses = (1..=attempts).map(|hit| format!("{failpoint}=pause({})@{hit}", PAUSE.as_millis()));
        pauses.collect::<Vec<_>>().join(";")
    }
}

/// The moment of a seed, and the provider of each play: all combinations within eight seeds.
fn drawn(seed: u64, play: usize) -> (When, Provider) {
    let seed = usize::try_from(seed).unwrap();
    let provider = if (seed / MOMENTS.len() + play).is_multiple_of(2) { Juicyway } else { Revolv3 };
    (MOMENTS[seed % MOMENTS.len()], provider)
}

#[test]
fn eight_seeds_are_every_change_of_mind_at_every_moment_with_either_provider() {
    let plans =
        (0..8).flat_map(|seed| (0..ALL.len()).map(move |play| format!("{play} {:?}", drawn(seed, play))));
    assert_eq!(plans.collect::<BTreeSet<_>>().len(), ALL.len() * MOMENTS.len() * 2);
}

#[tokio::test]
async fn what_the_operator_does_not_see_stops_it_all_the_same() {
    let lane = Lane::open(Options::default()).await;
    let proxy = ApiProxy::start(&lane.stage.plane).await.unwrap();
    let campaign = Campaign::of("stale", 2);
    campaign.run(1, async |seed| plan(&lane, &proxy, seed).await, || lane.history.wrong()).await;
}

/// All that may happen unseen, side by side: watches are held back for everybody.
async fn plan(lane: &Lane, proxy: &ApiProxy, seed: u64) -> Figures {
    let (when, _) = drawn(seed, 0);
    let launch = lane.behind(proxy).env("FAILPOINTS", when.pauses(2 * ALL.len()));
    let _operator = lane.leads(&launch).await;
    let mut plays = Vec::new();
    for (play, unseen) in ALL.into_iter().enumerate() {
        let (_, provider) = drawn(seed, play);
        let happened = Cell::new(None);
        plays.push(Play { story: lane.stage.story("stale").await, provider, unseen, when, happened });
    }
    join_all(plays.iter().map(Play::agreed)).await;
    HELD_BACK.iter().for_each(|resource| proxy.hold_back(resource));
    join_all(plays.iter().map(Play::happens)).await;
    let stopped = join_all(plays.iter().map(Play::was_stopped)).await;
    proxy.let_go();
    let told = plays.iter().zip(&stopped).filter(|(_, stopped)| **stopped != Stopped::TooLate);
    join_all(told.map(|(play, _)| play.is_told())).await;
    let mut figures = Figures::new();
    for (play, stopped) in plays.iter().zip(stopped) {
        play.story.judge(&play.case()).await;
        play.story.judged().await;
        let what = match stopped {
            Stopped::TooLate => {
                *figures.entry("late".to_owned()).or_default() += 1;
                continue;
            }
            Stopped::Because(reason) => format!("stopped: {reason}"),
            Stopped::Nothing => "not stopped".to_owned(),
        };
        *figures.entry(what).or_default() += 1;
        *figures.entry("plans".to_owned()).or_default() += 1;
        *figures.entry(format!("plan {:?} {when:?} {}", play.unseen, play.provider.name())).or_default() += 1;
    }
    figures
}

/// What became of an attempt that was begun by what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stopped {
    Because(String),
    /// What happened says nothing in the end.
    Nothing,
    /// On a busy machine it happened after the deletion had left: that says nothing of the operator.
    TooLate,
}

struct Play<'a> {
    story: Story<'a>,
    provider: Provider,
    unseen: Unseen,
    when: When,
    happened: Cell<Option<Timestamp>>,
}

impl Play<'_> {
    fn id(&self) -> &'static str {
        if self.provider == Juicyway { "cus_1" } else { "91001" }
    }

    fn case(&self) -> Case {
        Case { request: "acme".to_owned(), provider: self.provider, id: self.id().to_owned() }
    }

    /// Bob agreed, and the operator saw it: it waits for the cooling-off time alone.
    async fn agreed(&self) {
        let Play { story, provider, .. } = self;
        story.sandbox.seed(*provider, self.id(), &json!({})).await.unwrap();
        let cools =
            json!({"approvals": {"required": 1}, "coolingOff": format!("{}s", COOLING_OFF.as_secs())});
        story.provider(*provider, cools).await;
        story.cast().await;
        story.request_as("alice", "acme", *provider, self.id(), json!({})).await;
        story.agree("bob", "acme").await;
        story.reason("acme", "Waiting", "CoolingOff").await;
    }

    /// Where the attempt stands still it has begun: nobody is told of it, but its record is there.
    async fn stands_still(&self) {
        if self.when == When::BeforeTheIntent {
            return;
        }
        let has_begun = |spec: &Value| spec["attempts"].as_array().is_some_and(|all| !all.is_empty());
        self.story.record_until("the attempt has begun", has_begun).await;
        if self.when != When::AfterTheIntent {
            tokio::time::sleep(A_LOOK).await;
        }
    }

    async fn happens(&self) {
        self.stands_still().await;
        let Play { story, provider, unseen, .. } = self;
        match unseen {
            Unseen::Withdrawn => story.take_back("bob", "bob").await.unwrap(),
            Unseen::Denied => story.deny("carol", "acme").await,
            Unseen::Cancelled => story.edit("acme", json!({"cancel": true})).await,
            Unseen::Suspended => story.edit("acme", json!({"suspend": true})).await,
            Unseen::Held => story.hold(*provider, json!({"all": true})).await,
            Unseen::ProviderSuspended => story.edit_provider(*provider, json!({"suspend": true})).await,
            Unseen::RequestDeleted => story.delete("acme").await,
            Unseen::RequestReplaced => {
                story.delete("acme").await;
                story.request_as("alice", "acme", *provider, self.id(), json!({})).await;
            }
            Unseen::WithdrawnAndGivenAgain => {
                let again = story.approval_of("bob", "acme", json!({})).await;
                story.take_back("bob", "bob").await.unwrap();
                story.say("bob", &again).await.unwrap();
            }
            Unseen::HeldAndReleased => {
                story.hold(*provider, json!({"all": true})).await;
                story.release().await;
            }
        }
        self.happened.set(Some(Timestamp::now()));
    }

    /// By what it saw, the operator begins; by what is so, it sends nothing: why, where nothing may be sent.
    async fn was_stopped(&self) -> Stopped {
        let Play { story, provider, unseen, .. } = self;
        if let Unseen::HeldAndReleased = unseen {
            story.until_applied(*provider, self.id()).await;
            return Stopped::Nothing;
        }
        let settled = |spec: &Value| {
            let attempts = spec["attempts"].as_array();
            attempts.and_then(|all| all.last()).is_some_and(|attempt| attempt["outcome"].is_string())
        };
        let record = story.record_until("the attempt is settled", settled).await;
        let attempt = record["attempts"].as_array().and_then(|all| all.last()).unwrap();
        if attempt["outcome"] == "Accepted" {
            let read_before = self.happened.get().unwrap() + AGE_OF_A_REREAD;
            assert!(moment(&attempt["sentAt"]) < read_before, "{unseen:?}, and it was sent: {attempt:#}");
            return Stopped::TooLate;
        }
        assert_eq!(attempt["outcome"], "NotSent", "{unseen:?}: {attempt:#}");
        let reason = &attempt["reason"];
        let due: &[&str] = match unseen {
            Unseen::Withdrawn | Unseen::WithdrawnAndGivenAgain => &["ApprovalWithdrawn"],
            Unseen::Denied => &["Denied"],
            Unseen::Cancelled | Unseen::RequestDeleted | Unseen::RequestReplaced => &["RequestWithdrawn"],
            Unseen::Suspended => &["RequestSuspended"],
            Unseen::Held => &["Held"],
            Unseen::ProviderSuspended => &["ProviderSuspended"],
            Unseen::HeldAndReleased => &[],
        };
        // Several reads may show it at once; a busy machine may be too late for any of them.
        let is_due = due.iter().any(|word| *reason == **word) || *reason == "DeadlinePassed";
        assert!(is_due, "{unseen:?}: {reason}, not {due:?}");
        assert_eq!(story.deletes(*provider, self.id()).await, 0, "{unseen:?}");
        Stopped::Because(reason.as_str().unwrap_or_default().to_owned())
    }

    /// The watches caught up: the status says what is so.
    async fn is_told(&self) {
        let Play { story, provider, unseen, .. } = self;
        let waits = async |type_: &str, reason: &str| drop(story.reason("acme", type_, reason).await);
        match unseen {
            Unseen::Withdrawn => waits("Approved", "AwaitingApproval").await,
            Unseen::Denied => waits("Stalled", "Denied").await,
            Unseen::Cancelled => self.ended("Cancelled").await,
            Unseen::Suspended => waits("Waiting", "Suspended").await,
            Unseen::Held => {
                waits("Waiting", "Held").await;
                story.release().await;
                self.ended(self.case().success()).await;
            }
            Unseen::ProviderSuspended => waits("Waiting", "ProviderSuspended").await,
            Unseen::RequestDeleted => {
                let closed = story.record_until("it is closed", |spec| spec["closed"] == true).await;
                assert_eq!(closed["result"], "Cancelled");
            }
            Unseen::RequestReplaced => waits("Approved", "AwaitingApproval").await,
            Unseen::WithdrawnAndGivenAgain | Unseen::HeldAndReleased => {
                self.ended(self.case().success()).await
            }
        }
        if let Unseen::Withdrawn | Unseen::Denied | Unseen::Suspended | Unseen::ProviderSuspended = unseen {
            assert_eq!(story.deletes(*provider, self.id()).await, 0, "{unseen:?}");
        }
    }

    async fn ended(&self, result: &str) {
        let status: Value = self.story.ends_in_time("acme").await;
        assert_eq!(status["result"], result, "{:?}: {status:#}", self.unseen);
    }
}
