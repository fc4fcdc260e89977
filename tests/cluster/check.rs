//! The doctor on a real API server: a good installation is told so, and each thing that is taken away has its line.

use std::{collections::BTreeMap, path::Path};

use harness::{
    ControlPlane, Options,
    Provider::{Juicyway, Revolv3},
    Tool, eventually,
};
use regex::Regex;
use serde_json::{Value, json};

use crate::{
    stage::{SOON, Stage, install, root},
    story::Story,
};

const OPERATOR: &str = env!("CARGO_BIN_EXE_customer-offboarding-operator");
const KEY: &str = "customer-offboarding-installation-key";

fn doctor(plane: &ControlPlane, user: &str) -> Tool {
    plane.tool(user, OPERATOR).args(["check", "--allowed-cidrs", "127.0.0.0/8"])
}

/// How it ended, and the lines by their names.
struct Found {
    code: Option<i32>,
    lines: BTreeMap<String, Value>,
}

impl Found {
    async fn by(tool: Tool) -> Found {
        let output = tool.args(["--output", "json"]).run().await.unwrap();
        let json: Value = serde_json::from_str(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", output.stdout, output.stderr));
        let lines = json["checks"].as_array().unwrap().iter();
        let lines = lines.map(|line| (line["check"].as_str().unwrap().to_owned(), line.clone()));
        Found { code: output.status.code(), lines: lines.collect() }
    }

    /// What is not in order: `rights: fail`.
    fn bad(&self) -> Vec<String> {
        let bad = self.lines.iter().filter(|(_, line)| line["verdict"] != "ok");
        bad.map(|(name, line)| format!("{name}: {}", line["verdict"].as_str().unwrap())).collect()
    }

    fn says(&self, name: &str) -> &str {
        self.lines[name]["says"].as_str().unwrap()
    }
}

/// Looks until these lines and no others are not in order: what the API server publishes follows a moment later.
async fn finds(stage: &Stage, what: &str, bad: &[&str], name: &str, says: &str) {
    let found = eventually(SOON, what, || async {
        let found = Found::by(doctor(&stage.plane, "operator")).await;
        let is_it = found.bad() == bad && (name.is_empty() || found.says(name).contains(says));
        if is_it { Ok(found) } else { Err(found.lines) }
    });
    let found = found.await;
    if !name.is_empty() {
        assert!(found.lines[name]["do"].is_string(), "{what}: {:?}", found.lines[name]);
    }
    let fails = bad.iter().any(|line| line.ends_with("fail") || line.ends_with("unknown"));
    assert_eq!(found.code, Some(i32::from(fails)), "{what}");
}

async fn admin(stage: &Stage, words: &str) -> String {
    stage.plane.kubectl("admin").args(words.split(' ')).succeed().await.unwrap()
}

async fn apply(stage: &Stage, path: &str) {
    let kubectl = stage.plane.kubectl("admin").args(["apply", "--server-side", "--force-conflicts", "-f"]);
    kubectl.arg(root().join(path)).succeed().await.unwrap();
}

/// Changes an object by a JSON patch.
async fn change(stage: &Stage, object: &str, patch: Value) {
    let kubectl = stage.plane.kubectl("admin").arg("patch").args(object.split(' '));
    kubectl.args(["--type=json", "-p", &json!([patch]).to_string()]).succeed().await.unwrap();
}

async fn ready(story: &Story<'_>, name: &str) {
    story
        .wait("the provider object is ready", || async {
            let object = story.get("OffboardingProvider", name).await.unwrap_or_default();
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let is_ready = conditions.iter().any(|it| it["type"] == "Ready" && it["status"] == "True");
            if is_ready { Ok(()) } else { Err(conditions) }
        })
        .await;
}

/// What differs from one installation to the next, made alike.
fn alike(text: &str, namespace: &str) -> String {
    let text = text.replace(namespace, "billing");
    let rules = [
        (r"operator-[0-9a-f]{8} leads|\S+-[0-9a-f]{8} leads", "HOLDER leads"),
        (r"\b[0-9a-f]{8}, and", "KEY, and"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
        (r"Kubernetes v1\.\d+\.\d+", "Kubernetes VERSION"),
        (r"all \d+ of", "all NUMBER of"),
        (r" {2,}", "  "),
    ];
    rules.iter().fold(text, |text, (from, to)| Regex::new(from).unwrap().replace_all(&text, *to).into_owned())
}

#[tokio::test]
async fn a_good_installation_is_told_so_and_each_thing_that_is_taken_away_has_its_line() {
    let stage = Stage::start(Options::default()).await.unwrap();
    let story = stage.story("billing").await;
    for customer in ["cus_first", "cus_second"] {
        story.sandbox.seed(Juicyway, customer, &json!({})).await.unwrap();
    }
    story.provider(Revolv3, json!({})).await;
    ready(&story, "revolv3").await;
    admin(
        &stage,
        &format!("annotate secret {KEY} -n customer-offboarding offboarding.dev/key-backed-up-at=2026-11-20T08:00:00Z"),
    )
    .await;
    finds(&stage, "a good installation", &[], "", "").await;
    is_as_the_manual_shows(&stage, &story).await;

    backups_and_keys(&stage, &story).await;
    rights_and_policies(&stage).await;
    kinds(&stage).await;
    provider_objects(&stage, &story).await;

    stage.kill_operator().await;
    stage.free_the_lease().await.unwrap();
    let runbook = "it was given back: nobody leads";
    finds(&stage, "nobody leads", &["lease: fail"], "lease", runbook).await;
}

async fn is_as_the_manual_shows(stage: &Stage, story: &Story<'_>) {
    let output = doctor(&stage.plane, "operator").run().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}{}", output.stdout, output.stderr);
    let path = root().join("docs/configuration.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once("```text check\n").unwrap();
    let (shown, tail) = rest.split_once("```\n").unwrap();
    let said = output.stdout.replace(story.namespace.name(), "billing");
    if std::env::var_os("ACCEPT").is_some() {
        std::fs::write(&path, format!("{head}```text check\n{said}```\n{tail}")).unwrap();
    } else {
        assert_eq!(alike(shown, "billing"), alike(&said, "billing"), "docs/configuration.md; ACCEPT=1");
    }
}

async fn backups_and_keys(stage: &Stage, story: &Story<'_>) {
    let annotation =
        format!("annotate secret {KEY} -n customer-offboarding offboarding.dev/key-backed-up-at");
    admin(stage, &format!("{annotation}-")).await;
    finds(stage, "no backup", &["key-backup: warn"], "key-backup", "nobody says that the key is backed up")
        .await;
    admin(stage, &format!("{annotation}=yes")).await;
    finds(stage, "a backup at no time", &["key-backup: warn"], "key-backup", "is not a time in the past")
        .await;
    admin(stage, &format!("{annotation}=2026-11-20T08:00:00Z --overwrite")).await;

    // A record first: a key is lost only where something was made with it.
    story.provider(Juicyway, json!({})).await;
    story.request("first", Juicyway, "cus_first").await;
    assert_eq!(story.finished("first").await["phase"], "Completed");
    let secret = admin(stage, &format!("get secret {KEY} -n customer-offboarding -o json")).await;
    let mut secret: Value = serde_json::from_str(&secret).unwrap();
    secret["metadata"] = json!({
        "name": KEY, "namespace": "customer-offboarding", "annotations": secret["metadata"]["annotations"],
    });
    let bad = ["installation-key: fail"];
    let delete = format!("delete secret {KEY} -n customer-offboarding");
    admin(stage, &delete).await;
    finds(stage, "no key", &bad, "installation-key", "missing, but there are records").await;
    for (what, key, says) in [
        ("another key", "A".repeat(43) + "=", "1 records were made with another one"),
        ("no key at all", "dG9vIHNob3J0".to_owned(), "holds no key of 32 bytes"),
    ] {
        let mut other = secret.clone();
        other["data"]["key"] = json!(key);
        stage.plane.apply(&other.to_string()).await.unwrap();
        finds(stage, what, &bad, "installation-key", says).await;
        admin(stage, &delete).await;
    }
    secret["immutable"] = json!(false);
    stage.plane.apply(&secret.to_string()).await.unwrap();
    let warn = ["installation-key: warn"];
    finds(stage, "a key that can be changed", &warn, "installation-key", "its Secret is not immutable").await;
    secret["immutable"] = json!(true);
    stage.plane.apply(&secret.to_string()).await.unwrap();
    finds(stage, "the key is back", &[], "", "").await;
}

async fn rights_and_policies(stage: &Stage) {
    let policy = "ValidatingAdmissionPolicy approvals.offboarding.dev";
    change(
        stage,
        "validatingadmissionpolicy approvals.offboarding.dev",
        json!({"op": "replace", "path": "/spec/failurePolicy", "value": "Ignore"}),
    )
    .await;
    finds(stage, "an altered policy", &["policies: fail"], "policies", policy).await;
    admin(stage, "delete validatingadmissionpolicybinding denials.offboarding.dev").await;
    let binding = "ValidatingAdmissionPolicyBinding denials.offboarding.dev";
    finds(stage, "no binding", &["policies: fail"], "policies", binding).await;
    apply(stage, "deploy/admission.yaml").await;

    admin(stage, "delete mutatingadmissionpolicybinding stamp-requester.offboarding.dev").await;
    finds(stage, "no stamp", &["stamp-requester: warn"], "stamp-requester", "nobody knows who asked").await;
    apply(stage, "deploy/stamp-requester.yaml").await;

    let role = "clusterrole customer-offboarding-operator-watched";
    let rules: Value = serde_json::from_str(&admin(stage, &format!("get {role} -o json")).await).unwrap();
    let rules = rules["rules"].as_array().unwrap();
    let events = rules.iter().position(|rule| rule["resources"] == json!(["events"])).unwrap();
    change(stage, role, json!({"op": "remove", "path": format!("/rules/{events}")})).await;
    let missing = "create events.events.k8s.io, patch events.events.k8s.io";
    finds(stage, "no right on Events", &["rights: fail"], "rights", missing).await;
    apply(stage, "deploy/roles.yaml").await;

    let operator = "--serviceaccount=customer-offboarding:customer-offboarding-operator";
    admin(stage, "create clusterrole too-much --verb=list --resource=secrets").await;
    admin(stage, &format!("create clusterrolebinding too-much --clusterrole=too-much {operator}")).await;
    finds(stage, "a list of Secrets", &["excess-rights: warn"], "excess-rights", "list secrets (could").await;
    admin(stage, "delete clusterrolebinding too-much").await;
    finds(stage, "everything is back", &[], "", "").await;
}

async fn kinds(stage: &Stage) {
    let crd = "customresourcedefinition customerholds.offboarding.dev";
    let field =
        |name: &str| format!("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/{name}");
    for (what, patch, bad, says) in [
        (
            "an older kind",
            json!({"op": "remove", "path": field("expiresAt")}),
            "crds: fail",
            "older than this version, which needs more fields: customerholds.offboarding.dev (spec.expiresAt)",
        ),
        (
            "a newer kind",
            json!({"op": "add", "path": field("color"), "value": {"type": "string"}}),
            "crds: warn",
            "newer than this version, which does not know: customerholds.offboarding.dev (spec.color)",
        ),
        (
            "an altered kind",
            json!({"op": "replace", "path": field("reference/maxLength"), "value": 2}),
            "crds: fail",
            "not as this version ships them: customerholds.offboarding.dev (spec.reference)",
        ),
    ] {
        change(stage, crd, patch).await;
        finds(stage, what, &[bad], "crds", says).await;
        // Whoever applies owns no field that somebody else added: it is replaced as a whole.
        let replace = stage.plane.kubectl("admin").args(["replace", "-f"]);
        replace.arg(root().join("crds/customerholds.yaml")).succeed().await.unwrap();
    }
    finds(stage, "the kinds as they were", &[], "", "").await;
}

async fn provider_objects(stage: &Stage, story: &Story<'_>) {
    let named = |what: &str, name: &str| format!("{what} {}/{name}", story.namespace.name());
    story.provider_as("nowhere", Revolv3, json!({"baseUrl": "https://127.0.0.1:1"})).await;
    let (nowhere, reach) = (named("provider", "nowhere"), named("reach", "nowhere"));
    let bad = [format!("{nowhere}: fail"), format!("{reach}: fail")];
    let bad = bad.each_ref().map(String::as_str);
    finds(stage, "nobody is there", &bad, &reach, "no connection").await;
    finds(stage, "nobody is there", &bad, &nowhere, "not ready (ControlFailed)").await;
    story.remove("OffboardingProvider", "nowhere").await;

    // Trusted by nobody, without the sandbox's authority.
    story.provider_as("stranger", Revolv3, json!({"tls": null})).await;
    let (stranger, reach) = (named("provider", "stranger"), named("reach", "stranger"));
    let bad = [format!("{stranger}: fail"), format!("{reach}: fail")];
    finds(stage, "a certificate of nobody", &bad.each_ref().map(String::as_str), &reach, "no trusted").await;
    story.remove("OffboardingProvider", "stranger").await;

    let revolv3 = named("provider", "revolv3");
    story.secret("revolv3", "wrong").await;
    story.edit_provider(Revolv3, json!({"recheckInterval": "11s"})).await;
    let bad = [format!("{revolv3}: fail")];
    finds(
        stage,
        "a wrong credential",
        &bad.each_ref().map(String::as_str),
        &revolv3,
        "not ready (AuthFailed)",
    )
    .await;
    story.secret("revolv3", "rv3_sandbox").await;
    story.edit_provider(Revolv3, json!({"suspend": true})).await;
    let bad = [format!("{revolv3}: warn")];
    finds(stage, "an emergency stop", &bad.each_ref().map(String::as_str), &revolv3, "suspended").await;
    story.edit_provider(Revolv3, json!({"suspend": false})).await;
    finds(stage, "the provider objects as they were", &[], "", "").await;
}

#[tokio::test]
async fn before_the_operator_runs_the_doctor_says_what_is_missing_and_writes_nothing() {
    let mut plane = ControlPlane::start(Options::default().with_audit_log()).await.unwrap();
    let found = Found::by(doctor(&plane, "operator")).await;
    assert_eq!(found.code, Some(1));
    assert!(found.says("crds").starts_with("not installed: "), "{}", found.says("crds"));
    for name in ["policies", "rights", "lease", "installation-key", "providers"] {
        let verdict = found.lines[name]["verdict"].as_str().unwrap();
        assert!(["fail", "unknown"].contains(&verdict), "{name}: {verdict}");
    }

    plane.apply_path(&root().join("crds")).await.unwrap();
    install(&plane).await.unwrap();
    let expected = ["installation-key: warn", "lease: fail", "namespace: unknown", "providers: warn"];
    let found = eventually(SOON, "what is missing", || async {
        let found = Found::by(doctor(&plane, "operator")).await;
        if found.bad() == expected { Ok(found) } else { Err(found.lines) }
    });
    let found = found.await;
    assert!(found.says("lease").starts_with("nobody has led yet"), "{}", found.says("lease"));

    // For somebody else it is about their rights; who may not look is told so.
    let by_admin = Found::by(doctor(&plane, "admin")).await;
    let expected =
        ["excess-rights: warn", "identity: warn", "installation-key: warn", "lease: fail", "providers: warn"];
    assert_eq!(by_admin.bad(), expected);
    let by_alice = Found::by(doctor(&plane, "alice")).await;
    assert_eq!(by_alice.code, Some(1));
    for name in ["installation-key", "lease", "namespace", "providers", "stamp-requester"] {
        assert_eq!(by_alice.lines[name]["verdict"], "unknown", "{name}");
        assert!(by_alice.says(name).contains("this account may not"), "{}", by_alice.says(name));
    }

    is_read_only(&plane);
    unusable(&mut plane).await;
}

fn is_read_only(plane: &ControlPlane) {
    let events = plane.audit_events().unwrap();
    let ours = events.iter().filter(|it| {
        let user = it["user"]["username"].as_str().unwrap_or_default();
        it["stage"] == "ResponseComplete"
            && (user.ends_with(":customer-offboarding-operator") || user == "alice")
    });
    let mut count = 0;
    for event in ours {
        let (verb, resource) = (event["verb"].as_str().unwrap(), event["objectRef"]["resource"].as_str());
        let asks = matches!(resource, Some("selfsubjectaccessreviews" | "selfsubjectreviews"));
        assert!(matches!(verb, "get" | "list") || (verb == "create" && asks), "{verb} {resource:?}");
        assert!(!(verb == "list" && resource == Some("secrets")), "Secrets are not listed");
        count += 1;
    }
    assert!(count > 100, "the doctor is in the audit log: {count}");
}

async fn unusable(plane: &mut ControlPlane) {
    let said = |output: harness::Output| (output.status.code(), output.stderr);
    let kubeconfig = std::fs::read_to_string(plane.kubeconfig("operator")).unwrap();
    let wrong = kubeconfig.replace("token-of-operator", "token-of-nobody");
    let wrong = plane.scratch().write("nobody.kubeconfig", &wrong).unwrap();
    let as_nobody = |path: &Path| plane.tool("operator", OPERATOR).arg("check").env("KUBECONFIG", path);
    let (code, stderr) = said(as_nobody(&wrong).run().await.unwrap());
    assert_eq!((code, stderr.as_str()), (Some(2), "error: the API server refuses the credentials\n"));
    plane.stop_api_server();
    let (code, stderr) = said(doctor(plane, "operator").run().await.unwrap());
    assert_eq!((code, stderr.as_str()), (Some(2), "error: the API server does not answer\n"));
}
