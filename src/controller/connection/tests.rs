//! B2: which fields an approver agrees to. Every field that the schemas know is classed; a new one fails until somebody decides.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::{
    api::{ClusterOffboardingProvider, CustomerOffboardingSpec, OffboardingProvider, ProviderKind, crds},
    domain::{
        CheckSeen, CheckVerdict, CustomerSource, Facts, Fingerprint, Part, Plan, Planned, WholePlan,
        fixtures::Process, mode_of,
    },
};

/// What a change of a field does to the plan hash.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Hash {
    Changes,
    Stays,
}

use Hash::{Changes, Stays};

/// A field of a kind, what it does, and the spec before and after: JSON merge patches over `request()` and `provider()`.
type Row = (&'static str, Hash, Value, Value);

fn request_rows() -> Vec<Row> {
    let target = |change: Value| {
        let mut target = request()["targets"][0].clone();
        merge(&mut target, change);
        json!({"targets": [target]})
    };
    let other_secret = |field: &str| {
        let mut from = json!({"name": "who", "key": "id"});
        from[field] = json!("other");
        json!({"customer": {"id": null, "idFrom": {"secretKeyRef": from}}})
    };
    let from = || json!({"customer": {"id": null, "idFrom": {"secretKeyRef": {"name": "who", "key": "id"}}}});
    let none = || json!({});
    vec![
        ("acceptAbsent", Changes, none(), json!({"acceptAbsent": true})),
        ("cancel", Stays, none(), json!({"cancel": true})),
        ("suspend", Stays, none(), json!({"suspend": true})),
        ("notBefore", Stays, none(), json!({"notBefore": "2026-12-01T00:00:00Z"})),
        ("ttlAfterFinished", Stays, none(), json!({"ttlAfterFinished": "720h"})),
        ("customer.id", Changes, none(), json!({"customer": {"id": "90018"}})),
        // It is the customer that is agreed to, not where the id is written.
        ("customer.idFrom.secretKeyRef.name", Stays, from(), other_secret("name")),
        ("customer.idFrom.secretKeyRef.key", Stays, from(), other_secret("key")),
        ("request.reason", Changes, none(), json!({"request": {"reason": "Fraud"}})),
        ("request.reference", Stays, none(), json!({"request": {"reference": "DSR-1"}})),
        ("request.receivedAt", Stays, none(), json!({"request": {"receivedAt": "2026-11-01T00:00:00Z"}})),
        ("request.regime", Stays, none(), json!({"request": {"regime": "GDPR"}})),
        (
            "request.dueBy",
            Stays,
            json!({"request": {"regime": "Custom", "dueBy": "2026-12-01T00:00:00Z"}}),
            json!({"request": {"regime": "Custom", "dueBy": "2026-12-02T00:00:00Z"}}),
        ),
        ("targets[].name", Changes, none(), target(json!({"name": "crm"}))),
        ("targets[].mode", Changes, none(), target(json!({"mode": "Soft"}))),
        ("targets[].customer.id", Changes, none(), target(json!({"customer": {"id": "90018"}}))),
        (
            "targets[].customer.idFrom.secretKeyRef.name",
            Stays,
            target(json!({"customer": {"idFrom": {"secretKeyRef": {"name": "who", "key": "id"}}}})),
            target(json!({"customer": {"idFrom": {"secretKeyRef": {"name": "other", "key": "id"}}}})),
        ),
        (
            "targets[].customer.idFrom.secretKeyRef.key",
            Stays,
            target(json!({"customer": {"idFrom": {"secretKeyRef": {"name": "who", "key": "id"}}}})),
            target(json!({"customer": {"idFrom": {"secretKeyRef": {"name": "who", "key": "other"}}}})),
        ),
        (
            "targets[].dependsOn[]",
            Changes,
            json!({"targets": [{"name": "billing", "providerRef": {"name": "a"}, "mode": "Hard"},
                {"name": "crm", "providerRef": {"name": "b"}, "mode": "Hard"}]}),
            json!({"targets": [{"name": "billing", "providerRef": {"name": "a"}, "mode": "Hard", "dependsOn": ["crm"]},
                {"name": "crm", "providerRef": {"name": "b"}, "mode": "Hard"}]}),
        ),
        ("targets[].providerRef.name", Changes, none(), target(json!({"providerRef": {"name": "other"}}))),
        (
            "targets[].providerRef.kind",
            Changes,
            none(),
            target(json!({"providerRef": {"kind": "ClusterOffboardingProvider"}})),
        ),
    ]
}

fn provider_rows() -> Vec<Row> {
    let none = || json!({});
    let custom = |retains: &str| {
        let text = include_str!("../../providers/profiles/juicyway.yaml");
        let mut profile: Value = serde_saphyr::from_str(text).unwrap();
        profile["retains"] = json!([retains]);
        json!({"profile": null, "customProfile": profile})
    };
    vec![
        ("profile", Changes, none(), json!({"profile": "revolv3"})),
        ("customProfile", Changes, custom("logs"), custom("invoices")),
        ("baseUrl", Changes, none(), json!({"baseUrl": "https://api2.example.com"})),
        ("account", Changes, none(), json!({"account": "acct-us"})),
        ("environment", Changes, none(), json!({"environment": "sandbox"})),
        ("checks.*", Changes, none(), json!({"checks": {"wallets": "Ignore"}})),
        ("approvals.required", Changes, none(), json!({"approvals": {"required": 2}})),
        (
            "approvals.separationOfDuties",
            Changes,
            none(),
            json!({"approvals": {"separationOfDuties": false}}),
        ),
        ("coolingOff", Changes, none(), json!({"coolingOff": "1h"})),
        ("approvals.maxValidity", Stays, none(), json!({"approvals": {"maxValidity": "1h"}})),
        ("allowedCIDRs[]", Stays, none(), json!({"allowedCIDRs": ["10.0.0.0/8"]})),
        // What a request's mode is, is agreed to; what others may ask for is not.
        ("allowedModes[]", Stays, none(), json!({"allowedModes": ["Hard"]})),
        ("budget.perDay", Stays, none(), json!({"budget": {"perDay": 9}})),
        ("budget.perHour", Stays, none(), json!({"budget": {"perHour": 9}})),
        (
            "credentials.*.secretKeyRef.name",
            Stays,
            none(),
            json!({"credentials": {"token": {"secretKeyRef": {"name": "other"}}}}),
        ),
        (
            "credentials.*.secretKeyRef.key",
            Stays,
            none(),
            json!({"credentials": {"token": {"secretKeyRef": {"key": "other"}}}}),
        ),
        ("idClass", Stays, none(), json!({"idClass": "Personal"})),
        ("limits.burst", Stays, none(), json!({"limits": {"burst": 9}})),
        ("limits.maxInFlight", Stays, none(), json!({"limits": {"maxInFlight": 2}})),
        ("limits.requestsPerMinute", Stays, none(), json!({"limits": {"requestsPerMinute": 9}})),
        ("recheckInterval", Stays, none(), json!({"recheckInterval": "1h"})),
        ("suspend", Stays, none(), json!({"suspend": true})),
        ("tls.caBundle", Stays, none(), json!({"tls": {"caBundle": "-----BEGIN CERTIFICATE-----"}})),
        (
            "tls.clientCertificate.secretName",
            Stays,
            none(),
            json!({"tls": {"clientCertificate": {"secretName": "x"}}}),
        ),
        ("verify.confirmations", Stays, none(), json!({"verify": {"confirmations": 3}})),
        ("verify.interval", Stays, none(), json!({"verify": {"interval": "1m"}})),
        ("verify.deadline", Stays, none(), json!({"verify": {"deadline": "1h"}})),
        ("allowedNamespaces[]", Stays, none(), json!({"allowedNamespaces": ["team"]})),
    ]
}

fn request() -> Value {
    json!({
        "customer": {"id": "90017"}, "request": {"reason": "ErasureRequest"},
        "targets": [{"name": "billing", "providerRef": {"name": "acme-pay"}, "mode": "Hard"}],
    })
}

fn provider() -> Value {
    json!({
        "profile": "juicyway", "baseUrl": "https://api.example.com", "account": "acct-eu", "environment": "live",
        "credentials": {"token": {"secretKeyRef": {"name": "acme-pay", "key": "token"}}},
        "allowedModes": ["Soft", "Hard"], "approvals": {"required": 1},
        "limits": {"requestsPerMinute": 10, "burst": 5, "maxInFlight": 1},
        "verify": {"confirmations": 1, "interval": "10s", "deadline": "15m"},
    })
}

#[test]
fn every_field_of_request_and_provider_is_agreed_to_or_may_change_and_none_is_forgotten() {
    let known = |kind: &str| fields_of(kind);
    let classed = |rows: &[Row]| rows.iter().map(|row| row.0.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(classed(&request_rows()), known("CustomerOffboarding"));
    assert_eq!(classed(&provider_rows()), known("ClusterOffboardingProvider"));
    let only_there = BTreeSet::from(["allowedNamespaces[]".to_owned()]);
    let here = known("OffboardingProvider");
    assert_eq!(&known("ClusterOffboardingProvider") - &here, only_there);
    for (field, effect, before, after) in request_rows() {
        let hash = |change: Value| hash_of(merged(request(), change), provider());
        assert_effect(field, effect, &hash(before), &hash(after));
    }
    for (field, effect, before, after) in provider_rows() {
        let hash = |change: Value| hash_of(request(), merged(provider(), change));
        assert_effect(field, effect, &hash(before), &hash(after));
    }
}

fn assert_effect(field: &str, effect: Hash, before: &str, after: &str) {
    assert_eq!(if before == after { Stays } else { Changes }, effect, "{field}");
}

/// The plan hash of a request whose customer is found at every target, at provider objects that all say the same.
fn hash_of(request: Value, provider: Value) -> String {
    let spec: CustomerOffboardingSpec = serde_json::from_value(request).unwrap();
    let plans = Plan::of_each_target("uid-1", &spec).unwrap();
    let mut seen = Process::new(Facts::None).seen;
    seen.checks =
        vec![CheckSeen { name: "wallets".to_owned(), verdict: CheckVerdict::Clear, waivable: true }];
    let parts = plans.iter().map(|plan| {
        let object = object_of(plan.provider_kind, &plan.provider, &provider);
        let profile = load_profile(&object).ok().unwrap();
        let timing = Timing { send_deadline: Duration::ZERO, request_deadline: Duration::ZERO };
        let facts = facts_of(&object, &profile, timing);
        let customer = match &plan.customer {
            CustomerSource::Literal(id) => id.expose().to_owned(),
            CustomerSource::Secret(_) | CustomerSource::Sealed => "of a Secret".to_owned(),
        };
        // The schema lets a profile refuse a mode; here only its place in the hash is asked for.
        let mode = mode_of(plan, &facts).ok().or(plan.mode).unwrap();
        let fingerprint = Fingerprint("hmac:first".to_owned());
        Part::Fresh(Box::new(Planned::new(plan, &facts, mode, &customer, &fingerprint, &seen)))
    });
    WholePlan::new(&plans.iter().collect::<Vec<_>>(), parts.collect(), 1).unwrap().hash
}

/// Another kind or name is another object.
fn object_of(kind: ProviderKind, name: &str, spec: &Value) -> ProviderObject {
    let metadata = json!({"name": name, "uid": format!("uid of {name}")});
    let object = json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": kind.as_str(), "metadata": metadata, "spec": spec,
    });
    match kind {
        ProviderKind::OffboardingProvider => {
            let mut object = object;
            object["spec"].as_object_mut().unwrap().remove("allowedNamespaces");
            Arc::new(serde_json::from_value::<OffboardingProvider>(object).unwrap()).into()
        }
        ProviderKind::ClusterOffboardingProvider => {
            Arc::new(serde_json::from_value::<ClusterOffboardingProvider>(object).unwrap()).into()
        }
    }
}

