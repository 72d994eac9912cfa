//! `maintenance`: planned maintenance of a scenario or of the whole project, as its author wrote it.

use std::sync::Arc;
use std::time::Duration;

use croner::parser::CronParser;
use jiff::tz::TimeZone;
use model::maintenance::{Effect, Maintenance, When};
use model::time::Timestamp;

use crate::bind::{Binder, Place};
use crate::cadence::{CronCache, check_cron, check_zone};
use crate::diagnostic::{Diagnostic, Report};
use crate::fields::{Fields, Key, KeyType, Need};
use crate::source::Spanned;
use crate::tree::Node;
use crate::units::show_duration;

/// The most maintenances of a scenario, and of a project.
pub const MAINTENANCES_MAX: usize = 50;
/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 100;
/// A recurring one that is longer than this is worth a warning …
const RECURRING_LONG: Duration = Duration::from_hours(24);
/// … and one that is once.
const ONCE_LONG: Duration = Duration::from_hours(7 * 24);

/// The keys of one maintenance.
pub const MAINTENANCE_KEYS: &[Key] = &[
    Key {
        name: "name",
        value: KeyType::Text,
        need: Need::Required,
        doc: "What is done; in events as `prober.maintenance.id`.",
        example: "weekly database window",
    },
    Key {
        name: "effect",
        value: KeyType::Choice(&["ineligible", "pause", "mute"]),
        need: Need::Default("ineligible"),
        doc: "What happens to slots inside it: they run and do not count, they do not run, or they count and nobody is alerted.",
        example: "pause",
    },
    Key {
        name: "cron",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "When it begins, if it recurs: minute hour day month weekday.",
        example: "\"0 2 * * SUN\"",
    },
    Key {
        name: "duration",
        value: KeyType::Duration,
        need: Need::Optional,
        doc: "How long it is each time, if it recurs.",
        example: "1h",
    },
    Key {
        name: "timezone",
        value: KeyType::Text,
        need: Need::Default("UTC"),
        doc: "The zone that `cron` is read in.",
        example: "Europe/Berlin",
    },
    Key {
        name: "from",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "The begin, if it is once, with its offset.",
        example: "2026-03-01T22:00:00+01:00",
    },
    Key {
        name: "to",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "The end, if it is once, with its offset.",
        example: "2026-03-02T01:00:00+01:00",
    },
];

/// The key in a scenario or a project; one maintenance or a list.
pub const MAINTENANCE: Key = Key {
    name: "maintenance",
    value: KeyType::OneOrMany(&KeyType::Record(MAINTENANCE_KEYS)),
    need: Need::Optional,
    doc: "Planned maintenance: slots inside it do not count, are not run, or alert nobody.",
    example: "[{ name: weekly database window, cron: \"0 2 * * SUN\", timezone: Europe/Berlin, duration: 1h }]",
};

/// What is there beside the list: looked-at cron expressions, and the day for warnings.
pub(crate) struct Context<'a> {
    pub(crate) cron: &'a mut CronCache,
    pub(crate) now: Option<Timestamp>,
}

/// The maintenances under the key; what is wrong is left out and reported.
///
/// The binder has looked at them before, by the table; this second look keeps a mistake in one of them from
/// hiding those of others. What is found twice is reported once.
pub(crate) fn read(
    node: Option<&Node>,
    mut context: Context<'_>,
    binder: &mut Binder<'_, '_>,
) -> Vec<Arc<Maintenance>> {
    let Some(node) = node else { return Vec::new() };
    let items = node.list().unwrap_or(std::slice::from_ref(node));
    if items.len() > MAINTENANCES_MAX {
        let message = format!("{} maintenances, and {MAINTENANCES_MAX} are the most", items.len());
        binder.report.push(Diagnostic::error("E117", items[MAINTENANCES_MAX].span, message));
    }
    let mut seen: Vec<Spanned<String>> = Vec::new();
    let mut all = Vec::new();
    for item in items.iter().take(MAINTENANCES_MAX).filter(|item| item.map().is_some()) {
        let place = Place::under(MAINTENANCE.name);
        let (mut fields, _) = binder.entries(item, item.span, MAINTENANCE_KEYS, &place);
        let report = &mut *binder.report;
        let name = fields.text("name");
        if let Some(name) = &name {
            check_name(name, &seen, report);
        }
        let effect = match fields.choice("effect").map(|word| word.value) {
            Some("pause") => Effect::Pause,
            Some("mute") => Effect::Mute,
            _ => Effect::Ineligible,
        };
        let shown = name.as_ref().map_or("this maintenance", |name| name.value.trim());
        let when = when(&mut fields, (item, shown), &mut context, report);
        if let (Some(when), Some(name)) = (when, &name) {
            all.push(Arc::new(Maintenance { name: name.value.trim().into(), effect, when }));
        }
        seen.extend(name);
    }
    all
}

