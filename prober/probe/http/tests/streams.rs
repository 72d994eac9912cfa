//! Streams of HTTP/2 that end as they should not, and requests that a server says it did nothing with.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use testkit::hostile::http2::{
    END_HEADERS, END_STREAM, Kind as Frame, STATUS_200, frame, head, settings, speech,
};
use testkit::hostile::{Fault, Hostile};
use testkit::pki::{Flaw, Pki, Speech};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// A GET in HTTP/2 without TLS.
fn plain(to: SocketAddr) -> Keys {
    [get(format!("http://{to}/")), vec![("http_version", Bound::Choice("2"))]].concat()
}

fn data(flags: u8, bytes: &[u8]) -> Vec<u8> {
    frame(Frame::Data, flags, 1, bytes)
}

/// A head that announces a body of `length`, one digit (RFC 7541, sections 6.1 and 6.2.2).
fn announcing(length: u8) -> Vec<u8> {
    frame(Frame::Headers, END_HEADERS, 1, &[STATUS_200, &[0x0f, 0x0d, 1, length]].concat())
}

#[tokio::test]
async fn an_answer_is_whole_only_where_its_stream_says_so() {
    let no_error = frame(Frame::ResetStream, 0, 1, &0_u32.to_be_bytes());
    for (frames, expected) in [
        (vec![head(END_HEADERS), data(END_STREAM, b"ok")], "good"),
        (vec![head(END_HEADERS | END_STREAM)], "good"),
        (vec![announcing(b'2'), data(END_STREAM, b"ok")], "good"),
        (vec![head(END_HEADERS), data(0, b"ok"), no_error.clone()], "protocol http.truncated"),
        (vec![announcing(b'2'), data(0, b"ok"), no_error.clone()], "protocol http.truncated"),
        (vec![head(END_HEADERS), no_error], "protocol http.truncated"),
        (vec![announcing(b'9'), data(END_STREAM, b"ok")], "protocol http.protocol|protocol http.truncated"),
        (vec![announcing(b'1'), data(END_STREAM, b"ok")], "protocol http.protocol"),
    ] {
        let hostile = Hostile::start(Fault::Http2(speech(&frames), Vec::new()));
        let trial = trial::run(&KIND, plain(hostile.addr()), &trial::shared(), trial::PATIENCE).await;
        let came_to = trial.outcome.failure.as_ref().map_or("good".to_owned(), |_| trial.failure());
        assert!(expected.split('|').any(|known| known == came_to), "{frames:?}: {came_to}");
    }
}

#[tokio::test]
async fn where_no_body_can_be_there_is_none() {
    // `:status: 204` and `:status: 304` (RFC 7541, appendix A).
    for (method, status, expected) in [
        ("GET", &[0x89][..], "an answer with status 204 has no body, and this one came with 2 bytes"),
        ("GET", &[0x8b], "an answer with status 304 has no body, and this one came with 2 bytes"),
        (
            "HEAD",
            STATUS_200,
            "the server broke the rules of HTTP/2 while reading the answer (PROTOCOL_ERROR: unspecific protocol error \
             detected)",
        ),
    ] {
        for (body, expected) in [(&b""[..], None), (b"ok", Some(expected))] {
            let frames = [frame(Frame::Headers, END_HEADERS, 1, status), data(END_STREAM, body)];
            let hostile = Hostile::start(Fault::Http2(speech(&frames), Vec::new()));
            let keys = [plain(hostile.addr()), vec![("method", text(method))]].concat();
            let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
            let came_to = trial.outcome.failure.as_ref().map(|failure| &*failure.message);
            assert_eq!(came_to, expected, "{method} {status:?}");
        }
    }
}

/// A server whose first connection answers once and says to the second request what `refusal` holds.
fn refusing_once(refusal: Vec<u8>) -> (SocketAddr, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let answer = |stream: u32| {
        [frame(Frame::Headers, END_HEADERS | END_STREAM, stream, STATUS_200), Vec::new()].concat()
    };
    let served = std::thread::spawn(move || {
        for then in [Some(refusal), None] {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&settings()).unwrap();
            until_request(&mut stream, 1);
            stream.write_all(&answer(1)).unwrap();
            if let Some(then) = then {
                until_request(&mut stream, 3);
                stream.write_all(&then).unwrap();
            }
        }
    });
    (addr, served)
}

