//! What the README says and what lies in `examples/`, done as it stands on a real API server.

#[expect(dead_code, clippy::unwrap_used, reason = "a test may panic; nobody presses Ctrl-C here")]
#[path = "plugin/pty.rs"]
mod pty;

use std::{
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use harness::{
    Binaries, ControlPlane, Failure, Launch, Options, Process, Provider, Sandbox, Scratch, Subject,
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::OnceCell;

use pty::Pty;

/// What is agreed to in the first 10 s of the policies does not count.
const POLICIES_ARE_IN_FORCE: Duration = Duration::from_secs(12);

/// The last look comes a minute after the deletion.
const LONG: Duration = Duration::from_secs(180);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect("it is there")
}

async fn plane() -> Result<&'static ControlPlane, Failure> {
    static PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
    PLANE.get_or_try_init(|| ControlPlane::start(Options::default().with_controller_manager())).await
}

#[tokio::test]
async fn every_example_is_accepted_as_it_stands() -> Result<(), Failure> {
    let plane = plane().await?;
    for directory in ["crds", "deploy"] {
        plane
            .kubectl("admin")
            .args(["apply", "--server-side", "-f"])
            .arg(root().join(directory))
            .succeed()
            .await?;
    }
    let namespace = plane.namespace("examples").await?;
    plane.bind("offboarding-approver", Subject::User("bob"), Some(&namespace)).await?;
    let template = text("examples/demo/providers.yaml.template")
        .replace("${JUICYWAY_URL}", "https://127.0.0.1:8443")
        .replace("${REVOLV3_URL}", "https://127.0.0.1:8444")
        .replace("${CA_BUNDLE}", "\"-----BEGIN CERTIFICATE-----\\n\"");
    let role = "deploy/kube-state-metrics/role.yaml";
    let mut manifests = vec![("providers.yaml.template".to_owned(), template), (role.to_owned(), text(role))];
    for directory in ["examples", "examples/demo"] {
        let entries = std::fs::read_dir(root().join(directory)).expect("it can be listed");
        for path in entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|it| it == "yaml"))
        {
            let name = path.strip_prefix(root()).expect("it is below").display().to_string();
            manifests.push((name.clone(), text(&name)));
        }
    }
    assert!(manifests.len() >= 9, "the examples are found");
    for (name, manifest) in manifests {
        // What the README installs on the same server, at the same time, needs seconds to know the kinds.
        plane.stamps_requests().await?;
        // The policies know whom an approval is by, and what time it is.
        let (user, verb, manifest) = match name.ends_with("approval.yaml") {
            true => ("bob", "create", valid_until_tomorrow(&manifest)),
            false => ("admin", "apply", manifest),
        };
        let mut args = vec![verb, "--dry-run=server", "--validate=strict", "-n", namespace.name()];
        args.extend((verb == "apply").then_some("--server-side"));
        let said = plane.kubectl(user).args(args).manifests(&manifest)?.run().await?;
        assert!(said.status.success() && said.stderr.is_empty(), "{name}: {}{}", said.stdout, said.stderr);
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "admission goes by the clock")]
fn valid_until_tomorrow(approval: &str) -> String {
    let tomorrow = Timestamp::now() + SignedDuration::from_hours(24);
    let line = approval.lines().find(|line| line.contains("expiresAt:")).expect("it has an end");
    approval.replace(line, &format!("  expiresAt: \"{tomorrow}\""))
}

/// The blocks marked `sh test`, one after the other, each as who is named there: all of it comes true on a real API server,
/// with a provider in a sandbox.
#[tokio::test]
async fn what_the_readme_says_works() -> Result<(), Failure> {
    let reader = Reader::new().await?;
    let readme = text("README.md");
    let blocks: Vec<(&str, &str)> = readme
        .split("```sh test")
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next()?.split_once('\n'))
        .map(|(who, block)| (who.trim(), block))
        .collect();
    assert!(blocks.len() >= 10, "the blocks are found");
    let (mut operator, mut installed) = (None, Instant::now());
    for (who, block) in blocks {
        match who {
            "operator" => operator = Some(reader.leaves_running(block).await?),
            "bob" => {
                tokio::time::sleep(POLICIES_ARE_IN_FORCE.saturating_sub(installed.elapsed())).await;
                reader.answers(who, block).await;
            }
            "" => reader.runs("admin", block).await?,
            _ => reader.runs(who, block).await?,
        }
        if block.contains("deploy/admission.yaml") {
            installed = Instant::now();
        }
    }
    let mut operator = operator.expect("the README starts it");
    assert_eq!(operator.exit_status()?, None, "it still runs: {}", operator.log());
    let deleted = reader.sandbox.truth(Provider::Revolv3, "90017").await?;
    assert_eq!(deleted["active"], false, "{deleted}");
    Ok(())
}

