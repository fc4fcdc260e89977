use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::scene::{Answer, Scene};

/// A Juicyway customer `cus_1`, and one fault for the first DELETE, or for the first GET.
async fn scene_with(method: &str, kind: Value) -> Scene {
    let scene = Scene::start();
    scene.seed("juicyway", "cus_1", json!({})).await;
    scene.fault(json!({"provider": "juicyway", "method": method}), kind).await;
    scene
}

async fn exists(scene: &Scene) -> bool {
    scene.truth("juicyway", "cus_1").await["exists"] == true
}

#[tokio::test]
async fn the_first_fault_that_matches_wins_after_its_skips_and_for_its_times() {
    let scene = Scene::start();
    scene.seed("juicyway", "cus_1", json!({})).await;
    let status = |status: u16| json!({"kind": "status", "status": status});
    let list = json!([
        {"match": {"path": "/customers/*", "customer": "cus_1", "method": "get"}, "skip": 1, "times": 2, "do": status(501)},
        {"match": {"provider": "juicyway", "path": "/**"}, "times": 0, "do": status(502)},
    ]);
    scene.admin("PUT", "faults", list).await;
    let mut seen = Vec::new();
    for path in ["/customers/cus_1", "/customers/cus_1", "/customers", "/customers/cus_1", "/customers/cus_1"]
    {
        seen.push(scene.juicyway("GET", path).await.status);
    }
    assert_eq!(seen, [502, 501, 502, 501, 502]);
    assert_eq!(scene.revolv3("GET", "/api/Invoices").await.status, 200, "another provider");
    let report = scene.admin("GET", "faults", Value::Null).await;
    assert_eq!(
        (&report[0]["seen"], &report[0]["hits"], &report[1]["hits"]),
        (&json!(4), &json!(2), &json!(3))
    );
    assert_eq!(scene.ledger("since=1").await[0]["fault"], "status");
    scene.admin("DELETE", "faults", Value::Null).await;
    assert_eq!(scene.juicyway("GET", "/customers").await.status, 200);
}

#[tokio::test]
async fn a_refused_request_does_not_use_a_fault_up() {
    let scene = scene_with("GET", json!({"kind": "status", "status": 500})).await;
    assert_eq!(
        scene.http.get(format!("{}/customers", scene.juicyway)).send().await.unwrap().status().as_u16(),
        401
    );
    assert_eq!(scene.juicyway("GET", "/nowhere").await.status, 404);
    assert_eq!(scene.juicyway("GET", "/customers").await.status, 500);
}

#[tokio::test]
async fn latency_is_before_or_after_the_effect() {
    for (at, applied_meanwhile) in [("beforeApply", false), ("afterApply", true)] {
        let scene = scene_with("DELETE", json!({"kind": "latency", "ms": 1500, "at": at})).await;
        let meanwhile = async {
            // the ledger is told of the arrival before, and of the effect after, the pause begins
            scene.ledger("method=DELETE&wait=20s").await;
            tokio::time::timeout(Duration::from_millis(700), async { while exists(&scene).await {} })
                .await
                .is_ok()
        };
        let started = Instant::now();
        let (answer, applied) = tokio::join!(scene.juicyway("DELETE", "/customers/cus_1"), meanwhile);
        assert_eq!((answer.status, applied), (204, applied_meanwhile), "{at}");
        assert!(started.elapsed() >= Duration::from_millis(1500), "{at}");
    }
}

#[tokio::test]
async fn a_cut_connection_gives_no_answer_and_the_effect_is_as_told() {
    for how in ["rst", "fin"] {
        for (at, applied, some_bytes, recorded) in [
            ("accept", false, false, false),
            ("beforeApply", false, false, true),
            ("afterApply", true, false, true),
            ("midHeaders", true, true, true),
            ("midBody", true, true, true),
        ] {
            let scene = Scene::start();
            scene.seed("juicyway", "cus_1", json!({})).await;
            scene.fault(json!({"provider": "juicyway"}), json!({"kind": "cut", "at": at, "how": how})).await;
            let failed = scene.send("DELETE", &format!("{}/customers/cus_1", scene.juicyway)).await;
            assert!(failed.is_err(), "{at} {how}: {failed:?}");
            assert_eq!(exists(&scene).await, !applied, "{at} {how}");
            let ledger = scene.ledger("").await;
            assert_eq!(ledger.len(), usize::from(recorded), "{at} {how}");
            for entry in ledger {
                assert_eq!(entry.get("finished"), None, "{at} {how}");
                assert!(entry["ended"].is_string(), "{at} {how}");
                assert_eq!(
                    (&entry["applied"], entry["bytesSent"].as_u64() > Some(0)),
                    (&json!(applied), some_bytes),
                    "{at} {how}"
                );
            }
            let next = scene.juicyway("DELETE", "/customers/cus_1").await;
            assert_eq!(next.status, if applied { 404 } else { 204 }, "{at} {how}: the listener goes on");
        }
    }
}

