//! The leash: a child that cannot outlive us, whatever ends us.
//!
//! The child is started by a shell that first leaves a watcher behind and then becomes the child (`exec`), so pid,
//! signals and exit status are the child's own. The watcher waits for the end of a pipe that only our process holds
//! open. When we let go of it or die, by SIGKILL too, it kills the whole process group: child, its children, itself.

use std::{
    ffi::OsStr,
    os::unix::process::CommandExt,
    process::{Command, Stdio},
};

const BECOME_THE_CHILD: &str = r#"
exec 3<&0
{ read -r _ <&3; kill -s KILL 0; } >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-
"#;

/// A command whose child is killed when the child's `stdin` handle is dropped or our process ends.
///
/// The child itself reads `/dev/null`. It leads a process group of its own: Ctrl-C in a terminal reaches it through us only.
pub(crate) fn leashed(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", BECOME_THE_CHILD, "leash"]).arg(program).stdin(Stdio::piped()).process_group(0);
    command
}
