//! After creation: what may change, what may not, what selectors find, and what kubectl makes of it.

use harness::Failure;
use offboarding::api::{OffboardingRecordSpec, OffboardingStatus, crds};
use serde_json::{Value, json};

use crate::{
    APPROVALS, CLUSTER_PROVIDERS, PROVIDERS, RECORDS, REQUESTS, Server, approvals::approval,
    cluster_providers::cluster_provider, from_yaml, provider, request, with,
};

const IMMUTABLE: &str = "Forbidden: is immutable; create a new CustomerOffboarding instead";
const ONE_WAY: &str = "spec.cancel: Forbidden: must not be unset: a cancelled request stays cancelled; create a new CustomerOffboarding instead";

#[tokio::test]
async fn what_a_request_is_about_never_changes() -> Result<(), Failure> {
    let server = Server::with_the_kinds("immutable").await?;
    let object = with(request("acme"), "request", "{reason: ErasureRequest, reference: DSR-4711}");
    server.create(REQUESTS, &object).await.unwrap();
    for (field, spec) in [
        ("customer", "{customer: {id: '90018'}}"),
        ("customer", "{customer: {id: null, idFrom: {secretKeyRef: {name: acme, key: id}}}}"),
        ("targets", "{targets: [{name: billing, providerRef: {name: juicyway}}]}"),
        ("targets", "{targets: [{name: other, providerRef: {name: revolv3}}]}"),
        ("targets", "{targets: [{name: billing, providerRef: {name: revolv3}, mode: Hard}]}"),
        ("acceptAbsent", "{acceptAbsent: true}"),
        ("request", "{request: {reason: Other}}"),
        ("request", "{request: {reference: null}}"),
        ("request", "{request: {regime: GDPR}}"), // also: no deadline is put off
        ("request", "{request: null}"), // or it could be dropped now and added again with other words
    ] {
        let refused = server.patch(REQUESTS, "acme", &json!({ "spec": from_yaml(spec) })).await;
        assert_eq!(refused, Err(format!("spec.{field}: {IMMUTABLE}")), "row 10: {spec}");
    }
    server.create(REQUESTS, &request("bare")).await.unwrap();
    let added = json!({ "spec": { "request": { "reason": "Fraud" } } });
    let refused = server.patch(REQUESTS, "bare", &added).await;
    assert_eq!(refused, Err(format!("spec.request: {IMMUTABLE}")), "row 10: added later");
    Ok(())
}

#[tokio::test]
async fn a_request_can_be_suspended_and_resumed_but_cancelled_only_once() -> Result<(), Failure> {
    let server = Server::with_the_kinds("controls").await?;
    server.create(REQUESTS, &request("acme")).await.unwrap();
    for (spec, due) in [
        ("{suspend: true}", Ok((true, false))),
        ("{suspend: null}", Ok((false, false))),
        ("{suspend: true}", Ok((true, false))),
        ("{cancel: true}", Ok((true, true))),
        ("{suspend: false}", Ok((false, true))),
        ("{cancel: false}", Err(ONE_WAY)),
        ("{cancel: null}", Err(ONE_WAY)),
        ("{suspend: true, cancel: true}", Ok((true, true))),
    ] {
        let answer = server.patch(REQUESTS, "acme", &json!({ "spec": from_yaml(spec) })).await;
        let controls = |it: Value| (it["spec"]["suspend"] == true, it["spec"]["cancel"] == true);
        assert_eq!(answer.map(controls), due.map_err(str::to_owned), "row 10: {spec}");
    }
    let annotated = json!({ "metadata": { "annotations": { "offboarding.dev/retry-requested-at": "now" } } });
    server.patch(REQUESTS, "acme", &annotated).await.unwrap();
    Ok(())
}

#[tokio::test]
async fn how_long_a_finished_request_stays_can_be_said_and_taken_back_at_any_time() -> Result<(), Failure> {
    let server = Server::with_the_kinds("ttl").await?;
    server.create(REQUESTS, &request("acme")).await.unwrap();
    let refused = |ttl: &str| {
        Err(format!(
            "spec.ttlAfterFinished: Invalid value: {ttl:?}: must be a length of time from 1m to 87600h, written like 30s, 15m or 1h30m"
        ))
    };
    for (ttl, answer) in [
        (json!("720h"), Ok(json!("720h"))),
        (json!("1m"), Ok(json!("1m"))),
        (json!("87600h"), Ok(json!("87600h"))),
        (json!("59s"), refused("59s")),
        (json!("0s"), refused("0s")),
        (json!("87601h"), refused("87601h")),
        (json!("30d"), refused("30d")),
        (json!(""), refused("")),
        (json!(null), Ok(json!(null))),
        (json!("1h30m"), Ok(json!("1h30m"))),
    ] {
        let stored = server.patch(REQUESTS, "acme", &json!({ "spec": { "ttlAfterFinished": ttl } })).await;
        assert_eq!(stored.map(|it| it["spec"]["ttlAfterFinished"].clone()), answer, "{ttl}");
    }
    let without = server.would_create(REQUESTS, &request("other")).await.unwrap();
    assert_eq!(without["spec"]["ttlAfterFinished"], Value::Null, "nobody's request is removed unasked");
    Ok(())
}