fn check_name(name: &Spanned<String>, seen: &[Spanned<String>], report: &mut Report) {
    let text = name.value.trim();
    if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        let message = format!("the name of a maintenance is one line of 1 to {NAME_BYTES_MAX} bytes");
        report.push(Diagnostic::error("E104", name.span, message));
    }
    if let Some(first) = seen.iter().find(|known| known.value.trim() == text) {
        let problem = Diagnostic::error("E108", name.span, format!("two maintenances are named `{text}`"));
        report.push(problem.label("the second one").other(first.span, "the first one"));
    }
}

fn when(
    fields: &mut Fields,
    (node, name): (&Node, &str),
    context: &mut Context<'_>,
    report: &mut Report,
) -> Option<When> {
    let (cron, duration, zone) = (fields.text("cron"), fields.duration("duration"), fields.text("timezone"));
    let (from, to) = (fields.text("from"), fields.text("to"));
    // What is there and wrong is already reported; that it is then missing is no second mistake.
    let place = |key: &str| node.get(key).map(|value| value.span);
    let recurs = place("cron").or(place("duration"));
    if let (Some(recurs), Some(once)) = (recurs, place("from").or(place("to"))) {
        let problem = Diagnostic::error("E158", once, "a maintenance recurs or is once, not both");
        report.push(
            problem
                .other(recurs, "here it recurs")
                .help("keep `cron` and `duration`, or `from` and `to`; two maintenances need two entries"),
        );
        return None;
    }
    let at = node.span;
    let broken = |key: &str, bound: bool| place(key).is_some() && !bound;
    if broken("cron", cron.is_some())
        || broken("duration", duration.is_some())
        || broken("from", from.is_some())
        || broken("to", to.is_some())
    {
        let wrong = cron.and_then(|cron| check_cron(&cron, context.cron).err());
        let times = [from, to].into_iter().flatten().filter_map(|time| instant("E158", &time).err());
        wrong.into_iter().chain(times).for_each(|problem| report.push(problem));
        return None;
    }
    match (cron, duration, from, to) {
        (Some(cron), Some(duration), ..) => recurring((&cron, &duration, zone), name, context, report),
        (.., Some(from), Some(to)) => {
            if let Some(zone) = zone {
                let problem = Diagnostic::error("E111", zone.span, "`timezone` belongs to `cron`");
                report.push(problem.help("`from` and `to` have their offset in them: leave it out"));
            }
            single((&from, &to), name, context.now, report)
        }
        (cron, _, from, to) => {
            let (message, help) = match (cron.is_some(), recurs.is_some(), from.is_some(), to.is_some()) {
                (true, ..) => ("this maintenance has no `duration`", "add duration: 1h"),
                (_, true, ..) => {
                    ("this maintenance has no `cron`", "add cron: \"0 2 * * SUN\", when it begins")
                }
                (_, _, true, _) => ("this maintenance has no end", "add to: 2026-03-02T01:00:00+01:00"),
                (_, _, _, true) => ("this maintenance has no begin", "add from: 2026-03-01T22:00:00+01:00"),
                _ => (
                    "this maintenance does not say when it is",
                    "add `cron` and `duration`, or `from` and `to`",
                ),
            };
            report.push(Diagnostic::error("E158", at, message).help(help));
            None
        }
    }
}

