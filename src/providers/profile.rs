//! Profiles: checked once, compiled, and identified by a hash of everything that an approver agrees to.

mod facts;
mod hash;
mod lists;
mod operations;
mod probe;
mod problem;
mod requests;
mod rules;
mod target;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

use http::HeaderName;
use regex::Regex;

pub(crate) use problem::Problems;
pub use problem::ProfileProblem;

use super::{
    expression::Expression,
    http::{auth::Placement, classify::Rule, paginate::Paginate, request::RequestTemplate},
};
use crate::{
    api::{self, Environment, IntegerRange, KeyScope, OnUnavailable, RequiredState},
    domain::Declared,
};

/// A profile that passed every check, compiled.
///
/// Shape: exactly one destructive step, whose mode is the one that the profile supports.
#[derive(Debug)]
pub struct LoadedProfile {
    source: api::Profile,
    declared: Declared,
    id_rule: IdRule,
    pub(crate) auth: Vec<Placement>,
    pub(crate) envelope: Expression,
    pub(crate) rules: Vec<Rule>,
    pub(crate) control: Control,
    pub(crate) account: Option<Account>,
    pub(crate) presence: Presence,
    pub(crate) checks: Vec<Check>,
    pub(crate) step: Step,
}

/// One request and the rules for its answers.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) request: RequestTemplate,
    pub(crate) rules: Vec<Rule>,
}

/// The control request.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) operation: Operation,
    pub(crate) ok: Expression,
}

/// The account probe.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) operation: Operation,
    pub(crate) value: Expression,
}

/// How to look at a customer.
#[derive(Debug)]
pub(crate) struct Presence {
    pub(crate) operation: Operation,
    pub(crate) id: Expression,
    pub(crate) present: Expression,
    pub(crate) inactive: Expression,
    pub(crate) tombstoned: Expression,
    pub(crate) absent: Expression,
    pub(crate) created_at: Option<Expression>,
    pub(crate) fingerprint: Vec<Expression>,
    pub(crate) capture: Vec<(String, Expression)>,
}

/// One check.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) operation: Operation,
    pub(crate) items: Expression,
    pub(crate) empty_statuses: Vec<u16>,
    pub(crate) paginate: Paginate,
    pub(crate) block_when: Expression,
    pub(crate) on_unavailable: OnUnavailable,
    pub(crate) environments: Vec<Environment>,
    pub(crate) waivable: bool,
}

/// The destructive step.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) operation: Operation,
    pub(crate) idempotency: Option<(HeaderName, KeyScope)>,
    pub(crate) keep: Vec<(String, Expression)>,
}

/// What a customer id looks like.
#[derive(Debug)]
pub(crate) struct IdRule {
    pub(crate) pattern: Regex,
    pub(crate) integer: Option<IntegerRange>,
}

impl IdRule {
    fn accepts(&self, id: &str) -> bool {
        let is_always_refused = id.is_empty()
            || id == "."
            || id == ".."
            || id.chars().any(|c| matches!(c, '/' | '%') || c.is_control());
        !is_always_refused
            && self.pattern.is_match(id)
            && self.integer.is_none_or(|range| is_within(range, id))
    }
}

/// Whether an id is a whole number within the range, written in the one way there is: `007` and `+7` are refused.
fn is_within(range: IntegerRange, id: &str) -> bool {
    id.parse::<i64>()
        .is_ok_and(|number| number.to_string() == id && (range.min..=range.max).contains(&number))
}

/// The credentials that a profile names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialNames {
    /// Without these, nothing can be sent.
    pub required: BTreeSet<String>,
    /// Used where they are configured; none of them is in `required`.
    pub optional: BTreeSet<String>,
}

/// Checks and compiles a profile.
///
/// # Errors
/// Every problem at once, in the order of the fields; whoever wrote the profile mends it.
pub fn load(source: &api::Profile) -> Result<Arc<LoadedProfile>, Vec<ProfileProblem>> {
    let mut problems = Problems::default();
    let loaded = compile(source, &mut problems);
    match loaded {
        Some(loaded) if problems.is_empty() => Ok(Arc::new(loaded)),
        _ => Err(problems.into_vec()),
    }
}

/// `None` where anything is wrong; then there is at least one problem.
fn compile(source: &api::Profile, problems: &mut Problems) -> Option<LoadedProfile> {
    facts::inspect(source, problems);
    let id_rule = facts::id_rule(&source.customer_id, problems);
    let auth = requests::placements(&source.auth, problems);
    let mut compiler = operations::Compiler::new(source, &auth, problems);
    let envelope = compiler.envelope();
    let rules = compiler.rules();
    let control = compiler.control();
    let account = compiler.account();
    let presence = compiler.presence();
    let checks = compiler.checks();
    let step = compiler.step();
    let source = source.clone();
    let declared = facts::declared(&source, hash::hash(&source))?;
    Some(LoadedProfile {
        declared,
        id_rule: id_rule?,
        envelope: envelope?,
        rules,
        control: control?,
        account: account?,
        presence: presence?,
        checks,
        step: step?,
        source,
        auth,
    })
}

impl LoadedProfile {
    /// The profile as it was written.
    #[must_use]
    pub fn source(&self) -> &api::Profile {
        &self.source
    }

    /// What it declares about the provider.
    #[must_use]
    pub fn declared(&self) -> &Declared {
        &self.declared
    }

    /// `sha256:` and 64 hexadecimal digits, over everything but `docs`, `limits` and `verify.default`.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.declared.profile_hash
    }

    /// Whether the provider can have a customer with this id. Asked before any call.
    #[must_use]
    pub fn accepts_id(&self, id: &str) -> bool {
        self.id_rule.accepts(id)
    }

    /// The states, in the look before the intent, in which the destructive step may be sent; never empty.
    #[must_use]
    pub fn requires(&self) -> &[RequiredState] {
        self.source.delete.first().map_or(&[], |step| &step.requires)
    }

    /// The credentials that it names.
    #[must_use]
    pub fn credential_names(&self) -> CredentialNames {
        let named = |optional: bool| {
            let placements = self.auth.iter().filter(move |placement| placement.optional == optional);
            placements
                .flat_map(|placement| placement.place.names())
                .map(str::to_owned)
                .collect::<BTreeSet<_>>()
        };
        let required = named(false);
        let optional = named(true).difference(&required).cloned().collect();
        CredentialNames { required, optional }
    }
}

/// The built-in profiles: name and text.
const BUILT_IN: [(&str, &str); 2] = [
    ("juicyway", include_str!("profiles/juicyway.yaml")),
    ("revolv3", include_str!("profiles/revolv3.yaml")),
];

/// Loaded once. One that does not load is missing here, and a test fails.
static LOADED: LazyLock<BTreeMap<&'static str, Arc<LoadedProfile>>> = LazyLock::new(|| {
    let load_text = |text: &str| load(&serde_saphyr::from_str::<api::Profile>(text).ok()?).ok();
    BUILT_IN.into_iter().filter_map(|(name, text)| Some((name, load_text(text)?))).collect()
});

/// The built-in profile of this name.
#[must_use]
pub fn built_in(name: &str) -> Option<Arc<LoadedProfile>> {
    LOADED.get(name).cloned()
}

/// The names of the built-in profiles, sorted.
#[must_use]
pub fn built_in_names() -> Vec<&'static str> {
    LOADED.keys().copied().collect()
}

#[cfg(test)]
mod tests;
