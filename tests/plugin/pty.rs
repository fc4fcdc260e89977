//! A terminal with a program in it. It echoes what is typed, as terminals do, unless the program tells it not to.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus},
    sync::{Arc, Mutex},
    time::Duration,
};

use harness::eventually;
use rustix::{
    process::{Pid, Signal, kill_process_group},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

/// Generous: nothing waits for it to pass.
const SOON: Duration = Duration::from_secs(30);

/// The terminal, the program, and all that was on the screen.
pub struct Pty {
    keyboard: File,
    program: Child,
    screen: Arc<Mutex<String>>,
    /// Up to where the test has read.
    read: usize,
}

impl Pty {
    /// Starts the program in a terminal of its own.
    pub fn start(mut command: Command) -> Pty {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let end = || File::options().read(true).write(true).open(&name).unwrap();
        command.stdin(end()).stdout(end()).stderr(end()).process_group(0);
        let program = command.spawn().unwrap();
        // The command keeps our copies of the program's end; with them open the screen would have no end.
        drop(command);
        let (keyboard, screen) = (File::from(master), Arc::new(Mutex::new(String::new())));
        let (mut output, written) = (keyboard.try_clone().unwrap(), Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                written.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Pty { keyboard, program, screen, read: 0 }
    }

    /// Waits until the words are on the screen, and returns what came since the last ones, words included.
    pub async fn sees(&mut self, words: &str) -> String {
        let (screen, read) = (Arc::clone(&self.screen), self.read);
        let found = eventually(SOON, words, || async {
            let screen = screen.lock().unwrap().clone();
            match screen[read..].find(words) {
                Some(at) => Ok(screen[read..read + at + words.len()].to_owned()),
                None => Err(screen),
            }
        })
        .await;
        self.read += found.len();
        found
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// What Ctrl-C does.
    pub fn interrupt(&self) {
        let group = Pid::from_child(&self.program);
        kill_process_group(group, Signal::INT).unwrap();
    }

    /// Waits for the program's end: its exit code, and all that was on the screen.
    pub async fn ends(mut self) -> (Option<i32>, String) {
        let screen = Arc::clone(&self.screen);
        let status: ExitStatus = eventually(SOON, "the program ends", || {
            let ended = self.program.try_wait().unwrap().ok_or_else(|| screen.lock().unwrap().clone());
            async move { ended }
        })
        .await;
        // The last words may still be on their way through the terminal.
        tokio::time::sleep(Duration::from_millis(100)).await;
        (status.code(), self.screen.lock().unwrap().clone())
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to end.
        let _ended = self.program.kill();
        let _status = self.program.wait();
    }
}
