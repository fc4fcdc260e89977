use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::scene::{Scene, client};

#[tokio::test]
async fn a_customer_put_again_is_another_incarnation_with_the_same_name() {
    let scene = Scene::start();
    scene.seed("juicyway", "cus_1", json!({"firstName": "Ada", "wallets": [{"balance": 1}]})).await;
    scene.seed("revolv3", "7", json!({"firstName": "Ada", "invoices": [{}]})).await;
    let first = scene.truth("juicyway", "cus_1").await;
    scene.seed("juicyway", "cus_1", json!({"lastName": "Byron"})).await;
    scene.seed("revolv3", "7", json!({"lastName": "Byron"})).await;
    let second = scene.truth("juicyway", "cus_1").await;
    assert_ne!(first["customer"]["createdAt"], second["customer"]["createdAt"]);
    for truth in [second, scene.truth("revolv3", "7").await] {
        assert_eq!(truth["incarnation"], 2);
        assert_eq!(
            (&truth["customer"]["firstName"], &truth["customer"]["lastName"]),
            (&json!("Ada"), &json!("Byron"))
        );
    }
    assert_eq!(
        scene.juicyway("GET", "/wallets/all").await.json["data"],
        json!([]),
        "what belonged to the first one is gone"
    );
    assert_eq!(scene.revolv3("GET", "/api/Customers/7/invoices").await.text, "[]");
}

#[tokio::test]
async fn the_ledger_tells_which_incarnation_was_hit() {
    let scene = Scene::start();
    for _ in 0..2 {
        scene.seed("juicyway", "cus_1", json!({})).await;
        scene.juicyway("GET", "/customers/cus_1").await;
        scene.juicyway("DELETE", "/customers/cus_1").await;
    }
    scene.juicyway("DELETE", "/customers/cus_1").await;
    let hit: Vec<Value> = scene
        .ledger("method=DELETE")
        .await
        .iter()
        .map(|entry| json!([entry["applied"], entry["incarnationBefore"], entry["incarnationAfter"]]))
        .collect();
    assert_eq!(json!(hit), json!([[true, 1, null], [true, 2, null], [false, null, null]]));
    let summary = scene.summary().await;
    assert_eq!(summary["customers"][0]["appliedPerIncarnation"], json!({"1": 1, "2": 1}));
    assert_eq!(summary["customers"][0]["destructiveWithoutLook"], 1, "the last one, of somebody absent");
}

#[tokio::test]
async fn an_amended_customer_stays_the_same_incarnation() {
    let scene = Scene::start();
    scene.seed("revolv3", "7", json!({"firstName": "Ada"})).await;
    let truth = scene.admin("PATCH", "revolv3/customers/7", json!({"firstName": "Eve"})).await;
    assert_eq!((&truth["incarnation"], &truth["customer"]["firstName"]), (&json!(1), &json!("Eve")));
    assert_eq!(scene.ask_admin("PATCH", "revolv3/customers/8", json!({})).await.status, 404);
}

#[tokio::test]
async fn a_customer_can_be_deleted_behind_everybodys_back() {
    let scene = Scene::start();
    scene.seed("juicyway", "cus_1", json!({})).await;
    scene.seed("revolv3", "7", json!({})).await;
    scene.admin("DELETE", "juicyway/customers/cus_1", Value::Null).await;
    assert_eq!(scene.juicyway("GET", "/customers/cus_1").await.status, 404);
    let soft = scene.admin("DELETE", "revolv3/customers/7", Value::Null).await;
    assert_eq!((&soft["exists"], &soft["active"]), (&json!(true), &json!(false)));
    let purged = scene.admin("DELETE", "revolv3/customers/7?purge=true", Value::Null).await;
    assert_eq!((&purged["exists"], &purged["personalDataPresent"]), (&json!(false), &json!(false)));
    assert_eq!(scene.ask_admin("DELETE", "revolv3/customers/7", Value::Null).await.status, 404);
}

