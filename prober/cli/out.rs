//! Where commands write: data on stdout, progress and mistakes on stderr.

use std::io::{self, Write as _};
use std::sync::OnceLock;

use super::args::{Color, Global};
use super::place::env;
use super::show::Look;

/// The two streams, with colours taken out where nobody can see them.
#[derive(Debug)]
pub(crate) struct Out {
    /// Colours on stdout.
    pub(crate) colour: bool,
    /// Colours on stderr.
    pub(crate) colour_errors: bool,
    pub(crate) quiet: bool,
    /// Why not all of the data was written.
    lost: OnceLock<io::Error>,
}

#[expect(clippy::unused_self, reason = "every command writes through the value that decided how to write")]
impl Out {
    /// Colours as asked for; `auto` means a terminal that wants them (`NO_COLOR`, `CLICOLOR_FORCE`, `TERM=dumb`).
    pub(crate) fn new(global: &Global) -> Self {
        let colours = |auto: anstream::ColorChoice| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => auto != anstream::ColorChoice::Never,
        };
        Self {
            colour: colours(anstream::AutoStream::choice(&io::stdout())),
            colour_errors: colours(anstream::AutoStream::choice(&io::stderr())),
            quiet: global.quiet,
            lost: OnceLock::new(),
        }
    }

    /// How texts are laid out: the terminal's width, or 100 columns where there is none.
    pub(crate) fn look(&self) -> Look {
        let width = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_col));
        let ascii = env("LC_ALL")
            .or_else(|| env("LC_CTYPE"))
            .or_else(|| env("LANG"))
            .is_some_and(|locale| locale == "C" || locale == "POSIX");
        Look { colour: self.colour, unicode: !ascii, width: if width == 0 { 100 } else { width } }
    }

    /// Whether the terminal cannot move its cursor.
    pub(crate) fn is_dumb(&self) -> bool {
        env("TERM").is_none_or(|terminal| terminal == "dumb")
    }

    /// Warnings of scenario files, on stderr.
    pub(crate) fn note_warnings(&self, warnings: &str) {
        if !warnings.is_empty() {
            self.note(warnings.trim_end());
        }
    }

    /// A line of data on stdout. A reader that has gone away ends the writing, not the command.
    pub(crate) fn line(&self, text: &str) {
        self.note_lost(writeln!(io::stdout().lock(), "{text}"));
    }

    /// Text on stdout as it is.
    pub(crate) fn raw(&self, text: &[u8]) {
        let mut out = io::stdout().lock();
        self.note_lost(out.write_all(text).and_then(|()| out.flush()));
    }

    /// Why data is missing on stdout, if it is: half a report must not pass for a whole one.
    pub(crate) fn lost(&self) -> Option<&io::Error> {
        self.lost.get()
    }

    fn note_lost(&self, written: io::Result<()>) {
        // Whoever reads only the first lines has what it wants.
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            let _first = self.lost.set(error);
        }
    }

    /// A line for people on stderr; nothing if quiet.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.complain(text);
        }
    }

    /// Text on stderr as it is.
    pub(crate) fn complain_raw(&self, text: &str) {
        drop(io::stderr().lock().write_all(text.as_bytes()));
    }

    /// A value as JSON on stdout, for programs and readable.
    pub(crate) fn json(&self, value: &serde_json::Value) {
        self.line(&serde_json::to_string_pretty(value).unwrap_or_default());
    }

    /// A line on stderr that must be seen.
    pub(crate) fn complain(&self, text: &str) {
        drop(writeln!(io::stderr().lock(), "{text}"));
    }
}
