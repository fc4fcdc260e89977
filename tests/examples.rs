//! What the README says and what lies in `examples/`, done as it stands on a real API server.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use harness::{Binaries, ControlPlane, Failure, Launch, Options, Scratch};
use tokio::sync::OnceCell;

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
    plane.apply_path(&root().join("crds")).await?;
    let namespace = plane.namespace("examples").await?;
    let template = text("examples/demo/providers.yaml.template")
        .replace("${JUICYWAY_URL}", "https://127.0.0.1:8443")
        .replace("${REVOLV3_URL}", "https://127.0.0.1:8444")
        .replace("${CA_BUNDLE}", "\"-----BEGIN CERTIFICATE-----\\n\"");
    let mut manifests = vec![("providers.yaml.template".to_owned(), template)];
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
    assert!(manifests.len() >= 5, "the examples are found");
    for (name, manifest) in manifests {
        let apply =
            ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-n", namespace.name()];
        let mut said = plane.kubectl("admin").args(apply).manifests(&manifest)?.run().await?;
        // The policies that the README installs on the same server, at the same time, need seconds to know the kinds.
        while said.stderr.contains("There can be a delay between") {
            said = plane.kubectl("admin").args(apply).manifests(&manifest)?.run().await?;
        }
        assert!(said.status.success() && said.stderr.is_empty(), "{name}: {}{}", said.stdout, said.stderr);
    }
    Ok(())
}

/// The blocks marked `sh test`, one after the other in one shell.
#[tokio::test]
async fn what_the_readme_says_works() -> Result<(), Failure> {
    let plane = plane().await?;
    let readme = text("README.md");
    let blocks: Vec<&str> =
        readme.split("```sh test\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    assert!(blocks.len() >= 5, "the blocks are found");
    let directory = Scratch::new("readme")?;
    for name in ["crds", "deploy", "examples"] {
        symlink(root().join(name), directory.join(name))
            .map_err(|why| Failure::new("link the files", why))?;
    }
    directory.write("script", &format!("cd {}\n{}\n", directory.path().display(), blocks.join("\n")))?;
    // The kubeconfig is changed by what is tried.
    let kubeconfig = directory.join("kubeconfig");
    std::fs::copy(plane.kubeconfig("admin"), &kubeconfig)
        .map_err(|why| Failure::new("copy the kubeconfig", why))?;
    let kubectl: PathBuf = Binaries::ready(&["kubectl"]).await?.path("kubectl");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Launch::new("readme", "bash")
        .args(["-euxo", "pipefail"])
        .arg(directory.join("script"))
        .env("KUBECONFIG", &kubeconfig)
        .env("KUBECACHEDIR", directory.join("cache"))
        .env("PATH", format!("{}:{path}", kubectl.parent().unwrap_or(Path::new("/")).display()))
        .start(directory.path())?;
    let status = shell.wait(std::time::Duration::from_secs(120)).await?;
    assert!(status.success(), "{}", shell.log());
    Ok(())
}

#[test]
fn the_readme_shows_the_smallest_request_that_works() {
    let readme = text("README.md");
    let shown =
        readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("it is shown");
    let plain = |yaml: &str| -> serde_json::Value { serde_saphyr::from_str(yaml).expect("YAML") };
    assert_eq!(plain(shown), plain(&text("examples/request.yaml")));
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
    let sentences = text("src/domain/sentence.rs");
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
    assert!(count > 12, "{count} phrases are found");
}
