//! What an approver would agree to: the plan's hash, its inputs, and the same in words.
//!
//! ```text
//! target hash = SHA-256 of the canonical JSON of the target: name, customerRef, providerKind, providerUid, profileHash, baseUrl,
//!               account, environment, mode, dependsOn, checkOverrides, fingerprint, verdicts,
//!               approvals {required, separationOfDuties, coolingOff}
//! plan hash   = SHA-256 of the canonical JSON of {request: {uid, reason, acceptAbsent}, targets: [target hashes by name]}
//! ```
//! Nothing else: limits, budgets, `verify`, intervals, credentials and controls may change under an approval. A target that was
//! begun keeps the hash that it was begun with, so that the rest can be approved, and carried out, after it is done.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::{CheckVerdict, Facts, Fingerprint, LookWord, Observation, Plan, ProviderFacts};
use crate::api::{
    Blocker, ConditionalDelete, ErasureScope, IdReuse, Mode, OffboardingResult, PlannedTarget, ProviderKind,
    Reason, ShortHash,
};

/// A target's part of the plan, made from one observation.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// `sha256:` and 64 hex digits over everything about this target that an approver agrees to.
    pub target_hash: String,
    /// The same over what the request says for all targets.
    pub request_hash: String,
    /// Each input's short hash by name, so that a change can be named.
    pub inputs: BTreeMap<String, ShortHash>,
    /// What it says in one line.
    pub summary: String,
    /// The target as it was found.
    pub target: PlannedTarget,
    /// What is to be done to whom.
    pub mode: Mode,
    pub fingerprint: Fingerprint,
}

impl Planned {
    /// Makes the part of one target that was looked at and found.
    #[must_use]
    pub fn new(
        plan: &Plan,
        provider: &ProviderFacts,
        mode: Mode,
        customer_ref: &str,
        fingerprint: &Fingerprint,
        seen: &Observation,
    ) -> Self {
        let verdicts: BTreeMap<&str, &str> =
            seen.checks.iter().map(|check| (check.name.as_str(), check.verdict.word())).collect();
        let mut target = known_without_a_look(plan, provider, mode, customer_ref);
        target["fingerprint"] = json!(fingerprint.0);
        target["verdicts"] = json!(verdicts);
        Self {
            target_hash: format!("sha256:{}", sha256(&target.to_string())),
            request_hash: format!("sha256:{}", sha256(&request(plan).to_string())),
            inputs: short_hashes(&prefix(plan), &target),
            summary: summary(plan, provider),
            target: planned_target(plan, provider, mode, seen),
            mode,
            fingerprint: fingerprint.clone(),
        }
    }
}

/// Those inputs of a target that need no look, by name: where none of them is another than in a plan that was told, that plan
/// may still be the one.
#[must_use]
pub fn inputs_without_a_look(
    plan: &Plan,
    provider: &ProviderFacts,
    mode: Mode,
    customer_ref: &str,
) -> BTreeMap<String, ShortHash> {
    let mut inputs = short_hashes(&prefix(plan), &known_without_a_look(plan, provider, mode, customer_ref));
    inputs.extend(short_hashes("request", &request(plan)));
    inputs
}

fn known_without_a_look(plan: &Plan, provider: &ProviderFacts, mode: Mode, customer_ref: &str) -> Value {
    json!({
        "name": plan.target,
        "customerRef": customer_ref,
        "providerKind": provider.kind.as_str(),
        "providerUid": provider.uid,
        "profileHash": provider.declared.profile_hash,
        "baseUrl": provider.base_url,
        "account": provider.account,
        "environment": provider.environment.as_str(),
        "mode": mode.as_str(),
        "dependsOn": plan.depends_on,
        "checkOverrides": provider.checks,
        "approvals": {
            "required": provider.demands.required,
            "separationOfDuties": provider.demands.separation_of_duties,
            "coolingOff": provider.demands.cooling_off.as_secs(),
        },
    })
}

fn prefix(plan: &Plan) -> String {
    format!("provider/{}", plan.target)
}

fn request(plan: &Plan) -> Value {
    json!({
        "uid": plan.request_uid,
        "reason": plan.reason.map(|reason| reason.as_str()),
        "acceptAbsent": plan.accept_absent,
    })
}

/// The whole plan: every target's part.
#[derive(Clone, Debug, PartialEq)]
pub struct WholePlan {
    /// `sha256:` and 64 hex digits over everything that an approver agrees to.
    pub hash: String,
    pub inputs: BTreeMap<String, ShortHash>,
    /// How many approvals it needs.
    pub required_approvals: u32,
    /// Each target by name, in that order; `None` for one that was begun and keeps what was told of it.
    pub targets: Vec<(String, Option<Planned>)>,
}

/// A target's part of the plan hash.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Found a moment ago.
    Fresh(Box<Planned>),
    /// Begun or done: it keeps this hash.
    Kept(String),
}

impl Part {
    /// The part that a record keeps: of its last attempt that may matter, or that nothing had to be done.
    #[must_use]
    pub fn kept(plan: &Plan, facts: &Facts) -> Option<Self> {
        let Facts::Mine(record) = facts else { return None };
        match (record.last(), record.closed) {
            (Some(attempt), closed) if closed.is_some() || attempt.may_matter() => {
                Some(Part::Kept(attempt.target_hash.clone()))
            }
            (None, Some(closed)) => Some(Part::done(plan, &record.account, closed.result)),
            (Some(_) | None, _) => None,
        }
    }

    /// The part of a target that nothing is to be done at.
    #[must_use]
    pub fn done(plan: &Plan, account: &str, result: OffboardingResult) -> Self {
        let done = json!({ "name": plan.target, "account": account, "result": result.as_str() });
        Part::Kept(format!("sha256:{}", sha256(&done.to_string())))
    }
}

