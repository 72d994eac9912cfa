//! A story of runs, told to the evaluator, and how what fires differs from what is expected.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use model::alert::Alert;
use model::event::{Origin, SliEvent, Trigger};
use model::outcome::{Failure, FailureClass, Outcome, Reason};
use model::slot::Stream;
use model::time::Timestamp;
use scenario::alert_test::{AlertTest, Expected, SLOTS_MAX, Story, Wanted};
use scenario::diagnostic::Diagnostic;
use scenario::render::locate;
use scenario::source::{Source, Spanned};
use scenario::suggest::nearest;
use scenario::units::show_duration;
use slo::evaluator::{Change, Evaluator};
use slo::promise::{Feed, Promise};

/// How long after its start a run of a story is recorded.
const TAKES: Duration = Duration::from_secs(1);

/// What a test found.
pub(super) struct Found {
    start: Timestamp,
    /// Each moment with what fires then, and whether that is what was expected.
    moments: Vec<(Expected, Vec<Alert>, bool)>,
    changes: Vec<Change>,
}

/// Tells the story and looks at every moment that is expected.
pub(super) fn run(test: &AlertTest, promise: &Promise) -> Result<Found, Box<Diagnostic>> {
    for story in &test.events {
        let scenarios = promise.feeds.iter().map(|feed| &*feed.scenario);
        known(&story.scenarios, scenarios, "scenario")?;
        known(&story.regions, promise.feeds.iter().map(|feed| &*feed.region), "region")?;
    }
    let events = events(test, promise)?;
    // The story says itself what its runs come to, and it is not about the past.
    let promise = Promise { begin: test.start, good: None, adjustments: Vec::new(), ..promise.clone() };
    let mut evaluator = Evaluator::new(vec![promise], test.start);
    let (mut changes, mut moments) = (Vec::new(), Vec::new());
    let mut events = events.into_iter().peekable();
    for expected in &test.expect {
        let at = test.start.plus(expected.at);
        while let Some(event) = events.next_if(|event| event.recorded <= at) {
            evaluator.fold(&event, &mut changes);
        }
        evaluator.finish(at, &mut changes);
        let firing = evaluator.firing();
        let right = agrees(&expected.firing, &firing);
        moments.push((expected.clone(), firing, right));
    }
    Ok(Found { start: test.start, moments, changes })
}

fn known<'a>(
    named: &[Spanned<String>],
    known: impl Iterator<Item = &'a str> + Clone,
    noun: &str,
) -> Result<(), Box<Diagnostic>> {
    let Some(unknown) = named.iter().find(|name| known.clone().all(|known| known != name.value)) else {
        return Ok(());
    };
    let shown = model::outcome::cut(unknown.value.clone(), 60);
    let problem =
        Diagnostic::error("E104", unknown.span, format!("nothing is promised of the {noun} `{shown}`"));
    let names: Vec<_> = known.clone().collect();
    Err(Box::new(match nearest(&unknown.value, known) {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None => problem.help(format!("known are {}", names.join(", "))),
    }))
}

/// Every run of the story, in the order in which they are recorded; of two about one slot the later entry's.
fn events(test: &AlertTest, promise: &Promise) -> Result<Vec<SliEvent>, Box<Diagnostic>> {
    let mut slots: BTreeMap<(Timestamp, usize), Option<Reason>> = BTreeMap::new();
    for story in &test.events {
        for (index, feed) in promise.feeds.iter().enumerate().filter(|(_, feed)| takes_part(story, feed)) {
            let every = story.every.unwrap_or(feed.interval).max(Duration::from_millis(1));
            let mut at = story.from;
            while at < story.to {
                slots.insert((test.start.plus(at), index), story.reason);
                at += every;
                if slots.len() as u64 > SLOTS_MAX {
                    let message = format!("the story has more than {SLOTS_MAX} runs");
                    let problem = Diagnostic::error("E104", test.subject.span, message);
                    return Err(Box::new(problem.help("tell a shorter one, or with every: 5m")));
                }
            }
        }
    }
    let origins: Vec<_> = promise.feeds.iter().map(|feed| origin(promise, feed)).collect();
    let event =
        |((at, feed), reason): ((Timestamp, usize), Option<Reason>)| Some(event(&origins[feed], at, reason?));
    Ok(slots.into_iter().filter_map(event).collect())
}

fn takes_part(story: &Story, feed: &Feed) -> bool {
    let names =
        |named: &[Spanned<String>], name: &str| named.is_empty() || named.iter().any(|one| one.value == name);
    names(&story.scenarios, &feed.scenario) && names(&story.regions, &feed.region)
}

