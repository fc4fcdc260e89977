//! A command line program that works on the cluster as one user: kubectl, helm, our own subcommands.

use std::{
    ffi::{OsStr, OsString},
    io::Write,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tempfile::NamedTempFile;

use crate::{Failure, leash::leashed};

/// One call to come. It ends with its caller, and at a deadline of one minute unless told otherwise.
#[derive(Debug)]
#[must_use = "it does nothing until it is run"]
pub struct Tool {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    directory: PathBuf,
    /// Removed after the call.
    files: Vec<NamedTempFile>,
    deadline: Duration,
}

/// What a call left behind.
#[derive(Clone, Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// All it wrote to stdout.
    pub stdout: String,
    /// All it wrote to stderr.
    pub stderr: String,
}

impl Tool {
    /// `directory` keeps what kubectl and helm remember between calls, so that the home directory stays as it is.
    pub(crate) fn new(program: PathBuf, kubeconfig: &Path, directory: &Path) -> Tool {
        let env = [
            ("KUBECONFIG", kubeconfig.to_owned()),
            ("KUBECACHEDIR", directory.join("kubectl-cache")),
            ("HELM_CACHE_HOME", directory.join("helm/cache")),
            ("HELM_CONFIG_HOME", directory.join("helm/config")),
            ("HELM_DATA_HOME", directory.join("helm/data")),
        ];
        Tool {
            program,
            args: Vec::new(),
            env: env.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            directory: directory.to_owned(),
            files: Vec::new(),
            deadline: Duration::from_secs(60),
        }
    }

    /// One more argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Tool {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// More arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Tool {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// One more environment variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Tool {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// `-f` with these manifests in a file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn manifests(self, manifests: &str) -> Result<Tool, Failure> {
        let step = "write manifests";
        let mut file = tempfile::Builder::new()
            .suffix(".yaml")
            .tempfile_in(&self.directory)
            .map_err(Failure::to(step))?;
        file.write_all(manifests.as_bytes()).map_err(Failure::to(step))?;
        let mut tool = self.arg("-f").arg(file.path());
        tool.files.push(file);
        Ok(tool)
    }

    /// Another deadline than a minute.
    pub fn within(mut self, deadline: Duration) -> Tool {
        self.deadline = deadline;
        self
    }

    /// Runs it, whatever its exit status.
    ///
    /// # Errors
    /// When it cannot be started or does not end in time; it is killed then.
    pub async fn run(self) -> Result<Output, Failure> {
        let step = format!("run {self}");
        let mut command = leashed(&self.program);
        command.args(&self.args).envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut command = tokio::process::Command::from(command);
        let mut child = command.kill_on_drop(true).spawn().map_err(Failure::to(&step))?;
        let _leash = child.stdin.take();
        let ended = tokio::time::timeout(self.deadline, child.wait_with_output());
        let output = ended
            .await
            .map_err(|_elapsed| Failure::new(&step, format!("it still runs after {:?}", self.deadline)))?
            .map_err(Failure::to(&step))?;
        Ok(Output {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs it and returns what it wrote to stdout.
    ///
    /// # Errors
    /// As [`Tool::run`], and when it does not end with success: with what it wrote to stderr.
    pub async fn succeed(self) -> Result<String, Failure> {
        let step = format!("run {self}");
        let output = self.run().await?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(Failure::new(step, format!("{}: {}", output.status, output.stderr.trim_end())))
        }
    }
}

/// As one would type it.
impl std::fmt::Display for Tool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.program.file_name().unwrap_or(self.program.as_os_str());
        write!(formatter, "{}", name.display())?;
        self.args.iter().try_for_each(|arg| write!(formatter, " {}", arg.display()))
    }
}
