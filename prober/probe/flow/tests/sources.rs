//! The four ways of being stale, on every kind of source that has a time: `stale`, `stalled`, `backwards` and
//! `future_dated` do not depend on where a value comes from.

use model::high_mark::{HighMark, MarkValue};
use model::time::Timestamp;
use testkit::servers::{Nats, NatsSetup, Postgres};

use super::*;

/// Where a time is read from: the step, the subject with its selector, and the name that it goes by.
struct From {
    step: String,
    subject: String,
    name: &'static str,
}

fn from(step: String, subject: &str, name: &'static str) -> From {
    From { step, subject: subject.to_owned(), name }
}

impl From {
    /// Runs it once with `operators`, after a run that saw the value `mark` as long ago as it says.
    async fn run(&self, operators: &str, mark: Option<(MarkValue, Duration)>) -> Outcome {
        let expect = self.subject.replace('@', operators);
        let yaml = format!("name: a\naim: Up.\nevery: 1m\n{}\nexpect: {{ {expect} }}\n", self.step);
        let plan = plan(&yaml, &[], &KINDS);
        let step = plan.steps()[0].name.clone();
        let marks = mark.map(|(value, ago)| HighMark {
            step: (*step).into(),
            name: self.name.into(),
            value,
            since: SystemClock.now().minus(ago),
        });
        let context = RunContext { high_marks: Some(marks.into_iter().collect()), ..context(&plan) };
        Scenario::new(plan, Arc::new(Shared::new(NetConfig::default())), Arc::default()).run(&context).await
    }
}

const HOUR: Duration = Duration::from_hours(1);

/// Every source with the time `at` in it.
fn sources(at: Timestamp, server: &Server, folder: &std::path::Path, postgres: &Postgres) -> Vec<From> {
    let (rfc, unix) = (at.jiff().to_string(), at.as_millis() / 1000);
    let date = at.jiff().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    server.on("/json", Reply::json(&format!("{{\"at\":\"{rfc}\",\"unix\":{unix},\"ms\":{unix}000}}")));
    server.on("/header", Reply::ok("x").header("last-modified", &date));
    server.on("/xml", Reply::ok(format!("<feed><updated>{rfc}</updated></feed>")));
    server.on("/text", Reply::ok(format!("<p>generated at {rfc} by a machine</p>")));
    server.on("/bare", Reply::ok(format!("{unix}\n")));
    let path = folder.join(format!("{unix}.csv"));
    std::fs::write(&path, format!("# written {rfc}\n1,2\n")).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(at.jiff().into()).unwrap();
    let http = |path: &str| format!("http: {}", server.url(path));
    let file = format!("file: {{ path: \"{}\", read: true }}", path.display());
    let sql = format!(
        "sql: {{ dsn: \"{}\", query: \"select timestamptz '{rfc}' as last, {unix}::int8 as unix\" }}",
        postgres.url("reader")
    );
    vec![
        from(http("/json"), "json: { $.at: @ }", "json $.at"),
        from(http("/json"), "json: { $.unix: @ }", "json $.unix"),
        from(http("/json"), "json: { $.ms: @ }", "json $.ms"),
        from(http("/header"), "headers: { Last-Modified: @ }", "header Last-Modified"),
        from(http("/xml"), "xml: { /feed/updated: @ }", "xml /feed/updated"),
        from(http("/text"), "regex: { 'generated at (\\S+)': @ }", "regex generated at (\\S+)"),
        from(http("/bare"), "body: @", "body"),
        from(file.clone(), "modified: @", "modified"),
        from(file, "regex: { '# written (\\S+)': @ }", "regex # written (\\S+)"),
        from(sql.clone(), "rows: { \"[0].last\": @ }", "rows [0].last"),
        from(sql, "rows: { \"[0].unix\": @ }", "rows [0].unix"),
    ]
}

#[tokio::test]
async fn every_source_can_be_stale_in_every_way() {
    let (server, folder, postgres) = (Server::start(), tempfile::tempdir().unwrap(), Postgres::start());
    let now = SystemClock.now();
    // Whole seconds, as an HTTP date has them.
    let at = |ago: i64| Timestamp::from_seconds(now.as_millis() / 1000 - ago);
    let newer = "{ newer_than: 1h }";
    for (ago, operators, reason) in [
        (30, newer, Reason::Ok),
        (7200, newer, Reason::Stale),
        (-7200, newer, Reason::FutureDated),
        (-30, newer, Reason::Ok),
        (-7200, "{ newer_than: 1h, future_tolerance: 3h }", Reason::Ok),
    ] {
        for source in sources(at(ago), &server, folder.path(), &postgres) {
            let outcome = source.run(operators, None).await;
            assert_eq!(outcome.reason, reason, "{ago} {}: {:?}", source.name, outcome.failure);
            let age = outcome.freshness_age.unwrap();
            assert!((age - f64::from(i32::try_from(ago).unwrap())).abs() < 60.0, "{age} of {}", source.name);
        }
    }
    let grows = "{ advances: { within: 1h } }";
    let before = at(600);
    for (mark, ago, reason) in [
        (before, Duration::ZERO, Reason::Ok),
        (before, HOUR / 2, Reason::Ok),
        (before, 2 * HOUR, Reason::Stalled),
        (at(500), Duration::ZERO, Reason::Backwards),
        (at(700), 9 * HOUR, Reason::Ok),
    ] {
        for source in sources(before, &server, folder.path(), &postgres) {
            // A number is a number to `advances`, whatever else it may stand for.
            let value = match source.name {
                "json $.unix" | "rows [0].unix" => MarkValue::Int(mark.as_millis() / 1000),
                "json $.ms" => MarkValue::Int(mark.as_millis()),
                _ => MarkValue::Time(mark),
            };
            let outcome = source.run(grows, Some((value, ago))).await;
            assert_eq!(outcome.reason, reason, "{mark:?} {}: {:?}", source.name, outcome.failure);
        }
    }
}

#[tokio::test]
async fn a_stream_can_stand_still_or_be_made_anew() {
    let nats = Nats::start(&NatsSetup::default());
    nats.stream("ORDERS", "[\"orders.>\"]");
    nats.publish("orders.new", "x");
    let step = format!("jetstream: {{ address: \"{}\", stream: ORDERS }}", nats.addr());
    let (sequence, last) = (from(step.clone(), "sequence: @", "sequence"), from(step, "last: @", "last"));
    let (now, grows) = (SystemClock.now(), "{ advances: { within: 1h } }");
    let time = |at: Timestamp| MarkValue::Time(at);
    for (source, mark, ago, reason) in [
        (&sequence, MarkValue::Int(0), HOUR, Reason::Ok),
        (&sequence, MarkValue::Int(1), HOUR / 2, Reason::Ok),
        (&sequence, MarkValue::Int(1), 2 * HOUR, Reason::Stalled),
        (&sequence, MarkValue::Int(7), Duration::ZERO, Reason::Backwards),
        (&last, time(now.minus(HOUR)), HOUR, Reason::Ok),
        (&last, time(now.plus(HOUR)), Duration::ZERO, Reason::Backwards),
    ] {
        let outcome = source.run(grows, Some((mark, ago))).await;
        assert_eq!(outcome.reason, reason, "{mark:?}: {:?}", outcome.failure);
    }
    assert_eq!(last.run("{ newer_than: 1ms }", None).await.reason, Reason::Stale);
}
