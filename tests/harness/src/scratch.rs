//! A directory that is gone when its owner is gone.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::Failure;

/// Waits for the end of our pipe, then removes the directory, again while a dying process still writes to it.
const REMOVE: &str = r#"
read -r _
for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$1" 2>/dev/null && exit; sleep 0.2; done
"#;

/// Set (to anything) to keep directories with logs and data, and to be told where they are.
const KEEP: &str = "HARNESS_KEEP";

/// A temporary directory, removed on drop and also when our process is killed.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    janitor: Option<Child>,
}

impl Scratch {
    /// A new, empty directory below the system's temporary directory; `name` is part of its name.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(name: &str) -> Result<Scratch, Failure> {
        let directory = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir();
        let path = directory.map_err(Failure::to("make a temporary directory"))?.keep();
        if std::env::var_os(KEEP).is_some() {
            eprintln!("{KEEP}: {} is kept", path.display());
            return Ok(Scratch { path, janitor: None });
        }
        let janitor =
            start_janitor(&path).map_err(Failure::to("start the shell that removes the directory"))?;
        Ok(Scratch { path, janitor: Some(janitor) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it; written if `contents` are given by [`Scratch::write`].
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file into it and says where.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, contents: &str) -> Result<PathBuf, Failure> {
        let path = self.join(name);
        std::fs::write(&path, contents).map_err(Failure::to(format!("write {}", path.display())))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(mut janitor) = self.janitor.take() {
            drop(janitor.stdin.take());
            // A failure to wait leaves a directory to the operating system, nothing a test could act on.
            let _status = janitor.wait();
        }
    }
}

fn start_janitor(path: &Path) -> std::io::Result<Child> {
    Command::new("sh")
        .args(["-c", REMOVE, "janitor"])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}
