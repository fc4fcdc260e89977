//! Every wait, every stop and every end that there is, explained: `tests/plugin/explain`, one file each.

use super::*;
use crate::{
    api::{Blocker, HoldType, Mode, OffboardingResult, ProviderKind, ProviderReason},
    domain::{
        Blocked, Cause, Class, Ending, Facts, Failure, Missing, ModeProblem, Next, Outcome, RecordProblem,
        Waiting, WhyMissing,
        fixtures::{after, earlier, not_sent, rejected, transient, unknown, wall},
    },
    golden,
    plugin::fixtures::{Decided, here, request},
};

/// One list is both: an exhaustive `match`, so that a new variant does not compile without a line here, and an example for
/// each line.
macro_rules! every {
    ($function:ident($kind:ty): $($name:literal $pattern:pat => $example:expr, $facts:expr, $planned:expr;)+) => {
        fn $function() -> Vec<(String, Decided)> {
            let name_of = |value: &$kind| match value { $($pattern => $name),+ };
            let mut all = Vec::new();
            $({
                let example: $kind = $example;
                assert_eq!(name_of(&example), $name, "the example is of its line");
                let next = Next::from(example);
                all.push((concat!($name, ".out").to_owned(), Decided { next, facts: $facts, planned: $planned }));
            })+
            all
        }
    };
}

impl From<Waiting> for Next {
    fn from(waiting: Waiting) -> Self {
        Next::Wait(waiting)
    }
}

impl From<Blocked> for Next {
    fn from(blocked: Blocked) -> Self {
        Next::Stop(blocked)
    }
}

fn missing(why: WhyMissing) -> Waiting {
    Waiting::Approvals(Missing { have: 1, need: 2, why })
}

every!(waits(Waiting):
    "waiting-api-server" Waiting::ApiServer => Waiting::ApiServer, Facts::Unread, false;
    "waiting-suspended" Waiting::Suspended => Waiting::Suspended, Facts::None, false;
    "waiting-provider-suspended" Waiting::ProviderSuspended => Waiting::ProviderSuspended, Facts::None, true;
    "waiting-provider-unusable" Waiting::ProviderUnusable(_) =>
        Waiting::ProviderUnusable(ProviderReason::SecretUnavailable), Facts::None, false;
    "waiting-customer-id-unavailable" Waiting::CustomerIdUnavailable =>
        Waiting::CustomerIdUnavailable, Facts::None, false;
    "waiting-customer-id-changed" Waiting::CustomerIdChanged =>
        Waiting::CustomerIdChanged, after(Some(not_sent())), false;
    "waiting-provider" Waiting::Provider(Failure { class: Class::Transient, .. }) =>
        Waiting::Provider(transient()), Facts::None, false;
    "waiting-provider-rate-limited" Waiting::Provider(_) =>
        Waiting::Provider(Failure::new(Class::RateLimited, Cause::Paused)), Facts::None, false;
    "waiting-check" Waiting::Check { .. } =>
        Waiting::Check { check: "orders".to_owned(), failure: transient() }, Facts::None, true;
    "waiting-control" Waiting::Control(_) => Waiting::Control(transient()), after(Some(Outcome::Accepted)), false;
    "waiting-held" Waiting::Held { until: None, .. } =>
        Waiting::Held { name: "case-31".to_owned(), kind: HoldType::LegalHold, until: None }, Facts::None, true;
    "waiting-held-until" Waiting::Held { .. } =>
        Waiting::Held { name: "case-31".to_owned(), kind: HoldType::Dispute, until: Some(wall(900)) }, Facts::None, true;
    "waiting-holds-unread" Waiting::HoldsUnread => Waiting::HoldsUnread, Facts::None, true;
    "waiting-approvals" Waiting::Approvals(Missing { why: WhyMissing::Awaited, .. }) => missing(WhyMissing::Awaited), Facts::None, true;
    "waiting-approvals-plan-changed" Waiting::Approvals(Missing { why: WhyMissing::PlanChanged, .. }) => missing(WhyMissing::PlanChanged), Facts::None, true;
    "waiting-approvals-expired" Waiting::Approvals(Missing { why: WhyMissing::Expired, .. }) => missing(WhyMissing::Expired), Facts::None, true;
    "waiting-approvals-cannot-hold" Waiting::Approvals(Missing { why: WhyMissing::CannotHold, .. }) => missing(WhyMissing::CannotHold), Facts::None, true;
    "waiting-approvals-same-identity" Waiting::Approvals(Missing { why: WhyMissing::SameIdentity, .. }) => missing(WhyMissing::SameIdentity), Facts::None, true;
    "waiting-approvals-unknown-requester" Waiting::Approvals(Missing { why: WhyMissing::UnknownRequester, .. }) => missing(WhyMissing::UnknownRequester), Facts::None, true;
    "waiting-approvals-spent" Waiting::Approvals(Missing { why: WhyMissing::Spent, .. }) => missing(WhyMissing::Spent), Facts::None, true;
    "waiting-approvals-before-policies" Waiting::Approvals(Missing { why: WhyMissing::BeforePolicies, .. }) => missing(WhyMissing::BeforePolicies), Facts::None, true;
    "waiting-cooling-off" Waiting::CoolingOff { .. } => Waiting::CoolingOff { until: wall(900) }, Facts::None, true;
    "waiting-not-before" Waiting::NotBefore { .. } => Waiting::NotBefore { until: wall(900) }, Facts::None, true;
    "waiting-budget" Waiting::Budget { until: Some(_), .. } =>
        Waiting::Budget { account: Some("acct-eu".to_owned()), until: Some(wall(900)) }, Facts::None, true;
    "waiting-budget-queued" Waiting::Budget { until: None, .. } =>
        Waiting::Budget { account: Some("acct-eu".to_owned()), until: None }, Facts::None, true;
    "waiting-others" Waiting::Others => Waiting::Others, Facts::None, true;
    "waiting-turn" Waiting::Turn { .. } => Waiting::Turn { after: vec!["crm".to_owned()] }, Facts::None, true;
    "waiting-retry" Waiting::Retry { .. } =>
        Waiting::Retry { at: wall(5), last: transient() }, after(Some(not_sent())), false;
    "waiting-auth-refused" Waiting::AuthRefused { .. } =>
        Waiting::AuthRefused { until: wall(5) }, after(Some(rejected(Class::Auth))), false;
    "waiting-settling" Waiting::Settling { .. } => Waiting::Settling { until: wall(5) }, after(Some(unknown())), false;
    "waiting-lag" Waiting::Lag { .. } => Waiting::Lag { until: wall(5) }, after(Some(Outcome::Accepted)), false;
    "waiting-confirming" Waiting::Confirming { .. } =>
        Waiting::Confirming { looks: 1, needed: 3 }, after(Some(Outcome::Accepted)), false;
    "waiting-still-there" Waiting::StillThere { .. } =>
        Waiting::StillThere { until: wall(5) }, after(Some(Outcome::Accepted)), false;
    "waiting-another-address" Waiting::AnotherAddress => Waiting::AnotherAddress, after(Some(Outcome::Accepted)), false;
    "waiting-another-credential" Waiting::AnotherCredential =>
        Waiting::AnotherCredential, after(Some(Outcome::Accepted)), false;
    "waiting-second-look" Waiting::SecondLook { .. } => Waiting::SecondLook { at: wall(5) }, Facts::None, false;
);

