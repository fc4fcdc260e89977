use std::collections::BTreeSet;

use serde_json::json as body;

use super::*;
use crate::{
    api::Method,
    domain::Step,
    providers::{
        expression::{Known, Variable},
        fixtures::{base, empty, json, noon},
        http::auth::{Expected, Place, SecretText},
    },
};

const BASE: &str = "https://api.example.com/v1";

fn expression(source: &str) -> Expression {
    Expression::compile(source, Known { variables: &[Variable::Response], captured: &[] }).unwrap()
}

fn cursor() -> Paging {
    Paging::Cursor { param: "after".to_owned(), next: expression("response.json.page.after") }
}

fn numbered(size: usize) -> Paging {
    Paging::Numbered { param: "page".to_owned(), start: 1, size_param: "size".to_owned(), size }
}

fn next(paging: &Paging, response: &Response, items: usize) -> Result<Next, Failure> {
    paging.next(response, &Scope::of_response(response, noon()), items)
}

fn bare() -> PreparedRequest {
    let url = base(&format!("{BASE}/payments?status=pending&api_key=secret"));
    PreparedRequest { step: Step::check, method: Method::GET, url, headers: Vec::new(), body: None }
}

/// The query-placed credential of `bare`.
fn placements() -> [Placement; 1] {
    let place = Place::Query("api_key".to_owned(), SecretText::parse("{key}").unwrap());
    [Placement { place, optional: false, expected: Expected::default() }]
}

/// Path and query of every request, the first included, until the list ends or is given up.
fn walk(paginate: &Paginate, pages: &[(usize, Next)]) -> Result<Vec<String>, Failure> {
    let (base, placements) = (base(BASE), placements());
    let mut pager = Pager::new(paginate, &placements, &base, bare());
    let mut request = pager.first();
    let mut asked = vec![request.url.to_string()];
    for (items, next) in pages {
        let Some(following) = pager.after(&request.url, *items, next.clone())? else { return Ok(asked) };
        asked.push(following.url.to_string());
        request = following;
    }
    asked.push("…".to_owned());
    Ok(asked)
}

fn pages(paging: Paging) -> Paginate {
    Paginate { paging, max_pages: 3, max_items: 10 }
}

fn at(address: &str) -> Next {
    Next::Address(address.to_owned())
}

fn after(cursor: &str) -> Next {
    Next::Cursor(cursor.to_owned())
}

#[test]
fn a_cursor_ends_where_it_is_null_empty_or_missing_and_nowhere_else() {
    for (answer, expected) in [
        (body!({"page": {"after": "c2"}}), Ok(after("c2"))),
        (body!({"page": {"after": 7}}), Ok(after("7"))),
        (body!({"page": {"after": null}}), Ok(Next::End)),
        (body!({"page": {"after": ""}}), Ok(Next::End)),
        (body!({"page": {}}), Ok(Next::End)),
        (body!({"paging": {"after": "c2"}}), Err(incomplete())), // not the shape that the profile knows
        (body!({"page": null}), Err(incomplete())),
        (body!({"page": {"after": true}}), Err(incomplete())),
        (body!({"page": {"after": 1.5}}), Err(incomplete())),
        (body!({"page": {"after": ["c2"]}}), Err(incomplete())),
        (body!([]), Err(incomplete())),
    ] {
        assert_eq!(next(&cursor(), &json(200, answer.clone()), 1), expected, "{answer}");
    }
}

#[test]
fn a_page_that_is_not_full_is_the_last() {
    for (items, expected) in [(0, Next::End), (99, Next::End), (100, Next::Number), (101, Next::Number)] {
        assert_eq!(next(&numbered(100), &json(200, body!([])), items), Ok(expected), "{items}");
    }
}

