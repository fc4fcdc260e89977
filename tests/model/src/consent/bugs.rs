//! Rules about people, holds, budgets and several targets, taken away one at a time. Each must be missed.

use offboarding::domain::{Facts, Outcome, ProviderFacts};

use super::{
    brain::{Question, Reread, Unread},
    setup::Setup,
    state::{Age, Asked, Place, Policies},
};

/// A rule that is missing. The numbers are those of `reliability.md` 5.3, where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// M01
    WritesWithoutResourceVersion,
    /// M04
    JudgesApprovalsOnlyBeforeTheIntent,
    /// M05
    DoesNotReadTheRequestAgain,
    /// M06
    DoesNotReadHoldsAgain,
    /// M06
    DoesNotReadTheProviderAgain,
    /// M09: by uid, without the hash
    MatchesByUidAlone,
    /// M09: by the request's name
    MatchesByName,
    /// M24
    CountsOneApproverTwice,
    /// M24
    CountsTheRequester,
    /// M24: one more is needed where nobody knows who asked
    TrustsAnUnknownAuthor,
    /// M25: of one provider object, where another demands more
    QuorumOfOneProviderOnly,
    /// M25: of the plan, where the provider object demands more by now
    QuorumOfThePlanOnly,
    /// M26
    ChecksExpiryOnlyBeforeTheIntent,
    /// M26: an approval must hold as long as the send may take
    CountsWhatEndsDuringTheSend,
    /// M27: an attempt counts once its outcome is known
    CountsTheBudgetAfterTheSend,
    /// M27
    DoesNotCountTheBudgetAgain,
    /// M28
    BeginsBeforeAllAreClear,
    /// M29
    LeavesAPlanInputOut,
    /// M11
    SendsAfterTheDeadline,
    CountsSpentApprovals,
    TakesUnreadHoldsForNone,
    TakesUnreadApprovalsForEnough,
    DoesNotReadThePolicies,
    CountsWhatNobodyProved,
    IgnoresADenial,
    IgnoresTheCoolingOff,
    TouchesAFinishedTargetAgain,
    IgnoresTheOrder,
    /// An end is told on records that were read before the look.
    EndsWithoutReadingTheRecordsAgain,
}

impl Bug {
    pub const ALL: &'static [Bug] = &[
        Bug::WritesWithoutResourceVersion,
        Bug::JudgesApprovalsOnlyBeforeTheIntent,
        Bug::DoesNotReadTheRequestAgain,
        Bug::DoesNotReadHoldsAgain,
        Bug::DoesNotReadTheProviderAgain,
        Bug::MatchesByUidAlone,
        Bug::MatchesByName,
        Bug::CountsOneApproverTwice,
        Bug::CountsTheRequester,
        Bug::TrustsAnUnknownAuthor,
        Bug::QuorumOfOneProviderOnly,
        Bug::QuorumOfThePlanOnly,
        Bug::ChecksExpiryOnlyBeforeTheIntent,
        Bug::CountsWhatEndsDuringTheSend,
        Bug::CountsTheBudgetAfterTheSend,
        Bug::DoesNotCountTheBudgetAgain,
        Bug::BeginsBeforeAllAreClear,
        Bug::LeavesAPlanInputOut,
        Bug::SendsAfterTheDeadline,
        Bug::CountsSpentApprovals,
        Bug::TakesUnreadHoldsForNone,
        Bug::TakesUnreadApprovalsForEnough,
        Bug::DoesNotReadThePolicies,
        Bug::CountsWhatNobodyProved,
        Bug::IgnoresADenial,
        Bug::IgnoresTheCoolingOff,
        Bug::TouchesAFinishedTargetAgain,
        Bug::IgnoresTheOrder,
        Bug::EndsWithoutReadingTheRecordsAgain,
    ];

    /// The question, as a process with this bug puts it.
    pub fn mishear(self, question: Question) -> Question {
        match self {
            Bug::LeavesAPlanInputOut => {
                let people = without(question.people, |place| place.edited = false);
                Question { people, ..question }
            }
            _ => question,
        }
    }

    /// What is read after an intent, as a process with this bug reads it.
    pub fn reread_wrongly(self, reread: Reread) -> Reread {
        let mut wrong = reread;
        let people = &mut wrong.people;
        match self {
            Bug::DoesNotReadTheRequestAgain => people.asked = Asked::Standing,
            Bug::DoesNotReadHoldsAgain => people.held = 0,
            Bug::DoesNotReadTheProviderAgain => *people = without(*people, |place| place.suspended = false),
            Bug::QuorumOfThePlanOnly => *people = without(*people, |place| place.raised = false),
            Bug::LeavesAPlanInputOut => *people = without(*people, |place| place.edited = false),
            Bug::ChecksExpiryOnlyBeforeTheIntent => {
                for approval in people.approvals.iter_mut().flatten() {
                    if matches!(approval.age, Age::Ending | Age::Over) {
                        approval.age = Age::Valid;
                    }
                }
            }
            Bug::CountsWhatEndsDuringTheSend => {
                for approval in people.approvals.iter_mut().flatten() {
                    if approval.age == Age::Ending {
                        approval.age = Age::Valid;
                    }
                }
            }
            Bug::TakesUnreadApprovalsForEnough if reread.unread == Unread::Approvals => {
                wrong.unread = Unread::Nothing;
            }
            _ => {}
        }
        if self == Bug::DoesNotReadThePolicies {
            wrong.people.policies = Policies::InForce;
        }
        wrong
    }

    /// What a record says, as a process with this bug reads it.
    pub fn misread(self, facts: Facts) -> Facts {
        match (self, facts) {
            (Bug::CountsSpentApprovals, Facts::Mine(mut record)) => {
                let refused = |outcome: &Option<Outcome>| matches!(outcome, Some(Outcome::Rejected(_)));
                for attempt in record.attempts.iter_mut().filter(|attempt| refused(&attempt.outcome)) {
                    attempt.approvals.clear();
                }
                Facts::Mine(record)
            }
            (Bug::TouchesAFinishedTargetAgain, Facts::Mine(record)) if record.closed.is_some() => Facts::None,
            (_, facts) => facts,
        }
    }

    /// A provider object, as a process with this bug reads it.
    pub fn misread_provider(self, provider: &mut ProviderFacts, setup: Setup, places: [Place; 2]) {
        match self {
            Bug::QuorumOfOneProviderOnly => {
                let of_the_first = u32::from(setup.required[0]) + u32::from(places[0].raised);
                provider.demands.required = of_the_first;
            }
            Bug::IgnoresTheCoolingOff => provider.demands.cooling_off = std::time::Duration::ZERO,
            _ => {}
        }
    }

    /// How an approval stands to time, as a process with this bug sees it.
    pub fn mistime(self, age: Age) -> Age {
        match (self, age) {
            (Bug::CountsWhatNobodyProved, Age::Unproved) | (Bug::IgnoresTheCoolingOff, Age::Young) => {
                Age::Valid
            }
            (_, age) => age,
        }
    }
}

fn without(mut people: super::state::People, change: impl Fn(&mut Place)) -> super::state::People {
    people.places.iter_mut().for_each(change);
    people
}
