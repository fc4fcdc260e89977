//! Rules about requests and credentials, broken once: the whole of what is told.

use serde_json::json;

use super::{refused::refused, told};

const REQUEST: &str = "/delete/0/request";

#[test]
fn a_destructive_step_names_the_customer_once_and_whole() {
    let once = "`delete[0].request.path`: must contain `{customer.id}` exactly once as a whole segment";
    let twice = "`delete[0].request.path`: the request must contain `{customer.id}` exactly once";
    let whole = "`delete[0].request`: `{customer.id}` must be a whole segment, query value or body value, or the end of a JSON text";
    let segment = "`delete[0].request.path`: a placeholder must be a whole segment";
    let path = "/customers/{customer.id}";
    for (request, expected) in [
        (json!({"method": "DELETE", "path": "/customers"}), once),
        (json!({"method": "DELETE", "path": "/customers/{vars.version}"}), once),
        (json!({"method": "DELETE", "path": "/customers/{customer.id}/{customer.id}"}), twice),
        (json!({"method": "DELETE", "path": path, "query": {"id": "{customer.id}"}}), twice),
        (json!({"method": "DELETE", "path": path, "headers": {"X-Id": "{customer.id}"}}), twice),
        (json!({"method": "POST", "path": path, "body": {"form": {"id": "{customer.id}"}}}), twice),
        (
            json!({"method": "POST", "path": "/d", "body": {"json": {"a": ["{customer.id}", "{customer.id}"]}}}),
            twice,
        ),
        (json!({"method": "DELETE", "path": "/customers", "headers": {"X-Id": "{customer.id}"}}), whole),
        (json!({"method": "DELETE", "path": "/customers", "query": {"q": "id:{customer.id}"}}), whole),
        (json!({"method": "POST", "path": "/d", "body": {"form": {"q": "id:{customer.id}"}}}), whole),
        (
            json!({"method": "POST", "path": "/d", "body": {"json": {"q": "delete(id: \"{customer.id}\")"}}}),
            whole,
        ),
        (json!({"method": "DELETE", "path": "/customers/x{customer.id}"}), segment),
    ] {
        refused(REQUEST, request, expected);
    }
    for request in [
        json!({"method": "DELETE", "path": "/customers", "query": {"id": "{customer.id}"}}),
        json!({"method": "POST", "path": "/d", "body": {"form": {"id": "{customer.id}"}}}),
        json!({"method": "PATCH", "path": "/d", "body": {"json": {"ids": ["gid://x/{customer.id}"]}}}),
    ] {
        assert_eq!(told(&[(REQUEST, request)]), [""; 0]);
    }
    // An id that is a number in a body is one like any other.
    let numbers = ("/customerId", json!({"integer": {"min": 1, "max": 99_999}}));
    let post =
        |path: &str| json!({"method": "POST", "path": path, "body": {"json": {"id": "{customer.id:int}"}}});
    assert_eq!(told(&[numbers.clone(), (REQUEST, post("/d"))]), [""; 0]);
    assert_eq!(told(&[numbers, (REQUEST, post(path))]), [twice]);
}

#[test]
fn a_field_has_a_plain_name_and_a_json_body_is_an_object() {
    let path = "/customers/{customer.id}";
    let plain = "must have a plain name: no braces, not `_method`";
    for name in ["_method", "{customer.id}", ""] {
        let query = json!({"method": "DELETE", "path": path, "query": { name: "x" }});
        refused(REQUEST, query, &format!("`delete[0].request.query.{name}`: {plain}"));
        let form = json!({"method": "POST", "path": path, "body": {"form": { name: "x" }}});
        refused(REQUEST, form, &format!("`delete[0].request.body.form.{name}`: {plain}"));
    }
    for body in [json!(["x"]), json!("x"), json!(7)] {
        let request = json!({"method": "POST", "path": path, "body": {"json": body}});
        refused(REQUEST, request, "`delete[0].request.body.json`: must be an object");
    }
}