/// Every field of a kind's spec that holds a value. A profile of one's own is one: its hash has a test of its own.
fn fields_of(kind: &str) -> BTreeSet<String> {
    let crd = crds().into_iter().find(|crd| crd["spec"]["names"]["kind"] == kind).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut fields = BTreeSet::new();
    collect(schema, "", &mut fields);
    fields
}

fn collect(node: &Value, path: &str, fields: &mut BTreeSet<String>) {
    if let (Some(properties), true) = (node["properties"].as_object(), path != "customProfile") {
        for (name, below) in properties {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            collect(below, &path, fields);
        }
    } else if node["type"] == "array" {
        collect(&node["items"], &format!("{path}[]"), fields);
    } else if node["additionalProperties"].is_object() {
        collect(&node["additionalProperties"], &format!("{path}.*"), fields);
    } else {
        fields.insert(path.to_owned());
    }
}

fn merged(mut into: Value, change: Value) -> Value {
    merge(&mut into, change);
    into
}

fn merge(into: &mut Value, change: Value) {
    match change {
        Value::Object(fields) if into.is_object() => {
            for (name, value) in fields {
                if value.is_null() {
                    into.as_object_mut().unwrap().remove(&name);
                } else {
                    merge(&mut into[&name], value);
                }
            }
        }
        other => *into = other,
    }
}

