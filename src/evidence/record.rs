//! The life of a record: first intent, further attempts, outcomes, the end. Pure: every step takes a stored spec and returns
//! the one to store. What is read from a record is parsed here, and nowhere else.

use std::{collections::BTreeMap, str::FromStr};

use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

use super::Keys;
use crate::{
    api::{
        Attempt as StoredAttempt, EarlierRequest, EarlierSend, KeptValue, OffboardingRecordSpec,
        OffboardingResult, Reason, RecordProvider, RecordRequest, UsedApproval, UsedWaiver,
    },
    domain::{
        Attempt, Cause, CauseWord, Class, Closed, Earlier, Ending, Facts, Failure, Fingerprint, Outcome,
        OutcomeWord, Record, RecordProblem, Sent,
    },
};

/// How many earlier requests a record keeps.
const MOST_EARLIER: usize = 10;

/// What an intent says; everything that the process chooses or has seen.
#[derive(Clone, Debug)]
pub struct Intent {
    pub request: RecordRequest,
    pub provider: RecordProvider,
    pub account: String,
    pub customer_ref: String,
    pub sealed_id: String,
    /// Drawn at random by this process.
    pub attempt_id: String,
    /// This process.
    pub by: String,
    pub step: String,
    pub plan_hash: String,
    /// This target's part of it.
    pub target_hash: String,
    pub profile_hash: String,
    pub fingerprint: String,
    pub credential: String,
    /// The approvals that it stands on.
    pub approvals: Vec<UsedApproval>,
    /// The checks that are passed over, and who agreed to that.
    pub waivers: Vec<UsedWaiver>,
    pub at: Timestamp,
}

/// Writes an intent: the first one of a new record, the next one of this request, or the first one of a later request.
#[must_use]
pub fn with_intent(
    stored: Option<&OffboardingRecordSpec>,
    intent: &Intent,
    keys: &Keys,
) -> OffboardingRecordSpec {
    let mut spec =
        for_request(stored, &intent.request, &intent.provider, &intent.account, &intent.customer_ref, keys);
    let n = last_attempt(stored) + 1;
    let count = fold_not_sent(&mut spec.attempts);
    leave_behind(&mut spec.attempts);
    spec.sealed_id = Some(intent.sealed_id.clone());
    spec.day = Some(intent.at.to_zoned(TimeZone::UTC).date().to_string());
    spec.attempts.push(StoredAttempt {
        n,
        id: intent.attempt_id.clone(),
        by: intent.by.clone(),
        count,
        step: intent.step.clone(),
        plan_hash: intent.plan_hash.clone(),
        target_hash: intent.target_hash.clone(),
        profile_hash: intent.profile_hash.clone(),
        fingerprint: intent.fingerprint.clone(),
        base_url: intent.provider.base_url.clone(),
        environment: intent.provider.environment,
        credential: intent.credential.clone(),
        approvals: intent.approvals.clone(),
        waivers: intent.waivers.clone(),
        intent_at: intent.at,
        sent_at: None,
        answered_at: None,
        outcome: None,
        class: None,
        reason: None,
        http_status: None,
        request_id: None,
        keep: BTreeMap::new(),
        unknown: BTreeMap::new(),
    });
    spec
}

/// The record as it begins for a request, without an attempt: as it is stored where it is this request's already, else with the
/// earlier one in its history. Closed like this, it is the record of a customer that was not there.
#[must_use]
pub fn for_request(
    stored: Option<&OffboardingRecordSpec>,
    request: &RecordRequest,
    provider: &RecordProvider,
    account: &str,
    customer_ref: &str,
    keys: &Keys,
) -> OffboardingRecordSpec {
    let fresh = OffboardingRecordSpec {
        closed: false,
        day: None,
        key_id: keys.id().to_owned(),
        account: account.to_owned(),
        customer_ref: customer_ref.to_owned(),
        sealed_id: None,
        request: request.clone(),
        provider: provider.clone(),
        attempts: Vec::new(),
        result: None,
        closed_because: None,
        retains: Vec::new(),
        waiting_for: None,
        closed_at: None,
        history: Vec::new(),
        earlier_requests: 0,
        trace_id: None,
        mac: String::new(),
        unknown: BTreeMap::new(),
    };
    let Some(stored) = stored else { return fresh };
    if stored.request.uid == request.uid {
        return OffboardingRecordSpec { provider: provider.clone(), ..stored.clone() };
    }
    let mut history = stored.history.clone();
    history.push(EarlierRequest {
        request: stored.request.clone(),
        base_url: stored.provider.base_url.clone(),
        environment: stored.provider.environment,
        result: stored.result.clone().unwrap_or_default(),
        closed_because: stored.closed_because.clone(),
        last_attempt: last_attempt(Some(stored)),
        sends: stored.attempts.iter().filter_map(as_send).collect(),
        closed_at: stored.closed_at,
        unknown: BTreeMap::new(),
    });
    let superfluous = history.len().saturating_sub(MOST_EARLIER);
    history.drain(..superfluous);
    OffboardingRecordSpec {
        history,
        earlier_requests: stored.earlier_requests + 1,
        day: stored.day.clone(),
        unknown: stored.unknown.clone(),
        ..fresh
    }
}

