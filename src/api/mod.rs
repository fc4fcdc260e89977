//! The kinds, exactly as users write and read them, and the closed words of their status. No logic.

mod conditions;
mod crds;
mod offboarding;
mod profile;
mod provider;
mod record;
mod values;
mod words;

pub use conditions::{
    Condition, ConditionType, OffboardingResult, Phase, ProviderConditionType, ProviderReason, Reason, Truth,
};
pub use crds::crds;
pub use offboarding::{
    Blocker, Customer, CustomerOffboarding, CustomerOffboardingSpec, LastError, OffboardingStatus,
    PlanStatus, PlannedTarget, ProviderRef, RETRY_ANNOTATION, RequestDetails, RequestReason, ShortHash,
    Target, TargetState, TargetStatus,
};
pub use profile::{
    AccountProbe, AnswerWord, AuthPlacement, BasicAuth, BodyTemplate, Check, ClassifyRule, ConditionalDelete,
    Control, CursorPaging, CustomerIdRule, DeleteStep, Erasure, ErasureScope, ExpectedCredential, Expression,
    Finality, Guarantees, HeaderValueTemplate, IdReuse, IdempotencyKey, IntegerRange, KeyScope, Limits,
    LinkPaging, ManualStep, Method, NextUrlPaging, NumberedPaging, OnUnavailable, Operation, Paginate,
    Presence, Profile, ProfileLimits, RequestTemplate, RequiredState, ValueTemplate, VerifyRule, WhenPresent,
};
pub use provider::{
    Approvals, CheckOverride, ClientCertificate, Environment, IdClass, Mode, OffboardingProvider,
    OffboardingProviderSpec, ProviderStatus, Tls, Verify,
};
pub use record::{
    Attempt, EarlierRequest, KeptValue, OffboardingRecord, OffboardingRecordSpec, RecordProvider,
    RecordRequest,
};
pub use values::{FromSecret, Moment, NotASpan, SPAN_PATTERN, SecretKeyRef, Span};
pub use words::UnknownWord;
pub(crate) use words::words;
