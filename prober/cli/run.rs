//! `prober run`: scenarios once, now; what a pipeline runs after a deploy.

mod progress;
mod round;

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::event::{SliEvent, Trigger};
use model::probe::Detail;
use scenario::compile::Options;

use super::args::{FailOn, Global, Run, TriggerArg};
use super::formats::{Format, Mistakes, PLAIN, Ran, Runs, Sheet, Standing, Told, Waited, github_runs};
use super::kept::KeptRuns;
use super::out::Out;
use super::place::{checked, chosen, env, is_github, runtime, vault};
use super::reports::Reports;
use super::show::{self, RunColumns};
use crate::agent::files::Place;
use crate::agent::load::{LoadError, Loaded, Loader};
use crate::agent::shutdown::{Asked, Signals};
use crate::exit::{Exit, Stop};
use progress::Progress;
use round::{Manner, Round, round};

/// The pause between two rounds of `--wait-for`: it grows from the first to the second.
const PAUSE: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// How many runs are named while `--wait-for` waits.
const NAMED_MAX: usize = 3;

/// Runs the wanted scenarios and says how that went.
pub(crate) fn run(global: &Global, args: &Run, out: &Out) -> Result<Exit, Stop> {
    let reports = Reports::open(&args.output.reports)?;
    let (place, options, wanted) = chosen(global, &args.choice)?;
    let root = place.project_root_or_base();
    let prefix = super::place::prefix(&place.base);
    let shared = Arc::new(probe::Shared::new(probe::NetConfig::default()));
    shared.warm();
    let vault = Arc::new(vault(&root));
    let loader = Loader { place: place.clone(), options: options.clone(), vault, shared, probes: true };
    let mut loaded = match loader.load_with_secrets(|origin| wanted.takes(origin)) {
        Ok(loaded) => loaded,
        Err(error) => {
            if matches!(error, LoadError::Mistakes(_)) {
                tell_programs((&place, &options), (args, out), reports)?;
            }
            return Err(error.into());
        }
    };
    out.note_warnings(&loaded.warnings);
    wanted.all_known(loaded.entries.iter().map(|entry| &*entry.origin.stream.scenario))?;
    if !loaded.entries.iter().any(|entry| wanted.takes(&entry.origin)) {
        return Err(wanted.none_has_the_labels(&loaded.entries.iter().map(|entry| &*entry.origin)));
    }
    loaded.entries.retain(|entry| wanted.takes(&entry.origin));
    std::env::set_current_dir(&loaded.root).map_err(|error| Stop::environment(error.to_string()))?;
    let look = out.look();
    let sheet = Sheet {
        look,
        columns: RunColumns::of(loaded.entries.iter().map(|entry| &entry.origin.stream), look),
        slow_fails: args.fail_on == Some(FailOn::Slow),
        details: args.verbose > 0,
        quiet: out.quiet,
        rounds: args.repeat,
        prefix,
    };
    let runtime = runtime(None)?;
    let ran = runtime.block_on(async {
        let mut command = Command::new((args, out), &loaded, &sheet)?;
        command.go().await?;
        Ok::<_, Stop>(command.end())
    });
    // Whatever a run has left behind is not waited for.
    runtime.shutdown_background();
    let ended = ran?;
    show_all(&ended, &sheet, (args, out));
    if let Some(kept) = KeptRuns::here() {
        ended.all.iter().for_each(|ran| kept.keep(&ran.event));
    }
    let runs = ended.runs(&sheet);
    reports.write(|format| {
        let sheet = Sheet { look: PLAIN, columns: columns(&ended.all, PLAIN), ..sheet.clone() };
        format.whole(&Runs { sheet: &sheet, ..runs })
    })?;
    Ok(ended.exit(&sheet))
}

/// Mistakes in files, in the formats that programs read; people read them as the error.
fn tell_programs(
    (place, options): (&Place, &Options),
    (args, out): (&Run, &Out),
    reports: Reports,
) -> Result<(), Stop> {
    let compiled = checked(place, options)?.compiled;
    let prefix = super::place::prefix(&place.base);
    let mistakes = Mistakes {
        diagnostics: &compiled.diagnostics,
        sources: &compiled.sources,
        strict: false,
        counted: "",
        colour: false,
        prefix: &prefix,
    };
    if args.output.format != Format::HUMAN {
        out.raw((args.output.format.mistakes)(&mistakes).as_bytes());
    }
    reports.write(|format| (format.mistakes)(&mistakes))
}

