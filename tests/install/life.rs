//! Upgrade, rollback, uninstall and a new installation, each in the middle of offboardings: nothing is deleted that nobody approved,
//! nothing is lost, and everything goes on.

use harness::{
    Failure, Process,
    Provider::{Juicyway, Revolv3},
};
use http::Request;
use serde_json::{Value, json};

use crate::{
    release::{self, EVERYWHERE, NAMESPACE, ON_THE_LOOPBACK, chart, helm},
    stage::{SOON, Stage},
    story::Story,
};

/// A provider takes 12 s to answer here: long enough for Helm to do its part meanwhile.
const PATIENT: &str = "--set=operator.sendDeadline=4s,operator.requestDeadline=16s";

/// What must outlast a release.
const KEPT: &[&str] = &[
    "/api/v1/namespaces/customer-offboarding",
    "/api/v1/namespaces/customer-offboarding/secrets/customer-offboarding-installation-key",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/customeroffboardings.offboarding.dev",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/customerholds.offboarding.dev",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/offboardingapprovals.offboarding.dev",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/offboardingproviders.offboarding.dev",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/clusteroffboardingproviders.offboarding.dev",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/offboardingrecords.offboarding.dev",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/requests.offboarding.dev",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/approvals.offboarding.dev",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/denials.offboarding.dev",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/operator-only.offboarding.dev",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/evidence.offboarding.dev",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/operator-only.offboarding.dev",
    "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies/stamp-requester.offboarding.dev",
];

/// What goes with it.
const GONE: &[&str] = &[
    "/apis/apps/v1/namespaces/customer-offboarding/deployments/customer-offboarding-operator",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles/customer-offboarding-operator",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/customer-offboarding-operator-watched",
    "/api/v1/namespaces/customer-offboarding/serviceaccounts/customer-offboarding-operator",
];

#[tokio::test]
async fn upgrade_rollback_and_uninstall_in_the_middle_delete_nothing_that_nobody_approved()
-> Result<(), Failure> {
    let stage = Stage::bare().await?;
    release::install(&stage.plane, &[EVERYWHERE, ON_THE_LOOPBACK, PATIENT]).await?;
    let mut operator = stage.runs(&[]).await?;
    let story = stage.story("life").await;
    story.cast().await;
    let life = Life { story: &story };
    life.begins().await?;

    life.is_in_the_middle_of("upgraded").await?;
    let chart = chart();
    let upgrade =
        ["upgrade", "offboarding", &chart, "--reuse-values", "--set=replicas=3,operator.logLevel=debug"];
    helm(&stage.plane, &upgrade).await?;
    operator = life.rolled_out(operator).await?;
    assert_eq!(life.replicas().await, 3);
    life.goes_on_with("upgraded").await;

    life.is_in_the_middle_of("rolled-back").await?;
    helm(&stage.plane, &["rollback", "offboarding", "1"]).await?;
    operator = life.rolled_out(operator).await?;
    assert_eq!(life.replicas().await, 2);
    life.goes_on_with("rolled-back").await;

    life.is_in_the_middle_of("uninstalled").await?;
    let before = life.uids().await;
    helm(&stage.plane, &["uninstall", "offboarding"]).await?;
    // Its rights are gone before it is: what it just sent it cannot write down.
    operator.terminate()?;
    let end = operator.wait(SOON * 2).await?;
    assert_eq!(end.code(), Some(0), "{}", operator.tail());
    life.outcome_is_unwritten("uninstalled").await;
    for path in GONE {
        assert_eq!(life.uid(path).await, None, "{path}");
    }
    assert_eq!(life.uids().await, before, "what outlasts a release is what it was");
    life.nobody_lost_anything().await;

    release::install(&stage.plane, &[EVERYWHERE, ON_THE_LOOPBACK, PATIENT]).await?;
    assert_eq!(life.uids().await, before, "and is so for the next one");
    let _operator = stage.runs(&[]).await?;
    life.goes_on_with("uninstalled").await;
    life.ends().await?;
    Ok(())
}