#[test]
fn a_path_stays_where_it_is_written() {
    for (path, message) in [
        ("customers/{customer.id}", "must start with `/`"),
        ("/c/{customer.id}?force=1", "must not contain '?': values are encoded when they are filled in"),
        ("/c/{customer.id}#x", "must not contain '#': values are encoded when they are filled in"),
        ("/c/%2e%2e/{customer.id}", "must not contain '%': values are encoded when they are filled in"),
        ("/c//{customer.id}", "must not contain `//`"),
        ("/c/../{customer.id}", "must not contain `.` as a segment, nor `..`"),
        (
            "/{host}/{customer.id}",
            "unknown placeholder: there is `{customer.id}` and `{vars.NAME}`; other braces are refused",
        ),
        ("/{vars.host}/{customer.id}", "`{vars.host}` is not captured by `presence`, or not known here"),
        ("/{item.x}/{customer.id}", "`{item.…}` belongs to `prepare`, which is not built yet"),
        ("/c/{customer.id:int}", "`{customer.id:int}` may only be a whole JSON value"),
    ] {
        let expected = format!("`delete[0].request.path`: {message}");
        refused(REQUEST, json!({"method": "DELETE", "path": path}), &expected);
    }
}

#[test]
fn methods_say_what_they_do() {
    let only = "must be GET, or POST with `readOnly: true`; anything else stands only under `delete`";
    refused(
        "/delete/0/request/method",
        json!("GET"),
        "`delete[0].request.method`: must be one of DELETE, POST, PATCH",
    );
    refused(
        "/delete/0/request/readOnly",
        json!(true),
        "`delete[0].request.readOnly`: a deletion does not only read",
    );
    for method in ["DELETE", "PATCH"] {
        for (pointer, field) in
            [("/presence", "presence"), ("/control", "control"), ("/preflight/0", "preflight[0]")]
        {
            let expected = format!("`{field}.request.method`: {only}");
            refused(&format!("{pointer}/request/method"), json!(method), &expected);
        }
    }
    refused(
        "/control/request/method",
        json!("POST"),
        "`control.request.method`: a POST that only reads needs `readOnly: true`",
    );
    refused("/control/request/body", json!({"json": {}}), "`control.request.body`: a GET has no body");
    let search = json!({"method": "POST", "readOnly": true, "path": "/search", "body": {"json": {"id": "{customer.id}"}}});
    assert_eq!(told(&[("/presence/request", search)]), [""; 0]);
}

#[test]
fn reserved_headers_are_refused() {
    for name in [
        "Host",
        "Authorization",
        "Cookie",
        "Content-Length",
        "Content-Type",
        "Transfer-Encoding",
        "Connection",
        "Proxy-Authorization",
        "Accept-Encoding",
        "X-HTTP-Method-Override",
    ] {
        let message = format!("header name '{name}' is reserved");
        refused("/headers", json!({ name: "x" }), &format!("`headers.{name}`: {message}"));
        let expected = format!("`delete[0].request.headers.{name}`: {message}");
        refused("/delete/0/request/headers", json!({ name: "x" }), &expected);
        let key = json!({"header": name, "scope": "Target"});
        let expected = format!("`delete[0].idempotencyKey.header`: {message}");
        refused("/delete/0/idempotencyKey", key, &expected);
    }
    refused("/headers", json!({"X Y": "x"}), "`headers.X Y`: 'X Y' is no name of a header");
    for value in ["a\r\nX-Evil: 1", "a\nb", "é", ""] {
        refused("/headers", json!({ "X-A": value }), "`headers.X-A`: must be visible ASCII");
    }
    refused("/auth/0/header", json!("Host"), "`auth[0].header`: header name 'Host' is reserved");
    refused("/headers", json!({"X-Key": "1"}), "`headers.X-Key`: carries a credential: see `auth`");
    let key = json!({"header": "x-key", "scope": "Target"});
    refused(
        "/delete/0/idempotencyKey",
        key,
        "`delete[0].idempotencyKey.header`: another header has this name",
    );
}