fn columns(all: &[Ran], look: show::Look) -> RunColumns {
    RunColumns::of(all.iter().map(|ran| &ran.event.origin.stream), look)
}

/// What is left once everything has run.
struct Ended {
    all: Vec<Ran>,
    took: Duration,
    waited: Option<Waited>,
    not_run: usize,
    interrupted: bool,
    timed_out: bool,
}

impl Ended {
    fn runs<'a>(&'a self, sheet: &'a Sheet) -> Runs<'a> {
        let Self { took, waited, not_run, .. } = *self;
        Runs { sheet, all: &self.all, took, waited, not_run }
    }

    /// Bad before not judged before good; slow counts only if asked for.
    fn exit(&self, sheet: &Sheet) -> Exit {
        let any = |standing| self.all.iter().any(|ran| ran.standing(sheet) == standing);
        if self.interrupted {
            Exit::Interrupted
        } else if any(Standing::Bad) {
            Exit::Bad
        } else if self.timed_out || any(Standing::NotJudged) {
            Exit::Ineligible
        } else {
            Exit::Good
        }
    }
}

/// What was not written while it ran.
fn show_all(ended: &Ended, sheet: &Sheet, (args, out): (&Run, &Out)) {
    let format = args.output.format;
    let runs = ended.runs(sheet);
    let text = if is_live(args) { (format.end)(&runs) } else { format.whole(&runs) };
    out.raw(text.as_bytes());
    if ended.timed_out {
        out.complain("the time of --timeout is over: what had not ended says nothing about its target");
    }
    if is_github() && format.name != "github" {
        let annotations: String = ended.all.iter().map(|ran| github_runs(ran, sheet)).collect();
        out.complain_raw(&annotations);
    }
}

/// Whether runs are shown as they end; those of rounds that may be in vain are not.
fn is_live(args: &Run) -> bool {
    args.wait_for.is_none()
}

/// The command while it runs.
struct Command<'a> {
    args: &'a Run,
    out: &'a Out,
    loaded: &'a Loaded,
    sheet: &'a Sheet,
    manner: Manner,
    signals: Signals,
    progress: Progress,
    began: Instant,
    ended: Ended,
}

impl<'a> Command<'a> {
    fn new((args, out): (&'a Run, &'a Out), loaded: &'a Loaded, sheet: &'a Sheet) -> Result<Self, Stop> {
        let began = Instant::now();
        let manner = Manner {
            in_flight: args.in_flight,
            detail: match args.verbose {
                0 => Detail::Facts,
                1 => Detail::Heads,
                _ => Detail::Bodies,
            },
            trigger: trigger(args.trigger),
            limit: args.timeout.map(|limit| (began + limit, limit)),
        };
        let ended = Ended {
            all: Vec::new(),
            took: Duration::ZERO,
            waited: None,
            not_run: 0,
            interrupted: false,
            timed_out: false,
        };
        let signals = Signals::new().map_err(|error| Stop::environment(error.to_string()))?;
        Ok(Self { args, out, loaded, sheet, manner, signals, progress: Progress::new(out), began, ended })
    }

    fn end(mut self) -> Ended {
        self.progress.clear();
        self.ended.took = self.began.elapsed();
        self.ended
    }

    /// The rounds that were asked for; the first of them may be waited for.
    async fn go(&mut self) -> Result<(), Stop> {
        for number in 1..=self.args.repeat {
            let done = match self.args.wait_for {
                Some(patience) if number == 1 => self.wait(patience).await?,
                _ => self.round().await?,
            };
            let ran = done.events.into_iter().map(|event| self.ran(event, number));
            let ran: Vec<_> = ran.collect();
            self.ended.all.extend(ran);
            self.ended.interrupted |= done.interrupted;
            self.ended.timed_out |= done.timed_out;
            self.ended.not_run += done.not_run;
            let failed = self.ended.all.iter().any(|ran| !ran.standing(self.sheet).is_fine());
            if done.interrupted || done.timed_out || (self.args.fail_fast && failed) {
                self.ended.not_run += (self.args.repeat - number) * self.loaded.entries.len();
                break;
            }
        }
        Ok(())
    }

