//! What follows, in one sentence for people: what is the matter, and what to do. Stable from look to look: deadlines, no
//! countdowns; our own words, never the provider's; no id.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    Blocked, Cause, CauseWord, Class, Effect, Ending, Failure, Missing, ModeProblem, Next, Waiting,
    WhyMissing, several::named,
};
use crate::api::{Blocker, Mode, OffboardingResult, ProviderKind, ProviderReason, Reason};

/// What a sentence is about: one target.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The provider object's name.
    pub provider: &'a str,
    /// Whoever is deactivated is not deleted: their data stays, and no sentence may say otherwise.
    pub mode: Mode,
}

impl About<'_> {
    /// What is sent.
    pub(super) fn act(self) -> &'static str {
        match self.mode {
            Mode::Hard => "deletion",
            Mode::Soft => "deactivation",
        }
    }
}

/// The sentence of the column `WAITING-FOR`; when finished, how it ended.
#[must_use]
pub fn sentence(next: &Next, about: About) -> String {
    match next {
        Next::Do(Effect::Delete(_)) => format!("{} in progress", about.act()),
        Next::Do(Effect::SaveOutcome) => "writing down the outcome".to_owned(),
        Next::Do(Effect::Close(_)) => "closing the record".to_owned(),
        Next::Wait(waiting) => wait(waiting, about),
        Next::Stop(blocked) => stop(blocked, about),
        Next::Finished(ending) => end(*ending, about),
    }
}

/// A moment as it stands in messages: UTC, whole seconds.
#[must_use]
pub fn moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn wait(waiting: &Waiting, about: About) -> String {
    let (provider, act) = (about.provider, about.act());
    match waiting {
        Waiting::ApiServer => "the Kubernetes API server to answer".to_owned(),
        Waiting::Suspended => "`spec.suspend` to be false; no request will be sent before".to_owned(),
        Waiting::ProviderSuspended => {
            format!("`spec.suspend` of provider '{provider}' to be false; no request will be sent before")
        }
        Waiting::ProviderUnusable(reason) => {
            format!("provider '{provider}' to become ready ({reason}): {}", provider_problem(*reason))
        }
        Waiting::CustomerIdChanged => {
            "the customer id: its Secret names somebody else than when this was begun; put the id back, or cancel and create another request"
                .to_owned()
        }
        Waiting::CustomerIdUnavailable => {
            "the customer id: its Secret is not available; create it with `kubectl create secret generic … \
             --type=offboarding.dev/customer-id`"
                .to_owned()
        }
        Waiting::Provider(failure) => format!("provider '{provider}': {}", answer(failure)),
        Waiting::Check { check, failure } => format!(
            "an answer to the check '{check}' of provider '{provider}', which it had in the plan that people know ({}); \
             where it will have none, the provider object can ignore it, and the plan is another one",
            answer(failure)
        ),
        Waiting::Control(failure) => format!(
            "proof of absence at provider '{provider}': the customer was not found, but the control request failed ({}); \
             check base URL, path prefix and credential",
            answer(failure)
        ),
        Waiting::Held { name, kind, .. } => {
            format!("hold '{name}' ({kind}) to be released or to expire; no request will be sent before")
        }
        Waiting::HoldsUnread => {
            "the holds: deletions are frozen, because customerholds cannot be read".to_owned()
        }
        Waiting::Approvals(missing) => approvals(*missing),
        Waiting::CoolingOff { until } => {
            format!(
                "the cooling-off time until {}; it was approved, and can still be withdrawn",
                moment(*until)
            )
        }
        Waiting::NotBefore { until } => format!("`spec.notBefore`, {}", moment(*until)),
        Waiting::Budget { account, until: Some(until) } => {
            format!(
                "its turn: the budget of {} is used up; the next deletion is at {}",
                budget_of(account.as_deref()),
                moment(*until)
            )
        }
        Waiting::Budget { account, until: None } => {
            format!("its turn: the budget of {} is for those who came first", budget_of(account.as_deref()))
        }
        Waiting::Others => {
            "the other targets: nothing is begun before all are found and nothing stands in the way"
                .to_owned()
        }
        Waiting::Turn { after } => format!("its turn: {} must be done first", after.join(", ")),
        Waiting::Retry { at, last } => {
            let (at, why) = (moment(*at), answer(last));
            format!("the next try at {at}: last time nothing was done at provider '{provider}' ({why})")
        }
        Waiting::AuthRefused { until } => format!(
            "another credential: provider '{provider}' refused the one in its Secret; mend the Secret, or the next try is at {}",
            moment(*until)
        ),
        Waiting::Settling { until } => format!(
            "the outcome: the {act} may have been done or not; nothing is sent again before the customer is looked at after {}",
            moment(*until)
        ),
        Waiting::Lag { until } => {
            format!("the last look: before {} a read may be older than the {act}", moment(*until))
        }
        Waiting::Confirming { looks, needed } => {
            let gone = match about.mode {
                Mode::Hard => "gone",
                Mode::Soft => "deactivated",
            };
            format!("{needed} looks in a row that find the customer {gone} ({looks} so far)")
        }
        Waiting::StillThere { until } => {
            let awaited = match about.mode {
                Mode::Hard => "disappear",
                Mode::Soft => "be shown as deactivated",
            };
            format!("the customer to {awaited}: the {act} was accepted; looked at until {}", moment(*until))
        }
        Waiting::AnotherAddress => format!(
            "provider '{provider}' to name the base URL and environment again that the {act} was sent to; nothing is verified elsewhere"
        ),
        Waiting::AnotherCredential => format!(
            "provider '{provider}' to use the credential again that the {act} was begun with: another one may belong to another account; where the {act} was refused or never left, cancelling ends it, too"
        ),
        Waiting::SecondLook { at } => format!("a second look at {}: the customer was not found", moment(*at)),
    }
}

