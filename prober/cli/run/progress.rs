//! One live line on a terminal while runs are going; nothing anywhere else.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::cli::out::Out;
use crate::cli::show::duration;

/// How often the line is drawn anew.
pub(super) const EVERY: Duration = Duration::from_millis(200);

/// The line, and what it says.
#[derive(Debug)]
pub(super) struct Progress {
    wanted: bool,
    drawn: bool,
    began: Instant,
    columns: usize,
}

impl Progress {
    /// The line of a command that has just begun.
    pub(super) fn new(out: &Out) -> Self {
        let wanted = !out.quiet && std::io::stderr().is_terminal() && !out.is_dumb();
        Self { wanted, drawn: false, began: Instant::now(), columns: out.look().width }
    }

    /// Whether there is somebody to see it.
    pub(super) const fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Draws `  3 of 12 done  4.1 s  now checkout (eu)`.
    pub(super) fn draw(&mut self, done: usize, all: usize, now: &str) {
        if !self.wanted {
            return;
        }
        let text = format!("  {done} of {all} done  {}  now {now}", duration(self.began.elapsed()));
        self.show(&text);
    }

    /// Draws any other text.
    pub(super) fn show(&mut self, text: &str) {
        if !self.wanted {
            return;
        }
        // One column less than there are: a full line would wrap. Names have letters, digits and `-` only.
        let text: String = text.chars().take(self.columns.saturating_sub(1)).collect();
        drop(write!(std::io::stderr().lock(), "\r\x1b[K{text}").and_then(|()| std::io::stderr().flush()));
        self.drawn = true;
    }

    /// Takes the line away, so that something else can be written.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            drop(write!(std::io::stderr().lock(), "\r\x1b[K").and_then(|()| std::io::stderr().flush()));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
