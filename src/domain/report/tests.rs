use std::collections::BTreeSet;

use super::*;
use crate::{
    api::{Blocker, ErasureScope, Finality, HoldType, ManualStep, ProviderKind, ProviderReason},
    domain::{
        About, Cause, CauseWord, Class, Demands, Ending, Fingerprint, Missing, ModeProblem, Moment, Order,
        Part, Planned, ProviderFacts, RecordProblem, WhyMissing, fixtures::*, sentence,
    },
};

mod golden;
mod several;
mod table;
mod words;

use table::table;

/// A status, told of one decision.
struct Telling {
    next: Next,
    facts: Facts,
    provider: ProviderFacts,
    planned: bool,
    approved_by: Option<Vec<UsedApproval>>,
    waived: bool,
    due: Option<Timestamp>,
}

fn told(next: Next, facts: Facts) -> Telling {
    let approved_by = super::attempt(&facts).map(|_| Vec::new());
    Telling { next, facts, provider: hard(), planned: false, approved_by, waived: false, due: None }
}

impl Telling {
    fn planned(self) -> Self {
        let approved_by = (self.provider.demands.required == 0).then(Vec::new);
        Self { planned: true, approved_by, ..self }
    }

    /// Two people agreed.
    fn approved(self) -> Self {
        let used = |approver: &str| UsedApproval {
            approver: approver.to_owned(),
            uid: format!("approval-of-{approver}"),
            at: wall(0),
        };
        Self { approved_by: Some(vec![used("bob"), used("carol")]), ..self }
    }

    fn waived(self) -> Self {
        Self { waived: true, ..self }
    }

    fn due(self, at: Timestamp) -> Self {
        Self { due: Some(at), ..self }
    }

    fn at(self, provider: ProviderFacts) -> Self {
        let mut facts = self.facts;
        if let Facts::Mine(record) = &mut facts {
            record.mode = provider.declared.supports;
        }
        Self { provider, facts, ..self }
    }

    fn status(&self, previous: &OffboardingStatus, now: Moment) -> OffboardingStatus {
        let process = Process::new(self.facts.clone());
        let (mode, print) = (self.provider.declared.supports, &fingerprint("first"));
        let planned =
            Planned::new(&process.plan, &self.provider, mode, "hmac:customer", print, &process.seen);
        let parts = vec![Part::Fresh(Box::new(planned))];
        let plan = WholePlan::new(&[&process.plan], parts, self.provider.demands.required);
        let declared = Some(self.provider.declared.as_ref());
        let target = TargetStory {
            target: "billing",
            provider: "acme-pay",
            facts: &self.facts,
            next: &self.next,
            declared,
            is_found: self.planned,
            customer_ref: Some("hmac:customer"),
            record: Some("r-1"),
        };
        let story = Story {
            targets: vec![target],
            speaker: 0,
            next: &self.next,
            plan: plan.as_ref().filter(|_| self.planned),
            approved_by: self.approved_by.as_deref(),
            waived: self.waived,
            is_as_told: false,
            due: self.due,
        };
        report(&story, 1, previous, now.wall)
    }

    fn about(&self) -> About<'_> {
        About { provider: "acme-pay", mode: self.provider.declared.supports }
    }

    fn first_status(&self) -> OffboardingStatus {
        self.status(&OffboardingStatus::default(), at(0))
    }

    /// Phase and target, then Ready, Reconciling, Stalled, Planned, Unblocked, Approved, Deleted, Verified, DataErased and
    /// Waiting: `+` true, `-` false, `?` unknown; a dot where it says what it says of a request that nobody has looked at.
    /// Overdue comes from no decision.
    fn line(&self) -> String {
        let status = self.first_status();
        let usual = [
            "",
            "",
            "-NotStalled",
            "?Pending",
            "?Pending",
            "?Pending",
            "-NotStarted",
            "?Pending",
            "?Pending",
            "-NotWaiting",
        ];
        let words = status.conditions.iter().zip(usual).map(|(condition, usual)| {
            let sign = match condition.status {
                Truth::True => '+',
                Truth::False => '-',
                Truth::Unknown => '?',
            };
            let word = format!("{sign}{}", condition.reason);
            if word == usual { ".".to_owned() } else { word }
        });
        let words: Vec<String> = words.collect();
        format!("{} {} {}", status.phase, status.targets[0].state, words.join(" "))
    }
}

