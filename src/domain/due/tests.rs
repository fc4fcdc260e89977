use super::*;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn told(Verdict(truth, reason, message): Verdict) -> (Truth, Reason, String) {
    (truth, reason, message)
}

fn request(regime: Option<Regime>, received_at: Option<&str>, due_by: Option<&str>) -> RequestDetails {
    RequestDetails {
        reason: None,
        reference: None,
        received_at: received_at.map(time),
        regime,
        due_by: due_by.map(time),
    }
}

#[test]
fn each_regime_counts_in_its_own_way() {
    let created = Some(time("2026-11-23T08:00:00Z"));
    let received = Some("2026-11-20T16:30:00Z");
    for (regime, received_at, due_by, expected) in [
        (Some(Regime::GDPR), received, None, Some("2026-12-20T16:30:00Z")),
        (Some(Regime::GDPR), None, None, Some("2026-12-23T08:00:00Z")), // from creation
        (Some(Regime::CCPA), received, None, Some("2027-01-04T16:30:00Z")),
        (Some(Regime::CCPA), None, None, Some("2027-01-07T08:00:00Z")),
        (Some(Regime::Custom), received, Some("2026-12-01T00:00:00Z"), Some("2026-12-01T00:00:00Z")),
        (Some(Regime::Custom), None, Some("2020-01-01T00:00:00Z"), Some("2020-01-01T00:00:00Z")), // row 23
        (Some(Regime::Custom), None, Some("2026-12-01T01:30:00.999+01:00"), Some("2026-12-01T00:30:00Z")),
        (Some(Regime::Custom), received, None, None), // the schema refuses it
        (Some(Regime::None), received, None, None),
        (None, received, None, None),
    ] {
        let request = request(regime, received_at, due_by);
        assert_eq!(due(Some(&request), created), expected.map(time), "{regime:?} {received_at:?}");
    }
    assert_eq!(due(None, created), None);
    assert_eq!(due(Some(&request(Some(Regime::GDPR), None, None)), None), None, "counted from nothing");
}

/// Regulation 1182/71 Art. 3 (2) (c): the same date, or the last day of a month that has no such date. Times stay as they are.
#[test]
fn a_month_ends_on_the_same_date_or_on_the_last_day_there_is() {
    for (received, expected) in [
        ("2026-03-05T09:00:00Z", "2026-04-05T09:00:00Z"),
        ("2026-01-28T09:00:00Z", "2026-02-28T09:00:00Z"),
        ("2026-01-29T09:00:00Z", "2026-02-28T09:00:00Z"),
        ("2026-01-30T09:00:00Z", "2026-02-28T09:00:00Z"),
        ("2026-01-31T09:00:00Z", "2026-02-28T09:00:00Z"),
        ("2028-01-29T09:00:00Z", "2028-02-29T09:00:00Z"), // a leap year
        ("2028-01-31T09:00:00Z", "2028-02-29T09:00:00Z"),
        ("2100-01-31T09:00:00Z", "2100-02-28T09:00:00Z"), // none
        ("2000-01-31T09:00:00Z", "2000-02-29T09:00:00Z"), // one
        ("2026-02-28T09:00:00Z", "2026-03-28T09:00:00Z"), // and not the last day of March
        ("2026-03-31T09:00:00Z", "2026-04-30T09:00:00Z"),
        ("2026-08-31T09:00:00Z", "2026-09-30T09:00:00Z"),
        ("2026-12-31T23:59:59Z", "2027-01-31T23:59:59Z"),
        ("2027-01-01T00:30:00+01:00", "2027-01-31T23:30:00Z"), // in UTC that is the last day of December
        ("9999-12-30T00:00:00Z", "9999-12-30T22:00:00Z"),      // the end of time is no panic
    ] {
        let request = request(Some(Regime::GDPR), Some(received), None);
        assert_eq!(due(Some(&request), None), Some(time(expected)), "{received}");
    }
    let ccpa = request(Some(Regime::CCPA), Some("9999-12-30T00:00:00Z"), None);
    assert_eq!(due(Some(&ccpa), None), Some(time("9999-12-30T22:00:00Z")));
}

#[test]
fn what_is_told_of_a_deadline_changes_seven_days_before_and_at_it() {
    let due = Some(time("2026-12-20T16:30:00Z"));
    let passed = "the deadline has passed: 2026-12-20T16:30:00Z; nothing is hurried, see what it waits for";
    let near = "less than 7 days to the deadline, 2026-12-20T16:30:00Z";
    let in_time = "the deadline is 2026-12-20T16:30:00Z";
    for (now, truth, reason, message, next) in [
        ("2026-11-20T16:30:00Z", Truth::False, Reason::InTime, in_time, Some("2026-12-13T16:30:00Z")),
        ("2026-12-13T16:30:00Z", Truth::False, Reason::InTime, in_time, Some("2026-12-13T16:30:00Z")),
        ("2026-12-13T16:30:00.02Z", Truth::False, Reason::DeadlineNear, near, Some("2026-12-20T16:30:00Z")),
        ("2026-12-20T16:30:00Z", Truth::False, Reason::DeadlineNear, near, Some("2026-12-20T16:30:00Z")),
        ("2026-12-20T16:30:00.02Z", Truth::True, Reason::DeadlinePassed, passed, None),
        ("2036-01-01T00:00:00Z", Truth::True, Reason::DeadlinePassed, passed, None),
    ] {
        assert_eq!(told(overdue(due, None, time(now))), (truth, reason, message.to_owned()), "{now}");
        assert_eq!(next_change(due, time(now)), next.map(time), "{now}");
    }
    let no_deadline = (Truth::False, Reason::NoDeadline, "`spec.request.regime` sets no deadline".to_owned());
    assert_eq!(told(overdue(None, None, time("2026-11-20T16:30:00Z"))), no_deadline);
    assert_eq!(next_change(None, time("2026-11-20T16:30:00Z")), None);
}

#[test]
fn a_request_that_ended_is_judged_by_when_it_did() {
    let due = Some(time("2026-12-20T16:30:00Z"));
    let (in_time, late) = (
        "ended in time; the deadline was 2026-12-20T16:30:00Z",
        "ended late; the deadline was 2026-12-20T16:30:00Z",
    );
    for (finished, truth, reason, message) in [
        ("2026-12-01T00:00:00Z", Truth::False, Reason::InTime, in_time),
        ("2026-12-20T16:29:59Z", Truth::False, Reason::InTime, in_time),
        ("2026-12-20T16:30:01Z", Truth::True, Reason::DeadlinePassed, late),
    ] {
        for now in [finished, "2036-01-01T00:00:00Z"] {
            let told = told(overdue(due, Some(time(finished)), time(now)));
            assert_eq!(told, (truth, reason, message.to_owned()), "{finished}, told {now}");
        }
    }
}

#[test]
fn no_deadline_is_near_before_time_began() {
    let due = Some(Timestamp::MIN);
    assert_eq!(overdue(due, None, time("2026-12-20T16:30:00Z")).1, Reason::DeadlinePassed);
    assert_eq!(next_change(due, time("2026-12-20T16:30:00Z")), None);
}
