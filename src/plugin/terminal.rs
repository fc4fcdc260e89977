//! The person at the terminal: what is printed where, in color or not, and what is asked.

use std::{
    ffi::OsStr,
    io::{self, IsTerminal as _, Write as _},
};

use anstyle::{AnsiColor, Effects, Style};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::problem::Problem;

/// How words are marked. Without color the words themselves must say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ink {
    colored: bool,
}

impl Ink {
    /// In color.
    #[cfg(test)]
    pub const COLORED: Ink = Ink { colored: true };

    /// What must not be overlooked: a live environment, a blocker.
    #[must_use]
    pub fn alarming(self, text: &str) -> String {
        self.paint(Style::new().fg_color(Some(AnsiColor::Red.into())).effects(Effects::BOLD), text)
    }

    /// What is in order.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.paint(Style::new().fg_color(Some(AnsiColor::Green.into())), text)
    }

    /// A heading.
    #[must_use]
    pub fn head(self, text: &str) -> String {
        self.paint(Style::new().effects(Effects::BOLD), text)
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.colored { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// Where output goes, and whether somebody is there to answer.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// For standard output.
    pub out: Ink,
    /// For standard error.
    pub err: Ink,
    /// Standard input is a terminal.
    pub answers: bool,
}

impl Terminal {
    /// The terminal of this process.
    #[must_use]
    pub fn of_the_process() -> Self {
        let (no_color, term) = (std::env::var_os("NO_COLOR"), std::env::var_os("TERM"));
        let ink =
            |is_terminal| Ink { colored: wants_color(is_terminal, no_color.as_deref(), term.as_deref()) };
        Self {
            out: ink(io::stdout().is_terminal()),
            err: ink(io::stderr().is_terminal()),
            answers: io::stdin().is_terminal(),
        }
    }

    /// Prints a result.
    ///
    /// # Errors
    /// `Output`, where nobody takes it.
    pub fn print(&self, text: &str) -> Result<(), Problem> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }

    /// Says something to the person, beside the result.
    ///
    /// # Errors
    /// `Output`, where nobody takes it.
    pub fn say(&self, text: &str) -> Result<(), Problem> {
        let mut err = io::stderr().lock();
        err.write_all(text.as_bytes())?;
        Ok(err.flush()?)
    }

    /// Tells what was done, and what to type next. That nobody takes the words does not undo it, so it is no problem.
    pub fn done(&self, result: &str, next: &str) {
        let _nobody_takes_it = self.print(result);
        let _nobody_takes_it = self.say(next);
    }

    /// Goes on only if exactly these words are typed.
    ///
    /// # Errors
    /// `NoTerminal`, `Mistyped` or `Interrupted`: nothing was changed.
    pub async fn confirm(&self, words: &str, otherwise: &'static str) -> Result<(), Problem> {
        if !self.answers {
            return Err(Problem::NoTerminal(otherwise));
        }
        self.say(&format!("Type {} to go on: ", self.err.head(words)))?;
        let typed = read(read_line).await?;
        if typed.trim() == words { Ok(()) } else { Err(Problem::Mistyped(words.to_owned())) }
    }

    /// Reads one line that must not be seen: without echo on a terminal, else from standard input.
    ///
    /// # Errors
    /// `Interrupted`, or `Output` where nothing can be read.
    pub async fn secret(&self, question: &str) -> Result<String, Problem> {
        if !self.answers {
            return read(read_line).await;
        }
        self.say(question)?;
        let silence = Silence::begin();
        let typed = read(read_line).await;
        drop(silence);
        self.say("\n")?;
        typed
    }
}

/// <https://no-color.org>: set to anything but nothing.
fn wants_color(is_terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty) && term.is_none_or(|term| term != "dumb")
}

/// Waits for a line, or for Ctrl-C: then the terminal is put right before the program ends.
async fn read(line: fn() -> io::Result<String>) -> Result<String, Problem> {
    tokio::select! {
        typed = tokio::task::spawn_blocking(line) => match typed {
            Ok(typed) => Ok(typed?),
            Err(_panicked) => Err(Problem::Interrupted),
        },
        () = interrupted() => Err(Problem::Interrupted),
    }
}

/// Waits for Ctrl-C. From the first time on the system no longer ends the program at it: whatever waits must listen, too.
pub async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // We cannot listen; then the system still does.
        std::future::pending::<()>().await;
    }
}

fn read_line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line)
}

/// The terminal does not echo while this exists.
struct Silence {
    before: Option<rustix::termios::Termios>,
}

impl Silence {
    fn begin() -> Self {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(before) = &before {
            let mut silent = before.clone();
            silent.local_modes -= LocalModes::ECHO;
            if tcsetattr(io::stdin(), OptionalActions::Flush, &silent).is_err() {
                return Self { before: None };
            }
        }
        Self { before }
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // A terminal that has gone needs no echo.
            let _gone = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn color_is_for_terminals_whose_owner_wants_it() {
        for (is_terminal, no_color, term, due) in [
            (true, None, Some("xterm"), true),
            (true, None, None, true),
            (true, Some(""), Some("xterm"), true),
            (true, Some("1"), Some("xterm"), false),
            (true, None, Some("dumb"), false),
            (false, None, Some("xterm"), false),
        ] {
            let color = wants_color(is_terminal, no_color.map(OsStr::new), term.map(OsStr::new));
            assert_eq!(color, due, "{is_terminal} {no_color:?} {term:?}");
        }
    }
}
