//! Every decision and how it is told.

use super::*;

/// Everything that a decision can be, and how it is told. Read it line by line before a line is changed.
pub fn table() -> Vec<(Telling, &'static str)> {
    vec![
        (
            told(wait(Waiting::ApiServer), Facts::Unread),
            "Planning Pending -Planning +Progressing . . . . . . . +ProviderUnavailable",
        ),
        (
            told(wait(Waiting::Suspended), Facts::None),
            "Planning Pending -Planning -Idle . . . . . . . +Suspended",
        ),
        (
            told(wait(Waiting::Suspended), after(Some(not_sent()))),
            "Executing Deleting -Executing -Idle . +PlanReady +NoBlockers +NotRequired . . . +Suspended",
        ),
        (
            told(wait(Waiting::ProviderSuspended), Facts::None).planned(),
            "Planning Present -Planning -Idle . +PlanReady +NoBlockers +NotRequired . . . +ProviderSuspended",
        ),
        (
            told(wait(Waiting::ProviderUnusable(ProviderReason::SecretUnavailable)), Facts::None),
            "Planning Pending -Planning +Progressing . . . . . . . +ProviderUnavailable",
        ),
        (
            told(
                wait(Waiting::ProviderUnusable(ProviderReason::SecretUnavailable)),
                after(Some(Outcome::Accepted)),
            ),
            "Verifying Verifying -Verifying +Progressing . +PlanReady +NoBlockers +NotRequired +Deleted ?Indeterminate . +ProviderUnavailable",
        ),
        (
            told(wait(Waiting::CustomerIdUnavailable), Facts::None),
            "Planning Pending -Planning +Progressing . . . . . . . +ProviderUnavailable",
        ),
        (
            told(wait(Waiting::CustomerIdChanged), after(Some(not_sent()))),
            "Executing Deleting -Executing +Progressing . -PlanChanged +NoBlockers +NotRequired . . . +ProviderUnavailable",
        ),
        (
            told(wait(Waiting::Provider(transient())), Facts::None),
            "Planning Pending -Planning +Progressing . . . . . . . +ProviderUnavailable",
        ),
        (
            told(wait(Waiting::Provider(limited())), Facts::None),
            "Planning Pending -Planning +Progressing . . . . . . . +RateLimited",
        ),
        (
            told(wait(Waiting::Provider(transient())), after(Some(Outcome::Accepted))),
            "Verifying Verifying -Verifying +Progressing . +PlanReady +NoBlockers +NotRequired +Deleted ?Indeterminate . +ProviderUnavailable",
        ),
        (
            told(wait(Waiting::Control(transient())), Facts::None),
            "Planning Pending -Planning +Progressing . . . . . ?ControlFailed . +ProviderUnavailable",
        ),
        (
            told(wait(Waiting::Control(transient())), after(Some(Outcome::Accepted))),
            "Verifying Verifying -Verifying +Progressing . +PlanReady +NoBlockers +NotRequired +Deleted ?ControlFailed . +ProviderUnavailable",
        ),
        (
            missing(0, 2, WhyMissing::Awaited),
            "AwaitingApproval Present -AwaitingApproval -Idle . +PlanReady +NoBlockers -AwaitingApproval . . . +AwaitingApproval",
        ),
        (
            missing(0, 2, WhyMissing::PlanChanged),
            "AwaitingApproval Present -AwaitingApproval -Idle . +PlanReady +NoBlockers -PlanChanged . . . +AwaitingApproval",
        ),
        (
            missing(1, 2, WhyMissing::Expired),
            "AwaitingApproval Present -AwaitingApproval -Idle . +PlanReady +NoBlockers -Expired . . . +AwaitingApproval",
        ),
        (
            missing(1, 2, WhyMissing::SameIdentity),
            "AwaitingApproval Present -AwaitingApproval -Idle . +PlanReady +NoBlockers -SameIdentity . . . +AwaitingApproval",
        ),
        (
            missing(2, 3, WhyMissing::UnknownRequester),
            "AwaitingApproval Present -AwaitingApproval -Idle . +PlanReady +NoBlockers -UnknownRequester . . . +AwaitingApproval",
        ),
        (
            missing(0, 2, WhyMissing::Spent),
            "AwaitingApproval Present -AwaitingApproval -Idle . +PlanReady +NoBlockers -Spent . . . +AwaitingApproval",
        ),
        (
            missing(0, 2, WhyMissing::BeforePolicies),
            "AwaitingApproval Present -AwaitingApproval -Idle . +PlanReady +NoBlockers -BeforePolicies . . . +AwaitingApproval",
        ),
        (
            told(wait(Waiting::CoolingOff { until: wall(5) }), Facts::None).planned().approved(),
            "CoolingOff Present -CoolingOff -Idle . +PlanReady +NoBlockers +QuorumReached . . . +CoolingOff",
        ),
        (
            told(wait(Waiting::NotBefore { until: wall(5) }), Facts::None).planned(),
            "CoolingOff Present -CoolingOff -Idle . +PlanReady +NoBlockers +NotRequired . . . +NotBefore",
        ),
        (
            budget(Some(wall(5))),
            "Planning Present -Planning -Idle . +PlanReady +NoBlockers +NotRequired . . . +BudgetQueued",
        ),
        (
            budget(None),
            "Planning Present -Planning -Idle . +PlanReady +NoBlockers +NotRequired . . . +BudgetQueued",
        ),
        (held(None), "Planning Pending -Planning -Idle . . . . . . . +Held"),
        (held(Some(wall(5))), "Planning Pending -Planning -Idle . . . . . . . +Held"),
        (
            told(wait(Waiting::HoldsUnread), after(Some(not_sent()))),
            "Executing Deleting -Executing -Idle . +PlanReady +NoBlockers +NotRequired . . . +Held",
        ),
        (
            told(wait(Waiting::Others), Facts::None).planned(),
            "Planning Present -Planning +Progressing . +PlanReady +NoBlockers +NotRequired . . . +OtherTargets",
        ),
        (
            told(wait(Waiting::Turn { after: vec!["crm".to_owned()] }), Facts::None).planned(),
            "Planning Present -Planning +Progressing . +PlanReady +NoBlockers +NotRequired . . . +OtherTargets",
        ),
        (
            told(delete(), Facts::None).planned().approved().waived(),
            "Executing Present -Executing +Progressing . +PlanReady +Waived +QuorumReached -InFlight . . .",
        ),
        (
            told(stop(Blocked::Denied), Facts::None).planned(),
            "Blocked Blocked -Blocked -Idle +Denied +PlanReady +NoBlockers -Denied . . . .",
        ),
        (
            told(
                stop(Blocked::ApprovalPolicyMissing(vec!["approvals.offboarding.dev".to_owned()])),
                Facts::None,
            )
            .planned(),
            "Blocked Blocked -Blocked -Idle +ApprovalPolicyMissing +PlanReady +NoBlockers -ApprovalPolicyMissing . . . .",
        ),
        (
            told(finished(OffboardingResult::Failed, Reason::InvalidGraph), Facts::None),
            "Failed Failed -Failed -Idle +InvalidGraph . . . . . ?NotDeclared .",
        ),
        (
            told(wait(Waiting::Retry { at: wall(5), last: transient() }), after(Some(not_sent()))),
            "Executing Deleting -Executing +Retrying . +PlanReady +NoBlockers +NotRequired . . . +ProviderUnavailable",
        ),
        (
            told(
                wait(Waiting::Retry { at: wall(5), last: limited() }),
                after(Some(rejected(Class::RateLimited))),
            ),
            "Executing Deleting -Executing +Retrying . +PlanReady +NoBlockers +NotRequired -Rejected . . +RateLimited",
        ),
        (
            told(wait(Waiting::AuthRefused { until: wall(5) }), after(Some(rejected(Class::Auth)))),
            "Executing Deleting -Executing +Progressing . +PlanReady +NoBlockers +NotRequired -Rejected . . +ProviderUnavailable",
        ),
        (
            told(wait(Waiting::Settling { until: wall(5) }), after(None)),
            "Executing Deleting -Executing +Progressing . +PlanReady +NoBlockers +NotRequired ?OutcomeUnknown . . +Settling",
        ),
        (
            told(wait(Waiting::Settling { until: wall(5) }), after(Some(unknown()))),
            "Executing Deleting -Executing +Progressing . +PlanReady +NoBlockers +NotRequired ?OutcomeUnknown . . +Settling",
        ),
        (
            told(wait(Waiting::Lag { until: wall(5) }), after(Some(Outcome::Accepted))),
            "Verifying Verifying -Verifying +Progressing . +PlanReady +NoBlockers +NotRequired +Deleted . . +Settling",
        ),
        (
            told(wait(Waiting::Confirming { looks: 1, needed: 3 }), after(Some(Outcome::Accepted))),
            "Verifying Verifying -Verifying +Progressing . +PlanReady +NoBlockers +NotRequired +Deleted . . .",
        ),
        (
            told(wait(Waiting::StillThere { until: wall(5) }), after(Some(Outcome::Accepted))),
            "Verifying Verifying -Verifying +Progressing . +PlanReady +NoBlockers +NotRequired +Deleted . . .",
        ),
        (
            told(wait(Waiting::StillThere { until: wall(5) }), after(Some(Outcome::Accepted))).at(soft()),
            "Verifying Verifying -Verifying +Progressing . +PlanReady +NoBlockers +NotRequired +Deactivated . . .",
        ),
        (
            told(wait(Waiting::AnotherAddress), after(Some(Outcome::Accepted))),
            "Verifying Verifying -Verifying +Progressing . -AccountChanged +NoBlockers +NotRequired +Deleted ?Indeterminate . +ProviderUnavailable",
        ),
        (
            told(wait(Waiting::AnotherCredential), after(Some(Outcome::Accepted))),
            "Verifying Verifying -Verifying +Progressing . +PlanReady +NoBlockers +NotRequired +Deleted ?CredentialChanged . +ProviderUnavailable",
        ),
        (
            told(wait(Waiting::SecondLook { at: wall(5) }), Facts::None),
            "Planning Pending -Planning +Progressing . . . . . . . .",
        ),
        (
            told(delete(), Facts::None).planned(),
            "Executing Present -Executing +Progressing . +PlanReady +NoBlockers +NotRequired -InFlight . . .",
        ),
        (
            told(delete(), after(Some(rejected(Class::Auth)))).planned(),
            "Executing Deleting -Executing +Progressing . +PlanReady +NoBlockers +NotRequired -InFlight . . .",
        ),
        (
            told(Next::Do(Effect::SaveOutcome), after(Some(Outcome::Accepted))),
            "Verifying Verifying -Verifying +Progressing . +PlanReady +NoBlockers +NotRequired +Deleted . . .",
        ),
        (
            told(Next::Do(Effect::SaveOutcome), after(Some(unknown()))).at(soft()),
            "Executing Deactivating -Executing +Progressing . +PlanReady +NoBlockers +NotRequired ?OutcomeUnknown . . .",
        ),
        (
            told(Next::Do(Effect::Close(Ending::cancelled())), after(Some(not_sent()))),
            "Executing Deleting -Executing +Progressing . +PlanReady +NoBlockers +NotRequired . . . .",
        ),
        (
            told(stop(Blocked::ProviderNotFound(ProviderKind::OffboardingProvider)), Facts::None),
            "Blocked Blocked -Blocked -Idle +ProviderNotFound . . . . . . .",
        ),
        (
            told(stop(Blocked::ProviderNotFound(ProviderKind::ClusterOffboardingProvider)), Facts::None),
            "Blocked Blocked -Blocked -Idle +ProviderNotFound . . . . . . .",
        ),
        (
            told(stop(Blocked::ModeNotAllowed(ModeProblem::Ambiguous)), Facts::None),
            "Blocked Blocked -Blocked -Idle +ModeNotAllowed . . . . . . .",
        ),
        (
            told(stop(Blocked::InstallationKeyLost), Facts::Unusable(RecordProblem::AnotherKey)),
            "Blocked Blocked -Blocked -Idle +InstallationKeyLost . . . . . . .",
        ),
        (
            told(stop(Blocked::RecordCorrupted), Facts::Unusable(RecordProblem::Corrupted)),
            "Blocked Blocked -Blocked -Idle +RecordCorrupted . . . . . . .",
        ),
        (
            told(stop(Blocked::UnsupportedVersion), Facts::Unusable(RecordProblem::UnsupportedVersion)),
            "Blocked Blocked -Blocked -Idle +UnsupportedVersion . . . . . . .",
        ),
        (
            told(stop(Blocked::Duplicate), Facts::Theirs),
            "Blocked Blocked -Blocked -Idle . . -Duplicate . . . . .",
        ),
        (
            told(
                stop(Blocked::Resurrected(lacking(WhyMissing::SameIdentity))),
                Facts::Earlier(earlier(OffboardingResult::Erased)),
            )
            .planned(),
            "Blocked Blocked -Blocked -Idle . +PlanReady -Resurrected -SameIdentity . . . .",
        ),
        (
            told(stop(Blocked::AccountChanged), Facts::Earlier(earlier(OffboardingResult::Erased))),
            "Blocked Blocked -Blocked -Idle . -AccountChanged -AccountChanged . . . . .",
        ),
        (
            told(stop(Blocked::PlanChanged), after(Some(not_sent()))),
            "Blocked Blocked -Blocked -Idle . -PlanChanged +NoBlockers +NotRequired . . . .",
        ),
        (
            told(stop(blocker(Reason::BlockersFound)), Facts::None).planned(),
            "Blocked Blocked -Blocked -Idle . +PlanReady -BlockersFound +NotRequired . . . .",
        ),
        (
            told(stop(blocker(Reason::CheckFailed)), Facts::None).planned(),
            "Blocked Blocked -Blocked -Idle . +PlanReady -CheckFailed +NotRequired . . . .",
        ),
        (
            told(stop(refused(Class::Forbidden)), after(Some(rejected(Class::Forbidden)))),
            "Blocked Blocked -Blocked -Idle . +PlanReady -ProviderRestricted +NotRequired -Rejected . . .",
        ),
        (
            told(stop(refused(Class::Conflict)), after(Some(rejected(Class::Conflict)))),
            "Blocked Blocked -Blocked -Idle . +PlanReady -ProviderConflict +NotRequired -Rejected . . .",
        ),
        (
            told(stop(refused_and_spent()), after(Some(rejected(Class::Conflict)))),
            "Blocked Blocked -Blocked -Idle . +PlanReady -ProviderConflict -Spent -Rejected . . .",
        ),
        (
            told(stop(refused(Class::Invalid)), after(Some(rejected(Class::Invalid)))),
            "Blocked Blocked -Blocked -Idle +ProviderAnswerInvalid +PlanReady +NoBlockers +NotRequired -Rejected . . .",
        ),
        (
            told(stop(Blocked::AnswerInvalid(transient())), Facts::None),
            "Blocked Blocked -Blocked -Idle +ProviderAnswerInvalid . . . . . . .",
        ),
        (
            told(finished(OffboardingResult::Failed, Reason::InvalidSpec), Facts::None),
            "Failed Failed -Failed -Idle +InvalidSpec . . . . . ?NotDeclared .",
        ),
        (
            told(finished(OffboardingResult::Failed, Reason::CustomerNotFound), Facts::None),
            "Failed Failed -Failed -Idle +CustomerNotFound . . . . . ?NotDeclared .",
        ),
        (
            told(finished(OffboardingResult::Cancelled, Reason::Cancelled), Facts::None),
            "Cancelled Pending +Cancelled -Idle . . . . . . ?NotDeclared .",
        ),
        (
            told(finished(OffboardingResult::AlreadyAbsent, Reason::Absent), Facts::None),
            "Completed Done +AlreadyAbsent -Idle . . . . +AlreadyAbsent +Absent ?NotDeclared .",
        ),
        (
            ended(OffboardingResult::Cancelled, Reason::Cancelled, Some(rejected(Class::Conflict))),
            "Cancelled Pending +Cancelled -Idle . +PlanReady +NoBlockers +NotRequired -Rejected . ?NotDeclared .",
        ),
        (
            ended(OffboardingResult::Erased, Reason::Absent, Some(Outcome::Accepted)),
            "Completed Done +Erased -Idle . +PlanReady +NoBlockers +NotRequired +Deleted +Absent +Erased .",
        ),
        (
            ended(OffboardingResult::ErasedWithRetention, Reason::Tombstoned, Some(unknown())).at(keeping()),
            "Completed Done +ErasedWithRetention -Idle . +PlanReady +NoBlockers +NotRequired +Deleted +Tombstoned -Retained .",
        ),
        (
            ended(OffboardingResult::ErasedWithRetention, Reason::Absent, Some(Outcome::Accepted))
                .at(backed_up()),
            "Completed Done +ErasedWithRetention -Idle . +PlanReady +NoBlockers +NotRequired +Deleted +Absent -BackupsRetained .",
        ),
        (
            ended(OffboardingResult::Deactivated, Reason::Inactive, Some(Outcome::Accepted)).at(soft()),
            "Completed Done +Deactivated -Idle . +PlanReady +NoBlockers +NotRequired +Deactivated +Inactive -SoftDeleteOnly .",
        ),
        (
            ended(OffboardingResult::Unverified, Reason::NotObservable, Some(Outcome::Accepted))
                .at(unobservable()),
            "Completed Done +Unverified -Idle . +PlanReady +NoBlockers +NotRequired +Deactivated ?NotObservable -SoftDeleteOnly .",
        ),
        (
            ended(OffboardingResult::AlreadyAbsent, Reason::Tombstoned, Some(not_sent())),
            "Completed Done +AlreadyAbsent -Idle . +PlanReady +NoBlockers +NotRequired +AlreadyAbsent +Tombstoned ?NotDeclared .",
        ),
        (
            ended(OffboardingResult::PartiallyDone, Reason::Cancelled, Some(Outcome::Accepted)),
            "Cancelled Pending +PartiallyDone -Idle . +PlanReady +NoBlockers +NotRequired +Deleted . ?NotDeclared .",
        ),
        (
            ended(OffboardingResult::Failed, Reason::StillPresent, Some(Outcome::Accepted)),
            "Failed Failed -Failed -Idle +StillPresent +PlanReady +NoBlockers +NotRequired +Deleted -StillPresent ?NotDeclared .",
        ),
        (
            ended(OffboardingResult::Failed, Reason::AttemptsExhausted, Some(unknown())),
            "Failed Failed -Failed -Idle +AttemptsExhausted +PlanReady +NoBlockers +NotRequired ?OutcomeUnknown . ?NotDeclared .",
        ),
        (
            ended(OffboardingResult::Recreated, Reason::Recreated, Some(Outcome::Accepted)),
            "Failed Failed -Failed -Idle +Recreated +PlanReady +NoBlockers +NotRequired +Deleted -Recreated ?NotDeclared .",
        ),
        (
            ended(OffboardingResult::Recreated, Reason::Recreated, None),
            "Failed Failed -Failed -Idle +Recreated +PlanReady +NoBlockers +NotRequired ?OutcomeUnknown -Recreated ?NotDeclared .",
        ),
    ]
}
