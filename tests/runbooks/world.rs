//! Where the commands are typed: an API server, the operator, a provider in a sandbox, and for each page objects of the kind that it is
//! about. A cluster without a kubelet has no logs of pods and no way into them: `kubectl` is asked all the same, and has to find nothing
//! else wrong; then the operator's log is shown, and its own address is used.

use std::{
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use harness::{
    Binaries, ControlPlane, Failure, Launch, Options, Process, Provider, Sandbox, Scratch, eventually,
};
use regex::{Captures, Regex};
use serde_json::{Value, json};

use crate::{commands::Command, pty::Pty, root};

pub const SOON: Duration = Duration::from_secs(60);

const OPERATORS: &str = "customer-offboarding";

const OPERATOR: &str = env!("CARGO_BIN_EXE_customer-offboarding-operator");
const PLUGIN: &str = env!("CARGO_BIN_EXE_kubectl-offboarding");

/// Words that stand for something of the reader's own. What an object is called is found in `Scene::words`.
const WORDS: &[(&str, &str)] = &[
    ("NAME", "acme"),
    ("OWNER", "acme"),
    ("PROVIDER", "revolv3"),
    ("SECRET", "revolv3"),
    ("POD", "operator-0"),
    ("HOST", "127.0.0.1"),
    ("PREFIX", "v1"),
    ("ACCOUNT", "acct-sandbox"),
    ("APPROVAL", "consent"),
    ("DENIAL", "refusal"),
    ("HOLD", "court-7"),
    ("USER", "carol"),
    ("TARGET", "billing"),
    ("CHECK", "subscriptions"),
    ("TEXT", "not-meant"),
    ("FILE", "file"),
];

/// Everything that runs, and a directory to type in.
pub struct World {
    plane: ControlPlane,
    sandbox: Sandbox,
    operator: Process,
    directory: Scratch,
    path: String,
    record: String,
    key: String,
    scenes: AtomicUsize,
}

/// The objects of one page.
pub struct Scene<'a> {
    world: &'a World,
    namespace: String,
}

impl World {
    pub async fn new() -> Result<World, Failure> {
        let plane = ControlPlane::start(Options::default().with_controller_manager()).await?;
        let (sandbox, directory) = (Sandbox::start().await?, Scratch::new("runbooks")?);
        for part in ["crds", "deploy"] {
            plane.apply_path(&root().join(part)).await?;
            symlink(root().join(part), directory.join(part)).map_err(Failure::to("link the files"))?;
        }
        plane.stamps_requests().await?;
        std::fs::copy(plane.kubeconfig("operator"), directory.join("operator.kubeconfig"))
            .map_err(Failure::to("copy the operator's kubeconfig"))?;
        let mut operator = Launch::new("operator", OPERATOR)
            .args(["operator", "--allowed-cidrs", "127.0.0.0/8", "--admin-address", "127.0.0.1:0"])
            .env("KUBECONFIG", plane.kubeconfig("operator"))
            .start(directory.path())?;
        operator.wait_for_line(is_leading, SOON).await?;
        let kubectl = Binaries::ready(&["kubectl"]).await?.path("kubectl");
        let path = programs(&directory, &kubectl, operator.log_path())?;
        std::fs::write(directory.join("file"), pem()).map_err(Failure::to("write a file"))?;
        let world = World {
            plane,
            sandbox,
            operator,
            directory,
            path,
            record: String::new(),
            key: String::new(),
            scenes: AtomicUsize::new(0),
        };
        world.with_a_record().await
    }

    /// One request that nobody has to agree to: its record is what the pages call `RECORD`.
    async fn with_a_record(mut self) -> Result<World, Failure> {
        let namespace = self.plane.namespace("unattended").await?;
        self.sandbox.seed(Provider::Revolv3, "90017", &json!({ "firstName": "Ada" })).await?;
        self.apply(namespace.name(), &self.objects("90017", 0)).await?;
        let record = eventually(SOON, "a record", || async {
            let list = self.plane.kubectl("admin").args(["get", "cobr", "-n", OPERATORS, "-o", "json"]);
            let list: Value = serde_json::from_str(&list.succeed().await.map_err(|why| why.to_string())?)
                .map_err(|why| why.to_string())?;
            let first = &list["items"][0];
            if first.is_object() { Ok(first.clone()) } else { Err(list.to_string()) }
        })
        .await;
        let of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.record = of(&record["metadata"]["name"]);
        self.key = of(&record["spec"]["keyId"]);
        // As it lies in a backup.
        let backup = json!({
            "apiVersion": record["apiVersion"],
            "kind": record["kind"],
            "metadata": { "name": self.record, "namespace": OPERATORS },
            "spec": record["spec"],
        });
        self.directory.write("backup.yaml", &backup.to_string())?;
        Ok(self)
    }

