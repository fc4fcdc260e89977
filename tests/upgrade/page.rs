//! What `docs/upgrading.md` says, typed as it stands, from the last release on.

use std::{fs, os::unix::fs::symlink, path::Path, time::Duration};

use harness::{Binaries, ControlPlane, Launch, Options, Process, Scratch};

use crate::{
    released, root,
    stage::{ready, says},
};

const LONG: Duration = Duration::from_secs(90);

#[tokio::test]
async fn what_the_page_says_works() {
    let page = fs::read_to_string(root().join("docs/upgrading.md")).unwrap();
    let blocks: Vec<String> = page
        .split("```sh test\n")
        .skip(1)
        .map(|rest| {
            rest.split("```").next().unwrap().lines().map(|it| format!("{}\n", it.trim_start())).collect()
        })
        .collect();
    assert!(blocks.len() >= 7, "the blocks are found");
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    for directory in ["crds", "deploy"] {
        plane.apply_path(&released().join(directory)).await.unwrap();
    }
    let scratch = Scratch::new("upgrading").unwrap();
    for (name, place) in
        [("crds", root().join("crds")), ("deploy", root().join("deploy")), ("before", released())]
    {
        symlink(place, scratch.join(name)).unwrap();
    }
    // Which version it is does not matter to the commands: `make upgrade` has both.
    let launch = Launch::new("operator", env!("CARGO_BIN_EXE_customer-offboarding-operator"))
        .args(["operator", "--admin-address", "127.0.0.1:0"])
        .env("KUBECONFIG", plane.kubeconfig("operator"));
    let mut operator = ready(&launch, scratch.path()).await.unwrap();
    says(&mut operator, "leading").await.unwrap();
    let kubectl = Binaries::ready(&["kubectl"]).await.unwrap().path("kubectl");
    let plugin = Path::new(env!("CARGO_BIN_EXE_kubectl-offboarding"));
    let places = [kubectl.parent().unwrap(), plugin.parent().unwrap()].map(|it| it.display().to_string());
    let path = format!("{}:{}", places.join(":"), std::env::var("PATH").unwrap());
    for block in blocks {
        // Where a policy changed, what differs is shown, and that is no failure of the page.
        let block = block.replace("kubectl diff", "differs");
        let script = format!("cd {}\n{DIFFERS}\n{block}", scratch.path().display());
        let mut shell = bash(&plane, &scratch, &path, &script);
        let status = shell.wait(LONG).await.unwrap();
        assert!(status.success(), "{block}\n{}", shell.log());
    }
    assert_eq!(operator.exit_status().unwrap(), None, "it still runs: {}", operator.log());
}

/// `kubectl diff` ends with 1 where something differs, and with more where it fails.
const DIFFERS: &str = r#"differs() { kubectl diff "$@" || [ $? -eq 1 ]; }"#;

fn bash(plane: &ControlPlane, scratch: &Scratch, path: &str, script: &str) -> Process {
    let script = scratch.write("script", script).unwrap();
    let launch = Launch::new("shell", "bash").args(["-euxo", "pipefail"]).arg(script);
    let launch =
        launch.env("KUBECONFIG", plane.kubeconfig("admin")).env("KUBECACHEDIR", scratch.join("cache"));
    launch.env("PATH", path).start(scratch.path()).unwrap()
}
