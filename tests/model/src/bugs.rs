//! Rules taken away, one at a time. Each must be missed: then some history breaks a promise.

use offboarding::{
    api::{OffboardingResult, Reason},
    domain::{Attempt, Effect, Ending, Facts, Next, Outcome},
};

use super::{
    brain::{Question, Reply, Seen, last_outcome},
    shelf::Shelf,
    state::{Answer, Asked, Customer},
};

/// A rule that is missing. The numbers are those of `reliability.md` 5.3, where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// M01
    WritesWithoutResourceVersion,
    /// M02
    TakesAnOpenRecordOver,
    /// M03
    SendsBeforeTheRecordExists,
    /// M05
    DoesNotReadTheRequestAgain,
    /// M06
    DoesNotReadTheProviderAgain,
    /// M07
    DoesNotLookAgain,
    /// M08
    HasNoSettleWindow,
    /// M10
    BelievesA2xx,
    /// M11
    IgnoresTheSendDeadline,
    /// M12
    IgnoresTheLag,
    /// M13
    ClosesWhenTheRequestIsDeleted,
    /// M14
    TidiesUpForOthers,
    /// M15
    SendsAgainAfterAccepted,
    /// M16
    TakesSilenceForAbsence,
    /// M17
    SilenceDoesNotEndTheRow,
    /// M18
    TriesForEver,
    /// M20
    OpensAClosedRecordAgain,
    /// M21
    CountsTheWindowByTheWallClock,
    /// M22, without `maxRequestLifetime`
    WindowWithoutTheLifetime,
    /// M22, without `consistencyLag`
    WindowWithoutTheLag,
    /// M22, without the send deadline
    WindowWithoutTheSendDeadline,
    /// M23
    ComparesTheIdOnly,
    /// M30
    KeepsThePermitForARetry,
    /// M31: an unanswered intent is taken for a written one
    TakesNoAnswerForYes,
    /// M31: the attempt's id is derived, so the loser of a create takes the winner's attempt for its own
    DerivesTheAttemptId,
    /// M35
    TellsTheEndBeforeTheRecordIsClosed,
    /// A look with any credential proves a deletion.
    BelievesAnyCredential,
    /// A look at any base URL proves a deletion.
    BelievesAnyAddress,
    /// An end without a record is told on what was read before the look.
    EndsWithoutReadingTheRecordAgain,
    /// The live read after the intent does not see that the request is finished.
    ForgetsThatARequestIsFinished,
    /// The verify deadline is believed whatever reads can show by then.
    BelievesTheDeadlineAlone,
}

impl Bug {
    pub const ALL: &'static [Bug] = &[
        Bug::WritesWithoutResourceVersion,
        Bug::TakesAnOpenRecordOver,
        Bug::SendsBeforeTheRecordExists,
        Bug::DoesNotReadTheRequestAgain,
        Bug::DoesNotReadTheProviderAgain,
        Bug::DoesNotLookAgain,
        Bug::HasNoSettleWindow,
        Bug::BelievesA2xx,
        Bug::IgnoresTheSendDeadline,
        Bug::IgnoresTheLag,
        Bug::ClosesWhenTheRequestIsDeleted,
        Bug::TidiesUpForOthers,
        Bug::SendsAgainAfterAccepted,
        Bug::TakesSilenceForAbsence,
        Bug::SilenceDoesNotEndTheRow,
        Bug::TriesForEver,
        Bug::OpensAClosedRecordAgain,
        Bug::CountsTheWindowByTheWallClock,
        Bug::WindowWithoutTheLifetime,
        Bug::WindowWithoutTheLag,
        Bug::WindowWithoutTheSendDeadline,
        Bug::ComparesTheIdOnly,
        Bug::KeepsThePermitForARetry,
        Bug::TakesNoAnswerForYes,
        Bug::DerivesTheAttemptId,
        Bug::TellsTheEndBeforeTheRecordIsClosed,
        Bug::BelievesAnyCredential,
        Bug::BelievesAnyAddress,
        Bug::EndsWithoutReadingTheRecordAgain,
        Bug::ForgetsThatARequestIsFinished,
        Bug::BelievesTheDeadlineAlone,
    ];

    /// The question, as a process with this bug puts it.
    pub fn mishear(self, question: Question, shelf: &Shelf) -> Question {
        let mut heard = question;
        let last = |read: fn(&Attempt) -> u8| {
            let of = |kept: &super::shelf::Kept| kept.record().and_then(|record| record.last()).map(read);
            shelf.read(question.rec, of).flatten()
        };
        let about = || last(|attempt| if attempt.fingerprint.0.ends_with('2') { 2 } else { 1 });
        match self {
            Bug::HasNoSettleWindow => heard.mem.attempt_age = 2,
            Bug::CountsTheWindowByTheWallClock if question.late => heard.mem.attempt_age = 2,
            Bug::IgnoresTheLag => {
                heard.mem.present = about().unwrap_or(0);
                heard.mem.long_ago = true;
            }
            Bug::TakesSilenceForAbsence if question.seen == Seen::Silence => {
                heard.seen = Seen::Shown { customer: Customer::Absent, long_ago: false };
            }
            Bug::ComparesTheIdOnly => {
                if let Seen::Shown { customer: Customer::Second, long_ago } = question.seen
                    && about() == Some(1)
                {
                    heard.seen = Seen::Shown { customer: Customer::First, long_ago };
                }
            }
            Bug::BelievesAnyCredential => {
                let sent_with =
                    last(|attempt| attempt.credential.bytes().last().map_or(0, |digit| digit - b'0'));
                heard.place.credential = sent_with.unwrap_or(question.place.credential);
            }
            Bug::BelievesAnyAddress => heard.place.moved = false,
            Bug::BelievesTheDeadlineAlone if question.late => {
                let accepted = |attempt: &Attempt| u8::from(attempt.outcome == Some(Outcome::Accepted));
                if question.kept == Some(Answer::Accepted) || last(accepted) == Some(1) {
                    heard.mem.attempt_age = 2;
                }
            }
            _ => {}
        }
        heard
    }

    /// The record, as a process with this bug reads it.
    pub fn misread(self, facts: Facts) -> Facts {
        match (self, facts) {
            (Bug::TakesAnOpenRecordOver, Facts::Theirs) => Facts::None,
            (Bug::OpensAClosedRecordAgain, Facts::Mine(record)) if record.closed.is_some() => Facts::None,
            (_, facts) => facts,
        }
    }

    /// The decision, as a process with this bug takes it.
    pub fn misjudge(
        self,
        reply: Reply,
        question: &Question,
        facts: &Facts,
        success: OffboardingResult,
    ) -> Reply {
        let next = |next| Reply { next, wants_a_look: false, ..reply.clone() };
        let close = |result, because| next(Next::Do(Effect::Close(Ending { result, because })));
        match (self, last_outcome(facts)) {
            (Bug::BelievesA2xx, Some(Some(Outcome::Accepted))) => close(success, Reason::Absent),
            (Bug::ClosesWhenTheRequestIsDeleted, Some(_)) if question.asked == Asked::Deleted => {
                close(OffboardingResult::Cancelled, Reason::Cancelled)
            }
            (Bug::SilenceDoesNotEndTheRow, _) if question.seen == Seen::Silence => {
                let mut reply = reply;
                (reply.mem.gone, reply.mem.gone_age) = (question.mem.gone, question.mem.gone_age);
                reply
            }
            _ => reply,
        }
    }
}
