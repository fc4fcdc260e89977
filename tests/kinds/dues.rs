//! The deadline of a request: what can be said of it, and in which words the rest is refused.

use harness::Failure;

use crate::{REQUESTS, Server, request, with};

const ACCEPTED: &str = "accepted";

#[tokio::test]
async fn a_deadline_is_counted_by_its_regime_or_said_by_dates() -> Result<(), Failure> {
    let server = Server::with_the_kinds("dues").await?;
    let needed = "spec.request.dueBy: Invalid value: must be set when `regime` is Custom";
    let not_needed = "spec.request.dueBy: Invalid value: must be left out unless `regime` is Custom: GDPR and CCPA are counted from `receivedAt`";
    let rows = [
        ("no deadline", "{reason: Fraud}", ACCEPTED),
        ("a month from now", "{regime: GDPR}", ACCEPTED),
        ("a month from then", "{regime: GDPR, receivedAt: '2026-11-20T16:30:00Z'}", ACCEPTED),
        ("45 days, in local time", "{regime: CCPA, receivedAt: '2026-11-20T16:30:00-08:00'}", ACCEPTED),
        ("none, said out loud", "{regime: None, receivedAt: '2026-11-20T16:30:00Z'}", ACCEPTED),
        ("when it was received, and nothing else", "{receivedAt: '2026-11-20T16:30:00Z'}", ACCEPTED),
        ("a date", "{regime: Custom, dueBy: '2026-12-01T00:00:00Z'}", ACCEPTED),
        ("row 23: a date in the past", "{regime: Custom, dueBy: '2020-01-01T00:00:00Z'}", ACCEPTED),
        ("row 23: no date", "{regime: Custom}", needed),
        ("a null date", "{regime: Custom, dueBy: null}", needed),
        ("a date that nobody would use", "{dueBy: '2026-12-01T00:00:00Z'}", not_needed),
        ("the same beside None", "{regime: None, dueBy: '2026-12-01T00:00:00Z'}", not_needed),
        ("two deadlines", "{regime: GDPR, dueBy: '2026-12-01T00:00:00Z'}", not_needed),
        (
            "another law",
            "{regime: LGPD}",
            "spec.request.regime: Unsupported value: \"LGPD\": supported values: \"GDPR\", \"CCPA\", \"Custom\", \"None\"",
        ),
        (
            "a day without a time",
            "{regime: Custom, dueBy: '2026-12-01'}",
            "spec.request.dueBy: Invalid value: \"2026-12-01\": spec.request.dueBy in body must be of type date-time: \"2026-12-01\"",
        ),
        (
            "a time without a zone",
            "{receivedAt: '2026-12-01T00:00:00'}",
            "spec.request.receivedAt: Invalid value: \"2026-12-01T00:00:00\": spec.request.receivedAt in body must be of type date-time: \"2026-12-01T00:00:00\"",
        ),
    ];
    let rows =
        rows.map(|(about, value, due)| (about.to_owned(), with(request("acme"), "request", value), due));
    server.assert_answers(REQUESTS, rows).await;
    Ok(())
}
