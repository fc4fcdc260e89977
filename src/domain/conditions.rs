//! What each condition says, one function for each. The words come from `sentence`, so that all of them tell the same.

use super::{
    Blocked, Class, Declared, Ending, Facts, Next, Outcome, Waiting, WhyMissing,
    report::{Story, TargetStory, attempt, outcome, phase, result},
    sentence::sentence,
    several::{together, words},
};
use crate::api::{ConditionType, ErasureScope, OffboardingResult, Phase, Reason, Truth, UsedWaiver};

mod sent;

use sent::deleted;

/// What one condition says.
pub(super) struct Verdict(pub(super) Truth, pub(super) Reason, pub(super) String);

pub(super) type Reporter = fn(&Story) -> Verdict;

/// One row for each condition; every one is always present.
pub(super) const CONDITIONS: &[(ConditionType, Reporter)] = &[
    (ConditionType::Ready, ready),
    (ConditionType::Reconciling, reconciling),
    (ConditionType::Stalled, stalled),
    (ConditionType::Planned, planned),
    (ConditionType::Unblocked, unblocked),
    (ConditionType::Approved, approved),
    (ConditionType::Deleted, deleted),
    (ConditionType::Verified, verified),
    (ConditionType::DataErased, data_erased),
    (ConditionType::Waiting, waiting),
];

fn ready(story: &Story) -> Verdict {
    let told = words(story);
    let reason = match phase(story) {
        Phase::Planning | Phase::Pending => Reason::Planning,
        Phase::CoolingOff => Reason::CoolingOff,
        Phase::Blocked => Reason::Blocked,
        Phase::AwaitingApproval => Reason::AwaitingApproval,
        Phase::Executing => Reason::Executing,
        Phase::Verifying => Reason::Verifying,
        Phase::Failed => Reason::Failed,
        Phase::Completed | Phase::Cancelled => {
            return Verdict(Truth::True, result(story).map_or(Reason::Failed, result_reason), told);
        }
    };
    Verdict(Truth::False, reason, told)
}

fn result_reason(result: OffboardingResult) -> Reason {
    match result {
        OffboardingResult::Erased => Reason::Erased,
        OffboardingResult::ErasedWithRetention => Reason::ErasedWithRetention,
        OffboardingResult::Deactivated => Reason::Deactivated,
        OffboardingResult::Unverified => Reason::Unverified,
        OffboardingResult::AlreadyAbsent => Reason::AlreadyAbsent,
        OffboardingResult::Cancelled => Reason::Cancelled,
        OffboardingResult::PartiallyDone => Reason::PartiallyDone,
        OffboardingResult::Failed | OffboardingResult::Recreated => Reason::Failed,
    }
}

fn reconciling(story: &Story) -> Verdict {
    let idle = Verdict(Truth::False, Reason::Idle, "nothing is going on at the moment".to_owned());
    match story.next {
        Next::Wait(Waiting::Retry { .. }) => Verdict(Truth::True, Reason::Retrying, words(story)),
        Next::Wait(
            Waiting::Approvals(_)
            | Waiting::Held { .. }
            | Waiting::HoldsUnread
            | Waiting::CoolingOff { .. }
            | Waiting::NotBefore { .. }
            | Waiting::Budget { .. }
            | Waiting::Suspended
            | Waiting::ProviderSuspended,
        )
        | Next::Stop(_)
        | Next::Finished(_) => idle,
        Next::Do(_) | Next::Wait(_) => {
            Verdict(Truth::True, Reason::Progressing, "the operator is at it".to_owned())
        }
    }
}

/// What follows for the request, else for the first of its targets that this is told of, and in whose words.
fn first<T>(story: &Story, told: impl Fn(&Next) -> Option<T>) -> Option<(T, String)> {
    if let Some(found) = told(story.next) {
        return Some((found, words(story)));
    }
    let mut open = story.targets.iter().filter(|target| !matches!(target.next, Next::Finished(_)));
    open.find_map(|target| {
        let words = sentence(target.next, target.about());
        told(target.next).map(|found| (found, together([(target.target, words)].into_iter())))
    })
}

fn stalled(story: &Story) -> Verdict {
    match first(story, why_stalled) {
        Some((reason, words)) => Verdict(Truth::True, reason, words),
        None => Verdict(Truth::False, Reason::NotStalled, "nobody has to change an object".to_owned()),
    }
}

