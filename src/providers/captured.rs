//! What a look captured for later requests of the same pass. In memory only: it may be personal data.

use std::{collections::BTreeMap, fmt};

use super::expression::Scalar;
use crate::domain::LookWord;

/// What one look captured: `vars.*` and `prior` of later expressions and templates. Prints names only.
///
/// Shape: one value for each name in `presence.capture` whose expression gave a text, a whole number or a truth value; any
/// other name is left out, so that what needs it fails.
#[derive(Clone, Default, PartialEq)]
pub struct Captured {
    vars: BTreeMap<String, Scalar>,
    prior: Option<(LookWord, u16)>,
}

impl Captured {
    /// Nothing is captured: there was no look.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    pub(crate) fn of_look(vars: BTreeMap<String, Scalar>, state: LookWord, status: u16) -> Self {
        Self { vars, prior: Some((state, status)) }
    }

    pub(crate) fn vars(&self) -> impl Iterator<Item = (&str, &Scalar)> {
        self.vars.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The look's verdict and HTTP status.
    pub(crate) fn prior(&self) -> Option<(LookWord, u16)> {
        self.prior
    }

    /// A captured value as text, for a request; `None` where it was not captured or is empty.
    pub(crate) fn as_text(&self, name: &str) -> Option<String> {
        let text = match self.vars.get(name)? {
            Scalar::Text(text) => text.clone(),
            Scalar::Whole(whole) => whole.to_string(),
            Scalar::Truth(truth) => truth.to_string(),
            Scalar::Number(_) | Scalar::Null => return None,
        };
        (!text.is_empty()).then_some(text)
    }
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captured").field("names", &self.vars.keys()).finish_non_exhaustive()
    }
}
