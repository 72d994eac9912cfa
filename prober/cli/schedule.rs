//! `prober schedule`: when scenarios run next.

use jiff::tz::TimeZone;
use model::slot::{Cadence, Stream};
use model::time::{Clock as _, SystemClock, Timestamp};
use schedule::slots::Timetable;
use serde_json::{Value, json};

use super::args::{FactsFormat, Global, Schedule};
use super::out::Out;
use super::place::{chosen, wanted_plans};
use super::show::{StartRow, duration, starts_table};
use crate::agent::load::cadence_text;
use crate::exit::{Exit, Stop};

/// Shows the next starts of every wanted plan.
pub(crate) fn schedule(global: &Global, args: &Schedule, out: &Out) -> Result<Exit, Stop> {
    let now = SystemClock.now();
    let from = args.at.as_deref().map_or(Ok(now), moment)?;
    let (place, options, wanted) = chosen(global, &args.choice)?;
    let plans = wanted_plans(&place, &options, &wanted)?;
    let rows: Vec<_> = plans
        .iter()
        .filter_map(|plan| {
            let table = Timetable::new(plan.cadence(), plan.stream()).ok()?;
            Some((row(plan.stream(), plan.cadence(), starts(&table, from, args.count)), plan))
        })
        .collect();
    if args.format == FactsFormat::Json {
        out.json(&rows.iter().map(|(row, plan)| as_json(row, plan.cadence())).collect());
        return Ok(Exit::Good);
    }
    let rows: Vec<_> = rows.into_iter().map(|(row, _)| row).collect();
    out.raw(starts_table(&rows, now, out.look()).as_bytes());
    Ok(Exit::Good)
}

/// An RFC 3339 time, or a date or date and time in UTC.
fn moment(text: &str) -> Result<Timestamp, Stop> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let civil: Option<jiff::civil::DateTime> = text.parse().ok();
    let at = civil.and_then(|civil| civil.to_zoned(TimeZone::UTC).ok());
    at.map(|zoned| zoned.timestamp().into()).ok_or_else(|| {
        Stop::file(format!("--at {text}: write a time like 2026-01-31T12:00:00Z, or a date like 2026-01-31"))
    })
}

fn starts(table: &Timetable, from: Timestamp, count: usize) -> Vec<Timestamp> {
    let mut starts = Vec::with_capacity(count);
    let mut next = table.first_from(from);
    while let Some(at) = next.filter(|_| starts.len() < count) {
        starts.push(at);
        next = table.next_after(at);
    }
    starts
}

fn row<'a>(stream: &'a Stream, cadence: &Cadence, starts: Vec<Timestamp>) -> StartRow<'a> {
    let zone = zone(cadence);
    let mut before = None;
    let shown = starts.into_iter().map(|at| {
        let zoned = at.jiff().to_zoned(zone.clone());
        let offset = zoned.offset();
        let changed = before.replace(offset).filter(|before| *before != offset);
        let remark =
            changed.map_or_else(String::new, |before| format!("the clocks went from {before} to {offset}"));
        (at, local(&zoned, cadence), remark)
    });
    StartRow {
        stream,
        cadence: cadence_text(cadence),
        phase: phase(stream, cadence),
        starts: shown.collect(),
    }
}

fn zone(cadence: &Cadence) -> TimeZone {
    match cadence {
        Cadence::Every { .. } => TimeZone::UTC,
        Cadence::Cron { timezone, .. } => TimeZone::get(timezone).unwrap_or(TimeZone::UTC),
    }
}

/// `Sun 2026-03-29 03:30:00 CEST`; milliseconds only where an interval has them.
fn local(at: &jiff::Zoned, cadence: &Cadence) -> String {
    let format = match cadence {
        Cadence::Every { .. } => "%a %Y-%m-%d %H:%M:%S.%3f %Z",
        Cadence::Cron { .. } => "%a %Y-%m-%d %H:%M:%S %Z",
    };
    at.strftime(format).to_string()
}

/// Where in its interval a stream starts, so that not all start at once.
fn phase(stream: &Stream, cadence: &Cadence) -> String {
    let Cadence::Every { .. } = cadence else { return String::new() };
    let table = Timetable::new(cadence, stream).ok();
    let first = table.and_then(|table| table.first_from(Timestamp::from_millis(0)));
    let phase = std::time::Duration::from_millis(first.map_or(0, |at| at.as_millis().unsigned_abs()));
    let interval = cadence_text(cadence);
    format!("{} into each {}", duration(phase), interval.trim_start_matches("every "))
}

fn as_json(row: &StartRow<'_>, cadence: &Cadence) -> Value {
    let starts = row.starts.iter().map(|(at, local, remark)| {
        let mut start = json!({ "at": at, "local": local });
        if !remark.is_empty() {
            start["remark"] = remark.as_str().into();
        }
        start
    });
    let mut value = json!({
        "name": &*row.stream.scenario, "region": &*row.stream.region, "cadence": row.cadence,
        "starts": starts.collect::<Vec<_>>(),
    });
    if let Cadence::Cron { timezone, .. } = cadence {
        value["timezone"] = timezone.as_str().into();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_the_clocks_is_said() {
        let cadence = Cadence::Cron { expression: "30 2 * * *".into(), timezone: "Europe/Berlin".into() };
        let stream = Stream::new("backup", "eu");
        let table = Timetable::new(&cadence, &stream).unwrap();
        let row = row(&stream, &cadence, starts(&table, moment("2026-03-28").unwrap(), 3));
        let shown: Vec<_> = row.starts.iter().map(|(_, local, remark)| format!("{local} {remark}")).collect();
        assert_eq!(
            shown,
            [
                "Sat 2026-03-28 02:30:00 CET ",
                // 02:30 is skipped; the first valid instant takes its place.
                "Sun 2026-03-29 03:00:00 CEST the clocks went from +01 to +02",
                "Mon 2026-03-30 02:30:00 CEST ",
            ]
        );
    }

    #[test]
    fn moments_are_times_or_dates() {
        assert_eq!(moment("2026-03-29").unwrap(), moment("2026-03-29T00:00:00Z").unwrap());
        assert_eq!(moment("2026-03-29T01:00").unwrap(), moment("2026-03-29T02:00:00+01:00").unwrap());
        for text in ["", "tomorrow", "2026-13-01"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }
}