#[tokio::test]
async fn a_request_can_be_applied_again_and_again() -> Result<(), Failure> {
    let server = Server::with_the_kinds("applied").await?;
    let suspended = json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": "CustomerOffboarding",
        "metadata": { "name": "acme" }, "spec": { "suspend": true },
    });
    server.apply(REQUESTS, "gitops", &request("acme")).await.unwrap();
    server.apply(REQUESTS, "person-on-call", &suspended).await.unwrap();
    let again = server.apply(REQUESTS, "gitops", &request("acme")).await.unwrap();
    assert_eq!(again["spec"]["suspend"], true, "an emergency stop survives a forced apply from Git");
    let changed = with(request("acme"), "customer", "{id: '90018'}");
    let refused = server.apply(REQUESTS, "gitops", &changed).await;
    assert_eq!(refused, Err(format!("spec.customer: {IMMUTABLE}")));
    server.apply(REQUESTS, "gitops", &with(request("acme"), "cancel", "true")).await.unwrap();
    let dropped = server.apply(REQUESTS, "gitops", &request("acme")).await;
    assert_eq!(dropped, Err(ONE_WAY.to_owned()), "dropping the field is unsetting it");

    let kubectl = |object: &Value| {
        let apply = server.plane.kubectl("admin").args(["apply", "-n", server.namespace.name()]);
        apply.manifests(&object.to_string())
    };
    assert!(kubectl(&request("client-side"))?.succeed().await?.contains("created"));
    assert!(kubectl(&request("client-side"))?.succeed().await?.contains("unchanged"));
    let refused = kubectl(&with(request("client-side"), "targets.0.mode", "Hard"))?.run().await?;
    assert!(refused.stderr.contains(&format!("spec.targets: {IMMUTABLE}")), "{}", refused.stderr);
    let refused = kubectl(&with(request("client-side"), "skipExport", "true"))?.run().await?;
    assert!(refused.stderr.contains("unknown field \"spec.skipExport\""), "row 9: {}", refused.stderr);
    Ok(())
}

#[tokio::test]
async fn an_account_stays_what_locks_and_budgets_hang_on() -> Result<(), Failure> {
    let server = Server::with_the_kinds("account").await?;
    server.create(PROVIDERS, &provider("revolv3")).await.unwrap();
    let refused = server.patch(PROVIDERS, "revolv3", &json!({ "spec": { "account": "acct-us" } })).await;
    let why = "spec.account: Forbidden: is immutable: locks and budgets hang on it; create another provider object instead";
    assert_eq!(refused, Err(why.to_owned()));
    for spec in [
        "{baseUrl: 'https://api.revolv3.com'}",
        "{environment: live}",
        "{allowedModes: [Hard]}",
        "{suspend: true}",
        "{approvals: {required: 2}}",
    ] {
        server.patch(PROVIDERS, "revolv3", &json!({ "spec": from_yaml(spec) })).await.expect(spec);
    }
    Ok(())
}

/// To kstatus an object whose `observedGeneration` is not its generation is in progress: `kubectl wait`, Flux and Helm wait.
#[tokio::test]
async fn a_new_request_is_in_progress_before_the_operator_has_seen_it() -> Result<(), Failure> {
    let server = Server::with_the_kinds("new").await?;
    let mut forged = request("acme");
    forged["status"] =
        json!({ "observedGeneration": 1, "phase": "Completed", "finished": true, "result": "Erased" });
    let created = server.create(REQUESTS, &forged).await.unwrap();
    let pending = json!({ "observedGeneration": -1, "phase": "Pending", "finished": false });
    assert_eq!(created["status"], pending, "row 11");
    assert_eq!(created["metadata"]["generation"], 1);
    let mut object = server.get(REQUESTS, "acme").await.unwrap();
    assert_eq!(object["status"], pending);
    object["status"] = json!({});
    assert_eq!(server.replace_status(REQUESTS, &object).await.unwrap()["status"], pending);
    Ok(())
}