every!(stops(Blocked):
    "blocked-provider-not-found" Blocked::ProviderNotFound(_) =>
        Blocked::ProviderNotFound(ProviderKind::OffboardingProvider), Facts::None, false;
    "blocked-denied" Blocked::Denied => Blocked::Denied, Facts::None, true;
    "blocked-approval-policy-missing" Blocked::ApprovalPolicyMissing(_) =>
        Blocked::ApprovalPolicyMissing(vec!["approvals.offboarding.dev".to_owned()]), Facts::None, true;
    "blocked-mode-not-allowed" Blocked::ModeNotAllowed(_) =>
        Blocked::ModeNotAllowed(ModeProblem::NotSupported(Mode::Hard)), Facts::None, false;
    "blocked-installation-key-lost" Blocked::InstallationKeyLost =>
        Blocked::InstallationKeyLost, Facts::Unusable(RecordProblem::AnotherKey), false;
    "blocked-record-corrupted" Blocked::RecordCorrupted =>
        Blocked::RecordCorrupted, Facts::Unusable(RecordProblem::Corrupted), false;
    "blocked-unsupported-version" Blocked::UnsupportedVersion =>
        Blocked::UnsupportedVersion, Facts::Unusable(RecordProblem::UnsupportedVersion), false;
    "blocked-duplicate" Blocked::Duplicate => Blocked::Duplicate, Facts::Theirs, false;
    "blocked-resurrected" Blocked::Resurrected(_) =>
        Blocked::Resurrected(Missing { have: 0, need: 1, why: WhyMissing::Awaited }), Facts::Earlier(earlier(OffboardingResult::Erased)), true;
    "blocked-account-changed" Blocked::AccountChanged =>
        Blocked::AccountChanged, Facts::Earlier(earlier(OffboardingResult::Erased)), false;
    "blocked-plan-changed" Blocked::PlanChanged => Blocked::PlanChanged, after(Some(not_sent())), false;
    "blocked-checks" Blocked::Checks(_) => Blocked::Checks(vec![
        Blocker { check: "subscriptions".to_owned(), reason: Reason::BlockersFound.to_string() },
        Blocker { check: "wallets".to_owned(), reason: Reason::CheckFailed.to_string() },
    ]), Facts::None, true;
    "blocked-one-more-waiver" Blocked::OneMoreWaiver(_) => Blocked::OneMoreWaiver(vec![
        Blocker { check: "subscriptions".to_owned(), reason: Reason::BlockersFound.to_string() },
        Blocker { check: "wallets".to_owned(), reason: Reason::CheckFailed.to_string() },
    ]), Facts::None, true;
    "blocked-refused" Blocked::Refused { approvals: None, .. } =>
        Blocked::Refused { failure: Failure::new(Class::Conflict, Cause::DeletionConflict), until: wall(900), approvals: None },
        after(Some(rejected(Class::Conflict))), false;
    "blocked-refused-and-spent" Blocked::Refused { approvals: Some(_), .. } =>
        Blocked::Refused {
            failure: Failure::new(Class::Conflict, Cause::DeletionConflict),
            until: wall(900),
            approvals: Some(Missing { have: 0, need: 1, why: WhyMissing::Spent }),
        },
        after(Some(rejected(Class::Conflict))), false;
    "blocked-answer-invalid" Blocked::AnswerInvalid(_) =>
        Blocked::AnswerInvalid(Failure::new(Class::Invalid, Cause::OtherCustomer)), Facts::None, false;
);

