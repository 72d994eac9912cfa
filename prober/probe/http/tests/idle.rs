//! A connection that the server closes just when the next request arrives.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async fn read_request(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        seen.push(stream.read_u8().await.expect("a request ends in an empty line"));
    }
}

/// Answers one request a connection; the second one is read, and the connection closed.
async fn one_answer_each(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.expect("loopback works");
        read_request(&mut stream).await;
        stream.write_all(ANSWER).await.expect("the client reads its answer");
        if stream.peek(&mut [0]).await.is_ok_and(|bytes| bytes > 0) {
            read_request(&mut stream).await;
        }
    }
}

#[tokio::test]
async fn a_request_that_met_a_closing_connection_is_sent_again_only_if_it_may_be() {
    for (method, failure, attempts) in [("GET", None, 1), ("POST", Some("http.truncated"), 0)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut server = JoinSet::new();
        server.spawn(one_answer_each(listener));
        let keys = || vec![("url", template(format!("http://{addr}/"))), ("method", text(method))];
        let outcomes = flow(vec![keys(), keys()]).await;
        assert_eq!(outcomes[0].failure, None);
        let error_type = outcomes[1].failure.as_ref().map(|failure| &*failure.error_type);
        assert_eq!(error_type, failure, "{method}");
        let hop = &outcomes[1].hops[0];
        assert_eq!(hop.attempts.len(), attempts, "{method}");
        assert!(hop.attempts.iter().all(|attempt| attempt.error_type == "connect.closed"));
        assert_eq!(hop.reused, failure.is_some(), "{method}: a fresh connection says that it is one");
    }
}

#[tokio::test]
async fn a_connection_that_the_server_said_it_closes_is_not_tried() {
    let server = testkit::http::Server::start();
    server.on("/", testkit::http::Reply::ok("bye").header("connection", "close"));
    let outcomes = flow(vec![get(server.url("/")), get(server.url("/"))]).await;
    for outcome in outcomes {
        assert_eq!(outcome.failure, None);
        assert!(outcome.hops[0].attempts.is_empty() && !outcome.hops[0].reused);
    }
    assert_eq!(server.connections(), 2);
}
