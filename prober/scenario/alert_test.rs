//! Tests of alerts: what happens, and who is told when.
//!
//! A file of its own beside the scenarios; it names one of them, or an objective. Deliberately absent: judging, which
//! is the evaluator's.

use std::str::FromStr as _;
use std::time::Duration;

use model::alert::{Rule, Severity};
use model::outcome::{Reason, Verdict};
use model::time::Timestamp;

use crate::bind::{Binder, Place};
use crate::diagnostic::{Diagnostic, Report};
use crate::fields::{Bound, Fields, Holds, Key, KeyType, Need};
use crate::names::{NOTHING, Names, Shared};
use crate::project::first_key;
use crate::source::{Source, Span, Spanned};
use crate::suggest::{nearest, one_of};
use crate::tree::{Node, NodeValue, parse};
use crate::units::{UnitError, parse_duration, show_duration};

/// The longest story: what the longest window of an objective holds.
pub const LASTS_MAX: Duration = Duration::from_hours(90 * 24);
/// The most slots of one story.
pub const SLOTS_MAX: u64 = 2_000_000;
/// The moment at which a story begins, if the author does not say.
const START: &str = "2026-03-02T00:00:00Z";

/// The keys of the file.
pub const ALERT_TEST_KEYS: &[Key] = &[
    Key {
        name: "scenario",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "The scenario whose alerts are tested.",
        example: "cart-api",
    },
    Key {
        name: "slo",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "The objective whose alerts are tested, instead of a scenario.",
        example: "shop",
    },
    Key {
        name: "start",
        value: KeyType::Text,
        need: Need::Default(START),
        doc: "The moment of 0m: it matters where maintenance or a calendar's window is tested.",
        example: "2026-03-01T22:00:00+01:00",
    },
    Key {
        name: "events",
        value: KeyType::Held(Holds::Parts(EVENT_KEYS)),
        need: Need::Required,
        doc: "What happens; of two entries about one slot the later one counts.",
        example: "[{ at: 0m..60m, outcome: good }]",
    },
    Key {
        name: "expect",
        value: KeyType::Held(Holds::Parts(EXPECT_KEYS)),
        need: Need::Required,
        doc: "Which alerts fire at which moments.",
        example: "[{ at: 61m, firing: [] }]",
    },
];

/// The keys of what happens.
pub const EVENT_KEYS: &[Key] = &[
    Key {
        name: "at",
        value: KeyType::Text,
        need: Need::Required,
        doc: "From when to when, the end not included, or one moment.",
        example: "60m..70m",
    },
    Key {
        name: "every",
        value: KeyType::Duration,
        need: Need::Otherwise("the scenario's own interval"),
        doc: "The distance of two runs in a region.",
        example: "30s",
    },
    Key {
        name: "scenario",
        value: KeyType::OneOrMany(&KeyType::Text),
        need: Need::Otherwise("all scenarios of the objective"),
        doc: "Where: in these scenarios of an objective over several.",
        example: "cart-api",
    },
    Key {
        name: "region",
        value: KeyType::OneOrMany(&KeyType::Text),
        need: Need::Otherwise("all regions"),
        doc: "Where.",
        example: "[eu, us]",
    },
    Key {
        name: "outcome",
        value: KeyType::Choice(&["good", "bad", "ineligible", "missed", "nothing"]),
        need: Need::Required,
        doc: "What each run comes to; `nothing` for a slot of which nobody hears.",
        example: "bad",
    },
    Key {
        name: "reason",
        value: KeyType::Text,
        need: Need::Otherwise("ok, failed, prober_fault or late"),
        doc: "Why, as in events.",
        example: "slow",
    },
];

/// The keys of what is expected.
pub const EXPECT_KEYS: &[Key] = &[
    Key { name: "at", value: KeyType::Text, need: Need::Required, doc: "When.", example: "66m" },
    Key {
        name: "firing",
        value: KeyType::OneOrMany(&KeyType::Text),
        need: Need::Otherwise("nothing"),
        doc: "Everything that fires then: severities, names of alerts, regions, or several of them in one text.",
        example: "[page, ticket SLORegionDown eu]",
    },
];

/// A test of alerts.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertTest {
    /// The scenario or the objective.
    pub subject: Spanned<Subject>,
    /// The moment of 0m.
    pub start: Timestamp,
    /// What happens.
    pub events: Vec<Story>,
    /// What is expected, in the order of time.
    pub expect: Vec<Expected>,
}

/// What is tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// What a scenario promises.
    Scenario(String),
    /// An objective.
    Slo(String),
}

