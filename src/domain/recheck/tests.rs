use super::*;
use crate::{
    api::{CheckOverride, HoldType, ProviderReason},
    domain::{Effect, Facts, Next, NotPermitted, ProviderFacts, fixtures::*, grant},
};

/// An order, and everything as it was when it was given.
fn ordered() -> (Order, Process) {
    let mut process = Process::new(Facts::None);
    let Next::Do(Effect::Delete(order)) = process.turn(0, same()) else { panic!("the gates are open") };
    process.seen.look = Some(same());
    (*order, process)
}

fn live(change: impl FnOnce(&mut Process)) -> Result<(), Failure> {
    let (order, mut process) = ordered();
    change(&mut process);
    judged(&order, &process)
}

fn judged(order: &Order, process: &Process) -> Result<(), Failure> {
    let live = Live { plan: Some(&process.plan), seen: &process.seen, now: wall(1), send_takes: TAKES };
    nothing_changed(order, "hmac:credential", &live)
}

/// How long a send may take: as long must an approval still hold.
const TAKES: Duration = Duration::from_secs(35);

fn with_provider(change: impl FnOnce(&mut ProviderFacts)) -> impl FnOnce(&mut Process) {
    |process| {
        let mut provider = process.provider.clone();
        change(&mut provider);
        process.seen.provider = ProviderSeen::Found(Box::new(provider));
    }
}

#[test]
fn a_send_is_permitted_only_while_everything_is_as_it_was_ordered() {
    assert_eq!(live(|_| {}), Ok(()));
    type Change = Box<dyn FnOnce(&mut Process)>;
    let changes: Vec<(Change, Cause)> = vec![
        (Box::new(|process| process.plan.wish = Wish::Suspended), Cause::RequestSuspended),
        (Box::new(|process| process.plan.wish = Wish::Withdrawn), Cause::RequestWithdrawn),
        (Box::new(|process| process.plan.request_uid = "uid-2".to_owned()), Cause::PlanChanged),
        (Box::new(|process| process.plan.accept_absent = true), Cause::PlanChanged),
        (Box::new(|process| process.plan.not_before = Some(wall(2))), Cause::NotYet),
        (Box::new(|process| process.seen.budget = BudgetSeen::Full { until: None }), Cause::BudgetUsed),
        (Box::new(|process| process.seen.budget = BudgetSeen::Unread), Cause::Unread),
        (Box::new(|process| process.seen.hold = HoldSeen::Unread), Cause::Unread),
        (
            Box::new(|process| {
                let name = "case-7".to_owned();
                process.seen.hold = HoldSeen::By { name, kind: HoldType::Freeze, until: None };
            }),
            Cause::Held,
        ),
        (Box::new(|process| process.seen.provider = ProviderSeen::NotFound), Cause::ProviderChanged),
        (
            Box::new(|process| process.seen.provider = ProviderSeen::Unusable(ProviderReason::AuthFailed)),
            Cause::ProviderChanged,
        ),
        (Box::new(with_provider(|provider| provider.suspended = true)), Cause::ProviderSuspended),
        (Box::new(with_provider(|provider| provider.uid = "provider-2".to_owned())), Cause::PlanChanged),
        (
            Box::new(with_provider(|provider| provider.base_url = "https://x.example".to_owned())),
            Cause::PlanChanged,
        ),
        (Box::new(with_provider(|provider| provider.demands.required = 1)), Cause::PlanChanged),
        (
            Box::new(with_provider(|provider| {
                provider.checks.insert("wallets".to_owned(), CheckOverride::Ignore);
            })),
            Cause::PlanChanged,
        ),
        (Box::new(with_provider(|provider| provider.allowed_modes.clear())), Cause::ProviderChanged),
        (Box::new(|process| process.seen.credential = Some("hmac:x".to_owned())), Cause::CredentialChanged),
        (Box::new(|process| process.seen.credential = None), Cause::Unread),
        (Box::new(|process| process.seen.customer = CustomerSeen::SecretUnavailable), Cause::Unread),
        (
            Box::new(|process| {
                process.seen.customer = CustomerSeen::Known { reference: "hmac:another".to_owned() };
            }),
            Cause::PlanChanged,
        ),
        (Box::new(|process| process.seen.look = Some(another())), Cause::CustomerChanged),
        (Box::new(|process| process.seen.look = Some(Look::Absent)), Cause::CustomerChanged),
        (Box::new(|process| process.seen.look = Some(Look::Tombstoned)), Cause::CustomerChanged),
        (
            Box::new(|process| process.seen.look = Some(Look::Inactive(fingerprint("first")))),
            Cause::CustomerChanged,
        ),
        (Box::new(|process| process.seen.look = Some(Look::Unknown(transient()))), Cause::ServerError),
        (Box::new(|process| process.seen.look = None), Cause::Unread),
    ];
    for (change, cause) in changes {
        assert_eq!(live(change).map_err(|failure| failure.cause), Err(cause.into()));
    }
    let (order, process) = ordered();
    let unread = nothing_changed(
        &order,
        "hmac:credential",
        &Live { plan: None, seen: &process.seen, now: wall(1), send_takes: TAKES },
    );
    assert_eq!(unread.map_err(|failure| failure.cause), Err(Cause::Unread.into()));
}

#[test]
fn what_does_not_matter_to_the_plan_does_not_stop_a_send() {
    assert_eq!(live(with_provider(|provider| provider.confirmations = 3)), Ok(()));
    assert_eq!(live(with_provider(|provider| provider.name = "renamed".to_owned())), Ok(()));
}

#[test]
fn the_permit_ends_with_the_send_deadline_and_two_seconds_before_the_lease() {
    let (late, lost) = (Err(NotPermitted::DeadlinePassed), Err(NotPermitted::LeaseLost));
    for (since_intent, lease_left, granted) in [
        (0, 10_000, Ok(())),
        (29, 10_000, Ok(())),
        (30, 10_000, late),
        (31, 10_000, late),
        (3_600, 0, late), // what is too late stays so, whoever leads
        (0, 2_000, Ok(())),
        (0, 1_999, lost),
        (29, 0, lost),
    ] {
        let (seconds, millis) = (std::time::Duration::from_secs, std::time::Duration::from_millis);
        let permit = grant(seconds(since_intent), seconds(30), millis(lease_left));
        assert_eq!(
            permit.map(|_| ()),
            granted,
            "{since_intent} s since the intent, {lease_left} ms of lease"
        );
    }
}
