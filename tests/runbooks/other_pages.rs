//! The blocks marked `sh` of the pages that no test of their own reads. Which those are is in `tests/architecture/commands.rs`.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use harness::{
    Binaries, ControlPlane, Failure, Options, SandboxAddresses, Scratch, eventually, workspace_binary,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    task::JoinHandle,
    time::timeout,
};

use crate::{
    commands::{Command, commands},
    root,
    world::{SOON, Scene, World},
};

const LONG: Duration = Duration::from_secs(180);

/// A command that does not end by itself.
const STARTS_AN_OPERATOR: &str = "customer-offboarding-operator operator";

/// A page whose commands are typed one after the other.
struct Page {
    path: &'static str,
    /// What its reader has, and this cluster lacks.
    before: &'static [&'static str],
    /// What is typed here instead; words in capitals are filled in as in the runbooks.
    instead: &'static [(&'static str, &'static str)],
    /// What comes true.
    after: &'static [&'static str],
}

const CONFIGURATION: &str = "docs/configuration.md";
const TRACES: &str = "docs/traces.md";

const PAGES: &[Page] = &[
    Page {
        path: CONFIGURATION,
        // The doctor looks at every provider object; this one has no Secret in any scene.
        before: &[
            "kubectl delete ccobp --all",
            "kubectl wait --for=condition=Ready cobp --all -A --timeout=50s",
        ],
        instead: &[
            // There is no kubelet to forward a port: kubectl has to find nothing else wrong, which would be lost in the background, and
            // curl asks the operator at its own address on the loopback.
            ("8080:8080 &", "8080:8080"),
            // Else a refusal would be a success.
            ("curl ", "curl --fail "),
            // The operator's own flag.
            ("operator check", "operator check --allowed-cidrs 127.0.0.0/8"),
        ],
        after: &[],
    },
    Page {
        path: "docs/metrics.md",
        before: &[
            "kubectl create namespace monitoring",
            "kubectl create serviceaccount prometheus --namespace monitoring",
        ],
        instead: &[],
        // The API server takes notice a moment later.
        after: &[
            "until kubectl auth can-i get /metrics --as=system:serviceaccount:monitoring:prometheus; do sleep 0.2; done",
        ],
    },
    Page {
        path: "docs/reference/kubectl-offboarding.md",
        // The request is in the namespace that its reader works in.
        before: &["kubectl config set-context --current --namespace=NAMESPACE"],
        instead: &[],
        after: &["kubectl get coba -n NAMESPACE -o jsonpath='{.items[*].spec.for[*].name}' | grep -w acme"],
    },
];

/// One after the other in one cluster: the operators of the last two do away with the one before.
#[tokio::test]
async fn every_command_of_the_other_pages_works() -> Result<(), Failure> {
    let mut world = World::new().await?;
    for page in PAGES {
        page.works(&world).await?;
    }
    traces_arrive_under_the_uid_that_the_page_reads(&mut world).await?;
    all_traffic_to_providers_asks_the_proxy_of_the_page(&mut world).await
}

impl Page {
    async fn works(&self, world: &World) -> Result<(), Failure> {
        let scene = world.scene("").await?;
        for command in self.before {
            does(&scene, self.path, command).await?;
        }
        for command in told_by(self.path).iter().filter(|it| !it.text.starts_with(STARTS_AN_OPERATOR)) {
            let instead = self.instead.iter();
            let typed = instead.fold(command.text.clone(), |text, (from, to)| text.replace(from, to));
            does(&scene, self.path, &typed).await?;
        }
        for command in self.after {
            does(&scene, self.path, command).await?;
        }
        scene.ends().await
    }
}

async fn traces_arrive_under_the_uid_that_the_page_reads(world: &mut World) -> Result<(), Failure> {
    let told = told_by(TRACES);
    let [start, uid] = &told[..] else { panic!("{TRACES}: an operator, then a uid: {told:?}") };
    let collector = Ear::opens().await?;
    let start = at(start, &[("collector.observability:4318", collector.address.as_str())]);
    world.hands_over_to(&start).await?;
    let scene = world.scene("").await?;
    does(&scene, TRACES, &uid.text).await?;
    let told_in_the_status = "kubectl get cob NAME -n NAMESPACE -o jsonpath='{.status.traceId}'";
    does(&scene, TRACES, &format!("test \"$({})\" = \"$({told_in_the_status})\"", uid.text)).await?;
    collector.hears(&["POST /v1/traces "]).await;
    scene.ends().await
}

/// It refuses to connect, so this comes last.
async fn all_traffic_to_providers_asks_the_proxy_of_the_page(world: &mut World) -> Result<(), Failure> {
    let mut told = told_by(CONFIGURATION);
    told.retain(|command| command.text.starts_with(STARTS_AN_OPERATOR));
    let [start] = &told[..] else { panic!("{CONFIGURATION}: one operator: {told:?}") };
    let (proxy, scratch) = (Ear::opens().await?, Scratch::new("proxy")?);
    let credentials = scratch.write("credentials", "user:password\n")?.display().to_string();
    let places = [
        ("proxy.example.com:3128", proxy.address.as_str()),
        ("/etc/proxy/credentials", credentials.as_str()),
    ];
    let start = at(start, &places);
    world.hands_over_to(&start).await?;
    proxy.hears(&["CONNECT 127.0.0.1:", "Proxy-Authorization: Basic dXNlcjpwYXNzd29yZA=="]).await;
    Ok(())
}

