//! `prober events`: stored events, filtered; also while a prober is serving.

use std::sync::Arc;

use dashboard::query::{Conditions, FieldCondition, nearest_field};
use model::event::SliEvent;
use model::time::{Clock as _, SystemClock};
use store::Reader;

use super::args::{Events, Global, ListFormat};
use super::explain::{former_names, plans_here};
use super::out::Out;
use super::place::data;
use super::show::events_table;
use crate::exit::{Exit, Stop};

/// Events read from the store at once while field conditions thin them out.
const PAGE: usize = 1_000;

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
