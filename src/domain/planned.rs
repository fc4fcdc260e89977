//! What an approver would agree to: the plan's hash, its inputs, and the same in words.

use std::collections::BTreeMap;

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::{CheckVerdict, LookWord, Observation, Plan, ProviderFacts};
use crate::api::{
    Blocker, ConditionalDelete, ErasureScope, IdReuse, Mode, OffboardingResult, PlannedTarget, ProviderKind,
    Reason, ShortHash,
};

/// A plan that was made from one observation.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// `sha256:` and 64 hex digits over the canonical JSON (RFC 8785) of everything that an approver agrees to.
    pub hash: String,
    /// The same over the target alone.
    pub target_hash: String,
    /// Each input's short hash by name, so that a change can be named.
    pub inputs: BTreeMap<String, ShortHash>,
    /// How many approvals it needs.
    pub required_approvals: u32,
    /// One line for each target.
    pub summary: Vec<String>,
    /// The target as it was found.
    pub target: PlannedTarget,
}

impl Planned {
    /// Makes the plan of one target that was looked at.
    ///
    /// The hash covers the request (uid, reason, acceptAbsent) and the target (name, customer, provider kind and uid, profile,
    /// base URL, account, environment, mode, order, check overrides, fingerprint, verdicts, what approval demands): nothing
    /// else, so limits, intervals, credentials and controls may change under an approval.
    #[must_use]
    pub fn new(
        plan: &Plan,
        provider: &ProviderFacts,
        mode: Mode,
        customer_ref: &str,
        fingerprint: &str,
        seen: &Observation,
    ) -> Self {
        let request = json!({
            "uid": plan.request_uid,
            "reason": plan.reason.map(|reason| reason.as_str()),
            "acceptAbsent": plan.accept_absent,
        });
        let verdicts: BTreeMap<&str, &str> =
            seen.checks.iter().map(|check| (check.name.as_str(), check.verdict.word())).collect();
        let target = json!({
            "name": plan.target,
            "customerRef": customer_ref,
            "providerKind": provider.kind.as_str(),
            "providerUid": provider.uid,
            "profileHash": provider.declared.profile_hash,
            "baseUrl": provider.base_url,
            "account": provider.account,
            "environment": provider.environment.as_str(),
            "mode": mode.as_str(),
            "dependsOn": [],
            "checkOverrides": provider.checks,
            "fingerprint": fingerprint,
            "verdicts": verdicts,
            "approvals": {
                "required": provider.approvals_required,
                "separationOfDuties": provider.separation_of_duties,
                "coolingOff": 0,
            },
        });
        let mut inputs = short_hashes("request", &request);
        inputs.extend(short_hashes(&format!("provider/{}", plan.target), &target));
        let hash = sha256(&json!({ "request": request, "targets": [&target] }).to_string());
        Self {
            hash: format!("sha256:{hash}"),
            target_hash: format!("sha256:{}", sha256(&target.to_string())),
            inputs,
            required_approvals: provider.approvals_required,
            summary: vec![summary(plan, provider)],
            target: planned_target(plan, provider, seen),
        }
    }
}

/// `serde_json` sorts keys and writes no white space; keys are ASCII and numbers whole, so that is RFC 8785.
fn sha256(canonical: &str) -> String {
    digest(&SHA256, canonical.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
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
    let unattended = if provider.approvals_required == 0 { "; no approval is required" } else { "" };
    format!(
        "{}: {} at {} ({of_cluster}{}, account {}), {does}{keeps}; nothing is exported{unattended}",
        plan.target, declared.operation, provider.name, provider.environment, provider.account
    )
}

fn planned_target(plan: &Plan, provider: &ProviderFacts, seen: &Observation) -> PlannedTarget {
    let declared = &provider.declared;
    PlannedTarget {
        name: plan.target.clone(),
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