#[tokio::test]
async fn a_body_can_be_cut_in_the_middle() {
    let scene = scene_with("GET", json!({"kind": "cut", "at": "midBody", "how": "fin"})).await;
    let response = scene.send("GET", &format!("{}/customers/cus_1", scene.juicyway)).await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn a_reset_and_an_end_of_stream_look_different() {
    for (how, reset) in [("rst", true), ("fin", false)] {
        let scene = scene_with("GET", json!({"kind": "cut", "at": "beforeApply", "how": how})).await;
        let error = scene.send("GET", &format!("{}/customers", scene.juicyway)).await.unwrap_err();
        let told = format!("{error:?}");
        assert_eq!(told.contains("ConnectionReset"), reset, "{how}: {told}");
    }
}

#[tokio::test]
async fn slow_answers_take_their_time() {
    for kind in
        [json!({"kind": "slow", "bytesPerSecond": 400}), json!({"kind": "slow", "headerDelay": "150ms"})]
    {
        let scene = scene_with("GET", kind.clone()).await;
        let started = Instant::now();
        assert_eq!(scene.juicyway("GET", "/customers/cus_1").await.status, 200, "{kind}");
        assert!(started.elapsed() >= Duration::from_millis(900), "{kind}: {:?}", started.elapsed());
        assert!(scene.last().await["finished"].is_string());
    }
}

#[tokio::test]
async fn a_client_that_gives_up_is_not_counted_as_answered() {
    let scene = scene_with("DELETE", json!({"kind": "slow", "bytesPerSecond": 20})).await;
    let request =
        scene.http.delete(format!("{}/customers/cus_1", scene.juicyway)).header("Authorization", "test_ok");
    assert!(request.timeout(Duration::from_millis(300)).send().await.unwrap_err().is_timeout());
    let entry = &scene.ledger("ended=true&wait=20s").await[0];
    assert_eq!((entry.get("finished"), &entry["applied"]), (None, &json!(true)));
}

#[tokio::test]
async fn a_bad_certificate_is_refused_by_the_client_and_nothing_is_received() {
    for variant in ["expired", "otherName", "unknownCa"] {
        let scene = Scene::start();
        scene.fault(json!({"provider": "juicyway"}), json!({"kind": "tls", "variant": variant})).await;
        let error = scene.send("GET", &format!("{}/customers", scene.juicyway)).await.unwrap_err();
        let told = format!("{error:?}");
        let expected = match variant {
            "expired" => "Expired",
            "otherName" => "NotValidForName",
            _ => "UnknownIssuer",
        };
        assert!(told.contains(expected), "{variant}: {told}");
        assert_eq!(scene.ledger("").await.len(), 0, "{variant}");
        assert_eq!(
            scene.juicyway("GET", "/customers").await.status,
            200,
            "{variant}: the next connection is good"
        );
    }
}

#[tokio::test]
async fn a_status_is_answered_with_or_without_the_effect() {
    for (status, apply) in [(500, false), (502, true), (503, false), (504, true), (408, false)] {
        let kind = json!({"kind": "status", "status": status, "apply": apply, "headers": {"X-Extra": "1"}, "body": {"a": 1}});
        let scene = scene_with("DELETE", kind).await;
        let answer = scene.juicyway("DELETE", "/customers/cus_1").await;
        assert_eq!(
            (answer.status, answer.json, answer.headers["x-extra"].to_str().unwrap()),
            (status, json!({"a": 1}), "1")
        );
        assert_eq!(exists(&scene).await, !apply, "{status}");
        assert_eq!(scene.last().await["applied"], apply, "{status}");
    }
}

#[tokio::test]
async fn unauthorized_and_forbidden_hit_reads_or_steps_or_both() {
    for (kind, status) in [("unauthorized", 401), ("forbidden", 403)] {
        for (on, read, step) in [("reads", status, 204), ("steps", 200, status), ("both", status, status)] {
            let scene = Scene::start();
            scene.seed("juicyway", "cus_1", json!({})).await;
            scene.admin("PUT", "faults", json!([{"times": 0, "do": {"kind": kind, "on": on}}])).await;
            assert_eq!(scene.juicyway("GET", "/customers/cus_1").await.status, read, "{kind} {on}");
            assert_eq!(scene.juicyway("DELETE", "/customers/cus_1").await.status, step, "{kind} {on}");
        }
    }
}

#[tokio::test]
async fn a_pending_delete_takes_effect_later_or_never() {
    for (kind, gone_in_the_end) in
        [(json!({"kind": "pending", "applyAfter": "1h"}), true), (json!({"kind": "pending"}), false)]
    {
        let scene = scene_with("DELETE", kind).await;
        let accepted = scene.juicyway("DELETE", "/customers/cus_1").await;
        assert_eq!((accepted.status, exists(&scene).await), (202, true));
        assert_eq!(scene.last().await["applied"], false);
        scene.advance("61m").await;
        assert_eq!(exists(&scene).await, !gone_in_the_end);
        let entry = scene.last().await;
        assert_eq!(
            (&entry["applied"], entry["appliedAt"].is_string()),
            (&json!(gone_in_the_end), gone_in_the_end)
        );
    }
}

#[tokio::test]
async fn a_noop_says_done_and_does_nothing() {
    let scene = scene_with("DELETE", json!({"kind": "noop"})).await;
    assert_eq!(scene.juicyway("DELETE", "/customers/cus_1").await.status, 204);
    assert!(exists(&scene).await);
    assert_eq!(scene.last().await["applied"], false);
}

#[tokio::test]
async fn a_redirect_points_to_the_same_path_elsewhere() {
    for status in [301, 302, 303, 307, 308] {
        let scene =
            scene_with("DELETE", json!({"kind": "redirect", "status": status, "to": "scripted"})).await;
        let answer = scene.juicyway("DELETE", "/customers/cus_1?a=1").await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (status, Some(format!("{}/customers/cus_1?a=1", scene.scripted).as_str()))
        );
        assert!(exists(&scene).await);
        assert_eq!(scene.ledger("provider=scripted").await.len(), 0);
    }
    let scene =
        scene_with("GET", json!({"kind": "redirect", "status": 302, "to": "http://169.254.169.254/latest"}))
            .await;
    assert_eq!(
        scene.juicyway("GET", "/customers").await.header("location"),
        Some("http://169.254.169.254/latest")
    );
}

