//! Profiles as their authors meet them: what is refused at load and in which words, what is accepted, what the hash covers.
#![expect(clippy::unwrap_used, reason = "a profile of a test that cannot be built is a failed test")]

use std::sync::Arc;

use offboarding::{
    api::{Mode, Profile, RequiredState},
    providers::{CredentialNames, LoadedProfile, built_in, built_in_names, load},
};
use serde_json::{Value, json};

const SMALL: &str = r#"
name: small
auth: [{header: X-Key, value: '{key}'}]
finality: HardDelete
erasure: {scope: Full}
control: {request: {path: /customers}, ok: 'response.status == 200'}
presence:
  request: {path: '/customers/{customer.id}'}
  id: 'response.json.id'
  capture: {version: 'response.json.version'}
preflight:
- {name: orders, request: {path: '/orders'}, blockWhen: 'size(items) > 0'}
delete: [{name: delete, request: {method: DELETE, path: '/customers/{customer.id}'}}]
"#;

fn small() -> Value {
    serde_saphyr::from_str(SMALL).unwrap()
}

/// Sets what a JSON pointer names; `null` removes it.
fn set(profile: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let mut at = profile;
    for step in parent.split('/').skip(1) {
        at = match step.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[step],
        };
    }
    match (at, value) {
        (Value::Object(entries), Value::Null) => drop(entries.remove(key)),
        (at @ Value::Array(_), value) => at[key.parse::<usize>().unwrap()] = value,
        (at, value) => at[key] = value,
    }
}

