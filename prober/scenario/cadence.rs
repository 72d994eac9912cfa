//! `every` and `cron`: how often a scenario is due.

use std::collections::HashMap;
use std::time::Duration;

use croner::Cron;
use croner::parser::CronParser;
use jiff::tz::TimeZone;
use model::slot::Cadence;
use model::time::Timestamp;

use crate::cron_doubts::{doubts, oversized};
use crate::diagnostic::{Diagnostic, Report};
use crate::source::{Span, Spanned};
use crate::suggest::nearest;

/// The shortest interval.
pub const EVERY_MIN: Duration = Duration::from_secs(1);
/// The longest interval.
pub const EVERY_MAX: Duration = Duration::from_hours(366 * 24);

const FIELDS: [(&str, &str); 5] = [
    ("a minute", "minutes go from 0 to 59"),
    ("an hour", "hours go from 0 to 23"),
    ("a day", "days of the month go from 1 to 31"),
    ("a month", "months go from 1 to 12, or JAN to DEC"),
    ("a weekday", "weekdays go from 0 (Sunday) to 6, or SUN to SAT"),
];

/// Cron expressions already looked at: thousands of scenarios share a few.
#[derive(Default)]
pub(crate) struct CronCache(HashMap<String, Result<Duration, CronFault>>);

/// What a scenario says about its schedule.
pub(crate) struct Given {
    pub(crate) every: Option<Spanned<Duration>>,
    pub(crate) cron: Option<Spanned<String>>,
    pub(crate) timezone: Option<Spanned<String>>,
    /// From the project's defaults.
    pub(crate) fallback: Option<Duration>,
    /// Where a missing schedule is reported.
    pub(crate) at: Span,
}

/// A cadence and the shortest distance between two starts.
pub(crate) struct Due {
    pub(crate) cadence: Cadence,
    pub(crate) interval: Duration,
}

/// What is wrong with a cron expression; places are counted in its bytes.
#[derive(Clone, Debug)]
enum CronFault {
    Fields(usize),
    Nickname,
    Field {
        index: usize,
        from: usize,
        to: usize,
    },
    /// A step that is larger than its field, with what helps.
    Step {
        from: usize,
        to: usize,
        help: String,
    },
    Whole,
    Never,
}

/// The mistake of a scenario that says twice when it is due.
pub(crate) fn exclusive(every: Span, cron: Span) -> Diagnostic {
    let problem = Diagnostic::error("E111", cron, "`every` and `cron` exclude each other");
    problem.other(every, "`every` is here").help("keep one of them")
}

/// The cadence; `None` after a mistake.
pub(crate) fn read(given: &Given, cache: &mut CronCache, report: &mut Report) -> Option<Due> {
    let zone = match &given.timezone {
        Some(zone) => check_zone(zone, given.cron.is_some()).map_err(|problem| report.push(problem)).ok(),
        None => Some("UTC".to_owned()),
    };
    match (&given.every, &given.cron) {
        (Some(every), Some(cron)) => {
            report.push(exclusive(every.span, cron.span));
            // Both are read all the same: no mistake hides another.
            let wrong = [check_every(every).err(), check_cron(cron, cache).err()];
            wrong.into_iter().flatten().for_each(|problem| report.push(problem));
            None
        }
        (Some(every), None) => {
            let due = check_every(every).map_err(|problem| report.push(problem)).ok()?;
            zone.map(|_| due)
        }
        (None, Some(cron)) => {
            let interval = check_cron(cron, cache).map_err(|problem| report.push(problem)).ok()?;
            doubts(cron, report);
            let expression = cron.value.split_whitespace().collect::<Vec<_>>().join(" ");
            Some(Due { cadence: Cadence::Cron { expression, timezone: zone? }, interval })
        }
        (None, None) => {
            if let Some(interval) = given.fallback {
                Some(every(interval))
            } else {
                let problem =
                    Diagnostic::error("E101", given.at, "the key `every` is missing: when is it due?");
                report.push(problem.help("add every: 1m, or cron: \"0 6 * * *\""));
                None
            }
        }
    }
}

fn every(interval: Duration) -> Due {
    let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
    Due { cadence: Cadence::Every { interval_ms }, interval }
}

/// The interval, inside its bounds and a whole number of milliseconds.
pub(crate) fn check_every(given: &Spanned<Duration>) -> Result<Due, Diagnostic> {
    if given.value < EVERY_MIN {
        let problem = Diagnostic::error("E104", given.span, "a scenario is run at most once a second");
        return Err(problem.help("write every: 1s, or longer"));
    }
    if given.value > EVERY_MAX {
        return Err(Diagnostic::error("E104", given.span, "a scenario is run at least once a year"));
    }
    Ok(every(Duration::from_millis(u64::try_from(given.value.as_millis()).unwrap_or(u64::MAX))))
}

