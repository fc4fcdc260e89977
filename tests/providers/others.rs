//! Other providers' shapes, as custom profiles at the scripted listener: GraphQL, tombstones, lists of several pages.

use harness::{Provider as Side, Sandbox};
use offboarding::{api::Environment, providers::Captured};
use serde_json::{Value, json};

use crate::stage::{Caller, Wiring, became, checked, controlled, diary, looked, sandbox};

const SHOPIFY: &str = r#"
name: shopify
auth: [{header: X-Shopify-Access-Token, value: '{token}'}]
finality: HardDelete
erasure: {scope: Full}
control:
  request: {method: POST, readOnly: true, path: /graphql.json, body: {json: {query: '{ shop { id } }'}}}
  ok: 'response.json.data.shop.id != ""'
presence:
  request:
    method: POST
    readOnly: true
    path: /graphql.json
    body: {json: {query: 'query($id: ID!) { customer(id: $id) { id createdAt } }', variables: {id: 'gid://shopify/Customer/{customer.id}'}}}
  id: 'response.json.data.customer.id.replace("gid://shopify/Customer/", "")'
  fingerprint: ['response.json.data.customer.createdAt']
  present: 'response.json.data.customer != null'
  absent: 'response.status == 200 && !has(response.json.errors) && response.json.data.customer == null'
classify:
- {status: [200], when: 'response.json.errors.exists(e, e.extensions.code == "THROTTLED")', as: RateLimited, retryAfter: 'response.json.extensions.cost.restoreIn'}
delete:
- name: delete
  request:
    method: POST
    path: /graphql.json
    body: {json: {query: 'mutation($id: ID!) { customerDelete(input: {id: $id}) { userErrors { code } } }', variables: {id: 'gid://shopify/Customer/{customer.id}'}}}
  classify:
  - {status: [200], when: 'has(response.json.data) && size(response.json.data.customerDelete.userErrors) > 0', as: Conflict, reason: UserErrors}
"#;

const STRIPE: &str = r#"
name: stripe
auth: [{basic: {username: '{token}', password: ''}}]
finality: HardDelete
erasure: {scope: Partial}
control: {request: {path: /v1/balance}, ok: 'response.json.object == "balance"'}
envelope: 'has(response.json.error)'
presence:
  request: {path: '/v1/customers/{customer.id}'}
  id: 'response.json.id'
  fingerprint: ['response.json.created']
  present: 'response.status == 200 && !has(response.json.deleted)'
  tombstoned: 'response.status == 200 && has(response.json.deleted) && response.json.deleted == true'
  absent: 'response.status == 404 && has(response.json.error)'
delete:
- name: delete
  request: {method: DELETE, path: '/v1/customers/{customer.id}'}
  classify: [{status: [200], when: '!has(response.json.deleted) || response.json.deleted != true', as: Indeterminate}]
"#;

/// A profile whose one check is paged so.
fn paged(how: &str) -> String {
    format!(
        r#"
name: paged
auth: [{{header: Authorization, value: 'Bearer {{token}}'}}]
finality: HardDelete
erasure: {{scope: Full}}
control: {{request: {{path: /customers}}, ok: 'response.status == 200'}}
presence: {{request: {{path: '/customers/{{customer.id}}'}}, id: 'response.json.id'}}
preflight:
- {{name: orders, request: {{path: /orders}}, items: 'response.json.orders', blockWhen: 'items.exists(o, o != "paid")', paginate: {how}}}
delete: [{{name: delete, request: {{method: DELETE, path: '/customers/{{customer.id}}'}}}}]
"#
    )
}

/// The scripted listener gives these answers to everything, one after the other.
async fn script(sandbox: &Sandbox, answers: &[Value]) {
    sandbox.set_script(&json!([{"match": {}, "answers": answers}])).await.unwrap();
    sandbox.clear_ledger().await.unwrap();
}

fn ok(body: Value) -> Value {
    json!({"status": 200, "body": body})
}

// ——— GraphQL: 200 means anything ———