fn missing(have: u32, need: u32, why: WhyMissing) -> Telling {
    let demands = Demands { required: 2, separation_of_duties: true, ..Demands::default() };
    told(wait(Waiting::Approvals(Missing { have, need, why })), Facts::None)
        .at(ProviderFacts { demands, ..hard() })
        .planned()
}

fn lacking(why: WhyMissing) -> Missing {
    Missing { have: 0, need: 1, why }
}

fn budget(until: Option<Timestamp>) -> Telling {
    told(wait(Waiting::Budget { account: Some("acct-eu".to_owned()), until }), Facts::None).planned()
}

fn held(until: Option<Timestamp>) -> Telling {
    let hold = Waiting::Held { name: "case-7".to_owned(), kind: HoldType::LegalHold, until };
    told(wait(hold), Facts::None)
}

fn wait(waiting: Waiting) -> Next {
    Next::Wait(waiting)
}

fn stop(blocked: Blocked) -> Next {
    Next::Stop(blocked)
}

fn finished(result: OffboardingResult, because: Reason) -> Next {
    Next::Finished(Ending { result, because })
}

fn delete() -> Next {
    let order = Order {
        plan_hash: String::new(),
        target_hash: String::new(),
        request_hash: String::new(),
        mode: Mode::Hard,
        fingerprint: Fingerprint(String::new()),
        demands: Demands::default(),
        approvals: Vec::new(),
        spent: BTreeSet::new(),
        waivers: Vec::new(),
    };
    Next::Do(Effect::Delete(Box::new(order)))
}

fn limited() -> Failure {
    Failure::new(Class::RateLimited, Cause::Paused)
}

fn blocker(reason: Reason) -> Blocked {
    Blocked::Checks(vec![Blocker { check: "wallets".to_owned(), reason: reason.to_string() }])
}

fn refused(class: Class) -> Blocked {
    let failure = Failure::new(class, CauseWord::Profile("BalanceNotZero".into()));
    Blocked::Refused { failure, until: wall(900), approvals: None }
}

fn refused_and_spent() -> Blocked {
    let failure = Failure::new(Class::Conflict, Cause::DeletionConflict);
    let approvals = Some(Missing { have: 0, need: 1, why: WhyMissing::Spent });
    Blocked::Refused { failure, until: wall(900), approvals }
}

fn ended(result: OffboardingResult, because: Reason, outcome: Option<Outcome>) -> Telling {
    let mut record = record([outcome]);
    record.closed = Some(closed(result, because));
    told(finished(result, because), Facts::Mine(record))
}

/// Keeps something.
fn keeping() -> ProviderFacts {
    let mut provider = hard();
    std::sync::Arc::make_mut(&mut provider.declared).retains = vec!["invoices".to_owned()];
    provider
}

/// Keeps personal data in backups only.
fn backed_up() -> ProviderFacts {
    let mut provider = hard();
    let declared = std::sync::Arc::make_mut(&mut provider.declared);
    declared.erasure = ErasureScope::Scheduled;
    declared.backup_retention = Some(LAG);
    provider
}

#[test]
fn every_decision_is_told_in_every_condition() {
    for (telling, expected) in table() {
        assert_eq!(telling.line(), expected, "{:?}", telling.next);
    }
}

#[test]
fn every_reason_is_told_by_some_decision() {
    let of_no_decision = [0, 2 * 24 * 3600, 8 * 24 * 3600].map(|seconds| a_wait().due(wall(seconds)));
    let decided = table().into_iter().map(|(telling, _)| telling);
    let told: BTreeSet<String> = decided
        .chain(of_no_decision)
        .flat_map(|telling| telling.status(&OffboardingStatus::default(), at(1)).conditions)
        .map(|condition| condition.reason)
        .collect();
    let never: Vec<&str> =
        Reason::ALL.iter().map(|reason| reason.as_str()).filter(|reason| !told.contains(*reason)).collect();
    assert!(never.is_empty(), "{never:?}");
}

fn a_wait() -> Telling {
    missing(0, 1, WhyMissing::Awaited)
}

/// What each status says of its deadline.
fn overdue(status: &OffboardingStatus) -> (Option<Timestamp>, &str, Timestamp) {
    let told = status.conditions.iter().find(|condition| condition.type_ == "Overdue").unwrap();
    (status.due, &told.reason, told.last_transition_time)
}

