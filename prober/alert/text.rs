//! What an alert says to people: pure functions of the alert.

use std::time::Duration;

use model::alert::{Alert, Rule, Severity};

use crate::notice::Notice;

/// The longest summary, in characters: PagerDuty's limit.
pub(crate) const SUMMARY_MAX: usize = 1_024;

/// One sentence: the annotation `summary`, or what the rule alone says.
pub fn summary(alert: &Alert) -> String {
    let given = alert.annotations.get("summary").map(|text| line(text)).filter(|text| !text.is_empty());
    cut(&given.unwrap_or_else(|| plain(alert)), SUMMARY_MAX)
}

/// What is behind it: the annotation `description`; empty if there is none.
pub fn description(alert: &Alert) -> String {
    alert.annotations.get("description").map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// State, urgency and summary in one line: `PAGE: …`, `Resolved after 12 min: …`.
pub fn headline(notice: &Notice) -> String {
    let alert = &notice.alert;
    let state = match (alert.ends, alert.id.severity) {
        (Some(ends), _) => format!("Resolved after {}", span(ends.since(alert.starts))),
        (None, Severity::Page) => "PAGE".to_owned(),
        (None, Severity::Ticket) => "Ticket".to_owned(),
    };
    cut(&format!("{state}: {}", summary(alert)), SUMMARY_MAX)
}

/// Why this route is told of another one's failure; `None` if it is not.
pub(crate) fn undelivered(notice: &Notice) -> Option<String> {
    let missing = notice.undelivered.as_ref()?;
    let route = cut(&line(&missing.route), 100);
    let why = cut(&line(&missing.why), 300);
    Some(format!(
        "The route `{route}` did not take this page in time, so whoever it wakes may not know. {why}"
    ))
}

fn plain(alert: &Alert) -> String {
    let slo = &alert.id.slo;
    match (alert.id.rule, &alert.id.region) {
        (Rule::Outage, _) => format!("{slo} is down"),
        (Rule::BudgetBurn, _) => format!("{slo} burns its error budget too fast"),
        (Rule::RegionDown, Some(region)) => format!("{slo} is down in {region}"),
        (Rule::RegionDown, None) => format!("{slo} is down in one region"),
        (Rule::Blind, _) => format!("nobody knows whether {slo} works: no run counts"),
        (Rule::EligibilityLow, _) => format!("too few of the runs of {slo} count"),
    }
}

/// `45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`.
pub(crate) fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// The text on one line, control characters left out.
pub(crate) fn line(text: &str) -> String {
    let words = text.split(|char: char| char.is_whitespace() || char.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// At most `chars_max` characters, the last one an ellipsis if something is missing.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    kept + "\u{2026}"
}

/// The annotation `name` if it is a URL that people can follow.
pub(crate) fn link(alert: &Alert, name: &str) -> Option<String> {
    let found = url::Url::parse(alert.annotations.get(name)?.trim()).ok()?;
    matches!(found.scheme(), "http" | "https").then(|| found.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{notice, resolved};

    #[test]
    fn a_headline_says_state_urgency_and_what() {
        assert_eq!(headline(&notice()), "PAGE: Checkout is down in 2 of 2 regions");
        assert_eq!(headline(&resolved()), "Resolved after 5 min: Checkout is down in 2 of 2 regions");
        let mut ticket = notice();
        ticket.alert.id.severity = Severity::Ticket;
        ticket.alert.annotations.clear();
        assert_eq!(headline(&ticket), "Ticket: checkout is down");
        assert_eq!(description(&ticket.alert), "");
    }

    #[test]
    fn every_rule_says_something_by_itself() {
        let mut alert = notice().alert;
        alert.annotations.clear();
        for rule in Rule::ALL {
            alert.id.rule = rule;
            assert!(summary(&alert).contains("checkout"), "{rule:?}");
        }
        (alert.id.rule, alert.id.region) = (Rule::RegionDown, Some("eu".into()));
        assert_eq!(summary(&alert), "checkout is down in eu");
    }

    #[test]
    fn texts_are_one_line_and_bounded() {
        let mut one = notice();
        let long = format!("a\n\t\u{1b}[31mb {}", "\u{1f980}".repeat(5_000));
        one.alert.annotations.insert("summary".into(), long);
        let text = headline(&one);
        assert_eq!(text.chars().count(), SUMMARY_MAX);
        assert!(text.starts_with("PAGE: a [31mb \u{1f980}") && text.ends_with('\u{2026}'), "{text}");
    }

    #[test]
    fn spans_are_for_people() {
        for (seconds, shown) in [
            (0, "0 s"),
            (59, "59 s"),
            (720, "12 min"),
            (3_600, "1 h"),
            (11_100, "3 h 5 min"),
            (187_200, "2 d 4 h"),
            (172_800, "2 d"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), shown);
        }
    }

    #[test]
    fn only_web_addresses_are_links() {
        let mut alert = notice().alert;
        assert_eq!(link(&alert, "runbook_url").as_deref(), Some("https://wiki.example/checkout"));
        alert.annotations.insert("runbook_url".into(), "javascript:alert(1)".to_owned());
        assert_eq!((link(&alert, "runbook_url"), link(&alert, "nothing")), (None, None));
    }
}