#[tokio::test]
async fn what_graphql_says_of_a_deletion_under_200_is_read() {
    let sandbox = sandbox().await;
    let throttled = |more: Value| {
        let mut body = json!({"errors": [{"extensions": {"code": "THROTTLED"}}]});
        body["extensions"] = more;
        body
    };
    let user_errors = |errors: Value| json!({"data": {"customerDelete": {"userErrors": errors}}});
    for (body, outcome, pause) in [
        (user_errors(json!([])), "Accepted", None),
        (user_errors(json!([{"code": "CUSTOMER_HAS_ORDERS"}])), "Rejected Conflict/UserErrors", None),
        (throttled(json!({"cost": {"restoreIn": 90}})), "Unknown RateLimited/RateLimited", Some(80..=90)),
        (
            throttled(json!({"cost": {"restoreIn": 1e12}})),
            "Unknown RateLimited/RateLimited",
            Some(3590..=3600),
        ),
        (throttled(json!({})), "Unknown RateLimited/RateLimited", Some(0..=2)),
    ] {
        script(&sandbox, &[ok(body.clone())]).await;
        let shopify = Wiring::scripted(&sandbox, SHOPIFY).connect();
        let sent = shopify.send("7", &Captured::nothing()).await;
        assert_eq!((became(&sent.outcome).as_str(), sent.http_status), (outcome, Some(200)), "{body}");
        assert_paused(&shopify, pause);
        assert_eq!(diary(&sandbox, Side::Scripted).await, ["POST /graphql.json 200"]);
    }
}

#[tokio::test]
async fn what_graphql_says_to_a_look_under_200_is_read() {
    let sandbox = sandbox().await;
    let throttled =
        json!({"errors": [{"extensions": {"code": "THROTTLED"}}], "extensions": {"cost": {"restoreIn": 90}}});
    let customer = |id: &str| json!({"data": {"customer": {"id": id, "createdAt": "2024-01-01T00:00:00Z"}}});
    for (body, look, pause) in [
        (customer("gid://shopify/Customer/7"), "Present", None),
        (customer("gid://shopify/Customer/8"), "Unknown Invalid/OtherCustomer", None),
        (json!({"data": {"customer": null}}), "Absent", None),
        (
            json!({"data": {"customer": null}, "errors": [{}]}),
            "Unknown Indeterminate/UntrustedResponse",
            None,
        ),
        (json!({"errors": [{"message": "no"}]}), "Unknown Indeterminate/UntrustedResponse", None),
        (json!({"data": {}}), "Unknown Indeterminate/UntrustedResponse", None),
        (throttled, "Unknown RateLimited/RateLimited", Some(80..=90)),
    ] {
        script(&sandbox, &[ok(body.clone())]).await;
        let shopify = Wiring::scripted(&sandbox, SHOPIFY).connect();
        assert_eq!(looked(&shopify.look("7").await.verdict), look, "{body}");
        assert_paused(&shopify, pause.clone());
        if pause.is_some() {
            assert_eq!(controlled(&shopify.control().await), "Bad RateLimited/Paused");
        }
        assert_eq!(diary(&sandbox, Side::Scripted).await.len(), 1);
    }
}

#[track_caller]
fn assert_paused(caller: &Caller, expected: Option<std::ops::RangeInclusive<u64>>) {
    let pause = caller.limiter.paused_for().map(|pause| pause.as_secs());
    match (&expected, pause) {
        (None, None) => (),
        (Some(range), Some(seconds)) if range.contains(&seconds) => (),
        _ => panic!("paused for {pause:?}, not {expected:?}"),
    }
}

// ——— tombstones ———

#[tokio::test]
async fn a_stripe_customer_leaves_a_tombstone() {
    let sandbox = sandbox().await;
    let living = ok(json!({"id": "{customer}", "object": "customer", "created": 1_700_000_000}));
    let tombstone = ok(json!({"id": "{customer}", "object": "customer", "deleted": true}));
    let rules = json!([
        {"match": {"method": "GET", "path": "/v1/balance"}, "answers": [ok(json!({"object": "balance"}))]},
        {"match": {"method": "GET", "path": "/v1/customers/{customer}"}, "answers": [living, tombstone]},
        {"match": {"method": "DELETE", "path": "/v1/customers/{customer}"}, "answers": [tombstone]},
    ]);
    sandbox.set_script(&rules).await.unwrap();
    let stripe = Wiring::scripted(&sandbox, STRIPE).connect();
    let before = stripe.look("cus_7").await;
    assert_eq!(looked(&before.verdict), "Present");
    assert_eq!(became(&stripe.send("cus_7", &before.captured).await.outcome), "Accepted");
    assert_eq!(looked(&stripe.look("cus_7").await.verdict), "Tombstoned");
    assert_eq!(controlled(&stripe.control().await), "Good");
    let asked = [
        "GET /v1/customers/cus_7 200",
        "DELETE /v1/customers/cus_7 200",
        "GET /v1/customers/cus_7 200",
        "GET /v1/balance 200",
    ];
    assert_eq!(diary(&sandbox, Side::Scripted).await, asked);
}