/// Number of the last attempt on a customer, whichever request made it; 0 where there was none.
fn last_attempt(stored: Option<&OffboardingRecordSpec>) -> i64 {
    let Some(stored) = stored else { return 0 };
    let earlier = stored.history.iter().map(|earlier| earlier.last_attempt);
    stored.attempts.iter().map(|attempt| attempt.n).chain(earlier).max().unwrap_or(0)
}

/// Everything that a budget counts: what this customer's requests sent, or may have sent.
pub fn sends(stored: &OffboardingRecordSpec) -> impl Iterator<Item = EarlierSend> {
    let earlier = stored.history.iter().flat_map(|earlier| earlier.sends.iter().cloned());
    stored.attempts.iter().filter_map(as_send).chain(earlier)
}

fn as_send(attempt: &StoredAttempt) -> Option<EarlierSend> {
    let may_have_left = attempt.outcome.as_deref() != Some(OutcomeWord::NotSent.as_str());
    let at = attempt.sent_at.unwrap_or(attempt.intent_at);
    may_have_left.then(|| EarlierSend { id: attempt.id.clone(), at })
}

/// Takes a trailing attempt that was never sent away; the next one stands for it, too.
fn fold_not_sent(attempts: &mut Vec<StoredAttempt>) -> i64 {
    let not_sent =
        |attempt: &StoredAttempt| attempt.outcome.as_deref() == Some(OutcomeWord::NotSent.as_str());
    match attempts.last() {
        Some(last) if not_sent(last) => attempts.pop().map_or(1, |folded| folded.count + 1),
        _ => 1,
    }
}

/// What became of the attempt before is not known, and nobody will know it: a further one follows only when it is settled.
fn leave_behind(attempts: &mut [StoredAttempt]) {
    if let Some(last) = attempts.last_mut().filter(|last| last.outcome.is_none()) {
        last.outcome = Some(OutcomeWord::Unknown.to_string());
        last.class = Some(Class::Transient.to_string());
        last.reason = Some(Cause::OutcomeUnknown.to_string());
    }
}

/// Writes down what became of an attempt; `None` where there is nothing to write: it is not the last one of an open record,
/// or what is stored is at least as certain. An outcome never moves back.
#[must_use]
pub fn with_outcome(
    stored: &OffboardingRecordSpec,
    attempt_id: &str,
    sent: &Sent,
    now: Timestamp,
) -> Option<OffboardingRecordSpec> {
    let mut spec = stored.clone();
    let attempt = spec.attempts.last_mut().filter(|attempt| attempt.id == attempt_id)?;
    let known = attempt.outcome.as_deref().map(OutcomeWord::from_str);
    let forward = match known {
        None => true,
        Some(Ok(known)) => sent.outcome.word() > known,
        Some(Err(_)) => false,
    };
    if spec.closed || !forward {
        return None;
    }
    attempt.outcome = Some(sent.outcome.word().to_string());
    attempt.class = sent.outcome.failure().map(|failure| failure.class.to_string());
    attempt.reason = sent.outcome.failure().map(|failure| failure.cause.as_str().to_owned());
    attempt.sent_at = sent.sent_at;
    attempt.answered_at = Some(now);
    attempt.http_status = sent.http_status.map(i32::from);
    attempt.request_id.clone_from(&sent.request_id);
    attempt.keep = sent.keep.iter().map(|(name, value)| (name.clone(), KeptValue(value.clone()))).collect();
    Some(spec)
}

