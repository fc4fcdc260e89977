//! The API server answers badly, late or not at all, at every request that an offboarding needs: T6 of reliability.md.
//!
//! A seed is one plan: a request of the operator and a fault, each pair before one comes again; how often it passes first, and
//! which provider, is drawn. Where the plan strikes a request that no story can be told from, whoever comes first is struck.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use harness::{
    ApiFault, ApiMatch, ApiProxy, ApiStrike, Options, Process,
    Provider::{Juicyway, Revolv3},
};
use serde_json::json;
use tokio::sync::Mutex;

use crate::{
    canaries::Canary,
    draw::Draw,
    lane::Lane,
    oracle::Case,
    results::{Campaign, Figures},
};

/// So many offboardings at once on one operator.
const AT_ONCE: usize = 8;

/// So long a plan waits for its strike: a watch that was cut again and again is asked for after 30 to 60 s (kube-runtime).
const IN_TIME: Duration = Duration::from_secs(90);

const GLANCE: Duration = Duration::from_millis(100);

/// A request that the operator makes.
struct Asked {
    verb: &'static str,
    resource: &'static str,
    /// Whether a story can be told from the request itself.
    told_apart: bool,
    when: When,
}

/// When it is made, and what has to be there for that.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// Once at least in every story.
    Always,
    /// More than once.
    Often,
    /// Where somebody has to agree.
    Approved,
    /// Where the provider sent the first attempt away: the next intent is a PUT, after the one with the outcome.
    Refused,
    /// The same, and whoever goes on after it begins with a read.
    Resumed,
    /// Where the last one ended.
    Again,
    /// Now and then, whatever there is to do: the story begins when one is struck.
    Beside,
}

const fn asked(verb: &'static str, resource: &'static str, told_apart: bool, when: When) -> Asked {
    Asked { verb, resource, told_apart, when }
}

const REQUESTS: &[Asked] = &[
    asked("create", "offboardingrecords", true, When::Always),
    asked("update", "offboardingrecords", true, When::Always),
    asked("update", "offboardingrecords", true, When::Refused),
    asked("update", "customeroffboardings/status", true, When::Often),
    asked("get", "offboardingrecords", true, When::Resumed),
    asked("get", "customeroffboardings", true, When::Always),
    asked("get", "offboardingproviders", true, When::Always),
    asked("get", "secrets", true, When::Often),
    asked("list", "offboardingapprovals", true, When::Always),
    asked("list", "customerholds", false, When::Often),
    asked("get", "validatingadmissionpolicies", false, When::Approved),
    asked("get", "validatingadmissionpolicybindings", false, When::Approved),
    asked("create", "events", true, When::Approved),
    asked("update", "leases", false, When::Beside),
    asked("watch", "customeroffboardings", false, When::Again),
    asked("watch", "offboardingrecords", false, When::Again),
    asked("watch", "offboardingapprovals", false, When::Again),
    asked("watch", "customerholds", false, When::Again),
];

/// Which strike the first request meets first: so that the slice of CI is without the one that takes minutes.
const FROM: usize = 2;

/// The place of a plan among all requests and strikes: each pair is met once before one comes again, and all of either early.
fn pair(seed: u64, strikes: usize) -> (&'static Asked, usize) {
    let seed = usize::try_from(seed).unwrap();
    let asked = seed % REQUESTS.len();
    (&REQUESTS[asked], (asked + seed / REQUESTS.len() + FROM) % strikes)
}

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
    let campaign = Campaign::of("api-faults", 40);
    campaign.run(AT_ONCE, async |seed| proxied.plan(seed).await, || lane.history.wrong()).await;
}

/// An operator that sees its API server through a proxy. A lost lease ends it, as it should: it is started again.
struct Proxied<'a> {
    lane: &'a Lane,
    proxy: ApiProxy,
    operator: Mutex<Process>,
    restarts: std::sync::atomic::AtomicU64,
    /// Who strikes the next watch of a resource. Each is asked for again once only, and would be waited for in vain by a second.
    turns: BTreeMap<&'static str, Mutex<()>>,
}

