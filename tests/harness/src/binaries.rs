//! Where the programs are: the control plane's own (built once, `tests/control-plane/build.sh`) and the workspace's.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::{Failure, leash::leashed};

const BUILD_SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../control-plane/build.sh");

/// The directory that holds the asked-for binaries of a control plane.
#[derive(Clone, Debug)]
pub struct Binaries {
    directory: PathBuf,
}

impl Binaries {
    /// Finds them, or builds them, which takes minutes the first time and is told on stderr.
    ///
    /// Names: `etcd`, `kube-apiserver`, `kube-controller-manager`, `kubectl`, `helm`.
    ///
    /// # Errors
    /// When they cannot be built; what to do is on stderr then.
    pub async fn ready(names: &[&str]) -> Result<Binaries, Failure> {
        let step = "find or build the control plane's binaries";
        let mut script = leashed(BUILD_SCRIPT);
        script.args(names).stdout(Stdio::piped());
        let mut child = tokio::process::Command::from(script).spawn().map_err(Failure::to(step))?;
        let leash = child.stdin.take();
        let output = child.wait_with_output().await.map_err(Failure::to(step))?;
        drop(leash);
        if !output.status.success() {
            return Err(Failure::new(step, format!("build.sh ended with {}", output.status)));
        }
        let directory = String::from_utf8(output.stdout).map_err(Failure::to(step))?;
        Ok(Binaries { directory: PathBuf::from(directory.trim_end()) })
    }

    /// The path of one of those that were asked for.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// A binary of this workspace, looked for beside the running test or program: the same profile.
///
/// # Errors
/// When it is not there: cargo builds another package's binary only when told to, and the error says how.
pub fn workspace_binary(package: &str, name: &str) -> Result<PathBuf, Failure> {
    let step = format!("find the binary {name}");
    let running = std::env::current_exe().map_err(Failure::to(&step))?;
    let places = running.ancestors().skip(1).take(2);
    places.map(|directory: &Path| directory.join(name)).find(|path| path.is_file()).ok_or_else(|| {
        Failure::new(step, format!("it is not beside {}: run `cargo build -p {package}`", running.display()))
    })
}