/// Somebody who does what the README says, on a cluster of their own.
struct Reader {
    plane: &'static ControlPlane,
    sandbox: Sandbox,
    directory: Scratch,
    path: String,
}

impl Reader {
    async fn new() -> Result<Reader, Failure> {
        let (plane, sandbox, directory) = (plane().await?, Sandbox::start().await?, Scratch::new("readme")?);
        sandbox.seed(Provider::Revolv3, "90017", &serde_json::json!({"firstName": "Ada"})).await?;
        for name in ["crds", "deploy"] {
            symlink(root().join(name), directory.join(name)).map_err(Failure::to("link the files"))?;
        }
        std::fs::create_dir(directory.join("examples")).map_err(Failure::to("make examples/"))?;
        for name in ["revolv3", "request"] {
            let file = format!("examples/{name}.yaml");
            directory.write(&file, &at_the_sandbox(&text(&file), &sandbox))?;
        }
        // What cargo would build and run is built already.
        let cargo = CARGO
            .replace("${PLUGIN}", env!("CARGO_BIN_EXE_kubectl-offboarding"))
            .replace("${OPERATOR}", env!("CARGO_BIN_EXE_customer-offboarding-operator"));
        let cargo = directory.write("cargo", &cargo)?;
        std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755))
            .map_err(Failure::to("make it executable"))?;
        // Kubeconfigs are changed by what is tried; everybody works in the namespace of the requests.
        for user in ["admin", "alice", "bob", "erin"] {
            let kubeconfig = directory.join(&format!("{user}.kubeconfig"));
            std::fs::copy(plane.kubeconfig(user), &kubeconfig).map_err(Failure::to("copy the kubeconfig"))?;
            if user != "admin" {
                let here = ["config", "set-context", "--current", "--namespace=offboarding", "--kubeconfig"];
                plane.kubectl(user).args(here).arg(&kubeconfig).succeed().await?;
            }
        }
        let kubectl: PathBuf = Binaries::ready(&["kubectl"]).await?.path("kubectl");
        let path = format!(
            "{}:{}:{}:{}",
            directory.path().display(),
            directory.join("target/release").display(),
            kubectl.parent().unwrap_or(Path::new("/")).display(),
            std::env::var("PATH").unwrap_or_default()
        );
        Ok(Reader { plane, sandbox, directory, path })
    }

    /// Runs a block to its end.
    async fn runs(&self, user: &str, block: &str) -> Result<(), Failure> {
        if block.contains("examples/request.yaml") {
            // The kinds are seconds old here.
            self.plane.stamps_requests().await?;
        }
        let mut shell = self.bash(user, block)?;
        let status = shell.wait(LONG).await?;
        assert!(status.success(), "{block}\n{}", shell.log());
        Ok(())
    }

    /// Starts what runs until it is stopped.
    async fn leaves_running(&self, block: &str) -> Result<Process, Failure> {
        let mut shell = self.bash("operator", block)?;
        shell.wait_for_line(|line| line.contains("ready"), Duration::from_secs(60)).await?;
        Ok(shell)
    }

    fn bash(&self, user: &str, block: &str) -> Result<Process, Failure> {
        let block = block.replace("YOUR-TOKEN", "rv3_sandbox");
        let script = format!("cd {}\n{block}\n", self.directory.path().display());
        let script = self.directory.write("script", &script)?;
        Launch::new(user, "bash")
            .args(["-euxo", "pipefail"])
            .arg(script)
            .env("KUBECONFIG", self.directory.join(&format!("{user}.kubeconfig")))
            .env("KUBECACHEDIR", self.directory.join("cache"))
            .env("PATH", &self.path)
            .start(self.directory.path())
    }

    /// Runs a block in a terminal, and types what is asked for.
    async fn answers(&self, user: &str, block: &str) {
        let mut shell = std::process::Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", block]).current_dir(self.directory.path());
        shell.env("KUBECONFIG", self.directory.join(&format!("{user}.kubeconfig")));
        shell.env("KUBECACHEDIR", self.directory.join("cache")).env("PATH", &self.path);
        shell.env("NO_COLOR", "1");
        let mut terminal = Pty::start(shell);
        let question = terminal.sees(" to go on: ").await;
        let words = question.rsplit_once("Type ").expect("the words").1.trim_end_matches(" to go on: ");
        assert!(block.contains(&format!("asks to type {words}")), "the README says what is asked: {words}");
        terminal.types(words);
        let (code, told) = terminal.ends().await;
        assert_eq!(code, Some(0), "{told}");
    }
}