    async fn round(&mut self) -> Result<Round, Stop> {
        let (args, sheet, out) = (self.args, self.sheet, self.out);
        let each = if is_live(args) { args.output.format.each } else { None };
        let told = |event: &SliEvent| told(self.loaded, event);
        let parts = (&mut self.signals, &mut self.progress);
        round(&self.loaded.entries, self.manner, parts, |progress, event| {
            if let Some(each) = each {
                let ran = Ran { event: event.clone(), told: told(event), round: 1 };
                let text = each(&ran, sheet);
                if !text.is_empty() {
                    progress.clear();
                    out.raw(text.as_bytes());
                }
            }
            args.fail_fast && !Standing::of(event, sheet.slow_fails).is_fine()
        })
        .await
    }

    /// Rounds until everything is fine or the time is over; the last one is what is shown.
    async fn wait(&mut self, patience: Duration) -> Result<Round, Stop> {
        let end = Instant::now() + patience;
        let mut pause = PAUSE[0];
        let mut rounds = 0;
        loop {
            let started = self.began.elapsed();
            let done = self.round().await?;
            let bad: Vec<_> = done
                .events
                .iter()
                .filter(|event| !Standing::of(event, self.sheet.slow_fails).is_fine())
                .collect();
            let end = self.manner.limit.map_or(end, |(limit, _)| limit.min(end));
            let left = end.saturating_duration_since(Instant::now());
            if rounds > 0 {
                self.ended.waited = Some(Waited { rounds, took: started });
            }
            if bad.is_empty() || left.is_zero() || done.interrupted || done.timed_out {
                return Ok(done);
            }
            // The last round begins when the time is over, not before.
            let now = pause.min(left);
            self.note_waiting(&bad, done.events.len(), (now, patience));
            if !self.sleep(now).await {
                return Ok(Round { interrupted: true, ..done });
            }
            pause = (pause * 2).min(PAUSE[1]);
            rounds += 1;
        }
    }

    fn note_waiting(&mut self, bad: &[&SliEvent], all: usize, (pause, patience): (Duration, Duration)) {
        self.progress.clear();
        let named = bad.iter().take(NAMED_MAX).map(|event| {
            let stream = &event.origin.stream;
            let why = event
                .outcome
                .failure
                .as_ref()
                .map_or(event.outcome.reason.as_str(), |failure| &failure.error_type);
            format!("{} ({}) {why}", stream.scenario, stream.region)
        });
        let more = bad.len().saturating_sub(NAMED_MAX);
        let and = if more == 0 { String::new() } else { format!(" and {more} more") };
        let [pause, spent, patience] = [pause, self.began.elapsed(), patience].map(show::duration);
        self.out.note(&format!(
            "  waiting: {} of {all} not good yet: {}{and}; again in {pause} ({spent} of {patience})",
            bad.len(),
            named.collect::<Vec<_>>().join(", "),
        ));
    }

    /// Waits; whether the time passed without a signal.
    async fn sleep(&mut self, pause: Duration) -> bool {
        let end = tokio::time::Instant::now() + pause;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(end) => return true,
                asked = self.signals.next() => if asked == Asked::Stop { return false },
            }
        }
    }

    fn ran(&self, event: SliEvent, round: usize) -> Ran {
        Ran { told: told(self.loaded, &event), event, round }
    }
}

/// What the files say about the event's scenario.
fn told(loaded: &Loaded, event: &SliEvent) -> Told {
    let card = loaded.catalogue.cards.iter().find(|card| card.stream == event.origin.stream);
    card.map_or_else(Told::default, |card| Told {
        title: Arc::clone(&card.title),
        aim: Arc::clone(&card.aim),
        runbook: Arc::clone(&card.runbook),
        path: Arc::clone(&card.path),
        line: card.line,
    })
}

/// Who started the runs: a pipeline if it says so by the variable that all of them set.
fn trigger(asked: Option<TriggerArg>) -> Trigger {
    let in_pipeline = || env("CI").is_some_and(|value| !matches!(&*value, "" | "0" | "false"));
    match asked {
        Some(TriggerArg::Ci) => Trigger::Ci,
        None if in_pipeline() => Trigger::Ci,
        Some(TriggerArg::Manual) | None => Trigger::Manual,
    }
}
