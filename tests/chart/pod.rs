//! The pod: what the standard *restricted* asks for, what it is started with, and where it runs.

use std::{collections::BTreeSet, process::Command};

use serde_json::{Value, json};

use crate::{
    objects::env,
    rendered::{helm, sets, the},
};

fn pod(objects: &[Value]) -> Value {
    the(objects, "Deployment")["spec"]["template"]["spec"].clone()
}

fn container(objects: &[Value]) -> Value {
    pod(objects)["containers"][0].clone()
}

#[tokio::test]
async fn the_pod_passes_the_restricted_standard_and_more() {
    for set in sets() {
        let objects = helm().await.renders_set(&set);
        let (pod, container) = (pod(&objects), container(&objects));
        let of_pod = &pod["securityContext"];
        assert_eq!(of_pod["runAsNonRoot"], true, "{set}");
        assert_eq!(of_pod["seccompProfile"]["type"], "RuntimeDefault", "{set}");
        let ids = [&of_pod["runAsUser"], &of_pod["runAsGroup"]];
        let due = if set == "openshift" { Value::Null } else { json!(65532) };
        assert_eq!(ids, [&due, &due], "{set}");
        let due = json!({
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
        });
        assert_eq!(container["securityContext"], due, "{set}");
        for field in ["hostNetwork", "hostPID", "hostIPC", "initContainers", "shareProcessNamespace"] {
            assert_eq!(pod[field], Value::Null, "{set}: {field}");
        }
        assert_eq!(pod["containers"].as_array().unwrap().len(), 1, "{set}");
        assert_eq!(pod["automountServiceAccountToken"], true, "{set}: it cannot work without");
        assert_eq!(pod["enableServiceLinks"], false, "{set}");
        let volumes = pod["volumes"].as_array().cloned().unwrap_or_default();
        assert!(volumes.iter().all(|it| it["hostPath"].is_null() && it["emptyDir"].is_null()), "{set}");
        assert!(pod["terminationGracePeriodSeconds"].as_u64() >= Some(60), "{set}");
        for kind in ["requests", "limits"] {
            assert!(container["resources"][kind]["memory"].is_string(), "{set}: {kind}");
        }
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            assert_eq!(container[probe]["httpGet"]["port"], "probes", "{set}: {probe}");
        }
        let names: Vec<&Value> =
            container["ports"].as_array().unwrap().iter().map(|port| &port["name"]).collect();
        assert!(names.contains(&&json!("probes")), "{set}");
    }
}

#[tokio::test]
async fn the_service_accounts_token_is_in_this_pod_alone() {
    let objects = helm().await.renders(&[]);
    let account = the(&objects, "ServiceAccount");
    assert_eq!(account["automountServiceAccountToken"], false);
    assert_eq!(pod(&objects)["serviceAccountName"], account["metadata"]["name"]);
    let objects = helm().await.renders_set("extras");
    assert_eq!(the(&objects, "ServiceAccount")["metadata"]["annotations"]["example.com/role"], "offboarding");
}

/// Helm 4 applies on the server, which refuses a name that is there twice.
#[tokio::test]
async fn no_variable_is_there_twice_and_the_users_wins() {
    let helm = helm().await;
    for set in sets() {
        let container = container(&helm.renders_set(&set));
        let names: Vec<String> =
            container["env"].as_array().unwrap().iter().map(|it| it["name"].to_string()).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{set}: {names:?}");
    }
    let objects = helm.renders_set("extras");
    assert_eq!([env(&objects, "LOG_FORMAT"), env(&objects, "TZ")], ["text", "UTC"]);
    assert_eq!(container(&objects)["args"], json!(["operator", "--log-level=debug"]));
    let twice = r#"extraEnv=[{"name": "TZ", "value": "UTC"}, {"name": "TZ", "value": "CET"}]"#;
    let said = helm.templates(&["--set=clusterWide=true", "--set-json", twice]);
    assert!(!said.success && said.stderr.contains("extraEnv: TZ is there twice"), "{}", said.stderr);
}