#[tokio::test]
async fn only_a_tombstone_of_this_customer_is_one() {
    let sandbox = sandbox().await;
    let untrusted = "Unknown Indeterminate/UntrustedResponse";
    for (status, body, look, outcome) in [
        (200, json!({"id": "cus_7", "deleted": true}), "Tombstoned", "Accepted"),
        (200, json!({"id": "cus_7", "deleted": false}), untrusted, "Unknown Indeterminate/UnexpectedStatus"),
        (200, json!({"id": "cus_7"}), "Present", "Unknown Indeterminate/UnexpectedStatus"),
        (200, json!({"id": "cus_8", "deleted": true}), "Unknown Invalid/OtherCustomer", "Accepted"),
        (200, json!({"deleted": true}), untrusted, "Accepted"),
        (200, json!({"id": "cus_7", "deleted": "true"}), untrusted, "Unknown Indeterminate/UnexpectedStatus"),
        (202, json!({"id": "cus_7", "deleted": true}), "Unknown Indeterminate/Pending", "Accepted"),
        (404, json!({"error": {}}), "Absent", "Unknown NotFound/AlreadyGone"),
        (404, json!({"deleted": true}), untrusted, untrusted),
    ] {
        script(&sandbox, &[json!({"status": status, "body": body, "repeat": 0})]).await;
        let stripe = Wiring::scripted(&sandbox, STRIPE).connect();
        assert_eq!(looked(&stripe.look("cus_7").await.verdict), look, "{status} {body}");
        let sent = stripe.send("cus_7", &Captured::nothing()).await;
        assert_eq!(became(&sent.outcome), outcome, "{status} {body}");
    }
}

// ——— lists of several pages ———

#[tokio::test]
async fn a_cursor_is_followed_to_the_page_that_has_none() {
    let sandbox = sandbox().await;
    let page = |orders: &[&str], next: Value| ok(json!({"orders": orders, "paging": {"next": next}}));
    let incomplete = "Failed Indeterminate/IncompleteList";
    for (pages, expected, cursors) in [
        (vec![page(&["paid"], json!(null))], "Clear", vec![""]),
        (vec![page(&["paid"], json!("")), page(&["open"], json!(null))], "Clear", vec![""]),
        (
            vec![page(&["paid"], json!("a b&c")), page(&["open"], json!(null))],
            "Blocks",
            vec!["", "?after=a+b%26c"],
        ),
        (vec![page(&["paid"], json!(7)), page(&["paid"], json!(null))], "Clear", vec!["", "?after=7"]),
        (vec![page(&["open"], json!("a")), page(&[], json!("a"))], incomplete, vec!["", "?after=a"]),
        (
            vec![page(&["paid"], json!("a")), page(&[], json!("b")), page(&[], json!("c"))],
            incomplete,
            vec!["", "?after=a", "?after=b"],
        ), // no more than three
        (vec![page(&["paid"], json!(true))], incomplete, vec![""]),
        (vec![ok(json!({"orders": ["paid"]}))], incomplete, vec![""]), // not shaped as the profile believes
        (vec![page(&["paid"; 6], json!(null))], incomplete, vec![""]), // more than five items
        (
            vec![page(&["paid"], json!("a")), json!({"status": 500})],
            "Failed Transient/ServerError",
            vec!["", "?after=a"],
        ),
        (vec![page(&["paid"], json!("a")), json!({"status": 204})], "Clear", vec!["", "?after=a"]),
    ] {
        script(&sandbox, &pages).await;
        let how = "{cursor: {param: after, next: response.json.paging.next}, maxPages: 3, maxItems: 5}";
        let caller = Wiring::scripted(&sandbox, &paged(how)).connect();
        let checks = caller.checks("7", &Captured::nothing()).await;
        let asked = diary(&sandbox, Side::Scripted).await;
        let asked: Vec<_> = asked.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
        let wanted: Vec<_> = cursors.iter().map(|query| format!("/orders{query}")).collect();
        assert_eq!(
            (checked(&checks[0].verdict).as_str(), asked),
            (expected, wanted.iter().map(String::as_str).collect()),
            "{pages:?}"
        );
    }
}