fn connections() -> Arc<Connections> {
    let client = kube::Client::try_from(kube::Config::new("https://127.0.0.1:9".parse().unwrap())).unwrap();
    let clock = || jiff::Timestamp::UNIX_EPOCH;
    let timing = Timing { send_deadline: Duration::from_secs(30), request_deadline: Duration::from_secs(35) };
    let egress = Egress::of_the_system(Vec::new(), clock);
    let metrics = Arc::new(Metrics::new(Vec::new()));
    Arc::new(Connections::new(ApiServer::new(client), "system".to_owned(), egress, timing, metrics))
}

fn named(uid: &str) -> ProviderObject {
    let object = json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingProvider",
        "metadata": {"name": "acme-pay", "namespace": "team", "uid": uid, "generation": 1},
        "spec": provider(),
    });
    let object: OffboardingProvider = serde_json::from_value(object).unwrap();
    ProviderObject::from(Arc::new(object))
}

/// Of two limiters each would let through what both may not, and a circuit that one opened would stay closed in the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_many_ask_at_once_a_provider_object_has_one_limiter() {
    const ASKING: usize = 4;
    let connections = connections();
    for round in 0..50 {
        let object = named(&format!("uid-{round}"));
        let together = Arc::new(tokio::sync::Barrier::new(ASKING));
        let asked: Vec<_> = (0..ASKING)
            .map(|_| {
                let (connections, object, together) = (connections.clone(), object.clone(), together.clone());
                tokio::spawn(async move {
                    together.wait().await;
                    connections.of(&object).await.map(|connection| connection.limiter.clone())
                })
            })
            .collect();
        let mut limiters = Vec::new();
        for one in asked {
            limiters.push(one.await.unwrap().unwrap());
        }
        assert!(limiters.iter().all(|limiter| Arc::ptr_eq(limiter, &limiters[0])), "round {round}");
    }
}