/// A story with somebody who waits for each thing that one can wait for.
struct Life<'a> {
    story: &'a Story<'a>,
}

impl Life<'_> {
    /// One waits for people, one for a blocker, one is done.
    async fn begins(&self) -> Result<(), Failure> {
        let story = self.story;
        let subscribed =
            json!({"subscriptions": [{"subscriptionId": 7, "subscriptionStatusType": "Current"}]});
        story.sandbox.seed(Juicyway, "cus_waits", &json!({})).await?;
        story.sandbox.seed(Juicyway, "cus_done", &json!({})).await?;
        story.sandbox.seed(Revolv3, "90018", &subscribed).await?;
        story.provider(Juicyway, json!({"approvals": {"required": 1}})).await;
        story.provider(Revolv3, json!({})).await;
        story.request_as("alice", "waits", Juicyway, "cus_waits", json!({})).await;
        story.request_as("alice", "done", Juicyway, "cus_done", json!({})).await;
        story.request_as("alice", "blocked", Revolv3, "90018", json!({})).await;
        story.until("waits", "it waits for people", |status| status["phase"] == "AwaitingApproval").await;
        story.reason("blocked", "Unblocked", "BlockersFound").await;
        story.agree("bob", "done").await;
        assert_eq!(story.finished("done").await["result"], "ErasedWithRetention");
        Ok(())
    }

    /// A deletion that bob agreed to is with the provider, which takes its time.
    async fn is_in_the_middle_of(&self, name: &str) -> Result<(), Failure> {
        let (story, customer) = (self.story, self.customer(name));
        story.sandbox.seed(Juicyway, &customer, &json!({})).await?;
        let slow = json!([{
            "match": {"method": "DELETE", "path": format!("/customers/{customer}")}, "times": 1,
            "do": {"kind": "latency", "ms": 12000, "at": "afterApply"},
        }]);
        story.sandbox.set_faults(&slow).await?;
        story.request_as("alice", name, Juicyway, &customer, json!({})).await;
        story.agree("bob", name).await;
        story.until_applied(Juicyway, &customer).await;
        assert_ne!(story.status(name).await["finished"], true, "{name} is in the middle of it");
        Ok(())
    }

    /// The old process is asked to end, and the new one begins as the release stands now.
    async fn rolled_out(&self, mut old: Process) -> Result<Process, Failure> {
        let new = self.story.stage.starts(&[]).await?;
        old.terminate()?;
        let end = old.wait(SOON).await?;
        assert_eq!(end.code(), Some(0), "{}", old.tail());
        Ok(new)
    }

    async fn goes_on_with(&self, name: &str) {
        let story = self.story;
        assert_eq!(story.finished(name).await["result"], "ErasedWithRetention", "{name}");
        assert_eq!(story.deletes(Juicyway, &self.customer(name)).await, 1, "{name}");
        self.nobody_lost_anything().await;
    }

    /// Who waits still waits, and nothing was sent for them.
    async fn nobody_lost_anything(&self) {
        let story = self.story;
        for (name, phase, provider, customer) in [
            ("waits", "AwaitingApproval", Juicyway, "cus_waits"),
            ("blocked", "Blocked", Revolv3, "90018"),
            ("done", "Completed", Juicyway, "cus_done"),
        ] {
            assert_eq!(story.status(name).await["phase"], phase, "{name}");
            let due = usize::from(name == "done");
            assert_eq!(story.deletes(provider, customer).await, due, "{name}");
        }
        let done = story.records().await.into_iter().find(|it| it["spec"]["request"]["name"] == "done");
        assert_eq!(done.unwrap()["spec"]["result"], "ErasedWithRetention");
    }

    /// The intent stands, and nobody could write down what came of it.
    async fn outcome_is_unwritten(&self, name: &str) {
        let records = self.story.records().await;
        let spec = &records.iter().find(|it| it["spec"]["request"]["name"] == name).unwrap()["spec"];
        assert_ne!(spec["closed"], true, "{spec:#}");
        assert_eq!(spec["attempts"][0]["outcome"], Value::Null, "{spec:#}");
    }

    /// Whoever waited goes on, no lock is left over, and the next customer has its turn.
    async fn ends(&self) -> Result<(), Failure> {
        let story = self.story;
        story.agree("bob", "waits").await;
        story.sandbox.change(Revolv3, "90018", &json!({"subscriptions": []})).await?;
        for (name, result) in [("waits", "ErasedWithRetention"), ("blocked", "Deactivated")] {
            assert_eq!(story.finished(name).await["result"], result, "{name}");
        }
        let records = story.records().await;
        assert_eq!(records.len(), 6, "one for each");
        let open = records.iter().filter(|record| record["spec"]["closed"] != true);
        assert_eq!(open.collect::<Vec<_>>(), Vec::<&Value>::new(), "no lock is left over");
        for record in &records {
            let attempts = record["spec"]["attempts"].as_array().unwrap();
            let sent = attempts.iter().filter(|attempt| attempt["outcome"] != "NotSent").count();
            assert_eq!(sent, 1, "{record:#}");
        }
        story.judged().await;
        Ok(())
    }

    fn customer(&self, name: &str) -> String {
        format!("cus_{}", name.replace('-', "_"))
    }

    async fn replicas(&self) -> Value {
        let deployment = GONE[0];
        self.get(deployment).await.unwrap()["spec"]["replicas"].clone()
    }

    async fn uids(&self) -> Vec<(&'static str, Option<String>)> {
        let mut uids = Vec::new();
        for path in KEPT {
            let uid = self.uid(path).await;
            assert!(uid.is_some(), "{path} is not there");
            uids.push((*path, uid));
        }
        uids
    }

    async fn uid(&self, path: &str) -> Option<String> {
        Some(self.get(path).await?["metadata"]["uid"].as_str()?.to_owned())
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let request = Request::get(path).body(Vec::new()).unwrap();
        match self.story.client.request::<Value>(request).await {
            Ok(object) => Some(object),
            Err(kube::Error::Api(status)) if status.is_not_found() => None,
            Err(error) => panic!("{path}: {error}"),
        }
    }
}

