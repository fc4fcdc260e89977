//! Other providers, as custom profiles: they load, and read answers as these providers mean them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use jiff::Timestamp;
use offboarding::{
    api::Environment,
    domain::{Failure, Sent},
    providers::{Captured, Credentials, CustomerId, PreparedRequest, Provider, Read, Response, Verdict},
};
use serde_json::{Value, json};

use super::{built_in::lost, loaded, small};

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
delete: [{name: delete, request: {method: DELETE, path: '/Users/{customer.id}', headers: {If-Match: '{vars.etag}'}}}]
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

#[test]
fn the_example_of_the_manual_loads_and_no_key_of_it_is_ignored() {
    let manual = include_str!("../../docs/adding-a-provider.md");
    let (_, rest) = manual.split_once("```yaml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let written: Value = serde_saphyr::from_str(example).unwrap();
    let profile = loaded(&written).unwrap();
    assert_eq!(lost("acme-crm", &written, &serde_json::to_value(profile.source()).unwrap()), [""; 0]);
}

/// Answers every read alike.
struct Always(Response);

impl Read for Always {
    fn read(&self, _: PreparedRequest, _: &str) -> BoxFuture<'_, Result<Response, Failure>> {
        Box::pin(async move { Ok(self.0.clone()) })
    }

    fn pause(&self, _: Option<Duration>) {}
}

fn answer(status: u16, json: Value) -> Response {
    let text = json.to_string();
    Response { status, headers: BTreeMap::new(), json: Some(json), body_bytes: text.len(), text, date: None }
}

fn provider(name: &str, response: Response) -> Provider {
    let (_, fragment) = FRAGMENTS.into_iter().find(|(known, _)| *known == name).unwrap();
    let profile = loaded(&over_small(name, fragment)).unwrap();
    let url = "https://api.example.com".parse().unwrap();
    Provider::new(profile, url, Environment::live, BTreeMap::new(), Arc::new(Always(response))).unwrap()
}

fn id() -> CustomerId {
    CustomerId::new("c1".to_owned())
}

async fn look(name: &str, status: u16, json: Value) -> Verdict {
    let credentials = Credentials::new([("key".to_owned(), b"k".to_vec())].into(), "v".to_owned()).unwrap();
    provider(name, answer(status, json)).look(&credentials, &id(), Timestamp::UNIX_EPOCH).await.verdict
}

/// Outcome and cause of an answer to the deletion.
async fn outcome(name: &str, status: u16, json: Value) -> String {
    let (nothing, now) = (Captured::nothing(), Timestamp::UNIX_EPOCH);
    let response = answer(status, json);
    let sent: Sent = provider(name, response.clone()).read_sent(response, &id(), &nothing, now, now).await;
    let cause = sent.outcome.failure().map(|failure| failure.cause.as_str().to_owned());
    format!("{} {}", sent.outcome.word(), cause.unwrap_or_default())
}

#[tokio::test]
async fn a_200_can_mean_three_things_at_shopify() {
    let deleted = json!({"data": {"customerDelete": {"userErrors": []}}});
    let refused = json!({"data": {"customerDelete": {"userErrors": [{"code": "HAS_ORDERS"}]}}});
    let throttled = json!({"errors": [{"extensions": {"code": "THROTTLED"}}]});
    let broken = json!({"errors": [{"message": "x"}]});
    assert_eq!(outcome("shopify", 200, deleted).await, "Accepted ");
    assert_eq!(outcome("shopify", 200, refused).await, "Rejected UserErrors");
    assert_eq!(outcome("shopify", 200, throttled.clone()).await, "Unknown RateLimited");
    assert_eq!(outcome("shopify", 200, broken).await, "Rejected UserErrors");

    let customer = json!({"id": "gid://shopify/Customer/c1", "createdAt": "2026-01-01T00:00:00Z"});
    assert_eq!(look("shopify", 200, json!({"data": {"customer": customer}})).await, Verdict::Present);
    assert_eq!(look("shopify", 200, json!({"data": {"customer": null}})).await, Verdict::Absent);
    for unclear in [
        throttled,
        json!({"data": null}),
        json!({"data": {}}),
        json!({"errors": [], "data": {"customer": null}}),
    ] {
        assert!(matches!(look("shopify", 200, unclear.clone()).await, Verdict::Unknown(_)), "{unclear}");
    }
}

#[tokio::test]
async fn a_400_can_mean_already_deleted_or_blocked_at_billwerk() {
    for (code, expected) in [
        (71, "Unknown AlreadyDeleted"),
        (32, "Rejected OpenBusiness"),
        (33, "Rejected OpenBusiness"),
        (1, "Rejected RequestRefused"),
    ] {
        assert_eq!(outcome("billwerk-plus", 400, json!({ "code": code })).await, expected);
    }
    assert_eq!(
        look("billwerk-plus", 200, json!({"handle": "c1", "deleted": "2026"})).await,
        Verdict::Tombstoned
    );
    assert_eq!(look("billwerk-plus", 404, json!({"code": 9})).await, Verdict::Absent);
    assert!(matches!(look("billwerk-plus", 404, json!({"code": 8})).await, Verdict::Unknown(_)));
}

#[tokio::test]
async fn a_deleted_customer_of_stripe_is_a_tombstone_of_the_same_id() {
    assert_eq!(look("stripe", 200, json!({"id": "c1", "deleted": true})).await, Verdict::Tombstoned);
    assert_eq!(look("stripe", 200, json!({"id": "c1", "created": 1})).await, Verdict::Present);
    for unclear in [
        json!({"id": "c2", "deleted": true}),
        json!({"id": "c1", "deleted": false}),
        json!({"deleted": true}),
    ] {
        assert!(matches!(look("stripe", 200, unclear.clone()).await, Verdict::Unknown(_)), "{unclear}");
    }
    assert_eq!(outcome("stripe", 200, json!({"id": "c1", "deleted": true})).await, "Accepted ");
    assert_eq!(outcome("stripe", 200, json!({"deleted": false})).await, "Unknown UnexpectedStatus");
}
