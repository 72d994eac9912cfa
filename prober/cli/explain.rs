//! `prober explain`: a run, a scenario's last run, or an error code.

use model::event::SliEvent;
use scenario::codes::Code;
use store::{EventFilter, Reader};

use super::args::{Explain, Global};
use super::kept::KeptRuns;
use super::out::Out;
use super::place::{checked, data, host, options, place};
use super::promise::{alerts_text, objective_text, slo_text};
use super::show::{About, curl_commands, explain_run};
use crate::exit::{Exit, Stop};

/// Explains what was named.
pub(crate) fn explain(global: &Global, args: &Explain, out: &Out) -> Result<Exit, Stop> {
    if let Some(name) = &args.name {
        return explain_of(global, &args.what, name, out);
    }
    if let Some(code) = scenario::codes::explain(&args.what) {
        out.raw(code_text(code).as_bytes());
        return Ok(Exit::Good);
    }
    if is_code(&args.what) {
        return Err(Stop::file(format!("there is no code `{}`", args.what)));
    }
    // Runs by hand are in no store.
    if let Some(event) = KeptRuns::here().and_then(|kept| kept.find(&args.what)) {
        return if args.curl { curl(&event, out) } else { Ok(show(global, &event, None, out)) };
    }
    let dir = data(global, args.data.as_ref())?;
    let mut reader = Reader::open(&dir).map_err(|error| Stop::environment(error.to_string()))?;
    let event = find(&mut reader, &args.what)?;
    if args.curl {
        return curl(&event, out);
    }
    let good = reader
        .last_good_before(&event.origin.stream, event.slot.scheduled)
        .map_err(|error| Stop::environment(error.to_string()))?;
    Ok(show(global, &event, good.as_ref().map(|stored| &*stored.event), out))
}

/// Everything about a run, with what the files say about its scenario today.
fn show(global: &Global, event: &SliEvent, good: Option<&SliEvent>, out: &Out) -> Exit {
    let plans = place(global, &[]).and_then(|place| checked(&place, &options(&[], &[], host())?));
    let about = plans.ok().and_then(|checked| {
        let plan = checked.compiled.plans.iter().find(|plan| plan.stream() == &event.origin.stream)?;
        let place = format!("{}:{}", plan.about().path, plan.about().line);
        Some((plan.about().clone(), place, objective_text(plan.slo()), alerts_text(plan.slo())))
    });
    let about = about.as_ref().map_or_else(About::default, |(about, place, objective, alerts)| About {
        title: &about.title,
        aim: &about.aim,
        runbook: &about.runbook,
        objective,
        alerts,
        place,
    });
    out.raw(explain_run(event, good, about, out.look()).as_bytes());
    Exit::Good
}

/// The requests as commands; what is left out is said on stderr.
fn curl(event: &SliEvent, out: &Out) -> Result<Exit, Stop> {
    let commands = curl_commands(event);
    if commands.is_empty() {
        return Err(Stop::file(format!("no request of run {} can be asked with curl", event.slot.id)));
    }
    out.raw(commands.as_bytes());
    out.note("left out: headers, bodies, cookies and the values of queries, which may hold secrets");
    Ok(Exit::Good)
}

/// `explain slo NAME`
fn explain_of(global: &Global, what: &str, name: &str, out: &Out) -> Result<Exit, Stop> {
    if what != "slo" {
        return Err(Stop::file(format!(
            "`explain {what} NAME` is not known; write prober explain slo {name}"
        )));
    }
    let checked = checked(&place(global, &[])?, &options(&[], &[], host())?)?;
    let plans = &checked.compiled.plans;
    let Some(plan) = plans.iter().find(|plan| *plan.stream().scenario == *name) else {
        let near = scenario::suggest::nearest(name, plans.iter().map(|plan| &*plan.stream().scenario));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if checked.compiled.has_errors() => "`prober validate` shows what is wrong".to_owned(),
            None => "`prober list` shows all".to_owned(),
        };
        return Err(Stop::file(format!("there is no scenario `{name}`: {help}")));
    };
    out.raw(slo_text(name, plan.slo()).as_bytes());
    Ok(Exit::Good)
}

/// What, why, a wrong example and the right one.
fn code_text(code: &Code) -> String {
    let mut text = format!("{}  {}\n\n{}\n", code.code, code.title, code.explanation);
    if let Some(example) = scenario::codes::example(code.code) {
        for (word, yaml) in [("wrong", example.wrong), ("right", example.right)] {
            text = yaml.lines().fold(format!("{text}\n{word}:\n"), |text, line| text + "    " + line + "\n");
        }
    }
    text
}

fn is_code(text: &str) -> bool {
    let mut characters = text.chars();
    matches!(characters.next(), Some('E' | 'W'))
        && text.len() == 4
        && characters.all(|digit| digit.is_ascii_digit())
}

/// The run whose id begins so, or the last run of the scenario of that name.
fn find(reader: &mut Reader, what: &str) -> Result<std::sync::Arc<SliEvent>, Stop> {
    let cannot = |error: store::ReadError| Stop::environment(error.to_string());
    let newest = EventFilter { newest_first: true, limit: 2, ..EventFilter::default() };
    if what.len() >= 4 && what.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let filter = EventFilter { slot_prefix: Some(what.to_owned()), ..newest.clone() };
        let mut found = reader.query(&filter).map_err(cannot)?;
        match found.len() {
            0 => {}
            1 => return Ok(found.remove(0).event),
            _ => return Err(Stop::file(format!("several runs begin with `{what}`; give more digits"))),
        }
    }
    // Slots that nobody ran have nothing to explain, if there is a run among the latest events.
    let filter = EventFilter { scenario: Some(what.to_owned()), limit: 200, ..newest };
    let mut found = reader.query(&filter).map_err(cannot)?;
    let ran = found.iter().position(|stored| stored.event.started.is_some()).unwrap_or(0);
    (ran < found.len()).then(|| found.swap_remove(ran).event).ok_or_else(|| {
        Stop::file(format!(
            "`{what}` is no run, no scenario with events and no error code; `prober events` shows runs"
        ))
    })
}
