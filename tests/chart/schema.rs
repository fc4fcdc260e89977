//! What is misspelt or makes no sense is refused with a sentence that names it.

use serde_json::Value;

use crate::rendered::{CHART, documents, helm, read};

#[tokio::test]
async fn what_is_misspelt_or_makes_no_sense_is_refused_by_name() {
    let helm = helm().await;
    for (given, sentences) in [
        ("replica=3", ["at ''", "additional properties 'replica' not allowed"]),
        ("image.tags=edge", ["at '/image'", "'tags' not allowed"]),
        ("operator.alowedCIDRs={10.0.0.0/8}", ["at '/operator'", "'alowedCIDRs' not allowed"]),
        ("operator.lease.renew=3s", ["at '/operator/lease'", "'renew' not allowed"]),
        ("watchNamespace={a}", ["at ''", "'watchNamespace' not allowed"]),
        ("watchNamespaces={Team_A}", ["at '/watchNamespaces/0'", "'Team_A' does not match pattern"]),
        ("watchNamespaces={a,a}", ["at '/watchNamespaces'", "equal"]),
        ("networkPolicy.provider.cidrs={a}", ["at '/networkPolicy'", "'provider' not allowed"]),
        (
            "networkPolicy.providers.cidrs={a}",
            ["at '/networkPolicy/providers/cidrs/0'", "does not match pattern"],
        ),
        ("metrics.serviceMonitors.enabled=true", ["at '/metrics'", "'serviceMonitors' not allowed"]),
        ("image.digest=sha256:12", ["at '/image/digest'", "does not match pattern"]),
        (
            "operator.logLevel=loud",
            ["at '/operator/logLevel'", "value must be one of 'error', 'warn', 'info'"],
        ),
        ("operator.sendDeadline=soon", ["at '/operator/sendDeadline'", "does not match pattern"]),
        ("operator.destructiveRate=0", ["at '/operator/destructiveRate'", "minimum: got 0, want 1"]),
        (
            "terminationGracePeriodSeconds=30",
            ["at '/terminationGracePeriodSeconds'", "minimum: got 30, want 60"],
        ),
        (
            "admissionPolicies.stampRequester=maybe",
            ["at '/admissionPolicies/stampRequester'", "one of 'Auto'"],
        ),
        ("replicas=two", ["at '/replicas'", "got string, want integer"]),
        ("crds.install=yes", ["at '/crds/install'", "got string, want boolean"]),
        ("extraArgs={operator}", ["at '/extraArgs/0'", "does not match pattern"]),
        (
            "serviceAccount.name=robot",
            ["serviceAccount.name must be customer-offboarding-operator, not robot", ""],
        ),
        ("replicas=2", ["say where the operator works", "--set clusterWide=true"]),
        ("clusterWide=true,watchNamespaces={a}", ["clusterWide and watchNamespaces exclude each other", ""]),
        ("rbac.secretNames={a}", ["rbac.secretNames has no effect without watchNamespaces", ""]),
        (
            "metrics.serviceMonitor.enabled=true,metrics.podMonitor.enabled=true",
            ["enable serviceMonitor or podMonitor, not both", ""],
        ),
        (
            "metrics.enabled=false,metrics.podMonitor.enabled=true",
            ["there is nothing for a serviceMonitor or podMonitor to scrape", ""],
        ),
        (
            "metrics.podMonitor.enabled=true",
            ["metrics.podMonitor needs authorization.credentials", "answered by 401"],
        ),
        (
            "metrics.podMonitor.enabled=true,metrics.podMonitor.authorization.type=Bearer",
            ["metrics.podMonitor needs authorization.credentials", ""],
        ),
        ("operator.egressProxy=https://proxy:3128", ["at '/operator/egressProxy'", "does not match pattern"]),
        (
            "operator.egressProxy=http://user:word@proxy:3128",
            ["at '/operator/egressProxy'", "does not match pattern"],
        ),
        (
            "operator.otlpEndpoint=http://user:word@collector:4318",
            ["at '/operator/otlpEndpoint'", "does not match pattern"],
        ),
        ("operator.egressProxySecret=a", ["operator.egressProxySecret has no proxy to be for", ""]),
        ("probes.port=8443", ["probes.port and metrics.port are both 8443", ""]),
        ("probes.port=8080", ["probes.port must not be 8080", ""]),
        ("metrics.port=8080", ["metrics.port must not be 8080", ""]),
        ("networkPolicy.metricsFrom=null", ["at '/networkPolicy'", "missing property 'metricsFrom'"]),
        ("networkPolicy.dnsTo=null", ["at '/networkPolicy'", "missing property 'dnsTo'"]),
    ] {
        let said = helm.templates(&["--set", given]);
        assert!(!said.success, "{given} is accepted");
        assert!(sentences.iter().all(|it| said.stderr.contains(it)), "{given}: {}", said.stderr);
    }
}