/// Runs of the same outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// The first moment, after the start.
    pub from: Duration,
    /// The first moment that is not in it any more.
    pub to: Duration,
    /// The distance of two runs; `None` for the scenario's.
    pub every: Option<Duration>,
    /// In which scenarios; empty for all.
    pub scenarios: Vec<Spanned<String>>,
    /// In which regions; empty for all.
    pub regions: Vec<Spanned<String>>,
    /// What each comes to; `None` if nobody hears of it.
    pub reason: Option<Reason>,
}

/// What fires at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// When, after the start.
    pub at: Duration,
    /// The place in the file.
    pub span: Span,
    /// One entry an alert, or for several that have the words in common.
    pub firing: Vec<Wanted>,
}

/// Words that an alert must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// As the author wrote it.
    pub text: String,
    /// Its severity.
    pub severity: Option<Severity>,
    /// Its rule.
    pub rule: Option<Rule>,
    /// Its region.
    pub region: Option<String>,
}

/// The test in a file, and every mistake in it; file 0 of `source` alone.
pub fn read(source: &Source) -> (Option<AlertTest>, Vec<Diagnostic>) {
    let mut report = Report::default();
    let made = parse(0, &source.text, &mut report).and_then(|root| read_root(&root, &mut report));
    let sound = !report.has_errors();
    (made.filter(|_| sound), report.finish())
}

fn read_root(root: &Node, report: &mut Report) -> Option<AlertTest> {
    let shared = Shared::default();
    let mut names = Names::new(&shared, &NOTHING, None);
    let mut binder = Binder { report, names: &mut names };
    let elsewhere = |_: &str| None;
    let place = Place { words: "in a test of alerts".to_owned(), other: Vec::new(), elsewhere: &elsewhere };
    let (mut fields, _) = binder.entries(root, first_key(root), ALERT_TEST_KEYS, &place);
    let subject = subject(&mut fields, first_key(root), binder.report);
    let start = start(&mut fields, binder.report);
    let events = each(root, "events", EVENT_KEYS, &mut binder, story);
    let mut expect = each(root, "expect", EXPECT_KEYS, &mut binder, expected);
    expect.sort_by_key(|expected| expected.at);
    Some(AlertTest { subject: subject?, start: start?, events, expect })
}

/// Reads each entry of a list; a mistake in one hides none in the others.
fn each<T>(
    root: &Node,
    key: &str,
    keys: &'static [Key],
    binder: &mut Binder<'_, '_>,
    read: impl Fn(&mut Fields, &mut Report) -> Option<T>,
) -> Vec<T> {
    let Some(node) = root.get(key) else {
        let problem = Diagnostic::error("E101", first_key(root), format!("the key `{key}` is missing"));
        binder.report.push(problem.help(format!("add {key}: [{{ at: 1m, … }}]")));
        return Vec::new();
    };
    let items = node.list().unwrap_or(std::slice::from_ref(node));
    let mut all = Vec::new();
    for item in items {
        // Elsewhere an empty list is a slip; here it says that nothing fires.
        let mut item = item.clone();
        if let NodeValue::Map(entries) = &mut item.value {
            entries.retain(|(name, value)| {
                name.value != "firing" || value.list().is_none_or(|list| !list.is_empty())
            });
        }
        let (mut fields, _) = binder.entries(&item, item.span, keys, &Place::under(key));
        all.extend(read(&mut fields, binder.report));
    }
    all
}

fn subject(fields: &mut Fields, at: Span, report: &mut Report) -> Option<Spanned<Subject>> {
    match (fields.text("scenario"), fields.text("slo")) {
        (Some(name), None) => Some(Spanned::new(Subject::Scenario(name.value), name.span)),
        (None, Some(name)) => Some(Spanned::new(Subject::Slo(name.value), name.span)),
        (Some(scenario), Some(slo)) => {
            let problem = Diagnostic::error("E104", slo.span, "`scenario` and `slo` exclude each other");
            report.push(problem.other(scenario.span, "`scenario` is here").help("keep one of them"));
            None
        }
        (None, None) => {
            let problem = Diagnostic::error("E101", at, "nothing says whose alerts are tested");
            report.push(problem.help("add scenario: NAME, or slo: NAME"));
            None
        }
    }
}

fn start(fields: &mut Fields, report: &mut Report) -> Option<Timestamp> {
    let Some(text) = fields.text("start") else { return START.parse().ok() };
    let found = text.value.parse().ok();
    if found.is_none() {
        let problem = Diagnostic::error("E104", text.span, "this is not a time with its offset");
        report.push(problem.help("write start: 2026-03-01T22:00:00+01:00"));
    }
    found
}

