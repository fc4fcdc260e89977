//! The API server answers badly, late or not at all, at every request that an offboarding needs: T6 of reliability.md.
//!
//! A seed is one plan: a request of the operator, a fault, how often it passes first, and which provider. Where the plan strikes a
//! request that no story can be told from, whoever comes first is struck.

use std::{collections::BTreeMap, time::Duration};

use harness::{
    ApiFault, ApiMatch, ApiProxy, ApiStrike, Options, Process,
    Provider::{Juicyway, Revolv3},
};
use serde_json::json;
use tokio::sync::Mutex;

use crate::{
    draw::Draw,
    lane::Lane,
    oracle::Case,
    results::{Campaign, Figures},
};

/// So many offboardings at once on one operator.
const AT_ONCE: usize = 8;

/// Requests that the operator makes: verb, resource, and whether a story can be told from the request itself.
const REQUESTS: &[(&str, &str, bool)] = &[
    ("create", "offboardingrecords", true),
    ("update", "offboardingrecords", true),
    ("update", "customeroffboardings/status", true),
    ("get", "offboardingrecords", true),
    ("get", "customeroffboardings", true),
    ("get", "offboardingproviders", true),
    ("get", "secrets", true),
    ("list", "offboardingapprovals", true),
    ("list", "customerholds", false),
    ("get", "validatingadmissionpolicies", false),
    ("get", "validatingadmissionpolicybindings", false),
    ("create", "events", true),
    ("update", "leases", false),
    ("watch", "customeroffboardings", false),
    ("watch", "offboardingrecords", false),
    ("watch", "offboardingapprovals", false),
    ("watch", "customerholds", false),
];

/// How the answer is struck, and whether the request takes effect all the same.
fn strikes() -> Vec<(&'static str, ApiStrike, bool)> {
    let status = |code| ApiStrike::Status { code, retry_after: None };
    let busy = |retry_after| ApiStrike::Status { code: 429, retry_after: Some(retry_after) };
    vec![
        ("409", status(409), false),
        ("409 though applied", status(409), true),
        ("403", status(403), false),
        ("401", status(401), false),
        ("404", status(404), false),
        ("410", status(410), false),
        ("429 at once", busy("0"), false),
        ("429 for a second", busy("1"), false),
        ("429 garbage", busy("abc"), false),
        ("500", status(500), false),
        ("500 though applied", status(500), true),
        ("503", status(503), false),
        ("504", status(504), false),
        ("504 though applied", status(504), true),
        ("reset", ApiStrike::Reset, false),
        ("reset though applied", ApiStrike::Reset, true),
        ("silence", ApiStrike::Silence(Duration::from_secs(3)), false),
        ("silence though applied", ApiStrike::Silence(Duration::from_secs(3)), true),
        ("late", ApiStrike::Late(Duration::from_millis(1_500)), false),
        ("late though applied", ApiStrike::Late(Duration::from_millis(1_500)), true),
        ("garbage", ApiStrike::Garbage, false),
        ("garbage though applied", ApiStrike::Garbage, true),
        ("truncated", ApiStrike::Truncated(40), true),
    ]
}

#[tokio::test]
async fn whatever_the_api_server_answers_each_customer_is_deleted_once_and_every_request_ends() {
    let lane = Lane::open(Options::default()).await;
    let proxied = Proxied::start(&lane).await;
    // Every request, every fault, two providers, the first or a later request, once or some times.
    let campaign = Campaign::of("api-faults", 40);
    campaign.run(AT_ONCE, async |seed| proxied.plan(seed).await, || lane.history.wrong()).await;
}

/// An operator that sees its API server through a proxy. A lost lease ends it, as it should: it is started again.
struct Proxied<'a> {
    lane: &'a Lane,
    proxy: ApiProxy,
    operator: Mutex<Process>,
    restarts: std::sync::atomic::AtomicU64,
}

impl<'a> Proxied<'a> {
    async fn start(lane: &'a Lane) -> Proxied<'a> {
        let proxy = ApiProxy::start(&lane.stage.plane).await.unwrap();
        let operator = Mutex::new(lane.leader_behind(&proxy).await);
        Proxied { lane, proxy, operator, restarts: Default::default() }
    }

    /// Somebody always works: an operator that ended by itself is replaced, as a cluster would.
    async fn watch_over(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let mut operator = self.operator.lock().await;
            if operator.exit_status().unwrap().is_some() {
                self.restarts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                self.lane.free_the_lease().await;
                let launch = self.lane.behind(&self.proxy);
                *operator = launch.start(self.lane.stage.scratch.path()).unwrap();
            }
        }
    }

    async fn plan(&self, seed: u64) -> Figures {
        let mut draw = Draw::new("api-faults", seed);
        let strikes = strikes();
        let at = |count: usize, seed: u64| usize::try_from(seed).unwrap() % count;
        let (verb, resource, told_apart) = REQUESTS[at(REQUESTS.len(), seed)];
        let (name, strike, applies) = strikes
            [at(strikes.len(), seed / u64::try_from(REQUESTS.len()).unwrap() + draw.below(23))]
        .clone();
        let provider = if draw.once_in(2) { Juicyway } else { Revolv3 };
        let story = self.lane.stage.story("faulty").await;
        let required = u32::from(draw.once_in(4));
        story
            .provider(provider, json!({"approvals": {"required": required}, "verify": {"deadline": "5m"}}))
            .await;
        if required > 0 {
            story.cast().await;
        }
        let id = if provider == Juicyway { "cus_1" } else { "91001" };
        story.sandbox.seed(provider, id, &json!({})).await.unwrap();
        let about = if told_apart { story.namespace.name().to_owned() } else { String::new() };
        self.proxy.strike(ApiFault {
            matches: ApiMatch { verb: verb.to_owned(), resource: resource.to_owned(), about },
            skip: u32::try_from(draw.below(2)).unwrap(),
            times: 1 + u32::try_from(draw.below(3)).unwrap(),
            strike,
            applies,
        });
        let case = Case { request: "acme".to_owned(), provider, id: id.to_owned() };
        let ended = async {
            story.request("acme", provider, id).await;
            if required > 0 {
                story.agree("bob", "acme").await;
            }
            story.ends_in_time("acme").await
        };
        let status = tokio::select! {
            status = ended => status,
            () = self.watch_over() => unreachable!("it never ends"),
        };
        assert_eq!(status["result"], case.success(), "{name} at {verb} {resource}: {status:#}");
        let deletes = story.judge(&case).await;
        assert!(deletes >= 1, "{case:?}");
        story.judged().await;
        let mut figures = BTreeMap::from([("plans".to_owned(), 1), ("deletes".to_owned(), deletes)]);
        figures.insert(format!("{verb} {resource}"), 1);
        figures.insert(name.to_owned(), 1);
        figures
    }
}
