//! `prober explain`: a run, a scenario's last run, its variables, an error code, or a word of the language.

use std::sync::Arc;

use model::event::SliEvent;
use model::slot::Stream;
use probe::Net;
use scenario::codes::Code;
use scenario::plan::Plan;
use scenario::reuse::base_name;
use store::{EventFilter, OpenError, Reader};

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
        return match args.what.as_str() {
            "slo" => slo(global, name, out),
            "vars" => super::vars::vars(global, (name, &args.vars), out),
            other => Err(Stop::file(format!(
                "`explain {other} NAME` is not known; write prober explain slo {name}, or prober explain vars {name}"
            ))),
        };
    }
    if let Some(code) = scenario::codes::explain(&args.what) {
        out.raw(code_text(code).as_bytes());
        return Ok(Exit::Good);
    }
    if is_code(&args.what) {
        return Err(Stop::file(format!("there is no code `{}`", args.what)));
    }
    if let Some(text) = scenario::explain::word(&args.what, &probe::KINDS) {
        out.line(text.trim_end());
        return Ok(Exit::Good);
    }
    let run = explain_a_run(global, args, out);
    // Only what is nothing else is looked up among the keys: scenarios may be named like one.
    let key = run.is_err().then(|| scenario::explain::key(&args.what, &probe::KINDS)).flatten();
    let Some(text) = key else { return run };
    out.line(&text);
    Ok(Exit::Good)
}

fn explain_a_run(global: &Global, args: &Explain, out: &Out) -> Result<Exit, Stop> {
    // Runs by hand are in no store.
    if let Some(event) = KeptRuns::here().and_then(|kept| kept.find(&args.what)) {
        return if args.curl { curl(&event, out) } else { Ok(show(&plans_here(global), &event, None, out)) };
    }
    let dir = data(global, args.data.as_ref())?;
    let plans = plans_here(global);
    let mut reader = match Reader::open(&dir) {
        Err(OpenError::Missing(_)) => return Err(not_found(&plans, &args.what)),
        opened => opened.map_err(|error| Stop::environment(error.to_string()))?,
    };
    let found = find(&mut reader, &args.what, former_names(&plans, &args.what))?;
    let event = found.ok_or_else(|| not_found(&plans, &args.what))?;
    if args.curl {
        return curl(&event, out);
    }
    let good = last_good(&mut reader, &plans, &event)?;
    Ok(show(&plans, &event, good.as_deref(), out))
}

/// The plans of the files as they are today; none without files that can be read.
pub(crate) fn plans_here(global: &Global) -> Vec<Plan<Net>> {
    let plans = place(global, &[]).and_then(|place| checked(&place, &options(&[], &[], host())?));
    plans.map(|checked| checked.compiled.plans).unwrap_or_default()
}

/// Everything about a run, with what the files say about its scenario today.
fn show(plans: &[Plan<Net>], event: &SliEvent, good: Option<&SliEvent>, out: &Out) -> Exit {
    let plan = plans.iter().find(|plan| is_of(plan, &event.origin.stream));
    let about = plan.map(|plan| {
        let place = format!("{}:{}", plan.about().path, plan.about().line);
        (plan.about(), place, objective_text(plan.slo()), alerts_text(plan.slo()))
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
fn slo(global: &Global, name: &str, out: &Out) -> Result<Exit, Stop> {
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

/// Whether the stream's history is the plan's, under its name or one that it had before.
fn is_of(plan: &Plan<Net>, stream: &Stream) -> bool {
    let is_named = plan.stream().scenario == stream.scenario || plan.about().was.contains(&stream.scenario);
    is_named && plan.stream().region == stream.region
}

/// The names that the scenario, or the instances of one, had before.
pub(crate) fn former_names(plans: &[Plan<Net>], name: &str) -> Vec<String> {
    let is_named = |scenario: &str| scenario == name || base_name(scenario) == name;
    let own = plans.iter().filter(|plan| is_named(&plan.stream().scenario));
    let mut names: Vec<String> = own.flat_map(|plan| &plan.about().was).map(ToString::to_string).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The last good run before the event, also one under an old name.
fn last_good(
    reader: &mut Reader,
    plans: &[Plan<Net>],
    event: &SliEvent,
) -> Result<Option<Arc<SliEvent>>, Stop> {
    let stream = &event.origin.stream;
    let plan = plans.iter().find(|plan| is_of(plan, stream));
    let former = plan.into_iter().flat_map(|plan| plan.about().was.iter());
    let names = std::iter::once(&stream.scenario).chain(former.filter(|name| **name != stream.scenario));
    let mut newest: Option<Arc<SliEvent>> = None;
    for name in names {
        let stream = Stream { scenario: Arc::clone(name), ..stream.clone() };
        let found = reader.last_good_before(&stream, event.slot.scheduled);
        let found = found.map_err(|error| Stop::environment(error.to_string()))?.map(|stored| stored.event);
        newest = newest.into_iter().chain(found).max_by_key(|event| event.slot.scheduled);
    }
    Ok(newest)
}

fn is_code(text: &str) -> bool {
    let mut characters = text.chars();
    matches!(characters.next(), Some('E' | 'W'))
        && text.len() == 4
        && characters.all(|digit| digit.is_ascii_digit())
}

/// The run whose id begins so, or the last run of the scenario of that name.
fn find(reader: &mut Reader, what: &str, former: Vec<String>) -> Result<Option<Arc<SliEvent>>, Stop> {
    let cannot = |error: store::ReadError| Stop::environment(error.to_string());
    let newest = EventFilter { newest_first: true, limit: 2, ..EventFilter::default() };
    if what.len() >= 4 && what.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let filter = EventFilter { slot_prefix: Some(what.to_owned()), ..newest.clone() };
        let mut found = reader.query(&filter).map_err(cannot)?;
        match found.len() {
            0 => {}
            1 => return Ok(Some(found.remove(0).event)),
            _ => return Err(Stop::file(format!("several runs begin with `{what}`; give more digits"))),
        }
    }
    // Slots that nobody ran have nothing to explain, if there is a run among the latest events.
    let filter = EventFilter { scenario: Some(what.to_owned()), former, limit: 200, ..newest };
    let mut found = reader.query(&filter).map_err(cannot)?;
    let ran = found.iter().position(|stored| stored.event.started.is_some()).unwrap_or(0);
    Ok((ran < found.len()).then(|| found.swap_remove(ran).event))
}

/// What is to be said of a name that no event has.
fn not_found(plans: &[Plan<Net>], what: &str) -> Stop {
    let plan = plans.iter().find(|plan| *plan.stream().scenario == *what);
    Stop::file(match plan {
        Some(plan) => format!(
            "the scenario `{what}` ({}:{}) has no events yet; `prober run {what}` runs it now",
            plan.about().path,
            plan.about().line
        ),
        None => format!(
            "`{what}` is no run, no scenario with events, no error code and no word of the language; \
             `prober events` shows runs, `prober explain language` the words"
        ),
    })
}