pub(crate) fn check_zone(zone: &Spanned<String>, has_cron: bool) -> Result<String, Diagnostic> {
    if !has_cron {
        let problem = Diagnostic::error("E111", zone.span, "`timezone` belongs to `cron`, and there is none");
        return Err(problem.help("leave it out: `every` is the same in all zones"));
    }
    check_zone_name(zone)
}

/// The IANA name of a zone as the database spells it.
pub(crate) fn check_zone_name(zone: &Spanned<String>) -> Result<String, Diagnostic> {
    let name = zone.value.as_str();
    if let Ok(found) = TimeZone::get(name) {
        return Ok(found.iana_name().unwrap_or(name).to_owned());
    }
    let shown = model::outcome::cut(name.to_owned(), 60);
    let problem = Diagnostic::error("E113", zone.span, format!("`{shown}` is not a time zone"));
    if let Some(help) = offset_help(name) {
        return Err(problem.help(help));
    }
    let known: Vec<String> = jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
    let city = name.rsplit('/').next().unwrap_or(name).replace(' ', "_");
    let same_city = known
        .iter()
        .find(|known| known.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(&city)));
    Err(match same_city.map(String::as_str).or_else(|| nearest(name, known.iter().map(String::as_str))) {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None => problem.help("write an IANA name such as Europe/Berlin or UTC"),
    })
}

/// What to write in place of an offset such as `UTC+2`, `GMT-05:00` or `+2`; `None` if it is none.
///
/// The nearest name would be hours away from it: `UTC`, or `Etc/GMT+2`, which is two hours behind.
fn offset_help(name: &str) -> Option<String> {
    let bare = name.strip_prefix("Etc/").unwrap_or(name);
    let offset = ["UTC", "GMT"].iter().find_map(|zero| bare.strip_prefix(zero)).unwrap_or(bare).trim();
    let (hours, minutes) = offset.split_once(':').unwrap_or((offset, "00"));
    let (sign, digits) = hours.split_at_checked(1)?;
    let opposite = match sign {
        "+" => '-',
        "-" => '+',
        _ => return None,
    };
    let hours: u8 = digits.parse().ok()?;
    let fixed = format!("Etc/GMT{opposite}{hours}");
    let place = "a place, such as Europe/Berlin, follows its changes of the clock";
    Some(match TimeZone::get(&fixed) {
        Ok(_) if minutes == "00" => {
            format!("write {fixed}, whose sign is the other way round and which never changes; {place}")
        }
        _ => format!("an offset is not a zone: {place}"),
    })
}

/// The shortest distance between two starts of the expression.
pub(crate) fn check_cron(cron: &Spanned<String>, cache: &mut CronCache) -> Result<Duration, Diagnostic> {
    let text = cron.value.as_str();
    let known = if let Some(known) = cache.0.get(text) {
        known.clone()
    } else {
        let found = look_at(text);
        cache.0.insert(text.to_owned(), found.clone());
        found
    };
    known.map_err(|fault| explain(cron, &fault))
}

fn explain(cron: &Spanned<String>, fault: &CronFault) -> Diagnostic {
    let text = cron.value.as_str();
    let problem = |message: &str| Diagnostic::error("E118", cron.span, message.to_owned());
    match fault {
        CronFault::Fields(count) => problem("this is not a cron expression")
            .label(format!("it has {count} fields, and five are needed"))
            .help("minute hour day month weekday, such as \"*/5 6-20 * * MON-FRI\""),
        CronFault::Nickname => {
            let help = match text.trim().to_ascii_lowercase().as_str() {
                "@hourly" => "write cron: \"0 * * * *\"".to_owned(),
                "@daily" | "@midnight" => "write cron: \"0 0 * * *\"".to_owned(),
                "@weekly" => "write cron: \"0 0 * * SUN\"".to_owned(),
                "@monthly" => "write cron: \"0 0 1 * *\"".to_owned(),
                "@yearly" | "@annually" => "write cron: \"0 0 1 1 *\"".to_owned(),
                other => match other.strip_prefix("@every ") {
                    Some(interval) => format!("write every: {}", interval.trim()),
                    None => "minute hour day month weekday, such as \"*/5 6-20 * * MON-FRI\"".to_owned(),
                },
            };
            problem("names that start with `@` are not used here").help(help)
        }
        CronFault::Field { index, from, to } => {
            let (name, range) = FIELDS[*index];
            let shown = model::outcome::cut(text[*from..*to].to_owned(), 60);
            let message = format!("`{shown}` is not {name} of a cron expression");
            Diagnostic::error("E118", part(cron, *from, *to), message).help(range)
        }
        CronFault::Step { from, to, help } => {
            let shown = model::outcome::cut(text[*from..*to].to_owned(), 60);
            let message = format!("the step of `{shown}` is larger than its field");
            Diagnostic::error("E118", part(cron, *from, *to), message).help(help.clone())
        }
        CronFault::Whole => problem("this is not a cron expression")
            .help("minute hour day month weekday, such as \"*/5 6-20 * * MON-FRI\""),
        CronFault::Never => Diagnostic::error("E119", cron.span, "this cron expression never comes true")
            .help("there is no such day in such a month within eight years"),
    }
}

