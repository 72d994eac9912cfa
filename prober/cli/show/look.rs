//! How to show things, and what is known beside the event.

use anstyle::{AnsiColor, Color, Style};
use model::outcome::Verdict;

/// What the terminal can do; decided by the caller.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// Whether colours are written.
    pub(crate) colour: bool,
    /// Whether characters outside ASCII are written.
    pub(crate) unicode: bool,
    /// Columns of the terminal; taken as from [`WIDTH_MIN`] to [`WIDTH_MAX`].
    pub(crate) width: usize,
}

/// The narrowest terminal that texts are laid out for.
pub(super) const WIDTH_MIN: usize = 40;

/// The widest one.
pub(super) const WIDTH_MAX: usize = 1_000;

impl Look {
    /// The columns that lines may have.
    pub(super) fn columns(self) -> usize {
        self.width.clamp(WIDTH_MIN, WIDTH_MAX)
    }

    /// `rich` on a terminal with Unicode, else `plain`.
    pub(super) fn either(self, rich: &'static str, plain: &'static str) -> &'static str {
        if self.unicode { rich } else { plain }
    }

    /// What stands between a value and the one it became.
    pub(super) fn arrow(self) -> &'static str {
        self.either("→", "->")
    }
}

/// What people should know about a scenario and the event does not hold; texts may be empty.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct About<'a> {
    /// The name for people.
    pub(crate) title: &'a str,
    /// What the system is for.
    pub(crate) aim: &'a str,
    /// Where to read what to do, a URL.
    pub(crate) runbook: &'a str,
    /// What is promised, such as `99.9% in 30d`.
    pub(crate) objective: &'a str,
    /// Whom a broken promise tells, such as `page shop-oncall`.
    pub(crate) alerts: &'a str,
    /// File and line, such as `scenarios/checkout.yaml:3`.
    pub(crate) place: &'a str,
}

/// What a piece of text is; says the same as the words, for eyes that see colours.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Ordinary text.
    Plain,
    /// A heading.
    Strong,
    /// Beside the point.
    Dim,
    /// Good news.
    Good,
    /// Bad news.
    Bad,
    /// No news.
    Odd,
}

impl Tone {
    /// The tone of a verdict.
    pub(super) const fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Good => Self::Good,
            Verdict::Bad => Self::Bad,
            Verdict::Ineligible | Verdict::Missed => Self::Odd,
        }
    }

    /// The style on a terminal with colours.
    pub(super) const fn style(self) -> Style {
        let plain = Style::new();
        match self {
            Self::Plain => plain,
            Self::Strong => plain.bold(),
            Self::Dim => plain.dimmed(),
            Self::Good => plain.fg_color(Some(Color::Ansi(AnsiColor::Green))),
            Self::Bad => plain.bold().fg_color(Some(Color::Ansi(AnsiColor::Red))),
            Self::Odd => plain.fg_color(Some(Color::Ansi(AnsiColor::Yellow))),
        }
    }
}
