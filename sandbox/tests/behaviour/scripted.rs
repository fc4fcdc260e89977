use serde_json::json;

use crate::scene::Scene;

#[tokio::test]
async fn answers_follow_the_script_and_the_last_one_stays() {
    let scene = Scene::start();
    let rules = json!([
        {"match": {"method": "GET", "path": "/v1/jobs/*"}, "answers": [
            {"status": 404, "repeat": 2},
            {"status": 200, "headers": {"X-Job": "7"}, "body": {"state": "done"}},
        ]},
        {"match": {"method": "DELETE", "path": "/v1/customers/{customer}"}, "answers": [{"status": 202, "body": {"deleted": "{customer}"}}]},
    ]);
    scene.admin("PUT", "scripted", rules).await;
    for (status, body) in [(404, ""), (404, ""), (200, r#"{"state":"done"}"#), (200, r#"{"state":"done"}"#)] {
        let answer = scene.scripted("GET", "/v1/jobs/7").await;
        assert_eq!((answer.status, answer.text.as_str()), (status, body));
    }
    let deleted = scene.scripted("DELETE", "/v1/customers/c%207").await;
    assert_eq!((deleted.status, &deleted.json["deleted"]), (202, &json!("c%207")));
    let entry = scene.last().await;
    assert_eq!(
        (&entry["provider"], &entry["customer"], &entry["destructive"], &entry["applied"]),
        (&json!("scripted"), &json!("c%207"), &json!(true), &json!(true))
    );

    let unknown = scene.scripted("GET", "/elsewhere").await;
    assert_eq!((unknown.status, &scene.last().await["undocumented"]), (404, &json!(true)));
}

#[tokio::test]
async fn a_rule_can_tell_graphql_queries_apart_by_their_body() {
    let scene = Scene::start();
    let rules = json!([
        {"match": {"method": "POST", "path": "/graphql", "body": "customerDelete"}, "destructive": true,
         "answers": [{"status": 200, "body": {"data": {"customerDelete": {"userErrors": [{"message": "no"}]}}}}]},
        {"match": {"path": "/graphql"}, "answers": [{"status": 200, "body": "plain text", "repeat": 0}]},
    ]);
    scene.admin("PUT", "scripted", rules).await;
    let post = async |body: &'static str| {
        let sent = scene.http.post(format!("{}/graphql", scene.scripted)).body(body).send().await.unwrap();
        sent.text().await.unwrap()
    };
    assert!(post("mutation { customerDelete }").await.contains("userErrors"));
    assert_eq!(scene.last().await["destructive"], true);
    assert_eq!(post("{ shop { name } }").await, "plain text");
    let played = scene.admin("GET", "scripted", json!(null)).await;
    assert_eq!((&played[0]["played"], &played[1]["played"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn faults_strike_the_scripted_listener_too() {
    let scene = Scene::start();
    scene.admin("PUT", "scripted", json!([{"match": {}, "answers": [{"status": 200}]}])).await;
    scene
        .fault(json!({"provider": "scripted"}), json!({"kind": "status", "status": 503, "body": {"a": 1}}))
        .await;
    assert_eq!(scene.scripted("GET", "/x").await.status, 503);
    assert_eq!(scene.scripted("GET", "/x").await.status, 200);
}
