//! The pages for people.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use http_body_util::Full;

use super::Answer;
use crate::faults::FAULTS;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:3rem auto;padding:0 1rem}\
    table{border-collapse:collapse}td,th{padding:.3rem .8rem;text-align:left;border-bottom:1px solid #ccc}";

/// The front page.
pub(super) fn front() -> Answer {
    html(
        "The demo shop",
        "<h1>The demo shop</h1>\
         <p>Tea, cups and pots. This shop exists to be watched: it is slow and fails on a schedule.</p>\
         <ul><li>Green tea, 4.90</li><li>Black tea, 4.50</li><li>Blue cup, 12.00</li><li>Iron pot, 39.00</li></ul>\
         <p><a href=\"/schedule\">What is broken when</a> · <a href=\"/search?q=tea\">Search</a> · \
         <a href=\"/feed.json\">Feed</a> · <a href=\"/orders/latest.csv\">Orders</a></p>",
    )
}

/// The table of faults, as it stands `since_start`.
pub(super) fn schedule(since_start: Duration) -> Answer {
    let mut rows = String::new();
    for fault in FAULTS {
        let now = if fault.active(since_start) { "<strong>broken</strong>" } else { "fine" };
        let scenario = if fault.scenario.is_empty() { "–" } else { fault.scenario };
        write!(
            rows,
            "<tr><td>{}</td><td>{}</td><td>{fault}</td><td>{scenario}</td><td>{now}</td></tr>",
            fault.place, fault.effect
        )
        .expect("a String takes every text");
    }
    let seconds = since_start.as_secs();
    html(
        "What is broken when",
        &format!(
            "<h1>What is broken when</h1><p>Seconds count from the start of the shop, {seconds} s ago.</p>\
             <table><tr><th>where</th><th>what</th><th>when</th><th>seen by</th><th>now</th></tr>{rows}</table>"
        ),
    )
}

fn html(title: &str, body: &str) -> Answer {
    let text = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <style>{STYLE}</style><body>{body}</body></html>\n"
    );
    page(StatusCode::OK, "text/html; charset=utf-8", text)
}

/// A page that is not to be cached.
pub(super) fn page(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut answer = Answer::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