fn loaded(profile: &Value) -> Result<Arc<LoadedProfile>, Vec<String>> {
    let profile: Profile = serde_json::from_value(profile.clone()).unwrap();
    load(&profile).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

/// What is told about the small profile with these changes.
fn told(changes: &[(&str, Value)]) -> Vec<String> {
    let mut profile = small();
    for (pointer, value) in changes {
        set(&mut profile, pointer, value.clone());
    }
    loaded(&profile).err().unwrap_or_default()
}

#[test]
fn the_small_profile_loads() {
    assert_eq!(told(&[]), [""; 0]);
}

const REQUEST: &str = "/delete/0/request";

/// One change, and the whole of what is told about it.
#[track_caller]
fn refused(pointer: &str, value: Value, expected: &str) {
    assert_eq!(told(&[(pointer, value.clone())]), [expected], "{pointer}: {value}");
}

#[test]
fn names_and_times_are_checked() {
    let label = "must be a DNS label: lower-case letters, digits and `-`";
    for name in ["", "A", "a_b", "-a", "a-", &"a".repeat(64)] {
        refused("/name", json!(name), &format!("`name`: {label}"));
    }
    refused("/delete/0/name", json!("Delete"), &format!("`delete[0].name`: {label}"));
    refused("/preflight/0/name", json!("x y"), &format!("`preflight[0].name`: {label}"));
    let wait = "must be more than 0s and at most 720h";
    for span in ["0s", "721h", "999999h"] {
        let guarantee = |name: &str| json!({ name: span });
        refused("/guarantees", guarantee("consistencyLag"), &format!("`guarantees.consistencyLag`: {wait}"));
        refused(
            "/guarantees",
            guarantee("maxRequestLifetime"),
            &format!("`guarantees.maxRequestLifetime`: {wait}"),
        );
    }
    refused(
        "/verify",
        json!({"default": {"deadline": "721h"}}),
        &format!("`verify.default.deadline`: {wait}"),
    );
    refused("/verify", json!({"default": {"interval": "0s"}}), &format!("`verify.default.interval`: {wait}"));
    refused(
        "/verify",
        json!({"default": {"interval": "1h"}}),
        "`verify.default.deadline`: must be at least `verify.default.interval`",
    );
    refused(
        "/verify",
        json!({"default": {"confirmations": 0}}),
        "`verify.default.confirmations`: must be 1 to 10",
    );
    refused(
        "/erasure",
        json!({"scope": "Full", "backupRetention": "0s"}),
        "`erasure.backupRetention`: must be more than 0s and at most 87840h",
    );
    refused(
        "/erasure",
        json!({"scope": "None", "manualStep": {"text": "x", "url": "javascript:1"}}),
        "`erasure.manualStep.url`: must start with https://",
    );
    refused("/effects", json!([" "]), "`effects`: must not contain an empty text");
    refused(
        "/limits",
        json!({"default": {"requestsPerMinute": 0, "burst": 1, "maxInFlight": 1}}),
        "`limits.default`: every limit must be greater than 0",
    );
}

#[test]
fn an_id_pattern_matches_whole_ids() {
    let anchored = "`customerId.pattern`: must be anchored at both ends: `^…$`";
    for pattern in ["a", "^a", "a$", ""] {
        refused("/customerId", json!({ "pattern": pattern }), anchored);
    }
    refused(
        "/customerId",
        json!({"pattern": "^a|b$"}),
        "`customerId.pattern`: must put its alternatives in parentheses: `^(a|b)$`, not `^a|b$`",
    );
    refused(
        "/customerId",
        json!({"pattern": "^(a$"}),
        "`customerId.pattern`: is not a valid regular expression",
    );
    refused(
        "/customerId",
        json!({"integer": {"min": 2, "max": 1}}),
        "`customerId.integer`: `min` must not be more than `max`",
    );
}

#[test]
fn some_ids_are_refused_whatever_the_pattern_says() {
    let mut profile = small();
    set(&mut profile, "/customerId", json!({"pattern": "^(?:.|\n)*$"}));
    let profile = loaded(&profile).unwrap();
    for id in ["", ".", "..", "a/b", "a%2fb", "a\nb", "a\0"] {
        assert!(!profile.accepts_id(id), "{id:?}");
    }
    assert!(profile.accepts_id("a b") && profile.accepts_id("…"));
}

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
fn credential_names_are_required_or_optional() {
    let mut profile = small();
    let auth = json!([
        {"basic": {"username": "{user}", "password": "{password}"}},
        {"header": "X-A", "value": "{tenant}", "optional": true},
        {"header": "X-B", "value": "{user}", "optional": true},
    ]);
    set(&mut profile, "/auth", auth);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let expected = CredentialNames { required: names(&["password", "user"]), optional: names(&["tenant"]) };
    assert_eq!(loaded(&profile).unwrap().credential_names(), expected);
}

#[test]
fn an_expression_that_cannot_work_is_told_with_its_column() {
    for (pointer, expression, expected) in [
        (
            "/presence/absent",
            "response.status = 404",
            "`presence.absent`, column 17: does not compile: Syntax error: token recognition error at: '= '",
        ),
        (
            "/presence/absent",
            "response.status == 404 && respnse.json.x",
            "`presence.absent`, column 27: `respnse` is unknown: there is response, customer, now",
        ),
        (
            "/presence/present",
            "items == []",
            "`presence.present`, column 1: `items` is not known here: there is response, customer, now",
        ),
        (
            "/control/ok",
            "customer.id == ''",
            "`control.ok`, column 1: `customer` is not known here: there is response, now",
        ),
        (
            "/envelope",
            "customer.id == ''",
            "`envelope`, column 1: `customer` is not known here: there is response, now",
        ),
        (
            "/preflight/0/items",
            "items",
            "`preflight[0].items`, column 1: `items` is not known here: there is response, customer, vars, prior, now",
        ),
        (
            "/preflight/0/blockWhen",
            "vars.mail == ''",
            "`preflight[0].blockWhen`, column 5: unknown `vars.mail`: there is `vars.version`",
        ),
        (
            "/preflight/0/blockWhen",
            "items.exists(i, i.s.matches('paid'))",
            "`preflight[0].blockWhen`, column 28: the pattern of `matches` must be anchored at both ends: `^…$`",
        ),
        (
            "/preflight/0/blockWhen",
            "items.exists(i, i.s.matches('^(paid$'))",
            "`preflight[0].blockWhen`, column 28: the pattern of `matches` is not a valid regular expression",
        ),
        (
            "/preflight/0/blockWhen",
            "items.exists(a, items.exists(b, a == b))",
            "`preflight[0].blockWhen`, column 29: inside a loop, no other loop may run over `items` or `response`: it takes too long",
        ),
        (
            "/preflight/0/blockWhen",
            "items.exists(a, a.x.exists(b, b.y.exists(c, c)))",
            "`preflight[0].blockWhen`, column 41: loops must nest at most 2 deep",
        ),
    ] {
        refused(pointer, json!(expression), expected);
    }
    refused(
        "/presence/absent",
        json!(format!("response.text == '{}'", "a".repeat(1_024))),
        "`presence.absent`: must be at most 1024 bytes",
    );
}

#[test]
fn nothing_looks_gone_that_is_only_unreachable() {
    let all = "200, 204, 301, 302, 307, 401, 403, 429, 500, 502, 503, 504";
    for (expression, statuses) in [
        ("true", all),
        ("response.json == null", all),
        ("!has(response.json.id)", all),
        ("!(has(response.json.id) && response.json.id == customer.id)", all),
        ("response.status != 200", "204, 301, 302, 307, 401, 403, 429, 500, 502, 503, 504"),
        ("response.status >= 400", "401, 403, 429, 500, 502, 503, 504"),
        ("response.status in [401, 404]", "401"),
        ("response.status == 403 || response.status == 404", "403"),
        ("response.status == 200", "200"),
        ("response.status == 204", "204"),
        ("response.status == 302", "302"),
        ("response.status == 503 && response.text == ''", "503"),
        ("response.text.contains('Sign in')", all),
        ("size(response.json) == 0", all),
    ] {
        for name in ["absent", "inactive", "tombstoned"] {
            let expected = format!(
                "`presence.{name}`: must be false for a bare answer (no body, {{}}, [] or an HTML page) with status {statuses}"
            );
            refused(&format!("/presence/{name}"), json!(expression), &expected);
        }
    }
    for expression in [
        "response.status in [404, 410]",
        "response.status == 404 && response.json.code == 9",
        "response.status == 200 && !has(response.json.errors) && response.json.data.customer == null",
        "response.status == 200 && has(response.json.isActive) && response.json.isActive == false",
    ] {
        assert_eq!(told(&[("/presence/absent", json!(expression))]), [""; 0], "{expression}");
    }
}

#[test]
fn a_rule_turns_no_refusal_into_a_success() {
    let within = "`classify[0].status`: success must be within 200-299";
    for class in ["Succeeded", "Pending", "Partial"] {
        for status in [100, 199, 300, 302, 401, 404, 409, 500] {
            refused("/classify", json!([{"status": [200, status], "as": class}]), within);
        }
    }
    for status in [301, 401, 403, 407, 408, 429, 500, 503] {
        let expected = format!("`classify[0].status`: {status} must not become `NotFound`");
        refused("/classify", json!([{"status": [status], "as": "NotFound"}]), &expected);
    }
    for (rule, expected) in [
        (
            json!({"status": [200], "as": "NotFound"}),
            "`classify[0].when`: a success becomes `NotFound` only by its body",
        ),
        (
            json!({"status": [200], "as": "Partial"}),
            "`classify[0].as`: `Partial` needs a result that is not built yet",
        ),
        (
            json!({"status": [], "as": "Invalid"}),
            "`classify[0].status`: must name at least one status, each from 100 to 599",
        ),
        (
            json!({"status": [99], "as": "Invalid"}),
            "`classify[0].status`: must name at least one status, each from 100 to 599",
        ),
        (
            json!({"status": [400], "as": "Invalid", "reason": "not a word"}),
            "`classify[0].reason`: must be one word in PascalCase, at most 64 characters",
        ),
        (
            json!({"status": [400], "as": "Invalid", "retryAfter": "1"}),
            "`classify[0].retryAfter`: belongs to `as: RateLimited`",
        ),
        (
            json!({"status": [400], "as": "Invalid", "when": "customer.id == ''"}),
            "`classify[0].when`, column 1: `customer` is not known here: there is response, now",
        ),
    ] {
        refused("/classify", json!([rule]), expected);
    }
}

#[test]
fn lists_are_read_completely_or_not_at_all() {
    let check = |key: &str| format!("/preflight/0/{key}");
    let empty = "`preflight[0].emptyStatuses`: must be within 201-299, without 202 and 206: only their items say whether a list is empty";
    for status in [200, 202, 206, 300, 404] {
        refused(&check("emptyStatuses"), json!([204, status]), empty);
    }
    let one = "`preflight[0].paginate`: exactly one of `cursor`, `page`, `link` and `nextUrl` must be set";
    let cursor = json!({"param": "after", "next": "response.json.after"});
    let page = json!({"param": "page", "start": 1, "sizeParam": "size", "size": 100});
    for paginate in [
        json!({}),
        json!({"link": {}, "cursor": cursor}),
        json!({"page": page, "nextUrl": {"next": "response.text"}}),
    ] {
        refused(&check("paginate"), paginate, one);
    }
    for (paginate, expected) in [
        (json!({"link": {}, "maxPages": 0}), "`preflight[0].paginate.maxPages`: must be 1 to 1000"),
        (json!({"link": {}, "maxItems": 100_001}), "`preflight[0].paginate.maxItems`: must be 1 to 100000"),
        (
            json!({"cursor": {"param": "after", "next": "items.after"}}),
            "`preflight[0].paginate.cursor.next`, column 1: `items` is not known here: there is response, customer, vars, prior, now",
        ),
        (
            json!({"page": {"param": "p", "start": 2, "sizeParam": "s", "size": 1}}),
            "`preflight[0].paginate.page.start`: must be 0 or 1",
        ),
        (
            json!({"page": {"param": "p", "start": 1, "sizeParam": "s", "size": 0}}),
            "`preflight[0].paginate.page.size`: must be 1 to 1000",
        ),
        (
            json!({"page": {"param": "p", "start": 1, "sizeParam": "p", "size": 1}}),
            "`preflight[0].paginate.page.sizeParam`: must differ from `param`",
        ),
    ] {
        refused(&check("paginate"), paginate, expected);
    }
    let taken =
        [(check("request/query"), json!({"after": "x"})), (check("paginate"), json!({ "cursor": cursor }))];
    let taken: Vec<_> = taken.iter().map(|(pointer, value)| (pointer.as_str(), value.clone())).collect();
    assert_eq!(
        told(&taken),
        ["`preflight[0].paginate.cursor.param`: must be a query parameter that nothing else sets"]
    );
}

#[test]
fn fields_that_would_not_be_read_are_refused() {
    for (pointer, field) in [("/control", "control"), ("/presence", "presence"), ("/delete/0", "delete[0]")] {
        for (key, value) in [
            ("items", json!("response.json")),
            ("emptyStatuses", json!([204])),
            ("paginate", json!({"link": {}})),
        ] {
            let expected = format!("`{field}.{key}`: lists are read in `preflight` only");
            refused(&format!("{pointer}/{key}"), value, &expected);
        }
    }
    for (pointer, field) in
        [("/control", "control"), ("/preflight/0", "preflight[0]"), ("/delete/0", "delete[0]")]
    {
        let expected = format!("`{field}.capture`: values are captured by `presence` only");
        refused(&format!("{pointer}/capture"), json!({"x": "response.status"}), &expected);
    }
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
    assert_eq!(told(&[version, ("/delete/0/request/query", json!({"version": "{vars.version}"}))]), [""; 0]);
}

#[test]
fn there_is_one_destructive_step() {
    let step = small()["delete"][0].clone();
    refused("/delete", json!([]), "`delete`: must have one step");
    refused(
        "/delete",
        json!([step, step]),
        "`delete`: more than one step (a deactivation and then a deletion) is not built yet: keep one",
    );
    refused("/delete/0/requires", json!([]), "`delete[0].requires`: must name at least one state");
    refused(
        "/delete/0/keep",
        json!({"a b": "response.status"}),
        "`delete[0].keep.a b`: must have a name of letters, digits and `_`",
    );
    let check = small()["preflight"][0].clone();
    refused("/preflight", json!([check, check]), "`preflight[1].name`: another check has this name");
    refused(
        "/preflight/0/environments",
        json!([]),
        "`preflight[0].environments`: must name at least one environment",
    );
}

#[test]
fn every_problem_is_told_at_once() {
    let problems = told(&[
        ("/name", json!("X")),
        ("/presence/absent", json!("true")),
        ("/delete/0/request/method", json!("GET")),
        ("/headers", json!({"Host": "x"})),
    ]);
    let fields: Vec<_> = problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
    assert_eq!(fields, ["`name`", "`headers.Host`", "`presence.absent`", "`delete[0].request.method`"]);
}

// ——— what is accepted ———

/// Every key and value of `written` that `read` lacks. Lengths of time may be spelled in another way.
fn lost(path: &str, written: &Value, read: &Value) -> Vec<String> {
    match (written, read) {
        (Value::Object(entries), Value::Object(found)) => entries
            .iter()
            .flat_map(|(key, value)| {
                lost(&format!("{path}.{key}"), value, found.get(key).unwrap_or(&Value::Null))
            })
            .collect(),
        (Value::Array(items), Value::Array(found)) if items.len() == found.len() => items
            .iter()
            .zip(found)
            .flat_map(|(item, found)| lost(&format!("{path}[]"), item, found))
            .collect(),
        (Value::String(a), Value::String(b)) if is_same_span(a, b) => Vec::new(),
        _ if written == read => Vec::new(),
        _ => vec![path.to_owned()],
    }
}

fn is_same_span(a: &str, b: &str) -> bool {
    let span = |text: &str| text.parse::<offboarding::api::Span>().ok();
    span(a).is_some() && span(a) == span(b)
}

#[test]
fn no_key_of_a_built_in_profile_is_ignored() {
    assert_eq!(built_in_names(), ["juicyway", "revolv3"]);
    let texts = [
        ("juicyway", include_str!("../src/providers/profiles/juicyway.yaml")),
        ("revolv3", include_str!("../src/providers/profiles/revolv3.yaml")),
    ];
    for (name, text) in texts {
        let written: Value = serde_saphyr::from_str(text).unwrap();
        let read = serde_json::to_value(built_in(name).unwrap().source()).unwrap();
        assert_eq!(lost(name, &written, &read), [""; 0]);
    }
    let misspelled = json!({"blockWhen": "x", "blokWhen": "y"});
    assert_eq!(lost("x", &misspelled, &json!({"blockWhen": "x"})), ["x.blokWhen"], "the comparison itself");
}

#[test]
fn the_built_in_profiles_declare_what_their_providers_do() {
    let juicyway = built_in("juicyway").unwrap();
    let revolv3 = built_in("revolv3").unwrap();
    assert_eq!((juicyway.declared().supports, revolv3.declared().supports), (Mode::Hard, Mode::Soft));
    assert_eq!(juicyway.declared().operation, "DELETE /customers/{customer.id}");
    assert_eq!(revolv3.declared().result().to_string(), "Deactivated");
    assert_eq!(juicyway.declared().result().to_string(), "ErasedWithRetention");
    assert_eq!(juicyway.requires(), [RequiredState::Present]);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let expected = CredentialNames { required: names(&["token"]), optional: names(&["businessId"]) };
    assert_eq!(juicyway.credential_names(), expected);
    assert!(built_in("stripe").is_none());
}

/// The fragments of the provider survey that need nothing that is not built, each laid over the small profile.
const FRAGMENTS: [(&str, &str); 7] = [
    (
        "stripe",
        r#"
auth: [{basic: {username: '{key}', password: ''}}]
presence: {request: {path: '/v1/customers/{customer.id}'}, id: 'response.json.id', fingerprint: ['response.json.created'], present: 'response.status == 200 && !has(response.json.deleted)', tombstoned: 'response.status == 200 && has(response.json.deleted) && response.json.deleted == true', absent: 'response.status == 404 && has(response.json.error)'}
preflight: [{name: subscriptions, request: {path: /v1/subscriptions, query: {customer: '{customer.id}', limit: '100'}}, items: 'response.json.data', blockWhen: 'response.json.has_more || items.exists(s, !(s.status in ["canceled", "incomplete_expired"]))'}]
delete: [{name: delete, request: {method: DELETE, path: '/v1/customers/{customer.id}'}, classify: [{status: [200], when: 'response.json.deleted != true', as: Indeterminate}]}]
"#,
    ),
    (
        "chargebee",
        r#"
presence: {request: {path: '/api/v2/customers/{customer.id}'}, id: 'response.json.customer.id', fingerprint: ['response.json.customer.created_at'], present: 'response.status == 200 && response.json.customer.deleted == false', tombstoned: 'response.status == 200 && response.json.customer.deleted == true', absent: 'response.status == 404 && response.json.api_error_code == "resource_not_found"'}
delete: [{name: delete, request: {method: POST, path: '/api/v2/customers/{customer.id}/delete', body: {form: {delete_payment_method: 'true'}}}, idempotencyKey: {header: chargebee-idempotency-key, scope: Target}}]
verify: {default: {confirmations: 1, interval: 1m, deadline: 2h}}
"#,
    ),
    (
        "scim2",
        r#"
control: {request: {path: /Users, query: {count: '1'}}, ok: 'has(response.json.totalResults)'}
presence: {request: {path: '/Users/{customer.id}'}, id: 'response.json.id', fingerprint: ['response.json.meta.created'], capture: {etag: 'response.json.meta.version'}, present: 'response.status == 200', inactive: 'response.status == 200 && has(response.json.active) && response.json.active == false', absent: 'response.status == 404 && has(response.json.schemas)'}
guarantees: {conditionalDelete: IfMatch}
delete: [{name: delete, requires: [Present, Inactive], request: {method: DELETE, path: '/Users/{customer.id}', headers: {If-Match: '{vars.etag}'}}}]
"#,
    ),
    (
        "hubspot",
        r#"
presence: {request: {path: '/crm/v3/objects/contacts/{customer.id}'}, id: 'response.json.id', present: 'response.status == 200', absent: 'response.status == 404 && has(response.json.category)'}
delete: [{name: gdpr-delete, request: {method: POST, path: /crm/v3/objects/contacts/gdpr-delete, body: {json: {objectId: '{customer.id}'}}}}]
"#,
    ),
    (
        "shopify",
        r#"
presence: {request: {method: POST, readOnly: true, path: /graphql.json, body: {json: {query: 'query($id: ID!) { customer(id: $id) { id createdAt } }', variables: {id: 'gid://shopify/Customer/{customer.id}'}}}}, id: 'response.json.data.customer.id.replace("gid://shopify/Customer/", "")', fingerprint: ['response.json.data.customer.createdAt'], present: 'response.json.data.customer != null', absent: 'response.status == 200 && !has(response.json.errors) && response.json.data.customer == null'}
delete: [{name: delete, request: {method: POST, path: /graphql.json, body: {json: {query: 'mutation($id: ID!) { customerDelete(input: {id: $id}) { userErrors { code } } }', variables: {id: 'gid://shopify/Customer/{customer.id}'}}}}, classify: [{status: [200], when: 'has(response.json.errors) && response.json.errors.exists(e, e.extensions.code == "THROTTLED")', as: RateLimited}, {status: [200], when: 'has(response.json.errors) || size(response.json.data.customerDelete.userErrors) > 0', as: Conflict, reason: UserErrors}]}]
"#,
    ),
    (
        "billwerk-plus",
        r#"
guarantees: {idReuse: Never}
presence: {request: {path: '/v1/customer/{customer.id}'}, id: 'response.json.handle', present: 'response.status == 200 && !has(response.json.deleted)', tombstoned: 'response.status == 200 && has(response.json.deleted)', absent: 'response.status == 404 && response.json.code == 9'}
delete: [{name: delete, request: {method: DELETE, path: '/v1/customer/{customer.id}'}, classify: [{status: [400], when: 'response.json.code == 71', as: NotFound, reason: AlreadyDeleted}, {status: [400], when: 'response.json.code in [32, 33]', as: Conflict, reason: OpenBusiness}]}]
"#,
    ),
    (
        "square",
        r#"
guarantees: {conditionalDelete: Version}
presence: {request: {path: '/v2/customers/{customer.id}'}, id: 'response.json.customer.id', fingerprint: ['response.json.customer.created_at'], capture: {version: 'response.json.customer.version'}, present: 'response.status == 200', absent: 'response.status == 404 && response.json.errors.exists(e, e.code == "NOT_FOUND")'}
delete: [{name: delete, request: {method: DELETE, path: '/v2/customers/{customer.id}', query: {version: '{vars.version}'}}}]
"#,
    ),
];

fn over_small(name: &str, fragment: &str) -> Value {
    let mut profile = small();
    let fragment: Value = serde_saphyr::from_str(fragment).unwrap();
    for (key, value) in fragment.as_object().unwrap() {
        profile[key] = value.clone();
    }
    profile["name"] = json!(name);
    profile
}

#[test]
fn seven_other_providers_load_as_custom_profiles() {
    for (name, fragment) in FRAGMENTS {
        let problems = loaded(&over_small(name, fragment)).err().unwrap_or_default();
        assert_eq!(problems, [""; 0], "{name}");
    }
}

// ——— the hash ———

#[test]
fn the_hash_covers_what_an_approver_agrees_to_and_nothing_else() {
    let hash_of = |pointer: &str, value: Value| {
        let mut profile = small();
        set(&mut profile, pointer, value);
        loaded(&profile).unwrap().hash().to_owned()
    };
    let plain = loaded(&small()).unwrap().hash().to_owned();
    assert!(plain.len() == 71 && plain.starts_with("sha256:"), "{plain}");
    for (pointer, value) in [
        ("/docs", json!(["example.com/docs"])),
        ("/limits", json!({"default": {"requestsPerMinute": 7, "burst": 1, "maxInFlight": 1}})),
        ("/verify", json!({"default": {"deadline": "2h"}})),
        // what is written out is what holds anyway
        ("/envelope", json!("response.json != null")),
        ("/preflight/0/items", json!("response.json")),
        ("/preflight/0/emptyStatuses", json!([204])),
        ("/guarantees", json!({"consistencyLag": "1m"})),
    ] {
        assert_eq!(hash_of(pointer, value), plain, "{pointer}");
    }
    for (pointer, value) in [
        ("/name", json!("other")),
        ("/effects", json!(["removes the profile"])),
        ("/retains", json!(["invoices"])),
        ("/erasure", json!({"scope": "Partial"})),
        ("/guarantees", json!({"consistencyLag": "61s"})),
        ("/verify", json!({"whenPresent": "NotObservable"})),
        ("/presence/absent", json!("response.status == 404")),
        ("/preflight/0/waivable", json!(false)),
        ("/preflight/0/emptyStatuses", json!([])),
        ("/delete/0/request/path", json!("/clients/{customer.id}")),
        ("/auth/0/header", json!("X-Other")),
    ] {
        assert_ne!(hash_of(pointer, value), plain, "{pointer}");
    }
}

/// A change of a built-in profile voids open approvals: the changelog says so, and then these lines change.
#[test]
fn the_built_in_profiles_have_not_changed() {
    let hashes: Vec<_> =
        built_in_names().into_iter().map(|name| built_in(name).unwrap().hash()[..19].to_owned()).collect();
    assert_eq!(hashes, ["sha256:1cc1a818e92e", "sha256:10a4fa882a72"]);
}
