//! The kinds, exactly as users write and read them, and the closed words of their status. No logic.

mod approval;
mod base_url;
mod cluster_provider;
mod conditions;
mod crds;
mod hold;
mod offboarding;
mod operation;
mod profile;
mod provider;
mod record;
mod rules;
mod values;
mod words;

pub use approval::{
    ApprovalDecision, ApprovedPlan, GRANT_PATTERN, OffboardingApproval, OffboardingApprovalSpec,
};
pub use cluster_provider::{ClusterOffboardingProvider, ClusterOffboardingProviderSpec};
pub use conditions::{
    Condition, ConditionType, OffboardingResult, Phase, ProviderConditionType, ProviderReason, Reason, Truth,
};
pub use crds::crds;
pub use hold::{CustomerHold, CustomerHoldSpec, HeldCustomer, HeldFrom, HeldProvider, HoldType};
pub use offboarding::{
    Blocker, Customer, CustomerOffboarding, CustomerOffboardingSpec, LastError, OffboardingStatus,
    PlanStatus, PlannedTarget, ProviderRef, REQUESTED_BY_ANNOTATION, RETRY_ANNOTATION, Regime,
    RequestDetails, RequestReason, ShortHash, Target, TargetState, TargetStatus,
};
pub use operation::{
    AccountProbe, AnswerWord, BodyTemplate, Check, ClassifyRule, Control, CursorPaging, DeleteStep,
    Expression, HeaderValueTemplate, IdempotencyKey, KeyScope, LinkPaging, Method, NextUrlPaging,
    NumberedPaging, OnUnavailable, Operation, Paginate, Presence, RequestTemplate, RequiredState,
    ValueTemplate,
};
pub use profile::{
    AuthPlacement, BasicAuth, ConditionalDelete, CustomerIdRule, Erasure, ErasureScope, ExpectedCredential,
    Finality, Guarantees, IdReuse, IntegerRange, Limits, ManualStep, Profile, ProfileLimits, VerifyRule,
    WhenPresent,
};
pub use provider::{
    Approvals, Budget, CheckOverride, ClientCertificate, Environment, IdClass, Mode, OffboardingProvider,
    OffboardingProviderSpec, ProviderKind, ProviderStatus, Tls, Verify,
};
pub use record::{
    Attempt, EarlierRequest, EarlierSend, KeptValue, OffboardingRecord, OffboardingRecordSpec,
    RecordProvider, RecordRequest, UsedApproval, UsedWaiver,
};
pub use values::{FromSecret, Moment, NotASpan, SPAN_PATTERN, SecretKeyRef, Span, Word};
pub use words::UnknownWord;
pub(crate) use words::words;