#[tokio::test]
async fn what_is_not_understood_is_refused() {
    let scene = Scene::start();
    for (method, path, body) in [
        ("PUT", "juicyway/customers/c", json!({"name": "x"})),
        ("PUT", "revolv3/customers/abc", json!({})),
        ("PATCH", "juicyway", json!({"prefix": "/v2"})),
        ("PATCH", "juicyway", json!({"prefx": ""})),
        ("PATCH", "revolv3", json!({"deleteStatus": 202})),
        ("PUT", "faults", json!([{"do": {"kind": "noop", "aply": true}}])),
        ("PUT", "faults", json!([{"do": {"kind": "unheard of"}}])),
        ("PUT", "faults", json!([{"match": {"method": "GET"}, "do": {"kind": "tls", "variant": "expired"}}])),
        ("PUT", "faults", json!([{"do": {"kind": "slow"}}])),
        ("PUT", "faults", json!([{"do": {"kind": "redirect", "status": 302, "to": "elsewhere"}}])),
        ("POST", "clock", json!({"advance": "tomorrow"})),
        ("GET", "ledger?provder=juicyway", Value::Null),
    ] {
        let answer = scene.ask_admin(method, path, body.clone()).await;
        assert_eq!(answer.status, 400, "{method} {path} {body}");
        assert!(answer.json["error"].is_string());
    }
}

#[tokio::test]
async fn settings_are_merged_and_a_null_takes_a_key_away() {
    let scene = Scene::start();
    let settings =
        scene.admin("PATCH", "juicyway", json!({"keys": {"test_ok": null, "test_new": "sandbox"}})).await;
    assert_eq!(settings["keys"], json!({"live_ok": "live", "test_new": "sandbox"}));
    assert_eq!(scene.juicyway("GET", "/customers").await.status, 401);
}