/// Flags and variables are the same settings, and flags win: the chart sets variables, `extraArgs` are flags.
#[tokio::test]
async fn every_variable_is_one_that_the_operator_reads() {
    let help = Command::new(env!("CARGO_BIN_EXE_customer-offboarding-operator"))
        .args(["operator", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let read: BTreeSet<&str> =
        help.lines().filter_map(|line| line.split("[env: ").nth(1)?.split(['=', ']']).next()).collect();
    let mut given = BTreeSet::new();
    for set in sets() {
        let container = container(&helm().await.renders_set(&set));
        let names =
            container["env"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned());
        given.extend(names);
    }
    for users in ["TZ", "POD_NAME"] {
        assert!(given.remove(users), "{users}");
    }
    for name in &given {
        assert!(read.contains(name.as_str()), "{name}");
    }
    // What cannot be set by a value is for one's own hands: `extraArgs`.
    let missing: Vec<&str> = read.into_iter().filter(|flag| !given.contains(*flag)).collect();
    assert_eq!(missing, ["ADMIN_ADDRESS"], "a pod's loopback is its own");
}

#[tokio::test]
async fn the_values_of_the_flags_arrive() {
    let objects = helm().await.renders(&[
        "--set=operator.destructiveRate=1000,operator.lease.duration=30s,operator.logLevel=debug",
        "--set-json=operator.allowedCIDRs=[\"10.0.0.0/8\",\"fd00::/8\"]",
    ]);
    for (name, due) in [
        ("OPERATOR_NAMESPACE", "customer-offboarding"),
        ("ALLOWED_CIDRS", "10.0.0.0/8,fd00::/8"),
        ("DESTRUCTIVE_RATE", "1000"),
        ("LEASE_DURATION", "30s"),
        ("RENEW_DEADLINE", "10s"),
        ("LOG_LEVEL", "debug"),
        ("LOG_FORMAT", "json"),
        ("PROBE_ADDRESS", "0.0.0.0:8081"),
        ("METRICS_ADDRESS", "0.0.0.0:8443"),
    ] {
        assert_eq!(env(&objects, name), due, "{name}");
    }
    for unset in [
        "WATCH_NAMESPACES",
        "EGRESS_PROXY",
        "EGRESS_PROXY_CREDENTIALS",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "METRICS_CERTIFICATE",
    ] {
        assert_eq!(env(&objects, unset), Value::Null, "{unset}");
    }
    assert_eq!(env(&helm().await.renders(&[]), "DESTRUCTIVE_RATE"), Value::Null);
}

#[tokio::test]
async fn the_image_is_named_by_digest_where_there_is_one() {
    let helm = helm().await;
    let of = |args: &[&str]| container(&helm.renders(args))["image"].as_str().unwrap().to_owned();
    assert_eq!(of(&[]), concat!("customer-offboarding-operator:", env!("CARGO_PKG_VERSION")));
    assert_eq!(of(&["--set", "image.tag=edge"]), "customer-offboarding-operator:edge");
    let pinned = helm.renders_set("pinned-image");
    let digest = "0123456789abcdef".repeat(4);
    let due = format!("registry.example.com/tools/customer-offboarding-operator@sha256:{digest}");
    assert_eq!(container(&pinned)["image"], due);
    assert_eq!(pod(&pinned)["imagePullSecrets"], json!([{"name": "registry"}]));
}

#[tokio::test]
async fn replicas_are_kept_apart_and_go_where_they_are_told() {
    let helm = helm().await;
    let objects = helm.renders(&[]);
    let constraints = pod(&objects)["topologySpreadConstraints"].as_array().unwrap().clone();
    let keys: Vec<&Value> = constraints.iter().map(|it| &it["topologyKey"]).collect();
    assert_eq!(keys, ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]);
    let selector = &the(&objects, "Deployment")["spec"]["selector"];
    assert!(constraints.iter().all(|it| it["labelSelector"] == *selector));
    let labels = &the(&objects, "Deployment")["spec"]["template"]["metadata"]["labels"];
    let wanted = selector["matchLabels"].as_object().unwrap();
    assert!(wanted.iter().all(|(label, value)| labels[label] == *value));
    let scheduled = pod(&helm.renders_set("scheduling"));
    assert_eq!(scheduled["nodeSelector"], json!({"kubernetes.io/os": "linux"}));
    assert_eq!(scheduled["tolerations"][0]["key"], "dedicated");
    assert!(scheduled["affinity"]["podAntiAffinity"].is_object());
    assert_eq!(pod(&helm.renders_set("large"))["priorityClassName"], "system-cluster-critical");
}