fn why_stalled(next: &Next) -> Option<Reason> {
    match next {
        Next::Finished(ending) => ending.is_failure().then_some(ending.because),
        Next::Stop(blocked) => match blocked {
            Blocked::Denied => Some(Reason::Denied),
            Blocked::ApprovalPolicyMissing(_) => Some(Reason::ApprovalPolicyMissing),
            Blocked::ProviderNotFound(_) => Some(Reason::ProviderNotFound),
            Blocked::ModeNotAllowed(_) => Some(Reason::ModeNotAllowed),
            Blocked::InstallationKeyLost => Some(Reason::InstallationKeyLost),
            Blocked::RecordCorrupted => Some(Reason::RecordCorrupted),
            Blocked::UnsupportedVersion => Some(Reason::UnsupportedVersion),
            Blocked::AnswerInvalid(_) => Some(Reason::ProviderAnswerInvalid),
            Blocked::Refused { failure, .. }
                if !matches!(failure.class, Class::Forbidden | Class::Conflict) =>
            {
                Some(Reason::ProviderAnswerInvalid)
            }
            Blocked::Refused { .. }
            | Blocked::Duplicate
            | Blocked::Resurrected(_)
            | Blocked::AccountChanged
            | Blocked::PlanChanged
            | Blocked::Checks(_)
            | Blocked::OneMoreWaiver(_) => None,
        },
        Next::Do(_) | Next::Wait(_) => None,
    }
}

fn planned(story: &Story) -> Verdict {
    let another = first(story, |next| match next {
        Next::Wait(Waiting::CustomerIdChanged) | Next::Stop(Blocked::PlanChanged) => {
            Some(Reason::PlanChanged)
        }
        Next::Wait(Waiting::AnotherAddress) | Next::Stop(Blocked::AccountChanged) => {
            Some(Reason::AccountChanged)
        }
        Next::Do(_) | Next::Wait(_) | Next::Stop(_) | Next::Finished(_) => None,
    });
    if let Some((reason, words)) = another {
        return Verdict(Truth::False, reason, words);
    }
    match story.next {
        _ if is_planned(story) || is_agreed_to(story) => {
            Verdict(Truth::True, Reason::PlanReady, "the customer was found and the plan is made".to_owned())
        }
        Next::Wait(Waiting::Budget { .. }) => Verdict(
            Truth::Unknown,
            Reason::Pending,
            "the plan is made when its turn comes: nobody has to agree to it".to_owned(),
        ),
        _ => Verdict(Truth::Unknown, Reason::Pending, "no plan was made".to_owned()),
    }
}

/// The customer was found in this pass, or had been when a deletion was begun or people were asked.
fn is_planned(story: &Story) -> bool {
    let asked = matches!(
        story.next,
        Next::Wait(Waiting::Approvals(_) | Waiting::CoolingOff { .. } | Waiting::NotBefore { .. })
    );
    asked
        || story.is_as_told
        || story.plan.is_some()
        || story.targets.iter().any(|target| attempt(target.facts).is_some())
}

/// Somebody agreed to the plan that is told: it was made, though a hold, say, lets nobody look now.
fn is_agreed_to(story: &Story) -> bool {
    story.approved_by.is_some_and(|people| !people.is_empty())
}

fn unblocked(story: &Story) -> Verdict {
    if let Some((reason, words)) = first(story, blocked_by) {
        return Verdict(Truth::False, reason, words);
    }
    let told = |truth, reason, words: &str| Verdict(truth, reason, words.to_owned());
    if let Some(words) = passed_over(story) {
        told(Truth::True, Reason::Waived, &words)
    } else if story.waived {
        let words = "something stands in the way, and somebody agreed that it is passed over";
        told(Truth::True, Reason::Waived, words)
    } else if is_planned(story) {
        told(Truth::True, Reason::NoBlockers, "nothing stands in the way")
    } else {
        told(Truth::Unknown, Reason::Pending, "not checked")
    }
}

/// Which checks were passed over by what was sent, and by which approval: told for as long as the request is there. Names of people
/// belong into the record alone (security.md 7).
fn passed_over(story: &Story) -> Option<String> {
    let used = story.targets.iter().flat_map(|target| {
        let attempts = match target.facts {
            Facts::Mine(record) => record.attempts.as_slice(),
            Facts::None | Facts::Unread | Facts::Unusable(_) | Facts::Theirs | Facts::Earlier(_) => &[],
        };
        let sent = attempts.iter().filter(|attempt| attempt.may_have_left());
        sent.flat_map(|attempt| &attempt.waivers).map(move |UsedWaiver { check, uid, .. }| {
            (
                target.target,
                format!("check '{check}' was passed over; who agreed stands in the record, approval {uid}"),
            )
        })
    });
    let mut used = used.peekable();
    used.peek()?;
    Some(together(used))
}

