//! Answers whose heads have more lines than nearly any other's.

use model::step::Phase::{Connect, Receive, Send, Wait};
use scenario::value::{Reading, Selector, Value};
use testkit::scripted::{Move, Scripted, say};

use super::*;

const MANY: usize = 150;

/// The head of an answer with [`MANY`] lines, and what comes behind them.
fn answer(status: &str, rest: &str) -> String {
    let lines = (0..MANY).fold(String::new(), |lines, line| lines + &format!("X-{line}: {line}\r\n"));
    format!("HTTP/1.1 {status}\r\n{lines}{rest}")
}

fn ask(server: &Scripted, method: &'static str, path: &str, body: &str) -> Keys {
    let mut keys = get(format!("http://{}{path}", server.addr()));
    keys.push(("method", text(method)));
    if !body.is_empty() {
        keys.push(("body", template(body)));
    }
    keys
}

fn read<'a>(outcome: &'a StepOutcome, subject: &str) -> Value<'a> {
    match outcome.evidence.read(subject, &Selector::Whole) {
        Reading::One(value) => value,
        other => panic!("{subject} is {other:?}: {:?}", outcome.failure),
    }
}

#[tokio::test]
async fn many_lines_ask_for_no_second_request_and_no_second_connection() {
    let whole = answer("200 OK", "Content-Length: 5\r\n\r\nhello");
    let (first, second) = whole.split_at(whole.len() / 2);
    let server = Scripted::start(vec![
        Move::Hear("GET /one "),
        say("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"),
        say(first),
        say(second),
        Move::Hear("HEAD /two "),
        say(answer("200 OK", "Content-Length: 5\r\n\r\n")),
        Move::Hear("order"),
        say(answer("200 OK", "Transfer-Encoding: chunked\r\n\r\n5\r\nagain\r\n0\r\n\r\n")),
        Move::Hear("GET /four "),
        say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast"),
        Move::Hang,
    ]);
    let outcomes = flow(vec![
        ask(&server, "GET", "/one", ""),
        ask(&server, "HEAD", "/two", ""),
        ask(&server, "POST", "/three", "order"),
        ask(&server, "GET", "/four", ""),
    ])
    .await;
    let failures: Vec<_> = outcomes.iter().map(|outcome| &outcome.failure).collect();
    assert_eq!(server.connections(), 1, "{failures:?}");
    let bodies: Vec<_> = outcomes.iter().map(|outcome| read(outcome, "body")).collect();
    assert_eq!(bodies, ["hello", "", "again", "last"].map(|body| Value::Text(body.into())));
    assert_eq!(phases_of(&outcomes[0], 0), [Connect, Send, Wait, Receive]);
    for outcome in &outcomes[1..] {
        assert_eq!(phases_of(outcome, 0), [Send, Wait, Receive]);
    }
    let heard = String::from_utf8_lossy(&server.heard()).into_owned();
    assert_eq!(heard.matches(" HTTP/1.1\r\n").count(), 4, "each was asked once: {heard}");
}

#[tokio::test]
async fn an_answer_before_the_whole_request_is_read_too() {
    let server = Scripted::start(vec![
        Move::Hear("\r\n\r\n"),
        say(answer("413 Content Too Large", "Content-Length: 0\r\n\r\n")),
        Move::Hang,
    ]);
    let large = "x".repeat(8 << 20);
    let outcomes = flow(vec![ask(&server, "POST", "/", &large)]).await;
    assert_eq!(read(&outcomes[0], "status"), Value::Int(413));
}
