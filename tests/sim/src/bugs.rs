//! Rules of the shell taken away, one at a time. Each must be missed: some seed breaks an invariant.

/// A rule that is missing. The numbers are those of the list of seeded bugs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// M01
    WritesWithoutResourceVersion,
    /// M02
    TakesAnOpenRecordOver,
    /// M03
    SendsBeforeTheRecordExists,
    /// M04
    JudgesApprovalsOnlyBeforeTheIntent,
    /// M05
    DoesNotReadTheRequestAgain,
    /// M06
    DoesNotReadHoldsAgain,
    /// M07
    DoesNotLookAgain,
    /// M08
    HasNoSettleWindow,
    /// M09
    MatchesApprovalsByUidAlone,
    /// M10
    BelievesA2xx,
    /// M11
    IgnoresTheSendDeadline,
    /// M12
    IgnoresTheLag,
    /// M13
    ClosesWhenTheRequestIsDeleted,
    /// M14
    TidiesUpForOthers,
    /// M16
    TakesSilenceForAbsence,
    /// M18
    TriesForEver,
    /// M20
    OpensAClosedRecordAgain,
    /// M22
    WindowWithoutTheLifetime,
    /// M24
    CountsOneApproverTwice,
    /// M25
    IsContentWithOneApproval,
    /// M26
    ChecksExpiryOnlyBeforeTheIntent,
    /// M27
    CountsTheBudgetAfterTheSend,
    /// M28
    BeginsBeforeAllAreClear,
    /// M30
    KeepsThePermitForARetry,
    /// M31
    TakesNoAnswerForYes,
    /// M35
    TellsTheEndBeforeTheRecordIsClosed,
    /// M36
    HasNoOrphanSweep,
    /// M46
    BelievesALookBeforeTheControl,
    /// M47
    FindsRecordsByTheirNamesAlone,
}

impl Bug {
    pub const ALL: &'static [Bug] = &[
        Bug::WritesWithoutResourceVersion,
        Bug::TakesAnOpenRecordOver,
        Bug::SendsBeforeTheRecordExists,
        Bug::JudgesApprovalsOnlyBeforeTheIntent,
        Bug::DoesNotReadTheRequestAgain,
        Bug::DoesNotReadHoldsAgain,
        Bug::DoesNotLookAgain,
        Bug::HasNoSettleWindow,
        Bug::MatchesApprovalsByUidAlone,
        Bug::BelievesA2xx,
        Bug::IgnoresTheSendDeadline,
        Bug::IgnoresTheLag,
        Bug::ClosesWhenTheRequestIsDeleted,
        Bug::TidiesUpForOthers,
        Bug::TakesSilenceForAbsence,
        Bug::TriesForEver,
        Bug::OpensAClosedRecordAgain,
        Bug::WindowWithoutTheLifetime,
        Bug::CountsOneApproverTwice,
        Bug::IsContentWithOneApproval,
        Bug::ChecksExpiryOnlyBeforeTheIntent,
        Bug::CountsTheBudgetAfterTheSend,
        Bug::BeginsBeforeAllAreClear,
        Bug::KeepsThePermitForARetry,
        Bug::TakesNoAnswerForYes,
        Bug::TellsTheEndBeforeTheRecordIsClosed,
        Bug::HasNoOrphanSweep,
        Bug::BelievesALookBeforeTheControl,
        Bug::FindsRecordsByTheirNamesAlone,
    ];
}
