//! A6, rows 89 to 101: flags, environment and surroundings that the operator cannot work with.

use std::process::Command;

use harness::{ControlPlane, Launch, Options, Provider::Juicyway, Scratch};
use serde_json::json;

use crate::{
    stage::{SOON, Stage, install, root, says},
    story::condition,
};

const OPERATOR: &str = env!("CARGO_BIN_EXE_customer-offboarding-operator");

/// One more than are watched one by one.
const MANY_NAMESPACES: &str = concat!(
    "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,",
    "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a",
);

/// What the operator says to arguments and environment, and how it ends.
fn said(args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(OPERATOR);
    command.args(args).env_remove("KUBECONFIG").env_remove("KUBERNETES_SERVICE_HOST").envs(env.to_vec());
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn rows_89_to_98_arguments_that_make_no_sense_end_the_operator_with_a_sentence() {
    let flag = |flag: &'static str, value: &'static str| vec!["operator", flag, value];
    for (row, args, sentence) in [
        (89, vec!["operator", "--foo"], "error: unexpected argument '--foo' found"),
        (
            89,
            vec!["operator", "--log-level"],
            "error: a value is required for '--log-level <LOG_LEVEL>' but none was supplied",
        ),
        (
            89,
            vec!["operator", "--log-level", "info", "--log-level", "info"],
            "error: the argument '--log-level <LOG_LEVEL>' cannot be used multiple times",
        ),
        (89, vec!["offboard"], "error: unrecognized subcommand 'offboard'"),
        (90, flag("--operator-namespace", "A_b"), "'A_b' must be a lowercase RFC 1123 label"),
        (90, flag("--operator-namespace", ""), "must be a lowercase RFC 1123 label"),
        (90, flag("--watch-namespaces", "team-a,Team_B"), "'Team_B' must be a lowercase RFC 1123 label"),
        (90, flag("--watch-namespaces", "team-a,"), "'' must be a lowercase RFC 1123 label"),
        (
            90,
            flag("--watch-namespaces", MANY_NAMESPACES),
            "error: --watch-namespaces must be at most 100; without it all namespaces are watched",
        ),
        (95, flag("--admin-address", "0.0.0.0:8080"), "must be a loopback address"),
        (95, flag("--admin-address", "here"), "must be an address and a port, as in 127.0.0.1:8080"),
        (95, flag("--probe-address", "everywhere"), "must be an address and a port, as in 127.0.0.1:8080"),
        (
            95,
            vec!["operator", "--metrics-address", "127.0.0.1:0", "--metrics-certificate", "tls.crt"],
            "error: the following required arguments were not provided:\n  --metrics-key <FILE>",
        ),
        (
            95,
            vec!["operator", "--metrics-certificate", "tls.crt", "--metrics-key", "tls.key"],
            "error: the following required arguments were not provided:\n  --metrics-address <METRICS_ADDRESS>",
        ),
        (
            98,
            flag("--send-deadline", "0s"),
            "error: --send-deadline and --request-deadline must be more than 0s and at most 10m",
        ),
        (
            98,
            flag("--request-deadline", "11m"),
            "error: --send-deadline and --request-deadline must be more than 0s and at most 10m",
        ),
        (
            93,
            vec!["operator", "--lease-duration", "10s", "--renew-deadline", "20s"],
            "error: --lease-duration must be at least 1.5 × --renew-deadline",
        ),
        (
            93,
            flag("--renew-deadline", "7s"),
            "error: --renew-deadline must be at least 2 × --retry-period + 4s: nothing is sent in the last 2s of a lease",
        ),
        (
            93,
            flag("--retry-period", "50ms"),
            "error: --lease-duration must be at most 10m, and --retry-period at least 100ms",
        ),
        (94, flag("--leader-elect", "false"), "error: unexpected argument '--leader-elect' found"),
        (98, flag("--destructive-rate", "0"), "must be between 1 and 1000 per hour"),
        (98, flag("--destructive-rate", "1001"), "must be between 1 and 1000 per hour"),
        (98, flag("--destructive-rate", "1000000000"), "must be between 1 and 1000 per hour"),
        (98, flag("--destructive-rate", "NaN"), "must be between 1 and 1000 per hour"),
        (98, flag("--destructive-rate=-1", "--log-level=info"), "must be between 1 and 1000 per hour"),
        (98, flag("--destructive-rate", "0.5"), "must be between 1 and 1000 per hour"),
        (98, flag("--send-deadline", "soon"), "must be a length of time such as 30s, 15m or 1h30m"),
        (98, flag("--allowed-cidrs", "10.0.0.0"), "must be an address, a slash and a prefix length"),
        (97, flag("--egress-proxy", "proxy:3128"), "error: --egress-proxy must be http://HOST:PORT"),
        (97, flag("--egress-proxy", "https://proxy:3128"), "error: --egress-proxy must be http://HOST:PORT"),
        (
            97,
            flag("--egress-proxy", "http://us:sesame@proxy:3128"),
            "error: --egress-proxy must not hold credentials",
        ),
        (97, flag("--egress-proxy-credentials", "/dev/null"), "--egress-proxy <URL>"),
        (
            97,
            vec![
                "operator",
                "--egress-proxy",
                "http://proxy:3128",
                "--egress-proxy-credentials",
                "/dev/null",
            ],
            "error: --egress-proxy-credentials /dev/null: must be a file with one line `user:password`",
        ),
        (
            97,
            vec![
                "check",
                "--egress-proxy",
                "http://proxy:3128",
                "--egress-proxy-credentials",
                "/nowhere/at-all",
            ],
            "error: --egress-proxy-credentials /nowhere/at-all: No such file or directory",
        ),
        (91, vec!["check"], "error: no cluster: set KUBECONFIG, or run in a pod with a service account"),
        (96, flag("--log-level", "loud"), "error: --log-level must be error, warn, info, debug or trace"),
        (96, flag("--log-level", "off"), "error: --log-level must be error, warn, info, debug or trace"),
        (
            96,
            flag("--log-level", "hyper=trace"),
            "error: --log-level must be error, warn, info, debug or trace",
        ),
        (96, flag("--log-format", "xml"), "invalid value 'xml' for '--log-format <LOG_FORMAT>'"),
        (
            98,
            flag("--otlp-endpoint", "collector:4318"),
            "error: --otlp-endpoint must be an http or https URL without credentials, query and fragment",
        ),
        (
            98,
            flag("--otlp-endpoint", "https://user:secret@otel.example.com"),
            "error: --otlp-endpoint must be an http or https URL without credentials, query and fragment",
        ),
        (91, vec!["operator"], "error: no cluster: set KUBECONFIG, or run in a pod with a service account"),
    ] {
        let (code, stderr) = said(&args, &[]);
        assert_eq!(code, Some(2), "row {row}: {args:?}: {stderr}");
        assert!(stderr.contains(sentence), "row {row}: {args:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "row {row}: {args:?}: {stderr}");
        assert!(!stderr.contains("sesame"), "row {row}: {args:?}: {stderr}");
    }
}

#[test]
fn row_101_an_api_server_that_nobody_vouches_for_is_refused_but_on_the_loopback() {
    let scratch = Scratch::new("kubeconfigs").unwrap();
    let with_server = |name: &str, server: &str| {
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": server, "insecure-skip-tls-verify": true}}],
            "users": [{"name": "test", "user": {"token": "token-of-nobody"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        });
        scratch.write(name, &kubeconfig.to_string()).unwrap().display().to_string()
    };
    for server in
        ["https://192.0.2.1:6443", "https://kubernetes.example.com", "https://127.0.0.1.example.com"]
    {
        let (code, stderr) = said(&["operator"], &[("KUBECONFIG", &with_server("refused", server))]);
        assert_eq!(code, Some(2), "{server}: {stderr}");
        let sentence = "error: refusing an unverified API server connection (`insecure-skip-tls-verify`)";
        assert!(stderr.contains(sentence), "{server}: {stderr}");
        assert!(!stderr.contains("token-of-nobody"), "{server}: {stderr}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let accepted = with_server("accepted", "https://127.0.0.1:1");
    let (code, stderr) = said(&["operator", "--admin-address", &address], &[("KUBECONFIG", &accepted)]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains(&format!("error: --admin-address {address}: cannot be bound")), "{stderr}");
    let free = ["operator", "--admin-address", "127.0.0.1:0"];
    let said_to = |args: &[&str]| said(&[&free[..], args].concat(), &[("KUBECONFIG", &accepted)]);
    for flag in ["--probe-address", "--metrics-address"] {
        let (code, stderr) = said_to(&[flag, &address]);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(&format!("error: {flag} {address}: cannot be bound")), "{stderr}");
    }
    let files = ["--metrics-certificate", "/nowhere/tls.crt", "--metrics-key", "/nowhere/tls.key"];
    let (code, stderr) = said_to(&[&["--metrics-address", "127.0.0.1:0"][..], &files].concat());
    assert_eq!(code, Some(2), "{stderr}");
    let sentence = "error: --metrics-certificate, --metrics-key: /nowhere/tls.crt: cannot be read";
    assert!(stderr.contains(sentence), "{stderr}");
}

#[tokio::test]
async fn row_92_without_crds_the_operator_is_alive_not_ready_says_so_and_ends_when_it_is_told() {
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    crate::stage::install(&plane).await.unwrap();
    let stage = Stage::start_early(plane, &[]).await;
    let says_so = |line: &str| line.contains("are the CRDs installed?");
    stage.operator.lock().await.wait_for_line(says_so, SOON).await.unwrap();
    assert_eq!(stage.ask_operator("/healthz").await, (200, "ok".to_owned()));
    let (status, why) = stage.ask_operator("/readyz").await;
    assert_eq!((status, why.as_str()), (503, "the caches are not filled yet; are the CRDs installed?"));
    let mut operator = stage.operator.lock().await;
    operator.terminate().unwrap();
    let end = operator.wait(SOON).await.unwrap();
    assert_eq!(end.code(), Some(0), "{}", operator.tail());
}

#[tokio::test]
async fn row_91_without_rights_the_operator_is_not_ready_says_why_and_goes_on_when_it_has_them() {
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    plane.apply_path(&root().join("crds")).await.unwrap();
    let stage = Stage::start_early(plane, &[]).await;
    let says_so = |line: &str| {
        line.ends_with("customer-offboarding-installation-key cannot be read or made: forbidden")
    };
    stage.operator.lock().await.wait_for_line(says_so, SOON).await.unwrap();
    assert_eq!(stage.ask_operator("/healthz").await, (200, "ok".to_owned()));
    assert_eq!(stage.ask_operator("/readyz").await.0, 503);
    install(&stage.plane).await.unwrap();
    says(&mut *stage.operator.lock().await, "leading").await.unwrap();
}

#[tokio::test]
async fn rows_97_and_99_a_proxy_is_ignored_and_without_its_own_key_the_operator_deletes_nothing() {
    // Nothing listens there: whoever asked it would get no answer.
    let env = [("HTTPS_PROXY", "http://127.0.0.1:1"), ("ALL_PROXY", "http://127.0.0.1:1")];
    let stage = Stage::start_with(Options::default(), &[], &env).await.unwrap();
    let log = stage.operator.lock().await.log();
    assert!(log.contains("the proxy environment is ignored name=\"HTTPS_PROXY\""), "{log}");
    let story = stage.story("key").await;
    for customer in ["cus_first", "cus_second", "cus_third", "cus_fourth"] {
        story.sandbox.seed(Juicyway, customer, &json!({})).await.unwrap();
    }
    story.provider(Juicyway, json!({})).await;
    story.request("first", Juicyway, "cus_first").await;
    assert_eq!(story.finished("first").await["phase"], "Completed");

    let key = stage.plane.kubectl("admin").args(["-n", "customer-offboarding", "get", "secret"]);
    let key = key.args(["customer-offboarding-installation-key", "-o", "json"]).succeed().await.unwrap();
    let mut key: serde_json::Value = serde_json::from_str(&key).unwrap();
    key["metadata"] = json!({"name": key["metadata"]["name"], "namespace": key["metadata"]["namespace"]});
    let with_key = |base64: &str| {
        let mut changed = key.clone();
        changed["data"]["key"] = json!(base64);
        changed
    };
    let another = "A".repeat(43) + "=";
    for (name, customer, secret) in [
        ("lost", "cus_second", None),
        ("short", "cus_third", Some(with_key("dG9vIHNob3J0"))),
        ("changed", "cus_fourth", Some(with_key(&another))),
    ] {
        stage.kill_operator().await;
        let delete = stage.plane.kubectl("admin").args(["-n", "customer-offboarding", "delete", "secret"]);
        delete.args(["customer-offboarding-installation-key", "--ignore-not-found"]).succeed().await.unwrap();
        if let Some(secret) = secret {
            stage.plane.apply(&secret.to_string()).await.unwrap();
        }
        story.request(name, Juicyway, customer).await;
        stage.restart_operator().await.unwrap();
        let status = story.reason(name, "Stalled", "InstallationKeyLost").await;
        assert_eq!(status["phase"], "Blocked", "{name}");
        let sentence = "the installation key is missing or does not match the records; restore the Secret, no deletion starts before";
        assert_eq!(status["waitingFor"], sentence, "{name}");
    }
    // Cancelling what nobody can look up must not be told as "nothing was sent".
    story.edit("lost", json!({"cancel": true})).await;
    story.until("lost", "the cancellation is seen", |status| status["observedGeneration"] == 2).await;
    assert_eq!(condition(&story.status("lost").await, "Stalled")["reason"], "InstallationKeyLost");
    for customer in ["cus_second", "cus_third", "cus_fourth"] {
        assert_eq!(story.deletes(Juicyway, customer).await, 0, "{customer}");
    }

    let delete = stage.plane.kubectl("admin").args(["-n", "customer-offboarding", "delete", "secret"]);
    delete.args(["customer-offboarding-installation-key"]).succeed().await.unwrap();
    stage.plane.apply(&key.to_string()).await.unwrap();
    assert_eq!(
        story.finished("lost").await["phase"],
        "Cancelled",
        "with the key everything goes on by itself"
    );
    assert_eq!(story.finished("short").await["phase"], "Completed");
    assert_eq!(story.finished("changed").await["phase"], "Completed");
    assert_eq!(story.deletes(Juicyway, "cus_second").await, 0);
}

/// Starts the operator where it cannot get ready.
impl Stage {
    async fn start_early(plane: ControlPlane, flags: &[&str]) -> Stage {
        let scratch = Scratch::new("operator").unwrap();
        let launch = Launch::new("operator", OPERATOR)
            .args(["operator", "--admin-address", "127.0.0.1:0"])
            .args(flags)
            .env("KUBECONFIG", plane.kubeconfig("operator"));
        let mut operator = launch.start(scratch.path()).unwrap();
        operator.wait_for_line(|line| line.contains("serving /healthz"), SOON).await.unwrap();
        Stage { plane, operator: tokio::sync::Mutex::new(operator), launch, scratch }
    }
}