/// The place of a field, which is inside the text only if the file has it byte for byte.
fn part(cron: &Spanned<String>, from: usize, to: usize) -> Span {
    let exact = (cron.span.end - cron.span.start) as usize;
    match exact.checked_sub(cron.value.len()) {
        Some(0) => cron.span.part(from, to),
        Some(2) => cron.span.part(from + 1, to + 1),
        _ => cron.span,
    }
}

fn look_at(text: &str) -> Result<Duration, CronFault> {
    if text.contains('@') {
        return Err(CronFault::Nickname);
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(CronFault::Fields(fields.len()));
    }
    let parser = CronParser::new();
    for (index, field) in fields.iter().enumerate() {
        let mut alone = ["*"; FIELDS.len()];
        alone[index] = field;
        let from = field.as_ptr() as usize - text.as_ptr() as usize;
        let to = from + field.len();
        // Longer than any sensible field: refused before it is expanded.
        if field.len() > 256 || parser.parse(&alone.join(" ")).is_err() {
            return Err(CronFault::Field { index, from, to });
        }
        if let Some(help) = oversized(index, field) {
            return Err(CronFault::Step { from, to, help });
        }
    }
    let cron = parser.parse(text).map_err(|_| CronFault::Whole)?;
    if !comes_true(&cron) {
        return Err(CronFault::Never);
    }
    Ok(shortest_gap(&cron))
}

/// Whether there is a time within eight years; counted from a fixed date, so that a file is right or wrong
/// whatever the day.
fn comes_true(cron: &Cron) -> bool {
    let from: Timestamp = Timestamp::from_seconds(1_767_225_600); // 2026-01-01
    let start = from.jiff().to_zoned(TimeZone::UTC);
    let Ok(next) = cron.find_next_occurrence(&start, true) else { return false };
    Timestamp::from(next.timestamp()).since(from) <= Duration::from_hours(8 * 366 * 24)
}

/// The shortest distance of neighbours on a day, and from one day's last to the next day's first.
fn shortest_gap(cron: &Cron) -> Duration {
    let (minutes, hours) = (cron.pattern.minutes.values(), cron.pattern.hours.values());
    let times: Vec<u64> = hours
        .iter()
        .flat_map(|hour| minutes.iter().map(move |minute| u64::from(*hour) * 60 + u64::from(*minute)))
        .collect();
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return Duration::from_mins(1) };
    let overnight = 24 * 60 - last + first;
    let within = times.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap_or(overnight);
    Duration::from_mins(within.min(overnight).max(1))
}

/// The mean distance between two starts; of a cron expression over its next thousand, or four years.
pub(crate) fn mean_interval(cadence: &Cadence) -> Duration {
    const STARTS: u32 = 1_000;
    let expression = match cadence {
        Cadence::Every { interval_ms } => return Duration::from_millis(*interval_ms),
        Cadence::Cron { expression, .. } => expression,
    };
    let day = Duration::from_hours(24);
    let Ok(cron) = CronParser::new().parse(expression) else { return day };
    // A fixed Thursday, so that a file is right or wrong whatever the day.
    let from: Timestamp = Timestamp::from_seconds(1_767_225_600); // 2026-01-01
    let (mut at, mut count) = (from.jiff().to_zoned(TimeZone::UTC), 0);
    let first = at.timestamp();
    let mut last = first;
    while count < STARTS && Timestamp::from(last).since(from) < 1_461 * day {
        let Ok(next) = cron.find_next_occurrence(&at, false) else { break };
        (last, at, count) = (next.timestamp(), next, count + 1);
    }
    let span = Timestamp::from(last).since(from);
    if count == 0 { 1_461 * day } else { (span / count).max(EVERY_MIN) }
}

