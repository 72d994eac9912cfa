//! The pieces of code that are counted, each a function that is called again and again.

use std::hint::black_box;
use std::time::Duration;

use model::event::SliEvent;
use model::slot::{Cadence, SlotId, Stream};
use model::time::Timestamp;
use scenario::assertion::Observed;
use scenario::compile::{Compiled, Options, Sources, compile};
use scenario::kind::Evidence;
use scenario::source::Source;
use scenario::template::{Captured, Captures, Filter, Hole, Part, RunFacts, Scope, Secrets, Template};
use scenario::value::{Reading, Selector, Value};
use schedule::slots::Timetable;

/// The names of the pieces, and what each is.
pub(crate) const PIECES: [(&str, &str); 8] = [
    ("encode", "one HTTP event to JSON"),
    ("decode", "one HTTP event from JSON"),
    ("assert", "two assertions: a status, a body that contains a word"),
    ("template", "a template with a capture and the run's id"),
    ("next", "the next slot of an interval"),
    ("slot", "the id of a slot"),
    ("compile", "one scenario file to its plan"),
    ("validate", "one scenario file of a project of many"),
];

/// An event of an HTTP scenario, as the store keeps it.
const EVENT: &str = include_str!("event.json");

const SCENARIO: &str = "name: shop-home
aim: Everyone can open the shop.
owner: web
labels: { service: shop }
every: 30s
http: https://shop.example/
expect:
  status: 200
  body: { contains: Welcome }
sli: { good: { latency: { lte: 500ms } } }
";

/// Calls the piece `name` so many times.
pub(crate) fn run(name: &str, turns: u64) {
    match name {
        "encode" => encode(turns),
        "decode" => decode(turns),
        "assert" => assert(turns),
        "template" => template(turns),
        "next" => next(turns),
        "slot" => slot(turns),
        "compile" => (0..turns).for_each(|_| drop(black_box(compiled()))),
        "validate" => crate::validate::compiled(turns),
        other => panic!("there is no piece {other}"),
    }
}

fn encode(turns: u64) {
    let event = SliEvent::from_json(EVENT.trim_end()).expect("a stored event");
    let again = SliEvent::from_json(&event.to_json()).expect("what was written is an event");
    assert_eq!(again, event, "a round trip loses nothing");
    let mut out = Vec::with_capacity(4_096);
    for _ in 0..turns {
        out.clear();
        black_box(&event).write_json(&mut out);
        black_box(&out);
    }
}

fn decode(turns: u64) {
    for _ in 0..turns {
        drop(black_box(SliEvent::from_json(black_box(EVENT.trim_end()))));
    }
}

/// An answer that the assertions hold for.
struct Answer;

impl Evidence for Answer {
    fn read<'a>(&'a self, subject: &str, _: &Selector) -> Reading<'a> {
        match subject {
            "status" => Reading::One(Value::Int(200)),
            _ => Reading::One(Value::Text("<h1>Welcome to the shop</h1>".into())),
        }
    }
}

fn assert(turns: u64) {
    let compiled = compiled();
    let expect = &compiled.plans[0].steps()[0].expect;
    let wanted: Vec<_> = expect.iter().filter(|one| matches!(one.subject(), "status" | "body")).collect();
    assert_eq!(wanted.len(), 2, "the assertions of the scenario file");
    let observed = Observed::new(&Answer, Duration::from_millis(20), Timestamp::from_seconds(1));
    for _ in 0..turns {
        for assertion in &wanted {
            assert!(black_box(assertion.check(&observed)).pass, "the answer is right");
        }
    }
}

fn template(turns: u64) {
    let run = RunFacts {
        id: SlotId::from_bytes([7; 16]),
        started_at: Timestamp::from_seconds(1),
        attempt: 0,
        scenario: "shop-order".into(),
    };
    let mut captures = Captures::default();
    captures.set("order".into(), Captured { value: "A 17/4".into(), secret: false });
    let secrets = Secrets::default();
    let scope = Scope { run: &run, captures: &captures, secrets: &secrets };
    let template = Template::new([
        Part::Text("https://shop.example/orders/".into()),
        Part::Hole(Hole::Capture("order".into()), vec![Filter::UrlEncode]),
        Part::Text("?trace=".into()),
        Part::Hole(Hole::RunId, Vec::new()),
    ]);
    for _ in 0..turns {
        drop(black_box(black_box(&template).render(&scope).expect("every hole has a value")));
    }
}

fn next(turns: u64) {
    let cadence = Cadence::Every { interval_ms: 30_000 };
    let table = Timetable::new(&cadence, &Stream::new("shop-home", "eu")).expect("an interval names times");
    let mut at = Timestamp::from_seconds(1_790_000_000);
    for _ in 0..turns {
        at = black_box(table.next_after(at).expect("an interval has no end"));
    }
}

fn slot(turns: u64) {
    let stream = Stream::new("shop-home", "eu");
    for turn in 0..turns {
        let at = Timestamp::from_seconds(1_790_000_000 + turn.cast_signed());
        black_box(stream.slot(black_box(at)));
    }
}

fn compiled() -> Compiled<probe::Net> {
    let source = Source { path: "shop-home.yaml".to_owned(), text: black_box(SCENARIO).to_owned() };
    let sources = Sources { scenarios: vec![source], ..Sources::default() };
    let compiled = compile(sources, &probe::KINDS, &Options::default());
    assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
    compiled
}
