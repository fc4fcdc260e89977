//! What a real API server says to each set of values.

use harness::{ControlPlane, Failure, Options};
use serde_json::json;

use crate::rendered::{CHART, MONITORING, NAMESPACE, helm, root, sets};

/// Kinds of Prometheus Operator, as far as somebody has to know them here.
fn foreign_kinds() -> String {
    let kinds = MONITORING.map(|kind| {
        let (singular, plural) = (kind.to_lowercase(), format!("{}s", kind.to_lowercase()));
        let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let crd = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.monitoring.coreos.com")},
            "spec": {
                "group": "monitoring.coreos.com", "scope": "Namespaced",
                "names": {"kind": kind, "singular": singular, "plural": plural},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
            },
        });
        format!("---\n{crd}\n")
    });
    kinds.concat()
}

#[tokio::test]
async fn every_set_of_values_is_accepted_by_an_api_server() -> Result<(), Failure> {
    let plane = ControlPlane::start(Options::default()).await?;
    let namespaces = [NAMESPACE, "team-a", "team-b"].map(|name| {
        format!("---\n{}\n", json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
    });
    plane.apply(&namespaces.concat()).await?;
    notes_name_what_is_left_out(&plane).await?;
    plane.apply(&foreign_kinds()).await?;
    // The pod standard speaks up where a namespace asks it to.
    let warn = "pod-security.kubernetes.io/warn=restricted";
    plane.kubectl("admin").args(["label", "namespace", NAMESPACE, warn]).succeed().await?;
    for set in sets() {
        let file = format!("{CHART}/ci/{set}.yaml");
        let served = MONITORING.map(|kind| format!("--api-versions=monitoring.coreos.com/v1/{kind}"));
        let args: Vec<&str> = ["-f", &file].into_iter().chain(served.iter().map(String::as_str)).collect();
        let said = helm().await.templates(&args);
        assert!(said.success, "{set}: {}", said.stderr);
        let apply = ["apply", "--server-side", "--dry-run=server", "--validate=strict"];
        let tried = plane.kubectl("admin").args(apply).manifests(&said.stdout)?.run().await?;
        assert!(tried.status.success() && tried.stderr.is_empty(), "{set}: {}", tried.stderr);
        let made = tried.stdout.lines().filter(|line| line.contains("serverside-applied")).count();
        println!("{set}: {made} objects");
        // Where kinds, policies and rights are applied apart, the rest is four objects.
        let least = if set == "kinds-apart" { 4 } else { 5 };
        assert!(made >= least, "{set}: {}", tried.stdout);
    }
    Ok(())
}

/// What to do next stands at the end of an installation, and what is not as it should be.
async fn notes_name_what_is_left_out(plane: &ControlPlane) -> Result<(), Failure> {
    let chart = root().join(CHART);
    let install = async |set: &str, more: &[&str]| -> Result<String, Failure> {
        let helm = plane.helm("admin").await?.args(["install", "offboarding"]).arg(&chart);
        let values = chart.join(format!("ci/{set}.yaml"));
        let helm = helm.args(["--namespace", NAMESPACE, "--dry-run=server", "-f"]).arg(values);
        helm.args(more).succeed().await
    };
    let defaults = install("defaults", &[]).await?;
    for words in [
        "customer-offboarding-installation-key -o yaml > installation-key.yaml",
        "create rolebinding offboarding-approver --clusterrole=offboarding-approver",
        "create secret generic revolv3 --type=offboarding.dev/credentials",
    ] {
        assert!(defaults.contains(words), "{words}: {defaults}");
    }
    // Nobody but who installs it knows where the API server is.
    let open = "WARNING: the rule for the API server has no addresses, so ports 443 and 6443 are open to any destination; \
                only the operator's own address check is left: set networkPolicy.apiServer.cidrs.";
    assert!(defaults.contains(open) && defaults.matches("WARNING").count() == 1, "{defaults}");
    let closed = install("closed-network", &[]).await?;
    assert!(!closed.contains("WARNING"), "{closed}");
    let proxy = "WARNING: operator.egressProxy is set and networkPolicy.extraEgress is empty: traffic to http://proxy";
    let traces = "WARNING: operator.otlpEndpoint is set and networkPolicy.extraEgress is empty: traffic to http://coll";
    for (set, more, due) in [
        ("closed-network", "--set=operator.egressProxy=http://proxy:3128", vec![proxy]),
        ("closed-network", "--set=operator.otlpEndpoint=http://collector:4318", vec![traces]),
        ("proxy-and-traces", "--set-json=networkPolicy.extraEgress=[]", vec![open, proxy, traces]),
        ("proxy-and-traces", "--set=networkPolicy.enabled=false", vec!["WARNING: no NetworkPolicy"]),
        ("proxy-and-traces", "--set=replicas=2", vec![open]),
    ] {
        let notes = install(set, &[more]).await?;
        assert!(due.iter().all(|words| notes.contains(words)), "{set} {more}: {notes}");
        assert_eq!(notes.matches("WARNING").count(), due.len(), "{set} {more}: {notes}");
    }
    for (set, words) in [
        ("service-monitor", "WARNING: no ServiceMonitor was made: the cluster has no such kind"),
        ("service-monitor", "WARNING: no PrometheusRule was made"),
        ("pod-monitor", "WARNING: no PodMonitor was made"),
        ("unstamped", "WARNING: nobody writes down who asks"),
        ("unstamped", "WARNING: the records can be deleted with their CRD"),
        ("kinds-apart", "WARNING: the admission policies are not part of this release"),
        ("small", "WARNING: with one replica nobody takes over"),
        ("small", "WARNING: no NetworkPolicy"),
        ("watched-namespaces", "Requests in other namespaces than team-a, team-b are not seen."),
    ] {
        let notes = install(set, &[]).await?;
        assert!(notes.contains(words), "{set}: {notes}");
    }
    Ok(())
}