#[tokio::test]
async fn each_rate_limit_variant_tells_the_wait_in_its_own_words() {
    for (variant, header, value) in [
        ("retryAfter", Some("retry-after"), "7"),
        ("retry_after", Some("retry_after"), "7"),
        ("resetDelta", Some("x-ratelimit-reset"), "7"),
        ("huge", Some("retry-after"), "1000000000"),
        ("negative", Some("retry-after"), "-5"),
        ("garbage", Some("retry-after"), "soon"),
        ("bare", None, ""),
        ("body", None, ""),
    ] {
        let scene =
            scene_with("DELETE", json!({"kind": "rateLimit", "variant": variant, "seconds": 7})).await;
        let answer = scene.juicyway("DELETE", "/customers/cus_1").await;
        assert_eq!(answer.status, 429, "{variant}");
        assert_eq!(answer.json["error"]["code"], "rate_limit_exceeded", "{variant}");
        for name in ["retry-after", "retry_after", "x-ratelimit-reset"] {
            let expected = if header == Some(name) { Some(value) } else { None };
            let expected =
                if variant == "garbage" && name == "x-ratelimit-reset" { Some("NaN") } else { expected };
            assert_eq!(answer.header(name), expected, "{variant} {name}");
        }
        assert_eq!(
            answer.json["retry_after"],
            if variant == "body" { json!(7) } else { Value::Null },
            "{variant}"
        );
        assert!(exists(&scene).await, "{variant}");
    }
    for (variant, header, suffix) in [("httpDate", "retry-after", " GMT"), ("reset", "x-ratelimit-reset", "")]
    {
        let scene =
            scene_with("DELETE", json!({"kind": "rateLimit", "variant": variant, "apply": true})).await;
        let answer = scene.juicyway("DELETE", "/customers/cus_1").await;
        let value = answer.header(header).unwrap();
        assert!(value.len() >= 10 && value.ends_with(suffix), "{variant}: {value}");
        assert!(!exists(&scene).await, "{variant} with apply");
    }
}

