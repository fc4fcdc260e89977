//! What a profile declares about its provider, as plain facts for the decision.

use std::time::Duration;

use crate::api::{
    ConditionalDelete, ErasureScope, Finality, IdReuse, ManualStep, Mode, OffboardingResult, WhenPresent,
};

/// What a profile declares. Filled by `providers::profile`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// `sha256:…` over the resolved profile, without docs, limits and verify.default.
    pub profile_hash: String,
    /// The destructive step's name.
    pub step: String,
    /// The destructive call in words: method and path template.
    pub operation: String,
    /// Whether the step deactivates or deletes: the one mode that the profile supports.
    pub supports: Mode,
    /// What a deletion is here.
    pub finality: Finality,
    /// What it does, in words.
    pub effects: Vec<String>,
    /// What the provider keeps.
    pub retains: Vec<String>,
    /// How much personal data it erases.
    pub erasure: ErasureScope,
    /// How long backups keep personal data.
    pub backup_retention: Option<Duration>,
    /// What a person must do for the rest.
    pub manual_step: Option<ManualStep>,
    /// After this long, every read shows every earlier write.
    pub consistency_lag: Duration,
    /// After this long, a request that we gave up on is executed or dead.
    pub max_request_lifetime: Duration,
    /// Whether ids may be given to somebody else.
    pub id_reuse: IdReuse,
    /// Whether a deletion can be made conditional.
    pub conditional_delete: ConditionalDelete,
    /// Whether a 429 is answered before anything is done.
    pub rejects_429_before_execution: bool,
    /// What a customer that is still shown after an accepted deletion means.
    pub when_present: WhenPresent,
}

impl Declared {
    /// The result of a deletion that was verified: never more than finality, retention and erasure allow.
    #[must_use]
    pub fn result(&self) -> OffboardingResult {
        match self.finality {
            Finality::SoftDelete | Finality::Archive | Finality::DeletionRequested => {
                OffboardingResult::Deactivated
            }
            _ if self.supports == Mode::Soft => OffboardingResult::Deactivated,
            Finality::HardDelete if self.retains.is_empty() && self.erasure == ErasureScope::Full => {
                OffboardingResult::Erased
            }
            Finality::HardDelete | Finality::Redaction => OffboardingResult::ErasedWithRetention,
        }
    }
}
