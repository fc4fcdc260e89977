use serde_json::json;

use super::*;

fn noon() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn response(headers: &[(&str, &str)], json: Option<Value>) -> Response {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Response { status: 429, headers, json, text: String::new(), body_bytes: 0, date: None }
}

#[test]
fn a_wish_in_a_header_is_read_in_every_spelling() {
    let epoch = noon().as_second();
    for (name, value, expected) in [
        ("retry-after", "30", Some(30.0)),
        ("retry-after", " 30 ", Some(30.0)),
        ("retry-after", "1.5", Some(1.5)),
        ("retry-after", "3600", Some(3600.0)),
        ("retry-after", "3601", Some(3600.0)),
        ("retry-after", "999999999", Some(3600.0)),
        ("retry-after", "99999999999999999999999999999999", Some(3600.0)),
        ("retry-after", "0", None),
        ("retry-after", "-1", None),
        ("retry-after", "+5", None),
        ("retry-after", "abc", None),
        ("retry-after", "", None),
        ("retry-after", ".", None),
        ("retry-after", "1e3", None),
        ("retry-after", "0x10", None),
        ("retry-after", "inf", None),
        ("retry-after", "NaN", None),
        ("retry-after", "30s", None),
        ("retry-after", "30, 60", None), // sent twice: which one?
        ("retry-after", "Sun, 22 Nov 2026 12:01:00 GMT", Some(60.0)),
        ("retry-after", "Sunday, 22-Nov-26 12:01:00 GMT", Some(60.0)),
        ("retry-after", "Sun Nov 22 12:01:00 2026", Some(60.0)),
        ("retry-after", "Sun, 22 Nov 2026 11:59:00 GMT", None),
        ("retry-after", "Sun, 22 Nov 2026 12:00:00 GMT", None),
        ("retry-after", "Thu, 31 Dec 9998 23:59:59 GMT", Some(3600.0)),
        ("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT", None), // beyond the last moment that we can name
        ("retry_after", "45", Some(45.0)),
        ("retry_after", "-45", None),
        ("retry_after", "soon", None),
        ("x-ratelimit-reset", "20", Some(20.0)),
        ("x-ratelimit-reset", "0", None),
        ("x-ratelimit-reset", "-20", None),
        ("x-ratelimit-reset", "999999999", Some(3600.0)),
        ("x-ratelimit-reset", &(epoch + 90).to_string(), Some(90.0)),
        ("x-ratelimit-reset", &(epoch - 90).to_string(), None),
        ("x-ratelimit-reset", &((epoch + 90) * 1000).to_string(), Some(90.0)),
        ("x-ratelimit-reset", &((epoch - 90) * 1000).to_string(), None),
        ("x-ratelimit-reset", &format!("{epoch}999999999"), Some(3600.0)),
        ("x-ratelimit-reset", "garbage", None),
        ("x-something-else", "20", None),
    ] {
        let read = retry_after(&response(&[(name, value)], None), noon());
        assert_eq!(read, expected.map(Duration::from_secs_f64), "{name}: {value}");
    }
}

#[test]
fn a_wish_in_the_body_is_read_at_the_three_places_where_providers_put_it() {
    for (body, expected) in [
        (json!({"retry_after": 7}), Some(7)),
        (json!({"retry_after": "7"}), Some(7)),
        (json!({"error": {"retry_after": 8}}), Some(8)),
        (json!({"error": {"details": {"retry_after": 9}}}), Some(9)),
        (json!({"retry_after": "soon", "error": {"retry_after": 8}}), Some(8)),
        (json!({"retry_after": 100_000}), Some(3600)),
        (json!({"retry_after": -7}), None),
        (json!({"retry_after": 0}), None),
        (json!({"retry_after": 1e300}), Some(3600)),
        (json!({"retry_after": null}), None),
        (json!({"retry_after": true}), None),
        (json!({"retry_after": [7]}), None),
        (json!({"data": {"retry_after": 7}}), None),
        (json!([7]), None),
        (json!(7), None),
    ] {
        let read = retry_after(&response(&[], Some(body.clone())), noon());
        assert_eq!(read, expected.map(Duration::from_secs), "{body}");
    }
}

#[test]
fn the_first_wish_that_parses_counts() {
    let body = || Some(json!({"retry_after": 3}));
    let reset = ("x-ratelimit-reset", "4");
    for (headers, body, expected) in [
        (&[("retry-after", "1"), ("retry_after", "2"), reset][..], body(), Some(1)),
        (&[("retry-after", "-1"), ("retry_after", "2"), reset], body(), Some(2)),
        (&[("retry-after", "-1"), ("retry_after", "abc"), reset], body(), Some(3)),
        (&[("retry-after", "Sun, 22 Nov 2026 11:00:00 GMT"), reset], None, Some(4)),
        (&[], None, None),
    ] {
        let read = retry_after(&response(headers, body), noon());
        assert_eq!(read, expected.map(Duration::from_secs), "{headers:?}");
    }
}
