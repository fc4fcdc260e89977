//! Provider objects and profiles that cannot be used, or that go away.

use futures::future::join_all;
use harness::Provider::Juicyway;
use serde_json::{Value, json};

use super::{Wrong, everybody_else_goes_on};
use crate::{stage::play, story::condition};

struct Case {
    row: u8,
    name: &'static str,
    spec: Value,
    reason: &'static str,
    message: &'static str,
}

fn profile(row: u8, name: &'static str, profile: Value, message: &'static str) -> Case {
    Case { row, name, spec: json!({"customProfile": profile}), reason: "InvalidProfile", message }
}

/// The step that Juicyway's profile has, changed. A list is merged as a whole.
fn step(request: Value) -> Value {
    json!({"delete": [{"name": "delete", "request": request}]})
}

fn expired_authority() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut wanted = rcgen::CertificateParams::new(vec!["api.example.com".to_owned()]).unwrap();
    wanted.not_after = rcgen::date_time_ymd(2020, 1, 1);
    wanted.not_before = rcgen::date_time_ymd(2019, 1, 1);
    wanted.self_signed(&key).unwrap().pem()
}

fn cases() -> Vec<Case> {
    let delete = |path: &str| json!({"method": "DELETE", "path": path});
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let body = |json: Value| json!({"method": "POST", "path": "/customers/delete", "body": {"json": json}});
    vec![
        Case {
            row: 51,
            name: "forbidden-range",
            spec: json!({"baseUrl": "https://10.1.2.3", "allowedCIDRs": ["10.0.0.0/8"]}),
            reason: "HostNotAllowed",
            message: "spec.baseUrl: host is an IP address that spec.allowedCIDRs, cut to the operator's --allowed-cidrs, does not cover; write the provider's DNS name",
        },
        Case {
            row: 60,
            name: "broken-authority",
            spec: json!({"tls": {"caBundle": broken}}),
            reason: "InvalidProfile",
            message: "spec.tls.caBundle: no valid certificate found",
        },
        Case {
            row: 60,
            name: "expired-authority",
            spec: json!({"tls": {"caBundle": expired_authority()}}),
            reason: "InvalidProfile",
            message: "spec.tls.caBundle: no valid certificate found",
        },
        Case {
            row: 62,
            name: "unknown-check",
            spec: json!({"checks": {"walets": "Ignore"}}),
            reason: "InvalidProfile",
            message: "`spec.checks`: `checks.walets`: the profile has no check of this name",
        },
        profile(
            54,
            "no-id",
            step(delete("/customers")),
            "`spec.customProfile`: `delete[0].request.path`: must contain `{customer.id}` exactly once as a whole segment",
        ),
        profile(
            54,
            "two-ids",
            step(delete("/customers/{customer.id}/{customer.id}")),
            "`spec.customProfile`: `delete[0].request.path`: the request must contain `{customer.id}` exactly once",
        ),
        profile(
            54,
            "unknown-placeholder",
            step(delete("/customers/{customer.name}")),
            "`spec.customProfile`: `delete[0].request.path`: unknown placeholder: there is `{customer.id}` and `{vars.NAME}`; other braces are refused",
        ),
        profile(
            54,
            "id-in-text",
            step(body(json!({"query": "delete where id = {customer.id} or true"}))),
            "`spec.customProfile`: `delete[0].request`: `{customer.id}` must be a whole segment, query value or body value, or the end of a JSON text",
        ),
        profile(
            57,
            "absent-401",
            json!({"presence": {"absent": "response.status == 401"}}),
            "`spec.customProfile`: `presence.absent`: must be false for a bare answer (no body, {}, [] or an HTML page) with status 401",
        ),
        profile(
            57,
            "absent-200",
            json!({"presence": {"absent": "response.status == 200 && !has(response.json.data)"}}),
            "`spec.customProfile`: `presence.absent`: must be false for a bare answer (no body, {}, [] or an HTML page) with status 200",
        ),
        profile(
            57,
            "absent-page",
            json!({"presence": {"absent": "response.text.contains('Sign in')"}}),
            "`spec.customProfile`: `presence.absent`: must be false for a bare answer (no body, {}, [] or an HTML page) with status 200, 204, 301, 302, 307, 401, 403, 429, 500, 502, 503, 504",
        ),
        profile(
            57,
            "inactive-500",
            json!({"presence": {"inactive": "response.status >= 500"}}),
            "`spec.customProfile`: `presence.inactive`: must be false for a bare answer (no body, {}, [] or an HTML page) with status 500, 502, 503, 504",
        ),
        profile(
            62,
            "no-cel",
            json!({"presence": {"absent": "response.status =="}}),
            "`spec.customProfile`: `presence.absent`, column 19: does not compile: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}",
        ),
        profile(
            62,
            "unknown-variable",
            json!({"presence": {"absent": "answer.status == 404"}}),
            "`spec.customProfile`: `presence.absent`, column 1: `answer` is unknown: there is response, customer, now",
        ),
        profile(
            62,
            "no-regex",
            json!({"customerId": {"pattern": "^(unclosed$"}}),
            "`spec.customProfile`: `customerId.pattern`: is not a valid regular expression",
        ),
    ]
}

