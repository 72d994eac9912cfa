//! The steps of a scenario file: where they stand, and of which kind they are.

use std::time::Duration;

use super::keys::{STEP_KEYS, STEP_PARTS};
use super::{STEPS_MAX, StepNode, step_elsewhere};
use crate::bind::{Binder, Elsewhere, Place};
use crate::diagnostic::{Diagnostic, Report};
use crate::kind::Kind;
use crate::name;
use crate::project::first_key;
use crate::source::Span;
use crate::suggest::nearest;
use crate::tree::{Node, ScalarKind};

/// The steps: under `steps`, or the only one at the top of the file.
pub(super) fn read<'t, N>(
    root: &'t Node,
    (at, is_whole): (Span, bool),
    kinds: &'static [Kind<N>],
    timeout: Duration,
    binder: &mut Binder<'_, '_>,
) -> Vec<StepNode<'t, N>> {
    let key_at = |name: &str| root.map()?.iter().find(|(key, _)| key.value == name).map(|(key, _)| key.span);
    let Some(list) = root.get("steps") else {
        return one_step(root, (at, is_whole), kinds, binder.report).into_iter().collect();
    };
    let beside = kinds.iter().map(|kind| kind.name).chain(STEP_PARTS);
    for (name, span) in beside.filter_map(|name| Some((name, key_at(name)?))) {
        let problem = Diagnostic::error("E115", span, format!("`{name}` stands beside `steps`"))
            .other(key_at("steps").unwrap_or(span), "the steps are here");
        binder.report.push(
            problem.help(format!("move `{name}` into a step, or leave out `steps` if there is only one")),
        );
    }
    let items = match list.list() {
        Some(items) if !items.is_empty() => items,
        found => {
            let message = match found {
                Some(_) => "a scenario needs at least one step".to_owned(),
                None => format!("expected a list of steps, found {}", list.describe()),
            };
            let problem = Diagnostic::error("E115", list.span, message);
            binder.report.push(problem.help("write steps:, and under it - http: https://shop.example/"));
            return Vec::new();
        }
    };
    if items.len() > STEPS_MAX {
        let message = format!("{} steps, and {STEPS_MAX} are the most", items.len());
        binder
            .report
            .push(Diagnostic::error("E117", items[STEPS_MAX].span, message).help("split the scenario"));
    }
    let mut read: Vec<(StepNode<'t, N>, Span)> = Vec::with_capacity(items.len());
    for item in items.iter().take(STEPS_MAX) {
        let Some((step, span)) = listed_step(item, kinds, timeout, binder) else { continue };
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
    read.into_iter().map(|(step, _)| step).collect()
}

/// The step at the top of a scenario file.
fn one_step<'t, N>(
    root: &'t Node,
    (at, is_whole): (Span, bool),
    kinds: &'static [Kind<N>],
    report: &mut Report,
) -> Option<StepNode<'t, N>> {
    if !is_whole && kinds.iter().all(|kind| root.get(kind.name).is_none()) {
        return None;
    }
    let (kind, kind_at, body) = the_kind(root, at, kinds, "a scenario", report)?;
    Some(StepNode {
        name: kind.name.into(),
        kind,
        at: kind_at,
        body,
        timeout: None,
        expect: root.get("expect"),
        warn: root.get("warn"),
        capture: root.get("capture"),
    })
}

/// A step of a list, and the place of its name.
fn listed_step<'t, N>(
    item: &'t Node,
    kinds: &'static [Kind<N>],
    timeout: Duration,
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
        | "vars" => Some(Elsewhere::Hint(format!("`{typed}` belongs to the scenario, not to a step"))),
        _ => step_elsewhere(typed, kinds, item),
    };
    let other = STEP_PARTS.into_iter().chain(kinds.iter().map(|kind| kind.name)).collect();
    let place = Place { words: "in a step".to_owned(), other, elsewhere: &elsewhere };
    let (mut fields, _) = binder.entries(item, at, STEP_KEYS, &place);
    let report = &mut *binder.report;
    let found = the_kind(item, at, kinds, "a step", report);
    let name = fields.text("name");
    if let Some(Err(problem)) = name.as_ref().map(|name| name::public("step", &name.value, name.span)) {
        report.push(problem);
    }
    let own = fields.duration("timeout");
    if let Some(own) = own.as_ref().filter(|own| own.value > timeout || own.value.is_zero()) {
        let shown = crate::units::show_duration(timeout);
        let message = if own.value.is_zero() {
            "a timeout of zero lets nothing finish".to_owned()
        } else {
            format!("the step's timeout is longer than the scenario's, which is {shown}")
        };
        let problem = Diagnostic::error("E112", own.span, message);
        report.push(problem.help(format!(
            "write timeout: {} or less here, or a longer one for the scenario",
            shown.replace(' ', "")
        )));
    }
    let (kind, kind_at, body) = found?;
    let span = name.as_ref().map_or(kind_at, |name| name.span);
    let step = StepNode {
        name: name.map_or_else(|| kind.name.into(), |name| name.value.into()),
        kind,
        at: kind_at,
        body,
        timeout: own.map(|own| own.value),
        expect: item.get("expect"),
        warn: item.get("warn"),
        capture: item.get("capture"),
    };
    Some((step, span))
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
