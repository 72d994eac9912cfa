//! `prober report weekly`: what was promised, what came of it, and what to talk about.
//!
//! | module | holds |
//! | --- | --- |
//! | `week` | the stored events of a week, folded |
//! | `incidents` | bad runs that belong together |
//! | `history` | the last weeks, what was taken out of budgets, whom alerts did not reach |
//! | `sections` | the parts of the report as tables |
//! | `document` | tables as Markdown, HTML and JSON |

mod document;
mod history;
mod incidents;
mod sections;
mod week;

use std::path::Path;
use std::time::Duration;

use dashboard::Review;
use jiff::tz::TimeZone;
use model::time::{Clock as _, SystemClock, Timestamp};
use scenario::compile::Options;
use store::OutboxFilter;

use super::args::{Global, Report, ReportFormat, ReportKind};
use super::out::Out;
use super::outbox;
use super::place::data;
use super::slo::promised;
use crate::agent::files::Place;
use crate::agent::load::check;
use crate::agent::promises::Promises;
use crate::exit::{Exit, Stop};

/// How long the report looks back.
const WEEK: Duration = Duration::from_hours(7 * 24);
/// The most changes of alerts that are named.
const OUTBOX_ROWS: usize = 20;

/// Writes the report to stdout.
pub(crate) fn report(global: &Global, args: &Report, out: &Out) -> Result<Exit, Stop> {
    let ReportKind::Weekly = args.what;
    let until = args.until.as_deref().map_or_else(|| Ok(SystemClock.now()), moment)?;
    let (checked, promises) = promised(global)?;
    let dir = data(global, args.data.as_ref())?;
    let from = until.minus(WEEK);
    let weeks = history::weeks(&dir, &promises, until)?;
    let filter = OutboxFilter { since: Some(from), limit: OUTBOX_ROWS, ..OutboxFilter::default() };
    let outbox = outbox::read(&dir, &filter)?;
    let week = week::Week::read(&dir, promises, from, until)?;
    let mut document = sections::document(&week, &checked.compiled.plans);
    document.insert_after("objectives", [history::section(&week, &weeks), history::adjustments(&week)]);
    document.insert_after("pages", [history::untold(&outbox)]);
    let text = match args.format {
        ReportFormat::Markdown => document.markdown(),
        ReportFormat::Html => document.html(),
        ReportFormat::Json => document.json(),
    };
    out.raw(text.as_bytes());
    Ok(Exit::Good)
}

/// The review of the week that ends now, for the page.
///
/// # Errors
/// The files or the store cannot be read; for people.
pub(crate) fn review(place: &Place, options: &Options, dir: &Path) -> Result<Review, String> {
    let until = SystemClock.now();
    let checked = check(place, options).map_err(|error| error.to_string())?;
    if checked.compiled.has_errors() {
        return Err("the files have mistakes now: `prober validate` names them".to_owned());
    }
    let promises = Promises::of(&checked.compiled, until).all;
    let week = week::Week::read(dir, promises, until.minus(WEEK), until).map_err(|stop| stop.message)?;
    Ok(sections::document(&week, &checked.compiled.plans).review())
}

/// An RFC 3339 time, or a date in UTC.
fn moment(text: &str) -> Result<Timestamp, Stop> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let date: Option<jiff::civil::Date> = text.parse().ok();
    let at = date.and_then(|date| date.to_zoned(TimeZone::UTC).ok());
    at.map(|zoned| zoned.timestamp().into()).ok_or_else(|| {
        Stop::file(format!(
            "--until {text}: write a time like 2026-01-31T12:00:00Z, or a date like 2026-01-31"
        ))
    })
}
