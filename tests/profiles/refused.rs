//! Every rule of the load, broken once: the whole of what is told.

use serde_json::{Value, json};

use super::{small, told};

/// One change, and the whole of what is told about it.
#[track_caller]
pub(crate) fn refused(pointer: &str, value: Value, expected: &str) {
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
    for (pointer, field, max) in [
        ("/guarantees/consistencyLag", "guarantees.consistencyLag", "168h"),
        ("/guarantees/maxRequestLifetime", "guarantees.maxRequestLifetime", "168h"),
        ("/verify/default/interval", "verify.default.interval", "24h"),
        ("/verify/default/deadline", "verify.default.deadline", "2160h"),
        ("/erasure/backupRetention", "erasure.backupRetention", "99999h"),
        ("/erasure/reversibleFor", "erasure.reversibleFor", "99999h"),
    ] {
        let verify =
            ("/verify", json!({"default": {"confirmations": 1, "interval": "1s", "deadline": "2160h"}}));
        let times = [verify, ("/guarantees", json!({}))];
        let with = |span: &str| {
            let mut changes = times.to_vec();
            changes.push((pointer, json!(span)));
            told(&changes)
        };
        let expected = format!("`{field}`: must be more than 0s and at most {max}");
        assert!(with("0s").contains(&expected), "{field}");
        assert_eq!(with(&format!("{max}1s")), [expected], "{field}");
        assert_eq!(with(max), [""; 0], "{field}");
    }
    let verify = |confirmations: i32, interval: &str| json!({"default": {"confirmations": confirmations, "interval": interval, "deadline": "15m"}});
    refused(
        "/verify",
        verify(1, "1h"),
        "`verify.default.deadline`: must be at least `verify.default.interval`",
    );
    refused("/verify", verify(0, "10s"), "`verify.default.confirmations`: must be 1 to 10");
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
            "`preflight[0].blockWhen`, column 29: inside a loop, another loop may run only over what belongs to `a`: each round would go through the rest again",
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
fn the_id_comes_from_the_answer() {
    let expected = "`presence.id`: must come from the answer: for a bare one (no body, {}, [] or an HTML page) it gives the id that was asked for";
    for id in [
        "customer.id",
        "customer.id + ''",
        "has(response.json.id) ? response.json.id : customer.id",
        "response.json == null ? customer.id : response.json.id",
        "response.status == 404 ? customer.id : response.json.id",
        "response.text.contains('Sign in') ? customer.id : response.json.id",
        "now > 4000000000 ? customer.id : response.json.id",
        "int(customer.id)",
    ] {
        refused("/presence/id", json!(id), expected);
    }
    for id in [
        "response.json.id",
        "response.json.filter(r, r.id == customer.id)[0].id",
        "response.json.id.replace('gid://shopify/Customer/', '')",
    ] {
        assert_eq!(told(&[("/presence/id", json!(id))]), [""; 0], "{id}");
    }
}

#[test]
fn only_a_deactivation_may_be_one_that_nobody_can_see() {
    let expected = "`verify.whenPresent`: `NotObservable` belongs to a deletion with `phase: Soft`";
    refused("/verify", json!({"whenPresent": "NotObservable"}), expected);
    let unseen = ("/verify", json!({"whenPresent": "NotObservable"}));
    assert_eq!(told(&[unseen, ("/delete/0/phase", json!("Soft"))]), [""; 0]);
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

/// Row 57, for the error format: whatever fulfils it makes a 404 an absence.
#[test]
fn row_57_an_error_format_that_a_proxys_404_fulfils_is_none() {
    let expected = "`envelope`: must be false for a bare 404 or 410 (no body, or an HTML page): that is no answer of the provider";
    for envelope in [
        "true",
        "response.status == 404",
        "response.status == 410",
        "response.json == null",
        "response.text != ''",
        "now > 0",
    ] {
        refused("/envelope", json!(envelope), expected);
    }
    for envelope in ["response.json != null", "has(response.json.error)", "response.text.startsWith('ERR ')"]
    {
        assert_eq!(told(&[("/envelope", json!(envelope))]), [""; 0], "{envelope}");
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
    let search = json!({"method": "POST", "readOnly": true, "path": "/search", "body": {"json": {}}});
    assert_eq!(
        told(&[("/preflight/0/request", search), ("/preflight/0/paginate", json!({ "cursor": cursor }))]),
        ["`preflight[0].paginate`: only a GET is read page by page"]
    );
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
fn there_is_one_destructive_step() {
    let step = small()["delete"][0].clone();
    refused("/delete", json!([]), "`delete`: must have one step");
    refused(
        "/delete",
        json!([step, step]),
        "`delete`: more than one step (a deactivation and then a deletion) is not built yet: keep one",
    );
    refused("/delete/0/requires", json!([]), "`delete[0].requires`: must name at least one state");
    for states in [json!(["Inactive"]), json!(["Present", "Inactive"])] {
        refused(
            "/delete/0/requires",
            states,
            "`delete[0].requires`: deleting only who is deactivated, or them too, is not built yet: keep `[Present]`",
        );
    }
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