#[test]
fn a_deadline_is_told_anew_when_time_passes_and_nothing_else_is() {
    const DAY: u64 = 24 * 3600;
    let due = wall(10 * DAY);
    let telling = a_wait().due(due);
    let mut status = telling.first_status();
    for (seconds, reason, since) in [
        (DAY, "InTime", 0),
        (4 * DAY, "DeadlineNear", 0), // still false: the time of transition stays
        (9 * DAY, "DeadlineNear", 0),
        (11 * DAY, "DeadlinePassed", 11 * DAY),
        (99 * DAY, "DeadlinePassed", 11 * DAY),
    ] {
        let next = telling.status(&status, at(seconds));
        assert_eq!(overdue(&next), (Some(due), reason, wall(since)), "after {seconds} s");
        let others = |status: &OffboardingStatus| OffboardingStatus {
            conditions: status.conditions.iter().filter(|it| it.type_ != "Overdue").cloned().collect(),
            ..status.clone()
        };
        assert_eq!(others(&next), others(&status));
        assert_eq!(telling.status(&next, at(seconds + 1)), next, "nothing is written in between");
        status = next;
    }
    let withdrawn = told(finished(OffboardingResult::Cancelled, Reason::Cancelled), Facts::None);
    let late = withdrawn.due(due).status(&status, at(100 * DAY));
    assert_eq!(overdue(&late), (Some(due), "DeadlinePassed", wall(11 * DAY)));
    assert_eq!(late.finished_at, Some(wall(100 * DAY)));
}

#[test]
fn a_request_that_was_finished_in_time_is_never_overdue() {
    let closed = ended(OffboardingResult::Erased, Reason::Absent, Some(Outcome::Accepted)).due(wall(1));
    let told_late = closed.status(&OffboardingStatus::default(), at(1_000_000));
    assert_eq!(overdue(&told_late).1, "InTime", "the record was closed at second 0");
    let invalid = super::refused(1, crate::domain::InvalidSpec::Targets, Some(wall(5)), wall(6));
    assert_eq!(overdue(&invalid).1, "DeadlinePassed");
}

#[test]
fn a_status_tells_every_condition_once_with_the_generation_that_it_is_about() {
    for (telling, _) in table() {
        let status = telling.first_status();
        let types: Vec<&str> = status.conditions.iter().map(|condition| condition.type_.as_str()).collect();
        let all: Vec<&str> = ConditionType::ALL.iter().map(|type_| type_.as_str()).collect();
        assert_eq!(types, all);
        assert!(status.conditions.iter().all(|condition| condition.observed_generation == 1));
        assert!(status.conditions.iter().all(|condition| !condition.message.is_empty()));
        assert!(status.waiting_for.is_some_and(|words| !words.is_empty() && words.len() <= 1024));
    }
}

#[test]
fn finished_is_what_completed_cancelled_and_failed_are() {
    for (telling, _) in table() {
        let status = telling.first_status();
        let ended = ["Completed", "Cancelled", "Failed"].contains(&status.phase.as_str());
        assert_eq!(status.finished, ended);
        assert_eq!(status.finished_at.is_some(), ended);
        assert_eq!(status.result.is_some(), ended);
        let ready = &status.conditions[0];
        assert_eq!(ready.status == Truth::True, ended && status.phase != "Failed");
        let stalled = &status.conditions[2];
        assert!(status.phase != "Failed" || stalled.status == Truth::True, "{:?}", telling.next);
    }
}

#[test]
fn a_status_does_not_change_as_long_as_nothing_happens() {
    for (telling, _) in table() {
        let first = telling.first_status();
        for seconds in [1, 3_600, 1_000_000] {
            assert_eq!(telling.status(&first, at(seconds)), first, "{:?}", telling.next);
        }
    }
}

#[test]
fn a_status_that_was_told_by_another_clock_is_the_same_but_for_the_times() {
    for (telling, _) in table() {
        let (one, other) = (telling.first_status(), telling.status(&OffboardingStatus::default(), at(77)));
        let words = |status: &OffboardingStatus| -> Vec<String> {
            status.conditions.iter().map(|condition| condition.message.clone()).collect()
        };
        assert_eq!(words(&one), words(&other));
        assert_eq!(one.waiting_for, other.waiting_for);
    }
}

