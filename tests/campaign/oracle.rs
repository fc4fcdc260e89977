//! What must hold of every run, judged by the provider's ledger and the records. What the operator says is no evidence.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use harness::{LedgerFilter, Provider, eventually};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{draw::Draw, story::Story};

/// One customer of a run, and the request that is about them.
#[derive(Clone, Debug)]
pub struct Case {
    pub request: String,
    pub provider: Provider,
    pub id: String,
}

impl Case {
    /// How it ends where nothing stands in the way: what the provider keeps decides.
    pub fn success(&self) -> &'static str {
        match self.provider {
            Provider::Revolv3 => "Deactivated",
            Provider::Juicyway | Provider::Scripted => "ErasedWithRetention",
        }
    }
}

/// L3: after the faults stop, within the settle window, the deadline of the verification, and twice the longest back-off.
const BOUND: Duration = Duration::from_secs(660);

/// Between two looks at a request.
const PAUSE: Duration = Duration::from_millis(250);

/// How long the stage's operator waits for an answer.
const DEADLINE: SignedDuration = SignedDuration::from_secs(4);

/// Whoever takes longer is told of, and is not wrong.
const SLOW: Duration = Duration::from_secs(60);

impl Story<'_> {
    /// Waits until a request is finished, as long as that may take.
    pub async fn ends_in_time(&self, request: &str) -> Value {
        let begun = Instant::now();
        let told = Cell::new(false);
        let status = eventually(BOUND, &format!("{request} is finished"), async || {
            tokio::time::sleep(PAUSE).await;
            let status = self.status(request).await;
            if begun.elapsed() > SLOW && !told.replace(true) {
                println!("slow: {}/{request} waits for {}", self.namespace.name(), status["waitingFor"]);
            }
            if status["finished"] == true { Ok(status) } else { Err(status) }
        })
        .await;
        if told.get() {
            println!("slow: {}/{request} took {:.0?}", self.namespace.name(), begun.elapsed());
        }
        status
    }

    /// Customers at both providers, turn by turn; the answer to the deletion of some takes long, or is lost, before or after it
    /// took effect.
    pub async fn troubled(&self, draw: &mut Draw, count: u64) -> Vec<Case> {
        let (mut cases, mut faults) = (Vec::new(), Vec::new());
        for n in 0..count {
            let (provider, id) = if n % 2 == 0 {
                (Provider::Juicyway, format!("cus_{n}"))
            } else {
                (Provider::Revolv3, (91_000 + n).to_string())
            };
            self.sandbox.seed(provider, &id, &json!({})).await.unwrap();
            let at = if draw.once_in(2) { "afterApply" } else { "beforeApply" };
            let fault = match draw.below(3) {
                0 => json!({"kind": "latency", "ms": 500 + draw.below(3_000), "at": at}),
                1 => json!({"kind": "cut", "at": at, "how": "rst"}),
                _ => json!({"kind": "latency", "ms": 0, "at": at}),
            };
            faults.push(json!({"match": {"method": "DELETE", "customer": id}, "times": 1, "do": fault}));
            cases.push(Case { request: format!("request-{n}"), provider, id });
        }
        self.sandbox.set_faults(&json!(faults)).await.unwrap();
        cases
    }

    /// Lets somebody agree whenever the request asks, until it is finished: who agreed before may have been cut off, or what was
    /// agreed to may have been spent, or may not count any more.
    pub async fn agrees_until_it_ends(&self, approver: &str, request: &str) {
        let asks =
            |status: &Value| status["phase"] == "AwaitingApproval" && status["plan"]["hash"].is_string();
        loop {
            let status = eventually(BOUND, &format!("{request} ends, or asks"), async || {
                tokio::time::sleep(PAUSE).await;
                let status = self.status(request).await;
                if status["finished"] == true || asks(&status) { Ok(status) } else { Err(status) }
            })
            .await;
            if status["finished"] == true {
                return;
            }
            self.agree(approver, request).await;
            eventually(BOUND, &format!("{request} goes on"), async || {
                tokio::time::sleep(PAUSE).await;
                let status = self.status(request).await;
                if asks(&status) { Err(status) } else { Ok(()) }
            })
            .await;
        }
    }

    /// Judges one case, whatever its request says, and gives how many DELETEs there were.
    pub async fn judge(&self, case: &Case) -> u64 {
        let Case { request, provider, id } = case;
        let deletes = self.received(*provider, "DELETE", id).await;
        let records = self.records().await;
        let of_request = |record: &&Value| record["spec"]["request"]["name"] == *request;
        let record = records.iter().find(of_request).map_or(&Value::Null, |record| &record["spec"]);
        let attempts: Vec<&Value> = record["attempts"].as_array().into_iter().flatten().collect();
        // S4, and Sieve's sum: no DELETE without an attempt that was written before it, and each attempt is sent once at most.
        let may_have_left = attempts.iter().filter(|attempt| attempt["outcome"] != "NotSent");
        let history = record["history"].as_array().into_iter().flatten();
        let earlier = history.filter_map(|request| request["sends"].as_array()).flatten();
        let earlier = earlier.map(|send| moment(&send["at"]));
        let mut intents: Vec<Timestamp> =
            may_have_left.map(|attempt| moment(&attempt["intentAt"])).chain(earlier).collect();
        intents.sort();
        assert!(
            deletes.len() <= intents.len(),
            "{} DELETEs for {} attempts: {attempts:#?}",
            deletes.len(),
            intents.len()
        );
        for (sent, intent) in deletes.iter().zip(&intents) {
            let received = moment(&sent["received"]);
            assert!(*intent <= received, "DELETE at {received} before its intent at {intent}");
        }
        // S7: who says that a customer is gone is right.
        let status = self.status(request).await;
        let says_gone = |result: &Value| {
            ["Erased", "ErasedWithRetention", "Deactivated", "AlreadyAbsent"]
                .iter()
                .any(|gone| result == gone)
        };
        let truth = self.sandbox.truth(*provider, id).await.unwrap();
        let is_gone = truth["exists"] == false || truth["active"] == false;
        for result in [&status["result"], &record["result"]] {
            assert!(!says_gone(result) || is_gone, "it is said to be {result}: {truth:#}");
        }
        // The status is finished only after its record is closed.
        let was_sent = !attempts.is_empty();
        assert!(status["finished"] != true || !was_sent || record["closed"] == true, "{record:#}");
        u64::try_from(deletes.len()).unwrap()
    }

    /// S9, by the ledger: whoever was sent a DELETE for had every check of the profile answered right before. `also` knows answers
    /// that count besides those that count always.
    pub async fn judge_checks(&self, case: &Case, also: impl Fn(&Value) -> bool) {
        let customer = Some(case.id.as_str());
        let filter = LedgerFilter { provider: Some(case.provider), customer, ..LedgerFilter::default() };
        let ledger = self.sandbox.ledger(&filter).await.unwrap();
        let unanswered = unanswered(&ledger, checks_of(case.provider), |entry| counts(entry) || also(entry));
        assert_eq!(unanswered, [""; 0], "{case:?}: {ledger:#?}");
    }
}