impl<'a> Proxied<'a> {
    async fn start(lane: &'a Lane) -> Proxied<'a> {
        let proxy = ApiProxy::start(&lane.stage.plane).await.unwrap();
        let operator = Mutex::new(lane.leader_behind(&proxy).await);
        let watches = REQUESTS.iter().filter(|asked| asked.when == When::Again);
        let turns = watches.map(|asked| (asked.resource, Mutex::new(()))).collect();
        Proxied { lane, proxy, operator, restarts: Default::default(), turns }
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

    /// A plan that struck nobody is drawn anew, to strike whoever comes first.
    async fn plan(&self, seed: u64) -> Figures {
        let mut draw = Draw::new("api-faults", seed);
        let (asked, _) = pair(seed, strikes().len());
        let skip = if asked.when == When::Often { draw.below(2) } else { 0 };
        let figures = self.attended(self.play(&mut draw, seed, u32::try_from(skip).unwrap())).await;
        if figures["strikes"] > 0 {
            return figures;
        }
        let figures = self.attended(self.play(&mut draw, seed, 0)).await;
        assert!(figures["strikes"] > 0, "{} {} was never struck", asked.verb, asked.resource);
        figures
    }

    async fn attended(&self, play: impl Future<Output = Figures>) -> Figures {
        tokio::select! {
            figures = play => figures,
            () = self.watch_over() => unreachable!("it never ends"),
        }
    }

    async fn play(&self, draw: &mut Draw, seed: u64, skip: u32) -> Figures {
        let strikes = strikes();
        let (asked, strike) = pair(seed, strikes.len());
        let (name, strike, applies) = strikes[strike].clone();
        let Asked { verb, resource, told_apart, when } = *asked;
        let provider = if draw.once_in(2) { Juicyway } else { Revolv3 };
        let story = self.lane.stage.story("faulty").await;
        let required = u32::from(when == When::Approved || draw.once_in(4));
        story
            .provider(provider, json!({"approvals": {"required": required}, "verify": {"deadline": "5m"}}))
            .await;
        if required > 0 {
            story.cast().await;
        }
        let canary = Canary::new(provider, seed, &*self.operator.lock().await);
        let id = canary.id.as_str();
        story.sandbox.seed(provider, id, &canary.person).await.unwrap();
        if matches!(when, When::Refused | When::Resumed) {
            let limited = json!({"kind": "rateLimit", "variant": "retryAfter", "seconds": 1, "apply": false});
            let faults = json!([{"match": {"method": "DELETE"}, "do": limited}]);
            story.sandbox.set_faults(&faults).await.unwrap();
        }
        // Who is not there any more has no status: such a request is looked after minutes later.
        let is_slow = name == "404" && resource == "customeroffboardings/status";
        let turn = match when {
            When::Again => Some(self.turns[resource].lock().await),
            _ => None,
        };
        let about = if told_apart { story.namespace.name().to_owned() } else { String::new() };
        let fault = self.proxy.strike(ApiFault {
            matches: ApiMatch { verb: verb.to_owned(), resource: resource.to_owned(), about },
            // The one with the outcome of the first attempt passes.
            skip: skip + u32::from(when == When::Refused),
            times: if is_slow { 1 } else { 1 + u32::try_from(draw.below(3)).unwrap() },
            strike,
            applies,
        });
        if when == When::Again {
            self.proxy.cut_watches(resource);
        }
        let case = Case { request: "acme".to_owned(), provider, id: id.to_owned() };
        let ended = async {
            if when == When::Beside {
                story
                    .wait("one is struck", async || match self.proxy.struck_by(fault) {
                        0 => Err(()),
                        _ => Ok(()),
                    })
                    .await;
            }
            story.request("acme", provider, id).await;
            if required > 0 {
                story.agrees_until_it_ends("bob", "acme").await;
            }
            story.ends_in_time("acme").await
        };
        // Where it is not struck, `plan` says so.
        let is_struck = async {
            let struck = async {
                while self.proxy.struck_by(fault) == 0 {
                    tokio::time::sleep(GLANCE).await;
                }
            };
            let _in_time = tokio::time::timeout(IN_TIME, struck).await;
            drop(turn);
        };
        let (status, ()) = tokio::join!(ended, is_struck);
        let struck = self.proxy.lift(fault);
        assert_eq!(status["result"], case.success(), "{name} at {verb} {resource}: {status:#}");
        let deletes = story.judge(&case).await;
        assert!(deletes >= 1, "{case:?}");
        story.judge_checks(&case, |_| false).await;
        let searched = canary.stayed_inside(&story, &*self.operator.lock().await).await;
        story.judged().await;
        let row = if when == When::Refused { "further intent: " } else { "" };
        BTreeMap::from([
            ("plans".to_owned(), u64::from(struck > 0)),
            ("strikes".to_owned(), u64::from(struck)),
            ("deletes".to_owned(), deletes),
            ("places searched for canaries".to_owned(), searched),
            (format!("{row}{verb} {resource}"), u64::from(struck)),
            (name.to_owned(), u64::from(struck)),
        ])
    }
}

#[test]
fn every_request_meets_every_strike() {
    let (strikes, pairs) = (strikes().len(), REQUESTS.len() * strikes().len());
    let met: BTreeSet<String> = (0..u64::try_from(pairs).unwrap())
        .map(|seed| pair(seed, strikes))
        .map(|(asked, strike)| {
            format!("{} {} {} {strike}", asked.verb, asked.resource, asked.when == When::Refused)
        })
        .collect();
    assert_eq!(met.len(), pairs);
}