impl WholePlan {
    /// Puts the parts together. `plans` and `parts` are of the same targets, by name.
    #[must_use]
    pub fn new(plans: &[&Plan], parts: Vec<Part>, required_approvals: u32) -> Option<Self> {
        let request = request(plans.first()?);
        let hashes: Vec<&str> = parts
            .iter()
            .map(|part| match part {
                Part::Fresh(planned) => planned.target_hash.as_str(),
                Part::Kept(hash) => hash,
            })
            .collect();
        let hash = plan_hash(&request, &hashes);
        let mut inputs = short_hashes("request", &request);
        let mut targets = Vec::with_capacity(parts.len());
        for (plan, part) in plans.iter().zip(parts) {
            let planned = match part {
                Part::Fresh(planned) => {
                    inputs.extend(planned.inputs.clone());
                    Some(*planned)
                }
                Part::Kept(_) => None,
            };
            targets.push((plan.target.clone(), planned));
        }
        Some(Self { hash, inputs, required_approvals, targets })
    }
}

fn plan_hash(request: &Value, target_hashes: &[&str]) -> String {
    format!("sha256:{}", sha256(&json!({ "request": request, "targets": target_hashes }).to_string()))
}

/// `serde_json` sorts keys and writes no white space; keys are ASCII and numbers whole, so that is RFC 8785.
fn sha256(canonical: &str) -> String {
    HEXLOWER.encode(digest(&SHA256, canonical.as_bytes()).as_ref())
}

fn short_hashes(prefix: &str, fields: &Value) -> BTreeMap<String, ShortHash> {
    let fields = fields.as_object().into_iter().flatten();
    fields
        .map(|(name, value)| {
            let mut hash = sha256(&value.to_string());
            hash.truncate(8);
            (format!("{prefix}.{name}"), ShortHash(hash))
        })
        .collect()
}

fn summary(plan: &Plan, provider: &ProviderFacts) -> String {
    let declared = &provider.declared;
    let does = match declared.result() {
        OffboardingResult::Deactivated => "deactivates",
        OffboardingResult::Erased => "erases",
        _ => "deletes",
    };
    let keeps = if declared.retains.is_empty() {
        String::new()
    } else {
        format!("; keeps {}", declared.retains.join(", "))
    };
    let of_cluster = match provider.kind {
        ProviderKind::OffboardingProvider => "",
        ProviderKind::ClusterOffboardingProvider => "ClusterOffboardingProvider, ",
    };
    let unattended = if provider.demands.required == 0 { "; no approval is required" } else { "" };
    format!(
        "{}: {} at {} ({of_cluster}{}, account {}), {does}{keeps}; nothing is exported{unattended}",
        plan.target, declared.operation, provider.name, provider.environment, provider.account
    )
}

fn planned_target(plan: &Plan, provider: &ProviderFacts, mode: Mode, seen: &Observation) -> PlannedTarget {
    let declared = &provider.declared;
    PlannedTarget {
        name: plan.target.clone(),
        provider: provider.name.clone(),
        mode: Some(mode),
        operation: declared.operation.clone(),
        account: provider.account.clone(),
        environment: provider.environment,
        found: seen.look.as_ref().map_or(LookWord::Indeterminate, |look| look.word()).to_string(),
        blockers: blockers(seen),
        effects: declared.effects.clone(),
        retains: declared.retains.clone(),
        finality: declared.finality,
        risks: risks(provider, seen),
    }
}

/// What stands in the way, check by check.
#[must_use]
pub fn blockers(seen: &Observation) -> Vec<Blocker> {
    let reason = |verdict: &CheckVerdict| match verdict {
        CheckVerdict::Blocks => Some(Reason::BlockersFound),
        CheckVerdict::Failed(_) => Some(Reason::CheckFailed),
        CheckVerdict::Clear | CheckVerdict::Unanswered(_) | CheckVerdict::Ignored => None,
    };
    let found = seen.checks.iter().filter_map(|check| Some((check.name.clone(), reason(&check.verdict)?)));
    found.map(|(check, reason)| Blocker { check, reason: reason.to_string() }).collect()
}

fn risks(provider: &ProviderFacts, seen: &Observation) -> Vec<String> {
    let declared = &provider.declared;
    let mut risks = Vec::new();
    if declared.conditional_delete == ConditionalDelete::None {
        match declared.id_reuse {
            IdReuse::Never => {}
            IdReuse::Unknown => risks.push(
                "the provider does not say whether ids are used again, and cannot be asked to delete only if unchanged"
                    .to_owned(),
            ),
            IdReuse::Possible => risks.push(
                "the provider may give this id to somebody else, and cannot be asked to delete only if unchanged"
                    .to_owned(),
            ),
        }
    }
    if declared.erasure != ErasureScope::Full {
        risks.push("personal data is not erased completely; see retains".to_owned());
        // Its address is told when it is time; with it, it might be longer than a status may be.
        risks.extend(
            declared
                .manual_step
                .as_ref()
                .map(|step| format!("what is left is for a person to do: {}", step.text)),
        );
    }
    for check in &seen.checks {
        match check.verdict {
            CheckVerdict::Ignored => {
                risks.push(format!("check {} is ignored by the provider object", check.name))
            }
            CheckVerdict::Unanswered(_) => risks.push(format!("check {} could not be answered", check.name)),
            CheckVerdict::Clear | CheckVerdict::Blocks | CheckVerdict::Failed(_) => {}
        }
    }
    risks
}

#[cfg(test)]
mod tests;
