//! Waivers: `# prober: allow W310 because …`, for warnings that their author has thought about.
//!
//! On the line of the warning, on the lines above it, or before the first key for the whole file. The reason
//! is required, since it stays in the file. Errors cannot be waived; a waiver that waives nothing is itself a
//! warning, so that none outlives its cause.

use granit_parser::{Event, Parser};

use crate::codes;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{Source, Span};
use crate::suggest::nearest;

/// How a waiver begins.
const MARK: &str = "prober:";

/// Whether a comment, with its `#`, is a waiver.
pub(crate) fn is_waiver(comment: &str) -> bool {
    comment.trim_start_matches('#').trim_start().starts_with(MARK)
}

/// Words after the mark that mean a waiver; only the first is right.
const WORDS: [&str; 8] = ["allow", "ignore", "disable", "waive", "skip", "suppress", "noqa", "nolint"];
const HELP: &str = "write # prober: allow W310 because …, with the reason why that is right";

/// A warning that its author has thought about.
#[derive(Clone, Debug, PartialEq)]
pub struct Waived {
    /// The warning.
    pub diagnostic: Diagnostic,
    /// Why it is right.
    pub reason: String,
}

/// One waiver for one code.
struct Waiver {
    code: &'static str,
    /// The code in the comment.
    span: Span,
    reason: String,
    lines: Lines,
    used: bool,
}

/// What a waiver is for, in lines counted from 0.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Lines {
    File,
    One(usize),
}

/// Takes out what is waived, and adds what is wrong with the waivers.
pub(crate) fn apply(diagnostics: Vec<Diagnostic>, sources: &[Source]) -> (Vec<Diagnostic>, Vec<Waived>) {
    let mut kept = Vec::with_capacity(diagnostics.len());
    let mut waived = Vec::new();
    let mut problems = Vec::new();
    let mut waivers: Vec<Waiver> = Vec::new();
    let broken: Vec<u32> = diagnostics.iter().filter(|one| is_error(one)).map(|one| one.span.file).collect();
    for (index, source) in sources.iter().enumerate() {
        if source.text.contains(MARK) {
            let file = u32::try_from(index).unwrap_or(u32::MAX);
            read(file, &source.text, &mut waivers, &mut problems);
        }
    }
    for diagnostic in diagnostics {
        let fits = |waiver: &&mut Waiver| waiver.fits(&diagnostic, sources);
        match waivers.iter_mut().find(fits) {
            Some(waiver) => {
                waiver.used = true;
                waived.push(Waived { reason: waiver.reason.clone(), diagnostic });
            }
            None => kept.push(diagnostic),
        }
    }
    // In a file with errors not every warning is looked for.
    let unused = waivers.iter().filter(|waiver| !waiver.used && !broken.contains(&waiver.span.file));
    problems.extend(unused.map(Waiver::unused));
    kept.append(&mut problems);
    (kept, waived)
}

fn is_error(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity == Severity::Error
}

impl Waiver {
    fn fits(&self, diagnostic: &Diagnostic, sources: &[Source]) -> bool {
        if is_error(diagnostic) || diagnostic.code != self.code || diagnostic.span.file != self.span.file {
            return false;
        }
        let Lines::One(line) = self.lines else { return true };
        let text = sources.get(self.span.file as usize).map_or("", |source| &source.text);
        line_of(text, diagnostic.span.start as usize) == line
    }

    fn unused(&self) -> Diagnostic {
        let place = match self.lines {
            Lines::File => "in this file",
            Lines::One(_) => "there",
        };
        let message = format!("this waiver is not needed: there is no {} {place}", self.code);
        Diagnostic::warning("W330", self.span, message)
            .help("take it out; it stands on the line of the warning, above it, or before the first key for the whole file")
    }
}

/// The waivers of a file that can be read.
fn read(file: u32, text: &str, waivers: &mut Vec<Waiver>, problems: &mut Vec<Diagnostic>) {
    let options = granit_parser::options! { emit_comments: true, emit_unresolved_aliases: true };
    for event in Parser::new_from_str_with_options(text, options) {
        let Ok((event, place)) = event else { return };
        let Event::Comment(comment, _) = event else { continue };
        let start = place.start.byte_offset().unwrap_or(0).min(text.len());
        let Some(body) = comment.trim_start().strip_prefix(MARK) else { continue };
        let at = start + 1 + (comment.len() - body.len());
        let found = Comment { file, text, start, at, body: body.trim_end() };
        if let Err(problem) = found.waivers(waivers, problems) {
            problems.push(*problem);
        }
    }
}

/// A comment that begins with the mark.
struct Comment<'a> {
    file: u32,
    text: &'a str,
    /// Where its `#` is.
    start: usize,
    /// Where the text after the mark begins.
    at: usize,
    body: &'a str,
}

