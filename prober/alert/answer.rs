//! What became of a delivery, and what the answers of HTTP receivers have in common.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::time::Timestamp;
use post::{Answer, Client, PostError};
use url::Url;

use crate::{Mask, Values};

/// What came of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The receiver has it.
    Done,
    /// It may work later.
    Retry {
        /// How long the receiver asks to be left alone.
        after: Option<Duration>,
        /// For people.
        why: String,
    },
    /// The receiver will never take it.
    Reject {
        /// For people.
        why: String,
    },
    /// The receiver wants nothing any more.
    Gone {
        /// For people.
        why: String,
    },
}

/// Where a receiver is, and what of that nobody may read.
pub(crate) struct Address {
    pub(crate) url: Url,
    /// Scheme, host and port.
    pub(crate) place: String,
    /// Texts that an answer may repeat and people must not see, the longest first.
    hidden: Vec<String>,
    mask: Option<Mask>,
}

/// Parts of a URL shorter than this are no secrets.
const SECRET_CHARS_MIN: usize = 6;

impl Address {
    /// The address of `url`, the receiver's other secrets, and what else takes secrets out of texts.
    pub(crate) fn new(url: Url, secrets: impl IntoIterator<Item = String>, values: &Values) -> Self {
        let place = post::place(&url);
        let mut hidden: Vec<String> = secrets.into_iter().collect();
        hidden.push(url.path().to_owned());
        hidden.extend(url.path_segments().into_iter().flatten().map(str::to_owned));
        hidden.extend(url.query().map(str::to_owned));
        hidden.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
        hidden.extend(url.password().map(str::to_owned));
        hidden.retain(|text| text.chars().count() >= SECRET_CHARS_MIN);
        hidden.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self { url, place, hidden, mask: values.mask.clone() }
    }

    /// `https://hooks.example answered 503: try later`, secrets left out.
    pub(crate) fn said(&self, answer: &Answer) -> String {
        let (place, status) = (&self.place, answer.status.as_u16());
        let redirect = if answer.status.is_redirection() { " (redirects are not followed)" } else { "" };
        let reason = answer.reason();
        let reason = self.mask.as_ref().map_or(reason.clone(), |mask| mask(&reason));
        let reason = self.hidden.iter().fold(reason, |text, secret| text.replace(secret, "[…]"));
        if reason.is_empty() {
            format!("{place} answered {status}{redirect}")
        } else {
            format!("{place} answered {status}{redirect}: {reason}")
        }
    }

    /// To be tried again, after the wait that the answer asks for.
    pub(crate) fn again(&self, answer: &Answer, now: Timestamp) -> Delivery {
        Delivery::Retry { after: answer.retry_after(system(now)), why: self.said(answer) }
    }

    /// Never to be tried again.
    pub(crate) fn never(&self, answer: &Answer) -> Delivery {
        Delivery::Reject { why: self.said(answer) }
    }

    /// Nothing is wanted here any more.
    pub(crate) fn gone(&self, answer: &Answer) -> Delivery {
        Delivery::Gone { why: self.said(answer) }
    }

    /// Looks whether anybody answers there: asks for the head of `/`, never for the URL's own path.
    pub(crate) async fn examine(&self, client: &Client) -> Result<String, String> {
        let mut root = self.url.clone();
        root.set_path("/");
        root.set_query(None);
        let request = post::Request {
            method: http::Method::HEAD,
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::new(),
            timeout: EXAMINE_MAX,
        };
        match client.send(&root, request).await {
            Ok(answer) => Ok(format!("{} answers ({})", self.place, answer.status.as_u16())),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Delivery {
    /// A connection that failed may work later.
    pub(crate) fn unreached(error: &PostError) -> Self {
        Self::Retry { after: None, why: error.to_string() }
    }
}

fn system(at: Timestamp) -> SystemTime {
    let millis = u64::try_from(at.as_millis()).unwrap_or(0);
    UNIX_EPOCH + Duration::from_millis(millis)
}

/// The longest that looking at a receiver may take.
pub(crate) const EXAMINE_MAX: Duration = Duration::from_secs(5);

/// The headers of a JSON body.
pub(crate) fn json_headers() -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_repeats_the_address_does_not_tell_it() {
        let url = Url::parse("https://user:pass-word@hooks.example/services/T0/secret-part?token=tok-en-1")
            .unwrap();
        let mut values = Values::default();
        values.mask_by(|text| text.replace("other", "[masked]"));
        let address = Address::new(url, ["routing-key".to_owned()], &values);
        let answer = |body: &'static str| Answer {
            status: http::StatusCode::NOT_FOUND,
            headers: http::HeaderMap::new(),
            trailers: http::HeaderMap::new(),
            body: bytes::Bytes::from_static(body.as_bytes()),
        };
        let said = address.said(&answer(
            "Cannot POST /services/T0/secret-part?token=tok-en-1 (secret-part, tok-en-1, routing-key, pass-word)",
        ));
        assert_eq!(said, "https://hooks.example answered 404: Cannot POST […]?[…] ([…], […], […], […])");
        assert!(address.said(&answer("no other way")).ends_with(": no [masked] way"));
        assert_eq!(address.said(&answer("")), "https://hooks.example answered 404");
    }
}
