use http::{HeaderName, HeaderValue};
use serde_json::json;

use super::*;

fn nested(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    let mut map = HeaderMap::new();
    for (name, value) in pairs.iter().map(pair) {
        map.append(name, value);
    }
    map
}

#[test]
fn json_that_can_be_read_in_one_way_only_is_read() {
    for (text, expected) in [
        ("{}", json!({})),
        (" [1, -2, 3.5, \"a\", true, false, null]\r\n", json!([1, -2, 3.5, "a", true, false, null])),
        ("null", json!(null)),
        ("\"\"", json!("")),
        ("18446744073709551615", json!(u64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("9007199254740993", json!(9_007_199_254_740_993_i64)), // beyond a double's whole numbers
        (r#"{"a":{"id":1},"b":{"id":2}}"#, json!({"a": {"id": 1}, "b": {"id": 2}})),
        (r#"{"id":1,"ID":2}"#, json!({"id": 1, "ID": 2})),
        (r#""\ud83d\ude00""#, json!("😀")),
        (r#""\u0000""#, json!("\0")),
        (r#"{"":1}"#, json!({"": 1})),
    ] {
        assert_eq!(strict_json(text), Some(expected), "{text}");
    }
}

#[test]
fn json_that_could_be_read_in_two_ways_is_none() {
    for text in [
        "",
        " ",
        "{",
        r#"{"id":"7""#,
        r#"{"id":"7"}x"#,
        r#"{"id":"7"}{"id":"8"}"#,
        r#"{"id":"7","id":"8"}"#,
        r#"{"id":"7","id":"7"}"#,
        r#"{"id":"7","\u0069d":"8"}"#, // the same key, escaped
        r#"{"a":[{"b":{"id":1,"x":2,"id":3}}]}"#,
        "\u{feff}{}",
        "NaN",
        "[NaN]",
        "[Infinity]",
        "[-Infinity]",
        "[1e999]",
        "[01]",
        "[+1]",
        "[1.]",
        "[.5]",
        "[0x10]",
        "[1,]",
        r#"{"a":1,}"#,
        "{'a':1}",
        "{a:1}",
        "// c\n{}",
        "/* c */{}",
        r#""\ud800""#, // half a character
        "\"\u{1}\"",
        "\"a\nb\"",
        r#""\x41""#,
        "True",
        "undefined",
        "<!DOCTYPE html><html></html>",
        ")]}',\n{}",
        "{}\0",
    ] {
        assert_eq!(strict_json(text), None, "{text}");
    }
}

#[test]
fn json_is_read_down_to_sixty_four_levels() {
    assert!(strict_json(&nested(64)).is_some());
    assert!(strict_json(&nested(65)).is_none());
    assert!(strict_json(&nested(100_000)).is_none());
    assert!(strict_json(&"[".repeat(MOST_BODY_BYTES)).is_none());
    assert!(strict_json(&r#"{"a":"#.repeat(100_000)).is_none());
    let objects = |levels: usize| r#"{"a":"#.repeat(levels) + "1" + &"}".repeat(levels);
    assert!(strict_json(&objects(64)).is_some());
    assert!(strict_json(&objects(65)).is_none());
}

#[test]
fn json_is_read_up_to_fifty_thousand_values_wherever_they_stand() {
    let list = |items: usize, item: &str| format!("[{}]", vec![item; items].join(","));
    for (item, values) in [("0", 1), ("{}", 1), (r#"{"":0}"#, 2), (r#"{"":{"":0}}"#, 3), ("[[],[]]", 3)] {
        let most = (50_000 - 1) / values; // the list itself is one
        assert!(strict_json(&list(most, item)).is_some(), "{item}");
        assert!(strict_json(&list(most + 1, item)).is_none(), "{item}");
    }
    let bomb = list(MOST_BODY_BYTES / 20, r#"{"":{"":{"":0}}}"#);
    let response = read_response(404, &HeaderMap::new(), bomb.as_bytes());
    assert_eq!((response.json, response.body_bytes), (None, bomb.len()), "it is no JSON that we understand");
}

#[test]
fn the_content_type_is_ignored_and_the_content_coding_is_not() {
    let seen = |headers: &HeaderMap, body: &[u8]| {
        let response = read_response(200, headers, body);
        (response.json, response.text, response.body_bytes)
    };
    let body = br#"{"id":7}"#;
    let whole = (Some(json!({"id": 7})), r#"{"id":7}"#.to_owned(), 8);
    let nothing = (None, String::new(), 8);
    for (coding, expected) in [
        (&[][..], &whole),
        (&[("content-type", "text/plain; charset=utf-16")], &whole),
        (&[("content-encoding", "identity")], &whole),
        (&[("content-encoding", "Identity")], &whole),
        (&[("content-encoding", "gzip")], &nothing),
        (&[("content-encoding", "br")], &nothing),
        (&[("content-encoding", "identity, gzip")], &nothing),
        (&[("content-encoding", "identity"), ("content-encoding", "gzip")], &nothing),
    ] {
        assert_eq!(&seen(&headers(coding), body), expected, "{coding:?}");
    }
    assert_eq!(seen(&HeaderMap::new(), b"{\"id\":\"\xff\"}"), (None, String::new(), 10));
    assert_eq!(seen(&HeaderMap::new(), b"<html>"), (None, "<html>".to_owned(), 6));
    assert_eq!(seen(&HeaderMap::new(), b""), (None, String::new(), 0));
}

#[test]
fn the_text_is_cut_between_two_characters() {
    let body = format!("a{}", "é".repeat(TEXT_BYTES));
    let response = read_response(200, &HeaderMap::new(), body.as_bytes());
    assert_eq!((response.text.len(), response.body_bytes), (TEXT_BYTES - 1, body.len()));
    assert!(body.starts_with(&response.text));
}

#[test]
fn headers_are_lower_case_and_joined_and_the_date_is_read() {
    let response = read_response(
        200,
        &headers(&[("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("x-a", "1"), ("x-b", "only"), ("x-a", "2")]),
        b"",
    );
    assert_eq!(response.date, Some("1994-11-06T08:49:37Z".parse().unwrap()));
    assert_eq!(response.headers.get("x-a").map(String::as_str), Some("1, 2"));
    assert_eq!(response.headers.get("x-b").map(String::as_str), Some("only"));
    assert_eq!(read_response(200, &headers(&[("date", "yesterday")]), b"").date, None);
}

#[test]
fn a_body_grows_to_one_mebibyte_and_not_a_byte_further() {
    let mut body = Body::default();
    for _ in 0..16 {
        body.push(&[b' '; 64 << 10]).unwrap();
    }
    assert_eq!(body.push(b" "), Err(too_large()));
    assert_eq!(body.into_response(200, &HeaderMap::new()).body_bytes, MOST_BODY_BYTES);
    assert_eq!(Body::default().push(&vec![0; MOST_BODY_BYTES + 1]), Err(too_large()));
}

#[test]
fn what_is_announced_as_too_long_is_not_read_at_all() {
    for (pairs, accepted) in [
        (&[("content-length", "1048576")][..], true),
        (&[("content-length", "1048577")], false),
        (&[("content-length", "18446744073709551615")], false),
        (&[("content-length", "abc")], true), // for the HTTP library to refuse
        (&[], true),
    ] {
        assert_eq!(Body::expecting(&headers(pairs)).is_ok(), accepted, "{pairs:?}");
    }
    let mut long = HeaderMap::new();
    long.insert("x-a", HeaderValue::from_bytes(&vec![b'a'; MOST_HEADER_BYTES]).unwrap());
    assert_eq!(Body::expecting(&long).err(), Some(too_large()));
}

proptest::proptest! {
    #[test]
    fn whatever_we_read_is_what_serde_json_reads(text in r#"[\[\]{},:"a01eE.+\- \\]{0,24}"#) {
        if let Some(value) = strict_json(&text) {
            proptest::prop_assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(value));
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
        let _response = read_response(200, &HeaderMap::new(), &bytes);
    }
}