/// Closes a record: no more looks, so the sealed id is dropped.
#[must_use]
pub fn closed(
    stored: &OffboardingRecordSpec,
    ending: Ending,
    retains: &[String],
    now: Timestamp,
) -> OffboardingRecordSpec {
    let keeps_nothing_to_tell = matches!(
        ending.result,
        OffboardingResult::Cancelled | OffboardingResult::Failed | OffboardingResult::Recreated
    );
    OffboardingRecordSpec {
        closed: true,
        sealed_id: None,
        result: Some(ending.result.to_string()),
        closed_because: Some(ending.because.to_string()),
        retains: if keeps_nothing_to_tell { Vec::new() } else { retains.to_vec() },
        waiting_for: None,
        closed_at: Some(now),
        ..stored.clone()
    }
}

/// The spec with its MAC, ready to store.
#[must_use]
pub fn signed(mut spec: OffboardingRecordSpec, name: &str, keys: &Keys) -> OffboardingRecordSpec {
    spec.mac = keys.mac(name, &canonical(&spec));
    spec
}

/// Canonical JSON (RFC 8785: sorted keys, no white space) of the spec without its MAC.
fn canonical(spec: &OffboardingRecordSpec) -> Vec<u8> {
    let mut value = serde_json::to_value(spec).unwrap_or(Value::Null);
    if let Some(map) = value.as_object_mut() {
        map.remove("mac");
    }
    value.to_string().into_bytes()
}

/// Whether a record is a request's: the latest that it is about, or one that ended before.
#[must_use]
pub fn is_about(spec: &OffboardingRecordSpec, request_uid: &str) -> bool {
    let earlier = spec.history.iter().map(|earlier| &earlier.request);
    std::iter::once(&spec.request).chain(earlier).any(|request| request.uid == request_uid)
}

/// What a stored record says to a request; `stored` is `None` where there is no record.
#[must_use]
pub fn facts_of(stored: Option<(&str, &OffboardingRecordSpec)>, request_uid: &str, keys: &Keys) -> Facts {
    let Some((name, spec)) = stored else { return Facts::None };
    match read(name, spec, request_uid, keys) {
        Ok(facts) => facts,
        Err(problem) => Facts::Unusable(problem),
    }
}

fn read(
    name: &str,
    spec: &OffboardingRecordSpec,
    request_uid: &str,
    keys: &Keys,
) -> Result<Facts, RecordProblem> {
    if spec.key_id != keys.id() {
        return Err(RecordProblem::AnotherKey);
    }
    if spec.mac != keys.mac(name, &canonical(spec)) {
        return Err(RecordProblem::Corrupted);
    }
    let attempts: Vec<Attempt> = spec.attempts.iter().map(attempt).collect::<Result<_, _>>()?;
    if !is_contiguous(&attempts) {
        return Err(RecordProblem::Corrupted);
    }
    let ended = ended(spec)?;
    let mine = spec.request.uid == request_uid;
    if let Some(earlier) = spec.history.iter().find(|earlier| earlier.request.uid == request_uid && !mine) {
        return Ok(Facts::Mine(ended_earlier(spec, earlier)?));
    }
    Ok(match (mine, ended) {
        (false, None) => Facts::Theirs,
        (false, Some(closed)) => Facts::Earlier(newest_that_counts(spec, Some(closed))?),
        (true, closed) => Facts::Mine(Record {
            closed,
            account: spec.account.clone(),
            mode: spec.request.mode,
            earlier: Some(newest_that_counts(spec, None)?).filter(Earlier::counts),
            attempts,
            unsaved: false,
        }),
    })
}

/// The record of a request that ended before another one went on with it. It never begins again.
fn ended_earlier(spec: &OffboardingRecordSpec, earlier: &EarlierRequest) -> Result<Record, RecordProblem> {
    let result: OffboardingResult = word(&earlier.result)?;
    let because = match &earlier.closed_because {
        Some(because) => word(because)?,
        None => Reason::Failed,
    };
    let at = earlier.closed_at.ok_or(RecordProblem::Corrupted)?;
    Ok(Record {
        closed: Some(Closed { result, because, at }),
        account: spec.account.clone(),
        mode: earlier.request.mode,
        earlier: None,
        attempts: Vec::new(),
        unsaved: false,
    })
}

