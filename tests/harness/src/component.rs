//! One program of the control plane, which can be stopped and started again on the same data and port.

use std::time::Duration;

use crate::{Failure, Launch, Process, Scratch, eventually::poll};

#[derive(Debug)]
pub(crate) struct Component {
    name: &'static str,
    launch: Launch,
    process: Option<Process>,
}

impl Component {
    pub(crate) fn new(name: &'static str, launch: Launch) -> Component {
        Component { name, launch, process: None }
    }

    /// Starts it if it does not run, and looks with `is_ready` until that answers `Ok`.
    pub(crate) async fn start<Look: Future<Output = Result<(), Failure>>>(
        &mut self,
        scratch: &Scratch,
        deadline: Duration,
        is_ready: impl FnMut() -> Look,
    ) -> Result<(), Failure> {
        if let Some(process) = &mut self.process
            && process.exit_status()?.is_none()
        {
            return Ok(());
        }
        let process = self.process.insert(self.launch.start(scratch.path())?);
        let why = tokio::select! {
            ended = process.ended() => format!("it ended with {}", ended?),
            ready = poll(deadline, is_ready) => match ready {
                Ok(()) => return Ok(()),
                Err(Some(seen)) => format!("it is not ready after {deadline:?}: {seen}"),
                Err(None) => format!("it does not answer after {deadline:?}"),
            },
        };
        Err(Failure::new(format!("start {}", self.name), format!("{why}; {}", process.tail())))
    }

    /// Kills it (SIGKILL); nothing happens if it does not run.
    pub(crate) fn stop(&mut self) {
        self.process = None;
    }

    pub(crate) fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }
}
