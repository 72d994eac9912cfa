//! A step's tree bound to its kind, for one region.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::step::Part;

use crate::assertion::Assertion;
use crate::bind::{Binder, Elsewhere, Place};
use crate::diagnostic::{Diagnostic, Report};
use crate::fields::{Bound, Fields, KeyType, Need};
use crate::file::StepNode;
use crate::kind::{Action, Kind, Shape, ShortForm};
use crate::operators::{Subjects, implied};
use crate::plan::StepPlan;
use crate::repeat::{PollPlan, RetryPlan};
use crate::showing;
use crate::source::{Span, Spanned};
use crate::tree::{Node, NodeValue, Scalar, ScalarKind, core_schema};
use crate::units::show_duration;

/// A kind's implied assertions, compiled once.
pub(crate) struct Implied(HashMap<&'static str, Vec<Assertion>>);

impl Implied {
    pub(crate) fn of<N>(kinds: &'static [Kind<N>]) -> Self {
        let compiled = |kind: &'static Kind<N>| {
            let each = kind.implied.iter().filter_map(|(subject, value)| implied(kind, subject, value));
            (kind.name, each.collect())
        };
        Self(kinds.iter().map(compiled).collect())
    }
}

/// Assertions by step and part, read once for all that they are the same for.
#[derive(Default)]
pub(crate) struct SharedAssertions {
    /// The same in all regions and instances.
    everywhere: HashMap<(usize, &'static str), Vec<Assertion>>,
    /// The same in all regions of this instance.
    instance: HashMap<(usize, &'static str), Vec<Assertion>>,
}

impl SharedAssertions {
    /// Forgets what belongs to the instance before.
    pub(crate) fn next_instance(&mut self) {
        self.instance.clear();
    }

    /// The assertions of a part; read again only if they looked at something regional, or at something that
    /// instances differ in.
    pub(crate) fn get(
        &mut self,
        at: (usize, Part),
        node: &Node,
        subjects: &Subjects,
        binder: &mut Binder<'_, '_>,
    ) -> Vec<Assertion> {
        let key = (at.0, at.1.as_str());
        if let Some(known) = self.everywhere.get(&key).or_else(|| self.instance.get(&key)) {
            return known.clone();
        }
        binder.names.watch();
        let read = binder.assertions(node, subjects, Some(at.1));
        if !binder.names.is_regional() {
            let place = if binder.names.is_instanced() { &mut self.instance } else { &mut self.everywhere };
            place.insert(key, read.clone());
        }
        read
    }
}

impl<N> StepNode<'_, N> {
    /// The step for the binder's region; `None` if its kind could not be compiled.
    pub(crate) fn bind(
        &self,
        index: usize,
        implied: &Implied,
        shared: &mut SharedAssertions,
        binder: &mut Binder<'_, '_>,
    ) -> Option<StepPlan<N>> {
        binder.names.enter(index, &self.name);
        let fields = self.fields(binder);
        crate::lint::step(self.kind.name, self.body, binder);
        let action = fields.and_then(|(fields, sound)| {
            // A mistake in one key does not hide what the kind has to say of the others.
            let action = (self.kind.compile)(fields, binder.report);
            action.filter(|_| sound)
        });
        let subjects = Subjects::of(self.kind);
        let mut part = |part: Part, node: Option<&Node>, binder: &mut Binder<'_, '_>| {
            node.map(|node| shared.get((index, part), node, &subjects, binder)).unwrap_or_default()
        };
        let mut expect = part(Part::Expect, self.expect, binder);
        let warn = part(Part::Warn, self.warn, binder);
        let silent = |assertion: &&Assertion| {
            let said = |name: &str| self.expect.is_some_and(|node| node.get(name).is_some());
            !said(assertion.subject())
        };
        let usual = implied.0.get(self.kind.name).map(Vec::as_slice).unwrap_or_default();
        let own = action.as_ref().map(|action| self.implied_by(&**action)).unwrap_or_default();
        let poll = self.poll.as_ref().map(|poll| PollPlan {
            every: poll.every,
            timeout: poll.timeout,
            until: part(Part::Until, Some(poll.until), binder).into(),
            stop_if: part(Part::StopIf, poll.stop_if, binder).into(),
        });
        if let Some(action) = &action {
            let mut parts = vec![(self.expect, &*expect), (self.warn, &*warn)];
            if let (Some(node), Some(poll)) = (&self.poll, &poll) {
                parts.extend([(Some(node.until), &*poll.until), (node.stop_if, &*poll.stop_if)]);
            }
            self.check_parts(&parts, &**action, binder);
        }
        let mut all: Vec<_> = usual.iter().chain(&own).filter(silent).cloned().collect();
        all.append(&mut expect);
        let captures = self.capture.map(|node| binder.captures(node, self.kind)).unwrap_or_default();
        let needs = self.needs.iter().filter_map(|need| {
            let found = binder.names.need(&need.value, need.span);
            binder.report_err(found)
        });
        let needs = needs.collect();
        let action = action?;
        self.fitting(&*action, binder.report);
        Some(StepPlan {
            name: Arc::clone(&self.name),
            kind: self.kind,
            action,
            timeout: self.timeout,
            needs,
            poll,
            retry: self.retry.as_ref().map(|retry| retry.plan.clone()),
            expect: all.into(),
            warn: warn.into(),
            captures: captures.into(),
        })
    }

    /// What this very action expects without being told.
    fn implied_by(&self, action: &dyn Action<N>) -> Vec<Assertion> {
        let said = |name: &str| self.expect.is_some_and(|node| node.get(name).is_some());
        let unsaid = action.implies().iter().filter(|(subject, _)| !said(subject));
        unsaid.filter_map(|(subject, value)| implied(self.kind, subject, value)).collect()
    }

    /// What is looked at must be something that this very step can show, and in the form that it shows it in.
    fn check_parts(
        &self,
        parts: &[(Option<&Node>, &[Assertion])],
        action: &dyn Action<N>,
        binder: &mut Binder<'_, '_>,
    ) {
        for (node, assertions) in parts {
            let Some(node) = node else { continue };
            showing::check(node, assertions, (self.kind, action), binder.report);
            binder.forms(node, self.kind, action);
        }
        for (_, taken) in self.capture.and_then(Node::map).unwrap_or_default() {
            showing::check(taken, &[], (self.kind, action), binder.report);
        }
    }

    /// Whether there is time for all that the step does before its limit.
    pub(crate) fn check_time(&self, plan: &StepPlan<N>, limit: Duration, report: &mut Report) {
        let limit = plan.timeout.unwrap_or(limit);
        let Some(takes) = plan.action.takes().filter(|takes| takes.least > limit) else { return };
        let (shown, most) = (show_duration(takes.least), show_duration(limit));
        let message = format!("{} {shown}, and the step ends after {most}", takes.what);
        let at = self.body.get(takes.key).map_or(self.at, |node| node.span);
        let help = format!("write a smaller `{}`, or a longer `timeout`", takes.key);
        report.push(Diagnostic::error("E112", at, message).help(help));
    }

    /// What only the compiled action can tell: is it wise to do it twice, and can its sources disagree?
    fn fitting(&self, action: &dyn Action<N>, report: &mut Report) {
        if let Some(once) = self.once.filter(|_| !action.is_repeatable()) {
            self.sent_once(once, report);
        } else if let Some(retry) = self.retry.as_ref().filter(|retry| retry.plan.attempts > 1)
            && !action.is_repeatable()
            && let Some(class) = retry.plan.on.iter().find(|class| RetryPlan::may_repeat_work(**class))
        {
            let message =
                format!("after a failure of class `{class}` the target may have done its work already");
            let problem = Diagnostic::warning("W306", retry.at, message).label("a retry would do it twice");
            report.push(
                problem.help("send an Idempotency-Key: ${run.id}, or retry only on: [dns, connect, tls]"),
            );
        }
        let agreeing = [self.expect, self.warn].into_iter().flatten().filter_map(|node| node.map());
        let agree = self.kind.subjects.iter().find(|subject| subject.shape == Shape::Agree);
        for (key, _) in
            agreeing.flatten().filter(|(key, _)| agree.is_some_and(|agree| agree.name == key.value))
        {
            if action.sources().is_none_or(|sources| sources < 2) {
                let message = "one source always agrees with itself";
                report.push(Diagnostic::error("E308", key.span, message).help("name at least two of them"));
            }
        }
    }

    /// What must not be done twice is not to be tried again once it may have been sent, and not to be polled.
    fn sent_once(&self, once: Span, report: &mut Report) {
        let retry = self.retry.as_ref().filter(|retry| retry.plan.attempts > 1);
        let class = retry.and_then(|retry| {
            let class = retry.plan.on.iter().find(|class| RetryPlan::may_repeat_work(**class));
            class.map(|class| (retry.at, class))
        });
        let problem = match class {
            Some((at, class)) => {
                let message = format!("after a failure of class `{class}` a retry may do the work twice");
                Diagnostic::error("E138", at, message)
                    .help("write on: [dns, connect, tls], or send an Idempotency-Key: ${run.id}")
            }
            None if self.poll.is_some() => {
                Diagnostic::error("E138", self.at, "each poll of this step does its work once more")
                    .help("do it in a step of its own, and poll what only reads")
            }
            None => return,
        };
        report.push(problem.other(once, "nothing may be done twice here"));
    }

    /// What is bound, and whether all of it is sound; `None` if something that must be there is not. What is there and
    /// wrong has been told, and does not hide what is wrong beside it.
    fn fields(&self, binder: &mut Binder<'_, '_>) -> Option<(Fields, bool)> {
        let kind = self.kind;
        match (&self.body.value, kind.short) {
            (NodeValue::Map(_), _) => {
                let elsewhere = |typed: &str| {
                    if ["expect", "warn", "capture", "timeout", "name", "every", "sli"].contains(&typed) {
                        return Some(Elsewhere::Hint(format!(
                            "`{typed}` stands beside `{}`, not under it",
                            kind.name
                        )));
                    }
                    let subject = typed == crate::assertion::LATENCY
                        || kind.subjects.iter().any(|known| known.name == typed);
                    subject.then(|| Elsewhere::Under("expect".to_owned()))
                };
                let place = Place { elsewhere: &elsewhere, ..Place::under(kind.name) };
                let (fields, sound) = binder.entries(self.body, self.at, kind.keys, &place);
                let needed = kind.keys.iter().filter(|key| key.need == Need::Required);
                let complete = needed.into_iter().all(|key| self.body.get(key.name).is_some());
                complete.then_some((fields, sound))
            }
            (NodeValue::Scalar(scalar), Some(short)) => {
                self.short_fields(scalar, short, binder).map(|fields| (fields, true))
            }
            _ => {
                let wanted = if kind.short.is_some() { "a text or a map of keys" } else { "a map of keys" };
                let message =
                    format!("expected {wanted} under `{}`, found {}", kind.name, self.body.describe());
                let place = Place::under(kind.name);
                binder
                    .report
                    .push(Diagnostic::error("E103", self.body.span, message).help(place.allowed(kind.keys)));
                None
            }
        }
    }

    /// `http: HEAD https://…`
    fn short_fields(&self, scalar: &Scalar, short: ShortForm, binder: &mut Binder<'_, '_>) -> Option<Fields> {
        let text = crate::bind::scalar(scalar, &KeyType::Text, self.kind.name, self.body.span);
        binder.report_err(text)?;
        let mut bound = Vec::new();
        let mut sound = true;
        for (name, range) in short(&scalar.text) {
            let Some(key) = self.kind.keys.iter().find(|key| key.name == name) else { continue };
            let Some(text) = scalar.text.get(range.clone()) else { continue };
            let kind = match key.value {
                KeyType::Int(..) | KeyType::Bool => core_schema(text),
                _ => ScalarKind::Quoted,
            };
            let piece =
                Scalar { text: text.into(), kind, verbatim: scalar.verbatim.and(Some(0)), is_block: false };
            let span = self.body.part(range.start, range.end);
            let node = Node { value: NodeValue::Scalar(piece), span };
            match binder.value(&node, &key.value, key.name) {
                Some(value) => bound.push((key.name, Spanned::<Bound>::new(value, span))),
                None => sound = false,
            }
        }
        for key in self.kind.keys.iter().filter(|key| key.need == Need::Required) {
            if sound && !bound.iter().any(|(name, _)| *name == key.name) {
                binder.report.push(Place::under(self.kind.name).missing(key, self.body.span));
                sound = false;
            }
        }
        sound.then(|| Fields::new(self.body.span, bound))
    }
}