#[tokio::test]
async fn rows_51_to_63_a_provider_object_that_cannot_be_used_says_which_field_and_asks_nobody() {
    play("objects", async |story| {
        let cases = cases();
        let all = cases.iter().map(async |case| {
            let (name, mut wrong) = (case.name, Wrong::about(case.row, case.name));
            story.provider_as(name, Juicyway, case.spec.clone()).await;
            let target = json!({"targets": [{"name": "billing", "providerRef": {"name": name}}]});
            story.request_with(name, Juicyway, &format!("cus_{name}"), target).await;
            let ready = story
                .wait(&format!("{name}: the provider object says what is wrong"), || async {
                    let ready = condition(&story.provider_status(name).await, "Ready");
                    if ready["reason"].is_string() { Ok(ready) } else { Err(ready) }
                })
                .await;
            wrong.unless_equal(&[&ready["reason"], &ready["message"]], &[case.reason, case.message]);
            let status = story.reason(name, "Waiting", "ProviderUnavailable").await;
            let says = status["waitingFor"].as_str().unwrap().to_owned();
            let expected = format!("provider '{name}' to become ready ({})", case.reason);
            if !says.starts_with(&expected) {
                wrong.unless_equal(&says, &expected);
            }
            wrong.told()
        });
        let (wrong, ()) = futures::join!(join_all(all), everybody_else_goes_on(story));
        assert_eq!(wrong.concat(), [""; 0]);
        let of_juicyway =
            harness::LedgerFilter { provider: Some(Juicyway), ..harness::LedgerFilter::default() };
        assert!(story.sandbox.ledger(&of_juicyway).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn row_59_an_id_that_somebody_else_may_get_is_told_in_the_plan() {
    play("reuse", async |story| {
        story.sandbox.seed(Juicyway, "cus_reuse", &json!({"wallets": [{"balance": 5}]})).await.unwrap();
        let reuse =
            json!({"customProfile": {"guarantees": {"idReuse": "Possible", "conditionalDelete": "None"}}});
        story.provider(Juicyway, reuse).await;
        story.request("acme", Juicyway, "cus_reuse").await;
        let status = story.reason("acme", "Unblocked", "BlockersFound").await;
        let risks = status["plan"]["targets"][0]["risks"].as_array().unwrap();
        let risk =
            "the provider may give this id to somebody else, and cannot be asked to delete only if unchanged";
        assert!(risks.contains(&json!(risk)), "{risks:#?}");
        story.sandbox.seed(Juicyway, "cus_reuse", &json!({})).await.unwrap();
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        assert_eq!(story.deletes(Juicyway, "cus_reuse").await, 1);
    })
    .await;
}

#[tokio::test]
async fn row_65_an_attempt_whose_provider_object_goes_is_settled_when_one_of_its_name_and_account_is_back() {
    play("removed", async |story| {
        for customer in ["cus_lost", "cus_done"] {
            story.sandbox.seed(Juicyway, customer, &json!({})).await.unwrap();
        }
        let cut = |customer: &str, at: &str| json!({"match": {"customer": customer, "method": "DELETE"}, "do": {"kind": "cut", "at": at}});
        let faults = json!([cut("cus_lost", "beforeApply"), cut("cus_done", "afterApply")]);
        story.sandbox.set_faults(&faults).await.unwrap();
        story.provider(Juicyway, json!({})).await;
        for (request, customer) in [("lost", "cus_lost"), ("done", "cus_done")] {
            story.request(request, Juicyway, customer).await;
        }
        for request in ["lost", "done"] {
            story.reason(request, "Deleted", "OutcomeUnknown").await;
        }
        story.remove("OffboardingProvider", "juicyway").await;
        for request in ["lost", "done"] {
            let status = story.reason(request, "Stalled", "ProviderNotFound").await;
            assert_eq!(condition(&status, "Deleted")["reason"], "OutcomeUnknown", "{request}");
        }
        everybody_else_goes_on(story).await;
        story.provider(Juicyway, json!({})).await;
        for (request, customer, deletes) in [("lost", "cus_lost", 2), ("done", "cus_done", 1)] {
            assert_eq!(story.finished(request).await["result"], "ErasedWithRetention", "{request}");
            assert_eq!(story.deletes(Juicyway, customer).await, deletes, "{request}");
        }
    })
    .await;
}
