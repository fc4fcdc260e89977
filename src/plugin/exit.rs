//! How the program ends, for scripts.

use std::process::ExitCode;

use crate::api::OffboardingResult;

/// An end that a script can tell from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done,
    /// Not found, not allowed, another plan, no answer.
    Refused,
    /// The command line; clap uses the same.
    Usage,
    /// The wrong words were typed.
    Aborted,
    /// `status`: the request failed.
    Failed,
    /// `status`: it ended without doing all that was asked.
    NotAll,
    /// `status`: it is not finished.
    Unfinished,
    Interrupted,
}

impl Exit {
    /// Every end, in the order of the manual.
    pub const ALL: &'static [Exit] = &[
        Exit::Done,
        Exit::Refused,
        Exit::Usage,
        Exit::Aborted,
        Exit::Failed,
        Exit::NotAll,
        Exit::Unfinished,
        Exit::Interrupted,
    ];

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Refused => 1,
            Exit::Usage => 2,
            Exit::Aborted => 3,
            Exit::Failed => 4,
            Exit::NotAll => 5,
            Exit::Unfinished => 6,
            Exit::Interrupted => 130,
        }
    }

    /// The number explained.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "done; `status`: finished as it was asked for",
            Exit::Refused => "not done: not found, not allowed, another plan, no answer",
            Exit::Usage => "the command line cannot be understood, or a terminal is needed and there is none",
            Exit::Aborted => "something else was typed than was asked for; nothing was changed",
            Exit::Failed => "`status`: the request failed",
            Exit::NotAll => "`status`: the request was cancelled, done in part, or cannot be verified",
            Exit::Unfinished => "`status`: the request is not finished",
            Exit::Interrupted => "interrupted by Ctrl-C; nothing was changed",
        }
    }

    /// How a finished request ends `status`.
    #[must_use]
    pub const fn of(result: OffboardingResult) -> Self {
        match result {
            OffboardingResult::Erased
            | OffboardingResult::ErasedWithRetention
            | OffboardingResult::Deactivated
            | OffboardingResult::AlreadyAbsent => Exit::Done,
            OffboardingResult::Unverified
            | OffboardingResult::Cancelled
            | OffboardingResult::PartiallyDone => Exit::NotAll,
            OffboardingResult::Failed | OffboardingResult::Recreated => Exit::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// The part of the help that documents them.
pub fn help() -> String {
    let lines = Exit::ALL.iter().map(|exit| format!("  {:<4} {}\n", exit.code(), exit.meaning()));
    format!("Exit codes:\n{}", lines.collect::<String>())
}
