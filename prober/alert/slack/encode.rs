//! The body of a message (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).

use model::alert::Severity;
use serde_json::{Value, json};

use crate::notice::Notice;
use crate::text::{self, cut, line};

/// The longest text of a message's attachment, in characters.
const TEXT_MAX: usize = 3_000;
/// The longest value of a field, in characters.
const FIELD_MAX: usize = 300;

/// The message for the notice.
pub(super) fn body(notice: &Notice) -> Vec<u8> {
    let alert = &notice.alert;
    let color = match (alert.is_firing(), alert.id.severity) {
        (false, _) => "good",
        (true, Severity::Page) => "danger",
        (true, Severity::Ticket) => "warning",
    };
    let title = escape(&text::headline(notice));
    let mut attachment = json!({
        "color": color, "title": title, "fallback": title, "text": content(notice), "fields": fields(notice),
        "footer": "prober", "ts": alert.ends.unwrap_or(alert.starts).as_millis() / 1_000,
        "mrkdwn_in": ["text"],
    });
    if let Some(url) = text::link(alert, "dashboard_url") {
        attachment["title_link"] = json!(url);
    }
    json!({ "attachments": [attachment] }).to_string().into_bytes()
}

/// Description, what was not delivered, and links.
fn content(notice: &Notice) -> String {
    let alert = &notice.alert;
    let mut parts: Vec<String> = Vec::new();
    parts.extend(text::undelivered(notice).map(|why| format!("*{}*", escape(&why))));
    if alert.is_firing() {
        let description = text::description(alert);
        parts.extend((!description.is_empty()).then(|| escape(&cut(&description, TEXT_MAX - 1_000))));
    }
    let named = [("runbook_url", "Runbook"), ("dashboard_url", "Dashboard")];
    let links = named.into_iter().filter_map(|(name, shown)| {
        // A bar or a bracket would end the address.
        let url = text::link(alert, name)?.replace('|', "%7C").replace('>', "%3E").replace('<', "%3C");
        (url.len() < 400).then(|| format!("<{url}|{shown}>"))
    });
    let links = links.collect::<Vec<_>>().join(" \u{b7} ");
    parts.extend((!links.is_empty()).then_some(links));
    parts.join("\n")
}

fn fields(notice: &Notice) -> Vec<Value> {
    let id = &notice.alert.id;
    let region = id.region.as_deref().unwrap_or_default();
    let known =
        [("Objective", &*id.slo), ("Service", &*id.service), ("Owner", &*id.team), ("Region", region)];
    let field = |(title, value): (&str, &str)| json!({ "title": title, "value": escape(&cut(&line(value), FIELD_MAX)), "short": true });
    known.into_iter().filter(|(_, value)| !value.is_empty()).map(field).collect()
}

/// The three characters that Slack takes for markup, as it wants them; so no text can mention a channel or hide a link.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