    async fn apply(&self, namespace: &str, objects: &[Value]) -> Result<(), Failure> {
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string();
        let apply = self.plane.kubectl("admin").args([
            "apply",
            "--server-side",
            "--force-conflicts",
            "-n",
            namespace,
        ]);
        apply.manifests(&list)?.succeed().await.map(drop)
    }

    /// Secret, provider object and request.
    fn objects(&self, customer: &str, required: u8) -> Vec<Value> {
        let provider = json!({
            "profile": "revolv3",
            "baseUrl": self.sandbox.addresses().revolv3,
            "allowedCIDRs": ["127.0.0.0/8"],
            "account": "acct-sandbox",
            "environment": "sandbox",
            "credentials": { "token": { "secretKeyRef": { "name": "revolv3", "key": "token" } } },
            "tls": { "caBundle": self.sandbox.addresses().ca_bundle },
            "allowedModes": ["Soft"],
            "approvals": { "required": required },
            "budget": { "perHour": 20, "perDay": 100 },
        });
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "offboarding.dev/credentials",
            "metadata": { "name": "revolv3" }, "stringData": { "token": "rv3_sandbox" },
        });
        let request = json!({
            "customer": { "id": customer },
            "targets": [{ "name": "billing", "providerRef": { "name": "revolv3" } }],
        });
        vec![
            secret,
            object("OffboardingProvider", "revolv3", provider.clone()),
            object("ClusterOffboardingProvider", "revolv3", provider),
            object("CustomerOffboarding", "acme", request),
        ]
    }

    /// A namespace of its own, with what the page is about.
    pub async fn scene(&self, page: &str) -> Result<Scene<'_>, Failure> {
        let namespace = self.plane.namespace("page").await?.name().to_owned();
        let customer = format!("{}", 91_000 + self.scenes.fetch_add(1, Ordering::Relaxed));
        // There is something to waive where that is told.
        let subscriptions = if page.contains("--check") { json!([{}]) } else { json!([]) };
        let told = json!({ "firstName": "Ada", "subscriptions": subscriptions });
        self.sandbox.seed(Provider::Revolv3, &customer, &told).await?;
        let mut objects = self.objects(&customer, 1);
        objects.extend(decisions());
        if page.contains("HOLD") {
            let spec = json!({
                "type": "LegalHold", "all": true,
                "providers": [{ "kind": "OffboardingProvider", "namespace": "nowhere", "name": "none" }],
            });
            objects.push(object("CustomerHold", "court-7", spec));
        }
        self.apply(&namespace, &objects).await?;
        self.apply(OPERATORS, &[pod()]).await?;
        let planned =
            ["wait", "cob/acme", "-n", &namespace, "--for=jsonpath={.status.plan.hash}", "--timeout=90s"];
        self.plane.kubectl("admin").args(planned).within(2 * SOON).succeed().await?;
        Ok(Scene { world: self, namespace })
    }

    /// Ends the operator that runs, and starts another one by this command, as it stands; returns when it leads.
    pub async fn hands_over_to(&mut self, command: &Command) -> Result<(), Failure> {
        self.operator.terminate()?;
        self.operator.wait(SOON).await?;
        // What the command leaves to the environment is of this machine: its loopback, and no port that is taken.
        let mut operator = Launch::new("operator", "bash")
            .args(["-euo", "pipefail", "-c", &format!("exec {}", command.text)])
            .env("PATH", &self.path)
            .env("ALLOWED_CIDRS", "127.0.0.0/8")
            .env("ADMIN_ADDRESS", "127.0.0.1:0")
            .env("KUBECONFIG", self.plane.kubeconfig("operator"))
            .start(self.directory.path())?;
        operator.wait_for_line(is_leading, SOON).await?;
        self.operator = operator;
        Ok(())
    }

    /// Where `/metrics` is.
    fn admin_address(&self) -> String {
        let log = self.operator.log();
        let line = log.lines().rfind(|line| line.contains("serving /healthz")).expect("it says where");
        let port = line
            .split("127.0.0.1:")
            .nth(1)
            .and_then(|rest| rest.split(|at: char| !at.is_ascii_digit()).next());
        format!("127.0.0.1:{}", port.expect("a port"))
    }
}

