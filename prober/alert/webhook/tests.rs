//! Signatures of the published example, messages, and what answers mean.

use std::time::Duration;

use serde_json::Value;
use testkit::http::{Reply, Server};

use super::encode::body;
use super::sign::{Secrets, message_id};
use crate::notice::Undelivered;
use crate::sample::{notice, resolved, start};
use crate::{Receiver, ReceiverKind, Values};

/// The example of <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[test]
fn the_published_example_is_signed_as_published() {
    let sign = |secrets: &str| {
        let secrets = Secrets::read(secrets).unwrap();
        secrets.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}").unwrap()
    };
    let published = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    assert_eq!(sign(SECRET), published);
    assert_eq!(sign("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), published);
    // While a secret is changed, both sign.
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert_eq!(sign(&format!("{other}\n{SECRET}")), format!("{} {published}", sign(other)));
}

#[test]
fn a_secret_that_is_none_is_refused_and_not_shown() {
    for text in
        ["", " ", "whsec_", "whsec_c2hvcnQ=", "not base64!", &format!("{SECRET} x"), &"QUFB".repeat(30)]
    {
        let error = Secrets::read(text).err().unwrap();
        assert!(error.contains("whsec_") && !error.contains("not base64!"), "{error}");
    }
}

#[test]
fn a_message_says_all_and_is_the_same_each_time() {
    let message: Value = serde_json::from_slice(&body(&notice())).unwrap();
    assert_eq!(
        (message["type"].as_str(), message["timestamp"].as_str()),
        (Some("slo.alert.firing"), Some("2026-01-01T00:00:00.000000000Z"))
    );
    let data = &message["data"];
    assert_eq!((data["severity"].as_str(), data["labels"]["slo"].as_str()), (Some("page"), Some("checkout")));
    assert_eq!((data["annotations"]["burn_rate"].as_str(), &data["ends_at"]), (Some("1000"), &Value::Null));
    assert_eq!(body(&notice()), body(&notice()));
    let over: Value = serde_json::from_slice(&body(&resolved())).unwrap();
    assert_eq!(
        (over["type"].as_str(), over["timestamp"].as_str()),
        (Some("slo.alert.resolved"), Some("2026-01-01T00:05:00.000000000Z"))
    );
    assert_eq!(over["data"]["id"], data["id"], "one episode");
    let mut told = notice();
    told.undelivered = Some(Undelivered { route: "oncall".to_owned(), why: "503".to_owned() });
    let told: Value = serde_json::from_slice(&body(&told)).unwrap();
    assert_eq!(told["data"]["undelivered"]["route"], "oncall");
}

fn receiver(url: String, client: &post::Client) -> Box<dyn Receiver> {
    let mut values = Values::default();
    values.add("url", url);
    values.add("secret", SECRET);
    (ReceiverKind::named("webhook").unwrap().build)(&values, client).unwrap().remove(0)
}

#[tokio::test]
async fn a_receiver_can_verify_it_and_sees_the_same_id_at_each_try() {
    let server = Server::start();
    server.on("/hook", Reply::status(204));
    let client = post::Client::new("prober-tests", &[]).unwrap();
    let mut receiver = receiver(server.url("/hook"), &client);
    for after in [0, 5] {
        receiver.deliver(&[notice()], start().plus(Duration::from_secs(after))).await;
    }
    let log = server.seen();
    let secrets = Secrets::read(SECRET).unwrap();
    for (request, seconds) in log.iter().zip([1_767_225_600_i64, 1_767_225_605]) {
        let id = request.header("webhook-id").unwrap();
        assert_eq!(id, message_id(&notice().key()));
        assert_eq!(request.header("webhook-timestamp"), Some(&*seconds.to_string()));
        let expected = secrets.signature(id, seconds, &request.body).unwrap();
        assert_eq!(request.header("webhook-signature"), Some(&*expected));
        assert_eq!(request.header("content-type"), Some("application/json"));
    }
    assert_eq!(log.len(), 2);
    assert_ne!(message_id(&resolved().key()), message_id(&notice().key()));
}

#[tokio::test]
async fn only_2xx_is_success_and_410_wants_no_more() {
    let server = Server::start();
    let client = post::Client::new("prober-tests", &[]).unwrap();
    let mut receiver = receiver(server.url("/hook/hush"), &client);
    for (status, expected) in [
        (200, "Done"),
        (299, "Done"),
        (301, "Retry"),
        (308, "Retry"),
        (400, "Retry"),
        (404, "Retry"),
        (410, "Gone"),
        (429, "Retry"),
        (500, "Retry"),
    ] {
        server.on("/hook/hush", Reply::status(status).header("location", "http://127.0.0.1:1/"));
        let shown = format!("{:?}", receiver.deliver(&[notice()], start()).await);
        assert!(shown.starts_with(expected) && !shown.contains("hush"), "{status}: {shown}");
    }
}