/// Kubernetes takes an empty list of peers for everybody.
#[tokio::test]
async fn a_list_of_peers_without_any_is_refused() {
    let helm = helm().await;
    for name in ["metricsFrom", "dnsTo"] {
        let said = helm.templates(&["--set-json", &format!("networkPolicy.{name}=[]")]);
        let due = format!("at '/networkPolicy/{name}': minItems: got 0, want 1");
        assert!(!said.success && said.stderr.contains(&due), "{name}: {}", said.stderr);
    }
}

/// What is not served takes no port.
#[tokio::test]
async fn without_metrics_their_port_is_in_nobodys_way() {
    for port in ["8080", "8081"] {
        helm().await.renders(&["--set", &format!("metrics.enabled=false,metrics.port={port}")]);
    }
}

/// Its records would be another set of locks.
#[tokio::test]
async fn a_release_belongs_into_one_namespace_whatever_it_is_called() {
    let helm = helm().await;
    let said = helm.says(&["template", "offboarding", CHART, "--namespace", "team-a"]);
    let due = "the release belongs into the namespace customer-offboarding, not team-a";
    assert!(!said.success && said.stderr.contains(due), "{}", said.stderr);
    let template = ["template", "another-name", CHART, "--namespace", "customer-offboarding"];
    let said = helm.says(&[&template[..], &["--set=clusterWide=true"]].concat());
    assert!(said.success, "{}", said.stderr);
    for object in documents(&said.stdout) {
        assert!(!object["metadata"]["name"].to_string().contains("another-name"), "{object}");
    }
}

/// Where a map may hold anything, it is for something that others define.
#[test]
fn every_map_of_the_schema_is_closed_but_for_those_that_others_define() {
    let schema: Value = serde_json::from_str(&read(&format!("{CHART}/values.schema.json"))).unwrap();
    let mut open = Vec::new();
    walk(&schema, "", &mut |path, node| {
        if node["type"] == "object" && node["additionalProperties"] != Value::Bool(false) {
            open.push(path.to_owned());
        }
    });
    open.sort();
    let due = [
        "affinity.nodeAffinity",
        "affinity.podAffinity",
        "affinity.podAntiAffinity",
        "commonLabels",
        "deploymentAnnotations",
        "extraEnv[]",
        "extraVolumeMounts[]",
        "extraVolumes[]",
        "global",
        "metrics.dashboard.annotations",
        "metrics.dashboard.labels",
        "metrics.podMonitor.authorization",
        "metrics.podMonitor.labels",
        "metrics.podMonitor.tlsConfig",
        "metrics.prometheusRule.labels",
        "metrics.service.annotations",
        "metrics.serviceMonitor.authorization",
        "metrics.serviceMonitor.labels",
        "metrics.serviceMonitor.tlsConfig",
        "networkPolicy.dnsTo[].ipBlock",
        "networkPolicy.dnsTo[].namespaceSelector",
        "networkPolicy.dnsTo[].podSelector",
        "networkPolicy.extraEgress[]",
        "networkPolicy.extraIngress[]",
        "networkPolicy.metricsFrom[].ipBlock",
        "networkPolicy.metricsFrom[].namespaceSelector",
        "networkPolicy.metricsFrom[].podSelector",
        "nodeSelector",
        "podAnnotations",
        "podLabels",
        "podSecurityContext",
        "resources.claims[]",
        "resources.limits",
        "resources.requests",
        "securityContext",
        "serviceAccount.annotations",
        "tolerations[]",
        "topologySpreadConstraints[]",
    ];
    assert_eq!(open, due);
}

/// A default that stands in one of them only, or a property without one.
#[test]
fn the_schema_knows_the_values_that_there_are_and_no_others() {
    let schema: Value = serde_json::from_str(&read(&format!("{CHART}/values.schema.json"))).unwrap();
    let values = documents(&read(&format!("{CHART}/values.yaml"))).remove(0);
    let mut missing = Vec::new();
    walk(&schema, "", &mut |path, _| {
        // Lists are empty or examples; what Kubernetes defines has defaults of its own.
        let is_ours = !path.contains("[]") && !path.starts_with("probes.") && !path.starts_with("affinity.");
        let found =
            path.split('.').filter(|it| !it.is_empty()).try_fold(&values, |value, name| value.get(name));
        if is_ours && found.is_none() {
            missing.push(path.to_owned());
        }
    });
    assert_eq!(missing, ["global", "resources.claims"]);
}

/// Every node of the schema with its path in the values: `metrics.serviceMonitor.labels`, `extraEnv[]`.
fn walk(node: &Value, path: &str, see: &mut impl FnMut(&str, &Value)) {
    see(path, node);
    for (name, property) in node["properties"].as_object().into_iter().flatten() {
        // What a closed list of someone else's fields says about each is theirs.
        if path.ends_with("[]") && property["type"] != "object" {
            continue;
        }
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        walk(property, &below, see);
    }
    if node["items"].is_object() {
        walk(&node["items"], &format!("{path}[]"), see);
    }
}
