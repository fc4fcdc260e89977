//! What holds of every object, whatever the values.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::rendered::{CHART, MONITORING, helm, key, sets, the};

#[tokio::test]
async fn every_set_of_values_passes_the_strict_lint() {
    let helm = helm().await;
    let sets = sets();
    assert!(sets.len() >= 12, "{sets:?}");
    let files: Vec<String> = sets.iter().map(|set| format!("{CHART}/ci/{set}.yaml")).collect();
    let lint = ["lint", "--strict", CHART, "--namespace", "customer-offboarding"];
    let of_sets = files.iter().map(|file| [&lint[..], &["-f", file]].concat());
    for args in of_sets.chain([lint.to_vec()]) {
        let said = helm.says(&args);
        assert!(
            said.success && !said.stdout.contains("[WARNING]"),
            "{args:?}: {}{}",
            said.stdout,
            said.stderr
        );
    }
}

#[tokio::test]
async fn every_object_has_the_recommended_labels_a_short_name_and_its_namespace() {
    for set in sets() {
        for object in helm().await.renders_set(&set) {
            let [kind, namespace, name] = key(&object);
            let labels = &object["metadata"]["labels"];
            for (label, due) in [
                ("app.kubernetes.io/name", "customer-offboarding-operator"),
                ("app.kubernetes.io/instance", "offboarding"),
                ("app.kubernetes.io/version", env!("CARGO_PKG_VERSION")),
                ("app.kubernetes.io/part-of", "customer-offboarding"),
                ("app.kubernetes.io/managed-by", "Helm"),
                ("helm.sh/chart", concat!("customer-offboarding-operator-", env!("CARGO_PKG_VERSION"))),
            ] {
                assert_eq!(labels[label], due, "{set}: {kind} {name}: {label}");
            }
            assert!(name.len() <= 63, "{set}: {kind} {name}");
            let is_of_the_cluster = kind.starts_with("Cluster")
                || kind.contains("Admission")
                || kind == "CustomResourceDefinition";
            assert_eq!(namespace.is_empty(), is_of_the_cluster, "{set}: {kind} {name} is in {namespace:?}");
        }
    }
}

#[tokio::test]
async fn more_labels_are_on_everything() {
    for object in helm().await.renders_set("extras") {
        assert_eq!(object["metadata"]["labels"]["example.com/team"], "compliance", "{:?}", key(&object));
    }
}

/// Neither Helm nor Argo CD nor Flux takes them away: with them would go records, or what makes an approval mean something.
#[tokio::test]
async fn kinds_and_policies_are_kept_and_nothing_else_is() {
    for object in helm().await.renders(&[]) {
        let [kind, _, name] = key(&object);
        let marks = &object["metadata"]["annotations"];
        if kind == "CustomResourceDefinition" || kind.contains("AdmissionPolicy") {
            let due = json!({
                "helm.sh/resource-policy": "keep",
                "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
                "kustomize.toolkit.fluxcd.io/prune": "disabled",
            });
            assert_eq!(*marks, due, "{kind} {name}");
        } else {
            assert_eq!(*marks, Value::Null, "{kind} {name}");
        }
    }
}

#[tokio::test]
async fn no_right_has_a_wildcard_and_no_secret_is_listed_or_made_known() {
    for set in sets() {
        let objects = helm().await.renders_set(&set);
        let roles = objects.iter().filter(|it| it["kind"] == "Role" || it["kind"] == "ClusterRole");
        for rule in roles.flat_map(|role| role["rules"].as_array().unwrap()) {
            assert!(!rule.to_string().contains("\"*\""), "{set}: {rule}");
            if rule.to_string().contains("\"secrets\"") {
                assert!(
                    rule["verbs"] == json!(["get"]) || rule["verbs"] == json!(["create"]),
                    "{set}: {rule}"
                );
            }
        }
    }
}