fn story(fields: &mut Fields, report: &mut Report) -> Option<Story> {
    let at = fields.text("at").and_then(|text| range(&text, report));
    let every = fields.duration("every").map(|every| every.value);
    let verdict = fields.choice("outcome");
    let reason = fields.text("reason");
    let reason = reason_of(verdict, reason, report);
    let (from, to) = at?;
    Some(Story {
        from,
        to,
        every,
        scenarios: texts(fields, "scenario"),
        regions: texts(fields, "region"),
        reason: reason.ok()?,
    })
}

/// What runs come to, `None` for slots of which nobody hears; an error is reported already.
fn reason_of(
    verdict: Option<Spanned<&'static str>>,
    reason: Option<Spanned<String>>,
    report: &mut Report,
) -> Result<Option<Reason>, ()> {
    let verdict = verdict.ok_or(())?;
    let usual = match verdict.value {
        "good" => Some(Reason::Ok),
        "bad" => Some(Reason::Failed),
        "ineligible" => Some(Reason::ProberFault),
        "missed" => Some(Reason::Late),
        _ => None,
    };
    let Some(reason) = reason else { return Ok(usual) };
    let wanted = Verdict::from_str(verdict.value).ok();
    let fits = |known: &Reason| Some(known.verdict()) == wanted;
    if let Some(found) = Reason::from_str(&reason.value).ok().filter(fits) {
        return Ok(Some(found));
    }
    let known = || Reason::ALL.iter().filter(|known| fits(known)).map(|known| known.as_str());
    let shown = model::outcome::cut(reason.value.clone(), 60);
    let message = format!("`{shown}` is no reason of a run that is {}", verdict.value);
    let problem = Diagnostic::error("E104", reason.span, message);
    report.push(match (nearest(&reason.value, known()), known().next()) {
        (Some(near), _) => problem.label(format!("did you mean `{near}`?")),
        (None, Some(_)) => problem.help(format!("known are {}", one_of(known()))),
        (None, None) => problem.help("leave it out"),
    });
    Err(())
}

fn expected(fields: &mut Fields, report: &mut Report) -> Option<Expected> {
    let at = fields.text("at")?;
    let span = at.span;
    let moment =
        moment(&at.value).map_err(|help| wrong_time(&at, help)).map_err(|problem| report.push(problem));
    let firing = texts(fields, "firing");
    let mut wanted = Vec::new();
    for text in firing {
        match want(&text) {
            Ok(one) => wanted.push(one),
            Err(problem) => report.push(problem),
        }
    }
    Some(Expected { at: moment.ok()?, span, firing: wanted })
}

/// `page`, `SLOOutage`, `ticket SLORegionDown eu`.
fn want(text: &Spanned<String>) -> Result<Wanted, Diagnostic> {
    let mut wanted = Wanted { text: text.value.trim().to_owned(), ..Wanted::default() };
    for word in text.value.split_whitespace() {
        if let Some(severity) = Severity::of(word) {
            wanted.severity = Some(severity);
        } else if let Some(rule) = Rule::of(word) {
            wanted.rule = Some(rule);
        } else if wanted.rule.is_some() || wanted.severity.is_some() {
            wanted.region = Some(word.to_owned());
        } else {
            let known = || ["page", "ticket"].into_iter().chain(Rule::ALL.map(Rule::as_str));
            let shown = model::outcome::cut(word.to_owned(), 60);
            let problem =
                Diagnostic::error("E104", text.span, format!("`{shown}` is no severity and no alert"));
            return Err(match nearest(word, known()) {
                Some(near) => problem.label(format!("did you mean `{near}`?")),
                None => problem.help(format!("known are {}", one_of(known()))),
            });
        }
    }
    if wanted.text.is_empty() {
        return Err(
            Diagnostic::error("E104", text.span, "an empty text is no alert").help("write firing: []")
        );
    }
    Ok(wanted)
}

fn texts(fields: &mut Fields, key: &str) -> Vec<Spanned<String>> {
    let items = fields.list(key).map(|list| list.value).unwrap_or_default();
    let text = |item: Spanned<Bound>| match item.value {
        Bound::Text(text) => Some(Spanned::new(text, item.span)),
        _ => None,
    };
    items.into_iter().filter_map(text).collect()
}