fn blockers(found: &[Blocker]) -> String {
    let names: Vec<String> =
        found.iter().map(|blocker| format!("{} ({})", blocker.check, blocker.reason)).collect();
    named(&names)
}

/// How many agreed, and what is the matter with the others.
fn approvals(missing: Missing) -> String {
    let Missing { have, need, why } = missing;
    let hint = match why {
        WhyMissing::Awaited => "read status.plan, then approve exactly its hash",
        WhyMissing::PlanChanged => {
            "the plan changed after an approval (status.plan.changed says where); approve the hash that it has now"
        }
        WhyMissing::Expired => {
            "an approval has expired, ends before the cooling-off time does, or was to hold longer than the provider object allows"
        }
        WhyMissing::CannotHold => {
            "none can count: the provider objects' `coolingOff` is at least as long as the shortest `approvals.maxValidity`; shorten the one or lengthen the other"
        }
        WhyMissing::SameIdentity => "the approver must be somebody else than the requester",
        WhyMissing::UnknownRequester => {
            "nobody knows who asked, or it was no person, so one more is needed than the provider object says"
        }
        WhyMissing::Spent => {
            "the provider refused the deletion that an approval was for; a new one is needed"
        }
        WhyMissing::BeforePolicies => {
            "an approval is older than the admission policies, or came within 10 seconds after them, so nothing proves who made it; approve again"
        }
    };
    format!("{have} of {need} approvals; {hint}")
}

fn provider_problem(reason: ProviderReason) -> &'static str {
    match reason {
        ProviderReason::InvalidProfile => "its profile or TLS setting is not valid; see its condition Ready",
        ProviderReason::SecretUnavailable => {
            "its credential is not available; create it with `kubectl create secret generic … --type=offboarding.dev/credentials`"
        }
        ProviderReason::SecretInvalid => {
            "its credential is empty, too long, or has characters that no header may have"
        }
        ProviderReason::EnvironmentMismatch => "its credential belongs to another environment",
        ProviderReason::HostNotAllowed | ProviderReason::AddressNotAllowed => {
            "its address is not allowed; see `allowedCIDRs` and the operator's --allowed-cidrs"
        }
        ProviderReason::AuthFailed => "it refused the credential; mend the Secret",
        ProviderReason::ControlFailed => {
            "its control request failed; check base URL, path prefix and credential"
        }
        ProviderReason::ProbeSucceeded | ProviderReason::Closed | ProviderReason::RepeatedFailures => {
            "see its conditions"
        }
    }
}