fn recurring(
    (cron, duration, zone): (&Spanned<String>, &Spanned<Duration>, Option<Spanned<String>>),
    name: &str,
    context: &mut Context<'_>,
    report: &mut Report,
) -> Option<When> {
    let timezone = match &zone {
        Some(zone) => check_zone(zone, true).map_err(|problem| report.push(problem)).ok(),
        None => Some("UTC".to_owned()),
    };
    check_cron(cron, context.cron).map_err(|problem| report.push(problem)).ok()?;
    crate::cron_doubts::doubts(cron, report);
    let timezone = timezone?;
    if duration.value.is_zero() {
        report.push(Diagnostic::error("E104", duration.span, "a maintenance of no time does nothing"));
        return None;
    }
    let expression = cron.value.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = show_duration(duration.value);
    if is_endless(&expression, &timezone, duration.value) {
        let message = format!("`{name}` begins again before it ends, so it never ends");
        let problem = Diagnostic::warning("W355", duration.span, message);
        report.push(
            problem.label("nothing counts any more").help("write a shorter duration, or remove the scenario"),
        );
    } else if duration.value > RECURRING_LONG {
        let message = format!("`{name}` takes {shown} each time");
        let problem = Diagnostic::warning("W355", duration.span, message);
        report.push(problem.help("slots inside a maintenance do not count: nobody sees an outage then"));
    }
    Some(When::Recurring { expression, timezone, duration: duration.value })
}

/// Whether every occurrence comes before the one before it is over.
pub(crate) fn is_endless(expression: &str, timezone: &str, duration: Duration) -> bool {
    /// Occurrences looked at; one gap is enough to say no.
    const LOOKED_AT: usize = 400;
    let (Ok(cron), Ok(zone)) = (CronParser::new().parse(expression), TimeZone::get(timezone)) else {
        return false;
    };
    let mut at = Timestamp::from_seconds(1_767_225_600).jiff().to_zoned(zone); // 2026-01-01
    for _ in 0..LOOKED_AT {
        let Ok(next) = cron.find_next_occurrence(&at, false) else { return false };
        let again = cron.find_next_occurrence(&next, false);
        let gap = again.map(|again| Timestamp::from(again.timestamp()).since(next.timestamp().into()));
        if gap.is_ok_and(|gap| gap > duration) {
            return false;
        }
        at = next;
    }
    true
}

fn single(
    (from, to): (&Spanned<String>, &Spanned<String>),
    name: &str,
    now: Option<Timestamp>,
    report: &mut Report,
) -> Option<When> {
    let begin = instant("E158", from).map_err(|problem| report.push(problem)).ok();
    let end = instant("E158", to).map_err(|problem| report.push(problem)).ok();
    let (begin, end) = (begin?, end?);
    if end <= begin {
        let problem = Diagnostic::error("E158", to.span, format!("`{name}` ends before it begins"));
        report.push(problem.other(from.span, "the begin"));
        return None;
    }
    if now.is_some_and(|now| end <= now) {
        let message = format!("`{name}` is over");
        report.push(
            Diagnostic::warning("W356", to.span, message).help("remove it; what it did stays in the events"),
        );
    } else if end.since(begin) > ONCE_LONG {
        let message = format!("`{name}` takes {}", show_duration(end.since(begin)));
        let problem = Diagnostic::warning("W355", to.span, message);
        report.push(problem.help("slots inside a maintenance do not count: nobody sees an outage then"));
    }
    Some(When::Once { from: begin, to: end })
}

/// An RFC 3339 time with its offset; anything else is a mistake of this code.
pub(crate) fn instant(code: &'static str, text: &Spanned<String>) -> Result<Timestamp, Diagnostic> {
    if let Ok(at) = text.value.trim().parse::<jiff::Timestamp>() {
        return Ok(at.into());
    }
    let shown = model::outcome::cut(text.value.clone(), 60);
    let civil = text.value.trim().parse::<jiff::civil::DateTime>();
    Err(match civil {
        Ok(at) => {
            let problem = Diagnostic::error(code, text.span, format!("`{shown}` has no offset"));
            problem.label("a time is an instant only with its offset from UTC").help(format!(
                "write {}Z, or with an offset such as +01:00",
                at.strftime("%Y-%m-%dT%H:%M:%S")
            ))
        }
        Err(_) => Diagnostic::error(code, text.span, format!("`{shown}` is not a time"))
            .help("write a time with its offset, such as 2026-03-01T22:00:00+01:00"),
    })
}
