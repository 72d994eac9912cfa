//! The steps of a scenario file: where they stand, and of which kind they are.

use std::time::Duration;

use super::keys::{STEP_KEYS, STEP_PARTS};
use super::{STEPS_MAX, StepNode, repeat, step_elsewhere};
use crate::bind::{Binder, Elsewhere, Place};
use crate::diagnostic::{Diagnostic, Report};
use crate::fields::{Bound, Fields};
use crate::kind::Kind;
use crate::name;
use crate::project::first_key;
use crate::source::{Span, Spanned};
use crate::suggest::nearest;
use crate::tree::{Node, ScalarKind};

/// The longest that one of several steps may take.
#[derive(Copy, Clone)]
pub(super) struct Limit {
    pub(super) value: Duration,
    /// `the scenario's`, `the teardown's grace`.
    pub(super) whose: &'static str,
    /// The key that sets it.
    pub(super) key: &'static str,
}

impl Limit {
    /// The mistake of something that lasts longer.
    pub(super) fn exceeded(&self, what: &str, at: Span) -> Diagnostic {
        let shown = crate::units::show_duration(self.value);
        let message = format!("the {what} is longer than {}, which is {shown}", self.whose);
        Diagnostic::error("E112", at, message).help(format!(
            "write timeout: {} or less here, or a longer `{}` for the scenario",
            crate::units::spell_duration(self.value),
            self.key
        ))
    }
}

/// The steps of a scenario, and those that run in the end whatever came of them.
pub(super) struct Steps<'t, N: 'static> {
    pub(super) main: Vec<StepNode<'t, N>>,
    pub(super) teardown: Vec<StepNode<'t, N>>,
}

/// The steps: under `steps`, or the only one at the top of the file; and the teardown.
pub(super) fn read<'t, N>(
    root: &'t Node,
    (at, is_whole): (Span, bool),
    kinds: &'static [Kind<N>],
    (timeout, grace): (Duration, Duration),
    binder: &mut Binder<'_, '_>,
) -> Steps<'t, N> {
    let limit = Limit { value: timeout, whose: "the scenario's", key: "timeout" };
    let mut read = Vec::new();
    match root.get("steps") {
        Some(list) => {
            beside(root, kinds, binder.report);
            let help = "write steps:, and under it - http: https://shop.example/";
            listed((list, "steps", help), kinds, limit, &mut read, binder);
        }
        None => read.extend(one_step(root, (at, is_whole), kinds, limit, binder)),
    }
    let main = read.len();
    if let Some(list) = root.get("teardown") {
        let limit = Limit { value: grace, whose: "the teardown's grace", key: "grace" };
        let help = "write teardown:, and under it - http: DELETE https://shop.example/orders/1";
        listed((list, "teardown", help), kinds, limit, &mut read, binder);
    }
    let mut all = read.into_iter().map(|(step, _)| step);
    Steps { main: all.by_ref().take(main).collect(), teardown: all.collect() }
}

fn key_at(node: &Node, name: &str) -> Option<Span> {
    node.map()?.iter().find(|(key, _)| key.value == name).map(|(key, _)| key.span)
}

/// Keys of a step that stand beside the list of steps.
fn beside<N>(root: &Node, kinds: &'static [Kind<N>], report: &mut Report) {
    let names = kinds.iter().map(|kind| kind.name).chain(STEP_PARTS.iter().map(|part| part.name));
    for (name, span) in names.filter_map(|name| Some((name, key_at(root, name)?))) {
        let problem = Diagnostic::error("E115", span, format!("`{name}` stands beside `steps`"))
            .other(key_at(root, "steps").unwrap_or(span), "the steps are here");
        report.push(
            problem.help(format!("move `{name}` into a step, or leave out `steps` if there is only one")),
        );
    }
}

/// Adds the steps of a list to those that are `read`; names are unique over all of them.
fn listed<'t, N>(
    (list, key, help): (&'t Node, &str, &str),
    kinds: &'static [Kind<N>],
    limit: Limit,
    read: &mut Vec<(StepNode<'t, N>, Span)>,
    binder: &mut Binder<'_, '_>,
) {
    let items = match list.list() {
        Some(items) if !items.is_empty() => items,
        found => {
            let message = match found {
                Some(_) if key == "teardown" => "there is no step in `teardown`".to_owned(),
                Some(_) => "a scenario needs at least one step".to_owned(),
                None => format!("expected a list of steps, found {}", list.describe()),
            };
            binder.report.push(Diagnostic::error("E115", list.span, message).help(help));
            return;
        }
    };
    if items.len() > STEPS_MAX {
        let message = format!("{} steps, and {STEPS_MAX} are the most", items.len());
        let problem = Diagnostic::error("E117", items[STEPS_MAX].span, message);
        binder.report.push(problem.help("split the scenario"));
    }
    for item in items.iter().take(STEPS_MAX) {
        let Some((step, span)) = listed_step(item, kinds, limit, binder) else { continue };
        if let Some((_, first)) = read.iter().find(|(known, _)| known.name == step.name) {
            let problem = Diagnostic::error("E108", span, format!("two steps are named `{}`", step.name));
            binder.report.push(
                problem
                    .label("the second one")
                    .other(*first, "the first one")
                    .help("give each step a `name` of its own"),
            );
        }
        read.push((step, span));
    }
}

/// The step at the top of a scenario file.
fn one_step<'t, N>(
    root: &'t Node,
    (at, is_whole): (Span, bool),
    kinds: &'static [Kind<N>],
    limit: Limit,
    binder: &mut Binder<'_, '_>,
) -> Option<(StepNode<'t, N>, Span)> {
    let (poll, retry) = repeat::read(root, &limit, binder);
    if !is_whole && kinds.iter().all(|kind| root.get(kind.name).is_none()) {
        return None;
    }
    let found = the_kind(root, at, kinds, "a scenario", binder.report);
    let (kind, kind_at, body) = found?;
    let step = StepNode {
        name: kind.name.into(),
        kind,
        at: kind_at,
        body,
        timeout: retry.as_ref().and_then(|retry| retry.share(&limit)),
        needs: Vec::new(),
        poll,
        retry,
        expect: root.get("expect"),
        warn: root.get("warn"),
        capture: root.get("capture"),
        once: None,
    };
    Some((step, kind_at))
}