#[tokio::test]
async fn listed_namespaces_alone_are_bound_and_the_secrets_of_the_cluster_are_named() {
    let objects = helm().await.renders_set("watched-namespaces");
    let bindings =
        objects.iter().filter(|it| it["roleRef"]["name"] == "customer-offboarding-operator-watched");
    let mut bound: Vec<[String; 3]> = bindings.map(key).collect();
    bound.sort();
    let due = ["team-a", "team-b"].map(|namespace| {
        ["RoleBinding", namespace, "customer-offboarding-operator-watched"].map(str::to_owned)
    });
    assert_eq!(bound, due);
    let role = the(&objects, "Role");
    let of_secrets = role["rules"].as_array().unwrap().iter().find(|rule| rule["verbs"] == json!(["get"]));
    let names = ["customer-offboarding-installation-key", "shared-revolv3", "shared-juicyway"];
    assert_eq!(of_secrets.unwrap()["resourceNames"], json!(names));
    assert_eq!(env(&objects, "WATCH_NAMESPACES"), "team-a,team-b");
}

#[tokio::test]
async fn the_requester_is_stamped_where_kubernetes_can() {
    let stamps = |objects: &[Value]| objects.iter().any(|it| it["kind"] == "MutatingAdmissionPolicy");
    let helm = helm().await;
    for (version, value, due) in [
        ("1.33.0", "Auto", false),
        ("1.35.9", "Auto", false),
        ("1.36.0", "Auto", true),
        ("1.36.0-rc.1", "Auto", true),
        ("1.37.2", "Auto", true),
        ("1.35.9", "Always", true),
        ("1.37.2", "Never", false),
    ] {
        let value_of = format!("admissionPolicies.stampRequester={value}");
        let objects = helm.renders(&["--kube-version", version, "--set", &value_of]);
        assert_eq!(stamps(&objects), due, "{version} {value}");
    }
    let said = helm.templates(&["--kube-version", "1.32.9"]);
    assert!(
        !said.success && said.stderr.contains("chart requires kubeVersion: >=1.33.0-0"),
        "{}",
        said.stderr
    );
}

#[tokio::test]
async fn what_prometheus_operator_reads_is_made_where_it_is_known() {
    let helm = helm().await;
    let file = format!("{CHART}/ci/service-monitor.yaml");
    let kinds = |objects: &[Value]| {
        let kinds = objects.iter().map(|it| it["kind"].as_str().unwrap().to_owned());
        kinds.filter(|kind| MONITORING.contains(&kind.as_str())).collect::<BTreeSet<String>>()
    };
    assert_eq!(kinds(&helm.renders(&["-f", &file])), BTreeSet::new());
    let objects = helm.renders_set("service-monitor");
    assert_eq!(kinds(&objects), BTreeSet::from(["PrometheusRule", "ServiceMonitor"].map(str::to_owned)));
    let monitor = the(&objects, "ServiceMonitor");
    assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    let endpoint = &monitor["spec"]["endpoints"][0];
    assert_eq!(endpoint["tlsConfig"], json!({"serverName": "metrics.example.com"}));
    assert!(endpoint["bearerTokenFile"].is_string());
    // The same labels at the Service, and the port's name at the pod.
    let service = the(&objects, "Service");
    let wanted = monitor["spec"]["selector"]["matchLabels"].as_object().unwrap();
    assert!(wanted.iter().all(|(label, value)| service["metadata"]["labels"][label] == *value));
    assert_eq!(service["spec"]["ports"][0]["name"], endpoint["port"]);
    let rules = &the(&objects, "PrometheusRule")["spec"]["groups"];
    let alerts = crate::rendered::read(&format!("{CHART}/files/alerts.yaml"));
    let alerts =
        crate::rendered::documents(&alerts.replace("RUNBOOKS_URL", "https://wiki.example.com/runbooks"));
    assert_eq!(*rules, alerts[0]["groups"]);
    assert!(rules.to_string().contains("https://wiki.example.com/runbooks/operator-without-leader.md"));
    let dashboard = the(&objects, "ConfigMap");
    assert_eq!(dashboard["metadata"]["labels"]["grafana_dashboard"], "1");
    let text = dashboard["data"]["customer-offboarding.json"].as_str().unwrap();
    let of_file: Value =
        serde_json::from_str(&crate::rendered::read(&format!("{CHART}/files/dashboard.json"))).unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), of_file);

    let objects = helm.renders_set("pod-monitor");
    let endpoint = &the(&objects, "PodMonitor")["spec"]["podMetricsEndpoints"][0];
    assert_eq!(endpoint["authorization"]["credentials"]["name"], "scraper");
    assert_eq!((&endpoint["interval"], &endpoint["bearerTokenFile"]), (&json!("1m"), &Value::Null));
}