#[tokio::test]
async fn huge_bodies_are_as_long_as_told() {
    let bytes = 3 << 20;
    let scene = scene_with("GET", json!({"kind": "hugeBody", "bytes": bytes})).await;
    let answer = scene.juicyway("GET", "/customers").await;
    assert_eq!((answer.status, answer.text.len()), (200, bytes));
    assert!(answer.json.is_string());
    assert!(scene.last().await["bytesSent"].as_u64() > Some(bytes as u64));

    let scene = scene_with("GET", json!({"kind": "hugeBody", "bytes": bytes, "encoding": "gzip"})).await;
    let answer = scene.juicyway("GET", "/customers").await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert!(answer.text.len() < 64 << 10);
}

#[tokio::test]
async fn an_endless_body_ends_with_the_client() {
    let scene = scene_with("GET", json!({"kind": "hugeBody", "encoding": "chunkedEndless"})).await;
    let mut response = scene.send("GET", &format!("{}/customers", scene.juicyway)).await.unwrap();
    let mut read = 0;
    while read < 4 << 20 {
        read += response.chunk().await.unwrap().unwrap().len();
    }
    drop(response);
    let entry = &scene.ledger("ended=true&wait=20s").await[0];
    assert_eq!(entry.get("finished"), None);
    assert!(entry["bytesSent"].as_u64() >= Some(4 << 20));
}

#[tokio::test]
async fn headers_can_be_replaced_and_the_rest_stays() {
    let scene = scene_with("GET", json!({"kind": "contentType", "value": "image/png"})).await;
    let answer = scene.juicyway("GET", "/customers/cus_1").await;
    assert_eq!(
        (answer.header("content-type"), &answer.json["data"]["id"]),
        (Some("image/png"), &json!("cus_1"))
    );
    let date = "Thu, 01 Jan 1970 00:00:01 GMT";
    scene.fault(json!({}), json!({"kind": "headers", "set": {"Date": date, "Content-Type": null}})).await;
    let answer = scene.juicyway("GET", "/customers/cus_1").await;
    assert_eq!((answer.header("date"), answer.header("content-type")), (Some(date), None));
}

#[tokio::test]
async fn json_is_spoilt_in_the_way_told_and_the_effect_happens() {
    for (variant, parses) in [
        ("truncated", false),
        ("nan", false),
        ("badUtf8", true), // only because this client replaces what is no UTF-8
        ("utf16", false),
        ("deep", false),
        ("duplicateId", true),
        ("bom", false),
        ("otherId", true),
        ("wrongType", true),
    ] {
        let scene = scene_with("GET", json!({"kind": "json", "variant": variant})).await;
        let answer = scene.juicyway("GET", "/customers/cus_1").await;
        assert_eq!((answer.status, !answer.json.is_null()), (200, parses), "{variant}: {}", answer.text);
    }
    let scene = Scene::start();
    scene.seed("revolv3", "7", json!({})).await;
    for (variant, id) in [("otherId", json!(999_999_999)), ("wrongType", json!("7"))] {
        scene.fault(json!({}), json!({"kind": "json", "variant": variant})).await;
        assert_eq!(scene.revolv3("GET", "/api/Customers/7").await.json["customerId"], id, "{variant}");
    }
    let scene = scene_with("DELETE", json!({"kind": "json", "variant": "truncated"})).await;
    assert_eq!(scene.juicyway("DELETE", "/customers/cus_1").await.status, 200, "204 has no room for a body");
    assert!(!exists(&scene).await);
}