/// A failure in words.
#[must_use]
pub fn answer(failure: &Failure) -> String {
    let words = match &failure.cause {
        CauseWord::Ours(Cause::CircuitOpen) if failure.class == Class::Auth => {
            "it refused the credential (401); mend the Secret"
        }
        CauseWord::Ours(Cause::CircuitOpen) => "paused after repeated failures; tried again by itself",
        CauseWord::Ours(Cause::Unauthorized) => "it refused the credential (401); mend the Secret",
        CauseWord::Ours(Cause::AccessDenied) => "access denied (403); check what the credential may do",
        CauseWord::Ours(Cause::OtherCustomer) => "the response describes another customer; refusing",
        CauseWord::Ours(Cause::UntrustedResponse) => {
            "the answer is not in the provider's own format; nothing is concluded from it"
        }
        CauseWord::Ours(Cause::UnexpectedRedirect) => {
            "it redirected; redirects are not followed, check the base URL"
        }
        CauseWord::Ours(Cause::EnvironmentMismatch) => "the credential belongs to another environment",
        CauseWord::Ours(Cause::SecretUnavailable) => {
            "its credential is not available; create or mend the Secret"
        }
        CauseWord::Ours(Cause::SecretInvalid) => {
            "the credential is empty, too long, or has characters that no header may have"
        }
        CauseWord::Ours(Cause::AddressNotAllowed) => "its name resolves to an address that is not allowed",
        CauseWord::Ours(Cause::NameNotResolved) => "its name cannot be resolved",
        CauseWord::Ours(Cause::ConnectFailed) => "no connection; nothing was sent",
        CauseWord::Ours(Cause::ProxyUnavailable) => {
            "the operator's egress proxy does not connect; nothing was sent"
        }
        CauseWord::Ours(Cause::ProxyRefused) => {
            "the operator's egress proxy refuses to connect to its address; nothing was sent"
        }
        CauseWord::Ours(Cause::ProxyUnauthorized) => {
            "the operator's egress proxy refuses the operator's credentials (407); nothing was sent"
        }
        CauseWord::Ours(Cause::TlsFailed) => "no trusted TLS connection; nothing was sent",
        CauseWord::Ours(Cause::ResponseTooLarge) => "the response exceeded 1048576 bytes",
        CauseWord::Ours(Cause::IncompleteList) => "a list could not be read to its end",
        CauseWord::Ours(Cause::RateLimited | Cause::Paused) => "rate limited; tried again by itself",
        CauseWord::Ours(Cause::Held) => "a hold came in between",
        CauseWord::Ours(Cause::RequestSuspended) => "the request was suspended in between",
        CauseWord::Ours(Cause::RequestWithdrawn) => "the request was withdrawn in between",
        CauseWord::Ours(Cause::NotYet) => "`spec.notBefore` was moved in between",
        CauseWord::Ours(Cause::ProviderChanged) => "the provider object was changed in between",
        CauseWord::Ours(Cause::ProviderSuspended) => "the provider object was suspended in between",
        CauseWord::Ours(Cause::CredentialChanged) => "the credential was changed in between",
        CauseWord::Ours(Cause::CustomerChanged) => "the customer changed in between",
        CauseWord::Ours(Cause::PlanChanged) => "something in the plan changed in between",
        CauseWord::Ours(Cause::Unread) => {
            "not everything could be read once more; nothing was sent, tried again by itself"
        }
        CauseWord::Ours(Cause::DeadlinePassed) => "it took too long; nothing was sent, tried again by itself",
        CauseWord::Ours(Cause::LeaseLost) => "another operator took over; nothing was sent",
        CauseWord::Ours(Cause::TemplateFailed) => "the request cannot be built; mend the profile",
        CauseWord::Ours(Cause::ApprovalWithdrawn) => "an approval was withdrawn, or ran out, in between",
        CauseWord::Ours(Cause::Denied) => "somebody denied it in between",
        CauseWord::Ours(Cause::ApprovalPolicyMissing) => "an admission policy was not as shipped",
        CauseWord::Ours(Cause::BudgetUsed) => "the budget was used up in between",
        CauseWord::Ours(Cause::ServerError) => "server error; tried again by itself",
        _ => match failure.class {
            Class::Transient => "no answer; tried again by itself",
            Class::RateLimited => "rate limited; tried again by itself",
            Class::Auth => "the credential was refused",
            Class::Forbidden => "access denied",
            Class::Conflict => "conflict",
            Class::NotFound => "not found",
            Class::Invalid => "the answer must not be acted on",
            Class::Indeterminate => "the answer cannot be interpreted; nothing is concluded from it",
        },
    };
    words.to_owned()
}