/// `0m..60m`, or a moment, which is a range of a single slot.
fn range(text: &Spanned<String>, report: &mut Report) -> Option<(Duration, Duration)> {
    let parts = match text.value.split_once("..") {
        Some((from, to)) => moment(from).and_then(|from| Ok((from, moment(to)?))),
        None => moment(&text.value).map(|at| (at, at + Duration::from_millis(1))),
    };
    let problem = match parts {
        Ok((from, to)) if from < to => return Some((from, to)),
        Ok(_) => wrong_time(text, "a range begins before it ends, such as 60m..70m".to_owned()),
        Err(help) => wrong_time(text, help),
    };
    report.push(problem);
    None
}

fn wrong_time(text: &Spanned<String>, help: String) -> Diagnostic {
    let shown = model::outcome::cut(text.value.clone(), 60);
    Diagnostic::error("E104", text.span, format!("`{shown}` is no time after the start")).help(help)
}

/// A time after the start, `0` included; on a mistake what to do.
fn moment(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let found = match parse_duration(text) {
        Ok(found) => found,
        Err(UnitError::Bare(_)) if text == "0" => Duration::ZERO,
        Err(UnitError::Bare(meant) | UnitError::Unit(_, Some(meant))) => {
            return Err(format!("did you mean {meant}?"));
        }
        Err(_) => return Err("write it as 90s, 5m, 2h or 3d, or as a range of two: 60m..70m".to_owned()),
    };
    if found > LASTS_MAX {
        return Err(format!("a story lasts at most {}", show_duration(LASTS_MAX)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { path: "cart.alerts.yaml".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_story_is_read() {
        let text = "scenario: cart-api\nevents:\n  - { at: 0m..60m, every: 30s, outcome: good }\n  - { at: 60m..70m, \
                    every: 30s, region: [eu, us], outcome: bad, reason: slow }\nexpect:\n  - { at: 66m, firing: [page, \
                    ticket SLORegionDown eu] }\n  - { at: 61m, firing: [] }\n";
        let (test, problems) = read(&source(text));
        assert!(problems.is_empty(), "{problems:?}");
        let test = test.unwrap();
        assert_eq!(test.subject.value, Subject::Scenario("cart-api".to_owned()));
        assert_eq!(test.events[1].reason, Some(Reason::Slow));
        assert_eq!((test.events[1].from.as_secs(), test.events[1].to.as_secs()), (3_600, 4_200));
        assert_eq!(test.events[1].regions.len(), 2);
        assert_eq!(test.expect.iter().map(|one| one.at.as_secs() / 60).collect::<Vec<_>>(), [61, 66]);
        let wanted = &test.expect[1].firing[1];
        assert_eq!((wanted.severity, wanted.rule), (Some(Severity::Ticket), Some(Rule::RegionDown)));
        assert_eq!(wanted.region.as_deref(), Some("eu"));
    }

    #[test]
    fn every_mistake_is_said() {
        let head = "scenario: a\nevents: [{ at: 0m..1m, outcome: good }]\n";
        for (text, said) in [
            ("events: []\nexpect: []\n".to_owned(), "whose alerts"),
            (format!("slo: b\n{head}expect: []\n"), "exclude each other"),
            (format!("{head}start: yesterday\nexpect: []\n"), "not a time"),
            (format!("{head}expect: [{{ at: 5, firing: page }}]\n"), "no time after the start"),
            (format!("{head}expect: [{{ at: 5m, firing: pager }}]\n"), "no severity and no alert"),
            (format!("{head}expect: [{{ at: 5m, fireing: page }}]\n"), "fireing"),
            (
                "scenario: a\nevents: [{ at: 9m..1m, outcome: good }]\nexpect: []\n".to_owned(),
                "no time after",
            ),
            ("scenario: a\nevents: [{ at: 0..1m, outcome: fine }]\nexpect: []\n".to_owned(), "fine"),
            (
                "scenario: a\nevents: [{ at: 0..1m, outcome: good, reason: failed }]\nexpect: []\n"
                    .to_owned(),
                "no reason of",
            ),
            (
                "scenario: a\nevents: [{ at: 0..1m, outcome: nothing, reason: ok }]\nexpect: []\n".to_owned(),
                "no reason of",
            ),
            (
                "scenario: a\nevents: [{ at: 0..9000d, outcome: good }]\nexpect: []\n".to_owned(),
                "no time after",
            ),
            ("- a\n".to_owned(), "map"),
            (String::new(), ""),
        ] {
            let (test, problems) = read(&source(&text));
            assert!(
                test.is_none() && problems.iter().any(|one| one.message.contains(said)),
                "{text}\n{problems:?}"
            );
        }
    }
}