#[tokio::test]
async fn a_selector_finds_what_is_still_worked_on() -> Result<(), Failure> {
    let server = Server::with_the_kinds("selectors").await?;
    server.create(REQUESTS, &request("new")).await.unwrap();
    let fraud = with(request("done"), "request", "{reason: Fraud}");
    let mut done = server.create(REQUESTS, &fraud).await.unwrap();
    done["status"] = json!({ "observedGeneration": 1, "phase": "Completed", "finished": true });
    server.replace_status(REQUESTS, &done).await.unwrap();
    let mut leaves =
        server.create(REQUESTS, &with(request("leaves"), "ttlAfterFinished", "24h")).await.unwrap();
    leaves["status"] = done["status"].clone();
    server.replace_status(REQUESTS, &leaves).await.unwrap();
    for (selector, found) in [
        ("status.finished=true,spec.ttlAfterFinished!=", vec!["leaves"]),
        ("spec.ttlAfterFinished=24h", vec!["leaves"]),
        ("status.finished!=true", vec!["new"]),
        ("status.finished=true", vec!["done", "leaves"]),
        ("status.finished=false", vec!["new"]),
        ("status.phase=Pending", vec!["new"]),
        ("status.phase=Completed", vec!["done", "leaves"]),
        ("spec.request.reason=Fraud", vec!["done"]),
    ] {
        assert_eq!(server.select(REQUESTS, selector).await, Ok(names(&found)), "{selector}");
    }

    server.create(RECORDS, &record("open", "{closed: false}")).await.unwrap();
    server.create(RECORDS, &record("silent", "{}")).await.unwrap();
    server
        .create(RECORDS, &record("closed", "{closed: true, day: 2026-11-23, account: acct-us}"))
        .await
        .unwrap();
    for (selector, found) in [
        ("spec.closed!=true", vec!["open", "silent"]),
        ("spec.closed=true", vec!["closed"]),
        ("spec.day=2026-11-23", vec!["closed"]),
        ("spec.account=acct-eu", vec!["open", "silent"]),
    ] {
        assert_eq!(server.select(RECORDS, selector).await, Ok(names(&found)), "{selector}");
    }
    Ok(())
}

/// Everything that the operator may write, with every field set: nothing of it is pruned or refused.
#[tokio::test]
async fn what_the_operator_writes_is_stored_as_it_is() -> Result<(), Failure> {
    let server = Server::with_the_kinds("stored").await?;
    let status = from_yaml(include_str!("status.yaml"));
    assert_is_complete(&status, &schema(REQUESTS)["status"]);
    let mut object = server.create(REQUESTS, &request("acme")).await.unwrap();
    object["status"] = status.clone();
    let stored = server.replace_status(REQUESTS, &object).await.unwrap();
    assert_eq!(stored["status"], status);
    let typed: OffboardingStatus = serde_json::from_value(status.clone()).unwrap();
    assert_eq!(typed.unknown, Default::default(), "the type knows every field");
    assert_eq!(serde_json::to_value(&typed).unwrap(), status);

    let spec = from_yaml(include_str!("record.yaml"));
    assert_is_complete(&spec, &schema(RECORDS)["spec"]);
    let mut object = record("r", "{}");
    object["spec"] = spec.clone();
    let stored = server.create(RECORDS, &object).await.unwrap();
    assert_eq!(stored["spec"], spec);
    let typed: OffboardingRecordSpec = serde_json::from_value(spec.clone()).unwrap();
    assert_eq!(typed.unknown, Default::default(), "the type knows every field");
    assert_eq!(serde_json::to_value(&typed).unwrap(), spec);
    Ok(())
}

fn schema(kind: &str) -> Value {
    let crd = crds().into_iter().find(|crd| crd["spec"]["names"]["plural"] == kind).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"].clone()
}

/// The example has a value for every field that the schema has.
fn assert_is_complete(example: &Value, schema: &Value) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        assert!(!example[name].is_null(), "the example has no {name}: {example}");
        assert_is_complete(&example[name], field);
        if let Some(items) = field.get("items") {
            assert_is_complete(&example[name][0], items);
        }
    }
}

/// An older definition meets a newer operator, whose words and fields it does not know.
#[tokio::test]
async fn a_word_of_a_newer_operator_is_not_refused() -> Result<(), Failure> {
    let server = Server::with_the_kinds("newer").await?;
    let mut status = from_yaml(include_str!("status.yaml"));
    status["phase"] = json!("AwaitingMoon");
    status["plan"]["targets"][0]["finality"] = json!("CryptoShredding");
    status["conditions"][0]["reason"] = json!("MoonIsDown");
    let mut object = server.create(REQUESTS, &request("acme")).await.unwrap();
    object["status"] = status.clone();
    assert_eq!(server.replace_status(REQUESTS, &object).await.unwrap()["status"], status);
    Ok(())
}

