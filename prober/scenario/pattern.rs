//! Regular expressions as authors write them: compiled once, within limits, in linear time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use regex::{Regex, RegexBuilder, bytes};

use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// The largest compiled regular expression.
const BYTES_MAX: usize = 256 * 1024;
/// The deepest nesting of a regular expression.
const NEST_MAX: u32 = 50;

/// The most patterns that are kept: they come in groups, those of an instance one after another.
const KEPT_MAX: usize = 512;

/// Patterns already compiled: the steps, regions and instances of a scenario share a few.
#[derive(Debug, Default)]
pub(crate) struct Patterns(Mutex<HashMap<String, Known>>);

/// A compiled pattern, and whether it matches every text.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) regex: Regex,
    pub(crate) matches_all: bool,
}

impl Patterns {
    /// How many are known.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The pattern `text`, which stands at `span`; compiled only if it is not known.
    ///
    /// # Errors
    /// It is none, or too large.
    pub(crate) fn find(&self, text: &str, span: Span) -> Result<Known, Diagnostic> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(text) {
            return Ok(found.clone());
        }
        let regex = compile(text, span)?;
        // Two texts that have nothing in common but that the pattern matches nothing in them.
        let matches_all = regex.is_match("") && regex.is_match("\u{1}");
        let found = Known { regex, matches_all };
        if known.len() >= KEPT_MAX {
            known.clear();
        }
        known.insert(text.to_owned(), found.clone());
        Ok(found)
    }
}

/// The regular expression `text`, which stands at `span`.
///
/// # Errors
/// It is none, or too large.
pub fn compile(text: &str, span: Span) -> Result<Regex, Diagnostic> {
    let built = RegexBuilder::new(text).size_limit(BYTES_MAX).nest_limit(NEST_MAX).build();
    built.map_err(|error| wrong(span, &error))
}

/// The same for bytes of which not all need to be text.
///
/// # Errors
/// It is none, or too large.
pub fn compile_bytes(text: &str, span: Span) -> Result<bytes::Regex, Diagnostic> {
    let built = bytes::RegexBuilder::new(text).size_limit(BYTES_MAX).nest_limit(NEST_MAX).build();
    built.map_err(|error| wrong(span, &error))
}

fn wrong(span: Span, error: &regex::Error) -> Diagnostic {
    if let regex::Error::CompiledTooBig(_) = error {
        let problem = Diagnostic::error("E301", span, "this regular expression is too large");
        return problem.help("a repetition such as {1000} of a large class is usually the cause");
    }
    // The last line of the parser's text is the reason, the ones before draw the place.
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let unsupported = reason.contains("look-around") || reason.contains("backreferences");
    let problem = Diagnostic::error("E301", span, format!("this is not a regular expression: {reason}"));
    if unsupported {
        return problem.help("the engine takes linear time and so has no look-around and no backreferences");
    }
    problem.help(
        "a sign that is meant as itself has a `\\` before it, such as '\\(' or '\\['; single quotes keep it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_patterns_are_kept_than_fit() {
        let patterns = Patterns::default();
        for number in 0..2 * KEPT_MAX {
            let found = patterns.find(&format!("^{number}$"), Span::default()).unwrap();
            assert!(found.regex.is_match(&number.to_string()) && !found.matches_all);
            assert!(patterns.count() <= KEPT_MAX);
        }
        assert!(patterns.find("a*", Span::default()).unwrap().matches_all);
        assert!(patterns.find("(", Span::default()).is_err());
    }
}
