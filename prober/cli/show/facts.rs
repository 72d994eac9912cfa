//! Facts that people ask for after a failure: the certificate, the answers, the captures.

use std::time::Duration;

use model::attribute::AttributeValue;
use model::event::SliEvent;
use model::step::StepRecord;
use model::time::Timestamp;

use super::fields::Fields;
use super::look::Tone;
use super::number;

/// A certificate that ends before this is worth a colour.
const SOON: Duration = Duration::from_hours(21 * 24);

/// Adds what the step that stands for the run showed.
pub(super) fn add(fields: &mut Fields, event: &SliEvent) {
    if let Some(age) = event.outcome.freshness_age {
        fields.add("age of the value", age_words(age));
    }
    let Some(step) = event.outcome.main_step() else { return };
    add_certificate(fields, step, event.finished.unwrap_or(event.recorded));
    add_answers(fields, step);
    for (name, value) in &step.captures {
        fields.add(format!("captured {name}"), value.as_str());
    }
}

/// The value as text; lists with commas.
pub(super) fn value(value: &AttributeValue) -> String {
    match value {
        AttributeValue::Bool(value) => value.to_string(),
        AttributeValue::Int(value) => value.to_string(),
        AttributeValue::Float(value) => value.to_string(),
        AttributeValue::Text(text) => text.to_string(),
        AttributeValue::List(texts) => texts.join(", "),
    }
}

fn add_certificate(fields: &mut Fields, step: &StepRecord, now: Timestamp) {
    let text = |key| step.attributes.text(key).unwrap_or_default();
    fields.add("certificate", text("tls.server.subject"));
    fields.add("issued by", text("tls.server.issuer"));
    if let Ok(end) = text("tls.server.not_after").parse::<Timestamp>() {
        let (tone, words) = expiry(end, now);
        fields.add_in(tone, "expires", words);
    }
    fields.add_in(Tone::Bad, "TLS error", text("prober.tls.error"));
    let defects = step.attributes.get("prober.tls.defects.detail");
    match defects.or_else(|| step.attributes.get("prober.tls.defects")) {
        Some(AttributeValue::List(defects)) => {
            for defect in defects {
                fields.add_in(Tone::Bad, "defect", defect.as_str());
            }
        }
        Some(defects) => fields.add_in(Tone::Bad, "defect", value(defects)),
        None => {}
    }
    fields.add("stapled answer", text("prober.tls.ocsp"));
    if let Some(accepted) = step.attributes.get("prober.tls.accepts") {
        fields.add("accepts", value(accepted));
    }
    let (version, cipher) = (text("tls.protocol.version"), text("tls.cipher"));
    if !version.is_empty() {
        fields.add("protocol", format!("TLS {version}  {cipher}").trim_end());
    }
}

fn expiry(end: Timestamp, now: Timestamp) -> (Tone, String) {
    let day = end.day();
    if end <= now {
        return (Tone::Bad, format!("expired {} ago ({day})", number::distance(now.since(end))));
    }
    let left = end.since(now);
    let tone = if left < SOON { Tone::Odd } else { Tone::Plain };
    (tone, format!("in {} ({day})", number::distance(left)))
}

fn add_answers(fields: &mut Fields, step: &StepRecord) {
    let text = |key| step.attributes.text(key).unwrap_or_default();
    fields.add("asked for", format!("{} {}", text("dns.question.name"), text("dns.question.type")).trim());
    fields.add("response code", text("dns.response_code"));
    match step.attributes.get("dns.answers") {
        Some(AttributeValue::List(answers)) if answers.is_empty() => fields.add("answers", "none"),
        Some(answers) => fields.add("answers", value(answers)),
        None => {}
    }
    if let Some(servers) = step.attributes.get("prober.dns.name_servers") {
        fields.add("name servers", value(servers));
    }
    fields.add("server's name", text("prober.dns.nsid"));
    if let Some(errors) = step.attributes.get("prober.dns.extended_errors") {
        fields.add_in(Tone::Bad, "server's errors", value(errors));
    }
    let (state, detail) = (text("prober.dns.dnssec"), text("prober.dns.dnssec.detail"));
    let tone = if state == "bogus" { Tone::Bad } else { Tone::Plain };
    fields.add_in(
        tone,
        "DNSSEC",
        if detail.is_empty() { state.to_owned() } else { format!("{state}: {detail}") },
    );
}

/// `2h 05m`, or `40.0 s in the future`.
fn age_words(seconds: f64) -> String {
    let distance = Duration::try_from_secs_f64(seconds.abs()).unwrap_or(Duration::MAX);
    let words = number::duration(distance);
    if seconds < 0.0 { format!("{words} in the future") } else { words }
}
