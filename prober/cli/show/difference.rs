//! What was different in the last good run, the most telling first.
//!
//! Deliberately absent: what differs in every run, such as times that differ little.

use std::time::Duration;

use model::attribute::AttributeValue;
use model::event::SliEvent;
use model::outcome::Verdict;
use model::step::{Part, Phase, StepRecord, StepState};

use super::assertions::actual;
use super::facts::value;
use super::fields::Fields;
use super::line::{Line, paragraph};
use super::look::{Look, Tone};
use super::number::{distance, duration};

/// How many differences are shown.
const SHOWN_MAX: usize = 12;

/// A time is worth a line if it grew or shrank by this factor, …
const FACTOR_LEAST: f64 = 2.0;

/// … and by this much.
const CHANGE_LEAST: Duration = Duration::from_millis(20);

/// One thing that differs.
struct Difference {
    /// How telling it is; 0 is not shown.
    weight: u32,
    what: String,
    before: String,
    after: String,
    /// Said behind the values, such as the factor; may be empty.
    remark: String,
}

/// Appends how `event` differs from `last_good`; nothing if `event` is that run.
pub(super) fn show(out: &mut String, event: &SliEvent, last_good: Option<&SliEvent>, look: Look) {
    let Some(good) = last_good else {
        if event.verdict() == Verdict::Bad {
            out.push('\n');
            let mut line = Line::new(look, 2);
            line.tint(Tone::Dim, "no good run of this scenario is known to compare with");
            line.end(out);
        }
        return;
    };
    if good.slot.id == event.slot.id {
        return;
    }
    out.push('\n');
    paragraph(out, Line::new(look, 2), Tone::Strong, &heading(event, good));
    let mut line = Line::new(look, 5);
    line.tint(Tone::Dim, "run ").whole(&good.slot.id.to_string());
    line.end(out);
    let mut found = differences(event, good);
    found.sort_by_key(|one| std::cmp::Reverse(one.weight));
    let left = found.len().saturating_sub(SHOWN_MAX);
    let mut fields = Fields::default();
    for one in found.iter().take(SHOWN_MAX) {
        let remark = if one.remark.is_empty() { String::new() } else { format!("  ({})", one.remark) };
        fields.add(one.what.as_str(), format!("{} {} {}{remark}", one.before, look.arrow(), one.after));
    }
    if found.is_empty() {
        fields.add("nothing", "that was noted differs noticeably");
    } else if left > 0 {
        fields.add("and", format!("{left} more"));
    }
    fields.show(out, 5, look);
}

fn heading(event: &SliEvent, good: &SliEvent) -> String {
    let (now, then) = (event.slot.scheduled, good.slot.scheduled);
    let (away, side) = if then <= now { (now.since(then), "earlier") } else { (then.since(now), "later") };
    format!("same scenario, last good run {} {side}", distance(away))
}

fn differences(event: &SliEvent, good: &SliEvent) -> Vec<Difference> {
    let mut found = Vec::new();
    of_origin(&mut found, event, good);
    let several = event.outcome.steps.len() > 1;
    for step in &event.outcome.steps {
        let Some(before) = good.outcome.steps.iter().find(|before| before.name == step.name) else {
            continue;
        };
        if step.state == StepState::Skipped {
            continue;
        }
        let prefix = if several { format!("{}: ", step.name) } else { String::new() };
        of_attributes(&mut found, &prefix, before, step);
        of_times(&mut found, &prefix, before, step);
    }
    of_assertions(&mut found, event, good, several);
    found.retain(|one| one.weight > 0);
    found
}

/// An edited scenario or another prober explains the rest.
fn of_origin(found: &mut Vec<Difference>, event: &SliEvent, good: &SliEvent) {
    let pairs = [
        ("scenario version", &good.origin.version, &event.origin.version, "the file was edited"),
        ("prober", &good.origin.prober, &event.origin.prober, ""),
    ];
    for (what, before, after, remark) in pairs {
        if before != after {
            found.push(Difference {
                weight: 1_000,
                what: what.to_owned(),
                before: before.to_string(),
                after: after.to_string(),
                remark: remark.to_owned(),
            });
        }
    }
}

