//! `prober replay`: stored events again, under what the files promise now, and under a change of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::Duration;

use model::alert::Alert;
use model::event::SliEvent;
use model::objective::{Objective, Share, Window};
use model::time::Timestamp;
use serde_json::{Value, json};
use slo::evaluator::Change;
use slo::promise::Promise;
use slo::replay::replay;
use slo::standing::Standing;

use super::alert_tests::{name, promises};
use super::args::{Global, Replay, ReplayFormat};
use super::out::Out;
use crate::exit::{Exit, Stop};

/// The longest line of an events file, in bytes: more is no event.
const LINE_BYTES_MAX: u64 = 4 << 20;

/// One episode of an alert: which, since when, and until when.
type Episode = (String, Timestamp, Option<Timestamp>, String);

/// Replays the events; exit code 1 if the change makes pages or tickets fire or vanish.
pub(crate) fn replay_events(global: &Global, args: &Replay, out: &Out) -> Result<Exit, Stop> {
    let mut all = promises(global, &args.vars)?.all;
    if let Some(wanted) = &args.slo {
        all.retain(|promise| *promise.name == **wanted);
        if all.is_empty() {
            return Err(Stop::file(format!(
                "there is no SLO `{wanted}`; `prober list` shows what is promised"
            )));
        }
    }
    let events = read(&args.events)?;
    let Some((first, last)) = bounds(&events) else {
        return Err(Stop::file("there are no events in the file"));
    };
    for promise in &mut all {
        promise.begin = first;
    }
    let now = replay(all.clone(), events.iter(), last);
    let changed = change(&all, args)?;
    let then = changed.map(|changed| replay(changed, events.iter(), last));
    let (before, after) = (episodes(&now.changes), then.as_ref().map(|then| episodes(&then.changes)));
    let differs = after.as_ref().is_some_and(|after| identities(after) != identities(&before));
    match args.format {
        ReplayFormat::Human => {
            out.raw(text(&before, after.as_deref()).as_bytes());
            out.raw(budgets(&now.standings, then.as_ref().map(|then| &*then.standings)).as_bytes());
        }
        ReplayFormat::Json => {
            let list = |episodes: &[Episode]| episodes.iter().map(episode_json).collect::<Vec<_>>();
            out.json(&json!({
                "events": events.len(), "from": first, "to": last,
                "now": list(&before), "changed": after.as_deref().map(list),
            }));
        }
    }
    Ok(if differs { Exit::Bad } else { Exit::Good })
}

/// The events of the file, a line each; what a torn last line was is not there.
fn read(path: &Path) -> Result<Vec<SliEvent>, Stop> {
    let wrong = |line: usize, why: String| Stop::file(format!("{}:{line}: {why}", path.display()));
    let file = File::open(path).map_err(|error| Stop::file(format!("{}: {error}", path.display())))?;
    let mut reader = BufReader::new(file);
    let (mut events, mut line) = (Vec::new(), Vec::new());
    for number in 1.. {
        line.clear();
        let bytes = std::io::Read::take(&mut reader, LINE_BYTES_MAX).read_until(b'\n', &mut line);
        let bytes = bytes.map_err(|error| wrong(number, error.to_string()))?;
        if bytes == 0 {
            break;
        }
        let is_whole = line.last() == Some(&b'\n');
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let text = std::str::from_utf8(&line).map_err(|_| wrong(number, "it is not UTF-8".to_owned()))?;
        match SliEvent::from_json(text) {
            Ok(event) => events.push(event),
            // A writer that was killed leaves half a line behind.
            Err(_) if !is_whole && (line.len() as u64) < LINE_BYTES_MAX => break,
            Err(error) => return Err(wrong(number, format!("this is no event: {error}"))),
        }
    }
    Ok(events)
}

/// The first slot and the last record.
fn bounds(events: &[SliEvent]) -> Option<(Timestamp, Timestamp)> {
    let first = events.iter().map(|event| event.slot.scheduled.min(event.recorded)).min()?;
    Some((first, events.iter().map(|event| event.recorded).max()?))
}

/// The promises as the flags change them; `None` without any flag.
fn change(promises: &[Promise], args: &Replay) -> Result<Option<Vec<Promise>>, Stop> {
    if args.objective.is_none() && args.window.is_none() && args.quorum.is_none() {
        return Ok(None);
    }
    let target = args.objective.as_deref().map(percent).transpose()?;
    let window = args.window.as_deref().map(rolling).transpose()?;
    let changed = promises.iter().cloned().map(|mut promise| {
        promise.quorum = args.quorum.or(promise.quorum);
        let objective = promise.objective.take();
        promise.objective = match (objective, target) {
            (Some(objective), _) => Some(Objective {
                target: target.unwrap_or(objective.target),
                window: window.clone().unwrap_or(objective.window),
                ..objective
            }),
            (None, Some(target)) => {
                let month = Window::Rolling(scenario::slo::WINDOW_DEFAULT);
                let window = window.clone().unwrap_or(month);
                Some(Objective { name: promise.name.clone(), target, window })
            }
            (None, None) => None,
        };
        promise
    });
    Ok(Some(changed.collect()))
}