/// On one thread, whoever loads while polled lets nobody else go on meanwhile: it is loaded where something else is busy here.
#[test]
fn a_profile_is_loaded_while_other_passes_go_on() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let (connections, object) = (connections(), named("uid-1"));
        let (go_on, busy) = std::sync::mpsc::channel();
        let occupied = tokio::task::spawn_blocking(move || busy.recv());
        let mut asked = std::pin::pin!(connections.of(&object));
        assert!(futures::poll!(asked.as_mut()).is_pending());
        go_on.send(()).unwrap();
        assert!(asked.await.is_ok());
        occupied.await.unwrap().unwrap();
        let again = std::pin::pin!(connections.of(&object));
        assert!(futures::poll!(again).is_ready(), "it is loaded once");
    });
}

/// A custom profile may be large.
#[tokio::test]
async fn one_provider_object_that_is_loaded_slowly_keeps_no_other_one_from_being_loaded() {
    let connections = connections();
    let (slow, quick) = (named("slow"), named("quick"));
    let loading = connections.loading("slow");
    let loads = loading.lock().await;
    let mut waits = std::pin::pin!(connections.of(&slow));
    assert!(futures::poll!(waits.as_mut()).is_pending());
    let other = tokio::time::timeout(Duration::from_secs(20), connections.of(&quick)).await;
    assert!(other.is_ok_and(|loaded| loaded.is_ok()), "it waits for another one");
    assert!(futures::poll!(waits.as_mut()).is_pending(), "one at a time");
    drop(loads);
    assert!(waits.await.is_ok());
}

