//! What `prober doctor` found, a line a check.

use super::line::{Line, paragraph};
use super::look::{Look, Tone};
use super::safe::{columns_of, safe};

/// How serious a finding is.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FindingState {
    /// As it should be.
    Ok,
    /// Worth a look; nothing fails for it.
    Warn,
    /// Something will not work.
    Fail,
}

impl FindingState {
    /// The word used everywhere.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    const fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Good,
            Self::Warn => Tone::Odd,
            Self::Fail => Tone::Bad,
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What was looked at, in a word or two.
    pub(crate) name: &'static str,
    pub(crate) state: FindingState,
    /// What was seen.
    pub(crate) seen: String,
    /// What to do about it; empty if nothing.
    pub(crate) remedy: String,
}

/// A line for each finding, with what to do below it, and a summary.
pub(crate) fn findings_table(findings: &[Finding], look: Look) -> String {
    let wide = |finding: &Finding| columns_of(&safe(finding.name, look.unicode, look.columns()));
    let name = findings.iter().map(wide).max().unwrap_or(0);
    let mut out = String::new();
    for finding in findings {
        let mut line = Line::new(look, 2);
        line.tint(finding.state.tone(), finding.state.as_str()).to(8, 1);
        line.tint(Tone::Strong, finding.name).to(8 + name + 2, 1);
        paragraph(&mut out, line, Tone::Plain, &finding.seen);
        if !finding.remedy.is_empty() {
            let mut line = Line::new(look, 8 + name + 2);
            line.tint(Tone::Dim, look.either("→ ", "-> "));
            paragraph(&mut out, line, Tone::Plain, &finding.remedy);
        }
    }
    if findings.len() < 2 {
        return out;
    }
    let count = |state| findings.iter().filter(|finding| finding.state == state).count();
    let mut line = Line::new(look, 2);
    let (warn, fail) = (count(FindingState::Warn), count(FindingState::Fail));
    line.put(&format!("{} checks: {} ok, {warn} warn, {fail} fail", findings.len(), count(FindingState::Ok)));
    line.end(&mut out);
    out
}
