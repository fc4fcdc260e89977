use serde_json::{Value, json};

use crate::scene::{Answer, Scene};

const NOT_FOUND: &str = r#"{"error":{"code":"not_found","message":"Customer not found"}}"#;

async fn with_authorization(scene: &Scene, value: Option<&str>) -> Answer {
    let request = scene.http.get(format!("{}/customers", scene.juicyway));
    let request = value.into_iter().fold(request, |request, value| request.header("Authorization", value));
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_deleted_customer_is_gone_and_its_payments_stay_without_it() {
    let scene = Scene::start();
    scene.seed("juicyway", "cus_1", json!({"payments": [{"status": "settled", "correlationId": "p1"}], "wallets": [{"balance": 5}], "subscriptions": 2})).await;
    let seen = scene.juicyway("GET", "/customers/cus_1").await;
    assert_eq!(
        (seen.status, &seen.json["data"]["id"], &seen.json["data"]["email"]),
        (200, &json!("cus_1"), &json!("cus_1@example.com"))
    );
    assert_eq!(seen.json["data"].get("status"), None, "Juicyway documents no status");

    let deleted = scene.juicyway("DELETE", "/customers/cus_1").await;
    assert_eq!((deleted.status, deleted.text.as_str(), deleted.header("content-type")), (204, "", None));

    for method in ["GET", "DELETE"] {
        let gone = scene.juicyway(method, "/customers/cus_1").await;
        assert_eq!((gone.status, gone.text.as_str()), (404, NOT_FOUND), "{method}");
    }
    assert_eq!(scene.juicyway("GET", "/wallets/all").await.json, json!({"data": []}));
    let payments = scene.juicyway("GET", "/payments").await.json;
    assert_eq!(payments["data"][0]["payment"]["correlation_id"], "p1");
    assert_eq!(payments["data"][0]["payment"]["customer"], Value::Null);
    let truth = scene.truth("juicyway", "cus_1").await;
    assert_eq!((&truth["exists"], &truth["personalDataPresent"]), (&json!(false), &json!(false)));
}

#[tokio::test]
async fn only_the_raw_key_of_the_right_environment_is_accepted() {
    let scene = Scene::start();
    let refusal = json!({"error": {"code": "unauthorized", "message": "Invalid API key", "type": "authentication_error", "details": {}}});
    for (value, status, credential) in [
        (Some("test_ok"), 200, "ok"),
        (None, 401, "absent"),
        (Some("test_no"), 401, "wrong"),
        (Some("live_ok"), 401, "otherEnvironment"),
        (Some("Bearer test_ok"), 401, "bearer"),
        (Some("\"test_ok\""), 401, "wrong"),
    ] {
        let answer = with_authorization(&scene, value).await;
        assert_eq!(answer.status, status, "{value:?}");
        assert_eq!(scene.last().await["credential"], credential, "{value:?}");
        if status == 401 {
            assert_eq!(answer.json, refusal);
        }
    }
}

#[tokio::test]
async fn with_the_bearer_scheme_a_raw_key_is_refused() {
    let scene = Scene::start_with(&["--juicyway", r#"{"authScheme":"bearer"}"#]);
    for (value, status) in
        [("Bearer test_ok", 200), ("test_ok", 401), ("bearer test_ok", 401), ("Bearer  test_ok", 401)]
    {
        assert_eq!(with_authorization(&scene, Some(value)).await.status, status, "{value}");
    }
}

#[tokio::test]
async fn outside_the_prefix_everything_looks_like_a_missing_customer() {
    let scene = Scene::start();
    scene.set("juicyway", json!({"prefix": "/v1"})).await;
    scene.seed("juicyway", "cus_1", json!({})).await;
    for method in ["GET", "DELETE"] {
        let answer = scene.juicyway(method, "/customers/cus_1").await;
        assert_eq!((answer.status, answer.text.as_str()), (404, NOT_FOUND), "{method}");
        let entry = scene.last().await;
        assert_eq!((&entry["undocumented"], &entry["customer"]), (&json!(true), &json!("cus_1")));
    }
    assert_eq!(scene.juicyway("GET", "/v1/customers/cus_1").await.status, 200);

    scene.set("juicyway", json!({"wrongRoute404": "html"})).await;
    let html = scene.juicyway("GET", "/customers").await;
    assert_eq!((html.status, html.header("content-type")), (404, Some("text/html; charset=utf-8")));
}

#[tokio::test]
async fn a_missing_customer_is_told_in_the_configured_envelope() {
    let scene = Scene::start();
    for (setting, content_type, empty) in [
        ("json", Some("application/json; charset=utf-8"), false),
        ("empty", None, true),
        ("html", Some("text/html; charset=utf-8"), false),
    ] {
        scene.set("juicyway", json!({"envelope404": setting})).await;
        let answer = scene.juicyway("GET", "/customers/cus_9").await;
        assert_eq!(
            (answer.status, answer.header("content-type"), answer.text.is_empty()),
            (404, content_type, empty),
            "{setting}"
        );
    }
}

#[tokio::test]
async fn customers_are_listed_newest_first_by_cursor() {
    let scene = Scene::start();
    for (id, day) in [("a", 1), ("b", 2), ("c", 3)] {
        scene.seed("juicyway", id, json!({"createdAt": format!("2024-01-0{day}T00:00:00Z")})).await;
    }
    let page = |answer: &Answer| {
        let ids: Vec<_> =
            answer.json["data"].as_array().unwrap().iter().map(|customer| customer["id"].clone()).collect();
        json!([ids, answer.json["pagination"]])
    };
    for (query, expected) in [
        ("", json!([["c", "b", "a"], {"before": null, "after": null, "limit": 15}])),
        ("?limit=2", json!([["c", "b"], {"before": null, "after": "b", "limit": 2}])),
        ("?limit=2&after=b", json!([["a"], {"before": "a", "after": null, "limit": 2}])),
        ("?limit=1&before=a", json!([["b"], {"before": "b", "after": "b", "limit": 1}])),
        ("?email=b@example.com", json!([["b"], {"before": null, "after": null, "limit": 15}])),
        ("?created_after=2024-01-02T12:00:00Z", json!([["c"], {"before": null, "after": null, "limit": 15}])),
        (
            "?created_before=2024-01-02T00:00:00Z&unknown=1",
            json!([["a"], {"before": null, "after": null, "limit": 15}]),
        ),
    ] {
        assert_eq!(page(&scene.juicyway("GET", &format!("/customers{query}")).await), expected, "{query}");
    }
    for query in ["limit=0", "limit=101", "limit=x", "limit=", "after=nobody", "created_after=yesterday"] {
        let answer = scene.juicyway("GET", &format!("/customers?{query}")).await;
        assert_eq!(
            (answer.status, &answer.json["error"]["code"]),
            (400, &json!("invalid_request")),
            "{query}"
        );
    }
}

#[tokio::test]
async fn payments_are_filtered_by_status_and_show_the_customer_id_only_if_set() {
    let scene = Scene::start();
    scene.seed("juicyway", "cus_1", json!({"payments": [{"status": "pending", "correlationId": "p1"}, {"status": "failed", "correlationId": "p2"}]})).await;
    let open = scene.juicyway("GET", "/payments?status=pending&limit=100").await.json;
    assert_eq!(open["data"].as_array().unwrap().len(), 1);
    let customer = &open["data"][0]["payment"]["customer"];
    assert_eq!((customer.get("id"), &customer["email"]), (None, &json!("cus_1@example.com")));
    scene.set("juicyway", json!({"paymentCustomerId": true})).await;
    let open = scene.juicyway("GET", "/payments?status=pending").await.json;
    assert_eq!(open["data"][0]["payment"]["customer"]["id"], "cus_1");
}

#[tokio::test]
async fn include_and_fields_shape_the_customer() {
    let scene = Scene::start();
    scene
        .seed("juicyway", "cus_1", json!({"payments": [{"correlationId": "p1"}], "paymentMethods": 2}))
        .await;
    let whole = scene.juicyway("GET", "/customers/cus_1?include=transactions,payment_methods").await.json;
    assert_eq!(whole["data"]["transactions"][0]["correlation_id"], "p1");
    assert_eq!(whole["data"]["payment_methods"].as_array().unwrap().len(), 2);
    let narrow = scene.juicyway("GET", "/customers/cus_1?fields=email&version=1").await.json;
    assert_eq!(narrow, json!({"data": {"id": "cus_1", "email": "cus_1@example.com"}}));
}

#[tokio::test]
async fn wallets_are_listed_closed_once_and_can_be_absent() {
    let scene = Scene::start();
    scene.seed("juicyway", "cus_1", json!({"wallets": [{"id": "w1", "balance": 7, "currency": "USD"}, {"id": "w2", "status": "frozen"}]})).await;
    scene.seed("juicyway", "cus_2", json!({"wallets": [{"id": "w3"}]})).await;
    let ids = |answer: Answer| {
        answer.json["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|wallet| wallet["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(scene.juicyway("GET", "/wallets/all?customer_id=cus_1").await), ["w1", "w2"]);
    assert_eq!(ids(scene.juicyway("GET", "/wallets/all?customer_id=cus_1&status=frozen").await), ["w2"]);
    assert_eq!(
        ids(scene.juicyway("GET", "/wallets/transactions?wallet_id=w1&type=credit").await),
        ["wtx_w1"]
    );
    assert_eq!(scene.juicyway("GET", "/wallets/transactions/wtx_w1").await.json["data"]["amount"], 7);
    assert_eq!(
        scene.juicyway("GET", "/wallets/w1").await.json["data"]["balance"],
        json!({"amount": 7, "currency": "USD"})
    );
    assert_eq!(scene.juicyway("GET", "/wallets/w9").await.status, 404);

    let set = async |status: &str| {
        let request = scene
            .http
            .patch(format!("{}/wallets/w1/status", scene.juicyway))
            .header("Authorization", "test_ok");
        request
            .json(&json!({"status": status, "reason": "offboarding"}))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    for (status, expected) in [("gone", 422), ("frozen", 200), ("deleted", 200), ("active", 422)] {
        assert_eq!(set(status).await, expected, "{status}");
    }
    let entry = &scene.ledger("method=PATCH").await[2];
    assert_eq!(
        (&entry["customer"], &entry["applied"], &entry["undocumented"]),
        (&json!("cus_1"), &json!(true), &json!(false))
    );

    scene.set("juicyway", json!({"wallets": false})).await;
    assert_eq!(scene.juicyway("GET", "/wallets/all").await.status, 404);
}

#[tokio::test]
async fn a_restricted_customer_is_a_403_and_open_business_a_409() {
    let scene = Scene::start();
    scene.seed("juicyway", "held", json!({"restricted": true})).await;
    let restricted = scene.juicyway("DELETE", "/customers/held").await;
    assert_eq!((restricted.status, &restricted.json["error"]["code"]), (403, &json!("deletion_restricted")));

    for (dependency, seed, settled) in [
        (
            "pendingPayment",
            json!({"payments": [{"status": "pending"}]}),
            json!({"payments": [{"status": "settled"}]}),
        ),
        ("subscription", json!({"subscriptions": 1}), json!({"subscriptions": 0})),
        (
            "walletBalance",
            json!({"wallets": [{"balance": 1}]}),
            json!({"wallets": [{"balance": 1, "status": "deleted"}]}),
        ),
    ] {
        scene.seed("juicyway", dependency, seed).await;
        scene.set("juicyway", json!({"conflictOn": [dependency]})).await;
        let path = format!("/customers/{dependency}");
        let conflict = scene.juicyway("DELETE", &path).await;
        assert_eq!(
            (conflict.status, &conflict.json["error"]["code"]),
            (409, &json!("deletion_conflict")),
            "{dependency}"
        );
        assert_eq!(scene.truth("juicyway", dependency).await["exists"], true);
        scene.admin("PATCH", &format!("juicyway/customers/{dependency}"), settled).await;
        assert_eq!(scene.juicyway("DELETE", &path).await.status, 204, "{dependency}");
    }
}

#[tokio::test]
async fn reads_lag_behind_deletion_and_creation() {
    let scene = Scene::start();
    scene.set("juicyway", json!({"visibilityLag": "30s", "createLag": "20s"})).await;
    scene.seed("juicyway", "cus_1", json!({})).await;
    assert_eq!(scene.juicyway("GET", "/customers/cus_1").await.status, 404, "not visible yet");
    scene.advance("20s").await;
    assert_eq!(scene.juicyway("GET", "/customers/cus_1").await.status, 200);
    assert_eq!(scene.juicyway("DELETE", "/customers/cus_1").await.status, 204);
    assert_eq!(scene.juicyway("GET", "/customers/cus_1").await.status, 200, "still visible");
    assert_eq!(scene.juicyway("GET", "/customers").await.json["data"].as_array().unwrap().len(), 1);
    assert_eq!(scene.juicyway("DELETE", "/customers/cus_1").await.status, 404, "a write sees the truth");
    scene.advance("30s").await;
    assert_eq!(scene.juicyway("GET", "/customers/cus_1").await.status, 404);
}

#[tokio::test]
async fn a_full_window_is_a_429_until_it_ends_and_every_answer_tells_what_is_left() {
    let scene = Scene::start();
    scene.set("juicyway", json!({"rateLimit": {"limit": 2, "window": "1h"}})).await;
    for (status, remaining) in [(200, "1"), (200, "0"), (429, "0")] {
        let answer = scene.juicyway("GET", "/customers").await;
        assert_eq!(
            (answer.status, answer.header("x-ratelimit-remaining"), answer.header("x-ratelimit-limit")),
            (status, Some(remaining), Some("2"))
        );
        if status == 429 {
            let wait: i64 = answer.header("retry_after").unwrap().parse().unwrap();
            assert!((3500..=3600).contains(&wait), "{wait}");
            assert_eq!(answer.json["error"]["type"], "rate_limit_error");
        }
    }
    let elsewhere = scene.juicyway("GET", "/nowhere").await;
    assert!(elsewhere.header("x-ratelimit-reset").is_some(), "also on a 404");
    assert!(
        with_authorization(&scene, Some("nobody")).await.header("x-ratelimit-reset").is_some(),
        "also on a 401"
    );
    scene.advance("1h").await;
    assert_eq!(scene.juicyway("GET", "/customers").await.status, 200);
}

#[tokio::test]
async fn a_body_and_an_idempotency_key_on_delete_are_ignored_and_recorded() {
    let scene = Scene::start();
    scene.seed("juicyway", "cus_1", json!({})).await;
    let request =
        scene.http.delete(format!("{}/customers/cus_1", scene.juicyway)).header("Authorization", "test_ok");
    let answer = request.header("Idempotency-Key", "key-1").body("abc").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 204);
    let entry = scene.last().await;
    assert_eq!(entry["idempotencyKey"], "key-1");
    assert_eq!(entry["bodySha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!((&entry["undocumented"], &entry["undocumentedBecause"]), (&json!(true), &json!(["body"])));
}