#[test]
fn a_condition_keeps_its_time_while_its_status_is_the_same() {
    let settling = told(wait(Waiting::Settling { until: wall(5) }), after(None)).first_status();
    let looking = told(wait(Waiting::Confirming { looks: 1, needed: 2 }), after(Some(Outcome::Accepted)));
    let later = looking.status(&settling, at(50));
    for (before, after) in settling.conditions.iter().zip(&later.conditions) {
        let expected = if before.status == after.status { wall(0) } else { wall(50) };
        assert_eq!(after.last_transition_time, expected, "{}", after.type_);
    }
}

#[test]
fn a_request_that_ended_keeps_the_time_at_which_it_ended() {
    let ended = ended(OffboardingResult::Erased, Reason::Absent, Some(Outcome::Accepted));
    let status = ended.status(&OffboardingStatus::default(), at(500));
    assert_eq!(status.finished_at, Some(wall(0)), "as the record says");
    let told = told(finished(OffboardingResult::Failed, Reason::CustomerNotFound), Facts::None);
    let first = told.status(&OffboardingStatus::default(), at(7));
    assert_eq!(told.status(&first, at(500)).finished_at, Some(wall(7)));
}

#[test]
fn nothing_that_is_told_names_a_customer_or_repeats_a_provider() {
    for (telling, _) in table() {
        let status = serde_json::to_string(&telling.first_status()).unwrap();
        for secret in ["90017", "hmac:first", "hmac:credential", "attempt-1"] {
            assert!(!status.contains(secret), "{secret} in {status}");
        }
        let messages = telling.first_status().conditions.into_iter().map(|condition| condition.message);
        for message in messages.chain([sentence(&telling.next, telling.about())]) {
            assert!(!message.contains("hmac:"), "{message}");
            assert!(!message.contains("BalanceNotZero"), "{message}");
        }
    }
}

#[test]
fn every_wait_and_every_stop_says_what_it_waits_for() {
    let mut sentences: BTreeSet<String> = BTreeSet::new();
    for (telling, _) in table() {
        let words = sentence(&telling.next, telling.about());
        assert!(!words.contains("  ") && !words.ends_with('.') && words.len() > 10, "{words}");
        sentences.insert(words);
    }
    assert!(sentences.len() > 40, "{}", sentences.len());
}

#[test]
fn a_wait_with_a_known_end_says_until_when() {
    for (telling, _) in table() {
        let status = telling.first_status();
        let timed = matches!(
            telling.next,
            Next::Wait(
                Waiting::Settling { .. }
                    | Waiting::Lag { .. }
                    | Waiting::StillThere { .. }
                    | Waiting::AuthRefused { .. }
                    | Waiting::Retry { .. }
                    | Waiting::SecondLook { .. }
                    | Waiting::CoolingOff { .. }
                    | Waiting::NotBefore { .. }
                    | Waiting::Held { until: Some(_), .. }
                    | Waiting::Budget { until: Some(_), .. }
            ) | Next::Stop(Blocked::Refused { .. })
        );
        assert_eq!(status.waiting_until.is_some(), timed, "{:?}", telling.next);
    }
}

#[test]
fn what_is_left_for_a_person_stands_in_the_status() {
    let mut provider = soft();
    let declared = std::sync::Arc::make_mut(&mut provider.declared);
    declared.finality = Finality::SoftDelete;
    declared.retains = vec!["personal data".to_owned()];
    declared.manual_step =
        Some(ManualStep { text: "ask support".to_owned(), url: Some("https://x.example".to_owned()) });
    let status =
        ended(OffboardingResult::Deactivated, Reason::Inactive, Some(Outcome::Accepted)).at(provider);
    let erased = status.first_status().conditions.remove(8).message;
    let expected = "personal data was not erased; the provider keeps personal data; to erase: ask support (https://x.example)";
    assert_eq!(erased, expected);
}

#[test]
fn a_recreated_customer_is_a_failed_request() {
    let status =
        ended(OffboardingResult::Recreated, Reason::Recreated, Some(Outcome::Accepted)).first_status();
    assert_eq!((status.result.as_deref(), status.phase.as_str()), (Some("Failed"), "Failed"));
}
