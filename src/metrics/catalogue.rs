//! Every metric: its name, type, unit and labels, and what it means. `docs/metrics.md` is made of this, and a scrape may show
//! nothing else.

use super::KeyTrouble;
use crate::{
    api::{ConditionType, HoldType, OffboardingResult, Phase, ProviderReason, Reason, Truth},
    domain::{Class, LookWord, OutcomeWord, Step},
};

/// What kind of number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Only grows, and begins at 0 with the process. Exposed with `_total` behind its name.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Exposed as `_bucket`, `_sum` and `_count`.
    Histogram,
    /// Always 1; its labels tell something. Exposed with `_info` behind its name.
    Info,
}

/// Whose it is, and so who shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Names of controller-runtime and client-go: every process.
    Standard,
    /// The operator itself: every process.
    Operator,
    /// What was asked of providers: every process, for what it asked.
    Providers,
    /// Counted from the watch caches when it is scraped: the leader alone.
    Domain,
}

/// The values that a label can have.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// These.
    Words(&'static [&'static str]),
    /// The words of an enum.
    Of(fn() -> Vec<&'static str>),
    /// The names of the built-in profiles, and `custom`.
    Profiles,
    /// 100 to 599, or `<error>` where there was no answer.
    Statuses,
    /// `spec.account` of a provider object, or `*` for all of them.
    Accounts,
    /// That of the program.
    Version,
}

/// A label of a metric.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    pub name: &'static str,
    pub values: Values,
}

/// A metric.
#[derive(Debug)]
pub struct Described {
    /// Without the endings that the format adds.
    pub name: &'static str,
    pub kind: Type,
    /// What is counted; where it is `seconds` or `bytes`, the name ends with it.
    pub unit: &'static str,
    pub labels: &'static [Label],
    pub section: Section,
    /// Whether each series is there from the start, with 0: else it comes with the first event.
    pub always: bool,
    /// One sentence, without the full stop.
    pub meaning: &'static str,
}

/// Stands for every profile that is not built in: whoever may write a provider object chooses its name.
pub const CUSTOM: &str = "custom";

/// No answer, as client-go calls it.
pub const NO_ANSWER: &str = "<error>";

/// An open record whose attempt has no outcome yet.
pub const IN_FLIGHT: &str = "InFlight";

const fn label(name: &'static str, values: Values) -> Label {
    Label { name, values }
}

macro_rules! all {
    ($words:ident) => {
        Values::Of(|| $words::ALL.iter().map(|word| word.as_str()).collect())
    };
}

const CONTROLLER: Label = label("controller", Values::Words(&["request", "record", "provider"]));
const QUEUE: &[Label] = &[label("name", Values::Words(&["request", "record", "provider"])), CONTROLLER];
const PROFILE: Label = label("profile", Values::Profiles);
const PHASE: Label = label("phase", Values::Of(unfinished_phases));
const ACCOUNT: Label = label("account", Values::Accounts);
const WINDOW: Label = label("window", Values::Words(&["hour", "day"]));
const CLASS: Label = label("class", all!(Class));
const RESULTS: &[Label] = &[label("result", all!(OffboardingResult))];
const STEP: Label = label("step", all!(Step));
const ATTEMPTS: &[Label] = &[label("outcome", Values::Of(states_of_attempts))];
const LEASE: &[Label] = &[label("name", Values::Words(&["customer-offboarding-operator"]))];

/// The phases of requests that are not finished.
#[must_use]
pub fn unfinished_phases() -> Vec<&'static str> {
    let ended = [Phase::Completed, Phase::Cancelled, Phase::Failed];
    Phase::ALL.iter().filter(|phase| !ended.contains(phase)).map(|phase| phase.as_str()).collect()
}

/// How the last attempt of an open record stands.
#[must_use]
pub fn states_of_attempts() -> Vec<&'static str> {
    [IN_FLIGHT].into_iter().chain(OutcomeWord::ALL.iter().map(|word| word.as_str())).collect()
}

/// Why a request can end without success.
fn reasons_to_give_up() -> Vec<&'static str> {
    let stalled = ConditionType::Stalled.reasons().iter().filter(|(truth, _)| *truth == Truth::True);
    stalled.flat_map(|(_, reasons)| reasons.iter().map(|reason| reason.as_str())).collect()
}

/// `Succeeded`, and every class of failure.
fn outcomes_of_requests() -> Vec<&'static str> {
    ["Succeeded"].into_iter().chain(Class::ALL.iter().map(|class| class.as_str())).collect()
}