/// `99.5%`; the sign may be left out on the command line.
fn percent(text: &str) -> Result<Share, Stop> {
    let number = text.trim().trim_end_matches('%').trim();
    let share = number.parse::<f64>().ok().filter(|number| (0.0..100.0).contains(number) && *number > 0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a million")]
    let share = share.and_then(|number| Share::of_millionths((number * 10_000.0).round() as u32));
    share.ok_or_else(|| Stop::file(format!("--objective {text}: write a share such as 99.5%")))
}

/// `7d`, `36h`.
fn rolling(text: &str) -> Result<Window, Stop> {
    let wrong = || Stop::file(format!("--window {text}: write 1h to 90d, such as 7d"));
    let (number, unit) = text.trim().split_at(text.trim().trim_end_matches(char::is_alphabetic).len());
    let hours = number.parse::<u64>().map_err(|_| wrong())?;
    let hours = match unit {
        "h" => Some(hours),
        "d" => hours.checked_mul(24),
        _ => None,
    };
    let length = hours.filter(|hours| *hours <= 90 * 24).map(Duration::from_hours).ok_or_else(wrong)?;
    if length < scenario::slo::WINDOW_MIN { Err(wrong()) } else { Ok(Window::Rolling(length)) }
}

/// Each alert from its start to its end, in the order of the starts.
fn episodes(changes: &[Change]) -> Vec<Episode> {
    let mut found: BTreeMap<String, Episode> = BTreeMap::new();
    for Change { alert, .. } in changes {
        let shown = format!("{} {}", alert.id.slo, name(alert));
        let sum = |alert: &Alert| alert.annotations.get("sum").cloned().unwrap_or_default();
        let entry = found.entry(alert.episode());
        entry.or_insert_with(|| (shown, alert.starts, None, sum(alert))).2 = alert.ends;
    }
    let mut all: Vec<_> = found.into_values().collect();
    all.sort_by(|one, other| (one.1, &one.0).cmp(&(other.1, &other.0)));
    all
}

fn identities(episodes: &[Episode]) -> Vec<(&str, Timestamp)> {
    episodes.iter().map(|(name, starts, ..)| (name.as_str(), *starts)).collect()
}

/// A line an episode: ` ` under both, `-` only as the files are now, `+` only with the change.
fn text(now: &[Episode], changed: Option<&[Episode]>) -> String {
    let of = |episodes: &[Episode], sign: &dyn Fn(&Episode) -> Option<char>| {
        let signed = episodes.iter().filter_map(|episode| Some((episode.1, sign(episode)?, line(episode))));
        signed.collect::<Vec<_>>()
    };
    let is_in = |episodes: &[Episode], one: &Episode| {
        episodes.iter().any(|other| (&other.0, other.1) == (&one.0, one.1))
    };
    let mut lines = match changed {
        None => of(now, &|_| Some(' ')),
        Some(changed) => {
            let mut lines = of(now, &|one| Some(if is_in(changed, one) { ' ' } else { '-' }));
            lines.extend(of(changed, &|one| (!is_in(now, one)).then_some('+')));
            lines
        }
    };
    lines.sort();
    let mut text: String = lines.iter().map(|(_, sign, line)| format!("{sign} {line}\n")).collect();
    let count = |sign: char| lines.iter().filter(|(_, found, _)| *found == sign).count();
    text += &match changed {
        None => format!("{} alerts\n", lines.len()),
        Some(_) => format!("{} alerts stay, {} vanish, {} are new\n", count(' '), count('-'), count('+')),
    };
    text
}

fn line((name, starts, ends, sum): &Episode) -> String {
    let lasts = ends.map_or_else(
        || "still fires".to_owned(),
        |ends| {
            format!(
                "for {}",
                scenario::units::show_duration(Duration::from_secs(ends.since(*starts).as_secs()))
            )
        },
    );
    let starts = starts.to_string();
    format!("{}Z  {name}  {lasts}  ({sum})", &starts[..19])
}

/// What is left of each budget at the end, now and with the change.
fn budgets(now: &[Standing], changed: Option<&[Standing]>) -> String {
    let left = |standing: &Standing| {
        standing.budget.map_or_else(
            || "no objective".to_owned(),
            |budget| format!("{:.1} %", budget.remaining() * 100.0),
        )
    };
    let line = |standing: &Standing| {
        let then = changed.and_then(|changed| changed.iter().find(|then| then.name == standing.name));
        let then = then.map(|then| format!(", with the change {}", left(then))).unwrap_or_default();
        format!("budget left of {}: {}{then}\n", standing.name, left(standing))
    };
    now.iter().map(line).collect()
}

fn episode_json((name, starts, ends, sum): &Episode) -> Value {
    json!({ "alert": name, "starts": starts, "ends": ends, "sum": sum })
}
