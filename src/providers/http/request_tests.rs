use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json as body;

use super::*;
use crate::{
    domain::LookWord,
    providers::{
        Captured,
        expression::Scalar,
        fixtures::{base, id},
        http::template::Allowed,
    },
};

const NAMES: [&str; 1] = ["version"];

fn names() -> Vec<String> {
    NAMES.map(str::to_owned).to_vec()
}

fn template(path: &str) -> RequestTemplate {
    let names = names();
    let allowed = Allowed { customer: true, captured: &names };
    RequestTemplate {
        method: api::Method::DELETE,
        path: Segment::parse_path(path, allowed).unwrap(),
        query: Vec::new(),
        headers: Vec::new(),
        body: None,
    }
}

fn text(source: &str) -> Text {
    Text::parse(source, Allowed { customer: true, captured: &names() }).unwrap()
}

fn captured(version: Scalar) -> Captured {
    Captured::of_look(BTreeMap::from([("version".to_owned(), version)]), LookWord::Present, 200)
}

fn fill(template: &RequestTemplate, customer: &str, captured: &Captured) -> Result<PreparedRequest, Failure> {
    let id = id(customer);
    template.fill(Step::look, &base("https://api.example.com/v1"), Filling { customer: Some(&id), captured })
}

fn url(path: &str, customer: &str) -> Result<String, Failure> {
    fill(&template(path), customer, &captured(Scalar::Whole(7))).map(|request| request.url.to_string())
}

#[test]
fn a_path_is_appended_to_the_base_urls() {
    for (base_url, path, expected) in [
        ("https://h.example/v1", "/customers/{customer.id}", "https://h.example/v1/customers/c1"),
        ("https://h.example/v1/", "/customers/{customer.id}", "https://h.example/v1/customers/c1"),
        ("https://h.example", "/customers/{customer.id}", "https://h.example/customers/c1"),
        ("https://h.example/", "/customers/{customer.id}/", "https://h.example/customers/c1/"),
        ("https://h.example:8443/a/b", "/", "https://h.example:8443/a/b/"),
        ("https://h.example", "/c/{customer.id}/{vars.version}", "https://h.example/c/c1/7"),
    ] {
        let id = id("c1");
        let captured = captured(Scalar::Whole(7));
        let filling = Filling { customer: Some(&id), captured: &captured };
        let request = template(path).fill(Step::look, &base(base_url), filling).unwrap();
        assert_eq!(request.url.as_str(), expected);
    }
}

#[test]
fn a_path_that_could_lead_elsewhere_is_refused() {
    let names = names();
    let allowed = Allowed { customer: true, captured: &names };
    for path in [
        "customers",
        "",
        "/customers?x=1",
        "/customers#x",
        "/a//b",
        "//",
        "/../admin",
        "/a/./b",
        "/a/%2e%2e/b",
        "/a\\b",
        "/a b",
        "/é",
        "/customers/x{customer.id}",
        "/customers/{customer.id}.json",
        "/customers/{customer.id}{customer.id}",
        "/customers/{customer.id",
        "/customers/customer.id}",
        "/customers/{id}",
        "/customers/{customer.id:int}",
        "/customers/{vars.other}",
        "/customers/{item.id}",
        "/customers/{{customer.id}}",
        "/customers/{}",
    ] {
        assert!(Segment::parse_path(path, allowed).is_err(), "{path}");
    }
}

#[test]
fn an_id_that_is_a_step_or_a_path_is_not_sent() {
    for customer in [".", "..", "a/b", "/", "a\\b", "", "a\nb"] {
        assert_eq!(url("/customers/{customer.id}", customer), Err(template_failed()), "{customer:?}");
    }
}