impl Scene<'_> {
    /// Does it as a cluster-admin.
    pub async fn does(&self, command: &Command) -> Result<(), String> {
        let line = self.filled(&command.text);
        let script = format!("cd {}; {}", self.world.directory.path().display(), tolerant(&line));
        if command.is_asked() {
            return self.answers(&script).await;
        }
        let shell = self.world.plane.tool("admin", "bash").args(["-euo", "pipefail", "-c", &script]);
        let shell = shell.env("PATH", &self.world.path).env("KUBE_EDITOR", "true").env("NO_COLOR", "1");
        let ended = shell.run().await.map_err(|why| why.to_string())?;
        if ended.status.success() {
            Ok(())
        } else {
            Err(format!("$ {line}\n{}{}", ended.stdout, ended.stderr))
        }
    }

    /// Types the words that are asked for.
    async fn answers(&self, script: &str) -> Result<(), String> {
        let mut shell = process::Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", script]).env("NO_COLOR", "1").env("PATH", &self.world.path);
        shell.env("KUBECONFIG", self.world.plane.kubeconfig("admin"));
        shell.env("KUBECACHEDIR", self.world.directory.join("cache"));
        let mut terminal = Pty::start(shell);
        let question = terminal.sees(" to go on: ").await;
        let words = question.rsplit_once("Type ").map(|(_, words)| words.trim_end_matches(" to go on: "));
        terminal.types(words.ok_or_else(|| question.clone())?);
        let (code, told) = terminal.ends().await;
        if code == Some(0) { Ok(()) } else { Err(format!("$ {script}\n{told}")) }
    }

    /// The command with the reader's own words in it.
    fn filled(&self, command: &str) -> String {
        let own = [
            ("NAMESPACE", self.namespace.as_str()),
            ("RECORD", self.world.record.as_str()),
            ("KEY", self.world.key.as_str()),
        ];
        // A manifest where one is applied; else any file will do.
        let command = match command.strip_prefix("kubectl apply -f FILE") {
            Some(rest) => {
                format!("kubectl apply -f {}{rest}", root().join("examples/revolv3.yaml").display())
            }
            None => command.replace("127.0.0.1:8080", &self.world.admin_address()),
        };
        // The remark behind it says so: here it is gone.
        let command = command.replace("kubectl replace -f RECORD.yaml", "kubectl create -f backup.yaml");
        // The reader's private network is the loopback here.
        let command = command.replace("10.20.0.0/16", "127.0.0.0/8");
        let command = command.replace("OLD-FILE", "FILE").replace("ITS-NAMESPACE", "NAMESPACE");
        // `NAME:.metadata.name` is a column, and stays.
        let word = Regex::new(r"[A-Za-z0-9_]+(?::\.)?").expect("a pattern");
        let filled = word.replace_all(&command, |found: &Captures<'_>| {
            let known = own.iter().chain(WORDS).find(|(name, _)| *name == &found[0]);
            known.map_or(found[0].to_owned(), |(_, value)| (*value).to_owned())
        });
        filled.into_owned()
    }

    /// Takes away what would be in the next page's way.
    pub async fn ends(self) -> Result<(), Failure> {
        let holds = self.world.plane.kubectl("admin").args(["delete", "cobh", "--all"]);
        holds.succeed().await?;
        let request = ["delete", "cob", "--all", "-n", &self.namespace];
        self.world.plane.kubectl("admin").args(request).succeed().await.map(drop)
    }
}

fn is_leading(line: &str) -> bool {
    line.ends_with(": leading")
}