#[test]
fn the_next_link_is_read_as_rfc_8288_writes_it() {
    for (header, expected) in [
        (r#"<https://h/x?p=2>; rel="next""#, Ok(at("https://h/x?p=2"))),
        (r#"<https://h/x?p=1>; rel="prev", <https://h/x?p=3>; rel="next""#, Ok(at("https://h/x?p=3"))),
        (r#"</x?a=1,2>; title="a, b; rel=\"x"; rel=next"#, Ok(at("/x?a=1,2"))),
        (r#"<?p=2>; REL="last NEXT""#, Ok(at("?p=2"))),
        (r#"<https://h/x>; rel="prev""#, Ok(Next::End)),
        (r#"<https://h/x>; title="next""#, Ok(Next::End)),
        (r#"<https://h/1>; rel="next", <https://h/2>; rel="next""#, Err(incomplete())),
        ("garbage", Err(incomplete())),
        ("<https://h/x", Err(incomplete())),
    ] {
        let response = empty(200).with_header("link", header);
        assert_eq!(next(&Paging::Link, &response, 1), expected, "{header}");
    }
    assert_eq!(next(&Paging::Link, &empty(200), 1), Ok(Next::End));
}

#[test]
fn a_next_address_in_the_body_ends_like_a_cursor() {
    let paging = Paging::NextUrl { next: expression("response.json.next") };
    assert_eq!(next(&paging, &json(200, body!({"next": "/v1/x?p=2"})), 1), Ok(at("/v1/x?p=2")));
    assert_eq!(next(&paging, &json(200, body!({"next": null})), 1), Ok(Next::End));
    assert_eq!(next(&paging, &json(200, body!(null)), 1), Err(incomplete()));
}

#[test]
fn a_single_page_has_no_next() {
    assert_eq!(next(&Paging::Single, &json(200, body!({"page": {"after": "c2"}})), 1), Ok(Next::End));
}

#[test]
fn cursors_go_into_their_parameter() {
    let first = format!("{BASE}/payments?status=pending&api_key=secret");
    let asked = walk(&pages(cursor()), &[(1, after("a b")), (1, after("c")), (1, Next::End)]).unwrap();
    assert_eq!(asked, [first.clone(), format!("{first}&after=a+b"), format!("{first}&after=c")]);
}

#[test]
fn pages_are_numbered_from_the_start() {
    let first = format!("{BASE}/payments?status=pending&api_key=secret");
    let asked = walk(&pages(numbered(2)), &[(2, Next::Number), (1, Next::End)]).unwrap();
    assert_eq!(asked, [format!("{first}&page=1&size=2"), format!("{first}&page=2&size=2")]);
}

#[test]
fn a_cursor_that_comes_back_is_a_list_without_end() {
    let looped = walk(&pages(cursor()), &[(1, after("a")), (1, after("a"))]);
    assert_eq!(looped, Err(incomplete()));
    let addresses = [(1, at("/v1/payments?p=2")), (1, at("/v1/payments?p=2"))];
    assert_eq!(walk(&pages(Paging::Link), &addresses), Err(incomplete()));
}

#[test]
fn more_pages_or_items_than_the_caps_are_an_incomplete_list() {
    let (a, b, c) = (after("a"), after("b"), after("c"));
    assert!(walk(&pages(cursor()), &[(1, a.clone()), (1, b.clone()), (1, Next::End)]).is_ok());
    assert_eq!(walk(&pages(cursor()), &[(1, a.clone()), (1, b), (1, c)]), Err(incomplete()));
    assert!(walk(&pages(cursor()), &[(5, a.clone()), (5, Next::End)]).is_ok());
    assert_eq!(walk(&pages(cursor()), &[(5, a), (6, Next::End)]), Err(incomplete()), "also on the last page");
}

#[test]
fn a_next_address_must_lie_below_the_base_url() {
    for address in [
        "https://evil.example/v1/payments?p=2",
        "//evil.example/v1/payments",
        "http://api.example.com/v1/payments?p=2",
        "https://api.example.com:8443/v1/payments?p=2",
        "https://api.example.com/v2/payments?p=2",
        "/payments?p=2",
        "../../v2/payments",
        "https://user:pw@api.example.com/v1/payments",
        "https://",
    ] {
        assert_eq!(walk(&pages(Paging::Link), &[(1, at(address))]), Err(incomplete()), "{address}");
    }
}

#[test]
fn a_next_address_may_be_relative_and_keeps_our_credentials() {
    for (address, expected) in [
        ("?p=2", "https://api.example.com/v1/payments?p=2&api_key=secret"),
        ("/v1/other?p=2#x", "https://api.example.com/v1/other?p=2&api_key=secret"),
        (
            "https://api.example.com/v1/payments?api_key=theirs&p=2",
            "https://api.example.com/v1/payments?p=2&api_key=secret",
        ),
    ] {
        let asked = walk(&pages(Paging::Link), &[(1, at(address)), (1, Next::End)]).unwrap();
        assert_eq!(asked[1], expected, "{address}");
    }
    let base = base(BASE);
    let paginate = pages(Paging::Link);
    let mut pager = Pager::new(&paginate, &[], &base, bare());
    let next = pager.after(&bare().url, 1, at("?p=2")).unwrap().unwrap();
    assert_eq!(next.url.query(), Some("p=2"), "without query credentials, the address is taken as it is");
    assert_eq!(pager.seen, BTreeSet::from([next.url.to_string()]));
}
