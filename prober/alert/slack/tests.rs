//! Messages as Slack shows them, and what its answers mean.

use serde_json::Value;
use testkit::http::{Reply, Server};

use super::encode::body;
use crate::answer::Delivery;
use crate::notice::{Notice, Undelivered};
use crate::sample::{notice, resolved, start};
use crate::{ReceiverKind, Values};

fn attachment(notice: &Notice) -> Value {
    let message: Value = serde_json::from_slice(&body(notice)).unwrap();
    message["attachments"][0].clone()
}

#[test]
fn a_message_says_what_where_and_what_to_do() {
    let shown = attachment(&notice());
    assert_eq!(
        (shown["color"].as_str(), shown["title"].as_str()),
        (Some("danger"), Some("PAGE: Checkout is down in 2 of 2 regions"))
    );
    assert_eq!(shown["title_link"], "http://prober.example/scenarios/checkout");
    assert_eq!(
        shown["text"],
        "Step `pay` answers 503 &lt;since&gt; 12:00 &amp; nobody can pay.\n\
         <https://wiki.example/checkout|Runbook> \u{b7} <http://prober.example/scenarios/checkout|Dashboard>"
    );
    assert_eq!(shown["fields"].as_array().unwrap().len(), 3);
    let over = attachment(&resolved());
    assert_eq!((over["color"].as_str(), over["ts"].as_i64()), (Some("good"), Some(1_767_225_900)));
    assert!(over["title"].as_str().unwrap().starts_with("Resolved after 5 min: "));
}

#[test]
fn no_text_becomes_markup() {
    let mut hostile = notice();
    for name in ["summary", "description"] {
        hostile
            .alert
            .annotations
            .insert(name.into(), "<!channel> <https://evil.example|ok> & more".to_owned());
    }
    hostile.alert.annotations.insert("runbook_url".into(), "https://wiki.example/a|b>c".to_owned());
    hostile.alert.id.team = "<@U123>".into();
    hostile.undelivered = Some(Undelivered { route: "<!here>".to_owned(), why: "<!channel>".to_owned() });
    let message = String::from_utf8(body(&hostile)).unwrap();
    for mark in ["<!", "<@", "<https://evil", "a|b"] {
        assert!(!message.contains(mark), "{mark} in {message}");
    }
    assert!(message.contains("<https://wiki.example/a%7Cb%3Ec|Runbook>"), "{message}");
}

#[test]
fn a_message_is_bounded() {
    let mut large = notice();
    for name in ["summary", "description"] {
        large.alert.annotations.insert(name.into(), "&".repeat(100_000));
    }
    assert!(body(&large).len() < 25_000);
}

#[tokio::test]
async fn answers_mean_what_the_documentation_says() {
    let server = Server::start();
    let mut values = Values::default();
    values.add("url", server.url("/services/T0/B0/hush"));
    let client = post::Client::new("prober-tests", &[]).unwrap();
    let mut receiver = (ReceiverKind::named("slack").unwrap().build)(&values, &client).unwrap().remove(0);
    for (status, expected) in [
        (200, "Done"),
        (400, "Reject"),
        (403, "Reject"),
        (404, "Reject"),
        (410, "Gone"),
        (429, "Retry"),
        (500, "Retry"),
        (307, "Retry"),
    ] {
        server.on(
            "/services/T0/B0/hush",
            Reply::status(status).header("retry-after", "1000000000").body("because"),
        );
        let delivery = receiver.deliver(&[notice()], start()).await;
        let shown = format!("{delivery:?}");
        assert!(shown.starts_with(expected), "{status}: {shown}");
        assert!(!shown.contains("hush"), "{shown}");
        if let Delivery::Retry { after, .. } = delivery {
            assert_eq!(after, Some(post::RETRY_AFTER_MAX));
        }
    }
}
