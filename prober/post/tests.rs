//! Receivers that behave, and receivers that do not.

use std::time::UNIX_EPOCH;

use testkit::hostile::{Fault, Hostile};
use testkit::scripted::{Move, Scripted, say};

use super::*;

async fn ask(addr: std::net::SocketAddr, timeout: Duration) -> Result<Answer, PostError> {
    let client = Client::new("prober-tests", &[]).unwrap();
    let url = Url::parse(&format!("http://{addr}/a-secret-path?token=hush")).unwrap();
    let body = Bytes::from_static(b"{}");
    client.send(&url, Request { method: Method::POST, headers: HeaderMap::new(), body, timeout }).await
}

#[tokio::test]
async fn an_answer_is_read_with_its_wait() {
    let answer = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\nslow\ndown";
    let server = Scripted::start(vec![Move::Hear("{}"), say(answer)]);
    let answer = ask(server.addr(), TIMEOUT).await.unwrap();
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.retry_after(UNIX_EPOCH), Some(Duration::from_secs(7)));
    assert_eq!(answer.reason(), "slow down");
    let heard = String::from_utf8(server.heard()).unwrap().to_lowercase();
    assert!(heard.contains("user-agent: prober-tests"), "{heard}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let elsewhere = Scripted::start(vec![Move::Hang]);
    let answer =
        format!("HTTP/1.1 307 Go\r\nLocation: http://{}/\r\nContent-Length: 0\r\n\r\n", elsewhere.addr());
    let server = Scripted::start(vec![Move::Hear("{}"), say(answer)]);
    assert_eq!(ask(server.addr(), TIMEOUT).await.unwrap().status, StatusCode::TEMPORARY_REDIRECT);
    assert!(elsewhere.heard().is_empty());
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let server = Hostile::start(Fault::EndlessBody);
    let answer = ask(server.addr(), TIMEOUT).await.unwrap();
    assert_eq!(answer.body.len(), ANSWER_BYTES_MAX);
    assert!(answer.reason().chars().count() <= 200);
}

#[tokio::test]
async fn who_does_not_answer_is_left_in_time_and_no_secret_is_told() {
    for fault in [Fault::HalfOpen, Fault::ResetAfterRequest, Fault::CloseAfterRequest, Fault::EndlessHeaders]
    {
        let server = Hostile::start(fault.clone());
        let error = ask(server.addr(), Duration::from_millis(300)).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(&format!("http://{}", server.addr())), "{text}");
        assert!(!text.contains("hush") && !text.contains("secret"), "{fault:?}: {text}");
    }
}

/// Nothing else ran meanwhile once: an interim answer is neither head nor body.
#[tokio::test]
async fn interim_answers_without_an_end_are_read_up_to_a_bound() {
    let server = Hostile::start(Fault::EndlessContinue);
    let error = ask(server.addr(), TIMEOUT).await.unwrap_err();
    assert!(matches!(error, PostError::Connection { .. }), "{error}");
    assert!(error.to_string().ends_with("it says more than is read of an answer"), "{error}");
}

#[tokio::test]
async fn who_asks_is_said_as_the_url_says_it() {
    let server = Scripted::start(vec![Move::Hear("{}"), say("HTTP/1.1 204 None\r\n\r\n")]);
    let url = Url::parse(&format!("http://us%40er:pass%3Aword@{}/way?x=1", server.addr())).unwrap();
    let client = Client::new("prober-tests", &[]).unwrap();
    let answer = client.post(&url, HeaderMap::new(), Bytes::from_static(b"{}")).await.unwrap();
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let heard = String::from_utf8(server.heard()).unwrap().to_lowercase();
    assert!(heard.starts_with("post /way?x=1 http/1.1\r\n"), "{heard}");
    assert!(heard.contains(&format!("host: {}\r\n", server.addr())), "{heard}");
    // "us@er:pass:word"
    assert!(heard.contains("authorization: basic dxnazxi6cgfzczp3b3jk\r\n"), "{heard}");
}

#[test]
fn waits_are_bounded() {
    let answer = |text: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, text.parse().unwrap());
        Answer { status: StatusCode::OK, headers, body: Bytes::new(), trailers: HeaderMap::new() }
            .retry_after(UNIX_EPOCH)
    };
    assert_eq!(answer("1000000000"), Some(RETRY_AFTER_MAX));
    assert_eq!(answer("99999999999999999999999999"), Some(RETRY_AFTER_MAX));
    assert_eq!(answer("Thu, 01 Jan 1970 00:00:30 GMT"), Some(Duration::from_secs(30)));
    assert_eq!((answer("soon"), answer(""), answer("-1")), (None, None, None));
}