#[test]
fn credentials_have_one_place_each_and_are_never_written_out() {
    let several = "`auth[0]`: must be `header` with `value`, `query` with `value`, or `basic`";
    let braces = "`auth[0].value`: braces hold the name of a credential: letters, digits, `-` and `_`";
    for (auth, expected) in [
        (json!([]), "`auth`: must have at least one entry"),
        (json!([{"header": "X"}]), several),
        (json!([{"header": "X", "query": "y", "value": "{a}"}]), several),
        (json!([{"basic": {"username": "{a}"}, "value": "{a}"}]), several),
        (
            json!([{"header": "X", "value": "secret"}]),
            "`auth[0]`: must name a credential in braces: a credential is never part of a profile",
        ),
        (json!([{"header": "X", "value": "{customer.id}"}]), braces),
        (json!([{"header": "X", "value": "{a"}]), "`auth[0].value`: has a `{` without `}`"),
        (
            json!([{"header": "X", "value": "{a}"}, {"header": "x", "value": "{b}"}]),
            "`auth[1]`: another entry takes the same place",
        ),
        (json!([{"basic": {"username": "a:{a}"}}]), "`auth[0].basic.username`: must not contain `:`"),
        (
            json!([{"basic": {"username": "{a}", "password": "{b}"}, "expect": {"live": "^x"}}]),
            "`auth[0].expect`: is about one credential: this entry names several",
        ),
        (
            json!([{"header": "X", "value": "{a}", "expect": {"live": "("}}]),
            "`auth[0].expect.live`: is not a valid regular expression",
        ),
    ] {
        refused("/auth", auth, expected);
    }
    let query = [
        ("/auth", json!([{"query": "key", "value": "{a}"}])),
        ("/control/request/query", json!({"key": "x"})),
    ];
    assert_eq!(told(&query), ["`control.request.query.key`: carries a credential: see `auth`"]);
}

#[test]
fn the_control_knows_no_customer_and_the_look_is_at_one() {
    refused(
        "/control/request/path",
        json!("/customers/{customer.id}"),
        "`control.request.path`: must not contain `{customer.id}`: there is no customer here",
    );
    refused(
        "/presence/request/path",
        json!("/customers"),
        "`presence.request`: must contain `{customer.id}`: the look is at one customer",
    );
    refused(
        "/presence/request/path",
        json!("/customers/{customer.id}/{vars.version}"),
        "`presence.request.path`: `{vars.version}` is not captured by `presence`, or not known here",
    );
}

#[test]
fn a_condition_that_is_promised_is_carried() {
    refused(
        "/guarantees",
        json!({"conditionalDelete": "IfMatch"}),
        "`delete[0].request.headers`: `conditionalDelete: IfMatch` needs `If-Match: '{vars.NAME}'`",
    );
    refused(
        "/guarantees",
        json!({"conditionalDelete": "Version"}),
        "`delete[0].request`: `conditionalDelete: Version` needs a captured value: `{vars.NAME}`",
    );
    let version = ("/guarantees", json!({"conditionalDelete": "Version"}));
    let query = json!({"version": "{vars.version}"});
    assert_eq!(told(&[version.clone(), ("/delete/0/request/query", query)]), [""; 0]);
    for kind in ["json", "form"] {
        let with = |value: &str| json!({"method": "POST", "path": "/customers/{customer.id}", "body": { kind: {"v": value} }});
        assert_eq!(told(&[version.clone(), (REQUEST, with("{vars.version}"))]), [""; 0], "{kind}");
        let without = told(&[version.clone(), (REQUEST, with("x"))]);
        assert_eq!(
            without,
            ["`delete[0].request`: `conditionalDelete: Version` needs a captured value: `{vars.NAME}`"],
            "{kind}"
        );
    }
}