#[test]
fn an_id_is_encoded_as_one_segment() {
    for (customer, expected) in [
        ("a?b#c", "https://api.example.com/v1/customers/a%3Fb%23c"),
        ("%2e%2e", "https://api.example.com/v1/customers/%252e%252e"),
        ("a b", "https://api.example.com/v1/customers/a%20b"),
        ("ä@b.c", "https://api.example.com/v1/customers/%C3%A4@b.c"),
        ("...", "https://api.example.com/v1/customers/..."),
    ] {
        assert_eq!(url("/customers/{customer.id}", customer).as_deref(), Ok(expected));
    }
}

proptest! {
    #[test]
    fn whatever_the_id_is_it_stays_in_its_segment(customer in "\\PC{1,40}|[./%?#\\\\a]{1,8}") {
        let Ok(url) = url("/customers/{customer.id}/close", &customer) else { return Ok(()) };
        let url = base(&url);
        let segments: Vec<_> = url.path_segments().unwrap().collect();
        prop_assert_eq!(segments.len(), 4);
        prop_assert_eq!((segments[0], segments[1], segments[3]), ("v1", "customers", "close"));
        let decoded = percent_encoding::percent_decode_str(segments[2]).decode_utf8().unwrap();
        prop_assert_eq!(&*decoded, &customer);
        prop_assert_eq!(url.host_str(), Some("api.example.com"));
        prop_assert!(url.query().is_none() && url.fragment().is_none());
    }

    #[test]
    fn whatever_the_id_is_it_stays_in_its_query_value(customer in "\\PC{1,40}") {
        let mut template = template("/customers");
        template.query = vec![("id".to_owned(), text("{customer.id}")), ("x".to_owned(), text("y"))];
        let request = fill(&template, &customer, &Captured::nothing()).unwrap();
        let pairs: Vec<_> = request.url.query_pairs().into_owned().collect();
        prop_assert_eq!(pairs, [("id".to_owned(), customer), ("x".to_owned(), "y".to_owned())]);
    }

    #[test]
    fn whatever_the_id_is_it_stays_in_its_json_text(customer in "\\PC{1,40}") {
        let json = body!({"query": "mutation($id: ID!) { delete }", "variables": {"id": "gid://x/{customer.id}"}});
        let names = names();
        let parsed = JsonTemplate::parse(&json, Allowed { customer: true, captured: &names }, false).unwrap();
        let template = RequestTemplate { body: Some(BodyTemplate::Json(parsed)), ..template("/graphql.json") };
        let Ok(request) = fill(&template, &customer, &Captured::nothing()) else { return Ok(()) };
        let (_, bytes) = request.body.unwrap();
        let sent: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        prop_assert_eq!(&sent["variables"]["id"], &format!("gid://x/{customer}"));
        prop_assert_eq!(&sent["query"], "mutation($id: ID!) { delete }");
    }
}

#[test]
fn a_captured_value_that_is_missing_or_empty_sends_nothing() {
    let mut template = template("/customers/{customer.id}");
    template.headers = vec![(http::header::IF_MATCH, text("{vars.version}"))];
    for captured in [
        Captured::nothing(),
        captured(Scalar::Text(String::new())),
        captured(Scalar::Null),
        captured(Scalar::Number(1.5)),
    ] {
        assert_eq!(fill(&template, "c1", &captured).map(|_| ()), Err(template_failed()));
    }
    let filled = fill(&template, "c1", &captured(Scalar::Text("W/\"3\"".to_owned()))).unwrap();
    assert_eq!(filled.headers, [(http::header::IF_MATCH, HeaderValue::from_static("W/\"3\""))]);
}