fn blocked_by(next: &Next) -> Option<Reason> {
    Some(match next {
        Next::Stop(Blocked::Checks(blockers) | Blocked::OneMoreWaiver(blockers)) => {
            let found = blockers.iter().any(|blocker| blocker.reason == Reason::BlockersFound.as_str());
            if found { Reason::BlockersFound } else { Reason::CheckFailed }
        }
        Next::Stop(Blocked::Duplicate) => Reason::Duplicate,
        Next::Stop(Blocked::Resurrected(_)) => Reason::Resurrected,
        Next::Stop(Blocked::AccountChanged) => Reason::AccountChanged,
        Next::Stop(Blocked::Refused { failure, .. }) if failure.class == Class::Forbidden => {
            Reason::ProviderRestricted
        }
        Next::Stop(Blocked::Refused { failure, .. }) if failure.class == Class::Conflict => {
            Reason::ProviderConflict
        }
        Next::Do(_) | Next::Wait(_) | Next::Stop(_) | Next::Finished(_) => return None,
    })
}

fn approved(story: &Story) -> Verdict {
    let not_yet = |reason| Verdict(Truth::False, reason, words(story));
    match story.next {
        Next::Wait(Waiting::Approvals(missing))
        | Next::Stop(Blocked::Resurrected(missing) | Blocked::Refused { approvals: Some(missing), .. }) => {
            return not_yet(why_missing(missing.why));
        }
        Next::Stop(Blocked::Denied) => return not_yet(Reason::Denied),
        Next::Stop(Blocked::ApprovalPolicyMissing(_)) => return not_yet(Reason::ApprovalPolicyMissing),
        Next::Do(_) | Next::Wait(_) | Next::Stop(_) | Next::Finished(_) => {}
    }
    match story.approved_by {
        Some([]) => not_required(),
        Some(people) => {
            let words = format!("{} agreed to exactly this plan", counted(people.len()));
            Verdict(Truth::True, Reason::QuorumReached, words)
        }
        None => Verdict(Truth::Unknown, Reason::Pending, "no plan to approve yet".to_owned()),
    }
}

fn counted(people: usize) -> String {
    if people == 1 { "1 person".to_owned() } else { format!("{people} people") }
}

fn why_missing(why: WhyMissing) -> Reason {
    match why {
        WhyMissing::Awaited => Reason::AwaitingApproval,
        WhyMissing::PlanChanged => Reason::PlanChanged,
        WhyMissing::Expired | WhyMissing::CannotHold => Reason::Expired,
        WhyMissing::SameIdentity => Reason::SameIdentity,
        WhyMissing::UnknownRequester => Reason::UnknownRequester,
        WhyMissing::Spent => Reason::Spent,
        WhyMissing::BeforePolicies => Reason::BeforePolicies,
    }
}

fn not_required() -> Verdict {
    Verdict(Truth::True, Reason::NotRequired, "the provider object requires no approval".to_owned())
}

fn verified(story: &Story) -> Verdict {
    let told = |truth, reason| Verdict(truth, reason, words(story));
    let sent = matches!(outcome(story.facts()), Some(None | Some(Outcome::Accepted | Outcome::Unknown(_))));
    match story.next {
        Next::Finished(ending) => match ending.because {
            reason @ (Reason::Absent | Reason::Tombstoned | Reason::Inactive) => told(Truth::True, reason),
            reason @ (Reason::StillPresent | Reason::Recreated) => told(Truth::False, reason),
            Reason::NotObservable => told(Truth::Unknown, Reason::NotObservable),
            _ if story.targets.iter().any(is_done) => told(Truth::Unknown, Reason::Pending),
            _ => Verdict(Truth::Unknown, Reason::Pending, "nothing was verified".to_owned()),
        },
        Next::Wait(Waiting::Control(_)) => told(Truth::Unknown, Reason::ControlFailed),
        Next::Wait(Waiting::AnotherCredential) => told(Truth::Unknown, Reason::CredentialChanged),
        Next::Wait(Waiting::Provider(_) | Waiting::AnotherAddress | Waiting::ProviderUnusable(_)) if sent => {
            told(Truth::Unknown, Reason::Indeterminate)
        }
        Next::Do(_) | Next::Wait(_) | Next::Stop(_) => {
            Verdict(Truth::Unknown, Reason::Pending, "not verified yet".to_owned())
        }
    }
}

fn is_done(target: &TargetStory) -> bool {
    matches!(target.next, Next::Finished(ending) if ending.is_success())
}

