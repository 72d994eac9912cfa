//! `poll` and `retry` of a step.

use std::time::Duration;

use model::outcome::FailureClass;

use super::keys::{POLL_KEYS, RETRY_KEYS};
use super::steps::Limit;
use crate::bind::{Binder, Elsewhere, Place};
use crate::diagnostic::{Diagnostic, Report};
use crate::fields::{Bound, Fields, Key};
use crate::repeat::{
    ATTEMPTS_DEFAULT, BACKOFF_DEFAULT, POLL_EVERY_DEFAULT, POLL_EVERY_MIN, RETRY_ON_DEFAULT, RetryPlan,
};
use crate::source::{Span, Spanned};
use crate::tree::Node;
use crate::units::show_duration;

/// A `poll` with its assertions still as trees.
pub(crate) struct PollNode<'t> {
    pub(crate) every: Duration,
    pub(crate) timeout: Duration,
    pub(crate) until: &'t Node,
    pub(crate) stop_if: Option<&'t Node>,
}

/// A `retry`, and where it stands.
#[derive(Clone)]
pub(crate) struct RetryNode {
    pub(crate) plan: RetryPlan,
    /// The key `on`, or `retry` where that is left out.
    pub(crate) at: Span,
}

impl RetryNode {
    /// The limit of one attempt where the step has none: a share of the whole, so that an attempt which times
    /// out leaves time for the next one.
    pub(super) fn share(&self, limit: &Limit) -> Option<Duration> {
        let RetryPlan { attempts, on, .. } = &self.plan;
        (*attempts > 1 && on.contains(&FailureClass::Timeout)).then(|| limit.value / *attempts)
    }
}

/// What a step says of being repeated.
pub(super) fn read<'t>(
    step: &'t Node,
    limit: &Limit,
    binder: &mut Binder<'_, '_>,
) -> (Option<PollNode<'t>>, Option<RetryNode>) {
    let at = |name: &str| step.map()?.iter().find(|(key, _)| key.value == name).map(|(key, _)| key.span);
    if let (Some(poll), Some(retry)) = (at("poll"), at("retry")) {
        let problem = Diagnostic::error("E135", retry, "`retry` stands beside `poll`")
            .other(poll, "the poll asks again anyway");
        binder.report.push(problem.help("leave one of them out"));
    }
    let poll = step.get("poll").and_then(|node| poll(node, limit, binder));
    let retry =
        step.get("retry").and_then(|node| retry(node, at("retry").unwrap_or(node.span), limit, binder));
    (poll, retry)
}

/// The keys of a table.
fn fields(
    node: &Node,
    keys: &'static [Key],
    place: &Place<'_>,
    binder: &mut Binder<'_, '_>,
) -> Option<Fields> {
    let (fields, _) = binder.entries(node, node.span, keys, place);
    node.map().is_some().then_some(fields)
}

fn poll<'t>(node: &'t Node, limit: &Limit, binder: &mut Binder<'_, '_>) -> Option<PollNode<'t>> {
    let elsewhere = |typed: &str| match typed {
        "expect" | "warn" | "capture" | "retry" | "name" | "needs" => {
            Some(Elsewhere::Hint(format!("`{typed}` stands beside `poll`, not under it")))
        }
        "interval" | "delay" | "sleep" | "wait" => {
            Some(Elsewhere::Hint("the distance is `every`".to_owned()))
        }
        _ => None,
    };
    let place = Place { elsewhere: &elsewhere, ..Place::under("poll") };
    let mut fields = fields(node, POLL_KEYS, &place, binder)?;
    let every = fields.duration("every");
    let timeout = fields.duration("timeout");
    if let Some(every) = every.as_ref().filter(|every| every.value < POLL_EVERY_MIN) {
        let least = show_duration(POLL_EVERY_MIN);
        let message = format!("a poll every {} is a load test", show_duration(every.value));
        binder
            .report
            .push(Diagnostic::error("E104", every.span, message).help(format!("{least} is the least")));
    }
    if let Some(timeout) = timeout.as_ref().filter(|timeout| timeout.value > limit.value) {
        binder.report.push(limit.exceeded("poll's timeout", timeout.span));
    }
    let (at, every) = every.map_or((None, POLL_EVERY_DEFAULT), |every| (Some(every.span), every.value));
    let timeout = timeout.map_or(limit.value, |timeout| timeout.value);
    if every >= timeout {
        let message = format!("after {} there is no time for a second poll", show_duration(every));
        let problem = Diagnostic::error("E104", at.unwrap_or(node.span), message);
        binder.report.push(problem.help(format!("the poll ends after {}", show_duration(timeout))));
    }
    let Some(until) = node.get("until") else {
        let problem = Diagnostic::error("E101", node.span, "the key `until` is missing under `poll`");
        binder.report.push(problem.help("add until: { json: { $.status: done } }"));
        return None;
    };
    Some(PollNode { every, timeout, until, stop_if: node.get("stop_if") })
}

fn retry(node: &Node, at: Span, limit: &Limit, binder: &mut Binder<'_, '_>) -> Option<RetryNode> {
    let elsewhere = |typed: &str| match typed {
        "count" | "times" | "max" | "retries" | "max_attempts" => {
            Some(Elsewhere::Hint("the number is `attempts`, the first one included".to_owned()))
        }
        "delay" | "interval" | "wait" | "every" => Some(Elsewhere::Hint("the pause is `backoff`".to_owned())),
        "timeout" => Some(Elsewhere::Hint("the limit of one attempt is the step's `timeout`".to_owned())),
        _ => None,
    };
    let place = Place { elsewhere: &elsewhere, ..Place::under("retry") };
    let mut fields = fields(node, RETRY_KEYS, &place, binder)?;
    let attempts = fields.int("attempts").and_then(|given| u32::try_from(given.value).ok());
    let on = fields.list("on");
    let at = on.as_ref().and_then(|words| words.value.first()).map_or(at, |first| first.span);
    let classes = on.map_or(RETRY_ON_DEFAULT.to_vec(), |words| {
        let class = |word: &'static str| FailureClass::ALL.into_iter().find(|class| class.as_str() == word);
        let word = |bound: Bound| match bound {
            Bound::Choice(word) => class(word),
            _ => None,
        };
        words.value.into_iter().filter_map(|found| word(found.value)).collect()
    });
    let backoff = fields.duration("backoff");
    let attempts = attempts.unwrap_or(ATTEMPTS_DEFAULT);
    if let Some(given) = &backoff {
        time_for_all(given, attempts, limit, binder.report);
    }
    let backoff = backoff.map_or(BACKOFF_DEFAULT, |given| given.value);
    let plan = RetryPlan { attempts, on: classes.into(), backoff };
    Some(RetryNode { plan, at })
}

/// The pauses between all attempts must be shorter than what they share.
fn time_for_all(backoff: &Spanned<Duration>, attempts: u32, limit: &Limit, report: &mut Report) {
    let pauses = backoff.value.saturating_mul(attempts.saturating_sub(1));
    if pauses < limit.value || attempts < 2 {
        return;
    }
    let (pauses, most) = (show_duration(pauses), show_duration(limit.value));
    let message = format!("after pauses of {pauses} there is no time for {attempts} attempts");
    let problem = Diagnostic::error("E104", backoff.span, message);
    let help = format!("{} `{}` is {most}: write a shorter `backoff`", limit.whose, limit.key);
    report.push(problem.help(help));
}
