//! `prober events`: stored events, filtered; also while a prober is serving.

use std::collections::BTreeSet;
use std::sync::Arc;

use dashboard::query::{Conditions, FieldCondition, nearest_field};
use model::event::SliEvent;
use model::time::{Clock as _, SystemClock};
use scenario::plan::Plan;
use scenario::reuse::base_name;
use scenario::suggest::nearest;
use store::{EventFilter, Reader};

use super::args::{Events, Global, ListFormat};
use super::explain::{former_names, plans_here};
use super::out::Out;
use super::place::data;
use super::show::events_table;
use crate::exit::{Exit, Stop};

/// Events read from the store at once while field conditions thin them out.
const PAGE: usize = 1_000;
/// How many names are shown where none is near the one that was asked for.
const SHOWN_MAX: usize = 10;

/// Shows the events that fulfil every condition.
pub(crate) fn events(global: &Global, args: &Events, out: &Out) -> Result<Exit, Stop> {
    let mut conditions = Conditions::read(&args.conditions, SystemClock.now()).map_err(Stop::file)?;
    let dir = data(global, args.data.as_ref())?;
    let mut reader = Reader::open(&dir).map_err(|error| Stop::environment(error.to_string()))?;
    if let Some(name) = &conditions.filter.scenario {
        // Without files that can be read the name itself is all there is.
        conditions.filter.former = former_names(&plans_here(global), name);
    }
    let found = collect(&mut reader, &conditions, args)?;
    if found.is_empty() {
        out.note("no events");
        let fields = conditions.fields.iter().map(FieldCondition::field);
        for (field, near) in fields.filter_map(|field| Some((field, nearest_field(field)?))) {
            out.note(&format!("`{field}` is no field that is always there; did you mean `{near}`?"));
        }
        for note in unheard_of(&mut reader, &conditions, global) {
            out.note(&note);
        }
    }
    match args.format {
        ListFormat::Human if found.is_empty() => {}
        ListFormat::Human => {
            let found: Vec<&SliEvent> = found.iter().map(|event| &**event).collect();
            out.raw(events_table(&found, out.look()).as_bytes());
        }
        ListFormat::Jsonl => {
            let mut text = Vec::new();
            for event in &found {
                event.write_json(&mut text);
                text.push(b'\n');
            }
            out.raw(&text);
        }
        ListFormat::Json => {
            let found: Vec<_> = found.iter().map(|event| event.to_value()).collect();
            out.line(&serde_json::to_string_pretty(&found).unwrap_or_default());
        }
    }
    Ok(Exit::Good)
}

/// Names that were asked for and that neither a recent event nor a scenario of the project has, each with what there is.
fn unheard_of(reader: &mut Reader, conditions: &Conditions, global: &Global) -> Vec<String> {
    let recent = EventFilter { newest_first: true, limit: PAGE, ..EventFilter::default() };
    let recent = reader.query(&recent).unwrap_or_default();
    let plans = plans_here(global);
    let recorded = recent.iter().map(|stored| &stored.event.origin.stream);
    let streams: Vec<_> = recorded.chain(plans.iter().map(Plan::stream)).collect();
    let scenarios = streams.iter().flat_map(|stream| [&*stream.scenario, base_name(&stream.scenario)]);
    let filter = &conditions.filter;
    let asked = [
        ("scenario", filter.scenario.as_deref(), scenarios.collect::<BTreeSet<_>>()),
        ("region", filter.region.as_deref(), streams.iter().map(|stream| &*stream.region).collect()),
    ];
    let asked = asked.into_iter().filter_map(|(what, asked, known)| Some((what, asked?, known)));
    asked.filter_map(|(what, asked, known)| unknown(what, asked, &known)).collect()
}

/// What is said of a name that is not among those known; nothing if none is.
fn unknown(what: &str, asked: &str, known: &BTreeSet<&str>) -> Option<String> {
    if known.is_empty() || known.contains(asked) {
        return None;
    }
    let some: Vec<_> = known.iter().copied().take(SHOWN_MAX).collect();
    let more = if known.len() > some.len() { ", …" } else { "" };
    Some(match nearest(asked, known.iter().copied()) {
        Some(near) => format!("there is no {what} `{asked}`; did you mean `{near}`?"),
        None => format!("there is no {what} `{asked}`; there are {}{more}", some.join(", ")),
    })
}

fn collect(reader: &mut Reader, conditions: &Conditions, args: &Events) -> Result<Vec<Arc<SliEvent>>, Stop> {
    let mut filter = conditions.filter.clone();
    filter.newest_first = !args.oldest_first;
    filter.limit = if conditions.fields.is_empty() { args.limit.clamp(1, PAGE) } else { PAGE };
    let mut found = Vec::new();
    loop {
        let page = reader.query(&filter).map_err(|error| Stop::environment(error.to_string()))?;
        let Some(last) = page.last().map(|stored| stored.seq) else { return Ok(found) };
        let full = page.len() == filter.limit;
        found.extend(
            page.into_iter().map(|stored| stored.event).filter(|event| conditions.let_through(event)),
        );
        if found.len() >= args.limit || !full {
            found.truncate(args.limit);
            return Ok(found);
        }
        if filter.newest_first {
            filter.before_seq = Some(last);
        } else {
            filter.after_seq = Some(last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_told_with_what_there_is() {
        let known = BTreeSet::from(["eu", "us-east"]);
        let told = |asked: &str| unknown("region", asked, &known);
        assert_eq!(told("eu"), None);
        assert_eq!(told("us-eats").as_deref(), Some("there is no region `us-eats`; did you mean `us-east`?"));
        assert_eq!(told("mars").as_deref(), Some("there is no region `mars`; there are eu, us-east"));
        assert_eq!(unknown("region", "mars", &BTreeSet::new()), None);
    }
}
