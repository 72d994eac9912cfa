//! Regular expressions as authors write them: compiled once, within limits, in linear time.

use regex::{Regex, RegexBuilder, bytes};

use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// The largest compiled regular expression.
const BYTES_MAX: usize = 256 * 1024;
/// The deepest nesting of a regular expression.
const NEST_MAX: u32 = 50;

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
