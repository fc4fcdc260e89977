//! OffboardingProvider and customProfile: what is refused at creation, and in which words.

use harness::Failure;
use serde_json::Value;

use crate::{
    CLUSTER_PROVIDERS, PROVIDERS, Server, cluster_providers::cluster_provider, from_yaml, provider, with,
};

const ACCEPTED: &str = "accepted";
pub const JUICYWAY: &str = include_str!("../../src/providers/profiles/juicyway.yaml");

/// Every built-in profile, with its file name.
pub fn built_in() -> Vec<(String, String)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/providers/profiles");
    let files = std::fs::read_dir(directory).unwrap().map(|it| it.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|it| it == "yaml"));
    files.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap())).collect()
}

/// A provider object with a profile of its own.
pub fn custom(profile: &str) -> Value {
    let mut object = with(provider("p"), "profile", "absent");
    object["spec"]["customProfile"] = from_yaml(profile);
    object
}

#[tokio::test]
async fn a_whole_profile_can_be_written_as_data() -> Result<(), Failure> {
    let server = Server::with_the_kinds("profiles").await?;
    let rows = [
        ("a built-in profile", provider("p"), ACCEPTED),
        (
            "both",
            with(custom(JUICYWAY), "profile", "juicyway"),
            "spec: Invalid value: exactly one of `profile` and `customProfile` must be set",
        ),
        (
            "neither",
            with(provider("p"), "profile", "absent"),
            "spec: Invalid value: exactly one of `profile` and `customProfile` must be set",
        ),
        (
            "an empty name",
            with(provider("p"), "profile", "''"),
            "spec.profile: Invalid value: must be the name of a built-in profile, such as revolv3",
        ),
    ];
    let rows = rows.map(|(about, object, due)| (about.to_owned(), object, due));
    server.assert_answers(PROVIDERS, rows).await;
    let built_in = built_in();
    assert!(built_in.len() >= 2, "only {} built-in profiles were found", built_in.len());
    let rows = built_in.into_iter().map(|(file, yaml)| (file, custom(&yaml), ACCEPTED));
    server.assert_answers(PROVIDERS, rows).await;
    Ok(())
}