/// The longest distance of two starts: of cron that of its first thousand starts, over a weekend say.
pub(crate) fn longest_interval(cadence: &Cadence) -> Duration {
    const STARTS: u32 = 1_000;
    let expression = match cadence {
        Cadence::Every { interval_ms } => return Duration::from_millis(*interval_ms),
        Cadence::Cron { expression, .. } => expression,
    };
    let Ok(cron) = CronParser::new().parse(expression) else { return mean_interval(cadence) };
    let from: Timestamp = Timestamp::from_seconds(1_767_225_600); // 2026-01-01
    let mut at = from.jiff().to_zoned(TimeZone::UTC);
    let (mut last, mut longest) = (None, mean_interval(cadence));
    for _ in 0..STARTS {
        let Ok(next) = cron.find_next_occurrence(&at, false) else { break };
        let start = Timestamp::from(next.timestamp());
        longest = last.map_or(longest, |last| longest.max(start.since(last)));
        (last, at) = (Some(start), next);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<u64, &str>) {
        let cron = Spanned::new(
            text.to_owned(),
            Span { file: 0, start: 0, end: u32::try_from(text.len()).unwrap() },
        );
        let found = check_cron(&cron, &mut CronCache::default());
        match (found, expected) {
            (Ok(gap), Ok(minutes)) => assert_eq!(gap, Duration::from_mins(minutes), "{text}"),
            (Err(problem), Err(part)) => {
                let all = format!("{} {} {:?}", problem.message, problem.label, problem.help);
                assert!(all.contains(part), "{text}: {all}");
            }
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn an_offset_is_told_the_zone_that_it_is() {
        for (name, part) in [
            ("UTC+2", Some("write Etc/GMT-2,")),
            ("GMT+2", Some("write Etc/GMT-2,")),
            ("Etc/UTC+2", Some("write Etc/GMT-2,")),
            ("-05:00", Some("write Etc/GMT+5,")),
            ("UTC +01:00", Some("write Etc/GMT-1,")),
            ("+05:30", Some("an offset is not a zone: a place")),
            ("UTC+25", Some("an offset is not a zone: a place")),
            ("Berlin", None),
            ("+berlin", None),
            ("", None),
        ] {
            let help = offset_help(name);
            assert!(part.map_or(help.is_none(), |part| help.unwrap().contains(part)), "{name}");
        }
        // West of Greenwich the sign of these names is a plus, as POSIX has it.
        let zone = TimeZone::get("Etc/GMT-2").unwrap();
        assert_eq!(zone.to_offset(Timestamp::from_seconds(0).jiff()).seconds(), 7_200);
    }

    #[test]
    fn mean_distances() {
        let cron = |expression: &str| {
            mean_interval(&Cadence::Cron { expression: expression.to_owned(), timezone: "UTC".to_owned() })
        };
        let near = |found: Duration, hours: f64| {
            let wanted = Duration::from_secs_f64(hours * 3_600.0);
            assert!(found.abs_diff(wanted) < wanted / 50, "{found:?} is not about {wanted:?}");
        };
        near(cron("*/5 * * * *"), 1.0 / 12.0);
        near(cron("0 6 * * *"), 24.0);
        near(cron("0 6 * * MON-FRI"), 24.0 * 7.0 / 5.0);
        near(cron("0 0 1 * *"), 730.485);
        let long = |expression: &str| {
            longest_interval(&Cadence::Cron { expression: expression.to_owned(), timezone: "UTC".to_owned() })
        };
        near(long("0 6 * * MON-FRI"), 72.0);
        near(long("*/5 * * * *"), 1.0 / 12.0);
        assert_eq!(mean_interval(&Cadence::Every { interval_ms: 1_500 }), Duration::from_millis(1_500));
    }

    #[test]
    fn cron_expressions_have_five_sound_fields() {
        check("*/30 6-20 * * MON-FRI", Ok(30));
        check("0 0 * * *", Ok(1_440));
        check("0,59 * * * *", Ok(1));
        check("0 0 29 2 *", Ok(1_440));
        check("* * * *", Err("it has 4 fields"));
        check("0 */5 * * * *", Err("it has 6 fields"));
        check("61 * * * *", Err("`61` is not a minute"));
        check("*/61 * * * *", Err("the step of `*/61` is larger than its field"));
        check("0 */25 * * *", Err("every: 25h"));
        check("0 9 * * MON#1", Ok(1_440));
        check("0 25 * * *", Err("hours go from 0 to 23"));
        check("0 0 * FOO *", Err("`FOO` is not a month"));
        check("0 0 * * MOO", Err("weekday"));
        check("0 0 30 2 *", Err("never comes true"));
        check("@daily", Err("0 0 * * *"));
        check("@every 5m", Err("every: 5m"));
        check("", Err("it has 0 fields"));
        check("a b c d e", Err("`a` is not a minute"));
    }
}