#[tokio::test]
async fn the_chart_is_installed_as_its_readme_says() -> Result<(), Failure> {
    let told = told_by("charts/customer-offboarding-operator/README.md");
    let [install] = &told[..] else { panic!("one command: {told:?}") };
    let plane = ControlPlane::start(Options::default()).await?;
    let helm = Binaries::ready(&["kubectl", "helm"]).await?.path("helm");
    // Namespaces of requests are somebody else's, and there before.
    let namespaces = ["team-a", "team-b"];
    for namespace in namespaces {
        plane.kubectl("admin").args(["create", "namespace", namespace]).succeed().await?;
    }
    let script = format!("cd {}; {}", root().display(), install.text);
    let shell = plane.tool("admin", "bash").args(["-euo", "pipefail", "-c", &script]);
    let path = with_path(helm.parent().unwrap_or(Path::new("/")));
    let said = shell.env("PATH", path).within(LONG).succeed().await?;
    assert!(said.contains("STATUS: deployed"), "{said}");
    for namespace in namespaces {
        let bound = ["get", "rolebinding", "customer-offboarding-operator-watched", "-n", namespace];
        plane.kubectl("admin").args(bound).succeed().await?;
    }
    Ok(())
}

/// What cargo would build and run is built already.
#[tokio::test]
async fn the_sandbox_runs_as_its_readme_says_until_its_parent_lets_go() -> Result<(), Failure> {
    let told = told_by("sandbox/README.md");
    let [run] = &told[..] else { panic!("one command: {told:?}") };
    let scratch = Scratch::new("cargo")?;
    let sandbox = workspace_binary("sandbox", "sandbox")?.display().to_string();
    let cargo = scratch.write("cargo", &CARGO.replace("${SANDBOX}", &sandbox))?;
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755))
        .map_err(Failure::to("make it executable"))?;
    let mut sandbox = tokio::process::Command::new("bash")
        .args(["-euo", "pipefail", "-c", &run.text])
        .env("PATH", with_path(scratch.path()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(Failure::to("start the sandbox"))?;
    let stdin = sandbox.stdin.take();
    let mut lines = BufReader::new(sandbox.stdout.take().expect("it is piped")).lines();
    let line = timeout(SOON, lines.next_line()).await.expect("it starts").expect("text").expect("a line");
    let addresses: SandboxAddresses = serde_json::from_str(&line).expect("where it listens");
    assert!(addresses.ca_bundle.contains("BEGIN CERTIFICATE"), "{addresses:?}");
    drop(stdin);
    let ended = timeout(SOON, sandbox.wait()).await.expect("it ends").expect("it was started");
    assert!(ended.success(), "{ended}");
    Ok(())
}

const CARGO: &str = r#"#!/bin/sh
case "$*" in
"run -p sandbox -- --exit-with-parent") exec ${SANDBOX} --exit-with-parent ;;
*) echo "cargo $*: not in the README" >&2; exit 1 ;;
esac
"#;

/// What the blocks of a page tell. What stands in its sentences is mentioned, or told again.
fn told_by(path: &str) -> Vec<Command> {
    let page = std::fs::read_to_string(root().join(path)).expect("the page is there");
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let blocks: String = blocks.map(|block| format!("```sh\n{block}```\n")).collect();
    let told = commands(&blocks);
    assert!(!told.is_empty(), "{path}: no block is found");
    told
}

/// A command with addresses and files of this machine in it. Each of them is there.
fn at(command: &Command, places: &[(&str, &str)]) -> Command {
    let text = places.iter().fold(command.text.clone(), |text, (from, to)| {
        assert!(text.contains(from), "{text}: {from}");
        text.replace(from, to)
    });
    Command { text }
}

async fn does(scene: &Scene<'_>, page: &str, command: &str) -> Result<(), Failure> {
    let done = scene.does(&Command { text: command.to_owned() }).await;
    done.map_err(Failure::to(format!("do what {page} says: {command}")))
}

/// The PATH, with a directory before all others.
fn with_path(first: &Path) -> String {
    format!("{}:{}", first.display(), std::env::var("PATH").unwrap_or_default())
}

/// Somebody who listens to how each call begins, and has nothing to offer.
struct Ear {
    /// `127.0.0.1:PORT`
    address: String,
    heard: Arc<Mutex<Vec<String>>>,
    listening: JoinHandle<()>,
}

impl Ear {
    async fn opens() -> Result<Ear, Failure> {
        let step = "listen on the loopback";
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Failure::to(step))?;
        let address = listener.local_addr().map_err(Failure::to(step))?.to_string();
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let listening = tokio::spawn(listen(listener, Arc::clone(&heard)));
        Ok(Ear { address, heard, listening })
    }

    /// Waits for a call that begins with all of these words in it.
    async fn hears(&self, words: &[&str]) {
        eventually(SOON, &words.join(", "), || async {
            let heard = self.heard.lock().expect("nobody panics meanwhile").clone();
            let is_it = |call: &String| words.iter().all(|word| call.contains(word));
            if heard.iter().any(is_it) { Ok(()) } else { Err(heard) }
        })
        .await;
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, heard: Arc<Mutex<Vec<String>>>) {
    while let Ok((mut caller, _)) = listener.accept().await {
        let mut head = [0; 4096];
        // What a call begins with comes in one piece.
        let length = caller.read(&mut head).await.unwrap_or_default();
        let call = String::from_utf8_lossy(&head[..length]).into_owned();
        heard.lock().expect("nobody panics meanwhile").push(call);
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        // Whoever has hung up already was heard.
        let _told = caller.write_all(answer).await;
    }
}
