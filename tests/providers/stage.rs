//! One provider object, put together as the controller does it, and the sandbox that it talks to.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use harness::{LedgerFilter, Provider as Side, Sandbox};
use jiff::Timestamp;
use offboarding::{
    api::{self, CheckOverride, Environment, Limits},
    domain::{CheckSeen, CheckVerdict, Control, Failure, Outcome, Sent, TIME_TO_LEAVE, grant},
    providers::{
        Captured, Credentials, CustomerId, IdempotencySeed, LoadedProfile, Provider, Sighting, Verdict,
        built_in,
        http::{
            ClientIdentity, Egress, Endpoint, EndpointParts, Limiter, ReadClient, SendDeadline, SendResult,
            SystemRoots, send, system_lookup,
        },
        load,
    },
};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Long enough for anything on a busy machine: nothing waits for it to pass.
pub const AMPLE: Duration = Duration::from_secs(25);

/// What is waited for in full, where an answer does not come: long enough for a connection on a busy machine.
pub const SHORT: Duration = Duration::from_millis(2500);

/// A rate that nobody notices.
const FAST: Limits = Limits { requests_per_minute: 60_000, burst: 1000, max_in_flight: 10 };

/// A sandbox without rates, unless a test sets them.
pub async fn sandbox() -> Sandbox {
    let juicyway = r#"{"rateLimit": {"limit": 0, "window": "1h", "headers": true}}"#;
    let revolv3 = r#"{"rateLimit": {"perSecond": 0, "per15m": 0}}"#;
    Sandbox::start_with_args(&["--juicyway", juicyway, "--revolv3", revolv3]).await.unwrap()
}

/// A fault that strikes every request of one side.
pub fn always(side: Side, what: &Value) -> Value {
    json!([{"match": {"provider": side.name()}, "times": 0, "do": what}])
}

/// What the requests to one side were and how they were answered: `GET /customers/cus_1 200`; `-` where no answer left.
pub async fn diary(sandbox: &Sandbox, side: Side) -> Vec<String> {
    let filter = LedgerFilter { provider: Some(side), ..LedgerFilter::default() };
    sandbox.ledger(&filter).await.unwrap().iter().map(line).collect()
}

fn line(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let query = Some(text("query")).filter(|query| !query.is_empty()).map(|query| format!("?{query}"));
    let status = entry["status"].as_u64().map_or("-".to_owned(), |status| status.to_string());
    format!("{} {}{} {status}", text("method"), text("path"), query.unwrap_or_default())
}

/// What a provider object says, with what a test wants different.
pub struct Wiring {
    pub profile: Arc<LoadedProfile>,
    pub base_url: String,
    pub ca_bundle: String,
    pub client_identity: Option<ClientIdentity>,
    pub environment: Environment,
    pub token: &'static str,
    /// Checks that the provider object ignores.
    pub ignored: &'static [&'static str],
    pub limits: Limits,
    /// The request deadline.
    pub deadline: Duration,
}

impl Wiring {
    /// One of the built-in profiles at its side of the sandbox.
    pub fn of(sandbox: &Sandbox, side: Side) -> Self {
        let addresses = sandbox.addresses();
        let (base_url, token) = match side {
            Side::Juicyway => (&addresses.juicyway, "test_ok"),
            Side::Revolv3 => (&addresses.revolv3, "rv3_sandbox"),
            Side::Scripted => (&addresses.scripted, "any"),
        };
        Self {
            profile: built_in(if side == Side::Scripted { "juicyway" } else { side.name() }).unwrap(),
            base_url: base_url.clone(),
            ca_bundle: addresses.ca_bundle.clone(),
            client_identity: None,
            environment: Environment::sandbox,
            token,
            ignored: &[],
            limits: FAST,
            deadline: AMPLE,
        }
    }

    /// A custom profile at the scripted listener; its one credential is `token`.
    pub fn scripted(sandbox: &Sandbox, yaml: &str) -> Self {
        let profile: api::Profile = serde_saphyr::from_str(yaml).unwrap();
        Self { profile: load(&profile).unwrap(), ..Self::of(sandbox, Side::Scripted) }
    }