fn of_attributes(found: &mut Vec<Difference>, prefix: &str, before: &StepRecord, step: &StepRecord) {
    for (key, after) in step.attributes.iter() {
        let known = before.attributes.get(key);
        if known == Some(after) {
            continue;
        }
        found.push(Difference {
            weight: known.map_or(20, |known| weight_of(key, known, after)),
            what: format!("{prefix}{key}"),
            before: known.map_or_else(|| "none".to_owned(), value),
            after: value(after),
            remark: String::new(),
        });
    }
    // A step that broke off lacks most attributes; only the missing answer is worth a line.
    for key in ["http.response.status_code", "dns.response_code"] {
        if let (Some(known), None) = (before.attributes.get(key), step.attributes.get(key)) {
            let (before, after) = (value(known), "none".to_owned());
            found.push(Difference {
                weight: 300,
                what: format!("{prefix}{key}"),
                before,
                after,
                remark: String::new(),
            });
        }
    }
}

fn weight_of(key: &str, before: &AttributeValue, after: &AttributeValue) -> u32 {
    match key {
        "http.response.status_code" | "dns.response_code" => 300,
        "dns.answers" | "tls.server.hash.sha256" => 250,
        "network.peer.address" | "server.address" => 200,
        "tls.server.issuer" | "tls.protocol.version" | "network.protocol.version" => 150,
        "server.port" | "network.type" => 100,
        _ => match (number(before), number(after)) {
            (Some(before), Some(after)) if !is_far(before.abs(), after.abs()) => 0,
            (Some(_), Some(_)) => 100,
            _ => 50,
        },
    }
}

fn number(value: &AttributeValue) -> Option<f64> {
    match value {
        AttributeValue::Int(value) => Some(*value as f64),
        AttributeValue::Float(value) => Some(*value),
        _ => None,
    }
}

/// Whether one number is at least half as large again as the other.
fn is_far(one: f64, other: f64) -> bool {
    one.max(other) >= one.min(other) * 1.5
}

fn of_times(found: &mut Vec<Difference>, prefix: &str, before: &StepRecord, step: &StepRecord) {
    for phase in Phase::ALL {
        let Some(now) = step.timing(phase) else { continue };
        let then = before.timing(phase);
        found.extend(of_time(format!("{prefix}{}", phase.as_str()), then, now));
    }
    if step.hops.is_empty() && before.hops.is_empty() {
        found.extend(of_time(format!("{prefix}duration"), Some(before.duration), step.duration));
    }
}

fn of_time(what: String, then: Option<Duration>, now: Duration) -> Option<Difference> {
    if then.unwrap_or_default().abs_diff(now) < CHANGE_LEAST {
        return None;
    }
    let Some(then) = then else {
        let (before, after) = ("none".to_owned(), duration(now));
        return Some(Difference { weight: 120, what, before, after, remark: String::new() });
    };
    let (short, long) = (then.min(now).as_secs_f64().max(1e-4), then.max(now).as_secs_f64());
    let factor = long / short;
    if factor < FACTOR_LEAST {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1..=9")]
    let size = factor.log2().clamp(1.0, 9.0) as u32;
    let remark = match (now > then, factor >= 1_000.0) {
        (true, true) => "more than 1000 times as long".to_owned(),
        (true, false) => format!("{factor:.0} times as long"),
        (false, _) => "shorter".to_owned(),
    };
    let weight = if now > then { 100 + 30 * size } else { 30 };
    Some(Difference { weight, what, before: duration(then), after: duration(now), remark })
}

fn of_assertions(found: &mut Vec<Difference>, event: &SliEvent, good: &SliEvent, several: bool) {
    for record in &event.outcome.assertions {
        let known = good.outcome.assertions.iter().find(|known| {
            known.step == record.step
                && known.name == record.name
                && known.part == record.part
                && known.expected == record.expected
        });
        let Some(known) = known.filter(|known| known.actual != record.actual) else { continue };
        // Values that held both times may differ in each run; times do, and are told by phase.
        let weight = match (record.pass, record.part, &*record.name) {
            (false, Part::Expect | Part::Good, _) => 900,
            (false, ..) => 400,
            (true, _, "latency") => 0,
            (true, ..) => 10,
        };
        let step =
            if several && !record.step.is_empty() { format!("{}: ", record.step) } else { String::new() };
        let part =
            if record.part == Part::Expect { String::new() } else { format!("{} ", record.part.as_str()) };
        found.push(Difference {
            weight,
            what: format!("{step}{part}{}", record.name),
            before: actual(known).to_owned(),
            after: actual(record).to_owned(),
            remark: String::new(),
        });
    }
}
