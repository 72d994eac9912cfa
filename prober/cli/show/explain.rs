//! Everything that is known about one run.

use model::event::{SliEvent, Trigger};
use model::step::StepState;

use super::fields::Fields;
use super::line::Line;
use super::look::{About, Look, Tone};
use super::number::duration;
use super::report::{show_aim, show_head, show_message, show_steps};
use super::waterfall::Detail;
use super::words::mark;
use super::{assertions, curl, difference, facts};

/// Everything about a run, and what was different in `last_good`, the last good run of the same stream.
pub(crate) fn explain_run(
    event: &SliEvent,
    last_good: Option<&SliEvent>,
    about: About<'_>,
    look: Look,
) -> String {
    let mut out = String::new();
    show_head(&mut out, event, "", look);
    show_aim(&mut out, about, look);
    show_identity(&mut out, event, about, look);
    show_steps(&mut out, event, Detail::All, look);
    show_message(&mut out, event, look);
    assertions::show_broken(&mut out, &event.outcome, look);
    assertions::show_held(&mut out, &event.outcome, look);
    show_facts(&mut out, event, look);
    difference::show(&mut out, event, last_good, look);
    show_attributes(&mut out, event, look);
    curl::show(&mut out, event, about, look);
    if !about.runbook.is_empty() {
        out.push('\n');
        let mut further = Fields::default();
        further.add_whole("runbook", about.runbook);
        further.show(&mut out, 2, look);
    }
    out
}

fn show_identity(out: &mut String, event: &SliEvent, about: About<'_>, look: Look) {
    let origin = &event.origin;
    let mut fields = Fields::default();
    if about.title != &*origin.stream.scenario {
        fields.add("title", about.title);
    }
    fields.add_whole("run", event.slot.id.to_string());
    fields.add("scheduled", event.slot.scheduled.jiff().to_string());
    if let (Some(started), Some(lag)) = (event.started, event.lag()) {
        fields.add("started", format!("{}  ({} late)", started.jiff(), duration(lag)));
        fields.add("took", duration(event.outcome.duration));
    }
    if let Some(maybe_sent) = event.outcome.maybe_sent {
        let sent = "perhaps: the run had begun, or was about to";
        fields.add("sent", if maybe_sent { sent } else { "no" });
    }
    if event.attempt > 0 {
        fields.add("attempt", event.attempt.to_string());
    }
    if event.trigger != Trigger::Schedule {
        fields.add("trigger", format!("{}  (never counted in an SLI)", event.trigger.as_str()));
    }
    let marks: Vec<_> = event.outcome.marks.iter().map(|&known| mark(known)).collect();
    fields.add("marks", marks.join(", "));
    fields.add("version", &*origin.version);
    fields.add("file", about.place);
    fields.add("kind", &*origin.kind);
    if origin.side_effects {
        fields.add("side effects", "yes, so no slot is run twice");
    }
    fields.add("owner", &*origin.owner);
    fields.add("service", &*origin.service);
    let labels: Vec<_> = origin.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    fields.add("labels", labels.join(", "));
    fields.add("objective", about.objective);
    fields.add("alerts", about.alerts);
    fields.add("prober", &*origin.prober);
    fields.show(out, 2, look);
}

fn show_facts(out: &mut String, event: &SliEvent, look: Look) {
    let mut fields = Fields::default();
    if let Some(failure) = &event.outcome.failure {
        fields.add("error type", format!("{}  (class {})", failure.error_type, failure.class));
    }
    facts::add(&mut fields, event);
    fields.show(out, 5, look);
}

/// The captures of the other steps, and every attribute, step by step.
fn show_attributes(out: &mut String, event: &SliEvent, look: Look) {
    for (index, step) in event.outcome.steps.iter().enumerate() {
        let mut fields = Fields::default();
        for (key, value) in step.attributes.iter() {
            fields.add(key, facts::value(value));
        }
        if event.outcome.main != Some(index) {
            for (name, value) in &step.captures {
                fields.add(format!("captured {name}"), value.as_str());
            }
        }
        if step.state == StepState::Skipped || (step.attributes.is_empty() && step.captures.is_empty()) {
            continue;
        }
        out.push('\n');
        let mut line = Line::new(look, 2);
        line.field(Tone::Strong, &step.name, look.columns() / 2).gap(1);
        if *step.name != *step.kind {
            line.tint(Tone::Dim, &format!("({})", step.kind));
        }
        line.end(out);
        fields.show(out, 5, look);
    }
}
