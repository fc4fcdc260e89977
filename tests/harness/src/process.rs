//! One child process: started on a leash, its output in a file, awaited with deadlines.

use std::{
    ffi::{OsStr, OsString},
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{Child, ExitStatus},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::timeout;

use crate::{Failure, eventually::INTERVAL, leash::leashed};

/// How many lines of a log an error shows.
const TAIL: usize = 25;

/// What is to be started: a program, its arguments and environment. Can be started more than once.
#[derive(Clone, Debug)]
pub struct Launch {
    name: String,
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
}

impl Launch {
    /// `name` is used in errors and for the log, `<name>.log`.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>) -> Launch {
        Launch { name: name.into(), program: program.into(), args: Vec::new(), env: Vec::new() }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Launch {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Launch {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// One variable more than our own environment, which is passed on.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Launch {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Starts it. Both output streams are appended, in their order, to `<name>.log` in `log_directory`.
    ///
    /// # Errors
    /// When the program is not there or cannot be started.
    pub fn start(&self, log_directory: &Path) -> Result<Process, Failure> {
        let step = || format!("start {}", self.name);
        if self.program.components().count() > 1 && !self.program.exists() {
            return Err(Failure::new(step(), format!("{} does not exist", self.program.display())));
        }
        let log_path = log_directory.join(format!("{}.log", self.name));
        let log =
            OpenOptions::new().create(true).append(true).open(&log_path).map_err(Failure::to(step()))?;
        let read_to = log.metadata().map_err(Failure::to(step()))?.len();
        let errors = log.try_clone().map_err(Failure::to(step()))?;
        let mut command = leashed(&self.program);
        command.args(&self.args).envs(self.env.iter().map(|(name, value)| (name, value)));
        let child = command.stdout(log).stderr(errors).spawn().map_err(Failure::to(step()))?;
        Ok(Process { name: self.name.clone(), child, log_path, read_to })
    }
}

/// A running child and its log. Dropping it kills it (SIGKILL) and waits for its end.
#[derive(Debug)]
pub struct Process {
    name: String,
    /// Its `stdin` is the leash.
    child: Child,
    log_path: PathBuf,
    /// How far [`Process::wait_for_line`] has read, in bytes.
    read_to: u64,
}

impl Process {
    /// The child's own process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where its output goes.
    pub fn log_path(&self) -> &Path {
        &self.log_path
    }

    /// Everything it has written, over all starts with this log.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log_path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines of its log, for an error message.
    pub fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(TAIL);
        format!("the end of {}:\n{}", self.log_path.display(), lines[from..].join("\n"))
    }

    /// Waits for the next line that `is_it` accepts, and reads on from there the next time.
    ///
    /// # Errors
    /// When the deadline passes, or the process ends, without such a line: with the tail of the log.
    pub async fn wait_for_line(
        &mut self,
        mut is_it: impl FnMut(&str) -> bool,
        deadline: Duration,
    ) -> Result<String, Failure> {
        let why = match timeout(deadline, self.next_line_or_end(&mut is_it)).await {
            Ok(Ok(Some(line))) => return Ok(line),
            Ok(Ok(None)) => "it has ended".to_owned(),
            Ok(Err(failure)) => failure.to_string(),
            Err(_elapsed) => format!("it was not written within {deadline:?}"),
        };
        Err(Failure::new(format!("find a line of {}", self.name), format!("{why}; {}", self.tail())))
    }

    /// `None` if it ends without such a line.
    async fn next_line_or_end(
        &mut self,
        is_it: &mut impl FnMut(&str) -> bool,
    ) -> Result<Option<String>, Failure> {
        loop {
            // In this order: what it wrote before its end is read.
            let has_ended = self.exit_status()?.is_some();
            let line = self.next_line(is_it)?;
            if line.is_some() || has_ended {
                return Ok(line);
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// The first complete unread line that is accepted; it and all before it count as read.
    fn next_line(&mut self, is_it: &mut impl FnMut(&str) -> bool) -> Result<Option<String>, Failure> {
        let unread = read_from(&self.log_path, self.read_to)
            .map_err(Failure::to(format!("read {}", self.log_path.display())))?;
        for line in unread.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
            self.read_to += line.len() as u64;
            let text = String::from_utf8_lossy(&line[..line.len() - 1]);
            if is_it(&text) {
                return Ok(Some(text.into_owned()));
            }
        }
        Ok(None)
    }

    /// How it ended, or `None` while it runs.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn exit_status(&mut self) -> Result<Option<ExitStatus>, Failure> {
        // `Child::try_wait` leaves stdin, the leash, alone.
        self.child.try_wait().map_err(Failure::to(format!("look after {}", self.name)))
    }

    /// Asks it to end (SIGTERM).
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn terminate(&mut self) -> Result<(), Failure> {
        self.signal(Signal::TERM)
    }

    /// Stops it in its tracks (SIGSTOP) until [`Process::resume`].
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn pause(&mut self) -> Result<(), Failure> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on after [`Process::pause`] (SIGCONT).
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn resume(&mut self) -> Result<(), Failure> {
        self.signal(Signal::CONT)
    }

    /// Ends it without a chance to say goodbye (SIGKILL), and waits until it is gone.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn kill_hard(&mut self) -> Result<ExitStatus, Failure> {
        let step = || format!("kill {}", self.name);
        self.child.kill().map_err(Failure::to(step()))?;
        drop(self.child.stdin.take());
        self.child.wait().map_err(Failure::to(step()))
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When it still runs at the deadline: with the tail of its log. It is left running.
    pub async fn wait(&mut self, deadline: Duration) -> Result<ExitStatus, Failure> {
        match timeout(deadline, self.ended()).await {
            Ok(status) => status,
            Err(_elapsed) => {
                let cause = format!("it still runs after {deadline:?}; {}", self.tail());
                Err(Failure::new(format!("see {} end", self.name), cause))
            }
        }
    }

    /// However long it takes.
    pub(crate) async fn ended(&mut self) -> Result<ExitStatus, Failure> {
        loop {
            if let Some(status) = self.exit_status()? {
                drop(self.child.stdin.take());
                return Ok(status);
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// To the process itself, not to its group. A no-op once it has been waited for: its id may be another's by then.
    fn signal(&mut self, signal: Signal) -> Result<(), Failure> {
        if self.exit_status()?.is_some() {
            return Ok(());
        }
        kill_process(Pid::from_child(&self.child), signal)
            .map_err(Failure::to(format!("send {signal:?} to {}", self.name)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Neither can fail for a child of ours that was not waited for, and after a wait there is nothing to do.
        let _killed = self.kill_hard();
    }
}

fn read_from(path: &Path, offset: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