fn stop(blocked: &Blocked, about: About) -> String {
    let (provider, act) = (about.provider, about.act());
    match blocked {
        Blocked::ProviderNotFound(kind) => {
            format!("provider '{provider}' is not available to this namespace; {}", provider_wanted(*kind))
        }
        Blocked::ModeNotAllowed(problem) => mode_problem(*problem, provider),
        Blocked::InstallationKeyLost => {
            "the installation key is missing or does not match the records; restore the Secret, no deletion starts before".to_owned()
        }
        Blocked::RecordCorrupted => "the record failed its integrity check; a person must look at it".to_owned(),
        Blocked::UnsupportedVersion => "the record was written by a newer operator; upgrade this one".to_owned(),
        Blocked::Duplicate => "another CustomerOffboarding owns this customer; this one goes on when that one is finished".to_owned(),
        Blocked::Resurrected(missing) => format!(
            "this customer was offboarded before and is there again; a person must decide: {}, or cancel",
            approvals(*missing)
        ),
        Blocked::AccountChanged => {
            "this customer was offboarded at another base URL, environment or account of the provider object; restore it, or use another account name".to_owned()
        }
        Blocked::PlanChanged => {
            "another customer than the planned one has this id now; it was not touched. To offboard it, delete this request and create another".to_owned()
        }
        Blocked::Denied => {
            "somebody denied this request; nothing is deleted. Cancel it, or have the denial deleted by its author".to_owned()
        }
        Blocked::ApprovalPolicyMissing(names) => format!(
            "admission policies as shipped: {} are missing, altered or unreadable; no approval counts before, run `kubectl apply --server-side --force-conflicts -f deploy/admission.yaml`",
            names.join(", ")
        ),
        Blocked::Checks(found) => {
            format!("blocking dependencies at provider '{provider}' to be cleared: {}", blockers(found))
        }
        Blocked::OneMoreWaiver(found) => format!(
            "blocking dependencies at provider '{provider}' to be cleared, or one more person to pass over them, since nobody knows who asked: {}",
            blockers(found)
        ),
        Blocked::Refused { failure, until, approvals: missing } => {
            let what = match (failure.class, &failure.cause) {
                (_, CauseWord::Ours(Cause::CustomerChanged)) => {
                    "says that the customer changed (412)".to_owned()
                }
                (Class::Forbidden, _) => match about.mode {
                    Mode::Hard => "restricts deletion (403)".to_owned(),
                    Mode::Soft => "restricts deactivation (403)".to_owned(),
                },
                (Class::Conflict, _) => "reports a conflict (409)".to_owned(),
                _ => format!("refused the {act} ({})", answer(failure)),
            };
            let anew = missing.map_or(String::new(), |missing| {
                format!(", and takes a new decision: {}", approvals(missing))
            });
            format!("provider '{provider}' {what}; clear the cause there, the next try is at {}{anew}", moment(*until))
        }
        Blocked::AnswerInvalid(failure) => format!("provider '{provider}': {}", answer(failure)),
    }
}