#[tokio::test]
async fn the_rest_of_a_provider_is_refused_in_words_that_help() -> Result<(), Failure> {
    let server = Server::with_the_kinds("providers").await?;
    let account = "spec.account: Invalid value: must be letters, digits, `-`, `.` and `_`, from a letter or digit to a letter or digit";
    let names = "spec.credentials: Invalid value: names must start with a letter and contain only letters, digits, `_` and `-`";
    let pem = "spec.tls.caBundle: Invalid value: must be PEM certificates (`-----BEGIN CERTIFICATE-----`) and no private key";
    let checks = "spec.checks: Invalid value: must name checks of the profile, such as `wallets: Ignore`";
    let rows = [
        ("no account", "account", "absent", "spec.account: Required value"),
        ("an empty account", "account", "''", account),
        ("an account with a slash", "account", "acct/eu", account),
        ("no environment", "environment", "absent", "spec.environment: Required value"),
        ("another environment", "environment", "staging", "spec.environment: Unsupported value: \"staging\": supported values: \"live\", \"sandbox\""),
        ("no modes", "allowedModes", "[]", "spec.allowedModes: Invalid value: 0: spec.allowedModes in body should have at least 1 items"),
        ("a mode of later", "allowedModes", "[Manual]", "spec.allowedModes[0]: Unsupported value: \"Manual\": supported values: \"Soft\", \"Hard\""),
        ("a mode twice", "allowedModes", "[Soft, Soft]", "spec.allowedModes[1]: Duplicate value: \"Soft\""),
        ("a credential that cannot be named in braces", "credentials", "{'to ken': {secretKeyRef: {name: a, key: b}}}", names),
        ("a credential without a name", "credentials", "{'': {secretKeyRef: {name: a, key: b}}}", names),
        ("a check that cannot be one", "checks", "{'Wallets!': Ignore}", checks),
        ("an answer that a check does not have", "checks", "{wallets: Warn}", "spec.checks.wallets: Unsupported value: \"Warn\": supported values: \"Block\", \"Ignore\""),
        ("row 60: no certificate", "tls", "{caBundle: hello}", pem),
        ("a private key", "tls", "{caBundle: '-----BEGIN CERTIFICATE----- -----BEGIN PRIVATE KEY-----'}", pem),
        ("a negative quorum", "approvals", "{required: -1}", "spec.approvals.required: Invalid value: -1: spec.approvals.required in body should be greater than or equal to 0"),
        ("a quorum of everybody", "approvals", "{required: 11}", "spec.approvals.required: Invalid value: 11: spec.approvals.required in body should be less than or equal to 10"),
        ("row 64: rate 0", "limits", "{requestsPerMinute: 0, burst: 1, maxInFlight: 1}", "spec.limits.requestsPerMinute: Invalid value: 0: spec.limits.requestsPerMinute in body should be greater than or equal to 1"),
        ("row 64: burst 0", "limits", "{requestsPerMinute: 1, burst: 0, maxInFlight: 1}", "spec.limits.burst: Invalid value: 0: spec.limits.burst in body should be greater than or equal to 1"),
        ("row 64: nothing in flight", "limits", "{requestsPerMinute: 1, burst: 1, maxInFlight: 0}", "spec.limits.maxInFlight: Invalid value: 0: spec.limits.maxInFlight in body should be greater than or equal to 1"),
        ("a part of the limits", "limits", "{burst: 1, maxInFlight: 1}", "spec.limits.requestsPerMinute: Required value"),
                ("no confirmation", "verify", "{confirmations: 0, interval: 10s, deadline: 15m}", "spec.verify.confirmations: Invalid value: 0: spec.verify.confirmations in body should be greater than or equal to 1"),
        ("a part of verify", "verify", "{confirmations: 1, interval: 10s}", "spec.verify.deadline: Required value"),
        ("verify that ends before its second look", "verify", "{confirmations: 1, interval: 1m, deadline: 10s}", "spec.verify.deadline: Invalid value: must not be shorter than `interval`"),
        ("a budget without a limit", "budget", "{}", "spec.budget: Invalid value: must have `perHour`, `perDay` or both"),
        ("a budget of nothing", "budget", "{perHour: 0}", "spec.budget.perHour: Invalid value: 0: spec.budget.perHour in body should be greater than or equal to 1"),
        ("a budget without end", "budget", "{perDay: 100001}", "spec.budget.perDay: Invalid value: 100001: spec.budget.perDay in body should be less than or equal to 100000"),
        ("a budget of an hour", "budget", "{perHour: 10000}", ACCEPTED),
        ("both budgets", "budget", "{perHour: 20, perDay: 100}", ACCEPTED),
        ("approval by nobody, written out", "approvals", "{required: 0}", ACCEPTED),
        ("an address range", "allowedCIDRs", "[10.0.0.0/8]", ACCEPTED),
        ("all that identifies", "credentials", "{token: {secretKeyRef: {name: revolv3, key: token}}}", ACCEPTED),
    ]
    .map(|(about, path, value, due)| (about.to_owned(), with(provider("p"), path, value), due));
    server.assert_answers(PROVIDERS, rows).await;
    Ok(())
}

const NO_SPANS: &[&str] = &[
    "",
    "-",
    "-1h",
    "1h-5m",
    "5",
    "1d",
    "3 days",
    "99999999999999999999h",
    "100000h",
    "1s1s1s1s1s",
    "1h ",
    "P1D",
    "1.5h",
];