/// Why a provider object is not ready, or that it is, or that nobody has told yet.
#[must_use]
pub fn readiness_of_providers() -> Vec<&'static str> {
    let of_the_circuit = [ProviderReason::Closed, ProviderReason::RepeatedFailures];
    let told = ProviderReason::ALL.iter().filter(|reason| !of_the_circuit.contains(reason));
    told.map(|reason| reason.as_str()).chain([Reason::Pending.as_str()]).collect()
}

macro_rules! metrics {
    ($($constant:ident = $kind:ident $section:ident $always:ident $name:literal, $unit:literal, $labels:expr, $meaning:literal;)+) => {
        $(
            pub static $constant: Described = Described {
                name: $name,
                kind: Type::$kind,
                unit: $unit,
                labels: $labels,
                section: Section::$section,
                always: $always,
                meaning: $meaning,
            };
        )+

        /// Every metric, in the order in which it is documented.
        pub static ALL: &[&Described] = &[$(&$constant),+];
    };
}

const ALWAYS: bool = true;
const LATER: bool = false;

metrics! {
    RECONCILES = Counter Standard LATER "controller_runtime_reconcile", "passes",
        &[CONTROLLER, label("result", Values::Words(&["success", "error", "requeue_after"]))],
        "Passes that ended; after `requeue_after` the object comes again at a known time";
    RECONCILE_ERRORS = Counter Standard ALWAYS "controller_runtime_reconcile_errors", "passes", &[CONTROLLER],
        "Passes that ended with an error";
    PANICS = Counter Standard ALWAYS "controller_runtime_reconcile_panics", "passes", &[CONTROLLER],
        "Passes that panicked; each is an error, too";
    RECONCILE_TIME = Histogram Standard ALWAYS "controller_runtime_reconcile_time_seconds", "seconds", &[CONTROLLER],
        "Length of a pass";
    MOST_AT_ONCE = Gauge Standard ALWAYS "controller_runtime_max_concurrent_reconciles", "passes", &[CONTROLLER],
        "How many passes may run at once";
    RUNNING = Gauge Standard ALWAYS "controller_runtime_active_workers", "passes", &[CONTROLLER], "How many passes run now";
    DEPTH = Gauge Standard ALWAYS "workqueue_depth", "objects", QUEUE, "Objects whose pass is due and has not begun";
    ADDS = Counter Standard ALWAYS "workqueue_adds", "objects", QUEUE, "Times that an object came to be due";
    WAITED = Histogram Standard ALWAYS "workqueue_queue_duration_seconds", "seconds", QUEUE,
        "From when an object is due until its pass begins";
    WORKED = Histogram Standard ALWAYS "workqueue_work_duration_seconds", "seconds", QUEUE,
        "Length of a pass, those included that a standby leaves out";
    UNFINISHED = Gauge Standard ALWAYS "workqueue_unfinished_work_seconds", "seconds", QUEUE,
        "How long the passes that run now have run, added up";
    LONGEST_RUNNING = Gauge Standard ALWAYS "workqueue_longest_running_processor_seconds", "seconds", QUEUE,
        "How long the longest of them has run";
    RETRIES = Counter Standard ALWAYS "workqueue_retries", "objects", QUEUE, "Passes that come again because of an error";
    API_REQUESTS = Counter Standard LATER "rest_client_requests", "requests",
        &[label("code", Values::Statuses), label("method", Values::Words(&["GET", "POST", "PUT", "PATCH", "DELETE"]))],
        "Requests to the API server by status; a watch is one, when it begins";
    MASTER = Gauge Standard ALWAYS "leader_election_master_status", "0 or 1", LEASE,
        "1 where this process leads, 0 where it stands by";

    BUILD = Info Operator ALWAYS "offboarding_build", "", &[label("version", Values::Version)], "The running version";
    READY = Gauge Operator ALWAYS "offboarding_ready", "0 or 1", &[],
        "1 where `/readyz` says 200: the caches are filled, and it is not stopping";
    STEP_ERRORS = Counter Operator ALWAYS "offboarding_reconcile_errors", "passes",
        &[CONTROLLER, label("step", Values::Words(&["incomplete", "writeRecord", "readRequest", "saveStatus", "leaseLost",
            "sendTask", "tooManyTurns", "panicked"]))],
        "Errors of passes by the step that failed; `leaseLost`, and `saveStatus` now and then, are harmless";
    OLDEST_DUE = Gauge Operator ALWAYS "offboarding_queue_oldest_seconds", "seconds", &[CONTROLLER],
        "For how long the object that has waited longest is due; 0 where none is";
    WATCH_ERRORS = Counter Operator ALWAYS "offboarding_watch_errors", "errors",
        &[label("kind", Values::Words(&["CustomerOffboarding", "OffboardingProvider", "ClusterOffboardingProvider",
            "OffboardingRecord", "OffboardingApproval", "CustomerHold"]))],
        "Errors of each kind's watch";
    LEASE_ATTEMPTS = Counter Operator ALWAYS "offboarding_lease_attempts", "attempts",
        &[label("result", Values::Words(&["Held", "HeldByAnother", "Failed"]))],
        "Tries to take or renew the lease by what came of them";
    LEASE_LOST = Counter Operator ALWAYS "offboarding_lease_lost", "times", &[], "This process led, and did not renew in time";
    KEY_LOST = Gauge Operator ALWAYS "offboarding_installation_key_lost", "0 or 1", &[label("cause", all!(KeyTrouble))],
        "1 where there is no installation key to work with, so that nothing is deleted: it is missing or unusable, it changed, or \
        there are records of two; there once the key was read for the first time";
    POLICIES = Gauge Operator ALWAYS "offboarding_admission_policies", "0 or 1",
        &[label("state", Values::Words(&["AsShipped", "Missing", "Unanswered"]))],
        "1 for the state that the admission policies were last seen in; while one is missing or altered, no approval counts";
    HOLDS_UNREAD = Gauge Operator ALWAYS "offboarding_holds_unread", "0 or 1", &[],
        "1 where the holds are not known, so that nothing is deleted";
    FINISHED = Counter Operator ALWAYS "offboarding_requests_finished", "requests", RESULTS, "Requests that this process finished";
    GIVEN_UP = Counter Operator ALWAYS "offboarding_requests_failed", "requests",
        &[label("reason", Values::Of(reasons_to_give_up))],
        "Requests that this process finished while Stalled was True, by its reason";
    CLOSED = Counter Operator ALWAYS "offboarding_records_closed", "records", RESULTS, "Records that this process closed";
    CPU = Counter Operator ALWAYS "process_cpu_seconds", "seconds", &[], "Processor time of the process";
    MEMORY = Gauge Operator ALWAYS "process_resident_memory_bytes", "bytes", &[], "Resident memory";
    FILES = Gauge Operator ALWAYS "process_open_fds", "files", &[], "Open file descriptors";
    STARTED = Gauge Operator ALWAYS "process_start_time_seconds", "seconds", &[], "When the process began, in Unix time";

    ASKED = Counter Providers ALWAYS "offboarding_provider_requests", "requests",
        &[PROFILE, STEP, label("outcome", Values::Of(outcomes_of_requests))],
        "Requests to providers by what the HTTP status says: `Transient` is no answer, too; repetitions of a read within its \
        deadline count as one";
    ASKED_FOR = Histogram Providers LATER "offboarding_provider_request_duration_seconds", "seconds", &[PROFILE, STEP],
        "Length of a request to a provider, without the wait for its turn";
    TURN_WAIT = Histogram Providers LATER "offboarding_provider_turn_wait_seconds", "seconds", &[PROFILE],
        "How long a request waited for its turn: rate, requests in flight, pauses";
    TURNS_REFUSED = Counter Providers ALWAYS "offboarding_provider_turns_refused", "requests",
        &[PROFILE, label("cause", Values::Words(&["RateLimited", "Paused", "CircuitOpen"]))],
        "Requests that were not made, because their turn did not come in time";
    LOOKS = Counter Providers ALWAYS "offboarding_looks", "looks", &[PROFILE, label("outcome", all!(LookWord))],
        "Looks at customers by verdict";
    DELETES = Counter Providers ALWAYS "offboarding_deletes", "attempts", &[PROFILE, label("outcome", all!(OutcomeWord))],
        "Destructive attempts by outcome";
    DELETE_FAILURES = Counter Providers ALWAYS "offboarding_delete_failures", "attempts", &[PROFILE, CLASS],
        "Destructive attempts that were not accepted, by class of failure";

    REQUESTS = Gauge Domain LATER "offboarding_requests", "requests", &[PHASE, label("reason", all!(Reason))],
        "Unfinished requests by phase and by why they are there: the reason of Stalled=True, else of Unblocked=False, else of \
        Waiting=True, else of Approved=False, else of Reconciling";
    OLDEST_REQUEST = Gauge Domain ALWAYS "offboarding_requests_oldest_age_seconds", "seconds", &[PHASE],
        "Age of the oldest unfinished request of each phase, since its creation; 0 where there is none";
    OLDEST_WAITING = Gauge Domain ALWAYS "offboarding_requests_oldest_waiting_seconds", "seconds", &[],
        "How long the request that has waited longest without a break has waited; 0 where none waits";
    OVERDUE = Gauge Domain ALWAYS "offboarding_requests_overdue", "requests", &[], "Unfinished requests whose deadline has passed";
    DUE_SOON = Gauge Domain ALWAYS "offboarding_requests_due_soon", "requests", &[],
        "Unfinished requests with less than 7 days to their deadline";
    APPROVALS = Gauge Domain ALWAYS "offboarding_approvals_pending", "requests", &[], "Requests that wait for people to agree";
    SUSPENDED = Gauge Domain ALWAYS "offboarding_requests_suspended", "requests", &[], "Unfinished requests with `spec.suspend`";
    OPEN = Gauge Domain ALWAYS "offboarding_records_open", "records", ATTEMPTS,
        "Open records by the outcome of their last attempt. `Accepted`: the verification is pending. `Unknown`: a deletion may have \
        been sent, and nobody knows yet. `InFlight`: the intent is written, and no outcome yet";
    OLDEST_ATTEMPT = Gauge Domain ALWAYS "offboarding_records_oldest_attempt_seconds", "seconds", ATTEMPTS,
        "How long ago the intent of the oldest such attempt was written; 0 where there is none";
    ORPHANED = Gauge Domain ALWAYS "offboarding_records_orphaned", "records", &[],
        "Open records whose request is gone; they are finished without it";
    HOLDS = Gauge Domain ALWAYS "offboarding_holds_active", "holds", &[label("type", all!(HoldType))], "Holds that have not expired";
    PROVIDERS = Gauge Domain ALWAYS "offboarding_providers", "provider objects",
        &[label("reason", Values::Of(readiness_of_providers))],
        "Provider objects by the reason of Ready; `ProbeSucceeded` is ready, `Pending` is not looked at yet";
    PROVIDERS_SUSPENDED = Gauge Domain ALWAYS "offboarding_providers_suspended", "provider objects", &[],
        "Provider objects with `spec.suspend`, the emergency stop";
    CIRCUITS = Gauge Domain ALWAYS "offboarding_providers_circuit_open", "provider objects", &[PROFILE],
        "Provider objects whose circuit is open, or tried again";
    PAUSED = Gauge Domain ALWAYS "offboarding_providers_paused", "provider objects", &[PROFILE],
        "Provider objects that asked for a pause which still runs";
    BUDGET_USED = Gauge Domain LATER "offboarding_budget_used", "deletions", &[ACCOUNT, WINDOW],
        "Deletions of an account that may have left: in the last 60 minutes, and today in UTC";
    BUDGET_LIMIT = Gauge Domain LATER "offboarding_budget_limit", "deletions", &[ACCOUNT, WINDOW],
        "The smallest limit that a provider object gives the account";
    BUDGET_QUEUED = Gauge Domain LATER "offboarding_budget_queued", "requests", &[ACCOUNT],
        "Requests that wait for the budget of an account";
}

