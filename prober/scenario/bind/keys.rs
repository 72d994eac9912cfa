//! Keys that are not known where they stand: what was probably meant.

use super::foreign;
use crate::diagnostic::Diagnostic;
use crate::fields::Key;
use crate::source::{Span, Spanned};
use crate::suggest::nearest;

/// Where a map stands, for messages about its keys.
pub(crate) struct Place<'a> {
    /// "here", "here for an http step", "in prober.yaml".
    pub(crate) words: String,
    /// Keys that are valid here and read by what they hold, not by a table.
    pub(crate) other: Vec<&'a str>,
    /// Keys that are valid at another place, and that place.
    pub(crate) elsewhere: &'a dyn Fn(&str) -> Option<Elsewhere>,
}

/// The place where a key belongs.
pub(crate) enum Elsewhere {
    /// Under this key.
    Under(String),
    /// A sentence with what to write instead.
    Hint(String),
}

/// Keys of the language that this version does not have yet.
pub(crate) const LATER: [&str; 1] = ["cel"];

fn nowhere(_: &str) -> Option<Elsewhere> {
    None
}

impl Place<'static> {
    /// Under a key of a record.
    pub(crate) fn under(key: &str) -> Self {
        Self { words: format!("under `{key}`"), other: Vec::new(), elsewhere: &nowhere }
    }
}

impl Place<'_> {
    /// The mistake of a key that has no meaning here.
    pub(crate) fn unknown_key(&self, name: &Spanned<String>, keys: &[Key]) -> Diagnostic {
        let typed = name.value.as_str();
        if LATER.contains(&typed) {
            let message = format!("`{typed}` is not supported by this version yet");
            return Diagnostic::error("E106", name.span, message);
        }
        let shown = model::outcome::cut(typed.to_owned(), 60);
        let problem = Diagnostic::error("E102", name.span, format!("unknown key `{shown}`"));
        let known = || keys.iter().map(|key| key.name).chain(self.other.iter().copied());
        // A word that has its place elsewhere is no slip of one that has its place here.
        let place = (self.elsewhere)(typed).or_else(|| under(typed));
        let place = place.or_else(|| foreign::at(typed, &self.words).map(Elsewhere::Hint));
        // Nor is a word of another tool, unless a single slip makes it: `type` is not meant to be `tcp`.
        let is_slip =
            |near: &&str| foreign::hint(typed).is_none() || strsim::damerau_levenshtein(typed, near) < 2;
        let problem = match (place, nearest(typed, known()).filter(is_slip)) {
            (Some(Elsewhere::Under(place)), _) => problem.label(format!("`{shown}` belongs under `{place}`")),
            (Some(Elsewhere::Hint(hint)), _) => problem.label(hint),
            (None, Some(near)) => problem.label(format!("did you mean `{near}`?")),
            (None, None) => match foreign::hint(typed) {
                Some(hint) => problem.label(hint),
                None => problem,
            },
        };
        problem.help(self.allowed(keys))
    }

    /// A list of the keys that are known here.
    pub(crate) fn allowed(&self, keys: &[Key]) -> String {
        let names: Vec<_> = keys.iter().map(|key| key.name).chain(self.other.iter().copied()).collect();
        format!("keys allowed {}: {}", self.words, names.join(", "))
    }

    /// The mistake of a key that must be there.
    pub(crate) fn missing(&self, key: &Key, at: Span) -> Diagnostic {
        Diagnostic::error("E101", at, format!("the key `{}` is missing {}", key.name, self.words))
            .help(format!("add {}: {}", key.name, key.example))
    }
}

/// Keys and operators that have one place in the language, and that place.
#[rustfmt::skip]
const PLACES: &[(&str, &[&str])] = &[
    ("`{}` stands under `slo`: slo: { objective: 99.9%, window: 30d }", &["objective", "window"]),
    ("`{}` stands under `alerts`: alerts: { page: ROUTE, ticket: ROUTE }", &["page", "ticket"]),
    ("`{}` stands under `sli`: sli: { good: { latency: { lt: 300ms } } }", &["good", "ineligible", "retried"]),
    ("`{}` stands under `poll`", &["until", "stop_if"]),
    ("`{}` stands under `retry`: retry: { attempts: 2 }", &["backoff"]),
    ("`{}` is an operator and stands under what it looks at: latency: { {}: 300ms }", &["lt", "lte", "gt", "gte"]),
    ("`{}` is an operator and stands under what it looks at: body: { {}: … }",
        &["contains", "not_contains", "matches", "starts_with", "ends_with", "equals", "not", "in", "not_in", "exists"]),
    ("`{}` is an operator and stands under a time: modified: { {}: 24h }", &["newer_than", "older_than"]),
    ("`{}` stands under `maintenance`", &["effect"]),
];

/// Where in the language a word stands that has no meaning at this place.
fn under(typed: &str) -> Option<Elsewhere> {
    let (sentence, _) = PLACES.iter().find(|(_, words)| words.contains(&typed))?;
    Some(Elsewhere::Hint(sentence.replace("{}", typed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_another_tool_is_not_taken_for_a_slip_of_two_letters() {
        let elsewhere = |_: &str| None;
        let place = Place {
            words: "in a scenario".to_owned(),
            other: vec!["tcp", "http", "expect"],
            elsewhere: &elsewhere,
        };
        for (typed, label) in [
            ("type", "the kind of a step is a key itself"),
            ("tpc", "did you mean `tcp`?"),
            ("expects", "did you mean `expect`?"),
            ("statuscode", "expect: { status: [200, 204] }"),
        ] {
            let problem = place.unknown_key(&Spanned::new(typed.to_owned(), Span::default()), &[]);
            assert!(problem.label.contains(label), "{typed}: {}", problem.label);
        }
    }
}