#[test]
fn a_value_beside_other_text_does_not_change_what_the_text_asks_for() {
    let filled = |source: &str, customer: &str, value: &str| {
        let template = RequestTemplate { query: vec![("q".to_owned(), text(source))], ..template("/search") };
        let captured = captured(Scalar::Text(value.to_owned()));
        let request = fill(&template, customer, &captured).ok()?;
        request.url.query_pairs().next().map(|(_, value)| value.into_owned())
    };
    for (value, good) in [
        ("a.b+c-d_e@example.com", true),
        ("2026-01-01T00:00:00Z", true),
        ("Müller", true),
        ("a@b' OR email:*", false),
        ("a@b\" or true or \"", false),
        ("a@b\\", false),
        ("*", false),
        ("a*", false),
        ("a b", false),
        ("a)", false),
        ("-a", false),
        ("a--", false),
        ("a||b", false),
        ("a\u{2028}b", false),
    ] {
        let expected = good.then(|| format!("email:'{value}'"));
        assert_eq!(filled("email:'{vars.version}'", "c1", value), expected, "{value}");
        assert_eq!(filled("{vars.version}", "c1", value).as_deref(), Some(value), "it is all of the value");
    }
    for (customer, good) in
        [("auth0|7f-3=", true), ("o'b", false), ("o\"b", false), ("a b", false), ("a\\", false)]
    {
        let expected = good.then(|| format!("id:'{customer}'"));
        assert_eq!(filled("id:'{customer.id}'", customer, "x"), expected, "{customer}");
    }
}

#[test]
fn a_header_is_visible_ascii_or_the_request_is_not_sent() {
    let mut template = template("/customers");
    template.headers = vec![(http::header::IF_MATCH, text("{vars.version}"))];
    for value in ["a\r\nX-Evil: 1", "a\nb", "a\0", "é", "a\tb"] {
        let captured = captured(Scalar::Text(value.to_owned()));
        assert_eq!(fill(&template, "c1", &captured).map(|_| ()), Err(template_failed()), "{value:?}");
    }
}

#[test]
fn a_form_is_encoded() {
    let fields = vec![("objects[customers][]".to_owned(), text("{customer.id}"))];
    let template = RequestTemplate { body: Some(BodyTemplate::Form(fields)), ..template("/jobs") };
    let (content_type, bytes) = fill(&template, "a&b=c", &Captured::nothing()).unwrap().body.unwrap();
    assert_eq!(content_type, "application/x-www-form-urlencoded");
    assert_eq!(String::from_utf8(bytes).unwrap(), "objects%5Bcustomers%5D%5B%5D=a%26b%3Dc");
}

#[test]
fn an_id_becomes_a_number_only_as_a_whole_json_value() {
    let names = names();
    let allowed = Allowed { customer: true, captured: &names };
    let json = body!({"ids": ["{customer.id:int}"], "keep": [1.5, null, true]});
    let parsed = JsonTemplate::parse(&json, allowed, true).unwrap();
    let template = RequestTemplate { body: Some(BodyTemplate::Json(parsed)), ..template("/deletions") };
    let (_, bytes) = fill(&template, "90017", &Captured::nothing()).unwrap().body.unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), r#"{"ids":[90017],"keep":[1.5,null,true]}"#);
    assert!(fill(&template, "abc", &Captured::nothing()).is_err());
    assert!(JsonTemplate::parse(&json, allowed, false).is_err(), "ids are texts here");
    for json in [body!({"id": "x{customer.id:int}"}), body!({"{customer.id}": 1}), body!({"a": "{item.id}"})]
    {
        assert!(JsonTemplate::parse(&json, allowed, true).is_err(), "{json}");
    }
}

#[test]
fn an_address_is_below_the_base_url_or_it_is_not() {
    for (address, below) in [
        ("https://api.example.com/v1/x", true),
        ("https://api.example.com:443/v1", true),
        ("https://api.example.com/v1/../v2", false),
        ("https://api.example.com/v1%2f..%2fv2", false),
        ("https://api.example.com/v10/x", false),
        ("https://api.example.com/", false),
        ("https://api.example.com:8443/v1/x", false),
        ("http://api.example.com/v1/x", false),
        ("https://api.example.com.evil.example/v1/x", false),
        ("https://evil.example/v1/x", false),
        ("https://user@api.example.com/v1/x", false),
        ("https://api.example.com@evil.example/v1/x", false),
    ] {
        assert_eq!(is_below(&base(address), &base("https://api.example.com/v1")), below, "{address}");
    }
}
