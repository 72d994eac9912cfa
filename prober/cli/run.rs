//! `prober run`: scenarios once, now; what a pipeline runs after a deploy.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::event::{SliEvent, Trigger};
use model::outcome::{Reason, Verdict};
use model::probe::RunContext;
use model::time::{Clock as _, SystemClock};
use schedule::entry::Entry;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::args::{EventFormat, FailOn, Global, Run};
use super::out::Out;
use super::place::{chosen, runtime, vault};
use super::show::{self, RunColumns};
use crate::agent::load::{Loaded, Loader};
use crate::agent::shutdown::{Asked, Signals};
use crate::exit::{Exit, Stop};

/// Runs in flight at once.
const IN_FLIGHT_MAX: usize = 32;

/// Runs the wanted scenarios once and says how that went.
pub(crate) fn run(global: &Global, args: &Run, out: &Out) -> Result<Exit, Stop> {
    let (place, options, wanted) = chosen(global, &args.choice)?;
    let root = place.project_root_or_base();
    let shared = Arc::new(probe::Shared::new(probe::NetConfig::default()));
    shared.warm();
    let mut loaded = Loader { place, options, vault: Arc::new(vault(&root)), shared }.load()?;
    out.note_warnings(&loaded.warnings);
    wanted.all_known(loaded.entries.iter().map(|entry| &*entry.origin.stream.scenario))?;
    loaded.entries.retain(|entry| wanted.takes(&entry.origin));
    if loaded.entries.is_empty() {
        return Err(Stop::file("no scenario has these labels; `prober list` shows all"));
    }
    std::env::set_current_dir(&loaded.root).map_err(|error| Stop::environment(error.to_string()))?;
    let began = Instant::now();
    let runtime = runtime(None)?;
    let ran = runtime.block_on(run_all(&loaded, args, out));
    // Whatever a run has left behind is not waited for.
    runtime.shutdown_background();
    let (events, interrupted) = ran?;
    finish(&loaded, &events, args, out, began.elapsed());
    Ok(if interrupted { Exit::Interrupted } else { exit(&events, args.fail_on) })
}

async fn run_all(loaded: &Loaded, args: &Run, out: &Out) -> Result<(Vec<SliEvent>, bool), Stop> {
    let mut signals = Signals::new().map_err(|error| Stop::environment(error.to_string()))?;
    let permits = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let columns = RunColumns::of(loaded.entries.iter().map(|entry| &entry.origin.stream), out.look());
    let mut runs = JoinSet::new();
    for entry in &loaded.entries {
        runs.spawn(run_one(entry.clone(), Arc::clone(&permits)));
    }
    let mut events: Vec<SliEvent> = Vec::with_capacity(loaded.entries.len());
    loop {
        tokio::select! {
            joined = runs.join_next() => match joined {
                Some(Ok(event)) => {
                    match args.format {
                        EventFormat::Human => out.raw(show::run_line(&event, columns, out.look()).as_bytes()),
                        EventFormat::Jsonl => out.line(&event.to_json()),
                        EventFormat::Json => {}
                    }
                    events.push(event);
                }
                Some(Err(error)) => return Err(Stop { exit: Exit::Ineligible, message: format!("a run broke: {error}") }),
                None => return Ok((events, false)),
            },
            asked = signals.next() => if asked == Asked::Stop {
                runs.abort_all();
                return Ok((events, true));
            },
        }
    }
}

async fn run_one(entry: Entry, permits: Arc<Semaphore>) -> SliEvent {
    let _permit = permits.acquire().await.expect("nobody closes it");
    let clock = SystemClock;
    let (started, began) = (clock.now(), clock.monotonic());
    let slot = entry.origin.stream.slot(started);
    let deadline = began + entry.timeout;
    let context =
        RunContext { slot, attempt: 0, started, began, deadline, detail: model::probe::Detail::Facts };
    let outcome = entry.probe.run(&context).await;
    let finished = Some(started.plus(began.elapsed()));
    SliEvent {
        origin: entry.origin,
        slot,
        attempt: 0,
        trigger: Trigger::Manual,
        started: Some(started),
        finished,
        recorded: clock.now(),
        outcome,
    }
}

fn finish(loaded: &Loaded, events: &[SliEvent], args: &Run, out: &Out, took: Duration) {
    if args.format == EventFormat::Json {
        out.line(&serde_json::to_string_pretty(events).unwrap_or_default());
    }
    if args.format != EventFormat::Human {
        return;
    }
    let look = out.look();
    for event in events.iter().filter(|event| args.verbose || event.verdict() != Verdict::Good) {
        let card = loaded.catalogue.cards.iter().find(|card| card.stream == event.origin.stream);
        let about = card.map(|card| show::About {
            title: &card.title,
            aim: &card.aim,
            runbook: &card.runbook,
            place: "",
        });
        out.raw(show::rule(look).as_bytes());
        out.raw(show::run_report(event, about.unwrap_or_default(), look).as_bytes());
    }
    out.raw(show::rule(look).as_bytes());
    out.raw(show::summary(events, took, look).as_bytes());
}

/// Bad before ineligible before good; slow counts only if asked for.
fn exit(events: &[SliEvent], fail_on: Option<FailOn>) -> Exit {
    let fails = |event: &&SliEvent| {
        let slow = event.outcome.reason == Reason::Slow;
        event.verdict() == Verdict::Bad && (!slow || fail_on == Some(FailOn::Slow))
    };
    let not_judged = |event: &&SliEvent| {
        matches!(event.outcome.reason, Reason::ProberFault | Reason::ConfigFault | Reason::Cancelled)
    };
    if events.iter().any(|event| fails(&event)) {
        Exit::Bad
    } else if events.iter().any(|event| not_judged(&event)) {
        Exit::Ineligible
    } else {
        Exit::Good
    }
}
