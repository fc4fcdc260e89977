//! What few stories come to, word for word.

use super::*;
use crate::domain::{answer, moment};

#[test]
fn each_cause_says_what_is_the_matter_and_what_follows() {
    use Class::{Conflict, Indeterminate, Invalid, Transient};
    for (class, cause, words) in [
        (Transient, Cause::NameNotResolved, "its name cannot be resolved"),
        (Transient, Cause::AddressNotAllowed, "its name resolves to an address that is not allowed"),
        (Invalid, Cause::TemplateFailed, "the request cannot be built; mend the profile"),
        (Conflict, Cause::Held, "a hold came in between"),
        (Conflict, Cause::BudgetUsed, "the budget was used up in between"),
        (
            Indeterminate,
            Cause::UnexpectedStatus,
            "the answer cannot be interpreted; nothing is concluded from it",
        ),
    ] {
        assert_eq!(answer(&Failure::new(class, cause)), words, "{class:?} {cause:?}");
    }
}

#[test]
fn whoever_is_deactivated_is_not_said_to_be_deleted() {
    let until = moment(wall(900));
    for (telling, words) in [
        (
            told(stop(Blocked::ModeNotAllowed(ModeProblem::AlreadyInactive)), Facts::None),
            "the customer is already deactivated; deleting a deactivated customer is not supported yet"
                .to_owned(),
        ),
        (
            told(stop(refused(Class::Forbidden)), after(Some(rejected(Class::Forbidden)))).at(soft()),
            format!(
                "provider 'acme-pay' restricts deactivation (403); clear the cause there, the next try is at {until}"
            ),
        ),
        (
            ended(OffboardingResult::Failed, Reason::AttemptsExhausted, Some(unknown())),
            "three attempts did not delete the customer; ask the provider, then create another request"
                .to_owned(),
        ),
        (
            ended(OffboardingResult::Failed, Reason::AttemptsExhausted, Some(unknown())).at(soft()),
            "three attempts did not deactivate the customer; ask the provider, then create another request"
                .to_owned(),
        ),
    ] {
        assert_eq!(sentence(&telling.next, telling.about()), words);
    }
}