/// The checks of a built-in profile in a sandbox's environment, as the ledger names them.
fn checks_of(provider: Provider) -> &'static [&'static str] {
    match provider {
        Provider::Juicyway => &["listWallets"],
        Provider::Revolv3 => &["listCustomerSubscriptions", "listCustomerInvoices"],
        Provider::Scripted => &[],
    }
}

/// Which DELETEs of a customer were sent though a check was not asked since the one before, or not answered when it was asked last.
fn unanswered(ledger: &[Value], checks: &[&str], counts: impl Fn(&Value) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut since = 0;
    for (at, delete) in ledger.iter().enumerate().filter(|(_, entry)| entry["method"] == "DELETE") {
        for check in checks {
            let last = ledger[since..at].iter().rfind(|entry| entry["operation"] == *check);
            let in_time = |answer: &Value| {
                answer["finished"].is_string() && moment(&answer["finished"]) <= moment(&delete["received"])
            };
            if !last.is_some_and(|answer| counts(answer) && in_time(answer)) {
                found.push(format!("DELETE {} without an answer to {check}", delete["seq"]));
            }
        }
        since = at + 1;
    }
    found
}

/// An answer to a check that is whole, came within the operator's deadline, and was not spoilt. 204 is an empty list.
fn counts(entry: &Value) -> bool {
    let harmless = ["latency", "slow", "contentType", "headers", "noop", "stale"];
    let honest = entry["fault"].as_str().is_none_or(|fault| harmless.contains(&fault));
    let answered = entry["status"] == 204 || entry["status"] == 200 && honest;
    answered
        && entry["finished"].is_string()
        && moment(&entry["finished"]).duration_since(moment(&entry["received"])) <= DEADLINE
}

/// A time as objects and the ledger write it.
pub fn moment(value: &Value) -> Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no moment: {value}"))
}

#[test]
fn a_delete_without_an_answer_to_each_check_right_before_it_is_found() {
    let at = |second: u64| format!("2026-01-01T00:00:{second:02}Z");
    let entry = |seq: u64, what: &str, fault: Option<&str>, status: Option<u16>, takes: Option<u64>| {
        let method = if what == "delete" { "DELETE" } else { "GET" };
        json!({
            "seq": seq, "method": method, "operation": what, "fault": fault, "status": status,
            "received": at(seq), "finished": takes.map(|seconds| at(seq + seconds)),
        })
    };
    let good = |seq, what| entry(seq, what, None, Some(200), Some(0));
    let delete = |seq| good(seq, "delete");
    let found = |ledger: &[Value]| unanswered(ledger, &["a", "b"], counts).len();
    for (ledger, expected, why) in [
        (vec![good(1, "a"), good(2, "b"), delete(3)], 0, "both are answered"),
        (vec![good(1, "a"), delete(3)], 1, "one was not asked"),
        (vec![good(1, "a"), good(2, "b"), delete(3), delete(4)], 2, "the second DELETE has none of its own"),
        (vec![good(1, "a"), good(2, "b"), entry(3, "b", None, None, None), delete(4)], 1, "the last was cut"),
        (vec![entry(1, "a", Some("cut"), Some(200), None), good(2, "b"), delete(3)], 1, "cut in its body"),
        (vec![entry(1, "a", Some("json"), Some(200), Some(0)), good(2, "b"), delete(3)], 1, "spoilt"),
        (vec![entry(1, "a", Some("lie404"), Some(404), Some(0)), good(2, "b"), delete(3)], 1, "a lie"),
        (vec![entry(1, "a", Some("latency"), Some(200), Some(5)), good(2, "b"), delete(9)], 1, "too late"),
        (vec![entry(1, "a", Some("latency"), Some(200), Some(1)), good(2, "b"), delete(3)], 0, "late"),
        (vec![entry(1, "a", None, Some(204), Some(0)), good(2, "b"), delete(3)], 0, "an empty list"),
        (vec![entry(1, "a", None, Some(200), Some(3)), good(2, "b"), delete(3)], 1, "after the DELETE"),
    ] {
        assert_eq!(found(&ledger), expected, "{why}");
    }
}