#[tokio::test]
async fn kubectl_prints_what_a_person_wants_to_know() -> Result<(), Failure> {
    let server = Server::with_the_kinds("printed").await?;
    let kubectl =
        |args: &[&str]| server.plane.kubectl("admin").args(["-n", server.namespace.name()]).args(args);
    let mut object = server.create(REQUESTS, &request("acme")).await.unwrap();
    object["status"] = from_yaml(include_str!("status.yaml"));
    server.replace_status(REQUESTS, &object).await.unwrap();
    let printed = kubectl(&["get", "cob"]).succeed().await?;
    let lines: Vec<_> = printed
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect::<Vec<_>>())
        .collect();
    assert_eq!(lines[0], ["NAME", "PHASE", "WAITING-FOR", "UNTIL", "DUE", "TARGETS", "RESULT", "AGE"]);
    let row = [
        "acme",
        "AwaitingApproval",
        "1 of 2 approvals",
        "2026-11-24T08:00:00Z",
        "2026-12-20T16:30:00Z",
        "0/1",
        "Erased",
    ];
    assert_eq!(lines[1][..7], row);

    server.create(PROVIDERS, &provider("revolv3")).await.unwrap();
    let printed = kubectl(&["get", "cobp"]).succeed().await?;
    assert_eq!(
        printed.lines().next().unwrap().split_whitespace().collect::<Vec<_>>(),
        ["NAME", "PROFILE", "ACCOUNT", "ENVIRONMENT", "READY", "AGE"]
    );
    let mut record = record("r", "{}");
    record["spec"] = from_yaml(include_str!("record.yaml"));
    server.create(RECORDS, &record).await.unwrap();
    let printed = kubectl(&["get", "cobr", "--no-headers"]).succeed().await?;
    assert_eq!(printed.split_whitespace().take(3).collect::<Vec<_>>(), ["r", "acct-eu", "2"], "{printed}");

    server.create(APPROVALS, &approval("yes")).await.unwrap();
    let printed = kubectl(&["get", "coba"]).succeed().await?;
    let words: Vec<Vec<_>> = printed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["NAME", "DECISION", "APPROVER", "FOR", "EXPIRES", "AGE"]);
    assert_eq!(words[1][..5], ["yes", "Approve", "bob", "acme", "2026-11-30T08:00:00Z"]);

    let shared = cluster_provider(server.namespace.name());
    server.create(CLUSTER_PROVIDERS, &shared).await.unwrap();
    let everything = kubectl(&["get", "offboarding", "-o", "name"]).succeed().await?;
    let mut kinds: Vec<_> = everything.lines().map(|it| it.split('/').next().unwrap()).collect();
    kinds.dedup(); // those of the cluster are everybody's
    assert_eq!(
        kinds,
        [
            "clusteroffboardingprovider.offboarding.dev",
            "customeroffboarding.offboarding.dev",
            "offboardingapproval.offboarding.dev",
            "offboardingprovider.offboarding.dev",
            "offboardingrecord.offboarding.dev"
        ]
    );
    Ok(())
}

#[tokio::test]
async fn kubectl_explains_every_level() -> Result<(), Failure> {
    let server = Server::with_the_kinds("explained").await?;
    for (field, words) in [
        ("cob.spec.customer.id", "in quotes"),
        ("cob.spec.targets.mode", "`Soft` deactivates"),
        ("cob.status.conditions.reason", "Why"),
        ("cobp.spec.approvals.maxValidity", "336h"),
        ("cobp.spec.customProfile.control.request.path", "{customer.id}"), // a field of a flattened struct
        ("cobp.spec.customProfile.delete.classify.as", "Indeterminate"),
        ("ccobp.spec.allowedNamespaces", "The namespaces whose requests may use it"),
        ("ccobp.spec.approvals.maxValidity", "336h"), // a field of the flattened spec
        ("cobr.spec.attempts.outcome", "NotSent"),
        ("coba.spec.for.planHash", "status.plan.hash"),
        ("cobh.spec.customers.ref", "pseudonym"),
    ] {
        let explained = server.plane.kubectl("admin").args(["explain", field]).succeed().await?;
        assert!(explained.contains(words), "{field}: {explained}");
    }
    Ok(())
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// The smallest record, with more of it given as YAML.
fn record(name: &str, more: &str) -> Value {
    let mut spec = from_yaml(
        "{account: acct-eu, request: {namespace: a, name: b, uid: c, target: d, mode: Soft}, provider: {kind: OffboardingProvider, namespace: a, name: b, uid: c, baseUrl: 'https://a.example', environment: sandbox}}",
    );
    let more = from_yaml(more);
    for (field, value) in more.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    json!({ "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingRecord", "metadata": { "name": name }, "spec": spec })
}