fn origin(promise: &Promise, feed: &Feed) -> Arc<Origin> {
    Arc::new(Origin {
        stream: Stream::new(Arc::clone(&feed.scenario), Arc::clone(&feed.region)),
        version: "000000000000".into(),
        kind: "flow".into(),
        owner: Arc::clone(&promise.owner),
        service: Arc::clone(&promise.service),
        labels: Vec::new(),
        prober: "test".into(),
        side_effects: false,
    })
}

fn event(origin: &Arc<Origin>, at: Timestamp, reason: Reason) -> SliEvent {
    let mut outcome = Outcome::empty(reason);
    if reason == Reason::Failed {
        outcome.failure = Some(Failure::new(FailureClass::Incorrect, "assert.status", "a run of a test"));
    }
    let ends = at.plus(TAKES);
    SliEvent {
        origin: Arc::clone(origin),
        slot: origin.stream.slot(at),
        attempt: 0,
        trigger: Trigger::Schedule,
        started: Some(at),
        finished: Some(ends),
        recorded: ends,
        outcome,
    }
}

/// Whether every alert is expected and everything that is expected fires.
fn agrees(wanted: &[Wanted], firing: &[Alert]) -> bool {
    firing.iter().all(|alert| wanted.iter().any(|wanted| fits(wanted, alert)))
        && wanted.iter().all(|wanted| firing.iter().any(|alert| fits(wanted, alert)))
}

fn fits(wanted: &Wanted, alert: &Alert) -> bool {
    wanted.severity.is_none_or(|severity| severity == alert.id.severity)
        && wanted.rule.is_none_or(|rule| rule == alert.id.rule)
        && wanted.region.as_deref().is_none_or(|region| alert.id.region.as_deref() == Some(region))
}

impl Found {
    /// Whether everything was as expected.
    pub(super) fn passed(&self) -> bool {
        self.moments.iter().all(|(.., right)| *right)
    }

    /// The outcome for people: a line if it passed, else each moment that differs, and what happened before it.
    pub(super) fn text(&self, source: &Source, promise: &Promise) -> String {
        let mut text = String::new();
        let word = if self.passed() { "PASS" } else { "FAIL" };
        let _ = writeln!(text, "{word}  {}  {}", source.path, promise.name);
        for (expected, firing, _) in self.moments.iter().filter(|(.., right)| !right) {
            let (_, place) = locate(expected.span, std::slice::from_ref(source));
            let _ = writeln!(text, "  at {}  (line {})", show_duration(expected.at), place.line);
            self.difference(expected, firing, &mut text);
        }
        if !self.passed() {
            self.history(&mut text);
        }
        text
    }

    fn difference(&self, expected: &Expected, firing: &[Alert], text: &mut String) {
        for wanted in &expected.firing {
            let sign = if firing.iter().any(|alert| fits(wanted, alert)) { ' ' } else { '-' };
            let _ = writeln!(text, "  {sign} expected {}", wanted.text);
        }
        if expected.firing.is_empty() {
            let _ = writeln!(text, "    expected nothing");
        }
        for alert in firing {
            let sign = if expected.firing.iter().any(|wanted| fits(wanted, alert)) { ' ' } else { '+' };
            let _ = writeln!(text, "  {sign} fires    {} since {}", name(alert), self.after(alert.starts));
            let sum = alert.annotations.get("sum").map_or("", String::as_str);
            let _ = writeln!(text, "               {sum}");
        }
        if firing.is_empty() {
            let _ = writeln!(text, "    fires    nothing");
        }
    }

    fn history(&self, text: &mut String) {
        let _ = writeln!(text, "  what happened:");
        for Change { alert, .. } in &self.changes {
            let (at, word) = alert.ends.map_or((alert.starts, "fires"), |ends| (ends, "is over"));
            let _ = writeln!(text, "    {:>8}  {} {word}", self.after(at), name(alert));
        }
        if self.changes.is_empty() {
            let _ = writeln!(text, "    no alert at all");
        }
    }

    fn after(&self, at: Timestamp) -> String {
        show_duration(at.since(self.start))
    }
}

/// `page SLOOutage`, `ticket SLORegionDown eu`.
pub(crate) fn name(alert: &Alert) -> String {
    let region = alert.id.region.as_ref().map(|region| format!(" {region}")).unwrap_or_default();
    format!("{} {}{region}", alert.id.severity.as_str(), alert.id.rule.as_str())
}
