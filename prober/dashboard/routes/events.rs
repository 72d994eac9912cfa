//! Stored events as JSON, one page at a time.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use store::{EventFilter, StoredEvent};

use crate::answer::{bad_parameter, refused};
use crate::app::App;
use crate::params::{self, ListForm};

/// Where the next page of lines begins; the JSON form has it inside.
const NEXT: HeaderName = HeaderName::from_static("prober-next");
/// Bytes of one answer; a page ends early when it is reached, and `next` leads on.
const BYTES_MAX: usize = 8 << 20;

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Query(pairs): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let asked = match params::events(&pairs, app.now()) {
        Ok(asked) => asked,
        Err(error) => return bad_parameter(StatusCode::BAD_REQUEST, &error),
    };
    let form = asked.form.unwrap_or_else(|| form_of(&headers));
    let limit = asked.filter.limit;
    // One more tells whether there is a next page.
    let former = asked.filter.scenario.as_deref().map(|name| app.catalogue().former_names(name));
    let filter = EventFilter { limit: limit + 1, former: former.unwrap_or_default(), ..asked.filter };
    let read = app.read(move |store| {
        let found = store.reader().query(&filter)?;
        Ok(body(&found, limit, form))
    });
    match read.await {
        Ok((text, next)) => answer(text, next, form),
        Err(refusal) => refused(&app, "/api/v1/events", &refusal),
    }
}

fn answer(text: Vec<u8>, next: Option<u64>, form: ListForm) -> Response {
    let kind = match form {
        ListForm::Json => "application/json",
        ListForm::Lines => "application/x-ndjson",
    };
    let mut response = ([(CONTENT_TYPE, kind)], text).into_response();
    if let Some(next) = next {
        response.headers_mut().insert(NEXT, HeaderValue::from(next));
    }
    response
}

fn form_of(headers: &HeaderMap) -> ListForm {
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if accepted.any(|text| text.contains("application/x-ndjson")) { ListForm::Lines } else { ListForm::Json }
}

/// The page's text, and the number that the next page begins before.
fn body(found: &[StoredEvent], limit: usize, form: ListForm) -> (Vec<u8>, Option<u64>) {
    let (open, between, close): (&[u8], &[u8], &[u8]) = match form {
        ListForm::Json => (b"{\"events\":[", b",\n", b"]"),
        ListForm::Lines => (b"", b"\n", b""),
    };
    let mut text = open.to_vec();
    let mut last = None;
    for (index, one) in found.iter().take(limit).enumerate() {
        if text.len() > BYTES_MAX {
            break;
        }
        if index > 0 {
            text.extend_from_slice(between);
        }
        one.event.write_json(&mut text);
        last = Some((index, one.seq));
    }
    let next = last.filter(|(index, _)| index + 1 < found.len()).map(|(_, seq)| seq);
    text.extend_from_slice(close);
    match form {
        ListForm::Json => {
            let next = next.map_or_else(|| "null".to_owned(), |next| next.to_string());
            text.extend_from_slice(format!(",\"next\":{next}}}\n").as_bytes());
        }
        ListForm::Lines if last.is_some() => text.push(b'\n'),
        ListForm::Lines => {}
    }
    (text, next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn stored(count: u64) -> Vec<StoredEvent> {
        let event = Arc::new(sample::failed_flow());
        (0..count).rev().map(|index| StoredEvent { seq: 10 + index, event: Arc::clone(&event) }).collect()
    }

    #[test]
    fn next_is_there_if_there_is_more() {
        let check = |count: u64, limit: usize, expected: Option<u64>| {
            let (text, next) = body(&stored(count), limit, ListForm::Json);
            assert_eq!(next, expected, "{count} {limit}");
            let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(value["next"].as_u64(), expected);
            assert_eq!(value["events"].as_array().unwrap().len(), limit.min(usize::try_from(count).unwrap()));
        };
        check(0, 2, None);
        check(2, 2, None);
        check(3, 2, Some(11));
    }

    #[test]
    fn lines_are_events() {
        let (text, next) = body(&stored(3), 2, ListForm::Lines);
        let text = String::from_utf8(text).unwrap();
        assert_eq!((text.lines().count(), next), (2, Some(11)));
        assert!(text.ends_with('\n'));
        for line in text.lines() {
            assert_eq!(model::event::SliEvent::from_json(line).unwrap(), sample::failed_flow());
        }
        assert!(body(&[], 2, ListForm::Lines).0.is_empty());
    }

    #[test]
    fn a_page_ends_when_it_is_heavy() {
        let mut event = sample::failed_flow();
        event.outcome.assertions = vec![event.outcome.assertions[0].clone(); 100_000];
        let found = [5, 4, 3].map(|seq| StoredEvent { seq, event: Arc::new(event.clone()) });
        let (text, next) = body(&found, 3, ListForm::Json);
        assert_eq!(next, Some(5), "{}", text.len());
    }
}