#[tokio::test]
async fn who_wants_http_1_1_for_a_request_is_asked_so() {
    for (choice, side_effects, expected) in [
        (None, false, Ok(())),
        (Some("2"), false, Err("protocol http.protocol")),
        (None, true, Err("protocol http.protocol")),
    ] {
        let pki = Pki::new();
        let config = pki.identity(&["127.0.0.1"], Flaw::None).server_config(&Speech::default());
        let acceptor = tokio_rustls::TlsAcceptor::from(config);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let refused = frame(Frame::ResetStream, 0, 1, &13_u32.to_be_bytes());
        let mut served = tokio::task::JoinSet::new();
        served.spawn(async move {
            let mut spoken = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = acceptor.accept(stream).await.unwrap();
                let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                spoken.push(is_h2);
                if is_h2 {
                    // Its preface, settings and request; what it answers them with may come late.
                    let mut heard = vec![0; 4096];
                    let mut count = stream.read(&mut heard).await.unwrap();
                    while !heard[..count]
                        .windows(4)
                        .any(|part| part[0] == Frame::Headers as u8 && part[1] & 4 != 0)
                    {
                        count += stream.read(&mut heard[count..]).await.unwrap();
                    }
                    stream.write_all(&[settings(), refused.clone()].concat()).await.unwrap();
                    let _until_it_hangs_up = stream.read(&mut heard).await;
                    continue;
                }
                let _request = stream.read(&mut [0; 4096]).await.unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
                return spoken;
            }
            spoken
        });
        let mut keys = get(format!("https://{addr}/"));
        keys.push(("method", text("POST")));
        keys.push(("ca", text(pki.root_file().display().to_string())));
        keys.extend(choice.map(|version| ("http_version", Bound::Choice(version))));
        let mut net = Net::new(trial::shared());
        net.look(model::probe::Detail::Bodies);
        net.send_once(side_effects);
        let outcome = step(&*action(keys), &mut net, trial::PATIENCE).await;
        let failure = outcome.failure.as_ref();
        let came_to = failure.map(|failure| format!("{} {}", failure.class.as_str(), failure.error_type));
        assert_eq!(came_to.as_deref(), expected.err(), "{failure:?}");
        if expected.is_err() {
            continue;
        }
        assert_eq!(outcome.attributes.text("network.protocol.version"), Some("1.1"));
        let attempts: Vec<_> = outcome.hops[0].attempts.iter().map(|one| &*one.error_type).collect();
        assert_eq!(attempts, ["http.protocol"]);
        let sent = &outcome.hops[0].exchange.as_ref().unwrap().request.head[0];
        assert_eq!(sent, "POST / HTTP/1.1");
        assert_eq!(served.join_next().await.unwrap().unwrap(), [true, false]);
    }
}

/// Reads until the head of the request on stream `wanted` has come.
fn until_request(stream: &mut std::net::TcpStream, wanted: u32) {
    if wanted == 1 {
        stream.read_exact(&mut [0; 24]).unwrap();
    }
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        stream.read_exact(&mut vec![0; length]).unwrap();
        if head[3] == Frame::Headers as u8 && head[8] == u8::try_from(wanted).unwrap() {
            return;
        }
    }
}

#[tokio::test]
async fn what_was_not_begun_with_is_sent_once_more() {
    let go_away = [1_u32.to_be_bytes(), 0_u32.to_be_bytes()].concat();
    for refusal in
        [frame(Frame::ResetStream, 0, 3, &7_u32.to_be_bytes()), frame(Frame::GoAway, 0, 0, &go_away)]
    {
        // A server that did nothing may also be told a second time to do what may be done only once.
        for method in ["GET", "POST"] {
            let (addr, served) = refusing_once(refusal.clone());
            let second = [plain(addr), vec![("method", text(method))]].concat();
            let outcomes = flow(vec![plain(addr), second]).await;
            let failures: Vec<_> = outcomes.iter().map(|outcome| &outcome.failure).collect();
            assert_eq!(failures, [&None, &None], "{refusal:?}");
            let hop = &outcomes[1].hops[0];
            assert!(!hop.reused);
            assert_eq!(&*hop.attempts[0].error_type, "connect.closed");
            served.join().unwrap();
        }
    }
}

#[tokio::test]
async fn a_connection_that_ends_in_good_order_is_an_answer_that_is_not_whole() {
    for (frames, expected) in [
        (vec![], "the server closed the connection without an answer"),
        (
            vec![head(END_HEADERS), data(0, b"half of ")],
            "the server closed the connection before the end of its answer",
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&settings()).unwrap();
            until_request(&mut stream, 1);
            stream.write_all(&frames.concat()).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            // What is left unread would make a reset of it.
            stream.read_to_end(&mut Vec::new()).unwrap_or_default();
        });
        let trial = trial::run(&KIND, plain(addr), &trial::shared(), trial::PATIENCE).await;
        assert_eq!((trial.failure().as_str(), trial.message()), ("protocol http.truncated", expected));
        drop(trial);
        served.join().unwrap();
    }
}

#[tokio::test]
async fn who_ended_an_exchange_and_why_is_said() {
    let last = |code: u32, said: &str| {
        let content = [&0_u32.to_be_bytes()[..], &code.to_be_bytes(), said.as_bytes()].concat();
        frame(Frame::GoAway, 0, 0, &content)
    };
    let reset = |code: u32| frame(Frame::ResetStream, 0, 1, &code.to_be_bytes());
    for (frames, expected) in [
        (
            vec![last(0, "max \"age\"")],
            "the server closed the HTTP/2 connection while waiting for the answer (NO_ERROR: not a result of an error), \
             and said `max \\\"age\\\"`",
        ),
        (
            vec![last(11, "")],
            "the server closed the HTTP/2 connection while waiting for the answer (ENHANCE_YOUR_CALM: detected \
             excessive load generating behavior)",
        ),
        (
            vec![reset(7)],
            "the server ended the HTTP/2 stream while waiting for the answer (REFUSED_STREAM: refused stream before \
             processing any application logic)",
        ),
        (
            vec![head(END_HEADERS), data(0, b"ok"), reset(2)],
            "the server ended the HTTP/2 stream while reading the answer (INTERNAL_ERROR: unexpected internal error \
             encountered)",
        ),
        (vec![reset(99)], "the server ended the HTTP/2 stream while waiting for the answer (code 99)"),
    ] {
        let hostile = Hostile::start(Fault::Http2(speech(&frames), Vec::new()));
        let trial = trial::run(&KIND, plain(hostile.addr()), &trial::shared(), trial::PATIENCE).await;
        assert_eq!(trial.message(), expected);
    }
}