fn ended(spec: &OffboardingRecordSpec) -> Result<Option<Closed>, RecordProblem> {
    match (spec.closed, &spec.result, &spec.closed_because, spec.closed_at) {
        (false, ..) => Ok(None),
        (true, Some(result), Some(because), Some(at)) => {
            Ok(Some(Closed { result: word(result)?, because: word::<Reason>(because)?, at }))
        }
        (true, ..) => Err(RecordProblem::Corrupted),
    }
}

fn word<W: FromStr>(text: &str) -> Result<W, RecordProblem> {
    text.parse().map_err(|_| RecordProblem::UnsupportedVersion)
}

/// The newest ending that counts as an offboarding; where none does, one that does not.
fn newest_that_counts(
    spec: &OffboardingRecordSpec,
    closed: Option<Closed>,
) -> Result<Earlier, RecordProblem> {
    let latest = closed.map(|closed| Earlier {
        result: closed.result,
        base_url: spec.provider.base_url.clone(),
        environment: spec.provider.environment,
        closed_at: Some(closed.at),
    });
    let history = spec.history.iter().rev().map(|earlier| {
        Ok(Earlier {
            result: word(&earlier.result)?,
            base_url: earlier.base_url.clone(),
            environment: earlier.environment,
            closed_at: earlier.closed_at,
        })
    });
    let endings: Vec<Earlier> = latest.into_iter().map(Ok).chain(history).collect::<Result<_, _>>()?;
    let none = Earlier {
        result: OffboardingResult::Cancelled,
        base_url: spec.provider.base_url.clone(),
        environment: spec.provider.environment,
        closed_at: None,
    };
    Ok(endings.into_iter().find(Earlier::counts).unwrap_or(none))
}

fn attempt(stored: &StoredAttempt) -> Result<Attempt, RecordProblem> {
    Ok(Attempt {
        n: stored.n,
        id: stored.id.clone(),
        count: stored.count,
        plan_hash: stored.plan_hash.clone(),
        target_hash: stored.target_hash.clone(),
        profile_hash: stored.profile_hash.clone(),
        approvals: stored.approvals.clone(),
        waivers: stored.waivers.clone(),
        fingerprint: Fingerprint(stored.fingerprint.clone()),
        base_url: stored.base_url.clone(),
        environment: stored.environment,
        credential: stored.credential.clone(),
        intent_at: stored.intent_at,
        answered_at: stored.answered_at,
        outcome: stored.outcome.as_deref().map(|outcome| outcome_of(outcome, stored)).transpose()?,
    })
}

fn outcome_of(outcome: &str, stored: &StoredAttempt) -> Result<Outcome, RecordProblem> {
    let failure = || -> Result<Failure, RecordProblem> {
        let class: Class = word(stored.class.as_deref().ok_or(RecordProblem::Corrupted)?)?;
        let reason = stored.reason.as_deref().ok_or(RecordProblem::Corrupted)?;
        let Ok(cause) = CauseWord::from_str(reason);
        Ok(Failure::new(class, cause))
    };
    Ok(match word(outcome)? {
        OutcomeWord::NotSent => Outcome::NotSent(failure()?),
        OutcomeWord::Unknown => Outcome::Unknown(failure()?),
        OutcomeWord::Rejected => Outcome::Rejected(failure()?),
        OutcomeWord::Accepted => Outcome::Accepted,
    })
}

/// Numbers begin at one and have no gap, and only the last attempt may be without an outcome.
fn is_contiguous(attempts: &[Attempt]) -> bool {
    let counted = attempts.iter().all(|attempt| attempt.count >= 1 && attempt.n >= attempt.count);
    // Both numbers are more than nothing here: the difference is a number, too.
    let numbered = || attempts.windows(2).all(|pair| pair[1].n - pair[1].count == pair[0].n);
    let known = attempts.iter().rev().skip(1).all(|attempt| attempt.outcome.is_some());
    counted && numbered() && known
}

#[cfg(test)]
mod tests;