#[tokio::test]
async fn a_length_of_time_is_neither_negative_nor_zero_nor_endless() -> Result<(), Failure> {
    let server = Server::with_the_kinds("spans").await?;
    let spans = [
        ("recheckInterval", "10s", "168h"),
        ("approvals.maxValidity", "1s", "336h"),
        ("coolingOff", "0s", "2160h"),
        ("verify.interval", "100ms", "24h"),
        ("verify.deadline", "100ms", "2160h"),
        ("customProfile.guarantees.consistencyLag", "0s", "168h"),
        ("customProfile.guarantees.maxRequestLifetime", "0s", "168h"),
        ("customProfile.erasure.backupRetention", "1s", "99999h"),
        ("customProfile.erasure.reversibleFor", "1s", "99999h"),
        ("customProfile.verify.default.interval", "100ms", "24h"),
        ("customProfile.verify.default.deadline", "100ms", "2160h"),
    ];
    for (path, least, most) in spans {
        // Nobody has to agree: else a long `coolingOff` would make the rule about it and `maxValidity` speak as well.
        let mut base = with(custom(JUICYWAY), "approvals", "{required: 0}");
        // The shortest interval and the longest deadline, so that only the rule in question can speak.
        let verify = "{confirmations: 1, interval: 100ms, deadline: 2160h}";
        base = with(with(base, "verify", verify), "customProfile.verify.default", verify);
        let accepted = [least, most].map(|span| (span, true));
        // An interval that is far too long, or a deadline of nothing, would make the rule about both speak as well.
        let endless = (most != "99999h").then_some(if path.ends_with("interval") { "25h" } else { "99999h" });
        let zero = (least != "0s" && !path.ends_with("deadline")).then_some("0s");
        let refused = NO_SPANS.iter().copied().chain(endless).chain(zero).map(|span| (span, false));
        let rows: Vec<_> = accepted.into_iter().chain(refused).map(|(span, is_accepted)| {
            let due = format!(
                "spec.{path}: Invalid value: {span:?}: must be a length of time from {least} to {most}, written like 30s, 15m or 1h30m"
            );
            let due = if is_accepted { ACCEPTED.to_owned() } else { due };
            (format!("row 58: {path}: {span:?}"), with(base.clone(), path, &format!("'{span}'")), due)
        }).collect();
        server
            .assert_answers(
                PROVIDERS,
                rows.iter().map(|(about, object, due)| (about.clone(), object.clone(), due.as_str())),
            )
            .await;
    }
    Ok(())
}

