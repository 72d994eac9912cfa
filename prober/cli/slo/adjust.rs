//! `prober slo adjust`: what it would change if runs of the past did not count, and the entry for prober.yaml.
//!
//! The entry is written by the command and put into the file by a person: with the file comes its history, and a
//! review. Deliberately absent: any change of what is stored.

use std::path::Path;
use std::sync::Arc;

use model::time::{Clock as _, SystemClock, Timestamp};
use scenario::adjustment::{AdjustmentFile, read_entry};
use scenario::compile::Compiled;
use scenario::render::{Style, human};
use scenario::source::Source;
use slo::evaluator::TICK;
use slo::promise::Promise;
use slo::standing::Standing;
use store::Reader;

use super::super::args::{Global, SloAdjust};
use super::super::out::Out;
use super::super::place::data;
use super::show::adjusted;
use super::standings::judged_again;
use super::{named, percent, promised};
use crate::agent::promises::adjustment;
use crate::exit::{Exit, Stop};

/// The key above the entries.
const HEAD: &str = "adjustments:\n";

/// Shows the step in the budget, and the entry.
pub(super) fn adjust(global: &Global, args: &SloAdjust, out: &Out) -> Result<Exit, Stop> {
    let (checked, promises) = promised(global)?;
    let promises = named(promises, std::slice::from_ref(&args.name))?;
    let Some(promise) = promises.first() else {
        return Err(Stop::file(format!("there is no objective `{}`", args.name)));
    };
    let now = Timestamp::from_seconds(SystemClock.now().as_millis().div_euclid(1_000));
    let entry = entry(args, promise, now);
    let file = read(&entry, &checked.compiled)?;
    said(&data(global, args.data.as_ref())?, promise, &file, out)?;
    let is_first = checked.compiled.project.adjustments.is_empty();
    let place = if is_first { "into prober.yaml" } else { "below `adjustments:` in prober.yaml" };
    out.note(&format!("put it {place}; the budget is without these runs once that file is read again"));
    // A key stands once in a file.
    let shown = if is_first { &entry } else { entry.trim_start_matches(HEAD) };
    out.raw(shown.as_bytes());
    Ok(Exit::Good)
}

/// The entry as YAML; texts are in quotes, so that nothing in them is anything else.
fn entry(args: &SloAdjust, promise: &Promise, now: Timestamp) -> String {
    let quoted = |text: &str| serde_json::Value::from(text.trim()).to_string();
    let (name, from, to) = (quoted(&promise.name), quoted(&args.from), quoted(&args.to));
    let mut lines = vec![format!("slo: {name}"), format!("from: {from}"), format!("to: {to}")];
    for (key, names) in [("scenarios", &args.scenarios), ("regions", &args.regions)] {
        if !names.is_empty() {
            let names: Vec<_> = names.iter().map(|name| quoted(name)).collect();
            lines.push(format!("{key}: [{}]", names.join(", ")));
        }
    }
    let added = now.jiff().strftime("%Y-%m-%dT%H:%M:%SZ");
    let (author, reason) = (quoted(&args.author), quoted(&args.reason));
    lines.extend([format!("author: {author}"), format!("added: {added}"), format!("reason: {reason}")]);
    format!("{HEAD}  - {}\n", lines.join("\n    "))
}

/// The entry as the compiler reads it beside those that are there; what is wrong is told as in `validate`.
fn read<N>(entry: &str, compiled: &Compiled<N>) -> Result<Arc<AdjustmentFile>, Stop> {
    read_entry(entry, compiled).map_err(|mistakes| {
        let source = Source { path: "the adjustment".to_owned(), text: entry.to_owned() };
        Stop::file(human(&mistakes, &[source], &Style::PLAIN))
    })
}

/// Says what it changes, by the stored events.
fn said(dir: &Path, promise: &Promise, file: &AdjustmentFile, out: &Out) -> Result<(), Stop> {
    let nothing = "there are no stored events, so nothing is known of what it changes";
    if !dir.exists() {
        out.note(nothing);
        return Ok(());
    }
    let mut reader = Reader::open(dir).map_err(|error| Stop::environment(error.to_string()))?;
    // The step is made at the first tick after now.
    let at = SystemClock.now().plus(TICK);
    let mut changed = promise.clone();
    changed.adjustments.push(adjustment(file));
    let mut judged = |promise: &Promise| -> Result<Option<Standing>, Stop> {
        let evaluator = judged_again(&mut reader, std::slice::from_ref(promise), at)?;
        Ok(evaluator.and_then(|evaluator| evaluator.standings().pop()))
    };
    let (Some(before), Some(after)) = (judged(promise)?, judged(&changed)?) else {
        out.note(nothing);
        return Ok(());
    };
    if let Some(one) = after.adjustments.last() {
        out.note(&adjusted(one));
    }
    if let Some((before, after)) = before.budget.zip(after.budget) {
        let left = [before.remaining(), after.remaining()].map(percent);
        out.note(&format!("budget left: {} as it is, {} with it", left[0], left[1]));
    }
    Ok(())
}