/// The same command where its success has more than one exit code, or no end, or something stands in its way.
fn tolerant(line: &str) -> String {
    // The code of `status` is how the request stands.
    let of_a_request = "$? >= 4 && $? <= 6";
    if line.contains("--watch") {
        // Until somebody has seen enough.
        return format!("timeout 2s {line} || (($? == 124 || ({of_a_request})))");
    }
    if line.starts_with("kubectl offboarding status") {
        return format!("{line} || (({of_a_request}))");
    }
    // There are differences; no; nothing of the kind was logged.
    let greps_the_log = line.starts_with("kubectl logs") && line.contains("| grep");
    if line.starts_with("kubectl diff") || line.contains("can-i approve") || greps_the_log {
        return format!("{line} || (($? == 1))");
    }
    // What the page is about is missing before.
    let is_made = line.starts_with("kubectl create secret") && !line.contains("--dry-run");
    match line.split(' ').nth(4).filter(|_| is_made) {
        Some(name) => {
            let namespace =
                line.split(" -n ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
            format!("kubectl delete secret {name} -n {namespace} --ignore-not-found; {line}")
        }
        None => line.to_owned(),
    }
}

/// kubectl, our programs and a resolver, in a directory that comes first in the PATH.
fn programs(directory: &Scratch, kubectl: &Path, log: &Path) -> Result<String, Failure> {
    let programs: PathBuf = directory.join("bin");
    std::fs::create_dir(&programs).map_err(Failure::to("make bin/"))?;
    for (name, program) in [("kubectl-offboarding", PLUGIN), ("customer-offboarding-operator", OPERATOR)] {
        symlink(program, programs.join(name)).map_err(Failure::to("link our programs"))?;
    }
    let shim = KUBECTL
        .replace("${KUBECTL}", &kubectl.display().to_string())
        .replace("${LOG}", &log.display().to_string());
    for (name, text) in [("kubectl", shim.as_str()), ("nslookup", "#!/bin/sh\ntest $# -gt 0\n")] {
        let program = directory.write(&format!("bin/{name}"), text)?;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))
            .map_err(Failure::to("make it executable"))?;
    }
    Ok(format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default()))
}

const KUBECTL: &str = r#"#!/bin/sh
case "$1" in
logs) ${KUBECTL} "$@" >/dev/null && exec cat ${LOG}; exit 99 ;;
port-forward) said=$(${KUBECTL} "$@" 2>&1)
  case "$said" in *"pod is not running"*) exit 0 ;; *) echo "$said" >&2; exit 99 ;; esac ;;
esac
exec ${KUBECTL} "$@"
"#;

/// One of our objects.
fn object(kind: &str, name: &str, spec: Value) -> Value {
    let metadata = json!({ "name": name });
    json!({ "apiVersion": "offboarding.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec })
}

/// An approval and a denial of another request's: they can be withdrawn, and decide nothing.
fn decisions() -> [Value; 2] {
    let nobody = "00000000-0000-4000-8000-000000000000";
    #[expect(clippy::disallowed_methods, reason = "admission goes by the clock")]
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let hash = format!("sha256:{}", "1".repeat(64));
    [
        object(
            "OffboardingApproval",
            "consent",
            json!({
                "decision": "Approve", "for": [{ "name": "another", "uid": nobody, "planHash": hash }],
                "approver": "admin", "grants": ["Delete"], "expiresAt": tomorrow.to_string(),
            }),
        ),
        object(
            "OffboardingApproval",
            "refusal",
            json!({ "decision": "Deny", "for": [{ "name": "another", "uid": nobody }], "approver": "admin", "reason": "not meant" }),
        ),
    ]
}

/// The pod of the operator, as far as there is one without a kubelet.
fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "operator-0", "labels": { "app.kubernetes.io/name": "customer-offboarding-operator" } },
        "spec": {
            "serviceAccountName": "customer-offboarding-operator",
            "containers": [{
                "name": "operator", "image": "customer-offboarding-operator",
                "args": ["operator"], "env": [{ "name": "LOG_LEVEL", "value": "info" }],
            }],
        },
    })
}

/// A certificate and its key: a file that can be any of what a Secret is made from.
fn pem() -> String {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    made.cert.pem() + &made.signing_key.serialize_pem()
}
