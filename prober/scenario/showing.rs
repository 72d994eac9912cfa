//! What a step can show at all, held against what is expected of it: a body that nobody reads, more redirects than are
//! followed. Decided in the file, so that no run is needed to find it out.

use crate::assertion::Assertion;
use crate::diagnostic::{Diagnostic, Report};
use crate::history::{Before, Look};
use crate::kind::{Action, Kind};
use crate::matcher::Matcher;
use crate::operators::is_out_of_reach;
use crate::source::Span;
use crate::tree::Node;
use crate::value::Value;
use model::time::Timestamp;

/// What a run of one step can show of a subject.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Shows {
    /// Whatever the subject can be.
    Anything,
    /// Nothing; and what to type so that it does.
    Nothing(&'static str),
    /// A number up to this one; and what to type for more.
    AtMost(u64, &'static str),
    /// One of these words; and what to type for others.
    OneOf(&'static [&'static str], &'static str),
    /// Whatever it can be where another subject is this, and nothing elsewhere.
    Where(&'static str, bool),
}

/// Reports what is looked at in one part of a step, such as its `expect`, and can never be shown as it must be.
pub(crate) fn check<N>(
    part: &Node,
    assertions: &[Assertion],
    (kind, action): (&Kind<N>, &dyn Action<N>),
    report: &mut Report,
) {
    let known = |name: &str| kind.subjects.iter().find(|subject| subject.name == name);
    for (key, _) in part.map().unwrap_or_default() {
        let Some(subject) = known(&key.value) else { continue };
        let shows = action.shows(subject.name);
        let own: Vec<_> = assertions.iter().filter(|one| one.subject() == subject.name).collect();
        let problem = match shows {
            Shows::Anything => None,
            Shows::Nothing(help) => {
                let message = format!("this {} step can never show `{}`", kind.name, key.value);
                let problem = Diagnostic::error("E311", key.span, message);
                Some(problem.label(action.target()).help(help))
            }
            Shows::AtMost(most, help) => {
                let beyond = own.iter().any(|one| is_out_of_reach(one.matchers(), most));
                let message = format!("`{}` is never more than {most} here", key.value);
                beyond.then(|| Diagnostic::error("E310", key.span, message).help(help))
            }
            Shows::OneOf(words, help) => {
                let fits = |one: &&&Assertion| {
                    words.iter().any(|word| holds(one.matchers(), &Value::Text((*word).into())))
                };
                let message = format!("`{}` is never anything but {} here", key.value, words.join(" or "));
                let wrong = own.iter().find(|one| !fits(one));
                wrong.map(|_| Diagnostic::error("E310", key.span, message).help(help))
            }
            Shows::Where(other, wanted) => {
                absent((key.value.as_str(), key.span), &own, assertions, (other, wanted)).map(|problem| {
                    let at = part.map().into_iter().flatten().find(|(key, _)| key.value == other);
                    problem.other(
                        at.map_or(key.span, |(key, _)| key.span),
                        "here it is expected to be otherwise",
                    )
                })
            }
        };
        report.extend(problem);
    }
}

/// The mistake of expecting something of a subject that is not there where another one is as expected.
fn absent(
    (name, at): (&str, Span),
    own: &[&Assertion],
    all: &[Assertion],
    (other, wanted): (&str, bool),
) -> Option<Diagnostic> {
    let may_be_absent =
        |one: &&Assertion| one.matchers().iter().any(|matcher| matches!(matcher, Matcher::Exists(false)));
    let is_excluded =
        all.iter().any(|one| one.subject() == other && !holds(one.matchers(), &Value::Bool(wanted)));
    if !is_excluded || own.iter().all(may_be_absent) {
        return None;
    }
    let message = format!("there is a `{name}` only where `{other}` is {wanted}");
    Some(
        Diagnostic::error("E310", at, message)
            .help(format!("leave out `{name}`, or write {other}: {wanted}")),
    )
}

fn holds(matchers: &[Matcher], value: &Value<'_>) -> bool {
    Matcher::all(matchers, value, Look { now: Timestamp::from_nanos(0), before: Before::Unkept }).pass
}