/// A step of a list, and the place of its name.
fn listed_step<'t, N>(
    item: &'t Node,
    kinds: &'static [Kind<N>],
    limit: Limit,
    binder: &mut Binder<'_, '_>,
) -> Option<(StepNode<'t, N>, Span)> {
    if item.map().is_none() {
        let message = format!("expected a step, a map of keys, found {}", item.describe());
        binder
            .report
            .push(Diagnostic::error("E103", item.span, message).help("write - http: https://shop.example/"));
        return None;
    }
    let at = first_key(item);
    let elsewhere = |typed: &str| match typed {
        "every" | "cron" | "timezone" | "owner" | "aim" | "regions" | "labels" | "sli" | "runbook"
        | "vars" | "teardown" | "grace" => {
            Some(Elsewhere::Hint(format!("`{typed}` belongs to the scenario, not to a step")))
        }
        _ => step_elsewhere(typed, kinds, item),
    };
    let other = STEP_PARTS.iter().map(|part| part.name).chain(kinds.iter().map(|kind| kind.name)).collect();
    let place = Place { words: "in a step".to_owned(), other, elsewhere: &elsewhere };
    let (mut fields, _) = binder.entries(item, at, STEP_KEYS, &place);
    let found = the_kind(item, at, kinds, "a step", binder.report);
    let name = fields.text("name");
    if let Some(Err(problem)) = name.as_ref().map(|name| name::public("step", &name.value, name.span)) {
        binder.report.push(problem);
    }
    let own = own_timeout(&mut fields, &limit, binder.report);
    let (poll, retry) = repeat::read(item, &limit, binder);
    let (kind, kind_at, body) = found?;
    let span = name.as_ref().map_or(kind_at, |name| name.span);
    let step = StepNode {
        name: name.map_or_else(|| kind.name.into(), |name| name.value.into()),
        kind,
        at: kind_at,
        body,
        timeout: own.or_else(|| retry.as_ref()?.share(&limit)),
        needs: needs(&mut fields),
        poll,
        retry,
        expect: item.get("expect"),
        warn: item.get("warn"),
        capture: item.get("capture"),
        once: None,
    };
    Some((step, span))
}

fn own_timeout(fields: &mut Fields, limit: &Limit, report: &mut Report) -> Option<Duration> {
    let own = fields.duration("timeout")?;
    if own.value.is_zero() {
        let problem = Diagnostic::error("E112", own.span, "a timeout of zero lets nothing finish");
        let most = crate::units::spell_duration(limit.value);
        report.push(problem.help(format!("write timeout: {most} or less")));
    } else if own.value > limit.value {
        report.push(limit.exceeded("step's timeout", own.span));
    }
    Some(own.value)
}

/// The names of the captures that the step needs.
fn needs(fields: &mut Fields) -> Vec<Spanned<String>> {
    let names = fields.list("needs").map(|names| names.value).unwrap_or_default();
    let text = |name: Spanned<Bound>| match name.value {
        Bound::Text(text) => Some(Spanned::new(text, name.span)),
        _ => None,
    };
    names.into_iter().filter_map(text).collect()
}

type Found<'t, N> = (&'static Kind<N>, Span, &'t Node);

/// The one kind of a step.
fn the_kind<'t, N>(
    node: &'t Node,
    at: Span,
    kinds: &'static [Kind<N>],
    what: &str,
    report: &mut Report,
) -> Option<Found<'t, N>> {
    let entries = node.map()?;
    let mut found = entries.iter().filter_map(|(key, body)| {
        let kind = kinds.iter().find(|kind| kind.name == key.value)?;
        Some((kind, key.span, body))
    });
    let names = || kinds.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
    let Some(first) = found.next() else {
        // A misspelt kind is already reported as an unknown key.
        let misspelt = |typed: &str| nearest(typed, kinds.iter().map(|kind| kind.name)).is_some();
        let reported = entries.iter().any(|(key, _)| misspelt(&key.value));
        if !reported {
            let problem = Diagnostic::error("E116", at, format!("{what} needs something to probe"));
            report.push(problem.help(format!("add one of {}, such as http: https://shop.example/", names())));
        }
        return None;
    };
    for (kind, span, _) in found {
        let problem =
            Diagnostic::error("E116", span, format!("`{}` and `{}` in one step", first.0.name, kind.name))
                .other(first.1, "the first kind is here");
        report.push(problem.help("a step is of one kind; put each into a step of its own under `steps`"));
    }
    let empty = first.2.scalar().is_some_and(|scalar| scalar.kind == ScalarKind::Null);
    if empty {
        let problem =
            Diagnostic::error("E101", first.1, format!("`{}` is empty: what is to be probed?", first.0.name));
        report.push(problem);
        return None;
    }
    Some(first)
}
