//! HTTP statuses: what is one, and what was meant by what is none.

use super::phrase;
use crate::bind::Binder;
use crate::diagnostic::Diagnostic;
use crate::fields::KeyType;
use crate::matcher::StatusRange;
use crate::tree::{Node, Scalar};

impl Binder<'_, '_> {
    /// `200`, `2xx`, or a list of those.
    pub(super) fn statuses(&mut self, node: &Node) -> Option<(Box<[StatusRange]>, String)> {
        let items = node.list().unwrap_or(std::slice::from_ref(node));
        let mut ranges = Vec::with_capacity(items.len());
        let mut words = Vec::with_capacity(items.len());
        for item in items {
            let scalar = if item.scalar().is_some() {
                self.constant(item, &KeyType::Text, "status")?
            } else {
                return self.no_status(item, None);
            };
            match status(&scalar.text) {
                Some(range) => ranges.push(range),
                None => return self.no_status(item, Some(&scalar)),
            }
            words.push(scalar.text.to_string());
        }
        if ranges.is_empty() {
            return self.no_status(node, None);
        }
        Some((ranges.into(), phrase::list(&words)))
    }

    /// The mistake of a node, or of what its `${…}` stand for.
    fn no_status<T>(&mut self, node: &Node, filled: Option<&Scalar>) -> Option<T> {
        let found = filled.map_or_else(|| node.describe(), Scalar::describe);
        let message = format!("expected a whole number of 100–599, `2xx`, or a list of those, found {found}");
        let problem = Diagnostic::error("E307", node.span, message);
        let is_written = node.scalar().is_some_and(|scalar| !scalar.text.contains("${"));
        self.report.push(match filled.and_then(|scalar| meant(&scalar.text)) {
            Some(meant) if !is_written => problem.help(format!("let it stand for {meant}")),
            Some(meant) => problem.label(format!("did you mean `{meant}`?")),
            None => problem.help("write status: 200, status: 2xx or status: [200, 204]"),
        });
        None
    }
}

fn status(text: &str) -> Option<StatusRange> {
    if let Some(class) = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX")) {
        let class: u16 = class.parse().ok().filter(|class| (1..=5).contains(class))?;
        return Some(StatusRange { first: class * 100, last: class * 100 + 99 });
    }
    let status: u16 = text.parse().ok().filter(|status| (100..=599).contains(status))?;
    Some(StatusRange { first: status, last: status })
}

/// What was probably meant: `20O`, `200 OK`, `200-299`, `2**`, `>= 400`, `200, 204`.
fn meant(text: &str) -> Option<String> {
    let text = text.trim();
    let known = |text: &str| status(text.trim()).map(|_| text.trim().to_owned());
    let digits = text.replace(['O', 'o'], "0").replace(['l', 'I'], "1");
    known(&digits)
        .or_else(|| compared(text))
        .or_else(|| range(text))
        .or_else(|| class(text))
        .or_else(|| {
            let all: Option<Vec<_>> = text.split([',', '|']).map(known).collect();
            all.map(|all| format!("[{}]", all.join(", ")))
        })
        .or_else(|| known(text.split([' ', ';', '/']).next()?))
        .or_else(|| text.eq_ignore_ascii_case("ok").then(|| "200".to_owned()))
}

/// `>= 400`
fn compared(text: &str) -> Option<String> {
    let signs = [(">=", "gte"), ("<=", "lte"), (">", "gt"), ("<", "lt")];
    signs.into_iter().find_map(|(sign, operator)| {
        let limit = text.strip_prefix(sign)?.trim();
        let limit: u16 = limit.parse().ok().filter(|limit| (100..=599).contains(limit))?;
        Some(format!("{{ {operator}: {limit} }}"))
    })
}

/// `200-299`, `200..204`
fn range(text: &str) -> Option<String> {
    let (first, last) = text.split_once("..").or_else(|| text.split_once(['-', '–']))?;
    let number = |text: &str| text.trim_matches(['.', '=', ' ']).parse::<u16>().ok();
    let (first, last) = (number(first)?, number(last)?);
    if !(100..=599).contains(&first) || !(first..=599).contains(&last) {
        return None;
    }
    let whole = first % 100 == 0 && last == first + 99;
    Some(if whole { format!("{}xx", first / 100) } else { format!("{{ gte: {first}, lte: {last} }}") })
}

/// `2**`, `2x`, `2`
fn class(text: &str) -> Option<String> {
    let rest = text.get(1..)?;
    let is_rest = rest.len() <= 2 && !rest.bytes().any(|byte| byte.is_ascii_digit());
    let class = text.chars().next().filter(|first| ('1'..='5').contains(first) && is_rest)?;
    Some(format!("{class}xx"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant() {
        for (text, wanted) in [
            ("20O", "200"),
            ("2OO", "200"),
            ("4l8", "418"),
            ("200 OK", "200"),
            ("OK", "200"),
            ("200-299", "2xx"),
            ("200..=204", "{ gte: 200, lte: 204 }"),
            ("2**", "2xx"),
            ("2", "2xx"),
            ("2Xx", "2xx"),
            (">= 400", "{ gte: 400 }"),
            ("<500", "{ lt: 500 }"),
            ("200, 204", "[200, 204]"),
            ("200|3xx", "[200, 3xx]"),
        ] {
            assert_eq!(meant(text).as_deref(), Some(wanted), "{text}");
        }
        for text in ["", "fine", "6xx", "99", "2000", "299-200", "> 1000", "é", "é2", "-", "a,b"] {
            assert_eq!(meant(text), None, "{text}");
        }
    }
}