/// It is loaded already, and does not stand in line with slow ones.
#[tokio::test]
async fn a_built_in_profile_waits_for_no_custom_one() {
    let connections = connections();
    let permits = u32::try_from(CUSTOM_AT_ONCE).unwrap();
    let _busy = connections.custom.acquire_many(permits).await.unwrap();
    let loaded = tokio::time::timeout(Duration::from_secs(20), connections.of(&named("uid-1"))).await;
    assert!(loaded.is_ok_and(|loaded| loaded.is_ok()));
}

#[tokio::test]
async fn nothing_is_kept_of_who_loaded_a_provider_object() {
    let connections = connections();
    for n in 0..20 {
        let uid = format!("uid-{n}");
        assert!(connections.of(&named(&uid)).await.is_ok());
        connections.forget(&uid);
        assert!(connections.loading.lock().unwrap().len() <= 1, "but of the last");
    }
}

/// What nobody agrees to says where, and to whom, a deletion is sent all the same.
#[tokio::test]
async fn a_connection_is_as_another_one_only_where_both_are_of_the_same_generation_of_the_same_object() {
    let connections = connections();
    let of = async |uid: &str, generation: i64, change: Value| {
        let object = json!({
            "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingProvider",
            "metadata": {"name": "acme-pay", "namespace": "team", "uid": uid, "generation": generation},
            "spec": merged(provider(), change),
        });
        let object: OffboardingProvider = serde_json::from_value(object).unwrap();
        connections.of(&Arc::new(object).into()).await.unwrap()
    };
    let planned = of("1", 1, json!({})).await;
    let range = json!({"allowedCIDRs": ["10.0.0.0/8"]});
    for (about, now, is_as) in [
        ("the same", of("1", 1, json!({})).await, true),
        ("other addresses are allowed", of("1", 2, range.clone()).await, false),
        ("made anew for the generation before", of("1", 1, json!({})).await, true),
        ("another object of the same name", of("2", 1, range).await, false),
    ] {
        assert_eq!(now.is_as(&planned), is_as, "{about}");
    }
    let other = json!({"credentials": {"token": {"secretKeyRef": {"name": "other", "key": "token"}}}});
    let later = of("1", 3, other).await;
    let named =
        |connection: &Connection| connection.object.spec().credentials["token"].secret_key_ref.name.clone();
    assert_eq!([named(&planned), named(&later)], ["acme-pay", "other"], "each goes with its own credential");
}

/// Whoever begins anew has a limiter that knows nothing; what the provider asked for stands in the status.
#[tokio::test]
async fn a_pause_that_was_asked_for_before_this_process_began_goes_on_to_its_end() {
    let connections = connections();
    for (uid, status, minutes) in [
        ("paused", json!({"pausedUntil": "1970-01-01T00:10:00Z"}), Some(10)),
        ("over", json!({"pausedUntil": "1969-12-31T23:59:00Z"}), None),
        ("never", json!({}), None),
    ] {
        let object = json!({
            "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingProvider",
            "metadata": {"name": "acme-pay", "namespace": "team", "uid": uid, "generation": 1},
            "spec": provider(), "status": status,
        });
        let object: OffboardingProvider = serde_json::from_value(object).unwrap();
        let connection = connections.of(&Arc::new(object).into()).await.unwrap();
        let left = connection.limiter.paused_for().map(|left| left.as_secs().div_ceil(60));
        assert_eq!(left, minutes, "{uid}");
    }
}

#[tokio::test]
async fn a_message_is_cut_where_a_condition_would_not_take_it() {
    let unknown: serde_json::Map<String, Value> =
        (10..50).map(|n| (format!("unknown-{n}"), json!("Ignore"))).collect();
    let object = json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingProvider",
        "metadata": {"name": "acme-pay", "namespace": "team", "uid": "1", "generation": 1},
        "spec": merged(provider(), json!({"checks": unknown})),
    });
    let object: OffboardingProvider = serde_json::from_value(object).unwrap();
    let told = connections().of(&Arc::new(object).into()).await.map(drop).unwrap_err().message;
    let begins = "`spec.checks`: `checks.unknown-10`: the profile has no check of this name; ";
    assert!(told.starts_with(begins) && told.ends_with('…'), "{told}");
    assert_eq!(told.chars().count(), 1001);
}