#[tokio::test]
async fn an_html_page_stands_in_for_a_login_or_a_proxy() {
    for status in [200, 404, 502] {
        let scene = scene_with("DELETE", json!({"kind": "html", "status": status})).await;
        let answer = scene.juicyway("DELETE", "/customers/cus_1").await;
        assert_eq!(
            (answer.status, answer.header("content-type"), answer.header("x-ratelimit-limit")),
            (status, Some("text/html; charset=utf-8"), None)
        );
        assert!(answer.text.starts_with("<!doctype html>"));
        assert!(exists(&scene).await);
    }
}

#[tokio::test]
async fn a_lying_404_lies_once_or_about_a_customer_or_about_everything() {
    for (scope, seen) in
        [("once", [404, 200, 200, 200]), ("customer", [404, 404, 200, 200]), ("all", [404, 404, 404, 404])]
    {
        let scene = Scene::start();
        for id in ["cus_1", "cus_2"] {
            scene.seed("juicyway", id, json!({})).await;
        }
        scene.fault(json!({"method": "DELETE"}), json!({"kind": "lie404", "scope": scope})).await;
        let mut statuses = vec![scene.juicyway("DELETE", "/customers/cus_1").await.status];
        for path in ["/customers/cus_1", "/customers/cus_2", "/customers"] {
            statuses.push(scene.juicyway("GET", path).await.status);
        }
        assert_eq!(statuses, seen, "{scope}");
        assert!(exists(&scene).await, "{scope}");
        assert_eq!(scene.revolv3("GET", "/api/Invoices").await.status, 200, "{scope}: another provider");
    }
}

#[tokio::test]
async fn a_lying_404_has_the_envelope_told() {
    for (envelope, content_type) in [
        ("own", Some("application/json; charset=utf-8")),
        ("html", Some("text/html; charset=utf-8")),
        ("empty", None),
    ] {
        let scene = scene_with("GET", json!({"kind": "lie404", "envelope": envelope})).await;
        let answer = scene.juicyway("GET", "/customers/cus_1").await;
        assert_eq!((answer.status, answer.header("content-type")), (404, content_type), "{envelope}");
    }
}

#[tokio::test]
async fn a_stale_read_sees_the_state_of_then() {
    let scene = Scene::start();
    scene.seed("juicyway", "cus_1", json!({})).await;
    scene.seed("revolv3", "7", json!({"firstName": "Ada"})).await;
    scene.advance("1h").await;
    scene.juicyway("DELETE", "/customers/cus_1").await;
    scene.admin("PATCH", "revolv3/customers/7", json!({"firstName": "Eve"})).await;
    scene.admin("PUT", "faults", json!([{"times": 2, "do": {"kind": "stale", "seconds": 60}}])).await;
    assert_eq!(scene.juicyway("GET", "/customers/cus_1").await.status, 200);
    assert_eq!(scene.revolv3("GET", "/api/Customers/7").await.json["firstName"], "Ada");
    assert_eq!(scene.juicyway("GET", "/customers/cus_1").await.status, 404);
    assert_eq!(scene.revolv3("GET", "/api/Customers/7").await.json["firstName"], "Eve");
}

#[tokio::test]
async fn raw_bytes_are_sent_as_they_are() {
    let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 418 Odd\r\nContent-Length: 3\r\n\r\nabc";
    let scene = scene_with("GET", json!({"kind": "raw", "text": text})).await;
    let answer = Answer::of(scene.send("GET", &format!("{}/customers", scene.juicyway)).await.unwrap()).await;
    assert_eq!((answer.status, answer.text.as_str()), (418, "abc"));
    assert_eq!(scene.last().await["bytesSent"], text.len());
}

#[tokio::test]
async fn every_example_of_the_readme_is_accepted() {
    let scene = Scene::start();
    let readme = include_str!("../../README.md");
    let examples: Vec<Value> = readme
        .split('`')
        .filter(|code| code.starts_with(r#"{"kind":"#))
        .map(|code| serde_json::from_str(code).unwrap())
        .collect();
    assert!(examples.len() >= 20, "{}", examples.len());
    for example in examples {
        scene.fault(json!({"provider": "juicyway"}), example).await;
    }
}