/// Of several targets those speak that keep something.
fn data_erased(story: &Story) -> Verdict {
    let Next::Finished(ending) = story.next else {
        return Verdict(Truth::Unknown, Reason::Pending, "not deleted yet".to_owned());
    };
    let each = story.targets.iter().filter_map(|target| match target.next {
        Next::Finished(ending) => Some((target.target, erased_at(*ending, target.declared))),
        Next::Do(_) | Next::Wait(_) | Next::Stop(_) => None,
    });
    let rank = |verdict: &Verdict| match verdict.0 {
        Truth::False => 0,
        Truth::Unknown => 1,
        Truth::True => 2,
    };
    let each: Vec<(&str, Verdict)> = each.collect();
    let Some(worst) = each.iter().map(|(_, verdict)| rank(verdict)).min() else {
        return erased_at(*ending, None);
    };
    let mut worst = each.into_iter().filter(|(_, verdict)| rank(verdict) == worst).collect::<Vec<_>>();
    let told = together(worst.iter().map(|(name, verdict)| (*name, verdict.2.clone())));
    let Verdict(truth, reason, own) = worst.swap_remove(0).1;
    Verdict(truth, reason, if story.targets.len() > 1 { told } else { own })
}

fn erased_at(ending: Ending, declared: Option<&Declared>) -> Verdict {
    let keeps = |declared: &Declared| match declared.retains.as_slice() {
        [] => String::new(),
        retains => format!("; the provider keeps {}", retains.join(", ")),
    };
    match (ending.result, declared) {
        (OffboardingResult::Erased, _) => {
            Verdict(Truth::True, Reason::Erased, "all personal data is erased".to_owned())
        }
        (OffboardingResult::ErasedWithRetention | OffboardingResult::Deactivated, None) => {
            let words = "the provider object is gone, and with it what its profile declares; see the record"
                .to_owned();
            Verdict(Truth::Unknown, Reason::NotDeclared, words)
        }
        (OffboardingResult::ErasedWithRetention, Some(declared)) => {
            let reason = if declared.retains.is_empty() && declared.backup_retention.is_some() {
                Reason::BackupsRetained
            } else {
                Reason::Retained
            };
            Verdict(Truth::False, reason, format!("deleted{}", keeps(declared)))
        }
        (OffboardingResult::Deactivated | OffboardingResult::Unverified, Some(declared))
            if declared.erasure != ErasureScope::Full =>
        {
            let step = declared.manual_step.as_ref().map_or(String::new(), |step| {
                format!(
                    "; to erase: {}{}",
                    step.text,
                    step.url.as_ref().map_or(String::new(), |url| format!(" ({url})"))
                )
            });
            Verdict(
                Truth::False,
                Reason::SoftDeleteOnly,
                format!("personal data was not erased{}{step}", keeps(declared)),
            )
        }
        _ => Verdict(Truth::Unknown, Reason::NotDeclared, "nothing is known about personal data".to_owned()),
    }
}

fn waiting(story: &Story) -> Verdict {
    let reason = match story.next {
        Next::Wait(waiting) => match waiting {
            Waiting::Suspended => Reason::Suspended,
            Waiting::ProviderSuspended => Reason::ProviderSuspended,
            Waiting::Held { .. } | Waiting::HoldsUnread => Reason::Held,
            Waiting::Approvals(_) => Reason::AwaitingApproval,
            Waiting::CoolingOff { .. } => Reason::CoolingOff,
            Waiting::NotBefore { .. } => Reason::NotBefore,
            Waiting::Budget { .. } => Reason::BudgetQueued,
            Waiting::Others | Waiting::Turn { .. } => Reason::OtherTargets,
            Waiting::Settling { .. } | Waiting::Lag { .. } => Reason::Settling,
            Waiting::Provider(failure)
            | Waiting::Control(failure)
            | Waiting::Check { failure, .. }
            | Waiting::Retry { last: failure, .. }
                if failure.class == Class::RateLimited =>
            {
                Reason::RateLimited
            }
            Waiting::ApiServer
            | Waiting::ProviderUnusable(_)
            | Waiting::CustomerIdUnavailable
            | Waiting::CustomerIdChanged
            | Waiting::Provider(_)
            | Waiting::Control(_)
            | Waiting::Check { .. }
            | Waiting::Retry { .. }
            | Waiting::AuthRefused { .. }
            | Waiting::AnotherAddress
            | Waiting::AnotherCredential => Reason::ProviderUnavailable,
            Waiting::Confirming { .. } | Waiting::StillThere { .. } | Waiting::SecondLook { .. } => {
                return Verdict(Truth::False, Reason::NotWaiting, "looking".to_owned());
            }
        },
        Next::Do(_) | Next::Stop(_) | Next::Finished(_) => {
            return Verdict(Truth::False, Reason::NotWaiting, "not waiting".to_owned());
        }
    };
    Verdict(Truth::True, reason, words(story))
}