/// Each result, and each reason for a failure, in one way.
fn ends() -> Vec<(String, Decided)> {
    let ended = |name: &str, result, because| {
        let next = Next::Finished(Ending { result, because });
        let is_begun = !matches!(
            because,
            Reason::InvalidSpec | Reason::InvalidGraph | Reason::CustomerNotFound | Reason::Cancelled
        );
        let facts = if is_begun { after(Some(Outcome::Accepted)) } else { Facts::None };
        (format!("finished-{name}.out"), Decided { next, facts, planned: false })
    };
    let of_result = OffboardingResult::ALL.iter().map(|result| {
        let because = match result {
            OffboardingResult::Failed => Reason::StillPresent,
            OffboardingResult::Recreated => Reason::Recreated,
            OffboardingResult::Cancelled => Reason::Cancelled,
            OffboardingResult::PartiallyDone => Reason::StillPresent,
            OffboardingResult::Unverified => Reason::NotObservable,
            OffboardingResult::Deactivated => Reason::Inactive,
            OffboardingResult::Erased
            | OffboardingResult::ErasedWithRetention
            | OffboardingResult::AlreadyAbsent => Reason::Absent,
        };
        ended(&result.as_str().to_lowercase(), *result, because)
    });
    let failures = [
        ("invalid-spec", Reason::InvalidSpec),
        ("invalid-graph", Reason::InvalidGraph),
        ("customer-not-found", Reason::CustomerNotFound),
        ("attempts-exhausted", Reason::AttemptsExhausted),
    ];
    let failed = failures.iter().map(|(name, because)| ended(name, OffboardingResult::Failed, *because));
    of_result.chain(failed).collect()
}

fn explained(request: &CustomerOffboarding) -> String {
    text("acme", &explain(request, &here()), &here(), Ink::default())
}

#[test]
fn every_wait_every_stop_and_every_end_is_explained() {
    let decided = all([waits(), stops(), ends()]);
    let mut files: Vec<(String, String)> =
        decided.into_iter().map(|(name, decided)| (name, explained(&decided.request("acme")))).collect();
    files.push(("new.out".to_owned(), explained(&request("acme"))));
    files.sort();
    golden::assert_directory_holds("tests/plugin/explain", &files, "out");
}

#[test]
fn whoever_waits_or_is_stopped_is_told_what_to_type() {
    for (name, decided) in all([waits(), stops()]) {
        let told = explain(&decided.request("acme"), &here());
        let commands: Vec<_> = told.advice.iter().flat_map(|it| &it.commands).collect();
        assert!(!commands.is_empty(), "{name}");
        assert!(commands.iter().all(|it| it.starts_with("kubectl ")), "{name}: {commands:?}");
        assert!(told.advice.iter().all(|it| !it.what.contains("does not know")), "{name}");
    }
}

#[test]
fn a_step_that_stands_in_the_way_is_marked() {
    for (name, decided) in all([waits(), stops()]) {
        let told = explain(&decided.request("acme"), &here());
        let marked: Vec<&Step> = told.steps.iter().filter(|it| it.mark == Mark::Here).collect();
        assert!(marked.len() <= 1, "{name}: {marked:?}");
    }
}

#[test]
fn what_the_operator_has_not_seen_yet_is_not_told_as_the_present() {
    let mut request = waits().remove(1).1.request("acme");
    request.metadata.generation = Some(2);
    let told = explain(&request, &here());
    assert_eq!(told.steps[0].mark, Mark::Here);
    assert!(told.steps[0].words.contains("latest change"), "{:?}", told.steps[0]);
}

#[test]
fn a_reason_of_a_newer_operator_is_told_as_such() {
    let mut request = waits().remove(1).1.request("acme");
    for condition in request.status.iter_mut().flat_map(|status| &mut status.conditions) {
        if condition.type_ == "Waiting" {
            condition.reason = "Moonrise".to_owned();
        }
    }
    let told = explain(&request, &here());
    assert!(told.advice[0].what.contains("Moonrise"), "{:?}", told.advice);
}

fn all(decided: impl IntoIterator<Item = Vec<(String, Decided)>>) -> Vec<(String, Decided)> {
    decided.into_iter().flatten().collect()
}