    /// Everything that the controller builds of a provider object, with nothing heard yet.
    pub fn connect(self) -> Caller {
        let parts = EndpointParts {
            base_url: &self.base_url,
            allowed_cidrs: &["127.0.0.0/8".to_owned()],
            ca_bundle: Some(&self.ca_bundle),
            client_identity: self.client_identity.as_ref(),
        };
        let egress = Egress {
            ceiling: vec!["127.0.0.0/8".parse().unwrap()],
            roots: SystemRoots::none(),
            lookup: system_lookup(),
            proxy: None,
            clock: now,
        };
        let endpoint = Arc::new(Endpoint::new(parts, &egress).unwrap());
        let limiter = Limiter::new(self.limits);
        let reader = Arc::new(ReadClient::new(endpoint.clone(), limiter.clone(), self.deadline));
        let url = endpoint.base_url().url().clone();
        let ignored = self.ignored.iter().map(|name| ((*name).to_owned(), CheckOverride::Ignore)).collect();
        let provider = Provider::new(self.profile, url, self.environment, ignored, reader).unwrap();
        let credentials = credentials(self.token, "uid/1");
        Caller { provider, endpoint, limiter, credentials, deadline: self.deadline }
    }
}

#[expect(clippy::disallowed_methods, reason = "the clock of these tests, handed in as cli.rs does")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

pub fn credentials(token: &str, version: &str) -> Credentials {
    let values = BTreeMap::from([("token".to_owned(), token.as_bytes().to_vec())]);
    Credentials::new(values, version.to_owned()).unwrap()
}

/// One provider object, ready to be asked.
pub struct Caller {
    pub provider: Provider,
    pub limiter: Arc<Limiter>,
    pub credentials: Credentials,
    endpoint: Arc<Endpoint>,
    deadline: Duration,
}

impl Caller {
    pub async fn look(&self, id: &str) -> Sighting {
        self.provider.look(&self.credentials, &customer(id), now()).await
    }

    pub async fn control(&self) -> Control {
        self.provider.control(&self.credentials, now()).await
    }

    pub async fn checks(&self, id: &str, captured: &Captured) -> Vec<CheckSeen> {
        self.provider.checks(&self.credentials, &customer(id), captured, now()).await
    }

    /// One permit, spent as the controller spends it.
    pub async fn send(&self, id: &str, captured: &Captured) -> Sent {
        let seed = IdempotencySeed { request_uid: "6a1f", target: "billing", n: 1 };
        let prepared = self.provider.prepare_delete(&self.credentials, &customer(id), captured, &seed);
        let request = match prepared {
            Ok(request) => request,
            Err(failure) => return Sent::not_sent(failure),
        };
        let mut reservation = match self.limiter.reserve(1, self.credentials.version(), AMPLE).await {
            Ok(reservation) => reservation,
            Err(failure) => return Sent::not_sent(failure),
        };
        let permit = grant(Duration::ZERO, self.deadline, TIME_TO_LEAVE).unwrap();
        let first_byte_before = Instant::now() + self.deadline;
        let deadline = SendDeadline { first_byte_before, total: self.deadline };
        reservation.spend();
        let result = send(permit, request, &self.endpoint, deadline, now).await;
        reservation.report(result.heard(now()));
        match result {
            SendResult::NotSent(failure) => Sent::not_sent(failure),
            SendResult::Unknown { failure, sent_at } => Sent {
                outcome: Outcome::Unknown(failure.clone()),
                sent_at: Some(sent_at),
                ..Sent::not_sent(failure)
            },
            SendResult::Answered { response, sent_at } => {
                self.provider.read_sent(response, &customer(id), captured, sent_at, now()).await
            }
        }
    }
}

fn customer(id: &str) -> CustomerId {
    CustomerId::new(id.to_owned())
}

/// `Unknown Transient/ServerError`, `Absent`.
pub fn looked(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Present => "Present".to_owned(),
        Verdict::Inactive => "Inactive".to_owned(),
        Verdict::Tombstoned => "Tombstoned".to_owned(),
        Verdict::Absent => "Absent".to_owned(),
        Verdict::Unknown(failure) => format!("Unknown {}", told(failure)),
    }
}

/// `Good`, `Bad Auth/Unauthorized`.
pub fn controlled(control: &Control) -> String {
    match control {
        Control::Good => "Good".to_owned(),
        Control::Bad(failure) => format!("Bad {}", told(failure)),
    }
}

/// `Clear`, `Blocks`, `Failed NotFound/NotFound`.
pub fn checked(verdict: &CheckVerdict) -> String {
    match verdict {
        CheckVerdict::Failed(failure) | CheckVerdict::Unanswered(failure) => {
            format!("{} {}", verdict.word(), told(failure))
        }
        CheckVerdict::Clear | CheckVerdict::Blocks | CheckVerdict::Ignored => verdict.word().to_owned(),
    }
}

/// `Accepted`, `Unknown Indeterminate/OutcomeUnknown`.
pub fn became(outcome: &Outcome) -> String {
    let failure = outcome.failure().map(|failure| format!(" {}", told(failure)));
    format!("{}{}", outcome.word(), failure.unwrap_or_default())
}

fn told(failure: &Failure) -> String {
    format!("{}/{}", failure.class, failure.cause.as_str())
}
