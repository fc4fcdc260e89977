use super::*;
use crate::{
    api::{CheckOverride, HoldType, ProviderReason},
    domain::{
        Approval, CheckSeen, CheckVerdict, Effect, Facts, Next, NotPermitted, ProviderFacts, Says, Whole,
        fixtures::*, grant,
    },
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

/// An order on a customer that a check blocks, because somebody agreed that the check is passed over.
fn waived(approvals: ApprovalsSeen, policies: PolicyState) -> Result<(), Failure> {
    let (order, mut process) = ordered();
    let verdict = CheckVerdict::Blocks;
    process.seen.checks = vec![CheckSeen { name: "wallets".to_owned(), verdict, waivable: true }];
    process.seen.whole = std::sync::Arc::new(Whole {
        approvals,
        policies,
        author: Some("alice".to_owned()),
        ..Whole::unread()
    });
    let Live { plan, seen, now, send_takes } =
        Live { plan: Some(&process.plan), seen: &process.seen, now: wall(100), send_takes: TAKES };
    // What the order says of the plan is what the plan is now: only the waiver is in question.
    let ProviderSeen::Found(provider) = &process.seen.provider else { panic!("it is found") };
    let CustomerSeen::Known { reference } = &process.seen.customer else { panic!("it is known") };
    let planned =
        Planned::new(&process.plan, provider, order.mode, reference, &order.fingerprint, &process.seen);
    let order = Order {
        plan_hash: "sha256:plan".to_owned(),
        waivers: vec![UsedWaiver {
            check: "wallets".to_owned(),
            approver: "carol".to_owned(),
            uid: "of-carol".to_owned(),
            at: wall(0),
        }],
        target_hash: planned.target_hash,
        ..order
    };
    nothing_changed(&order, "hmac:credential", &Live { plan, seen, now, send_takes })
}

#[test]
fn a_blocker_that_was_passed_over_is_so_only_while_the_waiver_stands() {
    let shipped = || PolicyState::AsShipped { since: Timestamp::UNIX_EPOCH };
    let waiver_of = |person: &str, expires_at, check: &str| {
        ApprovalsSeen::Seen(vec![Approval {
            uid: format!("of-{person}"),
            approver: person.to_owned(),
            says: Says::Approve {
                plan_hash: "sha256:plan".to_owned(),
                grants: vec![format!("Waive:billing/{check}").parse().unwrap()],
                expires_at,
            },
            created_at: wall(0),
        }])
    };
    let waiver = |expires_at, check| waiver_of("carol", expires_at, check);
    let (late, soon) = (wall(3_600), wall(120));
    for (what, approvals, policies, refused) in [
        ("it stands", waiver(late, "wallets"), shipped(), None),
        ("withdrawn", ApprovalsSeen::Seen(Vec::new()), shipped(), Some(Cause::ApprovalWithdrawn)),
        (
            "it is somebody else's, whom the record does not name",
            waiver_of("dave", late, "wallets"),
            shipped(),
            Some(Cause::ApprovalWithdrawn),
        ),
        ("for another check", waiver(late, "invoices"), shipped(), Some(Cause::ApprovalWithdrawn)),
        ("it ends before the call does", waiver(soon, "wallets"), shipped(), Some(Cause::ApprovalWithdrawn)),
        ("nobody answers", ApprovalsSeen::Unread, shipped(), Some(Cause::Unread)),
        ("nobody knows the policies", waiver(late, "wallets"), PolicyState::Unanswered, Some(Cause::Unread)),
        (
            "nothing proves who waived",
            waiver(late, "wallets"),
            PolicyState::Missing(vec!["approvals".to_owned()]),
            Some(Cause::ApprovalPolicyMissing),
        ),
    ] {
        let judged = waived(approvals, policies).map_err(|failure| failure.cause);
        assert_eq!(judged, refused.map_or(Ok(()), |cause| Err(cause.into())), "{what}");
    }
}