/// The examples name the providers' own addresses; here the sandbox answers.
fn at_the_sandbox(example: &str, sandbox: &Sandbox) -> String {
    let addresses = sandbox.addresses();
    let base_url = format!(
        "baseUrl: {}\n  allowedCIDRs: [127.0.0.0/8]\n  tls: {{caBundle: {}}}",
        addresses.revolv3,
        serde_json::json!(addresses.ca_bundle)
    );
    example.replace("baseUrl: https://api-sandbox.revolv3.com", &base_url)
}

const CARGO: &str = r#"#!/bin/sh
case "$*" in
"build --release --bin kubectl-offboarding") mkdir -p target/release && ln -s ${PLUGIN} target/release/ ;;
"run --release -- operator") exec ${OPERATOR} operator --allowed-cidrs 127.0.0.0/8 --admin-address 127.0.0.1:0 ;;
*) echo "cargo $*: not in the README" >&2; exit 1 ;;
esac
"#;

#[test]
fn the_readme_shows_the_smallest_request_that_works() {
    let readme = text("README.md");
    let shown =
        readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("it is shown");
    let plain = |yaml: &str| -> serde_json::Value { serde_saphyr::from_str(yaml).expect("YAML") };
    assert_eq!(plain(shown), plain(&text("examples/request.yaml")));
}

#[test]
fn the_readme_says_who_gets_each_role() {
    let readme = text("README.md");
    let rows = readme.lines().filter_map(|line| line.trim_start().strip_prefix("| `offboarding-"));
    let told: Vec<String> =
        rows.filter_map(|row| row.split('`').next()).map(|role| format!("offboarding-{role}")).collect();
    let personas = text("deploy/personas.yaml");
    let shipped = personas.split("kind: ClusterRole\nmetadata: {name: ").skip(1);
    let mut shipped: Vec<&str> = shipped.filter_map(|rest| rest.split([',', '}']).next()).collect();
    // What reading needs is part of `view`; nothing is attested yet.
    shipped.retain(|role| !["offboarding-view", "offboarding-attester"].contains(role));
    assert_eq!(told, shipped.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>());
}

#[test]
fn the_readme_asks_for_the_rust_that_is_needed() {
    let manifest = text("Cargo.toml");
    let wanted = manifest.split("rust-version = \"").nth(1).and_then(|rest| rest.split('"').next());
    let wanted = wanted.expect("it is stated");
    assert!(text("README.md").contains(&format!("Rust {wanted}")), "Rust {wanted}");
}

#[test]
fn each_wait_in_the_readme_is_one_that_the_operator_prints() {
    let readme = text("README.md");
    let table =
        readme.split("| the wait begins or ends with").nth(1).and_then(|rest| rest.split("\n\n").next());
    let cells = table.expect("the table").lines().skip(2).filter_map(|row| row.split(" | ").next());
    let mut sentences = text("src/domain/sentence.rs");
    // The same with their blanks filled in, as the plugin's golden files have them.
    for entry in std::fs::read_dir(root().join("tests/plugin/explain")).expect("it can be listed").flatten() {
        sentences += &std::fs::read_to_string(entry.path()).expect("it can be read");
    }
    let mut count = 0;
    for cell in cells {
        let quoted = cell.trim_start_matches("| ").replace("`` ", "``").replace(" ``", "``");
        // `like this`, or ``with `ticks` inside``
        let phrases = quoted.split("``").enumerate().flat_map(|(n, part)| {
            if n % 2 == 1 {
                vec![part.to_owned()]
            } else {
                part.split('`').skip(1).step_by(2).map(str::to_owned).collect()
            }
        });
        for phrase in phrases {
            assert!(sentences.contains(&phrase), "no wait says `{phrase}`");
            count += 1;
        }
    }
    assert!(count > 22, "{count} phrases are found");
}