impl Comment<'_> {
    fn span(&self, from: usize, to: usize) -> Span {
        let at = |offset: usize| u32::try_from(self.at + offset).unwrap_or(u32::MAX);
        Span { file: self.file, start: at(from), end: at(to) }
    }

    fn waivers(
        &self,
        waivers: &mut Vec<Waiver>,
        problems: &mut Vec<Diagnostic>,
    ) -> Result<(), Box<Diagnostic>> {
        let word = self.body.split_whitespace().next().unwrap_or_default();
        if !WORDS.contains(&word.to_ascii_lowercase().as_str()) {
            return Ok(());
        }
        let from = self.body.find(word).unwrap_or(0);
        if word != "allow" {
            let problem =
                Diagnostic::warning("W331", self.span(from, from + word.len()), "this is not a waiver");
            return Err(Box::new(problem.label("the word is `allow`").help(HELP)));
        }
        let rest = from + word.len();
        let (codes, reason) = match self.body[rest..].split_once("because") {
            Some((codes, reason)) => (codes, reason.trim()),
            None => (&self.body[rest..], ""),
        };
        if !reason.chars().any(char::is_alphabetic) {
            // It holds all the same: one warning takes the place of the other.
            let span = self.span(from, self.body.len());
            problems.push(Diagnostic::warning("W332", span, "a waiver needs its reason").help(HELP));
        }
        let lines = self.lines();
        let mut found = 0;
        for code in codes.split([',', ' ']).filter(|code| !code.is_empty()) {
            let at = rest + (code.as_ptr() as usize - self.body[rest..].as_ptr() as usize);
            let span = self.span(at, at + code.len());
            found += 1;
            match known(code, span) {
                Ok(code) => {
                    waivers.push(Waiver { code, span, reason: reason.to_owned(), lines, used: false });
                }
                Err(problem) => problems.push(*problem),
            }
        }
        if found > 0 {
            return Ok(());
        }
        let problem =
            Diagnostic::warning("W331", self.span(from, self.body.len()), "this waiver names no warning");
        Err(Box::new(problem.help(HELP)))
    }

    /// The line that it is for: its own if something stands before it, else the next that has something.
    fn lines(&self) -> Lines {
        let begins = self.text[..self.start].rfind('\n').map_or(0, |at| at + 1);
        let is_content = |line: &str| {
            let line = line.trim_start_matches('\u{feff}').trim();
            !(line.is_empty() || line.starts_with('#') || line == "---")
        };
        if is_content(&self.text[begins..self.start]) {
            return Lines::One(line_of(self.text, self.start));
        }
        if !self.text[..begins].lines().any(is_content) {
            return Lines::File;
        }
        let own = line_of(self.text, self.start);
        let next = self.text.lines().enumerate().skip(own + 1).find(|(_, line)| is_content(line));
        Lines::One(next.map_or(own, |(index, _)| index))
    }
}

/// The code if it is that of a warning.
fn known(code: &str, span: Span) -> Result<&'static str, Box<Diagnostic>> {
    let shown = model::outcome::cut(code.to_owned(), 60);
    match codes::explain(code) {
        Some(known) if known.code.starts_with('W') => Ok(known.code),
        Some(known) => {
            let problem = Diagnostic::warning(
                "W331",
                span,
                format!("{} is an error, and errors cannot be waived", known.code),
            );
            Err(Box::new(problem.help("mend it; only warnings can be waived")))
        }
        None => {
            let problem = Diagnostic::warning("W331", span, format!("there is no warning `{shown}`"));
            let warnings = codes::CODES.iter().map(|code| code.code).filter(|code| code.starts_with('W'));
            Err(Box::new(match nearest(code, warnings) {
                Some(near) => problem.label(format!("did you mean {near}?")),
                None => problem.help(HELP),
            }))
        }
    }
}

/// The line of a byte, counted from 0.
fn line_of(text: &str, offset: usize) -> usize {
    text.get(..text.floor_char_boundary(offset)).unwrap_or_default().matches('\n').count()
}

#[cfg(test)]
mod tests {
    use crate::testing::compiled;

    /// Codes that are left, and how many are waived, of a file with W340 in line 3.
    fn check(file: &str, expected: &[&str], waived: usize) {
        let compiled = compiled("", &[file]);
        let codes: Vec<_> = compiled.diagnostics.iter().map(|one| one.code).collect();
        assert_eq!((codes.as_slice(), compiled.waived.len()), (expected, waived), "{file}");
    }

    const END: &str = "http: https://x.example\n";

    #[test]
    fn a_waiver_stands_on_the_line_above_it_or_at_the_head() {
        let check = |head: &str, above: &str, beside: &str, expected: &[&str], waived: usize| {
            let file = format!("{head}name: a\nevery: 1m\n{above}timeout: 60s {beside}\n{END}");
            check(&file, expected, waived);
        };
        let right = "# prober: allow W340 because the target answers at once";
        let line = format!("{right}\n");
        check("", "", "", &["W340"], 0);
        check("", "", right, &[], 1);
        check("", &line, "", &[], 1);
        check("", &format!("{line}# another comment\n\n"), "", &[], 1);
        check(&line, "", "", &[], 1);
        check(&format!("# About.\n{line}\n# More.\n"), "", "", &[], 1);
        // Too early and too late.
        check("", "", &format!("\n{right}"), &["W340", "W330"], 0);
        check("", "", "# prober: allow W340, W341 because it is so", &["W330"], 1);
        check("", "", "# prober: allow W341 because it is so", &["W340", "W330"], 0);
        check("", "", "# prober: allow W340", &["W332"], 1);
        check("", "", "# prober: allow W340 because …", &["W332"], 1);
        check("", "", "# prober: allow because it is so", &["W340", "W331"], 0);
        check("", "", "# prober: ignore W340 because it is so", &["W340", "W331"], 0);
        check("", "", "# prober: allow W999 because it is so", &["W340", "W331"], 0);
        check("", "", "# prober: allow E112 because it is so", &["W340", "W331"], 0);
        check("", "", "# prober: runs this at night", &["W340"], 0);
        check("", "owner: \"# prober: allow W340 because it is a text\"\n", "", &["W340"], 0);
    }

    #[test]
    fn errors_stay_and_leave_other_waivers_alone() {
        let file = "name: a\nevery: 1m\ntimeout: 90s # prober: allow E112 because we like it\nhttp: https://x.example\n";
        check(file, &["E112", "W331"], 0);
        let file = "name: a\nevery: 1m\ntimeout: 5 # prober: allow W340 because we like it\nhttp: https://x.example\n";
        check(file, &["E109"], 0);
    }
}