impl Described {
    /// The name as it is exposed; a histogram's has further endings.
    #[must_use]
    pub fn exposed(&self) -> String {
        match self.kind {
            Type::Counter => format!("{}_total", self.name),
            Type::Info => format!("{}_info", self.name),
            Type::Gauge | Type::Histogram => self.name.to_owned(),
        }
    }

    /// Every set of label values that is there from the start, or with what is counted; empty where it comes with events, or where
    /// the values are not known here. `profiles` are the built-in ones.
    #[must_use]
    pub fn every_series(&self, profiles: &[&'static str]) -> Vec<Vec<&'static str>> {
        let mut series = vec![Vec::new()];
        for label in self.labels.iter().filter(|_| self.always) {
            let values = label.values.known(profiles).unwrap_or_default();
            series = series
                .iter()
                .flat_map(|before| values.iter().map(move |value| [before.as_slice(), &[*value]].concat()))
                .collect();
        }
        // The queue is told twice, as controller-runtime does.
        let is_twice =
            self.labels.len() == 2 && self.labels[0].name == "name" && self.labels[1].name == "controller";
        series.retain(|values| self.always && (!is_twice || values[0] == values[1]));
        series
    }
}

impl Values {
    /// All of them, where they are known without asking anybody.
    #[must_use]
    pub fn known(&self, profiles: &[&'static str]) -> Option<Vec<&'static str>> {
        match self {
            Values::Words(words) => Some(words.to_vec()),
            Values::Of(words) => Some(words()),
            Values::Profiles => Some(profiles.iter().copied().chain([CUSTOM]).collect()),
            Values::Statuses | Values::Accounts | Values::Version => None,
        }
    }
}