#[tokio::test]
async fn the_network_is_closed_but_for_what_the_operator_needs() {
    let helm = helm().await;
    let policy = |objects: &[Value]| the(objects, "NetworkPolicy")["spec"].clone();
    let ports = |rule: &Value| {
        let ports = rule["ports"].as_array().unwrap().iter();
        ports.map(|it| it["port"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let each = |rules: &Value| rules.as_array().unwrap().iter().map(ports).collect::<Vec<_>>();
    let spec = policy(&helm.renders(&[]));
    assert_eq!(spec["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(each(&spec["ingress"]), [[8081], [8443]]);
    assert_eq!(each(&spec["egress"]), [vec![53, 53], vec![443, 6443], vec![443]]);
    let private = spec["egress"][2]["to"][0]["ipBlock"]["except"].as_array().unwrap();
    for range in ["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"] {
        assert!(private.contains(&json!(range)), "{range}");
    }

    let spec = policy(&helm.renders_set("closed-network"));
    let cidrs = |rule: &Value| {
        let to = rule["to"].as_array().unwrap().iter();
        to.map(|it| it["ipBlock"]["cidr"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let egress = spec["egress"].as_array().unwrap();
    assert_eq!(cidrs(&egress[0]), ["169.254.20.10/32"]);
    assert_eq!(cidrs(&egress[1]), ["10.96.0.1/32", "fd00::1/128"]);
    assert_eq!(cidrs(&egress[2]), ["198.51.100.0/24"]);
    assert_eq!(each(&spec["egress"]), [vec![53, 53], vec![443], vec![443, 8443]]);
    assert_eq!(spec["ingress"].as_array().unwrap().len(), 3);

    let spec = policy(&helm.renders_set("proxy-and-traces"));
    assert!(cidrs(&spec["egress"][2]).contains(&"10.20.0.0/16".to_owned()));
    assert_eq!(each(&spec["egress"])[3..], [[3128], [4318]]);
    assert_eq!(each(&policy(&helm.renders(&["--set", "metrics.enabled=false"]))["ingress"]), [[8081]]);
    let spec = policy(&helm.renders_set("openshift"));
    assert_eq!(each(&spec["egress"])[3..], [[5353, 5353]]);
}

#[tokio::test]
async fn drains_take_one_replica_after_the_other() {
    let helm = helm().await;
    let objects = helm.renders(&[]);
    let budget = &the(&objects, "PodDisruptionBudget")["spec"];
    assert_eq!((&budget["maxUnavailable"], &budget["minAvailable"]), (&json!(1), &Value::Null));
    assert_eq!(budget["unhealthyPodEvictionPolicy"], "AlwaysAllow");
    let deployment = &the(&objects, "Deployment")["spec"];
    assert_eq!(budget["selector"], deployment["selector"]);
    assert_eq!(deployment["replicas"], 2);
    assert_eq!(the(&helm.renders_set("large"), "PodDisruptionBudget")["spec"]["maxUnavailable"], "50%");
    assert!(!helm.renders_set("small").iter().any(|it| it["kind"] == "PodDisruptionBudget"));
}

/// What the one container gets as a variable.
pub fn env(objects: &[Value], name: &str) -> Value {
    let container = &the(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    let found = container["env"].as_array().unwrap().iter().find(|it| it["name"] == name);
    found.map(|it| it["value"].clone()).unwrap_or_default()
}
