//! Calls and messages over HTTP, broken at every stage.

use testkit::hostile::http2::{self, END_HEADERS, END_STREAM, Kind as Frame, frame};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_are_answered_wrongly() {
    let speech = http2::speech;
    let head = http2::head(END_HEADERS);
    let data = |flags| frame(Frame::Data, flags, 1, &[b'x'; 1024]);
    let error = 2_u32.to_be_bytes();
    let go_away = [0_u32.to_be_bytes(), error].concat();
    let broken = "protocol grpc.protocol wait | protocol grpc.protocol send";
    let late = "protocol grpc.protocol receive";
    let cases = [
        (speech(&[]), Vec::new(), "timeout timeout wait"),
        (speech(&[frame(Frame::GoAway, 0, 0, &go_away)]), Vec::new(), broken),
        (speech(&[frame(Frame::ResetStream, 0, 1, &error)]), Vec::new(), broken),
        (speech(std::slice::from_ref(&head)), Vec::new(), "timeout timeout receive"),
        (speech(&[head.clone(), data(0), frame(Frame::ResetStream, 0, 1, &error)]), Vec::new(), late),
        // A page that is no call's answer.
        (speech(&[head.clone(), data(END_STREAM)]), Vec::new(), late),
        (speech(std::slice::from_ref(&head)), data(0), late),
        (speech(&[frame(Frame::Headers, END_HEADERS, 1, &[0xff; 64])]), Vec::new(), broken),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Vec::new(), broken),
    ];
    let case = |(first, ever, expected)| Case::of(Fault::Http2(first, ever), Way::Grpc, expected);
    sweep(cases.into_iter().map(case).collect()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn web_sockets_that_open_and_then_go_wrong() {
    let too_much = "protocol websocket.too_much receive";
    let broken = "protocol websocket.protocol wait | protocol websocket.protocol receive";
    let cases = [
        (Fault::HalfOpen, "timeout timeout wait"),
        (Fault::CloseOnAccept, "protocol websocket.closed wait"),
        (Fault::ResetOnAccept, "connect connect.reset wait"),
        (
            Fault::Trickle([&[0x81, 100][..], &[b'x'; 100]].concat(), Duration::from_millis(200)),
            "timeout timeout wait",
        ),
        (Fault::Flood(b"noise without an end ".to_vec()), broken),
        (Fault::Flood(vec![0x89, 0]), too_much),
        (Fault::Flood(vec![0x8a, 0]), too_much),
        // The first message of a flood is the one that is waited for.
        (Fault::Flood(vec![0x81, 1, b'x']), "ok"),
        (Fault::Flood(vec![0x01, 1, b'x', 0x80, 1, b'y']), "ok"),
        // A close without being asked, and one with a code that nobody may send.
        (
            Fault::Flood(vec![0x88, 2, 0x03, 0xe8]),
            "protocol websocket.closed wait | protocol websocket.closed receive",
        ),
        (Fault::Flood(vec![0x88, 1, 0]), broken),
    ];
    let case = |(fault, expected)| Case::of(Fault::WebSocket(Box::new(fault)), Way::WebSocket, expected);
    sweep(cases.into_iter().map(case).collect()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn web_sockets_that_do_not_open() {
    let protocol = "protocol http.protocol receive";
    let raw = |text: &str| Fault::Raw(text.as_bytes().to_vec());
    let cases = [
        (Fault::ResetAfterRequest, "connect connect.reset wait"),
        (Fault::CloseAfterRequest, "protocol http.truncated wait"),
        (Fault::EndlessHeaders, protocol),
        (Fault::EndlessHeaderLine, protocol),
        (Fault::EndlessContinue, protocol),
        (Fault::TwoLengths, protocol),
        (Fault::Garbage, protocol),
        (raw("HTTP/9.9 200 what\r\n\r\n"), protocol),
        // The head says that no WebSocket is opened, and nobody waits for what follows.
        (Fault::EndlessBody, "protocol 200 receive"),
        (Fault::ShortBody, "protocol 200 receive"),
        (raw("HTTP/1.1 101 Switching Protocols\r\n\r\n"), "protocol websocket.handshake receive"),
    ];
    sweep(cases.into_iter().map(|(fault, expected)| Case::of(fault, Way::WebSocket, expected)).collect())
        .await;
}