/// The same whether it is not there or not for this namespace: who may not use it is not told that it is there.
fn provider_wanted(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::OffboardingProvider => "create the OffboardingProvider",
        ProviderKind::ClusterOffboardingProvider => {
            "a ClusterOffboardingProvider of this name must name it in `allowedNamespaces`"
        }
    }
}

fn mode_problem(problem: ModeProblem, provider: &str) -> String {
    match problem {
        ModeProblem::Ambiguous => {
            format!("provider '{provider}' allows more than one mode; create a request with `mode`")
        }
        ModeProblem::NotAllowed(mode) => format!("provider '{provider}' does not allow mode {mode}"),
        ModeProblem::NotSupported(crate::api::Mode::Hard) => {
            format!("provider '{provider}' cannot erase data; use `mode: Soft` and its erasure process")
        }
        ModeProblem::NotSupported(crate::api::Mode::Soft) => {
            format!("provider '{provider}' cannot deactivate; use `mode: Hard`")
        }
        ModeProblem::AlreadyInactive => {
            "the customer is already deactivated; deleting a deactivated customer is not supported yet"
                .to_owned()
        }
    }
}

fn end(ending: Ending, about: About) -> String {
    let (provider, act) = (about.provider, about.act());
    match (ending.result, ending.because) {
        (OffboardingResult::Erased, _) => "deleted, verified, and all personal data erased".to_owned(),
        (OffboardingResult::ErasedWithRetention, _) => {
            "deleted and verified; the provider keeps what the plan names".to_owned()
        }
        (OffboardingResult::Deactivated, _) => {
            "deactivated and verified; personal data was not erased".to_owned()
        }
        (OffboardingResult::Unverified, _) => {
            format!("the {act} was accepted, but this provider does not show whether it was done")
        }
        (OffboardingResult::AlreadyAbsent, Reason::Inactive) => {
            "the customer was already deactivated; nothing was sent, and personal data was not erased"
                .to_owned()
        }
        (OffboardingResult::AlreadyAbsent, _) => {
            "the customer was already gone; nothing was deleted".to_owned()
        }
        (OffboardingResult::Cancelled, _) => "cancelled; nothing more was sent".to_owned(),
        (OffboardingResult::PartiallyDone, _) => {
            "done at some targets only; status.targets says where".to_owned()
        }
        (_, Reason::InvalidSpec) => {
            format!(
                "`spec` can never be carried out at provider '{provider}': the id does not match its pattern, must come from a Secret (`idFrom`), or two targets are the same customer there; create another CustomerOffboarding"
            )
        }
        (_, Reason::InvalidGraph) => {
            "`dependsOn` goes in a circle, or names no target; create another CustomerOffboarding".to_owned()
        }
        (_, Reason::CustomerNotFound) => {
            let what = match about.mode {
                Mode::Hard => "customer not found",
                Mode::Soft => "customer not found, or deactivated already,",
            };
            format!(
                "{what} at provider '{provider}'; nothing was deleted. Check the id, or accept it with `acceptAbsent: true` in a new request"
            )
        }
        (_, Reason::StillPresent) => {
            let is = match about.mode {
                Mode::Hard => "still exists",
                Mode::Soft => "is still active",
            };
            format!(
                "the provider accepted the {act} but the customer {is}; it was not sent again. Ask the provider"
            )
        }
        (_, Reason::Recreated) => "a new customer now has this id; it was not touched".to_owned(),
        (_, Reason::AttemptsExhausted) => {
            let act = match about.mode {
                Mode::Hard => "delete",
                Mode::Soft => "deactivate",
            };
            format!(
                "three attempts did not {act} the customer; ask the provider, then create another request"
            )
        }
        (OffboardingResult::Failed | OffboardingResult::Recreated, _) => {
            "failed; see the conditions".to_owned()
        }
    }
}

fn budget_of(account: Option<&str>) -> String {
    account.map_or_else(
        || "all accounts together (`--destructive-rate`)".to_owned(),
        |account| format!("account '{account}'"),
    )
}