#[tokio::test]
async fn a_cooling_off_time_that_no_approval_outlasts_is_refused() -> Result<(), Failure> {
    let server = Server::with_the_kinds("cooling-off").await?;
    let refused = "spec.coolingOff: Invalid value: must be shorter than `approvals.maxValidity`: no approval would hold until the deletion may be sent";
    let rows = [
        ("shorter", "{maxValidity: 25h}", "24h", ACCEPTED),
        ("as long", "{maxValidity: 24h}", "24h", refused),
        ("longer, in another unit", "{maxValidity: 90m}", "2h", refused),
        ("longer than the default", "{}", "337h", refused),
        ("longer, and nobody has to agree", "{required: 0, maxValidity: 1h}", "2160h", ACCEPTED),
    ];
    for (kind, object) in [(PROVIDERS, provider("it")), (CLUSTER_PROVIDERS, cluster_provider("it"))] {
        let rows = rows.map(|(about, approvals, wait, due)| {
            let object = with(with(object.clone(), "approvals", approvals), "coolingOff", wait);
            (about.to_owned(), object, due)
        });
        server.assert_answers(kind, rows).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_profile_that_cannot_be_right_is_refused() -> Result<(), Failure> {
    let server = Server::with_the_kinds("profile").await?;
    let path = "must start with `/` and contain no `?`, `#`, backslash or space; a placeholder such as `{customer.id}` is a whole segment";
    let presence_path = format!("spec.customProfile.presence.request.path: Invalid value: {path}");
    let dots = "spec.customProfile.presence.request.path: Invalid value: must not contain `//` or `..`";
    let method = "must be GET, or POST with `readOnly: true`: only `delete` changes anything";
    let deletes = "spec.customProfile.delete[0].request.method: Invalid value: must be DELETE, POST or PATCH: a deletion is no read";
    let headers = "must be names of headers with values of printable ASCII; Host, Authorization, Cookie, Content-Length, Transfer-Encoding, Connection and Proxy-* are reserved";
    let read =
        |operation: &str| format!("spec.customProfile.{operation}.request.method: Invalid value: {method}");
    let reserved = format!("spec.customProfile.headers: Invalid value: {headers}");
    let success = "spec.customProfile.classify[0].as: Invalid value: only the statuses 200 to 299 may become Succeeded, Pending or Partial";
    let token = "spec.customProfile.auth[0].value: Invalid value: must name a credential in braces, such as `Bearer {token}`: the credential itself belongs into a Secret";
    let key = "spec.customProfile.auth[0].basic: Invalid value: must name a credential in braces, such as `{key}`: the credential itself belongs into a Secret";
    let auth_header = "spec.customProfile.auth[0].header: Invalid value: must be the name of a header, and not one that HTTP itself needs, such as Host";
    let one_auth =
        "spec.customProfile.auth[0]: Invalid value: exactly one of `header`, `query` and `basic` must be set";
    let (read_control, read_presence, read_check) = (read("control"), read("presence"), read("preflight[0]"));
    let rows = [
        ("row 54: a placeholder in a segment", "presence.request.path", "'/customers/x-{customer.id}'", &*presence_path),
        ("row 54: a placeholder that is none", "presence.request.path", "'/customers/{}'", &*presence_path),
        ("row 54: a query in the path", "presence.request.path", "'/customers?id={customer.id}'", &*presence_path),
        ("a path without a slash", "presence.request.path", "customers", &*presence_path),
        ("an empty path", "presence.request.path", "''", &*presence_path),
        ("a backslash", "presence.request.path", r"'/a\b'", &*presence_path),
        ("two dots", "presence.request.path", "/a/../b", dots),
        ("two slashes", "presence.request.path", "//evil.example.com/a", dots),
        ("an OData placeholder of later", "presence.request.path", "'/Customers({customer.id})'", &*presence_path),
        ("row 55: a deletion by GET", "delete.0.request.method", "GET", deletes),
        ("row 55: a deletion by default", "delete.0.request.method", "absent", deletes),
        ("row 55: HEAD", "delete.0.request.method", "HEAD", "spec.customProfile.delete[0].request.method: Unsupported value: \"HEAD\": supported values: \"GET\", \"POST\", \"PATCH\", \"DELETE\""),
        ("a deletion that only reads", "delete.0.request.readOnly", "true", "spec.customProfile.delete[0].request.readOnly: Invalid value: must not be set: a deletion is no read"),
        ("a control request that deletes", "control.request.method", "DELETE", &*read_control),
        ("a look that posts", "presence.request.method", "POST", &*read_presence),
        ("a check that patches", "preflight.0.request.method", "PATCH", &*read_check),
        ("two steps", "delete", "[{name: a, request: {method: DELETE, path: /a}}, {name: b, request: {method: DELETE, path: /b}}]", "spec.customProfile.delete: Too many: 2: must have at most 1 item"),
        ("no step", "delete", "[]", "spec.customProfile.delete: Invalid value: 0: spec.customProfile.delete in body should have at least 1 items"),
        ("row 56: success by 404", "classify", "[{status: [200, 404], as: Succeeded}]", success),
        ("row 56: success by redirect", "classify", "[{status: [302], as: Pending}]", success),
        ("a pause for something else", "classify", "[{status: [409], as: Conflict, retryAfter: '5'}]", "spec.customProfile.classify[0].retryAfter: Invalid value: belongs to `as: RateLimited`"),
        ("a reason in a sentence", "classify", "[{status: [409], as: Conflict, reason: has invoices}]", "spec.customProfile.classify[0].reason: Invalid value: must be a word in PascalCase, such as DeletionRestricted"),
        ("a status that is none", "classify", "[{status: [42], as: Conflict}]", "spec.customProfile.classify[0].status[0]: Invalid value: 42: spec.customProfile.classify[0].status[0] in body should be greater than or equal to 100"),
        ("row 63: Host", "headers", "{Host: evil.example.com}", &*reserved),
        ("row 63: authorization in lower case", "headers", "{authorization: x}", &*reserved),
        ("row 63: Content-Length", "headers", "{Content-Length: '0'}", &*reserved),
        ("row 63: Transfer-Encoding", "headers", "{Transfer-Encoding: chunked}", &*reserved),
        ("row 63: Connection", "headers", "{Connection: close}", &*reserved),
        ("row 63: a line break in a value", "headers", r#"{X-A: "a\r\nHost: b"}"#, &*reserved),
        ("row 63: a line break in a name", "headers", r#"{"X-A\r\nHost": b}"#, &*reserved),
        ("no header and no query", "auth", "[{value: '{token}'}]", one_auth),
        ("a credential as Host", "auth", "[{header: host, value: '{token}'}]", auth_header),
        ("a token in clear", "auth", "[{header: Authorization, value: Bearer abc}]", token),
        ("a password in clear", "auth", "[{basic: {username: '{user}', password: abc}}]", key),
        ("basic with a value", "auth", "[{basic: {username: '{key}'}, value: '{token}'}]", "spec.customProfile.auth[0]: Invalid value: `value` belongs to `header` and `query`, and is required there"),
        ("an id pattern without an end", "customerId", "{pattern: '^[0-9]+'}", "spec.customProfile.customerId.pattern: Invalid value: must be anchored: start with `^` and end with `$`"),
        ("no id in between", "customerId", "{integer: {min: 2, max: 1}}", "spec.customProfile.customerId.integer: Invalid value: `min` must not be greater than `max`"),
        ("two ways to page", "preflight.0.paginate", "{link: {}, nextUrl: {next: 'x'}}", "spec.customProfile.preflight[0].paginate: Invalid value: exactly one of `cursor`, `page`, `link` and `nextUrl` must be set"),
        ("two bodies", "delete.0.request.body", "{json: {}, form: {}}", "spec.customProfile.delete[0].request.body: Invalid value: exactly one of `json` and `form` must be set"),
        ("a check twice", "preflight", "[{name: a, request: {path: /a}, blockWhen: 'true'}, {name: a, request: {path: /b}, blockWhen: 'true'}]", "spec.customProfile.preflight[1]: Duplicate value: {\"name\":\"a\"}"),
        ("a captured value that cannot be named", "presence.capture", "{'e-mail address': 'x'}", "spec.customProfile.presence.capture: Invalid value: names must start with a letter and contain only letters, digits, `_` and `-`"),
        ("row 62: an expression over 1,024 bytes", "envelope", &*"x".repeat(1025), "spec.customProfile.envelope: Too long: may not be more than 1024 bytes"),
        ("an address that is not https", "erasure.manualStep", "{text: a, url: 'http://a.example.com'}", "spec.customProfile.erasure.manualStep.url: Invalid value: must use https"),
        ("a search that only reads", "preflight.0.request", "{method: POST, readOnly: true, path: /search, body: {json: {id: '{customer.id}'}}}", ACCEPTED),
        ("basic with an empty password", "auth", "[{basic: {username: '{key}'}}]", ACCEPTED),
        ("a query credential", "auth", "[{query: api_key, value: '{key}'}]", ACCEPTED),
        ("paging by Link", "preflight.0.paginate", "{link: {}}", ACCEPTED),
        ("a deletion by POST", "delete.0.request", "{method: POST, path: '/v1/customers/{customer.id}/delete', body: {form: {a: 'b'}}}", ACCEPTED),
    ]
    .map(|(about, path, value, due)| (about.to_owned(), with(custom(JUICYWAY), &format!("customProfile.{path}"), value), due));
    server.assert_answers(PROVIDERS, rows).await;
    Ok(())
}

#[tokio::test]
async fn a_field_of_later_is_refused_and_not_ignored() -> Result<(), Failure> {
    let server = Server::with_the_kinds("later").await?;
    for (path, value) in [
        ("insecureSkipVerify", "true"), // row 61
        ("tls", "{insecureSkipVerify: true}"),
        ("budget", "{perHour: 20, perWeek: 100}"),
        ("export", "{}"),
        ("allowedNamespaces", "[a]"),
        ("verify", "{confirmations: 1, interval: 10s, deadline: 15m, recheck: [24h]}"),
        ("credentials", "{token: {secretKeyRef: {name: a, key: b, namespace: other}}}"), // R1
        ("customProfile.export", "[]"),
        ("customProfile.prepare", "[]"),
        ("customProfile.verify", "{by: Job}"),
        ("customProfile.delete.0.await", "{}"),
        ("customProfile.auth", "[{oauth2: {tokenPath: /token}}]"),
    ] {
        let answer = server.would_create(PROVIDERS, &with(custom(JUICYWAY), path, value)).await;
        let refused = answer.expect_err(path);
        assert!(
            refused.contains("strict decoding error: unknown field \"spec."),
            "row 61: {path}: {refused}"
        );
    }
    Ok(())
}