#[tokio::test]
async fn a_next_address_is_followed_only_below_the_base_url() {
    let sandbox = sandbox().await;
    let base = format!("{}/v1", sandbox.addresses().scripted);
    let elsewhere = format!("{}/v1/orders?page=2", sandbox.addresses().juicyway);
    let insecure = format!("http{}/orders?page=2", base.strip_prefix("https").unwrap());
    let with_user = format!("https://me@{}/orders?page=2", base.strip_prefix("https://").unwrap());
    let incomplete = "Failed Indeterminate/IncompleteList";
    for (next, expected, requests) in [
        (format!("{base}/orders?page=2"), "Blocks", 2),
        ("/v1/orders?page=2".to_owned(), "Blocks", 2),
        ("?page=2".to_owned(), "Blocks", 2),
        ("orders?page=2#end".to_owned(), "Blocks", 2),
        (elsewhere, incomplete, 1),
        (insecure, incomplete, 1),
        (with_user, incomplete, 1),
        ("//127.0.0.1:1/v1/orders".to_owned(), incomplete, 1),
        ("/v2/orders".to_owned(), incomplete, 1),
        ("/v1x/orders".to_owned(), incomplete, 1),
        ("../v2/orders".to_owned(), incomplete, 1),
        ("/v1/%2e%2e/v2/orders".to_owned(), incomplete, 1),
        ("https://".to_owned(), incomplete, 1),
        ("javascript:alert(1)".to_owned(), incomplete, 1),
    ] {
        let first = json!({"orders": ["paid"], "next": next});
        let with_link =
            json!({"status": 200, "body": first, "headers": {"Link": format!("<{next}>; rel=\"next\"")}});
        let last = ok(json!({"orders": ["open"]}));
        for (how, first) in [("{nextUrl: {next: response.json.next}}", ok(first)), ("{link: {}}", with_link)]
        {
            script(&sandbox, &[first, last.clone()]).await;
            let mut wiring = Wiring::scripted(&sandbox, &paged(how));
            wiring.base_url.push_str("/v1");
            let checks = wiring.connect().checks("7", &Captured::nothing()).await;
            assert_eq!(checked(&checks[0].verdict), expected, "{next} in {how}");
            let asked = diary(&sandbox, Side::Scripted).await;
            assert_eq!(asked.len(), requests, "{next} in {how}: {asked:?}");
            assert!(asked.iter().skip(1).all(|line| line == "GET /v1/orders?page=2 200"), "{asked:?}");
            assert_eq!(diary(&sandbox, Side::Juicyway).await, [""; 0], "{next} in {how}");
        }
    }
}

#[tokio::test]
async fn a_list_that_leads_back_to_itself_is_not_complete() {
    let sandbox = sandbox().await;
    let again = json!({"orders": [], "next": "/orders?page=2"});
    let with_link = json!({"status": 200, "body": again, "headers": {"Link": "</orders?page=2>; rel=next"}});
    for (how, page) in [("{nextUrl: {next: response.json.next}}", ok(again)), ("{link: {}}", with_link)] {
        script(&sandbox, &[page]).await;
        let caller = Wiring::scripted(&sandbox, &paged(how)).connect();
        let checks = caller.checks("7", &Captured::nothing()).await;
        assert_eq!(checked(&checks[0].verdict), "Failed Indeterminate/IncompleteList", "{how}");
        assert_eq!(diary(&sandbox, Side::Scripted).await.len(), 2, "{how}");
    }
}

#[tokio::test]
async fn a_pending_payment_of_juicyway_is_found_on_any_page_and_by_nobody_elses() {
    let sandbox = sandbox().await;
    let pending = |count: usize| json!({"payments": vec![json!({"status": "pending"}); count]});
    for (others, ours, with_id, requests, expected) in [
        (0, 0, false, 1, "Clear"),
        (120, 0, false, 2, "Clear"),
        (250, 1, false, 3, "Blocks"),
        (250, 1, true, 3, "Blocks"),
        (2100, 0, false, 20, "Failed Indeterminate/IncompleteList"),
    ] {
        let settings = json!({"environment": "live", "paymentCustomerId": with_id});
        sandbox.reset().await.unwrap();
        sandbox.configure(Side::Juicyway, &settings).await.unwrap();
        sandbox.seed(Side::Juicyway, "cus_2", &pending(others)).await.unwrap();
        sandbox.seed(Side::Juicyway, "cus_1", &pending(ours)).await.unwrap();
        let wiring = Wiring {
            environment: Environment::live,
            token: "live_ok",
            ..Wiring::of(&sandbox, Side::Juicyway)
        };
        let juicyway = wiring.connect();
        let captured = juicyway.look("cus_1").await.captured;
        sandbox.clear_ledger().await.unwrap();
        let checks = juicyway.checks("cus_1", &captured).await;
        assert_eq!(checks[1].name, "pending-payments");
        assert_eq!(checked(&checks[1].verdict), expected, "{others} of others, {ours} of ours");
        assert_eq!(diary(&sandbox, Side::Juicyway).await.len(), 1 + requests);
    }
}