/// Kinds, policies and roles that kubectl applied before are Helm's from then on, where it is told to take them over.
#[tokio::test]
async fn what_kubectl_applied_is_taken_over_when_helm_is_told_to() -> Result<(), Failure> {
    let stage = Stage::bare().await?;
    for directory in ["crds", "deploy"] {
        let apply = stage.plane.kubectl("admin").args(["apply", "--server-side", "-f"]);
        apply.arg(release::root().join(directory)).succeed().await?;
    }
    let chart = chart();
    let install = ["install", "offboarding", &chart, EVERYWHERE, "--namespace", NAMESPACE];
    let refused = stage.plane.helm("admin").await?.args(install).run().await?;
    assert!(!refused.status.success() && refused.stderr.contains("ownership"), "{}", refused.stderr);
    let take = ["--take-ownership", "--force-conflicts"];
    let taken = stage.plane.helm("admin").await?.args(install).args(take).run().await?;
    assert!(taken.status.success(), "{}", taken.stderr);
    let crd = ["get", "crd", "offboardingrecords.offboarding.dev", "-o", "json"];
    let crd = stage.plane.kubectl("admin").args(crd).succeed().await?;
    let crd: Value = serde_json::from_str(&crd).map_err(Failure::to("read the CRD"))?;
    let marks = &crd["metadata"]["annotations"];
    assert_eq!(
        (&marks["meta.helm.sh/release-name"], &marks["helm.sh/resource-policy"]),
        (&json!("offboarding"), &json!("keep"))
    );
    // As they were: what was approved before still counts.
    let policy = [
        "get",
        "validatingadmissionpolicy",
        "approvals.offboarding.dev",
        "-o",
        "jsonpath={.metadata.generation}",
    ];
    assert_eq!(stage.plane.kubectl("admin").args(policy).succeed().await?, "1");
    stage.runs(&[]).await.map(drop)
}