#[tokio::test]
async fn a_reset_leaves_only_the_settings_of_the_start() {
    let scene = Scene::start_with(&["--juicyway", r#"{"authScheme":"raw","wallets":false}"#]);
    scene.seed("juicyway", "cus_1", json!({})).await;
    scene.juicyway("GET", "/customers/cus_1").await;
    scene.set("juicyway", json!({"prefix": "/v1"})).await;
    scene.fault(json!({}), json!({"kind": "noop"})).await;
    scene.advance("24h").await;
    scene.admin("POST", "reset", Value::Null).await;
    assert_eq!(scene.admin("GET", "juicyway/customers", Value::Null).await, json!([]));
    assert_eq!(scene.admin("GET", "faults", Value::Null).await, json!([]));
    assert_eq!(scene.ledger("").await, Vec::<Value>::new());
    let settings = scene.admin("GET", "juicyway", Value::Null).await;
    assert_eq!((&settings["prefix"], &settings["wallets"]), (&json!(""), &json!(false)));
    scene.juicyway("GET", "/customers").await;
    assert_eq!(scene.last().await["seq"], 2, "numbers are not used twice");
}

#[tokio::test]
async fn a_request_from_before_a_reset_deletes_nobody_after_it() {
    let scene = Scene::start();
    scene.seed("juicyway", "cus_1", json!({})).await;
    scene.fault(json!({"method": "DELETE"}), json!({"kind": "latency", "ms": 500})).await;
    let reset = async {
        scene.ledger("method=DELETE&wait=20s").await;
        scene.admin("POST", "reset", Value::Null).await;
        scene.seed("juicyway", "cus_1", json!({})).await;
    };
    let (late, ()) = tokio::join!(scene.juicyway("DELETE", "/customers/cus_1"), reset);
    assert_eq!((late.status, &scene.truth("juicyway", "cus_1").await["exists"]), (503, &json!(true)));
}

#[tokio::test]
async fn a_reader_of_the_ledger_can_wait_for_entries() {
    let scene = Scene::start();
    let started = Instant::now();
    assert_eq!(scene.ledger("wait=200ms&atLeast=1").await.len(), 0);
    assert!(started.elapsed() >= Duration::from_millis(200));
    let (waited, ..) = tokio::join!(
        scene.ledger("method=GET&wait=20s&atLeast=2"),
        scene.juicyway("GET", "/customers"),
        scene.revolv3("GET", "/api/Invoices")
    );
    assert_eq!(waited.len(), 2);
    let first = waited[0]["seq"].as_u64().unwrap();
    assert_eq!(scene.ledger(&format!("since={first}")).await.len(), 1);
    assert_eq!(scene.ledger("provider=revolv3").await.len(), 1);
    assert_eq!(scene.ledger("customer=nobody").await.len(), 0);
    assert!(started.elapsed() < Duration::from_secs(15), "it did not wait for the time to pass");
}

#[tokio::test]
async fn an_answered_request_is_finished_in_the_ledger_before_its_answer_is_read() {
    let scene = Scene::start();
    for _ in 0..50 {
        let answer = scene.juicyway("GET", "/customers").await;
        let entry = scene.last().await;
        assert!(entry["finished"].is_string(), "{entry}");
        assert_eq!(entry["status"], 200);
        assert_eq!(entry["requestId"], answer.header("x-request-id").unwrap());
        assert!(answer.header("date").unwrap().ends_with(" GMT"));
    }
}

#[tokio::test]
async fn overlapping_deletes_of_one_customer_are_counted() {
    let scene = Scene::start();
    scene.seed("juicyway", "cus_1", json!({})).await;
    scene.seed("juicyway", "cus_2", json!({})).await;
    scene
        .fault(json!({"method": "DELETE", "customer": "cus_1"}), json!({"kind": "latency", "ms": 1500}))
        .await;
    let overlapping = async {
        scene.ledger("method=DELETE&wait=20s").await;
        scene.juicyway("DELETE", "/customers/cus_1").await;
        scene.juicyway("DELETE", "/customers/cus_2").await;
    };
    let (slow, ()) = tokio::join!(scene.juicyway("DELETE", "/customers/cus_1"), overlapping);
    assert_eq!(slow.status, 404, "the second one was faster");
    let summary = scene.summary().await;
    let of = |index: usize| {
        (
            summary["customers"][index]["maxConcurrent"].clone(),
            summary["customers"][index]["destructiveApplied"].clone(),
        )
    };
    assert_eq!((of(0), of(1)), ((json!(2), json!(1)), (json!(1), json!(1))));
}

#[tokio::test]
async fn no_credential_is_kept_and_a_stray_one_is_noticed() {
    let scene = Scene::start();
    let request = scene
        .http
        .get(format!("{}/customers?key=test_ok", scene.juicyway))
        .header("Authorization", "test_ok")
        .header("X-Debug", "rv3_live!");
    request.send().await.unwrap();
    let request =
        scene.http.get(format!("{}/v1/x", scene.scripted)).header("Authorization", "Bearer test_ok");
    request.send().await.unwrap();
    let text = scene.ask_admin("GET", "ledger", Value::Null).await.text;
    assert!(!text.contains("test_ok") && !text.contains("rv3_live"), "{text}");
    let entries = scene.ledger("").await;
    assert_eq!(
        entries[0]["leaks"],
        json!(["revolv3 credential in header x-debug", "juicyway credential in query"])
    );
    assert_eq!(
        (&entries[0]["headers"]["authorization"], &entries[0]["query"]),
        (&Value::Null, &json!("key=***"))
    );
    assert_eq!(entries[1]["leaks"], json!(["juicyway credential in header authorization"]));
    let summary = scene.summary().await;
    assert_eq!(
        (
            &summary["providers"]["juicyway"]["leakedCredentials"],
            &summary["providers"]["scripted"]["leakedCredentials"]
        ),
        (&json!(2), &json!(1))
    );
}

#[tokio::test]
async fn the_summary_counts_refusals_reads_after_the_delete_and_unread_customers() {
    let scene = Scene::start();
    for id in ["cus_1", "cus_2"] {
        scene.seed("juicyway", id, json!({})).await;
    }
    scene.juicyway("GET", "/customers/cus_1").await;
    scene.juicyway("DELETE", "/customers/cus_1").await;
    scene.juicyway("DELETE", "/customers/cus_2").await;
    scene.juicyway("GET", "/customers/cus_1").await;
    scene.http.get(format!("{}/customers", scene.juicyway)).send().await.unwrap();
    let summary = scene.summary().await;
    let of = |index: usize| {
        ["destructiveReceived", "destructiveApplied", "destructiveWithoutLook", "readsAfterLastDestructive"]
            .map(|key| summary["customers"][index][key].as_u64().unwrap())
    };
    assert_eq!((of(0), of(1)), ([1, 1, 0, 1], [1, 1, 1, 0]));
    let provider = &summary["providers"]["juicyway"];
    assert_eq!(
        (&provider["unauthorized"], &provider["readsAfterLastDestructive"], &provider["requests"]),
        (&json!(1), &json!(2), &json!(5))
    );
}

#[tokio::test]
async fn connections_are_kept_alive_until_told_to_hang_up() {
    let scene = Scene::start();
    let keeping = client(&scene.ca, 1);
    let get = async || keeping.get(format!("{}/customers", scene.juicyway)).send().await?.bytes().await;
    for _ in 0..3 {
        get().await.unwrap();
    }
    assert_eq!(scene.summary().await["providers"]["juicyway"]["connections"], 1);
    scene.admin("POST", "disconnect", Value::Null).await;
    // a request that meets the closing connection may fail; one of these is the first on a new one
    while scene.summary().await["providers"]["juicyway"]["connections"] == 1 {
        drop(get().await);
    }
}

#[tokio::test]
async fn a_restart_keeps_ledger_customers_and_clock() {
    let directory = std::env::temp_dir().join(format!("sandbox-state-{}", std::process::id()));
    let file = directory.join("state.jsonl");
    std::fs::create_dir_all(&directory).unwrap();
    let path = file.to_str().unwrap().to_owned();
    let mut scene = Scene::start_with(&["--state", &path]);
    scene.seed("juicyway", "cus_1", json!({})).await;
    scene.seed("juicyway", "cus_2", json!({"firstName": "Ada"})).await;
    scene.seed("revolv3", "7", json!({"invoices": [{}]})).await;
    scene.juicyway("DELETE", "/customers/cus_1").await;
    scene.revolv3("DELETE", "/api/Customers/7").await;
    scene.advance("24h").await;
    let (ledger, revolv3) = (scene.ledger("").await, scene.truth("revolv3", "7").await);
    let then = scene.admin("GET", "clock", Value::Null).await["now"].clone();
    assert!(scene.end());
    let torn_by_a_kill = [std::fs::read(&file).unwrap(), b"{\"entry\":{\"seq\":9,\xc3".to_vec()].concat();
    std::fs::write(&file, torn_by_a_kill).unwrap();

    let scene = Scene::start_with(&["--state", &path]);
    assert_eq!(scene.ledger("").await, ledger);
    assert_eq!(scene.truth("revolv3", "7").await, revolv3);
    assert_eq!(scene.juicyway("GET", "/customers/cus_1").await.status, 404);
    assert_eq!(scene.juicyway("GET", "/customers/cus_2").await.json["data"]["first_name"], "Ada");
    assert_eq!(scene.last().await["seq"], 4, "numbers go on");
    let now = scene.admin("GET", "clock", Value::Null).await["now"].clone();
    assert!(now.as_str() > then.as_str(), "{now} {then}");
    drop(scene);

    let scene = Scene::start_with(&["--state", &path]);
    assert_eq!(scene.last().await["seq"], 4, "the torn line is gone from the file");
    drop(scene);
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test]
async fn the_process_ends_when_its_parent_lets_go() {
    let mut scene = Scene::start();
    assert!(scene.end());
}
