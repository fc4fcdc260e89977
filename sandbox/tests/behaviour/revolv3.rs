use serde_json::{Value, json};

use crate::scene::{Answer, Scene};

const NOT_FOUND: &str = r#"{"message":"Unable to find an entity with the provided data."}"#;

#[tokio::test]
async fn a_delete_makes_inactive_and_erases_nothing() {
    let scene = Scene::start();
    scene
        .seed("revolv3", "90017", json!({"firstName": "Ada", "subscriptions": [{}], "invoices": [{}]}))
        .await;
    let seen = scene.revolv3("GET", "/api/Customers/90017").await;
    assert_eq!((seen.status, seen.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    assert_eq!((&seen.json["customerId"], &seen.json["firstName"]), (&json!(90017), &json!("Ada")));
    assert_eq!(seen.json.get("isActive"), None);

    let deleted = scene.revolv3("DELETE", "/api/Customers/90017").await;
    assert_eq!((deleted.status, deleted.text.as_str(), deleted.header("content-type")), (200, "", None));
    for method in ["GET", "DELETE", "PUT"] {
        let gone = scene.revolv3(method, "/api/Customers/90017").await;
        assert_eq!((gone.status, gone.text.as_str()), (404, NOT_FOUND), "{method}");
    }
    let truth = scene.truth("revolv3", "90017").await;
    assert_eq!(
        (&truth["exists"], &truth["active"], &truth["personalDataPresent"]),
        (&json!(true), &json!(false), &json!(true))
    );
    assert_eq!(truth["customer"]["invoices"].as_array().unwrap().len(), 1);
    assert_eq!(truth["customer"]["subscriptions"][0]["subscriptionStatusType"], "Current");
    let applied: Vec<_> =
        scene.ledger("method=DELETE").await.iter().map(|entry| entry["applied"].clone()).collect();
    assert_eq!(applied, [true, false]);
}

#[tokio::test]
async fn what_a_read_shows_after_the_delete_is_a_setting() {
    let scene = Scene::start();
    for (id, setting, status, flag) in [
        ("1", "NotFound", 404, Value::Null),
        ("2", "Unchanged", 200, Value::Null),
        ("3", "Flagged", 200, json!(false)),
    ] {
        scene.set("revolv3", json!({"afterDelete": setting})).await;
        scene.seed("revolv3", id, json!({})).await;
        let path = format!("/api/Customers/{id}");
        let before = scene.revolv3("GET", &path).await;
        scene.revolv3("DELETE", &path).await;
        let after = scene.revolv3("GET", &path).await;
        assert_eq!((after.status, &after.json["isActive"]), (status, &flag), "{setting}");
        assert_eq!(setting == "Unchanged", before.text == after.text, "{setting}");
        assert_eq!(scene.revolv3("DELETE", &path).await.status, 404, "{setting}");
    }
}

#[tokio::test]
async fn only_the_token_header_counts() {
    let scene = Scene::start();
    for (header, value, status, credential) in [
        ("x-revolv3-token", "rv3_sandbox", 200, "ok"),
        ("x-revolv3-token", "rv3_live", 401, "otherEnvironment"),
        ("x-revolv3-token", "nonsense", 401, "wrong"),
        ("authorization", "Bearer rv3_sandbox", 401, "absent"),
    ] {
        let request = scene.http.get(format!("{}/api/Invoices/v1", scene.revolv3)).header(header, value);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.status, status, "{header}: {value}");
        assert_eq!(scene.last().await["credential"], credential, "{header}: {value}");
        if status == 401 {
            assert_eq!(answer.text, r#"{"message":"Attempted to perform an unauthorized operation."}"#);
        }
    }
}

#[tokio::test]
async fn an_id_that_is_none_is_a_400() {
    let scene = Scene::start();
    scene.seed("revolv3", "1000000000", json!({})).await;
    for (id, status) in [
        ("1000000000", 200),
        ("7", 404),
        ("0", 400),
        ("1000000001", 400),
        ("abc", 400),
        ("-1", 400),
        ("1%20", 400),
    ] {
        let answer = scene.revolv3("GET", &format!("/api/Customers/{id}")).await;
        assert_eq!(answer.status, status, "{id}");
        if status == 400 {
            assert!(answer.json["errors"][0].is_string(), "{id}");
        }
    }
}

#[tokio::test]
async fn customers_are_listed_by_filter_and_inactive_ones_only_if_set() {
    let scene = Scene::start();
    scene.seed("revolv3", "1", json!({"firstName": "Ada", "merchantCustomerRefId": "m1"})).await;
    scene.seed("revolv3", "2", json!({"firstName": "Bob"})).await;
    scene.revolv3("DELETE", "/api/Customers/2").await;
    let ids = async |query: &str| {
        let list = scene.revolv3("GET", &format!("/api/Customers{query}")).await.json;
        list.as_array()
            .unwrap()
            .iter()
            .map(|customer| customer["customerId"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("").await, [1]);
    assert_eq!(ids("?merchantCustomerRefId=m1&firstName=Ada").await, [1]);
    assert_eq!(ids("?firstName=Bob").await, [0_u64; 0]);
    scene.set("revolv3", json!({"listInactive": true})).await;
    assert_eq!(ids("?firstName=Bob").await, [2]);
}

#[tokio::test]
async fn an_empty_list_of_subscriptions_is_204_or_an_empty_array() {
    let scene = Scene::start();
    scene.seed("revolv3", "1", json!({})).await;
    for (setting, body) in [(204, ""), (200, "[]")] {
        scene.set("revolv3", json!({"emptyList": setting})).await;
        for path in ["/api/Subscriptions", "/api/Customers/1/subscriptions"] {
            let answer = scene.revolv3("GET", path).await;
            assert_eq!((answer.status, answer.text.as_str()), (setting, body), "{path}");
        }
    }
    assert_eq!(scene.revolv3("GET", "/api/Customers/2/subscriptions").await.status, 404);
}

#[tokio::test]
async fn a_subscription_is_cancelled_once_at_once_or_at_the_end_of_its_cycle() {
    let scene = Scene::start();
    let subscriptions = json!([{"subscriptionId": 51}, {"subscriptionId": 52, "subscriptionCancelType": "EndOfCycle"}, {"subscriptionId": 53}]);
    scene.seed("revolv3", "1", json!({"subscriptions": subscriptions})).await;
    for (id, status, word) in [
        (51, 200, json!("Cancelled")),
        (52, 200, json!("PendingCancellation")),
        (51, 400, Value::Null),
        (99, 404, Value::Null),
    ] {
        let answer = scene.revolv3("POST", &format!("/api/Subscriptions/{id}/cancel")).await;
        assert_eq!((answer.status, &answer.json["subscriptionStatus"]), (status, &word), "{id}");
    }
    let entry = &scene.ledger("operation=cancelSubscription").await[0];
    assert_eq!(
        (&entry["customer"], &entry["applied"], &entry["destructive"]),
        (&json!("1"), &json!(true), &json!(false))
    );
    scene.revolv3("DELETE", "/api/Customers/1").await;
    assert_eq!(
        scene.revolv3("POST", "/api/Subscriptions/53/cancel").await.status,
        404,
        "the customer is inactive"
    );
}

#[tokio::test]
async fn a_delete_cancels_subscriptions_only_if_set() {
    let scene = Scene::start();
    scene
        .set(
            "revolv3",
            json!({"cancelsSubscriptions": true, "deleteStatus": 204, "contentType": "application/json"}),
        )
        .await;
    scene.seed("revolv3", "1", json!({"subscriptions": [{}]})).await;
    assert_eq!(scene.revolv3("DELETE", "/api/Customers/1").await.status, 204);
    assert_eq!(
        scene.truth("revolv3", "1").await["customer"]["subscriptions"][0]["subscriptionStatusType"],
        "Cancelled"
    );
    assert_eq!(
        scene.revolv3("GET", "/api/Customers/1").await.header("content-type"),
        Some("application/json")
    );
}

#[tokio::test]
async fn invoices_come_in_pages_of_at_most_a_hundred() {
    let scene = Scene::start();
    let mut invoices = vec![json!({"invoiceStatus": "Paid", "billingDate": "2025-08-08T00:00:00Z"}); 100];
    invoices.push(json!({"invoiceStatus": "Recycle", "merchantInvoiceRefId": "last"}));
    scene.seed("revolv3", "1", json!({"invoices": invoices})).await;
    scene.seed("revolv3", "2", json!({})).await;
    let length = async |path: &str| scene.revolv3("GET", path).await.json.as_array().map(Vec::len);
    for (query, expected) in [
        ("", 100),
        ("?page=2", 1),
        ("?page=3", 0),
        ("?pageSize=40&page=3", 21),
        ("?endDate=2025-08-08", 100),
        ("?startDate=2025-08-09", 1),
    ] {
        assert_eq!(length(&format!("/api/Customers/1/invoices{query}")).await, Some(expected), "{query}");
    }
    assert_eq!(scene.revolv3("GET", "/api/Customers/2/invoices").await.text, "[]", "never 204");
    assert_eq!(length("/api/Invoices/v1?page=1&pageSize=1").await, Some(1));
    assert_eq!(length("/api/Invoices?page=2").await, Some(1));
    let last = &scene.revolv3("GET", "/api/Customers/1/invoices?merchantInvoiceRefId=last").await.json[0];
    assert_eq!((&last["invoiceStatus"], &last["invoiceStatusEnum"]), (&json!("Recycle"), &json!(6)));
    let first = &scene.revolv3("GET", "/api/Customers/1/invoices").await.json[0];
    assert_eq!(first["billingDate"], "08-Aug-25");

    for query in ["page=0", "pageSize=0", "pageSize=101", "page=x", "startDate=soon"] {
        assert_eq!(
            scene.revolv3("GET", &format!("/api/Customers/1/invoices?{query}")).await.status,
            400,
            "{query}"
        );
    }
    assert_eq!(scene.revolv3("GET", "/api/Customers/3/invoices").await.status, 404);
}

#[tokio::test]
async fn both_rate_windows_refuse_and_say_when_only_if_set() {
    let scene = Scene::start();
    scene.set("revolv3", json!({"rateLimit": {"perSecond": 0, "per15m": 2}})).await;
    for status in [200, 200, 429] {
        let answer = scene.revolv3("GET", "/api/Invoices").await;
        assert_eq!((answer.status, answer.header("retry-after")), (status, None));
    }
    scene.set("revolv3", json!({"rateLimit": {"retryAfter": true}})).await;
    let wait: i64 =
        scene.revolv3("GET", "/api/Invoices").await.header("retry-after").unwrap().parse().unwrap();
    assert!((800..=900).contains(&wait), "{wait}");
    scene.advance("15m").await;
    assert_eq!(scene.revolv3("GET", "/api/Invoices").await.status, 200);
}

#[tokio::test]
async fn more_calls_in_a_second_than_allowed_are_refused() {
    let scene = Scene::start();
    scene.set("revolv3", json!({"rateLimit": {"perSecond": 1}})).await;
    let mut refused = 0;
    for _ in 0..20 {
        refused += u32::from(scene.revolv3("GET", "/api/Invoices").await.status == 429);
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn another_method_or_path_is_refused_and_marked() {
    let scene = Scene::start();
    scene.seed("revolv3", "1", json!({})).await;
    for (method, path, status, because) in [
        ("PATCH", "/api/Customers/1", 405, json!(["method PATCH"])),
        ("GET", "/api/customers/1", 404, json!(["unknown path"])),
        ("GET", "/api/Customers/1?expand=all", 200, json!(["query key expand"])),
        ("GET", "/api/Customers/1", 200, json!([])),
    ] {
        assert_eq!(scene.revolv3(method, path).await.status, status, "{method} {path}");
        let entry = scene.last().await;
        assert_eq!(entry["undocumentedBecause"], because, "{method} {path}");
        assert_eq!(entry["undocumented"], because != json!([]), "{method} {path}");
    }
}
